import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.preprocessing import StandardScaler

from ser_core.geometry import projection
from ser_core.geometry.projection import ProjectionError


def cloud(n: int, dim: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, dim)) @ random.normal(size=(dim, dim)) + random.normal(size=dim)).astype("float32")


@pytest.mark.parametrize(("n", "dim"), [(40, 6), (30, 100), (20, 20)])
@pytest.mark.parametrize("scaling", ["standard", "centre"])
def test_pca_against_scikit_learn(n: int, dim: int, scaling: str) -> None:
    x = cloud(n, dim)
    ours = projection.project(x, "pca", n_components=3, scaling=scaling, seed=0)
    scaled = StandardScaler(with_std=scaling == "standard").fit_transform(x.astype("float64"))
    theirs = PCA(svd_solver="full").fit(scaled)
    coordinates = theirs.transform(scaled)[:, :3]
    assert ours.coordinates == pytest.approx(coordinates, rel=1e-5, abs=1e-5 * np.abs(coordinates).max())
    share = theirs.explained_variance_ratio_[:20]
    assert ours.explained_variance == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_axes_that_the_data_do_not_have_are_zero(seed: int) -> None:
    three = projection.project(cloud(3, 88, seed), "pca", n_components=3, scaling="standard", seed=0)
    assert np.isfinite(three.coordinates).all()
    assert three.coordinates[:, 2] == pytest.approx(0, abs=1e-3)  # three points lie in a plane
    same = projection.project(np.ones((5, 88), np.float32), "pca", n_components=2, scaling="centre", seed=0)
    assert (same.coordinates == 0).all()


def test_scaling_against_scikit_learn_and_constant_columns() -> None:
    x = cloud(12, 4)
    x[:, 2] = 7.3
    assert projection.scale(x, "standard") == pytest.approx(
        StandardScaler().fit_transform(x.astype("float64")), abs=1e-9
    )
    assert (projection.scale(x, "standard")[:, 2] == 0).all()
    assert projection.scale(x, "centre") == pytest.approx(x - x.mean(axis=0, dtype="float64"), abs=1e-9)


@pytest.mark.parametrize("scaling", ["standard", "centre"])
def test_what_comes_later_is_scaled_alike(scaling: str) -> None:
    x, later = cloud(12, 4), cloud(5, 4, seed=1)
    x[:, 2] = 7.3
    ours = projection.scaler(x, scaling)
    theirs = StandardScaler(with_std=scaling == "standard").fit(x.astype("float64"))
    expected = theirs.transform(later.astype("float64"))
    if scaling == "standard":
        expected[:, 2] = 0  # it never varied: whatever comes has no unit to be measured in
        assert np.isinf(ours.spread[2])
    else:
        assert (ours.spread == 1).all()
    before = later.copy()
    assert ours.scale(later) == pytest.approx(expected, abs=1e-9)
    assert (later == before).all()
    assert (ours.scale(x) == projection.scale(x, scaling)).all()


@pytest.mark.parametrize("n_components", [2, 3])
@pytest.mark.parametrize(("n", "dim"), [(40, 6), (30, 100)])
def test_axes_take_scaled_vectors_to_their_coordinates(n: int, dim: int, n_components: int) -> None:
    x, later = cloud(n, dim), cloud(5, dim, seed=1)
    ours = projection.project(x, "pca", n_components=n_components, scaling="standard", seed=0)
    assert ours.axes is not None
    assert ours.axes.shape == (dim, n_components)
    assert ours.axes.T @ ours.axes == pytest.approx(np.eye(n_components), abs=1e-9)
    assert (ours.axes[np.abs(ours.axes).argmax(axis=0), np.arange(n_components)] > 0).all()
    scaler = StandardScaler().fit(x.astype("float64"))
    theirs = PCA(n_components, svd_solver="full").fit(scaler.transform(x.astype("float64")))
    assert np.abs(np.sum(ours.axes * theirs.components_.T, axis=0)) == pytest.approx(1, abs=1e-9)
    landed = projection.scaler(x, "standard").scale(later) @ ours.axes
    expected = theirs.transform(scaler.transform(later.astype("float64")))
    assert np.abs(landed) == pytest.approx(np.abs(expected), abs=1e-9)


@pytest.mark.parametrize("n", [40, 31])
def test_quality_against_scikit_learn(n: int) -> None:
    x, picture = cloud(n, 8), cloud(n, 2, seed=1)
    ours = projection.quality(x, picture, scaling="centre")
    scaled, shown = projection.scale(x, "centre"), picture.astype("float64")
    assert ours.trustworthiness.mean() == pytest.approx(trustworthiness(scaled, shown, n_neighbors=15), abs=1e-9)
    assert ours.continuity.mean() == pytest.approx(trustworthiness(shown, scaled, n_neighbors=15), abs=1e-9)
    nearest = [np.argsort(cdist(y, y) + np.diag(np.full(n, np.inf)), axis=1)[:, :15] for y in (scaled, shown)]
    overlap = [len(set(a) & set(b)) / 15 for a, b in zip(*nearest, strict=True)]
    assert ours.overlap == pytest.approx(overlap, abs=1e-9)


def test_quality_does_not_depend_on_blocks_or_order(monkeypatch: pytest.MonkeyPatch) -> None:
    x, picture = cloud(50, 8), cloud(50, 2, seed=1)
    whole = projection.quality(x, picture, scaling="standard")
    monkeypatch.setattr(projection, "BLOCK", 7)
    assert projection.quality(x, picture, scaling="standard").continuity == pytest.approx(whole.continuity, abs=1e-12)
    turned = projection.quality(x[::-1], picture[::-1], scaling="standard")
    assert turned.trustworthiness[::-1] == pytest.approx(whole.trustworthiness, abs=1e-12)


def test_a_perfect_picture_has_perfect_quality() -> None:
    x = cloud(40, 2)
    quality = projection.quality(x, projection.scale(x, "centre").astype("float32"), scaling="centre")
    assert [quality.trustworthiness.min(), quality.continuity.min(), quality.overlap.min()] == [1, 1, 1]


def test_neighbours_are_those_of_the_original_space() -> None:
    x = cloud(30, 5)
    near, far = projection.neighbours(x, k=4, scaling="standard")
    distances = cdist(projection.scale(x, "standard"), projection.scale(x, "standard"))
    np.fill_diagonal(distances, np.inf)
    assert np.array_equal(near, np.argsort(distances, axis=1)[:, :4])
    assert far == pytest.approx(np.sort(distances, axis=1)[:, :4], rel=1e-6)
    assert projection.neighbours(x[:3], k=10, scaling="centre")[0].shape == (3, 2)


@pytest.mark.slow
def test_umap_is_reproducible_and_keeps_clusters() -> None:
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=(40, 60)), random.normal(size=(40, 60)) + 6]).astype("float32")
    one, two = (projection.project(x, "umap", n_components=2, scaling="centre", seed=3) for _ in range(2))
    assert np.array_equal(one.coordinates, two.coordinates)
    assert one.explained_variance is None
    assert one.axes is None
    first, second = one.coordinates[:40], one.coordinates[40:]
    assert cdist(first, second).min() > max(cdist(y, y).max(axis=1).min() for y in (first, second)) / 2
    other = projection.project(x, "umap", n_components=2, scaling="centre", seed=4)
    assert not np.array_equal(one.coordinates, other.coordinates)


def test_too_few_clips_is_one_sentence() -> None:
    with pytest.raises(ProjectionError, match="2 clips of 5 values: PCA in 3-D needs 3 clips or more"):
        projection.project(cloud(2, 5), "pca", n_components=3, scaling="centre", seed=0)
    with pytest.raises(ProjectionError, match="UMAP in 3-D needs 5 clips"):
        projection.project(cloud(4, 5), "umap", n_components=3, scaling="centre", seed=0)
    with pytest.raises(ProjectionError, match="from 31 clips on"):
        projection.quality(cloud(30, 5), cloud(30, 2), scaling="centre")
