"""Spectral features by librosa: the set of a comparative study, and the statistics of a log-mel spectrogram.

Frames are 64 ms long and 16 ms apart (1024 and 256 samples at 16 kHz, Hann window); levels are in dB relative to
full scale, no lower than -100 dB. What varies over time is told by its mean and standard deviation.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from ser_core.encoders.base import ClipError, OneByOne, Recipe, Signal

SAMPLING_RATE = 16_000  # Hz
FRAME = 1024  # samples, 64 ms
HOP = 256  # samples, 16 ms
SHORTEST = 1600  # samples, 0.1 s
FLOOR = 1e-10  # mean square of a frame, -100 dB
MELS = 128  # bands under the cepstral coefficients and the onset curve
MFCCS = 40
CONTRASTS = 6  # below 200 Hz and five octaves above it; a sixth octave would pass half the sampling rate
NOTES = ("c", "c_sharp", "d", "d_sharp", "e", "f", "f_sharp", "g", "g_sharp", "a", "a_sharp", "b")
TONNETZ = ("fifth_x", "fifth_y", "minor_third_x", "minor_third_y", "major_third_x", "major_third_y")


@dataclass(frozen=True)
class _Statistics(OneByOne, ABC):
    """What the encoders share: one clip at a time; values of the whole clip, then means and deviations."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The word a user types."""

    @abstractmethod
    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the values of the whole clip, and of those that vary over time."""

    @abstractmethod
    def _measure(self, signal: Signal) -> tuple[list[float], list[NDArray[np.floating]]]:
        """Values of the whole clip, and blocks of shape (n, n_frames), in the order of `_names`."""

    def recipe(self) -> Recipe:
        """Everything that changes the numbers; see `Encoder.recipe`."""
        return {
            "name": self.name,
            "frame": FRAME,
            "hop": HOP,
            "sampling_rate": SAMPLING_RATE,
            "dim": len(self.feature_names()),
            "layers": ["statistics"],
            "version": 1,
            "librosa": version("librosa"),
        }

    def feature_names(self) -> tuple[str, ...]:
        """Names of the ``dim`` values, in order."""
        whole, varying = self._names()
        return whole + tuple(f"{name}_{statistic}" for statistic in ("mean", "std") for name in varying)

    def encode(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Features of each clip.

        Parameters
        ----------
        signals
            Mono float32 clips in [-1, 1] at 16 kHz, of 0.1 s or more.
        device
            Ignored: librosa runs on the processor.

        Returns
        -------
        Array of shape (n_clips, 1, dim), finite.

        Raises
        ------
        ClipError
            If a clip is shorter than 0.1 s or holds samples that are not finite.
        """
        vectors = np.empty((len(signals), 1, len(self.feature_names())), np.float32)
        for vector, signal in zip(vectors, signals, strict=True):
            whole, blocks = self._measure(checked(signal))
            frames = np.concatenate(blocks)
            vector[0] = np.concatenate([whole, frames.mean(1), frames.std(1)])
        return vectors


@dataclass(frozen=True)
class Spectral(_Statistics):
    """Signal-to-noise ratio, cepstral coefficients, pitch classes, spectral shape, tempo and energy; 144 values.

    The signal-to-noise ratio is 10 log10 of the 95th over the 5th percentile of the frames' mean squares: loud speech
    against the quietest moments of the same clip.

    References
    ----------
    The feature list of a comparative study of emotion recognition on RAVDESS (SNR, 40 MFCCs, chroma, mel statistics,
    spectral contrast, tonnetz, centroid, roll-off, bandwidth, tempo, RMS, zero crossings), which leaves frame lengths
    and the SNR's formula open. McFee, B., et al. (2015). librosa. SciPy, 18-24.
    """

    @property
    def name(self) -> str:
        """The word a user types."""
        return "spectral"

    @property
    def title(self) -> str:
        """One line for people."""
        return f"Spectral set: {len(self.feature_names())} measures (timbre, pitch class, energy, tempo) by librosa"

    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        whole = ("snr_db", "tempo_bpm", "mel_db_mean", "mel_db_std", "mel_db_min", "mel_db_max")
        varying = (
            *(f"mfcc_{i}" for i in range(1, MFCCS + 1)),
            *(f"chroma_{note}" for note in NOTES),
            *(f"contrast_{i}" for i in range(1, CONTRASTS + 1)),
            *(f"tonnetz_{axis}" for axis in TONNETZ),
            *("centroid_hz", "rolloff_hz", "bandwidth_hz", "rms", "zero_crossing_rate"),
        )
        return whole, varying

    def _measure(self, signal: Signal) -> tuple[list[float], list[NDArray[np.floating]]]:
        from librosa import feature
        from librosa.onset import onset_strength

        magnitude = _magnitude(signal)
        mel = _mel_db(magnitude, bands=MELS)
        rms = feature.rms(y=signal, frame_length=FRAME, hop_length=HOP)
        # A fixed tuning: estimating it is the slow part of the pitch classes, and speech has none.
        chroma = feature.chroma_stft(S=magnitude**2, sr=SAMPLING_RATE, n_fft=FRAME, tuning=0.0)
        # A tempo of 30 beats a minute repeats within 4 s: half of librosa's window tells the same for less.
        onset = onset_strength(S=mel, sr=SAMPLING_RATE, hop_length=HOP)
        tempo = feature.tempo(onset_envelope=onset, sr=SAMPLING_RATE, hop_length=HOP, ac_size=4.0)
        whole = [_snr_db(rms), tempo.item(), mel.mean(), mel.std(), mel.min(), mel.max()]
        centroid = feature.spectral_centroid(S=magnitude, sr=SAMPLING_RATE)
        blocks = [
            feature.mfcc(S=mel, n_mfcc=MFCCS),
            chroma,
            feature.spectral_contrast(S=magnitude, sr=SAMPLING_RATE, n_bands=CONTRASTS - 1),
            feature.tonnetz(chroma=chroma),
            centroid,
            feature.spectral_rolloff(S=magnitude, sr=SAMPLING_RATE),
            feature.spectral_bandwidth(S=magnitude, sr=SAMPLING_RATE, centroid=centroid),
            rms,
            feature.zero_crossing_rate(signal, frame_length=FRAME, hop_length=HOP),
        ]
        return whole, blocks


@dataclass(frozen=True)
class LogMel(_Statistics):
    """Mean and standard deviation over time of a log-mel spectrogram in dB; twice ``bands`` values."""

    bands: int = 80

    @property
    def name(self) -> str:
        """The word a user types."""
        return "logmel"

    @property
    def title(self) -> str:
        """One line for people."""
        return f"Log-mel spectrum: mean and spread of {self.bands} bands, {2 * self.bands} values"

    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return (), tuple(f"mel_{i}_db" for i in range(1, self.bands + 1))

    def _measure(self, signal: Signal) -> tuple[list[float], list[NDArray[np.floating]]]:
        return [], [_mel_db(_magnitude(signal), bands=self.bands)]


def checked(signal: Signal) -> Signal:
    """Return a clip that the transforms of librosa can be taken of.

    Raises
    ------
    ClipError
        If it is shorter than 0.1 s or holds samples that are not finite.
    """
    if len(signal) < SHORTEST:
        raise ClipError(f"clip too short: {len(signal) / SAMPLING_RATE:.3f} s, expected 0.1 s or more")
    if not np.isfinite(signal).all():
        raise ClipError("clip holds samples that are not finite, expected samples in [-1, 1]")
    return np.asarray(signal, np.float32)


def _magnitude(signal: Signal) -> NDArray[np.floating]:
    """Short-time spectrum, shape (513, n_frames); a full-scale sine peaks at 1."""
    import librosa

    # Divided by half the window's sum, so that levels do not depend on the frame's length.
    return np.abs(librosa.stft(signal, n_fft=FRAME, hop_length=HOP)) / (FRAME / 4)


def _mel_db(magnitude: NDArray[np.floating], *, bands: int) -> NDArray[np.floating]:
    import librosa

    power = _mel_filters(bands) @ magnitude**2
    return librosa.power_to_db(power, ref=1.0, amin=FLOOR, top_db=None)


@functools.cache
def _mel_filters(bands: int) -> NDArray[np.floating]:
    import librosa

    # Triangles of height 1: the power of a band, not its density.
    return librosa.filters.mel(sr=SAMPLING_RATE, n_fft=FRAME, n_mels=bands, norm=None)


def _snr_db(rms: NDArray[np.floating]) -> float:
    quiet, loud = np.percentile(np.maximum(rms**2, FLOOR), [5, 95])
    return float(10 * np.log10(loud / quiet))
