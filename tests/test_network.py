"""A network apart from its training: what it says of clips, and how it is kept."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.special import softmax
from torch import nn

from ser_core.models import network as module_under_test
from ser_core.models.cards import CARDS
from ser_core.models.inputs import Inputs, learn
from ser_core.models.network import Network, NetworkError, build, n_parameters, place, settle, tensors

CLASSES = ("anger", "joy", "calm")
SHAPES = {"cnn_mlp": (8, 6), "cnn_transformer": (40, 64), "cnn5": (32, 32)}
NAMES = [name for name, card in CARDS.items() if card.training]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks of this size are slower on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def inputs_of(name: str, n: int = 7, *, copies: int = 2) -> Inputs:
    rng, card = np.random.default_rng(0), CARDS[name]
    vectors = rng.normal(5, 2, (n, 4)).astype(np.float32) if card.vectors else None
    shape = SHAPES.get(name, (16, 16))
    return Inputs(vectors, rng.normal(-40, 20, (n, copies, *shape)).astype(np.float32) if card.picture else None)


def untrained(name: str) -> Network:
    torch.manual_seed(3)
    inputs, card = inputs_of(name), CARDS[name]
    dim, shape = (4 if card.vectors else None), (SHAPES.get(name, (16, 16)) if card.picture else None)
    found = settle(build(card, dim=dim, shape=shape, n_classes=len(CLASSES)), "cpu")
    for one in found.modules():  # as after some training
        if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d) and one.running_mean is not None:
            one.running_mean.normal_()
    return Network(name, found, learn(inputs, np.arange(5), vectors=card.scaling), CLASSES, dim, shape)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_are_those_of_the_scaled_clean_copies(name: str) -> None:
    found, inputs = untrained(name), inputs_of(name)
    probabilities = found.probabilities(inputs, device="cpu")
    scaled = found.scaling.apply(inputs)
    parts = [] if scaled.pictures is None else [torch.tensor(scaled.pictures[:, :1])]
    parts += [] if scaled.vectors is None else [torch.tensor(scaled.vectors)]
    with torch.no_grad():
        logits = found.module.eval()(*parts).double().numpy()
    np.testing.assert_allclose(probabilities, softmax(logits, axis=1), atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert probabilities.shape == (7, 3)
    assert probabilities.dtype == np.float64
    assert (found.predicted(inputs) == logits.argmax(axis=1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_hidden_layer_and_the_last_weights_give_the_probabilities(name: str) -> None:
    found, inputs = untrained(name), inputs_of(name)
    hidden = found.hidden(inputs, device="cpu")
    weights, bias = (one.detach().numpy() for one in (found.module.out.weight, found.module.out.bias))  # type: ignore[union-attr]
    assert hidden.dtype == np.float32
    np.testing.assert_allclose(found.probabilities(inputs), softmax(hidden @ weights.T + bias, axis=1), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_says_the_same(name: str, tmp_path: Path) -> None:
    found, inputs = untrained(name), inputs_of(name)
    save_file(found.arrays(), tmp_path / "model.safetensors")
    again = Network.of(name, load_file(tmp_path / "model.safetensors"), CLASSES)
    np.testing.assert_array_equal(again.probabilities(inputs), found.probabilities(inputs))
    np.testing.assert_array_equal(again.hidden(inputs), found.hidden(inputs))
    assert (again.dim, again.shape, again.classes) == (found.dim, found.shape, CLASSES)
    assert again.n_parameters == found.n_parameters == n_parameters(found.module)


def test_clips_many_at_once_or_one_by_one_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found, inputs = untrained("cnn_mlp"), inputs_of("cnn_mlp")
    together = found.probabilities(inputs)
    monkeypatch.setattr(module_under_test, "CLIPS_AT_ONCE", 3)
    np.testing.assert_allclose(found.probabilities(inputs), together, atol=1e-6)


def test_copies_of_a_clip_follow_each_other_with_its_vector() -> None:
    inputs = inputs_of("cnn_mlp", 3, copies=2)
    assert inputs.pictures is not None
    assert inputs.vectors is not None
    pictures, vectors = tensors(CARDS["cnn_mlp"], inputs, copies=None)
    assert pictures.shape == (6, 1, 8, 6)
    for row in range(6):
        np.testing.assert_array_equal(pictures[row, 0], inputs.pictures[row // 2, row % 2])
        np.testing.assert_array_equal(vectors[row], inputs.vectors[row // 2])
    clean, _ = tensors(CARDS["cnn_mlp"], inputs)
    np.testing.assert_array_equal(clean[:, 0], inputs.pictures[:, 0])


def test_weights_of_another_network_are_refused() -> None:
    arrays = untrained("cnn3").arrays()
    for name, classes in (("cnn4", CLASSES), ("mlp", CLASSES), ("cnn3", ("anger", "joy")), ("forest", CLASSES)):
        with pytest.raises(NetworkError, match=f"these are not the weights of a {name} of {len(classes)} classes"):
            Network.of(name, arrays, classes)
    del arrays["module.out.bias"]
    with pytest.raises(NetworkError, match="not the weights of a cnn3"):
        Network.of("cnn3", arrays, CLASSES)


def test_other_inputs_are_refused_in_a_sentence() -> None:
    with pytest.raises(NetworkError, match=r"trained on vectors of None values and pictures of \(16, 16\); got 4 and"):
        untrained("cnn3").probabilities(inputs_of("cnn_mlp"))
    with pytest.raises(NetworkError, match=r"got None and \(32, 32\)"):
        untrained("cnn3").hidden(inputs_of("cnn5"))
    with pytest.raises(NetworkError, match="cnn_mlp takes vectors and pictures; got vectors of None values"):
        build(CARDS["cnn_mlp"], dim=None, shape=(8, 6), n_classes=3)
    with pytest.raises(NetworkError, match="forest is no network"):
        build(CARDS["forest"], dim=3, shape=None, n_classes=3)


def test_a_device_is_found_by_its_name() -> None:
    assert place("cpu").type == "cpu"
    assert place("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(NetworkError, match="device 'abacus' is not available here, expected auto, cpu or cuda"):
        place("abacus")
