"""The 88 measures of eGeMAPS in words, in openSMILE's order, without openSMILE.

What each is: Eyben, F., et al. (2016). The Geneva minimalistic acoustic parameter set (GeMAPS) for voice research and
affective computing. IEEE Transactions on Affective Computing, 7, 190-202, sections 3 and 4. ``feature`` is the grouping
of Das, S., et al. (2022). Towards interpretable and transferable speech emotion recognition, Table 1, written out.
Units and signs are those that openSMILE's eGeMAPSv02 gives (tests/test_voice.py has it hear known sounds).
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Group = Literal["pitch", "loudness", "timbre", "voice quality", "rhythm"]


@dataclass(frozen=True)
class Measure:
    """One of the 88 measures of a voice.

    Attributes
    ----------
    name
        openSMILE's name.
    words
        What to call it; no two measures share it.
    group
        Which side of the voice it tells of.
    feature
        Its row in a table of 20 features (Das et al., Table 1), by which attributions are added up.
    family
        Measures that say nearly the same thing share one (mean and percentiles of pitch, say).
    unit
        Of its values; empty where they have none.
    about
        One plain sentence.
    depends_on_level
        Whether the level of the recording moves it, and with it the microphone and how far away it was.
    unstable
        Whether it is a standard deviation divided by a mean that may be zero or negative: of any size and either sign.
    """

    name: str
    words: str
    group: Group
    feature: str
    family: str
    unit: str
    about: str
    depends_on_level: bool = False
    unstable: bool = False


_SEMITONES: Final = "semitones above 27.5 Hz"
_PITCH: Final = (
    ("amean", "pitch, mean", "pitch level", _SEMITONES, "How high the voice is on average."),
    (
        *("stddevNorm", "pitch variation", "pitch range", ""),
        "How much the pitch moves: its standard deviation in semitones, divided by its mean.",
    ),
    ("percentile20.0", "pitch, low parts (20th percentile)", "pitch level", _SEMITONES, "How low the voice goes."),
    ("percentile50.0", "pitch, median", "pitch level", _SEMITONES, "The pitch that is exceeded half of the time."),
    ("percentile80.0", "pitch, high parts (80th percentile)", "pitch level", _SEMITONES, "How high the voice goes."),
    (
        *("pctlrange0-2", "pitch range", "pitch range", "semitones"),
        "How far apart the low and the high parts of the voice are, from the 20th to the 80th percentile.",
    ),
    ("meanRisingSlope", "pitch rises, mean steepness", "pitch rises", "semitones/s", "How quickly the pitch goes up."),
    (
        *("stddevRisingSlope", "pitch rises, variation of steepness", "pitch rises", "semitones/s"),
        "How unequal the rises of the pitch are.",
    ),
    ("meanFallingSlope", "pitch falls, mean steepness", "pitch falls", "semitones/s", "How quickly the pitch drops."),
    (
        *("stddevFallingSlope", "pitch falls, variation of steepness", "pitch falls", "semitones/s"),
        "How unequal the falls of the pitch are.",
    ),
)
_LOUDNESS: Final = (
    ("amean", "loudness, mean", "loudness", "", "How loud the clip is to the ear on average."),
    (
        *("stddevNorm", "loudness variation", "loudness variation", ""),
        "How much the loudness moves: its standard deviation divided by its mean.",
    ),
    (
        *("percentile20.0", "loudness, quiet parts (20th percentile)", "loudness", ""),
        "How loud the quiet parts are, pauses and background noise among them.",
    ),
    ("percentile50.0", "loudness, median", "loudness", "", "The loudness that is exceeded half of the time."),
    ("percentile80.0", "loudness, loud parts (80th percentile)", "loudness", "", "How loud the loud parts are."),
    (
        *("pctlrange0-2", "loudness range", "loudness", ""),
        "How far apart quiet and loud parts are, from the 20th to the 80th percentile.",
    ),
    ("meanRisingSlope", "loudness rises, mean steepness", "loudness rises", "per second", "How abruptly sounds begin."),
    (
        *("stddevRisingSlope", "loudness rises, variation of steepness", "loudness rises", "per second"),
        "How unequal the rises of the loudness are.",
    ),
    ("meanFallingSlope", "loudness falls, mean steepness", "loudness falls", "per second", "How abruptly sounds end."),
    (
        *("stddevFallingSlope", "loudness falls, variation of steepness", "loudness falls", "per second"),
        "How unequal the falls of the loudness are.",
    ),
)

_FLUX: Final = "How quickly the sound changes its colour and strength from moment to moment"
_BRIGHT: Final = "How strong 1 to 5 kHz are against 50 to 1000 Hz; higher is brighter"
_DARK: Final = "The strongest tone below 2 kHz against the strongest from 2 to 5 kHz; higher is darker and softer"
_LOW: Final = "How the spectrum rises (above 0) or falls (below 0) up to 500 Hz"
_MIDDLE: Final = "How the spectrum rises (above 0) or falls (below 0) from 500 to 1500 Hz"
_MFCC: Final = "Term {} of the shape of the spectrum, which vowels, voice and microphone make; it has no plain meaning"
_FORMANT: Final = "{} resonance of the mouth and throat"

# Stem in openSMILE's name, words, family, unit of the mean, what it is. "V" is of voiced speech, "UV" of the rest.
_SPECTRUM: Final = (
    ("spectralFlux_sma3", "spectral change (flux)", "loudness", "", _FLUX),
    *(
        (f"mfcc{k}_sma3", f"spectral shape {k} (MFCC {k})", f"spectral shape {k}", "", _MFCC.format(k))
        for k in range(1, 5)
    ),
)
_VOICED: Final = (
    (
        *("jitterLocal_sma3nz", "irregular pitch (jitter)", "jitter", "share of a cycle"),
        "How unequal one cycle of the vocal folds and the next are in length; higher is rougher",
    ),
    (
        *("shimmerLocaldB_sma3nz", "irregular loudness (shimmer)", "shimmer", "dB"),
        "How unequal one cycle of the vocal folds and the next are in strength; higher is rougher",
    ),
    (
        *("HNRdBACF_sma3nz", "voice clearness (harmonics-to-noise ratio)", "clearness", "dB"),
        "How strong the tone of the voice is against its noise; lower is breathier or hoarser",
    ),
    (
        *("logRelF0-H1-H2_sma3nz", "first against second harmonic (H1-H2)", "H1-H2", "dB"),
        "Higher where the voice is soft and breathy, lower where it is pressed",
    ),
    (
        *("logRelF0-H1-A3_sma3nz", "first harmonic against third formant (H1-A3)", "H1-A3", "dB"),
        "Higher where the voice is soft, lower where it is loud and sharp",
    ),
    *(
        (f"F{k}{part}_sma3nz", f"{nth} formant (F{k}) {word}", f"formants, {word}", unit, f"{what}{end}")
        for k, nth, what in ((k, n.lower(), _FORMANT.format(n)) for k, n in enumerate(("First", "Second", "Third"), 1))
        for part, word, unit, end in (
            ("frequency", "frequency", "Hz", ": where it lies, which vowels, lips and jaw decide"),
            ("bandwidth", "bandwidth", "Hz", ": how broad it is"),
            ("amplitudeLogRelF0", "level", "dB", ": how strong it is against the first harmonic"),
        )
    ),
    ("alphaRatioV_sma3nz", "brightness (alpha ratio), voiced speech", "brightness, voiced", "dB", _BRIGHT),
    ("hammarbergIndexV_sma3nz", "darkness (Hammarberg index), voiced speech", "brightness, voiced", "dB", _DARK),
    ("slopeV0-500_sma3nz", "spectral slope below 500 Hz, voiced speech", "slope below 500 Hz", "dB/Hz", _LOW),
    ("slopeV500-1500_sma3nz", "spectral slope from 500 Hz, voiced speech", "slope from 500 Hz", "dB/Hz", _MIDDLE),
    ("spectralFluxV_sma3nz", "spectral change (flux), voiced speech", "loudness", "", _FLUX),
    *(
        (
            *(f"mfcc{k}V_sma3nz", f"spectral shape {k} (MFCC {k}), voiced speech", f"spectral shape {k}"),
            *("", _MFCC.format(k)),
        )
        for k in range(1, 5)
    ),
)
_UNVOICED: Final = (
    ("alphaRatioUV_sma3nz", "brightness (alpha ratio), unvoiced parts", "brightness, unvoiced", "dB", _BRIGHT),
    ("hammarbergIndexUV_sma3nz", "darkness (Hammarberg index), unvoiced parts", "brightness, unvoiced", "dB", _DARK),
    ("slopeUV0-500_sma3nz", "spectral slope below 500 Hz, unvoiced parts", "slope below 500 Hz", "dB/Hz", _LOW),
    ("slopeUV500-1500_sma3nz", "spectral slope from 500 Hz, unvoiced parts", "slope from 500 Hz", "dB/Hz", _MIDDLE),
    ("spectralFluxUV_sma3nz", "spectral change (flux), unvoiced parts", "loudness", "", _FLUX),
)
_RHYTHM: Final = (
    (
        *("loudnessPeaksPerSec", "loudness peaks per second", "Loudness peaks/second", "loudness peaks", "per second"),
        "How many beats of loudness there are, a rough stand-in for stressed syllables.",
    ),
    (
        *("VoicedSegmentsPerSec", "speech rate (voiced segments per second)", "Segments/second"),
        *("voiced segments", "per second", "How often the voice sets in, a rough stand-in for syllables."),
    ),
    (
        *("MeanVoicedSegmentLengthSec", "voiced segments, mean length", "Segment length (V)"),
        *("voiced segments", "s", "How long the voice goes on without a break."),
    ),
    (
        *("StddevVoicedSegmentLengthSec", "voiced segments, variation of length", "Segment length (V)"),
        *("voiced segments", "s", "How unequal in length the stretches of voice are."),
    ),
    (
        *("MeanUnvoicedSegmentLength", "unvoiced parts and pauses, mean length", "Segment length (UV)"),
        *("unvoiced parts", "s", "How long the voice is silent between two stretches, at the clip's ends too."),
    ),
    (
        *("StddevUnvoicedSegmentLength", "unvoiced parts and pauses, variation of length", "Segment length (UV)"),
        *("unvoiced parts", "s", "How unequal in length pauses and voiceless sounds are."),
    ),
)

_FEATURES: Final[dict[str, tuple[str, Group]]] = {
    "spectralFlux": ("Spectral flux", "timbre"),
    "mfcc": ("MFCC", "timbre"),
    "jitter": ("Jitter", "voice quality"),
    "shimmer": ("Shimmer", "voice quality"),
    "HNR": ("Harmonic-to-noise ratio", "voice quality"),
    "logRelF0": ("Harmonics", "voice quality"),
    "F1": ("Formant 1", "timbre"),
    "F2": ("Formant 2", "timbre"),
    "F3": ("Formant 3", "timbre"),
    "alphaRatio": ("Alpha ratio", "timbre"),
    "hammarbergIndex": ("Hammarberg index", "timbre"),
    "slopeV0": ("Spectral slope 0-500 Hz", "timbre"),
    "slopeUV0": ("Spectral slope 0-500 Hz", "timbre"),
    "slopeV500": ("Spectral slope 500-1500 Hz", "timbre"),
    "slopeUV500": ("Spectral slope 500-1500 Hz", "timbre"),
}
"""How openSMILE's names begin: the feature of Table 1, and the group."""
_SIGNED: Final = ("mfcc", "HNR", "logRelF0", "F1amp", "F2amp", "F3amp", "alphaRatio", "hammarberg", "slope")
"""Decibels and coefficients whose zero is only a convention. Pitch has one too, but no voice comes near it."""


@functools.cache
def measures() -> tuple[Measure, ...]:
    """Return the 88 measures, in openSMILE's order.

    Examples
    --------
    >>> len(measures()), measures()[5].name, measures()[5].words
    (88, 'F0semitoneFrom27.5Hz_sma3nz_pctlrange0-2', 'pitch range')
    """
    return tuple(_all())


def _all() -> Iterator[Measure]:
    for functional, words, family, unit, about in _PITCH:
        yield Measure(f"F0semitoneFrom27.5Hz_sma3nz_{functional}", words, "pitch", "Pitch", family, unit, about)
    for functional, words, family, unit, about in _LOUDNESS:
        name, level = f"loudness_sma3_{functional}", functional != "stddevNorm"
        yield Measure(name, words, "loudness", "Loudness", family, unit, about, depends_on_level=level)
    for row in (*_SPECTRUM, *_VOICED):
        yield _mean(*row)
        yield _variation(*row)
    for row in _UNVOICED:
        yield _mean(*row)
    for name, words, feature, family, unit, about in _RHYTHM:
        yield Measure(name, words, "rhythm", feature, family, unit, about)
    name, words, about = "equivalentSoundLevel_dBp", "sound level", "The mean power of the clip, below full scale."
    yield Measure(
        *(name, words, "loudness", "Equivalent sound level", "loudness", "dB", about),
        depends_on_level=True,
    )


def _mean(stem: str, words: str, family: str, unit: str, what: str) -> Measure:
    feature, group = _feature(stem)
    level = stem.startswith(("spectralFlux", "slope"))
    return Measure(f"{stem}_amean", words, group, feature, family, unit, f"{what}.", depends_on_level=level)


def _variation(stem: str, words: str, family: str, _unit: str, what: str) -> Measure:
    feature, group = _feature(stem)
    family = "loudness variation" if stem.startswith("spectralFlux") else f"{family}, variation"
    about = f"How much this changes within the clip (standard deviation by mean): {what[0].lower()}{what[1:]}."
    return Measure(
        *(f"{stem}_stddevNorm", f"{words}, variation", group, feature, family, "", about),
        depends_on_level=stem.startswith("slope"),
        unstable=stem.startswith(_SIGNED),
    )


def _feature(stem: str) -> tuple[str, Group]:
    return next(found for start, found in _FEATURES.items() if stem.startswith(start))
