"""Facebook: which of a page's posts were shared and reacted to more?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lcbm_model.evaluation.bootstrap import Statistic
from lcbm_model.evaluation.metrics import spearman_within
from lcbm_model.evaluation.suites.base import Answers, Rows, Suite


class FacebookSuite(Suite):
    """Rank posts inside their page: pages differ in reach by orders of magnitude."""

    name = "facebook"
    reader = "facebook"
    behaviors = ("shares", "reactions")
    keys = ("spearman_within_page_shares", "spearman_within_page_reactions")
    chance: ClassVar[Mapping[str, float]] = dict.fromkeys(keys, 0.0)

    def figures(self, rows: Rows, answers: Mapping[str, Answers]) -> dict[str, Statistic]:
        """Mean Spearman inside a page, for each behaviour."""
        return {
            f"spearman_within_page_{b}": spearman_within(answers[b].scores, rows.values(b), rows.contexts)
            for b in self.behaviors
        }
