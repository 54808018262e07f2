"""Correlations with intervals that take the clips of a speaker together, and means over folds with theirs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_core import scores

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; ``low`` and ``high`` are NaN where there is none."""

    value: float
    low: float
    high: float


def over_folds(values: Floats) -> Estimate:
    """Return the mean over folds, and the interval of Student's t over them; NaN values do not count.

    The training parts of folds overlap, so that the interval is rather too narrow (Nadeau & Bengio 2003, Machine
    Learning 52, 239-281).

    Examples
    --------
    >>> found = over_folds(np.array([0.5, 0.6, 0.7]))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.6, 0.352, 0.848)
    """
    from scipy.stats import t

    told = values[~np.isnan(values)]
    if not len(told):
        return Estimate(np.nan, np.nan, np.nan)
    mean = float(told.mean())
    if len(told) < 2:
        return Estimate(mean, np.nan, np.nan)
    half = float(t.ppf(0.975, len(told) - 1) * told.std(ddof=1) / np.sqrt(len(told)))
    return Estimate(mean, mean - half, mean + half)


def correlation(x: Floats, y: Floats, speakers: NDArray[np.str_]) -> Estimate:
    """Return Pearson's correlation of several readings of clips with one value of each, the mean over the readings.

    The interval is of the percentiles of `scores.draws`: whole speakers are drawn again; NaN with one speaker.

    Parameters
    ----------
    x
        Shape (k, n): readings of n clips. NaN where a reading lacks a clip.
    y
        Shape (n,), NaN where it is not known.
    """
    _, member = np.unique(speakers, return_inverse=True)
    n_speakers = int(member.max()) + 1 if len(member) else 0
    told = ~np.isnan(x) & ~np.isnan(y)
    centred_x, centred_y = (values - np.nanmean(values) for values in (x, y)) if told.any() else (x, y)
    a, b = np.where(told, centred_x, 0.0), np.where(told, centred_y, 0.0)
    moments = np.stack([told.astype(np.float64), a, b, a * a, b * b, a * b])  # (6, k, n)
    sums = np.zeros((6, len(x), n_speakers))
    for row in range(len(x)):
        for one in range(6):
            sums[one, row] = np.bincount(member, weights=moments[one, row], minlength=n_speakers)
    value = float(scores.mean(_pearson(sums.sum(axis=2)), axis=0))
    if n_speakers < 2 or np.isnan(value):
        return Estimate(value, np.nan, np.nan)
    drawn = scores.mean(_pearson(sums @ scores.draws(n_speakers).T.astype(np.float64)), axis=0)
    return Estimate(value, *scores.interval(drawn))


def _pearson(sums: Floats) -> Floats:
    """Return correlations from the sums (6, ...) of 1, x, y, xx, yy and xy; NaN where one of them does not vary."""
    n, x, y, xx, yy, xy = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (xx - x * x / n) * (yy - y * y / n)
        found = (xy - x * y / n) / np.sqrt(np.maximum(spread, 0))
    return np.where(spread > 1e-18 * np.maximum(xx * yy, 1e-300), found, np.nan)
