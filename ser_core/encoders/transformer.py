"""Pretrained speech transformers: wav2vec 2.0, HuBERT, WavLM, data2vec and the encoder of Whisper.

One vector a layer: the mean over the clip's own frames of each of transformers' ``hidden_states``, index 0 being the
input of the first block. A clip's vectors are the same alone and in any batch.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_core.encoders import checkpoints, pooling
from ser_core.encoders.base import ClipError, EncoderError, Recipe, Signal

DTYPES = ("float32", "float16", "bfloat16")
_busy = threading.Lock()  # one model in memory and one forward at a time


@dataclass(frozen=True)
class Transformer:
    """Mean over time of every layer of one pretrained checkpoint.

    Parameters
    ----------
    checkpoint
        ``owner/name`` on the Hugging Face hub, or a folder that starts with ``/``, ``.`` or ``~``.
    revision
        Branch, tag or commit of the hub's repository; None is its default branch.
    dtype
        ``float32``, ``float16`` or ``bfloat16``; means are taken in float32.

    References
    ----------
    Baevski, A., et al. (2020). wav2vec 2.0. NeurIPS. Hsu, W.-N., et al. (2021). HuBERT. IEEE/ACM TASLP, 29. Chen, S.,
    et al. (2022). WavLM. IEEE JSTSP, 16. Baevski, A., et al. (2022). data2vec. ICML. Radford, A., et al. (2023).
    Robust speech recognition via large-scale weak supervision. ICML.
    """

    checkpoint: str
    revision: str | None = None
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if not (checkpoints.is_folder(self.checkpoint) or re.fullmatch(r"[\w.-]+(/[\w.-]+)?", self.checkpoint)):
            raise EncoderError(
                f"checkpoint {self.checkpoint!r} is neither a hub id such as facebook/wav2vec2-base nor a folder "
                "that starts with '/', '.' or '~'"
            )
        if self.revision is not None and checkpoints.is_folder(self.checkpoint):
            raise EncoderError(f"revision {self.revision!r}: the folder {self.checkpoint} has no revisions")
        if self.dtype not in DTYPES:
            raise EncoderError(f"dtype {self.dtype!r} is not one of {', '.join(DTYPES)}")

    @classmethod
    def parse(cls, name: str) -> "Transformer":
        """Make the encoder of the name ``hf:<hub id or folder>[@revision]``.

        Raises
        ------
        EncoderError
            If the name does not have that form.

        Examples
        --------
        >>> Transformer.parse("hf:facebook/wav2vec2-base@main").revision
        'main'
        """
        prefix, colon, rest = name.partition(":")
        if prefix != "hf" or not colon:
            raise EncoderError(f"name {name!r} does not have the form hf:<hub id or folder>[@revision]")
        if checkpoints.is_folder(rest):
            return cls(rest)
        checkpoint, _, revision = rest.partition("@")
        return cls(checkpoint, revision or None)

    @property
    def name(self) -> str:
        """``hf:<hub id or folder>[@revision]``."""
        return f"hf:{self.checkpoint}" + (f"@{self.revision}" if self.revision else "")

    @property
    def title(self) -> str:
        """One line for people."""
        checkpoint = Path(self.checkpoint).name if checkpoints.is_folder(self.checkpoint) else self.checkpoint
        return f"{checkpoint}: learnt activations, the mean over time of every layer"

    @property
    def sampling_rate(self) -> int:
        """Hz."""
        return checkpoints.SAMPLING_RATE

    @property
    def batched(self) -> bool:
        """True."""
        return True

    def missing(self) -> str | None:
        """None if the checkpoint is on this machine and can be read, else one sentence; looks at local files only."""
        try:
            checkpoints.find(self.checkpoint, self.revision)
        except EncoderError as error:
            return str(error)
        return None

    def recipe(self) -> Recipe:
        """Everything that changes the numbers, the digests of the checkpoint's files included.

        Raises
        ------
        EncoderError
            If the checkpoint is not on this machine or cannot be used, with the sentence of `missing`.
        """
        found = checkpoints.find(self.checkpoint, self.revision)
        return {
            "name": self.name,
            "checkpoint": self.checkpoint,
            "revision": self.revision,
            "files": list(found.digests()),
            "dtype": self.dtype,
            "pooling": "mean",
            "family": found.family,
            "sampling_rate": checkpoints.SAMPLING_RATE,
            "dim": found.dim,
            "layers": [str(layer) for layer in range(found.blocks + 1)],
            "version": 1,
            "transformers": version("transformers"),
            "torch": version("torch"),
        }

    def fetch(self) -> None:
        """Download the checkpoint from the hub unless it is on this machine; a folder is left as it is.

        Raises
        ------
        EncoderError
            If the hub cannot be reached, or has no such checkpoint.
        """
        if not checkpoints.is_folder(self.checkpoint) and self.missing() is not None:
            checkpoints.fetch(self.checkpoint, self.revision)

    def encode(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Mean over time of every layer, for each clip; downloads the checkpoint first where the hub can be reached.

        Parameters
        ----------
        signals
            Mono float32 clips in [-1, 1] at 16 kHz. Padding costs least where they are of similar length.
        device
            ``auto`` (cuda, else mps, else cpu) or a name that torch knows.

        Returns
        -------
        Array of shape (n_clips, n_layers, dim).

        Raises
        ------
        EncoderError
            If the checkpoint is missing or cannot be used, or a clip is too short or holds samples that are not finite.
        MemoryError
            If the device is out of memory.
        """
        self.fetch()
        found = checkpoints.find(self.checkpoint, self.revision)
        vectors = np.empty((len(signals), found.blocks + 1, found.dim), np.float32)
        for signal in signals:
            if not (len(signal) and np.isfinite(signal).all()):
                raise ClipError("clip is empty or holds samples that are not finite, expected samples in [-1, 1]")
        if not len(signals):
            return vectors
        import torch

        pool = pooling.pool_windows if found.family == "whisper" else pooling.pool_clips
        device = _device(device)
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)  # float32 is to mean float32 on a GPU, too
        with _busy, torch.inference_mode(), exact, memory_errors():
            model = checkpoints.load(found, found.digests(), dtype=self.dtype, device=device)
            vectors[:] = pool(model, found, signals).cpu().numpy()
        return vectors


def _device(name: str) -> str:
    import torch

    available = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available, "cpu": lambda: True}
    if name == "auto":
        return next(kind for kind, there in available.items() if there())
    kind = name.partition(":")[0]
    if kind not in available or not available[kind]():
        raise EncoderError(f"device {name!r} is not available here, expected auto, cpu, cuda or mps")
    return name


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's way to say that memory is out into Python's."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except RuntimeError as error:
        if "out of memory" in str(error) or "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        raise
