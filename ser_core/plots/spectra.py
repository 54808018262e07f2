"""Spectrograms of clips, one above the other, on one time axis, one frequency axis and one scale of decibels."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ser_core.plots.clip import HEAT, RANGE_DB
from ser_core.plots.colours import shown
from ser_core.spectrogram import Spectrogram

TALL: Final = 168
"""Height in pixels of one spectrogram with its title."""
UNDER: Final = 48
"""Height in pixels of the time axis with its title."""
TICKS: Final = (500, 1000, 2000, 4000)
"""Frequencies that are marked, in Hz."""


def stacked(titles: Sequence[str], spectrograms: Sequence[Spectrogram]) -> go.Figure:
    """Draw spectrograms under each other so that what looks the same is the same: in time, pitch and level.

    Parameters
    ----------
    titles
        What to write above each, as text: tags are switched off.
    spectrograms
        Of the same mel bands. The loudest point of all is the top of the scale, `RANGE_DB` below it the bottom.

    Raises
    ------
    ValueError
        If their mel bands differ: they would not share an axis.
    """
    hertz = spectrograms[0].hertz
    if any(not np.array_equal(one.hertz, hertz) for one in spectrograms):
        raise ValueError("spectrograms of different mel bands cannot share a frequency axis")
    n = len(spectrograms)
    out = make_subplots(
        rows=n, cols=1, shared_xaxes=True, vertical_spacing=0.13 / max(n - 1, 1),
        subplot_titles=[shown(title) for title in titles],
    )  # fmt: skip
    for row, one in enumerate(spectrograms, start=1):
        out.add_trace(_heat(one), row, 1)
    loudest = max(float(one.decibels.max()) for one in spectrograms)
    out.update_layout(
        height=TALL * n + UNDER, margin={"l": 0, "r": 0, "t": 22, "b": 0}, showlegend=False, dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", coloraxis=_scale(loudest),
    )  # fmt: skip
    out.update_annotations(x=0, xanchor="left", font_size=13)
    ends = [_edges(one) for one in spectrograms]
    span = [min(start for start, _ in ends), max(end for _, end in ends)]
    out.update_xaxes(showgrid=False, zeroline=False, fixedrange=True, range=span, autorange=False)
    out.update_xaxes(title={"text": "time (s)", "standoff": 8}, row=n, col=1)
    ticks = [value for value in TICKS if hertz[0] < value < hertz[-1]]
    places = np.interp(ticks, hertz, np.arange(len(hertz)))
    names = [f"{value / 1000:g} kHz" if value >= 1000 else f"{value} Hz" for value in ticks]
    bands = [-0.5, len(hertz) - 0.5]
    out.update_yaxes(showgrid=False, zeroline=False, fixedrange=True, tickvals=places, ticktext=names, range=bands)
    return out


def _heat(spectrogram: Spectrogram) -> go.Heatmap:
    return go.Heatmap(
        x=spectrogram.seconds,
        z=np.clip(np.round(spectrogram.decibels), -128, 127).astype(np.int8),
        coloraxis="coloraxis",
        hovertemplate="%{x:.2f} s, %{z} dB<extra></extra>",
    )


def _scale(loudest: float) -> dict[str, object]:
    steps = len(HEAT) - 1
    bar = {"title": {"text": "dB"}, "thickness": 10, "outlinewidth": 0, "x": 1.01, "tickfont": {"size": 11}}
    return {
        "cmin": loudest - RANGE_DB, "cmax": loudest, "colorbar": bar,
        "colorscale": [[number / steps, colour] for number, colour in enumerate(HEAT)],
    }  # fmt: skip


def _edges(spectrogram: Spectrogram) -> tuple[float, float]:
    """Return where a picture begins and ends: half a frame around its first and its last."""
    seconds = spectrogram.seconds
    half = float(seconds[1] - seconds[0]) / 2 if len(seconds) > 1 else float(seconds[0])
    return float(seconds[0]) - half, float(seconds[-1]) + half
