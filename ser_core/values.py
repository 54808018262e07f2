"""Plain values, as JSON has them."""

import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return a value that JSON has: lists for tuples and arrays, None for NaN and infinity.

    Examples
    --------
    >>> plain({"a": (np.float32(0.5), float("nan")), "b": np.arange(2)})
    {'a': [0.5, None], 'b': [0, 1]}
    """
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
