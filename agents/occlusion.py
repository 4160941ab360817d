"""What in a content carries its score: how the score changes when the hook, a phrase or the picture is taken out.

Only such cuts are made as leave a text that can be read: whole sentences, clauses, phrases that a preposition or a
conjunction opens, measures before a noun. A score of a mutilated text would say that the text is mutilated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from lcbm_model.content import Content
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.simulator.base import Context, Simulator

Kind = Literal["hook", "phrase", "picture"]


@dataclass(frozen=True)
class Contribution:
    """A part and what it is worth.

    Attributes:
        text: The part's words as they stand in the content; for a picture what it shows, where somebody wrote it down.
        start: Index of its first character in `content.text`; None for a picture.
        end: Index after its last character; None for a picture.
        effect: Percentile points lost when it is removed; positive: it helps.
    """

    kind: Kind
    text: str
    start: int | None
    end: int | None
    effect: float


@dataclass(frozen=True)
class Cut:
    """A part that can be taken out, and what then remains."""

    kind: Kind
    start: int
    end: int
    rest: str


def occlusion(
    simulator: Simulator, content: Content, metric: str, context: Context | None = None, *, most: int = 24
) -> list[Contribution]:
    """Contributions of the parts, largest effect of either sign first.

    One `predict` call of at most `most` + 1 contents; none where nothing can be taken out.

    Args:
        most: Parts that are tried; the hook and the picture come first, then longer phrases before shorter ones.

    Raises:
        SettingsError: `most` is negative.
        BackendError: The simulator is gone, or could not score the whole content.
    """
    if most < 0:
        raise SettingsError("most", "must be zero or more", value=most, remedy="24 is the default")
    parts = _parts(content)[:most]
    if not parts:
        return []
    variants = [variant for _, variant in parts]
    whole, *without = simulator.predict([content, *variants], metric, context)
    if whole.expected is None:
        raise BackendError(f"the content could not be scored, so nothing can be said of its parts: {whole.error}")
    found = [
        Contribution(part.kind, part.text, part.start, part.end, whole.expected - answer.expected)
        for (part, _), answer in zip(parts, without, strict=True)
        if answer.expected is not None
    ]
    return sorted(found, key=lambda c: (-abs(c.effect), c.start is None, c.start or 0))


def _parts(content: Content) -> list[tuple[Contribution, Content]]:
    """Every part with the content that lacks it; effects are still zero."""
    made = []
    text_cuts = cuts(content.text)
    for cut in text_cuts[:1] if text_cuts and text_cuts[0].kind == "hook" else []:
        made.append((_unscored(cut, content.text), content.with_text(cut.rest)))
    pictures = [media for media in content.media if media.kind == "image"]
    if pictures and content.says_something:
        shown = ", ".join(media.alt for media in pictures if media.alt) or "picture"
        others = tuple(media for media in content.media if media.kind != "image")
        made.append((Contribution("picture", shown, None, None, 0.0), content.model_copy(update={"media": others})))
    made += [(_unscored(c, content.text), content.with_text(c.rest)) for c in text_cuts if c.kind == "phrase"]
    return made


def _unscored(cut: Cut, text: str) -> Contribution:
    return Contribution(cut.kind, text[cut.start : cut.end], cut.start, cut.end, 0.0)


# Where a text can be cut ------------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"[^.!?…\n]*[^\s.!?…](?:[.!?…]+(?=[\d\w])[^.!?…\n]*)*[.!?…]*[\"”’»)]*")
_CLAUSE_END = re.compile(r"\s*(?:[,;:](?=\s)|\s[–—-](?=\s)|[–—])\s*")
_OPENERS = (
    "in after within for from with without by at on under over through until before during against among between "
    "around across inside into onto because while so when if although unless since than"
)
_OPENER = re.compile(rf"\b(?:{'|'.join(_OPENERS.split())})\b", re.IGNORECASE)
_NAMED = re.compile(r"(?:from|by|at|with|for|in) (?:[A-ZÀ-Þ][\w'’-]*)(?: [A-ZÀ-Þ][\w'’-]*)*(?= [^A-ZÀ-Þ\d])")
_MEASURE = re.compile(
    r"(?<=\w\s)(?:[€$£]\s?\d[\d.,]*|\d[\d.,]*[\s-]?(?:cm|mm|kg|g|ml|l|inch|litre|liter|minute|hour|day|euro|dollar)"
    r"|\d[\d.,]*\s?%)\s(?=[^\W\d_]{3,})"
)
MID_CLAUSE = 4
"""Words of a phrase that is followed by more of its clause."""
FEWEST_WORDS = 2
"""Words that must remain for a cut to be made."""


def cuts(text: str) -> list[Cut]:
    """Every cut that leaves something readable: the hook first where it can go, then phrases, longest first.

    `text[cut.start:cut.end]` is what goes. A text of a single clause without phrases has no cuts.
    """
    found: list[Cut] = []
    hook = _hook(text)
    if hook and (rest := _without(text, *hook)):
        found.append(Cut("hook", *hook, rest))
    spans = dict.fromkeys([*_sentences(text), *_clauses(text), *_phrases(text), *_measures(text)])
    for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        if (start, end) != hook and (rest := _without(text, start, end)):
            found.append(Cut("phrase", start, end, rest))
    return found


def _hook(text: str) -> tuple[int, int] | None:
    """The first clause where the first sentence has several, else the first sentence where there are several."""
    sentences = _sentences(text) or _trimmed(text, 0, len(text))
    clauses = [span for span in _clauses(text) if sentences and span[1] <= sentences[0][1]]
    first = clauses or sentences
    return first[0] if first and (clauses or len(sentences) > 1) else None


def _sentences(text: str) -> list[tuple[int, int]]:
    found = [span for m in _SENTENCE.finditer(text) for span in _trimmed(text, m.start(), m.end())]
    return found if len(found) > 1 else []


def _clauses(text: str) -> list[tuple[int, int]]:
    """Clauses of sentences that have several."""
    found = []
    for start, end in _sentences(text) or _trimmed(text, 0, len(text)):
        marks = [m for m in _CLAUSE_END.finditer(text, start, end) if start < m.start() and m.end() < end]
        if marks:
            edges = [start, *(place for m in marks for place in (m.start(), m.end())), _body(text, start, end)]
            found += [span for a, b in zip(edges[::2], edges[1::2], strict=True) for span in _trimmed(text, a, b)]
    return found


def _phrases(text: str) -> list[tuple[int, int]]:
    """From a preposition or conjunction to the next one, or to the end of the clause."""
    found = []
    for start, end in _clauses(text) or _sentences(text) or _trimmed(text, 0, len(text)):
        body = len(text[start:end].rstrip('.!?…"”’»)')) + start
        openers = [m.start() for m in _OPENER.finditer(text, start, body)]
        for here, following in pairwise([*openers, body]):
            named = _NAMED.match(text, here, following)
            stop = named.end() if named else following
            # In mid-clause a long stretch behind a preposition holds the verb too, which a text cannot do without.
            if here > start and 2 <= len(text[here:stop].split()) <= (MID_CLAUSE if stop < body else 99):
                found += _trimmed(text, here, stop)
    return found


def _measures(text: str) -> list[tuple[int, int]]:
    """Numbers with their unit that stand before a noun: 'the 28 cm pan' can do without '28 cm'."""
    return [span for m in _MEASURE.finditer(text) for span in _trimmed(text, m.start(), m.end())]


def _body(text: str, start: int, end: int) -> int:
    """Where a stretch ends without its closing marks, which the rest of the sentence keeps."""
    return start + len(text[start:end].rstrip('.!?…"”’») \n'))


def _trimmed(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The span without white space at its ends; nothing where no word is in it."""
    piece = text[start:end]
    start, end = start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
    return [(start, end)] if re.search(r"\w", text[start:end]) else []


def _without(text: str, start: int, end: int) -> str:
    """`text` without a span, its marks and first letter mended; empty where too little is left."""
    before, after = text[:start].rstrip(), text[end:].lstrip()
    if not before or before[-1] in ".!?…\n":
        after = after.lstrip(" ,;:–—-")
        if re.match(r"[.!?…]", after):
            after = after.lstrip(".!?…").lstrip()
        after = after[:1].upper() + after[1:]
    elif not after or after[0] in ".!?…,;:–—-":
        before = before.rstrip(" \n,;:–—-")
    between = "" if not before or not after or re.match(r"[.,;:!?…\"”’»)]", after) else " "
    rest = f"{before}{between}{after}".strip()
    return rest if len(re.findall(r"\w+", rest)) >= FEWEST_WORDS else ""
