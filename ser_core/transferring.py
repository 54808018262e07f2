"""Learn from a corpus in ten folds, and try it on others: what `ser_core.transfer` describes, computed and kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ser_core import splits, store
from ser_core.cache import Cache
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings, take
from ser_core.emotions import common_name
from ser_core.errors import SerError
from ser_core.geometry import targets
from ser_core.models import plane
from ser_core.models.plane import METHODS, PLANES, Learner, Method
from ser_core.splits import Fold, SplitError
from ser_core.transfer import ADAPTATIONS, TAUGHT, UNSEEN, Adaptation, Landed, Question, Transfer

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
VERSION: Final = 1
"""Part of every recipe: change it when transfers come out differently."""


class TransferError(SerError, ValueError):
    """Clips from which nothing can be transferred as asked; the message says why."""


def chosen(found: Embeddings, emotions: Sequence[str]) -> Embeddings:
    """Return the clips of these emotions whose speaker is known, under common names.

    Raises
    ------
    TransferError
        If there is none.
    """
    words = np.array([common_name(str(word)) for word in found.clips["emotion"]])
    rows = np.flatnonzero(np.isin(words, emotions) & (found.clips["speaker"] != UNKNOWN).to_numpy(bool))
    if not len(rows):
        name = found.clips["corpus"].iloc[0] if len(found.clips) else "the corpus"
        raise TransferError(f"{name} has no clip of {_either(emotions)} by a known speaker: choose other emotions")
    out = take(found, rows)
    out.clips["emotion"] = words[rows]
    return out


def usable(found: Embeddings, question: Question) -> str | None:
    """Say why nothing can be learnt from a corpus; None where it can. Nothing is computed."""
    try:
        _folds(chosen(found, question.emotions), question)
    except SerError as error:
        return str(error)
    return None


def arguments(corpus: str, onto: Sequence[str], encoder: str, *, question: Question, triads: bool = False) -> list[str]:
    """Return the `ser` command that computes it, in the one form that names its job; ``triads``: of them as well."""
    said = ["transfer", corpus, *([",".join(onto)] if onto else []), "--encoder", encoder]
    said += ["--emotions", ",".join(question.emotions), "--layer", str(question.layer), "--seed", str(question.seed)]
    return [*said, *(["--shared"] if question.shared else []), *(["--triads"] if triads else [])]


def title(corpus: str, onto: Sequence[str]) -> str:
    """Return what the job is called."""
    return f"Transfer from {corpus} to {', '.join(onto) or 'no other'}"


def kept(own: Embeddings, others: Sequence[Embeddings], question: Question, *, cache: Cache) -> Transfer | None:
    """Return what `transfer` gives if all of it was computed before; else, or if it cannot be, None."""
    question = replace(question, layer=question.layer % len(own.layers))
    try:
        parts = [chosen(one, question.emotions) for one in (own, *others)]
    except TransferError:
        return None
    wanted = [parts[:1], *([parts[0], one] for one in parts[1:])]
    there = all(cache.load_arrays(_recipe(one, question)) is not None for one in wanted)
    return transfer(own, others, question, cache=cache) if there else None


def transfer(
    own: Embeddings,
    others: Sequence[Embeddings],
    question: Question,
    *,
    cache: Cache,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Transfer:
    """Learn from a corpus in ten folds, and try what was learnt on itself and on others; computed once, and kept.

    Outliers, clips with a value more than `LIMIT` standard deviations from the mean, are removed and counted, as in P4.
    A corpus is brought nearer in three ways: ``none``, its values are standardised as the training part was;
    ``standardise``, by its own means and deviations; ``coral``, beyond that its covariance is made that of the training
    part (Sun, Feng & Saenko 2016, AAAI, with their regularisation; they move the training data, here the other corpus
    is moved so that one network serves all). The last two look at all its clips, not at a label.

    Parameters
    ----------
    own, others
        Embeddings of one corpus each, by one encoder.
    progress
        Called with steps done, one for each fold and other corpus, and their number.

    Raises
    ------
    TransferError
        If the corpus lacks an emotion, in all or in a fold's training part, or has one speaker only, or another corpus
        has no clip of any.
    """
    own.layer(question.layer)
    question = replace(question, layer=question.layer % len(own.layers))
    part, *rest = (chosen(one, question.emotions) for one in (own, *others))
    corpora = [one.clips["corpus"].iloc[0] for one in (part, *rest)]
    if len(set(corpora)) < len(corpora):
        raise TransferError(f"{corpora[0]} is to be tried on other corpora, each once: got {', '.join(corpora)}")
    folds = _folds(part, question)
    steps = len(folds) + len(rest)
    arrays = cache.load_arrays(recipe := _recipe([part], question))
    if arrays is None:
        x, y = part.layer(question.layer), _numbers(part, question)
        learnt = []
        for number, fold in enumerate(folds):
            learnt.append(_learn(x, y, targets.known(part.clips), fold, question))
            progress(number + 1, steps)
        arrays = {name: np.stack([one[name] for one in learnt]) for name in learnt[0]}
        cache.store_arrays(recipe, arrays)
    found = _opened(part, folds, question, arrays)
    for number, other in enumerate(rest, start=1):
        arrays = cache.load_arrays(recipe := _recipe([part, other], question))
        if arrays is None:
            arrays = _tried(found, other.layer(question.layer))
            cache.store_arrays(recipe, arrays)
        found = replace(found, others=(*found.others, _landed(other, question, arrays)))
        progress(len(folds) + number, steps)
    return found


def standardised(found: Transfer, where: str, fold: int, *, adaptation: Adaptation) -> Floats:
    """Return the vectors (n, d) of all clips of a place as the learners of a fold are given them."""
    landed = found.landed(where)
    if where in (TAUGHT, UNSEEN):
        return found.learners[METHODS[0]][fold].reducer.scale.apply(landed.vectors).astype(np.float64)
    return _adapted(found, fold, landed.vectors, landed.removed[fold])[ADAPTATIONS.index(adaptation)]


def _numbers(found: Embeddings, question: Question) -> Rows:
    return np.array([question.emotions.index(word) for word in found.clips["emotion"]], np.intp)


def _folds(found: Embeddings, question: Question) -> list[Fold]:
    """Return the folds of clips of these emotions, in each of which all of them can be learnt."""
    words, name = found.clips["emotion"].to_numpy(str), found.clips["corpus"].iloc[0]
    if lacking := [word for word in question.emotions if word not in words]:
        raise TransferError(
            f"{name} has no clip of {_either(lacking)}: nothing can be learnt of it; choose other emotions"
        )
    if len(question.emotions) < 2:
        raise TransferError(f"telling emotions apart needs two or more, got {_either(question.emotions)}")
    try:
        folds = splits.tenths(found.clips, shared=question.shared, seed=question.seed)
    except SplitError as error:
        raise TransferError(f"{name}: {error}") from error
    for number, fold in enumerate(folds, start=1):
        if lacking := [word for word in question.emotions if word not in words[fold.train]]:
            raise TransferError(
                f"the training part of fold {number} of {len(folds)} has no clip of {_either(lacking)}: choose other "
                "emotions, another corpus to learn from, or folds at random"
            )
    return folds


def _learn(x: NDArray[np.float32], y: Rows, known: Floats, fold: Fold, question: Question) -> dict[str, NDArray[Any]]:
    """Learn in one fold, and tell what comes out for all clips; return arrays by name."""
    scale, kept = plane.typical(x, fold.train)
    lacking = [word for k, word in enumerate(question.emotions) if k not in y[kept]]
    if lacking:
        raise TransferError(
            f"without outliers a training part has no clip of {_either(lacking)}: choose other emotions"
        )
    removed = plane.outliers(x, scale)
    removed[fold.train] = ~np.isin(fold.train, kept)
    z = scale.apply(x).astype(np.float64)
    out = {"removed": removed, "n_constant": np.array(int(np.isinf(scale.spread).sum()))}
    how: dict[str, Any] = {"affect": known[kept], "scale": scale, "seed": question.seed}
    learners = [plane.fit(method, z[kept], y[kept], **how) for method in METHODS]
    for learner in learners:
        out |= {f"{learner.reducer.method}.{name}": one for name, one in learner.arrays().items()}
    return out | _told(learners, [z], removed)


def _tried(found: Transfer, x: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Try what was learnt in all folds on another corpus."""
    removed, folds = plane.outliers(x, plane.scaled(x, np.arange(len(x)))), []
    for fold in range(found.n_folds):
        learners = [found.learners[method][fold] for method in METHODS]
        folds.append(_told(learners, _adapted(found, fold, x, removed), removed))
    arrays = {name: np.stack([one[name] for one in folds]) for name in folds[0]}
    return arrays | {"removed": np.tile(removed, (found.n_folds, 1))}


def _told(learners: Sequence[Learner], ways: Sequence[Floats], removed: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Return emotions (M, A, n) and planes (3, A, n, 2) of vectors that are standardised in A ways."""
    read = [[learner.reducer.numbers(way) for way in ways] for learner in learners]
    said = [[learner.predicted(one) for one in ones] for learner, ones in zip(learners, read, strict=True)]
    planes = np.where(removed[:, None], np.float32(np.nan), np.array(read[: len(PLANES)], np.float32))
    return {"predicted": np.where(removed, -1, np.array(said)).astype(np.int8), "latents": planes}


def _adapted(found: Transfer, fold: int, x: NDArray[np.float32], removed: NDArray[np.bool_]) -> list[Floats]:
    """Return the vectors of another corpus in the ways of `ADAPTATIONS`; its own means are those without outliers."""
    if removed.all():
        raise TransferError("every clip of another corpus is an outlier in it: nothing is left to try; leave it out")
    scale = found.learners[METHODS[0]][fold].reducer.scale
    taught = scale.apply(found.own.vectors[found.among(TAUGHT)[fold]]).astype(np.float64)
    own = plane.scaled(x, np.flatnonzero(~removed)).apply(x).astype(np.float64)
    own[:, np.isinf(scale.spread)] = 0.0  # what never varied in training was not learnt
    white = _towards(own, own[~removed], -0.5)
    return [scale.apply(x).astype(np.float64), own, _towards(white, taught, 0.5)]


def _towards(z: Floats, like: Floats, power: float) -> Floats:
    """Return vectors (m, d) times a power of the covariance of others (n, d), with 1 added to its diagonal.

    Sun et al., algorithm 1. By the singular vectors of the others: of thousands of values no matrix is made.
    """
    centred = like - like.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    gain = (np.square(spread) / len(like) + 1) ** power - 1  # 1 stays in the directions that the others do not have
    return z + (z @ axes.T * gain) @ axes


def _landed(found: Embeddings, question: Question, arrays: Mapping[str, NDArray[Any]]) -> Landed:
    name, vectors = str(found.clips["corpus"].iloc[0]), found.layer(question.layer)
    predicted, latents = (np.moveaxis(arrays[name], 0, 2) for name in ("predicted", "latents"))
    made = {"removed": arrays["removed"], "predicted": predicted, "latents": latents}
    return Landed(name, found.clips, _numbers(found, question), found.digests, vectors, **made)


def _opened(
    found: Embeddings, folds: Sequence[Fold], question: Question, arrays: Mapping[str, NDArray[Any]]
) -> Transfer:
    taught = np.zeros((len(folds), len(found.clips)), bool)
    for number, fold in enumerate(folds):
        taught[number, fold.train] = True
    learners: dict[Method, tuple[Learner, ...]] = {
        method: tuple(_learner(method, arrays, k) for k in range(len(folds))) for method in METHODS
    }
    table = splits.table(found.clips, folds, found.digests)
    known: dict[str, Any] = {"encoder": str(found.recipe["name"]), "store": store.key(found.recipe)}
    known |= {"own": _landed(found, question, arrays), "others": (), "taught": taught, "folds": table}
    return Transfer(question, **known, n_constant=arrays["n_constant"].astype(np.intp), learners=learners)


def _learner(method: Method, arrays: Mapping[str, NDArray[Any]], fold: int) -> Learner:
    start = f"{method}."
    return Learner.of(
        method, {name.removeprefix(start): one[fold] for name, one in arrays.items() if name.startswith(start)}
    )


def _recipe(parts: Sequence[Embeddings], question: Question) -> dict[str, Any]:
    labels = [part.clips[["file", "speaker", "emotion"]].astype(str).to_numpy().tolist() for part in parts]
    rated = [targets.known(part.clips).round(9).tolist() for part in parts]
    return {
        "analysis": "transfer",
        "version": VERSION,
        "encoder": parts[0].recipe["name"],
        "stores": [store.key(parts[0].recipe)],
        "clips": store.key({"digests": [list(part.digests) for part in parts], "labels": labels, "rated": str(rated)}),
        "n_clips": sum(len(part.clips) for part in parts),
        "corpora": ",".join(str(part.clips["corpus"].iloc[0]) for part in parts),
        **{name: ",".join(value) if name == "emotions" else value for name, value in asdict(question).items()},
    }


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
