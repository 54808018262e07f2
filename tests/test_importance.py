from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from ser_core import importance, run_files, runs
from ser_core.cache import Cache
from ser_core.encoders import ENCODERS
from ser_core.importance import ImportanceError
from ser_core.models import svm
from ser_core.models.inputs import Inputs, per_speaker
from ser_core.models.svm import ModelError
from ser_core.runs import Run
from ser_core.splits import Fold

N, DIM = 40, 144
"""As many values as the spectral set has."""
RANDOM = np.random.default_rng(4)
MFCC = np.r_[6:46, 75:115]
"""Columns of the cepstral coefficients' means and deviations."""
Y = RANDOM.permutation(np.repeat([0, 1, 2, 2], N // 4))
SPEAKERS = np.array([f"s{number % 4}" for number in range(N)])
X = RANDOM.normal(size=(N, DIM)).astype(np.float32)
X[:, MFCC] += 0.6 * Y[:, None]
X += 5 * (SPEAKERS == "s1")[:, None].astype(np.float32)
RECIPE = {"name": "spectral", "dim": DIM, "layers": ["other", "statistics"], "version": 1}


@dataclass(frozen=True)
class Threshold:
    """Says 1 where the sum of some columns is above 0."""

    columns: tuple[int, ...] = (0,)
    classes: tuple[str, ...] = ("low", "high")

    def predicted(self, inputs: Inputs) -> np.ndarray:
        assert inputs.vectors is not None
        return (inputs.vectors[:, self.columns].sum(axis=1) > 0).astype(np.intp)


@dataclass(frozen=True)
class Same:
    """Says 1 where the first two columns agree."""

    classes: tuple[str, ...] = ("low", "high")

    def predicted(self, inputs: Inputs) -> np.ndarray:
        assert inputs.vectors is not None
        return (inputs.vectors[:, 0] == inputs.vectors[:, 1]).astype(np.intp)


def only(columns: list[int]) -> np.ndarray:
    return np.array(columns, np.intp)


def test_importance_by_the_same_orders_done_by_hand() -> None:
    x = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)
    y = (x[:, 0] + 0.3 * x[:, 1] > 0.2).astype(np.intp)
    of = {"first": only([0]), "rest": only([1, 2])}
    table = importance.importance(Threshold((0, 1)), Inputs(x, None), y, groups=of, repeats=7, seed=3)
    random = np.random.default_rng((3, 1))
    orders = [random.permutation(30) for _ in range(7)]
    whole = balanced_accuracy_score(y, x[:, 0] + x[:, 1] > 0)
    falls = {
        "first": [whole - balanced_accuracy_score(y, x[order, 0] + x[:, 1] > 0) for order in orders],
        "rest": [whole - balanced_accuracy_score(y, x[:, 0] + x[order, 1] > 0) for order in orders],
    }
    assert list(table.columns) == ["words", "n_values", "drop", "low", "high"]
    assert list(table["words"]) == ["first", "rest"]
    assert list(table["n_values"]) == [1, 2]
    for row in table.to_dict("records"):
        own = falls[row["words"]]
        assert row["drop"] == pytest.approx(np.mean(own), abs=1e-9)
        assert (row["low"], row["high"]) == pytest.approx(tuple(np.percentile(own, [2.5, 97.5])), abs=1e-9)


def test_a_perfect_model_falls_to_chance_and_what_it_ignores_costs_nothing() -> None:
    x = np.stack([np.tile([-1.0, 1.0], 50), np.arange(100)], axis=1).astype(np.float32)
    before = x.copy()
    of = {"ignored": only([1]), "all": only([0])}
    y = np.tile([0, 1], 50)
    table = importance.importance(Threshold(), Inputs(x, None), y, groups=of, repeats=400, seed=0).set_index("words")
    assert list(table.index) == ["all", "ignored"]  # the largest fall first
    assert table.loc["all", "drop"] == pytest.approx(0.5, abs=0.01)
    assert tuple(table.loc["ignored", ["drop", "low", "high"]]) == (0, 0, 0)
    assert np.array_equal(x, before)


def test_the_values_of_a_group_stay_together() -> None:
    values = np.arange(20) % 5
    x = np.stack([values, values], axis=1).astype(np.float32)
    asked = (Same(), Inputs(x, None), np.ones(20, np.intp))
    together = importance.importance(*asked, groups={"both": only([0, 1])}, seed=0)
    alone = importance.importance(*asked, groups={"one": only([0])}, seed=0)
    assert together["drop"][0] == 0
    assert alone["drop"][0] > 0.5


def test_what_has_no_groups_of_values() -> None:
    pictures = Inputs(None, np.zeros((4, 1, 2, 2), np.float32))
    x = Inputs(np.zeros((4, 1), np.float32), None)
    y = np.array([0, 1, 0, 1])
    with pytest.raises(ImportanceError, match="no groups of values"):
        importance.importance(Threshold(), x, y, groups={}, seed=0)
    with pytest.raises(ModelError, match="was given pictures"):
        importance.importance(Threshold(), pictures, y, groups={"all": only([0])}, seed=0)


@pytest.mark.parametrize(
    ("name", "n_groups", "words", "n_values"),
    [
        ("egemaps", 16, "vowel sounds (formant frequencies)", 6),
        ("spectral", 9, "spectral shape (MFCC)", 80),
        ("compare_2016", 14, "energy in 26 bands of hearing (auditory spectrum)", 2600),
        ("compare_parts", 14, "energy in 26 bands of hearing (auditory spectrum)", 4 * 2600),
        ("logmel", 8, "mel bands 71 to 80", 20),
    ],
)
def test_every_named_value_is_in_one_group(name: str, n_groups: int, words: str, n_values: int) -> None:
    names = ENCODERS[name].feature_names()  # type: ignore[attr-defined]
    found = importance.groups(name, names)
    assert sorted(np.concatenate(list(found.values()))) == list(range(len(names)))
    assert not set(found) & set(names)
    assert (len(found), len(found[words])) == (n_groups, n_values)


def test_groups_of_other_encoders() -> None:
    found = importance.groups("mine", ["b", "a"])
    assert {words: columns.tolist() for words, columns in found.items()} == {"b": [0], "a": [1]}
    assert importance.groups("hf:some/model", []) == {}


def keep(cache: Cache, *, inputs: dict[str, Any] | None = None, normalise: str = "global") -> Run:
    """Keep a run of a support vector machine with two folds, in which vectors are the last of two layers."""
    clips = pd.DataFrame(
        {
            "file": [f"{number}.wav" for number in range(N)],
            "sha": [f"sha{number}" for number in range(N)],
            "speaker": SPEAKERS,
            "truth": Y,
        }
    )
    recipe = {
        **{"model": "svm", "corpus": "mine", "split": "speaker", "classes": ["a", "b", "c"], "n_folds": 2},
        **{"inputs": inputs or {"vectors": RECIPE}, "normalise": normalise, "layer": -1, "seed": 0},
    }
    given = given_to(normalise)
    folder = cache.root / "runs" / run_files.name(recipe)
    run_files.begin(folder, recipe, clips=clips, folds=pd.DataFrame({"fold": [1, 2]}), facts={"taught": {}})
    for number, fold in enumerate(folds(), start=1):
        fitted = svm.fit(given, Y, fold, classes=("a", "b", "c"), groups=SPEAKERS, kernel="rbf", c=1.0)
        said = {f"p_{of}": shares for of, shares in enumerate(fitted.probabilities(given.take(fold.test)).T)}
        table = clips.iloc[fold.test].assign(part="test", predicted=fitted.predicted(given.take(fold.test)), **said)
        facts = {"seconds": 1.0, "n_parameters": fitted.n_parameters}
        run_files.keep_fold(folder, number, arrays=fitted.arrays(), predictions=table[::-1], facts=facts)
    return runs.get(cache, folder.name)


def folds() -> list[Fold]:
    first = np.isin(SPEAKERS, ["s0", "s1"])
    return [Fold(np.flatnonzero(~first), np.flatnonzero(first)), Fold(np.flatnonzero(first), np.flatnonzero(~first))]


def given_to(normalise: str) -> Inputs:
    inputs = Inputs(X, None)
    return per_speaker(inputs, SPEAKERS) if normalise == "speaker" else inputs


def embed(cache: Cache, n: int = N) -> None:
    vectors = np.stack([np.zeros_like(X), X], axis=1)
    cache.vectors(RECIPE).write({f"sha{row}": vectors[row] for row in range(n)}, {})


@pytest.mark.parametrize("normalise", ["global", "speaker"])
def test_importance_in_all_folds_of_a_run(cache: Cache, normalise: str) -> None:
    """Values move among the test clips of a fold alone; the UAR is that of all folds together."""
    embed(cache)
    run, told = keep(cache, normalise=normalise), []
    assert importance.kept(run, cache=cache, repeats=3, seed=5) is None
    table = importance.of_run(run, cache=cache, repeats=3, seed=5, progress=lambda *now: told.append(now))
    assert list(dict.fromkeys(told)) == [(done, 18) for done in range(1, 19)]
    again = importance.kept(run, cache=cache, repeats=3, seed=5)
    assert again is not None
    pd.testing.assert_frame_equal(again, table)

    x, uars = given_to(normalise).vectors, []
    assert x is not None
    rows = [fold.test[::-1] for fold in folds()]
    randoms = [np.random.default_rng((5, fold)) for fold in (1, 2)]
    orders = [[random.permutation(N // 2) for _ in range(3)] for random in randoms]
    truth = np.concatenate([Y[own] for own in rows])
    for repeat in (None, 0, 1, 2):
        said = []
        for number, own in enumerate(rows):
            moved = x[own].copy()
            if repeat is not None:
                moved[:, MFCC] = moved[orders[number][repeat]][:, MFCC]
            said.append(run.fitted(number + 1).predicted(Inputs(moved, None)))
        uars.append(balanced_accuracy_score(truth, np.concatenate(said)))
    assert uars[0] == pytest.approx(run.evaluation.uar, abs=1e-9)
    shape = table.set_index("words").loc["spectral shape (MFCC)"]
    assert shape["n_values"] == 80
    assert shape["drop"] == pytest.approx(np.mean(uars[0] - np.array(uars[1:])), abs=1e-9)
    assert shape["drop"] > 0.02


def test_importance_of_a_run_is_computed_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    embed(cache)
    run = keep(cache)
    first = importance.of_run(run, cache=cache, repeats=2, seed=5)
    monkeypatch.setattr(Run, "fitted", None)
    pd.testing.assert_frame_equal(importance.of_run(run, cache=cache, repeats=2, seed=5), first)
    assert importance.kept(run, cache=cache, repeats=2, seed=6) is None


def test_a_stop_keeps_the_folds_that_are_done(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    embed(cache)
    run = keep(cache)

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        importance.of_run(run, cache=cache, repeats=2, seed=0, progress=stop)
    assert importance.kept(run, cache=cache, repeats=2, seed=0) is None
    asked, fitted = [], Run.fitted
    monkeypatch.setattr(Run, "fitted", lambda self, fold: asked.append(fold) or fitted(self, fold))
    gone_on = importance.of_run(run, cache=cache, repeats=2, seed=0)
    assert asked == [2]
    other = importance.of_run(run, cache=Cache(cache.root), repeats=2, seed=0)
    pd.testing.assert_frame_equal(gone_on, other)


def test_runs_that_cannot_be_asked(cache: Cache) -> None:
    picture = replace(keep(cache), recipe={"model": "cnn3", "inputs": {"pictures": {"name": "mel-picture"}}})
    with pytest.raises(ImportanceError, match="looks at pictures of the clips"):
        importance.of_run(picture, cache=cache, seed=0)
    nameless = replace(picture, recipe={"model": "mlp", "inputs": {"vectors": {"name": "hf:some/model"}}})
    assert importance.refusal(nameless) == (
        "the values of hf:some/model have no names: no groups of them can be told apart"
    )
    run = keep(cache)
    assert importance.refusal(run) is None
    with pytest.raises(ImportanceError, match=f"no spectral is kept here for 40 of the 40 clips of run {run.id}: run"):
        importance.of_run(run, cache=cache, seed=0)
    assert not cache.stores()
    embed(cache, n=39)
    with pytest.raises(ImportanceError, match="for 1 of the 40 clips"):
        importance.of_run(run, cache=cache, seed=0)
