"""What fitted models say of clips that have some of their values from each other: exactly that, but sooner.

Asked again for every order of the values, a model would go each time through the values that stayed where they were.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ser_core.models.calibration import votes
from ser_core.models.forest import Forest
from ser_core.models.inputs import Inputs
from ser_core.models.ridge import Ridge
from ser_core.models.svm import Svm, vectors

Rows = NDArray[np.intp]
Say = Callable[[Rows, Rows], Rows]
"""Takes columns (k,) and orders (repeats, n), returns class numbers (repeats, n): in each repeat, clip i has these
columns of clip ``order[i]``, and all others of its own."""


class Fitted(Protocol):
    """What is asked of a fitted model."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions."""
        ...

    def predicted(self, inputs: Inputs) -> Rows:
        """Return the class number of each clip, (n,)."""
        ...


def shuffled(fitted: Fitted, inputs: Inputs) -> Say:
    """Return what a model says of n clips with any of their columns in any orders.

    Raises
    ------
    ModelError
        If the clips have no vectors.
    """
    if isinstance(fitted, Svm):
        return _svm(fitted, vectors(inputs))
    if isinstance(fitted, Forest):
        return _forest(fitted, vectors(fitted.scaling.apply(inputs)))
    if isinstance(fitted, Ridge):
        return _ridge(fitted, vectors(fitted.scaling.apply(inputs)))
    x = vectors(inputs)

    def say(columns: Rows, orders: Rows) -> Rows:
        moved = (replace(inputs, vectors=_moved(x, columns, order)) for order in orders)
        return np.stack([fitted.predicted(one) for one in moved])

    return say


def _svm(fitted: Svm, x: NDArray[np.float32]) -> Say:
    """Join the kernel of the columns that move, in each order, with that of the others."""
    learnt = fitted.recogniser
    join = np.add if learnt.kernel == "linear" else np.multiply

    def say(columns: Rows, orders: Rows) -> Rows:
        stay = np.setdiff1d(np.arange(x.shape[1]), columns)
        moving, staying = learnt.kernel_with(x, columns), learnt.kernel_with(x, stay)
        joined, decisions = np.empty_like(staying), []
        for order in orders:
            np.take(moving, order, axis=0, out=joined, mode="clip")  # "raise" would copy
            decisions.append(learnt.machine.decisions(join(joined, staying, out=joined)))
        return fitted.present[votes(np.concatenate(decisions))].reshape(orders.shape)

    return say


def _forest(fitted: Forest, x: NDArray[np.float32]) -> Say:
    """Go down the trees up to the first node that asks for a column that moves, and on from there in each order."""
    n, n_trees = len(x), len(fitted.roots)
    clip, roots = np.repeat(np.arange(n), n_trees), np.tile(fitted.roots, n)
    shares = fitted.shares()

    def say(columns: Rows, orders: Rows) -> Rows:
        asks = np.isin(fitted.feature, columns) & ~fitted.leaves
        first = fitted.down(x, clip, roots, until=asks | fitted.leaves)
        on = np.flatnonzero(asks[first])
        said = np.empty(orders.shape, np.intp)
        for repeat, order in enumerate(orders):
            node = first.copy()
            node[on] = fitted.down(_moved(x, columns, order), clip[on], first[on], until=fitted.leaves)
            said[repeat] = shares[node].reshape(n, n_trees, -1).mean(axis=1).argmax(axis=1)
        return said

    return say


def _ridge(fitted: Ridge, x: NDArray[np.float32]) -> Say:
    """Add what the columns that move bring to the scores, in each order, to what the others bring."""

    def say(columns: Rows, orders: Rows) -> Rows:
        stay = np.setdiff1d(np.arange(x.shape[1]), columns)
        moving, staying = (x[:, part] @ fitted.weights[part] for part in (columns, stay))
        return fitted.present[(moving[orders] + staying + fitted.intercepts).argmax(axis=2)]

    return say


def _moved(x: NDArray[np.float32], columns: Rows, order: Rows) -> NDArray[np.float32]:
    out = x.copy()
    out[:, columns] = x[np.ix_(order, columns)]
    return out
