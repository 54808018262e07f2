"""Greedy pretraining of convolutions, layer by layer, as autoencoders (P1, section 3.3, "Greedy Layer-wise")."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from ser_core.models.cnn import Cnn
from ser_core.models.network import settle

EPOCHS: Final = 50
"""Of each layer."""
RATE: Final = 1e-3


def pretrain(
    network: Cnn,
    pictures: Tensor,
    *,
    batch_size: int,
    autocast: Callable[[], torch.autocast],
    progress: Callable[[int, int], None],
    epochs: int = EPOCHS,
) -> None:
    """Train each convolution, followed by ReLU, so that a transposed convolution makes its input again from it.

    Adam, mean squared error. A layer is given what the layers below, no longer changed, make of the training pictures
    (n, 1, rows, columns); the transposed convolutions are thrown away. What P1 leaves open: the ReLU, and that batch
    norm and pooling between two layers work as they do in training. Random numbers come from torch's generator.

    Parameters
    ----------
    progress
        Called with epochs done and their number, over all layers.
    """
    x, total = pictures, epochs * len(network.blocks)
    for number, one in enumerate(network.blocks):
        assert isinstance(one, nn.Sequential)
        convolution = one[0]
        assert isinstance(convolution, nn.Conv2d)
        back = nn.ConvTranspose2d(convolution.out_channels, convolution.in_channels, 3, padding=1)
        back = settle(back, x.device)
        optimiser = torch.optim.Adam([*convolution.parameters(), *back.parameters()], RATE, fused=True)
        for epoch in range(epochs):
            for rows in torch.randperm(len(x)).split(batch_size):
                part = x[rows]
                with autocast():
                    again = back(convolution(part).relu())
                optimiser.zero_grad()
                nn.functional.mse_loss(again.float(), part).backward()
                optimiser.step()
            progress(number * epochs + epoch + 1, total)
        with torch.no_grad():
            x = torch.cat([one(part) for part in x.split(batch_size)])
