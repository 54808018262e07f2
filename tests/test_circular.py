"""Statistics on a circle against their definitions, written out as loops, and cases worked by hand."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ser_core.geometry.circular import circular_correlation, order_agreement, order_test
from ser_core.geometry.russell import CircumplexError


@pytest.fixture
def two_series() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(4)
    return random.uniform(0, 360, 7), random.uniform(0, 360, 7)


def _loop_correlation(a, b) -> float:
    together = of_a = of_b = 0.0
    for i in range(len(a)):
        for j in range(len(a)):
            x, y = math.sin(math.radians(a[i] - a[j])), math.sin(math.radians(b[i] - b[j]))
            together, of_a, of_b = together + x * y, of_a + x * x, of_b + y * y
    return together / math.sqrt(of_a * of_b)


def _runs_up(x: float, y: float, z: float) -> int:
    """1 if the way round from x to y to z is counter-clockwise, -1 if not, 0 if two are equal."""
    if len({x, y, z}) < 3:
        return 0
    return 1 if (y - x) % 360 < (z - x) % 360 else -1


def _loop_agreement(a, b) -> float:
    products = []
    for i, j, k in itertools.permutations(range(len(a)), 3):
        products.append(_runs_up(a[i], a[j], a[k]) * _runs_up(b[i], b[j], b[k]))
    return sum(products) / len(products)


def test_correlation_is_fisher_and_lees(two_series):
    a, b = two_series
    assert circular_correlation(a, b) == pytest.approx(_loop_correlation(a, b), abs=1e-12)
    assert -1 < circular_correlation(a, b) < 1


def test_correlation_ignores_turns_and_changes_sign_in_a_mirror(two_series):
    a, b = two_series
    value = circular_correlation(a, b)
    assert abs(value) > 0.01
    assert circular_correlation(a + 123.4, b - 250) == pytest.approx(value, abs=1e-12)
    assert circular_correlation(-a, b) == pytest.approx(-value, abs=1e-12)
    assert circular_correlation(b, a) == pytest.approx(value, abs=1e-12)
    assert circular_correlation(a, a + 300) == pytest.approx(1, abs=1e-12)
    assert circular_correlation(a, 77 - a) == pytest.approx(-1, abs=1e-12)


def test_correlation_is_undefined_where_angles_do_not_vary():
    assert np.isnan(circular_correlation([30, 210, 30], [1, 2, 3]))
    assert np.isnan(circular_correlation([1, 2, 3], [360, 0, 0]))


def test_agreement_is_the_mean_over_triples(two_series):
    a, b = two_series
    assert order_agreement(a, b) == pytest.approx(_loop_agreement(a, b), abs=1e-12)
    a[3] = a[1] + 360  # the same direction: its triples with both count for neither
    assert order_agreement(a, b) == pytest.approx(_loop_agreement(a % 360, b), abs=1e-12)


def test_agreement_is_one_for_the_same_order_and_minus_one_reversed(two_series):
    a, _ = two_series
    ranks = np.argsort(np.argsort(a)).astype(float)
    assert order_agreement(a, ranks) == 1.0
    assert order_agreement(a + 200, ranks) == 1.0
    assert order_agreement(-a, ranks) == -1.0


def test_two_neighbours_swapped_cost_their_share_of_triples():
    # of the 10 triples of five, the 3 with both swapped ones turn round: (7 - 3) / 10
    assert order_agreement([0, 72, 144, 216, 288], [0, 144, 72, 216, 288]) == pytest.approx(0.4, abs=1e-12)


def test_the_mean_agreement_of_unrelated_orders_is_none():
    values = [order_agreement(range(5), order) for order in itertools.permutations(range(5))]
    assert np.mean(values) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("measure", [circular_correlation, order_agreement])
def test_series_have_to_match(measure):
    with pytest.raises(CircumplexError, match=r"shapes \(3,\) and \(4,\): expected two equally long series"):
        measure([1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(CircumplexError, match="or more"):
        measure([1], [1])


def _table(upper: dict[tuple[int, int], float], k: int) -> NDArray[np.float64]:
    table = np.zeros((k, k))
    for (i, j), value in upper.items():
        table[i, j] = table[j, i] = value
    return table


def test_four_points_by_hand():
    # Circle 0-1-2-3: sides 01 12 23 03, diagonals 02 13, so 4 x 2 = 8 predictions "side < diagonal".
    # 02 = 5 exceeds 1, 2, 3 and ties with 5; 13 = 2.5 exceeds 1 and 2, not 3 and 5: 5 met, 2 violated, 1 tied.
    # Circle 0-1-3-2 has the diagonals 03 = 5 and 12 = 2: met 4 - 1 (02 ties) = 3 and 1 = 4.
    # Circle 0-2-1-3 has the diagonals 01 = 1 and 23 = 3: met 0 and 2 = 2. So one order of three does as well.
    distances = _table({(0, 1): 1, (1, 2): 2, (2, 3): 3, (0, 3): 5, (0, 2): 5, (1, 3): 2.5}, 4)
    test = order_test(distances, [0, 1, 2, 3])
    assert (test.n_predictions, test.met, test.violated, test.tied, test.n_orders) == (8, 5, 2, 1, 3)
    assert test.index == pytest.approx(3 / 8, abs=1e-12)
    assert test.p == pytest.approx(1 / 3, abs=1e-12)
    assert order_test(distances, [0, 1, 3, 2]).p == pytest.approx(2 / 3, abs=1e-12)
    assert order_test(distances, [2, 0, 3, 1]).p == 1.0


def _polygon(angles) -> NDArray[np.float64]:
    corners = np.exp(1j * np.radians(angles))
    return np.abs(corners[:, None] - corners)


def test_a_perfect_circle_of_six():
    test = order_test(_polygon(np.arange(6) * 60.0), range(6))
    assert (test.n_predictions, test.met, test.n_orders, test.index) == (72, 72, 60, 1.0)
    assert test.p == pytest.approx(1 / 60, abs=1e-12)
    again = order_test(_polygon(np.array([120.0, 0, 300, 60, 240, 180])), [3, 0, 5, 4, 2, 1])
    assert (again.index, again.p) == (1.0, test.p)


def test_start_and_direction_of_the_order_do_not_matter():
    distances = _polygon(np.random.default_rng(2).uniform(0, 360, 7))
    test = order_test(distances, [3, 0, 5, 4, 2, 1, 6])
    assert test == order_test(distances, [5, 4, 2, 1, 6, 3, 0]) == order_test(distances, [6, 1, 2, 4, 5, 0, 3])
    assert test != order_test(distances, [3, 0, 5, 4, 2, 6, 1])


def _met(distances, order) -> int:
    """Predictions met, from the definition, over all ordered pairs of pairs."""
    k, place = len(order), {item: position for position, item in enumerate(order)}

    def steps(pair) -> int:
        apart = abs(place[pair[0]] - place[pair[1]])
        return min(apart, k - apart)

    pairs = list(itertools.combinations(range(k), 2))
    return sum(steps(p) < steps(q) and distances[p] < distances[q] for p in pairs for q in pairs)


@pytest.mark.parametrize("seed", range(5))
def test_p_is_the_share_of_all_permutations_that_do_as_well(seed: int):
    random = np.random.default_rng(seed)
    distances = random.uniform(1, 2, (5, 5))
    distances = distances + distances.T
    order = list(random.permutation(5))
    test = order_test(distances, order)
    met = _met(distances, order)
    counts = [_met(distances, other) for other in itertools.permutations(range(5))]
    assert (test.met, test.n_orders) == (met, 12)
    assert test.p == pytest.approx(np.mean([count >= met for count in counts]), abs=1e-12)
    assert test.index == pytest.approx((2 * met - 25) / 25, abs=1e-12)  # random numbers do not tie


def test_p_is_uniform_where_there_is_no_circle():
    # every order is equally likely to be the best: P(p <= 1/12) is at most, with no ties exactly, 1/12
    random = np.random.default_rng(0)
    values = []
    for _ in range(2000):
        distances = random.uniform(size=(5, 5))
        values.append(order_test(distances + distances.T, range(5)).p)
    share = np.mean(np.array(values) <= 3 / 12 + 1e-9)
    assert share <= 3 / 12 + 3 * math.sqrt(3 / 12 * 9 / 12 / 2000)
    assert share > 0.1


def test_nine_emotions_are_counted_through():
    test = order_test(_polygon(np.arange(9) * 40.0), range(9))
    assert (test.n_orders, test.n_predictions, test.index) == (20_160, 486, 1.0)
    assert test.p == pytest.approx(1 / 20_160, abs=1e-15)


def test_what_cannot_be_tested_is_named():
    for k in (3, 10):
        with pytest.raises(CircumplexError, match=f"{k} emotions: .* with 4 to 9"):
            order_test(np.zeros((k, k)), range(k))
    lopsided = _polygon(np.arange(4) * 90.0)
    lopsided[0, 1] += 1
    missing = np.full((4, 4), np.nan)
    for table in (lopsided, missing, np.zeros((4, 5))):
        with pytest.raises(CircumplexError, match="expected a symmetric table of finite numbers"):
            order_test(table, range(4))
    with pytest.raises(CircumplexError, match=r"order \[0, 1, 2, 2\]: expected each of 0 to 3 once"):
        order_test(np.zeros((4, 4)), [0, 1, 2, 2])
