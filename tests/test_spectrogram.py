import numpy as np
import pytest
from scipy.signal import get_window

from ser_core.spectrogram import FLOOR_DB, mel_bands, mel_spectrogram, outline

RATE = 16_000


def tone(hertz: float, level: float = 1.0, seconds: float = 1.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def test_bands_are_those_of_librosa():
    from librosa.filters import mel

    ours, centres = mel_bands(512, RATE, 64)
    assert ours == pytest.approx(mel(sr=RATE, n_fft=512, n_mels=64, norm=None, dtype=np.float64), abs=1e-9)
    assert (np.diff(centres) > 0).all()


def test_decibels_are_of_a_full_scale_sine():
    found = mel_spectrogram(tone(1000.0, level=0.1))
    quieter = mel_spectrogram(tone(1000.0, level=0.01))
    band = found.decibels.mean(axis=1).argmax()
    assert found.decibels[band].max() == pytest.approx(-20, abs=3)  # a sine spreads over two or three bins of a band
    assert found.decibels[band] - quieter.decibels[band] == pytest.approx(np.full(len(found.seconds), 20), abs=0.01)


def test_one_frame_by_hand():
    signal = np.random.default_rng(0).normal(0, 0.1, 400).astype(np.float32)
    window = get_window("hann", 400)
    power = (np.abs(np.fft.rfft(signal * window, 512)) * 2 / window.sum()) ** 2
    expected = 10 * np.log10(mel_bands(512, RATE, 64)[0] @ power + 1e-30)
    found = mel_spectrogram(signal).decibels[:, 0]
    assert found == pytest.approx(np.maximum(expected, FLOOR_DB), abs=1e-3)


def test_length_and_floor():
    long = mel_spectrogram(np.zeros(RATE * 60, np.float32))
    assert long.decibels.shape[1] <= 401
    assert (long.decibels == FLOOR_DB).all()
    assert long.seconds[-1] == pytest.approx(60, abs=0.2)
    assert mel_spectrogram(tone(500, seconds=0.01)).decibels.shape[1] == 1


def test_the_outline_loses_no_peak():
    signal = np.zeros(RATE, np.float32)
    signal[[777, 9000]] = 0.9, -0.8
    found = outline(signal)
    assert (found.high.max(), found.low.min()) == (np.float32(0.9), np.float32(-0.8))
    assert found.seconds[found.high.argmax()] == pytest.approx(777 / RATE, abs=1 / 300)
    assert len(outline(signal[:5]).seconds) == 5
