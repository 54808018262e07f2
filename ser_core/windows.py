"""A longer clip in overlapping windows, for its path through a map."""

import math
from typing import Final

WINDOW: Final = 2.0
"""Seconds that a window lasts; longer only in clips for which `MOST` such windows would overlap by less than half."""
HOP: Final = 0.5
"""Seconds from one window to the next, at most, where there are fewer than `MOST`."""
FROM: Final = 4.0
"""Seconds from which on a clip has windows."""
MOST: Final = 240
"""Windows of one clip."""


def windows(n_samples: int, rate: int) -> list[tuple[int, int]]:
    """Return start and stop of each window, in samples: the whole clip is covered, evenly, to its end.

    Neighbours overlap by half or more. A clip under 4 s has none. Up to two minutes every 0.5 s a window of 2 s; from
    there on a longer hop, and from four minutes on longer windows too (5 s every 2.5 s in a clip of ten minutes).

    Parameters
    ----------
    n_samples
        Length of the clip.
    rate
        Its sampling rate in Hz.

    Examples
    --------
    >>> windows(5 * 10, 10)
    [(0, 20), (5, 25), (10, 30), (15, 35), (20, 40), (25, 45), (30, 50)]
    >>> windows(39, 10)
    []
    """
    if n_samples < FROM * rate:
        return []
    width = max(round(WINDOW * rate), math.ceil(2 * n_samples / (MOST + 1)))
    last = n_samples - width
    n_steps = min(math.ceil(last / (HOP * rate)), MOST - 1)
    starts = [step * last // n_steps for step in range(n_steps + 1)]
    return [(start, start + width) for start in starts]
