"""What is said of a placed clip, as plain values: the emotion that each way names, and everything for JSON."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ser_core import emotions, unseen, voice
from ser_core.voice import Deviation

if TYPE_CHECKING:
    from ser_core.placement import Placed

AXES: Final = ("valence", "arousal")
LABELS: Final = ("corpus", "file", "emotion", "speaker")


def named(placed: "Placed") -> dict[str, str | None]:
    """Return the emotion that each way names (``mahalanobis``, ``neighbours``, ``svm``), None where it cannot."""
    names = placed.atlas.emotions
    words = [emotions.common_name(str(word)) for word in placed.neighbours["emotion"]]
    members = np.array([[names.index(word) for word in words if word in names]], np.intp)
    return {
        "mahalanobis": None if placed.distances is None else names[int(placed.distances.argmin())],
        "neighbours": names[int(unseen.vote(members, n_classes=len(names))[0])] if members.size else None,
        "svm": None if placed.probabilities is None else names[int(placed.probabilities.argmax())],
    }


def summary(placed: "Placed") -> dict[str, Any]:
    """Return everything as plain values, for JSON; a number that cannot be told is None."""
    atlas, view = placed.atlas, placed.atlas.ground.drawn.view
    said: dict[str, Any] = {
        "corpora": list(atlas.names),
        "encoder": atlas.found.recipe["name"],
        "map": {**asdict(view), "exact": atlas.ground.exact, "error": atlas.ground.error},
        "clip": _clip(placed),
        "point": placed.point,
        "same_recording": None if placed.same is None else _label(placed, placed.same),
        "named": named(placed),
        "outlying": placed.outlying,
        "further_than": placed.further,
        "emotions": _emotions(placed),
        "nearest": [
            _label(placed, int(row)) | {"distance": float(distance)}
            for row, distance in zip(placed.landing.rows[0], placed.landing.distances[0], strict=True)
        ],
        "plane": _plane(placed),
        "unusual": [_deviation(one) for one in voice.unusual(placed.deviations)] if placed.deviations else None,
        "path": _path(placed),
        "lacking": list(atlas.lacking),
    }
    return plain(said)


def plain(value: Any) -> Any:
    """Return a value that JSON has: lists for tuples and arrays, None for NaN and infinity.

    Examples
    --------
    >>> plain({"a": (np.float32(0.5), float("nan")), "b": np.arange(2)})
    {'a': [0.5, None], 'b': [0, 1]}
    """
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _clip(placed: "Placed") -> dict[str, Any]:
    clip = placed.clip
    heard = {"seconds": clip.seconds, "sampling_rate": clip.sampling_rate}
    level = {name: getattr(clip, name) for name in ("peak_db", "rms_db", "clipped", "converted", "tags")}
    return {"sha256": placed.digest, "file": asdict(clip.info), **heard, **level}


def _label(placed: "Placed", row: int) -> dict[str, Any]:
    clip = placed.atlas.found.clips.iloc[row]
    return {name: str(clip[name]) for name in LABELS} | {"emotion": emotions.common_name(str(clip["emotion"]))}


def _emotions(placed: "Placed") -> list[dict[str, Any]]:
    def of(values: NDArray[Any] | None, k: int) -> float | None:
        return None if values is None else values[k]

    return [
        {
            "emotion": name,
            "distance": of(placed.distances, k),
            "tail": of(placed.tail, k),
            "of_nearest": placed.votes[k],
            "probability": of(placed.probabilities, k),
        }
        for k, name in enumerate(placed.atlas.emotions)
    ]


def _plane(placed: "Placed") -> dict[str, Any] | None:
    plane = placed.atlas.plane
    if plane is None or placed.affect is None:
        return None
    around = plane.region.half_widths if plane.region else (None, None)
    axes = {name: placed.affect[axis] for axis, name in enumerate(AXES)}
    region = {f"{name}_within": around[axis] for axis, name in enumerate(AXES)}
    return {
        "learnt_from": plane.teacher,
        **axes,
        **region,
        "share_within": plane.region.share if plane.region else None,
    }


def _deviation(one: Deviation) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in ("value", "z", "percentile", "z_neutral")}
    return {"measure": one.measure.name, "words": one.measure.words, **values, "says": one.says()}


def _path(placed: "Placed") -> list[dict[str, Any]] | None:
    path = placed.path
    if path is None:
        return None
    rows = []
    for k, (start, stop) in enumerate(path.seconds):
        affect = [None, None] if path.affect is None else path.affect[k]
        rows.append({"from": start, "to": stop, "point": path.points[k], **dict(zip(AXES, affect, strict=True))})
    return rows
