"""Content and behaviour written as one instruction text, in the papers' slot order (LCBM section 3; PAPERS.md).

Pure functions, deterministic, the same for every backend. A prompt comes in two parts: `shared` (setting, picture,
known results, what is asked) is equal for all candidates of one brief and can be encoded once; `own` holds the
candidate's words. Slots nobody filled are masked, never invented. Texts are quoted as JSON strings, so that nothing
a draft says can look like a slot.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lcbm_model.behavior import percentile_to_bin
from lcbm_model.content import Content, Scene
from lcbm_model.metrics import Metric
from lcbm_model.simulator.base import Context

MASK = "[MASK]"
IMAGE = "<image>"
"""Stands for one picture; a vision backend replaces it with that picture's tokens."""


@dataclass(frozen=True)
class Prompt:
    """One instruction. `shared + own` is what is asked; `pictures` fill the `<image>` marks in order."""

    shared: str
    own: str
    pictures: tuple[Path, ...] = ()

    @property
    def text(self) -> str:
        return self.shared + self.own


def quote(text: str) -> str:
    """A text as one quoted line. Special markers cannot survive: `<|im_end|>` or `<image>` in a draft are words."""
    for marker in ("<|", "|>", IMAGE):
        text = text.replace(marker, " ".join(marker))
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def behavior_prompt(content: Content, metric: Metric, context: Context | None = None) -> Prompt:
    """Behaviour simulation: asks for the decile 0..9 of `metric` inside the content's group."""
    noun = spoken_noun(content)
    shared = (
        setting(content)
        + evidence(context or Context())
        + (
            f"Question: of ten comparable {noun}s ranked by {metric.title} ({metric.unit}), "
            f"where does this one land? 0 = lowest tenth, 9 = highest tenth.\n"
        )
    )
    own = f"{noun.capitalize()}: {words(content)}\nHow strongly will they {metric.verb}? One digit:"
    return Prompt(shared=shared, own=own, pictures=pictures(content))


def behavior_answer(percentile: float) -> str:
    """The digit that answers `behavior_prompt`."""
    return str(percentile_to_bin(percentile))


def content_prompt(content: Content, metric: Metric, percentile: float, context: Context | None = None) -> Prompt:
    """Content simulation: asks for a text that lands at `percentile`. `content.text` is not shown."""
    noun = spoken_noun(content)
    shared = setting(content) + evidence(context or Context())
    own = (
        f"Write the {noun} that lands at {behavior_answer(percentile)} of 0..9 when ten comparable {noun}s are "
        f"ranked by {metric.title} ({metric.unit}). Only the {noun}, on one line:"
    )
    return Prompt(shared=shared, own=own, pictures=pictures(content))


def rewrite_prompt(content: Content, metric: Metric, context: Context | None = None) -> Prompt:
    """Content optimisation: asks for a stronger version of `content.text` that says the same."""
    noun = spoken_noun(content)
    shared = setting(content) + evidence(context or Context())
    own = (
        f"{noun.capitalize()}: {words(content)}\n"
        f"Rewrite this {noun} so that more people {metric.verb}. Keep every fact. Only the {noun}, on one line:"
    )
    return Prompt(shared=shared, own=own, pictures=pictures(content))


def spoken_noun(content: Content) -> str:
    """The channel's noun on one line; a team's own channel name cannot break out of its place."""
    return quote(content.noun)[1:-1]


def words(content: Content) -> str:
    """The candidate's own words. Without any, what speaks instead is named (unquoted, so no draft can say it)."""
    if content.text.strip():
        return quote(content.text)
    return "picture only" if pictures(content) else "scenes only" if content.scenes else MASK


def card(content: Content) -> str:
    """What a text encoder may read of a content: its format, its title and its words, those that there are.

    Words come last, so that an encoder that cuts loses their end. Where there is neither format nor title, the words
    stand alone.
    """
    parts = (content.format, content.title, content.text)
    return " | ".join(" ".join(part.split()) for part in parts if part and part.strip())


def pictures(content: Content) -> tuple[Path, ...]:
    """Paths of the content's pictures, in the order of the `<image>` marks."""
    return tuple(m.path for m in content.media if m.kind == "image")


def setting(content: Content) -> str:
    """Who, where, to whom, when, with what: everything but the candidate's own words."""
    lines = [
        f"Where: {spoken_noun(content)}",
        f"From: {_who(content)}",
        f"To: {(content.audience and quote(content.audience)) or MASK}",
        f"When: {content.date.strftime('%B %Y') if content.date else MASK}",
    ]
    if content.format:
        lines.append(f"Format: {quote(content.format)}")
    if content.title:
        lines.append(f"Title: {quote(content.title)}")
    if content.topic:
        lines.append(f"Topic: {quote(content.topic)}")
    for media in content.media:
        shown = IMAGE if media.kind == "image" else MASK
        words = f" {quote(media.alt)}" if media.alt else ""
        lines.append(f"{'Picture' if media.kind == 'image' else 'Video'}: {shown}{words}")
    lines += [scene_line(i, scene) for i, scene in enumerate(content.scenes, start=1)]
    return "\n".join(lines) + "\n"


def _who(content: Content) -> str:
    who = content.communicator
    if who is None or not (who.name or who.description):
        return MASK
    parts = [quote(part) for part in (who.name, who.description) if part]
    if who.followers is not None:
        parts.append(f"{who.followers} followers")
    return ", ".join(parts)


def scene_line(number: int, scene: Scene) -> str:
    """One scene: when, what is said, written and seen; masked where nothing is known."""
    slots = {
        "speech": scene.speech,
        "on-screen text": scene.on_screen_text,
        "shows": scene.caption,
        "objects": ", ".join(scene.objects) or None,
        "colours": ", ".join(scene.colours) or None,
        "tones": ", ".join(scene.tones) or None,
    }
    said = "; ".join(f"{name} {quote(value)}" for name, value in slots.items() if value)
    known = scene.start is not None and scene.end is not None
    when = f" ({scene.start:.0f}-{scene.end:.0f} s)" if known else ""
    return f"Scene {number}{when}: {said or MASK}"


def evidence(context: Context) -> str:
    """Past posts with their results, one a line."""
    return "".join(f"Known: {quote(k.text)} landed at {behavior_answer(k.percentile)}\n" for k in context.examples)
