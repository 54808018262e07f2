import csv
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import tone

from ser_core import audio, catalogue, keeping
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.corpora import CorpusError
from ser_core.keeping import KeepingError, keep


def recorded(pitch: float = 300.0, *, container: str = "WAV", **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(pitch), 16_000, format=container, **options)
    return file.getvalue()


def table(root: Path) -> list[dict[str, str]]:
    with (root / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kept(cache: Cache, data: bytes, corpus: str = "clinic", **labels: str) -> Located:
    return keep(cache, data, audio.decode(data), corpus=corpus, **labels)


def test_a_kept_clip_is_a_clip_of_a_corpus(cache: Cache) -> None:
    data = recorded()
    located = kept(
        cache, data, emotion="angry", speaker="Ada", gender="female", language="es",
        recorded_at="2026-03-01T18:30", original_name="visit 3.wav",
    )  # fmt: skip
    assert located == catalogue.get(cache, "clinic")
    assert located.root == cache.root / "own" / "clinic"
    assert keeping.kept(cache) == [located]
    (clip,) = located.clips().to_dict("records")
    name = f"clip_{hashlib.sha256(data).hexdigest()[:16]}.wav"
    assert (clip["file"], clip["speaker"], clip["emotion"]) == (name, "Ada", "angry")
    assert (clip["gender"], clip["language"], clip["original_name"]) == ("female", "es", "visit 3.wav")
    assert str(clip["recorded_at"]) == "2026-03-01 18:30:00"
    assert (located.root / name).read_bytes() == data
    second = kept(cache, recorded(500), speaker="Ben")
    assert second.clips()["speaker"].tolist() in (["Ada", "Ben"], ["Ben", "Ada"])
    assert second.scan().left_out == second.scan().missing == second.scan().unreadable == ()


def test_what_is_not_given_is_unknown(cache: Cache) -> None:
    (clip,) = kept(cache, recorded()).clips().to_dict("records")
    assert (clip["speaker"], clip["emotion"]) == ("unknown", "unknown")


def test_the_same_recording_again_replaces_its_row(cache: Cache) -> None:
    root = kept(cache, recorded(), emotion="sad", speaker="Ada").root
    kept(cache, recorded(500), emotion="sad")
    kept(cache, recorded(), emotion="angry")
    rows = table(root)
    assert [(row["emotion"], row["speaker"]) for row in rows] == [("angry", ""), ("sad", "")]
    assert len(list(root.glob("clip_*"))) == 2


@pytest.mark.parametrize(
    ("container", "ending"), [("WAV", "wav"), ("FLAC", "flac"), ("OGG", "ogg"), ("MP3", "mp3"), ("AIFF", "aiff")]
)
def test_files_end_as_their_content_says_and_stay_as_they_are(cache: Cache, container: str, ending: str) -> None:
    data = recorded(container=container)
    root = kept(cache, data, original_name="clip.exe").root
    (file,) = root.glob("clip_*")
    assert (file.suffix, file.read_bytes()) == (f".{ending}", data)


def test_other_containers_are_kept_as_wav_of_what_was_heard(cache: Cache) -> None:
    data = recorded(container="AU", subtype="PCM_16")
    clip = audio.decode(data)
    (file,) = keep(cache, data, clip, corpus="clinic").root.glob("clip_*")
    sound, rate = soundfile.read(file, dtype="float32")
    assert (file.suffix, rate, soundfile.info(file).subtype) == (".wav", 16_000, "PCM_16")
    np.testing.assert_allclose(sound, clip.signal, atol=1 / 32_768)


HOSTILE = [
    '../../etc/passwd', "/etc/passwd", "..\\..\\boot.ini", "C:\\x.wav", "a,b", 'say "no"', "two\nlines", "=1+1",
    "<img src=x onerror=alert(1)>", "naïve 声 🎤", "'; DROP TABLE x;--", "NA", "nan", "null", "-", '"', ",", "\n,\"",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_back_and_is_never_a_path(cache: Cache, text: str) -> None:
    before = {path for path in cache.root.parent.rglob("*") if path.is_file()}
    located = kept(cache, recorded(), original_name=text, speaker=text, emotion=text, gender=text, language=text)
    (clip,) = located.clips().to_dict("records")
    assert {clip[name] for name in ("original_name", "speaker", "emotion", "gender", "language")} == {text.strip()}
    new = {path for path in cache.root.parent.rglob("*") if path.is_file()} - before
    assert {path.parent.relative_to(cache.root).as_posix() for path in new} <= {".", "own", "own/clinic"}
    assert sorted(path.name[:5] for path in located.root.iterdir()) == ["clip_", "metad"]


def test_control_characters_and_half_characters_are_left_out(cache: Cache) -> None:
    text = "a\x00b\x1b[31mc\r\nd\re\tf\xa0g\u202eh\ud800"
    (clip,) = kept(cache, recorded(), original_name=text).clips().to_dict("records")
    assert clip["original_name"] == "ab[31mc\nd\ne f gh?"


def test_long_texts(cache: Cache) -> None:
    (clip,) = kept(cache, recorded(), original_name="x" * 300, emotion="y" * 200).clips().to_dict("records")
    assert (len(clip["original_name"]), len(clip["emotion"])) == (200, 200)
    with pytest.raises(KeepingError, match="speaker has 201 characters; at most 200 are kept"):
        kept(cache, recorded(), speaker="z" * 201)


@pytest.mark.parametrize(
    "name", ["", "..", "../up", "/abs", "A", "a/b", "a\\b", ".hidden", "x" * 41, "with space", "é"]
)
def test_names_that_no_corpus_can_have(cache: Cache, name: str) -> None:
    with pytest.raises(CorpusError, match="should be 1 to 40 of a-z"):
        kept(cache, recorded(), corpus=name)
    assert not list(cache.root.rglob("clip_*"))


def test_clips_never_go_into_a_corpus_from_elsewhere(cache: Cache, mine: Located) -> None:
    with pytest.raises(KeepingError, match="mine is another corpus, at "):
        kept(cache, recorded(), corpus="mine")
    with pytest.raises(KeepingError, match="emodb is the name of a corpus that others have, too"):
        kept(cache, recorded(), corpus="emodb")
    assert not list(cache.root.rglob("clip_*"))
    assert not (cache.root / "own" / "mine").exists()
    assert keeping.kept(cache) == []


@pytest.mark.parametrize("time", ["yesterday", "2026-02-30", "12", "now", "01/02/2026"])
def test_times_that_are_none(cache: Cache, time: str) -> None:
    with pytest.raises(KeepingError, match=f"recorded at '{time}': expected a date such as 2026-03-01"):
        kept(cache, recorded(), recorded_at=time)
    assert not list(cache.root.rglob("clip_*"))


def test_what_was_added_by_hand_stays(cache: Cache) -> None:
    root = kept(cache, recorded(), emotion="sad").root
    rows = table(root)
    text = "\ufeffnote, valence ,file_name\n" + f'"1, ""2""",0.5,{rows[0]["file_name"]}\n' + "gone,,was_here.wav\n"
    (root / "metadata.csv").write_text(text, "utf-8")
    kept(cache, recorded(500), emotion="angry")
    located = kept(cache, recorded(), emotion="happy")
    rows = {row["file_name"]: row for row in table(root)}
    first = next(iter(rows.values()))
    assert (first["note"], first["valence"], first["emotion"]) == ('1, "2"', "0.5", "happy")
    assert rows["was_here.wav"]["note"] == "gone"
    assert list(first)[:3] == ["note", "valence", "file_name"]
    assert sorted(located.clips()["emotion"]) == ["angry", "happy"]


def test_a_name_that_was_written_otherwise_by_hand_is_the_same_file(cache: Cache) -> None:
    located = kept(cache, recorded(), emotion="sad")
    file, (row,) = located.root / "metadata.csv", table(located.root)
    file.write_text(file.read_text().replace(row["file_name"], f" ./{row['file_name']}"))
    kept(cache, recorded(), emotion="happy")
    assert [(one["file_name"], one["emotion"]) for one in table(located.root)] == [(row["file_name"], "happy")]
    assert located.clips()["emotion"].tolist() == ["happy"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00bad", "cannot be read"),
        (b'file_name,emotion\nx.wav,"open', "cannot be read"),
        (b"name,emotion\nx.wav,sad\n", "expected a column file_name"),
        (b"file_name,emotion\nx.wav,sad,more\n", "no row longer than the first"),
        (b"file_name,emotion,emotion\nx.wav,sad,\n", "each column once"),
        (b"file_name\nx.wav\nx.wav\n", "a file occurs twice"),
        (b"", "expected a column file_name"),
    ],
)
def test_a_table_that_was_damaged_is_not_written_over(cache: Cache, content: bytes, reason: str) -> None:
    root = kept(cache, recorded()).root
    (root / "metadata.csv").write_bytes(content)
    with pytest.raises(KeepingError, match=reason):
        kept(cache, recorded(500))
    assert (root / "metadata.csv").read_bytes() == content


def test_a_crash_between_audio_and_table_loses_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    root = kept(cache, recorded(), emotion="sad").root
    write = keeping.write_atomic

    def fail(path: Path, data: bytes) -> None:
        if path.name == "metadata.csv":
            raise RuntimeError("the power went")
        write(path, data)

    monkeypatch.setattr(keeping, "write_atomic", fail)
    with pytest.raises(RuntimeError):
        kept(cache, recorded(500), emotion="angry")
    monkeypatch.undo()
    located = catalogue.get(cache, "clinic")
    assert located.clips()["emotion"].tolist() == ["sad"]
    assert [why for _, why in located.scan().left_out] == ["no row in metadata.csv"]
    kept(cache, recorded(500), emotion="angry")
    assert sorted(row["emotion"] for row in table(root)) == ["angry", "sad"]
    assert located.scan().left_out == ()


def test_a_full_disk_is_one_sentence(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "write_atomic", full)
    with pytest.raises(KeepingError, match=r"own.clinic \(No space left on device\)"):
        kept(cache, recorded())


def test_two_at_once_lose_nothing(cache: Cache) -> None:
    sounds = [recorded(200 + 10 * number) for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda data: kept(cache, data, emotion="sad"), sounds))
    located = catalogue.get(cache, "clinic")
    assert len(located.clips()) == len(table(located.root)) == 12


def test_leftovers_of_a_killed_program_are_swept(cache: Cache) -> None:
    root = kept(cache, recorded()).root
    left = root / ".half.tmp"
    left.write_bytes(b"x")
    os.utime(left, (0, 0))
    assert cache.sweep() == ["removed the leftover .half.tmp"]
    assert len(list(root.glob("clip_*"))) == 1
