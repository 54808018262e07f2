"""RAVDESS, the speech part: 24 North American actors, 8 emotions, 2 statements, 2 intensities, 2 repetitions."""

from pathlib import Path
from typing import Any, Final

from ser_core.corpora.base import Corpus, Listing, listing

EMOTIONS: Final = {
    "01": "neutral", "02": "calm", "03": "happy", "04": "sad",
    "05": "angry", "06": "fearful", "07": "disgust", "08": "surprised",
}  # fmt: skip
INTENSITIES: Final = {"01": "normal", "02": "strong"}
STATEMENTS: Final = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
LAYOUT: Final = "Actor_NN/MM-VV-EE-II-SS-RR-AA.wav (7 numbers of two digits, speech: 03-01-…)"


def names(repetitions: tuple[str, ...] = ("01", "02")) -> list[str]:
    """Return the names of all speech clips, without ending (1440; neutral has no strong intensity)."""
    return [
        f"03-01-{emotion}-{intensity}-{statement}-{repetition}-{actor:02d}"
        for actor in range(1, 25)
        for emotion in EMOTIONS
        for intensity in INTENSITIES
        for statement in STATEMENTS
        for repetition in repetitions
        if (emotion, intensity) != ("01", "02")
    ]


def describe(path: Path) -> dict[str, Any] | str:
    """Return what a file name says; odd actors are men."""
    parts = path.stem.split("-")
    if len(parts) != 7 or not all(len(part) == 2 and part.isascii() and part.isdigit() for part in parts):
        return "not a RAVDESS name"
    modality, channel, emotion, intensity, statement, repetition, actor = parts
    if (modality, channel) != ("03", "01"):
        return "not audio-only speech (song or video)"
    if emotion not in EMOTIONS or intensity not in INTENSITIES or statement not in STATEMENTS:
        return "a code that RAVDESS does not have"
    return {
        "speaker": actor,
        "emotion": EMOTIONS[emotion],
        "gender": "male" if int(actor) % 2 else "female",
        "intensity": INTENSITIES[intensity],
        "statement": STATEMENTS[statement],
        "repetition": int(repetition),
        "language": "English",
    }


def parse(root: Path) -> Listing:
    """List RAVDESS speech under a folder, at any depth."""
    return listing(root, describe, expected=names(), layout=LAYOUT)


RAVDESS: Final = Corpus(
    name="ravdess",
    title="RAVDESS (speech)",
    language="English",
    licence="CC BY-NC-SA 4.0",
    citation="Livingstone & Russo 2018, PLoS ONE 13(5): e0196391, doi 10.1371/journal.pone.0196391",
    emotions=tuple(EMOTIONS.values()),
    parse=parse,
    n_clips=1440,
    n_speakers=24,
)
