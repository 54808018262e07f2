"""Two encoders in figures: common axes, curves with their bands, likeness of layers."""

import figures
import numpy as np
import plotly.graph_objects as go
import pytest

from ser_core.layers import Layers
from ser_core.plots import between

HOSTILE = "<a href='x'>deep</a>"


def layers(n: int = 4, m: int = 3) -> Layers:
    random = np.random.default_rng(0)

    def side(k: int) -> dict[str, np.ndarray]:
        ends = random.uniform(0.2, 0.8, size=(3, k, 1)) + np.array([0, -0.1, 0.1])
        return dict(zip(("silhouette", "recall", "correlation"), ends, strict=True))

    return Layers(side(n), side(m), random.uniform(-0.1, 1, size=(n, m)), 60)


def lines(figure: go.Figure, name: str, column: int) -> go.Scatter:
    axis = "x" if column == 1 else f"x{column}"
    (found,) = [one for one in figure.data if one.name == name and (one.xaxis or "x") == axis]
    return found


def test_both_encoders_are_drawn_for_every_measure():
    found = layers()
    figure = between.curves(found, chosen=(1, 2), chance=0.25)
    figures.clear(figure)
    for column, (name, unit) in enumerate(between.UNITS.items(), start=1):
        assert np.array(lines(figure, "A", column).y) == pytest.approx(unit * found.a[name][:, 0])
        assert np.array(lines(figure, "B", column).y) == pytest.approx(unit * found.b[name][:, 0])
    a, b = lines(figure, "A", 1), lines(figure, "B", 1)
    assert a.line.color != b.line.color
    assert (a.marker.symbol, a.line.dash) != (b.marker.symbol, b.line.dash)  # told apart without colours
    assert [trace.showlegend for trace in figure.data].count(True) == 2
    rings = [one for one in figure.data if one.marker.size == 16]
    assert [one.x[0] for one in rings] == [1, 2] * 3
    assert rings[0].y[0] == pytest.approx(found.a["silhouette"][1, 0])
    (guessing,) = figure.layout.shapes
    assert guessing.y0 == guessing.y1 == 25


def test_bands_are_the_intervals_and_absent_without():
    found = layers()
    banded = between.curves(found, chosen=(0, 0), chance=None)
    low, high = banded.data[:2]
    assert np.array(low.y) == pytest.approx(found.a["silhouette"][:, 1])
    assert np.array(high.y) == pytest.approx(found.a["silhouette"][:, 2])
    assert high.fill == "tonexty"
    assert not banded.layout.shapes
    found.a["silhouette"][:, 1:] = np.nan
    bare = between.curves(found, chosen=(0, 0), chance=None)
    assert len(bare.data) == len(banded.data) - 2
    assert "(95" not in lines(bare, "A", 1).text[0]
    assert "(95" in lines(banded, "A", 1).text[0]


def test_an_encoder_of_one_layer_is_a_level_line():
    figure = between.curves(layers(n=1, m=5), chosen=(0, 3), chance=None)
    level = lines(figure, "A", 1)
    assert list(level.x) == [0, 4]
    assert level.y[0] == level.y[1]
    assert [one.x[0] for one in figure.data if one.marker.size == 16] == [3] * 3


def test_few_layers_are_counted_one_by_one():
    few, many = (between.curves(layers(n=n, m=2), chosen=(0, 0), chance=None).layout.xaxis.dtick for n in (6, 7))
    assert (few, many) == (1, None)


def test_likeness_of_layers_has_a_frame_and_words_that_are_text():
    found = layers()
    figure = between.cka(found.cka, layers=(["a", HOSTILE, "c", "d"], ["e", "f", "g"]), chosen=(1, 2))
    figures.clear(figure)
    heat = figure.data[0]
    assert np.array(heat.z) == pytest.approx(found.cka)
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert heat.customdata[1][2] == "A, layer &lt;a href='x'&gt;deep&lt;/a&gt;<br>B, layer g"
    inks = {(one.y, one.x): (one.text, one.font.color) for one in figure.layout.annotations}
    assert len(inks) == 12
    for (row, column), (text, ink) in inks.items():
        assert text == f"{found.cka[row, column]:.2f}".replace("-", "\u2212")
        assert ink == ("#ffffff" if found.cka[row, column] >= 0.1 else None)  # the page's own on a pale cell
    assert {ink for _, ink in inks.values()} == {"#ffffff", None}
    (frame,) = figure.layout.shapes
    assert (frame.x0 + frame.x1, frame.y0 + frame.y1) == (pytest.approx(4), pytest.approx(2))
    assert figure.layout.yaxis.range == (3.5, -0.5)  # the first layer above


def test_many_layers_are_not_written_into_their_cells():
    many = layers(n=25, m=25)
    figure = between.cka(many.cka, layers=([str(k) for k in range(25)],) * 2, chosen=(0, 0))
    assert not figure.layout.annotations
    assert figure.layout.height == between.HIGHEST
    assert len(figure.layout.xaxis.tickvals) < 25


@pytest.mark.parametrize("d", [2, 3])
def test_two_maps_share_their_axes(d):
    span = np.array([[-1.0, 2.0], [0.0, 4.0], [-3.0, -2.0]])[:d]
    figure = between.dress(go.Figure(), span=span, titles=["first", HOSTILE, "third"][:d])
    axes = [getattr(figure.layout.scene if d == 3 else figure.layout, f"{name}axis") for name in "xyz"[:d]]
    assert [axis.range for axis in axes] == [tuple(ends) for ends in span.tolist()]
    assert axes[1].title.text == "&lt;a href='x'&gt;deep&lt;/a&gt;"
    assert figure.layout.height == between.MAP
    if d == 3:
        ratio = figure.layout.scene.aspectratio
        assert (ratio.x / ratio.z, ratio.y / ratio.z) == (pytest.approx(3), pytest.approx(4))
        assert ratio.x * ratio.y * ratio.z == pytest.approx(1)  # plotly's unit, which cameras are given in
