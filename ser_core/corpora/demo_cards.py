"""The demo corpora: synthetic speech in the names and folders of real corpora, read by their loaders, and a diary."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from ser_core.corpora import cafe, emodb, folder, ravdess
from ser_core.corpora.base import Corpus, Listing, listing


def _english(root: Path) -> Listing:
    return listing(root, ravdess.describe, expected=ravdess.names(("01",)), layout=ravdess.LAYOUT)


def _french(root: Path) -> Listing:
    return listing(root, cafe.describe, expected=cafe.names(2), layout=cafe.LAYOUT)


SEED: Final = 0
"""The demo corpora that everybody has: the same seed, the same bytes."""
_SYNTHETIC = {
    "licence": "free to use (made here by espeak-ng)",
    "citation": "Synthetic speech by espeak-ng, emotions by rule: no person was recorded",
    "synthetic": True,
}
DEMO_ENGLISH: Final = replace(
    ravdess.RAVDESS,
    name="demo-english",
    title="Demo, English (synthetic)",
    parse=_english,
    n_clips=720,
    **_SYNTHETIC,
)
DEMO_GERMAN: Final = replace(
    emodb.EMODB,
    name="demo-german",
    title="Demo, German (synthetic)",
    n_clips=280,
    **_SYNTHETIC,
)
DEMO_FRENCH: Final = replace(
    cafe.CAFE,
    name="demo-french",
    title="Demo, French (synthetic)",
    parse=_french,
    n_clips=312,
    **_SYNTHETIC,
)
DEMO_DIARY: Final = Corpus(
    name="demo-diary",
    title="Demo, two-week diary (synthetic)",
    language="English",
    emotions=("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise", "boredom"),
    parse=folder.parse,
    n_clips=84,
    n_speakers=1,
    **_SYNTHETIC,
)
