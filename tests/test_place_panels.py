"""What the page Place a clip says of emotions, neighbours and the voice, and two clips beside each other."""

import base64
import io
import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from place_app import texts, upload
from scipy import stats
from sklearn import metrics
from streamlit.testing.v1 import AppTest

from dashboard import compare_panel, emotions_panel, outlier_panel, uploads
from dashboard.words import number
from ser_core import audio, catalogue, contrast, embeddings, maps, placement, spectrogram, voice
from ser_core.cache import Cache
from ser_core.encoders import EGEMAPS, ENCODERS
from ser_core.geometry import region

ENTRY = str(Path(__file__).parent.parent / "dashboard" / "app.py")
SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))
corpus = SMALL["corpus"]
RATE = 16_000


def voices(cache: Cache, name: str) -> None:
    """Keep eGeMAPS values of a corpus that nobody measured: openSMILE takes seconds for them."""
    located = catalogue.get(cache, name)
    digests = cache.digests([located.root / file for file in located.clips()["file"]])
    random = np.random.default_rng(4).normal(20, 5, (len(digests), 1, 88)).astype(np.float32)
    store = cache.vectors(embeddings.full_recipe(EGEMAPS))
    store.write({sha: vector for sha, vector in zip(digests, random, strict=True) if sha}, {})


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panels")
    root = SMALL["make"](folder)
    corpus(folder, "said", lambda table: table.assign(statement="s" + table["file_name"].str[-5]))
    corpus(folder, "alone", lambda table: table.assign(speaker="ada"))
    corpus(folder, "calm", lambda table: table.assign(emotion=table["emotion"].replace("sadness", "neutral")))
    corpus(folder, "unknown", lambda table: table.assign(emotion="", valence=""))
    voices(Cache(root), "tones")  # all have the same sounds
    return root


@pytest.fixture(autouse=True)
def bands(monkeypatch):
    """The encoder of the small cache, as if it came with the library."""
    monkeypatch.setitem(ENCODERS, "bands", SMALL["Bands"]())
    monkeypatch.setattr(uploads, "WAIT", 60)
    uploads._encoder.clear()


def opened(cache: Path, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache))
    app = AppTest.from_file(ENTRY, default_timeout=90)
    app.session_state["autoplay"] = False
    store = next(one for one in Cache(cache).stores() if one.recipe["name"] == "bands")
    for name, value in ({"corpora": "tones", "encoder": store.key, "dims": "2"} | link).items():
        app.query_params[name] = value
    app.switch_page("views/place.py").run()
    assert not app.exception
    return app


def wav(frequency: float, seconds: float = 0.5, *, kind: str = "WAV") -> bytes:
    time = np.arange(int(RATE * seconds)) / RATE
    noise = np.random.default_rng(int(frequency)).normal(0, 0.003, len(time))
    out = io.BytesIO()
    samples = np.round(32_767 * (0.3 * np.sin(2 * np.pi * frequency * time) + noise)).astype(np.int16)
    soundfile.write(out, samples, RATE, format=kind, subtype="PCM_16")
    return out.getvalue()


def table(app: AppTest, *columns: str) -> pd.DataFrame:
    return next(one.value for one in app.dataframe if set(columns) <= set(one.value.columns))


def figure(app: AppTest, kind: str) -> dict:
    """Return the first picture that has a trace with this meta."""
    for one in app.get("plotly_chart"):
        found = json.loads(one.proto.spec)
        if any(trace.get("meta") == kind for trace in found["data"]):
            return found
    raise AssertionError(f"no picture with {kind}")


def values(part: object) -> np.ndarray:
    """What plotly was given, whether as numbers or as base64."""
    if isinstance(part, dict):
        return np.frombuffer(base64.b64decode(part["bdata"]), part["dtype"])
    return np.array(part, float)


def atlas(cache: Path, name: str = "tones") -> placement.Atlas:
    return placement.atlas(name, "bands", dimensions=2, cache=Cache(cache))


def test_the_table_of_emotions_has_every_number_nearest_first(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(210)))
    placed = atlas(small).place(wav(210))
    rows = table(app, "emotion", "how rare")
    order = placed.distances.argsort()
    assert list(rows["emotion"]) == [placed.atlas.emotions[k] for k in order]
    assert rows["distance"].to_numpy() == pytest.approx(placed.distances[order], rel=1e-9)
    assert rows["probability"].to_numpy() == pytest.approx(100 * placed.probabilities[order], rel=1e-9)
    assert rows["probability"].sum() == pytest.approx(100)
    tails = stats.chi2.sf(placed.distances[order] ** 2, 6)  # of 6 octaves
    assert list(rows["how rare"]) == [outlier_panel.rarity(tail) for tail in tails]
    near = table(app, "file", "distance")
    assert list(rows["of 10 nearest"]) == [list(near["emotion"]).count(name) for name in rows["emotion"]]
    (bars,) = [trace for trace in figure(app, "probability")["data"] if trace.get("meta") == "probability"]
    assert values(bars["x"]) == pytest.approx(rows["probability"].to_numpy())


def test_the_verdicts_and_whether_the_clip_is_unlike_the_corpus_are_said(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(210)))
    here = atlas(small)
    placed, said = here.place(wav(210)), texts(app)
    named = placed.named()
    right = {one.name: f"such an answer is right in {100 * one.evaluation.uar:.0f} %" for one in here.unseen.answers}
    words = list(dict.fromkeys(named.values()))
    assert (f"Nearest to **{words[0]}** by every way of asking" in said) == (len(words) == 1)
    assert (f"**No clear answer**, the ways of asking disagree ({', '.join(words)})" in said) == (len(words) > 1)
    assert f"- nearest mean (Mahalanobis): **{named['mahalanobis']}**; {right['mahalanobis']}" in said
    assert (
        "of 60 clips by 4 speakers, each speaker left out in turn, mean over emotions (UAR). Guessing is right in 33 %"
        in said
    )
    assert f"vote of the ten nearest clips: **{named['neighbours']}** ({max(placed.votes)} of 10)" in said
    assert f"**{named['svm']}** ({100 * placed.probabilities.max():.0f} %)" in said
    share = np.mean(here.unseen.nearest < placed.distances.min())
    flag = "Unlike everything here (out of distribution)" if share > 0.99 else "Not out of distribution"
    assert f"**{flag}**" in said
    assert f"further from every emotion than {emotions_panel._percent(share)} of the 60 clips of tones, each" in said
    assert "is in the corpus" not in said


def test_noise_is_flagged(small, monkeypatch):
    noise = io.BytesIO()
    soundfile.write(noise, np.random.default_rng(0).uniform(-0.9, 0.9, RATE), RATE, format="WAV")
    app = upload(opened(small, monkeypatch), ("noise.wav", noise.getvalue()))
    assert atlas(small).place(noise.getvalue()).outlying
    said = texts(app)
    flag = (
        "**Unlike everything here (out of distribution)**: further from every emotion than all of the 60 clips of tones"
    )
    assert flag in said
    assert said.index(flag) < said.index("nearest mean (Mahalanobis)")  # for then the answers mean little
    app.session_state["placing"] = "two"
    app.run()
    assert "**A is unlike everything here (out of distribution)**" in texts(app)


def test_a_clip_of_the_corpus_is_said_to_be_known(small, monkeypatch):
    file = catalogue.get(Cache(small), "tones").root / "ben_anger_1.wav"
    said = texts(upload(opened(small, monkeypatch), ("again.wav", file.read_bytes())))
    assert "**This very recording is in the corpus** (ben_anger_1.wav)" in said


def test_how_often_answers_are_right_is_that_of_unseen_speakers(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(210)))
    rows = table(app, "answer", "UAR")
    checked = atlas(small).unseen
    for row, answer in zip(rows.to_dict("records"), checked.answers, strict=True):
        one = answer.evaluation
        uar = metrics.balanced_accuracy_score(one.truth, one.predicted)
        right = metrics.accuracy_score(one.truth, one.predicted)
        assert row["answer"] == emotions_panel.WAYS[answer.name]
        assert row["UAR"].startswith(f"{100 * uar:.0f} % (")
        assert row["accuracy"].startswith(f"{100 * right:.0f} % (")
    said = texts(app)
    assert "n = 60 clips of 4 speakers" in said
    assert "Chance: 33 % (UAR)" in said
    truth = np.eye(3)[checked.answers[0].evaluation.truth]
    brier = np.mean(np.sum((checked.probabilities - truth) ** 2, axis=1))
    assert f"Brier score {brier:.2f} (always the same for all emotions: 0.67)" in said
    assert f"expected calibration error {100 * checked.calibration_error:.1f} %" in said


def test_one_speaker_has_distances_and_a_reason_for_what_lacks(small, monkeypatch):
    app = upload(opened(small, monkeypatch, corpora="alone"), ("mine.wav", wav(210)))
    rows, said = table(app, "emotion", "distance"), texts(app)
    assert "probability" not in rows
    assert "Not known: this is checked on speakers left out, and needs two or more" in said
    assert "Whether it is unlike everything here cannot be told" in said
    assert "most probable" not in said.split("How to read")[0].split("#####")[1]


def test_without_emotions_it_is_said_why(small, monkeypatch):
    app = upload(opened(small, monkeypatch, corpora="unknown"), ("mine.wav", wav(210)))
    assert "have a known emotion" in texts(app)
    assert len(table(app, "file", "distance")) == 10


def test_the_nearest_clips_are_those_of_the_space(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(210)))
    here = atlas(small)
    x = here.found.layer(1).astype(float)
    vector = SMALL["Bands"]().encode([audio.decode(wav(210)).signal])[0, 1]
    apart = np.linalg.norm((x - vector) / x.std(axis=0), axis=1)
    rows = table(app, "file", "distance")
    order = apart.argsort()[:10]
    assert list(rows["file"]) == list(here.found.clips["file"].iloc[order])
    assert rows["distance"].to_numpy() == pytest.approx(apart[order], rel=1e-4)
    between = np.linalg.norm((x[:, None] - x) / x.std(axis=0), axis=2) + np.diag([np.inf] * len(x))
    near, said = between.min(axis=1), texts(app)
    assert "their own nearest clip within " in said
    assert float(said.split("nearest clip within ")[1].split()[0][:-1]) == pytest.approx(np.median(near), rel=0.06)
    assert ("their vote means little" in said) == (apart.min() > np.quantile(near, 0.99))


def spectra(app: AppTest) -> dict:
    for one in app.get("plotly_chart"):
        found = json.loads(one.proto.spec)
        if "coloraxis" in found["layout"]:
            return found
    raise AssertionError("no spectrograms")


def test_the_nearest_is_seen_under_the_clip_and_another_once_it_is_in_hand(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(210)))
    files = list(table(app, "file", "distance")["file"])
    found = embeddings.load(catalogue.get(Cache(small), "tones"), atlas_store(small), cache=Cache(small))
    for file in (files[0], files[3]):
        if file != files[0]:
            row = list(found.clips["file"]).index(file)
            app.session_state["clip"], app.session_state["clip_place"] = found.digests[row], f"tones/{file}"
            app.run()
        picture = spectra(app)
        clip = found.clips.set_index("file").loc[file]
        titles = [note["text"] for note in picture["layout"]["annotations"]]
        assert titles == ["mine.wav", f"{clip['emotion']}, speaker {clip['speaker']}"]
        signal = audio.read(catalogue.get(Cache(small), "tones").root / file)
        expected = spectrogram.mel_spectrogram(signal)
        assert len(values(picture["data"][1]["x"])) == len(expected.seconds)
        assert picture["data"][0]["coloraxis"] == picture["data"][1]["coloraxis"] == "coloraxis"
        assert f"**{file}**" in texts(app)


def atlas_store(cache: Path):
    return next(one for one in Cache(cache).stores() if one.recipe["name"] == "bands")


def test_a_long_clip_is_shown_from_its_start(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("long.wav", wav(210, 9.0)))
    assert values(spectra(app)["data"][0]["x"])[-1] < 4.0
    assert "Of long.wav (9 s) the first 4.0 s." in texts(app)


def test_sound_that_is_gone_is_a_sentence(monkeypatch, tmp_path):
    root = SMALL["make"](tmp_path)
    app = upload(opened(root, monkeypatch), ("mine.wav", wav(210)))
    nearest = table(app, "file", "distance")["file"].iloc[0]
    from dashboard import data

    data.signal.clear()
    (tmp_path / "tones" / nearest).write_bytes(b"")
    app.run()
    assert not app.exception
    assert any("This clip cannot be played" in one.value for one in app.warning)


def test_what_is_unusual_is_said_and_drawn(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(210)))
    deviations = atlas(small).place(wav(210)).deviations
    said = texts(app)
    expected = voice.unusual(deviations)
    assert expected
    for one in expected:
        assert one.says()[1:] in said
    rows = table(app, "openSMILE", "percentile")
    assert len(rows) == 88
    assert list(rows["openSMILE"]) == [one.measure.name for one in deviations]
    assert rows["percentile"].to_numpy() == pytest.approx([100 * one.percentile for one in deviations])
    assert "too few neutral ones to compare with (0, 10 are needed)" in said
    n_far = sum(abs(one.z) > 8 for one in deviations)
    assert (f"{n_far} bars leave the picture" in said) == (n_far > 1)


def test_the_voice_against_neutral_clips(small, monkeypatch):
    app = upload(opened(small, monkeypatch, corpora="calm"), ("mine.wav", wav(210)))
    deviations = atlas(small, "calm").place(wav(210)).deviations
    app.session_state["against"] = "neutral"
    app.run()
    said = texts(app)
    for one in voice.unusual(deviations, against="neutral"):
        assert one.says(against="neutral")[1:] in said
    assert "from the mean of 20 neutral clips" in said


def test_without_voice_values_the_command_is_named(monkeypatch, tmp_path):
    root = SMALL["make"](tmp_path)
    app = upload(opened(root, monkeypatch), ("mine.wav", wav(210)))
    assert any("ser embed tones egemaps" in one.value.replace("\\", "") for one in app.info)


def marks(app: AppTest, place: int) -> dict[str, tuple[float, float]]:
    """Where A and B are on the map (0) and on the plane (1)."""
    found = []
    for one in app.get("plotly_chart"):
        notes = json.loads(one.proto.spec)["layout"].get("annotations", ())
        letters = {note["text"][3:-4]: (note["x"], note["y"]) for note in notes if note.get("name") == "mark"}
        if letters:
            found.append(letters)
    return found[place]


def test_two_clips_of_the_corpus_are_compared_without_any_upload(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="said", show="two")
    here = atlas(small, "said")
    clips = here.found.clips
    a = 0
    partners = contrast.partners(clips, a)
    b = partners[0].row
    assert partners[0].kind == "other emotion"
    assert f"**A: {clips['file'][a]}**" in texts(app)
    assert f"**B: {clips['file'][b]}**" in texts(app)
    x = here.ground.x
    random = np.random.default_rng(maps.SEED)
    first = random.integers(60, size=2000)
    second = (first + random.integers(1, 60, size=2000)) % 60
    pairs = np.array([np.linalg.norm(x[i] - x[j]) for i, j in zip(first, second, strict=True)])
    share = np.mean(pairs < np.linalg.norm(x[a] - x[b]))
    assert f"further apart than **{100 * share:.0f} %** of 2,000 random pairs of clips of said" in texts(app)
    rows = table(app, "distance A", "probability B").set_index("emotion")
    for letter, row in (("A", a), ("B", b)):
        distances = dict(zip(here.emotions, here.yardstick.measure(x[[row]])[0], strict=True))
        unseen = here.unseen.probabilities[here.unseen.rows == row][0]  # of a model that had not heard the speaker
        for name, told in zip(here.unseen.names, unseen, strict=True):
            assert rows[f"distance {letter}"][name] == pytest.approx(distances[name], rel=1e-9)
            assert rows[f"probability {letter}"][name] == pytest.approx(told, abs=1e-9)
        point = here.ground.drawn.projection.coordinates[row]
        assert marks(app, 0)[letter] == pytest.approx(tuple(point), abs=1e-6)
    assert rows["distance A"].is_monotonic_increasing
    names = Cache(small).vectors(embeddings.full_recipe(EGEMAPS)).read(here.found.digests)
    one, other = (names.vectors[here.found.digests[row]][0] for row in (a, b))
    for difference in contrast.differences(here.voice, one, other):
        assert f"- B: {difference.says()}" in texts(app)


def test_how_sure_the_place_on_the_plane_is(small, monkeypatch):
    app = upload(opened(small, monkeypatch), ("mine.wav", wav(210)))
    plane, placed, said = atlas(small).plane, atlas(small).place(wav(210)), texts(app)
    (valence, arousal), (wide, high) = placed.affect, plane.region.half_widths
    for name, value, around in (("Valence", valence, wide), ("Arousal", arousal, high)):
        sentence = said.split(f"**{name} {number(value)}** (give or take {number(around)}): ")[1].split(".")[0]
        assert sentence.endswith("cannot be told") == (abs(value) <= around)
    x, y = plane.region.ellipse(np.zeros(2), 1001).T
    area = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2  # of a polygon
    assert f"It is {area / np.pi:.1f} times as large as Russell's circle" in said
    held, by_speaker = region.coverage(plane.scored)
    worst = min(by_speaker, key=by_speaker.get)
    assert f"holds {100 * held:.0f} % of all clips so left out" in said
    assert f"{100 * by_speaker[worst]:.0f} % of those of the worst speaker ({worst})" in said


def test_what_the_strip_of_emotions_is_and_how_far_to_trust_it(small, monkeypatch):
    app = upload(opened(small, monkeypatch, show="time"), ("mine.wav", wav(210, seconds=6)))
    here, said = atlas(small), texts(app)
    vectors = here.place(wav(210, seconds=6)).path
    assert len(vectors.seconds) == 9
    by_distance = here.unseen.answers[0].evaluation
    uar = metrics.balanced_accuracy_score(by_distance.truth, by_distance.predicted)
    assert f"(Mahalanobis), right in {100 * uar:.0f} % of whole clips by unseen speakers (UAR)" in said
    signal = audio.decode(wav(210, seconds=6)).signal
    parts = [signal[start : start + 2 * RATE] for start in range(0, 4 * RATE + 1, RATE // 2)]
    windows = np.stack([SMALL["Bands"]().encode([part])[0, 1] for part in parts])
    nearest = here.yardstick.measure(here.ground.drawn.scaler.scale(windows)).min(axis=1)
    far = sum(np.mean(here.unseen.nearest < one) > 0.99 for one in nearest)
    assert far > 1
    assert f"{far} of 9 windows are unlike everything here" in said


def test_places_on_the_plane_are_those_of_unseen_speakers(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="said", show="two")
    here = atlas(small, "said")
    found = marks(app, 1)
    assert found["A"] == pytest.approx(tuple(here.plane.scored.placed[0]), abs=1e-6)
    assert "Learnt from said. Lines (A full, B dotted): where the true place lies for 95 % of clips" in texts(app)


def quick(app: AppTest):
    return next(one for one in app.selectbox if one.label == "Quick pairs with A")


def test_quick_pairs_lead_to_the_same_sentence(small, monkeypatch):
    app = opened(small, monkeypatch, corpora="said", show="two")
    clips = atlas(small, "said").found.clips
    chooser = quick(app)
    assert "same sentence, same speaker: sadness" in chooser.options
    assert "same sentence, anger: speaker cleo" in chooser.options
    row = next(one.row for one in contrast.partners(clips, 0) if one.differs == "cleo")
    assert chooser.options[len(contrast.partners(clips, 0)) - 2] == "same sentence, anger: speaker cleo"
    chooser.set_value(f"clip:said/{clips['file'][row]}").run()
    assert not app.exception
    assert f"**B: {clips['file'][row]}**" in texts(app)
    assert quick(app).value is None
    assert clips["statement"][row] == clips["statement"][0]


def test_the_clip_in_hand_is_a_and_a_choice_replaces_it(small, monkeypatch):
    here = atlas(small)
    app = opened(small, monkeypatch, show="two", clip=here.found.digests[7][:12])
    assert f"**A: {here.found.clips['file'][7]}**" in texts(app)
    assert all(option.startswith("near it: ") for option in quick(app).options)  # nobody knows what was said
    box = next(one for one in app.selectbox if one.label == "Clip A")
    box.select_index(12).run()
    assert f"**A: {here.found.clips['file'][12]}**" in texts(app)


def test_an_upload_is_compared_with_its_nearest_clip(small, monkeypatch):
    app = upload(opened(small, monkeypatch, show="two"), ("<b>mine</b>.wav", wav(210)))
    placed = atlas(small).place(wav(210))
    nearest = placed.atlas.found.clips["file"].iloc[placed.landing.rows[0][0]]
    said = texts(app)
    assert "**A: <b>mine</b>.wav**" in said
    assert "<b>mine" not in "".join(one.value for one in app.markdown)  # it is shown as text
    assert f"**B: {nearest}**" in said
    assert marks(app, 0)["A"] == pytest.approx(tuple(placed.point), abs=1e-6)
    assert marks(app, 1)["A"] == pytest.approx(tuple(placed.affect), abs=1e-6)
    rows = table(app, "distance A", "probability A").set_index("emotion")
    for name, distance, told in zip(placed.atlas.emotions, placed.distances, placed.probabilities, strict=True):
        assert rows["distance A"][name] == pytest.approx(distance, rel=1e-9)
        assert rows["probability A"][name] == pytest.approx(told, rel=1e-9)


def test_two_uploads_are_compared_with_each_other(small, monkeypatch):
    app = upload(opened(small, monkeypatch, show="two"), ("a.wav", wav(210)), ("b.wav", wav(330)))
    said = texts(app)
    assert "**A: b.wav**" in said
    assert "**B: a.wav**" in said


def test_the_same_recording_in_two_formats_is_said_to_be_one(small, monkeypatch):
    app = upload(opened(small, monkeypatch, show="two"), ("a.wav", wav(210)), ("a.flac", wav(210, kind="FLAC")))
    app.session_state["compare_a"], app.session_state["compare_b"] = "upload:1", "upload:2"
    app.run()
    said = texts(app)
    assert "**A and B are the same recording.**" in said
    assert "Nothing: no measure differs by a tenth" in said
    app.session_state["compare_b"] = "clip:tones/ada_anger_0.wav"
    app.run()
    assert "same recording" not in texts(app)


def test_forgotten_and_unknown_clips_give_way(small, monkeypatch):
    app = upload(opened(small, monkeypatch, show="two"), ("mine.wav", wav(210)))
    app.session_state["compare_a"], app.session_state["compare_b"] = "upload:9", "clip:tones/none.wav"
    app.run()
    assert not app.exception
    assert "**A: mine.wav**" in texts(app)


@pytest.mark.parametrize("name", ["alone", "unknown"])
def test_what_cannot_be_compared_is_said(small, monkeypatch, name):
    app = opened(small, monkeypatch, corpora=name, show="two")
    said = texts(app)
    assert not app.error
    assert "further apart than" in said
    if name == "unknown":
        assert "have a known emotion" in said
    else:
        assert "probability A" not in table(app, "distance A")


def test_an_upload_that_cannot_be_encoded_leaves_the_choice(small, monkeypatch):
    from ser_core.encoders.base import ClipError

    def refuse(self, signals, *, device="auto"):
        raise ClipError("too loud for this encoder")

    monkeypatch.setattr(SMALL["Bands"], "encode", refuse)
    app = upload(opened(small, monkeypatch, show="two"), ("mine.wav", wav(210)))
    assert "mine.wav: too loud" in app.error[0].value.replace("\\", "")
    assert {"Clip A", "Clip B"} <= {one.label for one in app.selectbox}


def test_many_clips_are_found_by_typing(small, monkeypatch):
    monkeypatch.setattr(compare_panel.map_panel, "MOST_OPTIONS", 20)
    app = opened(small, monkeypatch, show="two")
    next(one for one in app.text_input if one.label == "Find B").input("DAN_sad").run()
    box = next(one for one in app.selectbox if one.label == "Clip B")
    assert [option for option in box.options[1:] if "dan_sad" not in option] == []
    assert len(box.options) == 6
