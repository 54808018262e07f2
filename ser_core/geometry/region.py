"""Where the true place of a placed clip lies: an ellipse around it, from the errors on speakers that were left out."""

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.geometry.placement import AffectError, Placement

SHARE: Final = 0.95


@dataclass(frozen=True)
class Region:
    """An ellipse that holds the true place of this share (0-1) of clips, around where they were placed.

    Attributes
    ----------
    matrix
        Shape (2, 2), mean of the outer products of the errors, valence and arousal: their shape, bias included.
    radius
        How many times its size (the square root of ``matrix``) the ellipse is.
    share
        Of clips whose true place lies within.
    half_widths
        How far to either side of the placed valence, and of the placed arousal, the true one lies for this share of
        clips, each taken alone: less than the ellipse reaches, which holds both at once.
    n_clips, n_speakers
        That this was learnt from.
    """

    matrix: NDArray[np.float64]
    radius: float
    share: float
    half_widths: tuple[float, float]
    n_clips: int
    n_speakers: int

    def ellipse(self, centre: NDArray[np.floating], n: int = 73) -> NDArray[np.float64]:
        """Return ``n`` points of its edge around a placed point, shape (n, 2), the last one the first again."""
        angle = np.linspace(0, 2 * np.pi, n)
        circle = np.column_stack([np.cos(angle), np.sin(angle)])
        return centre + self.radius * circle @ np.linalg.cholesky(self.matrix).T

    def holds(self, errors: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say of errors (true minus placed), shape (n_clips, 2), which are within."""
        return _sizes(errors, self.matrix) <= self.radius


def region(placement: Placement, *, share: float = SHARE) -> Region | None:
    """Return the region of the true place, from clips placed by maps that had not heard their speakers.

    Split conformal prediction (Lei, J., et al. 2018, JASA 113, 1094-1111, section 2.2): the ellipse is as large as the
    error of rank ceil((n + 1) share), errors measured by their own covariance around zero. Nothing is assumed of their
    distribution, but that the next clip's error might as well have been one of them. Clips of one speaker resemble each
    other, so it holds a little less of new speakers where there are few to learn from (simulated, half of the errors'
    variance due to the speaker: 92 % from 4 speakers, 93 % from 10, 94 % from 24), and more of one speaker than of
    another: `coverage` measures both.

    Parameters
    ----------
    placement
        From `affect.unseen_speakers`; clips without a true place take no part.
    share
        Of clips that it is to hold, between 0 and 1.

    Returns
    -------
    None where there are too few clips for this share (19 for 95 %), or their errors lie on a line.

    Raises
    ------
    AffectError
        If the map knew the speakers, so that its errors are smaller than those on new ones.
    """
    if placement.shared_speakers is not False:
        raise AffectError("errors on speakers that the map knew say nothing of new ones: leave speakers out")
    errors = placement.truth - placement.placed
    known = np.isfinite(errors).all(axis=1)
    return _region(errors[known], placement.speakers[known], share)


def coverage(placement: Placement, *, share: float = SHARE) -> tuple[float, dict[str, float]]:
    """Return how much the region itself holds of speakers that it was not learnt from: of all clips, and of each one's.

    Each speaker's errors are held against a region from the other speakers' errors. Parameters as in `region`.

    Raises
    ------
    AffectError
        As in `region`, or if too few clips are left for a region without one of the speakers.
    """
    if region(placement, share=share) is None:
        raise AffectError(f"too few clips with a true place for a region that holds {share:.0%} of them")
    errors = placement.truth - placement.placed
    known = np.isfinite(errors).all(axis=1)
    errors, speakers = errors[known], placement.speakers[known]
    inside = np.empty(len(errors), bool)
    names = np.unique(speakers)
    for name in names:
        one = speakers == name
        without = _region(errors[~one], speakers[~one], share)
        if without is None:
            raise AffectError(f"without {name}, too few clips for a region that holds {share:.0%} of them")
        inside[one] = without.holds(errors[one])
    return float(inside.mean()), {str(name): float(inside[speakers == name].mean()) for name in names}


def _region(errors: NDArray[np.float64], speakers: NDArray[np.str_], share: float) -> Region | None:
    rank = ceil((len(errors) + 1) * share - 1e-9)  # 0.95 is a little more in binary: rounding is no further clip
    if rank > len(errors):
        return None
    matrix = errors.T @ errors / len(errors)
    if not np.linalg.cond(matrix) < 1e12:
        return None
    radius = np.sort(_sizes(errors, matrix))[rank - 1]
    valence, arousal = np.sort(np.abs(errors), axis=0)[rank - 1]
    return Region(matrix, float(radius), share, (float(valence), float(arousal)), len(errors), len(np.unique(speakers)))


def _sizes(errors: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how long errors are, measured by their covariance around zero."""
    return np.sqrt(np.einsum("ni,ij,nj->n", errors, np.linalg.inv(matrix), errors))
