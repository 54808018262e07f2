"""A plane that was turned is turned back; against a search, and by speakers left out."""

import numpy as np
import pytest

from ser_core.geometry import rotation

CENTRES = np.array([[0.0, 0.0], [1.0, 0.2], [0.3, 1.5], [-1.0, 0.8]])


def turned_by(points: np.ndarray, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.radians(degrees)
    return points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + shift


@pytest.mark.parametrize("degrees", [-150.0, -30.0, 0.0, 75.0])
def test_a_planted_turn_is_found_and_undone(degrees):
    moved = turned_by(CENTRES, -degrees, (3.0, -2.0))
    found = rotation.turn(moved, CENTRES)
    assert found.degrees == pytest.approx(degrees, abs=1e-9)
    assert found.apply(moved, turned=True) == pytest.approx(CENTRES, abs=1e-9)
    shifted = found.apply(moved, turned=False)
    assert shifted.mean(axis=0) == pytest.approx(CENTRES.mean(axis=0), abs=1e-12)


def test_it_is_the_turn_of_least_squares():
    random = np.random.default_rng(4)
    own, goal = random.normal(size=(4, 2)), random.normal(size=(4, 2))
    left, right = own - own.mean(axis=0), goal - goal.mean(axis=0)
    angles = np.arange(-180, 180, 0.01)
    missed = [np.square(turned_by(left, angle, (0, 0)) - right).sum() for angle in angles]
    assert rotation.turn(own, goal).degrees == pytest.approx(angles[np.argmin(missed)], abs=0.011)


def test_emotions_that_one_lacks_do_not_count():
    own = CENTRES.copy()
    own[1] = np.nan
    assert rotation.turn(own, CENTRES).degrees == pytest.approx(0.0, abs=1e-9)
    own[2:] = np.nan
    assert rotation.turn(own, CENTRES) is None


def clouds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, speakers = np.resize(np.arange(4), 48), np.repeat(["a", "b", "c"], 16)
    return turned_by(CENTRES[y], 40, (1.0, 1.0)), y, speakers


def test_a_speaker_is_brought_by_the_others_alone():
    points, y, speakers = clouds()
    assert rotation.undone(points, y, speakers, goal=CENTRES, turned=True) == pytest.approx(CENTRES[y], abs=1e-9)
    other = points.copy()
    other[speakers == "b"] = turned_by(other[speakers == "b"], 90, (9.0, 0.0))
    found = rotation.undone(other, y, speakers, goal=CENTRES, turned=True)
    for name in "abc":
        own = speakers == name
        theirs = rotation.turn(rotation.centres(other[~own], y[~own], n_classes=4), CENTRES)
        assert found[own] == pytest.approx(theirs.apply(other[own], turned=True), abs=1e-9)


def test_one_speaker_cannot_be_brought():
    points, y, _ = clouds()
    assert np.isnan(rotation.undone(points, y, np.full(48, "a"), goal=CENTRES, turned=True)).all()


def test_centres_are_means():
    points, y = np.array([[0.0, 2.0], [2.0, 0.0], [5.0, 5.0]]), np.array([0, 0, 2])
    found = rotation.centres(points, y, n_classes=3)
    assert found[[0, 2]].tolist() == [[1.0, 1.0], [5.0, 5.0]]
    assert np.isnan(found[1]).all()
