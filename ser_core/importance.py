"""What a trained model goes by: how much worse it does when a group of measures tells it nothing.

Permutation importance (Breiman 2001, Machine Learning 45, 5-32): the values of a group are shuffled together among the
test clips, so that they keep their distribution and what they say of each other, but belong to other clips. The fall
of UAR is what the model gets from this group alone: what other groups say as well is not missed. A fall near 0
therefore does not mean that the measure says nothing about emotion, and a fall is no cause.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import egemaps_words, scores
from ser_core.cache import Cache
from ser_core.encoders import ENCODERS
from ser_core.errors import SerError
from ser_core.models.inputs import Inputs, per_speaker
from ser_core.runs import Run

Groups = Mapping[str, NDArray[np.intp]]
Rows = NDArray[np.intp]
VERSION: Final = 1
"""Part of what results are kept under: change it when they come out differently."""
REPEATS: Final = 20

_SPECTRAL: Final = {
    "snr_db": "speech above noise",
    "tempo_bpm": "tempo",
    "mel_db": "level (mel spectrum)",
    "mfcc": "spectral shape (MFCC)",
    "chroma": "pitch classes (chroma)",
    "contrast": "spectral contrast",
    "tonnetz": "tone space (tonnetz)",
    "centroid": "brightness and bandwidth",
    "rolloff": "brightness and bandwidth",
    "bandwidth": "brightness and bandwidth",
    "rms": "energy (RMS)",
    "zero_crossing": "zero crossings",
}
_FFT: Final = "pcm_fftMag_"
_COMPARE: Final = {
    "audspec_length": "loudness",
    "audspecRasta_length": "loudness",
    "pcm_RMSenergy": "energy (RMS)",
    "pcm_zcr": "zero crossings",
    "audSpec_Rfilt": "auditory spectrum (26 bands)",
    "mfcc": "spectral shape (MFCC)",
    "F0final": "pitch",
    "voicing": "voicing",
    "jitter": "irregular pitch (jitter)",
    "shimmer": "irregular loudness (shimmer)",
    "logHNR": "voice clearness (harmonics-to-noise ratio)",
    f"{_FFT}fband": "energy at 250-650 Hz and 1-4 kHz",
    f"{_FFT}spectralFlux": "spectral change (flux)",
    f"{_FFT}spectralHarmonicity": "spectral harmonicity",
    **dict.fromkeys(
        (f"{_FFT}{name}" for name in ("spectralRollOff", "spectralCentroid", "spectralSlope", "psySharpness")),
        "brightness (roll-off, centroid, slope, sharpness)",
    ),
    **dict.fromkeys(
        (f"{_FFT}spectral{name}" for name in ("Entropy", "Variance", "Skewness", "Kurtosis")),
        "spread of the spectrum (variance, skewness, kurtosis, entropy)",
    ),
}
_BANDS: Final = 10
"""Of a log-mel spectrum that make a group."""
_LOGMEL: Final = {
    f"mel_{band}_": f"mel bands {first} to {first + _BANDS - 1}"
    for first in range(1, 80, _BANDS)
    for band in range(first, first + _BANDS)
}
_BEGINNINGS: Final = {"spectral": _SPECTRAL, "compare_2016": _COMPARE, "logmel": _LOGMEL}
"""How the names of an encoder's values begin, and what to call the group: the low-level measure that they sum up."""


class ImportanceError(SerError, ValueError):
    """A model that cannot be asked what it goes by; the message says why."""


class Fitted(Protocol):
    """What is asked of a fitted model."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions."""
        ...

    def predicted(self, inputs: Inputs) -> Rows:
        """Return the class number of each clip, (n,)."""
        ...


def groups(encoder_name: str, feature_names: Sequence[str]) -> dict[str, Rows]:
    """Return which values belong together, as words for people -> column numbers.

    Measures that say nearly the same thing share a group, for one alone would not be missed. Values of an encoder
    without known families are groups of one; values without names have no groups.

    Examples
    --------
    >>> groups("spectral", ["mfcc_1_mean", "rms_mean", "mfcc_2_std"])
    {'spectral shape (MFCC)': array([0, 2]), 'energy (RMS)': array([1])}
    """
    if encoder_name == "egemaps":
        exact = {one.name: one.family for one in egemaps_words.measures()}
        words = [exact.get(name, name) for name in feature_names]
    else:
        starts = _BEGINNINGS.get(encoder_name, {})
        words = [next((starts[start] for start in starts if name.startswith(start)), name) for name in feature_names]
    return {group: np.flatnonzero([one == group for one in words]) for group in dict.fromkeys(words)}


def importance(
    fitted: Fitted, inputs: Inputs, y: Rows, *, groups: Groups, repeats: int = REPEATS, seed: int
) -> pd.DataFrame:
    """Return how much UAR falls on the test clips of one fitted model when a group of values tells it nothing.

    Parameters
    ----------
    inputs, y
        The test clips with their class numbers, (n,).
    groups
        Columns of the vectors by words, as `groups` gives them.
    repeats
        How often each group is shuffled; all groups in the same orders.

    Returns
    -------
    Columns ``words``, ``n_values``, ``drop`` (the mean fall, 0-1), ``low`` and ``high`` (95 % of the repeats); the
    largest fall first.

    Raises
    ------
    ImportanceError
        If the clips have no vectors, or there are no groups.
    """
    falls = _falls([(fitted, inputs, y)], groups, repeats=repeats, seed=seed, progress=lambda *_: None)
    return _table(groups, falls)


def of_run(
    run: Run, *, cache: Cache, repeats: int = REPEATS, seed: int, progress: Callable[[int, int], None] = lambda *_: None
) -> pd.DataFrame:
    """Return the `importance` in all folds of a run: values are shuffled within each test part, predictions pooled.

    Computed once, and kept; a forest takes a minute or so.

    Parameters
    ----------
    progress
        Called with groups done and their number.

    Raises
    ------
    ImportanceError
        As `refusal`, or if the clips' vectors are no longer kept.
    """
    if why := refusal(run):
        raise ImportanceError(why)
    of, recipe = _groups(run), _recipe(run, repeats, seed)
    arrays = cache.load_arrays(recipe)
    if arrays is None:
        inputs, truth = _inputs(run, cache), run.clips["truth"].to_numpy(np.intp)
        place = {name: row for row, name in enumerate(zip(run.clips["sha"], run.clips["file"], strict=True))}
        parts = []
        for fold in run.done:
            own = run.tested[run.tested["fold"] == fold]
            rows = np.array([place[name] for name in zip(own["sha"], own["file"], strict=True)], np.intp)
            parts.append((run.fitted(fold), inputs.take(rows), truth[rows]))
        arrays = {"falls": _falls(parts, of, repeats=repeats, seed=seed, progress=progress)}
        cache.store_arrays(recipe, arrays)
    return _table(of, arrays["falls"])


def kept(run: Run, *, cache: Cache, repeats: int = REPEATS, seed: int) -> bool:
    """Say whether `of_run` was computed before, and so takes no time."""
    return cache.has_arrays(_recipe(run, repeats, seed))


def refusal(run: Run) -> str | None:
    """Say why a run cannot be asked what it goes by; None where it can."""
    made_with = run.recipe["inputs"]
    if "pictures" in made_with:
        return "this model looks at pictures of the clips: what it goes by is shown on each clip's spectrogram"
    if not _groups(run):
        return f"the values of {made_with['vectors']['name']} have no names: no groups of them can be told apart"
    return None


def _groups(run: Run) -> dict[str, Rows]:
    name = run.recipe["inputs"]["vectors"]["name"]
    names = getattr(ENCODERS.get(name), "feature_names", tuple)
    return groups(name, names())


def _recipe(run: Run, repeats: int, seed: int) -> dict[str, Any]:
    asked = {"run": run.id, "folds": list(run.done), "repeats": repeats, "seed": seed}
    return {"name": "importance", "version": VERSION} | asked


def _inputs(run: Run, cache: Cache) -> Inputs:
    """Return what the model was given of all clips of the run, in their order."""
    recipe = run.recipe["inputs"]["vectors"]
    store = next((one for one in cache.stores() if one.recipe == recipe), None)
    held = store.read(run.clips["sha"]).vectors if store else {}
    missing = sum(sha not in held for sha in run.clips["sha"])
    if missing:
        raise ImportanceError(
            f"no {recipe['name']} is kept here for {missing} of the {len(run.clips)} clips of run {run.id}:"
            f" run `ser embed {run.corpus} {recipe['name']}` first"
        )
    inputs = Inputs(np.stack([held[sha][run.recipe["layer"]] for sha in run.clips["sha"]]), None)
    if run.normalise == "speaker":
        return per_speaker(inputs, run.clips["speaker"].to_numpy(str))
    return inputs


def _falls(
    parts: Sequence[tuple[Fitted, Inputs, Rows]],
    groups: Groups,
    *,
    repeats: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> NDArray[np.float64]:
    """Return the falls of the UAR over all parts, (n_groups, repeats)."""
    if not groups:
        raise ImportanceError("there are no groups of values to shuffle")
    random = np.random.default_rng(seed)
    orders = [[random.permutation(len(y)) for _ in range(repeats)] for _, _, y in parts]
    whole = _uar([(fitted, inputs, y) for fitted, inputs, y in parts])
    falls = np.empty((len(groups), repeats))
    for number, columns in enumerate(groups.values()):
        for repeat in range(repeats):
            shuffled = [
                (fitted, _shuffled(inputs, columns, order[repeat]), y)
                for (fitted, inputs, y), order in zip(parts, orders, strict=True)
            ]
            falls[number, repeat] = whole - _uar(shuffled)
        progress(number + 1, len(groups))
    return falls


def _uar(parts: Sequence[tuple[Fitted, Inputs, Rows]]) -> float:
    counts = [scores.confusion(y, one.predicted(inputs), n_classes=len(one.classes)) for one, inputs, y in parts]
    return scores.uar(np.sum(counts, axis=0))


def _shuffled(inputs: Inputs, columns: Rows, order: Rows) -> Inputs:
    if inputs.vectors is None:
        raise ImportanceError("there are no vectors: what a model sees in pictures is no group of values")
    vectors = inputs.vectors.copy()
    vectors[:, columns] = inputs.vectors[np.ix_(order, columns)]
    return replace(inputs, vectors=vectors)


def _table(groups: Groups, falls: NDArray[np.float64]) -> pd.DataFrame:
    low, high = np.percentile(falls, [2.5, 97.5], axis=1)
    sizes = [len(columns) for columns in groups.values()]
    drop = falls.mean(axis=1)
    table = pd.DataFrame({"words": list(groups), "n_values": sizes, "drop": drop, "low": low, "high": high})
    return table.sort_values("drop", ascending=False, kind="stable", ignore_index=True)
