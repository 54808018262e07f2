"""A map: the projection of a layer, the true neighbours of its clips, and its quality; computed once and kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Final, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ser_core import store as caching
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings
from ser_core.geometry import projection
from ser_core.geometry.projection import Method, Projection, ProjectionError, Quality, Scaler, Scaling

N_NEIGHBOURS: Final = 10
QUALITY_K: Final = 15
UMAP: Final = {"n_neighbors": 15, "min_dist": 0.1}
"""UMAP's own defaults."""
QUICK_CLIPS: Final = 3000
SEED: Final = 0
"""The seed that pages draw UMAP maps with; it is part of what they show and of the link."""
VERSION: Final = 2
"""Part of every map's recipe: change it when maps come out differently."""


@dataclass(frozen=True)
class View:
    """What to draw: everything that changes a map, beside the clips and the encoder.

    ``layer`` is an index into the encoder's layers, ``n_components`` 2 or 3, ``seed`` matters to UMAP only.
    """

    layer: int
    method: Method
    n_components: int
    scaling: Scaling
    seed: int


@dataclass(frozen=True)
class Map:
    """A projection with what is needed to explore it.

    ``neighbours`` and ``distances`` have shape (n_clips, up to 10): rows of the nearest other clips in the original
    space, nearest first. ``quality`` is None where there are too few clips to measure it. ``scaler`` is what the
    vectors went through before they were projected.
    """

    view: View
    projection: Projection
    neighbours: NDArray[np.int32]
    distances: NDArray[np.float32]
    quality: Quality | None
    scaler: Scaler


def default_scaling(recipe: Mapping[str, Any]) -> Scaling:
    """Return ``centre`` for the activations of a network, ``standard`` for features in units of their own."""
    return "centre" if {"checkpoint", "run"} & recipe.keys() else "standard"


def view(embeddings: Embeddings, *, layer: int, method: str, n_components: int, scaling: str | None, seed: int) -> View:
    """Return a checked view; ``layer`` may be negative, ``scaling`` None for what suits the encoder.

    A map has at most as many dimensions as the encoder has values: two of ``uae`` and ``dae``.

    Raises
    ------
    ProjectionError
        If a word is not one of those that exist.
    EmbeddingError
        If there is no such layer.
    """
    if method not in get_args(Method):
        raise ProjectionError(f"method {method!r}: expected {' or '.join(get_args(Method))}")
    scaling = scaling or default_scaling(embeddings.recipe)
    if scaling not in get_args(Scaling):
        raise ProjectionError(f"scaling {scaling!r}: expected {' or '.join(get_args(Scaling))}")
    n_values = embeddings.layer(layer).shape[1]
    dims = min(n_components, n_values)
    return View(layer % len(embeddings.layers), cast(Method, method), dims, cast(Scaling, scaling), seed)


def arguments(corpora: Sequence[str], store_key: str, view: View) -> list[str]:
    """Return the `ser` command that draws a map, in the one form that names its job."""
    return [
        *("project", ",".join(corpora), store_key, "--method", view.method, "--dimensions", str(view.n_components)),
        *("--layer", str(view.layer), "--scaling", view.scaling, "--seed", str(view.seed)),
    ]


def title(corpora: Sequence[str], view: View) -> str:
    """Return what people call the job that draws a map."""
    return f"Map of {', '.join(corpora)} ({view.method.upper()}, {view.n_components}-D)"


def draw_first(embeddings: Embeddings, *, cache: Cache) -> None:
    """Draw the map that the Explore page opens with, so that it is there at once; nothing where clips are too few."""
    if len(embeddings.clips) >= 3:
        first = view(embeddings, layer=-1, method="pca", n_components=3, scaling=None, seed=SEED)
        draw(embeddings, first, cache=cache)


def recipe(embeddings: Embeddings, view: View) -> dict[str, Any]:
    """Return what a map is kept under: the embeddings, clip by clip, and the view."""
    digests = caching.key({"digests": list(embeddings.digests)})
    umap = {"umap": metadata.version("umap-learn"), **UMAP} if view.method == "umap" else {}
    seed = view.seed if view.method == "umap" else None
    return {
        **umap,
        "version": VERSION,
        "encoder": embeddings.recipe["name"],
        "stores": [caching.key(embeddings.recipe)],
        "clips": digests,
        "n_clips": len(embeddings.clips),
        **asdict(view),
        "seed": seed,
    }


def quick(embeddings: Embeddings, view: View) -> bool:
    """Say whether a map takes about a second or two: a PCA of a few thousand clips."""
    return view.method == "pca" and len(embeddings.clips) <= QUICK_CLIPS


def kept(embeddings: Embeddings, view: View, *, cache: Cache) -> Map | None:
    """Return a map that was computed before, None if there is none."""
    arrays = cache.load_arrays(recipe(embeddings, view))
    if arrays is None or not _needed(view) <= arrays.keys():
        return None
    quality = None
    if "overlap" in arrays:
        quality = Quality(arrays["trustworthiness"], arrays["continuity"], arrays["overlap"], QUALITY_K)
    projected = Projection(arrays["coordinates"], arrays.get("explained_variance"), arrays.get("axes"))
    scaler = Scaler(arrays["centre"], arrays["spread"])
    return Map(view, projected, arrays["neighbours"], arrays["distances"], quality, scaler)


def _needed(view: View) -> set[str]:
    needed = {"coordinates", "neighbours", "distances", "centre", "spread"}
    return needed | {"axes", "explained_variance"} if view.method == "pca" else needed


def draw(
    embeddings: Embeddings, view: View, *, cache: Cache, progress: Callable[[int, int], None] = lambda *_: None
) -> Map:
    """Return a map, computed if it is not kept yet; ``progress`` gets the steps done, and how many there are.

    Raises
    ------
    ProjectionError
        If there are too few clips.
    EmbeddingError
        If there is no such layer.
    """
    if (known := kept(embeddings, view, cache=cache)) is not None:
        return known
    vectors = embeddings.layer(view.layer)
    progress(0, 3)
    projected = projection.project(
        vectors, view.method, n_components=view.n_components, scaling=view.scaling, seed=view.seed, **UMAP
    )
    progress(1, 3)
    near, far = projection.neighbours(vectors, k=N_NEIGHBOURS, scaling=view.scaling)
    progress(2, 3)
    scaler = projection.scaler(vectors, view.scaling)
    arrays: dict[str, NDArray[Any]] = {"coordinates": projected.coordinates, "neighbours": near, "distances": far}
    arrays |= {"centre": scaler.centre, "spread": scaler.spread}
    if projected.explained_variance is not None and projected.axes is not None:
        arrays |= {"explained_variance": projected.explained_variance, "axes": projected.axes}
    quality = None
    if len(vectors) > 2 * QUALITY_K:
        quality = projection.quality(vectors, projected.coordinates, scaling=view.scaling, k=QUALITY_K)
        arrays |= {name: getattr(quality, name) for name in ("trustworthiness", "continuity", "overlap")}
    cache.store_arrays(recipe(embeddings, view), arrays)
    progress(3, 3)
    return Map(view, projected, near, far, quality, scaler)
