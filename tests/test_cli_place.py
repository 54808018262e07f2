import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import Moments, tone
from typer.testing import CliRunner

from ser_core import answers, catalogue, embeddings, jobs, placement, unseen
from ser_core.cache import Cache
from ser_core.catalogue import Located
from ser_core.cli import app
from ser_core.encoders import ENCODERS
from ser_core.store import key

CORPUS = ("--corpus", "mine", "--encoder", "moments")


@pytest.fixture
def clips(cache: Cache, mine: Located, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(ENCODERS, "moments", Moments())
    embeddings.embed(mine, Moments(), cache=cache)
    folder = tmp_path / "clips"
    folder.mkdir()
    soundfile.write(folder / "one.wav", tone(210, 0.25), 16_000)
    soundfile.write(folder / "stereo.flac", np.stack([tone(420, 5.0, rate=44_100)] * 2, axis=1), 44_100)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "words.mp3").write_text("these are words")
    return folder


def run(cache: Cache, *arguments: object) -> Any:
    return CliRunner().invoke(app, ["place", *map(str, arguments), "--cache", str(cache.root)])


def answer(cache: Cache, *arguments: object) -> dict[str, Any]:
    done = run(cache, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_command_says_what_the_library_says(cache: Cache, clips: Path) -> None:
    said = answer(cache, clips / "one.wav", clips / "stereo.flac", *CORPUS)
    assert said["corpora"] == ["mine"]
    atlas = placement.atlas("mine", "moments", cache=cache)
    for one, name in zip(said["files"], ("one.wav", "stereo.flac"), strict=True):
        assert one == {"file": str(clips / name)} | atlas.place(clips / name).summary()
    assert said["files"][0]["path"] is None
    assert len(said["files"][1]["path"]) == 7
    assert said["check"]["checked_on"] == "unseen speakers"


def test_options_reach_the_map_and_the_plane(cache: Cache, clips: Path, make_folder: Callable[..., Path]) -> None:
    located, _ = catalogue.add(cache, "folder", make_folder("other"), name="other")
    embeddings.embed(located, Moments(), cache=cache)
    options = ("--dimensions", 2, "--layer", 0, "--scaling", "centre", "--teacher", "other")
    (said,) = answer(cache, clips / "one.wav", *CORPUS, *options)["files"]
    expected = {"layer": 0, "method": "pca", "n_components": 2, "scaling": "centre", "seed": 0}
    assert {name: said["map"][name] for name in expected} == expected
    assert len(said["point"]) == 2
    assert said["plane"]["learnt_from"] == "other"
    (said,) = answer(cache, clips / "one.wav", "--corpus", "mine,other", "--encoder", "moments")["files"]
    assert said["corpora"] == ["mine", "other"]


def test_a_bad_file_is_a_sentence_and_the_others_go_on(cache: Cache, clips: Path) -> None:
    files = [clips / name for name in ("empty.wav", "one.wav", "words.mp3", "absent.wav")]
    done = run(cache, *files, *CORPUS, "--json")
    assert done.exit_code == 1
    said = json.loads(done.stdout)["files"]
    assert [one.get("problem") for one in said] == ["empty", None, "not audio", "missing"]
    assert said[0] == {
        "file": str(files[0]), "error": f"{files[0]}: the file is empty (0 bytes)", "problem": "empty",
    }  # fmt: skip
    assert said[1]["named"]["mahalanobis"] == "anger"
    for one in (said[0], said[2], said[3]):
        assert f"Error: {one['error']}" in done.stderr.replace("\n", "")
    assert "Traceback" not in done.output
    alone = run(cache, clips / "empty.wav", *CORPUS)
    assert alone.exit_code == 1
    assert "the file is empty" in alone.stderr


def test_limits(cache: Cache, clips: Path) -> None:
    done = run(cache, clips / "stereo.flac", *CORPUS, "--json", "--max-minutes", 0.05)
    assert json.loads(done.stdout)["files"][0]["problem"] == "too long"
    done = run(cache, clips / "stereo.flac", *CORPUS, "--json", "--max-mb", 0.1)
    assert json.loads(done.stdout)["files"][0]["problem"] == "too large"
    taken = answer(cache, clips / "stereo.flac", *CORPUS, "--max-minutes", 0.1, "--max-mb", 0.5)
    assert taken["files"][0]["clip"]["seconds"] == 5.0
    assert run(cache, clips / "one.wav", *CORPUS, "--max-mb", 0).exit_code == 2


def test_a_clip_that_the_encoder_refuses(cache: Cache, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise placement.PlacementError("too short for this encoder")

    monkeypatch.setattr(answers, "vectors", refuse)
    done = run(cache, clips / "one.wav", *CORPUS, "--json")
    (said,) = json.loads(done.stdout)["files"]
    assert (done.exit_code, said["problem"]) == (1, "not encodable")
    assert said["error"] == f"{clips / 'one.wav'}: too short for this encoder"


def test_people_get_short_lines_with_units(cache: Cache, clips: Path) -> None:
    text = run(cache, clips / "stereo.flac", clips / "one.wav", *CORPUS).stdout
    assert re.search(r"5\.00 s, FLAC \(.*\), 44\.1 kHz, 2 channels; peak -\d+\.\d dB, level -\d+\.\d dB", text)
    assert "2 channels averaged, resampled from 44.1 kHz to 16 kHz" in text
    assert re.search(r"lands at -?\d+\.\d\d, -?\d+\.\d\d, -?\d+\.\d\d on the map \(PCA, 3-D; exact\)", text)
    assert re.search(r"valence [+-]\d\.\d\d ± \d\.\d\d, arousal [+-]\d\.\d\d ± .*learnt from mine", text)
    assert re.search(r"over time: 7 windows of 2\.0 s, valence [+-]\d\.\d\d to [+-]", text)
    assert "nearest emotion: anger by distance, anger by ten nearest clips, anger by support vector machine" in text
    assert re.search(r"further from every emotion than \d+ % of the corpus's own clips", text)
    assert "How often this is right for the 4 speakers of the corpus, each left out in turn:" in text
    assert re.search(r"chance +0\.333", text)
    assert "Not told: what is unusual about a voice is told from eGeMAPS values" in text
    assert text.count("nearest clips ") == 2 + 1
    assert max(map(len, text.replace(str(clips), "").splitlines())) <= 200


def test_a_recording_of_the_corpus_and_an_outlier_are_said(cache: Cache, clips: Path, mine: Located) -> None:
    text = run(cache, mine.root / "sad_0_1.wav", *CORPUS).stdout
    assert "This very recording is in the corpus: mine, sad_0_1.wav (sadness);\nwhat is said below was learnt" in text
    noise = np.random.default_rng(0).normal(size=16_000) * 0.2
    soundfile.write(clips / "noise.wav", noise, 16_000)
    text = run(cache, clips / "noise.wav", *CORPUS).stdout
    assert "unlike this corpus: further from every emotion than 100 % of the corpus's own clips" in text


def test_without_labels_a_clip_still_lands(cache: Cache, clips: Path, mine: Located) -> None:
    table = pd.read_csv(mine.root / "metadata.csv").assign(emotion="unknown")
    table.to_csv(mine.root / "metadata.csv", index=False)
    text = run(cache, clips / "one.wav", *CORPUS).stdout
    assert "lands at" in text
    assert "nearest emotion" not in text
    assert "Not told: 0 of 48 clips have a known emotion" in text
    said = answer(cache, clips / "one.wav", *CORPUS)
    assert (said["check"], said["files"][0]["plane"]) == (None, None)


def test_the_check_is_the_job_that_pages_start(cache: Cache, clips: Path) -> None:
    store = key(embeddings.full_recipe(Moments()))
    arguments = unseen.job(["mine"], store, layer=1, scaling="standard")
    done = CliRunner().invoke(app, [*arguments, "--cache", str(cache.root)])
    assert done.exit_code == 0, done.output
    assert "48 clips, 4 speakers, each left out in turn" in done.stdout
    assert re.search(r"probabilities: Brier score \d\.\d{3}, calibration error \d\.\d{3}", done.stdout)
    (job,) = jobs.ls(cache)
    assert (job.state, job.arguments, job.id) == ("done", arguments, jobs.job_id(arguments))
    source = catalogue.get(cache, "mine")
    found = embeddings.load(source, cache.vectors(embeddings.full_recipe(Moments())), cache=cache)
    known = unseen.kept(found, layer=1, scaling="standard", cache=cache)
    assert known is not None
    said = answer(cache, *CORPUS, "--check")["check"]
    assert said["emotions"] == ["anger", "sadness", "neutral"]
    assert [one["name"] for one in said["answers"]] == ["mahalanobis", "neighbours", "svm"]
    for one, own in zip(said["answers"], known.answers, strict=True):
        assert (one["uar"], one["wa"]) == (own.evaluation.uar, own.evaluation.wa)
        assert one["confusion"] == own.evaluation.confusion.tolist()
        assert one["uar_95"][0] <= one["uar"] <= one["uar_95"][1]
    assert (said["brier"], said["calibration_error"]) == (known.brier, known.calibration_error)
    assert (said["n_clips"], said["n_speakers"], said["encoder"]) == (48, 4, "moments")


def test_a_check_that_cannot_be_is_one_sentence(cache: Cache, clips: Path, mine: Located) -> None:
    assert clips.is_dir()
    table = pd.read_csv(mine.root / "metadata.csv").assign(speaker="s0")
    table.to_csv(mine.root / "metadata.csv", index=False)
    done = run(cache, *CORPUS, "--check")
    assert done.exit_code == 1
    assert "needs two or more" in done.stderr.replace("\n", " ")


def test_names_of_files_are_text(cache: Cache, clips: Path) -> None:
    odd = clips / "\x1b[31mred [bold]x.wav"
    (clips / "one.wav").rename(odd)
    done = run(cache, odd, *CORPUS)
    assert done.exit_code == 0, done.output
    assert "\x1b[31m" not in done.output
    assert "�[31mred [bold]x.wav" in done.stdout
    (said,) = answer(cache, odd, *CORPUS)["files"]
    assert said["file"] == str(odd)
    gone = run(cache, clips / "\udcff.wav", *CORPUS, "--json")
    assert json.loads(gone.stdout)["files"][0]["problem"] == "missing"


def test_wrong_usage(cache: Cache, clips: Path) -> None:
    assert run(cache, *CORPUS).exit_code == 2
    assert run(cache, clips / "one.wav", "--corpus", "mine").exit_code == 2
    assert run(cache, clips / "one.wav", *CORPUS, "--map", "guess").exit_code == 2
    for limit in ("0", "inf", "nan", "-1"):
        assert run(cache, clips / "one.wav", *CORPUS, "--max-mb", limit).exit_code == 2
        assert run(cache, clips / "one.wav", *CORPUS, "--max-minutes", limit).exit_code == 2
    done = run(cache, clips / "one.wav", "--corpus", "mine", "--encoder", "egemaps", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"error": "mine is not embedded with egemaps: run `ser embed mine egemaps` first"}
