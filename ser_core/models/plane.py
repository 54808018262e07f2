"""Two numbers of a clip, and an emotion told from them: what is learnt by one method in one fold (P4).

P4 is Das et al. (2022); see `ser_core.models.autoencoder`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_core.models.calibration import votes
from ser_core.models.inputs import LIMIT, Scale

if TYPE_CHECKING:
    from ser_core.models.autoencoder import Autoencoder

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Method = Literal["uae", "dae", "pca", "features"]
METHODS: Final[tuple[Method, ...]] = ("uae", "dae", "pca", "features")
PLANES: Final[tuple[Method, ...]] = METHODS[:3]
"""Those that make two numbers of a clip."""
NOISE: Final[dict[Method, float]] = {"uae": 0.0, "dae": 1.0}


@dataclass(frozen=True)
class Learner:
    """What one fold learnt by one method; vectors have d values, m is 2, or d for `METHODS`' last.

    Attributes
    ----------
    scale
        Of the values.
    weights
        Arrays of the autoencoder, or ``axes`` (d, m) of PCA; none where the values stay as they are.
    centre, turn
        The latents, less their mean over the training part (m,), times (m, m), are the two numbers of a clip: their
        deviation over the training part is 1, the first rises with arousal, the second with valence.
    machine, offsets
        Of every pair of emotions, (n_pairs, m) and (n_pairs,).
    present
        Class numbers that were learnt.
    """

    method: Method
    scale: Scale
    weights: dict[str, NDArray[Any]]
    centre: Floats
    turn: Floats
    machine: Floats
    offsets: Floats
    present: Rows

    def latents(self, z: Floats) -> Floats:
        """Return the numbers (n, m) of standardised vectors (n, d)."""
        return (self._squeezed(z) - self.centre) @ self.turn

    def predicted(self, latents: Floats) -> Rows:
        """Return class numbers, (n,), of `latents` (n, m)."""
        return self.present[votes(latents @ self.machine.T + self.offsets)]

    def autoencoder(self) -> "Autoencoder":
        """Return the network, of ``uae`` and ``dae``."""
        from ser_core.models import autoencoder

        return autoencoder.of(self.weights)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs beside the name of the method."""
        own = {name: getattr(self, name) for name in ("centre", "turn", "machine", "offsets", "present")}
        own |= {"scale.centre": self.scale.centre, "scale.spread": self.scale.spread}
        return own | {f"weights.{name}": one for name, one in self.weights.items()}

    @classmethod
    def of(cls, method: Method, arrays: Mapping[str, NDArray[Any]]) -> "Learner":
        """Return the learner that had these `arrays`."""
        weights = {name.removeprefix("weights."): one for name, one in arrays.items() if name.startswith("weights.")}
        own = (arrays[name] for name in ("centre", "turn", "machine", "offsets", "present"))
        return cls(method, Scale(arrays["scale.centre"], arrays["scale.spread"], LIMIT), weights, *own)

    def _squeezed(self, z: Floats) -> Floats:
        if self.method in NOISE:
            from ser_core.models import autoencoder

            return autoencoder.latents(self.autoencoder(), z)
        return z @ self.weights["axes"] if self.weights else z


def fit(method: Method, z: Floats, y: Rows, *, affect: Floats, scale: Scale, seed: int) -> Learner:
    """Learn two numbers of a clip, and to tell emotions from them.

    The support vector machine is linear, C = 1, and weighs every emotion alike.

    Parameters
    ----------
    z
        Vectors of the training part (n, d), standardised by ``scale``.
    y
        Class numbers, (n,), two or more.
    affect
        Valence and arousal, (n, 2), NaN where they are not known: they say which way the numbers point, no more.
    seed
        Of the autoencoders.
    """
    from sklearn.svm import SVC

    weights = _weights(method, z, seed)
    m = 2 if weights else z.shape[1]
    start = Learner(method, scale, weights, np.zeros(m), np.eye(m), np.empty((0, m)), np.empty(0), np.unique(y))
    raw = start.latents(z)
    centre, turn = (raw.mean(axis=0), _pointed(raw, affect)) if weights else (start.centre, start.turn)
    latents = (raw - centre) @ turn
    machine = SVC(kernel="linear", class_weight="balanced").fit(latents, y)
    pairs, offsets = np.asarray(machine.coef_, np.float64), np.asarray(machine.intercept_, np.float64)
    return Learner(method, scale, weights, centre, turn, pairs, offsets, np.unique(y))


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
    if told.sum() < 2 or not goal[told].std() or not raw[told].std(axis=0).all():
        return np.zeros(2)
    return np.array([np.corrcoef(raw[told, k], goal[told])[0, 1] for k in range(2)])
