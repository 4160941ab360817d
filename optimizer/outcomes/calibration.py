"""A team's own calibration: where its posts land against what was predicted, fitted once there are enough of them.

Two numbers for each checkpoint and metric: an offset in percentile points that the whole distribution is moved by, and
points that the interval is pushed out (or in) at either end, the conformal quantile of the team's own misses
(conformalized quantile regression, as in `lcbm_model.simulator.conformal`). It is shown beside a prediction, never used
inside a run: moving every draft alike changes no ranking, and outcomes stay comparable with what the model said.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lcbm_model.behavior import BIN_CENTRES, N_BINS
from lcbm_model.errors import InputError
from lcbm_model.prediction import Prediction
from optimizer.outcomes.record import Outcome

LEAST = 50
"""Outcomes of one checkpoint and metric below which nothing is fitted."""
_MOST = 40.0
"""Percentile points that an offset may be at most: beyond, something else is wrong."""
_FOLDS = 5


class TeamEntry(BaseModel):
    """For one checkpoint and metric."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: str
    checkpoint_hash: str
    metric: str
    level: float = Field(gt=0, lt=1)
    offset: float = Field(ge=-_MOST, le=_MOST, description="Percentile points added to the whole distribution.")
    widen: float = Field(ge=-50, le=100, description="Percentile points added at either end of the interval.")
    n: int = Field(ge=1, description="Outcomes behind it.")
    held_before: float = Field(ge=0, le=1, description="Share of results inside the model's own intervals.")
    held_after: float = Field(ge=0, le=1, description="Share inside these, each on outcomes that were not fitted on.")


class TeamCalibration(BaseModel):
    """Entries by checkpoint and metric. Satisfies `lcbm_model.simulator.calibration.Calibration`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["team"] = "team"
    fitted_at: datetime
    entries: tuple[TeamEntry, ...] = Field(min_length=1)

    @property
    def id(self) -> str:
        """Hash of every number in it (12 hex digits)."""
        text = "\n".join(entry.model_dump_json() for entry in self.entries)
        return f"team-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def entry(self, prediction: Prediction) -> TeamEntry | None:
        """The entry fitted on predictions like this one; None where there is none."""
        known = (prediction.simulator.checkpoint_hash, prediction.metric)
        return next((e for e in self.entries if (e.checkpoint_hash, e.metric) == known), None)

    def apply(self, prediction: Prediction, channel: str = "", *, strange: bool = False) -> Prediction:
        """The prediction as the team's own past says it; unchanged where nothing was fitted for it.

        `simulator.calibration_id` then names this calibration behind the checkpoint's own. Nothing is added for a
        `strange` text: the team's results are those of its own language.
        """
        found = self.entry(prediction) if prediction.ok else None
        if found is None:
            return prediction
        moved = shifted(prediction, found.offset)
        low, high = _ends(moved, found.widen)
        old = prediction.simulator.calibration_id
        identity = prediction.simulator.model_copy(update={"calibration_id": f"{old}+{self.id}" if old else self.id})
        return moved.model_copy(update={"low": low, "high": high, "level": found.level, "simulator": identity})

    def utility_temperature(self, metric: str, channel: str) -> float:
        """Chances to win are left as they are: an offset moves all contents alike."""
        return 1.0


def shifted(prediction: Prediction, offset: float) -> Prediction:
    """The prediction with its distribution and interval moved by `offset` percentile points, kept inside 0..100."""
    edges = np.linspace(0, 100, N_BINS + 1)
    cumulative = np.concatenate([[0.0], np.cumsum(prediction.bins)])
    moved = np.interp(edges - offset, edges, cumulative / cumulative[-1])
    moved[0], moved[-1] = 0.0, 1.0  # what would lie beyond an end lies in the last bin
    bins = np.diff(moved)
    ends = [None if end is None else float(np.clip(end + offset, 0, 100)) for end in (prediction.low, prediction.high)]
    changed = {
        "bins": tuple(bins.tolist()),
        "expected": float(bins @ np.asarray(BIN_CENTRES)),
        "low": ends[0],
        "high": ends[1],
        "raw": None,
        "raw_low": None,
        "raw_high": None,
    }
    return prediction.model_copy(update=changed)


def fit_team(outcomes: Sequence[Outcome], *, least: int = LEAST) -> TeamCalibration:
    """Fit on the team's own outcomes, one entry for each checkpoint and metric that has enough.

    Raises:
        InputError: None has enough; the message says how many there are.
    """
    groups = _groups(outcomes)
    enough = [group for group in groups if len(group) >= least]
    if not enough:
        most = largest_group(outcomes)
        problem = f"a calibration of one's own needs {least} results of one model and metric beside its predictions"
        raise InputError("outcomes", problem, value=most, remedy="Note more results; the report says where you stand")
    # Two levels of one checkpoint and metric are one entry: that with more outcomes.
    best: dict[tuple[str, str], TeamEntry] = {}
    for group in sorted(enough, key=len):
        entry = _fit(group)
        best[entry.checkpoint_hash, entry.metric] = entry
    return TeamCalibration(fitted_at=datetime.now(UTC), entries=tuple(best.values()))


def largest_group(outcomes: Sequence[Outcome]) -> int:
    """How many outcomes of one model and metric a calibration could be fitted on."""
    return max(map(len, _groups(outcomes)), default=0)


def _groups(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Outcomes with a place and a whole prediction, by checkpoint, metric and level."""
    groups: dict[tuple[str, str, float], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        p = outcome.predicted
        if outcome.comparable and p is not None and p.low is not None and len(p.bins) == N_BINS:
            groups[p.simulator.checkpoint_hash, p.metric, p.level].append(outcome)
    return list(groups.values())


def _fit(group: Sequence[Outcome]) -> TeamEntry:
    first = _prediction(group[0])
    ordered = sorted(group, key=lambda o: (o.noted_at, o.key))
    offset, widen = _numbers(ordered)
    inside = []
    for fold in range(_FOLDS):
        known = [o for i, o in enumerate(ordered) if i % _FOLDS != fold]
        numbers = _numbers(known)
        inside += [_held(o, *numbers) for i, o in enumerate(ordered) if i % _FOLDS == fold]
    return TeamEntry(
        checkpoint=first.simulator.checkpoint,
        checkpoint_hash=first.simulator.checkpoint_hash,
        metric=first.metric,
        level=first.level,
        offset=offset,
        widen=widen,
        n=len(group),
        held_before=float(np.mean([_held(o, 0.0, 0.0) for o in ordered])),
        held_after=float(np.mean(inside)),
    )


def _numbers(group: Sequence[Outcome]) -> tuple[float, float]:
    """Offset and widening: first the middle is set right, then the ends."""
    from scipy.optimize import brentq

    pairs = [(_prediction(o), _observed(o)) for o in group]
    mean = float(np.mean([y for _, y in pairs]))

    def miss(offset: float) -> float:
        return float(np.mean([shifted(p, offset).expected or 0.0 for p, _ in pairs])) - mean

    low, high = miss(-_MOST), miss(_MOST)
    offset = -_MOST if low >= 0 else _MOST if high <= 0 else float(brentq(miss, -_MOST, _MOST, xtol=1e-3))
    outside = sorted(_outside(shifted(p, offset), y) for p, y in pairs)
    rank = min(math.ceil((len(outside) + 1) * pairs[0][0].level), len(outside)) - 1
    return offset, float(np.clip(outside[rank], -50, 100))


def _outside(prediction: Prediction, observed: float) -> float:
    """How far a result lies outside the interval; negative inside."""
    return max((prediction.low or 0.0) - observed, observed - (100.0 if prediction.high is None else prediction.high))


def _held(outcome: Outcome, offset: float, widen: float) -> bool:
    low, high = _ends(shifted(_prediction(outcome), offset), widen)
    return low <= _observed(outcome) <= high


def _ends(prediction: Prediction, widen: float) -> tuple[float, float]:
    """The interval's ends; a negative `widen` may pull them together, never past each other."""
    low, high = prediction.low or 0.0, 100.0 if prediction.high is None else prediction.high
    middle = (low + high) / 2
    return max(0.0, min(low - widen, middle)), min(100.0, max(high + widen, middle))


def _prediction(outcome: Outcome) -> Prediction:
    assert outcome.predicted is not None
    return outcome.predicted


def _observed(outcome: Outcome) -> float:
    assert outcome.percentile is not None
    return outcome.percentile
