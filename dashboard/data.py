"""Cached calls of ser_core; no widget, no arithmetic.

Big results are shared by all sessions (`st.cache_resource`), read-only, keyed by names and the time of the last write:
hashing large arrays by content samples them, and two different ones can then look the same.
"""

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ser_core import audio, embeddings, library, maps
from ser_core.cache import Cache, VectorStore
from ser_core.embeddings import Coverage, Embeddings
from ser_core.library import Located
from ser_core.maps import Map, View

REFRESH_SECONDS = 60
"""Files that change under a running dashboard are seen after this long; what it embeds itself, at once."""


def cache() -> Cache:
    """Return the cache folder that the dashboard was started with."""
    return Cache.default()


def corpora() -> list[Located]:
    """Return the corpora that were added."""
    return library.ls(cache())


def coverage(corpus: str) -> list[Coverage]:
    """Return what is embedded of a corpus, per encoder."""
    return _coverage(str(cache().root), corpus, _stamp())


def embedded(names: tuple[str, ...], store: VectorStore) -> Embeddings:
    """Return the embeddings of one or several corpora under one encoder, joined."""
    return _embedded(str(cache().root), names, str(store.folder), _stamp())


def kept_map(names: tuple[str, ...], store: VectorStore, view: View) -> Map | None:
    """Return a map that was computed before, None if it was not."""
    return maps.kept(embedded(names, store), view, cache=cache())


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def _coverage(root: str, corpus: str, written: float) -> list[Coverage]:
    where = Cache(Path(root))
    return embeddings.coverage(library.get(where, corpus), cache=where)


@st.cache_resource(max_entries=4, ttl=REFRESH_SECONDS, show_spinner="Opening embeddings …")
def _embedded(root: str, names: tuple[str, ...], folder: str, written: float) -> Embeddings:
    where = Cache(Path(root))
    store = VectorStore(Path(folder))
    return embeddings.join([embeddings.load(library.get(where, name), store, cache=where) for name in names])


@st.cache_data(max_entries=64, show_spinner=False)
def signal(file: Path, digest: str) -> NDArray[np.float32]:
    """Return a clip, mono at 16 kHz; ``digest`` is part of the key, so that a changed file is read again."""
    return audio.read(file)


def _stamp() -> float:
    """Return the time of the last write to any embedding store or to the list of corpora."""
    root = cache().root
    files = [root / "corpora.json", *root.glob("embeddings/*/vectors.sqlite")]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
