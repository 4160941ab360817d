"""Many prompts in one pass without padding: a tree of tokens, every shared beginning computed once.

The prompts of a pass are sorted and written one behind the other as one sequence, each without what it shares with
the one before: the preorder of their prefix tree. All linear layers run over that one sequence; only attention must
know who may look at whom. In preorder a token sees an earlier one exactly if it lies in that one's subtree:

    visible(key, query) = key <= query < end[key]

Queries are taken in chunks, each against the keys that any of its tokens sees. Nothing is padded, no key-value cache
is repeated, and prompts with different pages and dates still share what they have in common. The path that the next
pass begins with is kept with its keys, values and watched states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface

from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.watch import watching
from lcbm_model.simulator.items import Pictures, Row, States, common

NAME = "lcbm_tree"
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "smollm3")
"""Architectures whose attention is plain: causal over everything before, rotary positions, nothing added to scores."""
ROTARY = ("default", "linear", "llama3")
CHUNK, CHUNK_ON_GPU = 128, 1024
"""Queries that attend in one call. More of them look at more keys in vain, fewer mean more calls."""
MIN_KEPT = 8
"""Tokens. A shorter beginning is computed again rather than kept."""

Span = tuple[int, int, slice | Tensor, Tensor]
"""First query, end of the queries, keys they may see, what is added to their scores (G * n, keys)."""


def can_pack(backbone: Backbone) -> bool:
    """Whether the model's attention is one that this file reproduces; others take the padded way."""
    config: Any = backbone.decoder.config
    if config.model_type not in FAMILIES or any(kind != "full_attention" for kind in _layer_types(config)):
        return False
    rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return rotary.get("rope_type", "default") in ROTARY and len(backbone.layers) > 0


def _layer_types(config: Any) -> Sequence[str]:
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return ("sliding_attention",) if getattr(config, "sliding_window", None) else ()
    return tuple(kinds)


@dataclass
class Kept:
    """The path (P tokens) that the next pass begins with: keys and values (1, H, P, d) by layer, states (P, D)."""

    trail: tuple[int, ...] = ()
    keys: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    states: dict[int, Tensor] = field(default_factory=dict)

    @property
    def length(self) -> int:
        return len(self.trail)


@dataclass
class Tree:
    """Layout of one pass. Indices count the kept path first, then the new tokens in preorder.

    tokens, positions: Of the T new tokens.
    paths: For each row the indices of all its tokens.
    ends: For each index the end of its subtree.
    """

    known: Kept
    tokens: list[int]
    positions: list[int]
    paths: list[list[int]]
    ends: list[int]
    spans: list[Span] = field(default_factory=list)
    keep: Tensor | None = None
    next: Kept = field(default_factory=Kept)

    @classmethod
    def of(cls, rows: Sequence[Row], known: Kept) -> Tree:
        """Layout of rows in trail order, behind the kept path as far as they begin with it."""
        tokens: list[int] = []
        positions: list[int] = []
        ends = [0] * known.length
        paths: list[list[int]] = []
        path = list(range(known.length))
        before = known.trail
        for row in rows:
            shared = common(before, row.trail)
            for place in path[shared:]:
                ends[place] = len(ends)
            path = [*path[:shared], *range(len(ends), len(ends) + len(row.trail) - shared)]
            tokens += row.trail[shared:]
            positions += range(shared, len(row.trail))
            ends += [0] * (len(row.trail) - shared)
            paths.append(path)
            before = row.trail
        for place in path:
            ends[place] = len(ends)
        return cls(known, tokens, positions, paths, ends)

    def cut(self, chunk: int, groups: int, like: Tensor) -> None:
        """Cut the queries into spans; `groups` query heads share one key head."""
        ends = torch.tensor(self.ends)
        first = self.known.length
        for start in range(first, len(ends), chunk):
            stop = min(len(ends), start + chunk)
            seen = torch.nonzero(ends[:stop] > start)[:, 0]  # (keys,)
            query = torch.arange(start, stop)[:, None]
            hidden = (seen[None] > query) | (query >= ends[seen][None])
            bias = torch.zeros(hidden.shape, dtype=like.dtype).masked_fill_(hidden, float("-inf"))
            whole = len(seen) == int(seen[-1]) + 1 - int(seen[0])
            keys = slice(int(seen[0]), int(seen[-1]) + 1) if whole else seen.to(like.device)
            self.spans.append((start - first, stop - first, keys, bias.repeat(groups, 1).to(like.device)))

    def join(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the kept path and the new tokens; those that the next pass needs are put aside."""
        if self.known.length:
            before = self.known.keys[layer]
            keys, values = (torch.cat(pair, dim=2) for pair in zip(before, (keys, values), strict=True))
        if self.keep is not None:
            self.next.keys[layer] = keys[:, :, self.keep], values[:, :, self.keep]
        return keys, values


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    tree: Tree,
    scaling: float | None = None,
    **__: Any,
) -> tuple[Tensor, None]:
    """Attention (1, T, H, d) over a tree; query (1, H, T, d), key and value (1, K, T, d), H a multiple of K."""
    _, heads, length, width = query.shape
    layer: Any = module.layer_idx
    keys, values = tree.join(layer, key, value)
    own = key.shape[1]
    out = query.new_empty(1, length, heads, width)
    for start, stop, seen, bias in tree.spans:
        # Heads that share a key head become further queries of it: no key is repeated.
        asked = query[:, :, start:stop].reshape(1, own, -1, width)
        found = F.scaled_dot_product_attention(asked, keys[:, :, seen], values[:, :, seen], bias, scale=scaling)
        out[:, start:stop] = found.view(1, heads, stop - start, width).transpose(1, 2)
    return out, None


def _no_mask(*_: Any, **__: Any) -> None:
    """The tree brings its own."""


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, _no_mask)  # type: ignore[arg-type]


class PackedEngine:
    """Runs rows as trees. See `Engine`."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        config: Any = backbone.decoder.config
        self._groups = config.num_attention_heads // (
            getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        )
        self._chunk = CHUNK if backbone.device.type == "cpu" else CHUNK_ON_GPU
        self._kept = Kept()

    def cost(self, before: Row | None, row: Row) -> int:
        """New tokens."""
        return len(row.trail) - (common(before.trail, row.trail) if before is not None else 0)

    def forget(self) -> None:
        """Drop the kept path."""
        self._kept = Kept()

    def run(
        self, rows: Sequence[Row], following: Row | None, pictures: Pictures, blocks: Sequence[int], stop: bool
    ) -> States:
        """One pass over rows in trail order."""
        tree = Tree.of(rows, self._kept)
        embeddings = self._embed(tree.tokens, rows, pictures)  # (1, T, D)
        tree.cut(self._chunk, self._groups, embeddings)
        length = min(common(rows[-1].trail, following.trail), len(following.trail) - 1) if following else 0
        if length >= MIN_KEPT:
            tree.next = Kept(rows[-1].trail[:length])
            tree.keep = torch.tensor(tree.paths[-1][:length], device=embeddings.device)
        positions = torch.tensor([tree.positions], device=embeddings.device)
        closing: Tensor | None = None
        with self._plugged_in(), watching(self.backbone.layers, blocks, stop=stop) as caught:
            closing = self.backbone.decoder(
                inputs_embeds=embeddings, position_ids=positions, use_cache=False, tree=tree
            ).last_hidden_state[0]  # (T, D)
        states = {number: self._joined(number, found[0], tree) for number, found in caught.items()}
        own = []
        for row, path in zip(rows, tree.paths, strict=True):
            index = torch.tensor(path[len(row.item.shared) :], device=embeddings.device)
            own.append({number: found[index] for number, found in states.items()})
        self._kept = tree.next
        last = [path[-1] - tree.known.length for path in tree.paths]
        return States(closing[last] if closing is not None else None, own)

    def _joined(self, number: int, found: Tensor, tree: Tree) -> Tensor:
        """States of the kept path in front of the new ones, (P + T, D)."""
        if tree.known.length:
            found = torch.cat([tree.known.states[number], found])
        if tree.keep is not None:
            tree.next.states[number] = found[tree.keep]
        return found

    def _embed(self, tokens: Sequence[int], rows: Sequence[Row], pictures: Pictures) -> Tensor:
        """Input embeddings (1, T, D); negative numbers are replaced by the pictures' tokens."""
        backbone = self.backbone
        numbers = torch.tensor(tokens, device=backbone.device)
        embeddings = backbone.language_model.get_input_embeddings()(numbers.clamp_min(0))  # (T, D)
        if bool((numbers < 0).any()):
            seen: dict[int, Tensor] = {}
            for row in (row for row in rows if row.item.pictures):
                places = [token for token in row.trail if token < 0]
                shown = torch.cat([pictures[key].tokens for key in row.item.pictures])
                seen.update(zip(places, shown, strict=True))
            place = [i for i, token in enumerate(tokens) if token < 0]
            found = torch.stack([seen[tokens[i]] for i in place])
            embeddings[place] = found.to(embeddings.device, embeddings.dtype)
        return embeddings[None]

    @contextmanager
    def _plugged_in(self) -> Iterator[None]:
        """The model attends over trees inside the block; whoever holds the backbone's lock may change that."""
        config: Any = self.backbone.decoder.config
        usual = config._attn_implementation
        config._attn_implementation = NAME
        try:
            yield
        finally:
            config._attn_implementation = usual
