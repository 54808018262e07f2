"""The main job in the browser: turn the map, click a point, hear that clip; recolour; come back by the link."""

import io
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page

from ser_core import audio, catalogue, embeddings
from ser_core.cache import Cache

pytestmark = pytest.mark.browser

PLOT = ".st-key-map_chart .js-plotly-plot"
CAMERA = (
    "plot => { const {eye, center} = plot._fullLayout.scene._scene.getCamera();"
    " return [eye.x, eye.y, eye.z, center.x, center.y, center.z] }"
)
LISTEN = (
    "plot => { window.pointed = null;"
    " plot.on('plotly_hover', event => (window.pointed = event.points[0].text));"
    " plot.on('plotly_unhover', () => (window.pointed = null)) }"
)
RING = (
    "plot => { const ring = plot.data.find(trace => trace.meta === 'in hand');"
    " return [ring.x[0], ring.y[0], ring.z?.[0]] }"
)
ATTACHED = "() => Object.values(window.serAtlasCharts ?? {}).some(chart => chart.plot?.isConnected)"
STEP_PX = 9
IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"


def opened(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector(f"{PLOT} .main-svg")
    page.wait_for_function(ATTACHED)
    settled(page)


def settled(page: Page) -> None:
    """Wait until the page was drawn, and the picture after it."""
    page.wait_for_timeout(150)
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(150)


def point_at_a_clip(page: Page) -> str:
    """Move the pointer over the map until it says what is there; return what it says."""
    page.eval_on_selector(PLOT, LISTEN)
    box = page.query_selector(PLOT).bounding_box()
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - 20
    for ring in range(1, 22):
        for dx, dy in ((ring, 0), (0, ring), (-ring, 0), (0, -ring), (ring, ring), (-ring, -ring), (ring, -ring)):
            page.mouse.move(across + STEP_PX * dx, down + STEP_PX * dy)
            page.wait_for_timeout(120)
            if said := page.evaluate("window.pointed"):
                return said
    pytest.fail("no point was found under the pointer")


def click_here(page: Page) -> str:
    """Click where the pointer is; return the start of the digest of the clip then in hand."""
    before = page.url
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("before => location.href !== before && location.search.includes('clip=')", arg=before)
    page.wait_for_selector("[class*='st-key-sound_'] audio")
    return link(page)["clip"]


def turn(page: Page) -> None:
    box = page.query_selector(PLOT).bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 130, steps=8)
    page.wait_for_timeout(200)
    page.mouse.up()
    page.wait_for_function("() => location.search.includes('camera=')")
    settled(page)


def choose_colour(page: Page, word: str) -> None:
    page.get_by_role("combobox", name=re.compile("Colour by")).click()
    page.get_by_role("option", name=word, exact=True).click()
    page.wait_for_function("word => location.search.includes('colour=' + word)", arg=word)
    page.wait_for_function(ATTACHED)
    settled(page)


def link(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def camera(page: Page) -> list[float]:
    return page.eval_on_selector(PLOT, CAMERA)


def found_in(cache) -> embeddings.Embeddings:
    here = Cache(cache)
    return embeddings.load(catalogue.get(here, "tones"), here.stores()[0], cache=here)


def heard(page: Page) -> np.ndarray:
    source = page.eval_on_selector("[class*='st-key-sound_'] audio", "audio => audio.src")
    samples, rate = soundfile.read(io.BytesIO(page.request.get(source).body()), dtype="float32")
    assert rate == audio.SAMPLING_RATE
    return samples


def samples_of(dashboard, digest: str) -> tuple[str, np.ndarray]:
    found = found_in(dashboard.cache)
    (row,) = [row for row, sha in enumerate(found.digests) if sha.startswith(digest)]
    file = found.clips["file"][row]
    return file, audio.read(catalogue.get(Cache(dashboard.cache), "tones").root / file)


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    main = page.query_selector(".stMain")
    assert main.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_turning_is_no_click_and_a_clicked_point_is_the_clip_that_plays(page, dashboard):
    opened(page, dashboard.url)
    fits(page)
    before = camera(page)
    point_at_a_clip(page)
    page.mouse.down()
    position = page.query_selector(PLOT).bounding_box()
    page.mouse.move(position["x"] + 90, position["y"] + 300, steps=8)
    page.mouse.up()
    page.wait_for_timeout(1500)
    assert np.abs(np.subtract(camera(page), before)).max() > 0.05
    assert "clip" not in link(page)
    point_at_a_clip(page)
    across, down = page.evaluate("Object.values(window.serAtlasCharts)[0].hover.at")
    page.mouse.down()
    page.mouse.move(across + 60, down, steps=4)
    page.mouse.move(across, down, steps=4)  # back where the point is
    page.wait_for_timeout(400)
    page.mouse.up()
    page.wait_for_timeout(1500)
    assert "clip" not in link(page)
    said = point_at_a_clip(page)
    digest = click_here(page)
    file, samples = samples_of(dashboard, digest)
    assert said.endswith(file)
    assert np.abs(heard(page) - samples).max() <= 1 / 32768
    page.wait_for_function("() => document.querySelector(\"[class*='st-key-sound_'] audio\")?.currentTime > 0")
    assert page.eval_on_selector(PLOT, RING)[0] is not None
    fits(page)


def test_the_camera_stays_through_click_and_recolouring_and_the_link_restores_it_all(page, other, dashboard):
    opened(page, dashboard.url)
    usual = camera(page)
    turn(page)
    turned = camera(page)
    assert np.abs(np.subtract(turned, usual)).max() > 0.1
    point_at_a_clip(page)
    digest = click_here(page)
    assert camera(page) == pytest.approx(turned, abs=1e-3)
    for colour in ("valence", "emotion", "speaker"):
        choose_colour(page, colour)
        assert camera(page) == pytest.approx(turned, abs=2e-3)
        assert link(page)["clip"] == digest
        assert page.eval_on_selector(PLOT, RING)[0] is not None
    was = camera(page)
    opened(other, page.url)
    assert camera(other) == pytest.approx(was, abs=2e-3)
    assert link(other) == link(page)
    assert other.eval_on_selector(PLOT, "plot => plot.data[0].name") == "ada"
    assert np.array_equal(heard(other), heard(page))
    assert other.eval_on_selector(PLOT, RING) == page.eval_on_selector(PLOT, RING)
    assert samples_of(dashboard, digest)[0] in other.inner_text(".stMain")


def test_a_neighbour_is_jumped_to_and_heard(page, dashboard):
    found = found_in(dashboard.cache)
    opened(page, f"{dashboard.url}/?clip={found.digests[3][:12]}")
    table = page.locator("[data-testid='stDataFrame']").first
    box = table.bounding_box()
    page.mouse.click(box["x"] + 120, box["y"] + 36 + 14)
    page.wait_for_function("digest => !location.search.includes(digest)", arg=found.digests[3][:12])
    x = found.layer(-1).astype(float)
    x = (x - x.mean(0)) / x.std(0)
    nearest = int(((x - x[3]) ** 2).sum(1).argsort()[1])
    assert found.digests[nearest].startswith(link(page)["clip"])
    page.wait_for_selector("[class*='st-key-sound_'] audio")
    settled(page)
    assert np.abs(heard(page) - samples_of(dashboard, link(page)["clip"])[1]).max() <= 1 / 32768


def test_a_flat_map_is_clicked_and_lassoed(page, dashboard):
    opened(page, f"{dashboard.url}/?dims=2")
    said = point_at_a_clip(page)
    file, samples = samples_of(dashboard, click_here(page))
    assert said.endswith(file)
    assert np.abs(heard(page) - samples).max() <= 1 / 32768
    page.locator(f"{PLOT} .modebar-btn[data-val='select']").click()
    box = page.query_selector(PLOT).bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7, steps=6)
    page.mouse.up()
    page.get_by_text(re.compile(r"\d+ selected")).wait_for()
    number = int(re.search(r"(\d+) selected", page.inner_text(".stMain"))[1])
    assert 1 < number < 60
    assert page.get_by_text(f"Clips ({number} of 60)").is_visible()
    page.get_by_role("button", name="Show all clips").click()
    page.get_by_text("Clips (60 of 60)").wait_for()


def test_what_the_legend_hides_stays_hidden(page, dashboard):
    opened(page, dashboard.url)
    page.locator(f"{PLOT} .legendtoggle").first.click()
    page.get_by_text("Clips (40 of 60)").wait_for()
    hidden = "plot => plot.data.filter(trace => trace.visible === 'legendonly').map(trace => trace.name)"
    (name,) = page.eval_on_selector(PLOT, hidden)
    assert not point_at_a_clip(page).startswith(name)
    click_here(page)
    assert page.eval_on_selector(PLOT, hidden) == [name]
    choose_colour(page, "speaker")
    assert page.eval_on_selector(PLOT, hidden) == []
    choose_colour(page, "emotion")
    assert page.eval_on_selector(PLOT, hidden) == [name]
    page.get_by_text("Clips (40 of 60)").wait_for()
