import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ser_core import lfs
from ser_core.lfs import ListError


def tree(*paths: str, **fields: Any) -> bytes:
    entries = [{"path": path, "type": "blob", "sha": f"{number:040x}"} for number, path in enumerate(paths)]
    return json.dumps(
        {"tree": [*entries, {"path": "A", "type": "tree", "sha": "f"}], "truncated": False, **fields}
    ).encode()


def test_files_of_one_folder_are_listed() -> None:
    found = lfs.listed(tree("A/b.wav", "A/a.wav", "A/a.mp3", "B/a.wav", "a.wav", "AA/x.wav"), "A", suffix=".wav")
    assert list(found.items()) == [("a.wav", f"{1:040x}"), ("b.wav", f"{0:040x}")]


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b"{}", b'{"tree": [{}], "truncated": false}', b'{"tree": []}']
)
def test_other_content_is_no_list(content: bytes) -> None:
    with pytest.raises(ListError, match="is no tree of GitHub's"):
        lfs.listed(content, "A", suffix=".wav")


def test_a_list_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ListError, match="cut off by GitHub"):
        lfs.listed(tree("A/a.wav", truncated=True), "A", suffix=".wav")


@pytest.mark.parametrize("name", ["../a.wav", "b/a.wav", ".a.wav", "é.wav", "a b.wav", "a" * 100 + ".wav"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(ListError, match="expected letters, digits, dot, dash and underscore"):
        lfs.listed(tree("A/fine.wav", f"A/{name}"), "A", suffix=".wav")


def test_a_file_is_found_by_the_pointer_that_git_keeps(tmp_path: Path) -> None:
    content = b"RIFF and so on" * 1000
    # what `git lfs pointer` writes of this content, and what `git hash-object` says of that
    digest = subprocess.run(["sha256sum"], input=content, capture_output=True, check=True).stdout.split()[0].decode()
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
    known = subprocess.run(["git", "hash-object", "--stdin"], input=text.encode(), capture_output=True, check=True)
    listed = known.stdout.decode().strip()
    assert lfs.matches(content, listed)
    assert not lfs.matches(content[:-1], listed)
    assert not lfs.matches(text.encode(), listed)  # the pointer in place of the file
