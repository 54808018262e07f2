"""How near a map to valence and arousal puts clips to where they belong, and how far it is turned.

What `ser_core.geometry.affect` has placed is scored here; both have 95 % intervals that resample whole speakers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.errors import SerError
from ser_core.geometry import resample
from ser_core.geometry.russell import coordinates

Measure = Callable[..., float]
"""`ccc` or `r2`: truth, predicted, and the keyword ``weights``, one a clip."""
N_RESAMPLES: Final = 1000
LEAST_EMOTIONS: Final = 3
"""Points that can be turned onto others at all: two always can, and perfectly so."""
ROUNDING: Final = 1e-24
"""A variance below this share of the mean square is what rounding leaves of a constant."""


class AffectError(SerError, ValueError):
    """Clips from which no way to valence and arousal can be learnt; the message says why."""


@dataclass(frozen=True)
class Placement:
    """Where clips belong and where a map put them that had not seen them: both (n_clips, 2), the truth NaN if unknown.

    ``shared_speakers`` says whether the map knew the voices, None if that is not known.
    """

    truth: NDArray[np.float64]
    placed: NDArray[np.float64]
    speakers: NDArray[np.str_]
    shared_speakers: bool | None

    def score(self, axis: int, measure: Measure) -> float:
        """Return `ccc` or `r2` over the clips with a truth, NaN if none has; axis 0 is valence, 1 arousal."""
        known = np.isfinite(self.truth[:, axis])
        return measure(self.truth[known, axis], self.placed[known, axis]) if known.any() else float("nan")

    def interval(self, axis: int, measure: Measure, *, seed: int) -> tuple[float, float] | None:
        """Return the 95 % interval of a score, resampling speakers (1,000 times, percentiles).

        Clips of unknown speakers take no part. None for fewer than two speakers.
        """
        known = np.isfinite(self.truth[:, axis]) & resample.known(self.speakers)
        truth, placed = self.truth[known, axis], self.placed[known, axis]
        names, member = np.unique(self.speakers[known], return_inverse=True)
        if len(names) < 2:
            return None
        drawn = resample.draw(len(names), N_RESAMPLES, seed)
        return _interval(np.array([measure(truth, placed, weights=row[member]) for row in drawn]))


@dataclass(frozen=True)
class Turn:
    """How far placed emotion centroids are turned from Russell's: degrees counter-clockwise, -180 to 180.

    ``angle_95`` surrounds the angle (so it may leave that range); None for fewer than two speakers, of whom unknown
    ones are none. ``residual`` is the share (0-1) of the centroids' variance that is left after turning and scaling
    Russell's onto them.
    """

    angle: float
    angle_95: tuple[float, float] | None
    residual: float


def ccc(
    truth: NDArray[np.float64], predicted: NDArray[np.float64], *, weights: NDArray[np.floating] | None = None
) -> float:
    """Return the concordance correlation coefficient, -1 to 1 (Lin 1989, Biometrics 45, eq. 1); NaN if nothing varies.

    Agreement, not only correlation: a prediction that is off by a shift or a factor is marked down.

    Examples
    --------
    >>> round(ccc(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])), 6)
    0.571429
    """
    x, y = truth - np.average(truth, weights=weights), predicted - np.average(predicted, weights=weights)
    shift = np.average(truth - predicted, weights=weights)
    apart = np.average(x * x + y * y, weights=weights) + shift**2
    size = np.average(np.square(truth) + np.square(predicted), weights=weights)
    return float(2 * np.average(x * y, weights=weights) / apart) if apart > ROUNDING * size else float("nan")


def r2(
    truth: NDArray[np.float64], predicted: NDArray[np.float64], *, weights: NDArray[np.floating] | None = None
) -> float:
    """Return the share of the truth's variance that is predicted, 1 - SSE/SST, at most 1; NaN if the truth is constant.

    Below 0 where the mean of the truth would have been the better prediction.
    """
    around = np.average(np.square(truth - np.average(truth, weights=weights)), weights=weights)
    wrong = np.average(np.square(truth - predicted), weights=weights)
    size = np.average(np.square(truth), weights=weights)
    return float(1 - wrong / around) if around > ROUNDING * size else float("nan")


def turned(
    placed: NDArray[np.float64],
    labels: Sequence[str] | NDArray[np.str_],
    speakers: Sequence[str] | NDArray[np.str_],
    *,
    seed: int,
    n_resamples: int = N_RESAMPLES,
) -> Turn:
    """Turn Russell's emotions onto the centroids of placed clips, both centred, without mirroring, and say how far.

    Orthogonal Procrustes in the plane, written in complex numbers. Every emotion with a place on Russell's circle
    counts the same; in a resample, those that it has clips of,
    three or more.

    Parameters
    ----------
    placed
        Shape (n_clips, 2).
    labels
        Common emotion name of each clip (`ser_core.emotions`).
    speakers
        Speaker of each clip: whole speakers are drawn again with replacement for the interval (percentiles).

    Raises
    ------
    AffectError
        If fewer than three emotions have a place on Russell's circle, or all their centroids coincide.
    """
    words = np.asarray(labels, dtype=np.str_)
    there = {name: spot for name in np.unique(words) if (spot := coordinates(name)) is not None}
    if len(there) < LEAST_EMOTIONS:
        raise AffectError(
            f"{len(there)} emotions with a place on Russell's circle ({', '.join(there) or 'none'}): a turn needs three"
        )
    names = list(there)
    russell = np.array([complex(*there[name]) for name in names])
    use = np.isin(words, names)
    member, voices = np.searchsorted(names, words[use]), np.asarray(speakers, dtype=np.str_)[use]
    counts, sums, known = resample.totals(placed[use, 0] + 1j * placed[use, 1], member, voices, n_emotions=len(names))
    angles, left = _turns(np.ones((1, len(counts)), np.int64), counts, sums, russell)
    if np.isnan(left[0]):
        raise AffectError(f"the centroids of {', '.join(names)} coincide: they are turned nowhere")
    interval = None
    if known.sum() > 1:
        drawn, _ = _turns(resample.draw(known.sum(), n_resamples, seed), counts[known], sums[known], russell)
        away = np.mod(drawn - angles[0] + 180.0, 360.0) - 180.0  # the short way round from the angle itself
        interval = _interval(angles[0] + away)
    return Turn(float(angles[0]), interval, float(left[0]))


def _turns(
    drawn: NDArray[np.int64], counts: NDArray[np.int64], sums: NDArray[np.complex128], russell: NDArray[np.complex128]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angle (degrees) and residual for each row of speakers' weights; NaN where no turn can be told."""
    n = drawn @ counts
    there = n > 0
    k = np.maximum(there.sum(axis=1, keepdims=True), 1)
    means = np.where(there, (drawn @ sums) / np.maximum(n, 1), 0)
    goals = np.where(there, russell, 0)
    least = ROUNDING * np.square(np.abs(means)).sum(axis=1)
    means, goals = (np.where(there, z - z.sum(axis=1, keepdims=True) / k, 0) for z in (means, goals))
    product = (means * goals.conj()).sum(axis=1)
    ours, theirs = (np.square(np.abs(z)).sum(axis=1) for z in (means, goals))
    told = (there.sum(axis=1) >= LEAST_EMOTIONS) & (ours > least) & (theirs > 0)
    size = np.where(told, ours * theirs, np.nan)
    return np.degrees(np.angle(product)) + 0 * size, np.maximum(1 - np.square(np.abs(product)) / size, 0)


def _interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 95 % interval of resampled values, leaving out those that could not be told; None if none could."""
    return None if np.isnan(values).all() else resample.percentiles(values)
