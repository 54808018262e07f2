"""What of a clip speaks for an emotion, and what against it, as a network that looks at pictures sees it.

Integrated gradients (Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks, ICML) from the mean
picture of the training clips to the clip's own: every value of the picture gets its share of the difference between
the two scores of the emotion (the network's outputs before they become probabilities). The shares sum to it. They tell
how this network decides, which need not be how people do.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ser_core.encoders import PICTURES, pictures
from ser_core.encoders.spectral import FRAME, HOP, MELS, SAMPLING_RATE
from ser_core.errors import SerError
from ser_core.models.cards import CARDS
from ser_core.models.inputs import Inputs
from ser_core.spectrogram import mel_bands

if TYPE_CHECKING:
    from ser_core.models.network import Network

Floats = NDArray[np.float64]
STEPS: Final = (64, 256, 1024)
"""Points on the way from the mean picture to the clip's; more where the shares do not add up with fewer."""
GAP: Final = 0.05
"""By how much of the difference between the scores (of 1 where that is smaller) the shares may miss it."""
SPREAD: Final = 1.5
"""Bands, and columns, over which what a place adds is spread (a Gaussian's standard deviation)."""
AT_ONCE: Final = 16
"""Points that go through the network together: more take much memory and no less time."""


class SaliencyError(SerError, ValueError):
    """A network without pictures, or shares that do not add up; the message says which."""


@dataclass(frozen=True)
class Saliency:
    """What each place of a clip adds to the score of an emotion.

    Attributes
    ----------
    values
        Shape (n_bands, n_columns): above 0 it speaks for the emotion. They sum to ``score`` - ``baseline``, and are
        smoothed: a network that pools goes by the highest value of a square, and which one that is means little.
    seconds, hertz
        The middle of each column in the clip, and of each mel band, ascending.
    score, baseline
        Of the emotion: for the clip, and for the mean picture of the training clips.
    beyond
        What of the values lies after the clip's end: in the silence with which a short clip is filled up.
    """

    values: Floats
    seconds: Floats
    hertz: Floats
    score: float
    baseline: float
    beyond: float


def saliency(network: "Network", inputs: Inputs, *, target: int) -> Floats:
    """Return what each value of a clip's picture adds to the score of class ``target``, (rows, columns).

    Parameters
    ----------
    inputs
        One clip, as the network takes it, not scaled. A vector beside the picture stays as it is.

    Raises
    ------
    SaliencyError
        If the network looks at no picture, or the shares do not add up to the difference of the scores.
    """
    way = _followed(network, inputs, target)
    return way.picture * way.gradients


def explain(network: "Network", inputs: Inputs, *, target: int, n_samples: int) -> Saliency:
    """Return what each place of a clip, in seconds and Hz, adds to the score of class ``target``.

    Cepstral coefficients are sums over mel bands. What a coefficient adds is told of these bands: the picture and the
    gradients are turned back into bands, where their products have the same sum.

    Parameters
    ----------
    inputs
        One clip, as `saliency` takes it.
    n_samples
        Its length at 16 kHz.

    Raises
    ------
    SaliencyError
        As `saliency`.
    """
    way = _followed(network, inputs, target)
    drawn = PICTURES[str(CARDS[network.card_name].picture)]
    values = way.picture * way.gradients
    if not isinstance(drawn, pictures.MelPicture):
        bands = _cosines(len(way.picture)).T
        values = (bands @ (way.picture * way.spread)) * (bands @ (way.gradients / way.spread))
    _, hertz = mel_bands(FRAME, SAMPLING_RATE, len(values))
    seconds = _seconds(drawn, values.shape[1], n_samples)
    beyond = float(values[:, seconds > n_samples / SAMPLING_RATE].sum())
    return Saliency(_smooth(values), seconds, hertz, way.score, way.baseline, beyond)


@dataclass(frozen=True)
class _Way:
    """A scaled picture (rows, columns), the mean gradients on the way to it, and the scores at the way's ends.

    ``spread`` (rows, 1) is what the picture was divided by, 1 where it tells nothing.
    """

    picture: Floats
    gradients: Floats
    spread: Floats
    score: float
    baseline: float


def _followed(network: "Network", inputs: Inputs, target: int) -> _Way:
    """Go from the mean picture, which is 0 after scaling, to the clip's."""
    import torch
    from captum.attr import IntegratedGradients

    from ser_core.models.network import tensors

    scale = network.scaling.pictures
    if scale is None:
        raise SaliencyError(f"{network.card_name} looks at no picture: there is nothing to draw on a spectrogram")
    module = network.module.eval()
    where = next(module.parameters()).device
    scaled = network.scaling.apply(inputs.take(np.array([0])))
    picture, *vectors = (part.to(where) for part in tensors(CARDS[network.card_name], scaled))
    start, picture = torch.zeros_like(picture), picture.requires_grad_()
    with torch.no_grad():
        score, baseline = (float(module(one, *vectors)[0, target]) for one in (picture, start))
    shares, total = IntegratedGradients(module, multiply_by_inputs=False), 0.0
    for steps in STEPS:
        found = shares.attribute(
            picture, start, target=target, additional_forward_args=tuple(vectors) or None, n_steps=steps,
            internal_batch_size=AT_ONCE,
        )  # fmt: skip
        own, gradients = (part.detach().cpu().double().numpy()[0, 0] for part in (picture, found))
        total = float((own * gradients).sum())
        if abs(total - (score - baseline)) <= GAP * max(1.0, abs(score - baseline)):
            spread = np.where(np.isfinite(scale.spread), scale.spread, 1.0)
            return _Way(own, gradients, spread, score, baseline)
    raise SaliencyError(
        f"what the parts of the picture add comes to {total:.3f}, the scores differ by {score - baseline:.3f}: this "
        f"{network.card_name} changes too abruptly to be explained so"
    )


def _smooth(values: Floats) -> Floats:
    """Spread each value over its neighbours; mirrored at the edges, so that the sum stays."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(values, SPREAD, mode="reflect")


def _cosines(n: int) -> Floats:
    """Return the rows (n, MELS) that make ``n`` cepstral coefficients of mel bands, of length 1 each, as librosa's."""
    from scipy.fft import dct

    return np.asarray(dct(np.eye(MELS), axis=0, norm="ortho"))[:n]


def _seconds(drawn: object, n_columns: int, n_samples: int) -> Floats:
    """Return the middles of a picture's columns."""
    columns = np.arange(n_columns)
    if isinstance(drawn, pictures.MfccPicture):
        begin = drawn.offset if n_samples >= pictures.PIECE else 0.0
        return begin + columns * pictures.FINE_HOP / SAMPLING_RATE
    step = (1 + n_samples // HOP) / n_columns  # frames, the first around the clip's first sample
    return ((columns + 0.5) * step - 0.5) * HOP / SAMPLING_RATE
