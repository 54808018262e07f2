"""Clips to vectors, once: the only place that batches, resumes and reports progress.

An embedding is kept as soon as its batch is done, under the encoder's recipe and the SHA-256 of the audio file.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import audio, runners
from ser_core.cache import Cache
from ser_core.corpora.folder import UNKNOWN
from ser_core.encoders import ENCODERS
from ser_core.encoders.base import Encoder
from ser_core.errors import SerError
from ser_core.runners import Failed
from ser_core.store import VectorStore

WRITE_SECONDS: Final = 1.0
"""What is done is written at least this often, so that a kill loses no more."""


class Source(Protocol):
    """A corpus and its folder (`ser_core.catalogue.Located`)."""

    @property
    def name(self) -> str:
        """The name of the corpus."""
        ...

    @property
    def root(self) -> Path:
        """The folder that the files are relative to."""
        ...

    def clips(self) -> pd.DataFrame:
        """Return the table of clips."""
        ...


class EmbeddingError(SerError, ValueError):
    """Embeddings that do not fit together, or are not there; the message says what to run."""


@dataclass(frozen=True)
class Progress:
    """How far a run is. ``rate`` is in clips per second of this run; ``seconds_left`` is None until it is known."""

    done: int
    total: int
    failed: int
    rate: float
    seconds_left: float | None


@dataclass(frozen=True)
class Embeddings:
    """Vectors of clips, with the clips.

    Attributes
    ----------
    vectors
        Shape (n_clips, n_layers, dim), float32, finite, read-only.
    clips
        One row per vector, in the same order: ``file``, ``speaker``, ``emotion``, … and ``corpus``.
    recipe
        The encoder's recipe; ``layers`` in it names the layers.
    digests
        SHA-256 of each clip's file.
    failures
        Columns ``corpus``, ``file``, ``reason``: clips that have no vector because they cannot have one.
    n_pending
        Clips of the corpus that were not embedded yet.
    damaged
        One sentence per cache entry that was found broken (it counts as pending).
    """

    vectors: NDArray[np.float32]
    clips: pd.DataFrame
    recipe: dict[str, Any]
    digests: tuple[str, ...]
    failures: pd.DataFrame
    n_pending: int = 0
    damaged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n_clips, n_layers, dim = self.vectors.shape
        if n_clips != len(self.clips) or n_clips != len(self.digests):
            counts = f"{n_clips} vectors, {len(self.clips)} clips and {len(self.digests)} digests"
            raise EmbeddingError(f"{counts}: expected as many of each")
        if (n_layers, dim) != (len(self.recipe["layers"]), self.recipe["dim"]):
            raise EmbeddingError(f"vectors of {n_layers} layers of {dim} values do not fit the recipe {self.recipe}")
        self.vectors.flags.writeable = False

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""
        return list(self.recipe["layers"])

    def layer(self, index: int) -> NDArray[np.float32]:
        """Return one layer, shape (n_clips, dim); negative counts from the last.

        Raises
        ------
        EmbeddingError
            If there is no such layer.
        """
        n_layers = self.vectors.shape[1]
        if not -n_layers <= index < n_layers:
            raise EmbeddingError(f"layer {index}: {self.recipe['name']} has layers 0 to {n_layers - 1}")
        return self.vectors[:, index, :]


def embed(
    source: Source,
    encoder: Encoder,
    *,
    cache: Cache,
    device: str = "auto",
    workers: int = 2,
    batch_seconds: float = runners.BATCH_SECONDS,
    progress: Callable[[Progress], None] | None = None,
) -> Embeddings:
    """Compute what is not kept yet, keep it, and return all of it.

    Interrupt it at any time (Ctrl-C, kill): what was written stays, the next run goes on from there. Clips that cannot
    be read or encoded end in ``failures`` with their reason, and are tried again only when their file changes.

    Raises
    ------
    EncoderError
        If the encoder cannot be used on this machine.
    CorpusError
        If the folder no longer holds the corpus.
    """
    store = cache.vectors(full_recipe(encoder))
    files = [source.root / file for file in source.clips()["file"]]
    digests = cache.digests(files)
    held = store.read(sha for sha in digests if sha)  # reads, and so checks, the vectors: damaged ones are done again
    todo = {sha: file for sha, file in zip(digests, files, strict=True) if sha}
    todo = {sha: file for sha, file in todo.items() if sha not in held.vectors and sha not in held.failures}
    copies = Counter(digests)  # RAVDESS, for one, has the same recording under two names
    n_failed = sum(sha is None or (sha in held.failures and sha not in held.vectors) for sha in digests)
    damaged = held.damaged
    del held  # the vectors are read again when all are there
    passing: dict[str, str] = {}
    report = _Reporter(len(digests), sum(copies[sha] for sha in todo), n_failed, progress)
    outcomes = runners.run(todo, encoder, device=device, workers=workers, batch_seconds=batch_seconds)
    with _Writer(store) as writer, closing(outcomes):
        for sha, outcome in outcomes:
            failed = isinstance(outcome, Failed)
            if failed and not outcome.lasting:
                passing[sha] = outcome.reason
            else:
                writer.add(sha, outcome)
            report.step(copies[sha], failed=failed)
    return load(source, store, cache=cache, damaged=damaged, passing=passing)


def full_recipe(encoder: Encoder) -> dict[str, Any]:
    """Return what an encoder's vectors are kept under: its own recipe, and how audio is read.

    Raises
    ------
    EncoderError
        If the encoder cannot be used on this machine.
    """
    return {**encoder.recipe(), "audio": audio.version()}


def load(
    source: Source,
    store: VectorStore,
    *,
    cache: Cache,
    damaged: tuple[str, ...] = (),
    passing: Mapping[str, str] | None = None,
) -> Embeddings:
    """Return what is kept of a corpus under one encoder recipe; computes nothing.

    ``damaged`` and ``passing`` (failures that are not kept, by digest) are what a run has to add.
    """
    clips = source.clips()
    digests = cache.digests([source.root / file for file in clips["file"]])
    held = store.read(sha for sha in digests if sha)
    known = {**held.failures, **(passing or {})}
    reasons = [known.get(sha) if sha else "missing: the file cannot be read" for sha in digests]
    has_vector = np.array([sha in held.vectors for sha in digests], bool)
    failed = np.array([reason is not None for reason in reasons], bool) & ~has_vector
    recipe = store.recipe
    vectors = np.empty((int(has_vector.sum()), len(recipe["layers"]), recipe["dim"]), np.float32)
    kept = [sha for sha in digests if sha in held.vectors]
    for row, sha in enumerate(kept):
        vectors[row] = held.vectors[sha]
    failures = clips[["file"]].assign(corpus=source.name, reason=pd.Series(reasons, clips.index, dtype=object))[failed]
    return Embeddings(
        vectors,
        clips[has_vector].assign(corpus=source.name).reset_index(drop=True),
        recipe,
        tuple(kept),
        failures[["corpus", "file", "reason"]].reset_index(drop=True),
        n_pending=int((~has_vector & ~failed).sum()),
        damaged=(*damaged, *held.damaged),
    )


def take(embeddings: Embeddings, rows: NDArray[np.intp]) -> Embeddings:
    """Return some of the clips, in the order of ``rows``."""
    return replace(
        embeddings,
        vectors=embeddings.vectors[rows],
        clips=embeddings.clips.iloc[rows].reset_index(drop=True),
        digests=tuple(embeddings.digests[row] for row in rows),
    )


@dataclass(frozen=True)
class Coverage:
    """How much of a corpus is embedded under one encoder recipe."""

    store: VectorStore
    encoder: str
    n_embedded: int
    n_failed: int
    n_pending: int


def coverage(source: Source, *, cache: Cache) -> list[Coverage]:
    """Return, for every recipe that has a vector or a failure of this corpus, how much of it is done.

    Pictures (`ser_core.encoders.pictures`) are left out: they are for networks, no vectors to explore.
    """
    return [one for one in _covered(source, cache) if "shape" not in one.store.recipe]


def _covered(source: Source, cache: Cache) -> list[Coverage]:
    digests = cache.digests([source.root / file for file in source.clips()["file"]])
    out = []
    for store in cache.stores():
        known, failures = store.known()
        done = sum(sha in known for sha in digests)
        failed = sum(sha is None or (sha in failures and sha not in known) for sha in digests)
        if done or any(sha in failures for sha in digests):
            name = str(store.recipe.get("name", ""))
            out.append(Coverage(store, name, done, failed, len(digests) - done - failed))
    return out


def find_store(sources: Sequence[Source], encoder: str, *, cache: Cache) -> VectorStore:
    """Return the store in which all these corpora are embedded under an encoder's name, alias or key.

    Where several recipes of one name fit (another version of a library, say), the last one written.

    Raises
    ------
    EmbeddingError
        If there is none.
    """
    names = {encoder, ENCODERS[encoder].name} if encoder in ENCODERS else {encoder}
    candidates: list[VectorStore] | None = None
    for source in sources:
        stores = [one.store for one in _covered(source, cache) if names & {one.encoder, one.store.key}]
        candidates = stores if candidates is None else [store for store in candidates if store in stores]
        if not candidates:
            raise EmbeddingError(
                f"{source.name} is not embedded with {encoder}: run `ser embed {source.name} {encoder}` first"
            )
    if not candidates:
        raise EmbeddingError("name at least one corpus")
    return max(candidates, key=lambda store: store.path.stat().st_mtime_ns)


def join(parts: Sequence[Embeddings]) -> Embeddings:
    """Put several corpora under one encoder into one table.

    Speakers get their corpus before their name, since "03" of one corpus is not "03" of another; an unknown one stays
    unknown. The column ``emotion`` keeps each corpus's own words; `ser_core.emotions.common_name` maps them.

    Raises
    ------
    EmbeddingError
        If there is none, or they come from different recipes.
    """
    if not parts:
        raise EmbeddingError("no embeddings to join")
    if len(parts) == 1:
        return parts[0]
    if any(part.recipe != parts[0].recipe for part in parts):
        raise EmbeddingError("these embeddings come from different encoders: their vectors cannot be compared")
    clips = pd.concat(
        [part.clips.assign(speaker=_told_apart(part.clips)) for part in parts],
        ignore_index=True,
    )
    return Embeddings(
        np.concatenate([part.vectors for part in parts]),
        clips,
        parts[0].recipe,
        tuple(sha for part in parts for sha in part.digests),
        pd.concat([part.failures for part in parts], ignore_index=True),
        sum(part.n_pending for part in parts),
        tuple(note for part in parts for note in part.damaged),
    )


def _told_apart(clips: pd.DataFrame) -> pd.Series:
    known = clips["speaker"] != UNKNOWN
    return clips["speaker"].where(~known, clips["corpus"] + ":" + clips["speaker"])


class _Writer:
    """Writes outcomes to the store about once a second, and what is left when the run ends in whatever way."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._failures: dict[str, str] = {}
        self._written = time.monotonic()

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()

    def add(self, sha: str, outcome: NDArray[np.float32] | Failed) -> None:
        if isinstance(outcome, Failed):
            self._failures[sha] = outcome.reason
        else:
            self._vectors[sha] = outcome
        if time.monotonic() - self._written > WRITE_SECONDS:
            self._flush()

    def _flush(self) -> None:
        if self._vectors or self._failures:
            self._store.write(self._vectors, self._failures)
        self._vectors, self._failures, self._written = {}, {}, time.monotonic()


class _Reporter:
    def __init__(self, total: int, todo: int, failed: int, progress: Callable[[Progress], None] | None) -> None:
        self._total, self._todo, self._failed = total, todo, failed
        self._progress = progress
        self._start = time.monotonic()
        self._steps = 0
        self._tell()

    def step(self, n_clips: int, *, failed: bool) -> None:
        self._steps += n_clips
        self._failed += n_clips * failed
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            rate = self._steps / max(time.monotonic() - self._start, 1e-6)
            left = (self._todo - self._steps) / rate if self._steps else None
            self._progress(Progress(self._total - self._todo + self._steps, self._total, self._failed, rate, left))
