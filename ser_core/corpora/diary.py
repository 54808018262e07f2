"""A synthetic diary: two weeks of one voice that nobody owns, six short clips a day, for pages that follow a person.

It is **not a recording of a person**, and not a model of an illness: espeak-ng reads everyday sentences with emotions
by rule, as in `ser_core.corpora.demo`, in a plain story that a reader should find again:

- days 1 to 7, Monday to Sunday: quiet and low. Mostly sadness, some boredom, not strongly expressed;
- days 8 and 9: a turn. Calm, neutral, a little of both weeks;
- days 10 and 12 to 14: livelier. Happiness, calm and some surprise, clearly expressed, over a wider range;
- day 11, a Thursday: a bad day. Fear and anger, strongly expressed.

A plane learnt from the English demo corpus, which has no boredom, takes boredom for calm and some anger for happiness.

Days and times of day are the same for every seed; which emotions of a day's pool come when, the sentences, the voice
and the sound depend on the seed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from ser_core.corpora import demo
from ser_core.corpora.espeak import DemoError
from ser_core.store import write_atomic

FIRST: Final = datetime(2026, 3, 2)  # a Monday
A_DAY: Final = 6
SPEAKER: Final = "Ada"
GENDER: Final = "female"
_VOICE = 19, 24  # the 20th of 24 more voices: one whose plain speech lies near the middle of that plane

# What a day's emotions are drawn from, without putting back, and how strongly they are expressed (as demo.STRONG).
_LOW = ("sadness", "sadness", "sadness", "sadness", "sadness", "boredom", "boredom", "neutral"), 0.7
_TURN = ("calm", "calm", "neutral", "neutral", "sadness", "boredom", "happiness"), 0.7
_BRIGHT = ("happiness", "happiness", "happiness", "calm", "calm", "surprise", "neutral"), 0.9
_BAD = ("fear", "fear", "fear", "anger", "anger", "disgust"), 1.0
STORY: Final = (*7 * (_LOW,), *2 * (_TURN,), _BRIGHT, _BAD, *3 * (_BRIGHT,))
"""Pool of emotions and strength of each day; a change of it or of SENTENCES is a change of demo.VERSION."""
SENTENCES: Final = (
    "We are going to the garden",
    "We are waiting by the old bridge",
    "Birds are singing in the garden",
    "The old man is sitting by the road",
    "Rain is falling on the garden",
    "Boys are running down the road",
    "Ben is bringing the dog over",
    "People are walking to the park",
    "Trams are going by the window",
    "The candle is burning by the bed",
)
"""Much like those of the English demo corpus, from which the plane is learnt: what is said moves a clip, too."""
_HEAD = "file_name,emotion,speaker,gender,language,recorded_at"
_LAYOUT = "A folder a day, a clip by its time; metadata.csv lists them."


def make(root: Path, *, seed: int, progress: Callable[[int, int], None] | None = None) -> int:
    """Write the diary under ``root``: 84 clips named as ``2026-03-02/08-15.wav``, and ``metadata.csv``.

    Parameters
    ----------
    root
        Its folder; made if missing. It may hold nothing but what an earlier call wrote.
    seed
        Same seed, same bytes (with the same espeak-ng, numpy, scipy and soxr).
    progress
        Called after each clip with (clips written, clips to write); what it raises stops the work.

    Returns
    -------
    int
        Number of clips: 16 kHz mono 16-bit WAV of 1 to 3.5 s.

    Raises
    ------
    DemoError
        If ``espeakng-loader`` is not installed, espeak-ng fails, or ``root`` holds somebody's recordings or table.

    Notes
    -----
    Interrupted and repeated calls are as those of `ser_core.corpora.demo.make`; the table is written last.
    """
    table = root / "metadata.csv"
    if table.exists() and not (root / "README.txt").exists():
        raise DemoError(f"{root} holds a metadata.csv that the demo did not make; name an empty folder.")
    said = _clips(seed)
    n_clips = demo.fill(root, list(said.values()), "diary", layout=_LAYOUT, seed=seed, progress=progress)
    rows = [
        f"{clip.file},{clip.emotion},{SPEAKER},{GENDER},English,{time:%Y-%m-%dT%H:%M}" for time, clip in said.items()
    ]
    content = "\n".join((_HEAD, *rows, "")).encode()
    if not table.exists() or table.read_bytes() != content:
        write_atomic(table, content)
    return n_clips


def _clips(seed: int) -> dict[datetime, demo.Clip]:
    clips = {}
    for day, (pool, strength) in enumerate(STORY):
        rng = demo.rng_of(seed, "diary", f"day {day}")
        emotions = rng.permutation(pool)[:A_DAY]
        sentences = rng.permutation(SENTENCES)[:A_DAY]
        for time, emotion, sentence in zip(_times(day), emotions, sentences, strict=True):
            file = f"{time:%Y-%m-%d/%H-%M}.wav"
            clips[time] = demo.Clip(file, *_VOICE, GENDER, str(emotion), strength, str(sentence))
    return clips


def _times(day: int) -> list[datetime]:
    """Return uneven times from seven in the morning to eleven at night, in order, minutes or hours apart."""
    quarters = sorted(demo.rng_of(0, "diary", f"times of day {day}").choice(64, A_DAY, replace=False).tolist())
    minutes = demo.rng_of(0, "diary", f"minutes of day {day}").integers(10, size=A_DAY).tolist()
    midnight = FIRST + timedelta(days=day)
    return [
        midnight + timedelta(hours=7, minutes=15 * quarter + extra)
        for quarter, extra in zip(quarters, minutes, strict=True)
    ]
