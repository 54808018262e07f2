"""A training while it goes on, and the file with which an interrupted one goes on as if nothing had happened."""

import json
import time
import zlib
from collections.abc import Mapping
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
MOMENTS: Final = ("step", "exp_avg", "exp_avg_sq")
"""What Adam keeps of each weight."""


@dataclass
class State:
    """All of a training that changes; ``best`` are the weights of the best epoch of the history, where one is chosen.

    ``row`` is what the history is made of: a dataclass of numbers.
    """

    module: nn.Module
    optimiser: torch.optim.Adam
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Any] = field(default_factory=list)
    row: type = Epoch

    def arrays(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        found = {f"module.{name}": one for name, one in self.module.state_dict().items()}
        found |= {f"best.{name}": one for name, one in self.best.items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            found |= {f"adam.{number}.{name}": moments[name] for name in MOMENTS}
        return {name: one.detach().cpu().contiguous() for name, one in found.items()}

    def take(self, arrays: Mapping[str, Tensor], history: list[Any]) -> None:
        """Go on from what `arrays` returned."""
        weights = self.module.state_dict()
        self.module.load_state_dict({name: arrays[f"module.{name}"] for name in weights})
        kept = {name: f"best.{name}" for name in weights if f"best.{name}" in arrays}
        self.best = {name: arrays[best].to(weights[name].device) for name, best in kept.items()}
        for number, weight in enumerate(self.optimiser.param_groups[0]["params"]):
            step, *moments = (arrays[f"adam.{number}.{name}"].to(weight.device) for name in MOMENTS)
            laid = (torch.empty_like(weight).copy_(one) for one in moments)  # in memory as the weight is
            self.optimiser.state[weight] = {"step": step, **dict(zip(MOMENTS[1:], laid, strict=True))}
        self.history = history


@dataclass
class Copy:
    """The file that keeps an unfinished training, under the key of what is trained; without a path nothing is kept."""

    path: Path | None
    key: str
    written: float = field(default_factory=time.monotonic)

    def read(self, state: State) -> None:
        """Let a training go on; it stays as it is where there is no file, or a damaged one, or one of another key."""
        found = None if self.path is None else _read(self.path)
        if found is not None and found[1]["key"] == self.key:
            arrays, facts = found
            state.take(arrays, [state.row(*one) for one in json.loads(facts["history"])])

    def write(self, state: State) -> None:
        """Keep it, whole or not at all, if the last copy was not just written."""
        if self.path is not None and time.monotonic() - self.written >= SECONDS:
            arrays, history = state.arrays(), json.dumps([astuple(one) for one in state.history])
            facts = {"key": self.key, "crc": str(_crc(arrays)), "history": history}
            write_atomic(self.path, save(arrays, metadata=facts))
            self.written = time.monotonic()

    def remove(self) -> None:
        """Remove the file."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  a file is no dict
        return (tensors, facts) if facts["crc"] == str(_crc(tensors)) else None
    except (OSError, SafetensorError, KeyError, TypeError):
        return None


def _crc(tensors: Mapping[str, Tensor]) -> int:
    found = 0
    for name in sorted(tensors):
        data = tensors[name].reshape(-1).view(torch.uint8).numpy().data
        found = zlib.crc32(data, zlib.crc32(name.encode(), found))
    return found
