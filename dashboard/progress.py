"""Jobs as people see them: what runs, how fast, how long still, and a button that stops it."""

import time

import streamlit as st

from dashboard import data, widgets
from ser_core import jobs
from ser_core.errors import SerError
from ser_core.jobs import Status

SAY = {"done": "finished", "failed": "failed", "stopped": "stopped"}


def duration(seconds: float) -> str:
    """Return a length of time in words.

    Examples
    --------
    >>> duration(7), duration(95), duration(7300)
    ('7 s', '2 min', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def describe(status: Status) -> str:
    """Return how far a job is, in one line."""
    if status.state == "starting" or not status.done:
        return f"{status.title}: at work for {duration(time.time() - status.started)}"
    parts = [f"{status.title}: {status.done:,} of {status.total:,}"]
    if status.rate:
        parts.append(f"{status.rate:.1f} a second")
    if status.seconds_left is not None:
        parts.append(f"{duration(status.seconds_left)} left")
    if status.failed:
        parts.append(f"{status.failed} failed")
    return ", ".join(parts)


@st.fragment(run_every="1s")
def watch(prefix: str) -> None:
    """Show the jobs whose title starts so while they run; when one ends, draw the whole page anew."""
    every = [job for job in data.jobs() if job.title.startswith(prefix)]
    active = [job for job in every if job.active]
    before = st.session_state.get(f"active {prefix}", set())
    now = {job.id for job in active}
    st.session_state[f"active {prefix}"] = now
    if before - now:
        for job in every:
            if job.id in before - now:
                st.session_state.setdefault("ended", []).append(last_word(job))
        st.rerun(scope="app")
    for word in st.session_state.pop("ended", []):
        st.toast(widgets.plain(word))
    for job in active:
        bar, button = st.columns([6, 1], vertical_alignment="center")
        bar.progress(job.done / job.total if job.total else 0.0, text=widgets.plain(describe(job)))
        if button.button("Stop", key=f"stop {job.id}", disabled=job.state != "running", width="stretch"):
            try:
                jobs.stop(data.cache(), job.id)
            except SerError as error:
                st.info(widgets.plain(str(error)))


def last_word(status: Status) -> str:
    """Return how a job ended, in one line."""
    took = duration(status.updated - status.started)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.started))
    return f"{status.title}: {SAY.get(status.state, status.state)} after {took} ({when}). {status.message}".strip()
