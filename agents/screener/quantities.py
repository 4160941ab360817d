"""Numbers with their units, as values that can be compared: '9-minute', 'nine minutes' and '9 min' are one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from agents.screener.english import ordinary

_UNITS: dict[str, tuple[str, ...]] = {
    "EUR": ("€", "euro", "euros", "eur"),
    "USD": ("$", "dollar", "dollars", "usd", "us$"),
    "GBP": ("£", "gbp", "quid", "pound", "pounds", "pounds sterling"),
    "JPY": ("¥", "yen", "jpy"),
    "INR": ("₹", "rupee", "rupees", "inr"),
    "CHF": ("chf", "francs"),
    "cent": ("cent", "cents", "ct", "pence"),
    "%": ("%", "percent", "per cent", "pct"),
    "‰": ("‰", "per mille", "per mil"),
    "points": ("percentage points", "percentage point", "percent points", "%-points", "% points", "pp"),
    "second": ("second", "seconds", "sec", "secs"),
    "minute": ("minute", "minutes", "min", "mins"),
    "hour": ("hour", "hours", "hr", "hrs", "h"),
    "day": ("day", "days"),
    "week": ("week", "weeks"),
    "month": ("month", "months"),
    "year": ("year", "years", "yr", "yrs"),
    "mm": ("mm", "millimetre", "millimetres", "millimeter", "millimeters"),
    "cm": ("cm", "centimetre", "centimetres", "centimeter", "centimeters"),
    "m": ("m", "metre", "metres", "meter", "meters"),
    "km": ("km", "kilometre", "kilometres", "kilometer", "kilometers"),
    "inch": ("inch", "inches", "″"),
    "g": ("g", "gram", "grams"),
    "lb": ("lb", "lbs"),
    "mile": ("mile", "miles"),
    "watt": ("watt", "watts", "w"),
    "kilowatt": ("kilowatt", "kilowatts", "kw"),
    "kg": ("kg", "kilo", "kilos", "kilogram", "kilograms"),
    "ml": ("ml", "millilitre", "millilitres"),
    "l": ("l", "litre", "litres", "liter", "liters"),
    "degree": ("°", "°c", "degree", "degrees", "celsius"),
    "times": ("x", "×", "times"),
}
UNITS = {form: unit for unit, forms in _UNITS.items() for form in forms}
CURRENCIES = frozenset({"EUR", "USD", "GBP", "JPY", "INR", "CHF"})

_SCALES = {"k": 10**3, "thousand": 10**3, "million": 10**6, "mio": 10**6, "bn": 10**9, "billion": 10**9}
_UP_TO_TWELVE = "one two three four five six seven eight nine ten eleven twelve"
_TEENS = "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_BY_TEN = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = (
    {word: i for i, word in enumerate(f"{_UP_TO_TWELVE} {_TEENS}".split(), start=1)}
    | {word: 10 * i for i, word in enumerate(_BY_TEN.split(), start=2)}
    | {"hundred": 100, "thousand": 1000, "million": 10**6, "dozen": 12}
)

_SIGNS = "".join(c for c in map(chr, range(0xFFFF)) if unicodedata.category(c) == "Sc")
"""Every currency's sign; one that `_UNITS` does not know is a unit of its own, letters before it included ("R$")."""
_UNIT = "|".join(sorted((re.escape(form) for form in UNITS), key=len, reverse=True))
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
_WORD = "|".join(sorted(WORDS, key=len, reverse=True))
_DIGITS = re.compile(
    rf"(?P<minus>(?<![\w)\]])[-−–](?=\d|[{_SIGNS}]\s?\d))?"
    rf"(?P<before>(?:(?<![a-z])[a-z]{{1,3}})?[{_SIGNS}]|(?<!\w)(?:eur|usd|gbp|chf))?\s?"
    rf"(?<![\w])(?P<number>\d+(?:[.,'’\u00a0\u202f]\d+)*)(?P<ordinal>st|nd|rd|th)?"
    rf"(?:\s?(?P<scale>{_SCALE})(?!\w))?"
    rf"(?:[\s\u00a0-]?(?P<unit>{_UNIT}|[{_SIGNS}])(?!\w))?",
    re.IGNORECASE,
)
_SPELLED = re.compile(
    rf"(?<!\w)(?P<number>(?:{_WORD})(?:[\s-]+(?:and\s+)?(?:{_WORD}))*)(?!\w)(?:[\s-](?P<unit>{_UNIT})(?!\w))?",
    re.IGNORECASE,
)


Bound = Literal["most", "least", "nearly", "about"]
_BOUNDS_BEFORE: tuple[tuple[Bound, str], ...] = (
    ("most", r"no more than|not more than|at most|up to|(?:less|fewer) than|a maximum of|maximum|max\.?|under|below"),
    ("least", r"no (?:less|fewer) than|at least|more than|over|above|beyond|upwards of|starting (?:at|from)"
     r"|a minimum of|minimum|min\.?"),
    ("nearly", r"almost|nearly|close to|just short of"),
    ("about", r"about|around|roughly|approximately|approx\.?|some|circa|ca\.?|~"),
)  # fmt: skip
_BEFORE = re.compile(
    r"(?:^|(?<=\W))(?:"
    + "|".join(f"(?P<{name}>{words})" for name, words in _BOUNDS_BEFORE)
    + r")\s*(?:(?:just|only|a|an|the)\s+)?$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"^\s?(?:(?P<most>or (?:less|fewer|under|below))|(?P<least>\+|or (?:more|over|above)|and (?:up|more)))", re.I
)
_MODEL = re.compile(r"(?<!\w)(?P<word>[A-Z][^\W\d_]+)[ \u00a0]?$")
_PER = re.compile(
    r"^[\s\w]{0,20}?\s?(?:/|\b(?:per|each|every|an?)\s)\s?(?P<per>second|minute|hour|day|night|week|month|year|person|head|kilo|kg|litre|liter"
    r"|piece|item|user|seat|metre|meter|mile|km)\b",
    re.IGNORECASE,
)
_STOPS_WORDS = (
    "a an the this that these those of to in on at for from by with and or but as is are was were be been it its they "
    "their we our you your he she his her i my who which than then so if until till off all more less only just ever "
    "over under above below after before within during per up out now here there not no will can may"
)
_STOPS = frozenset(_STOPS_WORDS.split())


@dataclass(frozen=True)
class Quantity:
    """A number as written, the values it can be read as, its unit where one follows, and what the text says around it.

    Attributes:
        bound: Whether the text says "up to", "at least", "nearly" or "about" that number.
        per: "day" in "9 euros a day".
        after: Beginnings of the words behind it ("strok" in "2,000 strokes"), up to the next mark or little word.
        before: Beginnings of the two words before it.
        model: The word with a capital right before a bare number, as in "Volta 3": the number may be part of its name.
    """

    raw: str
    values: frozenset[Decimal]
    unit: str | None
    bound: Bound | None = None
    per: str | None = None
    after: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()
    model: str | None = None

    @property
    def is_price(self) -> bool:
        return self.unit in CURRENCIES or bool(set(self.unit or "") & set(_SIGNS))

    def stands_in(self, known: list[Quantity]) -> bool:
        """Whether one of `known` says the same: value, unit, bound, and what is counted."""
        return any(self.same_amount(k) and self._same_bound(k) and self._same_per(k, known) for k in known)

    def same_amount(self, other: Quantity) -> bool:
        """Same value and unit; a number without a unit has to count the same thing, or name none."""
        if not self.values & other.values:
            return False
        if self.model is not None and self.model == other.model:
            return True
        if self.unit == other.unit is not None:
            return True
        return self.unit is None and self._counts_the_same(other)

    def _counts_the_same(self, other: Quantity) -> bool:
        told = other.after | {stem(form) for form in _UNITS.get(other.unit or "", ())}
        if not self.after or self.after & told:
            return True
        # "people over 60": what is counted stands before. Where it stands behind, the words before say nothing.
        return not told and bool((self.after | self.before) & other.before)

    def _same_bound(self, other: Quantity) -> bool:
        # "about" may be said of any number and left out again; the others change what is promised.
        mine, theirs = (None if bound == "about" else bound for bound in (self.bound, other.bound))
        return mine == theirs

    def _same_per(self, other: Quantity, known: list[Quantity]) -> bool:
        return self.per is None or self.per == other.per or any(self.per in k.before | k.after for k in known)


def stem(word: str) -> str:
    """The beginning of a word, so that 'strokes' and 'stroke', 'browns' and 'browning' are one."""
    return word.casefold().rstrip("s")[:5]


def extract_quantities(text: str) -> list[Quantity]:
    """All numbers of a text, digits first, then those spelled out. A lone "one" is a pronoun, not a number."""
    found = [_from_digits(match, text) for match in _DIGITS.finditer(text)]
    for match in _SPELLED.finditer(text):
        words = re.split(r"[\s-]+", match["number"].casefold())
        if words == ["one"] and not match["unit"]:
            continue
        unit = UNITS[match["unit"].casefold()] if match["unit"] else None
        values = frozenset({Decimal(_spelled(words))})
        found.append(Quantity(match.group().strip(), values, unit, **_around(text, match.start(), match.end(), unit)))
    return found


def _from_digits(match: re.Match[str], text: str) -> Quantity:
    written = match["before"] or match["unit"]
    unit = UNITS.get(written.casefold(), written.casefold()) if written else None
    scale = _SCALES[match["scale"].casefold()] if match["scale"] else 1
    # "-20 %" is how a discount of 20 % is written.
    sign = -1 if match["minus"] and unit != "%" else 1
    values = frozenset(value * scale * sign for value in readings(match["number"]))
    return Quantity(match.group().strip(" -"), values, unit, **_around(text, match.start(), match.end(), unit))


def _around(text: str, start: int, end: int, unit: str | None) -> dict[str, Any]:
    """What the sentence says around a number."""
    left, right = text[max(start - 60, 0) : start], text[end : end + 60]
    start_bound, end_bound = _BEFORE.search(left), _AFTER.match(right)
    bound = (start_bound or end_bound).lastgroup if start_bound or end_bound else None  # type: ignore[union-attr]
    if bound is None and unit in CURRENCIES and re.search(r"\bfrom\s*(?:only |just )?$", left, re.IGNORECASE):
        bound = "least"
    per = _PER.match(right)
    words = re.match(r"[\s-]*((?:[^\W\d_]+(?:[’'-][^\W\d_]+)*[ ]?){0,3})", right)
    following = []
    for word in words[1].split() if words else []:
        if word.casefold() in _STOPS:
            break
        following.append(stem(word))
    preceding = [
        stem(w) for w in re.findall(r"[^\W\d_]+", re.split(r"[.!?;:,]", left)[-1])[-4:] if w.casefold() not in _STOPS
    ]
    model = _MODEL.search(left) if unit is None else None
    # An ordinary word that only begins a sentence is no name: "Save 40 dogs" is no product called "Save 40".
    named = model is not None and not ordinary(model["word"])
    return {
        "model": model["word"].casefold() if model is not None and named else None,
        "bound": bound,
        "per": per["per"].casefold() if per else None,
        "after": frozenset(following),
        "before": frozenset(preceding[-2:]),
    }


def readings(number: str) -> set[Decimal]:
    """Values a written number can have. Groups of three digits are thousands, in whatever country: "1,499", "1.499".

    Three decimals ("1.250 kg") are read so as well, on both sides; only behind a zero they cannot be thousands. To take
    either for either would let a draft multiply every number of its brief by a thousand.
    """
    number = re.sub(r"['’\u00a0\u202f]", "", number)
    groups = re.split(r"[.,]", number)
    if len(groups) == 1:
        return {Decimal(number)}
    thousands = all(len(group) == 3 for group in groups[1:]) and len(groups[0]) <= 3
    if thousands and groups[0].strip("0"):
        return {Decimal("".join(groups))}
    if len(groups) == 2 or all(len(group) == 3 for group in groups[1:-1]):
        return {Decimal(f"{''.join(groups[:-1])}.{groups[-1]}")}
    # Version numbers and the like: no value to compute with, so the digits themselves are the value.
    return {Decimal("".join(groups))}


def _spelled(words: list[str]) -> int:
    total = current = 0
    for word in words:
        if word == "and":
            continue
        value = WORDS[word]
        if value >= 1000:
            total, current = total + max(current, 1) * value, 0
        elif value in (100, 12) and word in ("hundred", "dozen"):
            current = max(current, 1) * value
        else:
            current += value
    return total + current
