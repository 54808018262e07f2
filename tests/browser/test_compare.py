"""The Compare page in the browser: a clip clicked in one map is ringed in both, and both are turned together."""

import runpy
from pathlib import Path

import pytest
import second_encoder
from playwright.sync_api import Page

from ser_core.cache import Cache

pytestmark = pytest.mark.browser

PLOTS = {side: f".st-key-map_{side} .js-plotly-plot" for side in "ab"}
ATTACHED = "() => ['map_a', 'map_b'].every(name => window.serAtlasCharts?.[name]?.plot?.isConnected)"
IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"
LISTEN = (
    "plot => { window.pointed = null;"
    " plot.on('plotly_hover', event => (window.pointed = event.points[0].customdata));"
    " plot.on('plotly_unhover', () => (window.pointed = null)) }"
)
RINGED = (
    "row => ['map_a', 'map_b'].every(name => {"
    " const { plot, data } = window.serAtlasCharts[name];"
    " const ring = plot.data.find(trace => trace.meta === 'in hand');"
    " const own = plot._fullData.find(trace => Array.from(trace.customdata ?? []).includes(row));"
    " const at = Array.from(own.customdata).indexOf(row);"
    " return data.row === row && ['x', 'y', 'z'].every(axis => Math.abs(ring[axis][0] - own[axis][at]) < 1e-3) })"
)
EYES = "() => ['map_a', 'map_b'].map(name => window.serAtlasCharts[name].plot._fullLayout.scene._scene.getCamera().eye)"
TOGETHER = f"before => {{ const [a, b] = ({EYES})(); const far = (p, q) => Math.abs(p.x - q.x) + Math.abs(p.y - q.y);"
TOGETHER += " return far(a, before) > 0.1 && far(a, b) < 0.01 }"
HIDDEN = (
    "name => ['map_a', 'map_b'].every(key => window.serAtlasCharts[key].plot.data"
    ".find(trace => trace.name === name).visible === 'legendonly')"
)


@pytest.fixture(scope="module")
def own(tmp_path_factory, serve):
    make = runpy.run_path(str(Path(__file__).parent.parent / "small_cache.py"))["make"]
    cache = Cache(make(tmp_path_factory.mktemp("compare")))
    second_encoder.add(cache, "tones", "bands")
    with serve(cache.root) as running:
        yield running


def opened(page: Page, url: str) -> None:
    page.goto(url)
    for plot in PLOTS.values():
        page.wait_for_selector(f"{plot} .main-svg")  # both are measured before they are shown
    page.wait_for_function(ATTACHED)
    page.get_by_text("How to read this page").wait_for()
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(500)


def point_at_a_clip(page: Page, side: str, *, other_than: int | None = None) -> int:
    page.eval_on_selector(PLOTS[side], LISTEN)
    box = page.query_selector(PLOTS[side]).bounding_box()
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - 20
    for ring in range(1, 20):
        for dx, dy in ((ring, 0), (0, ring), (-ring, 0), (0, -ring), (ring, ring), (-ring, -ring), (ring, -ring)):
            page.mouse.move(across + 8 * dx, down + 8 * dy)
            page.wait_for_timeout(120)
            row = page.evaluate("window.pointed")
            if row is not None and row != other_than:
                return row
    pytest.fail("no point was found under the pointer")


def test_a_clip_clicked_in_either_map_is_ringed_in_both_and_both_are_turned_together(page, own):
    opened(page, f"{own.url}/compare?encoder=bands")
    main = page.query_selector(".stMain")
    assert main.evaluate("node => node.scrollWidth <= node.clientWidth")
    row = None
    for side in "ab":
        row = point_at_a_clip(page, side, other_than=row)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_function(RINGED, arg=row)
        page.wait_for_function("() => location.search.includes('clip=')")
        page.wait_for_function("() => document.querySelector(\"[class*='st-key-sound_'] audio\")?.currentTime > 0")
        page.wait_for_selector(IDLE)
        page.wait_for_timeout(400)
    for side in "ab":  # whichever is turned, the other goes along
        eye = page.evaluate(EYES)[0]
        box = page.query_selector(PLOTS[side]).bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, box["y"] + 90, steps=5)
        page.mouse.up()
        page.wait_for_function(TOGETHER, arg=eye)
        page.wait_for_timeout(600)
    page.locator(f"{PLOTS['a']} .legendtoggle").first.click()
    page.wait_for_function(HIDDEN, arg="happiness")
    page.get_by_text("Clips (40 of 60)").wait_for()
    page.wait_for_function(RINGED, arg=row)
    assert page.locator("[data-testid='stException']").count() == 0
    page.wait_for_function("() => location.search.includes('camera=')")
