"""Pictures of Russell's circle: every trace where its numbers say."""

import numpy as np
import pytest

from ser_core import emotions
from ser_core.geometry.circumplex import circle
from ser_core.geometry.russell import ANCHORS, reference, russell
from ser_core.plots import circumplex as plots

NAMES = ("happiness", "anger", "sadness", "neutral", "calm")
ANGLES = {"happiness": 20.0, "anger": 110.0, "sadness": 200.0, "neutral": 250.0, "calm": 300.0}


@pytest.fixture
def found():
    random = np.random.default_rng(3)
    points, labels, speakers = [], [], []
    for name, angle in ANGLES.items():
        middle = 4 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        for speaker in "abcd":
            points.extend(middle + random.normal(0, 0.6, (5, 2)))
            labels += [name] * 5
            speakers += [speaker] * 5
    return circle(np.array(points), labels, speakers, alignment=None, n_resamples=50, seed=0)


def of(figure, meta):
    return [trace for trace in figure.data if trace.meta == meta]


def degrees(x, y):
    return np.degrees(np.arctan2(np.asarray(y, float), np.asarray(x, float))) % 360


def apart(a, b):
    return np.abs((np.asarray(a) - b + 180) % 360 - 180)


def test_emotions_stand_at_their_angles_and_radii_in_their_colours(found):
    figure = plots.rings(found)
    middles = of(figure, "middle")
    assert [trace.name for trace in middles] == list(found.names)
    for k, trace in enumerate(middles):
        assert apart(degrees(trace.x, trace.y)[0], found.polar.angle[k]) < 1e-9
        size = np.hypot(trace.x[0], trace.y[0])
        assert size == pytest.approx(0.8 * found.polar.radius[k] / found.polar.radius.max(), abs=1e-9)
        assert trace.marker.color == emotions.style(found.names[k]).colour
        assert trace.marker.symbol == emotions.style(found.names[k]).symbol
    assert sorted(note.text for note in figure.layout.annotations) == sorted(f"<b>{name}</b>" for name in NAMES)


def test_arcs_are_the_intervals_and_lines_lead_to_russell(found):
    lines = [trace for trace in plots.rings(found).data if trace.mode == "lines" and trace.line.width != 1.5]
    arcs = [trace for trace in lines if trace.line.dash is None]
    ways = [trace for trace in lines if trace.line.dash == "dot"]
    assert len(arcs) == len(NAMES)
    assert len(ways) == len(NAMES) - 1  # neutral leads nowhere
    for k, arc in enumerate(arcs):
        at = degrees(arc.x, arc.y)
        assert apart(at[[0, -1]], found.angle_95[k] % 360).max() < 1e-9
        assert np.ptp(np.hypot(arc.x, arc.y)) < 1e-12
    known = [k for k, name in enumerate(found.names) if name != "neutral"]
    for way, k in zip(ways, known, strict=True):
        assert np.hypot(way.x[-1], way.y[-1]) == pytest.approx(1)
        assert apart(degrees(way.x, way.y)[-1], reference(found.names[k])) < 1e-9
        assert np.ptp(np.unwrap(np.arctan2(way.y, way.x))) <= np.pi + 1e-9  # the short way round


def test_no_arcs_without_intervals():
    points = np.array([[1.0, 0], [0, 1], [-1, -0.2], [0, -1]])
    alone = circle(
        points, ["happiness", "anger", "sadness", "wistful"], ["a"] * 4, alignment=None, n_resamples=5, seed=0
    )
    figure = plots.rings(alone)
    assert not [trace for trace in figure.data if trace.mode == "lines" and trace.line.width == 7]
    assert "<b>wistful</b>" in [note.text for note in figure.layout.annotations]


def test_the_28_words_stand_at_their_angles_and_their_labels_apart():
    figure = plots.words(russell())
    (marks,) = of(figure, "words")
    assert apart(degrees(marks.x, marks.y), [word.angle for word in russell()]).max() < 1e-9
    np.testing.assert_allclose(np.hypot(marks.x, marks.y), 1)
    (printed,) = of(figure, "published")
    assert apart(degrees(printed.x, printed.y), [word.published for word in russell()]).max() < 1e-9
    by_agreement = np.argsort([word.agreement for word in russell()])
    assert (np.diff(np.array(marks.marker.size)[by_agreement]) >= 0).all()
    (names,) = of(figure, "names")
    assert list(names.text) == [word.word for word in russell()]
    spots = np.column_stack([names.x, names.y])
    for side in (spots[:, 0] >= 0, spots[:, 0] < 0):
        assert np.diff(np.sort(spots[side, 1])).min() >= 0.088 - 1e-9
    assert np.abs(spots[:, 1]).max() < figure.layout.yaxis.range[1]
    assert np.hypot(*spots.T).min() > 1.05
    colours = dict(zip(names.text, marks.marker.color, strict=True))
    assert all(colours[word] == emotions.style(name).colour for name, word in ANCHORS.items())


def test_labels_move_no_more_than_they_must():
    free = np.array([10.0, 40.0, 80.0, 200.0])
    ideal = np.column_stack([np.cos(np.radians(free)), np.sin(np.radians(free))])
    np.testing.assert_allclose(plots._staggered(free, away=1.0, gap=0.1), ideal, atol=1e-12)
    pair = plots._staggered(np.array([0.0, 0.0]), away=1.0, gap=0.1)
    np.testing.assert_allclose(np.sort(pair[:, 1]), [-0.05, 0.05], atol=1e-12)


def test_clips_carry_their_row_and_the_one_in_hand_a_ring():
    placed = np.array([[0.1, 0.2], [0.5, -0.5], [-0.4, 0.9], [2.0, 2.0]])
    rows = np.array([7, 3, 11, 20], np.int32)
    texts = ["a", "b", "<i>c</i>", "d"]
    labels = ["anger", "calm", "anger", "calm"]
    limits = (-1.5, 2.2, -1.3, 2.2)
    figure = plots.plane(placed, labels, rows=rows, texts=texts, limits=limits, in_hand=11, height=400)
    clouds = [trace for trace in figure.data if trace.customdata is not None]
    seen = {int(row): (x, y) for trace in clouds for row, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)}
    assert seen == {int(row): tuple(point) for row, point in zip(rows, placed, strict=True)}
    assert [trace.marker.color for trace in clouds] == [emotions.style(name).colour for name in ("anger", "calm")]
    assert "&lt;i&gt;c&lt;/i&gt;" in [text for trace in clouds for text in trace.text]
    middles = {trace.name: (trace.x[0], trace.y[0]) for trace in of(figure, "middle")}
    assert middles["anger"] == pytest.approx(tuple(placed[[0, 2]].mean(axis=0)))
    (ring,) = of(figure, "in hand")
    assert (ring.x[0], ring.y[0]) == tuple(placed[2])
    assert figure.layout.yaxis.scaleanchor == "x"
    assert tuple(figure.layout.xaxis.range + figure.layout.yaxis.range) == limits
    nobody = plots.plane(placed, labels, rows=rows, texts=texts, limits=limits, in_hand=None, height=400)
    assert len(of(nobody, "in hand")[0].x) == 0


def test_labels_of_middles_on_one_spot_do_not_cover_each_other():
    spots = np.array([[0.0, 0.0], [0.01, 0.0], [0.0, 0.01]])
    sides = plots._sides(spots, ["anger", "fear", "disgust"], unit=0.005)
    assert len(set(sides)) == 3
