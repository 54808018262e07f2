"""Many channels at any rate to one at the rate wanted, block by block, and an account of what went through."""

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

FULL_SCALE: Final = {"PCM_U8": 127 / 128, "PCM_S8": 127 / 128, "ULAW": 32_124 / 32_768, "ALAW": 32_256 / 32_768}
"""The largest sample that a format holds; for all that are not listed 32767/32768, that of 16 bits."""


class Mixdown:
    """The mean of a clip's channels, resampled with soxr's HQ setting and cut at ±1.

    The blocks of a clip give the very samples that the whole clip would give. ``frames``, ``finite``, ``peak`` (of any
    channel), ``loudest`` (of their mean), ``full`` (samples at full scale, of all channels) and ``cut`` (whether any
    went beyond) tell about the blocks so far. Once a sample is not finite or passes ``largest`` the sound is of no use,
    and blocks are only counted.
    """

    def __init__(self, rate: int, wanted: int, *, subtype: str, largest: float) -> None:
        self.frames, self.full = 0, 0
        self.peak, self.loudest = 0.0, 0.0
        self.finite, self.cut = True, False
        self._full_scale = FULL_SCALE.get(subtype, 32_767 / 32_768)
        self._largest = largest
        self._resampler = None if rate == wanted else soxr.ResampleStream(rate, wanted, 1, quality="HQ")
        self._parts: list[NDArray[np.float32]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next samples, shape (n, channels)."""
        self.frames += len(block)
        self.finite = self.finite and bool(np.isfinite(block).all())
        if not self.finite or not len(block):
            return
        levels = np.abs(block)
        self.peak = max(self.peak, float(levels.max()))
        self.full += int(np.count_nonzero(levels >= self._full_scale))
        if self.peak > self._largest:
            return
        mono = block.mean(axis=1)
        self.loudest = max(self.loudest, float(np.abs(mono).max()))
        self._keep(mono if self._resampler is None else self._resampler.resample_chunk(mono))

    def signal(self) -> NDArray[np.float32]:
        """Return all that came in, shape (n_samples,); nothing can be added afterwards."""
        if self._resampler is not None:
            self._keep(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        whole = np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)
        self._parts.clear()
        return whole

    def _keep(self, part: NDArray[np.float32]) -> None:
        inside = np.clip(part, -1.0, 1.0)
        self.cut = self.cut or not np.array_equal(inside, part)
        self._parts.append(inside)


def levels(signal: NDArray[np.float32]) -> tuple[float, float]:
    """Return the peak and the root mean square of a signal in dB of full scale, -200 at the least.

    Examples
    --------
    >>> levels(np.array([0.5, -0.5, 0.5, -0.5], np.float32))
    (-6.020599913279624, -6.020599913279624)
    """
    peak, squares = 0.0, 0.0
    for start in range(0, len(signal), 2**20):  # in pieces: the doubles of ten minutes would take 77 MB
        piece = signal[start : start + 2**20].astype(np.float64)
        peak = max(peak, float(np.abs(piece).max()))
        squares += float(np.sum(piece**2))
    return _decibels(peak), _decibels((squares / max(1, len(signal))) ** 0.5)


def _decibels(amplitude: float) -> float:
    return float(20 * np.log10(max(amplitude, 1e-10)))
