import numpy as np
import pytest

from ser_core import emotions
from ser_core.plots import distances as plot
from ser_core.plots.colours import SEQUENTIAL

NAMES = ["anger", "<b>own</b>", "sadness"]
VALUES = np.array([[0.0, 3.0, 5.0], [3.0, 0.0, 4.0], [5.0, 4.0, 0.0]])


def drawn(pair=None, names=NAMES, values=VALUES):
    texts = [[f"{value:.1f} {row}{column}" for column, value in enumerate(line)] for row, line in enumerate(values)]
    hovers = [[f"{a} & {b}" for b in names] for a in names]
    return plot.matrix(names, values, texts=texts, hovers=hovers, pair=pair)


def contrast(a: str, b: str) -> float:
    """Of two colours as WCAG 2.2 defines it, written again."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, bright = sorted([light(a), light(b)])
    return (bright + 0.05) / (dark + 0.05)


def test_cells_say_their_value_where_they_stand_and_the_diagonal_says_none():
    figure = drawn()
    written = {(note.y, note.x): note.text for note in figure.layout.annotations}
    assert written == {
        (0, 1): "3.0 01", (0, 2): "5.0 02", (1, 0): "3.0 10", (1, 2): "4.0 12", (2, 0): "5.0 20", (2, 1): "4.0 21",
    }  # fmt: skip
    assert np.isnan(np.diag(figure.data[0].z)).all()
    assert (figure.data[0].zmin, figure.data[0].zmax) == (3.0, 5.0)
    assert list(figure.layout.xaxis.ticktext) == list(figure.layout.yaxis.ticktext)
    assert tuple(figure.layout.yaxis.range) == (2.5, -0.5)  # the first row is above


def test_the_point_of_each_cell_carries_its_number_and_its_words():
    points = drawn().data[-1]
    for row in range(3):
        for column in range(3):
            place = list(points.customdata).index(3 * row + column)
            assert (points.y[place], points.x[place]) == (row, column)
            names = [NAMES[row], NAMES[column]]
            assert points.text[place] == " &amp; ".join(n.replace("<", "&lt;").replace(">", "&gt;") for n in names)
    assert points.marker.opacity == points.selected.marker.opacity == points.unselected.marker.opacity == 0
    assert drawn().layout.hoverdistance == -1  # wherever in the cell


def test_emotions_keep_their_colour_and_shape_on_the_diagonal_and_words_are_text():
    figure = drawn()
    marks = figure.data[1].marker
    assert list(marks.color)[::2] == [emotions.EMOTIONS[name].colour for name in ("anger", "sadness")]
    assert list(marks.symbol)[::2] == [emotions.EMOTIONS[name].symbol for name in ("anger", "sadness")]
    assert figure.layout.xaxis.ticktext[1] == "&lt;b&gt;own&lt;/b&gt;"


def test_the_pair_in_hand_is_framed_both_ways():
    assert drawn().layout.shapes == ()
    centres = {((box.y0 + box.y1) / 2, (box.x0 + box.x1) / 2) for box in drawn(pair=(0, 2)).layout.shapes}
    assert centres == {(0, 2), (2, 0)}


def test_colours_run_along_the_scale_as_plotly_mixes_them():
    assert plot.colour(2.0, 0.0, 4.0) == SEQUENTIAL[2]
    ends = [[int(step[at : at + 2], 16) for at in (1, 3, 5)] for step in SEQUENTIAL[:2]]
    half = [int(plot.colour(0.5, 0.0, 4.0)[at : at + 2], 16) for at in (1, 3, 5)]
    assert np.abs(np.mean(ends, axis=0) - half).max() <= 0.5
    scale = drawn().data[0].colorscale
    assert [step[1] for step in scale] == list(SEQUENTIAL)


@pytest.mark.parametrize("value", np.linspace(0, 1, 41))
def test_values_can_be_read_on_every_colour(value):
    background = plot.colour(value, 0.0, 1.0)
    assert contrast(background, plot.ink(background)) >= 4.5
    other = next(ink for ink in plot.INKS if ink != plot.ink(background))
    assert contrast(background, plot.ink(background)) >= contrast(background, other)


def test_two_emotions_have_one_distance():
    figure = drawn(names=["anger", "sadness"], values=np.array([[0.0, 2.0], [2.0, 0.0]]))
    assert [note.text for note in figure.layout.annotations] == ["2.0 01", "2.0 10"]
    assert figure.layout.annotations[0].font.color == plot.ink(SEQUENTIAL[0])
    assert figure.data[0].zmax > figure.data[0].zmin
