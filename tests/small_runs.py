"""Small trained models on the corpus of `small_cache`, in a second: a perceptron, a support vector machine and others.

Not a test. The toy encoder has to be known while they are trained and asked (`known`).
"""

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ser_core import experiments
from ser_core.cache import Cache
from ser_core.encoders import ENCODERS
from ser_core.experiments import Plan
from ser_core.runs import Run

SMALL = runpy.run_path(str(Path(__file__).with_name("small_cache.py")))
Bands: Any = SMALL["Bands"]
PLANS = {
    "mlp": Plan("mlp", "tones", encoder="bands", epochs=2),
    "shared": Plan("mlp", "tones", split="random", encoder="bands", epochs=2),
    "own": Plan("mlp", "tones", split="random", encoder="bands", epochs=1, normalise="speaker"),
    "svm": Plan("svm", "tones", split="random", encoder="bands", layer=0),
    "cnn3": Plan("cnn3", "tones", split="random", epochs=1),
}


@contextmanager
def known() -> Iterator[None]:
    """Have the toy encoder of the small cache among those that come with the library."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENCODERS, "bands", Bands())
        yield


def make(folder: Path, *names: str) -> tuple[Cache, dict[str, Run]]:
    """Make the small cache and train these of `PLANS`."""
    cache = Cache(SMALL["make"](folder))
    return cache, {name: experiments.train(PLANS[name], cache=cache, device="cpu") for name in names}
