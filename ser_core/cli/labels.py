"""``ser labels``: what becomes of the words of corpora where models are to name emotions, or corpora are mixed."""

from pathlib import Path
from typing import Annotated

import typer

from ser_core import catalogue, labels
from ser_core.cli.terminal import CacheOption, JsonOption, command, print_json, print_table, where
from ser_core.labels import LabelMap

app = typer.Typer(no_args_is_help=True, help="Label maps, from the words of corpora to emotions: list, show, add.")
LEFT_OUT = "(left out)"


@command(app, "ls")
def labels_ls(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """List the maps."""
    found = labels.ls(where(cache))
    if as_json:
        print_json({"maps": [{"name": one.name, "title": one.title} for one in found]})
    else:
        print_table("name", "what it does", rows=[(one.name, one.title) for one in found])


@command(app, "show")
def labels_show(
    name: Annotated[str, typer.Argument(help="A name of `ser labels ls`.")],
    corpus: Annotated[str, typer.Argument(help="A name of `ser corpora ls`.")],
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a map makes of each word of a corpus, and of how many clips."""
    kept = where(cache)
    table = labels.get(kept, name).table(catalogue.get(kept, corpus).clips()["emotion"])
    if as_json:
        print_json({"map": name, "corpus": corpus, "words": table.to_dict("records")})
    else:
        rows = [
            (one.word, one.emotion if isinstance(one.emotion, str) else LEFT_OUT, one.n_clips)
            for one in table.itertuples()
        ]
        print_table("its own word", "becomes", "clips", rows=rows)


@command(app, "add")
def labels_add(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    file: Annotated[Path, typer.Argument(help="A table (CSV): word,emotion; an empty emotion leaves clips out.")],
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a map of one's own; words that it does not name keep their common names."""
    made = labels.add(where(cache), name, file)
    print_json(_plain(made)) if as_json else typer.echo(f"{made.name}: {made.title}.")


def _plain(made: LabelMap) -> dict[str, object]:
    return {"name": made.name, "title": made.title, "words": dict(made.words)}
