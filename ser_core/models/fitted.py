"""Fitted models from their arrays, whatever they are of; nothing is loaded before one is asked for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from ser_core.encoders import checkpoints
from ser_core.encoders.base import EncoderError
from ser_core.encoders.checkpoints import Checkpoint

if TYPE_CHECKING:
    from ser_core.models.forest import Forest
    from ser_core.models.network import Network
    from ser_core.models.ridge import Ridge
    from ser_core.models.svm import Svm
    from ser_core.models.tuned import Tuned


Fitted: TypeAlias = "Forest | Ridge | Svm | Network | Tuned"
"""They have ``classes``, ``n_parameters``, ``probabilities``, ``predicted`` and ``arrays``."""


def rebuilt(
    model: str,
    arrays: Mapping[str, NDArray[Any]],
    classes: tuple[str, ...],
    *,
    given: Mapping[str, Mapping[str, Any]],
) -> Fitted:
    """Return the model of a card's name that had these arrays; ``given`` are the recipes of its inputs.

    Raises
    ------
    EncoderError
        If it changed an encoder whose checkpoint is not here, or is another one now.
    """
    if "signals" in given:
        from ser_core.models.tuned import Tuned

        return Tuned.of(model, arrays, classes, found=_checkpoint(given["signals"]))
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


def _checkpoint(recipe: Mapping[str, Any]) -> Checkpoint:
    found = checkpoints.find(recipe["checkpoint"], recipe["revision"])
    if list(found.digests()) != list(recipe["files"]):
        raise EncoderError(f"{recipe['name']} is not the checkpoint that was tuned: its files have changed since")
    return found
