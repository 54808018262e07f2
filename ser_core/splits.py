"""Who is in training and who in test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core.errors import SerError


class SplitError(SerError, ValueError):
    """Clips that cannot be split as asked; the message says why."""


@dataclass(frozen=True)
class Fold:
    """Row numbers of the training and of the test part."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def by_speaker(clips: pd.DataFrame) -> list[Fold]:
    """Leave one speaker out: one fold per speaker, in the order of their names.

    Raises
    ------
    SplitError
        If there is one speaker only.
    """
    speakers = clips["speaker"].to_numpy()
    names = sorted(set(speakers))
    if len(names) < 2:
        raise SplitError(f"leaving one speaker out needs two speakers or more, found {', '.join(names) or 'none'}")
    return [Fold(np.flatnonzero(speakers != name), np.flatnonzero(speakers == name)) for name in names]


def table(clips: pd.DataFrame, folds: Sequence[Fold], digests: Sequence[str]) -> pd.DataFrame:
    """Return who is where: one row per fold with the speakers and the number of clips of both parts.

    ``shared`` lists speakers in both, ``same_recordings`` counts test clips whose very file (by ``digests``, one a
    clip) is in training under another name; only where both are empty is a result speaker-independent.
    """
    recordings = np.asarray(digests)
    speakers = clips["speaker"].to_numpy()
    rows = []
    for number, fold in enumerate(folds, start=1):
        train, test = set(speakers[fold.train]), set(speakers[fold.test])
        rows.append(
            {
                "fold": number,
                "test_speakers": sorted(test),
                "train_speakers": sorted(train),
                "shared": sorted(train & test),
                "same_recordings": int(np.isin(recordings[fold.test], recordings[fold.train]).sum()),
                "n_train": len(fold.train),
                "n_test": len(fold.test),
            }
        )
    return pd.DataFrame(rows)
