"""Who is where: sizes by hand, scikit-learn's own split, and speakers planted on both sides."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from ser_core import splits
from ser_core.evaluation import Evaluation
from ser_core.splits import Fold, SplitError

EMOTIONS = ("anger", "calm", "fear")


def clips(n_speakers: int = 24, n_each: int = 6, *, seed: int = 0) -> pd.DataFrame:
    """Clips of speakers "01", "02", … in no order."""
    table = pd.DataFrame(
        {
            "speaker": np.repeat([f"{number:02d}" for number in range(1, n_speakers + 1)], n_each),
            "emotion": np.resize(EMOTIONS, n_speakers * n_each),
        }
    )
    return table.sample(frac=1, random_state=seed, ignore_index=True)


def who(table: pd.DataFrame, rows: np.ndarray) -> list[str]:
    return sorted(set(table["speaker"].iloc[rows]))


def parts(fold: Fold) -> np.ndarray:
    return np.concatenate([fold.train, fold.validation, fold.test])


def test_at_random_is_the_split_of_scikit_learn() -> None:
    table = clips()
    (fold,) = splits.folds(table, "random", seed=42, shares=(0.0, 0.3))
    train, test = train_test_split(np.arange(144), test_size=0.3, stratify=table["emotion"], random_state=42)
    assert fold.train.tolist() == sorted(train)
    assert fold.test.tolist() == sorted(test)
    assert len(fold.validation) == 0


def test_at_random_divides_each_emotion_by_the_shares() -> None:
    table = clips(20, 9).assign(emotion=np.repeat(EMOTIONS, [100, 60, 20]))
    (fold,) = splits.folds(table, "random", seed=1, shares=(0.15, 0.15))
    assert sorted(parts(fold)) == list(range(180))
    assert (len(fold.train), len(fold.validation), len(fold.test)) == (126, 27, 27)
    for part, counts in ((fold.validation, (15, 9, 3)), (fold.test, (15, 9, 3)), (fold.train, (70, 42, 14))):
        assert tuple((table["emotion"].iloc[part] == emotion).sum() for emotion in EMOTIONS) == counts
    assert set(who(table, fold.train)) & set(who(table, fold.test))


def test_at_random_the_seed_decides() -> None:
    table = clips()
    one, same, other = (splits.folds(table, "random", seed=seed, shares=(0.1, 0.1))[0] for seed in (3, 3, 4))
    assert all(np.array_equal(getattr(one, name), getattr(same, name)) for name in ("train", "validation", "test"))
    assert not np.array_equal(one.test, other.test)


@pytest.mark.parametrize("shares", [(0.0, 0.3), (0.15, 0.15), (0.1, 0.1), (0.4, 0.4), (1 / 3, 1 / 3)])
def test_at_random_rare_emotions_are_tested_or_refused(shares: tuple[float, float]) -> None:
    refused = []
    for size in range(1, 41):
        table = pd.DataFrame({"speaker": "s", "emotion": np.repeat(EMOTIONS, [size, 30, 31])})
        try:
            (fold,) = splits.folds(table, "random", seed=0, shares=shares)
        except SplitError:
            refused.append(size)
        else:
            for part in (fold.train, fold.test):
                assert set(table["emotion"].iloc[part]) == set(EMOTIONS)
    smallest = min(share for share in (*shares, 1 - sum(shares)) if share)
    assert refused == list(range(1, max(round(1 / smallest + 0.49), 6 if shares[0] else 4)))


def test_what_cannot_be_split_at_random() -> None:
    table = pd.DataFrame({"speaker": "s", "emotion": ["anger"] * 20 + ["fear"] * 6 + ["joy"] * 5})
    with pytest.raises(SplitError, match="needs 7 clips or more of each emotion; found 6 of fear, 5 of joy: add clips"):
        splits.folds(table, "random", seed=0, shares=(0.15, 0.15))
    assert len(splits.folds(table, "random", seed=0, shares=(0.0, 0.3))) == 1
    with pytest.raises(SplitError, match="needs 4 clips or more of each emotion; found none"):
        splits.folds(table.iloc[:0], "random", seed=0, shares=(0.0, 0.3))


def test_six_groups_of_four_actors() -> None:
    table = clips()
    found = splits.folds(table, "speaker", seed=0, shares=(0.15, 0.15))
    groups = [[f"{4 * number + actor:02d}" for actor in range(1, 5)] for number in range(6)]
    assert [who(table, fold.test) for fold in found] == groups
    assert [who(table, fold.validation) for fold in found] == [*groups[1:], groups[0]]
    for number, fold in enumerate(found):
        assert who(table, fold.train) == sorted(name for step in range(2, 6) for name in groups[(number + step) % 6])
        assert sorted(parts(fold)) == list(range(144))


def test_without_validation_all_others_are_in_training() -> None:
    table = clips(10)
    found = splits.folds(table, "speaker", seed=0, shares=(0.0, 0.3))
    assert [len(who(table, fold.test)) for fold in found] == [2, 2, 2, 2, 1, 1]
    assert sorted(np.concatenate([fold.test for fold in found])) == list(range(60))
    for fold in found:
        assert len(fold.validation) == 0
        assert sorted(parts(fold)) == list(range(60))
        assert not set(who(table, fold.train)) & set(who(table, fold.test))


def test_fewer_speakers_are_fewer_folds() -> None:
    table = clips(4)
    found = splits.folds(table, "speaker", seed=0, shares=(0.15, 0.15))
    assert [who(table, fold.test) for fold in found] == [["01"], ["02"], ["03"], ["04"]]
    assert [who(table, fold.validation) for fold in found] == [["02"], ["03"], ["04"], ["01"]]


def test_one_speaker_at_a_time_and_the_next_ones_for_validation() -> None:
    table = clips()
    found = splits.folds(table, "loso", seed=0, shares=(0.15, 0.15))
    assert [who(table, fold.test) for fold in found] == [[f"{number:02d}"] for number in range(1, 25)]
    assert who(table, found[0].validation) == ["02", "03", "04"]  # 0.15 of 23 speakers are 3.45
    assert who(table, found[22].validation) == ["01", "02", "24"]
    for fold in found:
        assert sorted(parts(fold)) == list(range(144))


def test_validation_takes_the_number_of_speakers_that_comes_nearest() -> None:
    sizes = {"a": 10, "b": 1, "c": 8, "d": 30, "e": 11}
    table = pd.DataFrame({"speaker": np.repeat(list(sizes), list(sizes.values())), "emotion": "calm"})

    def spare(share: float) -> list[list[str]]:
        return [who(table, fold.validation) for fold in splits.folds(table, "loso", seed=0, shares=(share, 0.1))]

    assert spare(0.2) == [["b", "c"], ["c"], ["d"], ["e"], ["a"]]  # 10 clips wanted of 1, 9, 39 and so on
    assert spare(0.99) == [list("bcd"), list("cde"), list("ade"), list("abe"), list("abc")]  # one is left for training
    assert spare(0.001) == [["b"], ["c"], ["d"], ["e"], ["a"]]


def test_one_speaker_at_a_time_without_validation() -> None:
    table = clips(5)
    for one, other in zip(
        splits.folds(table, "loso", seed=0, shares=(0.0, 0.3)), splits.by_speaker(table), strict=True
    ):
        assert np.array_equal(one.train, other.train)
        assert np.array_equal(one.test, other.test)
        assert len(one.validation) == len(other.validation) == 0


@pytest.mark.parametrize("split", ["speaker", "loso"])
def test_the_order_of_clips_does_not_matter(split: splits.Split) -> None:
    found = []
    for seed in (0, 1):
        table = clips(9, seed=seed)
        folds = splits.folds(table, split, seed=seed, shares=(0.15, 0.15))
        found.append([[who(table, part) for part in (one.train, one.validation, one.test)] for one in folds])
    assert found[0] == found[1]


@pytest.mark.parametrize("split", ["speaker", "loso"])
def test_too_few_speakers(split: splits.Split) -> None:
    with pytest.raises(SplitError, match=r"3 speakers or more, for training, validation and test; found 01, 02: split"):
        splits.folds(clips(2), split, seed=0, shares=(0.15, 0.15))
    assert len(splits.folds(clips(2), split, seed=0, shares=(0.0, 0.3))) == 2
    with pytest.raises(SplitError, match=r"two speakers or more, found 01|2 speakers or more, for training and test;"):
        splits.folds(clips(1), split, seed=0, shares=(0.0, 0.3))
    with pytest.raises(SplitError, match="found none"):
        splits.folds(clips(1).iloc[:0], split, seed=0, shares=(0.15, 0.15))


def test_a_planted_speaker_is_reported() -> None:
    table = clips(4).sort_values("speaker", ignore_index=True)
    digests = [f"sha {number}" for number in range(24)]
    rows = np.arange(24)
    clean = [Fold(rows[12:], rows[:6], rows[6:12])]
    into_training = [Fold(rows[11:], rows[:6], rows[6:11]), Fold(rows[5:18], rows[:5], rows[18:])]
    into_validation = [Fold(rows[12:], rows[:6], rows[5:12])]
    for folds, shared in ((clean, [[]]), (into_training, [[], ["01"]]), (into_validation, [["01"]])):
        found = splits.table(table, folds, digests)
        assert list(found["shared"]) == shared
        result = Evaluation(EMOTIONS, rows, rows, table["speaker"].to_numpy(str), found)
        assert result.speaker_independent == (not any(shared))


def test_the_table_says_who_is_where() -> None:
    table = clips(4).sort_values("speaker", ignore_index=True)
    found = splits.table(
        table, splits.folds(table, "speaker", seed=0, shares=(0.15, 0.15)), [f"{number}" for number in range(24)]
    )
    assert found.iloc[3].to_dict() == {
        "fold": 4,
        "test_speakers": ["04"],
        "train_speakers": ["02", "03"],
        "validation_speakers": ["01"],
        "shared": [],
        "same_recordings": 0,
        "n_train": 12,
        "n_validation": 6,
        "n_test": 6,
    }


@pytest.mark.parametrize("part", ["train", "validation"])
def test_copies_of_a_test_recording_are_reported(part: str) -> None:
    table = clips(4).sort_values("speaker", ignore_index=True)
    (fold,) = splits.folds(table, "speaker", seed=0, shares=(0.15, 0.15))[:1]
    digests = [f"{number}" for number in range(24)]
    for copy in (0, 1):
        digests[getattr(fold, part)[copy]] = digests[fold.test[0]]
    digests[fold.train[3]] = digests[fold.validation[3]]  # these two may know each other
    assert list(splits.table(table, [fold], digests)["same_recordings"]) == [1]


def test_words_for_people() -> None:
    assert [splits.names(split) for split in ("random", "speaker", "loso")] == [
        "clips at random: speakers are shared",
        "unseen speakers (up to 6 folds)",
        "unseen speakers (one at a time)",
    ]


def voices(n_classes: int = 4, n_speakers: int = 7, n_each: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers, and who speaks."""
    y = np.arange(n_speakers * n_each) % n_classes
    return y, np.repeat([f"s{number}" for number in range(n_speakers)], n_each)


def test_inner_parts_keep_speakers_together() -> None:
    y, groups = voices(n_speakers=9)
    folds = splits.inner(y, groups)
    assert len(folds) == 5
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(y)))
    assert max(len(fold.test) for fold in folds) == 24
    for fold in folds:
        assert sorted(parts(fold)) == list(range(len(y)))
        assert not set(groups[fold.train]) & set(groups[fold.test])
    assert len(splits.inner(*voices(n_speakers=3))) == 3


def test_no_inner_part_that_alone_has_an_emotion_is_tested() -> None:
    y, groups = voices(n_classes=3, n_speakers=4)
    y = np.where((y == 2) & (groups != "s1"), 0, y)
    assert [set(groups[fold.test]) for fold in splits.inner(y, groups)] == [{"s0"}, {"s2"}, {"s3"}]


@pytest.mark.parametrize("groups", [np.full(84, "alone"), None])
def test_inner_parts_of_clips_that_are_dealt_out(groups: np.ndarray | None) -> None:
    y, _ = voices()
    folds = splits.inner(y, groups)
    assert [len(fold.test) for fold in folds] == [20, 16, 16, 16, 16]
    for fold in folds:
        assert set(y[fold.train]) == set(y[fold.test]) == {0, 1, 2, 3}
        assert sorted(parts(fold)) == list(range(len(y)))
    for one, other in pairwise(folds):
        assert not set(one.test) & set(other.test)


def test_nothing_is_divided_where_no_emotion_comes_twice() -> None:
    assert splits.inner(np.arange(4), None) == []
    assert splits.inner(np.arange(4), np.array(list("aabb"))) == []
