"""Which drafts of a round are scored, and how fully: what the rest of the budget pays for.

A call is one content asked of one model for one metric. A single simulator scores every draft in full. Of an ensemble
the first member scores every draft, and only the better half, with whatever a person wrote, is shown to the others
(successive halving with one cut); further objectives are asked for those alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.brief import Brief
from optimizer.decision import HUMAN
from optimizer.loop.scoring import Scorer
from optimizer.result import Candidate


@dataclass(frozen=True)
class Plan:
    """How drafts are scored in a run.

    Attributes:
        cost: Calls of one full score of one metric: the number of members.
        objectives: Further metrics asked for each fully scored draft.
        halving: Whether a first member's score comes before the full one.
    """

    cost: int
    objectives: int
    halving: bool

    @classmethod
    def of(cls, brief: Brief, scorer: Scorer) -> Plan:
        """The plan that brief and simulator ask for."""
        return cls(scorer.cost, len(brief.objectives), brief.budget.halving and scorer.cost > 1)

    def full(self, due: Sequence[Candidate]) -> int:
        """How many of `due` get a full score."""
        if not self.halving:
            return len(due)
        certain = sum(c.writer == HUMAN for c in due)
        return certain + (len(due) - certain + 1) // 2

    def calls(self, due: Sequence[Candidate]) -> int:
        """Calls that scoring `due` takes."""
        each = self.cost * (1 + self.objectives)
        if not self.halving:
            return len(due) * each
        return len(due) + self.full(due) * (each - 1)

    def within(self, due: Sequence[Candidate], calls: int) -> list[Candidate]:
        """As many of the first of `due` as `calls` pay for."""
        n = len(due)
        while n and self.calls(due[:n]) > calls:
            n -= 1
        return list(due[:n])

    def better_half(self, due: Sequence[Candidate], calibrated: bool) -> list[Candidate]:
        """Those of `due`, with their first scores, that get a full one; order kept."""

        def worth(candidate: Candidate) -> tuple[float, float]:
            first = candidate.first
            if first is None or first.expected is None:
                return (-1.0, -1.0)
            low = first.expected if first.low is None else first.low
            return (low, first.expected) if calibrated else (first.expected, low)

        certain = {c.id for c in due if c.writer == HUMAN}
        others = sorted((c for c in due if c.id not in certain), key=lambda c: (*(-w for w in worth(c)), c.id))
        kept = certain | {c.id for c in others[: (len(others) + 1) // 2]}
        return [c for c in due if c.id in kept and (c.first is None or c.first.ok)]
