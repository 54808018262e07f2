import io
import os
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import odd_makers
import pytest
import scipy.signal
import soundfile
import soxr
from numpy.typing import NDArray

from ser_core import audio, containers, ffmpeg, mixdown
from ser_core.audio import AudioError

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def encoded(samples: NDArray, rate: int, container: str, subtype: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=container, subtype=subtype)
    return out.getvalue()


def sine(rate: int, seconds: float = 0.5, frequency: float = 440.0, level: float = 0.5) -> NDArray[np.float64]:
    return level * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


def problem(data: bytes | Path, **options: float) -> str:
    with pytest.raises(AudioError) as caught:
        audio.decode(data, **options)
    assert str(caught.value)
    return caught.value.problem


LOSSLESS = [
    ("WAV", "PCM_U8", 1e-2), ("WAV", "PCM_16", 1e-4), ("WAV", "PCM_24", 1e-6), ("WAV", "PCM_32", 1e-6),
    ("WAV", "FLOAT", 1e-6), ("WAV", "DOUBLE", 1e-6), ("FLAC", "PCM_16", 1e-4), ("FLAC", "PCM_24", 1e-6),
    ("AIFF", "PCM_16", 1e-4), ("RF64", "PCM_16", 1e-4),
]  # fmt: skip


@pytest.mark.parametrize(("container", "subtype", "error"), LOSSLESS)
def test_samples_survive_every_lossless_format(container: str, subtype: str, error: float) -> None:
    signal = audio.read(encoded(sine(16_000), 16_000, container, subtype))
    assert signal.dtype == np.float32
    assert np.abs(signal - sine(16_000)).max() < error


@pytest.mark.parametrize(("container", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_formats_keep_pitch_and_level(container: str, subtype: str) -> None:
    signal = audio.read(encoded(sine(48_000, 1.0), 48_000, container, subtype))
    spectrum = np.abs(np.fft.rfft(signal))
    assert abs(spectrum.argmax() * 16_000 / len(signal) - 440) < 2
    assert np.sqrt(np.mean(signal**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_becomes_16_khz_with_the_same_tone(rate: int) -> None:
    signal = audio.read(encoded(sine(rate, 1.0), rate, "WAV", "FLOAT"))
    assert abs(len(signal) - 16_000) <= 1
    middle = slice(2_000, 14_000)
    assert np.abs(signal[middle] - sine(16_000, 1.0)[: len(signal)][middle]).max() < 2e-3


def test_what_16_khz_cannot_hold_is_filtered_and_not_folded() -> None:
    signal = audio.read(encoded(sine(48_000, 1.0, 11_000) + sine(48_000, 1.0), 48_000, "WAV", "FLOAT"))
    spectrum = np.abs(np.fft.rfft(signal[:16_000] * np.hanning(len(signal[:16_000]))))
    assert spectrum[4_900:5_100].max() < 1e-3 * spectrum.max()  # 11 kHz would fold to 5 kHz


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(channels: int) -> None:
    many = np.outer(sine(16_000), np.arange(1, channels + 1)) / channels
    signal = audio.read(encoded(many, 16_000, "WAV", "FLOAT"))
    assert signal == pytest.approx(many.mean(axis=1), abs=1e-6)


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    file = tmp_path / "really_aiff.wav"
    file.write_bytes(encoded(sine(16_000), 16_000, "AIFF", "PCM_16"))
    assert len(audio.read(file)) == 8_000
    assert audio.inspect(file).container == "AIFF"


def test_float_samples_a_little_above_one_are_clipped() -> None:
    signal = audio.read(encoded(sine(16_000, level=1.3), 16_000, "WAV", "FLOAT"))
    assert signal.max() == 1.0
    assert signal.min() == -1.0


def test_each_problem_has_its_name() -> None:
    good = sine(16_000)
    assert problem(Path("/nowhere/clip.wav")) == "missing"
    assert problem(b"") == "empty"
    assert problem(b"This is a letter, and not a sound. " * 20) == "not audio"
    assert problem(encoded(sine(16_000, 0.05), 16_000, "WAV", "PCM_16")) == "too short"
    assert problem(encoded(good, 16_000, "WAV", "PCM_16"), max_seconds=0.4) == "too long"
    assert problem(encoded(np.zeros(8_000), 16_000, "WAV", "PCM_16")) == "silent"
    assert problem(encoded(np.stack([good, -good], 1), 16_000, "WAV", "FLOAT")) == "silent"
    assert problem(encoded(np.where(np.arange(8_000) == 5, np.nan, good), 16_000, "WAV", "FLOAT")) == "not finite"
    assert problem(encoded(good * 32_768, 16_000, "WAV", "FLOAT")) == "out of range"


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
     ("MP3", "MPEG_LAYER_III"), ("RF64", "PCM_16")],
)  # fmt: skip
def test_a_file_cut_off_anywhere_is_never_taken_for_whole(container: str, subtype: str) -> None:
    data = encoded(sine(48_000, 1.0), 48_000, container, subtype)
    for length in (*range(1, 200, 13), len(data) // 3, len(data) // 2, len(data) - 300):
        assert problem(data[:length]) in {"truncated", "not audio"}
    assert problem(data[: len(data) // 2]) == "truncated"


def test_a_wav_that_was_streamed_without_a_length_is_whole() -> None:
    data = bytearray(encoded(sine(16_000), 16_000, "WAV", "PCM_16"))
    at = data.find(b"data") + 4
    data[4:8] = data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    assert len(audio.read(bytes(data))) == 8_000


def test_a_wav_written_into_a_pipe_is_whole() -> None:
    data = bytearray(encoded(sine(16_000), 16_000, "WAV", "PCM_16"))
    at = data.find(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0x7FFFF000)
    assert len(audio.read(bytes(data))) == 8_000


def test_words_in_a_flac_file_are_no_mp3_header(tmp_path: Path) -> None:
    file = tmp_path / "clip.flac"
    with soundfile.SoundFile(file, "w", 16_000, 1, format="FLAC") as sound:
        sound.comment = "Info in the booklet, Xing at the door"
        sound.write(sine(16_000))
    assert len(audio.read(file)) == 8_000


def test_channels_that_cancel_out_are_said_to() -> None:
    opposite = np.stack([sine(16_000), -sine(16_000)], axis=1)
    with pytest.raises(AudioError, match="its channels cancel out"):
        audio.read(encoded(opposite, 16_000, "WAV", "FLOAT"))


def test_a_header_that_lies_about_its_length_cannot_fill_the_memory() -> None:
    long = np.zeros(16_000 * 700, np.int16)  # 11 minutes of silence: 22 MB decoded, a few kB as FLAC
    data = encoded(long, 16_000, "FLAC", "PCM_16")
    assert len(data) < 200_000
    assert problem(data) == "too long"


def test_the_error_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cut.wav"
    file.write_bytes(encoded(sine(16_000), 16_000, "WAV", "PCM_16")[:-100])
    with pytest.raises(AudioError, match=r"cut\.wav: the header promises 16000 bytes of sound, the file holds 15900"):
        audio.read(file)


def test_wav_bytes_keep_the_level() -> None:
    samples, rate = soundfile.read(io.BytesIO(audio.wav_bytes(np.float32(sine(16_000, level=0.01)))))
    assert rate == 16_000
    assert np.abs(samples).max() == pytest.approx(0.01, abs=1e-4)


@pytest.mark.parametrize("block", [audio.BLOCK, 2_000])
@pytest.mark.parametrize(
    ("container", "subtype", "rate", "channels"),
    [
        ("WAV", "PCM_16", 16_000, 1), ("WAV", "PCM_24", 44_100, 2), ("WAV", "FLOAT", 8_000, 3),
        ("WAV", "PCM_U8", 11_025, 1), ("WAV", "ULAW", 8_000, 2), ("WAV", "FLOAT", 48_000, 8),
        ("WAV", "DOUBLE", 96_000, 6), ("WAV", "FLOAT", 22_050, 13), ("WAV", "FLOAT", 1_000, 1),
        ("FLAC", "PCM_24", 192_000, 2), ("FLAC", "PCM_16", 44_100, 8), ("AIFF", "PCM_16", 47_999, 2),
        ("MP3", "MPEG_LAYER_III", 44_100, 2), ("OGG", "VORBIS", 44_100, 6), ("OGG", "OPUS", 48_000, 2),
    ],
)  # fmt: skip
def test_blocks_give_the_very_samples_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, block: int, container: str, subtype: str, rate: int, channels: int
) -> None:
    noise = np.random.default_rng(rate + channels).normal(size=(3 * rate + 7, channels))
    data = encoded(0.3 * noise + sine(rate, 4)[: len(noise), None], rate, container, subtype)
    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    plain = np.clip(soxr.resample(samples.mean(axis=1), rate, 16_000, quality="HQ"), -1, 1)
    monkeypatch.setattr(audio, "BLOCK", block)
    signal = audio.read(data)
    assert signal.dtype == np.float32
    assert np.array_equal(signal, plain)


def test_the_facts_of_a_clip() -> None:
    loud = np.where(np.arange(24_000) < 6_000, 40_000, 10_000)
    left = np.round(loud * sine(48_000, level=1.0)).clip(-32_768, 32_767)
    samples = np.stack([left, left / 2], 1).astype(np.int16)
    clip = audio.decode(encoded(samples, 48_000, "FLAC", "PCM_16"))
    assert clip.info == audio.AudioInfo(48_000, 2, 0.5, "FLAC", "Signed 16 bit PCM")
    assert (clip.sampling_rate, clip.seconds, len(clip.signal)) == (16_000, 0.5, 8_000)
    assert clip.peak_db == pytest.approx(20 * np.log10(np.abs(clip.signal.astype(float)).max()), abs=1e-9)
    assert clip.rms_db == pytest.approx(10 * np.log10(np.mean(clip.signal.astype(float) ** 2)), abs=1e-9)
    full = np.abs(samples.astype(int)) >= 32_767
    assert full.mean() > 0.01
    assert clip.clipped == full.mean()
    assert clip.converted == ("2 channels averaged", "resampled from 48 kHz to 16 kHz")


def test_nothing_converted_is_said_of_a_clip_that_was_not() -> None:
    clip = audio.decode(encoded(sine(16_000), 16_000, "WAV", "PCM_16"))
    assert clip.converted == ()
    assert clip.tags == {}
    assert clip.clipped == 0
    assert audio.decode(encoded(sine(16_000, level=1.3), 16_000, "WAV", "FLOAT")).converted == (
        "samples beyond full scale cut",
    )
    assert audio.decode(encoded(sine(16_000), 16_000, "WAV", "PCM_16"), 8_000).sampling_rate == 8_000


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ULAW", "ALAW"])
def test_full_scale_is_that_of_the_format(subtype: str) -> None:
    above = np.where(np.arange(4_000) % 4 == 0, 1.0, 0.1)
    assert audio.decode(encoded(above, 16_000, "WAV", subtype)).clipped == 0.25


def test_texts_in_a_file_are_plain_and_short() -> None:
    hostile = "<script>alert(1)</script>" + chr(27) + "[2J\n" + chr(0x202E) + "tpircs " + "x" * 1_000
    data = odd_makers.encoded(sine(16_000), 16_000, "FLAC", title=hostile, artist="Ada", comment=chr(7) + " ")
    tags = audio.decode(data).tags
    assert tags == {"title": ("<script>alert(1)</script>[2J tpircs " + "x" * 1_000)[:200], "artist": "Ada"}


def test_size_is_judged_before_anything_is_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.wav"
    with file.open("wb") as sparse:
        sparse.truncate(2**40)
    with pytest.raises(AudioError, match=r"huge\.wav: the file holds 1099511\.6 MB; at most 50 MB are taken") as caught:
        audio.decode(file, max_bytes=audio.MAX_BYTES)
    assert caught.value.problem == "too large"
    data = encoded(sine(16_000), 16_000, "WAV", "PCM_16")
    assert problem(data, max_bytes=len(data) - 1) == "too large"
    assert len(audio.decode(data, max_bytes=len(data)).signal) == 8_000


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_device_without_an_end_is_too_large() -> None:
    assert problem(Path("/dev/zero"), max_bytes=1_000_000) == "too large"


def test_a_sound_without_a_stated_length_ends_at_the_limit() -> None:
    silence = bytes.fromhex("ffe318c0") + bytes(68)  # one MP3 frame of 72 ms
    assert problem(silence * 1_000, max_seconds=80) == "silent"
    tracemalloc.start()
    assert problem(silence * 50_000, max_seconds=60) == "too long"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6  # the whole hour takes 230 MB


def test_more_samples_than_ten_minutes_can_hold_are_not_decoded() -> None:
    levels = odd_makers.square(599, rate=655_350, block=65_535, channels=8)
    with pytest.raises(
        AudioError, match=r"8 channels at 655\.35 kHz are more than .* save it at 48 kHz or less"
    ) as caught:
        audio.decode(odd_makers.flac(levels, rate=655_350, block=65_535))
    assert caught.value.problem == "too large"


def test_surround_sound_takes_no_more_memory_than_its_mono_signal() -> None:
    data = odd_makers.flac(odd_makers.square(60, rate=96_000, block=192, channels=6), rate=96_000, block=192)
    tracemalloc.start()
    clip = audio.decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert clip.info.channels * clip.info.seconds * clip.info.sampling_rate * 4 == 138_240_000
    assert peak < 30e6  # twice the signal, and one block in a few forms


@pytest.mark.parametrize("name", ["a\0b.wav", "line\nbreak\x1b[31m.wav", "x" * 5_000])
def test_a_file_name_is_shown_in_one_plain_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(AudioError) as caught:
        audio.decode(tmp_path / name)
    assert caught.value.problem == "missing"
    assert str(caught.value).isprintable()


def test_empty_chunks_without_end_are_not_counted() -> None:
    assert containers.fault(b"RIFF....WAVE" + b"junk\0\0\0\0" * 1_000_000 + b"data") == containers.NO_SOUND


def test_mixdown_of_nothing_is_nothing() -> None:
    mix = mixdown.Mixdown(48_000, 16_000, subtype="FLOAT", largest=4.0)
    assert mix.signal().shape == (0,)
    assert mixdown.levels(np.zeros(4, np.float32)) == (-200.0, -200.0)


@needs_ffmpeg
@pytest.mark.parametrize("options", [[], ["-movflags", "+faststart"], ["-movflags", "frag_keyframe+empty_moov"]])
def test_m4a_is_decoded_wherever_its_contents_are_listed(options: list[str]) -> None:
    data = odd_makers.m4a([*options, "-metadata", "title=Hallo <b>"])
    clip = audio.decode(data)
    assert (clip.info.sampling_rate, clip.info.channels) == (44_100, 1)
    assert (clip.info.container, clip.info.sample_format) == ("M4A", "AAC")
    assert clip.converted == ("decoded by ffmpeg", "resampled from 44.1 kHz to 16 kHz")
    assert clip.tags == {"title": "Hallo <b>"}
    wav = odd_makers.encoded(odd_makers.tone(1.0, rate=44_100), 44_100)
    true = audio.read(wav)
    assert np.std(clip.signal) == pytest.approx(np.std(true), rel=0.05)
    if "frag_keyframe+empty_moov" not in options:  # those do not say how many samples the encoder put before
        difference = clip.signal[500:15_500] - true[500:15_500]
        assert np.sqrt(np.mean(difference**2)) < 0.02
    assert audio.inspect(data).container == "M4A"


@needs_ffmpeg
def test_lossless_m4a_gives_the_samples_of_the_wav() -> None:
    wav = odd_makers.encoded(odd_makers.tone(1.0, rate=44_100), 44_100)
    data = odd_makers.m4a(["-c:a", "alac"])
    assert audio.inspect(data).sample_format == "ALAC"
    assert np.array_equal(audio.read(data), audio.read(wav))


@needs_ffmpeg
def test_m4a_through_a_pipe_where_there_are_no_files_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = odd_makers.m4a(["-movflags", "+faststart"])
    expected = audio.read(data)
    monkeypatch.delattr(os, "memfd_create")
    assert np.array_equal(audio.read(data), expected)
    monkeypatch.setattr(ffmpeg, "TIME_LIMIT", 0.0)
    assert problem(data + bytes(2_000_000)) == "too large"


def test_m4a_without_ffmpeg_is_said_to_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    header = odd_makers.box(b"ftyp", b"M4A ") + odd_makers.box(b"moov", b"")
    with pytest.raises(AudioError, match="M4A needs ffmpeg, which is not here: install it, or save as WAV or FLAC"):
        audio.decode(header)


def test_ffmpeg_that_cannot_be_started_is_said_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: str(tmp_path / "ffmpeg"))
    header = odd_makers.box(b"ftyp", b"M4A ") + odd_makers.box(b"moov", b"")
    with pytest.raises(AudioError, match=r"ffmpeg is there, but cannot be started \(No such file or directory\)"):
        audio.decode(header)


@needs_ffmpeg
def test_limits_hold_for_m4a() -> None:
    data = odd_makers.m4a([])
    with pytest.raises(AudioError, match="the clip lasts 1 s; at most 0 s are taken"):
        audio.decode(data, max_seconds=0.4)
    at = data.find(b"mvhd") + 4
    unstated = data[: at + 16] + b"\xff" * 4 + data[at + 20 :]
    assert audio.inspect(unstated).seconds == 0
    with pytest.raises(AudioError, match="the clip lasts more than 0 s"):
        audio.decode(unstated, max_seconds=0.4)
    assert audio.decode(unstated).seconds == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("ending", "sentence", "kind"),
    [
        ("exit 1", "ffmpeg cannot decode all of its sound", "not audio"),
        ("exec sleep 60", "ffmpeg needs more than 1 s to decode it: cut it first", "too large"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_sound_that_stops_halfway_is_not_taken_for_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str, sentence: str, kind: str
) -> None:
    sound = struct.pack(">4sIIIII", b".snd", 24, 0xFFFFFFFF, 6, 16_000, 1) + sine(16_000).astype(">f4").tobytes()
    (tmp_path / "sound").write_bytes(sound)
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\ncat '{tmp_path / 'sound'}'\n{ending}\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(program))
    monkeypatch.setattr(ffmpeg, "TIME_LIMIT", 1.0)
    header = odd_makers.box(b"ftyp", b"M4A ") + odd_makers.box(b"moov", b"")
    with pytest.raises(AudioError, match=sentence) as caught:
        audio.decode(header)
    assert caught.value.problem == kind
    program.write_text(f"#!/bin/sh\ncat '{tmp_path / 'sound'}'\n")
    assert np.array_equal(audio.read(header), sine(16_000).astype(np.float32))


@needs_ffmpeg
def test_ffmpeg_gets_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    data = odd_makers.m4a([])
    monkeypatch.setattr(ffmpeg, "TIME_LIMIT", 0.0)
    with pytest.raises(AudioError, match="ffmpeg needs more than 0 s to decode it") as caught:
        audio.decode(data)
    assert caught.value.problem == "too large"


@needs_ffmpeg
def test_ffmpeg_writes_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = odd_makers.m4a([])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FFREPORT", f"file={tmp_path / 'report.log'}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    audio.decode(data)
    assert list(tmp_path.iterdir()) == []


@needs_ffmpeg
def test_an_mp4_without_sound_is_no_audio() -> None:
    header = odd_makers.box(b"ftyp", b"isom\0\0\2\0") + odd_makers.box(b"moov", odd_makers.box(b"mvhd", bytes(100)))
    with pytest.raises(AudioError, match="ffmpeg finds no sound in it that it can decode") as caught:
        audio.decode(header)
    assert caught.value.problem == "not audio"


def test_the_length_of_an_mp4_file_is_in_its_movie_header() -> None:
    short = bytes(12) + struct.pack(">II", 600, 900) + bytes(80)
    long = b"\1" + bytes(19) + struct.pack(">IQ", 1_000, 36_000_000) + bytes(80)
    for header, seconds in ((short, 1.5), (long, 36_000.0), (b"\1\0", 0.0), (bytes(100), 0.0)):
        moov = odd_makers.box(b"moov", odd_makers.box(b"mvhd", header))
        assert containers.mp4(odd_makers.box(b"ftyp", b"M4A ") + moov).seconds == seconds
        last = odd_makers.box(b"ftyp", b"M4A ") + bytes(4) + moov[4:]  # a size of 0: up to the end of the file
        assert containers.fault(last) is None
        assert containers.mp4(last).seconds == seconds


@pytest.mark.data
def test_stereo_ravdess_originals_read_as_the_mean_of_their_channels(data: Path) -> None:
    files = sorted((data / "ravdess_original_sample").rglob("*.wav"))
    stereo = [file for file in files if audio.inspect(file).channels == 2]
    assert (len(files), len(stereo)) == (13, 5)
    for file in files:
        samples, rate = soundfile.read(file, always_2d=True)
        signal = audio.read(file)
        assert rate == 48_000
        assert abs(len(signal) - len(samples) / 3) <= 1
        independent = scipy.signal.resample_poly(samples.mean(axis=1), 1, 3)[: len(signal)]
        difference = np.sqrt(np.mean((signal[: len(independent)] - independent) ** 2))
        assert difference < 0.03 * np.sqrt(np.mean(independent**2))
