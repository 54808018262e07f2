"""The page Circle of emotions through the entry file, without a browser."""

import base64
import json
import runpy
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import plane_panel
from ser_core import analyses, catalogue, circle, embeddings, jobs, maps
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings
from ser_core.geometry.circumplex import Alignment
from ser_core.geometry.russell import russell
from ser_core.maps import View

ENTRY = str(Path(__file__).parent.parent / "dashboard" / "app.py")
SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))
corpus = SMALL["corpus"]


def five(table: pd.DataFrame) -> pd.DataFrame:
    """Five emotions, one of them without a place on the circle."""
    words = ["happiness", "anger", "sadness", "boredom", "calm", "<b>wistful</b>"]
    return table.assign(emotion=[words[row % 6] for row in range(len(table))])


def rated(table: pd.DataFrame) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return table.assign(valence=random.integers(1, 6, len(table)), arousal=random.integers(1, 6, len(table)))


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("circumplex")
    root = SMALL["make"](folder)
    corpus(folder, "five", five)
    corpus(folder, "rated", rated)
    corpus(folder, "alone", lambda table: five(table).assign(speaker="ada"))
    corpus(folder, "partly", lambda table: table.assign(emotion=table["emotion"].where(table.index % 4 > 0, "")))
    corpus(folder, "unknown", lambda table: table.assign(emotion=""))
    return root


def opened(cache: Path, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache))
    app = AppTest.from_file(ENTRY, default_timeout=90)
    for name, value in link.items():
        app.query_params[name] = value
    app.switch_page("views/circumplex.py").run()
    assert not app.exception
    return app


def found_in(cache: Path, name: str) -> Embeddings:
    here = Cache(cache)
    return embeddings.load(catalogue.get(here, name), here.stores()[0], cache=here)


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.error, *app.info, *app.subheader]
    shown = [part.value for part in parts] + [part.proto.body for part in app.get("html")]
    return "\n".join(shown).replace("\\", "")  # without what switches Markdown off


def figure(app: AppTest, number: int = 0) -> dict:
    return json.loads(app.get("plotly_chart")[number].proto.spec)


def ordered(cache: Path, name: str, alignment: Alignment | None = None) -> circle.Order:
    found = found_in(cache, name)
    drawn = maps.draw(found, View(1, "pca", 2, "standard", maps.SEED), cache=Cache(cache))
    return circle.order(found, drawn, alignment=alignment)


def test_russells_words_need_no_corpus(tmp_path, monkeypatch):
    app = opened(tmp_path, monkeypatch, part="words")
    table = app.dataframe[0].value
    assert len(table) == 28
    assert table["angle"].tolist() == [word.angle for word in russell()]
    assert table["published angle"].tolist() == [word.published for word in russell()]
    said = texts(app)
    assert "13 of 28 angles are the printed ones to 0.1°" in said
    assert "One row disagrees: **sad** (195.3° from its counts, 207.5° printed)" in said
    assert "make demo" not in said
    assert app.query_params["part"] == "words"


def test_an_empty_cache_teaches(tmp_path, monkeypatch):
    for part in ("order", "plane"):
        assert "make demo" in texts(opened(tmp_path, monkeypatch, part=part))


def test_angles_and_agreement_are_the_librarys(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="five")
    result = ordered(small, "five")
    table = app.dataframe[0].value
    assert table["angle (°)"].tolist() == sorted(result.circle.polar.angle)
    assert table["emotion"].tolist() == list(result.circle.polar.order)
    assert table["clips"].sum() == 60
    assert table["difference (°)"].abs().max() <= 180
    said = texts(app)
    assert f"**{result.circle.correlation:.2f}**".replace("-", "\u2212") in said
    assert f"on the map **{result.plane.index:.2f}**, p = {result.plane.p:.2f}".replace("-", "\u2212") in said
    assert "With 5 emotions there are 12 circular orders, so p cannot be below 0.083" in said
    assert "**Russell's order:** happiness → anger → sadness → boredom → calm" in said
    assert "(<b>wistful</b>)" in said
    assert "<b>wistful" not in json.dumps(figure(app)["data"])
    assert "the turn is fitted with the labels" in said
    assert "60 clips · 4 speakers · five" in said


def test_a_turn_by_hand_is_kept_in_the_link_and_changes_no_test(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="five")
    tests = [line for line in texts(app).splitlines() if "on the map **" in line]
    assert "turn" not in app.query_params
    fitted = ordered(small, "five").circle.alignment
    app.button_group(key="_turning").set_value("hand").run()
    assert app.slider(key="_turn").value == round(fitted.rotation) % 360
    assert app.toggle(key="_mirror").value == fitted.mirrored
    app.slider(key="_turn").set_value(33).run()
    app.toggle(key="_mirror").set_value(True).run()
    assert not app.exception
    assert (app.query_params["turn"], app.query_params["mirror"]) == ("33", "yes")
    by_hand = ordered(small, "five", Alignment(33.0, mirrored=True))
    assert app.dataframe[0].value["angle (°)"].tolist() == sorted(by_hand.circle.polar.angle)
    assert "mirrored (up and down exchanged) and turned by 33° counter-clockwise" in texts(app)
    assert [line for line in texts(app).splitlines() if "on the map **" in line] == tests
    again = opened(small, monkeypatch, corpora="five", turn="33", mirror="yes")
    assert again.dataframe[0].value.equals(app.dataframe[0].value)
    again.button_group(key="_turning").set_value("fitted").run()
    assert "turn" not in again.query_params
    assert "mirror" not in again.query_params


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("turn", "360", "asks for turn “360”"),
        ("turn", "-1", "asks for turn “-1”"),
        ("turn", "<b>", "asks for turn “<b>”"),
        ("part", "square", "asks for part “square”"),
    ],
)
def test_a_bad_link_falls_back_with_a_sentence(small, monkeypatch, name, value, said):
    app = opened(small, monkeypatch, corpora="five", **{name: value})
    assert said in texts(app)
    assert len(app.dataframe) == 1


def test_a_bad_mirror_beside_a_good_turn(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="five", turn="5", mirror="maybe")
    assert "asks for mirror “maybe”" in texts(app)
    assert "The map is turned by 5° counter-clockwise" in texts(app)


def test_one_speaker_has_no_intervals_and_no_plane(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="alone")
    assert "One speaker only: there are no intervals." in texts(app)
    assert set(app.dataframe[0].value["95 % (°)"]) == {"none"}
    app = opened(small, monkeypatch, corpora="alone", part="plane")
    assert "needs two or more" in texts(app)


def test_too_few_emotions_are_explained(small, monkeypatch):
    said = texts(opened(small, monkeypatch, corpora="tones"))
    assert "needs four to nine emotions that have a place on Russell's circle" in said
    assert "circular correlation" in said
    said = texts(opened(small, monkeypatch, corpora="unknown"))
    assert "this needs two emotions or more" in said


def test_umap_is_offered_and_warned_of(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="five", map="umap")
    assert "In UMAP directions between groups mean little" in texts(app)
    assert any(button.label.startswith("Draw this map") for button in app.button)
    assert not [one for one in app.button_group if one.label == "Dimensions"]


def test_the_plane_has_a_picture_per_corpus_and_all_checks(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="tones,five", part="plane", learn="procrustes", teacher="five")
    parts = {name: found_in(small, name) for name in ("five", "tones")}
    planes = circle.planes(parts, layer=1, scaling="standard", method="procrustes", cache=Cache(small)).parts
    charts = [figure(app, number) for number in range(2)]
    assert [chart["layout"]["xaxis"]["range"] for chart in charts] == [charts[0]["layout"]["xaxis"]["range"]] * 2
    rows = [{row for trace in chart["data"] for row in _decoded(trace)} for chart in charts]
    assert rows == [set(range(60)), set(range(60, 120))]
    table = app.dataframe[0].value
    assert table["learnt → placed"].tolist() == [f"{one.source} → {one.target}" for one in planes]
    assert table["checked on"].tolist() == [one.check for one in planes]
    first = circle.plane_summary(planes[0])["valence"]
    expected = f"{first['ccc']:.2f} ({first['ccc_95'][0]:.2f} to {first['ccc_95'][1]:.2f})".replace("-", "\u2212")
    assert table["valence CCC"][0] == expected
    said = texts(app)
    assert "**tones** placed by five" in said
    assert "**five** placed by its other speakers" in said
    assert "Learnt from five on: coordinates of the label on Russell's circle." in said
    assert "is the same for all clips of an emotion" in said
    assert "Some recordings are in both corpora: no fair check." in said
    assert app.query_params["teacher"] == "five"


def _decoded(trace: dict) -> list[int]:
    """Return the row numbers that a trace carries, as plotly packs them."""
    packed = trace.get("customdata")
    return [] if packed is None else np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()


def test_a_corpus_that_cannot_teach_is_named_and_the_others_are_shown(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="alone,tones", part="plane", learn="procrustes", teacher="alone")
    assert not app.error
    (said,) = [one.value.replace("\\", "") for one in app.info]
    assert said.startswith("alone teaches no plane: the plane is checked on speakers that it has not seen")
    assert app.selectbox(key="_teacher").options == ["tones"]
    assert "The link asks for teacher “alone”, which is not here: showing tones." in texts(app)
    assert "**alone** placed by tones" in texts(app)
    assert len(app.get("plotly_chart")) == 2
    assert {row for trace in figure(app)["data"] for row in _decoded(trace)} == set(range(60))
    table = app.dataframe[0].value
    assert set(table["learnt → placed"]) == {"tones → tones", "tones → alone"}
    assert table["voices"][table["learnt → placed"] == "tones → alone"].tolist() == ["not known"]


def test_where_no_corpus_can_teach_the_order_is_still_shown(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="alone,unknown", part="plane")
    assert "alone teaches no plane" in app.error[0].value.replace("\\", "")
    assert "unknown teaches no plane" in app.error[0].value.replace("\\", "")
    monkeypatch.setattr(circle, "planes", None)
    monkeypatch.setattr(circle, "kept_planes", None)
    app.button_group(key="_part").set_value("order").run()
    assert not app.exception
    assert not app.error
    assert len(app.get("plotly_chart")) == 1


def test_what_others_write_does_not_have_the_plane_learnt_or_scored_again(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="tones", part="plane", learn="procrustes", layer="0")
    asked = []
    for name in ("planes", "kept_planes", "plane_summary"):
        whole = getattr(circle, name)
        monkeypatch.setattr(circle, name, lambda *args, whole=whole, **how: (asked.append(1), whole(*args, **how))[1])
    Cache(small).store_arrays({"analysis": "of somebody else"}, {"x": np.zeros(2)})
    app.run()
    assert len(app.get("plotly_chart")) == 1
    assert asked == []
    app.selectbox(key="_scaling").select("centre").run()
    assert asked


@pytest.mark.parametrize("part", ["order", "plane"])
def test_the_source_line_counts_the_clips_that_were_measured(small, monkeypatch, part):
    said = texts(opened(small, monkeypatch, corpora="partly", part=part, learn="procrustes"))
    assert "\n45 clips · 4 speakers · partly" in said
    assert "15 clips without a known emotion" in said
    assert "are left out" not in texts(opened(small, monkeypatch, corpora="tones", part=part, learn="procrustes"))


def test_turning_and_mirroring_are_described_rightly(small, monkeypatch):
    said = texts(opened(small, monkeypatch, corpora="five"))
    assert "Turning changes none of the numbers, mirroring the sign of the first two." in said
    assert "No test below" not in said


def test_ratings_are_said_where_there_are_some(small, monkeypatch):
    said = texts(opened(small, monkeypatch, corpora="rated", part="plane"))
    assert "Learnt from rated on: rated, read as a scale from 1 to 5." in said
    assert "A label's place" not in said


def test_a_clip_in_hand_is_ringed_and_its_place_said(small, monkeypatch):
    found = found_in(small, "tones")
    app = opened(small, monkeypatch, corpora="tones", part="plane", learn="procrustes", clip=found.digests[17][:12])
    (plane,) = circle.planes(
        {"tones": found}, layer=1, scaling="standard", method="procrustes", cache=Cache(small)
    ).parts
    x, y = plane.placement.placed[17]
    (ring,) = [trace for trace in figure(app)["data"] if trace.get("meta") == "in hand"]
    assert np.frombuffer(base64.b64decode(ring["x"]["bdata"]), ring["x"]["dtype"])[0] == x
    assert f"Placed at valence {x:.2f}, arousal {y:.2f}".replace("-", "\u2212") in texts(app)
    assert len(app.get("audio")) == 1
    app.selectbox(key="_find_on_plane").select_index(3).run()
    assert app.session_state["clip"] == found.digests[3]
    assert app.query_params["clip"] == found.digests[3][:12]


def test_clips_without_an_emotion_are_not_on_the_plane(small, monkeypatch):
    found = found_in(small, "partly")
    known = [row for row, word in enumerate(found.clips["emotion"]) if word != "unknown"]
    assert len(known) == 45
    app = opened(small, monkeypatch, corpora="partly", part="plane", learn="procrustes", clip=found.digests[0][:12])
    assert sorted(row for trace in figure(app)["data"] for row in _decoded(trace)) == known
    assert found.clips["emotion"][0] == "unknown"
    assert "Too little is known of this clip (its emotion or its speaker), so it is not in the picture." in texts(app)


def test_a_plane_that_takes_long_is_learnt_in_the_background(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    monkeypatch.setitem(analyses.QUICK, "dimensions", 1)
    app = opened(cache, monkeypatch, corpora="tones", part="plane", learn="procrustes")
    assert "60 clips of 6 values" in app.info[0].value
    (button,) = [one for one in app.button if one.label.startswith("Learn the plane")]
    button.click().run()
    until = time.monotonic() + 90
    while any(job.active for job in jobs.ls(Cache(cache))) and time.monotonic() < until:
        time.sleep(0.2)
    (job,) = jobs.ls(Cache(cache))
    assert (job.state, job.title) == ("done", "Plane of tones"), job.message
    app.run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 1


def test_numbers_of_intervals_become_columns_of_the_file():
    told = {"from": "a", "valence": {"ccc": 0.1, "ccc_95": (0.0, 0.2)}, "turn": {"angle": 5.0, "angle_95": None}}
    assert plane_panel._flat(told) == {
        "from": "a", "valence_ccc": 0.1, "valence_ccc_95_from": 0.0, "valence_ccc_95_to": 0.2,
        "turn_angle": 5.0, "turn_angle_95_from": None, "turn_angle_95_to": None,
    }  # fmt: skip
