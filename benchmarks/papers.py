"""The models of papers P1 and P2, trained anew: the README's table.

    python benchmarks/papers.py [--data ../shared/data] [--cache FOLDER] [--corpus ravdess] [--seeds 3]
                                [--splits random,speaker] [--rows "forest;cnn3, augmented"] [--epochs N]

Every row is trained by the paper's recipe on clips divided at random, as the papers do (speakers are shared), with as
many seeds as asked for; then on unseen speakers, with the first seed. Each training is a run of `ser train`, kept in
the cache: stop at any time, and the same command goes on. Minutes are those of one seed of everything.
"""

import argparse
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ser_core import catalogue, experiments, scores
from ser_core.cache import Cache
from ser_core.cli.terminal import bar
from ser_core.experiments import Plan
from ser_core.models.cards import CARDS
from ser_core.runs import Run

ROOT = Path(__file__).parent.parent
SPLITS = ("random", "speaker")


@dataclass(frozen=True)
class Row:
    """One line of the table: what is trained, and the accuracy (%) of the paper on RAVDESS, None where it has none."""

    name: str
    paper: float | None
    options: dict[str, Any]

    def plan(self, corpus: str, split: str, seed: int) -> Plan:
        return Plan(corpus=corpus, split=split, seed=seed, **{"model": self.name, **self.options})


ROWS = (
    Row("forest", 62.0, {}),
    Row("mlp", 69.91, {}),
    Row("cnn3", 75.12, {}),
    Row("cnn4", 77.88, {}),
    Row("cnn5", 67.28, {}),
    Row("cnn3, augmented", 52.53, {"model": "cnn3", "augment": True}),
    Row("cnn4, augmented", 59.45, {"model": "cnn4", "augment": True}),
    Row("cnn5, augmented", 59.91, {"model": "cnn5", "augment": True}),
    Row("cnn3, pretrained", 72.81, {"model": "cnn3", "pretrain": "greedy"}),
    Row("cnn_mlp", 46.3, {}),
    Row("cnn_transformer", 71.33, {}),
    Row("svm, eGeMAPS", None, {"model": "svm", "encoder": "egemaps"}),
    Row("svm, ComParE", None, {"model": "svm", "encoder": "compare_2016", "kernel": "linear", "c": 1e-3}),
)


def trained(plan: Plan, cache: Cache) -> Run:
    with bar(experiments.title(plan)) as show:

        def report(done: int, total: int, **_: object) -> None:
            show(done, total)

        return experiments.train(plan, cache=cache, progress=report)


def percent(values: list[float]) -> str:
    mean = f"{100 * statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({100 * min(values):.1f} to {100 * max(values):.1f})"


def unseen(run: Run) -> str:
    low, high = run.evaluation.interval(scores.uar)
    return f"{100 * run.evaluation.uar:.1f} ({100 * low:.0f} to {100 * high:.0f})"


def line(row: Row, runs: dict[str, list[Run]]) -> list[str]:
    random = [run.evaluation.wa for run in runs["random"]]
    cells = [row.name, f"{row.paper:.1f}" if row.paper else "", percent(random) if random else ""]
    cells.append(unseen(runs["speaker"][0]) if runs["speaker"] else "")
    minutes = sum(of_split[0].seconds for of_split in runs.values() if of_split) / 60
    some = next(run for of_split in runs.values() for run in of_split)
    return [*cells, f"{some.n_parameters:,}", f"{minutes:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--corpus", default="ravdess")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--splits", default=",".join(SPLITS))
    parser.add_argument("--rows", default=";".join(row.name for row in ROWS))
    parser.add_argument("--epochs", type=int, default=None, help="fewer, for a quick look")
    asked = parser.parse_args()
    cache = Cache(asked.cache.absolute()) if asked.cache else Cache.default()
    if asked.corpus not in {one.name for one in catalogue.ls(cache)}:
        catalogue.add(cache, asked.corpus, asked.data / asked.corpus)
    print("| model | paper, accuracy | ours, same split: accuracy | unseen speakers: UAR | parameters | minutes |")
    print("|---|---|---|---|---|---|")
    total = 0.0
    for row in ROWS:
        if row.name not in asked.rows.split(";"):
            continue
        runs: dict[str, list[Run]] = {split: [] for split in SPLITS}
        for split in asked.splits.split(","):
            for seed in range(asked.seeds if split == "random" else 1):
                plan = row.plan(asked.corpus, split, seed)
                few = asked.epochs if CARDS[plan.model].training else None
                runs[split].append(trained(replace(plan, epochs=few), cache))
        cells = line(row, runs)
        total += float(cells[-1])
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\nOne seed of everything: {total:.0f} minutes.")


if __name__ == "__main__":
    main()
