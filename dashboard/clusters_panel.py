"""What is said under the map of clouds: what the variance goes with, how well the clouds part, how far they overlap."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import export, widgets
from ser_core import analyses, resampling
from ser_core.clusters import FACTORS, Clusters
from ser_core.geometry.density import in_order
from ser_core.geometry.separation import Share
from ser_core.plots import clusters as clusters_plot

PICTURE: Final = {"displayModeBar": False}
SHARES: Final = "clusters_shares"
PARTING: Final = "clusters_parting"
OVERLAP: Final = "clusters_overlap"
"""Keys of the containers that hold the pictures."""
SILHOUETTE: Final = (
    "Is a clip nearer, on average, to clips of its own emotion (above 0, at most 1) or to those of the next one "
    "(below 0, at least -1)? Rousseeuw 1987."
)
RATIO: Final = (
    "Scatter of the emotions' means around the middle of all clips, divided by the scatter of clips around the mean of "
    "their emotion. 0: all means in one place; 1: as much between emotions as within them."
)


@dataclass(frozen=True)
class Choice:
    """The emotions that are outlined, and the colour of each emotion of the map."""

    emotions: tuple[str, ...]
    inks: Mapping[str, str]


def show(result: Clusters, choice: Choice) -> None:
    """Show all that is measured of the clouds."""
    _chosen(result, choice)
    st.markdown("##### Is it emotion or speaker?")
    _variance(result)
    st.markdown("##### How well do the clouds part?")
    _parting(result, choice)
    st.markdown("##### How far do they overlap?")
    _overlap(result, choice)


def pair(result: Clusters, emotions: Sequence[str]) -> tuple[str, str] | None:
    """Return the two emotions that were chosen, where it was two and both have a cloud."""
    clouds = [name for name in emotions if name in result.overlap.names]
    return (clouds[0], clouds[1]) if len(emotions) == len(clouds) == 2 else None


def verdict(found: Sequence[Share]) -> str:
    """Say in words whether it is emotion or speaker that a map shows."""
    by_name = {one.factor: one for one in found}
    emotion, rivals = by_name["emotion"], [one for one in found if one.factor != "emotion"]
    if not rivals:
        same = ", ".join(name for name in FACTORS if name not in by_name)
        return (
            f"Emotion explains {_percent(emotion.alone)} of this map{_interval(emotion.alone_95)}. Nothing can be set "
            f"against it: these clips do not differ in {same}."
        )
    other = by_name.get("speaker") or max(rivals, key=lambda one: one.alone)
    first, second = sorted((emotion, other), key=lambda one: -one.alone)
    numbers = (
        f"{_percent(first.alone)}{_interval(first.alone_95)} against {_percent(second.alone)}{_within(second.alone_95)}"
    )
    if first.alone_95 and second.alone_95 and first.alone_95[0] <= second.alone_95[1]:
        said = (
            f"{first.factor} and {second.factor} explain about as much of this map: {numbers}, and the intervals meet."
        )
    else:
        said = f"{first.factor} explains more of this map than {second.factor}: {numbers}."
    others = _and([one.factor for one in rivals])
    beyond = f"Beyond what {others} explain{'s' * (len(rivals) == 1)}, emotion adds {_percent(emotion.unique)}"
    return f"{said.capitalize()} {beyond}{_within(emotion.unique_95)}."


def confusion(coefficient: float) -> tuple[float, float]:
    """Return how often the best rule errs that tells two equally frequent emotions apart by place: bounds, 0 to 0.5.

    Kailath 1967, *IEEE Trans. Communication Technology* 15: 52-60; ``coefficient`` is Bhattacharyya's.
    """
    return (1 - math.sqrt(max(0.0, 1 - coefficient**2))) / 2, coefficient / 2


def shares_table(found: Sequence[Share]) -> pd.DataFrame:
    """Return the shares of variance in per cent, one row per factor."""
    rows = []
    for one in found:
        low, high = one.alone_95 or (np.nan, np.nan)
        own_low, own_high = one.unique_95 or (np.nan, np.nan)
        shares = {"alone (%)": one.alone, "from": low, "to": high, "adjusted (%)": one.adjusted}
        shares |= {"added (%)": one.unique, "added from": own_low, "added to": own_high}
        rows.append({"goes with": one.factor, "groups": one.n_levels, **{k: 100 * v for k, v in shares.items()}})
    return pd.DataFrame(rows)


def emotions_table(result: Clusters) -> pd.DataFrame:
    """Return what is known of the cloud of each emotion, one row each, also of those left out."""
    clips = result.clips.clips
    parts = {one.name: len(one.components) for one in result.densities.parts}
    rows = []
    for name in in_order(clips["emotion"].to_numpy(str)):
        own = (clips["emotion"] == name).to_numpy()
        values, speakers = result.silhouette[own], list(clips["speaker"][own])
        several = len(set(speakers)) > 1
        low, high = resampling.mean_interval(values, speakers, seed=analyses.SEED) if several else (np.nan, np.nan)
        nearest, most = _nearest(result, name)
        rows.append(
            {
                "emotion": name, "clips": len(values), "Gaussians": parts.get(name, 0),
                "silhouette": values.mean(), "from": low, "to": high,
                "overlaps most with": nearest, "overlap": most,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def pairs_table(result: Clusters) -> pd.DataFrame:
    """Return the overlap of every two emotions, the most alike first."""
    found = result.overlap
    rows = []
    for i, j in itertools.combinations(range(len(found.names)), 2):
        value = float(found.coefficient[i, j])
        least, most = confusion(value)
        rows.append(
            {
                "emotion": found.names[i], "other": found.names[j], "overlap": value,
                "standard error": float(found.standard_error[i, j]),
                "distance": -math.log(value) if value > 0 else np.inf,
                "confused at least (%)": 100 * least, "at most (%)": 100 * most,
            }
        )  # fmt: skip
    table = pd.DataFrame(rows, columns=None if rows else ["emotion", "other", "overlap"])
    return table.sort_values("overlap", ascending=False, ignore_index=True)


def pair_words(result: Clusters, names: tuple[str, str]) -> str:
    """Say how far two emotions overlap, in words; as Markdown."""
    found = result.overlap
    i, j = (found.names.index(name) for name in names)
    value, error = float(found.coefficient[i, j]), float(found.standard_error[i, j])
    least, most = confusion(value)
    counts = {part.name: part.n_clips for part in result.densities.parts}
    about = f", simulated, standard error {error:.3f}" if error else ""
    distance = f"distance {-math.log(value):.2f}" if value > 0 else "too far apart for a distance"
    first, second = (widgets.plain(name) for name in names)
    between = f"{100 * least:.0f} to {100 * most:.0f} %"
    return (
        f"**{first.capitalize()} and {second} overlap by {value:.2f}** (Bhattacharyya coefficient: 0 apart, 1 the same;"
        f" {distance}{about}; {counts[names[0]]:,} and {counts[names[1]]:,} clips). Somebody who knew both clouds and "
        f"went by the place of a clip alone would take one for the other in {between} of cases; guessing: 50 %."
    )


def _chosen(result: Clusters, choice: Choice) -> None:
    if (two := pair(result, choice.emotions)) is not None:
        st.markdown(pair_words(result, two))
    gone = [(name, why) for name, why in result.densities.left_out if name in choice.emotions]
    if gone:
        said = "; ".join(f"{name} ({why})" for name, why in gone)
        st.markdown(f"Without a cloud: {widgets.plain(said)}.")


def _variance(result: Clusters) -> None:
    st.markdown(widgets.plain(verdict(result.shares)))
    with st.container(key=SHARES):
        figure = clusters_plot.shares(result.shares)
        st.plotly_chart(
            figure, key="shares_figure", config=PICTURE, alt="Shares of variance; the table has the numbers"
        )
    export.picture(SHARES, name="emotion-or-speaker")
    people = analyses.n_speakers(result.clips)
    lines = f" Lines: 95 % intervals, resampling the {people} speakers." if people > 1 else ""
    nested = [one.factor for one in result.shares if one.factor != "speaker" and one.unique < 1e-6]
    follows = ""
    if nested and any(one.factor == "speaker" for one in result.shares):
        inside = _and(nested).capitalize()
        follows = f" {inside}: known once the speaker is, so contained in its share, with nothing to add."
    st.caption(
        "Bar: what each explains alone; bars can add up to more than 100 % where things go together. Diamond: what it "
        f"adds to all the others.{lines}{follows} n = {len(result.rows):,} clips."
    )
    if result.factors_left_out:
        said = "; ".join(f"{name} ({why})" for name, why in result.factors_left_out)
        st.caption(f"Left out: {widgets.plain(said)}.")
    table = shares_table(result.shares)
    with st.expander("The shares as a table"):
        _numbers(table, "%.1f")
        export.table(table, name="emotion-or-speaker")


def _parting(result: Clusters, choice: Choice) -> None:
    value, span = float(result.silhouette.mean()), result.silhouette_95
    left, right = st.columns(2)
    left.metric("Silhouette", f"{value:.2f}", help=SILHOUETTE)
    between = (
        f"95 % interval {span[0]:.2f} to {span[1]:.2f}, resampling speakers" if span else "one speaker: no interval"
    )
    left.caption(f"mean of {len(result.silhouette):,} clips; {between}")
    right.metric("Between / within", f"{result.between_within:.2f}", help=RATIO)
    right.caption("scatter between emotions over scatter within them")
    table = emotions_table(result)
    spans = [None if math.isnan(low) else (low, high) for low, high in zip(table["from"], table["to"], strict=True)]
    with st.container(key=PARTING):
        figure = clusters_plot.silhouettes(list(table["emotion"]), list(table["silhouette"]), spans, inks=choice.inks)
        st.plotly_chart(figure, key="parting_figure", config=PICTURE, alt="Silhouette of each emotion")
    export.picture(PARTING, name="silhouette")
    with st.expander("The emotions as a table"):
        _numbers(table, "%.2f")
        export.table(table, name="clouds")


def _overlap(result: Clusters, choice: Choice) -> None:
    table, names = pairs_table(result), result.overlap.names
    if len(names) < 2:
        st.markdown("One emotion only has a cloud: there is nothing that it could overlap with.")
        return
    most, least = table.iloc[0], table.iloc[-1]
    ends = f"{most['emotion']} and {most['other']}, {most['overlap']:.2f}"
    if len(table) > 1:
        ends += f"; least: {least['emotion']} and {least['other']}, {least['overlap']:.2f}"
    st.markdown(f"Most: {widgets.plain(ends)}. 0: apart, 1: the same (Bhattacharyya coefficient).")
    marked = pair(result, choice.emotions)
    # another key for another pair: the square that was clicked does not stay pressed
    key = "overlap_figure" + "".join(f"_{names.index(name)}" for name in marked or ())

    def chosen() -> None:
        points = st.session_state[key]["selection"]["points"]
        if points:
            row, column = divmod(int(points[0]["customdata"]), len(names))
            if row != column:
                st.session_state["emotions"] = [names[row], names[column]]
                st.session_state["_pair_clicked"] = True

    with st.container(key=OVERLAP):
        st.plotly_chart(
            clusters_plot.overlap(result.overlap, marked=marked),
            key=key,
            config=PICTURE,
            on_select=chosen,
            selection_mode="points",
            alt="Overlap of every two emotions; the table has the numbers",
        )
    if st.session_state.pop("_pair_clicked", False):
        st.rerun()  # the map above is to show the pair
    export.picture(OVERLAP, name="overlap")
    st.caption("Violet: much, green: little. Click a square to see its two clouds alone in the map above.")
    with st.expander("All pairs as a table"):
        _numbers(table, "%.2f")
        export.table(table, name="overlap")


def _numbers(table: pd.DataFrame, form: str) -> None:
    floats = table.select_dtypes("float").columns
    st.dataframe(
        table, hide_index=True, column_config={name: st.column_config.NumberColumn(format=form) for name in floats}
    )


def _nearest(result: Clusters, name: str) -> tuple[str | None, float]:
    names = result.overlap.names
    if name not in names or len(names) < 2:
        return None, np.nan
    row = result.overlap.coefficient[names.index(name)].copy()
    row[names.index(name)] = -1.0
    return names[int(row.argmax())], float(row.max())


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _interval(span: tuple[float, float] | None) -> str:
    return "" if span is None else f" (95 % interval {100 * span[0]:.0f} to {100 * span[1]:.0f})"


def _within(span: tuple[float, float] | None) -> str:
    return "" if span is None else f" ({100 * span[0]:.0f} to {100 * span[1]:.0f})"
