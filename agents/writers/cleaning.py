"""A model's raw line made into a text somebody could post: numbering, quotes and labels off, one line, no remnants."""

from __future__ import annotations

import re
from itertools import pairwise

from agents.screener.folding import collapse
from agents.screener.length import ONE_LINE

_MARKS = re.compile(r"^\s*(?:(?:\d{1,2}|[a-hA-H])[.)]\s+|[-*•–—·>#]+\s+)+")
_LABEL = re.compile(
    r"^\s*\**(?:headline|title|caption|post|subject(?: line)?|email subject line|rewrite|rewritten|new|better"
    r"|stronger|improved|revised|draft|output|answer|result|option|version|assistant)"
    r"(?: (?:headline|title|caption|post|version))?(?:\s*\d+)?\**\s*:\**\s*",
    re.IGNORECASE,
)
_PAIRS = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "`": "`", "*": "*", "_": "_"}
_LITTLE_WORDS = (
    "the and for with from that this are was were has have had its our your their his her you they she him who what "
    "how one not but can will more than into out all any each per"
)
_LITTLE = frozenset(_LITTLE_WORDS.split())


def clean(raw: str, *, channel: str = "post") -> str:
    """A single text out of a model's answer; empty where nothing is left.

    Only wrapping is taken off (list marks, labels, enclosing quotes, Markdown emphasis); no word is changed.
    """
    lines = [line for line in raw.replace("\r", "\n").split("\n") if line.strip()]
    if not lines:
        return ""
    text = lines[0] if channel in ONE_LINE else "\n".join(lines)
    previous = None
    while text != previous:
        previous = text
        text = _unwrap(_LABEL.sub("", _MARKS.sub("", text)).strip())
    return collapse(text) if channel in ONE_LINE else "\n".join(collapse(line) for line in text.split("\n"))


def _unwrap(text: str) -> str:
    text = re.sub(r"^(\*\*|__)(.+)\1$", r"\2", text)
    while len(text) > 1 and _PAIRS.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    if len(text) > 1 and text[0] in '"“' and not re.search(r"[\"”“]", text[1:]):
        return text[1:]  # an opening quote that the cut left alone
    return text


def cut_at_sentence(text: str, limit: int) -> str:
    """At most `limit` characters, ended at a sentence's end; unchanged where it fits, empty where no end fits."""
    if len(text) <= limit:
        return text
    ends = [m.end() for m in re.finditer(r"[.!?…][\"”'’»)]*(?=\s|$)", text) if m.end() <= limit]
    return text[: ends[-1]] if ends else ""


def degenerate(text: str) -> bool:
    """Whether a text goes in circles: a run of words repeated, one word over and over, or hardly any letters."""
    words = re.findall(r"\w+", text.casefold())
    if not words or sum(c.isalpha() for c in text) < 0.4 * len(text.replace(" ", "")):
        return True
    if any(a == b for a, b in pairwise(words) if len(a) > 1):
        return True
    triples = list(zip(words, words[1:], words[2:], strict=False))
    if len(set(triples)) < len(triples) or (len(words) >= 6 and len(set(words)) < 0.6 * len(words)):
        return True
    return bool(repeated_phrases(text))


def repeated_phrases(text: str) -> list[str]:
    """Pairs of content words that stand twice: "copper pan ... copper pan". A refrain is no accident in longer texts.

    Only texts of up to 30 words are looked at: a post may name its subject more often than a headline.
    """
    words = re.findall(r"\w+", text.casefold())
    if len(words) > 30:
        return []
    pairs = [(a, b) for a, b in pairwise(words) if min(len(a), len(b)) >= 3 and not {a, b} & _LITTLE]
    return [" ".join(pair) for pair in dict.fromkeys(pairs) if pairs.count(pair) > 1]
