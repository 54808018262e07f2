"""How well emotions keep apart in a space, and whether it is emotion, speaker or something else that it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.errors import SerError
from ser_core.geometry.density import in_order

BLOCK: Final = 100
"""Resamples computed at once: memory grows with this, not with their number."""


class SeparationError(SerError, ValueError):
    """Clips whose separation is not defined; the message says what was expected."""


@dataclass(frozen=True)
class Share:
    """How much of the variance of all clips goes with one factor, 0-1.

    ``alone``: R squared of the factor by itself; ``adjusted``: the same less what ``n_levels`` random groups would
    explain, and so below 0 at times; ``unique``: what is lost when it is taken from the model of all factors. The
    intervals are 95 %, by resampling speakers; None with one speaker.
    """

    factor: str
    n_levels: int
    alone: float
    adjusted: float
    unique: float
    alone_95: tuple[float, float] | None
    unique_95: tuple[float, float] | None


def silhouette(x: NDArray[np.float64], labels: Sequence[str] | NDArray[np.str_]) -> NDArray[np.float64]:
    """Return the silhouette (Rousseeuw 1987) of every clip, positions (n_clips, d), by Euclidean distance, -1 to 1.

    Above 0: nearer, on average, to clips of its own emotion than to those of the next one; 0 if it has none of its own.

    Raises
    ------
    SeparationError
        If there are fewer than two emotions, or as many as clips.
    """
    from sklearn.metrics import silhouette_samples

    words = _words(x, labels)
    return np.asarray(silhouette_samples(x, words), np.float64)


def between_within(x: NDArray[np.float64], labels: Sequence[str] | NDArray[np.str_]) -> float:
    """Return the scatter of emotion means around the mean of all over that of clips around their emotion mean.

    The traces of both; times (n - k) / (k - 1), with k emotions, it is the index of Calinski & Harabasz 1974.

    Raises
    ------
    SeparationError
        If there are fewer than two emotions or as many as clips, or clips of an emotion do not differ.

    Examples
    --------
    >>> between_within(np.array([[0.0], [2.0], [4.0], [6.0]]), ["sadness", "sadness", "anger", "anger"])
    4.0
    """
    words = _words(x, labels)
    centred = x - x.mean(axis=0)
    groups = [centred[words == name] for name in in_order(words)]
    within = sum(float(np.square(rows - rows.mean(axis=0)).sum()) for rows in groups)
    if within == 0:
        raise SeparationError("the clips of each emotion have one and the same position: nothing to divide by")
    return sum(len(rows) * float(np.square(rows.mean(axis=0)).sum()) for rows in groups) / within


def shares(
    x: NDArray[np.float64],
    factors: Mapping[str, Sequence[str] | NDArray[np.str_]],
    speakers: Sequence[str] | NDArray[np.str_],
    *,
    seed: int,
    n_resamples: int = 1000,
) -> tuple[Share, ...]:
    """Divide the variance of positions (n_clips, d), summed over dimensions, among factors such as emotion and speaker.

    R squared is that of least squares on one indicator per level (redundancy analysis: Legendre & Legendre 2012,
    *Numerical Ecology*, section 11.1), adjusted by Ezekiel's formula (Peres-Neto et al. 2006, Ecology 87, eq. 4).
    A factor that follows from the others, as gender does from speaker, has a unique share of 0. Shares alone can add up
    to more than 1 where factors go together.

    Parameters
    ----------
    factors
        Name of each factor and its level for every clip, two levels or more.
    speakers
        The speaker of each clip, for the intervals (percentiles of a cluster bootstrap).

    Raises
    ------
    SeparationError
        If lengths differ, the clips do not differ, or a factor has one level or as many as there are clips.
    """
    people, voice = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    coded = {name: np.unique(np.asarray(levels, dtype=str), return_inverse=True)[1] for name, levels in factors.items()}
    for name, codes in {**coded, "speakers": voice}.items():
        if len(codes) != len(x):
            raise SeparationError(f"{name}: {len(codes)} values for {len(x)} clips: expected one for each")
    counts = {name: int(codes.max()) + 1 for name, codes in coded.items()}
    for name, count in counts.items():
        if not 1 < count < len(x):
            raise SeparationError(
                f"{name} has {count} level(s) in {len(x)} clips: expected two or more, and fewer than clips"
            )
    centred = x - x.mean(axis=0)
    if not centred.any():
        raise SeparationError(f"all {len(x)} clips have one and the same position: there is no variance to divide")
    model = _model(centred, coded, voice)
    alone, unique = (part[0] for part in model.measure(np.ones((1, len(people)), np.int64), exact=True))
    alone_95: list[tuple[float, float] | None] = [None] * len(coded)
    unique_95 = alone_95
    if len(people) > 1:
        draws = model.resampled(seed, n_resamples)
        alone_95, unique_95 = (_basic(one, part) for one, part in zip((alone, unique), draws, strict=True))
    return tuple(
        Share(
            name,
            counts[name],
            float(alone[number]),
            float(1 - (1 - alone[number]) * (len(x) - 1) / (len(x) - counts[name])),
            float(unique[number]),
            alone_95[number],
            unique_95[number],
        )
        for number, name in enumerate(coded)
    )


@dataclass(frozen=True)
class _Model:
    """Cross products per speaker, S of them, for P indicators: all that the shares depend on.

    ``pairs`` (S, P, P) indicator by indicator, ``sums`` (S, P, d) indicator by position, ``squares`` (S,) the squared
    lengths of positions; ``factor`` (P,) the factor that an indicator belongs to.
    """

    pairs: NDArray[np.float64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    factor: NDArray[np.intp]

    def measure(self, times: NDArray[np.int64], *, exact: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the shares alone and unique, both (R, factors), with speakers taken ``times`` (R, S)."""
        pairs = np.tensordot(times, self.pairs, 1)
        sums = np.tensordot(times, self.sums, 1)
        products = sums @ sums.transpose(0, 2, 1)
        n_clips, first = np.trace(pairs, axis1=1, axis2=2) / (self.factor[-1] + 1), self.factor == 0
        mean = products[:, first][:, :, first].sum(axis=(1, 2)) / n_clips  # the mean's share of the squared lengths
        total = times @ self.squares - mean

        def explained(kept: NDArray[np.bool_]) -> NDArray[np.float64]:
            if not kept.any():
                return np.zeros(len(times))
            a, b = pairs[:, kept][:, :, kept], products[:, kept][:, :, kept]
            if exact:
                solved = np.linalg.pinv(a, rcond=1e-10, hermitian=True) @ b
            else:  # indicators depend on each other: a ridge far below what matters picks one of the solutions
                solved = np.linalg.solve(a + 1e-9 * n_clips[:, None, None] * np.eye(len(a[0])), b)
            return (np.trace(solved, axis1=1, axis2=2) - mean) / np.where(total > 0, total, np.nan)

        each = range(self.factor[-1] + 1)
        everything = explained(self.factor >= 0)
        alone = np.stack([explained(self.factor == one) for one in each], axis=1)
        unique = np.stack([everything - explained(self.factor != one) for one in each], axis=1)
        return np.clip(alone, 0, 1), np.clip(unique, 0, 1)

    def resampled(self, seed: int, n_resamples: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the shares alone and unique, both (R, factors), of speakers drawn with replacement."""
        n_people = len(self.squares)
        even = np.full(n_people, 1 / n_people)
        drawn = np.random.default_rng(seed).multinomial(n_people, even, size=n_resamples)
        blocks = [self.measure(drawn[start : start + BLOCK], exact=False) for start in range(0, n_resamples, BLOCK)]
        alone, unique = (np.concatenate(part) for part in zip(*blocks, strict=True))
        return alone, unique


def _basic(shares: NDArray[np.float64], draws: NDArray[np.float64]) -> list[tuple[float, float] | None]:
    """Return basic bootstrap intervals: a share is the larger the fewer clips it comes from, which these take off."""
    low, high = 2 * shares - np.nanpercentile(draws, [97.5, 2.5], axis=0)
    return [(float(a), float(b)) for a, b in np.clip([low, high], 0, 1).T]


def _model(x: NDArray[np.float64], coded: Mapping[str, NDArray[np.intp]], voice: NDArray[np.intp]) -> _Model:
    one_hot = [np.eye(int(codes.max()) + 1)[codes] for codes in coded.values()]
    design = np.concatenate(one_hot, axis=1)
    factor = np.repeat(np.arange(len(one_hot)), [part.shape[1] for part in one_hot])
    rows = [voice == person for person in range(int(voice.max()) + 1)]
    return _Model(
        np.stack([design[own].T @ design[own] for own in rows]),
        np.stack([design[own].T @ x[own] for own in rows]),
        np.array([np.square(x[own]).sum() for own in rows]),
        factor,
    )


def _words(x: NDArray[np.float64], labels: Sequence[str] | NDArray[np.str_]) -> NDArray[np.str_]:
    words = np.asarray(labels, dtype=str)
    if x.ndim != 2 or len(x) != len(words):
        raise SeparationError(f"positions of shape {x.shape} and {len(words)} labels: expected one row for each label")
    if not 1 < len(set(words)) < len(words):
        raise SeparationError(
            f"{len(set(words))} emotion(s) of {len(words)} clips: expected from two to one less than clips"
        )
    return words
