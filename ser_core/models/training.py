"""The one training loop of all networks.

Fast on a processor: the channels of a pixel lie side by side, products are computed in bfloat16 where the processor can
(everything else in float32), and all clips are in memory once.
"""

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ser_core import scores, store
from ser_core.errors import SerError
from ser_core.models import greedy, memory
from ser_core.models.cards import Card, Training
from ser_core.models.cnn import Cnn
from ser_core.models.epochs import Epoch, chosen, cycle, stalled
from ser_core.models.inputs import Inputs, learn
from ser_core.models.network import CLIPS_AT_ONCE, Network, build, place, settle, sizes, tensors
from ser_core.models.unfinished import Copy, State
from ser_core.splits import Fold

Precision = Literal["auto", "float32", "bfloat16"]
Rows = NDArray[np.intp]
WIDEST: Final = 5
"""A mask hides at most one in so many columns or rows."""
NOISE: Final = 0.1
"""Standard deviation of the noise added, in standard deviations of the training pictures."""


class TrainingError(SerError, ValueError):
    """A training that cannot be done as asked, or that went astray; the message says why."""


@dataclass(frozen=True)
class _Examples:
    """Inputs, one tensor of n rows a part, and class numbers (n,), on the device."""

    parts: tuple[Tensor, ...]
    y: Tensor

    def take(self, rows: Tensor) -> "_Examples":
        return _Examples(tuple(part[rows] for part in self.parts), self.y[rows])


@dataclass(frozen=True)
class _How:
    """What does not change from epoch to epoch."""

    card: str
    training: Training
    classes: tuple[str, ...]
    seed: int
    augment: bool
    pretrain: str
    one_cycle: bool
    device: str
    precision: Precision

    def autocast(self) -> torch.autocast:
        """Let products be computed in the precision asked for."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16")


def fit(
    card: Card,
    inputs: Inputs,
    y: Rows,
    *,
    fold: Fold,
    training: Training,
    classes: tuple[str, ...],
    seed: int,
    augment: bool,
    pretrain: Literal["none", "greedy"],
    one_cycle: bool = False,
    n_layers: int = 1,
    device: str = "auto",
    precision: Precision = "auto",
    resume: Path | None = None,
    progress: Callable[[Epoch], None] = lambda _: None,
    pretraining: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Network, list[Epoch]]:
    """Train a network on the training part of a fold; return it with the weights of its best epoch, and all epochs.

    The test part is not looked at: scaling is learnt from the training part; the best epoch (`epochs.chosen`), the
    learning rate and the end of training follow the validation part. The same seed, device and precision give the same
    numbers, interrupted or not (pictures: with as many threads, for they round differently); torch's own random numbers
    are left as they were.

    Parameters
    ----------
    inputs, y
        The clips and their class numbers, shape (n,). Of pictures with noisy copies all are trained on, and the clean
        ones are measured.
    augment
        Whether to hide a band of time and one of frequency of each training picture and to add noise, anew each epoch
        (P1, section 3.3.1; how wide and how much, `WIDEST` and `NOISE`, is not in the paper).
    pretrain
        ``greedy``: the convolutions first, by `greedy.pretrain`.
    one_cycle
        Whether the learning rate rises and falls once, by `epochs.cycle`. All epochs are then trained, and ``plateau``
        and ``patience`` mean nothing.
    n_layers
        How many layers of an encoder lie one after the other in the vectors, for a card that ``weighs`` them.
    precision
        Of products while it learns; ``auto`` is bfloat16 where the device computes with it, else float32.
    resume
        File that keeps an unfinished training; removed at the end.
    progress
        Called after every epoch, and first with those of an unfinished training that goes on.
    pretraining
        Called with epochs of pretraining done and their number.

    Raises
    ------
    TrainingError
        If the card has no such variant, a part of the fold is too small, or the loss is no longer a number.
    NetworkError
        If the inputs are not those of the card, or the device is not there.
    """
    _check(card, fold, augment=augment, pretrain=pretrain)
    device, precision = hardware(device, precision=precision)
    scaling = learn(inputs, fold.train, vectors=card.scaling)

    def examples(rows: Rows, copies: int | None) -> _Examples:
        parts = tensors(card, scaling.apply(inputs.take(rows)), copies=copies)
        numbers = torch.from_numpy(y[rows]).repeat_interleave(len(parts[0]) // len(rows))
        return _Examples(tuple(part.to(device) for part in parts), numbers.to(device))

    dim, shape = sizes(inputs)
    how = _How(card.name, training, classes, seed, augment, pretrain, one_cycle, device, precision)
    copy = Copy(resume, _key(how, fold, y, scaling.arrays()))
    memory.keep_freed()
    with repeatable(device, torch.get_num_threads() if shape else 1):
        torch.manual_seed(seed_of(seed, 0))
        module = build(card, dim=dim, shape=shape, n_classes=len(classes), n_layers=n_layers)
        optimiser = adam(settle(module, device), training.learning_rate, decay=training.weight_decay)
        state = State(module, (optimiser,))
        taught, measured = examples(fold.train, None), examples(fold.validation, 1)
        copy.read(state)
        if pretrain == "greedy" and isinstance(module, Cnn) and not state.history:
            size = training.batch_size
            greedy.pretrain(module, taught.parts[0], batch_size=size, autocast=how.autocast, progress=pretraining)
        _train(state, taught, measured, how=how, copy=copy, progress=progress)
    module.load_state_dict(state.best)
    copy.remove()
    return Network(card.name, module.eval(), scaling, classes, dim, shape), state.history


def hardware(device: str, *, precision: Precision) -> tuple[str, Precision]:
    """Return the device and the precision that ``auto`` stands for here.

    Raises
    ------
    NetworkError
        If the device is not there.
    """
    kind = place(device).type
    if precision == "auto" and kind == "cuda":
        precision = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    elif precision == "auto":
        can = torch.cpu.get_capabilities()
        precision = "bfloat16" if can.get("avx512_bf16") or can.get("amx_bf16") else "float32"
    return kind, precision


def _check(card: Card, fold: Fold, *, augment: bool, pretrain: str) -> None:
    if (augment and not card.augments) or (pretrain != "none" and not card.pretrains):
        raise TrainingError(f"{card.name} is not trained with {'augmented pictures' if augment else 'pretraining'}")
    if len(fold.train) < 2 or not len(fold.validation):
        raise TrainingError(
            f"{card.name} needs two training clips or more and a validation part; "
            f"got {len(fold.train)} and {len(fold.validation)} clips"
        )


def _key(how: _How, fold: Fold, y: Rows, scaling: dict[str, NDArray[Any]]) -> str:
    """Return a name for all that decides the numbers; of the clips, their scaling stands for them."""
    arrays = {"train": fold.train, "validation": fold.validation, "y": y, **scaling}
    return store.key({**asdict(how), **{name: zlib.crc32(one.tobytes()) for name, one in arrays.items()}})


def seed_of(seed: int, *place: int) -> int:
    """Return the seed of an epoch, or a step of one, so that an interrupted training goes on as it would have."""
    return int(np.random.SeedSequence((seed, *place)).generate_state(1)[0])


def adam(module: nn.Module, rate: float, *, decay: float = 0.0) -> torch.optim.Adam:
    """Return the optimiser of all trainings."""
    return torch.optim.Adam(module.parameters(), lr=rate, weight_decay=decay, fused=True)


@contextmanager
def repeatable(device: str, threads: int) -> Iterator[None]:
    """Compute the same twice, and leave torch's random numbers and settings as they were.

    One thread for vectors alone: their products are so small that others cost four times the work, and many times the
    minutes where the machine is busy.
    """
    usual = torch.get_num_threads()
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.random.fork_rng([torch.cuda.current_device()] if device == "cuda" else []), exact:
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(usual)


def _train(
    state: State,
    taught: _Examples,
    measured: _Examples,
    *,
    how: _How,
    copy: Copy,
    progress: Callable[[Epoch], None],
) -> None:
    """Go through epochs until there were enough, or nothing gets better."""
    training = how.training
    plateau = training.epochs if training.plateau is None else training.plateau
    patience = training.epochs if how.one_cycle else training.patience
    scheduler = ReduceLROnPlateau(state.optimiser, factor=0.5, patience=plateau)
    for one in state.history:
        scheduler.step(one.validation_loss)
        progress(one)
    while len(state.history) < training.epochs and not stalled(state.history, patience):
        number = len(state.history) + 1
        torch.manual_seed(seed_of(how.seed, number))
        started = time.monotonic()
        learnt = _learn(state, taught, how)
        rate = state.optimiser.param_groups[0]["lr"]
        seen = _measure(state.module, measured, how)
        one = Epoch(number, *learnt, *seen, learning_rate=rate, seconds=time.monotonic() - started)
        if not np.isfinite([one.train_loss, one.validation_loss]).all():
            raise TrainingError(
                f"the loss of {how.card} is no longer a number after epoch {number}: try another seed, or float32"
            )
        state.history.append(one)
        if chosen(state.history) is one:
            state.keep()
        scheduler.step(one.validation_loss)
        copy.write(state)
        progress(one)


def _learn(state: State, taught: _Examples, how: _How) -> tuple[float, float]:
    """Go once through the training part, in an order and with masks drawn anew; return mean loss and accuracy."""
    training, module = how.training, state.module.train()
    order = torch.randperm(len(taught.y)).to(how.device)
    batches = [rows for rows in order.split(training.batch_size) if len(rows) > 1]  # batch norm: no batch of one
    total = torch.zeros(2, device=how.device, dtype=torch.float64)
    for number, rows in enumerate(batches, start=len(state.history) * len(batches)):
        if how.one_cycle:
            share = cycle(number, training.epochs * len(batches))
            state.optimiser.param_groups[0]["lr"] = training.learning_rate * share
        batch = taught.take(rows)
        parts = (augmented(batch.parts[0]), *batch.parts[1:]) if how.augment else batch.parts
        with how.autocast():
            logits = module(*parts)
        loss = cross_entropy(logits.float(), batch.y, label_smoothing=training.label_smoothing)
        state.optimiser.zero_grad()
        loss.backward()
        if training.clip_norm is not None:
            clip_grad_norm_(module.parameters(), training.clip_norm, foreach=True)
        state.optimiser.step()
        total += torch.stack([loss.detach() * len(rows), (logits.argmax(dim=1) == batch.y).sum()])
    loss, right = (total / sum(map(len, batches))).tolist()
    return loss, right


def _measure(module: nn.Module, measured: _Examples, how: _How) -> tuple[float, float, float]:
    """Return loss, accuracy and UAR of the validation part."""
    module.eval()
    with torch.inference_mode(), how.autocast():
        parts = zip(*(part.split(CLIPS_AT_ONCE) for part in measured.parts), strict=True)
        logits = torch.cat([module(*some) for some in parts]).float()
        loss = cross_entropy(logits, measured.y, label_smoothing=how.training.label_smoothing).item()
    truth, predicted = measured.y.cpu().numpy(), logits.argmax(dim=1).cpu().numpy()
    counts = scores.confusion(truth, predicted, n_classes=len(how.classes))
    return loss, scores.wa(counts), scores.uar(counts)


def augmented(pictures: Tensor) -> Tensor:
    """Return pictures (n, 1, rows, columns) with a band of each axis set to 0, their mean, and noise added to all."""
    n, _, rows, columns = pictures.shape
    hidden = _bands(n, columns, pictures.device)[:, None, None, :] | _bands(n, rows, pictures.device)[:, None, :, None]
    return pictures.masked_fill(hidden, 0) + NOISE * torch.randn_like(pictures)


def _bands(n: int, length: int, device: torch.device) -> Tensor:
    """Return n bands of a random width from 0 to `WIDEST` and at a random place: (n, length), True inside."""
    width = torch.randint(length // WIDEST + 1, (n, 1), device=device)
    start = (torch.rand((n, 1), device=device) * (length - width + 1)).long()
    at = torch.arange(length, device=device)
    return (at >= start) & (at < start + width)
