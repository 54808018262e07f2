"""What a clip looks like: its outline, and its energy per mel band over time."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.audio import SAMPLING_RATE

WINDOW_SECONDS: Final = 0.025
HOP_SECONDS: Final = 0.010
N_BANDS: Final = 64
MOST_FRAMES: Final = 400
"""Longer clips get a longer hop, so that the picture stays as small."""
FLOOR_DB: Final = -120.0


@dataclass(frozen=True)
class Spectrogram:
    """Energy in mel bands.

    Attributes
    ----------
    decibels
        Shape (n_bands, n_frames), float32, dB relative to a full-scale sine, at least `FLOOR_DB`.
    seconds
        Middle of each frame, shape (n_frames,).
    hertz
        Centre of each band, shape (n_bands,), ascending.
    """

    decibels: NDArray[np.float32]
    seconds: NDArray[np.float32]
    hertz: NDArray[np.float32]


@dataclass(frozen=True)
class Outline:
    """Lowest and highest sample of each of some hundred equal pieces; ``seconds`` is where each begins."""

    seconds: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def mel_spectrogram(
    signal: NDArray[np.float32], sampling_rate: int = SAMPLING_RATE, *, n_bands: int = N_BANDS
) -> Spectrogram:
    """Return the log-mel spectrogram of a mono signal in [-1, 1].

    Hann windows of 25 ms every 10 ms, triangular bands of equal height on Slaney's mel scale from 0 Hz to half the
    sampling rate (Slaney 1998, *Auditory Toolbox*, Interval TR 1998-010), as librosa's ``norm=None`` has them.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype("float32")
    >>> found = mel_spectrogram(tone)
    >>> bool(abs(found.hertz[found.decibels.mean(axis=1).argmax()] - 1000) < 50)
    True
    """
    window = round(WINDOW_SECONDS * sampling_rate)
    n_fft = 1 << (window - 1).bit_length()
    padded = np.pad(signal, (0, max(0, window - len(signal))))
    hop = max(round(HOP_SECONDS * sampling_rate), -(-len(padded) // MOST_FRAMES))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    taper = np.hanning(window + 1)[:-1].astype(np.float32)
    amplitude = np.abs(np.fft.rfft(frames * taper, n_fft)) * (2 / taper.sum())
    bands, hertz = mel_bands(n_fft, sampling_rate, n_bands)
    energy = bands @ (amplitude.T**2)
    decibels = 10 * np.log10(np.maximum(energy, 10 ** (FLOOR_DB / 10)))
    seconds = (np.arange(len(frames)) * hop + window / 2) / sampling_rate
    return Spectrogram(decibels.astype(np.float32), seconds.astype(np.float32), hertz.astype(np.float32))


def mel_bands(n_fft: int, sampling_rate: int, n_bands: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return triangular filters, shape (n_bands, n_fft // 2 + 1), and their centres in Hz."""
    edges = _hertz(np.linspace(0.0, _mel(np.array(sampling_rate / 2)), n_bands + 2))
    bins = np.fft.rfftfreq(n_fft, 1 / sampling_rate)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0.0, np.minimum(rising, falling)), edges[1:-1]


def outline(signal: NDArray[np.float32], sampling_rate: int = SAMPLING_RATE, *, n_pieces: int = 300) -> Outline:
    """Return the outline of a waveform; no peak is lost.

    Examples
    --------
    >>> outline(np.array([0.0, 1.0, -1.0, 0.5], dtype="float32"), 4, n_pieces=2).high
    array([1. , 0.5], dtype=float32)
    """
    starts = np.unique(np.linspace(0, len(signal), min(n_pieces, len(signal)), endpoint=False).astype(np.int64))
    low, high = np.minimum.reduceat(signal, starts), np.maximum.reduceat(signal, starts)
    return Outline((starts / sampling_rate).astype(np.float32), low, high)


_LINEAR: Final = 200 / 3  # Hz per mel below 1 kHz
_LOG: Final = np.log(6.4) / 27  # nepers per mel above


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(hertz < 1000, hertz / _LINEAR, 15 + np.log(np.maximum(hertz, 1000) / 1000) / _LOG)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * _LINEAR, 1000 * np.exp(_LOG * (mel - 15)))
