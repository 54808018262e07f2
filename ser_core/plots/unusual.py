"""How a voice differs from others: one bar for each measure, in groups."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import numpy as np
import plotly.graph_objects as go

from ser_core.plots.colours import GREY, shown
from ser_core.voice import Against, Deviation

HEIGHT: Final = 270
QUIET: Final = "rgba(128,128,128,0.45)"
LOUD: Final = "#5b8fc9"
"""Bars from `UNUSUAL` on; no emotion's colour."""
FAINT: Final = "rgba(128,128,128,0.28)"
UNUSUAL: Final = 2.0
"""Standard deviations from which a bar stands out, and where the dotted lines are."""
IN_SIGHT: Final = (3.5, 8.0)
"""Standard deviations that are in sight at least and at most."""
GAP: Final = 2
"""Empty places between two groups."""


def bars(deviations: Sequence[Deviation], *, against: Against) -> go.Figure:
    """Draw how far each measure is from the mean, in standard deviations, group after group in their order here.

    Bars that leave the picture (beyond `IN_SIGHT`) say their value under the pointer, as all do, with the percentile.
    """
    given = [(one, one.z if against == "corpus" else one.z_neutral) for one in deviations]
    told = [(one, z) for one, z in given if z is not None and np.isfinite(z)]
    groups = list(dict.fromkeys(one.measure.group for one, _ in told))
    told.sort(key=lambda pair: groups.index(pair[0].measure.group))
    places, middles = _places([one.measure.group for one, _ in told])
    heights = np.array([z for _, z in told], np.float64)
    out = go.Figure(
        go.Bar(
            x=places, y=heights, text=[_said(one, z, against) for one, z in told], textposition="none", width=0.82,
            marker={"color": [LOUD if abs(z) >= UNUSUAL else QUIET for z in heights], "line": {"width": 0}},
            hovertemplate="%{text}<extra></extra>",
        )
    )  # fmt: skip
    low, high = IN_SIGHT
    reach = float(np.clip(np.abs(heights).max(initial=0) * 1.1, low, high))
    out.update_layout(
        height=HEIGHT, margin={"l": 0, "r": 0, "t": 4, "b": 0}, showlegend=False, dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    out.update_xaxes(
        tickvals=list(middles.values()), ticktext=[shown(name) for name in middles], tickangle=0, ticks="",
        showgrid=False, zeroline=False, fixedrange=True,
    )  # fmt: skip
    out.update_yaxes(
        title={"text": "standard deviations", "standoff": 4}, range=[-reach, reach], fixedrange=True,
        zeroline=True, zerolinecolor=GREY, gridcolor=FAINT,
    )  # fmt: skip
    for level in (-UNUSUAL, UNUSUAL):
        out.add_hline(y=level, line={"color": GREY, "width": 1, "dash": "dot"})
    return out


def _places(groups: Sequence[str]) -> tuple[list[int], dict[str, float]]:
    """Return where each bar stands, and the middle of each group."""
    places: list[int] = []
    middles: dict[str, float] = {}
    for name, members in groupby(groups):
        start = places[-1] + 1 + GAP if places else 0
        n = len(list(members))
        places += range(start, start + n)
        middles[name] = start + (n - 1) / 2
    return places, middles


def _said(one: Deviation, z: float, against: Against) -> str:
    measure = one.measure
    of = "the corpus" if against == "corpus" else "its neutral clips"
    sign = "\u2212" if z < 0 else "+"
    unit = f" {measure.unit}" if measure.unit else ""
    return (
        f"<b>{shown(measure.words)}</b>: {one.value:.3g}{shown(unit)}<br>{sign}{abs(z):.1f} SD from the mean of {of}"
        f"<br>higher than {100 * one.percentile:.0f} % of the corpus<br>{shown(measure.name)}"
    )
