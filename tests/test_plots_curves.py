import numpy as np
import pandas as pd
import pytest
from figures import clear
from sklearn.metrics import average_precision_score

from ser_core import emotions, scores
from ser_core.plots import curves as plot

WORDS = ("anger", "<b>own</b>")
RNG = np.random.default_rng(0)
TRUTH = RNG.random(60) < 0.4
SCORES = np.clip(0.5 * TRUTH + 0.5 * RNG.random(60), 0, 1)


def epochs(n_folds: int = 2, n: int = 3) -> pd.DataFrame:
    """Return folds whose second epoch has the best validation UAR; the third has the same, with more loss."""
    one = pd.DataFrame(
        {
            "epoch": range(1, n + 1),
            "train_loss": np.linspace(2, 1, n),
            "train_accuracy": np.linspace(0.2, 0.9, n),
            "validation_loss": [2.0, 1.2, 1.5][:n],
            "validation_accuracy": [0.2, 0.45, 0.5][:n],
            "validation_uar": [0.2, 0.45, 0.45][:n],
            "learning_rate": 1e-3,
            "seconds": 2.0,
        }
    )
    return pd.concat([one.assign(fold=number) for number in range(1, n_folds + 1)], ignore_index=True)


def lines(figure, name: str):
    return [trace for trace in figure.data if trace.name == name and trace.mode == "lines+markers"]


def test_roc_curves_lie_where_they_were_measured_and_say_their_area():
    curve = scores.roc(TRUTH, SCORES)
    figure = plot.roc(dict.fromkeys(WORDS, curve))
    chance, first, own = figure.data
    assert (list(chance.x), list(chance.y)) == ([0, 100], [0, 100])
    assert first.x == pytest.approx(100 * curve.x)
    assert first.y == pytest.approx(100 * curve.y)
    assert first.name == f"anger  {curve.area:.2f}"
    assert own.name.startswith("&lt;b&gt;own&lt;/b&gt;")
    assert "&lt;b&gt;own" in own.hovertemplate
    assert (first.line.color, first.marker.symbol) == (emotions.EMOTIONS["anger"].colour, "square")
    assert first.customdata[0] == "more than 100 %"
    assert first.customdata[1] == f"{100 * curve.thresholds[1]:.0f} %"
    assert figure.layout.yaxis.scaleanchor == "x"
    clear(figure)


def test_the_area_under_the_drawn_steps_is_the_average_precision():
    curve = scores.precision_recall(TRUTH, SCORES)
    (trace,) = plot.precision_recall({"anger": curve}).data
    assert trace.line.shape == "hv"  # each step keeps the height of its first point, as drawn from right to left
    widths = -np.diff(np.asarray(trace.x)) / 100
    assert (widths >= 0).all()
    area = float((widths * np.asarray(trace.y)[:-1] / 100).sum())
    assert area == pytest.approx(average_precision_score(TRUTH, SCORES), abs=1e-9)
    assert trace.name == f"anger  {area:.2f}"


def test_reliability_has_the_interval_of_each_bin_and_the_line_of_being_as_sure_as_right():
    probabilities = np.column_stack([SCORES, 1 - SCORES])
    table = scores.reliability(probabilities, np.where(TRUTH, 0, 1), bins=5)
    figure = plot.reliability(table)
    line, points = figure.data
    assert (list(line.x), list(line.y)) == ([0, 100], [0, 100])
    assert points.x == pytest.approx(100 * table["confidence"])
    assert points.y == pytest.approx(100 * table["right"])
    assert points.y + points.error_y.array == pytest.approx(100 * table["high"])
    assert points.y - points.error_y.arrayminus == pytest.approx(100 * table["low"])
    assert points.text[0].startswith("12 clips of which it was ")
    clear(figure)


def test_a_training_is_drawn_fold_by_fold_with_the_epoch_that_was_kept():
    figure = plot.history(epochs(), fold=None)
    told = epochs(1)
    for part, column in (("training", "train"), ("validation", "validation")):
        traces = lines(figure, part)
        assert len(traces) == 4
        loss, accuracy = traces[:2]
        assert list(loss.y) == pytest.approx(told[f"{column}_loss"])
        assert list(accuracy.y) == pytest.approx(100 * told[f"{column}_accuracy"])
        assert {(trace.xaxis, trace.yaxis) for trace in traces} == {("x", "y"), ("x2", "y2")}
        assert {trace.opacity for trace in traces} == {1}
    rings = [trace for trace in figure.data if trace.text is not None]
    assert [list(ring.x) for ring in rings] == [[2, 2], [2, 2]]
    assert [list(ring.y) for ring in rings] == [[1.2, 1.2], [45.0, 45.0]]
    assert rings[0].text[1] == "fold 2: the weights of epoch 2 were kept,<br>with the best validation UAR, 45.0 %"
    assert [trace.name for trace in figure.data if trace.showlegend is not False] == [
        "training", "validation", "weights kept",
    ]  # fmt: skip
    clear(figure)


def test_the_fold_that_was_chosen_stands_out():
    figure = plot.history(epochs(), fold=2)
    assert [trace.opacity for trace in lines(figure, "validation")] == [plot.FADED, plot.FADED, 1, 1]
    thin, *_, thick = (trace.line.width for trace in lines(figure, "validation"))
    assert thin < thick
    rings = [trace for trace in figure.data if trace.text is not None]
    assert [list(ring.x) for ring in rings] == [[2], [2]]
    assert rings[0].text[0].startswith("fold 2")


def test_a_training_that_has_just_begun_can_be_seen():
    figure = plot.history(epochs(1, 1), fold=1)
    assert figure.layout.xaxis.dtick == figure.layout.xaxis2.dtick == 1  # no half epochs
    assert all(trace.mode == "lines+markers" for trace in figure.data[:4])
    assert plot.history(epochs(1).assign(epoch=20), fold=None).layout.xaxis.dtick is None
