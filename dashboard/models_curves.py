"""Curves of a run: emotion by emotion, how sure it was, and how it learnt."""

from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import export, runs_data, widgets
from dashboard.words import interval
from ser_core import scores
from ser_core.plots import curves
from ser_core.plots import models as plot
from ser_core.runs import Run

CONFIG: Final = {"displayModeBar": False}
EVERY: Final = "all alike"


def show(run: Run) -> None:
    """Show class-wise accuracy with the report, the curves of each emotion, calibration, and the training."""
    st.markdown("##### Emotion by emotion")
    left, right = st.columns(2, gap="medium")
    report = scores.report(run.evaluation.confusion, run.classes)
    with left:
        spans = runs_data.scored(run).recall_95
        chart(
            "classwise",
            plot.classwise(report, intervals=spans, chance=1 / len(run.classes)),
            run,
            alt="Class-wise accuracy",
        )
        st.caption("Class-wise accuracy (recall), with 95 % intervals resampling speakers. Dotted: guessing.")
    with right:
        _report(run, report)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Told from all others (ROC)**")
        chart("roc", curves.roc(runs_data.curves(run, "roc")), run, alt="ROC curves, one emotion against the rest")
    with right:
        st.markdown("**Precision and recall**")
        figure = curves.precision_recall(runs_data.curves(run, "precision_recall"))
        chart("precision_recall", figure, run, alt="Precision-recall curves, one emotion against the rest")
    st.markdown("##### How sure it is, and how it learnt" if len(run.history) else "##### How sure it is")
    left, right = st.columns([1, 1.6], gap="medium")
    with left:
        _calibration(run)
    with left if len(run.history) else right:
        _believed(run)
    if len(run.history):  # a network; others have no epochs
        with right:
            _history(run)


def chart(name: str, figure: go.Figure, run: Run, *, alt: str) -> None:
    """Draw a figure of a run, and offer it as a file."""
    with st.container(key=name):
        st.plotly_chart(figure, key=f"{name}_figure", config=CONFIG, alt=alt)
    export.picture(name, name=f"{name.replace('_', '-')}-{run.id}")


def _report(run: Run, report: pd.DataFrame) -> None:
    spans = runs_data.scored(run).recall_95
    shares = report[["precision", "recall", "f1"]] * 100
    table = pd.DataFrame(
        {
            "emotion": report["emotion"],
            "precision": shares["precision"],
            "recall": shares["recall"],
            "95 %": [
                "" if pair is None else interval([100 * end for end in pair], digits=0).strip(" ()") for pair in spans
            ],
            "F1": shares["f1"],
            "clips": report["n"],
        }
    )
    percent: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="%.0f %%") for name in ("precision", "recall", "F1")
    }
    st.dataframe(table, hide_index=True, height=38 + 35 * len(table), column_config=percent)
    st.caption("Precision: of the clips taken for it, how many are it. Recall: of its clips, how many are found.")
    export.table(table, name=f"report-{run.id}")


def _calibration(run: Run) -> None:
    table = scores.reliability(run.probabilities, run.evaluation.truth)
    st.markdown("**Can its probabilities be believed? (calibration)**")
    chart("reliability", curves.reliability(table), run, alt="How often it was right against how sure it was")


def _believed(run: Run) -> None:
    one, always = runs_data.scored(run), 1 - 1 / len(run.classes)
    st.caption(
        "Ten bins of as many clips each; on the dotted line its probabilities can be taken at their word, under it it "
        f"is too sure. Expected calibration error {100 * one.calibration_error:.1f} %; Brier score "
        f"{one.brier:.2f} (the same probability for every emotion would give {always:.2f})."
    )


def _history(run: Run) -> None:
    st.markdown("**How it learnt (loss and accuracy)**")
    folds = [0, *sorted(run.history["fold"].unique().tolist())]
    fold = 0
    if run.n_folds > 1:
        fold = widgets.select("fold", "Fold", folds, default=0, show=lambda one: f"fold {one}" if one else EVERY)
    chart("history", curves.history(run.history, fold=fold or None), run, alt="Loss and accuracy of each epoch")
    st.caption(
        "Training and validation; the ring is the epoch that was kept, the best validation UAR. The test has no say."
    )


def chosen(run: Run) -> dict[str, Any]:
    """Return what was chosen inside the training part of the first fold."""
    return (run.facts.get("folds", {}).get("1") or {}).get("chosen") or {}
