"""How well emotions keep apart in a space, and whether it is emotion, speaker or something else that it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_core.errors import SerError
from ser_core.geometry import resample
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
    intervals are 95 %, by resampling speakers; None with fewer than two known ones.
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
        The speaker of each clip, for the intervals: basic ones, of a bootstrap that draws whole speakers (Davison &
        Hinkley 1997, *Bootstrap Methods and their Application*, sections 2.4 and 3.8). Clips of unknown speakers are
        measured, but not drawn. As a factor, too, they cost no more the more there are; another factor of L levels
        takes L squared numbers for each speaker.

    Raises
    ------
    SeparationError
        If lengths differ, the clips do not differ, or a factor has one level or as many as there are clips.
    """
    people, voice = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    coded = {name: np.unique(np.asarray(levels, dtype=str), return_inverse=True)[1] for name, levels in factors.items()}
    counts = _counts(coded, voice, len(x))
    centred = x - x.mean(axis=0)
    if not centred.any():
        raise SeparationError(f"all {len(x)} clips have one and the same position: there is no variance to divide")
    model = _model(centred, coded, voice)
    alone, unique = (part[0] for part in model.measure(np.ones((1, len(people))), exact=True))
    alone_95: list[tuple[float, float] | None] = [None] * len(coded)
    unique_95 = alone_95
    known = resample.known(people)
    if known.sum() > 1:
        alone_95, unique_95 = model.intervals((alone, unique), known, seed=seed, n_resamples=n_resamples)
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
class _Products:
    """Cross products of P indicators, per speaker of S.

    ``pairs`` (S, P, P) are those with each other, ``sums`` (S, P, d) those with positions.
    """

    pairs: NDArray[np.float64]
    sums: NDArray[np.float64]

    def explained(
        self, times: NDArray[np.float64], kept: NDArray[np.bool_], n_clips: NDArray[np.float64], *, exact: bool
    ) -> NDArray[np.float64]:
        """Return the squared lengths (R,) that the ``kept`` indicators explain, with speakers taken ``times`` (R, S).

        ``n_clips`` (R,) is what that makes.
        """
        if not kept.any():
            return np.zeros(len(times))
        a = np.tensordot(times, self.pairs[:, kept][:, :, kept], 1)
        sums = np.tensordot(times, self.sums[:, kept], 1)
        b = sums @ sums.transpose(0, 2, 1)
        if exact:
            solved = np.linalg.pinv(a, rcond=1e-10, hermitian=True) @ b
        else:  # indicators depend on each other: a ridge far below what matters picks one of the solutions
            solved = np.linalg.solve(a + 1e-9 * n_clips[:, None, None] * np.eye(len(a[0])), b)
        return np.trace(solved, axis1=1, axis2=2)


@dataclass(frozen=True)
class _Model:
    """Sums per speaker, S of them: all that the shares depend on.

    ``sizes`` (S,) counts clips, ``sums`` (S, d) adds up positions, ``squares`` (S,) their squared lengths.
    ``is_speaker`` (F,) says which factors are the speakers themselves. They have no indicators, of which there would be
    S; where they are in a model, the other factors count ``within`` speakers, their indicators less each speaker's mean
    (Frisch & Waugh 1933, Econometrica 1: 387-401). Resampling takes whole speakers, so that these means stay.
    ``factor`` (P,) is what an indicator belongs to.
    """

    sizes: NDArray[np.int64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    plain: _Products
    within: _Products
    is_speaker: NDArray[np.bool_]
    factor: NDArray[np.intp]

    def measure(self, times: NDArray[np.float64], *, exact: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the shares alone and unique, both (R, F), with speakers taken ``times`` (R, S)."""
        n_clips = times @ self.sizes
        mean = np.square(times @ self.sums).sum(axis=1) / n_clips  # the mean's share of the squared lengths
        total = times @ self.squares - mean
        speakers = times @ (np.square(self.sums).sum(axis=1) / self.sizes)

        def explained(kept: NDArray[np.bool_]) -> NDArray[np.float64]:
            columns = kept[self.factor]
            if (kept & self.is_speaker).any():
                found = speakers + self.within.explained(times, columns, n_clips, exact=exact)
            elif kept.any():
                found = self.plain.explained(times, columns, n_clips, exact=exact)
            else:
                return np.zeros(len(times))
            return (found - mean) / np.where(total > 0, total, np.nan)

        each = np.eye(len(self.is_speaker), dtype=bool)
        everything = explained(np.full(len(each), fill_value=True))
        alone = np.stack([explained(one) for one in each], axis=1)
        unique = np.stack([everything - explained(~one) for one in each], axis=1)
        return np.clip(alone, 0, 1), np.clip(unique, 0, 1)

    def intervals(
        self, shares: Sequence[NDArray[np.float64]], known: NDArray[np.bool_], *, seed: int, n_resamples: int
    ) -> list[list[tuple[float, float] | None]]:
        """Return the basic bootstrap intervals of the shares alone and unique, drawing the ``known`` (S,) speakers.

        A share is the larger the fewer clips it comes from, which these intervals take off.
        """
        times = np.zeros((n_resamples, len(known)))
        times[:, known] = resample.draw(int(known.sum()), n_resamples, seed)
        blocks = [self.measure(times[start : start + BLOCK], exact=False) for start in range(0, n_resamples, BLOCK)]
        centres = self.measure(known[None].astype(float), exact=True)
        out: list[list[tuple[float, float] | None]] = []
        for share, (centre,), draws in zip(shares, centres, zip(*blocks, strict=True), strict=True):
            low, high = share + centre - np.nanpercentile(np.concatenate(draws), [97.5, 2.5], axis=0)
            out.append([(float(a), float(b)) for a, b in np.clip([low, high], 0, 1).T])
        return out


def _counts(coded: Mapping[str, NDArray[np.intp]], voice: NDArray[np.intp], n_clips: int) -> dict[str, int]:
    """Return the number of levels of each factor."""
    for name, codes in {**coded, "speakers": voice}.items():
        if len(codes) != n_clips:
            raise SeparationError(f"{name}: {len(codes)} values for {n_clips} clips: expected one for each")
    counts = {name: int(codes.max()) + 1 for name, codes in coded.items()}
    for name, count in counts.items():
        if not 1 < count < n_clips:
            raise SeparationError(
                f"{name} has {count} level(s) in {n_clips} clips: expected two or more, and fewer than clips"
            )
    return counts


def _model(x: NDArray[np.float64], coded: Mapping[str, NDArray[np.intp]], voice: NDArray[np.intp]) -> _Model:
    n_people = int(voice.max()) + 1
    n_levels = [int(codes.max()) + 1 for codes in coded.values()]
    n_cells = [len(np.unique(codes * n_people + voice)) for codes in coded.values()]  # level and speaker together
    is_speaker = np.array([cells == levels == n_people for cells, levels in zip(n_cells, n_levels, strict=True)])
    none = np.empty((len(x), 0))
    one_hot = [
        none if own else np.eye(n)[codes] for codes, n, own in zip(coded.values(), n_levels, is_speaker, strict=True)
    ]
    factor = np.repeat(np.arange(len(coded)), [part.shape[1] for part in one_hot])
    design = np.concatenate(one_hot, axis=1)
    order = np.argsort(voice, kind="stable")
    sizes = np.bincount(voice)
    edges = np.cumsum(sizes)[:-1]
    parts = list(zip(np.split(design[order], edges), np.split(x[order], edges), strict=True))
    pairs, sums = np.stack([a.T @ a for a, _ in parts]), np.stack([a.T @ b for a, b in parts])
    levels, places = (np.stack([part[k].sum(axis=0) for part in parts]) for k in (0, 1))
    means = levels / sizes[:, None]
    return _Model(
        sizes,
        places,
        np.array([np.square(b).sum() for _, b in parts]),
        _Products(pairs, sums),
        _Products(pairs - means[:, :, None] * levels[:, None], sums - means[:, :, None] * places[:, None]),
        is_speaker,
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
