"""Reading the ten digit logits of many prompts at once, the shared beginning computed once.

Prompts that share their beginning (all candidates of one brief do) run it once into a key-value cache; the rest is
scored as right-padded batches of similar length on copies of that cache. Under a causal mask nothing real ever looks
at padding on its right, so no padding mask is needed and results equal one forward pass per prompt.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from transformers import DynamicCache

from lcbm_model.backbone.adapter import ValueHead
from lcbm_model.backbone.model import Backbone
from lcbm_model.behavior import N_BINS

MIN_SHARED = 8
"""Tokens. A shorter shared beginning is not worth a pass of its own."""


@dataclass(frozen=True)
class Item:
    """One prompt to be scored. Items are equal when everything that decides their score is."""

    shared: tuple[int, ...]
    own: tuple[int, ...]
    words: tuple[int, int]
    pictures: tuple[str, ...] = ()
    """Keys of the picture tokens, in order."""

    def __len__(self) -> int:
        return len(self.shared) + len(self.own)


@dataclass(frozen=True)
class Reading:
    """What the model says about one prompt."""

    logits: tuple[float, ...]
    """(N_BINS,) of the digits 0..9."""
    utility: float | None = None


@dataclass(frozen=True)
class Picture:
    """One picture as the model takes it: tokens (T, D), and the tower's mean features (C,) float32."""

    tokens: torch.Tensor
    summary: torch.Tensor


Pictures = Mapping[str, Picture]


class OutOfMemory(RuntimeError):
    """Not even a single prompt fits the device."""


class Scorer:
    """Scores prompts on one backbone.

    Args:
        batch_size: Prompts a batch. Halved for good when a GPU runs out of memory.
        batch_tokens: Tokens a batch, padding counted and the shared beginning too.
    """

    def __init__(self, backbone: Backbone, *, batch_size: int = 32, batch_tokens: int = 8192) -> None:
        self.backbone, self.batch_size, self.batch_tokens = backbone, batch_size, batch_tokens
        self._digits = torch.tensor(backbone.encoder.digits, device=backbone.device)
        config = backbone.language_model.config.get_text_config()
        scaled = ("final_logit_softcapping", "logits_scaling", "logit_scale")
        # Some architectures bend the logits after the head; only their own forward knows how.
        self._plain_head = not any(getattr(config, name, None) for name in scaled)

    def score(
        self, items: Sequence[Item], pictures: Pictures, head: ValueHead | None = None
    ) -> dict[Item, Reading | OutOfMemory]:
        """Readings of all distinct items.

        Args:
            pictures: What was seen, by key.
            head: Value head to read as well.
        """
        groups: dict[tuple[tuple[int, ...], tuple[str, ...]], list[Item]] = defaultdict(list)
        for item in dict.fromkeys(items):
            groups[item.shared, item.pictures].append(item)
        readings: dict[Item, Reading | OutOfMemory] = {}
        alone: list[Item] = []
        with torch.inference_mode():
            for group in groups.values():
                if len(group) > 1 and len(group[0].shared) >= MIN_SHARED:
                    readings |= self._group(group, pictures, head)
                else:
                    alone += group
            readings |= self._batches(alone, pictures, head, cache=None)
        return readings

    def _group(
        self, group: list[Item], pictures: Pictures, head: ValueHead | None
    ) -> dict[Item, Reading | OutOfMemory]:
        """Items with one shared beginning: it is computed once."""
        shared = self.backbone.embed(group[0].shared, _tokens(group[0], pictures))  # (1, P, D)
        cache = DynamicCache(config=self.backbone.language_model.config.get_text_config())
        try:
            self.backbone.decoder(inputs_embeds=shared, past_key_values=cache, use_cache=True)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            return dict.fromkeys(group, OutOfMemory("the shared part does not fit the GPU: show fewer examples"))
        return self._batches(group, pictures, head, cache=cache)

    def _batches(
        self,
        items: list[Item],
        pictures: Pictures,
        head: ValueHead | None,
        cache: DynamicCache | None,
    ) -> dict[Item, Reading | OutOfMemory]:
        readings: dict[Item, Reading | OutOfMemory] = {}
        waiting = list(self._cut(sorted(items, key=lambda i: (len(i), i.own), reverse=True)))
        while waiting:
            batch = waiting.pop(0)
            try:
                readings |= dict(zip(batch, self._forward(batch, pictures, head, cache), strict=True))
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                if len(batch) == 1:
                    readings[batch[0]] = OutOfMemory("does not fit the GPU: shorten the text or show fewer examples")
                    continue
                self.batch_size = max(1, len(batch) // 2)
                rest = [item for later in (batch, *waiting) for item in later]
                waiting = list(self._cut(rest))
        return readings

    def _cut(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """Batches of at most `batch_size` items and `batch_tokens` tokens; items come longest first."""
        batch: list[Item] = []
        for item in items:
            longest = len(batch[0]) if batch else len(item)
            if batch and (len(batch) >= self.batch_size or longest * (len(batch) + 1) > self.batch_tokens):
                yield batch
                batch = []
            batch.append(item)
        if batch:
            yield batch

    def _forward(
        self,
        batch: Sequence[Item],
        pictures: Pictures,
        head: ValueHead | None,
        cache: DynamicCache | None,
    ) -> list[Reading]:
        """One forward pass for B items, L being the longest: whole prompts, or own parts on a repeated cache."""
        backbone = self.backbone
        sequences = [item.own if cache is not None else item.shared + item.own for item in batch]
        longest = max(map(len, sequences))
        rows = []
        for item, sequence in zip(batch, sequences, strict=True):
            padded = sequence + (sequence[-1],) * (longest - len(sequence))
            rows.append(backbone.embed(padded, None if cache is not None else _tokens(item, pictures)))
        past = None
        if cache is not None:
            past = copy.deepcopy(cache)
            past.batch_repeat_interleave(len(batch))
        with self._watch(head is not None) as caught:
            out = backbone.decoder(
                inputs_embeds=torch.cat(rows), past_key_values=past, use_cache=past is not None
            )  # (B, L, D)
        last = torch.tensor([len(sequence) - 1 for sequence in sequences], device=backbone.device)
        states = out.last_hidden_state[torch.arange(len(batch), device=backbone.device), last]  # (B, D)
        logits = self._digit_logits(states)  # (B, 10)
        if head is None:
            return [Reading(tuple(row)) for row in logits.tolist()]
        offsets = [0 if cache is not None else len(item.shared) for item in batch]
        features = torch.stack(
            [self._features(caught, row, item, offsets[row], pictures) for row, item in enumerate(batch)]
        )  # (B, F)
        bins = logits.softmax(dim=-1).double().cpu() @ (torch.arange(N_BINS, dtype=torch.float64) + 0.5)  # (B,)
        utilities = features.double() @ head.weight.double() + head.bias + head.bins * bins
        if head.cuts:
            known = [head.bin_probabilities(utility) for utility in utilities.tolist()]
            logits = torch.tensor(known, dtype=torch.float64).clamp_min(1e-12).log()
        return [Reading(tuple(row), u) for row, u in zip(logits.tolist(), utilities.tolist(), strict=True)]

    def _digit_logits(self, states: torch.Tensor) -> torch.Tensor:
        """(B, D) last hidden states -> (B, 10) logits in float32; only the ten rows of the head are used."""
        head = self.backbone.head
        if self._plain_head and isinstance(head, torch.nn.Linear):
            bias = head.bias[self._digits].float() if head.bias is not None else None
            return torch.nn.functional.linear(states.float(), head.weight[self._digits].float(), bias)
        config = self.backbone.language_model.config.get_text_config()
        logits = head(states).float()[:, self._digits]
        if scale := getattr(config, "logits_scaling", None):
            logits = logits / scale
        if scale := getattr(config, "logit_scale", None):
            logits = logits * scale
        if cap := getattr(config, "final_logit_softcapping", None):
            logits = cap * torch.tanh(logits / cap)
        return logits

    @contextmanager
    def _watch(self, wanted: bool) -> Iterator[dict[int, torch.Tensor]]:
        """Keep the outputs (B, L, D) of the layers that the value heads read, by their number."""
        caught: dict[int, torch.Tensor] = {}

        def keep(number: int, _: object, __: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
            caught[number] = output if isinstance(output, torch.Tensor) else output[0]

        spec = self.backbone.adapter.spec if self.backbone.adapter is not None else None
        watched = {*spec.value_layers, *spec.value_last} if wanted and spec is not None else set()
        hooks = [self.backbone.layers[n - 1].register_forward_hook(partial(keep, n)) for n in watched]
        try:
            yield caught
        finally:
            for hook in hooks:
                hook.remove()

    def _features(
        self, caught: Mapping[int, torch.Tensor], row: int, item: Item, offset: int, pictures: Pictures
    ) -> torch.Tensor:
        """What a value head looks at for one item, (F,) float32 on the CPU: see `ValueHead`."""
        adapter = self.backbone.adapter
        assert adapter is not None
        spec = adapter.spec
        start, end = item.words if spec.value_pooling == "words" else (0, len(item.own))
        own = slice(offset + start, offset + end)
        parts = [caught[number][row, own].float().mean(dim=0).cpu() for number in sorted(spec.value_layers)]
        parts += [caught[number][row, offset + end - 1].float().cpu() for number in sorted(spec.value_last)]
        if adapter.spec.value_picture:
            if item.pictures:
                parts.append(torch.stack([pictures[key].summary for key in item.pictures]).mean(dim=0).float().cpu())
            else:
                width = next(len(h.weight) for h in adapter.heads.values()) - sum(map(len, parts))
                parts.append(torch.zeros(width))
        return torch.cat(parts)


def _tokens(item: Item, pictures: Pictures) -> torch.Tensor | None:
    """Picture tokens (N * T, D) of an item, in order."""
    return torch.cat([pictures[key].tokens for key in item.pictures]) if item.pictures else None
