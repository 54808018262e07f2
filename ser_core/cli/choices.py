"""What the commands that look at embeddings share: their options, opening corpora, the map, the learnt plane."""

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from ser_core import catalogue
from ser_core.analyses import Learnt
from ser_core.cache import Cache
from ser_core.cli.terminal import bar, job
from ser_core.embeddings import Embeddings
from ser_core.geometry.affect import Method
from ser_core.geometry.projection import Scaling
from ser_core.maps import Map, View
from ser_core.store import VectorStore, key

Corpora = Annotated[str, typer.Argument(help="A corpus, or several with commas between.")]
EncoderName = Annotated[str, typer.Argument(help="What they are embedded with: a name, or a key of `ser cache ls`.")]
MapOption = Annotated[Literal["pca", "umap"], typer.Option(help="How the map is drawn.")]
Dimensions = Annotated[int, typer.Option(min=2, max=3, help="Of the map.")]
Layer = Annotated[int, typer.Option(help="Negative counts from the last.")]
ScalingOption = Annotated[Literal["standard", "centre"] | None, typer.Option(help="Default: as suits the encoder.")]
Seed = Annotated[int, typer.Option(help="For umap.")]


def find(kept: Cache, names: Sequence[str], encoder: str) -> VectorStore:
    """Return what these corpora are embedded with."""
    from ser_core import embeddings

    return embeddings.find_store([catalogue.get(kept, name) for name in dict.fromkeys(names)], encoder, cache=kept)


def load(kept: Cache, name: str, store: VectorStore) -> Embeddings:
    """Return the embeddings of one corpus."""
    from ser_core import embeddings

    return embeddings.load(catalogue.get(kept, name), store, cache=kept)


def opened(kept: Cache, names: Sequence[str], encoder: str) -> tuple[Embeddings, VectorStore]:
    """Return the embeddings of these corpora in one table, and where they are kept."""
    from ser_core import embeddings

    store = find(kept, names, encoder)
    return embeddings.join([load(kept, name, store) for name in names]), store


def view(found: Embeddings, layer: int, method: str, dimensions: int, scaling: str | None, seed: int) -> View:
    """Return the map that the options ask for."""
    from ser_core import maps

    return maps.view(found, layer=layer, method=method, n_components=dimensions, scaling=scaling, seed=seed)


def drawn(kept: Cache, found: Embeddings, view: View) -> Map:
    """Draw a map, or take the one that is kept."""
    from ser_core import maps

    with bar("the map") as show:
        return maps.draw(found, view, cache=kept, progress=show)


def learnt(kept: Cache, name: str, found: Embeddings, *, layer: int, scaling: Scaling | None, method: Method) -> Learnt:
    """Learn valence and arousal from a corpus, as the job that pages watch, or take what is kept."""
    from ser_core import analyses, circle, maps

    found.layer(layer)
    layer, scaling = layer % len(found.layers), scaling or maps.default_scaling(found.recipe)
    arguments = circle.job([name], key(found.recipe), layer=layer, scaling=scaling, method=method)
    with job(kept, arguments, title("Plane", [name])) as report:
        clips = analyses.teachers(found)[0]
        return analyses.learn(clips, layer=layer, scaling=scaling, method=method, cache=kept, progress=report)


def title(what: str, names: Sequence[str]) -> str:
    """Return what people call a job."""
    return f"{what} of {', '.join(names)}"
