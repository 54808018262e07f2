"""audformat databases, as audEERING publishes them: a header ``db.yaml``, tables beside it, and the files they name.

Emotions and speakers are found where the database keeps them: in columns or schemes of these names, or in the table of
speakers that a scheme refers to. A clip here is a whole file, so that labels of a part of one cannot be used. Neither
pickled tables nor Python objects in the header are read: they can run code.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from ser_core.corpora.base import UNKNOWN, Corpus, CorpusError, Listing, audio_files
from ser_core.corpora.metadata import inside, tidy
from ser_core.soundfiles import plain

if TYPE_CHECKING:
    from audformat import Database

HEADER: Final = "db.yaml"
SUFFIXES: Final = (".csv", ".parquet")
"""Endings of tables that are read."""
COLUMNS: Final = ("emotion", "speaker", "gender", "age", "language", "valence", "arousal", "dominance")
LAYOUT: Final = "a folder with a db.yaml, its tables as CSV or parquet, and the audio files that they name"


@dataclass(frozen=True)
class _Labels:
    """What the tables say under one name: file -> value, and the files of which only parts have one."""

    whole: dict[str, Any]
    parts: frozenset[str]


def parse(root: Path) -> Listing:
    """List the files of a database that have an emotion, and those whose emotion is not known.

    Raises
    ------
    CorpusError
        If audformat is not installed, the header or a table cannot be read, tables disagree, there is no emotion, it is
        of parts of files alone, or none of the files exists.
    """
    db = _database(root)
    labels = {name: _labels(db, name, root) for name in COLUMNS}
    said = {name: one.whole for name, one in labels.items() if one.whole}
    if not said.get("emotion"):
        of = "those of parts of files alone: cut each into a file of its own" if labels["emotion"].parts else "none"
        raise CorpusError(f"{root}: expected tables with the emotions of whole files, found {of}")
    present = [path.relative_to(root).as_posix() for path in audio_files(root)]
    listed = _files(db, root)
    rows, left_out = [], []
    for name in present:
        if name not in listed:
            left_out.append((name, "in no table of the database"))
        elif name in labels["emotion"].parts and name not in said["emotion"]:
            left_out.append((name, "only parts of it have an emotion"))
        else:
            known = {column: values.get(name) for column, values in said.items()}
            rows.append({"file": name} | _spoken(db) | known | _words(known))
    if not rows:
        raise CorpusError(f"{root}: expected {LAYOUT}, found none of the {len(listed)} files of its tables")
    return Listing(rows, tuple(sorted(listed - set(present))), tuple(left_out))


def says(root: Path) -> dict[str, str]:
    """Return what the header says of the card: title, language, licence and citation, each in one line.

    Raises
    ------
    CorpusError
        As `parse`.
    """
    db = _header(root)
    credit = [str(one) for one in (db.author, db.organization, db.name, db.source) if one]
    said = {
        "title": f"audformat: {db.name}",
        "language": ", ".join(db.languages) or "not given",
        "licence": str(db.license or f"usage: {db.usage}"),
        "citation": ", ".join(credit),
    }
    return {field: plain(text) for field, text in said.items()}


def corpus(name: str) -> Corpus:
    """Return the card of a database of which nothing is read yet."""
    return Corpus(
        name=name,
        title=f"audformat database ({name})",
        language="as its header says",
        licence="as its header says",
        citation="an audformat database",
        emotions=(),
        parse=parse,
        says=says,
    )


def _header(root: Path) -> "Database":
    file = root / HEADER
    try:
        import audformat
        import yaml
    except ImportError as error:
        raise CorpusError(f"{root}: reading it needs audformat: run `pip install 'ser-atlas[audformat]'`") from error
    if not file.is_file():
        raise CorpusError(f"{root}: expected {LAYOUT}, found no {HEADER}")
    try:
        return audformat.Database.load_header_from_yaml(yaml.safe_load(file.read_text("utf-8")))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CorpusError(f"{file}: expected the header of an audformat database ({_first(error)})") from error


def _database(root: Path) -> "Database":
    """Return the header with all its tables."""
    db = _header(root)
    with _readable(root) as folder:
        for name in (*db.misc_tables, *db.tables):  # labels of schemes may be in the former
            try:
                db[name].load(str(folder / f"db.{name}"))
            except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
                expected = f"expected db.{name}.csv or db.{name}.parquet with what {HEADER} says of it"
                raise CorpusError(f"{root}: {expected} ({_first(error)})") from error
    return db


@contextmanager
def _readable(root: Path) -> Iterator[Path]:
    """Give a folder with the tables that may be read: audformat would prefer a pickle beside them."""
    with tempfile.TemporaryDirectory(prefix="ser-tables-") as folder:
        for file in root.glob("db.*"):
            if file.suffix in SUFFIXES:
                (Path(folder) / file.name).symlink_to(file.absolute())
        yield Path(folder)


def _labels(db: "Database", name: str, root: Path) -> _Labels:
    try:
        values = db.get(name)[name]
    except (KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"{root}: expected one {name} for a file, its tables disagree ({_first(error)})") from error
    values = values.astype(object)[values.notna().to_numpy()]
    files = [tidy(str(file)) for file in values.index.get_level_values("file")]
    whole = [True] * len(files)
    if isinstance(values.index, pd.MultiIndex):
        starts, ends = (values.index.get_level_values(level) for level in ("start", "end"))
        whole = (starts == pd.Timedelta(0)) & ends.isna()
    parts = frozenset(file for file, all_of_it in zip(files, whole, strict=True) if not all_of_it)
    known = zip(files, values, whole, strict=True)
    return _Labels({file: value for file, value, all_of_it in known if all_of_it}, parts)


def _files(db: "Database", root: Path) -> set[str]:
    found = {tidy(str(file)) for file in db.files}
    for name in sorted(found):
        if not inside(name):
            raise CorpusError(f"{root}: expected tables that name files inside the folder, found {name!r}")
    return found


def _spoken(db: "Database") -> dict[str, Any]:
    """Return the language of every clip, where the header has one alone."""
    return {"language": db.languages[0]} if len(db.languages) == 1 else {}


def _words(known: dict[str, Any]) -> dict[str, str]:
    """Return emotion and speaker as words."""
    return {name: UNKNOWN if known.get(name) is None else str(known[name]) for name in ("speaker", "emotion")}


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
