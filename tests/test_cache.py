import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ser_core.cache import Cache
from ser_core.store import CacheError, VectorStore, key

RECIPE = {"name": "Some/Encoder@1", "dim": 3, "layers": ["a", "b"], "sampling_rate": 16_000}


def vectors(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {f"{seed:02d}{number:062d}": random.normal(size=(2, 3)).astype("float32") for number in range(n)}


@pytest.fixture
def store(cache: Cache) -> VectorStore:
    return cache.vectors(RECIPE)


def test_what_is_written_is_read_back_bit_by_bit(store: VectorStore) -> None:
    written = vectors(20)
    store.write(written, {"f" * 64: "silent: nothing to hear"})
    back = store.read([*written, "f" * 64, "0" * 64])
    assert back.vectors.keys() == written.keys()
    assert all(np.array_equal(back.vectors[sha], vector) for sha, vector in written.items())
    assert back.failures == {"f" * 64: "silent: nothing to hear"}
    assert back.damaged == ()


def test_a_success_replaces_a_failure(store: VectorStore) -> None:
    (sha, vector), *_ = vectors(1).items()
    store.write({}, {sha: "too long"})
    store.write({sha: vector}, {})
    assert store.known() == ({sha}, {})


def test_every_field_of_a_recipe_is_in_the_key() -> None:
    keys = {key(RECIPE), *(key({**RECIPE, field: "other"}) for field in RECIPE), key({**RECIPE, "new": None})}
    assert len(keys) == len(RECIPE) + 2


def test_keys_do_not_depend_on_the_process() -> None:
    code = f"from ser_core.store import key; print(key({RECIPE!r}))"
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        assert run.stdout.decode().strip() == key(RECIPE)


def test_the_recipe_lies_beside_the_vectors_as_json(store: VectorStore) -> None:
    assert json.loads((store.folder / "recipe.json").read_text()) == RECIPE
    assert store.folder.name == f"some_encoder_1-{key(RECIPE)}"


def test_a_changed_vector_is_a_miss_and_is_said(store: VectorStore) -> None:
    written = vectors(3)
    store.write(written, {})
    victim = next(iter(written))
    with sqlite3.connect(store.path) as db:
        (data,) = db.execute("SELECT data FROM vectors WHERE sha = ?", (victim,)).fetchone()
        db.execute("UPDATE vectors SET data = ? WHERE sha = ?", (data[:5] + bytes([data[5] ^ 1]) + data[6:], victim))
    db.close()
    back = store.read(written)
    assert back.vectors.keys() == written.keys() - {victim}
    assert len(back.damaged) == 1
    assert victim[:12] in back.damaged[0]


@pytest.mark.parametrize("damage", ["truncate", "garbage", "middle"])
def test_a_database_that_cannot_be_read_is_mended(store: VectorStore, damage: str) -> None:
    random = np.random.default_rng(0)
    written = {f"{number:064d}": random.normal(size=(2, 3000)).astype("float32") for number in range(60)}
    for sha, vector in written.items():
        store.write({sha: vector}, {})
    whole = store.path.read_bytes()
    match damage:
        case "truncate":
            store.path.write_bytes(whole[: len(whole) // 2])
        case "garbage":
            store.path.write_bytes(b"not a database at all" * 999)
        case "middle":
            store.path.write_bytes(
                whole[: len(whole) // 2] + random.bytes(200_000) + whole[len(whole) // 2 + 200_000 :]
            )
    back = store.read(written)
    assert back.damaged
    assert all(np.array_equal(vector, written[sha]) for sha, vector in back.vectors.items())
    store.write(written, {})
    again = store.read(written)
    assert again.vectors.keys() == written.keys()
    assert again.damaged == ()


def test_two_processes_may_write_at_once(cache: Cache, store: VectorStore) -> None:
    code = """
import sys, numpy as np
from pathlib import Path
from ser_core.store import VectorStore
store, who = VectorStore(Path(sys.argv[1])), int(sys.argv[2])
for number in range(60):
    store.write({f"{number % 40 + 20 * who:064d}": np.full((2, 3), number % 40 + 20 * who, "float32")}, {})
"""
    runs = [subprocess.Popen([sys.executable, "-c", code, str(store.folder), str(who)]) for who in (0, 1)]
    assert [run.wait(60) for run in runs] == [0, 0]
    back = store.read(f"{number:064d}" for number in range(60))
    assert len(back.vectors) == 60
    assert all((vector == int(sha)).all() for sha, vector in back.vectors.items())
    assert cache.verify() == []


def test_a_kill_at_any_moment_leaves_a_sound_store(cache: Cache, store: VectorStore) -> None:
    code = """
import sys, numpy as np
from pathlib import Path
from ser_core.store import VectorStore
store = VectorStore(Path(sys.argv[1]))
for number in range(100_000):
    store.write({f"{number:064d}": np.full((2, 3000), number, "float32")}, {})
    print(number, flush=True)
"""
    for wait in (0.05, 0.13, 0.31):
        run = subprocess.Popen([sys.executable, "-c", code, str(store.folder)], stdout=subprocess.PIPE)
        assert run.stdout
        run.stdout.readline()
        time.sleep(wait)
        run.kill()
        said = [int(line) for line in run.stdout.read().split()]
        run.wait()
        run.stdout.close()
        last = max(said, default=0)
        back = store.read(f"{number:064d}" for number in range(last + 1))
        assert len(back.vectors) == last + 1
        assert back.damaged == ()
    assert cache.verify() == []


def test_digests_follow_the_content_and_are_remembered(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clip"
    file.write_bytes(b"one")
    os.utime(file, ns=(1, 1))
    monkeypatch.setattr("ser_core.cache.RACY_NS", -(10**18))
    first = cache.digests([file, tmp_path / "absent"])
    assert first == ["7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed", None]
    with monkeypatch.context() as patched:
        patched.setattr("ser_core.cache._sha256", lambda _: pytest.fail("read again"))
        assert cache.digests([file]) == first[:1]
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))  # same size, same modification time: the status-change time tells
    assert cache.digests([file]) != first[:1]


def test_a_file_changed_just_now_is_not_remembered(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "clip"
    file.write_bytes(b"one")
    cache.digests([file])
    with sqlite3.connect(cache.root / "files.sqlite") as db:
        assert db.execute("SELECT count(*) FROM files").fetchone() == (0,)
    db.close()


def test_a_damaged_memory_of_digests_is_started_anew(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "clip"
    file.write_bytes(b"one")
    cache.digests([file])
    (cache.root / "files.sqlite").write_bytes(b"rubbish" * 1000)
    assert cache.digests([file])[0] is not None


def test_arrays_come_back_and_damage_is_a_miss(cache: Cache) -> None:
    recipe = {"encoder": "e", "n_clips": 2, "stores": []}
    cache.store_arrays(recipe, {"coordinates": np.arange(600, dtype="float32")})
    kept = cache.load_arrays(recipe)
    assert kept is not None
    assert np.array_equal(kept["coordinates"], np.arange(600))
    path = cache.root / "maps" / f"{key(recipe)}.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert cache.load_arrays(recipe) is None
    assert cache.verify() == [f"map {key(recipe)}: damaged"]


def test_an_analysis_is_called_one_and_named_by_its_options(cache: Cache) -> None:
    base = {"analysis": "mahalanobis", "version": 2, "encoder": "e", "stores": [], "clips": "abc", "n_clips": 2}
    view = {"layer": 0, "scaling": "standard", "n_resamples": 1000}
    full = {**base, **view, "method": None, "n_components": None, "seed": None, "space": "full", "shrink": True}
    recipes = [
        full | {"covariance": "pooled"},
        full | {"covariance": "per-emotion", "shrink": False},
        full | {"covariance": "pooled", "space": "map", "method": "pca", "n_components": 3, "seed": 0},
        base | {"analysis": "affect", "layer": 1, "scaling": "centre", "method": "procrustes"},
    ]
    for recipe in recipes:
        cache.store_arrays(recipe, {"x": np.zeros(2)})
    entries = {entry.key: entry for entry in cache.ls()}
    assert [entries[key(recipe)].name for recipe in recipes] == [
        "e mahalanobis, layer 0, scaling standard, space full, shrink, covariance pooled",
        "e mahalanobis, layer 0, scaling standard, space full, no shrink, covariance per-emotion",
        (
            "e mahalanobis, layer 0, scaling standard, method pca, n components 3, seed 0, space map, shrink, "
            "covariance pooled"
        ),
        "e affect, layer 1, scaling centre, method procrustes",
    ]
    assert {entry.kind for entry in entries.values()} == {"analyses"}
    names = [key(recipe) for recipe in recipes]
    (cache.root / "maps" / f"{names[0]}.npz").write_bytes(b"rubbish")
    (cache.root / "maps" / f"{names[1]}.json").write_text("{")
    assert sorted(cache.verify()) == sorted([f"analysis {names[0]}: damaged", f"map or analysis {names[1]}: damaged"])
    why = "damaged, or its embeddings are gone"
    expected = [f"removed analysis {names[0]}: {why}", f"removed map or analysis {names[1]}: {why}"]
    assert sorted(cache.sweep()) == sorted(expected)
    assert cache.verify() == []


def test_nothing_that_is_kept_can_hold_a_pickle(cache: Cache) -> None:
    recipe = {"encoder": "e", "n_clips": 2, "stores": []}
    cache.store_arrays(recipe, {"x": np.zeros(2)})
    np.savez(cache.root / "maps" / f"{key(recipe)}.npz", x=np.array([{"an": "object"}], dtype=object))
    assert cache.load_arrays(recipe) is None


def test_sweep_removes_damage_and_leftovers_and_nothing_else(cache: Cache, store: VectorStore) -> None:
    written = vectors(4)
    store.write(written, {"f" * 64: "silent"})
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE vectors SET crc = crc + 1 WHERE sha = ?", (next(iter(written)),))
    db.close()
    for name, age in (("left", 7200), ("being-written", 0)):
        (store.folder / f".{name}.tmp").write_bytes(b"half")
        os.utime(store.folder / f".{name}.tmp", (time.time() - age,) * 2)
    (cache.root / "notes").mkdir()
    (cache.root / "notes" / ".mine.tmp").write_bytes(b"nobody else's")
    os.utime(cache.root / "notes" / ".mine.tmp", (0, 0))
    (cache.root / "embeddings" / ".DS_Store").write_bytes(b"stray")
    good = {"encoder": "e", "n_clips": 2, "stores": [store.key]}
    orphan = {"encoder": "e", "n_clips": 2, "stores": ["gone"]}
    for recipe in (good, orphan):
        cache.store_arrays(recipe, {"x": np.zeros(2)})
    assert len(cache.verify()) == 1
    assert len(cache.sweep()) == 3
    assert cache.verify() == []
    assert cache.sweep() == []
    assert store.read(written).vectors.keys() == set(list(written)[1:])
    assert store.known()[1] == {"f" * 64: "silent"}
    assert cache.load_arrays(good) is not None
    assert cache.load_arrays(orphan) is None
    assert (store.folder / ".being-written.tmp").exists()
    assert (cache.root / "notes" / ".mine.tmp").exists()


def test_a_lost_recipe_costs_no_vectors(cache: Cache, store: VectorStore) -> None:
    written = vectors(4)
    store.write(written, {})
    (store.folder / "recipe.json").write_text("{")
    assert cache.stores() == []
    assert "recipe.json is missing, damaged" in cache.verify()[0]
    assert cache.sweep() == []
    assert cache.vectors(RECIPE).read(written).vectors.keys() == written.keys()
    assert cache.verify() == []


def test_random_damage_is_never_worse_than_a_miss(cache: Cache, store: VectorStore) -> None:
    random = np.random.default_rng(3)
    written = {f"{number:064d}": random.normal(size=(2, 900)).astype("float32") for number in range(50)}
    store.write(written, {"f" * 64: "silent: nothing to hear"})
    whole = store.path.read_bytes()
    n_lost = 0
    for _ in range(120):
        data = bytearray(whole)
        for at in random.integers(len(data), size=random.integers(1, 40)):
            data[at] = random.integers(256)
        store.path.write_bytes(bytes(data))
        for look in (store.known, cache.ls, lambda: store.read(written)):
            look()
        back = store.read(written)
        assert all(np.array_equal(vector, written[sha]) for sha, vector in back.vectors.items())
        n_lost += len(written) - len(back.vectors)
        cache.sweep()
        assert cache.verify() == []
        store.write(written, {})
        assert store.read(written).vectors.keys() == written.keys()
    assert 0 < n_lost < 60 * 120 // 4


def test_mending_keeps_failures(store: VectorStore) -> None:
    random = np.random.default_rng(0)
    written = {f"{number:064d}": random.normal(size=(2, 9000)).astype("float32") for number in range(60)}
    store.write(written, {"f" * 64: "silent: nothing to hear"})
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[: len(whole) * 3 // 4])
    back = store.read([*written, "f" * 64])
    assert back.failures == {"f" * 64: "silent: nothing to hear"}
    assert "entries could be saved" in back.damaged[0]
    assert 30 < len(back.vectors) < 60


@pytest.mark.parametrize("damage", ["empty", "flips"])
def test_a_damaged_map_is_a_miss(cache: Cache, damage: str) -> None:
    recipe = {"encoder": "e", "n_clips": 2, "stores": []}
    cache.store_arrays(recipe, {"coordinates": np.arange(60, dtype="float32"), "neighbours": np.arange(9)})
    path = cache.root / "maps" / f"{key(recipe)}.npz"
    whole = path.read_bytes()
    if damage == "empty":
        path.write_bytes(b"")
        assert cache.load_arrays(recipe) is None
        return
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(data))
        kept = cache.load_arrays(recipe)
        if kept is not None and "coordinates" in kept:
            assert np.array_equal(kept["coordinates"], np.arange(60))


def test_what_is_kept_may_be_read_by_others(cache: Cache, store: VectorStore) -> None:
    store.write(vectors(1), {})
    mask = os.umask(0o022)
    os.umask(mask)
    assert (store.folder / "recipe.json").stat().st_mode & 0o777 == 0o666 & ~mask


def test_ls_counts(cache: Cache, store: VectorStore) -> None:
    store.write(vectors(4), {"f" * 64: "silent"})
    (entry,) = cache.ls()
    assert (entry.kind, entry.name, entry.n_clips, entry.n_failures) == ("embeddings", "Some/Encoder@1", 4, 1)
    assert entry.bytes > 4 * 24


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError, match="cannot be written"):
        Cache(tmp_path / "file").vectors(RECIPE)


def test_the_environment_moves_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "elsewhere"))
    assert Cache.default().root == tmp_path / "elsewhere"
    monkeypatch.delenv("SER_CACHE")
    assert Cache.default().root == Path(__file__).parent.parent / "cache"
