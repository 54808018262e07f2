"""The Compare page through the entry file, without a browser."""

import base64
import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import second_encoder
from streamlit.testing.v1 import AppTest

from dashboard import between_layers, between_panel
from dashboard.words import fitting
from ser_core import between, catalogue, layers, maps
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings

ROOT = Path(__file__).parent.parent
SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))
PICTURES = {"map_a", "map_b", "compare_curves", "compare_cka"}


def add_second(cache: Cache, **how) -> None:
    second_encoder.add(cache, "tones", "bands", **how)


def opened_with(cache: Cache, encoder: str) -> Embeddings:
    return second_encoder.opened(cache, "tones", encoder)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Cache:
    cache = Cache(SMALL["make"](tmp_path_factory.mktemp("two")))
    add_second(cache)
    return cache


@pytest.fixture
def own(tmp_path) -> Cache:
    return Cache(SMALL["make"](tmp_path))


def opened(cache: Cache, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache.root))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.switch_page("views/compare.py")
    for name, value in ({"encoder": "bands"} | link).items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.error, *app.info, *app.subheader]
    return "\n".join([part.value for part in parts] + [one.proto.body for one in app.get("html")]).replace("\\", "")


def charts(app: AppTest) -> list[dict]:
    return [json.loads(one.proto.spec) for one in app.get("plotly_chart")]


def bridges(app: AppTest) -> dict[str, dict]:
    told = [json.loads(one.proto.json) for one in app.get("bidi_component")]
    return {one["chart"]: one for one in told if "twin" in one}


def points(figure: dict) -> np.ndarray:
    """The clips of a map, by row."""
    out = {}
    for trace in figure["data"]:
        if trace.get("customdata") is not None:
            at = np.column_stack([values(trace[axis]) for axis in ("x", "y", "z") if axis in trace])
            out |= dict(zip(values(trace["customdata"]).tolist(), at, strict=True))
    return np.array([out[row] for row in sorted(out)])


def values(packed) -> np.ndarray:
    if isinstance(packed, dict):
        return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])
    return np.array(packed)


def expected(cache: Cache) -> between.Pair:
    return between.pair(opened_with(cache, "bands"), opened_with(cache, "mixed"))


def test_two_maps_of_the_same_clips_on_the_same_axes(two, monkeypatch):
    app = opened(two, monkeypatch)
    first, second = charts(app)[:2]
    assert [trace["name"] for trace in first["data"][:3]] == [trace["name"] for trace in second["data"][:3]]
    for axis in ("xaxis", "yaxis", "zaxis"):
        assert first["layout"]["scene"][axis]["range"] == second["layout"]["scene"][axis]["range"]
    assert first["layout"]["scene"]["camera"] == second["layout"]["scene"]["camera"]
    scene = first["layout"]["scene"]  # the eye sees the whole box: it is further off than the box is long
    eye, centre = (np.array([scene["camera"][name][axis] for axis in "xyz"]) for name in ("eye", "center"))
    diagonal = np.linalg.norm([scene["aspectratio"][axis] for axis in "xyz"])
    assert np.linalg.norm(eye - centre) == pytest.approx(1.3 * diagonal, rel=0.01)
    assert np.abs(centre).max() < 0.1 * diagonal
    assert second["layout"]["scene"]["xaxis"]["title"]["text"] == "A's axis 1"
    found = expected(two)
    views = [maps.view(found.a, layer=1, method="pca", n_components=3, scaling=None, seed=0)]
    views.append(maps.view(found.b, layer=2, method="pca", n_components=3, scaling=None, seed=0))
    drawn = [maps.draw(one, view, cache=two) for one, view in zip((found.a, found.b), views, strict=True)]
    fit = between.laid(found, *drawn)
    assert points(first) == pytest.approx(drawn[0].projection.coordinates, abs=1e-5)
    assert points(second) == pytest.approx(fit.apply(drawn[1].projection.coordinates), abs=1e-4)
    assert f"disparity {fit.disparity:.2f}" in texts(app)
    assert "60 clips · 4 speakers · tones · encoder bands" in texts(app)


def test_a_clip_in_hand_is_ringed_in_both_maps(two, monkeypatch):
    app = opened(two, monkeypatch)
    assert {one["row"] for one in bridges(app).values()} == {-1}
    found = expected(two)
    app.selectbox(key="_find").select_index(7).run()
    told = bridges(app)
    assert set(told) == {"map_a", "map_b"}
    assert {one["row"] for one in told.values()} == {7}
    assert (told["map_a"]["twin"], told["map_b"]["twin"]) == ("map_b", "map_a")
    assert told["map_a"]["ring"] == pytest.approx(points(charts(app)[0])[7], rel=1e-3)
    assert told["map_b"]["ring"] == pytest.approx(points(charts(app)[1])[7], rel=1e-3)
    assert told["map_a"]["sound"]["on"]
    assert not told["map_b"]["sound"]["on"]  # or it would be started twice
    assert len(app.get("audio")) == 1
    assert app.query_params["clip"] == found.a.digests[7][:12]


def test_the_nearest_of_the_clip_in_hand_stand_in_two_tables(two, monkeypatch):
    digest = expected(two).a.digests[7]
    app = opened(two, monkeypatch, clip=digest[:12])
    alike = between.between(expected(two), (1, 2))
    tables = [one.value for one in app.dataframe[:2]]
    files = expected(two).a.clips["file"]
    for table, near in zip(tables, (alike.near_a, alike.near_b), strict=True):
        assert list(table["file"]) == list(files.iloc[near[0][7]])
        shared = set(alike.near_a[0][7]) & set(alike.near_b[0][7])
        assert [mark == "●" for mark in table[""]] == [row in shared for row in near[0][7]]
    assert f"{round(10 * alike.overlap.shares[7])} of 10 are nearest in both" in texts(app)


def test_the_numbers_are_those_of_the_library(two, monkeypatch):
    app = opened(two, monkeypatch, other_layer="0")
    found = expected(two)
    alike = between.between(found, (1, 0))
    said = texts(app)
    assert [one.label for one in app.metric] == ["Shared neighbours", "Linear CKA", "Fit of the maps"]
    assert app.metric[0].value == f"{100 * alike.overlap.mean:.0f} %"
    low, high = alike.overlap_95
    assert f"95 % interval ({100 * low:.0f} to {100 * high:.0f}), drawing speakers anew" in said
    assert "by chance 16.9 %" in said
    assert app.metric[1].value == f"{alike.cka.debiased:.2f}"
    for one, layer in ((found.a, 1), (found.b, 0)):
        told = between.portrait(one, layer)
        value, low, high = (100 * end for end in (told.recall.value, told.recall.low, told.recall.high))
        assert f"{value:.0f} % ({low:.0f} to {high:.0f}); guessing 33.3 %" in said
        assert fitting(told.silhouette.value, told.silhouette.low, told.silhouette.high) in said
    table = app.dataframe[0].value
    assert set(table["side"]) == {"A", "B"}
    row = table[(table["side"] == "B") & (table["measure"] == between_panel.ROWS["order_agreement"])].iloc[0]
    assert row["value"] == pytest.approx(between.portrait(found.b, 0).order_agreement.value)


def test_layers_are_followed_and_the_chosen_ones_marked(two, monkeypatch):
    app = opened(two, monkeypatch, layer="0", other_layer="1")
    told = layers.kept(expected(two), cache=two)
    curves, heat = charts(app)[-2:]
    lines = {(one["name"], one.get("xaxis", "x")): one for one in curves["data"] if one.get("name")}
    assert values(lines["B", "x"]["y"]) == pytest.approx(told.b["silhouette"][:, 0])
    assert values(lines["A", "x2"]["y"]) == pytest.approx(100 * told.a["recall"][:, 0])
    rings = [one for one in curves["data"] if one.get("marker", {}).get("size") == 16 and one.get("xaxis", "x") == "x"]
    assert [values(one["x"]).tolist() for one in rings] == [[0], [1]]
    assert np.reshape(values(heat["data"][0]["z"]), (2, 3)) == pytest.approx(told.cka)
    frame = heat["layout"]["shapes"][0]
    assert (frame["x0"], frame["y0"]) == (pytest.approx(0.52), pytest.approx(-0.48))


def test_everything_can_be_saved_and_the_link_restores_the_page(two, monkeypatch):
    app = opened(two, monkeypatch, layer="0", other_layer="1", colour="speaker")
    mounted = [json.loads(one.proto.json) for one in app.get("bidi_component")]
    assert {one["chart"] for one in mounted if "name" in one} == PICTURES
    assert {one.proto.label for one in app.get("download_button")} == {"Save as CSV"}
    link = dict(app.query_params)
    assert {"encoder", "other_encoder", "layer", "other_layer", "colour"} <= set(link)
    again = opened(two, monkeypatch, **link)
    assert charts(again)[0]["data"][0]["name"] == charts(app)[0]["data"][0]["name"] == "ada"
    assert dict(again.query_params) == link


@pytest.mark.parametrize(("name", "value"), [("other_encoder", "<b>"), ("other_layer", "99")])
def test_a_bad_link_falls_back_with_a_sentence(two, monkeypatch, name, value):
    app = opened(two, monkeypatch, **{name: value})
    assert f"asks for {name} “{value}”" in texts(app)
    assert charts(app)


def test_one_encoder_only_teaches_and_offers_another(tmp_path, monkeypatch):
    cache = Cache(SMALL["make"](tmp_path))
    for path in cache.root.glob("embeddings/*"):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    located = catalogue.get(cache, "tones")
    digests = cache.digests([located.root / file for file in located.clips()["file"]])
    recipe = {"name": "egemaps", "dim": 2, "layers": ["functionals"], "sampling_rate": 16_000}
    cache.vectors(recipe).write({sha: np.array([[k, k % 7]], np.float32) for k, sha in enumerate(digests)}, {})
    app = opened(cache, monkeypatch, encoder="egemaps")
    assert "tones is embedded with one encoder only, egemaps" in texts(app)
    assert "`ser embed tones spectral`" in texts(app)
    assert [one.label for one in app.button] == ["Embed them with spectral (in the background)"]
    assert not app.get("plotly_chart")


def test_two_layers_of_one_encoder_can_be_compared(own, monkeypatch):
    app = opened(own, monkeypatch)
    assert app.query_params["layer"] == "1"
    assert app.query_params["other_layer"] == "0"
    assert "bands, layer log" in texts(app)
    assert "same layer of the same encoder" not in texts(app)
    app = opened(own, monkeypatch, layer="1", other_layer="1")
    assert "same layer of the same encoder" in texts(app)
    assert app.metric[0].value == "100 %"


def test_clips_that_one_encoder_has_alone_are_counted_and_left_out(own, monkeypatch):
    add_second(own, n=45)
    app = opened(own, monkeypatch)
    assert "15 clips that only A has are left out" in texts(app)
    assert len(points(charts(app)[0])) == len(points(charts(app)[1])) == 45
    assert "45 clips · " in texts(app)


def test_too_few_clips_in_common_are_a_sentence(own, monkeypatch):
    add_second(own, n=5)
    app = opened(own, monkeypatch)
    assert "5 clips are embedded with both bands and mixed" in texts(app)


def test_an_encoder_of_two_numbers_is_drawn_in_two_dimensions(own, monkeypatch):
    add_second(own, dim=2, name="narrow")
    app = opened(own, monkeypatch)
    first, second = charts(app)[:2]
    assert "scene" not in first["layout"]
    assert first["layout"]["xaxis"]["range"] == second["layout"]["xaxis"]["range"]
    assert points(second).shape == (60, 2)


def test_without_emotions_maps_and_likeness_are_shown(own, monkeypatch):
    file = own.root.parent / "tones" / "metadata.csv"
    pd.read_csv(file).drop(columns="emotion").to_csv(file, index=False)
    add_second(own)
    app = opened(own, monkeypatch)
    assert "How emotions show cannot be told: 0 of 60 clips have a known emotion" in texts(app)
    assert app.metric[1].value
    assert "only likeness can be followed" in texts(app)


def test_a_network_that_knew_the_clips_is_marked_under_its_map(own, monkeypatch):
    add_second(own, name="hf:emotion2vec/emotion2vec_plus_base@main")
    monkeypatch.setattr(catalogue.Located, "kind", property(lambda _: "emodb"))
    app = opened(own, monkeypatch)
    assert "was trained on emodb: it knew these clips before" in texts(app)


def test_what_takes_long_is_offered_with_its_time(own, monkeypatch):
    add_second(own)
    monkeypatch.setattr(layers, "QUICK", 0.0)
    app = opened(own, monkeypatch)
    assert "was not computed yet" in texts(app)
    assert [one.label for one in app.button] == ["Go through all layers (about 5 s, in the background)"]
    layers.compare(expected(own), cache=own)
    app = opened(own, monkeypatch)
    assert not app.button
    assert len(charts(app)) == 4


def test_a_map_that_takes_long_is_offered(two, monkeypatch):
    app = opened(two, monkeypatch, map="umap")
    assert any("Draw this map" in button.label for button in app.button)


def test_words_of_files_are_text(own, monkeypatch):
    file = own.root.parent / "tones" / "metadata.csv"
    table = pd.read_csv(file)
    table.assign(emotion=table["emotion"].replace("anger", SMALL["HOSTILE"])).to_csv(file, index=False)
    add_second(own)
    app = opened(own, monkeypatch)
    assert "<img" not in "".join(one.proto.spec for one in app.get("plotly_chart"))
    assert "<img" not in "\n".join(one.proto.body for one in app.get("html"))


def test_the_maps_stay_the_same_objects_while_clips_are_chosen(two, monkeypatch):
    app = opened(two, monkeypatch)
    before = [one.proto.spec for one in app.get("plotly_chart")[:2]]
    app.selectbox(key="_find").select_index(3).run()
    assert [one.proto.spec for one in app.get("plotly_chart")[:2]] == before


def test_changes_are_named_by_depth_where_both_are_equally_deep():
    square = np.array([[0.99, 0.2], [0.1, 0.4]])
    assert between_layers.changed(square) == (
        "Layers of the same depth are most alike at layer 0 (0.99) and least at layer 1 (0.40)."
    )
    assert between_layers.changed(square[:1]) == "Most alike: layer 0 of A and layer 0 of B (0.99)."
