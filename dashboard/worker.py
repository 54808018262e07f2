"""A session's own thread: it works off what the session asks for, one after the other, and ends with the session."""

import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

NAME: Final = "place a clip"
Job: TypeAlias = Callable[[Callable[[int, int], None]], Any]
"""What is to be done: it gets a function to tell how far it is (done, total), which raises where it is to stop."""


class StoppedError(Exception):
    """Raised in a job that is to stop."""


@dataclass(eq=False)
class Task:
    """A job, how far it is, and how it ended: with a ``result`` or with an ``error``."""

    job: Job
    done: int = 0
    total: int = 0
    result: Any = None
    error: Exception | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        """Whether there is a result or an error."""
        return self._ended.is_set()

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before it was done."""
        return isinstance(self.error, StoppedError)

    def wait(self, seconds: float) -> bool:
        """Wait for the end, and say whether it came."""
        return self._ended.wait(seconds)

    def stop(self) -> None:
        """Have the job stop where it next says how far it is."""
        self._stop.set()

    def run(self) -> None:
        """Do the job."""
        try:
            self._tell(0, 0)
            self.result = self.job(self._tell)
        except Exception as error:  # noqa: BLE001  whoever asked for it is told
            self.error = error
        finally:
            self._ended.set()

    def _tell(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise StoppedError
        self.done, self.total = done, total


class Worker:
    """One thread, there while there is something to do; when nobody holds the worker any more, it stops."""

    def __init__(self) -> None:
        self._queue = _Queue()
        weakref.finalize(self, self._queue.stop)  # the thread holds the queue alone

    def ask(self, job: Job, *, first: bool) -> Task:
        """Have a job done; ``first`` puts it before all that have not begun."""
        task = Task(job)
        self._queue.put(task, first=first)
        return task

    def stop(self) -> None:
        """Stop everything."""
        self._queue.stop()


class _Queue:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Task] = deque()
        self._current: Task | None = None

    def put(self, task: Task, *, first: bool) -> None:
        with self._lock:
            (self._waiting.appendleft if first else self._waiting.append)(task)
            if self._current is None:
                self._current = self._waiting.popleft()
                threading.Thread(target=self._work, args=(self._current,), name=NAME, daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            for task in (*self._waiting, *([self._current] if self._current else [])):
                task.stop()

    def _work(self, task: Task | None) -> None:
        while task is not None:
            task.run()
            with self._lock:
                task = self._current = self._waiting.popleft() if self._waiting else None
