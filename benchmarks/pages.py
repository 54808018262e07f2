"""How fast pages redraw: the first drawing, and the next ones when what was computed is kept.

    python benchmarks/pages.py [--data ../shared/data] [--cache FOLDER]

Every page with all of RAVDESS (eGeMAPS), through the entry file and without a browser: the time from a changed chooser
to the finished answer of the server.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

from ser_core import analyses, catalogue, embeddings, maps
from ser_core.cache import Cache
from ser_core.encoders import encoder

ROOT = Path(__file__).parent.parent
PAGES = {
    "Explore": ("explore", {}),
    "Clusters": ("clusters", {}),
    "Clusters, mixtures": ("clusters", {"shape": "mixture"}),
    "Distances, map": ("distances", {"space": "map"}),
    "Distances, all dimensions": ("distances", {"space": "full"}),
    "Circle, order": ("circumplex", {"part": "order"}),
    "Circle, plane": ("circumplex", {"part": "plane"}),
    "Circle, words": ("circumplex", {"part": "words"}),
}
ROUNDS = 5


def drawn(app: AppTest) -> float:
    start = time.perf_counter()
    app.run()
    seconds = time.perf_counter() - start
    assert not app.exception, app.exception
    assert not app.error, [one.value for one in app.error]
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--cache", type=Path, help="default: a new folder, dropped at the end")
    given = options.parse_args()
    logging.disable(logging.WARNING)  # Streamlit misses a browser, as it should
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(given.cache or Path(folder))
        located, _ = catalogue.add(cache, "ravdess", given.data / "ravdess")
        found = embeddings.embed(located, encoder("egemaps"), cache=cache)
        scaling = maps.default_scaling(found.recipe)
        analyses.learn(analyses.teachers(found)[0], layer=0, scaling=scaling, method="regression", cache=cache)
        os.environ["SER_CACHE"] = str(cache.root)
        print(f"{len(found.clips)} clips\n\n| page | first, s | again, s | ratio |\n|---|---|---|---|")
        for title, (view, choices) in PAGES.items():
            app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
            app.query_params["corpora"] = "ravdess"
            for name, value in choices.items():
                app.query_params[name] = value
            if view != "explore":
                app.switch_page(f"views/{view}.py")
            first = drawn(app)
            again = statistics.median(drawn(app) for _ in range(ROUNDS))
            print(f"| {title} | {first:.2f} | {again:.2f} | {first / again:.0f} |", flush=True)


if __name__ == "__main__":
    main()
