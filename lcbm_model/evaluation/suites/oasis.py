"""OASIS: how pleasant and how exciting do people find a photograph, from the picture alone?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lcbm_model.evaluation.bootstrap import PooledSpearman, Statistic
from lcbm_model.evaluation.suites.base import Answers, Rows, Suite


class OasisSuite(Suite):
    """Rank photographs by mean valence and by mean arousal."""

    name = "oasis"
    reader = "oasis"
    behaviors = ("valence", "arousal")
    keys = ("spearman_valence", "spearman_arousal")
    chance: ClassVar[Mapping[str, float]] = dict.fromkeys(keys, 0.0)

    def figures(self, rows: Rows, answers: Mapping[str, Answers]) -> dict[str, Statistic]:
        """Spearman over all photographs, for each behaviour."""
        return {f"spearman_{b}": PooledSpearman(answers[b].scores, rows.values(b)) for b in self.behaviors}
