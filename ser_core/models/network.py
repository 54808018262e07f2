"""A trained network: weights, the scaling of its inputs, and its classes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ser_core.errors import SerError
from ser_core.models.cards import CARDS, Card
from ser_core.models.cnn import SIZES, Cnn
from ser_core.models.cnn_mlp import CnnMlp
from ser_core.models.cnn_transformer import CnnTransformer
from ser_core.models.head import Head
from ser_core.models.inputs import Inputs, Scaling
from ser_core.models.mlp import Mlp

Module = TypeVar("Module", bound=nn.Module)
CLIPS_AT_ONCE: Final = 128
WEIGHTS: Final = "module.weights"
"""Among the arrays of a network that weighs the layers it is given: one a layer."""


class NetworkError(SerError, ValueError):
    """A device, weights or inputs that a network cannot work with; the message says which."""


def build(
    card: Card, *, dim: int | None, shape: tuple[int, int] | None, n_classes: int, n_layers: int = 1
) -> nn.Module:
    """Return an untrained network, its weights drawn from torch's generator.

    Parameters
    ----------
    dim
        Values of a vector, None where the network takes none.
    shape
        Rows and columns of a picture, None where the network takes none.
    n_layers
        How many layers of an encoder lie one after the other in a vector.

    Raises
    ------
    NetworkError
        If the card is of no network, or of one that takes other inputs.
    """
    if card.training is None:
        raise NetworkError(f"{card.name} is no network")
    if (dim is None) != (card.vectors is None) or (shape is None) != (card.picture is None):
        raise NetworkError(f"{card.name} takes {_needs(card)}; got vectors of {dim} values, pictures of {shape}")
    if dim is None and shape is not None:
        if card.name in SIZES:
            return Cnn(SIZES[card.name], shape, n_classes)
        return CnnTransformer(shape, n_classes)
    assert dim is not None
    if card.weighs:
        return Head(card.name, dim, n_classes, n_layers=n_layers)
    return Mlp(dim, n_classes) if shape is None else CnnMlp(dim, shape, n_classes)


def sizes(inputs: Inputs) -> tuple[int | None, tuple[int, int] | None]:
    """Return ``dim`` and ``shape``, as `build` takes them, of the inputs that there are."""
    dim = None if inputs.vectors is None else inputs.vectors.shape[1]
    return dim, None if inputs.pictures is None else (inputs.pictures.shape[2], inputs.pictures.shape[3])


def n_parameters(module: nn.Module) -> int:
    """Return the number of weights that are learnt."""
    return sum(one.numel() for one in module.parameters())


def place(name: str) -> torch.device:
    """Return a device by its name; ``auto`` is the graphics card where there is one, else the processor.

    Raises
    ------
    NetworkError
        If it is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in {"cpu", "cuda"} or (name == "cuda" and not torch.cuda.is_available()):
        raise NetworkError(f"device {name!r} is not available here, expected auto, cpu or cuda")
    return torch.device(name)


def settle(module: Module, device: torch.device | str) -> Module:
    """Move a module to a device, the weights of its convolutions channel beside channel."""
    return module.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def tensors(card: Card, inputs: Inputs, *, copies: int | None = 1) -> tuple[Tensor, ...]:
    """Return what a network is called with: pictures (n x copies, 1, rows, columns) and vectors (n x copies, dim).

    The copies of a clip, the first ``copies`` of them or all (None), follow each other, each with the clip's vector.
    """
    found, n_copies = [], 1
    if card.picture is not None and inputs.pictures is not None:
        pictures = inputs.pictures[:, :copies]
        n_copies = pictures.shape[1]
        flat = torch.from_numpy(np.ascontiguousarray(pictures).reshape(-1, 1, *pictures.shape[2:]))
        found.append(flat.contiguous(memory_format=torch.channels_last))
    if card.vectors is not None and inputs.vectors is not None:
        found.append(torch.from_numpy(inputs.vectors).repeat_interleave(n_copies, dim=0))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Network:
    """A fitted network: what `build` needs to make it again, its weights and the scaling of its inputs.

    ``dim`` are the values of a vector and ``shape`` the sides of a picture, None for what it does not take.
    """

    card_name: str
    module: nn.Module
    scaling: Scaling
    classes: tuple[str, ...]
    dim: int | None
    shape: tuple[int, int] | None

    @property
    def n_parameters(self) -> int:
        """Return the number of weights that are learnt."""
        return n_parameters(self.module)

    def probabilities(self, inputs: Inputs, *, device: str = "auto") -> NDArray[np.float64]:
        """Return the probability of each class for n clips (the clean copy of each): (n, E), rows sum to 1.

        Computed in float32 whatever it was trained in, so that it is the same on every machine but for rounding.

        Raises
        ------
        NetworkError
            If the clips have not the inputs that it was trained on.
        """
        return torch.cat([part.double().softmax(dim=1) for part in self._called("forward", inputs, device)]).numpy()

    def predicted(self, inputs: Inputs, *, device: str = "auto") -> NDArray[np.intp]:
        """Return the number of the most probable class, (n,)."""
        return self.probabilities(inputs, device=device).argmax(axis=1)

    def hidden(self, inputs: Inputs, *, device: str = "auto") -> NDArray[np.float32]:
        """Return what the last layer is given for n clips: (n, d)."""
        return torch.cat(list(self._called("embed", inputs, device))).numpy()

    def _called(self, method: str, inputs: Inputs, device: str) -> Iterator[Tensor]:
        dim, shape = sizes(inputs)
        if (dim, shape) != (self.dim, self.shape):
            raise NetworkError(
                f"this {self.card_name} was trained on vectors of {self.dim} values and pictures of {self.shape}; "
                f"got {dim} and {shape}"
            )
        where = place(device)
        module = self.module.eval().to(where)
        with torch.inference_mode():
            for start in range(0, len(inputs), CLIPS_AT_ONCE):
                some = self.scaling.apply(inputs.take(np.arange(start, min(start + CLIPS_AT_ONCE, len(inputs)))))
                parts = tensors(CARDS[self.card_name], some)
                yield getattr(module, method)(*(part.to(where) for part in parts)).cpu()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs beside the name of the card and the classes."""
        weights = {f"module.{name}": one.cpu().contiguous().numpy() for name, one in self.module.state_dict().items()}
        scaling = {f"scaling.{name}": array for name, array in self.scaling.arrays().items()}
        rows, columns = self.shape or (0, 0)
        return weights | scaling | {"sizes": np.array([self.dim or 0, rows, columns])}

    @classmethod
    def of(cls, card_name: str, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]) -> "Network":
        """Return the network that had these `arrays`.

        Raises
        ------
        NetworkError
            If they are those of another network.
        """
        try:
            dim, rows, columns = map(int, arrays["sizes"])
            found = {"dim": dim or None, "shape": (rows, columns) if rows else None}
            n_layers = len(arrays.get(WEIGHTS, [0]))
            module = build(CARDS[card_name], n_classes=len(classes), n_layers=n_layers, **found)
            module.load_state_dict({name: torch.tensor(one) for name, one in _part(arrays, "module.")})
            scaling = Scaling.of(dict(_part(arrays, "scaling.")))
        except (KeyError, RuntimeError, ValueError) as error:
            raise NetworkError(f"these are not the weights of a {card_name} of {len(classes)} classes") from error
        return cls(card_name, settle(module, "cpu").eval(), scaling, classes, **found)


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Iterator[tuple[str, NDArray[Any]]]:
    return ((name.removeprefix(prefix), one) for name, one in arrays.items() if name.startswith(prefix))


def _needs(card: Card) -> str:
    words = {"vectors": card.vectors, "pictures": card.picture}
    return " and ".join(word for word, encoder in words.items() if encoder)
