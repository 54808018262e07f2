"""Synthetic speech with a chosen prosody and voice quality, by espeak-ng and a few filters.

espeak-ng 1.52 (formant synthesis, GPL-3.0-or-later; library and data from the PyPI package ``espeakng-loader``)
supplies words, melody and timing through its C API. What it has no control for is done to its output: vocal tract
length, jitter and tremor by a time-varying playback rate, shimmer by amplitude, tension by a first-order shelf, breath
by noise that follows the envelope.

Conventions: signals are mono float64 in [-1, 1]; time in seconds unless named otherwise; pitch in Hz or semitones.

One engine serves the process: espeak-ng keeps its voice and parameters in C globals, so it is started once, every call
takes a lock, and every parameter is set before every clip. Another user of the same library in the same process (a
phonemiser, say) would change that state between two calls.

Three things outlive a clip inside espeak-ng and would make the sound depend on what was spoken before: the phase of the
pitch flutter, the phase of the amplitude roughness, and the random generator. The first two cannot be reset, so the
voices used here switch them (and the echo) off; the third is seeded for every clip.
"""

import ctypes
import functools
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.signal import lfilter

from ser_core.errors import SerError

RATE = 16_000  # Hz, of what is returned
_ENGINE_RATE = 22_050  # Hz, of espeak-ng
_LOCK = threading.Lock()
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

# speak_lib.h: AUDIO_OUTPUT_SYNCHRONOUS, espeakINITIALIZE_DONT_EXIT, espeakCHARS_UTF8, and of espeak_PARAMETER:
_SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1
_SPEED, _VOLUME, _PITCH, _RANGE, _WORD_GAP = 1, 2, 3, 4, 7
_PITCH_STEPS = 4.8  # units of espeakPITCH in a semitone, measured around 50
_RANGE_NEUTRAL = 30  # espeakRANGE of a plain voice; leaves room up to 99 for lively ones
_GAP_MS = 14.0  # silence in ms that one unit of espeakWORDGAP adds at 165 words a minute, measured

LANGUAGE_FILES = {"en-us": "lang/gmw/en-US", "de": "lang/gmw/de", "fr": "lang/roa/fr"}
_DATA_FILES = ("phondata", "phonindex", "phontab", "intonations", "en_dict", "de_dict", "fr_dict")


class DemoError(SerError, RuntimeError):
    """The speech synthesiser is missing or failed, or a folder is not one that the demo may write to."""


@dataclass(frozen=True)
class Voice:
    """Who speaks."""

    language: str  # a key of LANGUAGE_FILES
    variant: str  # an espeak-ng variant: m1 to m7, f1 to f5, ...
    f0: float  # mean fundamental frequency in Hz when speaking plainly
    tract: float  # formant frequencies relative to the variant's; above 1 is a shorter vocal tract
    speed: float  # words per minute when speaking plainly
    level: float  # active level in dB re full scale when speaking plainly


@dataclass(frozen=True)
class Prosody:
    """How it is said; the defaults are a plain, unemotional delivery."""

    rate: float = 1.0  # speech rate, factor
    f0: float = 0.0  # mean F0, semitones from the voice's own
    f0_range: float = 1.0  # F0 range in semitones, factor
    loudness: float = 0.0  # dB from the voice's own
    slope: float = 0.0  # semitones that F0 rises from the first word to the last (negative: falls)
    pause: float = 0.0  # ms of silence between words
    breath: float = 0.03  # aspiration noise, amplitude relative to the voice
    tension: float = 0.0  # dB above 1.5 kHz relative to below; positive is tense or pressed, negative lax
    jitter: float = 0.5  # % standard deviation of F0 from one period to the next
    shimmer: float = 0.3  # dB standard deviation of amplitude from one period to the next
    tremor: float = 0.0  # semitones, depth of a 4.5 to 6.5 Hz wobble of F0


def speak(words: Sequence[str], *, voice: Voice, prosody: Prosody, rng: np.random.Generator) -> NDArray[np.float64]:
    """Say ``words``; mono, 16 kHz, with 0.1 to 0.25 s of room silence at either end.

    Raises
    ------
    DemoError
        If ``espeakng-loader`` is not installed or the library refuses the voice or the text.
    """
    f0 = prosody.f0 - 12 * np.log2(voice.tract)  # playing it back for the vocal tract raises F0, too
    steps = 50 + _PITCH_STEPS * (f0 + prosody.slope * np.linspace(-0.5, 0.5, len(words)))
    # espeak-ng's embedded command "\x01<n>P" sets the pitch from this word on; SSML would start a new clause at each.
    text = " ".join(f"\x01{round(step)}P{word}" for step, word in zip(np.clip(steps, 0, 99), words, strict=True))
    parameters = {
        _SPEED: voice.speed * prosody.rate / voice.tract,
        _VOLUME: 100,
        _PITCH: 50,
        _RANGE: _RANGE_NEUTRAL * prosody.f0_range * 2 ** (f0 / 12),  # it spans Hz: semitones have to grow with F0
        _WORD_GAP: prosody.pause / _GAP_MS,
    }
    with _LOCK:
        signal = _engine().say(f"{text}.", voice, {key: round(min(value, 450)) for key, value in parameters.items()})
    signal = soxr.resample(signal, _ENGINE_RATE, RATE)
    signal = _perturb(signal, voice=voice, prosody=prosody, rng=rng)
    signal = _colour(signal, prosody=prosody, rng=rng)
    pad = (rng.uniform(0.1, 0.25, size=2) * RATE).astype(int)
    signal = np.pad(signal * 10 ** ((voice.level + prosody.loudness) / 20) / _active_rms(signal), pad)
    # A trace of room noise (-75 dB re full scale): no real recording has digital silence.
    signal += 10 ** (-75 / 20) * rng.standard_normal(len(signal), dtype=np.float32)
    return signal * min(1.0, 0.95 / np.abs(signal).max())


def engine_version() -> str:
    """Version of the loaded espeak-ng, for example ``1.52.0``; raises DemoError where there is none."""
    with _LOCK:
        return _engine().version


def _perturb(
    signal: NDArray[np.float64], *, voice: Voice, prosody: Prosody, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Play back at the rate that scales the formants by ``voice.tract``, with jitter, tremor and shimmer around it."""
    time = np.arange(int(len(signal) / voice.tract)) / RATE
    f0 = voice.f0 * 2 ** (prosody.f0 / 12)
    periods = np.arange(int(time[-1] * f0) + 2) / f0  # s, when each period of the voice begins
    wobble = np.sin(2 * np.pi * (rng.uniform(4.5, 6.5) * periods + rng.uniform()))
    jitter = rng.normal(scale=prosody.jitter / 100, size=len(periods))
    shimmer = rng.normal(scale=prosody.shimmer, size=len(periods))
    step = np.interp(time, periods, voice.tract * (1 + jitter) * 2 ** (prosody.tremor * wobble / 12))
    # A trembling voice trembles in loudness, too: 1.5 dB for each semitone.
    gain = np.interp(time, periods, 10 ** ((shimmer + 1.5 * prosody.tremor * wobble) / 20))
    return gain * map_coordinates(signal, [np.cumsum(step)], order=3, mode="constant")


def _colour(signal: NDArray[np.float64], *, prosody: Prosody, rng: np.random.Generator) -> NDArray[np.float64]:
    """Tilt the spectrum around 1.5 kHz and add breath noise, 1 to 3 kHz, that follows the envelope."""
    low = _low_pass(signal, 1500)
    signal = low + 10 ** (prosody.tension / 20) * (signal - low)
    noise = rng.standard_normal(len(signal), dtype=np.float32) * _low_pass(np.abs(signal), 25)
    # Not higher: espeak-ng's own vowels fade above 4 kHz, noise there would sound as hiss beside the voice.
    return signal + prosody.breath * 3 * (_low_pass(noise, 3000) - _low_pass(noise, 1000))


def _low_pass(signal: NDArray[np.floating], corner: float) -> NDArray[np.float64]:
    """First-order low-pass with its corner in Hz."""
    pole = np.exp(-2 * np.pi * corner / RATE)
    return np.asarray(lfilter([1 - pole], [1, -pole], signal))


def _active_rms(signal: NDArray[np.float64]) -> float:
    """Root mean square over the 20 ms frames within 30 dB of the loudest."""
    frame = RATE // 50
    power = np.square(signal[: len(signal) // frame * frame]).reshape(-1, frame).mean(axis=1)
    return float(np.sqrt(power[power > power.max() / 1000].mean()))


class _Engine:
    """The C library, started on a private data folder that can take our own voice files."""

    def __init__(self) -> None:
        try:
            loader = import_module("espeakng_loader")
        except ImportError as error:
            raise DemoError("Synthetic speech needs espeak-ng: run `pip install 'ser-atlas[demo]'`.") from error
        self._folder = tempfile.TemporaryDirectory(prefix="ser-voices-")  # removed when the process ends
        self._shipped, self._data = Path(loader.get_data_path()), Path(self._folder.name)
        for name in (*_DATA_FILES, *LANGUAGE_FILES.values()):
            (self._data / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._shipped / name, self._data / name)
        (self._data / "voices" / "!v").mkdir(parents=True)
        self._pieces: list[bytes] = []
        self._callback = _CALLBACK(self._collect)  # kept: ctypes does not own it
        self._library = ctypes.CDLL(loader.get_library_path())
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            *[ctypes.c_uint] * 4,
            *[ctypes.c_void_p] * 2,
        ]
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(self._data), _DONT_EXIT)
        if rate != _ENGINE_RATE:
            raise DemoError(f"espeak-ng did not start on {self._data}: it gave {rate}, expected {_ENGINE_RATE} (Hz).")
        self._library.espeak_SetSynthCallback(self._callback)
        self.version: str = self._library.espeak_Info(None).decode()

    def say(self, text: str, voice: Voice, parameters: dict[int, int]) -> NDArray[np.float64]:
        self._check(self._library.espeak_SetVoiceByName(self._voice_name(voice)), f"voice {voice}")
        for parameter, value in parameters.items():
            self._check(self._library.espeak_SetParameter(parameter, value, 0), f"parameter {parameter} = {value}")
        self._library.espeak_ng_SetRandSeed(1)
        self._pieces.clear()
        data = text.encode()
        self._check(self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None), f"text {text!r}")
        signal = np.frombuffer(b"".join(self._pieces), dtype=np.int16) / 32768
        if not signal.any():
            raise DemoError(f"espeak-ng made no sound for {text!r} with {voice}.")
        return signal

    def _voice_name(self, voice: Voice) -> bytes:
        """Write the voice as a variant file of our own, unless it is there, and return the name that selects it."""
        low = voice.f0 / 1.35  # the melody of a plain statement averages 1.35 times the lower end
        text = (self._shipped / "voices" / "!v" / voice.variant).read_text(encoding="utf-8", errors="replace")
        text += f"\npitch {low:.0f} {1.67 * low:.0f}\nflutter 0\nroughness 0\necho 0 0\n"
        name = "ser" + hashlib.sha256(text.encode()).hexdigest()[:12]
        path = self._data / "voices" / "!v" / name
        if not path.exists():
            path.write_text(text, encoding="utf-8")
        return f"{voice.language}+{name}".encode()

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
        if samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    @staticmethod
    def _check(status: int, what: str) -> None:
        if status != 0:
            raise DemoError(f"espeak-ng refused {what} (status {status}).")


@functools.cache
def _engine() -> _Engine:
    return _Engine()
