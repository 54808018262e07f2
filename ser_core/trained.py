"""Trained models and clips of one's own: what they are given of a clip, and inner layers as encoders (``run:<id>``).

The inner layer of a network is what its last layer is given; of an autoencoder, the means of its latents. An encoder
makes of a clip what the network is given, the way it was made in training, and scales it with the scaling that the
network learnt. A run that has changed a pretrained encoder is that encoder, with all its layers. Where a run has
several folds, ``run:<id>`` is the network of the first, ``run:<id>.2`` that of the second.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from ser_core import embeddings, encoders, runs
from ser_core.cache import Cache
from ser_core.encoders import Encoder, EncoderError
from ser_core.encoders.base import OneByOne, Recipe, Signal
from ser_core.encoders.transformer import memory_errors
from ser_core.models.cards import AUTOENCODERS, ENSEMBLE, KNOWN, REDUCERS
from ser_core.models.fitted import Fitted
from ser_core.models.inputs import Inputs
from ser_core.runs import PREFIX, Run, RunError
from ser_core.store import key

if TYPE_CHECKING:
    from ser_core.models.network import Network
    from ser_core.models.plane import Reducer
    from ser_core.models.tuned import Tuned
    from ser_core.models.vae import FittedVae

OUT: Final = "module.out.weight"
"""The last layer's weights (E, dim) among the arrays of every network that recognises emotions."""
LATENTS: Final = "module.latents.weight"
"""The weights (2 * dim, …) of means and log-variances among the arrays of an autoencoder."""
TURN: Final = "turn"
"""Among the arrays of an autoencoder of vectors: of shape (dim, dim)."""
LONGEST: Final = 60
"""Characters of a recipe's value that are shown."""
DEVICE: Final = "cpu"
"""Where one clip goes through a network of this size as fast, and gets the same numbers on every machine."""


@dataclass(frozen=True)
class Trained(OneByOne):
    """The inner layer of a network that was trained here, as an encoder; found by `find`."""

    run: Run
    fold: int = 1

    @property
    def name(self) -> str:
        """``run:<id>``, or ``run:<id>.<fold>``."""
        return f"{PREFIX}{self.run.id}" + (f".{self.fold}" if self.fold > 1 else "")

    @property
    def title(self) -> str:
        """One line for people."""
        fold = f", fold {self.fold}" if self.fold > 1 else ""
        what = "inner layer" if self.run.recognises else "means of the latents"
        what = "two numbers" if self.run.model in REDUCERS else f"{what} ({self._dim})"
        return f"{self.run.title}{fold}: {what}"

    @property
    def batched(self) -> bool:
        """Whether what makes the network's input is."""
        return any(one.batched for one in made_by(self.run).values())

    def sound(self) -> bool:
        """Say whether the file of its weights is there, and is one."""
        try:
            return self._dim > 0
        except EncoderError:
            return False

    def missing(self) -> str | None:
        """None if it can be used on this machine, else one sentence."""
        return refusal(self.run)

    def recipe(self) -> Recipe:
        """Everything that changes the numbers, the digest of the weights included.

        Raises
        ------
        EncoderError
            With the sentence of `missing`.
        """
        inputs = made_by(self.run)
        return {
            "name": self.name,
            "run": self.run.id,
            "fold": self.fold,
            "weights": _digest(*_file(self.run, self.fold)),
            "inputs": [f"{one.name} {key(embeddings.full_recipe(one))}" for one in inputs.values()],
            "sampling_rate": self.sampling_rate,
            "dim": self._dim,
            "layers": ["hidden"],
            "version": 1,
        }

    def encode(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Inner layer for each clip, (n_clips, 1, dim); ``device`` is that of the network's own input, if any.

        Raises
        ------
        ClipError
            If the network's input cannot be made of a clip.
        EncoderError
            With the sentence of `missing`.
        """
        if not signals:
            return np.empty((0, 1, self._dim), np.float32)
        given = self.inputs(signals, device=device)
        return (self.network().hidden(given, device=DEVICE) if self.run.recognises else self._means(given))[:, None]

    def inputs(self, signals: Sequence[Signal], *, device: str = "auto") -> Inputs:
        """Return what the network is given of clips at 16 kHz.

        Raises
        ------
        ClipError
            If it cannot be made of a clip.
        EncoderError
            With the sentence of `missing`.
        """
        made = made_by(self.run)
        return inputs(self.run, {kind: one.encode(signals, device=device) for kind, one in made.items()})

    def network(self) -> "Network":
        """Return the network, of a run that recognises emotions.

        Raises
        ------
        EncoderError
            If its weights are missing or damaged.
        """
        try:
            return cast("Network", fitted(self.run, self.fold))
        except RunError as error:
            raise EncoderError(str(error)) from error

    def _means(self, given: Inputs) -> NDArray[np.float32]:
        try:
            if given.vectors is not None:
                made = reducer(self.run)
                return made.numbers(made.scale.apply(given.vectors).astype(np.float64)).astype(np.float32)
            assert given.pictures is not None
            return autoencoder(self.run).latents(given.pictures[:, 0])[0]
        except RunError as error:
            raise EncoderError(str(error)) from error

    @property
    def _dim(self) -> int:
        return _width(*_file(self.run, self.fold))


@dataclass(frozen=True)
class TunedLayers:
    """An encoder that was changed here, with all its layers, as an encoder; found by `find`."""

    run: Run
    fold: int = 1

    @property
    def name(self) -> str:
        """``run:<id>``, or ``run:<id>.<fold>``."""
        return Trained(self.run, self.fold).name

    @property
    def title(self) -> str:
        """One line for people."""
        fold = f", fold {self.fold}" if self.fold > 1 else ""
        return f"{self.run.title}{fold}: the tuned encoder, all its layers"

    @property
    def sampling_rate(self) -> int:
        """Hz."""
        return 16_000

    @property
    def batched(self) -> bool:
        """True."""
        return True

    def sound(self) -> bool:
        """Say whether the file of its weights is there."""
        return _there(self.run, self.fold)

    def missing(self) -> str | None:
        """None if it can be used on this machine, else one sentence."""
        return refusal(self.run)

    def recipe(self) -> Recipe:
        """Everything that changes the numbers, the digests of the weights and of the checkpoint included.

        Raises
        ------
        EncoderError
            With the sentence of `missing`.
        """
        before = made_by(self.run)["signals"].recipe()
        return {
            **before,
            "name": self.name,
            "run": self.run.id,
            "fold": self.fold,
            "weights": _digest(*_file(self.run, self.fold)),
            "inputs": [f"{before['name']} {key(before)}"],
        }

    def encode(self, signals: Sequence[Signal], *, device: str = "auto") -> NDArray[np.float32]:
        """Mean over time of every layer for each clip, (n_clips, n_layers, dim).

        Raises
        ------
        ClipError
            If a clip is too short.
        EncoderError
            With the sentence of `missing`.
        MemoryError
            If the device is out of memory.
        """
        made_by(self.run)
        try:
            tuned = cast("Tuned", fitted(self.run, self.fold))
        except RunError as error:
            raise EncoderError(str(error)) from error
        with memory_errors():
            return tuned.layers(signals, device=device)


def _there(run: Run, fold: int) -> bool:
    try:
        _file(run, fold)
    except EncoderError:
        return False
    return True


def find(name: str, *, cache: Cache) -> Encoder:
    """Find the encoder of a name: ``run:<id>``, ``run:<id>.<fold>``, or one that `ser_core.encoders.encoder` finds.

    Raises
    ------
    EncoderError
        If there is none, or the run is of no network.
    """
    if not name.startswith(PREFIX):
        return encoders.encoder(name)
    id_, _, fold = name.removeprefix(PREFIX).partition(".")
    try:
        run = runs.get(cache, id_)
    except RunError as error:
        raise EncoderError(str(error)) from error
    if not is_network(run):
        raise EncoderError(f"run {run.id} ({KNOWN[run.model].title.lower()}) is no network, and has no inner layer")
    found = layers(run, int(fold) if fold.isdecimal() else 1)
    if found.name != name or found.fold not in range(1, run.n_folds + 1):
        raise EncoderError(
            f"no encoder is called {name!r}, expected {PREFIX}{run.id} or, of its {run.n_folds} folds, "
            f"{PREFIX}{run.id}.<fold>"
        )
    return found


def layers(run: Run, fold: int = 1) -> Trained | TunedLayers:
    """Return the encoder that a run of a network is: its inner layer, or all layers of the encoder that it changed."""
    return TunedLayers(run, fold) if is_tuned(run) else Trained(run, fold)


def is_tuned(run: Run) -> bool:
    """Say whether a run has changed a pretrained encoder."""
    return KNOWN[run.model].tuning is not None


def available(cache: Cache) -> list[Trained | TunedLayers]:
    """Return the inner layers of all networks that are trained to the end and can encode a clip by itself."""
    found = [layers(run) for run in runs.ls(cache) if run.finished and is_network(run) and run.normalise == "global"]
    return [one for one in found if one.sound()]


def n_taught(recipe: Mapping[str, Any], digests: Sequence[str], *, cache: Cache) -> int | None:
    """Return how many of these clips the network behind embeddings has learnt from; 0 for encoders of other kinds.

    None where that is not known: its run is no longer here.
    """
    try:
        known = runs.taught(cache, str(recipe["name"]))
    except RunError:
        return None
    return sum(sha in known for sha in digests)


def refusal(run: Run) -> str | None:
    """Say why a run cannot be asked about a clip by itself; None where it can."""
    try:
        made_by(run)
    except EncoderError as error:
        return str(error)
    return None


def made_by(run: Run) -> dict[str, Encoder]:
    """Return the encoders that make a model's ``vectors`` and ``pictures`` (`Inputs`) of a clip.

    ``signals`` is the encoder that a model has changed: it makes nothing of a clip, which is given as it is.

    Raises
    ------
    EncoderError
        If the model knows a clip only beside others of its speaker, or an encoder is not here, or would give other
        numbers than in training.
    """
    if run.normalise == "speaker":
        raise EncoderError(
            "clips were standardised by their own speaker in training, so a clip by itself cannot be given to it: "
            "train with --normalise global for that"
        )
    if run.model == ENSEMBLE:
        raise EncoderError("an ensemble has no weights of its own: its models answer one by one")
    out = {}
    for kind, recipe in run.recipe["inputs"].items():
        encoder = find(recipe["name"], cache=_cache(run))
        if why := differences(recipe, embeddings.full_recipe(encoder)):
            raise EncoderError(
                f"{encoder.name} would give other numbers now than it gave in training ({why}): train again"
            )
        out[kind] = encoder
    return out


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in words in which parts two recipes differ; nothing where they are the same."""
    parts = [part for part in sorted({*then, *now}) if then.get(part) != now.get(part)]
    return "; ".join(f"{part} was {_short(then.get(part))}, is {_short(now.get(part))}" for part in parts)


def is_network(run: Run) -> bool:
    """Say whether a run is of a network, an autoencoder among them, and so has inner layers."""
    return run.model in AUTOENCODERS or KNOWN[run.model].training is not None


def inputs(run: Run, parts: Mapping[str, NDArray[np.float32]]) -> Inputs:
    """Return what the encoders of `made_by` made of n clips, (n, n_layers, dim) each, as the model takes it."""
    vectors, pictures = parts.get("vectors"), parts.get("pictures")
    if vectors is not None:
        vectors = vectors.reshape(len(vectors), -1) if run.recipe.get("weighted") else vectors[:, run.recipe["layer"]]
    if pictures is not None:
        shape = next(recipe["shape"] for recipe in run.recipe["inputs"].values() if "shape" in recipe)
        pictures = pictures.reshape(*pictures.shape[:2], *shape)
    return Inputs(vectors, pictures)


def _cache(run: Run) -> Cache:
    return Cache(run.folder.parents[1])


def _file(run: Run, fold: int) -> tuple[Path, int]:
    """Return the file of a network, and when it was written (ns), under which what is in it is remembered."""
    if fold not in run.done:
        raise EncoderError(f"fold {fold} of run {run.id} is not trained yet: `{run.command}` goes on with it")
    path = run.weights(fold)
    try:
        return path, path.stat().st_mtime_ns
    except OSError as error:
        raise EncoderError(f"{path.name} of run {run.id} is missing: `{run.command}` trains it again") from error


def fitted(run: Run, fold: int = 1) -> Fitted:
    """Return the model of a fold; those used last are remembered, and are not to be changed.

    Raises
    ------
    EncoderError
        If the fold is not done, or its file is missing.
    RunError
        If the file is damaged.
    """
    return (_tuned if is_tuned(run) else _fitted)(run.folder, fold, _file(run, fold)[1])


@lru_cache(maxsize=1)
def _tuned(folder: Path, fold: int, written: int) -> Fitted:
    """Remember one alone: such a model takes 400 MB and more."""
    return runs.get(Cache(folder.parents[1]), folder.name).fitted(fold)


@lru_cache(maxsize=8)
def _fitted(folder: Path, fold: int, written: int) -> Fitted:
    return runs.get(Cache(folder.parents[1]), folder.name).fitted(fold)


def autoencoder(run: Run) -> "FittedVae":
    """Return the autoencoder of a run; those used last are remembered, not to be changed (raises as `fitted`)."""
    return _autoencoder(run.folder, _file(run, 1)[1])


@lru_cache(maxsize=8)
def _autoencoder(folder: Path, written: int) -> "FittedVae":
    return runs.get(Cache(folder.parents[1]), folder.name).autoencoder()


def reducer(run: Run) -> "Reducer":
    """Return what makes two numbers of a clip, of a run; those used last are remembered (raises as `fitted`)."""
    return _reducer(run.folder, _file(run, 1)[1])


@lru_cache(maxsize=8)
def _reducer(folder: Path, written: int) -> "Reducer":
    return runs.get(Cache(folder.parents[1]), folder.name).reducer()


@lru_cache(maxsize=256)
def _digest(path: Path, written: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=256)
def _width(path: Path, written: int) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            if TURN in file.keys():  # noqa: SIM118  a file is no dict
                return file.get_slice(TURN).get_shape()[0]
            if LATENTS in file.keys():  # noqa: SIM118
                return file.get_slice(LATENTS).get_shape()[0] // 2
            return file.get_slice(OUT).get_shape()[1]
    except (OSError, SafetensorError) as error:
        raise EncoderError(f"{path.name} of run {path.parent.name} is damaged: train it again") from error


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
