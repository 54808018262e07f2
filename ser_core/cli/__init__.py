"""The `ser` command: every job the pages do, without a browser.

Results go to standard output (``--json``: one JSON object), progress and errors to standard error. Exit codes: 0 done,
1 an error that one sentence explains, 2 wrong usage, 130 stopped by Ctrl-C (what was finished is kept).
"""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ser_core import catalogue
from ser_core.cli import (
    affect,
    choices,
    circumplex,
    compare,
    corpora,
    labels,
    models,
    place,
    runs,
    timeline,
    train,
    transfer,
    work,
)
from ser_core.cli import cache as cache_commands
from ser_core.cli.terminal import CacheOption, JsonOption, bar, command, print_json, where

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(work.app)
app.add_typer(affect.app)
app.add_typer(circumplex.app)
app.add_typer(compare.app)
app.add_typer(timeline.app)
app.add_typer(place.app)
app.add_typer(train.app)
app.add_typer(transfer.app)
app.add_typer(runs.app, name="runs")
app.add_typer(corpora.app, name="corpora")
app.add_typer(labels.app, name="labels")
app.add_typer(models.app, name="models")
app.add_typer(cache_commands.app, name="cache")


@command(app, "demo")
def demo(cache: CacheOption = None, as_json: JsonOption = False) -> None:
    """Make the synthetic demo corpora, three and a diary, and embed them."""
    from ser_core.corpora import demo as speech
    from ser_core.corpora import diary
    from ser_core.corpora.demo_cards import SEED

    kept = where(cache)
    made = {}
    makers = {language: partial(speech.make, language) for language in speech.LANGUAGES} | {"diary": diary.make}
    for name, make in makers.items():
        root = kept.root / "demo" / name
        with bar(f"making demo-{name} (synthetic)") as show:
            made[f"demo-{name}"] = make(root, seed=SEED, progress=show)
        catalogue.add(kept, f"demo-{name}", root)
    if not as_json:
        typer.echo(", ".join(f"{name}: {n_clips} clips" for name, n_clips in made.items()))
    for name in ("demo-diary", "demo-german", "demo-french"):
        work.compute(kept, name, "egemaps")
    english = work.compute(kept, "demo-english", "egemaps")
    # what the Circle, Timeline and Place pages open with
    choices.learnt(kept, "demo-english", english, layer=-1, scaling=None, method="regression")
    place.checked(kept, ["demo-english"], "egemaps", layer=-1, scaling=None)
    work.show_embedded(english, "demo-english", "egemaps", as_json=as_json)


@command(app, "dashboard")
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on this machine.")] = 8501,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open the pages at http://localhost:8501."""
    script = Path(__file__).parent.parent.parent / "dashboard" / "app.py"
    url = f"http://localhost:{port}"
    print_json({"url": url}) if as_json else typer.echo(f"SER Atlas: {url} (Ctrl-C stops it)")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "streamlit", "run", str(script)),
            *("--server.port", str(port), "--server.address", "127.0.0.1"),
        ],
        env={**os.environ, "SER_CACHE": str(where(cache).root)},
        cwd=script.parent.parent,  # where .streamlit/config.toml lies
        check=False,
    )
    raise typer.Exit(done.returncode)


def main() -> None:
    """Run the command; SIGTERM stops it as Ctrl-C does, also where it was started in the background."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    app()
