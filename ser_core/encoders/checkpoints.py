"""Pretrained checkpoints: find one on this machine or fetch it, say what it is, load it without running its code."""

import functools
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core.encoders import kernels
from ser_core.encoders.base import EncoderError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SAMPLING_RATE = 16_000  # Hz, of all families
CONFIG = "config.json"
SCALING = ("preprocessor_config.json", "processor_config.json")  # one of them is needed
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")  # the first kind that is there is used
FAMILIES = {
    "wav2vec2": "Wav2Vec2Model",
    "hubert": "HubertModel",
    "wavlm": "WavLMModel",
    "data2vec-audio": "Data2VecAudioModel",
    "whisper": "WhisperModel",
}
"""Class in transformers of each ``model_type``; of Whisper, only the encoder is loaded."""
KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
"""Of the convolutions on the waveform where a configuration does not say (transformers' own default)."""
HARMLESS = {"masked_spec_embed"}  # stands in for masked frames in training, never read here


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes
    ----------
    folder
        Where it lies.
    paths
        The files that it is read from, weights last.
    family
        A key of `FAMILIES`.
    dim, blocks
        Width of the encoder and number of its transformer blocks.
    normalize
        Whether it wants clips of zero mean and unit variance.
    convolutions
        Kernel and stride of each convolution on the waveform, in samples; none of Whisper.
    """

    folder: Path
    paths: tuple[Path, ...]
    family: str
    dim: int
    blocks: int
    normalize: bool
    convolutions: tuple[tuple[int, int], ...] = ()

    @property
    def shortest(self) -> int:
        """Samples of the shortest clip that fills one frame; 1 where there are no convolutions on the waveform."""
        length = 1
        for kernel, stride in reversed(self.convolutions):
            length = (length - 1) * stride + kernel
        return length

    def digests(self) -> tuple[str, ...]:
        """Name and SHA-256 of each file; a file is read again only when its size or time of change differ."""
        stats = [(path, path.stat()) for path in self.paths]
        return tuple(f"{path.name} {_sha256(path, stat.st_size, stat.st_mtime_ns)}" for path, stat in stats)


def is_folder(checkpoint: str) -> bool:
    """Whether a checkpoint names a folder (``/…``, ``./…``, ``~/…``) and not a repository on the hub."""
    return checkpoint.startswith(("/", ".", "~")) or Path(checkpoint).is_absolute()


def find(checkpoint: str, revision: str | None) -> Checkpoint:
    """Describe a folder, or a hub checkpoint in the local cache; reads small local files only.

    Raises
    ------
    EncoderError
        If something is missing, with what to do about it, or if the checkpoint is of no known family.
    """
    if is_folder(checkpoint):
        folder = Path(checkpoint).expanduser()
        return _describe(folder, advice=f"expected {folder} to be a folder written by transformers' save_pretrained")
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(checkpoint, CONFIG, revision=revision)
    if not isinstance(config, str):
        raise EncoderError(_advice(checkpoint, revision))
    return _describe(Path(config).parent, advice=_advice(checkpoint, revision))


def fetch(checkpoint: str, revision: str | None) -> None:
    """Download a checkpoint from the hub into the local cache.

    Raises
    ------
    EncoderError
        If the hub cannot be reached, or has no such checkpoint.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RevisionResolutionError

    for weights in WEIGHTS:
        wanted = [CONFIG, *SCALING, weights, f"{weights}.index.json"]
        try:
            folder = snapshot_download(checkpoint, revision=revision, allow_patterns=wanted)
        except (OSError, RevisionResolutionError) as error:
            raise EncoderError(f"{_advice(checkpoint, revision)} ({_first_line(error)})") from error
        if any(Path(folder).glob(weights)):
            return


@functools.lru_cache(maxsize=1)
def load(found: Checkpoint, digests: tuple[str, ...], *, dtype: str, device: str) -> "PreTrainedModel":
    """Load an encoder in evaluation mode onto a device; the last one is kept for the next call.

    Parameters
    ----------
    found, digests
        The checkpoint and its `Checkpoint.digests`, so that a changed file is loaded anew.
    dtype
        ``float32``, ``float16`` or ``bfloat16``.
    device
        A name that torch knows.

    Raises
    ------
    EncoderError
        If the weights cannot be read as plain tensors, or some of the encoder's are not among them.
    """
    model = load_anew(found, dtype=dtype, device=device)
    if device == "cpu" and dtype == "float32":
        kernels.quicken(model)
    return model


def load_anew(found: Checkpoint, *, dtype: str = "float32", device: str = "cpu") -> "PreTrainedModel":
    """Load an encoder in evaluation mode, of one's own: it may be trained (parameters and errors as of `load`)."""
    model, report = _from_pretrained(found, dtype=dtype)
    absent = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])} - HARMLESS)
    if absent:
        raise EncoderError(f"{found.paths[-1]} lacks {len(absent)} weights of the encoder, {absent[0]} for one")
    model = model.eval().to(device)
    if found.family == "wavlm":
        kernels.fuse_attention(model)
    return model


def _from_pretrained(found: Checkpoint, *, dtype: str) -> tuple[Any, dict[str, Any]]:
    import pickle

    import torch
    from safetensors import SafetensorError

    # The class is chosen here, so no code that a checkpoint brings along is ever asked for; heads and Whisper's
    # decoder are left out knowingly. A .bin is read as tensors, never as objects.
    options: dict[str, Any] = {
        "dtype": getattr(torch, dtype),
        "local_files_only": True,
        "trust_remote_code": False,
        "weights_only": True,
        "use_safetensors": found.paths[-1].suffix == ".safetensors",
        "output_loading_info": True,
    }
    if found.family == "whisper":
        options["key_mapping"] = {r"^(model\.)?encoder\.": ""}
    try:
        with _quiet():
            return _class(found.family).from_pretrained(found.folder, **options)
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, RuntimeError, LookupError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise EncoderError(f"{found.paths[-1]} cannot be loaded: {_first_line(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing progress bars and from listing the weights that are left out."""
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _class(family: str) -> Any:
    import transformers
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    return WhisperEncoder if family == "whisper" else getattr(transformers, FAMILIES[family])


def _advice(checkpoint: str, revision: str | None) -> str:
    name = f"hf:{checkpoint}" + (f"@{revision}" if revision else "")
    return (
        f"{checkpoint} is not on this machine: run `ser models fetch {name}` while online, "
        "or copy it here and name its folder (hf:/path/to/folder)"
    )


def _describe(folder: Path, *, advice: str) -> Checkpoint:
    weights = next((paths for kind in WEIGHTS if (paths := sorted(folder.glob(kind)))), [])
    scaling = [folder / name for name in SCALING if (folder / name).is_file()]
    parts = {CONFIG: (folder / CONFIG).is_file(), SCALING[0]: scaling, " or ".join(WEIGHTS): weights}
    absent = [part for part, present in parts.items() if not present]
    if absent:
        raise EncoderError(f"{advice} (no {absent[0]})")
    config, extractor = _read_json(folder / CONFIG), _read_json(scaling[0])
    extractor = extractor.get("feature_extractor", extractor)
    family = config.get("model_type")
    if family not in FAMILIES:
        raise EncoderError(f"{folder / CONFIG} has model_type {family!r}, expected one of {', '.join(FAMILIES)}")
    if (rate := extractor.get("sampling_rate", SAMPLING_RATE)) != SAMPLING_RATE:
        raise EncoderError(f"{scaling[0]} has sampling_rate {rate!r}, expected {SAMPLING_RATE} Hz")
    sizes = ("d_model", "encoder_layers") if family == "whisper" else ("hidden_size", "num_hidden_layers")
    dim, blocks = (config.get(size) for size in sizes)
    if not (isinstance(dim, int) and isinstance(blocks, int) and min(dim, blocks) > 0):
        raise EncoderError(f"{folder / CONFIG} lacks whole numbers above 0 for {' and '.join(sizes)}")
    paths = (folder / CONFIG, scaling[0], *weights)
    convolutions = () if family == "whisper" else _convolutions(config, folder / CONFIG)
    return Checkpoint(folder, paths, family, dim, blocks, bool(extractor.get("do_normalize", True)), convolutions)


def _convolutions(config: dict[str, Any], path: Path) -> tuple[tuple[int, int], ...]:
    kernels, strides = config.get("conv_kernel", KERNELS), config.get("conv_stride", STRIDES)
    try:
        return tuple((int(kernel), int(stride)) for kernel, stride in zip(kernels, strides, strict=True))
    except (TypeError, ValueError) as error:
        raise EncoderError(f"{path} lacks as many conv_stride as conv_kernel, whole numbers both") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path} cannot be read: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise EncoderError(f"{path} does not hold a JSON object")
    return content


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
