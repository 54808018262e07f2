import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ser_core.unpacking import UnpackError, unpack

FILES = {"Actor_01/a.wav": b"first", "Actor_02/deep/b.wav": b"second" * 1000, "notes.txt": b""}


def zipped(path: Path, files: Mapping[str, bytes], *, mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def tarred(path: Path, files: Mapping[str, bytes], *, kind: bytes = tarfile.REGTYPE, **fields: Any) -> Path:
    with tarfile.open(path, "w:gz", **fields) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type = kind
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            info.linkname = "/etc/passwd"
            archive.addfile(info, io.BytesIO(content))
    return path


def patched(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def take(archive: Path, *, files: int = 100, size: int = 10**6) -> dict[str, bytes]:
    """Unpack, and return what is there then."""
    folder = archive.parent / "out"
    unpack(archive, folder, most_files=files, most_bytes=size)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archive: Path, words: str, *, files: int = 100, size: int = 10**6) -> None:
    """An archive is refused in one sentence, and nothing is left of it."""
    before = {*archive.parent.parent.rglob("*")}
    with pytest.raises(UnpackError, match=words) as caught:
        take(archive, files=files, size=size)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(archive.name)
    assert {*archive.parent.parent.rglob("*")} == before


def both(tmp_path: Path, files: Mapping[str, bytes]) -> list[Path]:
    return [zipped(tmp_path / "a.zip", files), tarred(tmp_path / "a.tar.gz", files)]


@pytest.mark.parametrize("make", [zipped, tarred])
def test_archives_come_out_whole(tmp_path: Path, make: Any) -> None:
    archive = make(tmp_path / "archive", FILES)  # what it is, its content says
    (tmp_path / "out").mkdir()  # an empty folder is as good as none
    assert take(archive) == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "out"]
    (tmp_path / "other").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "other").stat().st_mode  # and not private


def test_folders_and_odd_but_harmless_names_are_taken(tmp_path: Path) -> None:
    names = {"./a//b/./c.wav": b"1", "back\\slash.wav": b"2", "Colère/x.wav": b"3", "...": b"4"}
    archive = zipped(tmp_path / "a.zip", {"folder/": b"", **names})
    assert take(archive) == {"a/b/c.wav": b"1", "back/slash.wav": b"2", "Colère/x.wav": b"3", "...": b"4"}


def test_names_from_before_utf_8_are_taken(tmp_path: Path) -> None:
    archive = patched(zipped(tmp_path / "a.zip", {"Col_re/x.wav": b"1"}), b"Col_re", b"Col\x8are")
    assert take(archive) == {"Colère/x.wav": b"1"}  # code page 437, as the format has it


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "..\\x", "\\x", "C:x", "c:\\x", "a\nb", "..", "./"])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_names_that_lead_away_are_refused(tmp_path: Path, make: Any, name: str) -> None:
    (tmp_path / "inner").mkdir()
    if name == "./":
        name = "." if make is tarred else "./."
    archive = make(tmp_path / "inner" / "a", {"fine.wav": b"1", name: b"2"})
    refused(archive, "expected a name of UTF-8 that stays inside its folder")


def test_names_that_are_no_utf_8_are_refused(tmp_path: Path) -> None:
    refused(
        tarred(tmp_path / "a.tar", {"Col\udce8re.wav": b"1"}, format=tarfile.GNU_FORMAT), "expected a name of UTF-8"
    )
    flagged = zipped(tmp_path / "a.zip", {"Colère.wav": b"1"})
    refused(patched(flagged, "è".encode(), b"\xe8\xe8"), "a.zip is damaged")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    refused(
        tarred(tmp_path / "a.tar", {"x.wav": b""}, kind=kind), r"'x\.wav' is a link or a device, expected plain files"
    )


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_of_zip_are_refused(tmp_path: Path, mode: int) -> None:
    archive = zipped(tmp_path / "a.zip", {"x.wav": b"/etc/passwd"}, mode=mode | 0o777)
    refused(archive, r"'x\.wav' is a link or a device, expected plain files")


def test_modes_of_plain_files_are_not_taken_over(tmp_path: Path) -> None:
    take(zipped(tmp_path / "a.zip", {"x.wav": b"1"}, mode=stat.S_IFREG | 0o4777))
    assert not (tmp_path / "out" / "x.wav").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for archive in both(tmp_path, {f"{number}.wav": b"" for number in range(11)}):
        refused(archive, "expected at most 10 files, found more", files=10)


def test_bombs_are_stopped(tmp_path: Path) -> None:
    for archive in both(tmp_path, {"bomb.wav": bytes(20_000_000)}):
        assert archive.stat().st_size < 50_000
        refused(archive, r"expected at most 1\.0 MB, found more")
    many = {f"{number}.wav": bytes(300_000) for number in range(4)}  # none too large by itself
    for archive in both(tmp_path, many):
        refused(archive, r"expected at most 1\.0 MB, found more")
        assert len(take(archive, size=1_200_000)) == 4
        for path in (archive.parent / "out").iterdir():
            path.unlink()


def test_a_bomb_that_states_another_size_brings_no_more_than_that(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"bomb.wav": bytes(20_000_000)})
    stated = (20_000_000).to_bytes(4, "little")
    refused(patched(archive, stated, (1000).to_bytes(4, "little")), "damaged.*CRC")


def test_names_that_are_one_on_other_systems_are_refused(tmp_path: Path) -> None:
    for archive in both(tmp_path, {"Neutre/a.wav": b"1", "neutre/A.WAV": b"2"}):
        refused(archive, r"'neutre/A\.WAV' beside 'Neutre/a\.wav', which are one file on some systems")
    for archive in both(tmp_path, {"Colère.wav": b"1", "Cole\u0300re.wav": b"2"}):
        refused(archive, "one file on some systems")
    for archive in both(tmp_path, {"a": b"1", "A/b": b"2"}):
        refused(archive, "'A/b' beside 'a'")
    for archive in both(tmp_path, {"a/b": b"1", "A": b"2"}):
        refused(archive, "'A' beside 'a folder of that name'")
    for archive in both(tmp_path, {"a.wav": b"1", "./a.wav": b"2"}):
        refused(archive, "one file on some systems")


def test_encrypted_archives_are_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"x.wav": b"1"})
    content = bytearray(archive.read_bytes())
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(start) + flags] |= 1
    archive.write_bytes(content)
    refused(archive, r"'x\.wav' is encrypted, expected an archive without password")


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_archives_that_are_cut_off_are_refused(tmp_path: Path, make: Any, share: float) -> None:
    archive = make(tmp_path / "archive", {"x.wav": b"".join(n.to_bytes(3, "big") for n in range(100_000))})
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    refused(archive, "archive is damaged, cut off, or no zip or tar archive")


def test_wrong_bytes_and_other_files_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_text("<html>Sign in</html>")
    refused(archive, "damaged, cut off, or no zip or tar archive")
    with zipfile.ZipFile(archive, "w") as plain:
        plain.writestr("x.wav", b"content")
    refused(patched(archive, b"content", b"contend"), "CRC")


def test_what_is_there_stays(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", FILES)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.wav").write_bytes(b"mine")
    with pytest.raises(OSError, match="not empty"):
        take(archive)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.wav"]
