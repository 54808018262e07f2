import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ser_core import run_files, runs
from ser_core.cache import Cache
from ser_core.models.epochs import Epoch
from ser_core.runs import Run, RunError

CLASSES = ["anger", "ünruhe"]
FILES = ["a b.wav", "NA.wav", 'say "hi", you.wav', "ü.wav", "null", "1.0"]
SPEAKERS = ["01", "01", "NA", "NA", "1e5", "1e5"]
TRUTH = [0, 1, 0, 1, 0, 1]
FACTS = {"seconds": 2.5, "n_parameters": 7, "device": "cpu"}


def recipe(**other: Any) -> dict[str, Any]:
    inputs = {"vectors": {"name": "egemaps", "layers": ["functionals"], "dim": 2}}
    usual = {"run": 1, "model": "svm", "corpus": "mine", "split": "loso", "normalise": "global", "kind": "folder"}
    return usual | {"classes": CLASSES, "n_folds": 3, "n_clips": 6, "inputs": inputs} | other


def make(cache: Cache, *folds: int, **other: Any) -> Run:
    """A run of three speakers, with these folds done."""
    said = recipe(**other)
    clips = pd.DataFrame({"file": FILES, "sha": [f"{n:064d}" for n in range(6)], "speaker": SPEAKERS, "truth": TRUTH})
    people = [{"fold": n + 1, "test_speakers": [SPEAKERS[2 * n]], "shared": [], "same_recordings": 0} for n in range(3)]
    name = run_files.name(said)
    with run_files.writing(cache, name) as folder:
        facts = {"arguments": ["train", "svm", "mine"], "taught": {}}
        run_files.begin(folder, said, clips=clips, folds=pd.DataFrame(people), facts=facts)
        for fold in folds:
            test, validation = [2 * fold - 2, 2 * fold - 1], [2 * fold % 6, (2 * fold + 1) % 6]
            parts = [clips.iloc[rows].assign(part=part) for part, rows in (("validation", validation), ("test", test))]
            table = pd.concat(parts, ignore_index=True)
            p = np.random.default_rng(fold).uniform(size=len(table)) / 3
            table = table.assign(predicted=[0, 1, 0, 0], p_0=p, p_1=1 - p)
            run_files.keep_fold(folder, fold, arrays={"x": np.arange(3.0)}, predictions=table, facts=FACTS)
    return runs.get(cache, name)


def test_what_is_kept_is_read_back_to_the_last_digit(cache: Cache) -> None:
    run = make(cache, 1, 2, 3)
    assert (run.model, run.corpus, run.split, run.normalise) == ("svm", "mine", "loso", "global")
    assert run.classes == ("anger", "ünruhe")
    assert run.title == "svm · mine · one unseen speaker at a time"
    assert (run.n_folds, run.n_done, run.finished, run.seconds, run.n_parameters) == (3, 3, True, 7.5, 7)
    assert run.clips["file"].tolist() == run.tested["file"].tolist() == FILES
    assert run.tested["speaker"].tolist() == SPEAKERS
    assert run.tested["fold"].tolist() == [1, 1, 2, 2, 3, 3]
    assert run.tested["truth"].tolist() == TRUTH
    expected = np.concatenate([np.random.default_rng(fold).uniform(size=4)[2:] / 3 for fold in (1, 2, 3)])
    assert np.array_equal(run.probabilities, np.stack([expected, 1 - expected], axis=1))
    assert run.validated["file"].tolist() == FILES[2:] + FILES[:2]
    assert run.history.empty


def test_its_test_clips_are_an_evaluation(cache: Cache) -> None:
    found = make(cache, 1, 2, 3).evaluation
    assert found.uar == 0.5  # all are called anger
    assert found.confusion.tolist() == [[3, 0], [3, 0]]
    assert found.speakers.tolist() == SPEAKERS
    assert found.speaker_independent


def test_a_run_may_be_under_way(cache: Cache) -> None:
    run = make(cache)
    assert (run.n_done, run.finished, run.seconds, run.n_parameters) == (0, False, 0, None)
    with pytest.raises(RunError, match=r"no fold of run .* is done yet: `ser train svm mine` goes on with it"):
        _ = run.tested
    some = make(cache, 1, 3)
    assert some.id == run.id
    assert (some.done, some.finished) == ((1, 3), False)
    assert some.tested["file"].tolist() == [FILES[0], FILES[1], FILES[4], FILES[5]]
    with pytest.raises(RunError, match=r"fold 2 of run .* is not done"):
        some.fitted(2)


def test_the_clips_that_a_fold_learnt_from(cache: Cache) -> None:
    run = make(cache, 1, 2, 3)
    assert run.taught(2) == {f"{n:064d}" for n in (0, 1, 4, 5)}


def test_history_grows_and_is_read_while_it_does(cache: Cache) -> None:
    run = make(cache)
    epochs = [Epoch(n, 1 / n, 0.1 * n, 1.5 / n, 0.2, 1 / 3, 1e-3, 0.25) for n in (1, 2, 3)]
    run_files.keep_history(run.folder, 2, pd.DataFrame(epochs[:2]))
    assert runs.get(cache, run.id).history["epoch"].tolist() == [1, 2]
    run_files.keep_history(run.folder, 2, pd.DataFrame(epochs))
    found = runs.get(cache, run.id).history
    assert found.drop(columns="fold").to_dict("records") == [asdict(epoch) for epoch in epochs]
    assert found["fold"].tolist() == [2, 2, 2]


def test_the_newest_is_first_and_junk_is_none(cache: Cache) -> None:
    assert runs.ls(cache) == []
    old, new = make(cache), make(cache, c=2.0)
    facts = json.loads((old.folder / "facts.json").read_text())
    (old.folder / "facts.json").write_text(json.dumps(facts | {"started": "2020-01-01T00:00:00+00:00"}))
    folder = cache.root / "runs"
    (folder / "notes.txt").write_text("mine")
    (folder / "empty").mkdir()
    (folder / ".0123456789ab.tmp").mkdir()
    shutil.copytree(new.folder, folder / "0123456789ab")  # a name that is not that of its recipe
    (folder / "damaged").mkdir()
    (folder / "damaged" / "recipe.json").write_text("{half")
    assert [run.id for run in runs.ls(cache)] == [new.id, old.id]


def test_a_beginning_of_its_name_is_enough(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(cache)
    assert runs.get(cache, run.id[:4]) == run
    for name in (run.id[:3], "nothing", ""):
        with pytest.raises(RunError, match=f"no run is called '{name}'"):
            runs.get(cache, name)
    make(cache, c=2.0)
    monkeypatch.setattr(runs, "FEWEST", 0)
    with pytest.raises(RunError, match=r"'' may be \w{12} or \w{12}: write more of it"):
        runs.get(cache, "")


def test_removed_is_gone(cache: Cache) -> None:
    run = make(cache, 1)
    with run_files.writing(cache, run.id), pytest.raises(RunError, match=f"run {run.id} is being trained just now"):
        runs.remove(cache, run.id)
    assert runs.ls(cache)
    (run.folder.parent / f".{run.id}.tmp" / "left").mkdir(parents=True)  # by a deletion that was stopped
    runs.remove(cache, run.id[:6])
    assert runs.ls(cache) == []
    assert list((cache.root / "runs").iterdir()) == []


@pytest.mark.parametrize("file", ["predictions-1.csv", "clips.csv", "folds.json", "model-1.safetensors"])
def test_a_damaged_file_is_a_sentence(cache: Cache, file: str) -> None:
    run = make(cache, 1)
    (run.folder / file).write_bytes(b'a,"b\n\xff')

    def read() -> None:
        _ = run.clips, run.folds, run.tested
        run.fitted()

    with pytest.raises(RunError, match=rf"{file} of run {run.id} is damaged or missing: `ser runs rm {run.id}`"):
        read()


def test_a_damaged_recipe_starts_anew(cache: Cache) -> None:
    run = make(cache, 1)
    (run.folder / "recipe.json").write_text("{half")
    again = make(cache)
    assert (again.id, again.n_done) == (run.id, 0)


def test_what_has_seen_the_corpus_is_said(cache: Cache) -> None:
    xlsr = {"name": "hf:ehcalabres/wav2vec2-lg-xlsr-en-speech-emotion-recognition", "layers": [], "dim": 2}
    run = make(cache, inputs={"vectors": xlsr}, kind="ravdess")
    assert run.contaminated
    assert "was tuned on ravdess: it knew these clips before (P1, section 3.5.1)" in run.contaminated
    assert make(cache, inputs={"vectors": xlsr}, kind="emodb").contaminated is None
    assert make(cache, kind="ravdess").contaminated is None
    inner = {"name": "run:0123456789ab", "inputs": [f"{xlsr['name']} 0123"], "layers": ["hidden"], "dim": 2}
    below = make(cache, 1, 2, 3, inputs={"vectors": inner}, kind="ravdess")
    assert below.contaminated == run.contaminated
    assert below.evaluation.speaker_independent
    assert not below.speaker_independent


def test_a_model_of_another_version_is_left_out(cache: Cache) -> None:
    known = make(cache, 1)
    unknown = recipe(model="cnn99")
    folder = Path(shutil.copytree(known.folder, known.folder.parent / run_files.name(unknown)))
    (folder / "recipe.json").write_text(json.dumps(unknown))
    assert [run.id for run in runs.ls(cache)] == [known.id]


def test_facts_without_a_fold_are_a_sentence(cache: Cache) -> None:
    run = make(cache, 1, 2)
    (run.folder / "facts.json").write_text(json.dumps(run.facts | {"folds": {"1": FACTS}}))
    with pytest.raises(RunError, match=rf"facts.json of run {run.id} is damaged"):
        _ = runs.get(cache, run.id).seconds


def test_the_cache_knows_runs(cache: Cache) -> None:
    run = make(cache, 1)
    (entry,) = cache.ls()
    assert (entry.kind, entry.name, entry.key, entry.n_clips) == ("runs", "svm mine loso", run.id, 6)
    assert entry.bytes == sum(path.stat().st_size for path in run.folder.iterdir())
    assert cache.verify() == []
    weights = run.weights(1).read_bytes()
    run.weights(1).write_bytes(weights[:-1])
    assert cache.verify() == [f"run {run.id}: model-1.safetensors is damaged"]
    run.weights(1).write_bytes(weights)
    left, notes = run.folder / ".x.tmp", cache.root / "runs" / "notes"
    left.write_text("")
    notes.mkdir()
    (run.folder / "facts.json").write_text("")
    assert cache.verify() == [f"run {run.id}: recipe.json or facts.json is damaged"]
    assert cache.sweep() == []  # somebody may be writing there
    long_ago = time.time() - 7200
    for path in (left, notes, run.folder):
        os.utime(path, (long_ago, long_ago))
    assert cache.sweep()[0] == "removed the leftover .x.tmp"
    os.utime(run.folder, (long_ago, long_ago))
    assert cache.sweep() == [f"removed run {run.id}: damaged"]
    assert [path.name for path in (cache.root / "runs").iterdir() if path.is_dir()] == ["notes"]


def test_a_list_of_many_is_read_fast(cache: Cache) -> None:
    first = make(cache, 1, 2, 3)
    for number in range(1, 100):
        said = first.recipe | {"seed": number}
        folder = Path(shutil.copytree(first.folder, first.folder.parent / run_files.name(said)))
        (folder / "recipe.json").write_text(json.dumps(said))
    start = time.process_time()
    assert len(runs.ls(cache)) == 100
    assert time.process_time() - start < 0.5
