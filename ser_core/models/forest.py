"""Random forests, chosen from P1's grid on parts of the training clips (P1, section 3.1)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ser_core.models.inputs import Inputs, Scaling, learn
from ser_core.models.svm import ModelError, vectors
from ser_core.splits import Fold, inner

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Nodes = NDArray[np.int32]
Point = dict[str, Any]

GRID: Final[dict[str, tuple[Any, ...]]] = {
    "criterion": ("gini", "entropy"),
    "max_depth": (10, 20, None),
    "min_samples_leaf": (1, 2),
    "min_samples_split": (2, 5),
    "n_estimators": (100, 300),
}
"""P1's, in the order in which scikit-learn's ``GridSearchCV`` goes through it: of equal points the first is taken."""
BLOCK: Final = 256
"""Clips that go down the trees at once."""
PACKED: Final = ("feature", "threshold", "left", "right", "counts", "roots")
SCALING: Final = "scaling."
"""Before the names of the scaling's arrays."""


@dataclass(frozen=True)
class Forest:
    """A fitted forest of T trees with E classes, as plain arrays; made by `fit`.

    Attributes
    ----------
    feature, threshold, left, right
        Of every node, (n_nodes,): where the ``feature`` is at most ``threshold`` a clip goes on to the node ``left``,
        else to the node ``right``. A leaf leads to itself.
    counts
        Training clips of each class that reached the node, (n_nodes, E), as the tree drew them.
    roots
        Where each tree starts, (T,).
    scaling
        Learnt from the training clips.
    classes
        The emotions.
    chosen
        Point of `GRID` that was best; empty where the forest comes from its `arrays`.
    """

    feature: NDArray[np.int32]
    threshold: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    counts: NDArray[np.unsignedinteger]
    roots: NDArray[np.int32]
    scaling: Scaling
    classes: tuple[str, ...]
    chosen: Point = field(default_factory=dict)

    @property
    def n_parameters(self) -> int:
        """Nodes of all trees."""
        return len(self.feature)

    def probabilities(self, inputs: Inputs) -> Floats:
        """Return the probability of each class, (n, E): the mean over trees of the shares in the leaf reached."""
        every = self.reached(vectors(self.scaling.apply(inputs)), until=self.leaves)
        return np.concatenate([np.empty((0, len(self.classes))), *(shares.mean(axis=1) for shares in every)])

    def predicted(self, inputs: Inputs) -> Rows:
        """Return the class number that is likeliest, (n,)."""
        return self.probabilities(inputs).argmax(axis=1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs."""
        return {name: getattr(self, name) for name in PACKED} | {
            SCALING + name: value for name, value in self.scaling.arrays().items()
        }

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> "Forest":
        """Return the forest that had these `arrays`."""
        scaling = {name.removeprefix(SCALING): value for name, value in arrays.items() if name.startswith(SCALING)}
        return cls(*(arrays[name] for name in PACKED), scaling=Scaling.of(scaling), classes=tuple(classes))

    @property
    def leaves(self) -> NDArray[np.bool_]:
        """Whether each node is a leaf, (n_nodes,)."""
        return self.left == np.arange(len(self.left))

    def depths(self) -> Nodes:
        """Return how many nodes lie above each node, (n_nodes,)."""
        found, at = np.zeros(len(self.left), np.int32), self.roots
        while len(at := at[~self.leaves[at]]):
            below = np.concatenate([self.left[at], self.right[at]])
            found[below] = np.tile(found[at] + 1, 2)
            at = below
        return found

    def shares(self) -> Floats:
        """Return the shares of the classes in each node, (n_nodes, E)."""
        return self.counts / self.counts.sum(axis=1, keepdims=True)

    def down(self, x: NDArray[np.float32], clip: Rows, node: Nodes, *, until: NDArray[np.bool_]) -> Nodes:
        """Return where clips, rows of scaled ``x``, come to that start at a ``node`` each: the first node of ``until``.

        ``clip`` and ``node`` have one shape, (n,); ``until`` (n_nodes,) has all `leaves`.
        """
        node, on = node.copy(), np.flatnonzero(~until[node])
        while len(on):
            at = node[on]
            below = x[clip[on], self.feature[at]] <= self.threshold[at]
            node[on] = after = np.where(below, self.left[at], self.right[at])
            on = on[~until[after]]
        return node

    def reached(self, x: NDArray[np.float32], *, until: NDArray[np.bool_]) -> Iterator[Floats]:
        """Yield the shares of the classes in the nodes that clips come to, (n, T, E), of `BLOCK` clips at a time.

        ``x`` holds scaled vectors, ``until`` is that of `down`.
        """
        shares = self.shares()
        for block in (x[at : at + BLOCK] for at in range(0, len(x), BLOCK)):
            clip, roots = np.repeat(np.arange(len(block)), len(self.roots)), np.tile(self.roots, len(block))
            yield shares[self.down(block, clip, roots, until=until)].reshape(len(block), len(self.roots), -1)


def fit(
    inputs: Inputs,
    y: Rows,
    fold: Fold,
    *,
    classes: Sequence[str],
    seed: int,
    groups: NDArray[Any] | None,
    workers: int = 2,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Forest:
    """Choose a point of `GRID` by the accuracy on five parts of the training clips, and grow a forest on all of them.

    Parameters
    ----------
    y, classes
        Class numbers of all clips, (n,), and the emotions that they stand for.
    seed
        Of every forest.
    groups
        Who speaks, (n,): the five parts then keep speakers together (`ser_core.splits.inner`). None where training and
        test share speakers.
    progress
        Called with points done, over all parts, and how many there are.

    Raises
    ------
    ModelError
        If the training part has one emotion only, or no emotion twice, or the clips have no vectors.
    """
    scaling = learn(inputs, fold.train, vectors="standard")
    x, labels = vectors(scaling.apply(inputs.take(fold.train))), y[fold.train]
    present = np.unique(labels)
    if len(present) < 2:
        raise ModelError(f"a forest needs two emotions or more in its training part, found {classes[present[0]]}")
    parts = inner(labels, None if groups is None else groups[fold.train])
    if not parts:
        raise ModelError(f"{len(labels)} training clips, no two of one emotion: nothing is left to choose a forest by")
    grow, pack = partial(_grown, seed=seed, workers=workers), partial(_packed, scaling=scaling, classes=classes)
    tried, scores = points(), []
    for number, part in enumerate(parts):
        told = partial(_tell, progress, before=number * len(tried), total=len(parts) * len(tried))
        scores.append(_scores(x, labels, part, grow=grow, pack=pack, told=told))
    chosen = tried[np.mean(scores, axis=0).argmax()]
    return pack(grow(chosen, x, labels), chosen)


def points() -> list[Point]:
    """Return all points of `GRID`, in order."""
    return [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]


def _tell(progress: Callable[[int, int], None], done: int, *, before: int, total: int) -> None:
    progress(before + done, total)


def _scores(
    x: NDArray[np.float32],
    y: Rows,
    part: Fold,
    *,
    grow: "Callable[[Point, NDArray[np.float32], Rows], RandomForestClassifier]",
    pack: "Callable[[RandomForestClassifier, Point], Forest]",
    told: Callable[[int], None],
) -> Floats:
    """Return the accuracy of all `points` on a part of the clips, learnt from the others.

    Most trees need not be grown: a smaller forest is the beginning of a larger one of the same seed; and as every node
    draws its features by itself, cutting a whole tree off at a depth, or at nodes of few clips, gives one of the trees
    that this limit lets grow, each as likely as when it stops there by itself. Only the random numbers are others than
    in scikit-learn's ``GridSearchCV``. ``told`` is called with points done.
    """
    found, sizes = {}, GRID["n_estimators"]
    for criterion, leaf in product(GRID["criterion"], GRID["min_samples_leaf"]):
        point = {"criterion": criterion, "min_samples_leaf": leaf, "n_estimators": max(sizes)}
        grown = grow(point, x[part.train], y[part.train])
        forest, n = pack(grown, point), np.concatenate([tree.tree_.n_node_samples for tree in grown.estimators_])
        depths = forest.depths()
        for depth, split in product(GRID["max_depth"], GRID["min_samples_split"]):
            ends = forest.leaves | (n < split) | (depths >= (np.inf if depth is None else depth))
            blocks = forest.reached(x[part.test], until=ends)
            said = [[shares[:, :size].mean(axis=1).argmax(axis=1) for size in sizes] for shares in blocks]
            for size, by_size in zip(sizes, zip(*said, strict=True), strict=True):
                right = np.concatenate(by_size) == y[part.test]
                found[criterion, depth, leaf, split, size] = float(right.mean())
        told(len(found))
    return np.array([found[tuple(point.values())] for point in points()])


def _grown(point: Point, x: NDArray[np.float32], y: Rows, *, seed: int, workers: int) -> "RandomForestClassifier":
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**point, random_state=seed, n_jobs=workers).fit(x, y)


def _packed(grown: "RandomForestClassifier", chosen: Point, *, scaling: Scaling, classes: Sequence[str]) -> Forest:
    """Put all trees into one array each; shares are kept as counts: small whole numbers that give them back exactly."""
    trees = [tree.tree_ for tree in grown.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])
    own = np.arange(roots[-1])
    offset = np.repeat(roots[:-1], np.diff(roots))
    feature, threshold, left, right, shares, n = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("feature", "threshold", "children_left", "children_right", "value", "weighted_n_node_samples")
    )
    leaf = left < 0
    counts = np.zeros((len(own), len(classes)))
    counts[:, grown.classes_] = np.rint(shares[:, 0] * n[:, None])
    return Forest(
        np.where(leaf, 0, feature).astype(np.int32),
        np.where(leaf, 0.0, threshold),
        np.where(leaf, own, left + offset).astype(np.int32),
        np.where(leaf, own, right + offset).astype(np.int32),
        counts.astype(np.min_scalar_type(int(counts.max()))),
        roots[:-1].astype(np.int32),
        scaling,
        tuple(classes),
        chosen,
    )
