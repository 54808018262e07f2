"""How clips reach an encoder: one at a time in threads, or in batches decoded ahead."""

import hashlib
from collections.abc import Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ser_core import audio
from ser_core.encoders.base import ClipError, Encoder, Signal

BATCH_SECONDS: Final = 30.0
"""Seconds of sound in one batch of a network: about 8 clips, best on two cores; halved when memory runs out."""


@dataclass(frozen=True)
class Failed:
    """Why a clip has no vector. ``lasting``: the clip's own fault, not to be tried again until its file changes."""

    reason: str
    lasting: bool = True


Vector: TypeAlias = NDArray[np.float32]
"""Shape (n_layers, dim)."""
Outcomes: TypeAlias = Generator[tuple[str, Vector | Failed], None, None]
"""Digest of a file, and what came of it."""


def run(todo: Mapping[str, Path], encoder: Encoder, *, device: str, workers: int, batch_seconds: float) -> Outcomes:
    """Read and encode files, given by digest; yields in the order in which they are done.

    Closing the generator cancels what has not begun. A file whose content is no longer that of its digest is not used.

    Raises
    ------
    EncoderError
        If the encoder cannot work here and now (its device or checkpoint is not there).
    """
    if encoder.batched:
        return _batched(todo, encoder, device, workers, batch_seconds)
    return _one_by_one(todo, encoder, device, workers)


def _one_by_one(todo: Mapping[str, Path], encoder: Encoder, device: str, workers: int) -> Outcomes:
    """Run an encoder that takes one clip at a time in threads: its C code lets other threads go on."""

    def work(sha: str, file: Path) -> Vector | Failed:
        signal = read(sha, file, encoder.sampling_rate)
        if isinstance(signal, Failed):
            return signal
        try:
            return _finite(encoder.encode([signal], device=device)[0])
        except ClipError as error:
            return Failed(str(error))

    queue = iter(todo.items())
    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[Vector | Failed], str] = {}
        try:
            while True:
                while len(running) < 4 * workers and (item := next(queue, None)):
                    running[pool.submit(work, *item)] = item[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _batched(todo: Mapping[str, Path], encoder: Encoder, device: str, workers: int, batch_seconds: float) -> Outcomes:
    """Run a network on batches of similar length, longest first (memory runs out at once or never), decoded ahead."""

    def seconds(item: tuple[str, Path]) -> float:
        try:
            return audio.inspect(item[1]).seconds
        except audio.AudioError:
            return 0.0  # will fail with its reason when it is decoded

    with ThreadPoolExecutor(workers) as pool:

        def decode(batch: list[str]) -> list[Future[Signal | Failed]]:
            return [pool.submit(read, sha, todo[sha], encoder.sampling_rate) for sha in batch]

        lengths = dict(zip(todo, pool.map(seconds, todo.items()), strict=True))
        batches = _cut(sorted(todo, key=lambda sha: -lengths[sha]), lengths, batch_seconds)
        ahead = [decode(batch) for batch in batches[:2]]
        try:
            for number, batch in enumerate(batches):
                ahead += [decode(later) for later in batches[number + 2 : number + 3]]
                signals: dict[str, Signal] = {}
                for sha, future in zip(batch, ahead.pop(0), strict=True):
                    signal = future.result()
                    if isinstance(signal, Failed):
                        yield sha, signal
                    else:
                        signals[sha] = signal
                yield from encode(signals, encoder, device)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def encode(signals: Mapping[str, Signal], encoder: Encoder, device: str) -> Outcomes:
    """Encode a batch; where memory runs out, or a clip among it cannot be encoded, its halves."""
    if not signals:
        return
    try:
        vectors = encoder.encode(list(signals.values()), device=device)
    except (MemoryError, ClipError) as error:
        if len(signals) == 1:
            memory = Failed("memory ran out: cut the clip, free memory, or use a smaller encoder", lasting=False)
            yield next(iter(signals)), memory if isinstance(error, MemoryError) else Failed(str(error))
            return
        items = list(signals.items())
        for half in (items[: len(items) // 2], items[len(items) // 2 :]):
            yield from encode(dict(half), encoder, device)
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


def read(sha: str, file: Path, sampling_rate: int) -> Signal | Failed:
    """Return the sound of a file, if it is still that of the digest."""
    try:
        data = file.read_bytes()
    except OSError as error:
        return Failed(f"missing: cannot be read ({error.strerror})", lasting=False)
    if hashlib.sha256(data).hexdigest() != sha:
        return Failed("the file was changed meanwhile: embed again", lasting=False)
    try:
        return audio.read(data, sampling_rate)
    except audio.AudioError as error:
        return Failed(f"{error.problem}: {error.reason}")


def _finite(vector: Vector) -> Vector | Failed:
    if np.isfinite(vector).all():
        return vector
    return Failed(f"the encoder gave {int((~np.isfinite(vector)).sum())} values that are not numbers")
