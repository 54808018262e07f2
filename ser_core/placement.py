"""A clip of one's own among the clips of a corpus: where it lands, what it is near to, and how unusual it is.

    from ser_core import placement

    atlas = placement.atlas("emodb", "egemaps")
    print(atlas.place("clip.wav").summary())

What concerns the corpus (its map, the check on unseen speakers, the plane) is computed once and kept in the cache. Of
the clip nothing is kept: it is read, and answered for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import answers, audio, catalogue, embeddings, emotions, landing, maps, unseen, voice
from ser_core.analyses import AnalysisError
from ser_core.audio import Decoded
from ser_core.background import Plane, encoder_of, measures, reference, teach
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings
from ser_core.encoders import Encoder
from ser_core.geometry.projection import Scaling
from ser_core.geometry.yardstick import Yardstick
from ser_core.landing import Ground, Landing
from ser_core.tracks import PlacementError, Track, Vectors, heard, vectors, voice_of
from ser_core.unseen import Unseen
from ser_core.voice import Deviation, Reference

__all__ = [
    "Atlas",
    "Placed",
    "PlacementError",
    "Plane",
    "Track",
    "Vectors",
    "atlas",
    "encoder_of",
    "measures",
    "placed",
    "reference",
    "teach",
    "vectors",
    "voice_of",
]

Progress = Callable[[int, int], None]
Made = TypeVar("Made")
STEPS: Final = 300
"""Percent of the map, of the check on unseen speakers and of the plane."""


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
        One sentence for each of these that cannot be had: why.
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
        out. From `unseen.OUTLYING` on, the clip is unlike everything here.
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

    def named(self) -> dict[str, str | None]:
        """Return the emotion that each way names (``mahalanobis``, ``neighbours``, ``svm``), None where it cannot."""
        return answers.named(self)

    def summary(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON; a number that cannot be told is None."""
        return answers.summary(self)


def atlas(
    corpora: str | Sequence[str],
    encoder: str,
    *,
    method: str = "pca",
    dimensions: int = 3,
    layer: int = -1,
    scaling: Scaling | None = None,
    teacher: str | None = None,
    cache: Cache | None = None,
    progress: Progress = lambda *_: None,
) -> Atlas:
    """Prepare what clips are placed among; what is not kept yet is computed and kept.

    Parameters
    ----------
    corpora
        A corpus, several with commas between, or a sequence of them; each is embedded with ``encoder``.
    encoder
        A name of `ser_core.encoders`, ``hf:<hub id or folder>``, or a key of the cache.
    method, dimensions, layer, scaling
        Of the map: ``pca`` or ``umap``, 2 or 3 dimensions; by default the scaling that suits the encoder.
    teacher
        The corpus that valence and arousal are learnt from; by default the first of ``corpora`` that can teach.
    progress
        Gets the steps done, and how many there are.

    Raises
    ------
    CorpusError
        If there is no such corpus.
    EmbeddingError
        If one is not embedded with the encoder.
    PlacementError
        If the encoder that made the embeddings is not here.
    ProjectionError
        If there are too few clips for a map.
    """
    cache = cache or Cache.default()
    names = tuple(dict.fromkeys(corpora.split(",") if isinstance(corpora, str) else list(corpora)))
    sources = {name: catalogue.get(cache, name) for name in (*names, *([teacher] if teacher else []))}
    store = embeddings.find_store(list(sources.values()), encoder, cache=cache)
    parts = {name: embeddings.load(source, store, cache=cache) for name, source in sources.items()}
    found = embeddings.join([parts[name] for name in names])
    made = encoder_of(found.recipe, corpora=names)
    view = maps.view(found, layer=layer, method=method, n_components=dimensions, scaling=scaling, seed=maps.SEED)
    drawn = maps.draw(found, view, cache=cache, progress=_share(progress, 0))
    ground = landing.ground(found, drawn)
    how: dict[str, Any] = {"layer": view.layer, "scaling": view.scaling, "cache": cache}
    candidates = {teacher: parts[teacher]} if teacher else {name: parts[name] for name in names}
    lacking: list[str] = []
    yardstick = _told(lacking, lambda: measures(found, ground))
    checked = _told(lacking, lambda: unseen.check(found, **how, progress=_share(progress, 1)))
    plane = _told(lacking, lambda: teach(candidates, **how, progress=_share(progress, 2)))
    usual = _told(lacking, lambda: reference(found, cache=cache))
    progress(STEPS, STEPS)
    return Atlas(names, found, made, ground, yardstick, checked, plane, usual, tuple(dict.fromkeys(lacking)))


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


def _told(lacking: list[str], make: Callable[[], Made]) -> Made | None:
    """Return what can be told of a corpus; where it cannot, add the reason to ``lacking``."""
    try:
        return make()
    except (AnalysisError, PlacementError) as error:
        lacking.append(str(error))
        return None


def _share(progress: Progress, step: int) -> Progress:
    """Return a progress that counts in percent of one step of three."""
    return lambda done, total: progress(100 * step + 100 * done // max(total, 1), STEPS)
