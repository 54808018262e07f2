"""Two small corpora whose vectors are planted: what goes with arousal and with valence is known; not a test."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from ser_core import catalogue, embeddings, encoders
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings

RATE = 16_000
AFFECT = {"neutral": (0.0, 0.0), "sadness": (-1.0, -0.6), "happiness": (1.0, 0.6), "anger": (-0.3, 1.2)}
"""Valence and arousal that are planted."""
ROUSED, PLEASED = slice(10, 20), slice(0, 6)
"""Values that rise with arousal (loudness) and with valence (pitch)."""
TAKES = 4


def planted(rows: pd.DataFrame, *, seed: int, shift: float = 0.0) -> NDArray[np.float32]:
    """Return vectors (n, 88) of clips by their emotion and speaker."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(len(rows), 88))
    valence, arousal = np.array([AFFECT[word] for word in rows["emotion"]]).T
    x[:, ROUSED] += 3 * arousal[:, None]
    x[:, PLEASED] += 2 * valence[:, None]
    voices = {name: random.normal(size=88) * 0.5 for name in sorted(set(rows["speaker"]))}
    return (x + np.stack([voices[name] for name in rows["speaker"]]) + shift).astype(np.float32)


def clips(n_speakers: int, emotions: tuple[str, ...] = tuple(AFFECT)) -> pd.DataFrame:
    """Return a table of clips: ``file_name``, ``speaker``, ``emotion``."""
    rows = [
        (f"{speaker:02d}_{emotion}_{take}.wav", f"{speaker:02d}", emotion)
        for speaker in range(1, n_speakers + 1)
        for emotion in emotions
        for take in range(TAKES)
    ]
    return pd.DataFrame(rows, columns=["file_name", "speaker", "emotion"])


def add(folder: Path, cache: Cache, name: str, *, n_speakers: int, seed: int, shift: float = 0.0) -> None:
    """Add a corpus of short tones to a cache, embedded with what is planted, under the name of eGeMAPS."""
    sounds, table = folder / name, clips(n_speakers)
    sounds.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for file in table["file_name"]:
        soundfile.write(sounds / file, random.normal(0, 0.1, RATE // 5), RATE, subtype="PCM_16")
    table.to_csv(sounds / "metadata.csv", index=False)
    located, _ = catalogue.add(cache, "folder", sounds, name=name)
    found = located.clips()
    digests = cache.digests([sounds / file for file in found["file"]])
    vectors = planted(found, seed=seed, shift=shift)[:, None]
    store = cache.vectors(embeddings.full_recipe(encoders.encoder("egemaps")))
    store.write({str(sha): one for sha, one in zip(digests, vectors, strict=True)}, {})


def make(folder: Path) -> Cache:
    """Return a cache with two corpora: ``first`` of six speakers, ``second`` of five others with higher values."""
    cache = Cache(folder / "cache")
    add(folder, cache, "first", n_speakers=6, seed=1)
    add(folder, cache, "second", n_speakers=5, seed=2, shift=4.0)
    return cache


def opened(cache: Cache, name: str) -> Embeddings:
    """Return the embeddings of one of them."""
    located = catalogue.get(cache, name)
    return embeddings.load(located, embeddings.find_store([located], "egemaps", cache=cache), cache=cache)


def invented(
    table: pd.DataFrame, x: NDArray[np.float32], *, name: str = "mine", encoder: str = "egemaps"
) -> Embeddings:
    """Return embeddings that lie nowhere, of a table of `clips`."""
    recipe = {"name": encoder, "layers": ["values"], "dim": x.shape[1], "sampling_rate": RATE}
    rows = table.rename(columns={"file_name": "file"}).assign(corpus=name)
    digests = tuple(f"{name}{number:060d}" for number in range(len(rows)))
    none = pd.DataFrame(columns=["corpus", "file", "reason"])
    return Embeddings(x[:, None].copy(), rows, recipe, digests, none)
