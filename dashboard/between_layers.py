"""Two encoders layer by layer: where emotions show, and which layers are alike."""

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import between_data, export, progress, widgets
from dashboard.between_data import Asked
from dashboard.frame import Choice
from dashboard.words import number
from ser_core import layers as walk
from ser_core.between import Pair
from ser_core.layers import MEASURES, Layers
from ser_core.plots import between as plots

CURVES: Final = "compare_curves"
CKA: Final = "compare_cka"
"""Keys of the containers that hold the pictures."""
CONFIG: Final = {"displayModeBar": False}


def show(asked: Asked, both: tuple[Choice, Choice], found: Pair, *, chosen: tuple[int, int]) -> None:
    """Show both encoders layer by layer, where one has several."""
    names = found.a.layers, found.b.layers
    if max(len(one) for one in names) == 1:
        return
    st.markdown("##### Layer by layer")
    told = between_data.by_layer(asked)
    if told is None:
        _offer(both, found)
        return
    _curves(asked, told, chosen)
    _cka(told, names, chosen)
    with st.expander("The layers as tables"):
        table = _table(told, names)
        st.dataframe(table, hide_index=True, key="layers_table")
        export.table(table, name="layers")
        square = pd.DataFrame(told.cka, columns=[f"B {k}" for k in range(len(names[1]))])
        square.insert(0, "layer of A", range(len(names[0])))
        st.dataframe(square, hide_index=True, key="cka_table")
        export.table(square, name="cka")


def _offer(both: tuple[Choice, Choice], found: Pair) -> None:
    a, b = both
    about = progress.duration(max(5.0, walk.seconds(found)))
    progress.offer(
        walk.job(a.names, a.store.key, b.store.key),
        going="The layers are being compared; you can go on elsewhere meanwhile.",
        wanted="How emotions show in every layer of both, and which layers are alike, was not computed yet.",
        label=f"Go through all layers (about {about}, in the background)",
        start=lambda: between_data.start_layers(a.names, a.store, b.store),
    )


def _curves(asked: Asked, told: Layers, chosen: tuple[int, int]) -> None:
    if np.isnan(told.a["silhouette"][:, 0]).all():
        st.caption("Fewer than two emotions are known: only likeness can be followed from layer to layer.")
        return
    portrait = between_data.portrait(asked, 0, chosen[0])
    chance = None if isinstance(portrait, str) or portrait.no_recall else 1 / portrait.n_emotions
    with st.container(key=CURVES):
        figure = plots.curves(told, chosen=chosen, chance=chance)
        alt = "Silhouette, recall and circular correlation by layer of both; the tables below list them"
        st.plotly_chart(figure, key=f"{CURVES}_figure", config=CONFIG, alt=alt)
    export.picture(CURVES, name="layers")
    bands = " Bands: 95 %, drawing speakers anew, for each layer by itself." if _sure(told) else ""
    st.caption(
        f"Ringed: the layers of the maps above. Dotted: guessing.{bands} Layers differ by chance, too: the best of "
        "many looks better than it is."
    )


def _cka(told: Layers, names: tuple[list[str], list[str]], chosen: tuple[int, int]) -> None:
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        with st.container(key=CKA):
            figure = plots.cka(told.cka, layers=names, chosen=chosen)
            st.plotly_chart(
                figure, key=f"{CKA}_figure", config=CONFIG, alt="CKA of every layer of A with every one of B"
            )
        export.picture(CKA, name="layers-cka")
    with right:
        st.markdown("**Which layers are alike (CKA)**")
        st.markdown(widgets.plain(changed(told.cka)))
        st.caption(
            f"Blue: alike; grey: not. Framed: the layers of the maps above. Debiased, {told.n_cka:,} clips; "
            "neighbouring layers of one network are alike by their build."
        )


def changed(cka: np.ndarray) -> str:
    """Say which layers of two encoders are alike; of two that are equally deep, which have changed most."""
    n, m = cka.shape
    if n == m > 1:
        same = np.diag(cka)
        least, most = int(same.argmin()), int(same.argmax())
        return (
            f"Layers of the same depth are most alike at layer {most} ({number(same[most])}) and least at layer "
            f"{least} ({number(same[least])})."
        )
    i, j = np.unravel_index(int(np.nanargmax(cka)), cka.shape)
    return f"Most alike: layer {i} of A and layer {j} of B ({number(cka[i, j])})."


def _sure(told: Layers) -> bool:
    return bool(np.isfinite(told.a["silhouette"][:, 1]).all())


def _table(told: Layers, names: tuple[list[str], list[str]]) -> pd.DataFrame:
    rows = [
        (letter, k, layer, *(curve[name][k, end] for name in MEASURES for end in range(3)))
        for letter, curve, layers in (("A", told.a, names[0]), ("B", told.b, names[1]))
        for k, layer in enumerate(layers)
    ]
    ends = [f"{name}{end}" for name in MEASURES for end in ("", " from", " to")]
    return pd.DataFrame(rows, columns=["side", "layer", "name", *ends])
