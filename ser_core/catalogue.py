"""Which corpora this installation has, and where: ``corpora.json`` in the cache folder."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from ser_core.cache import Cache
from ser_core.corpora import KINDS, OWN, Corpus, CorpusError, Scan
from ser_core.store import read_json, write_atomic


@dataclass(frozen=True)
class Located:
    """A corpus and the folder it lies in."""

    corpus: Corpus
    root: Path

    @property
    def name(self) -> str:
        """The name it was added under."""
        return self.corpus.name

    @property
    def kind(self) -> str:
        """The name under which such corpora are known: in `ser_core.corpora.KINDS`, or in `ser_core.corpora.OWN`."""
        own = next((kind for kind, card in OWN.items() if card(self.name).parse is self.corpus.parse), "folder")
        return next((kind for kind, one in KINDS.items() if one.citation == self.corpus.citation), own)

    def classes(self, emotions: Iterable[str]) -> tuple[str, ...]:
        """Return which emotions there are, in the corpus's own order, others after them by the alphabet."""
        present, order = set(emotions), self.corpus.emotions
        return (*(word for word in order if word in present), *sorted(present - set(order)))

    def clips(self) -> pd.DataFrame:
        """Return its table of clips (see `Corpus.clips`)."""
        return self.corpus.clips(self.root)

    def scan(self) -> Scan:
        """Look into its folder (see `Corpus.scan`)."""
        return self.corpus.scan(self.root)


def add(cache: Cache, kind: str, root: Path, *, name: str | None = None) -> tuple[Located, Scan]:
    """Remember a corpus after a look into its folder.

    Parameters
    ----------
    kind
        A name of `KINDS` or of `OWN`.
    name
        The name it gets here; by default the kind, or the folder's own name.

    Raises
    ------
    CorpusError
        If the kind is unknown, the folder does not hold it, or the name is taken by another folder.
    """
    try:
        root = root.expanduser().absolute()
    except RuntimeError as error:
        raise CorpusError(f"{root}: {error}; write the folder out in full") from error
    name = name or (kind if kind in KINDS else root.name.lower())
    corpus = _card(kind, name)
    scan = corpus.scan(root)
    said = corpus.says(root) if corpus.says else {}
    with FileLock(_ready(cache) / "corpora.lock"):
        entries = _entries(cache)
        taken = entries.get(name)
        if taken and (taken["kind"], taken["root"]) != (kind, str(root)):
            raise CorpusError(f"the name {name} is taken by {taken['root']}: choose another, or remove that one first")
        entries[name] = {"kind": kind, "root": str(root)} | ({"says": said} if said else {})
        write_atomic(cache.root / "corpora.json", json.dumps(entries, indent=1).encode())
    return Located(replace(corpus, **said), root), scan


def remove(cache: Cache, name: str) -> None:
    """Forget where a corpus lies; its files and embeddings stay."""
    get(cache, name)
    with FileLock(_ready(cache) / "corpora.lock"):
        entries = {key: entry for key, entry in _entries(cache).items() if key != name}
        write_atomic(cache.root / "corpora.json", json.dumps(entries, indent=1).encode())


def ls(cache: Cache) -> list[Located]:
    """Return the corpora that were added, by name."""
    entries = _entries(cache)
    return [
        Located(replace(_card(entry["kind"], name), **entry.get("says", {})), Path(entry["root"]))
        for name, entry in sorted(entries.items())
    ]


def get(cache: Cache, name: str) -> Located:
    """Return a corpus by name.

    Raises
    ------
    CorpusError
        If nothing was added under this name.
    """
    known = {located.name: located for located in ls(cache)}
    if name not in known:
        have = ", ".join(known) or "none"
        raise CorpusError(f"no corpus named {name!r} (there are: {have}); add it with `ser corpora add {name} FOLDER`")
    return known[name]


def split(corpora: str) -> list[str]:
    """Return the names between the commas, each once.

    Examples
    --------
    >>> split("emodb, ravdess,emodb")
    ['emodb', 'ravdess']
    """
    return list(dict.fromkeys(name.strip() for name in corpora.split(",")))


def check_name(name: str) -> None:
    """Raise CorpusError if no corpus can have this name: it names folders, and stands in commands and links."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,39}", name):
        raise CorpusError(f"the name {name!r} should be 1 to 40 of a-z, 0-9, dot, dash and underscore: choose another")


def _card(kind: str, name: str) -> Corpus:
    check_name(name)
    if kind in OWN:
        return OWN[kind](name)
    if kind not in KINDS:
        raise CorpusError(f"unknown corpus {kind!r}: expected one of {', '.join((*KINDS, *OWN))}")
    corpus = KINDS[kind]
    return corpus if name == kind else corpus.named(name)


def _ready(cache: Cache) -> Path:
    cache.root.mkdir(parents=True, exist_ok=True)
    return cache.root


def _entries(cache: Cache) -> dict[str, dict[str, Any]]:
    path = cache.root / "corpora.json"
    entries = read_json(path)
    if entries is None and path.exists():
        raise CorpusError(
            f"{path} is damaged or not yours to read: delete it and add your corpora again (embeddings are kept)"
        )
    return entries or {}
