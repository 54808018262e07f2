"""What a sound file's container says about itself: bytes that are missing, and the length of MP4 files.

libsndfile reads on silently where a file was cut off, so the containers are asked first. Nothing is decoded here.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

STREAMED_SIZE: Final = 0x7FFF0000
"""WAV sizes from here on are what programs write that cannot seek back: the true size is not known."""
MOST_PARTS: Final = 10_000
"""Chunks or boxes looked at; real files have a dozen, and millions of empty ones would only cost time."""
CODECS: Final = {b"alac": "ALAC", b"Opus": "Opus", b"fLaC": "FLAC", b"ac-3": "AC-3", b"ec-3": "E-AC-3", b"mp4a": "AAC"}

NO_SOUND: Final = "the file ends before its sound begins"


@dataclass(frozen=True)
class Mp4:
    """What an MP4 file's header says: length in seconds (0 where it is not stated) and the name of the codec."""

    seconds: float
    codec: str


def is_mp4(data: bytes) -> bool:
    """Tell whether bytes are an MP4 file (M4A, MOV): an ``ftyp`` box comes first."""
    return data[4:8] == b"ftyp"


def fault(data: bytes) -> str | None:
    """Return what is missing, as a sentence, where the container says that bytes are missing; else None.

    FLAC files are not looked at: they tell by the number of samples that come out.

    Examples
    --------
    >>> fault(b"RIFF....WAVEdata" + (1000).to_bytes(4, "little") + bytes(900))
    'the header promises 1000 bytes of sound, the file holds 900'
    """
    if is_mp4(data):
        return _mp4_fault(data)
    match data[:4]:
        case b"RIFF" | b"RF64":
            return _chunk_fault(data, b"data", "<I")
        case b"FORM":
            return _chunk_fault(data, b"SSND", ">I")
        case b"OggS":
            return _ogg_fault(data)
        case b"fLaC":
            return None
        case _:
            return _mp3_fault(data)


def mp4(data: bytes) -> Mp4:
    """Read the movie header of an MP4 file (ISO/IEC 14496-12, 8.2.2) and find its codec; for whole files."""
    seconds, codec = 0.0, "unknown codec"
    for name, start, end in _boxes(data, 0, len(data)):
        if name == b"moov":
            seconds = next((_length(data[a:b]) for inner, a, b in _boxes(data, start, end) if inner == b"mvhd"), 0.0)
            codec = next((word for code, word in CODECS.items() if data.find(code, start, end) >= 0), codec)
    return Mp4(seconds, codec)


def _length(header: bytes) -> float:
    at, form, unknown = (20, ">IQ", 2**64 - 1) if header[:1] == b"\1" else (12, ">II", 2**32 - 1)
    if len(header) < at + struct.calcsize(form):
        return 0.0
    scale, duration = struct.unpack_from(form, header, at)
    return 0.0 if scale == 0 or duration == unknown else duration / scale


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each box, and where its content starts and ends; the end may lie beyond the data."""
    for _ in range(MOST_PARTS):
        if start + 8 > end:
            return
        size, name = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1 and start + 16 <= end:  # a long size follows
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        if size == 0:  # up to the end
            size = end - start
        if size < content - start:
            return
        yield name, content, start + size
        start += size


def _mp4_fault(data: bytes) -> str | None:
    names = set()
    for name, _, end in _boxes(data, 0, len(data)):
        if end > len(data):
            return f"the header promises {end} bytes, the file holds {len(data)}"
        names.add(name)
    return None if b"moov" in names else "the file ends before its table of contents (moov)"


def _chunk_fault(data: bytes, sound_chunk: bytes, size_format: str) -> str | None:
    start, long_size = 12, None
    for _ in range(MOST_PARTS):
        if start + 8 > len(data):
            break
        name = data[start : start + 4]
        (size,) = struct.unpack_from(size_format, data, start + 4)
        if name == b"ds64" and len(data) >= start + 24:  # RF64 keeps sizes beyond 4 GB here
            (long_size,) = struct.unpack_from("<Q", data, start + 16)
        if name == sound_chunk:
            held = len(data) - start - 8
            if long_size is not None:
                size = long_size
            elif size >= STREAMED_SIZE:
                return None
            return f"the header promises {size} bytes of sound, the file holds {held}" if size > held else None
        start += 8 + size + size % 2
    return NO_SOUND


def _ogg_fault(data: bytes) -> str | None:
    last = data.rfind(b"OggS")
    header = data[last : last + 27]
    if len(header) == 27 and header[5] & 4:  # the end-of-stream flag
        body = last + 27 + header[26]
        if len(data) >= body + sum(data[last + 27 : body]):
            return None
    return "the file ends before its last page; copy it again"


def _mp3_fault(data: bytes) -> str | None:
    """Check against the byte count in the Xing/Info header of the first frame, where the encoder wrote one."""
    frame = 0
    if data[:3] == b"ID3" and len(data) > 10:  # a tag, whose size is 4 x 7 bits, comes first
        frame = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    start = next((at for mark in (b"Xing", b"Info") if (at := data.find(mark, frame, frame + 64)) >= 0), -1)
    if start < 0 or start + 16 > len(data):
        return None
    (flags,) = struct.unpack_from(">I", data, start + 4)
    if flags & 2:
        at = start + 8 + (4 if flags & 1 else 0)
        (promised,) = struct.unpack_from(">I", data, at)
        if promised > len(data):
            return f"the header promises {promised} bytes, the file holds {len(data)}"
    return None
