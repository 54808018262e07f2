"""Fitted models from their arrays, whatever they are of; nothing is loaded before one is asked for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

if TYPE_CHECKING:
    from ser_core.models.forest import Forest
    from ser_core.models.network import Network
    from ser_core.models.ridge import Ridge
    from ser_core.models.svm import Svm


Fitted: TypeAlias = "Forest | Ridge | Svm | Network"
"""They have ``classes``, ``n_parameters``, ``probabilities``, ``predicted`` and ``arrays``."""


def rebuilt(model: str, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]) -> Fitted:
    """Return the model of a card's name that had these arrays."""
    if model == "forest":
        from ser_core.models.forest import Forest

        return Forest.of(arrays, classes)
    if model == "ridge":
        from ser_core.models.ridge import Ridge

        return Ridge.of(arrays, classes)
    if model == "svm":
        from ser_core.models.svm import Svm

        return Svm.of(arrays, classes)
    from ser_core.models.network import Network

    return Network.of(model, arrays, classes)
