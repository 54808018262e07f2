"""The papers' benchmark on synthetic speech: a few epochs of every kind of network, then nothing is trained twice."""

import argparse
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ser_core import catalogue, runs
from ser_core.cache import Cache
from ser_core.corpora import demo

pytest.importorskip("espeakng_loader")

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "papers.py"
ROWS = ["svm, eGeMAPS", "ridge", "mlp", "mlp, other features", "cnn4, smoothed", "cnn_mlp, slower"]
SHARED = "cnn_transformer"
"""Not trained on unseen speakers."""
TOGETHER = "all of: ridge + mlp, other features + cnn4, smoothed"


def table(cache: Cache) -> list[list[str]]:
    asked = ["--corpus", "demo-german", "--cache", str(cache.root), "--seeds", "1", "--epochs", "1"]
    asked += ["--rows", ";".join([*ROWS, SHARED])]
    said = subprocess.run([sys.executable, str(BENCHMARK), *asked], capture_output=True, text=True, check=True)
    lines = [line.strip("| ").split(" | ") for line in said.stdout.splitlines() if line.startswith("| ")]
    return lines[1:]


def test_a_row_is_trained_as_it_says() -> None:
    papers = runpy.run_path(str(BENCHMARK))
    (row,) = (one for one in papers["ROWS"] if one.name == "cnn_mlp, slower")
    asked = argparse.Namespace(corpus="ravdess", splits="random,speaker", seeds=2, epochs=None)
    plans = list(row.plans(asked))
    assert [(one.split, one.seed) for one in plans] == [("random", 0), ("random", 1), ("speaker", 0)]
    assert {(one.model, one.epochs, one.learning_rate, one.one_cycle) for one in plans} == {("cnn_mlp", 16, 1e-4, True)}
    asked.epochs = 1
    assert {one.epochs for one in row.plans(asked)} == {1}


@pytest.mark.slow
def test_every_row_is_trained_on_both_splits_and_kept(cache: Cache) -> None:
    root = cache.root / "demo" / "german"
    demo.make("german", root, seed=7)
    for file in (root / "wav").glob("??b*.wav"):  # two of the four sentences are enough
        file.unlink()
    catalogue.add(cache, "demo-german", root)
    started = time.monotonic()
    first = table(cache)
    took = time.monotonic() - started
    assert [row[0] for row in first] == [*ROWS, SHARED, TOGETHER]
    kept = runs.ls(cache)
    assert len(kept) == 2 * len(ROWS) + 1 + 1
    assert all(run.finished for run in kept)
    for run in kept:
        assert run.evaluation.speaker_independent == (run.split == "speaker")
        assert len(run.evaluation.truth) == (140 if run.split == "speaker" else len(run.tested))
    started = time.monotonic()
    assert table(cache) == first
    assert time.monotonic() - started < took / 3  # libraries are loaded, tables are read
