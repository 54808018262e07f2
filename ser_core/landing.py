"""Where clips land on a map that was drawn without them, and which of its clips are nearest in the original space.

Nothing about the map changes: a clip goes through the scaler that the map's clips went through, and then along the axes
of PCA, or, where a map has no axes (UMAP), to its neighbours.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings
from ser_core.geometry.projection import ProjectionError
from ser_core.maps import N_NEIGHBOURS, Map

SAME: Final = 1e-3
"""A clip is the very recording of another if it is so near, in units of the clips' usual distance to their nearest."""
SPARE: Final = 6
"""Clips beyond the nearest that are measured exactly, so that rounding never decides who is among the nearest."""
TRIED: Final = 1000
"""Clips that the error of landings is measured on, where there are more."""
HALVINGS: Final = 60
"""Of the interval that holds a neighbourhood's width: to the last digits of a float."""


@dataclass(frozen=True)
class Landing:
    """Where m clips land, and their k nearest clips of the corpus (up to 10) in the original space, nearest first.

    ``points`` (m, n_components) are coordinates of the map, ``rows`` (m, k) rows of the corpus, ``distances`` (m, k)
    Euclidean and scaled, as `Map.distances`. A clip without a vector (see `Ground.land`) has NaN points and distances,
    and its rows are 0.
    """

    points: NDArray[np.float32]
    rows: NDArray[np.int32]
    distances: NDArray[np.float32]


@dataclass(frozen=True)
class Ground:
    """What clips land on: a map, and the scaled vectors ``x`` (n_clips, dim) of its clips, with their squared lengths.

    ``speakers`` (n_clips,) are those of the clips. Prepared once by `ground` and read-only, so that many can share it.
    """

    drawn: Map
    x: NDArray[np.float64]
    squares: NDArray[np.float64]
    speakers: NDArray[np.str_]

    @property
    def exact(self) -> bool:
        """Whether a clip lands where it would lie had the map been drawn along the same axes with it (PCA)."""
        return self.drawn.projection.axes is not None

    def land(self, vectors: NDArray[np.float32]) -> Landing:
        """Land clips with vectors of shape (m, dim), of the layer that the map shows.

        In PCA a clip of the corpus lands on its own point. In UMAP a clip lands in the mean of its neighbours' points,
        weighted by `memberships`, and on the point of a clip that is the very same recording. A vector that is not
        finite, of a window that could not be encoded say, lands nowhere.

        Raises
        ------
        ProjectionError
            If the vectors are not of the map's dimensions.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.x.shape[1]:
            raise ProjectionError(f"vectors of shape {vectors.shape}: this map takes (clips, {self.x.shape[1]})")
        there = np.isfinite(vectors).all(axis=1)
        scaled = self.drawn.scaler.scale(vectors[there])
        near, far = self._nearest(scaled)
        points = self._beside(near, far) if self.drawn.projection.axes is None else scaled @ self.drawn.projection.axes
        m, k = len(vectors), near.shape[1]
        out = Landing(
            np.full((m, points.shape[1]), np.nan, np.float32),
            np.zeros((m, k), np.int32),
            np.full((m, k), np.nan, np.float32),
        )
        out.points[there], out.rows[there], out.distances[there] = points, near, far
        return out

    @cached_property
    def error(self) -> float | None:
        """How far off landings are on a map without axes, as a share of its spread; None where they are exact.

        The median distance on the map between a clip's own point and where it lands by its neighbours among the clips
        of other speakers (of all other clips, where fewer than two speakers are known), over the median distance of
        clips from the middle (their mean). Still a little optimistic: the map was drawn with the clip. Measured on
        up to 1,000 clips.
        """
        if self.exact:
            return None
        own = self.drawn.projection.coordinates.astype(np.float64)
        spread = np.median(np.linalg.norm(own - own.mean(axis=0), axis=1))
        tried = np.random.default_rng(0).permutation(len(own))[:TRIED]
        people = np.unique(self.speakers[tried][self.speakers[tried] != UNKNOWN])
        off = []
        for person in people:
            rows, others = tried[self.speakers[tried] == person], np.flatnonzero(self.speakers != person)
            off.append(self._beside(*self._nearest(self.x[rows], others)) - own[rows])
        if len(people) < 2:
            off = [self._beside(self.drawn.neighbours, self.drawn.distances.astype(np.float64)) - own]
        return float(np.median(np.linalg.norm(np.concatenate(off), axis=1)) / spread)

    def _nearest(
        self, scaled: NDArray[np.float64], among: NDArray[np.intp] | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return rows and distances (m, k) of the nearest clips; equally near ones in the order of the corpus."""
        apart = self.squares - 2 * (scaled @ self.x.T)  # less the clip's own square, the same for all
        among = np.arange(len(self.x)) if among is None else among
        k = min(N_NEIGHBOURS, len(among))
        rows, distances = np.empty((len(scaled), k), np.int32), np.empty((len(scaled), k))
        candidates = np.argpartition(apart[:, among], min(k + SPARE, len(among)) - 1, axis=1)[:, : k + SPARE]
        candidates.sort(axis=1)
        for clip, of in enumerate(among[candidates]):
            exact = np.sqrt(np.square(self.x[of] - scaled[clip]).sum(axis=1))
            order = np.argsort(exact, kind="stable")[:k]
            rows[clip], distances[clip] = of[order], exact[order]
        return rows, distances

    def _beside(self, near: NDArray[np.int32], far: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points (m, n_components) by neighbours at these rows and distances (m, k)."""
        same = far <= SAME * np.median(self.drawn.distances[:, 0])
        weights = np.where(same.any(axis=1, keepdims=True), same, memberships(far))
        weights = weights / weights.sum(axis=1, keepdims=True)
        return np.einsum("mk,mkc->mc", weights, self.drawn.projection.coordinates[near].astype(np.float64))


def ground(found: Embeddings, drawn: Map) -> Ground:
    """Prepare the map of these clips for others to land on.

    Raises
    ------
    ProjectionError
        If the map is of other clips or of another encoder.
    EmbeddingError
        If there is no such layer.
    """
    vectors, centre = found.layer(drawn.view.layer), drawn.scaler.centre
    if vectors.shape != (len(drawn.projection.coordinates), len(centre)):
        raise ProjectionError(
            f"clips with vectors of shape {vectors.shape}: the map was drawn from"
            f" {(len(drawn.projection.coordinates), len(centre))}"
        )
    x = drawn.scaler.scale(vectors)
    x.flags.writeable = False
    return Ground(drawn, x, np.square(x).sum(axis=1), found.clips["speaker"].to_numpy(str))


def memberships(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much each of k neighbours counts, 0-1, from distances of shape (m, k), nearest first.

    exp(-(d - d_1) / sigma), with the sigma of each clip with which they sum to log2(k), as UMAP weighs the neighbours
    that it draws (McInnes, Healy & Melville 2018, arXiv:1802.03426, algorithm 3). The nearest counts 1. Where so many
    are equally near that they exceed the sum, they alone count.

    Examples
    --------
    >>> memberships(np.array([[1.0, 2.0, 3.0, 4.0]])).sum().round(9)
    np.float64(2.0)
    """
    beyond = distances - distances[:, :1]
    target = np.log2(distances.shape[1])
    low, high = np.zeros((len(beyond), 1)), beyond[:, -1:]  # this width sums to 1 + (k - 1) / e or more: above log2(k)
    high = np.where(high > 0, high, 1.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        wide = np.exp(-beyond / middle).sum(axis=1, keepdims=True) > target
        low, high = np.where(wide, low, middle), np.where(wide, middle, high)
    return np.exp(-beyond / high)
