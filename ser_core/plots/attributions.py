"""What a trained model goes by: groups of measures, and places in a clip's spectrogram."""

from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ser_core.plots import rows
from ser_core.plots.clip import RANGE_DB
from ser_core.plots.colours import shown
from ser_core.plots.spectra import TICKS
from ser_core.spectrogram import Spectrogram

HEIGHT: Final = 270
"""In pixels, as the picture of a clip has."""
GREYS: Final = ((0.0, "#17191d"), (1.0, "#c9cdd4"))
FOR: Final = "255,146,20"
AGAINST: Final = "50,160,255"
"""Red, green and blue of what speaks for an emotion and against it."""
HIGHEST: Final = 99.5
"""Percentile of all strengths from which on they look alike: a single point must not make the others vanish."""


def importance(table: pd.DataFrame) -> go.Figure:
    """Draw how much each group of measures is missed, the most missed above.

    ``table`` is what `ser_core.importance.importance` gives: the fall of UAR, 0-1, when the values of a group are
    shuffled among the test clips, with the interval over the repeats.
    """
    order = table.sort_values("drop", ascending=False, kind="stable")
    words = [shown(text) for text in order["words"]]
    says = [
        f"<b>{word}</b>, {n:,} {'value' if n == 1 else 'values'}<br>UAR without it: "
        f"{rows.signed(-100 * drop)} points ({rows.signed(-100 * high)} to {rows.signed(-100 * low)})"
        for word, n, drop, low, high in zip(
            words, order["n_values"], order["drop"], order["low"], order["high"], strict=True
        )
    ]
    bars = go.Bar(
        x=100 * order["drop"], y=np.arange(len(words)), orientation="h", text=says, textposition="none",
        marker={"color": rows.BAR, "line": {"width": 0}}, hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    spans = list(enumerate(zip(order["low"], order["high"], strict=True)))
    out = go.Figure([bars, rows.whiskers(spans, 100.0)], rows.layout(len(words), "points of UAR lost without it"))
    names = [f"{word} ({n:,})" for word, n in zip(words, order["n_values"], strict=True)]
    out.update_xaxes(zeroline=True, zerolinecolor=rows.WHISKER, zerolinewidth=1.5, rangemode="tozero")
    return out.update_yaxes(rows.places(names))


def saliency(
    spectrogram: Spectrogram,
    values: NDArray[np.floating],
    *,
    seconds: NDArray[np.floating],
    hertz: NDArray[np.floating],
) -> go.Figure:
    """Draw what in a clip speaks for an emotion (orange) and against it (blue), over its spectrogram in grey.

    Parameters
    ----------
    values
        How much each place of the network's picture adds to the emotion's score, shape (n_bands, n_columns).
    seconds
        Where in the clip the middle of each column lies, shape (n_columns,); beyond its end nothing is drawn.
    hertz
        Centre of each band, ascending, shape (n_bands,). They need not be those of the spectrogram.
    """
    strongest = float(np.percentile(np.abs(values), HIGHEST)) or 1.0
    centres = spectrogram.hertz
    out = go.Figure([_grey(spectrogram), _evidence(values / strongest, seconds, _bands(hertz, centres))])
    out.update_layout(rows.bare() | {"height": HEIGHT, "margin": {"l": 0, "r": 0, "t": 26, "b": 0}})
    end = float(spectrogram.seconds[-1] + spectrogram.seconds[0])  # the first frame begins at 0
    still: dict[str, Any] = {"showgrid": False, "zeroline": False, "fixedrange": True}
    out.update_xaxes(title={"text": "time (s)", "standoff": 10}, range=[0.0, end], **still)
    ticks = [value for value in TICKS if centres[0] < value < centres[-1]]
    names = [f"{value / 1000:g} kHz" if value >= 1000 else f"{value} Hz" for value in ticks]
    out.update_yaxes(tickvals=_bands(ticks, centres), ticktext=names, range=[-0.5, len(centres) - 0.5], **still)
    return out.add_annotation(_words())


def _grey(spectrogram: Spectrogram) -> go.Heatmap:
    loudest = float(spectrogram.decibels.max())
    return go.Heatmap(
        x=spectrogram.seconds, z=np.round(spectrogram.decibels).astype(np.int8), zmin=loudest - RANGE_DB, zmax=loudest,
        colorscale=GREYS, showscale=False, hoverinfo="skip",
    )  # fmt: skip


def _evidence(values: NDArray[np.floating], seconds: NDArray[np.floating], places: NDArray[np.floating]) -> go.Heatmap:
    """Return values, at most 1 where they are drawn strongest, as a layer that lets through what is under it."""
    scale = [(0.0, f"rgba({AGAINST},0.95)"), (0.5, f"rgba({AGAINST},0)"), (0.5, f"rgba({FOR},0)"),
             (1.0, f"rgba({FOR},0.95)")]  # fmt: skip
    return go.Heatmap(
        x=seconds, y=places, z=np.round(np.clip(values, -1, 1), 2), zmin=-1, zmax=1, colorscale=scale, showscale=False,
        hovertemplate="%{x:.2f} s: %{z:+.2f} of the strongest<extra></extra>",
    )  # fmt: skip


def _bands(hertz: Any, centres: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return where frequencies lie on an axis whose steps are bands; beyond the first and last as far as these go."""
    steps = np.arange(len(centres), dtype=np.float64)
    before, after = centres[0] - (centres[1] - centres[0]), centres[-1] + (centres[-1] - centres[-2])
    return np.interp(hertz, [before, *centres, after], [-1.0, *steps, len(centres)])


def _words() -> dict[str, Any]:
    inks = {"speaks for it": FOR, "against it": AGAINST}
    said = "   ".join(f"<span style='color:rgb({ink})'>■</span> {words}" for words, ink in inks.items())
    return {
        "x": 0, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False,
        "text": said, "font": {"size": 12},
    }  # fmt: skip
