"""Numbers with their units, as values that can be compared: '9-minute', 'nine minutes' and '9 min' are one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_UNITS: dict[str, tuple[str, ...]] = {
    "EUR": ("€", "euro", "euros", "eur"),
    "USD": ("$", "dollar", "dollars", "usd", "us$"),
    "GBP": ("£", "gbp", "quid"),
    "JPY": ("¥", "yen", "jpy"),
    "INR": ("₹", "rupee", "rupees", "inr"),
    "CHF": ("chf", "francs"),
    "%": ("%", "percent", "per cent", "pct"),
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
    "kg": ("kg", "kilo", "kilos", "kilogram", "kilograms"),
    "ml": ("ml", "millilitre", "millilitres"),
    "l": ("l", "litre", "litres", "liter", "liters"),
    "degree": ("°", "°c", "degree", "degrees", "celsius"),
    "time": ("am", "pm", "a.m", "p.m", "o'clock", "o’clock"),
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

_UNIT = "|".join(sorted((re.escape(form) for form in UNITS), key=len, reverse=True))
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
_WORD = "|".join(sorted(WORDS, key=len, reverse=True))
_DIGITS = re.compile(
    rf"(?P<before>us\$|[€$£¥₹]|(?<!\w)(?:eur|usd|gbp|chf))?\s?"
    rf"(?<![\w])(?P<number>\d+(?:[.,'’\u00a0\u202f]\d+)*)(?P<ordinal>st|nd|rd|th)?"
    rf"(?:\s?(?P<scale>{_SCALE})(?!\w))?"
    rf"(?:[\s\u00a0-]?(?P<unit>{_UNIT})(?!\w))?",
    re.IGNORECASE,
)
_SPELLED = re.compile(
    rf"(?<!\w)(?P<number>(?:{_WORD})(?:[\s-]+(?:and\s+)?(?:{_WORD}))*)(?!\w)(?:[\s-](?P<unit>{_UNIT})(?!\w))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quantity:
    """A number as written, the values it can be read as, and its unit where one follows."""

    raw: str
    values: frozenset[Decimal]
    unit: str | None

    @property
    def is_price(self) -> bool:
        return self.unit in CURRENCIES

    def stands_in(self, known: list[Quantity]) -> bool:
        """Whether one of `known` has the same value, and no other unit."""
        return any(self.values & k.values and (self.unit == k.unit or None in (self.unit, k.unit)) for k in known)


def extract_quantities(text: str) -> list[Quantity]:
    """All numbers of a text, digits first, then those spelled out. A lone "one" is a pronoun, not a number."""
    found = [_from_digits(match) for match in _DIGITS.finditer(text)]
    for match in _SPELLED.finditer(text):
        words = re.split(r"[\s-]+", match["number"].casefold())
        if words == ["one"] and not match["unit"]:
            continue
        unit = UNITS[match["unit"].casefold()] if match["unit"] else None
        found.append(Quantity(match.group().strip(), frozenset({Decimal(_spelled(words))}), unit))
    return found


def _from_digits(match: re.Match[str]) -> Quantity:
    written = match["before"] or match["unit"]
    unit = UNITS[written.casefold()] if written else None
    scale = _SCALES[match["scale"].casefold()] if match["scale"] else 1
    values = frozenset(value * scale for value in readings(match["number"]))
    return Quantity(match.group().strip(" -"), values, unit)


def readings(number: str) -> set[Decimal]:
    """Values a written number can have: "1,499" is 1499 or 1.499, as the writer's country has it."""
    number = re.sub(r"['’\u00a0\u202f]", "", number)
    groups = re.split(r"[.,]", number)
    if len(groups) == 1:
        return {Decimal(number)}
    values = set()
    if all(len(group) == 3 for group in groups[1:]) and len(groups[0]) <= 3:
        values.add(Decimal("".join(groups)))
    if len(groups) == 2 or all(len(group) == 3 for group in groups[1:-1]):
        values.add(Decimal(f"{''.join(groups[:-1])}.{groups[-1]}"))
    # Version numbers and the like: no value to compute with, so the digits themselves are the value.
    return values or {Decimal("".join(groups))}


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
