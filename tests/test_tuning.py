"""Tuning of tiny random checkpoints: what learns, what stays, and that nothing but the recipe decides the numbers."""

import json
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_checkpoints
import torch
from sklearn.metrics import log_loss

from ser_core.encoders import Transformer, checkpoints, pooling
from ser_core.encoders.checkpoints import Checkpoint
from ser_core.models import training as networks
from ser_core.models import tuned, tuning, unfinished
from ser_core.models.cards import CARDS, Training, Tuning
from ser_core.models.epochs import TunedEpoch
from ser_core.models.inputs import Inputs
from ser_core.models.network import NetworkError
from ser_core.models.training import TrainingError
from ser_core.models.tuned import Tuned, TunedModule
from ser_core.models.tuning import Amounts, batches
from ser_core.splits import Fold

MODES = ("head", "partial", "last-layers", "lora")
FAMILIES = ("wav2vec2-group", "wav2vec2-layer", "hubert-batch-norm", "wavlm-group", "data2vec")
CLASSES = ("a", "b", "c")
Y = np.arange(36) % 3
FOLD = Fold(np.arange(24), np.arange(30, 36), np.arange(24, 30))
FAST = {
    "head": Training(epochs=3, batch_size=8, learning_rate=1e-2),
    "partial": Training(epochs=3, batch_size=8, learning_rate=1e-2, plateau=0),
    "last-layers": Training(epochs=3, batch_size=8, learning_rate=1e-2, label_smoothing=0.1),
    "lora": Training(epochs=3, batch_size=8, learning_rate=1e-2),
}
NO_DROPOUT = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


def sounds(seconds: float | None = None) -> list[np.ndarray]:
    """Tones of three pitches, of lengths of their own unless one is given."""
    rng = np.random.default_rng(0)
    lengths = [int(16_000 * (seconds or rng.uniform(0.1, 0.3))) for _ in Y]
    tones = [np.sin(np.arange(n) * (0.03 + 0.1 * y)) for n, y in zip(lengths, Y, strict=True)]
    return [(0.3 * tone + 0.02 * rng.normal(size=len(tone))).astype(np.float32) for tone in tones]


SOUNDS = sounds()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    for number, family in enumerate(FAMILIES):
        tiny_checkpoints.save(root / family, family, seed=number)
    return {family: root / family for family in FAMILIES}


@pytest.fixture
def found(folders: dict[str, Path]) -> Checkpoint:
    return checkpoints.find(str(folders["wav2vec2-group"]), None)


@pytest.fixture
def steady(tmp_path: Path) -> Checkpoint:
    """A checkpoint that drops nothing while it learns."""
    tiny_checkpoints.save(tmp_path / "steady", "wav2vec2-group", seed=5)
    config = tmp_path / "steady" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | dict.fromkeys(NO_DROPOUT, 0.0)))
    return checkpoints.find(str(tmp_path / "steady"), None)


def tune(mode: str, found: Checkpoint, **changes: Any) -> tuple[Tuned, list[TunedEpoch]]:
    card = CARDS[mode]
    usual = card.tuning and replace(card.tuning, learning_rate=1e-3, blocks=min(card.tuning.blocks, 1))
    options: dict[str, Any] = {
        "fold": FOLD, "found": found, "training": FAST[mode], "tuning": usual, "classes": CLASSES, "layer": 2,
        "seed": 1, "device": "cpu", "precision": "float32",
    }  # fmt: skip
    signals = changes.pop("signals", SOUNDS)
    return tuning.fit(card, signals, Y, **(options | changes))


def module_of(mode: str, found: Checkpoint, *, layer: int | None) -> TunedModule:
    usual = CARDS[mode].tuning
    how = usual and replace(usual, blocks=min(usual.blocks, 1))
    return TunedModule(checkpoints.load_anew(found), mode, tuning=how, layer=layer, n_classes=3)


def figures(history: list[TunedEpoch]) -> list[tuple[float, ...]]:
    """All but the seconds."""
    return [(*astuple(one)[:7], one.encoder_rate) for one in history]


def same(one: tuple[Tuned, list[TunedEpoch]], other: tuple[Tuned, list[TunedEpoch]]) -> bool:
    a, b = one[0].arrays(), other[0].arrays()
    return all(np.array_equal(a[name], b[name]) for name in a) and figures(one[1]) == figures(other[1])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", MODES)
def test_what_is_to_learn_changes_and_the_rest_stays_bit_for_bit(
    folders: dict[str, Path], mode: str, family: str
) -> None:
    found = checkpoints.find(str(folders[family]), None)
    fitted, history = tune(mode, found)
    assert history[-1].train_loss < history[0].train_loss
    before = checkpoints.load_anew(found).state_dict()
    after = {name.replace(".base_layer", ""): one for name, one in fitted.module.encoder.state_dict().items()}
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    if mode in ("head", "lora"):
        assert changed == set()
        assert {".".join(name.split(".")[-3:-2]) for name in after.keys() - before.keys()} == (
            {"lora_A", "lora_B"} if mode == "lora" else set()
        )
    elif mode == "last-layers":
        learns = {name for name in before if name.startswith("encoder.layers.1.")}
        assert changed
        assert changed <= learns
        assert {name for name in learns if name.endswith("dense.weight")} <= changed
    else:
        assert not [name for name in changed if name.startswith(("feature_extractor", "masked_spec"))]
        weights = {name for name in before if name.endswith("dense.weight")}
        assert weights | {"feature_projection.projection.weight"} <= changed


def test_the_head_is_that_of_the_paper(found: Checkpoint) -> None:
    """Numbers of parameters by hand: width 16, three emotions."""
    n = {mode: tune(mode, found, training=replace(FAST[mode], epochs=1))[0].n_parameters for mode in MODES}
    two = 256 * 17 + 3 * 257
    encoder = checkpoints.load_anew(found)
    blocks = sum(one.numel() for one in encoder.encoder.layers[1].parameters())
    inner = sum(one.numel() for part in (encoder.feature_projection, encoder.encoder) for one in part.parameters())
    assert n["head"] == two
    assert n["last-layers"] == two + blocks
    assert n["partial"] == 17 * 3 + inner
    assert n["lora"] == two + 2 * 2 * 8 * (16 + 32)  # two blocks of two linear layers, 16 to 32 and back, rank 8


def test_a_head_on_kept_layers_is_one_trained_through_the_encoder(found: Checkpoint) -> None:
    """Clips of one length, so that both go through them in the same order."""
    signals = sounds(0.2)
    whole, through = tune("head", found, signals=signals)
    vectors = Transformer(str(found.folder)).encode(signals)[:, 2]
    network, history = networks.fit(
        CARDS["head"], Inputs(vectors, None), Y, fold=FOLD, training=FAST["head"], classes=CLASSES, seed=1,
        augment=False, pretrain="none", device="cpu", precision="float32",
    )  # fmt: skip
    kept = network.arrays()
    for name, weight in whole.module.head.state_dict().items():
        np.testing.assert_allclose(weight.numpy(), kept[f"module.{name}"], atol=1e-6)
    told = [astuple(one)[1:6] for one in through]
    np.testing.assert_allclose(told, [astuple(one)[1:6] for one in history], atol=1e-6)
    asked = Inputs(vectors, None).take(FOLD.test), Inputs(None, None, tuple(signals)).take(FOLD.test)
    np.testing.assert_allclose(whole.probabilities(asked[1]), network.probabilities(asked[0]), atol=1e-6)


@pytest.mark.parametrize("mode", ["partial", "lora"])
@pytest.mark.parametrize("stop", [(1, 2), (2, 1), (3, 3)])
def test_killed_after_any_step_and_resumed_is_uninterrupted(
    found: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, stop: tuple[int, int]
) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)

    def stopped(epoch: int, step: int, steps: int) -> None:
        assert steps == 3
        if (epoch, step) == stop:
            raise KeyboardInterrupt

    file = tmp_path / "epoch.safetensors"
    with pytest.raises(KeyboardInterrupt):
        tune(mode, found, resume=file, stepped=stopped)
    assert file.exists()
    steps: list[tuple[int, int]] = []
    resumed = tune(mode, found, resume=file, stepped=lambda epoch, step, _: steps.append((epoch, step)))
    assert steps == [(epoch, step) for epoch in (1, 2, 3) for step in (1, 2, 3) if (epoch, step) > stop]
    assert not file.exists()
    assert same(resumed, tune(mode, found))


def test_another_training_does_not_go_on_with_the_file(
    found: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)

    def stopped(*_: int) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "epoch.safetensors"
    with pytest.raises(KeyboardInterrupt):
        tune("partial", found, resume=file, stepped=stopped)
    assert same(tune("partial", found, resume=file, seed=2), tune("partial", found, seed=2))


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others(found: Checkpoint) -> None:
    first = tune("partial", found)
    torch.rand(5)  # what happened before does not matter
    assert same(first, tune("partial", found))
    assert not same(first, tune("partial", found, seed=2))


def test_both_rates_are_annealed_each_in_its_own_time(found: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error never falls: the head waits for two epochs, the encoder for none."""
    monkeypatch.setattr(tuning, "_measure", lambda *_: (1.0, 0.25, 0.25))
    how = Tuning("transformer", 1e-5, plateau=0, annealing=0.9)
    training = Training(epochs=6, batch_size=24, learning_rate=1e-4, plateau=2)
    _, history = tune("partial", found, training=training, tuning=how)
    assert [one.encoder_rate for one in history] == pytest.approx([1e-5, 1e-5, 9e-6, 8.1e-6, 7.29e-6, 6.561e-6])
    assert [one.learning_rate for one in history] == pytest.approx([1e-4, 1e-4, 1e-4, 1e-4, 9e-5, 9e-5])


def test_the_epoch_of_the_best_validation_uar_is_kept(found: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(*uars: float) -> dict[str, np.ndarray]:
        left = iter(uars)
        monkeypatch.setattr(tuning, "_measure", lambda *_: (1.0, 0.5, next(left)))
        return tune("partial", found, training=replace(FAST["partial"], epochs=len(uars)))[0].arrays()

    first, second, best = kept(0.4), kept(0.4, 0.7), kept(0.4, 0.7, 0.5)
    assert all(np.array_equal(best[name], second[name]) for name in best)
    assert not np.array_equal(best["head.out.weight"], first["head.out.weight"])


def test_it_stops_where_the_validation_loss_falls_no_more(found: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 0.8, 0.9, 0.85, 0.7])
    monkeypatch.setattr(tuning, "_measure", lambda *_: (next(losses), 0.5, 0.5))
    _, history = tune("partial", found, training=replace(FAST["partial"], epochs=9, patience=2))
    assert [one.validation_loss for one in history] == [1.0, 0.8, 0.9, 0.85]


def test_rates_stay_while_the_error_falls_by_a_fourhundredth(
    found: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracy = iter([0.5, 0.5013, 0.502, 0.502])  # errors 0.5, 0.4987 (fell by 1/385), 0.498 (by 1/712), the same
    monkeypatch.setattr(tuning, "_measure", lambda *_: (1.0, next(accuracy), 0.25))
    card = CARDS["partial"]
    assert card.training
    _, history = tune("partial", found, training=replace(card.training, epochs=4, batch_size=24), tuning=card.tuning)
    assert [one.encoder_rate for one in history] == pytest.approx([1e-5, 1e-5, 1e-5, 9e-6])
    assert [one.learning_rate for one in history] == pytest.approx([1e-4, 1e-4, 1e-4, 9e-5])


@pytest.mark.parametrize("mode", ["partial", "last-layers"])
def test_gradients_that_are_added_up_are_those_of_the_whole_batch(steady: Checkpoint, mode: str) -> None:
    """One clip at a time has no padding at all, so this shows, too, that padding changes nothing."""
    one = replace(FAST[mode], epochs=1, batch_size=24, learning_rate=1e-3, label_smoothing=0.0)
    still: dict[str, Any] = {"training": one}
    if mode == "last-layers":  # its head drops values, by draws that depend on how many clips there are at once
        still["tuning"] = Tuning("last", 1e-3, blocks=2)
        whole, other = (_without_dropout(tune, mode, steady, amounts=Amounts(n), **still) for n in (None, 1))
    else:
        whole, other = (tune(mode, steady, amounts=Amounts(n), **still) for n in (None, 1))
    before = module_of(mode, steady, layer=2).state_dict()
    moved = 0.0
    for name, weight in whole[0].module.state_dict().items():
        difference = (weight - other[0].module.state_dict()[name]).abs()
        assert float(difference.median()) < 1e-6, name  # Adam's first step has a sign's size where a gradient is ~0
        moved = max(moved, float((weight - before[name]).abs().max()))
    assert moved > 1e-4
    assert whole[1][0].train_loss == pytest.approx(other[1][0].train_loss, abs=1e-6)


def _without_dropout(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Dropout, "forward", lambda _, x: x)
        return call(*args, **options)


@pytest.mark.parametrize("family", FAMILIES)
def test_computing_blocks_again_changes_nothing(folders: dict[str, Path], family: str) -> None:
    found = checkpoints.find(str(folders[family]), None)
    how: dict[str, Any] = {"layer": None, "training": replace(FAST["partial"], epochs=1)}
    plain, again = (tune("partial", found, amounts=Amounts(None, recompute=one), **how) for one in (False, True))
    a, b = plain[0].arrays(), again[0].arrays()
    assert all(np.allclose(a[name], b[name], atol=1e-6) for name in a)


def test_memory_that_runs_out_halves_what_is_done_at_once(found: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    whole = TunedModule.forward

    def small(self: TunedModule, frames: Any) -> torch.Tensor:
        if self.training:
            sizes.append(len(frames))
            if len(frames) > 2:
                raise torch.OutOfMemoryError("out of memory")
        return whole(self, frames)

    once = replace(FAST["partial"], epochs=1)
    wanted = tune("partial", found, training=once, amounts=Amounts(2))
    monkeypatch.setattr(TunedModule, "forward", small)
    assert same(tune("partial", found, training=once), wanted)
    assert sizes[:6] == [8, 4, 2, 2, 2, 2]
    monkeypatch.setattr(TunedModule, "forward", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("no")))
    with pytest.raises(torch.OutOfMemoryError):
        tune("partial", found, training=once, amounts=Amounts(1))


def test_batches_hold_clips_of_similar_length_drawn_at_random() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(50, 500, 2000).tolist()
    found = batches(lengths, 8, seed=3)
    assert sorted(np.concatenate(found).tolist()) == list(range(2000))
    assert {len(rows) for rows in found} == {8}

    def padding(some: list[np.ndarray]) -> float:
        frames = [np.asarray(lengths)[rows] for rows in some]
        return 1 - sum(one.sum() for one in frames) / sum(one.max() * len(one) for one in frames)

    chance = rng.permutation(2000).reshape(-1, 8)
    assert padding(found) < 0.04 < 0.3 < padding(list(chance))
    assert [rows.tolist() for rows in batches(lengths, 8, seed=3)] == [rows.tolist() for rows in found]
    assert [rows.tolist() for rows in batches(lengths, 8, seed=4)] != [rows.tolist() for rows in found]
    assert [len(rows) for rows in batches([5] * 5, 2, seed=0)] == [2, 2, 1]


def test_what_is_measured_is_what_the_model_says(found: Checkpoint) -> None:
    fitted, history = tune("last-layers", found, training=replace(FAST["last-layers"], label_smoothing=0.0))
    best = min(history, key=lambda one: (-one.validation_uar, one.validation_loss))
    said = fitted.probabilities(Inputs(None, None, tuple(SOUNDS)).take(FOLD.validation))
    assert said.sum(axis=1) == pytest.approx(1)
    assert best.validation_loss == pytest.approx(log_loss(Y[FOLD.validation], said, labels=[0, 1, 2]), abs=1e-6)
    assert best.validation_accuracy == pytest.approx((said.argmax(1) == Y[FOLD.validation]).mean())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layer", [1, None])
def test_kept_and_opened_again_it_says_the_same(found: Checkpoint, mode: str, layer: int | None) -> None:
    fitted, _ = tune(mode, found, layer=layer)
    arrays = fitted.arrays()
    assert not [name for name in arrays if "feature_extractor" in name]
    again = Tuned.of(mode, arrays, CLASSES, found=found)
    given = Inputs(None, None, tuple(SOUNDS))
    np.testing.assert_array_equal(again.probabilities(given), fitted.probabilities(given))
    np.testing.assert_array_equal(again.layers(SOUNDS), fitted.layers(SOUNDS))
    assert again.n_parameters == fitted.n_parameters
    with pytest.raises(NetworkError, match="not the weights of a"):
        Tuned.of(mode, arrays, CLASSES[:2], found=found)
    with pytest.raises(NetworkError, match="not the weights of a"):
        Tuned.of(mode, {name: one for name, one in arrays.items() if name != "head.out.bias"}, CLASSES, found=found)


def test_layers_are_those_of_the_encoder_where_nothing_learnt_and_others_where_it_did(found: Checkpoint) -> None:
    before = Transformer(str(found.folder)).encode(SOUNDS)
    np.testing.assert_allclose(tune("head", found)[0].layers(SOUNDS), before, atol=1e-5)
    after = tune("last-layers", found)[0].layers(SOUNDS)
    np.testing.assert_allclose(after[:, :2], before[:, :2], atol=1e-5)
    assert np.abs(after[:, 2] - before[:, 2]).max() > 1e-2


@pytest.mark.parametrize("most", [1, 40, tuned.FRAMES_AT_ONCE])
def test_a_clip_alone_is_the_same_as_among_others(
    found: Checkpoint, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(tuned, "FRAMES_AT_ONCE", most)
    fitted, _ = tune("partial", found)
    alone = np.concatenate([fitted.probabilities(Inputs(None, None, (one,))) for one in SOUNDS])
    np.testing.assert_allclose(fitted.probabilities(Inputs(None, None, tuple(SOUNDS))), alone, atol=1e-6)


def test_weights_of_layers_begin_alike_and_are_learnt(found: Checkpoint) -> None:
    module = module_of("head", found, layer=None).eval()
    frames = pooling.frames(module.encoder, found, SOUNDS[:2])
    with torch.no_grad():
        means = pooling.pool_frames(module.encoder, frames)
        torch.testing.assert_close(module(frames), module.head.out(module.head.hidden(means.mean(1))))
    fitted, _ = tune("head", found, layer=None)
    weights = fitted.module.head.weights.detach().softmax(0)
    assert float(weights.max() - weights.min()) > 1e-3
    assert float(weights.sum()) == pytest.approx(1, abs=1e-6)


def test_what_is_frozen_drops_nothing_while_the_rest_learns(found: Checkpoint) -> None:
    module = module_of("last-layers", found, layer=1).train()
    block = module.encoder.encoder.layers
    assert module.head.training
    frames = pooling.frames(module.encoder, found, SOUNDS[:3])
    first, second = (pooling.pool_frames(module.encoder, frames, layer=1) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert [one.training for one in block] == [False, True]
    last = [pooling.pool_frames(module.encoder, frames, layer=2) for _ in range(2)]
    assert not torch.equal(*last)


def test_the_test_part_is_not_looked_at(found: Checkpoint) -> None:
    other = [np.zeros_like(one) if row in FOLD.test else one for row, one in enumerate(SOUNDS)]
    assert same(tune("partial", found), tune("partial", found, signals=other))


def test_progress_counts_clips_and_steps(found: Checkpoint) -> None:
    heard: list[tuple[int, int]] = []
    epochs: list[int] = []
    tune(
        "partial",
        found,
        listened=lambda done, total: heard.append((done, total)),
        progress=lambda one: epochs.append(one.epoch),
    )
    assert heard == [(done, 30) for done in range(1, 31)]
    assert epochs == [1, 2, 3]


def test_what_does_not_fit_is_said(found: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Fold(FOLD.train, FOLD.test, np.array([], np.intp))
    with pytest.raises(TrainingError, match="partial needs a training and a validation part; got 24 and 0 clips"):
        tune("partial", found, fold=empty)
    with pytest.raises(TrainingError, match="float16 is for graphics cards"):
        tune("partial", found, precision="float16")
    with pytest.raises(NetworkError, match="3 blocks are to learn, and the encoder has 2"):
        tune("last-layers", found, tuning=Tuning("last", 1e-3, blocks=3))
    with pytest.raises(TrainingError, match="no longer a number after epoch 1"):
        tune("partial", found, training=replace(FAST["partial"], learning_rate=1e38))
    with pytest.raises(NetworkError, match="is given the sound of clips, and got none"):
        tune("head", found)[0].probabilities(Inputs(np.zeros((1, 16), np.float32), None))
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(NetworkError, match="LoRA needs the package peft"):
        tuned.unfreeze(checkpoints.load_anew(found), CARDS["lora"].tuning)
