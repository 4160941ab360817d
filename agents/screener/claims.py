"""Claims that need proof wherever they are made: superlatives, price words, awards, tests, guarantees, authorities."""

from __future__ import annotations

import re

_GROUPS: dict[str, str] = {
    "price": r"free(?: (?!of|from|to|for|and|or|in|on|at|with|until)[a-z]+)?|freebies?|gratis|complimentary"
    r"|no[- ]cost|half[- ]price|half (?:the price|off)|discount(?:ed|s)?|on sale"
    r"|bargains?|cheapest|lowest prices?|save (?:big|money|more)|money[- ]back|cash ?back|bonus",
    "proof": r"guarantee[ds]?|warrant(?:y|ies)|warranted|proven|proof|certified|certificates?|patented"
    r"|award[- ]winning"
    r"|(?:won|wins|winning|winner of) (?:an? |the )?(?:[\w-]+ )?(?:awards?|prizes?)|awards?|accredited|approved"
    r"|licensed|official(?:ly)?"
    r"|(?:clinically|scientifically|medically|lab(?:oratory)?|independently)[- ](?:proven|tested|shown|studied)"
    r"|(?:studies|study|research|tests?|science|scientists|experts?|doctors?|dentists?|nurses|physicians|chefs"
    r"|critics"
    r"|everyone|everybody|people) (?:show|shows|prove|proves|confirm|confirms|agree|agrees|say|says|recommend"
    r"|recommends"
    r"|love|loves|trust|trusts|swear|swears)"
    r"|(?:doctor|expert|dermatologist|dentist|vet)[- ]\w+ed|recommended (?:by|for)|endorsed|trusted by|loved by"
    r"|as seen (?:on|in)"
    r"|(?:voted|rated|ranked) (?:the )?(?:best|first|top|number)|(?:five|5)[- ]stars?|top[- ]rated",
    "rank": r"(?:no\.?|number|nr\.?|#|№)[- ]?(?:1|one)(?!\d)|world[’']?s (?:first|best|only|fastest|leading"
    r"|most)|world[- ](?:class|leading|famous)"
    r"|best[- ]?sell(?:ing|ers?)|market[- ]leading|leading brand|leader in|record[- ]breaking|first[- ]ever"
    r"|the first|the only|unique|unrivall?ed"
    r"|unmatched|unbeat(?:able|en)|second to none|like no other|never before|one of a kind|revolutionary"
    r"|breakthrough|miracles?"
    r"|(?:most|best)[- ]\w+ ever|of all time|(?:more|better|faster|stronger|cheaper|bigger|safer"
    r"|easier) than (?:ever|any\w*|all others?|others?|most)|ultimate|legendary|iconic",
    "safety": r"risk[- ]free|(?:completely|totally|absolutely|perfectly|entirely) (?:safe|harmless)|harmless"
    r"|non[- ]toxic|cures?|cured|heals?"
    r"|prevents?|detox(?:es|ifies)?|anti[- ]?(?:aging|ageing|bacterial|viral)|hypoallergenic|waterproof"
    r"|fireproof|unbreakable|indestructible"
    r"|instant(?:ly)?|effortless(?:ly)?|never fails?|always works|works every time|no side effects"
    r"|100 ?% (?:safe|natural|effective)",
    "green": r"organic|vegan|vegetarian|halal|kosher|eco[- ]friendly|sustainabl[ey]|(?:climate"
    r"|carbon)[- ](?:neutral|positive|friendly)|recyclable"
    r"|biodegradable|compostable|all[- ]natural|chemical[- ]free|fair[- ]?trade|cruelty[- ]free|zero[- ]waste"
    r"|handmade|handcrafted|handwoven"
    r"|hand[- ]made",
    "scarcity": r"sold[- ]out|last chance|limited (?:time|offer|edition|stock|supply)|while stocks? lasts?"
    r"|ends (?:today|tonight|tomorrow|soon)"
    r"|almost gone|only (?:a )?few left|exclusive(?:ly)?|selling fast|hurry|lifetime|life[- ]?long|for life|forever",
    "free of": r"\w+-free|(?:sugar|gluten|fat|dairy|lactose|alcohol|nut|cruelty|guilt|worry|stress|tax|duty"
    r"|chemical) free",
}
_IDIOMS = re.compile(
    r"\b(?:feel free|set (?:\w+ )?free|hands?[- ]free|free (?:time|hand|hands|spirit|will|evening|evenings"
    r"|afternoon|rein)"
    r"|freely|care[- ]?free|proof of|no proof|first of all|the first (?:time|day|step|thing|look|bite|sip|word"
    r"|light|train|bus)"
    r"|the only (?:thing|question|way|one)|perfect storm)\b",
    re.IGNORECASE,
)
_CLAIMS = re.compile(rf"(?<![\w#])(?:{'|'.join(_GROUPS.values())})(?!\w)", re.IGNORECASE)
_SUPERLATIVE = re.compile(
    r"\b(?:the|our|your|its|their|his|her|my|[\w]+[’']s|is|are|ever|of)\s+(?:very |single |world's )?"
    r"(?P<word>best|finest|[a-z]{3,}(?:iest|est)|(?:most|least) [a-z]{4,})\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"(?<!\w)(?P<word>best|finest|cheapest|fastest|(?:most|least) (?:popular|beautiful|advanced|reliable"
    r"|powerful))(?!\w)",
    re.I,
)
_NO_SUPERLATIVES_WORDS = (
    "forest guest test request interest rest west nest honest modest harvest contest protest arrest quest invest "
    "suggest chest vest pest request behest digest conquest latest earliest nearest next best-of tempest wildest "
    "most people most of most days most nights most things least once"
)
_NO_SUPERLATIVES = frozenset(_NO_SUPERLATIVES_WORDS.split())


_FREE_OF = re.compile(rf"(?<![\w#])(?:{_GROUPS['free of']})(?!\w)", re.IGNORECASE)


def without_idioms(text: str) -> str:
    """The text with "feel free" and the like struck out, letter by letter."""
    return _IDIOMS.sub(lambda m: "_" * len(m.group()), text)


def priced(text: str) -> str:
    """The text without idioms and without what it is free of: the "free" that is left is a price."""
    return _FREE_OF.sub(lambda m: "_" * len(m.group()), without_idioms(text))


def claims(text: str) -> list[str]:
    """Every claim of these kinds, as written, each once."""
    plain = without_idioms(text)
    found = [match.group() for match in _CLAIMS.finditer(plain)]
    for pattern in (_SUPERLATIVE, _BARE):
        words = (match["word"] for match in pattern.finditer(plain))
        found += [
            w for w in words if w.casefold() not in _NO_SUPERLATIVES and not re.match(r"most (?:people|of)\b", w, re.I)
        ]
    return list(dict.fromkeys(found))


def claim_key(claim: str) -> str:
    """What spellings of one claim share: 'Guaranteed' and 'guarantee', 'half-price' and 'half price'."""
    words = re.sub(r"[-\s]+", " ", claim.casefold()).strip()
    if words.startswith("free "):
        words = "free"  # what is free is looked up by itself
    return re.sub(r"(?<=\w{4})(?:e?s|e?d|ers?|ing)$", "", words).rstrip("e")
