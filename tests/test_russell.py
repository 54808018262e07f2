"""Russell's 28 words against the angles that his paper prints, and the emotions' places on his circle."""

import cmath
import math

import pytest

from ser_core.emotions import EMOTIONS
from ser_core.geometry.russell import CATEGORIES, CircumplexError, circular_mean, coordinates, reference, russell, wrap

EXACT = {
    "happy": 7.8, "delighted": 24.9, "excited": 48.6, "astonished": 69.8, "aroused": 73.8, "tense": 92.8,
    "alarmed": 96.5, "miserable": 188.7, "droopy": 256.6, "sleepy": 271.9, "calm": 316.2, "serene": 328.6,
    "pleased": 353.2,
}  # fmt: skip
CLOSE = {  # recomputed, published
    "angry": (99.4, 99), "afraid": (118.6, 116), "annoyed": (128.8, 123), "distressed": (139.9, 138),
    "frustrated": (142.4, 141), "gloomy": (208.4, 209), "depressed": (209.6, 210), "bored": (240.5, 242),
    "tired": (267.2, 267.7), "relaxed": (317.4, 318), "satisfied": (320.2, 319), "at ease": (319.9, 321),
    "content": (324.0, 323), "glad": (349.8, 349),
}  # fmt: skip
WORDS = {word.word: word for word in russell()}


def test_thirteen_published_angles_follow_from_the_counts_exactly():
    for word, published in EXACT.items():
        assert WORDS[word].published == published
        assert round(WORDS[word].angle, 1) == published, word


def test_fourteen_more_do_within_six_degrees():
    for word, (recomputed, published) in CLOSE.items():
        assert WORDS[word].published == published
        assert round(WORDS[word].angle, 1) == recomputed, word
        assert 0 < abs(WORDS[word].angle - published) < 6


def test_sad_alone_disagrees_and_every_word_is_covered():
    assert round(WORDS["sad"].angle, 1) == 195.3
    assert WORDS["sad"].published == 207.5
    assert len(russell()) == 28
    assert set(WORDS) == {*EXACT, *CLOSE, "sad"}


def test_each_word_was_placed_by_all_36_people():
    assert [angle for _, angle in CATEGORIES] == [45.0 * n for n in range(8)]
    for word in russell():
        assert len(word.placements) == len(CATEGORIES)
        assert sum(word.placements) == 36, word.word


def test_agreement_is_the_length_of_the_mean_arrow():
    # 34 of 36 at 270 degrees, one at 225, one at 180
    arrow = (34 * cmath.rect(1, math.radians(270)) + cmath.rect(1, math.radians(225)) - 1) / 36
    assert WORDS["tired"].agreement == pytest.approx(abs(arrow), abs=1e-12)
    assert min(WORDS.values(), key=lambda word: word.agreement).word == "annoyed"  # spread over six of the eight


@pytest.mark.parametrize(
    ("degrees", "weights", "angle", "length"),
    [
        ([350.0, 10.0], [1, 1], 0.0, math.cos(math.radians(10))),
        ([0.0, 90.0], [1, 1], 45.0, math.sqrt(0.5)),
        ([0.0, 90.0], [3, 4], math.degrees(math.atan2(4, 3)), 5 / 7),
        ([-30.0], [2], 330.0, 1.0),
    ],
)
def test_circular_mean_by_hand(degrees: list[float], weights: list[float], angle: float, length: float):
    found, agreement = circular_mean(degrees, weights)
    assert abs((found - angle + 180) % 360 - 180) < 1e-9
    assert 0 <= found < 360
    assert agreement == pytest.approx(length, abs=1e-12)


def test_circular_mean_says_what_it_needs():
    for degrees, weights in (([1.0, 2.0], [1.0]), ([], []), ([1.0], [0.0]), ([1.0, 2.0], [2.0, -1.0])):
        with pytest.raises(CircumplexError, match=f"{len(degrees)} angles and {len(weights)} weights: .* one weight"):
            circular_mean(degrees, weights)


def test_wrapping_never_gives_360():
    assert list(wrap([0.0, 360.0, 720.0, -360.0, -1e-18, 359.5, -0.5])) == [0, 0, 0, 0, 0, 359.5, 359.5]


def test_the_emotions_lie_in_the_order_of_the_circle():
    angles = {name: reference(name) for name in EMOTIONS}
    assert angles.pop("neutral") is None
    assert all(angle is not None for angle in angles.values())
    assert sorted(angles, key=lambda name: angles[name] or 0.0) == [
        "happiness", "surprise", "anger", "fear", "frustration", "disgust", "sadness", "boredom", "calm",
    ]  # fmt: skip
    by_word = {"happiness": "happy", "surprise": "astonished", "anger": "angry", "fear": "afraid", "sadness": "sad"}
    for name, word in {**by_word, "boredom": "bored", "calm": "calm", "frustration": "frustrated"}.items():
        assert angles[name] == WORDS[word].angle
    assert reference("excitement") == WORDS["excited"].angle  # no colour is left for it, a place is


def test_disgust_is_halfway_from_afraid_to_sad():
    assert reference("disgust") == pytest.approx((WORDS["afraid"].angle + WORDS["sad"].angle) / 2, abs=1e-9)


def test_coordinates_are_on_the_unit_circle_with_neutral_inside():
    assert coordinates("neutral") == (0.0, 0.0)
    assert coordinates("wistful") is None
    assert reference("wistful") is None
    for name in set(EMOTIONS) - {"neutral"}:
        valence, arousal = coordinates(name) or (0.0, 0.0)
        assert math.hypot(valence, arousal) == pytest.approx(1, abs=1e-12)
        assert math.degrees(math.atan2(arousal, valence)) % 360 == pytest.approx(reference(name), abs=1e-9)
    happiness, sadness = coordinates("happiness"), coordinates("sadness")
    assert happiness is not None
    assert sadness is not None
    assert happiness[0] > 0.9 > 0 > sadness[0]
