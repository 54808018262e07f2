"""In which order to write emotions beside each other, so that alike ones are neighbours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ser_core.errors import SerError
from ser_core.geometry.russell import reference


class OrderingError(SerError, ValueError):
    """Distances that give no order; the message says what was expected."""


def circular(names: Sequence[str]) -> list[int]:
    """Return the places of ``names`` in the order of Russell's circle, from pleasure counter-clockwise.

    Names without an angle there (`ser_core.geometry.russell.reference`) come last, as they stand.

    Examples
    --------
    >>> names = ["neutral", "sadness", "happiness", "anger"]
    >>> [names[place] for place in circular(names)]
    ['happiness', 'anger', 'sadness', 'neutral']
    """
    angles = [reference(name) for name in names]
    return sorted(range(len(names)), key=lambda place: np.inf if (angle := angles[place]) is None else angle)


def clustered(distances: NDArray[np.float64]) -> list[int]:
    """Return the places of distances (k, k) in the order of the leaves of their average-linkage tree.

    Of all orders that the tree allows, the one with the least sum of distances between neighbours (Bar-Joseph,
    Gifford & Jaakkola 2001, Bioinformatics 17, S22-S29).

    Raises
    ------
    OrderingError
        If the distances are not a square, symmetric matrix of finite values of 0 or more with an empty diagonal.

    Examples
    --------
    >>> at = np.array([0.0, 9.0, 1.0, 10.0])
    >>> clustered(np.abs(at[:, None] - at))
    [0, 2, 1, 3]
    """
    # both take long to load, and only this order needs them
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    square = distances.ndim == 2 and len(distances) == distances.shape[1]
    if not square or not np.isfinite(distances).all() or (distances < 0).any() or np.diag(distances).any():
        raise OrderingError(f"distances of shape {distances.shape}: expected a square of finite values, 0 to oneself")
    if not np.allclose(distances, distances.T):
        raise OrderingError("distances that are not the same both ways: an order needs a symmetric matrix")
    if len(distances) < 3:
        return list(range(len(distances)))
    tree = linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    return [int(place) for place in leaves_list(tree)]
