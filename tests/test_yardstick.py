"""Distances of clips from emotions that they are not among, against scipy and the distances of clips among them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import mahalanobis as theirs
from scipy.stats import chi2
from sklearn.covariance import ledoit_wolf

from ser_core.geometry import mahalanobis
from ser_core.geometry.yardstick import Covariance, DistanceError, yardstick

NAMES = ("anger", "sadness", "neutral")
EVERY = pytest.mark.parametrize(
    ("covariance", "estimator", "n", "d"),
    [
        *(("pooled", estimator, 60, d) for estimator in ("shrunk", "plain") for d in (1, 4)),
        *(("per-emotion", estimator, 60, 4) for estimator in ("shrunk", "plain")),
        ("pooled", "shrunk", 40, 70),
        ("per-emotion", "shrunk", 40, 70),
    ],
)


def clips(n: int, d: int) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.float64]]:
    """Clips of unequal numbers per emotion, their emotions, and five clips that are not among them."""
    random = np.random.default_rng(0)
    emotion = random.choice(3, size=n, p=[0.5, 0.3, 0.2])
    mix = random.normal(size=(d, d))
    x = random.normal(size=(n, d)) @ mix * (1 + emotion)[:, None] + random.normal(size=(3, d))[emotion] * 2
    return x, np.array(NAMES)[emotion], 3 * random.normal(size=(5, d)) @ mix


@EVERY
def test_new_clips_against_scipy(covariance: Covariance, estimator: str, n: int, d: int) -> None:
    shrink = estimator == "shrunk"
    x, labels, new = clips(n, d)
    found = yardstick(x, labels, covariance=covariance, shrink=shrink)
    assert found.names == NAMES
    assert found.dimensions == d
    distances = found.measure(new)
    assert distances.shape == (5, 3)
    residuals = {name: x[labels == name] - x[labels == name].mean(axis=0) for name in NAMES}
    for number, name in enumerate(NAMES):
        rows, freedom = residuals[name], len(residuals[name]) - 1
        if covariance == "pooled":
            rows, freedom = np.concatenate(list(residuals.values())), n - 3
        plain, s = rows.T @ rows / freedom, ledoit_wolf(rows, assume_centered=True)[1] if shrink else 0.0
        inverse = np.linalg.inv((1 - s) * plain + s * np.trace(plain) / d * np.eye(d))
        expected = [theirs(row, x[labels == name].mean(axis=0), inverse) for row in new]
        np.testing.assert_allclose(distances[:, number], expected, atol=1e-9)
    np.testing.assert_allclose(found.tail(distances), chi2.sf(distances**2, d), atol=1e-9)


@EVERY
def test_clips_that_are_among_them_are_as_far_as_before(covariance: Covariance, estimator: str, n: int, d: int) -> None:
    shrink = estimator == "shrunk"
    x, labels, _ = clips(n, d)
    found = yardstick(x, labels, covariance=covariance, shrink=shrink)
    before = mahalanobis.distances(x, labels, covariance=covariance, shrink=shrink)
    np.testing.assert_allclose(found.measure(x), before.to_emotion, atol=1e-9)
    one_by_one = np.concatenate([found.measure(row[None]) for row in x])
    np.testing.assert_allclose(one_by_one, before.to_emotion, atol=1e-9)
    np.testing.assert_allclose(found.between(), before.between, atol=1e-9)
    np.testing.assert_allclose(found.tail(found.measure(x)), before.tail(), atol=1e-9)


def test_pooled_and_shrunk_is_what_is_meant_where_nothing_is_said() -> None:
    x, labels, new = clips(60, 4)
    expected = yardstick(x, labels, covariance="pooled", shrink=True).measure(new)
    assert (yardstick(x, labels).measure(new) == expected).all()


def test_a_clip_at_a_mean_is_at_no_distance() -> None:
    x, labels, _ = clips(40, 70)
    found = yardstick(x, labels)
    assert np.diag(found.measure(found.means)) == pytest.approx(0, abs=1e-12)
    assert found.tail(np.zeros((1, 3))) == pytest.approx(np.ones((1, 3)))


def test_what_has_no_vector_is_at_no_known_distance() -> None:
    x, labels, new = clips(60, 4)
    broken = new.copy()
    broken[1, 2], broken[3] = np.nan, np.inf
    for covariance in ("pooled", "per-emotion"):
        found = yardstick(x, labels, covariance=covariance)
        distances = found.measure(broken)
        assert np.isnan(distances[[1, 3]]).all()
        assert np.isnan(found.tail(distances)[[1, 3]]).all()
        np.testing.assert_allclose(distances[[0, 2, 4]], found.measure(new[[0, 2, 4]]), rtol=1e-12)
        assert found.measure(np.empty((0, 4))).shape == (0, 3)


def test_what_cannot_be_measured() -> None:
    x, labels, new = clips(60, 4)
    found = yardstick(x, labels)
    for points in (new[:, :3], new[0]):
        with pytest.raises(DistanceError, match=r"^points of shape .*: expected \(clips, 4\)$"):
            found.measure(points)
    options: dict[str, Any] = {"covariance": "per-emotion", "shrink": False}
    with pytest.raises(DistanceError, match=r"^\d+ clips of anger with 70 values each: this covariance needs 71"):
        yardstick(*clips(40, 70)[:2], **options)
    with pytest.raises(DistanceError, match=r"^60 clips with 5 values each: some values follow from others"):
        yardstick(np.column_stack([x, x[:, 0]]), labels, shrink=False)
    with pytest.raises(DistanceError, match=r"two or more, found anger$"):
        yardstick(x, ["anger"] * 60)
    with pytest.raises(DistanceError, match="one row for each label"):
        yardstick(x, labels[1:])


def test_values_beyond_the_limit_count_as_the_limit() -> None:
    x, labels = np.random.default_rng(5).normal(size=(60, 4)), np.array(["anger", "joy", "sadness"] * 20)
    x[7, 2] = 5000.0
    cut = np.clip(x, -3, 3)
    measure = yardstick(x, labels, limit=3.0)
    far = np.array([[0.1, -800.0, 0.2, 2.0]])
    expected = yardstick(cut, labels).measure(np.array([[0.1, -3.0, 0.2, 2.0]]))
    assert measure.measure(far) == pytest.approx(expected, abs=1e-12)
    assert np.abs(measure.measure(far) - yardstick(x, labels).measure(far)).max() > 1
