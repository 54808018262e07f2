"""The corpora this program knows. A new one is a file beside this, an import and a line in `KINDS`."""

from typing import Final

from ser_core.corpora.base import Corpus, CorpusError, Scan
from ser_core.corpora.cafe import CAFE
from ser_core.corpora.demo_cards import DEMO_DIARY, DEMO_ENGLISH, DEMO_FRENCH, DEMO_GERMAN
from ser_core.corpora.emodb import EMODB
from ser_core.corpora.ravdess import RAVDESS

__all__ = ["KINDS", "Corpus", "CorpusError", "Scan"]

KINDS: Final = {
    corpus.name: corpus
    for corpus in (
        RAVDESS,
        EMODB,
        CAFE,
        DEMO_ENGLISH,
        DEMO_GERMAN,
        DEMO_FRENCH,
        DEMO_DIARY,
    )
}
"""Every corpus with a layout of its own, by name. A folder with a metadata.csv is `ser_core.corpora.folder.corpus`."""
