"""openSMILE functionals, one vector a clip: eGeMAPS (88 values), ComParE 2016 (6373), and ComParE 2016 of its parts."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ser_core.encoders.base import ClipError, OneByOne, Recipe, Signal

if TYPE_CHECKING:
    from opensmile import Smile

SAMPLING_RATE = 16_000  # Hz
PARTS = ("whole clip", "speech", "first half", "second half")
LOUDEST = np.float32(32767 / 32768)  # openSMILE turns samples into 16-bit integers: 1.0 would wrap to -32768


@dataclass(frozen=True)
class OpenSmile(OneByOne):
    """Functionals of one openSMILE feature set over the whole clip.

    Parameters
    ----------
    name
        The word a user types.
    title
        One line for people.
    feature_set
        A member of `opensmile.FeatureSet`.
    dim
        Number of functionals.
    shortest
        The fewest samples at 16 kHz for which openSMILE 2.6 gives functionals.

    References
    ----------
    Eyben, F., Wöllmer, M., & Schuller, B. (2010). openSMILE. ACM Multimedia, 1459-1462.
    """

    name: str
    title: str
    feature_set: str
    dim: int
    shortest: int

    def recipe(self) -> Recipe:
        """Everything that changes the numbers; see `Encoder.recipe`."""
        return {
            "name": self.name,
            "feature_set": self.feature_set,
            "level": "func",
            "sampling_rate": SAMPLING_RATE,
            "dim": self.dim,
            "layers": ["functionals"],
            "version": 1,
            "opensmile": version("opensmile"),
        }

    def feature_names(self) -> tuple[str, ...]:
        """Names that openSMILE gives to the ``dim`` values, in order."""
        return tuple(_smile(self.feature_set).feature_names)

    def encode(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Functionals of each clip.

        Parameters
        ----------
        signals
            Mono float32 clips in [-1, 1] at 16 kHz.
        device
            Ignored: openSMILE runs on the processor.

        Returns
        -------
        Array of shape (n_clips, 1, dim), in openSMILE's units.

        Raises
        ------
        ClipError
            If a clip is too short for openSMILE, or comes out with a value that is not finite.
        """
        vectors = np.empty((len(signals), 1, self.dim), np.float32)
        for vector, signal in zip(vectors, signals, strict=True):
            vector[0] = self._functionals(signal)
        return vectors

    def _functionals(self, signal: Signal) -> NDArray[np.float32]:
        # Asked beforehand, for openSMILE answers a short clip with NaN and a warning, which no thread can catch alone.
        if len(signal) < self.shortest:
            raise ClipError(
                f"clip too short for openSMILE's {self.feature_set}: {len(signal) / SAMPLING_RATE:.3f} s, "
                f"expected {self.shortest / SAMPLING_RATE:.3f} s or more"
            )
        if not np.isfinite(signal).all():
            raise ClipError("clip holds samples that are not finite, expected samples in [-1, 1]")
        clipped = np.clip(np.asarray(signal, np.float32), np.float32(-1), LOUDEST)
        values = _smile(self.feature_set)(clipped, SAMPLING_RATE)[0, :, 0]
        if not np.isfinite(values).all():  # what another version of openSMILE says of a clip that it finds too short
            raise ClipError(f"openSMILE's {self.feature_set} gave no finite values for {len(signal)} samples")
        return values


@functools.cache
def _smile(feature_set: str) -> "Smile":
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)


EGEMAPS = OpenSmile(
    name="egemaps",
    title="eGeMAPS: 88 voice measures (pitch, loudness, timbre) by openSMILE",
    feature_set="eGeMAPSv02",
    dim=88,
    shortest=960,
)
"""Eyben, F., et al. (2016). The Geneva minimalistic acoustic parameter set. IEEE TAC, 7, 190-202."""

COMPARE_2016 = OpenSmile(
    name="compare_2016",
    title="ComParE 2016: 6373 voice measures by openSMILE",
    feature_set="ComParE_2016",
    dim=6373,
    shortest=960,
)
"""Schuller, B., et al. (2016). The INTERSPEECH 2016 computational paralinguistics challenge. Interspeech, 2001-2005."""


@dataclass(frozen=True)
class Parts(OneByOne):
    """Functionals of the whole clip, of its speech, and of the two halves of its speech, one after the other.

    Speech is what lies between the first and the last frame (64 ms, 16 ms apart) that is no more than ``quiet`` dB
    below the loudest; its halves share a tenth of it, so that no word is cut for both. One vector for the whole clip
    mixes the silence around the words with them, and cannot tell a voice that rises from one that falls.

    Attributes
    ----------
    whole
        The functionals.
    quiet
        dB.
    half
        Share of the speech that each half takes.
    """

    whole: OpenSmile
    quiet: float = 35.0
    half: float = 0.55

    @property
    def name(self) -> str:
        """The word a user types."""
        return "compare_parts"

    @property
    def title(self) -> str:
        """One line for people."""
        n = len(PARTS) * self.whole.dim
        return f"ComParE 2016 in parts: {n} voice measures, of the clip, of its speech and of each half of that"

    @property
    def shortest(self) -> int:
        """The fewest samples at 16 kHz of which a half is not too short for openSMILE."""
        return math.ceil(self.whole.shortest / self.half)

    def recipe(self) -> Recipe:
        """Everything that changes the numbers; see `Encoder.recipe`."""
        return {
            **self.whole.recipe(),
            "name": self.name,
            "quiet": self.quiet,
            "half": self.half,
            "dim": len(PARTS) * self.whole.dim,
            "librosa": version("librosa"),
        }

    def feature_names(self) -> tuple[str, ...]:
        """Names that openSMILE gives to the values, each with the part that it is of."""
        return tuple(f"{name}, {part}" for part in PARTS for name in self.whole.feature_names())

    def encode(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Functionals of each clip and of its parts; see `OpenSmile.encode`, also for what is raised."""
        parts = [part for signal in signals for part in self._parts(signal)]
        return self.whole.encode(parts).reshape(len(signals), 1, len(PARTS) * self.whole.dim)

    def _parts(self, signal: Signal) -> tuple[Signal, ...]:
        import librosa

        if len(signal) < self.shortest:
            raise ClipError(
                f"clip too short for {self.name}: {len(signal) / SAMPLING_RATE:.3f} s, "
                f"expected {self.shortest / SAMPLING_RATE:.3f} s or more"
            )
        speech = signal
        if np.isfinite(signal).all():  # what is not is refused as a whole
            speech, _ = librosa.effects.trim(signal, top_db=self.quiet, frame_length=1024, hop_length=256)
        if len(speech) < self.shortest:
            speech = signal
        size = math.ceil(self.half * len(speech))
        return signal, speech, speech[:size], speech[-size:]


COMPARE_PARTS = Parts(COMPARE_2016)
