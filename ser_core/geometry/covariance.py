"""Covariances of clips around their means, shrunk where asked, and the squared distance that each defines."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_FREEDOM: Final = 2
"""Degrees of freedom for shrinkage: with one, the residuals lie on a line and look so certain that none is made."""


@dataclass(frozen=True)
class Spread:
    """A covariance of d dimensions as rows.T @ rows + ridge * I, rows (m, d): with few rows it is never written out.

    ``intensity`` is the Ledoit-Wolf shrinkage in it, 0-1.
    """

    rows: Floats
    ridge: float
    intensity: float


def estimate(residuals: Floats, *, n_means: int, shrink: bool, dimensions: int) -> Spread | None:
    """Estimate the unbiased covariance of residuals (m, d).

    Parameters
    ----------
    n_means
        How many means were taken from the clips to make the residuals: the degrees of freedom they cost.
    shrink
        Make (1 - s) S + s tr(S) / p I of S, with the intensity s of Ledoit & Wolf 2004 (J. Multivariate Analysis 88,
        365-411) and p ``dimensions``, which may be more than d when the residuals were rotated into their span.

    Returns None where there are too few clips for a covariance that can be inverted.
    """
    freedom = len(residuals) - n_means
    if freedom < (LEAST_FREEDOM if shrink else dimensions):
        return None
    if not shrink:
        return Spread(residuals / np.sqrt(freedom), 0.0, 0.0)
    trace = np.square(residuals).sum()
    s = _intensity(residuals, dimensions)
    return Spread(residuals * np.sqrt((1 - s) / freedom), s * trace / freedom / dimensions, s)


def _intensity(residuals: Floats, dimensions: int) -> float:
    """Return the Ledoit-Wolf intensity, 0-1."""
    n = len(residuals)
    squares = np.square(residuals).sum(axis=1)
    # either product of the residuals with themselves has the same sum of squares
    products = residuals @ residuals.T if n < residuals.shape[1] else residuals.T @ residuals
    norm = np.square(products).sum() / n**2
    mean = squares.sum() / n / dimensions
    apart = norm - dimensions * mean**2
    if dimensions < 2 or apart <= 0:  # of one dimension nothing can be shrunk
        return 0.0
    error = (np.square(squares).sum() / n - norm) / n
    return float(np.clip(error / apart, 0.0, 1.0))


def mean_of(a: Spread, b: Spread) -> Spread:
    """Return the mean of two covariances."""
    return Spread(np.concatenate([a.rows, b.rows]) / np.sqrt(2), (a.ridge + b.ridge) / 2, np.nan)


class Metric:
    """Squared distances and inner products under the inverse of a covariance.

    Raises
    ------
    LinAlgError
        If the covariance has no inverse.
    """

    def __init__(self, spread: Spread) -> None:
        self._rows, self._ridge = spread.rows, spread.ridge
        self._narrow = spread.ridge > 0 and len(spread.rows) < spread.rows.shape[1]
        products = spread.rows @ spread.rows.T if self._narrow else spread.rows.T @ spread.rows
        products.flat[:: len(products) + 1] += spread.ridge
        factor = np.linalg.cholesky(products)
        variances, left = np.diag(products), np.square(np.diag(factor))  # left once the values before are known
        if (left <= 1e-12 * variances).any() or left.min() <= 1e-24 * variances.max():
            raise np.linalg.LinAlgError("singular")
        self._inverse = np.linalg.inv(factor)  # once: solving again for every clip takes ten times as long

    def squared(self, points: Floats, centres: Floats) -> Floats:
        """Return squared distances (n, k) of points (n, d) from centres (k, d)."""
        return apart(self.turned(points), self.turned(centres))

    def products(self, points: Floats) -> Floats:
        """Return the inner products (n, n) of points (n, d)."""
        plus, minus = self.turned(points)
        return plus @ plus.T - minus @ minus.T

    def turned(self, points: Floats) -> tuple[Floats, Floats]:
        """Return two sets of coordinates, (n, ·): the metric is the plain one of the first less that of the second."""
        if not self._narrow:
            return points @ self._inverse.T, points[:, :0]
        # Woodbury's formula for the inverse of rows.T @ rows + ridge * I
        inside = points @ self._rows.T @ self._inverse.T
        return points / np.sqrt(self._ridge), inside / np.sqrt(self._ridge)


def apart(points: tuple[Floats, Floats], centres: tuple[Floats, Floats]) -> Floats:
    """Return squared distances (n, k) of n points from k centres, both as `Metric.turned` returns them."""
    return np.maximum(_squared(points[0], centres[0]) - _squared(points[1], centres[1]), 0.0)


def _squared(points: Floats, centres: Floats) -> Floats:
    """Squared Euclidean distances by differences: a clip at a centre is at exactly 0."""
    return np.stack([np.square(points - one).sum(axis=1) for one in centres], axis=1)
