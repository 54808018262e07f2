"""Clips that people decide to keep: a folder corpus of their own under ``own/<corpus>`` of the cache.

Such a folder is like any other (`ser_core.corpora.folder`): audio and a ``metadata.csv`` that may be edited by hand.
Names of files that were uploaded are a column there and never a path: a file is called after its content.
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Final

from filelock import FileLock

from ser_core import audio, catalogue, dates
from ser_core.audio import Decoded
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.corpora import KINDS
from ser_core.corpora.metadata import tidy
from ser_core.errors import SerError
from ser_core.store import write_atomic

SUFFIXES: Final = {
    "WAV": "wav",
    "WAVEX": "wav",
    "RF64": "wav",
    "FLAC": "flac",
    "OGG": "ogg",
    "MP3": "mp3",
    "AIFF": "aiff",
}
"""Container, as the file's content says, to the ending that a folder corpus looks for; others are kept as WAV."""
COLUMNS: Final = ("file_name", "emotion", "speaker", "gender", "language", "recorded_at", "original_name")
LONGEST: Final = 200
"""Characters of a label, and of the name that a file had."""


class KeepingError(SerError, ValueError):
    """A clip that cannot be kept as asked; the message says why."""


def kept(cache: Cache) -> list[Located]:
    """Return the corpora of clips that were kept here, by name."""
    return [one for one in catalogue.ls(cache) if one.root == _folder(cache, one.name)]


def keep(
    cache: Cache,
    data: bytes,
    clip: Decoded,
    *,
    corpus: str,
    emotion: str = "",
    speaker: str = "",
    gender: str = "",
    language: str = "",
    recorded_at: str = "",
    original_name: str = "",
) -> Located:
    """Keep a clip in a corpus of one's own, which is made and remembered where there is none of that name yet.

    The audio is written first and its row in ``metadata.csv`` after it, each at once or not at all. The same recording
    again replaces its row; columns and rows that were added by hand stay.

    Parameters
    ----------
    data, clip
        The bytes of the file, kept as they are where libsndfile reads them (else the decoded clip, as 16-bit WAV), and
        what was decoded from them.
    corpus
        One of `kept`, or a new name.
    emotion, speaker, gender, language, recorded_at
        What is known of it, as text; empty: unknown. The time is in ISO 8601.
    original_name
        What the file was called, for people to read.

    Raises
    ------
    KeepingError
        If the name belongs to another corpus, a label is too long, the time is none, or ``metadata.csv`` was damaged.
    CorpusError
        If the name is none, or the list of corpora is damaged.
    """
    labels = {"emotion": emotion, "speaker": speaker, "gender": gender, "language": language}
    row = {name: _label(name, text) for name, text in labels.items()}
    row |= {"recorded_at": _time(recorded_at), "original_name": _clean(original_name)[:LONGEST]}
    catalogue.check_name(corpus)
    folder = _folder(cache, corpus)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / ".lock"):  # one for all: no corpus can have this name
            known = _known(cache, corpus, folder)
            _write(folder, data, clip, row)
            return known or catalogue.add(cache, "folder", folder, name=corpus)[0]
    except OSError as error:
        raise KeepingError(f"the clip cannot be written to {folder} ({error.strerror})") from error


def _write(folder: Path, data: bytes, clip: Decoded, row: Mapping[str, str]) -> None:
    """Write the audio, and then the table that names it."""
    heads, rows = _read(folder / "metadata.csv")
    suffix = SUFFIXES.get(clip.info.container)
    name = f"clip_{hashlib.sha256(data).hexdigest()[:16]}.{suffix or 'wav'}"
    write_atomic(folder / name, data if suffix else audio.wav_bytes(clip.signal, clip.sampling_rate))
    rows[name] = {**rows.get(name, {}), "file_name": name, **row}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys([*heads, *COLUMNS])), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows.values())
    write_atomic(folder / "metadata.csv", text.getvalue().encode())


def _folder(cache: Cache, corpus: str) -> Path:
    return cache.root.absolute() / "own" / corpus


def _known(cache: Cache, corpus: str, folder: Path) -> Located | None:
    """Return the corpus of this name, None if there is none yet."""
    if corpus in KINDS:
        raise KeepingError(f"{corpus} is the name of a corpus that others have, too: choose one for clips of your own")
    there = {one.name: one for one in catalogue.ls(cache)}
    if corpus in there and there[corpus].root != folder:
        raise KeepingError(f"{corpus} is another corpus, at {there[corpus].root}: choose a name for clips of your own")
    return there.get(corpus)


def _label(name: str, text: str) -> str:
    text = _clean(text)
    if len(text) > LONGEST:
        raise KeepingError(f"{name} has {len(text)} characters; at most {LONGEST} are kept")
    return text


def _time(text: str) -> str:
    text = _clean(text)
    try:
        dates.clock(text or None)
    except ValueError:
        raise KeepingError(
            f"recorded at {text[:LONGEST]!r}: expected a date such as 2026-03-01 or 2026-03-01T18:30"
        ) from None
    return text


def _clean(text: str) -> str:
    """Return a text that a UTF-8 table holds and gives back: one kind of line end, no other control characters."""
    text = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    letters = (one if one.isprintable() or one == "\n" else " " if one.isspace() else "" for one in text)
    return "".join(letters).strip()


def _read(file: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Return the columns of a table, and its rows by file name, every value as it is written."""
    if not file.exists():
        return [], {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            heads = [head.strip() for head in next(reader, [])]
            rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise KeepingError(f"{file} cannot be read ({error}): mend it, or keep the clip in another corpus") from error
    if "file_name" not in heads or len(set(heads)) < len(heads) or any(len(row) > len(heads) for row in rows):
        raise KeepingError(f"{file}: expected a column file_name, each column once, and no row longer than the first")
    named = [dict(zip_longest(heads, row, fillvalue="")) for row in rows]
    found = {tidy(row["file_name"]): row for row in named}
    if len(found) < len(named):
        raise KeepingError(f"{file}: a file occurs twice; every clip has one row")
    return heads, found
