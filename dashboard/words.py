"""Numbers as people read them, with their 95 % intervals."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def number(value: float | None, *, digits: int = 2) -> str:
    r"""Return a number in words of a sentence: with a true minus; "none" where there is none.

    Examples
    --------
    >>> number(0.128), number(-0.001), number(-1.5, digits=1), number(None)
    ('0.13', '0.00', '\u22121.5', 'none')
    """
    if value is None or not math.isfinite(value):
        return "none"
    return f"{value:z.{digits}f}".replace("-", "\u2212")


def interval(pair: Sequence[float | None] | NDArray[np.floating] | None, *, digits: int = 2, say: str = "") -> str:
    r"""Return an interval in brackets, ``say`` before it; nothing where there is none.

    Examples
    --------
    >>> interval((-0.1, 0.25)), interval((0, 12.4), digits=0, say="95 %: "), interval(None)
    (' (\u22120.10 to 0.25)', ' (95 %: 0 to 12)', '')
    """
    ends = [] if pair is None else list(pair)
    if not ends or any(value is None or not math.isfinite(value) for value in ends):
        return ""
    low, high = (number(value, digits=digits) for value in ends)
    return f" ({say}{low} to {high})"


def fitting(value: float, low: float, high: float) -> str:
    """Return a number and its interval, with as many digits as that deserves; alone where there is none.

    Examples
    --------
    >>> fitting(4.123, 3.6, 4.91), fitting(43.21, 31.0, 70.0), fitting(4.123, math.nan, math.nan)
    ('4.1 (3.6 to 4.9)', '43 (31 to 70)', '4.12')
    """
    size = high - low if math.isfinite(high - low) else value / 10
    digits = decimals(size)
    return number(value, digits=digits) + interval((low, high), digits=digits)


def decimals(size: float) -> int:
    """Return the decimals that leave two digits of ``size``.

    Examples
    --------
    >>> decimals(1.3), decimals(0.13), decimals(25.0), decimals(0.0)
    (1, 2, 0, 3)
    """
    return min(3, max(0, 1 - math.floor(math.log10(size)))) if size > 0 else 3
