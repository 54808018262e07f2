"""What latents carry, told of an autoencoder's run: against scikit-learn and counts by hand; moving an emotion."""

import numpy as np
import pandas as pd
import pytest
import voices
from scipy.stats import f_oneway, norm
from sklearn.metrics import mutual_info_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser_core import catalogue, experiments, latents, splits
from ser_core.cache import Cache
from ser_core.experiments import Plan
from ser_core.geometry import disentanglement
from ser_core.latents import LatentsError


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    return voices.make(tmp_path_factory.mktemp("latents"))


@pytest.fixture(scope="module")
def run(cache):
    return voices.trained(cache, voices.ALL)[0]


@pytest.fixture(scope="module")
def clips(cache) -> pd.DataFrame:
    return catalogue.get(cache, "voices").clips()


@pytest.fixture(scope="module")
def found(cache, run, clips):
    return latents.carried(run, clips, cache=cache, seed=0)


def merged(run, clips) -> pd.DataFrame:
    return run.latents.merge(clips[["file", "emotion", "gender", "statement"]], on="file")


def test_factors_are_what_the_corpus_knows(found):
    assert (found.factors, found.n_clips) == (("emotion", "statement", "speaker", "gender"), 48)


def test_divergence_is_that_of_normal_distributions(run, found):
    table = run.latents
    grid = np.linspace(-12, 12, 40_001)
    clip = table.iloc[5]
    for k in (0, 7):
        own = norm(clip[f"mean_{k}"], clip[f"sd_{k}"])
        by_hand = np.trapezoid(own.pdf(grid) * (own.logpdf(grid) - norm.logpdf(grid)), grid)
        assert latents.divergence(table)[5, k] == pytest.approx(by_hand, abs=1e-4)
    assert found.divergence == pytest.approx(latents.divergence(table).mean(axis=0))


def test_information_is_that_of_scikit_learn(run, clips, found):
    table = merged(run, clips)
    for k in (1, 6):
        values = table[f"mean_{k}"].to_numpy()
        bins = np.minimum(((values - values.min()) / (np.ptp(values) / 20)).astype(int), 19)
        assert found.information.mutual[k, 0] == pytest.approx(mutual_info_score(table["emotion"], bins), abs=1e-9)


def test_emotions_are_told_on_speakers_not_learnt_from(run, clips, found):
    table = merged(run, clips)
    x = table[[f"mean_{k}" for k in range(8)]].to_numpy(np.float32)
    told = np.empty(len(table), object)
    for speaker in table["speaker"].unique():
        test = (table["speaker"] == speaker).to_numpy()
        told[test] = make_pipeline(StandardScaler(), SVC()).fit(x[~test], table["emotion"][~test]).predict(x[test])
    assert found.emotions.uar == pytest.approx(recall_score(table["emotion"], told, average="macro"), abs=1e-9)
    assert found.emotions.speaker_independent
    assert len(splits.folds(table, "speaker", seed=0, shares=(0.0, 0.3))) == 4


def test_it_is_computed_once_and_kept(cache, run, clips, found, monkeypatch):
    def never(*_, **__):
        pytest.fail("computed again")

    monkeypatch.setattr(disentanglement, "importance", never)
    again = latents.kept(run, clips, cache=cache, seed=0)
    assert np.array_equal(again.information.mutual, found.information.mutual)
    assert again.emotions.uar == found.emotions.uar
    other = clips.assign(gender=["female", "male"] * 24 + ["male"])
    assert latents.kept(run, other, cache=cache, seed=0) is None


def test_what_has_one_value_or_is_not_known_is_left_out(cache, run, clips):
    alone = latents.carried(run, clips.assign(statement="abc", gender=None), cache=cache, seed=0)
    assert alone.factors == ("emotion", "speaker")
    rare = clips.assign(statement=["once", *clips["statement"][1:]])
    assert latents.carried(run, rare, cache=cache, seed=0).factors == ("emotion", "speaker", "gender")
    with pytest.raises(LatentsError, match="no emotion, intensity, statement, speaker or gender is known"):
        latents.carried(run, clips[["file"]], cache=cache, seed=0)


def test_emotions_may_be_named_anew_after_the_training(cache, run, clips):
    other = clips.assign(emotion=clips["emotion"].replace("anger", "rage"))
    found = latents.carried(run, other, cache=cache, seed=0)
    assert found.emotions.classes == ("happiness", "sadness", "rage")
    assert set(found.emotions.truth) == {0, 1, 2}


def test_columns_of_the_corpus_are_no_latents(run):
    table = run.latents.assign(mean_f0="high", sd_f0=1.0)
    means, deviations = latents.parameters(table)
    assert means.shape == deviations.shape == (48, 8)


def test_other_latents_of_the_same_recipe_are_not_taken_for_those_kept(cache, run, clips, found, monkeypatch):
    moved = run.latents.assign(mean_0=run.latents["mean_0"] + 1)
    monkeypatch.setitem(run.__dict__, "latents", moved)
    assert latents.kept(run, clips, cache=cache, seed=0) is None


def test_unknown_speakers_are_not_one_voice(run):
    table = run.latents.assign(speaker="unknown")
    assert latents.moved(table, 0, 2)[1] is None


def test_a_recogniser_has_no_latents(cache, clips):
    svm = experiments.train(Plan("svm", "voices", encoder="logmel", split="random"), cache=cache)
    with pytest.raises(LatentsError, match="no variational autoencoder"):
        latents.carried(svm, clips, cache=cache, seed=0)


def test_a_voice_is_moved_by_the_difference_of_means(run):
    table, means = run.latents, latents.parameters(run.latents)[0]
    row = int(np.flatnonzero((table["speaker"] == "ben") & (table["truth"] == 0))[1])
    ben = (table["speaker"] == "ben").to_numpy()
    mean = [means[ben & (table["truth"] == k).to_numpy()].mean(axis=0) for k in (0, 2)]
    values, whose = latents.moved(table, row, 2)
    assert whose == "ben"
    assert values == pytest.approx(means[row] - mean[0] + mean[1])
    same, _ = latents.moved(table, row, 0)
    assert same == pytest.approx(means[row])
    rest = table[~(ben & (table["truth"] == 2))].reset_index(drop=True)
    at = int(np.flatnonzero(rest["file"] == table["file"].iloc[row])[0])
    found = latents.parameters(rest)[0]
    everybody = [found[(rest["truth"] == k).to_numpy()].mean(axis=0) for k in (0, 2)]
    values, whose = latents.moved(rest, at, 2)
    assert whose is None
    assert values == pytest.approx(means[row] - everybody[0] + everybody[1])
    with pytest.raises(LatentsError, match="no clip of this corpus has that emotion"):
        latents.moved(rest, at, 9)


def test_the_share_between_groups_is_that_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(60, 3)), np.repeat(["a", "b", "c"], 20)
    x[:, 1] += np.repeat([0, 1, 2], 20)
    x[:, 2] = 4.0
    f = [f_oneway(*(x[labels == one, k] for one in "abc")).statistic for k in (0, 1)]
    by_hand = [2 * one / (2 * one + 57) for one in f]
    found = disentanglement.explained(x, labels.tolist())
    assert found[:2] == pytest.approx(by_hand)
    assert found[2] == 0
