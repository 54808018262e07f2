"""A training while it goes on, and the file with which an interrupted one goes on as if nothing had happened."""

import json
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ser_core.models.epochs import Epoch
from ser_core.store import write_atomic

SECONDS: Final = 10.0
"""Least time between two copies of an unfinished training: one of 21 million weights takes 340 MB."""
USUAL: Final = 0.5
"""Seconds that a copy may take to write; after one that took longer, the next waits so many times longer, too."""
MOMENTS: Final = ("step", "exp_avg", "exp_avg_sq")
"""What Adam keeps of each weight."""


def learnt(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights and running means of a module by name, without those that are frozen."""
    frozen = {name for name, weight in module.named_parameters() if not weight.requires_grad}
    return {name: one for name, one in module.state_dict().items() if name not in frozen}


@dataclass
class State:
    """All of a training that changes; ``best`` are the weights of the best epoch of the history, where one is chosen.

    ``row`` is what the history is made of: a dataclass of numbers. ``within`` is how far the epoch after it has come,
    for trainings that are kept between two steps.
    """

    module: nn.Module
    optimisers: tuple[torch.optim.Adam, ...]
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Any] = field(default_factory=list)
    row: type = Epoch
    within: tuple[float, ...] = ()

    @property
    def optimiser(self) -> torch.optim.Adam:
        """The only one, or the first."""
        return self.optimisers[0]

    def keep(self) -> None:
        """Remember the weights as the best so far."""
        self.best = {name: one.clone() for name, one in learnt(self.module).items()}

    def arrays(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        found = {f"module.{name}": one for name, one in learnt(self.module).items()}
        found |= {f"best.{name}": one for name, one in self.best.items()}
        for number, (optimiser, weight) in enumerate(self._weights()):
            if moments := optimiser.state.get(weight):  # none where no gradient ever came
                found |= {f"adam.{number}.{name}": moments[name] for name in MOMENTS}
        return {name: one.detach().cpu().contiguous() for name, one in found.items()}

    def take(self, arrays: Mapping[str, Tensor], history: list[Any], within: tuple[float, ...]) -> None:
        """Go on from what `arrays` returned."""
        weights = learnt(self.module)
        self.module.load_state_dict({name: arrays[f"module.{name}"] for name in weights}, strict=False)
        kept = {name: f"best.{name}" for name in weights if f"best.{name}" in arrays}
        self.best = {name: arrays[best].to(weights[name].device) for name, best in kept.items()}
        for number, (optimiser, weight) in enumerate(self._weights()):
            if f"adam.{number}.step" in arrays:
                step, *moments = (arrays[f"adam.{number}.{name}"].to(weight.device) for name in MOMENTS)
                laid = (torch.empty_like(weight).copy_(one) for one in moments)  # in memory as the weight is
                optimiser.state[weight] = {"step": step, **dict(zip(MOMENTS[1:], laid, strict=True))}
        self.history, self.within = history, within

    def _weights(self) -> Iterator[tuple[torch.optim.Adam, Tensor]]:
        return ((one, weight) for one in self.optimisers for group in one.param_groups for weight in group["params"])


@dataclass
class Copy:
    """The file that keeps an unfinished training, under the key of what is trained; without a path nothing is kept."""

    path: Path | None
    key: str
    written: float = field(default_factory=time.monotonic)
    took: float = 0.0

    def read(self, state: State) -> None:
        """Let a training go on; it stays as it is where there is no file, or a damaged one, or one of another key."""
        found = None if self.path is None else _read(self.path)
        if found is not None and found[1]["key"] == self.key:
            arrays, facts = found
            history = [state.row(*one) for one in json.loads(facts["history"])]
            state.take(arrays, history, tuple(json.loads(facts["within"])))

    def write(self, state: State) -> None:
        """Keep it, whole or not at all, if the last copy was not just written."""
        started = time.monotonic()
        if self.path is not None and started - self.written >= SECONDS * max(1.0, self.took / USUAL):
            arrays, history = state.arrays(), json.dumps([astuple(one) for one in state.history])
            within = json.dumps(state.within)
            facts = {"key": self.key, "crc": str(_crc(arrays)), "history": history, "within": within}
            write_atomic(self.path, save(arrays, metadata=facts))
            self.written = time.monotonic()
            self.took = self.written - started

    def remove(self) -> None:
        """Remove the file."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  a file is no dict
        return (tensors, facts) if "within" in facts and facts["crc"] == str(_crc(tensors)) else None
    except (OSError, SafetensorError, KeyError, TypeError):
        return None


def _crc(tensors: Mapping[str, Tensor]) -> int:
    found = 0
    for name in sorted(tensors):
        data = tensors[name].reshape(-1).view(torch.uint8).numpy().data
        found = zlib.crc32(data, zlib.crc32(name.encode(), found))
    return found
