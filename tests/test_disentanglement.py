"""Which dimension carries what: against scikit-learn, hand-computed cases and codes that are known."""

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from ser_core.geometry.disentanglement import (
    DisentanglementError,
    Importance,
    Information,
    Separated,
    active,
    importance,
    information,
    separated,
)

N = 240
RNG = np.random.default_rng(0)
EMOTION = np.repeat(["angry", "calm", "happy", "sad"], N // 4)
SPEAKER = np.tile(["f1", "f2", "m1"], N // 3)
FACTORS = {"emotion": EMOTION.tolist(), "speaker": SPEAKER.tolist()}


def coded(*factors: np.ndarray, noise: float = 0.05) -> np.ndarray:
    """One dimension a factor, its values in a row, with a little noise."""
    numbers = np.stack([np.unique(one, return_inverse=True)[1] for one in factors], axis=1)
    return numbers + noise * np.random.default_rng(1).standard_normal(numbers.shape)


def turned(x: np.ndarray) -> np.ndarray:
    """The plane of two dimensions turned by 45 degrees: the same space, no dimension of its own for anything."""
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return x @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)


def test_mutual_information_is_scikit_learns() -> None:
    x = RNG.standard_normal((N, 3))
    found = information(x, FACTORS, seed=0, n_shuffles=2)
    for number, one in enumerate(x.T):
        edges = np.linspace(one.min(), one.max(), 21)
        bins = np.digitize(one, edges[1:-1])
        for at, labels in enumerate(FACTORS.values()):
            assert found.mutual[number, at] == pytest.approx(mutual_info_score(labels, bins), abs=1e-9)
    assert found.entropy == pytest.approx([np.log(4), np.log(3)], abs=1e-12)
    assert found.factors == ("emotion", "speaker")


def test_one_dimension_a_factor_says_all_and_has_the_whole_gap() -> None:
    x = np.stack([np.unique(one, return_inverse=True)[1] for one in (EMOTION, SPEAKER)], axis=1).astype(float)
    found = information(x, FACTORS, seed=0)
    assert found.shares == pytest.approx(np.eye(2), abs=1e-12)  # each emotion is as often said by each speaker
    assert found.gaps == pytest.approx([1, 1], abs=1e-12)


def test_a_turned_code_has_a_smaller_gap() -> None:
    x = coded(EMOTION, SPEAKER)
    for measure in (lambda x: information(x, FACTORS, seed=0, n_shuffles=1), lambda x: separated(x, FACTORS, seed=0)):
        assert (measure(turned(x)).gaps < measure(x).gaps - 0.2).all()
    assert importance(turned(x), FACTORS, seed=0).disentanglement < importance(x, FACTORS, seed=0).disentanglement - 0.4


def test_chance_is_what_shuffled_labels_bring() -> None:
    x = RNG.standard_normal((N, 40))
    found = information(x, FACTORS, seed=3)
    assert found.chance.mean(axis=0) == pytest.approx(found.mutual.mean(axis=0), rel=0.05)  # x knows nothing
    assert 0.01 <= (found.mutual > found.chance_95).mean() <= 0.12
    assert (found.chance > 0.05).all()
    again = information(x, FACTORS, seed=3)
    assert np.array_equal(found.chance_95, again.chance_95)
    assert not np.array_equal(found.chance_95, information(x, FACTORS, seed=4).chance_95)


def test_a_dimension_that_never_moves_says_nothing() -> None:
    x = np.stack([np.zeros(N), coded(EMOTION)[:, 0]], axis=1)
    assert information(x, FACTORS, seed=0, n_shuffles=1).mutual[0] == pytest.approx([0, 0], abs=1e-12)
    assert importance(x, FACTORS, seed=0).weights[0] == pytest.approx([0, 0], abs=1e-12)


def test_gaps_by_hand() -> None:
    shares = np.array([[0.9, 0.2], [0.3, 0.25], [0.1, 0.6]])
    told = Information(("a", "b"), np.array([2.0, 0.5]), shares * [2.0, 0.5], shares, shares)
    assert told.shares == pytest.approx(shares)
    assert told.gaps == pytest.approx([0.6, 0.35])
    assert Separated(("a", "b"), shares).gaps == pytest.approx([0.6, 0.35])


def test_one_dimension_alone_is_tested_on_clips_that_it_has_not_seen() -> None:
    x = np.hstack([coded(SPEAKER), RNG.standard_normal((N, 1))])
    found = separated(x, FACTORS, seed=0)
    assert found.accuracy[1] == pytest.approx([1 / 4, 1 / 3], abs=0.1)
    assert found.accuracy[0, 0] == pytest.approx(1 / 4, abs=0.1)
    assert found.accuracy[0, 1] > 0.9


def test_importance_finds_the_dimension_of_each_factor() -> None:
    found = importance(coded(EMOTION, SPEAKER), FACTORS, seed=0)
    assert found.weights.sum(axis=0) == pytest.approx([1, 1])
    assert (np.diag(found.weights) > 0.85).all()
    assert found.informativeness == pytest.approx([1, 1], abs=0.02)
    assert found.disentanglement > 0.5
    nothing = importance(RNG.standard_normal((N, 2)), FACTORS, seed=0)
    assert nothing.informativeness == pytest.approx([1 / 4, 1 / 3], abs=0.12)
    assert nothing.disentanglement < 0.02


def test_disentanglement_and_completeness_by_hand() -> None:
    weights = np.array([[0.8, 0.0], [0.2, 0.5], [0.0, 0.5]])
    found = Importance(("a", "b"), weights, np.ones(2))
    of_dimensions = [1 - entropy(row, base=2) for row in weights]
    assert found.disentanglement == pytest.approx(np.average(of_dimensions, weights=weights.sum(axis=1)), abs=1e-12)
    assert found.completeness == pytest.approx([1 - entropy(column, base=3) for column in weights.T], abs=1e-12)
    assert Importance(("a", "b"), np.eye(2), np.ones(2)).disentanglement == pytest.approx(1)
    assert Importance(("a", "b"), np.full((2, 2), 0.5), np.ones(2)).disentanglement == pytest.approx(0)
    idle = Importance(("a", "b"), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), np.ones(2))
    assert idle.disentanglement == pytest.approx(1)
    assert idle.completeness == pytest.approx([1, 1])


def test_active_latents_vary() -> None:
    x = np.zeros((N, 3))
    x[:, 1], x[:, 2] = np.tile([-0.11, 0.11], N // 2), np.tile([-0.09, 0.09], N // 2)
    assert active(x).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("x", "factors", "told"),
    [
        (np.zeros((N, 1)), FACTORS, "two dimensions or more"),
        (np.zeros((N, 2)), {"statement": ["kids"] * N}, "statement: expected two values or more"),
        (np.zeros((N, 2)), {"statement": ["kids", "dogs"]}, f"of {N} clips; got 2 of 2 clips"),
        (np.zeros((N, 2)), {"who": ["a", *["b"] * (N - 1)]}, "every value needs 5 clips or more, one has 1"),
    ],
)
def test_what_cannot_be_told_is_said(x: np.ndarray, factors: dict[str, list[str]], told: str) -> None:
    for measure in (information, separated, importance):
        with pytest.raises(DisentanglementError, match=told):
            measure(x, factors, seed=0)


def test_the_order_of_clips_does_not_matter_to_what_is_counted() -> None:
    x, order = coded(EMOTION, SPEAKER, noise=1.0), RNG.permutation(N)
    mixed = {name: [labels[row] for row in order] for name, labels in FACTORS.items()}
    found, again = (information(*of, seed=0, n_shuffles=1) for of in ((x, FACTORS), (x[order], mixed)))
    assert found.mutual == pytest.approx(again.mutual, abs=1e-12)
