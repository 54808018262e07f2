"""Two trained models side by side, a model beside listeners, and what known voices are worth.

Scores are those of `ser_core.scores` over the pooled test clips, 0-1; intervals are of 95 %, resampling speakers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtr

from ser_core import scores
from ser_core.errors import SerError
from ser_core.evaluation import Evaluation
from ser_core.runs import Run

SPLIT: Final = frozenset({"split", "n_folds"})
"""What two recipes that differ in nothing but how clips were divided do not share."""


class ComparisonError(SerError, ValueError):
    """Runs that cannot be compared; the message says why."""


@dataclass(frozen=True)
class McNemar:
    """Clips that one of two models alone has right, and how likely so unequal numbers are by chance (``p``, 0-1)."""

    only_a: int
    only_b: int
    p: float


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> McNemar:
    """Compare two models on the same clips: McNemar's test, exact (binomial) and two-sided.

    McNemar 1947, Psychometrika 12, 153-157. It takes the clips as independent.

    Examples
    --------
    >>> mcnemar(np.array([True, True, True, False]), np.array([True, False, False, False]))
    McNemar(only_a=2, only_b=0, p=0.5)
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return McNemar(only_a, only_b, min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5))))


@dataclass(frozen=True)
class Comparison:
    """Two runs on the test clips that they share.

    Attributes
    ----------
    a, b
        The predictions of each on these clips, in the same order.
    mcnemar
        Whether one has more of them right than the other by more than chance.
    difference
        UAR of a less that of b, with its ``interval``: both are drawn with the same speakers.
    differ
        The clips that they call differently: ``file``, ``sha``, ``speaker``, ``emotion`` (the true word), ``a`` and
        ``b`` (the word of each), ``p_a`` and ``p_b`` (the probability that each gives to the true emotion).
    """

    a: Evaluation
    b: Evaluation
    mcnemar: McNemar
    difference: float
    interval: tuple[float, float]
    differ: pd.DataFrame


def compare(a: Run, b: Run) -> Comparison:
    """Compare two runs on the clips, by content and file name, that both have tested.

    Raises
    ------
    ComparisonError
        If the runs are of other emotions, share no test clip, or were told different things about one.
    """
    for run in (one for one in (a, b) if not one.recognises):
        raise ComparisonError(f"run {run.id} ({run.title}) names no emotions: there is nothing to compare")
    if a.classes != b.classes:
        raise ComparisonError(
            f"run {a.id} tells apart {', '.join(a.classes)}, run {b.id} {', '.join(b.classes)}: only runs of the same"
            " emotions in the same order can be compared"
        )
    both = a.tested.merge(b.tested, on=["sha", "file"], suffixes=("_a", "_b"), validate="one_to_one")
    if both.empty:
        raise ComparisonError(f"runs {a.id} and {b.id} have tested no clip in common: compare runs of one corpus")
    relabelled = (both["truth_a"] != both["truth_b"]) | (both["speaker_a"] != both["speaker_b"])
    if relabelled.any():
        raise ComparisonError(
            f"{relabelled.sum()} of the clips have another emotion or speaker in run {a.id} than in run {b.id}, such as"
            f" {both['file'].iloc[int(relabelled.argmax())]}: train again the one that is out of date"
        )
    truth, speakers = both["truth_a"].to_numpy(np.intp), both["speaker_a"].to_numpy(str)
    one, other = (
        Evaluation(a.classes, truth, both[f"predicted_{side}"].to_numpy(np.intp), speakers, run.folds)
        for side, run in (("a", a), ("b", b))
    )
    return Comparison(
        one,
        other,
        mcnemar(one.predicted == truth, other.predicted == truth),
        one.uar - other.uar,
        scores.interval(_drawn(one, sorted(set(speakers))) - _drawn(other, sorted(set(speakers)))),
        _differ(both, a.classes),
    )


@dataclass(frozen=True)
class Agreement:
    """A model beside the listeners of a corpus, on the same ``n`` clips.

    ``rho`` (-1 to 1), with its ``interval``, is Spearman's rank correlation of the probability that the model gives to
    the true emotion and the share of listeners who heard it: above 0 where clips that are hard for people are hard for
    the model. ``model`` is the share of the clips that the model has right, ``listeners`` the mean share of listeners.
    """

    n: int
    rho: float
    interval: tuple[float, float]
    model: float
    listeners: float


def listeners(run: Run, recognised: pd.Series) -> Agreement:
    """Compare a run with people who heard the same clips.

    Parameters
    ----------
    recognised
        Share of the listeners (0-1) who recognised the emotion of a clip, by file name; NaN or None where not known.

    Raises
    ------
    ComparisonError
        If no tested clip has such a share, or all have the same, or the same probability.
    """
    shares = pd.to_numeric(run.tested["file"].map(recognised)).to_numpy(np.float64)
    heard = ~np.isnan(shares)
    if not heard.any():
        raise ComparisonError(f"it is not known of any clip that run {run.id} tested how many listeners recognised it")
    table, shares = run.tested[heard], shares[heard]
    truth = table["truth"].to_numpy(np.intp)
    sure = run.probabilities[heard][np.arange(len(truth)), truth]
    rho = _spearman(sure, shares)
    if np.isnan(rho):
        raise ComparisonError(
            f"listeners recognised all clips that run {run.id} tested alike, or it is equally sure of all: there is"
            " no order to compare"
        )
    names, member = np.unique(table["speaker"].to_numpy(str), return_inverse=True)
    each = [np.repeat(np.arange(len(member)), times[member]) for times in scores.draws(len(names))]
    drawn = np.array([_spearman(sure[rows], shares[rows]) for rows in each])
    right = table["predicted"].to_numpy(np.intp) == truth
    return Agreement(len(truth), rho, scores.interval(drawn), float(right.mean()), float(shares.mean()))


@dataclass(frozen=True)
class Premium:
    """What a model gains by knowing the speakers of its test: the leakage premium.

    UAR on test clips whose speakers were in training too (``uar_random``) and on unseen speakers (``uar_speaker``), and
    the ``difference`` of the first from the second, each with its interval.
    """

    uar_random: float
    interval_random: tuple[float, float]
    uar_speaker: float
    interval_speaker: tuple[float, float]
    difference: float
    interval: tuple[float, float]


def premium(random: Run, speaker: Run) -> Premium:
    """Compare two runs of one recipe, under a random split and on unseen speakers (`pairs` finds them).

    The interval of the difference draws the same speakers for both.

    Raises
    ------
    ComparisonError
        If the runs differ in more than the split.
    """
    if random.split != "random" or speaker.split == "random":
        raise ComparisonError(
            f"expected a run with clips split at random and one on unseen speakers, got {random.split} ({random.id})"
            f" and {speaker.split} ({speaker.id})"
        )
    if other := _apart(random, speaker):
        raise ComparisonError(
            f"runs {random.id} and {speaker.id} differ in more than the split, in {', '.join(other)}: train one of them"
            " with the other's options"
        )
    known, unseen = random.evaluation, speaker.evaluation
    names = sorted({*known.speakers, *unseen.speakers})
    return Premium(
        known.uar,
        known.interval(scores.uar),
        unseen.uar,
        unseen.interval(scores.uar),
        known.uar - unseen.uar,
        scores.interval(_drawn(known, names) - _drawn(unseen, names)),
    )


def pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Return the finished runs that `premium` takes: a random split, and the same recipe on unseen speakers."""
    finished = [run for run in runs if run.finished]
    random, unseen = ([run for run in finished if (run.split == "random") == want] for want in (True, False))
    return [(one, other) for one, other in product(random, unseen) if not _apart(one, other)]


def _apart(one: Run, other: Run) -> list[str]:
    """Return what two recipes do not share, besides the split."""
    names = (one.recipe.keys() | other.recipe.keys()) - SPLIT
    return sorted(name for name in names if one.recipe.get(name) != other.recipe.get(name))


def _drawn(found: Evaluation, names: list[str]) -> NDArray[np.float64]:
    """Return the UAR in draws of the named speakers; NaN where none of those drawn has a clip."""
    counts = scores.resampled(found.truth, found.predicted, found.speakers, n_classes=len(found.classes), names=names)
    return scores.uar(counts)


def _differ(both: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    found = both[both["predicted_a"] != both["predicted_b"]].reset_index(drop=True)
    names, truth = np.array(classes), found["truth_a"].to_numpy(np.intp)
    sure = {
        side: found[[f"p_{number}_{side}" for number in range(len(classes))]].to_numpy(np.float64)[found.index, truth]
        for side in ("a", "b")
    }
    return pd.DataFrame(
        {
            "file": found["file"],
            "sha": found["sha"],
            "speaker": found["speaker_a"],
            "emotion": names[truth],
            "a": names[found["predicted_a"]],
            "b": names[found["predicted_b"]],
            "p_a": sure["a"],
            "p_b": sure["b"],
        }
    )


def _spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the rank correlation, ties having their mean rank; NaN where one side is constant."""
    from scipy.stats import rankdata

    a, b = (ranks - ranks.mean() for ranks in (rankdata(x), rankdata(y)))
    length = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / length) if length else np.nan
