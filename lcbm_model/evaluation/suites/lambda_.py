"""LAMBDA: which video adverts are remembered days later, told scene by scene?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lcbm_model.evaluation.bootstrap import PooledSpearman, Statistic
from lcbm_model.evaluation.suites.base import Answers, Rows, Suite


class LambdaSuite(Suite):
    """Rank adverts by long-term memorability."""

    name = "lambda"
    reader = "lambda"
    behaviors = ("memorability",)
    keys = ("spearman_memorability",)
    chance: ClassVar[Mapping[str, float]] = {"spearman_memorability": 0.0}

    def figures(self, rows: Rows, answers: Mapping[str, Answers]) -> dict[str, Statistic]:
        """Spearman over all adverts."""
        return {"spearman_memorability": PooledSpearman(answers["memorability"].scores, rows.values("memorability"))}
