"""What rows of bars or points share: their height, their axes, and intervals as whiskers."""

from collections.abc import Sequence
from typing import Any, Final

import plotly.graph_objects as go

from ser_core.plots.colours import oklch

BAR: Final = oklch(0.62, 0.10, 250)
REST: Final = "rgba(128,128,128,0.55)"
WHISKER: Final = "#8d8d8d"
FAINT: Final = "rgba(128,128,128,0.28)"
ROW: Final = 34
"""Height of a bar with its gap, in pixels."""


def whiskers(spans: Sequence[tuple[str | float, tuple[float, float] | None]], unit: float) -> go.Scatter:
    """Return intervals as lines of their own, beside bars of rows: by resampling, one need not lie around its value.

    ``spans`` are rows, by name or place, with their interval, None where there is none; ``unit`` is what 1 is drawn as.
    """
    x: list[float | None] = []
    y: list[str | float | None] = []
    for row, span in spans:
        if span is not None:
            x += [unit * span[0], unit * span[1], None]
            y += [row, row, None]
    caps = {"symbol": "line-ns-open", "size": 9, "color": WHISKER, "line": {"width": 2, "color": WHISKER}}
    line = {"color": WHISKER, "width": 2}
    still: Any = {"marker": {"opacity": 1}}  # a clicked point must not fade them
    return go.Scatter(
        x=x, y=y, mode="lines+markers", line=line, marker=caps, name="95 % interval", hoverinfo="skip", unselected=still
    )


def layout(n_rows: int, title: str) -> dict[str, Any]:
    """Return the layout of ``n_rows`` rows, the first above, over an axis with a title."""
    axis = {"title": {"text": title}, "gridcolor": FAINT, "zeroline": False, "fixedrange": True}
    names = {"autorange": "reversed", "fixedrange": True, "automargin": True, "ticksuffix": "  "}
    return bare() | {"height": ROW * n_rows + 56, "bargap": 0.4, "xaxis": axis, "yaxis": names}


def bare() -> dict[str, Any]:
    """Return what all such pictures have in common: no background, no legend, nothing to drag."""
    return {
        "margin": {"l": 0, "r": 8, "t": 8, "b": 0}, "showlegend": False, "dragmode": False,
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
    }  # fmt: skip


def places(names: Sequence[str]) -> dict[str, Any]:
    """Return the axis of rows that stand at 0, 1, … from above, under these names, which are shown as they are."""
    n = len(names)
    return {
        "tickmode": "array", "tickvals": list(range(n)), "ticktext": [f"{name}  " for name in names],
        "autorange": False, "range": [n - 0.5, -0.5], "showgrid": False, "zeroline": False,
    }  # fmt: skip


def signed(value: float) -> str:
    r"""Return a number with its sign, a true minus.

    Examples
    --------
    >>> signed(2.04), signed(-1.26), signed(-0.01)
    ('+2.0', '\u22121.3', '+0.0')
    """
    return f"{value:+z.1f}".replace("-", "\u2212")


def legend() -> dict[str, Any]:
    """Return a legend above the picture that switches nothing off; traces must not be in groups."""
    return {
        "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemclick": False,
        "itemdoubleclick": False,
    }  # fmt: skip
