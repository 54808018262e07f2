"""Cached reads of trained runs and of what is told of them; no widget.

A run that is done does not change: results are kept under its folder and the time of the last write to it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import data
from ser_core import catalogue, comparison, jobs, runs, scores
from ser_core import importance as attribution
from ser_core.cache import Cache
from ser_core.comparison import Agreement, Comparison, Premium
from ser_core.corpora import CorpusError
from ser_core.embeddings import Embeddings
from ser_core.jobs import Status
from ser_core.models import calibration
from ser_core.models.cards import AUTOENCODERS, VAE
from ser_core.runs import Run
from ser_core.saliency import Saliency
from ser_core.scores import Curve
from ser_core.trained import Trained

Interval = tuple[float, float]


@dataclass(frozen=True)
class Kept:
    """A run as it was when last written: what results are kept under."""

    root: str
    id: str
    written: float


@dataclass(frozen=True)
class Scores:
    """What a run came to on its test clips: shares 0-1, with 95 % intervals that resample speakers.

    ``recall_95`` has one for each emotion, None where it has no clip; ``auc`` is None where one emotion is there only.
    """

    n: int
    speaker_independent: bool
    uar: float
    uar_95: Interval
    wa: float
    wa_95: Interval
    macro_f1: float
    macro_f1_95: Interval
    auc: float
    auc_95: Interval
    recall_95: list[Interval | None]
    brier: float
    calibration_error: float


def listed() -> list[Run]:
    """Return all runs, those that are not finished among them, the newest first."""
    root = data.cache().root
    return [_same(kept(run), run) for run in _listed(str(root), _written(root / "runs"))]


def recognisers() -> list[Run]:
    """Return those of `listed` that name emotions."""
    return [run for run in listed() if run.recognises]


def autoencoders() -> list[Run]:
    """Return those of `listed` that draw clips again, with sound."""
    return [run for run in listed() if run.model == VAE]


def trainings(*, recognise: bool) -> list[Status]:
    """Return the trainings that run or ran, the latest first: of recognisers, or of autoencoders."""
    every = [job for job in data.jobs() if job.arguments[:1] == ["train"]]
    return [job for job in every if (job.arguments[1] not in AUTOENCODERS if recognise else job.arguments[1] == VAE)]


def of_job(job: Status) -> Run | None:
    """Return the run that a training writes; None before it has begun with its first fold."""
    return next((run for run in listed() if run.facts.get("arguments") == job.arguments), None)


def kept(run: Run) -> Kept:
    """Return what results of a run are kept under."""
    return Kept(str(data.cache().root), run.id, _written(run.folder))


def given(run: Run) -> str:
    """Return the names of the encoders that made a run's inputs."""
    return " + ".join(str(one["name"]) for one in run.recipe["inputs"].values())


def scored(run: Run) -> Scores:
    """Return what a run came to."""
    return _scored(kept(run), run)


def curves(run: Run, kind: str) -> dict[str, Curve]:
    """Return the ``roc`` or ``precision_recall`` curves of a run, each emotion that occurs against the rest."""
    return _curves(kept(run), kind, run)


def clips(run: Run) -> Embeddings:
    """Return the clips that a run tested, with what the corpus says of them where it is here; without vectors."""
    return _clips(kept(run), data.stamp(), run)


def compared(a: Run, b: Run) -> Comparison:
    """Return two runs compared on the clips that both tested."""
    return _compared(kept(a), kept(b), a, b)


def premium(random: Run, speaker: Run) -> Premium:
    """Return what shared speakers are worth: one model under two splits."""
    return _premium(kept(random), kept(speaker), random, speaker)


def listeners(run: Run) -> Agreement | None:
    """Return how a run agrees with the listeners of its corpus; None where they are not known here."""
    try:
        known = data.clips_of(str(data.cache().root), run.corpus, data.stamp())
    except CorpusError:
        return None
    if "recognised" not in known or known["recognised"].isna().all():
        return None
    return _listeners(kept(run), run, known.set_index("file")["recognised"])


def saliency(run: Run, row: int, target: int) -> Saliency:
    """Return what in a tested clip spoke for a class; computed when it is asked for first, which takes seconds.

    Raises
    ------
    SerError
        If the clip's sound is not here, or the network cannot be asked about a lone clip.
    """
    return _saliency(kept(run), row, target, run)


def no_importance(run: Run) -> str | None:
    """Return why it cannot be told which values a run needs; None where it can."""
    return _no_importance(kept(run), run)


def importance(run: Run) -> pd.DataFrame | None:
    """Return which groups of values a run needs; None where it was not computed yet."""
    return attribution.kept(run, cache=data.cache(), seed=attribution.SEED)


def start_importance(run: Run) -> None:
    """Start computing in the background which groups of values a run needs."""
    jobs.start(data.cache(), attribution.arguments(run, seed=attribution.SEED), title=attribution.title(run))


def sound(run: Run, row: int) -> NDArray[np.float32]:
    """Return a tested clip, mono at 16 kHz.

    Raises
    ------
    SerError
        If it is not here.
    """
    file = catalogue.get(data.cache(), run.corpus).root / run.tested["file"].iloc[row]
    return data.signal(file, run.tested["sha"].iloc[row])


def _written(folder: Path) -> float:
    """Return the time of the last write into a folder or into one within it."""
    files = [folder, *folder.glob("*"), *folder.glob("*/*")]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _listed(root: str, written: float) -> list[Run]:
    return runs.ls(Cache(Path(root)))


@st.cache_resource(max_entries=500, show_spinner=False)
def _same(kept: Kept, _run: Run) -> Run:
    """Return a run that was opened before and has not changed: it holds the tables that were read."""
    return _run


@st.cache_resource(max_entries=500, show_spinner=False)
def _scored(kept: Kept, _run: Run) -> Scores:
    found, shares = _run.evaluation, _run.probabilities
    pairs = (found.truth, shares, found.speakers)
    return Scores(
        len(found.truth),
        found.speaker_independent,
        found.uar,
        found.interval(scores.uar),
        found.wa,
        found.interval(scores.wa),
        scores.macro_f1(found.confusion),
        found.interval(scores.macro_f1),
        scores.auc(found.truth, shares),
        scores.auc_interval(*pairs),
        scores.recall_intervals(found.truth, found.predicted, found.speakers, n_classes=len(_run.classes)),
        calibration.brier(shares, found.truth),
        calibration.calibration_error(shares, found.truth),
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def _curves(kept: Kept, kind: str, _run: Run) -> dict[str, Curve]:
    truth, draw = _run.evaluation.truth, getattr(scores, kind)
    occur = [number for number in range(len(_run.classes)) if (truth == number).any()]
    return {_run.classes[number]: draw(truth == number, _run.probabilities[:, number]) for number in occur}


@st.cache_resource(max_entries=16, show_spinner=False)
def _clips(kept: Kept, stamp: float, _run: Run) -> Embeddings:
    tested = _run.tested
    table = pd.DataFrame({"file": tested["file"], "speaker": tested["speaker"]})
    table["emotion"] = [_run.classes[number] for number in tested["truth"]]
    try:
        known = data.clips_of(kept.root, _run.corpus, stamp)
        rest = [name for name in known if name not in table]
        table = table.merge(known[["file", *rest]], on="file", how="left")
    except CorpusError:  # it was trained elsewhere: what the run itself says is all there is
        pass
    recipe = {"name": "none", "layers": [], "dim": 0}
    none = pd.DataFrame(columns=["corpus", "file", "reason"])
    vectors = np.empty((len(table), 0, 0), np.float32)
    return Embeddings(vectors, table.assign(corpus=_run.corpus), recipe, tuple(tested["sha"]), none)


@st.cache_data(max_entries=64, show_spinner=False)
def _no_importance(kept: Kept, _run: Run) -> str | None:
    return attribution.refusal(_run)


@st.cache_data(max_entries=256, show_spinner="Asking the network what it went by …")
def _saliency(kept: Kept, row: int, target: int, _run: Run) -> Saliency:
    from ser_core import saliency

    signal = sound(_run, row)
    network = Trained(_run, int(_run.tested["fold"].iloc[row]))  # that which had not learnt from this clip
    inputs = network.inputs([signal])
    return saliency.explain(network.network(), inputs, target=target, n_samples=len(signal))


@st.cache_resource(max_entries=32, show_spinner="Comparing the two runs …")
def _compared(a: Kept, b: Kept, _a: Run, _b: Run) -> Comparison:
    return comparison.compare(_a, _b)


@st.cache_resource(max_entries=64, show_spinner=False)
def _premium(random: Kept, speaker: Kept, _random: Run, _speaker: Run) -> Premium:
    return comparison.premium(_random, _speaker)


@st.cache_resource(max_entries=32, show_spinner=False)
def _listeners(kept: Kept, _run: Run, _recognised: pd.Series) -> Agreement:
    return comparison.listeners(_run, _recognised)
