"""What models are given: scaling against scikit-learn and by hand, joining by file and content."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ser_core.embeddings import EmbeddingError, Embeddings
from ser_core.models.inputs import LIMIT, InputError, Inputs, Scaling, gather, learn, per_speaker

N, DIM, COPIES, ROWS, COLUMNS = 150, 7, 3, 4, 5
TRAIN = np.arange(0, N, 3)


@pytest.fixture
def both() -> Inputs:
    """Vectors and pictures of unequal centres and spreads."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N, DIM)) * np.array([1, 10, 1e-4, 1e4, 1, 1, 1]) + np.array([0, 5, 1, -1e4, 3, 0, 1e3])
    pictures = rng.normal(size=(N, COPIES, ROWS, COLUMNS)) * np.array([1, 5, 0.1, 20])[:, None]
    pictures += np.array([0, -40, 3, -200])[:, None]
    pictures[:, 1:] += 2  # noisy copies lie elsewhere
    return Inputs(vectors.astype(np.float32), pictures.astype(np.float32))


def by_row(pictures: np.ndarray) -> np.ndarray:
    """Values of each row over clips, copies and time: shape (n, rows), for scikit-learn."""
    return np.moveaxis(pictures, 2, -1).reshape(-1, pictures.shape[2]).astype(np.float64)


def test_vectors_are_standardised_by_training_clips(both: Inputs) -> None:
    scaling = learn(both, TRAIN, vectors="standard")
    expected = StandardScaler().fit(both.vectors[TRAIN].astype(np.float64))
    assert scaling.vectors.centre == pytest.approx(expected.mean_, rel=1e-9, abs=1e-9)
    assert scaling.vectors.spread == pytest.approx(expected.scale_, rel=1e-9)
    found = scaling.apply(both)
    assert found.vectors == pytest.approx(expected.transform(both.vectors.astype(np.float64)), abs=1e-6)
    assert found.vectors.dtype == found.pictures.dtype == np.float32


def test_ranges_of_training_clips_become_0_to_1_and_others_are_not_cut(both: Inputs) -> None:
    both.vectors[1, 0] = 1e5
    scaling = learn(both, TRAIN, vectors="minmax")
    expected = MinMaxScaler().fit(both.vectors[TRAIN].astype(np.float64))
    found = scaling.apply(both)
    assert found.vectors == pytest.approx(expected.transform(both.vectors.astype(np.float64)), rel=1e-6, abs=1e-6)
    assert (found.vectors[TRAIN].min(), found.vectors[TRAIN].max()) == (0, 1)
    assert found.vectors[1, 0] > 1e4


def test_pictures_are_standardised_per_row_over_time_and_copies(both: Inputs) -> None:
    scaling = learn(both, TRAIN, vectors="minmax")
    expected = StandardScaler().fit(by_row(both.pictures[TRAIN]))
    assert scaling.pictures.centre[:, 0] == pytest.approx(expected.mean_, rel=1e-9, abs=1e-9)
    assert scaling.pictures.spread[:, 0] == pytest.approx(expected.scale_, rel=1e-9)
    assert by_row(scaling.apply(both).pictures) == pytest.approx(expected.transform(by_row(both.pictures)), abs=1e-6)


def test_clips_outside_training_teach_nothing(both: Inputs) -> None:
    before = learn(both, TRAIN, vectors="standard").arrays()
    rest = np.setdiff1d(np.arange(N), TRAIN)
    both.vectors[rest] *= -3
    both.pictures[rest] += 7
    after = learn(both, TRAIN, vectors="standard").arrays()
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("how", ["standard", "minmax"])
def test_constants_become_0(both: Inputs, how: Any) -> None:
    both.vectors[:, 2] = 1234.567
    both.pictures[:, :, 1] = -80
    scaling = learn(both, TRAIN, vectors=how)
    both.vectors[1, 2] = 9.0  # a clip that is not among those it was learnt from
    found = scaling.apply(both)
    assert np.isfinite(found.vectors).all()
    assert (found.vectors[:, 2] == 0).all()
    assert (found.pictures[:, :, 1] == 0).all()


def test_values_far_out_count_as_ten_deviations(both: Inputs) -> None:
    scaling = learn(both, TRAIN, vectors="standard")
    both.vectors[4, :2], both.pictures[4, 0, 0, 0] = (1e9, -1e9), 1e9
    found = scaling.apply(both)
    assert found.vectors[4, :2].tolist() == [LIMIT, -LIMIT]
    assert found.pictures[4, 0, 0, 0] == LIMIT


def test_one_clip_teaches_its_own_middle(both: Inputs) -> None:
    found = learn(both, np.array([3]), vectors="standard").apply(both.take(np.array([3])))
    assert (found.vectors == 0).all()
    assert found.pictures.mean(axis=(0, 1, 3)) == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="got none"):
        learn(both, np.array([], np.intp), vectors="standard")


def test_a_scaling_survives_a_file(both: Inputs) -> None:
    for inputs in (both, replace(both, pictures=None), replace(both, vectors=None)):
        scaling = learn(inputs, TRAIN, vectors="standard")
        again = Scaling.of(load(save(scaling.arrays())))
        for part in ("vectors", "pictures"):
            found, expected = getattr(again.apply(inputs), part), getattr(scaling.apply(inputs), part)
            assert (found is None) == (expected is None) == (getattr(inputs, part) is None)
            assert found is None or np.array_equal(found, expected)
    assert set(learn(both, TRAIN, vectors="minmax").arrays()) == {
        f"{part}.{field}" for part in ("vectors", "pictures") for field in ("centre", "spread", "limit")
    }


def test_a_scaling_refuses_what_it_was_not_learnt_from(both: Inputs) -> None:
    scaling = learn(both, TRAIN, vectors="standard")
    with pytest.raises(InputError, match="the scaling was learnt with pictures"):
        scaling.apply(replace(both, pictures=None))
    with pytest.raises(InputError, match="the scaling was learnt without vectors"):
        learn(replace(both, vectors=None), TRAIN, vectors="standard").apply(both)
    with pytest.raises(InputError, match="the vectors have 6 values, the scaling was learnt on 7"):
        scaling.apply(replace(both, vectors=both.vectors[:, :6]))
    with pytest.raises(InputError, match="the pictures have 3 rows, the scaling was learnt on 4"):
        scaling.apply(replace(both, pictures=both.pictures[:, :, :3]))


def test_each_speaker_is_standardised_by_itself(both: Inputs) -> None:
    speakers = np.array(["a", "b", "c"])[np.arange(N) % 3]
    speakers[7] = "once"
    both.vectors[speakers == "b"] += 100
    found = per_speaker(both, speakers)
    for name in "abc":
        own = speakers == name
        expected = StandardScaler().fit_transform(both.vectors[own].astype(np.float64))
        assert found.vectors[own] == pytest.approx(expected, abs=1e-5)
        clean = StandardScaler().fit(by_row(both.pictures[own][:, :1]))
        assert by_row(found.pictures[own]) == pytest.approx(clean.transform(by_row(both.pictures[own])), abs=1e-5)
    assert (found.vectors[7] == 0).all()
    assert found.pictures[7, 0].mean(axis=-1) == pytest.approx(0, abs=1e-5)
    assert (found.vectors.dtype, found.pictures.dtype) == (np.float32, np.float32)
    only = per_speaker(replace(both, pictures=None), speakers)
    assert only.pictures is None
    assert np.array_equal(only.vectors, found.vectors)


def test_rows_are_taken_in_order(both: Inputs) -> None:
    rows = np.array([5, 2, 2])
    found = both.take(rows)
    assert (len(both), len(found), len(replace(both, vectors=None))) == (N, 3, N)
    assert np.array_equal(found.vectors, both.vectors[rows])
    assert np.array_equal(found.pictures, both.pictures[rows])
    with pytest.raises(InputError, match=r"as many clips each; got \[\] clips"):
        Inputs(None, None)
    with pytest.raises(InputError, match=rf"got \[{N - 1}, {N}\] clips"):
        Inputs(both.vectors[1:], both.pictures)


def embedded(files: list[str], shas: list[str], values: np.ndarray, **recipe: Any) -> Embeddings:
    table = pd.DataFrame({"file": files, "speaker": [f"s{file}" for file in files], "emotion": "sad", "corpus": "mine"})
    full = {"name": "some", "layers": [str(n) for n in range(values.shape[1])], "dim": values.shape[2], **recipe}
    return Embeddings(values.astype(np.float32), table, full, tuple(shas), pd.DataFrame())


@pytest.fixture
def parts() -> list[Embeddings]:
    """Clips a to d as vectors of two layers, d, c, b (changed since) and e as pictures 2 x 3 of one copy beside it."""
    vectors = np.arange(4 * 2 * 5).reshape(4, 2, 5)
    pictures = np.arange(4 * 2 * 6).reshape(4, 2, 6)
    return [
        embedded(list("abcd"), ["1", "2", "3", "4"], vectors, name="words"),
        embedded(list("dcbe"), ["4", "3", "other", "5"], pictures, name="views", shape=[2, 3]),
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_clips_that_all_parts_have_are_joined(parts: list[Embeddings], *, turned: bool) -> None:
    inputs, clips, digests = gather(parts[::-1] if turned else parts, -1)
    order = "dc" if turned else "cd"
    assert list(clips["file"]) == list(order)
    assert list(clips["speaker"]) == [f"s{file}" for file in order]
    assert digests == tuple({"c": "3", "d": "4"}[file] for file in order)
    assert np.array_equal(inputs.vectors, parts[0].vectors[["abcd".index(file) for file in order], 1])
    rows = ["dcbe".index(file) for file in order]
    assert np.array_equal(inputs.pictures, parts[1].vectors[rows].reshape(2, 2, 2, 3))
    assert inputs.pictures[0, 1, 1].tolist() == parts[1].vectors[rows[0], 1, 3:].tolist()


def test_one_part_alone(parts: list[Embeddings]) -> None:
    inputs, clips, digests = gather(parts[:1], 0)
    assert inputs.pictures is None
    assert np.array_equal(inputs.vectors, parts[0].vectors[:, 0])
    assert (list(clips["file"]), digests) == (list("abcd"), ("1", "2", "3", "4"))
    inputs, clips, _ = gather(parts[1:], 0)
    assert inputs.vectors is None
    assert (inputs.pictures.shape, list(clips["file"])) == ((4, 2, 2, 3), list("dcbe"))


def test_two_names_of_one_recording_stay_two_clips() -> None:
    vectors = np.arange(12).reshape(3, 1, 4)
    parts = [
        embedded(["a", "copy", "b"], ["1", "1", "2"], vectors),
        embedded(["copy", "a", "b"], ["1", "1", "2"], vectors, shape=[2, 2]),
    ]
    inputs, clips, digests = gather(parts, 0)
    assert (list(clips["file"]), digests) == (["a", "copy", "b"], ("1", "1", "2"))
    assert np.array_equal(inputs.pictures.reshape(3, 4), vectors[[1, 0, 2], 0])


def test_what_cannot_be_joined_is_said(parts: list[Embeddings]) -> None:
    with pytest.raises(InputError, match="got none"):
        gather([], 0)
    with pytest.raises(InputError, match="one of each; got vectors, vectors"):
        gather([parts[0], parts[0]], 0)
    with pytest.raises(EmbeddingError, match="layer 2: words has layers 0 to 1"):
        gather(parts, 2)
    with pytest.raises(InputError, match="no clip is embedded with words and views: embed the corpus"):
        gather([parts[0], replace(parts[1], digests=("w", "x", "y", "z"))], 0)
