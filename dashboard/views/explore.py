"""Which clips does an encoder find alike? The map of its space: see it, click a point, hear the clip."""

import streamlit as st

from dashboard import clip_panel, frame, map_panel, quality_panel, widgets
from ser_core.plots.colours import EMOTION

SEEN = "Each point is one clip; clips that the encoder finds alike lie close together."
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
    choice = frame.choose()
    if choice is None:
        return
    with st.sidebar:
        view = widgets.view(choice.found)
        column = widgets.colour(choice.found.clips)
    trust = "the picture shows only part of the variance, and points that look close may differ in the rest"
    if view.method == "umap":
        trust = "distances between groups, and their sizes, mean little in UMAP"
    trust = f"Do not read too much into it: {trust}, so check the measures below and the true neighbours on the right."
    frame.introduce(SEEN, trust)
    drawn = frame.wanted_map(choice, view)
    if drawn is None:
        return
    scene = map_panel.scene(choice.found, drawn, column=column, common=len(choice.names) > 1)
    clip_panel.check_link(choice.found)
    frame.cautions(choice.names, choice.store)
    frame.notes()
    map_panel.show(scene, under=lambda: quality_panel.show(choice.found, drawn))
    facts = [*frame.view_facts(choice, view), "no split: all clips"]
    if len(choice.names) > 1 and column == EMOTION:
        facts.append("emotions under their common names")
    frame.sources(choice, *facts)
    with st.expander("How to read this map"):
        st.markdown(REFERENCES)


frame.page("Explore", main)
