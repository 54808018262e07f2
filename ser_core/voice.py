"""What is unusual about a voice: the 88 measures of eGeMAPS against those of a corpus, and of its neutral clips.

Measures in words: `ser_core.egemaps_words`, after Eyben, F., et al. (2016). The Geneva minimalistic acoustic parameter
set (GeMAPS) for voice research and affective computing. IEEE Transactions on Affective Computing, 7, 190-202.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_core.egemaps_words import Measure, measures
from ser_core.embeddings import Embeddings
from ser_core.emotions import common_name
from ser_core.errors import SerError
from ser_core.geometry.affect import LIMIT

__all__ = [
    "Against",
    "Deviation",
    "Measure",
    "Reference",
    "VoiceError",
    "deviations",
    "measures",
    "reference",
    "unusual",
]

Against = Literal["corpus", "neutral"]
FEWEST_NEUTRAL: Final = 10
"""Clips from which on a mean and a spread of neutral ones are given."""
UNUSUAL: Final = 1.5
"""Standard deviations from which on a measure is called unusual; of a normal distribution 13 % are as far out."""
QUARTILES: Final = 1.349
"""Standard deviations between the quartiles of a normal distribution."""


class VoiceError(SerError, ValueError):
    """Clips or values that cannot be compared; the message says why."""


@dataclass(frozen=True)
class Reference:
    """What is usual in a corpus: mean and standard deviation of each measure, shape (88,), in openSMILE's units.

    A spread is 0 where all clips have the same value. ``values`` (n_clips, 88) is sorted in every column. What is said
    of neutral clips is None where there are fewer than ten.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    n_clips: int
    n_neutral: int
    neutral_mean: NDArray[np.float64] | None
    neutral_spread: NDArray[np.float64] | None
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Deviation:
    """How far one measure of a clip lies from the others.

    Attributes
    ----------
    measure
        Which.
    value
        Of this clip, in the measure's unit.
    z
        Standard deviations above the corpus mean, from -10 to 10; NaN where all its clips have the same value.
    percentile
        Share (0-1) of the corpus's clips that are lower; clips of the same value count half.
    z_neutral
        As ``z``, among the neutral clips; None where there are too few.
    """

    measure: Measure
    value: float
    z: float
    percentile: float
    z_neutral: float | None

    def says(self, *, against: Against = "corpus") -> str:
        """Return it as one line.

        Examples
        --------
        >>> Deviation(measures()[5], 11.0, 2.14, 0.981, -0.32).says()
        'pitch range 2.1 SD above the corpus mean (higher than 98 % of its clips)'
        >>> Deviation(measures()[5], 11.0, 2.14, 0.981, -0.32).says(against="neutral")
        'pitch range 0.3 SD below the mean of neutral clips'

        Raises
        ------
        VoiceError
            If there are no neutral clips to compare with.
        """
        z, word = _against(self, against), self.measure.words
        clips = "neutral clips" if against == "neutral" else "clips of the corpus"
        if np.isnan(z):
            return f"{word} cannot be compared: all {clips} have the same value"
        size = f"{LIMIT:.0f} SD or more" if abs(z) >= LIMIT else f"{abs(z):.1f} SD"
        where = f"{word} {size} {'above' if z > 0 else 'below'}"
        if against == "neutral":
            return f"{where} the mean of neutral clips"
        share = self.percentile if z > 0 else 1 - self.percentile
        return f"{where} the corpus mean ({'higher' if z > 0 else 'lower'} than {_share(share)} of its clips)"


def reference(found: Embeddings) -> Reference:
    """Return what is usual among clips.

    Mean and standard deviation are those of values limited to `LIMIT` robust standard deviations (from the quartiles)
    around the median, so that a clip or two cannot make every other clip look ordinary: some measures have very long
    tails, and one demo clip lies 7,548 deviations out. A robust spread itself would not do: where a measure is skewed,
    it finds up to a fifth of all clips beyond three deviations (EmoDB, RAVDESS).

    Parameters
    ----------
    found
        Embeddings with ``egemaps``; neutral clips are those whose common emotion name is "neutral".

    Raises
    ------
    VoiceError
        If these are no eGeMAPS vectors, or none at all.
    """
    if found.recipe["name"] != "egemaps" or found.vectors.shape[2] != len(measures()):
        raise VoiceError(
            f"embeddings with {found.recipe['name']} ({found.vectors.shape[2]} values) cannot be put into words: embed"
            " the corpus with egemaps"
        )
    if not len(found.vectors):
        raise VoiceError("no clips to compare with: embed the corpus with egemaps first")
    x = found.layer(-1).astype(np.float64)
    neutral = np.array([common_name(str(word)) == "neutral" for word in found.clips["emotion"]])
    n_neutral = int(neutral.sum())
    some = _usual(x[neutral]) if n_neutral >= FEWEST_NEUTRAL else (None, None)
    return Reference(*_usual(x), len(x), n_neutral, *some, np.sort(x, axis=0))


def deviations(usual: Reference, vector: NDArray[np.floating]) -> list[Deviation]:
    """Return how far each of the 88 measures of a clip lies from what is usual, in openSMILE's order.

    Parameters
    ----------
    usual
        From `reference`.
    vector
        Shape (88,).

    Raises
    ------
    VoiceError
        If there are not 88 values, or one is not finite.
    """
    known = measures()
    if vector.shape != (len(known),) or not np.isfinite(vector).all():
        raise VoiceError(f"expected {len(known)} finite values of egemaps, got an array of shape {vector.shape}")
    value = vector.astype(np.float64)
    lower, same = np.sum(usual.values < value, axis=0), np.sum(usual.values == value, axis=0)
    percentile = (lower + same / 2) / usual.n_clips
    z = _z(value, usual.mean, usual.spread).tolist()
    neutral: Sequence[float | None] = [None] * len(known)
    if usual.neutral_mean is not None and usual.neutral_spread is not None:
        neutral = _z(value, usual.neutral_mean, usual.neutral_spread).tolist()
    return [Deviation(*row) for row in zip(known, value.tolist(), z, percentile.tolist(), neutral, strict=True)]


def unusual(found: Sequence[Deviation], *, n: int = 8, against: Against = "corpus") -> list[Deviation]:
    """Return the ``n`` measures that are furthest out, from 1.5 standard deviations on, furthest first.

    One of each `Measure.family` at most, so that eight lines say eight things, and none that is `Measure.unstable`.
    With 88 measures an ordinary clip has some of these too (half of EmoDB's own have five or more, half of RAVDESS's
    four or more): they describe it, they prove nothing.

    Raises
    ------
    VoiceError
        If there are no neutral clips to compare with.
    """
    sizes = [(abs(_against(one, against)), one) for one in found if not one.measure.unstable]
    far = sorted((pair for pair in sizes if pair[0] >= UNUSUAL), key=lambda pair: -pair[0])
    first: dict[str, Deviation] = {}
    for _, one in far:
        first.setdefault(one.measure.family, one)
    return list(first.values())[:n]


def _usual(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, median, high = np.percentile(x, [25, 50, 75], axis=0)
    limit = np.where(high > low, LIMIT * (high - low) / QUARTILES, np.inf)  # nothing to go by where most are the same
    limited = np.clip(x, median - limit, median + limit)
    return limited.mean(axis=0), limited.std(axis=0)  # 0 where constant: sums of so many float32 are exact


def _z(value: NDArray[np.float64], mean: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip((value - mean) / np.where(spread > 0, spread, np.nan), -LIMIT, LIMIT)


def _against(one: Deviation, against: Against) -> float:
    z = one.z if against == "corpus" else one.z_neutral
    if z is None:
        raise VoiceError(f"fewer than {FEWEST_NEUTRAL} neutral clips: compare with the corpus instead")
    return z


def _share(share: float) -> str:
    """Return a share in words, never rounded up to all.

    Examples
    --------
    >>> _share(0.981), _share(0.9991), _share(1.0)
    ('98 %', '99.9 %', 'all')
    """
    if share >= 1:
        return "all"
    return f"{min(100 * share, 99.9):.1f} %" if share > 0.99 else f"{100 * share:.0f} %"
