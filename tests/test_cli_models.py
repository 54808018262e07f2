import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from web import Page, Web, web  # noqa: F401  a fixture

from ser_core.cache import Cache

COMMIT = "1234567890abcdef1234567890abcdef12345678"
FILES = {
    "config.json": json.dumps({"model_type": "wav2vec2", "hidden_size": 16, "num_hidden_layers": 2}).encode(),
    "preprocessor_config.json": b"{}",
    "model.safetensors": b"weights" * 1000,
    "tf_model.h5": b"not wanted",
}


@pytest.fixture
def hub(web: Web) -> Web:  # noqa: F811
    """A hub of one checkpoint, as far as huggingface_hub asks."""
    api, commit = "/api/models/someone/tiny", (("X-Repo-Commit", COMMIT),)
    about = {"_id": "1", "id": "someone/tiny", "sha": COMMIT, "siblings": [], "private": False, "tags": []}
    tree = [
        {"type": "file", "path": name, "size": len(content), "oid": f"{number:040x}"}
        for number, (name, content) in enumerate(FILES.items())
    ]
    web.pages[f"{api}/revision/main"] = web.pages[api] = Page(json.dumps(about).encode())
    web.pages[f"{api}/tree/{COMMIT}"] = Page(json.dumps(tree).encode())
    for number, (name, content) in enumerate(FILES.items()):
        page = Page(content, etag=f'"{number:040x}"', headers=commit)
        web.pages[f"/someone/tiny/resolve/{COMMIT}/{name}"] = page
    return web


def ser(cache: Cache, *arguments: str, endpoint: str = "", offline: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    environment |= {"HF_HOME": str(cache.root / "hub"), "HF_HUB_OFFLINE": "1" if offline else "0"}
    environment |= {"HF_ENDPOINT": endpoint} if endpoint else {}
    return subprocess.run(
        [sys.executable, "-m", "ser_core.cli", "models", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environment,
    )


def test_a_checkpoint_is_fetched_once(cache: Cache, hub: Web) -> None:
    where = ("--cache", str(cache.root))
    done = ser(cache, "fetch", "hf:someone/tiny", *where, endpoint=hub.url)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip().removeprefix("hf:someone/tiny was downloaded to "))
    assert folder.is_relative_to(cache.root / "hub")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: content for name, content in FILES.items() if name != "tf_model.h5"
    }
    hub.asked.clear()
    again = ser(cache, "fetch", "hf:someone/tiny", "--json", *where, endpoint=hub.url)
    assert json.loads(again.stdout) == {"encoder": "hf:someone/tiny", "folder": str(folder), "was_here": True}
    said = ser(cache, "fetch", "hf:someone/tiny", *where, offline=True)
    assert said.stdout == f"hf:someone/tiny is here already: {folder}\n"
    assert hub.asked == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("egemaps", "egemaps has no checkpoint: it is here already, with the program"),
        ("nothing", "no encoder is called 'nothing', expected one of"),
        ("hf:/absent", "expected /absent to be a folder written by transformers' save_pretrained"),
        ("wav2vec2-base", "facebook/wav2vec2-base is not on this machine"),
    ],
)
def test_what_cannot_be_fetched_says_why(cache: Cache, name: str, sentence: str) -> None:
    done = ser(cache, "fetch", name, "--json", "--cache", str(cache.root), offline=True)
    assert done.returncode == 1
    assert sentence in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr


def test_a_checkpoint_that_the_hub_does_not_have_is_one_sentence(cache: Cache, hub: Web) -> None:
    done = ser(cache, "fetch", "hf:someone/else", "--cache", str(cache.root), endpoint=hub.url)
    assert done.returncode == 1
    assert "Error: someone/else is not on this machine" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_checkpoints_are_listed_without_torch(cache: Cache) -> None:
    done = ser(cache, "ls", "--json", offline=True)
    found = json.loads(done.stdout)["models"]
    assert [one["name"] for one in found][:2] == ["wav2vec2-base", "wav2vec2-large-xlsr-53"]
    assert all("is not on this machine" in one["missing"] for one in found)
    assert "egemaps" not in done.stdout
    assert "wavlm-large" in ser(cache, "ls", offline=True).stdout
