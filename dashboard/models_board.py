"""The leaderboard: all runs on one corpus, their scores with intervals, and what makes them comparable or not."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard import export, runs_data, widgets
from dashboard.progress import duration
from dashboard.words import interval
from ser_core import splits
from ser_core.plots import models as plot
from ser_core.runs import Run

CHART: Final = "leaderboard"
FIGURE: Final = "leaderboard_figure"
TABLE: Final = "runs_table"
CONFIG: Final = {"displayModeBar": False}
HELP: Final = {
    "UAR": "Unweighted average recall: the mean over emotions of the share recognised",
    "accuracy": "Weighted accuracy (WA): the share of all clips recognised",
    "macro-F1": "Mean over emotions of the harmonic mean of precision and recall",
    "AUC": "Mean area under the ROC curves, each emotion against the rest; guessing is 50",
}
"""The scores, in per cent, and what each is."""
SCORES: Final = {"UAR": 56, "accuracy": 70, "macro-F1": 72, "AUC": 56}
WIDTHS: Final = {"run": 236, "speakers": 70, "95 %": 94, "trained in": 74, "input": 78}
WORDS: Final = {
    "speakers": "unseen: no speaker and no recording of the test was in training; shared: some were",
    "trained in": "All folds together",
    "input": "saw corpus: what made the model's input had learnt from this corpus elsewhere",
}


def show(corpus: str, runs: list[Run]) -> None:
    """Show the runs on one corpus: those that tell of new voices first, among them the best."""
    with st.spinner("Scoring the runs …"):  # one word for all of them
        here = sorted(runs, key=lambda run: (not _fair(run), -len(run.classes), -runs_data.scored(run).uar))
    _says(here)
    with st.container(key=CHART):
        st.plotly_chart(
            plot.leaderboard([_entry(run) for run in here]), key=FIGURE, config=CONFIG, selection_mode="points",
            on_select=lambda: _pointed(here), alt="UAR of the runs with intervals; the table below lists them",
        )  # fmt: skip
    export.picture(CHART, name=f"leaderboard-{corpus}")
    _table(here)
    _in_hand(here)


def short(run: Run) -> str:
    """Return the title of a run without its corpus."""
    return run.title.replace(f" · {run.corpus} · ", " · ")


def _fair(run: Run) -> bool:
    """Say whether a run tells how well a new voice would be recognised."""
    return runs_data.scored(run).speaker_independent and not run.contaminated


def _says(here: Sequence[Run]) -> None:
    """Say in words which run is best on unseen speakers, and that the others cannot be set against it."""
    fair = [run for run in here if _fair(run)]
    if not fair:
        st.markdown(
            "None of these runs was tested on unseen speakers by inputs that never met the corpus, so none says how "
            "well a new voice would be recognised. Train one with *unseen speakers*."
        )
        return
    best, one = fair[0], runs_data.scored(fair[0])
    st.markdown(
        f"Best on unseen speakers: **{widgets.plain(short(best))}**. It recognises **{100 * one.uar:.1f} %** of the "
        f"clips of an emotion, averaged over the emotions (UAR, 95 %: {100 * one.uar_95[0]:.1f} to "
        f"{100 * one.uar_95[1]:.1f}; {one.n:,} clips); guessing gives {100 / len(best.classes):.1f} %. Where intervals "
        "overlap, the order may be chance, and the best of many is also the luckiest."
    )
    if len({run.classes for run in here}) > 1:
        st.markdown(
            "Some of these runs name **fewer or other emotions** (label maps): that is another task, with another "
            "chance line, and their scores are not to be set against the rest."
        )


def _entry(run: Run) -> plot.Entry:
    one = runs_data.scored(run)
    return plot.Entry(
        label=short(run),
        uar=one.uar,
        interval=one.uar_95,
        chance=1 / len(run.classes),
        unseen=runs_data.scored(run).speaker_independent,
        contaminated=run.contaminated is not None,
    )


def _pointed(here: Sequence[Run]) -> None:
    points = st.session_state[FIGURE]["selection"]["points"]
    if points and isinstance(number := points[0].get("customdata"), int) and 0 <= number < len(here):
        st.session_state["run"] = here[number].id


def rows(here: Sequence[Run]) -> pd.DataFrame:
    """Return a row for each run: scores in per cent, and what they cost."""
    out = []
    for run in here:
        one = runs_data.scored(run)
        row: dict[str, Any] = {"run": short(run), "speakers": "unseen" if one.speaker_independent else "shared"}
        row |= {"UAR": 100 * one.uar, "95 %": interval([100 * end for end in one.uar_95], digits=1).strip(" ()")}
        row |= dict(zip(list(HELP)[1:], (100 * one.wa, 100 * one.macro_f1, 100 * one.auc), strict=True))
        row |= {"parameters": run.n_parameters, "trained in": duration(run.seconds)}
        row |= {
            "input": "saw corpus" if run.contaminated else "clean",
            "clips": one.n,
            "made with": runs_data.given(run),
        }
        out.append(row)
    return pd.DataFrame(out)


def _table(here: Sequence[Run]) -> None:
    table = rows(here)
    at = [number for number, run in enumerate(here) if run.id == st.session_state.get("run")]

    def chosen() -> None:
        picked = st.session_state[TABLE]["selection"]["rows"]
        if picked and picked[0] < len(here):
            st.session_state["run"] = here[picked[0]].id

    share = {
        name: st.column_config.NumberColumn(format="%.1f", width=width, help=HELP[name])
        for name, width in SCORES.items()
    }
    text = {name: st.column_config.TextColumn(width=width, help=WORDS.get(name)) for name, width in WIDTHS.items()}
    number = st.column_config.NumberColumn(format="localized", width=84, help="Numbers learnt, in one fold")
    st.dataframe(
        table.drop(columns=["clips", "made with"]),
        hide_index=True,
        key=TABLE,
        on_select=chosen,
        selection_mode="single-row",
        selection_default=widgets.mark(TABLE, at),
        height=min(420, 38 + 35 * len(table)),
        column_config=share | text | {"parameters": number},
    )
    st.caption(
        "UAR, accuracy, macro-F1 and AUC in per cent, over the test clips of all folds. Runs on unseen speakers come "
        "first: only they tell how new voices would be recognised. Choose a row to open its run or to compare it."
    )
    export.table(table, name="leaderboard")


def _in_hand(here: Sequence[Run]) -> None:
    """Offer to open the run that was chosen."""
    run = next((run for run in here if run.id == st.session_state.get("run")), None)
    if run is None:
        return
    line = st.container(horizontal=True, vertical_alignment="center")
    line.markdown(f"In hand: **{widgets.plain(run.title)}** ({splits.names(run.split)})")
    for part, label in (("run", "Open this run"), ("compare", "Compare it with another")):
        line.button(label, key=f"open_{part}", on_click=_go, args=(part,))


def _go(part: str) -> None:
    st.session_state["models"] = part
