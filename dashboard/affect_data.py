"""Cached calls of ser_core about affect: clouds, circle, distances, the learnt plane, timelines; as `dashboard.data`.

What a plane needs may be learnt by a background job at any time, so that it is not there is never kept.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import data
from dashboard.data import REFRESH_SECONDS, Source
from ser_core import analyses, circle, dates, maps
from ser_core import clusters as clouds
from ser_core import jobs as running
from ser_core import timeline as timelines
from ser_core.analyses import Question
from ser_core.circle import Order, Planes
from ser_core.clusters import Clusters
from ser_core.corpora import CorpusError
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings
from ser_core.errors import SerError
from ser_core.geometry import affect
from ser_core.geometry.affect import AffectMap, Method
from ser_core.geometry.circumplex import Alignment
from ser_core.geometry.density import Shape
from ser_core.geometry.mahalanobis import Distances, Resampled
from ser_core.geometry.projection import Scaling
from ser_core.maps import View
from ser_core.store import VectorStore
from ser_core.timeline import Period, Span, Timeline


def clusters(names: tuple[str, ...], store: VectorStore, view: View, shape: Shape) -> Clusters:
    """Return the clouds of the emotions on a map that was drawn.

    Raises
    ------
    SerError
        If there are too few emotions or clips.
    """
    return _clusters(data.source(names, store), view, shape)


def order(names: tuple[str, ...], store: VectorStore, view: View, alignment: Alignment | None) -> Order:
    """Return the circular order of the emotions on a map that was drawn; ``alignment`` None: fitted to Russell."""
    turned = None if alignment is None else (alignment.rotation, alignment.mirrored)
    return _order(data.source(names, store), view, turned)


@dataclass(frozen=True)
class Measured:
    """Distances between emotions, and the clips that they were measured on: their rows; ``x`` is what was measured."""

    clips: Embeddings
    rows: NDArray[np.intp]
    distances: Distances
    x: NDArray[np.float64]


def distances(names: tuple[str, ...], store: VectorStore, question: Question) -> Measured:
    """Return the distances between emotions; in a map, of one that was drawn."""
    return _distances(data.source(names, store), question)


def distance_interval(names: tuple[str, ...], store: VectorStore, question: Question) -> Resampled | None:
    """Return the intervals of the distances: kept ones, or on a map, where it takes an instant, new ones."""
    measured = distances(names, store, question)
    known = analyses.kept_resampled(measured.clips, question, cache=data.cache())
    if known is None and question.space == "map" and analyses.several_speakers(measured.clips):
        return analyses.resampled(measured.clips, question, x=measured.x, cache=data.cache())
    return known


def start_distance_interval(names: tuple[str, ...], store: VectorStore, question: Question) -> None:
    """Start computing the intervals of the distances in the background."""
    arguments = analyses.mahalanobis_job(names, store.key, question)
    running.start(data.cache(), arguments, title=f"Distances of {', '.join(names)}")


def planes(
    names: tuple[str, ...], store: VectorStore, *, layer: int, scaling: Scaling, method: Method
) -> Planes | None:
    """Return the clips on Russell's plane; None where it has to be learnt first and takes long.

    Raises
    ------
    AnalysisError
        If nothing can be learnt from any of these corpora.
    """
    try:
        return _planes(data.source(names, store), layer, scaling, method)
    except _NotThereError:
        return None


def plane_numbers(
    names: tuple[str, ...], store: VectorStore, *, layer: int, scaling: Scaling, method: Method
) -> list[dict[str, Any]]:
    """Return the numbers of each of `planes`, which must be there, with their intervals."""
    return _plane_numbers(data.source(names, store), layer, scaling, method)


def start_planes(names: tuple[str, ...], store: VectorStore, *, layer: int, scaling: Scaling, method: Method) -> None:
    """Start learning the planes of these corpora in the background."""
    arguments = circle.job(names, store.key, layer=layer, scaling=scaling, method=method)
    running.start(data.cache(), arguments, title=f"Plane of {', '.join(names)}")


def plane_map(learner: str, store: VectorStore, *, layer: int, scaling: Scaling, method: Method) -> AffectMap | None:
    """Return the way from an embedding to valence and arousal learnt from a corpus; None where that takes long.

    Raises
    ------
    AnalysisError
        If nothing can be learnt from it.
    """
    if planes((learner,), store, layer=layer, scaling=scaling, method=method) is None:
        return None
    clips = analyses.teachers(data.embedded((learner,), store))[0]
    known = analyses.kept_learnt(clips, layer=layer, scaling=scaling, method=method, cache=data.cache())
    return known.map if known else None


@dataclass(frozen=True)
class Dated:
    """What a corpus has to do with time: speakers with dated clips, most first, and on how many days clips lie.

    ``teaches`` says whether a plane can be learnt from it: it has two speakers, and two known emotions or ratings.
    """

    people: tuple[str, ...]
    n_days: int
    teaches: bool


def dated(corpus: str) -> Dated:
    """Return whose dated clips a corpus has; nobody's where its folder is gone."""
    try:
        return _dated(str(data.cache().root), corpus, data.stamp())
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
    learner: str,
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
        If nothing can be learnt from that corpus, or the person has no dated clip.
    """
    learnt = plane_map(learner, store, layer=layer, scaling=scaling, method=method)
    if learnt is None:
        return None
    return _diary(data.source((corpus,), store), learner, layer, scaling, method, person, period, learnt)


class _NotThereError(Exception):
    """Raised instead of a result that is not there yet: what is raised is not kept."""


@st.cache_resource(max_entries=16, show_spinner="Measuring the clouds …")
def _clusters(source: Source, view: View, shape: Shape) -> Clusters:
    found = data.opened(source)
    return clouds.clusters(found, maps.draw(found, view, cache=source.cache), shape=shape)


@st.cache_resource(max_entries=64, show_spinner="Ordering the emotions …")
def _order(source: Source, view: View, turned: tuple[float, bool] | None) -> Order:
    found = data.opened(source)
    drawn = maps.draw(found, view, cache=source.cache)
    return circle.order(found, drawn, alignment=None if turned is None else Alignment(*turned))


@st.cache_resource(max_entries=8, show_spinner="Measuring distances …")
def _distances(source: Source, question: Question) -> Measured:
    found = data.opened(source)
    clips, rows = analyses.named(found)
    drawn = maps.draw(found, question.view, cache=source.cache) if question.space == "map" else None
    x = analyses.coordinates(clips, question, drawn)
    x = x[rows] if drawn else x
    return Measured(clips, rows, analyses.distances(clips, question, x=x), x)


@st.cache_resource(max_entries=16, show_spinner="Learning the plane …")
def _planes(source: Source, layer: int, scaling: Scaling, method: Method) -> Planes:
    parts = {name: data.opened(source.of(name)) for name in source.names}
    how: dict[str, Any] = {"layer": layer, "scaling": scaling, "method": method, "cache": source.cache}
    known = circle.kept_planes(parts, **how)
    if known is None and all(analyses.quick(part) for part in parts.values()):
        return circle.planes(parts, **how)
    if known is None:
        raise _NotThereError
    return known


@st.cache_resource(max_entries=16, show_spinner="Scoring the plane …")
def _plane_numbers(source: Source, layer: int, scaling: Scaling, method: Method) -> list[dict[str, Any]]:
    return [circle.plane_summary(plane) for plane in _planes(source, layer, scaling, method).parts]


@st.cache_resource(max_entries=16, ttl=REFRESH_SECONDS, show_spinner=False)
def _dated(root: str, corpus: str, written: float) -> Dated:
    clips = data.clips_of(root, corpus, written)
    times, _ = dates.when(clips)
    teaches = len(set(clips["speaker"]) - {UNKNOWN}) > 1 and _has_goals(clips)
    return Dated(tuple(timelines.people(clips)), times.dt.normalize().nunique(), teaches)


def _has_goals(clips: pd.DataFrame) -> bool:
    """Say whether clips have two known emotions, or ratings that can be read."""
    if len(set(clips["emotion"]) - {UNKNOWN}) > 1:
        return True
    try:
        return affect.targets(clips).source == "rated"
    except SerError:
        return False


@st.cache_resource(max_entries=8, show_spinner="Placing the clips …")
def _diary(
    source: Source,
    learner: str,
    layer: int,
    scaling: Scaling,
    method: Method,
    person: str,
    period: Period,
    _learnt: AffectMap,
) -> Diary:
    found = data.opened(source)
    points = _learnt.place(found.layer(layer).astype(np.float64))
    result, stamps_from = timelines.of(found, points, person=person, period=period)
    times = pd.DatetimeIndex(dates.when(found.clips)[0])
    own = np.flatnonzero((found.clips["speaker"] == person).to_numpy() & times.notna())
    rows = own[np.argsort(times[own], kind="stable")]
    stamps = times[rows]
    step = pd.Timedelta(days=7 if period == "week" else 1)
    spans = result.spans if len(result.spans) > 1 else ()
    parts = (np.flatnonzero((stamps >= one.start) & (stamps < one.start + step)) for one in spans)
    members = (np.arange(len(rows)), *parts)
    return Diary(result, stamps_from, rows, stamps, points[rows], (result.whole, *spans), members)
