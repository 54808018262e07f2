import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ser_core import audio, catalogue, embeddings
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.embeddings import EmbeddingError, Progress
from ser_core.encoders.base import EncoderError
from ser_core.encoders.pictures import MelPicture


def by_hand(located: Located) -> NDArray[np.float32]:
    out = []
    for file in located.clips()["file"]:
        x, _ = soundfile.read(located.root / file, dtype="float32")
        one = [np.sqrt((x**2).mean()), np.abs(x).max(), (np.diff(np.sign(x)) != 0).mean(), len(x) / 16_000]
        out.append([one, [2 * number for number in one]])
    return np.array(out, np.float32)


@dataclass(frozen=True)
class Counting:
    """Wraps an encoder and counts the clips that reach it."""

    inner: Any
    calls: list[int]
    batched: bool = False
    memory: int = 10**9

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
        if len(signals) > self.memory:
            raise MemoryError
        self.calls.append(len(signals))
        return self.inner.encode(signals, device=device)


@pytest.mark.parametrize("batched", [False, True])
def test_vectors_are_those_of_their_clips(cache: Cache, mine: Located, encoder: Any, *, batched: bool) -> None:
    result = embeddings.embed(mine, replace(encoder, batched=batched), cache=cache)
    assert result.vectors.shape == (48, 2, 4)
    assert result.vectors == pytest.approx(by_hand(mine), rel=1e-6)
    assert list(result.clips["file"]) == list(mine.clips()["file"])
    assert (result.clips["corpus"] == "mine").all()
    assert result.n_pending == 0
    assert len(result.failures) == 0
    with pytest.raises(ValueError, match="read-only"):
        result.vectors[0] = 0


def test_nothing_is_computed_twice(cache: Cache, mine: Located, encoder: Any) -> None:
    calls: list[int] = []
    embeddings.embed(mine, Counting(encoder, calls), cache=cache)
    assert sum(calls) == 48
    embeddings.embed(mine, Counting(encoder, calls), cache=cache)
    other = catalogue.add(cache, "folder", mine.root, name="the-same")[0]
    embeddings.embed(other, Counting(encoder, calls), cache=cache)
    assert sum(calls) == 48


def test_a_changed_file_and_a_changed_recipe_are_misses(cache: Cache, mine: Located, encoder: Any) -> None:
    calls: list[int] = []
    embeddings.embed(mine, Counting(encoder, calls), cache=cache)
    file = mine.root / mine.clips()["file"][0]
    file.write_bytes(audio.wav_bytes(audio.read(file) / 2))
    embeddings.embed(mine, Counting(encoder, calls), cache=cache)
    assert sum(calls) == 49
    embeddings.embed(mine, Counting(replace(encoder, version=2), calls), cache=cache)
    assert sum(calls) == 49 + 48


def test_what_was_done_before_an_interruption_stays(
    cache: Cache, mine: Located, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(now: Progress) -> None:
        if now.done == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(embeddings, "WRITE_SECONDS", 0)
    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        embeddings.embed(mine, Counting(encoder, calls), cache=cache, progress=interrupt)
    store = embeddings.find_store([mine], "moments", cache=cache)
    kept = embeddings.load(mine, store, cache=cache)
    assert len(kept.clips) == 20
    assert kept.n_pending == 28
    again: list[int] = []
    result = embeddings.embed(mine, Counting(encoder, again), cache=cache)
    assert sum(again) == 28
    assert result.vectors == pytest.approx(by_hand(mine), rel=1e-6)


def test_failures_are_kept_with_their_reason_and_not_tried_again(cache: Cache, mine: Located, encoder: Any) -> None:
    files = mine.clips()["file"]
    (mine.root / files[0]).write_bytes(b"")
    (mine.root / files[1]).write_bytes(audio.wav_bytes(np.zeros(4000, np.float32)))
    (mine.root / files[2]).write_bytes((mine.root / files[2]).read_bytes()[:-50])
    calls: list[int] = []
    picky = replace(encoder, loudest=0.5)
    for _ in range(2):
        result = embeddings.embed(mine, Counting(picky, calls), cache=cache)
    reasons = dict(zip(result.failures["file"], result.failures["reason"], strict=True))
    assert reasons[files[0]] == "empty: the file is empty (0 bytes)"
    assert reasons[files[1]].startswith("silent: the clip is silent")
    assert reasons[files[2]].startswith("truncated: the header promises")
    loud = {file for file, row in zip(files, by_hand_or_nan(mine), strict=True) if row > 0.5}
    assert {file for file, reason in reasons.items() if reason == "too loud for this encoder"} == loud
    assert len(loud) > 0
    assert len(result.clips) + len(result.failures) == 48
    assert sum(calls) == len(result.clips) + len(loud)


def by_hand_or_nan(located: Located) -> list[float]:
    peaks = []
    for file in located.clips()["file"]:
        try:
            peaks.append(float(np.abs(audio.read(located.root / file)).max()))
        except audio.AudioError:
            peaks.append(float("nan"))
    return peaks


def test_a_vector_that_is_no_number_is_a_failure(cache: Cache, mine: Located, encoder: Any) -> None:
    @dataclass(frozen=True)
    class Broken(type(encoder)):
        def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
            out = super().encode(signals, device=device)
            out[:, 0, 1] = np.where(out[:, 0, 1] > 0.45, np.nan, out[:, 0, 1])
            return out

    result = embeddings.embed(mine, Broken(), cache=cache)
    assert set(result.failures["reason"]) == {"the encoder gave 1 values that are not numbers"}
    assert np.isfinite(result.vectors).all()


def test_out_of_memory_halves_the_batch_and_goes_on(cache: Cache, mine: Located, encoder: Any) -> None:
    calls: list[int] = []
    small = Counting(encoder, calls, batched=True, memory=3)
    result = embeddings.embed(mine, small, cache=cache, batch_seconds=4)
    assert max(calls) <= 3
    assert result.vectors == pytest.approx(by_hand(mine), rel=1e-6)
    none = Counting(replace(encoder, version=9), calls, batched=True, memory=0)
    assert set(embeddings.embed(mine, none, cache=cache).failures["reason"]) == {
        "memory ran out: cut the clip, free memory, or use a smaller encoder"
    }
    again = Counting(replace(encoder, version=9), calls, batched=True)
    assert len(embeddings.embed(mine, again, cache=cache).failures) == 0  # what was the machine's fault is tried again


@pytest.mark.parametrize("batched", [False, True])
def test_an_encoder_that_cannot_work_here_ends_the_run_and_blames_no_clip(
    cache: Cache, mine: Located, encoder: Any, *, batched: bool
) -> None:
    @dataclass(frozen=True)
    class Elsewhere(type(encoder)):
        def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
            if device == "cuda":
                raise EncoderError("device 'cuda' is not available here")
            return super().encode(signals, device=device)

    with pytest.raises(EncoderError, match="'cuda' is not available"):
        embeddings.embed(mine, Elsewhere(batched=batched), cache=cache, device="cuda")
    assert len(embeddings.embed(mine, Elsewhere(batched=batched), cache=cache).clips) == 48


def test_a_file_changed_during_the_run_never_gets_the_old_name(
    cache: Cache, mine: Located, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = mine.root / mine.clips()["file"][3]
    before, digests = file.read_bytes(), Cache.digests

    def swapped(self: Cache, files: Sequence[Path]) -> list[str | None]:
        out = digests(self, files)
        file.write_bytes(audio.wav_bytes(np.full(8000, 0.5, np.float32)))
        return out

    with monkeypatch.context() as patched:
        patched.setattr(Cache, "digests", swapped)
        result = embeddings.embed(mine, encoder, cache=cache)
    assert list(result.failures["reason"]) == ["the file was changed meanwhile: embed again"] or result.n_pending == 1
    file.write_bytes(before)
    assert embeddings.embed(mine, encoder, cache=cache).vectors == pytest.approx(by_hand(mine), rel=1e-6)


def test_a_drive_that_goes_away_is_no_fault_of_the_clip(
    cache: Cache, mine: Located, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = set(mine.clips()["file"][:5])
    read = Path.read_bytes
    with monkeypatch.context() as patched:

        def flaky(self: Path) -> bytes:
            if self.name in gone:
                raise FileNotFoundError(2, "No such file or directory")
            return read(self)

        patched.setattr(Path, "read_bytes", flaky)
        result = embeddings.embed(mine, encoder, cache=cache)
    assert set(result.failures["file"]) == gone
    assert result.failures["reason"].str.startswith("missing: cannot be read").all()
    assert len(embeddings.embed(mine, encoder, cache=cache).failures) == 0


def test_one_bad_clip_does_not_take_its_batch_along(cache: Cache, mine: Located, encoder: Any) -> None:
    result = embeddings.embed(mine, replace(encoder, batched=True, loudest=0.5), cache=cache)
    peaks = by_hand(mine)[:, 0, 1]
    assert set(result.failures["file"]) == set(mine.clips()["file"][peaks > 0.5])
    assert 0 < len(result.failures) < 48


def test_batches_are_sorted_by_length_and_bounded(cache: Cache, mine: Located, encoder: Any) -> None:
    seen: list[list[int]] = []

    @dataclass(frozen=True)
    class Watching(type(encoder)):
        def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
            seen.append([len(signal) for signal in signals])
            return super().encode(signals, device=device)

    embeddings.embed(mine, Watching(batched=True), cache=cache, batch_seconds=1.0)
    lengths = [length for batch in seen for length in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert all(len(batch) * batch[0] <= 16_000 for batch in seen)
    assert len(seen) < 20


def test_a_damaged_entry_is_computed_again_and_said(cache: Cache, mine: Located, encoder: Any) -> None:
    embeddings.embed(mine, encoder, cache=cache)
    store = embeddings.find_store([mine], "moments", cache=cache)
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE vectors SET crc = crc + 1 WHERE rowid = 7")
    db.close()
    assert embeddings.load(mine, store, cache=cache).n_pending == 1
    calls: list[int] = []
    result = embeddings.embed(mine, Counting(encoder, calls), cache=cache)
    assert calls == [1]
    assert len(result.damaged) == 1
    assert result.n_pending == 0


def test_progress_counts_clips_also_where_two_are_the_same_file(cache: Cache, mine: Located, encoder: Any) -> None:
    files = mine.clips()["file"]
    (mine.root / files[5]).write_bytes((mine.root / files[4]).read_bytes())
    told: list[Progress] = []
    calls: list[int] = []
    embeddings.embed(mine, Counting(encoder, calls), cache=cache, progress=told.append)
    assert sum(calls) == 47
    assert (told[0].done, told[0].total, told[0].seconds_left) == (0, 48, None)
    assert (told[-1].done, told[-1].total, told[-1].seconds_left) == (48, 48, 0)


def test_coverage_and_the_store_by_name(cache: Cache, mine: Located, encoder: Any) -> None:
    with pytest.raises(EmbeddingError, match="run `ser embed mine moments` first"):
        embeddings.find_store([mine], "moments", cache=cache)
    embeddings.embed(mine, encoder, cache=cache)
    (mine.root / "angry_0_0.wav").write_bytes(audio.wav_bytes(np.full(4000, 0.2, np.float32)))
    (one,) = embeddings.coverage(mine, cache=cache)
    assert (one.encoder, one.n_embedded, one.n_failed, one.n_pending) == ("moments", 47, 0, 1)
    assert embeddings.find_store([mine], one.store.key, cache=cache) == one.store


def test_pictures_are_kept_and_found_but_not_offered(cache: Cache, mine: Located, encoder: Any) -> None:
    embeddings.embed(mine, encoder, cache=cache)
    small = MelPicture(bands=8, columns=6)
    calls: list[int] = []
    for _ in range(2):
        pictures = embeddings.embed(mine, Counting(small, calls), cache=cache)
    assert (pictures.vectors.shape, sum(calls)) == ((48, 1, 48), 48)
    assert [one.encoder for one in embeddings.coverage(mine, cache=cache)] == ["moments"]
    store = embeddings.find_store([mine], "mel-picture", cache=cache)
    assert np.array_equal(embeddings.load(mine, store, cache=cache).vectors, pictures.vectors)
    assert store.recipe["shape"] == [8, 6]
    assert {entry.name for entry in cache.ls()} == {"moments", "mel-picture"}


def test_an_alias_finds_what_it_embedded(cache: Cache, mine: Located, encoder: Any) -> None:
    embeddings.embed(mine, replace(encoder, name="hf:facebook/wav2vec2-base"), cache=cache)
    store = embeddings.find_store([mine], "wav2vec2-base", cache=cache)
    assert store == embeddings.find_store([mine], "hf:facebook/wav2vec2-base", cache=cache)


def test_joined_corpora_keep_their_speakers_apart(
    cache: Cache, mine: Located, encoder: Any, make_folder: Callable[..., Path]
) -> None:
    other = catalogue.add(cache, "folder", make_folder("second", n_speakers=2), name="second")[0]
    parts = [embeddings.embed(one, encoder, cache=cache) for one in (mine, other)]
    both = embeddings.join(parts)
    assert both.vectors.shape == (48 + 24, 2, 4)
    assert set(both.clips["speaker"]) == {*(f"mine:s{n}" for n in range(4)), "second:s0", "second:s1"}
    assert np.array_equal(both.vectors[48:], parts[1].vectors)
    parts[1].clips.loc[3, "speaker"] = "unknown"
    assert embeddings.join(parts).clips["speaker"][48 + 3] == "unknown"  # nobody of "second"
    with pytest.raises(EmbeddingError, match="come from different encoders"):
        embeddings.join([parts[0], embeddings.embed(other, replace(encoder, version=2), cache=cache)])
    with pytest.raises(EmbeddingError, match="no embeddings"):
        embeddings.join([])


def test_layers_are_numbered_and_bounded(cache: Cache, mine: Located, encoder: Any) -> None:
    result = embeddings.embed(mine, encoder, cache=cache)
    assert np.array_equal(result.layer(-1), result.layer(1))
    assert not np.array_equal(result.layer(0), result.layer(1))
    with pytest.raises(EmbeddingError, match="layer 2: moments has layers 0 to 1"):
        result.layer(2)


def test_shapes_are_checked(cache: Cache, mine: Located, encoder: Any) -> None:
    result = embeddings.embed(mine, encoder, cache=cache)
    with pytest.raises(EmbeddingError, match="47 vectors, 48 clips"):
        replace(result, vectors=result.vectors[1:].copy())
    with pytest.raises(EmbeddingError, match="do not fit the recipe"):
        replace(result, recipe={**result.recipe, "dim": 5})
