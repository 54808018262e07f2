"""How the variational autoencoder is trained, and what comes out: something that listens, and draws again."""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser_core import store
from ser_core.encoders.voiced import lengths
from ser_core.models.network import CLIPS_AT_ONCE, place
from ser_core.models.training import TrainingError, adam, repeatable, seed_of
from ser_core.models.unfinished import Copy, State
from ser_core.models.vae import FittedVae, Vae, divergence, drawn

Floats = NDArray[np.float32]
STEPS: Final = 25_000
"""P3's 25,000 epochs of 30 clips, one batch each: as many steps for more clips, unless epochs are asked for."""
POINTS: Final = 500
"""Epochs that are kept, equally far apart: a curve needs no more."""
LOOKS: Final = 10
"""The other clips are measured at every tenth of them, and the last: they may be fifty times as many."""


@dataclass(frozen=True)
class VaeTraining:
    """How it is trained: all that changes its numbers (see `fit`).

    Adam at a constant rate. ``beta`` weighs the divergence against the reconstruction (Higgins et al. 2017); in the
    first ``warmup`` epochs it grows from nothing (Bowman et al. 2016). ``epochs`` None: `STEPS` steps. ``any_length``:
    what comes after the end of a clip counts for nothing (`Vae`).
    """

    epochs: int | None = None
    batch_size: int = 64
    learning_rate: float = 1e-3
    beta: float = 1.0
    warmup: int = 0
    any_length: bool = False

    def n_epochs(self, n_clips: int) -> int:
        """Return how many epochs so many clips are trained for.

        Examples
        --------
        >>> VaeTraining().n_epochs(30), VaeTraining().n_epochs(720), VaeTraining(epochs=7).n_epochs(30)
        (25000, 2084, 7)
        """
        return self.epochs or -(-STEPS // -(-n_clips // self.batch_size))


@dataclass(frozen=True)
class VaeEpoch:
    """One pass over the training clips, counted from 1; means over clips, in nats.

    Reconstruction and divergence (of all latents) of the training clips are those of the epoch, while it learns; those
    of the other clips are measured after it at the means of their latents, and NaN where there are none or it was not
    their turn (`LOOKS`). ``weight`` is that of the divergence, ``seconds`` are since the training began.
    """

    epoch: int
    reconstruction: float
    divergence: float
    other_reconstruction: float
    other_divergence: float
    weight: float
    seconds: float


@dataclass(frozen=True)
class _Clips:
    """Scaled pictures (n, bands, columns).

    With the numbers of who speaks them, (n,), where the decoder is told, and their lengths, (n,), where they have any.
    """

    pictures: Tensor
    speakers: Tensor | None
    lengths: Tensor | None

    def __len__(self) -> int:
        return len(self.pictures)

    def parts(self, order: Tensor, size: int) -> Iterator["_Clips"]:
        """Return parts of ``size`` clips, in an order."""
        for rows in order.split(size):
            rest = (None if one is None else one[rows] for one in (self.speakers, self.lengths))
            yield _Clips(self.pictures[rows], *rest)

    def missed(self, module: Vae, latents: Tensor) -> Tensor:
        """Return the reconstruction of each from these latents, (n,)."""
        return module.missed(latents, self.pictures, speakers=self.speakers, lengths=self.lengths)


def fit(
    pictures: Floats,
    rows: NDArray[np.intp],
    *,
    training: VaeTraining,
    seed: int,
    speakers: Sequence[str] | None = None,
    device: str = "auto",
    resume: Path | None = None,
    progress: Callable[[VaeEpoch], None] = lambda _: None,
) -> tuple[FittedVae, list[VaeEpoch]]:
    """Train an autoencoder on some of the pictures; return it as it is in the end, and at most `POINTS` epochs.

    Levels are standardised by one mean and one standard deviation, those of the pictures trained on: a dB counts the
    same in every band. The other pictures are measured, and change nothing. The same seed and device give the same
    numbers, interrupted or not; torch's own random numbers are left as they were.

    Parameters
    ----------
    pictures
        Shape (n, bands, columns), in dB.
    rows
        Numbers of those trained on.
    speakers
        Who speaks each, (n,): the decoder is told, and clips of others are not measured. None: it is not told.
    resume
        File that keeps an unfinished training; removed at the end.
    progress
        Called after every epoch that is kept, and first with those of an unfinished training that goes on.

    Raises
    ------
    TrainingError
        If there is nothing to be trained on, or the loss is no longer a number.
    NetworkError
        If the device is not there.
    """
    if not len(rows):
        raise TrainingError("an autoencoder needs one clip or more to be trained on, got none")
    where = place(device)
    long = lengths(pictures) if training.any_length else None
    levels = pictures[rows] if long is None else np.concatenate([pictures[row][:, : long[row]] for row in rows], axis=1)
    centre, spread = float(levels.mean(dtype=np.float64)), float(levels.std(dtype=np.float64)) or 1.0
    known = () if speakers is None else tuple(sorted({speakers[int(row)] for row in rows}))

    def clips(some: NDArray[np.intp]) -> _Clips:
        scaled = torch.from_numpy(((pictures[some] - centre) / spread).astype(np.float32))
        numbers = None if speakers is None else torch.tensor([known.index(speakers[row]) for row in some]).to(where)
        return _Clips(scaled.to(where), numbers, None if long is None else torch.from_numpy(long[some]).to(where))

    others = np.setdiff1d(np.arange(len(pictures)), rows)
    taught = clips(rows)
    measured = clips(others if speakers is None else others[[speakers[row] in known for row in others]])
    with repeatable(where.type, 1):
        torch.manual_seed(seed_of(seed, 0))
        bands, columns = pictures.shape[1:]
        module = Vae(bands, columns, n_speakers=len(known), any_length=training.any_length).to(where)
        state = State(module, (adam(module, training.learning_rate),), row=VaeEpoch)
        facts = {**asdict(training), "seed": seed, "device": where.type, "speakers": "\n".join(speakers or ())}
        arrays = {"pictures": pictures, "rows": rows}
        copy = Copy(resume, store.key(facts | {name: zlib.crc32(one.tobytes()) for name, one in arrays.items()}))
        copy.read(state)
        _train(state, taught, measured, training=training, seed=seed, copy=copy, progress=progress)
    copy.remove()
    module = module.cpu().eval()
    return FittedVae(module, centre, spread, bands, columns, known), state.history


def _train(
    state: State,
    taught: _Clips,
    measured: _Clips,
    *,
    training: VaeTraining,
    seed: int,
    copy: Copy,
    progress: Callable[[VaeEpoch], None],
) -> None:
    """Go through the epochs; a copy is written at those that are kept."""
    n_epochs = training.n_epochs(len(taught))
    every = -(-n_epochs // POINTS)
    for one in state.history:
        progress(one)
    done, before = (state.history[-1].epoch, state.history[-1].seconds) if state.history else (0, 0.0)
    started = time.monotonic()
    for epoch in range(done + 1, n_epochs + 1):
        torch.manual_seed(seed_of(seed, epoch))
        weight = training.beta * min(1.0, epoch / training.warmup if training.warmup else 1.0)
        again = _learn(state, taught, batch_size=training.batch_size, weight=weight)
        if epoch % every and epoch < n_epochs:
            continue
        looked = epoch == n_epochs or not len(state.history) % LOOKS
        other, apart = _measure(cast("Vae", state.module), measured) if looked else (np.nan, np.nan)
        one = VaeEpoch(epoch, *again, other, apart, weight, before + time.monotonic() - started)
        if not np.isfinite([one.reconstruction, one.divergence]).all():
            raise TrainingError(
                f"the loss of the autoencoder is no longer a number after epoch {epoch}: try another seed, or a lower"
                " learning rate"
            )
        state.history.append(one)
        copy.write(state)
        progress(one)


def _learn(state: State, taught: _Clips, *, batch_size: int, weight: float) -> tuple[float, float]:
    """Go once through the clips, in an order and with noise drawn anew; return both means."""
    module = cast("Vae", state.module.train())
    order, total = torch.randperm(len(taught)), torch.zeros(2, dtype=torch.float64)
    for batch in taught.parts(order.to(taught.pictures.device), batch_size):
        mean, log_variance = module.encode(batch.pictures, batch.lengths)
        noise = torch.randn(mean.shape).to(mean.device)  # drawn on the processor: the same on every device
        missed = batch.missed(module, drawn(mean, log_variance, noise))
        losses = torch.stack([missed.sum(), divergence(mean, log_variance).sum()])
        state.optimiser.zero_grad()
        ((losses[0] + weight * losses[1]) / len(batch)).backward()
        state.optimiser.step()
        total += losses.detach().double().cpu()
    first, second = (total / len(taught)).tolist()
    return first, second


def _measure(module: Vae, measured: _Clips) -> tuple[float, float]:
    """Return the mean reconstruction, at the means of the latents, and divergence; NaN without clips."""
    module.eval()
    total = torch.zeros(2, dtype=torch.float64)
    with torch.inference_mode():
        order = torch.arange(len(measured)).to(measured.pictures.device)
        for batch in measured.parts(order, CLIPS_AT_ONCE) if len(measured) else ():
            mean, log_variance = module.encode(batch.pictures, batch.lengths)
            missed = batch.missed(module, mean)
            losses = torch.stack([missed.sum(), divergence(mean, log_variance).sum()])
            total += losses.double().cpu()
    first, second = (total / len(measured) if len(measured) else total * np.nan).tolist()
    return first, second
