"""Brand rules in plain words that a machine can check: "no exclamation marks", "max 2 hashtags", "no all caps"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agents.screener.facts import PATTERNS
from agents.screener.quantities import WORDS, extract_quantities

EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}|[\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b55\u231a\u231b\u23e9-\u23fa]|[\\w#*©®™]\ufe0f"
)
_ART = re.compile(r"(?<!\w)(?:[:;=8][-o^']?[)(DPp/|\\]|<3|\^_\^)(?!\w)")
_SENTENCE = re.compile(r"[^.!?…]*\w[^.!?…]*(?:[.!?…]+|$)")


def _count(pattern: str) -> Callable[[str], int]:
    compiled = re.compile(pattern)
    return lambda text: len(compiled.findall(text))


def _links(text: str) -> int:
    return sum(len(pattern.findall(text)) for kind, pattern in PATTERNS if kind == "link")


def _shouted(text: str) -> int:
    """Words of four letters and more in capitals, or two shorter ones in a row; acronyms stay allowed."""
    words = re.findall(r"[^\W\d_]+", text)
    loud = [len(w) > 1 and w.isupper() and w.lower() != w for w in words]
    return sum(
        is_loud and (len(word) >= 4 or loud[i - 1 : i] == [True] or loud[i + 1 : i + 2] == [True])
        for i, (word, is_loud) in enumerate(zip(words, loud, strict=True))
    )


def _title_case(text: str) -> int:
    long = [w for w in re.findall(r"[^\W\d_]+", text)[1:] if len(w) >= 4]
    capital = sum(w[0].isupper() for w in long)
    return capital if len(long) >= 3 and capital > 0.6 * len(long) else 0


THINGS: tuple[tuple[str, str, Callable[[str], int]], ...] = (
    ("exclamation mark", r"exclamation (?:mark|point)s?|exclamations?", _count(r"[!！¡]")),
    ("question", r"question marks?|questions?", _count(r"[?？؟]+")),
    ("emoji", r"emojis?|emoticons?|smileys?|smilies", lambda t: len(EMOJI.findall(t)) + len(_ART.findall(t))),
    ("hashtag", r"hash ?tags?", _count(r"(?<!\w)#\w+")),
    ("link", r"links?|urls?|web addresses", _links),
    ("mention", r"(?:@-?)?mentions?|handles?", _count(r"(?<![\w.])@\w+")),
    (
        "word in capitals",
        r"(?:all[ -]?caps|all capitals|capitals|capital letters|upper ?case|shouting)(?: words?)?",
        _shouted,
    ),
    ("capital of title case", r"title case", _title_case),
    ("word", r"words?", _count(r"\w+(?:['’-]\w+)*")),
    ("sentence", r"sentences?", lambda t: len(_SENTENCE.findall(t))),
    ("number", r"numbers?|digits?|figures?", lambda t: len(extract_quantities(t))),
    ("ellipsis", r"ellips[ie]s|dot dot dot", _count(r"…|\.{3,}")),
    ("dash", r"(?:em |en )?dash(?:es)?", _count(r"[–—]|\s-\s")),
    ("semicolon", r"semi-?colons?", _count(";")),
    ("colon", r"colons?", _count(r":(?!//)")),
    ("quotation mark", r"quotation marks?|quotes?", _count(r"[\"“”„«»]")),
    ("bracket", r"brackets?|parenthes[ie]s", _count(r"[(\[]")),
)
"""Name for people, how rules call it, how many of it a text holds."""

_NONE = (
    r"(?:no|zero|never(?: use)?|avoid(?: using)?|without(?: any)?"
    r"|don['’]?t use|do not use|not?|must not (?:use|contain))"
)
_SPLIT = re.compile(r"\s*[,;]\s*(?:and\s+|or\s+)?|\s+(?:and|or|nor)\s+", re.I)
_MOST = r"(?:max(?:imum)?(?: of)?|at most|no more than|not more than|up to|only|limit(?: of)?)"
_LEAST = r"(?:min(?:imum)?(?: of)?|at least|no fewer than|no less than)"
_NUMBER = r"(?P<n>\d+|a|an|" + "|".join(w for w in WORDS if WORDS[w] <= 90) + ")"
_TAIL = r"(?: please| at all| ever| allowed| in (?:the|any) \w+| per \w+| of any kind| or less| or fewer)?"


@dataclass(frozen=True)
class CheckableRule:
    """At least `low` and at most `high` of a thing; `source` is the team's own wording."""

    source: str
    thing: str
    low: int
    high: int | None
    count: Callable[[str], int]

    def reason(self, text: str) -> str | None:
        """How `text` breaks the rule, or None."""
        found = self.count(text)
        if self.high is not None and found > self.high:
            return f"breaks the rule {self.source!r}: {found} found"
        if found < self.low:
            return f"breaks the rule {self.source!r}: {found} found, at least {self.low} asked for"
        return None


def parse_rules(rules: Iterable[str]) -> tuple[list[CheckableRule], list[str]]:
    """Rules that can be checked, and those (or their parts) that only a reader can judge."""
    checkable: list[CheckableRule] = []
    unchecked: list[str] = []
    for rule in rules:
        parts = _parts(rule)
        parsed = [_parse(part, source=rule) for part in parts]
        checkable += [p for p in parsed if p is not None]
        unchecked += [part for part, p in zip(parts, parsed, strict=True) if p is None]
    return checkable, unchecked


def _parts(rule: str) -> list[str]:
    """The rules inside a rule ("no emoji or hashtags" holds two), or the rule whole where none is recognised."""
    rule = " ".join(rule.split()).strip(" .;!")
    pieces = [piece for piece in _SPLIT.split(rule) if piece]
    lead = re.match(rf"{_NONE}\s+", rule, re.I)
    parts = []
    for piece in pieces:
        with_lead = f"{lead.group()}{piece}" if lead else piece
        parts.append(with_lead if not _parse(piece, source=rule) and _parse(with_lead, source=rule) else piece)
    return parts if any(_parse(part, source=rule) for part in parts) else [rule]


def _parse(part: str, *, source: str) -> CheckableRule | None:
    for thing, called, count in THINGS:
        if re.fullmatch(rf"{_NONE} (?:the use of |using )?(?:{called}){_TAIL}", part, re.I):
            # A rule against words, sentences or quoting "words" in general is not about counting them.
            return None if thing in ("word", "sentence") else CheckableRule(source, thing, 0, 0, count)
        for lead, build in ((_MOST, (0, 1)), (_LEAST, (1, 0)), ("exactly", (1, 1)), ("", (0, 1))):
            match = re.fullmatch(rf"(?:use )?{lead} ?{_NUMBER} (?:{called}){_TAIL}".strip(), part, re.I)
            if match and (lead or re.search(r" or (?:less|fewer)$", part, re.I)):
                n = _number(match["n"])
                return CheckableRule(source, thing, n * build[0], n if build[1] else None, count)
    return None


def _number(word: str) -> int:
    word = word.casefold()
    if word.isdigit():
        return int(word)
    return 1 if word in ("a", "an") else WORDS[word]
