"""The trainable model: a frozen language tower with LoRA, a connector for picture tokens, and value heads.

The tower is walked block by block, so that states can be pooled in the middle, the blocks below the first adapter
run without gradients, and nothing above the last block that a loss needs is computed.
Legend: B rows, T tokens, D width, L pooled layers, M metrics, K = 10 bins, C channels of the vision tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lcbm_model.training.collate import Batch
from lcbm_model.training.settings import LoraSettings, ReadoutSettings
from lcbm_model.vision.connector import untuned_connector


@dataclass
class Readout:
    """What one forward pass yields, all float32: digit logits (B, K), utility (B,), pooled states (B, F)."""

    bins: Tensor
    utility: Tensor
    pooled: Tensor
    text_logits: Tensor
    text_targets: Tensor


class ValueHead(nn.Module):
    """One linear map per metric on standardised pooled states. `fold` gives the same map on raw states."""

    def __init__(self, size: int, metrics: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(metrics, size))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def forward(self, pooled: Tensor, metric: Tensor) -> Tensor:
        standard = (pooled - self.mean) / self.scale  # (B, F)
        # Divided by the root of the width, so that a rate for the head means the same whatever it pools.
        return (standard * self.weight[metric.clamp_min(0)]).sum(-1) / standard.shape[-1] ** 0.5

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weights (M, F) and biases (M,) that act on raw pooled states."""
        weight = self.weight / self.scale / self.weight.shape[-1] ** 0.5
        return weight, -(weight @ self.mean)


class BehaviorModel(nn.Module):
    """Language tower + LoRA + connector + value heads over packed batches."""

    def __init__(
        self,
        lm: nn.Module,
        *,
        digit_ids: Sequence[int],
        metrics: int,
        channels: int,
        lora: LoraSettings,
        readout: ReadoutSettings,
    ) -> None:
        super().__init__()
        lm.requires_grad_(False)
        self.lm = _with_lora(lm, lora)
        self._first = lora.first_layer
        self._pool = tuple(readout.layers)
        width = lm.config.hidden_size
        size = float(lm.get_input_embeddings().weight.detach().float().square().mean().sqrt())  # type: ignore[operator]
        self.connector = untuned_connector(channels, width, scale=size).train().requires_grad_(True)
        self._pooling = readout.pooling
        self._with_picture = readout.picture
        self.head = ValueHead(width * len(self._pool) + (channels if readout.picture else 0), metrics)
        self.register_buffer("digit_ids", torch.tensor(list(digit_ids)), persistent=False)

    @property
    def tower(self) -> Any:
        """The decoder under the language-model head."""
        return self.lm.model

    def trainable(self) -> dict[str, nn.Parameter]:
        """Name -> parameter of everything that learns."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def forward(self, batch: Batch, *, bins: bool = True) -> Readout:
        """Encode a batch.

        Args:
            bins: False stops at the last pooled block: no digit logits, no text.
        """
        tower = self.tower
        hidden = tower.embed_tokens(batch.ids)  # (B, T, D)
        if len(batch.picture_rows):
            hidden = self._insert(hidden, batch)
        position = torch.arange(hidden.shape[1], device=hidden.device)[None]
        rotary = tower.rotary_emb(hidden, position_ids=position)
        pool = self._pool_mask(batch, hidden.shape[1])  # (B, T), rows sum to 1
        pooled: list[Tensor] = []
        layers = tower.layers if bins else tower.layers[: max(self._pool)]
        # The connector learns through the frozen blocks too, so gradients are only switched off without pictures.
        frozen = self._first if not len(batch.picture_rows) else 0
        for number, layer in enumerate(layers, start=1):
            with torch.set_grad_enabled(torch.is_grad_enabled() and number > frozen):
                hidden = layer(hidden, attention_mask=None, position_ids=position, position_embeddings=rotary)
            if number in self._pool:
                pooled.append(torch.einsum("bt,btd->bd", pool, hidden.float()))
        features = torch.cat(pooled + self._picture_features(batch), dim=-1)
        utility = self.head(features, batch.metric)
        if not bins:
            empty = hidden.new_zeros((0, 1))
            return Readout(empty, utility, features, empty, batch.ids.new_zeros(0))
        return Readout(*self._digits(hidden, batch), utility, features, *self._text(hidden, batch))

    def _insert(self, hidden: Tensor, batch: Batch) -> Tensor:
        tokens = self.connector(batch.pictures).to(hidden.dtype)  # (B', K, D)
        at = batch.picture_at[batch.picture_rows][:, None] + torch.arange(tokens.shape[1], device=hidden.device)
        return hidden.index_put((batch.picture_rows[:, None].expand_as(at), at), tokens)

    def _pool_mask(self, batch: Batch, width: int) -> Tensor:
        at = torch.arange(width, device=batch.ids.device)[None]
        words = self._pooling == "words"
        start, end = (batch.words_start, batch.words_end) if words else (batch.own_start, batch.target_start)
        inside = (at >= start[:, None]) & (at < end[:, None])
        return inside.float() / inside.sum(-1, keepdim=True).clamp_min(1)

    def _picture_features(self, batch: Batch) -> list[Tensor]:
        """Mean tower features (B, C), zeros for rows without a picture; an empty list where the head reads none."""
        if not self._with_picture:
            return []
        found = batch.pictures.new_zeros((len(batch.ids), batch.pictures.shape[-1]))
        if len(batch.picture_rows):
            found = found.index_put((batch.picture_rows,), batch.pictures.mean(1))
        return [found]

    def _digits(self, hidden: Tensor, batch: Batch) -> tuple[Tensor]:
        last = hidden[torch.arange(len(hidden), device=hidden.device), batch.target_start - 1]
        weight = self.lm.get_output_embeddings().weight[self.digit_ids]  # (K, D)
        return (self.tower.norm(last).float() @ weight.float().T,)

    def _text(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        if not batch.has_text:
            return hidden.new_zeros((0, 1)), batch.ids.new_zeros(0)
        at = torch.arange(hidden.shape[1] - 1, device=hidden.device)[None]
        predicts = (at + 1 >= batch.target_start[:, None]) & (at + 1 < batch.length[:, None])
        states = self.tower.norm(hidden[:, :-1][predicts])
        return self.lm.get_output_embeddings()(states), batch.ids[:, 1:][predicts]


def _with_lora(lm: nn.Module, settings: LoraSettings) -> nn.Module:
    from peft import LoraConfig, inject_adapter_in_model

    last = settings.last_layer if settings.last_layer is not None else len(lm.model.layers)
    if settings.rank <= 0:
        return lm
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
        layers_to_transform=list(range(settings.first_layer, last)),
        layers_pattern="layers",
    )
    return inject_adapter_in_model(config, lm)
