"""A clip as waveform above its mel spectrogram, on one time axis."""

from typing import Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ser_core.plots.colours import oklch
from ser_core.spectrogram import Outline, Spectrogram

WAVE: Final = "#6fa0d8"
RANGE_DB: Final = 65.0
"""Below the loudest point of the clip; the rest is one colour."""
HEAT: Final = tuple(
    oklch(0.16 + 0.105 * step, 0.02 + 0.035 * min(step, 9 - step), 285 + 20 * step) for step in range(9)
)


def figure(outline: Outline, spectrogram: Spectrogram) -> go.Figure:
    """Draw a clip: samples from -1 to 1 (full scale) above, energy in dB of full scale below."""
    out = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.32, 0.68], vertical_spacing=0.05)
    seconds = np.repeat(outline.seconds, 2)
    samples = np.column_stack([outline.low, outline.high]).ravel()
    line = {"color": WAVE, "width": 1}
    out.add_trace(go.Scatter(x=seconds, y=samples, mode="lines", line=line, hoverinfo="skip"), 1, 1)
    out.add_trace(_heat(spectrogram), 2, 1)
    peak = max(float(np.abs(samples).max()), 1e-3) * 1.05
    level = float(f"{peak / 2:.0e}")
    out.update_layout(
        height=270, margin={"l": 0, "r": 0, "t": 4, "b": 0}, showlegend=False, dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    out.update_xaxes(showgrid=False, zeroline=False)
    out.update_xaxes(title={"text": "time (s)", "standoff": 4}, row=2, col=1)
    out.update_yaxes(showgrid=False, zeroline=False, range=[-peak, peak], tickvals=[-level, 0, level], row=1, col=1)
    hertz = spectrogram.hertz
    ticks = [value for value in (500, 1000, 2000, 4000) if hertz[0] < value < hertz[-1]]
    places = np.interp(ticks, hertz, np.arange(len(hertz)))
    names = [f"{value / 1000:g} kHz" if value >= 1000 else f"{value} Hz" for value in ticks]
    out.update_yaxes(showgrid=False, zeroline=False, tickvals=places, ticktext=names, row=2, col=1)
    return out


def _heat(spectrogram: Spectrogram) -> go.Heatmap:
    loudest = float(spectrogram.decibels.max())
    steps = len(HEAT) - 1
    return go.Heatmap(
        x=spectrogram.seconds,
        z=np.round(spectrogram.decibels).astype(np.int8),
        zmin=loudest - RANGE_DB,
        zmax=loudest,
        colorscale=[[number / steps, colour] for number, colour in enumerate(HEAT)],
        showscale=False,
        hovertemplate="%{x:.2f} s, %{z} dB<extra></extra>",
    )
