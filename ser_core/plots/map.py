"""A map (`ser_core.maps.Map`) as a turning cloud or a flat picture."""

import zlib
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core.maps import Map
from ser_core.plots.colours import GREY, NOT_GIVEN, Category, Colouring, shown

NEIGHBOURS: Final = "neighbours"
IN_HAND: Final = "in hand"
"""``meta`` of the two empty traces that whoever shows the figure fills: lines to the neighbours, a ring."""
Trace: TypeAlias = go.Scattergl | go.Scatter3d
FAINT: Final = "rgba(128,128,128,0.28)"
LINE: Final = "#8d8d8d"
"""Of 3-D axes, where nothing can be seen through: visible on both themes."""
HEIGHT: Final = 600
VIEWPOINT: Final = (1.5, 1.5, 0.96)
"""Where the eye is, seen from the middle of the cloud, in plotly's unit of length."""


def figure(
    drawn: Map,
    colouring: Colouring,
    *,
    labels: Sequence[str],
    rows: NDArray[np.int32],
    camera: Sequence[float] | None = None,
    hidden: Collection[str] = (),
    picked: Collection[int] | None = None,
) -> go.Figure:
    """Draw clips as points.

    Parameters
    ----------
    labels
        What to show of each clip under the pointer, one per clip; as text, tags are switched off.
    rows
        The clips to draw; the row number travels as ``customdata``.
    camera
        Where to look from: x, y, z of the eye and then of the centre in 3-D; x from, to, y from, to in 2-D.
    hidden
        Names of categories that start switched off in the legend.
    picked
        Rows that start as selected in 2-D.
    """
    kept = np.zeros(len(drawn.projection.coordinates), bool)
    kept[rows] = True
    parts = _parts(colouring, kept)
    texts = np.array([shown(label) for label in labels], object)
    draw = _Points(drawn, texts, _size(len(rows)), None if picked is None else np.array(sorted(picked), np.int32))
    traces = [draw.trace(part, marker, hidden=part.name in hidden, legend=legend) for part, marker, legend in parts]
    return go.Figure([*traces, *_overlays(draw.flat)], _layout(drawn, colouring, camera))


class _Points:
    """Makes traces of rows of one map."""

    def __init__(self, drawn: Map, texts: NDArray[np.object_], size: float, picked: NDArray[np.int32] | None) -> None:
        self._xyz = drawn.projection.coordinates
        self._texts, self._size, self._picked = texts, size, picked
        self.flat = drawn.view.n_components == 2

    def trace(
        self, part: Category, marker: dict[str, Any], *, hidden: bool, legend: bool
    ) -> go.Scatter3d | go.Scattergl:
        rows = part.rows
        common: dict[str, Any] = {
            "x": self._xyz[rows, 0],
            "y": self._xyz[rows, 1],
            "mode": "markers",
            "name": shown(part.name),
            "customdata": rows,
            "text": list(self._texts[rows]),
            "hovertemplate": "%{text}<extra></extra>",
            "showlegend": legend,
            "visible": "legendonly" if hidden else True,
            "marker": {"size": self._size * (1.35 if part.symbol == "circle" and self.flat else 1.0), **marker},
        }
        if not self.flat:
            return go.Scatter3d(z=self._xyz[rows, 2], **common)
        if self._picked is not None:
            common["selectedpoints"] = np.flatnonzero(np.isin(rows, self._picked)).astype(np.int32)
        return go.Scattergl(**common, unselected={"marker": {"opacity": 0.15}})


def _parts(colouring: Colouring, kept: NDArray[np.bool_]) -> list[tuple[Category, dict[str, Any], bool]]:
    """Return the traces to make: rows, marker, and whether the legend names them."""
    if colouring.values is None:
        parts = [
            Category(part.name, part.colour, part.symbol, part.rows[kept[part.rows]]) for part in colouring.categories
        ]
        return [(part, _marker(part.colour, part.symbol), True) for part in parts]
    values, missing = colouring.values, colouring.missing
    given = np.flatnonzero(kept & ~np.isnan(values)).astype(np.int32)
    steps = len(colouring.scale) - 1
    marker: dict[str, Any] = {
        "color": values[given],
        "colorscale": [[number / steps, colour] for number, colour in enumerate(colouring.scale)],
        "showscale": colouring.legend,
        "line": {"width": 0},
    }
    if not colouring.legend:
        marker |= {"cmin": 0, "cmax": 1}
    else:
        marker["colorbar"] = _bar(colouring)
    parts = [(Category(colouring.title, GREY, "circle", given), marker, False)]
    if missing is not None and len(rest := missing[kept[missing]]):
        parts.append((Category(NOT_GIVEN, GREY, "circle-open", rest), _marker(GREY, "circle-open"), True))
    return parts


def _marker(colour: str, symbol: str) -> dict[str, Any]:
    """Open shapes are all outline, full ones have none."""
    return {
        "color": colour,
        "symbol": symbol,
        "line": {"color": colour, "width": 1.5 if symbol.endswith("-open") else 0},
    }


def _bar(colouring: Colouring) -> dict[str, Any]:
    bar: dict[str, Any] = {"title": {"text": shown(colouring.title)}, "thickness": 10, "len": 0.6, "outlinewidth": 0}
    if colouring.ticks:
        at, text = zip(*colouring.ticks, strict=True)
        bar |= {"tickvals": at, "ticktext": text}
    return bar


def _overlays(flat: bool) -> list[Trace]:  # noqa: FBT001
    kind = go.Scattergl if flat else go.Scatter3d
    empty: dict[str, Any] = {"x": [None], "y": [None], "showlegend": False, "hoverinfo": "skip"}
    if not flat:
        empty["z"] = [None]
    lines = kind(**empty, mode="lines", line={"color": GREY, "width": 1.5 if flat else 3}, meta=NEIGHBOURS)
    ring = {"symbol": "circle-open", "size": 18 if flat else 15, "color": GREY, "line": {"width": 3, "color": GREY}}
    return [lines, kind(**empty, mode="markers", marker=ring, meta=IN_HAND)]


def _layout(drawn: Map, colouring: Colouring, camera: Sequence[float] | None) -> dict[str, Any]:
    titles = axis_titles(drawn)
    layout: dict[str, Any] = {
        "height": HEIGHT,
        "margin": {"l": 0, "r": 0, "t": 8, "b": 0},
        # what a reader has zoomed or turned is kept for this map alone: ranges of another would hide it
        "uirevision": f"{drawn.view} {zlib.crc32(drawn.projection.coordinates.tobytes())}",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "closest",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": "#4d7fb8"},
        "legend": {
            "orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom",
            "itemsizing": "constant",
            "title": {"text": ""}, "itemwidth": 30,
        },
    }  # fmt: skip
    if drawn.view.n_components == 2:
        return layout | _flat_axes(titles, camera)
    return layout | {"scene": _scene(titles, camera or usual_camera(drawn))}


def _flat_axes(titles: Sequence[str], camera: Sequence[float] | None) -> dict[str, Any]:
    axes = []
    for number, title in enumerate(titles):
        axis = {"title": {"text": title}, "showgrid": True, "gridcolor": FAINT, "zeroline": False, "showline": False}
        if camera is not None:
            axis["range"] = list(camera[2 * number : 2 * number + 2])
        axes.append(axis)
    equal = {"scaleanchor": "x", "scaleratio": 1}
    return {"dragmode": "pan", "xaxis": axes[0], "yaxis": axes[1] | equal}


def _scene(titles: Sequence[str], camera: Sequence[float]) -> dict[str, Any]:
    look = {
        "showbackground": False, "gridcolor": LINE, "zerolinecolor": LINE, "linecolor": LINE, "showspikes": False,
        "showticklabels": False,
    }  # fmt: skip
    names = ("xaxis", "yaxis", "zaxis")
    scene: dict[str, Any] = {name: look | {"title": {"text": title}} for name, title in zip(names, titles, strict=True)}
    eye, centre = camera[:3], camera[3:]
    scene["camera"] = {"eye": dict(zip("xyz", eye, strict=True)), "center": dict(zip("xyz", centre, strict=True))}
    return scene | {"aspectmode": "data", "dragmode": "turntable", "bgcolor": "rgba(0,0,0,0)"}


def usual_camera(drawn: Map) -> tuple[float, ...]:
    """Return a camera that looks at the middle of the cloud, where most clips are, outliers or not."""
    xyz = drawn.projection.coordinates
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    unit = float(np.cbrt(np.prod(np.maximum(high - low, 1e-9))))  # plotly's unit of length in a scene
    centre = (np.median(xyz, axis=0) - (low + high) / 2) / unit
    centre[2] -= 0.1  # seen from above, the cloud then stands in the middle of the picture
    return tuple(round(float(value), 3) for value in (*(centre + VIEWPOINT), *centre))


def axis_titles(drawn: Map) -> list[str]:
    """Return what each axis is: a principal component with the variance it explains, or a UMAP axis."""
    explained = drawn.projection.explained_variance
    numbers = range(drawn.view.n_components)
    if explained is None:
        return [f"UMAP {number + 1}" for number in numbers]
    return [f"PC {number + 1} ({100 * explained[number]:.1f} %)" for number in numbers]


def _size(n: int) -> float:
    """Return the marker size in pixels: smaller the more there are."""
    return float(np.interp(np.log10(max(n, 1)), [2, 3, 4, 5], [7.0, 5.0, 3.0, 2.0]))
