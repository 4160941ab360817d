"""Proper names, found by capitals where capitals tell them: inside sentences of texts that are not in title case."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"[.!?:;…\"“„«(\[\n–—|-]\s*$")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*(?:-[^\W\d_]+)*")
_EVERYDAY = (
    "i i'm i'd i'll i've ok tv diy faq pdf usb ceo mr mrs ms dr "
    "monday tuesday wednesday thursday friday saturday sunday "
    "mondays tuesdays wednesdays thursdays fridays saturdays sundays "
    "january february march april may june july august september october november december "
    "christmas easter halloween thanksgiving hanukkah ramadan diwali"
)
_PLAIN = frozenset(_EVERYDAY.split())
_SMALL_IN_TITLES = frozenset(("from", "with", "that", "than", "into", "over", "when", "your", "this", "upon", "onto"))
_SHOUTED_WORDS = (
    "new now free buy sale only not all big best top hot wow yes no live win save stop go you your the and today"
)
_SHOUTED = frozenset(_SHOUTED_WORDS.split())
# A language that writes every noun with a capital: there capitals tell nothing about names.
_GERMAN_WORDS = "und der das den dem ein eine einen mit für von ist sind nicht auf wir unsere unser"
_GERMAN = frozenset(_GERMAN_WORDS.split())


def proper_names(text: str) -> list[str]:
    """Capitalised words inside sentences, possessive endings dropped; none where capitals carry no information.

    Title-case headlines, shouted texts and German have none by this rule: nothing is claimed about them.
    """
    tokens = list(_TOKEN.finditer(text))
    inner = [t for t in tokens if t.start() > 0 and not _SENTENCE_END.search(text[: t.start()])]
    long = [t for t in inner if len(t.group()) >= 4 and t.group().casefold() not in _SMALL_IN_TITLES]
    capital = [t for t in long if t.group()[0].isupper()]
    if len(long) >= 2 and len(capital) > 0.75 * len(long):
        return []
    if len({t.group().casefold() for t in tokens} & _GERMAN) >= 2:
        return []
    names = [re.sub(r"['’]s?$", "", t.group()) for t in inner if t.group()[0].isupper()]
    return list(dict.fromkeys(n for n in names if len(n) > 1 and not _plain(n)))


def _plain(word: str) -> bool:
    """Calendar words and the like, and words that are only shouted; short words in capitals may be acronyms."""
    word = word.replace("’", "'")
    shouted = word.isupper() and (len(word) > 5 or word.casefold() in _SHOUTED)
    return shouted or word.casefold() in _PLAIN
