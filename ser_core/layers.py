"""Two encoders layer by layer: how the emotions show in each layer, and which layers are alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ser_core import analyses, between, maps
from ser_core.analyses import AnalysisError
from ser_core.between import MOST, Pair
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings
from ser_core.geometry import projection, similarity
from ser_core.geometry.clustered import Estimate
from ser_core.store import key

MEASURES: Final = ("silhouette", "recall", "correlation")
"""What is followed from layer to layer; fields of `ser_core.between.Portrait`."""
QUICK: Final = 3.0
"""Seconds that a page may take."""
RESAMPLING: Final = 0.2
"""About the seconds that the intervals of a layer take, on two cores."""
PRODUCTS: Final = 4e-10
"""Those that a dimension takes beside, for two clips."""
OVERHEAD: Final = 400
"""What sorting neighbours costs, in dimensions."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Layers:
    """Two encoders layer by layer.

    ``a`` and ``b`` hold each of `MEASURES` as (n_layers, 3): the value and both ends of its interval, NaN where it
    cannot be told. ``cka`` (layers of a, layers of b) is debiased, and of ``n_cka`` clips.
    """

    a: Mapping[str, Floats]
    b: Mapping[str, Floats]
    cka: Floats
    n_cka: int


def seconds(found: Pair) -> float:
    """Return about how long `compare` takes."""
    products = PRODUCTS * len(found.rows_a) ** 2
    return sum(len(x.layers) * (RESAMPLING + products * (x.vectors.shape[2] + OVERHEAD)) for x in (found.a, found.b))


def quick(found: Pair) -> bool:
    """Say whether `compare` can be done in a page."""
    return seconds(found) <= QUICK


def job(corpora: Sequence[str], store_a: str, store_b: str) -> list[str]:
    """Return the `ser` command that compares two encoders layer by layer, in the one form that names its job."""
    return ["compare", ",".join(corpora), store_a, store_b, "--layers"]


def kept(found: Pair, *, cache: Cache) -> Layers | None:
    """Return what `compare` computed before; None if it was not."""
    curves = [_kept_curves(one, cache) for one in (found.a, found.b)]
    arrays = cache.load_arrays(_cka_recipe(found))
    if curves[0] is None or curves[1] is None or not arrays or "cka" not in arrays:
        return None
    return Layers(curves[0], curves[1], arrays["cka"], min(len(found.rows_a), MOST))


def compare(found: Pair, *, cache: Cache, progress: Callable[[int, int], None] = lambda *_: None) -> Layers:
    """Compare two encoders layer by layer; computed once, and kept.

    Where fewer than two emotions are known, only the CKA can be told.

    Parameters
    ----------
    progress
        Called with the steps done, and how many there are.

    Raises
    ------
    SeparationError, SimilarityError
        If clips do not differ in a layer.
    """
    n_a, n_b = (len(one.layers) for one in (found.a, found.b))
    steps = n_a + 2 * n_b
    curves = []
    for one, done in ((found.a, 0), (found.b, n_a)):
        curves.append(_kept_curves(one, cache) or _curves(one, cache, lambda k, done=done: progress(done + k, steps)))
    arrays = cache.load_arrays(_cka_recipe(found))
    if not arrays or "cka" not in arrays:
        arrays = {"cka": _cka(found, lambda k: progress(n_a + n_b + k, steps))}
        cache.store_arrays(_cka_recipe(found), arrays)
    progress(steps, steps)
    return Layers(curves[0], curves[1], arrays["cka"], min(len(found.rows_a), MOST))


def _kept_curves(found: Embeddings, cache: Cache) -> Mapping[str, Floats] | None:
    arrays = cache.load_arrays(analyses.recipe(found, "layers", {}))
    return arrays if arrays and set(MEASURES) <= arrays.keys() else None


def _curves(found: Embeddings, cache: Cache, progress: Callable[[int], None]) -> Mapping[str, Floats]:
    arrays = {name: np.full((len(found.layers), 3), np.nan) for name in MEASURES}
    for layer in range(len(found.layers)):
        try:
            told = between.portrait(found, layer)
        except AnalysisError:  # emotions are not known: so it is for every layer
            break
        for name in MEASURES:
            one: Estimate = getattr(told, name)
            arrays[name][layer] = one.value, one.low, one.high
        progress(layer + 1)
    cache.store_arrays(analyses.recipe(found, "layers", {}), arrays)
    return arrays


def _cka_recipe(found: Pair) -> dict[str, Any]:
    """Return what the CKA of all layers is kept under."""
    both = [one.recipe for one in (found.a, found.b)]
    own = {"encoder": " and ".join(str(one["name"]) for one in both), "stores": [key(one) for one in both]}
    return analyses.recipe(found.a, "cka", {"most": MOST}) | own


def _cka(found: Pair, progress: Callable[[int], None]) -> Floats:
    """Return the debiased CKA of every layer of a with every layer of b."""
    rows = between.sampled(found)

    def products(one: Embeddings, layer: int) -> Floats:
        x = projection.scale(one.layer(layer)[rows], maps.default_scaling(one.recipe))
        return similarity.products(x, debiased=True)

    of_a = [products(found.a, layer) for layer in range(len(found.a.layers))]
    out = np.empty((len(of_a), len(found.b.layers)))
    for layer in range(len(found.b.layers)):
        of_b = products(found.b, layer)
        out[:, layer] = [similarity.alike(one, of_b) for one in of_a]
        progress(layer + 1)
    return out
