"""The Transfer and Attribution pages through the entry file, without a browser."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import two_corpora
from streamlit.testing.v1 import AppTest

from ser_core import squeezing, transferring
from ser_core.cache import Cache
from ser_core.plans import ReducerPlan
from ser_core.transfer import FOUR, TRIADS, UNSEEN, Question

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    found = two_corpora.make(tmp_path_factory.mktemp("pages"))
    for question in (Question(layer=0), *(Question(three, 0) for three in TRIADS.values())):
        parts = [two_corpora.opened(found, name) for name in ("first", "second")]
        transferring.transfer(parts[0], parts[1:], question, cache=found)
    return found


def opened(cache: Cache, monkeypatch, *, page: str = "transfer", **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache.root))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.switch_page(f"views/{page}.py")
    for name, value in ({"learnt_on": "first"} | link).items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.warning, *app.error, *app.info, *app.subheader]
    return "\n".join(part.value for part in parts).replace("\\", "")


def pictures(app: AppTest) -> dict[str, dict]:
    return {chart.proto.alt: json.loads(chart.proto.spec) for chart in app.get("plotly_chart")}


def found(cache: Cache):
    parts = [two_corpora.opened(cache, name) for name in ("first", "second")]
    return transferring.kept(parts[0], parts[1:], Question(layer=0), cache=cache)


@pytest.mark.parametrize("page", ["transfer", "attribution"])
def test_without_a_corpus_it_says_how_to_get_one(tmp_path, monkeypatch, page):
    app = opened(Cache(tmp_path / "none"), monkeypatch, page=page)
    assert "a transfer needs a corpus with embeddings" in texts(app)
    assert not app.get("plotly_chart")


def test_the_scores_are_those_computed(cache, monkeypatch):
    app = opened(cache, monkeypatch)
    figure = pictures(app)["Recall by place and method"]
    points = next(one for one in figure["data"] if one["name"] == "denoising autoencoder")
    one = found(cache)
    wanted = [100 * one.score(where, "dae", "standardise").folds.value for where in one.places]
    assert points["x"] == pytest.approx(wanted)
    table = app.dataframe[0].value
    assert len(table) == 12
    row = table[(table["clips of"] == "second") & (table["method"] == "all values")].iloc[0]
    assert row["UAR, %"] == pytest.approx(100 * one.score("second", "features", "standardise").folds.value)
    assert "6 folds, speakers of the validation part unseen" in texts(app)


def test_how_a_corpus_is_brought_nearer_can_be_chosen(cache, monkeypatch):
    app = opened(cache, monkeypatch, adapted="coral")
    table = app.dataframe[0].value
    row = table[(table["clips of"] == "second") & (table["method"] == "all values")].iloc[0]
    assert row["UAR, %"] == pytest.approx(100 * found(cache).score("second", "features", "coral").folds.value)


def test_three_emotions_at_a_time(cache, monkeypatch):
    app = opened(cache, monkeypatch, transfer="triads")
    drawn = pictures(app)
    figure = drawn["Recall by three emotions and place"]
    assert len(figure["data"][-1]["x"]) == 8
    assert figure["layout"]["yaxis"]["ticktext"][0].strip() == "N-S-H: first, validation part"
    assert "P4 found N-S-A best" in texts(app)
    confusion = drawn["Confusion matrix of the fold"]
    assert len(confusion["layout"]["yaxis"]["ticktext"]) == 3


def test_clips_lie_on_common_axes(cache, monkeypatch):
    app = opened(cache, monkeypatch, transfer="planes", numbers="pca", fold="2")
    figures = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    assert len(figures) == 3
    ranges = {json.dumps(one["layout"]["xaxis3"]["range"]) for one in figures}
    assert len(ranges) == 1
    drawn = sum(len(trace["x"]["bdata"]) > 0 for trace in figures[1]["data"] if trace["mode"] == "markers")
    assert drawn == 4
    assert "has no ratings of valence and arousal" in texts(app)


def test_what_the_numbers_follow_is_told_with_its_interval(cache, monkeypatch):
    app = opened(cache, monkeypatch, transfer="follows", numbers="dae")
    one = found(cache).follows(UNSEEN, "dae")["arousal"][0]
    said = texts(app)
    assert f"It does here: on clips that were not learnt from, r = {one.value:.2f} (95 %: {one.low:.2f}" in said
    assert "Over the folds the turn goes from" in said
    assert "Centres of emotions before and after the turn" in pictures(app)


def test_all_corpora_on_each_other(cache, monkeypatch):
    app = opened(cache, monkeypatch, transfer="all", numbers="features")
    values = pictures(app)["Recall of each corpus on each"]["data"][0]["text"]
    one = found(cache)
    assert values[0] == [
        f"{100 * one.score(UNSEEN, 'features').folds.value:.0f}",
        f"{100 * one.score('second', 'features', 'standardise').folds.value:.0f}",
    ]
    assert values[1] == ["", ""]
    assert "learnt from second, tried on first, was not computed yet" in texts(app)


def test_what_was_not_computed_is_offered(cache, monkeypatch):
    app = opened(cache, monkeypatch, learnt_on="second")
    assert "was not computed yet (ten folds or fewer)" in texts(app)
    assert [one.label for one in app.button] == ["Compute it (about 12 s for 600 clips, in the background)"]


def test_what_cannot_be_computed_is_said(cache, monkeypatch, tmp_path):
    alone = Cache(tmp_path / "cache")
    two_corpora.add(tmp_path, alone, "alone", n_speakers=1, seed=3)
    app = opened(alone, monkeypatch, learnt_on="alone")
    assert "two speakers or more; found 01" in texts(app)
    assert not app.button


def test_features_by_emotion_are_named(cache, monkeypatch):
    app = opened(cache, monkeypatch, page="attribution")
    figure = pictures(app)["What each feature adds, by emotion"]
    assert sum(trace["type"] == "violin" for trace in figure["data"]) == 80
    said = texts(app)
    assert "What marks each emotion (number 1)" in said
    assert "Loudness (+" in said
    assert "the reference is neutral" in said


def test_one_clip_adds_up(cache, monkeypatch):
    app = opened(cache, monkeypatch, page="attribution", attribution="clip", number="2")
    figure = pictures(app)["What each measure adds to the number"]["data"][0]
    assert len(app.get("audio")) == 1
    assert np.sum(figure["x"][:-1]) == pytest.approx(figure["x"][-1], abs=1e-6)
    assert "All 88 shares add up to that" in texts(app)


def test_other_ways_are_compared(cache, monkeypatch):
    app = opened(cache, monkeypatch, page="attribution", attribution="check")
    table = app.dataframe[0].value
    assert table["rank correlation with DeepLIFT, mean"].min() > 0.8
    assert len(table) == 4


def test_without_neutral_clips_nothing_is_explained_nor_computed(cache, monkeypatch):
    app = opened(cache, monkeypatch, page="attribution", of="sadness,anger")
    assert "neutral is not among the emotions: choose it, too" in texts(app)
    assert not app.button


def test_the_clip_in_hand_is_ringed(cache, monkeypatch):
    digest = found(cache).own.digests[7]
    app = opened(cache, monkeypatch, transfer="planes", clip=digest[:12])
    figures = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    rings = [
        trace for one in figures for trace in one["data"] if trace.get("marker", {}).get("symbol") == "circle-open"
    ]
    rings = [trace for trace in rings if trace["marker"]["size"] == 15]
    assert len(rings) == 1


def test_the_numbers_can_be_an_encoder(cache, monkeypatch):
    app = opened(cache, monkeypatch, transfer="planes", numbers="uae")
    assert "Train it on all clips (a few seconds, in the background)" in [one.label for one in app.button]
    plan = ReducerPlan("uae", "first", emotions=",".join(FOUR))
    squeezing.train(plan, cache=cache)
    app = opened(cache, monkeypatch, transfer="planes", numbers="uae")
    assert "Put them on the maps (in the background)" in [one.label for one in app.button]
    app = opened(cache, monkeypatch, transfer="planes", numbers="pca")
    assert not app.button


def test_several_corpora_that_were_not_computed_are_offered_each(tmp_path, monkeypatch):
    none = two_corpora.make(tmp_path)
    app = opened(none, monkeypatch, transfer="all")
    assert len(app.button) == 2


def test_a_link_that_asks_for_what_is_not_here_is_told(cache, monkeypatch):
    app = opened(cache, monkeypatch, transfer="planes", fold="99")
    assert "The link asks for fold “99”" in texts(app)


def test_ratings_are_drawn_beside_the_numbers(tmp_path, monkeypatch):
    rated = Cache(tmp_path / "cache")
    two_corpora.add(tmp_path, rated, "first", n_speakers=3, seed=1)
    table = pd.read_csv(tmp_path / "first" / "metadata.csv", dtype=str)
    affect = np.array([two_corpora.AFFECT[word] for word in table["emotion"]]) / 2
    table.assign(valence=affect[:, 0], arousal=affect[:, 1]).to_csv(tmp_path / "first" / "metadata.csv", index=False)
    transferring.transfer(two_corpora.opened(rated, "first"), [], Question(), cache=rated)
    app = opened(rated, monkeypatch, transfer="planes")
    assert "first, rated (48 clips)" in texts(app).replace("*", "")
    assert len(app.get("plotly_chart")) == 3
    app = opened(rated, monkeypatch, transfer="follows")
    assert "as rated (first)" in texts(app)
