"""Which clips does an encoder find alike? The map of its space: see it, click a point, hear the clip."""

from pathlib import Path

import streamlit as st

from dashboard import clip_panel, data, links, map_panel, progress, widgets
from ser_core import maps
from ser_core.catalogue import Located
from ser_core.embeddings import Embeddings
from ser_core.errors import SerError
from ser_core.maps import View
from ser_core.plots.colours import EMOTION
from ser_core.store import VectorStore

EMPTY = """
Nothing to show yet: a map needs a corpus and its embeddings.

- **Just looking?** Run `make demo` in a terminal: in about a minute it makes synthetic corpora and embeds one.
- **Your own recordings or a published corpus?** Add its folder and embed it on the Data page, or in a terminal:
  `ser corpora add emodb FOLDER`, then `ser embed emodb egemaps` (about 20 seconds for 535 clips).
"""
NONE_SHARED = """
No encoder has embeddings of all the corpora chosen, so they cannot be put on one map. Choose fewer corpora on the
left, or embed the missing ones on the Data page, or in a terminal with `ser embed CORPUS ENCODER`.
"""
DATA_PAGE = Path(__file__).with_name("data.py")


REFERENCES = """
- PCA turns the axes so that the first ones carry most of the variance; it is linear and keeps large distances best.
  Jolliffe & Cadima 2016, *Phil. Trans. R. Soc. A* 374: 20150202.
- UMAP keeps who is near whom and gives up distances: how far apart two groups lie, and how large they look, means
  little. McInnes, Healy & Melville 2018, arXiv:1802.03426.
- Trustworthiness and continuity: Venna & Kaski 2001, *ICANN*, LNCS 2130, pp. 485-491.
- Nearest neighbours and all measures are computed in the original space, with all its dimensions, scaled as chosen.
- Emotion words are each corpus's own labels: what was asked of the speakers, or what listeners said; see its source.
"""


def main() -> None:
    """Draw the page."""
    st.subheader("Explore", anchor=False)
    try:
        _page()
    except SerError as error:
        st.error(widgets.plain(str(error)))


def _page() -> None:
    located = data.corpora()
    if not any(part.n_embedded for one in located for part in data.coverage(one.name)):
        _teach(EMPTY)
        return
    with st.sidebar:
        names = widgets.corpora(located)
        chosen = widgets.encoder(names)
    if chosen is None:
        _say_notes()
        _teach(NONE_SHARED)
        return
    found = data.embedded(names, chosen.store)
    with st.sidebar:
        view = widgets.view(found)
        column = widgets.colour(found.clips)
    drawn = data.wanted_map(names, chosen.store, view)
    if drawn is None:
        _introduce(view)
        _say_notes()
        _offer(names, chosen.store, view, len(found.clips))
        map_panel.forget_camera()
        links.publish()
        return
    scene = map_panel.scene(found, drawn, column=column, common=len(names) > 1)
    clip_panel.check_link(found)
    _introduce(view)
    _say_synthetic([one for one in located if one.name in names])
    _say_notes()
    map_panel.show(scene)
    _sources([one for one in located if one.name in names], found, view, column)


def _introduce(view: View) -> None:
    trust = "the picture shows only part of the variance, and points that look close may differ in the rest"
    if view.method == "umap":
        trust = "distances between groups, and their sizes, mean little in UMAP"
    st.markdown(
        "Each point is one clip; clips that the encoder finds alike lie close together. "
        f"Do not read too much into it: {trust}, so check the measures below and the true neighbours on the right."
    )


def _say_synthetic(located: list[Located]) -> None:
    made = [one.name for one in located if one.corpus.synthetic]
    if made:
        names = widgets.plain(", ".join(made))
        st.markdown(f"**Synthetic speech** ({names}): made by a program to try things out; nobody spoke these clips.")


def _say_notes() -> None:
    if links.notes():
        st.warning(widgets.plain(" ".join(links.notes())))


def _teach(text: str) -> None:
    st.markdown(text)
    st.page_link(DATA_PAGE, label="Open the Data page")


def _offer(names: tuple[str, ...], store: VectorStore, view: View, n_clips: int) -> None:
    """Say that a map has to be computed first, and how long that takes."""
    method = f"{widgets.METHODS[view.method]} in {view.n_components}-D"
    if any(job.active and job.arguments == maps.arguments(names, store.key, view) for job in data.jobs()):
        st.info(f"This map ({method} of {n_clips:,} clips) is being drawn; you can go on elsewhere meanwhile.")
        progress.watch(maps.title(names, view))
        return
    st.info(f"This map ({method} of {n_clips:,} clips) has not been drawn yet.")
    seconds = 15 + n_clips // 200
    if st.button(f"Draw this map (about {seconds} s, in the background)", type="primary"):
        data.start_map(names, store, view)
        st.rerun()


def _sources(located: list[Located], found: Embeddings, view: View, column: str) -> None:
    """Say in a line what is seen, and where it comes from."""
    clips = found.clips
    corpora = ", ".join(one.name + (" (synthetic speech)" if one.corpus.synthetic else "") for one in located)
    parts = [
        f"{len(clips):,} clips", f"{clips['speaker'].nunique()} speakers", corpora, f"encoder {found.recipe['name']}",
        f"layer {found.layers[view.layer]}", widgets.SCALINGS[view.scaling], "no split: all clips",
    ]  # fmt: skip
    if len(located) > 1 and column == EMOTION:
        parts.append("emotions under their common names")
    cited = "; ".join(f"{one.name}: {one.corpus.citation} ({one.corpus.licence})" for one in located)
    st.caption(widgets.plain(f"{' · '.join(parts)}. Source: {cited}."))
    with st.expander("How to read this map"):
        st.markdown(REFERENCES)
    for sentence in found.damaged:
        st.caption(widgets.plain(sentence))


main()
