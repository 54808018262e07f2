"""Two numbers of a clip and the machine on them: against scikit-learn, and by what is planted."""

import numpy as np
import pytest
import torch
import two_corpora
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser_core.models import autoencoder, plane
from ser_core.models.autoencoder import AutoencoderTraining
from ser_core.models.training import TrainingError

TABLE = two_corpora.clips(6)
Y = np.array([list(two_corpora.AFFECT).index(word) for word in TABLE["emotion"]])
AFFECT = np.array([two_corpora.AFFECT[word] for word in TABLE["emotion"]])
X = two_corpora.planted(TABLE, seed=1)
ROWS = np.arange(len(X))


@pytest.fixture(scope="module")
def learnt() -> dict[str, plane.Learner]:
    scale = plane.scaled(X, ROWS)
    z = scale.apply(X).astype(np.float64)
    return {one: plane.fit(one, z, Y, affect=AFFECT, scale=scale, seed=0) for one in plane.METHODS}


def standardised() -> np.ndarray:
    return plane.scaled(X, ROWS).apply(X).astype(np.float64)


@pytest.mark.parametrize("method", plane.PLANES)
def test_the_numbers_point_where_affect_does(learnt, method):
    numbers = learnt[method].reducer.numbers(standardised())
    assert numbers.shape == (len(X), 2)
    assert numbers.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert numbers.std(axis=0) == pytest.approx(1, abs=1e-9)
    goes = np.corrcoef(numbers.T, AFFECT.T)[:2, 2:]
    assert abs(goes[0, 1]) >= abs(goes[1, 1])
    assert goes[0, 1] > 0.5
    assert goes[1, 0] > 0


def test_where_nothing_is_known_they_stay_as_they_are():
    scale, z = plane.scaled(X, ROWS), standardised()
    unknown = np.full((len(X), 2), np.nan)
    found = plane.reduce("pca", z, affect=unknown, scale=scale, seed=0)
    assert (found.turn >= 0).all()
    assert np.count_nonzero(found.turn) == 2
    assert found.turn[0, 0] > 0


def test_the_plane_of_pca_is_scikit_learns(learnt):
    z = standardised()
    theirs = PCA(2).fit_transform(z)
    ours = learnt["pca"].reducer.numbers(z)
    alike = np.abs(np.corrcoef(theirs.T, ours.T)[:2, 2:])
    assert np.sort(alike.max(axis=0)) == pytest.approx([1, 1], abs=1e-9)


@pytest.mark.parametrize("method", plane.METHODS)
def test_the_machine_says_what_scikit_learns_says(learnt, method):
    one = learnt[method]
    numbers = one.reducer.numbers(standardised())
    theirs = SVC(kernel="linear", class_weight="balanced").fit(numbers, Y)
    assert one.predicted(numbers).tolist() == theirs.predict(numbers).tolist()


def test_of_two_emotions_too():
    two = Y < 2
    scale = plane.scaled(X, np.flatnonzero(two))
    z = scale.apply(X).astype(np.float64)
    one = plane.fit("features", z[two], Y[two], affect=AFFECT[two], scale=scale, seed=0)
    assert (one.predicted(one.reducer.numbers(z[two])) == Y[two]).mean() > 0.9


def test_arrays_give_it_back(learnt):
    z = standardised()
    for method, one in learnt.items():
        again = plane.Learner.of(method, one.arrays())
        assert again.reducer.numbers(z).tolist() == one.reducer.numbers(z).tolist()
        assert again.predicted(again.reducer.numbers(z)).tolist() == one.predicted(one.reducer.numbers(z)).tolist()


def test_outliers_are_found_among_the_training_clips_alone():
    x = np.random.default_rng(0).normal(size=(150, 88)).astype(np.float32)
    x[3, 5], x[130, 7] = 1e4, 1e4
    rows = np.arange(120)
    scale, kept = plane.typical(x, rows)
    assert kept.tolist() == [row for row in range(120) if row != 3]
    theirs = StandardScaler().fit(x[kept].astype(np.float64))
    assert scale.centre == pytest.approx(theirs.mean_, abs=1e-9)
    assert scale.spread == pytest.approx(theirs.scale_, abs=1e-9)
    assert np.flatnonzero(plane.outliers(x, scale)).tolist() == [3, 130]


def test_a_constant_value_becomes_zero():
    x = X.copy()
    x[:, 4] = 7.0
    scale, _ = plane.typical(x, ROWS)
    assert np.isinf(scale.spread[4])
    other = x + 1
    assert not scale.apply(other)[:, 4].any()


def test_an_autoencoder_learns_and_the_same_seed_gives_the_same():
    z = standardised()
    before = torch.get_rng_state()
    first, errors = autoencoder.fit(z, training=AutoencoderTraining(0.0), seed=3)
    again, _ = autoencoder.fit(z, training=AutoencoderTraining(0.0), seed=3)
    other, _ = autoencoder.fit(z, training=AutoencoderTraining(0.0), seed=4)
    noisy, _ = autoencoder.fit(z, training=AutoencoderTraining(1.0), seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(errors) == 50
    assert errors[-1] < 0.9 * errors[0]
    assert autoencoder.latents(first, z).tolist() == autoencoder.latents(again, z).tolist()
    assert autoencoder.latents(first, z).tolist() != autoencoder.latents(other, z).tolist()
    assert autoencoder.latents(first, z).tolist() != autoencoder.latents(noisy, z).tolist()


def test_its_error_is_that_of_what_it_draws():
    z = standardised()
    made, errors, missed = plane.trained(
        "uae", z, ROWS, affect=AFFECT, scale=plane.scaled(X, ROWS), training=AutoencoderTraining(0.0), seed=0
    )
    module = made.autoencoder()
    layers = [one.detach().double().numpy() for one in module.parameters()]
    hidden = np.maximum(z @ layers[0].T + layers[1], 0)
    latents = hidden @ layers[2].T + layers[3]
    drawn = np.maximum(latents @ layers[4].T + layers[5], 0) @ layers[6].T + layers[7]
    assert missed == pytest.approx(np.square(drawn - z).mean(axis=1), abs=1e-4)
    assert made.numbers(z) == pytest.approx((latents - latents.mean(axis=0)) @ made.turn, abs=1e-4)
    assert missed.mean() == pytest.approx(errors[-1], rel=0.1)


def test_the_sizes_are_those_said():
    module = autoencoder.Autoencoder(88)
    shapes = [tuple(one.weight.shape) for one in [*module.encoder, *module.decoder] if isinstance(one, torch.nn.Linear)]
    assert shapes == [(64, 88), (2, 64), (64, 2), (88, 64)]


def test_nothing_to_learn_from_is_said():
    with pytest.raises(TrainingError, match="needs one clip or more"):
        autoencoder.fit(np.empty((0, 88)), training=AutoencoderTraining(0.0), seed=0)
