"""Regularised least squares on thousands of values: a linear classifier that is chosen on speakers left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from ser_core import scores
from ser_core.models.inputs import Inputs, Scaling, learn
from ser_core.models.svm import ModelError, vectors
from ser_core.splits import Fold, inner

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
PENALTIES: Final = (0.03, 0.1, 0.3, 1.0, 3.0)
"""What is chosen from: the penalty of the weights, in mean squared lengths of a training clip."""
SHARPEST: Final = 1e3
"""The factor of the scores is looked for between 1 / so much and so much."""
SCALING: Final = "scaling."
"""Before the names of the scaling's arrays."""


@dataclass(frozen=True)
class Ridge:
    """A fitted classifier; made by `fit`.

    Attributes
    ----------
    weights, intercepts
        Shapes (dim, E) and (E,): scores of scaled vectors, of which the highest wins.
    sharpness
        Factor of the scores under the softmax that makes probabilities of them.
    penalty
        The one of `PENALTIES` that was best.
    scaling
        Learnt from the training clips.
    present
        Class numbers that were taught, (E,).
    classes
        All emotions.
    """

    weights: Floats
    intercepts: Floats
    sharpness: float
    penalty: float
    scaling: Scaling
    present: Rows
    classes: tuple[str, ...]

    @property
    def n_parameters(self) -> int:
        """Weights and intercepts."""
        return self.weights.size + self.intercepts.size

    def probabilities(self, inputs: Inputs) -> Floats:
        """Return the probability of each class, (n, number of classes); 0 for one that was not taught."""
        shares = np.zeros((len(inputs), len(self.classes)))
        told = self.sharpness * self._scores(inputs)
        shares[:, self.present] = softmax(told, axis=1)
        return shares

    def predicted(self, inputs: Inputs) -> Rows:
        """Return the class number of the highest score, (n,)."""
        return self.present[self._scores(inputs).argmax(axis=1)]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs."""
        own = {name: np.atleast_1d(getattr(self, name)) for name in ("sharpness", "penalty")}
        own |= {name: getattr(self, name) for name in ("weights", "intercepts", "present")}
        return own | {SCALING + name: value for name, value in self.scaling.arrays().items()}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> "Ridge":
        """Return the classifier that had these `arrays`."""
        scaling = {name.removeprefix(SCALING): value for name, value in arrays.items() if name.startswith(SCALING)}
        sharpness, penalty = (float(arrays[name][0]) for name in ("sharpness", "penalty"))
        return cls(
            arrays["weights"],
            arrays["intercepts"],
            sharpness,
            penalty,
            Scaling.of(scaling),
            arrays["present"],
            tuple(classes),
        )

    def _scores(self, inputs: Inputs) -> Floats:
        return vectors(self.scaling.apply(inputs)) @ self.weights + self.intercepts


def fit(
    inputs: Inputs,
    y: Rows,
    fold: Fold,
    *,
    classes: Sequence[str],
    groups: NDArray[Any] | None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Ridge:
    """Regress each class (1 for its clips, 0 for others) on the training vectors, with a penalty chosen among them.

    scikit-learn's `KernelRidge` on inner products, as there are more values than clips. The penalty with the best UAR
    on parts of the training clips wins, and the probabilities are made likeliest on the same (temperature scaling, Guo
    et al. 2017); each part is told by what was learnt, scaling included, from the other parts.

    Parameters
    ----------
    y, classes
        Class numbers of all clips, (n,), and the emotions that they stand for.
    groups
        Who speaks, (n,): the parts then keep speakers together (`ser_core.splits.inner`). None where training and test
        share speakers.
    progress
        Called with parts done and how many there are, the last being all training clips.

    Raises
    ------
    ModelError
        If the training part has one emotion only, or no emotion twice, or the clips have no vectors.
    """
    taught, own = inputs.take(fold.train), y[fold.train]
    present, member = np.unique(own, return_inverse=True)
    parts = inner(own, None if groups is None else groups[fold.train])
    if len(present) < 2 or not parts:
        found = ", ".join(classes[int(number)] for number in present)
        raise ModelError(f"least squares need two emotions or more, and two clips of one; found {len(own)} of {found}")
    held: dict[float, list[Floats]] = {penalty: [] for penalty in PENALTIES}
    for number, part in enumerate(parts):
        progress(number, len(parts) + 1)
        z = vectors(learn(taught, part.train, vectors="standard").apply(taught)).astype(np.float64)
        products = z @ z.T
        among, beside = products[np.ix_(part.train, part.train)], products[np.ix_(part.test, part.train)]
        for penalty in PENALTIES:
            dual, mean = _solved(among, member[part.train], penalty)
            held[penalty].append(beside @ dual + mean)
    truth = member[np.concatenate([part.test for part in parts])]
    told = {penalty: np.concatenate(found) for penalty, found in held.items()}
    uars = {penalty: _uar(truth, found.argmax(axis=1), len(present)) for penalty, found in told.items()}
    penalty = max(PENALTIES, key=lambda one: (uars[one], one))
    progress(len(parts), len(parts) + 1)
    scaling = learn(taught, np.arange(len(own)), vectors="standard")
    z = vectors(scaling.apply(taught)).astype(np.float64)
    dual, mean = _solved(z @ z.T, member, penalty)
    return Ridge(z.T @ dual, mean, _sharpness(told[penalty], truth), penalty, scaling, present, tuple(classes))


def _solved(products: Floats, y: Rows, penalty: float) -> tuple[Floats, Floats]:
    """Return weights of the clips (n, E) and intercepts (E,) of the scores, from their products (n, n)."""
    from sklearn.kernel_ridge import KernelRidge

    target = np.eye(y.max() + 1)[y]
    mean = target.mean(axis=0)
    model = KernelRidge(alpha=penalty * np.trace(products) / len(products), kernel="precomputed")
    return np.asarray(model.fit(products, target - mean).dual_coef_, np.float64), mean


def _uar(truth: Rows, predicted: Rows, n_classes: int) -> float:
    return scores.uar(scores.confusion(truth, predicted, n_classes=n_classes))


def _sharpness(told: Floats, truth: Rows) -> float:
    """Return the factor of the scores (n, E) that makes the true classes likeliest."""
    rows = np.arange(len(truth))
    limit = np.log(SHARPEST)
    found = minimize_scalar(
        lambda power: -log_softmax(np.exp(power) * told, axis=1)[rows, truth].mean(),
        bounds=(-limit, limit),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(np.exp(found.x))
