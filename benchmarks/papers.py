"""The models of papers P1 and P2, trained anew: the README's table.

    python benchmarks/papers.py [--data ../shared/data] [--cache FOLDER] [--corpus ravdess] [--seeds 3]
                                [--splits random,speaker] [--rows "forest;cnn3, augmented"] [--epochs N] [--at-once N]

Every row is trained on clips divided at random, as the papers do (speakers are shared), with as many seeds as asked
for; then on unseen speakers, with the first seed. There the networks that look at pictures are trained by one recipe
each, that which was best on validation clips: the six folds of the others would take as long again as everything else.
Each training is a run of `ser train`, kept in the cache: stop at any time, and the same command goes on. As many
trainings go on at once as there are processor cores, each on one of them, which is less work than each on all. Minutes
are those of one core for both splits, the mean of the seeds at random.
"""

import argparse
import multiprocessing
import os
import statistics
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_core import catalogue, combining, embeddings, encoders, experiments, runs, scores
from ser_core.cache import Cache
from ser_core.cli.terminal import bar
from ser_core.experiments import Plan
from ser_core.models.cards import CARDS
from ser_core.runs import Run
from ser_core.splits import Split

ROOT = Path(__file__).parent.parent
SPLITS: tuple[Split, ...] = ("random", "speaker")


@dataclass(frozen=True)
class Row:
    """One line of the table: what is trained and how, and the accuracy (%) of the paper on RAVDESS if it has one.

    ``unseen``: trained on unseen speakers, too. ``together``: one of those whose answers are averaged in the last line:
    `ridge`, and of the networks on vectors and of those on pictures the one that is best on validation speakers.
    """

    name: str
    recipe: str
    paper: float | None
    options: tuple[tuple[str, Any], ...] = ()
    unseen: bool = True
    together: bool = False

    def plans(self, asked: argparse.Namespace) -> Iterator[Plan]:
        model = self.name.split(",")[0]
        fewer = {"epochs": asked.epochs} if asked.epochs and CARDS[model].training else {}
        for split in (split for split in SPLITS if split in asked.splits.split(",")):
            for seed in range(asked.seeds if split == "random" else self.unseen):
                yield Plan(model, asked.corpus, split=split, seed=seed, **{**dict(self.options), **fewer})


COLUMNS = ("model", "recipe", "paper, accuracy", "ours, same split", "unseen speakers, UAR", "parameters", "minutes")
AUGMENTED = (("augment", True),)
SMOOTHED = (("label_smoothing", 0.1),)
CYCLE = (("one_cycle", True),)
PARTS = (("encoder", "compare_parts"),)
ROWS = (
    Row("svm, eGeMAPS", "the field's baseline", None, (("encoder", "egemaps"),)),
    Row("svm, ComParE", "linear, C = 0.001", None, (("encoder", "compare_2016"), ("kernel", "linear"), ("c", 1e-3))),
    Row("ridge", "ours, on ComParE in parts", None, together=True),
    Row("forest", "P1's", 62.0),
    Row("forest, other features", "ours: on eGeMAPS", None, (("encoder", "egemaps"),), unseen=False),
    Row("mlp", "P1's", 69.91),
    Row("mlp, other features", "ours: ComParE in parts, smoothed labels", None, PARTS + SMOOTHED, together=True),
    Row("cnn3", "P1's", 75.12, unseen=False),
    Row("cnn3, pretrained", "P1's: layer by layer", 72.81, (("pretrain", "greedy"),), unseen=False),
    Row("cnn3, augmented", "P1's: masks, noise", 52.53, AUGMENTED),
    Row("cnn4", "P1's", 77.88, unseen=False),
    Row("cnn4, augmented", "P1's: masks, noise", 59.45, AUGMENTED, unseen=False),
    Row("cnn4, smoothed", "ours: masks, noise, smoothed labels", None, AUGMENTED + SMOOTHED, together=True),
    Row("cnn5", "P1's", 67.28, unseen=False),
    Row("cnn5, augmented", "P1's: masks, noise", 59.91, AUGMENTED, unseen=False),
    Row("cnn5, one cycle", "ours: one cycle of 15 epochs", None, (("epochs", 15), *CYCLE)),
    Row("cnn_mlp", "P1's", 46.3, unseen=False),
    Row(
        "cnn_mlp, slower",
        "ours: one cycle of 16 epochs to 0.0001",
        None,
        (("learning_rate", 1e-4), ("epochs", 16), *CYCLE),
    ),
    Row("cnn_transformer", "P2's", 71.33, unseen=False),
    Row("cnn_transformer, augmented", "ours: masks, noise", None, AUGMENTED),
)


def embed(plans: Sequence[Plan], cache: Cache) -> None:
    """Compute what the models are given, once for all."""
    cards = [(plan, CARDS[plan.model]) for plan in plans]
    names = {name for plan, card in cards for name in (plan.encoder or card.vectors, card.picture) if name}
    for corpus in {plan.corpus for plan in plans}:
        for name in sorted(names):
            embeddings.embed(catalogue.get(cache, corpus), encoders.encoder(name), cache=cache)


def prepare() -> None:
    """Have a worker train on one core, and end when the benchmark is killed: alone it would train on."""
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


def train(plan: Plan, root: Path) -> str:
    return experiments.train(plan, cache=Cache(root), workers=1).id


def trained(plans: Sequence[Plan], cache: Cache, at_once: int) -> dict[Plan, Run]:
    """Train what is not kept yet: first what has several folds and takes longest, so that no core waits at the end."""
    found: dict[Plan, Run] = {}
    spawn = multiprocessing.get_context("spawn")  # a fork would share OpenMP's threads
    with bar("trainings") as show, ProcessPoolExecutor(at_once, mp_context=spawn, initializer=prepare) as pool:
        several = [plan for plan in plans if plan.split == "speaker"]
        order = [*reversed(several), *(plan for plan in reversed(plans) if plan not in several)]
        asked = {pool.submit(train, plan, cache.root): plan for plan in order}
        show(0, len(asked))
        try:
            for future in as_completed(asked):
                found[asked[future]] = runs.get(cache, future.result())
                show(len(found), len(asked), message=experiments.title(asked[future]))
        except BaseException:  # Ctrl-C, too: what has not begun would else be trained before the pool closes
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def percent(values: list[float]) -> str:
    mean = f"{100 * statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({100 * min(values):.1f} to {100 * max(values):.1f})"


def unseen(run: Run) -> str:
    low, high = run.evaluation.interval(scores.uar)
    return f"{100 * run.evaluation.uar:.1f} ({100 * low:.0f} to {100 * high:.0f})"


def line(row: Row, plans: Sequence[Plan], found: dict[Plan, Run]) -> list[str]:
    of = {split: [found[plan] for plan in plans if plan.split == split] for split in SPLITS}
    random = [run.evaluation.wa for run in of["random"]]
    cells = [row.name, row.recipe, f"{row.paper:.1f}" if row.paper else "", percent(random) if random else ""]
    cells.append(unseen(of["speaker"][0]) if of["speaker"] else "")
    some = next(run for runs_ in of.values() for run in runs_)
    return [*cells, f"{some.n_parameters:,}", f"{minutes(plans, found):.1f}"]


def minutes(plans: Sequence[Plan], found: dict[Plan, Run]) -> float:
    seconds = [[found[plan].seconds for plan in plans if plan.split == split] for split in SPLITS]
    return sum(statistics.mean(some) for some in seconds if some) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--corpus", default="ravdess")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--splits", default=",".join(SPLITS))
    parser.add_argument("--rows", default=";".join(row.name for row in ROWS))
    parser.add_argument("--epochs", type=int, default=None, help="fewer, for a quick look")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    cache = Cache(asked.cache.absolute()) if asked.cache else Cache.default()
    if asked.corpus not in {one.name for one in catalogue.ls(cache)}:
        catalogue.add(cache, asked.corpus, asked.data / asked.corpus)

    named = [row for row in ROWS if row.name in asked.rows.split(";")]
    wanted = {row: plans for row in named if (plans := list(row.plans(asked)))}
    every = [plan for plans in wanted.values() for plan in plans]
    embed(every, cache)
    found = trained(every, cache, asked.at_once)
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for row, plans in wanted.items():
        print("| " + " | ".join(line(row, plans, found)) + " |")
    members = [found[plan] for row in wanted if row.together for plan in wanted[row] if plan.split == "speaker"]
    if len(members) > 1:
        both = combining.combine([run.id for run in members], cache=cache)
        names = " + ".join(row.name for row in wanted if row.together)
        print(f"| all of: {names} | mean of probabilities | | | {unseen(both)} | {both.n_parameters:,} | |")
    total = sum(minutes(plans, found) for plans in wanted.values())
    print(f"\nOne seed of everything: {total:.0f} minutes of one core, {asked.at_once} trainings at once.")


if __name__ == "__main__":
    main()
