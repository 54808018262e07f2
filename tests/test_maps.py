from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ser_core import embeddings, maps
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.embeddings import EmbeddingError, Embeddings
from ser_core.geometry import projection
from ser_core.geometry.projection import Projection, ProjectionError


@pytest.fixture
def embedded(cache: Cache, mine: Located, encoder: Any) -> Embeddings:
    return embeddings.embed(mine, encoder, cache=cache)


def view(embedded: Embeddings, **changes: Any) -> maps.View:
    return maps.view(
        embedded, **{"layer": -1, "method": "pca", "n_components": 2, "scaling": None, "seed": 0, **changes}
    )


def test_a_kept_map_is_the_drawn_one(cache: Cache, embedded: Embeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = view(embedded)
    assert maps.kept(embedded, wanted, cache=cache) is None
    drawn = maps.draw(embedded, wanted, cache=cache)
    monkeypatch.setattr(projection, "project", lambda *_, **__: pytest.fail("computed twice"))
    again = maps.draw(embedded, wanted, cache=cache)
    assert np.array_equal(again.projection.coordinates, drawn.projection.coordinates)
    assert np.array_equal(again.neighbours, drawn.neighbours)
    assert again.quality
    assert drawn.quality
    assert np.array_equal(again.quality.overlap, drawn.quality.overlap)
    assert again.projection.explained_variance == pytest.approx(drawn.projection.explained_variance)
    assert again.projection.axes is not None
    assert np.array_equal(again.projection.axes, drawn.projection.axes)
    assert np.array_equal(again.scaler.centre, drawn.scaler.centre)
    assert np.array_equal(again.scaler.spread, drawn.scaler.spread)


def test_a_map_keeps_how_its_vectors_were_scaled(cache: Cache, embedded: Embeddings) -> None:
    vectors = embedded.layer(-1).astype("float64")
    for scaling, spread in (("standard", vectors.std(axis=0)), ("centre", np.ones(4))):
        scaler = maps.draw(embedded, view(embedded, scaling=scaling), cache=cache).scaler
        assert scaler.centre == pytest.approx(vectors.mean(axis=0), abs=1e-9)
        assert scaler.spread == pytest.approx(spread, abs=1e-9)


@pytest.mark.parametrize("lost", ["coordinates", "neighbours", "distances", "centre", "spread", "axes"])
def test_a_map_that_lacks_something_is_not_kept(cache: Cache, embedded: Embeddings, lost: str) -> None:
    wanted = view(embedded)
    maps.draw(embedded, wanted, cache=cache)
    arrays = cache.load_arrays(maps.recipe(embedded, wanted))
    assert arrays is not None
    cache.store_arrays(maps.recipe(embedded, wanted), {name: x for name, x in arrays.items() if name != lost})
    assert maps.kept(embedded, wanted, cache=cache) is None
    assert maps.draw(embedded, wanted, cache=cache).projection.axes is not None


def test_a_map_without_axes_is_kept_without(
    cache: Cache, embedded: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UMAP, whose points are not computed here."""
    points = np.random.default_rng(0).normal(size=(48, 2)).astype(np.float32)
    monkeypatch.setattr(projection, "project", lambda *_, **__: Projection(points, None))
    wanted = view(embedded, method="umap")
    assert maps.draw(embedded, wanted, cache=cache).projection.axes is None
    kept = maps.kept(embedded, wanted, cache=cache)
    assert kept is not None
    assert kept.projection.axes is None
    assert np.array_equal(kept.projection.coordinates, points)
    assert kept.scaler.spread.shape == (4,)


def test_anything_that_changes_a_map_changes_its_key(embedded: Embeddings) -> None:
    views = [
        view(embedded),
        view(embedded, layer=0),
        view(embedded, n_components=3),
        view(embedded, scaling="centre"),
        view(embedded, method="umap"),
        view(embedded, method="umap", seed=1),
    ]
    recipes = [maps.recipe(embedded, one) for one in views]
    fewer = replace(
        embedded,
        vectors=embedded.vectors[1:].copy(),
        clips=embedded.clips[1:].reset_index(drop=True),
        digests=embedded.digests[1:],
    )
    recipes.append(maps.recipe(fewer, views[0]))
    recipes.append(maps.recipe(replace(embedded, digests=("other", *embedded.digests[1:])), views[0]))
    recipes.append(maps.recipe(replace(embedded, recipe={**embedded.recipe, "version": 2}), views[0]))
    assert len({str(recipe) for recipe in recipes}) == len(recipes)
    assert maps.recipe(embedded, view(embedded, seed=1)) == recipes[0]  # PCA has no seed


def test_words_and_layers_are_checked(embedded: Embeddings) -> None:
    with pytest.raises(ProjectionError, match="method 'tsne': expected pca or umap"):
        view(embedded, method="tsne")
    with pytest.raises(ProjectionError, match="scaling 'none': expected standard or centre"):
        view(embedded, scaling="none")
    with pytest.raises(EmbeddingError, match="layers 0 to 1"):
        view(embedded, layer=5)
    assert view(embedded, layer=-1).layer == 1


def test_a_map_of_two_values_has_two_dimensions(cache: Cache, embedded: Embeddings) -> None:
    two = replace(embedded, vectors=embedded.vectors[:, :, :2].copy(), recipe={**embedded.recipe, "dim": 2})
    assert view(two, n_components=3).n_components == 2
    assert view(embedded, n_components=3).n_components == 3
    maps.draw_first(two, cache=cache)
    assert maps.kept(two, view(two), cache=cache) is not None


def test_networks_are_centred_and_features_standardised() -> None:
    assert maps.default_scaling({"name": "egemaps"}) == "standard"
    assert maps.default_scaling({"name": "hf:x", "checkpoint": "x"}) == "centre"


def test_few_clips_have_a_map_without_quality(cache: Cache, embedded: Embeddings) -> None:
    few = replace(embedded, vectors=embedded.vectors[:5].copy(), clips=embedded.clips[:5], digests=embedded.digests[:5])
    drawn = maps.draw(few, view(few), cache=cache)
    assert drawn.quality is None
    assert drawn.neighbours.shape == (5, 4)


def test_only_a_pca_of_a_few_thousand_clips_is_quick(embedded: Embeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert maps.quick(embedded, view(embedded))
    assert not maps.quick(embedded, view(embedded, method="umap"))
    monkeypatch.setattr(maps, "QUICK_CLIPS", 40)
    assert not maps.quick(embedded, view(embedded))
