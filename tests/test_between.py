"""Two encoders on the same clips: which clips, how each shows emotions as the other pages say, how alike they are."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import two_corpora
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from ser_core import between, circle, clusters, layers, maps, resampling, runs, trained, unseen
from ser_core.analyses import AnalysisError
from ser_core.between import BetweenError
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings, join, take
from ser_core.geometry import similarity
from ser_core.store import key

N_SPEAKERS = 4
CHECKPOINT = "hf:emotion2vec/emotion2vec_plus_large@main"


def planted(*, name: str = "mine", encoder: str = "egemaps", seed: int = 1) -> Embeddings:
    """64 clips by four speakers in four emotions, 88 values."""
    table = two_corpora.clips(N_SPEAKERS)
    return two_corpora.invented(table, two_corpora.planted(table, seed=seed), name=name, encoder=encoder)


def other(found: Embeddings, n_layers: int = 3) -> Embeddings:
    """The same clips in another space: 20 values that keep ever less of the first."""
    random = np.random.default_rng(9)
    x = found.layer(0) @ random.normal(size=(88, 20)) / 9
    vectors = np.stack([x + depth * random.normal(size=x.shape) for depth in range(n_layers)], axis=1)
    names = [f"layer {depth}" for depth in range(n_layers)]
    return replace(found, vectors=vectors.astype(np.float32), recipe={"name": "other", "dim": 20, "layers": names})


@pytest.fixture(scope="module")
def two() -> between.Pair:
    return between.pair(planted(), other(planted()))


def test_clips_that_both_have_are_brought_into_one_order():
    a = planted()
    b = take(other(a), np.random.default_rng(0).permutation(64)[:50])
    a = take(a, np.arange(60))
    found = between.pair(a, b)
    assert list(found.a.clips["file"]) == list(found.b.clips["file"])
    assert found.a.digests == found.b.digests
    assert found.b.vectors == pytest.approx(b.vectors[found.rows_b])
    assert found.only_a == 60 - len(found.rows_a)
    assert found.only_b == 50 - len(found.rows_a)
    assert 40 <= len(found.rows_a) <= 50


def test_the_same_file_with_another_content_is_another_clip():
    a = planted()
    b = replace(other(a), digests=tuple(sha if row else "f" * 64 for row, sha in enumerate(a.digests)))
    assert 0 not in between.pair(a, b).rows_a
    assert len(between.pair(a, b).rows_a) == 63


def test_the_same_recording_in_two_corpora_is_matched_in_each():
    parts = [replace(planted(name=name), digests=planted().digests) for name in ("first", "second")]
    found = between.pair(join(parts), join([other(one) for one in parts]))
    assert list(found.a.clips["corpus"]) == list(found.b.clips["corpus"])
    assert len(found.rows_a) == 128


def test_too_few_clips_in_common_are_said():
    a = planted()
    with pytest.raises(
        BetweenError, match="11 clips are embedded with both egemaps and other: comparing them takes 12"
    ):
        between.pair(a, take(other(a), np.arange(11)))


def test_a_portrait_is_what_other_pages_say(two, cache):
    found = between.portrait(two.a, 0)
    view = maps.view(two.a, layer=0, method="pca", n_components=2, scaling=None, seed=0)
    order = circle.order(two.a, maps.draw(two.a, view, cache=cache), alignment=None).circle
    assert found.correlation.value == pytest.approx(order.correlation, abs=1e-9)
    assert (found.correlation.low, found.correlation.high) == pytest.approx(order.correlation_95, abs=1e-9)
    assert found.order_agreement.value == pytest.approx(order.order_agreement, abs=1e-9)
    checked = unseen.check(two.a, layer=0, scaling="standard", cache=cache)
    answer = next(one.evaluation for one in checked.answers if one.name == "neighbours")
    assert found.recall.value == answer.uar
    assert (found.recall.low, found.recall.high) == answer.interval(between.uar)
    assert (found.n_clips, found.n_speakers, found.n_emotions, found.n_placed) == (64, 4, 4, 3)


def test_separation_is_measured_in_all_dimensions(two):
    x = StandardScaler().fit_transform(two.a.layer(0).astype(float))
    words, found = two.a.clips["emotion"].to_numpy(str), between.portrait(two.a, 0)
    assert found.silhouette.value == pytest.approx(silhouette_score(x, words), abs=1e-9)
    assert found.silhouette.low < found.silhouette.value < found.silhouette.high
    middle = {word: x[words == word].mean(axis=0) for word in set(words)}
    within = sum(np.square(row - middle[word]).sum() for row, word in zip(x, words, strict=True))
    between_them = sum(np.square(middle[word] - x.mean(axis=0)).sum() for word in words)
    assert found.between_within == pytest.approx(between_them / within, abs=1e-9)


def test_on_a_map_they_keep_apart_as_the_page_of_clusters_says(two, cache):
    view = maps.view(two.a, layer=0, method="pca", n_components=3, scaling=None, seed=0)
    drawn = maps.draw(two.a, view, cache=cache)
    expected = clusters.clusters(two.a, drawn, shape="full")
    found = between.parting(two.a, drawn.projection.coordinates)
    assert found.silhouette.value == pytest.approx(expected.silhouette.mean(), abs=1e-9)
    assert (found.silhouette.low, found.silhouette.high) == pytest.approx(expected.silhouette_95, abs=1e-9)
    assert found.between_within == pytest.approx(expected.between_within, abs=1e-9)


def test_activations_of_a_network_are_only_centred():
    found = planted()
    table = {"name": "hf:net", "checkpoint": "net", "dim": 88, "layers": ["last"]}
    x = found.layer(0) * np.linspace(0.1, 9, 88, dtype=np.float32)
    told = between.portrait(replace(found, vectors=x[:, None].copy(), recipe=table), 0)
    words = found.clips["emotion"].to_numpy(str)
    assert told.silhouette.value == pytest.approx(silhouette_score(x.astype(float), words), abs=1e-6)


def test_one_speaker_has_neither_intervals_nor_a_recall():
    one = planted()
    found = between.portrait(replace(one, clips=one.clips.assign(speaker="01")), 0)
    assert np.isnan([found.silhouette.low, found.recall.value, found.correlation.low]).all()
    assert found.silhouette.value > 0
    assert "needs two or more" in found.no_recall


def test_one_emotion_is_refused_in_words():
    one = planted()
    with pytest.raises(AnalysisError, match="1 different"):
        between.portrait(replace(one, clips=one.clips.assign(emotion="anger")), 0)


def test_neighbours_and_cka_are_those_of_scaled_vectors(two):
    found = between.between(two, (0, 1))
    spaces = [StandardScaler().fit_transform(one.layer(k).astype(float)) for one, k in ((two.a, 0), (two.b, 1))]
    apart = [cdist(x, x) + np.diag(np.full(64, np.inf)) for x in spaces]
    near = [np.argsort(one, axis=1)[:, :10] for one in apart]
    shares = [len(set(first) & set(second)) / 10 for first, second in zip(*near, strict=True)]
    assert found.overlap.shares == pytest.approx(shares)
    assert found.overlap.chance == 10 / 63
    assert found.overlap.mean > 2 * found.overlap.chance
    assert found.near_a[1] == pytest.approx(np.sort(apart[0], axis=1)[:, :10], abs=1e-3)
    expected = resampling.mean_interval(np.array(shares), list(two.a.clips["speaker"]), seed=0)
    assert found.overlap_95 == pytest.approx(expected)
    cka = similarity.cka(*spaces)
    assert (found.cka.debiased, found.cka.plain) == pytest.approx((cka.debiased, cka.plain), abs=1e-9)
    assert found.n_cka == 64


def test_a_layer_is_wholly_like_itself(two):
    found = between.between(between.pair(two.b, two.b), (1, 1))
    assert found.overlap.mean == 1
    assert found.cka.debiased == pytest.approx(1, abs=1e-9)


def test_many_clips_are_sampled_for_inner_products(two, monkeypatch):
    monkeypatch.setattr(between, "MOST", 40)
    found = between.between(two, (0, 0))
    assert found.n_cka == 40
    assert len(found.overlap.shares) == 64
    emotions = two.a.clips["emotion"].iloc[between.sampled(two)].value_counts()
    assert set(emotions) == {10}


def test_one_map_is_laid_on_the_other_by_the_clips_of_both(cache):
    a = planted()
    b = take(other(a), np.arange(63, 3, -1))
    views = [maps.view(one, layer=0, method="pca", n_components=3, scaling=None, seed=0) for one in (a, b)]
    drawn = [maps.draw(one, view, cache=cache) for one, view in zip((a, b), views, strict=True)]
    fit = between.laid(between.pair(a, b), *drawn)
    expected = similarity.procrustes(drawn[1].projection.coordinates[::-1], drawn[0].projection.coordinates[4:])
    assert fit.disparity == pytest.approx(expected.disparity, abs=1e-9)
    assert 0 < fit.disparity < 0.9


def test_layers_are_those_of_each_by_itself_and_kept(two, cache, monkeypatch):
    assert layers.kept(two, cache=cache) is None
    steps = []
    found = layers.compare(two, cache=cache, progress=lambda *step: steps.append(step))
    assert steps[-1] == (7, 7)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    for depth in range(3):
        told = between.portrait(two.b, depth)
        for name in layers.MEASURES:
            one = getattr(told, name)
            assert found.b[name][depth] == pytest.approx([one.value, one.low, one.high])
        assert found.cka[0, depth] == pytest.approx(between.between(two, (0, depth)).cka.debiased, abs=1e-9)
    assert found.cka.shape == (1, 3)
    assert found.cka[0, 0] > found.cka[0, 1] > found.cka[0, 2]
    monkeypatch.setattr(between, "portrait", None)  # nothing is computed again
    again = layers.compare(two, cache=cache)
    assert np.array_equal(again.cka, found.cka)
    assert layers.kept(two, cache=cache).n_cka == 64
    assert cache.verify() == []
    assert any("egemaps and other cka" in entry.name for entry in cache.ls())


def test_labels_that_change_are_other_curves(two, cache):
    layers.compare(two, cache=cache)
    mixed = two.a.clips.assign(emotion=np.random.default_rng(0).permutation(two.a.clips["emotion"]))
    a, b = (replace(one, clips=mixed) for one in (two.a, two.b))
    assert layers.kept(between.pair(a, b), cache=cache) is None


def test_without_emotions_only_the_cka_is_told(cache):
    a = planted()
    a = replace(a, clips=a.clips.assign(emotion="unknown"))
    found = layers.compare(between.pair(a, other(a)), cache=cache)
    assert np.isnan(found.a["silhouette"]).all()
    assert np.isfinite(found.cka).all()


def test_few_clips_are_quick_and_many_are_not(two, monkeypatch):
    assert layers.seconds(two) == pytest.approx(4 * 0.2 + 4e-10 * 64**2 * (1 * (88 + 400) + 3 * (20 + 400)))
    assert layers.quick(two)
    monkeypatch.setattr(layers, "QUICK", 0.5)
    assert not layers.quick(two)


def test_a_job_has_one_name(two):
    assert layers.job(["a", "b"], "k1", "k2") == ["compare", "a,b", "k1", "k2", "--layers"]


@pytest.mark.parametrize(
    ("n", "recognises", "said"),
    [
        (0, True, None),
        (64, True, "run:3fa9 was trained on these 64 clips: they look better separated"),
        (30, True, "run:3fa9 was trained on 30 of these 64 clips: they"),
        (64, False, "run:3fa9 was trained on these 64 clips, without being told an emotion: they"),
        (None, True, "The network behind run:3fa9 is no longer here: it may have been trained on these clips."),
    ],
)
def test_a_network_that_knew_the_clips_is_named(cache, monkeypatch, n, recognises, said):
    found = planted(encoder="run:3fa9")
    monkeypatch.setattr(trained, "n_taught", lambda *_, cache: n)
    monkeypatch.setattr(runs, "get", lambda *_: SimpleNamespace(recognises=recognises))
    told = between.knows(found, ["folder"], cache=cache)
    assert told is said or told.startswith(said)


def test_a_checkpoint_that_knew_the_corpus_is_named(cache: Cache):
    found = planted(encoder=CHECKPOINT)
    told = between.knows(found, ["emodb", "demo-english"], cache=cache)
    assert told.startswith(f"{CHECKPOINT} was trained on emodb: it knew these clips before")
    assert between.knows(found, ["demo-english"], cache=cache) is None
    assert between.knows(planted(), ["emodb"], cache=cache) is None


def test_intervals_are_those_of_known_speakers(two):
    values = np.arange(64.0)
    speakers = two.a.clips["speaker"].to_numpy(str).astype("U9")
    speakers[:16] = "unknown"
    expected = resampling.mean_interval(values[16:], list(speakers[16:]), seed=0)
    assert clusters.interval(values, speakers) == expected


def test_stores_of_both_are_named_so_that_a_sweep_knows_them(two, cache):
    layers.compare(two, cache=cache)
    (recipe,) = [one for path in cache.root.glob("maps/*.json") if '"cka"' in (one := path.read_text("utf-8"))]
    assert key(two.a.recipe) in recipe
    assert key(two.b.recipe) in recipe
