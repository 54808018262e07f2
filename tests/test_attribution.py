"""What each value adds to two numbers: against closed forms, and by what is planted."""

from dataclasses import replace

import numpy as np
import pytest
import two_corpora

from ser_core import attribution, transferring
from ser_core.attribution import AttributionError
from ser_core.cache import Cache
from ser_core.transfer import FOUR, UNSEEN, Question, Transfer


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Transfer:
    folder = tmp_path_factory.mktemp("attribution")
    cache = two_corpora.make(folder)
    parts = [two_corpora.opened(cache, name) for name in ("first", "second")]
    return transferring.transfer(parts[0], parts[1:], Question(), cache=cache)


@pytest.mark.parametrize("method", ["uae", "dae"])
@pytest.mark.parametrize(("where", "adaptation"), [(UNSEEN, "none"), ("second", "standardise"), ("second", "coral")])
def test_shares_add_up_to_the_difference(found, method, where, adaptation):
    shares = attribution.attribute(found, where, method, adaptation=adaptation)
    assert shares.shares.shape == (len(shares.rows), 88, 2)
    assert shares.shares.sum(axis=1) == pytest.approx(shares.difference, abs=1e-4)
    assert np.abs(shares.difference).max() > 1


def test_the_difference_is_from_neutral_clips_told_rightly(found):
    shares = attribution.attribute(found, UNSEEN, "dae", adaptation="none")
    fold = 3
    hidden, right = ~found.taught[fold], found.right(UNSEEN, "dae")[fold]
    z = transferring.standardised(found, UNSEEN, fold, adaptation="none")
    reference = z[right & (found.own.truth == 0)].mean(axis=0)
    reducer = found.learners["dae"][fold].reducer
    rows = np.flatnonzero(hidden & right)
    numbers = reducer.numbers(z[rows]) - reducer.numbers(reference[None])
    own = np.isin(shares.rows, rows)
    assert shares.difference[own] == pytest.approx(numbers, abs=1e-5)
    assert shares.given[own] == pytest.approx(z[rows] - reference, abs=1e-9)


def test_deeplift_is_its_rescale_rule(found):
    fold = 0
    right = found.right(UNSEEN, "uae")[fold]
    z = transferring.standardised(found, UNSEEN, fold, adaptation="none")
    reference = z[right & (found.own.truth == 0)].mean(axis=0)
    reducer = found.learners["uae"][fold].reducer
    first, bias, second = (
        reducer.weights[f"encoder.{name}"].astype(np.float64) for name in ("0.weight", "0.bias", "2.weight")
    )
    rows = np.flatnonzero(right)
    before, start = z[rows] @ first.T + bias, reference @ first.T + bias
    gain = (np.maximum(before, 0) - np.maximum(start, 0)) / (before - start)
    by_hand = np.einsum("nh,hd,lh,nd->ndl", gain, first, second, z[rows] - reference) @ reducer.turn
    shares = attribution.attribute(found, UNSEEN, "uae", adaptation="none")
    assert shares.shares[np.isin(shares.rows, rows)] == pytest.approx(by_hand, abs=1e-6)


def test_what_is_planted_is_named(found):
    shares = attribution.attribute(found, UNSEEN, "dae", adaptation="none")
    size = np.abs(shares.shares[:, :, 0]).mean(axis=0)
    assert set(np.argsort(-size)[:5]) <= set(range(*two_corpora.ROUSED.indices(88)))
    table = attribution.marks(found, shares)
    first = table[(table["number"] == 0) & (table["feature"] == "Loudness")].set_index("emotion")
    assert first.loc["anger", "mean"] > 0.5
    assert first.loc["sadness", "mean"] < 0
    assert first.loc["anger", "mark"] in ("only", "shared")
    assert abs(first.loc["neutral", "mean"]) < 0.2
    loud = np.array([one.feature == "Loudness" for one in attribution.egemaps_words.measures()])
    by_hand = shares.shares[shares.truth == 3][:, loud, 0].sum(axis=1).mean()
    assert first.loc["anger", "mean"] == pytest.approx(by_hand, abs=1e-9)


def test_marks_are_shared_where_another_emotion_has_them(found):
    shares = attribution.attribute(found, UNSEEN, "dae", adaptation="none")
    planted = np.zeros_like(shares.shares)
    features = [one.feature for one in attribution.egemaps_words.measures()]
    pitch, jitter, loud = (features.index(name) for name in ("Pitch", "Jitter", "Loudness"))
    planted[shares.truth == 3, pitch, 0] = planted[shares.truth == 2, pitch, 0] = 0.4
    planted[shares.truth == 3, jitter, 0] = 0.4
    planted[shares.truth == 1, jitter, 0] = -0.4
    planted[shares.truth == 3, loud, 0] = 0.05
    table = attribution.marks(found, replace(shares, shares=planted))
    marked = table[table["mark"] != ""].set_index(["emotion", "feature"])["mark"].to_dict()
    assert marked == {
        ("happiness", "Pitch"): "shared",
        ("anger", "Pitch"): "shared",
        ("anger", "Jitter"): "only",
        ("sadness", "Jitter"): "only",
    }


def test_intervals_of_marks_draw_whole_speakers(found):
    shares = attribution.attribute(found, UNSEEN, "dae", adaptation="none")
    table = attribution.marks(found, shares)
    row = table[(table["number"] == 0) & (table["feature"] == "Loudness") & (table["emotion"] == "anger")].iloc[0]
    own = shares.truth == 3
    values = attribution.added_up(shares.shares)[own][:, attribution.features().index("Loudness"), 0]
    speakers, random, drawn = shares.speakers[own], np.random.default_rng(1), []
    for _ in range(2000):
        names = random.choice(sorted(set(speakers)), len(set(speakers)))
        drawn.append(np.concatenate([values[speakers == name] for name in names]).mean())
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.03)
    assert row["n"] == own.sum()


def test_features_are_the_rows_of_the_table(found):
    assert len(attribution.features()) == 20
    shares = attribution.attribute(found, UNSEEN, "dae", adaptation="none").shares
    assert attribution.added_up(shares).sum(axis=1) == pytest.approx(shares.sum(axis=1), abs=1e-9)


def test_other_ways_agree(found):
    table = attribution.agreement(found, UNSEEN, "dae", adaptation="none", n_clips=6, seed=0)
    assert table["n"].tolist() == [6] * 4
    lowest = table.groupby("way")["lowest"].min()
    assert lowest["gradients"] > 0.999
    assert lowest["shapley"] > 0.8


def test_one_clip_is_explained_however_it_was_told(found):
    wrong = np.flatnonzero(~found.right(UNSEEN, "dae").any(axis=0) & found.among(UNSEEN).any(axis=0))
    row = int(wrong[0]) if len(wrong) else 0
    shares = attribution.attribute(found, UNSEEN, "dae", adaptation="none", only=np.array([row]))
    assert shares.rows.tolist() == [row]


def test_errors_say_what_is_missing(found, tmp_path):
    table = two_corpora.clips(3)
    other = two_corpora.invented(table, two_corpora.planted(table, seed=1), encoder="wav2vec2")
    theirs = transferring.transfer(other, [], Question(), cache=Cache(tmp_path))
    with pytest.raises(AttributionError, match="wav2vec2 have no names"):
        attribution.names(theirs)
    assert len(attribution.names(found)) == 88
    three = transferring.transfer(other, [], Question(emotions=FOUR[1:]), cache=Cache(tmp_path))
    with pytest.raises(AttributionError, match="neutral is not among the emotions"):
        attribution.attribute(three, UNSEEN, "dae", adaptation="none")
    never = replace(found.own, predicted=np.where(found.own.truth == 0, 1, found.own.predicted).astype(np.int8))
    with pytest.raises(AttributionError, match="no neutral clip of the validation parts was told rightly"):
        attribution.attribute(replace(found, own=never), UNSEEN, "dae", adaptation="none")
    with pytest.raises(AttributionError, match="no clip of first can be explained"):
        attribution.attribute(found, UNSEEN, "dae", adaptation="none", only=np.array([], int))
