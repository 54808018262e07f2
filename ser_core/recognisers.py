"""What trained models (`ser_core.runs`) say of one clip. Of a model with several folds, the first one answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_core import embeddings, emotions, evaluation, runs, trained
from ser_core.audio import Decoded
from ser_core.cache import Cache
from ser_core.encoders import Encoder
from ser_core.encoders.base import ClipError
from ser_core.models.inputs import Inputs
from ser_core.runs import Run
from ser_core.store import key


@dataclass(frozen=True)
class Recognised:
    """What a trained model says of one clip.

    ``probabilities`` (E,) are in the order of the run's classes; None where its input cannot be made of the clip, and
    ``why`` says why. ``taught``: this very recording was in the model's training or validation part.
    """

    run: Run
    probabilities: NDArray[np.float64] | None
    why: str | None
    taught: bool

    @property
    def words(self) -> list[str]:
        """The emotions, by their common names."""
        return [emotions.common_name(word) for word in self.run.classes]

    @property
    def named(self) -> str | None:
        """The most probable emotion."""
        return None if self.probabilities is None else self.words[int(self.probabilities.argmax())]

    def summary(self) -> dict[str, Any]:
        """Return it as plain values, with how well the run's models recognised their test clips."""
        values = [None] * len(self.words) if self.probabilities is None else self.probabilities
        scored = self.run.evaluation
        return {
            "run": self.run.id,
            **{name: getattr(self.run, name) for name in ("title", "model", "corpus", "split")},
            "speaker_independent": self.run.speaker_independent,
            "uar": scored.uar,
            "uar_95": scored.interval(evaluation.uar),
            "taught": self.taught,
            "named": self.named,
            "emotions": [
                {"emotion": word, "probability": value} for word, value in zip(self.words, values, strict=True)
            ],
            "why": self.why,
        }


def available(cache: Cache, corpora: Sequence[str]) -> tuple[list[Run], list[str]]:
    """Return the finished runs on these corpora that can be asked about one clip, and why the others cannot be."""
    found: list[Run] = []
    lacking: dict[str, int] = {}
    for run in runs.ls(cache):
        if run.recognises and run.finished and run.corpus in corpora:
            if why := trained.refusal(run):
                lacking[why] = lacking.get(why, 0) + 1
            else:
                found.append(run)
    return found, [f"what {_models(n)} would say: {why}" for why, n in lacking.items()]


def ask(
    asked: Sequence[Run], clip: Decoded, *, digest: str, known: Mapping[str, NDArray[np.float32]]
) -> list[Recognised]:
    """Ask trained models about one clip.

    Parameters
    ----------
    asked
        Runs of `available`.
    digest
        SHA-256 of the clip's file.
    known
        What encoders have made of the clip already, (n_layers, dim), by the key of their full recipe.

    Raises
    ------
    EncoderError
        If an encoder or a model is not here any more.
    """
    made = {name: vector[None] for name, vector in known.items()}

    def of(encoder: Encoder) -> NDArray[np.float32]:
        name = key(embeddings.full_recipe(encoder))
        if name not in made:
            made[name] = encoder.encode([_signal(clip, encoder)])
        return made[name]

    return [_asked(run, clip, of, taught=digest in run.taught()) for run in asked]


def _asked(run: Run, clip: Decoded, of: Callable[[Encoder], NDArray[np.float32]], *, taught: bool) -> Recognised:
    where: dict[str, Any] = {"device": trained.DEVICE} if trained.is_network(run) else {}
    try:
        made = trained.made_by(run)
        if trained.is_tuned(run):
            inputs = Inputs(None, None, (_signal(clip, made["signals"]),))
        else:
            inputs = trained.inputs(run, {kind: of(encoder) for kind, encoder in made.items()})
        return Recognised(run, trained.fitted(run).probabilities(inputs, **where)[0], None, taught)
    except ClipError as error:
        return Recognised(run, None, str(error), taught)


def _signal(clip: Decoded, encoder: Encoder) -> NDArray[np.float32]:
    if clip.sampling_rate != encoder.sampling_rate:
        raise ClipError(f"the clip is at {clip.sampling_rate} Hz, {encoder.name} takes {encoder.sampling_rate}")
    return clip.signal


def _models(n: int) -> str:
    return "a trained model" if n == 1 else f"{n} trained models"
