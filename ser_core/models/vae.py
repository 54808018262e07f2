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

from ser_core.encoders.voiced import FLOOR, lengths
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

    For clips of any length (up to the columns) the mean is taken over the frames that a clip reaches into, the columns
    after its end count for nothing, and how long it is is told by the latents, too. P3 pads instead, and has padding
    drawn; it thinks of recurrent networks for this, which have no one vector for a clip.

    Parameters
    ----------
    bands, columns
        Sides of a picture; the columns are a multiple of 64.
    n_speakers
        How many the decoder knows; 0: it is not told.
    any_length
        Whether clips have lengths.
    """

    def __init__(self, bands: int, columns: int, *, n_speakers: int = 0, any_length: bool = False) -> None:
        super().__init__()
        self.n_speakers, self.columns = n_speakers, columns
        widths = (bands, *CHANNELS)
        down = [nn.Sequential(nn.Conv1d(one, other, 4, 2, 1), nn.ReLU()) for one, other in pairwise(widths)]
        up = [
            nn.Sequential(nn.ReLU(), nn.ConvTranspose1d(one, other, 4, 2, 1)) for one, other in pairwise(widths[::-1])
        ]
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up)
        self.latents = nn.Linear(widths[-1], 2 * LATENTS)
        self.frames = nn.Linear(LATENTS + n_speakers, widths[-1] * (columns // HALVINGS))
        self.length = nn.Linear(LATENTS + n_speakers, 1) if any_length else None

    def encode(self, pictures: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return means and log-variances of the latents, (n, 8) each; ``lengths`` (n,), in columns, if it takes any."""
        frames = self.down(pictures)
        if lengths is None:
            mean = frames.mean(dim=2)
        else:
            own = self.within(-(-lengths // HALVINGS), frames.shape[2])
            mean = (frames * own).sum(dim=2) / own.sum(dim=2)
        first, second = self.latents(mean).chunk(2, dim=1)
        return first, second

    def decode(self, latents: Tensor, speakers: Tensor | None = None) -> Tensor:
        """Return pictures of latents (n, 8), spoken by ``speakers`` (n,), numbers from 0, if the decoder knows any."""
        return self.up(self.frames(self._told(latents, speakers)).reshape(len(latents), CHANNELS[-1], -1))

    def lengths(self, latents: Tensor, speakers: Tensor | None = None) -> Tensor:
        """Return how long clips of these latents are, (n,), in columns, not rounded; half the columns at 0."""
        assert self.length is not None
        return (self.length(self._told(latents, speakers))[:, 0] + 1) * self.columns / 2

    def missed(
        self, latents: Tensor, pictures: Tensor, *, speakers: Tensor | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Return the `reconstruction` of pictures drawn from these latents, (n,); of their own columns, and lengths."""
        again = self.decode(latents, speakers)
        if lengths is None:
            return reconstruction(again, pictures)
        own = self.within(lengths, self.columns)
        longer = self.lengths(latents, speakers) - lengths
        return reconstruction(again * own, pictures * own) + longer.square() / 2

    @staticmethod
    def within(lengths: Tensor, columns: int) -> Tensor:
        """Return 1 in a clip's own columns and 0 after them, (n, 1, columns)."""
        return (torch.arange(columns, device=lengths.device) < lengths[:, None])[:, None].float()

    def _told(self, latents: Tensor, speakers: Tensor | None) -> Tensor:
        if not self.n_speakers:
            return latents
        assert speakers is not None
        return torch.cat([latents, one_hot(speakers, self.n_speakers).to(latents.dtype)], dim=1)


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

    @property
    def any_length(self) -> bool:
        """Whether it was trained on clips of any length."""
        return self.module.length is not None

    def latents(self, pictures: Floats) -> tuple[Floats, Floats]:
        """Return means and standard deviations of the latents of pictures (n, bands, columns) in dB: (n, 8) each."""
        x, long = self._scaled(pictures), self._lengths(pictures)
        with torch.inference_mode():
            found = [
                torch.cat(self.module.encode(x[rows], None if long is None else long[rows]), dim=1)
                for rows in torch.arange(len(x)).split(CLIPS_AT_ONCE)
            ]
        mean, log_variance = torch.cat([torch.empty(0, 2 * LATENTS), *found]).chunk(2, dim=1)
        return mean.numpy(), (log_variance / 2).exp().numpy()

    def missed(self, pictures: Floats, *, speakers: Sequence[str] | None = None) -> Floats:
        """Return how far pictures are from those drawn again at the means of their latents, (n,), in nats.

        It is the `reconstruction` of training (`Vae.missed`); raises as `pictures`.
        """
        latents, _ = self.latents(pictures)
        x, long = self._scaled(pictures), self._lengths(pictures)
        numbers = self._numbers(len(latents), speakers)
        with torch.inference_mode():
            found = [
                self.module.missed(
                    torch.from_numpy(latents[at : at + 1]),
                    x[at : at + 1],
                    speakers=who,
                    lengths=None if long is None else long[at : at + 1],
                )
                for at, who in enumerate(numbers)
            ]
        return torch.cat([torch.empty(0), *found]).numpy()

    def pictures(self, latents: Floats, *, speakers: Sequence[str] | None = None) -> Floats:
        """Return pictures (n, bands, columns) in dB of latents (n, 8), the same for the same latents.

        Nothing lies below the floor of `ser_core.encoders.voiced`, and what comes after the end, where clips have
        lengths, lies on it.

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
        parts = [  # one by one: products of many round otherwise
            self._picture(torch.from_numpy(one[None]), who)
            for one, who in zip(np.asarray(latents, np.float32), numbers, strict=True)
        ]
        return torch.cat([torch.empty(0, self.bands, self.columns), *parts]).numpy()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that `of` needs."""
        weights = {f"module.{name}": one.contiguous().numpy() for name, one in self.module.state_dict().items()}
        names = "\n".join(self.speakers).encode()
        sizes = np.array([self.bands, self.columns, len(self.speakers), self.any_length])
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
            bands, columns, n_speakers, any_length = map(int, arrays["sizes"])
            centre, spread = map(float, arrays["scale"])
            names = arrays["speakers"].tobytes().decode()
            module = Vae(bands, columns, n_speakers=n_speakers, any_length=bool(any_length))
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
        return (torch.tensor(pictures, dtype=torch.float32) - self.centre) / self.spread

    def _lengths(self, pictures: Floats) -> Tensor | None:
        return torch.from_numpy(lengths(pictures)) if self.any_length else None

    def _picture(self, latents: Tensor, speaker: Tensor | None) -> Tensor:
        """Return the picture of one clip, (1, bands, columns)."""
        with torch.inference_mode():
            found = (self.module.decode(latents, speaker) * self.spread + self.centre).clamp(min=FLOOR)
            if self.any_length:
                end = max(1, round(self.module.lengths(latents, speaker).item()))
                found[:, :, end:] = FLOOR
        return found

    def _numbers(self, n: int, speakers: Sequence[str] | None) -> list[Tensor | None]:
        if not self.speakers and speakers is None:
            return [None] * n
        unknown = sorted({*(speakers or ())} - {*self.speakers})
        if not self.speakers or speakers is None or unknown:
            known = f"knows {', '.join(self.speakers)}" if self.speakers else "knows no speakers"
            raise NetworkError(f"the decoder {known}; asked for {', '.join(unknown or speakers or ['none'])}")
        return [torch.tensor([self.speakers.index(one)]) for one in speakers]
