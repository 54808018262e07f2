"""``ser corpora``: add, fetch, list, show, remove."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ser_core import catalogue, embeddings, fetching
from ser_core.cli.terminal import ERR, CacheOption, JsonOption, command, job, megabytes, print_json, print_table, where
from ser_core.corpora import KINDS, OWN, Scan
from ser_core.corpora.sources import Source
from ser_core.embeddings import Coverage

OWN_HELP = "folder: your own audio, with a metadata.csv or a folder for each emotion; audformat: with a db.yaml."
app = typer.Typer(no_args_is_help=True, help="Corpora: add, fetch, list, show, remove.")


@command(app, "add")
def corpora_add(
    kind: Annotated[str, typer.Argument(help=f"One of: {', '.join((*KINDS, *OWN))}. {OWN_HELP}")],
    path: Annotated[Path, typer.Argument(help="The folder it lies in.")],
    name: Annotated[str | None, typer.Option(help="What to call it here (default: the kind, or the folder).")] = None,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look into a folder and remember it as a corpus."""
    with ERR.status("Looking into the folder ..."):
        located, scan = catalogue.add(where(cache), kind, path, name=name)
    show_scan(located, scan, as_json=as_json)


@command(app, "fetch")
def corpora_fetch(
    kind: Annotated[str, typer.Argument(help=f"One of: {', '.join(fetching.offered())}.")],
    to: Annotated[Path | None, typer.Option(help="The folder it gets (default: in the cache folder).")] = None,
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="Take the licence as read.")] = False,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download a free corpus, after its licence, and add it; a download that broke off goes on from there."""
    kept, source = where(cache), fetching.find(kind)
    folder = to.expanduser().absolute() if to else fetching.default_folder(kept, kind)
    with ERR.status("Looking what is here ..."):
        found = fetching.here(kept, source, folder)
    if found:
        ERR.print(f"{kind} is here already, complete: nothing to download.", markup=False, highlight=False)
    else:
        _agree(source, accepted=accept_licence)
        arguments = ["corpora", "fetch", kind, "--to", str(folder), "--accept-licence"]
        with job(kept, arguments, f"Download {KINDS[kind].title}, MB") as report:
            found = fetching.fetch(kept, source, folder, progress=megabytes(report))
    show_scan(*found, as_json=as_json)


@command(app, "ls")
def corpora_ls(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """List the corpora that were added."""
    found = catalogue.ls(where(cache))
    if as_json:
        print_json({"corpora": [card(located) for located in found]})
    elif not found:
        typer.echo(
            "No corpora yet: `ser demo` makes synthetic ones, `ser corpora fetch ravdess` downloads a real one, "
            "`ser corpora add ravdess FOLDER` adds one that you have."
        )
    else:
        rows = [(one.name, one.corpus.title, one.corpus.language, one.corpus.licence, one.root) for one in found]
        print_table("name", "corpus", "language", "licence", "folder", rows=rows)


@command(app, "show")
def corpora_show(name: str, cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Look into a corpus's folder again: clips, what is missing, what cannot be read, and what is embedded."""
    located = catalogue.get(where(cache), name)
    with ERR.status("Looking into the folder ..."):
        scan = located.scan()
        done = embeddings.coverage(located, cache=where(cache))
    show_scan(located, scan, as_json=as_json, embedded=done)


@command(app, "rm")
def corpora_rm(name: str, cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Forget where a corpus lies; its files and what was computed stay."""
    catalogue.remove(where(cache), name)
    print_json({"removed": name}) if as_json else typer.echo(f"{name} is forgotten; its files were not touched.")


def _agree(source: Source, *, accepted: bool) -> None:
    """Show the licence of a corpus, and ask whether it is accepted unless that was said before."""
    licence, address = source.licence
    lines = (
        f"{KINDS[source.kind].title}, from {source.page}",
        f"licence: {licence}, {address}",
        f"up to {source.where.room / fetching.MB:,.0f} MB of disk; check: {source.where.checked}",
    )
    for line in lines:
        ERR.print(line, markup=False, highlight=False, soft_wrap=True)
    if accepted:
        return
    if not sys.stdin.isatty():
        raise fetching.FetchError(f"{licence} has to be accepted first: read {address}, then add --accept-licence")
    if not typer.confirm("Do you accept the licence?", err=True):
        raise fetching.FetchError("the licence was not accepted: nothing was downloaded")


def card(located: catalogue.Located) -> dict[str, Any]:
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


def show_scan(located: catalogue.Located, scan: Scan, *, as_json: bool, embedded: Sequence[Coverage] = ()) -> None:
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
            "embedded": [
                {name: getattr(one, name) for name in ("encoder", "n_embedded", "n_failed", "n_pending")}
                for one in embedded
            ],
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
    for one in embedded:
        typer.echo(f"{one.encoder}: {one.n_embedded} embedded, {one.n_failed} failed, {one.n_pending} to do")
    for heading, files in (("cannot be read", scan.unreadable), ("left out", scan.left_out)):
        if files:
            typer.echo(f"{len(files)} {heading}:")
            for file, reason in files[:10]:
                typer.echo(f"  {file}: {reason}")
