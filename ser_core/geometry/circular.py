"""Statistics on a circle: do two series of angles agree, and do distances follow a circular order.

Angles are in degrees.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser_core.geometry.russell import CircumplexError, wrap

ROUNDING: Final = 1e-9
"""Sines as small as this are rounding: all angles are equal or opposite."""
FEWEST: Final = 4
MOST: Final = 9
"""Emotions that `order_test` takes: three have one order only, ten have 181,440."""


@dataclass(frozen=True)
class OrderTest:
    """How many order predictions of a circle distances meet, and the share ``p`` of circles that do at least as well.

    ``index`` is Hubert & Arabie's correspondence index, (met - violated) / n_predictions, -1 to 1. ``p`` counts the
    tested order among the ``n_orders`` distinct circular ones, so it is never below 1 / n_orders.
    """

    index: float
    p: float
    n_predictions: int
    met: int
    violated: int
    tied: int
    n_orders: int


def circular_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Return the correlation, -1 to 1, of two series of angles in degrees, shape (k,) each.

    Fisher & Lee 1983, Biometrika 70, 327-332. Turning either changes nothing, mirroring one changes the sign. NaN if
    all angles of one are equal or opposite.

    Raises
    ------
    CircumplexError
        If the lengths differ or are below 2.

    Examples
    --------
    >>> round(circular_correlation([350, 20, 80], [10, 40, 100]), 9)
    1.0
    """
    first, second = _two(a, b, fewest=2)
    i, j = np.triu_indices(len(first), 1)
    of_a, of_b = (np.sin(np.radians(x[i] - x[j])) for x in (first, second))
    size = np.sqrt((of_a @ of_a) * (of_b @ of_b))
    return float(of_a @ of_b / size) if size > ROUNDING else np.nan


def order_agreement(a: ArrayLike, b: ArrayLike) -> float:
    """Return how far two series of angles (degrees, shape (k,) each) have the same circular order, -1 to 1.

    The circular analogue of Kendall's tau (Fisher & Lee 1982, Biometrika 69): the share of triples that run round the
    same way less the share that run the other way; a triple with two equal angles counts for neither.

    Raises
    ------
    CircumplexError
        If the lengths differ or are below 3.

    Examples
    --------
    >>> order_agreement([350, 20, 80, 200], [0, 1, 2, 3]), order_agreement([350, 20, 80], [2, 1, 0])
    (1.0, -1.0)
    """
    first, second = _two(a, b, fewest=3)
    i, j, k = np.array(list(itertools.combinations(range(len(first)), 3))).T
    of_a, of_b = (np.sign(x[j] - x[i]) * np.sign(x[k] - x[j]) * np.sign(x[i] - x[k]) for x in (first, second))
    return float((of_a * of_b).mean())


def order_test(distances: NDArray[np.floating], order: Sequence[int]) -> OrderTest:
    """Test whether distances follow a circular order, by all the orders there are.

    Hubert & Arabie's randomisation test (1987, Psychological Bulletin 102) as Rounds, Tracey & Hubert (1992, Journal of
    Vocational Behavior 40) use it for circles: of every two pairs that lie unequally many steps apart on the circle,
    the closer pair is predicted to have the smaller distance. All (k-1)!/2 distinct orders are counted through.

    Parameters
    ----------
    distances
        Shape (k, k), symmetric, k from 4 to 9; what is closer is smaller.
    order
        The circle tested: each of 0..k-1 once, neighbours beside each other.

    Raises
    ------
    CircumplexError
        If k is outside 4-9, distances are not symmetric and finite, or the order does not hold each once.

    Examples
    --------
    >>> round_table = np.array([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])
    >>> test = order_test(round_table, [0, 1, 2, 3])
    >>> test.index, test.n_predictions, test.n_orders, round(test.p, 3)
    (1.0, 8, 3, 0.333)
    """
    k = len(distances)
    if not FEWEST <= k <= MOST:
        raise CircumplexError(f"{k} emotions: the order of a circle is tested with {FEWEST} to {MOST}")
    if distances.shape != (k, k) or not np.isfinite(distances).all() or not np.allclose(distances, distances.T):
        raise CircumplexError(f"distances of shape {distances.shape}: expected a symmetric table of finite numbers")
    if sorted(order) != list(range(k)):
        raise CircumplexError(f"order {list(order)}: expected each of 0 to {k - 1} once")
    # one start and one of two directions for each circle; the tested order comes first
    orders = np.array([(0, *rest) for rest in itertools.permutations(range(1, k)) if rest[0] < rest[-1]])
    met, violated, n_predictions = _predictions(distances, np.asarray(order)[orders])
    first, against = int(met[0]), int(violated[0])
    return OrderTest(
        index=(first - against) / n_predictions,
        p=float((met >= first).mean()),
        n_predictions=n_predictions,
        met=first,
        violated=against,
        tied=n_predictions - first - against,
        n_orders=len(orders),
    )


def _two(a: ArrayLike, b: ArrayLike, *, fewest: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check two series of angles, and bring them into 0-360."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 1 or first.shape != second.shape or len(first) < fewest:
        raise CircumplexError(
            f"angles of shapes {first.shape} and {second.shape}: expected two equally long series of {fewest} or more"
        )
    return wrap(first), wrap(second)


def _predictions(
    distances: NDArray[np.floating], orders: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Count the predictions that each order, a row of shape (k,), meets and violates, and how many there are."""
    k = orders.shape[1]
    first, second = np.triu_indices(k, 1)
    steps = np.minimum(second - first, k - (second - first))
    a, b = orders[:, first], orders[:, second]
    between = distances[np.minimum(a, b), np.maximum(a, b)]  # one of the two equal halves: no rounding between them
    by_steps = [between[:, steps == step] for step in range(1, k // 2 + 1)]
    met, violated = np.zeros((2, len(orders)), np.int64)
    n_predictions = 0
    for near, far in itertools.combinations(by_steps, 2):
        met += (near[:, :, None] < far[:, None, :]).sum(axis=(1, 2))
        violated += (near[:, :, None] > far[:, None, :]).sum(axis=(1, 2))
        n_predictions += near.shape[1] * far.shape[1]
    return met, violated, n_predictions
