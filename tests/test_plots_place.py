"""Pictures of placed clips and of two clips side by side, and what they are drawn from."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from ser_core import contrast, emotions, spectrogram, voice
from ser_core.plots import contrast as places
from ser_core.plots import emotions as profile
from ser_core.plots import spectra, unusual
from ser_core.plots.clip import RANGE_DB
from ser_core.voice import Deviation, Reference

NAMES = ["anger", "<b>own</b>", "sadness"]
TAG = "<b>x</b>"
ESCAPED = "&lt;b&gt;x&lt;/b&gt;"
ONE = profile.Told("", np.array([1.0, 2.0, 3.0]), np.array([0.7, 0.2, 0.1]))
TWO = [replace(ONE, label="A"), profile.Told("B", np.array([2.0, 1.0, 3.5]), np.array([0.1, 0.3, 0.6]))]


def tone(seconds: float, level: float, hertz: float = 440.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(16_000 * seconds)) / 16_000)).astype(np.float32)


def reference(n: int = 40) -> Reference:
    x = np.random.default_rng(0).normal(size=(n, 88))
    return Reference(x.mean(axis=0), x.std(axis=0), n, 0, None, None, np.sort(x, axis=0))


def seen_on_both_themes(figure) -> None:
    """Nothing is drawn in black, white or on a background of its own, except a letter on a colour of its own."""
    layout = figure.layout
    assert (layout.paper_bgcolor, layout.plot_bgcolor) == ("rgba(0,0,0,0)", "rgba(0,0,0,0)")
    parts = figure.to_plotly_json()
    parts["layout"].pop("template", None)
    notes = parts["layout"].get("annotations", ())
    parts["layout"]["annotations"] = [note for note in notes if note.get("bgcolor") != places.INK]
    drawn = json.dumps(parts, default=str)
    assert not re.search(r'"#(fff|000)(fff|000)?"|"(white|black)"', drawn)
    assert layout.height


def test_spectrograms_share_time_frequency_and_decibels():
    loud = spectrogram.mel_spectrogram(tone(2.0, 0.5))
    soft = spectrogram.mel_spectrogram(tone(0.7, 0.05))
    figure = spectra.stacked([TAG, "soft"], [loud, soft])
    first, second = figure.data
    assert first.coloraxis == second.coloraxis == "coloraxis"
    assert figure.layout.coloraxis.cmax == pytest.approx(loud.decibels.max())
    assert figure.layout.coloraxis.cmin == pytest.approx(loud.decibels.max() - RANGE_DB)
    for one, of in ((first, loud), (second, soft)):
        assert np.abs(one.z - of.decibels).max() <= 0.5
        assert np.array_equal(one.x, of.seconds)
    assert np.median(first.z.max(axis=0)) - np.median(second.z.max(axis=0)) == pytest.approx(20, abs=1)
    below = figure.layout.xaxis2
    assert tuple(figure.layout.xaxis.range) == tuple(below.range)
    assert figure.layout.xaxis.matches == "x2"
    assert below.range[0] == pytest.approx(0.0075)
    assert below.range[1] == pytest.approx(2.0, abs=0.02)  # the longer one: the other ends earlier
    assert tuple(figure.layout.yaxis.range) == tuple(figure.layout.yaxis2.range) == (-0.5, 63.5)
    assert figure.layout.yaxis.ticktext == figure.layout.yaxis2.ticktext
    assert [note.text for note in figure.layout.annotations] == [ESCAPED, "soft"]
    seen_on_both_themes(figure)


def test_a_single_spectrogram_and_those_that_cannot_share_an_axis():
    found = spectrogram.mel_spectrogram(tone(0.01, 0.2))
    assert len(spectra.stacked(["x"], [found]).data) == 1
    other = spectrogram.mel_spectrogram(tone(0.5, 0.2), n_bands=32)
    with pytest.raises(ValueError, match="different mel bands"):
        spectra.stacked(["x", "y"], [found, other])


def of(figure, meta: str):
    return [trace for trace in figure.data if trace.meta == meta]


def test_one_clip_has_a_point_and_a_bar_for_each_emotion_in_its_colour():
    figure = profile.profile(NAMES, [ONE])
    (points,), (bars,) = of(figure, "distance"), of(figure, "probability")
    assert list(points.x) == [1.0, 2.0, 3.0]
    assert list(bars.x) == pytest.approx([70, 20, 10])
    colours = [emotions.style(name).colour for name in NAMES]
    assert list(points.marker.color) == list(bars.marker.color) == colours
    assert list(points.marker.symbol) == [emotions.style(name).symbol for name in NAMES]
    assert list(bars.text) == ["70 %", "20 %", "10 %"]
    assert figure.layout.yaxis.ticktext[1] == "&lt;b&gt;own&lt;/b&gt;"
    assert tuple(figure.layout.yaxis.range) == (2.5, -0.5)  # the first row is above
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == pytest.approx(100 / 3)  # chance
    assert figure.layout.xaxis.range[0] == figure.layout.xaxis2.range[0] == 0
    seen_on_both_themes(figure)


def test_two_clips_have_their_letters_apart_and_a_line_between():
    figure = profile.profile(NAMES, TWO)
    a, b = of(figure, "distance")
    for row in range(3):
        sides = ["middle left", "middle right"] if a.x[row] < b.x[row] else ["middle right", "middle left"]
        assert [a.textposition[row], b.textposition[row]] == sides
    assert set(a.text) == {"A"}
    assert set(b.text) == {"B"}
    line = figure.data[0]
    assert list(line.x[:2]) == [1.0, 2.0]
    assert np.isnan(line.x[2])
    assert list(line.y[:3]) == [0, 0, 0]
    bars = of(figure, "probability")
    assert [one.marker.opacity for one in bars] == list(profile.PALE)
    assert [one.text[0] for one in bars] == ["A 70 %", "B 10 %"]


def test_what_is_not_known_is_not_drawn():
    only = profile.profile(NAMES, [replace(ONE, distances=None)])
    assert not of(only, "distance")
    assert len(of(only, "probability")) == 1
    assert len(profile.profile(NAMES, [ONE, replace(TWO[1], probabilities=None)]).data) == 4
    with pytest.raises(ValueError, match="nothing to draw"):
        profile.profile(NAMES, [profile.Told("", None, None)])
    with pytest.raises(ValueError, match="3 clips"):
        profile.profile(NAMES, [ONE] * 3)


def deviation(place: int, z: float, neutral: float | None = None) -> Deviation:
    return Deviation(voice.measures()[place], 12.345, z, 0.97, neutral)


def test_bars_stand_in_their_groups_and_tell_of_themselves():
    rng = np.random.default_rng(3)
    found = [deviation(place, float(z)) for place, z in enumerate(rng.normal(size=88))]
    found[0] = deviation(0, 2.6)
    figure = unusual.bars(found, against="corpus")
    (bars,) = figure.data
    by_name = {text.rsplit("<br>", 1)[1]: (x, y, ink) for x, y, text, ink in zip(
        bars.x, bars.y, bars.text, bars.marker.color, strict=True
    )}  # fmt: skip
    assert len(by_name) == 88
    groups = list(dict.fromkeys(one.measure.group for one in found))
    assert list(figure.layout.xaxis.ticktext) == groups
    for one in found:
        x, y, ink = by_name[one.measure.name]
        assert y == one.z
        assert ink == (unusual.LOUD if abs(one.z) >= 2 else unusual.QUIET)
        nearest = min(range(len(groups)), key=lambda k: abs(figure.layout.xaxis.tickvals[k] - x))
        same = [by_name[other.measure.name][0] for other in found if other.measure.group == one.measure.group]
        assert min(same) <= x <= max(same)
        if len(same) == 1:
            assert groups[nearest] == one.measure.group
    assert len(set(bars.x)) == 88
    first = next(text for text in bars.text if text.endswith(found[0].measure.name))
    assert first.startswith("<b>pitch, mean</b>: 12.3 semitones above 27.5 Hz<br>+2.6 SD from the mean of the corpus")
    assert "higher than 97 % of the corpus" in first
    seen_on_both_themes(figure)


def test_bars_against_neutral_leave_out_what_cannot_be_compared_and_stay_in_the_picture():
    found = [deviation(0, 0.1, -9.5), deviation(1, 0.2, float("nan")), deviation(2, 0.3)]
    figure = unusual.bars(found, against="neutral")
    assert list(figure.data[0].y) == [-9.5]
    assert "\u22129.5 SD from the mean of its neutral clips" in figure.data[0].text[0]
    assert figure.layout.yaxis.range == (-8.0, 8.0)
    assert unusual.bars(found, against="corpus").layout.yaxis.range == (-3.5, 3.5)


def test_two_clips_on_a_map_stand_out_of_the_faint_corpus():
    points = np.random.default_rng(1).normal(size=(30, 2))
    labels = ["anger", "sadness", "wistful"] * 10
    marks = [places.Mark("A", points[3], TAG), places.Mark("B", points[7], "b")]
    figure = places.on_map(points, labels, marks, axes=["PC 1", TAG])
    drawn = {trace.name: trace for trace in figure.data if trace.name}
    for name in ("anger", "sadness", "wistful"):
        rows = [row for row, label in enumerate(labels) if label == name]
        assert np.array_equal(drawn[name].x, points[rows, 0])
        assert np.array_equal(drawn[name].y, points[rows, 1])
        assert drawn[name].marker.color == emotions.style(name).colour
        assert drawn[name].marker.opacity < 0.5
    a, b = figure.layout.annotations
    assert (a.x, a.y, b.x, b.y) == (*points[3], *points[7])
    assert (a.text, b.text) == ("<b>A</b>", "<b>B</b>")
    assert a.hovertext == ESCAPED
    assert figure.layout.yaxis.scaleanchor == "x"
    assert figure.layout.yaxis.title.text == ESCAPED
    far = places.on_map(points, labels, [places.Mark("A", np.array([9.0, -9.0, 1.0]), "a")], axes=["1", "2"])
    assert far.layout.xaxis.range[1] > 9
    assert far.layout.yaxis.range[0] < -9
    assert far.layout.xaxis.range[0] < points[:, 0].min()
    seen_on_both_themes(figure)


def test_two_clips_on_the_plane_have_their_outlines_and_far_ones_are_in_sight():
    points = np.random.default_rng(1).normal(size=(12, 2)) * 0.3
    edge = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    marks = [places.Mark("A", np.array([0.2, -0.4]), "a", edge), places.Mark("B", np.array([2.5, 0.1]), "b")]
    figure = places.on_plane(points, ["anger", "sadness"] * 6, marks)
    letters = [note for note in figure.layout.annotations if note.name == "mark"]
    assert [(one.x, one.y) for one in letters] == [(0.2, -0.4), (2.5, 0.1)]
    outlines = [trace for trace in figure.data if trace.x is not None and len(trace.x) == 3 and trace.mode == "lines"]
    assert np.array_equal(np.column_stack([outlines[0].x, outlines[0].y]), edge)
    assert figure.layout.xaxis.range[1] > 2.5
    assert figure.layout.yaxis.range[0] == -places.SIDE
    pixels = (places.HEIGHT - 40) / np.ptp(figure.layout.yaxis.range)
    assert (-1.05 - figure.layout.xaxis.range[0]) * pixels >= places.WORD - 1e-9  # room for the words beside the circle
    assert figure.layout.yaxis.scaleanchor == "x"
    clouds = [trace for trace in figure.data if trace.customdata is not None]
    assert {trace.marker.opacity for trace in clouds} == {places.FAINT}
    seen_on_both_themes(figure)


def clips() -> pd.DataFrame:
    rows = [
        ("mine", "a", "ann", "joy", "strong"),
        ("mine", "a", "ann", "fear", "normal"),
        ("mine", "a", "ann", "fear", "strong"),
        ("mine", "a", "bob", "joy", "strong"),
        ("mine", "a", "unknown", "joy", "strong"),
        ("mine", "a", "bob", "fear", "strong"),
        ("mine", "b", "ann", "anger", "strong"),
        ("yours", "a", "ann", "anger", "strong"),
        ("mine", "", "ann", "joy", "strong"),
        ("mine", "a", "ann", "joy", "strong"),
    ]
    return pd.DataFrame(rows, columns=["corpus", "statement", "speaker", "emotion", "intensity"])


def test_partners_say_the_same_and_differ_in_one_thing():
    found = contrast.partners(clips(), 0)
    assert [(one.kind, one.differs, one.row) for one in found] == [
        ("other emotion", "fear", 2),
        ("other speaker", "bob", 3),
    ]
    assert [one.row for one in contrast.partners(clips(), 1) if one.kind == "other emotion"] == [0]
    assert contrast.partners(clips(), 6) == []  # nobody else says it
    assert contrast.partners(clips(), 8) == []  # nobody knows what was said
    assert contrast.partners(clips(), 4) == []  # nobody knows who said it
    assert contrast.partners(clips().drop(columns="statement"), 0) == []


def test_partners_without_further_columns_are_the_first():
    assert contrast.partners(clips().drop(columns="intensity"), 0)[0].row == 1


def test_random_pairs_are_of_different_clips_and_as_far_apart_as_pairs_are():
    x = np.random.default_rng(5).normal(size=(60, 4))
    found = contrast.apart(x, seed=0)
    every = np.sort(pdist(x))
    assert len(found) == 2000
    assert (np.diff(found) >= 0).all()
    nearest = np.abs(every[np.searchsorted(every, found).clip(0, len(every) - 1)] - found)
    before = np.abs(every[(np.searchsorted(every, found) - 1).clip(0)] - found)
    assert np.minimum(nearest, before).max() < 1e-9  # each is a distance of two of them
    assert np.quantile(found, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(every, [0.1, 0.5, 0.9]), rel=0.05)
    assert np.array_equal(found, contrast.apart(x, seed=0))
    assert not np.array_equal(found, contrast.apart(x, seed=1))
    assert len(contrast.apart(x[:1], seed=0)) == 0


def test_the_share_of_nearer_pairs():
    pairs = np.array([1.0, 2.0, 2.0, 5.0])
    assert [contrast.further(pairs, d) for d in (0.0, 2.0, 2.1, 9.0)] == [0.0, 0.25, 0.75, 1.0]
    assert np.isnan(contrast.further(np.empty(0), 1.0))


def test_differences_are_the_largest_of_each_family():
    usual = reference()
    a = np.zeros(88)
    b = np.random.default_rng(2).normal(size=88) * 3
    found = contrast.differences(usual, a, b)
    z = {one.name: (b[k] - a[k]) / usual.spread[k] for k, one in enumerate(voice.measures()) if not one.unstable}
    family = {one.name: one.family for one in voice.measures()}
    expected, seen = [], set()
    for name in sorted(z, key=lambda name: -min(abs(z[name]), 10)):
        if family[name] not in seen:
            seen.add(family[name])
            expected.append(name)
    assert [one.measure.name for one in found] == expected[:10]
    for one in found:
        assert one.z == pytest.approx(np.clip(z[one.measure.name], -10, 10), abs=1e-9)
        assert one.says().endswith("higher" if one.b > one.a else "lower")
    assert contrast.differences(usual, a, a) == []
    flat = replace(usual, spread=np.zeros(88))
    assert contrast.differences(flat, a, b) == []  # no two clips of the corpus differ
    far = contrast.differences(usual, a, np.full(88, 1e6), n=1)[0]
    assert far.says().endswith("10 SD or more higher")
