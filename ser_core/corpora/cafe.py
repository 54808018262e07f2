"""CaFE, the Canadian French Emotional speech database: 12 actors, 7 emotions, 6 sentences, 2 intensities."""

import unicodedata
from pathlib import Path
from typing import Any, Final

from ser_core.corpora.base import Corpus, Listing, listing

EMOTIONS: Final = {
    "C": "colère", "D": "dégoût", "J": "joie", "N": "neutre", "P": "peur", "S": "surprise", "T": "tristesse",
}  # fmt: skip
INTENSITIES: Final = {"0": None, "1": "weak", "2": "strong"}
LAYOUT: Final = "Colère/Faible/01-C-1-1.wav, … (speaker, emotion letter, intensity, sentence)"


def names(sentences: int = 6, *, neutral: str = "1") -> list[str]:
    """Return the names of all clips, without ending (936; ``neutral`` is the digit where intensity would stand)."""
    return [
        f"{speaker:02d}-{emotion}-{intensity}-{sentence}"
        for speaker in range(1, 13)
        for emotion in EMOTIONS
        for intensity in (neutral if emotion == "N" else "12")
        for sentence in range(1, sentences + 1)
    ]


def describe(path: Path) -> dict[str, Any] | str:
    """Return what a file name says; odd speakers are men."""
    parts = unicodedata.normalize("NFC", path.stem).split("-")
    if len(parts) != 4 or not (parts[0].isascii() and parts[0].isdigit()):
        return "not a CaFE name"
    speaker, emotion, intensity, sentence = parts
    if emotion not in EMOTIONS or intensity not in INTENSITIES:
        return "a code that CaFE does not have"
    return {
        "speaker": speaker,
        "emotion": EMOTIONS[emotion],
        "gender": "male" if int(speaker) % 2 else "female",
        "intensity": None if emotion == "N" else INTENSITIES[intensity],
        "statement": sentence,
        "language": "French",
    }


def parse(root: Path) -> Listing:
    """List CaFE under a folder, at any depth."""
    found = listing(root, describe, expected=names(), layout=LAYOUT)
    if any("-N-0-" in row["file"] for row in found.rows):  # some copies write neutral's absent intensity as 0
        return listing(root, describe, expected=names(neutral="0"), layout=LAYOUT)
    return found


CAFE: Final = Corpus(
    name="cafe",
    title="CaFE",
    language="French",
    licence="CC BY-NC-SA 4.0",
    citation="Gournay, Lahaie & Lefebvre 2018, ACM MMSys, pp. 399-402, doi 10.1145/3204949.3208121",
    parse=parse,
    n_clips=936,
    n_speakers=12,
)
