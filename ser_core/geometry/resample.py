"""Whole speakers drawn again with replacement: what the intervals of several analyses share."""

import numpy as np
from numpy.typing import NDArray

from ser_core.corpora.folder import UNKNOWN


def draw(n_speakers: int, n_resamples: int, seed: int) -> NDArray[np.int64]:
    """Return how often each speaker is drawn, shape (n_resamples, n_speakers); every row adds up to ``n_speakers``.

    The cluster bootstrap of Davison & Hinkley 1997, *Bootstrap Methods and their Application*, section 3.8.

    Examples
    --------
    >>> draw(3, 2, seed=0).sum(axis=1).tolist()
    [3, 3]
    """
    return np.random.default_rng(seed).multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), size=n_resamples)


def known(speakers: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Say of each clip whether its speaker is known: the unknown ones are no voice of their own that could be drawn."""
    return speakers != UNKNOWN


def totals(
    points: NDArray[np.complex128], member: NDArray[np.intp], speakers: NDArray[np.str_], *, n_emotions: int
) -> tuple[NDArray[np.int64], NDArray[np.complex128], NDArray[np.bool_]]:
    """Count and add up the clips of each speaker and emotion, both of shape (n_speakers, n_emotions).

    Points in a plane are written as complex numbers, ``member`` is the number of each clip's emotion. The third array,
    shape (n_speakers,), says which speakers are `known`.
    """
    names, speaker = np.unique(speakers, return_inverse=True)
    cell, shape = speaker * n_emotions + member, (len(names), n_emotions)
    n_cells = shape[0] * shape[1]
    x, y = (np.bincount(cell, weights=part, minlength=n_cells) for part in (points.real, points.imag))
    return np.bincount(cell, minlength=n_cells).reshape(shape), (x + 1j * y).reshape(shape), known(names)


def deviations(
    x: NDArray[np.float64], cell: NDArray[np.intp], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count the clips of each emotion and speaker (E, S), and add up (E, S, d) how far they are from their emotion.

    An emotion is the mean of its clips among these, so that a draw of speakers is a step from it. ``cell`` numbers
    emotion and speaker of each clip, row by row of ``shape``.
    """
    counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    sums = np.zeros((counts.size, x.shape[1]))
    np.add.at(sums, cell, x)
    sums = sums.reshape(*shape, -1)
    means = sums.sum(axis=1) / np.maximum(counts.sum(axis=1), 1)[:, None]
    return counts, sums - counts[:, :, None] * means[:, None]


def percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of resampled values that could be told; NaN if none could.

    Examples
    --------
    >>> percentiles(np.array([0.0, 40.0, np.nan]))
    (1.0, 39.0)
    """
    values = values[~np.isnan(values)]
    low, high = np.percentile(values, [2.5, 97.5]) if len(values) else (np.nan, np.nan)
    return float(low), float(high)
