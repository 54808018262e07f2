"""Autoencoders as runs: which clips, what is kept, going on, latents as an encoder, and where they do not belong."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import voices

from ser_core import autoencoders, catalogue, combining, comparison, importance, plans, recognisers, runs, trained
from ser_core.cache import Cache
from ser_core.combining import RunError
from ser_core.comparison import ComparisonError
from ser_core.encoders import encoder
from ser_core.models import unfinished, vae_training
from ser_core.models.vae_training import VaeTraining, fit
from ser_core.plans import ExperimentError, Plan, VaePlan


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    return voices.make(tmp_path_factory.mktemp("autoencoders"))


@pytest.fixture(scope="module")
def made(cache) -> list[runs.Run]:
    return voices.trained(cache, voices.ONE, voices.KNOWS, voices.ANY)


def pictures(cache: Cache, name: str = "voiced-mel") -> tuple[np.ndarray, pd.DataFrame]:
    """Make the pictures of the clips anew."""
    located = catalogue.get(cache, "voices")
    table = located.clips()
    table = table[table["file"] != "silent.wav"].reset_index(drop=True)
    of = encoder(name)
    from ser_core import audio

    found = of.encode([audio.read(located.root / file) for file in table["file"]])
    return found[:, 0].reshape(len(table), *of.recipe()["shape"]), table


def test_what_is_kept_is_what_the_training_made(cache, made):
    run, (x, table) = made[0], pictures(cache)
    rows = np.flatnonzero(table["speaker"] == "ada")
    fitted, history = fit(x, rows, training=VaeTraining(epochs=12), seed=0, device="cpu")
    means, deviations = fitted.latents(x)
    kept = run.latents
    assert kept["file"].tolist() == table["file"].tolist()
    assert np.allclose(kept[[f"mean_{k}" for k in range(8)]], means, atol=1e-6)
    assert np.allclose(kept[[f"sd_{k}" for k in range(8)]], deviations, rtol=1e-5)
    assert np.allclose(kept["reconstruction"], fitted.missed(x), rtol=1e-5)
    assert (kept["part"] == "train").tolist() == (table["speaker"] == "ada").tolist()
    assert [run.classes[number] for number in kept["truth"]] == table["emotion"].tolist()
    assert run.history["reconstruction"].tolist() == pytest.approx([one.reconstruction for one in history])
    assert (run.recipe["n_taught"], run.recipe["n_clips"], run.facts["n_silent"]) == (12, 48, 1)
    assert (run.finished, run.recognises, run.n_parameters) == (True, False, fitted.n_parameters)
    again = run.autoencoder()
    assert again.pictures(means[:2]).tobytes() == fitted.pictures(means[:2]).tobytes()


def test_it_tells_which_clips_it_has_learnt_from(cache, made):
    taught = made[0].taught()
    table = made[0].latents
    assert {sha in taught for sha in table.loc[table["part"] == "train", "sha"]} == {True}
    assert {sha in taught for sha in table.loc[table["part"] == "test", "sha"]} == {False}
    (line,) = made[0].folds.to_dict("records")
    assert (line["train_speakers"], line["n_train"], line["n_test"]) == (["ada"], 12, 36)
    assert line["shared"] == []


def test_a_decoder_that_knows_some_speakers_draws_theirs_alone(cache, made):
    run = made[1]
    table = run.latents
    known = table["speaker"].isin(["ada", "cleo"])
    assert table["reconstruction"].notna().tolist() == known.tolist()
    x, _ = pictures(cache)
    some = np.flatnonzero(known)[:3]
    missed = run.autoencoder().missed(x[some], speakers=table["speaker"].iloc[some].tolist())
    assert np.allclose(table["reconstruction"].iloc[some], missed, rtol=1e-5)


def test_clips_of_any_length_have_a_longer_picture(made):
    assert made[2].recipe["inputs"]["pictures"]["shape"] == [80, 256]
    assert made[2].autoencoder().any_length
    assert "any length" in made[2].title


def test_the_means_of_the_latents_are_an_encoder(cache, made):
    run, (_, table) = made[0], pictures(cache)
    from ser_core import audio, embeddings

    one = trained.find(f"run:{run.id}", cache=cache)
    located = catalogue.get(cache, "voices")
    found = one.encode([audio.read(located.root / file) for file in table["file"][:3]])
    assert found.shape == (3, 1, 8)
    assert np.allclose(found[:, 0], run.latents[[f"mean_{k}" for k in range(8)]][:3], atol=1e-5)
    assert one.recipe()["dim"] == 8
    assert one.title == "vae (12 epochs) · voices · speaker ada: means of the latents (8)"
    assert one in trained.available(cache)
    whole = embeddings.embed(located, one, cache=cache)
    assert (len(whole.clips), len(whole.failures)) == (48, 1)
    assert trained.n_taught(whole.recipe, whole.digests, cache=cache) == 12


def test_interrupted_it_goes_on(cache, monkeypatch):
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)
    plan = replace(voices.ONE, epochs=5, seed=3)
    whole = voices.trained(cache, plan)[0].latents
    x, table = pictures(cache)
    rows = np.flatnonzero(table["speaker"] == "ada")
    fitted, _ = fit(x, rows, training=VaeTraining(epochs=5), seed=3, device="cpu")
    assert np.allclose(whole[[f"mean_{k}" for k in range(8)]], fitted.latents(x)[0], atol=1e-6)
    runs.remove(cache, next(run.id for run in runs.ls(cache) if run.recipe["seed"] == 3))

    def stop(done: int, total: int, **_: object) -> None:
        if (done, total) == (3, 5):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        autoencoders.train(plan, cache=cache, device="cpu", progress=stop)
    (half,) = [run for run in runs.ls(cache) if not run.finished]
    assert (half.history["epoch"].max(), half.n_done) == (3, 0)
    learn, learnt = vae_training._learn, []
    monkeypatch.setattr(vae_training, "_learn", lambda *of, **how: learnt.append(1) or learn(*of, **how))
    run = autoencoders.train(plan, cache=cache, device="cpu")
    assert (run.id, len(learnt)) == (half.id, 2)
    pd.testing.assert_frame_equal(run.latents, whole)
    said = []
    autoencoders.train(plan, cache=cache, device="cpu", progress=lambda *_, **told: said.append(told["message"]))
    assert said[-1].startswith("reconstruction")
    assert not any(one.startswith("epoch") for one in said)  # nothing was trained again
    runs.remove(cache, run.id)


@pytest.mark.parametrize(
    ("choice", "files"),
    [
        ({"speakers": "ben, dan"}, 24),
        ({"speakers": "male"}, 24),
        ({"speakers": "female", "statement": "abc"}, 13),
        ({}, 49),
    ],
)
def test_clips_are_chosen_by_what_the_corpus_knows(cache, choice, files):
    clips = catalogue.get(cache, "voices").clips()
    assert len(plans.chosen(clips, VaePlan("vae", "voices", **choice))) == files


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"speakers": "eve"}, "has no speaker eve; it has ada, ben, cleo, dan"),
        ({"statement": "zzz"}, "has no statement zzz; it has abc, xyz"),
        ({"beta": -1.0}, "β of 0 or more"),
        ({"epochs": 0}, "one epoch or more"),
        ({"batch_size": 0}, "batches of one clip"),
        ({"warmup": -1}, "warm-up of 0"),
        ({"learning_rate": 2.0}, "learning rate between 0 and 1"),
        ({"seed": -1}, "seed of 0 or more"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_computed(cache, choice, told):
    with pytest.raises(ExperimentError, match=told):
        autoencoders.train(VaePlan("vae", "voices", **choice), cache=cache)


def test_a_column_that_the_corpus_lacks_is_named(cache):
    clips = catalogue.get(cache, "voices").clips().drop(columns="gender")
    with pytest.raises(ExperimentError, match="has no gender male; it has no gender at all"):
        plans.chosen(clips, VaePlan("vae", "voices", speakers="male"))


def test_usual_choices_said_or_not_are_one_run(cache, made):
    run = autoencoders.train(replace(voices.ONE, beta=1.0, warmup=0, batch_size=64), cache=cache, device="cpu")
    assert run.id == made[0].id
    two = voices.trained(cache, *(replace(voices.ONE, epochs=1, speakers=names) for names in ("dan, ben", "ben,dan")))
    assert two[0].id == two[1].id
    assert two[0].title == "vae (1 epochs) · voices · speakers ben,dan"


def test_plans_are_made_of_the_choices_of_their_kind():
    assert plans.plan("vae", "voices", beta=2.0, kernel="rbf", split="speaker") == VaePlan("vae", "voices", beta=2.0)
    assert plans.plan("svm", "voices", c=2.0, beta=None, told_speaker=False) == Plan("svm", "voices", c=2.0)
    for model, choice in (("vae", {"augment": True}), ("svm", {"told_speaker": True})):
        with pytest.raises(ExperimentError, match=f"{model} has no choice of"):
            plans.plan(model, "voices", **choice)


def test_it_names_no_emotions_anywhere(cache, made):
    run = made[0]
    assert recognisers.available(cache, ["voices"]) == ([], [])
    with pytest.raises(RunError, match="autoencoder, and names no emotions"):
        combining.combine([made[0].id, made[1].id], cache=cache)
    with pytest.raises(ComparisonError, match="names no emotions"):
        comparison.compare(made[0], made[1])
    assert "autoencoder" in (importance.refusal(run) or "")
    with pytest.raises(RunError, match="autoencoder"):
        run.fitted()


def test_weights_that_are_damaged_are_said(cache, made):
    file = made[2].weights()
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    try:
        with pytest.raises(RunError, match=r"model-1.safetensors of run .* is damaged"):
            made[2].autoencoder()
    finally:
        file.write_bytes(whole)
