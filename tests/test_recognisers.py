"""What trained models say of one clip: the library, the command, and the pages that show inner layers and answers."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_runs
import soundfile
from conftest import tone
from place_app import texts, upload
from small_runs import Bands
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from dashboard import uploads
from ser_core import audio, catalogue, embeddings, emotions, evaluation, placement, recognisers, trained
from ser_core.cache import Cache
from ser_core.cli import app as command
from ser_core.trained import Trained

ENTRY = str(Path(__file__).parent.parent / "dashboard" / "app.py")
NAMES = ("mlp", "svm", "own", "cnn3")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with small_runs.known():
        cache, all_runs = small_runs.make(tmp_path_factory.mktemp("recognisers"), *NAMES)
        embeddings.embed(catalogue.get(cache, "tones"), Trained(all_runs["mlp"]), cache=cache)
        yield cache, all_runs


@pytest.fixture
def cache(made) -> Cache:
    return made[0]


def wav(seconds: float = 0.5) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, tone(230, seconds), 16_000, format="WAV", subtype="PCM_16")
    return out.getvalue()


def test_each_says_what_its_first_model_says(made) -> None:
    cache, all_runs = made
    found, lacking = recognisers.available(cache, ["tones"])
    assert {run.id for run in found} == {all_runs[name].id for name in ("mlp", "svm", "cnn3")}
    (why,) = lacking
    assert why.startswith("what a trained model would say: clips were standardised by their own speaker")
    assert recognisers.available(cache, ["others"]) == ([], [])
    clip = audio.decode(wav())
    for one in recognisers.ask(found, clip, digest="0" * 64, known={}):
        made_of = {kind: of.encode([clip.signal]) for kind, of in trained.made_by(one.run).items()}
        expected = one.run.fitted().probabilities(trained.inputs(one.run, made_of))[0]
        np.testing.assert_allclose(one.probabilities, expected, rtol=1e-5)
        assert one.named == emotions.common_name(one.run.classes[int(expected.argmax())])
        assert (one.taught, one.why) == (False, None)


def test_a_clip_of_the_corpus_gets_what_the_run_predicted_of_it(made) -> None:
    cache, all_runs = made
    located = catalogue.get(cache, "tones")
    for name in ("mlp", "svm", "cnn3"):
        run = all_runs[name]
        tested = run.tested[run.tested["fold"] == 1].iloc[3]
        clip = audio.decode(located.root / tested["file"])
        (one,) = recognisers.ask([run], clip, digest=tested["sha"], known={})
        expected = tested[["p_0", "p_1", "p_2"]].to_numpy(float)
        np.testing.assert_allclose(one.probabilities, expected, rtol=1e-4, atol=1e-6)
        assert not one.taught
        other = next(sha for sha in run.clips["sha"] if sha not in set(run.tested.loc[run.tested["fold"] == 1, "sha"]))
        assert recognisers.ask([run], clip, digest=other, known={})[0].taught


def test_what_is_known_of_the_clip_is_not_computed_again(made, monkeypatch: pytest.MonkeyPatch) -> None:
    run, clip = made[1]["mlp"], audio.decode(wav())
    (before,) = recognisers.ask([run], clip, digest="", known={})
    vector = Bands().encode([clip.signal])[0]
    monkeypatch.setattr(Bands, "encode", lambda *_, **__: pytest.fail("encoded again"))
    key = recognisers.key(embeddings.full_recipe(Bands()))
    (after,) = recognisers.ask([run], clip, digest="", known={key: vector})
    np.testing.assert_array_equal(before.probabilities, after.probabilities)


def test_one_that_cannot_take_the_clip_says_why(made) -> None:
    asked = [made[1]["mlp"], made[1]["cnn3"]]
    short = replace(audio.decode(wav()), signal=tone(300, 0.05))
    first, second = recognisers.ask(asked, short, digest="", known={})
    assert first.probabilities is not None
    assert (second.probabilities, second.named) == (None, None)
    assert str(second.why).startswith("clip too short: 0.050 s")
    said = second.summary()
    assert [one["probability"] for one in said["emotions"]] == [None] * 3
    (other,) = recognisers.ask(asked[:1], replace(short, sampling_rate=8000), digest="", known={})
    assert other.why == "the clip is at 8000 Hz, bands takes 16000"


def test_the_summary_has_every_class_and_how_far_to_trust_it(made, cache: Cache) -> None:
    said = placement.atlas("tones", "bands", cache=cache).place(wav()).summary()
    assert json.loads(json.dumps(said)) == said
    by_run = {one["run"]: one for one in said["recognisers"]}
    for name, independent in (("mlp", True), ("svm", False), ("cnn3", False)):
        run = made[1][name]
        one = by_run[run.id]
        assert [of["emotion"] for of in one["emotions"]] == ["anger", "happiness", "sadness"]
        assert sum(of["probability"] for of in one["emotions"]) == pytest.approx(1)
        assert (one["uar"], one["speaker_independent"]) == (pytest.approx(run.evaluation.uar), independent)
        assert one["uar_95"] == pytest.approx(run.evaluation.interval(evaluation.uar))
    assert any("standardised by their own speaker" in why for why in said["lacking"])


def test_the_command_says_it(made, cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "one.wav"
    file.write_bytes(wav())
    where = ["place", str(file), "--corpus", "tones", "--encoder", "bands", "--cache", str(cache.root)]
    done = CliRunner().invoke(command, [*where, "--json"])
    (said,) = json.loads(done.stdout)["files"]
    assert len(said["recognisers"]) == 3
    done = CliRunner().invoke(command, where)
    assert "trained model" in done.stdout
    assert "mlp (bands, 2 epochs)" in done.stdout


def opened(cache: Cache, monkeypatch: pytest.MonkeyPatch, view: str, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache.root))
    monkeypatch.setattr(uploads, "WAIT", 60)
    app = AppTest.from_file(ENTRY, default_timeout=90)
    for name, value in ({"corpora": "tones", "dims": "2"} | link).items():
        app.query_params[name] = value
    app.switch_page(f"views/{view}.py").run()
    assert not app.exception
    return app


@pytest.mark.parametrize("view", ["explore", "clusters", "circumplex", "distances", "timeline"])
def test_a_map_of_clips_that_the_network_learnt_from_is_marked(made, cache, monkeypatch, view: str) -> None:
    run = made[1]["mlp"]
    key = next(one.key for one in cache.stores() if one.recipe["name"] == f"run:{run.id}")
    said = texts(opened(cache, monkeypatch, view, encoder=key, **({"part": "map"} if view == "circumplex" else {})))
    assert "The network that made these embeddings was trained on 45 of these 60 clips" in said
    assert f"{run.title}: inner layer (64)" in said
    bands = next(one.key for one in cache.stores() if one.recipe["name"] == "bands")
    assert "was trained on" not in texts(opened(cache, monkeypatch, view, encoder=bands))


def test_inner_layers_are_offered_by_their_titles(made, cache, monkeypatch) -> None:
    app = opened(cache, monkeypatch, "data")
    boxes = [box for box in app.selectbox if box.key == "embed_encoder"]
    assert f"{made[1]['mlp'].title}: inner layer (64)" in boxes[0].options
    app = opened(cache, monkeypatch, "explore")
    box = next(box for box in app.selectbox if box.key == "_encoder")
    assert set(box.options) == {"bands", f"{made[1]['mlp'].title}: inner layer (64)"}


@pytest.mark.parametrize("name", ["bands", "mlp"])
def test_the_page_places_a_clip_and_asks_every_model(made, cache, monkeypatch, name: str) -> None:
    wanted = f"run:{made[1]['mlp'].id}" if name == "mlp" else name
    key = next(one.key for one in cache.stores() if one.recipe["name"] == wanted)
    app = upload(opened(cache, monkeypatch, "place", encoder=key), ("mine.wav", wav()))
    table = next(one.value for one in app.dataframe if "says" in one.value.columns)
    placed = placement.atlas("tones", wanted, dimensions=2, cache=cache).place(wav())
    assert list(table["model"]) == [one.run.title.replace(" · tones", "") for one in placed.recognised]
    assert list(table["says"]) == [one.named for one in placed.recognised]
    for row, one in zip(table.to_dict("records"), placed.recognised, strict=True):
        assert [row[word] for word in one.words] == pytest.approx(100 * one.probabilities, rel=1e-4)
        assert row["right (UAR)"].startswith(f"{100 * one.run.evaluation.uar:.0f} % (")
        assert row["test speakers"] == ("unseen" if one.run.split == "speaker" else "shared")
    assert ("was trained on 45 of these 60" in texts(app)) == (name == "mlp")
    assert ("The encoder itself learnt from 45 of these clips" in texts(app)) == (name == "mlp")


def test_without_trained_models_the_page_teaches(tmp_path, monkeypatch) -> None:
    with small_runs.known():
        cache, _ = small_runs.make(tmp_path)
        app = upload(opened(cache, monkeypatch, "place"), ("mine.wav", wav()))
    assert "None was trained on tones yet that can be asked about one clip" in texts(app)
