"""What every page that looks at embeddings shares: corpus and encoder, the map to draw, notes, sources."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import data, links, map_panel, progress, widgets
from ser_core import maps
from ser_core.catalogue import Located
from ser_core.embeddings import Embeddings
from ser_core.errors import SerError
from ser_core.maps import Map, View
from ser_core.store import VectorStore

EMPTY = """
Nothing to show yet: a map needs a corpus and its embeddings.

- **Just looking?** Run `make demo` in a terminal: in a few minutes it makes three synthetic corpora
  and a diary, and embeds them.
- **Your own recordings or a published corpus?** Add its folder and embed it on the Data page, or in a terminal:
  `ser corpora add emodb FOLDER`, then `ser embed emodb egemaps` (about 20 seconds for 535 clips).
"""
NONE_SHARED = """
No encoder has embeddings of all the corpora chosen, so they cannot be put on one map. Choose fewer corpora on the
left, or embed the missing ones on the Data page, or in a terminal with `ser embed CORPUS ENCODER`.
"""
VIEWS = Path(__file__).with_name("views")


@dataclass(frozen=True)
class Choice:
    """The corpora and the embeddings that a page looks at."""

    located: list[Located]
    names: tuple[str, ...]
    store: VectorStore
    found: Embeddings


def page(title: str, body: Callable[[], None]) -> None:
    """Draw a page; an error becomes one sentence, and the navigation stays."""
    st.subheader(title, anchor=False)
    try:
        body()
    except SerError as error:
        st.error(widgets.plain(str(error)))


def choose(*, label: str = "Encoder") -> Choice | None:
    """Choose corpora and encoder in the sidebar; None, and a word on what to do, where there is nothing to look at."""
    located = data.corpora()
    if not any(part.n_embedded for one in located for part in data.coverage(one.name)):
        _teach(EMPTY)
        return None
    with st.sidebar:
        names = widgets.corpora(located)
        chosen = widgets.encoder(names, label=label)
    if chosen is None:
        notes()
        _teach(NONE_SHARED)
        return None
    found = data.embedded(names, chosen.store)
    return Choice([one for one in located if one.name in names], names, chosen.store, found)


def introduce(seen: str, trust: str) -> None:
    """Say in a sentence what is seen, and in another when not to trust it."""
    st.markdown(f"{seen} {trust}")


def cautions(names: tuple[str, ...], store: VectorStore) -> None:
    """Say which of these corpora are synthetic, and whether the network behind the embeddings has learnt from them."""
    synthetic([one for one in data.corpora() if one.name in names])
    n, of = data.n_taught(data.source(names, store)), len(data.embedded(names, store).clips)
    if n is None:
        st.markdown(
            "The network that made these embeddings is no longer here: it may have been trained on these clips, and "
            "they then look better separated than new clips would."
        )
    elif n:
        clips = f"{n:,} of these {of:,} clips" if n < of else f"these {of:,} clips"
        if not data.taught_emotions(store):
            st.markdown(
                f"The autoencoder that made these embeddings was trained on {clips}, without being told an emotion: it "
                "knows these voices better than it would new ones."
            )
            return
        st.markdown(
            f"**The network that made these embeddings was trained on {clips}**: they look better separated than new "
            "clips would."
        )


def synthetic(located: Sequence[Located]) -> None:
    """Say which corpora are synthetic speech."""
    made = [one.name for one in located if one.corpus.synthetic]
    if made:
        names = widgets.plain(", ".join(made))
        st.markdown(f"**Synthetic speech** ({names}): made by a program to try things out; nobody spoke these clips.")


def notes() -> None:
    """Show what the link asked for and could not be had."""
    if links.notes():
        st.warning(widgets.plain(" ".join(links.notes())))


def wanted_map(choice: Choice, view: View) -> Map | None:
    """Return the map; where it takes too long for a page, offer to draw it in the background, and return None."""
    drawn = data.wanted_map(choice.names, choice.store, view)
    if drawn is None:
        notes()
        _offer(choice, view)
        map_panel.forget_camera()
        links.publish()
    return drawn


def sources(choice: Choice, *facts: str, rows: NDArray[np.integer] | None = None, lacking: str = "emotion") -> None:
    """Say in a line what is seen, and where it comes from; ``rows`` are the clips measured, the others lack a word."""
    clips = choice.found.clips if rows is None else choice.found.clips.iloc[rows]
    if left := len(choice.found.clips) - len(clips):
        facts += (f"{left:,} clips without a known {lacking} are left out",)
    corpora = ", ".join(one.name + (" (synthetic speech)" if one.corpus.synthetic else "") for one in choice.located)
    parts = [
        f"{len(clips):,} clips", f"{clips['speaker'].nunique()} speakers", corpora,
        f"encoder {choice.found.recipe['name']}", *facts,
    ]  # fmt: skip
    cited = "; ".join(f"{one.name}: {one.corpus.citation} ({one.corpus.licence})" for one in choice.located)
    st.caption(widgets.plain(f"{' · '.join(parts)}. Source: {cited}."))
    for sentence in choice.found.damaged:
        st.caption(widgets.plain(sentence))
    widgets.matched(choice.found.clips)


def view_facts(choice: Choice, view: View) -> tuple[str, str]:
    """Return layer and scaling in words, for `sources`."""
    return f"layer {choice.found.layers[view.layer]}", widgets.SCALINGS[view.scaling]


def _teach(text: str) -> None:
    st.markdown(text)
    st.page_link(VIEWS / "data.py", label="Open the Data page")


def _offer(choice: Choice, view: View) -> None:
    """Say that a map has to be computed first, and how long that takes."""
    n_clips = len(choice.found.clips)
    what = f"This map ({widgets.METHODS[view.method]} in {view.n_components}-D of {n_clips:,} clips)"
    progress.offer(
        maps.arguments(choice.names, choice.store.key, view),
        going=f"{what} is being drawn; you can go on elsewhere meanwhile.",
        wanted=f"{what} has not been drawn yet.",
        label=f"Draw this map (about {15 + n_clips // 200} s, in the background)",
        start=lambda: data.start_map(choice.names, choice.store, view),
    )
