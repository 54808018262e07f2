"""What can be trained, and how that is said: in a sentence for people, and as a `ser` command."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from ser_core import run_files
from ser_core.errors import SerError
from ser_core.models.cards import CARDS, VAE
from ser_core.splits import Split


class ExperimentError(SerError, ValueError):
    """A training that makes no sense as asked; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What to train: all that changes the numbers, beside the clips.

    Attributes
    ----------
    model, corpus
        A name of `ser_core.models.cards.CARDS`, and one of the catalogue.
    encoder, layer
        Of the vectors, for the models that take some; by default the card's encoder, and its last layer.
    normalise
        ``global``: standardised by the training clips. ``speaker``: first every speaker by the own clips, which wants
        many clips of each, of test speakers, too (`ser_core.models.inputs.per_speaker`).
    seed
        Of the split at random and of everything drawn in training.
    augment, pretrain, epochs, learning_rate, label_smoothing
        Of networks; by default as many epochs as the card says, at its rate, and what it says of smoothing: the share
        (0-1) of each label that goes to all emotions alike.
    kernel, c
        Of the support vector machine.
    """

    model: str
    corpus: str
    split: Split = "speaker"
    encoder: str | None = None
    layer: int = -1
    normalise: Literal["global", "speaker"] = "global"
    seed: int = 0
    augment: bool = False
    pretrain: Literal["none", "greedy"] = "none"
    epochs: int | None = None
    learning_rate: float | None = None
    label_smoothing: float | None = None
    kernel: Literal["rbf", "linear"] = "rbf"
    c: float = 1.0


@dataclass(frozen=True)
class VaePlan:
    """What variational autoencoder to train: all that changes the numbers, beside the clips.

    Attributes
    ----------
    speakers
        Whose clips: names with commas between, ``female`` or ``male`` where the corpus knows; None: everybody's.
    statement
        Clips of one sentence only, a value of the corpus's ``statement``.
    beta, warmup, epochs, learning_rate, batch_size, any_length
        See `ser_core.models.vae_training.VaeTraining`, where the usual ones are.
    told_speaker
        Whether the decoder is told who speaks, so that the latents need not say it.
    seed
        Of everything drawn in training.
    """

    model: Literal["vae"]
    corpus: str
    speakers: str | None = None
    statement: str | None = None
    told_speaker: bool = False
    any_length: bool = False
    beta: float | None = None
    warmup: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    seed: int = 0
    split: Literal["chosen"] = field(default="chosen", init=False)


def plan(model: str, corpus: str, **choices: Any) -> Plan | VaePlan:
    """Return the plan of a model with these choices, among them usual ones of models of the other kind.

    Raises
    ------
    ExperimentError
        If a choice is made that this kind of model does not have.
    """
    kinds: tuple[type[Plan], type[VaePlan]] = (Plan, VaePlan)
    of = {kind: {one.name: one.default for one in fields(kind)[2:] if one.init} for kind in kinds}
    mine: Any = VaePlan if model == VAE else Plan
    others = of[Plan] | of[VaePlan]
    for name, value in choices.items():
        if name not in of[mine] and value != others[name]:
            raise ExperimentError(f"{model} has no choice of {name.replace('_', ' ')}: leave it out")
    return mine(model, corpus, **{name: value for name, value in choices.items() if name in of[mine]})


def check_vae(plan: VaePlan) -> None:
    """Say what does not fit before anything is computed.

    Raises
    ------
    ExperimentError
        If a number is out of its range.
    """
    wrong = {
        f"needs one epoch or more, not {plan.epochs}": plan.epochs is not None and plan.epochs < 1,
        f"needs batches of one clip or more, not {plan.batch_size}": plan.batch_size is not None
        and plan.batch_size < 1,
        f"needs a warm-up of 0 epochs or more, not {plan.warmup}": plan.warmup is not None and plan.warmup < 0,
        f"needs a β of 0 or more, not {plan.beta}": plan.beta is not None and not 0 <= plan.beta < math.inf,
        f"needs a learning rate between 0 and 1, not {plan.learning_rate}": plan.learning_rate is not None
        and not 0 < plan.learning_rate < 1,
        f"needs a seed of 0 or more, below 2^32, not {plan.seed}": not 0 <= plan.seed < 2**32,
    }
    for why in (why for why, is_wrong in wrong.items() if is_wrong):
        raise ExperimentError(f"{plan.model} {why}")


def check(plan: Plan) -> None:
    """Say what does not fit before anything is computed.

    Raises
    ------
    ExperimentError
        If there is no such model, or it has no such choice.
    """
    card = CARDS.get(plan.model)
    if card is None:
        raise ExperimentError(f"no model is called {plan.model!r}, expected one of {', '.join((*CARDS, VAE))}")
    wrong = {
        "takes pictures of the clips only: leave out the encoder and its layer": card.vectors is None
        and (plan.encoder is not None or plan.layer != -1),
        "is not trained in epochs: leave out their number": card.training is None and plan.epochs is not None,
        "is not trained at a learning rate: leave it out": card.training is None and plan.learning_rate is not None,
        "has no labels to be smoothed: leave that out": card.training is None and plan.label_smoothing is not None,
        "cannot be augmented: that is for the networks that look at pictures alone": plan.augment and not card.augments,
        "cannot be pretrained greedily": plan.pretrain != "none" and not card.pretrains,
        "has no kernel and no cost C: those are of svm": plan.model != "svm" and (plan.kernel, plan.c) != ("rbf", 1.0),
        f"needs one epoch or more, not {plan.epochs}": plan.epochs is not None and plan.epochs < 1,
        f"needs a learning rate between 0 and 1, not {plan.learning_rate}": plan.learning_rate is not None
        and not 0 < plan.learning_rate < 1,
        f"needs a label smoothing of 0 or more, below 1, not {plan.label_smoothing}": plan.label_smoothing is not None
        and not 0 <= plan.label_smoothing < 1,
        f"needs a cost C above 0, not {plan.c}": not 0 < plan.c < math.inf,
        f"needs a seed of 0 or more, below 2^32, not {plan.seed}": not 0 <= plan.seed < 2**32,
    }
    for why in (why for why, is_wrong in wrong.items() if is_wrong):
        raise ExperimentError(f"{plan.model} {why}")


def arguments(plan: Plan | VaePlan) -> list[str]:
    """Return the `ser` command that trains it, which names its job: only what is not the usual choice is written.

    Examples
    --------
    >>> arguments(Plan("cnn3", "ravdess", split="random", augment=True))
    ['train', 'cnn3', 'ravdess', '--split', 'random', '--augment']
    >>> arguments(VaePlan("vae", "ravdess", speakers="01", beta=4.0))
    ['train', 'vae', 'ravdess', '--speakers', '01', '--beta', '4.0']
    """
    said = ["train", plan.model, plan.corpus]
    for one in fields(plan)[2:]:
        value = getattr(plan, one.name)
        if value != one.default:
            option = "--" + one.name.replace("_", "-")
            said += [option] if value is True else [option, str(value)]
    return said


def title(plan: Plan | VaePlan) -> str:
    """Return what people call it (`run_files.title`)."""
    return run_files.title(asdict(plan))
