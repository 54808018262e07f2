"""Convolutional networks over log-mel pictures, of P1, section 3.3."""

from itertools import pairwise, starmap
from typing import Final, NamedTuple

from torch import Tensor, nn

from ser_core.models.faster import Flatten


class Size(NamedTuple):
    """Channels of the convolutions, units of the hidden linear layers, and dropout after each of these."""

    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    dropout: float


SIZES: Final = {
    "cnn3": Size((16, 32, 64), (72,), 0.0),
    "cnn4": Size((16, 32, 64, 128), (208,), 0.0),
    "cnn5": Size((32, 64, 128, 256, 512), (912, 512), 0.2),
}
"""By name of the card.

P1's Table 2 gives channels, the number of linear layers and rounded counts of parameters (1.2, 1.8 and 9.5 million),
not the hidden widths: with these the counts come out. For 128 x 128 pictures and 8 classes they are 1,203,824,
1,803,448 and 9,513,560.
"""


def block(n_in: int, n_out: int) -> nn.Sequential:
    """Return 3 x 3 convolution, batch norm, 2 x 2 maximum, ReLU.

    P1 has ReLU before the maximum. The largest of four values and 0 is the same in either order, at a quarter of the
    work.
    """
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.MaxPool2d(2), nn.ReLU())


class Cnn(nn.Module):
    """Pictures (n, 1, rows, columns) → blocks, each halving both sides → linear layers → classes."""

    def __init__(self, size: Size, shape: tuple[int, int], n_classes: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*starmap(block, pairwise((1, *size.channels))))
        rows, columns = (side // 2 ** len(size.channels) for side in shape)
        dim = size.channels[-1] * rows * columns
        layers: list[nn.Module] = [Flatten()]
        for width in size.hidden:
            layers += [nn.Linear(dim, width), nn.ReLU(), nn.Dropout(size.dropout)]
            dim = width
        self.hidden = nn.Sequential(*layers)
        self.out = nn.Linear(dim, n_classes)

    def embed(self, pictures: Tensor) -> Tensor:
        """Return the last hidden layer, (n, width)."""
        return self.hidden(self.blocks(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits (n, n_classes)."""
        return self.out(self.embed(pictures))
