"""The clips of a session: in memory alone, each session its own, forgotten when told; and the thread that works."""

import asyncio
import gc
import io
import threading
import tomllib
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import streamlit as st
from starlette.formparsers import MultiPartParser
from streamlit.runtime import caching
from streamlit.testing.v1 import AppTest

from dashboard import uploads, worker
from dashboard.uploads import Limits, LimitsError
from dashboard.worker import StoppedError, Worker

SESSION = "test session id"
"""What Streamlit calls the session of a test."""
ROOT = Path(__file__).parent.parent


def wav(frequency: float, seconds: float = 0.3, **options) -> bytes:
    out = io.BytesIO()
    tone = 0.3 * np.sin(2 * np.pi * frequency * np.arange(int(16_000 * seconds)) / 16_000)
    soundfile.write(out, tone, 16_000, format=options.pop("format", "WAV"), **options)
    return out.getvalue()


def session(*, add: list[tuple[str, bytes]], then: str = "") -> AppTest:
    """Run a small app that adds these clips; it leaves names, the one in hand and errors in the session's state."""

    def script(add, then):
        import streamlit as st

        from dashboard import uploads

        for name, content in add:
            uploads.add(name, content)
        exec(then, {"uploads": uploads, "st": st})
        st.session_state["names"] = [one.name for one in uploads.all_()]
        st.session_state["hand"] = uploads.in_hand()
        st.session_state["errors"] = list(uploads.errors())

    app = AppTest.from_function(script, kwargs={"add": add, "then": then})
    app.run()
    assert not app.exception
    return app


def test_clips_are_decoded_and_the_last_is_in_hand():
    state = session(add=[("a.wav", wav(200)), ("b.wav", wav(300, 0.5))]).session_state
    assert state["names"] == ["a.wav", "b.wav"]
    assert state["hand"].name == "b.wav"
    assert state["hand"].clip.seconds == 0.5
    assert state["hand"].data == wav(300, 0.5)


def test_the_same_bytes_are_there_once():
    state = session(add=[("a.wav", wav(200)), ("b.wav", wav(300)), ("again.wav", wav(200))]).session_state
    assert state["names"] == ["a.wav", "b.wav"]
    assert state["hand"].name == "a.wav"


def test_a_bad_file_is_named_in_a_sentence_and_the_others_stay():
    state = session(add=[("a.wav", wav(200)), ("b\n\u202e.wav", b"nonsense"), ("c.wav", b"")]).session_state
    assert state["names"] == ["a.wav"]
    assert [error.split(":")[0] for error in state["errors"]] == ["b??.wav", "c.wav"]
    assert state["errors"][1] == "c.wav: the file is empty (0 bytes)."


def test_limits_hold_for_bytes_and_for_seconds(monkeypatch):
    monkeypatch.setattr(uploads, "limits", lambda: Limits(1, 0.01))
    long, large = wav(200, 0.7), wav(200, 0.5, subtype="DOUBLE") + bytes(1_000_000)
    state = session(add=[("long.wav", long), ("large.wav", large), ("fine.wav", wav(200, 0.5))]).session_state
    assert state["names"] == ["fine.wav"]
    assert "long.wav" in state["errors"][0]
    assert "0.6 s" in state["errors"][0] or "at most 1 s" in state["errors"][0]
    assert "large.wav" in state["errors"][1]
    assert "1 MB" in state["errors"][1]


def test_a_session_cannot_fill_the_memory(monkeypatch):
    one = len(wav(200, 1.0)) + 4 * 16_000
    monkeypatch.setattr(uploads, "TOGETHER", 2 * one)
    add = [("a.wav", wav(200, 1.0)), ("b.wav", wav(300, 1.0)), ("c.wav", wav(400, 1.0)), ("a.wav", wav(200, 1.0))]
    state = session(add=add).session_state
    assert state["names"] == ["a.wav", "b.wav"]
    assert state["errors"] == ["c.wav: this page holds 0 MB of clips already: forget some of them first."]


def test_forgetting_one_takes_the_last_of_the_others():
    add = [("a.wav", wav(200)), ("b.wav", wav(300)), ("c.wav", wav(400))]
    state = session(add=add, then="uploads.take('1'); uploads.forget('1')").session_state
    assert state["names"] == ["b.wav", "c.wav"]
    assert state["hand"].name == "c.wav"


def test_forgetting_drops_all_that_was_computed():
    then = "uploads.remember(uploads.in_hand(), 'k', lambda: 1); uploads.forget('1')"
    box = session(add=[("a.wav", wav(200))], then=then).session_state["_uploads"]
    assert not box.uploads
    assert not box.results
    box = session(add=[("a.wav", wav(200)), ("b", b"")], then="uploads.forget_all()").session_state["_uploads"]
    assert (box.uploads, box.errors, box.in_hand) == ({}, [], None)


def test_closing_the_page_forgets():
    """Streamlit keeps a session's state for a while after its page was closed, but not what the page holds."""
    caching.clear_session_resource_cache(SESSION)  # of the tests before
    box = session(add=[("a.wav", wav(200))]).session_state["_uploads"]
    assert box.uploads
    caching.clear_session_resource_cache(SESSION)  # what the server does when a page is closed
    assert not box.uploads


def test_sessions_do_not_see_each_other():
    first = session(add=[("a.wav", wav(200))])
    second = session(add=[])
    assert first.session_state["names"] == ["a.wav"]
    assert second.session_state["names"] == []


def test_what_is_remembered_is_computed_once_and_of_few_keys():
    then = "\n".join(
        [
            "one = uploads.in_hand()",
            "made = [uploads.remember(one, key, lambda: object()) for key in [0, 0, *range(20)]]",
            "st.session_state['same'] = made[0] is made[1]",
        ]
    )
    state = session(add=[("a.wav", wav(200))], then=then).session_state
    assert state["same"]
    assert len(state["_uploads"].results) == uploads.MOST_RESULTS


def test_names_are_one_line_of_text():
    assert uploads.printable("a\r\nb\x00\u200f.wav") == "a??b??.wav"
    assert uploads.printable("   ") == "clip without a name"
    long = uploads.printable("x" * 300 + ".wav")
    assert len(long) == uploads.LONGEST_NAME
    assert long.endswith("x.wav")
    assert uploads.printable("Ärger 悲しい.wav") == "Ärger 悲しい.wav"


def test_the_limits_are_those_of_the_file_and_no_more_than_the_server_takes(tmp_path, monkeypatch):
    file = tmp_path / "limits.toml"
    monkeypatch.setattr(uploads, "LIMITS", file)
    file.write_text("megabytes = 7\nminutes = 2.5")
    assert uploads.limits() == Limits(7, 2.5)
    assert (uploads.limits().bytes, uploads.limits().seconds) == (7_000_000, 150)
    file.write_text("megabytes = 5000\nminutes = 1")
    assert uploads.limits().megabytes == st.get_option("server.maxUploadSize")
    for text in ("", "megabytes = 7", "megabytes = 0\nminutes = 1", "megabytes = 'a'\nminutes = 1", "megabytes ="):
        file.write_text(text)
        with pytest.raises(LimitsError, match=r"limits\.toml"):
            uploads.limits()


def test_what_is_delivered_fits_together():
    ours = tomllib.loads((ROOT / ".streamlit" / "limits.toml").read_text())
    server = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]
    assert (ours["megabytes"], ours["minutes"]) == (50, 10)
    assert ours["megabytes"] <= server["maxUploadSize"]


def received(size: int) -> bool:
    """Send a form with a file as the uploader does; say whether the server kept it in memory."""
    from starlette.datastructures import Headers

    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\n' + bytes(size) + b"\r\n--x--\r\n"

    async def parts():
        yield body

    async def parse():
        return await MultiPartParser(Headers({"content-type": "multipart/form-data; boundary=x"}), parts()).parse()

    with ThreadPoolExecutor(1) as own:  # the loop of an open browser may run in this thread
        form = own.submit(asyncio.run, parse()).result()
    file = form["f"]
    try:
        return not file.file._rolled
    finally:
        file.file.close()


def test_the_server_keeps_large_uploads_in_memory(monkeypatch):
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1024 * 1024)  # what it is without us
    assert not received(3_000_000)
    uploads.stay_in_memory()
    assert received(3_000_000)
    assert MultiPartParser.spool_max_size > uploads.limits().bytes


def test_work_is_done_in_order_but_for_what_comes_first():
    gate, done = threading.Event(), []
    mine = Worker()
    blocked = mine.ask(lambda tell: gate.wait(5), first=False)
    tasks = [mine.ask(lambda tell, n=n: done.append(n), first=n == 3) for n in (1, 2, 3)]
    gate.set()
    assert all(task.wait(5) for task in (blocked, *tasks))
    assert done == [3, 1, 2]


def test_results_errors_and_progress_come_back():
    mine = Worker()

    def fails(tell):
        tell(1, 3)
        raise ValueError("no")

    good, bad = mine.ask(lambda tell: 7, first=False), mine.ask(fails, first=False)
    assert good.wait(5)
    assert bad.wait(5)
    assert good.result == 7
    assert str(bad.error) == "no"
    assert (bad.done, bad.total, bad.stopped) == (1, 3, False)
    assert mine.ask(lambda tell: 8, first=False).wait(5)  # an error ends the task alone


def endless(began: threading.Event):
    def job(tell):
        while True:
            tell(1, 2)
            began.set()

    return job


def test_a_task_can_be_stopped_and_the_next_goes_on():
    mine, began = Worker(), threading.Event()
    task, after = mine.ask(endless(began), first=False), mine.ask(lambda tell: 5, first=False)
    assert began.wait(5)
    task.stop()
    assert task.wait(5)
    assert task.stopped
    assert isinstance(task.error, StoppedError)
    assert after.wait(5)
    assert after.result == 5


def test_work_ends_with_its_owner():
    mine, began = Worker(), threading.Event()
    task, later = mine.ask(endless(began), first=False), mine.ask(endless(began), first=False)
    assert began.wait(5)
    gone = weakref.ref(mine)
    del mine
    gc.collect()
    assert gone() is None
    assert task.wait(5)
    assert later.wait(5)
    assert task.stopped
    assert later.stopped


def test_no_thread_waits_for_nothing():
    mine = Worker()
    assert mine.ask(lambda tell: None, first=False).wait(5)
    for thread in threading.enumerate():
        if thread.name == worker.NAME:
            thread.join(5)
            assert not thread.is_alive()
