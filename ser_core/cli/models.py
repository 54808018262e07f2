"""``ser models``: the checkpoints of pretrained encoders, fetched and listed."""

from typing import Annotated

import typer

from ser_core import jobs
from ser_core.cli.terminal import CacheOption, JsonOption, command, print_json, print_table, waiting, where

app = typer.Typer(no_args_is_help=True, help="Checkpoints of pretrained encoders: fetch, list.")


@command(app, "fetch")
def models_fetch(
    name: Annotated[
        str, typer.Argument(metavar="ENCODER", help="A name of `ser models ls`, or hf:<hub id>[@revision].")
    ],
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download the checkpoint of an encoder unless it is here; a download that broke off goes on from there."""
    from ser_core.encoders import EncoderError, Transformer, checkpoints, encoder

    chosen = encoder(name)
    if not isinstance(chosen, Transformer):
        raise EncoderError(f"{name} has no checkpoint: it is here already, with the program")
    was_here = chosen.missing() is None
    if not was_here:
        # no bar of ours: the hub's own library shows how far each file is
        with jobs.running(
            where(cache), ["models", "fetch", name], title=f"Download {chosen.checkpoint}", waiting=waiting
        ):
            chosen.fetch()
    if (missing := chosen.missing()) is not None:
        raise EncoderError(missing)
    folder = str(checkpoints.find(chosen.checkpoint, chosen.revision).folder)
    if as_json:
        print_json({"encoder": name, "folder": folder, "was_here": was_here})
    else:
        typer.echo(f"{name} is here already: {folder}" if was_here else f"{name} was downloaded to {folder}")


@command(app, "ls")
def models_ls(as_json: JsonOption = False) -> None:
    """List the encoders that need a checkpoint, and whether it is on this machine."""
    from ser_core.encoders import ENCODERS, Transformer

    rows = [(name, one.title, one.missing()) for name, one in ENCODERS.items() if isinstance(one, Transformer)]
    if as_json:
        print_json({"models": [{"name": name, "title": title, "missing": why} for name, title, why in rows]})
    else:
        print_table("name", "encoder", "here", rows=[(name, title, why or "ready") for name, title, why in rows])
