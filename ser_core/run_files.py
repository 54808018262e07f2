"""The files of a run, and how they are written.

Layout of ``runs/<id>``, where ``id`` comes from the recipe: ``recipe.json`` (all that changes the numbers),
``clips.csv`` (the clips in the order of training), ``folds.json`` (`ser_core.splits.table`), ``facts.json`` (when,
how long, with what), and of every fold k, from 1: ``history-<k>.csv`` (networks), ``model-<k>.safetensors``, and
``predictions-<k>.csv``, written last: where it is, the fold is done. ``epoch-<k>.safetensors`` is there while a network
is trained. Text is UTF-8, numbers have all their digits.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core.cache import Cache
from ser_core.encoders.seen import seen
from ser_core.errors import SerError
from ser_core.store import alone, key, read_json, write_atomic
from ser_core.values import plain

DIGITS: Final = 12
"""Of the recipe's key, in the name of a run."""
CLIPS: Final = ("file", "sha", "speaker", "truth")
SPLITS: Final = {
    **{"random": "clips at random", "speaker": "unseen speakers", "loso": "one unseen speaker at a time"},
    "chosen": "{speakers}",
}
USUAL: Final = {
    **{"encoder": None, "layer": -1, "kernel": "rbf", "c": 1.0, "augment": False},
    **{"pretrain": "none", "epochs": None, "learning_rate": None, "label_smoothing": None},
    "one_cycle": None,
    **{"emotions": None, "statement": None, "beta": None, "warmup": None, "batch_size": None},
    **{"told_speaker": False, "any_length": False},
    **{"labels": None, "weighted": None, "blocks": None, "encoder_rate": None},
    **{"normalise": "global", "seed": 0},
    "n_members": None,
}
SAID: Final = {
    **{"encoder": "{}", "layer": "layer {}", "kernel": "{} kernel", "c": "C {:g}", "augment": "augmented"},
    **{"pretrain": "{} pretraining", "epochs": "{} epochs", "learning_rate": "learning rate {:g}"},
    **{"label_smoothing": "label smoothing {:g}", "one_cycle": "one cycle"},
    **{
        "emotions": "{}",
        "statement": "“{}”",
        "beta": "β {:g}",
        "warmup": "warm-up of {} epochs",
        "batch_size": "batches of {}",
    },
    **{"told_speaker": "decoder told the speaker", "any_length": "any length"},
    **{"labels": "emotions by {}", "weighted": "all layers, weighted", "blocks": "{} last blocks"},
    "encoder_rate": "encoder's rate {:g}",
    **{"normalise": "normalised by {}", "seed": "seed {}", "n_members": "of {} models"},
}
"""What a title says of a choice that is not the usual one."""

GENDERS: Final = ("female", "male")
"""Words that stand for all speakers of a gender, where speakers are chosen."""


class RunError(SerError, ValueError):
    """A run that is not there, cannot be read or is busy; the message says what to do."""


def title(choices: Mapping[str, Any]) -> str:
    """Return what people call a run: model, corpus and split, and what was chosen otherwise than by default.

    ``choices`` are a recipe, or the fields of `ser_core.plans.Plan` or `ser_core.plans.VaePlan`.

    Examples
    --------
    >>> title({"model": "cnn3", "corpus": "ravdess", "split": "random", "augment": True, "seed": 2})
    'cnn3 (augmented, seed 2) · ravdess · clips at random'
    >>> title({"model": "vae", "corpus": "ravdess", "split": "chosen", "speakers": "male", "beta": 4.0})
    'vae (β 4) · ravdess · male speakers'
    """
    unusual = {name: choices.get(name, usual) for name, usual in USUAL.items() if choices.get(name, usual) != usual}
    extra = [SAID[name].format(_short(value)) for name, value in unusual.items()]
    model = f"{choices['model']} ({', '.join(extra)})" if extra else choices["model"]
    on = SPLITS[choices["split"]].format(speakers=_speakers(choices.get("speakers")))
    return f"{model} · {choices['corpus']} · {on}"


def name(recipe: Mapping[str, Any]) -> str:
    """Return the name of the run of a recipe."""
    return key(recipe)[:DIGITS]


def contaminated(recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> str | None:
    """Return a sentence if what a model was given comes from a network that has seen the corpus, else None.

    A network that was trained here may itself have been given what such a checkpoint makes of a clip.
    """
    given = recipe["inputs"].values()
    below = [one.rsplit(" ", 1)[0] for made in given for one in made.get("inputs", ())]
    for one in (*(made["name"] for made in given), *below):
        if n_taught := facts["taught"].get(one):
            return f"{one} was itself trained on {n_taught} of these {recipe['n_clips']} clips"
        known = seen(one)
        if known and recipe["kind"] in known.corpora:
            return f"{one} was {known.how} {recipe['kind']}: it knew these clips before ({known.source})"
    return None


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return recipe and facts of a run; None if there is none, or they are damaged."""
    recipe, facts = (read_json(folder / file) for file in ("recipe.json", "facts.json"))
    return (recipe, facts) if recipe and facts and name(recipe) == folder.name else None


def listed(clips: pd.DataFrame, digests: Sequence[str], *, classes: Sequence[str]) -> pd.DataFrame:
    """Return the table of columns `CLIPS` that `begin` keeps, of a corpus's clips whose emotions are ``classes``."""
    truth = [classes.index(word) for word in clips["emotion"]]
    speakers = clips["speaker"].astype(str)
    return pd.DataFrame({"file": clips["file"], "sha": digests, "speaker": speakers, "truth": truth})


def begin(
    folder: Path, recipe: Mapping[str, Any], *, clips: pd.DataFrame, folds: pd.DataFrame, facts: Mapping[str, Any]
) -> None:
    """Make the folder of a run, unless it is there and sound.

    Parameters
    ----------
    clips
        Columns `CLIPS`, in the order of training.
    folds
        The table of `ser_core.splits.table`.
    facts
        ``arguments`` of the command, and ``taught``: how many of the clips each ``run:`` encoder was trained on.
    """
    if read(folder):
        return
    if folder.exists():
        shutil.rmtree(folder)  # damaged: what lies there belongs to nothing
    write_atomic(folder / "clips.csv", _text(clips[list(CLIPS)]))
    write_atomic(folder / "folds.json", _json({"folds": folds.to_dict("records")}))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    write_atomic(folder / "facts.json", _json({"started": started, **facts, "folds": {}}))
    write_atomic(folder / "recipe.json", _json(recipe))


@contextmanager
def writing(cache: Cache, name: str) -> Iterator[Path]:
    """Be the only one who changes a run while the block runs; yields its folder.

    Raises
    ------
    RunError
        If another process is at it.
    """
    folder = cache.root / "runs" / name
    busy = RunError(f"run {name} is being trained just now: wait for its end, or stop it first")
    with alone(folder.with_name(f"{name}.lock"), busy=busy):
        yield folder


def keep_history(folder: Path, fold: int, epochs: pd.DataFrame) -> None:
    """Write the epochs of a fold so far; columns are the fields of `ser_core.models.epochs.Epoch` or `VaeEpoch`."""
    write_atomic(folder / f"history-{fold}.csv", _text(epochs))


def keep_fold(
    folder: Path,
    fold: int,
    *,
    arrays: Mapping[str, NDArray[Any]],
    predictions: pd.DataFrame,
    facts: Mapping[str, Any],
) -> None:
    """Write what came out of a fold, which is done then.

    ``arrays`` are those of the fitted model, ``predictions`` has the columns part, file, sha, speaker, truth and what
    the model says of each clip (predicted, p_0 …; of an autoencoder see `ser_core.runs.Run.latents`), and ``facts`` at
    least ``seconds`` and ``n_parameters``.
    """
    from safetensors.numpy import save

    weights = save({title: np.asarray(array, order="C") for title, array in arrays.items()})
    write_atomic(folder / f"model-{fold}.safetensors", weights)
    told = read_json(folder / "facts.json") or {}
    told = {**told, "folds": {**told["folds"], str(fold): dict(facts)}}
    write_atomic(folder / "facts.json", _json(told))
    write_atomic(folder / f"predictions-{fold}.csv", _text(predictions))


def _short(value: Any) -> Any:
    """Return the checkpoint in a folder by the folder's name, anything else as it is."""
    folder = isinstance(value, str) and value.startswith(("hf:/", "hf:.", "hf:~"))
    return f"hf:{PurePath(value).name}" if folder else value


def _speakers(chosen: str | None) -> str:
    if chosen is None:
        return "all speakers"
    if chosen in GENDERS:
        return f"{chosen} speakers"
    return f"speakers {chosen}" if "," in chosen else f"speaker {chosen}"


def _text(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(plain(dict(value)), indent=1, ensure_ascii=False).encode()
