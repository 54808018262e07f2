"""Vectors on disk: one SQLite database per encoder recipe, one row per clip.

SQLite because it is in Python itself, survives a kill at any instant, lets several processes write, needs no server,
will be readable for decades, and holds a blob with a checksum per clip without pickle; LMDB needs a size fixed in
advance, and HDF5 loses a file that is killed while it is written.
"""

import hashlib
import json
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ser_core.errors import SerError

BUSY_SECONDS: Final = 60.0
NO_DAMAGE: Final = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM),
    }
)
"""What SQLite says when the machine is at fault and not the file."""
MOST_BYTES: Final = 2**40
Result = TypeVar("Result")
VECTOR_TABLES: Final = """
PRAGMA page_size = 65536;
CREATE TABLE IF NOT EXISTS vectors (sha TEXT PRIMARY KEY, n_layers INT, dim INT, data BLOB, crc INT);
CREATE TABLE IF NOT EXISTS failures (sha TEXT PRIMARY KEY, reason TEXT);
"""


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK: Final = _umask()


class CacheError(SerError, RuntimeError):
    """The cache folder cannot be used; the message names the folder and says what to do."""


def key(recipe: Mapping[str, Any]) -> str:
    """Return the name under which a recipe is kept: 20 hex digits of the SHA-256 of its canonical JSON.

    Examples
    --------
    >>> key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})
    True
    """
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it: temporary name, flush to disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
        os.fchmod(file.fileno(), 0o666 & ~_UMASK)  # temporary files are private, what is kept is as other files are
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


@contextmanager
def alone(lock: Path, *, busy: SerError) -> Iterator[None]:
    """Be the only process at something while the block runs; raises ``busy`` at once where another one is at it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise busy from None
    try:
        yield
    finally:
        held.release()


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object from a file, None if there is none or it is damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


@dataclass(frozen=True)
class Vectors:
    """What a store holds of the clips asked for; ``damaged`` says what was found broken (those are misses)."""

    vectors: dict[str, NDArray[np.float32]]
    failures: dict[str, str]
    damaged: tuple[str, ...]


@dataclass(frozen=True)
class VectorStore:
    """The vectors of one encoder recipe, by the SHA-256 of the audio file. Safe with several threads and processes."""

    folder: Path

    @property
    def path(self) -> Path:
        """The database."""
        return self.folder / "vectors.sqlite"

    @property
    def key(self) -> str:
        """The digest of the recipe."""
        return self.folder.name.rpartition("-")[2]

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe that lies beside the vectors; empty if that file is damaged."""
        return read_json(self.folder / "recipe.json") or {}

    def write(self, vectors: Mapping[str, NDArray[np.float32]], failures: Mapping[str, str]) -> None:
        """Add clips in one transaction; each vector has shape (n_layers, dim)."""
        rows = []
        for sha, vector in vectors.items():
            data = vector.astype("<f4").tobytes()
            rows.append((sha, *vector.shape, data, _checksum(sha, data)))

        def add(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)
            db.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?)", failures.items())
            db.executemany("DELETE FROM failures WHERE sha = ?", [(sha,) for sha in vectors])

        self._do(add)

    def read(self, shas: Iterable[str]) -> Vectors:
        """Return what is kept of these clips. A database that SQLite cannot read is mended first."""
        if not self.path.exists():
            return Vectors({}, {}, ())
        wanted = json.dumps(list(dict.fromkeys(shas)))
        kept, notes = self._do(lambda db: self._read(db, wanted))
        return Vectors(kept.vectors, kept.failures, (*notes, *kept.damaged))

    def known(self) -> tuple[set[str], dict[str, str]]:
        """Return the clips that have a vector, and those that failed with their reason, without reading vectors."""
        if not self.path.exists():
            return set(), {}

        def look(db: sqlite3.Connection) -> tuple[set[str], dict[str, str]]:
            shas = {sha for (sha,) in db.execute("SELECT sha FROM vectors")}
            return shas, dict(db.execute("SELECT sha, reason FROM failures").fetchall())

        return self._do(look)[0]

    def forget(self, shas: Iterable[str]) -> None:
        """Drop clips, vectors and failures alike."""
        rows = [(sha,) for sha in shas]

        def drop(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM vectors WHERE sha = ?", rows)
            db.executemany("DELETE FROM failures WHERE sha = ?", rows)

        self._do(drop)

    def _do(self, action: Callable[[sqlite3.Connection], Result]) -> tuple[Result, tuple[str, ...]]:
        """Run a transaction; where the database is damaged, mend it and run again. Returns notes of what was mended."""
        try:
            with database(self.path, VECTOR_TABLES) as db:
                return action(db), ()
        except sqlite3.Error as error:
            note = self.mend(_damage(self.path, error))
        with database(self.path, VECTOR_TABLES) as db:
            return action(db), (note,)

    def _read(self, db: sqlite3.Connection, wanted: str) -> Vectors:
        found: dict[str, NDArray[np.float32]] = {}
        damaged: list[str] = []
        query = "SELECT v.* FROM json_each(?) AS w JOIN vectors AS v ON v.sha = w.value"
        for sha, n_layers, dim, data, checksum in db.execute(query, (wanted,)):
            sound = isinstance(data, bytes) and _checksum(sha, data) == checksum
            if sound and len(data) == 4 * n_layers * dim:
                found[sha] = np.frombuffer(data, "<f4").reshape(n_layers, dim)
            else:
                damaged.append(f"{self.folder.name}: the entry of clip {sha[:12]} is damaged")
        query = "SELECT f.* FROM json_each(?) AS w JOIN failures AS f ON f.sha = w.value"
        return Vectors(found, dict(db.execute(query, (wanted,)).fetchall()), tuple(damaged))

    def problem(self) -> str | None:
        """Return what SQLite itself finds wrong with the whole database, None if it is sound."""
        if not self.path.exists():
            return None
        try:
            with database(self.path, VECTOR_TABLES) as db:
                (said,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.Error as error:
            return _damage(self.path, error)
        return None if said == "ok" else said

    def mend(self, problem: str) -> str:
        """Save what can be read into a new database; return the sentence that says so."""
        with FileLock(self.folder / "mend.lock"):
            _pad(self.path)
            vectors, failures = (self._salvage(table) for table in ("vectors", "failures"))
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=".", suffix=".tmp") as folder:
                new = Path(folder) / "vectors.sqlite"
                with database(new, VECTOR_TABLES) as db:
                    db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", vectors)
                    db.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?)", failures)
                self.path.with_name("vectors.sqlite-journal").unlink(missing_ok=True)  # of the damaged one
                new.replace(self.path)
        return f"the database of {self.folder.name} was damaged ({problem}): {len(vectors)} entries could be saved"

    def _salvage(self, table: str) -> list[tuple[Any, ...]]:
        """Return the rows that can be read, from both ends up to the damage."""
        rows: dict[str, tuple[Any, ...]] = {}
        for order in ("ASC", "DESC"):
            with suppress(sqlite3.Error), closing(_connect(self.path)) as db:
                for row in db.execute(f"SELECT * FROM {table} ORDER BY rowid {order}"):
                    rows[row[0]] = row
        return list(rows.values())


def _damage(path: Path, error: sqlite3.Error) -> str:
    """Return what is damaged; raise where it is the machine's fault and not the file's."""
    if getattr(error, "sqlite_errorcode", None) in NO_DAMAGE:
        raise CacheError(f"{path}: {error}; is the disk full or the folder write-protected?") from error
    return str(error)


def _pad(path: Path) -> None:
    """Give a database that was cut off its full length again, so that what is left of it can be read."""
    with path.open("r+b") as file:
        header = file.read(32)
        size = int.from_bytes(header[16:18], "big")
        n_bytes = (65_536 if size == 1 else size) * int.from_bytes(header[28:32], "big")
        if header.startswith(b"SQLite format 3") and path.stat().st_size < n_bytes < MOST_BYTES:
            file.truncate(n_bytes)


def _checksum(sha: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(sha.encode()))


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_SECONDS)
    db.text_factory = lambda text: text.decode("utf-8", "replace")  # damaged text is damage, not an exception
    return db


@contextmanager
def database(path: Path, tables: str) -> Iterator[sqlite3.Connection]:
    """Open a database, made where there is none; commit at the end, roll back on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(_connect(path)) as db, db:
        db.executescript(tables)
        yield db
