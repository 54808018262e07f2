"""The Place page in the browser: upload, record, hear, follow over time; nothing stays or is seen by others."""

import io
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect

from ser_core import audio, catalogue, embeddings, placement
from ser_core.cache import Cache
from ser_core.encoders import EGEMAPS

pytestmark = pytest.mark.browser

HOSTILE = "..<img src=x onerror=alert(1)> **bold** $x$.wav"
MAP = ".st-key-map_chart .js-plotly-plot"
IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"
PLAYER = ".st-key-path_player audio"
RING = ".st-key-{} .ser-atlas-follow-ring"
CENTRE = (
    "const centre = node => {"
    " const {x, y, width, height} = node.getBoundingClientRect(); return [x + width / 2, y + height / 2] };"
)
"""Start of a function: where a thing is on the screen."""
HERE = f"node => {{ {CENTRE} return centre(node) }}"
WINDOWS = (
    f"plot => {{ {CENTRE} const n = plot._fullData.find(trace => trace.meta === 'windows').x.length;"
    " const layers = [...plot.querySelectorAll('.scatterlayer .trace')];"
    " const points = layers.map(layer => [...layer.querySelectorAll('.point')]);"
    " return points.find(found => found.length === n).map(centre) }"
)
START = (
    f"plot => {{ {CENTRE} const texts = [...plot.querySelectorAll('.infolayer text')];"
    " return centre(texts.find(node => node.textContent === 'start')) }"
)

HAND = "plot => { const {x, y} = plot.data.find(trace => trace.meta === 'your clip'); return [x[0], y[0]] }"
PAINTED = (
    "([map, name]) => document.querySelector(map)?.data?.find(one => one.meta === 'your clip')?.text?.includes(name)"
)


@pytest.fixture(scope="session")
def placing(tmp_path_factory: pytest.TempPathFactory, serve) -> Iterator:
    """A dashboard over the tones of the small cache, embedded with eGeMAPS too."""
    make = runpy.run_path(str(Path(__file__).parent.parent / "small_cache.py"))["make"]
    cache = make(tmp_path_factory.mktemp("place"), n_takes=3)
    embeddings.embed(catalogue.get(Cache(cache), "tones"), EGEMAPS, cache=Cache(cache))
    with serve(cache) as running:
        yield running


def voice(seconds: float, *, seed: int = 1, rate: int = 16_000) -> np.ndarray:
    """A tone that wanders from low and soft to high and loud."""
    time = np.arange(int(seconds * rate)) / rate
    pitch = 130 + 190 * time / seconds
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tone = sum(np.sin(n * phase) / n for n in range(1, 7)) * (0.03 + 0.2 * time / seconds)
    return (tone + np.random.default_rng(seed).normal(0, 0.002, len(time))).astype(np.float32)


def wav(samples: np.ndarray, rate: int = 16_000) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def opened(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_text("Upload clips").wait_for()
    settled(page)


def settled(page: Page) -> None:
    page.wait_for_timeout(200)
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(200)


def upload(page: Page, *files: tuple[str, bytes]) -> None:
    payload = [{"name": name, "mimeType": "audio/wav", "buffer": content} for name, content in files]
    page.set_input_files("[data-testid='stFileUploader'] input[type=file]", files=payload)


def heard(page: Page, player: str) -> np.ndarray:
    page.wait_for_selector(player)
    source = page.eval_on_selector(player, "audio => audio.src")
    samples, rate = soundfile.read(io.BytesIO(page.request.get(source).body()), dtype="float32")
    assert rate == audio.SAMPLING_RATE
    return samples


def place_of(page: Page, selector: str) -> np.ndarray:
    return np.array(page.eval_on_selector(selector, HERE))


def at(page: Page, seconds: float) -> None:
    page.eval_on_selector(PLAYER, "(audio, seconds) => { audio.currentTime = seconds }", seconds)
    page.wait_for_timeout(400)


def test_clips_are_painted_on_the_map_that_is_there_before_them(page, placing):
    opened(page, f"{placing.url}/place?encoder=egemaps&dims=2")
    page.wait_for_selector(f"{MAP} .main-svg")
    settled(page)
    page.eval_on_selector(MAP, "plot => { plot.sameChart = true }")
    atlas = placement.atlas("tones", "egemaps", dimensions=2, cache=Cache(placing.cache))
    for seed in (3, 4):
        clip = wav(voice(1.0, seed=seed))
        upload(page, (f"{seed}.wav", clip))
        page.wait_for_function(PAINTED, arg=[MAP, f"{seed}.wav"])
        landed = page.eval_on_selector(MAP, "plot => plot._fullData.find(trace => trace.meta === 'your clip')._length")
        place = page.eval_on_selector(MAP, HAND)
        assert (landed, place) == (1, pytest.approx(atlas.place(clip).point, rel=1e-5))
        settled(page)
    assert page.eval_on_selector(MAP, "plot => plot.sameChart")  # neither drawn anew nor turned back
    page.get_by_role("button", name="Forget all").click()
    page.wait_for_function(
        f"plot => {{ const clip = ({HAND})(document.querySelector(plot)); return !clip[0] }}", arg=MAP
    )


def test_uploads_land_and_are_heard_and_nothing_of_them_stays_or_is_seen_by_others(page, other, placing):
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    opened(page, f"{placing.url}/place?encoder=egemaps&dims=2")
    stereo = voice(1.0, seed=2, rate=44_100)
    clip = wav(np.stack([stereo, stereo / 2], axis=1), 44_100)
    upload(page, ("broken.wav", b"RIFF but no sound"), (HOSTILE, clip))
    page.wait_for_selector(f"{MAP} .main-svg")
    settled(page)
    expect(page.get_by_text(re.compile(r"broken\.wav: .{10,}\.")).first).to_be_visible()  # the map may come before
    expect(page.get_by_text("44,100 Hz").first).to_be_visible()
    main = page.inner_text(".stMain")
    assert "Traceback" not in main
    assert HOSTILE in main
    assert not dialogs
    for fact in ("44,100 Hz", "2 (stereo)", "1.00 s", "channels averaged", "resampled from 44.1 kHz to 16 kHz"):
        assert fact in main
    expected = audio.read(clip)
    assert np.abs(heard(page, ".stMain audio >> nth=0") - expected).max() <= 1 / 32768

    kept = [file.read_bytes() for file in placing.cache.rglob("*") if file.is_file()]
    raw = clip[len(clip) // 2 : len(clip) // 2 + 64]
    assert not any(raw in content or expected[8000:8016].tobytes() in content for content in kept)
    opened(other, page.url)
    assert "No clip yet" in other.inner_text(".stMain")
    assert "onerror" not in other.inner_text(".stMain")


def test_a_recording_of_the_microphone_is_placed(launch, placing, tmp_path):
    time = np.arange(4 * 48_000) / 48_000
    (tmp_path / "tone.wav").write_bytes(wav(0.5 * np.sin(2 * np.pi * 440 * time), 48_000))
    browser: Browser = launch(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={tmp_path / 'tone.wav'}",
    )
    try:
        page = browser.new_context(permissions=["microphone"], viewport={"width": 1280, "height": 1000}).new_page()
        page.set_default_timeout(180_000)
        opened(page, f"{placing.url}/place?encoder=egemaps&dims=2")
        page.get_by_role("button", name="Record", exact=True).click()
        page.get_by_role("button", name="Stop recording").wait_for()
        page.wait_for_timeout(1500)
        page.get_by_role("button", name="Stop recording").click()
        page.wait_for_selector(f"{MAP} .main-svg")
        settled(page)
        assert "recording" in page.inner_text(".stMain")
        samples = heard(page, ".stMain audio >> nth=0")
        assert 0.8 < len(samples) / audio.SAMPLING_RATE < 30
        power = np.abs(np.fft.rfft(samples))
        assert np.fft.rfftfreq(len(samples), 1 / audio.SAMPLING_RATE)[power.argmax()] == pytest.approx(440, abs=5)
    finally:
        browser.close()


def test_player_and_pictures_keep_together(page, placing):
    opened(page, f"{placing.url}/place?encoder=egemaps&show=time")
    clip = voice(6.0)
    upload(page, ("six.wav", wav(clip)))
    page.wait_for_selector(".st-key-path_time .main-svg")
    settled(page)
    page.wait_for_selector(RING.format("path_plane"))
    assert np.abs(heard(page, PLAYER) - clip).max() <= 1.5 / 32768

    rings = [RING.format(chart) for chart in ("path_map", "path_plane")]
    drawn = np.array(page.eval_on_selector(".st-key-path_plane .js-plotly-plot", WINDOWS))
    assert len(drawn) == 9  # of 2 s, one every half second
    assert np.linalg.norm(drawn[3] - drawn[2]) > 4  # far enough for the half way to be told from either
    for window in (0, 3, 8):
        at(page, 1 + window / 2)  # its middle
        np.testing.assert_allclose(place_of(page, rings[1]), drawn[window], atol=1)
    at(page, 2.25)  # half way from the third to the fourth
    np.testing.assert_allclose(place_of(page, rings[1]), (drawn[2] + drawn[3]) / 2, atol=1)
    at(page, 0)
    start = np.array(page.eval_on_selector(".st-key-path_map .js-plotly-plot", START))
    assert np.abs(place_of(page, rings[0]) - start - [0, 17]).max() < 2  # the word stands above its point

    before = [place_of(page, ring) for ring in rings]
    page.eval_on_selector(PLAYER, "audio => audio.play()")
    page.wait_for_function(f"() => document.querySelector('{PLAYER}')?.currentTime > 2.5")
    page.eval_on_selector(PLAYER, "audio => audio.pause()")
    page.wait_for_timeout(300)
    for ring, was in zip(rings, before, strict=True):
        assert np.abs(place_of(page, ring) - was).max() > 3

    chart = page.locator(".st-key-path_time .js-plotly-plot")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    axis = "plot => { const {_offset, _length} = plot._fullLayout.xaxis; return [_offset, _length] }"
    offset, length = chart.evaluate(axis)
    page.mouse.click(box["x"] + offset + length * 4.5 / 6, box["y"] + box["height"] / 2)
    page.wait_for_function(f"() => Math.abs(document.querySelector('{PLAYER}')?.currentTime - 4.5) < 0.05")
    page.wait_for_timeout(400)
    line = place_of(page, ".st-key-path_time .ser-atlas-follow-line")
    assert line[0] == pytest.approx(box["x"] + offset + length * 4.5 / 6, abs=1.5)
    drawn = np.array(page.eval_on_selector(".st-key-path_plane .js-plotly-plot", WINDOWS))  # the page was scrolled
    np.testing.assert_allclose(place_of(page, rings[1]), drawn[7], atol=2)

    page.get_by_text(re.compile("Table of the 9 windows")).click()
    with page.expect_download() as download:
        page.locator(".st-key-csv_path").get_by_role("button").click()
    assert download.value.suggested_filename == "path.csv"
    table = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert len(table) == 10
    assert table[0].startswith("from (s),to (s),valence,arousal,nearest emotion")
    page.get_by_text("2-D", exact=True).click()
    page.wait_for_selector(".st-key-path_map .gl-canvas", state="attached")
    settled(page)
    at(page, 1)
    note = np.array(page.eval_on_selector(".st-key-path_map .js-plotly-plot", START))
    assert np.abs(place_of(page, rings[0]) - note - [0, 17]).max() < 2
    expect(page.locator(".ser-atlas-follow-ring")).to_have_count(2)
    expect(page.locator(".ser-atlas-follow-line")).to_have_count(1)
