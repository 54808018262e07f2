"""Train an undercomplete or denoising autoencoder on a corpus (P4), kept as a run: two numbers for every clip."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import catalogue, embeddings, encoders, run_files, runs, splits
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.embeddings import Embeddings
from ser_core.encoders import Encoder
from ser_core.geometry import targets
from ser_core.models.cards import KNOWN
from ser_core.models.inputs import Scale
from ser_core.plans import ReducerPlan, arguments, check_autoencoder, chosen
from ser_core.runs import Run
from ser_core.splits import Fold
from ser_core.store import key

if TYPE_CHECKING:
    from ser_core.models.autoencoder import AutoencoderTraining

VERSION: Final = 1
"""Part of every recipe: change it when trainings come out differently."""
CHOICES: Final = ("epochs", "learning_rate", "batch_size")
"""Of a plan, that are about the training."""


def train(
    plan: ReducerPlan,
    *,
    cache: Cache,
    find: Callable[[str], Encoder] = encoders.encoder,
    workers: int = 2,
    progress: Callable[..., None] = lambda *_, **__: None,
) -> Run:
    """Train an autoencoder on the clips chosen, and tell of every clip of the corpus which two numbers it has.

    Vectors that are missing are computed first. Outliers among the clips chosen are not trained on
    (`ser_core.models.plane.typical`).

    Parameters
    ----------
    find
        Finds an encoder by its name.
    progress
        Called with steps done, their number, and by name with ``message``, ``rate``, ``seconds_left`` and ``failed``.

    Raises
    ------
    SerError
        In a sentence: `ExperimentError` for what does not fit, `CorpusError`, `TrainingError`, `RunError` …
    """
    check_autoencoder(plan)
    located = catalogue.get(cache, plan.corpus)
    chosen(located.clips(), plan)  # before anything is computed
    encoder = find(plan.encoder or str(KNOWN[plan.model].vectors))

    def tell(now: embeddings.Progress) -> None:
        progress(**asdict(now), message=f"{encoder.name} of the clips")

    found = embeddings.embed(located, encoder, cache=cache, workers=workers, progress=tell)
    work = _prepare(plan, found, located)
    name = run_files.name(work.recipe)
    with run_files.writing(cache, name) as folder:
        known = runs.taught(cache, encoder.name)
        facts = {
            "arguments": arguments(plan),
            "taught": {encoder.name: sum(sha in known for sha in found.digests)} if known else {},
            "n_outliers": len(chosen(found.clips, plan)) - len(work.fold.train),
        }
        people = splits.table(found.clips, [work.fold], found.digests)
        run_files.begin(folder, work.recipe, clips=work.clips, folds=people, facts=facts)
        if not runs.get(cache, name).finished:
            _train(work, found, folder=folder)
    run = runs.get(cache, name)
    error = run.history["error"].iloc[-1]
    progress(1, 1, rate=0.0, message=f"mean squared error {error:.3f}")
    return run


@dataclass(frozen=True)
class _Work:
    """All that a training needs beside the embeddings: how they are scaled, which clips are trained on, the recipe."""

    plan: ReducerPlan
    training: "AutoencoderTraining"
    scale: Scale
    clips: pd.DataFrame
    fold: Fold
    recipe: dict[str, Any]


def _prepare(plan: ReducerPlan, found: Embeddings, located: Located) -> _Work:
    """Leave outliers out, learn the scaling, and say in a recipe what decides the numbers."""
    from ser_core.models import plane

    classes = located.classes(found.clips["emotion"])
    clips = run_files.listed(found.clips, found.digests, classes=classes)
    scale, kept = plane.typical(found.layer(plan.layer), chosen(found.clips, plan))
    n_layers, training = len(found.layers), _training(plan)
    settled = _settled(replace(plan, layer=-1 if plan.layer % n_layers == n_layers - 1 else plan.layer % n_layers))
    recipe = {
        "autoencoder": VERSION,
        **{name: choice for name, choice in asdict(settled).items() if choice is not None},
        "normalise": "global",
        "kind": located.kind,
        "classes": list(classes),
        "clips": key({"clips": clips.to_numpy().tolist()}),
        "n_clips": len(clips),
        "n_taught": len(kept),
        "n_folds": 1,
        "training": asdict(training),
        "inputs": {"vectors": found.recipe},
    }
    return _Work(plan, training, scale, clips, _fold(len(clips), kept), recipe)


def _train(work: _Work, found: Embeddings, *, folder: Path) -> None:
    from ser_core.models import plane

    started = time.monotonic()
    z = work.scale.apply(found.layer(work.plan.layer)).astype(np.float64)
    reducer, errors, missed = plane.trained(
        work.plan.model, z, work.fold.train, affect=targets.known(found.clips), scale=work.scale,
        training=work.training, seed=work.plan.seed,
    )  # fmt: skip
    run_files.keep_history(folder, 1, pd.DataFrame({"epoch": range(1, len(errors) + 1), "error": errors}))
    facts = {
        "seconds": time.monotonic() - started,
        "n_parameters": sum(one.size for one in reducer.weights.values()),
        "device": "cpu",
        "versions": {"torch": version("torch")},
    }
    made = _made_of(work.clips, work.fold, reducer.numbers(z), missed)
    run_files.keep_fold(folder, 1, arrays=reducer.arrays(), predictions=made, facts=facts)


def _fold(n: int, kept: NDArray[np.intp]) -> Fold:
    return Fold(kept, np.setdiff1d(np.arange(n), kept))


def _training(plan: ReducerPlan) -> "AutoencoderTraining":
    from ser_core.models.autoencoder import AutoencoderTraining
    from ser_core.models.plane import NOISE

    asked = {name: getattr(plan, name) for name in CHOICES}
    return AutoencoderTraining(NOISE[plan.model], **{name: one for name, one in asked.items() if one is not None})


def _settled(plan: ReducerPlan) -> ReducerPlan:
    """Return the plan with usual choices left out, and names in the order of the alphabet."""
    if plan.encoder == KNOWN[plan.model].vectors:
        plan = replace(plan, encoder=None)
    for name in ("speakers", "emotions"):
        if (said := getattr(plan, name)) is not None:
            plan = replace(plan, **{name: ",".join(sorted({one.strip() for one in said.split(",")}))})
    for name in CHOICES:
        usual = replace(plan, **{name: None})
        if _training(plan) == _training(usual):
            plan = usual
    return plan


def _made_of(
    clips: pd.DataFrame, fold: Fold, numbers: NDArray[np.float64], missed: NDArray[np.float64]
) -> pd.DataFrame:
    """Return what the autoencoder makes of every clip, as `Run.latents` has it."""
    part = np.full(len(clips), "test", object)
    part[fold.train] = "train"
    table: dict[str, Any] = {"part": part, "reconstruction": missed}
    return clips.assign(**table, mean_0=numbers[:, 0], mean_1=numbers[:, 1])
