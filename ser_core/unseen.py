"""How often what is said of a placed clip is right for speakers that were not heard before: each is left out in turn.

Emotions go by their common names (`ser_core.analyses.named`), in the order of `ser_core.geometry.density.in_order`,
which is that of the classes everywhere here. Clips of an unknown emotion or speaker are not checked, nor is anything
learnt from them for the check: they may be of the speaker who is left out. Nor is a recording that is left out known
under another name: a clip kept in a corpus of one's own, say, joined to the corpus that it came from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_core import analyses, splits
from ser_core.analyses import AnalysisError, Progress
from ser_core.cache import Cache
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings, take
from ser_core.evaluation import Evaluation
from ser_core.geometry import affect, projection
from ser_core.geometry.density import in_order
from ser_core.geometry.mahalanobis import DistanceError
from ser_core.geometry.projection import Scaling
from ser_core.geometry.yardstick import yardstick
from ser_core.models import calibration
from ser_core.models.svm import ModelError, Recogniser, recogniser
from ser_core.splits import Fold

Name = Literal["mahalanobis", "neighbours", "svm"]
OUTLYING: Final = 0.99
"""A clip is out of distribution if it is further from every emotion than this share of the corpus's clips."""
NEIGHBOURS: Final = 10
LEARNT: Final = "recogniser_"
"""Before the names of the recogniser's arrays, where they are kept."""
QUICK: Final = 8e9
"""Speakers x clips^2 x (dimensions + `OVERHEAD`) that take about two seconds."""
OVERHEAD: Final = 400


@dataclass(frozen=True)
class Answer:
    """One way of naming the emotion of a clip, checked with each speaker left out.

    ``mahalanobis``: the emotion whose mean is nearest under the pooled shrunk covariance (standardised values count as
    `affect.LIMIT` at most); ``neighbours``: the vote of the ten nearest clips (`vote`); ``svm``: the highest of the
    calibrated probabilities, which for 5 to 9 clips in 100 is another emotion than the machine's own votes name, as
    ``ser evaluate`` counts them, and is right as often (eGeMAPS: UAR 0.646 and 0.655 on EmoDB, 0.482 and 0.479 on
    RAVDESS).
    """

    name: Name
    evaluation: Evaluation


@dataclass(frozen=True)
class Unseen:
    """What was found for n clips of E emotions, each with its speaker left out of all that was learnt.

    Attributes
    ----------
    names
        The emotions.
    rows
        Rows of the clips that were checked, (n,): those of a known emotion and speaker.
    nearest
        Mahalanobis distance to the nearest emotion, (n,).
    answers
        By distance, by neighbours and by the support vector machine.
    probabilities
        Of the support vector machine, (n, E); 0 for an emotion that only the speaker left out has.
    recogniser
        Learnt from all clips of a known emotion: for clips that are not in the corpus.
    """

    names: tuple[str, ...]
    rows: NDArray[np.intp]
    nearest: NDArray[np.float64]
    answers: tuple[Answer, ...]
    probabilities: NDArray[np.float64]
    recogniser: Recogniser

    def further(self, distance: float) -> float:
        """Return the share of the clips, 0-1, that are nearer to their nearest emotion than this distance.

        Above `OUTLYING` a clip is unlike the corpus; 1 in 100 of the corpus's own clips is.
        """
        return float((self.nearest < distance).mean())

    @property
    def brier(self) -> float:
        """Brier score of the probabilities over the classes, 0-2 (`calibration.brier`); n is that of ``rows``."""
        return calibration.brier(self.probabilities, self.answers[0].evaluation.truth)

    @property
    def calibration_error(self) -> float:
        """By how much the highest probability differs from how often it is right (`calibration.calibration_error`)."""
        return calibration.calibration_error(self.probabilities, self.answers[0].evaluation.truth)


@dataclass(frozen=True)
class _Clips:
    """Clips of a known emotion, ``checked`` those rows of them whose speaker is known, ``rows`` the same of all."""

    known: Embeddings
    checked: NDArray[np.intp]
    rows: NDArray[np.intp]
    names: tuple[str, ...]
    y: NDArray[np.intp]
    folds: list[Fold]


def refusal(found: Embeddings) -> str | None:
    """Say why nothing can be checked on unseen speakers; None where it can. Nothing is computed."""
    try:
        _clips(found)
    except AnalysisError as error:
        return str(error)
    return None


def quick(found: Embeddings) -> bool:
    """Say whether `check` takes about two seconds, and so can be done in a page."""
    speakers, clips = analyses.n_speakers(found), len(found.clips)
    return speakers * clips**2 * (found.vectors.shape[2] + OVERHEAD) <= QUICK


def job(corpora: Sequence[str], store_key: str, *, layer: int, scaling: Scaling) -> list[str]:
    """Return the `ser` command that does the check, in the one form that names its job."""
    where = ["--corpus", ",".join(corpora), "--encoder", store_key]
    return ["place", *where, "--layer", str(layer), "--scaling", scaling, "--check"]


def kept(found: Embeddings, *, layer: int, scaling: Scaling, cache: Cache) -> Unseen | None:
    """Return what was checked before; None if it was not, or cannot be (`refusal`)."""
    try:
        clips = _clips(found)
    except AnalysisError:
        return None
    arrays = cache.load_arrays(_recipe(clips, layer, scaling))
    return _unseen(clips, layer, arrays) if arrays and {"nearest", f"{LEARNT}rows"} <= arrays.keys() else None


def check(
    found: Embeddings, *, layer: int, scaling: Scaling, cache: Cache, progress: Progress = lambda *_: None
) -> Unseen:
    """Leave each speaker out in turn, and say of their clips what would be said of a clip that is placed.

    The scaler, the emotions' means and their covariance, the neighbours, the support vector machine and the
    calibration of its probabilities come from the other speakers alone. Computed once, and kept.

    Parameters
    ----------
    found
        Embeddings of one corpus, or of several joined.
    progress
        Called with steps done and how many there are: one for each speaker, and one for the recogniser of all clips.

    Raises
    ------
    AnalysisError
        If fewer than two emotions or speakers are known, or without one of the speakers too little is left.
    """
    clips = _clips(found)
    recipe = _recipe(clips, layer, scaling)
    arrays = cache.load_arrays(recipe)
    if arrays and {"nearest", f"{LEARNT}rows"} <= arrays.keys():
        return _unseen(clips, layer, arrays)
    x = clips.known.layer(layer)
    arrays = _left_out(clips, x[clips.checked], scaling, progress)
    learnt = recogniser(x, clips.y, clips.known.clips["speaker"].to_numpy(str))
    arrays |= {LEARNT + name: value for name, value in learnt.arrays().items()}
    cache.store_arrays(recipe, arrays)
    progress(len(clips.folds) + 1, len(clips.folds) + 1)
    return _unseen(clips, layer, arrays)


def by_neighbours(found: Embeddings, *, layer: int, scaling: Scaling) -> Evaluation:
    """Return how often the vote of the ten nearest clips of other speakers is right: that answer of `check` alone.

    Raises
    ------
    AnalysisError
        As `refusal` says.
    """
    clips = _clips(found)
    checked, y = take(clips.known, clips.checked), clips.y[clips.checked]
    x, said = checked.layer(layer), np.empty_like(y)
    for fold in clips.folds:
        scaler = projection.scaler(x[fold.train], scaling)
        near = _nearest(scaler.scale(x[fold.test]), scaler.scale(x[fold.train]))
        said[fold.test] = vote(y[fold.train][near], n_classes=len(clips.names))
    table = splits.table(checked.clips, clips.folds, checked.digests)
    return Evaluation(clips.names, y, said, checked.clips["speaker"].to_numpy(str), table)


def vote(members: NDArray[np.intp], *, n_classes: int) -> NDArray[np.intp]:
    """Return the class that most neighbours have; of those that tie, the one with the nearest neighbour.

    ``members`` (m, k) are the classes of each clip's neighbours, nearest first.

    Examples
    --------
    >>> vote(np.array([[2, 1, 1, 0], [2, 1, 0, 1], [0, 2, 1, 1], [2, 0, 0, 2]]), n_classes=3).tolist()
    [1, 1, 1, 2]
    """
    votes = (members[:, :, None] == np.arange(n_classes)).sum(axis=1)
    leads = np.take_along_axis(votes, members, axis=1) == votes.max(axis=1, keepdims=True)
    return members[np.arange(len(members)), leads.argmax(axis=1)]


def _clips(found: Embeddings) -> _Clips:
    known, rows = analyses.named(found)
    checked = np.flatnonzero((known.clips["speaker"] != UNKNOWN).to_numpy(bool))
    if not analyses.several_speakers(known):
        raise AnalysisError(
            f"this is checked on speakers left out, and needs two or more; {analyses.n_speakers(known)} of the clips'"
            " speakers are known: give the clips a speaker in metadata.csv"
        )
    names = in_order(known.clips["emotion"].to_numpy(str))
    y = np.array([names.index(word) for word in known.clips["emotion"]], np.intp)
    recordings = np.array(known.digests)[checked]
    folds = [_apart(fold, recordings) for fold in splits.by_speaker(known.clips.iloc[checked])]
    for fold in folds:
        left = np.unique(y[checked[fold.train]])
        if len(left) < 2:
            speaker = known.clips["speaker"].iloc[checked[fold.test[0]]]
            raise AnalysisError(
                f"without the speaker {speaker} only {names[left[0]]} is left: telling emotions of unseen speakers"
                " apart needs two or more that other speakers have too"
            )
    return _Clips(known, checked, rows[checked], names, y, folds)


def _apart(fold: Fold, recordings: NDArray[np.str_]) -> Fold:
    """Return a fold without those training clips whose very file is among the test clips."""
    return Fold(fold.train[~np.isin(recordings[fold.train], recordings[fold.test])], fold.test)


def _recipe(clips: _Clips, layer: int, scaling: Scaling) -> dict[str, Any]:
    return analyses.recipe(clips.known, "unseen", {"layer": layer, "scaling": scaling})


def _left_out(clips: _Clips, x: NDArray[np.float32], scaling: Scaling, progress: Progress) -> dict[str, NDArray[Any]]:
    """Return what the other speakers say of each clip; ``x`` are the vectors of those that are checked."""
    y, speakers = clips.y[clips.checked], clips.known.clips["speaker"].to_numpy(str)[clips.checked]
    n = len(y)
    nearest, probabilities = np.empty(n), np.zeros((n, len(clips.names)))
    by_distance, by_neighbours = np.empty(n, np.intp), np.empty(n, np.intp)

    def one(fold: Fold) -> None:
        train, test = fold.train, fold.test
        scaler = projection.scaler(x[train], scaling)
        taught, asked = scaler.scale(x[train]), scaler.scale(x[test])
        left, member = np.unique(y[train], return_inverse=True)
        try:
            measure = yardstick(taught, np.array(clips.names)[y[train]], limit=affect.limit(scaling))
            learnt = recogniser(x[train], member, speakers[train])
        except (DistanceError, ModelError) as error:
            raise AnalysisError(f"without the speaker {speakers[test[0]]}: {error}") from None
        distances = measure.measure(asked)
        nearest[test] = distances.min(axis=1)
        by_distance[test] = np.array([clips.names.index(name) for name in measure.names])[distances.argmin(axis=1)]
        by_neighbours[test] = vote(y[train][_nearest(asked, taught)], n_classes=len(clips.names))
        probabilities[np.ix_(test, left)] = learnt.probabilities(x[test])

    for done, fold in enumerate(clips.folds, start=1):  # in turn: two at once wait for each other's matrix products
        one(fold)
        progress(done, len(clips.folds) + 1)
    told = {"mahalanobis": by_distance, "neighbours": by_neighbours}
    return {"nearest": nearest, "probabilities": probabilities, **told}


def _nearest(x: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the rows (m, 10) of the others that are nearest by Euclidean distance, nearest first."""
    apart = np.square(x).sum(axis=1)[:, None] + np.square(others).sum(axis=1) - 2 * x @ others.T
    return np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS]


def _unseen(clips: _Clips, layer: int, arrays: Mapping[str, NDArray[Any]]) -> Unseen:
    checked = take(clips.known, clips.checked)
    speakers, truth = checked.clips["speaker"].to_numpy(str), clips.y[clips.checked]
    table = splits.table(checked.clips, clips.folds, checked.digests)
    told: dict[Name, NDArray[np.intp]] = {
        "mahalanobis": arrays["mahalanobis"],
        "neighbours": arrays["neighbours"],
        "svm": arrays["probabilities"].argmax(axis=1),
    }
    answers = [Answer(name, Evaluation(clips.names, truth, said, speakers, table)) for name, said in told.items()]
    own = {name.removeprefix(LEARNT): value for name, value in arrays.items() if name.startswith(LEARNT)}
    learnt = Recogniser.of(own, clips.known.layer(layer))
    return Unseen(clips.names, clips.rows, arrays["nearest"], tuple(answers), arrays["probabilities"], learnt)
