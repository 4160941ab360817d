"""Dates, weekdays, months, years' ends and clock times, each brought to one key for all its spellings."""

from __future__ import annotations

import re

_MONTH_NAMES = "january february march april may june july august september october november december"
MONTHS = _MONTH_NAMES.split()
_MONTH = "|".join([*MONTHS, *(m[:3] for m in MONTHS), "sept"])
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905
_FEASTS = "christmas|easter|halloween|thanksgiving|hanukkah|ramadan|diwali|new year(?:['’]s)?|black friday|cyber monday"

DATE_PATTERNS: tuple[re.Pattern[str], ...] = (
    re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b"),
    re.compile(
        rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})\b\.?(?:,?\s+\d{{4}})?"
        rf"|\b(?:{_MONTH})\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?!:)(?:,?\s+\d{{4}})?",
        re.I,
    ),
)
_HALF = r"(?:am|pm|a\.m|p\.m)\b"
_HOURS = "one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
TIME_PATTERN = re.compile(
    rf"(?<![\w.,:])(?:\d{{1,2}}[:.]\d{{2}}\s?{_HALF}|\d{{1,2}}:\d{{2}}(?!\w)"
    rf"|(?:\d{{1,2}}|{'|'.join(_HOURS)})(?:[\s\u00a0-]?{_HALF}|\s?o['’]clock\b))|(?<![\w-])(?:noon|midday|midnight)(?![\w-])",
    re.I,
)

# Months and weekdays standing alone: only with a capital, since "may", "march" and "sun" are also words.
_WEEKDAY = re.compile(
    rf"\b(?:{'|'.join(d.capitalize() for d in _DAYS)})s?\b|\b(?:{'|'.join(d.upper() for d in _DAYS)})\b"
)
_LONE_MONTH = re.compile(
    rf"\b(?:in|until|till|by|from|since|this|next|last|every|of|on|before|after|late|early|mid)[ -]"
    rf"({'|'.join(m.capitalize() for m in MONTHS)})\b"
)
_FEAST = re.compile(rf"\b(?:{_FEASTS})\b", re.I)
_RELATIVE = re.compile(
    r"\b(?:tomorrow|tonight|yesterday|(?:this|next|last) (?:weekend|week|month|year|morning|evening|afternoon)"
    r"|(?:only|until|till|ends?|starts?|opens?|launch(?:es)?|from|just for) today|today only|for one day only"
    r"|(?:in|within|for) (?:a|an) (?:minute|moment|hour|day|week|month|year|second)s?|24/7|around the clock|overnight"
    r"|same[ -]day|next[ -]day|weekends?|weekdays?|work(?:ing)?[ -]?days?|(?:bank|public) holidays?)\b",
    re.I,
)


def date_key(found: str) -> str:
    """'12 May 2031', 'May 12th, 2031' and '2031-05-12' share one; a year that is not said is not in it."""
    text = " ".join(found.split()).casefold()
    if iso := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text):
        month = int(iso[2])
        return f"{MONTHS[month - 1][:3]} {int(iso[3])} {int(iso[1])}" if 1 <= month <= 12 else text
    month_word = next((m for m in re.findall(r"[a-z]+", text) if m[:3] in {name[:3] for name in MONTHS}), None)
    if month_word is None:
        return text
    numbers = " ".join(str(int(n)) for n in re.findall(r"\d+", text))
    return f"{month_word[:3]} {numbers}"


def time_key(found: str) -> str:
    """Hour and minute of the day, '17:00' for "5 p.m." too; 'h:mm?' where it can be either half of the day."""
    text = found.casefold()
    if named := {"noon": "12:00", "midday": "12:00", "midnight": "0:00"}.get(text):
        return named
    match = re.match(rf"(\d{{1,2}}|{'|'.join(_HOURS)})(?:[:.](\d{{2}}))?[\s\u00a0-]?([ap](?=\.?m))?", text)
    if match is None:
        return text
    hour, minute, half = match[1], match[2] or "00", match[3]
    of_day = _HOURS.index(hour) + 1 if hour in _HOURS else int(hour)
    if half is None:
        return f"{of_day % 24}:{minute}" if of_day >= 12 or of_day == 0 else f"{of_day}:{minute}?"
    return f"{of_day % 12 + 12 * (half == 'p')}:{minute}"


def same_date(key: str, known: str) -> bool:
    """Whether two dates are one; a year may be left out, never added."""
    return key == known or known.startswith(f"{key} ")


def same_time(key: str, known: str) -> bool:
    """Whether two times are one; am and pm may be left out, never added."""
    if key == known:
        return True
    hour, _, minute = known.partition(":")
    return key.endswith("?") and hour.isdigit() and key == f"{(int(hour) - 1) % 12 + 1}:{minute}?"


def loose_dates(text: str) -> list[tuple[str, str]]:
    """(key, as written) of weekdays, lone months, feasts and words like "tomorrow"."""
    found = [(m.group().casefold().rstrip("s"), m.group()) for m in _WEEKDAY.finditer(text)]
    found += [(m[1].casefold(), m[1]) for m in _LONE_MONTH.finditer(text)]
    found += [(m.group().casefold().replace("’", "'"), m.group()) for m in _FEAST.finditer(text)]
    return [*found, *((re.sub(r"[-\s]+", " ", m.group().casefold()), m.group()) for m in _RELATIVE.finditer(text))]
