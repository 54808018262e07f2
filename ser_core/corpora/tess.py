"""TESS, the Toronto emotional speech set: two women, 26 and 64 years old, 7 emotions, 200 words in one phrase.

A few of its files are AIFF under the name of WAV, and one is at 96 kHz: both are read as they are. "Pleasant surprise"
(``ps``) stays what it is called: surprise elsewhere may be unpleasant, so the two are not the same word.
"""

import re
from pathlib import Path
from typing import Any, Final

from ser_core.corpora.base import Corpus, Listing, listing

EMOTIONS: Final = {
    "angry": "angry", "disgust": "disgust", "fear": "fear", "happy": "happy", "neutral": "neutral",
    "ps": "pleasant surprise", "sad": "sad",
}  # fmt: skip
AGES: Final = {"OAF": 64, "YAF": 26}
"""Years. OAF is the older, YAF the younger woman."""
LAYOUT: Final = "OAF_angry/OAF_back_angry.wav, …, YAF_sad/YAF_youth_sad.wav (speaker, word, emotion)"
NAME: Final = re.compile(r"(OAF|YAF)_([a-z]+)_([a-z]+)", re.ASCII)


def full_name(path: Path) -> str:
    """Return the name that a clip should have: one lacks a letter.

    Examples
    --------
    >>> full_name(Path("OAF_neutral/OA_bite_neutral.wav"))
    'OAF_bite_neutral'
    """
    return re.sub("^OA_", "OAF_", path.stem)


def describe(path: Path) -> dict[str, Any] | str:
    """Return what a file name says."""
    match = NAME.fullmatch(full_name(path))
    if not match:
        return "not a TESS name"
    speaker, word, emotion = match.groups()
    if emotion not in EMOTIONS:
        return "a code that TESS does not have"
    return {
        "speaker": speaker,
        "emotion": EMOTIONS[emotion],
        "gender": "female",
        "age": AGES[speaker],
        "statement": f"Say the word {word}",
        "language": "English",
    }


def parse(root: Path) -> Listing:
    """List TESS under a folder, at any depth."""
    return listing(root, describe, expected=(), layout=LAYOUT, named=full_name)


TESS: Final = Corpus(
    name="tess",
    title="TESS",
    language="English",
    licence="CC BY-NC-ND 4.0",
    citation="Pichora-Fuller & Dupuis 2020, Toronto emotional speech set, Borealis, doi 10.5683/SP2/E8H2MF",
    emotions=tuple(EMOTIONS.values()),
    parse=parse,
    n_clips=2800,
    n_speakers=2,
)
