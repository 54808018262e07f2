"""Transformer: the numbers against a plain call of the model, whatever else is in the batch; and what is refused."""

import fnmatch
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import tiny_checkpoints
import torch
import transformers
from safetensors.torch import load_file, save_file

from ser_core.encoders import EncoderError, checkpoints, encoder, pooling
from ser_core.encoders.transformer import Transformer

TOLERANCE = 1e-5  # relative, per layer
GROUP = ("wav2vec2-group", "hubert-group", "wavlm-group")


def clip(n_samples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(n_samples) * np.linspace(0.01, 0.3, n_samples)).astype(np.float32)


CLIPS = [clip(n, seed) for seed, n in enumerate((9_000, 16_000, 4_321, 16_000))]


def distance(ours: np.ndarray, reference: np.ndarray) -> float:
    return float((np.linalg.norm(ours - reference, axis=-1) / np.linalg.norm(reference, axis=-1)).max())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    for seed, family in enumerate(tiny_checkpoints.FAMILIES):
        tiny_checkpoints.save(root / family, family, seed=seed)
    return {family: root / family for family in tiny_checkpoints.FAMILIES}


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy to be changed."""
    return shutil.copytree(folders["wav2vec2-group"], tmp_path / "checkpoint")


def plain(folder: Path, signal: np.ndarray) -> np.ndarray:
    """Layer means by transformers alone, one clip, no mask."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = transformers.AutoFeatureExtractor.from_pretrained(folder)(
        signal, sampling_rate=16_000, return_tensors="pt"
    )
    with torch.inference_mode():
        if model.config.model_type == "whisper":
            states = model.encoder(inputs.input_features, output_hidden_states=True).hidden_states
            return np.stack([state[0, : -(-len(signal) // 320)].mean(0).numpy() for state in states])
        states = model(inputs.input_values, output_hidden_states=True).hidden_states
        return np.stack([state[0].mean(0).numpy() for state in states])


def padded(folder: Path, signals: list[np.ndarray]) -> np.ndarray:
    """Layer means of a batch as the model's manual has it: padded signals and an attention mask."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(signals, sampling_rate=16_000, return_tensors="pt", padding=True, return_attention_mask=True)
    with torch.inference_mode():
        states = model(**inputs, output_hidden_states=True).hidden_states
    lengths = [int(model._get_feat_extract_output_lengths(len(signal))) for signal in signals]
    return np.stack([[state[i, :n].mean(0).numpy() for state in states] for i, n in enumerate(lengths)])


@pytest.mark.parametrize("family", tiny_checkpoints.FAMILIES)
def test_a_clip_alone_is_a_plain_call_of_the_model(folders: dict[str, Path], family: str) -> None:
    vectors = Transformer(str(folders[family])).encode(CLIPS[:1])
    assert vectors.dtype == np.float32
    assert vectors.shape == (1, tiny_checkpoints.BLOCKS + 1, tiny_checkpoints.WIDTH)
    assert distance(vectors[0], plain(folders[family], CLIPS[0])) <= TOLERANCE


@pytest.mark.parametrize("family", tiny_checkpoints.FAMILIES)
def test_the_rest_of_the_batch_changes_nothing(folders: dict[str, Path], family: str) -> None:
    model = Transformer(str(folders[family]))
    alone = np.concatenate([model.encode([signal]) for signal in CLIPS])
    assert distance(model.encode(CLIPS), alone) <= TOLERANCE
    assert distance(model.encode(CLIPS[::-1])[::-1], alone) <= TOLERANCE


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask:UserWarning")  # by transformers' WavLM
@pytest.mark.parametrize("family", [*GROUP, "hubert-batch-norm", "data2vec"])
def test_plain_padding_would_change_the_numbers(folders: dict[str, Path], family: str) -> None:
    alone = np.stack([plain(folders[family], signal) for signal in CLIPS])
    assert distance(padded(folders[family], CLIPS), alone) > 1e-3


def test_whisper_windows_count_by_their_frames(folders: dict[str, Path]) -> None:
    signal = clip(31 * 16_000, 9)
    first, rest = signal[: 30 * 16_000], signal[30 * 16_000 :]
    expected = (1500 * plain(folders["whisper"], first) + 50 * plain(folders["whisper"], rest)) / 1550
    vectors = Transformer(str(folders["whisper"])).encode([CLIPS[0], signal])
    assert distance(vectors[1], expected) <= TOLERANCE


def test_many_whisper_windows_are_taken_in_turns(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model = Transformer(str(folders["whisper"]))
    together = model.encode(CLIPS)
    monkeypatch.setattr(pooling, "WINDOWS", 1)
    assert distance(model.encode(CLIPS), together) <= TOLERANCE


def test_loudness_counts_only_where_the_checkpoint_does_not_normalise(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["wav2vec2-layer"], tmp_path / "checkpoint")
    model = Transformer(str(folder))
    assert distance(model.encode([CLIPS[0] / 2]), model.encode(CLIPS[:1])) <= 1e-4
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)
    assert distance(model.encode(CLIPS[:1])[0], plain(folder, CLIPS[0])) <= TOLERANCE
    assert distance(model.encode([CLIPS[0] / 2]), model.encode(CLIPS[:1])) > 1e-2


@pytest.mark.parametrize("family", ["wav2vec2-layer", "wavlm-group", "whisper"])
def test_half_precision_is_near(folders: dict[str, Path], family: str) -> None:
    whole = Transformer(str(folders[family])).encode(CLIPS)
    half = Transformer(str(folders[family]), dtype="bfloat16")
    assert 1e-6 < distance(half.encode(CLIPS), whole) < 0.1
    assert half.recipe()["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("family", "head"),
    [
        ("wav2vec2-layer", "ForSequenceClassification"),
        ("wav2vec2-group", "ForPreTraining"),
        ("hubert-layer", "ForCTC"),
        ("wavlm-group", "ForXVector"),
        ("whisper", "ForConditionalGeneration"),
    ],
)
def test_heads_are_left_out(tmp_path: Path, family: str, head: str, capfd: pytest.CaptureFixture[str]) -> None:
    tiny_checkpoints.save(tmp_path, family, seed=3, head=head)
    capfd.readouterr()
    vectors = Transformer(str(tmp_path)).encode(CLIPS[:1])
    assert capfd.readouterr() == ("", "")
    assert distance(vectors[0], plain(tmp_path, CLIPS[0])) <= TOLERANCE


def test_a_class_of_its_own_under_the_usual_prefix(folder: Path) -> None:
    """As audEERING's checkpoint: ``wav2vec2.`` before the encoder, a head and a class that transformers lacks."""
    before = Transformer(str(folder)).encode(CLIPS)
    weights = {f"wav2vec2.{key}": value for key, value in load_file(folder / "model.safetensors").items()}
    save_file(weights | {"classifier.dense.weight": torch.ones(3, 3)}, folder / "model.safetensors", {"format": "pt"})
    rewrite(folder / "config.json", architectures=["Wav2Vec2ForSpeechClassification"])
    assert distance(Transformer(str(folder)).encode(CLIPS), before) <= TOLERANCE


def test_old_names_of_the_positional_weights(folder: Path) -> None:
    before = Transformer(str(folder)).encode(CLIPS)
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    weights = load_file(folder / "model.safetensors")
    for key in [key for key in weights if "parametrizations" in key]:
        stem, _, end = key.partition("parametrizations")
        weights[stem + names[f"parametrizations{end}"]] = weights.pop(key)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert distance(Transformer(str(folder)).encode(CLIPS), before) <= TOLERANCE


def test_weights_that_are_not_there_are_not_made_up(folder: Path) -> None:
    before = Transformer(str(folder)).encode(CLIPS)
    weights = load_file(folder / "model.safetensors")
    weights.pop("masked_spec_embed")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert distance(Transformer(str(folder)).encode(CLIPS), before) <= TOLERANCE
    weights.pop("encoder.layers.1.attention.q_proj.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(EncoderError, match=r"lacks 1 .*encoder\.layers\.1\.attention\.q_proj\.weight"):
        Transformer(str(folder)).encode(CLIPS)


def test_weights_of_another_shape(folder: Path) -> None:
    rewrite(folder / "config.json", intermediate_size=48)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        Transformer(str(folder)).encode(CLIPS)


class Trap:
    """Runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_in_disguise_is_refused_and_does_not_run(folder: Path, tmp_path: Path, zipped: bool) -> None:  # noqa: FBT001
    (folder / "model.safetensors").unlink()
    content, marker = {"feature_projection.projection.bias": Trap(tmp_path / "ran")}, tmp_path / "ran"
    if zipped:
        torch.save(content, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(EncoderError, match=r"pytorch_model\.bin cannot be loaded"):
        Transformer(str(folder)).encode(CLIPS)
    assert not marker.exists()
    pickle.loads(pickle.dumps(content))  # noqa: S301 - the trap does work
    assert marker.exists()


def test_an_honest_bin_is_read_and_safetensors_come_first(folder: Path) -> None:
    before = Transformer(str(folder)).encode(CLIPS)
    weights = load_file(folder / "model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    assert distance(Transformer(str(folder)).encode(CLIPS), before) <= TOLERANCE
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert distance(Transformer(str(folder)).encode(CLIPS), before) <= TOLERANCE


def test_code_in_a_checkpoint_does_not_run(folder: Path, tmp_path: Path) -> None:
    before = Transformer(str(folder)).encode(CLIPS)
    marker = tmp_path / "ran"
    (folder / "own.py").write_text(f"from pathlib import Path\nPath({str(marker)!r}).touch()\n")
    own = dict.fromkeys(("AutoConfig", "AutoModel", "AutoFeatureExtractor"), "own.Own")
    rewrite(folder / "config.json", auto_map=own, architectures=["Own"])
    rewrite(folder / "preprocessor_config.json", auto_map=own, feature_extractor_type="Own")
    assert distance(Transformer(str(folder)).encode(CLIPS), before) <= TOLERANCE
    assert not marker.exists()


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_cannot_be_used_says_why(folder: Path, tmp_path: Path) -> None:
    def sentence() -> str:
        with pytest.raises(EncoderError) as caught:
            Transformer(str(folder)).recipe()
        with pytest.raises(EncoderError):
            Transformer(str(folder)).encode(CLIPS)
        missing = Transformer(str(folder)).missing()
        assert missing == str(caught.value)
        return missing

    assert Transformer(str(folder)).missing() is None
    assert f"expected {tmp_path / 'nowhere'} to be a folder" in (Transformer(str(tmp_path / "nowhere")).missing() or "")
    scaling, weights = folder / "preprocessor_config.json", folder / "model.safetensors"
    rewrite(scaling, sampling_rate=8_000)
    assert "sampling_rate 8000, expected 16000 Hz" in sentence()
    scaling.unlink()
    assert "no preprocessor_config.json" in sentence()
    weights.unlink()
    scaling.write_text("{}")
    assert "no model*.safetensors or pytorch_model*.bin" in sentence()
    weights.touch()
    rewrite(folder / "config.json", num_hidden_layers="two")
    assert "hidden_size and num_hidden_layers" in sentence()
    rewrite(folder / "config.json", model_type="bert")
    assert "model_type 'bert', expected one of wav2vec2" in sentence()
    (folder / "config.json").write_text("[]")
    assert "does not hold a JSON object" in sentence()
    (folder / "config.json").write_text("{")
    assert "cannot be read" in sentence()
    (folder / "config.json").unlink()
    assert "no config.json" in sentence()


def test_a_processor_config_will_do(folder: Path) -> None:
    before = Transformer(str(folder)).encode(CLIPS)
    content = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": content}))
    assert distance(Transformer(str(folder)).encode(CLIPS), before) <= TOLERANCE


def test_the_recipe_tells_every_file(folder: Path) -> None:
    model = Transformer(str(folder))
    recipe = model.recipe()
    assert json.loads(json.dumps(recipe)) == recipe
    assert recipe["name"] == model.name == f"hf:{folder}"
    assert (recipe["dim"], recipe["layers"], recipe["family"]) == (16, ["0", "1", "2"], "wav2vec2")
    files = ("config.json", "preprocessor_config.json", "model.safetensors")
    digests = [subprocess.check_output(["sha256sum", folder / file], text=True).split()[0] for file in files]
    assert recipe["files"] == [f"{file} {digest}" for file, digest in zip(files, digests, strict=True)]


def test_a_changed_checkpoint_is_another(folder: Path) -> None:
    model = Transformer(str(folder))
    recipe, vectors = model.recipe(), model.encode(CLIPS)
    hits = checkpoints.load.cache_info().hits
    model.encode(CLIPS)
    assert checkpoints.load.cache_info().hits == hits + 1
    tiny_checkpoints.save(folder, "wav2vec2-group", seed=99)
    assert model.recipe() != recipe
    assert distance(model.encode(CLIPS), vectors) > 1e-3


def test_clips_that_cannot_be_encoded(folders: dict[str, Path]) -> None:
    model = Transformer(str(folders["wav2vec2-group"]))
    assert model.encode([]).shape == (0, 3, 16)
    shortest = clip(tiny_checkpoints.SHORTEST, 5)
    assert distance(model.encode([CLIPS[0], shortest])[1], plain(folders["wav2vec2-group"], shortest)) <= TOLERANCE
    with pytest.raises(EncoderError, match=r"too short for wav2vec2: 59 samples, expected 60 or more"):
        model.encode([CLIPS[0], shortest[1:]])
    for bad in ([], [np.nan] * 4_000):
        with pytest.raises(EncoderError, match="empty or holds samples that are not finite"):
            model.encode([np.array(bad, np.float32)])
    with pytest.raises(EncoderError, match="device 'tpu' is not available"):
        model.encode(CLIPS, device="tpu")


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_out_of_memory_is_pythons(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    def full(*_: object) -> None:
        raise error

    model = Transformer(str(folders["wav2vec2-group"]))
    with monkeypatch.context() as patch:
        patch.setattr(pooling, "pool_clips", full)
        with pytest.raises(MemoryError, match="memory"):
            model.encode(CLIPS)
        error = RuntimeError("another")
        with pytest.raises(RuntimeError, match="another"):
            model.encode(CLIPS)
    assert model.encode(CLIPS).shape == (4, 3, 16)


@pytest.mark.parametrize("name", ["hf:facebook/wav2vec2-base", "hf:openai/whisper-tiny@main", "hf:/a/b@c", "hf:./d"])
def test_names_go_round(name: str) -> None:
    assert Transformer.parse(name).name == encoder(name).name == name
    assert Transformer.parse(name).revision == ("main" if name.endswith("@main") else None)


@pytest.mark.parametrize("name", ["wav2vec2", "hf", "hf:", "hf:a/b/c", "hf:a b", "hf:a/b\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(EncoderError, match="hub id"):
        Transformer.parse(name)


def test_fields_are_checked() -> None:
    with pytest.raises(EncoderError, match="dtype 'int8' is not one of float32"):
        Transformer("facebook/wav2vec2-base", dtype="int8")
    with pytest.raises(EncoderError, match="has no revisions"):
        Transformer("/a", revision="main")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty local cache of the hub, and no hub beyond it."""

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("no route to host\nand more")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    return tmp_path / "hub"


def cached(hub: Path, folder: Path, *, commit: str) -> Path:
    repository = hub / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    return shutil.copytree(folder, repository / "snapshots" / commit)


def test_a_checkpoint_that_is_not_here_says_how_to_get_it(hub: Path) -> None:
    model = Transformer("someone/tiny", "v2")
    missing = model.missing()
    assert missing is not None
    assert "ser models fetch hf:someone/tiny@v2" in missing
    assert "hf:/path/to/folder" in missing
    with pytest.raises(EncoderError) as caught:
        model.recipe()
    assert str(caught.value) == missing
    with pytest.raises(EncoderError, match=r"ser models fetch .*\(no route to host\)$"):
        model.encode(CLIPS)


def test_the_local_cache_comes_first(hub: Path, folders: dict[str, Path]) -> None:
    here = Transformer(str(folders["hubert-group"])).encode(CLIPS)
    snapshot = cached(hub, folders["hubert-group"], commit="1" * 40)
    for revision in (None, "main", "1" * 40):
        model = Transformer("someone/tiny", revision)
        assert model.missing() is None
        assert model.recipe()["family"] == "hubert"
        assert distance(model.encode(CLIPS), here) <= TOLERANCE
    (snapshot / "model.safetensors").unlink()
    assert "ser models fetch hf:someone/tiny" in (Transformer("someone/tiny").missing() or "")


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_the_hub_is_asked_for_what_is_needed_only(
    hub: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, weights: str
) -> None:
    if weights.endswith(".bin"):
        torch.save(load_file(folder / "model.safetensors"), folder / weights)
        (folder / "model.safetensors").unlink()
    (folder / "tf_model.h5").touch()

    def download(_: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert revision is None
        snapshot = hub / "models--someone--tiny" / "snapshots" / ("2" * 40)
        if not snapshot.exists():
            cached(hub, folder, commit="2" * 40)
            for path in snapshot.iterdir():
                path.unlink()
        for path in folder.iterdir():
            if any(fnmatch.fnmatch(path.name, pattern) for pattern in allow_patterns):
                shutil.copy(path, snapshot)
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    Transformer("someone/tiny").fetch()
    files = {path.name for path in (hub / "models--someone--tiny" / "snapshots" / ("2" * 40)).iterdir()}
    assert files == {"config.json", "preprocessor_config.json", weights}
    assert Transformer("someone/tiny").encode(CLIPS).shape == (4, 3, 16)


def test_looking_at_a_checkpoint_loads_no_torch(folders: dict[str, Path]) -> None:
    code = (
        "import sys; from ser_core.encoders import encoder\n"
        f"assert encoder('hf:{folders['wavlm-layer']}').recipe()['dim'] == 16\n"
        "assert 'ser models fetch' in encoder('wav2vec2-base').missing()\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    environment = os.environ | {"HF_HOME": str(folders["wavlm-layer"]), "HF_HUB_CACHE": str(folders["wavlm-layer"])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)
