"""What analyses are kept under, and that what is kept is what was computed: the distances' part."""

import re
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ser_core import analyses, catalogue, cli, embeddings, maps
from ser_core.analyses import AnalysisError, Question
from ser_core.embeddings import take
from ser_core.geometry import affect, mahalanobis
from ser_core.geometry.mahalanobis import DistanceError
from ser_core.geometry.russell import coordinates
from ser_core.maps import View

VIEW = View(1, "pca", 3, "standard", 0)
QUESTION = Question(VIEW, "full", "pooled", shrink=True)


@pytest.fixture
def found(mine, encoder, cache):
    embeddings.embed(mine, encoder, cache=cache)
    return embeddings.load(mine, cache.stores()[0], cache=cache)


@pytest.fixture
def clips(found):
    return analyses.named(found)[0]


def where(clips, question):
    """Return the recipe that the intervals of a question are kept under."""
    return analyses.recipe(clips, "mahalanobis", analyses._options(question))


def relabelled(clips, **columns):
    return replace(clips, clips=clips.clips.assign(**columns))


def test_named_clips_have_common_words_and_know_their_rows(found):
    words = found.clips["emotion"].tolist()
    words[3], words[10] = "unknown", "wistful"
    clips, rows = analyses.named(relabelled(found, emotion=words))
    assert rows.tolist() == [row for row in range(48) if row != 3]
    expected = {"angry": "anger", "sad": "sadness"}
    assert clips.clips["emotion"].tolist() == [expected.get(words[row], words[row]) for row in rows]
    assert clips.digests == tuple(found.digests[row] for row in rows)
    assert (clips.vectors == found.vectors[rows]).all()
    assert found.clips["emotion"].tolist()[0] == "angry"  # the corpus keeps its own words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["unknown"] * 48, "0 of 48 clips have a known emotion, 0 different: this needs two emotions or more"),
        (["angry", "colère", "unknown"] * 16, "32 of 48 clips have a known emotion, 1 different"),
    ],
)
def test_fewer_than_two_emotions_are_refused(found, words, said):
    with pytest.raises(AnalysisError, match=said):
        analyses.named(relabelled(found, emotion=words))


QUESTIONS = {
    "usual": QUESTION,
    "per emotion": replace(QUESTION, covariance="per-emotion"),
    "not shrunk": replace(QUESTION, shrink=False),
    "other layer": replace(QUESTION, view=replace(VIEW, layer=0)),
    "other scaling": replace(QUESTION, view=replace(VIEW, scaling="centre")),
    "on the map": replace(QUESTION, space="map"),
    "on a flat map": replace(QUESTION, space="map", view=replace(VIEW, n_components=2)),
    "on another map": replace(QUESTION, space="map", view=replace(VIEW, method="umap")),
    "on a map drawn again": replace(QUESTION, space="map", view=replace(VIEW, method="umap", seed=1)),
}


def test_questions_with_other_answers_have_other_keys(clips):
    recipes = {name: where(clips, question) for name, question in QUESTIONS.items()}
    assert [pair for pair in combinations(recipes, 2) if recipes[pair[0]] == recipes[pair[1]]] == []


def test_in_all_dimensions_it_does_not_matter_how_the_map_is_drawn(clips):
    for method, n, seed in product(("pca", "umap"), (2, 3), (0, 1)):
        view = View(1, method, n, "standard", seed)
        assert where(clips, replace(QUESTION, view=view)) == where(clips, QUESTION)


@pytest.mark.parametrize("column", ["emotion", "speaker", "valence", "arousal"])
def test_a_label_edited_in_the_table_is_another_question(clips, column):
    clips = relabelled(clips, valence=0.5, arousal=0.5)
    values = clips.clips[column].tolist()
    values[5] = "anger" if column == "emotion" and values[5] != "anger" else "boredom" if column == "emotion" else 7
    edited = relabelled(clips, **{column: values})
    assert where(edited, QUESTION) != where(clips, QUESTION)
    assert where(relabelled(clips, note="x"), QUESTION) == where(clips, QUESTION)  # what takes no part changes nothing


def test_a_label_edited_in_metadata_csv_makes_other_intervals(mine, encoder, cache, clips):
    first = analyses.resampled(clips, QUESTION, x=analyses.coordinates(clips, QUESTION, None), cache=cache)
    file = mine.root / "metadata.csv"
    table = pd.read_csv(file)
    table.loc[table["file_name"] == "sad_0_0.wav", "emotion"] = "angry"
    table.to_csv(file, index=False)
    again = embeddings.load(catalogue.get(cache, "mine"), cache.stores()[0], cache=cache)
    edited, _ = analyses.named(again)
    assert analyses.kept_resampled(edited, QUESTION, cache=cache) is None
    x = analyses.coordinates(edited, QUESTION, None)
    assert not np.allclose(analyses.resampled(edited, QUESTION, x=x, cache=cache).low, first.low)


def test_other_clips_and_another_encoder_are_other_questions(clips):
    rest = take(clips, np.arange(1, 48))
    assert where(rest, QUESTION) != where(clips, QUESTION)
    other = replace(clips, recipe=clips.recipe | {"version": 2})
    assert where(other, QUESTION) != where(clips, QUESTION)
    assert where(clips, QUESTION)["stores"] != where(other, QUESTION)["stores"]


def test_the_recipe_says_how_many_resamples_and_in_which_version(clips, monkeypatch):
    before = where(clips, QUESTION)
    monkeypatch.setattr(analyses, "N_RESAMPLES", 999)
    assert where(clips, QUESTION) != before
    monkeypatch.undo()
    monkeypatch.setattr(analyses, "VERSION", analyses.VERSION + 1)
    assert where(clips, QUESTION) != before


@pytest.mark.parametrize("name", ["usual", "per emotion", "not shrunk", "on the map"])
def test_the_interval_that_is_kept_is_the_one_computed(found, clips, cache, name):
    question = QUESTIONS[name]
    drawn = maps.draw(found, question.view, cache=cache)
    x = analyses.coordinates(clips, question, drawn)
    assert analyses.kept_resampled(clips, question, cache=cache) is None
    steps = []
    made = analyses.resampled(clips, question, x=x, cache=cache, progress=lambda *step: steps.append(step))
    kept = analyses.kept_resampled(clips, question, cache=cache)
    assert all((getattr(kept, part) == getattr(made, part)).all() for part in ("low", "high", "corrected"))
    assert steps == [(1, 3), (2, 3), (3, 3)]  # pairs of emotions
    again = analyses.resampled(clips, question, x=np.full_like(x, np.nan), cache=cache)  # not computed a second time
    assert (again.low == made.low).all()
    expected = mahalanobis.resampled(
        x,
        clips.clips["emotion"].to_numpy(str),
        clips.clips["speaker"].to_numpy(str),
        covariance=question.covariance,
        shrink=question.shrink,
        n_resamples=1000,
        seed=0,
    )
    off = ~np.eye(3, dtype=bool)
    for part in ("low", "high", "corrected"):
        assert getattr(kept, part) == pytest.approx(getattr(expected, part), rel=1e-9)
    assert (made.low < made.corrected)[off].all()
    assert (made.corrected < made.high)[off].all()


def test_damaged_intervals_are_computed_again(clips, cache):
    x = analyses.coordinates(clips, QUESTION, None)
    made = analyses.resampled(clips, QUESTION, x=x, cache=cache)
    (file,) = (cache.root / "maps").glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert analyses.kept_resampled(clips, QUESTION, cache=cache) is None
    assert (analyses.resampled(clips, QUESTION, x=x, cache=cache).low == made.low).all()


def test_one_speaker_has_no_interval(clips, cache):
    alone = relabelled(clips, speaker="ada")
    assert not analyses.several_speakers(alone)
    assert analyses.several_speakers(clips)
    with pytest.raises(AnalysisError, match=r"intervals resample speakers, and need two or more; here is one$"):
        analyses.resampled(alone, QUESTION, x=analyses.coordinates(alone, QUESTION, None), cache=cache)
    voices = clips.clips["speaker"].where(clips.clips["speaker"] == "s1", "unknown")
    one = relabelled(clips, speaker=voices)
    assert (analyses.n_speakers(one), analyses.n_speakers(clips), analyses.several_speakers(one)) == (1, 4, False)
    with pytest.raises(AnalysisError, match=r"here is one \(clips of an unknown speaker do not count\)$"):
        analyses.resampled(one, QUESTION, x=analyses.coordinates(one, QUESTION, None), cache=cache)


@pytest.mark.parametrize(
    ("dim", "n_clips", "n_speakers", "quick"),
    [(200, 3000, 50, True), (201, 3000, 50, False), (200, 3001, 50, False), (200, 3000, 51, False)],
)
def test_what_is_quick_depends_on_the_speakers_too(found, dim, n_clips, n_speakers, quick):
    voices = [f"s{row % n_speakers}" for row in range(n_clips - 1)] + ["unknown"]  # who does not count
    vectors = np.broadcast_to(np.float32(0), (n_clips, 2, dim))
    clips = pd.DataFrame({"speaker": voices, "emotion": "anger"})
    how = {"recipe": found.recipe | {"dim": dim}, "digests": ("",) * n_clips}
    assert analyses.quick(replace(found, vectors=vectors, clips=clips, **how)) == quick


HOW = {"layer": 0, "scaling": "standard", "method": "regression"}


def test_teachers_are_clips_with_an_emotion_or_enough_ratings(found):
    words = ["unknown"] * 24 + found.clips["emotion"].tolist()[24:]
    ratings = np.where(np.arange(48) < 10, np.nan, 3.0)
    rated, rows = analyses.teachers(relabelled(found, emotion=words, valence=ratings, arousal=ratings))
    assert rows.tolist() == list(range(10, 48))
    expected = {"angry": "anger", "sad": "sadness"}
    assert rated.clips["emotion"].tolist() == [expected.get(words[row], words[row]) for row in rows]
    assert rated.digests == found.digests[10:]
    few = np.where(np.arange(48) < 25, np.nan, 3.0)  # 23 of 48: ratings do not count
    assert analyses.teachers(relabelled(found, emotion=words, valence=few, arousal=few))[1].tolist() == list(
        range(24, 48)
    )
    named, rows = analyses.teachers(relabelled(found, emotion=words))
    assert (
        named.clips["emotion"].tolist() == analyses.named(relabelled(found, emotion=words))[0].clips["emotion"].tolist()
    )
    assert rows.tolist() == list(range(24, 48))
    nothing, rows = analyses.teachers(relabelled(found, emotion="unknown"))
    assert (rows.tolist(), set(nothing.clips["emotion"])) == (list(range(48)), {"unknown"})


def test_only_emotions_with_a_target_are_left_out(found, cache, monkeypatch):
    """Two own words beside three emotions: three folds, and their clips are in no fold."""
    words = np.array(found.clips["emotion"], dtype=object)
    words[::6], words[1::6] = "wistful", "smug"
    part, _ = analyses.teachers(relabelled(found, emotion=words))
    steps, folds = [], []
    real = affect.unseen_emotions
    monkeypatch.setattr(affect, "unseen_emotions", lambda x, targets, labels, **how: (
        folds.append(set(labels)), real(x, targets, labels, **how))[1])  # fmt: skip
    learnt = analyses.learn(part, **HOW, cache=cache, progress=lambda *step: steps.append(step))
    assert folds == [{"anger", "sadness", "neutral"}]
    assert steps[-1] == (4 + 3, 4 + 3)
    own = np.isin(words.astype(str), ["wistful", "smug"])
    assert learnt.emotion_rows.tolist() == np.flatnonzero(~own).tolist()
    assert learnt.speaker_rows.tolist() == list(range(48))
    assert np.isfinite(learnt.unseen_emotions.truth).all()
    two, _ = analyses.teachers(relabelled(found, emotion=np.where(words == "neutral", "coy", words)))
    assert analyses.learn(two, **HOW, cache=cache).unseen_emotions is None  # own words do not make up the number


def test_a_check_of_emotions_that_fails_loses_no_other(found, cache):
    """Without calm all targets are the same, so that nothing can be learnt."""
    ratings = np.where(np.arange(48) < 16, 5.0, 1.0)
    words = np.repeat(["calm", "sad", "angry"], 16)
    voices = [f"s{row % 4}" for row in range(48)]
    part, _ = analyses.teachers(relabelled(found, emotion=words, valence=ratings, arousal=ratings, speaker=voices))
    for _ in range(2):  # the second is the kept one
        learnt = analyses.learn(part, **HOW, cache=cache)
        assert learnt.unseen_emotions is None
        assert np.isfinite(learnt.unseen_speakers.placed).all()


def test_unknown_speakers_teach_and_are_not_checked(found, cache):
    voices = np.where(np.arange(48) % 5 == 0, "unknown", found.clips["speaker"].to_numpy(str))
    part, _ = analyses.teachers(relabelled(found, speaker=voices))
    made = analyses.learn(part, **HOW, cache=cache)
    kept = analyses.kept_learnt(part, **HOW, cache=cache)
    rows = np.flatnonzero(voices != "unknown")
    words = part.clips["emotion"].to_numpy(str)
    goal = np.array([coordinates(word) for word in words])
    x, options = part.layer(0).astype(float), {"method": "regression", "scaling": "standard"}
    for learnt in (made, kept):
        assert learnt.speaker_rows.tolist() == learnt.emotion_rows.tolist() == rows.tolist()
        for check in ("speakers", "emotions"):
            ours = getattr(learnt, f"unseen_{check}")
            theirs = getattr(affect, f"unseen_{check}")(
                x[rows], goal[rows], words[rows], speakers=voices[rows], **options
            )
            np.testing.assert_allclose(ours.placed, theirs.placed, atol=1e-12)
            assert ours.speakers.tolist() == voices[rows].tolist()
            assert ours.shared_speakers == theirs.shared_speakers
        everything = affect.learn(x, goal, words, speakers=voices, **options)
        np.testing.assert_allclose(learnt.map.weights, everything.weights, atol=1e-12)


def test_what_is_refused_is_what_learning_refuses(found, cache):
    clips, _ = analyses.teachers(found)
    assert analyses.refusal(clips, method="regression") is None
    cases = {
        "here is one$": relabelled(clips, speaker="s0"),
        "^0 of 48 clips have valence and arousal": relabelled(clips, emotion="wistful"),
        "^without s0, 0 of 36 clips": relabelled(
            clips, emotion=np.where(clips.clips["speaker"] == "s0", clips.clips["emotion"], "wistful")
        ),
        "lie on no scale": relabelled(clips, emotion="wistful", valence=np.arange(48), arousal=0),
    }
    for said, part in cases.items():
        assert re.search(said, analyses.refusal(part, method="regression"))
        with pytest.raises(AnalysisError, match=said):
            analyses.learn(part, **HOW, cache=cache)


def test_distances_on_a_map_are_those_of_its_points_and_need_it(found, clips, cache):
    question = QUESTIONS["on the map"]
    with pytest.raises(AnalysisError, match="draw it first"):
        analyses.coordinates(clips, question, None)
    drawn = maps.draw(found, question.view, cache=cache)
    x = analyses.coordinates(clips, question, drawn)
    assert (x == drawn.projection.coordinates).all()
    assert x.dtype == np.float64
    labels = clips.clips["emotion"].to_numpy(str)
    expected = mahalanobis.distances(x, labels, covariance="pooled", shrink=True)
    assert (analyses.distances(clips, question, x=x).between == expected.between).all()
    assert analyses.distances(clips, question, x=x).dimensions == 3


def test_all_dimensions_are_counted_though_the_clips_span_fewer(clips):
    few = take(clips, np.array([0, 17, 1, 18]))
    wider = np.concatenate([few.vectors, few.vectors**2], axis=2)
    few = replace(few, vectors=wider, recipe=few.recipe | {"dim": 8})
    x = analyses.coordinates(few, QUESTION, None)
    assert x.shape[1] < 8
    found = analyses.distances(few, QUESTION, x=x)
    assert found.dimensions == 8
    z = few.layer(1).astype(float)
    spread = z.std(axis=0)
    z = (z - z.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    labels = few.clips["emotion"].to_numpy(str)
    expected = mahalanobis.distances(z, labels, covariance="pooled", shrink=True)
    assert found.between == pytest.approx(expected.between, rel=1e-9)
    with pytest.raises(DistanceError, match="4 clips with 8 values each: this covariance needs 10 or more; shrink it"):
        analyses.distances(few, QUESTIONS["not shrunk"], x=x)


def test_jobs_of_other_questions_are_other_jobs():
    jobs = {name: analyses.mahalanobis_job(["a", "b"], "5eed", one) for name, one in QUESTIONS.items()}
    assert jobs["usual"][:3] == ["mahalanobis", "a,b", "5eed"]
    assert len({tuple(job) for job in jobs.values()}) == len(QUESTIONS)


@pytest.mark.parametrize(
    "name", ["usual", "per emotion", "not shrunk", "other scaling", "other layer", "on a flat map"]
)
def test_the_job_computes_what_the_question_asks_for(clips, cache, name):
    job = analyses.mahalanobis_job(["mine"], cache.stores()[0].key, QUESTIONS[name])
    done = CliRunner().invoke(cli.app, [*job, "--cache", str(cache.root)])
    assert done.exit_code == 0, done.output
    kept = [other for other, one in QUESTIONS.items() if analyses.kept_resampled(clips, one, cache=cache) is not None]
    assert kept == [name]
