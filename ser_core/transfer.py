"""What is learnt from one corpus, tried on others: two numbers per clip, and an emotion told from them (P4).

In each of ten folds of the corpus that is trained on: two autoencoders and, for reference, the plane of PCA and the
values as they are; on each a linear support vector machine. All is learnt from the training part alone: what is an
outlier, the scaling, the networks, which way the latents point, and the machine. Emotions go by their common names.

P4 is Das et al. (2022); see `ser_core.models.autoencoder`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import scores
from ser_core.geometry import clustered, rotation, targets
from ser_core.geometry.clustered import Estimate
from ser_core.models.plane import METHODS, PLANES, Learner, Method

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Adaptation = Literal["none", "standardise", "coral"]
ADAPTATIONS: Final[tuple[Adaptation, ...]] = ("none", "standardise", "coral")
FOUR: Final = ("neutral", "sadness", "happiness", "anger")
"""P4's emotions."""
TRIADS: Final = {
    "N-S-H": ("neutral", "sadness", "happiness"),
    "N-S-A": ("neutral", "sadness", "anger"),
    "N-H-A": ("neutral", "happiness", "anger"),
    "S-H-A": ("sadness", "happiness", "anger"),
}
TAUGHT: Final = "training part"
UNSEEN: Final = "validation part"


@dataclass(frozen=True)
class Question:
    """What is trained: all that changes the numbers, beside the clips and the encoder.

    Attributes
    ----------
    emotions
        Common names, in the order of their numbers; clips of others are left out.
    layer
        Of the encoder.
    shared
        Whether the folds are drawn clip by clip, as P4 did, so that speakers are on both sides.
    seed
        Of the folds at random, and of the autoencoders.
    """

    emotions: tuple[str, ...] = FOUR
    layer: int = -1
    shared: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Landed:
    """What the K folds make of the n clips of a corpus, by M methods and A adaptations.

    Attributes
    ----------
    name, clips, truth
        The corpus; columns ``file``, ``speaker``, ``emotion`` (common names) …; class numbers, (n,).
    digests
        SHA-256 of each clip's file.
    vectors
        What the encoder makes of the clips, (n, d).
    removed
        Whether a clip is an outlier in a fold, (K, n): a value of it lies more than `LIMIT` standard deviations from
        the mean. Of the corpus that is trained on: of its training part; of another: of that corpus.
    predicted
        Class numbers, (M, A, K, n); -1 where it was removed.
    latents
        Of `PLANES`, (3, A, K, n, 2); NaN where it was removed.
    """

    name: str
    clips: pd.DataFrame
    truth: Rows
    digests: tuple[str, ...]
    vectors: NDArray[np.float32]
    removed: NDArray[np.bool_]
    predicted: NDArray[np.int8]
    latents: NDArray[np.float32]

    @property
    def speakers(self) -> NDArray[np.str_]:
        """Who speaks each clip, (n,)."""
        return self.clips["speaker"].to_numpy().astype(np.str_)


@dataclass(frozen=True)
class Score:
    """How often emotions were told rightly: unweighted average recall, 0-1.

    ``folds`` is the mean over folds with the interval over them. ``speakers`` has an interval that resamples the
    speakers of the corpus, around the same mean; of the validation part around the recall over the clips of all folds
    together, for a fold has few speakers. ``n_clips`` is the mean number of clips of a fold, ``n_removed`` of outliers.
    """

    where: str
    folds: Estimate
    speakers: Estimate
    n_clips: float
    n_removed: float


@dataclass(frozen=True)
class Transfer:
    """A corpus trained on in K folds, and what came out for it and for others.

    Attributes
    ----------
    encoder, store
        Its name, and the key that its embeddings are kept under.
    own, others
        ``own.latents`` and ``own.predicted`` have one adaptation, ``none``.
    taught
        Whether a clip of ``own`` is in the training part of a fold, (K, n).
    folds
        The table of `ser_core.splits.table`.
    n_constant
        Values that are the same in all clips of the training part of a fold, (K,): they tell nothing.
    learners
        By method, of each fold.
    """

    question: Question
    encoder: str
    store: str
    own: Landed
    others: tuple[Landed, ...]
    taught: NDArray[np.bool_]
    folds: pd.DataFrame
    n_constant: Rows
    learners: dict[Method, tuple[Learner, ...]]

    @property
    def n_folds(self) -> int:
        """K."""
        return len(self.taught)

    @property
    def chance(self) -> float:
        """What guessing gives, 0-1."""
        return 1 / len(self.question.emotions)

    @property
    def speaker_independent(self) -> bool:
        """Whether no fold has a speaker, or one and the same recording, on both sides."""
        return not any(map(len, self.folds["shared"])) and not self.folds["same_recordings"].any()

    @property
    def places(self) -> tuple[str, ...]:
        """Where it was tried: both parts of the corpus, and the other corpora."""
        return TAUGHT, UNSEEN, *(one.name for one in self.others)

    def tried(self) -> list[tuple[str, Adaptation]]:
        """Return the places with the ways in which each was brought nearer."""
        own: list[tuple[str, Adaptation]] = [(TAUGHT, "none"), (UNSEEN, "none")]
        return own + [(one.name, adaptation) for one in self.others for adaptation in ADAPTATIONS]

    def landed(self, where: str) -> Landed:
        """Return the corpus of a place."""
        return self.own if where in (TAUGHT, UNSEEN) else next(one for one in self.others if one.name == where)

    def n_known(self, where: str) -> int:
        """Return how many clips of another corpus are the very recordings of clips that were learnt from."""
        return int(np.isin(self.landed(where).digests, self.own.digests).sum()) if where in self.places[2:] else 0

    def among(self, where: str) -> NDArray[np.bool_]:
        """Return which clips of `landed` are tried in each fold, (K, n): those of the part that are no outliers."""
        there = ~self.landed(where).removed
        return there & self.taught if where == TAUGHT else there & ~self.taught if where == UNSEEN else there

    def planes(self, where: str, method: Method, adaptation: Adaptation = "none") -> Floats:
        """Return the two numbers of each clip of `landed` in each fold, (K, n, 2); NaN for others than `among`."""
        found = self.landed(where).latents[PLANES.index(method), self._adapted(where, adaptation)].astype(np.float64)
        return np.where(self.among(where)[:, :, None], found, np.nan)

    def confusions(self, where: str, method: Method, adaptation: Adaptation = "none") -> NDArray[np.int64]:
        """Return the confusion matrix of each fold, (K, E, E): true class by row."""
        landed, among, n = self.landed(where), self.among(where), len(self.question.emotions)
        said = landed.predicted[METHODS.index(method), self._adapted(where, adaptation)]
        rows = zip(said, among, strict=True)
        return np.stack([scores.confusion(landed.truth[on], one[on].astype(np.intp), n_classes=n) for one, on in rows])

    def score(self, where: str, method: Method, adaptation: Adaptation = "none") -> Score:
        """Return how often emotions were told rightly in a place."""
        landed, among = self.landed(where), self.among(where)
        said = landed.predicted[METHODS.index(method), self._adapted(where, adaptation)].astype(np.intp)
        counts = self.confusions(where, method, adaptation)
        part = self.taught if where == TAUGHT else ~self.taught if where == UNSEEN else np.ones_like(among)
        over = clustered.over_folds(scores.uar(counts))
        low, high = _over_speakers(landed, said, among, len(self.question.emotions), pooled=where == UNSEEN)
        pooled = scores.uar(counts.sum(axis=0, keepdims=True))[0]
        speakers = Estimate(float(pooled) if where == UNSEEN else over.value, low, high)
        return Score(where, over, speakers, float(among.sum(axis=1).mean()), float((part & ~among).sum(axis=1).mean()))

    def follows(self, where: str, method: Method, adaptation: Adaptation = "none") -> dict[str, tuple[Estimate, ...]]:
        """Return how each of the two numbers goes with arousal and with valence: correlations, by the target's name.

        Of the validation part, every clip counts once, as the fold without it has it; elsewhere it is the mean over
        folds. Intervals resample speakers. What is rated is taken where it is, else the label's place on Russell's
        circle (`ser_core.geometry.targets`).
        """
        landed, found = self.landed(where), self.planes(where, method, adaptation)
        goal = targets.known(landed.clips)
        readings = once(found)[None] if where == UNSEEN else found
        return {
            name: tuple(clustered.correlation(readings[:, :, k], goal[:, column], landed.speakers) for k in range(2))
            for column, name in enumerate(targets.AXES)
        }

    def right(self, where: str, method: Method, adaptation: Adaptation = "none") -> NDArray[np.bool_]:
        """Return which clips of `among` are told rightly in each fold, (K, n)."""
        landed = self.landed(where)
        said = landed.predicted[METHODS.index(method), self._adapted(where, adaptation)]
        return self.among(where) & (said == landed.truth)

    def centres(self, where: str, method: Method, adaptation: Adaptation = "none") -> Floats:
        """Return the mean of the two numbers of each emotion in each fold, (K, E, 2)."""
        truth, n = self.landed(where).truth, len(self.question.emotions)
        rows = zip(self.planes(where, method, adaptation), self.among(where), strict=True)
        return np.stack([rotation.centres(one[on], truth[on], n_classes=n) for one, on in rows])

    def undone(self, where: str, method: Method, adaptation: Adaptation = "none", *, turned: bool) -> Estimate:
        """Return the score over folds after a corpus was shifted, and if so asked `turned`, onto the training part's.

        The shift and the turn of a speaker's clips are fitted to the labelled clips of the corpus's other speakers
        (`ser_core.geometry.rotation.undone`); NaN where it has one speaker.
        """
        landed, goals = self.landed(where), self.centres(TAUGHT, method)
        counts, n = [], len(self.question.emotions)
        points = self.planes(where, method, adaptation)
        for one, on, goal, learner in zip(points, self.among(where), goals, self.learners[method], strict=True):
            truth = landed.truth[on]
            moved = rotation.undone(one[on], truth, landed.speakers[on], goal=goal, turned=turned)
            told = ~np.isnan(moved[:, 0])
            said = learner.predicted(moved[told])
            counts.append(scores.confusion(truth[told], said, n_classes=n))
        return clustered.over_folds(scores.uar(np.array(counts)))

    def turns(self, where: str, method: Method, adaptation: Adaptation = "none") -> list[rotation.Turn]:
        """Return what brings a corpus onto the training part's plane in each fold that can tell."""
        pairs = zip(self.centres(where, method, adaptation), self.centres(TAUGHT, method), strict=True)
        return [found for own, goal in pairs if (found := rotation.turn(own, goal)) is not None]

    def _adapted(self, where: str, adaptation: Adaptation) -> int:
        return 0 if where in (TAUGHT, UNSEEN) else ADAPTATIONS.index(adaptation)


def once(planes: Floats) -> Floats:
    """Return the numbers (n, 2) of clips that one fold at most has, (K, n, 2); NaN for those that none has.

    Examples
    --------
    >>> once(np.array([[[1.0, 2.0], [np.nan, np.nan]], [[np.nan, np.nan], [np.nan, np.nan]]])).tolist()
    [[1.0, 2.0], [nan, nan]]
    """
    return np.where(np.isnan(planes).all(axis=0), np.nan, np.nansum(planes, axis=0))


def margins(points: Floats, words: Sequence[str], at: Floats) -> dict[str, Floats]:
    """Return how densely the clips of each emotion lie along one axis: a Gaussian kernel, Scott's width (Scott 1992).

    Parameters
    ----------
    points
        Shape (n,), NaN for those that do not count.
    at
        Where the density is wanted.

    Returns
    -------
    The densities at these values by emotion; none of an emotion with fewer than two different points.
    """
    from scipy.stats import gaussian_kde

    labels, out = np.array(words, object), {}
    for word in dict.fromkeys(words):
        own = points[(labels == word) & ~np.isnan(points)]
        if len(np.unique(own)) > 1:
            out[word] = gaussian_kde(own)(at)
    return out


def _over_speakers(
    landed: Landed, said: Rows, among: NDArray[np.bool_], n_classes: int, *, pooled: bool
) -> tuple[float, float]:
    """Return the interval of the score, resampling speakers; NaN with one speaker."""
    names = sorted(set(landed.speakers))
    if len(names) < 2:
        return np.nan, np.nan
    if not among.any():
        return np.nan, np.nan
    drawn = [
        scores.resampled(landed.truth[on], one[on], landed.speakers[on], n_classes=n_classes, names=names)
        for one, on in zip(said, among, strict=True)
        if on.any()
    ]
    counts = np.stack(drawn)  # (K, draws, E, E)
    if pooled:
        counts = counts.sum(axis=0, keepdims=True)
    return scores.interval(scores.mean(scores.uar(counts), axis=0))
