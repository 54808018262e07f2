"""Undercomplete and denoising autoencoders: many values squeezed through two, and drawn again (P4).

P4 is Das, S., Lønfeldt, N. N., Pagsberg, A. K. & Clemmensen, L. H. (2022), Towards interpretable and transferable
speech emotion recognition. It gives the ends (88 values, 2 latents), full connections, the mean squared error, Adam at
0.001, batches of 64 and 50 epochs. The layers between are in a figure without numbers: `HIDDEN` is ours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ser_core.models.training import TrainingError, adam, repeatable, seed_of

Floats = NDArray[np.float64]
LATENTS: Final = 2
HIDDEN: Final = (64,)
"""Sizes of the layers between the values and the latents, and back.

Of 64, 44-22, 64-32, 256-64 and 128-64-32, with ReLU and with tanh, the one with the fewest weights and the least error
on unseen speakers of RAVDESS (eGeMAPS: 0.50; the plane of PCA 0.52), and of EmoDB but for 256-64 (0.57; PCA 0.60).
"""


@dataclass(frozen=True)
class AutoencoderTraining:
    """How it is trained: all that changes its numbers, beside the clips and the seed.

    ``noise`` is the standard deviation of what is added to every standardised value, drawn anew at each step: 0 for the
    undercomplete, 1 for the denoising autoencoder.
    """

    noise: float
    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 1e-3


class Autoencoder(nn.Module):
    """Values (n, dim) → `HIDDEN` → 2 latents → `HIDDEN` → values, fully connected, ReLU between the layers."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        sizes = (dim, *HIDDEN, LATENTS)
        self.encoder, self.decoder = _layers(sizes), _layers(sizes[::-1])

    def forward(self, values: Tensor) -> Tensor:
        """Return the values drawn again, (n, dim)."""
        return self.decoder(self.encoder(values))


def fit(x: Floats, *, training: AutoencoderTraining, seed: int) -> tuple[Autoencoder, list[float]]:
    """Train an autoencoder on standardised vectors; return it and the mean squared error of each epoch.

    The error is that of the epoch, while it learns. The same seed gives the same numbers; torch's own random numbers
    are left as they were.

    Parameters
    ----------
    x
        Shape (n, dim).

    Raises
    ------
    TrainingError
        If there is no vector, or the error is no longer a number.
    """
    if not len(x):
        raise TrainingError("an autoencoder needs one clip or more to be trained on, got none")
    values = torch.from_numpy(np.asarray(x, np.float32))
    errors = []
    with repeatable("cpu", 1):
        torch.manual_seed(seed_of(seed, 0))
        module = Autoencoder(x.shape[1])
        optimiser = adam(module, training.learning_rate)
        for epoch in range(1, training.epochs + 1):
            torch.manual_seed(seed_of(seed, epoch))
            total = 0.0
            for rows in torch.randperm(len(values)).split(training.batch_size):
                true = values[rows]
                given = true + training.noise * torch.randn_like(true) if training.noise else true
                loss = mse_loss(module(given), true)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total += loss.item() * len(rows)
            errors.append(total / len(values))
    if not np.isfinite(errors[-1]):
        raise TrainingError("the error of the autoencoder is no longer a number: try another seed, or fewer epochs")
    return module.eval(), errors


def arrays(module: Autoencoder) -> dict[str, NDArray[np.float32]]:
    """Return the weights, all that `of` needs."""
    return {name: one.detach().numpy() for name, one in module.state_dict().items()}


def of(weights: Mapping[str, NDArray[Any]]) -> Autoencoder:
    """Return the autoencoder that had these `arrays`."""
    module = Autoencoder(weights["encoder.0.weight"].shape[1])
    module.load_state_dict({name: torch.tensor(one) for name, one in weights.items()})
    return module.eval()


def latents(module: Autoencoder, x: Floats) -> Floats:
    """Return the latents of standardised vectors, (n, 2)."""
    return _called(module.encoder, x)


def drawn(module: Autoencoder, x: Floats) -> Floats:
    """Return standardised vectors drawn again, same shape."""
    return _called(module, x)


def _called(module: nn.Module, x: Floats) -> Floats:
    with torch.inference_mode():
        return module(torch.from_numpy(np.asarray(x, np.float32))).double().numpy()


def _layers(sizes: Iterable[int]) -> nn.Sequential:
    steps = [step for n_in, n_out in pairwise(sizes) for step in (nn.Linear(n_in, n_out), nn.ReLU())]
    return nn.Sequential(*steps[:-1])
