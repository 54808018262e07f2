"""Analyses that take a while: computed once, kept, and named, so that a page and the `ser` command share them.

Emotions go by their common names here (`ser_core.emotions.common_name`), clips without one are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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
from ser_core.geometry.affect import AffectError, AffectMap, Method, Targets
from ser_core.geometry.mahalanobis import Covariance, Distances, Resampled
from ser_core.geometry.placement import Placement
from ser_core.geometry.projection import Scaling
from ser_core.maps import Map, View

Space = Literal["map", "full"]
N_RESAMPLES: Final = 1000
SEED: Final = 0
"""Of every bootstrap: the same question has the same interval everywhere."""
VERSION: Final = 2
"""Part of every recipe: change it when analyses come out differently."""
QUICK: Final = {"dimensions": 200, "clips": 3000, "speakers": 50}
"""Up to these, learning a plane takes about a second: RAVDESS with 88 values takes 0.7 s, with 300 speakers 6 s."""
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

    ``targets`` are those of all clips that it was learnt from. The checks hold the clips of these rows:
    ``speaker_rows`` have a known speaker, ``emotion_rows`` also a known emotion that has a target. ``unseen_emotions``
    is None where too few emotions would be left to learn from.
    """

    map: AffectMap
    targets: Targets
    unseen_speakers: Placement
    unseen_emotions: Placement | None
    speaker_rows: NDArray[np.intp]
    emotion_rows: NDArray[np.intp]


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


def teachers(embeddings: Embeddings) -> tuple[Embeddings, NDArray[np.intp]]:
    """Return the clips that valence and arousal are learnt from or scored on, under common names, and their rows.

    Those of a known emotion, and where at least half of the clips are rated (`affect.targets`) also rated ones of an
    unknown emotion, which stays "unknown". All clips where nothing is known of any: they can be placed, no more.
    """
    known = (embeddings.clips["emotion"] != UNKNOWN).to_numpy(bool)
    goal = goals(embeddings)
    if goal.source == "rated":
        known = known | np.isfinite(goal.values).all(axis=1)
    rows = np.flatnonzero(known) if known.any() else np.arange(len(known))
    found = take(embeddings, rows)
    found.clips["emotion"] = [emotions.common_name(str(word)) for word in found.clips["emotion"]]
    return found, rows


def goals(embeddings: Embeddings) -> Targets:
    """Return valence and arousal of each clip; NaN for all, and a ``scale`` that says why, where ratings tell nothing.

    As `affect.targets`, without an error.
    """
    try:
        return affect.targets(embeddings.clips)
    except AffectError as error:
        return Targets(np.full((len(embeddings.clips), 2), np.nan), "labels", str(error))


def n_speakers(embeddings: Embeddings) -> int:
    """Return how many speakers are known; clips of an unknown speaker may be anybody's, and count as none."""
    return len(set(embeddings.clips["speaker"]) - {UNKNOWN})


def several_speakers(embeddings: Embeddings) -> bool:
    """Say whether intervals over speakers can be had: whether two or more are known."""
    return n_speakers(embeddings) > 1


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
    arrays = cache.load_arrays(recipe(found, "mahalanobis", _options(question)))
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

    Clips of unknown speakers are measured, but not drawn (`mahalanobis.resampled`).

    Raises
    ------
    AnalysisError
        If fewer than two speakers are known.
    """
    if (known := kept_resampled(found, question, cache=cache)) is not None:
        return known
    if not several_speakers(found):
        raise AnalysisError(f"intervals resample speakers, and need two or more; {_here(found)}")
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
    cache.store_arrays(recipe(found, "mahalanobis", _options(question)), arrays)
    return result


def quick(found: Embeddings) -> bool:
    """Say whether learning the plane takes about a second: it is learnt anew for every speaker (`QUICK`)."""
    size = {"dimensions": found.vectors.shape[2], "clips": len(found.clips), "speakers": n_speakers(found)}
    return all(size[name] <= most for name, most in QUICK.items())


def refusal(found: Embeddings, *, method: Method) -> str | None:
    """Say why no plane can be learnt from clips of `teachers` and checked; None where one can. Nothing is learnt."""
    if not several_speakers(found):
        return f"the plane is checked on speakers that it has not seen, and needs two or more; {_here(found)}"
    labels, speakers = (found.clips[column].to_numpy(str) for column in ("emotion", "speaker"))
    how: dict[str, Any] = {"n_values": found.vectors.shape[2], "method": method}
    rows = _speaker_rows(found)
    try:
        goal = affect.targets(found.clips).values
        affect.check(goal, labels, **how)
        affect.check_left_out(speakers[rows], goal[rows], labels[rows], **how)
    except AffectError as error:
        return str(error)
    return None


def kept_learnt(found: Embeddings, *, layer: int, scaling: Scaling, method: Method, cache: Cache) -> Learnt | None:
    """Return a map learnt from clips of `teachers` that was computed before, None if there is none."""
    arrays = cache.load_arrays(recipe(found, "affect", {"layer": layer, "scaling": scaling, "method": method}))
    if arrays is None or not {"weights", "limit", "placed_speakers"} <= arrays.keys():
        return None
    alpha = float(arrays["alpha"])
    goal = affect.targets(found.clips)
    fitted = {name: arrays[name] for name in ("centre", "spread", "weights", "offset")}
    learnt = AffectMap(**fitted, alpha=None if np.isnan(alpha) else alpha, limit=float(arrays["limit"]))
    return _learnt(found, learnt, goal, arrays["placed_speakers"], arrays.get("placed_emotions"))


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

    ``found`` comes from `teachers`. Clips of unknown speakers teach, but no check has them: they may be of a speaker
    that it learnt from. Only emotions with a target are left out in turn.

    Raises
    ------
    AnalysisError
        If there is nothing to learn from, or fewer than two speakers are known (`refusal`).
    """
    if (known := kept_learnt(found, layer=layer, scaling=scaling, method=method, cache=cache)) is not None:
        return known
    if (reason := refusal(found, method=method)) is not None:
        raise AnalysisError(reason)
    goal, x = affect.targets(found.clips), found.layer(layer).astype(np.float64)
    labels, speakers = (found.clips[column].to_numpy(str) for column in ("emotion", "speaker"))
    by_speaker, by_emotion = _speaker_rows(found), _emotion_rows(found, goal)
    n_voices, n_emotions = n_speakers(found), len(set(labels[by_emotion]))
    leave_out = n_emotions > FEWEST[method]
    steps = n_voices + n_emotions * leave_out

    def part(rows: NDArray[np.intp]) -> dict[str, Any]:
        taken = {"x": x[rows], "targets": goal.values[rows], "labels": labels[rows], "speakers": speakers[rows]}
        return taken | {"method": method, "scaling": scaling}

    fitted = affect.learn(**part(np.arange(len(x))))
    arrays: dict[str, NDArray[Any]] = {
        **{name: getattr(fitted, name) for name in ("centre", "spread", "weights", "offset")},
        "alpha": np.array(np.nan if fitted.alpha is None else fitted.alpha),
        "limit": np.array(fitted.limit),
    }
    seen = affect.unseen_speakers(**part(by_speaker), progress=lambda done, _: progress(done, steps))
    arrays["placed_speakers"] = seen.placed
    if leave_out:
        with suppress(AffectError):  # too little is left without an emotion: the other check stands
            seen = affect.unseen_emotions(**part(by_emotion), progress=lambda done, _: progress(n_voices + done, steps))
            arrays["placed_emotions"] = seen.placed
    cache.store_arrays(recipe(found, "affect", {"layer": layer, "scaling": scaling, "method": method}), arrays)
    return _learnt(found, fitted, goal, arrays["placed_speakers"], arrays.get("placed_emotions"))


def _learnt(
    found: Embeddings,
    fitted: AffectMap,
    goal: Targets,
    placed_speakers: NDArray[np.float64],
    placed_emotions: NDArray[np.float64] | None,
) -> Learnt:
    voices, by_emotion = found.clips["speaker"].to_numpy(str), None
    speaker_rows, emotion_rows = _speaker_rows(found), _emotion_rows(found, goal)
    by_speaker = Placement(goal.values[speaker_rows], placed_speakers, voices[speaker_rows], shared_speakers=False)
    if placed_emotions is not None:
        by_emotion = Placement(goal.values[emotion_rows], placed_emotions, voices[emotion_rows], shared_speakers=True)
    return Learnt(fitted, goal, by_speaker, by_emotion, speaker_rows, emotion_rows)


def _speaker_rows(found: Embeddings) -> NDArray[np.intp]:
    return np.flatnonzero(found.clips["speaker"] != UNKNOWN)


def _emotion_rows(found: Embeddings, goal: Targets) -> NDArray[np.intp]:
    """Rows of clips by known speakers whose emotion is known and has a target, if not for all its clips."""
    words = found.clips["emotion"].to_numpy(str)
    there = set(words[np.isfinite(goal.values[:, 0])]) - {UNKNOWN}
    return np.flatnonzero(np.isin(words, list(there)) & (found.clips["speaker"] != UNKNOWN))


def _here(found: Embeddings) -> str:
    """Say how many speakers there are, where they are too few."""
    unknown = " (clips of an unknown speaker do not count)" if UNKNOWN in set(found.clips["speaker"]) else ""
    return f"here is {'one' if n_speakers(found) else 'none'}{unknown}"


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


def recipe(found: Embeddings, analysis: str, options: Mapping[str, Any]) -> dict[str, Any]:
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
