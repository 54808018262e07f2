"""The training loop: against other computations of the same numbers, twice, interrupted, and astray."""

from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, log_loss, recall_score
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from ser_core.models import greedy, training, unfinished
from ser_core.models.cards import CARDS, Training
from ser_core.models.cnn import SIZES, Cnn
from ser_core.models.epochs import Epoch, chosen, stalled
from ser_core.models.inputs import Inputs, learn
from ser_core.models.network import Network, NetworkError
from ser_core.models.training import TrainingError, augmented, fit, hardware
from ser_core.splits import Fold

CLASSES = ("anger", "joy", "calm")
Y = np.arange(33, dtype=np.intp) % 3
FOLD = Fold(train=np.arange(21), test=np.arange(27, 33), validation=np.arange(21, 27))
FAST = Training(epochs=4, batch_size=4, weight_decay=5e-5, clip_norm=1.0, plateau=0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks of this size are slower on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def clips(name: str, *, copies: int = 1, separable: float = 1.0) -> Inputs:
    """33 clips whose emotion shows: in the vector's first value, and in which third of the picture is bright."""
    rng, card = np.random.default_rng(0), CARDS[name]
    vectors = rng.normal(size=(33, 4)).astype(np.float32)
    vectors[:, 0] += separable * Y
    pictures = rng.normal(size=(33, copies, 16, 16)).astype(np.float32)
    for row, emotion in enumerate(Y):
        pictures[row, :, :, 5 * emotion : 5 * emotion + 5] += separable
    return Inputs(vectors if card.vectors else None, pictures if card.picture else None)


def train(name: str = "cnn3", **changes: Any) -> tuple[Network, list[Epoch]]:
    how: dict[str, Any] = {"inputs": clips(name), "y": Y, "fold": FOLD, "training": FAST, "classes": CLASSES, "seed": 1}
    how |= {"augment": False, "pretrain": "none", "device": "cpu", "precision": "float32"}
    return fit(CARDS[name], **(how | changes))


def figures(history: list[Epoch]) -> list[tuple[Any, ...]]:
    """All but the seconds."""
    return [astuple(one)[:-1] for one in history]


def same(a: tuple[Network, list[Epoch]], b: tuple[Network, list[Epoch]]) -> bool:
    weights, others = a[0].arrays(), b[0].arrays()
    equal = all(np.array_equal(weights[name], others[name]) for name in weights)
    return weights.keys() == others.keys() and equal and figures(a[1]) == figures(b[1])


@pytest.mark.parametrize("name", ["mlp", "cnn3", "cnn_mlp"])
def test_what_was_measured_is_what_the_network_says(name: str) -> None:
    network, history = train(name)
    kept = chosen(history)
    inputs, truth = clips(name).take(FOLD.validation), Y[FOLD.validation]
    probabilities, predicted = network.probabilities(inputs), network.predicted(inputs)
    assert kept.validation_loss == pytest.approx(log_loss(truth, probabilities, labels=[0, 1, 2]), abs=1e-6)
    assert kept.validation_accuracy == pytest.approx(accuracy_score(truth, predicted), abs=1e-9)
    assert kept.validation_uar == pytest.approx(recall_score(truth, predicted, average="macro"), abs=1e-9)
    assert [one.epoch for one in history] == [1, 2, 3, 4]
    assert kept.validation_uar == max(one.validation_uar for one in history)


def test_loss_and_accuracy_of_the_training_part_are_means_over_its_clips() -> None:
    """With a rate of 0 nothing is learnt: the first epoch's loss is that of the untrained network, batch by batch."""
    still = replace(FAST, epochs=1, learning_rate=0.0, batch_size=21)
    network, (epoch,) = train(training=still)
    rows = network.scaling.apply(clips("cnn3").take(FOLD.train)).pictures
    assert rows is not None
    with torch.no_grad():
        logits = network.module.train()(torch.tensor(rows)).double()
    assert epoch.train_loss == pytest.approx(log_loss(Y[FOLD.train], logits.softmax(1), labels=[0, 1, 2]), abs=1e-5)
    assert epoch.train_accuracy == pytest.approx((logits.argmax(1).numpy() == Y[FOLD.train]).mean(), abs=1e-9)
    assert epoch.learning_rate == 0.0


def test_one_step_is_that_of_adam_with_decay_clipping_and_smoothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written out: the first step of Adam (Kingma & Ba 2015, algorithm 1) is rate x g / (|g| + 1e-8 ...)."""
    starts: list[dict[str, torch.Tensor]] = []
    whole = training.build

    def watched(*args: Any, **kwargs: Any) -> nn.Module:
        made = whole(*args, **kwargs)
        starts.append({name: one.detach().clone() for name, one in made.named_parameters()})
        return made

    monkeypatch.setattr(training, "build", watched)
    how = Training(epochs=1, batch_size=21, learning_rate=0.01, weight_decay=0.1, clip_norm=0.5, label_smoothing=0.2)
    network, _ = train(training=how)
    module, (start,) = network.module, starts
    after = {name: one.detach().clone() for name, one in module.named_parameters()}
    module.load_state_dict(start, strict=False)
    pictures = network.scaling.apply(clips("cnn3").take(FOLD.train)).pictures
    shares = module.train()(torch.tensor(pictures)).log_softmax(dim=1)
    wanted = 0.8 * torch.eye(3)[torch.tensor(Y[FOLD.train])] + 0.2 / 3
    gradients = torch.autograd.grad(-(wanted * shares).sum(dim=1).mean(), list(module.parameters()))
    length = torch.sqrt(sum((one.square().sum() for one in gradients), torch.tensor(0.0)))
    assert length > 0.5
    for (name, weight), gradient in zip(start.items(), gradients, strict=True):
        total = gradient * 0.5 / length + 0.1 * weight
        sure = total.abs() > 1e-4  # where rounding does not decide the sign
        torch.testing.assert_close(
            after[name][sure], (weight - 0.01 * total / (total.abs() + 1e-8))[sure], atol=1e-5, rtol=0
        )


def test_what_differs_between_emotions_is_learnt() -> None:
    network, _ = train(training=replace(FAST, epochs=8), inputs=clips("cnn3", separable=4.0))
    assert (network.predicted(clips("cnn3", separable=4.0).take(FOLD.test)) == Y[FOLD.test]).all()


@pytest.mark.parametrize(("name", "augment"), [("mlp", False), ("cnn3", True), ("cnn_mlp", False)])
def test_the_same_seed_gives_the_same_run(name: str, augment: bool) -> None:  # noqa: FBT001
    first = train(name, augment=augment)
    torch.rand(7)  # other use of the generator in between
    assert same(first, train(name, augment=augment))
    assert not same(first, train(name, augment=augment, seed=2))


def test_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    train("mlp")
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize(("name", "augment"), [("mlp", False), ("cnn3", True)])
def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(
    name: str,
    augment: bool,  # noqa: FBT001
    stop: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)
    file, told = tmp_path / "epoch.safetensors", list[int]()
    with pytest.raises(KeyboardInterrupt):
        train(name, augment=augment, resume=file, progress=_stops_after(stop))
    assert file.is_file()
    trained: list[int] = []
    measure = training._measure
    monkeypatch.setattr(training, "_measure", lambda *args: (trained.append(1), measure(*args))[1])
    again = train(name, augment=augment, resume=file, progress=lambda one: told.append(one.epoch))
    assert len(trained) == 4 - stop
    assert told == [1, 2, 3, 4]
    assert same(again, train(name, augment=augment))
    assert not file.exists()


def _stops_after(epoch: int) -> Callable[[Epoch], None]:
    def progress(one: Epoch) -> None:
        if one.epoch == epoch:
            raise KeyboardInterrupt

    return progress


def test_a_damaged_or_foreign_file_is_not_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)
    file, whole = tmp_path / "epoch.safetensors", train("mlp")
    with pytest.raises(KeyboardInterrupt):
        train("mlp", resume=file, progress=_stops_after(2))
    good = file.read_bytes()
    flipped = bytearray(good)
    flipped[-1] ^= 1
    for data in (good[: len(good) // 2], bytes(flipped), b"", b"{}"):
        file.write_bytes(data)
        assert same(train("mlp", resume=file), whole)
    others = {"seed": 2}, {"training": replace(FAST, batch_size=5)}, {"inputs": clips("mlp", separable=2.0)}
    for other in (*others, {"y": np.roll(Y, 1)}, {"fold": replace(FOLD, validation=FOLD.test)}):
        file.write_bytes(good)
        assert same(train("mlp", resume=file, **other), train("mlp", **other))


def test_a_copy_is_not_written_at_every_epoch(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("mlp", resume=tmp_path / "epoch.safetensors", progress=_stops_after(2))
    assert not list(tmp_path.iterdir())


def test_the_test_part_is_not_looked_at() -> None:
    inputs, y = clips("cnn_mlp"), Y.copy()
    assert inputs.vectors is not None
    assert inputs.pictures is not None
    inputs.vectors[FOLD.test] = 1e3
    inputs.pictures[FOLD.test] = np.nan
    y[FOLD.test] = 0
    changed, history = train("cnn_mlp", inputs=inputs)
    assert figures(history) == figures(train("cnn_mlp")[1])
    taught = learn(clips("cnn_mlp"), FOLD.train, vectors="minmax").arrays()
    for name, array in changed.scaling.arrays().items():
        np.testing.assert_array_equal(array, taught[name])


def test_training_takes_all_copies_and_validation_the_clean_ones() -> None:
    inputs = clips("cnn3", copies=3)
    assert inputs.pictures is not None
    whole = train(inputs=inputs)
    other = Inputs(None, inputs.pictures.copy())
    assert other.pictures is not None
    other.pictures[FOLD.validation, 1:] = 9.0
    assert same(whole, train(inputs=other))
    other.pictures[FOLD.train[0], 2] += 0.1
    assert not same(whole, train(inputs=other))
    network, _ = train(inputs=inputs, training=replace(FAST, epochs=1, batch_size=9))
    assert network.arrays()["module.blocks.0.1.num_batches_tracked"] == 3 * 21 / 9


def test_the_rate_is_halved_and_training_stops_where_nothing_gets_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_measure", lambda *_: (1.0, 0.5, 0.5))
    network, history = train(training=replace(FAST, epochs=50, plateau=3, patience=10))
    assert [one.learning_rate for one in history] == [1e-3] * 5 + [5e-4] * 4 + [2.5e-4] * 2
    assert len(history) == 1 + 10
    assert chosen(history).epoch == 1
    assert network.arrays()["module.blocks.0.1.num_batches_tracked"] == 5  # weights of the first epoch
    constant = train(training=replace(FAST, epochs=6, plateau=None))[1]
    assert {one.learning_rate for one in constant} == {1e-3}


def test_the_rate_of_an_interrupted_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)
    monkeypatch.setattr(training, "_measure", lambda *_: (1.0, 0.5, 0.5))
    how = {"training": replace(FAST, epochs=8, plateau=3), "resume": tmp_path / "epoch.safetensors"}
    with pytest.raises(KeyboardInterrupt):
        train("mlp", **how, progress=_stops_after(4))
    assert [one.learning_rate for one in train("mlp", **how)[1]] == [1e-3] * 5 + [5e-4] * 3


def test_in_one_cycle_every_step_has_its_rate_and_every_epoch_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch's own schedule has it; the validation part, which gets no better, changes nothing."""
    monkeypatch.setattr(training, "_measure", lambda *_: (1.0, 0.5, 0.5))
    seen, step = [], torch.optim.Adam.step

    def watched(optimiser: torch.optim.Adam, *args: Any) -> Any:
        seen.append(optimiser.param_groups[0]["lr"])
        return step(optimiser, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    how = replace(FAST, epochs=8, learning_rate=0.02, plateau=0, patience=1)
    _, history = train("mlp", training=how, one_cycle=True)
    weight = torch.nn.Parameter(torch.zeros(1))
    other = torch.optim.SGD([weight])
    schedule, wanted = OneCycleLR(other, 0.02, total_steps=8 * 5, cycle_momentum=False), []
    for number in range(8 * 5):  # 21 clips are 5 batches of 4; the clip left over is no batch
        wanted.append(other.param_groups[0]["lr"])
        other.step()
        if number < 8 * 5 - 1:
            schedule.step()
    assert len(history) == 8
    assert seen == pytest.approx(wanted, rel=1e-9)
    assert [one.learning_rate for one in history] == seen[4::5]


def test_an_interrupted_cycle_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)
    file = tmp_path / "epoch.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train("mlp", one_cycle=True, resume=file, progress=_stops_after(2))
    kept = file.read_bytes()
    whole = train("mlp", one_cycle=True)
    assert same(train("mlp", one_cycle=True, resume=file), whole)
    file.write_bytes(kept)
    usual = train("mlp", resume=file)  # nothing of a training with another schedule
    assert same(usual, train("mlp"))
    assert not same(usual, whole)


def test_the_best_epoch_has_the_best_uar_then_the_lower_loss_then_comes_first() -> None:
    def epoch(number: int, loss: float, uar: float) -> Epoch:
        return Epoch(number, 0.0, 0.0, loss, 0.0, uar, 1e-3, 1.0)

    history = [epoch(1, 0.9, 0.4), epoch(2, 0.7, 0.5), epoch(3, 0.8, 0.6), epoch(4, 0.75, 0.6), epoch(5, 0.75, 0.6)]
    assert chosen(history).epoch == 4
    assert not stalled(history, 4)
    assert stalled(history, 3)  # whatever the UAR: the loss was lowest in epoch 2
    assert not stalled([], 2)
    assert not stalled([*history, epoch(6, 0.6, 0.1)], 1)


def test_a_last_batch_of_one_clip_is_left_out() -> None:
    network, history = train("mlp", training=replace(FAST, epochs=1, batch_size=5))  # 21 clips
    assert network.arrays()["module.hidden.2.num_batches_tracked"] == 4
    assert np.isfinite(history[0].train_loss)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_are_computed_in_the_precision_asked_for(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    forward = Cnn.forward
    network, _ = train(training=replace(FAST, epochs=1), precision=precision)

    def watched(self: Cnn, pictures: torch.Tensor) -> torch.Tensor:
        logits = forward(self, pictures)
        seen.add((self.training, logits.dtype))
        return logits

    monkeypatch.setattr(Cnn, "forward", watched)
    train(training=replace(FAST, epochs=1), precision=precision)
    learning = torch.bfloat16 if precision == "bfloat16" else torch.float32
    assert seen == {(True, learning), (False, learning)}
    seen.clear()
    network.probabilities(clips("cnn3"), device="cpu")
    assert seen == {(False, torch.float32)}  # what is kept does not depend on what it was learnt in


def test_the_number_of_threads_changes_nothing_for_vectors() -> None:
    one = train("mlp")
    torch.set_num_threads(2)
    two = train("mlp")
    assert torch.get_num_threads() == 2  # as it was before
    assert same(one, two)
    threads = set()

    def look(_: Epoch) -> None:
        threads.add(torch.get_num_threads())

    train("mlp", progress=look)
    assert threads == {1}
    train("cnn3", progress=look)
    assert threads == {1, 2}


def test_auto_stands_for_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hardware("cpu", precision="float32") == ("cpu", "float32")
    for can, precision in (({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"), ({}, "float32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda can=can: can)
        assert hardware("cpu", precision="auto") == ("cpu", precision)
    with pytest.raises(NetworkError, match="device 'abacus' is not available"):
        hardware("abacus", precision="auto")


def test_augmented_pictures_have_one_hidden_band_of_each_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    pictures = torch.ones(400, 1, 20, 30)
    noisy = augmented(pictures)
    monkeypatch.setattr(training, "NOISE", 0.0)
    hidden = (augmented(pictures) == 0).squeeze(1)
    rows, columns = hidden.all(dim=2), hidden.all(dim=1)
    assert torch.equal(hidden, rows[:, :, None] | columns[:, None, :])
    for bands, most in ((rows, 4), (columns, 6)):
        widths = bands.sum(dim=1)
        assert set(widths.tolist()) == set(range(most + 1))
        assert (bands.int().diff(dim=1).clamp(min=0).sum(dim=1) + bands[:, 0].int() == widths.clamp(max=1)).all()
        assert bands.any(dim=0).all()
    assert torch.equal(pictures, torch.ones(400, 1, 20, 30))
    noise = torch.minimum((noisy - 1).abs(), noisy.abs())
    assert noise.square().mean().sqrt() == pytest.approx(0.1, rel=0.05)


def test_augmentation_changes_training_and_not_what_is_measured() -> None:
    still = replace(FAST, epochs=1, learning_rate=0.0)
    (_, (plain,)), (_, (masked,)) = train(training=still), train(training=still, augment=True)
    assert plain.train_loss != masked.train_loss


def test_greedy_pretraining_learns_to_make_each_layers_input_again() -> None:
    torch.manual_seed(0)
    network, pictures, told = Cnn(SIZES["cnn3"], (16, 16), 3), torch.randn(24, 1, 16, 16), list[tuple[int, int]]()
    before = {name: one.detach().clone() for name, one in network.named_parameters()}
    losses: list[float] = []
    mse = nn.functional.mse_loss

    def watched(*args: Any) -> torch.Tensor:
        losses.append(mse(*args).item())
        return mse(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.functional, "mse_loss", watched)
        plain = torch.autocast("cpu", enabled=False)
        greedy.pretrain(
            network, pictures, batch_size=24, autocast=lambda: plain, progress=lambda *now: told.append(now), epochs=20
        )
    changed = {name for name, one in network.named_parameters() if not torch.equal(one, before[name])}
    assert changed == {f"blocks.{number}.0.{part}" for number in range(3) for part in ("weight", "bias")}
    assert told == [(number, 60) for number in range(1, 61)]
    for layer in range(3):
        assert losses[20 * layer + 19] < 0.97 * losses[20 * layer]


def test_a_pretrained_network_starts_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greedy.pretrain, "__kwdefaults__", {"epochs": 2})
    told: list[tuple[int, int]] = []
    tuned = train(pretrain="greedy", pretraining=lambda *now: told.append(now))
    assert told == [(number, 6) for number in range(1, 7)]
    assert not same(tuned, train())
    assert same(tuned, train(pretrain="greedy"))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("mlp", {"augment": True}, "mlp is not trained with augmented pictures"),
        ("cnn4", {"pretrain": "greedy"}, "cnn4 is not trained with pretraining"),
        ("cnn3", {"fold": Fold(np.arange(3), np.arange(3, 6))}, "needs .* a validation part; got 3 and 0 clips"),
        ("cnn3", {"training": replace(FAST, learning_rate=1e30)}, "loss of cnn3 is no longer a number after epoch 1"),
    ],
)
def test_what_cannot_be_done_is_said(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        train(name, **changes)


def test_inputs_of_another_model_are_refused() -> None:
    vectors: NDArray[np.float32] = np.zeros((33, 4), np.float32)
    with pytest.raises(NetworkError, match="cnn3 takes pictures; got vectors of 4 values"):
        train(inputs=Inputs(vectors, None))
