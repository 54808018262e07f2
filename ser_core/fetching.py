"""Free corpora: fetched from where they are published, checked, unpacked and added.

What is not finished lies in ``.<folder>.download`` beside the folder that the corpus will be, and is gone on with; the
folder itself appears whole, at the end.
"""

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote, urlsplit

from ser_core import catalogue, downloads, lfs, store, unpacking
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.corpora import KINDS, Scan
from ser_core.corpora.sources import ON_REQUEST, SOURCES, Archive, Repository, Source
from ser_core.downloads import DownloadError, Remote
from ser_core.errors import SerError
from ser_core.unpacking import UnpackError

MB: Final = 1_000_000
Progress = Callable[[int, int, str], None]
"""Told how many bytes are here, how many there will be, and what is being done."""


class FetchError(SerError, RuntimeError):
    """A corpus that cannot be fetched; the message says why and what to do instead."""


def offered() -> list[str]:
    """Return the kinds of corpora that can be fetched: known here, and free to download."""
    return [kind for kind in SOURCES if kind in KINDS]


def find(kind: str) -> Source:
    """Return where a corpus is to be had.

    Raises
    ------
    FetchError
        If it is given on request only, with whom to ask, or is none of `offered`.
    """
    if kind in ON_REQUEST:
        title, page = ON_REQUEST[kind]
        raise FetchError(f"{title} is given to those who ask for it, at {page}; it cannot be fetched")
    if kind not in offered():
        raise FetchError(f"no download is known of {kind!r}: expected one of {', '.join(offered())}")
    return SOURCES[kind]


def default_folder(cache: Cache, kind: str) -> Path:
    """Return where a corpus is put unless somebody says otherwise."""
    return cache.root.absolute() / "corpora" / kind


def here(cache: Cache, source: Source, folder: Path) -> tuple[Located, Scan] | None:
    """Return a corpus that need not be fetched: it was added before, or lies in the folder, and is complete.

    Raises
    ------
    SerError
        If something else is in the way, or some of its clips are missing: that is not for a download to mend.
    """
    kind = source.kind
    added = next((one.root for one in catalogue.ls(cache) if one.name == kind), None)
    root = added or folder
    if not root.is_dir() or not any(root.iterdir()):
        if added not in {None, folder}:
            raise FetchError(f"{kind} was added from {root}, which is gone: forget it with `ser corpora rm {kind}`")
        return None
    located, scan = catalogue.add(cache, kind, root)
    if lost := scan.n_missing + len(scan.unreadable):
        raise FetchError(
            f"{root} holds {kind}, but {lost} of {scan.expected} clips are missing or cannot be read: move the folder "
            f"away (and `ser corpora rm {kind}`), then fetch it again"
        )
    return located, scan


def fetch(cache: Cache, source: Source, folder: Path, *, progress: Progress) -> tuple[Located, Scan]:
    """Download a corpus into a folder unless it is here, and add it; go on with what an earlier attempt left.

    Raises
    ------
    SerError
        If something is in the way, the disk is too full, the download or the archive is not what it should be, or
        another process is at it.
    """
    work = folder.with_name(f".{folder.name}.download")
    busy = FetchError(f"{folder} is being fetched by another process just now: wait for its end")
    with store.alone(folder.with_name(f".{folder.name}.lock"), busy=busy):
        if found := here(cache, source, folder):
            return found
        _check_room(source, folder, work)
        work.mkdir(parents=True, exist_ok=True)
        if isinstance(source.where, Archive):
            _unpack(source.where, folder, work, progress)
        else:
            _collect(source.where, folder, work, progress)
        shutil.rmtree(work)
    return catalogue.add(cache, source.kind, folder)


def _check_room(source: Source, folder: Path, work: Path) -> None:
    """Raise if the disk may not hold it, before anything is downloaded."""
    have = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    free, needed = shutil.disk_usage(folder.parent).free, source.where.room - have
    if free < needed:
        raise FetchError(
            f"{folder.parent} has {free / MB:,.0f} MB free, and {source.kind} takes up to {needed / MB:,.0f} MB: make "
            "room, or choose another folder with --to"
        )


def _unpack(where: Archive, folder: Path, work: Path, progress: Progress) -> None:
    """Download an archive and unpack it."""
    archive = work / PurePosixPath(urlsplit(where.remote.url).path).name

    def tell(done: int, total: int) -> None:
        progress(done, total, "downloading")

    with downloads.session() as session:
        downloads.fetch(where.remote, archive, session=session, progress=tell)
    size = archive.stat().st_size
    progress(size, size, "unpacking")
    try:
        unpacking.unpack(archive, folder, most_files=where.most_files, most_bytes=where.most_bytes)
    except UnpackError:
        archive.unlink()  # the next attempt would take it for good
        raise
    progress(size, size, "unpacked")


def _collect(where: Repository, folder: Path, work: Path, progress: Progress) -> None:
    """Download the files of a repository one after the other; those that are here are only checked."""
    tree, files = work / "tree.json", work / "files"
    tree.unlink(missing_ok=True)  # the repository may have changed since
    n_bytes = 0
    with downloads.session() as session:
        downloads.fetch(where.tree, tree, session=session)
        wanted = lfs.listed(tree.read_bytes(), where.folder, suffix=where.suffix)
        if len(wanted) != where.n_files:
            raise FetchError(
                f"{where.tree.url} lists {len(wanted):,} files *{where.suffix} in {where.folder}, expected "
                f"{where.n_files:,}: the repository has changed; look for a newer version of this program"
            )
        for name, listed in wanted.items():
            path = files / where.folder / name
            remote = Remote(f"{where.files}/{where.folder}/{quote(name)}", where.most_bytes)
            downloads.fetch(remote, path, session=session)
            content = path.read_bytes()
            if not lfs.matches(content, listed):
                path.unlink()
                found = lfs.sha1(lfs.pointer(content))
                raise DownloadError(f"{remote.url}: expected {listed} (git), found {found}; it was removed: try again")
            n_bytes += len(content)
            if n_bytes > where.n_bytes:
                raise FetchError(f"{where.files}: expected {where.n_bytes / MB:,.1f} MB in all, found more")
            progress(n_bytes, where.n_bytes, "downloading")
    files.replace(folder)
    progress(n_bytes, n_bytes, "downloaded")
