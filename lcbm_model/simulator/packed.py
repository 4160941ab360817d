"""Many prompts in one pass without padding: a tree of tokens, every shared beginning computed once.

The prompts of a pass are sorted and written one behind the other as one sequence (see `tree`). All linear layers run
over that one sequence; only attention must know who may look at whom (see `tree_attention`). Nothing is padded, no
key-value cache is repeated, and prompts with different pages and dates still share what they have in common. The path
that the next pass begins with is kept with its keys, values and watched states; so is what all prompts of a call began
with, for later calls (see `beginnings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.watch import watching
from lcbm_model.simulator.beginnings import MIN_KEPT, Beginnings
from lcbm_model.simulator.in_place import can_run_in_place, in_place
from lcbm_model.simulator.items import Pictures, Row, States, common
from lcbm_model.simulator.tree import Kept, Tree
from lcbm_model.simulator.tree_attention import TreeAttention

NAME = "lcbm_tree"
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "smollm3")
"""Architectures whose attention is plain: causal over everything before, rotary positions, nothing added to scores."""
ROTARY = ("default", "linear", "llama3")


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


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    tree: TreeAttention,
    scaling: float | None = None,
    **__: Any,
) -> tuple[Tensor, None]:
    """Attention (1, T, H, d) over a tree; query (1, H, T, d), key and value (1, K, T, d)."""
    layer: Any = module.layer_idx
    found = tree(layer, query[0].transpose(0, 1), key[0].transpose(0, 1), value[0].transpose(0, 1), scaling)
    return found[None], None


def _no_mask(*_: Any, **__: Any) -> None:
    """The tree brings its own."""


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, _no_mask)  # type: ignore[arg-type]


class PackedEngine:
    """Runs rows as trees. See `Engine`.

    Args:
        beginnings: Of earlier calls, shared by the engines of one scorer; None: each call starts from nothing.
    """

    def __init__(self, backbone: Backbone, beginnings: Beginnings | None = None) -> None:
        self.backbone = backbone
        self._beginnings = beginnings or Beginnings(0)
        config: Any = backbone.decoder.config
        self._groups = config.num_attention_heads // (
            getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        )
        self._in_place = can_run_in_place(backbone)
        self._kept: Kept | None = None

    def cost(self, before: Row | None, row: Row) -> int:
        """New tokens."""
        return len(row.trail) - (common(before.trail, row.trail) if before is not None else 0)

    def forget(self) -> None:
        """Drop the kept path, and what earlier calls began with."""
        self._kept = Kept()
        self._beginnings.clear()

    def run(
        self, rows: Sequence[Row], following: Row | None, pictures: Pictures, blocks: Sequence[int], stop: bool
    ) -> States:
        """One pass over rows in trail order."""
        depth = tuple(blocks), stop
        tree = Tree.of(rows, self._beginnings.find(rows[0], depth) if self._kept is None else self._kept)
        embeddings = self._embed(tree.tokens, rows, pictures)  # (1, T, D)
        attention = TreeAttention(tree, self._groups, embeddings)
        if following is None:
            length = self._beginnings.worth_keeping(rows)
        else:
            length = min(common(rows[-1].trail, following.trail), len(following.trail) - 1)
        if length >= MIN_KEPT:
            tree.next = Kept(rows[-1].trail[:length])
            tree.keep = torch.tensor(tree.paths[-1][:length], device=embeddings.device)
        positions = torch.tensor([tree.positions], device=embeddings.device)
        closing: Tensor | None = None
        with self._plugged_in(), watching(self.backbone.layers, blocks, stop=stop) as caught:
            closing = self.backbone.decoder(
                inputs_embeds=embeddings, position_ids=positions, use_cache=False, tree=attention
            ).last_hidden_state[0]  # (T, D)
        states = {number: self._joined(number, found[0], tree) for number, found in caught.items()}
        own = []
        for row, path in zip(rows, tree.paths, strict=True):
            index = torch.tensor(path[len(row.item.shared) :], device=embeddings.device)
            own.append({number: found[index] for number, found in states.items()})
        self._kept = tree.next
        if following is None:
            self._beginnings.add(tree.next, depth)
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
        """The model attends over trees inside; whoever holds the backbone's lock may change that."""
        config: Any = self.backbone.decoder.config
        usual = config._attn_implementation
        config._attn_implementation = NAME  # keeps transformers from making a mask even where blocks run in place
        try:
            with in_place(self.backbone.layers) if self._in_place else nullcontext():
                yield
        finally:
            config._attn_implementation = usual
