"""``ser compare``: two encoders, or two layers, side by side on the same clips."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ser_core import catalogue
from ser_core.analyses import AnalysisError
from ser_core.cache import Cache
from ser_core.cli import choices
from ser_core.cli.choices import Corpora
from ser_core.cli.terminal import (
    CacheOption,
    JsonOption,
    command,
    job,
    print_json,
    print_table,
    span,
    where,
)
from ser_core.maps import SEED, View

if TYPE_CHECKING:
    from ser_core.between import Pair
    from ser_core.embeddings import Embeddings
    from ser_core.layers import Layers

SAYS: Final = {
    "silhouette": "silhouette, all dimensions",
    "between_within": "scatter between emotions / within them",
    "recall": "emotion by ten clips of other speakers (UAR)",
    "correlation": "circular correlation with Russell",
    "order_agreement": "order agreement with Russell",
}
SIDES: Final = ("a", "b")

app = typer.Typer()


@command(app, "compare")
def compare(
    corpora: Corpora,
    a: Annotated[str, typer.Argument(help="What they are embedded with: a name, or a key of `ser cache ls`.")],
    b: Annotated[str, typer.Argument(help="Another encoder, or the same for another layer of it.")],
    layer_a: Annotated[int, typer.Option(help="Of A; negative counts from the last.")] = -1,
    layer_b: Annotated[int, typer.Option(help="Of B.")] = -1,
    layers: Annotated[bool, typer.Option("--layers", help="Go through all layers of both as well.")] = False,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two encoders on the same clips: emotions in each, shared neighbours, CKA, one map laid on the other."""
    from ser_core import between

    kept, names = where(cache), catalogue.split(corpora)
    (first, store_a), (second, store_b) = (choices.opened(kept, names, one) for one in (a, b))
    dims = min(3, first.vectors.shape[2], second.vectors.shape[2])
    every = (first, layer_a), (second, layer_b)
    views = [choices.view(one, layer, "pca", dims, None, SEED) for one, layer in every]
    found = between.pair(first, second)
    summary: dict[str, Any] = {"corpora": names} | _both(kept, names, found, views)
    summary |= {"map": _laid(kept, (first, second), found, views)}
    if layers:
        from ser_core import layers as walk

        with job(kept, walk.job(names, store_a.key, store_b.key), choices.title("Layers", names)) as report:
            summary["layers"] = _layers(walk.compare(found, cache=kept, progress=report))
    print_json(summary) if as_json else _show(summary)


def _both(kept: Cache, names: list[str], found: "Pair", views: list[View]) -> dict[str, Any]:
    """Return the numbers of each side, and those between the two."""
    from ser_core import between

    kinds = [catalogue.get(kept, name).kind for name in names]
    out: dict[str, Any] = {"n_clips": len(found.rows_a), "only_a": found.only_a, "only_b": found.only_b}
    for side, one, view in zip(SIDES, (found.a, found.b), views, strict=True):
        out[side] = {
            "encoder": one.recipe["name"],
            "layer": view.layer,
            "layer_name": one.layers[view.layer],
            "scaling": view.scaling,
            "n_dimensions": one.vectors.shape[2],
            "knew_the_clips": between.knows(one, kinds, cache=kept),
        }
        try:
            out[side] |= asdict(between.portrait(one, view.layer)) | {"refused": None}
        except AnalysisError as error:  # without emotions the two can still be compared
            out[side]["refused"] = str(error)
    return out | between.summary(between.between(found, (views[0].layer, views[1].layer)))


def _laid(kept: Cache, both: "tuple[Embeddings, Embeddings]", found: "Pair", views: list[View]) -> dict[str, Any]:
    from ser_core import between

    drawn = [choices.drawn(kept, one, view) for one, view in zip(both, views, strict=True)]
    fit = between.laid(found, *drawn)
    return {
        "n_components": views[0].n_components,
        "disparity": fit.disparity,
        "mirrored": fit.mirrored,
        "scale": fit.scale,
        "turn": fit.turn.tolist(),
    }


def _layers(told: "Layers") -> dict[str, Any]:
    curves = {side: {name: one.tolist() for name, one in getattr(told, side).items()} for side in SIDES}
    return curves | {"cka": told.cka.tolist(), "n_cka": told.n_cka}


def _show(summary: dict[str, Any]) -> None:
    a, b = (summary[side] for side in SIDES)
    typer.echo(
        f"{summary['n_clips']} clips that both have ({summary['only_a']} are A's alone, {summary['only_b']} B's)"
    )
    for letter, side in (("A", a), ("B", b)):
        typer.echo(f"{letter}: {side['encoder']}, layer {side['layer_name']}, {side['n_dimensions']} values")
        for why in (side["knew_the_clips"], side["refused"]):
            if why:
                typer.echo(f"   {why}")
    if not a["refused"]:
        rows = [(words, *(part for side in (a, b) for part in _cells(side[name]))) for name, words in SAYS.items()]
        print_table("", "A", "95 %", "B", "95 %", rows=rows)
    near, cka, laid = (summary[name] for name in ("neighbours", "cka", "map"))
    ends = f" (95 % {span(near['shared_95'], digits=3)}, resampling speakers)" if near["shared_95"] else ""
    typer.echo(f"shared of the {near['k']} nearest clips: {near['shared']:.3f}{ends}; by chance {near['chance']:.3f}")
    typer.echo(f"CKA, debiased: {cka['debiased']:.3f} (plain {cka['plain']:.3f}), {cka['n_clips']} clips")
    how = "turned and mirrored" if laid["mirrored"] else "turned, not mirrored"
    typer.echo(f"B's map in {laid['n_components']}-D on A's: {how}; misses {laid['disparity']:.3f} of its scatter")
    if "layers" in summary:
        _show_layers(summary["layers"])


def _cells(value: Any) -> tuple[str, str]:
    if isinstance(value, float):
        return _digits(value), "-"
    return _digits(value["value"]), span((value["low"], value["high"]), digits=3)


def _digits(value: float) -> str:
    return f"{value:z.3f}" if math.isfinite(value) else "-"


def _show_layers(told: dict[str, Any]) -> None:
    for side in SIDES:
        rows = [(k, *(_digits(one[k][0]) for one in told[side].values())) for k in range(len(told[side]["silhouette"]))]
        print_table(f"layer of {side.upper()}", *told[side], rows=rows)
    rows = [(k, *(_digits(value) for value in line)) for k, line in enumerate(told["cka"])]
    print_table("CKA, A down, B across", *(str(k) for k in range(len(told["cka"][0]))), rows=rows)
