"""The commands of affect: ``ser clusters | mahalanobis | circumplex | timeline``."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import numpy as np
import typer

from ser_core import catalogue
from ser_core.analyses import Space
from ser_core.cache import Cache
from ser_core.cli.terminal import CacheOption, JsonOption, bar, command, job, print_json, print_table, where
from ser_core.embeddings import Embeddings
from ser_core.geometry.affect import Method
from ser_core.geometry.density import Shape
from ser_core.geometry.mahalanobis import Covariance
from ser_core.maps import Map, View
from ser_core.store import VectorStore
from ser_core.timeline import Period

app = typer.Typer()
Corpora = Annotated[str, typer.Argument(help="A corpus, or several with commas between.")]
EncoderName = Annotated[str, typer.Argument(help="What they are embedded with: a name, or a key of `ser cache ls`.")]
MapOption = Annotated[Literal["pca", "umap"], typer.Option(help="How the map is drawn.")]
Dimensions = Annotated[int, typer.Option(min=2, max=3, help="Of the map.")]
Layer = Annotated[int, typer.Option(help="Negative counts from the last.")]
ScalingOption = Annotated[Literal["standard", "centre"] | None, typer.Option(help="Default: as suits the encoder.")]
Seed = Annotated[int, typer.Option(help="For umap.")]


@command(app, "clusters")
def clusters(
    corpora: Corpora,
    encoder: EncoderName,
    shape: Annotated[
        Shape, typer.Option(help="Of an emotion's cloud; mixture: several Gaussians, as BIC says.")
    ] = "full",
    method: MapOption = "pca",
    dimensions: Dimensions = 3,
    layer: Layer = -1,
    scaling: ScalingOption = None,
    seed: Seed = 0,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a Gaussian to each emotion on the map, and say how far emotions, and not speakers, make the picture."""
    from ser_core import clusters as analysis

    kept = where(cache)
    found, _ = _open(kept, corpora, encoder)
    view = _view(found, layer, method, dimensions, scaling, seed)
    drawn = _drawn(kept, found, view)
    result = analysis.clusters(found, drawn, shape=shape)
    about = {"corpora": corpora.split(","), "encoder": found.recipe["name"], **asdict(view), "shape": shape}
    summary = about | analysis.summary(result)
    if as_json:
        print_json(summary)
        return
    typer.echo(f"{summary['n_clips']} clips, {summary['n_speakers']} speakers, {shape} Gaussians in {dimensions}-D")
    low, high = summary["silhouette_95"] or (None, None)
    between = f" (95 % {low:.3f} to {high:.3f}, resampling speakers)" if low is not None else ""
    typer.echo(f"silhouette {summary['silhouette']:.3f}{between}; between / within {summary['between_within']:.3f}")
    rows = [
        (one["factor"], one["n_levels"], f"{one['alone']:.3f}", _span(one["alone_95"]), f"{one['unique']:.3f}")
        for one in summary["variance"]
    ]
    print_table("variance explained by", "levels", "alone", "95 %", "beyond the others", rows=rows)
    _matrix("overlap", summary["emotions"], summary["overlap"])
    for name, why in summary["left_out"]:
        typer.echo(f"left out: {name}: {why}")


@command(app, "mahalanobis")
def mahalanobis(
    corpora: Corpora,
    encoder: EncoderName,
    space: Annotated[Space, typer.Option(help="Measure in all dimensions (full) or in the map.")] = "full",
    covariance: Annotated[Covariance, typer.Option(help="One for all emotions, or one each.")] = "pooled",
    shrink: Annotated[bool, typer.Option(help="Ledoit-Wolf shrinkage.")] = True,
    method: MapOption = "pca",
    dimensions: Dimensions = 3,
    layer: Layer = -1,
    scaling: ScalingOption = None,
    seed: Seed = 0,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how far apart the emotions are, with intervals that resample speakers."""
    from ser_core import analyses
    from ser_core.geometry import mahalanobis as distance

    kept = where(cache)
    found, store = _open(kept, corpora, encoder)
    view = _view(found, layer, method, dimensions, scaling, seed)
    question = analyses.Question(view, space, covariance, shrink)
    clips, rows = analyses.named(found)
    x = analyses.coordinates(clips, question, _drawn(kept, found, view) if space == "map" else None)
    x = x[rows] if space == "map" else x
    measured = analyses.distances(clips, question, x=x)
    between = None
    if analyses.several_speakers(clips):
        names = corpora.split(",")
        with job(kept, analyses.mahalanobis_job(names, store.key, question), _title("Distances", names)) as report:
            between = analyses.resampled(clips, question, x=x, cache=kept, progress=report)
    far = distance.outlying(measured, clips.clips["emotion"].to_numpy(str), n=20)
    labels = list(measured.names)
    summary = {
        "corpora": corpora.split(","),
        "encoder": found.recipe["name"],
        **asdict(view),
        "space": space,
        "covariance": covariance,
        "shrink": shrink,
        "shrinkage": measured.shrinkage.tolist(),
        "n_dimensions": measured.dimensions,
        "enough_clips": measured.enough,
        "emotions": labels,
        "n_clips": clips.clips["emotion"].value_counts().reindex(labels).tolist(),
        "n_speakers": clips.clips["speaker"].nunique(),
        "between": measured.between.tolist(),
        "low_95": _plain(between.low) if between else None,
        "high_95": _plain(between.high) if between else None,
        "corrected": _plain(between.corrected) if between else None,
        "outlying": [_outlier(clips, measured, labels, int(row)) for row in far],
    }
    if as_json:
        print_json(summary)
        return
    typer.echo(f"{len(clips.clips)} clips, {summary['n_speakers']} speakers, {measured.dimensions} dimensions")
    if not measured.enough:
        typer.echo(
            f"Careful: {int(measured.n_per_covariance.min())} clips stand behind a covariance of {measured.dimensions}"
            f" dimensions, which wants {measured.dimensions**2} or more; shrinkage {measured.shrinkage.max():.2f}"
        )
    _matrix("distance", labels, summary["between"])
    if between:
        _matrix("95 % from", labels, summary["low_95"])
        _matrix("95 % to", labels, summary["high_95"])
        _matrix("less noise", labels, summary["corrected"])


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
    from ser_core import circle
    from ser_core.geometry.circumplex import Alignment
    from ser_core.geometry.russell import russell as words

    if russell:
        if as_json:
            print_json({"words": [{k: getattr(one, k) for k in ("word", "angle", "agreement")} for one in words()]})
            return
        rows = [(one.word, f"{one.angle:.1f}", f"{one.agreement:.2f}", f"{one.published:.1f}") for one in words()]
        print_table("word", "angle", "agreement", "published angle", rows=rows)
        return
    if corpora is None or encoder is None:
        raise typer.BadParameter("name a corpus and an encoder, or ask for --russell")
    kept = where(cache)
    found, store = _open(kept, corpora, encoder)
    view = _view(found, layer, method, 2, scaling, seed)
    turned = None if rotation is None else Alignment(rotation, mirror)
    order = circle.order(found, _drawn(kept, found, view), alignment=turned)
    names = corpora.split(",")
    summary: dict[str, Any] = {
        "corpora": names,
        "encoder": found.recipe["name"],
        **asdict(view),
        **circle.order_summary(order),
        "plane": [],
    }
    if learn != "none":
        parts = {name: _load(kept, name, store) for name in names}
        arguments = circle.job(names, store.key, layer=view.layer, scaling=view.scaling, method=learn)
        with job(kept, arguments, _title("Plane", names)) as report:
            planes = circle.planes(
                parts, layer=view.layer, scaling=view.scaling, method=learn, cache=kept, progress=report
            )
        summary["plane"] = [circle.plane_summary(one) for one in planes]
    if as_json:
        print_json(summary)
        return
    rows = [
        (
            one["emotion"],
            f"{one['radius']:.2f}",
            f"{one['angle']:.0f}",
            _span(one["angle_95"], 0),
            _cell(one["russell"]),
        )
        for one in summary["circle"]
    ]
    print_table("emotion", "radius", "angle", "95 %", "Russell", rows=rows)
    typer.echo(_agreement(summary))
    rows = [
        (*(one[part] for part in ("from", "to", "checked_on", "n_clips")), axis, *_scores(one[axis]))
        for one in summary["plane"]
        for axis in circle.AXES
    ]
    if rows:
        heads = ("learnt from", "placed", "checked on", "clips", "axis", "CCC", "95 %", "R2", "95 %")
        print_table(*heads, rows=rows)


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
    from ser_core import analyses
    from ser_core import timeline as diary
    from ser_core.analyses import learn as learn_plane
    from ser_core.maps import default_scaling

    kept = where(cache)
    store = _store(kept, [corpus, learn_from], encoder)
    dated, source = _load(kept, corpus, store), _load(kept, learn_from, store)
    teacher, _ = analyses.named(source)
    scale = scaling or default_scaling(source.recipe)
    source.layer(layer)
    level = layer % len(source.layers)
    with bar("learning the plane") as show:
        plane = learn_plane(teacher, layer=level, scaling=scale, method=learn, cache=kept, progress=show)
    result, dates = diary.of(
        dated, plane.map.place(dated.layer(level).astype(np.float64)), person=person, period=period
    )
    table = diary.table(result)
    if as_json:
        print_json(
            {
                "corpus": corpus,
                "person": result.person,
                "period": period,
                "dates": dates,
                "learnt_from": learn_from,
                "encoder": source.recipe["name"],
                "statement": diary.STATEMENT,
                "spans": [{str(k): _scalar(v) for k, v in row.items()} for row in table.to_dict("records")],
            }
        )
        return
    print_table(
        *(str(name) for name in table.columns), rows=[[_cell(v) for v in row] for row in table.to_numpy(object)]
    )
    typer.echo(diary.STATEMENT)


def _store(kept: Cache, names: list[str], encoder: str) -> VectorStore:
    from ser_core import embeddings

    return embeddings.find_store([catalogue.get(kept, name) for name in dict.fromkeys(names)], encoder, cache=kept)


def _load(kept: Cache, name: str, store: VectorStore) -> Embeddings:
    from ser_core import embeddings

    return embeddings.load(catalogue.get(kept, name), store, cache=kept)


def _open(kept: Cache, corpora: str, encoder: str) -> tuple[Embeddings, VectorStore]:
    from ser_core import embeddings

    names = list(dict.fromkeys(corpora.split(",")))
    store = _store(kept, names, encoder)
    return embeddings.join([_load(kept, name, store) for name in names]), store


def _view(found: Embeddings, layer: int, method: str, dimensions: int, scaling: str | None, seed: int) -> View:
    from ser_core import maps

    return maps.view(found, layer=layer, method=method, n_components=dimensions, scaling=scaling, seed=seed)


def _drawn(kept: Cache, found: Embeddings, view: View) -> Map:
    from ser_core import maps

    with bar("the map") as show:
        return maps.draw(found, view, cache=kept, progress=show)


def _title(what: str, names: list[str]) -> str:
    return f"{what} of {', '.join(names)}"


def _outlier(clips: Embeddings, measured: Any, labels: list[str], row: int) -> dict[str, Any]:
    clip = clips.clips.iloc[row]
    own = labels.index(str(clip["emotion"]))
    return {
        "file": str(clip["file"]),
        "emotion": labels[own],
        "speaker": str(clip["speaker"]),
        "distance": float(measured.to_emotion[row, own]),
        "tail": float(measured.tail()[row, own]),
        "nearest": labels[int(np.argmin(measured.to_emotion[row]))],
    }


def _agreement(summary: dict[str, Any]) -> str:
    parts = []
    for name, words in (("correlation", "circular correlation"), ("order_agreement", "order agreement")):
        if summary[name] is not None:
            parts.append(f"{words} with Russell {summary[name]:.2f} (95 % {_span(summary[f'{name}_95'])})")
    for space, words in (("plane", "in the plane"), ("full", "in all dimensions")):
        test = summary["order_test"][space]
        if test:
            parts.append(
                f"Russell's order {words}: index {test['index']:.2f}, p = {test['p']:.4f}"
                f" ({test['met']} of {test['n_predictions']} predictions, {test['n_orders']} orders)"
            )
    return "\n".join(parts) or "too few emotions with a place on Russell's circle to compare"


def _matrix(title: str, names: list[str], values: list[list[float | None]]) -> None:
    rows = [(name, *(_cell(value) for value in row)) for name, row in zip(names, values, strict=True)]
    print_table(title, *names, rows=rows)


def _scores(scores: dict[str, Any]) -> tuple[str, ...]:
    return tuple(text for name in ("ccc", "r2") for text in (_cell(scores[name]), _span(scores[f"{name}_95"])))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _span(pair: Any, digits: int = 2) -> str:
    return "-" if pair is None or pair[0] is None else f"{pair[0]:.{digits}f} to {pair[1]:.{digits}f}"


def _plain(values: Any) -> list[list[float | None]]:
    """Return a matrix for JSON, which knows no NaN."""
    return [[None if np.isnan(one) else float(one) for one in row] for row in values]


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
