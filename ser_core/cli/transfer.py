"""``ser transfer`` and ``ser attribute``: what is learnt from one corpus, on others; and what the features did."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ser_core.cache import Cache
from ser_core.cli import choices
from ser_core.cli.choices import Layer
from ser_core.cli.terminal import CacheOption, JsonOption, cell, command, job, print_json, print_table, span, where

if TYPE_CHECKING:
    from ser_core.attribution import Attribution
    from ser_core.transfer import Question, Transfer

app = typer.Typer()
Learnt = Annotated[str, typer.Argument(help="The corpus to learn from.")]
Onto = Annotated[str, typer.Argument(help="Corpora to try it on, with commas between.")]
Encoder = Annotated[str, typer.Option(help="What all are embedded with: a name, or a key of `ser cache ls`.")]
Emotions = Annotated[str, typer.Option(help="Common names, with commas between.")]
Shared = Annotated[bool, typer.Option("--shared", help="Folds clip by clip, as P4: speakers on both sides.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the autoencoders, and of folds drawn clip by clip.")]
AdaptationOption = Annotated[
    Literal["none", "standardise", "coral"], typer.Option("--adapt", help="How another corpus is brought nearer.")
]
USUAL = "neutral,sadness,happiness,anger"


@command(app, "transfer")
def transfer(
    corpus: Learnt,
    onto: Onto = "",
    encoder: Encoder = "egemaps",
    emotions: Emotions = USUAL,
    layer: Layer = -1,
    shared: Shared = False,
    seed: Seed = 0,
    triads: Annotated[bool, typer.Option("--triads", help="Three of P4's emotions at a time as well.")] = False,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn two numbers per clip, and emotions from them, on one corpus in ten folds; try them on others."""
    from ser_core.transfer import TRIADS

    kept, question = where(cache), _question(emotions, layer, seed, shared=shared)
    asked = {"all": question} | {name: replace(question, emotions=three) for name, three in TRIADS.items() if triads}
    found = _computed(kept, corpus, onto, encoder, asked=asked)
    if as_json:
        print_json({name: _said(one, _n_taught(kept, one)) for name, one in found.items()})
        return
    for one in found.values():
        _show(one)
    if n_taught := _n_taught(kept, found["all"]):
        typer.echo(f"The encoder itself was trained on {n_taught} of the clips that are learnt from.")
    for other in found["all"].others:
        if n_known := found["all"].n_known(other.name):
            typer.echo(f"{n_known} clips of {other.name} are recordings that were learnt from.")


@command(app, "attribute")
def attribute(
    corpus: Learnt,
    onto: Onto = "",
    method: Annotated[Literal["uae", "dae"], typer.Option(help="Whose two numbers are explained.")] = "dae",
    encoder: Encoder = "egemaps",
    emotions: Emotions = USUAL,
    layer: Layer = -1,
    shared: Shared = False,
    seed: Seed = 0,
    adaptation: AdaptationOption = "standardise",
    clip: Annotated[
        str | None, typer.Option(help="One clip's file in the table of the corpus: its own shares.")
    ] = None,
    agree: Annotated[bool, typer.Option("--agree", help="Check with integrated gradients and Shapley values.")] = False,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each feature adds to the two numbers of a clip, by emotion; of the last corpus that is named."""
    from ser_core import attribution, catalogue
    from ser_core.attribution import AttributionError
    from ser_core.transfer import UNSEEN

    kept, question = where(cache), _question(emotions, layer, seed, shared=shared)
    names = [corpus, *(name for name in catalogue.split(onto) if name)]
    if why := attribution.refusal(str(choices.find(kept, names, encoder).recipe["name"]), question):
        raise AttributionError(why)
    found = _computed(kept, corpus, onto, encoder, asked={"all": question})["all"]
    words, place = attribution.names(found), found.others[-1].name if found.others else UNSEEN
    only = None if clip is None else _row(found, place, clip)
    shares = attribution.attribute(found, place, method, adaptation=adaptation, only=only)
    table = attribution.marks(found, shares)
    if clip is not None:  # one clip marks no emotion
        table = table.iloc[:0]
    said: dict[str, Any] = {"corpus": corpus, "where": place, "method": method, "n_clips": len(shares.rows)}
    said |= {"n_folds": shares.n_folds, "marks": table.to_dict("records"), "agreement": None, "clip": None}
    if agree:
        how: dict[str, Any] = {"adaptation": adaptation, "seed": attribution.SEED}
        said["agreement"] = attribution.agreement(found, place, method, **how).to_dict("records")
    if clip is not None:
        said["clip"] = {"file": clip, "difference": shares.difference[0], **_of_clip(shares, words)}
    if as_json:
        print_json(said)
        return
    if clip is None:
        typer.echo(f"{len(shares.rows)} clips of {place} told rightly by {method}, against {shares.n_folds} references")
    else:
        order = abs(shares.shares[0]).max(axis=1).argsort()[::-1][:15]
        rows = [(words[k], *map(cell, (shares.given[0, k], *shares.shares[0, k]))) for k in order.tolist()]
        print_table("measure", "value, SD from the reference", "to number 1", "to number 2", rows=rows)
        return
    rows = [
        (one["emotion"], one["number"] + 1, one["feature"], *_words(one), one["mark"], one["n"])
        for one in said["marks"]
        if one["mark"]
    ]
    print_table("emotion", "number", "feature", "adds, SD", "95 %, speakers", "emotion's", "clips", rows=rows)
    for one in said["agreement"] or ():
        mean, lowest = cell(one["rank_correlation"]), cell(one["lowest"])
        typer.echo(f"{one['way']}, number {one['number'] + 1}: rank correlation {mean} (lowest of a clip {lowest})")


def _question(emotions: str, layer: int, seed: int, *, shared: bool) -> "Question":
    from ser_core.transfer import Question

    named = dict.fromkeys(word.strip() for word in emotions.split(",") if word.strip())
    return Question(tuple(named), layer, shared, seed)


def _computed(
    kept: Cache, corpus: str, onto: str, encoder: str, *, asked: dict[str, "Question"]
) -> dict[str, "Transfer"]:
    """Compute what is not kept yet, as the job that pages watch."""
    from ser_core import catalogue, transferring

    others = [name for name in catalogue.split(onto) if name]
    store = choices.find(kept, [corpus, *others], encoder)
    own, *rest = [choices.load(kept, name, store) for name in (corpus, *others)]
    own.layer(asked["all"].layer)
    layer = asked["all"].layer % len(own.layers)
    asked = {name: replace(question, layer=layer) for name, question in asked.items()}
    arguments = transferring.arguments(corpus, others, store.key, question=asked["all"], triads=len(asked) > 1)
    found: dict[str, Transfer] = {}
    with job(kept, arguments, transferring.title(corpus, others)) as report:
        for name, question in asked.items():
            n = len(found)

            def tell(done: int, total: int, n: int = n) -> None:
                report(n * total + done, len(asked) * total)

            found[name] = transferring.transfer(own, rest, question, cache=kept, progress=tell)
    return found


def _n_taught(kept: Cache, found: "Transfer") -> int | None:
    """Return how many of the clips that are learnt from the encoder itself was trained on."""
    from ser_core import trained

    return trained.n_taught({"name": found.encoder}, found.own.digests, cache=kept)


def _said(found: "Transfer", n_taught: int | None) -> dict[str, Any]:
    """Return all that comes out, as plain values."""
    from ser_core.models.plane import METHODS, PLANES

    out: dict[str, Any] = {
        "corpus": found.own.name,
        "encoder": found.encoder,
        **asdict(found.question),
        "n_folds": found.n_folds,
        "speaker_independent": found.speaker_independent and not n_taught,
        "n_taught": n_taught,
        "n_known": {one.name: found.n_known(one.name) for one in found.others},
        "chance": found.chance,
        "folds": found.folds.to_dict("records"),
        "n_constant": found.n_constant,
        "scores": [],
        "follows": [],
        "turns": [],
    }
    for place, adaptation in found.tried():
        where = {"where": place, "adaptation": adaptation}
        for method in METHODS:
            confusion = found.confusions(place, method, adaptation)
            score = asdict(found.score(place, method, adaptation))
            out["scores"].append({**where, "method": method, **score, "confusion": confusion})
        for method in PLANES:
            goes = {
                name: [asdict(one) for one in ones] for name, ones in found.follows(place, method, adaptation).items()
            }
            out["follows"].append({**where, "method": method, **goes})
            if place in [one.name for one in found.others]:
                degrees = [one.degrees for one in found.turns(place, method, adaptation)]
                undone = {
                    name: asdict(found.undone(place, method, adaptation, turned=turned))
                    for name, turned in (("shifted", False), ("shifted_and_turned", True))
                }
                out["turns"].append({**where, "method": method, "degrees": degrees, **undone})
    return out


def _show(found: "Transfer") -> None:
    from ser_core.models.plane import METHODS

    typer.echo(f"\n{found.own.name}: {', '.join(found.question.emotions)}; chance {found.chance:.2f}")
    shared = "unseen speakers" if found.speaker_independent else "speakers (or recordings) are shared between the parts"
    typer.echo(f"{found.n_folds} folds, {shared}; unweighted average recall, 95 % over folds, 95 % over speakers")
    rows = []
    for place, adaptation in found.tried():
        for method in METHODS:
            one = found.score(place, method, adaptation)
            over = [span((each.low, each.high)) for each in (one.folds, one.speakers)]
            n = (f"{one.n_clips:.0f}", f"{one.n_removed:.0f}")
            rows.append((place, adaptation, method, cell(one.folds.value), *over, *n))
    print_table("where", "adapted", "method", "UAR", "folds", "speakers", "clips", "outliers", rows=rows)


def _words(mark: dict[str, Any]) -> tuple[str, str]:
    return cell(mark["mean"]), span((mark["low"], mark["high"]))


def _row(found: "Transfer", place: str, file: str) -> Any:
    from ser_core.attribution import AttributionError

    rows = (found.landed(place).clips["file"] == file).to_numpy().nonzero()[0]
    if not len(rows):
        raise AttributionError(
            f"{found.landed(place).name} has no clip {file!r} of {', '.join(found.question.emotions)}: choose one of "
            "its table"
        )
    return rows


def _of_clip(shares: "Attribution", words: Sequence[str]) -> dict[str, Any]:
    return {"measures": list(words), "given": shares.given[0], "shares": shares.shares[0]}
