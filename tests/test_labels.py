"""Label maps: what becomes of words, and maps of one's own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ser_core import labels
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.cli import app
from ser_core.corpora import iemocap, ravdess
from ser_core.corpora.folder import UNKNOWN
from ser_core.emotions import common_name
from ser_core.labels import MAPS, LabelError


def test_common_names_merge_nothing() -> None:
    for word in ("Colère", "happy", "calm", "wistful"):
        assert MAPS["common"].of(word) == common_name(word)


def test_calm_may_count_as_neutral() -> None:
    words = [one.split("-")[2] for one in ravdess.names()]
    table = MAPS["calm-neutral"].table(ravdess.EMOTIONS[word] for word in words)
    becomes = dict(zip(table["word"], table["emotion"], strict=True))
    assert becomes == {word: common_name(word) for word in ravdess.EMOTIONS.values()} | {"calm": "neutral"}
    assert table.groupby("emotion")["n_clips"].sum()["neutral"] == 96 + 192


def test_four_classes_take_excitement_in_and_leave_the_rest_out() -> None:
    four = MAPS["four"]
    said = {word: four.of(word) for word in ("excited", "excitement", "happy", "Sad", "angry", "neutral")}
    assert list(said.values()) == ["happiness", "happiness", "happiness", "sadness", "anger", "neutral"]
    assert [four.of(word) for word in ("calm", "fear", "frustration", "unknown", "disgust")] == [None] * 5


def test_one_of_ones_own_is_kept(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text('\ufeffword,emotion\nJoy,"bliss, pure"\nfear,\nangry,anger\n', "utf-8")
    made = labels.add(cache, "mine", file)
    file.unlink()
    again = labels.get(cache, "mine")
    assert again.words == made.words == {"joy": "bliss, pure", "fear": "", "angry": "anger"}
    assert [again.of(word) for word in ("JOY", "happy", "fearful", "angry", "colère", "sad")] == [
        *("bliss, pure", "happiness", None, "anger", "anger", "sadness")
    ]
    assert [one.name for one in labels.ls(cache)] == ["common", "calm-neutral", "four", "mine"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a UTF-8 table of two columns, word and emotion, found nothing"),
        ("a,b\n", "expected a UTF-8 table of two columns, word and emotion, found a, b"),
        ("word,emotion\n", "found no rows"),
        ("word,emotion\nx\n", "line 2: expected a word and an emotion, found x"),
        ("word,emotion\n,y\n", "line 2: expected a word and an emotion, found , y"),
        ("word,emotion\nx,y\nX,z\n", "line 3: 'x' occurs twice"),
    ],
)
def test_tables_that_will_not_do(cache: Cache, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(LabelError, match=said):
        labels.add(cache, "mine", file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LabelError, match="expected a UTF-8 table"):
        labels.add(cache, "mine", file)


@pytest.mark.parametrize("name", ["four", "../x", "Big", ""])
def test_names_that_will_not_do(cache: Cache, tmp_path: Path, name: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text("word,emotion\na,b\n")
    with pytest.raises(LabelError, match="is taken or will not do"):
        labels.add(cache, name, file)
    assert not list(cache.root.glob("labels/*"))


def test_from_the_command_line(cache: Cache, mine: Located, tmp_path: Path) -> None:
    def ser(*words: str) -> str:
        done = CliRunner().invoke(app, ["labels", *words, "--cache", str(cache.root)])
        assert done.exit_code == 0, done.output
        return done.stdout

    file = tmp_path / "table.csv"
    word = str(mine.clips()["emotion"].iloc[0])
    file.write_text(f"word,emotion\n{word},\n")
    assert "own: One's own: 1 words" in ser("add", "own", str(file))
    assert [one["name"] for one in json.loads(ser("ls", "--json"))["maps"]][-1] == "own"
    shown = json.loads(ser("show", "own", "mine", "--json"))["words"]
    counts = mine.clips()["emotion"].value_counts()
    assert {one["word"]: one["n_clips"] for one in shown} == counts.to_dict()
    assert next(one for one in shown if one["word"] == word)["emotion"] is None
    assert "(left out)" in ser("show", "own", "mine")
    refused = CliRunner().invoke(app, ["labels", "show", "none", "mine", "--cache", str(cache.root)])
    assert refused.exit_code == 1
    assert "no label map is called 'none'" in refused.output


def test_of_iemocap_four_classes_are_the_usual_5531_clips() -> None:
    """Clips of each label, of all 10,039, as they are published with the corpus."""
    n = {"neu": 1708, "fru": 1849, "ang": 1103, "sad": 1084, "exc": 1041, "hap": 595, "sur": 107, "fea": 40, "dis": 2}
    words = [iemocap.EMOTIONS[label] for label, count in (n | {"oth": 3}).items() for _ in range(count)]
    table = MAPS["four"].table([*words, *[UNKNOWN] * 2507])
    assert table["n_clips"].sum() == iemocap.IEMOCAP.n_clips
    assert table.groupby("emotion")["n_clips"].sum().to_dict() == {
        "anger": 1103, "happiness": 595 + 1041, "neutral": 1708, "sadness": 1084,
    }  # fmt: skip
    assert table.dropna()["n_clips"].sum() == 5531
