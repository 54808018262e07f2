"""A clip window by window: its path through the map and over Russell's plane, and its affect against time.

Time is a colour, the same in all pictures: a scale of greens, which no emotion has. Windows without a place (silence)
are NaN and leave gaps.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ser_core import emotions
from ser_core.geometry.density import in_order
from ser_core.maps import Map
from ser_core.plots import circumplex
from ser_core.plots import map as map_plot
from ser_core.plots.colours import Colouring, oklch, shown

Trace: TypeAlias = type[go.Scatter] | type[go.Scattergl] | type[go.Scatter3d]
TIME: Final = tuple(oklch(0.40 + 0.115 * step, 0.12 + 0.015 * step, 148 - 5 * step) for step in range(5))
"""Early to late: dark to light green."""
FAINT: Final = "rgba(128,128,128,0.28)"
BAND: Final = "rgba(128,128,128,0.18)"
EDGE: Final = "#8d8d8d"
"""Around points: the ends of the scale are to be seen on both themes."""
HEIGHT: Final = 440
TIME_HEIGHT: Final = 370
BACKDROP: Final = 0.28
"""Opacity of the corpus behind the path."""
FURTHER: Final = 1.1
"""Distance of the camera, of that from a map alone."""
THIN: Final = "rgba(141,141,141,0.6)"
MANY: Final = 60
"""Windows from which on points are small and lines thin."""
MINUTE: Final = 60
"""Seconds from which on time is told in minutes and seconds."""
ENDS: Final = ("<b>start</b>", "<b>end</b>")
AXES: Final = ("arousal", "valence")
"""From top to bottom."""
COLUMNS: Final = ("valence", "arousal")
ABOUT: Final = {"arousal": "quiet ↔ activated", "valence": "unpleasant ↔ pleasant"}


def through_map(
    drawn: Map,
    colouring: Colouring,
    points: NDArray[np.floating],
    *,
    seconds: NDArray[np.float64],
    rows: NDArray[np.int32],
) -> go.Figure:
    """Draw the path over the map, whose clips (those of ``rows``) are faint.

    Parameters
    ----------
    points, seconds
        Where each window lies on the map, shape (n_windows, 2 or 3), and from when to when it goes, (n_windows, 2).
    """
    camera = None if drawn.view.n_components == 2 else _further(map_plot.usual_camera(drawn))
    nothing = [""] * len(drawn.projection.coordinates)
    figure = map_plot.figure(drawn, colouring, labels=nothing, rows=rows, camera=camera)
    clips = [trace for trace in _traces(figure) if trace.meta is None]
    figure.data = clips
    silent = {"hovertemplate": None, "hoverinfo": "skip", "text": None, "customdata": None}
    figure.update_traces(marker_opacity=BACKDROP, showlegend=False, **silent)
    kind = go.Scattergl if camera is None else go.Scatter3d
    figure.add_traces([_named(trace) for trace in clips])
    figure.add_traces(_path(points, seconds, _when(seconds), kind=kind))
    ends = _ends(points)
    figure.update_layout({"height": HEIGHT} | ({"annotations": ends} if camera is None else {}))
    if camera is not None:
        figure.update_layout(scene_annotations=ends)
    return figure


def _traces(figure: go.Figure) -> list[Any]:
    return list(figure.data)


def _further(camera: tuple[float, ...]) -> list[float]:
    """Step back from the cloud: this picture is smaller than a map alone, its titles are not."""
    eye, centre = np.array(camera).reshape(2, 3)
    return [*(centre + FURTHER * (eye - centre)), *centre]


def _named(clips: Any) -> Any:
    """Return a trace without points that names clips in the legend in their full colour; it switches them off, too."""
    clips.legendgroup = clips.name
    nowhere = {axis: [None] for axis in "xyz" if axis in clips}
    look = clips.marker.to_plotly_json() | {"opacity": 1}
    return type(clips)(**nowhere, mode="markers", name=clips.name, legendgroup=clips.name, marker=look)


def over_plane(
    affect: NDArray[np.float64], *, seconds: NDArray[np.float64], limits: tuple[float, float, float, float]
) -> go.Figure:
    """Draw the path over Russell's plane.

    Parameters
    ----------
    affect, seconds
        Valence and arousal of each window, shape (n_windows, 2), and from when to when it goes, the same shape.
    limits
        What is in sight: valence from and to, arousal from and to.
    """
    nobody: dict[str, Any] = {"rows": np.empty(0, np.int32), "texts": [], "in_hand": None}
    figure = circumplex.plane(np.empty((0, 2)), [], limits=limits, height=HEIGHT, **nobody)
    figure.data = [trace for trace in _traces(figure) if trace.type == "scatter"]
    said = [f"{when}<br>valence {x:.2f}, arousal {y:.2f}" for when, (x, y) in zip(_when(seconds), affect, strict=True)]
    figure.add_traces(_path(affect, seconds, said, kind=go.Scatter))
    figure.update_layout(annotations=_ends(affect))
    return figure


def against_time(
    affect: NDArray[np.float64] | None,
    *,
    seconds: NDArray[np.float64],
    length: float,
    half_widths: tuple[float, float] | None,
    nearest: Sequence[str] | None,
) -> go.Figure:
    """Draw arousal and valence against time, and under them which emotion is nearest.

    Parameters
    ----------
    affect, seconds
        Valence and arousal of each window, shape (n_windows, 2), None if there is no plane; from when to when it goes.
    length
        Of the clip in seconds.
    half_widths
        How far around valence and arousal a window's true place may lie, 95 %; None if that is not known.
    nearest
        The nearest emotion of each window, "" for a window without a place; None leaves the strip out.
    """
    tall = [1.0, 1.0] * (affect is not None) + [0.22] * (nearest is not None)
    rows = len(tall)
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, row_heights=tall, vertical_spacing=0.06)
    if affect is not None:
        _add_curves(figure, affect, seconds, half_widths)
    if nearest is not None:
        figure.add_traces(_strip(seconds.mean(axis=1), seconds, nearest), rows, 1)
        figure.update_yaxes(showticklabels=False, showgrid=False, range=[0, 1], row=rows, col=1)
    figure.update_layout(
        height=TIME_HEIGHT if affect is not None else 110, dragmode=False, hovermode="closest", bargap=0,
        barmode="overlay", margin={"l": 64, "r": 8, "t": 26, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "itemclick": False,
                "itemdoubleclick": False, "title": {"text": ""}},
    )  # fmt: skip
    figure.update_xaxes(range=[0, length], fixedrange=True, showgrid=False, zeroline=False, **_ticks(length))
    figure.update_xaxes(title={"text": "time (s)" if length <= MINUTE else "time (min:s)", "standoff": 10}, row=rows)
    figure.update_yaxes(fixedrange=True, zeroline=False)
    return figure


def _reach(affect: NDArray[np.float64], half_widths: tuple[float, float]) -> list[float]:
    """Return from where to where both curves and their bands go: one scale for both, from -1 to 1 at least."""
    low = np.nanmin(affect - half_widths, initial=0)
    high = np.nanmax(affect + half_widths, initial=0)
    return [float(min(-1.1, 1.05 * low)), float(max(1.1, 1.05 * high))]


def _add_curves(
    figure: go.Figure,
    affect: NDArray[np.float64],
    seconds: NDArray[np.float64],
    half_widths: tuple[float, float] | None,
) -> None:
    """Add arousal and valence, each with its band, its line and its points, on one scale."""
    middle, reach = seconds.mean(axis=1), _reach(affect, half_widths or (0.0, 0.0))
    for row, name in enumerate(AXES, 1):
        column = COLUMNS.index(name)
        values = affect[:, column]
        if half_widths is not None:
            figure.add_trace(_band(middle, values, half_widths[column]), row, 1)
        said = [f"{when}<br>{name} {value:.2f}" for when, value in zip(_when(seconds), values, strict=True)]
        places = np.stack([middle, values], axis=1)
        figure.add_traces(_path(places, seconds, said, kind=go.Scatter)[:2], row, 1)
        title = {"text": f"<b>{name}</b><br>{ABOUT[name]}", "font": {"size": 12}, "standoff": 2}
        figure.update_yaxes(range=reach, tickvals=[-1, 0, 1], gridcolor=FAINT, title=title, row=row, col=1)


def _path(
    points: NDArray[np.floating], seconds: NDArray[np.float64], said: Sequence[str], *, kind: Trace
) -> list[go.Scatter | go.Scattergl | go.Scatter3d]:
    """Return line, windows, and the two ends."""
    middle = seconds.mean(axis=1)
    flat = kind is not go.Scatter3d
    small = len(points) > MANY
    marker: dict[str, Any] = {
        "color": middle,
        "colorscale": [[number / (len(TIME) - 1), colour] for number, colour in enumerate(TIME)],
        "cmin": 0,
        "cmax": float(seconds.max()),
        "size": (6 if small else 9) if flat else (5 if small else 8),
        "line": {"color": EDGE, "width": 0.5 if small else 1},
        "opacity": 1,
    }
    silent = {"hoverinfo": "skip", "showlegend": False}
    told = {"text": list(said), "hovertemplate": "%{text}<extra></extra>", "showlegend": False}
    look = {"color": THIN if small else EDGE, "width": (1 if small else 2) * (1 if flat else 2.5)}
    line = kind(**_xyz(points), mode="lines", line=look, meta="path", **silent)
    dots = kind(**_xyz(points), mode="markers", marker=marker, meta="windows", **told)
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    ends = known[[0, -1]] if len(known) > 1 else known
    big = marker | {"color": middle[ends], "symbol": ["circle", "square"][: len(ends)], "size": 13 if flat else 12}
    return [line, dots, kind(**_xyz(points[ends]), mode="markers", marker=big, meta="ends", **silent)]


def _ends(points: NDArray[np.floating]) -> list[dict[str, Any]]:
    """Return the names of the first and the last window that lie somewhere, to be written above all else."""
    known = points[np.isfinite(points).all(axis=1)]
    look = {"showarrow": False, "font": {"size": 13, "shadow": "auto"}}
    return [
        dict(zip("xyz", place.tolist(), strict=False)) | {"text": text, "yshift": shift} | look
        for place, text, shift in zip(known[[0, -1]] if len(known) else (), ENDS, (17, -17), strict=False)
    ]


def _xyz(points: NDArray[np.floating]) -> dict[str, NDArray[np.float32]]:
    return {axis: points[:, number].astype(np.float32) for number, axis in enumerate("xyz"[: points.shape[1]])}


def _band(middle: NDArray[np.float64], values: NDArray[np.float64], half_width: float) -> go.Scatter:
    """Return one closed shape for each unbroken run of windows."""
    x: list[float | None] = []
    y: list[float | None] = []
    for run in _runs(values):
        at, here = middle[run].tolist(), values[run]
        x += [*at, *reversed(at), at[0], None]
        y += [*(here + half_width).tolist(), *(here - half_width)[::-1].tolist(), float(here[0] + half_width), None]
    look = {"mode": "lines", "fill": "toself", "fillcolor": BAND, "line": {"color": BAND, "width": 1}}
    return go.Scatter(x=x, y=y, **look, hoverinfo="skip", showlegend=False, meta="band")


def _runs(values: NDArray[np.float64]) -> Iterator[list[int]]:
    for known, run in groupby(range(len(values)), key=lambda k: bool(np.isfinite(values[k]))):
        if known:
            yield list(run)


def _strip(middle: NDArray[np.float64], seconds: NDArray[np.float64], nearest: Sequence[str]) -> list[go.Bar]:
    """Return a bar for each window, as wide as the way to the next, a trace for each emotion."""
    words, when = np.asarray(nearest, str), _when(seconds)
    ways = np.diff(middle)
    left, right = np.append(ways[:1], ways), np.append(ways, ways[-1:])
    out = []
    for name in in_order(words[words != ""]):
        here = np.flatnonzero(words == name)
        bars = {"x": (middle + (right - left) / 4)[here], "width": ((right + left) / 2)[here], "y": np.ones(len(here))}
        hover = f"%{{customdata}}: {shown(name)}<extra></extra>"
        said = {"customdata": [when[k] for k in here], "hovertemplate": hover}
        marker = {"color": emotions.style(name).colour, "line": {"width": 0}}
        out.append(go.Bar(**bars, **said, marker=marker, name=shown(name), meta="nearest", showlegend=True))
    return out


def _when(seconds: NDArray[np.float64]) -> list[str]:
    return [f"{start:.1f} to {stop:.1f} s" for start, stop in seconds]


def _ticks(length: float) -> dict[str, Any]:
    """Return times at whole steps, from a minute on as minutes and seconds."""
    step = next((step for step in (0.5, 1, 2, 5, 10, 15, 30, 60, 120) if length / step <= 12), 300)
    at = np.arange(0, length + 1e-9, step)
    if length <= MINUTE:
        return {"tickvals": at, "ticktext": [f"{second:g}" for second in at]}
    return {"tickvals": at, "ticktext": [f"{int(second) // 60}:{int(second) % 60:02d}" for second in at]}
