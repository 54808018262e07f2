"""Synthetic clips, a trivial encoder, and where real corpora may lie."""

# isort: off
import ser_core  # noqa: F401  first: it says how BLAS threads wait, which numpy reads when it is loaded

# isort: on
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.typing import NDArray

from ser_core import audio, catalogue
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.encoders.base import ClipError, Recipe

DATA = Path(os.environ.get("SER_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not DATA.is_dir():
        absent = pytest.mark.skip(reason=f"no real corpora at {DATA} (set SER_DATA)")
        for item in items:
            if "data" in item.keywords:
                item.add_marker(absent)


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@dataclass(frozen=True)
class Moments:
    """Level, peak, zero crossings and length of a clip: fast, and checked by hand. Fails on clips above `loudest`."""

    name: str = "moments"
    version: int = 1
    loudest: float = 2.0
    title: str = "Moments (tests)"
    sampling_rate: int = 16_000
    batched: bool = False

    def missing(self) -> str | None:
        return None

    def recipe(self) -> Recipe:
        return {"name": self.name, "version": self.version, "dim": 4, "layers": ["a", "b"], "sampling_rate": 16_000}

    def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
        return np.stack([self._one(signal) for signal in signals])

    def _one(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        peak = np.abs(x).max()
        if peak > self.loudest:
            raise ClipError("too loud for this encoder")
        numbers = [np.sqrt(np.mean(x**2)), peak, np.mean(np.diff(np.sign(x)) != 0), len(x) / 16_000]
        return np.array([numbers, [2 * number for number in numbers]], np.float32)


@pytest.fixture
def encoder() -> Moments:
    return Moments()


def tone(frequency: float, seconds: float = 0.3, level: float = 0.3, rate: int = 16_000) -> NDArray[np.float32]:
    """A tone in a little seeded noise."""
    noise = np.random.default_rng(int(frequency)).normal(size=int(seconds * rate)) * 0.01
    return (level * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate) + noise).astype(np.float32)


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., Path]:
    """Write a short sound under each name."""
    sound = audio.wav_bytes(np.random.default_rng(0).uniform(-0.1, 0.1, 3200).astype("float32"))

    def write(names: Iterable[str]) -> Path:
        for name in names:
            file = tmp_path / "corpus" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(sound)
        return tmp_path / "corpus"

    return write


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder corpus of tones: emotion is pitch, speaker is level."""

    def make(name: str = "mine", *, n_speakers: int = 4, n_takes: int = 4) -> Path:
        root = tmp_path / name
        root.mkdir()
        rows = []
        for number, emotion in enumerate(("angry", "sad", "neutral")):
            for speaker in range(n_speakers):
                for take in range(n_takes):
                    file = f"{emotion}_{speaker}_{take}.wav"
                    sound = tone(200 * (number + 1) + 7 * take, 0.2 + 0.01 * take, 0.2 + 0.1 * speaker)
                    soundfile.write(root / file, sound, 16_000)
                    rows.append((file, emotion, f"s{speaker}", "female" if speaker % 2 else "male"))
        table = pd.DataFrame(rows, columns=["file_name", "emotion", "speaker", "gender"])
        table.to_csv(root / "metadata.csv", index=False)
        return root

    return make


@pytest.fixture
def mine(cache: Cache, make_folder: Callable[..., Path]) -> Located:
    return catalogue.add(cache, "folder", make_folder(), name="mine")[0]
