"""The circle of emotions: do the emotions of an embedding lie in one, and is it Russell's.

Centroids as angles, their turn onto Russell's circle (`ser_core.geometry.russell`), and how well the two agree. Angles
are in degrees, counter-clockwise from the first axis. `ser_core.geometry.circular` tests the order by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser_core.geometry import resample
from ser_core.geometry.circular import circular_correlation, order_agreement
from ser_core.geometry.density import in_order
from ser_core.geometry.russell import CircumplexError, reference, wrap

ROUNDING: Final = 1e-9
"""A mirror image has to fit better by more than this share, so that rounding does not choose it."""


@dataclass(frozen=True)
class Polar:
    """Centroids as radius (in units of the map) and angle (degrees, 0-360), each of shape (n_emotions,)."""

    names: tuple[str, ...]
    radius: NDArray[np.float64]
    angle: NDArray[np.float64]

    @property
    def order(self) -> tuple[str, ...]:
        """The names by ascending angle."""
        return tuple(self.names[index] for index in np.argsort(self.angle, kind="stable"))


@dataclass(frozen=True)
class Alignment:
    """A turn about the origin: the second axis is flipped if ``mirrored``, then all is rotated (degrees, -180-180)."""

    rotation: float
    mirrored: bool

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn points of shape (n_points, 2).

        Examples
        --------
        >>> Alignment(90.0, mirrored=False).apply(np.array([[2.0, 0.0]])).round(9)
        array([[0., 2.]])
        """
        turned = _turn(_complex(points), np.radians(self.rotation), self.mirrored)
        return np.column_stack([turned.real, turned.imag])


@dataclass(frozen=True)
class Circle:
    """Emotion centroids on a circle, beside Russell's; arrays have shape (n_emotions,) unless said otherwise.

    ``raw`` are the centroids around the mean of all clips, ``polar`` the same after ``alignment``; ``reference`` holds
    Russell's angles, NaN where an emotion has none. ``angle_95``, shape (n_emotions, 2), surrounds the angle and so may
    begin below 0 or end above 360 degrees. ``correlation`` (`circular_correlation`) and ``order_agreement`` compare the
    emotions that have a reference, from three on, else None; each ``_95`` is None with fewer than two speakers, and NaN
    where no resample had the clips. Turning changes neither number, but a mirror image changes the sign of both: a
    fitted alignment takes the image that fits better, in every resample too, which pulls both towards 1.
    """

    names: tuple[str, ...]
    n_clips: NDArray[np.int64]
    polar: Polar
    raw: Polar
    reference: NDArray[np.float64]
    alignment: Alignment
    angle_95: NDArray[np.float64] | None
    correlation: float | None
    correlation_95: tuple[float, float] | None
    order_agreement: float | None
    order_agreement_95: tuple[float, float] | None


def polar(names: Sequence[str], centroids: NDArray[np.floating]) -> Polar:
    """Return centroids, shape (n_emotions, 2), as radius and angle around the origin.

    Raises
    ------
    CircumplexError
        If the shape is another or does not fit the names.

    Examples
    --------
    >>> polar(["joy", "calm", "anger"], np.array([[1.0, 1.0], [1.0, -1.0], [-2.0, 2.0]])).order
    ('joy', 'anger', 'calm')
    """
    if len(names) != len(centroids):
        raise CircumplexError(f"{len(names)} names for {len(centroids)} centroids: each needs one")
    return _polar(names, _complex(centroids))


def align(points: NDArray[np.floating], reference: NDArray[np.floating], *, mirror: bool | None) -> Alignment:
    """Return the rotation about the origin that brings points closest to their references, both of shape (k, 2).

    Orthogonal Procrustes (Schönemann 1966, Psychometrika 31) in two dimensions: the least sum of squares. ``mirror``
    says whether the second axis is flipped before, None whichever fits better. Nothing is scaled or shifted.

    Raises
    ------
    CircumplexError
        If the shapes differ or are not (k, 2).

    Examples
    --------
    >>> corners = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> align(corners, corners[:, ::-1], mirror=None)
    Alignment(rotation=90.0, mirrored=True)
    """
    if len(points) != len(reference):
        raise CircumplexError(f"{len(points)} points and {len(reference)} references: each point needs its own")
    rotation, mirrored = _fit(_complex(points), _complex(reference), mirror=mirror)
    return Alignment(float(np.degrees(rotation)), bool(mirrored))


def circle(
    points: NDArray[np.floating],
    labels: Sequence[str] | NDArray[np.str_],
    speakers: Sequence[str] | NDArray[np.str_],
    *,
    alignment: Alignment | None,
    n_resamples: int,
    seed: int,
) -> Circle:
    """Compare the emotion centroids of a map with Russell's circle, with 95 % intervals over speakers.

    Parameters
    ----------
    points
        Shape (n_clips, 2).
    labels
        Common emotion name of each clip (`ser_core.emotions`).
    speakers
        Speaker of each clip: whole speakers are drawn again with replacement for the intervals (percentiles); of
        unknown ones, none.
    alignment
        How the map is turned; None fits it, mirror image allowed, to the emotions that have a place on Russell's circle
        (`align`; no turn if fewer than two have one), and again in every resample.

    Raises
    ------
    CircumplexError
        If there is no clip or the lengths differ.
    """
    if not len(points) == len(labels) == len(speakers) > 0:
        raise CircumplexError(
            f"{len(points)} points, {len(labels)} labels, {len(speakers)} speakers: expected one of each for every clip"
        )
    names = in_order(labels)
    there = [reference(name) for name in names]
    angles = np.array([np.nan if angle is None else angle for angle in there])
    member, voices = np.array([names.index(label) for label in labels]), np.asarray(speakers, np.str_)
    counts, sums, told = resample.totals(_complex(points), member, voices, n_emotions=len(names))
    raw = _centroids(np.ones((1, len(counts)), np.int64), counts, sums)[0]
    known = ~np.isnan(angles)
    if alignment is None and known.sum() < 2:
        alignment = Alignment(0.0, mirrored=False)
    intervals: dict[str, Any] = {"angle_95": None, "correlation_95": None, "order_agreement_95": None}
    turn = alignment or _to_russell(raw, angles)
    turned = _polar(names, _turn(raw, np.radians(turn.rotation), turn.mirrored))
    if told.sum() > 1:
        drawn = resample.draw(told.sum(), n_resamples, seed)
        intervals = _intervals(_centroids(drawn, counts[told], sums[told]), turned.angle, angles, alignment)
    comparable = known.sum() >= 3
    return Circle(
        names=names,
        n_clips=counts.sum(axis=0),
        polar=turned,
        raw=_polar(names, raw),
        reference=angles,
        alignment=turn,
        correlation=circular_correlation(turned.angle[known], angles[known]) if comparable else None,
        order_agreement=order_agreement(turned.angle[known], angles[known]) if comparable else None,
        **intervals,
    )


def _complex(points: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Write points of shape (n, 2) as complex numbers: a turn is then a product, a mirror image the conjugate."""
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise CircumplexError(f"points of shape {points.shape}: a circle needs two coordinates for each")
    return points[:, 0] + 1j * points[:, 1]


def _polar(names: Sequence[str], centroids: NDArray[np.complex128]) -> Polar:
    return Polar(tuple(names), np.abs(centroids), wrap(np.angle(centroids, deg=True)))


def _turn(points: NDArray[np.complex128], rotation: ArrayLike, mirrored: ArrayLike) -> NDArray[np.complex128]:
    """Mirror, then rotate (radians); one rotation for all points, or one for each row of them."""
    return np.where(mirrored, points.conj(), points) * np.exp(1j * np.asarray(rotation))


def _fit(
    points: NDArray[np.complex128], targets: NDArray[np.complex128], *, mirror: bool | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Rotation (radians) and mirroring for points of shape (..., k); pairs with a NaN do not count."""
    straight = np.nansum(points.conj() * targets, axis=-1)
    flipped = np.nansum(points * targets, axis=-1)
    better = np.abs(flipped) > np.abs(straight) * (1 + ROUNDING)
    mirrored = better if mirror is None else np.full(better.shape, mirror)
    return np.angle(np.where(mirrored, flipped, straight)), mirrored


def _to_russell(centroids: NDArray[np.complex128], angles: NDArray[np.float64]) -> Alignment:
    rotation, mirrored = _fit(centroids, np.exp(1j * np.radians(angles)), mirror=None)
    return Alignment(float(np.degrees(rotation)), bool(mirrored))


def _centroids(
    weights: NDArray[np.int64], counts: NDArray[np.int64], sums: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """Centroids around the mean of all clips, a row for each row of speakers' weights; NaN without a clip."""
    n, total = weights @ counts, weights @ sums
    centre = total.sum(axis=1, keepdims=True) / n.sum(axis=1, keepdims=True)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan) - centre


def _intervals(
    centroids: NDArray[np.complex128],
    angle: NDArray[np.float64],
    angles: NDArray[np.float64],
    alignment: Alignment | None,
) -> dict[str, Any]:
    """Percentiles over resampled centroids, shape (n_resamples, n_emotions), turned as given or each for itself."""
    known = ~np.isnan(angles)
    n_compared = (~np.isnan(centroids[:, known])).sum(axis=1)
    if alignment is None:
        rotation, mirrored = (x[:, None] for x in _fit(centroids, np.exp(1j * np.radians(angles)), mirror=None))
        rotation = np.where(n_compared[:, None] < 2, np.nan, rotation)
        turned = _turn(centroids, rotation, mirrored)
    else:
        turned = _turn(centroids, np.radians(alignment.rotation), alignment.mirrored)
    drawn = wrap(np.angle(turned, deg=True))
    away = np.mod(drawn - angle + 180.0, 360.0) - 180.0  # the short way round from the angle itself
    found: dict[str, Any] = {"angle_95": angle[:, None] + np.array([resample.percentiles(x) for x in away.T])}
    for name, measure in (("correlation", circular_correlation), ("order_agreement", order_agreement)):
        rows = zip(drawn, known & ~np.isnan(drawn), strict=True)
        values = [measure(row[use], angles[use]) for row, use in rows if use.sum() >= 3]
        found[f"{name}_95"] = resample.percentiles(np.array(values)) if known.sum() >= 3 else None
    return found
