"""Two encoders side by side: one map beside the other, their curves from layer to layer, and which layers are alike."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ser_core.layers import MEASURES, Layers
from ser_core.plots import distances, rows
from ser_core.plots.colours import GREY, oklch, shown
from ser_core.plots.models import FEW, SCALE, WHITE

Floats = NDArray[np.float64]
SIDES: Final = {
    "A": (rows.BAR, "circle", "solid", "rgba(79,138,193,0.16)"),
    "B": (oklch(0.64, 0.13, 45), "diamond", "dash", "rgba(199,117,73,0.16)"),
}
"""Colour, shape and dash of each, and the colour of its band."""
TITLES: Final = {
    "silhouette": "Silhouette, all dimensions",
    "recall": "Emotion told by neighbours",
    "correlation": "Circular correlation",
}
UNITS: Final = {"silhouette": 1.0, "recall": 100.0, "correlation": 1.0}
MAP: Final = 440
"""Height of each of two maps, in pixels."""
SMALLER: Final = 0.75
"""Points, beside those of a map that has a page for itself."""
CURVES: Final = 320
CELL: Final = 36
"""Height of a layer of A among those of B."""
HIGHEST: Final = 560
COUNTED: Final = 6
"""Up to so many layers each has its number on the axis, which plotly would else divide into halves."""
WRITTEN: Final = 14
"""Up to so many layers of B, numbers are written into the cells."""


def dress(figure: go.Figure, *, span: Floats, titles: Sequence[str]) -> go.Figure:
    """Give a map the axes that it shares with the other one: both ends of each, (n_components, 2), and their titles."""
    axes: dict[str, Any] = {
        f"{name}axis": {"title": {"text": shown(title)}, "range": ends.tolist()}
        for name, title, ends in zip("xyz", titles, span, strict=False)
    }
    lengths = span[:, 1] - span[:, 0]
    ratio = dict(zip("xyz", (lengths / np.prod(lengths) ** (1 / len(lengths))).tolist(), strict=False))
    figure.update_layout(height=MAP)
    figure.for_each_trace(lambda one: one.update(marker_size=SMALLER * one.marker.size), {"mode": "markers"})
    box = {"aspectmode": "manual", "aspectratio": ratio}  # else each would have the shape of its own clips
    return figure.update_layout(axes if len(span) == 2 else {"scene": axes | box})


def curves(found: Layers, *, chosen: tuple[int, int], chance: float | None) -> go.Figure:
    """Draw what is followed from layer to layer, of A and of B, with bands for 95 %; a ring around the layers chosen.

    An encoder of one layer is a level line. ``chance`` is the recall of guessing, 0-1.
    """
    out = make_subplots(rows=1, cols=len(MEASURES), subplot_titles=list(TITLES.values()), horizontal_spacing=0.075)
    for column, name in enumerate(MEASURES, start=1):
        for (letter, values), layer in zip((("A", found.a), ("B", found.b)), chosen, strict=True):
            for trace in _curve(letter, UNITS[name] * values[name], layer, most=max(map(len, _both(found, name)))):
                out.add_trace(trace.update(showlegend=bool(trace.showlegend) and column == 1), 1, column)
    if chance is not None:
        line = {"color": GREY, "width": 1.5, "dash": "dot"}
        out.add_shape(type="line", x0=0, x1=1, xref="x2 domain", y0=100 * chance, y1=100 * chance, yref="y2", line=line)
    out.update_layout(rows.bare() | {"height": CURVES, "showlegend": True, "hovermode": "closest"})
    out.update_layout(
        legend=rows.legend() | {"y": 1.14, "traceorder": "normal"}, margin={"l": 0, "r": 8, "t": 70, "b": 0}
    )
    out.update_annotations(font_size=13)
    still: Any = {"fixedrange": True, "zeroline": False}
    few = max(len(one["silhouette"]) for one in (found.a, found.b)) <= COUNTED
    out.update_xaxes(title={"text": "layer", "standoff": 6}, showgrid=False, dtick=1 if few else None, **still)
    out.update_yaxes(gridcolor=rows.FAINT, **still)
    return out.update_yaxes(ticksuffix=" %", col=2)


def cka(values: Floats, *, layers: tuple[Sequence[str], Sequence[str]], chosen: tuple[int, int]) -> go.Figure:
    """Draw how alike (CKA) every layer of A (rows) is to every one of B (columns), with a frame around the chosen two.

    ``layers`` are the names of the layers of both, to be said under the pointer.
    """
    n, m = values.shape
    ends = [[shown(name) for name in names] for names in layers]
    says = [[f"A, layer {a}<br>B, layer {b}" for b in ends[1]] for a in ends[0]]
    heat = go.Heatmap(
        z=values, zmin=0, zmax=1, colorscale=SCALE, showscale=False, xgap=1, ygap=1, customdata=says,
        hovertemplate="%{customdata}<br>CKA %{z:.3f}<extra></extra>",
    )  # fmt: skip
    out = go.Figure(heat, rows.bare() | {"height": min(HIGHEST, CELL * n + 80)})
    if m <= WRITTEN:
        out.update_layout(annotations=[_written(i, j, values[i, j]) for i in range(n) for j in range(m)])
    out.add_shape(distances.frame(*chosen))
    still: Any = {"fixedrange": True, "showgrid": False, "zeroline": False, "tickmode": "array"}
    out.update_xaxes(_steps(m) | still, title={"text": "layer of B", "standoff": 8}, side="top", range=[-0.5, m - 0.5])
    out.update_yaxes(_steps(n) | still, title={"text": "layer of A", "standoff": 8}, range=[n - 0.5, -0.5])
    return out.update_layout(margin={"l": 60, "r": 8, "t": 64, "b": 4})


def _both(found: Layers, name: str) -> tuple[Floats, Floats]:
    return found.a[name], found.b[name]


def _curve(letter: str, values: Floats, chosen: int, *, most: int) -> list[go.Scatter]:
    """Return band, line and ring of one measure of one encoder, (n_layers, 3)."""
    ink, symbol, dash, pale = SIDES[letter]
    x, y, marks = list(range(len(values))), values, "lines+markers"
    if len(values) == 1 < most:
        x, y, marks = [0, most - 1], values.repeat(2, axis=0), "lines"
    out = []
    if np.isfinite(y[:, 1:]).all():
        quiet: Mapping[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        out += [
            go.Scatter(x=x, y=y[:, 1], **quiet),
            go.Scatter(x=x, y=y[:, 2], fill="tonexty", fillcolor=pale, **quiet),
        ]
    says = [f"{letter}, layer {k}: {_number(*line)}" for k, line in zip(x, y, strict=True)]
    out.append(
        go.Scatter(
            x=x, y=y[:, 0], mode=marks, name=letter, text=says, hovertemplate="%{text}<extra></extra>",
            line={"color": ink, "width": 2, "dash": dash}, marker={"color": ink, "symbol": symbol, "size": 7},
            cliponaxis=False, showlegend=True,
        )
    )  # fmt: skip
    if len(values) > 1:
        ring = {"symbol": f"{symbol}-open", "size": 16, "color": ink, "line": {"width": 2.5, "color": ink}}
        out.append(
            go.Scatter(x=[chosen], y=[y[chosen, 0]], mode="markers", marker=ring, hoverinfo="skip", showlegend=False,
                       cliponaxis=False)
        )  # fmt: skip
    return out


def _number(value: float, low: float, high: float) -> str:
    digits = 1 if abs(value) > 1 else 2
    said = [f"{one:.{digits}f}".replace("-", "\u2212") for one in (value, low, high)]
    return said[0] if np.isnan(low) else f"{said[0]} (95 %: {said[1]} to {said[2]})"


def _written(row: int, column: int, value: float) -> dict[str, Any]:
    """Write a number into a cell; into a pale one in the ink of the page."""
    ink = {"color": WHITE} if value >= FEW else {}
    text = f"{value:z.2f}".replace("-", "\u2212")
    return {"x": column, "y": row, "text": text, "showarrow": False, "font": {"size": 11} | ink}


def _steps(n: int) -> dict[str, Any]:
    """Return an axis of layers, of many every second or so."""
    every = range(0, n, 1 + n // 20)
    return {"tickvals": list(every), "ticktext": [str(k) for k in every]}
