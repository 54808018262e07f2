"""Git LFS: what a repository's own list of files says of large files that lie elsewhere.

A large file is in git as a pointer, a short text with the file's SHA-256 and size. The list of a repository's files
gives the SHA-1 of the pointer, and the pointer can be written from the file: so each file is checked, byte for byte,
against the repository, without a request more.

References
----------
https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md (pointer);
https://docs.github.com/en/rest/git/trees (list)
"""

import hashlib
import json
import re
from typing import Any, Final

from ser_core.errors import SerError

POINTER: Final = "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""A file's name as it may become one here."""


class ListError(SerError, ValueError):
    """A list of files that is none; the message says what was expected."""


def listed(tree: bytes, folder: str, *, suffix: str) -> dict[str, str]:
    """Return name and git's SHA-1 of the files of one folder, sorted by name.

    Parameters
    ----------
    tree
        A recursive tree as GitHub gives it, JSON.
    folder, suffix
        Where they lie in the repository, and how their names end.

    Raises
    ------
    ListError
        If it is no such tree, is not complete, or holds a name that no file should have.
    """
    try:
        value: Any = json.loads(tree)
        entries = {str(one["path"]): str(one["sha"]) for one in value["tree"] if one["type"] == "blob"}
        complete = not value["truncated"]
    except (ValueError, KeyError, TypeError) as error:
        raise ListError(f"the list of files is no tree of GitHub's ({error!r}): try again later") from error
    if not complete:
        raise ListError("the list of files is cut off by GitHub: look for a newer version of this program")
    start = f"{folder}/"
    found = {path.removeprefix(start): sha for path, sha in entries.items() if path.startswith(start)}
    found = {name: sha for name, sha in sorted(found.items()) if name.endswith(suffix)}
    if odd := next((name for name in found if not NAME.fullmatch(name)), None):
        raise ListError(f"the list of files names {odd!a}, expected letters, digits, dot, dash and underscore")
    return found


def sha1(content: bytes) -> str:
    """Return what git calls this content.

    Examples
    --------
    >>> sha1(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def pointer(content: bytes) -> bytes:
    """Return what stands for this content in a repository that keeps it with Git LFS."""
    return POINTER.format(sha256=hashlib.sha256(content).hexdigest(), size=len(content)).encode()


def matches(content: bytes, listed: str) -> bool:
    """Whether a file is the one that a list names by the SHA-1 of its pointer; a pointer itself is not."""
    return sha1(pointer(content)) == listed
