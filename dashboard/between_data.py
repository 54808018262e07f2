"""Cached calls of ser_core about two encoders side by side; as `dashboard.data`."""

from dataclasses import dataclass

import streamlit as st

from dashboard import data
from dashboard.data import REFRESH_SECONDS, Source
from ser_core import between, catalogue, jobs, layers
from ser_core.analyses import AnalysisError
from ser_core.between import Between, Pair, Parting, Portrait
from ser_core.layers import Layers
from ser_core.maps import Map
from ser_core.store import VectorStore


@dataclass(frozen=True)
class Asked:
    """Which corpora are looked at, and how both encoders embedded them: what results are kept under."""

    a: Source
    b: Source

    @property
    def sources(self) -> tuple[Source, Source]:
        """Both."""
        return self.a, self.b


def asked(names: tuple[str, ...], store_a: VectorStore, store_b: VectorStore) -> Asked:
    """Return what is asked for now."""
    return Asked(data.source(names, store_a), data.source(names, store_b))


def pair(asked: Asked) -> Pair:
    """Return the clips that both encoders have.

    Raises
    ------
    BetweenError
        If they are too few.
    """
    return _pair(asked)


def portrait(asked: Asked, side: int, layer: int) -> Portrait | str:
    """Return how a layer of the first (0) or second (1) encoder shows emotions; a sentence where it cannot be told."""
    return _portrait(asked, side, layer)


def parting(asked: Asked, side: int, map_id: str, drawn: Map) -> Parting:
    """Return how well emotions keep apart on a map; `portrait` says whether that can be told."""
    return _parting(asked, side, map_id, drawn)


def alike(asked: Asked, layers: tuple[int, int]) -> Between:
    """Return how alike a layer of each is."""
    return _alike(asked, layers)


def by_layer(asked: Asked) -> Layers | None:
    """Return both encoders layer by layer; None where that was not computed and takes long."""
    found, cache = pair(asked), asked.a.cache
    known = layers.kept(found, cache=cache)
    if known is None and layers.quick(found):
        with st.spinner("Going through the layers …"):
            return layers.compare(found, cache=cache)
    return known


def start_layers(names: tuple[str, ...], store_a: VectorStore, store_b: VectorStore) -> None:
    """Start going through the layers in the background."""
    jobs.start(data.cache(), layers.job(names, store_a.key, store_b.key), title=f"Layers of {', '.join(names)}")


def knows(asked: Asked, side: int) -> str | None:
    """Return a sentence if the network behind an encoder knew the clips before (`between.knows`)."""
    return _knows(asked, side, data.runs_stamp())


@st.cache_resource(max_entries=4, ttl=REFRESH_SECONDS, show_spinner=False)
def _pair(asked: Asked) -> Pair:
    return between.pair(*(data.opened(one) for one in asked.sources))


@st.cache_data(max_entries=64, show_spinner="Measuring how the emotions show …")
def _portrait(asked: Asked, side: int, layer: int) -> Portrait | str:
    found = _pair(asked)
    try:
        return between.portrait((found.a, found.b)[side], layer)
    except AnalysisError as error:
        return str(error)


@st.cache_data(max_entries=64, show_spinner=False)
def _parting(asked: Asked, side: int, map_id: str, _drawn: Map) -> Parting:
    found = _pair(asked)
    return between.parting((found.a, found.b)[side], _drawn.projection.coordinates)


@st.cache_resource(max_entries=16, show_spinner="Comparing the two …")
def _alike(asked: Asked, layers: tuple[int, int]) -> Between:
    return between.between(_pair(asked), layers)


@st.cache_data(max_entries=16, show_spinner=False)
def _knows(asked: Asked, side: int, written: float) -> str | None:
    found, cache = _pair(asked), asked.a.cache
    kinds = [catalogue.get(cache, name).kind for name in asked.a.names]
    return between.knows((found.a, found.b)[side], kinds, cache=cache)
