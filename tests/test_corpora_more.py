"""IEMOCAP, SAVEE, CREMA-D and TESS on miniature trees in their official layouts, with their quirks."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_core import audio, catalogue, embeddings, emotions
from ser_core.cache import Cache
from ser_core.corpora import KINDS, CorpusError, cremad, iemocap, savee, tess
from ser_core.geometry.targets import targets

Fill = Callable[..., Path]

HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
TURNS = HEAD + (
    "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
    "C-E2:\tNeutral state;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
    "[10.0100 - 11.3925]\tSes01F_impro01_M003\texc\t[4.0000, 5.0000, 3.5000]\nC-E2:\tExcited;\t(d\xe9j\xe0)\n"
    "[11.5000 - 12.0000]\tSes01F_impro01_M004\txxx\t[1.0000, 5.5000, 0.5000]\n"
    "[12.5000 - 13.0000]\tSes01F_impro01_M005\toth\t[3.0000, 3.0000, 3.0000]\n"
)
WAV = "Session1/sentences/wav/Ses01F_impro01/"


def sessions(fill: Fill, text: str = TURNS, names: tuple[str, ...] = ("F000", "M003", "M004", "M005")) -> Path:
    root = fill(f"{WAV}Ses01F_impro01_{name}.wav" for name in names)
    file = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    (file.parent / "Categorical").mkdir(parents=True)
    file.write_bytes(text.encode("latin-1"))
    (file.parent / "Categorical" / "Ses01F_impro01_e2_cat.txt").write_text("[broken")
    file.with_name("._Ses01F_impro01.txt").write_bytes(b"\0\5\26\7\n[no text\n")
    return root


def test_iemocap_speakers_are_those_who_speak(fill: Fill) -> None:
    clips = iemocap.IEMOCAP.clips(sessions(fill)).set_index("file")
    assert clips.loc[f"{WAV}Ses01F_impro01_F000.wav"].to_dict() == {
        "speaker": "Ses01F", "emotion": "neutral state", "gender": "female", "session": "Session1",
        "dialog_kind": "improvised", "language": "English", "valence": 2.5, "arousal": 2.5, "dominance": 2.5,
    }  # fmt: skip
    man = clips.loc[f"{WAV}Ses01F_impro01_M003.wav"]  # in a dialog where the woman wore the markers
    assert (man["speaker"], man["gender"], man["emotion"]) == ("Ses01M", "male", "excited")
    assert (man["valence"], man["arousal"], man["dominance"]) == (4.0, 5.0, 3.5)


def test_iemocap_turns_without_agreement_are_kept_as_unknown(fill: Fill) -> None:
    scan = iemocap.IEMOCAP.scan(sessions(fill))
    assert scan.by_emotion.to_dict() == {"excited": 1, "neutral state": 1, "other": 1, "unknown": 1}
    assert scan.left_out == ()
    assert (scan.expected, scan.n_missing) == (10_039, 10_035)


def test_iemocap_ratings_beyond_their_scale_are_not_given(fill: Fill) -> None:
    clips = iemocap.IEMOCAP.clips(sessions(fill))
    assert clips["valence"].to_list() == [2.5, 4.0, 1.0, 3.0]
    assert clips["arousal"].isna().to_list() == [False, False, True, False]
    found = targets(clips)
    assert found.scale == "rated, read as a scale from 1 to 5"
    np.testing.assert_allclose(found.values[:2], [[-0.25, -0.25], [0.5, 1.0]])


def test_iemocap_scripted_turns_dialogs_doubles_and_what_has_no_label(fill: Fill) -> None:
    root = sessions(fill, names=("F000", "M003", "M004", "F077"))
    fill(
        [
            "Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_F012.wav",
            "Session1/dialog/wav/Ses01F_impro01.wav",
            "Session1/dialog/wav/Ses01F_script01_1.wav",
            f"{WAV}._Ses01F_impro01_F000.wav",
        ]
    )
    scripted = root / "Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt"
    scripted.parent.mkdir(parents=True)
    scripted.write_text(HEAD + "[0.1000 - 2.0000]\tSes05M_script01_1b_F012\tfru\t[2.0000, 3.3333, 3.0000]\n")
    scan = iemocap.IEMOCAP.scan(root)
    clip = scan.clips.iloc[-1]
    assert (clip["speaker"], clip["dialog_kind"], clip["emotion"]) == ("Ses05F", "scripted", "frustration")
    assert clip["arousal"] == 3.3333
    assert scan.missing == ("Ses01F_impro01_M005",)
    assert dict(scan.left_out) == {
        "Session1/dialog/wav/Ses01F_impro01.wav": "not the name of an IEMOCAP turn",
        "Session1/dialog/wav/Ses01F_script01_1.wav": "not the name of an IEMOCAP turn",
        f"{WAV}Ses01F_impro01_F077.wav": "no label in dialog/EmoEvaluation",
    }


@pytest.mark.parametrize(
    "line",
    [
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tjoy\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5, 2.5, 2.5]",
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu",
    ],
)
def test_a_broken_iemocap_label_is_named_by_line(fill: Fill, line: str) -> None:
    expected = (
        r"Ses01F_impro01\.txt, line 3: expected \[start - end\], turn, a label .*, tabs between, found '\[6\.2901"
    )
    with pytest.raises(CorpusError, match=expected):
        iemocap.IEMOCAP.clips(sessions(fill, HEAD + line + "\n"))


def test_iemocap_without_labels_is_refused(fill: Fill) -> None:
    with pytest.raises(CorpusError, match=r"expected SessionN/sentences/wav/.* found 1 audio files"):
        iemocap.IEMOCAP.clips(fill([f"{WAV}Ses01F_impro01_F000.wav"]))


def test_savee_in_folders_and_flat_are_the_same_clips(fill: Fill) -> None:
    folders = fill(["AudioData/DC/a01.wav", "AudioData/JE/a01.wav", "AudioData/KL/sa15.wav", "AudioData/KL/n30.wav"])
    rows = savee.SAVEE.clips(folders).to_dict("records")
    assert rows[0] == {
        "file": "AudioData/DC/a01.wav", "speaker": "DC", "emotion": "anger", "gender": "male", "statement": "a01",
        "language": "English",
    }  # fmt: skip
    said = [(row["speaker"], row["emotion"], row["statement"]) for row in rows]
    assert said[1:] == [("JE", "anger", "a01"), ("KL", "neutral", "n30"), ("KL", "sadness", "sa15")]
    assert len(savee.SAVEE.scan(folders).missing) == 476
    fill(["ALL/DC_a01.wav", "ALL/JK_su07.wav"])
    scan = savee.SAVEE.scan(folders)
    assert scan.left_out == (("AudioData/DC/a01.wav", "the same name as ALL/DC_a01.wav"),)
    assert scan.clips["emotion"].to_list() == ["anger", "surprise", "anger", "neutral", "sadness"]
    assert "JK_su07" not in scan.missing
    assert "JK_su08" in scan.missing


def test_savee_leaves_out_what_it_does_not_have_and_says_why(fill: Fill) -> None:
    scan = savee.SAVEE.scan(fill(["DC/a01.wav", "DC/a16.wav", "DC/x01.wav", "XX_a01.wav", "DC/notes.wav", "a02.wav"]))
    assert len(scan.clips) == 1
    code, name = "a code that SAVEE does not have", "not a SAVEE name"
    assert dict(scan.left_out) == {
        "DC/a16.wav": code, "DC/x01.wav": code, "XX_a01.wav": code, "DC/notes.wav": name, "a02.wav": name,
    }  # fmt: skip


def test_savee_has_as_many_names_as_it_says() -> None:
    assert len(savee.NAMES) == savee.SAVEE.n_clips == 480
    assert sum("_n" in name for name in savee.NAMES) == 4 * 30


def test_cremad_names_say_everything(fill: Fill) -> None:
    root = fill(["AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_IEO_HAP_HI.wav", "AudioWAV/1040_ITH_SAD_X.wav"])
    clips = cremad.CREMAD.clips(root)
    first, second, third = clips.drop(columns="intensity").to_dict("records")
    assert first == {
        "file": "AudioWAV/1001_DFA_ANG_XX.wav", "speaker": "1001", "emotion": "anger",
        "statement": "Don't forget a jacket", "language": "English",
    }  # fmt: skip
    assert (second["speaker"], second["emotion"], second["statement"]) == ("1002", "happy", "It's eleven o'clock")
    assert third["emotion"] == "sad"
    assert clips["intensity"].fillna("-").to_list() == ["-", "high", "-"]


def test_cremad_takes_the_wav_of_each_clip_and_says_what_it_leaves(fill: Fill) -> None:
    wav, mp3 = "AudioWAV/1001_DFA_ANG_XX.wav", "AudioMP3/1001_DFA_ANG_XX.mp3"
    scan = cremad.CREMAD.scan(fill([wav, mp3, "AudioWAV/1001_DFA_JOY_XX.wav", "AudioWAV/notes.wav"]))
    assert scan.clips["file"].to_list() == [wav]
    assert dict(scan.left_out) == {
        mp3: "not the WAV file: the MP3 copies, made for the raters, are blank in places",
        "AudioWAV/1001_DFA_JOY_XX.wav": "a code that CREMA-D does not have",
        "AudioWAV/notes.wav": "not a CREMA-D name",
    }
    assert (scan.expected, scan.n_missing) == (7442, 7441)


def test_cremad_with_its_table_of_actors(fill: Fill) -> None:
    root = fill(["AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_DFA_ANG_XX.wav", "AudioWAV/1003_DFA_ANG_XX.wav"])
    table = "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n1002,21,Female,Asian,Not Hispanic\n"
    (root / "VideoDemographics.csv").write_text(table)
    clips = cremad.CREMAD.clips(root)
    assert clips["gender"].to_list()[:2] == ["male", "female"]
    assert clips["age"].to_list()[:2] == [51, 21]
    assert clips[["gender", "age"]].iloc[2].isna().all()
    assert not {"race", "ethnicity"} & {column.lower() for column in clips.columns}


@pytest.mark.parametrize(
    "table", ["ActorID,Age\n1001,51\n", "ActorID,Age,Sex\n1001,old,Male\n", "ActorID,Age,Sex\n1001\n"]
)
def test_a_wrong_table_of_actors_is_one_clear_sentence(fill: Fill, table: str) -> None:
    root = fill(["AudioWAV/1001_DFA_ANG_XX.wav"])
    (root / "VideoDemographics.csv").write_text(table)
    with pytest.raises(CorpusError, match=r"VideoDemographics\.csv: expected columns ActorID, Age and Sex.* delete it"):
        cremad.CREMAD.clips(root)


def test_the_silent_clip_of_cremad_is_kept_and_fails_by_name(fill: Fill, cache: Cache, encoder) -> None:
    silent = "AudioWAV/1076_MTI_SAD_XX.wav"
    root = fill(["AudioWAV/1001_DFA_ANG_XX.wav", silent])
    soundfile.write(root / silent, np.zeros(8000), 16_000)
    located, scan = catalogue.add(cache, "crema-d", root)
    assert silent in set(scan.clips["file"])
    assert scan.unreadable == ()
    found = embeddings.embed(located, encoder, cache=cache)
    assert found.clips["file"].to_list() == ["AudioWAV/1001_DFA_ANG_XX.wav"]
    ((file, reason),) = found.failures[["file", "reason"]].to_numpy().tolist()
    assert file == silent
    assert "the clip is silent" in reason


def test_a_cremad_download_without_its_audio_is_unreadable(fill: Fill) -> None:
    root = fill(["AudioWAV/1001_DFA_ANG_XX.wav"])
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 72888\n"
    (root / "AudioWAV/1001_DFA_ANG_XX.wav").write_text(pointer)
    ((file, reason),) = cremad.CREMAD.scan(root).unreadable
    assert file == "AudioWAV/1001_DFA_ANG_XX.wav"
    assert "not audio that can be read here" in reason


def test_tess_names_say_everything(fill: Fill) -> None:
    names = [
        "OAF_angry/OAF_back_angry.wav",
        "OAF_neutral/OA_bite_neutral.wav",
        "YAF_pleasant_surprised/YAF_food_ps.wav",
    ]
    back, bite, food = tess.TESS.clips(fill(names)).to_dict("records")
    assert back == {
        "file": names[0], "speaker": "OAF", "emotion": "angry", "gender": "female", "age": 64,
        "statement": "Say the word back", "language": "English",
    }  # fmt: skip
    assert (bite["file"], bite["speaker"], bite["emotion"]) == (names[1], "OAF", "neutral")
    assert (food["speaker"], food["age"], food["emotion"]) == ("YAF", 26, "pleasant surprise")


def test_tess_counts_doubles_once_and_leaves_out_strangers(fill: Fill) -> None:
    names = ["a/OAF_bite_neutral.wav", "b/OA_bite_neutral.wav", "b/MAF_bite_sad.wav", "b/YAF_bite_bored.wav"]
    scan = tess.TESS.scan(fill(names))
    assert scan.clips["file"].to_list() == names[:1]
    assert dict(scan.left_out) == {
        "b/OA_bite_neutral.wav": "the same name as a/OAF_bite_neutral.wav",
        "b/MAF_bite_sad.wav": "not a TESS name",
        "b/YAF_bite_bored.wav": "a code that TESS does not have",
    }


@pytest.mark.parametrize(("container", "rate"), [("AIFF", 24_414), ("WAV", 96_000)])
def test_tess_files_of_other_formats_and_rates_are_read(fill: Fill, container: str, rate: int) -> None:
    root = fill(["YAF_fear/YAF_neat_fear.wav"])
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    data = io.BytesIO()
    soundfile.write(data, tone, rate, format=container, subtype="PCM_16")
    (root / "YAF_fear/YAF_neat_fear.wav").write_bytes(data.getvalue())
    assert tess.TESS.scan(root).unreadable == ()
    clip = audio.decode(root / "YAF_fear/YAF_neat_fear.wav")
    assert (clip.info.container, clip.info.sampling_rate) == (container, rate)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert len(clip.signal) == 16_000
    assert np.abs(clip.signal - expected)[200:-200].max() < 1e-3


def test_pleasant_surprise_is_not_taken_for_surprise() -> None:
    assert emotions.common_name("pleasant surprise") == "pleasant surprise"
    assert emotions.common_name(savee.EMOTIONS["su"]) == "surprise"


@pytest.mark.parametrize("kind", ["iemocap", "crema-d", "savee", "tess"])
def test_a_wrong_folder_and_a_right_name(fill: Fill, cache: Cache, kind: str) -> None:
    with pytest.raises(CorpusError, match=r"expected .*, found 2 audio files.*other\.wav, some\.wav"):
        catalogue.add(cache, kind, fill(["some.wav", "other.wav"]))
    card = KINDS[kind]
    assert card.name == kind
    assert card.n_clips is not None
    assert card.n_speakers is not None
    assert all((card.title, card.language, card.licence, card.citation, card.emotions))
