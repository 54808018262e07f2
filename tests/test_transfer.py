"""What is learnt from one corpus and tried on others: planted emotions, nothing learnt from what is tested."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import two_corpora
from scipy.linalg import fractional_matrix_power
from sklearn.metrics import balanced_accuracy_score

from ser_core import splits, transfer, transferring
from ser_core.cache import Cache
from ser_core.geometry import rotation
from ser_core.models import plane
from ser_core.splits import SplitError
from ser_core.transfer import FOUR, TAUGHT, UNSEEN, Question, Transfer
from ser_core.transferring import TransferError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("transfer")


@pytest.fixture(scope="module")
def cache(folder) -> Cache:
    return two_corpora.make(folder)


@pytest.fixture(scope="module")
def found(cache) -> Transfer:
    parts = [two_corpora.opened(cache, name) for name in ("first", "second")]
    return transferring.transfer(parts[0], parts[1:], Question(), cache=cache)


def mine(n_speakers: int = 4, *, seed: int = 5, name: str = "mine", emotions: tuple[str, ...] = FOUR):
    table = two_corpora.clips(n_speakers, emotions)
    return two_corpora.invented(table, two_corpora.planted(table, seed=seed), name=name)


def test_every_clip_is_validated_once_and_no_speaker_is_on_both_sides(found):
    assert found.n_folds == 6
    assert found.speaker_independent
    assert (~found.taught).sum(axis=0).tolist() == [1] * 96
    speakers = found.own.speakers
    for taught in found.taught:
        assert not set(speakers[taught]) & set(speakers[~taught])


def test_what_is_planted_is_told(found):
    assert found.chance == 0.25
    for method in plane.METHODS:
        assert found.score(UNSEEN, method).folds.value > 0.6
        assert found.score("second", method, "standardise").folds.value > 0.5
    assert (
        found.score("second", "features", "none").folds.value < found.score("second", "features", "coral").folds.value
    )


def test_a_score_is_the_mean_recall_of_the_emotions(found):
    for where, adaptation in found.tried():
        landed, number = found.landed(where), transfer.ADAPTATIONS.index(adaptation)
        said = landed.predicted[plane.METHODS.index("dae"), number]
        pairs = [(landed.truth[on], one[on]) for one, on in zip(said, found.among(where), strict=True)]
        each = [balanced_accuracy_score(*pair) for pair in pairs]
        score = found.score(where, "dae", adaptation)
        assert score.folds.value == pytest.approx(np.mean(each), abs=1e-12)
        assert score.folds.low < score.folds.value < score.folds.high
        pooled = balanced_accuracy_score(*map(np.concatenate, zip(*pairs, strict=True)))
        assert score.speakers.value == pytest.approx(pooled if where == UNSEEN else np.mean(each), abs=1e-12)
        assert score.speakers.low <= score.speakers.value <= score.speakers.high
        assert found.confusions(where, "dae", adaptation).sum() == found.among(where).sum()


def test_intervals_over_speakers_draw_whole_speakers(found):
    landed, on = found.landed("second"), found.among("second")
    said = landed.predicted[plane.METHODS.index("pca"), 1].astype(int)
    random, drawn = np.random.default_rng(7), []
    names = sorted(set(landed.speakers))
    for _ in range(1500):
        rows = np.concatenate([np.flatnonzero(landed.speakers == one) for one in random.choice(names, len(names))])
        folds = [np.mean([(one[rows][landed.truth[rows] == k] == k).mean() for k in range(4)]) for one in said[:, :]]
        drawn.append(np.mean(folds))
    score = found.score("second", "pca", "standardise")
    assert on.all()
    assert (score.speakers.low, score.speakers.high) == pytest.approx(
        tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.02
    )


def test_nothing_is_learnt_from_what_is_validated(cache, found, tmp_path):
    own = two_corpora.opened(cache, "first")
    fold = 2
    hidden = ~found.taught[fold]
    x = own.vectors.copy()
    x[hidden] = x[hidden] * -3 + 1
    changed = replace(own, vectors=x, digests=tuple("0" + one[1:] for one in own.digests))
    again = transferring.transfer(changed, [], Question(), cache=Cache(tmp_path))
    for method in plane.METHODS:
        before, after = (one.learners[method][fold].arrays() for one in (found, again))
        assert all(np.array_equal(before[name], after[name]) for name in before)
    other = (fold + 1) % 6
    before, after = (one.learners["pca"][other].arrays() for one in (found, again))
    assert not np.array_equal(before["scale.centre"], after["scale.centre"])


def test_labels_of_another_corpus_are_not_used_to_bring_it_nearer(cache, found, tmp_path):
    parts = [two_corpora.opened(cache, name) for name in ("first", "second")]
    words = parts[1].clips["emotion"].to_numpy()
    shuffled = replace(parts[1], clips=parts[1].clips.assign(emotion=np.random.default_rng(0).permutation(words)))
    again = transferring.transfer(parts[0], [shuffled], Question(), cache=Cache(tmp_path))
    assert np.array_equal(again.others[0].predicted, found.others[0].predicted)
    assert again.score("second", "features", "coral").folds.value < 0.45


def test_ways_of_bringing_a_corpus_nearer(found):
    fold, x = 1, found.others[0].vectors.astype(np.float64)
    taught = found.own.vectors[found.taught[fold]].astype(np.float64)
    plain, own, coral = (
        transferring.standardised(found, "second", fold, adaptation=one) for one in transfer.ADAPTATIONS
    )
    centre, spread = taught.mean(axis=0), taught.std(axis=0)
    assert plain == pytest.approx(np.clip((x - centre) / spread, -10, 10), abs=1e-5)
    theirs = (x - x.mean(axis=0)) / x.std(axis=0)
    assert own == pytest.approx(theirs, abs=1e-5)
    covariances = [np.cov(one.T, bias=True) + np.eye(88) for one in (theirs, (taught - centre) / spread)]
    brought = theirs @ fractional_matrix_power(covariances[0], -0.5) @ fractional_matrix_power(covariances[1], 0.5)
    assert coral == pytest.approx(brought.real, abs=1e-4)


def test_outliers_are_left_out_and_counted(tmp_path):
    own, other = mine(10), mine(10, seed=6, name="theirs")
    x, there = own.vectors.copy(), other.vectors.copy()
    x[0, 0, 3], there[5, 0, 4] = 1e5, -1e5
    parts = replace(own, vectors=x), replace(other, vectors=there)
    found = transferring.transfer(parts[0], parts[1:], Question(), cache=Cache(tmp_path))
    assert found.own.removed[:, 0].all()
    assert found.own.removed.sum() == 10
    assert np.flatnonzero(found.others[0].removed[0]).tolist() == [5]
    assert np.isnan(found.planes(TAUGHT, "dae")[:, 0]).all()
    assert found.score("theirs", "dae").n_removed == 1
    assert found.score(UNSEEN, "dae").n_removed == pytest.approx(0.1)
    assert found.score(UNSEEN, "dae").n_clips == pytest.approx(15.9)


def test_constant_values_tell_nothing_and_are_counted(tmp_path):
    own, other = mine(), mine(seed=6, name="theirs")
    x = own.vectors.copy()
    x[:, 0, :3] = 1.0
    found = transferring.transfer(replace(own, vectors=x), [other], Question(), cache=Cache(tmp_path))
    assert found.n_constant.tolist() == [3] * 4
    for adaptation in transfer.ADAPTATIONS:
        z = transferring.standardised(found, "theirs", 0, adaptation=adaptation)
        assert np.isfinite(z).all()
    assert not transferring.standardised(found, "theirs", 0, adaptation="standardise")[:, :3].any()


def test_nothing_is_computed_twice(cache, found, monkeypatch):
    parts = [two_corpora.opened(cache, name) for name in ("first", "second")]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("learnt again")

    monkeypatch.setattr(plane, "fit", never)
    again = transferring.kept(parts[0], parts[1:], Question(), cache=cache)
    assert np.array_equal(again.others[0].latents, found.others[0].latents, equal_nan=True)
    alone = transferring.transfer(parts[0], [], Question(), cache=cache)
    assert alone.others == ()
    third = mine(seed=9, name="third")
    more = transferring.transfer(parts[0], [parts[1], third], Question(), cache=cache)
    assert [one.name for one in more.others] == ["second", "third"]
    assert transferring.kept(parts[0], [], Question(seed=1), cache=cache) is None


def test_speakers_that_are_shared_are_said(tmp_path):
    found = transferring.transfer(mine(), [], Question(shared=True), cache=Cache(tmp_path))
    assert found.n_folds == 10
    assert not found.speaker_independent
    assert found.folds["shared"].map(len).min() > 0


def test_recordings_that_were_learnt_from_are_counted(tmp_path):
    own = mine()
    twin = replace(own, clips=own.clips.assign(corpus="twin"))
    found = transferring.transfer(own, [twin], Question(), cache=Cache(tmp_path))
    assert found.n_known("twin") == 64
    assert found.n_known(UNSEEN) == 0


def test_what_the_numbers_follow(found):
    for method in plane.PLANES:
        goes = found.follows(UNSEEN, method)
        assert goes["arousal"][0].value > 0.5
        assert goes["arousal"][0].low > 0
        assert goes["arousal"][0].low < goes["arousal"][0].value < goes["arousal"][0].high
    readings = transfer.once(found.planes(UNSEEN, "pca"))
    from ser_core.geometry import targets

    goal = targets.known(found.own.clips)[:, 1]
    by_hand = np.corrcoef(readings[:, 0], goal)[0, 1]
    assert found.follows(UNSEEN, "pca")["arousal"][0].value == pytest.approx(by_hand, abs=1e-9)


def test_a_turned_corpus_is_turned_back(found):
    turns = found.turns("second", "pca", "standardise")
    assert len(turns) == 6
    straight = found.score("second", "pca", "standardise").folds.value
    landed, folds = (
        found.landed("second"),
        zip(
            found.planes("second", "pca", "standardise"),
            found.centres(TAUGHT, "pca"),
            found.learners["pca"],
            strict=True,
        ),
    )
    each = []
    for points, goal, learner in folds:
        moved = rotation.undone(points, landed.truth, landed.speakers, goal=goal, turned=True)
        each.append(balanced_accuracy_score(landed.truth, learner.predicted(moved)))
    value = found.undone("second", "pca", "standardise", turned=True).value
    assert value == pytest.approx(np.mean(each), abs=1e-12)
    assert value > straight - 0.1
    angle = np.radians(70)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    other = found.others[0]
    latents = other.latents.copy()
    latents[2, 1] = latents[2, 1] @ matrix
    spoilt = replace(found, others=(replace(other, latents=latents),))
    degrees = [
        one.degrees - before.degrees
        for one, before in zip(spoilt.turns("second", "pca", "standardise"), turns, strict=True)
    ]
    assert np.mod(degrees, 360) == pytest.approx(360 - 70, abs=1e-3)
    brought = (one.undone("second", "pca", "standardise", turned=True).value for one in (found, spoilt))
    assert next(brought) == pytest.approx(next(brought), abs=1e-9)


def test_one_speaker_is_tried_without_an_interval_over_speakers(cache, tmp_path):
    own, alone = two_corpora.opened(cache, "first"), mine(1, name="alone")
    found = transferring.transfer(own, [alone], Question(), cache=Cache(tmp_path))
    score = found.score("alone", "dae", "standardise")
    assert np.isfinite([score.folds.value, score.folds.low]).all()
    assert np.isnan([score.speakers.low, score.speakers.high]).all()
    assert np.isnan(found.undone("alone", "dae", "standardise", turned=True).value)
    assert np.isnan(found.follows("alone", "dae", "standardise")["arousal"][0].low)


def test_errors_say_what_is_missing(tmp_path):
    kept = Cache(tmp_path)
    with pytest.raises(TransferError, match="mine: unseen speakers need two speakers or more; found 01"):
        transferring.transfer(mine(1), [], Question(), cache=kept)
    with pytest.raises(TransferError, match="mine has no clip of anger"):
        transferring.transfer(mine(emotions=FOUR[:3]), [], Question(), cache=kept)
    theirs = mine(name="theirs")
    disgusted = replace(theirs, clips=theirs.clips.assign(emotion="disgust"))
    with pytest.raises(TransferError, match="theirs has no clip of neutral, sadness, happiness or anger"):
        transferring.transfer(mine(), [disgusted], Question(), cache=kept)
    with pytest.raises(TransferError, match="two or more, got neutral"):
        transferring.transfer(mine(), [], Question(emotions=("neutral",)), cache=kept)
    with pytest.raises(TransferError, match="tried on other corpora, each once: got mine, mine"):
        transferring.transfer(mine(), [mine()], Question(), cache=kept)
    one = mine(3)
    words = one.clips["emotion"].where((one.clips["emotion"] != "anger") | (one.clips["speaker"] == "02"), "fear")
    only = replace(one, clips=one.clips.assign(emotion=words))
    with pytest.raises(TransferError, match="training part of fold 2 of 3 has no clip of anger"):
        transferring.transfer(only, [], Question(), cache=kept)
    assert transferring.kept(only, [], Question(), cache=kept) is None
    assert not list(tmp_path.glob("maps/*"))


def test_clips_go_by_common_names_and_known_speakers(tmp_path):
    own = mine()
    words = {"neutral": "neutral", "sadness": "sad", "happiness": "happy", "anger": "angry"}
    renamed = own.clips.assign(emotion=own.clips["emotion"].map(words))
    renamed.loc[0, "speaker"] = "unknown"
    found = transferring.transfer(replace(own, clips=renamed), [], Question(), cache=Cache(tmp_path))
    assert len(found.own.clips) == 63
    assert set(found.own.clips["emotion"]) == set(FOUR)


def test_progress_is_told_and_the_command_names_the_job(cache):
    seen = []
    parts = [two_corpora.opened(cache, name) for name in ("first", "second")]
    question = Question(emotions=("neutral", "anger"))
    transferring.transfer(parts[0], parts[1:], question, cache=cache, progress=lambda *step: seen.append(step))
    assert seen == [(number, 7) for number in range(1, 8)]
    said = transferring.arguments("first", ["second"], "egemaps", question=question, triads=True)
    assert said == [
        *("transfer", "first", "second", "--encoder", "egemaps", "--emotions", "neutral,anger", "--layer", "-1"),
        *("--seed", "0", "--triads"),
    ]
    assert transferring.arguments("first", [], "egemaps", question=Question(shared=True))[-1] == "--shared"


def test_thousands_of_values_are_brought_nearer_too(tmp_path):
    table, random = two_corpora.clips(3), np.random.default_rng(0)
    own, other = (
        two_corpora.invented(table, random.normal(size=(48, 700)).astype(np.float32), name=name, encoder="wide")
        for name in ("own", "other")
    )
    found = transferring.transfer(own, [other], Question(), cache=Cache(tmp_path))
    z = transferring.standardised(found, "other", 0, adaptation="standardise")
    taught = transferring.standardised(found, TAUGHT, 0, adaptation="none")[found.taught[0]]
    covariances = [np.cov(one.T, bias=True) + np.eye(700) for one in (z, taught)]
    brought = z @ fractional_matrix_power(covariances[0], -0.5) @ fractional_matrix_power(covariances[1], 0.5)
    assert transferring.standardised(found, "other", 0, adaptation="coral") == pytest.approx(brought.real, abs=1e-6)
    assert sum(file.stat().st_size for file in tmp_path.glob("maps/*.npz")) < 20e6


def test_densities_are_those_of_scipy():
    random = np.random.default_rng(0)
    points = np.append(random.normal(size=40), np.nan)
    at = np.linspace(-3, 3, 7)
    found = transfer.margins(points, ["a"] * 20 + ["b"] * 19 + ["c", "a"], at)
    from scipy.stats import norm

    own = points[:20]
    width = own.std(ddof=1) * 20 ** (-1 / 5)
    assert found["a"] == pytest.approx(norm.pdf(at[:, None], own, width).mean(axis=1), abs=1e-12)
    assert set(found) == {"a", "b"}


def test_tenths_of_speakers_and_of_clips():
    table = two_corpora.clips(24).rename(columns={"file_name": "file"})
    apart = splits.tenths(table, shared=False, seed=0)
    assert len(apart) == 10
    assert np.concatenate([fold.test for fold in apart]).tolist() == sorted(np.concatenate([f.test for f in apart]))
    for fold in apart:
        assert not set(table["speaker"].iloc[fold.train]) & set(table["speaker"].iloc[fold.test])
    mixed = splits.tenths(table, shared=True, seed=0)
    counts = pd.concat([table["emotion"].iloc[fold.test].value_counts() for fold in mixed], axis=1)
    assert counts.to_numpy().min() >= 9
    few = table.groupby("emotion").head(3)
    assert len(splits.tenths(few.reset_index(drop=True), shared=True, seed=0)) == 3
    with pytest.raises(SplitError, match="found one of"):
        splits.tenths(table.groupby("emotion").head(1).reset_index(drop=True), shared=True, seed=0)
