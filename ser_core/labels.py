"""Maps from the words of corpora to the emotions that a model is to name: named, and shown wherever they are used.

A corpus keeps its own words. Every map begins with their common names (`ser_core.emotions.common_name`), which merge
nothing; what else a map does is in its table.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from ser_core.cache import Cache
from ser_core.emotions import common_name
from ser_core.errors import SerError
from ser_core.store import write_atomic


class LabelError(SerError, ValueError):
    """A label map that is not there or cannot be read; the message says what was expected."""


@dataclass(frozen=True)
class LabelMap:
    """What becomes of each word.

    Attributes
    ----------
    words
        Common name or a corpus's own word -> emotion; "" leaves its clips out.
    others
        Whether words that are not named keep their common names; else their clips are left out.
    """

    name: str
    title: str
    words: Mapping[str, str] = field(hash=False)
    others: bool

    def of(self, word: str) -> str | None:
        """Return what a corpus's own word becomes, None if its clips are left out."""
        common = common_name(word)
        for known in (word.strip().lower(), common):
            if known in self.words:
                return self.words[known] or None
        return common if self.others else None

    def table(self, words: Iterable[str]) -> pd.DataFrame:
        """Return what becomes of clips with these words: columns ``word``, ``emotion`` (None: left out), ``n_clips``.

        Examples
        --------
        >>> MAPS["calm-neutral"].table(["calm", "happy", "calm"]).to_dict("records")[0]
        {'word': 'calm', 'emotion': 'neutral', 'n_clips': 2}
        """
        counts = pd.Series(list(words), dtype=object).value_counts(sort=False)
        rows = [(str(word), self.of(str(word)), int(n)) for word, n in counts.items()]
        return pd.DataFrame(rows, columns=["word", "emotion", "n_clips"])


FOUR: Final = ("neutral", "happiness", "sadness", "anger")
MAPS: Final = {
    one.name: one
    for one in (
        LabelMap("common", "Common names: translations and word forms alone, nothing is merged", {}, others=True),
        LabelMap("calm-neutral", "Common names, and calm counts as neutral", {"calm": "neutral"}, others=True),
        LabelMap(
            "four",
            "Neutral, happiness (with excitement), sadness and anger, as usual for IEMOCAP; the rest is left out",
            {**{word: word for word in FOUR}, "excitement": "happiness", "excited": "happiness"},
            others=False,
        ),
    )
}
"""Maps that come with the library, by name."""
HEADS: Final = ("word", "emotion")


def get(cache: Cache, name: str) -> LabelMap:
    """Return a map by its name, one of `MAPS` or one's own.

    Raises
    ------
    LabelError
        If there is none.
    """
    known = {one.name: one for one in ls(cache)}
    if name not in known:
        raise LabelError(
            f"no label map is called {name!r}, expected one of {', '.join(known)}; `ser labels add` adds one"
        )
    return known[name]


def ls(cache: Cache) -> list[LabelMap]:
    """Return all maps, one's own after those of the library.

    Raises
    ------
    LabelError
        If a file of one's own is damaged.
    """
    own = sorted(cache.root.glob("labels/*.csv"))
    return [*MAPS.values(), *(_read(path, path.stem) for path in own if path.stem not in MAPS)]


def add(cache: Cache, name: str, file: Path) -> LabelMap:
    """Keep a map of one's own: a table of the columns ``word`` and ``emotion``, which is empty to leave clips out.

    Words that it does not name keep their common names.

    Raises
    ------
    LabelError
        If the name will not do, or the file is no such table.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name) or name in MAPS:
        raise LabelError(f"the name {name!r} is taken or will not do: choose 1 to 40 of a-z, 0-9, dash and underscore")
    found = _read(file, name)
    table = pd.DataFrame(list(found.words.items()), columns=list(HEADS))
    write_atomic(cache.root / "labels" / f"{name}.csv", table.to_csv(index=False).encode())
    return found


def _read(file: Path, name: str) -> LabelMap:
    expected = f"{file}: expected a UTF-8 table of two columns, {' and '.join(HEADS)}"
    try:
        rows = list(csv.reader(file.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"{expected} ({error})") from error
    if not rows or [head.strip().lower() for head in rows[0]] != list(HEADS):
        raise LabelError(f"{expected}, found {', '.join(rows[0]) if rows else 'nothing'}")
    words: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(HEADS) or not (word := row[0].strip().lower()):
            raise LabelError(
                f"{file}, line {number}: expected a word and an emotion, found {', '.join(row) or 'nothing'}"
            )
        if word in words:
            raise LabelError(f"{file}, line {number}: {word!r} occurs twice; every word becomes one emotion")
        words[word] = row[1].strip()
    if not words:
        raise LabelError(f"{expected}, found no rows")
    return LabelMap(name, f"One's own: {len(words)} words, the others by their common names", words, others=True)
