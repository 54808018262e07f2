"""Where computed things are kept: embeddings per clip, maps, and what is known of files.

Embeddings lie in `VectorStore` s, one per encoder recipe. Maps and analyses are ``.npz`` files (only arrays; the zip
has its CRC to guard them). Beside each lies its recipe as JSON.

Layout: ``embeddings/<name>-<key>/{recipe.json, vectors.sqlite}``, ``maps/<key>.{npz,json}``, ``files.sqlite``, and
``runs/<id>`` of trained models (`ser_core.run_files`).
Clips that people keep (`ser_core.keeping`) lie in ``own/<corpus>``.
"""

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import struct
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ser_core.store import CacheError, VectorStore, database, key, read_json, write_atomic

RACY_NS: Final = 2_000_000_000
"""A file changed this recently may change again within the same tick of its clock: its digest is not remembered."""
WEIGHTS: Final = "model-*.safetensors"
LEFT_SECONDS: Final = 3600
"""A temporary file this old belongs to no program that still runs."""
DAMAGED_ZIP: Final = (
    *(OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error),
)
"""All that numpy and zipfile say of files that are not what they should be."""
NO_OPTIONS: Final = {"analysis", "version", "encoder", "stores", "clips", "n_clips", "n_resamples"}
"""What is in the recipe of every analysis, beside its options."""
FILE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INT, mtime INT, ctime INT, sha TEXT);
"""


@dataclass(frozen=True)
class Entry:
    """One line of `Cache.ls`; ``kind`` is "embeddings", "maps", "analyses" or "runs"."""

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
        """Return all embedding stores whose recipe is sound (one that is not, the next embedding or a sweep mends)."""
        found = [VectorStore(path.parent) for path in sorted(self.root.glob("embeddings/*/recipe.json"))]
        return [store for store in found if _sound(store)]

    def load_arrays(self, recipe: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
        """Return the arrays kept under a recipe; None if there are none, or they are damaged."""
        try:
            with np.load(io.BytesIO(self._arrays(recipe).read_bytes()), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except DAMAGED_ZIP:
            return None

    def store_arrays(self, recipe: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays under a recipe, with the recipe beside them."""
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **arrays)
        path = self._arrays(recipe)
        write_atomic(path.with_suffix(".json"), json.dumps(recipe, indent=1).encode())
        write_atomic(path, out.getvalue())

    def digests(self, files: Sequence[Path]) -> list[str | None]:
        """Return the SHA-256 of each file (None: cannot be read), reading only those that changed since the last time.

        A file counts as unchanged if its size, modification and status-change times are (nanoseconds).
        """
        stats = [_stat(file) for file in files]
        names = [str(file.absolute()) for file in files]
        path = self.root / "files.sqlite"
        try:
            with database(path, FILE_TABLE) as db:
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
                    with suppress(sqlite3.OperationalError):  # a cache that cannot be written can still be read
                        db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", new)
        except sqlite3.OperationalError as error:
            raise CacheError(f"{path}: {error}; is the disk full or the folder write-protected?") from error
        except sqlite3.DatabaseError:  # only a memory of digests: start it anew
            path.unlink(missing_ok=True)
            return self.digests(files)
        return out

    def ls(self) -> list[Entry]:
        """Return one entry per embedding store, map, analysis and run."""
        entries = []
        for store in self.stores():
            shas, failures = store.known()
            name = str(store.recipe.get("name", store.folder.name))
            entries.append(Entry("embeddings", name, store.key, len(shas), len(failures), _size(store.folder)))
        for path in sorted(self.root.glob("maps/*.npz")):
            recipe = read_json(path.with_suffix(".json")) or {}
            kind = "analyses" if "analysis" in recipe else "maps"
            entries.append(Entry(kind, _name(recipe), path.stem, int(recipe.get("n_clips", 0)), 0, path.stat().st_size))
        for run in self._runs():
            recipe = read_json(run / "recipe.json") or {}
            name = " ".join(str(recipe.get(part, "?")) for part in ("model", "corpus", "split"))
            entries.append(Entry("runs", name, run.name, int(recipe.get("n_clips", 0)), 0, _size(run)))
        return entries

    def verify(self) -> list[str]:
        """Read everything and return one sentence per damaged thing."""
        bad = []
        for store in self._folders():
            if not _sound(store):
                bad.append(f"{store.folder.name}: recipe.json is missing, damaged or does not belong to this folder")
            if problem := store.problem():
                bad.append(f"{store.folder.name}: {problem}")
            bad += store.read(store.known()[0]).damaged
        for path in sorted(self.root.glob("maps/*.npz")):
            recipe = read_json(path.with_suffix(".json"))
            if recipe is None or key(recipe) != path.stem or self.load_arrays(recipe) is None:
                bad.append(f"{_kind(recipe)} {path.stem}: damaged")
        for run in self._runs():
            bad += [] if _sound_run(run) else [f"run {run.name}: recipe.json or facts.json is damaged"]
            bad += [f"run {run.name}: {path.name} is damaged" for path in sorted(run.glob(WEIGHTS)) if not _opens(path)]
        return bad

    def sweep(self) -> list[str]:
        """Remove damaged entries and what killed programs left behind; return one sentence per thing removed."""
        done = []
        for pattern in ("", "corpora/", "embeddings/*/", "maps/", "jobs/*/", "own/*/", "runs/", "runs/*/"):
            for path in self.root.glob(f"{pattern}.*.tmp"):
                if time.time() - path.stat().st_mtime < LEFT_SECONDS:
                    continue  # somebody may be writing it
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                done.append(f"removed the leftover {path.name}")
        for store in self._folders():
            if not _sound(store):
                continue  # its vectors are good: the next embedding with that encoder writes the recipe again
            if problem := store.problem():
                done.append(store.mend(problem))
            shas = store.known()[0]
            kept = store.read(shas)
            store.forget(shas - kept.vectors.keys())
            done += [f"removed: {note}" for note in kept.damaged]
        for run in self._runs():
            if not _sound_run(run) and time.time() - run.stat().st_mtime > LEFT_SECONDS:
                shutil.rmtree(run)
                done.append(f"removed run {run.name}: damaged")
        keys = {store.key for store in self.stores()}
        for name in sorted({path.stem for path in self.root.glob("maps/[!.]*.*")}):
            path = self.root / "maps" / f"{name}.json"
            recipe = read_json(path) or {}
            sources = set(recipe.get("stores", []))
            if key(recipe) != name or self.load_arrays(recipe) is None or not sources <= keys:
                path.unlink(missing_ok=True)
                path.with_suffix(".npz").unlink(missing_ok=True)
                done.append(f"removed {_kind(recipe)} {name}: damaged, or its embeddings are gone")
        return done

    def _folders(self) -> list[VectorStore]:
        return [VectorStore(path) for path in sorted(self.root.glob("embeddings/*-*")) if path.is_dir()]

    def _runs(self) -> list[Path]:
        return [path for path in sorted(self.root.glob("runs/*")) if re.fullmatch("[0-9a-f]{12}", path.name)]

    def _arrays(self, recipe: Mapping[str, Any]) -> Path:
        return self.root / "maps" / f"{key(recipe)}.npz"


def _kind(recipe: Mapping[str, Any] | None) -> str:
    """Return what a recipe makes; a lost one may have made either."""
    if not recipe:
        return "map or analysis"
    return "analysis" if "analysis" in recipe else "map"


def _name(recipe: Mapping[str, Any]) -> str:
    """Return what people call a map or an analysis: all its options, so that two of them differ."""
    if "analysis" not in recipe:
        parts = ["encoder", "method", "n_components", "layer", "scaling"]
        return "{} {} {}-D, layer {}, {}".format(*(recipe.get(part, "?") for part in parts))
    said = [f"{recipe.get('encoder', '?')} {recipe['analysis']}"]
    for name, value in recipe.items():
        if isinstance(value, bool):
            said.append(name if value else f"no {name}")
        elif name not in NO_OPTIONS and value is not None:
            said.append(f"{name} {value}".replace("_", " "))
    return ", ".join(said)


def _sound(store: VectorStore) -> bool:
    recipe = store.recipe
    return bool(recipe) and key(recipe) == store.key


def _sound_run(folder: Path) -> bool:
    recipe = read_json(folder / "recipe.json")
    return bool(recipe) and key(recipe).startswith(folder.name) and bool(read_json(folder / "facts.json"))


def _opens(weights: Path) -> bool:
    """Tell whether a file of weights is as long as its header says, which has no checksum of them."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "numpy"):
            return True
    except (SafetensorError, OSError):
        return False


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
