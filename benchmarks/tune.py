"""Fine-tuning a model of wav2vec 2.0's base size: seconds of an epoch, memory, and the share of the machine in use.

    python benchmarks/tune.py [--data ../shared/data/ravdess] [--clips 1440] [--device auto] [--models partial,lora]

The weights are random, of the size and shape of facebook/wav2vec2-base: time does not depend on their values. A row is
one epoch over 80 % of RAVDESS, by the steps of one epoch (on a processor, of a few batches). Operations are counted by
torch for a batch, and set against what the machine reaches in products of large matrices, measured in the same run and
in the same precision.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from ser_core import audio
from ser_core.corpora import KINDS
from ser_core.encoders import Transformer, checkpoints, pooling
from ser_core.encoders.checkpoints import Checkpoint
from ser_core.models import tuning
from ser_core.models.cards import CARDS
from ser_core.models.tuned import TunedModule
from ser_core.splits import Fold

ROOT = Path(__file__).parent.parent
SIDE = {"cuda": 8192, "cpu": 2048}
FEW = 4
"""Batches on a processor."""


def peak(device: str, precision: str) -> float:
    """Operations a second in products of large matrices."""
    kind = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    a = torch.randn(SIDE[device], SIDE[device], device=device, dtype=kind)
    best = 0.0
    for _ in range(8):
        started = time.perf_counter()
        a @ a
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * SIDE[device] ** 3 / (time.perf_counter() - started))
    return best


def operations(model: str, found: Checkpoint, signals: list[np.ndarray]) -> float:
    """Count those of one step over these clips, way back included."""
    card = CARDS[model]
    module = TunedModule(checkpoints.load_anew(found), model, tuning=card.tuning, layer=12, n_classes=8).train()
    with torch.no_grad():
        frames = pooling.frames(module.encoder, found, signals)
    with FlopCounterMode(display=False) as counter:
        module(frames).logsumexp(1).sum().backward()
    return counter.get_total_flops()


def epoch(model: str, found: Checkpoint, signals: list[np.ndarray], device: str) -> dict[str, Any]:
    """Time one epoch, as far as it goes."""
    card = CARDS[model]
    assert card.training
    _, precision = tuning.hardware(device, "auto")
    most = len(signals) if device == "cuda" else FEW * card.training.batch_size
    n = min(most, len(signals) - 8)
    rows = np.arange(len(signals))
    times: list[float] = []
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    tuning.fit(
        card, signals, rows % 8, fold=Fold(rows[:n], rows[-4:], rows[-8:-4]), found=found,
        training=replace(card.training, epochs=1), tuning=card.tuning, classes=tuple("abcdefgh"), layer=12, seed=0,
        device=device, stepped=lambda *_: times.append(time.perf_counter()),
    )  # fmt: skip
    steps = np.diff(times)[1:]
    batch = card.training.batch_size
    per_clip = float(np.mean(steps)) / batch
    some = signals[:batch]
    rate = operations(model, found, some) / batch / per_clip
    return {
        "model": model,
        "batch": batch,
        "precision": precision,
        "clips a second": 1 / per_clip,
        "epoch, s": per_clip * 0.8 * 1440,
        "memory, GB": torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else "",
        "share": rate / peak(device, precision),
    }


def embedded(found: Checkpoint, signals: list[np.ndarray], device: str) -> None:
    encoder = Transformer(str(found.folder))
    some = signals[:8]
    encoder.encode(some, device=device)
    started = time.perf_counter()
    n = len(signals) if device == "cuda" else 24
    for start in range(0, n, 8):
        encoder.encode(signals[start : start + 8], device=device)
    seconds = time.perf_counter() - started
    model = checkpoints.load_anew(found)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        pooling.pool_clips(model, found, some)
    rate = counter.get_total_flops() / len(some) * n / seconds
    share = rate / peak(device, "float32")
    print(f"embedding, float32: {n / seconds:.1f} clips a second, {100 * share:.0f} % of the measured float32 rate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "ravdess")
    parser.add_argument("--clips", type=int, default=1440)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--models", default="partial,last-layers,lora")
    asked = parser.parse_args()
    device, _ = tuning.hardware(asked.device, "auto")
    files = KINDS["ravdess"].clips(asked.data)["file"][: asked.clips if device == "cuda" else 120]
    signals = [audio.read(asked.data / file, 16_000) for file in files]
    seconds = np.mean([len(one) / 16_000 for one in signals])
    print(f"{len(signals)} clips of {seconds:.1f} s, {device}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()).save_pretrained(folder)
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
        found = checkpoints.find(folder, None)
        embedded(found, signals, device)
        rows = [epoch(model, found, signals, device) for model in asked.models.split(",")]
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        print("| " + " | ".join(f"{one:.3g}" if isinstance(one, float) else str(one) for one in row.values()) + " |")


if __name__ == "__main__":
    main()
