import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_core import catalogue
from ser_core.cache import Cache
from ser_core.catalogue import Located


def ser(cache: Cache, *arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ser_core.cli", *map(str, arguments), "--cache", str(cache.root)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def answer(cache: Cache, *arguments: object) -> dict[str, Any]:
    done = ser(cache, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from ser_core import cli
try:
    sys.argv = ["ser", "--help"]
    cli.main()
except SystemExit:
    pass
heavy = {"torch", "transformers", "umap", "opensmile", "librosa", "sklearn", "streamlit", "plotly"} & sys.modules.keys()
sys.exit(f"imported: {sorted(heavy)}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "evaluate" in done.stdout


def test_listing_corpora_imports_no_torch(cache: Cache, mine: Located) -> None:
    code = f"""
import sys
from ser_core import cli
sys.argv = ["ser", "corpora", "ls", "--json", "--cache", {str(cache.root)!r}]
try:
    cli.main()
except SystemExit as done:
    sys.exit("torch" if "torch" in sys.modules else done.code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [one["name"] for one in json.loads(done.stdout)["corpora"]] == [mine.name]


def test_the_main_job_from_an_empty_folder(cache: Cache, mine: Located) -> None:
    catalogue.remove(cache, "mine")
    added = answer(cache, "corpora", "add", "folder", mine.root, "--name", "study")
    assert (added["name"], added["n_clips"], added["by_emotion"]) == (
        "study",
        48,
        {"angry": 16, "neutral": 16, "sad": 16},
    )
    (mine.root / "angry_0_0.wav").write_bytes(b"")
    made = answer(cache, "embed", "study", "logmel")
    assert (made["n_clips"], made["n_failed"]) == (47, 1)
    assert made["failures"] == [{"file": "angry_0_0.wav", "reason": "empty: the file is empty (0 bytes)"}]
    drawn = answer(cache, "project", "study", "logmel", "--dimensions", 2)
    assert drawn["trustworthiness_95"][0] <= drawn["trustworthiness"] <= drawn["trustworthiness_95"][1]
    shown = answer(cache, "corpora", "show", "study")
    assert shown["embedded"] == [{"encoder": "logmel", "n_embedded": 47, "n_failed": 1, "n_pending": 0}]
    assert (drawn["n_clips"], drawn["n_components"], drawn["scaling"]) == (47, 2, "standard")
    assert 0 < drawn["trustworthiness"] <= 1
    assert sum(drawn["explained_variance"]) <= 1.0001
    scored = answer(cache, "evaluate", "study", "--encoder", "logmel", "--model", "svm", "--folds", "speaker")
    assert scored["uar"] > 0.9  # three pitches are easy
    assert scored["uar_95"][0] <= scored["uar"] <= scored["uar_95"][1]
    assert (scored["n_clips"], scored["speaker_independent"], len(scored["folds"])) == (47, True, 4)
    assert scored["folds"][0]["test_speakers"] == ["s0"]
    kept = answer(cache, "cache", "ls")["entries"]
    assert {entry["kind"] for entry in kept} == {"embeddings", "maps"}
    assert answer(cache, "cache", "verify") == {"damaged": []}
    assert answer(cache, "cache", "sweep") == {"removed": []}


def test_people_get_words_and_tables(cache: Cache, mine: Located) -> None:
    shown = ser(cache, "corpora", "show", "mine").stdout
    assert "48 clips, 4 speakers" in shown
    assert "emotions: angry 16, neutral 16, sad 16" in shown
    assert re.search(r"48 clips embedded, 1 layer of \d+ numbers\.", ser(cache, "embed", "mine", "logmel").stdout)
    said = ser(cache, "evaluate", "mine", "--encoder", "logmel").stdout
    assert re.search(r"UAR [01]\.\d{4}  \(95 % interval", said)
    assert "no speaker is in training and test at once" in said
    assert "mine" in ser(cache, "corpora", "ls").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("corpora", "add", "ravdess", "/absent"),
            "/absent: expected a folder with RAVDESS (speech), found nothing there",
        ),
        (("corpora", "show", "nobody"), "no corpus named 'nobody' (there are: mine)"),
        (("embed", "mine", "nothing"), "nothing"),
        (("embed", "mine", "wav2vec2-base"), "facebook/wav2vec2-base"),
        (("project", "mine", "egemaps"), "mine is not embedded with egemaps: run `ser embed mine egemaps` first"),
    ],
)
def test_errors_are_one_sentence_and_exit_code_1(
    cache: Cache, mine: Located, arguments: tuple[str, ...], sentence: str
) -> None:
    assert mine.name == "mine"
    done = ser(cache, *arguments)
    assert done.returncode == 1
    assert sentence in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert sentence in json.loads(ser(cache, *arguments, "--json").stdout)["error"]


def test_wrong_usage_is_exit_code_2(cache: Cache) -> None:
    assert ser(cache, "embed").returncode == 2
    assert ser(cache, "project", "mine", "logmel", "--method", "guess").returncode == 2
    assert ser(cache, "evaluate", "mine", "--encoder", "logmel", "--model", "guess").returncode == 2


def test_ctrl_c_leaves_a_usable_cache(cache: Cache, tmp_path: Path) -> None:
    root = tmp_path / "long"
    root.mkdir()
    random = np.random.default_rng(0)
    for number in range(60):
        soundfile.write(root / f"{number}.wav", random.normal(size=80_000) * 0.1, 16_000)
    (root / "metadata.csv").write_text("file_name\n" + "".join(f"{number}.wav\n" for number in range(60)))
    catalogue.add(cache, "folder", root, name="long")
    arguments = [sys.executable, "-m", "ser_core.cli", "embed", "long", "egemaps", "--cache", str(cache.root)]
    run = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "80"})
    n_kept = 0
    for _ in range(600):
        time.sleep(0.1)
        if any(cache.root.glob("embeddings/*/vectors.sqlite")) and (n_kept := sum(e.n_clips for e in cache.ls())):
            break
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Stopped. What was finished is kept." in said
    assert "Traceback" not in said
    assert cache.verify() == []
    assert n_kept <= sum(entry.n_clips for entry in cache.ls()) < 60
    assert answer(cache, "embed", "long", "egemaps")["n_clips"] == 60


def test_a_damaged_cache_is_found_and_swept(cache: Cache, mine: Located) -> None:
    answer(cache, "embed", mine.name, "logmel")
    (file,) = cache.root.glob("maps/*.npz")
    file.write_bytes(file.read_bytes()[:-40])
    done = ser(cache, "cache", "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["damaged"] == [f"map {file.stem}: damaged"]
    assert len(answer(cache, "cache", "sweep")["removed"]) == 1
    assert answer(cache, "cache", "verify")["damaged"] == []


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "uar"), [("compare_2016", 0.7708), ("egemaps", 0.6570)])
def test_published_figures_on_emodb(cache: Cache, data: Path, encoder: str, uar: float) -> None:
    catalogue.add(cache, "emodb", data / "emodb")
    scored = answer(cache, "evaluate", "emodb", "--encoder", encoder, "--model", "svm", "--folds", "speaker")
    assert scored["uar"] == pytest.approx(uar, abs=0.0005)
    assert (scored["n_clips"], len(scored["folds"]), scored["speaker_independent"]) == (535, 10, True)
