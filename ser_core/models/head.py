"""What stands on a pretrained encoder: from the mean over time of its layers to the emotions."""

from typing import Final

import torch
from torch import Tensor, nn

HIDDEN: Final = 256
"""Units of the layer between (P1, sections 3.5.1 and 3.5.2)."""


class Head(nn.Module):
    """Layer means (n, n_layers x dim) of an encoder → classes, as the paper of a card's name has it.

    ``partial``: one linear layer (P0, section 3.4.3). ``head``: two, with nothing between (transformers' own
    classifier, P1, Table 6). ``last-layers`` (P1, Table 7) and ``lora``: dropout 0.1, 256, ReLU, dropout 0.2. Of
    several layers the mean is taken first, weighted by a softmax of what is learnt (S.-w. Yang et al. 2021, SUPERB); it
    begins as the plain mean.

    Parameters, for d values and E classes: (d + 1) E, and 256 (d + 1) + 257 E of the others; one a layer where several
    are weighted.
    """

    def __init__(self, kind: str, dim: int, n_classes: int, *, n_layers: int = 1) -> None:
        super().__init__()
        self.n_layers = n_layers
        if n_layers > 1:
            self.weights = nn.Parameter(torch.zeros(n_layers))
        width = dim // n_layers
        between: dict[str, list[nn.Module]] = {
            "partial": [],
            "head": [nn.Linear(width, HIDDEN)],
        }
        usual = [nn.Dropout(0.1), nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(0.2)]
        self.hidden = nn.Sequential(*between.get(kind, usual))
        self.out = nn.Linear(HIDDEN if len(self.hidden) else width, n_classes)

    def embed(self, vectors: Tensor) -> Tensor:
        """Return what the last layer is given, (n, 256), or (n, dim) where there is one only."""
        if self.n_layers > 1:
            layers = vectors.unflatten(1, (self.n_layers, -1))
            vectors = torch.einsum("l,nld->nd", self.weights.softmax(0), layers)
        return self.hidden(vectors)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits (n, n_classes)."""
        return self.out(self.embed(vectors))
