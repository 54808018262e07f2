"""How alike two spaces of the same clips are: shared neighbours, inner products (CKA), one map laid on the other."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.errors import SerError

FEWEST: Final = 4
"""Clips that the debiased CKA takes: its estimator divides by n (n - 3)."""
Floats = NDArray[np.float64]


class SimilarityError(SerError, ValueError):
    """Spaces that cannot be compared; the message says what was expected."""


@dataclass(frozen=True)
class Overlap:
    """Share of the k nearest clips in one space that are among the k nearest in the other, of each clip: (n,), 0-1."""

    shares: Floats
    k: int

    @property
    def mean(self) -> float:
        """The mean over all clips."""
        return float(self.shares.mean())

    @property
    def chance(self) -> float:
        """What two spaces that have nothing to do with each other come to: k of the other n - 1 clips."""
        return self.k / (len(self.shares) - 1)


@dataclass(frozen=True)
class Cka:
    """Linear CKA of two spaces, at most 1, where they differ by no more than turn, mirror image, scale and shift.

    ``debiased`` is around 0 for unrelated spaces, and may fall below; ``plain``, 0-1, rises with the number of
    dimensions there.
    """

    debiased: float
    plain: float


@dataclass(frozen=True)
class Fit:
    """What brings points (n, d) closest to others: ``(points - centre) @ turn * scale + goal``.

    ``turn`` (d, d) is orthogonal, and a mirror image where `mirrored`. ``disparity``, 0-1, is the share of the others'
    scatter that is missed; it is the same whichever of the two is brought to the other.
    """

    turn: Floats
    scale: float
    centre: Floats
    goal: Floats
    disparity: float

    @property
    def mirrored(self) -> bool:
        """Whether there is a mirror image in the turn."""
        return bool(np.linalg.det(self.turn) < 0)

    def apply(self, points: NDArray[np.floating]) -> Floats:
        """Return points (n, d), brought there."""
        return (points - self.centre) @ self.turn * self.scale + self.goal


def overlap(near: NDArray[np.integer], other: NDArray[np.integer]) -> Overlap:
    """Compare the neighbours of clips in two spaces, rows of shape (n, k) each, a clip not among its own.

    Raises
    ------
    SimilarityError
        If the shapes differ, or there is no neighbour.

    Examples
    --------
    >>> found = overlap(np.array([[1], [0], [1]]), np.array([[1], [2], [0]]))
    >>> found.shares.tolist(), found.chance
    ([1.0, 0.0, 0.0], 0.5)
    """
    if near.shape != other.shape or near.ndim != 2 or near.shape[1] < 1:
        raise SimilarityError(
            f"neighbours of shapes {near.shape} and {other.shape}: expected k of the same n clips in both spaces"
        )
    shared = [np.isin(mine, theirs).mean() for mine, theirs in zip(near, other, strict=True)]
    return Overlap(np.array(shared), near.shape[1])


def cka(x: Floats, y: Floats) -> Cka:
    """Return the linear CKA of the same n clips in two spaces, (n, d) and (n, e).

    Kornblith, Norouzi, Lee & Hinton 2019, "Similarity of neural network representations revisited", ICML, eq. 3: how
    far the inner products of clips in one space go with those in the other, once both are centred. ``debiased`` puts
    in the unbiased estimator of HSIC (Song et al. 2012, J. Machine Learning Research 13, 1393-1434, theorem 5), as
    Nguyen, Raghu & Kornblith 2021 (ICLR) do: with more dimensions than clips, unrelated spaces have a high plain CKA.

    Raises
    ------
    SimilarityError
        If there are not as many clips in both, or fewer than four, or all are at one place.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 3.0], [4.0, 4.0], [5.0, 1.0]])
    >>> found = cka(x, 3 * x[:, ::-1] - 7)
    >>> round(found.debiased, 9), round(found.plain, 9)
    (1.0, 1.0)
    """
    both = [alike(products(x, debiased=which), products(y, debiased=which)) for which in (True, False)]
    return Cka(*both)


def products(x: Floats, *, debiased: bool) -> Floats:
    """Return the inner products (n, n) of clips (n, d), centred as `alike` takes them.

    Plainly, around the mean of all clips; ``debiased``, without the diagonal and so that every row adds up to 0
    (U-centring: Székely & Rizzo 2014, Ann. Statist. 42, 2382-2412): sums of products of two such matrices are
    n (n - 3) times Song's estimator.

    Raises
    ------
    SimilarityError
        If there are fewer than four clips, or no clip lies elsewhere than the others.
    """
    n = len(x)
    if n < FEWEST:
        raise SimilarityError(f"{n} clips: comparing spaces by inner products takes {FEWEST} or more")
    around = x - x.mean(axis=0)
    if not around.any():
        raise SimilarityError(f"all {n} clips have one and the same position: there is nothing to compare")
    found = around @ around.T
    if debiased:
        np.fill_diagonal(found, 0.0)
        sums = found.sum(axis=0)
        found += sums.sum() / ((n - 1) * (n - 2)) - (sums[:, None] + sums) / (n - 2)
        np.fill_diagonal(found, 0.0)
    return found


def alike(products: Floats, other: Floats) -> float:
    """Return the CKA of two spaces, by what `products` makes of each.

    Raises
    ------
    SimilarityError
        If there are not as many clips in both.
    """
    if products.shape != other.shape:
        raise SimilarityError(f"{len(products)} clips in one space and {len(other)} in the other: expected the same")
    size = np.sqrt(np.vdot(products, products) * np.vdot(other, other))
    return float(np.vdot(products, other) / size)


def procrustes(points: NDArray[np.floating], goal: NDArray[np.floating]) -> Fit:
    """Return the turn (or mirror image), scale and shift that bring points closest to their goals, both (n, d).

    Orthogonal Procrustes (Schönemann 1966, Psychometrika 31; with scale and shift Schönemann & Carroll 1970,
    Psychometrika 35): the least sum of squares.

    Raises
    ------
    SimilarityError
        If the shapes differ, or all points, or all goals, are at one place.

    Examples
    --------
    >>> goal = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 2.0]])
    >>> found = procrustes(goal[:, ::-1] / 2 + 3, goal)
    >>> round(found.scale, 9), found.mirrored, round(found.disparity, 9)
    (2.0, True, 0.0)
    """
    if points.shape != goal.shape or points.ndim != 2:
        raise SimilarityError(f"points of shape {points.shape} and goals of {goal.shape}: each point needs its own")
    own, other = (np.asarray(one, np.float64) for one in (points, goal))
    centre, middle = own.mean(axis=0), other.mean(axis=0)
    own, other = own - centre, other - middle
    sizes = [float(np.square(one).sum()) for one in (own, other)]
    if not all(sizes):
        raise SimilarityError(f"all {len(points)} points have one and the same position: nothing can be laid on them")
    left, values, right = np.linalg.svd(own.T @ other)
    met = float(values.sum())
    return Fit(left @ right, met / sizes[0], centre, middle, max(0.0, 1 - met**2 / (sizes[0] * sizes[1])))
