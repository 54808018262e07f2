import dataclasses
import html

import numpy as np
import pandas as pd
import pytest
from figures import clear

from ser_core import emotions, scores
from ser_core.comparison import Premium
from ser_core.plots import models as plot
from ser_core.plots import rows
from ser_core.plots.colours import GREY

CLASSES = ["anger", "<b>own</b>", "sadness"]
COUNTS = np.array([[150, 40, 10], [0, 0, 0], [1, 399, 600]])
PREMIUM = Premium(0.743, (0.70, 0.78), 0.52, (0.48, 0.56), 0.223, (0.18, 0.26))


def drawn(*, rates=False, cell=None, counts=COUNTS, classes=CLASSES):
    return plot.confusion(counts, classes, rates=rates, cell=cell)


def written(figure) -> dict:
    return {(note.y, note.x): note.text for note in figure.layout.annotations}


def entry(label="run", uar=0.5, *, unseen=True, contaminated=False):
    return plot.Entry(label, uar, (uar - 0.1, uar + 0.05), 0.125, unseen, contaminated)


def contrast_with_white(colour: str) -> float:
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return 1.05 / (float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)


def test_cells_say_clips_or_shares_of_their_row_and_those_without_clips_nothing():
    assert written(drawn()) == {(0, 0): "150", (0, 1): "40", (0, 2): "10", (2, 0): "1", (2, 1): "399", (2, 2): "600"}
    shares = {(0, 0): "75", (0, 1): "20", (0, 2): "5", (2, 0): "<1", (2, 1): "40", (2, 2): "60"}
    assert written(drawn(rates=True)) == shares
    assert written(drawn(counts=10 * COUNTS))[2, 2] == "6,000"
    assert drawn(rates=True).data[0].z == pytest.approx(np.array([[0.75, 0.2, 0.05], [0, 0, 0], [0.001, 0.399, 0.6]]))
    assert drawn().data[0].z == pytest.approx(COUNTS / 600)
    assert tuple(drawn().layout.yaxis.range)[1] == -0.5  # the first row is above
    clear(drawn(cell=(0, 1)))


def test_numbers_can_be_read_on_every_cell():
    figure = drawn(rates=True)
    inks = {(note.y, note.x): note.font.color for note in figure.layout.annotations}
    strong = {place for place, ink in inks.items() if ink == plot.WHITE}
    assert strong == {(0, 0), (0, 1), (2, 1), (2, 2)}  # the others are pale, with the ink of the page
    assert {ink for place, ink in inks.items() if place not in strong} == {None}
    scale = figure.data[0].colorscale
    assert [colour for at, colour in scale if at <= plot.FEW] == [plot.PALE, plot.PALE, plot.SHARES[0]]
    assert min(contrast_with_white(colour) for at, colour in scale[2:]) >= 4.5
    assert len(set(plot.SHARES)) == len(plot.SHARES)


def test_the_point_of_each_cell_carries_row_and_column_and_says_what_it_is():
    figure = drawn(rates=True)
    points = figure.data[-1]
    says = {tuple(place): text for place, text in zip(points.customdata, points.text, strict=True)}
    assert all(type(number) is int for place in figure.to_plotly_json()["data"][-1]["customdata"] for number in place)
    assert len(says) == 9
    assert says[0, 0] == "anger recognised: 150 of 200 clips (75 %)"
    assert says[2, 1] == "sadness taken for &lt;b&gt;own&lt;/b&gt;: 399 of 1,000 clips (40 %)"
    assert says[2, 0] == "sadness taken for anger: 1 of 1,000 clips (<1 %)"
    assert says[1, 1] == "&lt;b&gt;own&lt;/b&gt; recognised: 0 of 0 clips (0 %)"
    assert [(y, x) for x, y in zip(points.x, points.y, strict=True)] == list(says)
    assert points.marker.opacity == points.selected.marker.opacity == points.unselected.marker.opacity == 0
    assert figure.layout.hoverdistance == -1  # wherever in the cell


def test_rows_and_columns_have_the_shapes_and_names_of_their_emotions():
    figure = drawn()
    rim = figure.data[1]
    styles = [emotions.style(name) for name in CLASSES] * 2
    assert list(rim.marker.color) == [style.colour for style in styles]
    assert list(rim.marker.symbol) == [style.symbol for style in styles]
    assert (list(rim.y[:3]), list(rim.x[3:])) == ([0, 1, 2], [0, 1, 2])
    assert max(rim.x[:3]) < -0.5
    assert min(rim.y[3:]) > 2.5
    assert figure.layout.xaxis.range[0] < min(rim.x) < max(rim.y) < figure.layout.yaxis.range[0]
    assert (
        figure.layout.xaxis.ticktext == figure.layout.yaxis.ticktext == ("anger", "&lt;b&gt;own&lt;/b&gt;", "sadness")
    )


def test_the_cell_in_hand_is_framed():
    assert drawn().layout.shapes == ()
    (frame,) = drawn(cell=(2, 1)).layout.shapes
    assert ((frame.y0 + frame.y1) / 2, (frame.x0 + frame.x1) / 2) == (2, 1)


def test_the_leaderboard_keeps_its_order_and_knows_the_number_of_each():
    entries = [entry("<i>low</i>", 0.4), entry("high", 0.8, contaminated=True), entry("mid", 0.6, unseen=False)]
    figure = plot.leaderboard(entries)
    names = [text.strip() for text in figure.layout.yaxis.ticktext]
    assert names == ["&lt;i&gt;low&lt;/i&gt;", "high", "mid"]
    assert tuple(figure.layout.yaxis.range) == (2.5, -0.5)
    points = figure.data[2:]
    placed = {trace.customdata[0]: (trace.x[0], trace.y[0]) for trace in points}
    assert placed == {0: (40.0, 0), 1: (80.0, 1), 2: (60.0, 2)}
    looks = {trace.name: (trace.marker.symbol, trace.marker.color) for trace in points}
    assert looks == {
        "unseen speakers": ("circle", rows.BAR),
        "shared speakers": ("circle-open", rows.BAR),
        "unseen speakers, input saw the corpus": ("circle", GREY),
    }
    assert "&lt;i&gt;low&lt;/i&gt;" in points[0].text[0]
    assert "UAR 40.0 % (30.0 to 45.0)" in points[0].text[0]
    chance, spans = figure.data[:2]
    assert list(chance.x) == [12.5] * 3
    assert list(spans.x)[:2] == pytest.approx([30, 45])
    assert list(spans.y)[:2] == [0, 0]
    assert [trace.name for trace in figure.data[:2]] == ["guessing", "95 % interval"]
    assert not [trace.name for trace in figure.data if trace.showlegend is False]
    assert spans.unselected.marker.opacity == chance.unselected.marker.opacity == 1
    clear(figure)


def test_a_long_name_takes_two_lines():
    label = (
        "lora (2 epochs, all layers, weighted, encoder's rate 0.001, normalised by speaker, seed 12) · <b>unseen</b>"
    )
    long, short = plot.leaderboard([entry(label), entry("lora (2 epochs) · unseen")]).layout.yaxis.ticktext
    first, second = long.split("<br>")
    assert html.unescape(f"{first.strip()} {second.strip()}").replace("\N{NO-BREAK SPACE}", " ") == label
    assert "·\N{NO-BREAK SPACE}&lt;b&gt;unseen&lt;/b&gt;" in second
    assert short.strip() == "lora (2 epochs) · unseen"


def test_runs_of_equal_score_and_name_stand_apart():
    figure = plot.leaderboard([entry("same"), entry("same")])
    assert list(figure.data[2].y) == [0, 1]
    assert list(figure.data[2].customdata) == [0, 1]


def test_class_wise_accuracy_with_what_is_known():
    report = scores.report(COUNTS, CLASSES)
    figure = plot.classwise(report, intervals=[(0.6, 0.8), None, None], chance=1 / 3)
    bars, spans = figure.data
    assert list(bars.x)[::2] == pytest.approx([75, 60])
    assert np.isnan(bars.x[1])
    assert list(bars.marker.color) == [emotions.style(name).colour for name in CLASSES]
    assert list(spans.x) == [60, 80, None]
    assert [text.strip() for text in figure.layout.yaxis.ticktext] == [
        "anger  <b>75 %</b>",
        "&lt;b&gt;own&lt;/b&gt;  <b></b>",
        "sadness  <b>60 %</b>",
    ]
    assert "200 clips" in bars.text[0]
    assert "(recall): 75.0 %" in bars.text[0]
    assert f"(precision): {100 * 150 / 151:.1f} %" in bars.text[0]
    assert f"F1: {100 * 300 / 351:.1f} %" in bars.text[0]
    assert "recognised (recall): not known" in bars.text[1]
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == pytest.approx(100 / 3)
    clear(figure)


def test_the_premium_is_a_pair_of_bars_with_intervals_above_chance():
    figure = plot.premium({"cnn3": PREMIUM, "<u>x</u>": PREMIUM}, chance=0.125)
    shared, unseen, *spans = figure.data
    assert (shared.name, unseen.name) == ("shared speakers", "unseen speakers")
    assert list(shared.x) == pytest.approx([74.3] * 2)
    assert list(unseen.x) == pytest.approx([52] * 2)
    for number in range(2):
        assert shared.y[number] < number < unseen.y[number]  # shared ones above
        assert [list(one.y)[3 * number] for one in spans] == [shared.y[number], unseen.y[number]]
    assert [list(one.x[:2]) for one in spans] == [pytest.approx([70, 78]), pytest.approx([48, 56])]
    assert unseen.text[0] == "unseen speakers: UAR 52.0 % (48.0 to 56.0)"
    lines = [line.strip() for line in figure.layout.yaxis.ticktext[0].split("<br>")]
    assert lines == ["cnn3", "premium +22.3 points (+18.0 to +26.0)"]
    assert figure.layout.yaxis.ticktext[1].startswith("&lt;u&gt;x&lt;/u&gt;")
    assert figure.layout.shapes[0].x0 == 12.5
    clear(figure)
    figure = plot.premium({"x": dataclasses.replace(PREMIUM, interval=(-0.012, 0.26))}, chance=0.125)
    assert "(\u22121.2 to +26.0)" in figure.layout.yaxis.ticktext[0]


def test_two_runs_have_their_letters_on_their_outer_sides():
    first = pd.DataFrame({"emotion": CLASSES, "recall": [0.9, 0.5, 0.4]})
    second = first.assign(recall=[0.7, 0.5, 0.6])
    figure = plot.difference(first, second, labels=("<b>one</b>", "two"))
    line, a, b = figure.data
    assert list(a.x) == pytest.approx([90, 50, 40])
    assert list(b.x) == pytest.approx([70, 50, 60])
    assert set(a.text) == {"A"}
    assert set(b.text) == {"B"}
    for row in range(3):
        assert {a.textposition[row], b.textposition[row]} == {"middle left", "middle right"}
    assert [side == "middle right" for side in a.textposition][::2] == [True, False]
    assert list(line.x[:2]) == pytest.approx([90, 70])
    assert np.isnan(line.x[2])
    assert list(a.marker.symbol) == [emotions.style(name).symbol for name in CLASSES]
    low, high = figure.layout.xaxis.range
    assert low < 0 < 100 < high  # room for the letters of points at the ends
    assert figure.layout.annotations[0].text == "<b>A</b>  &lt;b&gt;one&lt;/b&gt;<br><b>B</b>  two"
    clear(figure)


def test_reports_of_different_emotions_cannot_be_set_side_by_side():
    first = pd.DataFrame({"emotion": ["anger"], "recall": [0.9]})
    with pytest.raises(ValueError, match="reports of different emotions: anger and fear"):
        plot.difference(first, first.assign(emotion=["fear"]), labels=("a", "b"))
