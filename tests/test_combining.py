"""The mean of several models: against the mean taken by hand, and who may be combined."""

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ser_core import combining, experiments, importance, recognisers, runs, trained
from ser_core.cache import Cache
from ser_core.cli import app
from ser_core.experiments import Plan
from ser_core.run_files import RunError
from ser_core.runs import Run

SMALL = runpy.run_path(str(Path(__file__).with_name("small_runs.py")))
PLANS = {
    "one": Plan("mlp", "tones", encoder="bands", epochs=2),
    "two": Plan("svm", "tones", encoder="bands"),
    "other": Plan("svm", "tones", encoder="bands", split="loso"),
    "shared": Plan("svm", "tones", encoder="bands", split="random"),
    "seed": Plan("svm", "tones", encoder="bands", split="random", seed=1),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cache, dict[str, Run]]:
    with SMALL["known"]():
        cache, _ = SMALL["make"](tmp_path_factory.mktemp("combining"))
        return cache, {name: experiments.train(plan, cache=cache, device="cpu") for name, plan in PLANS.items()}


def test_probabilities_are_the_mean_of_each_folds_own_members(made: tuple[Cache, dict[str, Run]]) -> None:
    cache, of = made
    run = combining.combine([of["two"].id[:6], of["one"].id], cache=cache)
    assert run.finished
    told = run.tested.set_index(["fold", "file"])
    p = [f"p_{k}" for k in range(3)]
    one, two = (of[name].tested.set_index(["fold", "file"]).loc[told.index][p].to_numpy() for name in ("one", "two"))
    by_hand = (one + two) / 2
    np.testing.assert_allclose(told[p], by_hand, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(told["predicted"], by_hand.argmax(axis=1))
    assert run.evaluation.speaker_independent
    assert len(run.tested) == 60
    assert len(run.validated) == 0  # the machine sets no clips aside
    assert run.n_parameters == max(a + b for a, b in zip(*(_sizes(of[name]) for name in ("one", "two")), strict=True))
    assert run.title == "ensemble (of 2 models) · tones · unseen speakers"


def _sizes(run: Run) -> list[int]:
    return [run.facts["folds"][str(fold)]["n_parameters"] for fold in run.done]


def test_validation_clips_that_all_set_aside_are_told(made: tuple[Cache, dict[str, Run]]) -> None:
    cache, of = made
    with SMALL["known"]():
        again = experiments.train(Plan("mlp", "tones", encoder="bands", epochs=2, seed=3), cache=cache, device="cpu")
    run = combining.combine([of["one"].id, again.id], cache=cache)
    assert run.validated["file"].tolist() == of["one"].validated["file"].tolist()
    mean = (of["one"].validated["p_0"] + again.validated["p_0"]) / 2
    np.testing.assert_allclose(run.validated["p_0"], mean, rtol=0, atol=1e-15)
    assert combining.combine([again.id, of["one"].id], cache=cache).id == run.id


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("one",), "made of two runs or more, got 1"),
        (("one", "one"), "made of two runs or more, got 1"),
        (("one", "shared"), "not tested on the same clips in the same folds: combine runs of one corpus and one split"),
        (("two", "other"), "not tested on the same clips in the same folds"),
        (("shared", "seed"), "not tested on the same clips in the same folds"),
    ],
)
def test_what_cannot_be_combined(made: tuple[Cache, dict[str, Run]], names: tuple[str, ...], says: str) -> None:
    cache, of = made
    with pytest.raises(RunError, match=says):
        combining.combine([of[name].id for name in names], cache=cache)


def test_a_run_that_is_not_finished_waits_for_its_end(made: tuple[Cache, dict[str, Run]], tmp_path: Path) -> None:
    cache, of = made
    copied = Cache(tmp_path)
    shutil.copytree(cache.root / "runs", copied.root / "runs")
    (copied.root / "runs" / of["two"].id / "predictions-2.csv").unlink()
    with pytest.raises(RunError, match=rf"run {of['two'].id} is not finished: `ser train svm tones --encoder b"):
        combining.combine([of["one"].id, of["two"].id], cache=copied)


def test_an_ensemble_is_no_model_of_its_own(made: tuple[Cache, dict[str, Run]]) -> None:
    cache, of = made
    run = combining.combine([of["one"].id, of["two"].id], cache=cache)
    with pytest.raises(RunError, match=r"is an ensemble already: name its members"):
        combining.combine([run.id, of["one"].id], cache=cache)
    with pytest.raises(RunError, match=r"has no weights of its own: ask its models, \w+, \w+"):
        run.fitted()
    assert importance.refusal(run) == "an ensemble has no values of its own: ask its models one by one"
    assert trained.refusal(run) == "an ensemble has no weights of its own: its models answer one by one"
    with SMALL["known"]():
        asked, lacking = recognisers.available(cache, ["tones"])
    assert run.id not in {one.id for one in asked}
    assert any("an ensemble has no weights" in why for why in lacking)


def test_the_command(made: tuple[Cache, dict[str, Run]]) -> None:
    cache, of = made
    ids = [of["one"].id, of["two"].id]
    done = CliRunner().invoke(app, ["runs", "combine", *ids, "--cache", str(cache.root), "--json"])
    said = json.loads(done.stdout)
    run = runs.get(cache, said["id"])
    assert said["uar"] == run.evaluation.uar
    assert said["recipe"]["of"] == sorted(ids)
    assert run.command == "ser runs combine " + " ".join(sorted(ids))
