"""A small cache made by the real pipeline: 60 tones by 4 speakers in 3 emotions, embedded by a toy encoder.

Not a test; tests load it with `runpy`, since they are no package.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from ser_core import catalogue, embeddings
from ser_core.cache import Cache

HOSTILE = "<img src=x onerror=alert(1)> **bold** $x$"
PITCH = {"anger": 320.0, "happiness": 240.0, "sadness": 130.0}
RATE = 16_000


@dataclass(frozen=True)
class Bands:
    """Energy in octaves: two layers of six values."""

    name: str = "bands"
    title: str = "Energy in octaves (6)"
    sampling_rate: int = RATE
    batched: bool = False

    def missing(self) -> str | None:
        return None

    def recipe(self) -> dict[str, object]:
        return {"name": self.name, "dim": 6, "layers": ["log", "root"], "sampling_rate": RATE}

    def encode(self, signals: Sequence[NDArray[np.float32]], *, device: str = "auto") -> NDArray[np.float32]:
        out = []
        for signal in signals:
            power = np.abs(np.fft.rfft(signal)) ** 2 / len(signal)
            hertz = np.fft.rfftfreq(len(signal), 1 / RATE)
            energy = [power[(hertz >= 60 * 2**n) & (hertz < 120 * 2**n)].sum() + 1e-6 for n in range(6)]
            out.append([np.log(energy), np.sqrt(energy)])
        return np.array(out, np.float32)


def make(folder: Path, *, name: str = "tones", n_takes: int = 5) -> Path:
    """Write recordings, add them as a corpus, embed them; return the cache folder."""
    sounds, cache = folder / name, Cache(folder / "cache")
    sounds.mkdir(parents=True)
    random = np.random.default_rng(7)
    rows = []
    for emotion, pitch in PITCH.items():
        for speaker in ("ada", "ben", "cleo", "dan"):
            for take in range(n_takes):
                file = f"{speaker}_{emotion}_{take}.wav"
                soundfile.write(sounds / file, _tone(pitch, random), RATE, subtype="PCM_16")
                rows.append(_row(file, emotion, speaker, take))
    pd.DataFrame(rows).to_csv(sounds / "metadata.csv", index=False)
    located, _ = catalogue.add(cache, "folder", sounds, name=name)
    embeddings.embed(located, Bands(), cache=cache)
    return cache.root


def corpus(folder: Path, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Add the tones of `make` once more under another name, with another table, embedded."""
    other = folder / name
    other.mkdir()
    table = change(pd.read_csv(folder / "tones" / "metadata.csv"))
    for file in table["file_name"]:
        (other / file).write_bytes((folder / "tones" / file).read_bytes())
    table.to_csv(other / "metadata.csv", index=False)
    cache = Cache(folder / "cache")
    located, _ = catalogue.add(cache, "folder", other)
    embeddings.embed(located, Bands(), cache=cache)


def _tone(pitch: float, random: np.random.Generator) -> NDArray[np.float64]:
    time = np.arange(int(RATE * random.uniform(0.4, 0.8))) / RATE
    f0 = pitch * random.uniform(0.8, 1.25)
    tone = sum(random.uniform(0.2, 1) / n * np.sin(2 * np.pi * f0 * n * time) for n in range(1, 8))
    return random.uniform(0.1, 0.3) * tone + random.normal(0, 0.003, len(time))


def _row(file: str, emotion: str, speaker: str, take: int) -> dict[str, object]:
    return {
        "file_name": file,
        "emotion": emotion,
        "speaker": speaker,
        "gender": {"ada": "female", "cleo": "female"}.get(speaker, "male"),
        "valence": "" if take == 0 else round(0.1 * take, 1),
        "recorded_at": f"2026-03-{take + 1:02d}",
        "note": HOSTILE,
    }
