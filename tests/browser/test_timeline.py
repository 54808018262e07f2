"""The Timeline page in the browser: play the days, stop, click a point and hear that clip, choose a row, save."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from ser_core import catalogue, embeddings
from ser_core.cache import Cache

pytestmark = pytest.mark.browser

PLOT = ".st-key-timeline_chart .js-plotly-plot"
IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"
SHOWN = (
    "plot => { const slider = plot.layout.sliders[0], [heat, , dots] = plot._fullData;"
    " return {name: slider.steps[slider.active].label, said: dots.text,"
    " sum: heat.z.reduce((all, row) => all + row.reduce((a, b) => a + b), 0)} }"
)
PAUSE_AT = f"""([selector, day]) => {{
    const plot = document.querySelector(selector), named = ({SHOWN});
    const pause = [...plot.querySelectorAll('.updatemenu-button')].find(one => one.textContent.includes('Pause'));
    const look = () => named(plot).name === day
        ? pause.dispatchEvent(new MouseEvent('click', {{bubbles: true}})) : requestAnimationFrame(look);
    look();
}}"""
"""Press Pause once a day is shown; from outside it may come days later where the machine is busy."""


def opened(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector(f"{PLOT} .scatterlayer .point")
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(400)


def shown(page: Page) -> dict:
    return page.eval_on_selector(PLOT, SHOWN)


def file_in_hand(page: Page, dashboard) -> str:
    digest = parse_qs(urlsplit(page.url).query)["clip"][0]
    here = Cache(dashboard.cache)
    found = embeddings.load(catalogue.get(here, "tones"), here.stores()[0], cache=here)
    (row,) = [row for row, sha in enumerate(found.digests) if sha.startswith(digest)]
    return found.clips["file"][row]


def press(page: Page, name: str) -> None:
    page.locator(f"{PLOT} .updatemenu-button", has_text=name).click()


def test_the_days_are_played_and_a_clicked_clip_is_heard_where_they_stopped(page, dashboard):
    opened(page, f"{dashboard.url}/timeline?diary=tones")
    expect(page.get_by_text(re.compile("It is no diagnosis"))).to_be_visible()
    before = shown(page)
    assert before["name"] == "whole period"
    assert len(before["said"]) == 15
    page.evaluate(PAUSE_AT, [PLOT, "2026-03-02"])
    press(page, "Play")
    page.wait_for_function(f"() => ({SHOWN})(document.querySelector('{PLOT}')).name === '2026-03-02'")
    page.wait_for_timeout(2500)  # two days would have passed
    stopped = shown(page)
    assert stopped["name"] == "2026-03-02"
    assert len(stopped["said"]) == 3
    assert stopped["sum"] != before["sum"]
    page.locator(f"{PLOT} .scatterlayer .point").nth(1).click(force=True)
    page.wait_for_function("() => location.search.includes('clip=')")
    page.wait_for_selector("[class*='st-key-sound_'] audio")
    assert shown(page)["name"] == stopped["name"]  # a click does not move the picture
    assert any(file_in_hand(page, dashboard) in said for said in stopped["said"])
    assert stopped["name"] in page.inner_text(".stMain")


def test_a_row_is_heard_and_a_day_chosen_opens_the_picture_which_is_saved_as_it_is_seen(page, dashboard, tmp_path):
    opened(page, f"{dashboard.url}/timeline?diary=tones&person=ben")
    page.get_by_role("combobox", name=re.compile("Clips of")).click()
    page.get_by_role("option", name=re.compile("2026-03-04")).click()
    page.wait_for_function(f"() => ({SHOWN})(document.querySelector('{PLOT}')).name === '2026-03-04'")
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(500)
    box = page.locator("[data-testid='stDataFrame']").first.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 36 + 14)
    page.wait_for_function("() => location.search.includes('clip=')")
    page.wait_for_selector("[class*='st-key-sound_'] audio")
    assert re.fullmatch(r"ben_\w+_3\.wav", file_in_hand(page, dashboard))
    assert shown(page)["name"] == "2026-03-04"
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as SVG").first.click()
    download.value.save_as(tmp_path / "picture.svg")
    text = (tmp_path / "picture.svg").read_text("utf-8")
    assert "2026-03-04" in text
    assert "astonished" in text
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == "timeline-ben-day.csv"
