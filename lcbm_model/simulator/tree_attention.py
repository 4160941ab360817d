"""Attention over a tree of tokens.

Queries are taken in spans, each against the keys that any of its tokens sees. On a processor what every prompt begins
with is left out of that: all queries attend to it in one call that needs no mask, and each span only to its own
surroundings. Softmax over two sets of keys is the mean of the softmaxes over each, weighted by their sums of
exponentials:

    out = (e^a * out_a + e^b * out_b) / (e^a + e^b) = lerp(out_a, out_b, sigmoid(b - a))

with a and b the logarithms of the sums.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lcbm_model.simulator.tree import Span, Tree

CHUNK, CHUNK_ON_GPU = 128, 1024
"""Queries of a span. More of them look at more keys in vain, fewer mean more calls."""
OWN_CHUNK = 64
"""Queries of a span that attend to nothing of the trunk."""


class TreeAttention:
    """Attention over one pass's tree, layer by layer.

    Args:
        groups: G query heads share one key head.
        like: Any tensor of the model's, for device and number type.
    """

    def __init__(self, tree: Tree, groups: int, like: Tensor) -> None:
        self._tree = tree
        split = like.device.type == "cpu" and tree.trunk > 0
        chunk = CHUNK if like.device.type == "cpu" else CHUNK_ON_GPU
        total = len(tree.tokens)
        self._branches = tree.branches if split else total
        self._spans = tree.cut(0, self._branches, chunk, behind=0, groups=groups, like=like)
        self._own = tree.cut(self._branches, total, OWN_CHUNK, behind=tree.trunk, groups=groups, like=like)

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float | None = None) -> Tensor:
        """Query (T, H, d), key and value (T, K, d) -> (T, H, d), H a multiple of K."""
        (length, heads, width), own = query.shape, key.shape[1]
        keys, values = (part.transpose(0, 1)[None] for part in self._tree.join(layer, key, value))  # (1, K, P + T, d)
        # Heads that share a key head become further queries of it: no key is repeated.
        asked = query.reshape(length, own, -1, width).transpose(0, 1)  # (K, T, G, d)
        out = query.new_empty(length, heads, width)
        into = out.view(length, own, -1, width).transpose(0, 1)  # (K, T, G, d)
        for span in self._spans:
            found = F.scaled_dot_product_attention(
                _queries(asked, span), keys[:, :, span.keys], values[:, :, span.keys], span.bias, scale=scale
            )
            into[:, span.start : span.stop] = _tokens(found, span)
        if self._own:
            first, trunk = self._branches, self._tree.trunk
            flat = asked[:, first:].reshape(1, own, -1, width)  # (1, K, n * G, d)
            all_found, all_sums = _attended(flat, keys[:, :, :trunk], values[:, :, :trunk], None, scale)
            groups = heads // own
            for span in self._own:
                part = slice((span.start - first) * groups, (span.stop - first) * groups)
                found, sums = _attended(
                    flat[:, :, part], keys[:, :, span.keys], values[:, :, span.keys], span.bias, scale
                )
                weight = torch.sigmoid(sums - all_sums[:, :, part])[..., None].to(found.dtype)
                merged = torch.lerp(all_found[:, :, part], found, weight)
                into[:, span.start : span.stop] = _tokens(merged, span)
        return out


def _queries(asked: Tensor, span: Span) -> Tensor:
    """(K, T, G, d) -> (1, K, n * G, d)."""
    return asked[:, span.start : span.stop].reshape(1, len(asked), -1, asked.shape[-1])


def _tokens(found: Tensor, span: Span) -> Tensor:
    """(1, K, n * G, d) -> (K, n, G, d)."""
    return found[0].unflatten(1, (span.stop - span.start, -1))


def _attended(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None
) -> tuple[Tensor, Tensor]:
    """What queries (1, K, n, d) find, and the logarithms of their sums of exponentials (1, K, n)."""
    # The public function gives no sums, and flex_attention, which does, needs a compiler on a processor.
    attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    found, sums = attend(query, key, value, attn_mask=bias, scale=scale)
    return found, sums
