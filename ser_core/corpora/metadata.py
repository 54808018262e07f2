"""The table that lists the clips of a folder: ``metadata.csv``, ``metadata.jsonl`` or ``metadata.parquet``.

All are read as text and checked alike. ``file_name`` is relative to the table's own folder; ``label``, as Hugging Face
has it, is the emotion where there is no column ``emotion``. Times count by the clock of their own time zone, which may
differ from row to row (summer time), and are kept without it.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pandas as pd

from ser_core import dates
from ser_core.corpora.base import UNKNOWN, CorpusError

NAMES: Final = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
NUMBERS: Final = ("valence", "arousal", "dominance")

Where = Callable[[int], str]
"""Says where in a file a row is, for people: row number from 0 -> "line 2"."""


def find(folder: Path) -> Path | None:
    """Return the table in a folder, None if it has none.

    Raises
    ------
    CorpusError
        If it has two: they may not say the same.
    """
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(found) > 1:
        raise CorpusError(f"{folder}: expected one table, found {found[0].name} and {found[1].name}; keep one of them")
    return found[0] if found else None


def read(file: Path) -> pd.DataFrame:
    """Return a table with its names checked and tidy, numbers as numbers and times as times.

    Raises
    ------
    CorpusError
        If it cannot be read, has no ``file_name`` or a column twice, repeats a name, points outside its folder, or
        holds a word where a number or a date belongs.
    """
    table, where = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}[file.suffix](file)
    table.columns = table.columns.astype(str).str.strip()
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise CorpusError(f"{file}: the column {twice[0]!r} occurs twice; every column has one name")
    if "file_name" not in table.columns:
        raise CorpusError(f"{file}: expected a column file_name, found {', '.join(table.columns)}")
    if taken := {"file", "corpus"} & set(table.columns):
        raise CorpusError(f"{file}: a column named {min(taken)} is kept for the program; rename it")
    if "emotion" not in table.columns:
        table = table.rename(columns={"label": "emotion"})
    table["file_name"] = table["file_name"].fillna("").map(tidy)
    for row, name in enumerate(table["file_name"]):
        if not inside(name):
            raise CorpusError(f"{file}, {where(row)}: expected a file inside the folder, found {name!r}")
    repeated = table["file_name"][table["file_name"].duplicated()]
    if len(repeated):
        raise CorpusError(f"{file}: {repeated.iloc[0]!r} occurs twice; every clip has one row")
    return _typed(table, file, where)


def tidy(name: str) -> str:
    """Return the one form of a file's name that stands for all ways to write it.

    Examples
    --------
    >>> tidy(" ./a//b.wav ")
    'a/b.wav'
    """
    name = name.strip().replace("\\", "/")
    return PurePosixPath(name).as_posix() if name else name


def inside(name: str) -> bool:
    """Say whether a tidy name is that of a file inside a folder, whatever the folder.

    Examples
    --------
    >>> inside("a/b.wav"), inside("../b.wav"), inside("/etc/passwd")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _csv(file: Path) -> tuple[pd.DataFrame, Where]:
    try:
        text = file.read_text("utf-8-sig")
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=[""], index_col=False)
        heads = next(csv.reader(text.splitlines()), [])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{file}: expected a UTF-8 table, commas between columns ({error})") from error
    if len(heads) == len(table.columns):  # pandas gives the second of two, and one without a name, a name of its own
        table.columns = pd.Index([own or given for own, given in zip(heads, table.columns, strict=True)])
    return table, lambda row: f"line {_lines(text)[row]}"


def _jsonl(file: Path) -> tuple[pd.DataFrame, Where]:
    rows, numbers, number = [], [], 1
    try:
        for number, line in enumerate(file.read_text("utf-8-sig").split("\n"), start=1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TypeError(f"found {line[:100]!r}")
            rows.append({key: _text(value) for key, value in row.items()})
            numbers.append(number)
    except (ValueError, TypeError, RecursionError) as error:
        raise CorpusError(f"{file}, line {number}: expected a JSON object in UTF-8 ({error})") from error
    if not rows:
        raise CorpusError(f"{file}: expected a JSON object in each line, found no line")
    return pd.DataFrame(rows, dtype="str"), lambda row: f"line {numbers[row]}"


def _parquet(file: Path) -> tuple[pd.DataFrame, Where]:
    try:
        table = pd.read_parquet(file, dtype_backend="numpy_nullable")  # else 1 becomes 1.0 where one is missing
    except (ValueError, OSError) as error:
        raise CorpusError(f"{file}: expected a parquet table ({error})") from error
    rows = [[_text(value) for value in row] for row in table.itertuples(index=False, name=None)]
    return pd.DataFrame(rows, columns=table.columns, dtype="str"), lambda row: f"row {row + 1}"


def _text(value: Any) -> str | None:
    """Return a value as a CSV table would hold it; None where there is none."""
    missing = pd.api.types.is_scalar(value) and pd.isna(value)
    return None if missing else str(value) or None


def _typed(table: pd.DataFrame, file: Path, where: Where) -> pd.DataFrame:
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
        times = [_time(value, file, where(row)) for row, value in enumerate(table["recorded_at"])]
        table["recorded_at"] = pd.Series(times, table.index, dtype="datetime64[us]")
    return table


def _time(value: Any, file: Path, where: str) -> Any:
    try:
        return dates.clock(value)
    except ValueError as error:
        expected = "recorded_at should hold dates such as 2026-03-01 or 2026-03-01T18:30"
        raise CorpusError(f"{file}, {where}: {expected}, found {value!r}") from error


def _lines(text: str) -> list[int]:
    """Return the line that each row begins at: a row may hold line ends, and pandas skips empty lines."""
    lines = text.split("\n")
    reader, begin, found = csv.reader(lines), 1, []
    for _ in reader:
        if lines[begin - 1].strip():
            found.append(begin)
        begin = reader.line_num + 1
    return found[1:]
