"""Encoders: a clip in, one vector a layer out. `ENCODERS` lists the ones with a short name.

`PICTURES` are encoders too, for networks to look at; they make no map, and are in no list to choose from.
"""

from ser_core.encoders.base import Encoder, EncoderError
from ser_core.encoders.opensmile import COMPARE_2016, COMPARE_PARTS, EGEMAPS
from ser_core.encoders.pictures import MEL_PICTURE, MFCC_PICTURE, MFCC_SMALL
from ser_core.encoders.spectral import LogMel, Spectral
from ser_core.encoders.transformer import Transformer
from ser_core.encoders.voiced import VOICED_MEL, VOICED_MEL_LONG

ENCODERS: dict[str, Encoder] = {
    "egemaps": EGEMAPS,
    "compare_2016": COMPARE_2016,
    "compare_parts": COMPARE_PARTS,
    "spectral": Spectral(),
    "logmel": LogMel(),
    "wav2vec2-base": Transformer("facebook/wav2vec2-base"),
    "wav2vec2-large-xlsr-53": Transformer("facebook/wav2vec2-large-xlsr-53"),
    "hubert-large": Transformer("facebook/hubert-large-ll60k"),
    "wavlm-large": Transformer("microsoft/wavlm-large"),
    "audeering-msp-dim": Transformer("audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim"),
}
"""Encoder of each short name; a transformer's own name is the longer ``hf:<hub id>``."""
PICTURES: dict[str, Encoder] = {
    one.name: one for one in (MEL_PICTURE, MFCC_PICTURE, MFCC_SMALL, VOICED_MEL, VOICED_MEL_LONG)
}
"""Encoder of each picture's name."""


def encoder(name: str) -> Encoder:
    """Find the encoder of a short name, that of a picture, or of ``hf:<hub id or folder>[@revision]``.

    Raises
    ------
    EncoderError
        If the name is neither.

    Examples
    --------
    >>> encoder("egemaps").sampling_rate
    16000
    >>> encoder("hf:microsoft/wavlm-base-plus").name
    'hf:microsoft/wavlm-base-plus'
    """
    if name.startswith("hf:"):
        return Transformer.parse(name)
    known = ENCODERS | PICTURES
    if name not in known:
        raise EncoderError(
            f"no encoder is called {name!r}, expected one of {', '.join(known)}, "
            "or hf:<hub id or folder>[@revision] such as hf:facebook/hubert-base-ls960"
        )
    return known[name]
