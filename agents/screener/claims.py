"""Claims that need proof wherever they are made: price words, awards, tests, certificates, guarantees, firsts."""

from __future__ import annotations

import re

_CLAIMS = re.compile(
    r"\b(?:"
    r"(?:for free|free(?= (?:of charge|shipping|delivery|trial|returns?|gifts?|samples?)\b)|free of charge)"
    r"|half[- ]price|half (?:the|off)|discount(?:ed|s)?|on sale|money[- ]back"
    r"|guarantee[ds]?|warranty|award[- ]winning|best[- ]?sell(?:ing|ers?)|certified|patented|organic|vegan|sold[- ]out"
    r"|(?:clinically|scientifically|medically|lab(?:oratory)?)[- ](?:proven|tested)"
    r"|(?:doctor|expert|dermatologist)[- ]\w+ed"
    r"|(?:voted|rated|ranked) (?:the )?(?:best|first|top|number)|number[- ]one|world[’']?s (?:first|best|only|fastest)"
    r"|risk[- ]free|cures?|prevents?|last chance|limited (?:time|offer|edition)|ends (?:today|tonight|tomorrow|soon)"
    r")\b",
    re.IGNORECASE,
)


def claims(text: str) -> list[str]:
    """Every claim of these kinds, as written, each once."""
    return list(dict.fromkeys(match.group() for match in _CLAIMS.finditer(text)))


def claim_key(claim: str) -> str:
    """What spellings of one claim share: 'Guaranteed' and 'guarantee', 'half-price' and 'half price'."""
    words = re.sub(r"[-\s]+", " ", claim.casefold()).strip()
    return re.sub(r"(?<=\w{4})(?:e?s|e?d|ers?|ing)$", "", words).rstrip("e")
