"""The circle of emotions: the order on a map beside Russell's, and the learnt way into his plane."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_core import analyses
from ser_core.analyses import Learnt, Question
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings
from ser_core.geometry import affect, circumplex, placement
from ser_core.geometry.affect import Method
from ser_core.geometry.circular import OrderTest, order_test
from ser_core.geometry.circumplex import Alignment, Circle
from ser_core.geometry.placement import Placement, Turn
from ser_core.geometry.projection import Scaling
from ser_core.maps import Map

Check = Literal["unseen speakers", "unseen emotions", "another corpus"]
AXES: Final = ("valence", "arousal")
TESTED: Final = (4, 9)
"""Emotions with a place on Russell's circle that the order test takes."""


@dataclass(frozen=True)
class Order:
    """The emotions' circular order on a map, and Russell's order tested: on the map and in all dimensions.

    ``rows`` are those of the clips with a known emotion.

    The tests are None where fewer than four emotions have a place on Russell's circle.
    """

    circle: Circle
    rows: NDArray[np.intp]
    n_speakers: int
    plane: OrderTest | None
    full: OrderTest | None


@dataclass(frozen=True)
class Plane:
    """Clips of one corpus on Russell's plane, placed by a map learnt from another, or from its other clips.

    All clips of ``target`` with a known emotion, in their order; ``scale`` says in words what the map was learnt on.
    """

    source: str
    target: str
    check: Check
    placement: Placement
    labels: tuple[str, ...]
    turn: Turn
    scale: str


def order(found: Embeddings, drawn: Map, *, alignment: Alignment | None) -> Order:
    """Return the circular order on the first two axes of a map of ``found``; ``alignment`` None: fitted to Russell.

    The order test compares distances between the emotions' centroids: Euclidean ones on the map, and Mahalanobis ones
    (pooled, shrunk) in all dimensions.

    Raises
    ------
    AnalysisError
        If there are too few emotions.
    """
    clips, rows = analyses.named(found)
    points = drawn.projection.coordinates[rows, :2].astype(np.float64)
    labels, speakers = clips.clips["emotion"].to_numpy(str), clips.clips["speaker"].to_numpy(str)
    n_speakers = clips.clips["speaker"].nunique()
    circle = circumplex.circle(
        points, labels, speakers, alignment=alignment, n_resamples=analyses.N_RESAMPLES, seed=analyses.SEED
    )
    known = np.flatnonzero(np.isfinite(circle.reference))
    if not TESTED[0] <= len(known) <= TESTED[1]:
        return Order(circle, rows, n_speakers, None, None)
    expected = list(np.argsort(circle.reference[known], kind="stable"))
    centroids = np.array([points[labels == circle.names[k]].mean(axis=0) for k in known])
    on_map = np.linalg.norm(centroids[:, None] - centroids[None], axis=2)
    question = Question(drawn.view, "full", "pooled", shrink=True)
    measured = analyses.distances(clips, question, x=analyses.coordinates(clips, question, None))
    places = [measured.names.index(circle.names[k]) for k in known]
    everywhere = measured.between[np.ix_(places, places)]
    tests = [order_test(one, expected) for one in (on_map, everywhere)]
    return Order(circle, rows, n_speakers, *tests)


def order_summary(result: Order) -> dict[str, Any]:
    """Return the numbers as plain values; angles in degrees, those of an interval not wrapped."""
    circle = result.circle
    rows = []
    for k, name in enumerate(circle.names):
        reference = circle.reference[k]
        rows.append(
            {
                "emotion": name,
                "n_clips": int(circle.n_clips[k]),
                "radius": float(circle.polar.radius[k]),
                "angle": float(circle.polar.angle[k]),
                "angle_95": _pair(circle.angle_95[k]) if circle.angle_95 is not None else None,
                "angle_on_map": float(circle.raw.angle[k]),
                "russell": None if np.isnan(reference) else float(reference),
            }
        )
    tests = {"plane": result.plane, "full": result.full}
    return {
        "n_clips": len(result.rows),
        "n_speakers": result.n_speakers,
        "order": list(circle.polar.order),
        "circle": sorted(rows, key=lambda row: row["angle"]),
        "rotation": circle.alignment.rotation,
        "mirrored": circle.alignment.mirrored,
        "correlation": circle.correlation,
        "correlation_95": circle.correlation_95,
        "order_agreement": circle.order_agreement,
        "order_agreement_95": circle.order_agreement_95,
        "order_test": {name: asdict(test) if test else None for name, test in tests.items()},
    }


def job(corpora: Sequence[str], store_key: str, *, layer: int, scaling: Scaling, method: Method) -> list[str]:
    """Return the `ser` command that learns the planes of these corpora, in the one form that names its job."""
    names = ",".join(corpora)
    return ["circumplex", names, store_key, "--learn", method, "--layer", str(layer), "--scaling", scaling]


def planes(
    parts: Mapping[str, Embeddings],
    *,
    layer: int,
    scaling: Scaling,
    method: Method,
    cache: Cache,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Plane]:
    """Learn the plane from each corpus; place its own unseen speakers and emotions, and every other corpus.

    Raises
    ------
    AnalysisError, AffectError
        If a corpus has nothing to learn from.
    """
    clips = {name: analyses.named(part)[0] for name, part in parts.items()}
    learnt: dict[str, Learnt] = {}
    for number, (name, part) in enumerate(clips.items()):
        report = _share(progress, number, len(clips))
        learnt[name] = analyses.learn(part, layer=layer, scaling=scaling, method=method, cache=cache, progress=report)
    return [plane for source in clips for target in clips for plane in _planes(source, target, clips, learnt, layer)]


def kept_planes(
    parts: Mapping[str, Embeddings], *, layer: int, scaling: Scaling, method: Method, cache: Cache
) -> list[Plane] | None:
    """Return what `planes` would without learning anything; None if a corpus's map is not kept yet."""
    clips = {name: analyses.named(part)[0] for name, part in parts.items()}
    learnt = {
        name: analyses.kept_learnt(part, layer=layer, scaling=scaling, method=method, cache=cache)
        for name, part in clips.items()
    }
    known = {name: one for name, one in learnt.items() if one is not None}
    if len(known) < len(clips):
        return None
    return [plane for source in clips for target in clips for plane in _planes(source, target, clips, known, layer)]


def plane_summary(plane: Plane) -> dict[str, Any]:
    """Return the numbers as plain values."""
    placed = plane.placement
    out: dict[str, Any] = {
        "from": plane.source,
        "to": plane.target,
        "checked_on": plane.check,
        "targets": plane.scale,
        "n_clips": int(np.isfinite(placed.truth).all(axis=1).sum()),
        "n_speakers": len(set(placed.speakers)),
        "speakers_shared": placed.shared_speakers,
    }
    for axis, name in enumerate(AXES):
        out[name] = {}
        for word, measure in (("ccc", placement.ccc), ("r2", placement.r2)):
            out[name][word] = placed.score(axis, measure)
            out[name][f"{word}_95"] = placed.interval(axis, measure, seed=analyses.SEED)
    return out | {"turn": asdict(plane.turn)}


def _planes(
    source: str, target: str, clips: Mapping[str, Embeddings], learnt: Mapping[str, Learnt], layer: int
) -> list[Plane]:
    known = learnt[source]
    if source == target:
        checks: list[tuple[Check, Placement | None]] = [
            ("unseen speakers", known.unseen_speakers),
            ("unseen emotions", known.unseen_emotions),
        ]
        return [_plane(source, target, check, one, clips[source], known) for check, one in checks if one]
    part = clips[target]
    placed = Placement(
        affect.targets(part.clips).values,
        known.map.place(part.layer(layer).astype(np.float64)),
        part.clips["speaker"].to_numpy(str),
        shared_speakers=not set(part.digests).isdisjoint(clips[source].digests),
    )
    return [_plane(source, target, "another corpus", placed, part, known)]


def _plane(source: str, target: str, check: Check, placed: Placement, part: Embeddings, known: Learnt) -> Plane:
    labels = list(part.clips["emotion"])
    turn = placement.turned(placed.placed, labels, list(placed.speakers), seed=analyses.SEED)
    return Plane(source, target, check, placed, tuple(labels), turn, known.targets.scale)


def _share(progress: Callable[[int, int], None], number: int, of: int) -> Callable[[int, int], None]:
    """Return a progress that counts in percent of one corpus of several."""
    return lambda done, total: progress(100 * number + 100 * done // max(total, 1), 100 * of)


def _pair(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
