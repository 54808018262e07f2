import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from ser_core import catalogue, dates
from ser_core.cache import Cache
from ser_core.corpora import KINDS, CorpusError, cafe, emodb, folder, ravdess
from ser_core.corpora.base import COLUMNS

Fill = Callable[..., Path]


def test_ravdess_names_say_everything(fill: Fill) -> None:
    root = fill(["deep/Actor_12/03-01-06-02-01-02-12.wav", "deep/Actor_01/03-01-01-01-02-01-01.wav"])
    clips = ravdess.RAVDESS.clips(root)
    assert tuple(clips.columns[:3]) == COLUMNS
    assert clips.to_dict("records") == [
        {
            "file": "deep/Actor_01/03-01-01-01-02-01-01.wav", "speaker": "01", "emotion": "neutral", "gender": "male",
            "intensity": "normal", "statement": "Dogs are sitting by the door", "repetition": 1, "language": "English",
        },
        {
            "file": "deep/Actor_12/03-01-06-02-01-02-12.wav", "speaker": "12", "emotion": "fearful", "gender": "female",
            "intensity": "strong", "statement": "Kids are talking by the door", "repetition": 2, "language": "English",
        },
    ]  # fmt: skip


def test_ravdess_leaves_out_song_doubles_and_strangers_and_says_why(fill: Fill) -> None:
    root = fill(
        [
            "a/Actor_01/03-01-05-01-01-01-01.wav",
            "b/Actor_01/03-01-05-01-01-01-01.wav",
            "Actor_01/03-02-05-01-01-01-01.wav",
            "Actor_01/notes.wav",
            ".hidden/03-01-05-01-01-02-01.wav",
            "03-01-09-01-01-01-01.wav",
        ]
    )
    scan = ravdess.RAVDESS.scan(root)
    assert list(scan.clips["file"]) == ["a/Actor_01/03-01-05-01-01-01-01.wav"]
    assert dict(scan.left_out) == {
        "b/Actor_01/03-01-05-01-01-01-01.wav": "the same name as a/Actor_01/03-01-05-01-01-01-01.wav",
        "Actor_01/03-02-05-01-01-01-01.wav": "not audio-only speech (song or video)",
        "Actor_01/notes.wav": "not a RAVDESS name",
        "03-01-09-01-01-01-01.wav": "a code that RAVDESS does not have",
    }
    assert (scan.expected, scan.n_missing, len(scan.missing)) == (1440, 1439, 1439)
    assert "03-01-05-01-01-01-01" not in scan.missing


def test_complete_corpora_have_as_many_names_as_they_say() -> None:
    assert len(set(ravdess.names())) == ravdess.RAVDESS.n_clips
    assert len(set(cafe.names())) == cafe.CAFE.n_clips


def test_emodb_with_its_listening_test(fill: Fill) -> None:
    root = fill(["wav/03a01Fa.wav", "wav/16b10Wb.wav", "wav/99a01Fa.wav"])
    text = "Nr.\tSatz\terkannt\tnatuerlich\n1\xa0\xa0\t03a01Fa.wav\t90,00\xa0\xa0\t75,50\xa0\n\n"
    (root / "erkennung.txt").write_bytes(text.encode("latin-1"))
    scan = emodb.EMODB.scan(root)
    happy, angry = scan.clips.to_dict("records")
    assert (happy["speaker"], happy["emotion"], happy["gender"], happy["statement"]) == (
        "03",
        "happiness",
        "male",
        "a01",
    )
    assert (happy["recognised"], happy["natural"]) == (0.9, 0.755)
    assert (angry["speaker"], angry["emotion"], angry["gender"]) == ("16", "anger", "female")
    assert np.isnan(angry["recognised"])
    assert scan.left_out == (("wav/99a01Fa.wav", "not an EmoDB name"),)


def test_a_broken_listening_test_is_named_by_line(fill: Fill) -> None:
    root = fill(["wav/03a01Fa.wav"])
    (root / "erkennung.txt").write_text("head\n1\t03a01Fa.wav\tmany\tfew\n")
    with pytest.raises(CorpusError, match=r"erkennung\.txt, line 2: expected number, file, percent, percent"):
        emodb.EMODB.scan(root)


def test_cafe_with_and_without_intensity(fill: Fill) -> None:
    root = fill(["Colère/Faible/01-C-1-3.wav", "Dégoût/Fort/02-D-2-6.wav", "Neutre/12-N-4.wav"])
    rows = {row["file"]: row for row in cafe.CAFE.clips(root).to_dict("records")}
    weak, strong, neutral = (rows[name] for name in sorted(rows))
    assert (weak["emotion"], weak["intensity"], weak["gender"], weak["statement"]) == ("colère", "weak", "male", "3")
    assert (strong["emotion"], strong["intensity"], strong["gender"]) == ("dégoût", "strong", "female")
    assert (neutral["emotion"], neutral["speaker"]) == ("neutre", "12")
    assert neutral["intensity"] is None or np.isnan(neutral["intensity"])
    scan = cafe.CAFE.scan(root)
    assert (len(scan.missing), scan.n_missing) == (933, 933)


@pytest.mark.parametrize("kind", ["ravdess", "emodb", "cafe"])
def test_a_wrong_folder_says_what_was_expected_and_found(fill: Fill, kind: str) -> None:
    root = fill(["some.wav", "other.wav"])
    with pytest.raises(CorpusError, match=r"expected .*, found 2 audio files.*other\.wav, some\.wav"):
        KINDS[kind].scan(root)
    with pytest.raises(CorpusError, match="found nothing there"):
        KINDS[kind].scan(root / "absent")
    with pytest.raises(CorpusError, match="found a file"):
        KINDS[kind].scan(root / "some.wav")


def test_unreadable_clips_are_named_with_their_reason(fill: Fill) -> None:
    root = fill(["wav/03a01Fa.wav", "wav/03a01Wa.wav"])
    (root / "wav/03a01Wa.wav").write_bytes(b"")
    scan = emodb.EMODB.scan(root)
    assert scan.unreadable == (("wav/03a01Wa.wav", "the file is empty (0 bytes)"),)
    assert len(scan.clips) == 2


def test_counts_by_emotion_and_speaker(fill: Fill) -> None:
    scan = emodb.EMODB.scan(fill(["03a01Fa.wav", "03a01Wa.wav", "08a01Wa.wav"]))
    assert scan.by_emotion.to_dict() == {"anger": 2, "happiness": 1}
    assert scan.by_speaker.to_dict() == {"03": 2, "08": 1}


def own(fill: Fill, csv: str, names: Iterable[str] = ("a.wav", "b/c.wav")) -> Path:
    root = fill(names)
    (root / "metadata.csv").write_text(csv, encoding="utf-8")
    return root


def test_a_folder_of_ones_own(fill: Fill) -> None:
    csv = (
        "\ufefffile_name,emotion,speaker,valence,recorded_at,mood\n"
        "a.wav,joy,me,0.5,2026-03-01T18:30,<b>good</b>\nb/c.wav,,me,,2026-03-02,\nd.wav,sad,me,,,\n"
    )
    scan = folder.corpus("mine").scan(own(fill, csv, ["a.wav", "b/c.wav", "extra.wav"]))
    first, second = scan.clips.to_dict("records")
    assert (first["file"], first["emotion"], first["speaker"], first["valence"]) == ("a.wav", "joy", "me", 0.5)
    assert str(first["recorded_at"]) == "2026-03-01 18:30:00"
    assert first["mood"] == "<b>good</b>"
    assert second["emotion"] == "unknown"
    assert scan.missing == ("d.wav",)
    assert scan.n_missing == 1
    assert scan.left_out == (("extra.wav", "no row in metadata.csv"),)
    assert scan.expected is None


@pytest.mark.parametrize(
    ("csv", "sentence"),
    [
        ("name,emotion\na.wav,sad\n", "expected a column file_name, found name, emotion"),
        ("file_name,file\na.wav,x\n", "a column named file is kept for the program"),
        ("file_name\n../secret.wav\n", "line 2: expected a file inside the folder, found '../secret.wav'"),
        ("file_name\na.wav\n/etc/passwd\n", "line 3: expected a file inside the folder, found '/etc/passwd'"),
        ("file_name\na.wav\n./a.wav\n", "'a.wav' occurs twice"),
        ("file_name, emotion,emotion\na.wav,x,y\n", "the column 'emotion' occurs twice"),
        ("file_name,corpus\na.wav,x\n", "a column named corpus is kept for the program"),
        ("file_name\n\0a.wav\n", ""),
        ("file_name,valence\na.wav,high\n", "column valence should hold numbers"),
        (
            'file_name,mood,recorded_at\na.wav,"so\n\nso",2026-03-01\n\nb/c.wav,,yesterday\n',
            "metadata.csv, line 6: recorded_at should hold dates such as 2026-03-01 or 2026-03-01T18:30, found 'yester",
        ),
        ("file_name,recorded_at\na.wav,now\n", "line 2: recorded_at should hold dates"),
        ("file_name\n\n\na.wav\n../b.wav\n", "line 5: expected a file inside the folder"),
        ("file_name\nz.wav\n", "found 1 rows but none of their files"),
        ("", "expected a UTF-8 table"),
    ],
)
def test_a_wrong_metadata_file_is_one_clear_sentence(fill: Fill, csv: str, sentence: str) -> None:
    with pytest.raises(CorpusError, match=r".*") as caught:
        folder.corpus("mine").scan(own(fill, csv))
    assert sentence in str(caught.value)


def test_times_count_by_their_own_clock_whatever_their_zones(fill: Fill) -> None:
    files = ["a.wav", "b.wav", "c.wav", "d.wav", "e.wav"]
    times = ["2026-03-28T08:15+01:00", "2026-03-29T08:15+02:00", "2026-03-30 08:15", "", " 2026-04-01T08:15Z"]
    root = fill(files)
    rows = "".join(f"{file},{at}\n" for file, at in zip(files, times, strict=True))
    (root / "metadata.csv").write_text("file_name,recorded_at\n" + rows)
    clips = folder.corpus("mine").scan(root).clips.set_index("file")
    assert clips["recorded_at"].dtype.kind == "M"  # one column of times without zone
    said = clips["recorded_at"].dt.strftime("%d %H:%M")
    assert list(said.fillna("-")) == ["28 08:15", "29 08:15", "30 08:15", "-", "01 08:15"]
    found, source = dates.when(clips.reset_index())
    assert source == "recorded_at"
    assert list(found.dropna()) == list(clips["recorded_at"].dropna())


def test_words_that_look_like_nothing_are_names(fill: Fill) -> None:
    scan = folder.corpus("mine").scan(own(fill, "file_name,speaker,emotion\n./a.wav,NA,null\nb/c.wav,None,\n"))
    assert list(scan.clips["speaker"]) == ["NA", "None"]
    assert list(scan.clips["emotion"]) == ["null", "unknown"]


def test_file_names_that_are_not_utf8_are_named(fill: Fill) -> None:
    root = fill(["wav/03a01Fa.wav"])
    (root / "wav/03a01Fa.wav").rename(os.fsdecode(os.fsencode(root) + b"/Col\xe8re.wav"))
    with pytest.raises(CorpusError, match=r"the file name 'Col.udce8re\.wav' is not UTF-8"):
        emodb.EMODB.scan(root)


def test_a_home_that_is_not_there_is_one_sentence(cache: Cache) -> None:
    with pytest.raises(CorpusError, match="write the folder out in full"):
        catalogue.add(cache, "emodb", Path("~nobody-here/corpus"))


def test_a_folder_without_metadata_says_so(fill: Fill) -> None:
    with pytest.raises(CorpusError, match=r"found no metadata\.csv \(1 audio files\)"):
        folder.corpus("mine").scan(fill(["a.wav"]))


def test_the_library_remembers_and_forgets(cache: Cache, fill: Fill) -> None:
    root = fill(["03a01Fa.wav"])
    catalogue.add(cache, "emodb", root)
    catalogue.add(cache, "emodb", root)
    catalogue.add(cache, "emodb", root, name="berlin")
    assert [one.name for one in catalogue.ls(cache)] == ["berlin", "emodb"]
    assert catalogue.get(cache, "berlin").root == root
    catalogue.remove(cache, "emodb")
    assert [one.name for one in catalogue.ls(cache)] == ["berlin"]
    with pytest.raises(CorpusError, match="no corpus named 'emodb' \\(there are: berlin\\)"):
        catalogue.get(cache, "emodb")


def test_a_name_is_not_taken_twice(cache: Cache, fill: Fill, tmp_path: Path) -> None:
    root = fill(["one/03a01Fa.wav", "two/03a01Fa.wav"])
    catalogue.add(cache, "emodb", root / "one")
    with pytest.raises(CorpusError, match="the name emodb is taken by"):
        catalogue.add(cache, "emodb", root / "two")


@pytest.mark.parametrize("name", ["../up", "With Space", "", "a" * 41, "a,b"])
def test_names_are_plain_words(cache: Cache, fill: Fill, name: str) -> None:
    root = fill(["03a01Fa.wav"])
    if name:
        with pytest.raises(CorpusError, match="should be 1 to 40 of"):
            catalogue.add(cache, "emodb", root, name=name)
    with pytest.raises(CorpusError, match="unknown corpus"):
        catalogue.add(cache, "enterface", root)


@pytest.mark.data
def test_real_corpora_are_complete(data: Path) -> None:
    speech, berlin = KINDS["ravdess"].scan(data / "ravdess"), KINDS["emodb"].scan(data / "emodb")
    assert (len(speech.clips), speech.missing, speech.unreadable, speech.left_out) == (1440, (), (), ())
    assert (len(berlin.clips), berlin.n_missing, berlin.unreadable, berlin.left_out) == (535, 0, (), ())
    assert speech.by_speaker.eq(60).all()
    assert berlin.by_emotion.to_dict() == {
        "anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "neutral": 79, "sadness": 62,
    }  # fmt: skip
    assert berlin.clips["recognised"].between(0, 1).all()
    assert berlin.clips["recognised"].mean() > 0.8
