from itertools import combinations

import numpy as np
import pytest

from ser_core import emotions
from ser_core.corpora import KINDS

MACHADO = {  # Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


def linear(colour: str) -> np.ndarray:
    srgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson 2020."""
    lms = np.cbrt(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
        @ rgb
    )
    return [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ] @ lms


@pytest.mark.parametrize("sight", MACHADO)
def test_any_two_emotions_differ_for_every_sight(sight: str) -> None:
    seen = {
        name: oklab(np.clip(np.array(MACHADO[sight]) @ linear(one.colour), 0, 1))
        for name, one in emotions.EMOTIONS.items()
    }
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= 0.10, (one, other)


@pytest.mark.parametrize("ground", ["#ffffff", "#0e1117"])
def test_every_emotion_stands_out_on_both_themes(ground: str) -> None:
    weights = np.array([0.2126, 0.7152, 0.0722])
    for one in (*emotions.EMOTIONS.values(), emotions.OTHER):
        light, dark = sorted([linear(one.colour) @ weights, linear(ground) @ weights], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 2, one.name


def test_shapes_are_those_that_3d_charts_know() -> None:
    known = {"circle", "circle-open", "cross", "diamond", "diamond-open", "square", "square-open"}
    looks = [(one.colour, one.symbol) for one in emotions.EMOTIONS.values()]
    assert {symbol for _, symbol in looks} <= known
    assert len(set(looks)) == len(looks)


def test_every_word_of_every_corpus_has_a_common_name() -> None:
    names = {emotions.common_name(word) for corpus in KINDS.values() for word in corpus.emotions}
    assert names - set(emotions.EMOTIONS) == {"excitement", "other", "pleasant surprise"}  # drawn as other emotions are
    assert set(emotions.EMOTIONS) <= names


def test_nothing_is_merged_within_a_corpus() -> None:
    for corpus in KINDS.values():
        assert len({emotions.common_name(word) for word in corpus.emotions}) == len(corpus.emotions)


def test_an_unknown_word_stays_and_is_drawn_as_other() -> None:
    assert emotions.common_name("wistful") == "wistful"
    assert emotions.style("wistful") == emotions.OTHER
