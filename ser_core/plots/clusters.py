"""The clouds of the emotions: their outlines over a map, what the variance goes with, how well they part, overlap."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core.geometry import density
from ser_core.geometry.density import Densities, Gaussian, Overlap
from ser_core.geometry.separation import Share
from ser_core.plots import distances, rows
from ser_core.plots.colours import GREY, shown

OUTLINE: Final = "outline"
"""``meta`` of every outline of a cloud: it is no clip."""
LOOK: Final = {0.5: (2.6, "solid", 0.12), 0.9: (2.0, "dash", 0.08), 0.95: (1.6, "dot", 0.05)}
"""Share of clips inside -> width and dash of a line in 2-D, opacity of a surface in 3-D where there are many."""
FEW: Final = 3
"""Up to so many clouds are drawn twice as opaque."""
N_POINTS: Final = {2: 73, 3: 33}
"""Of an outline, by dimensions."""
FADED: Final = 0.16


def outlines(
    densities: Densities, *, levels: Sequence[float], names: Sequence[str], inks: Mapping[str, str]
) -> list[go.Scatter | go.Mesh3d]:
    """Return the outlines of emotions' clouds on a map, as traces to lay over its points.

    Parameters
    ----------
    levels
        Shares of a cloud's clips inside, of those in `LOOK`.
    names
        The emotions to outline.
    inks
        The colour of each.
    """
    drawn = [one for one in densities.parts if one.name in names]
    denser = 2.0 if len(drawn) <= FEW else 1.0
    return [
        _outline(part, level, name=one.name, ink=inks[one.name], denser=denser)
        for one in drawn
        for part in one.components
        for level in sorted(levels, reverse=True)
    ]


def dress(figure: go.Figure, *, names: Sequence[str] | None) -> None:
    """Make the outlines go with their points in the legend, and fade all points but those of ``names``; None: no one.

    The same again changes nothing, so that the picture stays the same to whoever shows it.
    """
    traces: tuple[Any, ...] = tuple(figure.data)
    points = {trace.name: trace for trace in traces if trace.customdata is not None}
    kept = set(points) if names is None else {shown(name) for name in names}
    for name, trace in points.items():
        trace.legendgroup = name
        trace.opacity = 1.0 if name in kept else FADED
    for trace in traces:
        if trace.meta == OUTLINE and trace.name in points:
            trace.visible = points[trace.name].visible


def shares(found: Sequence[Share]) -> go.Figure:
    """Draw the variance that each factor explains alone (bar) and adds to all the others (diamond), in per cent."""
    words = [shown(one.factor) for one in found]
    inks = [rows.BAR if one.factor == "emotion" else rows.REST for one in found]
    bars = go.Bar(x=[100 * one.alone for one in found], y=words, orientation="h", marker={"color": inks}, name="alone")
    bars.hovertemplate = "%{y} alone: %{x:.1f} %<extra></extra>"
    marker = {"symbol": "diamond", "size": 10, "color": GREY, "line": {"width": 1.5, "color": "#ffffff"}}
    own = go.Scatter(x=[100 * one.unique for one in found], y=words, mode="markers", marker=marker, name="added")
    own.cliponaxis = False
    own.hovertemplate = "%{y}, beyond all others: %{x:.1f} %<extra></extra>"
    spans = [(word, one.alone_95) for word, one in zip(words, found, strict=True)]
    layout = rows.layout(len(found), "variance on the map (%)")
    layout["xaxis"]["rangemode"] = "tozero"
    return go.Figure([bars, rows.whiskers(spans, 100.0), own], layout)


def silhouettes(
    names: Sequence[str],
    means: Sequence[float],
    intervals: Sequence[tuple[float, float] | None],
    *,
    inks: Mapping[str, str],
) -> go.Figure:
    """Draw the mean silhouette of each emotion, -1 to 1, with its interval where there is one."""
    words = [shown(name) for name in names]
    bars = go.Bar(x=list(means), y=words, orientation="h", marker={"color": [inks[name] for name in names]})
    bars.hovertemplate = "%{y}: %{x:.2f}<extra></extra>"
    layout = rows.layout(len(names), "silhouette: below 0 nearer to another emotion, above 0 to its own")
    layout["xaxis"] |= {"zeroline": True, "zerolinecolor": rows.WHISKER, "zerolinewidth": 1.5}
    return go.Figure([bars, rows.whiskers(list(zip(words, intervals, strict=True)), 1.0)], layout)


def overlap(found: Overlap, *, marked: tuple[str, str] | None) -> go.Figure:
    """Draw the overlap of every two emotions, in the colours of distance: violet much, green little.

    ``marked`` are two emotions whose squares are framed; squares are told apart as in `distances.matrix`.
    """
    texts = [[f"{value:.2f}" for value in row] for row in found.coefficient]
    hovers = [
        [a if a == b else f"{a} and {b}: {text}" for b, text in zip(found.names, row, strict=True)]
        for a, row in zip(found.names, texts, strict=True)
    ]
    pair = None if marked is None else (found.names.index(marked[0]), found.names.index(marked[1]))
    return distances.matrix(found.names, 1 - found.coefficient, texts=texts, hovers=hovers, pair=pair)


def _outline(part: Gaussian, level: float, *, name: str, ink: str, denser: float) -> go.Scatter | go.Mesh3d:
    width, dash, opacity = LOOK[level]
    line = density.boundary(part, level=level, n_points=N_POINTS[len(part.mean)]).astype(np.float32)
    common: dict[str, Any] = {
        "name": shown(name), "legendgroup": shown(name), "showlegend": False, "hoverinfo": "skip", "meta": OUTLINE,
    }  # fmt: skip
    if line.shape[-1] == 2:
        style = {"color": ink, "width": width, "dash": dash}
        return go.Scatter(x=line[:, 0], y=line[:, 1], mode="lines", line=style, **common)
    common |= zip("xyz", line.reshape(-1, 3).T, strict=True)
    common |= zip("ijk", _triangles(*line.shape[:2]), strict=True)
    light = {"ambient": 0.75, "diffuse": 0.5, "specular": 0.05}
    return go.Mesh3d(**common, color=ink, opacity=opacity * denser, lighting=light)


def _triangles(n_around: int, n_down: int) -> NDArray[np.int32]:
    """Return the corners of the two triangles of every field of a grid, shape (3, n_triangles)."""
    at = np.arange(n_around * n_down, dtype=np.int32).reshape(n_around, n_down)
    a, b, c, d = (part.ravel() for part in (at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]))
    return np.stack([np.concatenate([a, a]), np.concatenate([b, c]), np.concatenate([c, d])])
