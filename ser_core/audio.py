"""Audio in: any common file to mono float32 in [-1, 1] at a chosen rate, or an `AudioError` that names what is wrong.

Files are recognised by their content, never by their name. Channels are averaged. Resampling is soxr's HQ setting.
Samples of float files that pass ±1 by a little are clipped, as a sound card would. A clip is decoded block by block,
so that what is kept of it is never more than the mono signal, whatever the file's rate and channels.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser_core import containers, ffmpeg, mixdown, soundfiles
from ser_core.soundfiles import AudioError, content, naming

SAMPLING_RATE: Final = 16_000
"""Hz; what every encoder of this project reads."""
MIN_SECONDS: Final = 0.1
MAX_SECONDS: Final = 600.0
SILENCE_PEAK: Final = 1e-4
"""-80 dB full scale: a 16-bit file whose largest sample is 3 of 32768."""
RANGE_PEAK: Final = 4.0
"""A float file above this was saved without scaling (as ±32768, say); there is no honest level for it."""
MAX_BYTES: Final = 50_000_000
"""Largest file taken of what people upload."""
MAX_SAMPLES: Final = 2**30
"""Samples of all channels together: ten minutes at 192 kHz and nine channels. A header's rate may lie."""
BLOCK: Final = 2**20
"""Samples of all channels together that are decoded at once (4 MB)."""


def version() -> str:
    """Return all that changes the samples, or which clips are taken: part of every embedding's recipe."""
    taken = f"{MIN_SECONDS} to {MAX_SECONDS} s, peak {SILENCE_PEAK} to {RANGE_PEAK}"
    made = f"soxr {metadata.version('soxr')} HQ, libsndfile {soundfile.__libsndfile_version__}"
    return f"mean of channels, {made}, {taken}"


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: rate in Hz, channels, length in seconds, container and sample format."""

    sampling_rate: int
    channels: int
    seconds: float
    container: str
    sample_format: str


@dataclass(frozen=True)
class Decoded:
    """A clip, and what it was made from.

    ``signal`` is mono, shape (n_samples,), in [-1, 1], at ``sampling_rate`` Hz; ``peak_db`` and ``rms_db`` are its
    levels in dB of full scale (-200 at the least). ``info`` is that of the file, its length as decoded. ``clipped`` is
    the share (0 to 1) of the file's samples at full scale, ``converted`` what was done to it, in words. ``tags`` are
    the texts in the file by kind (title, artist, comment, ...), without control characters, at most 200 long.
    """

    signal: NDArray[np.float32]
    sampling_rate: int
    info: AudioInfo
    peak_db: float
    rms_db: float
    clipped: float
    converted: tuple[str, ...]
    tags: dict[str, str]

    @property
    def seconds(self) -> float:
        """Length of the signal."""
        return len(self.signal) / self.sampling_rate


def inspect(source: Path | bytes) -> AudioInfo:
    """Read the header only.

    Raises
    ------
    AudioError
        If the file is missing, empty, cut off or not audio.
    """
    with naming(source), _opened(content(source), MAX_SECONDS) as sound:
        return _info(sound, sound.frames / sound.samplerate)


def read(
    source: Path | bytes,
    sampling_rate: int = SAMPLING_RATE,
    *,
    max_seconds: float = MAX_SECONDS,
) -> NDArray[np.float32]:
    """Return the signal of a clip: `decode` for those who need no more, without a limit on the size of the file.

    Examples
    --------
    >>> tone = np.sin(np.arange(8000) * 0.1).astype("float32") / 2
    >>> file = io.BytesIO()
    >>> soundfile.write(file, tone, 8000, format="WAV")
    >>> read(file.getvalue()).shape
    (16000,)
    """
    return decode(source, sampling_rate, max_seconds=max_seconds).signal


def decode(
    source: Path | bytes,
    sampling_rate: int = SAMPLING_RATE,
    *,
    max_seconds: float = MAX_SECONDS,
    max_bytes: int | None = None,
) -> Decoded:
    """Decode a clip.

    Parameters
    ----------
    source
        A file, or the bytes of one.
    sampling_rate
        Hz wanted.
    max_seconds
        Longest clip taken; checked on the header and again while decoding, since headers lie.
    max_bytes
        Largest file taken, checked before it is read; None: any.

    Raises
    ------
    AudioError
        With ``problem`` one of `Problem`.

    Examples
    --------
    >>> stereo = np.full((24_000, 2), 0.5) * np.sin(np.arange(24_000) * 0.1)[:, None]
    >>> file = io.BytesIO()
    >>> soundfile.write(file, stereo, 48_000, format="FLAC")
    >>> clip = decode(file.getvalue())
    >>> clip.seconds, round(clip.peak_db), clip.converted
    (0.5, -6, ('2 channels averaged', 'resampled from 48 kHz to 16 kHz'))
    """
    with naming(source), _opened(content(source, max_bytes=max_bytes), max_seconds) as sound:
        return _decoded(sound, sampling_rate, max_seconds)


def wav_bytes(signal: NDArray[np.float32], sampling_rate: int = SAMPLING_RATE) -> bytes:
    """Return a 16-bit WAV file of a mono signal in [-1, 1], at its own level (browsers play it without rescaling)."""
    out = io.BytesIO()
    soundfile.write(out, signal, sampling_rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


@contextmanager
def _opened(data: bytes, max_seconds: float) -> Iterator[soundfiles.File | soundfiles.Mp4]:
    missing = containers.fault(data)
    if missing is not None:
        raise AudioError("truncated", missing)
    try:
        if not containers.is_mp4(data):
            with soundfiles.File(data) as sound:
                yield sound
            return
        program = ffmpeg.program()
        if program is None:
            raise AudioError("not audio", "M4A needs ffmpeg, which is not here: install it, or save as WAV or FLAC")
        with soundfiles.mp4(data, program, max_seconds=max_seconds) as sound:
            yield sound
    except ffmpeg.FfmpegError as error:
        raise AudioError("too large" if error.slow else "not audio", str(error)) from error
    except soundfile.LibsndfileError as error:
        words = error.error_string.rstrip(".")
        if "lost sync" in words.lower() or "psf_fread" in words.lower():
            raise AudioError("truncated", f"the sound stops before its end ({error.error_string})") from error
        why = "" if "Internal error" in words or "not exist" in words else f" ({words})"  # of use to nobody
        expected = f"expected WAV, FLAC, OGG, MP3, AIFF or M4A{why}"
        raise AudioError("not audio", f"not audio that can be read here: {expected}") from error


def _info(sound: soundfiles.File | soundfiles.Mp4, seconds: float) -> AudioInfo:
    return AudioInfo(sound.samplerate, sound.channels, seconds, sound.format, sound.subtype_info)


def _decoded(sound: soundfiles.File | soundfiles.Mp4, wanted: int, max_seconds: float) -> Decoded:
    rate, channels = sound.samplerate, sound.channels
    most = _most_frames(sound, max_seconds)
    mix = mixdown.Mixdown(rate, wanted, subtype=sound.subtype, largest=RANGE_PEAK)
    while mix.frames < most:
        asked = min(max(1, BLOCK // channels), most - mix.frames)
        block = sound.block(asked)
        mix.add(block)
        if len(block) < asked:
            break
    if mix.frames > int(max_seconds * rate):
        raise _too_long(f"more than {max_seconds:.0f} s", max_seconds)
    if sound.format == "FLAC" and mix.frames < sound.frames:
        raise AudioError("truncated", f"the header promises {sound.frames} samples, the file holds {mix.frames}")
    _check(mix, rate)
    signal = mix.signal()
    done = {
        "decoded by ffmpeg": isinstance(sound, soundfiles.Mp4),
        f"{channels} channels averaged": channels > 1,
        f"resampled from {rate / 1000:g} kHz to {wanted / 1000:g} kHz": rate != wanted,
        "samples beyond full scale cut": mix.cut,
    }
    return Decoded(
        signal,
        wanted,
        _info(sound, mix.frames / rate),
        *mixdown.levels(signal),
        clipped=mix.full / (mix.frames * channels),
        converted=tuple(words for words, true in done.items() if true),
        tags=sound.tags,
    )


def _most_frames(sound: soundfiles.File | soundfiles.Mp4, max_seconds: float) -> int:
    """Return how many frames to ask for: one more than are taken where the header's length cannot be trusted."""
    rate, stated, limit = sound.samplerate, sound.frames, int(max_seconds * sound.samplerate)
    if stated > 2**48:
        raise AudioError("not audio", "the file does not state its length: save it again as a whole file")
    if stated > limit and sound.format != "MP3":  # without an index, MP3 states no length that can be trusted
        raise _too_long(f"{stated / rate:.0f} s", max_seconds)
    most = limit + 1 if isinstance(sound, soundfiles.Mp4) else min(stated, limit + 1)
    if most < MIN_SECONDS * rate:
        raise _too_short(most / rate)
    if most * sound.channels > MAX_SAMPLES:
        samples = f"{sound.channels} channels at {rate / 1000:g} kHz"
        raise AudioError("too large", f"its {samples} are more than {MAX_SAMPLES} samples: save it at 48 kHz or less")
    return most


def _check(mix: mixdown.Mixdown, rate: int) -> None:
    if mix.frames < MIN_SECONDS * rate:
        raise _too_short(mix.frames / rate)
    if not mix.finite:
        raise AudioError("not finite", "the clip has samples that are not numbers (NaN or infinite); export it again")
    if mix.peak > RANGE_PEAK:
        reason = f"samples reach {mix.peak:.0f}, expected -1 to 1: saved as float without scaling?"
        raise AudioError("out of range", reason)
    if mix.loudest < SILENCE_PEAK:
        cause = "its channels cancel out" if mix.peak >= SILENCE_PEAK else "in every channel"
        raise AudioError("silent", f"the clip is silent: no sample above -80 dB of full scale ({cause})")


def _too_short(seconds: float) -> AudioError:
    return AudioError("too short", f"the clip lasts {seconds:.3f} s; at least {MIN_SECONDS} s are needed")


def _too_long(length: str, max_seconds: float) -> AudioError:
    return AudioError("too long", f"the clip lasts {length}; at most {max_seconds:.0f} s are taken: cut it first")
