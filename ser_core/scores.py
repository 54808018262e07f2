"""How good predictions are: numbers in, numbers out.

Truth and predictions are class numbers of shape (n_clips,); ``counts`` are a `confusion` matrix, or for `uar`, `wa` and
`macro_f1` many of them, (..., n_classes, n_classes); probabilities have shape (n_clips, n_classes). UAR, unweighted
average recall, is the mean over classes of the share of clips recognised; WA, weighted accuracy, is the share of all
clips recognised, 0-1. An emotion that no clip has takes no part in a mean. Intervals are of 95 %: whole speakers are
drawn again with replacement, for clips of one voice are not independent (the cluster bootstrap of Davison & Hinkley
1997, *Bootstrap Methods and their Application*, section 3.8).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core.errors import SerError

Counts = NDArray[np.int64]
Rows = NDArray[np.intp]
Floats = NDArray[np.float64]
Score: TypeAlias = Any
"""A float of one confusion matrix; of many, (..., n_classes, n_classes), an array of shape (...)."""

N_RESAMPLES: Final = 1000
SEED: Final = 0
BINS: Final = 10
NORMAL: Final = 1.959963984540054
"""97.5th percentile of the standard normal distribution."""


class EvaluationError(SerError, ValueError):
    """Truth and predictions that cannot be scored; the message says why."""


def confusion(truth: Rows, predicted: Rows, *, n_classes: int) -> Counts:
    """Count clips, shape (n_classes, n_classes): row the true class, column the predicted one."""
    return np.bincount(truth * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def uar(counts: Counts) -> Score:
    """Return the mean recall over the classes that occur in a confusion matrix.

    Raises
    ------
    EvaluationError
        If there is no clip in the only matrix; of many, such a one has NaN.

    Examples
    --------
    >>> uar(np.array([[8, 2], [3, 1]]))
    0.525
    """
    return _score(mean(_share(_right(counts), counts.sum(axis=-1)), axis=-1))


def wa(counts: Counts) -> Score:
    """Return the share of clips on the diagonal of a confusion matrix.

    Examples
    --------
    >>> wa(np.array([[8, 2], [3, 1]])) == 9 / 14
    True
    """
    return _score(_share(_right(counts).sum(axis=-1), counts.sum(axis=(-2, -1))))


def macro_f1(counts: Counts) -> Score:
    """Return the mean over the classes that occur of F1, the harmonic mean of precision and recall.

    Examples
    --------
    >>> macro_f1(np.array([[2, 0], [2, 2]])) == (4 / 6 + 4 / 6) / 2
    True
    """
    return _score(mean(np.where(counts.sum(axis=-1) > 0, _f1(counts), np.nan), axis=-1))


def report(counts: Counts, classes: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall and F1 of every class (0-1), columns emotion, precision, recall, f1 and n.

    ``recall`` is the share of the emotion's ``n`` clips that are recognised, also called class-wise accuracy;
    ``precision`` the share of the clips called so that are of the emotion. NaN where there is nothing to share out: the
    precision of an emotion that is never named, the recall and F1 of one that no clip has.
    """
    right, true, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return pd.DataFrame(
        {
            "emotion": list(classes),
            "precision": _share(right, said),
            "recall": _share(right, true),
            "f1": np.where(true > 0, _f1(counts), np.nan),
            "n": true,
        }
    )


@dataclass(frozen=True)
class Curve:
    """A curve over all thresholds, of equally long arrays: ``x`` and ``y`` (0-1) at each of falling or rising ones.

    ``area`` (0-1) sums it up: the area under a `roc` curve, the average precision of a `precision_recall` curve.
    """

    x: Floats
    y: Floats
    thresholds: Floats
    area: float


def roc(truth: NDArray[np.bool_], scores: Floats) -> Curve:
    """Return the receiver operating characteristic: recall (y) against the share of false alarms (x).

    Parameters
    ----------
    truth
        Whether each clip is of the emotion, (n,).
    scores
        Its probability, or any number that is higher for the emotion, (n,).

    Raises
    ------
    EvaluationError
        If all clips are of the emotion, or none.
    """
    from sklearn.metrics import roc_curve

    area = _area(truth, scores)
    alarms, hits, thresholds = roc_curve(truth, scores)
    return Curve(alarms, hits, thresholds, area)


def precision_recall(truth: NDArray[np.bool_], scores: Floats) -> Curve:
    """Return precision (y) against recall (x); parameters and errors are those of `roc`.

    The area is the average precision, the mean of precision weighted by the steps of recall, without interpolation.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    _sides(truth)
    precision, recall, thresholds = precision_recall_curve(truth, scores, drop_intermediate=True)
    area = float(average_precision_score(truth, scores))
    return Curve(recall, precision, np.append(thresholds, np.inf), area)


def auc(truth: Rows, probabilities: Floats) -> float:
    """Return the mean area under the `roc` curves of each emotion against all others, over the emotions that occur.

    Raises
    ------
    EvaluationError
        If fewer than two emotions occur.

    Examples
    --------
    >>> auc(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]))
    0.75
    """
    return float(np.mean([_area(truth == one, probabilities[:, one]) for one in np.unique(truth)]))


def auc_interval(truth: Rows, probabilities: Floats, speakers: NDArray[np.str_]) -> tuple[float, float]:
    """Return the interval of `auc`, resampling speakers.

    An area under the curve is the share of pairs of a clip of the emotion and one of another that the score puts in the
    right order. Pairs are counted once for every two speakers; a draw adds them up, and so is exact and quick.
    Draws that have one emotion only have no area, and do not count.
    """
    _, member = np.unique(speakers, return_inverse=True)
    n = int(member.max()) + 1
    times = draws(n).astype(np.float64)
    areas = []
    for one in np.unique(truth):
        is_one = truth == one
        _sides(is_one)
        ordered = _ordered(probabilities[:, one], is_one, member, n=n)
        of, others = (times @ np.bincount(member[rows], minlength=n) for rows in (is_one, ~is_one))
        areas.append(_share((times @ ordered * times).sum(axis=1), of * others))
    return interval(mean(np.array(areas), axis=0))


def reliability(probabilities: Floats, truth: Rows, *, bins: int = BINS) -> pd.DataFrame:
    """Return how often the highest probability is right, in bins of as many clips each by how high it is.

    Columns ``confidence``, the bin's mean highest probability; ``right``, the share of its clips whose most probable
    emotion is theirs; ``low`` and ``high``, its 95 % interval by Wilson's score (Wilson 1927, JASA 22, 209-212), which
    takes the clips as independent; ``n`` clips. The bins are those of `models.calibration.calibration_error`.
    """
    highest = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    parts = [part for part in np.array_split(np.argsort(highest, kind="stable"), bins) if len(part)]
    n, hits = np.array([len(part) for part in parts]), np.array([right[part].sum() for part in parts])
    low, high = _wilson(hits, n)
    confidence = [highest[part].mean() for part in parts]
    return pd.DataFrame({"confidence": confidence, "right": hits / n, "low": low, "high": high, "n": n})


def draws(n_speakers: int) -> Counts:
    """Return how often each speaker is drawn, (1000, n_speakers), in draws of as many with replacement; seeded."""
    drawn = np.random.default_rng(SEED).integers(n_speakers, size=(N_RESAMPLES, n_speakers))
    cells = drawn + n_speakers * np.arange(N_RESAMPLES)[:, None]
    return np.bincount(cells.ravel(), minlength=N_RESAMPLES * n_speakers).reshape(N_RESAMPLES, n_speakers)


def resampled(
    truth: Rows, predicted: Rows, speakers: NDArray[np.str_], *, n_classes: int, names: Sequence[str]
) -> Counts:
    """Return the confusion matrices of `draws` of the speakers, (1000, n_classes, n_classes).

    ``names``, among whom all speakers are, are drawn: scores of two models with the same names can be subtracted.
    """
    numbers = {name: number for number, name in enumerate(names)}
    member = np.array([numbers[name] for name in speakers], np.intp)
    cells = (member * n_classes + truth) * n_classes + predicted
    per_speaker = np.bincount(cells, minlength=len(names) * n_classes**2).reshape(len(names), -1)
    return (draws(len(names)) @ per_speaker).reshape(-1, n_classes, n_classes)


def recall_intervals(
    truth: Rows, predicted: Rows, speakers: NDArray[np.str_], *, n_classes: int
) -> list[tuple[float, float] | None]:
    """Return the interval of the recall of each class, resampling speakers; None for a class that no clip has.

    Draws of speakers without a clip of the class tell nothing of it, and do not count.
    """
    drawn = resampled(truth, predicted, speakers, n_classes=n_classes, names=sorted(set(speakers)))
    recalls = _share(np.diagonal(drawn, axis1=1, axis2=2), drawn.sum(axis=2))
    return [None if np.isnan(one).all() else interval(one) for one in recalls.T]


def interval(values: Floats) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the resampled values that could be told (not NaN)."""
    low, high = np.percentile(values[~np.isnan(values)], [2.5, 97.5])
    return float(low), float(high)


def mean(values: Floats, *, axis: int) -> Floats:
    """Return the mean over an axis of what is not NaN; NaN where all is."""
    return _share(np.nansum(values, axis=axis), (~np.isnan(values)).sum(axis=axis))


def _score(values: Floats) -> Score:
    if values.ndim:
        return values
    if np.isnan(values):
        raise EvaluationError("no clips to score")
    return float(values)


def _sides(truth: NDArray[np.bool_]) -> None:
    if truth.all() or not truth.any():
        raise EvaluationError(
            f"a curve needs clips of the emotion and clips of others, found {truth.sum()} of it among {len(truth)}"
        )


def _share(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Divide; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _right(counts: Counts) -> Counts:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _f1(counts: Counts) -> Floats:
    return _share(2 * _right(counts), counts.sum(axis=-1) + counts.sum(axis=-2))


def _area(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Return the share of pairs of a clip of the emotion and another that the scores order rightly; ties count half."""
    _sides(truth)
    return float(_below(scores[truth], scores[~truth]).mean() / (~truth).sum())


def _below(scores: Floats, others: Floats) -> Floats:
    """Return how many of the others each score exceeds, equal ones counted half."""
    others = np.sort(others)
    return (np.searchsorted(others, scores, "left") + np.searchsorted(others, scores, "right")).astype(np.float64) / 2


def _ordered(scores: Floats, is_one: NDArray[np.bool_], member: Rows, *, n: int) -> Floats:
    """Count rightly ordered pairs of a speaker's clips of the emotion (row) and a speaker's others (column)."""
    by_other = [_below(scores[is_one], scores[~is_one & (member == other)]) for other in range(n)]
    counted = [np.bincount(member[is_one], weights=below, minlength=n) for below in by_other]
    return np.array(counted, np.float64).T


def _wilson(hits: NDArray[np.integer], n: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Return Wilson's 95 % interval of shares ``hits / n``, 0-1."""
    share, spread = np.divide(hits, n), NORMAL**2 / n
    middle, half = share + spread / 2, np.sqrt(spread * (share * (1 - share) + spread / 4))
    # A share of 0 or 1 is its own bound, which the formula misses by rounding.
    return np.maximum((middle - half) / (1 + spread), 0), np.minimum((middle + half) / (1 + spread), 1)
