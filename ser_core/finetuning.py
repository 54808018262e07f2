"""Change a pretrained encoder on a corpus: what `ser_core.experiments` asks of the models that are given the sound."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import evaluation, run_files, runners
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.encoders import checkpoints
from ser_core.encoders.base import Encoder, Signal
from ser_core.encoders.transformer import Transformer
from ser_core.models.cards import CARDS, Training, Tuning
from ser_core.models.epochs import TunedEpoch, chosen
from ser_core.models.inputs import Inputs
from ser_core.plans import ExperimentError, Plan
from ser_core.runners import Failed
from ser_core.splits import Fold

if TYPE_CHECKING:
    from ser_core.models.tuned import Tuned
    from ser_core.models.tuning import Amounts, Precision

RATE = checkpoints.SAMPLING_RATE


@dataclass(frozen=True)
class Sounds:
    """Clips of a known emotion and speaker, with their sound and the digests of their files."""

    signals: tuple[Signal, ...]
    clips: pd.DataFrame
    digests: tuple[str, ...]


def check(encoder: Encoder, plan: Plan) -> Transformer:
    """Return the encoder that is to be changed.

    Raises
    ------
    ExperimentError
        If it is not one that can be, or has no such layer or blocks.
    EncoderError
        If its checkpoint is not here.
    """
    if not isinstance(encoder, Transformer):
        raise ExperimentError(f"{plan.model} changes a pretrained network such as wav2vec2-base, not {encoder.name}")
    found = checkpoints.find(encoder.checkpoint, encoder.revision)
    if found.family == "whisper":
        raise ExperimentError(f"{plan.model} is for wav2vec 2.0, HuBERT and WavLM, and {encoder.name} is a Whisper")
    if plan.blocks is not None and plan.blocks > found.blocks:
        raise ExperimentError(f"{plan.blocks} blocks cannot learn: {encoder.name} has {found.blocks}")
    return encoder


def listen(
    located: Located, encoder: Transformer, *, cache: Cache, workers: int, progress: Callable[..., None]
) -> Sounds:
    """Read the sound of all clips of a known emotion and speaker; clips that cannot be read are left out.

    Raises
    ------
    ExperimentError
        If none is left.
    CorpusError
        If the folder no longer holds the corpus.
    """
    shortest = checkpoints.find(encoder.checkpoint, encoder.revision).shortest
    clips = located.clips()
    clips = clips[evaluation.known(clips)].assign(corpus=located.name).reset_index(drop=True)
    files = [located.root / file for file in clips["file"]]
    digests = cache.digests(files)

    def read(item: tuple[str | None, Path]) -> Signal | Failed:
        sha, file = item
        signal = Failed("missing: the file cannot be read") if sha is None else runners.read(sha, file, RATE)
        if not isinstance(signal, Failed) and len(signal) < shortest:
            return Failed(f"{len(signal)} samples are too few for {encoder.name}")
        return signal

    found: list[Signal | Failed] = []
    started = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        for signal in pool.map(read, zip(digests, files, strict=True)):
            found.append(signal)
            rate = len(found) / max(time.monotonic() - started, 1e-6)
            failed = sum(isinstance(one, Failed) for one in found)
            left = (len(files) - len(found)) / rate
            progress(len(found), len(files), rate=rate, seconds_left=left, failed=failed, message="sound of the clips")
    good = np.flatnonzero([not isinstance(one, Failed) for one in found])
    if not len(good):
        raise ExperimentError(
            f"no clip of {located.name} has a known emotion, a known speaker and sound that can be read:"
            " nothing can be learnt"
        )
    signals = tuple(one for one in found if not isinstance(one, Failed))
    return Sounds(signals, clips.iloc[good].reset_index(drop=True), tuple(str(digests[row]) for row in good))


def tuning(plan: Plan) -> Tuning | None:
    """Return what of the encoder learns, by a plan."""
    usual = CARDS[plan.model].tuning
    if usual is None:
        return None
    return replace(
        usual,
        blocks=plan.blocks or usual.blocks,
        learning_rate=plan.encoder_rate or usual.learning_rate,
    )


def train_fold(
    plan: Plan,
    encoder: Transformer,
    *,
    inputs: Inputs,
    y: NDArray[np.intp],
    fold: Fold,
    classes: tuple[str, ...],
    training: Training,
    number: int,
    folder: Path,
    device: str,
    precision: "Precision",
    amounts: "Amounts",
    tell: Callable[..., None],
) -> tuple["Tuned", dict[str, Any]]:
    """Tune the encoder on the training part of a fold; return what came of it, and facts about it.

    ``tell`` is called with steps done, their number, a message and, where it is known, the seconds that they took.
    """
    from ser_core.models.tuning import fit

    epochs: list[TunedEpoch] = []
    began = time.monotonic()

    def after(epoch: TunedEpoch) -> None:
        epochs.append(epoch)
        run_files.keep_history(folder, number, pd.DataFrame(epochs))

    def stepped(epoch: int, step: int, steps: int) -> None:
        done = (epoch - 1) * steps + step
        last = epochs[-1] if epochs else None
        said = f", validation {last.validation_loss:.2f}, {100 * last.validation_accuracy:.0f} % right" if last else ""
        tell(done, training.epochs * steps, f"epoch {epoch}, step {step} of {steps}{said}")

    assert inputs.signals is not None
    found = checkpoints.find(encoder.checkpoint, encoder.revision)
    layers = found.blocks + 1
    fitted, history = fit(
        CARDS[plan.model],
        inputs.signals,
        y,
        fold=fold,
        found=found,
        training=training,
        tuning=tuning(plan),
        classes=classes,
        layer=None if plan.weighted else plan.layer % layers,
        seed=plan.seed,
        device=device,
        precision=precision,
        amounts=amounts,
        resume=folder / f"epoch-{number}.safetensors",
        progress=after,
        stepped=stepped,
        listened=lambda done, total: tell(0, training.epochs, f"convolutions, clip {done} of {total}"),
    )
    seconds = max(time.monotonic() - began, sum(epoch.seconds for epoch in history))  # also before an interruption
    facts = {"device": device, "precision": precision, **asdict(amounts), "versions": {"torch": version("torch")}}
    return fitted, facts | {"seconds": seconds, "epochs": len(history), "best_epoch": chosen(history).epoch}
