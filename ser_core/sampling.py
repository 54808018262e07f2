"""Which clips to show when there are too many for one picture."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_POINTS: Final = 20_000
"""Points that browsers still turn smoothly in 3-D."""


def stratified(strata: Sequence[str], n: int = MOST_POINTS, *, seed: int) -> NDArray[np.int32]:
    """Return the rows of a sample of ``n`` in which every stratum keeps its share, ascending.

    All rows are returned where there are no more than ``n``. Shares are rounded so that the sample has exactly ``n``
    rows (largest remainders); a stratum that would vanish keeps one row as long as ``n`` allows it.

    Examples
    --------
    >>> stratified(["a"] * 6 + ["b"] * 2, 4, seed=0).size
    4
    """
    total = len(strata)
    if total <= n:
        return np.arange(total, dtype=np.int32)
    _, member, counts = np.unique(np.asarray(strata, dtype=str), return_inverse=True, return_counts=True)
    quota = _shares(counts, n)
    random = np.random.default_rng(seed)
    rows = [random.choice(np.flatnonzero(member == number), k, replace=False) for number, k in enumerate(quota)]
    return np.sort(np.concatenate(rows)).astype(np.int32)


def _shares(counts: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    exact = counts * (n / counts.sum())
    quota = np.floor(exact).astype(np.int64)
    if n >= len(counts):
        quota = np.maximum(quota, 1)
    order = np.argsort(-(exact - quota), kind="stable")
    while (missing := n - int(quota.sum())) > 0:
        room = order[quota[order] < counts[order]][:missing]
        quota[room] += 1
    while quota.sum() > n:  # those raised to one are paid for by the largest
        quota[np.argmax(quota)] -= 1
    return quota
