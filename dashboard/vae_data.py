"""Cached reads of autoencoders, of what they make of clips and of what they draw; no widget."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import data, runs_data
from dashboard.runs_data import Kept
from ser_core import catalogue, jobs, latents, trained
from ser_core.corpora import CorpusError
from ser_core.corpora.folder import UNKNOWN
from ser_core.geometry import disentanglement
from ser_core.latents import Carried
from ser_core.runs import Run
from ser_core.spectrogram import Spectrogram
from ser_core.trained import Trained

Floats = NDArray[np.float32]
SECONDS: Final = 0.024
"""From one column of a picture to the next."""


@dataclass(frozen=True)
class Drawn:
    """A picture (bands, columns) in dB, and what it sounds like (mono at 16 kHz)."""

    levels: Floats
    signal: Floats


@dataclass(frozen=True)
class Again:
    """A clip, its picture, and what the autoencoder draws of it; None where its decoder does not know the speaker."""

    recording: Floats
    picture: Drawn
    drawn: Drawn | None


def finished() -> list[Run]:
    """Return the autoencoders that are trained to the end, the newest first."""
    return [run for run in runs_data.autoencoders() if run.finished]


def clips(run: Run) -> pd.DataFrame:
    """Return `Run.latents` with ``emotion`` and what else the corpus says of the clips where it is here."""
    return _clips(runs_data.kept(run), data.stamp(), run)


def titled(runs: list[Run]) -> dict[str, str]:
    """Return the titles of runs by their ids; the beginning of the id tells those of one title apart."""
    n = Counter(run.title for run in runs)
    return {run.id: run.title if n[run.title] == 1 else f"{run.title} ({run.id[:4]})" for run in runs}


def separation(run: Run) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return how well each latent tells the known emotions apart (η², 0-1), (d,), and the order from the best.

    Latents that are not active come last: what they tell is noise.
    """
    table = clips(run)
    means, _ = latents.parameters(table)
    known = (table["emotion"] != UNKNOWN).to_numpy(bool)
    apart = disentanglement.explained(means[known], table["emotion"][known].tolist())
    return apart, np.lexsort((-apart, ~disentanglement.active(means)))


def speakers(run: Run) -> tuple[str, ...]:
    """Return the speakers that the decoder knows, if it is told who speaks."""
    return trained.autoencoder(run).speakers


def drawn(run: Run, values: NDArray[np.floating], speaker: str | None) -> Drawn:
    """Return what an autoencoder draws of latents (d,)."""
    return _drawn(runs_data.kept(run), tuple(np.asarray(values, np.float32).tolist()), speaker, run)


def again(run: Run, row: int) -> Again:
    """Return a clip of `clips`, and itself drawn again at the means of its latents.

    Raises
    ------
    SerError
        If its recording is not here.
    """
    return _again(runs_data.kept(run), data.stamp(), row, run)


def pictured(levels: Floats) -> Spectrogram:
    """Return a picture as a spectrogram, up to its last sound."""
    return _pictured(levels)


def carried(run: Run) -> Carried | None:
    """Return what the latents carry; None where it was not computed yet."""
    return _carried(runs_data.kept(run), data.stamp(), _computed(run), run)


def start_carried(run: Run) -> None:
    """Start computing in the background what the latents carry."""
    jobs.start(data.cache(), latents.arguments(run), title=latents.title(run))


def _computed(run: Run) -> float:
    """Return when the job that computes it was last at work."""
    job = data.job(latents.arguments(run))
    return job.updated if job and not job.active else 0.0


@st.cache_resource(max_entries=8, show_spinner=False)
def _clips(kept: Kept, stamp: float, _run: Run) -> pd.DataFrame:
    table = _run.latents.assign(emotion=lambda found: [_run.classes[number] for number in found["truth"]])
    try:
        known = data.clips_of(kept.root, _run.corpus, stamp)
    except CorpusError:  # it was trained elsewhere: what the run itself says is all there is
        return table
    rest = [name for name in known if name not in table]
    return table.merge(known[["file", *rest]], on="file", how="left")


@st.cache_data(max_entries=256, show_spinner=False)
def _drawn(kept: Kept, values: tuple[float, ...], speaker: str | None, _run: Run) -> Drawn:
    from ser_core.encoders import voiced

    of = None if speaker is None else [speaker]
    levels = trained.autoencoder(_run).pictures(np.array([values], np.float32), speakers=of)[0]
    return Drawn(levels, voiced.sound(levels))


@st.cache_data(max_entries=64, show_spinner="Drawing the clip again …")
def _again(kept: Kept, stamp: float, row: int, _run: Run) -> Again:
    from ser_core.encoders import voiced

    clip = _run.latents.iloc[row]
    file = catalogue.get(data.cache(), _run.corpus).root / clip["file"]
    recording = data.signal(file, clip["sha"])
    pictures = Trained(_run).inputs([recording]).pictures
    assert pictures is not None
    picture, model = pictures[0, 0], trained.autoencoder(_run)
    told = not model.speakers or clip["speaker"] in model.speakers
    speaker = str(clip["speaker"]) if model.speakers else None
    own = model.latents(picture[None])[0][0]
    return Again(recording, Drawn(picture, voiced.sound(picture)), drawn(_run, own, speaker) if told else None)


@st.cache_data(max_entries=64, show_spinner=False)
def _pictured(levels: Floats) -> Spectrogram:
    import librosa

    from ser_core.encoders import voiced

    audible = np.flatnonzero(levels.max(axis=0) > voiced.AUDIBLE)
    end = max(2, int(audible[-1]) + 1 if len(audible) else 0)
    hertz = librosa.mel_frequencies(len(levels) + 2, fmax=8000)[1:-1].astype(np.float32)
    return Spectrogram(levels[:, :end], ((np.arange(end) + 0.5) * SECONDS).astype(np.float32), hertz)


@st.cache_resource(max_entries=16, show_spinner=False)
def _carried(kept: Kept, stamp: float, computed: float, _run: Run) -> Carried | None:
    table = data.clips_of(kept.root, _run.corpus, stamp)
    return latents.kept(_run, table, cache=data.cache(), seed=latents.SEED)
