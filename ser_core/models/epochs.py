"""What is measured after each epoch of a training, which epoch is kept and when to stop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RISING: Final = 0.3
START: Final = 1 / 25
END: Final = START / 10_000
"""Of one cycle: the share of the steps in which the rate rises, and the shares of it at both ends, as in torch."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training clips, counted from 1.

    The training part's loss and accuracy are means over the epoch, while the network learns and with dropout; those of
    the validation part are measured after it. Loss is the mean cross-entropy, accuracy and UAR are 0-1; the learning
    rate is that of the last step.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_uar: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class TunedEpoch(Epoch):
    """The same where an encoder learns at a rate of its own; ``learning_rate`` is that of its head."""

    encoder_rate: float


def chosen(history: Sequence[Epoch]) -> Epoch:
    """Return the epoch whose weights are kept: the best validation UAR, of equal ones the lower loss, then the earlier.

    Not the lowest loss: on RAVDESS it comes early (`cnn3`: epoch 8) and accuracy goes on rising for ten more epochs.
    """
    return min(history, key=lambda one: (-one.validation_uar, one.validation_loss))


def stalled(history: Sequence[Epoch], patience: int) -> bool:
    """Tell whether the validation loss was not lower than ever before in the last ``patience`` epochs.

    P1 stops by the loss, too. Waiting for a better UAR as well took up to twice as many epochs on RAVDESS (`cnn3`,
    unseen speakers), for about a point of it on the validation part.
    """
    if not history:
        return False
    lowest = min(history, key=lambda one: one.validation_loss)
    return history[-1].epoch - lowest.epoch >= patience


def cycle(step: int, steps: int) -> float:
    """Return the share (0-1) of the learning rate at a ``step``, from 0, of ``steps`` in all.

    It rises from `START` to 1 and falls to `END`, each along half a cosine: the "1cycle policy" of L. N. Smith &
    N. Topin (2019), Super-convergence, with the numbers of torch's ``OneCycleLR`` (without those of momentum).
    """
    top = RISING * steps - 1
    rises = step <= top
    low, passed = (START, step / top) if rises else (END, (steps - 1 - step) / (steps - 1 - top))
    return low + (1 - low) * (1 - math.cos(math.pi * passed)) / 2
