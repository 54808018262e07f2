"""How far apart emotions are in units of their own spread (Mahalanobis 1936), and clips from emotions.

Positions have shape (n_clips, d). They may be a rotation of the clips into the space that they span, which has fewer
columns than the original: ``dimensions`` then says how many there were, which shrinkage and chi-square depend on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ser_core.geometry import resample
from ser_core.geometry.yardstick import Covariance, DistanceError, yardstick

N_TRIED: Final = 500
"""Distances that are tried for the ends of an interval."""


@dataclass(frozen=True)
class Distances:
    """Mahalanobis distances; E emotions in the order of ``names``.

    ``between`` (E, E) are those of emotion means, per emotion under the mean of the two covariances; ``to_emotion``
    (n_clips, E) those of each clip from each mean. ``shrinkage`` (E,) is the Ledoit-Wolf intensity, 0-1, of each
    emotion's covariance, ``n_per_covariance`` (E,) the clips that it comes from; ``dimensions`` are those of the
    original space.
    """

    names: tuple[str, ...]
    between: NDArray[np.float64]
    to_emotion: NDArray[np.float64]
    shrinkage: NDArray[np.float64]
    n_per_covariance: NDArray[np.int64]
    dimensions: int

    def tail(self) -> NDArray[np.float64]:
        """Return how rare so distant a clip would be were the clips Gaussian, 0-1, shape (n_clips, E).

        The upper tail of the chi-square distribution with ``dimensions`` degrees of freedom at the squared distance.
        """
        return np.asarray(chdtrc(self.dimensions, np.square(self.to_emotion)))

    @property
    def enough(self) -> bool:
        """Whether every covariance comes from at least the square of ``dimensions`` clips."""
        return bool(self.n_per_covariance.min() >= self.dimensions**2)


def distances(
    x: NDArray[np.float64],
    labels: Sequence[str] | NDArray[np.str_],
    *,
    covariance: Covariance,
    shrink: bool,
    dimensions: int | None = None,
) -> Distances:
    """Measure emotions against each other, and clips against emotions, from positions of shape (n_clips, d).

    Covariances are unbiased. Shrunk, S becomes (1 - s) S + s tr(S) / p I with the intensity s of Ledoit & Wolf 2004
    (J. Multivariate Analysis 88, 365-411) for the clips around their emotion means, and p ``dimensions``. A clip takes
    part in the mean and the covariance that it is measured with.

    Parameters
    ----------
    labels
        The emotion of each clip, two or more different ones.
    covariance
        ``pooled``: one for all emotions, of the clips around their emotion's mean; ``per-emotion``: each its own.
    dimensions
        Of the original space, where ``x`` has fewer columns because it was rotated into the span of the clips.

    Raises
    ------
    DistanceError
        If there are fewer than two emotions, or too few clips for a covariance that can be inverted.
    """
    measured = yardstick(x, labels, covariance=covariance, shrink=shrink, dimensions=dimensions)
    n_emotions = len(measured.names)
    counts = np.full(n_emotions, len(x)) if measured.groups.pooled else measured.groups.counts
    intensity = np.broadcast_to([spread.intensity for spread in measured.spreads], n_emotions).copy()
    between, to_emotion = measured.between(), measured.measure(x)
    return Distances(measured.names, between, to_emotion, intensity, counts, measured.dimensions)


@dataclass(frozen=True)
class Resampled:
    """`Distances.between` with whole speakers drawn with replacement; all (E, E), NaN where no draw has the clips.

    ``low`` and ``high`` are the ends of the 95 % intervals; ``corrected`` is the distance less what resampling says
    the noise of the means adds to it, 0 where nothing is left.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    corrected: NDArray[np.float64]


def resampled(
    x: NDArray[np.float64],
    labels: Sequence[str] | NDArray[np.str_],
    speakers: Sequence[str] | NDArray[np.str_],
    *,
    covariance: Covariance,
    shrink: bool,
    n_resamples: int,
    seed: int,
    dimensions: int | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Resampled:
    """Say how sure `Distances.between` are, from means of speakers drawn with replacement; options as in `distances`.

    The covariance, the unit of measurement, stays that of all clips. A distance is the larger the noisier the means
    are, in many dimensions by much, and those of a draw are noisier still: percentiles of the draws would lie too high.
    So the interval holds the distances which, with the noise of the draws added, give what was measured in all but
    2.5 % of draws on either side (inversion of a bootstrap test, Davison & Hinkley 1997, section 5.5). A distance above
    its interval was raised by noise. Where clips are fewer than the square of the dimensions (`Distances.enough`) the
    intervals are too narrow: the covariance was fitted to the same clips. Clips of unknown speakers count in the
    covariance and in what was measured, but are in no draw. ``progress`` gets the pairs of emotions done, and how many
    there are.

    Raises
    ------
    DistanceError
        If fewer than two speakers are known, or as in `distances`.
    """
    measured = yardstick(x, labels, covariance=covariance, shrink=shrink, dimensions=dimensions)
    voices = np.asarray(speakers, dtype=np.str_)
    known = resample.known(voices)
    people, voice = np.unique(voices[known], return_inverse=True)
    if len(voices) != len(x) or len(people) < 2:
        raise DistanceError(
            f"{len(people)} known speakers of {len(voices)} clips: resampling needs two or more, one per clip"
        )
    means, groups = measured.means, measured.groups
    drawn = resample.draw(len(people), n_resamples, seed)
    cell = groups.member[known] * len(people) + voice
    counts, sums = resample.deviations((x - means[groups.member])[known], cell, (groups.n, len(people)))
    totals = drawn @ counts.T
    share = drawn[:, None, :] / np.where(totals > 0, totals, np.nan)[:, :, None]  # of a speaker in a mean, (R, E, S)
    out = Resampled(*(np.zeros((groups.n, groups.n)) for _ in range(3)))
    pairs = list(combinations(range(groups.n), 2))
    for done, (a, b) in enumerate(pairs, start=1):
        products = measured.metric(a, b).products(np.concatenate([(means[a] - means[b])[None], sums[a], sums[b]]))
        steps = np.concatenate([share[:, a], -share[:, b]], axis=1)
        steps = steps[np.isfinite(steps).all(axis=1)]
        noise = np.einsum("rc,cd,rd->r", steps, products[1:, 1:], steps)
        found = _invert(products[0, 0], noise, steps @ products[1:, 0])
        for where, value in zip((out.low, out.high, out.corrected), found, strict=True):
            where[a, b] = where[b, a] = value
        progress(done, len(pairs))
    return out


def _invert(squared: float, noise: NDArray[np.float64], along: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return both ends of the interval and the corrected distance.

    ``squared`` is the distance measured, squared; ``noise`` the squared length of each draw's step, and ``along`` its
    inner product with the difference of the means.
    """
    if not len(noise):
        return np.nan, np.nan, np.nan
    measured = np.sqrt(squared)
    tried = np.linspace(0.0, measured + 3 * np.sqrt(noise.max()), N_TRIED)[:, None]
    draws = np.square(tried) + 2 * tried * along / max(measured, 1e-300) + noise
    low, high = np.percentile(draws, [2.5, 97.5], axis=1)
    fits = np.flatnonzero((low <= squared) & (squared <= high))
    if not len(fits):  # less than noise alone would give
        fits = np.array([0, int(low.argmin())])
    corrected = np.sqrt(max(squared - noise.mean(), 0.0))
    return float(tried[fits[0], 0]), float(tried[fits[-1], 0]), float(corrected)


def outlying(distances: Distances, labels: Sequence[str] | NDArray[np.str_], *, n: int) -> NDArray[np.intp]:
    """Return the rows of the ``n`` clips that are furthest from the mean of their own emotion, furthest first.

    Raises
    ------
    DistanceError
        If ``labels`` are not those of the clips that were measured.
    """
    if len(labels) != len(distances.to_emotion) or not set(map(str, labels)) <= set(distances.names):
        raise DistanceError(f"{len(labels)} labels: expected those of the {len(distances.to_emotion)} clips measured")
    own = [distances.names.index(str(label)) for label in labels]
    return np.argsort(-distances.to_emotion[np.arange(len(own)), own], kind="stable")[:n]
