"""The page of autoencoders through the entry file, without a browser."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import voices
from streamlit.testing.v1 import AppTest

from dashboard import runs_data, vae_data
from ser_core import catalogue, jobs, latents, plans, runs
from ser_core.cache import Cache

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    found = voices.make(tmp_path_factory.mktemp("page"))
    voices.trained(found, voices.ONE, voices.ALL, voices.KNOWS)
    return found


def opened(cache: Cache, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache.root))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.session_state["autoplay"] = False
    app.switch_page("views/autoencoder.py")
    for name, value in link.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def run_of(cache: Cache, plan: plans.VaePlan) -> runs.Run:
    return next(run for run in runs.ls(cache) if run.facts["arguments"] == plans.arguments(plan))


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.warning, *app.error, *app.info, *app.subheader]
    return "\n".join(part.value for part in parts).replace("\\", "")


def pictures(app: AppTest) -> dict[str, dict]:
    return {chart.proto.alt: json.loads(chart.proto.spec) for chart in app.get("plotly_chart")}


def players(app: AppTest) -> list[str]:
    return [one.proto.url for one in app.get("audio")]


def test_without_an_autoencoder_it_says_how_to_get_one(tmp_path, monkeypatch):
    app = opened(Cache(tmp_path / "none"), monkeypatch)
    assert "Nothing to show yet" in texts(app)
    empty = voices.make(tmp_path / "empty")
    app = opened(empty, monkeypatch, vae="generator")
    assert "No autoencoder is trained yet" in texts(app)
    assert "Trained on 49 of 49 clips" in texts(opened(empty, monkeypatch))  # where there is none it begins with Train


def test_how_it_learnt(cache, monkeypatch):
    run = run_of(cache, voices.ONE)
    app = opened(cache, monkeypatch, autoencoder=run.id, vae="learning")
    (figure,) = pictures(app).values()
    assert [trace["name"] for trace in figure["data"]] == ["clips trained on", "other clips"] * 2
    assert "12 of 48 clips trained on" in texts(app)
    assert app.code[0].value == run.command


def test_a_clip_beside_itself_drawn_again(cache, monkeypatch):
    run = run_of(cache, voices.KNOWS)
    app = opened(cache, monkeypatch, autoencoder=run.id, vae="again")
    assert len(players(app)) == 3
    titles = [
        note["text"] for note in pictures(app)["The clip's spectrogram, and it drawn again"]["layout"]["annotations"]
    ]
    assert titles == ["the clip's picture", "drawn again from 8 numbers"]
    assert re.search(r"Distance of the two pictures: \d+ nats", texts(app))
    app.selectbox(key="_drawn_clip").set_value("ben_anger_1.wav").run()
    assert "was not taught by speaker ben" in texts(app)
    assert len(players(app)) == 2


def test_latents_of_two_models_side_by_side(cache, monkeypatch):
    run, other = run_of(cache, voices.ONE), run_of(cache, voices.ALL)
    app = opened(cache, monkeypatch, autoencoder=run.id, vae="latents", beside=other.id)
    charts = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    assert len(charts) == 2
    for chart, one in zip(charts, (run, other), strict=True):
        means, _ = latents.parameters(one.latents)
        notes = [note["text"] for note in chart["layout"]["annotations"]]
        shares = [float(re.search(r"η² (\d+) %", text)[1]) for text in notes]
        assert (len(notes), shares) == (3, sorted(shares, reverse=True))
        first = int(re.search(r"latent (\d)", notes[0])[1])
        words = np.array(one.classes, object)[one.latents["truth"]]
        centre, between = means[:, first].mean(), 0.0
        for word in set(words):
            between += (words == word).sum() * (means[words == word, first].mean() - centre) ** 2
        assert shares[0] == pytest.approx(100 * between / ((means[:, first] - centre) ** 2).sum(), abs=0.51)
    app.toggle(key="_all_latents").set_value(True).run()
    assert len(json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["annotations"]) == 8
    assert "Put them on the maps" in app.button[0].label


def test_a_slider_makes_another_sound(cache, monkeypatch):
    run = run_of(cache, voices.ALL)
    app = opened(cache, monkeypatch, autoencoder=run.id, vae="generator")
    (first,) = players(app)
    app.slider(key="_latent_3").set_value(2.0).run()
    (second,) = players(app)
    assert first != second
    app.button(key="at_zero").click().run()
    assert players(app) == [first]
    app.button(key="draw_5").click().run()
    values = [app.session_state[f"_latent_{k}"] for k in range(8)]
    assert values[5] != 0
    assert all(value == 0 for k, value in enumerate(values) if k != 5)
    app.button(key="draw_all").click().run()
    assert all(-4 <= app.session_state[f"_latent_{k}"] <= 4 for k in range(8))
    app.button(key="at_mean").click().run()
    means = latents.parameters(run.latents)[0].mean(axis=0)
    assert [app.session_state[f"_latent_{k}"] for k in range(8)] == pytest.approx(np.clip(means, -4, 4), abs=0.026)


def test_what_is_played_is_what_the_decoder_says(cache, monkeypatch):
    monkeypatch.setenv("SER_CACHE", str(cache.root))
    from ser_core.encoders import voiced

    run, values = run_of(cache, voices.ALL), np.linspace(-1, 1, 8)
    made = vae_data.drawn(run, values, None)
    levels = run.autoencoder().pictures(values[None].astype(np.float32))[0]
    assert made.levels.tobytes() == levels.tobytes()
    assert made.signal.tobytes() == voiced.sound(levels).tobytes()


def test_between_two_clips_and_along_a_latent(cache, monkeypatch):
    run = run_of(cache, voices.KNOWS)
    app = opened(cache, monkeypatch, autoencoder=run.id, vae="generator", making="between")
    (half,) = players(app)
    app.slider(key="_how_far").set_value(0).run()
    (start,) = players(app)
    assert half != start
    app.segmented_control(key="_making").set_value("strip").run()
    assert len(players(app)) == 7
    (figure,) = pictures(app).values()
    assert len(figure["data"]) == 7
    assert len(set(players(app))) > 1
    app.selectbox(key="_spoken_by").set_value("cleo").run()
    assert not app.exception


def test_this_voice_that_emotion(cache, monkeypatch):
    run = run_of(cache, voices.ALL)
    app = opened(cache, monkeypatch, autoencoder=run.id, vae="generator", making="emotion")
    app.selectbox(key="_voice_clip").set_value("dan_anger_2.wav").run()
    app.selectbox(key="_that_emotion").set_value("sadness").run()
    assert "less the mean of the clips that are anger, plus the mean of those that are sadness (speaker dan)" in texts(
        app
    )
    assert len(players(app)) == 1


def test_what_they_carry_is_computed_when_asked_for(cache, monkeypatch):
    run = run_of(cache, voices.ALL)
    begun = []
    monkeypatch.setattr(jobs, "start", lambda _, arguments, **__: begun.append(arguments))
    app = opened(cache, monkeypatch, autoencoder=run.id, vae="carried")
    app.button[0].click().run()
    assert begun == [["runs", "latents", run.id]]
    found = latents.carried(run, catalogue.get(cache, "voices").clips(), cache=cache, seed=0)
    vae_data._carried.clear()
    app = opened(cache, monkeypatch, autoencoder=run.id, vae="carried")
    (figure,) = pictures(app).values()
    shares = 100 * found.information.shares
    assert [int(cell) for cell in np.ravel(figure["data"][0]["text"])] == np.round(shares).astype(int).ravel().tolist()
    assert f"UAR **{100 * found.emotions.uar:.1f} %**" in texts(app)
    tables = [list(table.value.columns) for table in app.dataframe]
    assert tables[1][:4] == ["of", "MIG", "SAP", "DCI completeness"]


def test_a_training_is_started_from_the_page(cache, monkeypatch):
    begun = []
    monkeypatch.setattr(jobs, "start", lambda _, arguments, **told: begun.append((arguments, told["title"])))
    app = opened(cache, monkeypatch, vae="train")
    app.selectbox(key="_vae_speakers").set_value("male").run()
    app.selectbox(key="_vae_statement").set_value("abc").run()
    app.selectbox(key="_vae_beta").set_value(4.0).run()
    app.toggle(key="_told_speaker").set_value(True).run()
    assert "Trained on 12 of 49 clips" in texts(app)
    next(button for button in app.button if button.label.startswith("Start training")).click().run()
    arguments = [
        "train",
        "vae",
        "voices",
        "--speakers",
        "male",
        "--statement",
        "abc",
        "--told-speaker",
        "--beta",
        "4.0",
    ]
    assert begun[0][0] == arguments
    assert "β 4" in begun[0][1]


def test_trainings_are_told_apart(monkeypatch):
    class Job:
        def __init__(self, *arguments: str) -> None:
            self.arguments = list(arguments)

    every = [Job("train", "vae", "voices"), Job("train", "svm", "voices"), Job("embed", "voices", "egemaps")]
    monkeypatch.setattr(runs_data.data, "jobs", lambda: every)
    assert runs_data.trainings(recognise=True) == [every[1]]
    assert runs_data.trainings(recognise=False) == [every[0]]


def test_a_run_of_a_corpus_that_is_not_here_leaves_the_others_to_train_on(cache, monkeypatch, tmp_path):
    other = voices.make(tmp_path, name="here")
    shutil.copytree(cache.root / "runs", other.root / "runs")
    app = opened(other, monkeypatch, vae="train")
    assert app.selectbox(key="_learnt_on").value == "here"
    assert "Trained on 49 of 49 clips" in texts(app)
    app = opened(other, monkeypatch, vae="latents")
    assert len(app.get("plotly_chart")) == 2


def test_autoencoders_of_one_title_are_told_apart(cache, monkeypatch, tmp_path):
    both = voices.make(tmp_path)
    voices.trained(both, voices.ONE)
    folder = catalogue.get(both, "voices").root
    (folder / "metadata.csv").write_text(
        (folder / "metadata.csv").read_text().replace("dan_anger_3.wav,anger", "dan_anger_3.wav,joy")
    )
    voices.trained(both, voices.ONE)
    app = opened(both, monkeypatch)
    titles = app.selectbox(key="_autoencoder").options
    assert len(set(titles)) == 2


def test_a_link_to_a_run_that_is_gone_is_said(cache, monkeypatch):
    app = opened(cache, monkeypatch, autoencoder="0123456789ab")
    assert "which is not here" in texts(app)


def test_models_that_name_emotions_are_elsewhere(cache, monkeypatch):
    app = opened(cache, monkeypatch)
    app.switch_page("views/models.py").run()
    assert not app.exception
    assert "No model is trained on voices yet" in texts(app)
