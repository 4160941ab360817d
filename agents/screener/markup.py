"""Traces of machinery that no reader should see: markup, control characters, chat templates, assistant phrases."""

from __future__ import annotations

import re
import unicodedata

_TRACES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a chat template marker",
        re.compile(r"<\|[^|>]{0,40}\|?>|\|>|\[/?INST\]|</?s>|<<SYS>>|\[MASK\]|<image>|<unk>", re.I),
    ),
    ("markup", re.compile(r"</?[a-z!][^<>]{0,200}>|&(?:[a-z]{2,8}|#\d{1,6});|\[[^\]\n]+\]\([^)\s]+\)", re.I)),
    ("Markdown", re.compile(r"\*\*[^*]+\*\*|__[^_\s][^_]*__|^\s{0,3}#{1,6}\s|^\s*>\s|`", re.M)),
    ("program text", re.compile(r"\{[^{}\n]{0,60}\}|[{}]|\\u[0-9a-f]{4}|\\n|\"\s*:\s*[\"\[{]|javascript:", re.I)),
    (
        "an assistant's phrase",
        re.compile(
            r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|assistant)\b"
            r"|\bi(?:'m| am) sorry,? (?:but )?i\b|\bi (?:can(?:no|')t|am unable to) (?:help|assist|comply|fulfil)"
            r"|^\s*(?:sure|certainly|of course|absolutely)[,!.] here\b"
            r"|\bhere(?:'s| is| are) (?:a|an|the|your|some|\d+)\s(?:\w+\s){0,3}"
            r"(?:headlines?|captions?|posts?|drafts?|rewrites?|versions?|options?|subject lines?|titles?)\b"
            r"|\b(?:ignore|disregard|forget) (?:all |any )?(?:the |your |my )?"
            r"(?:previous|prior|above|earlier) instructions\b"
            r"|\bsystem prompt\b|\blorem ipsum\b",
            re.I,
        ),
    ),
    (
        "a label instead of a text",
        re.compile(
            r"^\s*(?:headline|title|caption|post|subject(?: line)?|email subject line|rewrite|rewritten|draft|output"
            r"|answer|user|assistant|system|human|result|revised|version|option)(?:\s*\d+)?\s*:",
            re.I,
        ),
    ),
    (
        "an unfilled placeholder",
        re.compile(
            r"\[(?:[^\]]*\b)?(?:your|name|brand|product|city|date|link|company|insert|number|price|here)\b[^\]]*\]"
            r"|\bX{2,}\b",
            re.I,
        ),
    ),
)
_FORBIDDEN = frozenset("\u200b\u2060\ufeff\u00ad\ufffd\u061c\u180e")
_BIDI = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)))


def markup_reasons(text: str, *, allowed: str = "") -> list[str]:
    """Everything machine-like that a reader would stumble over.

    Args:
        allowed: What the brief itself says; a trace that stands there to the letter ("{first_name}") is its wish.
    """
    reasons = []
    for name, pattern in _TRACES:
        found = [m.group() for m in pattern.finditer(text) if not m.group().strip() or m.group().strip() not in allowed]
        if found:
            reasons.append(f"holds {name} ({_shown(found[0])})")
    if hidden := _hidden(text):
        reasons.append(f"holds a hidden or control character ({', '.join(hidden)})")
    if mixed := mixed_alphabets(text):
        reasons.append(f"mixes alphabets inside a word ({_shown(mixed)})")
    return reasons


def _shown(found: str) -> str:
    found = found.strip()
    return repr(found if len(found) <= 40 else found[:37] + "...")


def _hidden(text: str) -> list[str]:
    """Code points that show nothing. Joiners stay where scripts and emoji need them: between two non-Latin marks."""
    found = []
    for i, c in enumerate(text):
        category = unicodedata.category(c)
        bad = c in _FORBIDDEN or c in _BIDI or (category in ("Cc", "Cs", "Co", "Cn") and c not in "\n\t")
        if c in "\u200c\u200d":
            bad = not (0 < i < len(text) - 1 and ord(text[i - 1]) > 0x24F and ord(text[i + 1]) > 0x24F)
        elif category == "Cf" and not bad:
            bad = True
        if bad:
            found.append(f"U+{ord(c):04X}")
    return sorted(set(found))


def mixed_alphabets(text: str) -> str | None:
    """The first word with Latin and Cyrillic or Greek letters: how a banned or brand word is disguised."""
    for word in re.findall(r"[^\W\d_]{2,}", text):
        scripts = {unicodedata.name(c, "?").split(" ")[0] for c in word if c not in "µμΩΔπ"}
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}:
            return word
    return None
