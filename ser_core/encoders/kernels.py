"""Faster routines for loaded speech transformers, of the same numbers to rounding.

Where the time of wav2vec 2.0 base went, on a processor with two cores and clips of 4 s: linear layers 60 %,
convolutions 30 %, the rest in passing 24 MB arrays from one allocation to the next.
"""

import functools
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def fuse_attention(model: Any) -> None:
    """Let WavLM attend by one fused call; its own keeps every weight, and warns of the types of its masks."""
    for block in model.encoder.layers:
        block.attention.torch_multi_head_self_attention = functools.partial(_attend, block.attention)


def quicken(model: Any) -> None:
    """Swap routines that are slow in float32 on a processor; the model is changed in place, for inference only."""
    import torch
    from transformers.activations import GELUActivation

    if hasattr(model, "feature_extractor"):
        first = model.feature_extractor.conv_layers[0].conv
        first.forward = functools.partial(_first_convolution, first)
        positions = getattr(model.encoder.pos_conv_embed, "conv", None)  # data2vec has several, and they are small
        if positions is not None:
            weight = positions.weight[:, :, None].contiguous(memory_format=torch.channels_last)
            positions.forward = functools.partial(_positional_convolution, positions, weight=weight)
    # oneDNN takes weights that are laid out for it once; by itself torch leaves float32 to a general product.
    packable = platform.machine().lower() in ("x86_64", "amd64") and torch.backends.mkldnn.is_available()
    for layer in model.modules():
        kind = type(layer)
        if kind is GELUActivation:
            layer.forward = torch.ops.aten.gelu_  # nothing else reads its input
        elif packable and kind is torch.nn.Linear:
            packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight, None)
            layer.forward = functools.partial(_linear, weight=packed, bias=layer.bias)
            layer.register_parameter("weight", None)  # a second copy would double the model


def _attend(
    layer: Any, hidden: "torch.Tensor", mask: "torch.Tensor | None", bias: "torch.Tensor"
) -> "tuple[torch.Tensor, None]":
    import torch

    shape = (*hidden.shape[:2], layer.num_heads, layer.head_dim)
    query, key, value = (
        project(hidden).view(shape).transpose(1, 2) for project in (layer.q_proj, layer.k_proj, layer.v_proj)
    )
    bias = bias.view(shape[0], layer.num_heads, shape[1], shape[1])
    if mask is not None:
        bias = bias.masked_fill(~mask[:, None, None], -torch.inf)
    dropout = layer.dropout if layer.training else 0.0
    mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
    return layer.out_proj(mixed.transpose(1, 2).flatten(2)), None


def _first_convolution(layer: Any, signal: "torch.Tensor") -> "torch.Tensor":
    """Convolve the one channel of one clip as a product of matrices."""
    windows = signal[0, 0].unfold(0, layer.kernel_size[0], layer.stride[0])
    product = layer.weight.squeeze(1) @ windows.T
    return (product if layer.bias is None else product + layer.bias[:, None])[None]


def _positional_convolution(layer: Any, hidden: "torch.Tensor", *, weight: "torch.Tensor") -> "torch.Tensor":
    """Convolve with the channels last, as the frames already lie, and the norm of the weights taken once."""
    import torch

    options = {"padding": (0, layer.padding[0]), "groups": layer.groups}
    return torch.nn.functional.conv2d(hidden[:, :, None], weight, layer.bias, **options)[:, :, 0]


def _linear(inputs: "torch.Tensor", *, weight: "torch.Tensor", bias: "torch.Tensor | None") -> "torch.Tensor":
    import torch

    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
