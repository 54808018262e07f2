"""Clips to vectors, once: the only place that batches, resumes and reports progress.

An embedding is kept as soon as its batch is done, under the encoder's recipe and the SHA-256 of the audio file.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import audio
from ser_core.cache import Cache
from ser_core.encoders.base import Encoder, EncoderError, Signal
from ser_core.errors import SerError
from ser_core.store import VectorStore

BATCH_SECONDS: Final = 30.0
"""Seconds of sound in one batch of a network: about 8 clips, measured best on two cores; halved when memory runs out."""
WRITE_SECONDS: Final = 1.0
"""What is done is written at least this often, so that a kill loses no more."""


class Source(Protocol):
    """A corpus and its folder (`ser_core.library.Located`)."""

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
    batch_seconds: float = BATCH_SECONDS,
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
    store = cache.vectors({**encoder.recipe(), "audio": audio.VERSION})
    files = [source.root / file for file in source.clips()["file"]]
    digests = cache.digests(files)
    held = store.read(sha for sha in digests if sha)  # reads, and so checks, the vectors: damaged ones are done again
    todo = {sha: file for sha, file in zip(digests, files, strict=True) if sha}
    todo = {sha: file for sha, file in todo.items() if sha not in held.vectors and sha not in held.failures}
    copies = Counter(digests)  # RAVDESS, for one, has the same recording under two names
    n_failed = sum(sha is None or (sha in held.failures and sha not in held.vectors) for sha in digests)
    report = _Reporter(len(digests), sum(copies[sha] for sha in todo), n_failed, progress)
    run = _batched if encoder.batched else _one_by_one
    with _Writer(store) as writer:
        for sha, outcome in run(todo, encoder, device, workers, batch_seconds):
            writer.add(sha, outcome)
            report.step(copies[sha], failed=isinstance(outcome, str))
    return load(source, store, cache=cache, damaged=held.damaged)


def load(source: Source, store: VectorStore, *, cache: Cache, damaged: tuple[str, ...] = ()) -> Embeddings:
    """Return what is kept of a corpus under one encoder recipe; computes nothing."""
    clips = source.clips()
    digests = cache.digests([source.root / file for file in clips["file"]])
    held = store.read(sha for sha in digests if sha)
    reasons = [held.failures.get(sha) if sha else "the file cannot be read" for sha in digests]
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


@dataclass(frozen=True)
class Coverage:
    """How much of a corpus is embedded under one encoder recipe."""

    store: VectorStore
    encoder: str
    n_embedded: int
    n_failed: int
    n_pending: int


def coverage(source: Source, *, cache: Cache) -> list[Coverage]:
    """Return, for every recipe that has a vector or a failure of this corpus, how much of it is done."""
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
    """Return the store in which all these corpora are embedded under an encoder's name or key.

    Where several recipes of one name fit (another version of a library, say), the last one written.

    Raises
    ------
    EmbeddingError
        If there is none.
    """
    candidates: list[VectorStore] | None = None
    for source in sources:
        stores = [one.store for one in coverage(source, cache=cache) if encoder in {one.encoder, one.store.key}]
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

    Speakers get their corpus before their name, since "03" of one corpus is not "03" of another. The column
    ``emotion`` keeps each corpus's own words; `ser_core.emotions.common_name` maps them.

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
        [part.clips.assign(speaker=part.clips["corpus"] + ":" + part.clips["speaker"]) for part in parts],
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


Outcomes = Iterator[tuple[str, NDArray[np.float32] | str]]
"""(digest, vector of shape (n_layers, dim)) or (digest, reason of failure)."""


def _one_by_one(todo: dict[str, Path], encoder: Encoder, device: str, workers: int, _batch_seconds: float) -> Outcomes:
    """Run an encoder that takes one clip at a time in threads: its C code lets other threads go on."""

    def work(file: Path) -> NDArray[np.float32] | str:
        try:
            signal = audio.read(file, encoder.sampling_rate)
            return _finite(encoder.encode([signal], device=device)[0])
        except (audio.AudioError, EncoderError) as error:
            return _reason(error)

    queue = iter(todo.items())
    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[NDArray[np.float32] | str], str] = {}
        try:
            while True:
                while len(running) < 4 * workers and (item := next(queue, None)):
                    running[pool.submit(work, item[1])] = item[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _batched(todo: dict[str, Path], encoder: Encoder, device: str, workers: int, batch_seconds: float) -> Outcomes:
    """Run a network on batches of similar length, longest first (memory runs out at once or never), decoded ahead."""

    def decode(file: Path) -> Signal | str:
        try:
            return audio.read(file, encoder.sampling_rate)
        except audio.AudioError as error:
            return _reason(error)

    def seconds(item: tuple[str, Path]) -> float:
        try:
            return audio.inspect(item[1]).seconds
        except audio.AudioError:
            return 0.0  # will fail with its reason when it is decoded

    with ThreadPoolExecutor(workers) as pool:
        lengths = dict(zip(todo, pool.map(seconds, todo.items()), strict=True))
        batches = _cut(sorted(todo, key=lambda sha: -lengths[sha]), lengths, batch_seconds)
        ahead = [[pool.submit(decode, todo[sha]) for sha in batch] for batch in batches[:2]]
        try:
            for number, batch in enumerate(batches):
                if number + 2 < len(batches):
                    ahead.append([pool.submit(decode, todo[sha]) for sha in batches[number + 2]])
                signals: dict[str, Signal] = {}
                for sha, future in zip(batch, ahead.pop(0), strict=True):
                    signal = future.result()
                    if isinstance(signal, str):
                        yield sha, signal
                    else:
                        signals[sha] = signal
                yield from _encode(signals, encoder, device)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _encode(signals: dict[str, Signal], encoder: Encoder, device: str) -> Outcomes:
    """Encode a batch; where memory runs out, or a clip among it cannot be encoded, its halves."""
    if not signals:
        return
    try:
        vectors = encoder.encode(list(signals.values()), device=device)
    except (MemoryError, EncoderError) as error:
        if len(signals) == 1:
            memory = "too long for this machine's memory: cut the clip, or use a smaller encoder"
            yield next(iter(signals)), memory if isinstance(error, MemoryError) else str(error)
            return
        items = list(signals.items())
        for half in (items[: len(items) // 2], items[len(items) // 2 :]):
            yield from _encode(dict(half), encoder, device)
        return
    for sha, vector in zip(signals, vectors, strict=True):
        yield sha, _finite(vector)


def _cut(shas: list[str], lengths: dict[str, float], batch_seconds: float) -> list[list[str]]:
    """Cut a list sorted by length into batches whose padded size stays below ``batch_seconds``."""
    batches: list[list[str]] = []
    for sha in shas:
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= batch_seconds:
            batches[-1].append(sha)
        else:
            batches.append([sha])
    return batches


def _finite(vector: NDArray[np.float32]) -> NDArray[np.float32] | str:
    if np.isfinite(vector).all():
        return vector
    return f"the encoder gave {int((~np.isfinite(vector)).sum())} values that are not numbers"


def _reason(error: audio.AudioError | EncoderError) -> str:
    return f"{error.problem}: {error.reason}" if isinstance(error, audio.AudioError) else str(error)


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

    def add(self, sha: str, outcome: NDArray[np.float32] | str) -> None:
        if isinstance(outcome, str):
            self._failures[sha] = outcome
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
