"""What the decoder draws and says: by eight sliders, between two clips, with another emotion, along one latent."""

from collections.abc import Callable
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import export, links, vae_again, vae_data, widgets
from dashboard.vae_data import Drawn
from dashboard.words import number
from ser_core import audio, latents
from ser_core.errors import SerError
from ser_core.plots import spectra
from ser_core.plots import vae as plot
from ser_core.runs import Run

Floats = NDArray[np.float64]
CONFIG: Final = {"displayModeBar": False}
WAYS: Final = {
    "sliders": "Eight sliders",
    "between": "Between two clips",
    "emotion": "This voice, that emotion",
    "strip": "Along one latent",
}
FAR: Final = 4.0
"""Standard deviations of the prior that a slider reaches to."""
STRIP: Final = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Where pictures along a latent are drawn."""
LATENT: Final = "_latent_{}"
PLAYER: Final = "generated"


@st.fragment
def show(run: Run) -> None:
    """Choose a way, and hear what comes; a change runs only this again."""
    try:
        _show(run)
    except SerError as error:  # the run may have been removed meanwhile
        st.error(widgets.plain(str(error)))
    links.publish()


def _show(run: Run) -> None:
    ways: dict[str, Callable[[Run, str | None], None]] = {
        "sliders": _sliders, "between": _between, "emotion": _emotion, "strip": _strip,
    }  # fmt: skip
    way = widgets.segments("making", "Make a sound", list(WAYS), default="sliders", show=WAYS.__getitem__)
    known = vae_data.speakers(run)
    speaker = None
    if known and way != "emotion":  # there it is the clip's own
        speaker = widgets.select(
            "spoken_by", "Spoken by", list(known), default=known[0], show=lambda one: f"speaker {one}"
        )
    ways[way](run, speaker)


def _sliders(run: Run, speaker: str | None) -> None:
    """Set each latent."""
    _, order = vae_data.separation(run)
    means, _ = latents.parameters(vae_data.clips(run))
    for latent in order.tolist():
        st.session_state.setdefault(LATENT.format(latent), 0.0)
    values = np.array([st.session_state[LATENT.format(latent)] for latent in range(len(order))])
    above, below = st.container(), st.container()
    made = vae_data.drawn(run, values, speaker)
    with below:  # first, so that it is heard sooner
        _play(made)
    line = above.container(horizontal=True, vertical_alignment="center")
    line.button("All at 0", on_click=_set, args=({},), key="at_zero")
    middle = np.clip(0.05 * np.round(means.mean(axis=0) / 0.05), -FAR, FAR)
    line.button("Mean of the clips", on_click=_set, args=(dict(enumerate(middle.tolist())),), key="at_mean")
    line.button(
        "Draw all", on_click=_draw, args=(order.tolist(),), key="draw_all", help="Each from N(0, 1), as in the paper"
    )  # fmt: skip
    line.caption("The latent that tells emotions apart best comes first.")
    for some in np.split(order, 2):
        for column, latent in zip(above.columns(len(some), gap="medium"), some.tolist(), strict=True):
            column.slider(f"Latent {latent}", -FAR, FAR, step=0.05, key=LATENT.format(latent), persist_state="session")
            column.button(
                "Draw it, rest 0", key=f"draw_{latent}", on_click=_draw, args=([latent],), type="tertiary",
                help="This one from the normal distribution N(0, 1), the others at 0, as in the paper",
            )  # fmt: skip
    with below:
        _show_made(run, made, "what these eight numbers are decoded to")


def _set(values: dict[int, float]) -> None:
    for latent in range(8):
        st.session_state[LATENT.format(latent)] = values.get(latent, 0.0)


def _draw(which: list[int]) -> None:
    """Draw these latents from the prior, within the sliders' reach; the rest are 0."""
    drawn = np.clip(np.random.default_rng().standard_normal(len(which)), -FAR, FAR)
    _set(dict(zip(which, (0.05 * np.round(drawn / 0.05)).tolist(), strict=True)))


def _between(run: Run, speaker: str | None) -> None:
    """Go in a straight line from the latents of one clip to those of another."""
    table = vae_data.clips(run)
    rows = np.flatnonzero(table["part"] == "train")
    left, right = st.columns(2, gap="medium")
    with left:
        one = vae_again.choose(table, "from_clip", "From", first=int(rows[0]))
    with right:
        other = vae_again.choose(table, "to_clip", "To", first=int(rows[-1]))
    share = st.slider("How far", 0, 100, 50, step=5, format="%d %%", key="_how_far", persist_state="session") / 100
    means, _ = latents.parameters(table)
    values = (1 - share) * means[one] + share * means[other]
    made = vae_data.drawn(run, values, speaker)
    _play(made)
    _show_made(run, made, f"{round(100 * share)} % of the way from the first clip to the second")


def _emotion(run: Run, _speaker: str | None) -> None:
    """Move a clip from its emotion to another."""
    table = vae_data.clips(run)
    left, right = st.columns(2, gap="medium")
    with left:
        row = vae_again.choose(table, "voice_clip", "This voice")
    with right:
        classes = [word for word in run.classes if (table["emotion"] == word).any()]
        own = table["emotion"].iloc[row]
        first = next((word for word in classes if word != own), own)
        word = widgets.select("that_emotion", "That emotion", classes, default=first)
    values, whose = latents.moved(table, row, run.classes.index(word))
    clip, known = table.iloc[row], vae_data.speakers(run)
    if known and clip["speaker"] not in known:
        st.info(
            f"The decoder was not taught by speaker {widgets.plain(clip['speaker'])}: choose a clip of another one."
        )
        return
    speaker = str(clip["speaker"]) if known else None
    among = f"speaker {whose}" if whose else "all speakers"
    st.caption(
        f"Its eight numbers, less the mean of the clips that are {widgets.plain(clip['emotion'])}, plus the mean of "
        f"those that are {widgets.plain(word)} ({widgets.plain(among)}). What moves is what differs between these "
        "means: of an actor's loudness or pace more than of a feeling."
    )
    made = vae_data.drawn(run, values, speaker)
    _play(made)
    _show_made(run, made, f"the clip as {word}")


def _strip(run: Run, speaker: str | None) -> None:
    """Go along one latent while the rest are 0."""
    order = vae_data.separation(run)[1].tolist()
    latent = widgets.select("along", "Latent", order, default=order[0], show=lambda one: f"latent {one}")
    values = np.zeros((len(STRIP), len(order)))
    values[:, latent] = STRIP
    made = [vae_data.drawn(run, one, speaker) for one in values]
    titles = [number(one, digits=0) for one in STRIP]
    with st.container(key="strip"):
        figure = plot.strip(np.stack([one.levels for one in made]), titles)
        st.plotly_chart(figure, key="strip_figure", config=CONFIG, alt=f"Pictures along latent {latent}")
    for column, one in zip(st.columns(len(STRIP)), made, strict=True):
        column.audio(audio.wav_bytes(one.signal))
    st.caption(f"Latent {latent} at these values, the others at 0; low pitch is below.")
    export.picture("strip", name=f"latent-{latent}-{run.id}")


def _play(made: Drawn) -> None:
    with st.container(key=PLAYER):
        st.audio(audio.wav_bytes(made.signal), autoplay=bool(st.session_state.get("autoplay", True)))


def _show_made(run: Run, made: Drawn, title: str) -> None:
    """Show the spectrogram of what is heard, its length and level."""
    seconds = len(made.signal) / audio.SAMPLING_RATE
    if not seconds:
        st.info("These numbers are decoded to silence: move them towards 0.")
        return
    with st.container(key="made"):
        figure = spectra.stacked([title], [vae_data.pictured(made.levels)])
        st.plotly_chart(figure, key="made_figure", config=CONFIG, alt="Spectrogram of what is heard")
    level = 10 * np.log10(max(float(np.square(made.signal).mean()), 1e-12))
    st.caption(
        f"{seconds:.1f} s, level {number(level, digits=0)} dB of full scale. Made by a network: nobody said this."
    )
    export.picture("made", name=f"made-{run.id}")
