"""Mean over time of every layer of a loaded speech transformer, the same for a clip alone and in any batch.

The convolutions see one clip at a time, for the group norm of wav2vec 2.0's, HuBERT's and WavLM's base models looks
over the whole of its input, padding included; only their frames are padded, and masked in the transformer. Layers are
averaged as they appear, so that no more than one is held in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core.encoders.base import ClipError, Signal
from ser_core.encoders.checkpoints import SAMPLING_RATE, Checkpoint

if TYPE_CHECKING:
    import torch

WINDOWS = 8  # of Whisper's 30 s each, at once: about 100 MB a layer for the large model


def pool_clips(model: Any, found: Checkpoint, signals: Sequence[Signal]) -> "torch.Tensor":
    """Layer means of a model with convolutions on the waveform.

    Parameters
    ----------
    model, found
        A loaded model and its checkpoint.
    signals
        One or more mono clips in [-1, 1] at 16 kHz.

    Returns
    -------
    Tensor of shape (n_clips, n_layers, dim), float32.

    Raises
    ------
    ClipError
        If a clip is too short to fill one frame.
    """
    return pool_frames(model, frames(model, found, signals))


def frames(model: Any, found: Checkpoint, signals: Sequence[Signal]) -> "list[torch.Tensor]":
    """Return what the convolutions on the waveform make of clips, (n_frames, width) each, of every clip by itself.

    Parameters are those of `pool_clips`.

    Raises
    ------
    ClipError
        If a clip is too short to fill one frame.
    """
    for signal in signals:
        if len(signal) < found.shortest:
            expected = f"expected {found.shortest} or more"
            raise ClipError(f"clip too short for {found.family}: {len(signal)} samples, {expected}")
    return [model.feature_extractor(_input(signal, model, found)[None])[0].T for signal in signals]


def pool_frames(model: Any, frames: "Sequence[torch.Tensor]", *, layer: int | None = None) -> "torch.Tensor":
    """Return layer means of clips whose `frames` are known, (n_clips, n_layers, dim), or those of one layer alone.

    ``layer`` counts from 0, the input of the first block.
    """
    import torch

    lengths = torch.tensor([len(clip) for clip in frames], device=model.device)
    hidden = model.feature_projection(torch.nn.utils.rnn.pad_sequence(list(frames), batch_first=True))
    hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    mask = torch.arange(hidden.shape[1], device=model.device) < lengths[:, None]
    blocks = list(model.encoder.layers)
    first = blocks[0] if layer in (None, 0) else None
    after = blocks if layer is None else blocks[layer - 1 : layer] if layer else []
    with _averaged(first, after, mask / lengths[:, None]) as means, _silenced(model.encoder.pos_conv_embed, mask):
        model.encoder(hidden, attention_mask=None if mask.all() else mask)
    return torch.stack(means, 1)


def pool_windows(model: Any, found: Checkpoint, signals: Sequence[Signal]) -> "torch.Tensor":
    """Layer means of Whisper's encoder over the frames that hold the clip, in consecutive windows of 30 s.

    Parameters and return value are those of `pool_clips`; any clip of one sample or more will do.
    """
    import torch
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor.from_pretrained(found.folder, local_files_only=True)
    extractor.dither = 0.0  # a few checkpoints add noise, which would give other numbers each time
    size = extractor.n_samples
    windows = [(i, s[start : start + size]) for i, s in enumerate(signals) for start in range(0, len(s), size)]
    # A frame of the encoder is two of the spectrogram, by the stride of its second convolution.
    lengths = torch.tensor(
        [-(-len(window) // (2 * extractor.hop_length)) for _, window in windows], device=model.device
    )
    owners = torch.tensor([owner for owner, _ in windows], device=model.device)
    totals = torch.zeros(len(signals), dtype=lengths.dtype, device=model.device).index_add_(0, owners, lengths)
    weights = torch.arange(model.config.max_source_positions, device=model.device) < lengths[:, None]
    weights = weights / totals[owners, None]
    sums = []
    for start in range(0, len(windows), WINDOWS):
        some = slice(start, start + WINDOWS)
        # One by one: the spectrogram of a window then comes from the same arithmetic in any batch.
        spectra = [
            extractor(window, sampling_rate=SAMPLING_RATE, return_tensors="pt").input_features
            for _, window in windows[some]
        ]
        with _averaged(model.layers[0], [*model.layers[:-1], model.layer_norm], weights[some]) as means:
            model(torch.cat(spectra).to(model.device, model.dtype))
        sums.append(torch.stack(means, 1))
    parts = torch.cat(sums)
    return torch.zeros((len(signals), *parts.shape[1:]), device=model.device).index_add_(0, owners, parts)


def _input(signal: Signal, model: Any, found: Checkpoint) -> "torch.Tensor":
    """Waveform as the model wants it: of zero mean and unit variance by itself, 1e-7 as in transformers."""
    import torch

    signal = np.asarray(signal, np.float32)
    if found.normalize:
        signal = (signal - signal.mean()) / np.sqrt(signal.var() + 1e-7)
    return torch.tensor(signal).to(model.device, model.dtype)  # a copy: a clip may be read-only


@contextmanager
def _averaged(first: Any | None, layers: Sequence[Any], weights: "torch.Tensor") -> "Iterator[list[torch.Tensor]]":
    """Collect the weighted sums over time of the input of ``first`` and of the output of each layer, (n_clips, dim)."""
    import torch

    means: list[torch.Tensor] = []

    def add(hidden: Any) -> None:
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        with torch.autocast(hidden.device.type, enabled=False):
            means.append(torch.einsum("bt,btd->bd", weights, hidden.float()))

    hooks = [] if first is None else [first.register_forward_pre_hook(lambda _, args: add(args))]
    hooks += [layer.register_forward_hook(lambda _, args, output: add(output)) for layer in layers]
    try:
        yield means
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _silenced(positions: Any, mask: "torch.Tensor") -> Iterator[None]:
    """Zero the padding between the steps of a positional convolution, as the edge of a clip alone is zero there.

    transformers zeroes it before the first step only, but data2vec has five convolutions in a row and some HuBERT
    models a batch norm in front.
    """
    steps = [*getattr(positions, "layers", ()), *filter(None, [getattr(positions, "batch_norm", None)])]
    hooks = [step.register_forward_hook(lambda _, args, output: output * mask[:, None]) for step in steps]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
