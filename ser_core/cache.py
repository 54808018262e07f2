"""Where computed things are kept: embeddings per clip, maps, and what is known of files.

Embeddings lie in one SQLite database per encoder recipe. SQLite because it is in Python itself, survives a kill at any
instant, lets several processes write, needs no server, will be readable for decades, and holds a blob with a checksum
per clip without pickle; LMDB needs a size fixed in advance and HDF5 loses a file that is killed while it is written.
Maps are ``.npz`` files (arrays only; the zip's own CRC guards them). Beside each lies its recipe as JSON.

Layout: ``embeddings/<name>-<key>/{recipe.json, vectors.sqlite}``, ``maps/<key>.{npz,json}``, ``files.sqlite``.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

BUSY_SECONDS: Final = 60.0
RACY_NS: Final = 2_000_000_000
"""A file changed this recently may change again within the same tick of its clock: its digest is not remembered."""


class CacheError(RuntimeError):
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
        with _database(self.path, VECTOR_TABLES) as db:
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
            with _database(self.path, VECTOR_TABLES) as db:
                shas = {sha for (sha,) in db.execute("SELECT sha FROM vectors")}
                return shas, dict(db.execute("SELECT sha, reason FROM failures").fetchall())
        except sqlite3.DatabaseError as error:
            self._mend(error)
            return self.known()

    def forget(self, shas: Iterable[str]) -> None:
        """Drop clips, vectors and failures alike."""
        rows = [(sha,) for sha in shas]
        with _database(self.path, VECTOR_TABLES) as db:
            db.executemany("DELETE FROM vectors WHERE sha = ?", rows)
            db.executemany("DELETE FROM failures WHERE sha = ?", rows)

    def _read(self, wanted: str) -> Vectors:
        if not self.path.exists():
            return Vectors({}, {}, ())
        found: dict[str, NDArray[np.float32]] = {}
        damaged: list[str] = []
        with _database(self.path, VECTOR_TABLES) as db:
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
                with _database(new, VECTOR_TABLES) as db:
                    db.executemany("INSERT INTO vectors VALUES (?, ?, ?, ?, ?)", rows.values())
                new.replace(self.path)
        return f"the database of {self.folder.name} was damaged ({error}): {len(rows)} of its entries could be saved"


@dataclass(frozen=True)
class Entry:
    """One line of `Cache.ls`: an embedding store (``kind`` "embeddings") or a map ("maps")."""

    kind: str
    name: str
    key: str
    n_clips: int
    n_failures: int
    bytes: int


@dataclass(frozen=True)
class Cache:
    """The folder that keeps everything computed. `Cache.default` is where the command and the pages look."""

    root: Path

    @classmethod
    def default(cls) -> "Cache":
        """Return ``$SER_CACHE``, else ``cache/`` of the checkout, else ``~/.cache/ser-atlas``."""
        checkout = Path(__file__).parent.parent
        if named := os.environ.get("SER_CACHE"):
            return cls(Path(named).expanduser().absolute())
        if (checkout / "pyproject.toml").exists():
            return cls(checkout / "cache")
        return cls(Path.home() / ".cache" / "ser-atlas")

    def vectors(self, recipe: Mapping[str, Any]) -> VectorStore:
        """Return the store of an encoder recipe; made, with its ``recipe.json``, where there is none yet."""
        readable = re.sub(r"[^a-z0-9._]+", "_", str(recipe["name"]).lower()).strip("_.")[-60:]
        store = VectorStore(self.root / "embeddings" / f"{readable}-{key(recipe)}")
        if store.recipe != recipe:
            try:
                write_atomic(store.folder / "recipe.json", json.dumps(recipe, indent=1).encode())
            except OSError as error:
                why = f"{self.root} cannot be written ({error.strerror}): set SER_CACHE to a folder that can"
                raise CacheError(why) from error
        return store

    def stores(self) -> list[VectorStore]:
        """Return all embedding stores."""
        return [VectorStore(path.parent) for path in sorted(self.root.glob("embeddings/*/recipe.json"))]

    def load_arrays(self, recipe: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
        """Return the arrays kept under a recipe; None if there are none, or they are damaged."""
        try:
            with np.load(self._arrays(recipe), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, zipfile.BadZipFile, zlib.error):
            return None

    def store_arrays(self, recipe: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays under a recipe, with the recipe beside them."""
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **arrays)
        path = self._arrays(recipe)
        write_atomic(path.with_suffix(".json"), json.dumps(recipe, indent=1).encode())
        write_atomic(path, out.getvalue())

    def has_arrays(self, recipe: Mapping[str, Any]) -> bool:
        """Say whether something is kept under a recipe."""
        return self._arrays(recipe).exists()

    def digests(self, files: Sequence[Path]) -> list[str | None]:
        """Return the SHA-256 of each file (None: cannot be read), reading only those that changed since the last time.

        A file counts as unchanged if its size, modification and status-change times are (nanoseconds).
        """
        stats = [_stat(file) for file in files]
        names = [str(file.absolute()) for file in files]
        path = self.root / "files.sqlite"
        try:
            with _database(path, FILE_TABLE) as db:
                query = "SELECT f.* FROM json_each(?) AS w JOIN files AS f ON f.path = w.value"
                known = {row[0]: row[1:] for row in db.execute(query, (json.dumps(names),))}
                out: list[str | None] = []
                new = []
                for file, name, stat in zip(files, names, stats, strict=True):
                    *stamp, sha = known.get(name, (None,))
                    if stat is None or tuple(stamp) != stat:
                        sha = _sha256(file)
                        if stat and sha and time.time_ns() - max(stat[1:]) > RACY_NS:
                            new.append((name, *stat, sha))
                    out.append(sha)
                if new:
                    db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", new)
        except sqlite3.OperationalError as error:
            raise CacheError(f"{path}: {error}; is the disk full or the folder write-protected?") from error
        except sqlite3.DatabaseError:  # only a memory of digests: start it anew
            path.unlink(missing_ok=True)
            return self.digests(files)
        return out

    def ls(self) -> list[Entry]:
        """Return one entry per embedding store, and one per map."""
        entries = []
        for store in self.stores():
            shas, failures = store.known()
            name = str(store.recipe.get("name", store.folder.name))
            entries.append(Entry("embeddings", name, store.key, len(shas), len(failures), _size(store.folder)))
        for path in sorted(self.root.glob("maps/*.npz")):
            recipe = read_json(path.with_suffix(".json")) or {}
            name = f"{recipe.get('encoder', '?')} {recipe.get('method', '')} {recipe.get('n_components', '')}-D"
            entries.append(Entry("maps", name, path.stem, int(recipe.get("n_clips", 0)), 0, path.stat().st_size))
        return entries

    def verify(self) -> list[str]:
        """Read everything and return one sentence per damaged thing."""
        bad = []
        for path in sorted(self.root.glob("embeddings/*")):
            store = VectorStore(path)
            if not store.recipe or key(store.recipe) != store.key:
                bad.append(f"{path.name}: recipe.json is missing, damaged or does not belong to this folder")
            bad += store.read(store.known()[0]).damaged
        for path in sorted(self.root.glob("maps/*.npz")):
            recipe = read_json(path.with_suffix(".json"))
            if recipe is None or key(recipe) != path.stem or self.load_arrays(recipe) is None:
                bad.append(f"map {path.stem}: damaged")
        return bad

    def sweep(self) -> list[str]:
        """Remove damaged entries and what killed programs left behind; return one sentence per thing removed."""
        done = []
        for path in [*self.root.glob("**/.*.tmp")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            done.append(f"removed the leftover {path.name}")
        for path in sorted(self.root.glob("embeddings/*")):
            store = VectorStore(path)
            if not store.recipe or key(store.recipe) != store.key:
                shutil.rmtree(path)
                done.append(f"removed {path.name}: without its recipe nobody knows what it holds")
                continue
            shas = store.known()[0]
            kept = store.read(shas)
            store.forget(shas - kept.vectors.keys())
            done += [f"removed: {note}" for note in kept.damaged]
        keys = {store.key for store in self.stores()}
        for path in sorted(self.root.glob("maps/*.json")):
            recipe = read_json(path) or {}
            sources = set(recipe.get("stores", []))
            if key(recipe) != path.stem or self.load_arrays(recipe) is None or not sources <= keys:
                path.unlink()
                path.with_suffix(".npz").unlink(missing_ok=True)
                done.append(f"removed map {path.stem}: damaged, or its embeddings are gone")
        return done

    def _arrays(self, recipe: Mapping[str, Any]) -> Path:
        return self.root / "maps" / f"{key(recipe)}.npz"


VECTOR_TABLES: Final = """
PRAGMA page_size = 65536;
CREATE TABLE IF NOT EXISTS vectors (sha TEXT PRIMARY KEY, n_layers INT, dim INT, data BLOB, crc INT);
CREATE TABLE IF NOT EXISTS failures (sha TEXT PRIMARY KEY, reason TEXT);
"""
FILE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INT, mtime INT, ctime INT, sha TEXT);
"""


@contextmanager
def _database(path: Path, tables: str) -> Iterator[sqlite3.Connection]:
    """Open a database, made where there is none; commit at the end, roll back on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as db, db:
        db.executescript(tables)
        yield db


def _stat(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _sha256(file: Path) -> str | None:
    try:
        with file.open("rb") as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except OSError:
        return None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
