"""Gaussians around emotions: their fit, their outlines, and how far they overlap.

Meant for the 2 or 3 dimensions of a map: positions of clips there, shape (n_clips, d), in the map's own units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, logsumexp

from ser_core.emotions import EMOTIONS
from ser_core.errors import SerError

Shape = Literal["full", "tied", "diagonal", "mixture"]
LEVELS: Final = (0.5, 0.9, 0.95)
"""Shares of a Gaussian inside the outlines that are usually drawn."""
MOST_COMPONENTS: Final = 4
"""Gaussians that a mixture may have at most."""
N_DRAWS: Final = 5000
"""Points drawn from every mixture to measure overlap: a standard error of 0.005 at most."""


class DensityError(SerError, ValueError):
    """Clips to which no Gaussian can be fitted, or an outline that cannot be drawn; the message says why."""


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution: mean (d,), covariance (d, d), and its share of its emotion (1.0 where it is alone)."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    weight: float


@dataclass(frozen=True)
class Density:
    """The density of one emotion: one Gaussian or a mixture, fitted to ``n_clips`` clips."""

    name: str
    components: tuple[Gaussian, ...]
    n_clips: int

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the natural logarithm of the density at points of shape (n, d), shape (n,)."""
        parts = np.stack([np.log(one.weight) + _log_normal(one, x) for one in self.components])
        return np.asarray(logsumexp(parts, axis=0))


@dataclass(frozen=True)
class Densities:
    """The emotions that have a density, and those that have not, each with the reason."""

    parts: tuple[Density, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Overlap:
    """How far emotions overlap: Bhattacharyya coefficients (E, E), 0 apart to 1 the same.

    ``standard_error`` (E, E) is that of the draws where the coefficient was simulated, 0 where it is exact.
    """

    names: tuple[str, ...]
    coefficient: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def in_order(labels: Sequence[str] | NDArray[np.str_]) -> tuple[str, ...]:
    """Return the emotions that occur: common names in the order of `ser_core.emotions`, then others by alphabet.

    Examples
    --------
    >>> in_order(["wistful", "sadness", "anger", "sadness"])
    ('anger', 'sadness', 'wistful')
    """
    present = {str(label) for label in labels}
    return (*(name for name in EMOTIONS if name in present), *sorted(present - set(EMOTIONS)))


def fit(x: NDArray[np.float64], labels: Sequence[str] | NDArray[np.str_], *, shape: Shape, seed: int) -> Densities:
    """Fit a density to the clips of every emotion, positions of shape (n_clips, d).

    Parameters
    ----------
    labels
        The emotion of each clip.
    shape
        ``full``: the mean and the unbiased covariance (n - 1); ``tied``: one covariance for all, pooled within emotions
        (n - number of emotions); ``diagonal``: variances alone, no correlation; ``mixture``: as many full Gaussians,
        one to four, as the Bayesian information criterion (Schwarz 1978) prefers, by expectation maximisation.
        A mixture of one is the full Gaussian; a part of fewer than d + 2 clips is never fitted.
    seed
        For the start of a mixture; the other shapes do not use it.

    Raises
    ------
    DensityError
        If labels and positions differ in number, or no emotion has clips enough.
    """
    names, words = in_order(labels), np.asarray(labels, dtype=str)
    if x.ndim != 2 or len(x) != len(words):
        raise DensityError(f"positions of shape {x.shape} and {len(words)} labels: expected one row for each label")
    needed = {"full": x.shape[1] + 2, "tied": 2, "diagonal": 3, "mixture": x.shape[1] + 2}[shape]
    groups = {name: x[words == name] for name in names}
    left_out = {
        name: f"{len(rows)} clip{'s' * (len(rows) != 1)}, {needed} needed"
        for name, rows in groups.items()
        if len(rows) < needed
    }
    kept = {name: rows for name, rows in groups.items() if name not in left_out}
    pooled = _pooled(list(kept.values())) if kept and shape == "tied" else None
    parts = []
    for name, rows in kept.items():
        covariance = np.atleast_2d(np.cov(rows, rowvar=False)) if pooled is None else pooled
        if shape == "diagonal":
            covariance = np.diag(np.diag(covariance))
        if not _has_volume(covariance):
            left_out[name] = f"clips do not spread in all {x.shape[1]} dimensions"
            continue
        single = (Gaussian(rows.mean(axis=0), covariance, 1.0),)
        parts.append(Density(name, _mixture(rows, seed) or single if shape == "mixture" else single, len(rows)))
    reasons = tuple((name, left_out[name]) for name in names if name in left_out)
    if not parts:
        raise DensityError(
            f"no emotion has clips enough for a Gaussian in {x.shape[1]}-D"
            f" ({'; '.join(f'{name}: {reason}' for name, reason in reasons) or 'there are none'}): choose more clips"
        )
    return Densities(tuple(parts), reasons)


def boundary(gaussian: Gaussian, *, level: float, n_points: int) -> NDArray[np.float64]:
    """Return the outline that holds a share ``level`` of a Gaussian, between 0 and 1.

    All its points have one Mahalanobis distance to the mean: the square root of the chi-square quantile with d degrees
    of freedom. In 2-D a closed ellipse, shape (n_points, 2), the first point again at the end; in 3-D an ellipsoid as a
    grid of longitude and latitude, shape (n_points, n_points // 2 + 1, 3). Of a mixture it outlines one part.

    Raises
    ------
    DensityError
        If the Gaussian is neither 2-D nor 3-D, or the level is not between 0 and 1.
    """
    d = len(gaussian.mean)
    if d not in (2, 3) or not 0 < level < 1:
        raise DensityError(f"outline of {level} in {d}-D: expected a share between 0 and 1, and 2-D or 3-D")
    around = np.linspace(0, 2 * np.pi, n_points)
    unit = np.stack([np.cos(around), np.sin(around)], axis=-1)
    if d == 3:
        down = np.linspace(0, np.pi, n_points // 2 + 1)
        flat = unit[:, None, :] * np.sin(down)[None, :, None]
        unit = np.concatenate([flat, np.broadcast_to(np.cos(down)[None, :, None], (*flat.shape[:2], 1))], axis=-1)
    values, axes = np.linalg.eigh(gaussian.covariance)
    return gaussian.mean + np.sqrt(chdtri(d, 1 - level)) * unit @ (axes * np.sqrt(values)).T


def bhattacharyya(a: Gaussian, b: Gaussian) -> float:
    """Return the Bhattacharyya distance of two Gaussians: 0 for the same, without upper limit; weights do not count.

    Bhattacharyya 1943; Fukunaga 1990, *Introduction to Statistical Pattern Recognition*, eq. 3.152.

    Examples
    --------
    >>> here, there = (Gaussian(np.array([at]), np.array([[1.0]]), 1.0) for at in (0.0, 2.0))
    >>> bhattacharyya(here, there)
    0.5
    """
    mean = (a.covariance + b.covariance) / 2
    step = b.mean - a.mean
    log_volumes = [np.linalg.slogdet(one)[1] for one in (mean, a.covariance, b.covariance)]
    return float(step @ np.linalg.solve(mean, step) / 8 + (log_volumes[0] - (log_volumes[1] + log_volumes[2]) / 2) / 2)


def overlap(densities: Densities, *, seed: int) -> Overlap:
    """Return the Bhattacharyya coefficient, the integral of the square root of p times q, of every two emotions.

    Two single Gaussians: exp(-`bhattacharyya`). Where one is a mixture there is no formula: the integral is the mean of
    sqrt(pq) / m over points drawn evenly from p and q, that is from m = (p + q) / 2; the ratio never leaves 0-1.
    """
    parts = densities.parts
    coefficient, error = np.eye(len(parts)), np.zeros((len(parts), len(parts)))
    drawn: dict[int, NDArray[np.float64]] = {}
    if any(len(part.components) > 1 for part in parts):
        random = np.random.default_rng(seed)
        points = np.concatenate([_draw(part, random) for part in parts])
        logs = np.stack([part.log_density(points) for part in parts]).reshape(len(parts), len(parts), N_DRAWS)
        drawn = {number: logs[:, number] for number in range(len(parts))}  # log densities of all at points of one
    for i, a in enumerate(parts):
        for j, b in enumerate(parts[:i]):
            if len(a.components) == len(b.components) == 1:
                value, spread = np.exp(-bhattacharyya(a.components[0], b.components[0])), 0.0
            else:
                # sqrt(pq) / m = 1 / cosh((log p - log q) / 2)
                ratios = np.stack([1 / np.cosh((drawn[k][i] - drawn[k][j]).clip(-1000, 1000) / 2) for k in (i, j)])
                value, spread = ratios.mean(), np.sqrt(ratios.var(axis=1, ddof=1).sum() / N_DRAWS) / 2
            coefficient[i, j] = coefficient[j, i] = value
            error[i, j] = error[j, i] = spread
    return Overlap(tuple(part.name for part in parts), coefficient, error)


def _log_normal(gaussian: Gaussian, x: NDArray[np.float64]) -> NDArray[np.float64]:
    factor = np.linalg.cholesky(gaussian.covariance)
    white = np.linalg.solve(factor, (x - gaussian.mean).T)
    constant = len(factor) * np.log(2 * np.pi) / 2 + np.log(np.diag(factor)).sum()
    return -np.square(white).sum(axis=0) / 2 - constant


def _draw(density: Density, random: np.random.Generator) -> NDArray[np.float64]:
    counts = random.multinomial(N_DRAWS, [one.weight for one in density.components])
    return np.concatenate(
        [
            one.mean + random.standard_normal((count, len(one.mean))) @ np.linalg.cholesky(one.covariance).T
            for one, count in zip(density.components, counts, strict=True)
        ]
    )


def _pooled(groups: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    residuals = np.concatenate([rows - rows.mean(axis=0) for rows in groups])
    return residuals.T @ residuals / (len(residuals) - len(groups))


def _has_volume(covariance: NDArray[np.float64]) -> bool:
    values = np.linalg.eigvalsh(covariance)
    return bool(values[0] > 1e-12 * values[-1])


def _mixture(rows: NDArray[np.float64], seed: int) -> tuple[Gaussian, ...]:
    """Return the mixture that the criterion prefers; nothing where that is a single Gaussian."""
    from sklearn.mixture import GaussianMixture

    d = rows.shape[1]
    unit = np.sqrt(rows.var(axis=0).mean())  # scikit-learn adds 1e-6 to every variance: in units of the data, nothing
    best: Any = None
    lowest = np.inf
    for k in range(1, min(MOST_COMPONENTS, len(np.unique(rows, axis=0)) // (d + 2)) + 1):
        model: Any = GaussianMixture(k, random_state=seed, max_iter=1000).fit(rows / unit)
        criterion = model.bic(rows / unit)
        # a part that shrinks onto a few clips has no upper limit of likelihood, and the criterion would choose it
        if criterion < lowest and (k == 1 or model.weights_.min() * len(rows) >= d + 2):
            best, lowest = model, criterion
    if best is None or best.n_components == 1:
        return ()
    return tuple(
        Gaussian(mean * unit, covariance * unit**2, float(weight))
        for mean, covariance, weight in zip(best.means_, best.covariances_, best.weights_, strict=True)
    )
