"""The models that can be trained, and how each is trained: plain data, nothing is loaded.

P0 is the report on the circumplex from wav2vec 2.0, P1 "Comparative Analysis of Deep Learning Methods for Speech
Emotion Recognition" (Jain, Chaudhary & Bhattacharya), P2 the paper on two parallel convolutional networks beside a
transformer encoder.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal


@dataclass(frozen=True)
class Training:
    """How a network is trained: all that changes its numbers (see `ser_core.models.training.fit`).

    Adam with a constant rate, halved after more than ``plateau`` epochs without a lower validation loss; gradients
    longer than ``clip_norm`` are shortened to it. Training stops after ``patience`` epochs without a lower validation
    loss; the epoch of the best validation UAR is kept.
    """

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float | None = None
    patience: int = 10
    plateau: int | None = None
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class Tuning:
    """What of a pretrained encoder learns together with the head: all that changes the numbers beside `Training`.

    AdamW (with no decay: Adam) apart from the head's. The rates of both are multiplied by ``annealing``, each after
    more epochs than its own ``plateau`` (that of the head is `Training`'s) in which the validation error did not fall
    by a four-hundredth of itself; None: they stay.

    Attributes
    ----------
    learns
        ``transformer``: all but the convolutions on the waveform. ``last``: the ``blocks`` last ones of the
        transformer. ``lora``: differences of low ``rank`` in the two linear layers after the attention of each block,
        as E. J. Hu et al. (2022) write them, there for emotions in T. Feng & S. Narayanan (2023), PEFT-SER.
    """

    learns: Literal["transformer", "last", "lora"]
    learning_rate: float
    weight_decay: float = 0.0
    plateau: int | None = None
    annealing: float = 0.5
    blocks: int = 0
    rank: int = 0


@dataclass(frozen=True)
class Card:
    """One model: what it is given and how it is trained.

    ``vectors`` and ``picture`` name the encoders of its inputs, None where it takes none; ``shares`` are those of the
    validation and the test part when clips are split at random, as in its paper. ``training`` is None for models that
    are no networks; ``augments`` and ``pretrains`` say which of the paper's variants there are. ``tuning`` is there for
    those that change the encoder which ``vectors`` names, and are given the sound itself; ``weighs`` for those that can
    learn how much each of an encoder's layers counts.
    """

    name: str
    title: str
    source: str
    vectors: str | None
    picture: str | None
    shares: tuple[float, float]
    scaling: Literal["standard", "minmax", "none"] = "standard"
    training: Training | None = None
    augments: bool = False
    pretrains: bool = False
    tuning: Tuning | None = None
    weighs: bool = False


_CNN: Final = Training(weight_decay=5e-5, clip_norm=1.0, plateau=3)
_P1: Final = (0.15, 0.15)


def _cnn(layers: int, *, pretrains: bool = False) -> Card:
    return Card(
        name=f"cnn{layers}",
        title=f"Convolutional network, {layers} layers",
        source="P1, section 3.3",
        vectors=None,
        picture="mel-picture",
        shares=_P1,
        training=_CNN,
        augments=True,
        pretrains=pretrains,
    )


def _on_encoder(name: str, *, title: str, source: str, shares: tuple[float, float], **how: Any) -> Card:
    return Card(name, title, source, "wav2vec2-base", None, shares, scaling="none", weighs=True, **how)


CARDS: Final[dict[str, Card]] = {
    card.name: card
    for card in (
        Card("forest", "Random forest", "P1, section 3.1", "spectral", None, (0.0, 0.3)),
        Card("svm", "Support vector machine", "the field's baseline", "spectral", None, (0.0, 0.3)),
        Card("ridge", "Regularised least squares", "no paper's: our own", "compare_parts", None, (0.0, 0.3)),
        Card(
            "mlp",
            "Multi-layer perceptron",
            "P1, section 3.2",
            "spectral",
            None,
            _P1,
            training=Training(batch_size=32),
        ),
        _cnn(3, pretrains=True),
        _cnn(4),
        _cnn(5),
        Card(
            "cnn_mlp",
            "Convolutional network beside a perceptron",
            "P1, section 3.4",
            "spectral",
            "mfcc-small",
            _P1,
            scaling="minmax",
            training=Training(batch_size=32),
        ),
        Card(
            "cnn_transformer",
            "Two convolutional networks beside a transformer",
            "P2",
            None,
            "mfcc-picture",
            (0.1, 0.1),
            training=Training(batch_size=32),
            augments=True,
        ),
        _on_encoder(
            "head",
            title="Linear layers on a frozen encoder",
            source="P1, section 3.5.1",
            shares=(0.1, 0.1),
            training=Training(epochs=5, batch_size=32, learning_rate=1e-4, label_smoothing=0.1),
        ),
        _on_encoder(
            "partial",
            title="Encoder tuned but for its convolutions",
            source="P0, section 3.4.3",
            shares=(0.1, 0.1),
            # P0 follows SpeechBrain's recipe for IEMOCAP: batches, epochs and annealing are that recipe's
            training=Training(epochs=30, batch_size=4, learning_rate=1e-4, plateau=0),
            tuning=Tuning("transformer", 1e-5, plateau=0, annealing=0.9),
        ),
        _on_encoder(
            "last-layers",
            title="Encoder tuned in its last blocks",
            source="P1, section 3.5.2",
            shares=_P1,
            training=Training(epochs=10, batch_size=16, learning_rate=1e-4, weight_decay=0.01, label_smoothing=0.1),
            tuning=Tuning("last", 1e-4, weight_decay=0.01, blocks=2),
        ),
        _on_encoder(
            "lora",
            title="Encoder tuned by low-rank differences (LoRA)",
            source="no paper's of the five: Hu et al. 2022",
            shares=_P1,
            training=Training(epochs=30, batch_size=16, learning_rate=5e-4, weight_decay=0.01, label_smoothing=0.1),
            tuning=Tuning("lora", 5e-4, weight_decay=0.01, rank=8),
        ),
    )
}
"""By name; the order is that in which they are offered."""

ENSEMBLE: Final = "ensemble"
VAE: Final = "vae"
REDUCERS: Final = ("uae", "dae")
"""Autoencoders of vectors, that make two numbers of a clip."""
AUTOENCODERS: Final = (VAE, *REDUCERS)
KNOWN: Final = {
    **CARDS,
    ENSEMBLE: Card(ENSEMBLE, "Mean of several models", "`ser runs combine`", None, None, (0.0, 0.0)),
    VAE: Card(VAE, "Variational autoencoder", "P3", None, "voiced-mel", (0.0, 0.0)),
    "uae": Card("uae", "Undercomplete autoencoder", "P4", "egemaps", None, (0.0, 0.0)),
    "dae": Card("dae", "Denoising autoencoder", "P4", "egemaps", None, (0.0, 0.0)),
}
"""All that a run can be of: what recognises emotions, and what does not: `AUTOENCODERS`."""
