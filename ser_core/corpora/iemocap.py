"""IEMOCAP: 5 sessions of two actors each, acting scripts and improvising; every turn labelled and rated by listeners.

The speaker of a turn is the letter before its number (``Ses01F_impro01_M003`` is spoken by the man of session 1); the
letter in the prefix names who wore the motion capture markers. ``emotion`` is the word that the listeners chose most,
"unknown" where they did not agree (label ``xxx``); ``other`` is their word for an emotion that was not on the list.
``valence``, ``arousal`` and ``dominance`` are mean ratings from 1 to 5, as the corpus gives them.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ser_core.corpora.base import UNKNOWN, Corpus, CorpusError, Listing, listing

EMOTIONS: Final = {
    "ang": "anger", "dis": "disgust", "exc": "excited", "fea": "fear", "fru": "frustration", "hap": "happiness",
    "neu": "neutral state", "sad": "sadness", "sur": "surprise", "oth": "other",
}  # fmt: skip
NO_AGREEMENT: Final = "xxx"
KINDS: Final = {"impro": "improvised", "script": "scripted"}
GENDERS: Final = {"F": "female", "M": "male"}
LAYOUT: Final = "SessionN/sentences/wav/<dialog>/<turn>.wav and SessionN/dialog/EmoEvaluation/<dialog>.txt"
TURN: Final = re.compile(r"Ses(0[1-5])[FM]_(impro|script)\w+_([FM])\w+", re.ASCII)
LINE: Final = re.compile(r"\[[\d.]+ - [\d.]+\]\t(\w+)\t(\w+)\t\[([\d.]+), ([\d.]+), ([\d.]+)\]", re.ASCII)
LOWEST: Final = 1.0
HIGHEST: Final = 5.0


def evaluations(file: Path) -> dict[str, dict[str, Any]]:
    """Return turn -> emotion, valence, arousal and dominance (1-5), as a file of ``EmoEvaluation`` says.

    A mean beyond 1 to 5 cannot come from its scale, and is None: it would make all ratings look like those of another.

    Raises
    ------
    CorpusError
        If a line in brackets is not ``[start - end]``, turn, label, ``[v, a, d]``, or has another label.
    """
    found = {}
    content = file.read_text("latin-1")  # raters' comments may hold anything
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.startswith("["):
            continue
        match = LINE.fullmatch(line.rstrip())
        if not match or match[2] not in {*EMOTIONS, NO_AGREEMENT}:
            labels = ", ".join((*EMOTIONS, NO_AGREEMENT))
            expected = f"[start - end], turn, a label ({labels}) and [v, a, d], tabs between"
            raise CorpusError(f"{file}, line {number}: expected {expected}, found {line[:100]!r}")
        turn, label, *ratings = match.groups()
        means = (_mean(text) for text in ratings)
        scales = dict(zip(("valence", "arousal", "dominance"), means, strict=True))
        found[turn] = {"emotion": EMOTIONS.get(label, UNKNOWN), **scales}
    return found


def describe(path: Path, turns: dict[str, dict[str, Any]]) -> dict[str, Any] | str:
    """Return what the name of a turn says, and what the listeners said of it."""
    match = TURN.fullmatch(path.stem)
    if not match:
        return "not the name of an IEMOCAP turn"
    if path.stem not in turns:
        return "no label in dialog/EmoEvaluation"
    session, kind, speaker = match.groups()
    return {
        "speaker": f"Ses{session}{speaker}",
        "gender": GENDERS[speaker],
        "session": f"Session{int(session)}",
        "dialog_kind": KINDS[kind],
        "language": "English",
        **turns[path.stem],
    }


def parse(root: Path) -> Listing:
    """List IEMOCAP under a folder, at any depth; turns that are labelled and have no audio are missing."""
    turns: dict[str, dict[str, Any]] = {}
    for file in sorted(root.rglob("EmoEvaluation/*.txt")):  # the folders in it hold what single listeners said
        if not any(part.startswith(".") for part in file.relative_to(root).parts):
            turns |= evaluations(file)
    return listing(root, _describe(turns), expected=turns, layout=LAYOUT)


def _describe(turns: dict[str, dict[str, Any]]) -> Callable[[Path], dict[str, Any] | str]:
    return lambda path: describe(path, turns)


def _mean(text: str) -> float | None:
    mean = float(text)
    return mean if LOWEST <= mean <= HIGHEST else None


IEMOCAP: Final = Corpus(
    name="iemocap",
    title="IEMOCAP",
    language="English",
    licence="on request, for research",
    citation="Busso et al. 2008, Language Resources and Evaluation 42(4), pp. 335-359, doi 10.1007/s10579-008-9076-6",
    emotions=tuple(EMOTIONS.values()),
    parse=parse,
    n_clips=10_039,
    n_speakers=10,
)
