"""Paper P4 on the corpora that are here: two numbers per clip, learnt from one corpus and tried on the other.

    python benchmarks/transfer.py [--data ../shared/data] [--cache FOLDER] [--corpora ravdess,emodb] [--shared]

Ten folds of each corpus: undercomplete and denoising autoencoder, the plane of PCA and all 88 values of eGeMAPS, a
linear support vector machine on each; four emotions, then three at a time; what the first number follows; how the plane
is turned. Prints the README's tables, and how long the folds took with and without their references.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ser_core import catalogue, embeddings, encoders, transferring
from ser_core.cache import Cache
from ser_core.cli.terminal import bar
from ser_core.embeddings import Embeddings
from ser_core.geometry.clustered import Estimate
from ser_core.models import plane
from ser_core.models.plane import METHODS, PLANES, Method
from ser_core.transfer import TRIADS, UNSEEN, Question, Transfer

ROOT = Path(__file__).parent.parent
COLUMNS = {"uae": "undercomplete", "dae": "denoising", "pca": "PCA", "features": "88 values"}


def opened(name: str, cache: Cache, data: Path) -> Embeddings:
    if name not in {one.name for one in catalogue.ls(cache)}:
        catalogue.add(cache, name, data / name)
    with bar(f"{name}, egemaps") as show:
        return embeddings.embed(
            catalogue.get(cache, name), encoders.encoder("egemaps"), cache=cache,
            progress=lambda now: show(now.done, now.total),
        )  # fmt: skip


def percent(one: Estimate) -> str:
    return f"{100 * one.value:.1f}" + ("" if np.isnan(one.low) else f" ({100 * one.low:.0f} to {100 * one.high:.0f})")


def signed(one: Estimate) -> str:
    return f"{one.value:+.2f} ({one.low:+.2f} to {one.high:+.2f})"


def line(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |")


def head(*cells: str) -> None:
    line(*cells)
    print("|---" * len(cells) + "|")


def scores(found: list[Transfer]) -> None:
    """Print accuracy by place and method: mean over folds (95 % over folds)."""
    head("learnt from", "tried on", "standardised", *COLUMNS.values())
    for one in found:
        for where, adaptation in one.tried():
            cells = [percent(one.score(where, method, adaptation).folds) for method in METHODS]
            line(one.own.name, where, adaptation, *cells)


def triads(found: dict[str, list[Transfer]]) -> None:
    """Print the same of three emotions at a time, for the denoising autoencoder."""
    head("learnt from", "tried on", *found)
    for number, one in enumerate(next(iter(found.values()))):
        for where in one.places[1:]:
            adaptation = "none" if where == UNSEEN else "standardise"
            cells = [percent(each[number].score(where, "dae", adaptation).folds) for each in found.values()]
            line(one.own.name, where, *cells)


def follows(found: list[Transfer]) -> None:
    """Print what goes with arousal (95 % over speakers), and how the plane is turned."""
    head("learnt from", "tried on", "method", "number 1", "number 2", "turned by", "as it is", "shifted", "and turned")
    for one in found:
        for where in one.places[1:]:
            adaptation = "none" if where == UNSEEN else "standardise"
            for method in PLANES:
                goes = [signed(each) for each in one.follows(where, method, adaptation)["arousal"]]
                line(one.own.name, where, method, *goes, *turning(one, where, method))


def turning(one: Transfer, where: str, method: Method) -> tuple[str, ...]:
    if where == UNSEEN:
        return ("", "", "", "")
    degrees = sorted(each.degrees for each in one.turns(where, method, "standardise"))
    undone = [one.undone(where, method, "standardise", turned=turned) for turned in (False, True)]
    plain = one.score(where, method, "standardise").folds
    return f"{degrees[0]:.0f}° to {degrees[-1]:.0f}°", *(percent(each) for each in (plain, *undone))


def seconds(own: Embeddings, question: Question) -> dict[str, float]:
    """Return how long ten folds take for the autoencoders with their machines, and for the references."""
    part = transferring.chosen(own, question.emotions)
    from ser_core import splits
    from ser_core.geometry import targets

    folds = splits.tenths(part.clips, shared=question.shared, seed=question.seed)
    y = np.array([question.emotions.index(word) for word in part.clips["emotion"]])
    x, affect, out = part.layer(-1), targets.known(part.clips), {}
    for method in METHODS:
        start = time.monotonic()
        for fold in folds:
            scale, kept = plane.typical(x, fold.train)
            z = scale.apply(x).astype(np.float64)
            plane.fit(method, z[kept], y[kept], affect=affect[kept], scale=scale, seed=question.seed)
        out[method] = time.monotonic() - start
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--corpora", default="ravdess,emodb")
    parser.add_argument("--shared", action="store_true", help="folds clip by clip, as P4")
    asked = parser.parse_args()
    cache = Cache(asked.cache.absolute()) if asked.cache else Cache.default()
    names = asked.corpora.split(",")
    parts = {name: opened(name, cache, asked.data) for name in names}

    def computed(question: Question) -> list[Transfer]:
        out = []
        for name in names:
            rest = [parts[other] for other in names if other != name]
            with bar(f"learning from {name}: {', '.join(question.emotions)}") as show:
                out.append(transferring.transfer(parts[name], rest, question, cache=cache, progress=show))
        return out

    question = Question(shared=asked.shared)
    four = computed(question)
    print("Unweighted average recall in %, mean over folds (95 % over folds), four emotions:\n")
    scores(four)
    print("\nThree at a time, denoising autoencoder; other corpora standardised by themselves:\n")
    triads({name: computed(replace(question, emotions=three)) for name, three in TRIADS.items()})
    print("\nCorrelation with arousal (95 % over speakers), and turns; other corpora standardised by themselves:\n")
    follows(four)
    took = seconds(parts[names[0]], question)
    both = took["uae"] + took["dae"]
    print(f"\nTen folds of both autoencoders on {names[0]}: {both:.1f} s; of PCA and all values: ", end="")
    print(f"{took['pca'] + took['features']:.1f} s (one core).")


if __name__ == "__main__":
    main()
