"""Pictures of clips for convolutional networks: a spectrogram, or cepstral coefficients over time, by librosa.

They are encoders, so that they are computed, resumed and kept as embeddings are; ``shape`` in the recipe tells them
apart. All are made at 16 kHz, as by every encoder here, so that a corpus at 48 kHz and its copy at 16 kHz look the same
(P1's librosa reads at 22.05 kHz, P2's at 48 kHz). Row 0 is the lowest band or coefficient, column 0 the beginning.
"""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.encoders.base import OneByOne, Recipe, Signal
from ser_core.encoders.spectral import FRAME, HOP, MELS, MFCCS, SAMPLING_RATE, checked

PIECE: Final = 3 * SAMPLING_RATE  # samples that P2 looks at
FINE_HOP: Final = 170  # samples, 10.6 ms, P2's 512 at 48 kHz: 3 s are 283 frames, of which the first 282 are kept
FINE_WINDOW: Final = 512  # samples, 32 ms
SNR: Final = (15.0, 30.0)  # dB, between speech that is a little noisy and noise that is hardly heard
TOP_DB: Final = 80.0  # librosa's own range, below the loudest


@dataclass(frozen=True)
class Picture(OneByOne, ABC):
    """What the pictures have in common: each lies in the cache as one vector a layer."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The word a user types."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def layers(self) -> list[str]:
        """Names of the pictures of one clip."""
        return ["picture"]

    @abstractmethod
    def _draw(self, signal: Signal) -> NDArray[np.floating]:
        """Pictures of one clip, shape (n_layers, rows, columns)."""

    def recipe(self) -> Recipe:
        """Everything that changes the numbers, and the ``shape``; see `Encoder.recipe`."""
        rows, columns = self.shape
        return {
            "name": self.name,
            **asdict(self),
            "sampling_rate": SAMPLING_RATE,
            "shape": [rows, columns],
            "dim": rows * columns,
            "layers": self.layers,
            "version": 1,
            "librosa": version("librosa"),
        }

    def encode(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Pictures of each clip.

        Parameters
        ----------
        signals
            Mono float32 clips in [-1, 1] at 16 kHz, of 0.1 s or more.
        device
            Ignored: librosa runs on the processor.

        Returns
        -------
        Array of shape (n_clips, n_layers, rows * columns), finite, in dB; the last axis holds row after row.

        Raises
        ------
        ClipError
            If a clip is shorter than 0.1 s or holds samples that are not finite.
        """
        rows, columns = self.shape
        out = np.empty((len(signals), len(self.layers), rows, columns), np.float32)
        for pictures, signal in zip(out, signals, strict=True):
            pictures[:] = self._draw(checked(signal))
        return out.reshape(len(signals), len(self.layers), rows * columns)


@dataclass(frozen=True)
class MelPicture(Picture):
    """Mel spectrogram of the whole clip in dB below its loudest point, down to -80.

    Frames of 64 ms, 16 ms apart; time is then resized to ``columns``.

    References
    ----------
    P1, section 3.3.1: mel spectrograms by librosa, resized to 128 x 128 pixels.
    """

    bands: int = 128
    columns: int = 128

    @property
    def name(self) -> str:
        """The word a user types."""
        return "mel-picture"

    @property
    def title(self) -> str:
        """One line for people."""
        return f"Picture: mel spectrogram, {self.bands} bands x {self.columns} columns, the whole clip"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bands, self.columns

    def _draw(self, signal: Signal) -> NDArray[np.floating]:
        import librosa

        power = librosa.feature.melspectrogram(
            y=signal, sr=SAMPLING_RATE, n_fft=FRAME, hop_length=HOP, n_mels=self.bands
        )
        # librosa's smallest power is absolute and would cut the picture of a quiet clip: far below 80 dB, it cuts none.
        decibels = librosa.power_to_db(power, ref=np.max, amin=float(np.finfo(np.float32).tiny), top_db=TOP_DB)
        return resize(decibels, self.columns)[None]


@dataclass(frozen=True)
class MfccSmall(Picture):
    """Cepstral coefficients of the whole clip; frames as in `MelPicture`, resized to ``columns``.

    References
    ----------
    P1, section 3.4, which leaves the size of its images open.
    """

    coefficients: int = MFCCS
    columns: int = 64

    @property
    def name(self) -> str:
        """The word a user types."""
        return "mfcc-small"

    @property
    def title(self) -> str:
        """One line for people."""
        return f"Picture: {self.coefficients} cepstral coefficients x {self.columns} columns, the whole clip"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.coefficients, self.columns

    def _draw(self, signal: Signal) -> NDArray[np.floating]:
        return resize(_cepstra(signal, self.coefficients, window=FRAME, hop=HOP), self.columns)[None]


@dataclass(frozen=True)
class MfccPicture(Picture):
    """Cepstral coefficients of 3 s of a clip, and of ``noisy`` copies of it with white noise added.

    The 3 s begin after ``offset`` seconds, and zeros follow a clip that ends earlier. A clip shorter than 3 s is taken
    from its beginning: half a second may be half of what is said. Frames of 32 ms, 10.6 ms apart.

    References
    ----------
    P2, methods: 40 coefficients x 282 frames; "two extra" noisy copies of every clip. The window is left open there.
    """

    coefficients: int = MFCCS
    columns: int = 282
    offset: float = 0.5
    noisy: int = 2

    @property
    def name(self) -> str:
        """The word a user types."""
        return "mfcc-picture"

    @property
    def title(self) -> str:
        """One line for people."""
        copies = f"3 s, clean and {self.noisy} times with noise"
        return f"Picture: {self.coefficients} cepstral coefficients x {self.columns} columns, {copies}"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.coefficients, self.columns

    @property
    def layers(self) -> list[str]:
        """Names of the pictures of one clip."""
        return ["clean", *(f"noisy {copy}" for copy in range(1, self.noisy + 1))]

    def _draw(self, signal: Signal) -> NDArray[np.floating]:
        begin = round(self.offset * SAMPLING_RATE) if len(signal) >= PIECE else 0
        cut = signal[begin : begin + PIECE]
        piece = np.pad(cut, (0, PIECE - len(cut)))
        heard = [piece, *(add_noise(piece, copy) for copy in range(1, self.noisy + 1))]
        cepstra = [_cepstra(one, self.coefficients, window=FINE_WINDOW, hop=FINE_HOP) for one in heard]
        return np.stack(cepstra)[:, :, : self.columns]


def add_noise(signal: Signal, copy: int) -> Signal:
    """Return a signal with white Gaussian noise added, the same for the same signal and number of the copy.

    The ratio of the signal's power to the noise's is drawn uniformly in dB from `SNR` (P2 leaves the range open), and
    holds exactly. Digital silence has no such ratio and stays as it is.

    Examples
    --------
    >>> tone = np.sin(np.arange(16000) / 10).astype("float32")
    >>> noise = add_noise(tone, 1) - tone
    >>> bool(15 <= 10 * np.log10((tone**2).sum() / (noise**2).sum()) <= 30)
    True
    """
    samples = np.ascontiguousarray(signal, "<f4")
    random = np.random.default_rng([zlib.crc32(samples.tobytes()), copy])
    ratio = random.uniform(*SNR)
    noise = random.standard_normal(len(samples))
    power = np.square(samples, dtype=np.float64).sum() / np.square(noise).sum()
    return (samples + noise * np.sqrt(power / 10 ** (ratio / 10))).astype(np.float32)


def resize(picture: NDArray[np.floating], columns: int) -> NDArray[np.float64]:
    """Return a picture (rows, n) with another number of columns.

    Each new column is a mean of the old ones around its middle, weighted by a triangle: linear interpolation where
    columns become more; where they become fewer the triangle is as much wider, so that nothing is skipped (the
    "bilinear" filter of image libraries, with antialiasing).

    Examples
    --------
    >>> resize(np.array([[0.0, 4.0]]), 4)
    array([[0., 1., 3., 4.]])
    """
    step = picture.shape[1] / columns
    middles = (np.arange(columns) + 0.5) * step - 0.5
    away = np.abs(np.arange(picture.shape[1])[:, None] - middles)
    weights = np.maximum(0.0, 1 - away / max(step, 1.0))
    return picture @ (weights / weights.sum(axis=0))


def _cepstra(signal: Signal, coefficients: int, *, window: int, hop: int) -> NDArray[np.floating]:
    """Cepstral coefficients (coefficients, n_frames), coefficient 0, the level, among them."""
    import librosa

    # Transforms of 1024 samples also for the shorter window: with fewer, the lowest of 128 bands would be empty.
    power = librosa.feature.melspectrogram(
        y=signal, sr=SAMPLING_RATE, n_fft=FRAME, win_length=window, hop_length=hop, n_mels=MELS
    )
    return librosa.feature.mfcc(S=librosa.power_to_db(power), n_mfcc=coefficients)


MEL_PICTURE = MelPicture()
MFCC_PICTURE = MfccPicture()
MFCC_SMALL = MfccSmall()
