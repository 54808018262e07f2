"""Emotion words: each corpus keeps its own; this is the visible step from those to common names, colours and shapes.

Colours follow the circle of affect (pleasant, aroused, unpleasant, sleepy), so that neighbours in affect are neighbours
in hue; lightness alternates, so that they also differ for readers with deuteranopia or protanopia, on white and on
near-black (tests/test_emotions.py measures both). A shape repeats the colour; plotly's 3-D charts know only
eight, and draw one of them, x, as a letter that not every machine has. There is no room for excitement: every colour
between happiness and surprise is too near to another for some readers.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Emotion:
    """A common name with its colour (hex) and marker shape (a plotly symbol that 2-D and 3-D charts share)."""

    name: str
    colour: str
    symbol: str


EMOTIONS: Final = {
    emotion.name: emotion
    for emotion in (
        Emotion("happiness", "#cbb104", "circle"),
        Emotion("surprise", "#cf6d0f", "diamond"),
        Emotion("anger", "#ba1101", "square"),
        Emotion("fear", "#a422a7", "cross"),
        Emotion("frustration", "#9c76c6", "circle-open"),
        Emotion("disgust", "#745af4", "square-open"),
        Emotion("sadness", "#88a7fb", "diamond-open"),
        Emotion("boredom", "#1b5662", "diamond"),
        Emotion("calm", "#64b79e", "circle-open"),
        Emotion("neutral", "#7c7c7c", "circle"),
    )
}
OTHER: Final = Emotion("other", "#6f6f6f", "cross")
"""How a word that has no common name is drawn; the word itself stays."""

COMMON: Final = {
    "happy": "happiness", "happiness": "happiness", "joie": "happiness", "joy": "happiness",
    "surprised": "surprise", "surprise": "surprise",
    "angry": "anger", "anger": "anger", "colère": "anger",
    "fearful": "fear", "fear": "fear", "peur": "fear",
    "disgust": "disgust", "disgusted": "disgust", "dégoût": "disgust",
    "sad": "sadness", "sadness": "sadness", "tristesse": "sadness",
    "bored": "boredom", "boredom": "boredom",
    "calm": "calm",
    "neutral": "neutral", "neutre": "neutral", "neutral state": "neutral",
    "excited": "excitement", "excitement": "excitement",
    "frustrated": "frustration", "frustration": "frustration",
}  # fmt: skip
"""A corpus's own word -> common name. Only translations and word forms: nothing is merged (calm stays
calm, and pleasant surprise, which is but a part of surprise, what it is)."""


def common_name(word: str) -> str:
    """Return the common name of a corpus's own word; a word that is not known stays as it is.

    Examples
    --------
    >>> common_name("Colère"), common_name("wistful")
    ('anger', 'wistful')
    """
    return COMMON.get(word.strip().lower(), word)


def style(word: str) -> Emotion:
    """Return colour and shape of a word, a corpus's own or a common one."""
    return EMOTIONS.get(common_name(word), OTHER)
