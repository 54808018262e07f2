"""Which latent of an autoencoder carries what: emotion, intensity, sentence, speaker, gender (the table P3 lacks)."""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import evaluation, splits
from ser_core.cache import Cache
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings
from ser_core.errors import SerError
from ser_core.evaluation import Evaluation
from ser_core.geometry import disentanglement
from ser_core.geometry.disentanglement import PARTS, Importance, Information, Separated
from ser_core.models.cards import VAE
from ser_core.runs import Run
from ser_core.store import key

Floats = NDArray[np.float64]
VERSION: Final = 1
"""Part of what results are kept under: change it when they come out differently."""
SEED: Final = 0
FACTORS: Final = ("emotion", "intensity", "statement", "speaker", "gender")
"""Columns of a corpus that a latent may carry."""


class LatentsError(SerError, ValueError):
    """A run, or a corpus, of which it cannot be told; the message says why."""


@dataclass(frozen=True)
class Carried:
    """What d latents carry of k factors, over n clips.

    Attributes
    ----------
    factors, n_clips
        The factors that can be told of, in the order of `FACTORS`, and the clips that have all of them.
    divergence
        Mean divergence of each latent from the standard normal distribution over the clips, (d,), in nats.
    active
        Whether each latent is (`ser_core.geometry.disentanglement.active`), (d,).
    information, separated, importance
        See `ser_core.geometry.disentanglement`.
    emotions
        The emotions of these clips, each told from the means of the latents by a support vector machine that has not
        learnt from the speaker; None where there are too few speakers.
    """

    factors: tuple[str, ...]
    n_clips: int
    divergence: Floats
    active: NDArray[np.bool_]
    information: Information
    separated: Separated
    importance: Importance
    emotions: Evaluation | None


def divergence(table: pd.DataFrame) -> Floats:
    """Return the divergence of each latent of each clip of `Run.latents` from the standard normal, (n, d), in nats."""
    means, deviations = parameters(table)
    return (means**2 + deviations**2 - 1) / 2 - np.log(deviations)


def parameters(table: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return means and standard deviations of `Run.latents`, (n, d) each."""
    both = [[name for name in table if re.fullmatch(rf"{start}_\d+", str(name))] for start in ("mean", "sd")]
    first, second = (table[names].to_numpy(np.float64) for names in both)
    return first, second


def carried(
    run: Run,
    clips: pd.DataFrame,
    *,
    cache: Cache,
    seed: int,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Carried:
    """Tell which latent carries what; computed once, and kept.

    Parameters
    ----------
    clips
        The corpus's table of clips.
    progress
        Called with steps done and their number.

    Raises
    ------
    LatentsError
        If the run is no autoencoder, or no two values of any factor are known of enough clips.
    """
    table = _told(run, clips)
    factors = _factors(table)
    if not factors:
        raise LatentsError(
            f"of {run.corpus} no {', '.join(FACTORS[:-1])} or {FACTORS[-1]} is known that has two values or more with"
            f" {PARTS} clips each: nothing can be told of the latents"
        )
    means, _ = parameters(table)
    recipe = _recipe(run, table, factors, seed)
    arrays = cache.load_arrays(recipe)
    labels = {name: table[name].astype(str).tolist() for name in factors}
    folds = _folds(table)
    if arrays is None:
        arrays, steps = {}, 4
        information = disentanglement.information(means, labels, seed=seed)
        arrays |= {name: getattr(information, name) for name in ("entropy", "mutual", "chance", "chance_95")}
        progress(1, steps)
        arrays["accuracy"] = disentanglement.separated(means, labels, seed=seed).accuracy
        progress(2, steps)
        needed = disentanglement.importance(means, labels, seed=seed)
        arrays |= {"weights": needed.weights, "informativeness": needed.informativeness}
        progress(3, steps)
        if folds:
            arrays["predicted"] = _classified(means, table, run, folds).predicted
        cache.store_arrays(recipe, arrays)
        progress(steps, steps)
    return Carried(
        factors,
        len(table),
        divergence(table).mean(axis=0),
        disentanglement.active(means),
        Information(factors, *(arrays[name] for name in ("entropy", "mutual", "chance", "chance_95"))),
        Separated(factors, arrays["accuracy"]),
        Importance(factors, arrays["weights"], arrays["informativeness"]),
        _evaluation(table, run, folds, arrays["predicted"]) if folds else None,
    )


def kept(run: Run, clips: pd.DataFrame, *, cache: Cache, seed: int) -> Carried | None:
    """Return what `carried` gives if it was computed before; else None."""
    table = _told(run, clips)
    factors = _factors(table)
    there = factors and cache.load_arrays(_recipe(run, table, factors, seed)) is not None
    return carried(run, clips, cache=cache, seed=seed) if there else None


def moved(table: pd.DataFrame, row: int, emotion: int) -> tuple[Floats, str | None]:
    """Return latents of a clip as if another emotion had been spoken, (d,), and whose clips that was learnt from.

    Its means, less the mean of the clips of its emotion, plus that of the other (as with word vectors: Mikolov, Yih and
    Zweig 2013). The clips are those of its speaker, where there are some of both, else everybody's (None).

    Parameters
    ----------
    table
        `Run.latents`.
    row
        The clip's place in it.
    emotion
        A class number.

    Raises
    ------
    LatentsError
        If no clip has that emotion.
    """
    means, _ = parameters(table)
    truth, speakers = table["truth"].to_numpy(), table["speaker"].to_numpy(str)
    own = (speakers == speakers[row]) & (speakers != UNKNOWN)
    alone = bool((own & (truth == emotion)).any())
    among = own if alone else np.ones(len(table), bool)
    away, there = (among & (truth == one) for one in (truth[row], emotion))
    if not there.any():
        raise LatentsError("no clip of this corpus has that emotion: choose another")
    return means[row] - means[away].mean(axis=0) + means[there].mean(axis=0), str(speakers[row]) if alone else None


def arguments(run: Run) -> list[str]:
    """Return the `ser` command that computes it, in the one form that names its job."""
    return ["runs", "latents", run.id]


def title(run: Run) -> str:
    """Return what the job is called."""
    return f"What its latents carry: {run.title} ({run.id[:4]})"


def _told(run: Run, clips: pd.DataFrame) -> pd.DataFrame:
    """Return `Run.latents` with what the corpus knows of the clips, those alone of which it knows all that it knows."""
    if run.model != VAE:
        raise LatentsError(f"run {run.id} ({run.title}) is no variational autoencoder, and has no such latents")
    known = [name for name in FACTORS if name in clips]
    table = run.latents.drop(columns=["speaker"]).merge(clips[["file", *known]], on="file")
    there = [name for name in known if table[name].notna().any() and (table[name] != UNKNOWN).any()]
    whole = (table[there].notna() & (table[there] != UNKNOWN)).all(axis=1)
    return table[whole].reset_index(drop=True)


def _factors(table: pd.DataFrame) -> tuple[str, ...]:
    counts = {name: table[name].value_counts() for name in FACTORS if name in table}
    return tuple(name for name, one in counts.items() if len(one) > 1 and one.min() >= PARTS)


def _recipe(run: Run, table: pd.DataFrame, factors: tuple[str, ...], seed: int) -> dict[str, Any]:
    labels = key({"labels": table[["file", *factors]].astype(str).to_numpy().tolist()})
    means = zlib.crc32(parameters(table)[0].tobytes())  # trained again elsewhere, the same recipe may give others
    return {"name": "latents", "version": VERSION, "run": run.id, "means": means, "labels": labels, "seed": seed}


def _folds(table: pd.DataFrame) -> list[splits.Fold]:
    """Return who is told by whom: the folds of `splits` for unseen speakers, as everywhere; none where it cannot be."""
    if not {"speaker", "emotion"} <= set(_factors(table)):
        return []
    found = splits.folds(table, "speaker", seed=0, shares=(0.0, 0.3))
    words = table["emotion"].to_numpy(str)
    return found if all(len(set(words[one.train])) > 1 for one in found) else []


def _classified(means: Floats, table: pd.DataFrame, run: Run, folds: list[splits.Fold]) -> Evaluation:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    recipe = {"name": run.id, "layers": ["mean"], "dim": means.shape[1]}
    none = pd.DataFrame(columns=["corpus", "file", "reason"])
    vectors = means[:, None].astype(np.float32)
    found = Embeddings(vectors, table[["file", "speaker", "emotion"]], recipe, tuple(table["sha"]), none)

    def model() -> object:
        return make_pipeline(StandardScaler(), SVC())

    return evaluation.cross_validate(found, 0, model=model, folds=folds, class_order=run.classes)


def _evaluation(table: pd.DataFrame, run: Run, folds: list[splits.Fold], predicted: NDArray[np.intp]) -> Evaluation:
    present = set(table["emotion"])
    classes = (*(word for word in run.classes if word in present), *sorted(present - set(run.classes)))
    truth = np.array([classes.index(word) for word in table["emotion"]], np.intp)
    people = splits.table(table, folds, table["sha"].tolist())
    return Evaluation(classes, truth, predicted, table["speaker"].to_numpy().astype(np.str_), people)
