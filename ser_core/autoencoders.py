"""Train an autoencoder on some clips of a corpus, and keep it as a run with what it makes of every clip."""

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
from ser_core.plans import ExperimentError, VaePlan, arguments, check_autoencoder, chosen
from ser_core.runs import Run
from ser_core.splits import Fold
from ser_core.store import key

if TYPE_CHECKING:
    from ser_core.models.vae import FittedVae
    from ser_core.models.vae_training import VaeEpoch, VaeTraining

Rows = NDArray[np.intp]
VERSION: Final = 1
"""Part of every recipe: change it when trainings come out differently."""
PICTURE: Final = {False: "voiced-mel", True: "voiced-mel-256"}
"""Encoder of the pictures, by whether clips may have any length."""
CHOICES: Final = ("beta", "warmup", "epochs", "learning_rate", "batch_size", "any_length")
"""Of a plan, that are about the training."""


def train(
    plan: VaePlan,
    *,
    cache: Cache,
    device: str = "auto",
    workers: int = 2,
    progress: Callable[..., None] = lambda *_, **__: None,
) -> Run:
    """Train a variational autoencoder on the clips chosen, and tell of every clip of the corpus what it makes of it.

    Pictures that are missing are computed first; clips in which nobody speaks have none, and are left out. Interrupt it
    at any time: the next call goes on.

    Parameters
    ----------
    progress
        Called with steps done, their number (clips, then epochs), and by name with ``message``, ``rate`` (a second),
        ``seconds_left`` and ``failed`` (clips).

    Raises
    ------
    SerError
        In a sentence: `ExperimentError` for what does not fit, `CorpusError`, `TrainingError`, `RunError` …
    """
    check_autoencoder(plan)
    located = catalogue.get(cache, plan.corpus)
    chosen(located.clips(), plan)  # before anything is computed
    found = _pictures(located, PICTURE[plan.any_length], cache=cache, device=device, workers=workers, progress=progress)
    work = _prepare(plan, found, located)
    name = run_files.name(work.recipe)
    with run_files.writing(cache, name) as folder:
        people = splits.table(found.clips, [work.fold], found.digests)
        facts = {"arguments": arguments(plan), "taught": {}, "n_silent": len(found.failures)}
        run_files.begin(folder, work.recipe, clips=work.clips, folds=people, facts=facts)
        if not runs.get(cache, name).finished:
            _train(work, folder=folder, device=device, progress=progress)
    run = runs.get(cache, name)
    last = run.history.iloc[-1]
    said = f"reconstruction {last['reconstruction']:,.0f} nats, divergence {last['divergence']:.1f}"
    progress(1, 1, rate=0.0, message=said)
    return run


@dataclass(frozen=True)
class _Work:
    """All that a training needs: pictures (n, bands, columns) in dB, who speaks them, and which are trained on."""

    plan: VaePlan
    training: "VaeTraining"
    pictures: NDArray[np.float32]
    clips: pd.DataFrame
    fold: Fold
    recipe: dict[str, Any]


def _pictures(located: Located, name: str, *, cache: Cache, progress: Callable[..., None], **how: Any) -> Embeddings:
    def tell(now: embeddings.Progress) -> None:
        progress(**asdict(now), message=f"{name} of the clips")

    found = embeddings.embed(located, encoders.encoder(name), cache=cache, progress=tell, **how)
    if not len(found.clips):
        raise ExperimentError(f"in no clip of {located.name} does anybody speak: nothing can be learnt")
    return found


def _prepare(plan: VaePlan, found: Embeddings, located: Located) -> _Work:
    classes = located.classes(found.clips["emotion"])
    clips = run_files.listed(found.clips, found.digests, classes=classes)
    rows = chosen(found.clips, plan)
    fold = Fold(rows, np.setdiff1d(np.arange(len(clips)), rows))
    training = _training(plan)
    recipe = {
        "autoencoder": VERSION,
        **{name: choice for name, choice in asdict(_settled(plan)).items() if choice is not None},
        "normalise": "global",
        "kind": located.kind,
        "classes": list(classes),
        "clips": key({"clips": clips.to_numpy().tolist()}),
        "n_clips": len(clips),
        "n_taught": len(rows),
        "n_folds": 1,
        "training": {**asdict(training), "epochs": training.n_epochs(len(rows))},
        "inputs": {"pictures": found.recipe},
    }
    pictures = found.vectors[:, 0].reshape(len(clips), *found.recipe["shape"])
    return _Work(plan, training, pictures, clips, fold, recipe)


def _training(plan: VaePlan) -> "VaeTraining":
    from ser_core.models.vae_training import VaeTraining

    asked = {name: getattr(plan, name) for name in CHOICES}
    return VaeTraining(**{name: value for name, value in asked.items() if value is not None})


def _settled(plan: VaePlan) -> VaePlan:
    """Return the plan with usual choices left out, and speakers in the order of their names."""
    if plan.speakers is not None:
        plan = replace(plan, speakers=",".join(sorted({name.strip() for name in plan.speakers.split(",")})))
    for name in (name for name in CHOICES if name != "any_length"):
        usual = replace(plan, **{name: None})
        if _training(plan) == _training(usual):
            plan = usual
    return plan


def _train(work: _Work, *, folder: Path, device: str, progress: Callable[..., None]) -> None:
    from ser_core.models import vae_training
    from ser_core.models.network import place

    total, epochs = work.recipe["training"]["epochs"], []

    def after(epoch: "VaeEpoch") -> None:
        epochs.append(epoch)
        run_files.keep_history(folder, 1, pd.DataFrame(epochs))
        rate = epoch.epoch / max(epoch.seconds, 1e-6)
        said = f"epoch {epoch.epoch:,}: reconstruction {epoch.reconstruction:,.0f}, divergence {epoch.divergence:.1f}"
        progress(epoch.epoch, total, rate=rate, seconds_left=(total - epoch.epoch) / rate, message=said)

    started = time.monotonic()
    fitted, history = vae_training.fit(
        work.pictures,
        work.fold.train,
        training=work.training,
        seed=work.plan.seed,
        speakers=work.clips["speaker"].tolist() if work.plan.told_speaker else None,
        device=device,
        resume=folder / "epoch-1.safetensors",
        progress=after,
    )
    seconds = max(time.monotonic() - started, history[-1].seconds)  # also before an interruption
    facts = {
        "seconds": seconds,
        "n_parameters": fitted.n_parameters,
        "device": place(device).type,
        "versions": {"torch": version("torch")},
    }
    run_files.keep_fold(folder, 1, arrays=fitted.arrays(), predictions=_made_of(work, fitted), facts=facts)


def _made_of(work: _Work, fitted: "FittedVae") -> pd.DataFrame:
    """Return what the autoencoder makes of every clip, as `Run.latents` has it."""
    means, deviations = fitted.latents(work.pictures)
    missed = np.full(len(work.clips), np.nan)
    known = np.isin(work.clips["speaker"], fitted.speakers) if fitted.speakers else np.ones(len(missed), bool)
    who = work.clips.loc[known, "speaker"].tolist() if fitted.speakers else None
    missed[known] = fitted.missed(work.pictures[known], speakers=who)
    part = np.full(len(missed), "test", object)
    part[work.fold.train] = "train"
    tables = [pd.DataFrame(means).add_prefix("mean_"), pd.DataFrame(deviations).add_prefix("sd_")]
    return pd.concat([work.clips.assign(part=part, reconstruction=missed), *tables], axis=1)
