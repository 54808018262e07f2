"""The Data page in the browser: start an embedding, watch it, reload, stop it from another window."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from ser_core import catalogue, embeddings, jobs
from ser_core.cache import Cache

pytestmark = pytest.mark.browser

N_CLIPS = 80


@pytest.fixture
def long(dashboard, tmp_path: Path) -> Cache:
    """A corpus that takes openSMILE a while."""
    random = np.random.default_rng(1)
    for number in range(N_CLIPS):
        soundfile.write(tmp_path / f"{number:02d}.wav", 0.1 * random.normal(size=16_000 * 8), 16_000)
    (tmp_path / "metadata.csv").write_text("file_name\n" + "".join(f"{number:02d}.wav\n" for number in range(N_CLIPS)))
    cache = Cache(dashboard.cache)
    catalogue.add(cache, "folder", tmp_path, name="along")
    yield cache
    catalogue.remove(cache, "along")


def test_an_embedding_is_started_watched_and_stopped(dashboard, page: Page, other: Page, long: Cache) -> None:
    page.goto(f"{dashboard.url}/data")
    expect(page.get_by_text("80 clips to do.")).to_be_visible()
    page.get_by_role("button", name="Embed", exact=True).click()
    expect(page.get_by_text("along · egemaps:").first).to_be_visible()
    page.reload()
    expect(page.get_by_text("of 80,").first).to_be_visible()
    other.goto(f"{dashboard.url}/data")
    stop = other.get_by_role("button", name="Stop")
    expect(stop).to_be_enabled()
    stop.click()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    job = jobs.ls(long)[0]
    assert job.state == "stopped"
    (done,) = embeddings.coverage(catalogue.get(long, "along"), cache=long)
    assert 0 < done.n_embedded < N_CLIPS
    assert done.n_pending == N_CLIPS - done.n_embedded
    assert long.verify() == []
