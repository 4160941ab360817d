"""Characters that pass for others: words wholly in another alphabet's look-alikes, digits that are none of 0 to 9."""

from __future__ import annotations

import re
import unicodedata

from agents.screener.folding import fold

_LETTERS = re.compile(r"[^\W\d_]{2,}")


def lookalike_reasons(text: str, given: str) -> list[str]:
    """Reasons for every disguised word or number that does not stand so in the brief.

    Args:
        given: All the brief says. Its own alphabets and figures are its wish.
    """
    reasons = []
    words = [w for w in _LETTERS.findall(text) if w not in given and _passes_for_latin(w)]
    if words:
        reasons.append(f"writes {words[0]!r} in letters of another alphabet that look like Latin ones")
    odd = [c for c in text if _odd_number(c) and c not in given]
    if odd:
        shown = f"{odd[0]!r} (U+{ord(odd[0]):04X})"
        reasons.append(f"writes a number with {shown}, which stands nowhere in the brief")
    return reasons


def _passes_for_latin(word: str) -> bool:
    """Whether no letter is Latin and every one looks like a Latin letter: 'СОРА', but also styled '𝐂𝐎𝐏𝐀'."""
    plain = all("a" <= c.casefold() <= "z" for c in word)
    latin = any(unicodedata.name(c, "").startswith("LATIN") for c in word)
    folded = fold(word)
    return not plain and not latin and bool(folded) and all("a" <= c <= "z" for c in folded)


def _odd_number(character: str) -> bool:
    """A digit, fraction or numeral other than 0 to 9: '９', '½', '²', 'Ⅸ'."""
    return character not in "0123456789" and unicodedata.category(character) in ("Nd", "Nl", "No")
