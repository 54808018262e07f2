"""What an encoder is: signals in, one vector per clip and layer out."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ser_core.errors import SerError

Signal: TypeAlias = NDArray[np.float32]
"""One clip: mono samples in [-1, 1], shape (n_samples,)."""

Recipe: TypeAlias = dict[str, str | int | float | bool | list[str] | list[int] | None]
"""Everything that changes an encoder's numbers, as JSON values: its digest is the cache key."""


class EncoderError(SerError, ValueError):
    """An encoder cannot be used here; the message says why and what to do."""


class ClipError(EncoderError):
    """One clip cannot be encoded, whatever the machine: too short for the encoder, say. Others are not concerned."""


class OneByOne:
    """What the encoders share that come with this library: one clip of 16 kHz at a time, nothing to fetch."""

    @property
    def sampling_rate(self) -> int:
        """Hz."""
        return 16_000

    @property
    def batched(self) -> bool:
        """False: one clip a call, other threads go on meanwhile."""
        return False

    def missing(self) -> str | None:
        """None: it is installed."""
        return None


class Encoder(Protocol):
    """A frozen dataclass whose fields are what changes its numbers.

    ``encode`` must give each clip the same vector whatever else is in the call, must be safe to call from
    several threads where ``batched`` is false, and raises `MemoryError` when the device is out of memory.
    """

    @property
    def name(self) -> str:
        """The word a user types, e.g. ``egemaps`` or ``hf:facebook/wav2vec2-base``."""
        ...

    @property
    def title(self) -> str:
        """One line for people: what it is and how long its vector is."""
        ...

    @property
    def sampling_rate(self) -> int:
        """Hz that the signals must have."""
        ...

    @property
    def batched(self) -> bool:
        """True: wants several clips of similar length at once. False: one clip a call, many calls in parallel."""
        ...

    def missing(self) -> str | None:
        """None if the encoder can be used on this machine, else one sentence: what is missing and how to get it."""
        ...

    def recipe(self) -> Recipe:
        """Everything that changes the numbers, with ``name``, ``dim``, ``layers`` (names) and ``sampling_rate`` in it.

        Raises
        ------
        EncoderError
            If something is missing, with the sentence of `missing`.
        """
        ...

    def encode(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Encode clips; shape (n_clips, n_layers, dim).

        Raises
        ------
        ClipError
            If one of the clips cannot be encoded; the failure is kept, and not tried again.
        EncoderError
            If the encoder cannot work here and now; this ends the run.
        """
        ...
