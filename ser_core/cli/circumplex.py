"""``ser circumplex``: the emotions in circular order beside Russell's, and the learnt way into his plane."""

import math
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from ser_core import catalogue
from ser_core.analyses import AnalysisError
from ser_core.cache import Cache
from ser_core.cli import choices
from ser_core.cli.choices import Layer, MapOption, ScalingOption, Seed
from ser_core.cli.terminal import CacheOption, JsonOption, cell, command, job, print_json, print_table, span, where
from ser_core.embeddings import Embeddings
from ser_core.geometry.affect import Method
from ser_core.geometry.circumplex import Alignment
from ser_core.maps import View
from ser_core.store import VectorStore

app = typer.Typer()


@command(app, "circumplex")
def circumplex(
    corpora: Annotated[str | None, typer.Argument(help="A corpus, or several with commas between.")] = None,
    encoder: Annotated[str | None, typer.Argument(help="What they are embedded with.")] = None,
    russell: Annotated[bool, typer.Option("--russell", help="Print Russell's 28 words and nothing else.")] = False,
    learn: Annotated[
        Literal["regression", "procrustes", "none"], typer.Option(help="How to learn valence and arousal.")
    ] = "regression",
    rotation: Annotated[float | None, typer.Option(help="Degrees to turn by (default: as fits Russell best).")] = None,
    mirror: Annotated[bool, typer.Option(help="With --rotation: mirror first.")] = False,
    method: MapOption = "pca",
    layer: Layer = -1,
    scaling: ScalingOption = None,
    seed: Seed = 0,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the emotions in circular order, compare with Russell, and learn the way into his plane."""
    if russell:
        _russell(as_json=as_json)
        return
    if corpora is None or encoder is None:
        raise typer.BadParameter("name a corpus and an encoder, or ask for --russell")
    turned = _alignment(rotation, mirror=mirror)
    kept, names = where(cache), catalogue.split(corpora)
    found, store = choices.opened(kept, names, encoder)
    view = choices.view(found, layer, method, 2, scaling, seed)
    summary = {"corpora": names, "encoder": found.recipe["name"], **asdict(view)}
    summary |= _order(kept, found, view, turned)
    summary |= {"plane": [], "refused": []} if learn == "none" else _planes(kept, names, store, view, learn)
    if summary["order"] is None and not summary["plane"]:
        raise AnalysisError(summary["order_refused"])
    if as_json:
        print_json(summary)
        return
    _show_order(summary, fitted=turned is None)
    _show_planes(summary)


def _alignment(rotation: float | None, *, mirror: bool) -> Alignment | None:
    if rotation is None:
        if mirror:
            raise typer.BadParameter("--mirror goes with --rotation: the best fit mirrors by itself")
        return None
    if not math.isfinite(rotation):
        raise typer.BadParameter(f"--rotation {rotation}: expected degrees, such as 90 or -12.5")
    return Alignment(rotation, mirror)


def _order(kept: Cache, found: Embeddings, view: View, turned: Alignment | None) -> dict[str, Any]:
    """Return the order as plain values; where clips have ratings and no emotions, there is none, and the reason."""
    from ser_core import circle

    try:
        order = circle.order(found, choices.drawn(kept, found, view), alignment=turned)
    except AnalysisError as error:
        return {"order": None, "order_refused": str(error), "circle": []}
    return circle.order_summary(order) | {"order_refused": None}


def _planes(kept: Cache, names: list[str], store: VectorStore, view: View, method: Method) -> dict[str, Any]:
    """Return the planes as plain values, and the corpora that can teach none."""
    from ser_core import analyses, circle

    parts = {name: choices.load(kept, name, store) for name in names}
    how: dict[str, Any] = {"layer": view.layer, "scaling": view.scaling, "method": method}
    try:
        with job(kept, circle.job(names, store.key, **how), choices.title("Plane", names)) as report:
            planes = circle.planes(parts, **how, cache=kept, progress=report)
    except AnalysisError:  # no corpus teaches: the order is told all the same
        reasons = {name: analyses.refusal(analyses.teachers(part)[0], method=method) for name, part in parts.items()}
        if None in reasons.values():
            raise
        return {"plane": [], "refused": [{"corpus": name, "reason": why} for name, why in reasons.items()]}
    refused = [
        {"corpus": name, "reason": why.removeprefix(f"{name} teaches no plane: ")} for name, why in planes.refused
    ]
    return {"plane": [circle.plane_summary(one) for one in planes.parts], "refused": refused}


def _russell(*, as_json: bool) -> None:
    from ser_core.geometry.russell import russell as words

    if as_json:
        print_json({"words": [{k: getattr(one, k) for k in ("word", "angle", "agreement")} for one in words()]})
        return
    rows = [(one.word, f"{one.angle:.1f}", f"{one.agreement:.2f}", f"{one.published:.1f}") for one in words()]
    print_table("word", "angle", "agreement", "published angle", rows=rows)


def _show_order(summary: dict[str, Any], *, fitted: bool) -> None:
    if summary["order"] is None:
        typer.echo(f"No circular order: {summary['order_refused']}")
        return
    rows = [
        (
            one["emotion"],
            cell(one["radius"]),
            f"{one['angle']:.0f}",
            span(one["angle_95"], digits=0),
            cell(one["russell"]),
        )
        for one in summary["circle"]
    ]
    print_table("emotion", "radius", "angle", "95 %", "Russell", rows=rows)
    mirrored = "mirrored (up is down), then " if summary["mirrored"] else "not mirrored, "
    why = "as fits Russell best" if fitted else "as asked"
    typer.echo(f"The map is {mirrored}turned by {summary['rotation']:.1f} degrees counter-clockwise, {why}.")
    typer.echo(_agreement(summary))


def _agreement(summary: dict[str, Any]) -> str:
    parts = []
    for name, words in (("correlation", "circular correlation"), ("order_agreement", "order agreement")):
        if summary[name] is not None:
            parts.append(f"{words} with Russell {summary[name]:.2f} (95 % {span(summary[f'{name}_95'])})")
    for space, words in (("map", "on the map"), ("full", "in all dimensions")):
        test = summary["order_test"][space]
        if test:
            parts.append(
                f"Russell's order {words}: index {test['index']:.2f}, p = {test['p']:.4f}"
                f" ({test['met']} of {test['n_predictions']} predictions, {test['n_orders']} orders)"
            )
    return "\n".join(parts) or "too few emotions with a place on Russell's circle to compare"


def _show_planes(summary: dict[str, Any]) -> None:
    planes = summary["plane"]
    if planes:
        ways = [tuple(one[part] for part in ("from", "to", "checked_on", "n_clips")) for one in planes]
        heads = ("learnt from", "placed", "checked on", "clips")
        pairs = list(zip(ways, planes, strict=True))
        rows = [(*way, axis, *_scores(one[axis])) for way, one in pairs for axis in ("valence", "arousal")]
        print_table(*heads, "axis", "CCC", "95 %", "R2", "95 %", rows=rows)
        print_table(
            *heads, "turned by", "95 %", "not explained by it", rows=[(*way, *_turn(one["turn"])) for way, one in pairs]
        )
        for name, what in {one["from"]: one["learnt_on"] for one in planes}.items():
            typer.echo(f"learnt from {name} on: {what}")
    for one in summary["refused"]:
        typer.echo(f"{one['corpus']} teaches no plane: {one['reason']}")


def _scores(scores: dict[str, Any]) -> tuple[str, ...]:
    return tuple(text for name in ("ccc", "r2") for text in (cell(scores[name]), span(scores[f"{name}_95"])))


def _turn(turn: dict[str, Any] | None) -> tuple[str, str, str]:
    if turn is None:
        return "-", "-", "-"
    return f"{turn['angle']:.0f}°", span(turn["angle_95"], digits=0), f"{100 * turn['residual']:.0f} %"
