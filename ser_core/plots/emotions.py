"""What is told of one clip or of two, emotion by emotion: how far away each is, and how probable."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ser_core import emotions
from ser_core.plots.colours import GREY, shown

LINE: Final = "#8d8d8d"
FAINT: Final = "rgba(128,128,128,0.28)"
TALL: Final = (36, 46)
"""Height in pixels of an emotion's row, of one clip and of two."""
PALE: Final = (1.0, 0.5)
"""Opacity of the bars of the first clip and of the second."""


@dataclass(frozen=True)
class Told:
    """What is told of a clip: Mahalanobis ``distances`` and ``probabilities``, (n_emotions,), None where nothing is."""

    label: str
    distances: NDArray[np.float64] | None
    probabilities: NDArray[np.float64] | None


def profile(names: Sequence[str], clips: Sequence[Told]) -> go.Figure:
    """Draw distances (left) and probabilities (right) of one clip or two, a row for each emotion in this order.

    Each emotion has its own colour and shape; two clips are told apart by the labels beside their points and bars. The
    dotted line is chance: all emotions as probable. A side that nothing is told of is left out.

    Raises
    ------
    ValueError
        If there is nothing to draw, or more than two clips.
    """
    if not 1 <= len(clips) <= 2:
        raise ValueError(f"{len(clips)} clips: expected one or two")
    sides = [side for side in ("distances", "probabilities") if any(getattr(one, side) is not None for one in clips)]
    if not sides:
        raise ValueError("no distances and no probabilities: nothing to draw")
    out = make_subplots(rows=1, cols=len(sides), shared_yaxes=True, horizontal_spacing=0.1)
    for column, side in enumerate(sides, start=1):
        _draw[side](out, names, clips, column)
    out.update_layout(
        height=TALL[len(clips) - 1] * len(names) + 66, margin={"l": 0, "r": 8, "t": 4, "b": 0}, showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", dragmode=False, barmode="group", bargap=0.3,
    )  # fmt: skip
    places = list(range(len(names)))
    out.update_yaxes(range=[len(names) - 0.5, -0.5], fixedrange=True, zeroline=False, gridcolor=FAINT, tickvals=places)
    out.update_yaxes(ticktext=[shown(name) for name in names], col=1)
    out.update_xaxes(fixedrange=True, zeroline=False, gridcolor=FAINT)
    return out


def _distances(out: go.Figure, names: Sequence[str], clips: Sequence[Told], column: int) -> None:
    there = [one for one in clips if one.distances is not None]
    values = np.array([one.distances for one in there], np.float64)
    inks = [emotions.style(name).colour for name in names]
    rows = np.arange(len(names))
    if len(there) == 2:
        gaps = np.column_stack([*values, np.full(len(names), np.nan)]).ravel()
        line = {"color": LINE, "width": 1.5}
        out.add_trace(go.Scatter(x=gaps, y=rows.repeat(3), mode="lines", line=line, hoverinfo="skip"), 1, column)
    symbols = [emotions.style(name).symbol for name in names]
    marker = {"symbol": symbols, "size": 12, "color": inks, "opacity": 1, "line": {"color": inks, "width": 1.5}}
    for number, (one, own) in enumerate(zip(there, values, strict=True)):
        further = own > values[1 - number] if len(there) == 2 else np.ones(len(names), bool)
        sides = ["middle right" if outer else "middle left" for outer in further]  # away from the other one's
        labels = {"text": [shown(one.label)] * len(names), "textposition": sides}
        hover = f"{_of(one)}%{{customdata}}: %{{x:.2f}}<extra></extra>"
        out.add_trace(
            go.Scatter(
                x=own, y=rows, mode="markers+text", marker=marker, **labels, hovertemplate=hover, meta="distance",
                customdata=[shown(name) for name in names], cliponaxis=False,
            ), 1, column,
        )  # fmt: skip
    far = float(values.max())
    out.update_xaxes(title={"text": "distance (Mahalanobis)", "standoff": 10}, range=[0, far * 1.12 or 1], col=column)


def _probabilities(out: go.Figure, names: Sequence[str], clips: Sequence[Told], column: int) -> None:
    inks = [emotions.style(name).colour for name in names]
    highest = 0.0
    for one, opacity in zip(clips, PALE, strict=False):
        if one.probabilities is None:
            continue
        percent = 100 * one.probabilities
        highest = max(highest, float(percent.max()))
        label = f"{shown(one.label)} " if one.label else ""
        marker: dict[str, Any] = {"color": inks, "opacity": opacity, "line": {"width": 0}}
        out.add_trace(
            go.Bar(
                x=percent, y=np.arange(len(names)), orientation="h", marker=marker, meta="probability",
                text=[f"{label}{value:.0f} %" for value in percent], textposition="outside",
                hovertemplate=f"{_of(one)}%{{customdata}}: %{{x:.1f}} %<extra></extra>", cliponaxis=False,
                customdata=[shown(name) for name in names],
            ), 1, column,
        )  # fmt: skip
    chance = {"color": GREY, "width": 1.5, "dash": "dot"}
    out.add_vline(x=100 / len(names), line=chance, layer="below", row=1, col=column)  # pyright: ignore[reportArgumentType]
    span = [0, max(highest * 1.25, 160 / len(names))]
    out.update_yaxes(showgrid=False, col=column)  # the bars have their own, and lines would cross the numbers
    out.update_xaxes(title={"text": "probability", "standoff": 10}, range=span, ticksuffix=" %", col=column)


def _of(one: Told) -> str:
    return f"{shown(one.label)}, " if one.label else ""


_draw: Final = {"distances": _distances, "probabilities": _probabilities}
