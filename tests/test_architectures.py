"""Networks against the papers' tables, and against the same functions written out."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ser_core.models.cards import CARDS
from ser_core.models.cnn import Cnn, block
from ser_core.models.cnn_mlp import CnnMlp
from ser_core.models.cnn_transformer import CnnTransformer
from ser_core.models.mlp import Mlp
from ser_core.models.network import build, n_parameters

Shape = tuple[int, int]
PICTURE = (128, 128)


def network(name: str, *, dim: int | None = None, shape: Shape | None = None, n_classes: int = 8) -> nn.Module:
    torch.manual_seed(0)
    return build(CARDS[name], dim=dim, shape=shape, n_classes=n_classes)


def conv(n_in: int, n_out: int) -> int:
    """Weights of a 3 x 3 convolution and its batch norm."""
    return 9 * n_in * n_out + n_out + 2 * n_out


def linear(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def test_parameters_of_the_convolutional_networks_are_those_of_the_paper_rounded() -> None:
    three = conv(1, 16) + conv(16, 32) + conv(32, 64)
    assert n_parameters(network("cnn3", shape=PICTURE)) == three + linear(64 * 16 * 16, 72) + linear(72, 8) == 1_203_824
    four = three + conv(64, 128)
    assert n_parameters(network("cnn4", shape=PICTURE)) == four + linear(128 * 8 * 8, 208) + linear(208, 8) == 1_803_448
    five = conv(1, 32) + conv(32, 64) + conv(64, 128) + conv(128, 256) + conv(256, 512)
    ends = linear(512 * 4 * 4, 912) + linear(912, 512) + linear(512, 8)
    assert n_parameters(network("cnn5", shape=PICTURE)) == five + ends == 9_513_560


def test_parameters_of_the_transformer_are_those_of_the_paper_without_and_with_projections() -> None:
    found = network("cnn_transformer", shape=(40, 282))
    projections = sum(n_parameters(one) for one in found.modules() if isinstance(one, nn.MultiheadAttention))
    assert n_parameters(found) == 248_488
    assert n_parameters(found) - projections == 222_248
    by_layer = [n_parameters(one) for one in found.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    assert by_layer[:6] == [160, 4640, 18_496] * 2  # as the paper's summary lists them
    assert by_layer[-1] == 8520


def test_parameters_of_the_perceptrons() -> None:
    norms = 2 * (256 + 128 + 64)
    assert n_parameters(network("mlp", dim=90)) == linear(90, 256) + linear(256, 128) + linear(128, 64) + norms + 520
    assert n_parameters(network("mlp", dim=90)) == 256 * 90 + 42_304 + 65 * 8
    image = conv(1, 64) + conv(64, 128)
    scalars = linear(90, 128) + 256 + linear(128, 64) + 128
    joined = linear(128 * 20 * 64 + 64, 128)
    found = n_parameters(network("cnn_mlp", dim=90, shape=(40, 64)))
    assert joined == 20_979_840
    assert found == image + scalars + joined + linear(128, 64) + linear(64, 8) == 21_083_784


CASES = [
    ("mlp", 5, None, 64),
    ("cnn3", None, (16, 24), 72),
    ("cnn4", None, (16, 16), 208),
    ("cnn5", None, (32, 32), 512),
    ("cnn_mlp", 5, (8, 6), 64),
    ("cnn_transformer", None, (40, 64), 2 * 64 * 2 + 40),
]


@pytest.mark.parametrize(("name", "dim", "shape", "width"), CASES)
def test_the_inner_layer_is_what_the_last_one_is_given(
    name: str, dim: int | None, shape: Shape | None, width: int
) -> None:
    found = network(name, dim=dim, shape=shape, n_classes=3).eval()
    parts = [torch.randn(4, 1, *shape)] if shape else []
    parts += [torch.randn(4, dim)] if dim else []
    inner = found.embed(*parts)  # type: ignore[operator]
    *_, last = (one for one in found.modules() if isinstance(one, nn.Linear))
    assert inner.shape == (4, width)
    assert last.out_features == 3
    torch.testing.assert_close(found(*parts), inner @ last.weight.T + last.bias)


@pytest.mark.parametrize("training", [True, False])
def test_the_maximum_before_relu_is_the_papers_order(training: bool) -> None:  # noqa: FBT001
    torch.manual_seed(1)
    found = block(2, 3).train(training)
    x = torch.randn(5, 2, 8, 8)
    convolution, norm = found[0], found[1]
    as_written = functional.max_pool2d(functional.relu(norm(convolution(x))), 2)
    torch.testing.assert_close(found(x), as_written, rtol=0, atol=0)


def test_the_convolutional_network_written_out() -> None:
    found = network("cnn5", shape=(32, 64), n_classes=3).eval()
    assert isinstance(found, Cnn)
    pictures = torch.randn(2, 1, 32, 64)
    x = pictures
    for one in found.blocks:
        assert isinstance(one, nn.Sequential)
        x = functional.max_pool2d(functional.relu(one[1](one[0](x))), 2, stride=2)
    assert x.shape == (2, 512, 1, 2)
    x = x.flatten(1)
    for one in found.hidden:
        if isinstance(one, nn.Linear):
            x = functional.relu(one(x))
    torch.testing.assert_close(found(pictures), found.out(x))


def test_only_the_largest_convolutional_network_drops_out() -> None:
    for name, dropout, n_linear in (("cnn3", 0.0, 2), ("cnn4", 0.0, 2), ("cnn5", 0.2, 3)):
        layers = list(network(name, shape=(32, 32)).modules())
        assert {one.p for one in layers if isinstance(one, nn.Dropout)} == {dropout}
        assert sum(isinstance(one, nn.Linear) for one in layers) == n_linear


def test_the_perceptrons_layers_come_in_the_order_of_the_table() -> None:
    found = network("mlp", dim=5)
    assert isinstance(found, Mlp)
    assert [type(one) for one in found.hidden] == [nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Dropout] * 3
    assert [one.p for one in found.hidden if isinstance(one, nn.Dropout)] == [0.4, 0.4, 0.3]


def test_the_network_beside_a_perceptron_uses_both() -> None:
    found = network("cnn_mlp", dim=5, shape=(8, 6)).eval()
    assert isinstance(found, CnnMlp)
    pictures, vectors = torch.randn(3, 1, 8, 6), torch.randn(3, 5)
    before = found(pictures, vectors)
    assert found.image(pictures).shape == (3, 128 * 4 * 6)  # halved in height alone
    assert found.scalars(vectors).shape == (3, 64)
    assert not torch.allclose(before, found(pictures + 1, vectors))
    assert not torch.allclose(before, found(pictures, vectors + 1))


def test_the_transformer_takes_the_mean_over_time_and_knows_no_position() -> None:
    found = network("cnn_transformer", shape=(40, 282)).eval()
    assert isinstance(found, CnnTransformer)
    x = torch.randn(2, 1, 40, 282)
    inner = found.embed(x)
    assert inner.shape == (2, 1064)
    assert found.first(x).shape == found.second(x).shape == (2, 512)
    order = torch.randperm(70)
    shuffled = x.clone()
    shuffled[..., :280] = x[..., :280].reshape(2, 1, 40, 70, 4)[:, :, :, order].reshape(2, 1, 40, 280)
    after = found.embed(shuffled)
    torch.testing.assert_close(after[:, 1024:], inner[:, 1024:], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after[:, :1024], inner[:, :1024], atol=1e-2)
    steps = functional.max_pool2d(x, (1, 4))[:, 0].transpose(1, 2)
    assert steps.shape == (2, 70, 40)
    torch.testing.assert_close(inner[:, 1024:], found.encoder(steps).mean(dim=1))
    layer = found.encoder.layers[0]
    assert isinstance(layer, nn.TransformerEncoderLayer)
    assert (len(found.encoder.layers), layer.self_attn.num_heads, layer.linear1.out_features) == (4, 4, 512)


def test_the_attention_of_the_transformer_is_torchs_own():
    made = network("cnn_transformer", shape=(40, 282))
    assert isinstance(made, CnnTransformer)
    own = made.encoder.layers[0].self_attn
    theirs = nn.MultiheadAttention(40, 4, batch_first=True)
    theirs.load_state_dict(own.state_dict())
    steps = torch.randn(3, 70, 40, generator=torch.Generator().manual_seed(1))
    for ours, other in ((own, theirs), (own.double(), theirs.double())):
        given = steps.to(ours.in_proj_weight.dtype)
        told, _ = ours(given, given, given, need_weights=False)
        wanted, _ = other(given, given, given, need_weights=False)
        torch.testing.assert_close(told, wanted)
