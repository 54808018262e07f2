"""Russell's circle of affect: where people put 28 words for feelings, and which of them stand for the common emotions.

J. A. Russell 1980, A circumplex model of affect, Journal of Personality and Social Psychology 39, 1161-1178. Angles are
in degrees, counter-clockwise from pleasure; valence is the cosine, arousal the sine.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser_core.errors import SerError

CATEGORIES: Final = (
    ("pleasure", 0.0),
    ("excitement", 45.0),
    ("arousal", 90.0),
    ("distress", 135.0),
    ("misery", 180.0),
    ("depression", 225.0),
    ("sleepiness", 270.0),
    ("contentment", 315.0),
)
"""The eight categories that 36 people sorted the words into, and their angles."""

FIGURE_4: Final = (
    ("happy", (21, 8, 2, 0, 0, 0, 0, 5), 7.8),
    ("delighted", (15, 16, 3, 0, 0, 0, 0, 2), 24.9),
    ("excited", (2, 29, 5, 0, 0, 0, 0, 0), 48.6),
    ("astonished", (0, 17, 18, 1, 0, 0, 0, 0), 69.8),
    ("aroused", (0, 14, 21, 1, 0, 0, 0, 0), 73.8),
    ("tense", (0, 8, 18, 9, 0, 1, 0, 0), 92.8),
    ("alarmed", (0, 6, 19, 11, 0, 0, 0, 0), 96.5),
    ("angry", (0, 5, 21, 5, 3, 2, 0, 0), 99.0),
    ("afraid", (0, 2, 11, 22, 0, 1, 0, 0), 116.0),
    ("annoyed", (0, 1, 12, 14, 4, 4, 0, 1), 123.0),
    ("distressed", (0, 0, 4, 25, 5, 2, 0, 0), 138.0),
    ("frustrated", (0, 2, 5, 19, 4, 6, 0, 0), 141.0),
    ("miserable", (0, 0, 0, 3, 23, 10, 0, 0), 188.7),
    ("sad", (0, 0, 0, 10, 6, 19, 0, 1), 207.5),
    ("gloomy", (0, 0, 0, 2, 11, 22, 1, 0), 209.0),
    ("depressed", (0, 0, 0, 4, 7, 24, 0, 1), 210.0),
    ("bored", (0, 0, 0, 3, 2, 14, 17, 0), 242.0),
    ("droopy", (0, 0, 0, 1, 1, 8, 26, 0), 256.6),
    ("tired", (0, 0, 0, 0, 1, 1, 34, 0), 267.7),
    ("sleepy", (0, 0, 0, 0, 1, 0, 32, 3), 271.9),
    ("calm", (4, 0, 0, 0, 0, 0, 3, 29), 316.2),
    ("relaxed", (6, 0, 0, 0, 0, 0, 4, 26), 318.0),
    ("satisfied", (3, 1, 0, 0, 0, 0, 0, 32), 319.0),
    ("at ease", (7, 0, 0, 0, 0, 0, 3, 26), 321.0),
    ("content", (6, 1, 0, 0, 0, 0, 0, 29), 323.0),
    ("serene", (8, 2, 0, 0, 0, 0, 0, 26), 328.6),
    ("glad", (20, 4, 0, 0, 0, 0, 0, 12), 349.0),
    ("pleased", (22, 2, 2, 0, 0, 0, 0, 10), 353.2),
)
"""Word, how many of the 36 people put it into each category (the paper's Figure 4), and the angle the paper prints.

Recomputed from the counts, 13 printed angles agree to 0.1 degree and 14 within 6; "sad" alone does not: its counts
give 195.3, the paper prints 207.5.
"""

ANCHORS: Final = {
    "happiness": "happy",
    "excitement": "excited",
    "surprise": "astonished",
    "anger": "angry",
    "fear": "afraid",
    "frustration": "frustrated",
    "sadness": "sad",
    "boredom": "bored",
    "calm": "calm",
}
"""Common emotion name -> the one of the 28 words that stands for it."""

DISGUST_BETWEEN: Final = ("afraid", "sad")
"""Disgust is not among the 28 words: it is put into the middle of the arc from the first of these to the second.

So argued in the report this project reproduces (its section 3.4.4): low valence, somewhat high arousal. It is a
convention, not one of Russell's data.
"""


class CircumplexError(SerError, ValueError):
    """Angles, points or distances that cannot be compared with a circle; the message says what was expected."""


@dataclass(frozen=True)
class Word:
    """One of the 28 words: counts per category (in the order of `CATEGORIES`) and what follows from them.

    ``angle`` (degrees, 0-360) is the circular mean of the counts, ``agreement`` (0-1) their resultant length: 1 if
    everybody chose the same category. ``published`` is the angle that the paper prints.
    """

    word: str
    placements: tuple[int, ...]
    angle: float
    agreement: float
    published: float


def circular_mean(degrees: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """Return the mean direction (degrees, 0-360) and resultant length (0-1) of weighted angles.

    Mardia & Jupp 2000, *Directional Statistics*, section 2.2. Where the length is 0 the direction means nothing.

    Raises
    ------
    CircumplexError
        If the lengths differ, or the weights are negative or all zero.

    Examples
    --------
    >>> angle, length = circular_mean([350.0, 30.0], [1.0, 1.0])
    >>> round(angle, 9), round(length, 3)
    (10.0, 0.94)
    """
    if len(degrees) != len(weights) or min(weights, default=0) < 0 or not sum(weights):
        raise CircumplexError(
            f"{len(degrees)} angles and {len(weights)} weights: a mean direction needs one weight of 0 or more for"
            " each angle, and one above 0"
        )
    mean = np.average(np.exp(1j * np.radians(degrees)), weights=weights)
    return float(wrap(np.angle(mean, deg=True))), float(np.abs(mean))


def wrap(degrees: ArrayLike) -> NDArray[np.float64]:
    """Return the same directions from 0 up to, never at, 360 degrees.

    Examples
    --------
    >>> wrap([-90.0, 360.0, -1e-20])
    array([270.,   0.,   0.])
    """
    turned = np.mod(degrees, 360.0)
    return np.where(turned == 360.0, 0.0, turned)  # what is a hair below 0 rounds up to 360


@functools.cache
def russell() -> tuple[Word, ...]:
    """Return the 28 words in the order of the paper's Figure 4.

    Examples
    --------
    >>> happy = russell()[0]
    >>> happy.word, round(happy.angle, 1), round(happy.agreement, 2), happy.published
    ('happy', 7.8, 0.85, 7.8)
    """
    degrees = [angle for _, angle in CATEGORIES]
    return tuple(Word(word, counts, *circular_mean(degrees, counts), published) for word, counts, published in FIGURE_4)


def reference(emotion: str) -> float | None:
    """Return the angle (degrees, 0-360) of a common emotion name on Russell's circle.

    None for neutral, which has no direction, and for words that have no place there (see `ANCHORS`).

    Examples
    --------
    >>> round(reference("sadness"), 1), round(reference("disgust"), 1), reference("neutral")
    (195.3, 157.0, None)
    """
    angles = {word.word: word.angle for word in russell()}
    if emotion == "disgust":
        return circular_mean([angles[word] for word in DISGUST_BETWEEN], [1, 1])[0]
    return angles[ANCHORS[emotion]] if emotion in ANCHORS else None


def coordinates(emotion: str) -> tuple[float, float] | None:
    """Return valence and arousal, each -1 to 1, of a common emotion name: on the unit circle, neutral in its centre.

    None for words that have no place there.

    Examples
    --------
    >>> [round(value, 2) for value in coordinates("anger")], coordinates("neutral"), coordinates("wistful")
    ([-0.16, 0.99], (0.0, 0.0), None)
    """
    if emotion == "neutral":
        return 0.0, 0.0
    angle = reference(emotion)
    return None if angle is None else (float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle))))
