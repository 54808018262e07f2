"""A folder of one's own: audio files and a ``metadata.csv``, as Hugging Face's AudioFolder has it.

``metadata.csv`` has a column ``file_name`` (relative to the folder) and any of emotion, speaker, gender, language,
valence, arousal, dominance, recorded_at; other columns come along. What is not given is "unknown", never guessed. Times
count by the clock of their own time zone, which may differ from row to row (summer time), and are kept without it.
"""

import csv
import io
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pandas as pd

from ser_core import dates
from ser_core.corpora.base import Corpus, CorpusError, Listing, audio_files

UNKNOWN: Final = "unknown"
NUMBERS: Final = ("valence", "arousal", "dominance")
LAYOUT: Final = "a folder with audio files and a metadata.csv that has a column file_name"


def parse(root: Path) -> Listing:
    """List the rows of ``metadata.csv``; audio without a row is left out, rows without their file are missing.

    Raises
    ------
    CorpusError
        If there is no ``metadata.csv``, it cannot be read, has no ``file_name``, repeats a name, points outside the
        folder, holds a word where a number or a date belongs, or none of its files exists.
    """
    table = _read(root)
    present = {path.relative_to(root).as_posix(): path for path in audio_files(root)}
    rows: list[dict[str, Any]] = []
    missing = []
    for row in table.to_dict("records"):
        name = str(row.pop("file_name"))
        if name in present:
            rows.append({"file": name, "speaker": UNKNOWN, "emotion": UNKNOWN} | {str(k): v for k, v in row.items()})
        else:
            missing.append(name)
    if not rows:
        raise CorpusError(f"{root}: expected {LAYOUT}, found {len(table)} rows but none of their files")
    named = {row["file"] for row in rows}
    left_out = tuple((name, "no row in metadata.csv") for name in present if name not in named)
    return Listing(rows, tuple(missing), left_out)


def corpus(name: str) -> Corpus:
    """Return the card of a folder of one's own."""
    return Corpus(
        name=name,
        title=f"your own recordings ({name})",
        language="as given",
        licence="your own",
        citation="your own recordings",
        emotions=(),
        parse=parse,
    )


def tidy(name: str) -> str:
    """Return the one form of a file's name that stands for all ways to write it.

    Examples
    --------
    >>> tidy(" ./a//b.wav ")
    'a/b.wav'
    """
    name = name.strip().replace("\\", "/")
    return PurePosixPath(name).as_posix() if name else name


def _read(root: Path) -> pd.DataFrame:
    file = root / "metadata.csv"
    if not file.is_file():
        raise CorpusError(f"{root}: expected {LAYOUT}, found no metadata.csv ({len(audio_files(root))} audio files)")
    try:
        text = file.read_text("utf-8-sig")
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=[""], index_col=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{file}: expected a UTF-8 table, commas between columns ({error})") from error
    table.columns = table.columns.str.strip()
    heads = next(csv.reader(text.splitlines()), [])
    twice = sorted({head.strip() for head in heads if [one.strip() for one in heads].count(head.strip()) > 1})
    if twice:
        raise CorpusError(f"{file}: the column {twice[0]!r} occurs twice; every column has one name")
    if "file_name" not in table.columns:
        raise CorpusError(f"{file}: expected a column file_name, found {', '.join(table.columns)}")
    if taken := {"file", "corpus"} & set(table.columns):
        raise CorpusError(f"{file}: a column named {min(taken)} is kept for the program; rename it")
    table["file_name"] = table["file_name"].fillna("").map(tidy)
    for row, name in enumerate(table["file_name"]):
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts:
            raise CorpusError(f"{file}, line {_lines(text)[row]}: expected a file inside the folder, found {name!r}")
    repeated = table["file_name"][table["file_name"].duplicated()]
    if len(repeated):
        raise CorpusError(f"{file}: {repeated.iloc[0]!r} occurs twice; every clip has one row")
    return _typed(table, file, text)


def _typed(table: pd.DataFrame, file: Path, text: str) -> pd.DataFrame:
    for column in ("emotion", "speaker"):
        if column in table:
            table[column] = table[column].fillna(UNKNOWN).str.strip()
    for column in NUMBERS:
        if column in table:
            try:
                table[column] = pd.to_numeric(table[column])
            except ValueError as error:
                raise CorpusError(f"{file}: column {column} should hold numbers ({error})") from error
    if "recorded_at" in table:
        times = [_time(value, row, file, text) for row, value in enumerate(table["recorded_at"])]
        table["recorded_at"] = pd.Series(times, table.index, dtype="datetime64[us]")
    return table


def _time(value: Any, row: int, file: Path, text: str) -> Any:
    try:
        return dates.clock(value)
    except ValueError as error:
        expected = "recorded_at should hold dates such as 2026-03-01 or 2026-03-01T18:30"
        raise CorpusError(f"{file}, line {_lines(text)[row]}: {expected}, found {value!r}") from error


def _lines(text: str) -> list[int]:
    """Return the line that each row begins at: a row may hold line ends, and pandas skips empty lines."""
    lines = text.split("\n")
    reader, begin, found = csv.reader(lines), 1, []
    for _ in reader:
        if lines[begin - 1].strip():
            found.append(begin)
        begin = reader.line_num + 1
    return found[1:]
