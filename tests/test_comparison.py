from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, spearmanr
from sklearn.metrics import recall_score

from ser_core import comparison, run_files, runs, scores
from ser_core.cache import Cache
from ser_core.comparison import ComparisonError
from ser_core.runs import Run

CLASSES = ("anger", "joy", "calm")
RANDOM = np.random.default_rng(11)
N = 60
CLIPS = pd.DataFrame(
    {
        "file": [f"{number}.wav" for number in range(N)],
        "sha": [f"sha{number}" for number in range(N)],
        "speaker": [f"s{number % 5}" for number in range(N)],
        "truth": RANDOM.integers(3, size=N),
    }
)
SOUND, POOR = 0.8, 0.4
"""How often the models of these tests are right."""

Keep = Callable[..., Run]


def predicted(clips: pd.DataFrame, *, right: float, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    said = np.where(random.random(len(clips)) < right, clips["truth"], random.integers(3, size=len(clips)))
    probabilities = random.dirichlet(np.ones(3), size=len(clips))
    return clips.assign(part="test", predicted=said, **{f"p_{one}": probabilities[:, one] for one in range(3)})


@pytest.fixture
def keep(cache: Cache) -> Keep:
    """Keep a run with one fold, as a training does."""

    def make(tested: pd.DataFrame, *, split: str = "speaker", done: bool = True, **recipe: Any) -> Run:
        known = {
            "model": "svm",
            "corpus": "mine",
            "kind": "folder",
            "split": split,
            "classes": CLASSES,
            "inputs": {},
            "normalise": "global",
            "n_folds": 1,
            "seed": 0,
        } | recipe
        folder = cache.root / "runs" / run_files.name(known)
        folds = pd.DataFrame({"fold": [1], "shared": [["s0"] if split == "random" else []], "same_recordings": [0]})
        run_files.begin(folder, known, clips=CLIPS, folds=folds, facts={"arguments": ["train", "svm", "mine"]})
        facts = {"seconds": 1.0, "n_parameters": 3}
        if done:
            run_files.keep_fold(folder, 1, arrays={}, predictions=tested, facts=facts)
        return runs.get(cache, folder.name)

    return make


def uar(truth: np.ndarray, said: np.ndarray) -> float:
    return float(recall_score(truth, said, labels=np.unique(truth), average="macro", zero_division=0.0))


def test_two_runs_on_the_clips_that_both_have_tested(keep: Keep) -> None:
    """One has not tested the first clips, the other not the last ones, and they are in another order."""
    one, other = predicted(CLIPS, right=SOUND, seed=1)[5:], predicted(CLIPS, right=POOR, seed=2)[:-7]
    a, b = keep(one), keep(other[::-1], seed=1)
    found = comparison.compare(a, b)
    truth, by_a, by_b = CLIPS["truth"].to_numpy()[5:-7], one["predicted"].to_numpy()[:-7], other["predicted"][5:]
    assert np.array_equal(found.a.truth, truth)
    assert np.array_equal(found.b.truth, truth)
    assert np.array_equal(found.a.predicted, by_a)
    assert np.array_equal(found.b.predicted, by_b)
    assert found.difference == pytest.approx(uar(truth, by_a) - uar(truth, by_b), abs=1e-9)
    only_a, only_b = ((by_a == truth) & (by_b != truth)).sum(), ((by_b == truth) & (by_a != truth)).sum()
    assert (found.mcnemar.only_a, found.mcnemar.only_b) == (only_a, only_b)
    assert found.mcnemar.p == pytest.approx(binomtest(only_a, only_a + only_b).pvalue, abs=1e-9)
    assert found.a.speaker_independent
    assert found.a.classes == CLASSES


def test_the_interval_of_the_difference_draws_the_same_speakers_for_both(keep: Keep) -> None:
    one, other = predicted(CLIPS, right=SOUND, seed=1), predicted(CLIPS, right=POOR, seed=2)
    found = comparison.compare(keep(one), keep(other, seed=1))
    rows = [np.flatnonzero(CLIPS["speaker"] == f"s{number}") for number in range(5)]
    truth, differences = CLIPS["truth"].to_numpy(), []
    for times in scores.draws(5):
        drawn = np.concatenate([np.tile(own, n) for own, n in zip(rows, times, strict=True)])
        by_a, by_b = (table["predicted"].to_numpy()[drawn] for table in (one, other))
        counts = [scores.confusion(truth[drawn], said, n_classes=3) for said in (by_a, by_b)]
        recalls = [np.diag(count)[count.any(1)] / count.sum(1)[count.any(1)] for count in counts]
        differences.append(recalls[0].mean() - recalls[1].mean())
    assert found.interval == pytest.approx(tuple(np.percentile(differences, [2.5, 97.5])), abs=1e-9)
    assert found.interval[0] < found.difference < found.interval[1]


def test_a_run_beside_itself_does_not_differ(keep: Keep) -> None:
    run = keep(predicted(CLIPS, right=SOUND, seed=1))
    found = comparison.compare(run, run)
    assert (found.difference, found.interval, found.mcnemar.p, len(found.differ)) == (0, (0, 0), 1, 0)


def test_the_clips_on_which_two_runs_differ(keep: Keep) -> None:
    clips = CLIPS.head(3).assign(truth=[0, 1, 2], part="test", p_2=0.1)
    one = clips.assign(predicted=[0, 1, 0], p_0=[0.7, 0.1, 0.6], p_1=[0.2, 0.8, 0.3])
    other = clips.assign(predicted=[0, 2, 1], p_0=[0.5, 0.4, 0.3], p_1=[0.4, 0.5, 0.6])
    found = comparison.compare(keep(one), keep(other, seed=1)).differ
    assert found.to_dict("records") == [
        {
            **{"file": "1.wav", "sha": "sha1", "speaker": "s1", "emotion": "joy"},
            **{"a": "joy", "b": "calm", "p_a": 0.8, "p_b": 0.5},
        },
        {
            **{"file": "2.wav", "sha": "sha2", "speaker": "s2", "emotion": "calm"},
            **{"a": "anger", "b": "joy", "p_a": 0.1, "p_b": 0.1},
        },
    ]


def test_runs_that_cannot_be_compared(keep: Keep) -> None:
    table = predicted(CLIPS, right=SOUND, seed=1)
    a = keep(table)
    with pytest.raises(ComparisonError, match=r"tells apart anger, joy, calm, run .* anger, joy, fear: only runs of"):
        comparison.compare(a, keep(table, classes=("anger", "joy", "fear")))
    with pytest.raises(ComparisonError, match=f"runs {a.id} and .* have tested no clip in common"):
        comparison.compare(a, keep(table.assign(sha="another"), seed=1))
    changed = table.assign(truth=(table["truth"] + (table.index == 4)) % 3)
    with pytest.raises(ComparisonError, match=r"1 of the clips have another emotion or speaker .*, such as 4\.wav"):
        comparison.compare(a, keep(changed, seed=2))
    with pytest.raises(ComparisonError, match="60 of the clips have another emotion or speaker"):
        comparison.compare(a, keep(table.assign(speaker="s9"), seed=3))


def test_a_model_beside_listeners(keep: Keep) -> None:
    table = predicted(CLIPS, right=SOUND, seed=1)
    shares = pd.Series(np.random.default_rng(3).integers(5, size=N) / 4, index=CLIPS["file"])
    shares.iloc[[3, 8]] = np.nan
    found = comparison.listeners(keep(table), shares[::-1].drop("9.wav"))
    heard = np.setdiff1d(np.arange(N), [3, 8, 9])
    sure = table[["p_0", "p_1", "p_2"]].to_numpy()[heard, table["truth"].to_numpy()[heard]]
    heard_by = shares.to_numpy()[heard]
    assert found.n == N - 3
    assert found.rho == pytest.approx(spearmanr(sure, heard_by).statistic, abs=1e-9)
    assert found.model == pytest.approx((table["predicted"] == table["truth"]).to_numpy()[heard].mean(), abs=1e-9)
    assert found.listeners == pytest.approx(heard_by.mean(), abs=1e-9)
    speakers, drawn = table["speaker"].to_numpy()[heard], []
    for times in scores.draws(5):
        rows = np.concatenate([np.tile(np.flatnonzero(speakers == f"s{s}"), n) for s, n in enumerate(times)])
        drawn.append(spearmanr(sure[rows], heard_by[rows]).statistic)
    assert found.interval == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=1e-9)


def test_agreement_by_hand(keep: Keep) -> None:
    clips = CLIPS.head(4).assign(truth=0, predicted=[0, 0, 0, 1], part="test", p_0=[0.9, 0.8, 0.7, 0.2])
    run = keep(clips.assign(p_1=0.05, p_2=0.05))
    found = comparison.listeners(run, pd.Series({"0.wav": 1.0, "1.wav": 0.7, "2.wav": 0.8, "3.wav": 0.5}))
    assert found.rho == pytest.approx(1 - 6 * (0 + 1 + 1 + 0) / (4 * 15), abs=1e-9)
    assert (found.n, found.model, found.listeners) == (4, 0.75, pytest.approx(0.75, abs=1e-9))


def test_listeners_who_are_not_known_or_all_agree(keep: Keep) -> None:
    run = keep(predicted(CLIPS, right=SOUND, seed=1))
    for shares in (pd.Series({"elsewhere.wav": 0.5}), pd.Series([None] * N, index=CLIPS["file"])):
        with pytest.raises(ComparisonError, match=f"not known of any clip that run {run.id} tested how many listeners"):
            comparison.listeners(run, shares)
    with pytest.raises(ComparisonError, match=f"listeners recognised all clips that run {run.id} tested alike"):
        comparison.listeners(run, pd.Series(0.9, index=CLIPS["file"]))


def test_the_leakage_premium(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    """The random split has tested 25 clips, none of speaker s4."""
    monkeypatch.setattr(scores, "N_RESAMPLES", 50)
    some = CLIPS[CLIPS["speaker"] != "s4"].head(25)
    known, unseen = predicted(some, right=SOUND, seed=1), predicted(CLIPS, right=POOR, seed=2)
    random, speaker = keep(known, split="random"), keep(unseen)
    found = comparison.premium(random, speaker)
    expected = [uar(table["truth"].to_numpy(), table["predicted"].to_numpy()) for table in (known, unseen)]
    assert [found.uar_random, found.uar_speaker] == pytest.approx(expected, abs=1e-9)
    assert found.difference == pytest.approx(expected[0] - expected[1], abs=1e-9)
    assert found.interval_random == random.evaluation.interval(scores.uar)
    assert found.interval_speaker == speaker.evaluation.interval(scores.uar)
    drawn = []
    for times in scores.draws(5):
        uars = []
        for table in (known, unseen):
            rows = np.concatenate(
                [np.tile(np.flatnonzero(table["speaker"] == f"s{s}"), n) for s, n in enumerate(times)]
            )
            chosen = table.iloc[rows]
            uars.append(chosen.groupby("truth").apply(lambda one: (one["predicted"] == one.name).mean()).mean())
        drawn.append(uars[0] - uars[1])
    assert found.interval == pytest.approx(tuple(np.nanpercentile(drawn, [2.5, 97.5])), abs=1e-9)


def test_a_premium_is_of_one_recipe_under_two_splits(keep: Keep) -> None:
    table = predicted(CLIPS, right=SOUND, seed=1)
    random, speaker, other = keep(table, split="random"), keep(table, n_folds=6), keep(table, seed=1, model="mlp")
    with pytest.raises(ComparisonError, match=f"got speaker \\({speaker.id}\\) and random"):
        comparison.premium(speaker, random)
    with pytest.raises(ComparisonError, match=r"differ in more than the split, in model, seed: train one"):
        comparison.premium(random, other)


def test_pairs_are_finished_runs_of_one_recipe(keep: Keep) -> None:
    table = predicted(CLIPS, right=SOUND, seed=1)
    random, speaker, loso = (keep(table, split=split) for split in ("random", "speaker", "loso"))
    others = [keep(table, split="random", seed=1), keep(table, seed=2), keep(table, split="loso", seed=1, done=False)]
    found = comparison.pairs([loso, *others, random, speaker])
    assert [(one.id, other.id) for one, other in found] == [(random.id, loso.id), (random.id, speaker.id)]


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (5, 5), (12, 3), (3, 12), (40, 70)])
def test_mcnemar_against_scipy(only_a: int, only_b: int) -> None:
    right_a = np.repeat([True, True, False, False], [9, only_a, only_b, 4])
    right_b = np.repeat([True, False, True, False], [9, only_a, only_b, 4])
    found = comparison.mcnemar(right_a, right_b)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert found.p == pytest.approx(expected, abs=1e-9)


def test_mcnemar_by_hand() -> None:
    right_a, right_b = np.array([True] * 4 + [False]), np.array([False] * 4 + [True])
    assert comparison.mcnemar(right_a, right_b).p == pytest.approx(2 * (1 + 5) / 2**5, abs=1e-9)
