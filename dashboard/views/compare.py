"""Two encoders, or two layers of one: whether the same clips are alike in both, and in which emotions show better."""

from dataclasses import replace
from typing import Final

import streamlit as st

from dashboard import (
    between_data,
    between_layers,
    between_maps,
    between_panel,
    clip_panel,
    data,
    frame,
    links,
    progress,
    widgets,
)
from dashboard.between_panel import LETTERS, Side
from dashboard.frame import Choice
from ser_core import between, maps
from ser_core.between import Pair
from ser_core.geometry.projection import Method
from ser_core.maps import Map, View
from ser_core.plots import map as map_plot
from ser_core.plots.colours import EMOTION

SEEN: Final = (
    "The same clips in two maps, of two encoders or two layers: before and after training, say. The same colours, the "
    "same clip in hand; B's map is laid on A's."
)
TRUST: Final = (
    "Do not take a difference for an advantage where the intervals meet, nor two maps that look alike for two encoders "
    "that are: a map shows part of the space, and the numbers below tell of all of it."
)
UMAP: Final = "In UMAP the shape of a map is partly chance: Procrustes says little of it."
OTHERS: Final = ("spectral", "egemaps")  # offered beside a lone encoder: no weights to fetch, done in seconds
REFERENCES: Final = """
- **Which clips.** Those that both encoders have: same corpus, same file, same content. Values are standardised for
  measures in units of their own and only centred for activations of a network, for both maps and all numbers.
- **B's map on A's (Procrustes):** turned, mirrored if that fits better, scaled and shifted for the least sum of squares
  (Schönemann 1966, *Psychometrika* 31: 1-10; Schönemann & Carroll 1970, *Psychometrika* 35: 245-255). The disparity is
  the share of A's scatter that is missed, 0 to 1. Axes of the map of B are then those of A.
- **Silhouette** (Rousseeuw 1987): above 0, a clip is nearer to its own emotion than to the next one. **Between /
  within:** scatter of the emotions' means over that of clips around them. On the Clusters page both are of the map.
  In many dimensions all distances become alike and silhouettes small: compare encoders of one width by them.
- **Emotion told by neighbours:** the emotion that most of a clip's ten nearest clips of *other* speakers have; mean
  recall over the emotions (UAR), each speaker left out in turn, scaling included. As on the Place page.
- **Circular correlation, order agreement** with Russell's circle, first two axes (PCA): as on the page Circle of
  emotions, -1 to 1. The turn is fitted, mirror image allowed, so that both lean towards 1.
- **Shared neighbours:** mean share of a clip's ten nearest in A that are among its ten nearest in B; by chance ten of
  all others. Interval: whole speakers drawn again, 1,000 times, neighbours as they are.
- **Linear CKA:** Kornblith, Norouzi, Lee & Hinton 2019, *ICML*. Debiased with the estimator of Song et al. 2012 (*J.
  Mach. Learn. Res.* 13: 1393-1434) as in Nguyen, Raghu & Kornblith 2021, *ICLR*. It has no interval: a speaker drawn
  twice would put each clip beside its own copy, which is alike in any space.
- Differences between A and B are of the same clips and speakers: their intervals may meet although one is better for
  nearly every speaker. They are no test.
"""


def main() -> None:
    """Draw the page."""
    choice = frame.choose(label="Encoder A")
    if choice is None:
        return
    with st.sidebar:
        layer = widgets.layer(choice.found, label="Layer of A")
        other = _other(choice, layer)
        method = widgets.segments(
            "method", "Projection", ["pca", "umap"], default="pca", show=widgets.METHODS.__getitem__
        )
        column = widgets.colour(choice.found.clips)
    frame.introduce(SEEN, f"{TRUST} {UMAP if method == 'umap' else ''}")
    if other is None:
        frame.notes()
        _teach(choice)
        return
    compared(choice, other[0], (layer, other[1]), method=method, column=column)


def compared(choice: Choice, other: Choice, layers: tuple[int, int], *, method: Method, column: str) -> None:
    """Show two encoders beside each other, where their maps are there."""
    both, asked = (choice, other), between_data.asked(choice.names, choice.store, other.store)
    found = between_data.pair(asked)
    views = _views(both, layers, method)
    first = frame.wanted_map(choice, views[0])
    second = frame.wanted_map(other, views[1]) if first else None
    if first is None or second is None:
        return
    alike, fit = between_data.alike(asked, layers), between.laid(found, first, second)
    drawn = between_maps.drawn(found, (first, second), alike, fit)
    titles = map_plot.axis_titles(first), [f"A's axis {k + 1}" for k in range(views[0].n_components)]
    common = len(choice.names) > 1
    scenes = between_maps.scenes(found, drawn, titles, column=column, common=common)
    words = [between_panel.words(one.found, layer) for one, layer in zip(both, layers, strict=True)]
    sides = (
        Side(LETTERS[0], words[0], _shown(first), layers[0], scenes[0]),
        Side(LETTERS[1], words[1], f"{_shown(second)} Laid on A's by {between_panel.turn(fit)}.", layers[1], scenes[1]),
    )
    clip_panel.check_link(found.a)
    frame.synthetic(choice.located)
    frame.notes()

    def under() -> None:
        between_panel.alike(alike, fit, same=between_panel.same(both, layers))
        between_panel.table(asked, sides)
        between_layers.show(asked, both, found, chosen=layers)

    between_maps.show(asked, sides, under=under)
    _sources(choice, found, words, common=common and column == EMOTION)
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)


def _other(choice: Choice, layer: int) -> tuple[Choice, int] | None:
    """Choose encoder and layer of B; None where there is nothing but A to choose."""
    known = widgets.common_coverage([data.coverage(name) for name in choice.names])
    if len(known) == 1 == len(choice.found.layers):
        return None
    chosen = widgets.encoder(choice.names, name="other_encoder", label="Encoder B", beside=choice.store.key)
    if chosen is None:
        return None
    found = data.embedded(choice.names, chosen.store)
    beside = layer if chosen.store.key == choice.store.key else None
    at = widgets.layer(found, name="other_layer", label="Layer of B", beside=beside)
    return replace(choice, store=chosen.store, found=found), at


def _teach(choice: Choice) -> None:
    """Say how to come by a second encoder; of one corpus, offer to embed it with one that is here in seconds."""
    names = ", ".join(choice.names)
    own = str(choice.found.recipe["name"])
    offered = next(name for name in OTHERS if name != own)
    commands = "; ".join(f"`ser embed {name} {offered}`" for name in choice.names)
    st.markdown(
        f"Nothing to compare yet: {widgets.plain(names)} is embedded with one encoder only, {widgets.plain(own)}, "
        f"which has one layer. Embed the same clips with another one on the Data page, or in a terminal: {commands}. "
        "Networks such as `wav2vec2-base` have a layer to compare at every depth; one that was trained here is an "
        "encoder, too (`run:…`)."
    )
    if len(choice.names) == 1:
        progress.offer(
            ["embed", choice.names[0], offered],
            going="The clips are being embedded; you can go on elsewhere meanwhile.",
            wanted=f"With `{offered}`: {widgets.plain(data.forecast(choice.names[0], offered)[1])}",
            label=f"Embed them with {offered} (in the background)",
            start=lambda: data.start_embedding(choice.names[0], offered),
        )
    st.page_link(frame.VIEWS / "data.py", label="Open the Data page")
    links.publish()


def _views(both: tuple[Choice, Choice], layers: tuple[int, int], method: Method) -> list[View]:
    """Return what both maps are: in 3-D, in 2-D where an encoder has no more than two values."""
    dims = min(3, *(one.found.vectors.shape[2] for one in both))
    return [
        View(layer, method, dims, maps.default_scaling(one.found.recipe), maps.SEED)
        for one, layer in zip(both, layers, strict=True)
    ]


def _shown(drawn: Map) -> str:
    """Return what a map shows of its space."""
    explained = drawn.projection.explained_variance
    if explained is None:
        return "UMAP: who is near whom; its axes mean nothing."
    n = drawn.view.n_components
    return f"{100 * float(explained[:n].sum()):.0f} % of the variance on its {n} axes (PCA)."


def _sources(choice: Choice, found: Pair, words: list[str], *, common: bool) -> None:
    ways = [widgets.SCALINGS[maps.default_scaling(one.recipe)] for one in (found.a, found.b)]
    facts = [f"{letter}: {one}, {way}" for letter, one, way in zip(LETTERS, words, ways, strict=True)]
    alone = [(found.only_a, "A"), (found.only_b, "B")]
    facts += [f"{n:,} clips that only {letter} has are left out" for n, letter in alone if n]
    facts += ["no split: all clips; neighbours' emotion: each speaker left out"]
    facts += ["emotions under their common names"] if common else []
    frame.sources(replace(choice, found=found.a), *facts)


frame.page("Two encoders side by side (compare)", main)
