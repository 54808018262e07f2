"""Train a model on a corpus, fold by fold, and keep what comes out as a run (`ser_core.runs`)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import catalogue, embeddings, encoders, evaluation, finetuning, labels, run_files, runs, splits
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.embeddings import Embeddings
from ser_core.encoders.base import Encoder
from ser_core.encoders.transformer import Transformer
from ser_core.labels import LabelMap
from ser_core.models import inputs as model_inputs
from ser_core.models.cards import CARDS, Card, Training
from ser_core.models.epochs import Epoch, chosen
from ser_core.models.fitted import Fitted
from ser_core.models.inputs import Inputs
from ser_core.plans import ExperimentError, Plan, arguments, check, title
from ser_core.runs import Run
from ser_core.splits import Fold
from ser_core.store import key

if TYPE_CHECKING:
    from ser_core.models.network import Network
    from ser_core.models.tuned import Tuned
    from ser_core.models.tuning import Amounts, Precision

__all__ = ["ExperimentError", "Plan", "arguments", "check", "title", "train"]

VERSION: Final = 2
"""Part of every recipe: change it when trainings come out differently."""
TUNING_EPOCHS: Final = 30
"""After greedy pretraining, unless asked otherwise (P1, section 3.3: tuned for 25 and for 30)."""


def train(
    plan: Plan,
    *,
    cache: Cache,
    find: Callable[[str], Encoder] = encoders.encoder,
    device: str = "auto",
    precision: "Precision" = "auto",
    amounts: "Amounts | None" = None,
    workers: int = 2,
    progress: Callable[..., None] = lambda *_, **__: None,
) -> Run:
    """Train a model in every fold, and keep each as soon as it is done; what is kept is not done again.

    What is missing of the clips' vectors and pictures is computed first. Clips of an unknown emotion or speaker are
    left out. Interrupt it at any time: the next call goes on, networks from their last epochs, those that change an
    encoder from their last steps.

    Parameters
    ----------
    find
        Finds an encoder by its name.
    precision, amounts
        Of networks; ``float16``, and `ser_core.models.tuning.Amounts`, of those that change an encoder.
    progress
        Called with steps done, their number (clips, then epochs or other steps over all folds), and by name with
        ``message``, ``rate`` (a second), ``seconds_left`` and ``failed`` (clips).

    Raises
    ------
    SerError
        In a sentence: `ExperimentError` for what does not fit, `CorpusError`, `EncoderError`, `SplitError` …
    """
    check(plan)
    located = catalogue.get(cache, plan.corpus)
    how = _How(device, precision, amounts, workers, progress)
    named = labels.get(cache, plan.labels) if plan.labels else None
    found = [find(name) for name in _encoders(plan)]
    _check_inputs(plan, found[0], how=how)
    given = _relabelled(_given(plan, found, located, cache=cache, how=how), named)
    work = _prepare(plan, given, named, located=located, cache=cache)
    name = run_files.name(work.recipe)
    with run_files.writing(cache, name) as folder:
        people = splits.table(work.labelled, work.folds, work.clips["sha"].tolist())
        run_files.begin(folder, work.recipe, clips=work.clips, folds=people, facts=work.facts)
        done = runs.get(cache, name).done
        for number, fold in enumerate(work.folds, start=1):
            if number not in done:
                _train_fold(work, number, fold, folder=folder, how=how)
    run = runs.get(cache, name)
    steps = len(work.folds)
    progress(steps, steps, rate=0.0, message=f"UAR {run.evaluation.uar:.1%} on {len(run.tested)} test clips")
    return run


@dataclass(frozen=True)
class _How:
    """What changes no number, or the last digits at most."""

    device: str
    precision: "Precision"
    amounts: "Amounts | None"
    workers: int
    progress: Callable[..., None]


@dataclass(frozen=True)
class _Given:
    """Clips of a known emotion and speaker, what models are given of them, and the encoders that it comes from."""

    inputs: Inputs
    labelled: pd.DataFrame
    digests: tuple[str, ...]
    recipes: list[dict[str, Any]]
    tuned: Transformer | None = None


@dataclass(frozen=True)
class _Work:
    """All that a training needs: the clips with their inputs and class numbers, and how they are divided."""

    plan: Plan
    training: Training | None
    tuned: Transformer | None
    inputs: Inputs
    labelled: pd.DataFrame
    clips: pd.DataFrame
    classes: tuple[str, ...]
    folds: list[Fold]
    recipe: dict[str, Any]
    facts: dict[str, Any]


def _encoders(plan: Plan) -> list[str]:
    """Return the names of the encoders of a model's inputs."""
    card = CARDS[plan.model]
    return [name for name in (plan.encoder or card.vectors, card.picture) if name]


def _check_inputs(plan: Plan, first: Encoder, *, how: _How) -> None:
    """Say what will not do before hours go into embedding clips: the encoder of vectors, its layer, the device."""
    card = CARDS[plan.model]
    if how.precision == "float16" and card.tuning is None:
        raise ExperimentError(f"{plan.model} is not trained in float16: leave the precision out")
    if card.training:
        from ser_core.models.tuning import hardware

        hardware(how.device, how.precision)
    if card.vectors is None:
        return
    if card.tuning:
        finetuning.check(first, plan)
    recipe: dict[str, Any] = first.recipe()
    if "shape" in recipe:
        raise ExperimentError(f"{plan.model} is given vectors, and {first.name} makes pictures: name another encoder")
    n_layers = len(recipe["layers"])
    if not -n_layers <= plan.layer < n_layers:
        raise ExperimentError(f"layer {plan.layer}: {first.name} has layers 0 to {n_layers - 1}")


def _given(plan: Plan, found: Sequence[Encoder], located: Located, *, cache: Cache, how: _How) -> _Given:
    """Return what a model is given: embeddings of the clips, computed where they are missing, or their sound."""
    if CARDS[plan.model].tuning:
        encoder = finetuning.check(found[0], plan)
        sounds = finetuning.listen(located, encoder, cache=cache, workers=how.workers, progress=how.progress)
        inputs, recipe = Inputs(None, None, sounds.signals), embeddings.full_recipe(encoder)
        return _Given(inputs, sounds.clips, sounds.digests, [recipe], encoder)
    parts = [_embedded(located, encoder, cache=cache, how=how) for encoder in found]
    inputs, labelled, digests = model_inputs.gather(parts, None if plan.weighted else plan.layer)
    return _Given(inputs, labelled, digests, [part.recipe for part in parts])


def _relabelled(given: _Given, named: LabelMap | None) -> _Given:
    """Return the clips under the emotions of a label map, those that it leaves out left out."""
    if named is None:
        return given
    words = [named.of(str(word)) for word in given.labelled["emotion"]]
    rows = np.flatnonzero([word is not None for word in words])
    clips = given.labelled.assign(emotion=pd.Series(words, dtype=object)).iloc[rows].reset_index(drop=True)
    return replace(
        given, inputs=given.inputs.take(rows), labelled=clips, digests=tuple(given.digests[row] for row in rows)
    )


def _embedded(located: Located, encoder: Encoder, *, cache: Cache, how: _How) -> Embeddings:
    def tell(now: embeddings.Progress) -> None:
        how.progress(**asdict(now), message=f"{encoder.name} of the clips")

    found = embeddings.embed(located, encoder, cache=cache, device=how.device, workers=how.workers, progress=tell)
    known = evaluation.labelled(found)
    if not len(known.clips):
        raise ExperimentError(
            f"no clip of {located.name} has a known emotion, a known speaker and {encoder.name} computed:"
            " nothing can be learnt"
        )
    return known


def _prepare(plan: Plan, given: _Given, named: LabelMap | None, *, located: Located, cache: Cache) -> _Work:
    """Give the emotions numbers, divide the clips, and say in a recipe what decides the numbers."""
    card = CARDS[plan.model]
    inputs, labelled, digests = given.inputs, given.labelled, given.digests
    classes = located.classes(labelled["emotion"])
    if len(classes) < 2:
        only = ", ".join(classes) or "none"
        raise ExperimentError(f"a model needs two emotions or more, {located.name} has {only} only")
    clips = pd.DataFrame(
        {
            "file": labelled["file"],
            "sha": digests,
            "speaker": labelled["speaker"].astype(str),
            "truth": [classes.index(word) for word in labelled["emotion"]],
        }
    )
    if plan.normalise == "speaker":
        inputs = model_inputs.per_speaker(inputs, clips["speaker"].to_numpy().astype(np.str_))
    folds = splits.folds(labelled, plan.split, seed=plan.seed, shares=card.shares)
    training, settled = _training(plan), _settled(plan, given.recipes)
    recipe = {
        "run": VERSION,
        **{name: choice for name, choice in asdict(settled).items() if choice is not None},
        "kind": located.kind,
        "classes": list(classes),
        "clips": key({"clips": clips.to_numpy().tolist()}),
        "n_clips": len(clips),
        "n_folds": len(folds),
        "shares": list(card.shares),
        "scaling": card.scaling,
        "training": asdict(training) if training else None,
        "inputs": {_kind(card, recipe): recipe for recipe in given.recipes},
    }
    if card.tuning:
        recipe["tuning"] = asdict(finetuning.tuning(plan) or card.tuning)
    if named:
        words = located.clips()["emotion"].unique()
        recipe["label_map"] = {str(word): named.of(str(word)) for word in sorted(words)}
    known = {one["name"]: runs.taught(cache, one["name"]) for one in given.recipes}
    taught = {name: sum(sha in of for sha in digests) for name, of in known.items()}
    facts = {"arguments": arguments(plan), "taught": {name: n for name, n in taught.items() if n}}
    return _Work(plan, training, given.tuned, inputs, labelled, clips, classes, folds, recipe, facts)


def _kind(card: Card, recipe: dict[str, Any]) -> str:
    """Return what an encoder makes for a model; ``signals`` where the model changes it, and is given the sound."""
    return "signals" if card.tuning else "pictures" if "shape" in recipe else "vectors"


def _training(plan: Plan) -> Training | None:
    usual = CARDS[plan.model].training
    tuning = TUNING_EPOCHS if plan.pretrain == "greedy" else None
    if usual is None:
        return None
    return replace(
        usual,
        epochs=plan.epochs or tuning or usual.epochs,
        learning_rate=plan.learning_rate or usual.learning_rate,
        label_smoothing=usual.label_smoothing if plan.label_smoothing is None else plan.label_smoothing,
    )


def _settled(plan: Plan, recipes: Sequence[dict[str, Any]]) -> Plan:
    """Return the one form of all plans that come to the same numbers."""
    for name in ("epochs", "learning_rate", "label_smoothing", "blocks", "encoder_rate"):
        usual = replace(plan, **{name: None})
        if (_training(plan), finetuning.tuning(plan)) == (_training(usual), finetuning.tuning(usual)):
            plan = usual
    for vectors in (recipe for recipe in recipes if "shape" not in recipe):
        own, name = encoders.encoder(CARDS[plan.model].vectors or "").name, vectors["name"]
        n_layers = len(vectors["layers"])
        plan = replace(plan, encoder=None if name == own else name, layer=plan.layer % n_layers - n_layers)
    return plan


def _train_fold(work: _Work, number: int, fold: Fold, *, folder: Path, how: _How) -> None:
    """Train a model on the training part, and keep it with what it says of the other clips."""
    said = f"fold {number} of {len(work.folds)}, " if len(work.folds) > 1 else ""

    started = time.monotonic()

    def tell(done: int, total: int, message: str, seconds: float | None = None) -> None:
        rate = done / max(time.monotonic() - started if seconds is None else seconds, 1e-6)
        before, every = (number - 1) * total, len(work.folds) * total
        left = (every - before - done) / rate if done else None
        how.progress(before + done, every, rate=rate, seconds_left=left, message=said + message)

    fitted: Fitted
    if work.training and work.tuned:
        fitted, facts = _tuned(work, work.training, work.tuned, fold, number=number, folder=folder, how=how, tell=tell)
    elif work.training:
        fitted, facts = _network(work, work.training, fold, number=number, folder=folder, how=how, tell=tell)
    else:
        fitted, facts = _classic(work, fold, how=how, tell=tell)
    asked = {"validation": fold.validation, "test": fold.test}
    tables = [_predictions(work, fitted, rows, part) for part, rows in asked.items() if len(rows)]
    facts = {"seconds": time.monotonic() - started, **facts, "n_parameters": fitted.n_parameters}
    run_files.keep_fold(folder, number, arrays=fitted.arrays(), predictions=pd.concat(tables), facts=facts)


def _tuned(
    work: _Work,
    training: Training,
    encoder: Transformer,
    fold: Fold,
    *,
    number: int,
    folder: Path,
    how: _How,
    tell: Callable[..., None],
) -> tuple["Tuned", dict[str, Any]]:
    from ser_core.models.tuning import Amounts

    return finetuning.train_fold(
        work.plan,
        encoder,
        inputs=work.inputs,
        y=work.clips["truth"].to_numpy(np.intp),
        fold=fold,
        classes=work.classes,
        training=training,
        number=number,
        folder=folder,
        device=how.device,
        precision=how.precision,
        amounts=how.amounts or Amounts(),
        tell=tell,
    )


def _network(
    work: _Work,
    training: Training,
    fold: Fold,
    *,
    number: int,
    folder: Path,
    how: _How,
    tell: Callable[..., None],
) -> tuple["Network", dict[str, Any]]:
    from ser_core.models.training import fit, hardware

    epochs: list[Epoch] = []

    def after(epoch: Epoch) -> None:
        epochs.append(epoch)
        run_files.keep_history(folder, number, pd.DataFrame(epochs))
        losses = f"loss {epoch.train_loss:.2f}, validation {epoch.validation_loss:.2f}"
        right = f"{100 * epoch.validation_accuracy:.0f} % right"
        seconds = sum(one.seconds for one in epochs)  # also of those before an interruption
        tell(epoch.epoch, training.epochs, f"epoch {epoch.epoch}: {losses}, {right}", seconds)

    assert how.precision != "float16"  # refused by `_check_inputs`
    device, precision = hardware(how.device, precision=how.precision)
    started = time.monotonic()  # loading torch is no training
    fitted, history = fit(
        CARDS[work.plan.model],
        work.inputs,
        work.clips["truth"].to_numpy(np.intp),
        fold=fold,
        training=training,
        classes=work.classes,
        seed=work.plan.seed,
        augment=work.plan.augment,
        pretrain=work.plan.pretrain,
        one_cycle=bool(work.plan.one_cycle),
        n_layers=len(work.recipe["inputs"]["vectors"]["layers"]) if work.plan.weighted else 1,
        device=how.device,
        precision=precision,
        resume=folder / f"epoch-{number}.safetensors",
        progress=after,
        pretraining=lambda done, total: tell(0, training.epochs, f"pretraining, epoch {done} of {total}"),
    )
    seconds = max(time.monotonic() - started, sum(epoch.seconds for epoch in history))  # also before an interruption
    facts = {"device": device, "precision": precision, "versions": {"torch": version("torch")}}
    return fitted, facts | {"seconds": seconds, "epochs": len(history), "best_epoch": chosen(history).epoch}


def _classic(work: _Work, fold: Fold, *, how: _How, tell: Callable[..., None]) -> tuple[Fitted, dict[str, Any]]:
    from ser_core.models import forest, ridge, svm

    speakers = None if work.plan.split == "random" else work.clips["speaker"].to_numpy().astype(np.str_)
    of = {"classes": work.classes, "groups": speakers}
    y = work.clips["truth"].to_numpy(np.intp)
    facts: dict[str, Any] = {"device": "cpu", "versions": {"scikit-learn": version("scikit-learn")}}
    if work.plan.model == "svm":
        tell(0, 1, "support vectors")
        return svm.fit(work.inputs, y, fold, kernel=work.plan.kernel, c=work.plan.c, **of), facts

    def search(done: int, total: int) -> None:
        tell(done, total, "choosing among settings")

    if work.plan.model == "ridge":
        least = ridge.fit(work.inputs, y, fold, progress=search, **of)
        return least, facts | {"chosen": {"penalty": least.penalty}}

    grown = forest.fit(work.inputs, y, fold, seed=work.plan.seed, workers=how.workers, progress=search, **of)
    return grown, facts | {"chosen": grown.chosen}


def _predictions(work: _Work, fitted: Fitted, rows: NDArray[np.intp], part: str) -> pd.DataFrame:
    """Return what a model says of some clips, in the columns of `run_files.keep_fold`."""
    some = work.inputs.take(rows)
    probabilities = pd.DataFrame(fitted.probabilities(some)).add_prefix("p_")
    clips = work.clips.iloc[rows].reset_index(drop=True)
    return pd.concat([clips.assign(part=part, predicted=fitted.predicted(some)), probabilities], axis=1)
