"""Placing a clip: how long from upload to picture, how often answers are right, and whether clips land on themselves.

    python benchmarks/place.py [--data ../shared/data] [--cache FOLDER] [--parts picture,library,unseen,points]

``picture``: EmoDB clips uploaded to the served page over RAVDESS (eGeMAPS, warm), in Chromium, from the file given to
the finished map. ``library``: the same without a page, part by part, beside plain openSMILE and scikit-learn.
``unseen``: the README table of answers with every speaker left out. ``points``: the largest distance between a clip's
own point and where its file lands. What is in the cache is not computed again; ``compare_2016`` takes some minutes.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import opensmile
import soundfile
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ser_core import audio, catalogue, embeddings, evaluation, landing, maps, placement, unseen
from ser_core.cache import Cache
from ser_core.encoders import encoder
from ser_core.plots.landing import HAND

ROOT = Path(__file__).parent.parent
CORPORA = ("emodb", "ravdess")
ENCODERS = ("egemaps", "compare_2016")
WAYS = {"mahalanobis": "Mahalanobis distance", "neighbours": "ten nearest clips", "svm": "support vector machine"}
ROUNDS = 15
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
UPLOAD = "[data-testid='stFileUploader'] input[type=file]"
LANDED = """([hand, name]) => {
    const plot = document.querySelector(".st-key-map_chart .js-plotly-plot")
    return plot?._fullData?.some(trace => trace.meta === hand && [...trace.text].includes(name))
}"""
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def table(heads: list[str], rows: list[list[str]]) -> None:
    print("\n| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def spread(seconds: list[float]) -> str:
    """Median and range, in milliseconds."""
    return f"{1000 * statistics.median(seconds):.0f} ({1000 * min(seconds):.0f} to {1000 * max(seconds):.0f})"


def timed(action: Callable[..., Any], *of: Any, **options: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = action(*of, **options)
    return time.perf_counter() - start, result


def picture(cache: Cache, data: Path) -> None:
    """Upload clips one after the other: the first one warms the page up, and all of them stay on the map."""
    from playwright.sync_api import sync_playwright

    chromium = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    files = sorted((data / "emodb").rglob("*.wav"))[: ROUNDS + 1]
    placement.atlas("ravdess", "egemaps", cache=cache)
    seconds = []
    with served(cache) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(f"{url}/place?corpora=ravdess&encoder=egemaps")
        page.wait_for_selector(UPLOAD, state="attached")
        for file in files:
            page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']")
            page.wait_for_timeout(1500)
            start = time.perf_counter()
            page.set_input_files(UPLOAD, file)
            page.wait_for_function(LANDED, arg=[HAND, file.name], polling="raf")
            page.evaluate(PAINTED)
            seconds.append(time.perf_counter() - start)
        browser.close()
    first = [["first clip of a server", f"{1000 * seconds[0]:.0f}"]]
    rows = [*first, [f"the {ROUNDS} after it", spread(seconds[1:])]]
    table(["from upload to the finished map", "ms, median (range)"], rows)


@contextmanager
def served(cache: Cache) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py")]
    command += ["--server.port", port, "--server.address", "127.0.0.1", "--server.headless", "true"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "SER_CACHE": str(cache.root)}, **quiet)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).close()
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(20)


def library(cache: Cache, data: Path) -> None:
    """Time the parts on the same clips, in turn with the plain way to the same vector and the same point."""
    start = time.perf_counter()
    atlas = placement.atlas("ravdess", "egemaps", cache=cache)
    print(f"\nan atlas that is kept opens in {time.perf_counter() - start:.2f} s")
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    plain = make_pipeline(StandardScaler(), PCA(3, svd_solver="full")).fit(atlas.found.layer(-1).astype(float))

    def plain_point(file: Path) -> Any:
        return plain.transform(smile.process_signal(*soundfile.read(file)).to_numpy())[0]

    parts: dict[str, list[float]] = {name: [] for name in ("decode", "encode", "place", "sum", "plain")}
    apart = 0.0
    for file in sorted((data / "emodb").rglob("*.wav"))[: ROUNDS + 1]:
        plainly, point = timed(plain_point, file)
        decoding, clip = timed(audio.decode, file)
        encoding, vectors = timed(placement.vectors, clip, atlas.encoder)
        placing, placed = timed(placement.placed, atlas, clip, vectors, digest="")
        seconds = (decoding, encoding, placing, decoding + encoding + placing, plainly)
        for name, took in zip(parts, seconds, strict=True):
            parts[name].append(took)
        apart = max(apart, float(np.abs(np.abs(point) - np.abs(placed.point)).max()))
    rows = [[name, spread(seconds[1:])] for name, seconds in parts.items()]
    table(["eGeMAPS, EmoDB clips among RAVDESS", "ms, median (range)"], rows)
    ratio = statistics.median(parts["sum"][1:]) / statistics.median(parts["plain"][1:])
    print(f"\nall that is said of a clip takes {ratio:.2f} times as long as the plain vector and point; largest")
    print(f"difference of their coordinates {apart:.1e}")


def answers(cache: Cache) -> None:
    """Check with every speaker left out."""
    rows = []
    for corpus in CORPORA:
        for name in ENCODERS:
            found = opened(cache, corpus, name)
            how: dict[str, Any] = {"layer": 0, "scaling": maps.default_scaling(found.recipe), "cache": cache}
            seconds, checked = timed(unseen.check, found, **how)
            print(f"# {corpus}, {name}: {seconds:.1f} s")
            for one in checked.answers:
                result = one.evaluation
                scores = [(result.uar, result.interval(evaluation.uar)), (result.wa, result.interval(evaluation.wa))]
                told = [f"{score:.3f} ({low:.3f} to {high:.3f})" for score, (low, high) in scores]
                calibrated = [f"{checked.brier:.3f}", f"{checked.calibration_error:.3f}"]
                rows.append([corpus, name, WAYS[one.name], *told, *(calibrated if one.name == "svm" else ["", ""])])
            n = len(checked.names)
            rows.append([corpus, name, f"chance ({n} emotions)", f"{1 / n:.3f}", "", "", ""])
    heads = ["corpus", "encoder", "emotion named by", "UAR (95 %)", "WA (95 %)", "Brier score", "calibration error"]
    table(heads, rows)


def points(cache: Cache) -> None:
    """Land every file of a corpus (decoded and encoded anew), and compare with its own vector and point."""
    rows = []
    for corpus in CORPORA:
        for name in ENCODERS:
            found, located = opened(cache, corpus, name), catalogue.get(cache, corpus)
            made = placement.encoder_of(found.recipe, corpora=(corpus,))
            files = found.clips["file"] if name == "egemaps" else found.clips["file"].iloc[::10]
            anew = np.stack(
                [made.encode([audio.decode(located.root / file).signal])[0, 0] for file in files], dtype=np.float32
            )
            own = found.layer(0)[files.index]
            for n_components in (2, 3):
                view = maps.view(found, layer=0, method="pca", n_components=n_components, scaling=None, seed=maps.SEED)
                drawn = maps.draw(found, view, cache=cache)
                landed = landing.ground(found, drawn).land(anew).points
                off = np.abs(landed - drawn.projection.coordinates[files.index]).max()
                same = "the same" if np.array_equal(anew, own) else f"{np.abs(anew - own).max():.1e} off"
                rows.append([corpus, name, f"{n_components}-D", str(len(files)), same, f"{off:.1e}"])
    table(["corpus", "encoder", "PCA map", "files", "vectors", "largest distance from their own points"], rows)


def opened(cache: Cache, corpus: str, name: str) -> embeddings.Embeddings:
    return embeddings.embed(catalogue.get(cache, corpus), encoder(name), cache=cache)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--cache", type=Path, help="default: a new folder, dropped at the end")
    options.add_argument("--parts", default="library,points,unseen,picture")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache((given.cache or Path(folder)).absolute())
        for corpus in CORPORA:
            catalogue.add(cache, corpus, given.data / corpus)
            opened(cache, corpus, "egemaps")
        parts: dict[str, Callable[[], None]] = {
            "library": lambda: library(cache, given.data),
            "points": lambda: points(cache),
            "unseen": lambda: answers(cache),
            "picture": lambda: picture(cache, given.data),
        }
        for name in given.parts.split(","):
            parts[name]()


if __name__ == "__main__":
    main()
