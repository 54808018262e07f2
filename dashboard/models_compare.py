"""Two runs side by side: which is better and by how much, the clips on which they differ, and what listeners heard."""

from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import clip_panel, export, links, models_board, models_run, runs_data, widgets
from dashboard.words import interval, number
from ser_core import scores
from ser_core.comparison import Comparison
from ser_core.errors import SerError
from ser_core.plots import models as plot
from ser_core.runs import Run

CHART: Final = "difference"
CONFIG: Final = {"displayModeBar": False}
SHOWN: Final = {"all": "all", "a": "only A is right", "b": "only B is right", "neither": "neither is"}
EMPTY: Final = "Choose a row of the table to hear its clip."
ONE: Final = "There is one run only: train another one to compare it with."


def show(_corpus: str, runs: list[Run]) -> None:
    """Show two runs side by side."""
    if len(runs) < 2:
        st.info(ONE)
        return
    left, right = st.columns(2)
    with left:
        a = models_run.choose("run", "A", runs)
    with right:
        b = models_run.choose("other_run", "B", [run for run in runs if run.id != a.id])
    found = runs_data.compared(a, b)
    _verdict(found)
    left, right = st.columns([1.45, 1], gap="medium")
    with left:
        first, second = (scores.report(one.confusion, a.classes) for one in (found.a, found.b))
        with st.container(key=CHART):
            figure = plot.difference(first, second, labels=(models_board.short(a), models_board.short(b)))
            st.plotly_chart(figure, key=f"{CHART}_figure", config=CONFIG, alt="Recall of each emotion by both runs")
        export.picture(CHART, name=f"compare-{a.id}-{b.id}")
        st.caption("Share of the clips of each emotion that A and B recognise, on the clips that both tested.")
    with right:
        _numbers(found)
    _listeners(a, b)
    _differing(a, found)


def _verdict(found: Comparison) -> None:
    n, test = len(found.a.truth), found.mcnemar
    low, high = found.interval
    better = "A" if found.difference > 0 else "B"
    said = "**No clear difference**" if low <= 0 <= high else f"**{better} is better**"
    points = [100 * value if better == "A" else -100 * value for value in (found.difference, low, high)]
    ends = interval(sorted(points[1:]), digits=1, say="95 %: ")
    st.markdown(
        f"{said}: the UAR of {better} is higher by {number(points[0], digits=1)} points{ends}, on the {n:,} clips "
        f"that both tested. A alone is right on {test.only_a:,} clips, B alone on {test.only_b:,}: {_chance(test.p)}."
    )
    honest = [one.speaker_independent for one in (found.a, found.b)]
    if honest[0] != honest[1]:
        knows = "A" if honest[1] else "B"
        st.warning(f"{knows} had heard these speakers in training, the other had not: that favours {knows}.")


def _chance(p: float) -> str:
    """Say what McNemar's test says."""
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    if p < 0.05:
        return f"more unequal than chance would bring (McNemar, {said})"
    return f"as chance may bring it (McNemar, {said})"


def _numbers(found: Comparison) -> None:
    rows = []
    for name, score in (("UAR", scores.uar), ("accuracy", scores.wa), ("macro-F1", scores.macro_f1)):
        said = []
        for one in (found.a, found.b):
            span = interval([100 * end for end in one.interval(score)], digits=1)
            said.append(f"{100 * score(one.confusion):.1f} %{span}")
        rows.append((name, *said))
    st.markdown("**Scores on the same clips**")
    table = pd.DataFrame(rows, columns=["score", "A", "B"])
    st.dataframe(table, hide_index=True)
    people = len(set(found.a.speakers))
    st.caption(f"n = {len(found.a.truth):,} clips of {people} speakers; in brackets: 95 % intervals, resampling them.")
    export.table(table, name="compared")


def _listeners(a: Run, b: Run) -> None:
    st.markdown("**Beside human listeners**")
    lines = []
    for letter, run in zip("AB", (a, b), strict=True):
        try:
            one = runs_data.listeners(run)
        except SerError as error:
            st.caption(widgets.plain(str(error)))
            return
        if one is None:
            st.caption(widgets.plain(f"{run.corpus} does not say how many listeners recognised each clip."))
            return
        lines.append(
            f"- **{letter}** is right on {100 * one.model:.0f} % of {one.n:,} clips, a listener on "
            f"{100 * one.listeners:.0f} %. {_alike(one.interval)}: rank correlation "
            f"{number(one.rho)}{interval(one.interval, say='95 %: ')}."
        )
    st.markdown("\n".join(lines))
    st.caption(
        "Of the probability that a run gives to the true emotion with the share of listeners who heard it (Spearman): "
        "1 the same order, 0 none."
    )


def _alike(pair: tuple[float, float]) -> str:
    """Say whether clips that are hard for listeners are hard for a model, by the interval of the correlation."""
    low, high = pair
    if low > 0:
        return "What is hard for listeners is hard for it too"
    if high < 0:
        return "What is hard for listeners is easier for it"
    return "Whether what is hard for listeners is hard for it too is not clear"


@st.fragment
def _differing(a: Run, found: Comparison) -> None:
    """List the clips that the two call differently, to hear; a click runs only this again."""
    clips, differ = runs_data.clips(a), found.differ
    clip_panel.check_link(clips)
    differ = differ.iloc[np.argsort(-(differ["p_a"] - differ["p_b"]).abs(), kind="stable")]
    st.markdown(f"##### Clips that they call differently ({len(differ):,})")
    left, right = st.columns([1.45, 1], gap="medium")
    right_a, right_b = (differ[side] == differ["emotion"] for side in ("a", "b"))
    of = {"all": differ["emotion"].notna(), "a": right_a, "b": right_b, "neither": ~right_a & ~right_b}
    with left:
        kind = widgets.segments(
            "differing", "Show", list(SHOWN), default="all", show=lambda one: f"{SHOWN[one]} ({int(of[one].sum()):,})"
        )
        part = differ[of[kind]].reset_index(drop=True)
        _table(clips, part, key=f"differing_{kind}_{len(part)}")
    with right:
        clip_panel.alone(clips, clip_panel.row_in_hand(clips), empty=EMPTY)
    links.publish()


def _table(clips: Any, part: pd.DataFrame, *, key: str) -> None:
    places = {name: row for row, name in enumerate(zip(clips.digests, clips.clips["file"], strict=True))}
    rows = np.array([places[name] for name in zip(part["sha"], part["file"], strict=True)], np.intp)
    table = pd.DataFrame(
        {
            "emotion": part["emotion"],
            "A says": part["a"],
            "B says": part["b"],
            "A: true": 100 * part["p_a"],
            "B: true": 100 * part["p_b"],
            "speaker": part["speaker"],
            "file": [PurePosixPath(file).name for file in part["file"]],
        }
    )

    def chosen() -> None:
        picked = st.session_state[key]["selection"]["rows"]
        if picked and picked[0] < len(rows):
            clip_panel.take(clips, int(rows[picked[0]]))

    percent = st.column_config.NumberColumn(format="%.0f %%", help="Probability given to the true emotion", width=70)
    in_hand = clip_panel.row_in_hand(clips)
    st.dataframe(
        table.drop(columns="file"),
        hide_index=True,
        key=key,
        on_select=chosen,
        selection_mode="single-row",
        selection_default=widgets.mark(key, np.flatnonzero(rows == in_hand).tolist()),
        height=min(420, 38 + 35 * max(1, len(table))),
        column_config={"A: true": percent, "B: true": percent},
    )
    st.caption("“A: true”: the probability that A gave to the true emotion. Where they differ most comes first.")
    export.table(table, name="clips_that_differ")
