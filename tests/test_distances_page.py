"""The page of distances through the entry file, without a browser."""

import json
import runpy
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from streamlit.testing.v1 import AppTest

from dashboard import distances_panel, outlier_panel, words
from ser_core import analyses, catalogue, embeddings, maps
from ser_core.analyses import Question
from ser_core.cache import Cache
from ser_core.geometry.mahalanobis import Resampled
from ser_core.maps import View

ROOT = Path(__file__).parent.parent
TESTS = Path(__file__).parent
SMALL = runpy.run_path(str(TESTS / "small_cache.py"))
CIRCLE = ["happiness", "anger", "sadness"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return SMALL["make"](tmp_path_factory.mktemp("distances"))


def opened(cache: Path, monkeypatch, **link: str) -> AppTest:
    monkeypatch.setenv("SER_CACHE", str(cache))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.session_state["autoplay"] = False
    app.switch_page("views/distances.py")
    for name, value in link.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def made(folder: Path, change) -> Path:
    """Make the small cache, and another corpus of the same sounds with a changed table; it is called "other"."""
    cache = SMALL["make"](folder)
    other = folder / "other"
    other.mkdir()
    table = change(pd.read_csv(folder / "tones" / "metadata.csv"))
    for name in table["file_name"]:
        (other / name).write_bytes((folder / "tones" / name).read_bytes())
    table.to_csv(other / "metadata.csv", index=False)
    catalogue.add(Cache(cache), "folder", other)
    return cache


def found_in(cache: Path, name: str = "tones") -> embeddings.Embeddings:
    here = Cache(cache)
    return embeddings.load(catalogue.get(here, name), here.stores()[0], cache=here)


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.text, *app.warning, *app.error, *app.info]
    shown = [part.value for part in parts] + [part.proto.body for part in app.get("html")]
    return "\n".join(shown).replace("\\", "")


def figure(app: AppTest) -> dict:
    return json.loads(app.get("plotly_chart")[0].proto.spec)


def cells(app: AppTest) -> dict[tuple[str, str], str]:
    """Return what stands in the matrix: (row, column) -> text."""
    layout = figure(app)["layout"]
    names = layout["xaxis"]["ticktext"]
    return {(names[note["y"]], names[note["x"]]): note["text"] for note in layout["annotations"]}


def measured_by_hand(found: embeddings.Embeddings) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Means, pooled covariance and standardised vectors of the last layer, all from their definitions."""
    x = found.layer(1).astype(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    labels = found.clips["emotion"].to_numpy(str)
    means = {name: x[labels == name].mean(axis=0) for name in CIRCLE}
    rest = np.array([one - means[name] for one, name in zip(x, labels, strict=True)])
    return means, rest.T @ rest / (len(x) - 3), x


def test_the_matrix_holds_the_mahalanobis_distances(small, monkeypatch):
    app = opened(small, monkeypatch, shrink="off", space="full")
    means, pooled, _ = measured_by_hand(found_in(small))
    shown = cells(app)
    assert len(shown) == 6
    table = app.dataframe[0].value
    for a, b in combinations(CIRCLE, 2):
        apart = means[a] - means[b]
        expected = np.sqrt(apart @ np.linalg.solve(pooled, apart))
        assert float(shown[a, b]) == float(shown[b, a]) == pytest.approx(expected, abs=0.006)
        (row,) = [row for row in table.to_dict("records") if {row["emotion"], row["other emotion"]} == {a, b}]
        assert row["distance"] == pytest.approx(expected, rel=1e-9)
        assert (row["clips"], row["clips of the other"]) == (20, 20)
    assert table["distance"].is_monotonic_increasing
    assert not app.warning  # 60 clips are enough for 6 dimensions
    assert "60 clips · 4 speakers · tones" in texts(app)
    assert "the number of dimensions (here 6)" in texts(app)


def test_a_link_takes_a_pair_in_hand_and_the_button_leads_to_its_clouds(small, monkeypatch):
    app = opened(small, monkeypatch, pair="sadness,anger", space="map")
    assert "anger and sadness: **" in texts(app)
    assert "n = 20 clips of anger, 20 of sadness" in texts(app)
    assert app.query_params["pair"] in (["anger,sadness"], "anger,sadness")
    frames = {((box["y0"] + box["y1"]) / 2, (box["x0"] + box["x1"]) / 2) for box in figure(app)["layout"]["shapes"]}
    assert frames == {(1, 2), (2, 1)}
    button = next(button for button in app.button if button.label == "See these two clouds")
    button.click().run()
    assert app.session_state["emotions"] == ["anger", "sadness"]
    assert app.subheader[0].value != "How far apart (Mahalanobis)"


def test_without_a_pair_the_page_says_how_to_take_one(small, monkeypatch):
    app = opened(small, monkeypatch)
    assert distances_panel.EMPTY_PAIR in texts(app)
    assert "shapes" not in figure(app)["layout"] or not figure(app)["layout"]["shapes"]
    assert "pair" not in app.query_params


@pytest.mark.parametrize("pair", ["anger,wonder", "anger", "anger,anger", "anger,sadness,happiness", "<b>,anger"])
def test_a_pair_that_is_not_here_is_said(small, monkeypatch, pair):
    app = opened(small, monkeypatch, pair=pair)
    (warning,) = app.warning
    assert (
        warning.value.replace("\\", "")
        == f"The link asks for a pair of emotions that is not here: {', '.join(pair.split(','))}."
    )
    assert distances_panel.EMPTY_PAIR in texts(app)


@pytest.mark.parametrize(
    ("name", "said"), [("space", "space"), ("covariance", "covariance"), ("shrink", "shrink"), ("order", "order")]
)
def test_a_bad_choice_in_the_link_falls_back_with_a_sentence(small, monkeypatch, name, said):
    app = opened(small, monkeypatch, **{name: "nonsense"})
    assert f"asks for {said} “nonsense”" in app.warning[0].value.replace("\\", "")
    assert len(cells(app)) == 6


def test_few_clips_for_the_dimensions_are_said_aloud(small, monkeypatch):
    app = opened(small, monkeypatch, covariance="per-emotion")
    (warning,) = app.warning
    assert "20 clips of happiness, the fewest, stand behind a covariance of 6 dimensions" in warning.value
    assert "wants their square, 36, or more. Shrinkage makes up for it (intensity used: 0." in warning.value
    assert "Or measure in this map" in warning.value
    assert outlier_panel.OWN in texts(app)
    app.segmented_control(key="_shrink").set_value("off").run()
    assert "Better switch shrinkage on. Or measure in this map" in app.warning[0].value
    app.segmented_control(key="_space").set_value("map").run()
    assert not app.warning
    assert outlier_panel.OWN not in texts(app)
    assert distances_panel.NARROW not in texts(app)
    assert "Here they are those in the 3 dimensions of the map" in texts(app)
    assert app.query_params["space"] in (["map"], "map")


def test_on_a_map_intervals_are_there_at_once(small, monkeypatch):
    app = opened(small, monkeypatch, space="map", pair="anger,sadness")
    table = app.dataframe[0].value
    assert (table["95 % from"] < table["95 % to"]).all()
    assert "From 1,000 resamples of the 4 speakers" in texts(app)
    assert not any(button.label.startswith("Compute") for button in app.button)
    row = table[(table["emotion"] == "anger") & (table["other emotion"] == "sadness")].iloc[0]
    in_words = words.fitting(row["distance"], row["95 % from"], row["95 % to"])
    assert f"anger and sadness: **{in_words}**" in texts(app)
    assert " to " in in_words


def test_intervals_of_all_dimensions_are_offered_and_shown_once_they_are_kept(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    app = opened(cache, monkeypatch)
    assert any(button.label == "Compute 95 % intervals" for button in app.button)
    assert "Not computed yet: 1,000 resamples of the 4 speakers" in texts(app)
    assert app.dataframe[0].value["95 % from"].isna().all()
    clips, _ = analyses.named(found_in(cache))
    question = Question(View(1, "pca", 3, "standard", maps.SEED), "full", "pooled", shrink=True)
    x = analyses.coordinates(clips, question, None)
    kept = analyses.resampled(clips, question, x=x, cache=Cache(cache))
    app.run()
    table = app.dataframe[0].value
    assert sorted(table["95 % from"]) == pytest.approx(sorted(kept.low[np.triu_indices(3, 1)]))
    assert sorted(table["95 % to"]) == pytest.approx(sorted(kept.high[np.triu_indices(3, 1)]))
    assert sorted(table["less noise"]) == pytest.approx(sorted(kept.corrected[np.triu_indices(3, 1)]))
    assert not any(button.label.startswith("Compute") for button in app.button)


def test_the_button_starts_the_job_with_the_same_question(small, monkeypatch):
    started = []
    monkeypatch.setattr("ser_core.jobs.start", lambda cache, arguments, *, title: started.append((arguments, title)))
    app = opened(small, monkeypatch, shrink="off", dims="2")
    next(button for button in app.button if button.label.startswith("Compute")).click().run()
    ((arguments, title),) = started
    assert title == "Distances of tones"
    assert arguments[:2] == ["mahalanobis", "tones"]
    assert "--no-shrink" in arguments
    assert arguments[arguments.index("--space") + 1] == "full"


def test_one_speaker_has_no_interval(tmp_path, monkeypatch):
    cache = made(tmp_path, lambda table: table.assign(speaker="ada"))
    app = opened(cache, monkeypatch, corpora="other", space="map", pair="anger,sadness")
    assert "None: they resample speakers, and all of these clips are of one." in texts(app)
    assert "In brackets" not in texts(app)
    assert not any(button.label.startswith("Compute") for button in app.button)


def four(words: dict[tuple[str, int], str]):
    """Return a change of the table: (emotion, take parity) -> another emotion."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        takes = table["file_name"].str.extract(r"_(\d)\.wav")[0].astype(int) % 2
        new = [words.get((emotion, take), emotion) for emotion, take in zip(table["emotion"], takes, strict=True)]
        return table.assign(emotion=new)

    return change


@pytest.mark.parametrize(
    ("words", "verdicts"),
    [  # high tones are called anger (and fear), low ones boredom (and sadness): as reported
        ({("happiness", 0): "fear", ("happiness", 1): "fear", ("sadness", 1): "boredom"}, ("further", "further")),
        # the other way round: boredom sounds like anger, sadness does not
        ({("anger", 1): "boredom", ("happiness", 0): "fear", ("happiness", 1): "fear"}, ("not further", "not further")),
    ],
)
def test_what_was_reported_is_compared_whichever_way_it_falls(tmp_path, monkeypatch, words, verdicts):
    app = opened(made(tmp_path, four(words)), monkeypatch, corpora="other", shrink="off")
    found = texts(app)
    assert "Anger and boredom, as reported?" in found
    assert f"- **{verdicts[0]} than** sadness and boredom, " in found
    assert f"- **{verdicts[1]} than** anger and fear, " in found
    shown = {frozenset(pair): float(text) for pair, text in cells(app).items()}
    first = shown[frozenset(("anger", "boredom"))]
    for other, verdict in zip((("sadness", "boredom"), ("anger", "fear")), verdicts, strict=True):
        assert (first > shown[frozenset(other)]) == (verdict == "further")


def test_without_the_four_emotions_nothing_is_compared(small, monkeypatch):
    assert "as reported?" not in texts(opened(small, monkeypatch))


def test_overlapping_intervals_leave_the_comparison_open():
    class Four:
        names = ("anger", "boredom", "sadness", "fear")
        between = np.array([[0, 5, 9, 2], [5, 0, 3, 9], [9, 3, 0, 9], [2, 9, 9, 0]], float)

    low, high = Four.between - 1, Four.between + 1
    first, sad, fear = distances_panel.REPORTED
    found = distances_panel._compared(Four, Resampled(low, high, Four.between), first, sad)
    assert (
        found
        == "**further than** sadness and boredom, 3.0 (2.0 to 4.0); the intervals overlap: other speakers may differ."
    )
    found = distances_panel._compared(Four, Resampled(low, high, Four.between), first, fear)
    assert found == "**further than** anger and fear, 2.0 (1.0 to 3.0); the intervals do not overlap."
    found = distances_panel._compared(Four, Resampled(low, high, Four.between), fear, first)
    assert found.startswith("**not further than** anger and boredom")
    assert found.endswith("do not overlap.")
    assert distances_panel._compared(Four, None, first, sad) == "**further than** sadness and boredom, 3.00."
    unknown = Resampled(*(np.full((4, 4), np.nan) for _ in range(3)))
    assert distances_panel._compared(Four, unknown, first, sad) == "**further than** sadness and boredom, 3.00."


def test_distances_above_their_interval_are_explained(tmp_path, monkeypatch):
    cache = SMALL["make"](tmp_path)
    clips, _ = analyses.named(found_in(cache))
    question = Question(View(1, "pca", 3, "standard", maps.SEED), "full", "per-emotion", shrink=True)
    between = analyses.distances(clips, question, x=analyses.coordinates(clips, question, None)).between
    above = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    arrays = {"low": between - 2, "corrected": between - 1, "high": between + 0.5 - above}
    Cache(cache).store_arrays(analyses.recipe(clips, "mahalanobis", analyses._options(question)), arrays)
    said = texts(opened(cache, monkeypatch, covariance="per-emotion"))
    assert distances_panel.NARROW in said  # 20 clips each for 6 dimensions
    assert "1 of 3 distances lie above their interval" in said


def test_clips_that_do_not_fit_are_the_furthest_from_their_own(small, monkeypatch):
    app = opened(small, monkeypatch, shrink="off")
    found = found_in(small)
    means, pooled, x = measured_by_hand(found)
    inverse = np.linalg.inv(pooled)
    squared = np.array([[(one - means[name]) @ inverse @ (one - means[name]) for name in CIRCLE] for one in x])
    own = np.array([CIRCLE.index(name) for name in found.clips["emotion"]])
    far = squared[np.arange(len(x)), own]
    rows = np.argsort(-far)[:20]
    table = app.dataframe[1].value
    assert table["file"].tolist() == found.clips["file"][rows].tolist()
    assert table["distance to own"].tolist() == pytest.approx(np.sqrt(far[rows]).tolist(), rel=1e-9)
    assert table["nearest emotion"].tolist() == [CIRCLE[place] for place in squared[rows].argmin(axis=1)]
    assert table["speaker"].tolist() == found.clips["speaker"][rows].tolist()
    assert table["how rare"].tolist() == [outlier_panel.rarity(p) for p in stats.chi2.sf(far[rows], 6)]
    nearer = int((squared.argmin(axis=1) != own).sum())
    assert f"{nearer} of 60 clips are nearer to the mean of another emotion" in texts(app)


def test_the_clip_in_hand_is_heard_and_measured_from_each_emotion(small, monkeypatch):
    found = found_in(small)
    app = opened(small, monkeypatch, clip=found.digests[7][:12])
    assert len(app.get("audio")) == 1
    assert found.clips["file"][7] in texts(app)
    assert "Its distance to each emotion" in texts(app)
    app = opened(small, monkeypatch)
    assert outlier_panel.EMPTY in texts(app)
    assert not app.get("audio")


def test_the_order_of_the_emotions_can_be_chosen(tmp_path, monkeypatch):
    cache = made(tmp_path, four({("happiness", 1): "neutral", ("sadness", 1): "boredom", ("anger", 1): "odd word"}))
    app = opened(cache, monkeypatch, corpora="other")
    names = figure(app)["layout"]["xaxis"]["ticktext"]
    assert names == ["happiness", "anger", "sadness", "boredom", "neutral", "odd word"]
    before = cells(app)
    app.segmented_control(key="_sorting").set_value("clustering").run()
    names = figure(app)["layout"]["xaxis"]["ticktext"]
    for alike in ({"happiness", "neutral"}, {"sadness", "boredom"}, {"anger", "odd word"}):
        assert abs(np.diff([names.index(name) for name in alike]).item()) == 1
    assert cells(app) == before  # the same values, elsewhere


def test_clips_without_an_emotion_are_left_out_and_words_of_files_are_text(tmp_path, monkeypatch):
    words = {("anger", 1): SMALL["HOSTILE"], ("sadness", 1): ""}
    cache = made(tmp_path, four(words))
    app = opened(cache, monkeypatch, corpora="other")
    assert "8 clips without a known emotion are left out" in texts(app)
    assert "<img" not in app.get("plotly_chart")[0].proto.spec
    app.session_state["pair"] = ["anger", SMALL["HOSTILE"]]
    app.run()
    raw = "\n".join(part.value for part in [*app.markdown, *app.caption])
    assert "\\<img" in raw
    assert "n = 12 clips of anger, 8 of " in texts(app)


def test_one_emotion_is_told_to_be_too_few(tmp_path, monkeypatch):
    cache = made(tmp_path, lambda table: table.assign(emotion="anger"))
    app = opened(cache, monkeypatch, corpora="other")
    assert "this needs two emotions or more" in app.error[0].value.replace("\\", "")


def test_too_few_clips_without_shrinkage_are_one_sentence_with_the_way_out(tmp_path, monkeypatch):
    cache = made(tmp_path, lambda table: table.groupby("emotion").head(2))
    app = opened(cache, monkeypatch, corpora="other", shrink="off")
    said = app.error[0].value.replace("\\", "")
    assert "6 clips with 6 values each: this covariance needs 9 or more; shrink it" in said
    app.segmented_control(key="_shrink").set_value("on").run()
    assert not app.error
    assert len(cells(app)) == 6


def test_distances_on_a_map_that_is_not_drawn_offer_to_draw_it_and_the_others_do_not_need_it(small, monkeypatch):
    app = opened(small, monkeypatch, map="umap", space="map")
    assert any(button.label.startswith("Draw this map") for button in app.button)
    assert "distances between groups mean little in UMAP" in texts(app)
    app.segmented_control(key="_space").set_value("full").run()
    assert len(cells(app)) == 6


def test_several_corpora_are_measured_together_and_named(tmp_path, monkeypatch):
    app = opened(made(tmp_path, lambda table: table), monkeypatch, corpora="tones,other")
    assert "120 clips · 8 speakers" in texts(app)
    assert set(app.dataframe[1].value["corpus"]) <= {"tones", "other"}
    assert app.dataframe[0].value["clips"].tolist() == [40, 40, 40]


def test_an_empty_cache_teaches(tmp_path, monkeypatch):
    assert "make demo" in texts(opened(tmp_path, monkeypatch))


def test_the_intervals_are_described_as_they_are_made(small, monkeypatch):
    said = texts(opened(small, monkeypatch))
    assert "inversion\n  of a bootstrap test" in said
    assert "section 5.5" in said
    assert "basic bootstrap" not in said
