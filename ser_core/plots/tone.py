"""Emotional tone over days or weeks (`ser_core.timeline`): intensity, dispersion, means, and shares of quadrants.

Days and weeks without clips are gaps.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ser_core.plots.colours import palette, shown
from ser_core.timeline import QUADRANTS, Span, Timeline

HEIGHT: Final = 460
FAINT: Final = "rgba(128,128,128,0.28)"
AXIS: Final = "rgba(128,128,128,0.5)"
CLEAR: Final = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}
MEASURES: Final = ("intensity", "dispersion")
MEANS: Final = ("valence", "arousal")


def lines(result: Timeline) -> go.Figure:
    """Draw intensity and dispersion with their 95 % intervals over mean valence and arousal; gaps where nothing is."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    starts, spans = _calendar(result)
    inks = palette(4)
    for name, ink in zip(MEASURES, inks, strict=False):
        figure.add_trace(_band(starts, [getattr(span, f"{name}_95", None) for span in spans], ink), 1, 1)
    for number, name in enumerate((*MEASURES, *MEANS)):
        values = [_value(span, name) for span in spans]
        figure.add_trace(_line(starts, spans, values, name, inks[number], dash=number % 2 == 1), 1 + number // 2, 1)
    figure.update_layout({"height": HEIGHT, "hovermode": "closest", **_quiet(), **CLEAR})
    figure.update_xaxes(showgrid=False, zeroline=False, **_ticks(starts))
    figure.update_yaxes(gridcolor=FAINT, zerolinecolor=AXIS)
    figure.update_yaxes(title_text="distance on the plane", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="mean on the plane", row=2, col=1)
    return figure


def quadrants(result: Timeline) -> go.Figure:
    """Draw the share of clips in each quadrant as stacked bars, a bar for each span."""
    starts, spans = _calendar(result)
    bars = []
    for number, (name, ink) in enumerate(zip(QUADRANTS, palette(len(QUADRANTS)), strict=True)):
        texts = [_share_text(span, number) for span in spans]
        shares = [None if span is None else 100 * float(span.quadrants[number]) for span in spans]
        hover = {"text": texts, "textposition": "none", "hovertemplate": "%{text}<extra></extra>"}
        bars.append(go.Bar(x=starts, y=shares, name=name, marker={"color": ink}, **hover))
    layout = {"height": HEIGHT, "barmode": "stack", "bargap": 0.2, **_quiet(), **CLEAR}
    figure = go.Figure(bars, layout)
    figure.update_xaxes(showgrid=False, **_ticks(starts))
    figure.update_yaxes(title_text="share of clips (%)", range=[0, 100], gridcolor=FAINT, zeroline=False)
    return figure


def _calendar(result: Timeline) -> tuple[pd.DatetimeIndex, list[Span | None]]:
    """Return every day or week from the first to the last, and its span, None where there is no clip."""
    known = {span.start: span for span in result.spans}
    starts = pd.date_range(min(known), max(known), freq="7D" if result.period == "week" else "D")
    return starts, [known.get(start) for start in starts]


def _value(span: Span | None, name: str) -> float | None:
    if span is None:
        return None
    return float(span.centre[MEANS.index(name)]) if name in MEANS else getattr(span, name)


def _line(
    starts: pd.DatetimeIndex, spans: list[Span | None], values: list[float | None], name: str, ink: str, *, dash: bool
) -> go.Scatter:
    return go.Scatter(
        x=starts,
        y=values,
        mode="lines+markers",
        name=f"mean {name}" if name in MEANS else name,
        line={"color": ink, "width": 2, "dash": "dot" if dash else "solid"},
        marker={"color": ink, "size": 7, "symbol": "diamond" if dash else "circle"},
        text=[_line_text(span, name) for span in spans],
        hovertemplate="%{text}<extra></extra>",
    )


def _line_text(span: Span | None, name: str) -> str:
    value, interval = _value(span, name), getattr(span, f"{name}_95", None)
    if span is None or value is None:
        return ""
    between = f" (95 %: {interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    return f"{shown(span.label)}<br>{name} {value:.2f}{between}<br>{span.n_clips} clips"


def _share_text(span: Span | None, number: int) -> str:
    if span is None:
        return ""
    low, high = 100 * span.quadrants_95[number]
    share = f"{100 * span.quadrants[number]:.0f} % (95 %: {low:.0f} to {high:.0f} %)"
    return f"{shown(span.label)}<br>{QUADRANTS[number]}: {share}<br>{span.n_clips} clips"


def _band(starts: pd.DatetimeIndex, intervals: Sequence[tuple[float, float] | None], ink: str) -> go.Scatter:
    """Return the intervals as one closed shape for each unbroken run of spans that have one; alone, it is a line."""
    x: list[pd.Timestamp | None] = []
    y: list[float | None] = []
    for run in _runs(intervals):
        days, (low, high) = [starts[k] for k in run], zip(*(intervals[k] or (0, 0) for k in run), strict=True)
        x += [*days, *reversed(days), days[0], None]
        y += [*high, *reversed(low), high[0], None]
    fill = f"rgba({','.join(str(int(ink[k : k + 2], 16)) for k in (1, 3, 5))},0.2)"
    line = {"color": fill, "width": 2}
    return go.Scatter(
        x=x, y=y, mode="lines", fill="toself", fillcolor=fill, line=line, hoverinfo="skip", showlegend=False
    )


def _runs(intervals: Sequence[object]) -> Iterator[list[int]]:
    for known, run in groupby(range(len(intervals)), key=lambda k: intervals[k] is not None):
        if known:
            yield list(run)


def _ticks(starts: pd.DatetimeIndex) -> dict[str, Any]:
    """Return dates that are days of spans: plotly's own may fall between them where there are few."""
    every = max(1, round(len(starts) / 8))
    at = starts[::every]
    return {"tickvals": list(at), "ticktext": [f"{day:%-d %b}" for day in at]}


def _quiet() -> dict[str, Any]:
    legend = {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "traceorder": "normal"}
    return {"margin": {"l": 0, "r": 0, "t": 40, "b": 0}, "legend": legend, "dragmode": False}
