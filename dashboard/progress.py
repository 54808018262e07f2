"""Jobs as people see them: what runs, how fast, how long still, and a button that stops it."""

import time
from collections.abc import Callable, Sequence

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
    steps = " steps" if status.arguments[0] == "train" else ""  # epochs, parts or trees, as its message says
    parts = [f"{status.title}: {status.done:,} of {status.total:,}{steps}"]
    if status.rate:
        parts.append(f"{status.rate:.1f} a second")
    if status.seconds_left is not None:
        parts.append(f"{duration(status.seconds_left)} left")
    if status.failed:
        parts.append(f"{status.failed} failed")
    return ", ".join(parts)


def announce() -> None:
    """Say in passing how the jobs ended that this session saw at work, on whatever page it is now."""
    at_work = _at_work()
    if not at_work:
        return
    for job in data.jobs():
        if job.id in at_work and not job.active:
            at_work.discard(job.id)
            st.toast(widgets.plain(last_word(job)))


def offer(arguments: Sequence[str], *, going: str, wanted: str, label: str, start: Callable[[], None]) -> None:
    """Watch the job that these arguments are; where it is not at work, say how it ended, and offer to start it.

    ``going`` and ``wanted`` say in Markdown what is being computed, and what is not there yet.
    """
    job = data.job(arguments)
    if job and job.active:
        st.info(going)
        _at_work().add(job.id)  # it may end before it is looked at again
        watch(job.title)
        return
    st.info(wanted)
    if st.button(label, type="primary", key=f"offer {jobs.job_id(arguments)}"):
        start()
        st.rerun()
    if job and job.state in {"failed", "stopped"}:
        show = st.error if job.state == "failed" else st.info
        show(widgets.plain(last_word(job)))


@st.fragment(run_every="1s")
def watch(prefix: str) -> None:
    """Show the jobs whose title starts so while they run; when one ends, draw the whole page anew."""
    follow([job for job in data.jobs() if job.title.startswith(prefix)])


def follow(every: Sequence[Status], *, under: Callable[[Status], None] = lambda _: None) -> None:
    """Show those of these jobs that run, and ``under`` each what a page adds; for a fragment that runs again and again.

    When one ends that this session saw at work, the whole page is drawn anew.
    """
    at_work = _at_work()
    active = [job for job in every if job.active]
    if any(job.id in at_work and not job.active for job in every):
        st.rerun(scope="app")  # which begins with `announce`
    at_work.update(job.id for job in active)
    for job in active:
        line = st.container(horizontal=True, vertical_alignment="center")  # the button keeps its width
        line.progress(job.done / job.total if job.total else 0.0, text=widgets.plain(describe(job)))
        if line.button("Stop", key=f"stop {job.id}", disabled=job.state != "running"):
            try:
                jobs.stop(data.cache(), job.id)
            except SerError as error:
                st.info(widgets.plain(str(error)))
        under(job)


def _at_work() -> set[str]:
    """Return the jobs that this session saw at work."""
    return st.session_state.setdefault("_at_work", set())


def last_word(status: Status) -> str:
    """Return how a job ended, in one line."""
    took = duration(status.updated - status.started)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.started))
    return f"{status.title}: {SAY.get(status.state, status.state)} after {took} ({when}). {status.message}".strip()
