"""Trainings that were stopped before their end, and a button that goes on with each."""

from collections.abc import Sequence

import streamlit as st

from dashboard import data, widgets
from ser_core import jobs
from ser_core.runs import Run


def offer(runs: Sequence[Run]) -> None:
    """List those of the runs that were stopped before their end, and offer to go on."""
    active = [job.arguments for job in data.jobs() if job.active]
    rest = [run for run in runs if not run.finished and run.facts.get("arguments") not in active]
    if not rest:
        return
    st.markdown("##### Not finished")
    for run in rest:
        line = st.container(horizontal=True, vertical_alignment="center")
        line.markdown(f"{widgets.plain(run.title)}: {_done(run)}")
        if line.button("Go on", key=f"go_on_{run.id}", help="From where it was stopped"):
            jobs.start(data.cache(), run.facts["arguments"], title=run.title)
            st.rerun()


def _done(run: Run) -> str:
    if run.recognises:
        return f"{run.n_done} of {run.n_folds} folds done"
    epochs = run.history["epoch"]
    return f"{int(epochs.max()) if len(epochs) else 0:,} of {run.recipe['training']['epochs']:,} epochs done"
