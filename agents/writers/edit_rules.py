"""The edits themselves: small pure functions, (text, task) -> other text, or None where the edit does not apply."""

from __future__ import annotations

import re
from collections.abc import Callable

from agents.screener.conditions import limits
from agents.screener.names import proper_names
from agents.screener.survival import all_survive
from agents.writers.base import WritingTask
from agents.writers.sentences import points_back

_FILLER = re.compile(
    r"\b(?:very|really|just|simply|actually|basically|quite|totally|truly|literally|absolutely|incredibly|extremely"
    r"|amazing|stunning|exciting|innovative)\s+",
    re.IGNORECASE,
)
_LONG_FORMS = (("in order to", "to"), ("due to the fact that", "because"), ("at this point in time", "now"),
               ("is able to", "can"), ("are able to", "can"), ("a large number of", "many"))  # fmt: skip
_TIME = r"(?:in|after|within|for|under|from|at)\s+(?:just\s+|only\s+|under\s+)?[€$£]?\d[\w.,]*(?:[\s-](?:\w+|%)){0,2}"
_SMALL = frozenset(
    ("a", "an", "the", "and", "but", "or", "nor", "for", "of", "in", "on", "at", "to", "by", "from", "with", "as")
)
_ARTICLES = frozenset(("the", "a", "an", "our", "your", "this", "these"))
_AUXILIARY = r"(?:is|are|was|were|can|could|will|would|should|has|have)"


def question_from_auxiliary(text: str, task: WritingTask) -> str | None:
    """ "Copper is the better pan" -> "Is copper the better pan?", for short subjects only."""
    match = re.fullmatch(rf"((?:[\w'’-]+\s){{0,3}}[\w'’-]+)\s({_AUXILIARY})\s([^:;?!]+?)[.!]?", text)
    if not match or re.search(rf"\b(?:that|which|who|why|how|what|when|if|{_AUXILIARY})\b", match[1], re.I):
        return None
    return f"{match[2].capitalize()} {lower_first(match[1], task)} {match[3]}?"


def question_from_colon(text: str, task: WritingTask) -> str | None:
    """ "The secret of onions: copper" -> "The secret of onions? Copper"."""
    parts = _colon_parts(text)
    return f"{parts[0]}? {upper_first(parts[1])}" if parts and "?" not in text else None


def why(text: str, task: WritingTask) -> str | None:
    """A clause with its reason in the message becomes "Why <clause>": the page behind it answers."""
    clause = re.split(r",?\s+because\b", text, flags=re.IGNORECASE)[0].rstrip(".! ")
    if not is_clause(clause) or not reasoned(clause, f"{task.message} {text}"):
        return None
    return f"Why {lower_first(clause, task)}"


def reason_first(text: str, task: WritingTask) -> str | None:
    """ "A because B" -> "Because B, A"."""
    match = re.fullmatch(r"([^:;?]+?),?\s+because\s+([^:;?]+?)[.!]?", text, flags=re.IGNORECASE)
    return f"Because {match[2]}, {lower_first(match[1], task)}" if match else None


def number_first(text: str, task: WritingTask) -> str | None:
    """ "... browns onions in 9 minutes" -> "In 9 minutes, ... browns onions"."""
    match = re.fullmatch(rf"([^:;?]+?)\s+({_TIME})[.!]?", text, flags=re.IGNORECASE)
    if not match or re.match(r"(?:how|why|what|when|who|in|because)\b", match[1], re.IGNORECASE):
        return None
    # "9 in 10 adults" is one figure, "children under 6" one group; ", and within 5 days" belongs to what is before it.
    if re.search(r"(?:\d|,|\b(?:and|or|but))$", match[1], re.IGNORECASE) or re.fullmatch(
        r"(?:under|from)\s+[\d.,]+", match[2], re.IGNORECASE
    ):
        return None
    return f"{upper_first(match[2])}, {lower_first(match[1], task)}"


def fact_first(text: str, task: WritingTask) -> str | None:
    """The first fact that must stay, set before a colon, where it ends a clause that can do without it."""
    for fact in task.must_keep:
        pattern = rf"([^:;?]+?)[,\s]+(?:in|after|within|for|at|from)\s+{re.escape(fact)}[.!]?"
        if match := re.fullmatch(pattern, text, flags=re.IGNORECASE):
            return f"{upper_first(fact)}: {lower_first(match[1], task)}"
    return None


def first_clause(text: str, task: WritingTask) -> str | None:
    """The first clause alone, where it holds every fact that must stay and is worth reading."""
    parts = re.split(r"\s*[,;–—]\s+|\.\s+|\s+(?=because\b|so that\b|which\b|while\b)", text)
    clause = parts[0].rstrip(" .")
    dependent = re.match(rf"(?:because|if|when|while|in|at|after|within|for|from|{_AUXILIARY})\b", clause, re.I)
    if len(parts) < 2 or "?" in text or len(clause.split()) < 4 or dependent or not all_survive(clause, task.must_keep):
        return None
    if limits(re.split(r"[.!?]\s", text[len(parts[0]) :])[0]):  # the rest of its sentence says for whom, or when
        return None
    return clause


def last_sentence_first(text: str, task: WritingTask) -> str | None:
    """Two sentences in the other order, where neither points back at the other."""
    parts = re.split(r"(?<=[.!?])\s+", text.strip())
    if len(parts) != 2 or points_back(parts[1]):
        return None
    closed = [part if part[-1] in ".!?" else f"{part}." for part in parts]
    return f"{closed[1]} {closed[0]}"


def around_colon(text: str, task: WritingTask) -> str | None:
    """ "A: B" -> "B: A"."""
    parts = _colon_parts(text)
    return f"{upper_first(parts[1])}: {lower_first(parts[0], task)}" if parts else None


def without_filler(text: str, task: WritingTask) -> str | None:
    """Words out that say nothing; long-winded phrases in their short form."""
    short = _FILLER.sub("", text)
    for phrase, instead in _LONG_FORMS:
        short = re.sub(rf"\b{phrase}\b", instead, short, flags=re.IGNORECASE)
    return upper_first(short) if short != text and all_survive(short, task.must_keep) else None


def without_sender(text: str, task: WritingTask) -> str | None:
    """The sender's name out: it stands beside the text anyway."""
    sender = task.content.communicator
    if sender is None or not sender.name:
        return None
    short = re.sub(rf"\s+(?:from|by|at)\s+{re.escape(sender.name)}\b(?!['’])", "", text)
    return short if short != text and all_survive(short, task.must_keep) else None


def ours(text: str, task: WritingTask) -> str | None:
    """ "The pan from Kupferhain" -> "Our pan": the sender speaks."""
    sender = task.content.communicator
    if sender is None or not sender.name:
        return None
    pattern = rf"\b(?:the|a|an)\s+((?:[\w-]+\s+){{1,6}}?)(?:from|by)\s+{re.escape(sender.name)}\b(?!['’])\s*"
    match = re.search(pattern, text, flags=re.IGNORECASE)
    if not match:
        return None
    own = ("Our " if match.start() == 0 else "our ") + match[1].rstrip() + " "
    spoken = (text[: match.start()] + own + text[match.end() :]).strip()
    return spoken if all_survive(spoken, task.must_keep) else None


def sentence_case(text: str, task: WritingTask) -> str | None:
    """Title case undone; words stay capitals that are so elsewhere in the brief, or hold further capitals."""
    words = text.split(" ")
    long = [w for w in words[1:] if len(w) >= 4 and w[0].isalpha()]
    if len(long) < 3 or sum(w[0].isupper() for w in long) <= 0.6 * len(long):
        return None
    names = _names(task)
    return " ".join(
        word if i == 0 or not word.istitle() or re.sub(r"\W.*$", "", word) in names else word[0].lower() + word[1:]
        for i, word in enumerate(words)
    )


def title_case(text: str, task: WritingTask) -> str | None:
    """Headline capitals, for single-line channels."""
    if task.content.channel not in ("headline", "title", "email_subject") or len(text.split()) < 3:
        return None
    words = text.split(" ")
    cased = [w if 0 < i < len(words) - 1 and w in _SMALL else upper_first(w) for i, w in enumerate(words)]
    made = " ".join(cased)
    return made if made != text and all_survive(made, task.must_keep) else None


EDITS: dict[str, Callable[[str, WritingTask], str | None]] = {
    "why": why,
    "number-first": number_first,
    "reason-first": reason_first,
    "fact-first": fact_first,
    "ours": ours,
    "question": question_from_auxiliary,
    "colon-question": question_from_colon,
    "first-clause": first_clause,
    "sentences-swapped": last_sentence_first,
    "colon-swapped": around_colon,
    "no-filler": without_filler,
    "no-sender": without_sender,
    "sentence-case": sentence_case,
    "title-case": title_case,
}
"""Every edit by the name that candidates carry."""


def is_clause(text: str) -> bool:
    """Whether "Why ..." can be put before it: several words, one statement, not yet a question, a reason or a heading.

    A gerund without a verb of its own ("browning onions in 9 minutes") states nothing; only auxiliaries are known.
    """
    opening = "how|why|what|when|who|where|because|in|at|after|within|for|from|if|do|does|did|is|are|can|here's|that's"
    begins = re.match(rf"(?:{opening})\b", text, re.IGNORECASE)
    gerund = re.match(r"\w+ing\b", text) and not re.search(rf"\b{_AUXILIARY}\b", text)
    return len(text.split()) >= 5 and not begins and not gerund and not re.search(r"[:;?!.–—]|\bwhy\b", text)


def reasoned(clause: str, told: str) -> bool:
    """Whether some sentence gives a reason ("because") for most of what the clause says."""
    words = set(re.findall(r"\w{3,}", clause.casefold()))
    reasons = re.findall(r"[^.!?]+(?=\bbecause\b)", told.casefold())
    return any(2 * len(words & set(re.findall(r"\w{3,}", reason))) >= len(words) for reason in reasons)


def _colon_parts(text: str) -> tuple[str, str] | None:
    match = re.fullmatch(r"([^:?]{3,}?):\s+([^:?]{3,}?)", text)
    return (match[1], match[2].rstrip(".")) if match else None


def upper_first(text: str) -> str:
    """The first letter large."""
    return text[:1].upper() + text[1:]


def lower_first(text: str, task: WritingTask) -> str:
    """The first letter small, unless the word is a name, "I" or an acronym."""
    first = re.match(r"[\w'’-]+", text)
    if not first or first.group() == "I" or any(c.isupper() for c in first.group()[1:]):
        return text
    title_case = text[first.end() + 1 : first.end() + 2].isupper()
    if title_case and (first.group().lower() not in _ARTICLES or _in_title_case(text)):
        return text
    if first.group() in _names(task):
        return text
    return text[0].lower() + text[1:]


def _in_title_case(text: str) -> bool:
    long = [word for word in text.split()[1:] if len(word) >= 4 and word[0].isalpha()]
    return len(long) >= 2 and sum(word[0].isupper() for word in long) > 0.6 * len(long)


def _names(task: WritingTask) -> set[str]:
    sender = task.content.communicator
    known = {word for name in (sender.name if sender else None, task.content.title) if name for word in name.split()}
    return known | {n for text in (task.message, task.content.text, *task.must_keep) for n in proper_names(text)}
