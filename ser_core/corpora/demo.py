"""Three small corpora of synthetic emotional speech, in the layout and file names of RAVDESS, EmoDB and CaFE.

They let every page run without a download, and they are **not recordings of people**: espeak-ng reads a sentence with
the prosody and the voice quality that the literature reports for an emotion. A score on them says that the software
works, nothing about how well it recognises people's emotions.

The settings in ``EMOTIONS`` follow the directions, not exact numbers, of the acoustic correlates of emotion in

- Murray & Arnott (1993), "Toward the simulation of emotion in synthetic speech", JASA 93(2), 1097-1108;
- Banse & Scherer (1996), "Acoustic profiles in vocal emotion expression", J. Pers. Soc. Psychol. 70(3), 614-636;
- Juslin & Laukka (2003), "Communication of emotions in vocal expression and music performance: different channels,
  same code?", Psychol. Bull. 129(5), 770-814;
- Scherer (2003), "Vocal communication of emotion: a review of research paradigms", Speech Communication 40, 227-256;
- Gobl & Ni Chasaide (2003), "The role of voice quality in communicating emotion, mood and attitude", Speech
  Communication 40, 189-212: tense voice for anger; breathy, lax voice for sadness, boredom and relaxed states.

Where these disagree or are silent, a comment says so. Speakers differ in voice and in how they express each emotion,
and no two clips are alike: classes overlap as they do in acted speech (anger and happiness; sadness, boredom, calm).
"""

import hashlib
import io
import json
import os
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from itertools import product
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser_core.corpora.espeak import RATE, DemoError, Prosody, Voice, engine_version, speak

__all__ = ["EMOTIONS", "LANGUAGES", "Clip", "DemoError", "fill", "make"]

LANGUAGES: tuple[str, ...] = ("english", "german", "french")
VERSION = 1  # of the recipe: raise it with any change of the sound

# Strong expression. Columns, as in Prosody: rate (factor), F0 (st), F0 range (factor), loudness (dB), slope (st),
# pause (ms), breath (share), tension (dB), jitter (%), shimmer (dB), tremor (st).
EMOTIONS: dict[str, Prosody] = {
    "neutral": Prosody(),
    # fast, loud, high and wide F0, falling, strong high frequencies: hot anger
    "anger": Prosody(1.12, 3.5, 1.5, 8.0, -1.5, 0, 0.02, 6.0, 0.9, 0.6, 0.0),
    # fast, fairly loud, high F0 of wide range, some tension
    "happiness": Prosody(1.10, 4.0, 2.0, 5.0, 0.3, 0, 0.04, 3.5, 0.7, 0.4, 0.0),
    # the highest and widest F0, rising to the end (the sources say little of surprise)
    "surprise": Prosody(1.00, 5.0, 2.1, 3.0, 4.5, 0, 0.06, 2.0, 0.7, 0.4, 0.0),
    # fastest, high F0, irregular, breathy, trembling (F0 range narrow as in Juslin & Laukka, wide in Murray & Arnott)
    "fear": Prosody(1.18, 4.5, 0.8, 1.0, 0.5, 15, 0.14, 0.0, 1.6, 0.9, 0.35),
    # slow, low, falling, pressed, creaky (the sources disagree most here)
    "disgust": Prosody(0.86, -1.0, 1.1, 0.0, -3.0, 15, 0.05, 2.5, 1.7, 1.0, 0.0),
    # slow with pauses, low narrow falling F0, soft, breathy, weak high frequencies
    "sadness": Prosody(0.80, -1.2, 0.45, -6.0, -1.2, 35, 0.18, -6.0, 1.1, 0.7, 0.15),
    # slow, low, monotonous, soft, lax
    "boredom": Prosody(0.82, -2.0, 0.5, -3.5, -0.8, 15, 0.07, -4.0, 0.7, 0.4, 0.0),
    # a little slower, lower, softer and more lax than neutral (only Gobl & Ni Chasaide, as "relaxed")
    "calm": Prosody(0.90, -1.0, 0.75, -3.5, -0.8, 15, 0.09, -3.0, 0.4, 0.3, 0.0),
}

# One standard deviation of what speakers, a speaker's way with an emotion, and single clips each add.
SPREAD = Prosody(1.06, 0.9, 1.2, 1.6, 0.9, 8, 0.03, 1.5, 0.25, 0.15, 0.06)
SPEAKER, MANNER, CLIP = 0.45, 0.55, 0.5  # weights of the three

NORMAL, STRONG, ONLY = 0.6, 1.0, 0.85  # share of the way from neutral to EMOTIONS; ONLY: EmoDB has one intensity

_VARIANTS = {
    "male": ("m1", "m3", "m2", "m7", "m5", "m6", "m4", "Michael"),
    "female": ("f2", "f3", "f1", "f5", "f4", "linda", "Annie", "aunty"),
}
_GENDER = ("female", "male")  # RAVDESS and CaFE give men the odd numbers
_F0 = {"male": (88.0, 150.0), "female": (165.0, 250.0)}  # Hz, lowest and highest speaker

RAVDESS = {
    "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness",
    "05": "anger", "06": "fear", "07": "disgust", "08": "surprise",
}  # fmt: skip
EMODB = {
    "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness", "N": "neutral",
}  # fmt: skip
CAFE = {
    "Colère": "anger", "Dégoût": "disgust", "Joie": "happiness", "Neutre": "neutral",
    "Peur": "fear", "Surprise": "surprise", "Tristesse": "sadness",
}  # fmt: skip

# RAVDESS's two statements; the German and French sentences are our own, under the corpora's codes.
ENGLISH = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
GERMAN = {
    "a01": "Die Zeitung liegt auf dem Küchentisch",
    "a02": "Der Bus nach Köln fährt um halb neun",
    "b01": "Am Montag kaufen wir neue Gläser",
    "b02": "Im Garten stehen zwei alte Bäume",
}
FRENCH = {"1": "Le facteur passe chaque matin dans la rue", "2": "Les chaises bleues sont devant la fenêtre"}

# espeak-ng's voice and words a minute, by what a set of clips is called (`ser_core.corpora.diary` is one, too)
_SETTING = {"english": ("en-us", 165.0), "german": ("de", 200.0), "french": ("fr", 185.0), "diary": ("en-us", 165.0)}
_MODEL = {"english": "RAVDESS", "german": "EmoDB", "french": "CaFE"}
EMODB_SPEAKERS = {
    "03": "male", "08": "female", "10": "male", "09": "female", "11": "male",
    "13": "female", "12": "male", "14": "female", "15": "male", "16": "female",
}  # fmt: skip

README = """This is synthetic speech, not recordings of people.

espeak-ng {engine} reads the sentences; prosody and voice quality were set by rule to what the literature
reports for each emotion (see ser_core/corpora/demo.py). {layout}
"""
_FACTOR = np.array([field.name in {"rate", "f0_range"} for field in fields(Prosody)])
_AMOUNT = np.array([field.name in {"pause", "breath", "jitter", "shimmer", "tremor"} for field in fields(Prosody)])


@dataclass(frozen=True)
class Clip:
    """What is to be said, by whom and how."""

    file: str  # relative to the corpus, with forward slashes
    speaker: int  # index of the speaker in the corpus
    n_speakers: int
    gender: str
    emotion: str  # a key of EMOTIONS
    intensity: float
    text: str


def make(language: str, root: Path, *, seed: int, progress: Callable[[int, int], None] | None = None) -> int:
    """Write one synthetic corpus under ``root``.

    Parameters
    ----------
    language
        ``"english"`` (720 clips as RAVDESS), ``"german"`` (280 as EmoDB) or ``"french"`` (312 as CaFE).
    root
        Folder of the corpus; made if missing. It may hold nothing but what an earlier call wrote.
    seed
        Decides the speakers and every clip: same seed, same bytes (with the same espeak-ng, numpy, scipy and soxr).
    progress
        Called after each clip with (clips written, clips to write); what it raises stops the work.

    Returns
    -------
    int
        Number of clips in the corpus: 16 kHz mono 16-bit WAV of 1 to 3.5 s.

    Raises
    ------
    DemoError
        If ``espeakng-loader`` is not installed, espeak-ng fails, or ``root`` holds other recordings.
    ValueError
        If the language is none of ``LANGUAGES``.

    Notes
    -----
    Each file is written whole or not at all, and ``made.json`` last; a call on an unfinished folder finishes it, and a
    call on a finished one with the same seed returns at once.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}; got {language!r}.")
    clips = {"english": _english, "german": _german, "french": _french}[language]()
    layout = f"Folders and files are named as in {_MODEL[language]}, for the same loader."
    return fill(root, clips, language, layout=layout, seed=seed, progress=progress)


def fill(
    root: Path,
    clips: list[Clip],
    language: str,
    *,
    layout: str,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the clips that are not there yet, as `make` says; ``language`` is a key of ``_SETTING``.

    ``layout`` is a sentence for README.txt. Returns the number of clips.
    """
    stamp_file = root / "made.json"
    present = _present(root, clips)
    stamp = _read_stamp(stamp_file)
    same_recipe = (stamp.get("language"), stamp.get("version"), stamp.get("seed")) == (language, VERSION, seed)
    if same_recipe and len(present) == len(clips):
        return len(clips)
    engine = engine_version()
    missing = [clip for clip in clips if not same_recipe or stamp.get("engine") != engine or clip.file not in present]
    root.mkdir(parents=True, exist_ok=True)
    # Gone before the first clip changes: an interrupted change of seed must not look finished.
    stamp_file.unlink(missing_ok=True)
    _write(root / "README.txt", README.format(engine=engine, layout=layout).encode())
    for done, clip in enumerate(missing, start=1):
        _write_clip(root, clip, language, seed)
        if progress is not None:
            progress(done, len(missing))
    made = {
        "what": "synthetic speech, not recordings of people",
        "language": language,
        "version": VERSION,
        "seed": seed,
        "engine": engine,
        "n_clips": len(clips),
    }
    _write(stamp_file, json.dumps(made, indent=1).encode())
    return len(clips)


def _english() -> list[Clip]:
    clips = []
    for actor, (code, emotion), (level, share) in product(
        range(1, 25), RAVDESS.items(), (("01", NORMAL), ("02", STRONG))
    ):
        if (emotion, level) != ("neutral", "02"):
            for statement, text in ENGLISH.items():
                file = f"Actor_{actor:02d}/03-01-{code}-{level}-{statement}-01-{actor:02d}.wav"
                clips.append(Clip(file, actor - 1, 24, _GENDER[actor % 2], emotion, share, text))
    return clips


def _german() -> list[Clip]:
    return [
        Clip(f"wav/{speaker}{code}{letter}a.wav", index, 10, gender, emotion, ONLY, text)
        for index, (speaker, gender) in enumerate(EMODB_SPEAKERS.items())
        for code, text in GERMAN.items()
        for letter, emotion in EMODB.items()
    ]


def _french() -> list[Clip]:
    clips = []
    for actor, (word, emotion), (number, text) in product(range(1, 13), CAFE.items(), FRENCH.items()):
        levels = (("Faible/", "1-", NORMAL), ("Fort/", "2-", STRONG)) if emotion != "neutral" else (("", "", NORMAL),)
        for folder, level, share in levels:
            file = f"{word}/{folder}{actor:02d}-{word[0]}-{level}{number}.wav"
            clips.append(Clip(file, actor - 1, 12, _GENDER[actor % 2], emotion, share, text))
    return clips


def _present(root: Path, clips: list[Clip]) -> set[str]:
    """Return the clips that are there; refuse a folder that holds any recording we did not write."""
    # macOS hands file names back decomposed, "Colère" would not be found.
    found = {unicodedata.normalize("NFC", path.relative_to(root).as_posix()) for path in root.rglob("*.wav")}
    foreign = sorted(found - {clip.file for clip in clips})
    if not foreign and found and not (root / "README.txt").is_file():
        foreign = sorted(found)
    if foreign:
        raise DemoError(f"{root} holds recordings that the demo did not make ({foreign[0]}); name an empty folder.")
    return found


def _write_clip(root: Path, clip: Clip, language: str, seed: int) -> None:
    speaker = f"{language}/{clip.speaker}"
    voice, own = _speaker(clip, language, seed)
    manner = MANNER * rng_of(seed, speaker, clip.emotion).normal(size=len(own))
    rng = rng_of(seed, language, clip.file)
    share = clip.intensity * rng.normal(1.0, 0.08)
    neutral, target = _vector(Prosody()), _vector(EMOTIONS[clip.emotion])
    spread = _vector(SPREAD)
    moved = neutral + share * (target - neutral) + spread * (own + manner + CLIP * rng.normal(size=len(own)))
    signal = speak(clip.text.split(), voice=voice, prosody=_prosody(moved), rng=rng)
    path = root / clip.file
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = io.BytesIO()
    soundfile.write(wav, np.rint(signal * 32767).astype(np.int16), RATE, format="WAV", subtype="PCM_16")
    _write(path, wav.getvalue())


def _speaker(clip: Clip, language: str, seed: int) -> tuple[Voice, NDArray[np.float64]]:
    """Voice of the clip's speaker, and how that speaker differs from EMOTIONS throughout, in units of SPREAD."""
    rng = rng_of(seed, language, f"speaker {clip.speaker}")
    n, index = clip.n_speakers // 2, clip.speaker // 2
    low, high = _F0[clip.gender]
    # Spread evenly over the range in an order that does not follow the numbering (7 has no factor in common with n).
    f0 = low * (high / low) ** ((7 * index % n + rng.uniform(0.2, 0.8)) / n)
    variants = _VARIANTS[clip.gender]
    name, speed = _SETTING[language]
    voice = Voice(
        language=name,
        variant=variants[(index + list(_SETTING).index(language) * 3) % len(variants)],
        f0=f0,
        tract=rng.uniform(0.93, 1.07),
        speed=speed * rng.uniform(0.92, 1.08),
        level=-31 + rng.uniform(-1.5, 1.5),
    )
    return voice, SPEAKER * rng.normal(size=len(_vector(SPREAD)))


def _vector(prosody: Prosody) -> NDArray[np.float64]:
    """Return the fields as numbers that may be added: factors as logarithms."""
    values = np.array(astuple(prosody))
    return np.where(_FACTOR, np.log(np.where(_FACTOR, values, 1)), values)


def _prosody(vector: NDArray[np.float64]) -> Prosody:
    values = np.where(_FACTOR, np.exp(np.where(_FACTOR, vector, 0)), vector)
    values = np.where(_AMOUNT, np.maximum(values, 0), values)
    return Prosody(*values.tolist())


def rng_of(seed: int, *name: str) -> np.random.Generator:
    """Return a generator that depends on nothing but its arguments: the order of the clips must not matter."""
    return np.random.default_rng(list(hashlib.sha256("\n".join((str(seed), *name)).encode()).digest()))


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read_stamp(file: Path) -> dict[str, object]:
    try:
        stamp = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}
