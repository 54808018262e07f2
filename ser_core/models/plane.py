"""Two numbers of a clip, and an emotion told from them: what is learnt by one method in one fold (P4).

P4 is Das et al. (2022); see `ser_core.models.autoencoder`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_core.models.calibration import votes
from ser_core.models.inputs import LIMIT, Inputs, Scale, learn

if TYPE_CHECKING:
    from ser_core.models.autoencoder import Autoencoder, AutoencoderTraining

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Method = Literal["uae", "dae", "pca", "features"]
METHODS: Final[tuple[Method, ...]] = ("uae", "dae", "pca", "features")
PLANES: Final[tuple[Method, ...]] = METHODS[:3]
"""Those that make two numbers of a clip."""
NOISE: Final[dict[Method, float]] = {"uae": 0.0, "dae": 1.0}


@dataclass(frozen=True)
class Reducer:
    """What makes m numbers of a clip's d values by one method: two, or the d values themselves (``features``).

    Attributes
    ----------
    scale
        Of the values, by which vectors are standardised before.
    weights
        Arrays of the autoencoder, or ``axes`` (d, m) of PCA; none where the values stay as they are.
    centre, turn
        The latents, less their mean over the training part (2,), times (2, 2), are the two numbers of a clip: their
        deviation over the training part is 1, the first rises with arousal, the second with valence.
    """

    method: Method
    scale: Scale
    weights: dict[str, NDArray[Any]]
    centre: Floats
    turn: Floats

    def numbers(self, z: Floats) -> Floats:
        """Return the numbers (n, m) of standardised vectors (n, d)."""
        return (self._squeezed(z) - self.centre) @ self.turn if self.weights else z

    def autoencoder(self) -> "Autoencoder":
        """Return the network, of ``uae`` and ``dae``."""
        from ser_core.models import autoencoder

        return autoencoder.of(self.weights)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs beside the name of the method."""
        own = {"centre": self.centre, "turn": self.turn}
        own |= {"scale.centre": self.scale.centre, "scale.spread": self.scale.spread}
        return own | {f"weights.{name}": one for name, one in self.weights.items()}

    @classmethod
    def of(cls, method: Method, arrays: Mapping[str, NDArray[Any]]) -> "Reducer":
        """Return the reducer that had these `arrays`."""
        weights = {name.removeprefix("weights."): one for name, one in arrays.items() if name.startswith("weights.")}
        scale = Scale(arrays["scale.centre"], arrays["scale.spread"], LIMIT)
        return cls(method, scale, weights, arrays["centre"], arrays["turn"])

    def _squeezed(self, z: Floats) -> Floats:
        if self.method in NOISE:
            from ser_core.models import autoencoder

            return autoencoder.latents(self.autoencoder(), z)
        return z @ self.weights["axes"] if self.weights else z


@dataclass(frozen=True)
class Learner:
    """What one fold learnt by one method: the numbers of a clip, and to tell emotions from them.

    ``machine`` (n_pairs, m) and ``offsets`` (n_pairs,) are those of a linear support vector machine for every pair of
    emotions; ``present`` are the class numbers that were learnt.
    """

    reducer: Reducer
    machine: Floats
    offsets: Floats
    present: Rows

    def predicted(self, numbers: Floats) -> Rows:
        """Return class numbers, (n,), of `Reducer.numbers` (n, m)."""
        return self.present[votes(numbers @ self.machine.T + self.offsets)]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs beside the name of the method."""
        own = {name: getattr(self, name) for name in ("machine", "offsets", "present")}
        return own | self.reducer.arrays()

    @classmethod
    def of(cls, method: Method, arrays: Mapping[str, NDArray[Any]]) -> "Learner":
        """Return the learner that had these `arrays`."""
        return cls(Reducer.of(method, arrays), *(arrays[name] for name in ("machine", "offsets", "present")))


def scaled(x: NDArray[np.float32], rows: Rows) -> Scale:
    """Return the scale by which some of the vectors (n, d) are standardised."""
    scale = learn(Inputs(x, None), rows, vectors="standard").vectors
    assert scale is not None
    return scale


def outliers(x: NDArray[np.float32], scale: Scale) -> NDArray[np.bool_]:
    """Say which vectors (n, d) have a value more than `LIMIT` standard deviations from the mean, (n,)."""
    return np.any(np.abs((x - scale.centre) / scale.spread) > LIMIT, axis=1)


def typical(x: NDArray[np.float32], rows: Rows) -> tuple[Scale, Rows]:
    """Return those of some rows that are no outliers among them, and the scale of these (P4, "Preprocessing").

    Among fewer than 102 clips there can be none: one of n lies at most (n - 1) / √n deviations from the mean.
    """
    kept = rows[~outliers(x[rows], scaled(x, rows))]
    return scaled(x, kept), kept


def reduce(method: Method, z: Floats, *, affect: Floats, scale: Scale, seed: int) -> Reducer:
    """Learn two numbers of a clip, from vectors alone.

    Parameters
    ----------
    z
        Vectors of the training part (n, d), standardised by ``scale``.
    affect
        Valence and arousal, (n, 2), NaN where they are not known: they say which way the numbers point, no more.
    seed
        Of the autoencoders.
    """
    weights = _weights(method, z, seed)
    plain = Reducer(method, scale, weights, np.zeros(2), np.eye(2))
    return pointed(plain, plain.numbers(z), affect) if weights else plain


def trained(
    method: Method,
    z: Floats,
    rows: Rows,
    *,
    affect: Floats,
    scale: Scale,
    training: "AutoencoderTraining",
    seed: int,
) -> tuple[Reducer, list[float], Floats]:
    """Train an autoencoder on some of the standardised vectors (n, d), and point its numbers.

    Returns
    -------
    The reducer, the mean squared error of each epoch, and that of each vector drawn again, (n,). ``affect`` is of all
    vectors, (n, 2); see `reduce` for the rest.
    """
    from ser_core.models import autoencoder

    module, errors = autoencoder.fit(z[rows], training=training, seed=seed)
    plain = Reducer(method, scale, dict(autoencoder.arrays(module)), np.zeros(2), np.eye(2))
    missed = np.square(autoencoder.drawn(module, z) - z).mean(axis=1)
    return pointed(plain, plain.numbers(z[rows]), affect[rows]), errors, missed


def pointed(plain: Reducer, latents: Floats, affect: Floats) -> Reducer:
    """Return a reducer whose numbers point as `Reducer` says, of one whose latents are as they were learnt, (n, 2)."""
    return replace(plain, centre=latents.mean(axis=0), turn=_pointed(latents, affect))


def fit(method: Method, z: Floats, y: Rows, *, affect: Floats, scale: Scale, seed: int) -> Learner:
    """Learn two numbers of a clip (`reduce`), and to tell emotions from them.

    The support vector machine is linear, C = 1, and weighs every emotion alike; ``y`` are class numbers, (n,), two or
    more.
    """
    from sklearn.svm import SVC

    reducer = reduce(method, z, affect=affect, scale=scale, seed=seed)
    machine = SVC(kernel="linear", class_weight="balanced").fit(reducer.numbers(z), y)
    pairs, offsets = np.asarray(machine.coef_, np.float64), np.asarray(machine.intercept_, np.float64)
    return Learner(reducer, pairs, offsets, np.unique(y))


def _weights(method: Method, z: Floats, seed: int) -> dict[str, NDArray[Any]]:
    if method in NOISE:
        from ser_core.models import autoencoder

        training = autoencoder.AutoencoderTraining(NOISE[method])
        return dict(autoencoder.arrays(autoencoder.fit(z, training=training, seed=seed)[0]))
    if method == "pca":
        return {"axes": np.linalg.svd(z - z.mean(axis=0), full_matrices=False)[2][:2].T.copy()}
    return {}


def _pointed(raw: Floats, known: Floats) -> Floats:
    """Return the matrix (2, 2) that orders and turns round two latents, and divides by their deviations.

    The first is that which goes more with arousal. Where nothing is known of either, they stay as they are.
    """
    spread = raw.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    valence, arousal = (_correlations(raw, known[:, column]) for column in range(2))
    order = (1, 0) if abs(arousal[1]) > abs(arousal[0]) else (0, 1)
    turn = np.zeros((2, 2))
    for place, (k, goes) in enumerate(zip(order, (arousal, valence), strict=True)):
        turn[k, place] = (-1.0 if goes[k] < 0 else 1.0) / spread[k]
    return turn


def _correlations(raw: Floats, goal: Floats) -> Floats:
    told = ~np.isnan(goal)
    if told.sum() < 2 or not goal[told].std():
        return np.zeros(2)
    varies = raw[told].std(axis=0) > 0
    return np.array([np.corrcoef(raw[told, k], goal[told])[0, 1] if varies[k] else 0.0 for k in range(2)])
