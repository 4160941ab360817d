"""Arms of randomised comparisons: pooled, paired and tested."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lcbm_model.corpus.pairs import two_proportion_z
from lcbm_model.evaluation.bootstrap import Floats, Groups
from lcbm_model.evaluation.metrics import Indices, members
from lcbm_model.evaluation.suites.base import Rows


@dataclass(frozen=True)
class Arms:
    """Distinct texts inside each comparison; repeated arms of the same words are pooled."""

    rows: Indices
    """(A,) a row that holds the words."""
    comparison: Groups
    """(A,) the randomised comparison, inside which rates may be compared."""
    group: Groups
    """(A,) what the bootstrap resamples."""
    counts: Floats
    exposures: Floats

    @property
    def rate(self) -> Floats:
        """(A,) counts per exposure."""
        return self.counts / self.exposures

    def z(self, first: Indices, second: Indices) -> Floats:
        """(P,) z of the difference of two arms' rates."""
        return two_proportion_z(self.counts[first], self.exposures[first], self.counts[second], self.exposures[second])

    def pairs(self) -> tuple[Indices, Indices]:
        """All pairs inside a comparison."""
        upper = [g[np.triu_indices(len(g), 1)[side]] for g in members(self.comparison) for side in (0, 1)]
        none = np.zeros(0, dtype=np.intp)
        return np.concatenate([none, *upper[0::2]]), np.concatenate([none, *upper[1::2]])


def pooled_arms(rows: Rows, behavior: str) -> Arms:
    """The distinct texts of each comparison with their pooled counts and exposures."""
    found: dict[tuple[str | None, str], int] = {}
    arm_of_row = np.asarray([found.setdefault((r.arms, r.content.text), len(found)) for r in rows.records], dtype=int)
    first = np.zeros(len(found), dtype=np.intp)
    first[arm_of_row[::-1]] = np.arange(len(rows))[::-1]
    sums = np.zeros((2, len(found)))
    np.add.at(sums[0], arm_of_row, rows.counts(behavior))
    np.add.at(sums[1], arm_of_row, rows.exposures(behavior))
    comparison = np.asarray([arms for arms, _ in found])
    return Arms(first, comparison, rows.groups[first], sums[0], sums[1])
