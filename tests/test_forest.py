"""The forest against scikit-learn's own, and its choice against ``GridSearchCV``.

Where clips have one value, no node has a choice of features, and a tree is decided by the clips drawn for it: a tree
that is cut off is then the very tree that scikit-learn grows with that limit.
"""

from functools import partial

import numpy as np
import pytest
import safetensors.numpy
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

from ser_core.models import forest
from ser_core.models.forest import Forest
from ser_core.models.inputs import InputError, Inputs, Scale, Scaling
from ser_core.models.svm import ModelError
from ser_core.splits import Fold, inner

NAMES = ("anger", "boredom", "calm", "disgust")
SMALL = {
    "criterion": ("gini", "entropy"),
    "max_depth": (2, 30, None),
    "min_samples_leaf": (1, 2),
    "min_samples_split": (2, 5),
    "n_estimators": (4, 9),
}
TINY = {
    "criterion": ("entropy",),
    "max_depth": (3, None),
    "min_samples_leaf": (1,),
    "min_samples_split": (2,),
    "n_estimators": (3, 9),
}


def clips(n_classes=3, n=100, dim=6, seed=0):
    """Clips whose class moves all values a little; each of five speakers moves them too."""
    random = np.random.default_rng(seed)
    y, groups = np.arange(n) % n_classes, np.arange(n) * 5 // n
    x = random.normal(size=(n_classes, dim))[y] + random.normal(size=(5, dim))[groups] + random.normal(size=(n, dim))
    rows = random.permutation(n)
    fold = Fold(np.sort(rows[n // 5 :]), np.sort(rows[: n // 5]))
    return Inputs(x.astype(np.float32), None), y, groups.astype(str), fold


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(forest, "GRID", SMALL)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(forest, "GRID", TINY)


def learn(inputs, y, fold, **options):
    return forest.fit(
        inputs, y, fold, **{"classes": NAMES[: y.max() + 1], "seed": 3, "groups": None, "workers": 1, **options}
    )


def theirs(found, inputs, y, fold, *, seed=3):
    """scikit-learn's forest at the point that was chosen, and what it is asked."""
    x = found.scaling.apply(inputs).vectors
    return RandomForestClassifier(**found.chosen, random_state=seed).fit(x[fold.train], y[fold.train]), x


def test_the_grid_is_that_of_the_paper():
    assert forest.GRID == {
        "criterion": ("gini", "entropy"),
        "max_depth": (10, 20, None),
        "min_samples_leaf": (1, 2),
        "min_samples_split": (2, 5),
        "n_estimators": (100, 300),
    }


@pytest.mark.parametrize(("seed", "apart"), [(0, "speakers"), (1, "clips")])
def test_the_choice_is_that_of_scikit_learn(small, seed, apart):
    inputs, y, groups, fold = clips(dim=1, seed=seed)
    groups = groups if apart == "speakers" else None
    found = learn(inputs, y, fold, groups=groups, seed=seed)
    x, taught = found.scaling.apply(inputs).vectors[fold.train], y[fold.train]
    parts = [(part.train, part.test) for part in inner(taught, None if groups is None else groups[fold.train])]
    grid = {name: list(values) for name, values in SMALL.items()}
    search = GridSearchCV(RandomForestClassifier(random_state=seed), grid, cv=parts).fit(x, taught)
    assert found.chosen == search.best_params_


def scored(inputs, y, part, *, seed=3):
    return forest._scores(
        inputs.vectors,
        y,
        part,
        grow=partial(forest._grown, seed=seed, workers=1),
        pack=partial(forest._packed, scaling=None, classes=NAMES),
        told=lambda _: None,
    )


def theirs_at(point, inputs, y, part, *, seed=3):
    plain = RandomForestClassifier(**point, random_state=seed).fit(inputs.vectors[part.train], y[part.train])
    return plain.score(inputs.vectors[part.test], y[part.test])


def test_accuracies_of_every_point_are_those_of_scikit_learn(small, monkeypatch):
    """Also where a smaller forest is the beginning of a larger one, and where trees are cut off."""
    inputs, y, _, part = clips(dim=1, n=400, seed=9)
    grown, seen = forest._grown, []
    monkeypatch.setattr(forest, "_grown", lambda point, *more, **how: seen.append(point) or grown(point, *more, **how))
    found = scored(inputs, y, part)
    assert found.tolist() == [theirs_at(point, inputs, y, part) for point in forest.points()]
    by_choice = found.reshape([len(values) for values in SMALL.values()])
    assert all((np.diff(by_choice, axis=axis) != 0).any() for axis in range(by_choice.ndim))  # every choice matters
    assert len(seen) == 2 * 2


@pytest.mark.parametrize("limit", [{"max_depth": (3,)}, {"min_samples_split": (60,)}])
def test_trees_that_are_cut_off_are_as_good_as_those_that_stop(limit, monkeypatch):
    """Their features are drawn with other numbers: the seeds differ, their mean does not."""
    inputs, y, _, part = clips(n=400, seed=2)
    grid = {"criterion": ("gini",), "max_depth": (None,), "min_samples_leaf": (1,), "min_samples_split": (2,)}
    monkeypatch.setattr(forest, "GRID", grid | {"n_estimators": (4,)})
    whole = np.array([scored(inputs, y, part, seed=seed)[0] for seed in range(60)])
    monkeypatch.setattr(forest, "GRID", {**grid, **limit, "n_estimators": (4,)})
    ours = np.array([scored(inputs, y, part, seed=seed)[0] for seed in range(60)])
    others = np.array([theirs_at(forest.points()[0], inputs, y, part, seed=seed) for seed in range(60)])
    error = np.hypot(ours.std(), others.std()) / 60**0.5
    assert (ours != others).any()
    assert ours.mean() == pytest.approx(others.mean(), abs=3 * error)
    assert whole.mean() - ours.mean() > 3 * error


def test_probabilities_are_those_of_scikit_learn(tiny):
    inputs, y, groups, fold = clips(4)
    found = learn(inputs, y, fold, groups=groups)
    plain, x = theirs(found, inputs, y, fold)
    np.testing.assert_allclose(found.probabilities(inputs), plain.predict_proba(x), rtol=0, atol=1e-12)
    assert (found.predicted(inputs) == plain.predict(x)).all()
    assert found.n_parameters == sum(tree.tree_.node_count for tree in plain.estimators_)
    assert found.classes == NAMES


def test_probabilities_of_many_clips(tiny):
    """More than go down at once, and more in a node than a byte counts."""
    inputs, y, _, fold = clips(2, 700)
    found = learn(inputs, y, fold)
    plain, x = theirs(found, inputs, y, fold)
    assert found.counts.max() > 255
    np.testing.assert_allclose(found.probabilities(inputs), plain.predict_proba(x), rtol=0, atol=1e-12)
    assert found.probabilities(inputs.take(np.arange(0))).shape == (0, 2)


def test_a_value_on_the_border_goes_where_scikit_learn_lets_it_go(tiny):
    random = np.random.default_rng(6)
    x, y = random.integers(5, size=(60, 3)).astype(np.float32), random.integers(3, size=60)
    point = forest.points()[-1]
    plain = RandomForestClassifier(**point, random_state=3).fit(x, y)
    as_is = Scaling(Scale(np.zeros(3), np.ones(3), np.inf), None)
    found = forest._packed(plain, point, scaling=as_is, classes=NAMES[:3])
    halves = (random.integers(10, size=(400, 3)) / 2).astype(np.float32)  # borders lie half way between whole numbers
    assert np.isin(found.threshold[found.left != np.arange(len(found.left))], halves).mean() > 0.5
    np.testing.assert_allclose(
        found.probabilities(Inputs(halves, None)), plain.predict_proba(halves), rtol=0, atol=1e-12
    )


def test_inner_parts_know_who_speaks(tiny, monkeypatch):
    seen, plain = [], forest.inner
    monkeypatch.setattr(forest, "inner", lambda y, groups: seen.append(groups) or plain(y, groups))
    inputs, y, groups, fold = clips()
    learn(inputs, y, fold, groups=groups)
    learn(inputs, y, fold)
    assert seen[0].tolist() == groups[fold.train].tolist()
    assert seen[1] is None


def test_a_class_that_was_not_taught_is_never_named(tiny):
    inputs, y, _, fold = clips(4)
    fold = Fold(fold.train[y[fold.train] != 1], fold.test)
    found = learn(inputs, y, fold)
    shares = found.probabilities(inputs)
    plain, x = theirs(found, inputs, y, fold)
    assert (shares[:, 1] == 0).all()
    np.testing.assert_allclose(shares[:, [0, 2, 3]], plain.predict_proba(x), rtol=0, atol=1e-12)
    assert (found.predicted(inputs) == plain.predict(x)).all()


def test_it_comes_back_from_a_file_unchanged(tiny, tmp_path):
    inputs, y, groups, fold = clips()
    found = learn(inputs, y, fold, groups=groups)
    safetensors.numpy.save_file(found.arrays(), tmp_path / "model.safetensors")
    again = Forest.of(safetensors.numpy.load_file(tmp_path / "model.safetensors"), NAMES[:3])
    assert (again.probabilities(inputs) == found.probabilities(inputs)).all()
    assert (again.n_parameters, again.classes, again.chosen) == (found.n_parameters, NAMES[:3], {})


def test_everything_is_learnt_from_the_training_part(tiny):
    inputs, y, groups, fold = clips()
    found = learn(inputs, y, fold, groups=groups)
    other, mixed = inputs.vectors.copy(), y.copy()
    other[fold.test] *= 50
    mixed[fold.test] = 0
    again = learn(Inputs(other, None), mixed, fold, groups=groups)
    for name, array in found.arrays().items():
        assert np.array_equal(again.arrays()[name], array), name


def test_the_seed_decides_and_workers_do_not(tiny):
    inputs, y, _, fold = clips()
    one, same = learn(inputs, y, fold, workers=1), learn(inputs, y, fold, workers=2)
    assert (one.probabilities(inputs) == same.probabilities(inputs)).all()
    other = learn(inputs, y, fold, seed=4)
    assert not np.allclose(one.probabilities(inputs), other.probabilities(inputs))


def test_progress_counts_points(tiny):
    told = []
    inputs, y, _, fold = clips(n=50)
    learn(inputs, y, fold, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (20, 20)
    assert [done for done, _ in told] == list(range(4, 21, 4))


def test_what_no_forest_can_be_learnt_from(tiny):
    inputs, y, _, fold = clips()
    with pytest.raises(ModelError, match="two emotions or more in its training part, found calm"):
        learn(inputs, np.full_like(y, 2), fold)
    with pytest.raises(ModelError, match="3 training clips, no two of one emotion"):
        learn(inputs, y, Fold(np.arange(3), fold.test))
    pictures = Inputs(None, np.zeros((len(y), 1, 2, 3), np.float32))
    with pytest.raises(ModelError, match="learnt from vectors, and was given pictures"):
        learn(pictures, y, fold)
    found = learn(inputs, y, fold)
    with pytest.raises(InputError):
        found.probabilities(pictures)
