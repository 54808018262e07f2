"""Cached calls of ser_core; no widget, no arithmetic.

Big results are shared by all sessions (`st.cache_resource`), read-only, keyed by names and the time of the last write:
hashing large arrays by content samples them, and two different ones can then look the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from ser_core import audio, catalogue, embeddings, maps, runs, trained
from ser_core import jobs as running
from ser_core.cache import Cache, Entry
from ser_core.catalogue import Located
from ser_core.corpora import TABLES, CorpusError, Scan
from ser_core.embeddings import Coverage, Embeddings
from ser_core.encoders import ENCODERS, EncoderError
from ser_core.jobs import Status
from ser_core.maps import Map, View
from ser_core.runs import PREFIX
from ser_core.store import VectorStore, key

REFRESH_SECONDS = 60
"""Files that change under a running dashboard are seen after this long; what it embeds itself, at once."""


def cache() -> Cache:
    """Return the cache folder that the dashboard was started with."""
    return Cache.default()


def corpora() -> list[Located]:
    """Return the corpora that were added."""
    return catalogue.ls(cache())


def coverage(corpus: str) -> list[Coverage]:
    """Return what is embedded of a corpus, per encoder; nothing where its folder is gone."""
    try:
        return _coverage(str(cache().root), corpus, stamp())
    except CorpusError:
        return []


@dataclass(frozen=True)
class Source:
    """Embeddings of corpora under one encoder as they were when last written: what results are kept under."""

    root: str
    names: tuple[str, ...]
    folder: str
    written: float

    @property
    def cache(self) -> Cache:
        """The cache folder."""
        return Cache(Path(self.root))

    def of(self, name: str) -> "Source":
        """Return the source of one of the corpora alone."""
        return replace(self, names=(name,))


def source(names: tuple[str, ...], store: VectorStore) -> Source:
    """Return where the embeddings of these corpora come from now."""
    return Source(str(cache().root), names, str(store.folder), stamp())


def embedded(names: tuple[str, ...], store: VectorStore) -> Embeddings:
    """Return the embeddings of one or several corpora under one encoder, joined."""
    return opened(source(names, store))


def wanted_map(names: tuple[str, ...], store: VectorStore, view: View) -> Map | None:
    """Return a map; None if it would take too long inside a page and was not computed yet.

    Raises
    ------
    SerError
        If there are too few clips.
    """
    found = embedded(names, store)
    known = maps.kept(found, view, cache=cache())
    if known is None and maps.quick(found, view):
        with st.spinner("Drawing the map …"):
            return maps.draw(found, view, cache=cache())
    return known


def start_map(names: tuple[str, ...], store: VectorStore, view: View) -> None:
    """Start drawing a map in the background."""
    running.start(cache(), maps.arguments(names, store.key, view), title=maps.title(names, view))


def start_embedding(corpus: str, encoder: str) -> None:
    """Start embedding a corpus in the background.

    Raises
    ------
    SerError
        If the encoder cannot be used here.
    """
    chosen = trained.find(encoder, cache=cache())
    if why := chosen.missing():
        raise EncoderError(why)
    running.start(cache(), ["embed", corpus, chosen.name], title=f"{corpus} · {chosen.name}")


def jobs() -> list[Status]:
    """Return all jobs, the latest first."""
    return running.ls(cache())


def job(arguments: Sequence[str]) -> Status | None:
    """Return the job that this command is, None if it never ran."""
    return running.status(cache(), running.job_id(arguments))


def forecast(corpus: str, encoder: str) -> tuple[int, str]:
    """Return how many clips an embedding has to do, and a sentence: with the time, where an earlier run tells it."""
    chosen = trained.find(encoder, cache=cache())
    now = key(embeddings.full_recipe(chosen))  # what an older version computed does not count
    done = {one.store.key: one.n_embedded + one.n_failed for one in coverage(corpus)}
    n_left = max(0, n_clips(corpus) - done.get(now, 0))
    if n_left == 0:
        return 0, "All clips are done with this encoder."
    before = [job for job in jobs() if job.arguments[:1] == ["embed"] and job.arguments[2:] == [chosen.name]]
    rates = [job.rate for job in before if job.rate]
    about = f", about {n_left / rates[0]:,.0f} s at the speed of the last run" if rates else ""
    return n_left, f"{n_left:,} clips to do{about}."


@dataclass(frozen=True)
class EncoderCard:
    """What a chooser says of an encoder; ``missing`` is None where it can be used."""

    name: str
    title: str
    missing: str | None


def encoders() -> list[EncoderCard]:
    """Return the encoders and the inner layers of networks trained here, and why those that cannot be used cannot."""
    return _encoders(str(cache().root), runs_stamp())


def n_taught(source: Source) -> int | None:
    """Return how many of these clips the network behind the embeddings has learnt from (`trained.n_taught`)."""
    return _n_taught(source, runs_stamp())


def taught_emotions(store: VectorStore) -> bool:
    """Say whether the network behind embeddings was told emotions in training, as autoencoders are not."""
    name = str(store.recipe.get("name"))
    return not name.startswith(PREFIX) or runs.get(cache(), name.removeprefix(PREFIX).partition(".")[0]).recognises


def add_corpus(kind: str, root: Path, name: str | None) -> tuple[Located, Scan]:
    """Look into a folder and add it."""
    return catalogue.add(cache(), kind, root, name=name)


def scan(corpus: str) -> Scan:
    """Return what a look into a corpus's folder finds."""
    return _scan(str(cache().root), corpus, stamp())


def n_clips(corpus: str) -> int:
    """Return how many clips a corpus has; 0 where its folder is gone."""
    try:
        return len(clips_of(str(cache().root), corpus, stamp()))
    except CorpusError:
        return 0


def failures(corpus: str) -> list[tuple[str, tuple[str, str]]]:
    """Return (encoder, (file, reason)) of clips that could not be embedded."""
    return [
        (done.encoder, (str(row["file"]), str(row["reason"])))
        for done in coverage(corpus)
        if done.n_failed
        for row in embedded((corpus,), done.store).failures.to_dict("records")
    ]


def forget_corpus(corpus: str) -> None:
    """Take a corpus off the list; its files and embeddings stay."""
    catalogue.remove(cache(), corpus)


def kept() -> list[Entry]:
    """Return everything that is kept, with sizes."""
    return _kept(str(cache().root), stamp())


def runs_stamp() -> float:
    """Return when a run last began, got a file or was removed."""
    folder = cache().root / "runs"
    return max((path.stat().st_mtime for path in (folder, *folder.glob("[!.]*")) if path.exists()), default=0.0)


@st.cache_data(ttl=REFRESH_SECONDS, max_entries=1, show_spinner=False)
def _encoders(root: str, written: float) -> list[EncoderCard]:
    own = {one.name: one for one in trained.available(Cache(Path(root)))}
    return [EncoderCard(name, one.title, one.missing()) for name, one in (ENCODERS | own).items()]


@st.cache_data(max_entries=16, show_spinner=False)
def _n_taught(source: Source, written: float) -> int | None:
    found = opened(source)
    return trained.n_taught(found.recipe, found.digests, cache=source.cache)


@st.cache_data(ttl=REFRESH_SECONDS, max_entries=4, show_spinner=False)
def _kept(root: str, written: float) -> list[Entry]:
    return Cache(Path(root)).ls()


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def clips_of(root: str, corpus: str, written: float) -> pd.DataFrame:
    """Return the clips of a corpus with their labels, embedded or not."""
    return catalogue.get(Cache(Path(root)), corpus).clips()


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def _scan(root: str, corpus: str, written: float) -> Scan:
    return catalogue.get(Cache(Path(root)), corpus).scan()


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def _coverage(root: str, corpus: str, written: float) -> list[Coverage]:
    where = Cache(Path(root))
    return embeddings.coverage(catalogue.get(where, corpus), cache=where)


@st.cache_resource(max_entries=4, ttl=REFRESH_SECONDS, show_spinner="Opening embeddings …")
def opened(source: Source) -> Embeddings:
    """Return the embeddings that a source stands for."""
    store = VectorStore(Path(source.folder))
    parts = [embeddings.load(catalogue.get(source.cache, name), store, cache=source.cache) for name in source.names]
    return embeddings.join(parts)


@st.cache_data(max_entries=64, show_spinner=False)
def signal(file: Path, digest: str) -> NDArray[np.float32]:
    """Return a clip, mono at 16 kHz; ``digest`` is part of the key, so that a changed file is read again."""
    return audio.read(file)


def stamp() -> float:
    """Return the time of the last write to any embedding store, to the list of corpora or to a table of labels."""
    root = cache().root
    files = [root / "corpora.json", *root.glob("embeddings/*/vectors.sqlite")]
    files += [file for one in corpora() for pattern in TABLES for file in one.root.glob(pattern)]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
