"""What there is to rewrite: the weakest headline of a randomised test, beside those that were run with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.writers.base import WritingTask
from lcbm_model.content import Content
from lcbm_model.corpus.record import Record
from lcbm_model.evaluation.arms import Arms, pooled_arms
from lcbm_model.evaluation.metrics import Indices, members
from lcbm_model.evaluation.suites.base import Rows
from lcbm_model.tasks.families.content_simulation import with_lede

METRIC = "click_rate"
DRAWN = 0
"""Seed of the stories: who writes with another seed is given the same drafts."""
LONGEST = 120
"""Characters a rewrite may have: as many as the longest headline of the test split."""


@dataclass(frozen=True)
class Drafted:
    """One story: a draft to beat and what really beat it."""

    group: str
    """What the bootstrap resamples: the story."""
    draft: Content
    """The arm with the lowest click rate, in the setting in which it ran."""
    best: str
    """Words of the arm with the highest click rate under the same picture."""
    another: str
    """Words of another arm of the same comparison, drawn at random; it may be the best one."""
    z: float
    """Of the best arm's click rate over the draft's; above 1.96 the difference is significant."""
    arms: int
    """Different headlines in the comparison, 2 or more."""
    lede: str
    """What the story is about, in the archive's words; empty where it says nothing."""

    @property
    def about(self) -> Content:
        """The draft as a writer gets it: told what the story is about."""
        return self.draft.model_copy(update={"topic": self.lede}) if self.lede else self.draft

    @property
    def task(self) -> WritingTask:
        """What writers are asked. Where no lede says what has to be said, the draft does."""
        return WritingTask(content=self.about, metric=METRIC, message=self.lede or self.draft.text, max_length=LONGEST)


def drafts_of(records: Sequence[Record], limit: int | None = None) -> list[Drafted]:
    """One draft for each story that has two headlines of different click rates under one picture.

    Of a story with several such comparisons one is drawn. A smaller limit takes the first of a larger one's stories.

    Args:
        records: Upworthy arms; those without a comparison (`arms`) must have been left out.
        limit: Most stories, 1 or more; None takes all.
    """
    arms = pooled_arms(Rows(records), METRIC)
    rng = np.random.default_rng(DRAWN)
    stories: dict[str, list[Indices]] = {}
    for comparison in members(arms.comparison):
        if np.ptp(arms.rate[comparison]) > 0:
            stories.setdefault(str(arms.group[comparison[0]]), []).append(comparison)
    names = sorted(stories)
    made = [_drafted(records, arms, stories[name][rng.integers(len(stories[name]))], rng) for name in names]
    return [made[i] for i in rng.permutation(len(made))[:limit]]


def _drafted(records: Sequence[Record], arms: Arms, comparison: Indices, rng: np.random.Generator) -> Drafted:
    rates = arms.rate[comparison]
    weakest, best = comparison[rates.argmin()], comparison[rates.argmax()]
    another = rng.choice(comparison[comparison != weakest])
    weak = records[arms.rows[weakest]]
    return Drafted(
        group=str(arms.group[weakest]),
        draft=weak.content,
        best=records[arms.rows[best]].content.text,
        another=records[arms.rows[another]].content.text,
        z=float(arms.z(np.asarray([best]), np.asarray([weakest]))[0]),
        arms=len(comparison),
        lede=with_lede(weak).topic or "",
    )
