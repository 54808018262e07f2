import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import pandas as pd
import pytest
import voices
from click.testing import Result
from typer.testing import CliRunner

from ser_core import cli, importance, jobs, runs
from ser_core.cache import Cache
from ser_core.catalogue import Located


def ser(cache: Cache, *arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [*map(str, arguments), "--cache", str(cache.root)])


def answer(cache: Cache, *arguments: object) -> dict[str, Any]:
    done = ser(cache, *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_train_look_compare_remove(cache: Cache, mine: Located) -> None:
    assert answer(cache, "runs", "ls") == {"runs": []}
    made = answer(cache, "train", "svm", mine.name, "--encoder", "logmel")
    assert made["uar_95"][0] <= made["uar"] <= made["uar_95"][1]
    assert made["uar"] > 0.9  # three pitches are easy
    assert (made["n_folds"], made["n_done"], made["speaker_independent"], made["contaminated"]) == (4, 4, True, None)
    assert sum(map(sum, made["confusion"])) == sum(one["n"] for one in made["report"]) == made["n_clips"] == 48
    assert {"wa", "macro_f1", "auc", "auc_95", "brier", "calibration_error", "seconds"} <= made.keys()
    other = answer(cache, "train", "svm", mine.name, "--encoder", "logmel", "--kernel", "linear", "--c", "0.1")
    assert [one["id"] for one in answer(cache, "runs", "ls")["runs"]][::-1] in (
        [made["id"], other["id"]],
        [other["id"], made["id"]],  # begun in the same second
    )
    assert answer(cache, "runs", "show", made["id"][:6]) == made
    both = answer(cache, "runs", "compare", made["id"], other["id"])
    assert both["n_clips"] == 48
    assert both["uar_difference"] == pytest.approx(made["uar"] - other["uar"])
    assert both["only_a_right"] - both["only_b_right"] == round(48 * (made["wa"] - other["wa"]))
    assert {one["kind"] for one in answer(cache, "cache", "ls")["entries"]} == {"embeddings", "runs"}
    assert answer(cache, "runs", "rm", other["id"]) == {"removed": other["id"]}
    assert len(runs.ls(cache)) == 1


def test_which_values_a_model_needs(cache: Cache, mine: Located) -> None:
    made = answer(cache, "train", "svm", mine.name, "--encoder", "logmel")
    words = ("runs", "importance", made["id"][:6], "--repeats", 3, "--seed", 1)
    told = answer(cache, *words)
    (run,) = runs.ls(cache)
    table = importance.of_run(run, cache=cache, repeats=3, seed=1)
    assert told == {
        **{"id": run.id, "title": run.title, "uar": made["uar"], "repeats": 3, "seed": 1},
        "groups": table.to_dict("records"),
    }
    assert "mel bands 1 to 10" in ser(cache, *words).stdout
    job = jobs.status(cache, jobs.job_id(importance.arguments(run, repeats=3, seed=1)))
    assert job
    assert (job.state, job.done, job.title) == ("done", 32, f"What it goes by: {run.title} ({run.id[:4]})")
    picture = answer(cache, "train", "cnn3", mine.name, "--split", "random", "--epochs", "1", "--device", "cpu")
    failed = ser(cache, "runs", "importance", picture["id"])
    assert failed.exit_code == 1
    assert "this model looks at pictures of the clips" in failed.stderr


def test_people_get_words_and_tables(cache: Cache, mine: Located) -> None:
    said = ser(cache, "train", "svm", mine.name, "--encoder", "logmel", "--split", "random")
    assert said.exit_code == 0, said.stderr
    assert "svm (logmel) · mine · clips at random" in said.stdout
    assert "speakers are shared; intervals resample speakers" in said.stdout
    assert "true \\ said" in said.stdout
    (run,) = runs.ls(cache)
    listed = ser(cache, "runs", "ls").stdout
    assert run.id in listed
    assert "1/1" in listed
    compared = ser(cache, "runs", "compare", run.id, run.id[:5]).stdout
    assert "UAR differs by +0.0 points" in compared
    assert ser(cache, "runs", "rm", run.id).stdout == f"removed {run.id}: {run.title}\n"


def test_a_damaged_run_hides_no_others(cache: Cache, mine: Located) -> None:
    made = [answer(cache, "train", "svm", mine.name, "--encoder", "logmel", "--kernel", of) for of in ("rbf", "linear")]
    (cache.root / "runs" / made[0]["id"] / "predictions-2.csv").write_bytes(b'a,"b')
    listed = {one["id"]: one["problem"] for one in answer(cache, "runs", "ls")["runs"]}
    assert listed[made[1]["id"]] is None
    assert listed[made[0]["id"]].startswith(f"predictions-2.csv of run {made[0]['id']} is damaged")
    said = ser(cache, "runs", "ls").stdout
    assert "linear kernel" in said
    assert "predictions-2.csv" in said


def test_one_recording_twice_is_no_shared_speaker(cache: Cache, mine: Located) -> None:
    table = pd.read_csv(mine.root / "metadata.csv", dtype=str)
    last, first = table["file_name"].iloc[-1], table["file_name"].iloc[0]
    assert table["speaker"].iloc[-1] != table["speaker"].iloc[0]
    shutil.copy(mine.root / first, mine.root / last)
    said = ser(cache, "train", "svm", mine.name, "--encoder", "logmel").stdout
    assert "some recordings are in training and test" in said
    assert "speakers are shared" not in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", "cnn9", "mine"), "no model is called 'cnn9'"),
        (("train", "forest", "mine", "--augment"), "forest cannot be augmented"),
        (("train", "svm", "nobody"), "no corpus named 'nobody'"),
        (("train", "svm", "mine", "--encoder", "nothing"), "no encoder is called 'nothing'"),
        (("runs", "show", "abcdef"), "no run is called 'abcdef'; `ser runs ls` lists them"),
    ],
)
def test_errors_are_one_sentence(cache: Cache, mine: Located, arguments: tuple[str, ...], sentence: str) -> None:
    assert mine.name == "mine"
    done = ser(cache, *arguments, "--json")
    assert done.exit_code == 1
    assert sentence in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr


def test_listing_runs_loads_nothing_heavy(cache: Cache) -> None:
    code = f"""
import sys
from ser_core import cli
sys.argv = ["ser", "runs", "ls", "--json", "--cache", {str(cache.root)!r}]
try:
    cli.main()
except SystemExit as done:
    sys.exit(str({{"torch", "sklearn", "librosa"}} & sys.modules.keys()) if done.code == 0 else "failed")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(cache: Cache, mine: Located) -> None:
    words = ["train", "mlp", mine.name, "--encoder", "logmel", "--epochs", "400", "--device", "cpu"]
    arguments = [sys.executable, "-m", "ser_core.cli", *words, "--cache", str(cache.root)]
    going = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"})
    for _ in range(1200):
        time.sleep(0.05)
        if any("validation" in job.message for job in jobs.ls(cache)):
            break
    (job,) = jobs.ls(cache)
    assert job.active
    assert job.title == "mlp (logmel, 400 epochs) · mine · unseen speakers"
    assert job.arguments == words[:-2]
    assert "fold 1 of 4, epoch " in job.message
    assert job.total == 1600
    going.send_signal(signal.SIGINT)
    _, said = going.communicate(timeout=60)
    assert going.returncode == 130
    assert "Stopped. What was finished is kept." in said
    assert "validation" in said
    (run,) = runs.ls(cache)
    assert not run.finished
    assert not run.history.empty
    assert answer(cache, "runs", "ls")["runs"][0]["id"] == run.id
    if not run.n_done:
        assert "`ser train mlp mine --encoder logmel --epochs 400` goes on" in ser(cache, "runs", "show", run.id).stderr


def test_an_autoencoder_is_trained_shown_and_told_what_it_carries(tmp_path) -> None:
    cache = voices.make(tmp_path)
    made = answer(cache, "train", "vae", "voices", "--speakers", "male", "--epochs", "3", "--beta", "2")
    assert (made["model"], made["split"], made["recipe"]["beta"]) == ("vae", "chosen", 2.0)
    assert {part: one["n_clips"] for part, one in made["parts"].items()} == {"train": 24, "test": 24}
    assert "uar" not in made
    (listed,) = answer(cache, "runs", "ls")["runs"]
    assert (listed["id"], listed["problem"]) == (made["id"], None)
    assert answer(cache, "runs", "show", made["id"]) == made
    shown = ser(cache, "runs", "show", made["id"]).stdout
    assert "3 epochs" in shown
    told = answer(cache, "runs", "latents", made["id"])
    assert (told["n_clips"], len(told["latents"])) == (48, 8)
    assert told["mig"].keys() == {"emotion", "statement", "speaker", "gender"}
    assert 0 <= told["emotion_from_means"]["uar"] <= 1
    text = ser(cache, "runs", "latents", made["id"]).stdout
    assert "DCI disentanglement" in text
    assert "guessing 33.3%" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("vae", "voices", "--augment"), "vae has no choice of augment"),
        (("svm", "voices", "--beta", "2"), "svm has no choice of beta"),
        (("vae", "voices", "--speakers", "eve"), "has no speaker eve"),
    ],
)
def test_choices_of_other_models_are_refused(tmp_path, arguments, told) -> None:
    done = ser(voices.make(tmp_path), "train", *arguments)
    assert (done.exit_code, told in done.stderr) == (1, True)
