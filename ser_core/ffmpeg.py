"""M4A and MP4 sound through the system's ffmpeg: in memory, without a network, within limits of time and size.

ffmpeg gets the bytes of a hostile stranger. It reads them as MP4 and nothing else, from an unnamed file in memory (a
pipe where the system has none), may open no other address, follows no references to other files, and is ended as
soon as its time is over. Its sound comes back as a stream of AU (32-bit float), block by block.
"""

import contextlib
import os
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Final, cast

import numpy as np
from numpy.typing import NDArray

from ser_core.errors import SerError

TIME_LIMIT: Final = 60.0
"""Seconds that ffmpeg may take for one file; ten minutes of sound take it one or two."""
MOST_MEMORY: Final = 2**27
"""Bytes that ffmpeg may ask for in one piece."""
MOST_TAGS: Final = 2**20
"""Bytes of the sound's header, which holds the file's title and the like."""
_HEADER: Final = struct.Struct(">4sIIIII")
"""AU: magic, where the sound starts, its size, its coding, rate in Hz, channels."""


class FfmpegError(SerError):
    """What ffmpeg cannot do with a file: ``slow`` where its time was over."""

    def __init__(self, reason: str, *, slow: bool = False) -> None:
        super().__init__(reason)
        self.slow = slow


class Stream:
    """Sound that ffmpeg decodes: rate in Hz, channels, tags, and one block after the other."""

    def __init__(self, process: subprocess.Popen[bytes], sound: IO[bytes], deadline: float) -> None:
        self._process, self._sound, self._deadline = process, sound, deadline
        header = sound.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise self._failed("ffmpeg finds no sound in it that it can decode")
        _, start, _, _, self.samplerate, self.channels = _HEADER.unpack(header)
        if start > MOST_TAGS:
            raise FfmpegError(f"its title and other texts take {start} bytes; at most {MOST_TAGS} are read")
        self.tags = _tags(sound.read(start - _HEADER.size))

    def block(self, frames: int) -> NDArray[np.float32]:
        """Return the next frames, shape (up to ``frames``, channels); fewer than asked for at the end only.

        Raises
        ------
        FfmpegError
            If ffmpeg ended with an error or took too long.
        """
        data = self._sound.read(frames * self.channels * 4)
        whole = len(data) // (self.channels * 4)
        if whole < frames and self._process.wait() != 0:
            raise self._failed("ffmpeg cannot decode all of its sound")
        values = np.frombuffer(data, ">f4", whole * self.channels)
        return values.astype(np.float32).reshape(whole, self.channels)

    def _failed(self, reason: str) -> FfmpegError:
        if time.monotonic() >= self._deadline:
            return FfmpegError(f"ffmpeg needs more than {TIME_LIMIT:g} s to decode it: cut it first", slow=True)
        return FfmpegError(reason)


def program() -> str | None:
    """Return where the system's ffmpeg is, None where there is none."""
    return shutil.which("ffmpeg")


@contextmanager
def opened(data: bytes, program: str, *, max_seconds: float) -> Iterator[Stream]:
    """Start decoding the first sound of an MP4 file at its own rate and channels; end ffmpeg afterwards.

    Raises
    ------
    FfmpegError
        If ffmpeg cannot be started, finds no sound, or takes longer than `TIME_LIMIT`.
    """
    with _given(data) as (address, stdin, files):
        command = _command(program, address, max_seconds)
        try:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_surroundings(),
                pass_fds=files,
            )
        except OSError as error:
            raise FfmpegError(f"ffmpeg is there, but cannot be started ({error.strerror})") from error
        with process:  # closes its pipes and waits for it
            deadline = time.monotonic() + TIME_LIMIT
            timer = threading.Timer(TIME_LIMIT, process.kill)
            timer.daemon = True
            timer.start()
            try:
                yield Stream(process, cast("IO[bytes]", process.stdout), deadline)
            finally:
                timer.cancel()
                process.kill()


def _command(program: str, address: str, max_seconds: float) -> list[str]:
    safe = ["-nostdin", "-hide_banner", "-loglevel", "quiet", "-max_alloc", str(MOST_MEMORY), "-threads", "1"]
    read = ["-protocol_whitelist", address.partition(":")[0], "-f", "mov", "-enable_drefs", "0", "-i", address]
    sound_only = ["-map", "0:a:0", "-vn", "-sn", "-dn", "-t", f"{max_seconds + 1:.3f}"]
    return [program, *safe, *read, *sound_only, "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]


def _given(data: bytes) -> AbstractContextManager[tuple[str, int, tuple[int, ...]]]:
    """Give ffmpeg the bytes: their address for it, its standard input, and the files that it may have."""
    return _unnamed(data) if hasattr(os, "memfd_create") else _piped(data)


@contextmanager
def _unnamed(data: bytes) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """Put the bytes into a file without a name, in memory, which ffmpeg can seek in."""
    descriptor = os.memfd_create("clip")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield f"file:/proc/self/fd/{descriptor}", subprocess.DEVNULL, (descriptor,)
    finally:
        os.close(descriptor)


@contextmanager
def _piped(data: bytes) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """Write the bytes into a pipe; files whose table of contents comes last cannot be read from one."""
    reading, writing = os.pipe()
    feeder = threading.Thread(target=_feed, args=(writing, data), daemon=True)
    feeder.start()
    try:
        yield "pipe:0", reading, ()
    finally:
        os.close(reading)
        feeder.join()


def _feed(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(OSError), open(descriptor, "wb", buffering=0) as file:  # ffmpeg may read a part of it only
        file.write(data)


def _surroundings() -> dict[str, str]:
    """Return the environment without what would make ffmpeg write a log file."""
    return {name: value for name, value in os.environ.items() if name != "FFREPORT"}


def _tags(annotation: bytes) -> dict[str, str]:
    """Return what ffmpeg writes into an AU header: lines such as ``Title=...``."""
    lines = annotation.decode("utf-8", "replace").strip("\0").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {name.lower(): text for name, sign, text in pairs if sign and name.isidentifier()}
