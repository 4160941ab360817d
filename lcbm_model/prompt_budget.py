"""A token budget for prompts: cuts the least informative slot first, never a picture, never a word it need not cut.

Order of the cuts, each only as far as needed: colours and tones of scenes, objects, on-screen text, captions, speech
(always from the last scene), known results from the last, the audience, the speaker's description, the topic, the
title; and last of all the words themselves, from their end. What is cut becomes unknown and is masked or left out like
any other unknown slot, so a cut prompt looks like one that training has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lcbm_model.content import Content
from lcbm_model.errors import SettingsError
from lcbm_model.simulator.base import Context
from lcbm_model.verbalize import IMAGE, Prompt

Build = Callable[[Content, Context], Prompt]
"""Makes the prompt: `lambda content, context: behavior_prompt(content, metric, context)`."""

_SCENE_SLOTS: tuple[tuple[str, Any], ...] = (
    ("colours", ()),
    ("tones", ()),
    ("objects", ()),
    ("on_screen_text", None),
    ("caption", None),
    ("speech", None),
)


def fit_prompt(
    build: Build,
    content: Content,
    context: Context | None = None,
    *,
    count_tokens: Callable[[str], int],
    limit: int,
    picture_tokens: int = 64,
) -> Prompt:
    """The prompt in at most `limit` tokens. Unchanged where it fits; deterministic.

    Args:
        count_tokens: Tokens of a text, counted as the backend will.
        limit: Most tokens, pictures included.
        picture_tokens: Tokens that one picture takes in place of its mark.

    Raises:
        SettingsError: Even without every slot that may be cut it does not fit.
    """

    def cost(prompt: Prompt) -> int:
        # The mark itself is counted as text, which errs on the safe side by a token or two a picture.
        return count_tokens(prompt.text) + picture_tokens * len(prompt.pictures)

    prompt = build(content, context or Context())
    for smaller, known in _cuts(content, context or Context()):
        if cost(prompt) <= limit:
            return prompt
        content, context = smaller, known
        prompt = build(content, context)
    if cost(prompt) <= limit:
        return prompt
    return _cut_words(build, content, context or Context(), cost, limit)


def _cuts(content: Content, context: Context) -> Iterator[tuple[Content, Context]]:
    """Ever smaller versions, least informative slot first."""
    scenes = list(content.scenes)
    for slot, empty in _SCENE_SLOTS:
        for i in reversed(range(len(scenes))):
            if getattr(scenes[i], slot):
                scenes[i] = scenes[i].model_copy(update={slot: empty})
                content = content.model_copy(update={"scenes": tuple(scenes)})
                yield content, context
    while context.examples:
        context = context.model_copy(update={"examples": context.examples[:-1]})
        yield content, context
    if content.audience:
        content = content.model_copy(update={"audience": None})
        yield content, context
    speaker = content.communicator
    if speaker is not None and speaker.description:
        content = content.model_copy(update={"communicator": speaker.model_copy(update={"description": None})})
        yield content, context
    while content.scenes:
        content = content.model_copy(update={"scenes": content.scenes[:-1]})
        yield content, context
    for slot in ("topic", "title"):
        if getattr(content, slot):
            content = content.model_copy(update={slot: None})
            yield content, context


def _cut_words(build: Build, content: Content, context: Context, cost: Callable[[Prompt], int], limit: int) -> Prompt:
    """Keep as many of the first words as fit, found by bisection; at least one."""
    words = content.text.split()
    low, high = 1, len(words)
    best: Prompt | None = None
    while low <= high:
        middle = (low + high) // 2
        prompt = build(content.with_text(" ".join(words[:middle])), context)
        if cost(prompt) <= limit:
            best, low = prompt, middle + 1
        else:
            high = middle - 1
    if best is None:
        least = cost(build(content.with_text(" ".join(words[:1])), context))
        marks = f", {len(content.media)} of it {IMAGE}" if content.media else ""
        raise SettingsError(
            "token limit", f"the shortest prompt takes {least} tokens{marks}", value=limit, remedy="Raise the limit"
        )
    return best
