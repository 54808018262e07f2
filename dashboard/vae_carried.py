"""Which latent of an autoencoder carries what."""

from typing import Final

import pandas as pd
import streamlit as st

from dashboard import export, progress, vae_data
from dashboard.words import interval
from ser_core import latents, scores
from ser_core.latents import Carried
from ser_core.plots import vae as plot
from ser_core.runs import Run

CHART: Final = "carried"
CONFIG: Final = {"displayModeBar": False}


def show(run: Run) -> None:
    """Show the tables, or offer to compute them."""
    found = vae_data.carried(run)
    if found is None:
        progress.offer(
            latents.arguments(run),
            going="It is being computed what the latents carry; you can go on elsewhere meanwhile.",
            wanted="Which latent carries emotion, intensity, sentence, speaker or gender was not computed yet.",
            label="Compute it (a minute or so, in the background)",
            start=lambda: vae_data.start_carried(run),
        )
        return
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        _matrix(run, found)
    with right:
        _latents(run, found)
    _scores(run, found)
    _emotions(run, found)


def _matrix(run: Run, found: Carried) -> None:
    chance = found.information.chance / found.information.entropy
    with st.container(key=CHART):
        figure = plot.carried(found.information.shares, chance, found.factors)
        st.plotly_chart(figure, key=f"{CHART}_figure", config=CONFIG, alt="What each latent says of each factor")
    highest = 100 * chance.max(axis=0)
    luck = ", ".join(f"{name} {value:.0f}" for name, value in zip(found.factors, highest, strict=True))
    st.caption(
        f"Per cent of what there is to know of each that the mean of a latent tells (mutual information, "
        f"{found.n_clips:,}  clips). With labels shuffled, counting so many clips gives on average up to: {luck}."
    )
    export.picture(CHART, name=f"carried-{run.id}")


def _latents(run: Run, found: Carried) -> None:
    table = pd.DataFrame(
        {
            "latent": range(len(found.active)),
            "KL (nats)": found.divergence,
            "active": ["yes" if one else "no" for one in found.active],
        }
    )
    column = {"KL (nats)": st.column_config.NumberColumn(format="%.2f")}
    st.dataframe(table, hide_index=True, height=38 + 35 * len(table), column_config=column)
    st.caption(
        f"{int(found.active.sum())} of {len(found.active)} latents are active: the variance of their mean over the "
        "clips is more than 0.01. KL: how much a latent says of a clip at all."
    )
    export.table(table, name=f"latents-{run.id}")


def _scores(run: Run, found: Carried) -> None:
    st.markdown("##### One latent for one thing? (disentanglement, 0 to 1)")
    table = pd.DataFrame(
        {
            "of": found.factors,
            "MIG": found.information.gaps,
            "SAP": found.separated.gaps,
            "DCI completeness": found.importance.completeness,
            "told by all latents (UAR, %)": 100 * found.importance.informativeness,
        }
    )
    names = ("MIG", "SAP", "DCI completeness")
    columns = {name: st.column_config.NumberColumn(format="%.3f") for name in names}
    columns["told by all latents (UAR, %)"] = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(table, hide_index=True, column_config=columns)
    st.caption(
        "MIG: how much more the best latent says than the second best. SAP: the same for telling it by one latent "
        "alone. Completeness: 1 if one latent is needed, 0 if all alike. Told by all: a random forest on clips kept "
        f"from it, speakers shared. DCI disentanglement, over all latents: {found.importance.disentanglement:.3f}."
    )
    export.table(table, name=f"disentanglement-{run.id}")


def _emotions(run: Run, found: Carried) -> None:
    if found.emotions is None:
        return
    span = interval([100 * end for end in found.emotions.interval(scores.uar)], digits=1, say="95 %: ")
    n_heard = run.latents.loc[run.latents["part"] == "train", "speaker"].nunique()
    st.markdown(
        f"**Emotion from the {len(found.active)} means alone**, by a support vector machine on speakers that it had "
        f"not learnt from: UAR **{100 * found.emotions.uar:.1f} %**{span}, {len(found.emotions.truth):,} clips; "
        f"guessing gives {100 / len(found.emotions.classes):.1f} %. The autoencoder itself has heard {n_heard} of the "
        "speakers, without being told any emotion."
    )
