"""The Timeline page through the entry file, without a browser."""

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from streamlit.testing.v1 import AppTest

from ser_core import analyses, catalogue, circle, embeddings, timeline
from ser_core.cache import Cache

ROOT = Path(__file__).parent.parent
SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))
EVE = "Eve <b>bold</b>"
STAMPS = (
    *(f"2026-03-02T{hour:02d}:30" for hour in (7, 9, 12, 15, 18, 21)),
    *(f"2026-03-03T{hour:02d}:05" for hour in (8, 20)),
    *(f"2026-03-10T{hour:02d}:45" for hour in (9, 11, 13, 17, 22)),
)
"""Six clips, two, a gap of six days, five: two weeks."""


def diary(cache: Path, folder: Path, *, stamps=STAMPS, emotion: str = "", embed: bool = True) -> None:
    """Add the corpus ``journal``: dated tones of one speaker, and one clip without a date."""
    folder.mkdir()
    random = np.random.default_rng(11)
    rows = []
    for number, stamp in enumerate(["", *reversed(stamps)]):  # the order of the files is not that of time
        time = np.arange(8000) / 16_000
        sound = 0.2 * np.sin(2 * np.pi * random.uniform(120, 360) * time) + random.normal(0, 0.003, 8000)
        soundfile.write(folder / f"{number:02d}.wav", sound, 16_000)
        rows.append({"file_name": f"{number:02d}.wav", "speaker": EVE, "emotion": emotion, "recorded_at": stamp})
    pd.DataFrame(rows).to_csv(folder / "metadata.csv", index=False)
    located, _ = catalogue.add(Cache(cache), "folder", folder, name="journal")
    if embed:
        embeddings.embed(located, SMALL["Bands"](), cache=Cache(cache))


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Path:
    """A cache with the journal, and the tones to learn from."""
    folder = tmp_path_factory.mktemp("both")
    cache = SMALL["make"](folder)
    diary(cache, folder / "journal")
    return cache


def opened(cache: Path, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    for name, value in link.items():
        app.query_params[name] = value
    return app.switch_page("views/timeline.py").run()


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.error, *app.info, *app.subheader]
    return "\n".join(part.value for part in parts).replace("\\", "")


def spec(app: AppTest, number: int = 0) -> dict:
    return json.loads(app.get("plotly_chart")[number].proto.spec)


def found_in(cache: Path, name: str) -> embeddings.Embeddings:
    here = Cache(cache)
    return embeddings.load(catalogue.get(here, name), here.stores()[0], cache=here)


def learnt(cache: Path) -> analyses.Learnt:
    clips, _ = analyses.named(found_in(cache, "tones"))
    return analyses.learn(clips, layer=1, scaling="standard", method="regression", cache=Cache(cache))


def test_the_page_opens_on_the_diary_with_most_days_and_says_what_it_is_not(both, monkeypatch):
    app = opened(both, monkeypatch, diary="journal")
    assert not app.exception
    assert not app.error
    assert timeline.STATEMENT in texts(app)
    assert [info.value for info in app.info] == [timeline.STATEMENT]  # not folded away
    assert "13 clips of Eve <b>bold</b> in 3 days" in texts(app)
    assert "dates from recorded_at" in texts(app)
    assert "plane learnt from tones" in texts(app)
    assert "Left out, having no date: 1." in texts(app)
    assert "Shares count the moments recorded" in texts(app)
    frames = [frame["name"] for frame in spec(app)["frames"]]
    assert frames == ["whole period", "2026-03-02", "2026-03-03", "2026-03-10"]
    assert len(app.get("plotly_chart")) == 3


def test_the_corpus_with_most_dated_days_comes_first(both, monkeypatch):
    app = opened(both, monkeypatch)
    assert app.selectbox(key="_diary").options == ["tones", "journal"]  # five days, three
    assert app.selectbox(key="_diary").value == "tones"
    assert app.selectbox(key="_learner").options == ["tones"]  # one voice cannot teach


def test_the_circle_page_and_this_one_choose_their_teachers_apart(both, monkeypatch):
    app = opened(both, monkeypatch, diary="journal", teacher="journal", learnt_from="tones", learn="procrustes")
    assert not app.warning
    assert (app.session_state["teacher"], app.session_state["learner"]) == ("journal", "tones")
    app.session_state["corpora"] = ["tones"]
    app.session_state["part"] = "plane"
    app.switch_page("views/circumplex.py").run()
    assert not app.exception
    assert app.session_state["learn"] == "procrustes"  # one meaning, one choice
    assert app.session_state["learner"] == "tones"


def test_learning_from_the_same_recordings_is_said(both, monkeypatch):
    assert "These same recordings were learnt from" in texts(opened(both, monkeypatch, diary="tones"))
    assert "These same recordings" not in texts(opened(both, monkeypatch, diary="journal"))


def test_places_are_those_of_the_learnt_plane(both, monkeypatch):
    app = opened(both, monkeypatch, diary="journal", layer="1", learn="regression")
    found = found_in(both, "journal")
    expected = learnt(both).map.place(found.layer(1).astype(float))[:0:-1]  # the first has no date
    table = app.dataframe[0].value
    np.testing.assert_allclose(table[["valence", "arousal"]], expected)
    assert list(table["recorded"]) == [pd.Timestamp(stamp) for stamp in STAMPS]
    assert "label" not in table


def test_how_well_the_plane_does_on_unseen_speakers_is_said(both, monkeypatch):
    app = opened(both, monkeypatch, diary="journal", layer="1", learn="regression")
    planes = circle.planes(
        {"tones": found_in(both, "tones")}, layer=1, scaling="standard", method="regression", cache=Cache(both)
    )
    summary = circle.plane_summary(planes.parts[0])
    assert summary["checked_on"] == "unseen speakers"
    for axis in ("valence", "arousal"):
        low, high = summary[axis]["ccc_95"]
        expected = f"{summary[axis]['ccc']:z.2f} (95 %: {low:z.2f} to {high:z.2f}) for {axis}"
        assert expected.replace("-", "\u2212") in texts(app)
    assert "60 clips of speech, as a rule acted, by 4 voices" in texts(app)


def test_the_numbers_are_those_of_the_library(both, monkeypatch):
    app = opened(both, monkeypatch, diary="journal", layer="1", learn="regression")
    found = found_in(both, "journal")
    points = learnt(both).map.place(found.layer(1).astype(float))
    result, _ = timeline.of(found, points, person=EVE, period="day")
    table = app.dataframe[1].value
    assert list(table["day"]) == ["whole period", "2026-03-02", "2026-03-03", "2026-03-10"]
    assert list(table["clips"]) == [13, 6, 2, 5]
    low, high = result.spans[0].intensity_95
    assert table["intensity"][1] == f"{result.spans[0].intensity:.2f} ({low:.2f} to {high:.2f})"
    assert table["intensity"][2] == f"{result.spans[1].intensity:.2f}"  # two clips: no interval
    low, high = 100 * result.spans[0].quadrants_95[0]
    assert table["pleasant, activated"][1] == f"{100 * result.spans[0].quadrants[0]:.0f} ({low:.0f} to {high:.0f})"
    assert any(button.label == "Save as CSV" for button in app.get("download_button"))


def test_choosing_a_day_lists_its_clips_and_opens_the_picture_there(both, monkeypatch):
    app = opened(both, monkeypatch, diary="journal")
    assert spec(app)["layout"]["sliders"][0]["active"] == 0
    app.selectbox(key="_span").select("2026-03-03").run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 2
    assert spec(app)["layout"]["sliders"][0]["active"] == 2
    assert app.query_params["span"] == "2026-03-03"


def test_weeks(both, monkeypatch):
    app = opened(both, monkeypatch, diary="journal", period="week")
    assert not app.exception
    assert "13 clips of Eve <b>bold</b> in 2 weeks" in texts(app)
    assert list(app.dataframe[1].value["week of"]) == ["whole period", "2026-03-02", "2026-03-09"]


def test_the_link_is_written_and_read(both, monkeypatch):
    digest = found_in(both, "journal").digests[7]
    link = {"diary": "journal", "person": EVE, "learnt_from": "tones", "period": "day", "learn": "procrustes"}
    link |= {"span": "2026-03-03", "clip": digest[:12], "layer": "0", "scaling": "centre"}
    app = opened(both, monkeypatch, **link)
    assert not app.exception
    assert not app.warning
    assert len(app.get("audio")) == 1
    assert dict(app.query_params).items() >= link.items()


@pytest.mark.parametrize("name", ["diary", "person", "learnt_from", "period", "learn", "span", "clip"])
def test_a_bad_link_falls_back_with_a_sentence(both, monkeypatch, name):
    app = opened(both, monkeypatch, **({"diary": "journal"} | {name: "<i>nothing"}))
    assert not app.exception
    assert len(app.warning) == 1
    assert len(app.get("plotly_chart")) == 3


def test_words_of_files_are_text(both, monkeypatch):
    app = opened(both, monkeypatch, diary="journal")
    parts = [part.value for part in [*app.markdown, *app.caption]]
    assert any("\\<b\\>bold" in part for part in parts)
    assert not any("<b>" in part for part in parts)
    assert "<b>" not in app.get("plotly_chart")[0].proto.spec


def test_labels_colour_the_points_where_there_are_some(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    diary(cache, tmp_path / "journal", emotion="sad")
    app = opened(cache, monkeypatch, diary="journal")
    assert set(app.dataframe[0].value["label"]) == {"sad"}
    assert "time of day" not in app.get("plotly_chart")[0].proto.spec


def test_one_day_alone_is_one_picture(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    diary(cache, tmp_path / "journal", stamps=STAMPS[:1])
    app = opened(cache, monkeypatch, diary="journal")
    assert not app.exception
    assert [frame["name"] for frame in spec(app)["frames"]] == ["whole period"]
    assert "one clip" in set(app.dataframe[1].value["dispersion"])


def test_a_plane_that_takes_long_is_offered(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    diary(cache, tmp_path / "journal")
    monkeypatch.setattr(analyses, "quick", lambda found: False)
    app = opened(cache, monkeypatch, diary="journal")
    assert not app.exception
    assert "has not been learnt from tones" in texts(app)
    assert timeline.STATEMENT in texts(app)
    started = []
    monkeypatch.setattr("ser_core.jobs.start", lambda *arguments, **_: started.append(arguments[1]))
    next(button for button in app.button if button.label.startswith("Learn it")).click().run()
    assert started[0][:2] == ["circumplex", "tones"]


def test_an_empty_cache_teaches(tmp_path, monkeypatch):
    app = opened(tmp_path, monkeypatch)
    assert not app.exception
    assert "recorded_at" in texts(app)
    assert "2026-03-01T08-15.wav" in texts(app)
    assert "make demo" in texts(app)


def test_clips_without_dates_are_no_diary(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    table = pd.read_csv(tmp_path / "tones" / "metadata.csv").drop(columns="recorded_at")
    table.to_csv(tmp_path / "tones" / "metadata.csv", index=False)
    app = opened(cache, monkeypatch)
    assert "make demo" in texts(app)
    assert not app.get("plotly_chart")


def test_dated_clips_that_are_not_embedded_are_named(tmp_path, monkeypatch):
    diary(tmp_path / "cache", tmp_path / "journal", embed=False)
    app = opened(tmp_path / "cache", monkeypatch)
    assert not app.exception
    assert "Dated clips are here (journal), but none is embedded yet" in texts(app)


def test_without_anyone_to_learn_from_it_says_so(tmp_path, monkeypatch):
    diary(tmp_path / "cache", tmp_path / "journal", emotion="sad")
    app = opened(tmp_path / "cache", monkeypatch)
    assert not app.exception
    assert timeline.STATEMENT in texts(app)
    assert "labelled emotions of two or more speakers" in texts(app).replace("\n", " ")


def rated(cache: Path, folder: Path, **columns) -> None:
    """Add the corpus ``rated``: two speakers' tones of unknown emotion."""
    diary(cache, folder, emotion="", embed=False)
    catalogue.remove(Cache(cache), "journal")
    table = pd.read_csv(folder / "metadata.csv").drop(columns="recorded_at")
    speakers = ["eve" if number % 2 else "ada" for number in range(len(table))]
    table.assign(speaker=speakers, **columns).to_csv(folder / "metadata.csv", index=False)
    located, _ = catalogue.add(Cache(cache), "folder", folder, name="rated")
    embeddings.embed(located, SMALL["Bands"](), cache=Cache(cache))


def test_ratings_without_emotions_can_teach(tmp_path, monkeypatch):
    cache, marks = tmp_path / "cache", np.tile([1, 2, 3, 4, 5, 4, 2], 2)
    rated(cache, tmp_path / "rated", valence=marks, arousal=marks[::-1])
    diary(cache, tmp_path / "journal")
    app = opened(cache, monkeypatch, diary="journal")
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="_learner").options == ["rated"]
    assert "plane learnt from rated" in texts(app)
    assert "by 2 voices" in texts(app)


@pytest.mark.parametrize("marks", [np.arange(14) * 100.0, np.where(np.arange(14) < 5, 3.0, np.nan)])
def test_ratings_that_tell_nothing_teach_nobody(tmp_path, monkeypatch, marks):
    rated(tmp_path / "cache", tmp_path / "rated", valence=marks, arousal=marks)
    diary(tmp_path / "cache", tmp_path / "journal")
    assert "Nobody has taught this encoder" in texts(opened(tmp_path / "cache", monkeypatch, diary="journal"))
