"""What features add to the two numbers of clips: by emotion, and in one clip (P4, Figure 4 g-j)."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ser_core import emotions
from ser_core.plots import rows
from ser_core.plots.colours import oklch, shown

Floats = NDArray[np.float64]
FEATURE: Final = 30
"""Height of a feature's row, in pixels."""
UP: Final = oklch(0.70, 0.15, 60)
DOWN: Final = oklch(0.62, 0.13, 250)
"""Of what raises a number, and what lowers it."""


def violins(shares: Floats, truth: NDArray[np.intp], *, names: Sequence[str], features: Sequence[str]) -> go.Figure:
    """Draw how what each feature adds to one number is spread over clips, a column for each emotion.

    ``shares`` (n_clips, n_features) are in standard deviations of the number, ``truth`` are numbers of ``names``.
    """
    there = [number for number in range(len(names)) if (truth == number).any()]
    titles = [f"{shown(names[number])} ({(truth == number).sum():,})" for number in there]
    out = make_subplots(rows=1, cols=len(there), shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.02)
    for column, number in enumerate(there, start=1):
        own, ink = shares[truth == number], emotions.style(names[number]).colour
        for place, feature in enumerate(features):
            out.add_trace(
                go.Violin(
                    x=own[:, place].astype(np.float32), y0=place, orientation="h", width=0.9, points=False,
                    line={"color": ink, "width": 1}, meanline={"visible": True}, spanmode="hard",
                    hoverinfo="skip", name=shown(feature), scalemode="width",
                ), 1, column,
            )  # fmt: skip
    out.update_layout(rows.bare() | {"height": FEATURE * len(features) + 90, "violingap": 0, "hovermode": False})
    out.update_layout(margin={"l": 0, "r": 8, "t": 34, "b": 0})
    out.update_annotations(font_size=13)
    ends = np.array([np.percentile(shares[truth == number], [1, 99], axis=0) for number in there])
    span = [min(float(ends.min()), -0.3) * 1.1, max(float(ends.max()), 0.3) * 1.1]
    axis: dict[str, Any] = {"range": span, "fixedrange": True, "gridcolor": rows.FAINT, "zerolinecolor": rows.WHISKER}
    out.update_xaxes(axis | {"zeroline": True, "title": {"text": "adds (SD)", "standoff": 6}})
    out.update_yaxes(rows.places([shown(one) for one in features]) | {"fixedrange": True})
    return out.update_yaxes(showgrid=True, gridcolor=rows.FAINT)


def waterfall(names: Sequence[str], shares: Floats, *, start: str, end: str) -> go.Figure:
    """Draw how a number comes about: from the reference (0), what each part adds, to the clip's own.

    ``shares`` (n,) are in standard deviations of the number; their sum is where the last bar ends.
    """
    total = float(shares.sum())
    words = [*(shown(one) for one in names), f"<b>{shown(end)}</b>"]
    figures = [*shares.tolist(), total]
    bars = go.Waterfall(
        orientation="h", y=list(range(len(words))), x=figures, measure=["relative"] * len(names) + ["total"],
        text=[rows.signed(one) if abs(one) >= 0.05 else "" for one in figures], textposition="outside",
        increasing={"marker": {"color": UP}}, decreasing={"marker": {"color": DOWN}},
        totals={"marker": {"color": "#8d8d8d"}}, connector={"line": {"color": rows.WHISKER, "width": 1}},
        hovertemplate="%{customdata}<extra></extra>", cliponaxis=False,
        customdata=[f"{word}: {rows.signed(one)} SD" for word, one in zip(words, figures, strict=True)],
    )  # fmt: skip
    out = go.Figure(bars, rows.layout(len(words), f"{shown(start)} = 0, in standard deviations"))
    ends = np.concatenate([[0.0], np.cumsum(shares)])
    room = 0.12 * max(0.5, float(np.ptp(ends)))
    out.update_layout(height=FEATURE * len(words) + 60, margin_r=16)
    out.update_xaxes(range=[ends.min() - room, ends.max() + room], zeroline=True, zerolinecolor=rows.WHISKER)
    return out.update_yaxes(rows.places(words))
