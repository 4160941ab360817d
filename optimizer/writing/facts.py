"""Whether what was written may be said: the screen's verdict, and how many of the draft's facts are still there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.screener import Screener, extract_facts
from lcbm_model.evaluation.bootstrap import Statistic, ratio
from optimizer.writing.drafts import Drafted
from optimizer.writing.rewriting import Texts

KEYS = ("passes_guard", "facts_kept")
"""Passes guard: share of texts that the screen lets through, which refuses invented numbers, names and claims, turned
directions and denials. Facts kept: share of the draft's checkable facts that stand in the text."""


def guarded(stories: Sequence[Drafted], texts: Texts) -> dict[str, Statistic]:
    """Figures of one line of texts."""
    passed, kept, stated, groups = [], [], [], []
    for story, own in zip(stories, texts, strict=True):
        screener, facts = Screener(story.task), extract_facts(story.draft.text)
        for text in own:
            there = extract_facts(text)
            passed.append(float(not screener.check(text)))
            kept.append(float(sum(fact.stands_in(there) for fact in facts)))
            stated.append(float(len(facts)))
            groups.append(story.group)
    of = np.asarray(groups, dtype=str)
    return {
        "passes_guard": ratio(np.asarray(passed, dtype=np.float64), np.ones(len(of)), of),
        "facts_kept": ratio(np.asarray(kept, dtype=np.float64), np.asarray(stated, dtype=np.float64), of),
    }
