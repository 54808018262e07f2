from itertools import combinations, pairwise, permutations

import numpy as np
import pytest

from ser_core.geometry import ordering
from ser_core.geometry.russell import reference


def between(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def length(distances: np.ndarray, order) -> float:
    return sum(distances[a, b] for a, b in pairwise(order))


def test_the_circle_ascends_and_words_without_a_place_come_last_as_they_stand():
    names = ["wistful", "sadness", "neutral", "calm", "happiness", "anger", "fear", "disgust", "boredom", "surprise"]
    found = [names[place] for place in ordering.circular(names)]
    assert found == [
        "happiness", "surprise", "anger", "fear", "disgust", "sadness", "boredom", "calm", "wistful", "neutral",
    ]  # fmt: skip
    angles = [reference(name) for name in found[:-2]]
    assert angles == sorted(angles)


def test_the_clustered_order_keeps_groups_together_whatever_the_order_of_the_rows():
    points = np.array([[0, 0], [10, 0], [0.5, 0], [10.4, 0.2], [30, 5], [0.2, 0.6]], float)
    for shuffled in ([0, 1, 2, 3, 4, 5], [4, 2, 0, 5, 3, 1], [3, 5, 1, 4, 0, 2]):
        found = [shuffled[place] for place in ordering.clustered(between(points[shuffled]))]
        places = {row: found.index(row) for row in range(6)}
        assert max(places[row] for row in (0, 2, 5)) - min(places[row] for row in (0, 2, 5)) == 2
        assert abs(places[1] - places[3]) == 1
        assert places[4] in {0, 5}


def test_the_clustered_order_is_the_shortest_that_the_tree_allows():
    points = np.array([[0, 0], [1, 0], [5, 0], [6.5, 0]], float)  # two pairs: eight orders keep both together
    distances = between(points)[np.ix_([1, 3, 0, 2], [1, 3, 0, 2])]
    pairs = ({0, 2}, {1, 3})
    allowed = [order for order in permutations(range(4)) if set(order[:2]) in pairs]
    assert length(distances, ordering.clustered(distances)) == min(length(distances, order) for order in allowed)


@pytest.mark.parametrize("seed", range(6))
def test_the_groups_are_those_of_average_linkage(seed):
    points = np.random.default_rng(seed).normal(size=(9, 2))
    distances, groups = between(points), [(row,) for row in range(9)]
    order = ordering.clustered(distances)
    while len(groups) > 1:  # by hand: join the two whose members are closest on average
        a, b = min(combinations(groups, 2), key=lambda pair: distances[np.ix_(*pair)].mean())
        groups = [group for group in groups if group not in (a, b)] + [a + b]
        places = [order.index(row) for row in a + b]
        assert max(places) - min(places) == len(places) - 1


def test_two_emotions_stay_as_they_are():
    assert ordering.clustered(np.array([[0.0, 3.0], [3.0, 0.0]])) == [0, 1]


@pytest.mark.parametrize(
    ("distances", "said"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\): expected a square"),
        (np.array([[0, np.nan], [np.nan, 0]]), "finite values"),
        (np.array([[0.0, -1.0], [-1.0, 0.0]]), "finite values"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "0 to oneself"),
        (np.array([[0.0, 2.0], [3.0, 0.0]]), "not the same both ways"),
    ],
)
def test_what_is_no_matrix_of_distances_is_refused(distances, said):
    with pytest.raises(ordering.OrderingError, match=said):
        ordering.clustered(distances)
