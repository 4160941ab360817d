"""In which order a round's drafts are scored, and when that ends.

Without a first look all are scored at once, in the order of their making. With one they are asked about one by one, the
most promising first, until no draft is worth a call or the round's number of drafts is reached; what a person wrote
comes before all others, and a draft in doubt, which could never be chosen, is not asked about. An ensemble takes its
drafts in one turn: to halve them it has to see them side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optimizer.decision import HUMAN
from optimizer.loop.context import LoopContext
from optimizer.loop.looks import looks_at, value_of
from optimizer.loop.promise import most_promising
from optimizer.loop.spending import Plan
from optimizer.loop.state import ORIGINAL
from optimizer.result import Candidate


class Turns:
    """Hands out a round's drafts.

    Args:
        wanted: The round's drafts that may be scored.
        candidates: All of the run: what is known of their scores is what a first look is measured against.
    """

    def __init__(
        self, wanted: Sequence[Candidate], candidates: Sequence[Candidate], plan: Plan, context: LoopContext
    ) -> None:
        self.left = list(wanted)
        self._brief, budget = context.brief, context.brief.budget
        self._price, self._most = budget.least_call_gain, budget.candidates
        self._at_once = self._most if plan.halving else 1
        self._known = {c.id: c for c in candidates if c.score is not None}
        self._looks = _looks([*self._known.values(), *wanted], context) if _choosable(wanted) else None

    def next(self, scored: Mapping[str, Candidate]) -> list[Candidate]:
        """Drafts to score now; empty: the round is over, and what is `left` was passed over.

        Args:
            scored: What the turns before brought, by id.
        """
        turn = self._turn(scored)
        due = {c.id for c in turn}
        self.left = [c for c in self.left if c.id not in due]
        return turn

    def _turn(self, scored: Mapping[str, Candidate]) -> list[Candidate]:
        if self._looks is None:
            return self.left
        if certain := [c for c in self.left if not _choosable([c])]:
            return certain
        self._known |= {c.id: c for c in scored.values() if c.score is not None}
        n = min(self._at_once, self._most)
        open_ = [c for c in self.left if c.doubt is None]
        values = {c.id: value for c in self._known.values() if (value := value_of(c, self._brief)) is not None}
        known = [(self._looks[id_], value) for id_, value in values.items()]
        best = max((values[c.id] for c in self._known.values() if c.eligible and c.id in values), default=None)
        places = most_promising(known, [self._looks[c.id] for c in open_], best, self._price, n)
        self._most -= len(places)
        return [open_[i] for i in places]


def _choosable(wanted: Sequence[Candidate]) -> bool:
    """Whether there is anything to choose among: the original and a person's wordings are scored in any case."""
    return any(c.id != ORIGINAL and c.writer != HUMAN for c in wanted)


def _looks(candidates: Sequence[Candidate], context: LoopContext) -> dict[str, float] | None:
    looks = looks_at([c.text for c in candidates], context)
    return None if looks is None else dict(zip((c.id for c in candidates), looks, strict=True))
