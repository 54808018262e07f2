"""From an embedding to valence and arousal, learnt from labels or ratings, and how well that does on what it never saw.

Valence (unpleasant to pleasant) and arousal (quiet to activated) are numbers from -1 to 1, in this order. Clips without
a target (NaN) teach nothing and are not scored, but they are placed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_core.corpora.folder import UNKNOWN
from ser_core.geometry import ridge
from ser_core.geometry.placement import AffectError, Placement, Turn, ccc, r2, turned
from ser_core.geometry.targets import LABELS, Targets, targets

__all__ = [
    "LABELS",
    "AffectError",
    "AffectMap",
    "Method",
    "Placement",
    "Scaling",
    "Targets",
    "Turn",
    "ccc",
    "check",
    "check_left_out",
    "learn",
    "limit",
    "r2",
    "targets",
    "turned",
    "unseen_emotions",
    "unseen_speakers",
]

Method = Literal["procrustes", "regression"]
Scaling = Literal["standard", "centre"]
LIMIT: Final = 10.0
"""Standard deviations beyond which a standardised value counts as so many, in learning and in placing.

Some eGeMAPS values have very long tails (one demo clip lies 7,548 deviations out), and a linear map would follow them
off the plane. P4 drops clips beyond the same limit; here every clip keeps its place.
"""
LEAST_EMOTIONS: Final = 3
"""Points that Procrustes analysis in a plane needs: two can be matched in two ways."""


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


def limit(scaling: Scaling) -> float:
    """Return `LIMIT` where values are divided by a spread; values in units of their own have no limit."""
    return LIMIT if scaling == "standard" else np.inf


def check(
    targets: NDArray[np.float64], labels: Sequence[str] | NDArray[np.str_], *, n_values: int, method: Method
) -> NDArray[np.bool_]:
    """Return which clips teach, shape (n_clips,): those with a target, for ``procrustes`` also of a known emotion.

    Parameters
    ----------
    targets, labels
        Targets (n_clips, 2) and the emotion of each clip.
    n_values
        How many values a vector has.

    Raises
    ------
    AffectError
        If fewer than three emotions (procrustes) or two different targets are there to learn from.
    """
    words = np.asarray(labels, dtype=np.str_)
    known = np.asarray(np.isfinite(targets).all(axis=1))
    if method == "procrustes":
        known &= words != UNKNOWN
        names = np.unique(words[known])
        if len(names) < LEAST_EMOTIONS or n_values < 2:
            raise AffectError(
                f"{len(names)} emotions with valence and arousal ({', '.join(names) or 'none'}) and {n_values} values"
                f" per clip: Procrustes analysis needs {LEAST_EMOTIONS} emotions and 2 values, or more"
            )
    if len(np.unique(targets[known], axis=0)) < 2:
        raise AffectError(
            f"{known.sum()} of {len(targets)} clips have valence and arousal, all the same: a map needs two targets or"
            " more; give the clips an emotion, or ratings, in metadata.csv"
        )
    return known


def check_left_out(
    groups: NDArray[np.str_],
    targets: NDArray[np.float64],
    labels: Sequence[str] | NDArray[np.str_],
    *,
    n_values: int,
    method: Method,
) -> None:
    """Raise AffectError if too little is left to learn from (`check`) when one of these groups is left out."""
    words = np.asarray(labels, dtype=np.str_)
    known = np.isfinite(targets).all(axis=1) & ((method != "procrustes") | (words != UNKNOWN))
    word, goal = (np.unique(x, axis=0, return_inverse=True)[1].ravel() for x in (words, targets))
    for name in np.unique(groups):
        rest = groups != name
        n_words, n_goals = (len(np.unique(numbers[rest & known])) for numbers in (word, goal))
        if n_goals > 1 and n_words >= LEAST_EMOTIONS:  # numbers are quickly compared, and this is nearly always so
            continue
        try:
            check(targets[rest], words[rest], n_values=n_values, method=method)
        except AffectError as error:
            raise AffectError(f"without {name}, {error}") from error


def learn(
    x: NDArray[np.floating],
    targets: NDArray[np.float64],
    labels: Sequence[str] | NDArray[np.str_],
    *,
    speakers: Sequence[str] | NDArray[np.str_],
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
        As in `check`.
    """
    known = check(targets, labels, n_values=x.shape[1], method=method)
    y, words = targets[known], np.asarray(labels, dtype=np.str_)[known]
    z = x[known].astype(np.float64)
    largest = np.abs(z).max(axis=0)
    centre, spread = z.mean(axis=0), np.ones(z.shape[1])
    if scaling == "standard":
        deviation = z.std(axis=0)
        spread = np.where(deviation > 1e-12 * (1 + largest), deviation, np.inf)
    most = limit(scaling)
    z -= centre
    z /= spread
    np.clip(z, -most, most, out=z)
    if method == "procrustes":
        return AffectMap(centre, spread, *_procrustes(z, y, words), None, most)
    found = ridge.fit(z, y, np.asarray(speakers, dtype=np.str_)[known].tolist())
    return AffectMap(centre, spread, found.weights, found.offset, found.alpha, most)


def unseen_speakers(
    x: NDArray[np.floating],
    targets: NDArray[np.float64],
    labels: Sequence[str] | NDArray[np.str_],
    *,
    speakers: Sequence[str] | NDArray[np.str_],
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
    labels: Sequence[str] | NDArray[np.str_],
    *,
    speakers: Sequence[str] | NDArray[np.str_],
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
    labels: Sequence[str] | NDArray[np.str_],
    speakers: NDArray[np.str_],
    method: Method,
    scaling: Scaling,
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.float64]:
    words, names = np.asarray(labels, dtype=np.str_), np.unique(groups)
    check_left_out(groups, targets, words, n_values=x.shape[1], method=method)
    placed = np.empty((len(groups), 2))
    for done, name in enumerate(names, start=1):
        test = groups == name
        rest = ~test
        how = {"speakers": speakers[rest], "method": method, "scaling": scaling}
        placed[test] = learn(x[rest], targets[rest], words[rest], **how).place(x[test])
        if progress:
            progress(done, len(names))
    return placed


def _procrustes(
    z: NDArray[np.float64], y: NDArray[np.float64], words: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (dim, 2) and offset (2,) that bring the emotions' means closest to their mean targets."""
    names = np.unique(words)
    means, goals = (np.stack([values[words == name].mean(axis=0) for name in names]) for values in (z, y))
    middle, goal = means.mean(axis=0), goals.mean(axis=0)
    axes = np.linalg.svd(means - middle, full_matrices=False)[2][:2].T
    flat = (means - middle) @ axes
    left, values, right = np.linalg.svd(flat.T @ (goals - goal))
    size = np.square(flat).sum()
    weights = axes @ left @ right * (values.sum() / size if size else 0.0)
    return weights, goal - middle @ weights
