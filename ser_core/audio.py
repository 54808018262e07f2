"""Audio in: any common file to mono float32 in [-1, 1] at a chosen rate, or an `AudioError` that names what is wrong.

Files are recognised by their content, never by their name. Channels are averaged. Resampling is soxr's HQ setting.
Samples of float files that pass ±1 by a little are clipped, as a sound card would.
"""

import io
import struct
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ser_core.errors import SerError

SAMPLING_RATE: Final = 16_000
"""Hz; what every encoder of this project reads."""
MIN_SECONDS: Final = 0.1
MAX_SECONDS: Final = 600.0
SILENCE_PEAK: Final = 1e-4
"""-80 dB full scale: a 16-bit file whose largest sample is 3 of 32768."""
RANGE_PEAK: Final = 4.0
"""A float file above this was saved without scaling (as ±32768, say); there is no honest level for it."""
STREAMED_SIZE: Final = 0x7FFF0000
"""WAV sizes from here on are what programs write that cannot seek back: the true size is not known."""

Problem = Literal[
    "missing", "empty", "not audio", "truncated", "too short", "too long", "silent", "not finite", "out of range"
]


def version() -> str:
    """Return all that changes the samples, or which clips are taken: part of every embedding's recipe."""
    taken = f"{MIN_SECONDS} to {MAX_SECONDS} s, peak {SILENCE_PEAK} to {RANGE_PEAK}"
    made = f"soxr {metadata.version('soxr')} HQ, libsndfile {soundfile.__libsndfile_version__}"
    return f"mean of channels, {made}, {taken}"


class AudioError(SerError, ValueError):
    """A clip that cannot be used: ``problem`` is the kind in a word or two, ``reason`` the sentence."""

    def __init__(self, problem: Problem, reason: str, *, file: str = "") -> None:
        super().__init__(f"{file}: {reason}" if file else reason)
        self.problem: Problem = problem
        self.reason = reason
        self.file = file


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: rate in Hz, channels, length in seconds, container and sample format."""

    sampling_rate: int
    channels: int
    seconds: float
    container: str
    sample_format: str


def inspect(source: Path | bytes) -> AudioInfo:
    """Read the header only.

    Raises
    ------
    AudioError
        If the file is missing, empty, cut off or not audio.
    """
    data, file = _bytes(source)
    try:
        _check_complete(data)
        with soundfile.SoundFile(_Memory(data)) as sound:
            return _info(sound)
    except AudioError as error:
        raise AudioError(error.problem, error.reason, file=file) from None
    except soundfile.LibsndfileError as error:
        raise AudioError("not audio", _not_audio(error), file=file) from error


def read(
    source: Path | bytes,
    sampling_rate: int = SAMPLING_RATE,
    *,
    max_seconds: float = MAX_SECONDS,
) -> NDArray[np.float32]:
    """Decode a clip.

    Parameters
    ----------
    source
        A file, or the bytes of one.
    sampling_rate
        Hz wanted.
    max_seconds
        Longest clip taken; checked on the header and again while decoding, since headers lie.

    Returns
    -------
    Shape (n_samples,), mono, float32 in [-1, 1].

    Raises
    ------
    AudioError
        With ``problem`` one of: missing, empty, not audio, truncated, too short, too long, silent, not finite,
        out of range.

    Examples
    --------
    >>> tone = np.sin(np.arange(8000) * 0.1).astype("float32") / 2
    >>> file = io.BytesIO()
    >>> soundfile.write(file, tone, 8000, format="WAV")
    >>> read(file.getvalue()).shape
    (16000,)
    """
    data, file = _bytes(source)
    try:
        samples, rate = _decode(data, max_seconds)
        return _mono(samples, rate, sampling_rate)
    except AudioError as error:
        raise AudioError(error.problem, error.reason, file=file) from None


def wav_bytes(signal: NDArray[np.float32], sampling_rate: int = SAMPLING_RATE) -> bytes:
    """Return a 16-bit WAV file of a mono signal in [-1, 1], at its own level (browsers play it without rescaling)."""
    out = io.BytesIO()
    soundfile.write(out, signal, sampling_rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


class _Memory(io.BytesIO):
    """Bytes as a file whose failing seeks are answered, as libsndfile expects, and not raised into its C code."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return -1


def _bytes(source: Path | bytes) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        data, file = source, ""
    else:
        file = str(source)
        try:
            data = source.read_bytes()
        except OSError as error:
            raise AudioError("missing", f"cannot be read ({error.strerror})", file=file) from error
    if not data:
        raise AudioError("empty", "the file is empty (0 bytes)", file=file)
    return data, file


def _info(sound: soundfile.SoundFile) -> AudioInfo:
    return AudioInfo(
        sound.samplerate, sound.channels, sound.frames / sound.samplerate, sound.format, sound.subtype_info
    )


def _not_audio(error: soundfile.LibsndfileError) -> str:
    return f"not audio that can be read here: expected WAV, FLAC, OGG, MP3 or AIFF ({error.error_string.rstrip('.')})"


def _decode(data: bytes, max_seconds: float) -> tuple[NDArray[np.float32], int]:
    _check_complete(data)
    try:
        with soundfile.SoundFile(_Memory(data)) as sound:
            rate = sound.samplerate
            limit = int(max_seconds * rate)
            stated = sound.frames
            if stated > 2**48:
                raise AudioError("not audio", "the file does not state its length: save it again as a whole file")
            if stated > limit and sound.format != "MP3":  # without an index, MP3 states no length that can be trusted
                raise _too_long(f"{stated / rate:.0f} s", max_seconds)
            samples = sound.read(limit + 1, dtype="float32", always_2d=True)
            container = sound.format
    except soundfile.LibsndfileError as error:
        if "lost sync" in error.error_string.lower() or "psf_fread" in error.error_string.lower():
            raise AudioError("truncated", f"the sound stops before its end ({error.error_string})") from error
        raise AudioError("not audio", _not_audio(error)) from error
    if len(samples) > limit:
        raise _too_long(f"more than {max_seconds:.0f} s", max_seconds)
    if container == "FLAC" and len(samples) < stated:
        raise AudioError("truncated", f"the header promises {stated} samples, the file holds {len(samples)}")
    return np.asarray(samples, np.float32), rate


def _too_long(length: str, max_seconds: float) -> AudioError:
    return AudioError("too long", f"the clip lasts {length}; at most {max_seconds:.0f} s are taken: cut it first")


def _mono(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    if len(samples) < MIN_SECONDS * rate:
        seconds = len(samples) / rate
        raise AudioError("too short", f"the clip lasts {seconds:.3f} s; at least {MIN_SECONDS} s are needed")
    if not np.isfinite(samples).all():
        raise AudioError("not finite", "the clip has samples that are not numbers (NaN or infinite); export it again")
    peak = float(np.abs(samples).max())
    if peak > RANGE_PEAK:
        raise AudioError("out of range", f"samples reach {peak:.0f}, expected -1 to 1: saved as float without scaling?")
    mono = samples.mean(axis=1)
    if np.abs(mono).max() < SILENCE_PEAK:
        cause = "its channels cancel out" if peak >= SILENCE_PEAK else "in every channel"
        raise AudioError("silent", f"the clip is silent: no sample above -80 dB of full scale ({cause})")
    if rate != wanted:
        mono = soxr.resample(mono, rate, wanted, quality="HQ")
    return np.clip(mono, -1.0, 1.0).astype(np.float32, copy=False)


def _check_complete(data: bytes) -> None:
    """Raise if the container says that bytes are missing; libsndfile itself would read on silently."""
    match data[:4]:
        case b"RIFF" | b"RF64":
            _check_chunks(data, b"data", "<I")
        case b"FORM":
            _check_chunks(data, b"SSND", ">I")
        case b"OggS":
            _check_ogg(data)
        case b"fLaC":
            pass  # told by the number of samples that come out
        case _:
            _check_mp3(data)


def _check_chunks(data: bytes, sound_chunk: bytes, size_format: str) -> None:
    start, long_size = 12, None
    while start + 8 <= len(data):
        name = data[start : start + 4]
        (size,) = struct.unpack_from(size_format, data, start + 4)
        if name == b"ds64" and len(data) >= start + 24:  # RF64 keeps sizes beyond 4 GB here
            (long_size,) = struct.unpack_from("<Q", data, start + 16)
        if name == sound_chunk:
            held = len(data) - start - 8
            if long_size is not None:
                size = long_size
            elif size >= STREAMED_SIZE:
                return
            if size > held:
                raise AudioError("truncated", f"the header promises {size} bytes of sound, the file holds {held}")
            return
        start += 8 + size + size % 2
    raise AudioError("truncated", "the file ends before its sound begins")


def _check_ogg(data: bytes) -> None:
    last = data.rfind(b"OggS")
    header = data[last : last + 27]
    if len(header) == 27 and header[5] & 4:  # the end-of-stream flag
        body = last + 27 + header[26]
        if len(data) >= body + sum(data[last + 27 : body]):
            return
    raise AudioError("truncated", "the file ends before its last page; copy it again")


def _check_mp3(data: bytes) -> None:
    """Check against the byte count in the Xing/Info header of the first frame, where the encoder wrote one."""
    frame = 0
    if data[:3] == b"ID3" and len(data) > 10:  # a tag, whose size is 4 x 7 bits, comes first
        frame = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    start = next((at for mark in (b"Xing", b"Info") if (at := data.find(mark, frame, frame + 64)) >= 0), -1)
    if start < 0 or start + 16 > len(data):
        return
    (flags,) = struct.unpack_from(">I", data, start + 4)
    if flags & 2:
        at = start + 8 + (4 if flags & 1 else 0)
        (promised,) = struct.unpack_from(">I", data, at)
        if promised > len(data):
            raise AudioError("truncated", f"the header promises {promised} bytes, the file holds {len(data)}")
