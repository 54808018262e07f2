"""Autoencoders of vectors as runs: what is trained on, what is kept, and the encoder that comes of it."""

import numpy as np
import pytest
import two_corpora

from ser_core import catalogue, embeddings, encoders, plans, runs, squeezing, trained
from ser_core.cache import Cache
from ser_core.latents import LatentsError, carried
from ser_core.models import autoencoder
from ser_core.plans import ExperimentError, ReducerPlan
from ser_core.runs import RunError

PLAN = ReducerPlan("dae", "first", emotions="neutral,anger", epochs=5)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    return two_corpora.make(tmp_path_factory.mktemp("squeezing"))


@pytest.fixture(scope="module")
def run(cache):
    return squeezing.train(PLAN, cache=cache)


def test_only_clips_of_these_emotions_are_trained_on(cache, run):
    words = catalogue.get(cache, "first").clips().set_index("file")["emotion"]
    taught = run.latents[run.latents["part"] == "train"]
    assert set(words[taught["file"]]) == {"neutral", "anger"}
    assert len(taught) == run.recipe["n_taught"] == 48
    assert run.recipe["n_clips"] == len(run.latents) == 96
    assert run.taught() == frozenset(taught["sha"])
    assert not run.recognises
    assert run.title == "dae (5 epochs, anger,neutral) · first · all speakers"


def test_its_numbers_are_those_of_the_encoder(cache, run, monkeypatch):
    found = two_corpora.opened(cache, "first")
    made = run.reducer()
    numbers = made.numbers(made.scale.apply(found.layer(0)).astype(np.float64))
    assert run.latents[["mean_0", "mean_1"]].to_numpy() == pytest.approx(numbers, abs=1e-9)
    own = run.latents["part"] == "train"
    assert numbers[own].std(axis=0) == pytest.approx(1, abs=1e-9)
    encoder = trained.find(f"run:{run.id}", cache=cache)
    assert encoder.recipe()["dim"] == 2
    assert encoder.title.endswith("two numbers")
    assert encoder in trained.available(cache)
    planted = found.vectors[:3]
    egemaps = type(encoders.encoder("egemaps"))
    monkeypatch.setattr(egemaps, "encode", lambda *_, **__: planted)
    assert encoder.encode([np.zeros(16_000, np.float32)] * 3)[:, 0] == pytest.approx(numbers[:3], abs=1e-5)


def test_nothing_is_trained_twice(cache, run, monkeypatch):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(autoencoder, "fit", never)
    assert squeezing.train(PLAN, cache=cache).id == run.id
    usual = {"encoder": "egemaps", "layer": 0, "batch_size": 64, "learning_rate": 1e-3}
    same = ReducerPlan("dae", "first", emotions="anger, neutral", epochs=5, **usual)
    assert squeezing.train(same, cache=cache).id == run.id


def test_what_is_kept_tells_how_it_learnt(run):
    assert run.history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert run.history["error"].is_monotonic_decreasing
    assert run.recipe["training"] == {"noise": 1.0, "epochs": 5, "batch_size": 64, "learning_rate": 0.001}
    assert run.n_parameters == 88 * 64 + 64 + 64 * 2 + 2 + 2 * 64 + 64 + 64 * 88 + 88
    assert run.command == "ser train dae first --emotions neutral,anger --epochs 5"


def test_it_can_be_put_on_the_maps(cache, run):
    located = catalogue.get(cache, "first")
    store = cache.vectors(embeddings.full_recipe(trained.find(f"run:{run.id}", cache=cache)))
    assert store.recipe["dim"] == 2
    assert trained.n_taught(store.recipe, two_corpora.opened(cache, located.name).digests, cache=cache) == 48


def test_what_it_is_not_is_said(cache, run):
    with pytest.raises(RunError, match="is no variational autoencoder"):
        run.autoencoder()
    with pytest.raises(LatentsError, match="is no variational autoencoder"):
        carried(run, catalogue.get(cache, "first").clips(), cache=cache, seed=0)
    with pytest.raises(RunError, match="names no emotions"):
        run.fitted()


def test_errors_say_what_does_not_fit(cache):
    with pytest.raises(ExperimentError, match="first has no emotion fear; it has anger, happiness, neutral, sadness"):
        squeezing.train(ReducerPlan("uae", "first", emotions="fear"), cache=cache)
    with pytest.raises(ExperimentError, match="uae needs one epoch or more, not 0"):
        squeezing.train(ReducerPlan("uae", "first", epochs=0), cache=cache)
    with pytest.raises(ExperimentError, match="dae has no choice of beta"):
        plans.plan("dae", "first", beta=2.0)
    assert plans.plan("uae", "first", layer=0, speakers="01") == ReducerPlan("uae", "first", layer=0, speakers="01")


def test_runs_are_listed(cache, run):
    assert run.id in [one.id for one in runs.ls(cache)]
