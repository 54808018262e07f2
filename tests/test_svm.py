"""The recogniser against scikit-learn's own calibrated support vector machine, and scores of probabilities by hand."""

from itertools import combinations

import numpy as np
import pytest
import safetensors.numpy
import scipy.linalg
import scipy.optimize
import sklearn.calibration
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from ser_core.models import calibration
from ser_core.models.calibration import couple
from ser_core.models.inputs import Inputs
from ser_core.models.svm import ModelError, Recogniser, Svm, fit, recogniser, svm
from ser_core.splits import Fold, inner


def clips(n_classes=4, dim=5, n_speakers=7, n_each=12, seed=0):
    """Clips whose class moves all values, and whose speaker moves them too; the last value is always the same."""
    random = np.random.default_rng(seed)
    y = np.arange(n_speakers * n_each) % n_classes
    groups = np.repeat([f"s{number}" for number in range(n_speakers)], n_each)
    places, voices = random.normal(size=(n_classes, dim)), random.normal(size=(n_speakers, dim)) / 2
    x = places[y] + np.repeat(voices, n_each, axis=0) + random.normal(size=(len(y), dim))
    x[:, -1] = 3.7
    return x, y, groups


def parts(y, groups):
    return [(part.train, part.test) for part in inner(y, groups)]


@pytest.fixture
def to_the_end(monkeypatch):
    """Let scikit-learn's calibration go on to the optimum: it stops at a gradient of 1e-6."""

    def minimize(loss, start, **_):
        found = scipy.optimize.minimize(loss, start, method="L-BFGS-B", jac=True, options={"gtol": 1e-6})
        for _ in range(5):  # Newton's steps, with the slope of the gradient by differences
            slope = [(loss(found.x + step)[1] - loss(found.x - step)[1]) / 2e-5 for step in np.eye(2) * 1e-5]
            found.x = found.x - np.linalg.solve(slope, loss(found.x)[1])
        return found

    monkeypatch.setattr(sklearn.calibration, "minimize", minimize)


@pytest.mark.parametrize(("dim", "kernel", "c"), [(5, "rbf", 1.0), (1100, "rbf", 1.0), (5, "linear", 0.1)])
def test_probabilities_of_two_classes_are_those_of_scikit_learn(to_the_end, dim, kernel, c):
    x, y, groups = clips(2, dim)
    new = clips(2, dim, seed=1)[0]
    found = recogniser(x, y, groups, kernel=kernel, c=c)
    machine = svm().set_params(svc__kernel=kernel, svc__C=c)
    plain = CalibratedClassifierCV(machine, ensemble=False, cv=parts(y, groups)).fit(x, y)
    np.testing.assert_allclose(found.probabilities(new), plain.predict_proba(new), rtol=0, atol=1e-9)
    assert found.slopes == pytest.approx([plain.calibrated_classifiers_[0].calibrators[0].a_], rel=1e-9)


@pytest.mark.parametrize(("n_classes", "dim"), [(3, 5), (5, 5), (4, 1100)])
def test_each_pair_is_calibrated_on_speakers_left_out(to_the_end, n_classes, dim):
    """scikit-learn's decision values of pairs, its calibration of each, and an optimiser that joins them."""
    x, y, groups = clips(n_classes, dim)
    new = clips(n_classes, dim, seed=1)[0][:20]
    plain = svm().set_params(svc__decision_function_shape="ovo")
    held = np.full((len(y), n_classes * (n_classes - 1) // 2), np.nan)
    for train, test in parts(y, groups):
        held[test] = plain.fit(x[train], y[train]).decision_function(x[test])
    decisions = plain.fit(x, y).decision_function(new)
    wins = np.zeros((20, n_classes, n_classes))
    for pair, (a, b) in enumerate(combinations(range(n_classes), 2)):
        rows = (y == a) | (y == b)
        sigmoid = sklearn.calibration._SigmoidCalibration().fit(held[rows, pair], y[rows] == a)
        wins[:, a, b] = sigmoid.predict(decisions[:, pair])
        wins[:, b, a] = 1 - wins[:, a, b]
    found = recogniser(x, y, groups).probabilities(new)
    np.testing.assert_allclose(found, [joined(one) for one in wins], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)


def joined(wins):
    """The p >= 0 of sum 1 that minimise sum (r_ji p_i - r_ij p_j)^2, as least squares with the sum weighing heavily."""
    n = len(wins)
    rows = []
    for a, b in combinations(range(n), 2):
        rows.append(wins[b, a] * np.eye(n)[a] - wins[a, b] * np.eye(n)[b])
    away = scipy.linalg.null_space(np.ones((1, n)))  # p = 1/n + away @ t: the sum is 1 whatever t
    t = np.linalg.lstsq(rows @ away, -np.array(rows) @ np.full(n, 1 / n))[0]
    p = 1 / n + away @ t
    assert (p >= 0).all()
    return p


def test_pairs_that_agree_are_joined_without_loss():
    shares = np.random.default_rng(6).dirichlet(np.ones(5), 10)
    pairs = np.stack([shares[:, a] / (shares[:, a] + shares[:, b]) for a, b in combinations(range(5), 2)], axis=1)
    np.testing.assert_allclose(couple(pairs), shares, atol=1e-6)  # no pair is taken as surer than 1e-7


def test_classes_that_lose_for_sure():
    assert couple(np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])) == pytest.approx(np.eye(3)[[0, 2]], abs=1e-6)


def test_the_machine_is_the_plain_one():
    x, y, groups = clips()
    found, plain = recogniser(x, y, groups), svm().set_params(svc__decision_function_shape="ovo").fit(x, y)
    assert found.machine.rows.tolist() == plain[1].support_.tolist()
    z = plain[0].transform(x)
    np.testing.assert_allclose(found.support, z[plain[1].support_], atol=1e-12)
    apart = ((z[:, None] - found.support) ** 2).sum(axis=2)
    kernel = np.exp(-apart / 4)  # of five values, four vary
    np.testing.assert_allclose(found.machine.decisions(kernel), plain.decision_function(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("c", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_votes_are_those_of_scikit_learn(n_classes, c, kernel):
    x, y, groups = clips(n_classes)
    new = np.random.default_rng(2).normal(size=(3000, 5)) * 2
    new[:, -1] = x[0, -1]
    plain = svm().set_params(svc__kernel=kernel, svc__C=c, svc__decision_function_shape="ovo").fit(x, y)
    found = recogniser(x, y, groups, kernel=kernel, c=c)
    decisions = plain.decision_function(new).reshape(3000, -1)
    np.testing.assert_allclose(found._decisions(new), decisions, rtol=0, atol=1e-9)
    assert (found.votes(new) == plain.predict(new)).all()
    if n_classes > 2:  # of classes that win as often, the first is named
        wins = np.stack([wins_of(one, n_classes) for one in decisions])
        assert ((wins == wins.max(axis=1, keepdims=True)).sum(axis=1) > 1).any()


def wins_of(decisions, n_classes):
    winners = [
        a if value > 0 else b for value, (a, b) in zip(decisions, combinations(range(n_classes), 2), strict=True)
    ]
    return np.bincount(winners, minlength=n_classes)


def test_it_comes_back_from_its_arrays_unchanged(tmp_path):
    x, y, groups = clips()
    x = x.astype(np.float32)
    found = recogniser(x, y, groups)
    np.savez(tmp_path / "kept.npz", **found.arrays())
    with np.load(tmp_path / "kept.npz", allow_pickle=False) as kept:
        again = Recogniser.of(dict(kept), x)
    assert (again.probabilities(x) == found.probabilities(x)).all()
    assert sum(array.nbytes for array in found.arrays().values()) < 20_000


def test_a_value_that_never_varied_tells_nothing():
    x, y, groups = clips()
    found = recogniser(x, y, groups)
    other = x.copy()
    other[:, -1] = 100
    assert (found.probabilities(other) == found.probabilities(x)).all()


def test_what_is_not_finite_has_no_probabilities():
    x, y, groups = clips()
    found = recogniser(x, y, groups)
    with_gap = x[:3].copy()
    with_gap[1, 2] = np.nan
    shares = found.probabilities(with_gap)
    assert np.isnan(shares[1]).all()
    np.testing.assert_allclose(shares[[0, 2]], found.probabilities(x[[0, 2]]), atol=1e-12)


def test_what_no_recogniser_can_be_learnt_from():
    x, y, groups = clips()
    with pytest.raises(ModelError, match=r"needs two emotions or more, numbered from 0; found \[0\]"):
        recogniser(x, np.zeros_like(y), groups)
    with pytest.raises(ModelError, match=r"numbered from 0; found \[1, 2, 3, 4\]"):
        recogniser(x, y + 1, groups)
    with pytest.raises(ModelError, match="4 clips of 4 emotions, no two of one emotion"):
        recogniser(x[:4], y[:4], groups[:4])


NAMES = ("anger", "boredom", "calm", "disgust", "fear")


def parted(n_classes=4, **options):
    """Inputs, class numbers and speakers of `clips`, and a fold that tests one speaker."""
    x, y, groups = clips(n_classes, **options)
    fold = Fold(np.flatnonzero(groups != "s2"), np.flatnonzero(groups == "s2"))
    return Inputs(x.astype(np.float32), None), y, groups, fold


@pytest.mark.parametrize(("kernel", "c"), [("rbf", 10.0), ("linear", 0.01)])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_model_of_a_fold_against_scikit_learn(n_classes, kernel, c):
    inputs, y, groups, fold = parted(n_classes)
    found = fit(inputs, y, fold, classes=NAMES[:n_classes], groups=groups, kernel=kernel, c=c)
    plain = svm().set_params(svc__kernel=kernel, svc__C=c).fit(inputs.vectors[fold.train].astype(float), y[fold.train])
    assert (found.predicted(inputs) == plain.predict(inputs.vectors.astype(float))).all()
    learnt = recogniser(inputs.vectors[fold.train], y[fold.train], groups[fold.train], kernel=kernel, c=c)
    expected = learnt.probabilities(inputs.vectors)
    np.testing.assert_allclose(found.probabilities(inputs), expected, rtol=0, atol=1e-12)


def test_what_the_model_learns_it_learns_from_the_training_part():
    inputs, y, groups, fold = parted()
    found = fit(inputs, y, fold, classes=NAMES[:4], groups=groups, kernel="rbf", c=1.0)
    other, mixed = inputs.vectors.copy(), y.copy()
    other[fold.test] += 100
    mixed[fold.test] = 0
    again = fit(Inputs(other, None), mixed, fold, classes=NAMES[:4], groups=groups, kernel="rbf", c=1.0)
    assert (again.probabilities(inputs) == found.probabilities(inputs)).all()
    shared = fit(inputs, y, fold, classes=NAMES[:4], groups=None, kernel="rbf", c=1.0)
    alone = fit(inputs, y, fold, classes=NAMES[:4], groups=np.full(len(y), "alone"), kernel="rbf", c=1.0)
    assert (shared.probabilities(inputs) == alone.probabilities(inputs)).all()
    assert not np.allclose(shared.probabilities(inputs), found.probabilities(inputs))


def test_a_class_that_was_not_taught_is_never_named():
    inputs, y, groups, fold = parted()
    fold = Fold(fold.train[y[fold.train] != 1], fold.test)
    found = fit(inputs, y, fold, classes=NAMES[:4], groups=groups, kernel="rbf", c=1.0)
    shares = found.probabilities(inputs)
    assert shares.shape == (84, 4)
    assert (shares[:, 1] == 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)
    assert set(found.predicted(inputs)) == {0, 2, 3}
    plain = svm().fit(inputs.vectors[fold.train].astype(float), y[fold.train])
    assert (found.predicted(inputs) == plain.predict(inputs.vectors.astype(float))).all()


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_the_model_comes_back_from_a_file_unchanged(tmp_path, kernel):
    inputs, y, groups, fold = parted()
    found = fit(inputs, y, fold, classes=NAMES[:4], groups=groups, kernel=kernel, c=1.0)
    safetensors.numpy.save_file(found.arrays(), tmp_path / "model.safetensors")
    again = Svm.of(safetensors.numpy.load_file(tmp_path / "model.safetensors"), NAMES[:4])
    assert (again.probabilities(inputs) == found.probabilities(inputs)).all()
    assert (again.predicted(inputs) == found.predicted(inputs)).all()
    assert again.n_parameters == found.n_parameters
    assert again.classes == NAMES[:4]


def test_the_number_of_parameters():
    inputs, y, groups, fold = parted()
    plain = svm().fit(inputs.vectors[fold.train].astype(float), y[fold.train])[1]
    found = fit(inputs, y, fold, classes=NAMES[:4], groups=groups, kernel="rbf", c=1.0)
    assert found.n_parameters == len(plain.support_) * 5 + np.count_nonzero(plain.dual_coef_) + 6
    found = fit(inputs, y, fold, classes=NAMES[:4], groups=groups, kernel="linear", c=1.0)
    assert found.n_parameters == 6 * 5 + 6


def test_a_model_of_vectors_is_given_pictures():
    _, y, groups, fold = parted()
    pictures = Inputs(None, np.zeros((len(y), 1, 2, 3), np.float32))
    with pytest.raises(ModelError, match="learnt from vectors, and was given pictures"):
        fit(pictures, y, fold, classes=NAMES[:4], groups=groups, kernel="rbf", c=1.0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("shift", [0.0, 1.5, 30.0])
def test_platt_is_a_logistic_regression_on_softened_targets(scale, shift):
    random = np.random.default_rng(3)
    positive = random.random(60) < 0.3
    values = random.normal(size=60) + shift * positive
    slope, offset = calibration.platt(values * scale, positive)
    expected = softened(values, positive)
    assert (slope * scale, offset) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def softened(values, positive):
    """Platt's slope and offset by scikit-learn's logistic regression: each clip twice, as both classes."""
    ones, zeros = positive.sum(), (~positive).sum()
    target = np.where(positive, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    plain = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-14, max_iter=1000)
    labels = np.repeat([1, 0], len(values))
    plain.fit(np.tile(values, 2)[:, None], labels, sample_weight=np.concatenate([target, 1 - target]))
    return -plain.coef_.item(), -plain.intercept_.item()


def test_platt_where_a_whole_step_goes_too_far():
    positive = np.arange(210) >= 200
    values = 0.3 * np.random.default_rng(0).normal(size=210) + 3.0 * positive
    values[-1] = -3.0
    assert calibration.platt(values, positive) == pytest.approx(softened(values, positive), rel=1e-9)


def test_platt_where_values_tell_nothing():
    slope, offset = calibration.platt(np.arange(8.0), np.zeros(8, bool))
    assert (slope, 1 / (1 + np.exp(offset))) == (pytest.approx(0, abs=1e-9), pytest.approx(0.1, abs=1e-9))
    slope, offset = calibration.platt(np.full(8, 2.0), np.arange(8) < 4)
    assert slope * 2 + offset == pytest.approx(0, abs=1e-9)


def test_brier_against_scikit_learn():
    random = np.random.default_rng(4)
    shares, truth = random.dirichlet(np.ones(4), 30), random.integers(4, size=30)
    expected = brier_score_loss(truth, shares, scale_by_half=False, labels=range(4))
    assert calibration.brier(shares, truth) == pytest.approx(expected, abs=1e-12)


def test_the_calibration_error_by_hand():
    random = np.random.default_rng(5)
    shares, truth = random.dirichlet(np.ones(3), 40), random.integers(3, size=40)
    top = sorted((max(row), float(np.argmax(row) == one)) for row, one in zip(shares, truth, strict=True))
    bins = [np.array(top[start : start + 4]) for start in range(0, 40, 4)]
    expected = np.mean([abs(one[:, 0].mean() - one[:, 1].mean()) for one in bins])
    assert calibration.calibration_error(shares, truth) == pytest.approx(expected, abs=1e-12)
    sure = np.eye(3)[truth]
    assert calibration.calibration_error(sure, truth) == 0
    assert calibration.calibration_error(sure, (truth + 1) % 3) == 1
