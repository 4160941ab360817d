"""All checks of one task, in one call per draft."""

from __future__ import annotations

from agents.screener.conditions import Conditions
from agents.screener.directions import Directions
from agents.screener.folding import collapse
from agents.screener.invention import KnownFacts, invention_reasons
from agents.screener.length import length_reasons
from agents.screener.lookalikes import lookalike_reasons
from agents.screener.markup import markup_reasons
from agents.screener.multiples import widened
from agents.screener.negation import Denials
from agents.screener.relations import Relations
from agents.screener.rules import parse_rules
from agents.screener.survival import survival_reasons
from agents.screener.words import banned_reasons, required_reasons
from agents.writers.base import WritingTask


class Screener:
    """Says why a draft may not be used. Built once per run from the task; pure and deterministic.

    Facts count as known when they stand in the message, the draft to beat, `must_keep`, the required words or the
    setting (title, sender, audience, what the picture shows). Retrieved examples and earlier drafts are no source:
    their numbers and names are about something else.
    """

    def __init__(self, task: WritingTask) -> None:
        self.task = task
        sources, sender = _sources(task), task.content.communicator
        self._sources = sources
        self._known = KnownFacts(sources, (*task.must_keep, *task.required_words))
        self._denials = Denials(sources)
        self._directions = Directions(sources)
        self._conditions = Conditions(sources)
        self._relations = Relations(sources, apart=(sender.name or "",) if sender else ())
        self._said = "\n".join((*sources, *task.must_keep, *task.required_words))
        self._rules, unchecked = parse_rules(task.rules)
        self.unchecked_rules: tuple[str, ...] = tuple(unchecked)

    def check(self, text: str) -> list[str]:
        """Reasons to refuse `text`, in plain words; empty where it may be used."""
        task = self.task
        reasons = length_reasons(text, minimum=task.min_length, maximum=task.max_length, channel=task.content.channel)
        if not text.strip():
            return reasons
        return [
            *reasons,
            *markup_reasons(text, allowed=self._given()),
            *survival_reasons(text, task.must_keep),
            *required_reasons(text, task.required_words),
            *banned_reasons(text, task.banned_words),
            *self._rule_reasons(text),
            *invention_reasons(text, self._known),
            *lookalike_reasons(text, self._said),
            *widened(text, self._sources),
            *self._denials.reasons(text),
            *self._directions.reasons(text),
            *self._conditions.reasons(text),
            *self._relations.reasons(text),
        ]

    def demands(self, text: str) -> list[str]:
        """Reasons that hold for a person's own wording too: what the brief demands in so many words.

        Who writes it may add a fact, leave one out that `must_keep` does not name, or turn a sentence round.
        """
        task = self.task
        return [
            *length_reasons(text, minimum=task.min_length, maximum=task.max_length, channel=task.content.channel),
            *survival_reasons(text, task.must_keep),
            *required_reasons(text, task.required_words),
            *banned_reasons(text, task.banned_words),
            *self._rule_reasons(text),
        ]

    def contradictions(self) -> list[str]:
        """Demands of the brief that no text can meet together, so that they are said before a call is spent."""
        needed = dict.fromkeys(map(collapse, (*self.task.must_keep, *self.task.required_words)))
        clashes = [f"{text!r} has to stay, and {reason}" for text in needed for reason in self._clash(text)]
        size = max((len(text) for text in needed), default=0)
        if size > self.task.max_length:
            clashes.append(f"the longest text that has to stay takes {size} of {self.task.max_length} characters")
        return clashes

    def _clash(self, text: str) -> list[str]:
        too_many = [r.reason(text) for r in self._rules if r.high is not None and r.count(text) > r.high]
        return [*(reason for reason in too_many if reason), *banned_reasons(text, self.task.banned_words)]

    def _rule_reasons(self, text: str) -> list[str]:
        return [reason for rule in self._rules if (reason := rule.reason(text))]

    def _given(self) -> str:
        return "\n".join((self.task.content.text, *self.task.must_keep, *self.task.required_words))


def _sources(task: WritingTask) -> list[str]:
    content, sender = task.content, task.content.communicator
    return [
        task.message,
        content.text,
        *(part for part in (content.title, content.topic, content.audience) if part),
        *((sender.name or "", sender.description or "", str(sender.followers or "")) if sender else ()),
        *(media.alt for media in content.media if media.alt),
        *(part for s in content.scenes for part in (s.speech, s.on_screen_text, s.caption, *s.objects) if part),
    ]
