"""audformat databases: what the header and the tables say, and what of them is refused."""

import builtins
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import audformat
import pandas as pd
import pytest

from ser_core import catalogue
from ser_core.cache import Cache
from ser_core.corpora import CorpusError
from ser_core.corpora.audformat import corpus, says

Fill = Callable[..., Path]
FILES = ("wav/a.wav", "wav/b.wav", "wav/c.wav")


def header(**fields) -> audformat.Database:
    """A database with schemes of emotions and of speakers, whose genders are told with them."""
    said = {"author": "A. Author", "license": "CC0-1.0", "languages": ["deu"]} | fields
    db = audformat.Database("small", "https://example.org", **said)
    db.schemes["emotion"] = audformat.Scheme("str", labels=["anger", "joy"])
    speakers = {"s1": {"gender": "female", "age": 31}, "s2": {"gender": "male", "age": 44}}
    db.schemes["speaker"] = audformat.Scheme("str", labels=speakers)
    return db


def table(db: audformat.Database, name: str, index: pd.Index, **columns: Sequence[str | None]) -> None:
    db[name] = audformat.Table(index)
    for column, values in columns.items():
        db[name][column] = audformat.Column(scheme_id=column if column in db.schemes else None)
        db[name][column].set(list(values))


def small(**fields) -> audformat.Database:
    db = header(**fields)
    index = audformat.filewise_index(list(FILES))
    table(db, "files", index, speaker=["s1", "s2", None])
    table(db, "emotion", index[:2], emotion=["anger", "joy"])
    return db


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_emotions_speakers_and_what_is_said_of_them_come_from_the_tables(fill: Fill, form: str) -> None:
    root = fill([*FILES, "wav/extra.wav"])
    small().save(str(root), storage_format=form)
    scan = corpus("small").scan(root)
    first, second, third = scan.clips.to_dict("records")
    assert first == {
        "file": "wav/a.wav", "speaker": "s1", "emotion": "anger", "language": "deu", "gender": "female", "age": 31,
    }  # fmt: skip
    assert (second["speaker"], second["emotion"], second["gender"], second["age"]) == ("s2", "joy", "male", 44)
    assert (third["speaker"], third["emotion"]) == ("unknown", "unknown")
    assert pd.isna(third["gender"])
    assert scan.left_out == (("wav/extra.wav", "in no table of the database"),)
    assert (scan.expected, scan.missing) == (None, ())


def test_the_card_is_what_the_header_says(fill: Fill, cache: Cache) -> None:
    root = fill(FILES)
    small().save(str(root))
    located, _ = catalogue.add(cache, "audformat", root, name="small")
    card = catalogue.get(cache, "small").corpus
    assert card == located.corpus
    assert (card.title, card.language, card.licence) == ("audformat: small", "deu", "CC0-1.0")
    assert card.citation == "A. Author, small, https://example.org"
    assert located.kind == "audformat"
    (root / "db.yaml").unlink()
    assert catalogue.get(cache, "small").corpus == card  # a folder that is gone has its card all the same


def test_several_languages_are_of_no_clip(fill: Fill) -> None:
    root = fill(FILES)
    small(languages=["deu", "fra"], license=None).save(str(root))
    assert "language" not in corpus("small").clips(root)
    assert says(root)["language"] == "deu, fra"
    assert says(root)["licence"] == "usage: unrestricted"


def test_the_header_cannot_steer_a_terminal(fill: Fill) -> None:
    root = fill(FILES)
    small(author="A\x1b[2J\nAuthor").save(str(root))
    assert says(root)["citation"].startswith("A[2J Author, small")


def test_files_that_are_not_there_are_missing(fill: Fill) -> None:
    root = fill(FILES[:1])
    small().save(str(root))
    assert corpus("small").scan(root).missing == ("wav/b.wav", "wav/c.wav")
    (root / "wav/a.wav").unlink()
    with pytest.raises(CorpusError, match="found none of the 3 files of its tables"):
        corpus("small").scan(root)


def test_labels_of_parts_of_files_are_not_those_of_clips(fill: Fill) -> None:
    root = fill(FILES)
    db = header()
    parts = audformat.segmented_index([FILES[0], FILES[1], FILES[2]], [0, 1.2, 0], [pd.NaT, 3.4, 2.0])
    table(db, "segments", parts, emotion=["anger", "joy", "joy"])
    db.save(str(root))
    scan = corpus("small").scan(root)
    assert scan.clips[["file", "emotion"]].to_numpy().tolist() == [["wav/a.wav", "anger"]]
    why = "only parts of it have an emotion"
    assert scan.left_out == (("wav/b.wav", why), ("wav/c.wav", why))


def test_segments_alone_are_refused(fill: Fill) -> None:
    root = fill(FILES)
    db = header()
    table(db, "segments", audformat.segmented_index(FILES[:2], [1, 0], [2, 1]), emotion=["anger", "joy"])
    db.save(str(root))
    with pytest.raises(CorpusError, match=r"found those of parts of files alone: cut each into a file of its own"):
        corpus("small").scan(root)


def test_a_database_without_emotions_is_refused(fill: Fill) -> None:
    root = fill(FILES)
    db = header()
    table(db, "files", audformat.filewise_index(list(FILES)), speaker=["s1", "s2", "s1"])
    db.save(str(root))
    with pytest.raises(CorpusError, match="expected tables with the emotions of whole files, found none"):
        corpus("small").scan(root)


def test_tables_that_disagree_are_refused(fill: Fill) -> None:
    root = fill(FILES)
    db = small()
    table(db, "again", audformat.filewise_index(list(FILES[:1])), emotion=["joy"])
    db.save(str(root))
    with pytest.raises(CorpusError, match="expected one emotion for a file, its tables disagree"):
        corpus("small").scan(root)


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd"])
def test_tables_name_no_file_outside(fill: Fill, name: str) -> None:
    root = fill(FILES)
    small().save(str(root), storage_format="csv")
    rows = (root / "db.emotion.csv").read_text()
    (root / "db.emotion.csv").write_text(rows.replace("wav/a.wav", name))
    with pytest.raises(CorpusError, match=f"name files inside the folder, found '{name}'"):
        corpus("small").scan(root)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self):
        return Path.touch, (self.sprung,)


def test_pickles_are_not_read(fill: Fill, tmp_path: Path) -> None:
    root, sprung = fill(FILES), tmp_path / "sprung"
    small().save(str(root), storage_format="csv")
    (root / "db.emotion.pkl").write_bytes(pickle.dumps(Trap(sprung)))
    assert len(corpus("small").scan(root).clips) == 3
    (root / "db.emotion.csv").unlink()
    with pytest.raises(CorpusError, match=r"expected db\.emotion\.csv or db\.emotion\.parquet with what"):
        corpus("small").scan(root)
    assert not sprung.exists()
    with pytest.raises(RuntimeError):
        audformat.Database.load(str(root), load_data=True)
    assert sprung.exists()  # the trap works


@pytest.mark.parametrize("text", ["!!python/object/apply:os.mkdir [SPRUNG]", "- a list", "{half", "name: x\n", ""])
def test_a_wrong_header_is_one_clear_sentence_and_runs_no_code(fill: Fill, tmp_path: Path, text: str) -> None:
    root, sprung = fill(FILES), tmp_path / "sprung"
    (root / "db.yaml").write_text(text.replace("SPRUNG", str(sprung)))
    with pytest.raises(CorpusError, match=r"db\.yaml: expected the header of an audformat database \("):
        corpus("small").scan(root)
    assert not sprung.exists()


def test_a_folder_without_a_header_says_so(fill: Fill) -> None:
    with pytest.raises(CorpusError, match=r"expected a folder with a db\.yaml, .*, found no db\.yaml"):
        corpus("small").scan(fill(FILES))


def test_without_audformat_the_message_says_what_to_install(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "audformat":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CorpusError, match=r"reading it needs audformat: run `pip install 'ser-atlas\[audformat\]'`"):
        corpus("small").scan(fill(FILES))
