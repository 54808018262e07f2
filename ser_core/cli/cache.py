"""``ser cache``: what is kept on disk."""

from dataclasses import asdict

import typer

from ser_core.cli.terminal import CacheOption, JsonOption, command, print_json, print_table, where

app = typer.Typer(no_args_is_help=True, help="What is kept on disk: list, verify, sweep.")


@command(app, "ls")
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


@command(app, "verify")
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


@command(app, "sweep")
def cache_sweep(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Remove damaged entries, leftovers of killed programs, and maps and analyses whose embeddings are gone."""
    done = where(cache).sweep()
    if as_json:
        print_json({"removed": done})
    else:
        for note in done:
            typer.echo(note)
        typer.echo(f"{len(done)} removed.")
