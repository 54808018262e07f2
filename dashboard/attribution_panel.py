"""What features add to the two numbers of clips: by emotion, in one clip beside its sound, and whether ways agree."""

from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import data, export, transfer_choice, transfer_data, widgets
from dashboard.transfer_choice import Choice
from dashboard.words import number
from ser_core import attribution, audio, spectrogram
from ser_core.models.plane import Method
from ser_core.plots import clip as clip_plot
from ser_core.plots import shares as plot
from ser_core.plots.transfer import METHODS
from ser_core.transfer import UNSEEN, Adaptation, Transfer

CONFIG: Final = {"displayModeBar": False}
NETWORKS: Final[tuple[Method, ...]] = ("dae", "uae")
WAYS: Final = {"gradients": "integrated gradients", "shapley": "Shapley values, 25 orders"}
MOST: Final = 14
"""Measures that a waterfall names; the others are added up."""


def refusal(choice: Choice) -> str | None:
    """Say why nothing can be explained, before anything is computed; None where it can."""
    return attribution.refusal(str(choice.store.recipe["name"]), choice.question)


def show(found: Transfer, part: str) -> None:
    """Show one part of the page."""
    names = attribution.names(found)
    columns = st.columns([1.3, 1.2, 1, 0.8], gap="medium")
    with columns[0]:
        method = widgets.select("numbers", "By", list(NETWORKS), default="dae", show=lambda one: METHODS[one][0])
    with columns[1]:
        where = transfer_choice.place(found)
    with columns[2]:
        adaptation = transfer_choice.adaptation() if where != UNSEEN else "none"
    k = 0
    if part != "check":  # its table has both
        with columns[3]:
            k = widgets.segments("number", "Number", [1, 2], default=1, show=str) - 1
    if part == "features":
        _features(found, where, method, adaptation, k)
    elif part == "clip":
        _clip(found, where, method, adaptation, k, names)
    else:
        _check(found, where, method, adaptation)


def _features(found: Transfer, where: str, method: Method, adaptation: Adaptation, k: int) -> None:
    shares = transfer_data.shares(found, where, method, adaptation)
    table = transfer_data.marks(found, where, method, adaptation)
    order = _largest_first(table, k)
    added = attribution.added_up(shares.shares)[:, :, k]
    places = [attribution.features().index(name) for name in order]
    words = found.question.emotions
    left, right = st.columns([2, 1], gap="large")
    with left:
        with st.container(key="violins"):
            figure = plot.violins(added[:, places], shares.truth, names=words, features=order)
            st.plotly_chart(figure, key="violins_figure", config=CONFIG, alt="What each feature adds, by emotion")
        export.picture("violins", name=f"attribution-{found.own.name}")
        st.caption(
            f"What each feature adds to number {k + 1} of {len(shares.rows):,} clips told rightly, in standard "
            f"deviations, against neutral clips ({shares.n_folds} folds have such a reference). In brackets: clips. "
            "The line in each shape: the mean. Features that move the number most stand above."
        )
    with right:
        _words(table, words, k)
    with st.expander("All features as a table"):
        shown = table[table["number"] == k].drop(columns="number").rename(columns={"mark": "mark of the emotion"})
        floats = ("mean", "low", "high")
        config: dict[str, Any] = {name: st.column_config.NumberColumn(format="%.2f") for name in floats}
        st.dataframe(shown, hide_index=True, column_config=config)
        export.table(shown, name=f"attribution-{where.replace(' ', '-')}-number-{k + 1}")


def _words(table: pd.DataFrame, names: tuple[str, ...], k: int) -> None:
    st.markdown(f"##### What marks each emotion (number {k + 1})")
    own = table[table["number"] == k]
    for word in names:
        of = own[own["emotion"] == word]
        if of.empty:
            st.markdown(f"**{word}**: no clip was told rightly.")
            continue
        if of["low"].isna().all():
            st.markdown(f"**{word}**: one speaker alone; what marks it cannot be told.")
            continue
        said = {kind: _said(of[of["mark"] == kind]) for kind in ("only", "shared")}
        parts = [f"its own: {said['only']}"] if said["only"] else []
        parts += [f"shared with another emotion: {said['shared']}"] if said["shared"] else []
        n = int(of["n"].iloc[0])
        if parts:
            st.markdown(f"**{word}** ({n:,} clips): {'; '.join(parts)}.")
        else:
            why = "as it should be: the reference is neutral" if word == attribution.NEUTRAL else "like neutral clips"
            st.markdown(f"**{word}** ({n:,} clips): no feature moves it ({why}).")
    st.caption("In brackets: the mean, in standard deviations. Signs: raises (+) or lowers (\u2212) the number.")


def _said(table: pd.DataFrame) -> str:
    order = table.reindex(table["mean"].abs().sort_values(ascending=False).index)
    return ", ".join(
        f"{widgets.plain(str(feature))} ({'+' if mean > 0 else ''}{number(mean)})"
        for feature, mean in zip(order["feature"], order["mean"], strict=True)
    )


def _largest_first(table: pd.DataFrame, k: int) -> list[str]:
    own = table[table["number"] == k]
    largest = own.assign(size=own["mean"].abs()).groupby("feature", sort=False)["size"].max()
    return [str(name) for name in largest.sort_values(ascending=False, kind="stable").index]


def _clip(found: Transfer, where: str, method: Method, adaptation: Adaptation, k: int, names: tuple[str, ...]) -> None:
    landed = found.landed(where)
    rows = np.flatnonzero(found.among(where).any(axis=0)).tolist()
    if not rows:
        st.info(f"Every clip of {widgets.plain(landed.name)} is an outlier here: there is none to explain.")
        return
    files = landed.clips["file"].tolist()
    words = landed.clips["emotion"].tolist()
    titles = {row: f"{PurePosixPath(files[row]).name} ({words[row]})" for row in rows}
    held = str(st.session_state.get("clip") or "")  # a link has the beginning of it
    first = next((row for row in rows if held and landed.digests[row].startswith(held)), rows[0])
    row = widgets.select("explained", "Clip", rows, default=first, show=titles.__getitem__)
    left, right = st.columns([1.6, 1], gap="large")
    shares = transfer_data.shares_of(found, where, method, adaptation, row)
    with left:
        _waterfall(shares, k, names, words[row])
    with right:
        _sound(found, where, row)
        right_in = int(found.right(where, method, adaptation)[:, row].sum())
        tried = int(found.among(where)[:, row].sum())
        widgets.facts(
            {
                "emotion": words[row],
                "told rightly": f"in {right_in} of {tried} fold{'s' if tried > 1 else ''}",
                "number 1 against neutral": f"{number(float(shares.difference[0, 0]))} SD",
                "number 2 against neutral": f"{number(float(shares.difference[0, 1]))} SD",
                "speaker": landed.clips["speaker"].iloc[row],
                "file": files[row],
            }
        )


def _waterfall(shares: attribution.Attribution, k: int, names: tuple[str, ...], word: str) -> None:
    own = shares.shares[0, :, k]
    order = np.argsort(-np.abs(own), kind="stable")
    first, rest = order[:MOST], order[MOST:]
    labels = [names[place] for place in first] + [f"the other {len(rest)} measures"]
    values = np.append(own[first], own[rest].sum())
    with st.container(key="waterfall"):
        figure = plot.waterfall(labels, values, start="neutral clips", end=f"this clip ({word})")
        st.plotly_chart(figure, key="waterfall_figure", config=CONFIG, alt="What each measure adds to the number")
    export.picture("waterfall", name="attribution-clip")
    total, gap = float(shares.difference[0, k]), float(own.sum() - shares.difference[0, k])
    st.caption(
        f"Number {k + 1}, from the mean of neutral clips (0) to this clip ({number(total)} SD). All 88 shares add up "
        f"to that, to {abs(gap):.0e}."
    )
    with st.expander("All 88 measures as a table"):
        table = pd.DataFrame(
            {"measure": names, "value against neutral, SD": shares.given[0], "adds to the number, SD": own}
        ).iloc[order]
        config: dict[str, Any] = {str(name): st.column_config.NumberColumn(format="%.3f") for name in table.columns[1:]}
        st.dataframe(table, hide_index=True, column_config=config)
        export.table(table, name="attribution-clip")


def _sound(found: Transfer, where: str, row: int) -> None:
    landed = found.landed(where)
    roots = {one.name: one.root for one in data.corpora()}
    try:
        signal = data.signal(roots.get(landed.name, Path()) / landed.clips["file"].iloc[row], landed.digests[row])
    except audio.AudioError as error:
        st.warning(f"This clip cannot be played: {widgets.plain(error.reason)}.")
        return
    st.audio(audio.wav_bytes(signal))
    figure = clip_plot.figure(spectrogram.outline(signal), spectrogram.mel_spectrogram(signal))
    st.plotly_chart(figure, key="attribution_clip", config=CONFIG, alt="Waveform and mel spectrogram of the clip")


def _check(found: Transfer, where: str, method: Method, adaptation: Adaptation) -> None:
    table = transfer_data.agreement(found, where, method, adaptation)
    rows = [
        {
            "way": WAYS[str(one["way"])],
            "number": int(one["number"]) + 1,
            "rank correlation with DeepLIFT, mean": float(one["rank_correlation"]),
            "lowest of a clip": float(one["lowest"]),
            "clips": int(one["n"]),
        }
        for one in table.to_dict("records")
    ]
    config: dict[str, Any] = {
        name: st.column_config.NumberColumn(format="%.3f")
        for name in ("rank correlation with DeepLIFT, mean", "lowest of a clip")
    }
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=config)
    st.markdown(
        "Each way gives every one of the 88 measures a share of the clip's number; this is how alike they order them "
        "(Spearman's rank correlation over the measures of a clip: 1 the same order, 0 none)."
    )
