"""Intervals by resampling whole speakers: clips of one voice are not independent of each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def mean_interval(
    values: NDArray[np.float64],
    groups: Sequence[str],
    *,
    seed: int,
    n_resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of a mean when whole groups are drawn again with replacement.

    The cluster bootstrap of Davison & Hinkley 1997, *Bootstrap Methods and their Application*, section 3.8: as many
    groups as there are, all clips of each, the mean over those clips.

    Parameters
    ----------
    values
        One number per clip, shape (n_clips,), finite.
    groups
        The group of each clip: its speaker.
    level
        Share of resampled means that the interval covers, between 0 and 1.

    Raises
    ------
    ValueError
        If the lengths differ or there are fewer than two groups.

    Examples
    --------
    >>> low, high = mean_interval(np.array([0.0, 0.0, 1.0, 1.0]), ["a", "a", "b", "b"], seed=0)
    >>> low, high
    (0.0, 1.0)
    """
    if len(values) != len(groups):
        raise ValueError(f"values and groups should be equally long, got {len(values)} and {len(groups)}")
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"groups should hold two or more, got {len(names)}: an interval over speakers needs several")
    sums = np.bincount(member, weights=values)
    counts = np.bincount(member)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
