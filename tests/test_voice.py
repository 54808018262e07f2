"""The 88 measures of a voice in words, and what is unusual about a clip."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import signal, stats

from ser_core import voice
from ser_core.egemaps_words import Group
from ser_core.embeddings import Embeddings
from ser_core.encoders.opensmile import EGEMAPS
from ser_core.voice import Deviation, Reference, VoiceError, measures

RATE = 16_000
NAMES = [measure.name for measure in measures()]
RANGE = NAMES.index("F0semitoneFrom27.5Hz_sma3nz_pctlrange0-2")
MEAN = NAMES.index("F0semitoneFrom27.5Hz_sma3nz_amean")


def embedded(x: NDArray[Any], words: list[str] | None = None, **recipe: Any) -> Embeddings:
    emotion = words or ["anger"] * len(x)
    clips = pd.DataFrame({"file": "a.wav", "speaker": "s", "emotion": emotion, "corpus": "mine"}, range(len(x)))
    full = {"name": "egemaps", "layers": ["functionals"], "dim": x.shape[1], **recipe}
    return Embeddings(x[:, None, :].astype(np.float32), clips, full, ("",) * len(x), pd.DataFrame())


def some(n: int = 60, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, 88)) * random.uniform(0.1, 50, 88) + random.normal(size=88)).astype(np.float32)


def usual(**changes: Any) -> Reference:
    """Mean 0 and spread 1 everywhere, of 100 clips at the 100 quantiles of a normal distribution."""
    values = np.repeat(stats.norm.ppf((np.arange(100) + 0.5) / 100)[:, None], 88, axis=1)
    plain = Reference(np.zeros(88), np.ones(88), 100, 20, np.full(88, 1.0), np.full(88, 2.0), values)
    return replace(plain, **changes)


def at(**places: float) -> list[Deviation]:
    """Deviations of a clip that is at 0, but for some measures (by the number behind "m")."""
    vector = np.zeros(88)
    for name, value in places.items():
        vector[int(name[1:])] = value
    return voice.deviations(usual(), vector)


# --- the words


def test_the_names_are_those_of_opensmile_in_its_order() -> None:
    assert tuple(NAMES) == EGEMAPS.feature_names()


def test_words_are_unique_and_every_measure_has_one_sentence() -> None:
    assert len({measure.words for measure in measures()}) == 88
    for measure in measures():
        assert measure.about.endswith("."), measure
        assert ". " not in measure.about, measure
        assert measure.about[0].isupper(), measure
        assert len(measure.about) < 180, measure
        assert len(measure.words) < 60, measure
        assert measure.words[0].islower(), measure
        assert not measure.words.endswith("."), measure


def test_the_words_that_people_know() -> None:
    words = {measure.name: (measure.words, measure.unit, measure.group) for measure in measures()}
    semitones = "semitones above 27.5 Hz"
    assert words["F0semitoneFrom27.5Hz_sma3nz_amean"] == ("pitch, mean", semitones, "pitch")
    assert words["F0semitoneFrom27.5Hz_sma3nz_stddevNorm"] == ("pitch variation", "", "pitch")
    assert words["F0semitoneFrom27.5Hz_sma3nz_pctlrange0-2"] == ("pitch range", "semitones", "pitch")
    assert words["loudness_sma3_percentile80.0"] == ("loudness, loud parts (80th percentile)", "", "loudness")
    assert words["HNRdBACF_sma3nz_amean"] == ("voice clearness (harmonics-to-noise ratio)", "dB", "voice quality")
    assert words["VoicedSegmentsPerSec"] == ("speech rate (voiced segments per second)", "per second", "rhythm")
    assert words["F2bandwidth_sma3nz_stddevNorm"] == ("second formant (F2) bandwidth, variation", "", "timbre")


def test_features_are_the_twenty_of_the_table_and_groups_hold_whole_features() -> None:
    counts = pd.Series([measure.feature for measure in measures()]).value_counts().to_dict()
    assert counts == {
        **{"Pitch": 10, "Loudness": 10, "Spectral flux": 5, "MFCC": 16, "Jitter": 2, "Shimmer": 2, "Harmonics": 4},
        **{"Harmonic-to-noise ratio": 2, "Formant 1": 6, "Formant 2": 6, "Formant 3": 6, "Alpha ratio": 3},
        **{"Hammarberg index": 3, "Spectral slope 0-500 Hz": 3, "Spectral slope 500-1500 Hz": 3},
        **{"Loudness peaks/second": 1, "Segments/second": 1, "Segment length (V)": 2, "Segment length (UV)": 2},
        **{"Equivalent sound level": 1},
    }
    of: dict[str, set[str]] = {}
    for measure in measures():
        of.setdefault(measure.group, set()).add(measure.feature)
    assert set(of) == set(Group.__args__)
    assert of.pop("pitch") == {"Pitch"}
    assert of.pop("loudness") == {"Loudness", "Equivalent sound level"}
    assert of.pop("voice quality") == {"Jitter", "Shimmer", "Harmonics", "Harmonic-to-noise ratio"}
    assert of.pop("rhythm") == {
        *("Loudness peaks/second", "Segments/second", "Segment length (V)", "Segment length (UV)")
    }
    assert len(of["timbre"]) == 9


def test_no_word_is_on_the_wrong_side_of_its_feature() -> None:
    marks = {"F1": "(F1)", "F2": "(F2)", "F3": "(F3)", "mfcc": "MFCC", "jitter": "jitter", "shimmer": "shimmer"}
    marks |= {"alpha": "brightness (alpha", "hammar": "darkness (Hammarberg", "slope": "slope", "Flux": "flux"}
    marks |= {"loudness": "loudness"}
    for measure in measures():
        for start, mark in marks.items():
            assert measure.name.startswith(start) <= (mark in measure.words), measure
        assert ("stddevNorm" in measure.name) <= ("variation" in measure.words), measure
        assert ("UV" in measure.name) == ("unvoiced parts" in measure.words and measure.group != "rhythm"), measure


def test_families_hold_the_mean_and_the_percentiles_of_one_thing() -> None:
    of: dict[str, list[str]] = {}
    for measure in measures():
        of.setdefault(measure.family, []).append(measure.name.removeprefix("F0semitoneFrom27.5Hz_sma3nz_"))
    assert of["pitch level"] == ["amean", "percentile20.0", "percentile50.0", "percentile80.0"]
    assert of["pitch range"] == ["stddevNorm", "pctlrange0-2"]
    assert of["formants, level"] == [f"F{k}amplitudeLogRelF0_sma3nz_amean" for k in (1, 2, 3)]
    assert {"equivalentSoundLevel_dBp", "loudness_sma3_amean", "spectralFlux_sma3_amean"} <= set(of["loudness"])
    assert of["spectral shape 3"] == ["mfcc3_sma3_amean", "mfcc3V_sma3nz_amean"]


# --- what openSMILE hears of sounds that are known: units, signs, and what the level of a recording moves


def hear(sound: NDArray[np.floating]) -> dict[str, float]:
    return dict(zip(NAMES, EGEMAPS.encode([sound.astype(np.float32)])[0, 0].tolist(), strict=True))


def glide(low: float, high: float, *, rises: float = 0.5, seconds: int = 4) -> NDArray[np.float64]:
    """A buzz whose pitch goes up and down once a second, in semitones above 27.5 Hz."""
    time = np.arange(seconds * RATE) / RATE
    semitones = low + (high - low) * (signal.sawtooth(2 * np.pi * time, rises) + 1) / 2
    phase = 2 * np.pi * np.cumsum(27.5 * 2 ** (semitones / 12)) / RATE
    return 0.1 * np.sum([np.sin(k * phase) / k for k in range(1, 20)], axis=0)


def test_pitch_is_in_semitones_and_its_slopes_in_semitones_a_second() -> None:
    slow, quick = (
        {name.removeprefix("F0semitoneFrom27.5Hz_sma3nz_"): value for name, value in hear(sound).items()}
        for sound in (glide(30, 36), glide(30, 36, rises=0.2))
    )
    assert slow["amean"] == pytest.approx(33, abs=0.3)
    assert slow["pctlrange0-2"] == pytest.approx(0.6 * 6, abs=0.3)
    assert slow["stddevNorm"] == pytest.approx(6 / np.sqrt(12) / 33, abs=0.005)
    assert slow["meanRisingSlope"] == pytest.approx(12, abs=1)
    assert quick["meanRisingSlope"] > 2 * slow["meanRisingSlope"]
    assert 0 < quick["meanFallingSlope"] < slow["meanFallingSlope"]  # steeper falls are higher numbers


def test_spectra_are_brighter_darker_and_steeper_as_the_sentences_say() -> None:
    noise = np.random.default_rng(0).normal(size=2 * RATE) * 0.05
    dark, bright = (hear(signal.sosfilt(signal.butter(2, f, fs=RATE, output="sos"), noise)) for f in (500, 5000))
    assert dark["alphaRatioUV_sma3nz_amean"] < bright["alphaRatioUV_sma3nz_amean"]
    assert dark["hammarbergIndexUV_sma3nz_amean"] > bright["hammarbergIndexUV_sma3nz_amean"]
    spectrum = np.fft.rfft(np.random.default_rng(1).normal(size=2 * RATE))
    falling = np.fft.irfft(spectrum * 10 ** (-0.02 * np.minimum(np.fft.rfftfreq(2 * RATE, 1 / RATE), 2000) / 20))
    found = hear(0.05 * falling / falling.std())
    assert found["slopeUV500-1500_sma3nz_amean"] == pytest.approx(-0.02, abs=0.006)  # dB/Hz


def test_levels_and_lengths_are_in_decibels_and_seconds() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    assert hear(tone)["equivalentSoundLevel_dBp"] == pytest.approx(10 * np.log10(0.125), abs=0.01)
    bursts = glide(30, 30.01) * (np.arange(4 * RATE) / RATE % 0.4 < 0.2)
    found = hear(bursts)
    assert found["VoicedSegmentsPerSec"] == pytest.approx(2.5, abs=0.1)
    assert found["MeanVoicedSegmentLengthSec"] == pytest.approx(0.2, abs=0.03)
    assert found["MeanUnvoicedSegmentLength"] == pytest.approx(0.2, abs=0.05)


def test_relative_variation_of_a_negative_mean_is_negative_so_it_is_marked() -> None:
    dull = hear(signal.sosfilt(signal.butter(2, 800, fs=RATE, output="sos"), glide(30, 36)))
    assert dull["alphaRatioV_sma3nz_amean"] < 0 > dull["alphaRatioV_sma3nz_stddevNorm"]
    marked = {measure.name for measure in measures() if measure.unstable}
    assert all(name.endswith("_stddevNorm") for name in marked)
    assert {"alphaRatioV_sma3nz_stddevNorm", "mfcc2V_sma3nz_stddevNorm", "HNRdBACF_sma3nz_stddevNorm"} <= marked
    positive = ("F0", "loud", "spectralFlux", "jitter", "shimmer", "F1f", "F1b", "F2f", "F2b", "F3f", "F3b")
    ratios = {name for name in NAMES if name.endswith("_stddevNorm")}
    assert marked == {name for name in ratios if not name.startswith(positive)}


def test_what_a_louder_recording_moves_is_marked_and_nothing_else() -> None:
    swell = np.repeat(np.random.default_rng(1).uniform(0.3, 1, 16), RATE // 4)  # never quiet enough to lose its voice
    noise = np.random.default_rng(0).normal(size=4 * RATE) * 0.1
    sound = 0.3 * swell * (2 * np.concatenate([glide(30, 36, seconds=2), np.zeros(2 * RATE)]) + noise)
    soft, loud = hear(sound), hear(2 * sound)
    moved = {name for name in NAMES if abs(loud[name] - soft[name]) > 0.05 * abs(soft[name])}
    assert moved == {measure.name for measure in measures() if measure.depends_on_level}


# --- what is usual


def test_mean_and_spread_are_those_of_the_clips() -> None:
    x = some()
    found = voice.reference(embedded(x))
    assert found.mean == pytest.approx(x.astype(np.float64).mean(axis=0), abs=1e-9)
    assert found.spread == pytest.approx(x.astype(np.float64).std(axis=0), rel=1e-9)
    assert (found.n_clips, found.n_neutral, found.neutral_mean, found.neutral_spread) == (60, 0, None, None)
    assert np.array_equal(found.values, np.sort(x, axis=0))


def test_one_clip_far_out_leaves_the_others_as_they_were() -> None:
    x = some()
    before = voice.reference(embedded(x))
    x[7, 3] = before.mean[3] + 7548 * before.spread[3]
    after = voice.reference(embedded(x))
    assert x[:, 3].std() > 900 * before.spread[3]
    assert after.spread[3] == pytest.approx(before.spread[3], rel=0.7)
    low, median, high = np.quantile(x[:, 3].astype(np.float64), [0.25, 0.5, 0.75])
    edge = 10 * (high - low) / (stats.norm.ppf(0.75) * 2)
    limited = stats.mstats.trimmed_mean(x[:, 3], limits=(median - edge, median + edge), relative=False)
    by_hand = (limited * 59 + median + edge) / 60
    assert after.mean[3] == pytest.approx(by_hand, rel=1e-4)  # 1.349 is rounded
    assert np.delete(after.spread, 3) == pytest.approx(np.delete(before.spread, 3), rel=1e-12)
    assert voice.deviations(after, x[7])[3].z == 10


def test_a_measure_that_is_mostly_zero_keeps_its_spread() -> None:
    x = some()
    x[:, 12] = 0
    x[:4, 12] = [1, 2, 3, 4]
    assert voice.reference(embedded(x)).spread[12] == pytest.approx(np.array([1, 2, 3, 4] + [0] * 56).std(), rel=1e-9)


def test_a_constant_measure_has_no_z() -> None:
    x = some()
    x[:, 30] = 0.1
    found = voice.reference(embedded(x, ["neutral"] * 60))
    one = voice.deviations(found, x[0])[30]
    assert np.isnan(one.z)
    assert one.z_neutral is not None
    assert np.isnan(one.z_neutral)
    assert one.percentile == 0.5
    assert one.says() == "irregular pitch (jitter) cannot be compared: all clips of the corpus have the same value"
    assert "all neutral clips have the same value" in one.says(against="neutral")
    assert one not in voice.unusual(voice.deviations(found, x[0]), n=88)


@pytest.mark.parametrize("n_neutral", [9, 10])
def test_neutral_clips_count_from_ten_on_under_any_corpus_s_word(n_neutral: int) -> None:
    x = some()
    words = [("neutral", "Neutre")[row % 2] if row < n_neutral else "calm" for row in range(60)]
    found = voice.reference(embedded(x, words))
    assert found.n_neutral == n_neutral
    deviations = voice.deviations(found, x[20])
    if n_neutral < 10:
        assert found.neutral_mean is None
        assert found.neutral_spread is None
        assert all(one.z_neutral is None for one in deviations)
        return
    limited = np.asarray(x[:n_neutral], np.float64)  # nothing is 10 robust deviations out here
    expected = (x[20] - limited.mean(axis=0)) / limited.std(axis=0)
    assert [one.z_neutral for one in deviations] == pytest.approx(np.clip(expected, -10, 10), abs=1e-6)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (embedded(some()[:, :6], name="compare_2016"), r"compare_2016 \(6 values\) .* embed the corpus with egemaps"),
        (embedded(some()[:, :6]), r"egemaps \(6 values\)"),
        (embedded(some(), name="other"), r"other \(88 values\)"),
        (embedded(some()[:0]), "no clips to compare with"),
    ],
)
def test_other_embeddings_are_refused(found: Embeddings, message: str) -> None:
    with pytest.raises(VoiceError, match=message):
        voice.reference(found)


# --- how far a clip is from that


def test_z_and_percentile_against_scipy() -> None:
    x, one = some(), some(seed=3)[0]
    x[:20, 5] = one[5]  # twenty clips of the very same value
    found = voice.deviations(voice.reference(embedded(x)), one)
    assert [each.measure.name for each in found] == NAMES
    assert [each.value for each in found] == one.tolist()
    for column, each in enumerate(found):
        expected = stats.percentileofscore(x[:, column], one[column], kind="mean") / 100
        assert each.percentile == pytest.approx(expected, abs=1e-9)
    expected = stats.zmap(one.astype(np.float64), x.astype(np.float64)).ravel()
    assert [each.z for each in found] == pytest.approx(np.clip(expected, -10, 10), abs=1e-9)


@pytest.mark.parametrize("vector", [np.zeros(87), np.zeros((1, 88)), np.full(88, np.nan)])
def test_a_vector_of_something_else_is_refused(vector: NDArray[np.float64]) -> None:
    with pytest.raises(VoiceError, match="expected 88 finite values of egemaps, got an array of shape"):
        voice.deviations(usual(), vector)


@pytest.mark.parametrize(
    ("z", "percentile", "expected"),
    [
        (2.14, 0.981, "pitch range 2.1 SD above the corpus mean (higher than 98 % of its clips)"),
        (-2.14, 0.019, "pitch range 2.1 SD below the corpus mean (lower than 98 % of its clips)"),
        (2.9, 0.9991, "pitch range 2.9 SD above the corpus mean (higher than 99.9 % of its clips)"),
        (2.9, 0.99999, "pitch range 2.9 SD above the corpus mean (higher than 99.9 % of its clips)"),
        (-3.1, 0.0, "pitch range 3.1 SD below the corpus mean (lower than all of its clips)"),
        (10.0, 1.0, "pitch range 10 SD or more above the corpus mean (higher than all of its clips)"),
        (-10.0, 0.0, "pitch range 10 SD or more below the corpus mean (lower than all of its clips)"),
        (0.04, 0.4, "pitch range 0.0 SD above the corpus mean (higher than 40 % of its clips)"),
    ],
)
def test_what_it_says(z: float, percentile: float, expected: str) -> None:
    one = Deviation(measures()[RANGE], 1.0, z, percentile, -z)
    assert one.says() == expected
    where = "below" if z > 0 else "above"
    size = "10 SD or more" if abs(z) == 10 else f"{abs(z):.1f} SD"
    assert one.says(against="neutral") == f"pitch range {size} {where} the mean of neutral clips"


def test_the_furthest_measures_come_first_one_of_a_family() -> None:
    level = [NAMES.index(f"F0semitoneFrom27.5Hz_sma3nz_percentile{p}.0") for p in (20, 50, 80)]
    pitch = {f"m{RANGE}": -3.0, f"m{MEAN}": 2.0, f"m{level[0]}": 2.5, f"m{level[2]}": -1.9}
    found = at(**pitch, m82=1.5, m80=1.4)
    assert [one.measure.words for one in voice.unusual(found)] == [
        "pitch range",
        "pitch, low parts (20th percentile)",
        "speech rate (voiced segments per second)",
    ]
    assert [one.measure.words for one in voice.unusual(found, n=1)] == ["pitch range"]
    assert voice.unusual(at()) == []


def test_eight_lines_say_eight_things() -> None:
    found = voice.unusual(voice.deviations(usual(), np.linspace(2, 9, 88)))
    assert len(found) == len({one.measure.family for one in found}) == 8
    sizes = [abs(one.z) for one in found]
    assert sizes == sorted(sizes, reverse=True)


def test_unstable_measures_are_told_but_not_as_unusual() -> None:
    number = NAMES.index("mfcc2V_sma3nz_stddevNorm")
    found = at(**{f"m{number}": 9.0})
    assert found[number].z == 9
    assert voice.unusual(found) == []


def test_against_neutral_clips() -> None:
    found = at(**{f"m{RANGE}": 7.0, "m82": 1.6})  # 3 and 0.3 deviations from neutral clips, all else 0.5
    assert [one.measure.words for one in voice.unusual(found, against="neutral")] == ["pitch range"]
    assert [one.measure.words for one in voice.unusual(found)] == [
        "pitch range",
        "speech rate (voiced segments per second)",
    ]
    without = voice.deviations(usual(neutral_mean=None, neutral_spread=None), np.zeros(88))
    with pytest.raises(VoiceError, match="fewer than 10 neutral clips: compare with the corpus instead"):
        voice.unusual(without, against="neutral")
    with pytest.raises(VoiceError, match="fewer than 10 neutral clips"):
        without[0].says(against="neutral")
