"""What a process brings to a run and no checkpoint may hold: models, indexes, clients, the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from agents.library.base import Retriever
from agents.library.records import Hit
from agents.occlusion import Contribution
from agents.writers.base import Writer
from lcbm_model.behavior import PercentileScale
from lcbm_model.simulator.base import Simulator
from optimizer.brief import Brief
from optimizer.loop.scoring import ScoreCache, Scorer
from optimizer.result import Candidate

if TYPE_CHECKING:
    from agents.guard import GuardFinding
    from lcbm_model.simulator.base import Context

Screen = Callable[[str], tuple[str, ...]]
"""Why a text may not be used, in words; empty where it may."""


class Guard(Protocol):
    """The part of `agents.guard.Guard` that the loop needs."""

    def check(self, texts: Sequence[str]) -> list[GuardFinding]: ...


Critic = Callable[[list[Candidate], list[Hit], list[Contribution]], str | None]
"""Advice to the next round's writers from all candidates, the retrieved posts and the leading draft's parts."""


class Searchable(Retriever, Protocol):
    """The part of a library that the loop needs: search, and the scale behind its percentiles."""

    def scale(self, metric: str | None = None, channel: str | None = None) -> PercentileScale | None: ...


@dataclass
class Stopwatch:
    """Wall time of a run in seconds, over all the processes it took."""

    before: float = 0.0
    clock: Callable[[], float] = monotonic
    began: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def seconds(self) -> float:
        return self.before + self.clock() - self.began


@dataclass(frozen=True)
class LoopContext:
    """The runtime context of every node."""

    brief: Brief
    seed: int
    scorer: Scorer
    writers: tuple[Writer, ...]
    screen: Screen
    screen_own: Screen | None = None
    """The same for what a person wrote, who may say more than the brief does; None: as all others."""
    critic: Critic | None = None
    judge: Simulator | None = None
    library: Searchable | None = None
    scale: PercentileScale | None = None
    evidence: int = 0
    guard: Guard | None = None
    unchecked_rules: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """What a run that goes on has to do without, in words."""
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    memory: ScoreCache | None = None
    """The run's store of what was paid for; None: nothing outlives the process."""

    def scoring_context(self, hits: list[Hit]) -> Context:
        """What the simulator may know beside a draft: the `evidence` nearest past results and the team's scale."""
        from lcbm_model.simulator.base import Context, Known

        known = [Known(text=h.post.text, percentile=h.percentile) for h in hits if h.percentile is not None]
        return Context(examples=tuple(known[: self.evidence]), scale=self.scale)
