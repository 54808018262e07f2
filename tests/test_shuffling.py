"""What models say of shuffled clips, against asking them about the shuffled clips themselves."""

from dataclasses import replace

import numpy as np
import pytest

from ser_core.models import forest, ridge, shuffling, svm
from ser_core.models.inputs import Inputs
from ser_core.models.svm import ModelError
from ser_core.splits import Fold

N, DIM = 90, 14
CLASSES = ("a", "b", "c", "d")
RANDOM = np.random.default_rng(8)
Y = RANDOM.permutation(np.repeat([0, 1, 3, 3, 1], N // 5))  # nobody is "c"
X = RANDOM.normal(size=(N, DIM)).astype(np.float32)
X[:, :6] += 0.8 * Y[:, None]
X[:, 7] = 2  # a value that never varies
X[3, 9] = 4000  # a tail of thousands of deviations
INPUTS = Inputs(X, None)
FOLD = Fold(np.arange(0, N, 2), np.arange(1, N, 2))
TESTED = INPUTS.take(FOLD.test)
GROUPS = [np.array(one, np.intp) for one in ([0], [7], [9, 2, 4], range(1, DIM), range(DIM))]
ORDERS = np.stack([RANDOM.permutation(len(TESTED)) for _ in range(6)])


def moved(columns: np.ndarray, order: np.ndarray) -> Inputs:
    assert TESTED.vectors is not None
    x = TESTED.vectors.copy()
    x[:, columns] = x[order][:, columns]
    return replace(TESTED, vectors=x)


@pytest.fixture(scope="module")
def grown() -> forest.Forest:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest, "GRID", {name: values[:1] for name, values in forest.GRID.items()})
        return forest.fit(INPUTS, Y, FOLD, classes=CLASSES, seed=0, groups=None, workers=1)


def fitted(kernel: svm.Kernel) -> svm.Svm:
    return svm.fit(INPUTS, Y, FOLD, classes=CLASSES, groups=None, kernel=kernel, c=1.0)


def says_what_it_always_says(model: shuffling.Fitted) -> None:
    say, changed = shuffling.shuffled(model, TESTED), 0
    for columns in GROUPS:
        plain = np.stack([model.predicted(moved(columns, order)) for order in ORDERS])
        assert np.array_equal(say(columns, ORDERS), plain)
        changed += (plain != model.predicted(TESTED)).sum()
    assert changed > 100


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_an_svm_says_of_shuffled_clips_what_it_always_says(kernel: svm.Kernel) -> None:
    says_what_it_always_says(fitted(kernel))


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_the_kernel_of_all_columns_from_that_of_their_parts(kernel: svm.Kernel) -> None:
    learnt = fitted(kernel).recogniser
    join = np.multiply if kernel == "rbf" else np.add
    whole = learnt.kernel_with(X)
    for columns in GROUPS:
        others = np.setdiff1d(np.arange(DIM), columns)
        parts = join(learnt.kernel_with(X, columns), learnt.kernel_with(X, others))
        np.testing.assert_allclose(parts, whole, rtol=1e-9, atol=1e-9)


def test_a_forest_says_of_shuffled_clips_what_it_always_says(grown: forest.Forest) -> None:
    says_what_it_always_says(grown)


def test_least_squares_say_of_shuffled_clips_what_they_always_say() -> None:
    says_what_it_always_says(ridge.fit(INPUTS, Y, FOLD, classes=CLASSES, groups=None))


def test_clips_without_vectors() -> None:
    with pytest.raises(ModelError, match="was given pictures"):
        shuffling.shuffled(fitted("rbf"), Inputs(None, np.zeros((4, 1, 2, 2), np.float32)))
