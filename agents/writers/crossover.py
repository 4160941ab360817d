"""Crossover by rule, without a model: the opening of one good draft before the body of another, or a phrase moved over.

Parts are those that occlusion cuts (`agents.occlusion.cuts`): hooks, clauses, phrases that a preposition opens. No word
is added, so nothing can be invented; a child that says something twice, or breaks the brief, is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

from agents.occlusion import cuts
from agents.screener import Screener
from agents.selector import similarity
from agents.writers.attachment import attached, travels
from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from agents.writers.cleaning import degenerate

PARENTS = 4
SAME = 0.92
"""Likeness 0..1 above which a child is its parent again."""
SHORT_HOOK = 6
"""Words of an opening that can stand before a colon."""


class CrossoverWriter:
    """Children of two of the best drafts; deterministic, fast, and silent before there are two."""

    name = "crossover"
    by_rule = True
    reads_advice = False

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        """Up to `n` children that pass the brief's own limits; `seed` turns which of the pairs come first."""
        texts = dict.fromkeys(t.strip() for t in (*task.best_so_far, task.content.text) if t.strip())
        parents = list(texts)[:PARENTS]
        pairs = list(permutations(parents, 2))
        if n <= 0 or not pairs:
            return WriterResult(drafts=(), usage=WriterUsage())
        screener = Screener(task)
        known = [*parents, *(e.text for e in task.examples)]
        drafts: list[Draft] = []
        dropped = 0
        start = seed % len(pairs)
        for first, second in pairs[start:] + pairs[:start]:
            for strategy, text in children(first, second):
                if len(drafts) >= n:
                    break
                strays = degenerate(text) or not attached(text, task)
                if strays or any(similarity(text, k) > SAME for k in known) or screener.check(text):
                    dropped += 1
                    continue
                known.append(text)
                drafts.append(Draft(text=text, writer=self.name, strategy=strategy, parent=first))
        return WriterResult(drafts=tuple(drafts), usage=WriterUsage(calls=1, dropped=dropped))


def children(first: str, second: str) -> Iterator[tuple[str, str]]:
    """(strategy, text): `first` gives its opening or a phrase, `second` the rest."""
    body, hook = _body(second), _hook(first)
    if hook and body and not _shares_words(hook, body):
        mark = "" if hook[-1] in ".!?…" else ":" if len(hook.split()) <= SHORT_HOOK else "."
        yield "hook+body", f"{hook}{mark} {body if mark == ':' else _upper(body)}"
    for phrase in _phrases(first):
        whole = second.rstrip(".!?… ")
        if not travels(phrase, first, whole):
            continue
        if not _shares_words(phrase, whole) and "?" not in second and len(re.split(r"[.!?]\s", second)) == 1:
            end = second[len(whole) :].strip()
            yield "phrase-moved", f"{whole} {phrase}{end}"
            yield "phrase-first", f"{_upper(phrase)}, {_lower(whole)}{end}"


def _hook(text: str) -> str | None:
    found = [c for c in cuts(text) if c.kind == "hook"]
    return text[found[0].start : found[0].end] if found else None


def _body(text: str) -> str:
    """A text without its hook; the whole of it where it has none."""
    found = [c for c in cuts(text) if c.kind == "hook"]
    return found[0].rest if found else text


def _phrases(text: str) -> list[str]:
    """Phrases at the end of a text that a preposition opens."""
    body = text.rstrip(".!?… ")
    found = [text[c.start : c.end] for c in cuts(text) if c.kind == "phrase" and c.end == len(body)]
    return [p for p in found if re.match(r"(?:in|after|within|for|with|without|until|because|at)\b", p, re.IGNORECASE)]


def _shares_words(a: str, b: str) -> bool:
    """Whether two parts have a longer word in common: joined, they would say it twice."""
    first, second = ({w.rstrip("s")[:6] for w in re.findall(r"[^\W_]{4,}|\d+", t.casefold())} for t in (a, b))
    return bool(first & second)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    """The first letter small where it opens an article or the like, which is never a name."""
    opening = re.match(r"(?:the|a|an|our|your|this|these|why|how|what)\b", text, re.IGNORECASE)
    return text[:1].lower() + text[1:] if opening else text
