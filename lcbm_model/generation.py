"""Writing with the backbone: several samples for each of several prompts, drawn as one batch, the same for one seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lcbm_model.errors import SettingsError
from lcbm_model.verbalize import IMAGE, Prompt

if TYPE_CHECKING:
    import torch

    from lcbm_model.backbone.model import Backbone


@dataclass(frozen=True)
class Sample:
    """One answer. `log_likelihood` is the mean natural log-probability of its tokens under the untempered model."""

    text: str
    tokens: int
    log_likelihood: float
    finished: bool
    """Whether it came to a stop by itself, before the token limit."""


def generate(
    backbone: Backbone,
    prompts: Sequence[Prompt | str],
    n: int = 1,
    *,
    max_new_tokens: int = 48,
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
    stop: Sequence[str] = ("\n",),
    start: str | Sequence[str] = "",
) -> list[list[Sample]]:
    """Sample `n` answers to each prompt. All grow together: a step costs little more for many rows than for one.

    Args:
        backbone: From `load_backbone()`, or `LocalSimulator.backbone`.
        prompts: Instructions; a plain text is one without pictures. The chat template is put around each.
        n: Answers for each prompt.
        max_new_tokens: Longest answer, 1 or more.
        temperature: 0 takes the likeliest token each time (all `n` answers are then equal).
        top_p: Share of probability that tokens are drawn from, above 0 and up to 1; of the 256 likeliest at most.
        seed: The same seed, prompts and settings give the same answers; each prompt has draws of its own.
        stop: An answer ends before the first of these that follows a visible character.
        start: Words put into the answer's mouth, the same for all prompts or one for each; they are not part of the
            returned text.

    Returns:
        For each prompt `n` samples in the order drawn; texts are stripped and may be empty or repeated.

    Raises:
        SettingsError: A setting out of range.
        PictureError: A picture of a prompt cannot be used.
        ValueError: A prompt's picture marks and pictures differ in number, or it is too long for the model.
    """
    starts = [start] * len(prompts) if isinstance(start, str) else list(start)
    for name, value, fine in (
        ("start", len(starts), len(starts) == len(prompts)),
        ("n", n, n >= 1),
        ("max_new_tokens", max_new_tokens, max_new_tokens >= 1),
        ("temperature", temperature, math.isfinite(temperature) and temperature >= 0),
        ("top_p", top_p, 0 < top_p <= 1),
    ):
        if not fine:
            raise SettingsError(name, "out of range", value=value, remedy="See lcbm_model.generation.generate")
    import torch

    rules = _Rules(max_new_tokens, temperature, top_p, tuple(s for s in stop if s))
    if not prompts:
        return []
    with torch.inference_mode():
        with backbone.lock:
            embeddings = [
                _prompt_embeddings(backbone, prompt, begun, max_new_tokens)
                for prompt, begun in zip(prompts, starts, strict=True)
            ]
        samples = _Growing(backbone, embeddings, n, rules, seed).grow()
    return [samples[i * n : (i + 1) * n] for i in range(len(prompts))]


READ_AT_ONCE = 128
"""Tokens of the prompts, all together, that are read in one turn: who wants a score meanwhile waits for no more."""


@dataclass(frozen=True)
class _Rules:
    max_new_tokens: int
    temperature: float
    top_p: float
    stop: tuple[str, ...]


class _Growing:
    """Rows of one batch, N for each of P prompts, that grow by a token a step until each has come to its end."""

    def __init__(self, backbone: Backbone, prompts: Sequence[torch.Tensor], n: int, rules: _Rules, seed: int) -> None:
        """Read the prompts, (1, L, D) each, padded on the left to one length, and copy each cache for its rows."""
        import torch
        from transformers import DynamicCache

        self.backbone, self.rules, self.n = backbone, rules, n
        self.generators = [torch.Generator().manual_seed((seed * 1_000_003 + i) % 2**63) for i in range(len(prompts))]
        self.banned, self.ends = _special_tokens(backbone)
        lengths = torch.tensor([p.shape[1] for p in prompts])
        longest = int(lengths.max())
        device = backbone.device
        padded = torch.cat([torch.nn.functional.pad(p, (0, 0, longest - p.shape[1], 0)) for p in prompts])  # (P, L, D)
        self.mask = (torch.arange(longest)[None, :] >= (longest - lengths)[:, None]).long().to(device)  # (P, L)
        # One length needs no mask: attention then takes the path without one.
        self.even = bool((lengths == longest).all())
        self.cache = DynamicCache(config=backbone.language_model.config.get_text_config())
        logits = self._read(padded)  # (P, V)
        self.cache.batch_repeat_interleave(n)
        self.mask = self.mask.repeat_interleave(n, dim=0)  # (P * N, L)
        self.position = lengths.repeat_interleave(n).to(device)  # (P * N,) of the next token
        self.logits = logits.repeat_interleave(n, dim=0)  # (P * N, V)
        rows = len(prompts) * n
        self.active = list(range(rows))
        self.tokens: list[list[int]] = [[] for _ in range(rows)]
        self.likelihood = [0.0] * rows
        self.finished = [False] * rows

    def _read(self, prompts: torch.Tensor) -> torch.Tensor:
        """(P, L, D) padded prompts into the cache, slice by slice, each a turn of its own; the last token's logits."""
        mask, logits = self.mask, prompts.new_empty(0)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)  # (P, L)
        width = max(1, READ_AT_ONCE // len(prompts))
        for start in range(0, prompts.shape[1], width):
            place = slice(start, start + width)
            self.mask = mask[:, : place.stop]
            with self.backbone.lock:
                logits = self._run({"inputs_embeds": prompts[:, place]}, positions[:, place])
        return logits

    def grow(self) -> list[Sample]:
        """Steps until all rows are finished or have as many tokens as they may.

        Each step is a turn of its own: who wants a score meanwhile waits for a step, not for a text.
        """
        for step in range(self.rules.max_new_tokens):
            with self.backbone.lock:
                drawn = self._step()  # (A,)
                if all(self.finished) or step + 1 == self.rules.max_new_tokens:
                    break
                self._advance(self._drop_finished(drawn))
        rows = zip(self.tokens, self.likelihood, self.finished, strict=True)
        with self.backbone.lock:
            return [_finish(self.backbone, row, total, done, self.rules) for row, total, done in rows]

    def _step(self) -> torch.Tensor:
        """Draw a token for each active row and book it."""
        self.logits[:, self.banned] = -math.inf
        chances = self._uniform()[self.active]
        drawn = _draw(self.logits, self.rules, chances)  # (A,)
        known = self.logits.log_softmax(dim=-1).gather(1, drawn[:, None])[:, 0].tolist()
        for place, (row, token) in enumerate(zip(self.active, drawn.tolist(), strict=True)):
            if self.finished[row]:
                continue
            self.likelihood[row] += known[place]
            if token in self.ends:
                self.finished[row] = True
                continue
            self.tokens[row].append(token)
            text = self.backbone.tokenizer.decode(self.tokens[row])
            self.finished[row] = _stopped(text, self.rules.stop) is not None
        return drawn

    def _uniform(self) -> torch.Tensor:
        """(P * N,) numbers 0..1, of finished rows too: what a row draws does not hang on how the others fare."""
        import torch

        return torch.cat([torch.rand(self.n, generator=generator) for generator in self.generators])

    def _drop_finished(self, drawn: torch.Tensor) -> torch.Tensor:
        """Take finished rows out of the batch once they are a quarter of it; returns the others' tokens."""
        import torch

        kept = [place for place, row in enumerate(self.active) if not self.finished[row]]
        if len(kept) > 0.75 * len(self.active):
            return drawn
        chosen = torch.tensor(kept, device=self.mask.device)
        self.cache.batch_select_indices(chosen)
        self.mask, self.position = self.mask[chosen], self.position[chosen]
        self.active = [self.active[place] for place in kept]
        return drawn[chosen.cpu()]

    def _advance(self, drawn: torch.Tensor) -> None:
        import torch

        self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], dim=1)
        self.logits = self._run({"input_ids": drawn[:, None].to(self.backbone.device)}, self.position[:, None])
        self.position = self.position + 1

    def _run(self, given: dict[str, torch.Tensor], positions: torch.Tensor) -> torch.Tensor:
        """One pass on the cache; logits after the last token, (rows, V) float32 on the CPU."""
        padding = {} if self.even else {"attention_mask": self.mask, "position_ids": positions}
        out = self.backbone.decoder(**given, **padding, past_key_values=self.cache, use_cache=True)
        return self.backbone.head(out.last_hidden_state[:, -1]).float().cpu()


def _prompt_embeddings(backbone: Backbone, prompt: Prompt | str, start: str, room: int) -> torch.Tensor:
    import torch

    if isinstance(prompt, str):
        prompt = Prompt(shared="", own=prompt.replace(IMAGE, " ".join(IMAGE)))
    encoded = backbone.encoder.encode(prompt)
    ids = (*encoded.ids, *backbone.encoder.plain(start))
    if len(ids) + room > backbone.max_length:
        raise ValueError(f"the prompt takes {len(ids)} tokens and leaves no room for an answer: shorten it")
    tokens = torch.cat(list(backbone.eyes.look(list(encoded.pictures)).tokens)) if encoded.pictures else None
    return backbone.embed(ids, tokens)


def _special_tokens(backbone: Backbone) -> tuple[list[int], set[int]]:
    """Ids that must never be drawn (special tokens, padding rows of the embedding) and ids that end an answer."""
    tokenizer = backbone.tokenizer
    end = backbone.language_model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(end if isinstance(end, list) else [end])} - {None}
    special = set(tokenizer.all_special_ids) | set(
        range(len(tokenizer), backbone.language_model.get_output_embeddings().weight.shape[0])
    )
    return sorted(special - ends), ends


NUCLEUS = 256
"""Most tokens that one is drawn from: sorting a whole vocabulary for every row takes longer than the model."""


def _draw(logits: torch.Tensor, rules: _Rules, uniform: torch.Tensor) -> torch.Tensor:
    """One token for each row of (N, V) logits, from the smallest set that holds `top_p` of the probability.

    Args:
        uniform: (N,) numbers 0..1; the token is where the cumulated probability of the set passes this share of it.
    """
    if rules.temperature == 0:
        return logits.argmax(dim=-1)
    scaled = logits / rules.temperature
    likeliest, order = scaled.topk(min(NUCLEUS, scaled.shape[-1]), dim=-1)  # (N, K), descending
    chances = (likeliest - scaled.logsumexp(dim=-1, keepdim=True)).exp()
    before = chances.cumsum(dim=-1) - chances
    chances = chances.masked_fill(before >= rules.top_p, 0.0)
    summed = chances.cumsum(dim=-1)
    picked = (summed < uniform[:, None] * summed[:, -1:]).sum(dim=-1, keepdim=True)  # (N, 1)
    last = (chances > 0).sum(dim=-1, keepdim=True) - 1
    return order.gather(1, picked.minimum(last))[:, 0]


def _stopped(text: str, stop: Sequence[str]) -> int | None:
    """Where the answer ends: the first stop after a visible character, or None."""
    blank = len(text) - len(text.lstrip())
    places = [place for mark in stop if (place := text.find(mark, blank)) >= 0]
    return min(places) if places else None


def _finish(backbone: Backbone, row: list[int], total: float, done: bool, rules: _Rules) -> Sample:
    text = backbone.tokenizer.decode(row, skip_special_tokens=True)
    text = text[: _stopped(text, rules.stop)].strip()
    return Sample(text=text, tokens=len(row), log_likelihood=total / max(len(row), 1), finished=done)


def perplexity(backbone: Backbone, prompt: Prompt, text: str) -> float:
    """Perplexity of `text` as the answer to `prompt`: exp of the mean negative log-likelihood of its tokens, >= 1.

    Raises:
        ValueError: The text has no tokens, or prompt and text are too long together.
    """
    import torch

    encoder = backbone.encoder
    with backbone.lock, torch.inference_mode():
        answer = encoder.plain(text)
        if not answer:
            raise ValueError("the text is empty")
        before = _prompt_embeddings(backbone, prompt, "", len(answer))  # (1, P, D)
        whole = torch.cat([before, backbone.embed(answer)], dim=1)
        states = backbone.decoder(inputs_embeds=whole).last_hidden_state[0, before.shape[1] - 1 : -1]  # (A, D)
        scores = backbone.head(states).float().log_softmax(dim=-1)
        picked = scores[torch.arange(len(answer)), torch.tensor(answer, device=scores.device)]
    return float(torch.exp(-picked.mean()))
