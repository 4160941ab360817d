"""Blocks of the Llama family for inference on a processor: transformers' arithmetic in fewer buffers.

A model as narrow as ours spends much of its time on norms, rotations and gates, each of their steps writing a tensor
of its own. Here steps write over what is no longer needed, and residual sums are made inside the products. The modules,
their weights and their hooks are transformers'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcbm_model.backbone.model import Backbone

FAMILIES = ("llama", "mistral", "qwen2")
"""Architectures whose blocks are: norm, rotated attention, norm, gated layer; nothing else."""

Attend = Callable[[int, Tensor, Tensor, Tensor, float], Tensor]
"""Layer's number, query (T, H, d), key and value (T, K, d), scale of the scores -> (T, H, d)."""


def can_run_in_place(backbone: Backbone) -> bool:
    """Whether this file reproduces the model's blocks on its device."""
    config: Any = backbone.decoder.config
    if backbone.device.type != "cpu" or config.model_type not in FAMILIES or config.hidden_act != "silu":
        return False
    linear = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    modules = (m for layer in backbone.layers for name, m in layer.named_modules() if name.split(".")[-1] in linear)
    return all(type(module) is nn.Linear for module in modules)


@contextmanager
def in_place(layers: Sequence[nn.Module]) -> Iterator[None]:
    """Inside, the layers run as this file does; whoever holds the backbone's lock may change that."""
    for layer in layers:
        layer.forward = partial(_block, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _block(
    layer: Any, hidden_states: Tensor, *_: Any, position_embeddings: tuple[Tensor, Tensor], tree: Attend, **__: Any
) -> Tensor:
    """(1, T, D) -> (1, T, D); the input stays as it is."""
    states = hidden_states[0]
    attention = layer.self_attn
    normed = _normed(states, layer.input_layernorm)
    cosine, sine = (part[0, :, None, :] for part in position_embeddings)  # (T, 1, d)
    width = attention.head_dim
    query = _rotated(attention.q_proj(normed).view(len(states), -1, width), cosine, sine)
    key = _rotated(attention.k_proj(normed).view(len(states), -1, width), cosine, sine)
    value = attention.v_proj(normed).view(len(states), -1, width)
    found = tree(attention.layer_idx, query, key, value, attention.scaling)
    states = _added(states, found.flatten(1), attention.o_proj)
    normed, mlp = _normed(states, layer.post_attention_layernorm, out=normed), layer.mlp
    gate = F.silu(mlp.gate_proj(normed), inplace=True).mul_(mlp.up_proj(normed))
    return _added(states, gate, mlp.down_proj)[None]


def _normed(states: Tensor, norm: Any, out: Tensor | None = None) -> Tensor:
    """Root-mean-square norm of (T, D)."""
    scale = torch.linalg.vector_norm(states, dim=-1, keepdim=True, dtype=torch.float32)  # (T, 1)
    scale = scale.square_().div_(states.shape[-1]).add_(norm.variance_epsilon).rsqrt_()
    return torch.mul(states, scale.to(states.dtype), out=out).mul_(norm.weight)


def _rotated(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Heads (T, H, d) turned by their positions; cosine and sine (T, 1, d) hold each angle twice."""
    half = heads.shape[-1] // 2
    out = heads * cosine
    out[..., :half].addcmul_(heads[..., half:], sine[..., :half], value=-1)
    out[..., half:].addcmul_(heads[..., :half], sine[..., half:])
    return out


def _added(states: Tensor, found: Tensor, linear: nn.Linear) -> Tensor:
    """`states + linear(found)`, the sum made inside the product."""
    total = torch.addmm(states, found, linear.weight.t())
    return total if linear.bias is None else total.add_(linear.bias)
