"""Archives of other people, unpacked so that nothing lands outside a folder and no disk is filled.

Python's own `zipfile` believes the sizes that an archive states, and its `tarfile` makes links and devices unless told
otherwise; neither minds two names that are one on other systems.
"""

import lzma
import re
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Final

from ser_core.errors import SerError

CHUNK: Final = 1 << 20
MB: Final = 1_000_000
DAMAGED: Final = (
    *(OSError, ValueError, KeyError, EOFError, NotImplementedError, struct.error),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
"""All that Python says of archives that are not what they should be."""
ENCRYPTED: Final = 0x1
Member = tuple[str, Callable[[], IO[bytes] | None]]
"""The name of a plain file in an archive, and what opens it."""


class UnpackError(SerError, RuntimeError):
    """An archive that is damaged or not harmless; the message says what is in it, and nothing of it is kept."""


def unpack(archive: Path, folder: Path, *, most_files: int, most_bytes: int) -> None:
    """Unpack the plain files of a zip or tar archive into a folder, which appears whole or not at all.

    Parameters
    ----------
    folder
        Is absent, or empty.
    most_files, most_bytes
        What may come out; bytes are counted as they come, whatever the archive says.

    Raises
    ------
    UnpackError
        If the archive is damaged, encrypted or too large, or holds links, devices, names that lead out of the folder
        or names that only upper and lower case tell apart.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".", suffix=".tmp") as temporary:
        whole = Path(temporary) / "whole"
        whole.mkdir()
        names = _Names(archive.name)
        n_bytes = 0
        for name, opened in _members(archive):
            path = names.place(name)
            if len(names.files) > most_files:
                raise UnpackError(f"{archive.name}: expected at most {most_files:,} files, found more")
            (whole / path).parent.mkdir(parents=True, exist_ok=True)
            with (whole / path).open("xb") as file:
                for piece in _pieces(archive, opened):
                    n_bytes += len(piece)
                    if n_bytes > most_bytes:
                        raise UnpackError(f"{archive.name}: expected at most {most_bytes / MB:,.1f} MB, found more")
                    file.write(piece)
        whole.replace(folder)


class _Names:
    """The places that the files of an archive get, each once."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self.files: dict[str, str] = {}
        self._folders: set[str] = set()

    def place(self, name: str) -> PurePosixPath:
        """Return where a file goes, inside the folder."""
        path = _inside(name)
        if path is None:
            raise UnpackError(f"{self._archive} holds {name!a}, expected a name of UTF-8 that stays inside its folder")
        one, *above = (_folded(part) for part in (path, *path.parents[:-1]))
        taken = self.files.get(one) or next((self.files[folder] for folder in above if folder in self.files), None)
        if taken is not None or one in self._folders:
            other = taken or "a folder of that name"
            raise UnpackError(f"{self._archive} holds {name!r} beside {other!r}, which are one file on some systems")
        self.files[one] = name
        self._folders.update(above)
        return path


def _inside(name: str) -> PurePosixPath | None:
    """Return a member's name as a relative path, None if it is none or leads out of its folder."""
    parts = name.replace("\\", "/").split("/")  # Windows takes both
    written = name.isprintable() and not re.match(r"[A-Za-z]:", name)
    if not written or not parts[0] or ".." in parts:
        return None
    kept = [part for part in parts if part not in {"", "."}]
    return PurePosixPath(*kept) if kept else None


def _folded(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(path).casefold())


def _members(archive: Path) -> Iterator[Member]:
    try:
        yield from _zipped(archive) if zipfile.is_zipfile(archive) else _tarred(archive)
    except DAMAGED as error:
        raise _damaged(archive, error) from error


def _zipped(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.is_dir():
                continue
            if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
                raise _no_file(archive, info.filename)
            if info.flag_bits & ENCRYPTED:
                raise UnpackError(
                    f"{archive.name}: {info.filename!r} is encrypted, expected an archive without password"
                )
            yield info.filename, partial(opened.open, info)


def _tarred(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive, encoding="utf-8") as opened:
        for member in opened:
            if member.isdir():
                continue
            if not member.isreg():
                raise _no_file(archive, member.name)
            yield member.name, partial(opened.extractfile, member)


def _pieces(archive: Path, opened: Callable[[], IO[bytes] | None]) -> Iterator[bytes]:
    try:
        file = opened()
        if file is not None:
            with file:
                while piece := file.read(CHUNK):
                    yield piece
    except DAMAGED as error:
        raise _damaged(archive, error) from error


def _no_file(archive: Path, name: str) -> UnpackError:
    return UnpackError(f"{archive.name}: {name!a} is a link or a device, expected plain files")


def _damaged(archive: Path, error: Exception) -> UnpackError:
    why = str(error).partition("\n")[0] or type(error).__name__
    return UnpackError(f"{archive.name} is damaged, cut off, or no zip or tar archive ({why}): download it again")
