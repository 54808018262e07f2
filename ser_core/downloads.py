"""Files from servers: gone on with where they broke off, bounded in size, checked before anybody sees them.

pooch knows what is here already and keeps what is right; broken off, it begins anew, so `Resuming` does the transfer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ser_core.errors import SerError

if TYPE_CHECKING:
    import requests

TIMEOUT: Final = (20.0, 60.0)
"""Seconds that a server may take to be reached, and to send the next piece."""
CHUNK: Final = 1 << 16
GONE: Final = frozenset({404, 410})
MB: Final = 1_000_000
Progress = Callable[[int, int], None]
"""Told how many bytes are here, and how many there will be."""


class DownloadError(SerError, RuntimeError):
    """A file that cannot be had; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes
    ----------
    url
        Where it is, http or https.
    most_bytes
        The size that it may have.
    digest
        What its publisher says of it, ``md5:<hex>`` or ``sha256:<hex>``; None where no checksum is known.
    """

    url: str
    most_bytes: int
    digest: str | None = None


def session() -> "requests.Session":
    """Return what keeps the connection to a server open from one file to the next; close it after use."""
    import requests

    return requests.Session()


def fetch(remote: Remote, path: Path, *, session: "requests.Session", progress: Progress | None = None) -> None:
    """Download a file unless it is here and right; go on with what an earlier attempt left in ``<path>.part``.

    Raises
    ------
    DownloadError
        If it cannot be had, is larger than it may be, or is not what its publisher says. What has come so far stays,
        unless it is wrong.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")  # it would write a line a file beside the progress bar
    resuming = Resuming(remote, path.with_name(f"{path.name}.part"), session, progress)
    # its protocol of downloaders names the parameters otherwise than its own downloaders do
    pooch.retrieve(remote.url, remote.digest, fname=path.name, path=path.parent, downloader=cast("Any", resuming))


@dataclass(frozen=True)
class Resuming:
    """A downloader for pooch that goes on with ``part``, if the server still has the file that it is a part of."""

    remote: Remote
    part: Path
    session: "requests.Session"
    progress: Progress | None = None

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Download ``url`` whole and checked to ``output_file``; ``pooch`` is its caller's and not needed."""
        import requests

        try:
            if not self._went_on(url):
                with self._get(url, {}) as response:
                    self._write(response, 0)
        except requests.RequestException as error:
            raise DownloadError(f"{url}: {_words(error)}; what has come is kept: run the same command again") from error
        self._check()
        self.part.replace(output_file)
        self._tag.unlink(missing_ok=True)

    @property
    def _tag(self) -> Path:
        """The file that says which version of the remote file the part belongs to."""
        return self.part.with_name(f"{self.part.name}.tag")

    def _went_on(self, url: str) -> bool:
        """Fetch what a part lacks, or all of a file that has changed; False: nothing to go on with, begin anew."""
        done = self.part.stat().st_size if self.part.exists() else 0
        tag = self._tag.read_text() if self._tag.exists() else ""
        if not done or not (tag or self.remote.digest):
            return False
        with self._get(url, {"Range": f"bytes={done}-", **({"If-Range": tag} if tag else {})}) as response:
            span = response.headers.get("Content-Range", "")
            if response.status_code == 416:  # nothing follows: it is whole, or longer than the file is now
                return span == f"bytes */{done}"
            if response.status_code == 206 and not span.startswith(f"bytes {done}-"):
                return False
            self._write(response, done if response.status_code == 206 else 0)
            return True

    def _get(self, url: str, headers: dict[str, str]) -> "requests.Response":
        asked = {"Accept-Encoding": "identity", **headers}  # packed for the journey, bytes could not be counted
        response = self.session.get(url, headers=asked, stream=True, timeout=TIMEOUT)
        code = response.status_code
        if url.startswith("https:") and not response.url.startswith("https:"):
            response.close()
            raise DownloadError(f"{url}: leads to {response.url}, where anybody on the way could change the file")
        if code in {200, *((206, 416) if headers else ())}:
            return response
        response.close()
        said = f"{url}: the server answers {code} {response.reason}"
        if code in GONE:
            raise DownloadError(f"{said}: the file has moved; look for a newer version of this program")
        raise DownloadError(f"{said}: try again later; what has come is kept")

    def _write(self, response: "requests.Response", done: int) -> None:
        """Add a response to the part, or put it in its place where ``done`` is 0."""
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdigit() else 0
        if total > self.remote.most_bytes:
            raise self._too_large()
        if not done:
            self._forget()
            etag = response.headers.get("ETag", "")
            strong = etag if etag and not etag.startswith("W/") else ""
            if tag := strong or response.headers.get("Last-Modified", ""):
                self._tag.write_text(tag)
        with self.part.open("ab") as file:
            for piece in response.iter_content(CHUNK):
                done += len(piece)
                if done > self.remote.most_bytes:
                    raise self._too_large()
                file.write(piece)
                if self.progress:
                    self.progress(done, max(total, done))

    def _too_large(self) -> DownloadError:
        self._forget()
        most = f"{self.remote.most_bytes / MB:.1f} MB"
        return DownloadError(f"{self.remote.url}: expected at most {most}, found more: the file has changed")

    def _check(self) -> None:
        import pooch

        if self.remote.digest is None:
            return
        algorithm = self.remote.digest.partition(":")[0]
        found = f"{algorithm}:{pooch.file_hash(str(self.part), alg=algorithm)}"
        if found != self.remote.digest:
            self._forget()
            raise DownloadError(
                f"{self.remote.url}: expected {self.remote.digest}, found {found}; the file was removed: try again, "
                "and if it is wrong again, it was changed on the server"
            )

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)


def _words(error: "requests.RequestException") -> str:
    """Return what went wrong on the way, for people."""
    from requests import exceptions

    known = {
        exceptions.Timeout: "the server does not answer",
        exceptions.SSLError: "the server cannot prove that it is the one (its certificate is not valid here)",
        exceptions.ChunkedEncodingError: "the connection broke off",
        exceptions.InvalidSchema: "leads elsewhere than to http or https",
        exceptions.TooManyRedirects: "leads in a circle",
    }
    if isinstance(error, exceptions.ConnectionError) and "Read timed out" in str(error):
        return known[exceptions.Timeout]  # so requests calls a server that falls silent in the middle
    words = next((words for kind, words in known.items() if isinstance(error, kind)), None)
    return words or "the server cannot be reached; is this machine online?"
