import io
import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from numpy.typing import NDArray

from ser_core import audio
from ser_core.audio import AudioError


def encoded(samples: NDArray, rate: int, container: str, subtype: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=container, subtype=subtype)
    return out.getvalue()


def sine(rate: int, seconds: float = 0.5, frequency: float = 440.0, level: float = 0.5) -> NDArray[np.float64]:
    return level * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


def problem(data: bytes | Path, **options: float) -> str:
    with pytest.raises(AudioError) as caught:
        audio.read(data, **options)
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
