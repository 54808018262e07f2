"""Distances between emotions: the matrix, the pair in hand, their intervals, and all pairs."""

import math
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import affect_data, export, frame, links, progress, widgets
from dashboard.affect_data import Measured
from dashboard.frame import Choice
from dashboard.words import decimals, fitting
from ser_core import analyses
from ser_core.analyses import Question
from ser_core.geometry import ordering
from ser_core.geometry.mahalanobis import Distances, Resampled
from ser_core.plots import distances as plot

Pair = tuple[str, str]
CHART: Final = "distances"
NUMBERS: Final = ("distance", "less noise", "95 % from", "95 % to")
FIGURE: Final = "distances_figure"
PAIRS: Final = "pairs_table"
REPORTED: Final = (("anger", "boredom"), ("sadness", "boredom"), ("anger", "fear"))
"""The first was found to be larger than the two others (da Silva, internship report, section on EmoDB)."""
EMPTY_PAIR: Final = (
    "Click a square to see its two emotions here. With the keyboard: choose a row of the table of pairs."
)
NARROW: Final = (
    "They take the spread of the clouds as known. With so few clips for the dimensions it is not, and they are too "
    "narrow."
)
ABOVE: Final = (
    "{n} of {of} distances lie above their interval: means of few clips are noisy, in many dimensions noise alone "
    "keeps them apart, and the intervals take it off. See “less noise” in the table."
)


def pair_in_hand(names: tuple[str, ...]) -> Pair | None:
    """Return the pair of emotions chosen in this session; say so if a link asks for one that is not here."""
    wanted = st.session_state.get("pair") or ()
    asked = links.from_link("pair")
    found = [name for name in names if name in wanted]
    if len(found) == len(wanted) == 2:
        st.session_state["pair"] = found
        return found[0], found[1]
    if wanted and asked:
        links.note(f"The link asks for a pair of emotions that is not here: {', '.join(wanted)[: links.LONGEST]}.")
    st.session_state["pair"] = None
    return None


def warn(distances: Distances, question: Question) -> None:
    """Say so if there are too few clips behind a covariance, and what helps."""
    if distances.enough:
        return
    fewest, d = int(distances.n_per_covariance.argmin()), distances.dimensions
    of = "" if question.covariance == "pooled" else f" of {widgets.plain(distances.names[fewest])}, the fewest,"
    low, high = (f"{end:.2f}" for end in (distances.shrinkage.min(), distances.shrinkage.max()))
    used = low if low == high else f"{low} to {high}"
    advice = f"Shrinkage makes up for it (intensity used: {used}; 0: none, 1: a ball) and changes the distances."
    if not question.shrink:
        advice = "Better switch shrinkage on."
    if question.space == "full":
        advice += " Or measure in this map, which has fewer dimensions."
    st.warning(
        f"Few clips for so many dimensions: {distances.n_per_covariance[fewest]:,} clips{of} stand behind a covariance "
        f"of {d:,} dimensions, which wants their square, {d * d:,}, or more. {advice}"
    )


def between_emotions(
    choice: Choice, measured: Measured, question: Question, *, sorting: str, pair: Pair | None
) -> None:
    """Show the matrix of distances, beside it the pair in hand, and under it all pairs."""
    between = affect_data.distance_interval(choice.names, choice.store, question)
    left, right = st.columns([1.85, 1], gap="medium")
    with left:
        _matrix(measured.distances, between, sorting, pair)
    with right:
        _pair(measured, between, pair)
        _reported(measured.distances, between)
        _intervals(choice, measured, question, between)
    st.markdown("##### All pairs")
    rows = pairs(measured, between)
    at = [number for number, row in enumerate(zip(rows["emotion"], rows["other emotion"], strict=True)) if row == pair]
    st.dataframe(
        rows,
        hide_index=True,
        key=PAIRS,
        on_select=lambda: _take_row(rows),
        selection_mode="single-row",
        selection_default=widgets.mark(PAIRS, at),
        height=min(282, 38 + 35 * len(rows)),
        column_config={name: st.column_config.NumberColumn(format="%.2f") for name in NUMBERS},
        placeholder="",
    )
    export.table(rows, name="distances")


def pairs(measured: Measured, between: Resampled | None) -> pd.DataFrame:
    """Return all pairs of emotions, the closest first: distance, interval where there is one, clips of both."""
    distances, n = measured.distances, measured.clips.clips["emotion"].value_counts()
    rows = []
    for i, j in combinations(range(len(distances.names)), 2):
        a, b = distances.names[i], distances.names[j]
        known = [part[i, j] for part in (between.corrected, between.low, between.high)] if between else [np.nan] * 3
        rows.append((a, b, distances.between[i, j], *known, n[a], n[b]))
    columns = ["emotion", "other emotion", *NUMBERS, "clips", "clips of the other"]
    return pd.DataFrame(rows, columns=columns).sort_values("distance", kind="stable", ignore_index=True)


def _matrix(distances: Distances, between: Resampled | None, sorting: str, pair: Pair | None) -> None:
    order = ordering.circular(distances.names) if sorting == "circle" else ordering.clustered(distances.between)
    names = [distances.names[place] for place in order]
    at = np.ix_(order, order)
    values = distances.between[at]
    none = np.full(values.shape, np.nan)
    low, high = (between.low[at], between.high[at]) if between else (none, none)
    n = decimals(float(values.max()) / 10)
    places = range(len(names))
    hovers = [
        [
            f"{names[i]} and {names[j]}: {fitting(values[i, j], low[i, j], high[i, j])}" if i != j else names[i]
            for j in places
        ]
        for i in places
    ]
    figure = plot.matrix(
        names, values, hovers=hovers, texts=[[f"{value:.{n}f}" for value in row] for row in values],
        pair=(names.index(pair[0]), names.index(pair[1])) if pair else None,
    )  # fmt: skip
    with st.container(key=CHART):
        st.plotly_chart(
            figure, key=FIGURE, on_select=lambda: _take_cell(names), selection_mode="points",
            config={"displayModeBar": False}, alt="Distances between emotions; the table of pairs lists them all",
        )  # fmt: skip
    st.caption("Click a square to take its two emotions in hand. Violet: close, green: far apart.")
    export.picture(CHART, name="distances")


def _take_cell(names: list[str]) -> None:
    points = st.session_state[FIGURE]["selection"]["points"]
    if points:
        row, column = divmod(int(points[0]["customdata"]), len(names))
        if row != column:
            st.session_state["pair"] = [names[row], names[column]]


def _take_row(rows: pd.DataFrame) -> None:
    chosen = st.session_state[PAIRS]["selection"]["rows"]
    if chosen and chosen[0] < len(rows):
        st.session_state["pair"] = [rows[name][chosen[0]] for name in ("emotion", "other emotion")]


def _pair(measured: Measured, between: Resampled | None, pair: Pair | None) -> None:
    st.markdown("**Pair in hand**")
    if pair is None:
        st.caption(EMPTY_PAIR)
        return
    n = measured.clips.clips["emotion"].value_counts()
    a, b = (widgets.plain(name) for name in pair)
    st.markdown(f"{a} and {b}: **{_said(measured.distances, between, pair)}**")
    speakers = analyses.n_speakers(measured.clips)
    of = f" In brackets: 95 % interval, resampling the {speakers} speakers." if between else ""
    st.caption(f"n = {n[pair[0]]:,} clips of {a}, {n[pair[1]]:,} of {b}.{of}")
    if st.button("See these two clouds"):
        st.session_state["emotions"] = list(pair)
        st.switch_page(frame.VIEWS / "clusters.py")


def _said(distances: Distances, between: Resampled | None, pair: Pair) -> str:
    i, j = (distances.names.index(name) for name in pair)
    span = (between.low[i, j], between.high[i, j]) if between else (math.nan, math.nan)
    return fitting(distances.between[i, j], *span)


def _reported(distances: Distances, between: Resampled | None) -> None:
    """Say whether what was reported of anger, boredom, sadness and fear holds here, whichever way it falls."""
    if not {name for pair in REPORTED for name in pair} <= set(distances.names):
        return
    st.markdown("**Anger and boredom, as reported?**")
    first, *others = REPORTED
    told = "da Silva's report found them further apart, on EmoDB with wav2vec 2.0, than two other pairs."
    st.markdown(f"{told} Here they are {_said(distances, between, first)} apart:")
    st.markdown("\n".join(f"- {_compared(distances, between, first, other)}" for other in others))


def _compared(distances: Distances, between: Resampled | None, first: Pair, other: Pair) -> str:
    (a, b), (c, d) = ([distances.names.index(name) for name in pair] for pair in (first, other))
    larger = distances.between[a, b] > distances.between[c, d]
    verdict = "**further than**" if larger else "**not further than**"
    sentence = f"{verdict} {other[0]} and {other[1]}, {_said(distances, between, other)}"
    if between is None:
        return sentence + "."
    ends = (between.low[a, b], between.high[c, d]) if larger else (between.low[c, d], between.high[a, b])
    if not np.isfinite(ends).all():
        return sentence + "."
    sure = "the intervals do not overlap." if ends[0] > ends[1] else "the intervals overlap: other speakers may differ."
    return f"{sentence}; {sure}"


def _intervals(choice: Choice, measured: Measured, question: Question, between: Resampled | None) -> None:
    """Say what the intervals are; where there are none, why, or offer to compute them in the background."""
    st.markdown("**95 % intervals**")
    if not analyses.several_speakers(measured.clips):
        st.caption("None: they resample speakers, and all of these clips are of one.")
        return
    speakers = analyses.n_speakers(measured.clips)
    if between is not None:
        st.caption(f"From {analyses.N_RESAMPLES:,} resamples of the {speakers} speakers, with replacement.")
        if not measured.distances.enough:
            st.caption(NARROW)
        i, j = np.triu_indices(len(measured.distances.names), k=1)
        above = int((measured.distances.between[i, j] > between.high[i, j]).sum())
        if above:
            st.caption(ABOVE.format(n=above, of=len(i)))
        return
    progress.offer(
        analyses.mahalanobis_job(choice.names, choice.store.key, question),
        going="They are being computed; you can go on elsewhere meanwhile.",
        wanted=f"Not computed yet: {analyses.N_RESAMPLES:,} resamples of the {speakers} speakers, in the background.",
        label="Compute 95 % intervals",
        start=lambda: affect_data.start_distance_interval(choice.names, choice.store, question),
    )
