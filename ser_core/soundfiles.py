"""Sound files: read into memory once, and opened there, from start to end: by libsndfile, MP4 by ffmpeg."""

import io
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser_core import containers, ffmpeg
from ser_core.errors import SerError

TAG_LENGTH: Final = 200
"""Characters of a file's title, comment and the like that are shown."""


Problem = Literal[
    "missing", "empty", "too large", "not audio", "truncated", "too short", "too long", "silent", "not finite",
    "out of range",
]  # fmt: skip


class AudioError(SerError, ValueError):
    """A clip that cannot be used: ``problem`` is the kind in a word or two, ``reason`` the sentence."""

    def __init__(self, problem: Problem, reason: str, *, file: str = "") -> None:
        super().__init__(f"{plain(file)}: {reason}" if file else reason)
        self.problem: Problem = problem
        self.reason = reason
        self.file = file


class File(soundfile.SoundFile):
    """A sound file that libsndfile reads: what soundfile knows about it, its tags, and one block after the other."""

    def __init__(self, data: bytes) -> None:
        super().__init__(_Memory(data))

    def seekable(self) -> bool:
        """Say no: soundfile would seek after each block, which makes MP3 and OGG decoders start anew."""
        return False

    def block(self, frames: int) -> NDArray[np.float32]:
        """Return the next frames, shape (up to ``frames``, channels), fewer than asked for at the end only."""
        return np.asarray(self.read(frames, dtype="float32", always_2d=True), np.float32)

    @property
    def tags(self) -> dict[str, str]:
        """The texts in the file by kind (title, artist, comment, ...), each in one line."""
        return _tags(self.copy_metadata())


class Mp4:
    """The sound of an MP4 file, which ffmpeg decodes, with the names that soundfile gives to what it knows."""

    def __init__(self, stream: ffmpeg.Stream, header: containers.Mp4) -> None:
        self.samplerate, self.channels, self.block = stream.samplerate, stream.channels, stream.block
        self.frames = round(header.seconds * stream.samplerate)
        self.format, self.subtype, self.subtype_info = "M4A", header.codec, header.codec
        self.tags = _tags(stream.tags)


def content(source: Path | bytes, *, max_bytes: int | None = None) -> bytes:
    """Return the bytes of a file, read once; of one that is larger than ``max_bytes`` nothing is read.

    Raises
    ------
    AudioError
        If it is missing, empty or too large.
    """
    file, size = _name(source), len(source) if isinstance(source, bytes) else 0
    if isinstance(source, bytes):
        data = source
    else:
        try:
            with source.open("rb") as opened:
                size = source.stat().st_size
                large = max_bytes is not None and size > max_bytes
                data = opened.read(1 if large else -1 if max_bytes is None else max_bytes + 1)  # devices state no size
        except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
            reason = error.strerror if isinstance(error, OSError) else error
            raise AudioError("missing", f"cannot be read ({reason})", file=file) from error
    if not data:
        raise AudioError("empty", "the file is empty (0 bytes)", file=file)
    size = max(size, len(data))
    if max_bytes is not None and size > max_bytes:
        reason = f"the file holds {size / 1e6:.1f} MB; at most {max_bytes / 1e6:g} MB are taken"
        raise AudioError("too large", f"{reason}: cut it, or save it as FLAC or MP3", file=file)
    return data


@contextmanager
def naming(source: Path | bytes) -> Iterator[None]:
    """Name the file in an `AudioError` about its content."""
    try:
        yield
    except AudioError as error:
        raise AudioError(error.problem, error.reason, file=_name(source)) from None


@contextmanager
def mp4(data: bytes, program: str, *, max_seconds: float) -> Iterator[Mp4]:
    """Open an MP4 file with the ffmpeg at ``program``.

    Raises
    ------
    FfmpegError
        If ffmpeg cannot decode it.
    """
    header = containers.mp4(data)
    with ffmpeg.opened(data, program, max_seconds=max_seconds) as stream:
        yield Mp4(stream, header)


def plain(text: str) -> str:
    """Return a text in one line, without characters that steer a terminal or turn the reading direction.

    Examples
    --------
    >>> plain("a" + chr(27) + "[2Jb" + chr(10) + " c")
    'a[2Jb c'
    """
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c)[0] != "C")


def _name(source: Path | bytes) -> str:
    return "" if isinstance(source, bytes) else str(source)


def _tags(found: dict[str, str]) -> dict[str, str]:
    texts = {kind: plain(text[: 10 * TAG_LENGTH])[:TAG_LENGTH] for kind, text in found.items()}
    return {kind: text for kind, text in texts.items() if text}


class _Memory(io.BytesIO):
    """Bytes as a file whose failing seeks are answered, as libsndfile expects, and not raised into its C code."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return -1
