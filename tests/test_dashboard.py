"""Every page through the entry file, without a browser."""

import io
import json
import os
import runpy
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import export, map_panel
from ser_core import analyses, catalogue, embeddings, jobs, sampling
from ser_core.cache import Cache
from ser_core.emotions import EMOTIONS

ROOT = Path(__file__).parent.parent
SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return SMALL["make"](tmp_path_factory.mktemp("small"))


@pytest.fixture
def app(small, monkeypatch):
    return opened(small, monkeypatch)


def opened(cache: Path, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    for name, value in link.items():
        app.query_params[name] = value
    return app


def found_in(cache: Path) -> embeddings.Embeddings:
    here = Cache(cache)
    return embeddings.load(catalogue.get(here, "tones"), here.stores()[0], cache=here)


def spec(app: AppTest, number: int = 0) -> str:
    return app.get("plotly_chart")[number].proto.spec


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.error, *app.info, *app.subheader]
    shown = [part.value for part in parts] + [part.proto.body for part in app.get("html")]
    return "\n".join(shown).replace("\\", "")  # without what switches Markdown off


def test_the_map_opens_with_its_measures(app):
    app.run()
    assert not app.exception
    assert '"scatter3d"' in spec(app)
    assert [metric.label for metric in app.metric] == [
        "Trustworthiness", "Continuity", "Neighbour overlap", "Variance shown",
    ]  # fmt: skip
    assert "60 clips · 4 speakers · tones" in texts(app)
    assert "no split: all clips" in texts(app)
    assert EMOTIONS["anger"].colour in spec(app)
    assert len(app.dataframe[0].value) == 60
    assert app.dataframe[0].value["file"].is_unique


def test_an_empty_cache_teaches(tmp_path, monkeypatch):
    app = opened(tmp_path, monkeypatch).run()
    assert not app.exception
    assert "make demo" in texts(app)
    assert "ser corpora add" in texts(app)


def test_corpora_without_a_shared_encoder_are_explained(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    (tmp_path / "other").mkdir()
    for file in (tmp_path / "tones").iterdir():
        data = file.read_bytes()
        (tmp_path / "other" / file.name).write_bytes(data if file.suffix == ".csv" else data + b"junk")
    catalogue.add(Cache(cache), "folder", tmp_path / "other")
    app = opened(cache, monkeypatch, corpora="tones,other").run()
    assert not app.exception
    assert "ser embed CORPUS ENCODER" in texts(app)


def test_the_link_is_written_and_read(small, monkeypatch):
    digest = found_in(small).digests[17]
    link = {"clip": digest[:12], "colour": "speaker", "dims": "2", "layer": "0", "camera": "-4,4,-3,3"}
    app = opened(small, monkeypatch, **link).run()
    assert not app.exception
    assert not app.warning
    assert '"scattergl"' in spec(app)
    assert '"range":[-4.0,4.0]' in spec(app)
    assert app.session_state["clip"].startswith(digest[:12])
    assert found_in(small).clips["file"][17] in texts(app)
    written = dict(app.query_params)
    assert written.items() >= {**link, "corpora": "tones", "map": "pca", "scaling": "standard"}.items()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("corpora", "nowhere", "a corpus that is not here: nowhere"),
        ("encoder", "<b>", "asks for encoder"),
        ("layer", "99", "asks for layer “99”"),
        ("layer", "-1", "asks for layer “-1”"),
        ("map", "tsne", "asks for map “tsne”"),
        ("dims", "4", "asks for dims “4”"),
        ("scaling", "", "asks for scaling"),
        ("colour", "shoe size", "asks for colour “shoe size”"),
        ("clip", "ffffffffffff", "names a clip that is not among these"),
        ("camera", "1,2", "camera"),
        ("camera", "nan,1,1,0,0,0", "camera"),
        ("camera", "x", "camera"),
    ],
)
def test_a_bad_link_falls_back_with_a_sentence(small, monkeypatch, name, value, said):
    app = opened(small, monkeypatch, **{name: value}).run()
    assert not app.exception
    assert len(app.warning) == 1
    assert said in app.warning[0].value.replace("\\", "")
    assert '"scatter3d"' in spec(app)


def test_colours_and_layers_change_and_the_clip_stays(small, monkeypatch):
    digest = found_in(small).digests[3]
    app = opened(small, monkeypatch, clip=digest[:12]).run()
    for column in ("speaker", "valence", "recorded_at", "note", "gender"):
        app.selectbox(key="_colour").select(column).run()
        assert not app.exception
        assert app.query_params["colour"] == column
        assert app.session_state["clip"].startswith(digest[:12])
        assert len(app.get("audio")) == 1
    app.select_slider(key="_layer").set_value(0).run()
    assert app.query_params["layer"] == "0"
    assert len(app.get("audio")) == 1


def test_neighbours_are_the_true_ones(small, monkeypatch):
    found = found_in(small)
    app = opened(small, monkeypatch, clip=found.digests[3][:12], layer="1").run()
    x = found.layer(1).astype(float)
    x = (x - x.mean(0)) / x.std(0)
    distance = ((x - x[3]) ** 2).sum(1) ** 0.5
    expected = found.clips["file"][distance.argsort()[1:11]].tolist()
    assert app.dataframe[0].value["file"].tolist() == expected


def test_words_of_files_are_text(small, monkeypatch):
    app = opened(small, monkeypatch, clip=found_in(small).digests[0][:12], colour="note").run()
    hostile = SMALL["HOSTILE"]
    assert hostile.split()[0] not in texts(app)
    assert "&lt;img src=x onerror=alert(1)&gt;" in texts(app)
    assert "<img" not in spec(app)


def test_a_vanished_file_is_said_and_the_page_goes_on(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    found = found_in(cache)
    app = opened(cache, monkeypatch, clip=found.digests[5][:12]).run()
    assert len(app.get("audio")) == 1
    (tmp_path / "tones" / found.clips["file"][6]).write_bytes(b"RIFF")
    app.session_state["clip"] = found.digests[6]
    app.run()
    assert not app.exception
    assert "cannot be played" in app.warning[0].value
    assert len(app.metric) == 4


def test_a_map_that_takes_long_is_offered(small, monkeypatch):
    app = opened(small, monkeypatch, map="umap").run()
    assert not app.exception
    assert "has not been drawn yet" in app.info[0].value
    assert any("Draw this map" in button.label for button in app.button)


def test_choosing_in_the_box_takes_a_clip_in_hand(app, small):
    app.run()
    app.selectbox(key="_find").select_index(7).run()
    assert app.session_state["clip"] == found_in(small).digests[7]
    assert len(app.get("audio")) == 1
    assert app.selectbox(key="_find").value is None


def test_common_names_where_corpora_are_mixed(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    other = tmp_path / "second"
    other.mkdir()
    table = pd.read_csv(tmp_path / "tones" / "metadata.csv")
    for name in table["file_name"]:
        (other / name).write_bytes((tmp_path / "tones" / name).read_bytes())
    table.assign(emotion=table["emotion"].replace("anger", "colère")).to_csv(other / "metadata.csv", index=False)
    catalogue.add(Cache(cache), "folder", other)
    app = opened(cache, monkeypatch, corpora="tones,second").run()
    assert not app.exception
    assert "colère" in app.dataframe[0].value["emotion"].tolist()
    assert '"name":"anger"' in spec(app)
    assert '"name":"colère"' not in spec(app)
    assert "common names" in texts(app)
    assert "120 clips · 8 speakers" in texts(app)
    (steps,) = (one.value for one in app.dataframe if "its own word" in one.value)
    becomes = {(one[0], one[1]): one[2] for one in steps.to_numpy().tolist()}
    assert becomes["second", "colère"] == becomes["tones", "anger"] == "anger"
    assert steps["clips"].sum() == 120


def test_the_first_page_loads_no_heavy_library(tmp_path):
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "app = AppTest.from_file(sys.argv[1], default_timeout=60).run()\n"
        "assert not app.exception and app.subheader, app.exception\n"
        "heavy = {'torch', 'librosa', 'umap', 'sklearn', 'transformers', 'opensmile', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    env = {**os.environ, "SER_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", code, str(ROOT / "dashboard" / "app.py")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_link_to_a_map_that_is_not_drawn_offers_to_draw_it(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="tones", map="umap", dims="3", camera="1,1,1,0,0,0").run()
    assert not app.exception
    assert any(button.label.startswith("Draw this map") for button in app.button)
    assert "1,1,1,0,0,0" in app.query_params["camera"]


def test_a_sample_is_never_hidden(app, monkeypatch):
    assert "clips shown" not in texts(app.run())
    whole = sampling.stratified
    monkeypatch.setattr(sampling, "stratified", lambda strata, *, seed: whole(strata, 30, seed=seed))
    app.session_state["_redraw"] = 1
    assert "30 of 60 clips shown, every emotion in its share; the table has all." in texts(app.run())
    assert "Clips (60 of 60)" in texts(app)


def test_the_camera_of_one_map_stays_out_of_the_link_of_the_next(app):
    app.run()
    app.session_state["camera"] = (1.0, 2.0, 3.0, 0.0, 0.0, 0.0)
    app.session_state["method"] = "umap"
    app.run()
    assert not app.exception
    assert "camera" not in app.query_params


def relabel(folder: Path, old: str, new: str) -> None:
    """Edit the table of labels under an open page."""
    file = folder / "tones" / "metadata.csv"
    table = pd.read_csv(file)
    table.assign(emotion=table["emotion"].replace(old, new)).to_csv(file, index=False)
    os.utime(file, (time.time() + 5, time.time() + 5))  # seen although the clock of the disk is coarse


def test_labels_that_are_edited_under_an_open_page_are_drawn_anew(tmp_path, monkeypatch):
    app = opened(SMALL["make"](tmp_path), monkeypatch).run()
    before = app.session_state["_scene"][1].figure
    app.run()
    assert app.session_state["_scene"][1].figure is before  # else the camera would jump with every click
    relabel(tmp_path, "anger", "boredom")
    app.run()
    assert '"name":"boredom"' in spec(app)
    assert '"name":"anger"' not in spec(app)
    assert set(app.dataframe[0].value["emotion"]) == {"boredom", "happiness", "sadness"}


def test_outlines_follow_labels_that_are_edited(tmp_path, monkeypatch):
    app = opened(SMALL["make"](tmp_path), monkeypatch).switch_page("views/clusters.py").run()
    assert '"name":"anger"' in spec(app)
    relabel(tmp_path, "anger", "boredom")
    app.run()
    assert not app.exception
    outlines = {one["name"] for one in json.loads(spec(app))["data"] if one.get("meta") == "outline"}
    assert outlines == {"boredom", "happiness", "sadness"}


def test_swapped_labels_are_other_labels():
    clips = pd.DataFrame({"emotion": ["anger", "fear"], "speaker": ["ada", "ada"]})
    assert map_panel.digest(clips, ["emotion"]) == map_panel.digest(clips.copy(), ["emotion", "emotion"])
    assert map_panel.digest(clips, ["emotion"]) != map_panel.digest(clips[::-1], ["emotion"])
    assert map_panel.digest(clips, ["speaker"]) == map_panel.digest(clips[::-1], ["speaker"])


def test_a_clip_is_played_on_the_page_where_it_was_taken_and_on_no_other(small, monkeypatch):
    app = opened(small, monkeypatch).run()
    app.selectbox(key="_find").select_index(7).run()
    assert sounds(app) == [1]
    app.switch_page("views/distances.py").run()
    (audio,) = app.get("audio")
    assert not audio.proto.autoplay
    app = opened(small, monkeypatch, part="plane", learn="procrustes").switch_page("views/circumplex.py").run()
    app.selectbox(key="_find_on_plane").select_index(7).run()
    assert app.get("audio")[0].proto.autoplay
    app.switch_page("views/explore.py").run()
    assert len(app.get("audio")) == 1
    assert sounds(app) == [0]
    app.selectbox(key="_find").select_index(8).run()
    assert sounds(app) == [2]


def sounds(app: AppTest) -> list[int]:
    """Return the count by which the bridge to the map knows that a clip was taken."""
    mounted = [json.loads(one.proto.json) for one in app.get("bidi_component")]
    return [one["sound"]["count"] for one in mounted if "sound" in one]


@pytest.mark.parametrize("names", [["sad, tired", "calm"], ["100%", "a%2Cb"], ["Ärger", "+ &=?#"]])
def test_lists_of_words_survive_the_link(small, monkeypatch, names):
    app = opened(small, monkeypatch)
    app.session_state["emotions"] = names
    app.run()
    again = opened(small, monkeypatch, emotions=app.query_params["emotions"])
    again.run()
    assert again.session_state["emotions"] == names


def ended(cache: Path, arguments: list[str], title: str, error: type[BaseException]) -> str:
    """Leave a job behind that failed or was stopped; return its id."""
    with suppress(error), jobs.running(Cache(cache), arguments, title=title, waiting=lambda _: None):
        raise error("the *disk* is full")
    return jobs.job_id(arguments)


OFFERED = {
    "explore": ({"map": "umap"}, "Draw this map"),
    "distances": ({"space": "full"}, "Compute 95 % intervals"),
    "circumplex": ({"part": "plane"}, "Learn the plane"),
    "timeline": ({"diary": "tones"}, "Learn it"),
}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("view", OFFERED)
def test_how_a_background_job_ended_is_said_beside_its_button(tmp_path, monkeypatch, view, error):
    cache = SMALL["make"](tmp_path)
    monkeypatch.setitem(analyses.QUICK, "dimensions", 1)
    link, label = OFFERED[view]
    app = opened(cache, monkeypatch, **link).switch_page(f"views/{view}.py").run()
    assert not app.error
    started = []
    monkeypatch.setattr(jobs, "start", lambda _, arguments, *, title: started.append((arguments, title)))
    next(one for one in app.button if one.label.startswith(label)).click().run()
    ((arguments, title),) = started
    ended(cache, arguments, title, error)
    app.run()
    assert not app.exception
    shown, word = (app.error, "failed") if error is RuntimeError else (app.info, "stopped")
    (said,) = [one.value.replace("\\", "") for one in shown if title in one.value.replace("\\", "")]
    assert said.startswith(f"{title}: {word} after ")
    assert error is not RuntimeError or said.endswith("RuntimeError: the *disk* is full")
    assert any(one.label.startswith(label) for one in app.button)


def test_a_job_that_ends_elsewhere_is_said_once_on_whatever_page(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    arguments = ["embed", "tones", "bands"]
    app = opened(cache, monkeypatch).switch_page("views/data.py")
    with jobs.running(Cache(cache), arguments, title="tones · bands", waiting=lambda _: None):
        app.run()
        assert [one.label for one in app.button].count("Stop") == 1
        assert not app.toast
        app.switch_page("views/explore.py").run()
        assert not app.toast
    app.run()
    assert [one.value.replace("\\", "").split(" after ")[0] for one in app.toast] == ["tones · bands: finished"]
    app.run()
    assert not app.toast


def test_jobs_of_before_are_not_announced(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    ended(cache, ["embed", "tones", "bands"], "tones · bands", RuntimeError)
    app = opened(cache, monkeypatch).run()
    assert not app.toast
    app.switch_page("views/data.py").run()
    assert not app.toast


def test_what_the_demo_makes_is_said_rightly(tmp_path, monkeypatch):
    assert "three synthetic corpora" in texts(opened(tmp_path, monkeypatch).run())


def test_a_table_is_saved_whole(monkeypatch):
    saved = {}
    monkeypatch.setattr(export.st, "download_button", lambda _, data, name, *rest, **how: saved.update({name: data()}))
    rows = pd.DataFrame({"word": ["Ärger", 'a, "b"'], "angle": [1.5, np.nan]})
    export.table(rows, name="words")
    (name, data), *rest = saved.items()
    assert (name, rest) == ("words.csv", [])
    assert data.startswith(b"\xef\xbb\xbf")  # spreadsheets know UTF-8 by this mark
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(data), encoding="utf-8-sig"), rows)
