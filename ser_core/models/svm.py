"""The plain baseline of the field: standardise, then a support vector machine; and the same with probabilities."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser_core.errors import SerError
from ser_core.models.calibration import platt

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
PARTS: Final = 5
"""Parts that the clips are dealt into, by speaker, to calibrate."""
COLUMNS: Final = 512
"""Dimensions that are standardised at once: the products of 1,440 clips of 6,373 values take 20 MB, not 150."""

SURE: Final = 1e-7
"""No pair is surer than this, as in libsvm."""


class ModelError(SerError, ValueError):
    """Clips that no recogniser can be learnt from; the message says what is missing."""


def svm() -> Pipeline:
    """Return `StandardScaler` + `SVC` (RBF kernel, C = 1), both fitted anew by every ``fit``.

    Labels should be class numbers: `SVC` breaks ties of its one-against-one votes by the order of the classes, so the
    order is part of the result (eGeMAPS on EmoDB, speakers left out: UAR 0.6570 in EmoDB's own order, 0.6521
    alphabetically).
    """
    return make_pipeline(StandardScaler(), SVC())


@dataclass(frozen=True)
class _Machine:
    """What `SVC` learns: support vectors, and one weighting of them for every pair of classes.

    ``rows`` (s,) are those of the clips that it was fitted to, ``weights`` (s, n_pairs), ``intercepts`` (n_pairs,).
    """

    rows: Rows
    weights: Floats
    intercepts: Floats

    def decisions(self, kernel: Floats) -> Floats:
        """Return the decision value of every pair of classes, (m, n_pairs), as `SVC` does: above 0 for the first.

        ``kernel`` (m, s) is that of clips with the support vectors. Where there is one pair, above 0 is for the second.
        """
        return kernel @ self.weights + self.intercepts


@dataclass(frozen=True)
class Recogniser:
    """A fitted `svm` of E classes with calibrated probabilities, as plain arrays; made by `recogniser`.

    ``centre`` and ``spread`` (dim,) standardise (``spread`` is inf where a dimension was constant: it tells nothing),
    ``support`` (s, dim) are the standardised support vectors. ``slopes`` and ``offsets`` (n_pairs,) make probabilities
    of the decision values of each pair (`ser_core.models.calibration.platt`), which `couple` joins.
    """

    machine: _Machine
    centre: Floats
    spread: Floats
    support: Floats
    slopes: Floats
    offsets: Floats

    def probabilities(self, x: NDArray[np.floating]) -> Floats:
        """Return the probability of each class for vectors of shape (m, dim): (m, E), rows sum to 1.

        A vector that is not finite has no probabilities (NaN).
        """
        z = (x.astype(np.float64) - self.centre) / self.spread
        own, others = np.square(z).sum(axis=1), np.square(self.support).sum(axis=1)
        kernel = _kernel(z @ self.support.T, own, others, self.spread)
        of_pairs = expit(-(self.slopes * self.machine.decisions(kernel) + self.offsets))
        return couple(1 - of_pairs if of_pairs.shape[1] == 1 else of_pairs)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs beside the vectors that it was learnt from."""
        own = {name: getattr(self, name) for name in ("centre", "spread", "slopes", "offsets")}
        return own | {name: getattr(self.machine, name) for name in ("rows", "weights", "intercepts")}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], x: NDArray[np.floating]) -> "Recogniser":
        """Return the recogniser that had these `arrays`, learnt from vectors ``x`` (n, dim)."""
        machine = _Machine(arrays["rows"], arrays["weights"], arrays["intercepts"])
        centre, spread = arrays["centre"], arrays["spread"]
        support = (x[machine.rows].astype(np.float64) - centre) / spread
        return cls(machine, centre, spread, support, arrays["slopes"], arrays["offsets"])


def recogniser(x: NDArray[np.floating], y: Rows, groups: NDArray[Any]) -> Recogniser:
    """Learn an `svm` from all clips, and its probabilities from decision values of clips by speakers left out.

    Each pair of classes has its own sigmoid, and `couple` joins them, as ``SVC(probability=True)`` does, which mixes
    speakers. Sigmoids of one class against the rest (scikit-learn's ``CalibratedClassifierCV``) say too little: the
    votes that they start from know few values (EmoDB with eGeMAPS: calibration error 0.12 instead of 0.05). The kernel
    is made from one product of matrices and given to `SVC` ready: the same numbers, and the only way that is fast with
    thousands of dimensions.

    Parameters
    ----------
    x
        Shape (n, dim).
    y
        Class numbers 0 to E - 1, shape (n,), each of them there.
    groups
        Who speaks, shape (n,).

    Raises
    ------
    ModelError
        If there are fewer than two classes, or none with two clips.
    """
    n_classes = len(np.unique(y))
    if n_classes < 2 or y.max() >= n_classes:
        raise ModelError(f"a recogniser needs two emotions or more, numbered from 0; found {np.unique(y).tolist()}")
    tested, values = [], []
    for train, test in calibration_folds(y, groups):
        machine, _, _, kernel = _fit(x, y, train)
        tested.append(test)
        values.append(machine.decisions(kernel[np.ix_(test, train[machine.rows])]))
    if not tested:
        raise ModelError(f"{len(y)} clips of {n_classes} emotions, no two of one emotion: nothing is left to calibrate")
    truth, decisions = y[np.concatenate(tested)], np.concatenate(values)
    fitted = np.empty((decisions.shape[1], 2))
    for pair, (first, second) in enumerate(combinations(range(n_classes), 2)):
        rows = (truth == first) | (truth == second)
        yes = first if n_classes > 2 else second
        fitted[pair] = platt(decisions[rows, pair], truth[rows] == yes)
    machine, centre, spread, _ = _fit(x, y, np.arange(len(y)))
    support = (x[machine.rows].astype(np.float64) - centre) / spread
    return Recogniser(machine, centre, spread, support, fitted[:, 0], fitted[:, 1])


def couple(shares: Floats) -> Floats:
    """Return the probabilities (m, E) of classes from those of the first class of every pair, (m, n_pairs).

    The ones that least contradict the pairs: p minimising the sum over pairs of (r_ji p_i - r_ij p_j)^2 (Wu, Lin & Weng
    2004, J. Machine Learning Research 5, 975-1005, eq. 21).

    Examples
    --------
    >>> couple(np.array([[0.5, 0.5, 0.5]])).round(3)
    array([[0.333, 0.333, 0.333]])
    """
    n_classes = round((1 + np.sqrt(1 + 8 * shares.shape[1])) / 2)
    first, second = np.array(list(combinations(range(n_classes), 2))).T
    wins = np.zeros((len(shares), n_classes, n_classes))
    wins[:, first, second] = np.clip(shares, SURE, 1 - SURE)
    wins[:, second, first] = 1 - wins[:, first, second]
    system = np.ones((len(shares), n_classes + 1, n_classes + 1))
    system[:, :-1, :-1] = -wins * wins.swapaxes(1, 2)
    diagonal = np.arange(n_classes)
    system[:, diagonal, diagonal] = np.square(wins).sum(axis=1)
    system[:, -1, -1] = 0  # the last row says that they sum to 1
    found = np.linalg.solve(system, np.eye(n_classes + 1)[:, -1:])[:, :-1, 0].astype(np.float64)
    found = np.maximum(found, 0)
    return found / found.sum(axis=1, keepdims=True)


def calibration_folds(y: Rows, groups: NDArray[Any]) -> list[tuple[Rows, Rows]]:
    """Return rows to learn from and rows to calibrate on, in up to five parts that keep each speaker together.

    A part without which an emotion would be missing is not calibrated on. Where that is so of every part, as with one
    speaker, clips are dealt out one by one instead, whoever speaks them: probabilities are then too sure.
    """
    names, sizes = np.unique(groups, return_counts=True)
    part_of, loads = np.empty(len(names), np.intp), np.zeros(min(PARTS, len(names)))
    for name in np.argsort(-sizes, kind="stable"):  # the largest first, each into the part that is smallest so far
        part_of[name] = loads.argmin()
        loads[part_of[name]] += sizes[name]
    by_speaker = part_of[np.searchsorted(names, groups)]
    dealt = np.empty(len(y), np.intp)
    for one in np.unique(y):
        dealt[y == one] = np.arange((y == one).sum()) % PARTS
    return list(_complete(y, by_speaker)) or list(_complete(y, dealt))


def _complete(y: Rows, part: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yield the parts that leave every class to learn from."""
    for number in np.unique(part):
        train, test = np.flatnonzero(part != number), np.flatnonzero(part == number)
        if len(np.unique(y[train])) == len(np.unique(y)):
            yield train, test


def _fit(x: NDArray[np.floating], y: Rows, train: Rows) -> tuple[_Machine, Floats, Floats, Floats]:
    """Fit scaler and machine to some of the clips; return them, and the kernel (n, n) between all."""
    centre, spread, products = _standardised(x, train)
    squares = np.diag(products).copy()
    kernel = _kernel(products, squares, squares, spread)
    fitted = SVC(kernel="precomputed").fit(kernel[np.ix_(train, train)], y[train])
    dual, intercepts = np.asarray(fitted.dual_coef_, np.float64), np.asarray(fitted.intercept_, np.float64)
    classes = np.repeat(np.arange(len(fitted.n_support_)), fitted.n_support_)
    weights = np.zeros((len(classes), len(intercepts)))
    for pair, (a, b) in enumerate(combinations(range(len(fitted.n_support_)), 2)):
        weights[classes == a, pair] = dual[b - 1, classes == a]  # as libsvm keeps them
        weights[classes == b, pair] = dual[a, classes == b]
    return _Machine(fitted.support_.astype(np.intp), weights, intercepts), centre, spread, kernel


def _standardised(x: NDArray[np.floating], train: Rows) -> tuple[Floats, Floats, Floats]:
    """Return means and deviations of some of the clips, and the products (n, n) of all after standardising by them."""
    centre, spread = np.empty(x.shape[1]), np.empty(x.shape[1])
    products = np.zeros((len(x), len(x)))
    for start in range(0, x.shape[1], COLUMNS):
        columns = slice(start, start + COLUMNS)
        part = x[:, columns].astype(np.float64)
        taught = part[train]
        centre[columns], deviation = taught.mean(axis=0), taught.std(axis=0)
        varies = deviation > 1e-12 * (1 + np.abs(taught).max(axis=0))
        spread[columns] = np.where(varies, deviation, np.inf)
        part -= centre[columns]
        part /= spread[columns]
        products += part @ part.T
    return centre, spread, products


def _kernel(products: Floats, squares: Floats, other_squares: Floats, spread: Floats) -> Floats:
    """Make inner products the RBF kernel, in place; its width, `SVC`'s "scale", is 1 / (dimensions that vary)."""
    products *= -2
    products += squares[:, None]
    products += other_squares
    np.maximum(products, 0, out=products)
    products /= -max(np.isfinite(spread).sum(), 1)
    return np.exp(products, out=products)
