"""What is spoken of a clip as a picture, and a picture as sound: against librosa, scipy and what went in."""

import librosa
import numpy as np
import pytest
from scipy.optimize import nnls
from voices import vowel

from ser_core.encoders import encoder
from ser_core.encoders.base import ClipError
from ser_core.encoders.voiced import FLOOR, VoicedMel, lengths, linear, mel, sound, spoken

RATE = 16_000


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)


def test_silence_around_speech_is_left_out() -> None:
    heard = spoken(joined(silence(1.0), vowel(1.0), silence(1.0)))
    assert 0.9 <= len(heard) / RATE <= 1.3
    assert np.square(heard).sum() == pytest.approx(np.square(vowel(1.0)).sum(), rel=0.25)


def test_a_short_pause_stays_and_a_long_one_does_not() -> None:
    length = {pause: len(spoken(joined(vowel(0.75), silence(pause), vowel(0.75)))) / RATE for pause in (0.0, 0.15, 2.0)}
    assert length[0.15] == pytest.approx(length[0.0] + 0.15, abs=0.06)
    assert length[2.0] < length[0.0] + 0.3


@pytest.mark.parametrize(("between", "kept"), [(0, 4), (1, 5), (5, 9), (6, 4)])
def test_pauses_are_kept_up_to_five_frames(between: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a detector that hears what is not 0: WebRTC's own goes on for some frames after a voice has ended."""

    class Detector:
        def __init__(self, mode: int) -> None:
            assert mode == 3

        def is_speech(self, frame: bytes, rate: int) -> bool:
            return rate == RATE and any(frame)

    monkeypatch.setattr("webrtcvad.Vad", Detector)
    voice, none = np.full(2 * 480, 0.1, np.float32), np.zeros(between * 480, np.float32)
    clip = joined(silence(0.3), voice, none, voice, silence(0.3))
    assert len(spoken(clip)) == kept * 480


def test_a_quiet_voice_is_heard_as_a_loud_one_is() -> None:
    clip = joined(silence(0.5), vowel(1.0), silence(0.5))
    assert np.allclose(spoken(clip * np.float32(0.01)), spoken(clip) * 0.01, atol=1e-9)


@pytest.mark.parametrize("clip", [silence(1.0), silence(0.1)], ids=["silence", "short"])
def test_a_clip_without_speech_is_refused(clip: np.ndarray) -> None:
    with pytest.raises(ClipError, match="no speech in it"):
        VoicedMel().encode([clip])


def test_levels_are_those_of_librosa() -> None:
    clip = vowel(1.0)
    power = librosa.feature.melspectrogram(y=clip, sr=RATE, n_fft=1024, hop_length=384, n_mels=80)
    assert np.allclose(mel(clip), np.maximum(10 * np.log10(np.maximum(power, 1e-30)), -80), atol=1e-4)


@pytest.mark.parametrize("seconds", [1.0, 5.0])
def test_a_picture_has_one_size(seconds: float) -> None:
    picture = VoicedMel().encode([vowel(seconds)])
    assert (picture.shape, picture.dtype) == ((1, 1, 80 * 128), np.float32)
    levels = picture.reshape(80, 128)
    whole = mel(spoken(vowel(seconds)))[:, :128]
    assert np.allclose(levels[:, : whole.shape[1]], whole, atol=1e-4)
    assert (levels[:, whole.shape[1] :] == FLOOR).all()
    assert (whole.shape[1] < 128) == (seconds < 3)


def test_a_picture_tells_how_long_its_clip_is() -> None:
    clip = vowel(1.0)
    found = encoder("voiced-mel-256").encode([clip, vowel(9.0)]).reshape(2, 80, 256)
    assert lengths(found).tolist() == [mel(spoken(clip)).shape[1], 256]
    assert lengths(np.full((1, 80, 128), FLOOR)).tolist() == [0]


def test_it_is_found_by_its_name_and_says_its_shape() -> None:
    recipe = encoder("voiced-mel").recipe()
    assert (recipe["shape"], recipe["dim"], recipe["sampling_rate"]) == ([80, 128], 10240, RATE)
    assert "webrtcvad" in recipe


def test_power_of_frequencies_is_least_squares_without_negatives() -> None:
    levels = mel(vowel(0.3))
    bands, power = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=80), 10 ** (levels / 10)
    found = linear(levels)
    assert found.min() >= 0
    for frame in (2, 7):
        _, best = nnls(bands, power[:, frame])
        missed = np.linalg.norm(bands @ found[:, frame] - power[:, frame])
        assert missed - best < 0.03 * np.linalg.norm(power[:, frame])


@pytest.mark.parametrize("level", [0.01, 0.5])
def test_a_spectrogram_sounds_like_the_clip_it_was_made_of(level: float) -> None:
    clip = vowel(1.5, level=level)
    levels = mel(clip)
    heard = sound(levels)
    again = mel(heard)
    assert abs(len(heard) - len(clip)) <= 384 // 2
    assert again.shape == levels.shape
    loud = levels > levels.max() - 40
    assert np.abs(again - levels)[loud].mean() < 1.5
    assert 10 * np.log10(np.square(heard).mean() / np.square(clip).mean()) == pytest.approx(0, abs=1)
    assert np.array_equal(heard, sound(levels))


def test_silence_at_the_end_is_not_played() -> None:
    levels = np.pad(mel(vowel(1.0)), ((0, 0), (0, 40)), constant_values=FLOOR + 5)
    assert np.array_equal(sound(levels), sound(mel(vowel(1.0))))


@pytest.mark.parametrize(("frames", "samples"), [(0, 0), (1, 192)])
def test_next_to_nothing_is_silence(frames: int, samples: int) -> None:
    levels = np.full((80, 128), FLOOR)
    levels[:, :frames] = 0
    assert np.array_equal(sound(levels), silence(samples / RATE))


def test_what_is_too_loud_is_clipped() -> None:
    assert np.abs(sound(mel(vowel(0.5)) + 60)).max() == 1.0
