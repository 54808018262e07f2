"""Two clips, A and B, among those of a corpus: on its map, and on Russell's plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core import emotions
from ser_core.plots import circumplex
from ser_core.plots.colours import shown

HEIGHT: Final = 340
FAINT: Final = 0.3
"""Opacity of the corpus."""
EDGE: Final = 0.05
"""What is left free around a map, as a share of it."""
INK: Final = "#2f6db5"
"""Behind the white letters: no emotion's colour, seen on both themes."""
SIDE: Final = 1.4
"""What is in sight of Russell's plane at least, to each side of its middle."""
WORD: Final = 52
"""Width in pixels of the words beside Russell's circle."""


@dataclass(frozen=True)
class Mark:
    """A clip that stands out: its letter, its place (2,), what to say of it, and an outline (n, 2) around it if any."""

    letter: str
    place: NDArray[np.floating]
    says: str
    outline: NDArray[np.float64] | None = None


def on_map(
    points: NDArray[np.floating], labels: Sequence[str], marks: Sequence[Mark], *, axes: Sequence[str]
) -> go.Figure:
    """Draw clips at points (n_clips, 2), faint in the colours of their emotions, and the marks above them."""
    words = np.asarray(labels, str)
    out = go.Figure([_cloud(points[words == name], name) for name in dict.fromkeys(labels)])
    _mark(out, marks)
    axis: dict[str, Any] = {"showgrid": False, "zeroline": False, "showticklabels": False, "fixedrange": True}
    shape = np.vstack([points, *(mark.place[:2] for mark in marks)])
    low, high = shape.min(axis=0), shape.max(axis=0)
    spans = np.transpose([low - EDGE * (high - low), high + EDGE * (high - low)]).tolist()
    titles = [{"text": shown(title), "font": {"size": 13}, "standoff": 4} for title in axes]
    out.update_layout(
        height=HEIGHT, margin={"l": 24, "r": 8, "t": 8, "b": 28}, showlegend=False, dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", hovermode="closest",
        xaxis=axis | {"title": titles[0], "range": spans[0]},
        yaxis=axis | {"title": titles[1], "range": spans[1], "scaleanchor": "x", "scaleratio": 1},
    )  # fmt: skip
    return out


def on_plane(points: NDArray[np.float64], labels: Sequence[str], marks: Sequence[Mark]) -> go.Figure:
    """Draw valence and arousal (n_clips, 2) on Russell's plane, faint, and the marks above them with their outlines."""
    reach = np.vstack([part for mark in marks for part in (mark.place, mark.outline) if part is not None])
    left, down = np.minimum(-SIDE, 1.05 * reach.min(axis=0)).tolist()
    right, up = np.maximum(SIDE, 1.05 * reach.max(axis=0)).tolist()
    word = 1.05 + WORD * (up - down) / (HEIGHT - 40)
    left, right = min(left, -word), max(right, word)
    rows = np.arange(len(points), dtype=np.int32)
    out = circumplex.plane(
        points, labels, rows=rows, texts=[""] * len(rows), limits=(left, right, down, up), in_hand=None, height=HEIGHT
    )
    quiet: dict[str, Any] = {"hoverinfo": "skip", "hovertemplate": None, "marker": {"opacity": FAINT}}
    out.update_traces(quiet, selector=lambda trace: trace.customdata is not None)
    _mark(out, marks)
    return out.update_layout(dragmode=False).update_xaxes(fixedrange=True).update_yaxes(fixedrange=True)


def _cloud(points: NDArray[np.floating], name: str) -> go.Scattergl:
    style = emotions.style(name)
    edge = {"color": style.colour, "width": 1.2 if style.symbol.endswith("-open") else 0}
    marker = {"symbol": style.symbol, "size": 5, "color": style.colour, "opacity": FAINT, "line": edge}
    return go.Scattergl(
        x=points[:, 0], y=points[:, 1], mode="markers", marker=marker, name=shown(name), hoverinfo="skip"
    )


def _mark(out: go.Figure, marks: Sequence[Mark]) -> None:
    for mark in marks:
        if mark.outline is not None:
            line = {"color": INK, "width": 1.5, "dash": "solid" if mark is marks[0] else "dot"}
            x, y = mark.outline.T
            out.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False))
    for mark in marks:
        out.add_annotation(  # above all points, whatever they are drawn with
            x=float(mark.place[0]), y=float(mark.place[1]), text=f"<b>{shown(mark.letter)}</b>", showarrow=False,
            font={"color": "#ffffff", "size": 13}, bgcolor=INK, bordercolor="#ffffff", borderpad=3,
            hovertext=shown(mark.says), name="mark",
        )  # fmt: skip
