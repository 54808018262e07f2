import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, mannwhitneyu
from sklearn import metrics

from ser_core import evaluation, scores
from ser_core.evaluation import Evaluation
from ser_core.models import calibration
from ser_core.scores import Curve, EvaluationError

RANDOM = np.random.default_rng(3)
N, E = 120, 4
TRUTH = RANDOM.integers(E, size=N)
PREDICTED = np.where(RANDOM.random(N) < 0.5, TRUTH, RANDOM.integers(E, size=N))
RAW = RANDOM.random((N, E)).round(2) + 0.5 * np.eye(E)[TRUTH] + 0.01
PROBABILITIES = RAW / RAW.sum(axis=1, keepdims=True)
SPEAKERS = np.array([f"s{number}" for number in RANDOM.integers(6, size=N)])
COUNTS = scores.confusion(TRUTH, PREDICTED, n_classes=E)

HAND = np.array([[3, 1, 0], [2, 2, 0], [0, 1, 0]])
"""Of the third emotion there is one clip, and nothing is called so."""


def test_the_evaluation_goes_on_to_offer_the_scores() -> None:
    assert evaluation.uar is scores.uar
    assert evaluation.wa is scores.wa
    assert evaluation.confusion is scores.confusion
    assert evaluation.EvaluationError is EvaluationError


def test_scores_against_scikit_learn() -> None:
    assert np.array_equal(COUNTS, metrics.confusion_matrix(TRUTH, PREDICTED))
    assert scores.uar(COUNTS) == pytest.approx(metrics.balanced_accuracy_score(TRUTH, PREDICTED), abs=1e-9)
    assert scores.wa(COUNTS) == pytest.approx(metrics.accuracy_score(TRUTH, PREDICTED), abs=1e-9)
    assert scores.macro_f1(COUNTS) == pytest.approx(metrics.f1_score(TRUTH, PREDICTED, average="macro"), abs=1e-9)


def test_scores_by_hand() -> None:
    assert scores.uar(HAND) == pytest.approx((3 / 4 + 2 / 4 + 0) / 3, abs=1e-9)
    assert scores.wa(HAND) == pytest.approx(5 / 9, abs=1e-9)
    assert scores.macro_f1(HAND) == pytest.approx((6 / 9 + 4 / 8 + 0) / 3, abs=1e-9)


def test_an_emotion_without_clips_takes_no_part_in_a_mean() -> None:
    counts = np.array([[3, 0, 1], [1, 2, 1], [0, 0, 0]])
    truth, predicted = np.repeat(np.indices((3, 3)).reshape(2, -1), counts.ravel(), axis=1)
    expected = metrics.f1_score(truth, predicted, labels=[0, 1], average="macro")
    assert scores.macro_f1(counts) == pytest.approx(expected, abs=1e-9)
    assert scores.uar(counts) == pytest.approx((3 / 4 + 2 / 4) / 2, abs=1e-9)


@pytest.mark.parametrize("score", [scores.uar, scores.wa, scores.macro_f1])
def test_no_clips_no_score(score: Callable[[np.ndarray], float]) -> None:
    with pytest.raises(EvaluationError, match="no clips to score"):
        score(np.zeros((2, 2), int))


@pytest.mark.parametrize("score", [scores.uar, scores.wa, scores.macro_f1])
def test_of_many_matrices_each_has_its_score_and_one_without_clips_none(score: Callable[[np.ndarray], Any]) -> None:
    many = np.random.default_rng(3).integers(0, 4, (5, 3, E, E))
    many[0, 0] = 0
    many[1, 0, 2] = 0  # an emotion that no clip has
    many[2, 0, 1], many[2, 0, :, 1] = 0, 0  # one that nothing is called, either
    found = score(many)
    assert found.shape == (5, 3)
    assert np.isnan(found[0, 0])
    for at in np.ndindex(5, 3):
        if many[at].any():
            assert found[at] == pytest.approx(score(many[at]), abs=1e-12)


def test_an_interval_is_that_of_the_speakers_drawn_one_draw_after_the_other() -> None:
    found = Evaluation(tuple("abcd"), TRUTH, PREDICTED, SPEAKERS, pd.DataFrame())
    names, values = np.unique(SPEAKERS), []
    for times in scores.draws(len(names)):
        rows = np.concatenate(
            [np.tile(np.flatnonzero(name == SPEAKERS), n) for name, n in zip(names, times, strict=True)]
        )
        values.append(metrics.balanced_accuracy_score(TRUTH[rows], PREDICTED[rows]))
    assert len(values) == 1000
    assert found.interval(scores.uar) == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=1e-12)


def test_report_against_scikit_learn() -> None:
    table = scores.report(COUNTS, ["a", "b", "c", "d"])
    theirs = metrics.precision_recall_fscore_support(TRUTH, PREDICTED)
    assert list(table["emotion"]) == ["a", "b", "c", "d"]
    for name, expected in zip(("precision", "recall", "f1", "n"), theirs, strict=True):
        assert table[name].to_numpy() == pytest.approx(np.asarray(expected), abs=1e-9)


def test_report_by_hand() -> None:
    table = scores.report(np.array([[3, 1, 0, 0], [2, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]), ["a", "b", "c", "d"])
    nan = math.nan
    assert table["precision"].to_list() == pytest.approx([3 / 5, 2 / 4, nan, nan], abs=1e-9, nan_ok=True)
    assert table["recall"].to_list() == pytest.approx([3 / 4, 2 / 4, 0, nan], abs=1e-9, nan_ok=True)
    assert table["f1"].to_list() == pytest.approx([6 / 9, 4 / 8, 0, nan], abs=1e-9, nan_ok=True)
    assert table["n"].to_list() == [4, 4, 1, 0]


def test_roc_against_scikit_learn_and_pairs() -> None:
    truth, score = TRUTH == 1, PROBABILITIES[:, 1]
    curve = scores.roc(truth, score)
    assert curve.area == pytest.approx(metrics.roc_auc_score(truth, score), abs=1e-9)
    assert curve.area == pytest.approx(np.trapezoid(curve.y, curve.x), abs=1e-9)
    wins = mannwhitneyu(score[truth], score[~truth]).statistic
    assert curve.area == pytest.approx(wins / (truth.sum() * (~truth).sum()), abs=1e-9)
    for alarms, hits, threshold in zip(curve.x, curve.y, curve.thresholds, strict=True):
        assert hits == pytest.approx((score[truth] >= threshold).mean(), abs=1e-9)
        assert alarms == pytest.approx((score[~truth] >= threshold).mean(), abs=1e-9)


def test_roc_by_hand() -> None:
    curve = scores.roc(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.5, 0.5]))
    assert curve.x.tolist() == pytest.approx([0, 0, 0.5, 1], abs=1e-9)
    assert curve.y.tolist() == pytest.approx([0, 0.5, 0.5, 1], abs=1e-9)
    assert curve.thresholds.tolist() == [math.inf, 0.9, 0.8, 0.5]
    assert curve.area == pytest.approx((1 + 1 + 0 + 0.5) / 4, abs=1e-9)  # of four pairs, the last is a tie


def test_precision_recall_against_scikit_learn() -> None:
    truth, score = TRUTH == 2, PROBABILITIES[:, 2]
    curve = scores.precision_recall(truth, score)
    assert curve.area == pytest.approx(metrics.average_precision_score(truth, score), abs=1e-9)
    for recall, precision, threshold in zip(curve.x[:-1], curve.y[:-1], curve.thresholds[:-1], strict=True):
        said = score >= threshold
        assert recall == pytest.approx(metrics.recall_score(truth, said), abs=1e-9)
        assert precision == pytest.approx(metrics.precision_score(truth, said), abs=1e-9)
    assert (curve.x[-1], curve.y[-1], curve.thresholds[-1]) == (0, 1, math.inf)


def test_precision_recall_by_hand() -> None:
    curve = scores.precision_recall(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.5, 0.1]))
    assert curve.area == pytest.approx(0.5 * 1 + 0.5 * 2 / 3, abs=1e-9)  # recall 1/2 at precision 1, then 1 at 2/3
    assert curve.x.tolist() == pytest.approx([1, 1, 0.5, 0.5, 0], abs=1e-9)
    assert curve.y.tolist() == pytest.approx([2 / 4, 2 / 3, 1 / 2, 1, 1], abs=1e-9)


@pytest.mark.parametrize("curve", [scores.roc, scores.precision_recall])
def test_a_curve_needs_clips_of_both_sides(curve: Callable[[np.ndarray, np.ndarray], Curve]) -> None:
    for truth in (np.zeros(3, bool), np.ones(3, bool)):
        with pytest.raises(EvaluationError, match=f"others, found {truth.sum()} of it among 3"):
            curve(truth, np.arange(3.0))


def test_auc_against_scikit_learn() -> None:
    expected = metrics.roc_auc_score(TRUTH, PROBABILITIES, multi_class="ovr", average="macro")
    assert scores.auc(TRUTH, PROBABILITIES) == pytest.approx(expected, abs=1e-9)


def test_auc_by_hand() -> None:
    truth, sure = np.array([0, 0, 1, 1]), np.array([0.9, 0.4, 0.4, 0.3])
    probabilities = np.stack([sure, 1 - sure, np.zeros(4)], axis=1)  # a third emotion that no clip has
    assert scores.auc(truth, probabilities) == pytest.approx((3 + 0.5) / 4, abs=1e-9)
    with pytest.raises(EvaluationError, match="found 4 of it among 4"):
        scores.auc(np.zeros(4, int), probabilities)


def test_the_interval_of_auc_draws_speakers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the same draws, each done the long way: clips repeated, then scikit-learn."""
    monkeypatch.setattr(scores, "N_RESAMPLES", 40)
    rows = {name: np.flatnonzero(name == SPEAKERS) for name in sorted(set(SPEAKERS))}
    areas = []
    for times in scores.draws(6):
        drawn = np.concatenate([np.tile(rows[name], n) for name, n in zip(rows, times, strict=True)])
        one_by_one = [metrics.roc_auc_score(TRUTH[drawn] == one, PROBABILITIES[drawn, one]) for one in range(E)]
        areas.append(np.mean(one_by_one))
    expected = tuple(np.percentile(areas, [2.5, 97.5]))
    assert scores.auc_interval(TRUTH, PROBABILITIES, SPEAKERS) == pytest.approx(expected, abs=1e-9)


def test_the_interval_of_auc_leaves_out_what_a_draw_lacks() -> None:
    """Speaker a has emotions 0 and 1, b has 0 alone, c has 2 alone."""
    speakers, truth = np.array(list("aaaabbcc")), np.array([0, 0, 1, 1, 0, 0, 2, 2])
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), size=8).round(1)
    areas = []
    for times in scores.draws(3):
        drawn = np.repeat(np.arange(8), times[[0, 0, 0, 0, 1, 1, 2, 2]])
        if len(set(truth[drawn])) > 1:
            areas.append(scores.auc(truth[drawn], probabilities[drawn]))
    assert len(areas) < 1000
    expected = tuple(np.percentile(areas, [2.5, 97.5]))
    assert scores.auc_interval(truth, probabilities, speakers) == pytest.approx(expected, abs=1e-9)
    one = scores.auc(truth, probabilities)
    assert scores.auc_interval(truth, probabilities, np.array(["a"] * 8)) == pytest.approx((one, one), abs=1e-9)


def test_reliability_by_hand() -> None:
    highest = np.array([0.6, 0.9, 0.7, 0.8])
    table = scores.reliability(np.stack([highest, 1 - highest], axis=1), np.array([1, 0, 0, 0]), bins=2)
    assert list(table.columns) == ["confidence", "right", "low", "high", "n"]
    assert table["confidence"].to_list() == pytest.approx([0.65, 0.85], abs=1e-9)
    assert table["right"].to_list() == [0.5, 1.0]
    assert table["n"].to_list() == [2, 2]


def test_reliability_intervals_and_calibration_error() -> None:
    table = scores.reliability(PROBABILITIES, TRUTH, bins=7)
    assert table["n"].sum() == N
    assert table["n"].max() - table["n"].min() <= 1
    for row in table.to_dict("records"):
        theirs = binomtest(round(row["right"] * row["n"]), row["n"]).proportion_ci(method="wilson")
        assert (row["low"], row["high"]) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    error = (table["n"] * (table["confidence"] - table["right"]).abs()).sum() / N
    assert error == pytest.approx(calibration.calibration_error(PROBABILITIES, TRUTH, bins=7), abs=1e-9)


def test_reliability_of_fewer_clips_than_bins() -> None:
    table = scores.reliability(np.array([[0.6, 0.4], [0.1, 0.9]]), np.array([0, 0]))
    assert table["n"].to_list() == [1, 1]
    assert table["right"].to_list() == [1, 0]
    assert (table["low"].to_list()[1], table["high"].to_list()[0]) == (0, 1)


def test_draws_are_those_of_earlier_versions() -> None:
    """Intervals that were published stay as they were: the same speakers in the same draws."""
    drawn = np.random.default_rng(0).integers(5, size=(1000, 5))
    assert np.array_equal(scores.draws(5), [[(row == one).sum() for one in range(5)] for row in drawn])


def test_resampled_confusions_by_hand() -> None:
    rows = [np.flatnonzero(name == SPEAKERS) for name in sorted(set(SPEAKERS))]
    names = ["absent", *sorted(set(SPEAKERS))]
    found = scores.resampled(TRUTH, PREDICTED, SPEAKERS, n_classes=E, names=names)
    assert found.shape == (1000, E, E)
    for times, counts in list(zip(scores.draws(7), found, strict=True))[:20]:
        drawn = np.concatenate([np.tile(of, n) for of, n in zip(rows, times[1:], strict=True)])
        assert np.array_equal(counts, metrics.confusion_matrix(TRUTH[drawn], PREDICTED[drawn], labels=range(E)))


def test_intervals_of_the_recalls_by_drawing_speakers_one_by_one() -> None:
    """The last emotion is one speaker's alone; of the one after it there is no clip."""
    truth = np.where((TRUTH == 3) & (SPEAKERS != "s2"), 0, TRUTH)
    found = scores.recall_intervals(truth, PREDICTED, SPEAKERS, n_classes=E + 1)
    names = np.unique(SPEAKERS)
    drawn = []
    for times in scores.draws(len(names)):
        clips = np.concatenate([np.flatnonzero(name == SPEAKERS) for name in np.repeat(names, times)])
        recalls = metrics.recall_score(
            truth[clips], PREDICTED[clips], labels=range(E), average=None, zero_division=np.nan
        )
        drawn.append(recalls)
    assert np.isnan(drawn).any()
    assert found[:E] == [
        pytest.approx(tuple(ends), abs=1e-9) for ends in np.nanpercentile(drawn, [2.5, 97.5], axis=0).T
    ]
    assert found[E] is None
