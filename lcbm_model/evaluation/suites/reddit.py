"""Reddit: which of a community's link titles were voted up more?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lcbm_model.evaluation.bootstrap import Statistic
from lcbm_model.evaluation.metrics import spearman_within
from lcbm_model.evaluation.suites.base import Answers, Rows, Suite


class RedditSuite(Suite):
    """Rank titles inside their community."""

    name = "reddit"
    reader = "reddit"
    behaviors = ("score",)
    keys = ("spearman_within_subreddit",)
    chance: ClassVar[Mapping[str, float]] = {"spearman_within_subreddit": 0.0}

    def figures(self, rows: Rows, answers: Mapping[str, Answers]) -> dict[str, Statistic]:
        """Mean Spearman inside a community."""
        within = spearman_within(answers["score"].scores, rows.values("score"), rows.contexts)
        return {"spearman_within_subreddit": within}
