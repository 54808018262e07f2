"""A clip beside itself drawn again by an autoencoder: pictures and sound."""

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import export, vae_data, widgets
from dashboard.words import number
from ser_core import audio
from ser_core.plots import spectra
from ser_core.runs import Run

CHART: Final = "again"
CONFIG: Final = {"displayModeBar": False}


def show(run: Run) -> None:
    """Choose a clip, and show both."""
    table = vae_data.clips(run)
    row = choose(table, "drawn_clip", "Clip")
    found, clip = vae_data.again(run, row), table.iloc[row]
    left, right = st.columns([1.6, 1], gap="large")
    with right:
        st.markdown("**The recording**")
        st.audio(audio.wav_bytes(found.recording))
        st.markdown("**Its picture as sound**")
        st.audio(audio.wav_bytes(found.picture.signal))
        st.caption("Speech without the silence around it. What is missing here is lost before the network.")
        st.markdown("**Drawn again by the network, as sound**")
        if found.drawn is None:
            st.info(
                f"The decoder is told who speaks, and was not taught by speaker {widgets.plain(clip['speaker'])}: it "
                "cannot draw this voice."
            )
        else:
            st.audio(audio.wav_bytes(found.drawn.signal))
            _measured(table, row)
    with left:
        both = {"the clip's picture": found.picture} | (
            {"drawn again from 8 numbers": found.drawn} if found.drawn else {}
        )
        with st.container(key=CHART):
            figure = spectra.stacked(list(both), [vae_data.pictured(one.levels) for one in both.values()])
            st.plotly_chart(
                figure, key=f"{CHART}_figure", config=CONFIG, alt="The clip's spectrogram, and it drawn again"
            )
        export.picture(CHART, name=f"drawn-again-{run.id}")


def choose(table: pd.DataFrame, name: str, label: str, *, first: int | None = None) -> int:
    """Choose a clip; at first one that the network was trained on. Return its row."""
    files = table["file"].tolist()
    at = first if first is not None else int(np.argmax(table["part"] == "train"))
    titles = {clip["file"]: title(clip) for clip in table.to_dict("records")}
    chosen = widgets.select(name, label, files, default=files[at], show=titles.__getitem__)
    return files.index(chosen)


def title(clip: dict) -> str:
    """Return emotion, speaker and file of a clip in one line, and whether the network was trained on it."""
    part = "trained on" if clip["part"] == "train" else "not trained on"
    return f"{clip['emotion']} · speaker {clip['speaker']} · {clip['file']} · {part}"


def _measured(table: pd.DataFrame, row: int) -> None:
    part = table["part"].iloc[row]
    like = table.loc[table["part"] == part, "reconstruction"].dropna()
    which = "clips that it was trained on" if part == "train" else "clips that it was not trained on"
    st.caption(
        f"Distance of the two pictures: {number(table['reconstruction'].iloc[row], digits=0)} nats (half the sum of "
        f"squared differences, in standard deviations of level); the median of the {len(like):,} {which} is "
        f"{number(float(like.median()), digits=0)}."
    )
