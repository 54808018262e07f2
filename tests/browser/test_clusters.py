"""The Clusters page in the browser: clouds are seen through, a pair is chosen by its square, pictures are saved."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PLOT = ".st-key-map_chart .js-plotly-plot"
MATRIX = ".st-key-clusters_overlap .js-plotly-plot"
ATTACHED = "() => Object.values(window.serAtlasCharts ?? {}).some(chart => chart.plot?.isConnected)"
LISTEN = (
    "plot => { window.pointed = null;"
    " plot.on('plotly_hover', event => (window.pointed = event.points[0].text));"
    " plot.on('plotly_unhover', () => (window.pointed = null)) }"
)
IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"
CLOUDS = (
    "plot => Object.fromEntries(plot._fullData.filter(trace => trace.meta === 'outline')"
    ".map(trace => [trace.name, trace.visible]))"
)


def opened(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector(f"{PLOT} .main-svg")
    page.wait_for_function(ATTACHED)
    page.get_by_text("How to read this page").wait_for()
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(300)


def link(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def point_at_a_clip(page: Page) -> str:
    page.eval_on_selector(PLOT, LISTEN)
    box = page.query_selector(PLOT).bounding_box()
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - 20
    for ring in range(1, 22):
        for dx, dy in ((ring, 0), (0, ring), (-ring, 0), (0, -ring), (ring, ring), (-ring, -ring), (ring, -ring)):
            page.mouse.move(across + 9 * dx, down + 9 * dy)
            page.wait_for_timeout(120)
            if said := page.evaluate("window.pointed"):
                return said
    pytest.fail("no point was found under the pointer")


def fits(page: Page) -> None:
    main = page.query_selector(".stMain")
    assert main.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_a_point_inside_the_clouds_is_clicked_and_plays(page, dashboard):
    opened(page, f"{dashboard.url}/clusters?dims=3&levels=all")
    assert set(page.eval_on_selector(PLOT, CLOUDS)) == {"anger", "happiness", "sadness"}
    fits(page)
    said = point_at_a_clip(page)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("() => location.search.includes('clip=')")
    page.wait_for_selector("[class*='st-key-sound_'] audio")
    file = said.split(" · ")[-1]
    page.locator(".stMain").get_by_text(file, exact=True).first.wait_for()
    page.wait_for_function("() => document.querySelector(\"[class*='st-key-sound_'] audio\")?.currentTime > 0")


def test_the_legend_takes_cloud_and_points_a_square_shows_its_two_clouds_and_pictures_are_saved(page, dashboard):
    opened(page, f"{dashboard.url}/clusters?dims=2")
    fits(page)
    page.locator(f"{PLOT} .legendtoggle").first.click()
    page.get_by_text("Clips (40 of 60)").wait_for()
    assert page.eval_on_selector(PLOT, CLOUDS) == {"happiness": "legendonly", "anger": True, "sadness": True}
    page.locator(f"{PLOT} .legendtoggle").first.click()
    page.get_by_text("Clips (60 of 60)").wait_for()
    value = page.locator(f"{MATRIX} .annotation").first
    value.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = value.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 12, box["y"] + box["height"] / 2 + 8)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.up()
    page.get_by_text(re.compile("Happiness and anger overlap by")).wait_for()
    page.wait_for_function("() => location.search.includes('emotions=')")
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(300)
    assert link(page)["emotions"] == "happiness,anger"
    assert set(page.eval_on_selector(PLOT, CLOUDS)) == {"happiness", "anger"}
    assert page.locator(f"{MATRIX} .shapelayer path").count() == 2
    for chart in ("map_chart", "clusters_overlap", "clusters_shares", "clusters_parting"):
        with page.expect_download() as saved:
            page.locator(f".st-key-export_{chart} button, [class*='export_{chart}'] button").first.click()
        assert saved.value.suggested_filename.endswith(".png")
        assert saved.value.path().read_bytes()[:4] == b"\x89PNG"
