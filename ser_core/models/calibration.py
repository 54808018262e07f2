"""Probabilities from a classifier's decision values, and how far probabilities can be believed.

Probabilities have shape (n, E), rows sum to 1; truth is a class number for each row.
"""

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
BINS: Final = 10
STEPS: Final = 100
"""Of Newton's method, which needs about eight."""
CLOSE: Final = 1e-14
"""Gain of a step in log-likelihood after which the next one would gain less than can be computed."""
ROUNDING: Final = 1e-12
SURE: Final = 1e-7
"""No pair of classes is surer than this, as in libsvm."""


def platt(decisions: Floats, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope a and offset b of the probability 1 / (1 + exp(a f + b)) that a decision value f is of the class.

    Maximum likelihood with the targets (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) for the n1 values that are of the class and
    the n0 that are not (Platt 1999), by Newton's method with step halving (Lin, Lin & Weng 2007, Machine Learning 68,
    267-276): there is one optimum, always finite.

    Parameters
    ----------
    decisions
        Shape (n,), of clips that the classifier was not fitted to.
    positive
        Shape (n,), whether each is of the class.
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    design = np.stack([decisions, np.ones_like(decisions)])
    found = np.array([0.0, np.log((n_negative + 1) / (n_positive + 1))])
    loss = _loss(found, design, target)
    for _ in range(STEPS):
        share = expit(-(found @ design))
        gradient = design @ (target - share)
        step: Floats = np.linalg.lstsq((design * share * (1 - share)) @ design.T, -gradient)[0].astype(np.float64)
        while (new := _loss(found + step, design, target)) > loss * (1 + ROUNDING):
            step = step / 2
        found, loss = found + step, new
        if -gradient @ step < CLOSE:
            break
    return float(found[0]), float(found[1])


def _loss(found: Floats, design: Floats, target: Floats) -> float:
    """Return the negative log-likelihood."""
    exponent = found @ design
    return float((np.logaddexp(0, exponent) - (1 - target) * exponent).sum())


def couple(shares: Floats) -> Floats:
    """Return the probabilities (m, E) of classes from those of the first class of every pair, (m, n_pairs).

    The ones that least contradict the pairs: p minimising the sum over pairs of (r_ji p_i - r_ij p_j)^2 (Wu, Lin & Weng
    2004, J. Machine Learning Research 5, 975-1005, eq. 21).

    Examples
    --------
    >>> couple(np.array([[0.5, 0.5, 0.5]])).round(3)
    array([[0.333, 0.333, 0.333]])
    """
    n = n_classes(shares)
    first, second = np.array(list(combinations(range(n), 2))).T
    wins = np.zeros((len(shares), n, n))
    wins[:, first, second] = np.clip(shares, SURE, 1 - SURE)
    wins[:, second, first] = 1 - wins[:, first, second]
    system = np.ones((len(shares), n + 1, n + 1))
    system[:, :-1, :-1] = -wins * wins.swapaxes(1, 2)
    diagonal = np.arange(n)
    system[:, diagonal, diagonal] = np.square(wins).sum(axis=1)
    system[:, -1, -1] = 0  # the last row says that they sum to 1
    found = np.linalg.solve(system, np.eye(n + 1)[:, -1:])[:, :-1, 0].astype(np.float64)
    found = np.maximum(found, 0)
    return found / found.sum(axis=1, keepdims=True)


def votes(decisions: Floats) -> NDArray[np.intp]:
    """Return the class that wins most pairs, (m,), of those that tie the first, as `sklearn.svm.SVC` decides.

    ``decisions`` (m, n_pairs) are above 0 for the first class of a pair; where there is one pair, for the second.

    Examples
    --------
    >>> votes(np.array([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0]]))
    array([2, 1])
    """
    first = decisions < 0 if decisions.shape[1] == 1 else decisions > 0
    won = np.zeros((len(decisions), n_classes(decisions)), np.intp)
    for pair, (a, b) in enumerate(combinations(range(won.shape[1]), 2)):
        won[:, a] += first[:, pair]
        won[:, b] += ~first[:, pair]
    return won.argmax(axis=1)


def n_classes(of_pairs: Floats) -> int:
    """Return how many classes make so many pairs."""
    return round((1 + np.sqrt(1 + 8 * of_pairs.shape[1])) / 2)


def brier(probabilities: Floats, truth: NDArray[np.intp]) -> float:
    """Return the mean squared error of probabilities, summed over the classes (Brier 1950): 0 is best, 2 worst.

    Examples
    --------
    >>> brier(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 1]))
    0.25
    """
    right = np.eye(probabilities.shape[1])[truth]
    return float(np.square(probabilities - right).sum(axis=1).mean())


def calibration_error(probabilities: Floats, truth: NDArray[np.intp], *, bins: int = BINS) -> float:
    """Return by how much the highest probability differs from how often it is right, 0-1.

    The expected calibration error (Guo et al. 2017, section 2) with bins of as many clips each: the mean over clips of
    the difference between their bin's mean probability and its share of right answers.

    Examples
    --------
    >>> calibration_error(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1]), bins=1)
    0.4
    """
    order = np.argsort(probabilities.max(axis=1), kind="stable")
    off = (probabilities.max(axis=1) - (probabilities.argmax(axis=1) == truth))[order]
    return float(sum(abs(part.sum()) for part in np.array_split(off, bins)) / len(order))
