"""Order and planes of real embeddings: against the functions they are made of, and against each other."""

import json
import re
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
    assert summary["order_test"] == {"map": None, "full": None}
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
    for plane in circle.planes({"tones": small[0]}, **HOW, cache=cache).parts:
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
    assert planes.refused == ()
    assert [(one.source, one.target, one.check) for one in planes.parts] == [
        ("tones", "tones", "unseen speakers"), ("tones", "tones", "unseen emotions"),
        ("tones", "moved", "another corpus"), ("moved", "tones", "another corpus"),
        ("moved", "moved", "unseen speakers"), ("moved", "moved", "unseen emotions"),
    ]  # fmt: skip
    assert counted[-1] == (200, 200)
    assert [done for done, _ in counted] == sorted(done for done, _ in counted)
    kept = circle.kept_planes(parts, **HOW, cache=cache)
    for ours, theirs in zip(planes.parts, kept.parts, strict=True):
        np.testing.assert_array_equal(ours.placement.placed, theirs.placement.placed)
        assert ours.labels == theirs.labels
        assert ours.rows.tolist() == theirs.rows.tolist()
        assert circle.plane_summary(ours) == circle.plane_summary(theirs)
    assert circle.kept_planes({**parts, "third": other(found, shift=9.0)}, **HOW, cache=cache) is None


def test_transfer_scales_as_the_corpus_it_was_learnt_from(small, cache):
    found, _ = small
    parts = {"tones": found, "moved": other(found, shift=3.0)}
    made = circle.planes(parts, **HOW, cache=cache).parts
    (transfer,) = [one for one in made if (one.source, one.target) == ("tones", "moved")]
    keep = found.clips["emotion"] != "unknown"
    x = found.vectors[keep, 1].astype(float)
    goal = affect.targets(found.clips[keep]).values
    words, people = (found.clips[column][keep].to_numpy(str) for column in ("emotion", "speaker"))
    rule = affect.learn(x, goal, words, speakers=people, method="procrustes", scaling="standard")
    z = np.clip((2 * x + 3.0 - x.mean(axis=0)) / x.std(axis=0), -10, 10)  # the source's mean and spread
    np.testing.assert_allclose(transfer.placement.placed, z @ rule.weights + rule.offset, atol=1e-4)
    np.testing.assert_allclose(transfer.placement.truth, goal)
    assert (transfer.learnt_on, transfer.scored_on) == (affect.LABELS, affect.LABELS)
    assert transfer.rows.tolist() == np.flatnonzero(keep).tolist()


def test_unseen_speakers_are_placed_without_them(small, cache):
    found, _ = small
    made = circle.planes({"tones": found}, **HOW, cache=cache).parts
    (seen,) = [one for one in made if one.check == "unseen speakers"]
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
        planes = circle.planes({"tones": found, "moved": part}, **HOW, cache=cache).parts
        across = [circle.plane_summary(one) for one in planes if one.check == "another corpus"]
        assert [one["recordings_shared"] for one in across] == [shared, shared]
        assert [one["speakers_shared"] for one in across] == [None, None]  # names of two corpora say nothing
        own = [circle.plane_summary(one) for one in planes if one.check != "another corpus"]
        assert [one["speakers_shared"] for one in own] == [False, True, False, True]
        assert not any(one["recordings_shared"] for one in own)


def test_a_job_is_named_by_all_that_changes_it():
    base = circle.job(["a", "b"], "k", layer=0, scaling="centre", method="regression")
    assert base == ["circumplex", "a,b", "k", "--learn", "regression", "--layer", "0", "--scaling", "centre"]


def changed(found: Embeddings, name: str, **columns: object) -> Embeddings:
    """Another corpus of the same vectors, with other labels."""
    digests = tuple(f"{name}-{sha}" for sha in found.digests)
    return replace(found, clips=found.clips.assign(corpus=name, **columns), digests=digests)


def rated(found: Embeddings, name: str, *, factor: float = 1.0, **columns: object) -> Embeddings:
    """A corpus with ratings on a scale from 1 to 5, times a factor."""
    random = np.random.default_rng(2)
    x = found.vectors[:, 1, :2].astype(float)
    x = (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))
    ratings = factor * np.round(np.clip(1 + 4 * x + 0.2 * random.normal(size=x.shape), 1, 5), 2)
    return changed(found, name, **{"valence": ratings[:, 0], "arousal": ratings[:, 1], **columns})


REFUSED = {
    "alone": ({"speaker": "ada"}, "needs two or more; here is one$"),
    "nobody": ({"speaker": "unknown"}, r"here is none \(clips of an unknown speaker do not count\)$"),
    "own words": ({"emotion": ["wistful", "smug", "coy"] * 20}, r"0 emotions with valence and arousal \(none\)"),
    "nothing": ({"emotion": "unknown"}, r"0 emotions with valence and arousal \(none\)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_corpus_that_cannot_teach_is_placed_by_the_others(small, cache, what):
    columns, reason = REFUSED[what]
    parts = {"odd": changed(small[0], "odd", **columns), "tones": small[0]}
    assert circle.kept_planes(parts, **HOW, cache=cache) is None
    found = circle.planes(parts, **HOW, cache=cache)
    assert [(one.source, one.target) for one in found.parts] == [
        ("tones", "odd"),
        ("tones", "tones"),
        ("tones", "tones"),
    ]
    ((name, said),) = found.refused
    assert name == "odd"
    assert said.startswith("odd teaches no plane: ")
    assert re.search(reason, said)
    placed, told = found.parts[0].placement, circle.plane_summary(found.parts[0])
    assert np.isfinite(placed.placed).all()
    json.dumps(told, allow_nan=False)
    if what in ("alone", "nobody"):
        assert told["scored_on"] == affect.LABELS
        assert np.isfinite(told["valence"]["ccc"])
        assert told["n_speakers"] == (what == "alone")
    else:
        assert told["scored_on"] == "no label has a place on Russell's circle"
        assert (told["n_clips"], told["turn"], told["valence"]["ccc"], told["valence"]["r2_95"]) == (
            0,
            None,
            None,
            None,
        )
        assert len(found.parts[0].labels) == 60
    kept = circle.kept_planes(parts, **HOW, cache=cache)
    assert kept is not None
    assert kept.refused == found.refused
    assert [one.check for one in kept.parts] == [one.check for one in found.parts]


def test_no_corpus_that_can_teach_names_each(small, cache):
    parts = {name: changed(small[0], name, **REFUSED[name][0]) for name in ("alone", "own words")}
    said = "alone teaches no plane: .* here is one; own words teaches no plane: 0 emotions"
    for call in (circle.planes, circle.kept_planes):
        with pytest.raises(analyses.AnalysisError, match=said):
            call(parts, **HOW, cache=cache)


def test_ratings_on_an_unknown_scale_do_not_stop_the_others(small, cache):
    how = HOW | {"method": "regression"}
    far = rated(small[0], "far", factor=20.0, emotion=["wistful", "smug", "coy"] * 20)
    found = circle.planes({"far": far, "tones": small[0]}, **how, cache=cache)
    assert "far teaches no plane: valence and arousal between 20 and" in found.refused[0][1]
    assert "lie on no scale that is known" in found.parts[0].scored_on
    assert np.isnan(found.parts[0].placement.truth).all()
    labelled = rated(small[0], "far", factor=20.0)
    found = circle.planes({"far": labelled}, **how, cache=cache)
    assert found.refused == ()
    assert found.parts[0].learnt_on.startswith("valence and arousal between 20 and")
    assert found.parts[0].learnt_on.endswith(f": {affect.LABELS}")


@pytest.mark.parametrize("words", ["unknown", "own"])
def test_ratings_teach_without_russells_words(small, cache, words):
    how = HOW | {"method": "regression"}
    emotion = "unknown" if words == "unknown" else ["wistful", "smug", "coy", "wry"] * 15
    part = rated(small[0], "rated", emotion=emotion)
    found = circle.planes({"rated": part, "tones": small[0]}, **how, cache=cache)
    assert found.refused == ()
    own = found.parts[0]
    assert (own.source, own.check, own.turn, len(own.rows)) == ("rated", "unseen speakers", None, 60)
    (score,) = [circle.plane_summary(own)["valence"]["ccc"]]
    assert score > 0.5  # ratings are values of the vectors
    checks = [one.check for one in found.parts if one.source == one.target == "rated"]
    assert checks == ["unseen speakers", "unseen emotions"][: 1 + (words == "own")]
    ours, theirs = (next(one for one in found.parts if (one.source, one.target) == ends)
                    for ends in (("rated", "tones"), ("tones", "rated")))  # fmt: skip
    assert (ours.learnt_on, ours.scored_on) == ("rated, read as a scale from 1 to 5", affect.LABELS)
    assert (theirs.learnt_on, theirs.scored_on) == (ours.scored_on, ours.learnt_on)
    assert [circle.plane_summary(ours)[key] for key in ("learnt_on", "scored_on")] == [ours.learnt_on, ours.scored_on]
    np.testing.assert_array_equal(theirs.placement.truth, (part.clips[["valence", "arousal"]].to_numpy() - 3) / 2)
    assert ours.turn is not None


def test_clips_of_unknown_speakers_are_in_no_check_and_no_interval(small, cache):
    found = small[0]
    speakers = found.clips["speaker"].where(np.arange(60) % 7 > 0, "unknown")
    part = changed(found, "part", speaker=speakers)
    planes = circle.planes({"part": part, "tones": found}, **HOW, cache=cache).parts
    own = planes[0]
    keep = np.flatnonzero((found.clips["emotion"] != "unknown") & (speakers != "unknown"))
    assert own.rows.tolist() == keep.tolist()
    assert set(own.placement.speakers) == {"ada", "ben", "cleo", "dan"}
    x, goal = found.vectors[keep, 1].astype(float), affect.targets(found.clips.iloc[keep]).values
    words = found.clips["emotion"].to_numpy(str)[keep]
    expected = affect.unseen_speakers(
        x, goal, words, speakers=speakers.to_numpy(str)[keep], method="procrustes", scaling="standard"
    )
    np.testing.assert_allclose(own.placement.placed, expected.placed, atol=1e-9)
    (placed,) = [one for one in planes if (one.source, one.target) == ("tones", "part")]
    assert len(placed.rows) == (found.clips["emotion"] != "unknown").sum()
    assert circle.plane_summary(placed)["n_speakers"] == 4


def test_unknown_speakers_are_not_drawn_for_the_circle(small, drawn):
    found = small[0]
    speakers = found.clips["speaker"].where(found.clips["speaker"] != "dan", "unknown")
    result = circle.order(replace(found, clips=found.clips.assign(speaker=speakers)), drawn, alignment=None)
    everybody = circle.order(found, drawn, alignment=None)
    assert (result.n_speakers, everybody.n_speakers) == (3, 4)
    assert result.circle.n_clips.tolist() == everybody.circle.n_clips.tolist()
    labels = found.clips["emotion"].to_numpy(str)[result.rows]
    points = drawn.projection.coordinates[result.rows].astype(float)
    voices = found.clips["speaker"].to_numpy(str)[result.rows]
    rest = voices != "dan"
    alone = circumplex.circle(points[rest], labels[rest], voices[rest], alignment=None, n_resamples=1000, seed=0)
    assert result.circle.correlation_95 == pytest.approx(alone.correlation_95, abs=1e-9)
    assert result.circle.correlation == everybody.circle.correlation


def test_numbers_that_cannot_be_told_are_none_in_json(small, drawn, cache):
    part = rated(small[0], "rated", valence=3.0)
    planes = circle.planes({"rated": part, "tones": small[0]}, **(HOW | {"method": "regression"}), cache=cache).parts
    told = [json.loads(json.dumps(circle.plane_summary(one), allow_nan=False)) for one in planes]
    onto = next(one for one in told if (one["from"], one["to"]) == ("tones", "rated"))
    assert (onto["valence"]["r2"], onto["valence"]["r2_95"]) == (None, None)
    assert np.isfinite(onto["arousal"]["r2"])
    result = circle.order(small[0], drawn, alignment=None)
    worse = replace(result.circle, correlation=np.nan, correlation_95=(np.nan, np.inf))
    told = json.loads(json.dumps(circle.order_summary(replace(result, circle=worse)), allow_nan=False))
    assert (told["correlation"], told["correlation_95"]) == (None, [None, None])
    assert told["order_test"]["map"]["p"] == result.plane.p


def test_two_emotions_with_a_place_have_no_turn(small, cache):
    words = small[0].clips["emotion"].replace({"fear": "wistful", "sadness": "smug", "boredom": "coy"})
    part = rated(small[0], "rated", emotion=words)
    (seen, unseen) = circle.planes({"rated": part}, **(HOW | {"method": "regression"}), cache=cache).parts
    assert (seen.turn, unseen.turn) == (None, None)
    assert circle.plane_summary(seen)["turn"] is None
