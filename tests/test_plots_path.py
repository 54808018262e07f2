"""A clip's path in pictures: every window where its numbers say, gaps where it has none, time in its own colours."""

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from ser_core import emotions
from ser_core.geometry.projection import Projection, Scaler
from ser_core.maps import Map, View
from ser_core.plots import colours
from ser_core.plots import path as plots

W = 9
SECONDS = np.stack([0.5 * np.arange(W), 0.5 * np.arange(W) + 2], axis=1)
MIDDLE = 0.5 * np.arange(W) + 1
LENGTH = 6.0
RANDOM = np.random.default_rng(5)
POINTS = RANDOM.normal(size=(W, 3)).astype(np.float32)
AFFECT = RANDOM.uniform(-1, 1, (W, 2))
POINTS[[3, 4]] = np.nan
AFFECT[[3, 4]] = np.nan
NEAREST = ["anger", "anger", "sadness", "", "", "sadness", "neutral", "neutral", "anger"]
HOSTILE = "<a href=x>look</a>"
LIMITS = (-1.5, 1.5, -1.25, 1.25)


def through(n_components: int, word: str = "anger") -> go.Figure:
    clips = pd.DataFrame({"emotion": [word] * 6 + ["sadness"] * 6})
    xyz = np.random.default_rng(0).normal(size=(12, n_components)).astype(np.float32)
    near, far = np.zeros((12, 1), np.int32), np.zeros((12, 1), np.float32)
    scaler = Scaler(np.zeros(n_components), np.ones(n_components))
    view = View(0, "pca", n_components, "centre", 0)
    drawn = Map(view, Projection(xyz, np.array([0.5, 0.25, 0.125])), near, far, None, scaler)
    colouring = colours.colouring(clips, "emotion", common=False)
    points = POINTS[:, :n_components]
    return plots.through_map(drawn, colouring, points, seconds=SECONDS, rows=np.arange(0, 12, 2, dtype=np.int32))


def of(figure: go.Figure, meta: str) -> list:
    return [trace for trace in figure.data if trace.meta == meta]


def xyz(trace, n: int) -> np.ndarray:
    return np.stack([np.asarray(trace[axis], float) for axis in "xyz"[:n]], axis=1)


@pytest.mark.parametrize("n", [2, 3])
def test_every_window_lies_on_the_map_where_it_landed_in_the_colour_of_its_time(n):
    figure = through(n)
    (line,), (dots,), (ends,) = of(figure, "path"), of(figure, "windows"), of(figure, "ends")
    for trace in (line, dots):
        np.testing.assert_allclose(xyz(trace, n), POINTS[:, :n])
        assert type(trace) is (go.Scattergl if n == 2 else go.Scatter3d)
    assert line.connectgaps is None  # silence is no straight way
    np.testing.assert_allclose(dots.marker.color, MIDDLE)
    assert (dots.marker.cmin, dots.marker.cmax) == (0, 6.0)
    assert dots.text[2] == "1.0 to 3.0 s"
    np.testing.assert_allclose(xyz(ends, n), POINTS[[0, -1], :n])
    assert list(ends.marker.symbol) == ["circle", "square"]
    notes = figure.layout.annotations if n == 2 else figure.layout.scene.annotations
    assert [note.text for note in notes] == ["<b>start</b>", "<b>end</b>"]
    np.testing.assert_allclose([[note.x, note.y] for note in notes], POINTS[[0, -1], :2])


@pytest.mark.parametrize("n", [2, 3])
def test_the_corpus_is_faint_silent_and_named_in_its_own_colour(n):
    figure = through(n)
    faint = [trace for trace in figure.data if trace.marker.opacity == plots.BACKDROP]
    assert [len(trace.x) for trace in faint] == [3, 3]
    assert {trace.hoverinfo for trace in faint} == {"skip"}
    assert not any(trace.showlegend for trace in faint)
    named = [trace for trace in figure.data if trace.meta is None and trace not in faint]
    assert [trace.name for trace in named] == ["anger", "sadness"]
    for trace, clips in zip(named, faint, strict=True):
        assert trace.legendgroup == clips.legendgroup == trace.name
        assert trace.marker.color == emotions.style(trace.name).colour
        assert trace.marker.opacity == 1
        assert list(trace.x) == [None]


def test_words_of_files_are_text():
    text = json.dumps(through(2, HOSTILE).to_plotly_json(), default=lambda array: array.tolist())
    assert "<a" not in text
    assert "&lt;a href" in text
    strip = plots.against_time(
        None, seconds=SECONDS, length=LENGTH, half_widths=None, nearest=[HOSTILE] * W
    ).to_plotly_json()
    assert "<a" not in json.dumps(strip, default=lambda array: array.tolist())


def test_the_plane_has_the_circle_the_path_and_what_is_in_sight():
    figure = plots.over_plane(AFFECT, seconds=SECONDS, limits=LIMITS)
    (dots,) = of(figure, "windows")
    np.testing.assert_allclose(xyz(dots, 2), AFFECT, atol=1e-6)
    assert f"valence {AFFECT[0, 0]:.2f}, arousal {AFFECT[0, 1]:.2f}" in dots.text[0]
    circle = figure.data[0]
    np.testing.assert_allclose(np.hypot(circle.x, circle.y), 1)
    assert "happy" in of(figure, "russell")[0].text
    assert (*figure.layout.xaxis.range, *figure.layout.yaxis.range) == LIMITS
    assert figure.layout.yaxis.scaleanchor == "x"


def test_valence_and_arousal_stand_at_the_middles_of_windows_with_their_own_band():
    figure = plots.against_time(AFFECT, seconds=SECONDS, length=LENGTH, half_widths=(0.5, 0.25), nearest=NEAREST)
    arousal, valence = of(figure, "windows")
    for trace, values, name, width, axis in (
        (arousal, AFFECT[:, 1], "arousal", 0.25, figure.layout.yaxis),
        (valence, AFFECT[:, 0], "valence", 0.5, figure.layout.yaxis2),
    ):
        np.testing.assert_allclose(trace.x, MIDDLE)
        np.testing.assert_allclose(trace.y, values, atol=1e-6)
        assert trace.text[1] == f"0.5 to 2.5 s<br>{name} {values[1]:.2f}"
        assert axis.title.text.startswith(f"<b>{name}</b>")
        assert axis.range == figure.layout.yaxis.range  # one scale for both
        assert axis.range[0] < min(-1, np.nanmin(values) - width)
        assert axis.range[1] > max(1, np.nanmax(values) + width)
    for band, values, width in zip(of(figure, "band"), AFFECT.T[::-1], (0.25, 0.5), strict=True):
        breaks = [number for number, value in enumerate(band.y) if value is None or np.isnan(value)]
        assert breaks == [7, 17]  # 3 windows up, 3 back, closed; then 4, after the silence
        first = values[:3]
        expected = [*(first + width), *(first[::-1] - width), first[0] + width]
        np.testing.assert_allclose(np.array(band.y[:7], float), expected)
        np.testing.assert_allclose(np.array(band.x[8:12], float), MIDDLE[5:])
        assert band.fill == "toself"
    assert figure.layout.xaxis.range == (0, LENGTH)


def test_the_strip_says_which_emotion_is_nearest_and_covers_the_time_between():
    figure = plots.against_time(AFFECT, seconds=SECONDS, length=LENGTH, half_widths=None, nearest=NEAREST)
    bars = of(figure, "nearest")
    assert {bar.name for bar in bars} == {"anger", "sadness", "neutral"}
    covered = []
    for bar in bars:
        assert bar.marker.color == emotions.style(bar.name).colour
        at = [NEAREST[round((x - 1) / 0.5)] for x in bar.x]
        assert set(at) == {bar.name}
        covered += [(x - w / 2, x + w / 2) for x, w in zip(bar.x, bar.width, strict=True)]
    covered = np.array(sorted(covered))
    np.testing.assert_allclose(covered[:, 0], np.delete(MIDDLE, [3, 4]) - 0.25)
    np.testing.assert_allclose(covered[:, 1], np.delete(MIDDLE, [3, 4]) + 0.25)
    assert not of(figure, "band")


def test_uneven_windows_meet_half_way():
    seconds = np.array([[0.0, 2.0], [1.0, 3.0], [1.5, 3.5]])
    figure = plots.against_time(None, seconds=seconds, length=3.5, half_widths=None, nearest=["anger"] * 3)
    (bar,) = of(figure, "nearest")
    np.testing.assert_allclose(np.array(bar.x) - np.array(bar.width) / 2, [0.5, 1.5, 2.25])
    np.testing.assert_allclose(np.array(bar.x) + np.array(bar.width) / 2, [1.5, 2.25, 2.75])
    assert not of(figure, "windows")


@pytest.mark.parametrize(("length", "title", "ticks"), [(6, "time (s)", "2.5"), (600, "time (min:s)", "2:00")])
def test_long_clips_have_minutes(length, title, ticks):
    figure = plots.against_time(AFFECT, seconds=SECONDS, length=length, half_widths=None, nearest=None)
    last = figure.layout.xaxis2
    assert last.title.text == title
    assert ticks in last.ticktext
    assert 5 <= len(last.tickvals) <= 13


def test_one_window_alone_and_none_at_all_are_drawn():
    alone = np.full((W, 2), np.nan)
    alone[2] = 0.3
    figure = plots.over_plane(alone, seconds=SECONDS, limits=LIMITS)
    assert len(of(figure, "ends")[0].x) == 1
    nowhere = np.full((W, 2), np.nan)
    figure = plots.against_time(nowhere, seconds=SECONDS, length=LENGTH, half_widths=(1, 1), nearest=[""] * W)
    assert all(len(band.x) == 0 for band in of(figure, "band"))
    assert not of(figure, "nearest")
    assert not plots.over_plane(nowhere, seconds=SECONDS, limits=LIMITS).layout.annotations


def test_time_has_no_emotions_colour():
    steps, taken = [_oklab(colour) for colour in plots.TIME], [_oklab(one.colour) for one in emotions.EMOTIONS.values()]
    assert min(np.linalg.norm(step - other) for step in steps for other in taken) > 0.08
    lightness = [step[0] for step in steps]
    assert np.diff(lightness).min() > 0.09


def _oklab(colour: str) -> np.ndarray:
    """Ottosson 2020, from sRGB."""
    rgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = np.array([[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696],
                      [0.08830246, 0.28171884, 0.62997870]]) @ linear  # fmt: skip
    return np.array([[0.21045426, 0.79361779, -0.00407205], [1.97799850, -2.42859221, 0.45059371],
                     [0.02590404, 0.78277177, -0.80867577]]) @ np.cbrt(cones)  # fmt: skip
