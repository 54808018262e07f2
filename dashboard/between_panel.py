"""What is measured of two encoders: how emotions show in each, under its map, and how alike the two are."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import between_data, data, export, widgets
from dashboard.between_data import Asked
from dashboard.frame import Choice
from dashboard.map_panel import Scene
from dashboard.words import fitting, interval, number
from ser_core.between import Between, Parting, Portrait
from ser_core.embeddings import Embeddings
from ser_core.geometry.clustered import Estimate
from ser_core.geometry.similarity import Fit
from ser_core.runs import PREFIX

LETTERS: Final = ("A", "B")
ROWS: Final = {
    "on the map": "Silhouette on this map",
    "silhouette": "Silhouette, all dimensions",
    "between_within": "Between / within, all dim.",
    "recall": "Emotion told by neighbours",
    "correlation": "Circular correlation",
    "order_agreement": "Order agreement",
}
SAME: Final = (
    "A and B are the same layer of the same encoder: everything is alike. Choose another encoder or layer on the left."
)

NEIGHBOURS: Final = (
    "Of the ten clips nearest to a clip in A (Euclidean, all dimensions, scaled), the share that is among its ten "
    "nearest in B; mean over the clips. 100 %: both find the same clips alike."
)
CKA: Final = (
    "How far products between clips in A go with those in B, after centring (centred kernel alignment): 1 where the "
    "spaces differ by turn, mirror image, scale and shift alone. Debiased, since with more dimensions than clips the "
    "plain one is high for unrelated spaces, too. Kornblith et al. 2019."
)
FIT: Final = (
    "What is left in common once B's map is laid on A's as well as can be: 100 % for the same shape. It is the same "
    "whichever is laid on the other. Disparity: the rest. It is of these maps, not of the spaces."
)


@dataclass(frozen=True)
class Side:
    """One of the two encoders: its letter, encoder and layer in words, what is said of its map, and the map."""

    letter: str
    words: str
    note: str
    layer: int
    scene: Scene

    @property
    def number(self) -> int:
        """0 for A, 1 for B."""
        return LETTERS.index(self.letter)


def words(found: Embeddings, layer: int) -> str:
    """Return what an encoder is called, and its layer where it has several."""
    name = str(found.recipe["name"])
    title = next((one.title for one in data.encoders() if one.name == name and name.startswith(PREFIX)), name)
    return f"{title}, layer {found.layers[layer]}" if len(found.layers) > 1 else title


def same(both: tuple[Choice, Choice], layers: tuple[int, int]) -> bool:
    """Say whether there is nothing to compare: the same layer of the same encoder twice."""
    return both[0].store.key == both[1].store.key and layers[0] == layers[1]


def numbers(asked: Asked, side: Side) -> None:
    """Show how emotions show in one encoder, and whether it knew the clips before."""
    if why := between_data.knows(asked, side.number):
        st.markdown(f"**{widgets.plain(why)}**")
    told = between_data.portrait(asked, side.number, side.layer)
    if isinstance(told, str):
        st.caption(f"How emotions show cannot be told: {widgets.plain(told)}.")
        return
    parting = between_data.parting(asked, side.number, side.scene.map_id, side.scene.drawn)
    widgets.facts(facts(told, parting))
    people = f"; in brackets 95 %, drawing the {told.n_speakers} speakers anew" if told.n_speakers > 1 else ""
    none = f" Neighbours: {widgets.plain(told.no_recall)}." if told.no_recall else ""
    st.caption(f"{told.n_clips:,} clips of a known emotion{people}.{none}")


def facts(told: Portrait, parting: Parting) -> dict[str, str]:
    """Return the numbers of one encoder in words."""
    circle = {name: _said(getattr(told, name)) for name in ("correlation", "order_agreement")}
    apart = {"on the map": parting.silhouette, "silhouette": told.silhouette}
    out = circle | {name: fitting(one.value, one.low, one.high) for name, one in apart.items()}
    out["between_within"] = number(told.between_within)
    percent = Estimate(*(100 * value for value in (told.recall.value, told.recall.low, told.recall.high)))
    guessing = f"; guessing {100 / told.n_emotions:.3g} %"
    out["recall"] = "none" if told.no_recall else f"{_said(percent, digits=0, unit=' %')}{guessing}"
    return {words: out[name] for name, words in ROWS.items()}


def alike(found: Between, fit: Fit, *, same: bool) -> None:
    """Show how alike the two are: shared neighbours, CKA, and one map on the other."""
    st.markdown("##### How alike are the two?")
    if same:
        st.info(SAME)
    near, chance = found.overlap.mean, found.overlap.chance
    columns = st.columns(3, gap="medium")
    with columns[0]:
        st.metric("Shared neighbours", f"{100 * near:.0f} %", help=NEIGHBOURS)
        ends = interval([100 * one for one in found.overlap_95], digits=0) if found.overlap_95 else ""
        sure = f"95 % interval{ends}, drawing speakers anew" if ends else "one speaker: no interval"
        st.caption(f"of the {found.overlap.k} nearest clips; by chance {100 * chance:.1f} %; {sure}")
    with columns[1]:
        st.metric("Linear CKA", number(found.cka.debiased), help=CKA)
        part = "" if found.n_cka == len(found.overlap.shares) else f", a sample of {found.n_cka:,} clips"
        st.caption(f"debiased; around 0 for unrelated spaces, 1 the same{part}; no interval")
    with columns[2]:
        st.metric("Fit of the maps", f"{100 * (1 - fit.disparity):.0f} %", help=FIT)
        st.caption(f"of the scatter, after {turn(fit)} (Procrustes); disparity {number(fit.disparity)}")


def turn(fit: Fit) -> str:
    """Return what lays one map on the other, in words."""
    how = "a turn with a mirror image" if fit.mirrored else "a turn without a mirror image"
    return f"{how}, a scale of {fit.scale:.3g} and a shift"


def table(asked: Asked, sides: tuple[Side, Side]) -> None:
    """Offer the numbers of both sides as a table."""
    told = [between_data.portrait(asked, side.number, side.layer) for side in sides]
    rows = []
    for side, one in zip(sides, told, strict=True):
        if isinstance(one, str):
            return
        parting = between_data.parting(asked, side.number, side.scene.map_id, side.scene.drawn)
        values = {"on the map": parting.silhouette} | {name: getattr(one, name) for name in list(ROWS)[1:]}
        for name, value in values.items():
            found = value if isinstance(value, Estimate) else Estimate(value, np.nan, np.nan)
            rows.append((ROWS[name], side.letter, side.words, found.value, found.low, found.high))
    columns = ["measure", "side", "encoder", "value", "from", "to"]
    with st.expander("The numbers of both as a table"):
        found = pd.DataFrame(rows, columns=columns)
        st.dataframe(found, hide_index=True, key="compare_table")
        export.table(found, name="compare")


def _said(one: Estimate, *, digits: int = 2, unit: str = "") -> str:
    return f"{number(one.value, digits=digits)}{unit}{interval((one.low, one.high), digits=digits)}"
