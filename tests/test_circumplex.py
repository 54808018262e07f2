"""Centroids on a circle: the report's table, turns against SciPy's, intervals against plain loops over speakers."""

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray

from ser_core.geometry.circular import circular_correlation, order_agreement
from ser_core.geometry.circumplex import Alignment, align, circle, polar
from ser_core.geometry.russell import CircumplexError, coordinates, reference

TABLE_1 = {
    "Sad": (5.19, 51.65), "Disgust": (1.77, 67.37), "Fear": (2.50, 172.78), "Happy": (1.91, 183.12),
    "Anger": (5.23, 185.23), "Neutral": (4.81, 322.68), "Boredom": (5.40, 353.36),
}  # fmt: skip
ALL = ("happiness", "surprise", "anger", "fear", "disgust", "sadness", "boredom", "calm", "neutral")


def _points(radius, degrees) -> NDArray[np.float64]:
    return np.column_stack([radius * np.cos(np.radians(degrees)), radius * np.sin(np.radians(degrees))])


def _apart(a, b) -> NDArray[np.float64]:
    return np.abs((np.asarray(a) - np.asarray(b) + 180) % 360 - 180)


def test_the_reports_table_comes_back_with_its_order():
    radius, angle = np.array(list(TABLE_1.values())).T
    shuffled = np.random.default_rng(0).permutation(7)
    names = np.array(list(TABLE_1))[shuffled]
    found = polar(list(names), _points(radius, angle)[shuffled])
    assert found.radius == pytest.approx(radius[shuffled], abs=1e-12)
    assert found.angle == pytest.approx(angle[shuffled], abs=1e-9)
    assert found.order == ("Sad", "Disgust", "Fear", "Happy", "Anger", "Neutral", "Boredom")


def test_the_reports_order_is_russells_the_other_way_round():
    # Counter-clockwise from sad, Russell has boredom, happiness, anger, fear, disgust: the table runs backwards, and
    # with happy and angry swapped, so that 4 of the 20 triples agree and 16 do not.
    words = {"Sad": "sadness", "Happy": "happiness"}
    shown = {words.get(name, name.lower()): angle for name, (_, angle) in TABLE_1.items() if name != "Neutral"}
    angles = np.array([reference(name) for name in shown], float)
    assert order_agreement(list(shown.values()), angles) == pytest.approx((4 - 16) / 20, abs=1e-12)
    assert circular_correlation(list(shown.values()), angles) == pytest.approx(-0.699, abs=5e-4)


def test_angles_stay_below_360():
    found = polar(["a", "b", "c"], np.array([[1.0, -1e-20], [1.0, -0.0], [1.0, 1e-20]]))
    assert (found.angle < 1e-9).all()
    assert polar(["a"], np.array([[1.0, -1.0]])).angle == pytest.approx([315])


@pytest.mark.parametrize("rotation", [-179.5, -90.0, -12.5, 0.0, 33.0, 180.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_known_turn_is_found_again(rotation: float, *, mirrored: bool):
    points = np.random.default_rng(1).normal(size=(6, 2))
    turned = Alignment(rotation, mirrored).apply(points)
    flip = np.diag([1.0, -1.0 if mirrored else 1.0])
    by_hand = np.radians(rotation)
    matrix = np.array([[np.cos(by_hand), -np.sin(by_hand)], [np.sin(by_hand), np.cos(by_hand)]]) @ flip
    assert turned == pytest.approx(points @ matrix.T, abs=1e-12)
    for mirror in (None, mirrored):
        found = align(points, 0.01 * turned, mirror=mirror)
        assert found.mirrored is mirrored
        assert _apart(found.rotation, rotation) < 1e-9
        assert found.apply(points) == pytest.approx(turned, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_turns_agree_with_scipys_procrustes(seed: int):
    points, targets = np.random.default_rng(seed).normal(size=(2, 8, 2))
    matrix, _ = scipy.linalg.orthogonal_procrustes(points, targets)
    found = align(points, targets, mirror=None)
    assert found.apply(points) == pytest.approx(points @ matrix, abs=1e-9)
    assert found.mirrored == (np.linalg.det(matrix) < 0)


def test_a_forced_mirror_image_is_the_best_of_its_kind():
    points, targets = np.random.default_rng(9).normal(size=(2, 8, 2))
    for mirrored in (False, True):
        found = align(points, targets, mirror=mirrored)
        assert found.mirrored is mirrored
        error = np.square(found.apply(points) - targets).sum()
        others = [np.square(Alignment(r, mirrored).apply(points) - targets).sum() for r in range(-180, 180)]
        assert error <= min(others)
        assert error == pytest.approx(min(others), rel=1e-3)


def test_two_opposite_points_are_not_mirrored_for_nothing():
    points = _points(1, np.array([20.0, 200.0]))
    for degrees in np.arange(0, 360, 7.3):
        assert not align(points, _points(1, np.array([degrees, degrees + 180])), mirror=None).mirrored


def test_shapes_are_checked():
    with pytest.raises(CircumplexError, match="2 points and 3 references"):
        align(np.zeros((2, 2)), np.zeros((3, 2)), mirror=None)
    with pytest.raises(CircumplexError, match="needs two coordinates"):
        polar(["a"], np.zeros((1, 3)))
    with pytest.raises(CircumplexError, match="1 names for 2 centroids"):
        polar(["a"], np.zeros((2, 2)))
    with pytest.raises(CircumplexError, match="2 points, 1 labels, 2 speakers"):
        circle(np.zeros((2, 2)), ["anger"], ["a", "b"], alignment=None, n_resamples=1, seed=0)
    with pytest.raises(CircumplexError, match="0 points"):
        circle(np.zeros((0, 2)), [], [], alignment=None, n_resamples=1, seed=0)


def _corpus(seed: int, *, names=ALL, n_speakers: int = 12, noise: float = 0.4, turn: Alignment | None = None):
    """Clips around Russell's places, each speaker with an offset and a tone of their own."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.tile(names, n_speakers), 3)
    speakers = np.repeat([f"s{n}" for n in range(n_speakers)], 3 * len(names))
    place = np.array([coordinates(name) or (0.5, 0.1) for name in labels])
    own = {(s, name): random.normal(size=2) * noise for s in set(speakers) for name in sorted(set(names))}
    place += [own[key] for key in zip(speakers, labels, strict=True)]
    place += random.normal(size=place.shape) * noise
    keep = random.random(len(labels)) > 0.15  # not every speaker says everything equally often
    return (turn or Alignment(0.0, mirrored=False)).apply(place)[keep], labels[keep], speakers[keep]


def test_russells_own_circle_is_recognised_however_it_is_turned():
    names = [name for name in ALL if name != "neutral"]
    places = np.array([coordinates(name) for name in names])
    labels, speakers = names * 2, ["a"] * 8 + ["b"] * 8
    centred = np.tile(places - places.mean(axis=0), (2, 1))
    own = circle(centred, labels, speakers, alignment=None, n_resamples=20, seed=0)
    for turn in (Alignment(100.0, mirrored=False), Alignment(-70.0, mirrored=True)):
        points = turn.apply(np.tile(places, (2, 1))) * 3 + [5, -2]
        found = circle(points, labels, speakers, alignment=None, n_resamples=20, seed=0)
        assert found.alignment.mirrored == turn.mirrored
        assert found.polar.angle == pytest.approx(own.polar.angle, abs=1e-9)
        assert found.polar.radius == pytest.approx(3 * own.polar.radius, abs=1e-9)
        assert found.order_agreement == 1.0
        assert found.order_agreement_95 == (1.0, 1.0)
        assert found.correlation is not None
        assert found.correlation > 0.95


def test_centroids_are_means_around_the_mean_of_all_clips():
    points, labels, speakers = _corpus(0)
    found = circle(points, list(labels), list(speakers), alignment=None, n_resamples=10, seed=0)
    assert found.names == ALL
    by_hand = np.array([points[labels == name].mean(axis=0) for name in ALL]) - points.mean(axis=0)
    expected = polar(ALL, by_hand)
    assert found.raw.radius == pytest.approx(expected.radius, abs=1e-9)
    assert found.raw.angle == pytest.approx(expected.angle, abs=1e-9)
    assert list(found.n_clips) == [int((labels == name).sum()) for name in ALL]
    angles = np.array([reference(name) for name in ALL[:-1]], float)
    assert found.reference[:-1] == pytest.approx(angles)
    assert np.isnan(found.reference[-1])
    matrix, _ = scipy.linalg.orthogonal_procrustes(by_hand[:-1], _points(1, angles))
    assert found.polar.angle == pytest.approx(polar(ALL, by_hand @ matrix).angle, abs=1e-9)
    assert found.correlation == pytest.approx(circular_correlation(found.polar.angle[:-1], angles), abs=1e-12)
    assert found.order_agreement == order_agreement(found.polar.angle[:-1], angles)


def _copied(points, labels, speakers, drawn, alignment):
    """One resample by copying the clips of the drawn speakers: angles (NaN if absent), correlation, agreement."""
    rows = np.concatenate([np.flatnonzero(speakers == name) for name in drawn])
    x, y = points[rows] - points[rows].mean(axis=0), labels[rows]
    names = [name for name in ALL if (y == name).any()]
    centroids = np.array([x[y == name].mean(axis=0) for name in names])
    known = np.array([reference(name) is not None for name in names])
    angles = np.array([reference(name) or 0.0 for name in names])
    if alignment is None:
        matrix, _ = scipy.linalg.orthogonal_procrustes(centroids[known], _points(1, angles[known]))
        centroids = centroids @ matrix
    else:
        centroids = alignment.apply(centroids)
    found = polar(names, centroids).angle
    whole = [found[names.index(name)] if name in names else np.nan for name in ALL]
    return whole, circular_correlation(found[known], angles[known]), order_agreement(found[known], angles[known])


@pytest.mark.parametrize("alignment", [None, Alignment(-40.0, mirrored=True)])
def test_intervals_agree_with_copying_the_clips_of_the_drawn_speakers(alignment: Alignment | None):
    points, labels, speakers = _corpus(3, n_speakers=5, noise=0.7)
    there = ~((labels == "disgust") & (speakers != "s1"))  # one emotion from one speaker: absent in some resamples
    points, labels, speakers = points[there], labels[there], speakers[there]
    found = circle(points, list(labels), list(speakers), alignment=alignment, n_resamples=200, seed=7)
    weights = np.random.default_rng(7).multinomial(5, np.full(5, 0.2), 200)
    names = np.unique(speakers)
    copies = [_copied(points, labels, speakers, np.repeat(names, row), alignment) for row in weights]
    angles, correlations, agreements = (np.array(part) for part in zip(*copies, strict=True))
    assert np.isnan(angles[:, ALL.index("disgust")]).sum() > 20
    away = (angles - found.polar.angle + 180) % 360 - 180
    expected = found.polar.angle + np.nanpercentile(away, [2.5, 97.5], axis=0)
    assert found.angle_95 == pytest.approx(expected.T, abs=1e-8)
    assert found.correlation_95 == pytest.approx(tuple(np.percentile(correlations, [2.5, 97.5])), abs=1e-9)
    assert found.order_agreement_95 == pytest.approx(tuple(np.percentile(agreements, [2.5, 97.5])), abs=1e-9)


def test_an_interval_across_zero_degrees_stays_in_one_piece():
    points, labels, speakers = _corpus(5, noise=0.2)
    labels, speakers = list(labels), list(speakers)
    whole = circle(points, labels, speakers, alignment=Alignment(0.0, mirrored=False), n_resamples=300, seed=0)
    angle = whole.polar.angle[0]
    for shift in (0.5, -0.5):  # happiness turned to lie just above, then just below, 0 degrees
        turn = Alignment(shift - angle, mirrored=False)
        found = circle(points, labels, speakers, alignment=turn, n_resamples=300, seed=0)
        assert found.angle_95 is not None
        assert whole.angle_95 is not None
        assert found.polar.angle[0] == pytest.approx(shift % 360, abs=1e-9)
        assert np.diff(found.angle_95) == pytest.approx(np.diff(whole.angle_95), abs=1e-9)
        low, high = found.angle_95[0]
        assert low < found.polar.angle[0] < high
        assert low < 0 if shift > 0 else high > 360


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    # with 20 speakers, the percentile interval of an angle that is well defined; its direction is known, 90 degrees
    random = np.random.default_rng(12)
    names = ["anger", "calm", "sadness", "fear"]
    held = []
    for seed in range(200):
        means = np.array([[0, 1.0], [1, -0.2], [-1, 0.2], [0, -1.0]]) + random.normal(size=(20, 4, 2)) * 0.5
        found = circle(
            means.reshape(-1, 2), names * 20, list(np.repeat(np.arange(20).astype(str), 4)),
            alignment=Alignment(0.0, mirrored=False), n_resamples=200, seed=seed,
        )  # fmt: skip
        assert found.angle_95 is not None
        low, high = found.angle_95[found.names.index("anger")]
        held.append(low <= 90 <= high)
    assert 0.88 < np.mean(held) < 0.98  # sampling error of 200: 0.016; percentiles of 20 speakers are a little narrow


def test_what_is_missing_is_none_or_nan():
    points = np.random.default_rng(0).normal(size=(40, 2))
    few = circle(points, ["neutral", "wistful"] * 20, ["a", "b"] * 20, alignment=None, n_resamples=50, seed=0)
    assert few.alignment == Alignment(0.0, mirrored=False)
    assert np.isnan(few.reference).all()
    assert (few.correlation, few.correlation_95, few.order_agreement, few.order_agreement_95) == (None,) * 4
    lone = circle(points, ["anger", "wistful"] * 20, ["a", "b"] * 20, alignment=None, n_resamples=50, seed=0)
    assert lone.alignment == Alignment(0.0, mirrored=False)
    two = circle(points, ["anger", "calm", "wistful", "calm"] * 10, ["a"] * 40, alignment=None, n_resamples=50, seed=0)
    assert two.names == ("anger", "calm", "wistful")
    assert (two.angle_95, two.correlation) == (None, None)
    assert two.alignment.rotation != 0
    one = circle(points, ["anger", "calm", "fear", "calm"] * 10, ["a"] * 40, alignment=None, n_resamples=50, seed=0)
    assert (one.angle_95, one.correlation_95, one.order_agreement_95) == (None, None, None)
    assert one.correlation is not None


@pytest.mark.parametrize("seed", range(5))
def test_a_resample_without_two_emotions_to_turn_by_counts_for_nothing(seed: int):
    points = np.random.default_rng(seed).normal(size=(3, 2))
    emotions, speakers = ["anger", "calm", "wistful"], ["a", "b", "c"]
    found = circle(points, emotions, speakers, alignment=None, n_resamples=200, seed=1)
    places = np.array([coordinates("anger"), coordinates("calm")])
    angles = []
    for weights in np.random.default_rng(1).multinomial(3, np.full(3, 1 / 3), 200):
        if weights[0] and weights[1]:
            centroids = points[:2] - np.average(points, axis=0, weights=weights)
            angles.append(polar(emotions[:2], align(centroids, places, mirror=None).apply(centroids)).angle)
    away = (np.array(angles) - found.polar.angle[:2] + 180) % 360 - 180
    expected = found.polar.angle[:2] + np.percentile(away, [2.5, 97.5], axis=0)
    assert found.angle_95 is not None
    assert found.angle_95[:2] == pytest.approx(expected.T, abs=1e-9)


def test_without_resamples_there_are_no_intervals():
    points = np.random.default_rng(0).normal(size=(6, 2))
    found = circle(points, list(ALL[:3]) * 2, ["a", "b", "c"] * 2, alignment=None, n_resamples=0, seed=1)
    assert np.isnan(found.angle_95 if found.angle_95 is not None else 0).all()
    assert np.isnan(found.correlation_95 or 0).all()


def test_the_order_of_clips_does_not_matter():
    points, labels, speakers = _corpus(8, n_speakers=6)
    order = np.random.default_rng(0).permutation(len(points))
    one, other = (
        circle(points[rows], list(labels[rows]), list(speakers[rows]), alignment=None, n_resamples=50, seed=2)
        for rows in (np.arange(len(points)), order)
    )
    assert one.polar.angle == pytest.approx(other.polar.angle, abs=1e-9)
    assert one.angle_95 == pytest.approx(other.angle_95, abs=1e-9)
    assert one.correlation_95 == pytest.approx(other.correlation_95, abs=1e-9)
