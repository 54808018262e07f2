"""What is drawn of transfers and of shares: numbers as given, words as text."""

import numpy as np
import pytest

from ser_core.geometry.clustered import Estimate
from ser_core.plots import shares, transfer
from ser_core.plots.transfer import Point

NONE = Estimate(0.5, np.nan, np.nan)


def test_scores_have_intervals_where_there_are_any():
    points = [
        Point("a <b>", "dae", Estimate(0.6, 0.5, 0.7), "10 clips"),
        Point("a <b>", "pca", NONE, ""),
        Point("c", "dae", NONE, ""),
    ]
    figure = transfer.scores(points, chance=0.25)
    lines = [one for one in figure.data if one.mode == "lines+markers"]
    assert [one for one in lines[0].x if one is not None] == pytest.approx([50, 70])
    assert not len(lines[1].x)
    assert figure.layout.shapes[0].x0 == 25
    assert figure.layout.yaxis.ticktext[0] == "a &lt;b&gt;  "
    assert "60.0 % (50.0 to 70.0)" in figure.data[1].text[0]


def test_a_plane_leaves_out_what_is_not_there():
    points = np.array([[0.0, 1.0], [np.nan, np.nan], [2.0, 3.0]])
    at = (np.linspace(0, 1, 3), np.linspace(0, 1, 3))
    margins = {"anger": (np.ones(3), np.zeros(3))}
    figure = transfer.plane(
        points, ["anger", "anger", "sadness"], axes=("x", "y"), span=((0, 1), (0, 2)), margins=margins, at=at, chosen=2
    )
    dots = {one.name: one for one in figure.data if one.mode == "markers" and one.name}
    assert dots["anger"].customdata.tolist() == [0]
    assert dots["sadness"].customdata.tolist() == [2]
    assert sum(one.mode == "lines" for one in figure.data) == 2
    assert figure.data[-1].x == (2.0,)


def test_correlations_and_turns():
    figure = transfer.follows([("a", Estimate(-0.5, -0.7, -0.2)), ("b", NONE)], title="r")
    assert figure.data[1].x == (-0.5, 0.5)
    assert "\u22120.50 (\u22120.70 to \u22120.20)" in figure.data[1].text[0]
    own, other = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [np.nan, np.nan]])
    drawn = transfer.turned(["anger", "fear"], learnt=own, there=other, brought=other, titles=("before", "after"))
    assert [one.name for one in drawn.data] == ["anger", "anger"]
    assert list(drawn.data[0].x) == [0.0, 1.0]


def test_a_matrix_is_empty_where_nothing_is_known():
    figure = transfer.matrix(np.array([[0.5, np.nan]]), learnt=["a"], tried=["a", "b"], says=[["said", ""]])
    assert list(map(list, figure.data[0].text)) == [["50", ""]]


def test_violins_of_emotions_that_are_there():
    values = np.random.default_rng(0).normal(size=(12, 3))
    figure = shares.violins(values, np.resize([0, 2], 12), names=["neutral", "fear", "anger"], features=["a", "b", "c"])
    assert len(figure.data) == 6
    assert [one.text for one in figure.layout.annotations] == ["neutral (6)", "anger (6)"]


def test_a_waterfall_ends_where_its_parts_add_up():
    figure = shares.waterfall(["pitch <i>", "rest"], np.array([0.5, -0.2]), start="neutral", end="this clip")
    bars = figure.data[0]
    assert list(bars.x) == pytest.approx([0.5, -0.2, 0.3])
    assert list(bars.measure) == ["relative", "relative", "total"]
    assert "pitch &lt;i&gt;" in figure.layout.yaxis.ticktext[0]
