"""The corpora this program knows. A new one is a file beside this, an import and a line in `KINDS`."""

from typing import Final

from ser_core.corpora import audformat, folder
from ser_core.corpora.base import Corpus, CorpusError, Scan
from ser_core.corpora.cafe import CAFE
from ser_core.corpora.cremad import CREMAD
from ser_core.corpora.demo_cards import DEMO_DIARY, DEMO_ENGLISH, DEMO_FRENCH, DEMO_GERMAN
from ser_core.corpora.emodb import EMODB
from ser_core.corpora.iemocap import IEMOCAP
from ser_core.corpora.ravdess import RAVDESS
from ser_core.corpora.savee import SAVEE
from ser_core.corpora.tess import TESS

__all__ = ["KINDS", "OWN", "TABLES", "Corpus", "CorpusError", "Scan"]

KINDS: Final = {
    corpus.name: corpus
    for corpus in (
        RAVDESS,
        EMODB,
        CAFE,
        IEMOCAP,
        CREMAD,
        SAVEE,
        TESS,
        DEMO_ENGLISH,
        DEMO_GERMAN,
        DEMO_FRENCH,
        DEMO_DIARY,
    )
}
"""Every corpus with a layout of its own, by name."""
OWN: Final = {"folder": folder.corpus, "audformat": audformat.corpus}
"""Kinds of folders that may hold any corpus, and what makes a card for a name."""
TABLES: Final = ("metadata.*", "*/metadata.*", "db.*")
"""Where such folders keep their labels, which may change at any time."""
