from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneGroupOut, cross_val_predict
from sklearn.preprocessing import StandardScaler

from ser_core.geometry import affect, placement, ridge
from ser_core.geometry.affect import AffectError, AffectMap, Placement
from ser_core.geometry.russell import coordinates

WORDS = ("happiness", "anger", "fear", "sadness", "boredom", "neutral")
EVERYWHERE = np.array([coordinates(word) for word in WORDS], float)
NOWHERE = [np.nan, np.nan]


def clips(n_speakers: int = 6, n_each: int = 18, dim: int = 7, *, noise: float = 0.5, seed: int = 0) -> dict[str, Any]:
    """Clips whose place on Russell's circle is in a plane of the vectors, under noise."""
    random = np.random.default_rng(seed)
    word = np.arange(n_speakers * n_each) % len(WORDS)
    plane = np.linalg.qr(random.normal(size=(dim, dim)))[0][:2] * 3
    x = EVERYWHERE[word] @ plane + noise * random.normal(size=(len(word), dim)) + random.normal(size=dim)
    return {
        "x": x,
        "targets": EVERYWHERE[word],
        "labels": [WORDS[number] for number in word],
        "speakers": [f"s{number}" for number in np.repeat(np.arange(n_speakers), n_each)],
    }


# --- targets


def rated(valence: list[float], arousal: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"emotion": "joy", "valence": valence, "arousal": arousal})


@pytest.mark.parametrize(
    ("low", "high", "ratings"),
    [
        (-1, 1, [-0.5, 0.0, 1.0]),
        (0, 1, [0.0, 0.25, 1.0]),
        (1, 5, [1.0, 3.5, 5.0]),
        (1, 7, [1.0, 3.0, 6.5]),
        (1, 9, [2.0, 3.0, 7.5]),
    ],
)
def test_ratings_on_every_scale(low: int, high: int, ratings: list[float]) -> None:
    found = affect.targets(rated(ratings, ratings[::-1]))
    expected = [np.interp(value, [low, high], [-1, 1]) for value in ratings]
    assert np.array(found.values) == pytest.approx(np.column_stack([expected, expected[::-1]]), abs=1e-12)
    assert (found.source, found.scale) == ("rated", f"rated, read as a scale from {low} to {high}")


def test_both_axes_share_one_scale() -> None:
    assert affect.targets(rated([1, 2], [1, 6])).scale.endswith("from 1 to 7")
    assert affect.targets(rated([0.2, 0.3], [-0.1, 0.2])).scale.endswith("from -1 to 1")


@pytest.mark.parametrize("ratings", [[-3.0, 3.0], [0.5, 4.0], [1.0, 100.0], [-0.5, 4.0]])
def test_ratings_on_no_scale(ratings: list[float]) -> None:
    with pytest.raises(AffectError, match=r"lie on no scale that is known \(-1 to 1, 0 to 1, 1 to 5, .*: bring both"):
        affect.targets(rated(ratings, ratings).assign(emotion="wistful"))
    found = affect.targets(rated(ratings, ratings))  # joy has a place
    assert np.array(found.values) == pytest.approx(np.tile(np.array(coordinates("happiness")), (2, 1)), abs=1e-12)
    assert found.source == "labels"
    low, high = (f"{end:g}" for end in ratings)
    assert found.scale.startswith(f"valence and arousal between {low} and {high} lie on no scale that is known (-1 to")
    assert found.scale.endswith("): coordinates of the label on Russell's circle")


def test_a_clip_without_both_ratings_has_none() -> None:
    found = affect.targets(rated([1, 2, np.nan, 5], [1, np.nan, 3, 5]))
    assert found.source == "rated"
    assert np.array_equal(found.values, [[-1, -1], NOWHERE, NOWHERE, [1, 1]], equal_nan=True)
    assert affect.targets(rated([1, 2, np.nan, 5], [1, np.nan, 3, np.inf])).source == "labels"  # one of four has both


def test_labels_where_there_are_too_few_ratings() -> None:
    table = pd.DataFrame({"emotion": ["Wut", "angry", "neutral", "joie"], "valence": [1.0, np.nan, np.nan, np.nan]})
    few = "1 of 4 clips are rated, fewer than half: "
    both = affect.targets(table.assign(arousal=table["valence"]))
    for found, said in ((affect.targets(table), ""), (both, few)):
        assert (found.source, found.scale) == ("labels", f"{said}coordinates of the label on Russell's circle")
        expected = [NOWHERE, coordinates("anger"), (0, 0), coordinates("happiness")]
        assert np.array(found.values) == pytest.approx(np.array(expected, float), nan_ok=True)
    assert np.shape(affect.targets(table[:0]).values) == (0, 2)
    nine = rated([*[3.0] * 4, *[np.nan] * 5], [3.0] * 9)
    assert affect.targets(nine).scale.startswith("4 of 9 clips are rated, fewer than half: ")
    assert affect.targets(nine[:8]).source == "rated"
    nowhere = affect.targets(table.assign(emotion="wistful"))
    assert nowhere.scale == "no label has a place on Russell's circle"
    assert np.isnan(nowhere.values).all()


# --- ridge


@pytest.mark.parametrize("dim", [5, 130])
@pytest.mark.parametrize("alphas", [np.logspace(-1, 5, 200), None])
def test_ridge_against_scikit_learn(dim: int, alphas: np.ndarray | None) -> None:
    found = clips(dim=dim, noise=2.0)
    y, groups = found["targets"], found["speakers"]
    of_speaker = np.random.default_rng(1).normal(size=(6, dim))
    x = found["x"] + np.repeat(of_speaker, 18, axis=0)  # the mean of a part is not the mean of all
    grid = ridge.SHARES * np.square(x - x.mean(axis=0)).sum() if alphas is None else alphas
    theirs = GridSearchCV(
        Ridge(solver="cholesky"), {"alpha": grid}, cv=GroupKFold(5), scoring="neg_mean_squared_error"
    ).fit(x, y, groups=groups)
    ours = ridge.fit(x, y, groups, alphas=alphas)
    assert ours.alpha == pytest.approx(theirs.best_params_["alpha"], rel=1e-12)
    assert grid.min() < ours.alpha < grid.max()
    assert ours.weights == pytest.approx(theirs.best_estimator_.coef_.T, abs=1e-8)
    assert ours.offset == pytest.approx(theirs.best_estimator_.intercept_, abs=1e-8)


@pytest.mark.parametrize("dim", [5, 130])
def test_every_penalty_against_scikit_learn(dim: int) -> None:
    """One penalty to choose from is the one that is used, from next to none to very much."""
    found = clips(dim=dim)
    for alpha in (1e-3, 1.0, 1e5):
        ours = ridge.fit(found["x"], found["targets"], found["speakers"], alphas=np.array([alpha]))
        theirs = Ridge(alpha=alpha, solver="cholesky").fit(found["x"], found["targets"])
        assert ours.weights == pytest.approx(theirs.coef_.T, abs=1e-8)


def test_one_speaker_has_clips_left_out_instead() -> None:
    found = clips(n_speakers=1, n_each=30, noise=2.0)
    grid = np.logspace(-2, 4, 13)
    parts = KFold(5, shuffle=True, random_state=ridge.INNER_SEED)
    theirs = GridSearchCV(Ridge(), {"alpha": grid}, cv=parts, scoring="neg_mean_squared_error")
    theirs.fit(found["x"], found["targets"])
    ours = ridge.fit(found["x"], found["targets"], found["speakers"], alphas=grid)
    assert ours.alpha == theirs.best_params_["alpha"]


def test_the_penalty_is_chosen_on_speakers_left_out() -> None:
    """Where clips of a voice are one recording many times over, leaving clips out would see no need of a penalty."""
    random = np.random.default_rng(3)
    voice = np.repeat(np.arange(12), 8)
    x, y = random.normal(size=(12, 40))[voice], random.normal(size=(12, 2))[voice]
    by_voice, by_clip = (ridge.fit(x, y, groups) for groups in (voice.astype(str).tolist(), ["one"] * len(voice)))
    assert by_voice.alpha > 100 * by_clip.alpha


def test_units_of_the_vectors_do_not_matter() -> None:
    found = clips()
    for scaling in ("standard", "centre"):
        options = {"speakers": found["speakers"], "method": "regression", "scaling": scaling}
        placed = [
            affect.learn(found["x"] * unit, found["targets"], found["labels"], **options).place(found["x"] * unit)
            for unit in (1, 1000)
        ]
        assert placed[1] == pytest.approx(placed[0], abs=1e-9)


def test_vectors_that_do_not_vary_place_all_at_the_mean() -> None:
    found = clips()
    for dim in (3, 200):
        same = np.full((len(found["x"]), dim), 0.1, np.float32)
        learnt = affect.learn(
            same, found["targets"], found["labels"], speakers=found["speakers"], method="regression", scaling="standard"
        )
        assert learnt.place(same) == pytest.approx(np.tile(found["targets"].mean(axis=0), (len(same), 1)), abs=1e-9)


# --- learn


@pytest.mark.parametrize("flip", [1, -1])
@pytest.mark.parametrize("scaling", ["centre", "standard"])
def test_procrustes_finds_a_known_turn_scale_and_shift(flip: int, scaling: Any) -> None:
    random = np.random.default_rng(1)
    turn = Rotation.from_euler("z", 37, degrees=True).as_matrix()[:2, :2] * [1, flip]
    flat = 2.5 * EVERYWHERE @ turn
    orthogonal = np.linalg.qr(random.normal(size=(6, 6)))[0][:2]
    number = np.repeat(np.arange(len(WORDS)), 7)
    wobble = random.normal(size=(len(number), 6))  # every emotion keeps its mean
    wobble -= np.stack([wobble[number == one].mean(axis=0) for one in range(len(WORDS))])[number]
    x = (flat @ orthogonal)[number] + wobble + random.normal(size=6) * 5
    if scaling == "standard":  # bring x to where standardising does nothing, so that the plane stays the known one
        x = StandardScaler(with_std=False).fit_transform(x)
        x = x @ _whitener(x)
        centroids = np.stack([x[number == one].mean(axis=0) for one in range(len(WORDS))])
        goals = centroids @ np.linalg.svd(centroids - centroids.mean(axis=0))[2][:2].T @ turn / 3 + [0.1, -0.2]
    else:
        goals = EVERYWHERE + np.array([0.1, -0.2])
    labels = [WORDS[one] for one in number]
    learnt = affect.learn(x, goals[number], labels, speakers=labels, method="procrustes", scaling=scaling)
    placed = learnt.place(x)
    means = np.stack([placed[number == one].mean(axis=0) for one in range(len(WORDS))])
    assert means == pytest.approx(goals, abs=1e-9)
    assert learnt.alpha is None


def _whitener(x: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    return vectors / np.sqrt(values)


def test_procrustes_counts_emotions_and_not_clips() -> None:
    """The same map comes out when one emotion has ten times the clips; it is the best of its kind, as scipy says."""
    found = clips(noise=1.0)
    again = np.concatenate([np.arange(len(found["x"])), *[np.flatnonzero(np.array(found["labels"]) == "anger")] * 9])
    options: dict[str, Any] = {"method": "procrustes", "scaling": "centre"}
    learnt = affect.learn(found["x"], found["targets"], found["labels"], speakers=found["speakers"], **options)
    labels = np.array(found["labels"])
    heavy = affect.learn(
        found["x"][again], found["targets"][again], labels[again].tolist(), speakers=labels[again].tolist(), **options
    )
    assert heavy.place(found["x"]) == pytest.approx(learnt.place(found["x"]), abs=1e-9)
    means = np.stack([learnt.place(found["x"])[labels == word].mean(axis=0) for word in WORDS])
    _, _, disparity = procrustes(EVERYWHERE, means)
    around = np.square(EVERYWHERE - EVERYWHERE.mean(axis=0)).sum()
    assert np.square(means - EVERYWHERE).sum() / around == pytest.approx(disparity, abs=1e-9)


@pytest.mark.parametrize("method", ["procrustes", "regression"])
def test_clips_without_targets_teach_nothing(method: Any) -> None:
    found = clips()
    options: dict[str, Any] = {"method": method, "scaling": "standard"}
    targets = found["targets"].copy()
    targets[::5] = np.nan
    targets[3, 1] = np.nan
    known = np.isfinite(targets).all(axis=1)
    x = found["x"].copy()
    x[~known] += 1000
    ours = affect.learn(x, targets, found["labels"], speakers=found["speakers"], **options)
    labels, speakers = (np.array(found[name])[known].tolist() for name in ("labels", "speakers"))
    without = affect.learn(x[known], targets[known], labels, speakers=speakers, **options)
    assert np.array_equal(ours.place(x), without.place(x))
    assert np.isfinite(ours.place(x)).all()


def test_a_constant_dimension_is_left_out() -> None:
    found = clips()
    x = np.column_stack([found["x"], np.full(len(found["x"]), 0.1)])
    options: dict[str, Any] = {"speakers": found["speakers"], "method": "regression", "scaling": "standard"}
    learnt = affect.learn(x, found["targets"], found["labels"], **options)
    assert np.array_equal(np.isinf(learnt.spread), [False] * 7 + [True])
    x[:, -1] = 500
    plain = affect.learn(found["x"], found["targets"], found["labels"], **options)
    assert learnt.place(x) == pytest.approx(plain.place(found["x"]), abs=1e-9)


def test_what_cannot_be_learnt_says_why() -> None:
    found = clips()
    few = np.isin(found["labels"], ["anger", "fear"])
    x, y, labels, speakers = (np.array(found[name])[few] for name in ("x", "targets", "labels", "speakers"))
    with pytest.raises(AffectError, match=r"2 emotions .*\(anger, fear\).* needs 3 emotions and 2 values, or more"):
        affect.learn(x, y, labels.tolist(), speakers=speakers.tolist(), method="procrustes", scaling="centre")
    with pytest.raises(AffectError, match=r"and 1 values per clip: .* needs 3 emotions and 2 values, or more"):
        affect.learn(
            found["x"][:, :1], *_rest(found), speakers=found["speakers"], method="procrustes", scaling="centre"
        )
    nothing = np.full_like(found["targets"], np.nan)
    with pytest.raises(AffectError, match="0 of 108 clips have valence and arousal, all the same: a map needs two"):
        affect.learn(
            found["x"], nothing, found["labels"], speakers=found["speakers"], method="regression", scaling="centre"
        )
    with pytest.raises(AffectError, match=r"0 emotions with valence and arousal \(none\) and 7 values"):
        affect.check(found["targets"], ["unknown"] * 108, n_values=7, method="procrustes")
    with pytest.raises(AffectError, match=r"without anger, 18 of 18 clips .* all the same.* in metadata.csv$"):
        _unseen("emotions", {"x": x, "targets": y, "labels": labels.tolist(), "speakers": speakers.tolist()})


@pytest.mark.parametrize(("method", "n"), [("procrustes", 90), ("regression", 108)])
def test_clips_of_an_unknown_emotion_are_no_emotion(method: Any, n: int) -> None:
    """Procrustes, which learns from emotions, does without them; the regression learns from each clip."""
    found = clips(noise=1.0)
    labels = np.where(np.array(found["labels"]) == "fear", "unknown", found["labels"])
    known = affect.check(found["targets"], labels, n_values=7, method=method)
    assert known.sum() == n
    options: dict[str, Any] = {"method": method, "scaling": "standard"}
    voices = np.array(found["speakers"])
    ours = affect.learn(found["x"], found["targets"], labels, speakers=voices, **options)
    theirs = affect.learn(found["x"][known], found["targets"][known], labels[known], speakers=voices[known], **options)
    assert np.array_equal(ours.place(found["x"]), theirs.place(found["x"]))


def test_what_is_left_is_checked_before_anything_is_learnt(fitted: list[dict[str, Any]]) -> None:
    found = clips()
    labels = np.array(found["labels"])
    use = (np.array(found["speakers"]) == "s5") | np.isin(labels, ["anger", "fear"])
    part = {name: np.array(found[name])[use] for name in found}
    with pytest.raises(AffectError, match=r"^without s5, 2 emotions with valence and arousal \(anger, fear\)"):
        _unseen("speakers", part, method="procrustes")
    assert fitted == []


# --- scores


TRUTH = np.random.default_rng(5).normal(size=60)
PREDICTED = 0.6 * TRUTH + 0.3 + 0.5 * np.random.default_rng(6).normal(size=60)
VOICES = np.array([f"s{number}" for number in np.random.default_rng(7).integers(5, size=60)])


def lin(x: np.ndarray, y: np.ndarray) -> float:
    """CCC in its other form, by way of the correlation."""
    rho, sx, sy = np.corrcoef(x, y)[0, 1], x.std(), y.std()
    return 2 * rho * sx * sy / (sx**2 + sy**2 + (x.mean() - y.mean()) ** 2)


def test_ccc_against_another_formula_and_by_hand() -> None:
    assert affect.ccc(TRUTH, PREDICTED) == pytest.approx(lin(TRUTH, PREDICTED), abs=1e-12)
    three = np.array([0.0, 1.0, 2.0])
    assert affect.ccc(three, three) == pytest.approx(1, abs=1e-12)
    assert affect.ccc(three, -three + 2) == pytest.approx(-1, abs=1e-12)
    assert affect.ccc(three, three + 1) == pytest.approx(4 / 7, abs=1e-12)  # 2 (2/3) / (2/3 + 2/3 + 1)
    assert affect.ccc(three, 2 * three) == pytest.approx(8 / 13, abs=1e-12)  # 2 (4/3) / (2/3 + 8/3 + 1)
    assert affect.ccc(three, np.full(3, 7.0)) == 0
    assert np.isnan(affect.ccc(np.full(3, 0.1), np.full(3, 0.1)))


def test_r2_against_scikit_learn() -> None:
    assert affect.r2(TRUTH, PREDICTED) == pytest.approx(r2_score(TRUTH, PREDICTED), abs=1e-12)
    assert affect.r2(TRUTH, PREDICTED + 5) == pytest.approx(r2_score(TRUTH, PREDICTED + 5), abs=1e-12)
    assert affect.r2(TRUTH, np.full(60, TRUTH.mean())) == pytest.approx(0, abs=1e-12)
    assert np.isnan(affect.r2(np.full(60, 0.1), PREDICTED))


@pytest.mark.parametrize("measure", [affect.ccc, affect.r2])
def test_weights_are_clips_several_times_over(measure: placement.Measure) -> None:
    weights = np.random.default_rng(8).integers(4, size=60)
    copied = measure(np.repeat(TRUTH, weights), np.repeat(PREDICTED, weights))
    assert measure(TRUTH, PREDICTED, weights=weights) == pytest.approx(copied, abs=1e-12)


@pytest.mark.parametrize("measure", [affect.ccc, affect.r2])
@pytest.mark.parametrize("axis", [0, 1])
def test_intervals_against_a_loop_that_copies_rows(measure: placement.Measure, axis: int) -> None:
    truth = np.column_stack([TRUTH, TRUTH[::-1]])
    truth[::7, axis] = np.nan
    result = Placement(truth, np.column_stack([PREDICTED, TRUTH]), VOICES, shared_speakers=False)
    known = ~np.isnan(truth[:, axis])
    t, p, voices = truth[known, axis], result.placed[known, axis], VOICES[known]
    assert result.score(axis, measure) == measure(t, p)
    drawn = np.random.default_rng(4).multinomial(5, [0.2] * 5, size=1000)
    scores = []
    for draw in drawn:
        rows = np.concatenate([np.flatnonzero(voices == f"s{v}") for v, times in enumerate(draw) for _ in range(times)])
        scores.append(measure(t[rows], p[rows]))
    assert result.interval(axis, measure, seed=4) == pytest.approx(np.percentile(scores, [2.5, 97.5]), abs=1e-9)
    assert result.interval(axis, measure, seed=5) != result.interval(axis, measure, seed=4)


def test_one_speaker_has_no_interval() -> None:
    both = np.column_stack([TRUTH, TRUTH])
    one = Placement(both, both, np.array(["s"] * 60), shared_speakers=True)
    assert one.interval(0, affect.ccc, seed=0) is None
    nothing = Placement(np.full((60, 2), np.nan), both, VOICES, shared_speakers=None)
    assert np.isnan(nothing.score(0, affect.ccc))
    assert nothing.interval(0, affect.ccc, seed=0) is None
    constant = Placement(np.zeros((60, 2)), both, VOICES, shared_speakers=True)
    assert constant.interval(0, affect.r2, seed=0) is None


def test_unknown_speakers_are_scored_and_not_drawn() -> None:
    both, placed = np.column_stack([TRUTH, TRUTH]), np.column_stack([PREDICTED, PREDICTED])
    voices = np.where(VOICES == "s2", "unknown", VOICES)
    known = voices != "unknown"
    some, rest = (Placement(both[use], placed[use], voices[use], shared_speakers=False) for use in (slice(None), known))
    assert some.score(0, affect.ccc) == affect.ccc(TRUTH, PREDICTED)
    assert some.interval(0, affect.ccc, seed=1) == pytest.approx(rest.interval(0, affect.ccc, seed=1), abs=1e-12)
    two = np.where(VOICES == "s1", "s1", "unknown")
    assert Placement(both, placed, two, shared_speakers=False).interval(0, affect.ccc, seed=1) is None


# --- protocols


def _rest(found: dict[str, Any]) -> tuple[Any, Any]:
    return found["targets"], found["labels"]


def _unseen(what: str, found: dict[str, Any], **options: Any) -> Placement:
    chosen = {"method": "regression", "scaling": "standard", "speakers": found["speakers"]} | options
    return getattr(affect, f"unseen_{what}")(found["x"], *_rest(found), **chosen)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each map was learnt from."""
    seen: list[dict[str, Any]] = []
    real = affect.learn

    def learn(x: np.ndarray, targets: np.ndarray, labels: list[str], **options: Any) -> AffectMap:
        seen.append({"x": x.copy(), "labels": labels, **options})
        return real(x, targets, labels, **options)

    monkeypatch.setattr(affect, "learn", learn)
    return seen


@pytest.mark.parametrize("dim", [7, 130])
def test_unseen_speakers_against_scikit_learn(dim: int) -> None:
    """The scaler and the penalty too are learnt from the training speakers: each fold done by hand."""
    found = clips(dim=dim, noise=1.5)
    voices = np.array(found["speakers"])
    found["x"] *= np.where(voices == "s2", 9.0, 1.0)[:, None]  # whoever scales with this voice scales otherwise
    result = _unseen("speakers", found)
    expected = np.empty_like(found["targets"])
    for train, test in LeaveOneGroupOut().split(found["x"], groups=voices):
        mean, deviation = found["x"][train].mean(axis=0), found["x"][train].std(axis=0)
        z, y = np.clip((found["x"][train] - mean) / deviation, -10, 10), found["targets"][train]
        grid = {"alpha": ridge.SHARES * np.square(z).sum()}
        search = GridSearchCV(Ridge(solver="cholesky"), grid, cv=GroupKFold(5), scoring="neg_mean_squared_error")
        search.fit(z, y, groups=voices[train])
        expected[test] = search.predict(np.clip((found["x"][test] - mean) / deviation, -10, 10))
    assert result.placed == pytest.approx(expected, abs=1e-8)
    assert np.array_equal(result.truth, found["targets"])
    assert np.array_equal(result.speakers, voices)
    assert not result.shared_speakers


@pytest.mark.parametrize("method", ["regression", "procrustes"])
def test_a_value_far_out_counts_as_ten_deviations(method: affect.Method) -> None:
    found = clips()
    options = {"speakers": found["speakers"], "method": method}
    rule = affect.learn(found["x"], found["targets"], found["labels"], **options, scaling="standard")
    mean, deviation = found["x"].mean(axis=0), found["x"].std(axis=0)
    far, limit = mean.copy(), mean.copy()
    far[2], limit[2] = mean[2] + 7548 * deviation[2], mean[2] + 10 * deviation[2]
    assert rule.place(far[None]) == pytest.approx(rule.place(limit[None]), abs=1e-9)
    plain = affect.learn(found["x"], found["targets"], found["labels"], **options, scaling="centre")
    assert np.linalg.norm(plain.place(far[None])) > 100 * np.linalg.norm(plain.place(limit[None])) > 0
    worst = found["x"].copy()
    worst[3, 2] = mean[2] + 1e6 * deviation[2]  # in training: one dimension less, and no more than that
    left = affect.learn(worst, found["targets"], found["labels"], **options, scaling="standard")
    without = np.delete(found["x"], 2, axis=1)
    other = affect.learn(without, found["targets"], found["labels"], **options, scaling="standard")
    apart = left.place(found["x"]) - other.place(without)
    assert np.abs(np.delete(apart, 3, axis=0)).max() < 0.15


def test_a_training_clip_far_out_counts_as_ten_deviations_too() -> None:
    found = clips(n_each=60)
    found["x"][3, 2] += 1e4  # alone among 360 clips: 19 deviations
    rule = affect.learn(
        found["x"], found["targets"], found["labels"], speakers=found["speakers"], method="regression",
        scaling="standard",
    )  # fmt: skip
    z = (found["x"] - found["x"].mean(axis=0)) / found["x"].std(axis=0)
    assert z.max() > 15
    by_hand = ridge.fit(np.clip(z, -10, 10), found["targets"], found["speakers"])
    assert rule.weights == pytest.approx(by_hand.weights, abs=1e-9)
    assert rule.offset == pytest.approx(by_hand.offset, abs=1e-9)
    assert np.abs(rule.weights - ridge.fit(z, found["targets"], found["speakers"]).weights).max() > 1e-6


def test_the_scaler_sees_training_rows_only() -> None:
    """A test speaker beyond all measure changes its own places alone, and in proportion."""
    found = clips()
    test = np.array(found["speakers"]) == "s0"
    for method in ("regression", "procrustes"):
        plain = _unseen("speakers", found, method=method)
        far = found | {"x": found["x"] + np.where(test, 1e6, 0.0)[:, None]}
        learnt = affect.learn(
            found["x"][~test],
            found["targets"][~test],
            np.array(found["labels"])[~test].tolist(),
            speakers=np.array(found["speakers"])[~test].tolist(),
            method=method,
            scaling="standard",
        )
        assert learnt.centre == pytest.approx(found["x"][~test].mean(axis=0), abs=1e-12)
        assert learnt.spread == pytest.approx(found["x"][~test].std(axis=0), abs=1e-12)
        placed = _unseen("speakers", far, method=method).placed
        assert placed[test] == pytest.approx(learnt.place(far["x"][test]), rel=1e-9)
        assert plain.placed[test] == pytest.approx(learnt.place(found["x"][test]), abs=1e-9)


@pytest.mark.parametrize("method", ["procrustes", "regression"])
def test_a_signal_of_the_speaker_cannot_be_learnt(method: Any, fitted: list[dict[str, Any]]) -> None:
    """Targets that depend on who speaks, written into the vectors: known voices tell them, unseen ones cannot."""
    random = np.random.default_rng(9)
    voice = np.repeat(np.arange(8), 12)
    found = {
        "x": np.eye(8)[voice] * 5 + 0.1 * random.normal(size=(len(voice), 8)),
        "targets": random.normal(size=(8, 2))[voice],
        "labels": np.resize(list(WORDS), len(voice)).tolist(),
        "speakers": [f"s{number}" for number in voice],
    }
    unseen = _unseen("speakers", found, method=method)
    for number, fold in enumerate(fitted):
        assert f"s{number}" not in fold["speakers"]
        assert np.array_equal(fold["x"], found["x"][voice != number])
    assert len(fitted) == 8
    assert affect.r2(unseen.truth[:, 0], unseen.placed[:, 0]) < 0.1
    if method == "regression":
        parts = KFold(5, shuffle=True, random_state=0)
        known = np.asarray(cross_val_predict(Ridge(), found["x"], found["targets"][:, 0], cv=parts))
        assert affect.r2(found["targets"][:, 0], known) > 0.9  # the signal is there


@pytest.mark.parametrize("method", ["procrustes", "regression"])
def test_unseen_emotions_are_unseen(method: Any, fitted: list[dict[str, Any]]) -> None:
    found = clips()
    result = _unseen("emotions", found, method=method)
    labels = np.array(found["labels"])
    assert len(fitted) == len(WORDS)
    for word, fold in zip(sorted(WORDS), fitted, strict=True):
        assert set(fold["labels"]) == set(WORDS) - {word}
        assert np.array_equal(fold["x"], found["x"][labels != word])
    assert result.shared_speakers
    assert result.score(0, affect.ccc) > 0.5  # what is linear is found without the emotion, too


def test_emotions_at_random_places_cannot_be_told_unseen() -> None:
    """Each emotion at a corner of its own: seen it is told, unseen it is not."""
    random = np.random.default_rng(2)
    number = np.arange(120) % 6
    found = {
        "x": np.eye(6)[number] * 5 + 0.1 * random.normal(size=(120, 6)),
        "targets": EVERYWHERE[number],
        "labels": [WORDS[one] for one in number],
        "speakers": [f"s{one}" for one in np.repeat(np.arange(5), 24)],
    }
    assert _unseen("speakers", found).score(0, affect.ccc) > 0.95
    assert _unseen("emotions", found).score(0, affect.ccc) < 0.1


def test_clips_without_a_place_are_placed_but_not_scored() -> None:
    found = clips()
    labels = np.array(found["labels"], dtype=object)
    labels[labels == "boredom"] = "wistful"
    targets = np.where((labels == "wistful")[:, None], np.nan, found["targets"])
    for what in ("speakers", "emotions"):
        result = _unseen(what, found | {"labels": labels.tolist(), "targets": targets})
        assert np.isfinite(result.placed).all()
        known = labels != "wistful"
        assert result.score(1, affect.ccc) == affect.ccc(targets[known, 1], result.placed[known, 1])


def test_progress_after_each_fold() -> None:
    told: list[tuple[int, int]] = []
    _unseen("speakers", clips(), progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 6) for number in range(1, 7)]
    _unseen("emotions", clips(), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (6, 6)


def test_one_speaker_cannot_be_left_out() -> None:
    with pytest.raises(AffectError, match="leaving one speaker out needs two speakers or more, found 1"):
        _unseen("speakers", clips(n_speakers=1))


# --- turn


def spun(angle: float, found: dict[str, Any]) -> np.ndarray:
    matrix = Rotation.from_euler("z", angle, degrees=True).as_matrix()[:2, :2]
    return found["targets"] @ matrix.T


@pytest.mark.parametrize("angle", [0.0, 25.0, -70.0, 140.0, 179.0, -179.0])
def test_a_known_turn_is_found_with_its_sign(angle: float) -> None:
    found = clips()
    exact = affect.turned(0.4 * spun(angle, found) + [3, -2], found["labels"], found["speakers"], seed=0)
    assert exact.angle == pytest.approx(angle, abs=1e-9)
    assert exact.angle_95 == pytest.approx((angle, angle), abs=1e-9)
    assert exact.residual == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("angle", [30.0, -178.0])
def test_the_interval_covers_the_turn(angle: float) -> None:
    covered, wide = 0, 0
    for seed in range(60):
        found = clips(n_speakers=20, n_each=12, seed=seed)
        random = np.random.default_rng(seed)
        of_speaker = np.repeat(random.normal(size=(20, 6, 2)), 2, axis=1).reshape(-1, 2)
        placed = spun(angle, found) + 0.6 * of_speaker + 0.3 * random.normal(size=(240, 2))
        turn = affect.turned(placed, found["labels"], found["speakers"], seed=seed)
        assert turn.angle_95
        low, high = turn.angle_95
        assert low < turn.angle < high
        assert 0 < turn.residual < 0.3
        covered += any(low <= angle + around <= high for around in (-360, 0, 360))
        wide += high - low > 60
    assert covered >= 50  # of 95 % of 60, percentile intervals of 20 speakers being a little narrow
    assert wide == 0


def test_the_turn_against_scipy_and_a_loop_that_copies_rows() -> None:
    """`Rotation.align_vectors` solves the same in three dimensions; a draw without an emotion uses the others."""
    found = clips(n_speakers=4, n_each=12, noise=1.0)
    keep = [row for row in range(48) if row < 12 or found["labels"][row] != "fear"]  # one speaker alone is afraid
    labels, speakers = (np.array(found[name])[keep] for name in ("labels", "speakers"))
    placed = (found["x"][:, :2] * [0.3, 0.5])[keep]

    def by_hand(rows: np.ndarray) -> float:
        words = np.unique(labels[rows])
        ours = np.stack([placed[rows][labels[rows] == word].mean(axis=0) for word in words])
        russell = np.array([coordinates(word) for word in words], float)
        flat = [np.column_stack([p - p.mean(axis=0), np.zeros(len(p))]) for p in (ours, russell)]
        pad = np.array([[0.0, 0.0, 1.0]])  # a heavy third axis keeps the rotation in the plane
        found = Rotation.align_vectors(*(np.vstack([p, pad]) for p in flat), weights=[*np.ones(len(ours)), 1e9])[0]
        return found.as_euler("zyx", degrees=True)[0]

    turn = affect.turned(placed, labels.tolist(), speakers.tolist(), seed=3, n_resamples=200)
    assert turn.angle == pytest.approx(by_hand(np.arange(len(keep))), abs=1e-6)
    angles = []
    for draw in np.random.default_rng(3).multinomial(4, [0.25] * 4, size=200):
        rows = np.concatenate([np.flatnonzero(speakers == f"s{v}") for v, n in enumerate(draw) for _ in range(n)])
        angles.append(turn.angle + (by_hand(rows) - turn.angle + 180) % 360 - 180)
    assert turn.angle_95 == pytest.approx(np.percentile(angles, [2.5, 97.5]), abs=1e-6)


def test_the_residual_is_what_a_similarity_leaves() -> None:
    found = clips(noise=2.0)
    placed = found["x"][:, :2]
    labels = np.array(found["labels"])
    turn = affect.turned(placed, found["labels"], found["speakers"], seed=0)
    means = np.stack([placed[labels == word].mean(axis=0) for word in WORDS])
    design = np.vstack([[(x, -y, 1, 0), (y, x, 0, 1)] for x, y in EVERYWHERE])  # a x + b y + shift, least squares
    solution, left, *_ = np.linalg.lstsq(design, means.ravel(), rcond=None)
    assert turn.residual == pytest.approx(left[0] / np.square(means - means.mean(axis=0)).sum(), abs=1e-9)
    assert turn.angle == pytest.approx(np.degrees(np.arctan2(solution[1], solution[0])), abs=1e-9)


def test_words_without_a_place_do_not_turn() -> None:
    found = clips()
    placed = spun(20, found)
    labels = np.where(np.array(found["labels"]) == "boredom", "wistful", found["labels"])
    placed[labels == "wistful"] += 50
    assert affect.turned(placed, labels.tolist(), found["speakers"], seed=0).angle == pytest.approx(20, abs=1e-9)


def test_turns_that_cannot_be_told() -> None:
    placed = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(AffectError, match=r"1 emotions with a place on Russell's circle \(anger\): a turn needs three"):
        affect.turned(placed, ["anger", "wistful", "anger"], ["a", "b", "c"], seed=0)
    with pytest.raises(AffectError, match=r"2 emotions .* \(anger, fear\): a turn needs three"):
        affect.turned(placed, ["anger", "fear", "anger"], ["a", "b", "c"], seed=0)
    three = ["anger", "fear", "sadness"]
    with pytest.raises(AffectError, match="centroids of anger, fear, sadness coincide"):
        affect.turned(np.full((3, 2), 0.1), three, ["a", "b", "c"], seed=0)
    assert affect.turned(placed, three, ["a", "a", "a"], seed=0).angle_95 is None
    assert affect.turned(placed, three, ["a", "unknown", "unknown"], seed=0).angle_95 is None


def test_unknown_speakers_and_draws_of_two_emotions_are_in_no_turn() -> None:
    found = clips(n_speakers=4, noise=1.0)
    placed, voices = found["x"][:, :2], np.array(found["speakers"])
    some = np.where(voices == "s3", "unknown", voices)
    known = some != "unknown"
    labels = np.array(found["labels"])
    ours = affect.turned(placed, labels, some, seed=2)
    rest = affect.turned(placed[known], labels[known], voices[known], seed=2)
    away = (rest.angle - ours.angle + 180) % 360 - 180
    assert abs(away) > 0.1  # they do count in the angle
    assert np.array(ours.angle_95) - ours.angle - away == pytest.approx(np.array(rest.angle_95) - rest.angle, abs=1e-9)
    few = np.isin(labels, ["anger", "fear"]) | ((labels == "sadness") & (voices == "s0"))
    turn = affect.turned(placed[few], labels[few], voices[few], seed=2)
    told = []
    for draw in np.random.default_rng(2).multinomial(4, [0.25] * 4, size=1000):
        if draw[0]:  # else there are two emotions, which would turn onto any other two
            rows = np.concatenate(
                [np.flatnonzero(few & (voices == f"s{v}")) for v, n in enumerate(draw) for _ in range(n)]
            )
            one = affect.turned(placed[rows], labels[rows], voices[rows], seed=0, n_resamples=1).angle
            told.append(turn.angle + (one - turn.angle + 180) % 360 - 180)
    assert 600 < len(told) < 800
    assert turn.angle_95 == pytest.approx(np.percentile(told, [2.5, 97.5]), abs=1e-9)


def test_the_residual_is_never_below_zero() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        words = random.choice(WORDS[:5], 3, replace=False)
        placed = np.array([coordinates(word) for word in words], float) * random.uniform(0.1, 9) + random.normal(size=2)
        assert 0 <= affect.turned(placed, words, ["a", "b", "c"], seed=0, n_resamples=2).residual < 1e-12
