"""SAVEE, the Surrey audio-visual expressed emotion database: 4 British men, 7 emotions, 120 sentences each."""

import re
from pathlib import Path
from typing import Any, Final

from ser_core.corpora.base import Corpus, Listing, listing

EMOTIONS: Final = {
    "a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "sa": "sadness", "su": "surprise",
}  # fmt: skip
SPEAKERS: Final = ("DC", "JE", "JK", "KL")
LAYOUT: Final = "AudioData/DC/a01.wav, or DC_a01.wav (speaker, emotion letters, sentence)"


def names() -> list[str]:
    """Return the full names of all clips, without ending (480: 30 neutral ones and 15 of each other emotion)."""
    return [
        f"{speaker}_{emotion}{sentence:02d}"
        for speaker in SPEAKERS
        for emotion in EMOTIONS
        for sentence in range(1, 31 if emotion == "n" else 16)
    ]


NAMES: Final = frozenset(names())


def full_name(path: Path) -> str:
    """Return the name of a clip with its speaker: where each has a folder, all have an ``a01``.

    Examples
    --------
    >>> full_name(Path("AudioData/DC/a01.wav")), full_name(Path("ALL/DC_a01.wav"))
    ('DC_a01', 'DC_a01')
    """
    return path.stem if "_" in path.stem else f"{path.parent.name}_{path.stem}"


def describe(path: Path) -> dict[str, Any] | str:
    """Return what a file name and its folder say; a sentence (``a01``) belongs to one emotion."""
    match = re.fullmatch(r"([A-Z]{2})_([a-z]{1,2})\d\d", full_name(path), re.ASCII)
    if not match:
        return "not a SAVEE name"
    if full_name(path) not in NAMES:
        return "a code that SAVEE does not have"
    speaker, emotion = match.groups()
    return {
        "speaker": speaker,
        "emotion": EMOTIONS[emotion],
        "gender": "male",
        "statement": full_name(path).partition("_")[2],
        "language": "English",
    }


def parse(root: Path) -> Listing:
    """List SAVEE under a folder, at any depth."""
    return listing(root, describe, expected=NAMES, layout=LAYOUT, named=full_name)


SAVEE: Final = Corpus(
    name="savee",
    title="SAVEE",
    language="English",
    licence="on registration, for research",
    citation="Haq & Jackson 2010, in Machine Audition, IGI Global, pp. 398-423",
    emotions=tuple(EMOTIONS.values()),
    parse=parse,
    n_clips=480,
    n_speakers=4,
)
