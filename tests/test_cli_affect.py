import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ser_core import catalogue, embeddings, jobs
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
    assert "variance explained by" in run(cache, "clusters", "mine", "moments").stdout


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
    assert said["order_test"] == {"plane": None, "full": None}  # two emotions with a place on the circle
    assert {(row["checked_on"], row["speakers_shared"]) for row in said["plane"]} == {
        ("unseen speakers", False), ("unseen emotions", True),
    }  # fmt: skip
    assert said["plane"][0]["arousal"]["ccc"] > 0.6  # pitch tells these apart
    alone = answer(cache, "circumplex", "mine", "moments", "--learn", "none", "--rotation", 90, "--mirror")
    assert (alone["plane"], alone["rotation"], alone["mirrored"]) == ([], 90, True)
    for row in alone["circle"]:
        assert row["angle"] == pytest.approx((90 - row["angle_on_map"]) % 360)
    text = run(cache, "circumplex", "mine", "moments").stdout
    assert "unseen speakers" in text


def test_the_timeline_says_that_it_is_no_diagnosis(cache: Cache, embedded: embeddings.Embeddings) -> None:
    said = answer(cache, "timeline", "mine", "moments", "--learn-from", "mine", "--person", "s1")
    assert [span["n_clips"] for span in said["spans"]] == [4, 4, 4]
    assert (said["person"], said["dates"], said["statement"]) == ("s1", "recorded_at", STATEMENT)
    assert said["spans"][0]["start"].startswith("2026-03-01")
    assert "no diagnosis" in " ".join(
        run(cache, "timeline", "mine", "moments", "--learn-from", "mine", "--period", "week").stdout.split()
    )


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
