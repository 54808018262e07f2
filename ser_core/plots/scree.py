"""How much variance each principal component explains (scree plot)."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core.plots.colours import GREY, oklch

BAR = oklch(0.60, 0.11, 250)


def figure(explained_variance: NDArray[np.float64], *, n_shown: int) -> go.Figure:
    """Draw the share of variance (0-1) of each component and their running sum; the shown ones stand out."""
    percent = 100 * explained_variance
    number = np.arange(1, len(percent) + 1)
    colours = [BAR if index < n_shown else GREY for index in range(len(percent))]
    total = np.cumsum(percent)
    bars = go.Bar(x=number, y=percent, marker={"color": colours}, name="each")
    line = go.Scatter(x=number, y=total, mode="lines+markers", line={"color": GREY, "width": 1.5}, name="together")
    bars.hovertemplate = "component %{x}: %{y:.1f} %<extra></extra>"
    line.hovertemplate = "first %{x} together: %{y:.1f} %<extra></extra>"
    axis = {"showgrid": True, "gridcolor": "rgba(128,128,128,0.22)", "zeroline": False}
    return go.Figure(
        [bars, line],
        {
            "height": 300, "margin": {"l": 0, "r": 0, "t": 8, "b": 0}, "showlegend": False, "dragmode": False,
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "bargap": 0.25,
            "xaxis": {"title": {"text": "principal component"}, "dtick": 2 if len(percent) > 10 else 1, "tick0": 1},
            "yaxis": axis | {"title": {"text": "variance explained (%)"}, "range": [0, max(5.0, total[-1] * 1.05)]},
        },
    )  # fmt: skip
