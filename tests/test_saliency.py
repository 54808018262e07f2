import subprocess
import sys

import librosa
import numpy as np
import pytest
import torch
from scipy import fft
from torch import Tensor, nn

from ser_core import saliency
from ser_core.encoders import PICTURES
from ser_core.models.cards import CARDS
from ser_core.models.inputs import Inputs, learn
from ser_core.models.network import Network, build
from ser_core.saliency import SaliencyError

SHAPES = {"mel-picture": (128, 128), "mfcc-small": (40, 64), "mfcc-picture": (40, 282)}


class Linear(nn.Module):
    """Scores that are sums of the picture's values, and of the vector's where there is one: answers known by hand."""

    def __init__(self, n_values: int, dim: int = 0) -> None:
        super().__init__()
        self.picture, self.vector = nn.Linear(n_values, 3), nn.Linear(max(dim, 1), 3)

    def forward(self, pictures: Tensor, *vectors: Tensor) -> Tensor:
        score = self.picture(pictures.flatten(1))
        return score + self.vector(vectors[0]) if vectors else score


def inputs(n: int, shape: tuple[int, int], dim: int = 0, copies: int = 1) -> Inputs:
    random = np.random.default_rng(5)
    drawn = 15 * random.normal(size=(n, copies, *shape)) - 40 + np.arange(shape[0])[:, None]
    vectors = random.normal(size=(n, dim)).astype(np.float32) if dim else None
    return Inputs(vectors, drawn.astype(np.float32))


def network(name: str, x: Inputs, module: nn.Module) -> Network:
    assert x.pictures is not None
    dim = None if x.vectors is None else x.vectors.shape[1]
    scaling = learn(x, np.arange(len(x)), vectors=CARDS[name].scaling)
    return Network(name, module, scaling, ("a", "b", "c"), dim, x.pictures.shape[2:])


def linear(name: str, shape: tuple[int, int], *, dim: int = 0) -> tuple[Network, Inputs]:
    torch.manual_seed(1)
    x = inputs(20, shape, dim)
    return network(name, x, Linear(shape[0] * shape[1], dim)), x


def one(x: Inputs, row: int) -> Inputs:
    return x.take(np.array([row]))


@pytest.mark.parametrize(("name", "shape", "dim"), [("cnn3", (6, 5), 0), ("cnn_mlp", (4, 7), 3)])
def test_a_sum_is_explained_exactly(name: str, shape: tuple[int, int], dim: int) -> None:
    model, x = linear(name, shape, dim=dim)
    assert x.pictures is not None
    own = x.pictures[:, 0].astype(float)
    z = (own - own.mean(axis=(0, 2))[:, None]) / own.std(axis=(0, 2))[:, None]
    for target in (0, 2):
        weights = model.module.picture.weight[target].detach().numpy().reshape(shape)
        found = saliency.saliency(model, one(x, 4), target=target)
        np.testing.assert_allclose(found, z[4] * weights, atol=1e-5)


def test_only_the_clean_copy_is_explained() -> None:
    model, x = linear("cnn3", (6, 5))
    assert x.pictures is not None
    noisy = Inputs(None, np.concatenate([x.pictures, x.pictures + 9], axis=1))
    np.testing.assert_array_equal(
        saliency.saliency(model, one(noisy, 2), target=1), saliency.saliency(model, one(x, 2), target=1)
    )


def test_a_bent_network_against_a_sum_along_the_way() -> None:
    torch.manual_seed(2)
    x = inputs(12, (8, 6))
    module = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    model = network("cnn3", x, module)
    end = torch.from_numpy(model.scaling.apply(one(x, 3)).pictures)
    gradients = []
    for share in (np.arange(2000) + 0.5) / 2000:
        point = (share * end).float().requires_grad_()
        gradients.append(torch.autograd.grad(module(point)[0, 1], point)[0].numpy())
    expected = (end.numpy() * np.mean(gradients, axis=0))[0, 0]
    found = saliency.saliency(model, one(x, 3), target=1)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["cnn3", "cnn_mlp", "cnn_transformer"])
def test_shares_of_the_real_networks_add_up(name: str) -> None:
    shape = SHAPES[str(CARDS[name].picture)]
    dim = 10 if CARDS[name].vectors else 0
    torch.manual_seed(3)
    x = inputs(4, shape, dim)
    model = network(name, x, build(CARDS[name], dim=dim or None, shape=shape, n_classes=3))
    found = saliency.explain(model, one(x, 1), target=2, n_samples=40_000)
    scaled = model.scaling.apply(one(x, 1))
    vectors = () if scaled.vectors is None else (torch.from_numpy(scaled.vectors),)
    with torch.no_grad():
        ends = [torch.from_numpy(part) for part in (scaled.pictures, np.zeros_like(scaled.pictures))]
        score, baseline = (float(model.module.eval()(end, *vectors)[0, 2]) for end in ends)
    assert (found.score, found.baseline) == pytest.approx((score, baseline), abs=1e-5)
    assert abs(found.values.sum() - (found.score - found.baseline)) <= saliency.GAP
    assert found.values.shape == (128, shape[1])
    assert (len(found.hertz), len(found.seconds)) == (128, shape[1])


def test_coefficients_are_told_of_their_bands() -> None:
    model, x = linear("cnn_transformer", (40, 9))
    assert x.pictures is not None
    own = x.pictures[:, 0].astype(float)
    centre, spread = own.mean(axis=(0, 2))[:, None], own.std(axis=(0, 2))[:, None]
    weights = model.module.picture.weight[1].detach().numpy().reshape(40, 9)
    found = saliency.explain(model, one(x, 6), target=1, n_samples=1000)  # its end lies between columns 5 and 6
    apart, slopes = (fft.idct(part, n=128, axis=0, norm="ortho") for part in (own[6] - centre, weights / spread))
    shares = apart * slopes
    np.testing.assert_allclose(shares.sum(axis=0), ((own[6] - centre) / spread * weights).sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.values, smooth(shares), atol=1e-4)
    assert found.beyond == pytest.approx(shares[:, 6:].sum(), abs=1e-4)
    assert found.values.sum() == pytest.approx(shares.sum(), abs=1e-4)


def smooth(values: np.ndarray) -> np.ndarray:
    """Spread values by a Gaussian, one neighbour after another, over a picture that is mirrored at its edges."""
    reach = 6
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / saliency.SPREAD) ** 2)
    wide = np.pad(values, reach, mode="symmetric")
    moved = [np.roll(wide, (i, j), axis=(0, 1)) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]
    spread = np.tensordot(np.outer(weights, weights).ravel() / weights.sum() ** 2, moved, axes=1)
    return spread[reach:-reach, reach:-reach]


def test_bands_are_those_of_the_pictures() -> None:
    model, x = linear("cnn3", (128, 2))
    hertz = saliency.explain(model, one(x, 0), target=0, n_samples=16_000).hertz
    np.testing.assert_allclose(hertz, librosa.mel_frequencies(n_mels=130, fmin=0, fmax=8000)[1:-1], rtol=1e-9)


@pytest.mark.parametrize("name", ["cnn3", "cnn_mlp", "cnn_transformer"])
@pytest.mark.parametrize(("seconds", "at"), [(4.1, 2.2), (1.3, 0.4)])
def test_columns_lie_where_the_sound_is(name: str, seconds: float, at: float) -> None:
    drawn = PICTURES[str(CARDS[name].picture)]
    shape = SHAPES[drawn.name]
    signal = np.random.default_rng(0).normal(0, 1e-3, int(16_000 * seconds)).astype(np.float32)
    signal[int(16_000 * (at - 0.01)) : int(16_000 * (at + 0.01))] *= 300
    picture = drawn.encode([signal])[0, 0].reshape(shape)
    model, x = linear(name, shape, dim=2 if CARDS[name].vectors else 0)
    found = saliency.explain(model, one(x, 0), target=0, n_samples=len(signal)).seconds
    loudness = picture.sum(axis=0) if name == "cnn3" else picture[0]
    loudest = np.flatnonzero(loudness > np.percentile(loudness, 0) + 0.9 * np.ptp(loudness))
    step = found[1] - found[0]
    assert abs(found[loudest].mean() - at) < max(0.012, step)
    assert loudest.max() - loudest.min() < 12


def test_what_cannot_be_explained_is_said() -> None:
    vectors = Inputs(np.ones((3, 4), np.float32), None)
    scaling = learn(vectors, np.arange(3), vectors="standard")
    flat = Network("mlp", build(CARDS["mlp"], dim=4, shape=None, n_classes=3), scaling, ("a", "b", "c"), 4, None)
    with pytest.raises(SaliencyError, match="mlp looks at no picture: there is nothing to draw on a spectrogram"):
        saliency.saliency(flat, one(vectors, 0), target=0)

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.high = nn.Parameter(torch.tensor(5.0))

        def forward(self, pictures: Tensor) -> Tensor:
            total = pictures.flatten(1).sum(dim=1)
            return ((total.abs() > 1e-3) * self.high + 0 * total)[:, None].repeat(1, 3)

    x = inputs(5, (4, 4))
    with pytest.raises(SaliencyError, match=r"add comes to 0\.000, the scores differ by 5\.000: this cnn3 changes too"):
        saliency.saliency(network("cnn3", x, Step()), one(x, 0), target=0)


def test_importing_it_loads_neither_torch_nor_captum() -> None:
    code = (
        "import sys; from ser_core import saliency, trained\n"
        "assert not {'torch', 'captum', 'librosa'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
