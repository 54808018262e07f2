"""What a trained model goes by: how much worse it does when a group of measures tells it nothing.

Permutation importance (Breiman 2001, Machine Learning 45, 5-32): the values of a group are shuffled together among the
test clips, so that they keep their distribution and what they say of each other, but belong to other clips. The fall
of UAR is what the model gets from this group alone: what other groups say as well is not missed. A fall near 0
therefore does not mean that the measure says nothing about emotion, and a fall is no cause.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import egemaps_words, scores
from ser_core.cache import Cache
from ser_core.encoders import ENCODERS
from ser_core.errors import SerError
from ser_core.models.inputs import Inputs, per_speaker
from ser_core.models.shuffling import Fitted, shuffled
from ser_core.runs import Run

Counts = NDArray[np.int64]
Groups = Mapping[str, NDArray[np.intp]]
Rows = NDArray[np.intp]
VERSION: Final = 2
"""Part of what results are kept under: change it when they come out differently."""
REPEATS: Final = 20
SEED: Final = 0

_MFCC: Final = "spectral shape (MFCC)"
_JITTER: Final = "irregular pitch (jitter)"
_SHIMMER: Final = "irregular loudness (shimmer)"
_HNR: Final = "voice clearness (harmonics-to-noise ratio)"
_CROSSINGS: Final = "noisiness (zero crossings)"
_EGEMAPS: Final = {
    **dict.fromkeys(("pitch rises", "pitch falls"), "rises and falls of pitch"),
    **dict.fromkeys(("loudness rises", "loudness falls"), "rises and falls of loudness"),
    **dict.fromkeys((f"spectral shape {number}" for number in range(1, 5)), _MFCC),
    "jitter": _JITTER,
    "shimmer": _SHIMMER,
    "clearness": _HNR,
    **dict.fromkeys(("H1-H2", "H1-A3"), "breathy or pressed voice (H1-H2, H1-A3)"),
    "formants, frequency": "vowel sounds (formant frequencies)",
    "formants, bandwidth": "sharpness of vowel sounds (formant bandwidths)",
    "formants, level": "strength of vowel sounds (formant levels)",
    **dict.fromkeys(
        ("brightness, voiced", "brightness, unvoiced", "slope below 500 Hz", "slope from 500 Hz"),
        "brightness (high against low frequencies)",
    ),
    **dict.fromkeys(("loudness peaks", "voiced segments", "unvoiced parts"), "pace and pauses"),
}
"""Families of `egemaps_words`, without what is said of their variation."""
_SPECTRAL: Final = {
    "snr_db": "speech above noise (SNR)",
    "tempo_bpm": "tempo",
    **dict.fromkeys(("mel_db", "rms"), "loudness (mel level, RMS energy)"),
    "mfcc": _MFCC,
    "chroma": "musical notes (chroma)",
    "contrast": "peaks and valleys of the spectrum (contrast)",
    "tonnetz": "musical intervals (tonnetz)",
    **dict.fromkeys(("centroid", "rolloff", "bandwidth"), "brightness (centroid, roll-off, bandwidth)"),
    "zero_crossing": _CROSSINGS,
}
_FFT: Final = "pcm_fftMag_"
_COMPARE: Final = {
    **dict.fromkeys(("audspec_length", "audspecRasta_length", "pcm_RMSenergy"), "loudness (auditory, RMS energy)"),
    "pcm_zcr": _CROSSINGS,
    "audSpec_Rfilt": "energy in 26 bands of hearing (auditory spectrum)",
    "mfcc": _MFCC,
    "F0final": "pitch",
    "voicing": "how voiced it is",
    "jitter": _JITTER,
    "shimmer": _SHIMMER,
    "logHNR": _HNR,
    f"{_FFT}fband": "energy at 250-650 Hz and at 1-4 kHz",
    f"{_FFT}spectralFlux": "change of the spectrum (flux)",
    f"{_FFT}spectralHarmonicity": "harmonics in the spectrum (harmonicity)",
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
_BEGINNINGS: Final = {
    "spectral": _SPECTRAL,
    "compare_2016": _COMPARE,
    "compare_parts": _COMPARE,
    "logmel": _LOGMEL,
}
"""How the names of an encoder's values begin, and what to call the group: the low-level measure that they sum up."""


class ImportanceError(SerError, ValueError):
    """A model that cannot be asked what it goes by; the message says why."""


def groups(encoder_name: str, feature_names: Sequence[str]) -> dict[str, Rows]:
    """Return which values belong together, as words for people -> column numbers.

    Measures that say nearly the same thing share a group, for one alone would not be missed. Values of an encoder
    without known families are groups of one; values without names have no groups.

    Examples
    --------
    >>> groups("spectral", ["mfcc_1_mean", "rms_mean", "mfcc_2_std"])
    {'spectral shape (MFCC)': array([0, 2]), 'loudness (mel level, RMS energy)': array([1])}
    """
    if encoder_name == "egemaps":
        exact = {one.name: one.family.removesuffix(", variation") for one in egemaps_words.measures()}
        words = [_EGEMAPS.get(exact[name], exact[name]) for name in feature_names]
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
        If there are no groups.
    ModelError
        If the clips have no vectors.
    """
    counts = _counts(fitted, inputs, y, groups=groups, repeats=repeats, seed=(seed, 1), told=lambda _: None)
    return _table(groups, counts)


def of_run(
    run: Run,
    *,
    cache: Cache,
    repeats: int = REPEATS,
    seed: int,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> pd.DataFrame:
    """Return the `importance` in all folds of a run: values are shuffled within each test part, predictions pooled.

    Each fold is computed once, and kept.

    Parameters
    ----------
    progress
        Called with groups done, over all folds, and their number.

    Raises
    ------
    ImportanceError
        As `refusal`, or if the clips' vectors are no longer kept.
    """
    if why := refusal(run):
        raise ImportanceError(why)
    of, tested, found, given = _groups(run), run.tested, [], None
    for number, fold in enumerate(run.done):
        told = partial(_tell, progress, before=number * len(of), total=len(run.done) * len(of))
        recipe = _recipe(run, fold, repeats, seed)
        arrays = cache.load_arrays(recipe)
        if arrays is None:
            given = given or _inputs(run, cache)
            own = _names(tested[tested["fold"] == fold])
            rows = _names(run.clips).get_indexer(own)
            truth = run.clips["truth"].to_numpy(np.intp)[rows]
            how: dict[str, Any] = {"groups": of, "repeats": repeats, "seed": (seed, fold), "told": told}
            arrays = {"counts": _counts(run.fitted(fold), given.take(rows), truth, **how)}
            cache.store_arrays(recipe, arrays)
        told(len(of))
        found.append(arrays["counts"])
    return _table(of, np.sum(found, axis=0))


def kept(run: Run, *, cache: Cache, repeats: int = REPEATS, seed: int) -> pd.DataFrame | None:
    """Return what `of_run` gives if it was computed before; else None."""
    found = [cache.load_arrays(_recipe(run, fold, repeats, seed)) for fold in run.done]
    if refusal(run) or not found or not all(found):
        return None
    return _table(_groups(run), np.sum([one["counts"] for one in found if one], axis=0))


def arguments(run: Run, *, repeats: int = REPEATS, seed: int) -> list[str]:
    """Return the `ser` command that computes it, in the one form that names its job."""
    return ["runs", "importance", run.id, "--repeats", str(repeats), "--seed", str(seed)]


def title(run: Run) -> str:
    """Return what the job is called."""
    return f"What it goes by: {run.title} ({run.id[:4]})"


def refusal(run: Run) -> str | None:
    """Say why a run cannot be asked what it goes by; None where it can."""
    if not run.recognises:
        return "an autoencoder names no emotions: `ser runs latents` tells what its latents carry"
    made_with = run.recipe["inputs"]
    if "pictures" in made_with:
        return "this model looks at pictures of the clips: what it goes by is shown on each clip's spectrogram"
    if "signals" in made_with:
        return "this model has changed an encoder and is given the sound itself: it has no values with names"
    if "vectors" not in made_with:
        return "an ensemble has no values of its own: ask its models one by one"
    if not _groups(run):
        return f"the values of {made_with['vectors']['name']} have no names: no groups of them can be told apart"
    return None


def _groups(run: Run) -> dict[str, Rows]:
    name = run.recipe["inputs"]["vectors"]["name"]
    names = getattr(ENCODERS.get(name), "feature_names", tuple)
    return groups(name, names())


def _recipe(run: Run, fold: int, repeats: int, seed: int) -> dict[str, Any]:
    return {"name": "importance", "version": VERSION, "run": run.id, "fold": fold, "repeats": repeats, "seed": seed}


def _names(clips: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(clips[["sha", "file"]])


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


def _counts(
    fitted: Fitted,
    inputs: Inputs,
    y: Rows,
    *,
    groups: Groups,
    repeats: int,
    seed: tuple[int, int],
    told: Callable[[int], None],
) -> Counts:
    """Return confusion matrices with each group shuffled, (n_groups + 1, repeats, E, E), the last with none.

    ``told`` is called with groups done.
    """
    if not groups:
        raise ImportanceError("there are no groups of values to shuffle")
    random = np.random.default_rng(seed)
    orders = np.stack([random.permutation(len(y)) for _ in range(repeats)])
    say, out = shuffled(fitted, inputs), []
    for number, columns in enumerate(groups.values(), start=1):
        out.append([_confusion(fitted, y, said) for said in say(columns, orders)])
        told(number)
    return np.array([*out, [_confusion(fitted, y, fitted.predicted(inputs))] * repeats])


def _confusion(fitted: Fitted, y: Rows, said: Rows) -> Counts:
    return scores.confusion(y, said, n_classes=len(fitted.classes))


def _tell(progress: Callable[[int, int], None], done: int, *, before: int, total: int) -> None:
    progress(before + done, total)


def _table(groups: Groups, counts: Counts) -> pd.DataFrame:
    *without, whole = scores.uar(counts)
    falls = whole - np.array(without)
    low, high = np.percentile(falls, [2.5, 97.5], axis=1)
    sizes = [len(columns) for columns in groups.values()]
    drop = falls.mean(axis=1)
    table = pd.DataFrame({"words": list(groups), "n_values": sizes, "drop": drop, "low": low, "high": high})
    return table.sort_values("drop", ascending=False, kind="stable", ignore_index=True)
