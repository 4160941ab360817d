"""The trainable model: a frozen language tower with LoRA, a connector for picture tokens, and value heads.

The tower is walked block by block, so that states can be pooled in the middle, the blocks below the first adapter
run without gradients, and nothing above the last block that a loss needs is computed.
Legend: B rows, T tokens, D width, L pooled layers, M metrics, K = 10 bins or tokens of a picture, N pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lcbm_model.errors import SettingsError
from lcbm_model.training.architectures.base import Seen
from lcbm_model.training.architectures.registry import architecture_of
from lcbm_model.training.collate import Batch
from lcbm_model.training.processes import whole
from lcbm_model.training.settings import LoraSettings, ReadoutSettings
from lcbm_model.training.shared_prefix import SharedKeys, mask_behind


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

    mean: Tensor
    scale: Tensor

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
        weight = whole(self.weight) / self.scale / self.weight.shape[-1] ** 0.5
        return weight, -(weight @ self.mean)


class BehaviorModel(nn.Module):
    """Language tower + LoRA + connector + value heads over packed batches."""

    digit_ids: Tensor

    def __init__(
        self,
        lm: Any,
        *,
        digit_ids: Sequence[int],
        metrics: int,
        channels: int,
        lora: LoraSettings,
        readout: ReadoutSettings,
    ) -> None:
        super().__init__()
        lm.requires_grad_(False)
        self.architecture = architecture_of(lm.config.model_type)
        self.connector = self.architecture.take_connector(lm, channels)
        # Where all adapters lie above the blocks that heads read, what heads read stays as it is, pictures too.
        self.sees_as_before = 0 < readout.highest <= lora.first_layer
        self.connector.requires_grad_(not self.sees_as_before)
        self.picture_width = self.architecture.summary_width(lm, channels) if readout.picture else 0
        self.lm = lm
        add_lora(self.tower, lora)
        self._first = lora.first_layer
        self._pool, self._last = tuple(sorted(set(readout.layers))), tuple(sorted(set(readout.last_layers)))
        check_layers(readout, len(self.tower.layers))
        self._pooling = readout.pooling
        states = self.tower.config.hidden_size * (len(self._pool) + len(self._last))
        self.head = ValueHead(states + self.picture_width, metrics)
        self.even = False
        """Whether every pass must reach the same weights, forward and back, whatever its rows show: see `Processes`."""
        self.register_buffer("digit_ids", torch.tensor(list(digit_ids)), persistent=False)

    @property
    def tower(self) -> Any:
        """The decoder under the language-model head."""
        return self.architecture.tower(self.lm)

    def trainable(self) -> dict[str, nn.Parameter]:
        """Name -> parameter of everything that learns."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def forward(self, batch: Batch, *, bins: bool = True) -> Readout:
        """Encode a batch.

        Args:
            bins: False stops at the last pooled block: no digit logits, no text.
        """
        layers = self.tower.layers if bins else self.tower.layers[: max((*self._pool, *self._last))]
        pool, ends = self._pool_mask(batch), self._pool_ends(batch)  # (B, T), rows sum to 1; (B,)
        seen = self._look(batch)
        means: list[Tensor] = []
        lasts: list[Tensor] = []
        hidden = batch.ids  # so that mypy and readers know it is bound
        for number, hidden, _ in self.walk(batch, layers, seen):
            if number in self._pool:
                means.append(torch.einsum("bt,btd->bd", pool, hidden.float()))
            if number in self._last:
                lasts.append(hidden[torch.arange(len(hidden), device=hidden.device), ends].float())
        features = torch.cat(means + lasts + self._picture_features(batch, seen), dim=-1)
        utility = self.head(features, batch.metric)
        if not bins:
            empty = features.new_zeros((0, 1))
            return Readout(empty, utility, features, empty, batch.ids.new_zeros(0))
        return Readout(self._digits(hidden, batch), utility, features, *self._text(hidden, batch))

    def _look(self, batch: Batch) -> Seen | None:
        """What is on the batch's pictures; None without any."""
        if not len(batch.picture_rows):
            return None
        return self.architecture.look(self.lm, self.connector, batch.pictures)

    def walk(
        self, batch: Batch, layers: Sequence[Any], seen: Seen | None = None
    ) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """Block by block: (number from 1, states (B, T, D), states of the shared part (1, P, D) or None).

        Args:
            seen: What is on the batch's pictures; looked at now where it is not given.
        """
        seen = seen if seen is not None else self._look(batch)
        hidden, shared = self._enter(batch, seen)
        behind = 0 if shared is None else shared.shape[1]
        own, first = self._positions(batch, hidden, behind, seen)
        mask = mask_behind(behind, hidden.shape[1], hidden.device) if behind else None
        # A connector that learns does so through the frozen blocks too: then gradients only stop without pictures.
        stops = self.sees_as_before or batch.cached or not (len(batch.picture_rows) or self.even)
        frozen = self._first if stops else 0
        if batch.cached:
            yield batch.cached, hidden, shared
        again = self.architecture.recompute and self.training and torch.is_grad_enabled()
        for number, layer in enumerate(layers[batch.cached :], start=batch.cached + 1):
            with torch.set_grad_enabled(torch.is_grad_enabled() and number > frozen):
                step = partial(_block, layer, mask=mask, own=own, first=first)
                if again:
                    hidden, shared = checkpoint(step, hidden, shared, use_reentrant=False)
                else:
                    hidden, shared = step(hidden, shared)
            yield number, hidden, shared

    def _positions(
        self, batch: Batch, hidden: Tensor, behind: int, seen: Seen | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Rotary embeddings of the rows' own tokens and of the shared ones, as blocks take them."""
        at = batch.picture_at[batch.picture_rows] + behind
        rows, length = len(hidden), behind + hidden.shape[1]
        position = self.architecture.positions(rows, length, at, batch.picture_rows, seen)
        cos, sin = self.tower.rotary_emb(hidden, position_ids=position)  # (..., 1 or B, P + T, d)
        flat = torch.arange(length, device=hidden.device)[None]
        own = {"position_ids": flat[:, behind:], "position_embeddings": (cos[..., behind:, :], sin[..., behind:, :])}
        shared = (cos[..., :1, :behind, :], sin[..., :1, :behind, :])  # the same in every row
        return own, {"position_ids": flat[:, :behind], "position_embeddings": shared}

    def _enter(self, batch: Batch, seen: Seen | None) -> tuple[Tensor, Tensor | None]:
        """States before the first block that is run: (B, T, D), and (1, P, D) of what all rows begin with."""
        if batch.states is not None:
            return batch.states, batch.shared_states
        hidden = self.tower.embed_tokens(batch.ids)  # (B, T, D)
        shared = self.tower.embed_tokens(batch.shared_ids) if batch.shared_ids is not None else None
        if seen is None:
            if self.even and not self.sees_as_before:
                hidden = hidden + 0.0 * torch.stack([p.sum() for p in self.connector.parameters()]).sum()
            return hidden, shared
        at = batch.picture_at[batch.picture_rows]
        if shared is not None and int(at[0]) < 0:  # the picture belongs to the shared part: the same for all rows
            tokens = seen.tokens[:1, : int(seen.counts[0])].to(shared.dtype)  # (1, K, D)
            start = shared.shape[1] + int(at[0])
            return hidden, torch.cat([shared[:, :start], tokens, shared[:, start + tokens.shape[1] :]], dim=1)
        tokens = seen.tokens.to(hidden.dtype)  # (N, K, D)
        number = torch.arange(tokens.shape[1], device=hidden.device)
        real = number < seen.counts[:, None]  # (N, K)
        place = (at[:, None] + number)[real]
        row = batch.picture_rows[:, None].expand_as(real)[real]
        return hidden.index_put((row, place), tokens[real]), shared

    def _pool_mask(self, batch: Batch) -> Tensor:
        at = torch.arange(batch.ids.shape[1], device=batch.ids.device)[None]
        words = self._pooling == "words"
        start, end = (batch.words_start, batch.words_end) if words else (batch.own_start, batch.target_start)
        inside = (at >= start[:, None]) & (at < end[:, None])
        return inside.float() / inside.sum(-1, keepdim=True).clamp_min(1)

    def _pool_ends(self, batch: Batch) -> Tensor:
        return (batch.words_end if self._pooling == "words" else batch.target_start) - 1

    def _picture_features(self, batch: Batch, seen: Seen | None) -> list[Tensor]:
        """Pictures' summaries (B, F), zeros for rows without one; an empty list where the head reads none."""
        if not self.picture_width:
            return []
        found = torch.zeros((len(batch.ids), self.picture_width), device=batch.ids.device)
        if seen is not None:
            found = found.index_put((batch.picture_rows,), seen.summary.float())
        return [found]

    def _digits(self, hidden: Tensor, batch: Batch) -> Tensor:
        last = hidden[torch.arange(len(hidden), device=hidden.device), batch.target_start - 1]
        weight = self.lm.get_output_embeddings().weight[self.digit_ids]  # (K, D)
        return self.tower.norm(last).float() @ weight.float().T

    def _text(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        if not batch.has_text:
            return hidden.new_zeros((0, 1)), batch.ids.new_zeros(0)
        at = torch.arange(hidden.shape[1] - 1, device=hidden.device)[None]
        predicts = (at + 1 >= batch.target_start[:, None]) & (at + 1 < batch.length[:, None])
        states = self.tower.norm(hidden[:, :-1][predicts])
        return self.lm.get_output_embeddings()(states), batch.ids[:, 1:][predicts]


@contextmanager
def half_precision(model: BehaviorModel, device: str, *, enabled: bool) -> Iterator[None]:
    """Frozen weights in bfloat16, and autocast to it; what learns stays float32. The weights come back unchanged.

    Autocast's cache of converted weights is off: it lasts as long as the outermost block, so that every pass of a whole
    training would see the adapters as they were at the first step.
    """
    if not enabled:
        yield
        return
    pieces = model.even  # of these only their owner may change the type, and autocast does for them
    frozen = [] if pieces else [p for p in model.lm.parameters() if not p.requires_grad and p.dtype == torch.float32]
    whole = {p: p.data for p in frozen}
    try:
        for parameter in whole:
            parameter.data = parameter.data.to(torch.bfloat16)
        with torch.autocast(device, torch.bfloat16, cache_enabled=False):
            yield
    finally:
        for parameter, values in whole.items():
            parameter.data = values


def check_layers(readout: ReadoutSettings, layers: int) -> None:
    """Refuse a read-out that the base has no layers for.

    Raises:
        SettingsError: No layer at all, or one outside 1..layers.
    """
    wanted = (*readout.layers, *readout.last_layers)
    if not wanted or not all(1 <= number <= layers for number in wanted):
        remedy = f"The base has layers 1 to {layers}"
        raise SettingsError("readout.layers", "names no layer of the base", value=wanted, remedy=remedy)


def _block(
    layer: Any, hidden: Tensor, shared: Tensor | None, *, mask: Tensor | None, own: Any, first: Any
) -> tuple[Tensor, Tensor | None]:
    """One block over the shared part (1, P, D), where there is one, and over the rows (B, T, D) behind it."""
    keys = None
    if shared is not None:
        keys = SharedKeys()
        shared = layer(shared, attention_mask=None, past_key_values=keys, **first)
    return layer(hidden, attention_mask=mask, past_key_values=keys, **own), shared


def add_lora(tower: Any, settings: LoraSettings) -> None:
    """Low-rank adapters in the decoder's blocks and nowhere else, in place.

    Raises:
        SettingsError: No layer is left to carry one, or a target that the blocks do not have.
    """
    from peft import LoraConfig, inject_adapter_in_model

    if settings.rank <= 0:
        return
    linear = {name.split(".")[-1] for name, part in tower.layers.named_modules() if isinstance(part, nn.Linear)}
    strange = [name for name in settings.targets if name not in linear]
    if strange or not settings.targets:
        remedy = f"The base's blocks have {', '.join(sorted(linear))}"
        raise SettingsError("lora.targets", "names no layer to tune", value=strange or settings.targets, remedy=remedy)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        target_modules=lora_pattern(settings, len(tower.layers)),
    )
    inject_adapter_in_model(config, tower)
    for parameter in tower.parameters():
        if parameter.requires_grad:  # adapters take their layer's number type, and half precision cannot add up steps
            parameter.data = parameter.data.float()


def lora_pattern(settings: LoraSettings, layers: int) -> str:
    """Full names, inside the decoder, of the modules that carry an adapter, as peft reads a pattern.

    Raises:
        SettingsError: No layer is left to carry one.
    """
    last = settings.last_layer if settings.last_layer is not None else layers
    if not 0 <= settings.first_layer < last <= layers:
        wanted = (settings.first_layer, settings.last_layer)
        remedy = f"The base has layers 0 to {layers - 1}"
        raise SettingsError("lora.first_layer, lora.last_layer", "leave no layer to tune", value=wanted, remedy=remedy)
    numbers = "|".join(map(str, range(settings.first_layer, last)))
    return rf"layers\.({numbers})\.(.*\.)?({'|'.join(settings.targets)})"
