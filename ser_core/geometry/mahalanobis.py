"""How far apart emotions are in units of their own spread (Mahalanobis 1936), and clips from emotions.

Positions have shape (n_clips, d). They may be a rotation of the clips into the space that they span, which has fewer
columns than the original: ``dimensions`` then says how many there were, which shrinkage and chi-square depend on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ser_core.errors import SerError
from ser_core.geometry import covariance as covariances
from ser_core.geometry import resample
from ser_core.geometry.covariance import Metric, Spread
from ser_core.geometry.density import in_order

Covariance = Literal["pooled", "per-emotion"]
N_TRIED: Final = 500
"""Distances that are tried for the ends of an interval."""


class DistanceError(SerError, ValueError):
    """Clips between which no Mahalanobis distance can be taken; the message says what would help."""


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


@dataclass(frozen=True)
class _Groups:
    """Emotions, which of them each clip has, as a number, and how covariances are estimated."""

    names: tuple[str, ...]
    member: NDArray[np.intp]
    pooled: bool
    shrink: bool
    dimensions: int

    @property
    def n(self) -> int:
        return len(self.names)


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
    groups = _groups(x, labels, (covariance, shrink, dimensions))
    means, spreads = _checked(x, groups)
    to_emotion = _to_emotion(x, means, spreads, groups)  # first: it names the one emotion that lacks clips
    between = _between(means, spreads, groups)
    counts = np.bincount(groups.member, minlength=groups.n)
    counts = np.full(groups.n, len(x)) if groups.pooled else counts
    intensity = np.array([spread.intensity for spread in spreads])
    return Distances(groups.names, between, to_emotion, intensity, counts, groups.dimensions)


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
    groups = _groups(x, labels, (covariance, shrink, dimensions))
    voices = np.asarray(speakers, dtype=np.str_)
    known = resample.known(voices)
    people, voice = np.unique(voices[known], return_inverse=True)
    if len(voices) != len(x) or len(people) < 2:
        raise DistanceError(
            f"{len(people)} known speakers of {len(voices)} clips: resampling needs two or more, one per clip"
        )
    means, spreads = _checked(x, groups)
    drawn = resample.draw(len(people), n_resamples, seed)
    cell = groups.member[known] * len(people) + voice
    counts, sums = resample.deviations((x - means[groups.member])[known], cell, (groups.n, len(people)))
    totals = drawn @ counts.T
    share = drawn[:, None, :] / np.where(totals > 0, totals, np.nan)[:, :, None]  # of a speaker in a mean, (R, E, S)
    out = Resampled(*(np.zeros((groups.n, groups.n)) for _ in range(3)))
    metric = _metric(spreads[0], range(groups.n), groups) if groups.pooled else None
    pairs = list(combinations(range(groups.n), 2))
    for done, (a, b) in enumerate(pairs, start=1):
        under = metric or _metric(covariances.mean_of(spreads[a], spreads[b]), (a, b), groups)
        products = under.products(np.concatenate([(means[a] - means[b])[None], sums[a], sums[b]]))
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


def _groups(
    x: NDArray[np.float64], labels: Sequence[str] | NDArray[np.str_], options: tuple[Covariance, bool, int | None]
) -> _Groups:
    if x.ndim != 2 or len(x) != len(labels):
        raise DistanceError(f"positions of shape {x.shape} and {len(labels)} labels: expected one row for each label")
    names = in_order(labels)
    if len(names) < 2:
        raise DistanceError(f"distances between emotions need two or more, found {', '.join(names) or 'none'}")
    member = np.array([names.index(str(label)) for label in labels])
    pooled, shrink, dimensions = options[0] == "pooled", options[1], options[2] or x.shape[1]
    return _Groups(names, member, pooled, shrink, dimensions)


def _checked(x: NDArray[np.float64], groups: _Groups) -> tuple[NDArray[np.float64], list[Spread]]:
    """Return means and covariances of all clips, or say what is missing."""
    means, spreads = _spreads(x, groups)
    known = [spread for spread in spreads if spread is not None]
    if len(known) == len(spreads):
        return means, known
    count, of = len(x), ""
    if not groups.pooled:
        first = spreads.index(None)
        count, of = int(np.bincount(groups.member)[first]), f" of {groups.names[first]}"
    freedom = covariances.LEAST_FREEDOM if groups.shrink else groups.dimensions
    needed = freedom + (groups.n if groups.pooled else 1)
    advice = "choose more clips" if groups.pooled else "pool the covariances"
    if not groups.shrink:
        advice = "shrink it (Ledoit-Wolf), or measure in the map, which has fewer dimensions"
    raise DistanceError(
        f"{count} clip{'s' * (count != 1)}{of} with {groups.dimensions} values each: this covariance needs {needed} or"
        f" more; {advice}"
    )


def _spreads(x: NDArray[np.float64], groups: _Groups) -> tuple[NDArray[np.float64], list[Spread | None]]:
    """Return emotion means (E, d) and covariances."""
    means = np.stack([x[groups.member == emotion].mean(axis=0) for emotion in range(groups.n)])
    residuals = x - means[groups.member]
    how = {"shrink": groups.shrink, "dimensions": groups.dimensions}
    if groups.pooled:
        return means, [covariances.estimate(residuals, n_means=groups.n, **how)] * groups.n
    parts = [residuals[groups.member == emotion] for emotion in range(groups.n)]
    return means, [covariances.estimate(part, n_means=1, **how) for part in parts]


def _metric(spread: Spread, emotions: Sequence[int], groups: _Groups) -> Metric:
    """Return the metric of a covariance of the clips of these emotions, or say what would help."""
    try:
        return Metric(spread)
    except np.linalg.LinAlgError:
        count = int(np.isin(groups.member, emotions).sum())
        of = "" if groups.pooled else f" of {' and '.join(groups.names[k] for k in emotions)}"
        advice = "choose more clips, or measure in the map" if groups.pooled else "pool the covariances"
        if not groups.shrink:
            advice = "shrink the covariance, or measure in the map"
        raise DistanceError(
            f"{count} clips{of} with {groups.dimensions} values each: some values follow from others, so that no"
            f" distance is defined; {advice}"
        ) from None


def _between(means: NDArray[np.float64], spreads: Sequence[Spread], groups: _Groups) -> NDArray[np.float64]:
    if groups.pooled:
        return np.sqrt(_metric(spreads[0], range(groups.n), groups).squared(means, means))
    found = np.zeros((len(means), len(means)))
    for a, b in combinations(range(len(means)), 2):
        metric = _metric(covariances.mean_of(spreads[a], spreads[b]), (a, b), groups)
        found[a, b] = found[b, a] = np.sqrt(metric.squared(means[a : a + 1], means[b : b + 1])).item()
    return found


def _to_emotion(
    x: NDArray[np.float64], means: NDArray[np.float64], spreads: Sequence[Spread], groups: _Groups
) -> NDArray[np.float64]:
    if groups.pooled:
        return np.sqrt(_metric(spreads[0], range(groups.n), groups).squared(x, means))
    each = [_metric(spread, (k,), groups).squared(x, means[k : k + 1]) for k, spread in enumerate(spreads)]
    return np.sqrt(np.concatenate(each, axis=1))
