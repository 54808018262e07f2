"""Ridge regression on several targets at once, its penalty chosen on training speakers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SHARES: Final = np.logspace(-6, 0, 13)
"""Penalties that are tried, as shares of the sum of squares of all values: the units of a feature do not matter."""
INNER_FOLDS: Final = 5
"""Parts that the training speakers are divided into, to choose the penalty (fewer where there are fewer speakers)."""
INNER_SEED: Final = 0
"""Of the division of clips where there is one speaker only."""


@dataclass(frozen=True)
class Ridge:
    """``x @ weights + offset``: weights of shape (dim, n_targets), offset (n_targets,), and the penalty behind them."""

    weights: NDArray[np.float64]
    offset: NDArray[np.float64]
    alpha: float


def fit(
    x: NDArray[np.float64], y: NDArray[np.float64], groups: Sequence[str], *, alphas: NDArray[np.float64] | None = None
) -> Ridge:
    """Fit ridge regression with one penalty for all targets (Hoerl & Kennard 1970, Technometrics 12).

    Solved through the smaller of the two matrices of products (Hastie, Tibshirani & Friedman 2009, *The Elements of
    Statistical Learning*, section 18.3.5). The penalty is the one with the smallest mean squared error when up to five
    groups of speakers are left out in turn (scikit-learn's GroupKFold; seeded parts of the clips where there is one
    speaker). The intercept is not penalised.

    Parameters
    ----------
    x
        Shape (n_clips, dim), scaled; two clips or more.
    y
        Shape (n_clips, n_targets), finite.
    groups
        The speaker of each clip.
    alphas
        Penalties to choose from, all above 0; `SHARES` of the sum of squares if not given.
    """
    mean, level = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean, y - level
    total = np.square(x).sum() or 1.0  # nothing varies: any penalty gives no weight
    tried = SHARES * total if alphas is None else alphas
    dual = len(x) < x.shape[1]
    products, errors = x @ x.T if dual else x.T @ x, []
    for train, test in _parts(groups):
        error = _dual_errors(products, y, train, test, tried) if dual else _errors(x, y, train, test, tried)
        errors.append(error)
    best = tried[[np.mean(errors, axis=0).argmin()]]
    weights = x.T @ _solve(products, y, best)[0] if dual else _solve(products, x.T @ y, best)[0]
    return Ridge(weights, level - mean @ weights, float(best[0]))


def _parts(groups: Sequence[str]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to fit on and rows to judge the penalty on."""
    from sklearn.model_selection import GroupKFold, KFold

    n_groups, blank = len(set(groups)), np.empty(len(groups))
    if n_groups > 1:
        return list(GroupKFold(min(INNER_FOLDS, n_groups)).split(blank, groups=np.asarray(groups)))
    return list(KFold(min(INNER_FOLDS, len(groups)), shuffle=True, random_state=INNER_SEED).split(blank))


def _solve(products: NDArray[np.float64], y: NDArray[np.float64], alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    """(products + alpha)^-1 y, shape (n_alphas, size, n_targets): one eigendecomposition serves all penalties."""
    values, vectors = np.linalg.eigh(products)
    shrunk = (vectors.T @ y)[:, None, :] / (np.maximum(values, 0)[:, None] + alphas)[:, :, None]
    return (vectors @ shrunk.reshape(len(vectors), -1)).reshape(shrunk.shape).transpose(1, 0, 2)


def _errors(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    alphas: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Mean squared error on the test rows, for each penalty."""
    mean, level = x[train].mean(axis=0), y[train].mean(axis=0)
    centred = x[train] - mean
    weights = _solve(centred.T @ centred, centred.T @ (y[train] - level), alphas)
    return np.square((x[test] - mean) @ weights + level - y[test]).mean(axis=(1, 2))


def _dual_errors(
    products: NDArray[np.float64],
    y: NDArray[np.float64],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    alphas: NDArray[np.float64],
) -> NDArray[np.float64]:
    """`_errors` from the products between clips alone (centred as in Schoelkopf et al. 1998, Neural Computation 10)."""
    within, across = products[np.ix_(train, train)], products[np.ix_(test, train)]
    column, level = within.mean(axis=0), y[train].mean(axis=0)
    across = across - column  # the other terms of centring meet coefficients that add up to 0
    within = within - column - column[:, None] + column.mean()
    solved = _solve(within, y[train] - level, alphas)
    return np.square(across @ solved + level - y[test]).mean(axis=(1, 2))
