"""What has to be known of a corpus before clips can be placed in it: the encoder, distances, the plane, the voices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ser_core import analyses, catalogue, embeddings, trained, voice
from ser_core.analyses import AnalysisError, Learnt
from ser_core.cache import Cache
from ser_core.embeddings import EmbeddingError, Embeddings
from ser_core.encoders import EGEMAPS, Encoder, EncoderError
from ser_core.geometry import affect, region, yardstick
from ser_core.geometry.affect import AffectMap
from ser_core.geometry.placement import Placement
from ser_core.geometry.projection import Scaling
from ser_core.geometry.region import Region
from ser_core.geometry.yardstick import DistanceError, Yardstick
from ser_core.landing import Ground
from ser_core.tracks import PlacementError
from ser_core.voice import Reference, VoiceError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plane:
    """The way to Russell's plane, learnt from one corpus.

    ``region`` is where the true place lies around a placed point (None: too few unseen clips to tell), ``scored`` the
    clips of unseen speakers that it was measured on.
    """

    teacher: str
    map: AffectMap
    region: Region | None
    scored: Placement

    @classmethod
    def of(cls, teacher: str, learnt: Learnt) -> "Plane":
        """Return the plane that a corpus teaches (`analyses.learn`)."""
        return cls(teacher, learnt.map, region.region(learnt.unseen_speakers), learnt.unseen_speakers)


def encoder_of(
    recipe: Mapping[str, Any], *, corpora: Sequence[str] = ("CORPUS",), cache: Cache | None = None
) -> Encoder:
    """Return the encoder that made embeddings of this recipe, so that a clip gets the vector that it would have there.

    ``corpora`` are those that the error names for embedding again, ``cache`` is where runs lie, whose inner layers are
    encoders too (by default `Cache.default`).

    Raises
    ------
    PlacementError
        If it is not on this machine, or would give other numbers (another version, another checkpoint).
    """
    name = str(recipe["name"])
    try:
        encoder = trained.find(name, cache=cache or Cache.default())
        here = embeddings.full_recipe(encoder)
    except EncoderError as error:
        raise PlacementError(f"clips cannot be placed among embeddings by {name}: {error}") from error
    if what := trained.differences(recipe, here):
        raise PlacementError(
            f"{name} would give other numbers now than it gave then ({what}): run {_embed(corpora, name)}"
        )
    return encoder


def measures(found: Embeddings, ground: Ground) -> Yardstick:
    """Return what measures clips against the emotions, in all dimensions, scaled as the map is.

    Standardised values count as 10 at most (`affect.LIMIT`), other than on a map: a few clips with values thousands of
    deviations out would else make so wide a spread that hardly any clip is far from all emotions.

    Raises
    ------
    AnalysisError
        If fewer than two emotions are known, or there are too few clips of them.
    """
    clips, rows = analyses.named(found)
    x = ground.x if len(rows) == len(ground.x) else ground.x[rows]
    try:
        limit = affect.limit(ground.drawn.view.scaling)
        return yardstick.yardstick(x, clips.clips["emotion"].to_numpy(str), limit=limit)
    except DistanceError as error:
        raise AnalysisError(str(error)) from error


def teach(
    parts: Mapping[str, Embeddings],
    *,
    layer: int,
    scaling: Scaling,
    cache: Cache,
    progress: Progress = lambda *_: None,
) -> Plane:
    """Return the plane that the first of these corpora that can teaches, by regression; learnt if it is not kept yet.

    Raises
    ------
    AnalysisError
        If none can, with the reasons.
    """
    how: dict[str, Any] = {"layer": layer, "scaling": scaling, "method": "regression"}
    reasons = []
    for name, part in parts.items():
        clips = analyses.teachers(part)[0]
        reason = analyses.refusal(clips, method="regression")
        if reason is None:
            return Plane.of(name, analyses.learn(clips, **how, cache=cache, progress=progress))
        reasons.append(f"{name} teaches no plane: {reason}")
    raise AnalysisError("; ".join(reasons))


def reference(found: Embeddings, *, cache: Cache) -> Reference:
    """Return what is usual in the voices of these clips, from the eGeMAPS values that are kept of them.

    Raises
    ------
    PlacementError
        If not all of them are embedded with ``egemaps`` as it is here.
    """
    if found.recipe["name"] == EGEMAPS.name:
        return _usual(found)
    names = [str(name) for name in dict.fromkeys(found.clips["corpus"])]
    sources = [catalogue.get(cache, name) for name in names]
    try:
        store = embeddings.find_store(sources, EGEMAPS.name, cache=cache)
    except EmbeddingError as error:
        raise PlacementError(f"what is unusual about a voice is told from eGeMAPS values: {error}") from error
    encoder_of(store.recipe, corpora=names, cache=cache)
    parts = [embeddings.load(source, store, cache=cache) for source in sources]
    lacks = [part.name for part, of in zip(sources, parts, strict=True) if of.n_pending]
    if lacks:
        again = _embed(lacks, EGEMAPS.name)
        raise PlacementError(f"what is unusual about a voice is told from eGeMAPS values of all clips: run {again}")
    return _usual(embeddings.join(parts))


def _usual(found: Embeddings) -> Reference:
    try:
        return voice.reference(found)
    except VoiceError as error:
        raise PlacementError(str(error)) from error


def _embed(corpora: Sequence[str], name: str) -> str:
    return " and ".join(f"`ser embed {corpus} {name}`" for corpus in corpora)
