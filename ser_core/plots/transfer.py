"""What is learnt from one corpus on others: scores, planes of two numbers, what these follow, and how they turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ser_core import emotions
from ser_core.geometry.clustered import Estimate
from ser_core.plots import rows
from ser_core.plots.colours import GREY, oklch, shown
from ser_core.plots.models import SCALE

Floats = NDArray[np.float64]
METHODS: Final = {
    "uae": ("undercomplete autoencoder", oklch(0.60, 0.15, 300), "circle"),
    "dae": ("denoising autoencoder", oklch(0.66, 0.13, 230), "diamond"),
    "pca": ("plane of PCA", oklch(0.66, 0.13, 150), "square"),
    "features": ("all values", "#8d8d8d", "cross"),
}
"""Words, colour and shape of each."""
METHOD: Final = 23
"""Height of a method of a place, in pixels; a place is as high as two at least."""
PLANE: Final = 400
TURNED: Final = 380
CELL: Final = 64
SPREAD: Final = 0.62
"""Share of a place's height that its methods take."""


@dataclass(frozen=True)
class Point:
    """A score of a method in a place, 0-1, with its interval, and what else is said of it."""

    place: str
    method: str
    score: Estimate
    note: str


def scores(points: Sequence[Point], *, chance: float) -> go.Figure:
    """Draw scores by place and method, with intervals and the line of chance (P4, Figures 2 and 3)."""
    places = list(dict.fromkeys(one.place for one in points))
    used = [name for name in METHODS if any(one.method == name for one in points)]
    offsets = dict(zip(used, np.linspace(-SPREAD / 2, SPREAD / 2, len(used)) if len(used) > 1 else [0.0], strict=True))
    out = go.Figure(layout=rows.layout(len(places), "recognised: mean recall of the emotions (UAR)"))
    line = {"color": GREY, "width": 1.5, "dash": "dot"}
    out.add_shape(type="line", x0=100 * chance, x1=100 * chance, y0=0, y1=1, yref="paper", line=line)
    for method in used:
        words, ink, symbol = METHODS[method]
        own = [one for one in points if one.method == method]
        at = [places.index(one.place) + offsets[method] for one in own]
        told = [not np.isnan(one.score.low) for one in own]
        spans = [
            (row, (one.score.low, one.score.high) if sure else None)
            for row, one, sure in zip(at, own, told, strict=True)
        ]
        whisker: Any = {"line": {"color": ink, "width": 1.5}, "marker": {"color": ink}, "showlegend": False}
        out.add_trace(rows.whiskers(spans, 100.0).update(whisker))
        says = [f"<b>{shown(one.place)}</b>, {words}: {_percent(one.score)}<br>{shown(one.note)}" for one in own]
        out.add_trace(
            go.Scatter(
                x=[100 * one.score.value for one in own], y=at, mode="markers", name=words, text=says,
                hovertemplate="%{text}<extra></extra>", cliponaxis=False,
                marker={"size": 10, "color": ink, "symbol": symbol},
            )
        )  # fmt: skip
    height = METHOD * max(2, len(used)) * len(places) + 90
    out.update_layout(showlegend=len(used) > 1, legend=rows.legend(), height=height, margin_r=24)
    out.update_xaxes(range=[0, 100], dtick=20, ticksuffix=" %")
    for edge in range(1, len(places)):
        out.add_shape(
            type="line", x0=0, x1=1, xref="paper", y0=edge - 0.5, y1=edge - 0.5, line={"color": rows.FAINT, "width": 1}
        )
    return out.update_yaxes(rows.places([shown(one) for one in places]))


def plane(
    points: Floats,
    words: Sequence[str],
    *,
    axes: tuple[str, str],
    span: tuple[tuple[float, float], tuple[float, float]],
    margins: Mapping[str, tuple[Floats, Floats]],
    at: tuple[Floats, Floats],
    chosen: int | None,
) -> go.Figure:
    """Draw clips by two numbers, and how each emotion is spread along either (P4, Figure 4 a-f).

    The row of a clip travels as ``customdata``.

    Parameters
    ----------
    points, words
        Shape (n, 2), NaN for those not to be drawn, and the emotion of each.
    span
        Both ends of both axes, the same for all places that are compared.
    margins
        By emotion, densities along the first and the second axis at the values ``at``.
    chosen
        Row of a clip to be ringed, None for none.
    """
    out = make_subplots(
        rows=2, cols=2, shared_xaxes=True, shared_yaxes=True, column_widths=[0.86, 0.14], row_heights=[0.15, 0.85],
        horizontal_spacing=0.015, vertical_spacing=0.02,
    )  # fmt: skip
    labels, there = np.array(words, object), ~np.isnan(points[:, 0])
    for word in sorted(set(words), key=_rank):
        of, style = there & (labels == word), emotions.style(word)
        out.add_trace(
            go.Scatter(
                x=points[of, 0].astype(np.float32), y=points[of, 1].astype(np.float32), mode="markers",
                name=shown(word), customdata=np.flatnonzero(of).astype(np.int32), opacity=0.75,
                marker={"size": 6, "color": style.colour, "symbol": style.symbol},
                hovertemplate=f"{shown(word)}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>",
            ), 2, 1,
        )  # fmt: skip
        if word in margins:
            line: Any = {"mode": "lines", "line": {"color": style.colour, "width": 1.5}, "showlegend": False}
            line |= {"hoverinfo": "skip"}
            out.add_trace(go.Scatter(x=at[0], y=margins[word][0], **line), 1, 1)
            out.add_trace(go.Scatter(x=margins[word][1], y=at[1], **line), 2, 2)
    if chosen is not None and there[chosen]:
        ring: Any = {"size": 15, "symbol": "circle-open", "color": "#ff9214", "line": {"width": 3}}
        out.add_trace(
            go.Scatter(x=[points[chosen, 0]], y=[points[chosen, 1]], mode="markers", marker=ring, hoverinfo="skip",
                       showlegend=False), 2, 1,
        )  # fmt: skip
    out.update_layout(rows.bare() | {"height": PLANE, "showlegend": True, "hovermode": "closest"})
    out.update_layout(legend=rows.legend() | {"y": 1.04}, margin={"l": 0, "r": 4, "t": 40, "b": 0})
    hidden: Any = {"visible": False, "fixedrange": True}
    out.update_xaxes(hidden, row=1).update_yaxes(hidden, row=1).update_xaxes(hidden, col=2).update_yaxes(hidden, col=2)
    plain: Any = {"visible": True, "zeroline": False, "gridcolor": rows.FAINT}
    out.update_xaxes(title={"text": axes[0], "standoff": 6}, range=span[0], row=2, col=1, **plain)
    return out.update_yaxes(title={"text": axes[1], "standoff": 8}, range=span[1], row=2, col=1, **plain)


def follows(entries: Sequence[tuple[str, Estimate]], *, title: str) -> go.Figure:
    """Draw correlations with their intervals, -1 to 1, the first above."""
    names = [shown(name) for name, _ in entries]
    spans = [(row, None if np.isnan(one.low) else (one.low, one.high)) for row, (_, one) in enumerate(entries)]
    says = [f"<b>{name}</b>: {_signed(one)}" for name, (_, one) in zip(names, entries, strict=True)]
    points = go.Scatter(
        x=[one.value for _, one in entries], y=list(range(len(entries))), mode="markers", text=says,
        hovertemplate="%{text}<extra></extra>", marker={"size": 11, "color": rows.BAR}, cliponaxis=False,
    )  # fmt: skip
    out = go.Figure([rows.whiskers(spans, 1.0), points], rows.layout(len(entries), title))
    out.update_xaxes(range=[-1, 1], dtick=0.5, zeroline=True, zerolinecolor=rows.WHISKER, zerolinewidth=1.5)
    return out.update_layout(margin_r=16).update_yaxes(rows.places(names))


def turned(
    names: Sequence[str], *, learnt: Floats, there: Floats, brought: Floats, titles: tuple[str, str]
) -> go.Figure:
    """Draw the centres of emotions in the corpus that was learnt from (open) and in another (filled).

    ``learnt``, ``there`` and ``brought``, after it was shifted and turned, are (E, 2); NaN for what one has not.
    """
    out = make_subplots(rows=1, cols=2, subplot_titles=[shown(one) for one in titles], shared_yaxes=True)
    for column, own in enumerate((there, brought), start=1):
        for number, name in enumerate(names):
            ink = emotions.style(name).colour
            ends = np.array([learnt[number], own[number]])
            if np.isnan(ends).any():
                continue
            out.add_trace(
                go.Scatter(
                    x=ends[:, 0], y=ends[:, 1], mode="lines+markers", name=shown(name), showlegend=column == 1,
                    line={"color": ink, "width": 1.5, "dash": "dot"},
                    marker={"size": 12, "color": ink, "symbol": ["circle-open", "circle"],
                            "line": {"width": 2, "color": ink}},
                    hovertemplate=f"{shown(name)}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>",
                ), 1, column,
            )  # fmt: skip
    out.update_layout(rows.bare() | {"height": TURNED, "showlegend": True, "hovermode": "closest"})
    out.update_layout(legend=rows.legend() | {"y": 1.12}, margin={"l": 0, "r": 8, "t": 64, "b": 0})
    out.update_annotations(font_size=13)
    ends = np.concatenate([learnt, there, brought])
    low, high = np.nanmin(ends) - 0.3, np.nanmax(ends) + 0.3
    axis: Any = {"zeroline": False, "gridcolor": rows.FAINT, "range": [low, high], "fixedrange": True}
    out.update_xaxes(title={"text": "number 1", "standoff": 6}, **axis)
    out.update_yaxes(**axis).update_yaxes(title={"text": "number 2", "standoff": 8}, col=1)
    return out.update_yaxes(scaleanchor="x", col=1).update_yaxes(scaleanchor="x2", col=2)


def matrix(values: Floats, *, learnt: Sequence[str], tried: Sequence[str], says: Sequence[Sequence[str]]) -> go.Figure:
    """Draw scores, 0-1, of corpora that were learnt from (rows) on others (columns); NaN where nothing is known."""
    text = [["" if np.isnan(value) else f"{100 * value:.0f}" for value in line] for line in values]
    heat = go.Heatmap(
        z=values, zmin=0, zmax=1, colorscale=SCALE, showscale=False, xgap=2, ygap=2, text=text,
        texttemplate="%{text}", customdata=[list(line) for line in says], hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    out = go.Figure(
        heat, rows.bare() | {"height": CELL * len(learnt) + 90, "margin": {"l": 0, "r": 8, "t": 60, "b": 0}}
    )
    still: Any = {"fixedrange": True, "showgrid": False, "zeroline": False}
    out.update_xaxes(
        tickvals=list(range(len(tried))), ticktext=[shown(one) for one in tried], side="top",
        title={"text": "tried on"}, **still,
    )  # fmt: skip
    return out.update_yaxes(
        tickvals=list(range(len(learnt))), ticktext=[f"{shown(one)}  " for one in learnt], autorange="reversed",
        title={"text": "learnt from"}, **still,
    )  # fmt: skip


def _percent(score: Estimate) -> str:
    said = f"{100 * score.value:.1f} %"
    return said if np.isnan(score.low) else f"{said} ({100 * score.low:.1f} to {100 * score.high:.1f})"


def _signed(one: Estimate) -> str:
    values = [f"{value:+z.2f}".replace("-", "\u2212") for value in (one.value, one.low, one.high)]
    return values[0] if np.isnan(one.low) else f"{values[0]} ({values[1]} to {values[2]})"


def _rank(word: str) -> tuple[int, str]:
    order = list(emotions.EMOTIONS)
    common = emotions.common_name(word)
    return (order.index(common) if common in order else len(order), word)
