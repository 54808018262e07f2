"""The Clusters page through the entry file, and the words that it finds for its numbers."""

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from streamlit.testing.v1 import AppTest

from dashboard import clusters_panel
from ser_core import catalogue, clusters, embeddings, maps
from ser_core.cache import Cache
from ser_core.emotions import EMOTIONS
from ser_core.geometry import density
from ser_core.geometry.separation import Share

ROOT = Path(__file__).parent.parent
SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))
PICTURES = {"map_chart", "clusters_shares", "clusters_parting", "clusters_overlap"}


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return SMALL["make"](tmp_path_factory.mktemp("clouds"))


def opened(cache: Path, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.run()
    for name, value in link.items():
        app.session_state[name] = value
        app.session_state["_linked"] = {*app.session_state["_linked"], name}
    return app.switch_page("views/clusters.py").run()


def expected(cache: Path, *, dims: int = 3, shape: density.Shape = "full") -> clusters.Clusters:
    here = Cache(cache)
    found = embeddings.load(catalogue.get(here, "tones"), here.stores()[0], cache=here)
    view = maps.view(found, layer=-1, method="pca", n_components=dims, scaling=None, seed=0)
    return clusters.clusters(found, maps.draw(found, view, cache=here), shape=shape)


def spec(app: AppTest, number: int = 0) -> dict:
    return json.loads(app.get("plotly_chart")[number].proto.spec)


def traces(app: AppTest, meta: str | None) -> list[dict]:
    return [one for one in spec(app)["data"] if one.get("meta") == meta]


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.error, *app.info, *app.subheader]
    return "\n".join([part.value for part in parts]).replace("\\", "")


def relabelled(folder: Path, **columns) -> Path:
    """A cache whose corpus has other labels; the sounds are the same."""
    cache = SMALL["make"](folder)
    file = folder / "tones" / "metadata.csv"
    table = pd.read_csv(file)
    table.assign(**{name: make(table) for name, make in columns.items()}).to_csv(file, index=False)
    catalogue.remove(Cache(cache), "tones")
    located, _ = catalogue.add(Cache(cache), "folder", folder / "tones", name="tones")
    embeddings.embed(located, SMALL["Bands"](), cache=Cache(cache))
    return cache


def share(factor: str, alone: float, unique: float, half: float | None = 0.05) -> Share:
    alone_95, unique_95 = (None if half is None else (value - half, value + half) for value in (alone, unique))
    return Share(factor, 2, alone, alone, unique, alone_95, unique_95)


def test_the_page_opens_with_clouds_over_the_points(small, monkeypatch):
    app = opened(small, monkeypatch)
    assert not app.exception
    assert not app.warning
    clouds = traces(app, "outline")
    assert {one["type"] for one in clouds} == {"mesh3d"}
    assert {one["name"]: one["color"] for one in clouds} == {name: EMOTIONS[name].colour for name in SMALL["PITCH"]}
    assert [one["name"] for one in traces(app, None)] == ["happiness", "anger", "sadness"]
    assert "60 clips · 4 speakers · tones" in texts(app)
    assert "emotions under their common names" in texts(app)
    assert [metric.label for metric in app.metric] == ["Silhouette", "Between / within"]


def test_the_numbers_are_those_of_the_library(small, monkeypatch):
    app = opened(small, monkeypatch)
    found = expected(small)
    low, high = found.silhouette_95
    assert app.metric[0].value == f"{found.silhouette.mean():.2f}"
    assert f"95 % interval {low:.2f} to {high:.2f}, resampling speakers" in texts(app)
    assert app.metric[1].value == f"{found.between_within:.2f}"
    variance, clouds, pairs = (app.dataframe[number].value for number in range(3))
    assert variance["alone (%)"].tolist() == pytest.approx([100 * one.alone for one in found.shares])
    assert variance["from"].tolist() == pytest.approx([100 * one.alone_95[0] for one in found.shares])
    assert variance["adjusted (%)"].tolist() == pytest.approx([100 * one.adjusted for one in found.shares])
    assert variance["added to"].tolist() == pytest.approx([100 * one.unique_95[1] for one in found.shares])
    anger = (found.clips.clips["emotion"] == "anger").to_numpy()
    assert clouds.set_index("emotion")["silhouette"]["anger"] == pytest.approx(found.silhouette[anger].mean())
    assert clouds["clips"].tolist() == [20, 20, 20]
    assert pairs["overlap"].tolist() == pytest.approx(sorted(found.overlap.coefficient[np.triu_indices(3, 1)])[::-1])
    assert f"Most: {pairs['emotion'][0]} and {pairs['other'][0]}, {pairs['overlap'][0]:.2f}" in texts(app)


def test_every_picture_and_table_can_be_saved(small, monkeypatch):
    app = opened(small, monkeypatch)
    assert [one.proto.label for one in app.get("download_button")] == ["Save as CSV"] * 4
    mounted = [json.loads(one.proto.json) for one in app.get("bidi_component")]
    assert {one["chart"] for one in mounted if "name" in one} == PICTURES


def test_a_pair_is_alone_and_put_in_words(small, monkeypatch):
    app = opened(small, monkeypatch, emotions=["anger", "sadness"], dims=2)
    assert not app.exception
    assert {one["name"] for one in traces(app, "outline")} == {"anger", "sadness"}
    opacity = {one["name"]: one["opacity"] for one in traces(app, None)}
    assert opacity["happiness"] < 0.5 < opacity["anger"] == opacity["sadness"] == 1
    found = expected(small, dims=2)
    value = found.overlap.coefficient[found.overlap.names.index("anger"), found.overlap.names.index("sadness")]
    assert f"Anger and sadness overlap by {value:.2f}" in texts(app)
    assert "20 and 20 clips" in texts(app)
    assert app.query_params["emotions"] == "anger,sadness"


@pytest.mark.parametrize("shape", ["full", "tied", "diagonal", "mixture"])
def test_every_shape_at_every_level(small, monkeypatch, shape):
    app = opened(small, monkeypatch, shape=shape, levels="95", dims=2)
    assert not app.exception
    parts = [component for one in expected(small, dims=2, shape=shape).densities.parts for component in one.components]
    drawn = traces(app, "outline")
    assert len(drawn) == len(parts)
    assert {one["type"] for one in drawn} == {"scatter"}
    assert "Outline: 95 % of " + ("each part of a cloud" if shape == "mixture" else "a cloud") in texts(app)
    app.session_state["levels"] = "all"
    assert len(traces(app.run(), "outline")) == 3 * len(parts)
    assert app.query_params["shape"] == shape
    assert app.query_params["levels"] == "all"
    assert "Solid 50 %, dashed 90 %, dotted 95 %" in texts(app)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("shape", "<b>", "asks for shape “<b>”"),
        ("levels", "40", "asks for levels “40”"),
        ("emotions", ["anger", "wrath"], "asks for emotions that are not here: wrath"),
    ],
)
def test_a_bad_link_falls_back_with_a_sentence(small, monkeypatch, name, value, said):
    app = opened(small, monkeypatch, **{name: value})
    assert not app.exception
    assert said in app.warning[0].value.replace("\\", "")
    assert traces(app, "outline")


def test_what_the_legend_hides_has_no_cloud_either(small, monkeypatch):
    app = opened(small, monkeypatch)
    app.session_state["_hidden"] = {"emotion": ("anger", "anger")}
    app.session_state["_redraw"] = 1
    app.run()
    assert {one["name"]: one["visible"] for one in traces(app, "outline")} == {
        "happiness": True, "anger": "legendonly", "sadness": True,
    }  # fmt: skip


def test_the_picture_stays_the_same_object_while_clips_are_chosen(small, monkeypatch):
    app = opened(small, monkeypatch)
    before = app.get("plotly_chart")[0].proto.spec
    app.selectbox(key="_find").select_index(7).run()
    assert len(app.get("audio")) == 1
    assert app.get("plotly_chart")[0].proto.spec == before


def test_one_speaker_and_few_clips_are_said(tmp_path, monkeypatch):
    cache = relabelled(
        tmp_path,
        speaker=lambda _: "ada",
        gender=lambda _: "female",
        emotion=lambda table: table["emotion"].where(table.index >= 2, "boredom"),
    )
    app = opened(cache, monkeypatch)
    assert not app.exception
    said = texts(app)
    assert "Nothing can be set against it: these clips do not differ in speaker, gender, corpus." in said
    assert "one speaker: no interval" in said
    assert "resampling the" not in said
    assert "Without a cloud: boredom (2 clips, 5 needed)." in said
    assert app.dataframe[1].value["from"].isna().all()
    assert "nan" not in said


def test_too_few_emotions_are_a_sentence(tmp_path, monkeypatch):
    app = opened(relabelled(tmp_path, emotion=lambda _: "anger"), monkeypatch)
    assert not app.exception
    assert "60 of 60 clips have a known emotion, 1 different" in app.error[0].value.replace("\\", "")


def test_words_of_files_are_text(tmp_path, monkeypatch):
    hostile = SMALL["HOSTILE"]
    cache = relabelled(tmp_path, emotion=lambda table: table["emotion"].replace("anger", hostile))
    app = opened(cache, monkeypatch, emotions=[hostile, "sadness"])
    assert not app.exception
    assert "<img" not in "".join(one.proto.spec for one in app.get("plotly_chart"))
    said = "\n".join(part.value for part in [*app.markdown, *app.caption])
    assert "\\<img src" in said
    assert "**bold**" not in said


def test_two_corpora_are_told_apart(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    other = tmp_path / "second"
    other.mkdir()
    table = pd.read_csv(tmp_path / "tones" / "metadata.csv")
    for name in table["file_name"]:
        (other / name).write_bytes((tmp_path / "tones" / name).read_bytes())
    table.assign(emotion=table["emotion"].replace("anger", "colère")).to_csv(other / "metadata.csv", index=False)
    catalogue.add(Cache(cache), "folder", other)
    app = opened(cache, monkeypatch, corpora=["tones", "second"])
    assert not app.exception
    assert app.dataframe[0].value["goes with"].tolist() == ["emotion", "speaker", "gender", "corpus"]
    assert "Gender and corpus: known once the speaker is" in texts(app)
    assert {one["name"] for one in traces(app, "outline")} == set(SMALL["PITCH"])


def test_a_map_that_takes_long_is_offered(small, monkeypatch):
    app = opened(small, monkeypatch, method="umap")
    assert not app.exception
    assert any("Draw this map" in button.label for button in app.button)


def test_the_verdict_follows_the_numbers():
    more = [share("emotion", 0.12, 0.1), share("speaker", 0.34, 0.3)]
    assert clusters_panel.verdict(more) == (
        "Speaker explains more of this map than emotion: 34 % (95 % interval 29 to 39) against 12 % (7 to 17). "
        "Beyond what speaker explains, emotion adds 10 % (5 to 15)."
    )
    alike = [share("emotion", 0.31, 0.1), share("speaker", 0.34, 0.3), share("gender", 0.9, 0)]
    assert clusters_panel.verdict(alike).startswith("Speaker and emotion explain about as much of this map: 34 %")
    assert "Beyond what speaker and gender explain, emotion" in clusters_panel.verdict(alike)
    none = [share("emotion", 0.5, 0.4, None), share("gender", 0.2, 0.1, None), share("corpus", 0.3, 0.1, None)]
    assert clusters_panel.verdict(none) == (
        "Emotion explains more of this map than corpus: 50 % against 30 %. "
        "Beyond what gender and corpus explain, emotion adds 40 %."
    )


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_confusion_bounds_hold_the_error_of_the_best_rule(apart):
    coefficient = math.exp(-(apart**2) / 8)  # of two unit Gaussians
    least, most = clusters_panel.confusion(coefficient)
    assert least - 1e-12 <= norm.sf(apart / 2) <= most + 1e-12
    assert most - least <= (math.sqrt(2) - 1) / 2 + 1e-12  # never wider
