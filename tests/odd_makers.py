"""Makers of sound files: by libsndfile and, where it would refuse, by hand with whatever header one likes."""

import io
import os
import struct
import subprocess
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16_000


def tone(seconds: float = 0.4, *, rate: int = RATE, level: float = 0.3) -> NDArray[np.float64]:
    """A tone of 220 Hz with an overtone, in a little seeded noise."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(size=len(t)) * 0.01
    return level * (np.sin(2 * np.pi * 220 * t) + 0.3 * np.sin(2 * np.pi * 660 * t) + noise)


def encoded(x: NDArray[Any], rate: int = RATE, container: str = "WAV", subtype: str = "PCM_16", **tags: str) -> bytes:
    out = io.BytesIO()
    channels = 1 if x.ndim == 1 else x.shape[1]
    with soundfile.SoundFile(out, "w", rate, channels, format=container, subtype=subtype) as sound:
        for kind, text in tags.items():
            setattr(sound, kind, text)
        for start in range(0, len(x), RATE):  # libsndfile's Vorbis encoder crashes on minutes at once
            sound.write(x[start : start + RATE])
    return _timeless(out.getvalue())


def _timeless(data: bytes) -> bytes:
    """The same file without the time and the random number that libsndfile writes into some."""
    out = bytearray(data)
    if (at := data.find(b"PEAK", 0, 200)) >= 0:
        out[at + 12 : at + 16] = bytes(4)
    for start, _ in pages(data):
        out[start + 14 : start + 18] = b"page"
    return resummed(bytes(out))


@cache
def good(container: str, subtype: str) -> bytes:
    rate = 48_000 if subtype == "OPUS" else RATE
    return encoded(tone(rate=rate), rate, container, subtype)


def chunk(name: bytes, content: bytes, *, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(content) if size is None else size) + content + bytes(len(content) % 2)


def wav(
    sound: bytes | None = None, *, tag: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16,
    align: int | None = None, per_second: int | None = None, size: int | None = None, riff: int | None = None,
    more: bytes = b"", before: bytes = b"", after: bytes = b"",
) -> bytes:  # fmt: skip
    """A WAV file whose header says whatever it is told to."""
    sound = (tone() * 32767).astype("<i2").tobytes() if sound is None else sound
    align = channels * bits // 8 if align is None else align
    per_second = rate * align if per_second is None else per_second
    header = struct.pack("<HHIIHH", tag, channels, rate, per_second & 0xFFFFFFFF, align & 0xFFFF, bits) + more
    body = b"WAVE" + chunk(b"fmt ", header) + before + chunk(b"data", sound, size=size) + after
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


@cache
def _table(polynomial: int, width: int) -> list[int]:
    top, mask, table = 1 << (width - 1), (1 << width) - 1, []
    for byte in range(256):
        value = byte << (width - 8)
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    return table


def _crc(rows: NDArray[np.uint8], polynomial: int, width: int) -> NDArray[np.uint16]:
    """The checksum of every row at once: of FLAC's frame headers (8 bits) and frames (16 bits)."""
    lookup, sums = np.array(_table(polynomial, width), np.uint16), np.zeros(len(rows), np.uint16)
    for column in rows.T:
        sums = ((sums << 8) & ((1 << width) - 1)).astype(np.uint16) ^ lookup[((sums >> (width - 8)) ^ column) & 0xFF]
    return sums


def pages(data: bytes) -> list[tuple[int, int]]:
    """Where the pages of an OGG file start and end."""
    found, start = [], 0
    while data[start : start + 4] == b"OggS":
        body = start + 27 + data[start + 26]
        end = body + sum(data[start + 27 : body])
        found.append((start, end))
        start = end
    return found


def resummed(data: bytes) -> bytes:
    """The same OGG file with right checksums, so that it is its lie that is judged; other files as they are."""
    out, table = bytearray(data), _table(0x04C11DB7, 32)
    for start, end in pages(data):
        out[start + 22 : start + 26] = bytes(4)
        total = 0
        for byte in out[start:end]:
            total = ((total << 8) & 0xFFFFFFFF) ^ table[(total >> 24) ^ byte]
        out[start + 22 : start + 26] = struct.pack("<I", total)
    return bytes(out)


def _numbers(first: int, last: int, n_bytes: int) -> NDArray[np.uint8]:
    """Frame numbers as FLAC writes them: in the way of UTF-8."""
    numbers = np.arange(first, last, dtype=np.uint64)
    if n_bytes == 1:
        return numbers.astype(np.uint8)[:, None]
    lead = {2: 0xC0, 3: 0xE0, 4: 0xF0}[n_bytes]
    columns = [lead | (numbers >> (6 * (n_bytes - 1)))]
    columns += [0x80 | ((numbers >> (6 * k)) & 0x3F) for k in range(n_bytes - 2, -1, -1)]
    return np.stack(columns, axis=1).astype(np.uint8)


def flac(
    levels: NDArray[np.int16], *, rate: int, block: int = 4608, stated: int | None = None, bits: int = 16
) -> bytes:
    """A FLAC file of constant blocks, written by hand, a few bytes each: ``levels`` has shape (n_blocks, channels)."""
    n_blocks, channels = levels.shape
    total = n_blocks * block if stated is None else stated
    packed = (rate << 44) | ((channels - 1) << 41) | ((bits - 1) << 36) | total
    info = struct.pack(">HH", block, block) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    parts = [b"fLaC\x80\x00\x00\x22" + info]
    bounds = [0, 0x80, 0x800, 0x10000, 0x200000]
    for n_bytes, (first, last) in enumerate(pairwise(bounds), 1):
        if n_blocks > first:
            parts.append(_flac_frames(levels[first:last], _numbers(first, min(last, n_blocks), n_bytes), block))
    return b"".join(parts)


def _flac_frames(levels: NDArray[np.int16], numbers: NDArray[np.uint8], block: int) -> bytes:
    n, channels = levels.shape
    fixed = np.tile(np.array([0xFF, 0xF8, 0x70, (channels - 1) << 4 | 0x08], np.uint8), (n, 1))
    size = np.tile(np.frombuffer(struct.pack(">H", block - 1), np.uint8), (n, 1))
    header = np.hstack([fixed, numbers, size])
    values = levels.astype(">i2")[:, :, None].copy().view(np.uint8).reshape(n, channels, 2)
    sound = np.concatenate([np.zeros((n, channels, 1), np.uint8), values], axis=2).reshape(n, channels * 3)
    frames = np.hstack([header, _crc(header, 0x07, 8).astype(np.uint8)[:, None], sound])
    ends = _crc(frames, 0x8005, 16).astype(">u2")[:, None].view(np.uint8)
    return np.hstack([frames, ends]).tobytes()


def square(seconds: float, *, rate: int, block: int, channels: int, level: int = 8000) -> NDArray[np.int16]:
    """Levels of `flac` that swing once in two blocks."""
    n = int(seconds * rate / block)
    return np.repeat(np.where(np.arange(n) % 2, -level, level).astype(np.int16)[:, None], channels, axis=1)


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def box(name: bytes, content: bytes, *, size: int | None = None) -> bytes:
    return struct.pack(">I", len(content) + 8 if size is None else size) + name + content


def m4a(options: list[str]) -> bytes:
    """A tone as M4A; ffmpeg writes it into a file in memory, since it goes back in it to fill the gaps."""
    descriptor = os.memfd_create("made")
    try:
        path = f"/proc/self/fd/{descriptor}"
        command = [
            "ffmpeg",
            "-y",
            "-loglevel",
            "error",
            "-f",
            "wav",
            "-i",
            "pipe:0",
            "-bitexact",
            *options,
            "-f",
            "ipod",
            path,
        ]
        subprocess.run(command, input=encoded(tone(1.0, rate=44_100), 44_100), check=True, pass_fds=(descriptor,))
        with open(descriptor, "rb", closefd=False) as file:
            file.seek(0)
            return file.read()
    finally:
        os.close(descriptor)
