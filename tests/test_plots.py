import json

import numpy as np
import pandas as pd
import pytest

from ser_core import emotions
from ser_core.geometry.projection import Projection, Scaler
from ser_core.maps import Map, View
from ser_core.plots import clip, colours, scree
from ser_core.plots import map as map_plot
from ser_core.spectrogram import mel_spectrogram, outline

HOSTILE = "<a href='javascript:alert(1)'>x</a>"


def clips() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file": [f"{n}.wav" for n in range(6)],
            "speaker": ["a", "a", "b", "b", "unknown", HOSTILE],
            "emotion": ["happy", "Freude", "joy", "sad", "angry", "unknown"],
            "valence": [0.1, 0.2, np.nan, 0.4, 0.5, 0.6],
            "recorded_at": pd.to_datetime(["2026-01-01", "2026-01-02", None, "2026-01-03", "2026-01-04", "2026-01-05"]),
        }
    )


def drawn(n_components: int, n: int = 6, method: str = "pca") -> Map:
    xyz = np.random.default_rng(0).normal(size=(n, n_components)).astype(np.float32)
    explained = np.array([0.5, 0.25, 0.125]) if method == "pca" else None
    view = View(0, method, n_components, "centre", 0)
    scaler = Scaler(np.zeros(n_components), np.ones(n_components))
    near, far = np.zeros((n, 1), np.int32), np.zeros((n, 1), np.float32)
    return Map(view, Projection(xyz, explained), near, far, None, scaler)


def rows_of(colouring: colours.Colouring) -> list[int]:
    return sorted(int(row) for part in colouring.categories for row in part.rows)


def figure(column: str = "speaker", n_components: int = 3, **options):
    table = clips()
    colouring = colours.colouring(table, column, common=False)
    options = {"rows": np.arange(6, dtype=np.int32), "labels": list(table["speaker"])} | options
    return map_plot.figure(drawn(n_components), colouring, **options)


def test_emotions_have_their_own_words_or_the_common_ones():
    own = colours.colouring(clips(), "emotion", common=False)
    assert [part.name for part in own.categories] == ["happy", "joy", "angry", "sad", "Freude", "not given"]
    common = colours.colouring(clips(), "emotion", common=True)
    assert [part.name for part in common.categories] == ["happiness", "anger", "sadness", "Freude", "not given"]
    assert common.categories[0].colour == emotions.EMOTIONS["happiness"].colour
    assert rows_of(own) == rows_of(common) == list(range(6))


def test_what_is_not_given_is_grey_and_last():
    found = colours.colouring(clips(), "speaker", common=False).categories[-1]
    assert (found.name, found.colour, found.rows.tolist()) == (colours.NOT_GIVEN, colours.GREY, [4])


@pytest.mark.parametrize("column", ["valence", "recorded_at"])
def test_numbers_and_dates_get_a_scale(column):
    found = colours.colouring(clips(), column, common=False)
    assert found.missing.tolist() == [2]
    values = list(found.values)
    assert np.isnan(values).tolist() == [False, False, True, False, False, False]
    assert (np.diff(values)[[0, 3, 4]] > 0).all()
    traces = figure(column).data
    assert len(traces[0].x) == 5
    assert traces[0].marker.showscale
    assert traces[1].name == colours.NOT_GIVEN


def test_dates_are_told_as_dates():
    assert colours.colouring(clips(), "recorded_at", common=False).ticks[0] == (20454.0, "2026-01-01")


def test_many_categories_get_no_legend():
    table = pd.DataFrame({"speaker": [f"s{n}" for n in range(31)], "emotion": "joy"})
    found = colours.colouring(table, "speaker", common=False)
    assert not found.legend
    assert not found.categories
    few = colours.colouring(table[:30], "speaker", common=False)
    assert len({part.colour for part in few.categories}) == 30


def test_every_clip_is_drawn_once_with_its_row_and_its_place():
    for n_components in (2, 3):
        found = figure(n_components=n_components)
        points = [trace for trace in found.data if trace.customdata is not None]
        rows = np.concatenate([trace.customdata for trace in points])
        assert rows.dtype == np.int32
        assert sorted(rows) == list(range(6))
        xyz = drawn(n_components).projection.coordinates
        for trace in points:
            assert trace.x.dtype == np.float32
            assert np.array_equal(trace.y, xyz[trace.customdata, 1])


def test_only_the_sample_is_drawn():
    found = figure(rows=np.array([1, 3], np.int32))
    assert sorted(row for trace in found.data if trace.customdata is not None for row in trace.customdata) == [1, 3]


def test_hostile_words_are_text():
    text = json.dumps(figure().to_plotly_json(), default=lambda array: array.tolist())
    assert "<a" not in text
    assert "&lt;a href" in text


def test_axes_are_equal_and_name_what_they_explain():
    flat, deep = figure(n_components=2).layout, figure().layout
    assert flat.yaxis.scaleanchor == "x"
    assert deep.scene.aspectmode == "data"
    assert deep.scene.zaxis.title.text == "PC 3 (12.5 %)"
    assert map_plot.axis_titles(drawn(2, method="umap")) == ["UMAP 1", "UMAP 2"]


def test_camera_legend_and_selection_start_as_asked():
    deep = figure(camera=(1, 2, 3, 0, 0, 0.5), hidden=["b"])
    assert deep.layout.scene.camera.eye.to_plotly_json() == {"x": 1, "y": 2, "z": 3}
    assert [trace.name for trace in deep.data if trace.visible == "legendonly"] == ["b"]
    flat = figure(n_components=2, camera=(-1, 1, -2, 2), picked=[2, 0])
    assert flat.layout.yaxis.range == (-2, 2)
    assert {trace.name: list(trace.selectedpoints) for trace in flat.data[:3]}["a"] == [0]


def test_the_usual_camera_looks_at_the_middle_of_the_cloud():
    cloud = drawn(3, n=400)
    eye = map_plot.usual_camera(cloud)
    assert eye[3:] == pytest.approx((0, 0, -0.1), abs=0.15)
    assert np.subtract(eye[:3], eye[3:]) == pytest.approx(map_plot.VIEWPOINT, abs=0.01)


def test_what_the_page_paints_is_there_and_empty():
    for n_components in (2, 3):
        metas = [trace.meta for trace in figure(n_components=n_components).data]
        assert metas[-2:] == [map_plot.NEIGHBOURS, map_plot.IN_HAND]


def test_points_cost_few_bytes():
    n = 5000
    table = pd.DataFrame({"speaker": np.arange(n) % 20, "emotion": "joy"}).astype(str)
    labels = ["anger · emodb · 03 · 03a01Wa.wav"] * n
    colouring = colours.colouring(table, "speaker", common=False)
    found = map_plot.figure(drawn(3, n=n), colouring, labels=labels, rows=np.arange(n, dtype=np.int32))
    assert len(found.to_json()) < 80 * n


def test_a_clip_is_drawn_at_its_own_level():
    signal = (0.01 * np.sin(np.arange(16_000) * 0.1)).astype(np.float32)
    found = clip.figure(outline(signal), mel_spectrogram(signal))
    assert found.layout.yaxis.range[1] == pytest.approx(0.01, rel=0.1)
    assert found.data[1].z.dtype == np.int8


def test_scree_adds_up():
    found = scree.figure(np.array([0.5, 0.3, 0.1]), n_shown=2)
    assert list(found.data[1].y) == pytest.approx([50, 80, 90])
    assert list(found.data[0].marker.color) == [scree.BAR, scree.BAR, colours.GREY]


def test_words_of_ones_own_are_told_apart():
    table = clips().assign(emotion=["awe", "awe", "Weltschmerz", "<b>joy</b>", "anger", "anger"])
    found = colours.colouring(table, "emotion", common=False).categories
    inks = {part.name: part.colour for part in found}
    assert len(inks) == 4
    assert len(set(inks.values())) == 4
    assert inks["anger"] == emotions.EMOTIONS["anger"].colour


def test_what_a_reader_turned_is_kept_for_this_map_alone():
    same = {figure(column).layout.uirevision for column in ("speaker", "emotion")}
    assert len(same) == 1
    assert figure(n_components=2).layout.uirevision not in same
