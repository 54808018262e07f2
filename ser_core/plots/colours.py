"""Colours of points: what a column of clips becomes in a picture.

Emotions have their own colours and shapes (`ser_core.emotions`); everything else has scales of its own, made in OKLCH
(Ottosson 2020, "A perceptual color space for image processing") so that equal steps look equal.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser_core import emotions
from ser_core.corpora.folder import UNKNOWN

MOST_CATEGORIES: Final = 30
"""More than these get no legend, and colours that go round."""
NOT_GIVEN: Final = "not given"
GREY: Final = "#9a9a9a"
EMOTION: Final = "emotion"


@dataclass(frozen=True)
class Category:
    """One value of a column: its clips (rows), colour and marker shape."""

    name: str
    colour: str
    symbol: str
    rows: NDArray[np.int32]


@dataclass(frozen=True)
class Colouring:
    """How the clips are told apart.

    Either ``categories``, which together hold every row once, or ``values`` on a continuous ``scale``; ``missing`` are
    the rows that have no value there. ``ticks`` are (value, text) where numbers alone would say little (dates);
    ``legend`` is false where there are too many categories to name.
    """

    title: str
    categories: tuple[Category, ...] = ()
    values: NDArray[np.float32] | None = None
    missing: NDArray[np.int32] | None = None
    scale: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    legend: bool = True


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """Return a colour as hex; hue in degrees, what sRGB cannot show is cut off.

    Examples
    --------
    >>> oklch(1.0, 0.0, 0.0), oklch(0.0, 0.0, 0.0)
    ('#ffffff', '#000000')
    """
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _gamma(min(max(part, 0.0), 1.0))):02x}" for part in linear)


def _gamma(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


SEQUENTIAL: Final = tuple(oklch(0.50 + 0.07 * step, 0.13, 290 - 45 * step) for step in range(5))
"""Low to high: violet, blue, teal, green, yellow-green; visible on white and on near-black."""
CYCLIC: Final = tuple(oklch(0.65, 0.13, 30 * step) for step in range(13))


def palette(n: int) -> list[str]:
    """Return n colours for things without an order: hues evenly around, light and dark by turns.

    Examples
    --------
    >>> len(set(palette(24)))
    24
    """
    return [oklch((0.58, 0.74)[number % 2], 0.13, 250 + 360 * number / n) for number in range(n)]


def shown(text: object) -> str:
    """Return a word from a file as plotly shows it literally: its few HTML tags switched off."""
    return html.escape(str(text), quote=False)


def colouring(clips: pd.DataFrame, column: str, *, common: bool) -> Colouring:
    """Say how to colour clips by a column.

    Emotions have their fixed colours, with ``common`` under the common names (for several corpora together). Numbers
    and dates get a continuous scale, words a colour each; missing ones are grey.
    """
    series = clips[column]
    title = column.replace("_", " ")
    if column == EMOTION:
        return _by_emotion(series, common=common)
    if pd.api.types.is_datetime64_any_dtype(series):
        days = (series - pd.Timestamp(0, tz=series.dt.tz)) / pd.Timedelta(days=1)
        return _continuous(title, days, ticks=_dates(days))
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        return _continuous(title, series, ticks=())
    return _categorical(title, series)


def _by_emotion(series: pd.Series, *, common: bool) -> Colouring:
    words = _words(series)
    if common:
        words = np.array([emotions.common_name(word) for word in words], object)
    order = list(emotions.EMOTIONS)
    found = sorted(set(words) - {NOT_GIVEN}, key=lambda word: _rank(word, order))
    own = [word for word in found if emotions.style(word) == emotions.OTHER]
    inks = dict(zip(own, palette(len(own)), strict=True))  # words without a common name differ, too
    out = []
    for word in found:
        style = emotions.style(word)
        out.append(Category(word, inks.get(word, style.colour), style.symbol, _rows(words == word)))
    return Colouring(EMOTION, (*out, *_rest(words)))


def _rank(word: str, order: Sequence[str]) -> tuple[int, str]:
    common = emotions.common_name(word)
    return (order.index(common) if common in order else len(order), word)


def _categorical(title: str, series: pd.Series) -> Colouring:
    words = _words(series)
    found = sorted(set(words) - {NOT_GIVEN})
    if len(found) > MOST_CATEGORIES:
        place = {word: number / len(found) for number, word in enumerate(found)}
        values = np.array([place.get(word, np.nan) for word in words], np.float32)
        return Colouring(title, (), values, _rows(np.isnan(values)), CYCLIC, legend=False)
    colours = palette(len(found))
    out = [Category(word, colour, "circle", _rows(words == word)) for word, colour in zip(found, colours, strict=True)]
    return Colouring(title, (*out, *_rest(words)))


def _continuous(title: str, series: pd.Series, *, ticks: tuple[tuple[float, str], ...]) -> Colouring:
    values = series.to_numpy(np.float64, na_value=np.nan)
    values = np.where(np.isfinite(values), values, np.nan).astype(np.float32)
    return Colouring(title, (), values, _rows(np.isnan(values)), SEQUENTIAL, ticks)


def _dates(days: pd.Series) -> tuple[tuple[float, str], ...]:
    if days.notna().sum() == 0:
        return ()
    at = np.unique(np.linspace(days.min(), days.max(), 5))
    return tuple((float(day), f"{pd.Timestamp(0) + pd.Timedelta(days=float(day)):%Y-%m-%d}") for day in at)


def _words(series: pd.Series) -> NDArray[np.object_]:
    """Return the words of a column, `NOT_GIVEN` where there is none."""
    missing = (series.isna() | series.astype(str).str.strip().isin(["", UNKNOWN])).to_numpy(bool)
    words = series.astype(str).to_numpy(object)
    return np.where(missing, NOT_GIVEN, words)


def _rest(words: NDArray[np.object_]) -> list[Category]:
    rows = _rows(words == NOT_GIVEN)
    return [Category(NOT_GIVEN, GREY, "circle-open", rows)] if len(rows) else []


def _rows(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.flatnonzero(mask).astype(np.int32)
