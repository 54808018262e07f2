"""Which dimension of a space carries what: emotion, speaker, sentence … (disentanglement, as it is called).

Dimensions are those of a clip's vector, such as the means of an autoencoder's latents; factors are what is known of
it. The scores are between 0 and 1; what is told of chance comes from labels that were shuffled among the clips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.errors import SerError

Floats = NDArray[np.float64]
BINS: Final = 20
"""Of equal width, into which a dimension is cut to count what it says (Locatello et al. 2019, appendix C)."""
SHUFFLES: Final = 100
PARTS: Final = 5
"""Parts of the clips, each told by what was learnt on the others; speakers are in all of them."""
TREES: Final = 100
COST: Final = 0.01
"""Of the support vector machines on one dimension (Locatello et al. 2019)."""
ACTIVE: Final = 0.01
"""Variance of its means above which a latent is called active (Burda et al. 2016, section 5.2)."""


class DisentanglementError(SerError, ValueError):
    """Dimensions and factors that cannot be told of each other; the message says why."""


@dataclass(frozen=True)
class Information:
    """What d dimensions say about k factors, in nats.

    Attributes
    ----------
    factors
        Their names, (k,).
    entropy
        Of each factor, (k,).
    mutual
        Mutual information of dimension and factor, (d, k).
    chance, chance_95
        The mean of the same, and its 95th percentile, with the factor's labels shuffled, (d, k): counts of so many
        clips in so many bins never come to 0.
    """

    factors: tuple[str, ...]
    entropy: Floats
    mutual: Floats
    chance: Floats
    chance_95: Floats

    @property
    def shares(self) -> Floats:
        """What a dimension says of a factor, as a share of all that there is to know, (d, k)."""
        return self.mutual / self.entropy

    @property
    def gaps(self) -> Floats:
        """Mutual information gap of each factor, (k,): the largest of `shares` less the second (Chen et al. 2018)."""
        first, second = -np.sort(-self.shares, axis=0)[:2]
        return first - second


@dataclass(frozen=True)
class Separated:
    """How well one dimension by itself tells a factor.

    ``accuracy`` (d, k) is that of a linear support vector machine on clips that it has not learnt from, the mean over
    the factor's values of the share found (UAR), which guessing brings to one in their number. ``gaps`` (k,): the
    largest less the second, the SAP of Kumar et al. 2018.
    """

    factors: tuple[str, ...]
    accuracy: Floats

    @property
    def gaps(self) -> Floats:
        """Attribute predictability of each factor that one dimension alone has, (k,)."""
        first, second = -np.sort(-self.accuracy, axis=0)[:2]
        return first - second


@dataclass(frozen=True)
class Importance:
    """How much each dimension is needed to tell a factor, by random forests (the DCI of Eastwood & Williams 2018).

    ``weights`` (d, k) add up to 1 for each factor; ``informativeness`` (k,) is the UAR of the forest on clips that it
    has not learnt from.
    """

    factors: tuple[str, ...]
    weights: Floats
    informativeness: Floats

    @property
    def disentanglement(self) -> float:
        """1 if each dimension is needed for one factor at most, 0 if for all alike; weighted by how much it is needed.

        A factor that follows from another (the gender from the speaker) makes it lower.
        """
        needed = self.weights.sum(axis=1)
        return float(((1 - _spread(self.weights)) * needed).sum() / needed.sum())

    @property
    def completeness(self) -> Floats:
        """Of each factor, (k,): 1 if it needs one dimension, 0 if all alike."""
        return 1 - _spread(self.weights.T)


def information(
    x: Floats, factors: Mapping[str, Sequence[str]], *, seed: int, n_shuffles: int = SHUFFLES
) -> Information:
    """Count what every dimension says about every factor.

    Parameters
    ----------
    x
        Shape (n_clips, d), d 2 or more.
    factors
        Labels of the clips, (n_clips,), by the factor's name.
    seed
        Of the shuffles.

    Raises
    ------
    DisentanglementError
        If a factor has one value only or another number of clips, or there are fewer than two dimensions.

    References
    ----------
    R. T. Q. Chen et al. (2018), Isolating sources of disentanglement in VAEs, NeurIPS; F. Locatello et al. (2019),
    Challenging common assumptions in the unsupervised learning of disentangled representations, ICML.
    """
    known = _numbered(x, factors)
    low, high = x.min(axis=0), x.max(axis=0)
    width = np.where(high > low, (high - low) / BINS, 1.0)
    bins = np.minimum((x - low) // width, BINS - 1).astype(np.intp)
    random = np.random.default_rng(seed)
    counts = [np.bincount(labels) / len(x) for labels in known.values()]
    found = np.stack([_mutual(bins, labels) for labels in known.values()], axis=1)
    shuffled = np.stack(
        [
            np.stack([_mutual(bins, random.permutation(labels)) for labels in known.values()], axis=1)
            for _ in range(n_shuffles)
        ]
    )
    return Information(
        tuple(known),
        np.array([-(share * np.log(share)).sum() for share in counts]),
        found,
        shuffled.mean(axis=0),
        np.quantile(shuffled, 0.95, axis=0),
    )


def separated(x: Floats, factors: Mapping[str, Sequence[str]], *, seed: int) -> Separated:
    """Tell every factor from every dimension alone; ``seed`` is that of the parts (raises as `information`).

    References
    ----------
    A. Kumar, P. Sattigeri and A. Balakrishnan (2018), Variational inference of disentangled latent concepts from
    unlabeled observations, ICLR.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    known = _numbered(x, factors)
    machine = make_pipeline(StandardScaler(), LinearSVC(C=COST, class_weight="balanced", random_state=0))
    columns = [[_held_out(machine, one[:, None], labels, seed)[0] for one in x.T] for labels in known.values()]
    return Separated(tuple(known), np.array(columns).T)


def importance(x: Floats, factors: Mapping[str, Sequence[str]], *, seed: int) -> Importance:
    """Tell every factor from all dimensions, and see which were needed; ``seed`` is that of parts and forests.

    Raises as `information`.

    References
    ----------
    C. Eastwood and C. K. I. Williams (2018), A framework for the quantitative evaluation of disentangled
    representations, ICLR.
    """
    from sklearn.ensemble import RandomForestClassifier

    known = _numbered(x, factors)
    forest = RandomForestClassifier(TREES, random_state=seed)
    told = [_held_out(forest, x, labels, seed) for labels in known.values()]
    weights = [np.mean([one.feature_importances_ for one in fitted], axis=0) for _, fitted in told]
    return Importance(tuple(known), np.array(weights).T, np.array([accuracy for accuracy, _ in told]))


def active(means: Floats) -> NDArray[np.bool_]:
    """Return which latents are active, (d,): their means (n_clips, d) vary by more than `ACTIVE` over clips.

    References
    ----------
    Y. Burda, R. Grosse and R. Salakhutdinov (2016), Importance weighted autoencoders, ICLR.
    """
    return means.var(axis=0) > ACTIVE


def explained(x: Floats, labels: Sequence[str]) -> Floats:
    """Return the share of each dimension's variance over clips x (n, d) that lies between groups (η²), (d,), 0-1.

    References
    ----------
    J. Cohen (1988), Statistical power analysis for the behavioral sciences, 2nd ed., section 8.2.2.
    """
    words = np.asarray(labels, str)
    centre, total = x.mean(axis=0), x.var(axis=0) * len(x)
    groups = [x[words == word] for word in np.unique(words)]
    between = np.sum([len(one) * (one.mean(axis=0) - centre) ** 2 for one in groups], axis=0)
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0)


def _numbered(x: Floats, factors: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.intp]]:
    """Return the factors' values as numbers from 0."""
    if x.ndim != 2 or x.shape[1] < 2:
        raise DisentanglementError(f"expected two dimensions or more, clips x dimensions; got {x.shape}")
    found = {}
    for name, labels in factors.items():
        words, numbers = np.unique(np.asarray(labels, str), return_inverse=True)
        if len(numbers) != len(x) or len(words) < 2:
            raise DisentanglementError(
                f"{name}: expected two values or more, of {len(x)} clips; got {len(words)} of {len(numbers)} clips"
            )
        if (rarest := np.bincount(numbers).min()) < PARTS:
            raise DisentanglementError(f"{name}: every value needs {PARTS} clips or more, one has {rarest}")
        found[name] = numbers
    return found


def _mutual(bins: NDArray[np.intp], labels: NDArray[np.intp]) -> Floats:
    """Return the mutual information (nats) of each column of bins (n, d) with the labels (n,): (d,)."""
    n, n_values = len(labels), labels.max() + 1
    joint = np.stack([np.bincount(one * n_values + labels, minlength=BINS * n_values) for one in bins.T])
    share = joint.reshape(-1, BINS, n_values) / n
    apart = share.sum(axis=2, keepdims=True) * share.sum(axis=1, keepdims=True)
    there = share > 0
    terms = np.zeros_like(share)
    terms[there] = share[there] * np.log(share[there] / apart[there])
    return terms.sum(axis=(1, 2))


def _held_out(model: object, x: Floats, labels: NDArray[np.intp], seed: int) -> tuple[float, list]:
    """Return the UAR over `PARTS` parts, each told by the others, and what was fitted."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold, cross_validate

    parts = StratifiedKFold(PARTS, shuffle=True, random_state=seed)
    found = cross_validate(model, x, labels, cv=parts, return_estimator=True, return_indices=True)
    told = np.empty_like(labels)
    for one, rows in zip(found["estimator"], found["indices"]["test"], strict=True):
        told[rows] = one.predict(x[rows])
    return float(balanced_accuracy_score(labels, told)), found["estimator"]


def _spread(weights: Floats) -> Floats:
    """Return the entropy of each row, as a share of the largest possible; 1 for a row of zeros."""
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.full_like(weights, 1 / weights.shape[1]), where=total > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logs).sum(axis=1) / np.log(weights.shape[1])
