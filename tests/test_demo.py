"""Demo corpora: names, bytes, and acoustics measured with other tools than the ones that made them."""

import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import opensmile
import pytest
import soundfile
from scipy.signal import welch

from ser_core.corpora import demo, espeak
from ser_core.corpora.espeak import Prosody, Voice, speak

pytest.importorskip("espeakng_loader")

SEED = 7
WORDS = ["Kids", "are", "talking", "by", "the", "door"]
VOICE = Voice(language="en-us", variant="f1", f0=200.0, tract=1.0, speed=165.0, level=-30.0)


def wavs(root: Path) -> dict[str, Path]:
    return {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.wav"))}


def digests(root: Path) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in wavs(root).items()}


def speech_s(signal: np.ndarray) -> float:
    """Seconds from the first to the last 10 ms frame within 35 dB of the loudest."""
    frames = signal[: len(signal) // 160 * 160].reshape(-1, 160)
    loud = np.flatnonzero((frames**2).mean(axis=1) > (frames**2).mean(axis=1).max() * 10**-3.5)
    return (loud[-1] - loud[0] + 1) / 100


@functools.cache
def smile(level: str) -> opensmile.Smile:
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[level])


def functionals(signal: np.ndarray) -> dict[str, float]:
    return smile("Functionals").process_signal(signal, 16_000).iloc[0].to_dict()


def f0_track(signal: np.ndarray) -> np.ndarray:
    """Semitones from 27.5 Hz, voiced frames only."""
    track = smile("LowLevelDescriptors").process_signal(signal, 16_000)["F0semitoneFrom27.5Hz_sma3nz"].to_numpy()
    return track[track > 0]


def level_db(signal: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(signal**2)))


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("german")
    assert demo.make("german", root, seed=SEED) == 280
    return root


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Make the German corpus one of 10 clips."""
    clips = demo._german()[::28]
    monkeypatch.setattr(demo, "_german", lambda: clips)
    return len(clips)


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write clips without synthesising them, where only their names matter."""
    monkeypatch.setattr(demo, "speak", lambda *_args, **_kwargs: np.zeros(16))


# ---- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("mute")
def test_english_is_named_as_ravdess(tmp_path: Path) -> None:
    assert demo.make("english", tmp_path, seed=SEED) == 720
    names = list(wavs(tmp_path))
    assert len(names) == 720
    codes = [re.fullmatch(r"Actor_(\d\d)/03-01-(0[1-8])-(0[12])-(0[12])-01-(\d\d)\.wav", name) for name in names]
    assert all(code and code[1] == code[5] for code in codes)
    assert {code[1] for code in codes if code} == {f"{actor:02d}" for actor in range(1, 25)}
    assert not [name for name in names if "/03-01-01-02" in name], "neutral has no strong intensity"
    assert len([name for name in names if "/03-01-01-01" in name]) == 24 * 2


def test_german_is_named_as_emodb(german: Path) -> None:
    names = list(wavs(german))
    assert len(names) == 280
    codes = [re.fullmatch(r"wav/(\d\d)([ab]\d\d)([WLEAFTN])a\.wav", name) for name in names]
    assert all(codes)
    assert {code[1] for code in codes if code} == {"03", "08", "09", "10", "11", "12", "13", "14", "15", "16"}
    assert {code[2] for code in codes if code} == {"a01", "a02", "b01", "b02"}
    assert not (german / "erkennung.txt").exists()


@pytest.mark.usefixtures("mute")
def test_french_is_named_as_cafe(tmp_path: Path) -> None:
    assert demo.make("french", tmp_path, seed=SEED) == 312
    names = set(wavs(tmp_path))
    assert {"Colère/Faible/01-C-1-1.wav", "Dégoût/Fort/12-D-2-2.wav", "Tristesse/Fort/07-T-2-1.wav"} <= names
    neutral = [name for name in names if name.startswith("Neutre/")]
    assert len(names) == 312
    assert len(neutral) == 24
    assert all(name.count("/") == 1 for name in neutral)


def test_root_says_that_it_is_synthetic(german: Path) -> None:
    assert "synthetic speech, not recordings of people" in (german / "README.txt").read_text()
    stamp = json.loads((german / "made.json").read_text())
    assert stamp["what"].startswith("synthetic")
    assert (stamp["version"], stamp["seed"], stamp["n_clips"]) == (demo.VERSION, SEED, 280)
    assert re.fullmatch(r"\d+\.\d+.*", stamp["engine"])


# ---- bytes ----------------------------------------------------------------------------------------------------------


def test_another_process_in_another_order_writes_the_same_bytes(german: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ser_core.corpora import demo; "
        "clips = demo._german()[::-7]; demo._german = lambda: clips; "
        f"demo.make('german', Path(sys.argv[1]), seed={SEED})"
    )
    environment = os.environ | {"PYTHONHASHSEED": "123"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment, timeout=60)
    here, there = digests(german), digests(tmp_path)
    assert len(there) == 40
    assert there.items() <= here.items()


def test_another_seed_changes_every_clip(german: Path, tmp_path: Path, few: int) -> None:
    demo.make("german", tmp_path, seed=SEED + 1)
    other = digests(tmp_path)
    assert len(other) == few
    assert not other.items() & digests(german).items()


def test_no_two_clips_are_alike(german: Path) -> None:
    assert len(set(digests(german).values())) == 280


def test_what_was_spoken_before_leaves_no_trace() -> None:
    def clip() -> np.ndarray:
        return speak(WORDS, voice=VOICE, prosody=Prosody(), rng=np.random.default_rng(0))

    first = clip()
    for variant, language in (("m3", "de"), ("f2", "fr"), ("aunty", "en-us")):
        lively = Prosody(rate=0.8, f0=5, slope=4, pause=60)
        speak(["eins", "zwei"], voice=replace(VOICE, variant=variant, language=language), prosody=lively,
              rng=np.random.default_rng(1))  # fmt: skip
        np.testing.assert_array_equal(clip(), first)


# ---- interrupted and repeated runs ----------------------------------------------------------------------------------


def test_missing_clips_are_made_again_and_only_those(tmp_path: Path, few: int) -> None:
    demo.make("german", tmp_path, seed=SEED)
    before, times = digests(tmp_path), {name: path.stat().st_mtime_ns for name, path in wavs(tmp_path).items()}
    gone = list(before)[2:5]
    for name in gone:
        (tmp_path / name).unlink()
    steps: list[tuple[int, int]] = []
    assert demo.make("german", tmp_path, seed=SEED, progress=lambda done, of: steps.append((done, of))) == few
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert digests(tmp_path) == before
    assert all((tmp_path / name).stat().st_mtime_ns == times[name] for name in before if name not in gone)


def test_finished_corpus_needs_no_synthesiser(tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.make("german", tmp_path, seed=SEED)
    monkeypatch.setattr(demo, "engine_version", lambda: pytest.fail("started the synthesiser"))
    assert demo.make("german", tmp_path, seed=SEED) == few


@pytest.mark.usefixtures("few")
def test_interrupted_change_of_seed_does_not_look_finished(tmp_path: Path) -> None:
    demo.make("german", tmp_path, seed=SEED)
    before = digests(tmp_path)

    def stop(done: int, _of: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.make("german", tmp_path, seed=SEED + 1, progress=stop)
    assert not (tmp_path / "made.json").exists()
    assert digests(tmp_path) != before
    demo.make("german", tmp_path, seed=SEED)
    assert digests(tmp_path) == before
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize("name", ["wav/03a07Wb.wav", "wav/03a01Wa.wav"])  # a foreign name; a real file of the same name
def test_recordings_of_others_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_bytes(b"a recording")
    with pytest.raises(demo.DemoError, match=f"did not make .*{name}.*name an empty folder"):
        demo.make("german", tmp_path, seed=SEED)
    assert (tmp_path / name).read_bytes() == b"a recording"


def test_missing_package_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setattr(espeak, "_engine", espeak._Engine)
    with pytest.raises(demo.DemoError, match=r"run `pip install 'ser-atlas\[demo\]'`\.$"):
        demo.make("german", tmp_path, seed=SEED)
    assert not list(tmp_path.iterdir())


def test_unknown_language_and_voice_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="english, german, french; got 'klingon'"):
        demo.make("klingon", tmp_path, seed=SEED)
    with pytest.raises(demo.DemoError, match="refused voice"):
        speak(WORDS, voice=replace(VOICE, language="xx"), prosody=Prosody(), rng=np.random.default_rng(0))


# ---- acoustics ------------------------------------------------------------------------------------------------------


def test_clips_are_16_bit_mono_without_clipping(german: Path) -> None:
    for path in wavs(german).values():
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        signal, _ = soundfile.read(path)
        assert 0.02 < np.abs(signal).max() < 0.96
        assert 1.0 < speech_s(signal) < 3.5


@pytest.fixture(scope="module")
def measured(german: Path) -> dict[str, dict[str, np.ndarray]]:
    """Level in dB, duration in s, F0 mean and spread (20th to 80th percentile) in st.

    Measure -> EmoDB letter -> one value per speaker.
    """
    values: dict[str, dict[str, list[float]]] = {name: {} for name in ("level", "duration", "f0", "spread")}
    for name, path in wavs(german).items():
        if name[6:9] != "a01":
            continue
        signal, _ = soundfile.read(path)
        track = f0_track(signal)
        for measure, value in {
            "level": level_db(signal), "duration": speech_s(signal), "f0": track.mean(),
            "spread": np.ptp(np.quantile(track, [0.2, 0.8])),
        }.items():  # fmt: skip
            values[measure].setdefault(name[9], []).append(float(value))
    return {measure: {key: np.array(row) for key, row in rows.items()} for measure, rows in values.items()}


@pytest.mark.parametrize(
    ("measure", "more", "less", "least"),
    [
        ("level", "W", "T", 8.0),  # anger louder than sadness (dB)
        ("level", "W", "N", 4.0),
        ("level", "N", "L", 1.0),
        ("duration", "T", "F", 0.3),  # sadness slower than happiness (s)
        ("duration", "L", "A", 0.3),
        ("f0", "A", "N", 1.0),  # fear, anger and happiness higher than neutral, boredom lower (st)
        ("f0", "F", "N", 1.0),
        ("f0", "W", "N", 1.0),
        ("f0", "N", "L", 0.5),
        ("spread", "F", "T", 0.5),  # happiness livelier than sadness, anger than fear (st)
        ("spread", "W", "A", 0.5),
    ],
)
def test_emotions_differ_as_documented(
    measured: dict[str, dict[str, np.ndarray]], measure: str, more: str, less: str, least: float
) -> None:
    difference = measured[measure][more] - measured[measure][less]
    assert difference.mean() > least
    assert (difference > 0).sum() >= 7, "not true of at least 7 of the 10 speakers"


def test_speakers_differ_and_men_are_lower(measured: dict[str, dict[str, np.ndarray]]) -> None:
    f0 = dict(zip(("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"), measured["f0"]["N"], strict=True))
    men = sorted(f0.pop(speaker) for speaker in ("03", "10", "11", "12", "15"))
    women = sorted(f0.values())
    assert men[-1] < women[0]
    assert men[-1] - men[0] > 4
    assert women[-1] - women[0] > 3


@pytest.mark.parametrize(
    ("field", "value", "feature", "change"),
    [
        ("breath", 0.3, "HNRdBACF_sma3nz_amean", -1.0),  # dB
        ("tension", 8.0, "alphaRatioV_sma3nz_amean", 3.0),  # dB
        ("tension", -8.0, "alphaRatioV_sma3nz_amean", -1.5),
        ("jitter", 3.0, "jitterLocal_sma3nz_amean", 0.005),  # share of a period
        ("shimmer", 2.0, "shimmerLocaldB_sma3nz_amean", 0.2),  # dB
        ("f0", 4.0, "F0semitoneFrom27.5Hz_sma3nz_amean", 3.0),  # st
        ("f0", -4.0, "F0semitoneFrom27.5Hz_sma3nz_amean", -3.0),
        ("f0_range", 0.4, "F0semitoneFrom27.5Hz_sma3nz_stddevNorm", -0.01),
        ("tremor", 1.0, "F0semitoneFrom27.5Hz_sma3nz_meanRisingSlope", 10.0),  # st/s
        ("loudness", 6.0, "equivalentSoundLevel_dBp", 5.0),  # dB
    ],
)
def test_each_setting_moves_its_measure(field: str, value: float, feature: str, change: float) -> None:
    plain, changed = (
        functionals(speak(WORDS, voice=VOICE, prosody=prosody, rng=np.random.default_rng(0)))[feature]
        for prosody in (Prosody(), replace(Prosody(), **{field: value}))
    )
    assert (changed - plain) / change > 1


def test_rate_and_pause_lengthen_and_slope_turns_the_melody() -> None:
    def say(**fields: float) -> np.ndarray:
        return speak(WORDS, voice=VOICE, prosody=Prosody(**fields), rng=np.random.default_rng(0))

    plain = speech_s(say())
    assert speech_s(say(rate=1.25)) == pytest.approx(plain / 1.25, rel=0.06)
    assert speech_s(say(pause=42)) == pytest.approx(plain + 5 * 0.042, abs=0.1)

    def rise(signal: np.ndarray) -> float:
        first, _, last = np.array_split(f0_track(signal), 3)
        return float(last.mean() - first.mean())

    assert rise(say(slope=4)) > rise(say()) + 1.5
    assert rise(say(slope=-4)) < rise(say()) - 1.5


def test_shorter_tract_scales_the_spectrum_but_not_the_pitch() -> None:
    short, long = (
        speak(WORDS, voice=replace(VOICE, tract=tract), prosody=Prosody(breath=0), rng=np.random.default_rng(0))
        for tract in (1.1, 0.9)
    )
    assert abs(f0_track(short).mean() - f0_track(long).mean()) < 0.5
    assert speech_s(short) == pytest.approx(speech_s(long), rel=0.05)

    def envelope(signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hz, power = welch(signal, 16_000, nperseg=512)
        return hz, np.convolve(np.log(power), np.ones(15) / 15, "same")

    hz, scales = np.linspace(600, 5000, 300), np.linspace(0.8, 1.4, 121)
    fixed = np.interp(hz, *envelope(short))
    fits = [np.corrcoef(np.interp(hz / scale, *envelope(long)), fixed)[0, 1] for scale in scales]
    assert scales[np.argmax(fits)] == pytest.approx(1.1 / 0.9, rel=0.04)
