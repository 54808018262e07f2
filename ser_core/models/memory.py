"""Memory that a training frees and needs again at its next step."""

import ctypes
from typing import Final

MMAP_THRESHOLD: Final = -3
TRIM_THRESHOLD: Final = -1
"""Numbers of two settings of ``mallopt``, from glibc's ``malloc.h``."""


def keep_freed() -> None:
    """Let the C library keep what is freed, for the rest of the process.

    By itself it gives blocks above 32 MB back to the system at once, which hands out the next one page by page, set to
    zero: a quarter to a third of the time of a training on pictures. Only glibc can be told; elsewhere nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, 2**30)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
