"""``ser compare``: tables, JSON, errors in a sentence."""

import json

import numpy as np
import pytest
import second_encoder
import two_corpora
from typer.testing import CliRunner

from ser_core import between, jobs, layers, maps
from ser_core.cache import Cache
from ser_core.cli import app
from ser_core.embeddings import Embeddings
from ser_core.store import key


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    made = two_corpora.make(tmp_path_factory.mktemp("cli"))
    second_encoder.add(made, "first", "egemaps", dim=20, depth=2)
    return made


def both(cache: Cache) -> tuple[Embeddings, Embeddings]:
    return second_encoder.opened(cache, "first", "egemaps"), second_encoder.opened(cache, "first", "mixed")


def keys(cache: Cache) -> list[str]:
    """Name the stores of both."""
    return [key(one.recipe) for one in both(cache)]


def ser(cache: Cache, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*arguments, "--cache", str(cache.root)])
    return done.exit_code, done.stdout if not done.exit_code else done.stdout + done.stderr


def test_the_numbers_are_the_librarys(cache):
    code, said = ser(cache, "compare", "first", "egemaps", "mixed", "--layer-b", "0", "--json")
    assert code == 0
    told, found = json.loads(said), between.pair(*both(cache))
    assert (told["n_clips"], told["only_a"], told["only_b"]) == (96, 0, 0)
    assert (told["a"]["encoder"], told["b"]["encoder"], told["b"]["layer_name"]) == ("egemaps", "mixed", "depth 0")
    portrait, alike = between.portrait(found.b, 0), between.between(found, (0, 0))
    assert told["b"]["silhouette"]["value"] == pytest.approx(portrait.silhouette.value)
    assert told["b"]["recall"]["low"] == pytest.approx(portrait.recall.low)
    assert told["b"]["knew_the_clips"] is None
    assert told["neighbours"]["shared"] == pytest.approx(alike.overlap.mean)
    assert told["cka"]["debiased"] == pytest.approx(alike.cka.debiased)
    view = maps.view(found.a, layer=0, method="pca", n_components=3, scaling=None, seed=0)
    drawn = [maps.draw(one, view, cache=cache) for one in both(cache)]
    assert told["map"]["disparity"] == pytest.approx(between.laid(found, *drawn).disparity)
    assert "layers" not in told


def test_a_table_for_people(cache):
    code, said = ser(cache, "compare", "first", "egemaps", "mixed")
    assert code == 0
    assert "96 clips that both have (0 are A's alone, 0 B's)" in said
    assert "B: mixed, layer depth 1, 20 values" in said
    assert "emotion by ten clips of other speakers (UAR)" in said
    assert "shared of the 10 nearest clips: 0." in said
    assert "by chance 0.105" in said
    assert "of its scatter" in said


def test_all_layers_are_a_job_of_their_own_name(cache):
    code, said = ser(cache, "compare", "first", "egemaps", "mixed", "--layers", "--json")
    assert code == 0
    told, found = json.loads(said)["layers"], between.pair(*both(cache))
    kept = layers.kept(found, cache=cache)
    assert np.array(told["cka"]) == pytest.approx(kept.cka)
    assert np.array(told["b"]["recall"]) == pytest.approx(kept.b["recall"])
    names = keys(cache)
    job = jobs.status(cache, jobs.job_id(layers.job(["first"], *names)))
    assert job.state == "done"
    code, said = ser(cache, "compare", "first", "egemaps", "mixed", "--layers")
    assert "layer of B" in said
    assert "CKA, A down, B across" in said


def test_the_job_that_the_page_starts_is_that_command(cache):
    names = keys(cache)
    code, _ = ser(cache, *layers.job(["first"], *names))
    assert code == 0


def test_a_layer_beside_itself(cache):
    code, said = ser(cache, "compare", "first", "mixed", "mixed", "--json")
    assert code == 0
    assert json.loads(said)["neighbours"]["shared"] == 1
    assert json.loads(said)["map"]["disparity"] == pytest.approx(0, abs=1e-6)


def test_without_emotions_what_can_be_told_is_told(tmp_path):
    bare = two_corpora.make(tmp_path)
    second_encoder.add(bare, "first", "egemaps", dim=20, depth=2)
    file = tmp_path / "first" / "metadata.csv"
    lines = [line.rsplit(",", 1)[0] for line in file.read_text("utf-8").splitlines()]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    code, said = ser(bare, "compare", "first", "egemaps", "mixed", "--json")
    assert code == 0
    told = json.loads(said)
    assert "this needs two emotions" in told["a"]["refused"]
    assert told["neighbours"]["shared"] > 0
    code, said = ser(bare, "compare", "first", "egemaps", "mixed")
    assert code == 0
    assert "this needs two emotions" in said


def test_errors_are_one_sentence(cache):
    for arguments, why in (
        (("first", "egemaps", "spectral"), "first is not embedded with spectral: run `ser embed first spectral` first"),
        (("third", "egemaps", "mixed"), "no corpus named 'third'"),
        (("first", "egemaps", "mixed", "--layer-b", "2"), "layer 2: mixed has layers 0 to 1"),
    ):
        code, said = ser(cache, "compare", *arguments)
        assert code == 1
        assert why in said.replace("\n", " ")
        assert "Traceback" not in said
