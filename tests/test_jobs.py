import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ser_core import jobs
from ser_core.cache import Cache
from ser_core.jobs import JobError
from ser_core.store import CacheError

WORK = ["embed", "mine", "moments"]

LONG = """
import sys, time
from pathlib import Path
from ser_core import jobs
from ser_core.cache import Cache
with jobs.running(Cache(Path(sys.argv[1])), {work!r}, title="mine", waiting=print) as run:
    print("running", flush=True)
    for step in range(1, {steps} + 1):
        time.sleep(0.02)
        run.report(step, {steps}, rate=50.0, seconds_left=1.0)
"""


def never(_: object) -> None:
    pytest.fail("there was nothing to wait for")


def long(cache: Cache, *, steps: int = 1000, deaf: bool = False) -> subprocess.Popen[str]:
    """Be the job in another process, ``deaf`` to Ctrl-C as what a script starts with "&"; returns when it runs."""
    code = LONG.format(work=WORK, steps=steps)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN if deaf else signal.default_int_handler)
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(cache.root)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    signal.signal(signal.SIGINT, before)
    assert run.stdout
    assert run.stdout.readline() == "running\n"
    return run


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def state(cache: Cache) -> str | None:
    found = jobs.status(cache, jobs.job_id(WORK))
    return found.state if found else None


def test_a_job_tells_how_far_it_is_and_how_it_ended(cache: Cache) -> None:
    assert state(cache) is None
    with jobs.running(cache, WORK, title="mine", waiting=never) as run:
        run.report(3, 10, failed=1, rate=2.0, seconds_left=3.5)
        run.report(10, 10, failed=1, rate=2.0, seconds_left=0.0, message="epoch 10: loss 1.2")
        (now,) = jobs.ls(cache)
        assert now.message == "epoch 10: loss 1.2"
        assert (now.state, now.done, now.total, now.failed, now.pid) == ("running", 10, 10, 1, os.getpid())
        assert now.active
    assert state(cache) == "done"


def test_an_error_is_its_last_word(cache: Cache) -> None:
    with pytest.raises(CacheError), jobs.running(cache, WORK, title="mine", waiting=never):
        raise CacheError("the disk is full")
    found = jobs.status(cache, jobs.job_id(WORK))
    assert found
    assert (found.state, found.message) == ("failed", "the disk is full")
    with pytest.raises(KeyboardInterrupt), jobs.running(cache, WORK, title="mine", waiting=never):
        raise KeyboardInterrupt
    assert state(cache) == "stopped"


def test_one_that_is_killed_does_not_run_for_ever(cache: Cache) -> None:
    run = long(cache)
    assert state(cache) == "running"
    run.kill()
    run.communicate()
    found = jobs.status(cache, jobs.job_id(WORK))
    assert found
    assert found.state == "stopped"
    assert "ended without a word" in found.message


def test_the_same_job_never_runs_twice_at_once(cache: Cache) -> None:
    first = long(cache, steps=150)
    waited: list[jobs.Status | None] = []
    with jobs.running(cache, WORK, title="mine", waiting=waited.append):
        assert first.wait(10) == 0
        assert waited
        assert waited[0]
        assert waited[0].pid == first.pid
    first.communicate()


@pytest.mark.parametrize("deaf", [False, True])
def test_stop_is_ctrl_c(cache: Cache, deaf: bool) -> None:  # noqa: FBT001
    run = long(cache, deaf=deaf)
    jobs.stop(cache, jobs.job_id(WORK))
    assert run.wait(10) in {1, 130, -signal.SIGINT}
    run.communicate()
    assert state(cache) == "stopped"
    with pytest.raises(JobError, match="not running"):
        jobs.stop(cache, jobs.job_id(WORK))


def test_start_runs_the_command_in_the_background_once(cache: Cache) -> None:
    arguments = ["corpora", "ls", "--json"]
    started = [jobs.start(cache, arguments, title="a list") for _ in range(3)]
    assert len(set(started)) == 1
    log = cache.root / "jobs" / started[0] / "log.txt"
    until(lambda: "corpora" in log.read_text())
    assert log.read_text().count('"corpora"') == 1


def test_a_command_that_fails_at_once_leaves_its_last_words(cache: Cache) -> None:
    job = jobs.start(cache, ["embed", "absent", "egemaps"], title="absent")
    until(lambda: (found := jobs.status(cache, job)) and not found.active)
    found = jobs.status(cache, job)
    assert found
    assert found.state == "failed"
    assert "no corpus named 'absent'" in found.message


def test_many_may_look_while_it_runs(cache: Cache) -> None:
    run = long(cache, steps=100)
    seen: list[str | None] = []

    def look() -> None:
        while run.poll() is None:
            seen.append(state(cache))

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert run.wait() == 0
    run.communicate()
    assert set(seen) <= {"running", "done"}
    assert state(cache) == "done"


def test_the_status_file_is_plain_json(cache: Cache) -> None:
    with jobs.running(cache, WORK, title="mine", waiting=never):
        pass
    file = cache.root / "jobs" / jobs.job_id(WORK) / "status.json"
    assert isinstance(file, Path)
    file.write_text("{half")
    assert jobs.ls(cache) == []
