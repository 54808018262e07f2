"""The real dashboard in a real browser: Chromium if it is here, else skipped; ``SER_BROWSER=required`` insists."""

import os
import runpy
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
]
STARTS_IN_SECONDS = 180
SLOWEST = 180_000
"""Milliseconds that a page is waited for: half a minute where other programs take all cores, so many times as long."""
expect.set_options(timeout=SLOWEST)


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard over a small cache."""

    url: str
    cache: Path


Serve: TypeAlias = Callable[[Path], AbstractContextManager[Dashboard]]


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """Start Chromium, with further flags if need be; whoever starts one closes it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        said = f"no browser: none of {', '.join(names)} is installed (Debian: apt-get install chromium)"
        if os.environ.get("SER_BROWSER") == "required":
            pytest.fail(said)
        pytest.skip(said)
    with sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(executable_path=found, args=[*FLAGS, *flags])


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    chromium = launch()
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[Dashboard]:
    cache = runpy.run_path(str(ROOT / "tests" / "small_cache.py"))["make"](tmp_path_factory.mktemp("browser"))
    with serve(cache) as running:
        yield running


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Serve a cache for as long as the context lasts."""
    return _serve


@contextmanager
def _serve(cache: Path) -> Iterator[Dashboard]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = cache.parent / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py")]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    with log.open("wb") as out:
        env = {**os.environ, "SER_CACHE": str(cache)}
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/_stcore/health", server, log)
        yield Dashboard(url, cache)
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    yield from _opened(browser)


@pytest.fixture
def other(browser: Browser) -> Iterator[Page]:
    """The page of a second reader."""
    yield from _opened(browser)


def _opened(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(SLOWEST)
    yield context.new_page()
    context.close()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTS_IN_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"the dashboard did not start:\n{log.read_text()}")
