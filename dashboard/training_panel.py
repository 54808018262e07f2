"""What all trainings share on a page: a button that starts one, and those that were stopped before their end."""

import shlex
from collections.abc import Callable, Sequence

import streamlit as st

from dashboard import data, progress, widgets
from ser_core import jobs
from ser_core.errors import SerError
from ser_core.runs import Run


def start(
    arguments: list[str],
    *,
    title: str,
    done: Run | None,
    check: Callable[[], None],
    open_run: Callable[[str], None],
    label: str,
) -> None:
    """Offer to start the training of these arguments, or to open the run that it was ``done`` in before.

    ``check`` raises `SerError` for what does not fit; ``label`` is that of the button that calls ``open_run`` with an
    id.
    """
    job = data.job(arguments)
    if done is not None:
        st.markdown("This was trained already; again, it is computed only if the clips have changed.")
        st.button(label, on_click=open_run, args=(done.id,))
    if job and job.active:
        st.markdown("It is being trained; see below. You can go on elsewhere, or close the page, meanwhile.")
    elif st.button("Start training (in the background)", type="primary" if done is None else "secondary"):
        try:
            check()
            jobs.start(data.cache(), arguments, title=title)
        except SerError as error:
            st.error(widgets.plain(str(error)))
        else:
            st.rerun()
    st.code(shlex.join(["ser", *arguments]), language="shell")
    st.caption("The same in a terminal.")
    if job and job.state in {"failed", "stopped"}:
        say = st.error if job.state == "failed" else st.info
        say(widgets.plain(progress.last_word(job)))


def unfinished(runs: Sequence[Run]) -> None:
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
