"""Prompts of bytes, and a tiny model with value heads, for tests of the passes that score them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lcbm_model.backbone.adapter import AdapterSpec
from lcbm_model.backbone.loader import load_backbone
from lcbm_model.backbone.model import Backbone
from lcbm_model.simulator.items import Item, Reading, Unread
from lcbm_model.simulator.scoring import Scorer


def adapted(folder: Path, base: Backbone, *, bins: float = 0.0, cuts: bool = True, **spec: Any) -> Backbone:
    """The base with random value heads on blocks 1 and 2 (of 5)."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    generator = torch.Generator().manual_seed(4)
    heads = {"weight": torch.randn(1, 96, generator=generator) / 10, "bias": torch.tensor([0.1]),
             "bins": torch.tensor([bins])}  # fmt: skip
    if cuts:
        heads |= {"slope": torch.tensor([1.5]), "cuts": torch.linspace(-3, 3, 9)[None].clone()}
    save_file(heads, folder / "heads.safetensors")
    fields = {"name": "t", "base": base.base, "base_hash": base.base_hash, "metrics": ("click_rate",),
              "readout": "bins+value", "value_layers": (1, 2), "value_last": (2,)} | spec  # fmt: skip
    (folder / "lcbm.json").write_text(AdapterSpec(**fields).model_dump_json(), "utf-8")
    return load_backbone(folder, device="cpu", fresh=True)  # blocks of its own, to count passes on


def item(*parts: str, words: tuple[int, int] = (0, 1)) -> Item:
    """A prompt of bytes; the last part is its own."""
    tokens = [tuple(256 if c == "<" else ord(c) % 200 for c in part) for part in parts]
    return Item(sum(tokens[:-1], ()), tokens[-1], words)


def read(backbone: Backbone, items: list[Item], **kwargs: Any) -> dict[Item, Reading | Unread]:
    found: dict[Item, Reading | Unread] = {}
    for part in Scorer(backbone, **kwargs).read(items, backbone.value_head("click_rate")):
        found.update(part)
    return found
