"""Any text-only causal language model with Llama's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lcbm_model.errors import SettingsError
from lcbm_model.training.architectures.base import Architecture, BaseFiles, Pictures, Seen, Told

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lcbm_model.backbone.chat import PromptEncoder


class CausalArchitecture(Architecture):
    """Embeddings, blocks, norm, head; pictures, where a subclass packs any, come as features of a frozen tower."""

    name: ClassVar[str] = "causal"

    def resolve(self, model: str) -> BaseFiles:
        """Folder and hash; a model that brings eyes of its own is refused."""
        from lcbm_model.training.architectures.files import find_folder, refuse_other
        from lcbm_model.training.base import hash_of

        folder, name = find_folder(model)
        refuse_other(self, folder)
        return BaseFiles(folder, name, hash_of(folder), None, 0, self.name)

    def encoder(self, base: BaseFiles, tokenizer: Any) -> PromptEncoder:
        """Picture slots are masked."""
        from lcbm_model.backbone.chat import PromptEncoder

        return PromptEncoder(tokenizer)

    def pictures(self, base: BaseFiles, paths: Sequence[str], told: Told) -> Pictures:
        """None: records are made blind before."""
        if paths:
            raise SettingsError("base.architecture", "shows no pictures", value=self.name)
        return Pictures(np.zeros((0, 1, 1), np.uint8), 1.0, ())

    def load(self, folder: Path) -> Any:
        """Float32, from a GGUF file (or its parts) or safetensors."""
        import torch
        from transformers import AutoModelForCausalLM

        from lcbm_model.training.base import join_parts

        gguf = join_parts(folder)
        options = {"gguf_file": gguf.name} if gguf is not None else {"use_safetensors": True}
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa", **options
        )
        return model.eval()

    def tower(self, model: Any) -> Any:
        """`model.model`."""
        return model.model

    def take_connector(self, model: Any, channels: int) -> nn.Module:
        """A fresh one from the features' width to the decoder's."""
        from lcbm_model.vision.connector import untuned_connector

        size = float(model.get_input_embeddings().weight.detach().float().square().mean().sqrt())
        width = model.config.hidden_size
        return untuned_connector(channels, width, scale=size).train().requires_grad_(True)

    def summary_width(self, model: Any, channels: int) -> int:
        """The features' own width."""
        return channels

    def look(self, model: Any, connector: nn.Module, pictures: Tensor) -> Seen:
        """Features (N, K, C) through the connector; the summary is their mean."""
        import torch

        counts = torch.full((len(pictures),), pictures.shape[1], device=pictures.device)
        return Seen(connector(pictures), counts, pictures.mean(1))

    def positions(self, rows: int, length: int, at: Tensor, shown: Tensor, seen: Seen | None) -> Tensor:
        """0, 1, 2, ... (1, L)."""
        import torch

        return torch.arange(length, device=at.device)[None]
