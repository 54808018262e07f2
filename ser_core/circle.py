"""The circle of emotions: the order on a map beside Russell's, and the learnt way into his plane."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_core import analyses
from ser_core.analyses import AnalysisError, Learnt, Question
from ser_core.cache import Cache
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings
from ser_core.geometry import circumplex, placement
from ser_core.geometry.affect import AffectError, Method
from ser_core.geometry.circular import OrderTest, order_test
from ser_core.geometry.circumplex import Alignment, Circle
from ser_core.geometry.placement import Placement, Turn
from ser_core.geometry.projection import Scaling
from ser_core.maps import Map
from ser_core.values import plain

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

    ``rows`` are those of the clips of ``target`` that were placed, ``labels`` their emotions ("unknown" for clips that
    have ratings alone). ``learnt_on`` and ``scored_on`` say in words what valence and arousal are in the corpus that
    the map comes from, and in ``target``. ``turn`` is None where fewer than three emotions have a place on Russell's
    circle. ``recordings_shared`` says whether the very same recordings are in both corpora; whether the same people
    are cannot be known.
    """

    source: str
    target: str
    check: Check
    placement: Placement
    rows: NDArray[np.intp]
    labels: tuple[str, ...]
    turn: Turn | None
    learnt_on: str
    scored_on: str
    recordings_shared: bool


@dataclass(frozen=True)
class Planes:
    """What could be placed, and the corpora that nothing can be learnt from, each with a sentence that says why."""

    parts: tuple[Plane, ...]
    refused: tuple[tuple[str, str], ...]


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
    n_speakers = analyses.n_speakers(clips)
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
    """Return the numbers as plain values; angles in degrees, those of an interval not wrapped.

    A number that cannot be told (NaN) is None, in both summaries.
    """
    circle = result.circle
    rows = []
    for k, name in enumerate(circle.names):
        rows.append(
            {
                "emotion": name,
                "n_clips": int(circle.n_clips[k]),
                "radius": float(circle.polar.radius[k]),
                "angle": float(circle.polar.angle[k]),
                "angle_95": circle.angle_95[k].tolist() if circle.angle_95 is not None else None,
                "angle_on_map": float(circle.raw.angle[k]),
                "russell": float(circle.reference[k]),
            }
        )
    tests = {"map": result.plane, "full": result.full}
    summary: dict[str, Any] = {
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
    return plain(summary)


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
) -> Planes:
    """Learn the plane from each corpus; place its own unseen speakers and emotions, and every other corpus.

    A corpus from which nothing can be learnt, or not be checked, is placed by the others and named in ``refused``.

    Raises
    ------
    AnalysisError
        If nothing can be learnt from any.
    """
    taught = {name: analyses.teachers(part) for name, part in parts.items()}
    refused = _refused(taught, method)
    sources = [name for name in taught if name not in dict(refused)]
    learnt: dict[str, Learnt] = {}
    for number, name in enumerate(sources):
        how: dict[str, Any] = {"layer": layer, "scaling": scaling, "method": method, "cache": cache}
        learnt[name] = analyses.learn(taught[name][0], **how, progress=_share(progress, number, len(sources)))
    return Planes(_all(taught, learnt, layer), refused)


def kept_planes(
    parts: Mapping[str, Embeddings], *, layer: int, scaling: Scaling, method: Method, cache: Cache
) -> Planes | None:
    """Return what `planes` would without learning anything; None if the map of a corpus that teaches is not kept yet.

    Raises
    ------
    AnalysisError
        If nothing can be learnt from any.
    """
    taught = {name: analyses.teachers(part) for name, part in parts.items()}
    refused = _refused(taught, method)
    learnt: dict[str, Learnt] = {}
    for name in [name for name in taught if name not in dict(refused)]:
        known = analyses.kept_learnt(taught[name][0], layer=layer, scaling=scaling, method=method, cache=cache)
        if known is None:
            return None
        learnt[name] = known
    return Planes(_all(taught, learnt, layer), refused)


def plane_summary(plane: Plane) -> dict[str, Any]:
    """Return the numbers as plain values.

    ``n_clips`` counts the clips that are scored, ``n_speakers`` the known ones. ``speakers_shared`` says whether the
    map knew the voices, None for another corpus, whose speakers cannot be compared; ``recordings_shared`` whether the
    same recordings are in both corpora.
    """
    placed = plane.placement
    out: dict[str, Any] = {
        "from": plane.source,
        "to": plane.target,
        "checked_on": plane.check,
        "learnt_on": plane.learnt_on,
        "scored_on": plane.scored_on,
        "n_clips": int(np.isfinite(placed.truth).all(axis=1).sum()),
        "n_speakers": len(set(placed.speakers.tolist()) - {UNKNOWN}),
        "speakers_shared": placed.shared_speakers,
        "recordings_shared": plane.recordings_shared,
    }
    for axis, name in enumerate(AXES):
        out[name] = {}
        for word, measure in (("ccc", placement.ccc), ("r2", placement.r2)):
            out[name][word] = placed.score(axis, measure)
            out[name][f"{word}_95"] = placed.interval(axis, measure, seed=analyses.SEED)
    return plain(out | {"turn": asdict(plane.turn) if plane.turn else None})


Taught = Mapping[str, tuple[Embeddings, NDArray[np.intp]]]


def _refused(taught: Taught, method: Method) -> tuple[tuple[str, str], ...]:
    """Return the corpora that cannot teach, with the reasons; an error if none can."""
    reasons = {name: analyses.refusal(clips, method=method) for name, (clips, _) in taught.items()}
    out = tuple((name, f"{name} teaches no plane: {reason}") for name, reason in reasons.items() if reason)
    if len(out) == len(taught):
        raise AnalysisError("; ".join(sentence for _, sentence in out))
    return out


def _all(taught: Taught, learnt: Mapping[str, Learnt], layer: int) -> tuple[Plane, ...]:
    out: list[Plane] = []
    for source in [name for name in taught if name in learnt]:
        for target in taught:
            if source == target:
                out += _own(source, taught, learnt[source])
            else:
                out.append(_other(source, target, taught, learnt[source], layer))
    return tuple(out)


def _own(name: str, taught: Taught, known: Learnt) -> list[Plane]:
    checks: list[tuple[Check, Placement | None, NDArray[np.intp]]] = [
        ("unseen speakers", known.unseen_speakers, known.speaker_rows),
        ("unseen emotions", known.unseen_emotions, known.emotion_rows),
    ]
    return [_plane((name, name), taught, known, check, one, of) for check, one, of in checks if one]


def _other(source: str, target: str, taught: Taught, known: Learnt, layer: int) -> Plane:
    clips = taught[target][0]
    placed = known.map.place(clips.layer(layer).astype(np.float64))
    one = Placement(analyses.goals(clips).values, placed, clips.clips["speaker"].to_numpy(str), shared_speakers=None)
    return _plane((source, target), taught, known, "another corpus", one, np.arange(len(placed)))


def _plane(
    ends: tuple[str, str], taught: Taught, known: Learnt, check: Check, placed: Placement, of: NDArray[np.intp]
) -> Plane:
    """Put a plane together, from source to target, of some of the target's clips."""
    source, target = ends
    clips, rows = taught[target]
    labels = clips.clips["emotion"].to_numpy(str)[of]
    shared = source != target and not set(clips.digests).isdisjoint(taught[source][0].digests)
    scales = known.targets.scale, analyses.goals(clips).scale
    turn = _turn(placed, labels)
    return Plane(source, target, check, placed, rows[of], tuple(labels.tolist()), turn, *scales, shared)


def _turn(placed: Placement, labels: NDArray[np.str_]) -> Turn | None:
    """Return how far emotions are turned; None where too few have a place, or all are placed at the same point."""
    try:
        return placement.turned(placed.placed, labels, placed.speakers, seed=analyses.SEED)
    except AffectError:
        return None


def _share(progress: Callable[[int, int], None], number: int, of: int) -> Callable[[int, int], None]:
    """Return a progress that counts in percent of one corpus of several."""
    return lambda done, total: progress(100 * number + 100 * done // max(total, 1), 100 * of)
