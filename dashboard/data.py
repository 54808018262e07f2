"""Cached calls of ser_core; no widget, no arithmetic.

Big results are shared by all sessions (`st.cache_resource`), read-only, keyed by names and the time of the last write:
hashing large arrays by content samples them, and two different ones can then look the same.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from ser_core import analyses, audio, catalogue, circle, dates, embeddings, maps
from ser_core import clusters as clouds
from ser_core import jobs as running
from ser_core import timeline as timelines
from ser_core.analyses import Question
from ser_core.cache import Cache, Entry
from ser_core.catalogue import Located
from ser_core.circle import Order, Plane
from ser_core.clusters import Clusters
from ser_core.corpora import CorpusError, Scan
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Coverage, Embeddings
from ser_core.encoders.base import EncoderError
from ser_core.geometry.affect import AffectMap, Method
from ser_core.geometry.circumplex import Alignment
from ser_core.geometry.density import Shape
from ser_core.geometry.mahalanobis import Distances, Resampled
from ser_core.geometry.projection import Scaling
from ser_core.jobs import Status
from ser_core.maps import Map, View
from ser_core.store import VectorStore, key
from ser_core.timeline import Period, Span, Timeline

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
        return _coverage(str(cache().root), corpus, _stamp())
    except CorpusError:
        return []


def embedded(names: tuple[str, ...], store: VectorStore) -> Embeddings:
    """Return the embeddings of one or several corpora under one encoder, joined."""
    return _embedded(str(cache().root), names, str(store.folder), _stamp())


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


def clusters(names: tuple[str, ...], store: VectorStore, view: View, shape: Shape) -> Clusters:
    """Return the clouds of the emotions on a map that was drawn.

    Raises
    ------
    SerError
        If there are too few emotions or clips.
    """
    return _clusters(str(cache().root), names, str(store.folder), _stamp(), view, shape)


def order(names: tuple[str, ...], store: VectorStore, view: View, alignment: Alignment | None) -> Order:
    """Return the circular order of the emotions on a map that was drawn; ``alignment`` None: fitted to Russell."""
    turned = None if alignment is None else (alignment.rotation, alignment.mirrored)
    return _order(str(cache().root), names, str(store.folder), _stamp(), view, turned)


@dataclass(frozen=True)
class Measured:
    """Distances between emotions, and the clips that they were measured on; ``x`` is what was measured."""

    clips: Embeddings
    distances: Distances
    x: NDArray[np.float64]


def distances(names: tuple[str, ...], store: VectorStore, question: Question) -> Measured:
    """Return the distances between emotions; in a map, of one that was drawn."""
    return _distances(str(cache().root), names, str(store.folder), _stamp(), question)


def distance_interval(names: tuple[str, ...], store: VectorStore, question: Question) -> Resampled | None:
    """Return the intervals of the distances: kept ones, or on a map, where it takes an instant, new ones."""
    measured = distances(names, store, question)
    known = analyses.kept_resampled(measured.clips, question, cache=cache())
    if known is None and question.space == "map" and analyses.several_speakers(measured.clips):
        return analyses.resampled(measured.clips, question, x=measured.x, cache=cache())
    return known


def start_distance_interval(names: tuple[str, ...], store: VectorStore, question: Question) -> None:
    """Start computing the intervals of the distances in the background."""
    arguments = analyses.mahalanobis_job(names, store.key, question)
    running.start(cache(), arguments, title=f"Distances of {', '.join(names)}")


def planes(
    names: tuple[str, ...], store: VectorStore, *, layer: int, scaling: Scaling, method: Method
) -> list[Plane] | None:
    """Return the clips on Russell's plane; None where it has to be learnt first and takes long."""
    return _planes(str(cache().root), names, str(store.folder), (_stamp(), _last_map()), layer, scaling, method)


def plane_numbers(
    names: tuple[str, ...], store: VectorStore, *, layer: int, scaling: Scaling, method: Method
) -> list[dict[str, Any]]:
    """Return the numbers of each of `planes`, which must be there, with their intervals."""
    return _plane_numbers(str(cache().root), names, str(store.folder), (_stamp(), _last_map()), layer, scaling, method)


def start_planes(names: tuple[str, ...], store: VectorStore, *, layer: int, scaling: Scaling, method: Method) -> None:
    """Start learning the planes of these corpora in the background."""
    arguments = circle.job(names, store.key, layer=layer, scaling=scaling, method=method)
    running.start(cache(), arguments, title=f"Plane of {', '.join(names)}")


def plane_map(teacher: str, store: VectorStore, *, layer: int, scaling: Scaling, method: Method) -> AffectMap | None:
    """Return the way from an embedding to valence and arousal learnt from a corpus; None where that takes long."""
    if planes((teacher,), store, layer=layer, scaling=scaling, method=method) is None:
        return None
    clips = analyses.named(embedded((teacher,), store))[0]
    known = analyses.kept_learnt(clips, layer=layer, scaling=scaling, method=method, cache=cache())
    return known.map if known else None


@dataclass(frozen=True)
class Dated:
    """What a corpus has to do with time: speakers with dated clips, most first, and on how many days clips lie.

    ``teaches`` says whether a plane can be learnt from it: it has two speakers and two known emotions or more.
    """

    people: tuple[str, ...]
    n_days: int
    teaches: bool


def dated(corpus: str) -> Dated:
    """Return whose dated clips a corpus has; nobody's where its folder is gone."""
    try:
        return _dated(str(cache().root), corpus, _stamp())
    except CorpusError:
        return Dated((), 0, teaches=False)


@dataclass(frozen=True)
class Diary:
    """One person's timeline, and its clips in the order of time.

    ``dates`` names what says when they were recorded, ``rows`` are those of the embeddings, ``points`` their valence
    and arousal, shape (n_clips, 2). ``frames`` are the whole and then, where there are two or more, its spans;
    ``members`` are the places of their clips among these.
    """

    timeline: Timeline
    dates: str
    rows: NDArray[np.intp]
    times: pd.DatetimeIndex
    points: NDArray[np.float64]
    frames: tuple[Span, ...]
    members: tuple[NDArray[np.intp], ...]


def diary(
    corpus: str,
    teacher: str,
    store: VectorStore,
    *,
    layer: int,
    scaling: Scaling,
    method: Method,
    person: str,
    period: Period,
) -> Diary | None:
    """Return one person's clips, placed by what was learnt from another corpus; None where that was not learnt yet.

    Raises
    ------
    SerError
        If nothing can be learnt from the teacher, or the person has no dated clip.
    """
    learnt = plane_map(teacher, store, layer=layer, scaling=scaling, method=method)
    if learnt is None:
        return None
    written = (_stamp(), _last_map())
    how = (layer, scaling, method, person, period)
    return _diary(str(cache().root), corpus, teacher, str(store.folder), written, *how, learnt)


def start_embedding(corpus: str, encoder: str) -> None:
    """Start embedding a corpus in the background.

    Raises
    ------
    SerError
        If the encoder cannot be used here.
    """
    from ser_core.encoders import encoder as find

    chosen = find(encoder)
    if why := chosen.missing():
        raise EncoderError(why)
    running.start(cache(), ["embed", corpus, chosen.name], title=f"{corpus} · {chosen.name}")


def jobs() -> list[Status]:
    """Return all jobs, the latest first."""
    return running.ls(cache())


def forecast(corpus: str, encoder: str) -> tuple[int, str]:
    """Return how many clips an embedding has to do, and a sentence: with the time, where an earlier run tells it."""
    from ser_core.encoders import encoder as find

    chosen = find(encoder)
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


@st.cache_data(ttl=REFRESH_SECONDS, max_entries=1, show_spinner=False)
def encoders() -> list[EncoderCard]:
    """Return the encoders, and why those that cannot be used here cannot."""
    from ser_core.encoders import ENCODERS

    return [EncoderCard(name, one.title, one.missing()) for name, one in ENCODERS.items()]


def add_corpus(kind: str, root: Path, name: str | None) -> tuple[Located, Scan]:
    """Look into a folder and add it."""
    return catalogue.add(cache(), kind, root, name=name)


def scan(corpus: str) -> Scan:
    """Return what a look into a corpus's folder finds."""
    return _scan(str(cache().root), corpus, _stamp())


def n_clips(corpus: str) -> int:
    """Return how many clips a corpus has; 0 where its folder is gone."""
    try:
        return len(_clips(str(cache().root), corpus, _stamp()))
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
    return _kept(str(cache().root), _stamp())


@st.cache_data(ttl=REFRESH_SECONDS, max_entries=4, show_spinner=False)
def _kept(root: str, written: float) -> list[Entry]:
    return Cache(Path(root)).ls()


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def _clips(root: str, corpus: str, written: float) -> pd.DataFrame:
    return catalogue.get(Cache(Path(root)), corpus).clips()


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def _scan(root: str, corpus: str, written: float) -> Scan:
    return catalogue.get(Cache(Path(root)), corpus).scan()


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def _coverage(root: str, corpus: str, written: float) -> list[Coverage]:
    where = Cache(Path(root))
    return embeddings.coverage(catalogue.get(where, corpus), cache=where)


@st.cache_resource(max_entries=4, ttl=REFRESH_SECONDS, show_spinner="Opening embeddings …")
def _embedded(root: str, names: tuple[str, ...], folder: str, written: float) -> Embeddings:
    where = Cache(Path(root))
    store = VectorStore(Path(folder))
    return embeddings.join([embeddings.load(catalogue.get(where, name), store, cache=where) for name in names])


@st.cache_resource(max_entries=16, show_spinner="Measuring the clouds …")
def _clusters(root: str, names: tuple[str, ...], folder: str, written: float, view: View, shape: Shape) -> Clusters:
    found = _embedded(root, names, folder, written)
    return clouds.clusters(found, maps.draw(found, view, cache=Cache(Path(root))), shape=shape)


@st.cache_resource(max_entries=64, show_spinner="Ordering the emotions …")
def _order(
    root: str, names: tuple[str, ...], folder: str, written: float, view: View, turned: tuple[float, bool] | None
) -> Order:
    found = _embedded(root, names, folder, written)
    drawn = maps.draw(found, view, cache=Cache(Path(root)))
    return circle.order(found, drawn, alignment=None if turned is None else Alignment(*turned))


@st.cache_resource(max_entries=8, show_spinner="Measuring distances …")
def _distances(root: str, names: tuple[str, ...], folder: str, written: float, question: Question) -> Measured:
    found = _embedded(root, names, folder, written)
    clips, rows = analyses.named(found)
    drawn = maps.draw(found, question.view, cache=Cache(Path(root))) if question.space == "map" else None
    x = analyses.coordinates(clips, question, drawn)
    x = x[rows] if drawn else x
    return Measured(clips, analyses.distances(clips, question, x=x), x)


@st.cache_resource(max_entries=16, show_spinner="Learning the plane …")
def _planes(
    root: str,
    names: tuple[str, ...],
    folder: str,
    written: tuple[float, float],
    layer: int,
    scaling: Scaling,
    method: Method,
) -> list[Plane] | None:
    where = Cache(Path(root))
    parts = {name: _embedded(root, (name,), folder, written[0]) for name in names}
    how = {"layer": layer, "scaling": scaling, "method": method, "cache": where}
    known = circle.kept_planes(parts, **how)
    if known is None and all(analyses.quick(part) for part in parts.values()):
        return circle.planes(parts, **how)
    return known


@st.cache_resource(max_entries=16, show_spinner="Scoring the plane …")
def _plane_numbers(
    root: str,
    names: tuple[str, ...],
    folder: str,
    written: tuple[float, float],
    layer: int,
    scaling: Scaling,
    method: Method,
) -> list[dict[str, Any]]:
    found = _planes(root, names, folder, written, layer, scaling, method)
    return [circle.plane_summary(plane) for plane in found or ()]


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def _dated(root: str, corpus: str, written: float) -> Dated:
    clips = _clips(root, corpus, written)
    times, _ = dates.when(clips)
    n_emotions = clips.loc[clips["emotion"] != UNKNOWN, "emotion"].nunique()
    teaches = min(n_emotions, len(set(clips["speaker"]))) > 1
    return Dated(tuple(timelines.people(clips)), times.dt.normalize().nunique(), teaches)


@st.cache_resource(max_entries=8, show_spinner="Placing the clips …")
def _diary(
    root: str,
    corpus: str,
    teacher: str,
    folder: str,
    written: tuple[float, float],
    layer: int,
    scaling: Scaling,
    method: Method,
    person: str,
    period: Period,
    _learnt: AffectMap,
) -> Diary:
    found = _embedded(root, (corpus,), folder, written[0])
    points = _learnt.place(found.layer(layer).astype(np.float64))
    result, source = timelines.of(found, points, person=person, period=period)
    times = pd.DatetimeIndex(dates.when(found.clips)[0])
    own = np.flatnonzero((found.clips["speaker"] == person).to_numpy() & times.notna())
    rows = own[np.argsort(times[own], kind="stable")]
    stamps = times[rows]
    step = pd.Timedelta(days=7 if period == "week" else 1)
    spans = result.spans if len(result.spans) > 1 else ()
    parts = (np.flatnonzero((stamps >= one.start) & (stamps < one.start + step)) for one in spans)
    return Diary(result, source, rows, stamps, points[rows], (result.whole, *spans), (np.arange(len(rows)), *parts))


@st.cache_data(max_entries=64, show_spinner=False)
def signal(file: Path, digest: str) -> NDArray[np.float32]:
    """Return a clip, mono at 16 kHz; ``digest`` is part of the key, so that a changed file is read again."""
    return audio.read(file)


def _last_map() -> float:
    """Return the time of the last write of a map or an analysis: a plane that was not there may be now."""
    folder = cache().root / "maps"
    return folder.stat().st_mtime if folder.exists() else 0.0


def _stamp() -> float:
    """Return the time of the last write to any embedding store, to the list of corpora or to a table of labels."""
    root = cache().root
    files = [root / "corpora.json", *root.glob("embeddings/*/vectors.sqlite")]
    files += [one.root / "metadata.csv" for one in corpora()]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
