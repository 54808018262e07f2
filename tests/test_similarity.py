"""Shared neighbours, CKA and Procrustes against loops, definitions and scipy."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import procrustes as scipys
from scipy.stats import ortho_group

from ser_core.geometry import projection, similarity
from ser_core.geometry.similarity import SimilarityError

Floats = NDArray[np.float64]


def spaces(n: int = 12, d: int = 5, e: int = 7) -> tuple[Floats, Floats]:
    """Two spaces that have something to do with each other."""
    random = np.random.default_rng(3)
    x = random.normal(size=(n, d)) + 4
    return x, x @ random.normal(size=(d, e)) + 2 * random.normal(size=(n, e))


def turned(x: Floats) -> Floats:
    """The same space, turned, mirrored, scaled and shifted."""
    matrix = ortho_group.rvs(x.shape[1], random_state=5)
    return 3.5 * x @ matrix + 11


def hsic(k: Floats, other: Floats) -> float:
    """Song et al. 2012, theorem 5, as sums over distinct clips."""
    n = len(k)
    two = sum(k[i, j] * other[i, j] for i, j in itertools.permutations(range(n), 2)) / (n * (n - 1))
    three = sum(k[i, j] * other[i, q] for i, j, q in itertools.permutations(range(n), 3))
    four = sum(k[i, j] * other[q, r] for i, j, q, r in itertools.permutations(range(n), 4))
    return two + four / (n * (n - 1) * (n - 2) * (n - 3)) - 2 * three / (n * (n - 1) * (n - 2))


def test_neighbours_that_are_shared_by_brute_force():
    x, y = (one.astype(np.float32) for one in spaces(n=30))
    near = [projection.neighbours(one, k=4, scaling="centre")[0] for one in (x, y)]
    found = similarity.overlap(*near)
    for row in range(30):
        closest = [set(np.argsort(np.linalg.norm(one - one[row], axis=1), kind="stable")[1:5]) for one in (x, y)]
        assert found.shares[row] == len(closest[0] & closest[1]) / 4
    assert found.mean == pytest.approx(np.mean(found.shares))
    assert 0 < found.mean < 1
    assert found.chance == 4 / 29


def test_unrelated_neighbours_overlap_by_chance():
    random = np.random.default_rng(0)
    near = [
        projection.neighbours(random.normal(size=(400, 6)).astype(np.float32), k=10, scaling="centre")[0]
        for _ in range(2)
    ]
    found = similarity.overlap(*near)
    assert found.mean == pytest.approx(found.chance, abs=0.01)


def test_a_space_is_wholly_like_itself_turned_mirrored_scaled_and_shifted():
    x, _ = spaces()
    found = similarity.cka(x, turned(x))
    assert found.debiased == pytest.approx(1, abs=1e-9)
    assert found.plain == pytest.approx(1, abs=1e-9)


def test_plain_cka_is_that_of_its_definition():
    x, y = spaces()
    centred = [one - one.mean(axis=0) for one in (x, y)]
    across = np.square(centred[1].T @ centred[0]).sum()  # Kornblith et al. 2019, in the dimensions' own products
    own = [np.linalg.norm(one.T @ one) for one in centred]
    assert similarity.cka(x, y).plain == pytest.approx(across / (own[0] * own[1]), abs=1e-9)


def test_plain_cka_by_hand():
    x = np.array([[-1.0], [-1.0], [1.0], [1.0]])
    y = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    assert similarity.cka(x, y).plain == pytest.approx(0, abs=1e-9)  # no line goes with the other
    both = np.hstack([x, y])
    assert similarity.cka(x, both).plain == pytest.approx(1 / np.sqrt(2), abs=1e-9)  # one of its two axes


def test_debiased_cka_is_that_of_sums_over_distinct_clips():
    x, y = spaces(n=8)
    k, other = x @ x.T, y @ y.T
    expected = hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))
    assert similarity.cka(x, y).debiased == pytest.approx(expected, abs=1e-9)


def test_many_dimensions_make_unrelated_spaces_alike_by_the_plain_one_alone():
    random = np.random.default_rng(1)
    x, y = (random.normal(size=(40, 800)) for _ in range(2))
    found = similarity.cka(x, y)
    assert found.plain > 0.9
    assert abs(found.debiased) < 0.15


def test_the_order_of_clips_does_not_matter_but_has_to_be_the_same():
    x, y = spaces()
    order = np.random.default_rng(2).permutation(len(x))
    same, mixed = similarity.cka(x[order], y[order]), similarity.cka(x[order], y)
    assert same.debiased == pytest.approx(similarity.cka(x, y).debiased, abs=1e-9)
    assert mixed.debiased < same.debiased - 0.1


@pytest.mark.parametrize("d", [2, 3])
def test_one_map_on_the_other_is_scipys(d):
    random = np.random.default_rng(d)
    goal, points = random.normal(size=(20, d)) * [3, *[1] * (d - 1)], random.normal(size=(20, d))
    points += 0.5 * goal[:, ::-1]
    standard, laid, disparity = scipys(goal, points)
    found = similarity.procrustes(points, goal)
    assert found.disparity == pytest.approx(disparity, abs=1e-9)
    size = np.linalg.norm(goal - goal.mean(axis=0))  # scipy has both around 0, and the goal of size 1
    assert (found.apply(points) - goal.mean(axis=0)) / size == pytest.approx(laid, abs=1e-9)
    assert np.square(found.apply(points) - goal).sum() == pytest.approx(disparity * size**2, abs=1e-9)
    assert similarity.procrustes(goal, points).disparity == pytest.approx(disparity, abs=1e-9)
    assert standard.shape == laid.shape


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_planted_turn_is_found_and_its_mirror_image_named(mirrored):
    goal, _ = spaces(d=3)
    matrix = ortho_group.rvs(3, random_state=1)
    if (np.linalg.det(matrix) < 0) != mirrored:
        matrix[:, 0] *= -1
    found = similarity.procrustes((goal - 2) @ matrix.T / 4, goal)
    assert found.mirrored == mirrored
    assert found.turn == pytest.approx(matrix, abs=1e-9)
    assert found.scale == pytest.approx(4)
    assert found.disparity == pytest.approx(0, abs=1e-9)
    assert found.apply((goal - 2) @ matrix.T / 4) == pytest.approx(goal, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: similarity.overlap(np.zeros((3, 2), int), np.zeros((4, 2), int)), r"\(3, 2\) and \(4, 2\)"),
        (lambda x: similarity.cka(x[:3], x[:3]), "3 clips: comparing spaces"),
        (lambda x: similarity.cka(x, x[:-1]), "12 clips in one space and 11 in the other"),
        (lambda x: similarity.cka(x, np.ones((12, 2))), "all 12 clips have one and the same position"),
        (lambda x: similarity.procrustes(x, x[:, :2]), "each point needs its own"),
        (lambda x: similarity.procrustes(np.ones((12, 5)), x), "nothing can be laid on them"),
    ],
)
def test_what_cannot_be_compared_is_said(call, said):
    with pytest.raises(SimilarityError, match=said):
        call(spaces()[0])
