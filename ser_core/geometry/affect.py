"""From an embedding to valence and arousal, learnt from labels or ratings, and how well that does on what it never saw.

Valence (unpleasant to pleasant) and arousal (quiet to activated) are numbers from -1 to 1, in this order. Clips without
a target (NaN) teach nothing and are not scored, but they are placed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core.emotions import common_name
from ser_core.geometry import ridge
from ser_core.geometry.placement import AffectError, Placement, Turn, ccc, r2, turned
from ser_core.geometry.russell import coordinates

__all__ = [
    "AffectError",
    "AffectMap",
    "Method",
    "Placement",
    "Scaling",
    "Targets",
    "Turn",
    "ccc",
    "learn",
    "r2",
    "targets",
    "turned",
    "unseen_emotions",
    "unseen_speakers",
]

Method = Literal["procrustes", "regression"]
Scaling = Literal["standard", "centre"]
AXES: Final = ("valence", "arousal")
SCALES: Final = ((-1, 1), (0, 1), (1, 5), (1, 7), (1, 9))
"""Scales of ratings that are understood; the first that all ratings lie in is taken."""
LABELS: Final = "coordinates of the label on Russell's circle"
LIMIT: Final = 10.0
"""Standard deviations beyond which a standardised value counts as so many, in learning and in placing.

Some eGeMAPS values have very long tails (one demo clip lies 7,548 deviations out), and a linear map would follow them
off the plane. P4 drops clips beyond the same limit; here every clip keeps its place.
"""
LEAST_EMOTIONS: Final = 3
"""Points that Procrustes analysis in a plane needs: two can be matched in two ways."""


@dataclass(frozen=True)
class Targets:
    """Valence and arousal of each clip, shape (n_clips, 2), -1 to 1, NaN where there is none, and what they are."""

    values: NDArray[np.float64]
    source: Literal["rated", "labels"]
    scale: str


@dataclass(frozen=True)
class AffectMap:
    """A linear map: centre and spread of shape (dim,), weights (dim, 2), offset (2,); ``alpha`` the ridge penalty.

    Scaled values beyond ``limit`` count as ``limit`` (infinite where nothing was divided by a spread).
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: NDArray[np.float64]
    offset: NDArray[np.float64]
    alpha: float | None
    limit: float

    def place(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return valence and arousal, shape (n_clips, 2), of vectors of shape (n_clips, dim)."""
        scaled = np.clip((vectors - self.centre) / self.spread, -self.limit, self.limit)
        return scaled @ self.weights + self.offset


def targets(clips: pd.DataFrame) -> Targets:
    """Return ratings where at least half of the clips have both, else the coordinates of their labels.

    Parameters
    ----------
    clips
        One row per clip with ``emotion`` (any word) and, where rated, ``valence`` and ``arousal`` as numbers on one
        scale: -1 to 1, 0 to 1, 1 to 5, 1 to 7 or 1 to 9.

    Raises
    ------
    AffectError
        If ratings lie on none of these scales.

    Examples
    --------
    >>> targets(pd.DataFrame({"emotion": ["neutral"], "valence": [5.0], "arousal": [2.0]})).values
    array([[ 1. , -0.5]])
    """
    if set(AXES) <= set(clips.columns):
        rated = clips[list(AXES)].to_numpy(np.float64, copy=True)
        rated[~np.isfinite(rated).all(axis=1)] = np.nan
        known = np.isfinite(rated[:, 0])
        if known.any() and known.mean() >= 0.5:
            low, high = _range(rated[known])
            values = (2 * rated - low - high) / (high - low)
            return Targets(values, "rated", f"rated, read as a scale from {low} to {high}")
    words = clips["emotion"].to_numpy()
    place = {word: coordinates(common_name(word)) or (np.nan, np.nan) for word in set(words)}
    return Targets(np.array([place[word] for word in words], np.float64).reshape(-1, 2), "labels", LABELS)


def learn(
    x: NDArray[np.floating],
    targets: NDArray[np.float64],
    labels: Sequence[str],
    *,
    speakers: Sequence[str],
    method: Method,
    scaling: Scaling,
) -> AffectMap:
    """Learn the way from an embedding to valence and arousal.

    ``procrustes``: the mean of each emotion, each counting the same; the plane of their first two principal axes;
    turned, mirrored if need be, scaled and moved onto the emotions' mean targets (Schoenemann & Carroll 1970,
    Psychometrika 35). ``regression``: `ridge.fit` on both targets, every clip counting the same.

    Parameters
    ----------
    x, targets, labels
        Vectors (n_clips, dim), targets (n_clips, 2) and the emotion of each clip.
    speakers
        Of each clip; the regression's penalty is chosen on speakers left out.
    scaling
        ``centre``, or ``standard`` to divide by the standard deviation too (dimensions that are constant are left out,
        values beyond `LIMIT` count as that).

    Raises
    ------
    AffectError
        If fewer than three emotions (procrustes) or two different targets (regression) are there to learn from.
    """
    known = np.isfinite(targets).all(axis=1)
    y, words = targets[known], np.asarray(labels, dtype=np.str_)[known]
    if len(np.unique(y, axis=0)) < 2:
        raise AffectError(
            f"{len(y)} of {len(targets)} clips have valence and arousal, all the same: a map needs two targets or more"
        )
    z = x[known].astype(np.float64)
    largest = np.abs(z).max(axis=0)
    centre, spread = z.mean(axis=0), np.ones(z.shape[1])
    if scaling == "standard":
        deviation = z.std(axis=0)
        spread = np.where(deviation > 1e-12 * (1 + largest), deviation, np.inf)
    limit = LIMIT if scaling == "standard" else np.inf
    z -= centre
    z /= spread
    np.clip(z, -limit, limit, out=z)
    if method == "procrustes":
        return AffectMap(centre, spread, *_procrustes(z, y, words), None, limit)
    found = ridge.fit(z, y, np.asarray(speakers, dtype=np.str_)[known].tolist())
    return AffectMap(centre, spread, found.weights, found.offset, found.alpha, limit)


def unseen_speakers(
    x: NDArray[np.floating],
    targets: NDArray[np.float64],
    labels: Sequence[str],
    *,
    speakers: Sequence[str],
    method: Method,
    scaling: Scaling,
    progress: Callable[[int, int], None] | None = None,
) -> Placement:
    """Place each speaker's clips by a map learnt from all other speakers alone, its scaling included.

    ``progress`` is called with folds done and their number; other parameters as in `learn`.

    Raises
    ------
    AffectError
        If there are fewer than two speakers, or too little is left to learn from.
    """
    voices = np.asarray(speakers, dtype=np.str_)
    if len(set(voices)) < 2:
        raise AffectError(f"leaving one speaker out needs two speakers or more, found {len(set(voices))}")
    placed = _leave_out(voices, x, targets, labels, voices, method, scaling, progress)
    return Placement(targets, placed, voices, shared_speakers=False)


def unseen_emotions(
    x: NDArray[np.floating],
    targets: NDArray[np.float64],
    labels: Sequence[str],
    *,
    speakers: Sequence[str],
    method: Method,
    scaling: Scaling,
    progress: Callable[[int, int], None] | None = None,
) -> Placement:
    """Place each emotion's clips by a map learnt from all other emotions alone; the voices are known to it.

    Parameters as in `unseen_speakers`.

    Raises
    ------
    AffectError
        If too few emotions are left to learn from.
    """
    voices = np.asarray(speakers, dtype=np.str_)
    placed = _leave_out(np.asarray(labels, dtype=np.str_), x, targets, labels, voices, method, scaling, progress)
    return Placement(targets, placed, voices, shared_speakers=True)


def _leave_out(
    groups: NDArray[np.str_],
    x: NDArray[np.floating],
    targets: NDArray[np.float64],
    labels: Sequence[str],
    speakers: NDArray[np.str_],
    method: Method,
    scaling: Scaling,
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.float64]:
    words, names = np.asarray(labels, dtype=np.str_), np.unique(groups)
    placed = np.empty((len(groups), 2))
    for done, name in enumerate(names, start=1):
        test = groups == name
        rest = ~test
        try:
            found = learn(
                x[rest],
                targets[rest],
                words[rest].tolist(),
                speakers=speakers[rest].tolist(),
                method=method,
                scaling=scaling,
            )
        except AffectError as error:
            raise AffectError(f"without {name}, {error}") from error
        placed[test] = found.place(x[test])
        if progress:
            progress(done, len(names))
    return placed


def _range(rated: NDArray[np.float64]) -> tuple[int, int]:
    lowest, highest = rated.min(), rated.max()
    for low, high in SCALES:
        if low <= lowest and highest <= high and (low >= 0 or lowest < 0):
            return low, high
    known = ", ".join(f"{low} to {high}" for low, high in SCALES)
    raise AffectError(
        f"valence and arousal between {lowest:g} and {highest:g} lie on no scale that is known ({known}):"
        " bring both to one of them"
    )


def _procrustes(
    z: NDArray[np.float64], y: NDArray[np.float64], words: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (dim, 2) and offset (2,) that bring the emotions' means closest to their mean targets."""
    names = np.unique(words)
    if len(names) < LEAST_EMOTIONS or z.shape[1] < 2:
        raise AffectError(
            f"{len(names)} emotions with valence and arousal ({', '.join(names)}) and {z.shape[1]} values per clip:"
            f" Procrustes analysis needs {LEAST_EMOTIONS} emotions and 2 values, or more"
        )
    means, goals = (np.stack([values[words == name].mean(axis=0) for name in names]) for values in (z, y))
    middle, goal = means.mean(axis=0), goals.mean(axis=0)
    axes = np.linalg.svd(means - middle, full_matrices=False)[2][:2].T
    flat = (means - middle) @ axes
    left, values, right = np.linalg.svd(flat.T @ (goals - goal))
    size = np.square(flat).sum()
    weights = axes @ left @ right * (values.sum() / size if size else 0.0)
    return weights, goal - middle @ weights
