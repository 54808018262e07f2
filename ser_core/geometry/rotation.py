"""How far a plane of emotions is turned in one corpus against another, and what is gained by turning it back."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.geometry.circumplex import align

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
LEAST: Final = 2
"""Emotions whose centres fix a turn."""


@dataclass(frozen=True)
class Turn:
    """What brings a plane of emotions onto another: a shift of its centre, then a turn about it.

    ``degrees`` (-180 to 180, counterclockwise) is the turn, ``centre`` the mean of the centres of the emotions, which
    goes to ``goal``.
    """

    degrees: float
    centre: tuple[float, float]
    goal: tuple[float, float]

    def apply(self, points: Floats, *, turned: bool) -> Floats:
        """Return points (n, 2) after the shift, and after the turn if they are to be ``turned``."""
        angle = np.radians(self.degrees if turned else 0.0)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return (points - self.centre) @ matrix.T + self.goal


def centres(points: Floats, y: Rows, *, n_classes: int) -> Floats:
    """Return the mean of the points (n, 2) of each class, (n_classes, 2); NaN for a class without points."""
    found = np.full((n_classes, 2), np.nan)
    for one in np.unique(y):
        found[one] = points[y == one].mean(axis=0)
    return found


def turn(own: Floats, other: Floats) -> Turn | None:
    """Return what brings the centres of emotions in one plane onto those in ``other``, both (E, 2).

    Orthogonal Procrustes in the plane, without mirror image or scale (`ser_core.geometry.circumplex.align`), over the
    emotions that both have (the others are NaN); each counts the same. None if they share fewer than two.
    """
    both = ~np.isnan(own[:, 0]) & ~np.isnan(other[:, 0])
    if both.sum() < LEAST:
        return None
    first, second = own[both].mean(axis=0), other[both].mean(axis=0)
    degrees = align(own[both] - first, other[both] - second, mirror=False).rotation
    degrees = (degrees + 180.0) % 360.0 - 180.0
    return Turn(degrees, (float(first[0]), float(first[1])), (float(second[0]), float(second[1])))


def undone(points: Floats, y: Rows, speakers: NDArray[np.str_], *, goal: Floats, turned: bool) -> Floats:
    """Return the points (n, 2) of each speaker brought onto a plane by the turn that the other speakers need.

    It is fitted with labels, but none of the speaker whose clips it is applied to. NaN where the others share fewer
    than two emotions with ``goal`` (E, 2), as where there is one speaker.
    """
    out = np.full(points.shape, np.nan)
    for name in np.unique(speakers):
        own = speakers == name
        found = turn(centres(points[~own], y[~own], n_classes=len(goal)), goal)
        if found is not None:
            out[own] = found.apply(points[own], turned=turned)
    return out
