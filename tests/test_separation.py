import time
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import calinski_harabasz_score, silhouette_score

from ser_core.geometry import separation
from ser_core.geometry.separation import SeparationError, Share

Words = NDArray[np.str_]


def clips(n: int = 90, *, d: int = 3) -> tuple[NDArray[np.float64], dict[str, Words]]:
    """Unbalanced clips; emotion, speaker, statement and, through the speaker, gender move the position."""
    random = np.random.default_rng(0)
    emotion, speaker, statement = (
        random.choice(3, size=n, p=[0.5, 0.3, 0.2]),
        np.arange(n) % 6,
        random.integers(2, size=n),
    )
    x = random.normal(size=(n, d)) + random.normal(size=(3, d))[emotion] + random.normal(size=(6, d))[speaker]
    x += random.normal(size=(2, d))[statement] + 4
    return x, {
        "emotion": np.array(["anger", "fear", "calm"])[emotion],
        "speaker": np.array([f"s{number}" for number in speaker]),
        "gender": np.array(["female", "male"])[speaker % 2],
        "statement": np.array(["dogs", "kids"])[statement],
    }


def r_squared(x: NDArray[np.float64], *factors: Words) -> float:
    """Least squares on one indicator per level, and a constant."""
    design = np.column_stack([np.ones(len(x)), *(words == level for words in factors for level in set(words))])
    residuals = x - design @ np.linalg.lstsq(design, x)[0]
    return float(1 - np.square(residuals).sum() / np.square(x - x.mean(axis=0)).sum())


def by_name(shares: tuple[Share, ...]) -> dict[str, Share]:
    return {share.factor: share for share in shares}


def test_between_within_against_scikit_learn() -> None:
    x, factors = clips()
    found = separation.between_within(x, factors["emotion"])
    theirs = calinski_harabasz_score(x, factors["emotion"])
    assert found * (90 - 3) / (3 - 1) == pytest.approx(theirs, rel=1e-9)


def test_silhouette_by_hand_and_against_scikit_learn() -> None:
    x = np.array([[0.0], [1.0], [5.0], [7.0], [20.0]])
    found = separation.silhouette(x, ["calm", "calm", "fear", "fear", "anger"])
    by_hand = [(6 - 1) / 6, (5 - 1) / 5, (4.5 - 2) / 4.5, (6.5 - 2) / 6.5, 0.0]
    np.testing.assert_allclose(found, by_hand, atol=1e-9)
    x, factors = clips()
    assert separation.silhouette(x, factors["emotion"]).mean() == pytest.approx(
        silhouette_score(x, factors["emotion"]), abs=1e-9
    )


def test_shares_against_least_squares() -> None:
    x, factors = clips()
    found = by_name(separation.shares(x, factors, factors["speaker"], seed=0, n_resamples=10))
    assert list(found) == ["emotion", "speaker", "gender", "statement"]
    for name, share in found.items():
        alone = r_squared(x, factors[name])
        k = len(set(factors[name]))
        rest = r_squared(x, *(words for other, words in factors.items() if other != name))
        assert share.n_levels == k
        assert share.alone == pytest.approx(alone, abs=1e-9)
        assert share.adjusted == pytest.approx(1 - (1 - alone) * 89 / (90 - k), abs=1e-9)
        assert share.unique == pytest.approx(r_squared(x, *factors.values()) - rest, abs=1e-9)
    assert found["gender"].unique == pytest.approx(0, abs=1e-12)
    assert found["emotion"].unique > 0.01


def test_alone_is_the_analysis_of_variance_by_hand() -> None:
    x = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 3.0], [6.0, 3.0]])
    (share,) = separation.shares(x, {"emotion": ["fear", "fear", "calm", "calm"]}, ["a"] * 4, seed=0)
    between, total = 4 * (4 + 2.25), 20 + 9
    assert share.alone == share.unique == pytest.approx(between / total, abs=1e-12)
    assert share.alone_95 is None
    assert share.unique_95 is None


def test_random_groups_explain_nothing_once_adjusted() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 5))
    adjusted, alone = [], []
    for seed in range(100):
        words = np.random.default_rng(seed).permutation(np.resize([str(level) for level in range(20)], 200))
        (share,) = separation.shares(x, {"emotion": words}, ["a"] * 200, seed=0)
        adjusted.append(share.adjusted)
        alone.append(share.alone)
    assert np.mean(alone) == pytest.approx(19 / 199, abs=0.01)
    assert np.mean(adjusted) == pytest.approx(0, abs=float(4 * np.std(adjusted) / 10))


def test_intervals_against_copied_rows() -> None:
    x, factors = clips()
    speakers = factors["speaker"]
    found = by_name(separation.shares(x, factors, speakers, seed=4, n_resamples=150))
    drawn = np.random.default_rng(4).multinomial(6, np.full(6, 1 / 6), size=150)
    alone, unique = [], []
    for times in drawn:
        rows = np.concatenate([np.flatnonzero(speakers == f"s{s}") for s, n in enumerate(times) for _ in range(n)])
        copied = {name: words[rows] for name, words in factors.items()}
        alone.append(r_squared(x[rows], factors["emotion"][rows]))
        rest = [words for name, words in copied.items() if name != "emotion"]
        unique.append(r_squared(x[rows], *copied.values()) - r_squared(x[rows], *rest))
    share = found["emotion"]  # basic intervals: twice the share, less the percentiles of the draws
    assert share.alone_95 == pytest.approx(2 * share.alone - np.percentile(alone, [97.5, 2.5]), abs=1e-6)
    assert share.unique_95 == pytest.approx(2 * share.unique - np.percentile(unique, [97.5, 2.5]), abs=1e-6)
    assert found["gender"].unique_95 == pytest.approx((0, 0), abs=1e-6)


def test_two_factors_that_are_the_speakers_add_nothing_to_each_other() -> None:
    x, factors = clips()
    factors = {"speaker": factors["speaker"], "voice": np.char.add("v", factors["speaker"]), **factors}
    found = by_name(separation.shares(x, factors, factors["speaker"], seed=0, n_resamples=5))
    assert found["voice"].unique == found["speaker"].unique == pytest.approx(0, abs=1e-12)
    assert found["voice"].alone == pytest.approx(r_squared(x, factors["speaker"]), abs=1e-9)
    rest = [words for name, words in factors.items() if name != "emotion"]
    expected = r_squared(x, *factors.values()) - r_squared(x, *rest)
    assert found["emotion"].unique == pytest.approx(expected, abs=1e-9)


def test_what_follows_from_the_speaker_adds_nothing_to_it() -> None:
    x, factors = clips()
    some = {name: factors[name] for name in ("speaker", "gender")}
    found = by_name(separation.shares(x, some, factors["speaker"], seed=0, n_resamples=50))
    assert found["gender"].unique == pytest.approx(0, abs=1e-12)
    assert found["gender"].unique_95 == pytest.approx((0, 0), abs=1e-9)
    expected = r_squared(x, factors["speaker"]) - r_squared(x, factors["gender"])
    assert found["speaker"].unique == pytest.approx(expected, abs=1e-9)


def test_speakers_need_not_be_a_factor() -> None:
    x, factors = clips()
    speakers = factors.pop("speaker")
    found = by_name(separation.shares(x, factors, speakers, seed=0, n_resamples=50))
    for name, share in found.items():
        rest = [words for other, words in factors.items() if other != name]
        assert share.unique == pytest.approx(r_squared(x, *factors.values()) - r_squared(x, *rest), abs=1e-9)
        assert share.unique_95
    assert found["gender"].unique > 0.01  # it is not known from emotion and statement


def test_clips_of_unknown_speakers_are_measured_and_not_drawn() -> None:
    x, factors = clips()
    speakers = np.where(factors["speaker"] == "s0", "unknown", factors["speaker"])
    emotion = factors["emotion"]
    (share,) = separation.shares(x, {"emotion": emotion}, speakers, seed=4, n_resamples=150)
    assert share.alone == pytest.approx(r_squared(x, emotion), abs=1e-9)
    alone = []
    for times in np.random.default_rng(4).multinomial(5, np.full(5, 1 / 5), size=150):
        rows = np.concatenate([np.flatnonzero(speakers == f"s{s + 1}") for s, n in enumerate(times) for _ in range(n)])
        alone.append(r_squared(x[rows], emotion[rows]))
    known = speakers != "unknown"  # what draws are scattered around
    expected = share.alone + r_squared(x[known], emotion[known]) - np.percentile(alone, [97.5, 2.5])
    assert share.alone_95 == pytest.approx(expected, abs=1e-6)
    people = np.where(speakers == "s1", "s1", "unknown")
    (share,) = separation.shares(x, {"emotion": emotion}, people, seed=4)
    assert share.alone_95 is None


def test_a_thousand_speakers_take_seconds_and_little_memory() -> None:
    random = np.random.default_rng(0)
    speaker, emotion = np.repeat(np.arange(1000), 10), random.integers(8, size=10_000)
    x = random.normal(size=(8, 3))[emotion] + random.normal(size=(1000, 3))[speaker] + random.normal(size=(10_000, 3))
    names = {"emotion": emotion, "speaker": speaker, "gender": speaker % 2, "corpus": speaker // 400}
    factors = {name: values.astype(str) for name, values in names.items()}
    tracemalloc.start()
    start = time.process_time()
    found = by_name(separation.shares(x, factors, factors["speaker"], seed=0))
    took, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 5
    assert peak < 100e6
    means = np.stack([x[speaker == one].mean(axis=0) for one in range(1000)])[speaker]
    assert found["speaker"].alone == pytest.approx(np.square(means - x.mean(axis=0)).sum() / _total(x), abs=1e-9)
    inside = (
        np.eye(8)[emotion] - np.stack([np.eye(8)[emotion[speaker == one]].mean(axis=0) for one in range(1000)])[speaker]
    )
    left = x - means - inside @ np.linalg.lstsq(inside, x - means)[0]
    assert found["emotion"].unique == pytest.approx((_total(x - means) - np.square(left).sum()) / _total(x), abs=1e-9)
    assert found["gender"].unique == found["corpus"].unique == 0
    low, high = found["emotion"].unique_95 or (0, 0)
    assert 0 < high - low < 0.05


def _total(x: NDArray[np.float64]) -> float:
    return float(np.square(x - x.mean(axis=0)).sum())


def test_the_number_of_a_block_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    x, factors = clips()
    whole = separation.shares(x, factors, factors["speaker"], seed=0, n_resamples=30)
    monkeypatch.setattr(separation, "BLOCK", 7)
    for one, other in zip(
        whole, separation.shares(x, factors, factors["speaker"], seed=0, n_resamples=30), strict=True
    ):
        assert one.alone_95 == pytest.approx(other.alone_95, abs=1e-9)


def test_more_dimensions_than_clips() -> None:
    x, factors = clips(40, d=100)
    found = by_name(separation.shares(x, factors, factors["speaker"], seed=0, n_resamples=5))
    assert found["speaker"].alone == pytest.approx(r_squared(x, factors["speaker"]), abs=1e-9)


def test_the_order_of_clips_unit_and_place_do_not_matter() -> None:
    x, factors = clips()
    order = np.random.default_rng(0).permutation(90)
    moved = {name: words[order] for name, words in factors.items()}
    one = separation.shares(x, factors, factors["speaker"], seed=0, n_resamples=20)
    other = separation.shares(100 * x[order] - 3, moved, moved["speaker"], seed=0, n_resamples=20)
    for a, b in zip(one, other, strict=True):
        assert (a.alone, a.unique) == pytest.approx((b.alone, b.unique), abs=1e-9)
        assert a.alone_95 == pytest.approx(b.alone_95, abs=1e-6)
    assert separation.between_within(100 * x[order], moved["emotion"]) == pytest.approx(
        separation.between_within(x, factors["emotion"]), rel=1e-9
    )


@pytest.mark.parametrize("labels", [["calm"] * 4, ["calm", "fear", "anger", "sadness"]])
def test_no_separation_without_two_groups(labels: list[str]) -> None:
    for measure in (separation.silhouette, separation.between_within):
        with pytest.raises(SeparationError, match=r"emotion\(s\) of 4 clips"):
            measure(np.eye(4), labels)
        with pytest.raises(SeparationError, match="one row for each label"):
            measure(np.eye(3), labels)


def test_clips_in_one_place() -> None:
    with pytest.raises(SeparationError, match="one and the same position"):
        separation.between_within(np.repeat(np.eye(2), 2, axis=0), ["calm", "calm", "fear", "fear"])
    with pytest.raises(SeparationError, match="all 4 clips have one and the same position"):
        separation.shares(np.ones((4, 2)), {"emotion": ["calm", "calm", "fear", "fear"]}, ["a"] * 4, seed=0)


def test_factors_that_do_not_fit() -> None:
    x, factors = clips()
    speakers = factors["speaker"]
    with pytest.raises(SeparationError, match="corpus has 1 level"):
        separation.shares(x, {"corpus": ["one"] * 90}, speakers, seed=0)
    with pytest.raises(SeparationError, match="file has 90 level"):
        separation.shares(x, {"file": [str(row) for row in range(90)]}, speakers, seed=0)
    with pytest.raises(SeparationError, match="emotion: 89 values for 90 clips"):
        separation.shares(x, {"emotion": factors["emotion"][1:]}, speakers, seed=0)
    with pytest.raises(SeparationError, match="speakers: 89 values"):
        separation.shares(x, factors, speakers[1:], seed=0)
