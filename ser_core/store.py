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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ser_core.errors import SerError

BUSY_SECONDS: Final = 60.0
VECTOR_TABLES: Final = """
PRAGMA page_size = 65536;
CREATE TABLE IF NOT EXISTS vectors (sha TEXT PRIMARY KEY, n_layers INT, dim INT, data BLOB, crc INT);
CREATE TABLE IF NOT EXISTS failures (sha TEXT PRIMARY KEY, reason TEXT);
"""


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
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


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
            rows.append((sha, *vector.shape, data, zlib.crc32(data)))
        with database(self.path, VECTOR_TABLES) as db:
            db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)
            db.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?)", failures.items())
            db.executemany("DELETE FROM failures WHERE sha = ?", [(sha,) for sha in vectors])

    def read(self, shas: Iterable[str]) -> Vectors:
        """Return what is kept of these clips. A database that SQLite cannot read is mended first."""
        wanted = json.dumps(list(dict.fromkeys(shas)))
        try:
            return self._read(wanted)
        except sqlite3.DatabaseError as error:
            note = self._mend(error)
            kept = self._read(wanted)
            return Vectors(kept.vectors, kept.failures, (note, *kept.damaged))

    def known(self) -> tuple[set[str], dict[str, str]]:
        """Return the clips that have a vector, and those that failed with their reason, without reading vectors."""
        if not self.path.exists():
            return set(), {}
        try:
            with database(self.path, VECTOR_TABLES) as db:
                shas = {sha for (sha,) in db.execute("SELECT sha FROM vectors")}
                return shas, dict(db.execute("SELECT sha, reason FROM failures").fetchall())
        except sqlite3.DatabaseError as error:
            self._mend(error)
            return self.known()

    def forget(self, shas: Iterable[str]) -> None:
        """Drop clips, vectors and failures alike."""
        rows = [(sha,) for sha in shas]
        with database(self.path, VECTOR_TABLES) as db:
            db.executemany("DELETE FROM vectors WHERE sha = ?", rows)
            db.executemany("DELETE FROM failures WHERE sha = ?", rows)

    def _read(self, wanted: str) -> Vectors:
        if not self.path.exists():
            return Vectors({}, {}, ())
        found: dict[str, NDArray[np.float32]] = {}
        damaged: list[str] = []
        with database(self.path, VECTOR_TABLES) as db:
            query = "SELECT v.* FROM json_each(?) AS w JOIN vectors AS v ON v.sha = w.value"
            for sha, n_layers, dim, data, crc in db.execute(query, (wanted,)):
                if zlib.crc32(data) == crc and len(data) == 4 * n_layers * dim:
                    found[sha] = np.frombuffer(data, "<f4").reshape(n_layers, dim)
                else:
                    damaged.append(f"{self.folder.name}: the entry of clip {sha[:12]} is damaged")
            query = "SELECT f.* FROM json_each(?) AS w JOIN failures AS f ON f.sha = w.value"
            failures = dict(db.execute(query, (wanted,)).fetchall())
        return Vectors(found, failures, tuple(damaged))

    def _mend(self, error: sqlite3.DatabaseError) -> str:
        """Save what can be read into a new database; return the sentence that says so."""
        if isinstance(error, sqlite3.OperationalError):  # locked, full, not writable: no damage
            raise CacheError(f"{self.path}: {error}; is the disk full or the folder write-protected?") from error
        with FileLock(self.folder / "mend.lock"):
            rows: dict[str, tuple[Any, ...]] = {}
            for order in ("ASC", "DESC"):  # from both ends up to the damage
                with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(self.path)) as db:
                    for row in db.execute(f"SELECT * FROM vectors ORDER BY rowid {order}"):
                        rows[row[0]] = row
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=".", suffix=".tmp") as folder:
                new = Path(folder) / "vectors.sqlite"
                with database(new, VECTOR_TABLES) as db:
                    db.executemany("INSERT INTO vectors VALUES (?, ?, ?, ?, ?)", rows.values())
                new.replace(self.path)
        return f"the database of {self.folder.name} was damaged ({error}): {len(rows)} of its entries could be saved"


@contextmanager
def database(path: Path, tables: str) -> Iterator[sqlite3.Connection]:
    """Open a database, made where there is none; commit at the end, roll back on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as db, db:
        db.executescript(tables)
        yield db
