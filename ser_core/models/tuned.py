"""A pretrained speech encoder of which a part was trained further, under a head that names emotions."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ser_core.encoders import pooling
from ser_core.encoders.base import Signal
from ser_core.encoders.checkpoints import Checkpoint, load_anew
from ser_core.models.cards import CARDS, Tuning
from ser_core.models.head import Head
from ser_core.models.inputs import Inputs
from ser_core.models.network import NetworkError, place
from ser_core.models.unfinished import learnt

LINEAR: Final = ("intermediate_dense", "output_dense")
"""Linear layers that LoRA adds to. Not those of the attention, whose weights WavLM reads past any such addition."""
SCALE: Final = 2
"""What LoRA adds is multiplied by it (``lora_alpha`` / rank)."""
DROPOUT: Final = 0.1
FRAMES_AT_ONCE: Final = 3_000
"""Frames in one batch that is only asked, padding included: a minute of sound."""
LORA: Final = "lora_dropout"


class TunedModule(nn.Module):
    """An encoder, what of it learns, and a head on the mean over time of one of its layers, or of all.

    Parameters
    ----------
    encoder
        Loaded by `checkpoints.load_anew`; changed in place.
    kind
        Name of the card, by which the head is built.
    tuning
        What of the encoder learns; None: nothing.
    layer
        Which layer the head is given, 0 being the input of the first block; None: all, weighted.
    """

    def __init__(self, encoder: Any, kind: str, *, tuning: Tuning | None, layer: int | None, n_classes: int) -> None:
        super().__init__()
        config = encoder.config
        n_layers = config.num_hidden_layers + 1
        config.layerdrop = 0.0  # blocks left out at random would be missing among the layers
        self.layer, self.encoder = layer, encoder
        self.head = Head(
            kind,
            config.hidden_size * (n_layers if layer is None else 1),
            n_classes,
            n_layers=n_layers if layer is None else 1,
        )
        self._drops = unfreeze(encoder, tuning)

    def train(self, mode: bool = True) -> "TunedModule":  # noqa: FBT001, FBT002  torch's own signature
        """Let dropout happen in the head and where the encoder learns; what is frozen stays as it is when asked."""
        super().train(mode)
        if mode:
            self.encoder.eval()
            for part in self._drops:
                part.train()
        return self

    def checkpointed(self) -> None:
        """Forget what happens within a block, and compute it again on the way back: less memory, a third more work."""
        for block in self.encoder.encoder.layers:
            block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)

    def forward(self, frames: Sequence[Tensor]) -> Tensor:
        """Return logits (n, n_classes) of clips whose frames (`pooling.frames`) are given."""
        return self.head(pooling.pool_frames(self.encoder, frames, layer=self.layer).flatten(1))


def unfreeze(encoder: Any, tuning: Tuning | None) -> list[nn.Module]:
    """Freeze an encoder but for what learns; return the parts in which values are dropped while it does.

    Raises
    ------
    NetworkError
        If it has fewer blocks than are to learn, or ``peft`` is not installed where it is needed.
    """
    encoder.requires_grad_(requires_grad=False)
    blocks = list(encoder.encoder.layers)
    if tuning is None:
        return []
    if tuning.learns == "lora":
        _add_differences(encoder, tuning.rank)
        return [part for name, part in encoder.named_modules() if name.endswith(LORA)]
    if tuning.learns == "last" and not 1 <= tuning.blocks <= len(blocks):
        raise NetworkError(f"{tuning.blocks} blocks are to learn, and the encoder has {len(blocks)}")
    everything = [encoder.feature_projection, encoder.encoder]
    parts = everything if tuning.learns == "transformer" else blocks[-tuning.blocks :]
    for part in parts:
        part.requires_grad_(requires_grad=True)
    return parts


def _add_differences(encoder: Any, rank: int) -> None:
    try:
        import peft
    except ImportError as error:
        raise NetworkError("LoRA needs the package peft: `pip install 'ser-atlas[lora]'`") from error
    config = peft.LoraConfig(
        r=rank, lora_alpha=SCALE * rank, lora_dropout=DROPOUT, target_modules=list(LINEAR), init_lora_weights=True
    )
    peft.inject_adapter_in_model(config, encoder)


def parts(n_frames: Sequence[int], most: int) -> Iterator[NDArray[np.intp]]:
    """Cut clips into batches of similar length, the longest first, of at most so many frames with padding."""
    order = np.argsort(-np.asarray(n_frames), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, most // max(1, n_frames[order[start]]))
        yield order[start : start + size]
        start += size


@dataclass(frozen=True, eq=False)
class Tuned:
    """A fitted encoder and its head: the module, the checkpoint it comes from, and its classes."""

    card_name: str
    module: TunedModule
    found: Checkpoint
    classes: tuple[str, ...]

    @property
    def n_parameters(self) -> int:
        """Return the number of weights that are learnt."""
        return sum(one.numel() for one in self.module.parameters() if one.requires_grad)

    def probabilities(self, inputs: Inputs, *, device: str = "auto") -> NDArray[np.float64]:
        """Return the probability of each class for n clips: (n, E), rows sum to 1; computed in float32.

        Raises
        ------
        NetworkError
            If the clips come without their sound.
        ClipError
            If one is too short.
        """
        if inputs.signals is None:
            raise NetworkError(f"this {self.card_name} is given the sound of clips, and got none")
        out = np.empty((len(inputs), len(self.classes)))
        for rows, logits in self._asked(self.module, inputs.signals, device):
            out[rows] = logits.double().softmax(dim=1).numpy()
        return out

    def predicted(self, inputs: Inputs, *, device: str = "auto") -> NDArray[np.intp]:
        """Return the number of the most probable class, (n,)."""
        return self.probabilities(inputs, device=device).argmax(axis=1)

    def layers(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Return the mean over time of every layer for n clips: (n, n_layers, dim).

        Raises
        ------
        ClipError
            If one is too short.
        """
        config = self.module.encoder.config
        out = np.empty((len(signals), config.num_hidden_layers + 1, config.hidden_size), np.float32)
        for rows, means in self._asked(functools.partial(pooling.pool_frames, self.module.encoder), signals, device):
            out[rows] = means.numpy()
        return out

    def _asked(
        self, what: Callable[[list[Tensor]], Tensor], signals: Sequence[Signal], device: str
    ) -> Iterator[tuple[NDArray[np.intp], Tensor]]:
        module = self.module.eval().to(place(device))
        hop = int(np.prod(module.encoder.config.conv_stride))
        for rows in parts([len(signal) // hop for signal in signals], FRAMES_AT_ONCE):
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                frames = pooling.frames(module.encoder, self.found, [signals[row] for row in rows])
                answer = what(frames).cpu()
            yield rows, answer

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what has learnt: all that `of` needs beside the checkpoint, the card's name and the classes."""
        weights = {name: one.detach().cpu().contiguous().numpy() for name, one in learnt(self.module).items()}
        layer = -1 if self.module.layer is None else self.module.layer
        return weights | {"layer": np.array([layer, self._blocks])}

    @property
    def _blocks(self) -> int:
        """How many blocks learn, which a plan may change."""
        blocks = self.module.encoder.encoder.layers
        return sum(any(one.requires_grad for one in block.parameters()) for block in blocks)

    @classmethod
    def of(
        cls, card_name: str, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...], *, found: Checkpoint
    ) -> "Tuned":
        """Return the model that had these `arrays`.

        Raises
        ------
        NetworkError
            If they are those of another one.
        EncoderError
            If the checkpoint cannot be loaded.
        """
        tuning, encoder = CARDS[card_name].tuning, load_anew(found)
        try:
            layer, blocks = map(int, arrays["layer"])
            if tuning is not None and tuning.learns == "last":
                tuning = replace(tuning, blocks=blocks)
            how: dict[str, Any] = {"layer": None if layer < 0 else layer, "n_classes": len(classes)}
            module = TunedModule(encoder, card_name, tuning=tuning, **how)
            weights = {name: torch.tensor(one) for name, one in arrays.items() if name != "layer"}
            if weights.keys() != learnt(module).keys():
                raise KeyError("weights of another model")
            module.load_state_dict(weights, strict=False)
        except (KeyError, RuntimeError) as error:
            raise NetworkError(f"these are not the weights of a {card_name} of {len(classes)} classes") from error
        return cls(card_name, module.eval(), found, classes)
