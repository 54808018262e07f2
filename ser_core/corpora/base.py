"""What a corpus is, and what a look into its folder finds."""

import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ser_core import audio
from ser_core.errors import SerError

COLUMNS: Final = ("file", "speaker", "emotion")
"""Every table of clips has these, first and in this order; a corpus adds what else it knows."""
AUDIO_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff"})
MOST_FILES: Final = 300_000
UNKNOWN: Final = "unknown"
"""The emotion or speaker of a clip of which nobody says; never guessed."""


class CorpusError(SerError, ValueError):
    """A folder does not hold the corpus it should; the message says what was expected and what was found."""


@dataclass(frozen=True)
class Listing:
    """What a corpus's own parser finds: rows of clips, names it expected but did not see, files it left out and why."""

    rows: list[dict[str, Any]]
    missing: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Scan:
    """A look into a corpus folder.

    Attributes
    ----------
    clips
        One row per clip, columns `COLUMNS` and more; ``file`` is relative to ``root``, with forward slashes.
    expected
        Clips that the complete corpus has; None where nobody can know (a folder of one's own).
    missing
        Names of clips that the complete corpus has and this folder has not, where the names are known.
    unreadable
        (file, reason) of clips whose header cannot be read.
    left_out
        (file, reason) of audio files that are no part of the corpus.
    """

    root: Path
    clips: pd.DataFrame
    expected: int | None
    missing: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def n_missing(self) -> int:
        """How many clips the complete corpus, or the list in a folder of one's own, has more."""
        return max(len(self.missing), (self.expected or 0) - len(self.clips))

    @property
    def by_emotion(self) -> pd.Series:
        """Clips per emotion, the corpus's own words."""
        return self.clips["emotion"].value_counts().sort_index()

    @property
    def by_speaker(self) -> pd.Series:
        """Clips per speaker."""
        return self.clips["speaker"].value_counts().sort_index()


@dataclass(frozen=True)
class Corpus:
    """The card of a corpus. The instance is its registry entry.

    ``emotions`` are its own words in the order of its own codes (empty: whatever its clips say).
    ``parse`` lists a folder without opening audio; it raises `CorpusError` where nothing of the corpus is found.
    ``n_clips`` and ``n_speakers`` are those of the complete corpus (None: not fixed). ``synthetic`` marks speech that
    no person spoke; it is said wherever the corpus is shown. ``says`` reads from a folder what it says itself of this
    card (field -> text), None where it says nothing.
    """

    name: str
    title: str
    language: str
    licence: str
    citation: str
    emotions: tuple[str, ...]
    parse: Callable[[Path], Listing] = field(repr=False)
    n_clips: int | None = None
    n_speakers: int | None = None
    synthetic: bool = False
    says: Callable[[Path], dict[str, str]] | None = field(default=None, repr=False)

    def named(self, name: str) -> "Corpus":
        """Return the same card under another name."""
        return replace(self, name=name, title=f"{self.title}: {name}")

    def clips(self, root: Path) -> pd.DataFrame:
        """Return the table of clips under a folder, in the order of their file names; opens no audio.

        Raises
        ------
        CorpusError
            If the folder is missing or holds no clip of this corpus.
        """
        return _table(self._parse(root).rows)

    def scan(self, root: Path) -> Scan:
        """Look into a folder: clips, what is missing, what cannot be read (opens every file's header).

        Raises
        ------
        CorpusError
            If the folder is missing or holds no clip of this corpus.
        """
        listing = self._parse(root)
        unreadable = []
        for row in listing.rows:
            try:
                audio.inspect(root / row["file"])
            except audio.AudioError as error:
                unreadable.append((row["file"], error.reason))
        return Scan(root, _table(listing.rows), self.n_clips, listing.missing, tuple(unreadable), listing.left_out)

    def _parse(self, root: Path) -> Listing:
        try:
            if not root.is_dir():
                found = "a file" if root.exists() else "nothing there"
                raise CorpusError(f"{root}: expected a folder with {self.title}, found {found}")
            return self.parse(root)
        except OSError as error:
            raise CorpusError(f"{root}: cannot be read ({error.strerror}); is the folder yours to open?") from error


def audio_files(root: Path) -> list[Path]:
    """Return the audio files under a folder by their endings, sorted, hidden ones left out.

    Raises
    ------
    CorpusError
        If the folder holds more than `MOST_FILES` files: it is a disk, not a corpus.
    """
    found = []
    for number, path in enumerate(root.rglob("*")):
        if number > MOST_FILES:
            raise CorpusError(f"{root}: more than {MOST_FILES:,} files; name the corpus's own folder")
        if path.suffix.lower() in AUDIO_SUFFIXES and not any(p.startswith(".") for p in path.relative_to(root).parts):
            found.append(path)
    for path in found:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise CorpusError(
                f"{root}: the file name {path.name!a} is not UTF-8; rename such files (for example with convmv)"
            ) from None
    return sorted(found)


def listing(
    root: Path,
    describe: Callable[[Path], dict[str, Any] | str],
    *,
    expected: Collection[str],
    layout: str,
    named: Callable[[Path], str] = operator.attrgetter("stem"),
) -> Listing:
    """List a corpus whose file names say everything.

    ``describe`` gives the columns of a file, or the reason why it is no part of the corpus. A name that occurs twice
    (unpacked archives often hold their content twice) counts once. ``expected`` are names, and ``layout`` describes the
    official tree in the error. ``named`` gives the name of a file: as a rule that without its ending.
    """
    rows: dict[str, dict[str, Any]] = {}
    left_out: list[tuple[str, str]] = []
    for path in audio_files(root):
        file = path.relative_to(root).as_posix()
        found = describe(path)
        if isinstance(found, str):
            left_out.append((file, found))
        elif (name := named(path)) in rows:
            left_out.append((file, f"the same name as {rows[name]['file']}"))
        else:
            rows[name] = {"file": file, **found}
    if not rows:
        raise CorpusError(f"{root}: expected {layout}, found {_census(root)}")
    return Listing(list(rows.values()), tuple(sorted(set(expected) - rows.keys())), tuple(left_out))


def _census(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir())
    if not names:
        return "an empty folder"
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(audio_files(root))} audio files, none with such a name; the folder holds {shown}"


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows).sort_values("file", ignore_index=True)
    return table[[*COLUMNS, *(column for column in table.columns if column not in COLUMNS)]]
