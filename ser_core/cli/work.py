"""The commands that compute: ``ser encoders | embed | project | evaluate``."""

import os
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from ser_core import catalogue
from ser_core.cache import Cache
from ser_core.cli.terminal import ERR, CacheOption, JsonOption, command, job, print_json, print_table, where
from ser_core.embeddings import Embeddings

app = typer.Typer()


@command(app, "encoders")
def encoders_ls(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """List the encoders, those among them that were trained here, and whether they can be used on this machine."""
    from ser_core import trained
    from ser_core.encoders import ENCODERS

    own = {one.name: one for one in trained.available(where(cache))}
    rows = [(name, one.title, one.missing()) for name, one in (ENCODERS | own).items()]
    if as_json:
        print_json({"encoders": [{"name": name, "title": title, "missing": why} for name, title, why in rows]})
    else:
        print_table("name", "encoder", "here", rows=[(name, title, why or "ready") for name, title, why in rows])


@command(app, "embed")
def embed(
    corpus: str,
    encoder: Annotated[
        str, typer.Argument(help="A name of `ser encoders`, run:<id>, or hf:<hub id or folder>[@revision].")
    ],
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu (networks only).")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Threads (default: one a core).")] = os.cpu_count() or 1,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a corpus's embeddings; what is kept already is not computed again."""
    result = compute(where(cache), corpus, encoder, device=device, workers=workers)
    show_embedded(result, corpus, encoder, as_json=as_json)
    raise typer.Exit(0 if len(result.clips) else 1)


def compute(
    kept: Cache, corpus: str, encoder: str, *, device: str = "auto", workers: int = os.cpu_count() or 1
) -> Embeddings:
    """Embed a corpus as a job, and draw the map that the Explore page opens with."""
    from ser_core import embeddings, maps, trained

    located, found = catalogue.get(kept, corpus), trained.find(encoder, cache=kept)
    with job(kept, ["embed", corpus, found.name], f"{corpus} · {found.name}") as report:
        result = embeddings.embed(
            located, found, cache=kept, device=device, workers=workers, progress=lambda now: report(**asdict(now))
        )
        maps.draw_first(result, cache=kept)
    for note in result.damaged:
        ERR.print(f"Computed again: {note}", markup=False, highlight=False)
    return result


def show_embedded(result: Embeddings, corpus: str, encoder: str, *, as_json: bool) -> None:
    """Print what an embedding came to."""
    summary = {
        "corpus": corpus,
        "encoder": encoder,
        "n_clips": len(result.clips),
        "n_failed": len(result.failures),
        "failures": result.failures[["file", "reason"]].to_dict("records"),
        "dim": result.recipe["dim"],
        "n_layers": len(result.layers),
        "damaged": list(result.damaged),
    }
    if as_json:
        print_json(summary)
        return
    layers = "1 layer" if len(result.layers) == 1 else f"{len(result.layers)} layers"
    typer.echo(f"{len(result.clips)} clips embedded, {layers} of {result.recipe['dim']} numbers.")
    for failure in summary["failures"]:
        typer.echo(f"failed: {failure['file']}: {failure['reason']}")


@command(app, "project")
def project(
    corpora: Annotated[str, typer.Argument(help="A corpus, or several with commas between.")],
    encoder: Annotated[str, typer.Argument(help="What they are embedded with: a name, or a key of `ser cache ls`.")],
    method: Annotated[Literal["pca", "umap"], typer.Option()] = "pca",
    dimensions: Annotated[int, typer.Option(min=2, max=3)] = 3,
    layer: Annotated[int, typer.Option(help="Negative counts from the last.")] = -1,
    scaling: Annotated[
        Literal["standard", "centre"] | None, typer.Option(help="Default: as suits the encoder.")
    ] = None,
    seed: Annotated[int, typer.Option(help="For umap.")] = 0,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a map and its quality, and keep it."""
    from ser_core import embeddings, maps, resampling

    kept = where(cache)
    parts = [catalogue.get(kept, name) for name in catalogue.split(corpora)]
    store = embeddings.find_store(parts, encoder, cache=kept)
    loaded = embeddings.join([embeddings.load(part, store, cache=kept) for part in parts])
    view = maps.view(loaded, layer=layer, method=method, n_components=dimensions, scaling=scaling, seed=seed)
    names = [part.name for part in parts]
    with job(kept, maps.arguments(names, store.key, view), maps.title(names, view)) as report:
        drawn = maps.draw(loaded, view, cache=kept, progress=report)
    quality = drawn.quality
    variance = drawn.projection.explained_variance
    summary = {
        "corpora": names,
        "encoder": loaded.recipe["name"],
        **asdict(view),
        "n_clips": len(loaded.clips),
        "explained_variance": None if variance is None else [round(float(share), 6) for share in variance],
        "trustworthiness": float(quality.trustworthiness.mean()) if quality else None,
        "continuity": float(quality.continuity.mean()) if quality else None,
        "neighbour_overlap": float(quality.overlap.mean()) if quality else None,
        "k": quality.k if quality else None,
    }
    if quality and loaded.clips["speaker"].nunique() > 1:
        speakers = list(loaded.clips["speaker"])
        for name, values in (("trustworthiness", quality.trustworthiness), ("continuity", quality.continuity)):
            summary[f"{name}_95"] = list(resampling.mean_interval(values, speakers, seed=maps.SEED))
        summary["neighbour_overlap_95"] = list(resampling.mean_interval(quality.overlap, speakers, seed=maps.SEED))
    if as_json:
        print_json(summary)
        return
    for name, value in summary.items():
        shown = [
            f"{one:.4f}" if isinstance(one, float) else str(one)
            for one in (value if isinstance(value, list) else [value])
        ]
        typer.echo(f"{name:22} {', '.join(shown)}")


@command(app, "evaluate")
def evaluate(
    corpus: str,
    encoder: Annotated[str, typer.Option(help="An encoder; what is not embedded yet is embedded first.")],
    model: Annotated[Literal["svm"], typer.Option(help="svm: StandardScaler + SVC, refitted in every fold.")] = "svm",
    folds: Annotated[Literal["speaker"], typer.Option(help="speaker: leave one speaker out.")] = "speaker",
    layer: Annotated[int, typer.Option(help="Negative counts from the last.")] = -1,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recognise emotions of unseen speakers, and say how well that went."""
    from ser_core import embeddings, evaluation, splits, trained
    from ser_core.models.svm import svm

    kept, located = where(cache), catalogue.get(where(cache), corpus)
    chosen = trained.find(encoder, cache=kept)
    with job(kept, ["embed", corpus, chosen.name], f"{corpus} · {chosen.name}") as report:
        found = embeddings.embed(located, chosen, cache=kept, progress=lambda now: report(**asdict(now)))
    clips = evaluation.labelled(found)
    with job(kept, ["evaluate", corpus, chosen.name, model, folds, str(layer)], "leaving speakers out") as report:
        result = evaluation.cross_validate(
            clips,
            layer,
            model=svm,
            folds=splits.by_speaker(clips.clips),
            class_order=located.corpus.emotions,
            progress=report,
        )
    n_taught = trained.n_taught(found.recipe, clips.digests, cache=kept)
    summary = {
        "corpus": corpus,
        "encoder": encoder,
        "layer": layer % len(found.layers),
        "model": model,
        "uar": result.uar,
        "uar_95": result.interval(evaluation.uar),
        "wa": result.wa,
        "wa_95": result.interval(evaluation.wa),
        "n_clips": len(result.truth),
        "n_failed": len(found.failures),
        "n_left_out": len(found.clips) - len(clips.clips),
        "n_taught": n_taught,
        "speaker_independent": result.speaker_independent and not n_taught,
        "classes": list(result.classes),
        "confusion": result.confusion.tolist(),
        "folds": result.folds.to_dict("records"),
    }
    if as_json:
        print_json(summary)
        return
    for name in ("uar", "wa"):
        low, high = summary[f"{name}_95"]
        typer.echo(f"{name.upper()} {summary[name]:.4f}  (95 % interval {low:.3f} to {high:.3f}, resampling speakers)")
    words = "no speaker is in training and test at once" if result.speaker_independent else "speakers are shared"
    words += f"; but the encoder itself was trained on {n_taught} of these clips" if n_taught else ""
    left = f", {summary['n_left_out']} left out: emotion or speaker unknown" if summary["n_left_out"] else ""
    typer.echo(f"{len(result.truth)} clips{left}; {words}")
    rows = [
        (row["fold"], ", ".join(row["test_speakers"]), len(row["train_speakers"]), row["n_train"], row["n_test"])
        for row in summary["folds"]
    ]
    print_table("fold", "test speakers", "training speakers", "training clips", "test clips", rows=rows)
