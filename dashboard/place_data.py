"""Cached calls of ser_core for placing clips: the corpus's side alone. What is computed of a clip stays in its session.

What a background job may compute at any time is never kept as missing.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import data, uploads
from dashboard.data import Source
from dashboard.frame import Choice
from dashboard.uploads import Upload
from ser_core import analyses, circle, landing, maps, placement, recognisers, unseen
from ser_core import jobs as running
from ser_core.analyses import AnalysisError
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings
from ser_core.geometry import region
from ser_core.geometry.affect import AffectError
from ser_core.geometry.projection import Scaling
from ser_core.geometry.yardstick import Yardstick
from ser_core.landing import Ground
from ser_core.maps import View
from ser_core.placement import Atlas, Placed, PlacementError, Plane, Vectors
from ser_core.recognisers import Recognised
from ser_core.runs import Run
from ser_core.unseen import Unseen
from ser_core.voice import Reference

Later = Literal["unseen", "plane"]
METHOD: Final = "regression"
"""How the plane is learnt that clips are placed on."""
Part = TypeVar("Part")


@dataclass(frozen=True)
class Taught:
    """A plane, and the clips of the corpus that taught it, each placed as one of an unseen speaker.

    ``rows`` (n,) are their rows among that corpus's clips, ``labels`` their emotions; ``plane.scored`` has the places.
    ``learnt_on`` says in words what valence and arousal are there. ``held`` is how much the plane's region holds of
    speakers that it was not learnt from: of all clips, and by speaker; None where too few clips are left to tell.
    """

    plane: Plane
    rows: NDArray[np.intp]
    labels: tuple[str, ...]
    learnt_on: str
    held: tuple[float, dict[str, float]] | None


@dataclass(frozen=True)
class Prepared:
    """What clips are placed among, and what of it is still to be computed in the background (``later``).

    ``no_plane`` says of each corpus why it teaches no plane, where none does.
    """

    atlas: Atlas
    taught: Taught | None
    later: tuple[Later, ...]
    no_plane: tuple[str, ...]
    key: tuple[Any, ...]


@dataclass(frozen=True)
class Look:
    """One clip among the chosen corpora: all that a panel needs."""

    choice: Choice
    view: View
    upload: Upload
    vectors: Vectors
    placed: Placed
    atlas: Atlas


class _LaterError(Exception):
    """Raised instead of what has to be computed in the background: what is raised is not kept."""


def look(choice: Choice, view: View, upload: Upload, vectors: Vectors, prepared: Prepared) -> Look:
    """Place a clip of this session, or return how it was placed before."""

    def place() -> Placed:
        return placement.placed(prepared.atlas, upload.clip, vectors, digest=upload.digest)

    return Look(choice, view, upload, vectors, uploads.remember(upload, prepared.key, place), prepared.atlas)


def prepared(choice: Choice, view: View, teacher: str | None) -> Prepared:
    """Prepare what clips are placed among, on a map that was drawn; ``teacher`` is a corpus of `teachers`.

    Raises
    ------
    PlacementError
        If the encoder that made the embeddings is not here.
    """
    encoder = uploads.encoder(choice.store)
    source = data.source(choice.names, choice.store)
    lacking: list[str] = []
    later: list[Later] = []

    def part(make: Any, *of: Any, name: Later | None = None) -> Any:
        try:
            return make(*of)
        except (AnalysisError, PlacementError) as error:
            lacking.append(str(error))
        except _LaterError:
            later.extend([name] if name else [])
        return None

    ground = _ground(source, view)
    yardstick: Yardstick | None = part(_yardstick, source, view)
    checked: Unseen | None = part(_unseen, source, view.layer, view.scaling, name="unseen")
    taught: Taught | None = None
    no_plane: list[str] = []
    if teacher is None:
        no_plane = [f"{name} teaches no plane: {why}" for name, why in _refusals(choice).items() if why]
        lacking += no_plane
    else:
        taught = part(_taught, data.source((teacher,), choice.store), view.layer, view.scaling, name="plane")
    voice: Reference | None = part(_voice, source)
    plane = taught.plane if taught else None
    models, refused = _models(source.root, choice.names, data.runs_stamp())
    whys = tuple(dict.fromkeys([*lacking, *refused]))
    atlas = Atlas(choice.names, choice.found, encoder, ground, yardstick, checked, plane, voice, whys, tuple(models))
    key = (source, view, teacher, checked is None, plane is None, tuple(run.id for run in models))
    return Prepared(atlas, taught, tuple(later), tuple(no_plane), key)


def recognised(look: Look) -> list[Recognised]:
    """Return what the trained models say of a clip of this session; they are asked once, whatever map is looked at."""
    key = ("recognised", look.choice.store.key, tuple(run.id for run in look.atlas.recognisers))
    return uploads.remember(look.upload, key, lambda: look.placed.recognised)


def teachers(choice: Choice) -> list[str]:
    """Return the corpora that a plane can be learnt from: those chosen first, then others under this encoder."""
    return [name for name, why in _refusals(choice).items() if why is None]


def start_unseen(choice: Choice, view: View) -> None:
    """Start checking the answers on unseen speakers, in the background."""
    running.start(data.cache(), unseen_job(choice, view), title=f"Check of {', '.join(choice.names)}")


def unseen_job(choice: Choice, view: View) -> list[str]:
    """Return the command that this is."""
    return unseen.job(choice.names, choice.store.key, layer=view.layer, scaling=view.scaling)


def start_plane(choice: Choice, view: View, teacher: str) -> None:
    """Start learning the plane from a corpus, in the background."""
    running.start(data.cache(), plane_job(choice, view, teacher), title=f"Plane of {teacher}")


def plane_job(choice: Choice, view: View, teacher: str) -> list[str]:
    """Return the command that this is."""
    return circle.job((teacher,), choice.store.key, layer=view.layer, scaling=view.scaling, method=METHOD)


def _refusals(choice: Choice) -> dict[str, str | None]:
    """Return for every corpus under this encoder why no plane can be learnt from it, None where one can."""
    others = [one.name for one in data.corpora() if one.name not in choice.names]
    there = [name for name in others if any(part.store.key == choice.store.key for part in data.coverage(name))]
    return {name: _refusal(data.source((name,), choice.store)) for name in (*choice.names, *there)}


@st.cache_resource(max_entries=32, show_spinner=False)
def _refusal(source: Source) -> str | None:
    found = data.opened(source)
    if not len(found.clips):
        return "none of its clips are embedded"
    return analyses.refusal(analyses.teachers(found)[0], method=METHOD)


@st.cache_resource(max_entries=8, show_spinner=False)
def _models(root: str, names: tuple[str, ...], written: float) -> tuple[list[Run], list[str]]:
    return recognisers.available(Cache(Path(root)), names)


@st.cache_resource(max_entries=3, show_spinner="Preparing the map for clips to land on …")
def _ground(source: Source, view: View) -> Ground:
    found = data.opened(source)
    return landing.ground(found, maps.draw(found, view, cache=source.cache))


@st.cache_resource(max_entries=3, show_spinner="Measuring the emotions …")
def _yardstick(source: Source, view: View) -> Yardstick:
    return placement.measures(data.opened(source), _ground(source, view))


@st.cache_resource(max_entries=8, show_spinner="Checking the answers on unseen speakers …")
def _unseen(source: Source, layer: int, scaling: Scaling) -> Unseen:
    found: Embeddings = data.opened(source)
    how: dict[str, Any] = {"layer": layer, "scaling": scaling, "cache": source.cache}
    known = unseen.kept(found, **how)
    if known is None and unseen.refusal(found) is None and not unseen.quick(found):
        raise _LaterError
    return known or unseen.check(found, **how)


@st.cache_resource(max_entries=8, show_spinner="Learning the plane …")
def _taught(source: Source, layer: int, scaling: Scaling) -> Taught:
    found = data.opened(source)
    clips, rows = analyses.teachers(found)
    how: dict[str, Any] = {"layer": layer, "scaling": scaling, "method": METHOD, "cache": source.cache}
    learnt = analyses.kept_learnt(clips, **how)
    if learnt is None and not analyses.quick(found):
        raise _LaterError
    learnt = learnt or analyses.learn(clips, **how)
    labels = clips.clips["emotion"].to_numpy(str)[learnt.speaker_rows]
    plane, held = Plane.of(source.names[0], learnt), None
    with suppress(AffectError):
        held = region.coverage(learnt.unseen_speakers)
    return Taught(plane, rows[learnt.speaker_rows], tuple(labels.tolist()), learnt.targets.scale, held)


@st.cache_resource(max_entries=8, show_spinner="Looking at what is usual in a voice …")
def _voice(source: Source) -> Reference:
    return placement.reference(data.opened(source), cache=source.cache)
