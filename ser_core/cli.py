"""The `ser` command: every job the pages do, without a browser.

Results go to standard output (``--json``: one JSON object), progress and errors to standard error. Exit codes: 0 done,
1 an error that one sentence explains, 2 wrong usage, 130 stopped by Ctrl-C (what was done is kept).
"""

import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ser_core import library
from ser_core.corpora import KINDS, Scan
from ser_core.terminal import ERR, CacheOption, JsonOption, bar, command, job, print_json, print_table, where

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
corpora_app = typer.Typer(no_args_is_help=True, help="Corpora: add, list, show, remove.")
cache_app = typer.Typer(no_args_is_help=True, help="What is kept on disk: list, verify, sweep.")
app.add_typer(corpora_app, name="corpora")
app.add_typer(cache_app, name="cache")


@command(corpora_app, "add")
def corpora_add(
    kind: Annotated[str, typer.Argument(help=f"One of: {', '.join(KINDS)}, folder (audio and a metadata.csv).")],
    path: Annotated[Path, typer.Argument(help="The folder it lies in.")],
    name: Annotated[str | None, typer.Option(help="What to call it here (default: the kind, or the folder).")] = None,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look into a folder and remember it as a corpus."""
    located, scan = library.add(where(cache), kind, path, name=name)
    show_scan(located, scan, as_json=as_json)


@command(corpora_app, "ls")
def corpora_ls(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """List the corpora that were added."""
    found = library.ls(where(cache))
    if as_json:
        print_json({"corpora": [card(located) for located in found]})
    elif not found:
        typer.echo("No corpora yet: `ser demo` makes synthetic ones, `ser corpora add ravdess FOLDER` adds a real one.")
    else:
        rows = [(one.name, one.corpus.title, one.corpus.language, one.corpus.licence, one.root) for one in found]
        print_table("name", "corpus", "language", "licence", "folder", rows=rows)


@command(corpora_app, "show")
def corpora_show(name: str, cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Look into a corpus's folder again: clips, what is missing, what cannot be read, and what is embedded."""
    located = library.get(where(cache), name)
    show_scan(located, located.scan(), as_json=as_json)


@command(corpora_app, "rm")
def corpora_rm(name: str, cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Forget where a corpus lies; its files and what was computed stay."""
    library.remove(where(cache), name)
    print_json({"removed": name}) if as_json else typer.echo(f"{name} is forgotten; its files were not touched.")


@command(app, "encoders")
def encoders_ls(as_json: JsonOption = False) -> None:
    """List the encoders and whether they can be used on this machine."""
    from ser_core.encoders import ENCODERS

    rows = [(name, one.title, one.missing()) for name, one in ENCODERS.items()]
    if as_json:
        print_json({"encoders": [{"name": name, "title": title, "missing": why} for name, title, why in rows]})
    else:
        print_table("name", "encoder", "here", rows=[(name, title, why or "ready") for name, title, why in rows])


@command(app, "embed")
def embed(
    corpus: str,
    encoder: Annotated[str, typer.Argument(help="A name of `ser encoders`, or hf:<hub id or folder>[@revision].")],
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu (networks only).")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Threads (default: one a core).")] = os.cpu_count() or 1,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a corpus's embeddings; what is kept already is not computed again."""
    from ser_core import embeddings, maps
    from ser_core.encoders import encoder as find

    kept, located, found = where(cache), library.get(where(cache), corpus), find(encoder)
    with job(kept, ["embed", corpus, encoder], f"{corpus} · {encoder}") as report:
        result = embeddings.embed(
            located, found, cache=kept, device=device, workers=workers, progress=lambda now: report(**asdict(now))
        )
        maps.draw_first(result, cache=kept)
    for note in result.damaged:
        ERR.print(f"Computed again: {note}", markup=False, highlight=False)
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
    typer.echo(
        f"{len(result.clips)} clips embedded, {len(result.layers)} layers of {result.recipe['dim']} numbers each."
    )
    for failure in summary["failures"]:
        typer.echo(f"failed: {failure['file']}: {failure['reason']}")


@command(app, "project")
def project(
    corpora: Annotated[str, typer.Argument(help="A corpus, or several with commas between.")],
    encoder: Annotated[str, typer.Argument(help="What they are embedded with: a name, or a key of `ser cache ls`.")],
    method: Annotated[str, typer.Option(help="pca or umap.")] = "pca",
    dimensions: Annotated[int, typer.Option(min=2, max=3)] = 3,
    layer: Annotated[int, typer.Option(help="Negative counts from the last.")] = -1,
    scaling: Annotated[str | None, typer.Option(help="standard or centre (default: as suits the encoder).")] = None,
    seed: Annotated[int, typer.Option(help="For umap.")] = 0,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a map and its quality, and keep it."""
    from ser_core import embeddings, maps

    kept = where(cache)
    parts = [library.get(kept, name) for name in corpora.split(",")]
    store = embeddings.find_store(parts, encoder, cache=kept)
    loaded = embeddings.join([embeddings.load(part, store, cache=kept) for part in parts])
    view = maps.view(loaded, layer=layer, method=method, n_components=dimensions, scaling=scaling, seed=seed)
    names = [part.name for part in parts]
    with job(kept, maps.arguments(names, store.key, view), maps.title(names, view)):
        drawn = maps.draw(loaded, view, cache=kept)
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
    if as_json:
        print_json(summary)
        return
    for name, value in summary.items():
        typer.echo(f"{name:20} {', '.join(map(str, value)) if isinstance(value, list) else value}")


@command(app, "evaluate")
def evaluate(
    corpus: str,
    encoder: Annotated[str, typer.Option(help="An encoder; what is not embedded yet is embedded first.")],
    model: Annotated[str, typer.Option(help="svm: StandardScaler + SVC, refitted in every fold.")] = "svm",
    folds: Annotated[str, typer.Option(help="speaker: leave one speaker out.")] = "speaker",
    layer: Annotated[int, typer.Option(help="Negative counts from the last.")] = -1,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recognise emotions of unseen speakers, and say how well that went."""
    if model != "svm" or folds != "speaker":
        raise typer.BadParameter("expected --model svm and --folds speaker")
    from ser_core import embeddings, evaluation, splits
    from ser_core.encoders import encoder as find
    from ser_core.models.svm import svm

    kept, located = where(cache), library.get(where(cache), corpus)
    with job(kept, ["embed", corpus, encoder], f"{corpus} · {encoder}") as report:
        found = embeddings.embed(located, find(encoder), cache=kept, progress=lambda now: report(**asdict(now)))
    with job(kept, ["evaluate", corpus, encoder, model, folds, str(layer)], "leaving speakers out") as report:
        result = evaluation.cross_validate(
            found,
            layer,
            model=svm,
            folds=splits.by_speaker(found.clips),
            class_order=located.corpus.emotions,
            progress=report,
        )
    summary = {
        "corpus": corpus,
        "encoder": encoder,
        "layer": found.layers[layer],
        "model": model,
        "uar": result.uar,
        "uar_95": result.interval(evaluation.uar),
        "wa": result.wa,
        "wa_95": result.interval(evaluation.wa),
        "n_clips": len(result.truth),
        "n_failed": len(found.failures),
        "speaker_independent": result.speaker_independent,
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
    typer.echo(f"{len(result.truth)} clips; {words}")
    rows = [
        (row["fold"], ", ".join(row["test_speakers"]), len(row["train_speakers"]), row["n_train"], row["n_test"])
        for row in summary["folds"]
    ]
    print_table("fold", "test speakers", "training speakers", "training clips", "test clips", rows=rows)


@command(cache_app, "ls")
def cache_ls(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """List what is kept."""
    kept = where(cache)
    entries = kept.ls()
    if as_json:
        print_json({"root": str(kept.root), "entries": [asdict(entry) for entry in entries]})
        return
    typer.echo(f"{kept.root}: {sum(entry.bytes for entry in entries) / 1e6:.1f} MB")
    rows = [(e.kind, e.name, e.key, e.n_clips, e.n_failures, f"{e.bytes / 1e6:.1f} MB") for e in entries]
    print_table("kind", "name", "key", "clips", "failed", "size", rows=rows)


@command(cache_app, "verify")
def cache_verify(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Read everything that is kept and name what is damaged (exit code 1 if anything is)."""
    bad = where(cache).verify()
    if as_json:
        print_json({"damaged": bad})
    else:
        for note in bad:
            typer.echo(note)
        typer.echo("All entries are sound." if not bad else "`ser cache sweep` removes what is damaged.")
    raise typer.Exit(1 if bad else 0)


@command(cache_app, "sweep")
def cache_sweep(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Remove damaged entries, leftovers of killed programs, and maps whose embeddings are gone."""
    done = where(cache).sweep()
    if as_json:
        print_json({"removed": done})
    else:
        for note in done:
            typer.echo(note)
        typer.echo(f"{len(done)} removed.")


@command(app, "demo")
def demo(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Make the three synthetic demo corpora and embed the English one."""
    from ser_core.corpora.demo import LANGUAGES, make
    from ser_core.corpora.demo_cards import SEED

    kept = where(cache)
    made = {}
    for language in LANGUAGES:
        root = kept.root / "demo" / language
        with bar(f"making demo-{language} (synthetic)") as show:
            made[f"demo-{language}"] = make(language, root, seed=SEED, progress=show)
        library.add(kept, f"demo-{language}", root)
    if not as_json:
        typer.echo(", ".join(f"{name}: {n_clips} clips" for name, n_clips in made.items()))
    embed(corpus="demo-english", encoder="egemaps", cache=cache, as_json=as_json)


@command(app, "dashboard")
def dashboard(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8501,
    cache: CacheOption = None,
) -> None:
    """Open the pages at http://localhost:8501."""
    script = Path(__file__).parent.parent / "dashboard" / "app.py"
    typer.echo(f"SER Atlas: http://localhost:{port} (Ctrl-C stops it)")
    done = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)],
        env={**os.environ, "SER_CACHE": str(where(cache).root)},
        cwd=script.parent.parent,  # where .streamlit/config.toml lies
        check=False,
    )
    raise typer.Exit(done.returncode)


def card(located: library.Located) -> dict[str, Any]:
    """Return what a list says of a corpus."""
    corpus = located.corpus
    return {
        "name": located.name,
        "title": corpus.title,
        "language": corpus.language,
        "licence": corpus.licence,
        "citation": corpus.citation,
        "synthetic": corpus.synthetic,
        "folder": str(located.root),
    }


def show_scan(located: library.Located, scan: Scan, *, as_json: bool) -> None:
    """Print what a look into a corpus folder found."""
    if as_json:
        found = {
            **card(located),
            "n_clips": len(scan.clips),
            "expected": scan.expected,
            "n_missing": scan.n_missing,
            "missing": list(scan.missing),
            "unreadable": [{"file": file, "reason": reason} for file, reason in scan.unreadable],
            "left_out": [{"file": file, "reason": reason} for file, reason in scan.left_out],
            "by_emotion": {str(word): int(n) for word, n in scan.by_emotion.items()},
            "by_speaker": {str(name): int(n) for name, n in scan.by_speaker.items()},
        }
        print_json(found)
        return
    of = f" of {scan.expected}" if scan.expected else ""
    typer.echo(f"{located.name}: {located.corpus.title}, {located.root}")
    typer.echo(f"{len(scan.clips)}{of} clips, {scan.clips['speaker'].nunique()} speakers")
    typer.echo("emotions: " + ", ".join(f"{word} {n}" for word, n in scan.by_emotion.items()))
    typer.echo("speakers: " + ", ".join(f"{name} {n}" for name, n in scan.by_speaker.items()))
    if scan.n_missing:
        named = f": {', '.join(scan.missing[:5])}{', …' if len(scan.missing) > 5 else ''}" if scan.missing else ""
        typer.echo(f"{scan.n_missing} missing{named}")
    for heading, files in (("cannot be read", scan.unreadable), ("left out", scan.left_out)):
        if files:
            typer.echo(f"{len(files)} {heading}:")
            for file, reason in files[:10]:
                typer.echo(f"  {file}: {reason}")


def main() -> None:
    """Run the command; SIGTERM stops it as Ctrl-C does, also where it was started in the background."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    app()


if __name__ == "__main__":
    main()
