"""How fast clips become vectors: ours beside the plain loop that one writes by hand, in one run.

    python benchmarks/embed.py [--data ../shared/data] [--clips 1440]

Every part runs in a process of its own, the two sides in turn, so that a busy machine slows both; compare the ratios
and not the seconds. Ours includes hashing the files, writing the cache and reading it back.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ser_core import audio, embeddings
from ser_core.cache import Cache
from ser_core.corpora import KINDS
from ser_core.encoders import encoder
from ser_core.encoders.transformer import Transformer

ROUNDS = 3


@dataclass(frozen=True)
class Some:
    """The first clips of RAVDESS in a fixed random order, as a corpus."""

    root: Path
    n: int
    name: str = "some"

    def clips(self) -> pd.DataFrame:
        every = KINDS["ravdess"].clips(self.root)
        return every.sample(min(self.n, len(every)), random_state=0).reset_index(drop=True)

    def files(self) -> list[Path]:
        return [self.root / file for file in self.clips()["file"]]


def opensmile_plain(source: Some, _folder: Path) -> float:
    import opensmile
    import soundfile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    files = source.files()
    start = time.perf_counter()
    rows = []
    for file in files:
        signal, rate = soundfile.read(file, dtype="float32")
        rows.append(smile.process_signal(signal, rate).to_numpy()[0])
    np.stack(rows)
    return time.perf_counter() - start


def opensmile_ours(source: Some, _folder: Path) -> float:
    egemaps = encoder("egemaps")
    egemaps.encode([audio.read(source.files()[0])])  # the plain side starts openSMILE before the clock, too
    with tempfile.TemporaryDirectory() as empty:
        start = time.perf_counter()
        embeddings.embed(source, egemaps, cache=Cache(Path(empty)), workers=os.cpu_count() or 1)
        return time.perf_counter() - start


def network_plain(source: Some, folder: Path) -> float:
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    extract = AutoFeatureExtractor.from_pretrained(folder)
    files = source.files()
    start = time.perf_counter()
    rows = []
    with torch.no_grad():
        for file in files:
            inputs = extract(audio.read(file), sampling_rate=16_000, return_tensors="pt")
            states = model(**inputs, output_hidden_states=True).hidden_states
            rows.append(torch.stack([state.mean(dim=1)[0] for state in states]).numpy())
    np.stack(rows)
    return time.perf_counter() - start


def network_ours(source: Some, folder: Path) -> float:
    ours = Transformer(str(folder))
    ours.encode([audio.read(source.files()[0])])  # the plain side loads its model before the clock starts, too
    with tempfile.TemporaryDirectory() as empty:
        start = time.perf_counter()
        embeddings.embed(source, ours, cache=Cache(Path(empty)), workers=os.cpu_count() or 1)
        return time.perf_counter() - start


def measured(part: Callable[[Some, Path], float], source: Some, folder: Path, out: multiprocessing.Queue) -> None:
    seconds = part(source, folder)
    out.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def compare(title: str, parts: tuple[Callable, Callable], source: Some, folder: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    seconds, peaks = [0.0, 0.0], [0.0, 0.0]
    for _ in range(ROUNDS):
        for side, part in enumerate(parts):
            out = spawn.Queue()
            child = spawn.Process(target=measured, args=(part, source, folder, out))
            child.start()
            took, peak = out.get()
            child.join()
            seconds[side] += took / ROUNDS
            peaks[side] = max(peaks[side], peak)
    n = len(source.files())
    for name, took, peak in zip(("plain loop", "ours"), seconds, peaks, strict=True):
        print(f"{title:34} {name:11} {took:8.1f} s {n / took:8.1f} clips/s   peak memory {peak:6.0f} MB")
    print(f"{title:34} {'ratio':11} {seconds[0] / seconds[1]:8.2f} x\n")


def warm_open(source: Some, *, n_layers: int, dim: int) -> None:
    with tempfile.TemporaryDirectory() as empty:
        cache = Cache(Path(empty))
        recipe = {"name": "filled", "dim": dim, "layers": [str(n) for n in range(n_layers)], "sampling_rate": 16_000}
        store = cache.vectors(recipe)
        digests = [sha for sha in cache.digests(source.files()) if sha]
        random = np.random.default_rng(0)
        for start in range(0, len(digests), 16):
            vectors = {
                sha: random.normal(size=(n_layers, dim)).astype("float32") for sha in digests[start : start + 16]
            }
            store.write(vectors, {})
        took = []
        for _ in range(5):
            start = time.perf_counter()
            found = embeddings.load(source, store, cache=cache)
            took.append(time.perf_counter() - start)
        size = found.vectors.nbytes / 1e6
        clips = f"{len(found.clips)} clips of {n_layers} x {dim} ({size:.0f} MB)"
        print(f"warm open, {clips}: {np.median(took):.3f} s (median of 5)")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).parent.parent
    options.add_argument("--data", type=Path, default=Path(os.environ.get("SER_DATA", here / ".." / "shared" / "data")))
    options.add_argument("--clips", type=int, default=1440, help="RAVDESS clips for openSMILE")
    chosen = options.parse_args()
    root = (chosen.data / "ravdess").resolve()
    every = Some(root, 1440)
    print(f"{os.cpu_count()} cores, {len(every.files())} RAVDESS clips\n")
    with tempfile.TemporaryDirectory() as folder:
        compare("openSMILE eGeMAPS", (opensmile_plain, opensmile_ours), Some(root, chosen.clips), Path(folder))
        save_random_base(Path(folder))
        title = "wav2vec2-base size, random weights"
        compare(title, (network_plain, network_ours), Some(root, 64), Path(folder))
    for n_layers, dim in ((1, 88), (1, 6373), (13, 768), (25, 1024)):
        warm_open(every, n_layers=n_layers, dim=dim)


def save_random_base(folder: Path) -> None:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    Wav2Vec2Model(Wav2Vec2Config()).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)


if __name__ == "__main__":
    main()
