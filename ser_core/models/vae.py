"""P3's variational autoencoder: a picture of speech, eight numbers, and the picture again.

What is measured of a clip is in nats: its squared error as the negative logarithm of a normal density of standard
deviation 1, less its constant, and the divergence of the clip's latents from the standard normal distribution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ser_core.models.network import CLIPS_AT_ONCE, NetworkError, n_parameters

Floats = NDArray[np.float32]

CHANNELS: Final = (64, 32, 16, 16, 128, 256)
"""After each convolution (P3, Table 2)."""
LATENTS: Final = 8
HALVINGS: Final = 2 ** len(CHANNELS)


class Vae(nn.Module):
    """Pictures (n, bands, columns) → means and log-variances of 8 latents → pictures.

    Convolutions over time (kernel 4, stride 2, padding 1) with ReLU, as P3's Table 2 has them. It goes from 256 values
    to 16 at the end, but six halvings of 128 columns leave two frames of 256: their mean is taken. The decoder, of
    which P3 shows no more than a figure, mirrors it; as a mean cannot be undone, the latents give both frames.

    With speakers, the decoder is told who speaks (a conditional autoencoder, Sohn, Lee and Yan 2015), so that the
    latents need not say it; the encoder is not, and can be given any voice.

    Parameters
    ----------
    bands, columns
        Sides of a picture; the columns are a multiple of 64.
    n_speakers
        How many the decoder knows; 0: it is not told.
    """

    def __init__(self, bands: int, columns: int, *, n_speakers: int = 0) -> None:
        super().__init__()
        self.n_speakers = n_speakers
        widths = (bands, *CHANNELS)
        down = [nn.Sequential(nn.Conv1d(one, other, 4, 2, 1), nn.ReLU()) for one, other in pairwise(widths)]
        up = [
            nn.Sequential(nn.ReLU(), nn.ConvTranspose1d(one, other, 4, 2, 1)) for one, other in pairwise(widths[::-1])
        ]
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up)
        self.latents = nn.Linear(widths[-1], 2 * LATENTS)
        self.frames = nn.Linear(LATENTS + n_speakers, widths[-1] * (columns // HALVINGS))

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log-variances of the latents, (n, 8) each."""
        mean, log_variance = self.latents(self.down(pictures).mean(dim=2)).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, latents: Tensor, speakers: Tensor | None = None) -> Tensor:
        """Return pictures of latents (n, 8), spoken by ``speakers`` (n,), numbers from 0, if the decoder knows any."""
        if self.n_speakers:
            assert speakers is not None
            latents = torch.cat([latents, one_hot(speakers, self.n_speakers).to(latents.dtype)], dim=1)
        return self.up(self.frames(latents).reshape(len(latents), CHANNELS[-1], -1))


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Return latents of these normal distributions, by standard normal noise of the same shape (P3, equation 5)."""
    return mean + noise * (log_variance / 2).exp()


def reconstruction(again: Tensor, pictures: Tensor) -> Tensor:
    """Return half the sum of squared differences of each picture, (n,), in nats."""
    return (again - pictures).square().flatten(1).sum(dim=1) / 2


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of each latent from the standard normal, (n, 8), in nats.

    References
    ----------
    D. P. Kingma and M. Welling (2013), Auto-encoding variational Bayes, appendix B.
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2


@dataclass(frozen=True, eq=False)
class FittedVae:
    """A fitted autoencoder: its weights, the scale of its pictures, and the speakers that its decoder knows, if any."""

    module: Vae
    centre: float
    spread: float
    bands: int
    columns: int
    speakers: tuple[str, ...] = ()

    @property
    def n_parameters(self) -> int:
        """Return the number of weights that are learnt."""
        return n_parameters(self.module)

    def latents(self, pictures: Floats) -> tuple[Floats, Floats]:
        """Return means and standard deviations of the latents of pictures (n, bands, columns) in dB: (n, 8) each."""
        found = [torch.cat(self._encoded(part), dim=1) for part in self._scaled(pictures).split(CLIPS_AT_ONCE)]
        both = torch.cat([torch.empty(0, 2 * LATENTS), *found])
        mean, log_variance = both.chunk(2, dim=1)
        return mean.numpy(), (log_variance / 2).exp().numpy()

    def pictures(self, latents: Floats, *, speakers: Sequence[str] | None = None) -> Floats:
        """Return pictures (n, bands, columns) in dB of latents (n, 8), the same for the same latents.

        Parameters
        ----------
        speakers
            Who is to speak each, of `speakers`; for a decoder that knows some, and no other.

        Raises
        ------
        NetworkError
            If it is given speakers and knows none, or the other way round, or one that it does not know.
        """
        numbers = self._numbers(len(latents), speakers)
        with torch.inference_mode():
            parts = [
                self.module.decode(torch.from_numpy(one[None]), who)  # one by one: products of many round otherwise
                for one, who in zip(np.asarray(latents, np.float32), numbers, strict=True)
            ]
        found = torch.cat([torch.empty(0, self.bands, self.columns), *parts])
        return (found * self.spread + self.centre).numpy()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs."""
        weights = {f"module.{name}": one.contiguous().numpy() for name, one in self.module.state_dict().items()}
        names = "\n".join(self.speakers).encode()
        sizes = np.array([self.bands, self.columns, len(self.speakers)])
        return weights | {
            "scale": np.array([self.centre, self.spread]),
            "sizes": sizes,
            "speakers": np.frombuffer(names, np.uint8),
        }

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "FittedVae":
        """Return the autoencoder that had these `arrays`.

        Raises
        ------
        NetworkError
            If they are those of something else.
        """
        try:
            bands, columns, n_speakers = map(int, arrays["sizes"])
            centre, spread = map(float, arrays["scale"])
            names = arrays["speakers"].tobytes().decode()
            module = Vae(bands, columns, n_speakers=n_speakers)
            weights = {name: torch.tensor(arrays[f"module.{name}"]) for name in module.state_dict()}
            module.load_state_dict(weights)
        except (KeyError, RuntimeError, ValueError) as error:
            raise NetworkError("these are not the weights of a variational autoencoder") from error
        return cls(module.eval(), centre, spread, bands, columns, tuple(names.split("\n")) if n_speakers else ())

    def _scaled(self, pictures: Floats) -> Tensor:
        if pictures.shape[1:] != (self.bands, self.columns):
            raise NetworkError(
                f"this autoencoder was trained on pictures of {self.bands} x {self.columns}; got {pictures.shape[1:]}"
            )
        return (torch.from_numpy(np.asarray(pictures, np.float32)) - self.centre) / self.spread

    def _encoded(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        with torch.inference_mode():
            return self.module.encode(pictures)

    def _numbers(self, n: int, speakers: Sequence[str] | None) -> list[Tensor | None]:
        if not self.speakers and speakers is None:
            return [None] * n
        unknown = sorted({*(speakers or ())} - {*self.speakers})
        if not self.speakers or speakers is None or unknown:
            known = f"knows {', '.join(self.speakers)}" if self.speakers else "knows no speakers"
            raise NetworkError(f"the decoder {known}; asked for {', '.join(unknown or speakers or ['none'])}")
        return [torch.tensor([self.speakers.index(one)]) for one in speakers]
