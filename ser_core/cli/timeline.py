"""``ser timeline``: one person's dated clips on Russell's plane."""

from typing import Annotated, Any

import numpy as np
import typer

from ser_core.analyses import Learnt
from ser_core.cli import choices
from ser_core.cli.choices import EncoderName, Layer, ScalingOption
from ser_core.cli.terminal import CacheOption, JsonOption, cell, command, print_json, print_table, span, where
from ser_core.geometry.affect import Method
from ser_core.timeline import Period, Timeline

app = typer.Typer()


@command(app, "timeline")
def timeline(
    corpus: Annotated[str, typer.Argument(help="A corpus with dated clips.")],
    encoder: EncoderName,
    learn_from: Annotated[str, typer.Option(help="The corpus that the plane is learnt from.")],
    person: Annotated[str | None, typer.Option(help="Whose clips (default: the one with most).")] = None,
    period: Annotated[Period, typer.Option()] = "day",
    learn: Annotated[Method, typer.Option(help="How to learn valence and arousal.")] = "regression",
    layer: Layer = -1,
    scaling: ScalingOption = None,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow one person's dated clips over Russell's plane. This is no diagnosis."""
    from ser_core import timeline as diary

    kept = where(cache)
    store = choices.find(kept, [corpus, learn_from], encoder)
    dated, source = choices.load(kept, corpus, store), choices.load(kept, learn_from, store)
    plane = choices.learnt(kept, learn_from, source, layer=layer, scaling=scaling, method=learn)
    points = plane.map.place(dated.layer(layer).astype(np.float64))
    result, dates = diary.of(dated, points, person=person, period=period)
    summary = {
        "corpus": corpus,
        "person": result.person,
        "period": period,
        "dates": dates,
        "n_clips": result.whole.n_clips,
        "n_undated": result.n_undated,
        "learnt_from": learn_from,
        "encoder": source.recipe["name"],
        "plane": _plane(plane),
        "statement": diary.STATEMENT,
        "spans": [{str(k): _scalar(v) for k, v in row.items()} for row in diary.table(result).to_dict("records")],
    }
    print_json(summary) if as_json else _show(summary, result)


def _plane(plane: Learnt) -> dict[str, Any]:
    """Return how well the plane does, as plain values."""
    from ser_core import analyses, circle
    from ser_core.geometry.placement import ccc

    seen = plane.unseen_speakers
    scores = {
        name: {"ccc": seen.score(axis, ccc), "ccc_95": seen.interval(axis, ccc, seed=analyses.SEED)}
        for axis, name in enumerate(circle.AXES)
    }
    return {"learnt_on": plane.targets.scale, "checked_on": "unseen speakers", **scores}


def _show(summary: dict[str, Any], result: Timeline) -> None:
    from ser_core.timeline import QUADRANTS

    undated = f", {result.n_undated} without a date left out" if result.n_undated else ""
    typer.echo(f"{result.person}: {result.whole.n_clips} clips, dated by {summary['dates']}{undated}")
    plane = summary["plane"]
    typer.echo(f"plane learnt from {summary['learnt_from']} on: {plane['learnt_on']}")
    scores = (
        f"{axis} {cell(plane[axis]['ccc'])} (95 % {span(plane[axis]['ccc_95'])})" for axis in ("valence", "arousal")
    )
    typer.echo(f"CCC on {plane['checked_on']}: {', '.join(scores)}")
    rows = [
        (
            *(f"{one.start:%Y-%m-%d}", one.n_clips, *(cell(float(value)) for value in one.centre)),
            cell(one.intensity) + (f" ({span(one.intensity_95)})" if one.intensity_95 else ""),
            *(cell(one.dispersion), *(f"{share:.0%}" for share in one.quadrants)),
        )
        for one in result.spans
    ]
    quarters = (name.replace(", ", "\n") for name in QUADRANTS)
    print_table(
        "week of" if result.period == "week" else "day",
        "clips",
        "valence",
        "arousal",
        "intensity (95 %)",
        "dispersion",
        *quarters,
        rows=rows,
    )
    typer.echo(summary["statement"])


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
