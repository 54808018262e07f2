"""Two encoders, or two layers, side by side: how each shows the emotions of the same clips, and how alike they are.

Each is scaled as suits it (`ser_core.maps.default_scaling`), and over the clips that both have.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ser_core import analyses, clusters, maps, runs, sampling, trained, unseen
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings, take
from ser_core.encoders.seen import seen
from ser_core.errors import SerError
from ser_core.evaluation import Evaluation, uar
from ser_core.geometry import circumplex, projection, separation, similarity
from ser_core.geometry.clustered import Estimate
from ser_core.geometry.projection import Scaling
from ser_core.geometry.similarity import Cka, Fit, Overlap
from ser_core.maps import Map
from ser_core.runs import PREFIX

K: Final = maps.N_NEIGHBOURS
FEWEST: Final = K + 2
"""Clips that are compared: with fewer, every clip is every other's neighbour."""
MOST: Final = 1500
"""Clips whose inner products are compared; a sample where there are more, every emotion in its share."""
UNTOLD: Final = Estimate(np.nan, np.nan, np.nan)
Near = tuple[NDArray[np.int32], NDArray[np.float32]]


class BetweenError(SerError, ValueError):
    """Embeddings that cannot be compared; the message says what is missing."""


@dataclass(frozen=True)
class Pair:
    """The clips that two encoders have vectors of, in one order; ``rows_a`` and ``rows_b`` say which those are.

    ``only_a`` and ``only_b`` count the clips that one of them has alone.
    """

    a: Embeddings
    b: Embeddings
    rows_a: NDArray[np.intp]
    rows_b: NDArray[np.intp]
    only_a: int
    only_b: int


@dataclass(frozen=True)
class Parting:
    """How well emotions keep apart (`ser_core.geometry.separation`); the interval of 95 %, over speakers, NaN if none.

    ``silhouette`` is the mean over the clips, -1 to 1; ``between_within`` the scatter of emotions over that of clips.
    """

    silhouette: Estimate
    between_within: float


@dataclass(frozen=True)
class Portrait:
    """How a layer shows emotions; intervals of 95 % over speakers, NaN where there is none.

    Attributes
    ----------
    silhouette, between_within
        In all dimensions (`Parting`).
    recall
        UAR, 0-1, of the vote of the ten nearest clips of other speakers (`ser_core.unseen`); NaN where ``no_recall``
        says why.
    correlation, order_agreement
        With Russell's circle, on the first two axes (PCA), -1 to 1 (`ser_core.geometry.circumplex`); NaN with fewer
        than three emotions that have a place there.
    n_clips, n_speakers, n_emotions, n_placed
        Clips of a known emotion, known speakers, emotions, and those of them with a place on Russell's circle.
    """

    silhouette: Estimate
    between_within: float
    recall: Estimate
    correlation: Estimate
    order_agreement: Estimate
    n_clips: int
    n_speakers: int
    n_emotions: int
    n_placed: int
    no_recall: str | None


@dataclass(frozen=True)
class Between:
    """How alike two layers are: shared neighbours, with the 95 % interval of their mean over speakers, and CKA.

    ``near_a`` and ``near_b`` are the neighbours and their distances, (n, 10) each, nearest first; ``n_cka`` clips are
    in the CKA.
    """

    overlap: Overlap
    overlap_95: tuple[float, float] | None
    cka: Cka
    n_cka: int
    near_a: Near
    near_b: Near


def pair(a: Embeddings, b: Embeddings) -> Pair:
    """Return the clips that both have: of the same corpus, file and content.

    Raises
    ------
    BetweenError
        If there are fewer than twelve.
    """
    first, second = (list(zip(one.clips["corpus"], one.clips["file"], one.digests, strict=True)) for one in (a, b))
    place = {clip: row for row, clip in enumerate(second)}
    rows_a = np.array([row for row, clip in enumerate(first) if clip in place], np.intp)
    rows_b = np.array([place[first[row]] for row in rows_a], np.intp)
    n = len(rows_a)
    if n < FEWEST:
        raise BetweenError(
            f"{n} clips are embedded with both {a.recipe['name']} and {b.recipe['name']}: comparing them takes"
            f" {FEWEST} or more; embed the same clips with both (`ser embed`)"
        )
    return Pair(_taken(a, rows_a), _taken(b, rows_b), rows_a, rows_b, len(first) - n, len(second) - n)


def portrait(found: Embeddings, layer: int) -> Portrait:
    """Say how a layer shows the emotions of clips.

    Raises
    ------
    AnalysisError
        If fewer than two emotions are known.
    SeparationError
        If the clips of each emotion do not differ.
    """
    one, scaling = _alone(found, layer), maps.default_scaling(found.recipe)
    clips, rows = analyses.named(one)
    labels, speakers = (clips.clips[column].to_numpy(str) for column in ("emotion", "speaker"))
    x = projection.scale(one.layer(0), scaling)[rows]
    apart = _parting(clips, x)
    flat = projection.project(one.layer(0), "pca", n_components=2, scaling=scaling, seed=maps.SEED).coordinates[rows]
    how: dict[str, Any] = {"alignment": None, "n_resamples": analyses.N_RESAMPLES, "seed": analyses.SEED}
    circle = circumplex.circle(flat, labels, speakers, **how)
    no_recall = unseen.refusal(one)
    return Portrait(
        apart.silhouette,
        apart.between_within,
        UNTOLD if no_recall else _recall(unseen.by_neighbours(one, layer=0, scaling=scaling)),
        _estimate(circle.correlation, circle.correlation_95),
        _estimate(circle.order_agreement, circle.order_agreement_95),
        len(rows),
        analyses.n_speakers(clips),
        len(circle.names),
        int(np.isfinite(circle.reference).sum()),
        no_recall,
    )


def parting(found: Embeddings, points: NDArray[np.floating]) -> Parting:
    """Say how well the emotions of clips keep apart on a map, at points (n_clips, n_components).

    Raises
    ------
    AnalysisError
        If fewer than two emotions are known.
    SeparationError
        If the clips of each emotion do not differ.
    """
    clips, rows = analyses.named(found)
    return _parting(clips, points[rows].astype(np.float64))


def between(found: Pair, layers: tuple[int, int]) -> Between:
    """Say how alike a layer of the one encoder is to a layer of the other.

    Neighbours are Euclidean, in all dimensions: those of the maps (`ser_core.maps`). Its mean has an interval over
    speakers, CKA has none: a speaker who is drawn twice would put each clip beside its own copy.

    Raises
    ------
    SimilarityError
        If the clips do not differ in one of them.
    """
    vectors = [one.layer(layer) for one, layer in zip((found.a, found.b), layers, strict=True)]
    ways: list[Scaling] = [maps.default_scaling(one.recipe) for one in (found.a, found.b)]
    near = [projection.neighbours(x, k=K, scaling=way) for x, way in zip(vectors, ways, strict=True)]
    shared = similarity.overlap(near[0][0], near[1][0])
    speakers = found.a.clips["speaker"].to_numpy(str)
    sure = clusters.interval(shared.shares, speakers) if analyses.several_speakers(found.a) else None
    rows = sampled(found)
    x, y = (projection.scale(one[rows], way) for one, way in zip(vectors, ways, strict=True))
    return Between(shared, sure, similarity.cka(x, y), len(rows), *near)


def laid(found: Pair, drawn_a: Map, drawn_b: Map) -> Fit:
    """Return what lays the map of all clips of b on that of a, fitted to the clips that both have.

    Raises
    ------
    SimilarityError
        If one map has more dimensions than the other, or all clips of one are at one place.
    """
    points = drawn_b.projection.coordinates[found.rows_b]
    return similarity.procrustes(points, drawn_a.projection.coordinates[found.rows_a])


def knows(found: Embeddings, kinds: Collection[str], *, cache: Cache) -> str | None:
    """Return a sentence if the network behind embeddings knew these clips before, or may have; None if it did not.

    ``kinds`` are those of the corpora (`Located.kind`).
    """
    name, of = str(found.recipe["name"]), len(found.clips)
    n = trained.n_taught(found.recipe, found.digests, cache=cache)
    if n is None:
        return f"The network behind {name} is no longer here: it may have been trained on these clips."
    if n:
        clips = f"{n:,} of these {of:,} clips" if n < of else f"these {of:,} clips"
        run = runs.get(cache, name.removeprefix(PREFIX).partition(".")[0])
        told = "" if run.recognises else ", without being told an emotion"
        return f"{name} was trained on {clips}{told}: they look better separated than new clips would."
    checkpoint = seen(name)
    if checkpoint and (corpora := sorted(checkpoint.corpora & set(kinds))):
        return (
            f"{name} was {checkpoint.how} {', '.join(corpora)}: it knew these clips before, and they look better"
            f" separated than new ones would ({checkpoint.source})."
        )
    return None


def sampled(found: Pair) -> NDArray[np.int32]:
    """Return the clips whose inner products are compared: all, or `MOST` of them."""
    return sampling.stratified(list(found.a.clips["emotion"]), MOST, seed=maps.SEED)


def summary(found: Between) -> dict[str, Any]:
    """Return the numbers as plain values."""
    return {
        "neighbours": {
            "k": found.overlap.k,
            "shared": found.overlap.mean,
            "shared_95": found.overlap_95,
            "chance": found.overlap.chance,
        },
        "cka": asdict(found.cka) | {"n_clips": found.n_cka},
    }


def _taken(found: Embeddings, rows: NDArray[np.intp]) -> Embeddings:
    """Return some of the clips, without a copy of the vectors where it is all of them in their order."""
    return found if np.array_equal(rows, np.arange(len(found.clips))) else take(found, rows)


def _alone(found: Embeddings, layer: int) -> Embeddings:
    """Return one layer by itself."""
    vectors = found.layer(layer)[:, None]
    return replace(found, vectors=vectors, recipe={**found.recipe, "layers": [found.layers[layer]]})


def _parting(clips: Embeddings, x: NDArray[np.float64]) -> Parting:
    labels, speakers = (clips.clips[column].to_numpy(str) for column in ("emotion", "speaker"))
    values = separation.silhouette(x, labels)
    sure = clusters.interval(values, speakers) if analyses.several_speakers(clips) else None
    return Parting(_estimate(float(values.mean()), sure), separation.between_within(x, labels))


def _estimate(value: float | None, ends: tuple[float, float] | None) -> Estimate:
    return Estimate(np.nan if value is None else value, *(ends or (np.nan, np.nan)))


def _recall(found: Evaluation) -> Estimate:
    return Estimate(found.uar, *found.interval(uar))
