"""Two clips in one view, each an upload or a clip of the corpora: what they share, and what they differ in."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import (
    clip_panel,
    compare_sides,
    data,
    export,
    frame,
    map_panel,
    nearest_panel,
    unusual_panel,
    upload_panel,
    widgets,
)
from dashboard.compare_sides import Side
from dashboard.data import Source
from dashboard.frame import Choice
from dashboard.place_data import Prepared
from dashboard.uploads import Upload
from dashboard.words import decimals, number
from ser_core import audio, contrast, emotions, maps, unseen
from ser_core.errors import SerError
from ser_core.landing import SAME
from ser_core.maps import View
from ser_core.placement import Atlas
from ser_core.plots import contrast as places
from ser_core.plots import emotions as plot
from ser_core.plots import map as map_plot

CONFIG: Final = {"displayModeBar": False}
LETTERS: Final = ("A", "B")
SEEN: Final = (
    "Two clips side by side: a sentence in two emotions, two speakers, a clip of yours and one like it. Two clips are "
    "two clips: what differs between them need not differ between emotions or people."
)
KNOWN: Final = (
    "A clip of the corpus took part in the means that its distances are from; its probabilities and its place on the "
    "plane come from what had not heard its speaker, where the speaker is known."
)
UNLIKE: Final = (
    "**{} is unlike everything here (out of distribution)**: further from every emotion than {:.0f} % of the corpus's "
    "clips were with their own speaker left out. Its emotions are only the least far."
)
MOST_DIFFERENCES: Final = 10
LEAST: Final = 0.1
"""Standard deviations from which a difference is put into words."""
COLUMNS: Final = {
    "": st.column_config.TextColumn(width=24),
    **{f"distance {letter}": st.column_config.NumberColumn(width=78, help="Mahalanobis") for letter in LETTERS},
    **{f"probability {letter}": st.column_config.NumberColumn(f"prob. {letter}", width=66) for letter in LETTERS},
}
VOICE: Final = (
    "eGeMAPS measures, in standard deviations (SD) of the corpus, of each family the one that differs most. **This may "
    "be the microphone, not the voice**: level, distance and room move them, too. Compare only clips recorded alike."
)


def show(choice: Choice, view: View, prepared: Prepared, mine: Sequence[Upload]) -> None:
    """Choose A and B among the uploads ``mine`` and the clips of the corpora, and show them side by side."""
    st.markdown(SEEN)
    options = compare_sides.options(choice)
    if len(options) < 2:
        st.info("Two clips are needed: upload one more.")
        return

    def known(name: str) -> Side | None:
        upload = compare_sides.upload_of(name)
        try:
            side = compare_sides.side(name, choice, view, prepared)
        except SerError as error:  # of one clip: another can still be chosen
            st.error(widgets.plain(f"{options[name]}: {error}"))
            return None
        if side is None and upload is not None:
            upload_panel.waiting(upload, choice)
        return side

    name = st.session_state.get("compare_a")
    name = name if name in options else f"{compare_sides.UPLOAD}{mine[-1].id}" if mine else _in_hand(choice)
    a = known(name)
    other = _chosen(options, name, compare_sides.quick(choice, a))
    b = known(other) if other != name else a
    if a is None or b is None:
        return
    _heard(a, b)
    _apart(choice, view, prepared.atlas, (a, b))
    _where(prepared, (a, b))
    _emotions(prepared.atlas, (a, b))
    _voices(prepared.atlas, (a, b))
    frame.sources(choice, *frame.view_facts(choice, view))


def _chosen(options: dict[str, str], name: str, quick: dict[str, str]) -> str:
    """Show the choices, A being ``name``; return B: what was chosen, or another upload, or the first quick pair."""
    other = st.session_state.get("compare_b")
    if other not in options:
        mine = [one for one in reversed(options) if one.startswith(compare_sides.UPLOAD) and one != name]
        other = next(iter([*mine, *quick, *(one for one in options if one != name)]))
    columns = st.columns(3, gap="medium")
    for column, letter, here in zip(columns, LETTERS, (name, other), strict=False):
        with column:
            _box(letter, here, options)
    with columns[2]:
        _pairs(quick)
    return other


def _in_hand(choice: Choice) -> str:
    row = clip_panel.row_in_hand(choice.found) or 0
    return compare_sides.name_of(choice.found.clips.iloc[row])


def _box(letter: str, name: str, options: dict[str, str]) -> None:
    key = f"compare_{letter.lower()}"
    st.session_state[f"_{key}"] = name

    def taken() -> None:
        st.session_state[key] = st.session_state[f"_{key}"]

    shown = list(options)
    if len(shown) > map_panel.MOST_OPTIONS:
        text = st.text_input(f"Find {letter}", key=f"_find_{letter}", placeholder="file, speaker or emotion")
        fits = [one for one in shown if text.lower() in options[one].lower()]
        shown = list(dict.fromkeys([name, *fits[: map_panel.MOST_OPTIONS]]))
    st.selectbox(
        f"Clip {letter}", shown, key=f"_{key}", on_change=taken, format_func=options.__getitem__,
        help="Type a part of its file, its speaker or its emotion.",
    )  # fmt: skip


def _pairs(quick: dict[str, str]) -> None:
    def taken() -> None:
        if st.session_state["_compare_quick"]:
            st.session_state["compare_b"] = st.session_state["_compare_quick"]
            st.session_state["_compare_quick"] = None

    st.selectbox(
        "Quick pairs with A", list(quick), index=None, key="_compare_quick", on_change=taken,
        format_func=lambda name: quick.get(name, ""), placeholder="choose",
        disabled=not quick, help="Where the corpus knows what was said, the same sentence; else the nearest clips.",
    )  # fmt: skip


def _heard(a: Side, b: Side) -> None:
    for column, letter, side in zip(st.columns(2, gap="medium"), LETTERS, (a, b), strict=True):
        with column:
            st.markdown(f"**{letter}: {widgets.plain(side.title)}**")
            if isinstance(side.signal, str):
                st.warning(widgets.plain(side.signal))
            else:
                st.audio(audio.wav_bytes(side.signal, side.rate))
            widgets.facts(side.facts)
    there = [(letter, side) for letter, side in zip(LETTERS, (a, b), strict=True) if not isinstance(side.signal, str)]
    if there:
        titles = [f"{letter}: {side.title}" for letter, side in there]
        sounds = [(side.signal, side.rate) for _, side in there if not isinstance(side.signal, str)]
        nearest_panel.pictures(titles, sounds, key="compare_spectra", name="two-spectrograms")


def _apart(choice: Choice, view: View, atlas: Atlas, sides: tuple[Side, Side]) -> None:
    """Say how far apart the clips are, compared with any two clips of the corpora."""
    a, b = sides
    st.markdown("##### How far apart they are")
    distance = float(np.linalg.norm(a.x - b.x))
    usual = float(np.median(atlas.ground.drawn.distances[:, 0]))
    if compare_sides.same(a, b):
        st.markdown("**A and B are the same recording.**")
    elif distance <= SAME * usual:
        st.markdown("**A and B sound the same to this encoder**: they are probably the same recording.")
    pairs = _random(data.source(choice.names, choice.store), view, atlas.ground.x)
    share = contrast.further(pairs, distance)
    of = widgets.plain(" and ".join(choice.names))
    st.markdown(
        f"**{number(distance, digits=decimals(usual / 5))}** (Euclidean, scaled values): further apart than "
        f"**{100 * share:.0f} %** of {len(pairs):,} random pairs of clips of {of}. Half of those are nearer than "
        f"{number(float(np.median(pairs)), digits=decimals(usual / 5))}."
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _random(source: Source, view: View, _x: NDArray[np.float64]) -> NDArray[np.float64]:
    return contrast.apart(_x, seed=maps.SEED)


def _where(prepared: Prepared, sides: tuple[Side, Side]) -> None:
    atlas, taught = prepared.atlas, prepared.taught
    left, right = st.columns(2, gap="medium")
    pairs = list(zip(LETTERS, sides, strict=True))
    with left:
        st.markdown("**On the map**")
        drawn = atlas.ground.drawn
        labels = [emotions.common_name(str(word)) for word in atlas.found.clips["emotion"]]
        marks = [places.Mark(letter, side.point, f"{letter}: {side.title}") for letter, side in pairs]
        figure = places.on_map(
            drawn.projection.coordinates[:, :2], labels, marks, axes=map_plot.axis_titles(drawn)[:2]
        )  # fmt: skip
        _picture(figure, "compare_map", "A and B on the first two axes of the map")
        if drawn.view.n_components > 2:
            st.caption("The first two axes of the map.")
    with right:
        st.markdown("**On Russell's plane**")
        if atlas.plane is None or taught is None:
            st.caption("No plane to place them on: see above.")
            return
        region = atlas.plane.region
        marks = [
            places.Mark(
                letter,
                side.affect,
                f"{letter}: valence {number(side.affect[0])}, arousal {number(side.affect[1])}",
                region.ellipse(side.affect) if region else None,
            )
            for letter, side in pairs
            if side.affect is not None
        ]
        figure = places.on_plane(atlas.plane.scored.placed, taught.labels, marks)
        _picture(figure, "compare_plane", "A and B on Russell's plane")
        said = f"Learnt from {atlas.plane.teacher}."
        if region:
            said += f" Lines (A full, B dotted): where the true place lies for {100 * region.share:.0f} % of clips."
        st.caption(widgets.plain(said))


def _picture(figure: Any, key: str, alt: str) -> None:
    with st.container(key=key):
        st.plotly_chart(figure, key=f"{key}_figure", config=CONFIG, alt=alt)
    export.picture(key, name=key.replace("_", "-"))


def _emotions(atlas: Atlas, sides: tuple[Side, Side]) -> None:
    st.markdown("##### Which emotions they are near to")
    a = sides[0]
    if a.distances is None and a.probabilities is None:
        st.caption(widgets.plain(" ".join(atlas.lacking)))
        return
    first = a.distances if a.distances is not None else -np.asarray(a.probabilities)
    order = first.argsort(kind="stable")
    names = [atlas.emotions[place] for place in order]
    columns: dict[str, Any] = {"": "●", "emotion": names}
    told = []
    for letter, side in zip(LETTERS, sides, strict=True):
        parts = [None if part is None else part[order] for part in (side.distances, side.probabilities)]
        told.append(plot.Told(letter, *parts))
    for name, part in (("distance", "distances"), ("probability", "probabilities")):
        columns |= {f"{name} {one.label}": getattr(one, part) for one in told if getattr(one, part) is not None}
    table = pd.DataFrame(columns)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        _picture(plot.profile(names, told), "compare_emotions", "Distances and probabilities of A and B")
        st.caption("Dotted: chance, all emotions as probable.")
    with right:
        inks = [f"color: {emotions.style(name).colour}" for name in names]
        formats: Any = {name: _percent if name.startswith("prob") else "{:.2f}" for name in table.columns[2:]}
        shown = table.style.apply(lambda _: inks, subset=[""]).format(formats)
        st.dataframe(
            shown, hide_index=True, key="compare_table", height=38 + 35 * len(table),
            column_config=COLUMNS,
        )  # fmt: skip
        st.caption(KNOWN)
        for letter, side in zip(LETTERS, sides, strict=True):
            if compare_sides.unlike(atlas, side):
                st.caption(UNLIKE.format(letter, 100 * unseen.OUTLYING))
        export.table(table.drop(columns=""), name="two_clips_emotions")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _voices(atlas: Atlas, sides: tuple[Side, Side]) -> None:
    st.markdown("##### What differs in the voice")
    a, b = sides
    if atlas.voice is None or a.voice is None or b.voice is None:
        whys = [why for why in atlas.lacking if "egemaps" in why.lower()]
        st.caption(widgets.plain("; ".join(whys) or "Not known: openSMILE gives no eGeMAPS values for one of them."))
        return
    every = contrast.differences(atlas.voice, a.voice, b.voice, n=len(a.voice))
    found = [one for one in every[:MOST_DIFFERENCES] if abs(one.z) >= LEAST]
    if not found:
        st.markdown("Nothing: no measure differs by a tenth of a standard deviation.")
        return
    half = -(-len(found) // 2)
    for column, part in zip(st.columns(2), (found[:half], found[half:]), strict=True):
        column.markdown(
            "\n".join(f"- B: {widgets.plain(one.says() + unusual_panel.level(one.measure))}" for one in part)
        )
    st.caption(VOICE)
    rows = [
        (one.measure.words, one.a, one.b, one.measure.unit, one.z, one.measure.about, one.measure.name) for one in every
    ]
    columns = ["measure", "A", "B", "unit", "B minus A (SD)", "what it is", "openSMILE"]
    export.table(pd.DataFrame(rows, columns=columns), name="two_clips_voice")
