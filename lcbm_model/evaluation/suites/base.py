"""What a suite is: which rows of which source are asked for what behaviour, and which figures judge the answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lcbm_model.corpus.record import Record
from lcbm_model.evaluation.bootstrap import Floats, Groups, OfSums, Statistic
from lcbm_model.evaluation.metrics import Indices, coverage, expected_calibration_error, reliability

Bools = NDArray[np.bool_]
WinProbability = Callable[[Indices, Indices], Floats]
"""Rows (P,) and (P,) -> (P,) probability that the first of each pair does better."""


@dataclass(frozen=True)
class Answers:
    """What one model or baseline said about every row, for one behaviour."""

    scores: Floats
    """(N,) higher is better; only their order inside a group counts."""
    low: Floats | None = None
    """(N,) lower end of the 80 % interval, percentile; NaN where a row has none."""
    high: Floats | None = None
    win: WinProbability | None = None


@dataclass(frozen=True)
class Rows:
    """The rows of one split as columns."""

    records: Sequence[Record]
    _columns: dict[str, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.records)

    def values(self, behavior: str) -> Floats:
        """(N,) raw values; NaN where a row was not measured."""
        return self._column(f"value:{behavior}", lambda r: _seen(r, behavior, "value"))

    def percentiles(self, behavior: str) -> Floats:
        """(N,) observed percentiles inside the context group; NaN where unknown."""
        return self._column(f"percentile:{behavior}", lambda r: _seen(r, behavior, "percentile"))

    def counts(self, behavior: str) -> Floats:
        """(N,) clicks and the like."""
        return self._column(f"count:{behavior}", lambda r: _seen(r, behavior, "count"))

    def exposures(self, behavior: str) -> Floats:
        """(N,) impressions and the like."""
        return self._column(f"exposure:{behavior}", lambda r: _seen(r, behavior, "exposure"))

    @property
    def groups(self) -> Groups:
        """(N,) what the bootstrap resamples: the unit that no split cuts."""
        return self._column("group", lambda r: r.group)

    @property
    def contexts(self) -> Groups:
        """(N,) inside which rows are ranked: a page, a community, a contest."""
        return self._column("context", lambda r: r.context)

    def _column(self, key: str, of: Callable[[Record], Any]) -> NDArray[Any]:
        if key not in self._columns:
            self._columns[key] = np.asarray([of(r) for r in self.records])
        return self._columns[key]


class Suite(ABC):
    """One task on one source. A file of this folder that holds a `Suite` is a registered suite."""

    name: ClassVar[str]
    """As the command line spells it."""
    reader: ClassVar[str]
    """Corpus reader that understands the file."""
    behaviors: ClassVar[tuple[str, ...]]
    """Metrics the model is asked for. Coverage is over all of them, win probabilities are checked for the first."""
    keys: ClassVar[tuple[str, ...]]
    """Names of the figures, in their order."""
    chance: ClassVar[Mapping[str, float]] = {}
    """What a coin reaches, where that is known beforehand."""
    kept_whole: ClassVar[Literal["comparison", "row"]] = "row"
    """What a limit must not cut: a randomised comparison is kept whole; of a ranking, a sample of rows still ranks."""

    def usable(self, record: Record) -> bool:
        """Whether a row of the split takes part."""
        return all(record.observation(b) is not None for b in self.behaviors)

    @abstractmethod
    def figures(self, rows: Rows, answers: Mapping[str, Answers]) -> dict[str, Statistic]:
        """The suite's own figures by key; `answers` has every behaviour of the suite."""

    def calibration_pairs(self, rows: Rows) -> tuple[Indices, Indices, Bools] | None:
        """Pairs (P,), (P,) whose stated win probabilities are checked, and whether the first one won; None where the
        suite has no comparisons."""
        return None

    def calibration(self, rows: Rows, answers: Mapping[str, Answers]) -> dict[str, Statistic]:
        """Coverage of the 80 % interval and calibration error of win probabilities, where the model states them."""
        found: dict[str, Statistic] = {}
        behavior = self.behaviors[0]
        said = answers[behavior]
        if said.low is not None and said.high is not None:
            found["coverage_80"] = coverage_over(rows, answers)
        if (stated := self._stated(rows, said)) is not None:
            found["ece_win_probability"] = expected_calibration_error(*stated)
        return found

    def reliability(self, rows: Rows, answers: Mapping[str, Answers]) -> list[tuple[float, OfSums, int]]:
        """The bins behind the calibration error: stated, observed, pairs; none where no win probability is stated."""
        stated = self._stated(rows, answers[self.behaviors[0]])
        return [] if stated is None else reliability(*stated)

    def _stated(self, rows: Rows, said: Answers) -> tuple[Floats, Floats, Groups] | None:
        """Of the pairs that are checked (P,): the first one's stated chance, whether it won, and the group."""
        pairs = self.calibration_pairs(rows)
        if said.win is None or pairs is None or not len(pairs[0]):
            return None
        first, second, won = pairs
        return np.asarray(said.win(first, second)), won.astype(np.float64), rows.groups[first]


def coverage_over(rows: Rows, answers: Mapping[str, Answers]) -> OfSums:
    """Coverage over all behaviours together, resampled by group."""
    parts = [(rows.percentiles(b), a.low, a.high) for b, a in answers.items() if a.low is not None]
    truth, low, high = (np.concatenate(column) for column in zip(*parts, strict=True))
    return coverage(truth, low, high, np.tile(rows.groups, len(parts)))


def _seen(record: Record, behavior: str, field_name: str) -> float:
    seen = record.observation(behavior)
    value = getattr(seen, field_name) if seen is not None else None
    return np.nan if value is None else float(value)
