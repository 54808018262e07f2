"""The plain baseline of the field: standardise, then a support vector machine; and the same with probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ser_core.errors import SerError
from ser_core.models.calibration import couple, platt, votes
from ser_core.models.inputs import Inputs
from ser_core.splits import Fold, inner

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Kernel = Literal["rbf", "linear"]
COLUMNS: Final = 512
"""Dimensions that are standardised at once: the products of 1,440 clips of 6,373 values take 20 MB, not 150."""


class ModelError(SerError, ValueError):
    """Clips that no recogniser can be learnt from; the message says what is missing."""


def svm() -> "Pipeline":
    """Return `StandardScaler` + `SVC` (RBF kernel, C = 1), both fitted anew by every ``fit``.

    Labels should be class numbers: `SVC` breaks ties of its one-against-one votes by the order of the classes, so the
    order is part of the result (eGeMAPS on EmoDB, speakers left out: UAR 0.6570 in EmoDB's own order, 0.6521
    alphabetically).
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

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
    kernel: Kernel = "rbf"

    def probabilities(self, x: NDArray[np.floating]) -> Floats:
        """Return the probability of each class for vectors of shape (m, dim): (m, E), rows sum to 1.

        A vector that is not finite has no probabilities (NaN).
        """
        of_pairs = expit(-(self.slopes * self._decisions(x) + self.offsets))
        return couple(1 - of_pairs if of_pairs.shape[1] == 1 else of_pairs)

    def votes(self, x: NDArray[np.floating]) -> Rows:
        """Return the class that wins most pairs, (m,), of those that tie the first: what ``SVC.predict`` says.

        The most probable class is another one for 5 to 9 clips in 100.
        """
        return votes(self._decisions(x))

    def kernel_with(self, x: NDArray[np.floating], columns: Rows | slice = slice(None)) -> Floats:
        """Return the kernel (m, s) of vectors (m, dim) with the support vectors, as some of their columns make it.

        That of all columns is the sum (``linear``) or the product (``rbf``) of what the parts make.
        """
        z = (x[:, columns].astype(np.float64) - self.centre[columns]) / self.spread[columns]
        support = self.support[:, columns]
        products = z @ support.T
        if self.kernel == "linear":
            return products
        return _rbf(products, np.square(z).sum(axis=1), np.square(support).sum(axis=1), self.spread)

    def _decisions(self, x: NDArray[np.floating]) -> Floats:
        return self.machine.decisions(self.kernel_with(x))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs beside the vectors that it was learnt from."""
        own = {name: getattr(self, name) for name in ("centre", "spread", "slopes", "offsets")}
        return own | {name: getattr(self.machine, name) for name in ("rows", "weights", "intercepts")}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], x: NDArray[np.floating], *, kernel: Kernel = "rbf") -> "Recogniser":
        """Return the recogniser of this ``kernel`` that had these `arrays`, learnt from vectors ``x`` (n, dim)."""
        machine = _Machine(arrays["rows"], arrays["weights"], arrays["intercepts"])
        centre, spread = arrays["centre"], arrays["spread"]
        support = (x[machine.rows].astype(np.float64) - centre) / spread
        return cls(machine, centre, spread, support, arrays["slopes"], arrays["offsets"], kernel)


def recogniser(
    x: NDArray[np.floating], y: Rows, groups: NDArray[Any] | None, *, kernel: Kernel = "rbf", c: float = 1.0
) -> Recogniser:
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
        Who speaks, shape (n,); None calibrates on clips of speakers who are learnt from as well (`splits.inner`).
    kernel
        Of inner products of standardised vectors (``linear``), or of their distances (``rbf``, the width of `SVC`).
    c
        Cost of a clip on the wrong side.

    Raises
    ------
    ModelError
        If there are fewer than two classes, or none with two clips.
    """
    n = len(np.unique(y))
    if n < 2 or y.max() >= n:
        raise ModelError(f"a recogniser needs two emotions or more, numbered from 0; found {np.unique(y).tolist()}")
    tested, values = [], []
    for part in inner(y, groups):
        machine, _, _, products = _fit(x, y, part.train, kernel, c)
        tested.append(part.test)
        values.append(machine.decisions(products[np.ix_(part.test, part.train[machine.rows])]))
    if not tested:
        raise ModelError(f"{len(y)} clips of {n} emotions, no two of one emotion: nothing is left to calibrate")
    truth, decisions = y[np.concatenate(tested)], np.concatenate(values)
    fitted = np.empty((decisions.shape[1], 2))
    for pair, (first, second) in enumerate(combinations(range(n), 2)):
        rows = (truth == first) | (truth == second)
        yes = first if n > 2 else second
        fitted[pair] = platt(decisions[rows, pair], truth[rows] == yes)
    machine, centre, spread, _ = _fit(x, y, np.arange(len(y)), kernel, c)
    support = (x[machine.rows].astype(np.float64) - centre) / spread
    return Recogniser(machine, centre, spread, support, fitted[:, 0], fitted[:, 1], kernel)


@dataclass(frozen=True)
class Svm:
    """A recogniser as a model among others: ``present`` are the class numbers that it was taught, ``classes`` all."""

    recogniser: Recogniser
    present: Rows
    classes: tuple[str, ...]

    @property
    def n_parameters(self) -> int:
        """Numbers that decide: a weight per value and an intercept per pair, or support vectors with their weights."""
        learnt, machine = self.recogniser, self.recogniser.machine
        weights = 0 if learnt.kernel == "linear" else int(np.count_nonzero(machine.weights))
        return learnt.support.size + weights + len(machine.intercepts)

    def probabilities(self, inputs: Inputs) -> Floats:
        """Return the calibrated probability of each class, (n, E); 0 for a class that was not taught."""
        shares = np.zeros((len(inputs), len(self.classes)))
        shares[:, self.present] = self.recogniser.probabilities(vectors(inputs))
        return shares

    def predicted(self, inputs: Inputs) -> Rows:
        """Return the class numbers that `Recogniser.votes` names, (n,)."""
        return self.present[self.recogniser.votes(vectors(inputs))]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs."""
        own = {"support": self.recogniser.support, "present": self.present}
        own |= self.recogniser.arrays() | {"linear": np.array([self.recogniser.kernel == "linear"])}
        return {name: np.ascontiguousarray(value) for name, value in own.items()}  # safetensors takes no other

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> "Svm":
        """Return the model that had these `arrays`."""
        machine = _Machine(arrays["rows"], arrays["weights"], arrays["intercepts"])
        standard = (arrays[name] for name in ("centre", "spread", "support", "slopes", "offsets"))
        kernel: Kernel = "linear" if arrays["linear"][0] else "rbf"
        return cls(Recogniser(machine, *standard, kernel=kernel), arrays["present"], tuple(classes))


def fit(
    inputs: Inputs,
    y: Rows,
    fold: Fold,
    *,
    classes: Sequence[str],
    groups: NDArray[Any] | None,
    kernel: Kernel,
    c: float,
) -> Svm:
    """Learn a `recogniser` from the training part.

    Parameters
    ----------
    y, classes
        Class numbers of all clips, (n,), and the emotions that they stand for.
    groups
        Who speaks, (n,); None where training and test share speakers.

    Raises
    ------
    ModelError
        As `recogniser`, or if the clips have no vectors.
    """
    present, member = np.unique(y[fold.train], return_inverse=True)
    own = None if groups is None else groups[fold.train]
    learnt = recogniser(vectors(inputs)[fold.train], member, own, kernel=kernel, c=c)
    if kernel == "linear":  # the same decisions from one vector a pair: of a thousand support vectors, 28 are left
        machine = learnt.machine
        merged = replace(machine, rows=machine.rows[:0], weights=np.eye(len(machine.intercepts)))
        learnt = replace(learnt, machine=merged, support=machine.weights.T @ learnt.support)
    return Svm(learnt, present, tuple(classes))


def vectors(inputs: Inputs) -> NDArray[np.float32]:
    """Return the vectors of clips, (n, dim); raises `ModelError` where there are none."""
    if inputs.vectors is None:
        raise ModelError("this model is learnt from vectors, and was given pictures: name an encoder of vectors")
    return inputs.vectors


def _fit(
    x: NDArray[np.floating], y: Rows, train: Rows, kernel: Kernel, c: float
) -> tuple[_Machine, Floats, Floats, Floats]:
    """Fit scaler and machine to some of the clips; return them, and the kernel (n, n) between all."""
    from sklearn.svm import SVC

    centre, spread, products = _standardised(x, train)
    if kernel == "rbf":
        squares = np.diag(products).copy()
        products = _rbf(products, squares, squares, spread)
    fitted = SVC(kernel="precomputed", C=c).fit(products[np.ix_(train, train)], y[train])
    dual, intercepts = np.asarray(fitted.dual_coef_, np.float64), np.asarray(fitted.intercept_, np.float64)
    classes = np.repeat(np.arange(len(fitted.n_support_)), fitted.n_support_)
    weights = np.zeros((len(classes), len(intercepts)))
    for pair, (a, b) in enumerate(combinations(range(len(fitted.n_support_)), 2)):
        weights[classes == a, pair] = dual[b - 1, classes == a]  # as libsvm keeps them
        weights[classes == b, pair] = dual[a, classes == b]
    return _Machine(fitted.support_.astype(np.intp), weights, intercepts), centre, spread, products


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


def _rbf(products: Floats, squares: Floats, other_squares: Floats, spread: Floats) -> Floats:
    """Make inner products the RBF kernel, in place; its width, `SVC`'s "scale", is 1 / (dimensions that vary)."""
    products *= -2
    products += squares[:, None]
    products += other_squares
    np.maximum(products, 0, out=products)
    products /= -max(np.isfinite(spread).sum(), 1)
    return np.exp(products, out=products)
