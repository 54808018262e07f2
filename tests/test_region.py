"""Where the true place of a placed clip lies."""

from math import ceil
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import Delaunay
from scipy.spatial.distance import mahalanobis

from ser_core.geometry.placement import AffectError, Placement
from ser_core.geometry.region import Region, coverage, region

MIX = np.array([[0.5, 0.15], [0.0, 0.3]])
BIAS = np.array([0.2, -0.1])


def errors_of(random: np.random.Generator, n_speakers: int, n_each: int, *, own: float = 0.3) -> NDArray[np.float64]:
    """Errors with a bias, of which the speaker makes the share ``own`` of the variance."""
    voices = np.repeat(random.normal(size=(n_speakers, 2)), n_each, axis=0)
    return (np.sqrt(1 - own) * random.normal(size=voices.shape) + np.sqrt(own) * voices) @ MIX + BIAS


def placed(errors: NDArray[np.float64], n_speakers: int, *, shared: bool | None = False) -> Placement:
    spots = np.random.default_rng(9).uniform(-1, 1, errors.shape)
    speakers = np.array([f"s{row * n_speakers // len(errors):02d}" for row in range(len(errors))])
    return Placement(spots + errors, spots, speakers, shared_speakers=shared)


def some(n_speakers: int = 8, n_each: int = 25) -> Placement:
    return placed(errors_of(np.random.default_rng(0), n_speakers, n_each), n_speakers)


def found(placement: Placement, share: float = 0.95) -> Region:
    result = region(placement, share=share)
    assert result is not None
    return result


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_matrix_and_radius_by_hand(share: float) -> None:
    placement = some()
    errors = placement.truth - placement.placed
    result = found(placement, share)
    second = sum(np.outer(error, error) for error in errors) / len(errors)
    assert result.matrix == pytest.approx(second, abs=1e-9)
    sizes = sorted(mahalanobis(error, [0, 0], np.linalg.inv(second)) for error in errors)
    assert result.radius == pytest.approx(sizes[ceil(201 * share - 1e-9) - 1], abs=1e-9)
    assert (result.share, result.n_clips, result.n_speakers) == (share, 200, 8)
    assert result.holds(errors).sum() == ceil(201 * share - 1e-9)


def test_a_bias_is_part_of_its_shape() -> None:
    placement = some()
    bias = (placement.truth - placement.placed).mean(axis=0)
    centred = Placement(placement.truth - bias, placement.placed, placement.speakers, shared_speakers=False)
    assert np.abs(bias).max() > 0.1
    assert found(placement).matrix - found(centred).matrix == pytest.approx(np.outer(bias, bias), abs=1e-9)


def test_the_ellipse_is_the_edge_of_what_it_holds() -> None:
    result, centre = found(some()), np.array([0.3, -0.2])
    edge = result.ellipse(centre)
    assert edge.shape == (73, 2)
    assert edge[0] == pytest.approx(edge[-1], abs=1e-12)
    inverse = np.linalg.inv(result.matrix)
    assert [mahalanobis(point, centre, inverse) for point in edge] == pytest.approx([result.radius] * 73, abs=1e-9)
    fine = result.ellipse(centre, 4001)
    errors = np.random.default_rng(3).normal(size=(500, 2))
    assert np.array_equal(Delaunay(fine[:-1]).find_simplex(centre + errors) >= 0, result.holds(errors))


def test_the_half_widths_hold_each_axis_alone() -> None:
    placement = some()
    errors = np.abs(placement.truth - placement.placed)
    errors = errors[np.isfinite(errors).all(axis=1)]
    rank = int(np.ceil((len(errors) + 1) * 0.95))
    result = found(placement)
    assert result.half_widths == pytest.approx([sorted(axis)[rank - 1] for axis in errors.T.tolist()], abs=1e-12)
    reach = np.abs(result.ellipse(np.zeros(2), 4001)).max(axis=0)
    assert (result.half_widths < reach).all()  # which holds both at once


def test_nineteen_clips_are_enough_for_95_percent_and_eighteen_are_not() -> None:
    errors = errors_of(np.random.default_rng(1), 19, 1)
    enough = placed(errors, 19)
    assert found(enough).holds(enough.truth - enough.placed).all()
    assert region(placed(errors[:18], 18)) is None
    assert found(placed(errors[:18], 18), 0.9).n_clips == 18


def test_a_whole_rank_is_not_rounded_up() -> None:
    for n in range(19, 400, 4):
        placement = placed(errors_of(np.random.default_rng(n), n, 1), n)
        errors = placement.truth - placement.placed
        for percent in (55, 70, 80, 90, 95):
            held = found(placement, percent / 100).holds(errors).sum()
            assert held == -(-(n + 1) * percent // 100)


def test_clips_without_a_true_place_take_no_part() -> None:
    placement = some()
    holes = placement.truth.copy()
    holes[::5, 0] = np.nan
    holes[1::50] = np.nan
    rest = np.isfinite(holes).all(axis=1)
    whole = Placement(holes[rest], placement.placed[rest], placement.speakers[rest], shared_speakers=False)
    one, other = (
        found(Placement(holes, placement.placed, placement.speakers, shared_speakers=False)),
        found(whole),
    )
    assert one.radius == other.radius
    assert np.array_equal(one.matrix, other.matrix)
    assert one.n_clips == rest.sum()
    assert coverage(Placement(holes, placement.placed, placement.speakers, shared_speakers=False)) == coverage(whole)


@pytest.mark.parametrize("shared", [True, None])
def test_errors_on_known_speakers_are_refused(shared: Any) -> None:
    with pytest.raises(AffectError, match="speakers that the map knew"):
        region(placed(errors_of(np.random.default_rng(0), 4, 20), 4, shared=shared))


def test_errors_on_a_line_or_none_have_no_region() -> None:
    errors = errors_of(np.random.default_rng(0), 4, 20)
    errors[:, 1] = 2 * errors[:, 0]
    assert region(placed(errors, 4)) is None
    spots = np.zeros((80, 2))
    exact = Placement(spots, spots, np.repeat(["a", "b"], 40), shared_speakers=False)
    assert region(exact) is None
    with pytest.raises(AffectError, match="too few clips with a true place for a region that holds 95% of them"):
        coverage(exact)


def test_new_clips_of_new_speakers_are_held_as_promised() -> None:
    shares = []
    for seed in range(120):
        random = np.random.default_rng(seed)
        result = found(placed(errors_of(random, 24, 20), 24))
        shares.append(result.holds(errors_of(random, 24, 20)).mean())
    assert np.mean(shares) == pytest.approx(0.948, abs=0.006)  # standard error 0.0013


def test_coverage_leaves_each_speaker_out() -> None:
    placement = some(4, 30)
    overall, each = coverage(placement)
    errors = placement.truth - placement.placed
    for name in ("s00", "s03"):
        rest = placement.speakers != name
        other = Placement(
            placement.truth[rest], placement.placed[rest], placement.speakers[rest], shared_speakers=False
        )
        assert each[name] == pytest.approx(found(other).holds(errors[~rest]).mean(), abs=1e-12)
    assert list(each) == ["s00", "s01", "s02", "s03"]
    assert overall == pytest.approx(np.mean(list(each.values())), abs=1e-12)
    with pytest.raises(AffectError, match="without s00, too few clips for a region that holds 95% of them"):
        coverage(placed(errors_of(np.random.default_rng(0), 2, 12), 2))
