import numpy as np
import pytest

from ser_core.resampling import mean_interval


def test_agrees_with_a_plain_loop_over_drawn_speakers():
    random = np.random.default_rng(1)
    groups = [f"s{n}" for n in random.integers(0, 12, 300)]
    values = random.normal(size=300) + np.array([hash_free(name) for name in groups])
    found = mean_interval(values, groups, seed=0, n_resamples=20_000)
    names = sorted(set(groups))
    by_group = {name: values[[group == name for group in groups]] for name in names}
    means = [
        np.concatenate([by_group[name] for name in random.choice(names, len(names))]).mean() for _ in range(20_000)
    ]
    assert found == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.02)


def hash_free(name: str) -> float:
    return int(name[1:]) / 6


def test_is_wider_than_clips_taken_as_independent_where_speakers_differ():
    groups = ["a"] * 50 + ["b"] * 50 + ["c"] * 50
    values = np.repeat([0.0, 0.5, 1.0], 50)
    low, high = mean_interval(values, groups, seed=0)
    alone = mean_interval(values, [str(n) for n in range(150)], seed=0)
    assert high - low > 3 * (alone[1] - alone[0])


def test_does_not_depend_on_the_order_of_clips():
    values, groups = np.arange(6.0), np.array(["a", "a", "b", "b", "c", "c"])
    order = [5, 3, 1, 0, 2, 4]
    assert mean_interval(values, list(groups), seed=3) == mean_interval(values[order], list(groups[order]), seed=3)


def test_says_what_it_needs():
    with pytest.raises(ValueError, match="two or more, got 1"):
        mean_interval(np.zeros(2), ["a", "a"], seed=0)
    with pytest.raises(ValueError, match="equally long, got 2 and 1"):
        mean_interval(np.zeros(2), ["a"], seed=0)
