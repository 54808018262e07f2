"""Where the latents of autoencoders put every clip: σ against μ, two models side by side, and the way to the maps."""

from typing import Final

import streamlit as st

from dashboard import export, on_maps, vae_data, widgets
from ser_core import latents
from ser_core.plots import vae as plot
from ser_core.runs import Run

CONFIG: Final = {"displayModeBar": False}
FEW: Final = 3
NONE: Final = "none"


def show(run: Run, runs: list[Run]) -> None:
    """Show the latents of a run, and of another one beside it."""
    titles = vae_data.titled(runs)
    others = {NONE: "no other"}
    others |= {one.id: titles[one.id] for one in runs if one.corpus == run.corpus and one.id != run.id}
    left, right = st.columns([2, 1], gap="medium", vertical_alignment="bottom")
    with left:
        other = widgets.select(
            "beside", "Beside it", list(others), default=list(others)[min(1, len(others) - 1)], show=others.__getitem__
        )
    whole = right.toggle(
        "All latents", key="_all_latents", persist_state="session", help="Else the three best separated"
    )
    st.markdown(
        "Each point is a clip of the corpus, whether the network was trained on it or not. Across: the mean μ that "
        "the encoder gives a latent; up: how unsure it is (σ; a latent at μ 0 and σ 1 says nothing). Latents come in "
        "the order in which they tell emotions apart: **η²** is the share of the variance of μ that lies between "
        "emotions (0 % none, 100 % all)."
    )
    shown = [run, *(one for one in runs if one.id == other)]
    for column, one in zip(st.columns(len(shown), gap="medium"), shown, strict=True):
        with column:
            _clouds(one, whole=whole, across=(2 if whole else 1) if len(shown) > 1 else (4 if whole else FEW))
    on_maps.offer(run, "The means of the latents")


def _clouds(run: Run, *, whole: bool, across: int) -> None:
    table = vae_data.clips(run)
    means, deviations = latents.parameters(table)
    apart, ranks = vae_data.separation(run)
    order = ranks[: None if whole else FEW].tolist()
    n_taught = int((table["part"] == "train").sum())
    st.markdown(f"**{widgets.plain(run.title)}**")
    st.caption(f"{len(table):,} clips, {n_taught:,} of them trained on")
    key = f"clouds_{run.id}"
    with st.container(key=key):
        figure = plot.clouds(
            means, deviations, table["emotion"].tolist(), latents=order, separation=apart, across=across
        )
        st.plotly_chart(
            figure, key=f"{key}_figure", config=CONFIG, alt="Standard deviation against mean of each latent"
        )
    export.picture(key, name=f"latents-{run.id}")
