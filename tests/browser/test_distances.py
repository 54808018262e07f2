"""The matrix of distances in the browser: click a square, compute its interval, hear a clip that does not fit."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

PLOT = ".st-key-distances .js-plotly-plot"
AXES = (
    "plot => { const {xaxis, yaxis} = plot._fullLayout;"
    " return [xaxis._offset, yaxis._offset, xaxis._length, yaxis._length] }"
)
IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"
CIRCLE = ["happiness", "anger", "sadness"]


def opened(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector(f"{PLOT} .main-svg")
    settled(page)


def settled(page: Page) -> None:
    """Wait until the page was drawn, and the picture after it."""
    page.wait_for_timeout(150)
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(300)


def click_cell(page: Page, row: int, column: int, *, across: float = 0.5, down: float = 0.5) -> None:
    page.wait_for_selector(f"{PLOT} .main-svg")
    box = page.query_selector(PLOT).bounding_box()
    left, top, width, height = page.eval_on_selector(PLOT, AXES)
    x = box["x"] + left + (column + across) * width / len(CIRCLE)
    page.mouse.click(x, box["y"] + top + (row + down) * height / len(CIRCLE))


def click_row(page: Page, table: int, row: int) -> None:
    """Click the box in front of a row of a table, which is a canvas."""
    found = page.locator("[data-testid=stDataFrame]").nth(table)
    found.scroll_into_view_if_needed()
    page.wait_for_timeout(800)
    box = found.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 35 * (row + 1) + 17)


def pair(page: Page) -> str | None:
    return parse_qs(urlsplit(page.url).query).get("pair", [None])[0]


def test_a_click_anywhere_in_a_square_takes_its_pair(page, dashboard):
    opened(page, f"{dashboard.url}/distances?corpora=tones&space=map")
    assert pair(page) is None
    for across, down in ((0.5, 0.5), (0.06, 0.94)):
        click_cell(page, 1, 0, across=across, down=down)
        page.wait_for_function("() => location.search.includes('pair=happiness%2Canger')")
        settled(page)
        click_cell(page, 1, 2, across=across, down=down)
        page.wait_for_function("() => location.search.includes('pair=anger%2Csadness')")
        said = re.compile(r"^anger and sadness: \d[\d.]* \([\d.]+ to [\d.]+\)$")
        expect(page.get_by_text(said)).to_be_visible()
        settled(page)
    click_cell(page, 0, 0)  # the diagonal is no pair
    page.wait_for_timeout(1500)
    assert pair(page) == "anger,sadness"
    click_cell(page, 1, 0)
    page.wait_for_function("() => location.search.includes('pair=happiness%2Canger')")
    settled(page)
    click_row(page, 0, 1)  # the table of pairs is another way to them
    page.wait_for_function("() => !location.search.includes('pair=happiness%2Canger')")
    page.get_by_role("button", name="See these two clouds").click()
    page.wait_for_url(re.compile("/clusters"))


def test_intervals_come_from_the_background_and_a_clip_that_does_not_fit_is_heard(page, dashboard):
    opened(page, f"{dashboard.url}/distances?corpora=tones&space=full&pair=anger,sadness")
    bare = page.get_by_text(re.compile(r"^anger and sadness: [\d.]+$"))
    expect(bare).to_be_visible()
    page.get_by_role("button", name=re.compile("Compute 95 % intervals")).click()
    both = page.get_by_text(re.compile(r"^anger and sadness: [\d.]+ \([\d.]+ to [\d.]+\)$"))
    expect(both).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Compute 95 % intervals"))).to_have_count(0)
    click_row(page, 1, 1)
    page.wait_for_selector("[class*='st-key-sound_'] audio")
    page.wait_for_function("() => document.querySelector(\"[class*='st-key-sound_'] audio\")?.currentTime > 0")
    page.wait_for_function("() => location.search.includes('clip=')")
    expect(page.get_by_text("Its distance to each emotion")).to_be_visible()
