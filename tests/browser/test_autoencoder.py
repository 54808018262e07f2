"""An autoencoder in the browser: trained from the page; a slider makes a new sound, which is one, and is played."""

import io
import re

import numpy as np
import pytest
import soundfile
import voices
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"
PLAYER = ".st-key-generated audio"


def settled(page: Page) -> None:
    page.wait_for_timeout(150)
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(300)


def heard(page: Page) -> tuple[str, np.ndarray]:
    """Return where the sound comes from, and its samples, fetched as the player does, when it changes no more."""
    found = None
    for _ in range(20):  # the last of several moves may still be on its way, and a sound that was replaced is gone
        settled(page)
        source = page.locator(PLAYER).get_attribute("src")
        found = page.request.get(source)
        if found.ok and page.locator(PLAYER).get_attribute("src") == source:
            break
    signal, rate = soundfile.read(io.BytesIO(found.body()))
    assert rate == voices.RATE
    return source, signal


@pytest.fixture(scope="module")
def own(tmp_path_factory, serve):
    cache = voices.make(tmp_path_factory.mktemp("autoencoder"))
    voices.trained(cache, voices.ALL)
    with serve(cache.root) as running:
        yield running


def test_a_slider_makes_a_new_sound(page, own):
    page.goto(f"{own.url}/autoencoder?vae=generator")
    expect(page.locator(PLAYER)).to_be_visible()
    page.get_by_role("button", name="Mean of the clips").click()
    page.wait_for_function("() => document.querySelector('.st-key-generated audio')?.duration > 0")
    before, first = heard(page)
    handle = page.get_by_role("slider", name="Latent 3")
    handle.focus()
    for _ in range(12):
        handle.press("ArrowRight")
    page.wait_for_function(f"src => document.querySelector('{PLAYER}')?.src.split('/').pop() !== src", arg=before[-20:])
    expect(page.locator(PLAYER)).not_to_have_attribute("src", before)
    after, second = heard(page)
    assert after != before
    for signal in (first, second):
        assert 0.4 < len(signal) / voices.RATE < 3.2
        assert 20 * np.log10(np.sqrt(np.mean(signal**2))) > -60  # a silent file would be played, too
    n = min(len(first), len(second))
    assert not np.allclose(first[:n], second[:n])
    assert page.locator(PLAYER).evaluate("one => one.autoplay")


def test_one_is_trained_from_the_page(page, own):
    page.goto(f"{own.url}/autoencoder?vae=train")
    page.get_by_role("combobox", name=re.compile("Speakers")).click()
    page.get_by_role("option", name="speaker ben").click()
    settled(page)
    page.get_by_text("More choices").click()
    epochs = page.get_by_role("spinbutton", name=re.compile("Epochs"))
    epochs.fill("40")
    epochs.press("Enter")
    expect(page.get_by_text("ser train vae voices --speakers ben --epochs 40")).to_be_visible()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("This was trained already")).to_be_visible()
    page.get_by_role("button", name="Open that autoencoder").click()
    expect(page.get_by_text("12 of 48 clips trained on")).to_be_visible()
