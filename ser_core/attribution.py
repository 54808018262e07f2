"""What each value of a clip adds to the two numbers that an autoencoder makes of it (P4, Figure 4 g-j).

Against a reference: the mean of the neutral clips of the validation part that were told rightly, in the fold's own
standardised values. Shares are DeepLIFT's (Shrikumar, Greenside & Kundaje 2017, ICML): they add up to the difference
between the clip's number and the reference's. Two other ways check them: integrated gradients (Sundararajan, Taly & Yan
2017, ICML) and Shapley values from random orders (Castro, Gómez & Tejada 2009; Lundberg & Lee 2017, NeurIPS).

A clip of the validation part is explained by the fold that has not learnt from it, one of another corpus by all folds,
and the mean is taken. Numbers are in standard deviations over the training part (`ser_core.models.plane.Learner`).
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import egemaps_words, scores, transferring
from ser_core.errors import SerError
from ser_core.models.plane import Method
from ser_core.transfer import UNSEEN, Adaptation, Question, Transfer

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Way = Literal["deeplift", "gradients", "shapley"]
WAYS: Final[tuple[Way, ...]] = ("deeplift", "gradients", "shapley")
NEUTRAL: Final = "neutral"
GAP: Final[dict[Way, float]] = {"deeplift": 1e-4, "gradients": 1e-2, "shapley": 1e-4}
"""By how much shares may miss what they are to add up to (of 1, or of the largest sum)."""
STEPS: Final = 256
"""Points on the way from the reference to the clip, for the gradients."""
ORDERS: Final = 25
"""In which Shapley's values take the measures one after the other."""
MARK: Final = 0.1
"""Standard deviations that a feature must move a number by, on average, to be named as a mark of an emotion."""
SEED: Final = 0


class AttributionError(SerError, ValueError):
    """Clips that cannot be explained, or shares that do not add up; the message says which."""


@dataclass(frozen=True)
class Attribution:
    """What each of d values adds to the two numbers of n clips.

    Attributes
    ----------
    where, method
        The place (`Transfer.places`), and whose numbers: ``uae`` or ``dae``.
    rows
        Of the clips in `Transfer.landed`, (n,).
    shares
        Shape (n, d, 2): they add up over d to ``difference`` (n, 2), the clip's numbers less the reference's.
    given
        The standardised values of each clip, less the reference's, (n, d).
    truth, speakers
        Class numbers and who speaks, (n,).
    n_folds
        Folds that have a reference.
    """

    where: str
    method: Method
    rows: Rows
    shares: Floats
    difference: Floats
    given: Floats
    truth: Rows
    speakers: NDArray[np.str_]
    n_folds: int


def attribute(
    found: Transfer,
    where: str,
    method: Method,
    *,
    adaptation: Adaptation,
    only: Rows | None = None,
    way: Way = "deeplift",
) -> Attribution:
    """Explain the clips of a place that are told rightly, or those of some rows however they are told.

    Parameters
    ----------
    where
        The validation part, or another corpus.
    only
        Rows of `Transfer.landed`; outliers and, of the corpus that was trained on, clips without a fold that tells of
        them are left out. None: all that are told rightly, as P4 has it (of another corpus: in any fold).

    Raises
    ------
    AttributionError
        If there is nothing to compare with or to explain, or shares do not add up.
    """
    landed, right = found.landed(where), found.right(where, method, adaptation)
    wanted = right if only is None else found.among(where) & np.isin(np.arange(len(landed.truth)), only)
    shape = (len(landed.truth), landed.vectors.shape[1])
    values, given, difference = np.zeros((*shape, 2)), np.zeros(shape), np.zeros((shape[0], 2))
    times, n_folds = np.zeros(shape[0]), 0
    for fold, on in enumerate(wanted):
        reference = _reference(found, fold, method)
        if reference is None:
            continue
        n_folds += 1
        if not on.any():
            continue
        z = transferring.standardised(found, where, fold, adaptation=adaptation)[on]
        reducer = found.learners[method][fold].reducer
        shares = _shares(reducer.autoencoder().encoder, z, reference, way) @ reducer.turn
        apart = reducer.numbers(z) - reducer.numbers(reference[None])
        gap = np.abs(shares.sum(axis=1) - apart).max()
        if gap > GAP[way] * max(1.0, float(np.abs(apart).max())):
            raise AttributionError(
                f"the shares of the values miss the number that they add up to by {gap:.5f} ({way}): this network "
                "changes too abruptly to be explained so"
            )
        values[on] += shares
        given[on] += z - reference
        difference[on] += apart
        times[on] += 1
    if not n_folds:
        raise AttributionError(_no_reference(found, method))
    rows = np.flatnonzero(times)
    if not len(rows):
        raise AttributionError(f"no clip of {landed.name} can be explained: none was told rightly, or all are outliers")
    n = times[rows]
    parts = values[rows] / n[:, None, None], difference[rows] / n[:, None], given[rows] / n[:, None]
    return Attribution(where, method, rows, *parts, landed.truth[rows], landed.speakers[rows], n_folds)


def refusal(encoder: str, question: Question) -> str | None:
    """Say why nothing can be explained, whatever is computed; None where it can."""
    if encoder != "egemaps":
        return f"the values of {encoder} have no names, and what they add would tell nothing: choose egemaps"
    if NEUTRAL not in question.emotions:
        return f"clips are explained against neutral ones, and {NEUTRAL} is not among the emotions: choose it, too"
    return None


def names(found: Transfer) -> tuple[str, ...]:
    """Return what the values of a clip are called.

    Raises
    ------
    AttributionError
        With the sentence of `refusal`.
    """
    if why := refusal(found.encoder, found.question):
        raise AttributionError(why)
    return tuple(one.words for one in egemaps_words.measures())


def features() -> tuple[str, ...]:
    """Return the rows of P4's Table 1, in its order of measures: similar ones of the 88 are added up."""
    return tuple(dict.fromkeys(_of()))


def added_up(values: Floats) -> Floats:
    """Add up shares (n, 88, ...) by `features`: (n, n_features, ...)."""
    of = np.array(_of())
    return np.stack([values[:, of == name].sum(axis=1) for name in features()], axis=1)


def marks(found: Transfer, shares: Attribution) -> pd.DataFrame:
    """Return how far each feature moves each number, on average over the clips of each emotion told rightly.

    Columns ``emotion``, ``number`` (0 or 1), ``feature``, ``mean`` (standard deviations), ``low`` and ``high`` (95 %
    interval, resampling speakers; NaN with one), ``n`` clips, and ``mark``: ``only`` where the interval leaves out 0
    and the mean is at least `MARK`, ``shared`` where that is so of another emotion in the same direction, else empty.
    """
    grouped, order = added_up(shares.shares), features()
    rows = []
    for emotion, word in enumerate(found.question.emotions):
        of = shares.truth == emotion
        if not of.any():
            continue
        mean = grouped[of].mean(axis=0)
        low, high = _intervals(grouped[of], shares.speakers[of])
        for place, feature in enumerate(order):
            for k in range(2):
                here = float(mean[place, k]), float(low[place, k]), float(high[place, k])
                rows.append((word, k, feature, *here, int(of.sum())))
    table = pd.DataFrame(rows, columns=["emotion", "number", "feature", "mean", "low", "high", "n"])
    sure = ((table["low"] > 0) | (table["high"] < 0)) & (table["mean"].abs() >= MARK)
    direction = np.sign(table["mean"].to_numpy(np.float64))
    alike = (
        table.assign(direction=direction)[sure.to_numpy(bool)]
        .groupby(["number", "feature", "direction"])["emotion"]
        .size()
    )
    keys = zip(table["number"], table["feature"], direction, strict=True)
    n_alike = np.array([alike.get(key, 0) for key in keys])
    return table.assign(mark=np.where(~sure, "", np.where(n_alike > 1, "shared", "only")))


def agreement(
    found: Transfer, where: str, method: Method, *, adaptation: Adaptation, n_clips: int = 40, seed: int
) -> pd.DataFrame:
    """Return how far other ways of explaining agree with DeepLIFT, over some clips that are told rightly.

    Columns ``way``, ``number``, ``rank_correlation`` (Spearman's, of a clip's values; the mean over clips), ``lowest``
    of a clip, and ``n`` clips.
    """
    from scipy.stats import spearmanr

    every = attribute(found, where, method, adaptation=adaptation)
    n = min(n_clips, len(every.rows))
    some = np.sort(np.random.default_rng(seed).choice(every.rows, n, replace=False))
    explained = {way: attribute(found, where, method, adaptation=adaptation, only=some, way=way) for way in WAYS}
    rows = []
    for way in WAYS[1:]:
        for k in range(2):
            pairs = zip(explained["deeplift"].shares[:, :, k], explained[way].shares[:, :, k], strict=True)
            each = np.array([spearmanr(one, other).statistic for one, other in pairs])
            rows.append((way, k, float(each.mean()), float(each.min()), len(each)))
    return pd.DataFrame(rows, columns=["way", "number", "rank_correlation", "lowest", "n"])


def _of() -> list[str]:
    return [one.feature for one in egemaps_words.measures()]


def _reference(found: Transfer, fold: int, method: Method) -> Floats | None:
    """Return the mean vector (d,) of neutral validation clips that were told rightly; None if there is none."""
    if NEUTRAL not in found.question.emotions:
        return None
    neutral = found.own.truth == found.question.emotions.index(NEUTRAL)
    rows = found.right(UNSEEN, method)[fold] & neutral
    return transferring.standardised(found, UNSEEN, fold, adaptation="none")[rows].mean(axis=0) if rows.any() else None


def _no_reference(found: Transfer, method: Method) -> str:
    unfit = refusal("egemaps", found.question)
    return unfit or f"no neutral clip of the validation parts was told rightly by {method}: nothing to compare with"


def _shares(encoder: "nn.Sequential", z: Floats, reference: Floats, way: Way) -> Floats:
    """Return what each value adds to each output of an encoder, (n, d, 2), in float64."""
    import torch
    from captum.attr import DeepLift, IntegratedGradients, ShapleyValueSampling

    from ser_core.models.training import repeatable

    module = encoder.double().eval()
    given, start = torch.from_numpy(z).requires_grad_(), torch.from_numpy(reference)[None]
    with warnings.catch_warnings(), repeatable("cpu", 1):
        warnings.filterwarnings("ignore", "Setting forward, backward hooks", UserWarning)
        out = []
        for target in range(2):
            if way == "deeplift":
                one = DeepLift(module).attribute(given, start, target=target)
            elif way == "shapley":
                torch.manual_seed(SEED)
                one = ShapleyValueSampling(module).attribute(
                    given, start, target=target, n_samples=ORDERS, perturbations_per_eval=16
                )
            else:
                one = IntegratedGradients(module).attribute(given, start, target=target, n_steps=STEPS)
            out.append(one.detach().numpy())
    return np.stack(out, axis=2)


def _intervals(values: Floats, speakers: NDArray[np.str_]) -> tuple[Floats, Floats]:
    """Return the interval of the mean over clips of values (n, ...), resampling speakers; NaN with one."""
    _, member = np.unique(speakers, return_inverse=True)
    n_speakers = int(member.max()) + 1
    if n_speakers < 2:
        none = np.full(values.shape[1:], np.nan)
        return none, none
    sums = np.zeros((n_speakers, *values.shape[1:]))
    np.add.at(sums, member, values)
    times = scores.draws(n_speakers).astype(np.float64)
    n = times @ np.bincount(member, minlength=n_speakers)
    means = np.tensordot(times, sums, axes=1) / n.reshape(-1, *[1] * (values.ndim - 1))
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high
