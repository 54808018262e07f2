"""What can be trained, and how that is said: in a sentence for people, and as a `ser` command."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import run_files
from ser_core.emotions import common_name
from ser_core.errors import SerError
from ser_core.models.cards import AUTOENCODERS, CARDS, REDUCERS, VAE
from ser_core.splits import Split

Rows = NDArray[np.intp]


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
    one_cycle
        Of networks that change no encoder: the rate rises and falls once within the epochs, and all are trained.
        True or None.
    kernel, c
        Of the support vector machine.
    labels
        A map of `ser_core.labels`: what the corpus's words become; None: they stay.
    weighted
        Of models on an encoder: all its layers, each of a weight that is learnt, instead of one. True or None.
    blocks
        Of ``last-layers``: how many blocks of the encoder learn; None: as the paper has it.
    encoder_rate
        Of models that change an encoder: the rate at which it learns (``learning_rate`` is that of the head).
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
    one_cycle: bool | None = None
    kernel: Literal["rbf", "linear"] = "rbf"
    c: float = 1.0
    labels: str | None = None
    weighted: bool | None = None
    blocks: int | None = None
    encoder_rate: float | None = None


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


@dataclass(frozen=True)
class ReducerPlan:
    """What undercomplete or denoising autoencoder to train: all that changes the numbers, beside the clips.

    Attributes
    ----------
    model
        ``uae`` or ``dae``.
    emotions
        Clips of these alone: common names with commas between; None: all.
    speakers, statement
        As of `VaePlan`.
    encoder, layer
        Of the vectors; by default the card's encoder, and its last layer.
    epochs, learning_rate, batch_size
        See `ser_core.models.autoencoder.AutoencoderTraining`, where the usual ones are.
    seed
        Of everything drawn in training.
    """

    model: Literal["uae", "dae"]
    corpus: str
    emotions: str | None = None
    speakers: str | None = None
    statement: str | None = None
    encoder: str | None = None
    layer: int = -1
    epochs: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    seed: int = 0
    split: Literal["chosen"] = field(default="chosen", init=False)


AnyPlan: TypeAlias = Plan | VaePlan | ReducerPlan


def plan(model: str, corpus: str, **choices: Any) -> AnyPlan:
    """Return the plan of a model with these choices, among them usual ones of models of other kinds.

    Raises
    ------
    ExperimentError
        If a choice is made that this kind of model does not have.
    """
    kinds: tuple[type[AnyPlan], ...] = (Plan, VaePlan, ReducerPlan)
    of = {kind: {one.name: one.default for one in fields(kind)[2:] if one.init} for kind in kinds}
    mine: Any = VaePlan if model == VAE else ReducerPlan if model in REDUCERS else Plan
    others = of[Plan] | of[VaePlan] | of[ReducerPlan]
    for name, value in choices.items():
        if name not in of[mine] and value != others[name]:
            raise ExperimentError(f"{model} has no choice of {name.replace('_', ' ')}: leave it out")
    return mine(model, corpus, **{name: value for name, value in choices.items() if name in of[mine]})


def check_autoencoder(plan: VaePlan | ReducerPlan) -> None:
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
        f"needs a learning rate between 0 and 1, not {plan.learning_rate}": plan.learning_rate is not None
        and not 0 < plan.learning_rate < 1,
        f"needs a seed of 0 or more, below 2^32, not {plan.seed}": not 0 <= plan.seed < 2**32,
    }
    if isinstance(plan, VaePlan):
        wrong |= {
            f"needs a warm-up of 0 epochs or more, not {plan.warmup}": plan.warmup is not None and plan.warmup < 0,
            f"needs a β of 0 or more, not {plan.beta}": plan.beta is not None and not 0 <= plan.beta < math.inf,
        }
    for why in (why for why, is_wrong in wrong.items() if is_wrong):
        raise ExperimentError(f"{plan.model} {why}")


def chosen(clips: pd.DataFrame, plan: VaePlan | ReducerPlan) -> Rows:
    """Return the rows of the clips that a plan trains on.

    Raises
    ------
    ExperimentError
        If there are none, or the corpus does not know what was asked for.
    """
    keep = np.ones(len(clips), bool)
    if plan.statement is not None:
        keep &= _is(clips, "statement", [plan.statement], plan.corpus)
    if plan.speakers in run_files.GENDERS:
        keep &= _is(clips, "gender", [plan.speakers], plan.corpus)
    elif plan.speakers is not None:
        keep &= _is(clips, "speaker", [name.strip() for name in plan.speakers.split(",")], plan.corpus)
    if isinstance(plan, ReducerPlan) and plan.emotions is not None:
        named = clips.assign(emotion=[common_name(str(word)) for word in clips["emotion"]])
        keep &= _is(named, "emotion", [name.strip() for name in plan.emotions.split(",")], plan.corpus)
    rows = np.flatnonzero(keep)
    if not len(rows):
        raise ExperimentError(
            f"no clip of {plan.corpus} is of these speakers, this statement and these emotions: choose more"
        )
    return rows


def check(plan: Plan) -> None:
    """Say what does not fit before anything is computed.

    Raises
    ------
    ExperimentError
        If there is no such model, or it has no such choice.
    """
    card = CARDS.get(plan.model)
    if card is None:
        raise ExperimentError(
            f"no model is called {plan.model!r}, expected one of {', '.join((*CARDS, *AUTOENCODERS))}"
        )
    wrong = {
        "takes pictures of the clips only: leave out the encoder and its layer": card.vectors is None
        and (plan.encoder is not None or plan.layer != -1),
        "is not trained in epochs: leave out their number": card.training is None and plan.epochs is not None,
        "is not trained at a learning rate: leave it out": card.training is None and plan.learning_rate is not None,
        "has no labels to be smoothed: leave that out": card.training is None and plan.label_smoothing is not None,
        "learns in no cycle of the rate: that is for networks that change no encoder": bool(plan.one_cycle)
        and (card.training is None or card.tuning is not None),
        "cannot be augmented: that is for the networks that look at pictures alone": plan.augment and not card.augments,
        "cannot be pretrained greedily": plan.pretrain != "none" and not card.pretrains,
        "has no kernel and no cost C: those are of svm": plan.model != "svm" and (plan.kernel, plan.c) != ("rbf", 1.0),
        "changes an encoder, so clips cannot be normalised by their speakers": card.tuning is not None
        and plan.normalise != "global",
        "does not weigh the layers of an encoder: leave that out": bool(plan.weighted) and not card.weighs,
        "weighs all layers: leave out the one": bool(plan.weighted) and plan.layer != -1,
        "has no blocks that learn: those are of last-layers": plan.blocks is not None
        and not (card.tuning and card.tuning.blocks),
        f"needs one block or more to learn, not {plan.blocks}": plan.blocks is not None and plan.blocks < 1,
        "changes no encoder: leave out its rate": plan.encoder_rate is not None and card.tuning is None,
        f"needs an encoder's rate between 0 and 1, not {plan.encoder_rate}": plan.encoder_rate is not None
        and not 0 < plan.encoder_rate < 1,
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


def arguments(plan: AnyPlan) -> list[str]:
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


def title(plan: AnyPlan) -> str:
    """Return what people call it (`run_files.title`)."""
    return run_files.title(asdict(plan))


def _is(clips: pd.DataFrame, column: str, wanted: list[str], corpus: str) -> NDArray[np.bool_]:
    known = sorted(clips[column].dropna().astype(str).unique()) if column in clips else []
    if unknown := [one for one in wanted if one not in known]:
        some = ", ".join(known[:30]) or f"no {column} at all"
        raise ExperimentError(f"{corpus} has no {column} {', '.join(unknown)}; it has {some}")
    return clips[column].astype(str).isin(wanted).to_numpy()
