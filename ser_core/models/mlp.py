"""Multi-layer perceptron of P1, section 3.2."""

from typing import Final

from torch import Tensor, nn

WIDTHS: Final = ((256, 0.4), (128, 0.4), (64, 0.3))
"""Units and dropout of the hidden layers (P1, Table 1)."""


class Mlp(nn.Module):
    """Vectors of ``dim`` values → 256 → 128 → 64 → classes, in the order of P1's Table 1: linear, ReLU, batch norm.

    Parameters, for d values and E classes: 256 d + 42,304 + 65 E; the paper gives no count.
    """

    def __init__(self, dim: int, n_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, dropout in WIDTHS:
            layers += [nn.Linear(dim, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(dropout)]
            dim = width
        self.hidden = nn.Sequential(*layers)
        self.out = nn.Linear(dim, n_classes)

    def embed(self, vectors: Tensor) -> Tensor:
        """Return the last hidden layer, (n, 64), of vectors (n, dim)."""
        return self.hidden(vectors)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits (n, n_classes)."""
        return self.out(self.embed(vectors))
