"""What a model is given of n clips: vectors, pictures or both, or the sound; and scaling learnt from training clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core.embeddings import Embeddings
from ser_core.encoders.base import Signal
from ser_core.errors import SerError

Floats = NDArray[np.float32]
LIMIT: Final = 10.0
"""Standard deviations beyond which a standardised value counts as so many.

Some eGeMAPS values have tails of thousands of deviations, which one clip would carry through a network. P4 drops clips
beyond the same limit; here every clip is kept.
"""
AT_ONCE: Final = 64
"""Clips that are scaled at once, in float64: all pictures of a corpus would take hundreds of megabytes."""


class InputError(SerError, ValueError):
    """Clips that a model cannot be given; the message says what is missing or does not fit."""


@dataclass(frozen=True)
class Inputs:
    """What models are given of n clips; a part that a model does not take is None.

    Attributes
    ----------
    vectors
        Shape (n, dim).
    pictures
        Shape (n, copies, rows, columns); copy 0 is the clean clip, others have noise added.
    signals
        The sound of each clip, mono, in [-1, 1] at 16 kHz: for models that change an encoder.
    """

    vectors: Floats | None
    pictures: Floats | None
    signals: tuple[Signal, ...] | None = None

    def __post_init__(self) -> None:
        lengths = {len(part) for part in (self.vectors, self.pictures, self.signals) if part is not None}
        if len(lengths) != 1:
            raise InputError(f"expected vectors, pictures or both, of as many clips each; got {sorted(lengths)} clips")

    def __len__(self) -> int:
        """Return the number of clips."""
        return next(len(part) for part in (self.vectors, self.pictures, self.signals) if part is not None)

    def take(self, rows: NDArray[np.intp]) -> "Inputs":
        """Return some of the clips, in the order of ``rows``."""
        vectors = None if self.vectors is None else self.vectors[rows]
        signals = None if self.signals is None else tuple(self.signals[row] for row in rows)
        return Inputs(vectors, None if self.pictures is None else self.pictures[rows], signals)


@dataclass(frozen=True)
class Scale:
    """Takes ``centre`` off, divides by ``spread`` (inf where a value was constant: it becomes 0), cuts at ``limit``.

    ``centre`` and ``spread`` are float64, of shape (dim,) for vectors and (rows, 1) for pictures.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    limit: float

    def apply(self, x: Floats) -> Floats:
        """Return the values scaled, float32, of the same shape (..., dim) or (..., rows, columns)."""
        out = np.empty(x.shape, np.float32)
        for start in range(0, len(x), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            out[rows] = np.clip((x[rows] - self.centre) / self.spread, -self.limit, self.limit)
        return out


@dataclass(frozen=True)
class Scaling:
    """Scales of the parts of `Inputs`, None for a part that is not there; made by `learn`."""

    vectors: Scale | None
    pictures: Scale | None

    def apply(self, inputs: Inputs) -> Inputs:
        """Return the clips scaled.

        Raises
        ------
        InputError
            If they have not the parts that the scaling was learnt from, or not their sizes.
        """
        parts = {}
        for name, axis, what in (("vectors", -1, "values"), ("pictures", -2, "rows")):
            scale, part = getattr(self, name), getattr(inputs, name)
            if (scale is None) != (part is None):
                raise InputError(f"the scaling was learnt {'without' if scale is None else 'with'} {name}")
            if scale is not None and part.shape[axis] != len(scale.centre):
                learnt = f"the scaling was learnt on {len(scale.centre)}"
                raise InputError(f"the {name} have {part.shape[axis]} {what}, {learnt}")
            parts[name] = None if scale is None else scale.apply(part)
        return Inputs(**parts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs, as ``vectors.centre``, ``pictures.spread`` and the like."""
        out = {}
        for name in ("vectors", "pictures"):
            if scale := getattr(self, name):
                out |= {f"{name}.{one}": np.atleast_1d(getattr(scale, one)) for one in ("centre", "spread", "limit")}
        return out

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Scaling":
        """Return the scaling that had these `arrays`."""

        def part(name: str) -> Scale | None:
            if f"{name}.centre" not in arrays:
                return None
            return Scale(arrays[f"{name}.centre"], arrays[f"{name}.spread"], float(arrays[f"{name}.limit"][0]))

        return cls(part("vectors"), part("pictures"))


def learn(inputs: Inputs, rows: NDArray[np.intp], *, vectors: Literal["standard", "minmax", "none"]) -> Scaling:
    """Learn how to scale from some of the clips: those of the training part.

    Pictures are standardised per row (a frequency band, or a cepstral coefficient) over time, clips and their copies.
    Standardised values beyond `LIMIT` count as that.

    Parameters
    ----------
    rows
        Numbers of the training clips.
    vectors
        ``standard``: mean 0 and standard deviation 1 in each dimension. ``minmax``: the range of the training clips
        becomes 0 to 1 (P1, section 3.4); other clips may lie beyond. ``none``: they stay as they are.

    Raises
    ------
    InputError
        If there is no training clip.
    """
    if not len(rows):
        raise InputError("a scaling is learnt from one training clip or more, got none")
    taught = inputs.take(rows)
    scale = None
    if taught.vectors is not None:
        scale = {"standard": _standard, "minmax": _ranges, "none": _as_they_are}[vectors](taught.vectors)
    return Scaling(scale, None if taught.pictures is None else _standard_rows(taught.pictures))


def per_speaker(inputs: Inputs, speakers: NDArray[np.str_]) -> Inputs:
    """Standardise every speaker's clips by that speaker's own mean and standard deviation.

    Vectors per dimension, pictures per row over the speaker's clean clips and time. No label is used, but many clips of
    each speaker over all emotions are wanted, test speakers included: a voice that was heard in anger alone would lose
    what is angry about it, and the vector of a voice that was heard once becomes 0.

    Parameters
    ----------
    speakers
        Who speaks, shape (n,).
    """
    vectors = None if inputs.vectors is None else np.empty_like(inputs.vectors)
    pictures = None if inputs.pictures is None else np.empty_like(inputs.pictures)
    for name in np.unique(speakers):
        rows = np.flatnonzero(speakers == name)
        own = inputs.take(rows)
        if vectors is not None and own.vectors is not None:
            vectors[rows] = _standard(own.vectors, limit=np.inf).apply(own.vectors)
        if pictures is not None and own.pictures is not None:
            pictures[rows] = _standard_rows(own.pictures[:, :1], limit=np.inf).apply(own.pictures)
    return Inputs(vectors, pictures)


def gather(parts: Sequence[Embeddings], layer: int | None) -> tuple[Inputs, pd.DataFrame, tuple[str, ...]]:
    """Join what one corpus has under an encoder of vectors, an encoder of pictures, or one of each.

    Parameters
    ----------
    parts
        One or two embeddings of the same corpus; pictures are those whose recipe has a ``shape``.
    layer
        Layer of the encoder of vectors, negative counts from the last; None: all, one after the other. Layers of
        pictures are their copies, all taken.

    Returns
    -------
    Inputs of the clips that all parts have (the same file name and content), their table, and digests of their files;
    in the order of the first part.

    Raises
    ------
    InputError
        If there are no parts, two of a kind, or no clip that all have.
    EmbeddingError
        If there is no such layer.
    """
    kinds = ["pictures" if "shape" in part.recipe else "vectors" for part in parts]
    if not parts or len(set(kinds)) < len(kinds):
        got = ", ".join(kinds) or "none"
        raise InputError(f"a model takes vectors of one encoder, pictures of one, or one of each; got {got}")
    keys = [list(zip(part.clips["file"], part.digests, strict=True)) for part in parts]
    common = reduce(set.__and__, map(set, keys))
    if not common:
        names = " and ".join(str(part.recipe["name"]) for part in parts)
        raise InputError(f"no clip is embedded with {names}: embed the corpus with each of them first")
    found: dict[str, Floats | None] = {"vectors": None, "pictures": None}
    wanted = [key for key in keys[0] if key in common]
    for part, kind, own in zip(parts, kinds, keys, strict=True):
        place = {key: row for row, key in enumerate(own)}
        values = part.vectors if kind == "pictures" or layer is None else part.layer(layer)
        values = values[[place[key] for key in wanted]]
        values = values.reshape(len(values), -1) if kind == "vectors" else values
        found[kind] = values.reshape(*values.shape[:2], *part.recipe["shape"]) if kind == "pictures" else values
    rows = [row for row, key in enumerate(keys[0]) if key in common]
    clips = parts[0].clips.iloc[rows].reset_index(drop=True)
    return Inputs(found["vectors"], found["pictures"]), clips, tuple(sha for _, sha in wanted)


def _standard(x: Floats, *, limit: float = LIMIT) -> Scale:
    values = x.astype(np.float64)
    return Scale(values.mean(axis=0), _spread(values.std(axis=0), np.abs(values).max(axis=0)), limit)


def _standard_rows(pictures: Floats, *, limit: float = LIMIT) -> Scale:
    # One row at a time, for the reason of `AT_ONCE`.
    centre, spread = np.empty((pictures.shape[2], 1)), np.empty((pictures.shape[2], 1))
    for row in range(len(centre)):
        one = _standard(pictures[:, :, row].reshape(-1, 1))
        centre[row], spread[row] = one.centre, one.spread
    return Scale(centre, spread, limit)


def _ranges(x: Floats) -> Scale:
    low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
    return Scale(low, _spread(high - low, np.maximum(np.abs(low), np.abs(high))), np.inf)


def _as_they_are(x: Floats) -> Scale:
    return Scale(np.zeros(x.shape[1]), np.ones(x.shape[1]), np.inf)


def _spread(deviation: NDArray[np.float64], largest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return deviations, inf where there is none but for rounding."""
    return np.where(deviation > 1e-12 * (1 + largest), deviation, np.inf)
