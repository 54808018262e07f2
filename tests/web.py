"""A web server on 127.0.0.1 for the tests, which does what a page of it says, honest or not."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest


@dataclass(frozen=True)
class Page:
    """What the server answers to a path.

    ``sent`` cuts the body off (and the connection), ``length`` is what Content-Length says (None: nothing), ``ranges``
    whether parts are given, ``shifted`` gives another part than was asked for.
    """

    body: bytes = b""
    status: int = 200
    etag: str = ""
    modified: str = ""
    ranges: bool = True
    sent: int | None = None
    length: int | None = -1
    shifted: int = 0
    location: str = ""
    silent: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Web:
    """The server: its address, its pages (by path, without query), and what it was asked.

    That is, of every request: path, and the headers Range and If-Range.
    """

    url: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def change(self, path: str, **fields: object) -> None:
        self.pages[path] = replace(self.pages[path], **fields)  # pyright: ignore[reportArgumentType]


def handler(web: Web) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            span, unless = self.headers.get("Range", ""), self.headers.get("If-Range", "")
            web.asked.append((self.path, span, unless))
            page = web.pages.get(self.path.partition("?")[0], Page(status=404))
            begin = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
            partial = bool(span) and page.ranges and unless in {"", page.etag, page.modified} and page.status == 200
            if not partial:
                begin = 0
            over = partial and begin >= len(page.body)
            self.send_response(416 if over else 206 if partial else page.status)
            body = b"" if over else page.body[begin + page.shifted * partial :]
            stated = len(body) if page.length == -1 else page.length
            headers = {
                "ETag": page.etag,
                "Last-Modified": page.modified,
                "Location": page.location,
                **dict(page.headers),
            }
            if partial:
                place = f"{begin + page.shifted}-{len(page.body) - 1}"
                headers["Content-Range"] = f"bytes {'*' if over else place}/{len(page.body)}"
            if stated is not None:
                headers["Content-Length"] = str(stated)
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            self.wfile.write(body[: page.sent])
            if page.silent:
                self.wfile.flush()
                web.stopping.wait(page.silent)
            if page.sent is not None or stated != len(body):
                self.close_connection = True

        do_HEAD = do_GET  # noqa: N815  the name that the base class looks for

    return Handler


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are what is tested."""


@contextmanager
def serving() -> Iterator[Web]:
    web = Web()
    with Server(("127.0.0.1", 0), handler(web)) as server:
        web.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            web.stopping.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as one:
        yield one
