"""What two real corpora say about the circle of emotions, as tables for the README.

    python benchmarks/circumplex.py [--data ../shared/data] [--cache FOLDER] [--encoders egemaps,compare_2016]

EmoDB and RAVDESS in one encoder's space: the circular order beside Russell's, P0's three Mahalanobis distances, and the
plane of valence and arousal checked on unseen speakers, unseen emotions and the other corpus. What is in the cache is
not computed again; ``compare_2016`` takes some minutes the first time.
"""

import argparse
import tempfile
import time
from pathlib import Path

from ser_core import analyses, catalogue, circle, embeddings, maps
from ser_core.analyses import Question
from ser_core.cache import Cache
from ser_core.embeddings import Embeddings
from ser_core.encoders import encoder

CORPORA = ("emodb", "ravdess")
TRIPLE = (("anger", "boredom"), ("sadness", "boredom"), ("anger", "fear"))


def table(heads: list[str], rows: list[list[str]]) -> None:
    print("\n| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def span(pair: tuple[float, float] | list[float] | None, digits: int = 2) -> str:
    return "" if pair is None else f"{pair[0]:.{digits}f} to {pair[1]:.{digits}f}"


def view(found: Embeddings) -> maps.View:
    return maps.view(found, layer=-1, method="pca", n_components=2, scaling=None, seed=maps.SEED)


def orders(parts: dict[str, dict[str, Embeddings]], cache: Cache) -> None:
    rows = []
    for name, by_corpus in parts.items():
        for corpus, found in by_corpus.items():
            drawn = maps.draw(found, view(found), cache=cache)
            said = circle.order_summary(circle.order(found, drawn, alignment=None))
            tests = [said["order_test"][space] for space in ("map", "full")]
            shown = [f"{test['index']:.2f}, p = {test['p']:.3f}" if test else "" for test in tests]
            agreement = f"{said['order_agreement']:.2f} ({span(said['order_agreement_95'])})"
            rows.append([corpus, name, ", ".join(said["order"]), agreement, *shown])
    heads = ["corpus", "encoder", "order on the map (ascending angle)", "order agreement (95 %)"]
    table([*heads, "Russell's order on the map", "in all dimensions"], rows)


def triples(parts: dict[str, dict[str, Embeddings]], cache: Cache) -> None:
    rows = []
    for name, by_corpus in parts.items():
        found = by_corpus["emodb"]
        clips, kept = analyses.named(found)
        flat = view(found)
        for space in ("map", "full"):
            question = Question(flat, space, "pooled", shrink=True)
            x = analyses.coordinates(clips, question, maps.draw(found, flat, cache=cache))
            x = x[kept] if space == "map" else x
            measured = analyses.distances(clips, question, x=x)
            between = analyses.resampled(clips, question, x=x, cache=cache)
            cells = []
            for pair in TRIPLE:
                a, b = (measured.names.index(emotion) for emotion in pair)
                low, high = between.low[a, b], between.high[a, b]
                cells.append(f"{measured.between[a, b]:.2f} ({low:.2f} to {high:.2f})")
            rows.append(["emodb", name, "all dimensions" if space == "full" else "map (2-D)", *cells])
    table(["corpus", "encoder", "measured in", *(" to ".join(pair) for pair in TRIPLE)], rows)


def planes(parts: dict[str, dict[str, Embeddings]], cache: Cache) -> None:
    rows = []
    for name, by_corpus in parts.items():
        start = time.perf_counter()
        options = {"layer": 0, "scaling": "standard", "method": "regression", "cache": cache}
        for plane in circle.planes(by_corpus, **options).parts:
            said = circle.plane_summary(plane)
            scores = [
                f"{said[axis][measure]:.2f} ({span(said[axis][f'{measure}_95'])})"
                for axis in circle.AXES
                for measure in ("ccc", "r2")
            ]
            turn = f"{plane.turn.angle:.0f}° ({span(plane.turn.angle_95, 0)})" if plane.turn else ""
            rows.append([name, plane.source, plane.target, plane.check, *scores, turn])
        print(f"# {name}: {time.perf_counter() - start:.1f} s")
    heads = ["encoder", "learnt from", "placed", "checked on", "valence CCC", "valence R²", "arousal CCC", "arousal R²"]
    table([*heads, "turned from Russell"], rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path(__file__).parent.parent.parent / "shared" / "data")
    options.add_argument("--cache", type=Path, help="default: a new folder, dropped at the end")
    options.add_argument("--encoders", default="egemaps,compare_2016")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(given.cache or Path(folder))
        parts: dict[str, dict[str, Embeddings]] = {}
        for corpus in CORPORA:
            located, _ = catalogue.add(cache, corpus, given.data / corpus)
            for name in given.encoders.split(","):
                parts.setdefault(name, {})[corpus] = embeddings.embed(located, encoder(name), cache=cache)
        orders(parts, cache)
        triples(parts, cache)
        planes(parts, cache)


if __name__ == "__main__":
    main()
