import hashlib
import io
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import Moments, tone
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from ser_core import analyses, audio, catalogue, embeddings, placement, tracks, unseen, windows
from ser_core.audio import AudioError
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.encoders import EGEMAPS, ENCODERS
from ser_core.encoders import encoder as find_encoder
from ser_core.encoders.base import ClipError, EncoderError
from ser_core.geometry import affect, mahalanobis, projection
from ser_core.landing import Landing
from ser_core.placement import Atlas, PlacementError

RATE = 16_000


@dataclass(frozen=True)
class Batched(Moments):
    """Moments, several clips a call."""

    name: str = "batched"
    batched: bool = True


@pytest.fixture(autouse=True)
def moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "moments", Moments())
    monkeypatch.setitem(ENCODERS, "batched", Batched())


@pytest.fixture
def atlas(cache: Cache, mine: Located, encoder: Any) -> Atlas:
    embeddings.embed(mine, encoder, cache=cache)
    return placement.atlas("mine", "moments", cache=cache)


def wav(signal: NDArray[np.floating], **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, signal, RATE, **({"format": "WAV", "subtype": "PCM_16"} | options))
    return file.getvalue()


def decoded(signal: NDArray[np.floating]) -> audio.Decoded:
    return audio.decode(wav(signal))


def relabel(root: Path, change: Callable[[pd.DataFrame], None]) -> None:
    table = pd.read_csv(root / "metadata.csv")
    change(table)
    table.to_csv(root / "metadata.csv", index=False)


def test_a_clip_of_the_corpus_lands_on_its_own_point(atlas: Atlas, mine: Located) -> None:
    found = atlas.found
    labels = [{"angry": "anger", "sad": "sadness"}.get(word, word) for word in found.clips["emotion"]]
    x = projection.scale(found.layer(-1), "standard")
    own = mahalanobis.distances(x, labels, covariance="pooled", shrink=True)
    assert atlas.emotions == own.names == ("anger", "sadness", "neutral")
    for row, file in enumerate(found.clips["file"]):
        placed = atlas.place(mine.root / file)
        np.testing.assert_array_equal(placed.vector, found.vectors[row])
        np.testing.assert_allclose(placed.point, atlas.ground.drawn.projection.coordinates[row], atol=1e-5)
        np.testing.assert_allclose(placed.distances, own.to_emotion[row], rtol=1e-9)
        np.testing.assert_allclose(placed.tail, own.tail()[row], rtol=1e-9)
        assert (placed.same, placed.landing.rows[0, 0], placed.digest) == (row, row, found.digests[row])


def test_the_same_sound_in_another_file_is_the_same_recording(atlas: Atlas, mine: Located) -> None:
    sound, _ = soundfile.read(mine.root / atlas.found.clips["file"][7])
    placed = atlas.place(wav(sound, format="FLAC"))
    assert placed.digest not in atlas.found.digests
    assert placed.same == 7
    other = atlas.place(wav(0.9 * sound))
    assert other.same is None
    vectors = placement.vectors(other.clip, atlas.encoder)
    by_digest = placement.placed(atlas, other.clip, vectors, digest=atlas.found.digests[9])
    assert by_digest.same == 9  # whatever another processor makes of it


def test_the_numbers_of_a_new_clip(atlas: Atlas) -> None:
    data = wav(tone(333, 0.27, 0.37))
    placed = atlas.place(data)
    vector = Moments().encode([audio.read(data)])[0]
    np.testing.assert_array_equal(placed.vector, vector)
    x = atlas.found.layer(-1).astype(float)
    scaler = StandardScaler().fit(x)
    fitted = PCA(3, svd_solver="full").fit(scaler.transform(x))
    own = fitted.transform(scaler.transform(x))
    signs = np.sign((own * atlas.ground.drawn.projection.coordinates).sum(axis=0))
    z = scaler.transform(vector[-1:].astype(float))
    np.testing.assert_allclose(placed.point, (fitted.transform(z) * signs)[0], rtol=1e-5, atol=1e-6)
    far, near = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(scaler.transform(x)).kneighbors(z)
    assert placed.landing.rows[0].tolist() == near[0].tolist()
    np.testing.assert_allclose(placed.landing.distances[0], far[0], rtol=1e-6)
    assert placed.neighbours["file"].tolist() == atlas.found.clips["file"].iloc[near[0]].tolist()
    words = atlas.found.clips["emotion"].iloc[near[0]].tolist()
    assert placed.votes.tolist() == [words.count(word) for word in ("angry", "sad", "neutral")]
    assert atlas.unseen is not None
    assert placed.distances is not None
    assert placed.further == np.mean(atlas.unseen.nearest < placed.distances.min())
    np.testing.assert_array_equal(placed.probabilities, atlas.unseen.recogniser.probabilities(vector[-1:])[0])
    assert atlas.plane is not None
    goal = analyses.goals(analyses.teachers(atlas.found)[0]).values  # noqa: PD011
    words, voices = (analyses.teachers(atlas.found)[0].clips[name].to_numpy(str) for name in ("emotion", "speaker"))
    learnt = affect.learn(x, goal, labels=words, speakers=voices, method="regression", scaling="standard")
    np.testing.assert_allclose(placed.affect, learnt.place(vector[-1:].astype(float))[0], rtol=1e-12)
    assert (placed.same, placed.path) == (None, None)


def test_the_names_that_each_way_gives(atlas: Atlas) -> None:
    placed = atlas.place(wav(tone(205, 0.22, 0.25)))
    assert placed.named() == dict.fromkeys(("mahalanobis", "neighbours", "svm"), "anger")

    def near(*rows: int) -> Landing:
        distances = np.arange(len(rows), dtype=np.float32)[None]
        return Landing(placed.landing.points, np.array([rows], np.int32), distances)

    tied = replace(
        placed,
        distances=np.array([3.0, 1.0, 2.0]),
        probabilities=np.array([0.2, 0.3, 0.5]),
        landing=near(47, 16, 32, 33, 17, 2),
    )
    words = [str(atlas.found.clips["emotion"][row]) for row in (47, 16, 32, 33, 17, 2)]
    assert words == ["sad", "neutral", "sad", "sad", "neutral", "angry"]
    assert tied.named() == {"mahalanobis": "sadness", "neighbours": "sadness", "svm": "neutral"}
    tie = replace(tied, landing=near(2, 16, 32, 33, 17))
    assert tie.named()["neighbours"] == "neutral"  # two each, and the nearer one is neutral


def test_what_is_far_from_everything_is_said(atlas: Atlas) -> None:
    assert atlas.place(wav(tone(400, 0.24, 0.3))).outlying is False
    noise = np.random.default_rng(0).normal(size=RATE) * 0.2
    placed = atlas.place(wav(noise))
    assert (placed.outlying, placed.further) == (True, 1.0)


def test_a_summary_is_plain_json(atlas: Atlas, mine: Located) -> None:
    long = np.concatenate([tone(200, 3.0), np.zeros(3 * RATE, np.float32), tone(600, 2.0)])
    said = atlas.place(wav(long)).summary()
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert (said["corpora"], said["encoder"], said["map"]["method"]) == (["mine"], "moments", "pca")
    assert (said["clip"]["seconds"], said["clip"]["file"]["container"], said["same_recording"]) == (8.0, "WAV", None)
    assert [one["emotion"] for one in said["emotions"]] == ["anger", "sadness", "neutral"]
    assert sum(one["of_nearest"] for one in said["emotions"]) == len(said["nearest"]) == 10
    assert sum(one["probability"] for one in said["emotions"]) == pytest.approx(1)
    assert {"corpus", "file", "emotion", "speaker", "distance"} == said["nearest"][0].keys()
    assert said["plane"]["learnt_from"] == "mine"
    assert said["plane"]["valence_within"] > 0
    assert (said["path"][0]["from"], said["path"][-1]["to"]) == (0.0, 8.0)
    silent = [one for one in said["path"] if one["point"] == [None, None, None]]
    assert [(one["from"], one["to"]) for one in silent] == [(3.0, 5.0), (3.5, 5.5), (4.0, 6.0)]
    assert all(one["valence"] is one["arousal"] is None for one in silent)
    assert said["unusual"] is None
    assert any("egemaps" in sentence for sentence in said["lacking"])
    own = atlas.place(mine.root / "sad_1_2.wav").summary()
    assert own["same_recording"] == {"corpus": "mine", "file": "sad_1_2.wav", "emotion": "sadness", "speaker": "s1"}
    assert own["path"] is None


def test_a_path_is_that_of_the_windows(atlas: Atlas) -> None:
    sound = np.concatenate([tone(200, 3.0), tone(600, 3.0, 0.5)])
    placed = atlas.place(wav(sound))
    signal, path = placed.clip.signal, placed.path
    assert path is not None
    spans = windows.windows(len(signal), RATE)
    np.testing.assert_array_equal(path.seconds, np.array(spans) / RATE)
    np.testing.assert_array_equal(path.middle, path.seconds.mean(axis=1))
    vectors = Moments().encode([signal[a:b] for a, b in spans])[:, -1]
    np.testing.assert_array_equal(path.points, atlas.ground.land(vectors).points)
    assert atlas.plane is not None
    np.testing.assert_array_equal(path.affect, atlas.plane.map.place(vectors.astype(float)))


def test_windows_that_cannot_be_encoded_are_nan(encoder: Moments) -> None:
    loud = np.concatenate([tone(200, 3.0, 0.2), tone(300, 3.0, 0.8)])
    clip = decoded(loud)

    @dataclass(frozen=True)
    class Picky(Moments):
        def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
            if any(len(one) == 2 * RATE and np.abs(one).max() > 0.5 for one in signals):
                raise ClipError("too loud a window")
            return super().encode(signals, device=device)

    plain = placement.vectors(clip, encoder, with_voice=False)
    for made in (Picky(), Picky(batched=True)):
        found = placement.vectors(clip, made, with_voice=False)
        refused = found.spans[:, 1] > 3
        assert np.isnan(found.windows[refused]).all()
        assert np.isfinite(found.windows[~refused]).all()
        np.testing.assert_array_equal(found.windows[~refused], plain.windows[~refused])
    with pytest.raises(PlacementError, match="too loud for this encoder"):
        placement.vectors(clip, Moments(loudest=0.5))


def test_networks_get_windows_in_batches() -> None:
    sizes: list[int] = []

    @dataclass(frozen=True)
    class Counting(Batched):
        def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
            sizes.append(len(signals))
            return super().encode(signals, device=device)

    clip = decoded(tone(200, 20.0))
    found = placement.vectors(clip, Counting(), with_voice=False)
    np.testing.assert_array_equal(found.windows, placement.vectors(clip, Moments(), with_voice=False).windows)
    assert sizes == [1, 15, 15, 7]  # the clip, and windows of 2 s in batches of 30 s


@pytest.mark.parametrize("encoder", [Moments(), Batched()])
def test_progress_counts(encoder: Moments) -> None:
    clip = decoded(tone(200, 20.0))
    steps: list[tuple[int, int]] = []
    placement.vectors(clip, encoder, with_voice=False, progress=lambda done, total: steps.append((done, total)))
    total = 1 + len(windows.windows(len(clip.signal), RATE))
    assert steps == [(done, total) for done in range(total + 1)]


@pytest.mark.parametrize("batched", [False, True])
def test_what_progress_raises_ends_the_work(batched: bool) -> None:  # noqa: FBT001
    class StoppedError(Exception):
        """Somebody pressed Stop."""

    encoded: list[int] = []

    @dataclass(frozen=True)
    class Slow(Moments):
        def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
            encoded.append(len(signals))
            time.sleep(0.002 * len(signals))
            return super().encode(signals, device=device)

    def stop(done: int, _: int) -> None:
        if done == 5:
            raise StoppedError

    clip, before = decoded(tone(200, 60.0)), threading.active_count()
    with pytest.raises(StoppedError):
        placement.vectors(clip, Slow(batched=batched), with_voice=False, progress=stop)
    assert threading.active_count() == before
    assert sum(encoded) < 60 < len(windows.windows(len(clip.signal), RATE))


def test_vectors_of_short_clips_and_wrong_rates(encoder: Moments) -> None:
    clip = decoded(tone(200, 3.9))
    found = placement.vectors(clip, encoder)
    assert (found.windows.shape, found.spans.shape, found.whole.shape) == ((0, 2, 4), (0, 2), (2, 4))
    with pytest.raises(PlacementError, match=r"at 8000 Hz, moments takes 16000 Hz: decode it with sampling_rate=16000"):
        placement.vectors(audio.decode(wav(tone(200)), 8000), encoder)


def test_the_voice_of_a_clip(encoder: Moments) -> None:
    clip = decoded(tone(200, 0.5))
    assert placement.vectors(clip, encoder, with_voice=False).voice is None
    expected = EGEMAPS.encode([clip.signal])[0]
    found = placement.vectors(clip, encoder)
    np.testing.assert_array_equal(found.voice, expected[0])
    own = placement.vectors(clip, EGEMAPS)
    np.testing.assert_array_equal(own.voice, expected[0])
    np.testing.assert_array_equal(own.whole, expected)
    other = audio.decode(wav(tone(200, 0.5)), 8000)
    assert placement.voice_of(other, encoder, found.whole) is None
    short = replace(clip, signal=clip.signal[:500])
    assert placement.voice_of(short, encoder, found.whole) is None


def test_what_is_unusual_is_told_from_egemaps(cache: Cache, atlas: Atlas, mine: Located) -> None:
    assert atlas.voice is None
    assert len(atlas.lacking) == 1
    assert atlas.lacking[0] == (
        "what is unusual about a voice is told from eGeMAPS values: mine is not embedded with egemaps: run"
        " `ser embed mine egemaps` first"
    )
    found = embeddings.embed(mine, EGEMAPS, cache=cache)
    both = placement.atlas("mine", "moments", cache=cache)
    assert both.lacking == ()
    placed = both.place(wav(tone(300, 0.5)))
    x = found.layer(-1).astype(float)
    value = EGEMAPS.encode([placed.clip.signal])[0, 0]
    assert placed.deviations is not None
    one = placed.deviations[0]
    assert one.value == pytest.approx(value[0])
    assert one.percentile == pytest.approx((x[:, 0] < value[0]).mean())
    assert len(placed.summary()["unusual"]) > 0
    extra = mine.root / "late.wav"
    soundfile.write(extra, tone(250), RATE)
    relabel(mine.root, lambda table: table.__setitem__("file_name", [*table["file_name"][:-1], "late.wav"]))
    with pytest.raises(PlacementError, match="eGeMAPS values of all clips: run `ser embed mine egemaps`"):
        placement.reference(atlas.found, cache=cache)


def test_nothing_of_a_clip_is_kept(cache: Cache, atlas: Atlas, tmp_path: Path) -> None:
    file = tmp_path / "private.wav"
    file.write_bytes(wav(tone(321, 5.0)))

    def state() -> dict[str, str]:
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.rglob("*") if path.is_file()
        }

    before = state()
    placed = atlas.place(file)
    assert placed.path is not None
    placed.summary()
    assert state() == before


def test_an_atlas_is_computed_once(cache: Cache, atlas: Atlas, mine: Located, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        pytest.fail("computed twice")

    monkeypatch.setattr(projection, "project", fail)
    monkeypatch.setattr(unseen, "_left_out", fail)
    monkeypatch.setattr("ser_core.geometry.affect.learn", fail)
    steps: list[tuple[int, int]] = []
    again = placement.atlas(["mine"], "moments", cache=cache, progress=lambda *step: steps.append(step))
    assert again.names == ("mine",)
    assert steps[-1] == (300, 300)
    data = wav(tone(321))
    assert again.place(data).summary() == atlas.place(data).summary()


def test_progress_of_an_atlas_only_grows(cache: Cache, mine: Located, encoder: Any) -> None:
    embeddings.embed(mine, encoder, cache=cache)
    steps: list[int] = []
    placement.atlas("mine", "moments", cache=cache, progress=lambda done, _: steps.append(done))
    assert steps == sorted(steps)
    assert {0, 100, 200, 300} <= set(steps)


def test_several_corpora(cache: Cache, make_folder: Callable[..., Path], encoder: Any) -> None:
    for name in ("one", "two"):
        root = make_folder(name)
        if name == "one":
            relabel(root, lambda table: table.__setitem__("emotion", "unknown"))
        embeddings.embed(catalogue.add(cache, "folder", root, name=name)[0], encoder, cache=cache)
    both = placement.atlas("one, two", "moments", cache=cache)
    assert both.names == ("one", "two")
    assert len(both.found.clips) == 96
    assert both.plane is not None
    assert both.plane.teacher == "two"  # the first that can teach
    assert both.unseen is not None
    assert both.unseen.rows.tolist() == list(range(48, 96))
    placed = both.place(catalogue.get(cache, "two").root / "sad_0_0.wav")
    assert (placed.votes.sum(), placed.same) == (5, 32)  # the very same recordings are in both
    known = projection.scale(both.found.layer(-1), "standard")[48:]
    labels = [{"angry": "anger", "sad": "sadness"}.get(word, word) for word in both.found.clips["emotion"][48:]]
    own = mahalanobis.distances(known, labels, covariance="pooled", shrink=True)
    assert placed.distances == pytest.approx(own.to_emotion[32])
    apart = placement.atlas(["one"], "moments", teacher="two", cache=cache)
    assert (apart.names, apart.emotions, apart.yardstick, apart.unseen) == (("one",), (), None, None)
    assert apart.plane is not None
    said = apart.place(wav(tone(300))).summary()
    assert (said["plane"]["learnt_from"], said["emotions"], said["outlying"]) == ("two", [], None)
    assert said["named"] == {"mahalanobis": None, "neighbours": None, "svm": None}
    assert "0 of 48 clips have a known emotion" in said["lacking"][0]
    assert len(set(said["lacking"])) == len(said["lacking"])


def test_one_speaker_leaves_the_check_and_the_plane_out(cache: Cache, mine: Located, encoder: Any) -> None:
    relabel(mine.root, lambda table: table.__setitem__("speaker", "s0"))
    embeddings.embed(mine, encoder, cache=cache)
    alone = placement.atlas("mine", "moments", cache=cache)
    assert alone.yardstick is not None
    assert (alone.unseen, alone.plane) == (None, None)
    assert "needs two or more" in alone.lacking[0]
    assert alone.lacking[1].startswith("mine teaches no plane: ")
    placed = alone.place(wav(tone(300)))
    assert (placed.further, placed.outlying, placed.probabilities, placed.affect) == (None, None, None, None)
    assert placed.distances is not None


def test_too_few_clips_to_measure_are_a_reason(cache: Cache, mine: Located, encoder: Any) -> None:
    relabel(mine.root, lambda table: table.__setitem__("emotion", ["sad", "angry", *["unknown"] * 46]))
    embeddings.embed(mine, encoder, cache=cache)
    few = placement.atlas("mine", "moments", cache=cache)
    assert few.yardstick is None
    assert any("clips" in why for why in few.lacking)


def test_clips_that_are_not_embedded_yet_are_said(cache: Cache, atlas: Atlas, mine: Located) -> None:
    assert not any("not embedded" in why and "clips of mine" in why for why in atlas.lacking)
    soundfile.write(mine.root / "new.wav", tone(250), RATE)
    relabel(mine.root, lambda table: table.__setitem__("file_name", ["new.wav", *table["file_name"][1:]]))
    found = placement.atlas("mine", "moments", cache=cache)
    assert len(found.found.clips) == 47
    assert found.lacking[0] == "what more clips of mine would add: 1 are not embedded, run `ser embed mine moments`"


def test_limits_and_bad_files(atlas: Atlas, tmp_path: Path) -> None:
    data = wav(tone(300, 2.0))
    with pytest.raises(AudioError, match="at most 1 s are taken"):
        atlas.place(data, max_seconds=1)
    with pytest.raises(AudioError) as caught:
        atlas.place(data, max_bytes=1000)
    assert caught.value.problem == "too large"
    with pytest.raises(AudioError, match=r"absent\.wav"):
        atlas.place(str(tmp_path / "absent.wav"))
    with pytest.raises(AudioError) as caught:
        atlas.place("a\0b")
    assert caught.value.problem == "missing"
    with pytest.raises(AudioError) as caught:
        atlas.place("x" * 5000)
    assert caught.value.problem == "missing"


def test_a_file_that_changes_meanwhile_is_one_file(
    atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, file, decode = wav(tone(300, 0.5)), tmp_path / "clip.wav", audio.decode

    def changing(*of: Any, **options: Any) -> audio.Decoded:
        file.write_bytes(wav(tone(400, 0.7)))
        return decode(*of, **options)

    file.write_bytes(data)
    monkeypatch.setattr(audio, "decode", changing)
    placed = atlas.place(file)
    assert (placed.digest, placed.clip.seconds) == (hashlib.sha256(data).hexdigest(), 0.5)
    file.write_bytes(b"no sound")
    monkeypatch.undo()
    with pytest.raises(AudioError, match=r"clip\.wav: not audio"):
        tracks.heard(file, RATE, max_seconds=1, max_bytes=None)


def test_a_pipe_is_read_once(atlas: Atlas, tmp_path: Path) -> None:
    data, pipe = wav(tone(300, 2.0)), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    writer.start()
    placed = atlas.place(pipe)
    writer.join(10)
    assert placed.digest == hashlib.sha256(data).hexdigest()


def test_the_encoder_of_embeddings() -> None:
    for name in ("egemaps", "moments"):
        recipe = embeddings.full_recipe(ENCODERS[name])
        assert placement.encoder_of(recipe) == ENCODERS[name]
        assert placement.encoder_of(json.loads(json.dumps(recipe))) == ENCODERS[name]


def test_another_version_of_an_encoder_is_said() -> None:
    recipe = embeddings.full_recipe(EGEMAPS) | {"opensmile": "1.0", "extra": True}
    here = embeddings.full_recipe(EGEMAPS)["opensmile"]
    with pytest.raises(PlacementError) as caught:
        placement.encoder_of(recipe, corpora=("emodb", "ravdess"))
    assert str(caught.value) == (
        "egemaps would give other numbers now than it gave then (extra was True, is None; opensmile was 1.0, is"
        f" {here}): run `ser embed emodb egemaps` and `ser embed ravdess egemaps`"
    )
    with pytest.raises(PlacementError, match=r"audio was mean of channels.* run `ser embed CORPUS egemaps`"):
        placement.encoder_of(embeddings.full_recipe(EGEMAPS) | {"audio": "mean of channels, " + "x" * 200})


def test_an_encoder_that_is_not_here_is_said() -> None:
    with pytest.raises(PlacementError, match="clips cannot be placed among embeddings by gone: no encoder is called"):
        placement.encoder_of({"name": "gone"})
    with pytest.raises(PlacementError, match=r"hf:nobody/nothing: nobody/nothing is not on this machine"):
        placement.encoder_of({"name": "hf:nobody/nothing"})


def test_embeddings_of_another_version_stop_an_atlas(
    cache: Cache, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert atlas.names == ("mine",)
    monkeypatch.setitem(ENCODERS, "moments", Moments(version=2))
    with pytest.raises(PlacementError, match=r"version was 1, is 2\): run `ser embed mine moments`"):
        placement.atlas("mine", "moments", cache=cache)


def test_what_does_not_exist(cache: Cache, mine: Located) -> None:
    with pytest.raises(embeddings.EmbeddingError, match="mine is not embedded with moments"):
        placement.atlas("mine", "moments", cache=cache)
    with pytest.raises(Exception, match="no corpus named 'nobody'"):
        placement.atlas("nobody", "moments", cache=cache)


@pytest.mark.slow
def test_a_network_gives_a_clip_the_vector_that_it_has_in_its_corpus(
    cache: Cache, mine: Located, tmp_path: Path
) -> None:
    from tiny_checkpoints import save

    folder = tmp_path / "tiny"
    save(folder, "wav2vec2-group", seed=0)
    found = embeddings.embed(mine, find_encoder(f"hf:{folder}"), cache=cache)
    network = placement.encoder_of(found.recipe)
    clip = audio.decode(mine.root / found.clips["file"][5])
    made = placement.vectors(clip, network)
    np.testing.assert_allclose(made.whole, found.vectors[5], rtol=1e-4, atol=1e-6)
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False, "sampling_rate": 16_000}))
    with pytest.raises(PlacementError, match="files was"):
        placement.encoder_of(found.recipe)


def test_an_encoder_that_fails_here_and_now_is_no_fault_of_the_clip(encoder: Moments) -> None:
    @dataclass(frozen=True)
    class Broken(Moments):
        def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
            raise EncoderError("no device")

    with pytest.raises(EncoderError, match="no device"):
        placement.vectors(decoded(tone(200)), Broken())

    @dataclass(frozen=True)
    class Full(Moments):
        def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
            raise MemoryError

    with pytest.raises(PlacementError, match="memory ran out: cut the clip"):
        placement.vectors(decoded(tone(200)), Full())
    assert tracks.WORKERS == 2
