"""Transfer and Attribution in the browser: computed from the page, looked at, and a clip explained beside its sound."""

import pytest
import two_corpora
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

BARS = ".st-key-waterfall .waterfalllayer .point path, .st-key-waterfall .barlayer .point path"


@pytest.fixture(scope="module")
def own(tmp_path_factory, serve):
    cache = two_corpora.make(tmp_path_factory.mktemp("transfer"))
    with serve(cache.root) as running:
        yield running


def test_a_transfer_is_computed_and_seen(page, own):
    page.goto(f"{own.url}/transfer?learnt_on=first")
    page.get_by_role("button", name="Compute it").click()
    expect(page.locator(".st-key-transfer_scores .js-plotly-plot")).to_be_visible()
    for words, key in (("Where clips lie", "plane_second"), ("What the numbers follow", "turned")):
        page.get_by_text(words, exact=True).first.click()
        expect(page.locator(f".st-key-{key} .js-plotly-plot").first).to_be_visible()
    expect(page.get_by_text("dimension 1 follows activation")).to_be_visible()
    page.get_by_text("All corpora", exact=True).first.click()
    expect(page.locator(".st-key-transfer_matrix .js-plotly-plot")).to_be_visible()
    expect(page.locator("[data-testid='stException']")).to_have_count(0)


def test_what_the_features_did(page, own):
    page.goto(f"{own.url}/attribution?learnt_on=first")
    compute = page.get_by_role("button", name="Compute it")
    violins = page.locator(".st-key-violins .js-plotly-plot")
    expect(compute.or_(violins).first).to_be_visible()
    if compute.count():
        compute.click()
    expect(violins).to_be_visible()
    expect(page.get_by_text("What marks each emotion")).to_be_visible()
    page.get_by_text("One clip", exact=True).first.click()
    expect(page.locator("audio")).to_be_visible()
    expect(page.locator(BARS).first).to_be_attached()
    before = page.locator(BARS).count()
    page.locator("[data-testid='stSelectbox']").filter(has_text="Clip").last.locator("input").fill("anger_1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("this clip (anger)").first).to_be_visible()
    assert before == page.locator(BARS).count() == 16
    expect(page.locator("[data-testid='stException']")).to_have_count(0)
