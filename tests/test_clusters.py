"""The numbers of clouds against computations of their own, on small maps."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from ser_core import clusters
from ser_core.analyses import AnalysisError
from ser_core.embeddings import Embeddings
from ser_core.geometry.density import DensityError
from ser_core.geometry.projection import Projection, Scaler
from ser_core.maps import Map, View

WORDS = {"angry": "anger", "colère": "anger", "sad": "sadness", "happy": "happiness"}
COUNTS = {"angry": 14, "sad": 11, "happy": 9}


def case(
    counts: dict[str, int] = COUNTS, *, d: int = 2, n_speakers: int = 3, n_corpora: int = 1
) -> tuple[Embeddings, Map]:
    random = np.random.default_rng(4)
    labels = [word for word, count in counts.items() for _ in range(count)]
    n = len(labels)
    speaker = np.arange(n) % n_speakers
    places = {word: random.normal(size=d) * 2 for word in counts}
    x = np.array([places[word] for word in labels]) + random.normal(size=(n, d)) @ random.normal(size=(d, d))
    x += 0.7 * speaker[:, None]
    table = pd.DataFrame(
        {
            "file": [f"{number}.wav" for number in range(n)],
            "speaker": [f"s{one}" for one in speaker],
            "emotion": labels,
            "gender": np.array(["female", "male"])[speaker % 2],
            "corpus": [f"c{one % n_corpora}" for one in speaker],
        }
    )
    order = random.permutation(n)
    recipe = {"name": "made", "layers": ["only"], "dim": d}
    vectors = x[order].astype(np.float32)
    found = Embeddings(
        vectors[:, None].copy(),
        table.iloc[order].reset_index(drop=True),
        recipe,
        tuple(f"{number:064d}" for number in range(n)),
        pd.DataFrame(columns=["corpus", "file", "reason"]),
    )
    none = np.zeros((n, 1))
    view = View(0, "pca", d, "centre", 0)
    scaler = Scaler(np.zeros(d), np.ones(d))
    return found, Map(view, Projection(vectors, None), none.astype(np.int32), none.astype(np.float32), None, scaler)


def parts(found: Embeddings, drawn: Map) -> dict[str, NDArray[np.float64]]:
    x = drawn.projection.coordinates.astype(np.float64)
    words = np.array([WORDS.get(word, word) for word in found.clips["emotion"]])
    return {str(word): x[words == word] for word in np.unique(words) if word != "unknown"}


def summary(found: Embeddings, drawn: Map, shape: Any = "full") -> dict[str, Any]:
    out = clusters.summary(clusters.clusters(found, drawn, shape=shape))
    return json.loads(json.dumps(out))  # plain values, and nothing else


def r_squared(x: NDArray[np.float64], *factors: NDArray[np.str_]) -> float:
    design = np.column_stack([np.ones(len(x)), *(words == level for words in factors for level in set(words))])
    residuals = x - design @ np.linalg.lstsq(design, x)[0]
    return float(1 - np.square(residuals).sum() / np.square(x - x.mean(axis=0)).sum())


@pytest.mark.parametrize("d", [2, 3])
def test_clouds_are_means_and_covariances(d: int) -> None:
    found, drawn = case(d=d)
    clouds = summary(found, drawn)["clouds"]
    expected = parts(found, drawn)
    assert [cloud["emotion"] for cloud in clouds] == ["happiness", "anger", "sadness"]  # the order of all pages
    for cloud in clouds:
        rows = expected[cloud["emotion"]]
        (one,) = cloud["components"]
        assert cloud["n_clips"] == len(rows)
        assert one["weight"] == 1
        assert one["mean"] == pytest.approx(rows.mean(axis=0), abs=1e-9)
        assert np.array(one["covariance"]) == pytest.approx(np.cov(rows.T), abs=1e-9)


def test_overlap_is_the_integral_of_the_root_of_the_product() -> None:
    found, drawn = case()
    out, rows = summary(found, drawn), parts(found, drawn)
    x = np.stack(np.meshgrid(*[np.linspace(-25, 25, 1001)] * 2), axis=-1)
    densities = [multivariate_normal(rows[name].mean(axis=0), np.cov(rows[name].T)).pdf(x) for name in out["emotions"]]
    for i, p in enumerate(densities):
        for j, q in enumerate(densities):
            assert out["overlap"][i][j] == pytest.approx(np.sqrt(p * q).sum() * 0.05**2, abs=1e-6)
    assert np.array(out["overlap_standard_error"]).max() == 0


def test_silhouette_and_ratio_are_those_of_their_definitions() -> None:
    found, drawn = case()
    out, groups = summary(found, drawn), parts(found, drawn)
    values = []
    for name, rows in groups.items():
        for point in rows:
            means = {other: np.linalg.norm(them - point, axis=1).sum() for other, them in groups.items()}
            own = means.pop(name) / (len(rows) - 1)
            nearest = min(total / len(groups[other]) for other, total in means.items())
            values.append((nearest - own) / max(nearest, own))
    assert out["silhouette"] == pytest.approx(np.mean(values), abs=1e-9)
    assert out["silhouette_95"][0] < out["silhouette"] < out["silhouette_95"][1]
    x = np.concatenate(list(groups.values()))
    between = sum(len(rows) * np.square(rows.mean(axis=0) - x.mean(axis=0)).sum() for rows in groups.values())
    within = sum(np.square(rows - rows.mean(axis=0)).sum() for rows in groups.values())
    assert out["between_within"] == pytest.approx(between / within, abs=1e-9)


def test_variance_is_shared_out_as_by_least_squares() -> None:
    found, drawn = case(n_speakers=4, n_corpora=2)
    shares = {share["factor"]: share for share in summary(found, drawn)["variance"]}
    assert list(shares) == ["emotion", "speaker", "gender", "corpus"]
    x = drawn.projection.coordinates.astype(np.float64)
    columns = {name: found.clips[name].to_numpy(str) for name in shares}
    everything = r_squared(x, *columns.values())
    for name, share in shares.items():
        others = [words for other, words in columns.items() if other != name]
        assert share["n_levels"] == len(set(columns[name]))
        assert share["alone"] == pytest.approx(r_squared(x, columns[name]), abs=1e-9)
        assert share["unique"] == pytest.approx(everything - r_squared(x, *others), abs=1e-9)
    assert shares["corpus"]["unique"] == pytest.approx(0, abs=1e-9)  # whoever knows the speaker knows it


def test_one_speaker_leaves_emotion_alone_and_no_intervals() -> None:
    out = summary(*case(n_speakers=1))
    assert out["n_speakers"] == 1
    assert [share["factor"] for share in out["variance"]] == ["emotion"]
    assert out["silhouette_95"] is None
    assert out["variance"][0]["alone_95"] is None


def test_clips_without_an_emotion_are_left_out_and_words_joined() -> None:
    found, drawn = case({"angry": 8, "colère": 7, "sad": 9, "unknown": 5})
    result = clusters.clusters(found, drawn, shape="full")
    assert (found.clips["emotion"][result.rows] != "unknown").all()
    assert len(result.rows) == len(result.silhouette) == 24
    assert [(part.name, part.n_clips) for part in result.densities.parts] == [("anger", 15), ("sadness", 9)]
    assert summary(found, drawn)["n_clips"] == 24


def test_emotions_of_few_clips_are_named_and_still_measured() -> None:
    found, drawn = case({"angry": 8, "sad": 9, "happy": 3})
    out = summary(found, drawn)
    assert out["emotions"] == ["anger", "sadness"]
    assert out["left_out"] == [["happiness", "3 clips, 4 needed"]]
    assert out["variance"][0]["n_levels"] == 3
    assert summary(found, drawn, "diagonal")["left_out"] == []


@pytest.mark.parametrize("nothing", [None, np.nan, "unknown"])
def test_a_gender_that_is_known_for_some_clips_alone_is_left_out_and_said(nothing: Any) -> None:
    found, drawn = case()
    assert summary(found, drawn)["factors_left_out"] == []
    without = ~found.clips["speaker"].eq("s0").to_numpy(bool)
    found.clips["gender"] = found.clips["gender"].astype(object).where(without, nothing)
    out = summary(found, drawn)
    assert [share["factor"] for share in out["variance"]] == ["emotion", "speaker"]
    assert out["factors_left_out"] == [["gender", f"known for {without.sum()} of 34 clips"]]
    found.clips["gender"] = nothing
    out = summary(found, drawn)
    assert [share["factor"] for share in out["variance"]] == ["emotion", "speaker"]
    assert out["factors_left_out"] == []


def test_gender_has_to_be_known_for_the_clips_measured_alone() -> None:
    found, drawn = case({"angry": 14, "sad": 11, "unknown": 5})
    found.clips["gender"] = found.clips["gender"].astype(object).where(found.clips["emotion"] != "unknown", None)
    assert [share["factor"] for share in summary(found, drawn)["variance"]] == ["emotion", "speaker", "gender"]


def test_a_factor_with_a_level_for_every_clip_is_left_out() -> None:
    found, drawn = case(n_speakers=34)
    out = summary(found, drawn)
    assert [share["factor"] for share in out["variance"]] == ["emotion", "gender"]
    assert out["factors_left_out"] == [["speaker", "34 levels in 34 clips"]]


def test_unknown_speakers_are_measured_and_not_drawn() -> None:
    found, drawn = case(n_speakers=4)
    whole = summary(found, drawn)
    nobody = found.clips["speaker"].eq("s0").to_numpy(bool)
    found.clips["speaker"] = found.clips["speaker"].where(~nobody, "unknown")
    out = summary(found, drawn)
    assert (out["n_speakers"], out["n_clips"], out["silhouette"]) == (3, 34, whole["silhouette"])
    assert ["speaker", f"known for {(~nobody).sum()} of 34 clips"] in out["factors_left_out"]
    result = clusters.clusters(found, drawn, shape="full")
    speakers = result.clips.clips["speaker"].to_numpy(str)
    means = [result.silhouette[speakers == name] for name in ("s1", "s2", "s3")]
    drawn_means = [
        np.concatenate([part for part, times in zip(means, row, strict=True) for _ in range(times)]).mean()
        for row in np.random.default_rng(0).multinomial(3, np.full(3, 1 / 3), size=1000)
    ]
    assert out["silhouette_95"] == pytest.approx(np.quantile(drawn_means, [0.025, 0.975]), abs=1e-9)
    found.clips["speaker"] = "unknown"
    out = summary(found, drawn)
    assert out["silhouette_95"] is out["variance"][0]["alone_95"] is None


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(AnalysisError, match="20 of 20 clips have a known emotion, 1 different"):
        clusters.clusters(*case({"angry": 20}), shape="full")
    with pytest.raises(DensityError, match="no emotion has clips enough for a Gaussian in 2-D"):
        clusters.clusters(*case({"angry": 3, "sad": 3}), shape="full")


def test_a_mixture_says_how_sure_its_overlap_is() -> None:
    random = np.random.default_rng(0)
    found, drawn = case({"angry": 60, "sad": 60})
    x = drawn.projection.coordinates.copy()
    angry = np.flatnonzero(found.clips["emotion"] == "angry")
    x[angry] = random.normal(size=(60, 2)) + np.where(np.arange(60) < 30, -8, 8)[:, None]
    split = Map(drawn.view, Projection(x, None), drawn.neighbours, drawn.distances, None, drawn.scaler)
    out = summary(found, split, "mixture")
    weights = [[one["weight"] for one in cloud["components"]] for cloud in out["clouds"]]
    assert weights[0] == pytest.approx([0.5, 0.5], abs=0.01)
    error = out["overlap_standard_error"][0][1]
    assert 0 < error < 0.01
    grid = np.stack(np.meshgrid(*[np.linspace(-30, 30, 601)] * 2), axis=-1)
    p, q = (
        sum(
            one["weight"] * multivariate_normal(one["mean"], one["covariance"]).pdf(grid) for one in cloud["components"]
        )
        for cloud in out["clouds"]
    )
    assert out["overlap"][0][1] == pytest.approx(np.sqrt(p * q).sum() * 0.01, abs=4 * error)
