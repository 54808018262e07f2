"""More than two hundred damaged or odd files, made in memory: what people upload by mistake, or on purpose."""

import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from odd_makers import RATE, box, chunk, encoded, flac, good, m4a, pages, patched, resummed, square, tone, wav

FINE = frozenset({"fine"})
CUT = frozenset({"truncated", "not audio"})
NO_AUDIO = frozenset({"not audio", "truncated"})
SHORT = frozenset({"too short"})
ANYTHING = frozenset(
    {"fine", "truncated", "not audio", "too short", "too long", "too large", "silent", "not finite", "out of range"}
)


@dataclass(frozen=True)
class OddFile:
    """A file, and how `audio.decode` may answer: "fine", or the problem of its `AudioError`."""

    name: str
    data: bytes
    expected: frozenset[str]


def odd_files() -> Iterator[OddFile]:
    """Make them one after the other (some are large); the same bytes each time."""
    return chain(
        _no_sound(),
        _wrong_endings(),
        _formats(),
        _lengths(),
        _values(),
        _wav_lies(),
        _other_lies(),
        _bombs(),
        _cuts(),
        _flips(),
        _texts(),
        _names(),
        _mp4s(),
    )


def _no_sound() -> Iterator[OddFile]:
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 1, 1, 8, 2, 0, 0, 0) + bytes(60)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("clip.wav"), good("WAV", "PCM_16"))
    yield OddFile("empty.wav", b"", frozenset({"empty"}))
    noise = np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    contents = {
        "one_byte.wav": b"R", "two_bytes.mp3": b"\xff\xfb", "letter.wav": b"Dear doctor, here is my voice. " * 40,
        "page.html": b"<!DOCTYPE html><html><script>alert(1)</script></html>" * 9, "picture.png": png,
        "clip.zip": packed.getvalue(), "clip.wav.gz": b"\x1f\x8b\x08" + zlib.compress(good("WAV", "PCM_16")),
        "data.json": b'{"clip": [1, 2, 3]}', "only_zeros.wav": bytes(4096), "ones.wav": b"\xff" * 4096,
        "paper.pdf": b"%PDF-1.7\n1 0 obj<<>>endobj\n" * 9, "program": b"\x7fELF\x02\x01\x01" + bytes(200),
        "noise.wav": noise, "utf16.txt": "Liebe Frau Doktor".encode("utf-16") * 20, "only_riff.wav": b"RIFF",
        "only_flac.flac": b"fLaC", "only_ogg.ogg": b"OggS", "only_id3.mp3": b"ID3", "only_form.aiff": b"FORM",
        "film.avi": b"RIFF" + struct.pack("<I", 2000) + b"AVI LIST" + bytes(2000),
        "tune.mid": b"MThd\0\0\0\6\0\1\0\1\0`",
        "picture.webp": b"RIFF" + struct.pack("<I", 2000) + b"WEBPVP8 " + bytes(2000),
        "list.m3u": b"#EXTM3U\n/etc/passwd\n",
        "list.m3u8": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "drawing.svg": b"<svg><script/></svg>",
        "sheet.csv": b"file,emotion\na.wav,anger\n", "script.py": b"import os\nos.remove('x')\n",
        "webm.webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01" + bytes(400), "newlines.txt": b"\n" * 3000,
    }  # fmt: skip
    for name, data in contents.items():
        yield OddFile(name, data, NO_AUDIO)


def _wrong_endings() -> Iterator[OddFile]:
    yield OddFile("flac_named.wav", good("FLAC", "PCM_16"), FINE)
    yield OddFile("wav_named.mp3", good("WAV", "PCM_16"), FINE)
    yield OddFile("mp3_named.flac", good("MP3", "MPEG_LAYER_III"), FINE)
    yield OddFile("ogg_named.wav", good("OGG", "VORBIS"), FINE)
    yield OddFile("aiff_named.m4a", good("AIFF", "PCM_16"), FINE)
    yield OddFile("text_named.flac", b"not a sound", NO_AUDIO)
    yield OddFile("no_ending", good("OGG", "OPUS"), FINE)


FORMATS = [
    *(("WAV", s) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM")),
    ("WAV", "MS_ADPCM"), ("WAV", "GSM610"), ("WAV", "G721_32"), ("WAVEX", "PCM_16"), ("WAVEX", "FLOAT"),
    ("RF64", "PCM_16"), ("RF64", "FLOAT"), ("W64", "PCM_24"), ("AIFF", "PCM_S8"), ("AIFF", "PCM_16"),
    ("AIFF", "PCM_24"), ("AIFF", "FLOAT"), ("AU", "PCM_16"), ("AU", "ULAW"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"),
    ("FLAC", "PCM_S8"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"), ("NIST", "PCM_16"),
]  # fmt: skip


def _formats() -> Iterator[OddFile]:
    for container, subtype in FORMATS:
        yield OddFile(f"{container}_{subtype}.{container.lower()}", good(container, subtype), FINE)
    for rate in (100, 1000, 6000, 8000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000):
        yield OddFile(f"{rate}_hz.wav", encoded(tone(rate=rate), rate, "WAV", "FLOAT"), FINE)
    yield OddFile("96_khz.flac", encoded(tone(rate=96_000), 96_000, "FLAC", "PCM_24"), FINE)
    highest = flac(square(0.5, rate=655_350, block=1024, channels=1), rate=655_350, block=1024)
    yield OddFile("655350_hz.flac", highest, FINE)
    for channels in (2, 3, 5, 6, 8, 64, 1024):
        many = np.outer(tone(0.2), 1 + np.arange(channels)) / channels
        yield OddFile(f"{channels}_channels.wav", encoded(many, subtype="FLOAT"), FINE)
    surround = np.outer(tone(rate=48_000), [1, 0.5, 0.2, 0.9, 0.1, 0.3])
    yield OddFile("surround.flac", encoded(surround, 48_000, "FLAC", "PCM_24"), FINE)
    yield OddFile("surround.ogg", encoded(surround, 48_000, "OGG", "VORBIS"), FINE)


def _lengths() -> Iterator[OddFile]:
    pairs = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]
    for container, subtype in pairs:
        ending = container.lower()
        lossless = container not in {"OGG", "MP3"}
        for n in (1, 1599):
            data = encoded(tone()[:n], RATE, container, subtype)
            yield OddFile(f"{n}_samples.{ending}", data, SHORT if lossless else ANYTHING)
    for container, subtype in pairs[:1] + pairs[2:4]:
        yield OddFile(f"0_samples.{container.lower()}", encoded(tone()[:0], RATE, container, subtype), SHORT | CUT)
    yield OddFile("0_samples.flac", flac(np.zeros((0, 1), np.int16), rate=RATE), ANYTHING - FINE)
    yield OddFile("exactly_100_ms.wav", encoded(tone()[:1600]), FINE)
    yield OddFile("one_sample_at_1_hz.wav", wav(b"\x00\x20", rate=1), FINE)


def _values() -> Iterator[OddFile]:
    x = tone()
    odd, broken = np.arange(len(x)) == 77, frozenset({"not finite"})
    for name, value in {"nan": np.nan, "inf": np.inf, "minus_inf": -np.inf}.items():
        yield OddFile(f"{name}.wav", encoded(np.where(odd, value, x), subtype="FLOAT"), broken)
        yield OddFile(f"all_{name}.wav", encoded(np.full(len(x), value), subtype="DOUBLE"), broken)
    yield OddFile("last_is_nan.wav", encoded(np.append(x, np.nan), subtype="FLOAT"), broken)
    yield OddFile("nan_in_one_of_two.wav", encoded(np.stack([x, np.where(odd, np.nan, x)], 1), subtype="FLOAT"), broken)
    yield OddFile("inf_minus_inf.wav", encoded(np.tile([np.inf, -np.inf], (4000, 1)), subtype="FLOAT"), broken)
    yield OddFile("1e300.wav", encoded(x * 1e300, subtype="DOUBLE"), broken)
    out = frozenset({"out of range"})
    yield OddFile("largest_float.wav", encoded(np.tile([3e38, 3e38], (4000, 1)), subtype="FLOAT"), out)
    yield OddFile("integers_as_float.wav", encoded(x * 32_768, subtype="FLOAT"), out)
    yield OddFile("integers_as_double.wav", encoded(np.sign(x) * 32_768, subtype="DOUBLE"), out)
    silent = frozenset({"silent"})
    quiet = {"zeros": 0 * x, "denormal": x * 1e-42, "81_db_down": x / np.abs(x).max() * 0.9e-4}
    for name, values in quiet.items():
        yield OddFile(f"{name}.wav", encoded(values, subtype="DOUBLE"), silent)
    yield OddFile("channels_cancel.wav", encoded(np.stack([x, -x], 1), subtype="FLOAT"), silent)
    fine = {
        "79_db_down": x / np.abs(x).max() * 1.1e-4, "dc": np.full(len(x), 0.25), "full_scale_dc": np.ones(len(x)),
        "square": np.sign(x), "a_little_beyond": x * 4, "one_click": np.where(odd, 0.9, 0.0),
        "negative_dc": x * 0 - 1,
        "one_channel_of_eight": np.outer(x, np.eye(8)[3]), "alternating": np.where(np.arange(len(x)) % 2, 0.5, -0.5),
    }  # fmt: skip
    for name, values in fine.items():
        yield OddFile(f"{name}.wav", encoded(values, subtype="FLOAT"), FINE)


def _wav_lies() -> Iterator[OddFile]:
    floats = tone().astype("<f4").tobytes()
    lost = {
        "rate_0": wav(rate=0), "no_channels": wav(channels=0), "no_bits": wav(bits=0), "coding_0": wav(tag=0),
        "coding_65535": wav(tag=65_535), "coding_mp3": wav(tag=0x55), "half_the_sound": wav(size=25_600),
        "size_2_gb": wav(size=0x7FFEFFFF), "no_fmt": b"RIFF\x24\x32\0\0WAVE" + chunk(b"data", bytes(12_800)),
        "fmt_of_0_bytes": b"RIFF\x24\0\0\0WAVE" + chunk(b"fmt ", b"") + chunk(b"data", bytes(999)),
        "endless_chunk": wav(before=b"junk\xff\xff\xff\x7f" + bytes(9)), "no_data": wav()[:36],
        "fmt_of_4_gb": b"RIFF\xff\xff\xff\xffWAVE" + chunk(b"fmt ", bytes(40), size=0xFFFFFFFF),
        "extensible_too_short": wav(tag=0xFFFE, more=b"\x16\0"),
    }  # fmt: skip
    for name, data in lost.items():
        yield OddFile(f"{name}.wav", data, NO_AUDIO | ({"too short"} if name == "coding_mp3" else set()))
    guid = bytes.fromhex("0000000000001000800000aa00389b71")
    extensible = struct.pack("<HHI", 22, 16, 4)
    fine = {
        "size_unknown": wav(size=0xFFFFFFFF), "size_of_a_pipe": wav(size=0x7FFFF000), "riff_size_0": wav(riff=0),
        "riff_size_4_gb": wav(riff=0xFFFFFFFF), "bytes_per_second_0": wav(per_second=0),
        "a_list_after": wav(after=chunk(b"LIST", b"INFO" + bytes(400))),
        "odd_chunk_before": wav(before=chunk(b"bext", b"abc")),
        "many_chunks_before": wav(before=chunk(b"junk", b"") * 500),
        "two_sounds": wav(after=chunk(b"data", bytes(400))),
        "true_float": wav(floats, tag=3, bits=32),
        "extensible": wav(tag=0xFFFE, more=extensible + b"\1\0" + guid[2:]),
    }  # fmt: skip
    for name, data in fine.items():
        yield OddFile(
            f"{name}.wav", data, ANYTHING if name in {"odd_chunk_before", "extensible", "two_sounds"} else FINE
        )
    either = {
        "rate_1": wav(rate=1), "rate_2_31": wav(rate=2**31 - 1), "rate_2_32": wav(rate=2**32 - 1),
        "65535_channels": wav(channels=65_535), "255_channels": wav(channels=255), "align_0": wav(align=0),
        "align_3": wav(align=3), "align_65535": wav(align=65_535), "bits_1": wav(bits=1), "bits_12": wav(bits=12),
        "bits_64": wav(bits=64), "bits_65535": wav(bits=65_535), "float_called_pcm": wav(floats, bits=32),
        "pcm_called_float": wav(tag=3, bits=32), "rubbish_guid": wav(tag=0xFFFE, more=extensible + b"\xee" * 16),
        "adpcm_without_table": wav(tag=2, bits=4), "gsm_of_noise": wav(tag=0x31, bits=0, align=65),
        "fmt_after_data": b"RIFF\0\0\0\0WAVE" + wav()[36:] + wav()[12:36],
        "odd_bytes": wav(bytes(range(256)) * 13 + b"x"),
        "two_formats": wav(before=wav(channels=2, rate=8000)[12:36]), "mu_law_of_noise": wav(tag=7, bits=8),
    }  # fmt: skip
    for name, data in either.items():
        yield OddFile(f"{name}.wav", data, ANYTHING)


def _other_lies() -> Iterator[OddFile]:
    levels = square(1, rate=RATE, block=160, channels=1)
    lossless = {"rate": RATE, "block": 160}
    yield OddFile("handmade.flac", flac(levels, **lossless), FINE)
    yield OddFile("twice_the_sound.flac", flac(levels, **lossless, stated=32_000), CUT)
    yield OddFile("2_36_samples.flac", flac(levels, **lossless, stated=2**36 - 1), frozenset({"too long"}))
    yield OddFile("half_the_sound.flac", flac(levels, **lossless, stated=8_000), ANYTHING)
    yield OddFile("length_unknown.flac", flac(levels, **lossless, stated=0), ANYTHING)
    yield OddFile("rate_0.flac", flac(levels, rate=0, block=160), ANYTHING)
    yield OddFile("rate_1.flac", flac(levels, rate=1, block=160), frozenset({"too long"}))
    yield OddFile("other_bits.flac", flac(levels, **lossless, bits=24), ANYTHING)
    yield OddFile("blocks_of_1.flac", patched(flac(levels, **lossless), 8, b"\0\1\0\1"), ANYTHING)
    yield OddFile("blocks_of_65535.flac", patched(flac(levels, **lossless), 8, b"\xff\xff\xff\xff"), ANYTHING)
    aiff = good("AIFF", "PCM_16")
    common = aiff.find(b"COMM")
    for name, at, new in [
        ("rate_nan", 16, b"\x7f\xff" + b"\xff" * 8), ("rate_huge", 16, b"\x7f\xfe" + b"\xff" * 8),
        ("rate_0", 16, bytes(10)),
        ("negative_rate", 16, b"\xc0\x0c" + b"\xfa\0" + bytes(6)), ("2_32_frames", 10, b"\xff" * 4),
        ("no_frames", 10, bytes(4)),
        ("65535_channels", 8, b"\xff\xff"), ("no_channels", 8, bytes(2)), ("bits_255", 14, b"\0\xff"),
    ]:  # fmt: skip
        yield OddFile(f"{name}.aiff", patched(aiff, common + at, new), ANYTHING)
    floats = good("AIFF", "FLOAT")
    for number, (at, new) in enumerate([(-2, b"\xff" * 4), (0, b"\xff" * 4), (2, b"\x80\0\0\0")]):
        bad = patched(floats, floats.find(b"PEAK") + at, new)
        yield OddFile(f"seek_before_the_start_{number}.aiff", bad, ANYTHING)  # so libsndfile does with these
    ogg = good("OGG", "VORBIS")
    for name, at, new in [
        ("rate_0", 40, bytes(4)), ("rate_2_31", 40, b"\xff\xff\xff\x7f"), ("no_channels", 39, b"\0"),
        ("255_channels", 39, b"\xff"),
        ("version_9", 35, b"\x09\0\0\0"), ("10_hours", ogg.rfind(b"OggS") + 6, struct.pack("<Q", 36_000 * RATE)),
        ("2_62_samples", ogg.rfind(b"OggS") + 6, struct.pack("<Q", 2**62)),
        ("minus_1", ogg.rfind(b"OggS") + 6, b"\xff" * 8),
    ]:  # fmt: skip
        yield OddFile(f"{name}.ogg", resummed(patched(ogg, at, new)), ANYTHING)
    mp3 = good("MP3", "MPEG_LAYER_III")
    index = max(mp3.find(b"Info"), mp3.find(b"Xing"))
    for name, at, new in [
        ("2_31_frames", 8, b"\x7f\xff\xff\xff"),
        ("no_frames", 8, bytes(4)),
        ("no_bytes", 12, bytes(4)),
    ]:
        yield OddFile(f"{name}.mp3", patched(mp3, index + at, new), ANYTHING)
    yield OddFile("endless_id3.mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + mp3, ANYTHING)
    rf64 = good("RF64", "PCM_16")
    sizes = rf64.find(b"ds64")
    yield OddFile("2_60_bytes.rf64", patched(rf64, sizes + 16, struct.pack("<Q", 2**60)), CUT)
    yield OddFile("2_63_bytes.rf64", patched(rf64, sizes + 16, struct.pack("<Q", 2**63 + 1)), CUT)
    for container, subtype in (("W64", "PCM_24"), ("CAF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "ALAC_16")):
        data = good(container, subtype)
        for at in (4, 8, 16, 24, 40, 48):
            yield OddFile(
                f"huge_at_{at}_{subtype}.{container.lower()}", patched(data, at, b"\x7f" + b"\xff" * 7), ANYTHING
            )


def _bombs() -> Iterator[OddFile]:
    too_long, too_large = frozenset({"too long"}), frozenset({"too large"})
    ten_hours = np.zeros((36_000 * RATE // 4608, 1), np.int16)
    yield OddFile("10_hours_of_silence.flac", flac(ten_hours, rate=RATE), too_long)
    yield OddFile("10_hours_called_1_s.flac", flac(ten_hours, rate=RATE, stated=RATE), frozenset({"silent", *CUT}))
    yield OddFile("10_hours_without_length.flac", flac(ten_hours, rate=RATE, stated=0), ANYTHING - FINE)
    silence = bytes.fromhex("ffe318c0") + bytes(68)  # 72 ms of MPEG 2.5 layer III at 8 kHz and 8 kbit/s
    yield OddFile("10_hours_of_silence.mp3", silence * 500_000, too_long)
    yield OddFile("601_s.wav", wav(bytes(601 * 2 * 8000), rate=8000), too_long)
    yield OddFile("601_s.flac", flac(square(601, rate=8000, block=80, channels=1), rate=8000, block=80), too_long)
    yield OddFile("601_s.mp3", silence * 8348, too_long)
    yield OddFile("601_s.ogg", encoded(np.zeros(601 * 8000), 8000, "OGG", "VORBIS"), too_long)
    surround = flac(square(600, rate=96_000, block=192, channels=6), rate=96_000, block=192)
    yield OddFile("10_minutes_surround_96_khz.flac", surround, FINE)
    most = flac(square(599, rate=655_350, block=65_535, channels=8), rate=655_350, block=65_535)
    yield OddFile("10_minutes_of_all_flac_can.flac", most, too_large)
    yield OddFile("51_mb.wav", wav(bytes(51_000_000)), too_large)
    yield OddFile("49_mb_of_no_chunks.wav", b"RIFF\0\0\0\0WAVE" + bytes(49_000_000), NO_AUDIO)
    yield OddFile("49_mb_of_chunks.wav", b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 6_000_000, NO_AUDIO)
    yield OddFile("49_mb_of_pages.ogg", (b"OggS" + bytes(23)) * 1_800_000, NO_AUDIO)
    yield OddFile("49_mb_of_zeros.mp3", b"\xff\xfb" + bytes(49_000_000), NO_AUDIO)
    yield OddFile("49_mb_of_sync.mp3", b"\xff\xfb\x90\x64" * 12_000_000, ANYTHING)
    yield OddFile("49_mb_of_boxes.m4a", b"\0\0\0\x08ftyp" * 6_000_000, NO_AUDIO)


def _boundaries(data: bytes) -> list[int]:
    """Where the parts of a file's header end."""
    if data[:4] == b"OggS":
        return [at for start, end in pages(data) for at in (start + 4, start + 27, end)][:-1]
    if data[:4] == b"fLaC":
        found, start = [4], 4
        while not data[start] & 0x80:
            start += 4 + int.from_bytes(data[start + 1 : start + 4], "big")
            found += [start, start + 4]
        return [*found, found[-1] + 4, found[-1] + 38, len(data) // 2]
    if data[:4] in {b"RIFF", b"RF64", b"FORM"}:
        order, found, start = ("big" if data[:4] == b"FORM" else "little"), [4, 8, 12], 12
        while start + 8 <= len(data):
            size = int.from_bytes(data[start + 4 : start + 8], order)
            found += [start + 4, start + 8]
            start += 8 + (size if size < len(data) else len(data))
            found.append(start)
        return [at for at in found if at < len(data)] + [len(data) // 2, len(data) - 2]
    frames = [at for at in range(len(data) - 1) if data[at : at + 2] in {b"\xff\xfb", b"\xff\xf3", b"\xff\xe3"}]
    return [*(at for at in frames if at), frames[0] + 4, frames[0] + 36, frames[0] + 60][:24]


def _cuts() -> Iterator[OddFile]:
    files = [
        *(("WAV", s) for s in ("PCM_16", "FLOAT", "MS_ADPCM")), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"),
        ("AIFF", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
    ]  # fmt: skip
    for container, subtype in files:
        data = good(container, subtype)
        for at in sorted(set(_boundaries(data))):
            yield OddFile(f"{subtype}_cut_at_{at}.{container.lower()}", data[:at], CUT)
    x = tone()
    tagged = encoded(x, RATE, "FLAC", "PCM_16", title="A title", comment="A comment")
    for at in _boundaries(tagged):
        yield OddFile(f"tagged_cut_at_{at}.flac", tagged[:at], CUT)


def _flips() -> Iterator[OddFile]:
    rng = np.random.default_rng(7)
    files = [
        ("WAV", "PCM_16"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"), ("RF64", "PCM_16"), ("AIFF", "PCM_16"),
        ("W64", "PCM_24"),
        ("CAF", "ALAC_16"), ("AU", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ]  # fmt: skip
    for container, subtype in files:
        data = good(container, subtype)
        for number, (reach, flips) in enumerate([(64, 1), (64, 4), (256, 8), (len(data), 8), (len(data), 200)]):
            changed = np.frombuffer(data, np.uint8).copy()
            places = rng.integers(0, min(reach, len(data)), flips)
            changed[places] ^= rng.integers(1, 256, flips, dtype=np.uint8)
            yield OddFile(f"{subtype}_flipped_{number}.{container.lower()}", changed.tobytes(), ANYTHING)


HOSTILE = [
    "<script>alert(1)</script>", "[click](javascript:alert(1)) **bold** $x^2$ :material/home:",
    "\x1b[2J\x07\x08 cleared", "\u202egnp.tfel ot thgir", "=cmd|' /C calc'!A0", "{{7*7}} %s %n ${jndi:ldap://x}",
    "'; DROP TABLE clips; --", "\ud7ff\ufffe\u200b",
]  # fmt: skip


def _texts() -> Iterator[OddFile]:
    x = tone()
    for number, text in enumerate(HOSTILE):
        yield OddFile(f"text_{number}.flac", encoded(x, RATE, "FLAC", "PCM_16", title=text, comment=text), FINE)
    long = "A" * 2**20
    yield OddFile("long_title.flac", encoded(x, RATE, "FLAC", "PCM_16", title=long), FINE)
    yield OddFile("title.ogg", encoded(x, RATE, "OGG", "VORBIS", title=HOSTILE[0], artist=HOSTILE[1]), FINE)
    yield OddFile("title.mp3", encoded(x, RATE, "MP3", "MPEG_LAYER_III", title=HOSTILE[0], artist=HOSTILE[1]), FINE)
    yield OddFile("title.aiff", encoded(x, RATE, "AIFF", "PCM_16", title=HOSTILE[0]), FINE)
    for name, words in {"nul": b"a\0b\0\0", "latin_1": b"M\xfcller \xff\xfe", "long": long.encode()}.items():
        info = chunk(b"LIST", b"INFO" + chunk(b"INAM", words) + chunk(b"ICMT", words))
        yield OddFile(f"{name}_title.wav", wav(before=info), FINE)
        yield OddFile(f"{name}_title_after.wav", wav(after=info), FINE)
    mp3 = good("MP3", "MPEG_LAYER_III")
    frame = b"TIT2" + struct.pack(">IH", 2**19, 0) + b"\0" + b"B" * (2**19 - 1)
    size = len(frame)
    tag = b"ID3\x03\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    yield OddFile("long_id3.mp3", tag + frame + mp3, FINE)
    yield OddFile("lying_list.wav", wav(before=chunk(b"LIST", b"INFOINAM\xff\xff\xff\xff" + b"abc" * 3)), ANYTHING)


def _names() -> Iterator[OddFile]:
    data = encoded(tone(), subtype="PCM_16")
    names = [
        "../../etc/passwd.wav", "/etc/passwd", "C:\\Windows\\win.ini", "<img src=x onerror=alert(1)>.wav",
        "a" * 5000 + ".wav", "",
        "nul\0byte.wav", "line\nbreak\x1b[31m.wav", "**bold** [link](http://x).wav", "\u202egpj.wav", "-rf.wav",
        "con", "~/.bashrc", "%2e%2e%2f.wav",
    ]  # fmt: skip
    for name in names:
        yield OddFile(name, data, FINE)


def _mp4s() -> Iterator[OddFile]:
    """MP4 files; those with a sound need ffmpeg to be made (and read)."""
    brand = box(b"ftyp", b"M4A \0\0\2\0isomiso2")
    header = box(b"mvhd", bytes(12) + struct.pack(">II", 1000, 36_000_000) + bytes(80))
    odd = {
        "only_brand": brand, "no_sound": brand + box(b"moov", b""), "no_tracks": brand + box(b"moov", header),
        "short_header": brand + box(b"moov", box(b"mvhd", b"\1\0")),
        "moov_of_4_gb": brand + box(b"moov", header, size=2**32 - 1),
        "endless_box": brand + box(b"mdat", bytes(99), size=0),
        "long_box": brand + b"\0\0\0\1mdat" + b"\x7f" + b"\xff" * 7,
        "box_of_1": brand + box(b"moov", header, size=7),
        "html": box(b"ftyp", b"<html>") + b"<script>alert(1)</script>",
    }  # fmt: skip
    for name, data in odd.items():
        yield OddFile(f"{name}.m4a", data, NO_AUDIO | {"too long"})
    if shutil.which("ffmpeg") is None:
        return
    for order, moved in {"last": [], "first": ["-movflags", "+faststart"]}.items():
        data = m4a(moved)
        yield OddFile(f"contents_{order}.m4a", data, FINE)
        for at in (12, 28, 32, 40, 200, len(data) // 2, len(data) - 40):
            yield OddFile(f"contents_{order}_cut_at_{at}.m4a", data[:at], CUT)
        rng = np.random.default_rng(8)
        for number, flips in enumerate((1, 8, 64)):
            changed = np.frombuffer(data, np.uint8).copy()
            changed[rng.integers(8, len(data), flips)] ^= rng.integers(1, 256, flips, dtype=np.uint8)
            yield OddFile(f"contents_{order}_flipped_{number}.m4a", changed.tobytes(), ANYTHING)
