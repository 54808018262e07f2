import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import small_runs
from conftest import tone
from safetensors.numpy import load_file, save_file
from small_runs import Bands
from typer.testing import CliRunner

from ser_core import audio, catalogue, embeddings, encoders, maps, placement, runs, trained
from ser_core.cache import Cache
from ser_core.cli import app
from ser_core.encoders import ENCODERS, EncoderError
from ser_core.encoders.base import ClipError
from ser_core.encoders.pictures import MEL_PICTURE
from ser_core.models.cards import CARDS
from ser_core.runs import Run
from ser_core.trained import Trained


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with small_runs.known():
        yield small_runs.make(tmp_path_factory.mktemp("trained"), *small_runs.PLANS)


@pytest.fixture
def cache(made) -> Cache:
    return made[0]


@pytest.fixture
def run(made) -> Run:
    return made[1]["mlp"]


def signals(cache: Cache, files) -> list[np.ndarray]:
    root = catalogue.get(cache, "tones").root
    return [audio.read(root / file) for file in files]


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("name", "width"), [("mlp", 64), ("cnn3", 72)])
@pytest.mark.parametrize("fold", [1, 2])
def test_the_last_layer_makes_of_it_what_the_run_predicted(made, name: str, width: int, fold: int) -> None:
    cache, all_runs = made
    run = all_runs[name]
    if fold > run.n_folds:
        return
    encoder = trained.find(f"run:{run.id}" + (".2" if fold == 2 else ""), cache=cache)
    tested = run.tested[run.tested["fold"] == fold]
    inner = encoder.encode(signals(cache, tested["file"]))
    assert inner.shape == (len(tested), 1, width)
    weights = load_file(run.weights(fold))
    logits = inner[:, 0] @ weights["module.out.weight"].T + weights["module.out.bias"]
    expected = tested[[f"p_{k}" for k in range(3)]].to_numpy()
    np.testing.assert_allclose(softmax(logits.astype(float)), expected, rtol=1e-4, atol=1e-6)


def test_the_inner_layer_by_hand(cache: Cache, run: Run) -> None:
    clips = run.clips
    x = Bands().encode(signals(cache, clips["file"]))[:, -1].astype(float)
    inside = ~clips["file"].isin([*run.tested.loc[run.tested["fold"] == 1, "file"]])
    train = inside & ~clips["file"].isin([*run.validated.loc[run.validated["fold"] == 1, "file"]])
    z = np.clip((x - x[train].mean(axis=0)) / x[train].std(axis=0), -10, 10)
    weights = {name: value.astype(float) for name, value in load_file(run.weights()).items()}
    for layer in (0, 4, 8):
        linear, norm = f"module.hidden.{layer}", f"module.hidden.{layer + 2}"
        z = np.maximum(z @ weights[f"{linear}.weight"].T + weights[f"{linear}.bias"], 0)
        z = (z - weights[f"{norm}.running_mean"]) / np.sqrt(weights[f"{norm}.running_var"] + 1e-5)
        z = z * weights[f"{norm}.weight"] + weights[f"{norm}.bias"]
    found = Trained(run).encode(signals(cache, clips["file"]))[:, 0]
    np.testing.assert_allclose(found, z, rtol=1e-3, atol=1e-4)


def test_it_embeds_a_corpus_and_places_clips(cache: Cache, run: Run) -> None:
    located, encoder = catalogue.get(cache, "tones"), trained.find(f"run:{run.id}", cache=cache)
    found = embeddings.embed(located, encoder, cache=cache)
    np.testing.assert_allclose(found.vectors, encoder.encode(signals(cache, found.clips["file"])), rtol=1e-4, atol=1e-5)
    assert maps.view(found, layer=-1, method="pca", n_components=2, scaling=None, seed=0).scaling == "centre"
    atlas = placement.atlas("tones", f"run:{run.id}", cache=cache)
    assert atlas.encoder == encoder
    placed = atlas.place(located.root / found.clips["file"][7])
    assert placed.same == 7
    np.testing.assert_allclose(placed.point, atlas.ground.drawn.projection.coordinates[7], atol=1e-4)


def test_recipe_and_title(cache: Cache, run: Run) -> None:
    encoder = Trained(run)
    assert encoder.title == f"{run.title}: inner layer (64)"
    assert Trained(run, 2).title == f"{run.title}, fold 2: inner layer (64)"
    assert (encoder.name, Trained(run, 2).name) == (f"run:{run.id}", f"run:{run.id}.2")
    assert not encoder.batched
    assert encoder.missing() is None
    recipe = encoder.recipe()
    assert json.loads(json.dumps(recipe)) == recipe
    assert {name: recipe[name] for name in ("dim", "layers", "sampling_rate", "run", "fold")} == {
        "dim": 64, "layers": ["hidden"], "sampling_rate": 16_000, "run": run.id, "fold": 1,
    }  # fmt: skip
    assert Trained(run, 2).recipe()["weights"] != recipe["weights"]
    assert encoder.encode([]).shape == (0, 1, 64)


def test_other_weights_are_another_recipe(cache: Cache, run: Run, tmp_path: Path) -> None:
    there = copied(run, tmp_path)
    before = embeddings.full_recipe(Trained(there))
    assert before == embeddings.full_recipe(Trained(run))
    arrays = load_file(there.weights())
    arrays["module.out.bias"] += 1
    save_file(arrays, there.weights())
    assert Trained(there).recipe()["weights"] != before["weights"]
    with pytest.raises(placement.PlacementError, match=rf"weights was .*, is .*: run `ser embed CORPUS run:{run.id}`"):
        placement.encoder_of(before, cache=Cache(tmp_path))


def test_a_run_in_another_cache_encodes(cache: Cache, run: Run, tmp_path: Path) -> None:
    there = trained.find(f"run:{copied(run, tmp_path).id}", cache=Cache(tmp_path))
    sound = [tone(300), tone(410, 0.5)]
    np.testing.assert_array_equal(there.encode(sound), Trained(run).encode(sound))
    alone = np.concatenate([there.encode([one]) for one in sound])
    np.testing.assert_allclose(alone, there.encode(sound), rtol=1e-4, atol=1e-6)


def test_names_that_are_none(made) -> None:
    cache, all_runs = made
    run, svm = all_runs["mlp"], all_runs["svm"]
    assert trained.find("egemaps", cache=cache) == ENCODERS["egemaps"]
    with pytest.raises(EncoderError, match=r"no run is called 'nothing'; `ser runs ls` lists them"):
        trained.find("run:nothing", cache=cache)
    with pytest.raises(
        EncoderError, match=rf"run {svm.id} \(support vector machine\) is no network, and has no inner layer"
    ):
        trained.find(f"run:{svm.id}", cache=cache)
    for name in (f"run:{run.id[:6]}", f"run:{run.id}.1", f"run:{run.id}.5", f"run:{run.id}.0", f"run:{run.id}.x"):
        with pytest.raises(EncoderError, match=rf"no encoder is called '{name}', expected run:{run.id} or, of its 4"):
            trained.find(name, cache=cache)


def test_a_fold_that_is_not_trained_or_lost(run: Run, tmp_path: Path) -> None:
    there = copied(run, tmp_path)
    there.weights(3).unlink()
    with pytest.raises(EncoderError, match=rf"model-3\.safetensors of run {run.id} is missing: `ser train mlp tones"):
        Trained(there, 3).recipe()
    there.weights(2).write_bytes(b"nothing")
    with pytest.raises(EncoderError, match=rf"model-2\.safetensors of run {run.id} is damaged"):
        Trained(there, 2).recipe()
    with pytest.raises(EncoderError, match=r"model-2\.safetensors of run .* is damaged"):
        Trained(there, 2).network()
    (there.folder / "predictions-1.csv").unlink()
    again = runs.get(Cache(tmp_path), run.id)
    with pytest.raises(
        EncoderError, match=rf"fold 1 of run {run.id} is not trained yet: `ser train mlp tones .*goes on"
    ):
        Trained(again).recipe()
    assert trained.available(Cache(tmp_path)) == []


def test_only_finished_networks_that_know_lone_clips_are_offered(made, tmp_path: Path) -> None:
    cache, all_runs = made
    assert {one.run.id for one in trained.available(cache)} == {all_runs[name].id for name in ("mlp", "shared", "cnn3")}
    there = copied(all_runs["mlp"], tmp_path)
    assert [one.name for one in trained.available(Cache(tmp_path))] == [f"run:{there.id}"]
    there.weights().write_bytes(b"nothing")
    assert trained.available(Cache(tmp_path)) == []


def test_normalised_by_speaker_cannot_encode_a_lone_clip(made) -> None:
    encoder = Trained(made[1]["own"])
    assert "standardised by their own speaker" in str(encoder.missing())
    with pytest.raises(EncoderError, match=r"a clip by itself cannot be given to it: train with --normalise global"):
        encoder.encode([tone(300)])


def test_another_version_of_its_input_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer(Bands):
        def recipe(self) -> dict[str, object]:
            return super().recipe() | {"version": 2}

    monkeypatch.setitem(ENCODERS, "bands", Newer())
    with pytest.raises(
        EncoderError,
        match=r"bands would give other numbers now than it gave in training \(version was "
        r"None, is 2\): train again",
    ):
        Trained(run).encode([tone(300)])
    monkeypatch.delitem(ENCODERS, "bands")
    assert "no encoder is called 'bands'" in str(Trained(run).missing())


def test_clips_that_cannot_be_encoded_fail_alone(made) -> None:
    with pytest.raises(ClipError, match=r"clip too short: 0\.050 s"):
        Trained(made[1]["cnn3"]).encode([tone(300, 0.05)])


def test_what_it_learnt_from(made, cache: Cache) -> None:
    run = made[1]["mlp"]
    tested = run.tested[run.tested["fold"] == 1]
    assert tested["speaker"].nunique() == 1
    assert len(run.taught()) == 60 - len(tested)
    assert not run.taught() & set(tested["sha"])
    recipe = embeddings.full_recipe(Trained(run))
    digests = [*run.clips["sha"], "0" * 64]
    assert trained.n_taught(recipe, digests, cache=cache) == 45
    assert trained.n_taught(recipe, [*tested["sha"]], cache=cache) == 0
    assert trained.n_taught({"name": "egemaps"}, digests, cache=cache) == 0
    assert trained.n_taught({"name": "run:0123456789ab"}, digests, cache=cache) is None


def test_a_network_on_the_inner_layer_of_another_has_learnt_from_both_ones_clips(cache: Cache, run: Run) -> None:
    from dataclasses import replace
    from functools import partial

    from ser_core import experiments

    find = partial(trained.find, cache=cache)
    plan = replace(small_runs.PLANS["shared"], encoder=f"run:{run.id}.2", epochs=1)
    above = experiments.train(plan, cache=cache, find=find, device="cpu")
    own = set(above.clips["sha"]) - set(above.tested["sha"])
    assert above.taught() == own | run.taught(2)
    assert len(above.taught()) > max(len(own), len(run.taught(2)))
    assert not above.speaker_independent
    assert above.contaminated == f"run:{run.id}.2 was itself trained on {len(run.taught(2))} of these 60 clips"
    assert trained.find(f"run:{above.id}", cache=cache).encode([tone(300)]).shape == (1, 1, 64)
    runs.remove(cache, above.id)


def test_the_commands_take_it(made, cache: Cache) -> None:
    run = made[1]["shared"]

    def answer(*arguments: str) -> dict:
        done = CliRunner().invoke(app, [*arguments, "--json", "--cache", str(cache.root)])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    name = f"run:{run.id}"
    assert answer("embed", "tones", name)["dim"] == 64
    assert answer("project", "tones", name)["encoder"] == name
    said = answer("evaluate", "tones", "--encoder", name)
    assert (said["n_taught"], said["speaker_independent"]) == (len(run.taught()), False)
    said = answer("evaluate", "tones", "--encoder", "bands")
    assert (said["n_taught"], said["speaker_independent"]) == (0, True)
    assert answer("place", "--corpus", "tones", "--encoder", name, "--check")["check"]["n_taught"] == len(run.taught())
    listed = {one["name"]: one for one in answer("encoders")["encoders"]}
    assert listed[name] == {"name": name, "title": Trained(run).title, "missing": None}
    assert {*encoders.ENCODERS} <= listed.keys()


def test_what_is_made_of_pictures(made) -> None:
    run = made[1]["cnn3"]
    sound = tone(300, 0.5)
    found = Trained(run).inputs([sound])
    assert found.vectors is None
    assert found.pictures is not None
    np.testing.assert_array_equal(found.pictures[0, 0].ravel(), MEL_PICTURE.encode([sound])[0, 0])
    assert CARDS["cnn3"].picture == MEL_PICTURE.name


def copied(run: Run, cache: Path) -> Run:
    shutil.copytree(run.folder, cache / "runs" / run.id)
    return runs.get(Cache(cache), run.id)
