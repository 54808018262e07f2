"""Least squares against scikit-learn's ridge classifier, its choice and its probabilities against plain loops."""

import numpy as np
import pytest
import safetensors.numpy
from scipy.special import softmax
from sklearn.linear_model import Ridge as Plain
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import log_loss, recall_score
from sklearn.preprocessing import StandardScaler

from ser_core.models import ridge
from ser_core.models.inputs import LIMIT, Inputs
from ser_core.models.ridge import PENALTIES, Ridge
from ser_core.models.svm import ModelError
from ser_core.splits import Fold, inner

NAMES = ("anger", "boredom", "calm", "disgust")


def clips(n_classes=3, n=140, dim=200, seed=0):
    """More values than clips; the class moves them, and so does each of seven speakers, of whom two are tested."""
    random = np.random.default_rng(seed)
    y, groups = np.arange(n) % n_classes, np.arange(n) * 7 // n
    voices = random.normal(size=(7, dim)) / 2
    x = random.normal(size=(n_classes, dim))[y] / 4 + voices[groups] + random.normal(size=(n, dim))
    x[:, 3] = 5.0
    x[::50, 4] = 1e4
    fold = Fold(np.flatnonzero(groups < 5), np.flatnonzero(groups > 4))
    return Inputs(x.astype(np.float32), None), y, groups.astype(str), fold


def learn(inputs, y, fold, groups=None, **options):
    return ridge.fit(inputs, y, fold, classes=NAMES[: y.max() + 1], groups=groups, **options)


def scaled(inputs, rows):
    """All clips as the rows' mean and deviation make them; what is far out counts as the limit."""
    x = inputs.vectors.astype(np.float64)
    return np.clip(StandardScaler().fit(x[rows]).transform(x), -LIMIT, LIMIT).astype(np.float32).astype(np.float64)


def alpha(z, penalty):
    return penalty * (z**2).sum() / len(z)


def told(inputs, y, rows, asked, penalty):
    """Scores by scikit-learn's ridge regression on 0 and 1, with the intercepts that `fit` has: the classes' shares."""
    z, target = scaled(inputs, rows), np.eye(y.max() + 1)[y]
    mean = target[rows].mean(axis=0)
    plain = Plain(alpha(z[rows], penalty), fit_intercept=False).fit(z[rows], target[rows] - mean)
    return plain.predict(z[asked]) + mean


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_those_of_ridge_regression(n_classes):
    inputs, y, groups, fold = clips(n_classes)
    found = learn(inputs, y, fold, groups)
    expected = told(inputs, y, fold.train, fold.test, found.penalty)
    np.testing.assert_allclose(found._scores(inputs.take(fold.test)), expected, rtol=0, atol=1e-9)
    assert (found.predicted(inputs.take(fold.test)) == expected.argmax(axis=1)).all()


def test_it_names_what_scikit_learns_classifier_names():
    inputs, y, _, fold = clips()
    inputs.vectors[inputs.vectors > 1e3] = 0
    found = learn(inputs, y, fold)
    z = scaled(inputs, fold.train)
    plain = RidgeClassifier(alpha(z[fold.train], found.penalty)).fit(z[fold.train], y[fold.train])
    assert (found.predicted(inputs) == plain.predict(z)).all()


@pytest.mark.parametrize("spoken", [True, False])
def test_the_penalty_is_chosen_on_parts_that_keep_speakers_together(spoken):
    inputs, y, groups, fold = clips()
    known = groups if spoken else None
    found = learn(inputs, y, fold, known)
    own, uars, likely = fold.train, {}, {}
    parts = inner(y[own], groups[own] if spoken else None)
    truth = np.concatenate([y[own][part.test] for part in parts])
    for penalty in PENALTIES:
        said = np.concatenate([told(inputs, y, own[part.train], own[part.test], penalty) for part in parts])
        uars[penalty] = round(recall_score(truth, said.argmax(axis=1), average="macro"), 12)
        likely[penalty] = {
            one: log_loss(truth, softmax(one * said, axis=1)) for one in found.sharpness * np.array([0.99, 1, 1.01])
        }
    assert len(set(uars.values())) > 1
    assert found.penalty == max(penalty for penalty in PENALTIES if uars[penalty] == max(uars.values()))
    assert min(likely[found.penalty], key=likely[found.penalty].get) == found.sharpness


def test_probabilities_are_a_softmax_of_the_scores():
    inputs, y, groups, fold = clips()
    found = learn(inputs, y, fold, groups)
    shares = found.probabilities(inputs)
    np.testing.assert_allclose(shares, softmax(found.sharpness * found._scores(inputs), axis=1), atol=1e-12)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)


def test_clips_that_are_not_trained_on_change_nothing():
    inputs, y, groups, fold = clips()
    found = learn(inputs, y, fold, groups)
    other = Inputs(inputs.vectors.copy(), None)
    other.vectors[fold.test] = 99
    again = learn(other, y, fold, groups)
    assert (again.weights == found.weights).all()
    assert (again.penalty, again.sharpness) == (found.penalty, found.sharpness)


def test_shuffled_labels_stay_at_chance():
    inputs, y, groups, fold = clips(n=700, dim=50)
    mixed = np.random.default_rng(1).permutation(y)
    found = learn(inputs, mixed, fold, groups)
    right = found.predicted(inputs.take(fold.test)) == mixed[fold.test]
    assert abs(right.mean() - 1 / 3) < 4 * np.sqrt(2 / 9 / len(right))


def test_a_class_that_is_tested_only_is_never_named():
    inputs, y, groups, fold = clips(4)
    y[fold.train] = np.where(y[fold.train] == 1, 2, y[fold.train])
    found = learn(inputs, y, fold, groups)
    assert found.present.tolist() == [0, 2, 3]
    assert (found.probabilities(inputs)[:, 1] == 0).all()
    assert 1 not in found.predicted(inputs)


def test_it_comes_back_from_its_arrays_unchanged(tmp_path):
    inputs, y, groups, fold = clips()
    found = learn(inputs, y, fold, groups)
    safetensors.numpy.save_file(found.arrays(), tmp_path / "model.safetensors")
    again = Ridge.of(safetensors.numpy.load_file(tmp_path / "model.safetensors"), found.classes)
    assert (again.probabilities(inputs) == found.probabilities(inputs)).all()
    assert (again.predicted(inputs) == found.predicted(inputs)).all()
    assert again.n_parameters == found.n_parameters == 3 * 201


def test_progress_counts_parts_and_the_last_fit():
    inputs, y, groups, fold = clips()
    said = []
    learn(inputs, y, fold, groups, progress=lambda *now: said.append(now))
    assert said == [(number, 6) for number in range(6)]


def test_what_cannot_be_learnt_from():
    inputs, y, groups, fold = clips()
    with pytest.raises(ModelError, match="two emotions or more, and two clips of one; found 100 of anger"):
        learn(inputs, np.zeros_like(y), fold, groups)
    with pytest.raises(ModelError, match="found 2 of anger, boredom"):
        learn(inputs, y, Fold(np.array([0, 1]), fold.test), groups)
    with pytest.raises(ModelError, match="given pictures: name an encoder of vectors"):
        learn(Inputs(None, np.zeros((140, 1, 4, 4), np.float32)), y, fold, groups)
