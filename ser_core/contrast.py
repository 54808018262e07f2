"""Two clips beside each other: which pairs are worth it, how far apart they are, and in what their voices differ."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core.corpora.folder import UNKNOWN
from ser_core.geometry.affect import LIMIT
from ser_core.voice import Measure, Reference, measures

N_PAIRS: Final = 2000
BLOCK: Final = 250
"""Pairs that are measured at a time, so that memory stays small in thousands of dimensions."""
ALIKE: Final = ("intensity", "repetition", "gender", "language")
"""What is kept the same where the corpus has it, the first before the next."""
Kind = Literal["other emotion", "other speaker"]


@dataclass(frozen=True)
class Partner:
    """A clip to compare another with; ``kind`` says what differs, all else that is known is as alike as can be."""

    row: int
    kind: Kind
    differs: str


def partners(clips: pd.DataFrame, row: int) -> list[Partner]:
    """Return clips that say the same sentence: each other emotion by the same speaker, then each other speaker's same.

    Empty where the corpus does not know what was said. Of several clips of an emotion or a speaker the one is taken
    that is most like (`ALIKE`), then the first.

    Examples
    --------
    >>> said = {"corpus": "mine", "statement": "a", "speaker": ["x", "x", "y"], "emotion": ["joy", "fear", "joy"]}
    >>> [(one.kind, one.differs, one.row) for one in partners(pd.DataFrame(said), 0)]
    [('other emotion', 'fear', 1), ('other speaker', 'y', 2)]
    """
    if "statement" not in clips or not _known(clips["statement"]).iloc[row]:
        return []
    own = clips.iloc[row]
    same = (clips["corpus"] == own["corpus"]) & (clips["statement"] == own["statement"])
    known = _known(clips["speaker"]) & _known(clips["emotion"])
    if not known.iloc[row]:
        return []
    speaker, emotion = clips["speaker"] == own["speaker"], clips["emotion"] == own["emotion"]
    out = _best(clips, row, (same & known & speaker & ~emotion).to_numpy(bool), "emotion", "other emotion")
    return out + _best(clips, row, (same & known & ~speaker & emotion).to_numpy(bool), "speaker", "other speaker")


def apart(x: NDArray[np.float64], *, n: int = N_PAIRS, seed: int) -> NDArray[np.float64]:
    """Return the Euclidean distances of n random pairs of different clips, ascending; ``x`` is (n_clips, dim).

    Empty where there are fewer than two clips.
    """
    if len(x) < 2:
        return np.empty(0)
    random = np.random.default_rng(seed)
    first = random.integers(len(x), size=n)
    second = (first + random.integers(1, len(x), size=n)) % len(x)
    parts = [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
    return np.sort(np.concatenate([np.linalg.norm(x[first[part]] - x[second[part]], axis=1) for part in parts]))


def further(pairs: NDArray[np.float64], distance: float) -> float:
    """Return the share (0-1) of pairs, ascending, that are nearer to each other than ``distance``; NaN without pairs.

    Examples
    --------
    >>> further(np.array([1.0, 2.0, 3.0, 4.0]), 3.0)
    0.5
    """
    return float(np.searchsorted(pairs, distance, side="left") / len(pairs)) if len(pairs) else float("nan")


@dataclass(frozen=True)
class Difference:
    """One measure of the voice of two clips, ``a`` and ``b`` in its unit.

    ``z`` is what the second has more, in standard deviations of the corpus, from -10 to 10; NaN where all its clips
    have the same value.
    """

    measure: Measure
    a: float
    b: float
    z: float

    def says(self) -> str:
        """Return it as one line.

        Examples
        --------
        >>> Difference(measures()[5], 5.0, 11.0, 2.31).says()
        'pitch range 2.3 SD higher'
        """
        size = f"{LIMIT:.0f} SD or more" if abs(self.z) >= LIMIT else f"{abs(self.z):.1f} SD"
        return f"{self.measure.words} {size} {'higher' if self.z > 0 else 'lower'}"


def differences(usual: Reference, a: NDArray[np.floating], b: NDArray[np.floating], *, n: int = 10) -> list[Difference]:
    """Return the measures in which two voices (88,) differ most, largest first, of each `Measure.family` one.

    Measures that are the same, that no two clips of the corpus differ in, or that are `Measure.unstable` are left out.
    """
    spread = np.where(usual.spread > 0, usual.spread, np.nan)
    z = np.clip((b.astype(np.float64) - a.astype(np.float64)) / spread, -LIMIT, LIMIT)
    rows = zip(measures(), a.tolist(), b.tolist(), z.tolist(), strict=True)
    usable = [Difference(*row) for row in rows if abs(row[-1]) > 0 and not row[0].unstable]  # NaN is not above 0
    first: dict[str, Difference] = {}
    for one in sorted(usable, key=lambda one: -abs(one.z)):
        first.setdefault(one.measure.family, one)
    return list(first.values())[:n]


def _known(column: pd.Series) -> pd.Series:
    return column.notna() & ~column.astype(str).str.strip().isin(["", UNKNOWN])


def _best(clips: pd.DataFrame, row: int, among: NDArray[np.bool_], by: str, kind: Kind) -> list[Partner]:
    """Return for each value of a column the clip among these that is most like the one at ``row``."""
    rows = np.flatnonzero(among)
    weights = {name: 2 ** (len(ALIKE) - place) for place, name in enumerate(ALIKE) if name in clips}
    alike = sum(
        (weight * (clips[name].iloc[rows] == clips[name].iloc[row]).to_numpy(int) for name, weight in weights.items()),
        np.zeros(len(rows), int),
    )
    order = rows[np.argsort(-alike, kind="stable")]
    found: dict[str, int] = {}
    for here, value in zip(order, clips[by].iloc[order], strict=True):
        found.setdefault(str(value), int(here))
    return [Partner(found[value], kind, value) for value in sorted(found)]
