from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser_core import evaluation, splits
from ser_core.embeddings import Embeddings
from ser_core.evaluation import Evaluation, EvaluationError
from ser_core.models.svm import svm
from ser_core.splits import Fold, SplitError

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(3, size=40)
PREDICTED = np.where(RANDOM.random(40) < 0.6, TRUTH, RANDOM.integers(3, size=40))


def fake(n_speakers: int = 5, n_each: int = 8, *, shift: float = 1.0) -> Embeddings:
    """Clips whose emotion moves the first value by ``shift`` and whose speaker moves the second."""
    emotion = np.tile(np.arange(4), n_speakers * n_each // 4)
    speaker = np.repeat(np.arange(n_speakers), n_each)
    x = np.random.default_rng(1).normal(size=(len(emotion), 3)).astype("float32")
    x[:, 0] += shift * emotion
    x[:, 1] += 2 * speaker
    clips = pd.DataFrame(
        {
            "file": [f"{number}.wav" for number in range(len(x))],
            "speaker": [f"s{number}" for number in speaker],
            "emotion": np.array(["fear", "anger", "joy", "calm"])[emotion],
            "corpus": "fake",
        }
    )
    recipe = {"name": "fake", "dim": 3, "layers": ["only"]}
    return Embeddings(x[:, None, :], clips, recipe, tuple(clips["file"]), pd.DataFrame())


def run(found: Embeddings, **options: Any) -> Evaluation:
    folds = splits.by_speaker(found.clips)
    return evaluation.cross_validate(found, 0, model=svm, folds=folds, **options)


def test_scores_against_scikit_learn() -> None:
    counts = evaluation.confusion(TRUTH, PREDICTED, n_classes=3)
    assert np.array_equal(counts, confusion_matrix(TRUTH, PREDICTED))
    assert evaluation.uar(counts) == pytest.approx(balanced_accuracy_score(TRUTH, PREDICTED), abs=1e-9)
    assert evaluation.wa(counts) == pytest.approx(accuracy_score(TRUTH, PREDICTED), abs=1e-9)


def test_a_class_without_clips_does_not_count() -> None:
    assert evaluation.uar(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]])) == pytest.approx((0.75 + 1) / 2, abs=1e-9)
    with pytest.raises(EvaluationError, match="no clips"):
        evaluation.uar(np.zeros((2, 2), int))


def test_cross_validation_against_scikit_learn() -> None:
    found = fake()
    result = run(found, class_order=["fear", "anger", "joy", "calm"])
    y = np.array([result.classes.index(word) for word in found.clips["emotion"]])
    theirs = cross_val_predict(
        make_pipeline(StandardScaler(), SVC()), found.layer(0), y, groups=found.clips["speaker"], cv=LeaveOneGroupOut()
    )
    assert np.array_equal(result.predicted, theirs)
    assert result.classes == ("fear", "anger", "joy", "calm")
    assert 0.3 < result.uar < 1


def test_classes_not_named_follow_alphabetically() -> None:
    assert run(fake(), class_order=["joy", "absent"]).classes == ("joy", "anger", "calm", "fear")


def test_speakers_are_never_on_both_sides() -> None:
    result = run(fake())
    assert result.speaker_independent
    assert list(result.folds["test_speakers"]) == [["s0"], ["s1"], ["s2"], ["s3"], ["s4"]]
    for row in result.folds.to_dict("records"):
        assert not set(row["test_speakers"]) & set(row["train_speakers"])
        assert (row["n_train"], row["n_test"]) == (32, 8)


def test_a_planted_speaker_is_reported() -> None:
    found = fake()
    rows = np.arange(40)
    leaking = [Fold(rows[rows % 2 == half], rows[rows % 2 != half]) for half in (0, 1)]
    result = evaluation.cross_validate(found, 0, model=svm, folds=leaking)
    assert not result.speaker_independent
    assert result.folds["shared"][0] == ["s0", "s1", "s2", "s3", "s4"]


def test_nothing_is_learnt_from_the_test_part() -> None:
    """Each model sees its training rows as they are, no others, and its own scaler is fitted on them alone."""
    found, seen = fake(), []

    class Recording:
        def fit(self, x: np.ndarray, y: np.ndarray) -> "Recording":
            seen.append(x.copy())
            self.inner = svm().fit(x, y)
            return self

        def predict(self, x: np.ndarray) -> np.ndarray:
            assert self.inner[0].mean_ == pytest.approx(seen[-1].mean(axis=0), rel=1e-5)
            return self.inner.predict(x)

    folds = splits.by_speaker(found.clips)
    evaluation.cross_validate(found, 0, model=Recording, folds=folds, workers=1)
    assert len(seen) == len(folds)
    for x, fold in zip(seen, folds, strict=True):
        assert np.array_equal(x, found.layer(0)[fold.train])


def test_clips_of_unknown_speakers_or_emotions_are_left_out() -> None:
    found = fake()
    clips = found.clips.copy()
    clips.loc[[0, 1], "speaker"] = "unknown"
    clips.loc[[1, 2, 3], "emotion"] = "unknown"
    left = evaluation.labelled(replace(found, clips=clips))
    assert len(left.clips) == 36
    assert np.array_equal(left.vectors, found.vectors[4:])
    assert left.digests == found.digests[4:]


def test_one_recording_under_two_speakers_is_reported() -> None:
    found = fake()
    twin = replace(found, digests=(found.digests[-1], *found.digests[1:]))
    result = run(twin)
    assert list(result.folds["same_recordings"]) == [1, 0, 0, 0, 1]
    assert not result.speaker_independent


def test_shuffled_labels_stay_at_chance() -> None:
    found = fake(10, 40, shift=3.0)
    assert run(found).uar > 0.8
    words = np.random.default_rng(2).permutation(found.clips["emotion"].to_numpy())
    low, high = (shuffled := run(replace(found, clips=found.clips.assign(emotion=words)))).interval(evaluation.uar)
    assert low <= 0.25 <= high
    assert shuffled.uar == pytest.approx(0.25, abs=0.08)


def test_the_interval_resamples_speakers() -> None:
    result = run(fake(10, 40))
    low, high = result.interval(evaluation.uar)
    assert low < result.uar < high
    assert result.interval(evaluation.uar) == (low, high)
    same = replace(result, speakers=np.array(["s0"] * len(result.truth)))
    assert same.interval(evaluation.wa) == (same.wa, same.wa)  # one speaker: nothing to resample
    draws = np.random.default_rng(5)
    by_hand = []
    for _ in range(1000):
        rows = np.concatenate([np.flatnonzero(result.speakers == f"s{n}") for n in draws.integers(10, size=10)])
        by_hand.append(balanced_accuracy_score(result.truth[rows], result.predicted[rows]))
    assert (low, high) == pytest.approx(tuple(np.percentile(by_hand, [2.5, 97.5])), abs=0.02)


def test_what_cannot_be_evaluated_is_one_sentence() -> None:
    found = fake()
    with pytest.raises(SplitError, match="needs two speakers or more, found s0"):
        splits.by_speaker(found.clips.assign(speaker="s0"))
    with pytest.raises(EvaluationError, match="needs two emotions or more, found joy"):
        run(replace(found, clips=found.clips.assign(emotion="joy")))
    lopsided = found.clips.assign(emotion=np.where(found.clips["speaker"] == "s0", "joy", "fear"))
    with pytest.raises(EvaluationError, match="training part of fold 1 has one emotion only"):
        run(replace(found, clips=lopsided))
    with pytest.raises(EvaluationError, match="exactly one fold"):
        evaluation.cross_validate(found, 0, model=svm, folds=splits.by_speaker(found.clips)[1:])
