"""How far a map can be trusted: the measures, their intervals, and the scree plot."""

from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import export
from ser_core import maps, resampling
from ser_core.embeddings import Embeddings
from ser_core.maps import QUALITY_K, Map
from ser_core.plots import scree

BY_CHANCE: Final = "1: all of them; about 0.5: by chance. Venna & Kaski 2001"
MEASURES: Final = (
    (
        "trustworthiness",
        "Trustworthiness",
        "no false neighbours",
        f"Neighbours in the picture are neighbours in truth. {BY_CHANCE}, eq. 2.",
    ),
    (
        "continuity",
        "Continuity",
        "no torn neighbours",
        f"True neighbours are still neighbours in the picture. {BY_CHANCE}, eq. 4.",
    ),
    (
        "overlap",
        "Neighbour overlap",
        "true neighbours kept",
        "Share of the true nearest neighbours that are among the nearest in the picture.",
    ),
)
SCREE: Final = "scree"
WIDTH: Final = 126
VARIANCE_HELP: Final = "Explained variance: share of the variance of all dimensions that the axes shown carry together."


def show(found: Embeddings, drawn: Map) -> None:
    """Show the quality strip, and for PCA the scree plot."""
    st.markdown("**How far to trust this picture**")
    _strip(found, drawn)
    explained = drawn.projection.explained_variance
    if explained is not None:
        st.markdown("**Variance of each principal component, and of the first ones together** (scree plot)")
        figure = scree.figure(explained, n_shown=drawn.view.n_components)
        with st.container(key=SCREE):
            st.plotly_chart(figure, key="scree_figure", config={"displayModeBar": False}, alt="Scree plot")
        export.picture(SCREE, name="scree")


def _strip(found: Embeddings, drawn: Map) -> None:
    row = st.container(horizontal=True, gap="small")  # wraps where the page is narrow or the text large
    columns = [row.container(width=WIDTH) for _ in range(4)]
    if drawn.quality is None:
        st.caption(f"Neighbourhoods are measured from {2 * QUALITY_K + 1} clips on; there are {len(found.clips)}.")
    else:
        for column, (name, title, words, meaning) in zip(columns, MEASURES, strict=False):
            values = getattr(drawn.quality, name)
            between = interval(values, found)
            span = f", {number(between[0], between)} to {number(between[1], between)}" if between else ""
            column.metric(title, number(float(values.mean()), between), help=meaning)
            column.caption(words + span)
    explained = drawn.projection.explained_variance
    n_shown = drawn.view.n_components
    if explained is None:
        columns[3].metric("Variance shown", "none", help="UMAP's axes explain no variance: only PCA's do.")
        columns[3].caption("a measure of PCA only")
    else:
        columns[3].metric("Variance shown", f"{100 * explained[:n_shown].sum():.1f} %", help=VARIANCE_HELP)
        columns[3].caption(f"by the {n_shown} axes shown, of {found.recipe['dim']:,}")
    if drawn.quality is not None:
        speakers = found.clips["speaker"].nunique()
        of = f"; 95 % intervals from resampling the {speakers} speakers" if speakers > 1 else ""
        st.caption(f"Means over n = {len(found.clips):,} clips, k = {drawn.quality.k} neighbours each{of}.")


def interval(values: NDArray[np.float64], found: Embeddings) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean over speakers, None if there is only one."""
    speakers = found.clips["speaker"]
    if speakers.nunique() < 2:
        return None
    return resampling.mean_interval(values, list(speakers), seed=maps.SEED)


def number(value: float, between: tuple[float, float] | None) -> str:
    """Return a measure with as many digits as its interval deserves."""
    fine = between is not None and between[1] - between[0] < 0.02
    return f"{value:.3f}" if fine else f"{value:.2f}"
