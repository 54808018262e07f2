"""Means over folds and correlations with intervals, against SciPy and by hand."""

import numpy as np
import pytest
from scipy import stats

from ser_core.geometry import clustered


def test_over_folds_is_students_interval():
    values = np.random.default_rng(0).normal(0.6, 0.1, 10)
    found = clustered.over_folds(values)
    low, high = stats.t.interval(0.95, 9, loc=values.mean(), scale=stats.sem(values))
    assert found.value == pytest.approx(values.mean(), abs=1e-12)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_folds_that_cannot_tell_do_not_count():
    assert clustered.over_folds(np.array([0.5, np.nan, 0.7])).value == pytest.approx(0.6)
    one = clustered.over_folds(np.array([0.5, np.nan]))
    assert one.value == 0.5
    assert np.isnan([one.low, one.high]).all()
    assert np.isnan(clustered.over_folds(np.array([np.nan])).value)


def readings(n_speakers: int = 8, n: int = 96) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    y = random.normal(size=n)
    x = np.stack([0.7 * y + random.normal(size=n), -0.2 * y + random.normal(size=n) + 50])
    return x, y, np.resize([f"{k:02d}" for k in range(n_speakers)], n)


def test_a_correlation_is_the_mean_of_pearsons():
    x, y, speakers = readings()
    x[0, 5], y[7] = np.nan, np.nan
    pairs = [stats.pearsonr(one[told], y[told]).statistic for one in x for told in [~np.isnan(one) & ~np.isnan(y)]]
    assert clustered.correlation(x, y, speakers).value == pytest.approx(np.mean(pairs), abs=1e-9)


def test_its_interval_draws_whole_speakers():
    x, y, speakers = readings()
    found = clustered.correlation(x[:1], y, speakers)
    random, drawn = np.random.default_rng(11), []
    names = sorted(set(speakers))
    for _ in range(2000):
        rows = np.concatenate([np.flatnonzero(speakers == name) for name in random.choice(names, len(names))])
        drawn.append(np.corrcoef(x[0, rows], y[rows])[0, 1])
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.02)
    assert found.low < found.value < found.high


def test_one_speaker_gives_no_interval_and_no_spread_no_correlation():
    x, y, _ = readings()
    alone = clustered.correlation(x, y, np.full(len(y), "a"))
    assert np.isfinite(alone.value)
    assert np.isnan([alone.low, alone.high]).all()
    assert np.isnan(clustered.correlation(np.ones((1, 96)), y, np.resize(["a", "b"], 96)).value)
    assert np.isnan(clustered.correlation(x, np.full(96, np.nan), np.resize(["a", "b"], 96)).value)
