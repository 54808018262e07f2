"""Curves of trained models: what each threshold finds, how sure is right how often, and how a training went."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ser_core import emotions
from ser_core.models.epochs import Epoch, chosen
from ser_core.plots import rows
from ser_core.plots.colours import GREY, oklch, shown
from ser_core.plots.distances import FRAME
from ser_core.scores import Curve

HEIGHT: Final = 330
"""Of curves over two axes of one scale, in pixels: as much as half of a page 1,280 wide lets them use."""
SIDE: Final = 320
"""Height of the pictures of a training, in pixels."""
SHAPES: Final = 5
"""Of an emotion's markers along its curve, at most: they repeat its colour."""
DOTTED: Final = {"color": GREY, "width": 1.5, "dash": "dot"}
INKS: Final = {"training": "#9a9a9a", "validation": oklch(0.62, 0.13, 250)}
COLUMNS: Final = {"training": "train", "validation": "validation"}
MEASURES: Final = {"loss": 1.0, "accuracy": 100.0}
"""What is drawn of a training, and what 1 is drawn as."""
RING: Final[dict[str, Any]] = {
    "symbol": "circle-open",
    "size": 11,
    "color": FRAME,
    "line": {"color": FRAME, "width": 2},
}
FADED: Final = 0.2


def roc(curves: Mapping[str, Curve]) -> go.Figure:
    """Draw the ROC curve of each emotion against all others; the dotted line is guessing."""
    out = _square("other emotions taken for it", "clips of it found (recall)")
    out.add_trace(go.Scatter(x=[0, 100], y=[0, 100], mode="lines", line=DOTTED, hoverinfo="skip", showlegend=False))
    for name, curve in curves.items():
        out.add_trace(_curve(name, curve, says="finds %{y:.0f} % of it, and takes %{x:.0f} % of the others for it"))
    return out.update_layout(legend_title_text="area under the curve")


def precision_recall(curves: Mapping[str, Curve]) -> go.Figure:
    """Draw precision against recall for each emotion against all others, in the steps whose mean is the area."""
    out = _square("clips of it found (recall)", "of those called so, right (precision)")
    for name, curve in curves.items():
        trace = _curve(name, curve, says="finds %{x:.0f} % of it; of those that it calls so, %{y:.0f} % are")
        out.add_trace(trace.update(line_shape="hv"))
    return out.update_layout(legend_title_text="average precision")


def reliability(table: pd.DataFrame) -> go.Figure:
    """Draw how often each bin of clips was right against how sure the model was of them.

    ``table`` is what `ser_core.scores.reliability` gives. On the dotted line probabilities can be taken at their word;
    below it the model is too sure.
    """
    sure, right, low, high = (100 * table[name] for name in ("confidence", "right", "low", "high"))
    says = [
        f"{n:,} clips of which it was {one:.0f} % sure:<br>{share:.0f} % right ({bottom:.0f} to {top:.0f})"
        for n, one, share, bottom, top in zip(table["n"], sure, right, low, high, strict=True)
    ]
    reach = {"type": "data", "symmetric": False, "array": high - right, "arrayminus": right - low}
    out = _square("how sure it was (highest probability)", "how often it was right")
    out.add_trace(go.Scatter(x=[0, 100], y=[0, 100], mode="lines", line=DOTTED, hoverinfo="skip"))
    out.add_trace(
        go.Scatter(
            x=sure, y=right, mode="lines+markers", text=says, hovertemplate="%{text}<extra></extra>", cliponaxis=False,
            error_y=reach | {"color": rows.WHISKER, "thickness": 1.5, "width": 4},
            line={"color": rows.BAR, "width": 2}, marker={"color": rows.BAR, "size": 8},
        )
    )  # fmt: skip
    return out.update_layout(showlegend=False)


def history(epochs: pd.DataFrame, *, fold: int | None) -> go.Figure:
    """Draw loss (left) and accuracy (right) of training and validation, epoch by epoch, a thin line for each fold.

    The ring marks the epoch whose weights were kept: the best validation UAR, of equal ones the lowest loss.

    Parameters
    ----------
    epochs
        ``fold`` and the fields of `ser_core.models.epochs.Epoch`, one epoch or more; those to come may be missing.
    fold
        The fold that stands out; None: all are alike.
    """
    out = make_subplots(rows=1, cols=2, horizontal_spacing=0.14)
    best = _kept(epochs)
    for number, lines in epochs.groupby("fold"):
        for part in INKS:
            look = {"opacity": 1 if fold in (None, number) else FADED, "showlegend": False, "name": part}
            look["line"] = {"color": INKS[part], "width": 2.4 if number == fold or len(best) == 1 else 1.2}
            for column, (measure, unit) in enumerate(MEASURES.items(), start=1):
                out.add_trace(
                    go.Scatter(
                        x=lines["epoch"], y=unit * lines[f"{COLUMNS[part]}_{measure}"], mode="lines+markers", **look,
                        marker={"size": 4}, hovertemplate=f"fold {number}, epoch %{{x}}: {part} {measure} "
                        f"{'%{y:.2f}' if unit == 1 else '%{y:.1f} %'}<extra></extra>",
                    ), 1, column,
                )  # fmt: skip
    _rings(out, best if fold is None else best[best["fold"] == fold])
    for part, ink in INKS.items():
        _key(out, part, mode="lines", line={"color": ink, "width": 2.4})
    _key(out, "weights kept", mode="markers", marker=RING)
    out.update_layout(rows.bare() | {"height": SIDE, "showlegend": True, "legend": rows.legend()})
    step = 1 if epochs["epoch"].max() <= 10 else None
    out.update_xaxes(title=_title("epoch"), fixedrange=True, zeroline=False, showgrid=False, dtick=step)
    out.update_yaxes(fixedrange=True, zeroline=False, gridcolor=rows.FAINT, rangemode="tozero")
    out.update_yaxes(title=_title("loss"), col=1)
    return out.update_layout(margin_t=34).update_yaxes(title=_title("accuracy"), ticksuffix=" %", col=2)


def _kept(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the epochs whose weights are kept, one for each fold."""
    names = [field.name for field in fields(Epoch)]
    best = {}
    for fold, lines in epochs.groupby("fold"):
        best[fold] = chosen([Epoch(*line) for line in lines[names].itertuples(index=False)]).epoch
    return epochs[epochs["epoch"] == epochs["fold"].map(best)]


def _rings(out: go.Figure, best: pd.DataFrame) -> None:
    says = [
        f"fold {fold}: the weights of epoch {epoch} were kept,<br>with the best validation UAR, {uar:.1f} %"
        for fold, epoch, uar in zip(best["fold"], best["epoch"], 100 * best["validation_uar"], strict=True)
    ]
    for column, (measure, unit) in enumerate(MEASURES.items(), start=1):
        out.add_trace(
            go.Scatter(
                x=best["epoch"], y=unit * best[f"validation_{measure}"], mode="markers", marker=RING, text=says,
                hovertemplate="%{text}<extra></extra>", cliponaxis=False, showlegend=False,
            ), 1, column,
        )  # fmt: skip


def _key(out: go.Figure, name: str, **look: Any) -> None:
    out.add_trace(go.Scatter(x=[None], y=[None], name=name, **look), 1, 1)


def _curve(name: str, curve: Curve, *, says: str) -> go.Scatter:
    style = emotions.style(name)
    thresholds = [f"{100 * value:.0f} %" if value <= 1 else "more than 100 %" for value in curve.thresholds]
    return go.Scatter(
        x=100 * curve.x, y=100 * curve.y, mode="lines+markers", name=f"{shown(name)}  {curve.area:.2f}",
        line={"color": style.colour, "width": 2}, cliponaxis=False, customdata=thresholds,
        marker={"symbol": style.symbol, "size": 9, "maxdisplayed": SHAPES, "color": style.colour,
                "line": {"color": style.colour, "width": 1.5}},
        hovertemplate=f"<b>{shown(name)}</b>, from a probability of %{{customdata}}<br>{says}<extra></extra>",
    )  # fmt: skip


def _square(across: str, up: str) -> go.Figure:
    axis: dict[str, Any] = {
        "range": [0, 100], "dtick": 20, "ticksuffix": " %", "showgrid": True, "gridcolor": rows.FAINT,
        "zeroline": False, "fixedrange": True, "constrain": "domain",
    }  # fmt: skip
    return go.Figure(
        layout=rows.bare() | {
            "height": HEIGHT, "hovermode": "closest", "showlegend": True,
            "xaxis": axis | {"title": _title(across), "constraintoward": "left"},
            "yaxis": axis | {"title": _title(up), "scaleanchor": "x", "constraintoward": "top"},
        }
    )  # fmt: skip


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 12}
