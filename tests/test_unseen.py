"""What is said of clips of speakers left out, against scikit-learn and scipy; and that nothing leaks to them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from sklearn.metrics import brier_score_loss
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from ser_core import analyses, evaluation, splits, unseen
from ser_core.analyses import AnalysisError
from ser_core.embeddings import Embeddings, join, take
from ser_core.models.svm import recogniser
from ser_core.splits import Fold

HOW = {"layer": 0, "scaling": "standard"}
WORDS = np.array(["sad", "angry", "happy", "wistful"])
NAMES = ("happiness", "anger", "sadness", "wistful")
"""Common names, in the order of the circle; a word without one comes last."""


def fake(n_speakers=5, n_each=16, *, shift=1.5, dim=6):
    """Clips whose emotion and speaker move their values."""
    random = np.random.default_rng(1)
    emotion, speaker = np.tile(np.arange(4), n_speakers * n_each // 4), np.repeat(np.arange(n_speakers), n_each)
    places, voices = shift * random.normal(size=(4, dim)), random.normal(size=(n_speakers, dim))
    x = (places[emotion] + voices[speaker] + random.normal(size=(len(emotion), dim))).astype("float32")
    files = [f"{number}.wav" for number in range(len(x))]
    voice = [f"s{number}" for number in speaker]
    clips = pd.DataFrame({"file": files, "speaker": voice, "emotion": WORDS[emotion], "corpus": "fake"})
    recipe = {"name": "fake", "dim": dim, "layers": ["only"]}
    return Embeddings(x[:, None, :], clips, recipe, tuple(files), pd.DataFrame())


def relabelled(found, **columns):
    return replace(found, clips=found.clips.assign(**columns))


def answers(result):
    return {answer.name: answer.evaluation for answer in result.answers}


def told(result):
    """All that is said of each clip, one row a clip."""
    said = [one.evaluation.predicted[:, None] for one in result.answers]
    return np.concatenate([*said, result.nearest[:, None], result.probabilities], axis=1)


def plain(found, scaling):
    """The same, one speaker after the other, by other libraries."""
    x, voices = found.layer(0).astype(float), found.clips["speaker"].to_numpy(str)
    names = {"sad": 2, "angry": 1, "happy": 0, "wistful": 3}
    y = np.array([names[word] for word in found.clips["emotion"]])
    out = np.full((len(y), 3 + 1 + 4), np.nan)
    for voice in np.unique(voices):
        train, test = np.flatnonzero(voices != voice), np.flatnonzero(voices == voice)
        scaler = StandardScaler(with_std=scaling == "standard").fit(x[train])
        z, asked = scaler.transform(x[train]), scaler.transform(x[test])
        means = np.array([z[y[train] == k].mean(axis=0) for k in range(4)])
        residuals = z - means[y[train]]
        covariance = LedoitWolf(assume_centered=True).fit(residuals).covariance_ * len(z) / (len(z) - 4)
        distances = cdist(asked, means, "mahalanobis", VI=np.linalg.inv(covariance))
        around = y[train][NearestNeighbors(n_neighbors=10).fit(z).kneighbors(asked)[1]]
        shares = recogniser(x[train], y[train], voices[train]).probabilities(x[test])  # itself tested in test_svm.py
        out[test] = np.column_stack(
            [distances.argmin(axis=1), [winner(row) for row in around], shares.argmax(axis=1), distances.min(1), shares]
        )
    return out


def winner(members):
    """The most frequent; of those that tie, the one met first."""
    counts = {}
    for one in members:
        counts[one] = counts.get(one, 0) + 1
    return max(counts, key=lambda one: counts[one])


@pytest.mark.parametrize("scaling", ["standard", "centre"])
def test_every_number_against_other_libraries(cache, scaling):
    found = fake()
    result = unseen.check(found, layer=0, scaling=scaling, cache=cache)
    expected, ours = plain(found, scaling), told(result)
    assert (ours[:, :3] == expected[:, :3]).all()
    np.testing.assert_allclose(ours[:, 3], expected[:, 3], rtol=1e-9)
    np.testing.assert_allclose(ours[:, 4:], expected[:, 4:], atol=1e-12)
    assert result.names == NAMES
    assert [answer.name for answer in result.answers] == ["mahalanobis", "neighbours", "svm"]
    assert all(0.4 < answer.evaluation.uar < 1 for answer in result.answers)


def test_probabilities_are_those_of_a_recogniser_of_the_other_speakers(cache):
    found = fake()
    result = unseen.check(found, **HOW, cache=cache)
    truth, voices, x = result.answers[0].evaluation.truth, found.clips["speaker"].to_numpy(str), found.layer(0)
    for voice in np.unique(voices):
        others = voices != voice
        learnt = recogniser(x[others], truth[others], voices[others])
        np.testing.assert_allclose(result.probabilities[~others], learnt.probabilities(x[~others]), atol=1e-12)
    everybody = recogniser(x, truth, voices)
    np.testing.assert_allclose(result.recogniser.probabilities(x), everybody.probabilities(x), atol=1e-12)


def test_scores_of_probabilities_and_of_rarity(cache):
    result = unseen.check(fake(), **HOW, cache=cache)
    truth = result.answers[0].evaluation.truth
    expected = brier_score_loss(truth, result.probabilities, scale_by_half=False, labels=range(4))
    assert result.brier == pytest.approx(expected, abs=1e-12)
    top, right = result.probabilities.max(axis=1), result.probabilities.argmax(axis=1) == truth
    bins = np.argsort(top, kind="stable").reshape(10, 8)
    off = [abs(top[one].mean() - right[one].mean()) for one in bins]
    assert result.calibration_error == pytest.approx(np.mean(off), abs=1e-12)
    ranked = np.sort(result.nearest)
    assert [result.further(one) for one in (0.0, ranked[20], ranked[-1] + 1)] == [0.0, 0.25, 1.0]
    assert sum(result.further(one) > unseen.OUTLYING for one in result.nearest) == 0  # of 80 clips none can be
    assert result.further(np.nan) == 0


def test_nothing_of_a_speaker_is_used_for_that_speaker(cache):
    """Labels of a speaker may be anything, and another clip of theirs too: what is said of their clips stays."""
    found = fake()
    mine = (found.clips["speaker"] == "s2").to_numpy()
    before = told(unseen.check(found, **HOW, cache=cache))
    words = found.clips["emotion"].to_numpy(copy=True)
    words[mine] = np.roll(words[mine], 1)
    after = told(unseen.check(relabelled(found, emotion=words), **HOW, cache=cache))
    assert (after[mine] == before[mine]).all()
    assert (after[~mine] != before[~mine]).any(axis=1).all()
    vectors = found.vectors.copy()
    first = np.flatnonzero(mine)[0]
    vectors[first] = 50
    moved = replace(found, vectors=vectors, digests=("other", *found.digests[1:]))
    after = told(unseen.check(moved, **HOW, cache=cache))
    rest = np.setdiff1d(np.flatnonzero(mine), first)
    np.testing.assert_allclose(after[rest], before[rest], atol=1e-12)
    assert (after[~mine] != before[~mine]).any(axis=1).all()


def test_planted_clips_of_the_test_speaker_change_the_result_and_are_reported(cache, monkeypatch):
    found = fake(shift=0.3)
    honest = unseen.check(found, **HOW, cache=cache)
    assert all(one.speaker_independent for one in answers(honest).values())

    def leaking(clips):
        return [Fold(np.arange(len(clips)), fold.test) for fold in by_speaker(clips)]

    by_speaker = splits.by_speaker
    monkeypatch.setattr(splits, "by_speaker", leaking)
    monkeypatch.setattr(unseen, "_apart", lambda fold, _: fold)
    planted = unseen.check(replace(found, digests=tuple("x" + one for one in found.digests)), **HOW, cache=cache)
    assert not any(one.speaker_independent for one in answers(planted).values())
    assert planted.nearest.mean() < honest.nearest.mean() - 0.1
    for name, one in answers(planted).items():
        assert one.uar > answers(honest)[name].uar + 0.05, name
    assert planted.brier < honest.brier - 0.03


def test_a_recording_that_another_corpus_has_too_teaches_nothing_about_itself(cache):
    """A clip kept in a corpus of one's own has another speaker's name there, and is the same recording."""
    found = fake(shift=0.3)
    before = told(unseen.check(found, **HOW, cache=cache))
    mine = np.flatnonzero(found.clips["speaker"] == "s2")
    own = take(found, mine)
    own = relabelled(own, corpus="own", speaker="me")
    both = unseen.check(join([found, own]), **HOW, cache=cache)
    assert all(one.speaker_independent for one in answers(both).values())
    after = told(both)
    np.testing.assert_allclose(after[mine], before[mine], atol=1e-12)
    np.testing.assert_allclose(after[len(before) :], before[mine], atol=1e-12)


def test_shuffled_labels_stay_at_chance(cache):
    found = fake(10, 40, shift=3.0)
    assert all(one.uar > 0.7 for one in answers(unseen.check(found, **HOW, cache=cache)).values())
    words = np.random.default_rng(2).permutation(found.clips["emotion"].to_numpy())
    shuffled = unseen.check(relabelled(found, emotion=words), **HOW, cache=cache)
    for name, one in answers(shuffled).items():
        low, high = one.interval(evaluation.uar)
        assert low <= 0.25 <= high, name
        assert one.uar == pytest.approx(0.25, abs=0.08), name
    assert shuffled.brier == pytest.approx(0.75, abs=0.03)  # of saying one quarter each
    assert shuffled.calibration_error < 0.1


def test_what_was_checked_is_kept_and_comes_back(cache):
    found, steps = fake(), []
    assert unseen.kept(found, **HOW, cache=cache) is None
    made = unseen.check(found, **HOW, cache=cache, progress=lambda *step: steps.append(step))
    assert steps == [(done, 6) for done in range(1, 7)]
    again = unseen.check(found, **HOW, cache=cache, progress=lambda *_: pytest.fail("it is kept"))
    for other in (again, unseen.kept(found, **HOW, cache=cache)):
        assert (told(other) == told(made)).all()
        assert other.rows.tolist() == made.rows.tolist()
        x = found.layer(0)
        assert (other.recogniser.probabilities(x) == made.recogniser.probabilities(x)).all()
        assert other.answers[0].evaluation.folds.equals(made.answers[0].evaluation.folds)
    words = found.clips["emotion"].tolist()
    for changed in (
        relabelled(found, emotion=[words[1], *words[1:]]),
        relabelled(found, speaker=["s1", *found.clips["speaker"][1:]]),
        replace(found, digests=("other", *found.digests[1:])),
    ):
        assert unseen.kept(changed, **HOW, cache=cache) is None
    assert unseen.kept(found, layer=0, scaling="centre", cache=cache) is None
    assert unseen.kept(found, layer=1, scaling="standard", cache=cache) is None


def test_a_stop_keeps_nothing(cache):
    def stop(done, _):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unseen.check(fake(), **HOW, cache=cache, progress=stop)
    assert unseen.kept(fake(), **HOW, cache=cache) is None


def test_clips_of_unknown_emotion_or_speaker_are_not_checked(cache):
    found = fake()
    words, voices = found.clips["emotion"].to_numpy(copy=True), found.clips["speaker"].to_numpy(copy=True)
    words[[0, 20]] = "unknown"
    voices[[20, 33]] = "unknown"
    result = unseen.check(relabelled(found, emotion=words, speaker=voices), **HOW, cache=cache)
    rows = np.setdiff1d(np.arange(80), [0, 20, 33])
    assert result.rows.tolist() == rows.tolist()
    np.testing.assert_allclose(told(result), told(unseen.check(take(found, rows), **HOW, cache=cache)), atol=1e-12)
    taught = np.setdiff1d(np.arange(80), [0, 20])  # nobody's clip teaches those that are placed
    names = {"sad": 2, "angry": 1, "happy": 0, "wistful": 3}
    y = np.array([names[word] for word in words[taught]])
    expected = recogniser(found.layer(0)[taught], y, voices[taught]).probabilities(found.layer(0))
    np.testing.assert_allclose(result.recogniser.probabilities(found.layer(0)), expected, atol=1e-12)


def test_an_emotion_of_one_speaker_alone_is_never_said_of_that_speaker(cache):
    found = fake()
    words = found.clips["emotion"].where((found.clips["emotion"] != "angry") | (found.clips["speaker"] == "s3"), "sad")
    result = unseen.check(relabelled(found, emotion=words), **HOW, cache=cache)
    theirs = (found.clips["speaker"] == "s3").to_numpy()
    assert (result.probabilities[theirs, 1] == 0).all()
    assert (result.probabilities[~theirs, 1] > 0).all()
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, atol=1e-12)
    for one in answers(result).values():
        assert not (one.predicted[theirs] == 1).any()
        assert one.confusion[1, 1] == 0


def test_the_order_of_clips_does_not_matter(cache):
    found = fake()
    order = np.random.default_rng(7).permutation(80)
    before, after = (unseen.check(one, **HOW, cache=cache) for one in (found, take(found, order)))
    np.testing.assert_allclose(told(after)[:, :4], told(before)[order, :4], atol=1e-9)
    np.testing.assert_allclose(after.probabilities, before.probabilities[order], atol=0.01)  # libsvm stops at 0.001


def test_more_dimensions_than_clips(cache):
    found = fake(3, 8, dim=150)
    result = unseen.check(found, **HOW, cache=cache)
    np.testing.assert_allclose(told(result)[:, :4], plain(found, "standard")[:, :4], rtol=1e-9)


REFUSED = {
    "80 of 80 clips have a known emotion, 1 different": {"emotion": "sad"},
    "two or more; 1 of the clips' speakers are known": {"speaker": "s0"},
    "two or more; 0 of the clips' speakers are known": {"speaker": "unknown"},
    "without the speaker s0 only anger is left": {"emotion": ["sad"] * 16 + ["angry"] * 64},
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_checked(cache, said):
    found = relabelled(fake(), **REFUSED[said])
    assert said in unseen.refusal(found)
    with pytest.raises(AnalysisError, match=said):
        unseen.check(found, **HOW, cache=cache)
    assert unseen.kept(found, **HOW, cache=cache) is None
    assert unseen.refusal(fake()) is None


def test_too_few_clips_without_a_speaker(cache):
    few = take(fake(), np.array([0, 1, 16, 17, 18, 19]))
    with pytest.raises(AnalysisError, match=r"without the speaker s0: 4 clips with 6 values each: this .* needs 6"):
        unseen.check(few, **HOW, cache=cache)


def test_quick_and_the_job():
    assert unseen.quick(fake(10, 52, dim=88))
    assert not unseen.quick(fake(24, 60, dim=88))
    assert not unseen.quick(fake(10, 52, dim=6000))
    job = unseen.job(["a", "b"], "5eed", layer=-1, scaling="centre")
    assert job[:5] == ["place", "--corpus", "a,b", "--encoder", "5eed"]
    assert job[5:] == ["--layer", "-1", "--scaling", "centre", "--check"]
    assert analyses.recipe(fake(), "unseen", {})["n_clips"] == 80
