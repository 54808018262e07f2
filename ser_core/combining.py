"""Several trained models as one: the mean of what they say, with equal weights, so that nothing is left to tune."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from ser_core import run_files, runs
from ser_core.cache import Cache
from ser_core.models.cards import ENSEMBLE
from ser_core.run_files import RunError
from ser_core.runs import Run
from ser_core.store import key

VERSION: Final = 1
SAME: Final = ("corpus", "kind", "split", "classes", "clips", "n_folds")
"""What the recipes of models that can be combined agree in."""
PARTS: Final = {"validated": "validation", "tested": "test"}
CLIP: Final = ["part", "file", "sha", "speaker", "truth"]


def combine(names: Sequence[str], *, cache: Cache) -> Run:
    """Keep the mean of the probabilities of several runs as a run of its own; return it.

    Each fold's test clips are told by the members of that fold alone, which have not learnt from them; of validation
    clips those that all members set aside are told.

    Parameters
    ----------
    names
        Ids of finished runs, or their beginnings, two or more.

    Raises
    ------
    RunError
        If a run is not there, not finished or itself combined, or they were not tested on the same clips in the same
        folds.
    """
    members = sorted({(run := runs.get(cache, name)).id: run for name in names}.values(), key=lambda run: run.id)
    if len(members) < 2:
        raise RunError(f"an ensemble is made of two runs or more, got {len(members)}")
    for run in members:
        _check(run, members[0])
    first = members[0].recipe
    recipe = {
        "ensemble": VERSION,
        "model": ENSEMBLE,
        **{name: first[name] for name in (*SAME, "n_clips")},
        "normalise": "speaker" if any(run.normalise == "speaker" for run in members) else "global",
        "n_members": len(members),
        "of": [run.id for run in members],
        "inputs": {f"{run.id}.{name}": one for run in members for name, one in run.recipe["inputs"].items()},
    }
    taught = {name: n for run in members for name, n in run.facts["taught"].items()}
    facts = {"arguments": ["runs", "combine", *recipe["of"]], "taught": taught}
    with run_files.writing(cache, name := run_files.name(recipe)) as folder:
        run_files.begin(folder, recipe, clips=members[0].clips, folds=members[0].folds, facts=facts)
        for fold in set(range(1, first["n_folds"] + 1)) - set(runs.get(cache, name).done):
            said = pd.concat([_mean(members, fold, part) for part in PARTS])
            run_files.keep_fold(folder, fold, arrays={}, predictions=said, facts=_facts(members, fold))
    return runs.get(cache, name)


def _check(run: Run, first: Run) -> None:
    if run.model == ENSEMBLE:
        raise RunError(f"run {run.id} is an ensemble already: name its members")
    if not run.recognises:
        raise RunError(f"run {run.id} is an autoencoder, and names no emotions: leave it out")
    if not run.finished:
        raise RunError(f"run {run.id} is not finished: `{run.command}` goes on with it")
    if any(run.recipe[name] != first.recipe[name] for name in SAME) or _where(run) != _where(first):
        raise RunError(
            f"{first.title} ({first.id}) and {run.title} ({run.id}) were not tested on the same clips in the same"
            " folds: combine runs of one corpus and one split (at random: of one seed and one size of the test part)"
        )


def _where(run: Run) -> str:
    """Return a name for who is tested in which fold."""
    return key({"tested": run.tested[["fold", "file"]].sort_values(["fold", "file"]).to_numpy().tolist()})


def _mean(members: Sequence[Run], fold: int, part: str) -> pd.DataFrame:
    """Return what the members say of the clips that all of them tested (or validated) in a fold, on average."""
    tables = [getattr(run, part) for run in members]
    tables = [table[table["fold"] == fold].set_index("file", drop=False) for table in tables]
    shared = [file for file in tables[0]["file"] if all(file in table.index for table in tables[1:])]
    if not shared:
        return pd.DataFrame()
    tables = [table.loc[shared].reset_index(drop=True) for table in tables]
    mean = np.mean([runs.probabilities(table) for table in tables], axis=0)
    clips = tables[0].assign(part=PARTS[part])[CLIP]
    return pd.concat([clips.assign(predicted=mean.argmax(axis=1)), pd.DataFrame(mean).add_prefix("p_")], axis=1)


def _facts(members: Sequence[Run], fold: int) -> dict[str, Any]:
    """Return what the members took and count together."""
    of = [run.facts["folds"][str(fold)] for run in members]
    return {name: sum(one[name] for one in of) for name in ("seconds", "n_parameters")}
