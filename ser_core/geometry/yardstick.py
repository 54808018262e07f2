"""Emotions as something to measure by: how far any clip lies from the mean of each (Mahalanobis 1936).

Positions have shape (n_clips, d). They may be a rotation of the clips into the space that they span, which has fewer
columns than the original: ``dimensions`` then says how many there were, which shrinkage and chi-square depend on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ser_core.errors import SerError
from ser_core.geometry import covariance as covariances
from ser_core.geometry.covariance import Metric, Spread
from ser_core.geometry.density import in_order

Covariance = Literal["pooled", "per-emotion"]


class DistanceError(SerError, ValueError):
    """Clips between which no Mahalanobis distance can be taken; the message says what would help."""


@dataclass(frozen=True)
class Groups:
    """E emotions, which of them each clip has, as a number, and how their covariances are estimated."""

    names: tuple[str, ...]
    member: NDArray[np.intp]
    pooled: bool
    shrink: bool
    dimensions: int

    @property
    def n(self) -> int:
        """How many emotions there are."""
        return len(self.names)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many clips of each emotion there are, shape (E,)."""
        return np.bincount(self.member, minlength=self.n)


@dataclass(frozen=True)
class Yardstick:
    """Means (E, d) and covariances of E emotions, to measure clips by, be they among them or not.

    ``spreads`` and ``metrics`` hold one for each emotion, or a single one where they are pooled; ``centres`` are the
    means as each metric turns them; values beyond ``limit`` count as that. Prepared once by `yardstick` and only read,
    so that many can share it.
    """

    groups: Groups
    means: NDArray[np.float64] = field(repr=False)
    spreads: tuple[Spread, ...] = field(repr=False)
    metrics: tuple[Metric, ...] = field(repr=False)
    centres: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...] = field(repr=False)
    limit: float

    @property
    def names(self) -> tuple[str, ...]:
        """The emotions."""
        return self.groups.names

    @property
    def dimensions(self) -> int:
        """Of the original space."""
        return self.groups.dimensions

    def measure(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distances (m, E) of points (m, d) from each emotion's mean, in units of its spread.

        A point that is not finite has NaN distances.

        Raises
        ------
        DistanceError
            If the points are not of d values.
        """
        if points.ndim != 2 or points.shape[1] != self.means.shape[1]:
            raise DistanceError(f"points of shape {points.shape}: expected (clips, {self.means.shape[1]})")
        there = np.isfinite(points).all(axis=1)
        known = np.clip(points[there].astype(np.float64), -self.limit, self.limit)
        each = zip(self.metrics, self.centres, strict=True)
        squared = [covariances.apart(metric.turned(known), centres) for metric, centres in each]
        found = np.full((len(points), len(self.means)), np.nan)
        found[there] = np.sqrt(np.concatenate(squared, axis=1))
        return found

    def between(self) -> NDArray[np.float64]:
        """Return the distances (E, E) of the means, where covariances are not pooled under the mean of each two.

        Raises
        ------
        DistanceError
            If the mean of two covariances cannot be inverted.
        """
        if self.groups.pooled:
            return self.measure(self.means)
        found = np.zeros((self.groups.n, self.groups.n))
        for a, b in combinations(range(self.groups.n), 2):
            found[a, b] = found[b, a] = np.sqrt(self.metric(a, b).squared(self.means[[a]], self.means[[b]])).item()
        return found

    def metric(self, a: int, b: int) -> Metric:
        """Return the metric that two emotions are measured against each other with.

        Raises
        ------
        DistanceError
            If the mean of their covariances cannot be inverted.
        """
        if self.groups.pooled:
            return self.metrics[0]
        return _metric(covariances.mean_of(self.spreads[a], self.spreads[b]), (a, b), self.groups)

    def tail(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how rare so distant a clip would be were the clips Gaussian, 0-1.

        The upper tail of the chi-square distribution with ``dimensions`` degrees of freedom at the squared distance.
        """
        return np.asarray(chdtrc(self.dimensions, np.square(distances)))


def yardstick(
    x: NDArray[np.float64],
    labels: Sequence[str] | NDArray[np.str_],
    *,
    covariance: Covariance = "pooled",
    shrink: bool = True,
    dimensions: int | None = None,
    limit: float = np.inf,
) -> Yardstick:
    """Prepare the emotions of clips at ``x``, shape (n_clips, d), to measure by; options as in `mahalanobis.distances`.

    Values beyond ``limit``, above 0, count as that, here and when clips are measured: for scaled values that have not
    been rotated.

    Raises
    ------
    DistanceError
        If there are fewer than two emotions, or too few clips for a covariance that can be inverted.
    """
    if x.ndim != 2 or len(x) != len(labels):
        raise DistanceError(f"positions of shape {x.shape} and {len(labels)} labels: expected one row for each label")
    names = in_order(labels)
    if len(names) < 2:
        raise DistanceError(f"distances between emotions need two or more, found {', '.join(names) or 'none'}")
    member = np.array([names.index(str(label)) for label in labels])
    groups = Groups(names, member, covariance == "pooled", shrink, dimensions or x.shape[1])
    x = np.clip(x, -limit, limit)
    means = np.stack([x[member == emotion].mean(axis=0) for emotion in range(groups.n)])
    spreads = _spreads(x - means[member], groups)
    of = [list(range(groups.n))] if groups.pooled else [[emotion] for emotion in range(groups.n)]
    metrics = [_metric(spread, emotions, groups) for spread, emotions in zip(spreads, of, strict=True)]
    centres = [metric.turned(means[emotions]) for metric, emotions in zip(metrics, of, strict=True)]
    return Yardstick(groups, means, tuple(spreads), tuple(metrics), tuple(centres), limit)


def _spreads(residuals: NDArray[np.float64], groups: Groups) -> list[Spread]:
    """Return the covariances of clips around their emotion's mean, or say what is missing."""
    parts, n_means = [residuals[groups.member == emotion] for emotion in range(groups.n)], 1
    if groups.pooled:
        parts, n_means = [residuals], groups.n
    found = []
    for emotion, part in enumerate(parts):
        spread = covariances.estimate(part, n_means=n_means, shrink=groups.shrink, dimensions=groups.dimensions)
        if spread is None:
            raise DistanceError(_lacking(len(part), "" if groups.pooled else f" of {groups.names[emotion]}", groups))
        found.append(spread)
    return found


def _lacking(count: int, of: str, groups: Groups) -> str:
    freedom = covariances.LEAST_FREEDOM if groups.shrink else groups.dimensions
    needed = freedom + (groups.n if groups.pooled else 1)
    advice = "choose more clips" if groups.pooled else "pool the covariances"
    if not groups.shrink:
        advice = "shrink it (Ledoit-Wolf), or measure in the map, which has fewer dimensions"
    return (
        f"{count} clip{'s' * (count != 1)}{of} with {groups.dimensions} values each: this covariance needs {needed} or"
        f" more; {advice}"
    )


def _metric(spread: Spread, emotions: Sequence[int], groups: Groups) -> Metric:
    """Return the metric of a covariance of the clips of these emotions, or say what would help."""
    try:
        return Metric(spread)
    except np.linalg.LinAlgError:
        count = int(groups.counts[list(emotions)].sum())
        of = "" if groups.pooled else f" of {' and '.join(groups.names[k] for k in emotions)}"
        advice = "choose more clips, or measure in the map" if groups.pooled else "pool the covariances"
        if not groups.shrink:
            advice = "shrink the covariance, or measure in the map"
        raise DistanceError(
            f"{count} clips{of} with {groups.dimensions} values each: some values follow from others, so that no"
            f" distance is defined; {advice}"
        ) from None
