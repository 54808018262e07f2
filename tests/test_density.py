import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import dblquad
from scipy.stats import chi2, multivariate_normal
from sklearn.mixture import GaussianMixture

from ser_core.geometry import density
from ser_core.geometry.density import Densities, Density, DensityError, Gaussian, Shape

TILTED = Gaussian(np.array([1.0, -2.0]), np.array([[2.0, 0.8], [0.8, 0.5]]), 1.0)
ROUND = Gaussian(np.array([2.0, 0.0]), np.array([[1.0, 0.0], [0.0, 1.5]]), 1.0)


def clips(n_each: int = 20, *, d: int = 2) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    random = np.random.default_rng(0)
    labels = np.tile(["sadness", "wistful", "anger"], n_each)
    shift = np.array([{"sadness": 0.0, "wistful": 3.0, "anger": -3.0}[label] for label in labels])
    return random.normal(size=(len(labels), d)) @ random.normal(size=(d, d)) + shift[:, None], labels


def test_full_against_numpy() -> None:
    x, labels = clips()
    found = density.fit(x, labels, shape="full", seed=0)
    assert [part.name for part in found.parts] == ["anger", "sadness", "wistful"]
    assert found.left_out == ()
    for part in found.parts:
        rows = x[labels == part.name]
        (gaussian,) = part.components
        np.testing.assert_allclose(gaussian.mean, rows.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(gaussian.covariance, np.cov(rows.T), atol=1e-12)
        assert (gaussian.weight, part.n_clips) == (1.0, 20)


def test_tied_is_the_mean_of_the_covariances_weighted_by_their_degrees_of_freedom() -> None:
    x, labels = clips()
    x, labels = x[:-7], labels[:-7]
    groups = [x[labels == name] for name in ("anger", "sadness", "wistful")]
    pooled = sum((len(rows) - 1) * np.cov(rows.T) for rows in groups) / (len(x) - 3)
    for part in density.fit(x, labels, shape="tied", seed=0).parts:
        np.testing.assert_allclose(part.components[0].covariance, pooled, atol=1e-12)


def test_diagonal_holds_the_variances_alone() -> None:
    x, labels = clips()
    part = density.fit(x, labels, shape="diagonal", seed=0).parts[0]
    np.testing.assert_allclose(
        part.components[0].covariance, np.diag(x[labels == "anger"].var(axis=0, ddof=1)), atol=1e-12
    )


def test_log_density_against_scipy() -> None:
    points = np.random.default_rng(1).normal(size=(9, 2))
    parts = (Gaussian(TILTED.mean, TILTED.covariance, 0.3), Gaussian(ROUND.mean, ROUND.covariance, 0.7))
    theirs = sum(one.weight * multivariate_normal(one.mean, one.covariance).pdf(points) for one in parts)
    np.testing.assert_allclose(Density("fear", parts, 5).log_density(points), np.log(theirs), atol=1e-9)


def two_heaps(scale: float = 1.0) -> NDArray[np.float64]:
    random = np.random.default_rng(2)
    return scale * np.concatenate([random.normal(size=(60, 2)), random.normal((8, 0), size=(30, 2))])


def test_a_mixture_finds_two_heaps_and_is_seeded() -> None:
    x = two_heaps()
    first, again = (density.fit(x, ["fear"] * 90, shape="mixture", seed=3).parts[0] for _ in range(2))
    assert sorted(one.weight for one in first.components) == pytest.approx([1 / 3, 2 / 3], abs=1e-4)
    heaps = sorted(first.components, key=lambda one: one.mean[0])
    for one, rows in zip(heaps, (x[:60], x[60:]), strict=True):
        np.testing.assert_allclose(one.mean, rows.mean(axis=0), atol=1e-3)
        np.testing.assert_allclose(one.covariance, np.cov(rows.T, ddof=0), atol=1e-2)
    for one, other in zip(first.components, again.components, strict=True):
        assert np.array_equal(one.mean, other.mean)


def test_a_mixture_has_the_number_of_parts_that_the_criterion_prefers() -> None:
    x = two_heaps()
    criteria = [GaussianMixture(k, random_state=3).fit(x).bic(x) for k in range(1, 5)]
    found = density.fit(x, ["fear"] * 90, shape="mixture", seed=3).parts[0]
    assert len(found.components) == 1 + int(np.argmin(criteria)) == 2


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_a_mixture_does_not_depend_on_the_unit(scale: float) -> None:
    ones = density.fit(two_heaps(), ["fear"] * 90, shape="mixture", seed=0).parts[0].components
    scaled = density.fit(two_heaps(scale), ["fear"] * 90, shape="mixture", seed=0).parts[0].components
    for one, other in zip(ones, scaled, strict=True):
        np.testing.assert_allclose(other.covariance / scale**2, one.covariance, rtol=1e-6, atol=1e-9)


def test_a_mixture_of_one_is_the_full_gaussian() -> None:
    x, labels = clips()
    for one, other in zip(
        density.fit(x, labels, shape="mixture", seed=0).parts,
        density.fit(x, labels, shape="full", seed=0).parts,
        strict=True,
    ):
        assert len(one.components) == 1
        assert np.array_equal(one.components[0].covariance, other.components[0].covariance)


def test_a_mixture_does_not_fall_into_a_few_equal_clips() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(size=(40, 2)), np.full((3, 2), 5.0)])
    found = density.fit(x, ["fear"] * 43, shape="mixture", seed=0).parts[0]
    assert min(one.weight for one in found.components) * 43 >= 4


@pytest.mark.parametrize(("shape", "needed"), [("full", 4), ("tied", 2), ("diagonal", 3), ("mixture", 4)])
def test_too_few_clips_are_left_out_with_the_reason(shape: Shape, needed: int) -> None:
    x, labels = clips()
    for n, kept in ((needed - 1, False), (needed, True)):
        rows = np.concatenate([np.flatnonzero(labels == "sadness"), np.flatnonzero(labels == "anger")[:n]])
        found = density.fit(x[rows], labels[rows], shape=shape, seed=0)
        assert ("anger" in [part.name for part in found.parts]) == kept
        reason = f"{n} clip{'s' * (n > 1)}, {needed} needed"
        assert found.left_out == (() if kept else (("anger", reason),))


def test_clips_on_a_line_are_left_out() -> None:
    x, labels = clips()
    x[labels == "anger", 1] = 2 * x[labels == "anger", 0]
    assert density.fit(x, labels, shape="full", seed=0).left_out == (
        ("anger", "clips do not spread in all 2 dimensions"),
    )


def test_nothing_to_fit_is_an_error_with_the_reasons() -> None:
    x, labels = clips()
    with pytest.raises(DensityError, match=r"no emotion has clips enough.*2-D \(anger: 1 clip, 4 needed; sadness: 1"):
        density.fit(x[:3], labels[:3], shape="full", seed=0)
    with pytest.raises(DensityError, match="one row for each label"):
        density.fit(x, labels[:-1], shape="full", seed=0)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("level", density.LEVELS)
def test_the_outline_lies_at_the_quantile_and_holds_its_share(d: int, level: float) -> None:
    random = np.random.default_rng(5)
    root = random.normal(size=(d, d))
    gaussian = Gaussian(random.normal(size=d), root @ root.T, 1.0)
    outline = density.boundary(gaussian, level=level, n_points=13)
    assert outline.shape == ((13, 2) if d == 2 else (13, 7, 3))
    np.testing.assert_allclose(outline[0], outline[-1], atol=1e-12)
    away = (outline - gaussian.mean).reshape(-1, d)
    squared = np.einsum("ni,ij,nj->n", away, np.linalg.inv(gaussian.covariance), away)
    np.testing.assert_allclose(squared, chi2.ppf(level, d), rtol=1e-9)

    n = 20_000
    drawn = random.multivariate_normal(gaussian.mean, gaussian.covariance, size=n) - gaussian.mean
    inside = np.einsum("ni,ij,nj->n", drawn, np.linalg.inv(gaussian.covariance), drawn) <= squared[0]
    assert inside.mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / n))


def test_the_ellipsoid_reaches_as_far_as_it_should_along_each_axis() -> None:
    gaussian = Gaussian(np.zeros(3), np.diag([1.0, 4.0, 9.0]), 1.0)
    grid = density.boundary(gaussian, level=0.9, n_points=41).reshape(-1, 3)
    np.testing.assert_allclose(np.abs(grid).max(axis=0), np.sqrt(chi2.ppf(0.9, 3)) * np.array([1, 2, 3]), rtol=1e-9)


def test_the_outline_of_something_else_is_an_error() -> None:
    with pytest.raises(DensityError, match="1-D"):
        density.boundary(Gaussian(np.zeros(1), np.eye(1), 1.0), level=0.5, n_points=9)
    with pytest.raises(DensityError, match=r"outline of 1\.0"):
        density.boundary(TILTED, level=1.0, n_points=9)


def test_bhattacharyya_by_hand() -> None:
    narrow, wide = Gaussian(np.zeros(1), np.eye(1), 1.0), Gaussian(np.array([3.0]), np.array([[4.0]]), 1.0)
    by_hand = 9 / (4 * (1 + 4)) + 0.5 * np.log((1 + 4) / (2 * 1 * 2))  # 1-D: variances 1 and 4, means 3 apart
    assert density.bhattacharyya(narrow, wide) == pytest.approx(by_hand, abs=1e-12)
    assert density.bhattacharyya(wide, narrow) == pytest.approx(by_hand, abs=1e-12)
    assert density.bhattacharyya(wide, wide) == pytest.approx(0, abs=1e-12)


def test_bhattacharyya_against_a_numerical_integral() -> None:
    p, q = (multivariate_normal(one.mean, one.covariance).pdf for one in (TILTED, ROUND))
    integral, _ = dblquad(lambda y, x: np.sqrt(p([x, y]) * q([x, y])), -12, 14, -14, 12, epsabs=1e-10, epsrel=1e-10)
    assert np.exp(-density.bhattacharyya(TILTED, ROUND)) == pytest.approx(integral, abs=1e-9)


def half(gaussian: Gaussian) -> Gaussian:
    return Gaussian(gaussian.mean, gaussian.covariance, 0.5)


def test_simulated_overlap_agrees_with_the_formula() -> None:
    """A mixture of twice the same Gaussian is that Gaussian, but goes the way of mixtures."""
    far = Gaussian(np.array([4.0, 4.0]), np.eye(2), 1.0)
    singles = [Density("anger", (TILTED,), 9), Density("fear", (ROUND,), 9), Density("calm", (far,), 9)]
    exact = density.overlap(Densities(tuple(singles), ()), seed=0)
    twice = tuple(Density(one.name, (half(one.components[0]),) * 2, 9) for one in singles)
    deviations = []
    for seed in range(20):
        drawn = density.overlap(Densities(twice, ()), seed=seed)
        i, j = np.triu_indices(3, k=1)
        assert 0 < drawn.standard_error[i, j].min() <= drawn.standard_error[i, j].max() < 0.006
        deviations.append((drawn.coefficient - exact.coefficient)[i, j] / drawn.standard_error[i, j])
    assert np.abs(deviations).max() < 4
    assert 0.75 < np.std(deviations) < 1.25  # the error that is stated is the error that is made
    assert np.array_equal(exact.standard_error, np.zeros((3, 3)))
    assert exact.coefficient[0, 1] == exact.coefficient[1, 0] == np.exp(-density.bhattacharyya(TILTED, ROUND))
    assert exact.names == ("anger", "fear", "calm")


def test_overlap_of_a_real_mixture_against_a_numerical_integral() -> None:
    mixed = Density("anger", (half(TILTED), half(ROUND)), 9)
    single = Density("fear", (ROUND,), 9)
    p, q = (multivariate_normal(one.mean, one.covariance).pdf for one in (TILTED, ROUND))
    integral, _ = dblquad(
        lambda y, x: np.sqrt((p([x, y]) + q([x, y])) / 2 * q([x, y])), -9, 11, -11, 9, epsabs=1e-7, epsrel=1e-7
    )
    found = density.overlap(Densities((mixed, single), ()), seed=0)
    assert found.coefficient[0, 1] == pytest.approx(integral, abs=4 * found.standard_error[0, 1])
    assert found.coefficient[0, 1] == found.coefficient[1, 0]
    assert np.array_equal(np.diag(found.coefficient), np.ones(2))
    again = density.overlap(Densities((mixed, single), ()), seed=0)
    assert np.array_equal(found.coefficient, again.coefficient)


def test_overlap_of_emotions_very_far_apart_is_none() -> None:
    far = Gaussian(np.full(2, 1e4), np.eye(2), 0.5)
    found = density.overlap(Densities((Density("anger", (far, far), 9), Density("fear", (ROUND,), 9)), ()), seed=0)
    assert 0 <= found.coefficient[0, 1] < 1e-100
