"""Voices that a voice activity detector takes for speech, and a small corpus of them; not a test."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from ser_core import autoencoders, catalogue
from ser_core.cache import Cache
from ser_core.plans import VaePlan
from ser_core.runs import Run

RATE = 16_000
SPEAKERS = {"ada": 210.0, "ben": 110.0, "cleo": 230.0, "dan": 120.0}
LOUD = {"anger": 0.4, "sadness": 0.05, "happiness": 0.2}
ONE = VaePlan("vae", "voices", speakers="ada", epochs=12)
ALL = VaePlan("vae", "voices", epochs=150)
KNOWS = VaePlan("vae", "voices", speakers="female", told_speaker=True, epochs=150)
ANY = VaePlan("vae", "voices", any_length=True, epochs=3)


def vowel(seconds: float, *, pitch: float = 120.0, level: float = 0.1) -> NDArray[np.float32]:
    """A voice that holds three formants, its loudness rising and falling four times a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    found = np.zeros(len(time))
    for number in range(1, 40):
        away = [(number * pitch - formant) / width for formant, width in ((600, 120), (1200, 150), (2500, 200))]
        found += sum(np.exp(-(one**2)) for one in away) * np.sin(2 * np.pi * number * pitch * time + number**2)
    found *= 0.6 + 0.4 * np.sin(8 * np.pi * time)
    return (level * found / np.abs(found).max()).astype(np.float32)


def make(folder: Path, *, name: str = "voices") -> Cache:
    """Add a corpus of 48 voices, two women and two men, three emotions, two sentences; one clip more is silent."""
    sounds, cache, rows = folder / name, Cache(folder / "cache"), []
    sounds.mkdir(parents=True)
    for speaker, pitch in SPEAKERS.items():
        for emotion, level in LOUD.items():
            for take in range(4):
                file = f"{speaker}_{emotion}_{take}.wav"
                signal = vowel(0.5 + 0.1 * take, pitch=pitch * (1 + 0.02 * take), level=level)
                soundfile.write(sounds / file, signal, RATE, subtype="PCM_16")
                rows.append((file, emotion, speaker, "female" if pitch > 150 else "male", "abc" if take % 2 else "xyz"))
    soundfile.write(sounds / "silent.wav", np.zeros(RATE, np.float32), RATE)
    rows.append(("silent.wav", "anger", "ada", "female", "abc"))
    table = pd.DataFrame(rows, columns=["file_name", "emotion", "speaker", "gender", "statement"])
    table.to_csv(sounds / "metadata.csv", index=False)
    catalogue.add(cache, "folder", sounds, name=name)
    return cache


def trained(cache: Cache, *plans: VaePlan) -> list[Run]:
    """Train these autoencoders on it."""
    return [autoencoders.train(plan, cache=cache, device="cpu") for plan in plans]
