"""Is it emotion or speaker that the map shows? Where each emotion lies, and how far the clouds overlap."""

from typing import Final

import streamlit as st

from dashboard import affect_data, clip_panel, clusters_panel, frame, map_panel, widgets
from ser_core import emotions
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings
from ser_core.geometry.density import LEVELS, in_order
from ser_core.plots import clusters as clusters_plot
from ser_core.plots import colours
from ser_core.plots.colours import EMOTION

SHAPES: Final = {
    "full": "its own ellipse (full)",
    "tied": "the same for all (tied)",
    "diagonal": "upright (diagonal)",
    "mixture": "several per emotion (mixture)",
}
SHAPE_HELP: Final = (
    "What is fitted to the clips of each emotion: a Gaussian with its own size and direction; one size and direction "
    "for all; its own size along each axis, but no slant; or up to four Gaussians, as many as the Bayesian "
    "information criterion prefers."
)
SHARES: Final = {**{f"{100 * level:.0f}": (level,) for level in LEVELS}, "all": LEVELS}
SEEN: Final = (
    "Each point is a clip; each outline holds a given share of the cloud of one emotion. Below: whether emotion or "
    "speaker makes the picture, and how far the clouds overlap."
)
TRUST_PCA: Final = (
    "Do not trust outlines of few clips, or of clouds that are not shaped like an ellipse; and emotions that overlap "
    "here can still be apart in the dimensions that the map leaves out."
)
TRUST_UMAP: Final = (
    "Do not read outlines, overlap and shares as facts about voices here: UMAP keeps neighbours and gives up sizes and "
    "distances, so they describe this picture only. PCA is the map to measure on."
)
REFERENCES: Final = """
- **Outlines.** A cloud is a Gaussian (normal distribution) fitted to the clips of an emotion on this map. An outline is
  where the Mahalanobis distance to its mean is the square root of a chi-square quantile, with 2 or 3 degrees of freedom
  as the map has dimensions: 50, 90 or 95 % of a Gaussian's clips lie inside. In a mixture, each part is outlined by
  itself, and their number, one to four, is the one with the lowest Bayesian information criterion (Schwarz 1978,
  *Ann. Statist.* 6: 461-464).
- **Variance.** How much less clips scatter around the means of their groups than around the middle of all, over all
  axes of the map together (R squared, redundancy analysis: Legendre & Legendre 2012, *Numerical Ecology*, 3rd ed.,
  section 11.1). Many groups explain something by chance: the table has the share adjusted for it (Peres-Neto et al.
  2006, *Ecology* 87: 2614-2625). A speaker belongs to one corpus, so with several corpora the share of speaker contains
  theirs; look then at what emotion *adds* to the others.
- **Silhouette**: Rousseeuw 1987, *J. Comput. Appl. Math.* 20: 53-65. Euclidean distance on the map, all clips.
- **Overlap**: the Bhattacharyya coefficient of two clouds, the integral of the square root of the product of their
  densities (Bhattacharyya 1943, *Bull. Calcutta Math. Soc.* 35: 99-109; Fukunaga 1990, *Introduction to Statistical
  Pattern Recognition*, 2nd ed., eq. 3.152); exact for Gaussians, simulated for mixtures. It bounds how often two
  emotions, equally frequent, are confused by the best rule that knows the clouds (Kailath 1967, *IEEE Trans. Commun.
  Technol.* 15: 52-60). It has no interval here: with few clips take it as a rough figure.
- Emotions go by their common names on this page (anger for *Ärger*, *angry* and *colère*); clips without an emotion are
  drawn, not measured.
"""


def main() -> None:
    """Draw the page."""
    choice = frame.choose()
    if choice is None:
        return
    known = _emotions(choice.found)
    with st.sidebar:
        view = widgets.view(choice.found)
        chosen = widgets.several("emotions", "Emotions", known, help="All, or those to compare: two say the most.")
        shape = widgets.select(
            "shape", "Shape of a cloud", list(SHAPES), default="full", show=SHAPES.__getitem__, help=SHAPE_HELP
        )
        usual = "all" if view.n_components == 2 else "90"
        inside = widgets.segments("levels", "Share of clips inside (%)", list(SHARES), default=usual, show=str)
    frame.introduce(SEEN, TRUST_UMAP if view.method == "umap" else TRUST_PCA)
    drawn = frame.wanted_map(choice, view)
    if drawn is None:
        return
    result = affect_data.clusters(choice.names, choice.store, view, shape)
    colouring = colours.colouring(choice.found.clips, EMOTION, common=True)
    inks = {part.name: part.colour for part in colouring.categories}
    scene = map_panel.scene(
        choice.found,
        drawn,
        column=EMOTION,
        common=True,
        overlay=clusters_plot.outlines(result.densities, levels=SHARES[inside], names=chosen, inks=inks),
        overlay_id=("clusters", shape, inside, chosen, map_panel.digest(result.clips.clips, [EMOTION])),
    )
    clusters_plot.dress(scene.figure, names=None if len(chosen) == len(known) else chosen)
    clip_panel.check_link(choice.found)
    frame.cautions(choice.names, choice.store)
    frame.notes()

    def under() -> None:
        st.caption(_outlines(inside, shape, flat=view.n_components == 2))
        clusters_panel.show(result, clusters_panel.Choice(chosen, inks))

    map_panel.show(scene, under=under)
    facts = (*frame.view_facts(choice, view), "emotions under their common names", "no split: all clips")
    frame.sources(choice, *facts)
    with st.expander("How to read this page"):
        st.markdown(REFERENCES)


def _outlines(inside: str, shape: str, *, flat: bool) -> str:
    each = "each part of a cloud" if shape == "mixture" else "a cloud"
    if inside != "all":
        return f"Outline: {inside} % of {each}, were it exactly Gaussian."
    kinds = "Solid 50 %, dashed 90 %, dotted 95 %" if flat else "From the inside: 50, 90 and 95 %"
    return f"{kinds} of {each}, were it exactly Gaussian."


def _emotions(found: Embeddings) -> tuple[str, ...]:
    words = found.clips[EMOTION]
    return in_order([emotions.common_name(str(word)) for word in words[words != UNKNOWN]])


frame.page("Clusters", main)
