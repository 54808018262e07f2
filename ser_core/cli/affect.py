"""The commands of clouds and distances: ``ser clusters | mahalanobis``."""

from dataclasses import asdict
from typing import Annotated, Any, Final

import numpy as np
import typer

from ser_core import catalogue
from ser_core.analyses import Question, Space
from ser_core.cli import choices
from ser_core.cli.choices import Corpora, Dimensions, EncoderName, Layer, MapOption, ScalingOption, Seed
from ser_core.cli.terminal import (
    CacheOption,
    JsonOption,
    cell,
    command,
    job,
    print_json,
    print_matrix,
    print_table,
    span,
    where,
)
from ser_core.embeddings import Embeddings
from ser_core.geometry.density import Shape
from ser_core.geometry.mahalanobis import Covariance, Distances, Resampled

N_OUTLYING: Final = 20
"""Clips far from their own emotion that are named; half of them where people read."""

app = typer.Typer()


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

    kept, names = where(cache), catalogue.split(corpora)
    found, _ = choices.opened(kept, names, encoder)
    view = choices.view(found, layer, method, dimensions, scaling, seed)
    result = analysis.clusters(found, choices.drawn(kept, found, view), shape=shape)
    about = {"corpora": names, "encoder": found.recipe["name"], **asdict(view), "shape": shape}
    summary = about | analysis.summary(result)
    print_json(summary) if as_json else _show_clusters(summary)


def _show_clusters(summary: dict[str, Any]) -> None:
    of = f"{summary['shape']} Gaussians in {summary['n_components']}-D"
    typer.echo(f"{summary['n_clips']} clips, {summary['n_speakers']} speakers, {of}")
    low, high = summary["silhouette_95"] or (None, None)
    between = f" (95 % {low:.3f} to {high:.3f}, resampling speakers)" if low is not None else ""
    typer.echo(f"silhouette {summary['silhouette']:.3f}{between}; between / within {summary['between_within']:.3f}")
    rows = [
        (one["factor"], one["n_levels"], f"{one['alone']:.3f}", span(one["alone_95"]), f"{one['unique']:.3f}")
        for one in summary["variance"]
    ]
    print_table("variance explained by", "levels", "alone", "95 %", "beyond the others", rows=rows)
    print_matrix("overlap", summary["emotions"], summary["overlap"])
    for name, why in (*summary["factors_left_out"], *summary["left_out"]):
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

    kept, names = where(cache), catalogue.split(corpora)
    found, store = choices.opened(kept, names, encoder)
    view = choices.view(found, layer, method, dimensions, scaling, seed)
    question = Question(view, space, covariance, shrink)
    clips, rows = analyses.named(found)
    x = analyses.coordinates(clips, question, choices.drawn(kept, found, view) if space == "map" else None)
    x = x[rows] if space == "map" else x
    measured = analyses.distances(clips, question, x=x)
    between = None
    if analyses.several_speakers(clips):
        arguments = analyses.mahalanobis_job(names, store.key, question)
        with job(kept, arguments, choices.title("Distances", names)) as report:
            between = analyses.resampled(clips, question, x=x, cache=kept, progress=report)
    summary = {"corpora": names, "encoder": found.recipe["name"]} | _distances(clips, question, measured, between)
    print_json(summary) if as_json else _show_distances(summary, int(measured.n_per_covariance.min()))


def _distances(clips: Embeddings, question: Question, measured: Distances, between: Resampled | None) -> dict[str, Any]:
    """Return the numbers as plain values."""
    from ser_core import analyses
    from ser_core.geometry import mahalanobis as distance

    far = distance.outlying(measured, clips.clips["emotion"].to_numpy(str), n=N_OUTLYING)
    labels = list(measured.names)
    return {
        **asdict(question.view),
        "space": question.space,
        "covariance": question.covariance,
        "shrink": question.shrink,
        "shrinkage": measured.shrinkage.tolist(),
        "n_dimensions": measured.dimensions,
        "enough_clips": measured.enough,
        "emotions": labels,
        "n_clips": clips.clips["emotion"].value_counts().reindex(labels).tolist(),
        "n_speakers": analyses.n_speakers(clips),
        "between": measured.between.tolist(),
        "low_95": between.low.tolist() if between else None,
        "high_95": between.high.tolist() if between else None,
        "corrected": between.corrected.tolist() if between else None,
        "outlying": [_outlier(clips, measured, int(row)) for row in far],
    }


def _outlier(clips: Embeddings, measured: Distances, row: int) -> dict[str, Any]:
    clip = clips.clips.iloc[row]
    own = measured.names.index(str(clip["emotion"]))
    return {
        "file": str(clip["file"]),
        "emotion": measured.names[own],
        "speaker": str(clip["speaker"]),
        "distance": float(measured.to_emotion[row, own]),
        "tail": float(measured.tail()[row, own]),
        "nearest": measured.names[int(np.argmin(measured.to_emotion[row]))],
    }


def _show_distances(summary: dict[str, Any], n_behind: int) -> None:
    labels, dimensions = summary["emotions"], summary["n_dimensions"]
    typer.echo(f"{sum(summary['n_clips'])} clips, {summary['n_speakers']} speakers, {dimensions} dimensions")
    if not summary["enough_clips"]:
        typer.echo(
            f"Careful: {n_behind} clips stand behind a covariance of {dimensions} dimensions, which wants"
            f" {dimensions**2} or more; shrinkage {max(summary['shrinkage']):.2f}"
        )
    matrices = {"distance": "between", "95 % from": "low_95", "95 % to": "high_95", "less noise": "corrected"}
    for head, name in matrices.items():
        if summary[name]:
            print_matrix(head, labels, summary[name])
    rows = [
        (
            *(one[name] for name in ("file", "speaker", "emotion")),
            cell(one["distance"]),
            f"{one['tail']:.1e}",
            one["nearest"],
        )
        for one in summary["outlying"][: N_OUTLYING // 2]
    ]
    print_table("furthest from their own emotion", "speaker", "emotion", "distance", "tail", "nearest to", rows=rows)
