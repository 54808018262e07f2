"""Encoders that are changed on a corpus: runs as any other, and encoders afterwards."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny_checkpoints
import torch
from typer.testing import CliRunner

from ser_core import audio, catalogue, embeddings, experiments, finetuning, labels, recognisers, runs, trained
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.cli import app
from ser_core.corpora import demo
from ser_core.encoders import Transformer
from ser_core.encoders.base import Encoder, EncoderError
from ser_core.experiments import ExperimentError, Plan
from ser_core.importance import refusal
from ser_core.labels import LabelError
from ser_core.models import unfinished
from ser_core.models.tuned import Tuned
from ser_core.models.tuning import Amounts
from ser_core.runs import Run


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny") / "base"
    tiny_checkpoints.save(root, "wav2vec2-group", seed=0)
    return root


@pytest.fixture
def plan(folder: Path) -> Plan:
    return Plan("partial", "mine", split="random", encoder=f"hf:{folder}", epochs=2)


@pytest.fixture
def train(cache: Cache, mine: Located) -> Callable[..., Run]:
    def train(plan: Plan, **options: Any) -> Run:
        def find(name: str) -> Encoder:
            return trained.find(name, cache=cache)

        return experiments.train(plan, **{"cache": cache, "find": find, "device": "cpu", **options})

    return train


@pytest.mark.parametrize("model", ["partial", "last-layers", "lora", "head"])
def test_a_tuned_encoder_is_a_run_like_others(train: Callable[..., Run], plan: Plan, model: str) -> None:
    run = train(replace(plan, model=model, split="speaker"))
    assert run.finished
    assert run.speaker_independent
    assert len(run.tested) == len(run.clips)
    assert run.probabilities.sum(axis=1) == pytest.approx(1)
    assert run.recipe["inputs"].keys() == {"vectors" if model == "head" else "signals"}
    assert ("tuning" in run.recipe) == (model != "head")
    again = train(replace(plan, model=model, split="speaker"))
    assert again.id == run.id
    assert again.tested.equals(run.tested)
    assert run.title == f"{model} (hf:base, 2 epochs) · mine · unseen speakers"


def test_what_it_said_is_what_it_says(train: Callable[..., Run], plan: Plan, mine: Located) -> None:
    run = train(plan)
    fitted = run.fitted()
    assert isinstance(fitted, Tuned)
    signals = tuple(audio.read(mine.root / file, 16_000) for file in run.tested["file"])
    given = experiments.Inputs(None, None, signals)
    np.testing.assert_allclose(fitted.probabilities(given, device="cpu"), run.probabilities, atol=1e-9)
    assert {"encoder_rate", "learning_rate"} <= set(run.history)
    assert run.recipe["tuning"]["learns"] == "transformer"


def test_it_is_an_encoder_of_all_layers_afterwards(
    train: Callable[..., Run], plan: Plan, cache: Cache, mine: Located
) -> None:
    run = train(replace(plan, encoder_rate=0.01))
    encoder = trained.find(f"run:{run.id}", cache=cache)
    before = embeddings.embed(mine, Transformer.parse(str(plan.encoder)), cache=cache, device="cpu")
    after = embeddings.embed(mine, encoder, cache=cache, device="cpu")
    assert after.layers == before.layers == ["0", "1", "2"]
    assert after.vectors.shape == before.vectors.shape
    moved = np.abs(after.vectors - before.vectors).max(axis=(0, 2))
    assert (moved > 1e-4).all()
    assert trained.n_taught(after.recipe, after.digests, cache=cache) == len(run.clips) - len(run.tested)
    assert encoder in trained.available(cache)
    made = encoder.recipe()
    assert made["weights"] == hashlib.sha256(run.weights().read_bytes()).hexdigest()
    assert str(made["inputs"]).startswith(f"['{plan.encoder} ")
    then = train(Plan("svm", "mine", split="random", encoder=f"run:{run.id}"))
    n_taught = len(run.clips) - len(run.tested)
    assert then.contaminated == f"run:{run.id} was itself trained on {n_taught} of these {len(run.clips)} clips"


def test_a_layer_or_all_of_them_weighted(train: Callable[..., Run], plan: Plan) -> None:
    ids = {
        (model, layer, weighted): train(replace(plan, model=model, epochs=1, layer=layer, weighted=weighted))
        for model in ("head", "last-layers")
        for layer, weighted in ((-1, None), (1, None), (-1, True))
    }
    assert len({run.id for run in ids.values()}) == 6
    assert ids["head", -1, True].n_parameters == (ids["head", -1, None].n_parameters or 0) + 3
    assert ids["last-layers", -1, True].n_parameters == (ids["last-layers", -1, None].n_parameters or 0) + 3
    assert train(replace(plan, model="head", epochs=1, layer=2)).id == ids["head", -1, None].id
    assert "all layers, weighted" in ids["head", -1, True].title


def test_a_head_may_stand_on_a_tuned_encoder(train: Callable[..., Run], plan: Plan) -> None:
    below = train(plan)
    with pytest.raises(ExperimentError, match="partial changes a pretrained network such as wav2vec2-base, not run:"):
        train(replace(plan, encoder=f"run:{below.id}"))
    run = train(Plan("head", "mine", split="random", encoder=f"run:{below.id}", weighted=True, epochs=1))
    assert run.finished
    assert run.contaminated


def test_stopped_in_an_epoch_it_goes_on_from_that_step(
    train: Callable[..., Run], plan: Plan, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)
    messages: list[str] = []

    def stopping(*_: object, message: str, **__: object) -> None:
        messages.append(message)
        if "epoch 2, step 1 of" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(plan, progress=stopping)
    (run,) = runs.ls(cache)
    assert not run.finished
    assert len(run.history) == 1
    later: list[str] = []
    done = train(plan, progress=lambda *_, message, **__: later.append(message))
    assert next(one for one in later if "step" in one).startswith("epoch 2, step 2 of")
    runs.remove(cache, done.id)
    whole = train(plan)
    assert whole.tested.equals(done.tested)
    assert any("sound of the clips" in one for one in messages)


def test_what_it_says_of_a_clip_of_ones_own(train: Callable[..., Run], plan: Plan, cache: Cache, mine: Located) -> None:
    run = train(plan)
    found, lacking = recognisers.available(cache, ["mine"])
    assert [one.id for one in found] == [run.id]
    assert not lacking
    file = mine.root / str(run.tested["file"].iloc[0])
    clip = audio.decode(file, 16_000)
    (said,) = recognisers.ask(found, clip, digest=str(run.tested["sha"].iloc[0]), known={})
    assert said.probabilities == pytest.approx(run.probabilities[0], abs=1e-6)
    assert not said.taught
    short = replace(clip, signal=clip.signal[:20])
    (said,) = recognisers.ask(found, short, digest="0", known={})
    assert said.why == "clip too short for wav2vec2: 20 samples, expected 60 or more"
    assert (
        refusal(run) == "this model has changed an encoder and is given the sound itself: it has no values with names"
    )


def test_a_checkpoint_that_is_gone_or_another_is_said(
    train: Callable[..., Run], plan: Plan, cache: Cache, mine: Located, tmp_path: Path
) -> None:
    tiny_checkpoints.save(tmp_path / "tiny", "wav2vec2-group", seed=1)
    run = train(replace(plan, encoder=f"hf:{tmp_path / 'tiny'}"))
    encoder = trained.find(f"run:{run.id}", cache=cache)
    assert encoder.missing() is None
    tiny_checkpoints.save(tmp_path / "tiny", "wav2vec2-group", seed=2)
    assert "would give other numbers now than it gave in training" in str(encoder.missing())
    with pytest.raises(EncoderError, match="is not the checkpoint that was tuned: its files have changed"):
        run.fitted()
    (tmp_path / "tiny" / "model.safetensors").unlink()
    assert "expected" in str(encoder.missing())
    with pytest.raises(EncoderError, match="save_pretrained"):
        embeddings.embed(mine, encoder, cache=cache)
    assert runs.get(cache, run.id).evaluation.uar >= 0  # what it said is kept


def test_clips_too_short_or_damaged_are_left_out(plan: Plan, mine: Located, cache: Cache) -> None:
    encoder = finetuning.check(Transformer.parse(str(plan.encoder)), plan)
    told: list[int] = []

    def listen() -> finetuning.Sounds:
        def tell(*_: object, failed: int, **__: object) -> None:
            told.append(failed)

        return finetuning.listen(mine, encoder, cache=cache, workers=2, progress=tell)

    whole = listen()
    assert len(whole.signals) == len(whole.clips) == len(whole.digests) == len(mine.clips())
    assert told[-1] == 0
    short, broken = (mine.root / file for file in whole.clips["file"][:2])
    short.write_bytes(audio.wav_bytes(np.full(400, 0.1, np.float32), 160_000))
    broken.write_bytes(b"no sound")
    some = listen()
    assert list(some.clips["file"]) == list(whole.clips["file"][2:])
    assert all(np.array_equal(a, b) for a, b in zip(some.signals, whole.signals[2:], strict=True))
    assert told[-1] == 2
    table = pd.read_csv(mine.root / "metadata.csv", dtype=str)
    at = table["file_name"] == whole.clips["file"][5]
    table.loc[at, "speaker"] = None
    table.to_csv(mine.root / "metadata.csv", index=False)
    assert list(listen().clips["file"]) == [*whole.clips["file"][2:5], *whole.clips["file"][6:]]


def test_what_does_not_fit_is_said_before_anything_is_computed(train: Callable[..., Run], plan: Plan) -> None:
    with pytest.raises(ExperimentError, match="svm does not weigh the layers of an encoder"):
        train(Plan("svm", "mine", weighted=True))
    with pytest.raises(ExperimentError, match="partial has no blocks that learn: those are of last-layers"):
        train(replace(plan, blocks=1))
    with pytest.raises(ExperimentError, match=r"3 blocks cannot learn: hf:.* has 2"):
        train(replace(plan, model="last-layers", blocks=3))
    with pytest.raises(
        ExperimentError, match="partial changes a pretrained network such as wav2vec2-base, not egemaps"
    ):
        train(replace(plan, encoder="egemaps"))
    with pytest.raises(ExperimentError, match="clips cannot be normalised by their speakers"):
        train(replace(plan, normalise="speaker"))
    with pytest.raises(ExperimentError, match="head changes no encoder: leave out its rate"):
        train(replace(plan, model="head", encoder_rate=0.1))
    with pytest.raises(ExperimentError, match="weighs all layers: leave out the one"):
        train(replace(plan, weighted=True, layer=1))
    with pytest.raises(ExperimentError, match=r"layer 7: hf:.* has layers 0 to 2"):
        train(replace(plan, layer=7))
    with pytest.raises(ExperimentError, match="mlp is not trained in float16"):
        train(Plan("mlp", "mine", encoder=plan.encoder), precision="float16")
    with pytest.raises(EncoderError, match="facebook/wav2vec2-base is not on this machine"):
        train(replace(plan, encoder=None))


def test_amounts_change_no_recipe(train: Callable[..., Run], plan: Plan) -> None:
    run = train(replace(plan, epochs=1), amounts=Amounts(2, recompute=True))
    assert train(replace(plan, epochs=1)).id == run.id
    facts = run.facts["folds"]["1"]
    assert (facts["at_once"], facts["recompute"], facts["device"]) == (2, True, "cpu")


def test_emotions_by_a_label_map(train: Callable[..., Run], cache: Cache, mine: Located, tmp_path: Path) -> None:
    words = mine.clips()["emotion"]
    first, *others = sorted(set(words))
    assert len(others) >= 2
    table = tmp_path / "mine.csv"
    table.write_text(f"word,emotion\n{first},calm\n{others[0]},\n")
    labels.add(cache, "own", table)
    run = train(Plan("svm", "mine", split="random", encoder="egemaps", labels="own"))
    assert set(run.classes) == {"calm", *(labels.MAPS["common"].of(word) for word in others[1:])}
    assert len(run.clips) == (words != others[0]).sum()
    assert run.recipe["label_map"] == {word: labels.get(cache, "own").of(word) for word in (first, *others)}
    assert "emotions by own" in run.title
    assert run.id != train(Plan("svm", "mine", split="random", encoder="egemaps")).id
    with pytest.raises(
        LabelError, match="no label map is called 'mind', expected one of common, calm-neutral, four, own"
    ):
        train(Plan("svm", "mine", labels="mind"))


def test_from_the_command_line(cache: Cache, mine: Located, folder: Path) -> None:
    def ser(*words: str) -> Any:
        return CliRunner().invoke(app, [*words, "--cache", str(cache.root)])

    found = ser(
        *("train", "last-layers", "mine", "--encoder", f"hf:{folder}", "--split", "random", "--epochs", "1"),
        *("--blocks", "1", "--weighted", "--at-once", "4", "--recompute", "--device", "cpu", "--labels", "common"),
    )
    assert found.exit_code == 0, found.output
    (run,) = runs.ls(cache)
    assert run.command.endswith("--labels common --weighted --blocks 1")
    assert run.recipe["tuning"]["blocks"] == 1
    refused = ser("train", "svm", "mine", "--at-once", "2")
    assert refused.exit_code == 1
    assert "svm changes no encoder: leave out --at-once and --recompute" in refused.output
    assert ser("embed", "mine", f"run:{run.id}").exit_code == 0


@pytest.mark.slow
def test_on_demo_speech_every_mode_learns(cache: Cache, train: Callable[..., Run], plan: Plan) -> None:
    """Synthetic speech, four emotions: the training loss falls in every mode."""
    pytest.importorskip("espeakng_loader")
    root = cache.root / "demo" / "german"
    demo.make("german", root, seed=7)
    for file in (root / "wav").glob("??b*.wav"):  # two of the four sentences are enough
        file.unlink()
    catalogue.add(cache, "demo-german", root)
    for model in ("head", "partial", "last-layers", "lora"):
        asked = replace(plan, corpus="demo-german", model=model, epochs=4, labels="four", learning_rate=3e-3)
        run = train(replace(asked, encoder_rate=None if model == "head" else 1e-3))
        losses = run.history["train_loss"].tolist()
        assert losses[-1] < losses[0] < 2 * np.log(4)
        assert set(run.classes) == set(labels.FOUR)
        assert len(run.clips) == 80
