"""Trained models that are kept: what was trained on which clips, what came out for each clip, and the weights.

`ser_core.run_files` says what lies in the folder of a run. Nothing else is needed to open one on another machine.
"""

import shlex
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import run_files, splits
from ser_core.cache import Cache
from ser_core.evaluation import Evaluation
from ser_core.models.cards import AUTOENCODERS, ENSEMBLE, KNOWN, VAE
from ser_core.models.fitted import Fitted, rebuilt
from ser_core.run_files import RunError
from ser_core.store import read_json

if TYPE_CHECKING:
    from ser_core.models.plane import Reducer
    from ser_core.models.vae import FittedVae

PREFIX: Final = "run:"
"""Before the name of a run, in that of the encoder that its inner layer is."""
FEWEST: Final = 4
"""Characters that name a run, where only one begins with them."""
WORDS: Final = {"part": str, "file": str, "sha": str, "speaker": str}


@dataclass(frozen=True)
class Run:
    """A model trained on a corpus, in one fold or several; tables are read when they are asked for, and once.

    Attributes
    ----------
    recipe
        All that changes the numbers: ``model``, ``corpus``, ``split``, ``classes``, ``inputs`` …
    facts
        ``started``, ``arguments`` (of the `ser` command), ``taught`` (how many of the clips each ``run:`` encoder was
        trained on), ``folds``: seconds, n_parameters, device, versions … of each by its number.
    """

    id: str
    folder: Path
    recipe: dict[str, Any]
    facts: dict[str, Any]

    @property
    def model(self) -> str:
        """A name of `ser_core.models.cards.KNOWN`."""
        return self.recipe["model"]

    @property
    def recognises(self) -> bool:
        """Whether it names emotions, and has `evaluation`; else it is an autoencoder, and has `latents`."""
        return self.model not in AUTOENCODERS

    @property
    def corpus(self) -> str:
        """The name of the corpus where it was trained."""
        return self.recipe["corpus"]

    @property
    def split(self) -> splits.Split:
        """How clips were divided; for those that recognise emotions."""
        return self.recipe["split"]

    @property
    def normalise(self) -> str:
        """``global`` or ``speaker``: by what clips were standardised."""
        return self.recipe["normalise"]

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of their numbers: the corpus's own words."""
        return tuple(self.recipe["classes"])

    @property
    def title(self) -> str:
        """What people call it."""
        return run_files.title(self.recipe)

    @property
    def n_folds(self) -> int:
        """How many folds it has."""
        return self.recipe["n_folds"]

    @cached_property
    def done(self) -> tuple[int, ...]:
        """Numbers of the folds that are done."""
        return tuple(k for k in range(1, self.n_folds + 1) if (self.folder / f"predictions-{k}.csv").exists())

    @property
    def n_done(self) -> int:
        """How many folds are done."""
        return len(self.done)

    @property
    def finished(self) -> bool:
        """Whether all folds are done."""
        return self.n_done == self.n_folds

    @property
    def seconds(self) -> float:
        """How long the folds that are done took together."""
        return sum(fold["seconds"] for fold in self._fold_facts)

    @property
    def n_parameters(self) -> int | None:
        """Numbers that the largest of the fitted models has; None before the first is done."""
        return max((fold["n_parameters"] for fold in self._fold_facts), default=None)

    @cached_property
    def clips(self) -> pd.DataFrame:
        """All clips that were divided: ``file``, ``sha`` (SHA-256 of the file), ``speaker``, ``truth`` (class number).

        What is not in the test part of a fold was in its training or validation part.
        """
        return self._csv("clips.csv")

    @cached_property
    def folds(self) -> pd.DataFrame:
        """The table of `ser_core.splits.table`: who was in which part."""
        rows = read_json(self.folder / "folds.json")
        if rows is None:
            raise self._damaged("folds.json")
        return pd.DataFrame(rows["folds"])

    @cached_property
    def tested(self) -> pd.DataFrame:
        """Test clips of the folds that are done: ``fold``, file, sha, speaker, truth, predicted, p_0, p_1 ….

        ``truth`` and ``predicted`` are class numbers, ``p_<n>`` the probability of class n.

        Raises
        ------
        RunError
            If no fold is done yet, or a file is damaged (as of the other tables).
        """
        return self._part("test")

    @cached_property
    def validated(self) -> pd.DataFrame:
        """The same of the validation clips, by which the epoch of a network was chosen."""
        return self._part("validation")

    @cached_property
    def latents(self) -> pd.DataFrame:
        """What an autoencoder makes of every clip: ``part``, file, sha, speaker, truth, reconstruction, mean_0, sd_0 ….

        ``part`` is ``train`` for the clips that it was trained on, else ``test``. ``reconstruction`` is how far the
        clip is from itself drawn again at the means (`ser_core.models.vae.FittedVae.missed`, nats; NaN where the
        decoder does not know the speaker), ``mean_<k>`` and ``sd_<k>`` are those of latent k. Of ``uae`` and ``dae``
        it is the mean squared error of the standardised values, and the two numbers have no deviation.
        """
        return self._predictions.drop(columns="fold")

    @cached_property
    def history(self) -> pd.DataFrame:
        """Epochs of all folds, also of one that is being trained; empty for models without epochs.

        Columns: ``fold`` and `ser_core.models.epochs.Epoch` or `ser_core.models.vae_training.VaeEpoch`.
        """
        numbers = [k for k in range(1, self.n_folds + 1) if (self.folder / f"history-{k}.csv").exists()]
        parts = [self._csv(f"history-{fold}.csv").assign(fold=fold) for fold in numbers]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["fold", "epoch"])

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities of `tested`, shape (n_clips, n_classes)."""
        return probabilities(self.tested)

    @property
    def evaluation(self) -> Evaluation:
        """The test clips of all folds that are done, pooled."""
        table = self.tested
        truth, predicted = (table[name].to_numpy(np.intp) for name in ("truth", "predicted"))
        return Evaluation(self.classes, truth, predicted, table["speaker"].to_numpy().astype(np.str_), self.folds)

    @property
    def contaminated(self) -> str | None:
        """A sentence if what the model was given comes from a network that has seen the corpus, else None."""
        return run_files.contaminated(self.recipe, self.facts)

    @property
    def speaker_independent(self) -> bool:
        """Whether the speakers and recordings of the test are new, also to what the model was given."""
        return self.evaluation.speaker_independent and not self.contaminated

    @property
    def command(self) -> str:
        """The command that trains it, or goes on with it."""
        return shlex.join(["ser", *self.facts["arguments"]])

    def taught(self, fold: int = 1) -> frozenset[str]:
        """Return the digests of the clips that the model of a fold was trained on, or chosen by: all but its test.

        Among them are those that the network was trained on whose inner layer it is given; `RunError` if that network
        is not here.
        """
        tested = set(self.tested.loc[self.tested["fold"] == fold, "file"])
        own = frozenset(self.clips.loc[~self.clips["file"].isin(tested), "sha"])
        cache = Cache(self.folder.parents[1])
        return own.union(*(taught(cache, recipe["name"]) for recipe in self.recipe["inputs"].values()))

    def weights(self, fold: int = 1) -> Path:
        """Return the file of a fitted model."""
        return self.folder / f"model-{fold}.safetensors"

    def fitted(self, fold: int = 1) -> Fitted:
        """Return the model that was fitted in a fold.

        Raises
        ------
        RunError
            If the fold is not done, the file is missing or damaged, or it is an ensemble or an autoencoder.
        EncoderError
            If it changed an encoder whose checkpoint is not here.
        """
        if self.model == ENSEMBLE:
            raise RunError(f"run {self.id} has no weights of its own: ask its models, {', '.join(self.recipe['of'])}")
        if not self.recognises:
            raise RunError(f"run {self.id} is an autoencoder, and names no emotions")
        try:
            return rebuilt(self.model, self._arrays(fold), self.classes, given=self.recipe["inputs"])
        except (KeyError, RuntimeError) as error:
            raise self._damaged(self.weights(fold).name) from error

    def autoencoder(self) -> "FittedVae":
        """Return the autoencoder that was fitted.

        Raises
        ------
        RunError
            If it is not done, the file is missing or damaged, or this is no variational autoencoder.
        """
        from ser_core.models.network import NetworkError
        from ser_core.models.vae import FittedVae

        if self.model != VAE:
            why = f"is no variational autoencoder: `ser train vae {self.corpus}` makes one"
            raise RunError(f"run {self.id} ({self.title}) {why}")
        try:
            return FittedVae.of(self._arrays(1))
        except NetworkError as error:
            raise self._damaged(self.weights(1).name) from error

    def reducer(self) -> "Reducer":
        """Return what makes two numbers of a clip, of ``uae`` and ``dae``.

        Raises
        ------
        RunError
            If it is not done, the file is missing or damaged, or this makes no two numbers.
        """
        from ser_core.models import plane

        known: dict[str, plane.Method] = dict(zip(plane.NOISE, plane.NOISE, strict=True))
        method = known.get(self.model)
        if method is None:
            why = f"makes no two numbers: `ser train dae {self.corpus}` does"
            raise RunError(f"run {self.id} ({self.title}) {why}")
        try:
            return plane.Reducer.of(method, self._arrays(1))
        except KeyError as error:
            raise self._damaged(self.weights(1).name) from error

    def _arrays(self, fold: int) -> dict[str, NDArray[Any]]:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        if fold not in self.done:
            raise RunError(f"fold {fold} of run {self.id} is not done: `{self.command}` goes on with it")
        try:
            return load(self.weights(fold).read_bytes())
        except (OSError, SafetensorError) as error:
            raise self._damaged(self.weights(fold).name) from error

    @property
    def _fold_facts(self) -> list[dict[str, Any]]:
        try:
            return [self.facts["folds"][str(fold)] for fold in self.done]
        except KeyError as error:
            raise self._damaged("facts.json") from error

    @cached_property
    def _predictions(self) -> pd.DataFrame:
        parts = [self._csv(f"predictions-{fold}.csv").assign(fold=fold) for fold in self.done]
        if not parts:
            raise RunError(f"no fold of run {self.id} is done yet: `{self.command}` goes on with it")
        table = pd.concat(parts, ignore_index=True)
        return table[["part", "fold", *table.columns.drop(["part", "fold"])]]

    def _part(self, name: str) -> pd.DataFrame:
        table = self._predictions
        return table[table["part"] == name].drop(columns="part").reset_index(drop=True)

    def _csv(self, name: str) -> pd.DataFrame:
        try:
            return pd.read_csv(self.folder / name, dtype=WORDS, keep_default_na=False, na_values=[""])
        except (OSError, ValueError) as error:
            raise self._damaged(name) from error

    def _damaged(self, name: str) -> RunError:
        return RunError(f"{name} of run {self.id} is damaged or missing: `ser runs rm {self.id}`, then train it again")


def probabilities(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the columns p_0, p_1 … of a table of predictions, shape (n_clips, n_classes)."""
    return table[[name for name in table.columns if name.startswith("p_")]].to_numpy(np.float64)


def taught(cache: Cache, encoder: str) -> frozenset[str]:
    """Return the digests of the clips that a ``run:`` encoder has learnt from; `RunError` if its run is not here."""
    if not encoder.startswith(PREFIX):
        return frozenset()
    name, _, fold = encoder.removeprefix(PREFIX).partition(".")
    return get(cache, name).taught(int(fold or 1))


def ls(cache: Cache) -> list[Run]:
    """Return all runs of models known here, the newest first, without damaged ones (`ser cache verify` names them)."""
    found = [_read(path) for path in cache.root.glob("runs/[!.]*") if path.is_dir()]
    return sorted((run for run in found if run), key=lambda run: (run.facts["started"], run.id), reverse=True)


def get(cache: Cache, name: str) -> Run:
    """Return the run of this id, or of this beginning of one (4 characters or more).

    Raises
    ------
    RunError
        If there is none, or several begin so.
    """
    found = [run for run in ls(cache) if run.id == name or (len(name) >= FEWEST and run.id.startswith(name))]
    if not found:
        raise RunError(f"no run is called {name!r}; `ser runs ls` lists them, {FEWEST} characters or more name one")
    if len(found) > 1:
        raise RunError(f"{name!r} may be {' or '.join(run.id for run in found)}: write more of it")
    return found[0]


def remove(cache: Cache, name: str) -> None:
    """Delete a run and everything in its folder.

    Raises
    ------
    RunError
        If there is none of that name, or it is being trained.
    """
    run = get(cache, name)
    with run_files.writing(cache, run.id) as folder:
        gone = folder.with_name(f".{run.id}.tmp")  # half deleted, it is no run
        shutil.rmtree(gone, ignore_errors=True)  # left by a deletion that was stopped
        shutil.rmtree(folder.replace(gone))
        folder.with_name(f"{run.id}.lock").unlink(missing_ok=True)


def _read(folder: Path) -> Run | None:
    known = run_files.read(folder)
    return Run(folder.name, folder, *known) if known and known[0]["model"] in KNOWN else None
