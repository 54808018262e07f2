"""One person's dated clips on the plane of affect: where they lie, day by day or week by week.

Points are valence (to the right) and arousal (upwards), each about -1 to 1, with the neutral centre at (0, 0). A day is
a day by the clock of the place of recording. A day without clips has no span: it is a gap, not a zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ser_core.dates import when
from ser_core.embeddings import Embeddings
from ser_core.errors import SerError

Period = Literal["day", "week"]
STATEMENT: Final = (
    "This shows where a machine places one voice from day to day, and can be used to look back on those days and to "
    "ask better questions about them. It is no diagnosis: it does not know how the person feels, a cold or another "
    "microphone moves it too, and it must not be used to decide about anyone's health, treatment or work."
)
"""Shown wherever a timeline is."""
QUADRANTS: Final = ("pleasant, activated", "unpleasant, activated", "unpleasant, quiet", "pleasant, quiet")
"""Counter-clockwise. Each begins with, and holds, the half axis at its clockwise side: [0, 90), [90, 180), ... degrees;
a clip exactly at the neutral centre is in none."""
REACH: Final = 1.5
"""The grid of densities runs from -REACH to REACH on both axes: the circle of affect and what is placed beyond it."""
GRID: Final = 61
BANDWIDTH: Final = 0.25
"""Standard deviation of the density's kernel, in units of the axes.

There are few clips a day. Scott's rule (1992, *Multivariate Density Estimation*, section 6.3.1: spread times n to the
power of -1/6) for a spread of about 0.4 on each axis gives 0.30 for 6 clips, 0.22 for 40, 0.19 for 90. One width in
between serves every span: a width that followed the clips would make a day with few of them look like another mood.
"""
FEWEST: Final = 5
"""Clips from which on a bootstrap interval is given."""
N_RESAMPLES: Final = 1000
SEED: Final = 0
"""Of the bootstrap in `of`: the same clips have the same intervals everywhere."""

_Points = NDArray[np.float64]


class TimelineError(SerError, ValueError):
    """Clips that make no timeline; the message says what is missing."""


@dataclass(frozen=True)
class Span:
    """The clips of a day, a week, or all days.

    Attributes
    ----------
    label
        ``2026-03-01``, ``week of 2026-03-02``, or ``2026-03-01 to 2026-03-14``.
    start
        Midnight of its first day; weeks start on Monday.
    quadrants, quadrants_95
        Share of clips in each of `QUADRANTS`, shape (4,), and its Wilson interval, shape (4, 2), 0-1. Clips outside the
        grid count, too.
    centre
        Mean valence and arousal, shape (2,).
    intensity, intensity_95
        Mean distance of the clips from the neutral centre.
    dispersion, dispersion_95
        Root mean squared distance of the clips from ``centre``; None for a single clip. It comes out small where clips
        are few, by a factor of about sqrt(1 - 1 / n_clips).
    density
        Clips per unit of area, as a share of all clips of the span, shape (arousal, valence) over the grid.
    """

    label: str
    start: pd.Timestamp
    n_clips: int
    quadrants: NDArray[np.float64]
    quadrants_95: NDArray[np.float64]
    centre: NDArray[np.float64]
    intensity: float
    intensity_95: tuple[float, float] | None
    dispersion: float | None
    dispersion_95: tuple[float, float] | None
    density: NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """One person's spans in the order of time, and the ``whole`` of all their clips.

    ``grid`` are the values of both axes at which densities are given, ``n_undated`` counts clips that were left out
    because nothing says when they were recorded.
    """

    person: str
    period: Period
    spans: tuple[Span, ...]
    whole: Span
    grid: NDArray[np.float64]
    bandwidth: float
    n_undated: int


def timeline(points: _Points, times: ArrayLike, *, person: str, period: Period, seed: int) -> Timeline:
    """Describe one person's clips, span by span.

    Parameters
    ----------
    points
        Valence and arousal of each clip, shape (n_clips, 2).
    times
        When each clip was recorded, NaT where that is not known (see `when`).
    seed
        Of the bootstrap over clips: 1,000 resamples, percentiles. A span's intervals do not depend on other spans.

    Raises
    ------
    TimelineError
        If shapes do not fit, a point is not finite, the period is unknown or no clip is dated.

    Notes
    -----
    The intervals take clips for independent of each other; clips of one hour are not quite.
    """
    points = np.asarray(points, np.float64)
    stamps = pd.DatetimeIndex(cast(Any, times))
    stamps = stamps if stamps.tz is None else stamps.tz_localize(None)
    if points.shape != (len(stamps), 2):
        raise TimelineError(f"points should have a row of 2 for each of the {len(stamps)} times, got {points.shape}")
    if not np.isfinite(points).all():
        raise TimelineError(f"points should be finite, {np.sum(~np.isfinite(points).all(axis=1))} rows are not")
    if period not in get_args(Period):
        raise TimelineError(f"period {period!r}: expected {' or '.join(get_args(Period))}")
    known = np.asarray(stamps.notna())
    if not known.any():
        raise TimelineError(
            f"none of the {len(stamps)} clips of {person} has a date: give a column recorded_at in metadata.csv, "
            "or name the files by date, such as 2026-03-01T08-15.wav"
        )
    points, stamps, n_undated = points[known], stamps[known], int((~known).sum())
    # In one order, so that sums and resamples come out the same whatever order the clips came in.
    order = np.lexsort((points[:, 1], points[:, 0], stamps.to_numpy()))
    points, days = points[order], stamps[order].normalize()
    starts, label = days, "{:%Y-%m-%d}"
    if period == "week":
        starts, label = days - pd.to_timedelta(days.day_of_week, unit="D"), "week of {:%Y-%m-%d}"
    grid = np.linspace(-REACH, REACH, GRID)
    spans = tuple(
        _span(points[starts == start], grid, label.format(start), start, seed=seed) for start in starts.unique()
    )
    name = " to ".join(f"{day:%Y-%m-%d}" for day in days[[0, -1]].unique())
    whole = _span(points, grid, name, days[0], seed=seed)
    return Timeline(person, period, spans, whole, grid, BANDWIDTH, n_undated)


def of(
    embeddings: Embeddings, points: _Points, *, person: str | None = None, period: Period = "day"
) -> tuple[Timeline, str]:
    """Return the timeline of one speaker among embedded clips, and what says when they were recorded (see `when`).

    Parameters
    ----------
    points
        Valence and arousal of each of the embedded clips, shape (n_clips, 2).
    person
        A speaker; by default the one with most dated clips.

    Raises
    ------
    TimelineError
        If there is no such speaker, or none of their clips has a date.
    """
    speakers = embeddings.clips["speaker"].astype(str)
    if not len(speakers):
        raise TimelineError("there is no clip: embed the corpus first, with `ser embed`")
    if person is None:
        person = next(iter(people(embeddings.clips)), speakers.iloc[0])
    rows = np.flatnonzero(speakers == person)
    if not len(rows):
        names = sorted(set(speakers))
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise TimelineError(f"no clip of {person!r}: expected one of {shown}")
    times, source = when(embeddings.clips.iloc[rows])
    return timeline(np.asarray(points)[rows], times, person=person, period=period, seed=SEED), source


def people(clips: pd.DataFrame) -> list[str]:
    """Return the speakers with dated clips (see `when`), those with most first.

    Examples
    --------
    >>> people(pd.DataFrame({"file": ["2026-03-01.wav", "b.wav"], "speaker": ["Ada", "Ben"]}))
    ['Ada']
    """
    dated = when(clips)[0].notna()
    counts = clips.loc[dated, "speaker"].astype(str).value_counts()
    return sorted(counts.index, key=lambda name: (-counts[name], name))


def table(result: Timeline) -> pd.DataFrame:
    """Return one row per span: what there is to export. Intervals are 95 %, empty where there is none."""
    return pd.DataFrame([_row(span, result.person) for span in result.spans])


def wilson(counts: Sequence[int] | NDArray[np.int_], n: int) -> NDArray[np.float64]:
    """Return the 95 % Wilson score interval of shares ``counts / n``, shape (len(counts), 2).

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22, 209-212.

    Examples
    --------
    >>> wilson([0, 3], 6).round(3).tolist()
    [[0.0, 0.39], [0.188, 0.812]]
    """
    z = NormalDist().inv_cdf(0.975)
    share = np.asarray(counts) / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.clip(np.stack([middle - half, middle + half], axis=1), 0, 1)


def density(points: _Points, grid: _Points) -> NDArray[np.float64]:
    """Return the Gaussian kernel density of points, bandwidth `BANDWIDTH`, at all pairs of grid values.

    Returns
    -------
    NDArray
        Shape (len(grid), len(grid)): row arousal, column valence. All of the plane integrates to 1; what lies on the
        grid, to the share of the kernels' mass inside: it is less than 1 where clips are placed outside or at the edge.
    """
    across, up = (
        np.exp(-0.5 * ((grid[:, None] - values) / BANDWIDTH) ** 2) / (BANDWIDTH * np.sqrt(2 * np.pi))
        for values in points.T
    )
    return up @ across.T / len(points)


def _span(points: _Points, grid: _Points, label: str, start: pd.Timestamp, *, seed: int) -> Span:
    n, centre = len(points), points.mean(axis=0)
    distance, spread = np.hypot(*points.T), np.sum((points - centre) ** 2, axis=1)
    valence, arousal = points.T
    counts = [
        int(np.sum(inside))
        for inside in (
            (valence > 0) & (arousal >= 0),
            (valence <= 0) & (arousal > 0),
            (valence < 0) & (arousal <= 0),
            (valence >= 0) & (arousal < 0),
        )
    ]
    intensity_95 = dispersion_95 = None
    if n >= FEWEST:
        weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES) / n
        intensity_95 = _interval(weights @ distance)
        moved = np.sum((weights @ (points - centre)) ** 2, axis=1)
        dispersion_95 = _interval(np.sqrt(np.maximum(weights @ spread - moved, 0)))
    return Span(
        label=label,
        start=start,
        n_clips=n,
        quadrants=np.array(counts) / n,
        quadrants_95=wilson(counts, n),
        centre=centre,
        intensity=float(distance.mean()),
        intensity_95=intensity_95,
        dispersion=float(np.sqrt(spread.mean())) if n > 1 else None,
        dispersion_95=dispersion_95,
        density=density(points, grid),
    )


def _interval(draws: _Points) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def _row(span: Span, person: str) -> dict[str, Any]:
    row: dict[str, Any] = {"person": person, "span": span.label, "start": f"{span.start:%Y-%m-%d}"}
    row |= {"n_clips": span.n_clips, "valence": float(span.centre[0]), "arousal": float(span.centre[1])}
    for name in ("intensity", "dispersion"):
        low, high = getattr(span, f"{name}_95") or (None, None)
        row |= {name: getattr(span, name), f"{name}_low": low, f"{name}_high": high}
    for quadrant, share, (low, high) in zip(QUADRANTS, span.quadrants, span.quadrants_95, strict=True):
        name = quadrant.replace(", ", "_")
        row |= {name: float(share), f"{name}_low": float(low), f"{name}_high": float(high)}
    return row
