"""What every command of `ser` shares: options, errors as one sentence, tables, a progress bar, being a job."""

import json
import math
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ser_core import jobs
from ser_core.cache import Cache
from ser_core.errors import SerError
from ser_core.values import plain

ERR: Final = Console(stderr=True)
MB: Final = 1_000_000
CacheOption = Annotated[Path | None, typer.Option("--cache", help="Cache folder (default: $SER_CACHE, else ./cache).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def command(parent: typer.Typer, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a command whose errors are one sentence and an exit code."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def answered(**arguments: Any) -> None:
            try:
                function(**arguments)
            except (SerError, OSError, sqlite3.Error) as error:
                sentence = str(error)
                if not isinstance(error, SerError):  # a disk that is full, a folder that may not be read or written
                    sentence = f"the machine says: {error}; is the disk full, or is a folder not yours to use?"
                if arguments.get("as_json"):
                    print_json({"error": sentence})
                ERR.print(f"Error: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
                raise typer.Exit(1) from None
            except KeyboardInterrupt:
                ERR.print("Stopped. What was finished is kept.")
                raise typer.Exit(130) from None

        return parent.command(name)(answered)

    return register


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; NaN and infinity, which JSON does not know, are null."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=1, allow_nan=False))


def print_table(*columns: str, rows: Iterable[Sequence[object]]) -> None:
    """Print a plain table."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 200).print(table, markup=False, highlight=False)


def print_matrix(title: str, names: Sequence[str], values: Iterable[Iterable[float | None]]) -> None:
    """Print a table with the same names at its rows and columns."""
    rows = [(name, *(cell(value) for value in row)) for name, row in zip(names, values, strict=True)]
    print_table(title, *names, rows=rows)


def cell(value: object) -> str:
    """Return a value of a table: numbers with two digits, a dash for what cannot be told.

    Examples
    --------
    >>> [cell(one) for one in (0.456, 3, None, float("nan"))]
    ['0.46', '3', '-', '-']
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def span(pair: Sequence[float | None] | None, *, digits: int = 2) -> str:
    """Return an interval of a table.

    Examples
    --------
    >>> span((0.1, 0.25)), span(None), span((None, None))
    ('0.10 to 0.25', '-', '-')
    """
    low, high = pair or (None, None)
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "-"
    return f"{low:.{digits}f} to {high:.{digits}f}"


def pace(start: float, done: int, total: int) -> tuple[float, float | None]:
    """Return steps a second since ``start`` (of `time.monotonic`) and seconds left, None while nothing is done."""
    rate = done / max(time.monotonic() - start, 1e-6)
    return rate, (total - done) / rate if done else None


@contextmanager
def bar(title: str) -> Iterator[Callable[..., None]]:
    """Show a progress bar on standard error; the yielded function takes done, total, rate, seconds left, message."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[pace]}", markup=False), console=ERR) as progress:
        task = progress.add_task(title, total=None, pace="")
        start = time.monotonic()

        def show(
            done: int, total: int, rate: float | None = None, seconds_left: float | None = None, message: str = ""
        ) -> None:
            if rate is None:
                rate, seconds_left = pace(start, done, total)
            left = f", {seconds_left:.0f} s left" if seconds_left is not None else ""
            parts = [message, f"{rate:.1f}/s{left}" if rate else ""]
            progress.update(task, completed=done, total=total, pace="  ".join(part for part in parts if part))

        yield show


def where(cache: Path | None) -> Cache:
    """Return the cache that an option names, else the default one."""
    return Cache(cache.expanduser().absolute()) if cache else Cache.default()


def megabytes(report: Callable[..., None]) -> Callable[[int, int, str], None]:
    """Return what tells ``report`` of bytes as whole megabytes; the rate is of those that came since the beginning."""
    start = time.monotonic()
    first: list[int] = []

    def tell(done: int, total: int, message: str) -> None:
        first.append(done) if not first else None  # what an earlier attempt left did not come now
        rate, _ = pace(start, done - first[0], total)
        left = (total - done) / rate if rate else None
        report(done // MB, math.ceil(total / MB), rate=rate / MB, seconds_left=left, message=message)

    return tell


def waiting(status: jobs.Status | None) -> None:
    """Say that another process is this job already."""
    ERR.print(f"Already running (process {status.pid if status else '?'}); waiting for it.", markup=False)


@contextmanager
def job(cache: Cache, arguments: list[str], title: str) -> Iterator[Callable[..., None]]:
    """Be a job that pages can watch, with a bar in the terminal; the yielded function reports progress to both."""
    with jobs.running(cache, arguments, title=title, waiting=waiting) as run, bar(title) as show:
        start = time.monotonic()

        def report(
            done: int,
            total: int,
            *,
            failed: int = 0,
            rate: float | None = None,
            seconds_left: float | None = None,
            message: str = "",
        ) -> None:
            if rate is None:
                rate, seconds_left = pace(start, done, total)
            run.report(done, total, failed=failed, rate=rate, seconds_left=seconds_left, message=message)
            show(done, total, rate, seconds_left, message)

        yield report
