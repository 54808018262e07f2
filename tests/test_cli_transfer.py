"""``ser transfer``, ``ser attribute`` and ``ser train uae``: tables, JSON, errors in a sentence."""

import json

import pytest
import two_corpora
from typer.testing import CliRunner

from ser_core.cache import Cache
from ser_core.cli import app


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    return two_corpora.make(tmp_path_factory.mktemp("cli"))


def ser(cache: Cache, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*arguments, "--cache", str(cache.root)])
    return done.exit_code, done.stdout if not done.exit_code else done.stdout + done.stderr


def test_transfer_prints_a_table(cache):
    code, said = ser(cache, "transfer", "first", "second")
    assert code == 0
    assert "6 folds, unseen speakers" in said
    assert "validation part  none         dae" in said
    assert "second           coral        features" in said


def test_transfer_as_json_holds_everything(cache):
    code, said = ser(cache, "transfer", "first", "second", "--triads", "--json")
    assert code == 0
    told = json.loads(said)
    assert list(told) == ["all", "N-S-H", "N-S-A", "N-H-A", "S-H-A"]
    four = told["all"]
    assert four["speaker_independent"] is True
    assert four["chance"] == 0.25
    assert len(four["scores"]) == (2 + 3) * 4
    one = next(one for one in four["scores"] if one["where"] == "second" and one["method"] == "dae")
    assert one["folds"]["low"] <= one["folds"]["value"] <= one["folds"]["high"]
    assert sum(map(sum, one["confusion"][0])) == 80
    assert {"arousal", "valence"} <= set(four["follows"][0])
    assert len(four["turns"]) == 9
    assert told["S-H-A"]["emotions"] == ["sadness", "happiness", "anger"]


def test_shared_speakers_are_said(cache):
    code, said = ser(cache, "transfer", "first", "--shared")
    assert code == 0
    assert "10 folds, speakers (or recordings) are shared" in said


def test_attribute_by_emotion_and_of_a_clip(cache):
    code, said = ser(cache, "attribute", "first", "--agree")
    assert code == 0
    assert "clips of validation part told rightly by dae, against 6 references" in said
    assert "Loudness" in said
    assert "shapley, number 2: rank correlation" in said
    code, said = ser(cache, "attribute", "first", "--clip", "01_anger_0.wav", "--json")
    told = json.loads(said)
    assert len(told["clip"]["measures"]) == 88
    total = [sum(one[k] for one in told["clip"]["shares"]) for k in range(2)]
    assert total == pytest.approx(told["clip"]["difference"], abs=1e-4)
    code, said = ser(cache, "attribute", "first", "second", "--clip", "01_anger_0.wav")
    assert code == 0
    assert "loudness" in said


def test_errors_are_one_sentence(cache):
    for arguments, why in (
        (("transfer", "first", "third"), "no corpus named 'third'"),
        (("transfer", "first", "--emotions", "neutral,fear"), "first has no clip of fear"),
        (("transfer", "first", "--encoder", "spectral"), "first is not embedded with spectral"),
        (("attribute", "first", "--clip", "none.wav"), "first has no clip 'none.wav'"),
        (("train", "dae", "first", "--beta", "2"), "dae has no choice of beta"),
    ):
        code, said = ser(cache, *arguments)
        assert code == 1
        assert why in said.replace("\n", " ")
        assert "Traceback" not in said


def test_train_keeps_a_run(cache):
    code, said = ser(cache, "train", "uae", "first", "--epochs", "3")
    assert code == 0
    assert "uae (3 epochs) · first · all speakers" in said
    assert "0 outliers left out; 11,738 parameters" in said
    code, said = ser(cache, "train", "uae", "first", "--epochs", "3", "--json")
    assert json.loads(said)["parts"]["train"]["n_clips"] == 96
