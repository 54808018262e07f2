"""Train an autoencoder: choose clips and how, start it in the background, watch it learn, stop it, go on."""

from functools import partial
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard import data, progress, runs_data, training_panel, widgets
from dashboard.progress import duration
from ser_core import plans
from ser_core.errors import SerError
from ser_core.jobs import Status
from ser_core.models.cards import VAE
from ser_core.plans import VaePlan
from ser_core.plots import vae as plot
from ser_core.run_files import GENDERS
from ser_core.runs import Run

CONFIG: Final = {"displayModeBar": False}
ALL: Final = "all"
BETAS: Final = (0.1, 0.3, 1.0, 2.0, 4.0, 10.0)
STEP: Final = 0.03
"""About how many seconds a step of 64 clips takes on a processor core."""
STEPS: Final = 25_000


def show(runs: list[Run]) -> None:
    """Show the form, what is being trained, and what was left half done."""
    names = [one.name for one in data.corpora()]
    if not names:
        st.markdown("A training needs a corpus: add recordings on the Data page.")
    else:
        first = next((run.corpus for run in runs if run.corpus in names), names[0])
        corpus = widgets.select("learnt_on", "Corpus", names, default=first)
        try:
            clips = data.clips_of(str(data.cache().root), corpus, data.stamp())
        except SerError as error:
            st.info(widgets.plain(str(error)))
        else:
            left, right = st.columns([1.3, 1], gap="large")
            with left:
                plan = ask(corpus, clips)
            with right:
                _start(plan, clips, runs)
    _live()
    training_panel.unfinished(runs_data.autoencoders())


def ask(corpus: str, clips: pd.DataFrame) -> VaePlan:
    """Choose the clips, and how it is trained."""
    genders = [one for one in GENDERS if "gender" in clips and (clips["gender"] == one).any()]
    who = [ALL, *genders, *sorted(clips["speaker"].dropna().astype(str).unique())]
    shown = {ALL: "everybody", **{one: f"all {one} speakers" for one in genders}}
    speakers = widgets.select(
        "vae_speakers", "Speakers", who, default=ALL, show=lambda one: shown.get(one, f"speaker {one}")
    )
    options: dict[str, Any] = {} if speakers == ALL else {"speakers": speakers}
    sentences = sorted(clips["statement"].dropna().astype(str).unique()) if "statement" in clips else []
    if len(sentences) > 1:
        said = [ALL, *sentences]
        statement = widgets.select(
            "vae_statement", "Sentence", said, default=ALL, show=lambda one: "all sentences" if one == ALL else one,
            help="One sentence only, as in the paper: the latents then need not say what is said.",
        )  # fmt: skip
        options |= {} if statement == ALL else {"statement": statement}
    with st.expander("More choices"):
        options |= _more()
    return VaePlan(VAE, corpus, **options)


def _more() -> dict[str, Any]:
    """Choose what has a usual value."""
    out: dict[str, Any] = {}
    left, right = st.columns(2)
    with left:
        out["told_speaker"] = st.toggle(
            "Decoder told who speaks", key="_told_speaker", persist_state="session",
            help="The latents then need not say whose voice it is; it can draw the voices that it was taught by only.",
        )  # fmt: skip
        beta = widgets.select(
            "vae_beta", "Weight of the divergence (β)", list(BETAS), default=1.0, show="{:g}".format,
            help="Higher: fewer latents are used, each for itself, and the pictures are blurred.",
        )  # fmt: skip
        epochs = st.number_input(
            "Epochs", min_value=0, max_value=100_000, value=0, key="_vae_epochs",
            persist_state="session", help="0: as many as 25,000 steps take, which is P3's 25,000 epochs of 30 clips.",
        )  # fmt: skip
    with right:
        out["any_length"] = st.toggle(
            "Any length", key="_any_length", persist_state="session",
            help="Clips up to 6.1 s; what comes after a clip's end is not learnt. Else 3.1 s, filled up.",
        )  # fmt: skip
        warmup = st.number_input(
            "Warm-up (epochs)", min_value=0, max_value=100_000, value=0, key="_vae_warmup", persist_state="session",
            help="In so many epochs the weight of the divergence grows from 0: the pictures come first.",
        )  # fmt: skip
        out["seed"] = st.number_input(
            "Seed", min_value=0, max_value=9999, value=0, key="_vae_seed", persist_state="session",
            help="The same seed gives the same run; others show how much is luck.",
        )  # fmt: skip
    out |= {} if beta == 1.0 else {"beta": beta}
    out |= {"epochs": epochs} if epochs else {}
    return out | ({"warmup": warmup} if warmup else {})


def _start(plan: VaePlan, clips: pd.DataFrame, runs: list[Run]) -> None:
    """Say what will be trained and how long it takes about, and start it."""
    st.markdown(f"**{widgets.plain(plans.title(plan))}**")
    try:
        n_clips = len(plans.chosen(clips, plan))
    except SerError as error:
        st.info(widgets.plain(str(error)))
        return
    arguments = plans.arguments(plan)
    batches = -(-n_clips // 64)
    steps = batches * plan.epochs if plan.epochs else STEPS
    about = duration(steps * STEP * min(1.0, max(0.65, n_clips / 64)) * (2 if plan.any_length else 1))
    st.markdown(
        f"Trained on {n_clips:,} of {len(clips):,} clips; about {about} on a processor core, less on a graphics card. "
        "Emotions are not told to it."
    )
    training_panel.start(
        arguments,
        title=plans.title(plan),
        done=next((run for run in runs if run.facts.get("arguments") == arguments), None),
        check=partial(plans.check_autoencoder, plan),
        open_run=_open,
        label="Open that autoencoder",
    )


def _open(run: str) -> None:
    st.session_state["autoencoder"], st.session_state["vae"] = run, "learning"


@st.fragment(run_every="2s")
def _live() -> None:
    """Show what is being trained, with curves that grow; when one ends, the page is drawn anew."""
    every = runs_data.trainings(recognise=False)
    if any(job.active for job in every):
        st.markdown("##### At work")
    progress.follow(every, under=_curves)


def _curves(job: Status) -> None:
    run = runs_data.of_job(job)
    if job.message:
        st.caption(widgets.plain(job.message))
    if run is None or run.history.empty:
        return
    st.plotly_chart(
        plot.losses(run.history), key=f"live_{run.id}", config=CONFIG, alt="Reconstruction and divergence so far"
    )
