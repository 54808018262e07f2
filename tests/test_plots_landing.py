"""Pictures of clips that land: what is drawn, where, and that names stay text."""

import numpy as np
import pytest

from ser_core.plots import circumplex
from ser_core.plots import landing as plots
from ser_core.plots.landing import Own

NAME = "<b>mine</b>.wav"
SHOWN = "&lt;b&gt;mine&lt;/b&gt;.wav"
PLACED = np.array([[0.5, 0.5], [-0.5, -0.2], [-0.6, 0.4], [0.4, -0.3]])
LABELS = ["happiness", "sadness", "sadness", "calm"]


def drawn(hand=None, others=(), ellipse=None):
    rows, texts = np.arange(10, 14, dtype=np.int32), ["a", "b", "c", "d"]
    how = {"hand": hand, "others": list(others), "ellipse": ellipse, "height": 500}
    return plots.plane(PLACED, LABELS, rows=rows, texts=texts, **how)


def of(traces, meta: str):
    return next(trace for trace in traces if trace.meta == meta)


@pytest.mark.parametrize("n", [2, 3])
def test_the_clip_in_hand_has_lines_to_its_nearest(n):
    here, near = np.arange(n, dtype=np.float32), np.arange(4 * n, dtype=np.float32).reshape(4, n) + 5
    ways, rest, clip = plots.on_map(Own(NAME, here), [], near=near)
    for axis in range(n):
        line = ways["at"][axis]
        assert line[::3] == [here[axis]] * 4
        assert line[1::3] == near[:, axis].tolist()
        assert line[2::3] == [None] * 4
        assert clip["at"][axis] == [here[axis]]
        assert rest["at"][axis] == [None]  # no other clips
    assert clip["text"] == [SHOWN]
    assert [part["legend"] for part in (ways, rest, clip)] == [False, False, True]


@pytest.mark.parametrize("n", [2, 3])
def test_a_map_has_an_empty_trace_for_each_part(n):
    traces = plots.over_map(n)
    nothing = plots.on_map(None, [], near=np.zeros((0, n)))
    assert [trace.meta for trace in traces] == [part["meta"] for part in nothing]
    for trace, part in zip(traces, nothing, strict=True):
        assert np.isnan([trace[axis][0] for axis in "xyz"[:n]]).all()
        assert trace.showlegend is False
        assert trace.type == ("scattergl" if n == 2 else "scatter3d")  # in another layer the corpus would cover it
        assert trace.customdata is None  # a click takes clips of the corpus alone
        assert (part["at"], part["text"], part["legend"]) == ([[None]] * n, [], False)
    assert traces[0].hoverinfo == "skip"


def test_other_clips_are_smaller_and_under_the_one_in_hand():
    others = [Own("one", np.zeros(2)), Own("two", np.ones(2))]
    _, rest, clip = plots.on_map(Own(NAME, np.ones(2)), others, near=np.zeros((0, 2)))
    assert rest["text"] == ["one", "two"]
    assert rest["at"] == [[0.0, 1.0], [0.0, 1.0]]
    _, below, above = plots.over_map(2)
    assert (below.meta, above.meta) == (rest["meta"], clip["meta"])
    assert below.marker.size < above.marker.size
    assert below.marker.color != above.marker.color


def test_ones_own_clips_stand_out_on_both_themes():
    """White with a dark edge: one of them differs from any background by a lightness of half the scale or more."""
    inks = [(plots.WHITE, plots.DARK), (plots.OTHERS, plots.DARK)]
    for fill, edge in inks:
        light, dark = (int(ink[1:3], 16) / 255 for ink in (fill, edge))
        assert light - dark > 0.5


def test_the_arrow_points_at_the_clip():
    arrow = plots.pointer(Own(NAME, np.array([1.0, 2.0, 3.0])))
    assert (arrow["x"], arrow["y"], arrow["z"]) == (1.0, 2.0, 3.0)


def test_the_plane_has_faint_clips_and_the_ellipse():
    angle = np.linspace(0, 2 * np.pi, 50)
    ellipse = np.column_stack([0.2 + np.cos(angle), 0.1 + np.sin(angle)])
    figure = drawn(Own(NAME, np.array([0.2, 0.1])), [Own("b", np.array([-0.2, 0.3]))], ellipse)
    clouds = [trace for trace in figure.data if trace.type == "scattergl" and trace.meta is None]
    assert sorted(row for cloud in clouds for row in cloud.customdata) == [10, 11, 12, 13]
    assert {cloud.marker.opacity for cloud in clouds} == {plots.FAINT}
    assert {cloud.unselected.marker.opacity for cloud in clouds} == {plots.FAINT}
    assert len([trace for trace in figure.data if trace.meta == "middle"]) == 3
    edge = of(figure.data, "ellipse")
    assert np.array_equal(np.column_stack([edge.x, edge.y]), ellipse)
    assert edge.fill == "toself"
    clip = of(figure.data, plots.HAND)
    assert (clip.x[0], clip.y[0], clip.text[0]) == (0.2, 0.1, SHOWN)
    assert clip.type == clouds[0].type
    assert of(figure.data, plots.OTHER).x[0] == -0.2
    assert figure.layout.yaxis.scaleanchor == "x"
    assert not any(trace.showlegend for trace in figure.data)


def test_all_of_ones_own_is_in_sight():
    ellipse = np.array([[4.0, 0.0], [3.0, -3.0]])
    figure = drawn(Own("a", np.array([3.5, 0.2])), [Own("b", np.array([-2.5, 2.0]))], ellipse)
    (left, right), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
    assert left < -2.5
    assert right > 4
    assert low < -3
    assert high > 2
    assert tuple(drawn().layout.xaxis.range) == (-plots.USUAL[0], plots.USUAL[0])


def test_without_a_clip_or_a_region_there_is_neither():
    metas = {trace.meta for trace in drawn().data}
    assert not metas & {plots.HAND, plots.OTHER, "ellipse"}


def test_the_backgrounds_are_clear():
    figure = drawn(Own("a", np.zeros(2)))
    assert (figure.layout.paper_bgcolor, figure.layout.plot_bgcolor) == ("rgba(0,0,0,0)", "rgba(0,0,0,0)")
    assert figure.layout.height == 500
    assert plots.LINE == circumplex.LINE
