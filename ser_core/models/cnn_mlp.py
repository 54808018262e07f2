"""Convolutional network beside a perceptron, of P1, section 3.4 (Table 5)."""

import torch
from torch import Tensor, nn

from ser_core.models.faster import Flatten


class CnnMlp(nn.Module):
    """An MFCC picture (n, 1, rows, columns) and a vector (n, dim) of the same clip, joined → 128 → 64 → classes.

    The table names the picture's sides H and W without their values; rows x columns here are 40 x 64. The picture's
    128 x rows/2 x columns values go into the first joined layer unpooled: of 21 million parameters, 20,979,840 are
    that layer's.
    """

    def __init__(self, dim: int, shape: tuple[int, int], n_classes: int) -> None:
        super().__init__()
        rows, columns = shape
        self.image = nn.Sequential(
            *(nn.Conv2d(1, 64, 3, padding=1), nn.BatchNorm2d(64), nn.MaxPool2d((2, 1)), nn.ReLU()),  # as in cnn.block
            *(nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(), Flatten()),
        )
        self.scalars = nn.Sequential(
            *(nn.Linear(dim, 128), nn.ReLU(), nn.BatchNorm1d(128), nn.Dropout(0.3)),
            *(nn.Linear(128, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Dropout(0.3)),
        )
        self.hidden = nn.Sequential(
            *(nn.Linear(128 * (rows // 2) * columns + 64, 128), nn.ReLU(), nn.Dropout(0.3)),
            *(nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.3)),
        )
        self.out = nn.Linear(64, n_classes)

    def embed(self, pictures: Tensor, vectors: Tensor) -> Tensor:
        """Return the last hidden layer, (n, 64)."""
        return self.hidden(torch.cat([self.image(pictures), self.scalars(vectors)], dim=1))

    def forward(self, pictures: Tensor, vectors: Tensor) -> Tensor:
        """Return logits (n, n_classes)."""
        return self.out(self.embed(pictures, vectors))
