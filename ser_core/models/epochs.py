"""What is measured after each epoch of a training, which epoch is kept and when to stop."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One pass over the training clips, counted from 1.

    The training part's loss and accuracy are means over the epoch, while the network learns and with dropout; those of
    the validation part are measured after it. Loss is the mean cross-entropy, accuracy and UAR are 0-1.
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
