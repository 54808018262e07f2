"""One person's clips on the plane of affect (`ser_core.timeline`): a heat map that moves through the days."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core.geometry.russell import ANCHORS, russell
from ser_core.plots.colours import CYCLIC, GREY, Category, Colouring, shown
from ser_core.timeline import REACH, Span

HEIGHT: Final = 720
FAINT: Final = "rgba(128,128,128,0.28)"
AXIS: Final = "rgba(128,128,128,0.5)"
INK: Final = "#4d7fb8"
"""Of the buttons: to be read on both themes and on the pale blue that plotly gives a button under the pointer."""
HEAT: Final = tuple((step / 4, f"rgba(84,118,160,{seen:g})") for step, seen in enumerate((0, 0.32, 0.56, 0.76, 0.92)))
"""From nothing, so that it lies on a light and on a dark page, to a grey blue that leaves emotions their colours."""
EDGE: Final = "rgba(255,255,255,0.9)"
LEVELS: Final = 255
"""Of the heat map: what the eye tells apart, at an eighth of the bytes."""
DOTS: Final = {
    "mode": "markers",
    "hovertemplate": "%{text}<extra></extra>",
    "showlegend": False,
    "unselected": {"marker": {"opacity": 1}},  # a clicked clip must not fade the others
}
RIM: Final = 0.98 * REACH
"""Where clips that lie beyond the edge of the picture are drawn: none is to be missed."""
FRAME_MS: Final = 900
CLEAR: Final = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}


def plane(
    spans: Sequence[Span],
    members: Sequence[NDArray[np.intp]],
    points: NDArray[np.float64],
    *,
    colouring: Colouring,
    names: Sequence[str],
    grid: NDArray[np.float64],
    labels: Sequence[str],
    rows: NDArray[np.intp],
    first: int,
) -> go.Figure:
    """Draw the density of clips over Russell's plane, a frame for each span, with a slider and a button to play them.

    Parameters
    ----------
    spans
        The frames, in this order; all share one scale of colours.
    members
        For each span, which points are its clips.
    points
        Valence and arousal of each clip, shape (n_clips, 2); those beyond the edge are drawn at it.
    colouring
        Of the points: by categories, or by values on a scale.
    names
        What the slider calls the spans, each differently.
    grid
        Values of both axes at which the spans' densities are given.
    labels
        What to show of each clip under the pointer; as text, tags are switched off.
    rows
        Number of each clip among all that there are: travels as ``customdata``.
    first
        Number of the span that is shown at first.
    """
    peak = max(float(span.density.max()) for span in spans)
    each, all_alike = _looks(colouring, len(points))
    told = np.array([_told(shown(label), *point) for label, point in zip(labels, points, strict=True)], object)
    seen = np.clip(points, -RIM, RIM).astype(np.float32)
    frames = []
    for name, span, own in zip(names, spans, members, strict=True):
        heat = {"type": "heatmap", "z": np.rint(LEVELS * span.density / peak).astype(np.uint8)}
        dots = {"type": "scatter", "x": seen[own, 0], "y": seen[own, 1], "text": list(told[own])}
        dots |= {"customdata": rows[own].astype(np.int32), "marker": _nested({key: each[key][own] for key in each})}
        frames.append({"name": name, "traces": [0, 2], "data": [heat, dots]})
    heat, dots = frames[first]["data"]
    dots = {**dots, **DOTS, "marker": {"size": 10, **all_alike, **dots["marker"]}}
    layout = _layout(colouring) | {"sliders": [_slider(names, first)], "updatemenus": [_buttons()]}
    return go.Figure([{**_heat(grid), **heat}, _words(), dots, *_legend(colouring)], layout, frames)


def by_hour(times: pd.DatetimeIndex) -> Colouring:
    """Colour clips by the time of day at which they were recorded; all alike where only days are known."""
    hours = ((times - times.normalize()) / pd.Timedelta(hours=1)).to_numpy(np.float32)
    if not hours.any():
        return Colouring("clips", (Category("clip", GREY, "circle", np.arange(len(times), dtype=np.int32)),))
    ticks = tuple((float(hour), f"{hour} h") for hour in range(0, 25, 6))
    return Colouring("time of day", (), hours, np.array([], np.int32), CYCLIC, ticks)


def _heat(grid: NDArray[np.float64]) -> dict[str, Any]:
    """Return what the heat maps of all frames share."""
    axis = grid.astype(np.float32)
    bar = {"title": {"text": "clips"}, "thickness": 10, "len": 0.5, "outlinewidth": 0}
    bar |= {"tickvals": [0, LEVELS], "ticktext": ["none", "most"]}
    scale = {"colorscale": HEAT, "zmin": 0, "zmax": LEVELS, "colorbar": bar}
    return {"x": axis, "y": axis, "zsmooth": "best", "hoverinfo": "skip", **scale}


def _told(text: str, valence: float, arousal: float) -> str:
    beyond = " (beyond the edge)" if max(abs(valence), abs(arousal)) > REACH else ""
    return f"{text}<br>valence {valence:.2f}, arousal {arousal:.2f}{beyond}"


def _looks(colouring: Colouring, n: int) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the fields of the marker that differ from clip to clip, as arrays, and those that do not."""
    values = colouring.values  # noqa: PD011 (no pandas)
    if values is not None:
        return {"color": values}, _scale(colouring)
    colours, symbols, edges = (np.full(n, filler, object) for filler in (GREY, "circle", EDGE))
    for part in colouring.categories:
        colours[part.rows], symbols[part.rows] = part.colour, part.symbol
        edges[part.rows] = part.colour if part.symbol.endswith("-open") else EDGE
    widths = np.where([symbol.endswith("-open") for symbol in symbols], 2.0, 1.0)
    return {"color": colours, "symbol": symbols, "line.color": edges, "line.width": widths}, {}


def _scale(colouring: Colouring) -> dict[str, Any]:
    steps = len(colouring.scale) - 1
    at, words = zip(*colouring.ticks, strict=True)
    bar = {"title": {"text": shown(colouring.title), "side": "top"}, "orientation": "h", "thickness": 8}
    bar |= {"x": 0.5, "y": 1.0, "yanchor": "bottom", "len": 0.6, "outlinewidth": 0}
    return {
        "colorscale": [[number / steps, colour] for number, colour in enumerate(colouring.scale)],
        "cmin": at[0],
        "cmax": at[-1],
        "colorbar": bar | {"tickvals": at, "ticktext": words},
        "showscale": True,
        "line": {"color": EDGE, "width": 1},
    }


def _nested(fields: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return fields of the marker with those of its outline in a dictionary of their own."""
    line = {name[5:]: field for name, field in fields.items() if name.startswith("line.")}
    own = {name: field for name, field in fields.items() if not name.startswith("line.")}
    return own | ({"line": line} if line else {})


def _legend(colouring: Colouring) -> list[go.Scatter]:
    """Return traces without points that name the categories: those of the frames change, the legend should not."""
    out = []
    for part in colouring.categories if len(colouring.categories) > 1 else ():
        line = {"color": part.colour, "width": 2} if part.symbol.endswith("-open") else {"width": 0}
        marker = {"color": part.colour, "symbol": part.symbol, "size": 10, "line": line}
        out.append(go.Scatter(x=[None], y=[None], mode="markers", name=shown(part.name), marker=marker))
    return out


def _words() -> go.Scatter:
    """Return those of Russell's words that stand for the common emotions, where his readers put them."""
    angles = {word.word: np.radians(word.angle) for word in russell() if word.word in ANCHORS.values()}
    x, y = (1.14 * turn(list(angles.values())) for turn in (np.cos, np.sin))
    font = {"color": GREY, "size": 12}
    return go.Scatter(
        x=x,
        y=y,
        text=list(angles),
        mode="text",
        textfont=font,
        unselected={"textfont": {"color": GREY}},  # a clicked clip must not fade them
        hoverinfo="skip",
        showlegend=False,
    )


def _layout(colouring: Colouring) -> dict[str, Any]:
    axis = {
        "range": [-REACH, REACH], "tickvals": [-1, 0, 1], "showgrid": False, "zeroline": True, "zerolinecolor": AXIS,
        "zerolinewidth": 1, "constrain": "domain", "fixedrange": True,
    }  # fmt: skip
    circle = {"type": "circle", "x0": -1, "x1": 1, "y0": -1, "y1": 1, "line": {"color": AXIS, "width": 1}}
    return {
        "height": HEIGHT,
        "margin": {"l": 0, "r": 0, "t": 36 if colouring.categories else 56, "b": 12},
        **CLEAR,
        "hovermode": "closest",
        "dragmode": False,
        "xaxis": axis | {"title": {"text": "unpleasant  ←  valence  →  pleasant"}},
        "yaxis": axis | {"title": {"text": "quiet  ←  arousal  →  activated"}, "scaleanchor": "x", "scaleratio": 1},
        "shapes": [circle],
        "legend": {
            "orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "itemclick": False, "itemdoubleclick": False,
        },
    }  # fmt: skip


def _slider(names: Sequence[str], first: int) -> dict[str, Any]:
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    return {
        "active": first,
        "steps": [{"label": name, "method": "animate", "args": [[name], at_once]} for name in names],
        "currentvalue": {"prefix": "In the picture: ", "xanchor": "left", "font": {"size": 14}},
        "pad": {"t": 60, "b": 0},
        "x": 0.3,
        "len": 0.7,
        "bgcolor": FAINT,
        "activebgcolor": INK,
        "bordercolor": AXIS,
        "borderwidth": 0,
        "tickcolor": AXIS,
        "ticklen": 4,
        "minorticklen": 3,
        "font": {"size": 11},
    }


def _buttons() -> dict[str, Any]:
    play = {"frame": {"duration": FRAME_MS, "redraw": True}, "fromcurrent": True, "transition": {"duration": 0}}
    pause = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 86},
        "bgcolor": "rgba(0,0,0,0)",
        "bordercolor": AXIS,
        "font": {"size": 12, "color": INK},
        "buttons": [
            {"label": "Play", "method": "animate", "args": [None, play]},
            {"label": "Pause", "method": "animate", "args": [[None], pause]},
        ],
    }
