"""CaFE, the Canadian French Emotional speech database: 12 actors, 7 emotions, 6 sentences, 2 intensities."""

import re
from pathlib import Path
from typing import Any, Final

from ser_core.corpora.base import Corpus, Listing, listing

EMOTIONS: Final = {
    "C": "colère", "D": "dégoût", "J": "joie", "N": "neutre", "P": "peur", "S": "surprise", "T": "tristesse",
}  # fmt: skip
INTENSITIES: Final = {"1": "weak", "2": "strong"}
LAYOUT: Final = "Colère/Faible/01-C-1-1.wav, …, Neutre/01-N-1.wav (speaker, emotion letter, intensity, sentence)"


def names(sentences: int = 6) -> list[str]:
    """Return the names of all clips, without ending (936; neutral has no intensity in its name)."""
    return [
        f"{speaker:02d}-{emotion}-{level}{sentence}"
        for speaker in range(1, 13)
        for emotion in EMOTIONS
        for level in (("",) if emotion == "N" else ("1-", "2-"))
        for sentence in range(1, sentences + 1)
    ]


def describe(path: Path) -> dict[str, Any] | str:
    """Return what a file name says; odd speakers are men."""
    match = re.fullmatch(r"(\d\d)-(?:(N)|([A-Z])-(\d))-(\d)", path.stem, re.ASCII)
    if not match:
        return "not a CaFE name"
    speaker, neutral, emotion, intensity, sentence = match.groups()
    if not neutral and (emotion not in EMOTIONS or intensity not in INTENSITIES):
        return "a code that CaFE does not have"
    return {
        "speaker": speaker,
        "emotion": EMOTIONS[neutral or emotion],
        "gender": "male" if int(speaker) % 2 else "female",
        "intensity": None if neutral else INTENSITIES[intensity],
        "statement": sentence,
        "language": "French",
    }


def parse(root: Path) -> Listing:
    """List CaFE under a folder, at any depth."""
    return listing(root, describe, expected=names(), layout=LAYOUT)


CAFE: Final = Corpus(
    name="cafe",
    title="CaFE",
    language="French",
    licence="CC BY-NC-SA 4.0",
    citation="Gournay, Lahaie & Lefebvre 2018, ACM MMSys, pp. 399-402, doi 10.1145/3204949.3208121",
    emotions=tuple(EMOTIONS.values()),
    parse=parse,
    n_clips=936,
    n_speakers=12,
)
