import hashlib
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import requests
from web import Page, Web, web  # noqa: F401  a fixture

from ser_core import downloads
from ser_core.downloads import DownloadError, Remote

BODY = np.random.default_rng(0).bytes(600_000)
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
CUT = 4 * downloads.CHUNK  # what came of a piece is lost with the connection


@pytest.fixture
def server(web: Web) -> Web:  # noqa: F811
    web.pages["/file"] = Page(BODY, etag='"one"')
    return web


def get(server: Web, path: Path, *, page: str = "/file", digest: str | None = None, most: int = 10**6) -> list[int]:
    """Download, and return how many bytes were here each time that it was told."""
    told: list[int] = []
    with downloads.session() as session:
        downloads.fetch(
            Remote(server.url + page, most, digest),
            path,
            session=session,
            progress=lambda done, _: told.append(done),
        )
    return told


def broken_off(server: Web, path: Path, *, digest: str | None = None) -> None:
    """Leave a part of CUT bytes."""
    server.change("/file", sent=CUT)
    with pytest.raises(DownloadError, match=r"/file: the connection broke off; what has come is kept: run the same"):
        get(server, path, digest=digest)
    assert path.with_name("a.zip.part").stat().st_size == CUT
    assert not path.exists()
    server.change("/file", sent=None)
    server.asked.clear()


def test_a_file_comes_whole_and_is_told_of(server: Web, tmp_path: Path) -> None:
    told = get(server, tmp_path / "new" / "a.zip", digest=MD5)
    assert (tmp_path / "new" / "a.zip").read_bytes() == BODY
    assert told == sorted(told)
    assert told[-1] == len(BODY)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.zip"]


def test_a_file_that_is_here_and_right_is_not_asked_for(server: Web, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(BODY)
    get(server, tmp_path / "a.zip", digest=MD5)
    assert server.asked == []
    (tmp_path / "a.zip").write_bytes(BODY[:-1])
    get(server, tmp_path / "a.zip", digest=MD5)
    assert (tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.parametrize("digest", [MD5, f"sha256:{hashlib.sha256(BODY).hexdigest()}", None])
def test_what_broke_off_goes_on_from_there(server: Web, tmp_path: Path, digest: str | None) -> None:
    path = tmp_path / "a.zip"
    broken_off(server, path, digest=digest)
    told = get(server, path, digest=digest)
    assert server.asked == [("/file", f"bytes={CUT}-", '"one"')]
    assert path.read_bytes() == BODY
    assert told[0] > CUT
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip"]


def test_a_date_tells_versions_apart_where_there_is_no_tag(server: Web, tmp_path: Path) -> None:
    date = "Sun, 01 Mar 2026 10:00:00 GMT"
    server.pages["/file"] = Page(BODY, modified=date, etag='W/"weak"')
    broken_off(server, tmp_path / "a.zip")
    get(server, tmp_path / "a.zip")
    assert server.asked == [("/file", f"bytes={CUT}-", date)]
    assert (tmp_path / "a.zip").read_bytes() == BODY


def test_without_tag_and_checksum_it_begins_anew(server: Web, tmp_path: Path) -> None:
    server.pages["/file"] = Page(BODY)
    broken_off(server, tmp_path / "a.zip")
    get(server, tmp_path / "a.zip")
    assert server.asked == [("/file", "", "")]
    assert (tmp_path / "a.zip").read_bytes() == BODY
    (tmp_path / "a.zip").unlink()
    broken_off(server, tmp_path / "a.zip", digest=MD5)  # the checksum would tell: it may go on
    get(server, tmp_path / "a.zip", digest=MD5)
    assert server.asked == [("/file", f"bytes={CUT}-", "")]


@pytest.mark.parametrize("ignored", [{"ranges": False}, {"shifted": 1}])
def test_a_server_that_gives_no_parts_is_asked_for_all(server: Web, tmp_path: Path, ignored: dict[str, int]) -> None:
    broken_off(server, tmp_path / "a.zip")
    server.change("/file", **ignored)
    get(server, tmp_path / "a.zip", digest=MD5)
    assert (tmp_path / "a.zip").read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_taken_anew(server: Web, tmp_path: Path) -> None:
    broken_off(server, tmp_path / "a.zip")
    new = BODY[::-1]
    server.change("/file", body=new, etag='"two"')
    get(server, tmp_path / "a.zip")
    assert server.asked == [("/file", f"bytes={CUT}-", '"one"')]
    assert (tmp_path / "a.zip").read_bytes() == new


def test_a_part_that_is_whole_is_only_checked(server: Web, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(BODY)
    get(server, tmp_path / "a.zip", digest=MD5)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    (tmp_path / "a.zip").unlink()
    (tmp_path / "a.zip.part").write_bytes(BODY + b"more")  # longer than the file: anew
    get(server, tmp_path / "a.zip", digest=MD5)
    assert (tmp_path / "a.zip").read_bytes() == BODY


def test_a_length_stated_too_long_is_a_broken_connection(server: Web, tmp_path: Path) -> None:
    server.change("/file", length=len(BODY) + 100)
    with pytest.raises(DownloadError, match="the connection broke off"):
        get(server, tmp_path / "a.zip", digest=MD5)
    server.change("/file", length=-1)
    get(server, tmp_path / "a.zip", digest=MD5)
    assert (tmp_path / "a.zip").read_bytes() == BODY


def test_a_length_stated_too_short_is_wrong_bytes(server: Web, tmp_path: Path) -> None:
    server.change("/file", length=CUT)
    found = hashlib.md5(BODY[:CUT]).hexdigest()
    with pytest.raises(DownloadError, match=rf"expected {MD5}, found md5:{found}"):
        get(server, tmp_path / "a.zip", digest=MD5)


def test_wrong_bytes_are_removed_and_named(server: Web, tmp_path: Path) -> None:
    server.change("/file", body=BODY[:-1] + bytes([BODY[-1] ^ 1]))
    with pytest.raises(DownloadError) as caught:
        get(server, tmp_path / "a.zip", digest=MD5)
    found = hashlib.md5(server.pages["/file"].body).hexdigest()
    assert str(caught.value) == (
        f"{server.url}/file: expected {MD5}, found md5:{found}; the file was removed: try again, and if it is wrong "
        "again, it was changed on the server"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fields", [{"sent": 0, "silent": 30.0}, {"length": None}])
def test_more_than_it_may_be_is_stopped(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, float | None]
) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT", (1.0, 1.0))
    server.change("/file", **fields)  # seen from what is stated, before anything comes, or only on the way
    with pytest.raises(DownloadError, match=r"/file: expected at most 0.5 MB, found more: the file has changed$"):
        get(server, tmp_path / "a.zip", most=500_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "404 Not Found: the file has moved; look for a newer version of this program"),
        (403, "403 Forbidden: try again later; what has come is kept"),
        (500, "500 Internal Server Error: try again later; what has come is kept"),
        (503, "503 Service Unavailable: try again later; what has come is kept"),
    ],
)
def test_refusals_say_what_to_do(server: Web, tmp_path: Path, status: int, words: str) -> None:
    broken_off(server, tmp_path / "a.zip")
    server.change("/file", status=status)
    with pytest.raises(DownloadError) as caught:
        get(server, tmp_path / "a.zip")
    assert str(caught.value) == f"{server.url}/file: the server answers {words}"
    assert (tmp_path / "a.zip.part").stat().st_size == CUT


def test_no_server_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(
            DownloadError, match=r"the server cannot be reached; is this machine online\?; what has come"
        ):
            get(Web(url), tmp_path / "a.zip")


@pytest.mark.parametrize("sent", [0, CUT])
def test_a_silent_server_is_not_waited_for(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT", (0.3, 0.3))
    server.change("/file", sent=sent, silent=30.0)
    with pytest.raises(DownloadError, match="the server does not answer; what has come is kept"):
        get(server, tmp_path / "a.zip")


def test_it_follows_to_another_address_but_to_http_only(server: Web, tmp_path: Path) -> None:
    server.pages["/moved"] = Page(status=302, location="/file")
    get(server, tmp_path / "a.zip", page="/moved", digest=MD5)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    server.pages["/away"] = Page(status=302, location=(tmp_path / "a.zip").as_uri())
    with pytest.raises(DownloadError, match="/away: leads elsewhere than to http or https"):
        get(server, tmp_path / "b.zip", page="/away")
    server.pages["/circle"] = Page(status=302, location="/circle")
    with pytest.raises(DownloadError, match="/circle: leads in a circle"):
        get(server, tmp_path / "b.zip", page="/circle")
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip"]


def test_it_does_not_follow_from_https_to_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(url="http://elsewhere/a.zip", status_code=200, close=lambda: None)
    monkeypatch.setattr(requests.Session, "get", lambda *_, **__: answer)
    with (
        pytest.raises(DownloadError, match=r"https://here/a.zip: leads to http://elsewhere/a.zip, where anybody"),
        downloads.session() as session,
    ):
        downloads.fetch(Remote("https://here/a.zip", 10), tmp_path / "a.zip", session=session)


def test_ctrl_c_keeps_the_part(server: Web, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        assert total == len(BODY)
        raise KeyboardInterrupt

    with downloads.session() as session, pytest.raises(KeyboardInterrupt):
        downloads.fetch(Remote(f"{server.url}/file", 10**6), tmp_path / "a.zip", session=session, progress=stop)
    begun = (tmp_path / "a.zip.part").stat().st_size
    assert 0 < begun < len(BODY)
    server.asked.clear()
    get(server, tmp_path / "a.zip")
    assert server.asked == [("/file", f"bytes={begun}-", '"one"')]
    assert (tmp_path / "a.zip").read_bytes() == BODY
