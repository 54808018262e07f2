"""Many dimensions to two or three, the true neighbours, and how far the picture can be trusted.

Everything is measured in the *original* space: all dimensions, scaled as the projection was.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ser_core.errors import SerError

Method = Literal["pca", "umap"]
Scaling = Literal["standard", "centre"]
SCREE: Final = 20
"""Components whose explained variance is kept for the scree plot."""
UMAP_DIM: Final = 50
"""Principal components that UMAP starts from where there are more dimensions."""
BLOCK: Final = 512
"""Rows of the distance matrix held at once: memory grows with the number of clips, not with its square."""


class ProjectionError(SerError, ValueError):
    """Vectors that cannot be projected as asked; the message says what was expected."""


@dataclass(frozen=True)
class Scaler:
    """What `scale` does, kept for vectors that come later: ``centre`` and ``spread``, both of shape (dim,).

    ``spread`` is 1 where vectors are only centred, infinite where a dimension is constant: it stays 0 whatever comes.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    def scale(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return vectors of shape (n, dim), scaled."""
        x = vectors.astype(np.float64)
        x -= self.centre
        x /= self.spread
        return x


@dataclass(frozen=True)
class Projection:
    """Coordinates, shape (n_clips, n_components), float32, and where the method has it the variance they explain.

    ``explained_variance`` holds the share (0-1) of each of the first components, up to `SCREE` of them; ``axes``,
    shape (dim, n_components), take scaled vectors to their coordinates. Both are None for UMAP, which has neither.
    """

    coordinates: NDArray[np.float32]
    explained_variance: NDArray[np.float64] | None
    axes: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Quality:
    """How well a picture keeps neighbourhoods: per clip, each 0-1, higher is better; `k` neighbours were looked at.

    ``trustworthiness``: neighbours in the picture are neighbours in truth. ``continuity``: true neighbours are
    neighbours in the picture (both Venna & Kaski 2001, Neural Networks 14, eq. 2 and 4). ``overlap``: share of the k
    true neighbours that are among the k in the picture. The mean over clips is the figure usually reported.
    """

    trustworthiness: NDArray[np.float64]
    continuity: NDArray[np.float64]
    overlap: NDArray[np.float64]
    k: int


def scaler(vectors: NDArray[np.float32], scaling: Scaling) -> Scaler:
    """Return what centres every dimension, and with ``standard`` divides it by its standard deviation.

    ``vectors`` has shape (n_clips, dim). Dimensions that are constant up to rounding become 0.
    """
    x = vectors.astype(np.float64)
    centre = x.mean(axis=0)
    if scaling == "centre":
        return Scaler(centre, np.ones_like(centre))
    x -= centre
    deviation = x.std(axis=0)
    varies = deviation > 1e-12 * (1 + np.abs(vectors).max(axis=0))
    return Scaler(centre, np.where(varies, deviation, np.inf))


def scale(vectors: NDArray[np.float32], scaling: Scaling) -> NDArray[np.float64]:
    """Centre every dimension, and with ``standard`` divide it by its standard deviation (constant ones become 0).

    Examples
    --------
    >>> scale(np.array([[0.0, 5.0], [2.0, 5.0]], dtype="float32"), "standard")
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    return scaler(vectors, scaling).scale(vectors)


def span(vectors: NDArray[np.float32], scaling: Scaling) -> NDArray[np.float64]:
    """Return the scaled vectors in axes of their own, shape (n_clips, min(n_clips, dim)): all distances are the same.

    What depends on distances and inner products only (a shrunk covariance, a ridge regression) costs as much there as
    the number of clips allows, however many dimensions there are.
    """
    x = scale(vectors, scaling)
    if x.shape[1] <= len(x):
        return x
    values, vectors_between = scipy.linalg.eigh(x @ x.T)
    return vectors_between * np.sqrt(np.maximum(values, 0))


def project(
    vectors: NDArray[np.float32],
    method: Method,
    *,
    n_components: int,
    scaling: Scaling,
    seed: int,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
) -> Projection:
    """Project clips, vectors of shape (n_clips, dim), to 2 or 3 dimensions.

    PCA is exact, by the eigenvectors of the smaller of the two product matrices (scikit-learn's full decomposition
    takes 20 times as long for 1,440 clips of 6,373 values); each axis points where its largest loading is positive.
    UMAP (McInnes et al. 2018) starts from the first 50 principal components where there are more, as is usual;
    ``n_neighbors``, ``min_dist`` and ``seed`` concern it alone.

    Raises
    ------
    ProjectionError
        If there are fewer clips than the method needs.
    """
    x = scale(vectors, scaling)
    needed = n_components + 2 if method == "umap" else n_components
    if len(x) < needed or x.shape[1] < n_components:
        raise ProjectionError(
            f"{len(x)} clips of {x.shape[1]} values: {method.upper()} in {n_components}-D needs {needed} clips or more"
            f" of {n_components} values or more"
        )
    if method == "pca":
        return _pca(x, n_components)
    return _umap(x, n_components, seed, n_neighbors, min_dist)


def neighbours(
    vectors: NDArray[np.float32], *, k: int, scaling: Scaling
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the k nearest other clips of each clip by Euclidean distance, nearest first, and their distances.

    Shapes (n_clips, k); k is at most n_clips - 1.
    """
    x = scale(vectors, scaling)
    k = min(k, len(x) - 1)
    indices = np.empty((len(x), k), np.int32)
    distances = np.empty((len(x), k), np.float32)
    for start in range(0, len(x), BLOCK):
        block = _distances(x, start)
        nearest = np.argsort(block, axis=1, kind="stable")[:, :k]
        indices[start : start + BLOCK] = nearest
        distances[start : start + BLOCK] = np.take_along_axis(block, nearest, axis=1)
    return indices, distances


def quality(
    vectors: NDArray[np.float32], coordinates: NDArray[np.float32], *, scaling: Scaling, k: int = 15
) -> Quality:
    """Compare the neighbourhoods of a picture with the true ones, over all clips.

    Raises
    ------
    ProjectionError
        If there are not more than 2k clips, for which the measures are not defined.
    """
    n = len(vectors)
    if n <= 2 * k:
        raise ProjectionError(f"{n} clips: quality is measured with {k} neighbours, and so from {2 * k + 1} clips on")
    true, shown = scale(vectors, scaling), coordinates.astype(np.float64)
    trust, cont, over = np.empty(n), np.empty(n), np.empty(n)
    penalty = 2 / (k * (2 * n - 3 * k - 1))
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        in_truth, in_picture = (np.argsort(_distances(x, start), axis=1, kind="stable") for x in (true, shown))
        true_rank, picture_rank = (np.argsort(order, axis=1) + 1 for order in (in_truth, in_picture))
        of_shown = np.take_along_axis(true_rank, in_picture[:, :k], axis=1)
        of_true = np.take_along_axis(picture_rank, in_truth[:, :k], axis=1)
        trust[rows] = 1 - penalty * np.maximum(of_shown - k, 0).sum(axis=1)
        cont[rows] = 1 - penalty * np.maximum(of_true - k, 0).sum(axis=1)
        over[rows] = (of_shown <= k).mean(axis=1)
    return Quality(trust, cont, over, k)


def _distances(x: NDArray[np.float64], start: int) -> NDArray[np.float64]:
    """Distances of one block of rows to all; a clip is infinitely far from itself."""
    from sklearn.metrics import euclidean_distances

    block = euclidean_distances(x[start : start + BLOCK], x)
    block[np.arange(len(block)), start + np.arange(len(block))] = np.inf
    return block


def _pca(x: NDArray[np.float64], n_components: int) -> Projection:
    n_kept = min(max(SCREE, n_components), *x.shape)
    if x.shape[1] <= len(x):
        variances, axes = _largest(x.T @ x, n_kept)
    else:  # fewer clips than dimensions: the same axes from the smaller matrix of products between clips
        variances, between = _largest(x @ x.T, n_kept)
        real = variances > variances[0] * max(x.shape) * np.finfo(float).eps  # the rest is rounding: no such axis
        variances = np.where(real, variances, 0.0)
        axes = x.T @ between / np.where(real, np.sqrt(variances), np.inf)
    axes = axes[:, :n_components]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(n_components)])
    total = np.square(x).sum()
    explained = variances / total if total else np.zeros(n_kept)
    return Projection((x @ axes).astype(np.float32), explained, axes)


def _largest(products: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the n largest eigenvalues of a symmetric matrix, largest first, and their vectors as columns."""
    size = len(products)
    values, vectors = scipy.linalg.eigh(products, subset_by_index=(size - n, size - 1))
    return np.maximum(values[::-1], 0), vectors[:, ::-1]


def _umap(x: NDArray[np.float64], n_components: int, seed: int, n_neighbors: int, min_dist: float) -> Projection:
    import umap

    if x.shape[1] > UMAP_DIM and len(x) > UMAP_DIM:
        x = _pca(x, UMAP_DIM).coordinates.astype(np.float64)
    model = umap.UMAP(
        n_components=n_components,
        n_neighbors=min(n_neighbors, len(x) - 1),
        min_dist=min_dist,
        random_state=seed,
        n_jobs=1,  # what a seed allows; said here so that UMAP need not warn
    )
    return Projection(np.asarray(model.fit_transform(x), np.float32), None)
