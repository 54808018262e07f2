"""The ten clips that are nearest to a placed one: a table, and one of them to hear and to see under the placed one."""

from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import clip_panel, data, export, uploads, widgets
from dashboard.frame import Choice
from dashboard.place_data import Look
from dashboard.words import decimals, number
from ser_core import audio, emotions, spectrogram
from ser_core.audio import AudioError
from ser_core.plots import spectra

CHART: Final = "place_spectra"
TABLE: Final = "place_nearest"
CONFIG: Final = {"displayModeBar": False}
FAR: Final = 0.99
"""Share of the corpus's clips that have a nearer neighbour than a clip that is called far from all."""
PART: Final = (4.0, 2.0)
"""A long clip is shown from its start: at least so many seconds, and so many times as long as the other clip."""
LEVEL: Final = (
    "One axis of time, one of frequency, one scale of decibels: a clip recorded more softly is darker. Resampled to "
    "{rate} kHz."
)


def show(look: Look) -> None:
    """Show the nearest clips, and the one that was chosen among them beside the placed one."""
    rows = look.placed.landing.rows[0]
    st.markdown(f"##### Its {len(rows)} nearest clips")
    st.caption(_far(look))
    left, right = st.columns([1, 1.15], gap="medium")
    with left:
        chosen = _table(look, rows)
    with right:
        _beside(look, int(rows[chosen]))


def _far(look: Look) -> str:
    """Say what the distances are, and whether even the nearest clip is far."""
    own = look.atlas.ground.drawn.distances[:, 0]
    digits = decimals(float(np.median(own)) / 5)
    said = (
        "Nearest in all dimensions of the embedding, not on the map (Euclidean, scaled values). Half of the corpus's "
        f"clips have their own nearest clip within {number(float(np.median(own)), digits=digits)}."
    )
    if look.placed.landing.distances[0, 0] <= np.quantile(own, FAR):
        return said
    return (
        f"{said} **Yours is further from its nearest than {100 * FAR:.0f} % of them are**: these clips are only the "
        "least far, and their vote means little."
    )


def _table(look: Look, rows: NDArray[np.int32]) -> int:
    """Show the clips, nearest first; return which of them is in hand, the nearest if none is."""
    near = look.placed.neighbours
    files = [PurePosixPath(file).name for file in near["file"]]
    columns: dict[str, Any] = {"": "●", "distance": near["distance"].to_numpy(float)}
    columns |= {name: near[name].to_numpy() for name in ("emotion", "speaker")}
    if len(look.choice.names) > 1:
        columns["corpus"] = near["corpus"].to_numpy()
    table = pd.DataFrame(columns | {"file": files})
    inks = [f"color: {emotions.style(str(word)).colour}" for word in table["emotion"]]
    digits = decimals(float(table["distance"].max()) / 10)
    key = f"{TABLE}_{look.upload.id}"

    in_hand = clip_panel.row_in_hand(look.choice.found)
    at = [place for place, row in enumerate(rows) if row == in_hand]

    def play() -> None:
        chosen = st.session_state[key]["selection"]["rows"]
        if chosen and chosen[0] < len(rows):
            clip_panel.hold(look.choice.found, int(rows[chosen[0]]))
            st.session_state["_near_plays"] = st.session_state.get("_near_plays", 0) + 1

    st.dataframe(
        table.style.apply(lambda _: inks, subset=[""]),
        hide_index=True,
        key=key,
        on_select=play,
        selection_mode="single-row",
        selection_default=widgets.mark(key, at),
        height=38 + 35 * len(table),
        column_config={
            "": st.column_config.TextColumn(width=24),
            "distance": st.column_config.NumberColumn(format=f"%.{digits}f", width=72),
        },
    )
    st.caption("Choose a row to hear its clip and to find it on the map.")
    export.table(table.drop(columns=""), name="nearest_clips")
    return next(iter(at), 0)


def _beside(look: Look, row: int) -> None:
    found, clip = look.atlas.found, look.upload.clip
    other = found.clips.iloc[row]
    rate = clip.sampling_rate
    plays = st.session_state.get("_near_plays", 0)
    new = plays != st.session_state.get("_near_played", 0)  # played once, not at every redraw
    st.session_state["_near_played"] = plays
    mine, theirs = st.columns(2)
    with mine:
        st.markdown("**Your clip**")
        st.audio(uploads.remember(look.upload, "wav", lambda: audio.wav_bytes(clip.signal, rate)))
    with theirs:
        st.markdown(f"**{widgets.plain(PurePosixPath(other['file']).name)}**")
        signal = sound(look.choice, row)
        if isinstance(signal, str):
            st.warning(widgets.plain(signal))
            return
        st.audio(audio.wav_bytes(signal), autoplay=new and bool(st.session_state.get("autoplay", True)))
    titles = [look.upload.name, f"{other['emotion']}, speaker {other['speaker']}"]
    pictures(titles, [(clip.signal, rate), (signal, audio.SAMPLING_RATE)], key=CHART, name="spectrograms")


def sound(choice: Choice, row: int) -> NDArray[np.float32] | str:
    """Return a clip of the corpora, mono at 16 kHz, or a sentence where its sound cannot be had."""
    clip = choice.found.clips.iloc[row]
    roots = {one.name: one.root for one in choice.located}
    try:
        return data.signal(roots.get(clip["corpus"], Path()) / clip["file"], choice.found.digests[row])
    except AudioError as error:
        return f"This clip cannot be played: {error.reason}."


def pictures(titles: list[str], sounds: list[tuple[NDArray[np.float32], int]], *, key: str, name: str) -> None:
    """Show two clips (signal, sampling rate) as spectrograms above each other; of a much longer one its start."""
    lengths = [len(signal) / rate for signal, rate in sounds]
    most = max(PART[0], PART[1] * min(lengths))
    cut = [signal[: round(most * rate)] for signal, rate in sounds]
    found = [spectrogram.mel_spectrogram(signal, rate) for signal, (_, rate) in zip(cut, sounds, strict=True)]
    with st.container(key=key):
        st.plotly_chart(
            spectra.stacked(titles, found), key=f"{key}_figure", config=CONFIG, alt="Mel spectrograms of both clips"
        )
    told = LEVEL.format(rate=f"{sounds[0][1] / 1000:g}")
    for title, length in zip(titles, lengths, strict=True):
        if length > most:
            told += f" Of {title} ({length:.0f} s) the first {most:.1f} s."
    st.caption(widgets.plain(told))
    export.picture(key, name=name)
