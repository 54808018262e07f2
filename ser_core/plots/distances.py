"""How far apart the emotions are: a matrix of squares that can be clicked."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core import emotions
from ser_core.plots.colours import GREY, SEQUENTIAL, shown

HEIGHT: Final = 540
INKS: Final = ("#000000", "#ffffff")
FRAME: Final = "#e0362c"
"""Around the pair in hand: on no cell, and seen on both themes."""
CLEAR: Final = "rgba(0,0,0,0)"


def matrix(
    names: Sequence[str],
    values: NDArray[np.float64],
    *,
    texts: Sequence[Sequence[str]],
    hovers: Sequence[Sequence[str]],
    pair: tuple[int, int] | None,
) -> go.Figure:
    """Draw values (k, k) between k emotions, in this order, from the violet of the lowest to the green of the highest.

    The diagonal shows each emotion's own colour and shape. The number of a cell, row by row, travels as ``customdata``
    of the invisible points in the last trace; wherever a cell is clicked, its point is the nearest.

    Parameters
    ----------
    texts, hovers
        What to write into each cell, and what to say under the pointer; as text, tags are switched off.
    pair
        Row and column to put a frame around, there and mirrored.
    """
    k = len(names)
    apart = np.where(np.eye(k, dtype=bool), np.nan, values)
    low, high = float(np.nanmin(apart)), float(np.nanmax(apart))
    return go.Figure(
        [_cells(apart, low, high), _diagonal(names), _targets(hovers)],
        {
            "height": HEIGHT, "margin": {"l": 0, "r": 0, "t": 4, "b": 0}, "showlegend": False, "dragmode": False,
            "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "hovermode": "closest", "hoverdistance": -1,
            "annotations": _written(apart, texts, (low, high)),
            "shapes": [frame(*at) for at in ((pair, pair[::-1]) if pair else ())],
            "xaxis": axis(names) | {"tickangle": 0 if k < 7 else -40, "constraintoward": "left"},
            "yaxis": axis(names) | {"autorange": False, "range": [k - 0.5, -0.5], "scaleanchor": "x"},
        },
    )  # fmt: skip


def colour(value: float, low: float, high: float) -> str:
    """Return the colour of a value on the scale from ``low`` to ``high``, as hex.

    Examples
    --------
    >>> colour(1.0, 1.0, 3.0) == SEQUENTIAL[0], colour(3.0, 1.0, 3.0) == SEQUENTIAL[-1]
    (True, True)
    """
    place = (value - low) / (high - low) * (len(SEQUENTIAL) - 1) if high > low else 0.0
    before = min(int(place), len(SEQUENTIAL) - 2)
    parts = [_parts(SEQUENTIAL[step]) for step in (before, before + 1)]
    mixed = parts[0] + (place - before) * (parts[1] - parts[0])
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


def ink(background: str) -> str:
    """Return black or white, whichever reads better on a colour (contrast as in WCAG 2.2, at least 4.58 : 1).

    Examples
    --------
    >>> ink("#1b5662"), ink("#ffd700")
    ('#ffffff', '#000000')
    """
    light = _luminance(background)
    return INKS[0] if (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) else INKS[1]


def frame(row: int, column: int) -> dict[str, Any]:
    """Return a frame around a cell."""
    box = {"x0": column - 0.48, "x1": column + 0.48, "y0": row - 0.48, "y1": row + 0.48}
    return box | {"type": "rect", "line": {"color": FRAME, "width": 3}}


def axis(names: Sequence[str]) -> dict[str, Any]:
    """Return an axis whose steps are emotions."""
    k = len(names)
    return {
        "tickmode": "array", "tickvals": list(range(k)), "ticktext": [shown(name) for name in names],
        "range": [-0.5, k - 0.5], "showgrid": False, "zeroline": False, "showline": False, "fixedrange": True,
        "constrain": "domain", "automargin": True, "ticks": "", "tickfont": {"size": 13 if k < 13 else 10},
    }  # fmt: skip


def _luminance(colour: str) -> float:
    parts = _parts(colour) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _parts(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], np.float64)


def _cells(apart: NDArray[np.float64], low: float, high: float) -> go.Heatmap:
    steps = len(SEQUENTIAL) - 1
    return go.Heatmap(
        z=apart,
        zmin=low,
        zmax=high if high > low else low + 1,
        colorscale=[[number / steps, ink] for number, ink in enumerate(SEQUENTIAL)],
        showscale=False,
        hoverinfo="skip",
        xgap=2,
        ygap=2,
    )


def _diagonal(names: Sequence[str]) -> go.Scatter:
    styles = [emotions.style(name) for name in names]
    places = np.arange(len(names), dtype=np.int32)
    marker = {"color": [one.colour for one in styles], "symbol": [one.symbol for one in styles], "size": 12}
    still: Any = {"marker": {"opacity": 1}}
    return go.Scatter(
        x=places, y=places, mode="markers", marker=marker, hoverinfo="skip", selected=still, unselected=still
    )


def _targets(hovers: Sequence[Sequence[str]]) -> go.Scatter:
    k = len(hovers)
    rows, columns = (part.ravel().astype(np.int32) for part in np.indices((k, k)))
    none: Any = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=columns,
        y=rows,
        mode="markers",
        marker={"size": 24, "symbol": "square", "color": GREY, "opacity": 0},
        selected=none,
        unselected=none,
        customdata=rows * k + columns,
        text=[shown(text) for row in hovers for text in row],
        hovertemplate="%{text}<extra></extra>",
    )


def _written(
    apart: NDArray[np.float64], texts: Sequence[Sequence[str]], span: tuple[float, float]
) -> list[dict[str, Any]]:
    size = float(np.clip(130 / len(apart), 7, 15))
    return [
        {
            "x": column, "y": row, "text": shown(texts[row][column]), "showarrow": False,
            "font": {"color": ink(colour(float(apart[row, column]), *span)), "size": size},
        }
        for row, column in zip(*np.nonzero(np.isfinite(apart)), strict=True)
    ]  # fmt: skip
