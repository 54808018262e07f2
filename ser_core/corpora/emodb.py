"""EmoDB, the Berlin database of emotional speech: 10 German actors, 7 emotions, with a listening test."""

import csv
from pathlib import Path
from typing import Any, Final

from ser_core.corpora.base import Corpus, CorpusError, Listing, listing

EMOTIONS: Final = {
    "A": "fear", "E": "disgust", "F": "happiness", "L": "boredom", "N": "neutral", "T": "sadness", "W": "anger",
}  # fmt: skip
MALE: Final = frozenset({"03", "10", "11", "12", "15"})
FEMALE: Final = frozenset({"08", "09", "13", "14", "16"})
LAYOUT: Final = "wav/SSTTTEv.wav, e.g. wav/03a01Fa.wav (speaker, text, emotion letter, version)"
LISTENING_TEST: Final = "erkennung.txt"


def describe(path: Path) -> dict[str, Any] | str:
    """Return what a file name says."""
    name = path.stem
    if len(name) != 7 or name[:2] not in MALE | FEMALE or name[2] not in "ab" or name[5] not in EMOTIONS:
        return "not an EmoDB name"
    return {
        "speaker": name[:2],
        "emotion": EMOTIONS[name[5]],
        "gender": "male" if name[:2] in MALE else "female",
        "statement": name[2:5],
        "language": "German",
    }


def listening_test(file: Path) -> dict[str, tuple[float, float]]:
    """Return clip name -> (share of listeners who recognised the emotion, share who found it natural), 0-1.

    The table is latin-1 with decimal commas and non-breaking spaces.

    Raises
    ------
    CorpusError
        If a line is not ``number, file name, percent, percent``.
    """
    shares = {}
    with file.open(encoding="latin-1", newline="") as text:
        for number, line in enumerate(csv.reader(text, delimiter="\t"), start=1):
            cells = [cell.strip() for cell in line]  # strip() takes non-breaking spaces too
            if number == 1 or not any(cells):
                continue
            try:
                _, name, recognised, natural = cells[:4]
                shares[name.removesuffix(".wav")] = (_percent(recognised), _percent(natural))
            except ValueError as error:
                expected = f"{file}, line {number}: expected number, file, percent, percent"
                raise CorpusError(f"{expected}, found {cells}") from error
    return shares


def parse(root: Path) -> Listing:
    """List EmoDB under a folder, with ``recognised`` and ``natural`` (0-1) where ``erkennung.txt`` lies in it."""
    found = listing(root, describe, expected=(), layout=LAYOUT)
    table = next(iter(sorted(root.rglob(LISTENING_TEST))), None)
    shares = listening_test(table) if table else {}
    for row in found.rows:
        recognised, natural = shares.get(Path(row["file"]).stem, (None, None))
        row.update(recognised=recognised, natural=natural) if table else None
    return found


def _percent(text: str) -> float:
    return float(text.replace(",", ".")) / 100


EMODB: Final = Corpus(
    name="emodb",
    title="EmoDB",
    language="German",
    licence="CC0",
    citation="Burkhardt, Paeschke, Rolfes, Sendlmeier & Weiss 2005, Interspeech, pp. 1517-1520",
    emotions=tuple(EMOTIONS.values()),
    parse=parse,
    n_clips=535,
    n_speakers=10,
)
