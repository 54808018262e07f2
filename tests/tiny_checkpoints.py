"""Tiny random checkpoints of every family of `Transformer`, saved as a hub repository would hold them."""

from pathlib import Path
from typing import Any

import torch
import transformers

WIDTH = 16
BLOCKS = 2
SHORTEST = 60  # samples that fill one frame of the three convolutions below

_COMMON = {
    "hidden_size": WIDTH,
    "num_hidden_layers": BLOCKS,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8, 8, 8),
    "conv_kernel": (10, 3, 3),
    "conv_stride": (5, 4, 4),
    "num_conv_pos_embeddings": 9,
    "num_conv_pos_embedding_groups": 2,
}
_LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
_LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2-group": ("Wav2Vec2", {}),
    "wav2vec2-layer": ("Wav2Vec2", _LARGE),
    "hubert-group": ("Hubert", {}),
    "hubert-layer": ("Hubert", _LARGE),
    "hubert-batch-norm": ("Hubert", {"conv_pos_batch_norm": True}),
    "wavlm-group": ("WavLM", {}),
    "wavlm-layer": ("WavLM", _LARGE),
    "data2vec": ("Data2VecAudio", {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}),
}
FAMILIES = (*_LAYOUTS, "whisper")


def config(family: str) -> transformers.PreTrainedConfig:
    """Configuration of a tiny model: two blocks of width 16."""
    if family == "whisper":
        return transformers.WhisperConfig(
            d_model=WIDTH,
            encoder_layers=BLOCKS,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            vocab_size=64,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        )
    name, options = _LAYOUTS[family]
    return getattr(transformers, f"{name}Config")(**{**_COMMON, **options})


def save(folder: Path, family: str, *, seed: int, head: str = "Model") -> transformers.PreTrainedModel:
    """Save a random checkpoint and its preprocessor; ``head`` ends the name of the model's class in transformers."""
    torch.manual_seed(seed)
    name = "Whisper" if family == "whisper" else _LAYOUTS[family][0]
    model = getattr(transformers, name + head)(config(family)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # fresh weights are so small that a mistake would hardly show
            parameter.add_(0.1 * torch.randn_like(parameter))
        for key, buffer in model.named_buffers():
            if key.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    if family == "whisper":
        transformers.WhisperFeatureExtractor().save_pretrained(folder)
    else:
        transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return model
