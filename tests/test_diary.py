"""The diary of the demo: names, table, story, and what an interrupted or repeated call leaves."""

import hashlib
import json
from datetime import datetime
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from ser_core import analyses, catalogue, embeddings
from ser_core.cache import Cache
from ser_core.cli import app, place, work
from ser_core.corpora import KINDS, demo, diary
from ser_core.timeline import when

pytest.importorskip("espeakng_loader")

SEED = 7
CARD = KINDS["demo-diary"]


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "made.json")
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("diary")
    assert diary.make(root, seed=SEED) == 84
    return root


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write clips without synthesising them, where only their names matter."""
    monkeypatch.setattr(demo, "speak", lambda *_args, **_kwargs: np.zeros(16))


def test_fourteen_days_of_six_clips_at_uneven_times(root: Path) -> None:
    clips = CARD.clips(root)
    times = clips["recorded_at"]
    assert clips["file"].tolist() == sorted(times.dt.strftime("%Y-%m-%d/%H-%M.wav"))
    assert (times.dt.normalize().value_counts() == 6).all()
    assert (times.min().normalize(), times.max().normalize()) == (
        pd.Timestamp("2026-03-02"),
        pd.Timestamp("2026-03-15"),
    )
    assert times.dt.hour.between(7, 22).all()
    gaps = times.sort_values().groupby(times.dt.date).diff().dropna()
    assert gaps.min() >= pd.Timedelta(minutes=6)
    assert gaps.nunique() > 40
    named, source = when(clips.drop(columns="recorded_at"))
    assert source == "file names"
    assert (named == times).all()


def test_the_card_says_what_is_there(root: Path) -> None:
    scan = CARD.scan(root)
    assert (len(scan.clips), scan.n_missing, scan.unreadable, scan.left_out) == (CARD.n_clips, 0, (), ())
    assert set(scan.clips["speaker"]) == {diary.SPEAKER}
    assert set(scan.clips["emotion"]) <= set(CARD.emotions) <= set(demo.EMOTIONS)
    assert set(scan.clips["language"]) == {"English"}
    assert CARD.synthetic
    assert "synthetic" in CARD.title
    assert "synthetic speech, not recordings of people" in (root / "README.txt").read_text()


@pytest.mark.parametrize("seed", range(5))
def test_the_story(seed: int) -> None:
    days: list[list[str]] = [[] for _ in range(14)]
    for time, clip in diary._clips(seed).items():
        days[(time - datetime(2026, 3, 2)).days].append(clip.emotion)
    low = list(chain(*days[:7]))
    assert set(low) == {"sadness", "boredom", "neutral"}
    assert min(day.count("sadness") + day.count("boredom") for day in days[:7]) >= 5
    bright = list(chain(*(days[k] for k in (9, 11, 12, 13))))
    assert bright.count("happiness") + bright.count("calm") > len(bright) / 2
    assert not {"sadness", "boredom", "anger", "fear"} & set(bright)
    assert sorted(days[10]) == ["anger", "anger", "disgust", "fear", "fear", "fear"]
    assert len({tuple(day) for day in days[:7]}) > 4


def test_clips_are_short_and_not_clipped_and_differ(root: Path) -> None:
    for path in root.rglob("*.wav"):
        signal, rate = soundfile.read(path)
        assert rate == 16_000
        assert 1.0 < len(signal) / rate < 3.5
        assert 0.02 < np.abs(signal).max() < 0.96
    assert len(set(digests(root).values())) == 86


def test_the_voice_is_none_of_the_english_corpus() -> None:
    own, manner = demo._speaker(next(iter(diary._clips(0).values())), "diary", 0)
    for clip in demo._english():
        other, way = demo._speaker(clip, "english", 0)
        assert abs(own.f0 / other.f0 - 1) > 1e-3 or own.variant != other.variant
        assert not np.allclose(manner, way)
    assert own.variant.startswith("f")


def test_same_seed_same_bytes_and_another_seed_other_sound(root: Path, tmp_path: Path) -> None:
    diary.make(tmp_path / "a", seed=SEED)
    assert digests(tmp_path / "a") == digests(root)
    diary.make(tmp_path / "a", seed=SEED + 1)
    other = digests(tmp_path / "a")
    assert other.keys() == digests(root).keys()
    assert {name for name in other if other[name] == digests(root)[name]} == {"README.txt"}


def test_a_finished_diary_is_left_alone_and_a_broken_one_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary.make(tmp_path, seed=SEED)
    before = digests(tmp_path)
    monkeypatch.setattr(demo, "engine_version", lambda: pytest.fail("started the synthesiser"))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert diary.make(tmp_path, seed=SEED) == 84
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times
    (tmp_path / "metadata.csv").unlink()  # the process was killed before the table
    diary.make(tmp_path, seed=SEED)
    assert digests(tmp_path) == before
    monkeypatch.undo()
    gone = sorted(tmp_path.rglob("*.wav"))[3]
    gone.unlink()
    steps: list[tuple[int, int]] = []
    diary.make(tmp_path, seed=SEED, progress=lambda done, of: steps.append((done, of)))
    assert steps == [(1, 1)]
    assert digests(tmp_path) == before


@pytest.mark.usefixtures("mute")
def test_an_interrupted_change_of_seed_is_finished_later(tmp_path: Path) -> None:
    diary.make(tmp_path, seed=SEED)

    def stop(done: int, _of: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        diary.make(tmp_path, seed=SEED + 1, progress=stop)
    assert not (tmp_path / "made.json").exists()
    assert diary.make(tmp_path, seed=SEED + 1) == 84
    assert json.loads((tmp_path / "made.json").read_text())["seed"] == SEED + 1
    assert CARD.clips(tmp_path)["emotion"].tolist() == [clip.emotion for clip in diary._clips(SEED + 1).values()]


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize("name", ["2026-03-02/08-16.wav", "mine.wav", "metadata.csv"])
def test_what_others_made_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(demo.DemoError, match=r"did not make.*name an empty folder"):
        diary.make(tmp_path, seed=SEED)
    assert [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] == [b"mine"]


def test_ser_demo_makes_and_embeds_it_and_the_story_can_be_heard(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    compute = work.compute

    def first(kept: Cache, corpus: str, encoder: str) -> embeddings.Embeddings:
        asked.append(corpus)
        return compute(kept, "demo-diary", encoder)  # in place of the English corpus, too

    monkeypatch.setattr(demo, "LANGUAGES", ())
    monkeypatch.setattr(work, "compute", first)
    monkeypatch.setattr(analyses, "learn", lambda *_, **how: asked.append(how["method"]))
    monkeypatch.setattr(place, "checked", lambda kept, names, *_, **how: asked.extend(["check", *names]))
    done = CliRunner().invoke(app, ["demo", "--cache", str(cache.root)])
    assert done.exit_code == 0, done.output
    assert "demo-diary: 84 clips" in done.stdout
    assert asked == ["demo-diary", "demo-german", "demo-french", "demo-english", "regression", "check", "demo-english"]
    located = catalogue.get(cache, "demo-diary")
    found = embeddings.load(located, embeddings.find_store([located], "egemaps", cache=cache), cache=cache)
    assert (len(found.clips), found.n_pending) == (84, 0)
    assert located.root == cache.root / "demo" / "diary"
    opensmile = pytest.importorskip("opensmile")
    names = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals).feature_names
    day = (found.clips["recorded_at"] - pd.Timestamp("2026-03-01")).dt.days.to_numpy()
    measured = dict(zip(names, found.layer(0).T, strict=True))
    level, pitch = measured["equivalentSoundLevel_dBp"], measured["F0semitoneFrom27.5Hz_sma3nz_amean"]
    for values, step in ((level, 3.0), (pitch, 1.0)):  # dB, semitones: quiet and low, lively, the bad day
        low, lively, bad = values[day <= 7].mean(), values[day > 9].mean(), values[day == 11].mean()
        assert lively - low > step
        assert bad - low > step
