"""Cached reads of transfers between corpora and of what features added; no widget."""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import data
from dashboard.data import Source
from ser_core import attribution, jobs, plans, transferring
from ser_core.attribution import Attribution
from ser_core.emotions import EMOTIONS, common_name
from ser_core.geometry.clustered import Estimate
from ser_core.models.plane import Method
from ser_core.plans import ReducerPlan
from ser_core.store import VectorStore
from ser_core.transfer import UNSEEN, Adaptation, Question, Score, Transfer

SECONDS: Final = 12
"""About what ten folds of six hundred clips of 88 values take."""


def others(corpus: str, store: VectorStore) -> list[str]:
    """Return the other corpora that are embedded with the same encoder."""
    there = [one.name for one in data.corpora() if one.name != corpus]
    return [name for name in there if any(one.store.key == store.key and one.n_embedded for one in data.coverage(name))]


def emotions(corpus: str, store: VectorStore) -> list[str]:
    """Return the common names of a corpus's emotions that have a place among ours, in our order."""
    words = {common_name(str(word)) for word in data.embedded((corpus,), store).clips["emotion"]}
    return [name for name in EMOTIONS if name in words]


def found(corpus: str, onto: tuple[str, ...], store: VectorStore, question: Question) -> Transfer | None:
    """Return a transfer that was computed before; else None."""
    return _found(data.source((corpus,), store), onto, question, _written())


def refusal(corpus: str, onto: tuple[str, ...], store: VectorStore, question: Question) -> str | None:
    """Say why nothing can be computed; None where it can."""
    if why := transferring.usable(data.embedded((corpus,), store), question):
        return why
    try:
        for name in onto:
            transferring.chosen(data.embedded((name,), store), question.emotions)
    except transferring.TransferError as error:
        return str(error)
    return None


def start(corpus: str, onto: tuple[str, ...], store: VectorStore, question: Question, *, triads: bool) -> None:
    """Start computing a transfer in the background."""
    arguments = transferring.arguments(corpus, onto, store.key, question=question, triads=triads)
    jobs.start(data.cache(), arguments, title=transferring.title(corpus, onto))


def start_training(plan: ReducerPlan) -> None:
    """Start training one autoencoder in the background."""
    jobs.start(data.cache(), plans.arguments(plan), title=plans.title(plan))


def score(found: Transfer, where: str, method: Method, adaptation: Adaptation) -> Score:
    """Return `Transfer.score`."""
    return _score(_key(found), where, method, adaptation, found)


def scored(
    pair: tuple[str, str], store: VectorStore, question: Question, *, method: Method, adaptation: Adaptation
) -> Score | None:
    """Return how well what is learnt from the first of two corpora does on the second; None if it was not computed.

    Of a corpus on itself it is the validation part.
    """
    return _scored(data.source(pair[:1], store), pair[1], question, _written(), method, adaptation)


def follows(found: Transfer, where: str, method: Method, adaptation: Adaptation) -> dict[str, tuple[Estimate, ...]]:
    """Return `Transfer.follows`."""
    return _follows(_key(found), where, method, adaptation, found)


def undone(found: Transfer, where: str, method: Method, adaptation: Adaptation) -> tuple[Estimate, Estimate]:
    """Return `Transfer.undone` after the shift, and after the turn as well."""
    return _undone(_key(found), where, method, adaptation, found)


def shares(found: Transfer, where: str, method: Method, adaptation: Adaptation) -> Attribution:
    """Return what each value adds to the numbers of the clips of a place that were told rightly."""
    return _shares(_key(found), where, method, adaptation, found)


def shares_of(found: Transfer, where: str, method: Method, adaptation: Adaptation, row: int) -> Attribution:
    """Return the same of one clip, however it was told."""
    return _shares_of(_key(found), where, method, adaptation, row, found)


def marks(found: Transfer, where: str, method: Method, adaptation: Adaptation) -> pd.DataFrame:
    """Return the features that move the numbers of each emotion."""
    return attribution.marks(found, shares(found, where, method, adaptation))


def agreement(found: Transfer, where: str, method: Method, adaptation: Adaptation) -> pd.DataFrame:
    """Return how far other ways of explaining agree."""
    return _agreement(_key(found), where, method, adaptation, found)


def span(
    found: Transfer, places: tuple[str, ...], method: Method, adaptation: Adaptation, fold: int
) -> NDArray[np.float64]:
    """Return the ends of both axes, (2, 2), between which nearly all clips of these places lie."""
    points = np.concatenate([found.planes(where, method, adaptation)[fold] for where in places])
    points = points[~np.isnan(points[:, 0])]
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    room = 0.08 * (high - low) + 0.1
    return np.stack([low - room, high + room], axis=1)


def _key(found: Transfer) -> tuple[object, ...]:
    return (
        found.question,
        found.store,
        found.own.name,
        tuple(one.name for one in found.others),
        data.stamp(),
        _written(),
    )


def _written() -> float:
    """Return when an analysis was last kept."""
    folder = data.cache().root / "maps"
    return folder.stat().st_mtime if folder.exists() else 0.0


@st.cache_resource(max_entries=12, show_spinner=False)
def _found(source: Source, onto: tuple[str, ...], question: Question, written: float) -> Transfer | None:
    own, *rest = (data.opened(replace(source, names=(name,))) for name in (*source.names, *onto))
    return transferring.kept(own, rest, question, cache=source.cache)


@st.cache_data(max_entries=1024, show_spinner=False)
def _scored(
    source: Source, other: str, question: Question, written: float, method: Method, adaptation: Adaptation
) -> Score | None:
    itself = other == source.names[0]
    onto = () if itself else (other,)
    own, *rest = (data.opened(replace(source, names=(name,))) for name in (*source.names, *onto))
    found = transferring.kept(own, rest, question, cache=source.cache)
    if found is None:
        return None
    return found.score(UNSEEN, method) if itself else found.score(other, method, adaptation)


@st.cache_data(max_entries=128, show_spinner=False)
def _follows(
    key: tuple[object, ...], where: str, method: Method, adaptation: Adaptation, _found: Transfer
) -> dict[str, tuple[Estimate, ...]]:
    return _found.follows(where, method, adaptation)


@st.cache_data(max_entries=128, show_spinner=False)
def _undone(
    key: tuple[object, ...], where: str, method: Method, adaptation: Adaptation, _found: Transfer
) -> tuple[Estimate, Estimate]:
    shifted, turned = (_found.undone(where, method, adaptation, turned=both) for both in (False, True))
    return shifted, turned


@st.cache_data(max_entries=512, show_spinner=False)
def _score(key: tuple[object, ...], where: str, method: Method, adaptation: Adaptation, _found: Transfer) -> Score:
    return _found.score(where, method, adaptation)


@st.cache_resource(max_entries=8, show_spinner="Adding up what each measure did …")
def _shares(
    key: tuple[object, ...], where: str, method: Method, adaptation: Adaptation, _found: Transfer
) -> Attribution:
    return attribution.attribute(_found, where, method, adaptation=adaptation)


@st.cache_resource(max_entries=64, show_spinner=False)
def _shares_of(
    key: tuple[object, ...], where: str, method: Method, adaptation: Adaptation, row: int, _found: Transfer
) -> Attribution:
    return attribution.attribute(_found, where, method, adaptation=adaptation, only=np.array([row]))


@st.cache_data(max_entries=16, show_spinner="Explaining forty clips in two other ways (about five seconds) …")
def _agreement(
    key: tuple[object, ...], where: str, method: Method, adaptation: Adaptation, _found: Transfer
) -> pd.DataFrame:
    return attribution.agreement(_found, where, method, adaptation=adaptation, seed=attribution.SEED)
