"""Long work in processes of its own, that everybody can watch, stop and outlive.

A job is a `ser` command that keeps ``jobs/<id>/status.json`` up to date while it holds ``jobs/<id>/lock``. The system
drops the lock when the process ends in whatever way, so "running" is never a stale word, and one job never runs
twice at once, whether it was started from a page or in a terminal. A queue such as huey would need a second process
that somebody starts and watches, pickles its tasks, and cannot stop one that runs.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from filelock import FileLock, Timeout

from ser_core.cache import Cache
from ser_core.errors import SerError
from ser_core.store import key, read_json, write_atomic

State = Literal["starting", "running", "done", "failed", "stopped"]
WRITE_SECONDS: Final = 0.5
STARTING_SECONDS: Final = 300.0
"""A process that has not taken its lock after this long did not start; a busy machine takes a minute."""


class JobError(SerError, RuntimeError):
    """A job that cannot be started or stopped; the message says why."""


@dataclass(frozen=True)
class Status:
    """What a job says of itself. Times are seconds since 1970; ``rate`` is in steps (clips, folds) per second.

    ``message`` is what it does just now, or how it ended.
    """

    id: str
    title: str
    arguments: list[str]
    state: State
    pid: int
    started: float
    updated: float
    done: int = 0
    total: int = 0
    failed: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    message: str = ""

    @property
    def active(self) -> bool:
        """Whether it is at work, or about to be."""
        return self.state in {"starting", "running"}


def job_id(arguments: Sequence[str]) -> str:
    """Return the name of a job: the same command is the same job."""
    return key({"arguments": list(arguments)})


def status(cache: Cache, job: str) -> Status | None:
    """Return the status of a job; None if it never ran. One that died without a word is ``stopped``."""
    raw = read_json(_folder(cache, job) / "status.json")
    if raw is None:
        return None
    found = _parse(raw)
    if found and found.state == "running" and not _locked(cache, job):
        found = _parse(read_json(_folder(cache, job) / "status.json") or raw)  # it may have ended just now
        if found and found.state == "running":
            return replace(found, state="stopped", message="it ended without a word (killed, or the machine went down)")
    if found and found.state == "starting" and time.time() - found.started > STARTING_SECONDS:
        return replace(found, state="failed", message=_last_words(cache, job))
    return found


def ls(cache: Cache) -> list[Status]:
    """Return all jobs, the latest first."""
    found = [status(cache, path.parent.name) for path in cache.root.glob("jobs/*/status.json")]
    return sorted((one for one in found if one), key=lambda one: -one.started)


def start(cache: Cache, arguments: Sequence[str], *, title: str) -> str:
    """Start ``ser ARGUMENTS`` in the background unless it is running; return its id."""
    job = job_id(arguments)
    folder = _folder(cache, job)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(cache.root / "jobs" / "start.lock"):
        known = status(cache, job)
        if known and known.active:
            return job
        now = time.time()
        starting = Status(job, title, list(arguments), "starting", 0, now, now)
        _write(folder, starting)  # before the process, which then writes its own
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ser_core.cli", *arguments, "--cache", str(cache.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    threading.Thread(target=_see_out, args=(cache, starting, process), daemon=True).start()
    return job


def stop(cache: Cache, job: str) -> None:
    """Ask a running job to stop, as Ctrl-C would; what it has done so far is kept.

    Raises
    ------
    JobError
        If it is not running.
    """
    known = status(cache, job)
    if not known or known.state != "running":
        raise JobError("this job is not running")
    try:
        os.kill(known.pid, signal.SIGINT)
    except ProcessLookupError:
        raise JobError("this job has just ended") from None
    except PermissionError:
        raise JobError("this job was started by another user, who alone can stop it") from None


class Running:
    """The job that this process is; ``report`` tells how far it is."""

    def __init__(self, folder: Path, status: Status) -> None:
        self._folder = folder
        self.status = status
        _write(folder, status)

    def report(
        self,
        done: int,
        total: int,
        *,
        failed: int = 0,
        rate: float = 0.0,
        seconds_left: float | None = None,
        message: str = "",
    ) -> None:
        """Tell how far it is; written twice a second at most."""
        now = time.time()
        due = now - self.status.updated > WRITE_SECONDS or done == total
        numbers = {"done": done, "total": total, "failed": failed, "rate": rate, "seconds_left": seconds_left}
        self.status = replace(self.status, **numbers, message=message, updated=now if due else self.status.updated)
        if due:
            _write(self._folder, self.status)

    def end(self, state: State, message: str) -> None:
        """Write the last word."""
        self.status = replace(self.status, state=state, message=message, updated=time.time())
        _write(self._folder, self.status)


@contextmanager
def running(
    cache: Cache, arguments: Sequence[str], *, title: str, waiting: Callable[[Status | None], None]
) -> Iterator[Running]:
    """Be the job ``ser ARGUMENTS`` while the block runs; where another process is it already, wait for that one first.

    ``waiting`` is called once, before such a wait.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        # so it is inherited from a script that starts programs with "&"; `stop` would not be heard
        signal.signal(signal.SIGINT, signal.default_int_handler)
    job = job_id(arguments)
    folder = _folder(cache, job)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=2 * WRITE_SECONDS)  # a look of `status` holds it for an instant
    except Timeout:
        waiting(status(cache, job))
        lock.acquire()
    try:
        now = time.time()
        run = Running(folder, Status(job, title, list(arguments), "running", os.getpid(), now, now))
        try:
            yield run
        except KeyboardInterrupt:
            run.end("stopped", "stopped; what was done is kept, and the next run goes on from there")
            raise
        except BaseException as error:  # raised again: whatever it was, those who watch get a last word
            run.end("failed", str(error) if isinstance(error, SerError) else f"{type(error).__name__}: {error}")
            raise
        run.end("done", run.status.message)
    finally:
        lock.release()


def _folder(cache: Cache, job: str) -> Path:
    return cache.root / "jobs" / job


def _write(folder: Path, status: Status) -> None:
    write_atomic(folder / "status.json", json.dumps(asdict(status)).encode())


def _locked(cache: Cache, job: str) -> bool:
    try:
        with FileLock(_folder(cache, job) / "lock", timeout=0):
            return False
    except Timeout:
        return True


def _see_out(cache: Cache, starting: Status, process: subprocess.Popen[bytes]) -> None:
    """Wait for a child, so that it leaves no zombie; if it ended before it became a job, say so in its name."""
    failed = process.wait() != 0
    if status(cache, starting.id) == starting:
        state: State = "failed" if failed else "done"
        _write(_folder(cache, starting.id), replace(starting, state=state, message=_last_words(cache, starting.id)))


def _parse(raw: dict[str, Any]) -> Status | None:
    """Return a status, None if it is none (another version of the program may have written it)."""
    try:
        return Status(**{field.name: raw[field.name] for field in fields(Status) if field.name in raw})
    except TypeError:
        return None


def _last_words(cache: Cache, job: str) -> str:
    log = _folder(cache, job) / "log.txt"
    lines = log.read_text("utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it did not start"
