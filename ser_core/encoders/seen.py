"""Which corpora the public checkpoints were trained or tuned on: scores on those say little about new voices."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Seen:
    """What a checkpoint knows already.

    ``names`` are beginnings of hub ids, ``corpora`` kinds of `ser_core.corpora` (and corpora without a loader, by the
    same habit), ``how`` stands before the name of the corpus in a sentence.
    """

    names: tuple[str, ...]
    corpora: frozenset[str]
    how: str
    source: str


CHECKPOINTS: Final = (
    Seen(
        ("emotion2vec/emotion2vec_plus", "iic/emotion2vec_plus"),
        frozenset({"iemocap", "emodb", "ravdess", "savee", "cafe"}),
        "trained on",
        "emotion2vec+ learnt from the public emotion corpora, these among them",
    ),
    Seen(
        ("ehcalabres/wav2vec2-lg-xlsr-en-speech-emotion-recognition",),
        frozenset({"ravdess"}),
        "tuned on",
        "P1, section 3.5.1",
    ),
)


def seen(encoder: str) -> Seen | None:
    """Return what an encoder's checkpoint knows already; None for most.

    ``encoder`` is its name in a recipe. What a network trained here knows is in its run (`ser_core.runs`); a checkpoint
    in a folder of one's own is known by the end of its path.

    Examples
    --------
    >>> sorted(seen("hf:emotion2vec/emotion2vec_plus_large@main").corpora)
    ['cafe', 'emodb', 'iemocap', 'ravdess', 'savee']
    >>> seen("egemaps") is None
    True
    """
    name = encoder.removeprefix("hf:").lower().replace("--", "/")  # a copy in Hugging Face's own cache has dashes
    return next((one for one in CHECKPOINTS if any(known.lower() in name for known in one.names)), None)
