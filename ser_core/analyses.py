"""Analyses that take a while: computed once, kept, and named, so that a page and the `ser` command share them.

Emotions go by their common names here (`ser_core.emotions.common_name`), clips without one are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_core import emotions
from ser_core import store as caching
from ser_core.cache import Cache
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings, take
from ser_core.errors import SerError
from ser_core.geometry import affect, mahalanobis, projection
from ser_core.geometry.affect import AffectMap, Method, Targets
from ser_core.geometry.mahalanobis import Covariance, Distances, Resampled
from ser_core.geometry.placement import Placement
from ser_core.geometry.projection import Scaling
from ser_core.maps import Map, View

Space = Literal["map", "full"]
N_RESAMPLES: Final = 1000
SEED: Final = 0
"""Of every bootstrap: the same question has the same interval everywhere."""
VERSION: Final = 1
"""Part of every recipe: change it when analyses come out differently."""
QUICK_DIM: Final = 200
"""Dimensions up to which an analysis of a few thousand clips takes about a second."""
FEWEST: Final = {"procrustes": 3, "regression": 2}
"""Emotions that have to be left to learn from."""
RESAMPLED: Final = ("low", "high", "corrected")
Progress = Callable[[int, int], None]


class AnalysisError(SerError, ValueError):
    """Clips that cannot be analysed as asked; the message says what is missing."""


@dataclass(frozen=True)
class Question:
    """How distances between emotions are to be measured: all that changes them, beside the clips and the encoder."""

    view: View
    space: Space
    covariance: Covariance
    shrink: bool


@dataclass(frozen=True)
class Learnt:
    """A map from an embedding to valence and arousal, and how well it does on clips that it has not seen.

    ``unseen_emotions`` is None where too few emotions would be left to learn from.
    """

    map: AffectMap
    targets: Targets
    unseen_speakers: Placement
    unseen_emotions: Placement | None


def named(embeddings: Embeddings) -> tuple[Embeddings, NDArray[np.intp]]:
    """Return the clips whose emotion is known, under common names, and their rows.

    Raises
    ------
    AnalysisError
        If fewer than two emotions are known.
    """
    words = embeddings.clips["emotion"]
    rows = np.flatnonzero(words != UNKNOWN)
    found = take(embeddings, rows)
    found.clips["emotion"] = [emotions.common_name(str(word)) for word in found.clips["emotion"]]
    n_emotions = found.clips["emotion"].nunique()
    if n_emotions < 2:
        raise AnalysisError(
            f"{len(rows)} of {len(words)} clips have a known emotion, {n_emotions} different: this needs two emotions"
            " or more; choose another corpus, or give the clips an emotion in metadata.csv"
        )
    return found, rows


def several_speakers(embeddings: Embeddings) -> bool:
    """Say whether intervals over speakers can be had."""
    return embeddings.clips["speaker"].nunique() > 1


def coordinates(found: Embeddings, question: Question, drawn: Map | None) -> NDArray[np.float64]:
    """Return the vectors that distances are measured between: of a map (rows as ``found``), or of the whole space."""
    if question.space == "map":
        if drawn is None:
            raise AnalysisError("distances in a map need the map: draw it first")
        return drawn.projection.coordinates.astype(np.float64)
    return projection.span(found.layer(question.view.layer), question.view.scaling)


def distances(found: Embeddings, question: Question, *, x: NDArray[np.float64]) -> Distances:
    """Return the Mahalanobis distances of named clips; ``x`` comes from `coordinates`.

    Raises
    ------
    DistanceError
        If there are too few clips for an unshrunk covariance.
    """
    return mahalanobis.distances(
        x,
        found.clips["emotion"].to_numpy(str),
        covariance=question.covariance,
        shrink=question.shrink,
        dimensions=_dimensions(found, question, x),
    )


def kept_resampled(found: Embeddings, question: Question, *, cache: Cache) -> Resampled | None:
    """Return the intervals that were computed before, None if there are none."""
    arrays = cache.load_arrays(_recipe(found, "mahalanobis", _options(question)))
    return (
        Resampled(**{name: arrays[name] for name in RESAMPLED}) if arrays and set(RESAMPLED) <= arrays.keys() else None
    )


def resampled(
    found: Embeddings,
    question: Question,
    *,
    x: NDArray[np.float64],
    cache: Cache,
    progress: Progress = lambda *_: None,
) -> Resampled:
    """Return how sure the distances between emotions are, resampling speakers; computed if it is not kept yet.

    Raises
    ------
    AnalysisError
        If there is one speaker only.
    """
    if (known := kept_resampled(found, question, cache=cache)) is not None:
        return known
    if not several_speakers(found):
        raise AnalysisError("intervals resample speakers, and need two or more; here is one")
    result = mahalanobis.resampled(
        x,
        found.clips["emotion"].to_numpy(str),
        found.clips["speaker"].to_numpy(str),
        covariance=question.covariance,
        shrink=question.shrink,
        dimensions=_dimensions(found, question, x),
        n_resamples=N_RESAMPLES,
        seed=SEED,
        progress=progress,
    )
    arrays = {name: getattr(result, name) for name in RESAMPLED}
    cache.store_arrays(_recipe(found, "mahalanobis", _options(question)), arrays)
    return result


def quick(found: Embeddings) -> bool:
    """Say whether learning the plane takes about a second or two."""
    return found.vectors.shape[2] <= QUICK_DIM and len(found.clips) <= 3000


def kept_learnt(found: Embeddings, *, layer: int, scaling: Scaling, method: Method, cache: Cache) -> Learnt | None:
    """Return a learnt map that was computed before, None if there is none."""
    arrays = cache.load_arrays(_recipe(found, "affect", {"layer": layer, "scaling": scaling, "method": method}))
    if arrays is None or not {"weights", "limit", "placed_speakers"} <= arrays.keys():
        return None
    alpha = float(arrays["alpha"])
    goal, speakers = affect.targets(found.clips), found.clips["speaker"].to_numpy(str)
    placed = {
        name: Placement(goal.values, arrays[name], speakers, shared_speakers=name == "placed_emotions")
        for name in ("placed_speakers", "placed_emotions")
        if name in arrays
    }
    fitted = {name: arrays[name] for name in ("centre", "spread", "weights", "offset")}
    learnt = AffectMap(**fitted, alpha=None if np.isnan(alpha) else alpha, limit=float(arrays["limit"]))
    return Learnt(learnt, goal, placed["placed_speakers"], placed.get("placed_emotions"))


def learn(
    found: Embeddings,
    *,
    layer: int,
    scaling: Scaling,
    method: Method,
    cache: Cache,
    progress: Progress = lambda *_: None,
) -> Learnt:
    """Learn the way from an embedding to valence and arousal, and check it on unseen speakers and unseen emotions.

    Raises
    ------
    AffectError, AnalysisError
        If there is nothing to learn from, or one speaker only.
    """
    if (known := kept_learnt(found, layer=layer, scaling=scaling, method=method, cache=cache)) is not None:
        return known
    if not several_speakers(found):
        raise AnalysisError("the plane is checked on speakers that it has not seen, and needs two or more; here is one")
    goal = affect.targets(found.clips)
    x, labels = found.layer(layer).astype(np.float64), list(found.clips["emotion"])
    n_speakers, n_emotions = found.clips["speaker"].nunique(), len(set(labels))
    left_out = n_emotions > FEWEST[method]
    steps = n_speakers + n_emotions * left_out
    how: dict[str, Any] = {"speakers": list(found.clips["speaker"]), "method": method, "scaling": scaling}
    fitted = affect.learn(x, goal.values, labels, **how)
    by_speaker = affect.unseen_speakers(x, goal.values, labels, **how, progress=lambda done, _: progress(done, steps))
    arrays: dict[str, NDArray[Any]] = {
        **{name: getattr(fitted, name) for name in ("centre", "spread", "weights", "offset")},
        "alpha": np.array(np.nan if fitted.alpha is None else fitted.alpha),
        "limit": np.array(fitted.limit),
        "placed_speakers": by_speaker.placed,
    }
    by_emotion = None
    if left_out:
        by_emotion = affect.unseen_emotions(
            x, goal.values, labels, **how, progress=lambda done, _: progress(n_speakers + done, steps)
        )
        arrays["placed_emotions"] = by_emotion.placed
    recipe = _recipe(found, "affect", {"layer": layer, "scaling": scaling, "method": method})
    cache.store_arrays(recipe, arrays)
    return Learnt(fitted, goal, by_speaker, by_emotion)


def mahalanobis_job(corpora: Sequence[str], store_key: str, question: Question) -> list[str]:
    """Return the `ser` command that computes the intervals of a distance matrix, in the one form that names its job."""
    view = question.view
    return [
        *("mahalanobis", ",".join(corpora), store_key, "--space", question.space, "--covariance", question.covariance),
        "--shrink" if question.shrink else "--no-shrink",
        *("--method", view.method, "--dimensions", str(view.n_components), "--layer", str(view.layer)),
        *("--scaling", view.scaling, "--seed", str(view.seed)),
    ]


def _dimensions(found: Embeddings, question: Question, x: NDArray[np.float64]) -> int:
    return found.vectors.shape[2] if question.space == "full" else x.shape[1]


def _options(question: Question) -> dict[str, Any]:
    options = {**asdict(question.view), "space": question.space, "covariance": question.covariance}
    if question.space == "full":  # then it does not matter how the map is drawn
        options |= {"method": None, "n_components": None, "seed": None}
    return options | {"shrink": question.shrink, "n_resamples": N_RESAMPLES}


def _recipe(found: Embeddings, analysis: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an analysis is kept under; labels count, since a metadata.csv can change without its audio."""
    known = [column for column in ("emotion", "speaker", "valence", "arousal") if column in found.clips]
    labels = {column: [str(value) for value in found.clips[column]] for column in known}
    return {
        "analysis": analysis,
        "version": VERSION,
        "encoder": found.recipe["name"],
        "stores": [caching.key(found.recipe)],
        "clips": caching.key({"digests": list(found.digests), **labels}),
        "n_clips": len(found.clips),
        **options,
    }
