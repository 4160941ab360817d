"""Writing with the backbone: several samples for each prompt, drawn as one batch, the same for the same seed."""

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
    start: str = "",
) -> list[list[Sample]]:
    """Sample `n` answers to each prompt.

    Args:
        backbone: From `load_backbone()`, or `LocalSimulator.backbone`.
        prompts: Instructions; a plain text is one without pictures. The chat template is put around each.
        n: Answers for each prompt.
        max_new_tokens: Longest answer, 1 or more.
        temperature: 0 takes the likeliest token each time (all `n` answers are then equal).
        top_p: Share of probability that tokens are drawn from, above 0 and up to 1.
        seed: The same seed, prompt and settings give the same answers; each prompt has draws of its own.
        stop: An answer ends before the first of these that follows a visible character.
        start: Words put into the answer's mouth; they are not part of the returned text.

    Returns:
        For each prompt `n` samples in the order drawn; texts are stripped and may be empty or repeated.

    Raises:
        SettingsError: A setting out of range.
        PictureError: A picture of a prompt cannot be used.
        ValueError: A prompt's picture marks and pictures differ in number, or it is too long for the model.
    """
    for name, value, fine in (
        ("n", n, n >= 1),
        ("max_new_tokens", max_new_tokens, max_new_tokens >= 1),
        ("temperature", temperature, math.isfinite(temperature) and temperature >= 0),
        ("top_p", top_p, 0 < top_p <= 1),
    ):
        if not fine:
            raise SettingsError(name, "out of range", value=value, remedy="See lcbm_model.generation.generate")
    import torch

    rules = _Rules(max_new_tokens, temperature, top_p, tuple(s for s in stop if s))
    answers = []
    with backbone.lock, torch.inference_mode():
        for number, prompt in enumerate(prompts):
            generator = torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)
            answers.append(_sample(backbone, prompt, n, rules, generator, start))
    return answers


@dataclass(frozen=True)
class _Rules:
    max_new_tokens: int
    temperature: float
    top_p: float
    stop: tuple[str, ...]


def _sample(
    backbone: Backbone, prompt: Prompt | str, n: int, rules: _Rules, generator: torch.Generator, start: str
) -> list[Sample]:
    """One prompt: its tokens run once, then N rows grow together on copies of its cache."""
    from transformers import DynamicCache

    embeddings = _prompt_embeddings(backbone, prompt, start, rules.max_new_tokens)  # (1, P, D)
    cache = DynamicCache(config=backbone.language_model.config.get_text_config())
    state = backbone.decoder(inputs_embeds=embeddings, past_key_values=cache, use_cache=True).last_hidden_state[:, -1]
    cache.batch_repeat_interleave(n)
    banned, ends = _special_tokens(backbone)
    logits = backbone.head(state).float().cpu().repeat(n, 1)  # (N, V)
    rows: list[list[int]] = [[] for _ in range(n)]
    likelihood = [0.0] * n
    finished = [False] * n
    for _ in range(rules.max_new_tokens):
        logits[:, banned] = -math.inf
        drawn = _draw(logits, rules, generator)  # (N,)
        known = logits.log_softmax(dim=-1).gather(1, drawn[:, None])[:, 0].tolist()
        for i, token in enumerate(drawn.tolist()):
            if finished[i]:
                continue
            likelihood[i] += known[i]
            if token in ends:
                finished[i] = True
                continue
            rows[i].append(token)
            finished[i] = _stopped(backbone.tokenizer.decode(rows[i]), rules.stop) is not None
        if all(finished):
            break
        step = drawn[:, None].to(backbone.device)
        out = backbone.decoder(input_ids=step, past_key_values=cache, use_cache=True)
        logits = backbone.head(out.last_hidden_state[:, -1]).float().cpu()
    return [
        _finish(backbone, row, total, done, rules) for row, total, done in zip(rows, likelihood, finished, strict=True)
    ]


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


def _draw(logits: torch.Tensor, rules: _Rules, generator: torch.Generator) -> torch.Tensor:
    """One token for each row of (N, V) logits, from the smallest set that holds `top_p` of the probability."""
    import torch

    if rules.temperature == 0:
        return logits.argmax(dim=-1)
    chances, order = (logits / rules.temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    before = chances.cumsum(dim=-1) - chances
    chances = chances.masked_fill(before >= rules.top_p, 0.0)
    picked = torch.multinomial(chances, 1, generator=generator)  # (N, 1); weights need not sum to one
    return order.gather(1, picked)[:, 0]


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
