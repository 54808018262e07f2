"""A corpus embedded once more: what a first encoder says of its clips, mixed anew, with more noise in every layer.

Not a test.
"""

import numpy as np

from ser_core import catalogue, embeddings
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings


def opened(cache: Cache, corpus: str, encoder: str) -> Embeddings:
    """Return the embeddings of a corpus under an encoder."""
    located = catalogue.get(cache, corpus)
    return embeddings.load(located, embeddings.find_store([located], encoder, cache=cache), cache=cache)


def add(
    cache: Cache, corpus: str, encoder: str, *, n: int | None = None, name: str = "mixed", dim: int = 5, depth: int = 3
) -> None:
    """Embed the first ``n`` clips of a corpus under another name: ``depth`` layers of ``dim`` values."""
    found = opened(cache, corpus, encoder)
    random = np.random.default_rng(6)
    x = found.layer(0) @ random.normal(size=(found.vectors.shape[2], dim))
    layers = [x + 0.7 * noise * x.std() * random.normal(size=x.shape) for noise in range(depth)]
    vectors = np.stack(layers, axis=1).astype(np.float32)
    recipe = {"name": name, "dim": dim, "layers": [f"depth {k}" for k in range(depth)], "sampling_rate": 16_000}
    cache.vectors(recipe).write(dict(zip(found.digests[:n], vectors[:n], strict=True)), {})
