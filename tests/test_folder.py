"""Folders of one's own as Hugging Face's AudioFolder has them: tables of three kinds, folders as emotions, splits."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from ser_core import catalogue
from ser_core.cache import Cache
from ser_core.corpora import CorpusError, folder

Fill = Callable[..., Path]
ROWS = [
    {"file_name": "a.wav", "emotion": "joy", "speaker": "7", "valence": 0.5, "recorded_at": "2026-03-01T18:30"},
    {"file_name": "b/c.wav", "emotion": None, "speaker": "8", "valence": None, "recorded_at": None},
]


def write(file: Path, rows: list[dict]) -> None:
    table = pd.DataFrame(rows)
    if file.suffix == ".csv":
        table.to_csv(file, index=False)
    elif file.suffix == ".jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    else:
        table.to_parquet(file)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_table_says_the_same_in_every_form(fill: Fill, ending: str) -> None:
    root = fill(["a.wav", "b/c.wav", "extra.wav"])
    write(root / f"metadata.{ending}", ROWS)
    scan = folder.corpus("mine").scan(root)
    first, second = scan.clips.to_dict("records")
    assert (first["file"], first["speaker"], first["emotion"], first["valence"]) == ("a.wav", "7", "joy", 0.5)
    assert str(first["recorded_at"]) == "2026-03-01 18:30:00"
    assert (second["file"], second["speaker"], second["emotion"]) == ("b/c.wav", "8", "unknown")
    assert pd.isna(second["valence"])
    assert pd.isna(second["recorded_at"])
    assert scan.left_out == (("extra.wav", f"no row in metadata.{ending}"),)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_numbers_that_name_things_stay_as_they_are_written(fill: Fill, ending: str) -> None:
    root = fill(["a.wav", "b.wav"])
    write(root / f"metadata.{ending}", [{"file_name": "a.wav", "speaker": 3}, {"file_name": "b.wav", "speaker": 12}])
    assert folder.corpus("mine").clips(root)["speaker"].to_list() == ["3", "12"]


def test_a_missing_number_does_not_change_the_others(fill: Fill) -> None:
    root = fill(["a.wav", "b.wav"])
    table = pa.table({"file_name": ["a.wav", "b.wav"], "speaker": [3, None]})
    parquet.write_table(table, root / "metadata.parquet")
    assert folder.corpus("mine").clips(root)["speaker"].to_list() == ["3", "unknown"]


def test_splits_with_a_table_each_whose_names_are_relative_to_it(fill: Fill) -> None:
    root = fill(["train/a.wav", "train/deep/b.wav", "Test/a.wav", "train/extra.wav"])
    write(
        root / "train/metadata.csv",
        [{"file_name": "a.wav", "label": "joy"}, {"file_name": "deep/b.wav", "label": "fear"}],
    )
    write(
        root / "Test/metadata.csv", [{"file_name": "a.wav", "label": "sad"}, {"file_name": "gone.wav", "label": "sad"}]
    )
    scan = folder.corpus("mine").scan(root)
    clips = scan.clips.set_index("file")
    assert clips["split"].to_dict() == {"Test/a.wav": "test", "train/a.wav": "train", "train/deep/b.wav": "train"}
    assert clips["emotion"].to_dict() == {"Test/a.wav": "sad", "train/a.wav": "joy", "train/deep/b.wav": "fear"}
    assert scan.missing == ("Test/gone.wav",)
    assert scan.left_out == (("train/extra.wav", "no row in metadata.csv"),)


def test_the_table_of_the_folder_itself_is_the_only_one_that_counts(fill: Fill) -> None:
    root = fill(["train/a.wav", "b.wav"])
    write(root / "metadata.csv", [{"file_name": "b.wav", "split": "mine"}, {"file_name": "train/a.wav", "split": ""}])
    write(root / "train/metadata.jsonl", [{"file_name": "a.wav", "emotion": "joy"}])
    clips = folder.corpus("mine").clips(root).set_index("file")
    assert clips["emotion"].to_list() == ["unknown", "unknown"]
    assert clips["split"].to_list()[0] == "mine"  # what the table says comes before the folder's name


def test_a_label_beside_an_emotion_is_a_column_like_any_other(fill: Fill) -> None:
    root = fill(["a.wav"])
    write(root / "metadata.csv", [{"file_name": "a.wav", "label": "3", "emotion": "joy"}])
    clip = folder.corpus("mine").clips(root).iloc[0]
    assert (clip["emotion"], clip["label"]) == ("joy", "3")


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_folders_are_emotions_where_there_is_no_table(fill: Fill, prefix: str) -> None:
    root = fill([f"{prefix}anger/a.wav", f"{prefix}joy/a.wav", f"{prefix}joy/b.wav", ".cache/x/y.wav"])
    scan = folder.corpus("mine").scan(root)
    assert scan.by_emotion.to_dict() == {"anger": 1, "joy": 2}
    assert set(scan.clips["speaker"]) == {"unknown"}
    assert list(scan.clips.columns) == ["file", "speaker", "emotion", *(["split"] if prefix else [])]


@pytest.mark.parametrize(
    "names",
    [
        ["joy/a.wav", "joy/b.wav"],
        ["joy/a.wav", "anger/b.wav", "c.wav"],
        ["joy/a.wav", "anger/deep/b.wav"],
        ["train/a.wav", "test/b.wav"],
        ["train/a.wav", "joy/b.wav"],
    ],
    ids=["one", "beside", "deeper", "splits alone", "split and emotion"],
)
def test_folders_that_are_no_emotions_are_refused(fill: Fill, names: list[str]) -> None:
    expected = rf"or with two or more folders .*, found no metadata\.csv \({len(names)} audio files\)"
    with pytest.raises(CorpusError, match=expected):
        folder.corpus("mine").scan(fill(names))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "metadata.jsonl",
            '{"file_name": "a.wav"}\n{"file_name"\n',
            "metadata.jsonl, line 2: expected a JSON object in UTF",
        ),
        (
            "metadata.jsonl",
            '\n["a.wav"]\n',
            "metadata.jsonl, line 2: expected a JSON object in UTF-8 (found '[\"a.wav\"]')",
        ),
        ("metadata.jsonl", '{"file_name": "\xff"}', "metadata.jsonl, line 1: expected a JSON object in UTF-8"),
        ("metadata.jsonl", "\n\n", "metadata.jsonl: expected a JSON object in each line, found no line"),
        (
            "metadata.jsonl",
            '\n{"file_name": "../a.wav"}',
            "line 2: expected a file inside the folder, found '../a.wav'",
        ),
        ("metadata.jsonl", '{"file_name": null}', "line 1: expected a file inside the folder, found ''"),
        ("metadata.jsonl", '{"file_name": "a.wav", " x": 1, "x": 2}', "the column 'x' occurs twice"),
        ("metadata.jsonl", '{"file_name": "a.wav", "recorded_at": "soon"}', "line 1: recorded_at should hold dates"),
        ("metadata.parquet", "no parquet", "metadata.parquet: expected a parquet table ("),
    ],
)
def test_a_wrong_table_is_one_clear_sentence(fill: Fill, name: str, content: str, sentence: str) -> None:
    root = fill(["a.wav"])
    (root / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(CorpusError) as caught:
        folder.corpus("mine").scan(root)
    assert sentence in str(caught.value)


def test_a_row_of_a_parquet_table_is_named_by_number(fill: Fill) -> None:
    root = fill(["a.wav"])
    write(root / "metadata.parquet", [{"file_name": "a.wav"}, {"file_name": "/etc/passwd"}])
    with pytest.raises(CorpusError, match=r"row 2: expected a file inside the folder, found '/etc/passwd'"):
        folder.corpus("mine").scan(root)


def test_two_tables_are_refused(fill: Fill) -> None:
    root = fill(["train/a.wav", "test/a.wav"])
    write(root / "train/metadata.csv", [{"file_name": "a.wav"}])
    write(root / "test/metadata.jsonl", [{"file_name": "a.wav"}])
    with pytest.raises(
        CorpusError, match=r"tables of one kind in its folders, found metadata\.csv and metadata\.jsonl"
    ):
        folder.corpus("mine").scan(root)
    write(root / "test/metadata.csv", [{"file_name": "a.wav"}])
    with pytest.raises(
        CorpusError, match=r"expected one table, found metadata\.csv and metadata\.jsonl; keep one of them"
    ):
        folder.corpus("mine").scan(root)


def test_a_folder_of_emotions_is_added_like_any_other(fill: Fill, cache: Cache) -> None:
    located, scan = catalogue.add(cache, "folder", fill(["anger/a.wav", "joy/a.wav"]), name="hub")
    assert (located.kind, len(scan.clips)) == ("folder", 2)
    assert catalogue.get(cache, "hub").classes(scan.clips["emotion"]) == ("anger", "joy")


def test_an_edited_table_in_a_split_is_seen_by_the_pages(
    fill: Fill, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard import data

    monkeypatch.setenv("SER_CACHE", str(cache.root))
    root = fill(["train/a.wav"])
    write(root / "train/metadata.jsonl", [{"file_name": "a.wav"}])
    catalogue.add(cache, "folder", root, name="hub")
    before = data.stamp()
    os.utime(root / "train/metadata.jsonl", (before + 60, before + 60))
    assert data.stamp() == before + 60
