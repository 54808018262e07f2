"""How good a classifier is on clips that it has not seen.

Scores (`ser_core.scores`) are taken over the pooled predictions of all folds, 0-1.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import scores, splits
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings, take
from ser_core.scores import Counts, EvaluationError, Score, confusion, uar, wa
from ser_core.splits import Fold

__all__ = ["Evaluation", "EvaluationError", "confusion", "cross_validate", "labelled", "uar", "wa"]


def labelled(embeddings: Embeddings) -> Embeddings:
    """Return the clips whose emotion and speaker are known: one of an unknown speaker may be of a training speaker."""
    return take(embeddings, np.flatnonzero(known(embeddings.clips)))


def known(clips: pd.DataFrame) -> NDArray[np.bool_]:
    """Return, for each clip, whether its emotion and its speaker are known."""
    return ~clips[["emotion", "speaker"]].isin([UNKNOWN]).any(axis=1).to_numpy(bool)


@dataclass(frozen=True)
class Evaluation:
    """Predictions of all folds, pooled.

    ``truth`` and ``predicted`` are class numbers of shape (n_clips,), ``speakers`` the speaker of each; ``folds`` is
    the table of `splits.table`.
    """

    classes: tuple[str, ...]
    truth: NDArray[np.intp]
    predicted: NDArray[np.intp]
    speakers: NDArray[np.str_]
    folds: pd.DataFrame

    @property
    def confusion(self) -> Counts:
        """Clips by true (row) and predicted (column) class."""
        return confusion(self.truth, self.predicted, n_classes=len(self.classes))

    @property
    def uar(self) -> float:
        """Unweighted average recall, 0-1."""
        return uar(self.confusion)

    @property
    def wa(self) -> float:
        """Weighted accuracy, 0-1."""
        return wa(self.confusion)

    @property
    def speaker_independent(self) -> bool:
        """Whether no fold has a speaker, or one and the same recording, on both sides."""
        return not any(len(shared) for shared in self.folds["shared"]) and not self.folds["same_recordings"].any()

    def interval(self, score: Callable[[Counts], Score]) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of a score, resampling speakers (1,000 times, seeded, percentiles)."""
        names = sorted(set(self.speakers))
        drawn = scores.resampled(self.truth, self.predicted, self.speakers, n_classes=len(self.classes), names=names)
        return scores.interval(score(drawn))


def cross_validate(
    embeddings: Embeddings,
    layer: int,
    *,
    model: Callable[[], Any],
    folds: Sequence[Fold],
    class_order: Sequence[str] = (),
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Fit a new model in every fold, on its training part alone, and predict its test part.

    Parameters
    ----------
    layer
        Which layer of the embeddings.
    model
        Makes an unfitted model (``fit``, ``predict``) with its own scaler in it: nothing is learnt outside a fold.
    class_order
        Order of the emotions; those not named follow alphabetically.
    progress
        Called with folds done and their number.

    Raises
    ------
    EvaluationError
        If fewer than two emotions occur, or a clip is tested twice or not at all.
    """
    x, words = embeddings.layer(layer), embeddings.clips["emotion"].to_numpy()
    present = set(words)
    classes = (*(word for word in class_order if word in present), *sorted(present - set(class_order)))
    if len(classes) < 2:
        raise EvaluationError(f"a classifier needs two emotions or more, found {', '.join(classes) or 'none'}")
    y = np.array([classes.index(word) for word in words], np.intp)
    tested = np.concatenate([fold.test for fold in folds])
    if not np.array_equal(np.sort(tested), np.arange(len(y))):
        raise EvaluationError("every clip must be in the test part of exactly one fold")
    for number, fold in enumerate(folds, start=1):
        if len(np.unique(y[fold.train])) < 2:
            raise EvaluationError(f"the training part of fold {number} has one emotion only: nothing can be learnt")

    def run(fold: Fold) -> NDArray[np.intp]:
        fitted = model()
        fitted.fit(x[fold.train], y[fold.train])
        return fitted.predict(x[fold.test])

    predicted = np.empty_like(y)
    with ThreadPoolExecutor(workers) as pool:
        for done, (fold, labels) in enumerate(zip(folds, pool.map(run, folds), strict=True), start=1):
            predicted[fold.test] = labels
            if progress:
                progress(done, len(folds))
    speakers = embeddings.clips["speaker"].to_numpy().astype(np.str_)
    return Evaluation(classes, y, predicted, speakers, splits.table(embeddings.clips, folds, embeddings.digests))
