"""The Data page, without a browser: what is here, adding a folder, starting and watching an embedding."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ser_core import catalogue, embeddings, jobs
from ser_core.cache import Cache
from ser_core.catalogue import Located

ENTRY = str(Path(__file__).parent.parent / "dashboard" / "app.py")


@pytest.fixture
def page(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache.root))
    app = AppTest.from_file(ENTRY, default_timeout=60)
    return app.switch_page("views/data.py")


def said(app: AppTest) -> str:
    assert not app.exception
    parts = [*app.markdown, *app.text, *app.caption, *app.info, *app.error, *app.success, *app.subheader, *app.title]
    return "\n".join(part.value for part in parts).replace("\\", "")  # without what switches Markdown off


def button(app: AppTest, label: str):
    return next(one for one in app.button if one.label == label)


def test_an_empty_page_says_what_to_do(page: AppTest) -> None:
    words = said(page.run())
    assert "No corpus yet. Add a folder below" in words
    assert "make demo" in words


def test_a_folder_is_looked_into_before_it_is_taken(
    page: AppTest, cache: Cache, make_folder: Callable[..., Path]
) -> None:
    page.run()
    page.text_input[0].set_value("/nowhere")
    button(page, "Check and add").click().run()
    assert "/nowhere: expected a folder with your own recordings (nowhere), found nothing there" in said(page)
    assert catalogue.ls(cache) == []
    page.text_input[0].set_value(str(make_folder()))
    page.text_input[1].set_value("My Study")
    button(page, "Check and add").click().run()
    assert "the name 'My Study' should be 1 to 40 of" in said(page)
    page.text_input[1].set_value("study")
    button(page, "Check and add").click().run()
    assert "study is added: 48 clips, 4 speakers." in said(page)
    assert [one.name for one in catalogue.ls(cache)] == ["study"]


def test_every_kind_of_corpus_can_be_chosen(page: AppTest, cache: Cache, fill: Callable[..., Path]) -> None:
    page.run()
    chooser = next(one for one in page.selectbox if one.label == "What it is")
    kinds = ["RAVDESS (speech)", "EmoDB", "CaFE", "IEMOCAP", "CREMA-D", "SAVEE", "TESS"]
    assert chooser.options == ["A folder of my own", "An audformat database", *kinds]
    chooser.set_value("SAVEE")
    page.text_input[0].set_value(str(fill(["AudioData/DC/a01.wav", "AudioData/JE/a01.wav"])))
    button(page, "Check and add").click().run()
    assert "savee is added: 2 clips, 2 speakers." in said(page)
    assert catalogue.get(cache, "savee").kind == "savee"


def test_text_from_files_is_shown_as_text(page: AppTest, cache: Cache, make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    (root / "metadata.csv").write_text("![x](https://example.org/a.png),<b>bold</b>\n1,2\n")
    page.run()
    page.text_input[0].set_value(str(root))
    button(page, "Check and add").click().run()
    assert not page.exception
    (error,) = page.error
    assert "expected a column file" in error.value
    assert "](" not in error.value
    assert "<b>" not in error.value
    assert catalogue.ls(cache) == []


def test_odd_names_break_no_table(page: AppTest, cache: Cache, make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    text = (root / "metadata.csv").read_text()
    (root / "metadata.csv").write_text(text.replace("angry,", "all emotions,").replace(",s1,", ",all speakers,"))
    catalogue.add(cache, "folder", root, name="odd")
    assert "48 clips, 4 speakers" in said(page.run())


def test_a_damaged_list_of_corpora_is_one_sentence(page: AppTest, cache: Cache, mine: Located) -> None:
    assert mine.name == "mine"
    (cache.root / "corpora.json").write_text("{half")
    page.run()
    assert not page.exception
    assert "is damaged or not yours to read: delete it" in said(page)


def test_what_is_here_is_shown_with_what_failed(page: AppTest, cache: Cache, mine: Located, encoder) -> None:
    (mine.root / "angry_0_0.wav").write_bytes(b"")
    (mine.root / "extra.wav").write_bytes(b"no sound")
    embeddings.embed(mine, encoder, cache=cache)
    page.run()
    words = said(page)
    assert "48 clips, 4 speakers" in words
    corpora, counts, problems = (frame.value for frame in page.dataframe[:3])
    assert corpora["moments"].to_list() == ["47 (1 failed)"]
    assert corpora["Clips"].to_list() == ["48"]
    assert counts.loc["all speakers", "all emotions"] == 48
    assert set(problems.itertuples(index=False, name=None)) == {
        ("cannot be read", "angry_0_0.wav", "the file is empty (0 bytes)"),
        ("left out", "extra.wav", "no row in metadata.csv"),
        ("failed (moments)", "angry_0_0.wav", "empty: the file is empty (0 bytes)"),
    }


def test_encoders_that_are_not_here_say_how_to_get_them(page: AppTest, mine: Located) -> None:
    words = said(page.run())
    assert mine.name in words or page.dataframe[0].value["Name"].to_list() == ["mine"]
    assert "wav2vec2-base: facebook/wav2vec2-base is not on this machine: run `ser models fetch" in words
    page.text_input[0].set_value("/nowhere/model").run()
    button(page, "Embed with this checkpoint").click().run()
    assert "/nowhere/model" in "\n".join(one.value for one in page.error)


def test_an_embedding_started_here_runs_outside_and_is_seen_by_all(
    page: AppTest, cache: Cache, mine: Located, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.run()
    chooser = next(one for one in page.selectbox if one.label == "Encoder")
    chooser.set_value("logmel").run()
    assert "48 clips to do." in said(page)
    button(page, "Embed").click().run()
    (job,) = jobs.ls(cache)
    assert job.title == "mine · logmel"
    other = AppTest.from_file(ENTRY, default_timeout=60).switch_page("views/data.py").run()
    assert not other.exception
    end = time.monotonic() + 60
    while jobs.ls(cache)[0].active and time.monotonic() < end:
        time.sleep(0.2)
    (job,) = jobs.ls(cache)
    assert (job.state, job.done, job.total) == ("done", 48, 48)
    page.run()
    assert page.dataframe[0].value["logmel"].to_list() == ["48"]
    assert button(page, "Embed").disabled or "All clips are done" in said(page)
    assert any("mine · logmel: finished after" in one.value for one in page.text)


def test_a_corpus_whose_folder_is_gone_stops_nothing(
    page: AppTest, cache: Cache, mine: Located, make_folder: Callable[..., Path], encoder
) -> None:
    embeddings.embed(catalogue.add(cache, "folder", make_folder("other"), name="other")[0], encoder, cache=cache)
    mine.root.rename(mine.root.with_name("moved"))
    page.session_state["inspect"] = "mine"
    page.run()
    assert page.dataframe[0].value["Clips"].to_list() == ["folder is gone", "48"]
    assert "found nothing there" in "\n".join(one.value for one in page.error)
    explore = AppTest.from_file(ENTRY, default_timeout=60).run()
    assert not explore.exception
    assert not explore.error
    assert explore.get("plotly_chart")
    button(page, "Take off the list").click().run()
    assert [one.name for one in catalogue.ls(cache)] == ["other"]
