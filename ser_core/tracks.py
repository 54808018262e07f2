"""The vectors of one clip, whole and window by window: all that placing needs of a clip. Nothing here is kept on disk.

A clip goes the way that clips of a corpus go (`ser_core.embeddings`): the same decoded samples into the same encoder,
and the same answers to clips that cannot be encoded.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core import audio, runners, soundfiles
from ser_core import windows as sliding
from ser_core.audio import Decoded
from ser_core.encoders import EGEMAPS, Encoder
from ser_core.encoders.base import Signal
from ser_core.errors import SerError
from ser_core.runners import Failed, Vector

WORKERS: Final = 2
"""Threads for encoders that take one clip at a time."""
Progress = Callable[[int, int], None]


class PlacementError(SerError, ValueError):
    """A clip that cannot be placed, or a corpus that it cannot be placed in; the message says why and what to do."""


@dataclass(frozen=True)
class Vectors:
    """What an encoder makes of one clip.

    ``whole`` has shape (n_layers, dim). ``windows`` (w, n_layers, dim) are those of the sliding windows, which last
    from ``spans[:, 0]`` to ``spans[:, 1]`` (w, 2) in seconds; none in a short clip, and NaN where a window is silent or
    cannot be encoded. ``voice`` (88,) are the clip's eGeMAPS values, None where openSMILE cannot give them.
    """

    whole: NDArray[np.float32]
    windows: NDArray[np.float32]
    spans: NDArray[np.float64]
    voice: NDArray[np.float32] | None


@dataclass(frozen=True)
class Track:
    """The way of a clip's windows over the map and over Russell's plane.

    ``seconds`` (w, 2) are from when to when each window lasts, ``points`` (w, n_components) where it lands, ``affect``
    (w, 2) its valence and arousal, None where there is no plane. NaN where a window cannot be placed (silence).
    """

    seconds: NDArray[np.float64]
    points: NDArray[np.float32]
    affect: NDArray[np.float64] | None

    @property
    def middle(self) -> NDArray[np.float64]:
        """The middle of each window, seconds, shape (w,)."""
        return self.seconds.mean(axis=1)


def heard(
    source: Path | str | bytes, sampling_rate: int, *, max_seconds: float, max_bytes: int | None
) -> tuple[Decoded, str]:
    """Decode a file, or the bytes of one, and return it with its SHA-256, in hex.

    Raises
    ------
    AudioError
        See `audio.decode`.
    """
    source = source if isinstance(source, bytes) else Path(source)
    data = soundfiles.content(source, max_bytes=max_bytes)
    with soundfiles.naming(source):
        clip = audio.decode(data, sampling_rate, max_seconds=max_seconds)
    return clip, hashlib.sha256(data).hexdigest()


def vectors(
    clip: Decoded,
    encoder: Encoder,
    *,
    with_voice: bool = True,
    device: str = "auto",
    workers: int = WORKERS,
    progress: Progress = lambda *_: None,
) -> Vectors:
    """Encode a clip and the windows in it, decoded at the encoder's rate; ``with_voice`` also its eGeMAPS values.

    ``progress`` gets the steps done, and how many there are: one for the whole clip and one a window. What it raises
    ends the work as soon as the windows in hand are through.

    Raises
    ------
    PlacementError
        If the clip has another sampling rate, or the encoder cannot encode it.
    EncoderError
        If the encoder cannot work on this machine.
    """
    if clip.sampling_rate != encoder.sampling_rate:
        raise PlacementError(
            f"the clip is at {clip.sampling_rate} Hz, {encoder.name} takes {encoder.sampling_rate} Hz:"
            f" decode it with sampling_rate={encoder.sampling_rate}"
        )
    spans = sliding.windows(len(clip.signal), clip.sampling_rate)
    steps = 1 + len(spans)
    progress(0, steps)
    ((_, whole),) = runners.encode({"": clip.signal}, encoder, device)
    if isinstance(whole, Failed):
        raise PlacementError(whole.reason)
    voice = voice_of(clip, encoder, whole) if with_voice else None
    progress(1, steps)
    parts = np.full((len(spans), *whole.shape), np.nan, np.float32)
    sounding = {str(row): part for row, part in enumerate(clip.signal[a:b] for a, b in spans) if _sounds(part)}
    done = 1 + len(spans) - len(sounding)
    for row, outcome in _encoded(sounding, encoder, device=device, workers=workers):
        if not isinstance(outcome, Failed):
            parts[int(row)] = outcome
        done += 1
        progress(done, steps)
    seconds = np.array(spans, np.float64).reshape(-1, 2) / clip.sampling_rate
    return Vectors(whole, parts, seconds, voice)


def voice_of(clip: Decoded, encoder: Encoder, whole: Vector) -> NDArray[np.float32] | None:
    """Return the clip's eGeMAPS values (88,): ``whole`` where they are what the encoder gives; None if there are none.

    There are none for clips at another rate than openSMILE's 16 kHz, and for those that openSMILE refuses.
    """
    if encoder == EGEMAPS:
        return whole[0]
    if clip.sampling_rate != EGEMAPS.sampling_rate:
        return None
    ((_, values),) = runners.encode({"": clip.signal}, EGEMAPS, "cpu")
    return None if isinstance(values, Failed) else values[0]


def _sounds(part: Signal) -> bool:
    """Say whether a window would be taken for a clip: silence is not (`audio.read`)."""
    return bool(np.abs(part).max() >= audio.SILENCE_PEAK)


def _encoded(
    signals: Mapping[str, Signal], encoder: Encoder, *, device: str, workers: int
) -> Iterator[tuple[str, Vector | Failed]]:
    """Encode windows, networks in batches, others in threads; ends early where the caller does."""
    names = list(signals)
    seconds = max((len(signal) for signal in signals.values()), default=0) / encoder.sampling_rate
    size = max(1, int(runners.BATCH_SECONDS / seconds)) if encoder.batched and names else 1
    batches = [{name: signals[name] for name in names[at : at + size]} for at in range(0, len(names), size)]
    with ThreadPoolExecutor(1 if encoder.batched else workers) as pool:
        try:
            running = [pool.submit(lambda batch: list(runners.encode(batch, encoder, device)), one) for one in batches]
            for batch in as_completed(running):
                yield from batch.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
