"""Who is in training, who in validation and who in test."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core.errors import SerError

Rows = NDArray[np.intp]
Split = Literal["random", "speaker", "loso"]
GROUPS: Final = 6
"""Groups of speakers that are tested in turn: six of four actors for RAVDESS, the folds of EmoBox."""
TENTHS: Final = 10
"""Parts of P4's cross-validation."""
PARTS: Final = 5
"""Parts of the training clips that take turns where something is chosen, or calibrated, inside them."""


class SplitError(SerError, ValueError):
    """Clips that cannot be split as asked; the message says why."""


@dataclass(frozen=True)
class Fold:
    """Row numbers of the training, the test and the validation part (empty where a model needs none)."""

    train: Rows
    test: Rows
    validation: Rows = field(default_factory=lambda: np.empty(0, np.intp))


def names(split: Split) -> str:
    """Return a split in words for people.

    Examples
    --------
    >>> names("random")
    'clips at random: speakers are shared'
    """
    words: dict[Split, str] = {
        "random": "clips at random: speakers are shared",
        "speaker": f"unseen speakers (up to {GROUPS} folds)",
        "loso": "unseen speakers (one at a time)",
    }
    return words[split]


def folds(clips: pd.DataFrame, split: Split, *, seed: int, shares: tuple[float, float]) -> list[Fold]:
    """Divide clips of known emotions and speakers into training, validation and test parts.

    ``random``: one fold, each emotion divided by ``shares``; speakers are on both sides, as in most papers.
    ``speaker``: six groups of neighbours in the sorted names (as many as there are speakers, if those are fewer) are
    tested in turn; the next group, cyclically, is for validation. ``loso``: one speaker is tested at a time; the next
    ones are for validation, as many of them as come nearest to their share of the rest. In the last two every clip is
    tested once, and nothing is drawn.

    Parameters
    ----------
    clips
        Columns ``speaker`` and ``emotion``.
    seed
        Of ``random``.
    shares
        Of validation and of test, 0-1. If the first is 0 there is no validation part; its size has no say in
        ``speaker``, nor has the second in ``speaker`` and ``loso``.

    Raises
    ------
    SplitError
        If an emotion has too few clips for ``random``, or there are too few speakers for the others.
    """
    if split == "random":
        return [_random(clips["emotion"].to_numpy(str), seed, shares)]
    if split == "loso" and not shares[0]:
        return by_speaker(clips)
    speakers = clips["speaker"].to_numpy(str)
    found = np.unique(speakers)
    needed, parts = (3, "training, validation and test") if shares[0] else (2, "training and test")
    if len(found) < needed:
        few = ", ".join(found) or "none"
        raise SplitError(f"unseen speakers need {needed} speakers or more, for {parts}; found {few}: split at random")
    if split == "loso":
        return [_loso(speakers, found, number, shares[0]) for number in range(len(found))]
    group, n = _grouped(speakers, GROUPS)
    return [_fold(group == test, (group == (test + 1) % n) & (shares[0] > 0)) for test in range(n)]


def by_speaker(clips: pd.DataFrame) -> list[Fold]:
    """Leave one speaker out: one fold per speaker, in the order of their names.

    Raises
    ------
    SplitError
        If there is one speaker only.
    """
    speakers = clips["speaker"].to_numpy()
    found = sorted(set(speakers))
    if len(found) < 2:
        raise SplitError(f"leaving one speaker out needs two speakers or more, found {', '.join(found) or 'none'}")
    return [Fold(np.flatnonzero(speakers != name), np.flatnonzero(speakers == name)) for name in found]


def tenths(clips: pd.DataFrame, *, shared: bool, seed: int) -> list[Fold]:
    """Divide clips of known emotions and speakers into ten parts that are tested in turn; the rest is for training.

    Parameters
    ----------
    clips
        Columns ``speaker`` and ``emotion``.
    shared
        Each emotion is divided at random, and speakers are on both sides: fewer parts than ten where an emotion has
        fewer clips. Else neighbours in the sorted names of the speakers are tested together, in as many parts as there
        are speakers if those are fewer; nothing is drawn.
    seed
        Of the division at random.

    Raises
    ------
    SplitError
        If there is one speaker only, or, at random, an emotion has one clip only.
    """
    if shared:
        from sklearn.model_selection import StratifiedKFold

        words = clips["emotion"].to_numpy(str)
        found, sizes = np.unique(words, return_counts=True)
        few = ", ".join(found[sizes < 2]) or ("no clips" if not len(found) else "")
        if few:
            raise SplitError(f"parts at random need two clips or more of each emotion; found one of {few}")
        parts = StratifiedKFold(min(TENTHS, int(sizes.min())), shuffle=True, random_state=seed)
        return [Fold(train, test) for train, test in parts.split(words, words)]
    speakers = clips["speaker"].to_numpy(str)
    group, n = _grouped(speakers, TENTHS)
    if n < 2:
        few = ", ".join(sorted(set(speakers))) or "none"
        raise SplitError(f"unseen speakers need two speakers or more; found {few}: divide the clips at random")
    return [_fold(group == test, np.zeros(len(group), bool)) for test in range(n)]


def inner(y: Rows, groups: NDArray[Any] | None) -> list[Fold]:
    """Divide training clips once more, to choose or to calibrate: up to five parts that take turns as ``test``.

    Each speaker of ``groups`` stays in one part, and a part without which a class would be missing is never ``test``.
    Where that is so of every part, as with one speaker, or where ``groups`` is None, the clips of each class are dealt
    out one by one instead, whoever speaks them: what is told of them is then too good for unseen speakers.

    Parameters
    ----------
    y
        Class numbers, shape (n,).
    groups
        Who speaks, shape (n,); None where the speakers are shared between training and test anyway.
    """
    dealt = np.empty(len(y), np.intp)
    for one in np.unique(y):
        dealt[y == one] = np.arange((y == one).sum()) % PARTS
    if groups is None:
        return list(_complete(y, dealt))
    found, sizes = np.unique(groups, return_counts=True)
    part_of, loads = np.empty(len(found), np.intp), np.zeros(min(PARTS, len(found)))
    for name in np.argsort(-sizes, kind="stable"):  # the largest first, each into the part that is smallest so far
        part_of[name] = loads.argmin()
        loads[part_of[name]] += sizes[name]
    return list(_complete(y, part_of[np.searchsorted(found, groups)])) or list(_complete(y, dealt))


def table(clips: pd.DataFrame, folds: Sequence[Fold], digests: Sequence[str]) -> pd.DataFrame:
    """Return who is where: one row per fold with the speakers and the number of clips of each part.

    ``shared`` lists speakers of the test part who are in training or validation too, ``same_recordings`` counts test
    clips whose very file (by ``digests``, one a clip) is there under another name. Only where both are empty is a
    result speaker-independent: the validation part has its say in what is learnt, too.
    """
    recordings = np.asarray(digests)
    speakers = clips["speaker"].to_numpy()
    rows = []
    for number, fold in enumerate(folds, start=1):
        train, validation, test = (set(speakers[part]) for part in (fold.train, fold.validation, fold.test))
        learnt = np.concatenate([fold.train, fold.validation])
        rows.append(
            {
                "fold": number,
                "test_speakers": sorted(test),
                "train_speakers": sorted(train),
                "validation_speakers": sorted(validation),
                "shared": sorted((train | validation) & test),
                "same_recordings": int(np.isin(recordings[fold.test], recordings[learnt]).sum()),
                "n_train": len(fold.train),
                "n_validation": len(fold.validation),
                "n_test": len(fold.test),
            }
        )
    return pd.DataFrame(rows)


def _grouped(speakers: NDArray[np.str_], n: int) -> tuple[Rows, int]:
    """Return the group of each clip, neighbours in the sorted names together, and how many groups there are."""
    found = np.unique(speakers)
    groups = np.array_split(found, max(1, min(n, len(found))))
    return np.searchsorted([members[0] for members in groups if len(members)], speakers, side="right") - 1, len(groups)


def _fold(test: NDArray[np.bool_], validation: NDArray[np.bool_]) -> Fold:
    return Fold(np.flatnonzero(~test & ~validation), np.flatnonzero(test), np.flatnonzero(validation))


def _random(emotions: NDArray[np.str_], seed: int, shares: tuple[float, float]) -> Fold:
    from sklearn.model_selection import train_test_split

    given = [share for share in (*shares, 1 - sum(shares)) if share]
    needed = max(math.ceil(1 / min(given)), 2 * len(given))  # one in the smallest part, and two in what is cut again
    found, sizes = np.unique(emotions, return_counts=True)
    few = ", ".join(f"{n} of {name}" for name, n in zip(found, sizes, strict=True) if n < needed)
    if few or not len(found):
        raise SplitError(
            f"a split at random needs {needed} clips or more of each emotion; found {few or 'none'}: add clips, or"
            " leave out what is so rare"
        )
    rest, test = train_test_split(np.arange(len(emotions)), test_size=shares[1], stratify=emotions, random_state=seed)
    if not shares[0]:
        return Fold(np.sort(rest), np.sort(test))
    size = round(shares[0] * len(emotions))
    train, validation = train_test_split(rest, test_size=size, stratify=emotions[rest], random_state=seed)
    return Fold(np.sort(train), np.sort(test), np.sort(validation))


def _loso(speakers: NDArray[np.str_], found: NDArray[np.str_], number: int, share: float) -> Fold:
    """Test one speaker, and validate on the next ones; one at least is left for training."""
    after = np.roll(found, -number)[1:]
    sizes = np.cumsum([(speakers == name).sum() for name in after[:-1]])
    wanted = share * (speakers != found[number]).sum()
    chosen = after[: np.abs(sizes - wanted).argmin() + 1]
    return _fold(speakers == found[number], np.isin(speakers, chosen))


def _complete(y: Rows, part: Rows) -> Iterator[Fold]:
    """Yield the parts that leave every class to learn from."""
    for number in np.unique(part):
        train, test = np.flatnonzero(part != number), np.flatnonzero(part == number)
        if len(np.unique(y[train])) == len(np.unique(y)):
            yield Fold(train, test)
