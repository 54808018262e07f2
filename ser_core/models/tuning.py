"""Train a part of a pretrained speech encoder together with a head on it (`ser_core.models.cards.Tuning`).

What the convolutions on the waveform make of a clip never changes, and is computed once. Batches hold clips of similar
length. On a graphics card products are computed in half precision, weights are kept in float32.
"""

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ser_core import scores, store
from ser_core.encoders import pooling
from ser_core.encoders.base import Signal
from ser_core.encoders.checkpoints import Checkpoint, load_anew
from ser_core.models.cards import Card, Training, Tuning
from ser_core.models.epochs import TunedEpoch, chosen, stalled
from ser_core.models.training import TrainingError, repeatable, seed_of
from ser_core.models.training import hardware as of_networks
from ser_core.models.tuned import FRAMES_AT_ONCE, Tuned, TunedModule, parts
from ser_core.models.unfinished import Copy, State
from ser_core.splits import Fold

Rows = NDArray[np.intp]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
SIMILAR: Final = 50
"""Batches whose clips are sorted by length together: most of the padding goes, most of the chance stays."""
FALL: Final = 1 / 400
"""Share of itself by which the validation error has to fall, else the rates are annealed (SpeechBrain's `NewBob`)."""


@dataclass(frozen=True)
class Amounts:
    """What fits into memory, and changes no number but the draws of dropout.

    ``at_once``: clips that go through the encoder together; gradients of more are added up (None: the whole batch; it
    is halved when memory runs out). ``recompute``: forget what happens within a block and compute it again.
    """

    at_once: int | None = None
    recompute: bool = False


@dataclass(frozen=True)
class _How:
    """What does not change from step to step."""

    training: Training
    tuning: Tuning | None
    n_classes: int
    seed: int
    device: str
    precision: Precision

    def autocast(self) -> torch.autocast:
        half = torch.float16 if self.precision == "float16" else torch.bfloat16
        return torch.autocast(self.device, half, enabled=self.precision != "float32")


@dataclass(frozen=True)
class _Examples:
    """Frames of clips, (n_frames, width) each, and class numbers (n,)."""

    frames: list[Tensor]
    y: Tensor

    @property
    def lengths(self) -> list[int]:
        return [len(one) for one in self.frames]

    def take(self, rows: Rows, device: str) -> tuple[list[Tensor], Tensor]:
        return [self.frames[row].to(device) for row in rows], self.y[torch.from_numpy(rows)].to(device)


def fit(
    card: Card,
    signals: Sequence[Signal],
    y: Rows,
    *,
    fold: Fold,
    found: Checkpoint,
    training: Training,
    tuning: Tuning | None,
    classes: tuple[str, ...],
    layer: int | None,
    seed: int,
    device: str = "auto",
    precision: Precision = "auto",
    amounts: Amounts = Amounts(),
    resume: Path | None = None,
    progress: Callable[[TunedEpoch], None] = lambda _: None,
    stepped: Callable[[int, int, int], None] = lambda *_: None,
    listened: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Tuned, list[TunedEpoch]]:
    """Tune an encoder on the training part of a fold; return it with the weights of its best epoch, and all epochs.

    The test part is not looked at. The same seed, device, precision and amounts give the same numbers on a processor,
    interrupted after any step or not. Blocks are never left out and frames never hidden at random (LayerDrop,
    SpecAugment): neither paper says that they were.

    Parameters
    ----------
    signals, y
        Mono clips in [-1, 1] at 16 kHz, each long enough for one frame, and their class numbers, shape (n,).
    found
        The checkpoint to begin with.
    layer
        Which layer the head is given, counted from 0; None: all of them, weighted.
    tuning
        What of the encoder learns; None: nothing, the head alone.
    resume
        File that keeps an unfinished training; removed at the end.
    progress, stepped, listened
        Called with each epoch (first with those of an unfinished training that goes on); with the number of the epoch,
        steps done in it and their number; and with clips that have gone through the convolutions, and their number.

    Raises
    ------
    TrainingError
        If a part of the fold is empty, or the loss is no longer a number.
    NetworkError
        If the device is not there, or the encoder has not the blocks that are to learn.
    EncoderError
        If the checkpoint cannot be loaded.
    """
    if not (len(fold.train) and len(fold.validation)):
        counts = f"{len(fold.train)} and {len(fold.validation)} clips"
        raise TrainingError(f"{card.name} needs a training and a validation part; got {counts}")
    device, precision = hardware(device, precision)
    how = _How(training, tuning, len(classes), seed, device, precision)
    with repeatable(device, torch.get_num_threads()):
        encoder = load_anew(found)
        torch.manual_seed(seed_of(seed, 0))
        module = TunedModule(encoder, card.name, tuning=tuning, layer=layer, n_classes=len(classes)).to(device)
        if amounts.recompute:
            module.checkpointed()
        taught = _listen(module, found, signals, y, rows=fold.train, listened=listened, before=0, of=fold)
        before = len(fold.train)
        measured = _listen(module, found, signals, y, rows=fold.validation, listened=listened, before=before, of=fold)
        state = State(module, _optimisers(module, how), row=TunedEpoch)
        copy = Copy(resume, _key(card, how, fold, y, found, layer))
        copy.read(state)
        _train(state, taught, measured, how=how, amounts=amounts, copy=copy, progress=progress, stepped=stepped)
    module.load_state_dict(state.best, strict=False)
    copy.remove()
    return Tuned(card.name, module.eval(), found, classes), state.history


def hardware(device: str, precision: Precision) -> tuple[str, Precision]:
    """Return the device and the precision that ``auto`` stands for here.

    Raises
    ------
    NetworkError
        If the device is not there.
    TrainingError
        If it does not compute in float16.
    """
    if precision != "float16":
        return of_networks(device, precision=precision)
    kind, _ = of_networks(device, precision="float32")
    if kind != "cuda":
        raise TrainingError("precision float16 is for graphics cards: leave it out, or choose bfloat16 or float32")
    return kind, precision


def _listen(
    module: TunedModule,
    found: Checkpoint,
    signals: Sequence[Signal],
    y: Rows,
    *,
    rows: Rows,
    listened: Callable[[int, int], None],
    before: int,
    of: Fold,
) -> _Examples:
    """Let clips through the convolutions, which are frozen."""
    frames: list[Tensor] = []
    module.eval()
    with torch.no_grad():
        for row in rows:
            frames.append(pooling.frames(module.encoder, found, [signals[row]])[0].cpu())
            listened(before + len(frames), len(of.train) + len(of.validation))
    return _Examples(frames, torch.from_numpy(y[rows]))


def _optimisers(module: TunedModule, how: _How) -> tuple[torch.optim.Adam, ...]:
    """Return the head's, and that of the encoder where it learns."""
    learning = [weight for weight in module.encoder.parameters() if weight.requires_grad]
    rate, decay = how.training.learning_rate, how.training.weight_decay
    head = torch.optim.AdamW(module.head.parameters(), lr=rate, weight_decay=decay, fused=True)
    if how.tuning is None:
        return (head,)
    rate, decay = how.tuning.learning_rate, how.tuning.weight_decay
    return head, torch.optim.AdamW(learning, lr=rate, weight_decay=decay, fused=True)


def _schedulers(state: State, how: _How) -> list[ReduceLROnPlateau]:
    """Return one for each optimiser, which wait for the validation error to fall, each in its own way."""
    factor = how.tuning.annealing if how.tuning else 0.5
    waits = [how.training.plateau, how.tuning.plateau if how.tuning else None]
    patience = [how.training.epochs if wait is None else wait for wait in waits]
    return [
        ReduceLROnPlateau(one, factor=factor, patience=wait, threshold=FALL)
        for one, wait in zip(state.optimisers, patience, strict=False)
    ]


def _key(card: Card, how: _How, fold: Fold, y: Rows, found: Checkpoint, layer: int | None) -> str:
    """Return a name for all that decides the numbers; the folder of the run stands for the clips."""
    parts = {"train": fold.train, "validation": fold.validation, "y": y}
    crc = {name: zlib.crc32(one.tobytes()) for name, one in parts.items()}
    return store.key({"card": card.name, **asdict(how), **crc, "files": list(found.digests()), "layer": layer})


def _train(
    state: State,
    taught: _Examples,
    measured: _Examples,
    *,
    how: _How,
    amounts: Amounts,
    copy: Copy,
    progress: Callable[[TunedEpoch], None],
    stepped: Callable[[int, int, int], None],
) -> None:
    """Go through epochs until there were enough, or nothing gets better."""
    training = how.training
    schedulers = _schedulers(state, how)

    def anneal(one: TunedEpoch) -> None:
        for scheduler in schedulers:
            scheduler.step(1 - one.validation_accuracy)

    for one in state.history:
        anneal(one)
        progress(one)
    while len(state.history) < training.epochs and not stalled(state.history, training.patience):
        number = len(state.history) + 1
        rates = [optimiser.param_groups[0]["lr"] for optimiser in state.optimisers]
        loss, right, seconds = _learn(state, taught, how, amounts=amounts, copy=copy, stepped=stepped)
        started = time.monotonic()
        seen = _measure(state.module, measured, how)
        seconds += time.monotonic() - started
        encoder_rate = rates[1] if len(rates) > 1 else 0.0
        one = TunedEpoch(number, loss, right, *seen, learning_rate=rates[0], seconds=seconds, encoder_rate=encoder_rate)
        if not np.isfinite([one.train_loss, one.validation_loss]).all():
            raise TrainingError(f"the loss is no longer a number after epoch {number}: try float32, or lower rates")
        state.history.append(one)
        state.within = ()
        if chosen(state.history) is one:
            state.keep()
        anneal(one)
        copy.write(state)
        progress(one)


def batches(lengths: Sequence[int], size: int, *, seed: int) -> list[Rows]:
    """Return batches of clips drawn at random, of similar length where there are many of them.

    Clips are put in a random order, sorted by length within each `SIMILAR` batches of it, and cut.

    Examples
    --------
    >>> [rows.tolist() for rows in batches([5, 9, 5, 9], 2, seed=0)]
    [[1, 3], [0, 2]]
    """
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed)).numpy()
    long = np.asarray(lengths)
    span = size * SIMILAR
    several = [order[start : start + span] for start in range(0, len(order), span)]
    ordered = np.concatenate([rows[np.argsort(-long[rows], kind="stable")] for rows in several])
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _learn(
    state: State,
    taught: _Examples,
    how: _How,
    *,
    amounts: Amounts,
    copy: Copy,
    stepped: Callable[[int, int, int], None],
) -> tuple[float, float, float]:
    """Go through the rest of an epoch; return mean loss and accuracy of the whole of it, and its seconds.

    ``state.within`` is, after each step: steps done, sum of losses, clips named rightly, seconds.
    """
    number = len(state.history) + 1
    steps = batches(taught.lengths, how.training.batch_size, seed=seed_of(how.seed, number))
    state.module.train()
    scaler = torch.amp.GradScaler(how.device, init_scale=1024.0, enabled=how.precision == "float16")
    at_once = amounts.at_once or how.training.batch_size
    done, total, right, seconds = state.within or (0, 0.0, 0.0, 0.0)
    for step in range(int(done), len(steps)):
        started = time.monotonic()
        while True:
            torch.manual_seed(seed_of(how.seed, number, step))
            try:
                lost, named = _gradients(state, taught, steps[step], how, at_once=at_once, scaler=scaler)
                break
            except torch.OutOfMemoryError:
                if at_once == 1:
                    raise
                at_once = (at_once + 1) // 2
                torch.cuda.empty_cache()
        _step(state, how, scaler)
        total, right = total + lost, right + named
        seconds += time.monotonic() - started
        state.within = (step + 1, total, right, seconds)
        copy.write(state)
        stepped(number, step + 1, len(steps))
    return total / len(taught.y), right / len(taught.y), seconds


def _gradients(
    state: State,
    taught: _Examples,
    rows: Rows,
    how: _How,
    *,
    at_once: int,
    scaler: torch.amp.GradScaler,
) -> tuple[float, float]:
    """Add up the gradients of a batch, some clips at once; return the sum of its losses and how many were right."""
    for optimiser in state.optimisers:
        optimiser.zero_grad()
    total = torch.zeros(2, device=how.device, dtype=torch.float64)
    for start in range(0, len(rows), at_once):
        frames, y = taught.take(rows[start : start + at_once], how.device)
        with how.autocast():
            logits = state.module(frames)
        lost = cross_entropy(logits.float(), y, label_smoothing=how.training.label_smoothing, reduction="sum")
        scaler.scale(lost / len(rows)).backward()
        total += torch.stack([lost.detach(), (logits.argmax(dim=1) == y).sum()])
    lost, named = total.tolist()
    return lost, named


def _step(state: State, how: _How, scaler: torch.amp.GradScaler) -> None:
    for optimiser in state.optimisers:
        scaler.unscale_(optimiser)
    if how.training.clip_norm is not None:
        weights = [weight for weight in state.module.parameters() if weight.requires_grad]
        clip_grad_norm_(weights, how.training.clip_norm, foreach=True)
    for optimiser in state.optimisers:
        scaler.step(optimiser)
    scaler.update()


def _measure(module: Any, measured: _Examples, how: _How) -> tuple[float, float, float]:
    """Return loss, accuracy and UAR of the validation part."""
    module.eval()
    logits = torch.empty(len(measured.y), how.n_classes)
    for rows in parts(measured.lengths, FRAMES_AT_ONCE):
        frames, _ = measured.take(rows, how.device)
        with torch.inference_mode(), how.autocast():
            logits[torch.from_numpy(rows)] = module(frames).float().cpu()
    loss = cross_entropy(logits, measured.y, label_smoothing=how.training.label_smoothing).item()
    counts = scores.confusion(measured.y.numpy(), logits.argmax(dim=1).numpy(), n_classes=how.n_classes)
    return loss, scores.wa(counts), scores.uar(counts)
