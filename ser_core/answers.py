"""What clips are placed among, and all that is said of a placed clip: as numbers, by name, and as JSON."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import audio, emotions, landing, recognisers, unseen, voice
from ser_core.audio import Decoded
from ser_core.background import Plane
from ser_core.embeddings import Embeddings
from ser_core.encoders import Encoder
from ser_core.geometry.yardstick import Yardstick
from ser_core.landing import Ground, Landing
from ser_core.recognisers import Recognised
from ser_core.runs import Run
from ser_core.store import key
from ser_core.tracks import Progress, Track, Vectors, heard, vectors
from ser_core.unseen import Unseen
from ser_core.values import plain
from ser_core.voice import Deviation, Reference

AXES: Final = ("valence", "arousal")
LABELS: Final = ("corpus", "file", "emotion", "speaker")


@dataclass(frozen=True)
class Atlas:
    """What clips are placed among; emotions go by their common names.

    Attributes
    ----------
    names
        The corpora.
    found
        Their clips, with their vectors under ``encoder`` and their own words for emotions.
    ground
        The map, and where clips land on it.
    yardstick, unseen, plane, voice
        What measures distances to emotions, what is known of the answers for unseen speakers, the way to Russell's
        plane, and what is usual in a voice; None where it cannot be had.
    lacking
        One sentence for each of these that cannot be had: why; and for each corpus that is not embedded as a whole.
    recognisers
        Models that were trained on these corpora, and can be asked about a clip.
    """

    names: tuple[str, ...]
    found: Embeddings
    encoder: Encoder
    ground: Ground
    yardstick: Yardstick | None
    unseen: Unseen | None
    plane: Plane | None
    voice: Reference | None
    lacking: tuple[str, ...] = ()
    recognisers: tuple[Run, ...] = ()

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that distances, votes and probabilities are of, in their order; none if none are known."""
        return self.yardstick.names if self.yardstick else self.unseen.names if self.unseen else ()

    def place(
        self,
        source: Path | str | bytes,
        *,
        max_seconds: float = audio.MAX_SECONDS,
        max_bytes: int | None = audio.MAX_BYTES,
        device: str = "auto",
        progress: Progress = lambda *_: None,
    ) -> "Placed":
        """Read a file, or the bytes of one, and place it; ``progress`` counts the clip and its windows.

        Raises
        ------
        AudioError
            If it cannot be read, or is longer or larger than the limits (seconds, bytes).
        PlacementError
            If the encoder cannot encode it.
        EncoderError
            If the encoder cannot work on this machine.
        """
        clip, digest = heard(source, self.encoder.sampling_rate, max_seconds=max_seconds, max_bytes=max_bytes)
        how: dict[str, Any] = {"with_voice": self.voice is not None, "device": device, "progress": progress}
        return placed(self, clip, vectors(clip, self.encoder, **how), digest=digest)


@dataclass(frozen=True)
class Placed:
    """One clip among those of an atlas; E emotions in the order of ``atlas.emotions``.

    Attributes
    ----------
    clip, digest
        What was read, and the SHA-256 of the file.
    vector
        Shape (n_layers, dim).
    landing
        Where it lands on the map, and its nearest clips: one row.
    distances, tail
        Mahalanobis distance to every emotion (E,), and how rare so distant a clip would be were the clips Gaussian.
    further
        Share (0-1) of the corpus's clips that are nearer to their nearest emotion, measured with their own speaker left
        out. Above `unseen.OUTLYING` the clip is unlike everything here.
    probabilities
        Of the emotions (E,), by the recogniser that learnt from the corpus.
    affect
        Valence and arousal (2,).
    deviations
        How every eGeMAPS value compares with the corpus.
    path
        The way of its windows, None for a short clip.
    same
        The row of ``atlas.found`` that is this very recording, None if there is none.
    """

    atlas: Atlas = field(repr=False)
    clip: Decoded = field(repr=False)
    digest: str
    vector: NDArray[np.float32] = field(repr=False)
    landing: Landing
    distances: NDArray[np.float64] | None
    tail: NDArray[np.float64] | None
    further: float | None
    probabilities: NDArray[np.float64] | None
    affect: NDArray[np.float64] | None
    deviations: list[Deviation] | None = field(repr=False)
    path: Track | None
    same: int | None

    @property
    def point(self) -> NDArray[np.float32]:
        """Where it lands, shape (n_components,)."""
        return self.landing.points[0]

    @property
    def outlying(self) -> bool | None:
        """Whether it is further from every emotion than 99 % of the corpus; None where that cannot be told."""
        return None if self.further is None else self.further > unseen.OUTLYING

    @property
    def votes(self) -> NDArray[np.int64]:
        """How many of the nearest clips have each emotion, shape (E,)."""
        words = [emotions.common_name(str(word)) for word in self.neighbours["emotion"]]
        return np.array([words.count(name) for name in self.atlas.emotions], np.int64)

    @property
    def neighbours(self) -> pd.DataFrame:
        """The nearest clips, nearest first: rows of the table of clips with a column ``distance``."""
        clips = self.atlas.found.clips.iloc[self.landing.rows[0]]
        return clips.assign(distance=self.landing.distances[0].astype(float))

    @cached_property
    def recognised(self) -> list[Recognised]:
        """What the trained models say, in the order of ``atlas.recognisers``; asked when it is looked at, and once."""
        known = {key(self.atlas.found.recipe): self.vector}
        return recognisers.ask(self.atlas.recognisers, self.clip, digest=self.digest, known=known)

    def named(self) -> dict[str, str | None]:
        """Return the emotion that each way names (``mahalanobis``, ``neighbours``, ``svm``), None where it cannot."""
        names = self.atlas.emotions
        words = [emotions.common_name(str(word)) for word in self.neighbours["emotion"]]
        members = np.array([[names.index(word) for word in words if word in names]], np.intp)
        return {
            "mahalanobis": None if self.distances is None else names[int(self.distances.argmin())],
            "neighbours": names[int(unseen.vote(members, n_classes=len(names))[0])] if members.size else None,
            "svm": None if self.probabilities is None else names[int(self.probabilities.argmax())],
        }

    def summary(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON; a number that cannot be told is None."""
        atlas, view = self.atlas, self.atlas.ground.drawn.view
        said: dict[str, Any] = {
            "corpora": list(atlas.names),
            "encoder": atlas.found.recipe["name"],
            "map": {**asdict(view), "exact": atlas.ground.exact, "error": atlas.ground.error},
            "clip": _clip(self),
            "point": self.point,
            "same_recording": None if self.same is None else _label(self, self.same),
            "named": self.named(),
            "outlying": self.outlying,
            "further_than": self.further,
            "emotions": _emotions(self),
            "nearest": [
                _label(self, int(row)) | {"distance": float(distance)}
                for row, distance in zip(self.landing.rows[0], self.landing.distances[0], strict=True)
            ],
            "plane": _plane(self),
            "unusual": [_deviation(one) for one in voice.unusual(self.deviations)] if self.deviations else None,
            "path": _rows(self.path),
            "recognisers": [one.summary() for one in self.recognised],
            "lacking": list(atlas.lacking),
        }
        return plain(said)


def placed(atlas: Atlas, clip: Decoded, vectors: Vectors, *, digest: str) -> Placed:
    """Place a clip that was decoded and encoded already; ``digest`` is the SHA-256 of its file, in hex."""
    drawn, layer = atlas.ground.drawn, atlas.ground.drawn.view.layer
    vector = vectors.whole[layer][None]
    landed = atlas.ground.land(vector)
    distances = atlas.yardstick.measure(drawn.scaler.scale(vector))[0] if atlas.yardstick else None
    values = vectors.voice if atlas.voice else None
    return Placed(
        atlas,
        clip,
        digest,
        vectors.whole,
        landed,
        distances,
        tail=atlas.yardstick.tail(distances) if atlas.yardstick and distances is not None else None,
        further=atlas.unseen.further(distances.min()) if atlas.unseen and distances is not None else None,
        probabilities=atlas.unseen.recogniser.probabilities(vector)[0] if atlas.unseen else None,
        affect=atlas.plane.map.place(vector.astype(np.float64))[0] if atlas.plane else None,
        deviations=voice.deviations(atlas.voice, values) if atlas.voice and values is not None else None,
        path=_path(atlas, vectors) if len(vectors.spans) else None,
        same=_same(atlas, landed, digest),
    )


def _path(atlas: Atlas, vectors: Vectors) -> Track:
    parts = vectors.windows[:, atlas.ground.drawn.view.layer]
    affect = atlas.plane.map.place(parts.astype(np.float64)) if atlas.plane else None
    return Track(vectors.spans, atlas.ground.land(parts).points, affect)


def _same(atlas: Atlas, landed: Landing, digest: str) -> int | None:
    """Return the row of this very recording: the same file, or one that holds the same sound."""
    if digest in atlas.found.digests:
        return atlas.found.digests.index(digest)
    usual = float(np.median(atlas.ground.drawn.distances[:, 0]))
    return int(landed.rows[0, 0]) if landed.distances[0, 0] <= landing.SAME * usual else None


def _clip(placed: Placed) -> dict[str, Any]:
    clip = placed.clip
    heard = {"seconds": clip.seconds, "sampling_rate": clip.sampling_rate}
    level = {name: getattr(clip, name) for name in ("peak_db", "rms_db", "clipped", "converted", "tags")}
    return {"sha256": placed.digest, "file": asdict(clip.info), **heard, **level}


def _label(placed: Placed, row: int) -> dict[str, Any]:
    clip = placed.atlas.found.clips.iloc[row]
    return {name: str(clip[name]) for name in LABELS} | {"emotion": emotions.common_name(str(clip["emotion"]))}


def _emotions(placed: Placed) -> list[dict[str, Any]]:
    def of(values: NDArray[Any] | None, k: int) -> float | None:
        return None if values is None else values[k]

    votes = placed.votes
    return [
        {
            "emotion": name,
            "distance": of(placed.distances, k),
            "tail": of(placed.tail, k),
            "of_nearest": votes[k],
            "probability": of(placed.probabilities, k),
        }
        for k, name in enumerate(placed.atlas.emotions)
    ]


def _plane(placed: Placed) -> dict[str, Any] | None:
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


def _rows(path: Track | None) -> list[dict[str, Any]] | None:
    if path is None:
        return None
    rows = []
    for k, (start, stop) in enumerate(path.seconds):
        affect = [None, None] if path.affect is None else path.affect[k]
        rows.append({"from": start, "to": stop, "point": path.points[k], **dict(zip(AXES, affect, strict=True))})
    return rows
