"""The page Place a clip through the entry file, without a browser: clips come, land, are kept or forgotten."""

import hashlib
import html
import io
import json
import re
import runpy
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from place_app import texts, upload
from starlette.formparsers import MultiPartParser
from streamlit.testing.v1 import AppTest

from dashboard import data, place_data, upload_panel, uploads
from ser_core import catalogue, embeddings, landing, maps, unseen
from ser_core.cache import Cache
from ser_core.encoders import ENCODERS
from ser_core.geometry import projection
from ser_core.maps import View

ENTRY = str(Path(__file__).parent.parent / "dashboard" / "app.py")
SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))
corpus = SMALL["corpus"]
HOSTILE = "../../etc/<img src=x onerror=alert(1)> **bold** $x$ \u202egnp.wav"
FIRST = "ada_anger_0.wav"
VIEW = View(1, "pca", 2, "standard", maps.SEED)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    root = SMALL["make"](folder)
    corpus(folder, "alone", lambda table: table.assign(speaker="ada"))
    corpus(folder, "unknown", lambda table: table.assign(emotion="", valence=""))
    return root


@pytest.fixture(autouse=True)
def bands(monkeypatch):
    """The encoder of the small cache, as if it came with the library; what one test prepared is not the next one's."""
    monkeypatch.setitem(ENCODERS, "bands", SMALL["Bands"]())
    uploads._encoder.clear()


def opened(cache: Path, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache))
    app = AppTest.from_file(ENTRY, default_timeout=90)
    for name, value in ({"corpora": "tones"} | link).items():
        app.query_params[name] = value
    app.switch_page("views/place.py").run()
    assert not app.exception
    return app


def wav(frequency: float, seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> bytes:
    time = np.arange(int(rate * seconds)) / rate
    noise = np.random.default_rng(int(frequency)).normal(0, 0.003, len(time))
    tone = 0.25 * np.sin(2 * np.pi * frequency * time) + 0.1 * np.sin(4 * np.pi * frequency * time) + noise
    out = io.BytesIO()
    soundfile.write(out, np.repeat(tone[:, None], channels, axis=1), rate, format="WAV")
    return out.getvalue()


def figures(app: AppTest) -> list[dict]:
    return [json.loads(one.proto.spec) for one in app.get("plotly_chart")]


def own(app: AppTest, meta: str) -> list[dict]:
    """What is drawn of one's own clips: on the map, where the bridge paints it, and then in all other pictures."""
    bridges = [json.loads(one.proto.json) for one in app.get("bidi_component") if "clicks" in one.proto.component_name]
    parts = [part for bridge in bridges for part in bridge["over"] if part["at"][0] != [None]]
    traces = [{**part, **dict(zip("xyz", part["at"], strict=False))} for part in parts]
    for figure in figures(app):
        if not any(trace.get("meta") == "neighbours" for trace in figure["data"]):  # which is the map's
            traces += figure["data"]
    return [trace for trace in traces if trace.get("meta") == meta]


def names(app: AppTest) -> list[str]:
    return [one.name for one in app.session_state["_uploads"].uploads.values()]


def values(trace: dict, axis: str) -> np.ndarray:
    """What plotly was given, whether as numbers or as base64."""
    import base64

    part = trace[axis]
    if isinstance(part, dict):
        return np.frombuffer(base64.b64decode(part["bdata"]), part["dtype"])
    return np.array(part, float)


def press(app: AppTest, label: str) -> AppTest:
    next(one for one in app.button if one.label == label).click()
    app.run()
    assert not app.exception
    return app


def test_an_empty_page_teaches(small, monkeypatch):
    said = texts(opened(small, monkeypatch))
    assert "No clip yet" in said
    assert "among the 60 clips of tones" in " ".join(said.split())
    assert "at most 50 MB and 10 min each" in said
    assert upload_panel.PRIVACY in said
    assert "not written" not in said


def test_without_embeddings_the_page_teaches(tmp_path, monkeypatch):
    assert "make demo" in texts(opened(tmp_path, monkeypatch))


def test_a_clip_of_the_corpus_lands_on_its_own_point(small, monkeypatch):
    app = opened(small, monkeypatch, dims="2")
    press(app, upload_panel.OWN)
    found = embeddings.load(catalogue.get(Cache(small), "tones"), Cache(small).stores()[0], cache=Cache(small))
    row = len(found.clips) // 2
    drawn = maps.draw(found, VIEW, cache=Cache(small))
    here = own(app, "your clip")[0]
    place = [values(here, axis)[0] for axis in "xy"]
    np.testing.assert_allclose(place, drawn.projection.coordinates[row], atol=1e-5)
    assert names(app) == [f"{found.clips['file'][row]} (a clip of tones)"]
    assert "This very recording is in the corpus" in texts(app)


def test_the_lines_lead_to_the_ten_nearest(small, monkeypatch):
    app = upload(opened(small, monkeypatch, dims="2"), ("mine.wav", wav(200)))
    found = embeddings.load(catalogue.get(Cache(small), "tones"), Cache(small).stores()[0], cache=Cache(small))
    drawn = maps.draw(found, VIEW, cache=Cache(small))
    vector = SMALL["Bands"]().encode([uploads.audio.decode(wav(200)).signal])[0, 1]
    apart = np.linalg.norm(drawn.scaler.scale(found.layer(1)) - drawn.scaler.scale(vector[None]), axis=1)
    ways = own(app, "ways")[0]
    ends = np.column_stack([values(ways, axis)[1::3] for axis in "xy"])
    np.testing.assert_allclose(ends, drawn.projection.coordinates[np.argsort(apart)[:10]], atol=1e-4)


def test_an_upload_shows_its_facts_and_the_uploader_is_emptied(small, monkeypatch):
    app = opened(small, monkeypatch)
    key = app.file_uploader[0].key
    upload(app, ("mine.wav", wav(250, rate=48_000, channels=2)))
    said = texts(app)
    for part in (
        "48,000 Hz",
        "2 (stereo)",
        "0.50 s",
        "WAV, Signed 16 bit PCM",
        "dB of full scale",
        "2 channels averaged",
    ):
        assert part in said, part
    assert app.file_uploader[0].key != key
    assert not app.file_uploader[0].value
    assert len(own(app, "your clip")) == 2  # on the map and on the plane
    assert "exactly its place" in said
    assert "give or take" in said


def test_several_clips_are_drawn_the_last_in_hand(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("a.wav", wav(200)), ("b.wav", wav(300)), ("c.wav", wav(150)))
    for _ in range(20):
        if own(app, "your other clips") and len(own(app, "your other clips")[0]["x"]) == 2:
            break
        time.sleep(0.1)
        app.run()
    assert own(app, "your clip")[0]["text"] == ["c.wav"]
    assert sorted(own(app, "your other clips")[0]["text"]) == ["a.wav", "b.wav"]
    app.pills[0].set_value("1").run()
    assert own(app, "your clip")[0]["text"] == ["a.wav"]


def test_a_recording_is_a_clip_like_others(small, monkeypatch):
    app = opened(small, monkeypatch)
    app.audio_input[0].upload("audio.wav", wav(220), "audio/wav").run()
    assert not app.exception
    assert names(app) == ["recording 1"]
    assert own(app, "your clip")


def test_hostile_names_are_shown_as_text(small, monkeypatch):
    app = upload(opened(small, monkeypatch), (HOSTILE, wav(200)))
    shown = uploads.printable(HOSTILE)
    assert "\u202e" not in shown
    assert names(app) == [shown]
    for part in [*app.markdown, *app.caption, *app.info]:
        plain = re.sub(r"\\.", "", part.value)
        assert "<img" not in plain
        assert "**bold**" not in plain
    for part in app.get("html"):
        assert "<img" not in part.proto.body
    assert own(app, "your clip")[0]["text"] == [html.escape(shown, quote=False)]
    assert "<img" not in re.sub(r"\\.", "", app.pills[0].options[0])


def test_bad_files_are_named_and_the_page_goes_on(small, monkeypatch):
    files = [("empty.wav", b""), ("text.mp3", b"hello" * 100), ("cut.wav", wav(200)[:2000]), ("fine.wav", wav(200))]
    app = upload(opened(small, monkeypatch), *files)
    (box,) = app.error
    lines = box.value.replace("\\", "").splitlines()
    assert [line.split(":")[0] for line in lines] == ["- empty.wav", "- text.mp3", "- cut.wav"]
    assert names(app) == ["fine.wav"]
    assert own(app, "your clip")
    app.run()
    assert len(app.error) == 1
    upload(app, ("other.wav", wav(300)))
    assert not app.error


def test_forgetting(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("a.wav", wav(200)), ("b.wav", wav(300)))
    press(app, "Forget")
    assert names(app) == ["a.wav"]
    assert own(app, "your clip")[0]["text"] == ["a.wav"]
    press(app, "Forget this clip")
    assert "No clip yet" in texts(app)
    box = app.session_state["_uploads"]
    assert (box.uploads, box.tasks, box.results) == ({}, {}, {})
    assert not own(app, "your clip")
    assert "a.wav" not in app.session_state["_scene"][1].figure.to_json()  # the map never had it
    upload(app, ("a.wav", wav(200)), ("b.wav", wav(300)))
    press(app, "Forget all")
    assert names(app) == []


def written(*folders: Path) -> dict[str, bytes]:
    """Every file with its content."""
    return {str(file): file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}


def test_nothing_that_is_uploaded_is_written(small, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1024 * 1024)
    app = upload(opened(small, monkeypatch), ("first.wav", wav(200)))  # prepares the corpus's side
    before, sounds = written(small, tmp_path), [wav(300 + number, seconds=5) for number in range(3)]
    for part, sound in zip(("time", "lands", "two"), sounds, strict=True):
        app.session_state["placing"] = part
        upload(app, (f"patient_{part}.wav", sound))
    assert len(names(app)) == 4
    app.run()
    after = written(small, tmp_path)
    assert after.keys() == before.keys()
    everything = b"".join(after.values())
    for sound in sounds:
        digest = hashlib.sha256(sound)
        assert sound[2000:2064] not in everything
        assert digest.digest() not in everything
        assert digest.hexdigest().encode() not in everything
    assert b"patient" not in everything
    assert MultiPartParser.spool_max_size > uploads.limits().bytes  # nor does the server, on the way in


def test_sessions_do_not_see_each_others_clips(small, monkeypatch):
    first, second = opened(small, monkeypatch), opened(small, monkeypatch)
    upload(first, ("patient.wav", wav(200)))
    second.run()
    assert "No clip yet" in texts(second)
    assert "patient" not in str([trace["data"] for trace in figures(second)])


def test_an_encoder_that_is_not_here_is_a_sentence(small, monkeypatch):
    monkeypatch.delitem(ENCODERS, "bands")
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(200)))
    assert len(app.error) == 1
    assert "bands" in app.error[0].value
    assert "16,000 Hz" in texts(app)  # its facts are there all the same
    assert app.file_uploader


def test_an_older_recipe_is_a_sentence(small, monkeypatch):
    class Newer(SMALL["Bands"]):
        def recipe(self):
            return super().recipe() | {"version": 2}

    monkeypatch.setitem(ENCODERS, "bands", Newer())
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(200)))
    assert "would give other numbers" in app.error[0].value.replace("\\", "")
    assert "ser embed" in app.error[0].value.replace("\\", "")


def test_a_clip_that_the_encoder_refuses_is_a_sentence(small, monkeypatch):
    from ser_core.encoders.base import ClipError

    def refuse(self, signals, *, device="auto"):
        raise ClipError("too loud for this encoder")

    monkeypatch.setattr(SMALL["Bands"], "encode", refuse)
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(200)))
    assert "too loud for this encoder" in app.error[0].value
    assert "16,000 Hz" in texts(app)


def test_a_corpus_without_emotions_says_what_cannot_be_told(small, monkeypatch):
    app = upload(opened(small, monkeypatch, corpora="unknown"), ("mine.wav", wav(200)))
    said = texts(app)
    assert own(app, "your clip")
    assert "0 of 60 clips have a known emotion" in said
    assert "eGeMAPS" in said  # not embedded with it
    assert any(one.label == "Valence and arousal from" for one in app.selectbox)  # another corpus can teach


def test_one_speaker_says_what_cannot_be_told(small, monkeypatch):
    app = upload(opened(small, monkeypatch, corpora="alone"), ("mine.wav", wav(200)))
    assert own(app, "your clip")
    assert "Not known: " in texts(app)
    assert "speakers" in texts(app).split("Not known: ")[1][:200]


def test_several_corpora(small, monkeypatch):
    app = upload(opened(small, monkeypatch, corpora="tones,unknown"), ("mine.wav", wav(200)))
    assert not app.error
    assert own(app, "your clip")


def kept_umap(found, cache: Cache) -> maps.Map:
    """Keep a map as UMAP draws them: places of its own, and no axes. UMAP itself takes a minute the first time."""
    view = View(1, "umap", 2, "standard", maps.SEED)
    near, far = projection.neighbours(found.layer(1), k=10, scaling="standard")
    scaler = projection.scaler(found.layer(1), "standard")
    bent = np.tanh(maps.draw(found, VIEW, cache=cache).projection.coordinates)
    arrays = {
        "coordinates": bent,
        "neighbours": near,
        "distances": far,
        "centre": scaler.centre,
        "spread": scaler.spread,
    }
    cache.store_arrays(maps.recipe(found, view), arrays)
    return maps.kept(found, view, cache=cache)


def test_umap_is_offered_and_says_how_the_clip_landed(small, monkeypatch):
    app = upload(opened(small, monkeypatch, map="umap", dims="2"), ("mine.wav", wav(200)))
    assert any(one.label.startswith("Draw this map") for one in app.button)
    assert "16,000 Hz" in texts(app)
    found = embeddings.load(catalogue.get(Cache(small), "tones"), Cache(small).stores()[0], cache=Cache(small))
    drawn = kept_umap(found, Cache(small))
    app.run()
    off = landing.ground(found, drawn).error
    assert f"come to lie {100 * off:.0f} % of the map's spread" in texts(app)
    assert own(app, "your clip")


def test_what_takes_long_is_offered(small, monkeypatch, tmp_path):
    root = SMALL["make"](tmp_path)  # nothing is computed here yet
    monkeypatch.setattr(unseen, "quick", lambda found: False)
    monkeypatch.setattr(place_data.analyses, "quick", lambda found: False)
    started = []
    monkeypatch.setattr(place_data.running, "start", lambda cache, arguments, **_: started.append(arguments))
    app = upload(opened(root, monkeypatch), ("mine.wav", wav(200)))
    assert len(own(app, "your clip")) == 1  # on the map alone
    press(app, "Check the answers (in the background)")
    press(app, "Learn valence and arousal (in the background)")
    assert [one[0] for one in started] == ["place", "circumplex"]
    assert "--check" in started[0]


def test_long_work_has_a_bar_and_can_be_stopped(small, monkeypatch):
    gate, encode = threading.Event(), SMALL["Bands"].encode
    monkeypatch.setattr(uploads, "WAIT", 0.05)

    def slow(self, signals, *, device="auto"):
        gate.wait(10)
        return encode(self, signals)

    monkeypatch.setattr(SMALL["Bands"], "encode", slow)
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(200, seconds=5)))
    try:
        assert any(
            "Listening to mine.wav with bands" in one.proto.text.replace("\\", "") for one in app.get("progress")
        )
        assert not own(app, "your clip")
        assert "16,000 Hz" in texts(app)
        press(app, "Stop")
    finally:
        gate.set()
    task = next(iter(app.session_state["_uploads"].tasks.values()))
    assert task.wait(10)
    app.run()
    assert "Stopped before the clip was placed" in texts(app)
    monkeypatch.setattr(uploads, "WAIT", 10)
    press(app, "Place it")
    assert own(app, "your clip")


def named(app: AppTest, corpus: str) -> None:
    """Type the name of a corpus; `AppTest` itself only knows the names that are offered."""
    box = next(one for one in app.selectbox if one.label == "Corpus")
    box.options = [*box.options, corpus]
    box.set_value(corpus)


def test_keeping_writes_the_clip_and_its_labels(small, monkeypatch, tmp_path):
    root = SMALL["make"](tmp_path)
    started = []
    monkeypatch.setattr(data, "start_embedding", lambda *names: started.append(names))
    app = upload(opened(root, monkeypatch), (HOSTILE, wav(200)))
    assert not (root / "own").exists()
    named(app, "patients")
    next(one for one in app.text_input if one.label == "Speaker").input("p01")
    next(one for one in app.selectbox if one.label == "Emotion").select("sadness")
    press(app, "Keep in my corpus")
    table = pd.read_csv(root / "own" / "patients" / "metadata.csv")
    assert table[["emotion", "speaker"]].to_numpy().tolist() == [["sadness", "p01"]]
    assert (root / "own" / "patients" / table["file_name"][0]).read_bytes() == wav(200)
    assert started == [("patients", "bands")]
    assert "is kept in patients" in texts(app)
    chooser = next(one for one in app.selectbox if one.label == "Corpus")
    assert chooser.options[-1] == "patients"
    assert names(app)  # it is still here


def test_a_name_that_cannot_be_kept_is_a_sentence(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(200)))
    named(app, "tones")
    press(app, "Keep in my corpus")
    assert len(app.error) == 1
    assert "tones" in app.error[0].value
    assert not list((small / "own").glob("*/*"))


def test_the_folder_of_the_corpus_is_gone(small, monkeypatch, tmp_path):
    root = SMALL["make"](tmp_path)
    app = opened(root, monkeypatch)
    (tmp_path / "tones" / "cleo_happiness_0.wav").unlink(missing_ok=True)
    for file in (tmp_path / "tones").glob("*.wav"):
        file.unlink()
    press(app, upload_panel.OWN)
    assert "cannot be read" in app.error[0].value
    assert "No clip yet" in texts(app)
