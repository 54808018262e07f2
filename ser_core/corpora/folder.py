"""A folder of one's own: audio files and a table of them, or a folder for each emotion, as Hugging Face's AudioFolder.

The table (`ser_core.corpora.metadata`) has a column ``file_name`` and any of emotion, speaker, gender, language,
valence, arousal, dominance, recorded_at; other columns come along. It lies in the folder itself, or one in each of the
folders directly in it. Without a table, the emotion of a clip is the name of the folder that it lies in. What is not
given is "unknown", never guessed. Where a folder directly in it is called as a part of a data set is (``train``,
``test``, …), that is the clip's ``split``.
"""

from pathlib import Path, PurePosixPath
from typing import Any, Final

from ser_core.corpora import metadata
from ser_core.corpora.base import UNKNOWN, Corpus, CorpusError, Listing, audio_files

SPLITS: Final = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
"""Name of a folder -> the part of a data set, as Hugging Face reads them."""
LAYOUT: Final = (
    "a folder with audio files and a metadata.csv (or .jsonl, .parquet) that has a column file_name, or with two or"
    " more folders of audio files that are called as their emotions"
)


def parse(root: Path) -> Listing:
    """List the rows of the tables; audio without a row is left out, rows without their file are missing.

    A table in the folder itself is the only one that counts.

    Raises
    ------
    CorpusError
        If a table is wrong (`metadata.read`), none of its files exists, or there is no table and no folder for each
        emotion.
    """
    names = [path.relative_to(root).as_posix() for path in audio_files(root)]
    tables = _tables(root)
    if not tables:
        return Listing(_by_folder(root, names))
    present, rows, missing, n_rows = set(names), [], [], 0
    for file in tables:
        for row in metadata.read(file).to_dict("records"):
            name = (file.parent.relative_to(root) / str(row.pop("file_name"))).as_posix()
            if name in present:
                rows.append(_unsaid(name) | {str(column): value for column, value in row.items()})
            else:
                missing.append(name)
            n_rows += 1
    if not rows:
        raise CorpusError(f"{root}: expected {LAYOUT}, found {n_rows} rows but none of their files")
    named = {row["file"] for row in rows}
    left_out = tuple((name, f"no row in {tables[0].name}") for name in names if name not in named)
    return Listing(rows, tuple(missing), left_out)


def corpus(name: str) -> Corpus:
    """Return the card of a folder of one's own."""
    return Corpus(
        name=name,
        title=f"your own recordings ({name})",
        language="as given",
        licence="your own",
        citation="your own recordings",
        emotions=(),
        parse=parse,
    )


def _tables(root: Path) -> list[Path]:
    """Return the table of the folder itself, or else those of the folders directly in it."""
    if own := metadata.find(root):
        return [own]
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    tables = [table for folder in folders if (table := metadata.find(folder))]
    kinds = sorted({table.name for table in tables})
    if len(kinds) > 1:
        raise CorpusError(f"{root}: expected tables of one kind in its folders, found {' and '.join(kinds)}")
    return tables


def _by_folder(root: Path, names: list[str]) -> list[dict[str, Any]]:
    """Return the clips with the folders they lie in as emotions: two or more, all on one level."""
    paths = [PurePosixPath(name) for name in names]
    labelled = all(len(path.parts) == 2 + (path.parts[0].lower() in SPLITS) for path in paths)
    if not labelled or len({path.parent.name for path in paths}) < 2:
        raise CorpusError(f"{root}: expected {LAYOUT}, found no metadata.csv ({len(names)} audio files)")
    return [_unsaid(path.as_posix()) | {"emotion": path.parent.name} for path in paths]


def _unsaid(name: str) -> dict[str, Any]:
    """Return what is known of a clip by its place alone."""
    first, *rest = PurePosixPath(name).parts
    split = SPLITS.get(first.lower()) if rest else None
    return {"file": name, "speaker": UNKNOWN, "emotion": UNKNOWN} | ({"split": split} if split else {})
