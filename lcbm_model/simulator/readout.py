"""From hidden states to what the model says: ten digit logits, and a value head's utility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lcbm_model.backbone.adapter import ValueHead
from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.text_encoder import TextEncoder
from lcbm_model.behavior import N_BINS
from lcbm_model.simulator.items import Item, Pictures, Reading, States

_CENTRES = torch.arange(N_BINS, dtype=torch.float64) + 0.5


class ReadOut:
    """Reads one backbone's states."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._digits = torch.tensor(backbone.encoder.digits, device=backbone.device)
        config = backbone.language_model.config.get_text_config()
        scaled = ("final_logit_softcapping", "logits_scaling", "logit_scale")
        # Some architectures bend the logits after the head; only their own forward knows how.
        self._plain_head = not any(getattr(config, name, None) for name in scaled)

    def blocks(self, head: ValueHead | None) -> tuple[int, ...]:
        """Numbers of the blocks whose outputs a value head reads."""
        adapter = self.backbone.adapter
        if head is None or adapter is None:
            return ()
        return tuple(sorted({*adapter.spec.value_layers, *adapter.spec.value_last}))

    def stops_early(self, head: ValueHead | None) -> bool:
        """Whether the digits take no part, so that no block above the highest one read need run."""
        return head is not None and bool(head.cuts) and head.bins == 0

    def needed(self, item: Item, head: ValueHead | None) -> Item:
        """The part of a prompt that its reading depends on.

        No token sees what comes after it: where only the words' states are read, the question behind them need not run.
        """
        adapter = self.backbone.adapter
        if adapter is None or adapter.spec.value_pooling != "words" or not self.stops_early(head):
            return item
        return replace(item, own=item.own[: item.words[1]])

    def read(
        self, items: Sequence[Item], states: States, pictures: Pictures, head: ValueHead | None = None
    ) -> list[Reading]:
        """Readings of B items."""
        logits = self._digit_logits(states.last) if states.last is not None else None  # (B, 10)
        if head is None:
            assert logits is not None
            return [Reading(tuple(row)) for row in logits.tolist()]
        features = torch.stack(
            [self._features(found, item, pictures) for found, item in zip(states.own, items, strict=True)]
        )
        weight, bent = head.weight, 0.0 if head.kernel is None else head.kernel.utility(features)  # (B,)
        if (encoder := self.backbone.text_encoder(head)) is not None:
            features = torch.cat([features, encoder.embed(encoder.tokens(self.texts(items, encoder)))], dim=1)  # (B, F)
        else:
            weight = weight[: features.shape[1]]
        utilities = features.double() @ weight.double() + head.bias + bent  # (B,)
        if logits is not None:
            utilities = utilities + head.bins * (logits.softmax(dim=-1).double().cpu() @ _CENTRES)
        if head.cuts:
            known = [head.bin_probabilities(utility) for utility in utilities.tolist()]
            logits = torch.tensor(known, dtype=torch.float64).clamp_min(1e-12).log()
        assert logits is not None
        return [Reading(tuple(row), u) for row, u in zip(logits.tolist(), utilities.tolist(), strict=True)]

    def texts(self, items: Sequence[Item], encoder: TextEncoder) -> list[str]:
        """What a text encoder reads of B items."""
        if encoder.reads_cards:
            return [item.card for item in items]
        return [self.backbone.encoder.text(item.own[slice(*item.words)]) for item in items]

    def _digit_logits(self, states: Tensor) -> Tensor:
        """(B, D) last hidden states -> (B, 10) logits in float32; only the ten rows of the head are used."""
        head = self.backbone.head
        if self._plain_head and isinstance(head, torch.nn.Linear):
            bias = head.bias[self._digits].float() if head.bias is not None else None
            return torch.nn.functional.linear(states.float(), head.weight[self._digits].float(), bias)
        config = self.backbone.language_model.config.get_text_config()
        logits: Tensor = head(states).float()[:, self._digits]
        if scale := getattr(config, "logits_scaling", None):
            logits = logits / scale
        if scale := getattr(config, "logit_scale", None):
            logits = logits * scale
        if cap := getattr(config, "final_logit_softcapping", None):
            logits = cap * torch.tanh(logits / cap)
        return logits

    def _features(self, own: Mapping[int, Tensor], item: Item, pictures: Pictures) -> Tensor:
        """What a value head sees of one item's states and pictures, float32 on the CPU: see `ValueHead`."""
        adapter = self.backbone.adapter
        assert adapter is not None
        spec = adapter.spec
        start, end = item.words if spec.value_pooling == "words" else (0, len(item.own))
        parts = [own[number][start:end].float().mean(dim=0).cpu() for number in sorted(spec.value_layers)]
        parts += [own[number][end - 1].float().cpu() for number in sorted(spec.value_last)]
        if spec.value_picture:
            if item.pictures:
                parts.append(torch.stack([pictures[key].summary for key in item.pictures]).mean(dim=0).float().cpu())
            else:
                width = next(len(h.weight) for h in adapter.heads.values()) - sum(map(len, parts))
                width -= spec.text_encoder.width if spec.text_encoder else 0
                parts.append(torch.zeros(width))
        return torch.cat(parts)
