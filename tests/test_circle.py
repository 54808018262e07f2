"""Order and planes of real embeddings: against the functions they are made of, and against each other."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ser_core import analyses, catalogue, circle, embeddings, maps
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings
from ser_core.geometry import affect, circumplex
from ser_core.geometry.circular import order_test
from ser_core.geometry.circumplex import Alignment
from ser_core.geometry.mahalanobis import distances
from ser_core.maps import View

SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))
WORDS = ("happiness", "anger", "fear", "sadness", "boredom")
HOW = {"layer": 1, "scaling": "standard", "method": "procrustes"}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Embeddings, Cache]:
    root = SMALL["make"](tmp_path_factory.mktemp("circle"))
    cache = Cache(root)
    found = embeddings.load(catalogue.get(cache, "tones"), cache.stores()[0], cache=cache)
    words = [f"{WORDS[row % 5]}" if row % 11 else "unknown" for row in range(len(found.clips))]
    random = np.random.default_rng(1)
    middles = random.normal(0, 1, (5, 6))
    vectors = found.vectors + np.array([middles[row % 5] for row in range(len(words))], np.float32)[:, None]
    return replace(found, clips=found.clips.assign(emotion=words), vectors=vectors), cache


@pytest.fixture
def drawn(small) -> maps.Map:
    return maps.draw(small[0], View(1, "pca", 2, "standard", 0), cache=small[1])


def other(found: Embeddings, *, shift: float) -> Embeddings:
    """Another corpus: the same words by other people, recordings and vectors moved and stretched."""
    clips = found.clips.assign(corpus="moved", speaker="new " + found.clips["speaker"])
    digests = tuple(f"{shift:g}-{sha}" for sha in found.digests)
    return replace(found, clips=clips, vectors=2 * found.vectors + np.float32(shift), digests=digests)


def test_order_is_of_the_named_clips_on_the_first_two_axes(small, drawn):
    found, _ = small
    result = circle.order(found, drawn, alignment=None)
    keep = np.array([word != "unknown" for word in found.clips["emotion"]])
    assert result.rows.tolist() == np.flatnonzero(keep).tolist()
    labels = found.clips["emotion"].to_numpy(str)[keep]
    points = drawn.projection.coordinates[keep].astype(float)
    middle = points.mean(axis=0)
    for k, name in enumerate(result.circle.names):
        x, y = points[labels == name].mean(axis=0) - middle
        assert result.circle.raw.radius[k] == pytest.approx(np.hypot(x, y), abs=1e-9)
        assert result.circle.raw.angle[k] == pytest.approx(np.degrees(np.arctan2(y, x)) % 360, abs=1e-9)
    assert result.circle.n_clips.sum() == keep.sum()


def test_both_order_tests_use_the_distances_that_they_say(small, drawn):
    found, _ = small
    result = circle.order(found, drawn, alignment=None)
    labels = np.array([found.clips["emotion"][row] for row in result.rows])
    expected = sorted(WORDS, key=lambda word: circumplex.reference(word))
    points = drawn.projection.coordinates[result.rows].astype(float)
    middles = np.array([points[labels == word].mean(axis=0) for word in expected])
    on_map = np.sqrt(((middles[:, None] - middles[None]) ** 2).sum(axis=-1))
    assert result.plane == order_test(on_map, range(5))
    x = found.vectors[result.rows, 1].astype(float)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    full = distances(z, labels, covariance="pooled", shrink=True)
    places = [full.names.index(word) for word in expected]
    assert result.full == order_test(full.between[np.ix_(places, places)], range(5))


def test_turning_by_hand_changes_angles_and_no_test(small, drawn):
    fitted = circle.order(small[0], drawn, alignment=None)
    turned = circle.order(small[0], drawn, alignment=Alignment(77.0, mirrored=False))
    away = (turned.circle.polar.angle - turned.circle.raw.angle) % 360
    np.testing.assert_allclose(away, 77.0, atol=1e-9)
    assert (turned.plane, turned.full) == (fitted.plane, fitted.full)
    assert abs(turned.circle.correlation) == pytest.approx(abs(fitted.circle.correlation), abs=1e-9)


def test_too_few_places_on_the_circle_leave_the_test_out(small, drawn):
    found, _ = small
    words = [{"fear": "neutral", "boredom": "wistful"}.get(word, word) for word in found.clips["emotion"]]
    result = circle.order(replace(found, clips=found.clips.assign(emotion=words)), drawn, alignment=None)
    assert result.plane is None
    assert result.full is None
    assert result.circle.correlation is not None
    summary = circle.order_summary(result)
    assert summary["order_test"] == {"plane": None, "full": None}
    assert {row["emotion"]: row["russell"] for row in summary["circle"]}["wistful"] is None


def test_one_known_emotion_is_refused(small, drawn):
    found = replace(small[0], clips=small[0].clips.assign(emotion="anger"))
    with pytest.raises(analyses.AnalysisError, match="this needs two emotions or more"):
        circle.order(found, drawn, alignment=None)


def test_summaries_are_plain_and_ascending(small, drawn, cache):
    summary = circle.order_summary(circle.order(small[0], drawn, alignment=None))
    assert json.loads(json.dumps(summary, allow_nan=False))["n_speakers"] == 4
    angles = [row["angle"] for row in summary["circle"]]
    assert angles == sorted(angles)
    assert [row["emotion"] for row in summary["circle"]] == summary["order"]
    for plane in circle.planes({"tones": small[0]}, **HOW, cache=cache):
        told = circle.plane_summary(plane)
        assert json.loads(json.dumps(told, allow_nan=False))["from"] == "tones"
        assert told["valence"]["ccc"] == pytest.approx(_ccc(plane, 0), abs=1e-9)
        assert told["arousal"]["ccc_95"][0] <= told["arousal"]["ccc"] <= told["arousal"]["ccc_95"][1]


def _ccc(plane: circle.Plane, axis: int) -> float:
    truth, placed = plane.placement.truth[:, axis], plane.placement.placed[:, axis]
    shared = 2 * np.cov(truth, placed, bias=True)[0, 1]
    return shared / (truth.var() + placed.var() + (truth.mean() - placed.mean()) ** 2)


def test_planes_of_two_corpora_in_both_directions(small, cache):
    found, _ = small
    parts = {"tones": found, "moved": other(found, shift=3.0)}
    assert circle.kept_planes(parts, **HOW, cache=cache) is None
    counted = []
    planes = circle.planes(parts, **HOW, cache=cache, progress=lambda done, total: counted.append((done, total)))
    assert [(one.source, one.target, one.check) for one in planes] == [
        ("tones", "tones", "unseen speakers"), ("tones", "tones", "unseen emotions"),
        ("tones", "moved", "another corpus"), ("moved", "tones", "another corpus"),
        ("moved", "moved", "unseen speakers"), ("moved", "moved", "unseen emotions"),
    ]  # fmt: skip
    assert counted[-1] == (200, 200)
    assert [done for done, _ in counted] == sorted(done for done, _ in counted)
    kept = circle.kept_planes(parts, **HOW, cache=cache)
    for ours, theirs in zip(planes, kept, strict=True):
        np.testing.assert_array_equal(ours.placement.placed, theirs.placement.placed)
        assert ours.labels == theirs.labels
        assert circle.plane_summary(ours) == circle.plane_summary(theirs)
    assert circle.kept_planes({**parts, "third": other(found, shift=9.0)}, **HOW, cache=cache) is None


def test_transfer_scales_as_the_corpus_it_was_learnt_from(small, cache):
    found, _ = small
    parts = {"tones": found, "moved": other(found, shift=3.0)}
    (transfer,) = [
        one for one in circle.planes(parts, **HOW, cache=cache) if (one.source, one.target) == ("tones", "moved")
    ]
    keep = found.clips["emotion"] != "unknown"
    x = found.vectors[keep, 1].astype(float)
    goal = affect.targets(found.clips[keep]).values
    words, people = (found.clips[column][keep].to_numpy(str) for column in ("emotion", "speaker"))
    rule = affect.learn(x, goal, words, speakers=people, method="procrustes", scaling="standard")
    z = np.clip((2 * x + 3.0 - x.mean(axis=0)) / x.std(axis=0), -10, 10)  # the source's mean and spread
    np.testing.assert_allclose(transfer.placement.placed, z @ rule.weights + rule.offset, atol=1e-4)
    np.testing.assert_allclose(transfer.placement.truth, goal)
    assert transfer.scale == affect.LABELS


def test_unseen_speakers_are_placed_without_them(small, cache):
    found, _ = small
    (seen,) = [one for one in circle.planes({"tones": found}, **HOW, cache=cache) if one.check == "unseen speakers"]
    keep = found.clips["emotion"] != "unknown"
    x, goal = found.vectors[keep, 1].astype(float), affect.targets(found.clips[keep]).values
    words, people = (found.clips[column][keep].to_numpy(str) for column in ("emotion", "speaker"))
    rest = people != "ada"
    how = {"method": "procrustes", "scaling": "standard"}
    rule = affect.learn(x[rest], goal[rest], words[rest], speakers=people[rest], **how)
    np.testing.assert_allclose(seen.placement.placed[~rest], rule.place(x[~rest]), atol=1e-9)
    assert not seen.placement.shared_speakers


def test_shared_recordings_are_flagged(small, cache):
    found, _ = small
    twin = replace(other(found, shift=0.0), digests=found.digests)
    for part, shared in ((twin, True), (other(found, shift=0.0), False)):
        planes = circle.planes({"tones": found, "moved": part}, **HOW, cache=cache)
        across = [one for one in planes if one.check == "another corpus"]
        assert [one.placement.shared_speakers for one in across] == [shared, shared]
        assert [circle.plane_summary(one)["speakers_shared"] for one in across] == [shared, shared]


def test_a_job_is_named_by_all_that_changes_it():
    base = circle.job(["a", "b"], "k", layer=0, scaling="centre", method="regression")
    assert base == ["circumplex", "a,b", "k", "--learn", "regression", "--layer", "0", "--scaling", "centre"]
