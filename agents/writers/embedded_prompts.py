"""How the small packaged model is asked. Built for 135M parameters: it continues well and follows instructions badly.

So most of an answer is begun for it: a list that already holds the team's own texts, or the first words. What stands
in `start` is put into the model's mouth; `prefix` is the part of it that belongs to the draft.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.screener.folding import collapse
from agents.writers.attachment import fact_phrase
from agents.writers.base import WritingTask
from lcbm_model.verbalize import IMAGE, Prompt, spoken_noun

MESSAGE, TEXT = 600, 200
"""Characters of the message and of one other text that are shown: a small window, and hostile texts can be long."""


@dataclass(frozen=True)
class Ask:
    """One way of asking. The draft is `prefix` and what the model writes after `start`."""

    strategy: str
    prompt: Prompt | str
    start: str = ""
    prefix: str = ""
    parent: str | None = None


def asks(task: WritingTask) -> list[Ask]:
    """Every way that fits the task, those that come out well most often first."""
    made = [_from_list(task)]
    if task.content.text:
        made.append(_rewrite(task))
    made += [_begun(task, name, words) for name, words in beginnings(task)]
    if task.examples:
        made.append(_from_examples(task))
    return made


def _about(task: WritingTask) -> str:
    sender = task.content.communicator
    who = f" from {_plain(sender.name)[:60]}" if sender and sender.name else ""
    return f"News{who}: {_plain(task.message)[:MESSAGE]}"


def _noun(task: WritingTask) -> str:
    return spoken_noun(task.content)[:60]


def _plain(text: str) -> str:
    """One line, on which the marks of the chat template are words."""
    text = collapse(text)
    for mark in ("<|", "|>", IMAGE):
        text = text.replace(mark, " ".join(mark))
    return text


def _shown(texts: Sequence[str]) -> list[str]:
    return [_plain(text)[:TEXT] for text in texts]


def _list_of(task: WritingTask) -> tuple[str, str, str | None]:
    """Prompt for a list of texts on the message, the list begun with the drafts there are (best last), its parent.

    A small model goes on in the manner of the last lines: that is what this and `beginnings` live on.
    """
    texts = list(dict.fromkeys(_shown([t for t in (task.content.text, *task.best_so_far) if t.strip()])))
    known = texts[:3][::-1]
    lines = [f"{i}. {text}" for i, text in enumerate(known, start=1)]
    prompt = f"{_about(task)}\n\nWrite ten different short {_noun(task)}s for it, one on each line."
    return prompt, "\n".join([*lines, f"{len(lines) + 1}."]), known[-1] if known else None


def _from_list(task: WritingTask) -> Ask:
    prompt, start, parent = _list_of(task)
    return Ask("list", prompt, start=start, parent=parent)


def _begun(task: WritingTask, name: str, words: str) -> Ask:
    """The next line of the list with its first words given."""
    words = _plain(words)
    prompt, start, parent = _list_of(task)
    return Ask(f"begun:{name}", prompt, start=f"{start} {words}", prefix=words, parent=parent)


def _rewrite(task: WritingTask) -> Ask:
    """The draft in other words."""
    noun, draft = _noun(task), _plain(task.content.text)[:TEXT]
    prompt = f"{_about(task)}\n\nSay this {noun} in other words, shorter and more vivid:\n{draft}"
    return Ask("rewrite", prompt, parent=task.content.text)


def _from_examples(task: WritingTask) -> Ask:
    """The team's winners as the pattern, the news as the matter."""
    noun = _noun(task)
    shown = "\n".join(f"- {text}" for text in _shown([e.text for e in task.examples])[:4])
    prompt = f"These {noun}s worked well:\n{shown}\n\nWrite one more {noun} in the same style.\n{_about(task)}"
    return Ask("from-example", prompt, parent=task.examples[0].text)


def beginnings(task: WritingTask) -> list[tuple[str, str]]:
    """First words that the brief itself gives: the audience, the thing, the reason, the fact, the draft's subject.

    Those that fill nearly half of the length are left out: the model could not finish them.
    """
    draft, message = collapse(task.content.text), collapse(task.message)
    made: list[tuple[str, str]] = []
    if task.content.audience and (match := _AUDIENCE.match(collapse(task.content.audience))):
        made.append(("audience", f"{_capital(match[1])}:"))
    for thing in things(f"{draft}. {message}")[:2]:
        article = "An" if thing[0] in "aeiou" else "A"
        made.append(("thing", f"{article} {thing} that"))
    if match := _REASON.search(f"{draft}. {message}"):
        made.append(("reason", f"{_capital(match[1])}:"))
    if task.must_keep:
        made.append(("fact", _capital(fact_phrase(task, task.must_keep[0]))))
    words = (draft or message).split()
    if len(words) >= 6:
        made.append(("subject", " ".join(words[: len(words) // 2])))
    winners = "".join(f"\n{e.text}" for e in task.examples).casefold()
    asked = max(("Why", "How"), key=lambda word: winners.count(f"\n{word.casefold()} "))
    made.append((asked.casefold(), asked))
    return [(name, words) for name, words in made if len(words) < 0.45 * task.max_length]


def things(text: str) -> list[str]:
    """What a text is about: one to three plain words between an article and a preposition, relative or stop."""
    found = []
    for match in _NOUN_PHRASE.finditer(text):
        words = [word for word in match[1].split() if word not in _NOT_THINGS and not any(c.isdigit() for c in word)]
        if 1 <= len(words) <= 3 and all(word.islower() for word in words) and len(words[-1]) > 2:
            found.append(" ".join(words))
    return list(dict.fromkeys(found))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:].strip()


_NOT_THINGS = frozenset(("new", "best", "first", "own", "cm", "mm", "kg", "inch", "litre", "liter", "very", "really"))
_REASON = re.compile(r"\bbecause ([^.:;!?,]{8,60})", re.IGNORECASE)
_AUDIENCE = re.compile(
    r"((?:[^\W\d_]+ ){0,2}[^\W\d_]+?)(?=\s+(?:who|that|with|in|of|from|aged|on|at|and|or|under|over)\b|[,.;(]|$)"
)
_NOUN_PHRASE = re.compile(
    r"\b(?:the|our|a|an|this|your) ((?:[\w-]+ ){0,5}?[\w-]+)"
    r"(?=\s+(?:from|for|of|that|which|is|are|with|to|in|on|by)\b|[:,.;!?])",
    re.IGNORECASE,
)
