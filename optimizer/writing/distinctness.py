"""Whether a writer says different things of different drafts, or the same of all, or the draft once more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.screener.folding import text_key
from lcbm_model.embedder import Embedder
from lcbm_model.evaluation.bootstrap import Statistic, ratio
from optimizer.writing.drafts import Drafted
from optimizer.writing.rewriting import Texts

KEYS = ("distinct_1", "distinct_2", "duplicates", "same_as_draft", "similarity_to_draft")
"""Distinct n: different runs of n words over all runs of n words, 0..1; it falls as texts become more. Duplicates:
share that repeat an earlier text of any story. Same as draft: share that say the draft again, case and white space
aside. Similarity: mean cosine of a text's and its draft's embeddings, -1..1."""


@dataclass(frozen=True)
class Described:
    """A figure of exactly these texts. Stories drawn twice would repeat each other, so a bootstrap has no say in it."""

    number: float | None

    def value(self) -> float | None:
        return self.number

    def interval(self, *, level: float = 0.95) -> tuple[float, float] | None:
        return None


def distinctness(stories: Sequence[Drafted], texts: Texts, embedder: Embedder) -> dict[str, Statistic]:
    """Figures of one line of texts."""
    pairs = [(story, text) for story, own in zip(stories, texts, strict=True) for text in own]
    everything = [text for _, text in pairs]
    of, one = np.asarray([story.group for story, _ in pairs], dtype=str), np.ones(len(pairs))
    same = [float(text_key(text) == text_key(story.draft.text)) for story, text in pairs]
    return {
        "distinct_1": Described(distinct(everything, 1)),
        "distinct_2": Described(distinct(everything, 2)),
        "duplicates": Described(duplicates(everything)),
        "same_as_draft": ratio(np.asarray(same, dtype=np.float64), one, of),
        "similarity_to_draft": ratio(_cosines([(story.draft.text, text) for story, text in pairs], embedder), one, of),
    }


def distinct(texts: Sequence[str], n: int) -> float | None:
    """Different runs of `n` words over all of them, 0..1; None where no text has so many words."""
    runs = [run for text in texts for run in _runs(text, n)]
    return len(set(runs)) / len(runs) if runs else None


def duplicates(texts: Sequence[str]) -> float | None:
    """Share of texts that repeat an earlier one, 0..1; None where there are none."""
    return 1 - len({text_key(text) for text in texts}) / len(texts) if texts else None


def _runs(text: str, n: int) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+(?:['’]\w+)*", text.casefold())
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def _cosines(pairs: Sequence[tuple[str, str]], embedder: Embedder) -> np.ndarray:
    """(P,) cosines of both sides of each pair; vectors are of unit length."""
    if not pairs:
        return np.zeros(0)
    words = list(dict.fromkeys(text for pair in pairs for text in pair))
    vectors = np.asarray(embedder.embed(words), dtype=np.float64)  # (W, D)
    place = {text: i for i, text in enumerate(words)}
    first, second = (vectors[[place[pair[side]] for pair in pairs]] for side in (0, 1))  # (P, D)
    return np.asarray((first * second).sum(axis=1))
