"""The training of the variational autoencoder: against steps by hand, twice, interrupted, kept and astray."""

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core.encoders.voiced import FLOOR, lengths
from ser_core.models import unfinished, vae_training
from ser_core.models.network import NetworkError
from ser_core.models.training import TrainingError, seed_of
from ser_core.models.vae import FittedVae, Vae
from ser_core.models.vae_training import VaeEpoch, VaeTraining, fit

FAST = VaeTraining(epochs=3, batch_size=4)
TAUGHT = np.arange(6)
WHO = ["a", "a", "b", "b", "a", "b", "a", "c"]


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Eight pictures in dB, each a bright band somewhere."""
    rng = np.random.default_rng(0)
    found = rng.normal(-60, 5, (8, 16, 64)).astype(np.float32)
    for number, one in enumerate(found):
        one[2 * (number % 4) : 2 * (number % 4) + 3] += 40
    return found


def figures(history: list[VaeEpoch]) -> list[str]:
    return [str(astuple(replace(one, seconds=0.0))) for one in history]  # as text NaN is the same as NaN


def same(one: FittedVae, other: FittedVae) -> bool:
    mine, theirs = one.arrays(), other.arrays()
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_one_step_is_that_of_adam_on_the_bound(pictures: np.ndarray) -> None:
    how = VaeTraining(epochs=1, batch_size=8, beta=2.0)
    found, (epoch,) = fit(pictures, TAUGHT, training=how, seed=3)
    x = torch.from_numpy((pictures[TAUGHT] - found.centre) / found.spread)
    assert (x.mean().item(), x.std(correction=0).item()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    torch.manual_seed(seed_of(3, 0))
    module = Vae(16, 64)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    torch.manual_seed(seed_of(3, 1))
    x = x[torch.randperm(6)]
    mean, log_variance = module.encode(x)
    again = module.decode(mean + torch.randn(6, 8) * (log_variance / 2).exp())
    first = ((again - x) ** 2).sum() / 2 / 6
    second = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2 / 6
    (first + 2 * second).backward()
    optimiser.step()
    assert epoch.reconstruction == pytest.approx(first.item(), rel=1e-6)
    assert epoch.divergence == pytest.approx(second.item(), rel=1e-5)
    for name, weight in module.state_dict().items():
        assert np.allclose(found.arrays()[f"module.{name}"], weight.numpy(), atol=1e-6), name


def test_the_same_seed_gives_the_same_weights_and_another_does_not(pictures: np.ndarray) -> None:
    torch.manual_seed(5)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    found = [fit(pictures, TAUGHT, training=FAST, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(1), drawn)
    assert same(found[0][0], found[1][0])
    assert figures(found[0][1]) == figures(found[1][1])
    assert not same(found[0][0], found[2][0])


def test_an_interrupted_training_goes_on(pictures: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "SECONDS", 0.0)
    whole, history = fit(pictures, TAUGHT, training=FAST, seed=1)
    file, seen = tmp_path / "epoch.safetensors", []

    def stop(one: VaeEpoch) -> None:
        if one.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(pictures, TAUGHT, training=FAST, seed=1, resume=file, progress=stop)
    assert file.exists()
    found, again = fit(pictures, TAUGHT, training=FAST, seed=1, resume=file, progress=seen.append)
    assert (same(found, whole), figures(again)) == (True, figures(history))
    assert [one.epoch for one in seen] == [1, 2, 3]
    assert not file.exists()


def test_it_learns_to_draw_again_what_it_was_given(pictures: np.ndarray) -> None:
    how = VaeTraining(epochs=300)
    found, history = fit(pictures, TAUGHT, training=how, seed=0)
    assert history[-1].reconstruction < history[0].reconstruction / 3
    mean, _ = found.latents(pictures[TAUGHT])
    missed = np.abs(found.pictures(mean) - pictures[TAUGHT]).mean()
    plain = np.abs(pictures[TAUGHT].mean(axis=0) - pictures[TAUGHT]).mean()
    assert missed < plain


def test_a_heavier_divergence_leaves_less_of_it(pictures: np.ndarray) -> None:
    left = {
        beta: fit(pictures, TAUGHT, training=VaeTraining(epochs=100, beta=beta), seed=0)[1][-1].divergence
        for beta in (0.1, 1.0, 100.0)
    }
    assert left[0.1] > left[1.0] > left[100.0]


def test_the_weight_warms_up(pictures: np.ndarray) -> None:
    _, history = fit(pictures, TAUGHT, training=replace(FAST, epochs=5, warmup=4, beta=2.0), seed=0)
    assert [one.weight for one in history] == [0.5, 1.0, 1.5, 2.0, 2.0]


def test_other_clips_are_measured_and_change_nothing(pictures: np.ndarray) -> None:
    found, history = fit(pictures, TAUGHT, training=FAST, seed=1)
    brighter = pictures.copy()
    brighter[6:] += 10
    other, others = fit(brighter, TAUGHT, training=FAST, seed=1)
    assert same(found, other)
    assert [one.reconstruction for one in history] == [one.reconstruction for one in others]
    assert others[-1].other_reconstruction != history[-1].other_reconstruction
    x = (pictures[6:] - found.centre) / found.spread
    mean, deviation = found.latents(pictures[6:])
    again = (found.pictures(mean) - found.centre) / found.spread
    assert history[-1].other_reconstruction == pytest.approx(((again - x) ** 2).sum() / 2 / 2, rel=1e-5)
    divergence = (mean**2 + deviation**2 - 1 - 2 * np.log(deviation)).sum() / 2 / 2
    assert history[-1].other_divergence == pytest.approx(divergence, rel=1e-4)
    _, alone = fit(pictures, np.arange(8), training=FAST, seed=1)
    assert np.isnan([alone[-1].other_reconstruction, alone[-1].other_divergence]).all()


def test_a_curve_has_no_more_points_than_needed(pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vae_training, "POINTS", 4)
    _, history = fit(pictures, TAUGHT, training=replace(FAST, epochs=10), seed=1)
    assert [one.epoch for one in history] == [3, 6, 9, 10]
    monkeypatch.setattr(vae_training, "LOOKS", 2)
    _, history = fit(pictures, TAUGHT, training=replace(FAST, epochs=10), seed=1)
    assert [one.epoch for one in history if np.isfinite(one.other_reconstruction)] == [3, 9, 10]


def test_pictures_of_the_same_latents_are_the_same_bytes(pictures: np.ndarray) -> None:
    found, _ = fit(pictures, TAUGHT, training=FAST, seed=1)
    mean, _ = found.latents(pictures)
    all_at_once = found.pictures(mean)
    assert (all_at_once.shape, all_at_once.dtype) == ((8, 16, 64), np.float32)
    assert all_at_once.tobytes() == found.pictures(mean).tobytes()
    assert all_at_once[3].tobytes() == found.pictures(mean[3:4])[0].tobytes()


def test_kept_and_read_again_it_is_the_same(pictures: np.ndarray) -> None:
    for speakers in (None, WHO):
        found, _ = fit(pictures, TAUGHT, training=FAST, seed=1, speakers=speakers)
        again = FittedVae.of(found.arrays())
        assert (same(found, again), again.speakers) == (True, found.speakers)
        assert np.array_equal(again.latents(pictures)[0], found.latents(pictures)[0])
    with pytest.raises(NetworkError, match="not the weights of a variational autoencoder"):
        FittedVae.of({"sizes": np.array([16, 64, 0])})


def test_a_decoder_that_knows_speakers_is_told_who_speaks(pictures: np.ndarray) -> None:
    found, history = fit(pictures, TAUGHT, training=FAST, seed=1, speakers=WHO)
    assert found.speakers == ("a", "b")  # c is not among the clips that it was trained on, and is not measured
    assert np.isfinite(history[-1].other_reconstruction)
    mean, _ = found.latents(pictures[:1])
    a, b = (found.pictures(mean, speakers=[one]) for one in "ab")
    assert not np.allclose(a, b)
    for speakers, told in ((None, "none"), (["c"], "c")):
        with pytest.raises(NetworkError, match=f"knows a, b; asked for {told}"):
            found.pictures(mean, speakers=speakers)
    plain, _ = fit(pictures, TAUGHT, training=FAST, seed=1)
    with pytest.raises(NetworkError, match="knows no speakers; asked for a"):
        plain.pictures(mean, speakers=["a"])


def test_columns_after_the_end_of_a_clip_count_for_nothing(pictures: np.ndarray) -> None:
    short = pictures.copy()
    short[:, :, 40:] = FLOOR
    short[1, :, 25:] = FLOOR
    how = replace(FAST, any_length=True)
    found, history = fit(short, TAUGHT, training=how, seed=1)
    own = np.concatenate([short[row][:, : 25 if row == 1 else 40] for row in TAUGHT], axis=1)
    assert (found.centre, found.spread) == (pytest.approx(own.mean(), rel=1e-5), pytest.approx(own.std(), rel=1e-5))
    again = FittedVae.of(found.arrays())
    assert again.any_length
    drawn = again.pictures(np.zeros((1, 8)))[0]
    with torch.inference_mode():
        end = max(1, round(again.module.lengths(torch.zeros(1, 8)).item()))
    assert (drawn[:, end:] == FLOOR).all()
    assert (drawn[:, :end] != FLOOR).all()
    mean, _ = found.latents(short[:2])
    x = (short[:2] - found.centre) / found.spread
    with torch.inference_mode():
        whole = found.module.decode(torch.from_numpy(mean)).numpy()
        long = found.module.lengths(torch.from_numpy(mean)).numpy()
    by_hand = [((whole[k] - x[k])[:, :n] ** 2).sum() / 2 + (long[k] - n) ** 2 / 2 for k, n in ((0, 40), (1, 25))]
    assert found.missed(short[:2]) == pytest.approx(by_hand, rel=1e-5)
    assert np.isfinite(history[-1].other_reconstruction)


def test_the_length_of_a_clip_is_learnt(pictures: np.ndarray) -> None:
    short = pictures.copy()
    ends = 20 + 5 * np.arange(8)
    for one, end in zip(short, ends, strict=True):
        one[:, end:] = FLOOR
    how = VaeTraining(epochs=400, any_length=True, beta=0.1)
    found, _ = fit(short, np.arange(8), training=how, seed=0)
    drawn = found.pictures(found.latents(short)[0])
    assert np.abs(lengths(drawn) - ends).max() <= 3


def test_nothing_is_drawn_below_the_floor(pictures: np.ndarray) -> None:
    found, _ = fit(pictures, TAUGHT, training=FAST, seed=1)
    drawn = replace(found, centre=FLOOR - 5).pictures(found.latents(pictures)[0])
    assert drawn.min() == FLOOR


def test_how_far_a_clip_is_from_itself_drawn_again(pictures: np.ndarray) -> None:
    found, history = fit(pictures, TAUGHT, training=FAST, seed=1)
    others = found.missed(pictures[6:])
    assert others.mean() == pytest.approx(history[-1].other_reconstruction, rel=1e-5)
    knows, _ = fit(pictures, TAUGHT, training=FAST, seed=1, speakers=WHO)
    assert knows.missed(pictures[:2], speakers=["a", "b"]).shape == (2,)
    with pytest.raises(NetworkError, match="asked for none"):
        knows.missed(pictures[:2])


def test_what_cannot_be_trained_is_said(pictures: np.ndarray) -> None:
    with pytest.raises(TrainingError, match="one clip or more"):
        fit(pictures, np.empty(0, np.intp), training=FAST, seed=0)
    with pytest.raises(TrainingError, match="no longer a number"):
        fit(pictures, TAUGHT, training=replace(FAST, learning_rate=1e6, epochs=20), seed=0)
    found, _ = fit(pictures, TAUGHT, training=FAST, seed=0)
    with pytest.raises(NetworkError, match=r"16 x 64; got \(8, 64\)"):
        found.latents(pictures[:, :8])
