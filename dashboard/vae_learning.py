"""How an autoencoder learnt: reconstruction and divergence against epochs."""

from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard import export, widgets
from dashboard.progress import duration
from ser_core.plots import vae as plot
from ser_core.runs import Run

CHART: Final = "losses"
CONFIG: Final = {"displayModeBar": False}


def show(run: Run) -> None:
    """Show the curves, and what was trained."""
    with st.container(key=CHART):
        figure = plot.losses(run.history)
        st.plotly_chart(figure, key=f"{CHART}_figure", config=CONFIG, alt="Reconstruction and divergence of each epoch")
    st.caption(
        "Reconstruction: how far clips are from themselves drawn again (half the sum of squared differences, in "
        "standard deviations of level). Divergence: how much the 8 numbers say of a clip. What is made small is the "
        f"reconstruction plus {run.recipe['training']['beta']:g} times the divergence (less in a warm-up). The other "
        "clips have no say in it: where their reconstruction rises, it learns its clips by heart."
    )
    export.picture(CHART, name=f"losses-{run.id}")
    _level(run.history)
    with st.expander("How it was trained"):
        recipe = run.recipe
        facts: dict[str, Any] = {"model": "Variational autoencoder (P3)", "clips trained on": recipe["n_taught"]}
        facts |= {"clips in all": recipe["n_clips"], "given": recipe["inputs"]["pictures"]["name"]}
        facts |= {name.replace("_", " "): value for name, value in recipe["training"].items()}
        facts |= {"seed": recipe["seed"], "decoder told the speaker": "yes" if recipe["told_speaker"] else "no"}
        facts |= {"parameters": f"{run.n_parameters:,}", "took": duration(run.seconds), "run": run.id}
        if silent := run.facts.get("n_silent"):
            facts["clips left out, nobody speaks"] = silent
        widgets.facts(facts)
        st.code(run.command, language="shell")


def _level(history: pd.DataFrame) -> None:
    """Say how much the reconstruction still fell in the last tenth of the epochs."""
    if len(history) < 20:
        return
    tenth = len(history) // 10
    last, before = (
        history["reconstruction"].iloc[part].mean() for part in (slice(-tenth, None), slice(-2 * tenth, -tenth))
    )
    still = 100 * (before - last) / before
    st.markdown(
        f"In the last tenth of the epochs the reconstruction loss {'fell' if still >= 0 else 'rose'} by "
        f"{abs(still):.1f} %, to {last:,.0f} nats a clip."
    )
