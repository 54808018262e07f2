"""The clouds of the emotions on a map: their Gaussians, how well they part, and what else makes the picture."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ser_core import analyses, resampling
from ser_core.corpora.folder import UNKNOWN
from ser_core.embeddings import Embeddings
from ser_core.geometry import density, separation
from ser_core.geometry.density import Densities, Overlap, Shape
from ser_core.geometry.separation import Share
from ser_core.maps import Map

FACTORS: Final = ("emotion", "speaker", "gender", "corpus")
"""What may explain where a clip lies."""


@dataclass(frozen=True)
class Clusters:
    """What is known of the emotions' clouds on one map.

    ``rows`` are those of the clips with a known emotion; ``silhouette`` has one value for each of them, -1 to 1, and
    ``silhouette_95`` is the interval of its mean over speakers, None where fewer than two are known. ``shares`` say
    how much of the variance on the map goes with emotion, speaker, gender and corpus; ``factors_left_out`` names those
    of them that cannot be told, and why.
    """

    clips: Embeddings
    rows: NDArray[np.intp]
    densities: Densities
    overlap: Overlap
    silhouette: NDArray[np.float64]
    silhouette_95: tuple[float, float] | None
    between_within: float
    shares: tuple[Share, ...]
    factors_left_out: tuple[tuple[str, str], ...]


def clusters(found: Embeddings, drawn: Map, *, shape: Shape) -> Clusters:
    """Fit the emotions' densities on a map of ``found``, and measure how they part.

    Raises
    ------
    AnalysisError, DensityError
        If there are too few emotions, or too few clips of each.
    """
    clips, rows = analyses.named(found)
    x = drawn.projection.coordinates[rows].astype(np.float64)
    labels, speakers = clips.clips["emotion"].to_numpy(str), clips.clips["speaker"].to_numpy(str)
    densities = density.fit(x, labels, shape=shape, seed=analyses.SEED)
    silhouette = separation.silhouette(x, labels)
    factors, left_out = _factors(clips)
    return Clusters(
        clips,
        rows,
        densities,
        density.overlap(densities, seed=analyses.SEED),
        silhouette,
        interval(silhouette, speakers) if analyses.several_speakers(clips) else None,
        separation.between_within(x, labels),
        separation.shares(x, factors, speakers, seed=analyses.SEED),
        left_out,
    )


def summary(result: Clusters) -> dict[str, Any]:
    """Return the numbers as plain values."""
    return {
        "n_clips": len(result.rows),
        "n_speakers": analyses.n_speakers(result.clips),
        "emotions": list(result.overlap.names),
        "clouds": [
            {
                "emotion": part.name,
                "n_clips": part.n_clips,
                "components": [
                    {"weight": one.weight, "mean": one.mean.tolist(), "covariance": one.covariance.tolist()}
                    for one in part.components
                ],
            }
            for part in result.densities.parts
        ],
        "left_out": [list(pair) for pair in result.densities.left_out],
        "silhouette": float(result.silhouette.mean()),
        "silhouette_95": result.silhouette_95,
        "between_within": result.between_within,
        "overlap": result.overlap.coefficient.tolist(),
        "overlap_standard_error": result.overlap.standard_error.tolist(),
        "variance": [asdict(share) for share in result.shares],
        "factors_left_out": [list(pair) for pair in result.factors_left_out],
    }


def interval(values: NDArray[np.float64], speakers: NDArray[np.str_]) -> tuple[float, float]:
    """Return the 95 % interval of a mean over clips, resampling the known speakers, of whom there are two or more."""
    known = speakers != UNKNOWN  # the others may be anybody's, and cannot be drawn as one voice
    return resampling.mean_interval(values[known], list(speakers[known]), seed=analyses.SEED)


def _factors(clips: Embeddings) -> tuple[dict[str, list[str]], tuple[tuple[str, str], ...]]:
    """Return the levels of each factor that can be told, and those left out with the reason.

    A factor with one level explains nothing, and is not worth a word.
    """
    factors, left_out = {}, []
    for name in FACTORS:
        if name not in clips.clips:
            continue
        values = clips.clips[name].astype(object)
        known = values.notna() & (values != UNKNOWN)
        if not known.all():
            if known.any():
                left_out.append((name, f"known for {known.sum()} of {len(known)} clips"))
        elif values.nunique() == len(values):
            left_out.append((name, f"{len(values)} levels in {len(values)} clips"))
        elif values.nunique() > 1:
            factors[name] = [str(value) for value in values]
    return factors, tuple(left_out)
