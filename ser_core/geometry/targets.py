"""Valence and arousal of clips as far as they are known: rated, or where the label lies on Russell's circle.

Both are numbers from -1 to 1, in this order.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core.emotions import common_name
from ser_core.geometry.placement import AffectError
from ser_core.geometry.russell import coordinates

AXES: Final = ("valence", "arousal")
SCALES: Final = ((-1, 1), (0, 1), (1, 5), (1, 7), (1, 9))
"""Scales of ratings that are understood; the first that all ratings lie in is taken."""
LABELS: Final = "coordinates of the label on Russell's circle"
NOTHING: Final = "no label has a place on Russell's circle"


@dataclass(frozen=True)
class Targets:
    """Valence and arousal of each clip, shape (n_clips, 2), -1 to 1, NaN where there is none, and what they are."""

    values: NDArray[np.float64]
    source: Literal["rated", "labels"]
    scale: str


def targets(clips: pd.DataFrame) -> Targets:
    """Return ratings where at least half of the clips have both, else the coordinates of their labels.

    Ratings that are too few, or on no known scale while labels have a place, are not used, and ``scale`` says so.

    Parameters
    ----------
    clips
        One row per clip with ``emotion`` (any word) and, where rated, ``valence`` and ``arousal`` as numbers on one
        scale: -1 to 1, 0 to 1, 1 to 5, 1 to 7 or 1 to 9.

    Raises
    ------
    AffectError
        If ratings lie on none of these scales, and no label has a place on Russell's circle.

    Examples
    --------
    >>> targets(pd.DataFrame({"emotion": ["neutral"], "valence": [5.0], "arousal": [2.0]})).values
    array([[ 1. , -0.5]])
    """
    words = clips["emotion"].to_numpy()
    place = {word: coordinates(common_name(word)) or (np.nan, np.nan) for word in set(words)}
    labelled = np.array([place[word] for word in words], np.float64).reshape(-1, 2)
    scale = LABELS if np.isfinite(labelled).any() else NOTHING
    if not set(AXES) <= set(clips.columns):
        return Targets(labelled, "labels", scale)
    rated = clips[list(AXES)].to_numpy(np.float64, copy=True)
    rated[~np.isfinite(rated).all(axis=1)] = np.nan
    known = np.isfinite(rated[:, 0])
    if not known.any():
        return Targets(labelled, "labels", scale)
    if known.mean() < 0.5:
        few = f"{known.sum():,} of {len(known):,} clips are rated, fewer than half"
        return Targets(labelled, "labels", f"{few}: {scale}")
    lowest, highest = rated[known].min(), rated[known].max()
    if (ends := _range(lowest, highest)) is None:
        scales = ", ".join(f"{low} to {high}" for low, high in SCALES)
        why = f"valence and arousal between {lowest:g} and {highest:g} lie on no scale that is known ({scales})"
        if scale == NOTHING:
            raise AffectError(f"{why}: bring both to one of them")
        return Targets(labelled, "labels", f"{why}: {scale}")
    low, high = ends
    return Targets((2 * rated - low - high) / (high - low), "rated", f"rated, read as a scale from {low} to {high}")


def known(clips: pd.DataFrame) -> NDArray[np.float64]:
    """Return valence and arousal of clips, (n_clips, 2), as `targets`; NaN for all where it raises."""
    try:
        return targets(clips).values  # noqa: PD011  no table
    except AffectError:
        return np.full((len(clips), 2), np.nan)


def rated(clips: pd.DataFrame) -> bool:
    """Say whether `known` are ratings."""
    try:
        return targets(clips).source == "rated"
    except AffectError:
        return False


def _range(lowest: float, highest: float) -> tuple[int, int] | None:
    for low, high in SCALES:
        if low <= lowest and highest <= high and (low >= 0 or lowest < 0):
            return low, high
    return None
