"""The encoders that share the protocol: openSMILE and librosa against the packages themselves, and the registry."""

import concurrent.futures
import json
import subprocess
import sys
import warnings

import librosa
import numpy as np
import opensmile
import pytest

from ser_core.encoders import ENCODERS, EncoderError, encoder
from ser_core.encoders.opensmile import COMPARE_2016, COMPARE_PARTS, EGEMAPS, OpenSmile, Parts
from ser_core.encoders.spectral import LogMel, Spectral

HANDCRAFTED = [EGEMAPS, COMPARE_2016, COMPARE_PARTS, Spectral(), LogMel()]
OPENSMILE = [EGEMAPS, COMPARE_2016]
LIBROSA = [Spectral(), LogMel()]
RATE = 16_000


def voice(seconds: float, seed: int, *, pitch: float = 140.0) -> np.ndarray:
    """Harmonics of a gliding pitch with a slow envelope, over a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(3 * time))) / RATE
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time)
    return (0.1 * envelope * tone + 0.001 * rng.standard_normal(len(time))).astype(np.float32)


def values(of: Spectral | LogMel | OpenSmile | Parts, signal: np.ndarray) -> dict[str, float]:
    return dict(zip(of.feature_names(), of.encode([signal])[0, 0].tolist(), strict=True))


@pytest.mark.parametrize("of", HANDCRAFTED, ids=lambda of: of.name)
def test_handcrafted_encoders_keep_the_protocol(of: Spectral | LogMel | OpenSmile | Parts) -> None:
    clips = [voice(1.0, 1), voice(0.4, 2), voice(1.7, 3)]
    recipe = of.recipe()
    vectors = of.encode(clips)
    assert (vectors.shape, vectors.dtype) == ((3, 1, recipe["dim"]), np.float32)
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors, np.concatenate([of.encode([clip]) for clip in clips]))
    assert len(set(of.feature_names())) == recipe["dim"]
    assert json.loads(json.dumps(recipe)) == recipe
    assert recipe["name"] == of.name
    assert (recipe["sampling_rate"], of.sampling_rate) == (RATE, RATE)
    assert len(recipe["layers"]) == 1
    assert (of.batched, of.missing()) == (False, None)
    assert of.encode([]).shape == (0, 1, recipe["dim"])
    assert encoder(of.name) == of


@pytest.mark.parametrize("of", HANDCRAFTED, ids=lambda of: of.name)
def test_threads_give_the_numbers_of_one(of: Spectral | LogMel | OpenSmile | Parts) -> None:
    clips = [voice(0.3 + 0.1 * i, i) for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda clip: of.encode([clip]), clips))
    np.testing.assert_array_equal(np.concatenate(together), of.encode(clips))


@pytest.mark.parametrize("of", HANDCRAFTED, ids=lambda of: of.name)
def test_samples_that_are_not_finite_are_refused(of: Spectral | LogMel | OpenSmile | Parts) -> None:
    clip = voice(0.5, 1)
    clip[7] = np.nan
    with pytest.raises(EncoderError, match="not finite"):
        of.encode([clip])


@pytest.mark.parametrize("of", OPENSMILE, ids=lambda of: of.name)
def test_opensmile_gives_the_packages_numbers(of: OpenSmile) -> None:
    clip = voice(1.2, 4)
    smile = opensmile.Smile(opensmile.FeatureSet[of.feature_set], opensmile.FeatureLevel.Functionals)
    expected = smile.process_signal(clip, RATE)
    assert of.feature_names() == tuple(expected.columns)
    np.testing.assert_array_equal(of.encode([clip])[0, 0], expected.to_numpy(np.float32)[0])
    assert of.recipe()["opensmile"] == opensmile.__version__


@pytest.mark.parametrize("of", OPENSMILE, ids=lambda of: of.name)
@pytest.mark.parametrize("kind", ["noise", "silence"])
def test_opensmile_refuses_what_is_too_short_and_only_that(of: OpenSmile, kind: str) -> None:
    clip = np.random.default_rng(0).normal(0, 0.1, of.shortest).astype(np.float32)
    clip = clip if kind == "noise" else np.zeros_like(clip)
    assert np.isfinite(of.encode([clip])).all()
    with pytest.raises(EncoderError, match=r"too short for openSMILE.* 0\.060 s or more"):
        of.encode([clip[1:]])
    with warnings.catch_warnings(record=True) as caught:  # the bound is openSMILE's own
        warnings.simplefilter("always")
        assert np.isnan(opensmile.Smile(opensmile.FeatureSet[of.feature_set])(clip[1:], RATE)).all()
    assert "too short" in str(caught[0].message)


def between_silences(speech: np.ndarray, before: float, after: float) -> np.ndarray:
    return np.concatenate([np.zeros(round(before * RATE)), speech, np.zeros(round(after * RATE))]).astype(np.float32)


def test_parts_are_the_clip_its_speech_and_the_halves_of_that() -> None:
    clip = between_silences(voice(1.0, 4), 0.5, 1.3)
    clip += np.random.default_rng(0).normal(0, 0.0005, len(clip)).astype(np.float32)  # 45 dB below the speech
    found = COMPARE_PARTS.encode([clip])[0, 0].reshape(4, 6373)
    power = librosa.feature.rms(y=clip, frame_length=1024, hop_length=256)[0] ** 2
    heard = np.flatnonzero(10 * np.log10(np.maximum(power, 1e-10) / power.max()) > -35)
    start, end = heard[0] * 256, (heard[-1] + 1) * 256
    assert (start / RATE, end / RATE) == (pytest.approx(0.5, abs=0.05), pytest.approx(1.5, abs=0.05))
    speech = clip[start:end]
    size = int(np.ceil(0.55 * len(speech)))
    for part, row in zip((clip, speech, speech[:size], speech[len(speech) - size :]), found, strict=True):
        np.testing.assert_array_equal(row, COMPARE_2016.encode([part])[0, 0])
    names = COMPARE_PARTS.feature_names()
    assert names[0] == COMPARE_2016.feature_names()[0] + ", whole clip"
    assert names[-1] == COMPARE_2016.feature_names()[-1] + ", second half"


def test_of_silence_and_of_a_click_the_parts_are_those_of_the_whole() -> None:
    click = between_silences(np.array([0.5]), 0.4, 0.4)
    for clip in (np.zeros(RATE, np.float32), click):
        found = COMPARE_PARTS.encode([clip])[0, 0].reshape(4, 6373)
        np.testing.assert_array_equal(found[1], found[0])


def test_parts_refuse_what_has_halves_that_are_too_short() -> None:
    clip = np.random.default_rng(0).normal(0, 0.1, COMPARE_PARTS.shortest).astype(np.float32)
    assert np.isfinite(COMPARE_PARTS.encode([clip])).all()
    with pytest.raises(EncoderError, match=r"too short for compare_parts: 0\.109 s, expected 0\.109 s or more"):
        COMPARE_PARTS.encode([clip[1:]])


def test_full_scale_does_not_wrap() -> None:
    clip = voice(0.8, 5)
    clip /= np.abs(clip).max()
    clip[clip.argmin()] = -1
    loud = np.sign(clip) * np.minimum(np.abs(clip) * 1.2, 1).astype(np.float32)
    quiet = values(EGEMAPS, loud * np.float32(0.999))
    full = values(EGEMAPS, loud)
    assert loud.max() == 1
    wrapped = of_the_package(loud)
    assert full["loudness_sma3_amean"] == pytest.approx(quiet["loudness_sma3_amean"], rel=0.01)
    assert wrapped["loudness_sma3_amean"] != pytest.approx(quiet["loudness_sma3_amean"], rel=0.01)


def of_the_package(clip: np.ndarray) -> dict[str, float]:
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    return smile.process_signal(clip, RATE).iloc[0].to_dict()


@pytest.mark.parametrize("of", LIBROSA, ids=lambda of: of.name)
@pytest.mark.parametrize("n_samples", [1600, 1601, 4000, 40_000])
def test_librosa_encoders_are_finite_whatever_is_heard(of: Spectral | LogMel, n_samples: int) -> None:
    rng = np.random.default_rng(0)
    time = np.arange(n_samples) / RATE
    clips = {
        "noise": 0.1 * rng.standard_normal(n_samples),
        "whisper": 1e-6 * rng.standard_normal(n_samples),
        "click": (np.arange(n_samples) == n_samples // 2),
        "sine": np.sin(2 * np.pi * 440 * time),
        "constant": np.full(n_samples, 0.3),
        "half silent": 0.1 * rng.standard_normal(n_samples) * (time > time[-1] / 2),
        "silence": np.zeros(n_samples),
    }
    assert np.isfinite(of.encode([clip.astype(np.float32) for clip in clips.values()])).all()
    with pytest.raises(EncoderError, match=r"expected 0\.1 s or more"):
        of.encode([np.ones(1599, np.float32)])


def test_spectral_holds_the_features_of_the_study() -> None:
    names = Spectral().feature_names()
    assert len(names) == 144
    count = {stem: sum(name.startswith(stem) for name in names) for stem in ("mfcc", "chroma", "contrast", "tonnetz")}
    assert count == {"mfcc": 80, "chroma": 24, "contrast": 12, "tonnetz": 12}


def test_spectral_against_librosa_from_the_waveform() -> None:
    clip = voice(2.0, 6)
    ours, frames = values(Spectral(), clip), {"n_fft": 1024, "hop_length": 256}
    expected = {
        "centroid_hz": librosa.feature.spectral_centroid(y=clip, sr=RATE, **frames),
        "rolloff_hz": librosa.feature.spectral_rolloff(y=clip, sr=RATE, **frames),
        "bandwidth_hz": librosa.feature.spectral_bandwidth(y=clip, sr=RATE, **frames),
        "rms": librosa.feature.rms(y=clip, frame_length=1024, hop_length=256),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(clip, frame_length=1024, hop_length=256),
        "chroma_g": librosa.feature.chroma_stft(y=clip, sr=RATE, tuning=0.0, **frames)[7],
        "contrast_6": librosa.feature.spectral_contrast(y=clip, sr=RATE, n_bands=5, **frames)[5],
    }
    for name, over_time in expected.items():
        assert ours[f"{name}_mean"] == pytest.approx(over_time.mean(), rel=1e-4), name
        assert ours[f"{name}_std"] == pytest.approx(over_time.std(), rel=1e-4), name


def test_signal_to_noise_ratio_is_a_level_difference() -> None:
    rng = np.random.default_rng(1)
    clip = 0.001 * rng.standard_normal(3 * RATE)
    clip[RATE : 2 * RATE] += np.sqrt(2) * 0.1 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    assert values(Spectral(), clip.astype(np.float32))["snr_db"] == pytest.approx(40, abs=1)


def test_tempo_follows_the_pulses() -> None:
    clip = np.zeros(6 * RATE, np.float32)
    clip[:: RATE // 2] = 0.9  # two a second
    assert values(Spectral(), clip)["tempo_bpm"] == pytest.approx(120, abs=3)


def test_log_mel_reads_a_level_in_decibels() -> None:
    sine = (0.1 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    loud, quiet = values(LogMel(), sine), values(LogMel(), sine / 10)
    means = {name: level for name, level in loud.items() if name.endswith("_mean")}
    peak = max(means, key=means.__getitem__)
    assert means[peak] == pytest.approx(-20, abs=2.5)  # the window spreads a sine over a few lines
    assert quiet[peak] == pytest.approx(means[peak] - 20, abs=0.1)
    centres = librosa.mel_frequencies(82, fmin=0, fmax=RATE / 2)[1:-1]
    assert abs(centres[int(peak.split("_")[1]) - 1] - 1000) < 40
    assert len(LogMel(bands=64).feature_names()) == LogMel(bands=64).recipe()["dim"] == 128


def test_every_short_name_has_an_encoder() -> None:
    for name, of in ENCODERS.items():
        assert encoder(name) is of
        assert of.title
        assert of.name in (name, "hf:" + of.name[3:])
        assert encoder(of.name) == of
    assert ENCODERS["wavlm-large"].name == "hf:microsoft/wavlm-large"


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(EncoderError, match=r"'mfcc'.* egemaps, .*hf:<hub id or folder>"):
        encoder("mfcc")


def test_importing_the_encoders_loads_nothing_heavy() -> None:
    code = (
        "import sys, ser_core.encoders as e\n"
        "assert all(of.recipe() for name, of in e.ENCODERS.items() if not of.batched)\n"
        "heavy = {'torch', 'transformers', 'opensmile', 'librosa', 'huggingface_hub', 'scipy', 'numba'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
