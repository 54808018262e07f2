"""A variational autoencoder: how it learnt, where its latents put the clips, what it draws, and what they carry."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ser_core import emotions
from ser_core.plots import rows
from ser_core.plots.clip import HEAT, RANGE_DB
from ser_core.plots.colours import oklch, shown
from ser_core.plots.models import SCALE

HEIGHT: Final = 320
PANEL: Final = 250
"""Height of one latent's picture, in pixels."""
STRIP: Final = 170
INKS: Final = {"clips trained on": "#9a9a9a", "other clips": oklch(0.62, 0.13, 250)}
MEASURES: Final = {"reconstruction": "reconstruction (nats)", "divergence": "divergence, KL (nats)"}
CELL: Final = 34


def losses(history: pd.DataFrame) -> go.Figure:
    """Draw reconstruction and divergence of each epoch kept: clips trained on, and the others where there are any.

    ``history`` has the columns of `ser_core.models.vae_training.VaeEpoch`.
    """
    out = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    for column, (measure, title) in enumerate(MEASURES.items(), start=1):
        for (part, ink), name in zip(INKS.items(), (measure, f"other_{measure}"), strict=True):
            line = history[["epoch", name]].dropna()
            if len(line):
                out.add_trace(
                    go.Scatter(
                        x=line["epoch"], y=line[name], mode="lines", name=part, showlegend=column == 1,
                        line={"color": ink, "width": 2}, hovertemplate=f"epoch %{{x:,}}: {measure} %{{y:,.1f}}"
                        f"<extra>{part}</extra>",
                    ), 1, column,
                )  # fmt: skip
        out.update_yaxes(title={"text": title, "standoff": 12}, type="log" if column == 1 else "linear", col=column)
    out.update_layout(rows.bare() | {"height": HEIGHT, "showlegend": True, "legend": rows.legend()})
    out.update_xaxes(title={"text": "epoch", "standoff": 12}, fixedrange=True, zeroline=False, showgrid=False)
    out.update_yaxes(fixedrange=True, zeroline=False, gridcolor=rows.FAINT, dtick=1 if _decades(history) > 1 else None)
    return out.update_layout(margin_t=34).update_yaxes(dtick=None, rangemode="tozero", col=2)


def clouds(
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
    words: Sequence[str],
    *,
    latents: Sequence[int],
    separation: NDArray[np.float64],
    across: int,
) -> go.Figure:
    """Draw the standard deviation of latents against their mean, a point for each clip, in the colour of its emotion.

    Parameters
    ----------
    means, deviations
        Shape (n_clips, d).
    words
        The clips' emotions, (n_clips,).
    latents
        Those to be drawn, in this order.
    separation
        Of each latent by emotion, (d,), 0-1, for the title.
    across
        Pictures in a row.
    """
    down = -(-len(latents) // across)
    names = [f"latent {k}, η² {100 * separation[k]:.0f} %" for k in latents]
    out = make_subplots(
        rows=down, cols=across, subplot_titles=names, horizontal_spacing=0.1, vertical_spacing=0.32 / down
    )
    labels = np.array(words, object)
    for number, latent in enumerate(latents):
        place = (number // across + 1, number % across + 1)
        for word in sorted(set(words), key=_rank):
            of, style = labels == word, emotions.style(word)
            out.add_trace(
                go.Scattergl(
                    x=means[of, latent].astype(np.float32), y=deviations[of, latent].astype(np.float32),
                    mode="markers", name=shown(word), showlegend=number == 0, legendgroup=word,
                    customdata=np.flatnonzero(of).astype(np.int32), opacity=0.75,
                    marker={"size": 5, "color": style.colour, "symbol": style.symbol},
                    hovertemplate=f"{shown(word)}: μ %{{x:.2f}}, σ %{{y:.2f}}<extra></extra>",
                ), *place,
            )  # fmt: skip
    out.update_layout(rows.bare() | {"height": PANEL * down + 60, "showlegend": True, "hovermode": "closest"})
    out.update_layout(legend={"orientation": "h", "x": 0, "y": 1 + 34 / (PANEL * down), "yanchor": "bottom"})
    out.update_layout(margin={"l": 0, "r": 8, "t": 66, "b": 0})
    out.update_annotations(font_size=12)
    axis: dict[str, Any] = {"zeroline": False, "gridcolor": rows.FAINT}
    out.update_xaxes(**axis).update_yaxes(rangemode="tozero", **axis)
    out.update_xaxes(title={"text": "mean, μ", "standoff": 6}, row=down)
    return out.update_yaxes(title={"text": "unsure, σ", "standoff": 16}, col=1)


def strip(pictures: NDArray[np.floating], titles: Sequence[str]) -> go.Figure:
    """Draw pictures (n, bands, columns) in dB side by side on one scale; row 0, the lowest band, is below."""
    out = make_subplots(rows=1, cols=len(pictures), subplot_titles=[shown(one) for one in titles])
    for column, picture in enumerate(pictures, start=1):
        heat = go.Heatmap(
            z=np.clip(np.round(picture), -128, 127).astype(np.int8), coloraxis="coloraxis", hoverinfo="skip"
        )
        out.add_trace(heat, 1, column)
    loudest, steps = float(pictures.max()), len(HEAT) - 1
    scale = [[number / steps, colour] for number, colour in enumerate(HEAT)]
    out.update_layout(rows.bare() | {"height": STRIP, "margin": {"l": 0, "r": 0, "t": 24, "b": 4}})
    out.update_layout(coloraxis={"colorscale": scale, "cmin": loudest - RANGE_DB, "cmax": loudest, "showscale": False})
    out.update_annotations(font_size=12)
    still: dict[str, Any] = {"visible": False, "fixedrange": True}
    return out.update_xaxes(**still).update_yaxes(**still)


def carried(shares: NDArray[np.float64], chance: NDArray[np.float64], factors: Sequence[str]) -> go.Figure:
    """Draw what each latent says of each factor, as a share of all there is to know, (d, k), and what chance brings."""
    d, k = shares.shape
    says = [[f"{100 * value:.0f}" for value in line] for line in shares]
    luck = [
        [
            f"latent {row}, {shown(factors[column])}: {100 * shares[row, column]:.1f} %"
            f"<br>chance: {100 * chance[row, column]:.1f} %"
            for column in range(k)
        ]
        for row in range(d)
    ]
    heat = go.Heatmap(
        z=shares, zmin=0, zmax=max(0.3, float(shares.max())), colorscale=SCALE, showscale=False, xgap=2, ygap=2,
        text=says, texttemplate="%{text}", customdata=luck, hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    out = go.Figure(heat, rows.bare() | {"height": CELL * d + 60})
    out.update_xaxes(
        tickvals=list(range(k)),
        ticktext=[shown(one) for one in factors],
        side="top",
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )
    names = [f"latent {number}  " for number in range(d)]
    return out.update_yaxes(
        tickvals=list(range(d)), ticktext=names, autorange="reversed", fixedrange=True, showgrid=False, zeroline=False
    ).update_layout(margin_t=40)


def _rank(word: str) -> tuple[int, str]:
    order = list(emotions.EMOTIONS)
    common = emotions.common_name(word)
    return (order.index(common) if common in order else len(order), word)


def _decades(history: pd.DataFrame) -> float:
    values = history["reconstruction"].to_numpy(np.float64)
    return float(np.log10(values.max() / max(values.min(), 1e-9)))
