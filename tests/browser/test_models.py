"""Trained models in the browser: train one from the page, see it in the leaderboard, click a cell, light its clips."""

import re
import runpy
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

PLOT = ".st-key-confusion .js-plotly-plot"
AXES = (
    "plot => { const {xaxis, yaxis} = plot._fullLayout; const at = (axis, value) => axis._offset + axis.d2p(value);"
    " return [0, 1, 2].map((place) => [at(xaxis, place), at(yaxis, place)]) }"
)
IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"


def settled(page: Page) -> None:
    """Wait until the page was drawn, and the picture after it."""
    page.wait_for_timeout(150)
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(300)


def click_cell(page: Page, row: int, column: int) -> None:
    page.wait_for_selector(f"{PLOT} .main-svg")
    plot = page.query_selector(PLOT)
    plot.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box, places = plot.bounding_box(), page.eval_on_selector(PLOT, AXES)
    page.mouse.click(box["x"] + places[column][0], box["y"] + places[row][1])


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=re.compile(label)).click()
    page.get_by_role("option", name=re.compile(option)).click()
    settled(page)


@pytest.fixture(scope="module")
def own(tmp_path_factory, serve):
    """A dashboard over a cache of its own: trainings embed the corpus with one more encoder."""
    make = runpy.run_path(str(Path(__file__).parent.parent / "small_cache.py"))["make"]
    with serve(make(tmp_path_factory.mktemp("models"))) as running:
        yield running


def test_a_model_is_trained_from_the_page_and_its_cells_lead_to_clips_and_to_the_map(page, own):
    page.goto(f"{own.url}/models?models=train&tested_on=tones")
    expect(page.get_by_text("Train on tones (60 clips, 4 speakers, 3 emotions)")).to_be_visible()
    settled(page)
    choose(page, "Features", "^egemaps")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("This was trained already")).to_be_visible()  # it ended, and the page saw it
    page.get_by_role("button", name="Open that run").click()
    expect(page.get_by_text(re.compile("^It recognises"))).to_be_visible()
    page.wait_for_url(re.compile("models=run"))
    settled(page)
    click_cell(page, 0, 0)
    page.wait_for_function("() => /cell=(\\w+)\\+as\\+\\1/.test(location.search)")  # the diagonal: rightly named
    settled(page)
    page.get_by_role("button", name="Light these clips in the map").click()
    page.wait_for_url(re.compile("dims=2"))
    expect(page.get_by_text(re.compile(r"^Clips \(\d+ of 60\)$"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d+ selected: \w+ \d+$"))).to_be_visible()
    page.goto(f"{own.url}/models?tested_on=tones")
    expect(page.get_by_text("Best on unseen speakers: svm (egemaps)")).to_be_visible()
