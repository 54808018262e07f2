"""The clip in hand: its sound, its picture, its labels and its nearest neighbours."""

from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import clicks, data, links, widgets
from ser_core import audio, emotions, spectrogram
from ser_core.embeddings import Embeddings
from ser_core.maps import Map
from ser_core.plots import clip as clip_plot
from ser_core.plots.colours import EMOTION, NOT_GIVEN

MEANING: Final = {
    "recognised": "recognised (share of listeners)",
    "natural": "natural (share of listeners)",
}
"""Columns whose name alone does not say what they are."""
PICTURE: Final = {"displayModeBar": False}
SWITCHES: Final = (("autoplay", "Play on click", True), ("loop", "Loop", False))
EMPTY: Final = (
    "Click a point to hear its clip and see its sound, its labels and its nearest neighbours. "
    "With the keyboard: choose a row of the table below, or find a clip by name."
)


def row_in_hand(found: Embeddings) -> int | None:
    """Return the row of the clip chosen in this session, None if it is not among these."""
    digest = st.session_state.get("clip")
    if not digest:
        return None
    rows = [row for row, sha in enumerate(found.digests) if sha.startswith(digest)]
    same = [row for row in rows if _place(found, row) == st.session_state.get("clip_place")]
    return next(iter(same or rows), None)


def check_link(found: Embeddings) -> None:
    """Say so if the link names a clip that is not here."""
    if st.session_state.get("clip") and links.from_link("clip") and row_in_hand(found) is None:
        links.note("The link names a clip that is not among these.")


def take(found: Embeddings, row: int) -> None:
    """Take a clip in hand, and have it played."""
    hold(found, row)
    st.session_state["_plays"] = st.session_state.get("_plays", 0) + 1


def hold(found: Embeddings, row: int) -> None:
    """Take a clip in hand that is played elsewhere, or not at all."""
    st.session_state["clip"] = found.digests[row]
    st.session_state["clip_place"] = _place(found, row)  # one sound can lie in two corpora


def sound(found: Embeddings, row: int | None) -> clicks.Sound:
    """Return which player is to start, and whether it may; what a page without a map has played does not count."""
    if _new():
        st.session_state["_on_maps"] = st.session_state["_played"]
    wanted = bool(st.session_state.get("autoplay", True))
    return clicks.Sound(player(found, row), st.session_state.get("_on_maps", 0), wanted)


def show(found: Embeddings, row: int | None, *, drawn: Map, on_jump: Callable[[int], None]) -> None:
    """Show a clip of a map; ``on_jump`` gets the row of a neighbour that was chosen."""
    if row is None:
        st.markdown("**Clip in hand**")
        st.caption(EMPTY)
        return
    _clip(found, row, autoplay=False)  # the bridge to the map starts it, also for a second click
    st.markdown("**Nearest in the original space**")
    neighbours(found, row, drawn, on_jump=on_jump)


def alone(found: Embeddings, row: int | None, *, empty: str) -> None:
    """Show a clip on a page without a map; ``empty`` says how to take one in hand."""
    if row is None:
        st.markdown("**Clip in hand**")
        st.caption(empty)
        return
    _clip(found, row, autoplay=_new() and bool(st.session_state.get("autoplay", True)))


def beside(found: Embeddings, row: int) -> None:
    """Show a clip of a map beside something else; the bridge to the map starts it."""
    _clip(found, row, autoplay=False)


def _new() -> bool:
    """Say whether a clip was taken in hand since this was asked last, on whatever page: it is played there alone."""
    plays = st.session_state.get("_plays", 0)
    new = plays != st.session_state.get("_played", 0)
    st.session_state["_played"] = plays
    return new


def _clip(found: Embeddings, row: int, *, autoplay: bool) -> None:
    clip = found.clips.iloc[row]
    st.markdown(f"**{widgets.plain(PurePosixPath(clip['file']).name)}**")
    _sound(found, row, autoplay=autoplay)
    widgets.facts(labels(clip))


def labels(clip: pd.Series) -> dict[str, str]:
    """Return what is known of a clip, in words."""
    out = {}
    for name, value in clip.items():
        if str(name) != "file":
            out[MEANING.get(str(name), str(name).replace("_", " "))] = _word(value)
    common = emotions.common_name(str(clip[EMOTION]))
    if common != clip[EMOTION]:
        out[EMOTION] += f" (common name: {common})"
    return out | {"file": str(clip["file"])}


def _word(value: Any) -> str:
    if pd.isna(value):
        return NOT_GIVEN
    if isinstance(value, pd.Timestamp):
        return value.isoformat(sep=" ", timespec="minutes")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sound(found: Embeddings, row: int, *, autoplay: bool) -> None:
    clip = found.clips.iloc[row]
    roots = {one.name: one.root for one in data.corpora()}
    file = roots.get(clip["corpus"], Path()) / clip["file"]
    try:
        signal = data.signal(file, found.digests[row])
    except audio.AudioError as error:
        st.warning(f"This clip cannot be played: {widgets.plain(error.reason)}.")
        return
    with st.container(key=player(found, row)):
        st.audio(audio.wav_bytes(signal), loop=bool(st.session_state.get("loop")), autoplay=autoplay)
    switches = st.columns(2)
    for switch, (name, label, usual) in zip(switches, SWITCHES, strict=True):
        st.session_state[f"_{name}"] = bool(st.session_state.get(name, usual))
        switch.toggle(label, key=f"_{name}", on_change=_switch)
    figure = clip_plot.figure(spectrogram.outline(signal), spectrogram.mel_spectrogram(signal))
    st.plotly_chart(figure, key="clip_picture", config=PICTURE, alt="Waveform and mel spectrogram of the clip")


def _switch() -> None:
    for name, _, _ in SWITCHES:
        st.session_state[name] = st.session_state[f"_{name}"]


def neighbours(
    found: Embeddings,
    row: int,
    drawn: Map,
    *,
    on_jump: Callable[[int], None],
    name: str = "near",
    filled: Collection[int] | None = None,
) -> None:
    """Show the nearest clips in the original space, as the table ``name``; where given, those ``filled`` stand out."""
    rows, distances = drawn.neighbours[row], drawn.distances[row]
    near = found.clips.iloc[rows]
    table = pd.DataFrame(
        {
            "": ["●" if filled is None or one in filled else "○" for one in rows],
            "distance": np.round(distances, 2),
            "emotion": near["emotion"].to_numpy(),
            "speaker": near["speaker"].to_numpy(),
            "file": [PurePosixPath(file).name for file in near["file"]],
        }
    )
    inks = [f"color: {emotions.style(str(word)).colour}" for word in table["emotion"]]
    key = f"{name}_{found.digests[row][:12]}"

    def jump() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        # the first column is where Tab lands: passing through the table must not change the clip
        if cells and cells[0][1] != "" and 0 <= cells[0][0] < len(rows):
            on_jump(int(rows[cells[0][0]]))

    widths = {"": st.column_config.TextColumn(width=24), "distance": st.column_config.NumberColumn(width=62)}
    widths |= {name: st.column_config.TextColumn(width=68) for name in ("emotion", "speaker")}
    st.dataframe(
        table.style.apply(lambda _: inks, subset=[""]).format({"distance": "{:.2f}"}),
        hide_index=True,
        key=key,
        on_select=jump,
        selection_mode="single-cell",
        row_height=28,
        height=28 * (len(rows) + 1) + 12,
        column_config=widths,
    )


def player(found: Embeddings, row: int | None) -> str:
    """Return the key of the container with the player of a clip."""
    return f"sound_{found.digests[row][:12]}" if row is not None else "sound"


def _place(found: Embeddings, row: int) -> str:
    clip = found.clips.iloc[row]
    return f"{clip['corpus']}/{clip['file']}"
