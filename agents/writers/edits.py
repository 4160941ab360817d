"""A writer without a model: structured edits of the draft, the message and earlier drafts, by rule.

Each edit is one function from a text to another text or None where it does not apply; beside them stand texts made of
the message's own sentences, and texts without one of their parts. No word is added but those that carry the edit itself
("Why", "In", "Here's why"), so nothing can be invented. Texts with traits that retrieved winners share come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agents.screener import Screener
from agents.screener.folding import text_key
from agents.screener.survival import all_survive
from agents.traits import TRAITS
from agents.writers.attachment import attached
from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from agents.writers.cleaning import degenerate
from agents.writers.edit_rules import EDITS
from agents.writers.framing import FRAMES
from agents.writers.sentences import assembled, sentences
from agents.writers.shortening import shorter

Edit = Callable[[str, WritingTask], str | None]
RULES: dict[str, Edit] = EDITS | FRAMES
OF_SEVERAL = frozenset(("ours", "sentences-swapped", "no-filler", "no-sender", "sentence-case", "title-case", "spoken"))
"""Rules that may work on several sentences; the others move parts about, which only makes sense inside one."""


class EditWriter:
    """Deterministic edits. Works for any brief that has a draft or a message in whole sentences."""

    name = "edits"
    by_rule = True
    reads_advice = False

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        """Up to `n` edits that pass the brief's own limits; fewer, or none, where no rule applies.

        `seed` shifts which of the equally fitting edits come first, so that rounds differ.
        """
        screener = Screener(task)
        known = {_key(text) for text in (task.content.text, *task.best_so_far, *(e.text for e in task.examples))}
        drafts: list[Draft] = []
        dropped = 0
        for strategy, text, parent in _ordered(task, seed):
            if len(drafts) >= max(n, 0):
                break
            if _key(text) in known or degenerate(text) or not attached(text, task) or screener.check(text):
                dropped += 1
                continue
            known.add(_key(text))
            drafts.append(Draft(text=text, writer=self.name, strategy=strategy, parent=parent))
        return WriterResult(drafts=tuple(drafts), usage=WriterUsage(calls=1, dropped=dropped))


def _ordered(task: WritingTask, seed: int) -> Iterator[tuple[str, str, str]]:
    """(strategy, text, parent): single edits of every parent, then pairs of edits; winners' traits first."""
    single = [(name, text, parent) for parent in parents(task) for name, text in _apply(parent, task)]
    single += assembled(task)
    double = [
        (f"{first}+{second}", text, parent)
        for first, once, parent in single
        for second, text in _apply(once, task)
        if second != first
    ]
    for made in (single, double):
        shift = seed % len(made) if made else 0
        turned = made[shift:] + made[:shift]
        yield from sorted(turned, key=lambda entry: -_likeness(entry[1], task))


def _apply(text: str, task: WritingTask) -> Iterator[tuple[str, str]]:
    several = len(sentences(text)) > 1
    for name, edit in RULES.items():
        made = edit(text, task) if not several or name in OF_SEVERAL else None
        if made and _key(made) != _key(text):
            yield name, made
    for made in shorter(text):
        if all_survive(made, task.must_keep):
            yield "shorter", made


def parents(task: WritingTask) -> list[str]:
    """Texts to edit: the draft, the best so far, and the sentences of the message that could stand alone."""
    kept = [s for s in sentences(task.message) if all_survive(s, task.must_keep)]
    texts = [task.content.text, *task.best_so_far, *(s.rstrip(".") for s in kept)]
    return list({_key(t): t.strip() for t in texts if t.strip()}.values())


def _likeness(text: str, task: WritingTask) -> float:
    """Mean share of past winners that agree with `text` on each visible trait, 0..1; 0.5 without winners."""
    winners: Sequence[str] = [e.text for e in task.examples if e.percentile is None or e.percentile > 50]
    if not winners:
        return 0.5
    return sum(sum(t.holds(w) == t.holds(text) for w in winners) for t in TRAITS) / (len(winners) * len(TRAITS))


def _key(text: str) -> str:
    return text_key(text).rstrip(".")
