"""The variational autoencoder's parts against closed forms, torch's own distributions and counts by hand."""

from itertools import pairwise

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ser_core.models.vae import Vae, divergence, drawn, reconstruction

PAPER = (80, 64, 32, 16, 16, 128, 256)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def doubles(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def test_shapes_and_sizes_are_the_papers() -> None:
    network = Vae(80, 128)
    mean, log_variance = network.encode(torch.randn(3, 80, 128))
    assert mean.shape == log_variance.shape == (3, 8)
    assert network.decode(mean).shape == (3, 80, 128)
    convolutions = [one for one in network.down.modules() if isinstance(one, torch.nn.Conv1d)]
    sizes = [(one.in_channels, one.out_channels, one.kernel_size, one.stride, one.padding) for one in convolutions]
    assert sizes == [(one, other, (4,), (2,), (1,)) for one, other in pairwise(PAPER)]
    down = sum(4 * one * other + other for one, other in pairwise(PAPER)) + 256 * 16 + 16
    up = sum(4 * one * other + one for one, other in pairwise(PAPER)) + 8 * 512 + 512
    assert sum(one.numel() for one in network.parameters()) == down + up


def test_twice_the_columns_have_twice_the_frames() -> None:
    network = Vae(80, 256)
    mean, _ = network.encode(torch.randn(2, 80, 256))
    assert (mean.shape, network.decode(mean).shape) == ((2, 8), (2, 80, 256))


def test_the_mean_is_taken_over_the_frames_that_a_clip_reaches_into() -> None:
    network, x = Vae(80, 256, any_length=True), torch.randn(3, 80, 256)
    frames, lengths = network.down(x), torch.tensor([64, 65, 256])
    mean, log_variance = network.encode(x, lengths)
    by_hand = torch.stack([frames[row, :, :n].mean(dim=1) for row, n in enumerate((1, 2, 4))])
    assert torch.allclose(torch.cat([mean, log_variance], dim=1), network.latents(by_hand), atol=1e-6)


def test_the_decoder_hears_who_speaks() -> None:
    network = Vae(80, 128, n_speakers=3)
    latents = torch.randn(1, 8).expand(3, 8)
    found = network.decode(latents, torch.tensor([0, 1, 0]))
    assert torch.allclose(found[0], found[2])
    assert not torch.allclose(found[0], found[1])


def test_divergence_and_its_gradient_are_the_closed_forms() -> None:
    mean, log_variance = doubles(5, 8), doubles(5, 8)
    found = divergence(mean, log_variance)
    known = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    assert torch.allclose(found, known, rtol=0, atol=1e-12)
    found.sum().backward()
    assert torch.allclose(mean.grad, mean, rtol=0, atol=1e-12)
    assert torch.allclose(log_variance.grad, (log_variance.exp() - 1) / 2, rtol=0, atol=1e-12)


def test_divergence_is_nothing_at_the_prior_and_more_elsewhere() -> None:
    assert (divergence(torch.zeros(1, 8), torch.zeros(1, 8)) == 0).all()
    assert (divergence(torch.randn(4, 8), torch.randn(4, 8)) > 0).all()


def test_reconstruction_is_a_normal_density_less_its_constant() -> None:
    again, pictures = doubles(3, 80, 128), doubles(3, 80, 128)
    density = -Normal(again, 1.0).log_prob(pictures).flatten(1).sum(dim=1)
    constant = -Normal(0.0, 1.0).log_prob(torch.zeros((), dtype=torch.float64)) * 80 * 128
    found = reconstruction(again, pictures)
    assert torch.allclose(found, density - constant, rtol=1e-12)
    found.sum().backward()
    assert torch.allclose(again.grad, again - pictures, rtol=0, atol=1e-12)


def test_latents_are_drawn_by_reparameterisation() -> None:
    mean, log_variance, noise = doubles(6, 8), doubles(6, 8), torch.randn(6, 8, dtype=torch.float64)
    found = drawn(mean, log_variance, noise)
    assert torch.allclose(found, mean + noise * log_variance.exp().sqrt(), rtol=0, atol=1e-12)
    (found.square() / 2).sum().backward()  # of a decoder that gives the latents themselves, against a picture of zeros
    assert torch.allclose(mean.grad, found, rtol=0, atol=1e-12)
    assert torch.allclose(log_variance.grad, found * noise * (log_variance / 2).exp() / 2, rtol=0, atol=1e-12)


def test_the_gradient_of_the_bound_is_right() -> None:
    network, pictures = Vae(80, 64).double(), torch.randn(2, 80, 64, dtype=torch.float64)
    noise, weight = torch.randn(2, 8, dtype=torch.float64), network.latents.weight

    def bound() -> torch.Tensor:
        mean, log_variance = network.encode(pictures)
        again = network.decode(drawn(mean, log_variance, noise))
        return (reconstruction(again, pictures) + divergence(mean, log_variance).sum(dim=1)).mean()

    bound().backward()
    step = 1e-5
    with torch.no_grad():
        for at in ((0, 3), (9, 200)):
            weight[at] += step
            above = bound()
            weight[at] -= 2 * step
            slope = (above - bound()) / (2 * step)
            weight[at] += step
            assert slope.item() == pytest.approx(weight.grad[at].item(), rel=1e-6, abs=1e-6)
