import json

import numpy as np
import pandas as pd
import pytest

from ser_core.emotions import EMOTIONS
from ser_core.plots import colours, tone
from ser_core.plots import timeline as plots
from ser_core.timeline import BANDWIDTH, QUADRANTS, REACH, Timeline, timeline

HOSTILE = "<a href='javascript:alert(1)'>x</a>"
TIMES = pd.DatetimeIndex(  # a day with six clips, one with two, a gap of two days, one with five
    [f"2026-03-02 {hour:02d}:00" for hour in (0, 6, 9, 12, 18, 23)]
    + ["2026-03-03 08:00", "2026-03-03 20:30"]
    + [f"2026-03-06 {hour:02d}:15" for hour in (7, 8, 9, 10, 11)]
)
POINTS = np.random.default_rng(4).normal([0.2, -0.1], 0.4, size=(len(TIMES), 2))
POINTS[1] = (0.3, 2.5)  # beyond the edge
DAYS = [np.arange(6), np.arange(6, 8), np.arange(8, 13)]
MEMBERS = [np.arange(13), *DAYS]
NAMES = ["whole period", "2026-03-02", "2026-03-03", "2026-03-06"]


def result(period="day") -> Timeline:
    return timeline(POINTS, TIMES, person="Ada", period=period, seed=1)


def emotions() -> colours.Colouring:
    words = ["anger", "sadness", "unknown", *["anger"] * 10]
    return colours.colouring(pd.DataFrame({"emotion": words}), "emotion", common=False)


def plane(*, first=0, colouring=None, labels=None):
    one = result()
    return plots.plane(
        (one.whole, *one.spans),
        MEMBERS,
        POINTS,
        colouring=colouring or emotions(),
        names=NAMES,
        grid=one.grid,
        labels=labels or [f"clip {number}" for number in range(13)],
        rows=np.arange(13) + 100,
        first=first,
    )


def test_every_span_is_a_frame_on_one_scale():
    found = plane()
    one = result()
    peak = max(span.density.max() for span in (one.whole, *one.spans))
    assert [frame.name for frame in found.frames] == NAMES
    assert (found.data[0].zmin, found.data[0].zmax) == (0, 255)
    for frame, span in zip(found.frames, (one.whole, *one.spans), strict=True):
        heat = frame.data[0]
        assert heat.z.dtype == np.uint8
        np.testing.assert_allclose(heat.z / 255 * peak, span.density, atol=peak / 500)
    assert max(frame.data[0].z.max() for frame in found.frames) == 255
    assert min(frame.data[0].z.max() for frame in found.frames) < 250


def test_a_lone_clip_would_be_a_round_hill_of_the_bandwidth():
    one = timeline(np.zeros((1, 2)), TIMES[:1], person="Ada", period="day", seed=1)
    found = plots.plane(
        (one.whole,), [np.arange(1)], np.zeros((1, 2)),
        colouring=plots.by_hour(TIMES[:1]), names=["whole"], grid=one.grid, labels=["x"], rows=np.arange(1), first=0,
    )  # fmt: skip
    z, x = found.data[0].z, found.data[0].x
    middle = len(x) // 2
    expected = 255 * np.exp(-0.5 * (np.asarray(x, float) / BANDWIDTH) ** 2)
    np.testing.assert_allclose(z[middle], expected, atol=0.6)
    np.testing.assert_array_equal(z, z.T)


def test_every_frame_has_its_own_clips_with_their_rows():
    for frame, members in zip(plane().frames, MEMBERS, strict=True):
        dots = frame.data[1]
        assert dots.customdata.tolist() == (members + 100).tolist()
        assert [text.split("<br>")[0] for text in dots.text] == [f"clip {number}" for number in members]
        inside = np.abs(POINTS[members]).max(axis=1) < REACH
        np.testing.assert_allclose(np.stack([dots.x, dots.y], 1)[inside], POINTS[members][inside], atol=1e-6)
        assert frame.traces == (0, 2)


def test_a_clip_beyond_the_edge_is_drawn_at_it_and_tells_its_place():
    dots = plane().data[2]
    assert 1.4 < dots.y[1] < REACH
    assert dots.x[1] == pytest.approx(0.3)
    assert "valence 0.30, arousal 2.50 (beyond the edge)" in dots.text[1]
    assert "beyond" not in dots.text[0]


def test_emotions_keep_colour_and_shape_and_are_named_once():
    found = plane()
    marker = found.data[2].marker
    assert marker.color[:2].tolist() == [EMOTIONS["anger"].colour, EMOTIONS["sadness"].colour]
    assert marker.symbol[:3].tolist() == ["square", "diamond-open", "circle-open"]
    assert marker.line.color[1] == EMOTIONS["sadness"].colour  # an open shape is all outline
    assert [trace.name for trace in found.data[3:]] == ["anger", "sadness", colours.NOT_GIVEN]
    day = found.frames[2].data[1].marker
    assert len(day.color) == len(day.symbol) == 2


def test_without_labels_the_time_of_day_colours():
    found = plots.by_hour(TIMES)
    np.testing.assert_allclose(found.values, TIMES.hour + TIMES.minute / 60)
    marker = plane(colouring=found).data[2].marker
    assert (marker.cmin, marker.cmax) == (0, 24)
    assert marker.colorscale[0][1] == marker.colorscale[-1][1]  # midnight is midnight
    assert plane(colouring=found).frames[2].data[1].marker.color.tolist() == [8.0, 20.5]
    (alike,) = plots.by_hour(TIMES.normalize()).categories
    assert alike.rows.tolist() == list(range(13))


def test_the_picture_opens_where_asked_and_the_slider_says_so():
    found = plane(first=2)
    (slider,) = found.layout.sliders
    assert slider.active == 2
    assert [step.label for step in slider.steps] == NAMES
    assert found.data[2].customdata.tolist() == [106, 107]
    np.testing.assert_array_equal(found.data[0].z, found.frames[2].data[0].z)
    assert [button.label for button in found.layout.updatemenus[0].buttons] == ["Play", "Pause"]


def test_the_plane_is_russells():
    found = plane()
    assert found.layout.yaxis.scaleanchor == "x"
    (circle,) = found.layout.shapes
    assert (circle.x0, circle.y0, circle.x1, circle.y1) == (-1, -1, 1, 1)
    words = found.data[1]
    angles = np.degrees(np.arctan2(words.y, words.x)) % 360
    at = dict(zip(words.text, angles, strict=True))
    assert at["happy"] == pytest.approx(7.8, abs=0.05)  # as the paper prints them
    assert at["astonished"] == pytest.approx(69.8, abs=0.05)
    assert at["calm"] == pytest.approx(316.2, abs=0.05)
    assert np.ptp(np.hypot(words.x, words.y)) < 1e-9


def test_words_of_files_are_text():
    words = colours.colouring(pd.DataFrame({"emotion": [HOSTILE] * 6 + ["joy"] * 7}), "emotion", common=False)
    found = plane(colouring=words, labels=[HOSTILE] * 13)
    text = json.dumps(found.to_plotly_json(), default=lambda array: array.tolist())
    assert "<a" not in text
    assert "&lt;a href" in text


def test_a_frame_costs_few_bytes():
    found = plane()
    whole = len(found.to_json())
    found.frames = found.frames[:1]
    assert (whole - len(found.to_json())) / 3 < 6000


def test_days_without_clips_are_gaps_in_the_lines():
    one, found = result(), tone.lines(result())
    intensity, dispersion, valence, arousal = found.data[2:]
    days = pd.DatetimeIndex(intensity.x)
    assert list(days) == list(pd.date_range("2026-03-02", "2026-03-06"))
    for line, values in (
        (intensity, [span.intensity for span in one.spans]),
        (dispersion, [span.dispersion for span in one.spans]),
        (valence, [span.centre[0] for span in one.spans]),
        (arousal, [span.centre[1] for span in one.spans]),
    ):
        assert line.connectgaps is None
        assert [value is None or np.isnan(value) for value in line.y] == [False, False, True, True, False]
        np.testing.assert_allclose([line.y[0], line.y[1], line.y[4]], values)
    assert "2 clips" in intensity.text[1]
    assert "95 %" not in intensity.text[1]  # too few for an interval
    assert f"95 %: {one.spans[0].intensity_95[0]:.2f} to" in intensity.text[0]


def test_bands_break_where_there_is_no_interval():
    band, one = tone.lines(result()).data[0], result()
    breaks = [number for number, value in enumerate(band.y) if value is None or np.isnan(value)]
    assert len(breaks) == 2  # the first day; the last day: the one between has too few clips
    low, high = one.spans[0].intensity_95
    assert set(band.y[: breaks[0]]) == {low, high}
    assert set(band.y[breaks[0] + 1 : breaks[1]]) == set(one.spans[2].intensity_95)
    assert {pd.Timestamp(day) for day in band.x[: breaks[0]]} == {pd.Timestamp("2026-03-02")}


def test_a_band_goes_up_and_comes_back():
    times = pd.DatetimeIndex(np.repeat(pd.date_range("2026-03-02", periods=3), 6))
    points = np.random.default_rng(1).normal(size=(18, 2))
    one = timeline(points, times, person="Ada", period="day", seed=1)
    band = tone.lines(one).data[0]
    lows, highs = zip(*(span.intensity_95 for span in one.spans), strict=True)
    assert list(band.y[:-1]) == [*highs, *reversed(lows), highs[0]]
    assert band.fill == "toself"


def test_weeks_go_by_sevens():
    times = pd.DatetimeIndex(["2026-03-02"] * 5 + ["2026-03-17"] * 5)
    one = timeline(POINTS[:10], times, person="Ada", period="week", seed=1)
    line = tone.lines(one).data[2]
    assert list(pd.DatetimeIndex(line.x)) == list(pd.DatetimeIndex(["2026-03-02", "2026-03-09", "2026-03-16"]))
    assert line.y[1] is None or np.isnan(line.y[1])


def test_quarters_are_stacked_shares():
    one, found = result(), tone.quadrants(result())
    assert found.layout.barmode == "stack"
    assert [bar.name for bar in found.data] == list(QUADRANTS)
    shares = np.array([[bar.y[day] for bar in found.data] for day in (0, 1, 4)], float)
    np.testing.assert_allclose(shares.sum(axis=1), 100)
    np.testing.assert_allclose(shares, [100 * span.quadrants for span in one.spans])
    assert all(bar.y[2] is None or np.isnan(bar.y[2]) for bar in found.data)
    low, high = 100 * one.spans[0].quadrants_95[3]
    assert f"(95 %: {low:.0f} to {high:.0f} %)" in found.data[3].text[0]
