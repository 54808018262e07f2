"""How well emotions are told in the corpus that was learnt from, and in others: by method, three at a time, and all."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import export, transfer_choice, transfer_data, widgets
from dashboard.transfer_choice import ADAPTED, Choice
from dashboard.words import interval, number
from ser_core.models.plane import METHODS, Method
from ser_core.plots import models as models_plot
from ser_core.plots import transfer as plot
from ser_core.plots.transfer import Point
from ser_core.transfer import FOUR, TAUGHT, TRIADS, UNSEEN, Adaptation, Score, Transfer

CONFIG: Final = {"displayModeBar": False}


def show(found: Transfer) -> None:
    """Show the scores of all methods in all places."""
    adaptation = transfer_choice.adaptation() if found.others else "none"
    scores = {
        (where, method): transfer_data.score(found, where, method, adaptation)
        for where in found.places
        for method in METHODS
    }
    points = [Point(_place(found, where), method, one.folds, _note(one)) for (where, method), one in scores.items()]
    with st.container(key="transfer_scores"):
        figure = plot.scores(points, chance=found.chance)
        st.plotly_chart(figure, key="transfer_scores_figure", config=CONFIG, alt="Recall by place and method")
    st.caption(
        f"Points: mean over {found.n_folds} folds; lines: 95 % interval over them; dotted: guessing "
        f"({100 * found.chance:.0f} %). The folds share most of their clips, so that the lines are rather too short, "
        "and for other corpora they say nothing of other speakers: the table has intervals over speakers."
    )
    export.picture("transfer_scores", name=f"transfer-{found.own.name}")
    table = pd.DataFrame([_row(found, where, method, one) for (where, method), one in scores.items()])
    _table(table)
    export.table(table, name=f"transfer-{found.own.name}-{adaptation}")
    if constant := int(found.n_constant.max()):
        d = found.own.vectors.shape[1]
        st.caption(f"{constant} of the {d} values are the same in all clips of a training part, and tell nothing.")


def triads(choice: Choice) -> None:
    """Show what comes out with three emotions at a time."""
    asked = {name: replace(choice, question=replace(choice.question, emotions=three)) for name, three in TRIADS.items()}
    four = replace(choice, question=replace(choice.question, emotions=FOUR))
    if lacking := [name for name in FOUR if name not in transfer_data.emotions(choice.corpus, choice.store)]:
        st.info(f"{widgets.plain(choice.corpus)} has no clip of {' or '.join(lacking)}: P4's threes need all of them.")
        return
    found = {name: transfer_data.found(one.corpus, one.onto, one.store, one.question) for name, one in asked.items()}
    there = {name: one for name, one in found.items() if one is not None}
    if len(there) < len(TRIADS):
        transfer_choice.offer(four, triads=True)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        method = transfer_choice.method(planes=False)
    with right:
        adaptation = transfer_choice.adaptation() if choice.onto else "none"
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        _triads(there, method, adaptation)
    with right:
        _confusion(there, method, adaptation)


def everywhere(choice: Choice) -> None:
    """Show the scores of what was learnt from each corpus, on each."""
    wanted = set(choice.question.emotions)
    others = transfer_data.others(choice.corpus, choice.store)
    names = [choice.corpus, *(one for one in others if wanted & set(transfer_data.emotions(one, choice.store)))]
    left, right = st.columns(2, gap="medium")
    with left:
        method = transfer_choice.method(planes=False)
    with right:
        adaptation = transfer_choice.adaptation()
    values, says, missing = (
        np.full((len(names), len(names)), np.nan),
        [["not computed"] * len(names) for _ in names],
        [],
    )
    for row, corpus in enumerate(names):
        for column, other in enumerate(names):
            how: dict[str, Any] = {"method": method, "adaptation": adaptation}
            one = transfer_data.scored((corpus, other), choice.store, choice.question, **how)
            if one is None:
                missing.append((corpus, other))
                continue
            values[row, column] = one.folds.value
            says[row][column] = f"learnt from {corpus}, tried on {other}: {_percent(one)}<br>{_note(one)}"
    if not np.isnan(values).all():
        with st.container(key="transfer_matrix"):
            figure = plot.matrix(values, learnt=names, tried=names, says=says)
            st.plotly_chart(figure, key="transfer_matrix_figure", config=CONFIG, alt="Recall of each corpus on each")
        chance = 100 / len(choice.question.emotions)
        st.caption(
            f"Mean recall (UAR) in %, by {plot.METHODS[method][0]}; guessing: {chance:.0f} %. "
            "On the diagonal: the validation parts of the corpus itself. "
            f"Elsewhere values are standardised: {ADAPTED[adaptation]}."
        )
        export.picture("transfer_matrix", name="transfer-matrix")
    able = [name for name in names if transfer_data.refusal(name, (), choice.store, choice.question) is None]
    for name in names:
        if name not in able:
            why = transfer_data.refusal(name, (), choice.store, choice.question)
            st.caption(widgets.plain(str(why)))
    rest = [corpus for corpus in dict.fromkeys(corpus for corpus, _ in missing) if corpus in able]
    if rest:
        st.markdown("##### Not computed yet")
        for corpus in rest:
            onto = tuple(name for name in names if name != corpus)
            transfer_choice.offer(replace(choice, corpus=corpus, onto=onto), triads=False)


def _triads(found: dict[str, Transfer], method: Method, adaptation: Adaptation) -> None:
    first = next(iter(found.values()))
    points = []
    for name, one in found.items():
        for where in one.places[1:]:
            score = transfer_data.score(one, where, method, adaptation)
            points.append(Point(f"{name}: {_place(one, where)}", method, score.folds, _note(score)))
    order = sorted(points, key=lambda point: -point.score.value)
    with st.container(key="transfer_triads"):
        st.plotly_chart(
            plot.scores(points, chance=first.chance), key="transfer_triads_figure", config=CONFIG,
            alt="Recall by three emotions and place",
        )  # fmt: skip
    own = [point for point in order if point.place.endswith(_place(first, UNSEEN))]
    best, worst = (point.place.split(":")[0] for point in (own[0], own[-1]))
    st.caption(
        "N neutral, S sadness, H happiness, A anger. In the validation part "
        f"{best} is told best ({_percent_of(own[0])}) and {worst} worst ({_percent_of(own[-1])}); P4 found N-S-A best "
        "and S-H-A worst on IEMOCAP."
    )


def _confusion(found: dict[str, Transfer], method: Method, adaptation: Adaptation) -> None:
    name = widgets.segments("triad", "Confusions of", list(found), default="N-S-A", show=str)
    one = found[name]
    where = transfer_choice.place(one)
    fold = widgets.select("fold", "Fold", list(range(1, one.n_folds + 1)), default=1, show=lambda k: f"fold {k}")
    counts = one.confusions(where, method, adaptation)[fold - 1]
    with st.container(key="transfer_confusion"):
        figure = models_plot.confusion(counts, one.question.emotions, rates=True, cell=None)
        st.plotly_chart(figure, key="transfer_confusion_figure", config=CONFIG, alt="Confusion matrix of the fold")
    st.caption(f"{counts.sum():,} clips of {widgets.plain(_place(one, where))}, fold {fold} alone.")


def _table(table: pd.DataFrame) -> None:
    floats = [str(name) for name in table if table[name].dtype == float]
    st.dataframe(
        table, hide_index=True, column_config={name: st.column_config.NumberColumn(format="%.1f") for name in floats}
    )


def _row(found: Transfer, where: str, method: str, one: Score) -> dict[str, object]:
    return {
        "clips of": _place(found, where),
        "method": plot.METHODS[method][0],
        "UAR, %": 100 * one.folds.value,
        "from, folds": 100 * one.folds.low,
        "to, folds": 100 * one.folds.high,
        "from, speakers": 100 * one.speakers.low,
        "to, speakers": 100 * one.speakers.high,
        "clips": round(one.n_clips),
        "outliers left out": round(one.n_removed),
    }


def _place(found: Transfer, where: str) -> str:
    return f"{found.own.name}, {where}" if where in (TAUGHT, UNSEEN) else where


def _percent(one: Score) -> str:
    ends = (100 * one.folds.low, 100 * one.folds.high)
    return f"{number(100 * one.folds.value, digits=1)} %{interval(ends, digits=1, say='folds: ')}"


def _percent_of(point: Point) -> str:
    return f"{100 * point.score.value:.0f} %"


def _note(one: Score) -> str:
    ends = interval((100 * one.speakers.low, 100 * one.speakers.high), digits=1, say="speakers: ")
    return f"{one.n_clips:.0f} clips a fold, {one.n_removed:.0f} outliers left out{ends}"
