import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ser_core import catalogue, embeddings, experiments, run_files, runs, scores, trained
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.encoders.base import Encoder
from ser_core.experiments import ExperimentError, Plan
from ser_core.models import ridge, unfinished
from ser_core.models.inputs import Inputs
from ser_core.models.network import NetworkError
from ser_core.runs import Run, RunError
from ser_core.splits import SplitError

MLP = Plan("mlp", "mine", encoder="moments", epochs=3)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower with several."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture
def train(cache: Cache, mine: Located, encoder: Encoder) -> Callable[..., Run]:
    def find(name: str) -> Encoder:
        return encoder if name == "moments" else trained.find(name, cache=cache)

    def train(plan: Plan, **options: Any) -> Run:
        return experiments.train(plan, **{"cache": cache, "find": find, "device": "cpu", **options})

    return train


def stopped_at(word: str) -> Callable[..., None]:
    """Be the progress of somebody who presses Ctrl-C when a message has the word."""

    def progress(*_: object, message: str, **__: object) -> None:
        if word in message:
            raise KeyboardInterrupt

    return progress


def same(a: Run, b: Run) -> bool:
    return a.tested.equals(b.tested) and a.validated.equals(b.validated)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"model": "cnn9"}, "no model is called 'cnn9', expected one of forest, svm, ridge, mlp"),
        ({"model": "forest", "augment": True}, "forest cannot be augmented"),
        ({"model": "cnn3", "encoder": "egemaps"}, "cnn3 takes pictures of the clips only: leave out the encoder"),
        ({"model": "cnn_transformer", "layer": 3}, "cnn_transformer takes pictures of the clips only"),
        ({"model": "svm", "epochs": 5}, "svm is not trained in epochs"),
        ({"model": "svm", "learning_rate": 0.1}, "svm is not trained at a learning rate"),
        ({"model": "mlp", "learning_rate": 0.0}, "mlp needs a learning rate between 0 and 1, not 0.0"),
        ({"model": "forest", "label_smoothing": 0.1}, "forest has no labels to be smoothed"),
        ({"model": "forest", "one_cycle": True}, "forest learns in no cycle of the rate"),
        ({"model": "partial", "one_cycle": True}, "partial learns in no cycle of the rate"),
        ({"model": "mlp", "label_smoothing": 1.0}, "mlp needs a label smoothing of 0 or more, below 1, not 1.0"),
        ({"model": "cnn4", "pretrain": "greedy"}, "cnn4 cannot be pretrained greedily"),
        ({"model": "mlp", "c": 2.0}, "mlp has no kernel and no cost C: those are of svm"),
        ({"model": "mlp", "epochs": 0}, "mlp needs one epoch or more, not 0"),
        ({"model": "svm", "c": -1.0}, "svm needs a cost C above 0, not -1.0"),
        ({"model": "svm", "c": float("nan")}, "svm needs a cost C above 0, not nan"),
        ({"model": "mlp", "seed": -1}, "mlp needs a seed of 0 or more"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_done(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ExperimentError, match=sentence):
        experiments.check(Plan(**{"corpus": "mine", **wrong}))


def test_the_command_says_what_is_unusual() -> None:
    assert experiments.arguments(Plan("cnn3", "ravdess")) == ["train", "cnn3", "ravdess"]
    plan = Plan("svm", "emodb", split="loso", encoder="egemaps", layer=2, normalise="speaker", kernel="linear", c=0.01)
    said = "train svm emodb --split loso --encoder egemaps --layer 2 --normalise speaker --kernel linear --c 0.01"
    assert experiments.arguments(plan) == said.split()
    title = (
        "svm (egemaps, layer 2, linear kernel, C 0.01, normalised by speaker) · emodb · one unseen speaker at a time"
    )
    assert experiments.title(plan) == title


def test_every_clip_of_an_unseen_speaker_is_tested_once(train: Callable[..., Run], mine: Located) -> None:
    run = train(Plan("svm", "mine", encoder="moments"))
    assert (run.n_folds, run.finished) == (4, True)
    assert sorted(run.tested["file"]) == sorted(mine.clips()["file"])
    assert run.evaluation.speaker_independent
    assert run.classes == ("angry", "neutral", "sad")  # a folder has no order of its own
    truth = run.tested["file"].str.split("_").str[0]
    assert [run.classes[number] for number in run.tested["truth"]] == truth.tolist()
    assert run.evaluation.uar > 0.9  # three pitches are easy
    assert np.abs(run.probabilities.sum(axis=1) - 1).max() < 1e-9
    assert run.contaminated is None


def test_the_kept_model_says_again_what_it_said(train: Callable[..., Run], cache: Cache, tmp_path: Path) -> None:
    run = train(MLP)
    store = embeddings.find_store([catalogue.get(cache, "mine")], "moments", cache=cache)
    held = embeddings.load(catalogue.get(cache, "mine"), store, cache=cache)
    # elsewhere: neither the corpus nor its embeddings are there
    other = Cache(tmp_path / "other")
    shutil.copytree(run.folder, other.root / "runs" / run.id)
    shutil.rmtree(cache.root)
    moved = runs.get(other, run.id)
    assert moved.evaluation.uar == pytest.approx(scores.uar(moved.evaluation.confusion))
    assert moved.contaminated is None
    for fold in (1, 4):
        table = moved.tested[moved.tested["fold"] == fold]
        rows = [held.clips["file"].tolist().index(file) for file in table["file"]]
        fitted = moved.fitted(fold)
        said = fitted.probabilities(Inputs(held.layer(-1)[rows], None))
        assert np.abs(said - runs.probabilities(table)).max() < 1e-6
        assert fitted.predicted(Inputs(held.layer(-1)[rows], None)).tolist() == table["predicted"].tolist()


def test_a_network_has_a_history_and_facts(train: Callable[..., Run]) -> None:
    told: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, *, message: str, **_: object) -> None:
        told.append((done, total, message))

    run = train(MLP, progress=progress)
    assert run.history.groupby("fold")["epoch"].apply(list).tolist() == [[1, 2, 3]] * 4
    assert run.facts["arguments"] == ["train", "mlp", "mine", "--encoder", "moments", "--epochs", "3"]
    facts = run.facts["folds"]["4"]
    assert (facts["device"], facts["epochs"], facts["n_parameters"]) == ("cpu", 3, run.n_parameters)
    best = run.history.query("fold == 4").sort_values(["validation_uar", "validation_loss"], ascending=[False, True])
    assert facts["best_epoch"] == best["epoch"].iloc[0]
    assert run.validated["fold"].value_counts().tolist() == [12] * 4
    assert (48, 48, "moments of the clips") in told
    (fifth,) = (said for said in told if "fold 2 of 4, epoch 2" in said[2])
    row = run.history.query("fold == 2 and epoch == 2").iloc[0]
    losses = f"loss {row['train_loss']:.2f}, validation {row['validation_loss']:.2f}"
    assert fifth == (5, 12, f"fold 2 of 4, epoch 2: {losses}, {100 * row['validation_accuracy']:.0f} % right")
    assert told[-1][2] == f"UAR {run.evaluation.uar:.1%} on 48 test clips"
    assert not list(run.folder.glob("epoch-*"))


def test_pictures_go_in_and_a_random_split_is_one_fold(train: Callable[..., Run]) -> None:
    run = train(Plan("cnn3", "mine", split="random", epochs=1))
    assert (run.n_folds, len(run.tested), len(run.validated)) == (1, 8, 7)
    assert not run.evaluation.speaker_independent
    assert run.recipe["inputs"]["pictures"]["shape"] == [128, 128]


def test_labels_are_smoothed_if_asked(train: Callable[..., Run]) -> None:
    smooth, usual = train(replace(MLP, label_smoothing=0.5)), train(MLP)
    assert smooth.history["train_loss"].iloc[0] > usual.history["train_loss"].iloc[0]
    assert smooth.recipe["training"]["label_smoothing"] == 0.5
    assert train(replace(MLP, label_smoothing=0.0)).id == usual.id != smooth.id
    assert "label smoothing 0.5" in smooth.title


def test_the_rate_goes_through_one_cycle_if_asked(train: Callable[..., Run]) -> None:
    cycle, usual = train(replace(MLP, one_cycle=True)), train(MLP)
    assert cycle.id != usual.id
    assert "one cycle" in cycle.title
    rates = cycle.history["learning_rate"]
    assert rates.iloc[-1] < 1e-6 < usual.history["learning_rate"].iloc[-1]
    assert experiments.arguments(replace(MLP, one_cycle=True))[-1] == "--one-cycle"


def test_what_was_not_chosen_is_not_in_the_recipe(train: Callable[..., Run]) -> None:
    """So that a choice that is added later does not rename the runs of today."""
    assert not {"encoder", "epochs", "learning_rate", "label_smoothing", "one_cycle"} & {
        name for name, value in train(MLP).recipe.items() if value is None
    }


def test_the_learning_rate_is_the_cards_unless_asked(train: Callable[..., Run]) -> None:
    slower = train(replace(MLP, learning_rate=1e-4))
    assert set(slower.history["learning_rate"]) == {1e-4}
    assert set(train(MLP).history["learning_rate"]) == {1e-3}
    assert train(replace(MLP, learning_rate=1e-3)).id == train(MLP).id != slower.id
    assert experiments.arguments(replace(MLP, learning_rate=1e-4))[-2:] == ["--learning-rate", "0.0001"]
    assert slower.title == "mlp (moments, 3 epochs, learning rate 0.0001) · mine · unseen speakers"


def test_least_squares_keep_the_penalty_that_was_chosen(train: Callable[..., Run]) -> None:
    run = train(Plan("ridge", "mine", encoder="moments"))
    assert run.facts["folds"]["1"]["chosen"]["penalty"] in ridge.PENALTIES
    assert run.fitted(1).penalty == run.facts["folds"]["1"]["chosen"]["penalty"]


def test_the_forest_keeps_what_it_chose(train: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_core.models import forest

    small = {"criterion": ("gini",), "max_depth": (2, None), "min_samples_leaf": (1,), "min_samples_split": (2,)}
    monkeypatch.setattr(forest, "GRID", {**small, "n_estimators": (5,)})
    run = train(Plan("forest", "mine", split="random", encoder="moments"))
    assert run.facts["folds"]["1"]["chosen"]["n_estimators"] == 5
    assert run.fitted().classes == run.classes


def test_the_same_seed_is_the_same_run(train: Callable[..., Run], cache: Cache) -> None:
    first = train(MLP)
    kept = first.folder.rename(cache.root / "first")
    again = train(MLP)
    assert again.id == first.id
    assert same(again, Run(first.id, kept, first.recipe, first.facts))
    other = train(Plan(**{**MLP.__dict__, "seed": 1}))
    assert other.id != first.id
    assert not np.array_equal(other.probabilities, again.probabilities)


def test_plans_that_come_to_the_same_are_the_same_run(train: Callable[..., Run]) -> None:
    run = train(Plan("svm", "mine", encoder="moments"))
    assert train(Plan("svm", "mine", encoder="moments", layer=1)).id == run.id  # the last of two
    assert train(Plan("svm", "mine", encoder="moments", layer=0)).id != run.id
    usual = train(Plan("svm", "mine", split="random"))
    assert train(Plan("svm", "mine", split="random", encoder="spectral")).id == usual.id
    assert usual.title == "svm · mine · clips at random"


@pytest.mark.parametrize("word", ["fold 3 of 4, epoch 1", "fold 2 of 4, epoch 2"])
def test_stopped_it_goes_on_as_if_nothing_had_been(
    train: Callable[..., Run], cache: Cache, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)
    whole = train(MLP)
    kept = whole.folder.rename(cache.root / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(MLP, progress=stopped_at(word))
    half = runs.get(cache, whole.id)
    assert half.n_done == int(word[5]) - 1
    assert half.tested.equals(whole.tested[whole.tested["fold"] <= half.n_done])
    assert list(half.folder.glob("epoch-*.safetensors"))
    written = {path: path.stat().st_mtime_ns for path in half.folder.glob("model-*")}
    told: list[str] = []
    run = train(MLP, progress=lambda *_, message, **__: told.append(message))
    assert same(run, Run(whole.id, kept, whole.recipe, whole.facts))
    assert run.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))
    assert {path: path.stat().st_mtime_ns for path in written} == written  # what was done is not done again
    assert not any("fold 1 of 4" in message for message in told)


def test_nobody_else_trains_the_same_run(train: Callable[..., Run], cache: Cache) -> None:
    run = train(Plan("svm", "mine", encoder="moments"))
    with run_files.writing(cache, run.id), pytest.raises(RunError, match="is being trained just now"):
        train(Plan("svm", "mine", encoder="moments"))


def test_a_planted_speaker_is_reported(train: Callable[..., Run], mine: Located) -> None:
    files = sorted(mine.root.glob("angry_1_*.wav"))
    for number, file in enumerate(files):  # speaker s0 under another name
        shutil.copy(mine.root / f"angry_0_{number}.wav", file)
    run = train(Plan("svm", "mine", encoder="moments"))
    assert not run.evaluation.speaker_independent
    assert run.folds["same_recordings"].tolist() == [4, 4, 0, 0]


def test_a_speaker_on_both_sides_is_reported(train: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_core import splits

    honest = splits.folds

    def leaky(*arguments: Any, **options: Any) -> list[splits.Fold]:
        first, *rest = honest(*arguments, **options)
        return [splits.Fold(np.append(first.train, first.test[0]), first.test[1:], first.validation), *rest]

    monkeypatch.setattr(splits, "folds", leaky)
    run = train(Plan("svm", "mine", encoder="moments"))
    assert run.folds["shared"].tolist() == [["s0"], [], [], []]
    assert not run.evaluation.speaker_independent


@pytest.mark.parametrize("model", ["svm", "mlp"])
def test_shuffled_labels_stay_at_chance(
    train: Callable[..., Run], cache: Cache, make_folder: Callable[..., Path], model: str
) -> None:
    root = make_folder("noise", n_takes=8)
    table = pd.read_csv(root / "metadata.csv")
    table["emotion"] = np.random.default_rng(0).permutation(table["emotion"])
    table.to_csv(root / "metadata.csv", index=False)
    catalogue.add(cache, "folder", root, name="noise")
    found = train(Plan(model, "noise", encoder="moments", epochs=4 if model == "mlp" else None)).evaluation
    low, high = found.interval(scores.uar)
    assert low < 1 / 3 < high
    assert high < 0.6


def test_clips_of_unknown_labels_are_left_out(train: Callable[..., Run], mine: Located) -> None:
    table = pd.read_csv(mine.root / "metadata.csv")
    table.loc[0, "emotion"], table.loc[1, "speaker"] = None, None
    table.to_csv(mine.root / "metadata.csv", index=False)
    run = train(Plan("svm", "mine", encoder="moments"))
    assert len(run.tested) == run.recipe["n_clips"] == 46
    assert not set(table["file_name"][:2]) & set(run.tested["file"])
    table.assign(emotion="sad").to_csv(mine.root / "metadata.csv", index=False)
    with pytest.raises(ExperimentError, match="a model needs two emotions or more, mine has sad only"):
        train(Plan("svm", "mine", encoder="moments"))
    table.assign(emotion=None).to_csv(mine.root / "metadata.csv", index=False)
    with pytest.raises(ExperimentError, match="no clip of mine has a known emotion, a known speaker and moments"):
        train(Plan("svm", "mine", encoder="moments"))


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (
            Plan("svm", "mine", encoder="mel-picture"),
            "svm is given vectors, and mel-picture makes pictures: name another",
        ),
        (Plan("cnn_mlp", "mine", encoder="mel-picture"), "cnn_mlp is given vectors, and mel-picture makes pictures"),
        (Plan("mlp", "mine", encoder="moments", layer=2), "layer 2: moments has layers 0 to 1"),
        (Plan("mlp", "mine", encoder="moments", layer=-3), "layer -3: moments has layers 0 to 1"),
    ],
)
def test_inputs_that_do_not_fit_are_said_before_anything_is_computed(
    train: Callable[..., Run], cache: Cache, plan: Plan, sentence: str
) -> None:
    with pytest.raises(ExperimentError, match=sentence):
        train(plan)
    assert (runs.ls(cache), cache.ls()) == ([], [])


def test_a_device_that_is_not_there_leaves_no_run(train: Callable[..., Run], cache: Cache) -> None:
    with pytest.raises(NetworkError, match="device 'abacus' is not available here"):
        train(MLP, device="abacus")
    assert (runs.ls(cache), cache.ls()) == ([], [])


def test_too_few_speakers_are_a_sentence(train: Callable[..., Run], mine: Located) -> None:
    table = pd.read_csv(mine.root / "metadata.csv").assign(speaker="one")
    table.to_csv(mine.root / "metadata.csv", index=False)
    with pytest.raises(SplitError, match="unseen speakers need 2 speakers or more"):
        train(Plan("svm", "mine", encoder="moments"))


def test_normalising_by_speaker_takes_the_level_of_a_voice_away(train: Callable[..., Run]) -> None:
    run = train(Plan("svm", "mine", encoder="moments", normalise="speaker"))
    assert run.normalise == "speaker"
    assert np.abs(run.fitted(1).arrays()["centre"]).max() < 1e-6  # each speaker's mean is 0, and so is that of several


def test_a_map_of_a_network_knows_the_clips_of_its_training(cache: Cache, mine: Located) -> None:
    find = partial(trained.find, cache=cache)
    network = experiments.train(Plan("mlp", "mine", encoder="logmel", epochs=1), cache=cache, find=find, device="cpu")
    assert network.contaminated is None
    plan = Plan("svm", "mine", encoder=f"run:{network.id}", split="random")
    run = experiments.train(plan, cache=cache, find=find, device="cpu")
    first = network.folds["n_test"].iloc[0]
    assert run.contaminated == f"run:{network.id} was itself trained on {48 - first} of these 48 clips"
    shutil.rmtree(network.folder)
    assert runs.get(cache, run.id).contaminated == run.contaminated
    assert json.loads((run.folder / "recipe.json").read_text())["encoder"] == f"run:{network.id}"
