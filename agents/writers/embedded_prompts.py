"""How the small packaged model is asked. Built for 135M parameters: it continues well and follows instructions badly.

So most of an answer is begun for it: a list that already holds the team's own texts, or the first words. What stands
in `start` is put into the model's mouth; `prefix` is the part of it that belongs to the draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.screener.folding import collapse
from agents.writers.base import WritingTask

MESSAGE, TEXT = 600, 200
"""Characters of the message and of one other text that are shown: a small window, and hostile texts can be long."""


@dataclass(frozen=True)
class Ask:
    """One way of asking. The draft is `prefix` and what the model writes after `start`."""

    strategy: str
    prompt: str
    start: str = ""
    prefix: str = ""
    parent: str | None = None


def asks(task: WritingTask) -> list[Ask]:
    """Every way that fits the task, best ones first."""
    made = [*_openings(task), _from_list(task)]
    if task.content.text:
        made.append(_rewrite(task))
    if task.examples:
        made.append(_from_examples(task))
    return made


def _about(task: WritingTask) -> str:
    sender = task.content.communicator
    who = f" from {collapse(sender.name)[:60]}" if sender and sender.name else ""
    whom = f" for {collapse(task.content.audience)[:80]}" if task.content.audience else ""
    keep = f" It must say: {', '.join(map(collapse, task.must_keep))[:TEXT]}." if task.must_keep else ""
    return f"News{who}{whom}: {collapse(task.message)[:MESSAGE]}{keep}"


def _shown(texts: Sequence[str]) -> list[str]:
    return [collapse(text)[:TEXT] for text in texts]


def _earlier(task: WritingTask, most: int) -> list[str]:
    """Texts on this very message, the best last: a list is continued in the manner of its last lines."""
    texts = [task.content.text, *task.best_so_far]
    unique = list(dict.fromkeys(_shown([text for text in texts if text.strip()])))
    return unique[:most][::-1]


def _from_list(task: WritingTask) -> Ask:
    """A numbered list of headlines on the message, begun with the drafts there are."""
    noun, known = task.content.noun, _earlier(task, 3)
    lines = [f"{i}. {text}" for i, text in enumerate(known, start=1)]
    start = "\n".join([*lines, f"{len(lines) + 1}."])
    prompt = f"{_about(task)}\n\nWrite ten different short {noun}s for it, one on each line."
    return Ask("list", prompt, start=start, parent=known[-1] if known else None)


def _from_examples(task: WritingTask) -> Ask:
    """The team's winners as the pattern, the news as the matter."""
    noun = task.content.noun
    shown = "\n".join(f"- {text}" for text in _shown([e.text for e in task.examples])[:4])
    prompt = f"These {noun}s worked well:\n{shown}\n\nWrite one more {noun} in the same style.\n{_about(task)}"
    return Ask("from-example", prompt, parent=task.examples[0].text)


def _rewrite(task: WritingTask) -> Ask:
    """The draft in other words."""
    noun, draft = task.content.noun, collapse(task.content.text)[:TEXT]
    prompt = f"{_about(task)}\n\nSay this {noun} in other words, shorter and more vivid:\n{draft}"
    return Ask("rewrite", prompt, parent=task.content.text)


def _openings(task: WritingTask) -> list[Ask]:
    """First words given: those that carry a fact that must stay, then openings that winners use."""
    prompt = f"{_about(task)}\n\nWrite one short {task.content.noun} for it."
    made = []
    for words in opening_words(task):
        name = "-".join(words.lower().split())[:24]
        made.append(Ask(f"opening:{name}", prompt, start=words, prefix=words))
    return made


def opening_words(task: WritingTask) -> list[str]:
    """Openings worth trying: the first fact as the message puts it, and question words that past winners begin with."""
    openings = []
    if task.must_keep:
        phrase = fact_phrase(task, task.must_keep[0])
        openings.append(phrase[:1].upper() + phrase[1:])
    winners = " ".join(f"\n{e.text}" for e in task.examples).casefold()
    ranked = sorted(("Why", "How", "What"), key=lambda word: -winners.count(f"\n{word.casefold()} "))
    return openings + ranked[:2]


def fact_phrase(task: WritingTask, fact: str) -> str:
    """The fact with the preposition the brief uses before it: "9 minutes" -> "in 9 minutes"."""
    fact = collapse(fact)
    for source in (task.content.text, task.message):
        before = collapse(source).partition(fact)[0].split()
        if fact in collapse(source) and before and before[-1].casefold() in _PREPOSITIONS:
            return f"{before[-1].casefold()} {fact}"
    return fact


_PREPOSITIONS = frozenset(("in", "after", "within", "for", "from", "until", "at", "by", "with", "under", "on"))
