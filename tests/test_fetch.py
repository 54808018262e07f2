import hashlib
import io
import json
import os
import re
import shutil
import threading
import wave
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result
from web import Page, Web, web  # noqa: F401  a fixture

from ser_core import catalogue, downloads, fetching, jobs, lfs
from ser_core.cache import Cache
from ser_core.cli import app, terminal
from ser_core.corpora import KINDS, ravdess
from ser_core.corpora.sources import ON_REQUEST, RAVDESS, SOURCES, Archive, Repository, Source
from ser_core.downloads import DownloadError, Remote
from ser_core.fetching import FetchError

LICENCE = "licence: CC BY-NC-SA 4.0, https://creativecommons.org/licenses/by-nc-sa/4.0/"


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(200))
    return out.getvalue()


def archive(n_clips: int = 1440) -> bytes:
    """RAVDESS in small: all its names, a few samples each."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in ravdess.names()[:n_clips]:
            file.writestr(f"Actor_{name[-2:]}/{name}.wav", sound())
    return out.getvalue()


BODY = archive()


@pytest.fixture
def server(web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:  # noqa: F811
    """A server of RAVDESS in small, which is taken for the true one."""
    web.pages["/a.zip"] = Page(BODY, etag='"one"')
    offer(web, monkeypatch, digest=f"md5:{hashlib.md5(BODY).hexdigest()}")
    return web


def offer(server: Web, monkeypatch: pytest.MonkeyPatch, *, digest: str | None, most: int = 10**6) -> Source:
    where = Archive(Remote(f"{server.url}/a.zip", most, digest), most_files=2_000, most_bytes=10**6)
    monkeypatch.setitem(SOURCES, "ravdess", replace(RAVDESS, where=where))
    return SOURCES["ravdess"]


def ser(cache: Cache, *arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--cache", str(cache.root)], input=answer)


def fetched(cache: Cache, *arguments: object) -> Result:
    return ser(cache, "corpora", "fetch", "ravdess", "--accept-licence", *arguments)


def said(done: Result) -> str:
    return " ".join(done.stderr.split())


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_corpus_is_fetched_added_and_shown(cache: Cache, server: Web) -> None:
    done = fetched(cache, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    root = cache.root / "corpora" / "ravdess"
    assert (found["folder"], found["n_clips"], found["n_missing"], found["unreadable"]) == (str(root), 1440, 0, [])
    assert found["by_speaker"]["24"] == 60
    assert LICENCE in done.stderr
    assert "RAVDESS (speech), from https://zenodo.org/records/1188976" in done.stderr
    assert re.search(r"up to 2 MB of disk; check: md5:[0-9a-f]{32}", done.stderr)
    assert names(root) == set(zipfile.ZipFile(io.BytesIO(BODY)).namelist())
    assert {path.name for path in root.parent.iterdir()} <= {"ravdess", ".ravdess.lock"}
    assert catalogue.get(cache, "ravdess").root == root
    (job,) = jobs.ls(cache)
    assert (job.state, job.title, job.message) == ("done", "Download RAVDESS (speech), MB", "unpacked")
    assert job.arguments == ["corpora", "fetch", "ravdess", "--to", str(root), "--accept-licence"]


def test_people_choose_the_folder_and_get_words(cache: Cache, server: Web, tmp_path: Path) -> None:
    done = fetched(cache, "--to", tmp_path / "data" / "speech")
    assert done.exit_code == 0, done.stderr
    assert "1440 of 1440 clips, 24 speakers" in done.stdout
    assert catalogue.get(cache, "ravdess").root == tmp_path / "data" / "speech"
    assert not (cache.root / "corpora").exists()


def test_what_is_here_is_not_fetched(cache: Cache, server: Web, tmp_path: Path) -> None:
    root = tmp_path / "speech"
    assert fetched(cache, "--to", root).exit_code == 0
    server.asked.clear()
    for arguments in ((), ("--to", root), ("--to", tmp_path / "elsewhere")):
        done = ser(cache, "corpora", "fetch", "ravdess", *arguments)  # no licence is asked for, either
        assert done.exit_code == 0, done.stderr
        assert "ravdess is here already, complete: nothing to download." in done.stderr
        assert "1440 of 1440 clips" in done.stdout
    other = Cache(tmp_path / "other")
    assert ser(other, "corpora", "fetch", "ravdess", "--to", root).exit_code == 0
    assert catalogue.get(other, "ravdess").root == root
    assert server.asked == []


def test_what_is_not_whole_or_not_it_is_left_alone(cache: Cache, server: Web, tmp_path: Path) -> None:
    root = tmp_path / "speech"
    assert fetched(cache, "--to", root).exit_code == 0
    server.asked.clear()
    clips = sorted(root.rglob("*.wav"))
    clips[0].unlink()
    clips[1].write_bytes(b"")
    done = fetched(cache)
    assert done.exit_code == 1
    assert f"{root} holds ravdess, but 2 of 1440 clips are missing or cannot be read: move the folder" in said(done)
    shutil.rmtree(root)
    done = fetched(cache)
    assert f"ravdess was added from {root}, which is gone: forget it with `ser corpora rm ravdess`" in said(done)
    catalogue.remove(cache, "ravdess")
    root.mkdir()
    (root / "mine.txt").write_text("mine")
    done = fetched(cache, "--to", root)
    assert f"{root}: expected Actor_NN/" in said(done)
    assert "the folder holds mine.txt" in said(done)
    assert server.asked == []


def test_a_folder_that_was_deleted_is_fetched_again(cache: Cache, server: Web) -> None:
    assert fetched(cache).exit_code == 0
    shutil.rmtree(cache.root / "corpora" / "ravdess")
    assert fetched(cache).exit_code == 0
    assert len(server.asked) == 2


def test_without_a_terminal_the_licence_has_to_be_accepted(cache: Cache, server: Web) -> None:
    done = ser(cache, "corpora", "fetch", "ravdess", "--json")
    assert done.exit_code == 1
    sentence = "CC BY-NC-SA 4.0 has to be accepted first: read https://creativecommons.org/licenses/by-nc-sa/4.0/"
    assert json.loads(done.stdout)["error"] == f"{sentence}, then add --accept-licence"
    assert LICENCE in done.stderr
    assert server.asked == []


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_in_a_terminal_it_is_asked_for(
    cache: Cache, server: Web, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("ser_core.cli.corpora.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    done = ser(cache, "corpora", "fetch", "ravdess", answer=answer)
    assert done.exit_code == code, done.stderr
    assert done.stderr.index(LICENCE) < done.stderr.index("Do you accept the licence?")
    assert ("the licence was not accepted: nothing was downloaded" in said(done)) == bool(code)
    assert bool(server.asked) == (not code)


def test_corpora_on_request_say_whom_to_ask(cache: Cache) -> None:
    for kind, (title, page) in ON_REQUEST.items():
        done = ser(cache, "corpora", "fetch", kind)
        assert done.exit_code == 1
        assert f"Error: {title} is given to those who ask for it, at {page}; it cannot be fetched" in said(done)


def test_only_what_is_known_here_is_offered(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "nowhere", replace(RAVDESS, kind="nowhere"))
    assert set(fetching.offered()) == SOURCES.keys() & KINDS.keys()
    for kind in ("nowhere", "demo-english", "folder"):
        done = ser(cache, "corpora", "fetch", kind)
        assert done.exit_code == 1
        assert f"no download is known of {kind!r}: expected one of ravdess, emodb, cafe" in said(done)


def test_a_download_that_broke_off_goes_on(cache: Cache, server: Web) -> None:
    cut = 2 * downloads.CHUNK
    server.change("/a.zip", sent=cut)
    done = fetched(cache)
    assert done.exit_code == 1
    assert "the connection broke off; what has come is kept: run the same command again" in said(done)
    assert not (cache.root / "corpora" / "ravdess").exists()
    server.change("/a.zip", sent=None)
    server.asked.clear()
    assert fetched(cache).exit_code == 0
    assert server.asked == [("/a.zip", f"bytes={cut}-", '"one"')]


def test_ctrl_c_keeps_the_part(cache: Cache, server: Web, tmp_path: Path) -> None:
    def stop(done: int, total: int, message: str) -> None:
        assert (total, message) == (len(BODY), "downloading")
        raise KeyboardInterrupt

    folder = tmp_path / "speech"
    with pytest.raises(KeyboardInterrupt):
        fetching.fetch(cache, SOURCES["ravdess"], folder, progress=stop)
    assert (tmp_path / ".speech.download" / "a.zip.part").stat().st_size == downloads.CHUNK
    assert not folder.exists()
    fetching.fetch(cache, SOURCES["ravdess"], folder, progress=lambda *_: None)
    assert server.asked[1:] == [("/a.zip", f"bytes={downloads.CHUNK}-", '"one"')]


def test_an_archive_that_is_none_is_not_kept(cache: Cache, server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(server, monkeypatch, digest=None)
    server.change("/a.zip", body=BODY[:-40])  # nobody knows its checksum
    done = fetched(cache)
    assert done.exit_code == 1
    assert "a.zip is damaged, cut off, or no zip or tar archive" in said(done)
    assert "check: no checksum is known, only whether the archive is whole" in said(done)
    assert names(cache.root / "corpora") <= {".ravdess.lock"}
    server.change("/a.zip", body=BODY)
    assert fetched(cache).exit_code == 0


def test_clips_that_the_archive_lacks_are_told(cache: Cache, server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(server, monkeypatch, digest=None)
    server.change("/a.zip", body=archive(1437))
    done = fetched(cache)
    assert done.exit_code == 0
    assert "1437 of 1440 clips" in done.stdout
    assert "3 missing: 03-01-08-02-01-02-24, 03-01-08-02-02-01-24, 03-01-08-02-02-02-24" in done.stdout


def test_a_full_disk_is_seen_first(cache: Cache, server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_400_000))
    done = fetched(cache)
    assert done.exit_code == 1
    folder = cache.root / "corpora"
    sentence = f"{folder} has 1 MB free, and ravdess takes up to 2 MB: make room, or choose another folder with --to"
    assert sentence in said(done)
    assert server.asked == []
    (folder / ".ravdess.download").mkdir()
    (folder / ".ravdess.download" / "a.zip.part").write_bytes(bytes(600_000))  # what is here needs no more room
    assert fetched(cache).exit_code == 0


def test_what_a_killed_unpacking_left_is_swept(cache: Cache, server: Web) -> None:
    left = cache.root / "corpora" / ".abc.tmp"
    (left / "whole").mkdir(parents=True)
    assert cache.sweep() == []  # somebody may be at it
    os.utime(left, (0, 0))
    assert cache.sweep() == ["removed the leftover .abc.tmp"]
    assert not left.exists()


def test_progress_is_in_megabytes_of_what_came_now(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now)
    told: list[tuple[int, int, float, float | None, str]] = []

    def report(done: int, total: int, *, rate: float, seconds_left: float | None, message: str) -> None:
        told.append((done, total, rate, seconds_left, message))

    tell = terminal.megabytes(report)
    now = 101.0
    tell(50_000_000, 208_468_073, "downloading")  # an earlier attempt left them
    now = 110.0
    tell(90_000_000, 208_468_073, "downloading")
    assert told[0] == (50, 209, 0.0, None, "downloading")
    assert told[1][:2] == (90, 209)
    assert told[1][2] == pytest.approx(4.0, abs=1e-9)  # 40 MB in 10 s
    assert told[1][3] == pytest.approx(118.468073 / 4.0, abs=1e-9)


def test_two_do_not_fetch_the_same_at_once(cache: Cache, server: Web, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".speech.lock"), pytest.raises(FetchError) as caught:
        fetching.fetch(cache, SOURCES["ravdess"], tmp_path / "speech", progress=lambda *_: None)
    assert str(caught.value) == f"{tmp_path / 'speech'} is being fetched by another process just now: wait for its end"
    results: list[int] = []
    server.change("/a.zip", silent=0.3)
    threads = [threading.Thread(target=lambda: results.append(_job(cache))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1440, 1440]
    assert len(server.asked) == 1  # the one that waited found it here


def _job(cache: Cache) -> int:
    """Do what the command does, without its printing, which two threads cannot do at once."""
    folder = fetching.default_folder(cache, "ravdess")
    with jobs.running(cache, ["fetch"], title="", waiting=lambda _: None):
        return len(fetching.fetch(cache, SOURCES["ravdess"], folder, progress=lambda *_: None)[1].clips)


CLIPS = [f"{name}.wav" for name in ravdess.names()[:4]]


@pytest.fixture
def repository(web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:  # noqa: F811
    """A repository with four clips, which are kept with Git LFS."""
    contents = {name: sound() + bytes([number]) for number, name in enumerate(CLIPS)}
    entries = [
        {"path": f"AudioWAV/{name}", "type": "blob", "sha": lfs.sha1(lfs.pointer(content))}
        for name, content in contents.items()
    ]
    entries.append({"path": "VideoFlash/1.flv", "type": "blob", "sha": "0"})
    web.pages["/tree"] = Page(json.dumps({"tree": entries, "truncated": False}).encode())
    for name, content in contents.items():
        web.pages[f"/media/AudioWAV/{name}"] = Page(content)
    where = Repository(
        tree=Remote(f"{web.url}/tree?recursive=1", 10_000),
        files=f"{web.url}/media",
        folder="AudioWAV",
        suffix=".wav",
        n_files=4,
        n_bytes=sum(map(len, contents.values())),
        most_bytes=1_000,
    )
    monkeypatch.setitem(SOURCES, "ravdess", replace(RAVDESS, where=where))
    return web


def test_files_of_a_repository_are_fetched_and_checked_one_by_one(cache: Cache, repository: Web) -> None:
    done = fetched(cache, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["n_clips"] == 4
    root = cache.root / "corpora" / "ravdess"
    assert names(root) == {f"AudioWAV/{name}" for name in CLIPS}
    for name in CLIPS:
        assert (root / "AudioWAV" / name).read_bytes() == repository.pages[f"/media/AudioWAV/{name}"].body
    assert len(repository.asked) == 5
    assert "check: each file against the repository's own list" in done.stderr


def test_a_wrong_file_is_removed_and_only_the_rest_is_fetched_again(cache: Cache, repository: Web) -> None:
    wrong = f"/media/AudioWAV/{CLIPS[2]}"
    right = repository.pages[wrong].body
    repository.change(wrong, body=lfs.pointer(right))  # what a plain copy of the repository has in its place
    done = fetched(cache)
    assert done.exit_code == 1
    listed = lfs.sha1(lfs.pointer(right))
    found = lfs.sha1(lfs.pointer(lfs.pointer(right)))
    assert f"{wrong}: expected {listed} (git), found {found}; it was removed: try again" in said(done)
    repository.change(wrong, body=right)
    repository.asked.clear()
    assert fetched(cache).exit_code == 0
    assert [path for path, *_ in repository.asked] == ["/tree?recursive=1", wrong, f"/media/AudioWAV/{CLIPS[3]}"]


def test_a_repository_that_changed_is_said(cache: Cache, repository: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SOURCES["ravdess"]
    assert isinstance(source.where, Repository)
    folder = cache.root / "corpora" / "ravdess"
    for fields, error, words in (
        ({"n_files": 5}, FetchError, r"lists 4 files \*\.wav in AudioWAV, expected 5: the repository has changed"),
        ({"n_bytes": 700}, FetchError, "expected 0.0 MB in all, found more"),
        ({"most_bytes": 100}, DownloadError, "expected at most 0.0 MB, found more"),
    ):
        shutil.rmtree(cache.root, ignore_errors=True)
        changed = replace(source, where=replace(source.where, **fields))
        with pytest.raises(error, match=words):
            fetching.fetch(cache, changed, folder, progress=lambda *_: None)
        assert not folder.exists()


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_cards_say_what_is_needed(source: Source) -> None:
    remote = source.where.remote if isinstance(source.where, Archive) else source.where.tree
    assert SOURCES[source.kind] is source
    for address in (remote.url, source.page, source.licence[1]):
        assert address.startswith("https://"), address
    assert remote.digest is None or re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", remote.digest)
    assert source.where.room < 3e9
    if source.kind in KINDS:
        card = KINDS[source.kind]
        n_files = source.where.most_files if isinstance(source.where, Archive) else source.where.n_files
        assert n_files >= (card.n_clips or 0)
