import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ser_core import catalogue, circle, embeddings, jobs
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.cli import app
from ser_core.geometry import mahalanobis, projection
from ser_core.geometry.russell import russell
from ser_core.timeline import STATEMENT


@pytest.fixture
def embedded(cache: Cache, mine: Located, encoder: Any) -> embeddings.Embeddings:
    table = pd.read_csv(mine.root / "metadata.csv")
    table["recorded_at"] = [f"2026-03-{1 + row % 3:02d}T10:00" for row in range(len(table))]
    table.to_csv(mine.root / "metadata.csv", index=False)
    return embeddings.embed(catalogue.get(cache, "mine"), encoder, cache=cache)


def run(cache: Cache, *arguments: object) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments), "--cache", str(cache.root)])


def answer(cache: Cache, *arguments: object) -> dict[str, Any]:
    done = run(cache, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_russells_words_need_no_corpus(tmp_path: Path) -> None:
    words = answer(Cache(tmp_path), "circumplex", "--russell")["words"]
    assert [set(word) for word in words] == [{"word", "angle", "agreement"}] * 28
    assert words[0]["word"].lower() == "happy"
    assert [word["angle"] for word in words] == [one.angle for one in russell()]
    shown = run(Cache(tmp_path), "circumplex", "--russell").stdout
    assert "207.5" in shown  # the published angle of sad, beside the recomputed one


def test_a_circumplex_without_a_corpus_is_wrong_usage(cache: Cache) -> None:
    assert run(cache, "circumplex").exit_code == 2


def test_clusters(cache: Cache, embedded: embeddings.Embeddings) -> None:
    said = answer(cache, "clusters", "mine", "moments", "--dimensions", 2, "--shape", "tied")
    assert (said["n_clips"], said["n_speakers"], said["shape"]) == (48, 4, "tied")
    assert said["emotions"] == ["anger", "sadness", "neutral"]
    assert [one["factor"] for one in said["variance"]] == ["emotion", "speaker", "gender"]
    assert np.diag(said["overlap"]) == pytest.approx([1, 1, 1])
    covariances = [part["components"][0]["covariance"] for part in said["clouds"]]
    assert covariances[0] == covariances[1]
    assert said["factors_left_out"] == []
    assert "variance explained by" in run(cache, "clusters", "mine", "moments").stdout


def test_clusters_say_what_they_leave_out(cache: Cache, mine: Located, encoder: Any) -> None:
    def forget(table: pd.DataFrame) -> None:
        table.loc[40:, "gender"] = None

    labelled(cache, mine.root, encoder, "mine", forget)
    assert answer(cache, "clusters", "mine", "moments")["factors_left_out"] == [["gender", "known for 40 of 48 clips"]]
    assert "left out: gender: known for 40 of 48 clips" in run(cache, "clusters", "mine", "moments").stdout


def test_mahalanobis_is_the_librarys_and_computed_once(
    cache: Cache, embedded: embeddings.Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = answer(cache, "mahalanobis", "mine", "moments")
    x = projection.scale(embedded.layer(-1), "standard")
    names = {"angry": "anger", "sad": "sadness", "neutral": "neutral"}
    labels = [names[word] for word in embedded.clips["emotion"]]
    expected = mahalanobis.distances(x, labels, covariance="pooled", shrink=True)
    assert said["between"] == pytest.approx(expected.between)
    assert (said["n_dimensions"], said["n_clips"], said["enough_clips"]) == (4, [16, 16, 16], True)
    assert len(said["outlying"]) == 20
    own = expected.to_emotion[np.arange(48), [expected.names.index(label) for label in labels]]
    assert said["outlying"][0]["distance"] == pytest.approx(own.max())
    monkeypatch.setattr(mahalanobis, "resampled", lambda *_, **__: pytest.fail("computed twice"))
    assert answer(cache, "mahalanobis", "mine", "moments")["low_95"] == said["low_95"]
    assert [job.state for job in jobs.ls(cache)] == ["done"]
    monkeypatch.undo()
    text = run(cache, "mahalanobis", "mine", "moments", "--space", "map", "--covariance", "per-emotion", "--no-shrink")
    assert "less noise" in text.stdout
    text = run(cache, "mahalanobis", "mine", "moments").stdout.split("furthest from their own emotion")[1]
    shown = [line.split() for line in text.splitlines()[1:]]
    assert [row[0] for row in shown] == [one["file"] for one in said["outlying"][:10]]
    first = said["outlying"][0]
    assert shown[0][1:4] == [first["speaker"], first["emotion"], f"{first['distance']:.2f}"]


def test_few_clips_for_many_dimensions_are_said(cache: Cache, embedded: embeddings.Embeddings) -> None:
    text = run(cache, "mahalanobis", "mine", "moments", "--covariance", "per-emotion").stdout
    assert "Careful" not in text  # 16 clips of each, 4 dimensions
    few = embeddings.take(embedded, np.arange(15))
    assert not mahalanobis.distances(
        few.layer(-1).astype(float), ["anger", "fear", "calm"] * 5, covariance="pooled", shrink=True
    ).enough


def test_the_circle_and_the_plane(cache: Cache, embedded: embeddings.Embeddings) -> None:
    said = answer(cache, "circumplex", "mine", "moments")
    assert {row["emotion"]: row["russell"] is None for row in said["circle"]} == {
        "anger": False, "sadness": False, "neutral": True,
    }  # fmt: skip
    angles = [row["angle"] for row in said["circle"]]
    assert angles == sorted(angles)
    assert said["order"] == [row["emotion"] for row in said["circle"]]
    assert said["order_test"] == {"map": None, "full": None}  # two emotions with a place on the circle
    assert {(row["checked_on"], row["speakers_shared"]) for row in said["plane"]} == {
        ("unseen speakers", False), ("unseen emotions", True),
    }  # fmt: skip
    assert said["plane"][0]["arousal"]["ccc"] > 0.6  # pitch tells these apart
    alone = answer(cache, "circumplex", "mine", "moments", "--learn", "none", "--rotation", 90, "--mirror")
    assert (alone["plane"], alone["rotation"], alone["mirrored"]) == ([], 90, True)
    for row in alone["circle"]:
        assert row["angle"] == pytest.approx((90 - row["angle_on_map"]) % 360)
    asked = run(cache, "circumplex", "mine", "moments", "--learn", "none", "--rotation", 90, "--mirror").stdout
    assert "The map is mirrored (up is down), then turned by 90.0 degrees counter-clockwise, as asked." in asked
    assert "checked on" not in asked


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--mirror",), "--mirror goes with --rotation"),
        (("--rotation", "nan"), "--rotation nan: expected degrees"),
        (("--rotation", "inf", "--mirror"), "--rotation inf: expected degrees"),
    ],
)
def test_a_turn_that_is_none_is_wrong_usage(cache: Cache, options: tuple[str, ...], sentence: str) -> None:
    done = run(cache, "circumplex", "mine", "moments", *options)
    assert done.exit_code == 2
    assert sentence in done.stderr.replace("\n", " ")


def labelled(cache: Cache, root: Path, encoder: Any, name: str, change: Callable[[pd.DataFrame], object]) -> None:
    """Add a corpus whose metadata has been changed, and embed it."""
    table = pd.read_csv(root / "metadata.csv")
    change(table)
    table.to_csv(root / "metadata.csv", index=False)
    catalogue.add(cache, "folder", root, name=name)
    embeddings.embed(catalogue.get(cache, name), encoder, cache=cache)


def alone(table: pd.DataFrame) -> None:
    table["speaker"] = "me"


def alone_with_two_emotions(table: pd.DataFrame) -> None:
    alone(table)
    table["emotion"] = table["emotion"].replace("neutral", "sad")


def four_places(table: pd.DataFrame) -> None:
    """Take four emotions with a place on the circle, of four speakers."""
    table["emotion"] = ["anger", "sadness", "calm", "happiness"] * (len(table) // 4)
    table["speaker"] = [f"s{row // 4 % 4}" for row in range(len(table))]


def test_people_are_told_all_that_was_found(cache: Cache, make_folder: Callable[..., Path], encoder: Any) -> None:
    labelled(cache, make_folder("taught"), encoder, "taught", four_places)
    labelled(cache, make_folder("single"), encoder, "single", alone_with_two_emotions)
    said = answer(cache, "circumplex", "taught,single", "moments")
    text = run(cache, "circumplex", "taught,single", "moments").stdout
    lines = [" ".join(line.split()) for line in text.splitlines()]
    how = "mirrored (up is down), then " if said["mirrored"] else "not mirrored, "
    turned = f"turned by {said['rotation']:.1f} degrees counter-clockwise, as fits Russell best."
    assert f"The map is {how}{turned}" in lines
    planes = {(one["to"], one["checked_on"]): one for one in said["plane"]}
    assert set(planes) == {
        ("taught", "unseen speakers"), ("taught", "unseen emotions"), ("single", "another corpus")
    }  # fmt: skip
    turn = planes["taught", "unseen speakers"]["turn"]
    low, high = turn["angle_95"]
    told = f"{turn['angle']:.0f}° {low:.0f} to {high:.0f} {100 * turn['residual']:.0f} %"
    assert f"taught taught unseen speakers 48 {told}" in lines
    assert planes["single", "another corpus"]["turn"] is None  # two places alone
    assert "taught single another corpus 48 - - -" in lines
    valence = planes["taught", "unseen speakers"]["valence"]
    assert any(f"48 valence {valence['ccc']:.2f} {valence['ccc_95'][0]:.2f} to" in line for line in lines)
    assert f"learnt from taught on: {said['plane'][0]['learnt_on']}" in lines
    (refused,) = said["refused"]
    assert refused["corpus"] == "single"
    assert "needs two or more; here is one" in refused["reason"]
    assert f"single teaches no plane: {refused['reason']}" in lines
    assert any(line.startswith("Russell's order on the map: index") for line in lines)


def test_an_order_without_anybody_to_learn_from(cache: Cache, make_folder: Callable[..., Path], encoder: Any) -> None:
    """Corpora of one speaker and of words of one's own, ratings that are not there: JSON all the same."""

    def words(table: pd.DataFrame) -> None:
        table["emotion"] = table["emotion"].map({"angry": "grumpy", "sad": "gloomy", "neutral": "so-so"})
        table["valence"] = [0.5] + [np.nan] * (len(table) - 1)

    labelled(cache, make_folder("single"), encoder, "single", alone)
    labelled(cache, make_folder("words"), encoder, "words", words)
    for names in ("single", "words", "single,words", "single,words,single"):
        said = answer(cache, "circumplex", names, "moments")
        assert (said["plane"], [one["corpus"] for one in said["refused"]]) == ([], said["corpora"])
        assert said["corpora"] == list(dict.fromkeys(names.split(",")))
        assert sorted(said["order"]) == sorted(row["emotion"] for row in said["circle"])
        text = run(cache, "circumplex", names, "moments").stdout
        for one in said["refused"]:
            assert f"{one['corpus']} teaches no plane: {one['reason']}" in text
        assert all(name in text for name in said["order"])
    assert {job.state for job in jobs.ls(cache)} == {"failed"}  # who watches the job learns it too


def test_ratings_without_emotions_teach_and_have_no_order(
    cache: Cache, make_folder: Callable[..., Path], encoder: Any
) -> None:
    def rate(table: pd.DataFrame) -> None:
        scores = {"angry": (1, 5), "sad": (2, 1), "neutral": (4, 3)}
        for k, axis in enumerate(("valence", "arousal")):
            table[axis] = [scores[word][k] for word in table["emotion"]]
        del table["emotion"]

    labelled(cache, make_folder("rated"), encoder, "rated", rate)
    said = answer(cache, "circumplex", "rated", "moments")
    assert (said["order"], said["circle"]) == (None, [])
    assert "0 different" in said["order_refused"]
    assert said["plane"][0]["learnt_on"] == "rated, read as a scale from 1 to 5"
    text = run(cache, "circumplex", "rated", "moments")
    assert (text.exit_code, "No circular order: 0 of 48" in text.stdout) == (0, True)
    assert run(cache, "circumplex", "rated", "moments", "--learn", "none").exit_code == 1


def test_the_timeline_says_that_it_is_no_diagnosis(cache: Cache, embedded: embeddings.Embeddings) -> None:
    arguments = ("timeline", "mine", "moments", "--learn-from", "mine")
    said = answer(cache, *arguments, "--person", "s1")
    assert [span["n_clips"] for span in said["spans"]] == [4, 4, 4]
    assert (said["person"], said["dates"], said["statement"]) == ("s1", "recorded_at", STATEMENT)
    assert said["spans"][0]["start"].startswith("2026-03-01")
    assert (said["n_clips"], said["n_undated"]) == (12, 0)
    assert "no diagnosis" in " ".join(run(cache, *arguments, "--period", "week").stdout.split())


def test_the_timeline_learns_as_the_job_that_pages_watch(cache: Cache, embedded: embeddings.Embeddings) -> None:
    said = answer(cache, "timeline", "mine", "moments", "--learn-from", "mine")
    store = embeddings.find_store([catalogue.get(cache, "mine")], "moments", cache=cache)
    expected = circle.job(["mine"], store.key, layer=1, scaling="standard", method="regression")
    (job,) = jobs.ls(cache)
    assert (job.arguments, job.state, job.title) == (expected, "done", "Plane of mine")
    parts = {"mine": embeddings.load(catalogue.get(cache, "mine"), store, cache=cache)}
    planes = circle.kept_planes(parts, layer=1, scaling="standard", method="regression", cache=cache)
    assert planes  # what a page opens with
    scores = circle.plane_summary(planes.parts[0])
    assert (scores["checked_on"], scores["learnt_on"]) == (said["plane"]["checked_on"], said["plane"]["learnt_on"])
    for axis in circle.AXES:
        assert said["plane"][axis] == {name: scores[axis][name] for name in ("ccc", "ccc_95")}
        assert scores[axis]["ccc_95"]


@pytest.mark.parametrize("period", ["day", "week"])
def test_the_timeline_fits_a_terminal(cache: Cache, mine: Located, encoder: Any, period: str) -> None:
    table = pd.read_csv(mine.root / "metadata.csv")
    table["recorded_at"] = [f"2026-03-0{1 + row % 2}T10:00" if row % 4 else "" for row in range(len(table))]
    table["speaker"] = ["s0" if row < 24 else "s1" for row in range(len(table))]
    table.to_csv(mine.root / "metadata.csv", index=False)
    embeddings.embed(catalogue.get(cache, "mine"), encoder, cache=cache)
    arguments = ("timeline", "mine", "moments", "--learn-from", "mine", "--period", period)
    said, text = answer(cache, *arguments), run(cache, *arguments).stdout
    assert (said["n_clips"], said["n_undated"]) == (18, 6)
    lines = text.splitlines()
    assert lines[0] == "s0: 18 clips, dated by recorded_at, 6 without a date left out"
    assert lines[1] == f"plane learnt from mine on: {said['plane']['learnt_on']}"
    valence = said["plane"]["valence"]
    low, high = valence["ccc_95"]
    assert f"CCC on unseen speakers: valence {valence['ccc']:.2f} (95 % {low:.2f} to {high:.2f}), arousal" in lines[2]
    table_lines = lines[3:-1]
    assert max(map(len, table_lines)) <= 120
    for span, line in zip(said["spans"], table_lines[2:], strict=True):  # heads take two lines
        assert line.startswith(f"{span['start']}  {span['n_clips']} ")
        assert f"{span['intensity']:.2f} ({span['intensity_low']:.2f} to {span['intensity_high']:.2f})" in line
        shares = [
            span[name] for name in ("pleasant_activated", "unpleasant_activated", "unpleasant_quiet", "pleasant_quiet")
        ]
        assert line.split()[-4:] == [f"{share:.0%}" for share in shares]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("timeline", "mine", "moments", "--learn-from", "mine", "--person", "nobody"), "no clip of 'nobody'"),
        (("clusters", "mine", "egemaps"), "run `ser embed mine egemaps` first"),
        (("mahalanobis", "mine", "moments", "--layer", "7"), "layer 7"),
        (("circumplex", "elsewhere", "moments"), "elsewhere"),
    ],
)
def test_an_error_is_one_sentence(
    cache: Cache, embedded: embeddings.Embeddings, arguments: tuple[str, ...], sentence: str
) -> None:
    done = run(cache, *arguments, "--json")
    assert done.exit_code == 1
    assert sentence in json.loads(done.stdout)["error"]
