"""Dropout by bytes and flattening against their definitions."""

import pytest
import torch
from torch import nn

from ser_core.models.faster import Dropout, Flatten

N = 200_000


def trained(share: float, x: torch.Tensor, seed: int = 3) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Dropout(share).train()(x)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.4, 0.5])
def test_the_share_asked_for_becomes_0_and_the_mean_stays(share: float) -> None:
    out = trained(share, torch.ones(N))
    exact = round(256 * share) / 256
    assert (out == 0).double().mean().item() == pytest.approx(exact, abs=4 * (exact * (1 - exact) / N) ** 0.5)
    assert out[out != 0].unique().tolist() == pytest.approx([1 / (1 - exact)])


def test_neighbours_are_dropped_independently() -> None:
    dropped = (trained(0.5, torch.ones(N)) == 0).double()
    for lag in range(1, 17):  # also across the bytes of one word
        assert abs(torch.corrcoef(torch.stack([dropped[lag:], dropped[:-lag]]))[0, 1].item()) < 5 / N**0.5


def test_any_order_of_memory_and_the_same_seed_twice() -> None:
    x = torch.randn(4, 3, 5, 7).to(memory_format=torch.channels_last)
    out = trained(0.4, x)
    kept = out != 0
    assert torch.equal(out[kept], (x * (256 / (256 - 102)))[kept])
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(out, trained(0.4, x))
    assert not torch.equal(out, trained(0.4, x, seed=4))


def test_nothing_happens_outside_training() -> None:
    x = torch.randn(10)
    assert Dropout(0.4).eval()(x) is x


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_flattened_map_and_its_gradients_are_those_of_torch_laid_out_as_the_map(precision: torch.dtype) -> None:
    x = torch.randn(4, 3, 5, 7).to(precision, memory_format=torch.channels_last)
    towards = torch.randn(4, 105).to(precision)
    found = {}
    for kind in (Flatten, nn.Flatten):
        leaf, came = x.clone().requires_grad_(), []
        middle = leaf.relu()
        out = kind()(middle)
        middle.register_hook(came.append)  # what ReLU is given on the way back
        out.backward(towards)
        assert leaf.grad is not None
        found[kind] = [out.detach(), came[0], leaf.grad]
    assert all(torch.equal(one, other) for one, other in zip(*found.values(), strict=True))
    assert found[Flatten][1].is_contiguous(memory_format=torch.channels_last)
    assert not found[nn.Flatten][1].is_contiguous(memory_format=torch.channels_last)


def test_nothing_is_asked_of_a_map_without_gradients() -> None:
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(Flatten()(x), x.reshape(2, 60))
