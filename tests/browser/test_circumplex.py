"""The circle of emotions in the browser: turn it by hand, click a clip on the plane, see the 28 words."""

import io

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from ser_core import audio, catalogue, embeddings
from ser_core.cache import Cache

pytestmark = pytest.mark.browser

RINGS = ".st-key-rings .js-plotly-plot"
PLANE = ".st-key-plane_0 .js-plotly-plot"
WORDS = ".st-key-words .js-plotly-plot"
MIDDLES = (
    "plot => Object.fromEntries(plot._fullData.filter(trace => trace.meta === 'middle')"
    ".map(trace => [trace.name, [trace.x[0], trace.y[0]]]))"
)
PIXELS = (
    "(plot, [x, y]) => { const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();"
    " return [box.x + xaxis._offset + xaxis.l2p(x), box.y + yaxis._offset + yaxis.l2p(y)] }"
)
LOWEST = (  # the toolbar lies over the upper right corner
    "plot => plot._fullData.filter(trace => trace.customdata).flatMap(trace => Array.from(trace.customdata,"
    " (row, k) => [row, trace.x[k], trace.y[k]])).sort((a, b) => a[2] - b[2])"
    ".find(([, x, y]) => { const {xaxis, yaxis} = plot._fullLayout;"
    " return x > xaxis.range[0] && x < xaxis.range[1] && y > yaxis.range[0] })"
)
IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"
RING = "plot => plot._fullData.find(trace => trace.meta === 'in hand')?.x.length"


def opened(page: Page, url: str, plot: str) -> None:
    page.goto(url)
    page.wait_for_selector(f"{plot} .main-svg")
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(300)


def test_the_circle_is_turned_by_hand_and_the_link_remembers(page, dashboard):
    opened(page, f"{dashboard.url}/circumplex?corpora=tones", RINGS)
    fitted = page.eval_on_selector(RINGS, MIDDLES)
    assert set(fitted) == {"anger", "happiness", "sadness"}
    page.get_by_role("radio", name="by hand").click()
    page.wait_for_function("() => location.search.includes('turn=')")
    handle = page.get_by_role("slider", name="Turned by")
    handle.focus()
    turned = int(handle.input_value())
    for _ in range(3):
        key, step = ("ArrowRight", 1) if turned < 180 else ("ArrowLeft", -1)
        turned += step
        handle.press(key)
        page.wait_for_function("turn => location.search.includes('turn=' + turn)", arg=turned)
        page.wait_for_timeout(150)
        page.wait_for_selector(IDLE)
    page.wait_for_timeout(500)
    now = page.eval_on_selector(RINGS, MIDDLES)
    assert max(np.abs(np.subtract(now[name], fitted[name])).max() for name in now) > 0.02
    opened(page, page.url, RINGS)
    again = page.eval_on_selector(RINGS, MIDDLES)
    assert all(again[name] == pytest.approx(now[name]) for name in now)


def test_a_clip_clicked_on_the_plane_is_heard(page, dashboard):
    opened(page, f"{dashboard.url}/circumplex?corpora=tones&part=plane&learn=procrustes", PLANE)
    row, x, y = page.eval_on_selector(PLANE, LOWEST)
    across, down = page.eval_on_selector(PLANE, PIXELS, [x, y])
    page.mouse.move(across, down)
    page.wait_for_timeout(400)
    page.mouse.click(across, down)
    page.wait_for_selector("[class*='st-key-sound_'] audio")
    cache = Cache(dashboard.cache)
    located = catalogue.get(cache, "tones")
    found = embeddings.load(located, cache.stores()[0], cache=cache)
    page.wait_for_function("clip => location.search.includes('clip=' + clip)", arg=found.digests[row][:12])
    source = page.eval_on_selector("[class*='st-key-sound_'] audio", "audio => audio.src")
    samples, _ = soundfile.read(io.BytesIO(page.request.get(source).body()), dtype="float32")
    assert np.abs(samples - audio.read(located.root / found.clips["file"][row])).max() <= 1 / 32768
    page.wait_for_function(f"() => ({RING})(document.querySelector('{PLANE}')) === 1")
    main = page.query_selector(".stMain")
    assert main.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_the_28_words_do_not_cover_each_other(page, dashboard):
    opened(page, f"{dashboard.url}/circumplex?part=words", WORDS)
    expect(page.get_by_text("One row disagrees")).to_be_visible()
    boxes = page.eval_on_selector(
        WORDS,
        "plot => { const names = plot.data.find(trace => trace.meta === 'names').text;"
        " return [...plot.querySelectorAll('.textpoint text')].filter(node => names.includes(node.textContent))"
        ".map(node => { const box = node.getBoundingClientRect();"
        " return [node.textContent, box.left, box.top + 3, box.right, box.bottom - 3] }) }",
    )
    assert len(boxes) == 28
    covered = [
        (a[0], b[0])
        for k, a in enumerate(boxes)
        for b in boxes[:k]
        if min(a[3], b[3]) > max(a[1], b[1]) and min(a[4], b[4]) > max(a[2], b[2])
    ]
    assert covered == []
    plot = page.query_selector(WORDS).bounding_box()
    assert all(plot["x"] <= left and right <= plot["x"] + plot["width"] for _, left, _, right, _ in boxes)
    with page.expect_download() as saved:
        page.locator(".st-key-export_words").get_by_role("button", name="Save as SVG").click()
    assert saved.value.suggested_filename == "russell-28-words.svg"
