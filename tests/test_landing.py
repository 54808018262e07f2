"""Where clips land, against scikit-learn, UMAP and root finding, on synthetic vectors and on real ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ser_core import audio, catalogue, embeddings, landing, maps
from ser_core.cache import Cache
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings
from ser_core.encoders import ENCODERS
from ser_core.geometry import projection
from ser_core.geometry.projection import Method, Projection, ProjectionError, Scaler, Scaling
from ser_core.landing import Ground
from ser_core.maps import Map, View


def cloud(n: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, dim)) @ random.normal(size=(dim, dim)) + random.normal(size=dim)).astype(np.float32)


def embedded(vectors: NDArray[np.float32], speakers: Sequence[str] = ()) -> Embeddings:
    n, dim = vectors.shape
    return Embeddings(
        vectors[:, None].copy(),
        pd.DataFrame({"file": [f"{row}.wav" for row in range(n)], "speaker": speakers or [UNKNOWN] * n}),
        {"name": "made", "layers": ["only"], "dim": dim},
        tuple(f"{row:064d}" for row in range(n)),
        pd.DataFrame(columns=["corpus", "file", "reason"]),
    )


def on(vectors: NDArray[np.float32], *, n_components: int = 2, scaling: Scaling = "standard") -> Ground:
    """The PCA of these clips."""
    found = embedded(vectors)
    projected = projection.project(vectors, "pca", n_components=n_components, scaling=scaling, seed=0)
    near, far = projection.neighbours(vectors, k=10, scaling=scaling)
    view = View(0, "pca", n_components, scaling, 0)
    return landing.ground(found, Map(view, projected, near, far, None, projection.scaler(vectors, scaling)))


def without_axes(vectors: NDArray[np.float32], points: NDArray[np.float32], speakers: Sequence[str] = ()) -> Ground:
    """A map that has points, but no axes, as UMAP's; not scaled, so that distances are plain."""
    n, dim = vectors.shape
    apart = cdist(vectors.astype(float), vectors.astype(float)) + np.diag(np.full(n, np.inf))
    near = np.argsort(apart, axis=1)[:, : min(10, n - 1)]
    far = np.take_along_axis(apart, near, axis=1)
    view, scaler = View(0, "umap", points.shape[1], "centre", 0), Scaler(np.zeros(dim), np.ones(dim))
    drawn = Map(view, Projection(points, None), near.astype(np.int32), far.astype(np.float32), None, scaler)
    return landing.ground(embedded(vectors, speakers), drawn)


def by_root(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of one clip's neighbours, by a root finder: they sum to log2(k)."""
    beyond = distances - distances[0]
    sigma = brentq(lambda s: np.exp(-beyond / s).sum() - np.log2(len(beyond)), 1e-4 * beyond[-1], 1e4, xtol=1e-14)
    return np.exp(-beyond / sigma)


@pytest.mark.parametrize("n_components", [2, 3])
@pytest.mark.parametrize("scaling", ["standard", "centre"])
@pytest.mark.parametrize(("n", "dim"), [(60, 8), (30, 100)])
def test_clips_of_the_corpus_land_on_their_own_points(n: int, dim: int, scaling: Scaling, n_components: int) -> None:
    x = cloud(n, dim)
    x[:, 3] = 7.3
    ground = on(x, n_components=n_components, scaling=scaling)
    own = ground.drawn.projection.coordinates
    assert ground.exact
    assert ground.error is None
    together = ground.land(x)
    assert np.abs(together.points - own).max() <= 1e-5
    one_by_one = np.concatenate([ground.land(x[row : row + 1]).points for row in range(n)])
    assert np.abs(one_by_one - own).max() <= 1e-5
    assert (together.rows[:, 0] == np.arange(n)).all()
    assert (together.distances[:, 0] == 0).all()
    assert (together.rows[:, 1:] == ground.drawn.neighbours[:, :9]).all()
    np.testing.assert_allclose(together.distances[:, 1:], ground.drawn.distances[:, :9], rtol=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "centre"])
def test_new_clips_land_where_scikit_learn_puts_them(scaling: Scaling) -> None:
    x, new = cloud(60, 8), cloud(7, 8, seed=1)
    landed = on(x, n_components=3, scaling=scaling).land(new)
    scaler = StandardScaler(with_std=scaling == "standard").fit(x.astype("float64"))
    scaled, later = scaler.transform(x.astype("float64")), scaler.transform(new.astype("float64"))
    pca = PCA(3, svd_solver="full").fit(scaled)
    axes = pca.components_ * np.sign(pca.components_[np.arange(3), np.abs(pca.components_).argmax(axis=1)])[:, None]
    np.testing.assert_allclose(landed.points, later @ axes.T, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.abs(landed.points), np.abs(pca.transform(later)), rtol=1e-6, atol=1e-6)
    apart = cdist(later, scaled)
    assert (landed.rows == np.argsort(apart, axis=1)[:, :10]).all()
    np.testing.assert_allclose(landed.distances, np.sort(apart, axis=1)[:, :10], rtol=1e-6)
    assert [landed.points.dtype, landed.rows.dtype, landed.distances.dtype] == [np.float32, np.int32, np.float32]


def test_a_value_that_never_varied_moves_nothing() -> None:
    x = cloud(40, 6)
    x[:, 2] = 7.3
    ground, other = on(x), x[:3].copy()
    other[:, 2] = 1e6
    assert (ground.land(other).points == ground.land(x[:3]).points).all()


def test_all_clips_are_near_where_there_are_few() -> None:
    x = cloud(4, 6)
    landed = on(x).land(cloud(2, 6, seed=1))
    assert landed.rows.shape == landed.distances.shape == (2, 4)
    assert (np.sort(landed.rows, axis=1) == np.arange(4)).all()


def test_equally_near_clips_come_in_the_order_of_the_corpus() -> None:
    x = np.repeat(cloud(6, 5), 5, axis=0)
    landed = on(x).land(x[[7, 29]])
    assert (landed.rows[:, :5] == [[5, 6, 7, 8, 9], [25, 26, 27, 28, 29]]).all()


def test_rounding_does_not_decide_who_is_near() -> None:
    """Far from the middle and close together: squares less products lose what tells these clips apart."""
    random = np.random.default_rng(0)
    x, new = (131_000 + np.round(16 * random.normal(size=(n, 60))) / 128 for n in (400, 40))  # exact in float32
    ground = without_axes(x.astype(np.float32), random.normal(size=(400, 2)).astype(np.float32))
    landed = ground.land(new.astype(np.float32))
    np.testing.assert_allclose(landed.distances, np.sort(cdist(new, x), axis=1)[:, :10], rtol=1e-6)


def test_what_has_no_vector_lands_nowhere_and_harms_no_other() -> None:
    x = cloud(40, 6)
    new = cloud(5, 6, seed=1)
    broken = new.copy()
    broken[1, 2], broken[3] = np.nan, np.inf
    for ground in (on(x), without_axes(x, cloud(40, 2, seed=2))):
        landed, alone = ground.land(broken), ground.land(new[[0, 2, 4]])
        assert np.isnan(landed.points[[1, 3]]).all()
        assert np.isnan(landed.distances[[1, 3]]).all()
        assert (landed.rows[[1, 3]] == 0).all()
        np.testing.assert_allclose(landed.points[[0, 2, 4]], alone.points, rtol=1e-6)
        assert (landed.rows[[0, 2, 4]] == alone.rows).all()
        nobody = ground.land(np.full((2, 6), np.nan, np.float32))
        assert np.isnan(nobody.points).all()
        assert ground.land(np.empty((0, 6), np.float32)).points.shape == (0, 2)


def test_memberships_against_a_root_finder() -> None:
    random = np.random.default_rng(0)
    for k in (3, 4, 7, 10, 15):
        distances = np.sort(random.gamma(2, size=(20, k)) * random.choice([1e-3, 1, 50], size=(20, 1)), axis=1)
        weights = landing.memberships(distances)
        np.testing.assert_allclose(weights.sum(axis=1), np.log2(k), atol=1e-9)
        np.testing.assert_allclose(weights, [by_root(row) for row in distances], atol=1e-9)


def test_memberships_where_no_width_gives_the_sum() -> None:
    many = np.array([[2.0, 2, 2, 2, 2, 3, 4, 5, 6, 7]])  # five of ten are equally near: more than log2(10)
    assert (landing.memberships(many) == [[1, 1, 1, 1, 1, 0, 0, 0, 0, 0]]).all()
    assert (landing.memberships(np.full((2, 10), 3.0)) == 1).all()
    assert (landing.memberships(np.array([[3.0]])) == 1).all()
    assert landing.memberships(np.array([[1.0, 2.0]])) == pytest.approx(np.array([[1, 0]]), abs=1e-12)
    assert landing.memberships(np.empty((0, 10))).shape == (0, 10)


@pytest.mark.slow
def test_memberships_against_umap() -> None:
    from umap.umap_ import smooth_knn_dist

    distances = np.sort(np.random.default_rng(0).gamma(2, size=(50, 10)), axis=1).astype(np.float32)
    with_itself = np.column_stack([np.zeros(50, np.float32), distances])
    sigma, nearest = smooth_knn_dist(with_itself, 10.0)
    theirs = np.exp(-(distances - nearest[:, None]) / sigma[:, None])
    np.testing.assert_allclose(landing.memberships(distances.astype(float)), theirs, atol=1e-4)


def test_without_axes_clips_land_among_their_neighbours() -> None:
    x, points, new = cloud(40, 6), cloud(40, 2, seed=1), cloud(8, 6, seed=2)
    ground = without_axes(x, points)
    assert not ground.exact
    landed = ground.land(new)
    for row, vector in enumerate(new.astype(float)):
        apart = np.linalg.norm(x.astype(float) - vector, axis=1)
        near = np.argsort(apart)[:10]
        weights = by_root(apart[near])
        expected = (weights[:, None] * points[near]).sum(axis=0) / weights.sum()
        np.testing.assert_allclose(landed.points[row], expected, rtol=1e-5, atol=1e-6)


def test_the_same_recording_lands_on_its_point() -> None:
    x, points = cloud(40, 6), cloud(40, 2, seed=1)
    ground = without_axes(x, points)
    assert (ground.land(x).points == points).all()
    usual = np.median(ground.drawn.distances[:, 0])
    step = np.eye(6, dtype=np.float32)[:1] * usual
    assert (ground.land(x[:1] + 1e-4 * step).points == points[:1]).all()  # encoded again, on another machine
    assert np.abs(ground.land(x[:1] + 1e-2 * step).points - points[0]).max() > 1e-3
    twice = without_axes(np.concatenate([x, x[:1]]), np.concatenate([points, points[:1] + 2]))
    assert twice.land(x[:1]).points == pytest.approx(points[:1] + 1)  # two copies: between them


def test_the_error_is_that_of_clips_landed_without_themselves() -> None:
    x, points = cloud(40, 6), cloud(40, 2, seed=1)
    apart = []
    for row in range(40):
        rest = np.arange(40) != row
        apart.append(np.linalg.norm(without_axes(x[rest], points[rest]).land(x[[row]]).points[0] - points[row]))
    spread = np.median(np.linalg.norm(points - points.mean(axis=0), axis=1))
    assert without_axes(x, points).error == pytest.approx(np.median(apart) / spread, rel=1e-5)


def test_the_error_leaves_out_the_clips_of_the_same_speaker() -> None:
    x, points = cloud(60, 6), cloud(60, 2, seed=1)
    speakers = ["ada", "ben", "cleo", UNKNOWN] * 15
    apart = []
    for row in range(60):
        if speakers[row] != UNKNOWN:
            rest = np.array([one != speakers[row] for one in speakers])
            apart.append(np.linalg.norm(without_axes(x[rest], points[rest]).land(x[[row]]).points[0] - points[row]))
    spread = np.median(np.linalg.norm(points - points.mean(axis=0), axis=1))
    assert without_axes(x, points, speakers).error == pytest.approx(np.median(apart) / spread, rel=1e-5)


def test_a_smooth_map_has_a_small_error() -> None:
    x = np.random.default_rng(0).uniform(size=(400, 2)).astype(np.float32)
    right, wrong = without_axes(x, 3 * x).error, without_axes(x, 3 * x[::-1].copy()).error
    assert right is not None
    assert wrong is not None
    assert right < 0.1 < 0.5 < wrong


def test_the_ground_is_read_only_and_scaled_as_the_map() -> None:
    x = cloud(40, 6)
    ground = on(x)
    np.testing.assert_allclose(ground.x, StandardScaler().fit_transform(x.astype("float64")), atol=1e-9)
    with pytest.raises(ValueError, match="read-only"):
        ground.x[0, 0] = 1
    assert ground.land(x[:1]).points.flags.writeable


def test_other_vectors_and_other_clips_are_refused() -> None:
    x = cloud(40, 6)
    ground = on(x)
    for vectors in (x[:, :5], x[0]):
        with pytest.raises(ProjectionError, match=r"^vectors of shape .*: this map takes \(clips, 6\)$"):
            ground.land(vectors)
    for others in (x[1:], x[:, 1:]):
        with pytest.raises(ProjectionError, match=r"shape \(\d+, \d\): the map was drawn from \(40, 6\)$"):
            landing.ground(embedded(others), ground.drawn)
    with pytest.raises(embeddings.EmbeddingError, match="layers 0 to 0"):
        landing.ground(embedded(x), replace(ground.drawn, view=replace(ground.drawn.view, layer=3)))


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_a_kept_map_lands_clips_as_the_drawn_one(cache: Cache, method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    x, new = cloud(40, 6), cloud(5, 6, seed=1)
    points = cloud(40, 2, seed=2)
    if method == "umap":
        monkeypatch.setattr(projection, "project", lambda *_, **__: Projection(points, None))
    found = embedded(x)
    wanted = maps.view(found, layer=0, method=method, n_components=2, scaling="standard", seed=0)
    first = landing.ground(found, maps.draw(found, wanted, cache=cache))
    kept = maps.kept(found, wanted, cache=cache)
    assert kept is not None
    again = landing.ground(found, kept)
    assert again.exact == (method == "pca")
    assert again.error == first.error
    for name in ("points", "rows", "distances"):
        assert (getattr(again.land(new), name) == getattr(first.land(new), name)).all()


@pytest.mark.data
def test_real_clips_land_on_their_own_points(cache: Cache, data: Path) -> None:
    """Clips of EmoDB, embedded twice: once for the map, once as clips that come later."""
    source = catalogue.add(cache, "emodb", data / "emodb")[0]
    clips = source.clips().sample(24, random_state=0)
    encoder = ENCODERS["egemaps"]
    signals = [audio.read(source.root / file) for file in clips["file"]]
    vectors = np.concatenate([encoder.encode([signal]) for signal in signals])[:, -1]
    again = np.concatenate([encoder.encode([signal]) for signal in signals[:4]])[:, -1]
    ground = on(vectors, n_components=3)
    assert np.abs(ground.land(again).points - ground.drawn.projection.coordinates[:4]).max() <= 1e-5
