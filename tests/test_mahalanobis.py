from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import mahalanobis as theirs
from scipy.stats import chi2
from sklearn.covariance import ledoit_wolf

from ser_core.geometry import mahalanobis
from ser_core.geometry.mahalanobis import Covariance, DistanceError

NAMES = ("anger", "sadness", "neutral")
BOTH = pytest.mark.parametrize("covariance", ["pooled", "per-emotion"])


def clips(n: int = 60, *, d: int = 4) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.str_]]:
    """Clips of unequal numbers per emotion, with emotions that move the mean and speakers that do too."""
    random = np.random.default_rng(0)
    emotion, speaker = random.choice(3, size=n, p=[0.5, 0.3, 0.2]), random.integers(5, size=n)
    x = random.normal(size=(n, d)) @ random.normal(size=(d, d)) * (1 + emotion)[:, None]
    x += random.normal(size=(3, d))[emotion] * 2 + random.normal(size=(5, d))[speaker]
    return x, np.array(NAMES)[emotion], np.array([f"s{number}" for number in speaker])


def in_full(
    x: NDArray[np.float64], labels: NDArray[np.str_], *, covariance: Covariance, shrink: bool
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]], list[float]]:
    """Means, covariances and intensities by numpy and scikit-learn, written out."""
    groups = {name: x[labels == name] for name in NAMES}
    means = np.array([rows.mean(axis=0) for rows in groups.values()])
    residuals = {name: rows - rows.mean(axis=0) for name, rows in groups.items()}
    if covariance == "pooled":
        everyone = np.concatenate(list(residuals.values()))
        sets = [(everyone, len(x) - len(NAMES))] * len(NAMES)
    else:
        sets = [(rows, len(rows) - 1) for rows in residuals.values()]
    matrices, intensities = [], []
    for rows, freedom in sets:
        s = ledoit_wolf(rows, assume_centered=True)[1] if shrink else 0.0
        plain = rows.T @ rows / freedom
        matrices.append((1 - s) * plain + s * np.trace(plain) / x.shape[1] * np.eye(x.shape[1]))
        intensities.append(s)
    return means, matrices, intensities


@BOTH
@pytest.mark.parametrize("estimator", ["shrunk", "plain"])
@pytest.mark.parametrize("d", [1, 4])
def test_distances_against_scipy_and_scikit_learn(covariance: Covariance, estimator: str, d: int) -> None:
    shrink = estimator == "shrunk"
    x, labels, _ = clips(d=d)
    found = mahalanobis.distances(x, labels, covariance=covariance, shrink=shrink)
    means, matrices, intensities = in_full(x, labels, covariance=covariance, shrink=shrink)
    assert found.names == NAMES
    np.testing.assert_allclose(found.shrinkage, intensities, atol=1e-9)
    assert (found.shrinkage > 0).all() == (shrink and d > 1)
    for i, mean in enumerate(means):
        for j, other in enumerate(means):
            inverse = np.linalg.inv((matrices[i] + matrices[j]) / 2)
            assert found.between[i, j] == pytest.approx(theirs(mean, other, inverse), abs=1e-9)
        inverse = np.linalg.inv(matrices[i])
        np.testing.assert_allclose(found.to_emotion[:, i], [theirs(row, mean, inverse) for row in x], atol=1e-9)


@BOTH
def test_fewer_clips_than_dimensions_against_the_full_covariance(covariance: Covariance) -> None:
    x, labels, _ = clips(40, d=70)
    found = mahalanobis.distances(x, labels, covariance=covariance, shrink=True)
    means, matrices, intensities = in_full(x, labels, covariance=covariance, shrink=True)
    np.testing.assert_allclose(found.shrinkage, intensities, atol=1e-9)
    assert found.shrinkage.min() > 0
    for i, mean in enumerate(means):
        inverse = np.linalg.inv(matrices[i])
        np.testing.assert_allclose(found.to_emotion[:, i], [theirs(row, mean, inverse) for row in x], atol=1e-9)
    pair = np.linalg.inv((matrices[0] + matrices[2]) / 2)
    assert found.between[0, 2] == pytest.approx(theirs(means[0], means[2], pair), abs=1e-9)


@BOTH
def test_a_rotation_into_the_span_changes_nothing(covariance: Covariance) -> None:
    x, labels, speakers = clips(40, d=70)
    centred = x - x.mean(axis=0)
    span = centred @ np.linalg.svd(centred, full_matrices=False)[2][:39].T
    assert span.shape == (40, 39)
    options = {"covariance": covariance, "shrink": True}
    full = mahalanobis.distances(x, labels, **options)
    reduced = mahalanobis.distances(span, labels, **options, dimensions=70)
    for name in ("between", "to_emotion", "shrinkage"):
        np.testing.assert_allclose(getattr(reduced, name), getattr(full, name), atol=1e-9, err_msg=name)
    assert reduced.dimensions == 70
    np.testing.assert_allclose(reduced.tail(), full.tail(), atol=1e-9)
    forgotten = mahalanobis.distances(span, labels, **options)
    assert abs(forgotten.shrinkage - full.shrinkage).max() > 1e-3  # so `dimensions` is needed
    one, other = (
        mahalanobis.resampled(rows, labels, speakers, **options, dimensions=70, n_resamples=9, seed=0)
        for rows in (x, span)
    )
    for name in ("low", "high", "corrected"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-7, err_msg=name)


def test_how_many_clips_a_covariance_comes_from() -> None:
    x, labels, _ = clips()
    counts = [(labels == name).sum() for name in NAMES]
    own = mahalanobis.distances(x, labels, covariance="per-emotion", shrink=False)
    assert list(own.n_per_covariance) == counts
    assert min(counts) < 16
    assert not own.enough  # 4 dimensions want 16 clips of each
    pooled = mahalanobis.distances(x, labels, covariance="pooled", shrink=False)
    assert list(pooled.n_per_covariance) == [60] * 3
    assert pooled.enough
    for n, enough in ((15, False), (16, True)):
        few = mahalanobis.distances(x[:n], np.resize(NAMES, n), covariance="pooled", shrink=False)
        assert few.enough == enough


def test_the_tail_is_chi_square_for_gaussian_clips() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, 3))
    labels = np.repeat(["anger", "fear"], 2000)
    found = mahalanobis.distances(x, labels, covariance="pooled", shrink=False)
    np.testing.assert_allclose(found.tail(), chi2.sf(found.to_emotion**2, 3), atol=1e-9)
    assert (found.tail()[:2000, 0] < 0.05).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))


@BOTH
@pytest.mark.parametrize("estimator", ["shrunk", "plain"])
@pytest.mark.parametrize("d", [1, 3, 12])
def test_resampling_against_copied_rows(covariance: Covariance, estimator: str, d: int) -> None:
    """Means of copied rows, under the covariance of all clips; the test inverted by brute force."""
    shrink = estimator == "shrunk"
    x, labels, speakers = clips(300, d=d)
    found = mahalanobis.resampled(x, labels, speakers, covariance=covariance, shrink=shrink, n_resamples=40, seed=7)
    people = np.unique(speakers)
    drawn = np.random.default_rng(7).multinomial(5, np.full(5, 0.2), size=40)
    means, matrices, _ = in_full(x, labels, covariance=covariance, shrink=shrink)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        inverse = np.linalg.inv((matrices[a] + matrices[b]) / 2)
        apart = means[a] - means[b]
        measured = theirs(means[a], means[b], inverse)
        steps = []
        for times in drawn:
            rows = np.concatenate(
                [np.flatnonzero(speakers == person) for person, n in zip(people, times, strict=True) for _ in range(n)]
            )
            one, other = (x[rows][labels[rows] == NAMES[k]].mean(axis=0) for k in (a, b))
            steps.append(one - other - apart)

        def fits(length: float, apart=apart, measured=measured, inverse=inverse, steps=steps) -> bool:
            draws = [theirs(length / measured * apart, -step, inverse) for step in steps]
            low, high = np.percentile(np.square(draws), [2.5, 97.5])
            return low <= measured**2 <= high

        step = 1.01 * (measured + 3 * max(theirs(0 * apart, step, inverse) for step in steps)) / mahalanobis.N_TRIED
        for end, outwards in ((found.low[a, b], -step), (found.high[a, b], step)):
            assert fits(end)
            assert end == 0 or not fits(max(end + outwards, 0))
        squares = [theirs(step, 0 * step, inverse) ** 2 for step in steps]
        corrected = np.sqrt(max(measured**2 - np.mean(squares), 0))
        assert found.corrected[a, b] == found.corrected[b, a] == pytest.approx(corrected, abs=1e-8)


@pytest.mark.parametrize("apart", [0.0, 0.3, 3.0])
def test_the_intervals_cover_the_truth(apart: float) -> None:
    """Means so far apart in 3 dimensions, spoken by 16 people who each have a way of their own with an emotion."""
    errors, covered = simulated(apart, d=3, n_people=16)
    assert 0.87 * len(errors) <= covered  # 95 % less two standard errors, and what 16 speakers cost a bootstrap
    if apart == 3:
        assert covered < len(errors)  # an interval that always covers says nothing


def test_the_correction_takes_off_what_noise_adds() -> None:
    errors, _ = simulated(1.0, d=12, n_people=40)
    plain, corrected = errors.mean(axis=0)
    error = errors.std(axis=0) / np.sqrt(len(errors))
    assert plain > 5 * error[0]
    assert abs(corrected) < plain / 4 + 2 * error[1]


def simulated(apart: float, *, d: int, n_people: int) -> tuple[NDArray[np.float64], int]:
    """Errors of the squared distance, plain and corrected, in 60 samples, and how many intervals hold the truth."""
    covered, errors = 0, []
    labels = np.tile(["anger", "fear"], n_people * 6)
    speakers = np.repeat([f"s{number}" for number in range(n_people)], 12)
    step = apart * np.eye(d)[0]
    options = {"covariance": "pooled", "shrink": False}
    for run in range(60):
        random = np.random.default_rng(run)
        own = np.repeat(random.normal(scale=0.5, size=(n_people, 2, d)), 6, axis=0).reshape(-1, d)
        x = random.normal(size=(len(labels), d)) + own + np.outer(labels == "fear", step)
        residuals = np.concatenate([x[labels == name] - x[labels == name].mean(axis=0) for name in ("anger", "fear")])
        truth = step @ np.linalg.solve(residuals.T @ residuals / (len(x) - 2), step)  # in the unit of measurement
        plain = mahalanobis.distances(x, labels, **options).between[0, 1]
        found = mahalanobis.resampled(x, labels, speakers, **options, n_resamples=300, seed=run)
        errors.append((plain**2 - truth, found.corrected[0, 1] ** 2 - truth))
        covered += found.low[0, 1] <= np.sqrt(truth) <= found.high[0, 1]
    return np.array(errors), int(covered)


def test_a_draw_without_an_emotion_is_left_out() -> None:
    random = np.random.default_rng(0)
    x, speakers = random.normal(size=(64, 2)), np.repeat(["a", "b"], 32)
    labels = np.tile(["anger", "fear"], 32)
    labels[:31:2] = "calm"  # spoken by a alone
    found = mahalanobis.resampled(x, labels, speakers, covariance="pooled", shrink=False, n_resamples=50, seed=0)
    assert np.isfinite(found.low).all()
    seed = next(n for n in range(99) if list(np.random.default_rng(n).multinomial(2, [0.5, 0.5], size=1)[0]) == [0, 2])
    voices = np.where(labels == "calm", "c", "d")  # the one draw has d alone, and so no calm
    never = mahalanobis.resampled(x, labels, voices, covariance="pooled", shrink=False, n_resamples=1, seed=seed)
    calm = never.low[[0, 1], [2, 2]]
    assert np.isnan(calm).all()
    assert np.isfinite(never.low[0, 1])


def test_one_dimension_is_never_shrunk() -> None:
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=(30, 1))
        found = mahalanobis.distances(x, np.resize(NAMES, 30), covariance="per-emotion", shrink=True)
        assert list(found.shrinkage) == [0, 0, 0]


def test_progress_ends_at_all_pairs() -> None:
    x, labels, speakers = clips()
    steps: list[tuple[int, int]] = []
    mahalanobis.resampled(
        x, labels, speakers, covariance="per-emotion", shrink=True, n_resamples=4, seed=0,
        progress=lambda done, of: steps.append((done, of)),
    )  # fmt: skip
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_outlying_clips_are_those_furthest_from_their_own_emotion() -> None:
    x, labels, _ = clips()
    x[17] += 50
    found = mahalanobis.distances(x, labels, covariance="per-emotion", shrink=False)
    rows = mahalanobis.outlying(found, labels, n=5)
    own = np.array([found.to_emotion[row, NAMES.index(label)] for row, label in enumerate(labels)])
    assert rows[0] == 17
    assert list(rows) == sorted(range(60), key=lambda row: -own[row])[:5]
    with pytest.raises(DistanceError, match="59 labels"):
        mahalanobis.outlying(found, labels[1:], n=5)


@pytest.mark.parametrize(
    ("n", "d", "covariance", "estimator", "message"),
    [
        (10, 8, "pooled", "plain", r"^10 clips with 8 values each: .* needs 11 or more; shrink it \(Ledoit-Wolf\), or"),
        (40, 30, "per-emotion", "plain", r"clips of anger with 30 values each: .* needs 31 or more; shrink it"),
        (3, 4, "pooled", "shrunk", r"^3 clips .* needs 5 or more; choose more clips$"),
        (4, 4, "pooled", "shrunk", r"^4 clips .* needs 5 or more; choose more clips$"),
        (3, 4, "per-emotion", "shrunk", r"^1 clip of anger .* needs 3 or more; pool the covariances$"),
        (8, 4, "per-emotion", "shrunk", r"^2 clips of neutral .* needs 3 or more; pool the covariances$"),
    ],
)
def test_too_few_clips(n: int, d: int, covariance: Covariance, estimator: str, message: str) -> None:
    shrink = estimator == "shrunk"
    x = np.random.default_rng(0).normal(size=(n, d))
    labels, speakers = np.resize(NAMES, n), np.resize(["a", "b"], n)
    for call in (
        lambda: mahalanobis.distances(x, labels, covariance=covariance, shrink=shrink),
        lambda: mahalanobis.resampled(x, labels, speakers, covariance=covariance, shrink=shrink, n_resamples=2, seed=0),
    ):
        with pytest.raises(DistanceError, match=message):
            call()


def test_just_enough_clips() -> None:
    x = np.random.default_rng(0).normal(size=(11, 8))
    assert np.isfinite(mahalanobis.distances(x, np.resize(NAMES, 11), covariance="pooled", shrink=False).between).all()
    for n, covariance in ((9, "per-emotion"), (5, "pooled")):
        found = mahalanobis.distances(x[:n], np.resize(NAMES, n), covariance=covariance, shrink=True)
        assert np.isfinite(found.between).all()
        assert (found.shrinkage > 0).all()


@pytest.mark.parametrize(("covariance", "clips_of"), [("pooled", "60 clips"), ("per-emotion", r"\d\d clips of anger")])
def test_values_that_follow_from_others(covariance: Covariance, clips_of: str) -> None:
    x, labels, speakers = clips()
    options: dict[str, Any] = {"covariance": covariance, "shrink": False}
    for column in (x[:, 0] - 2 * x[:, 1], np.full(60, 0.1)):
        wider = np.column_stack([x, column])
        said = (
            "with 5 values each: some values follow from others, so that no distance is defined; shrink the covariance"
        )
        with pytest.raises(DistanceError, match=f"^{clips_of} {said}"):
            mahalanobis.distances(wider, labels, **options)
        with pytest.raises(DistanceError, match=said):
            mahalanobis.resampled(wider, labels, speakers, **options, n_resamples=2, seed=0)


def test_shrinking_is_not_advised_where_it_is_done() -> None:
    x, labels, _ = clips()
    same = np.where((labels == "sadness")[:, None], x[labels == "sadness"][0], x)
    with pytest.raises(DistanceError, match=r"^\d+ clips of sadness .*; pool the covariances$"):
        mahalanobis.distances(same, labels, covariance="per-emotion", shrink=True)
    with pytest.raises(DistanceError, match=r"^60 clips .* defined; choose more clips, or measure in the map$"):
        mahalanobis.distances(0 * x, labels, covariance="pooled", shrink=True)


@BOTH
def test_unknown_speakers_are_measured_and_not_drawn(covariance: Covariance) -> None:
    """Draws are steps of the known speakers' means from their own mean."""
    x, labels, speakers = clips(300)
    voices = np.where(speakers == "s1", "unknown", speakers)
    known, options = voices != "unknown", {"covariance": covariance, "shrink": False}
    x[~known] += 0.3
    found = mahalanobis.resampled(x, labels, voices, **options, n_resamples=60, seed=3)
    means, matrices, _ = in_full(x, labels, **options)
    one = matrices[0] if covariance == "pooled" else (matrices[0] + matrices[2]) / 2
    drawn, squares = np.random.default_rng(3).multinomial(4, np.full(4, 0.25), size=60), []
    people = np.unique(voices[known])
    for times in drawn:
        rows = np.concatenate(
            [np.flatnonzero(voices == p) for p, n in zip(people, times, strict=True) for _ in range(n)]
        )
        step = sum(
            sign * (x[rows][labels[rows] == name].mean(axis=0) - x[known & (labels == name)].mean(axis=0))
            for name, sign in ((NAMES[0], 1), (NAMES[2], -1))
        )
        squares.append(step @ np.linalg.inv(one) @ step)
    measured = theirs(means[0], means[2], np.linalg.inv(one))
    assert found.corrected[0, 2] == pytest.approx(np.sqrt(measured**2 - np.mean(squares)), abs=1e-9)
    with pytest.raises(DistanceError, match=r"^1 known speakers of 300 clips"):
        mahalanobis.resampled(x, labels, np.where(speakers == "s1", "s1", "unknown"), **options, n_resamples=2, seed=0)


def test_what_else_cannot_be_measured() -> None:
    x, labels, speakers = clips()
    options = {"covariance": "pooled", "shrink": False}
    with pytest.raises(DistanceError, match="two or more, found anger"):
        mahalanobis.distances(x, ["anger"] * 60, **options)
    with pytest.raises(DistanceError, match="one row for each label"):
        mahalanobis.distances(x, labels[1:], **options)
    for people, message in ((["a"] * 60, "1 known speakers of 60 clips"), (speakers[1:], "of 59 clips")):
        with pytest.raises(DistanceError, match=message):
            mahalanobis.resampled(x, labels, people, **options, n_resamples=2, seed=0)


def test_the_order_of_clips_and_the_unit_do_not_matter() -> None:
    x, labels, _ = clips()
    order = np.random.default_rng(1).permutation(60)
    one = mahalanobis.distances(x, labels, covariance="per-emotion", shrink=True)
    other = mahalanobis.distances(1e3 * x[order] + 5, labels[order], covariance="per-emotion", shrink=True)
    np.testing.assert_allclose(other.between, one.between, atol=1e-9)
    np.testing.assert_allclose(other.to_emotion, one.to_emotion[order], atol=1e-9)
