"""Pictures against plain librosa, torch's resizing and the definition of the signal-to-noise ratio."""

import concurrent.futures
import json
import zlib

import librosa
import numpy as np
import pytest
import torch
from conftest import tone

from ser_core.encoders import ENCODERS, PICTURES, EncoderError, encoder
from ser_core.encoders.base import ClipError
from ser_core.encoders.pictures import (
    MEL_PICTURE,
    MFCC_PICTURE,
    MFCC_SMALL,
    MelPicture,
    MfccPicture,
    MfccSmall,
    add_noise,
    resize,
)

RATE = 16_000
FRAMES = {"sr": RATE, "n_fft": 1024, "n_mels": 128}
Picture = MelPicture | MfccPicture | MfccSmall
EVERY = [MEL_PICTURE, MFCC_PICTURE, MFCC_SMALL]


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Tones that come and go in noise that comes and goes."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    voiced = np.sin(2 * np.pi * (150 + 40 * np.sin(5 * time)) * time) * (np.sin(7 * time) > 0)
    return (0.2 * voiced + 0.02 * rng.normal(size=len(time)) * np.abs(np.sin(3 * time))).astype(np.float32)


def drawn(of: Picture, signal: np.ndarray) -> np.ndarray:
    """The pictures of one clip, shape (copies, rows, columns)."""
    return of.encode([signal])[0].reshape(-1, *of.recipe()["shape"])


def shrunk(picture: np.ndarray, columns: int) -> np.ndarray:
    """Resized as torch resizes images."""
    image = torch.from_numpy(np.ascontiguousarray(picture, np.float64))[None, None]
    size = (picture.shape[0], columns)
    return torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True)[0, 0].numpy()


@pytest.mark.parametrize("of", EVERY, ids=lambda of: of.name)
def test_pictures_are_encoders(of: Picture) -> None:
    clips = [sound(1.0, 1), sound(3.6, 2), sound(0.1, 3)]
    recipe = of.recipe()
    found = of.encode(clips)
    assert found.shape == (3, len(recipe["layers"]), recipe["dim"])
    assert (found.dtype, np.isfinite(found).all()) == (np.float32, True)
    assert recipe["dim"] == np.prod(recipe["shape"])
    assert json.loads(json.dumps(recipe)) == recipe
    assert (recipe["name"], recipe["sampling_rate"], of.sampling_rate) == (of.name, RATE, RATE)
    assert recipe["librosa"] == librosa.__version__
    assert (of.batched, of.missing()) == (False, None)
    assert of.encode([]).shape == (0, *found.shape[1:])
    assert encoder(of.name) is of is PICTURES[of.name]
    assert of.name not in ENCODERS
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert np.array_equal(np.concatenate(list(pool.map(lambda clip: of.encode([clip]), clips))), found)


def test_shapes_are_those_of_the_papers() -> None:
    assert {name: (of.recipe()["shape"], of.recipe()["layers"]) for name, of in PICTURES.items()} == {
        "mel-picture": ([128, 128], ["picture"]),
        "mfcc-picture": ([40, 282], ["clean", "noisy 1", "noisy 2"]),
        "mfcc-small": ([40, 64], ["picture"]),
        "voiced-mel": ([80, 128], ["picture"]),
        "voiced-mel-256": ([80, 256], ["picture"]),
    }


def test_another_shape_is_another_recipe() -> None:
    assert drawn(MelPicture(bands=64, columns=100), sound(2.0)).shape == (1, 64, 100)
    others = [MelPicture(columns=100), MfccPicture(noisy=1), MfccPicture(offset=0.0), MfccSmall(columns=32)]
    keys = [json.dumps(of.recipe(), sort_keys=True) for of in (*EVERY, *others)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("seconds", [0.7, 2.032, 3.7])  # fewer frames than columns, as many, more
def test_mel_picture_is_librosas_resized(seconds: float) -> None:
    clip = sound(seconds)
    clip[: len(clip) // 4] = 0
    power = librosa.feature.melspectrogram(y=clip, hop_length=256, **FRAMES)
    (picture,) = drawn(MEL_PICTURE, clip)
    np.testing.assert_allclose(picture, shrunk(librosa.power_to_db(power, ref=np.max), 128), atol=1e-4)
    assert picture.min() == -80
    assert picture.max() <= 0


def test_a_mel_picture_does_not_depend_on_the_level() -> None:
    clip = sound(2.5)
    np.testing.assert_allclose(drawn(MEL_PICTURE, clip / 3000), drawn(MEL_PICTURE, clip), atol=0.01)


def test_small_cepstra_are_librosas_resized() -> None:
    clip = sound(3.1)
    plain = librosa.feature.mfcc(y=clip, n_mfcc=40, hop_length=256, **FRAMES)
    np.testing.assert_allclose(drawn(MFCC_SMALL, clip)[0], shrunk(plain, 64), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("seconds", "begin"), [(4.2, 8000), (3.5, 8000), (3.0, 8000), (2.9, 0), (0.3, 0)], ids=lambda one: str(one)
)
def test_cepstra_of_three_seconds_are_librosas(seconds: float, begin: int) -> None:
    clip = sound(seconds)
    piece = np.zeros(48_000, np.float32)
    rest = clip[begin : begin + 48_000]
    piece[: len(rest)] = rest
    how = {"hop_length": 170, "win_length": 512, **FRAMES}
    plain = librosa.feature.mfcc(y=piece, n_mfcc=40, **how)[:, :282]
    clean, *noisy = drawn(MFCC_PICTURE, clip)
    np.testing.assert_allclose(clean, plain, rtol=1e-5, atol=1e-3)
    for copy, picture in enumerate(noisy, start=1):
        with_noise = librosa.feature.mfcc(y=add_noise(piece, copy), n_mfcc=40, **how)[:, :282]
        np.testing.assert_allclose(picture, with_noise, rtol=1e-5, atol=1e-3)
        assert np.abs(picture - clean).max() > 1


def test_noise_has_the_ratio_that_was_drawn_and_is_white() -> None:
    clips = [tone(300, 1.0), sound(1.0), 0.003 * sound(2.0, 1)]
    ratios = []
    for clip in clips:
        for copy in (1, 2):
            noise = add_noise(clip, copy).astype(np.float64) - clip
            ratio = 10 * np.log10((clip.astype(np.float64) ** 2).mean() / (noise**2).mean())
            drawn_one = np.random.default_rng([zlib.crc32(clip.astype("<f4").tobytes()), copy]).uniform(15, 30)
            assert ratio == pytest.approx(drawn_one, abs=1e-4)  # float32 keeps no more of a quiet noise
            ratios.append(ratio)
            z = (noise - noise.mean()) / noise.std()
            assert max(abs((z[lag:] * z[:-lag]).mean()) for lag in range(1, 6)) < 5 / np.sqrt(len(z))
            assert (z**4).mean() == pytest.approx(3, abs=0.2)
    assert len({round(ratio, 3) for ratio in ratios}) == 6
    assert min(ratios) >= 15
    assert max(ratios) <= 30


def test_ratios_fill_their_range() -> None:
    clip = tone(300, 0.1)
    noises = [add_noise(clip, copy).astype(np.float64) - clip for copy in range(400)]
    ratios = [10 * np.log10((clip.astype(np.float64) ** 2).mean() / (noise**2).mean()) for noise in noises]
    assert np.quantile(ratios, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx([15, 18.75, 22.5, 26.25, 30], abs=1)


def test_the_same_clip_has_the_same_noise_and_another_has_another() -> None:
    clip = sound(1.0)
    other = clip.copy()
    other[0] += 0.01
    again, changed = add_noise(clip.copy(), 1) - clip, add_noise(other, 1) - other
    assert np.array_equal(add_noise(clip, 1) - clip, again)
    assert abs(np.corrcoef(again, changed)[0, 1]) < 0.05


def test_digital_silence_stays_silence() -> None:
    silence = np.zeros(40_000, np.float32)
    assert np.array_equal(add_noise(silence, 1), silence)
    clean, one, two = drawn(MFCC_PICTURE, silence)
    assert np.array_equal(clean, one)
    assert np.array_equal(clean, two)
    assert all(np.isfinite(of.encode([silence])).all() for of in EVERY)


@pytest.mark.parametrize("of", EVERY, ids=lambda of: of.name)
def test_what_cannot_be_drawn_is_refused(of: Picture) -> None:
    with pytest.raises(ClipError, match=r"clip too short: 0\.100 s, expected 0\.1 s or more"):
        of.encode([np.ones(1599, np.float32)])
    broken = sound(1.0)
    broken[5] = np.inf
    with pytest.raises(ClipError, match="not finite"):
        of.encode([broken])


@pytest.mark.parametrize("n_columns", [1, 5, 64, 100, 231, 900])
@pytest.mark.parametrize("columns", [64, 128])
def test_resizing_is_that_of_image_libraries(n_columns: int, columns: int) -> None:
    picture = np.random.default_rng(n_columns).normal(size=(3, n_columns))
    np.testing.assert_allclose(resize(picture, columns), shrunk(picture, columns), atol=1e-12)


def test_resizing_keeps_what_fits_and_what_is_even() -> None:
    picture = np.random.default_rng(0).normal(size=(3, 50))
    np.testing.assert_allclose(resize(picture, 50), picture, atol=1e-15)
    np.testing.assert_allclose(resize(np.full((2, 333), -7.0), 128), -7, atol=1e-12)


def test_an_unknown_encoder_is_told_the_pictures_too() -> None:
    with pytest.raises(EncoderError, match=r"'mel'.* egemaps, .*mel-picture, .*, voiced-mel-256, or hf:"):
        encoder("mel")
