"""What a training frees stays with the process: large blocks are not asked of the system again."""

import platform
import subprocess
import sys

import pytest

TWICE = """
import resource
import numpy as np
from ser_core.models import memory

if {keep}:
    memory.keep_freed()
np.ones(10_000_000)  # 80 MB, freed at once
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(*, keep: bool) -> int:
    """Return how many pages the system had to hand out for the same 80 MB five times again."""
    said = subprocess.run([sys.executable, "-c", TWICE.format(keep=keep)], capture_output=True, text=True, check=True)
    return int(said.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_freed_memory_is_used_again() -> None:
    assert pages(keep=True) < 100
    assert pages(keep=False) > 100


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_core.models import memory

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    memory.keep_freed()
