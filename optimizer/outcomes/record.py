"""One published text and what came of it, with what had been predicted."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from datetime import date as Date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.behavior import PercentileScale
from lcbm_model.errors import InputError
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import Prediction

MAX_TEXT = 100_000
"""Characters of one published text."""
CERTAINTY = 0.95
"""Of the range that a rate's exposure leaves open."""
_SHOWN = 60
"""Characters of a bad cell that an error shows."""
_WORDS = {
    "string_too_long": (f"is longer than {MAX_TEXT} characters", "Give one text as it was published"),
    "string_unicode": ("holds bytes that are no characters", "Write it as UTF-8"),
}
"""What we say of pydantic's errors that a person can cause: the problem and its remedy."""


class Outcome(BaseModel):
    """What one text reached. `percentile` is where that lies on the scale of the team's own past posts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1, max_length=MAX_TEXT)
    metric: str
    value: float = Field(description="On the metric's own scale: a rate 0..1, a count, a mean rating.")
    exposure: float | None = Field(default=None, gt=0, description="People who had the chance: impressions, views.")
    channel: str = "post"
    run_id: str | None = Field(default=None, description="None: it was not written here.")
    candidate_id: str | None = None
    predicted: Prediction | None = None
    percentile: float | None = Field(default=None, ge=0, le=100, description="None where no scale is known.")
    low: float | None = Field(default=None, ge=0, le=100, description="95 % range that the exposure leaves open.")
    high: float | None = Field(default=None, ge=0, le=100)
    published: Date | None = None
    noted_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    noted_by: str | None = None

    @property
    def key(self) -> str:
        """What it is known by: newer figures of the same candidate (or text) and metric replace the older ones."""
        run = (self.run_id, self.candidate_id) if self.run_id else ("", self.text)
        return hashlib.sha256("\0".join((*map(str, run), self.channel, self.metric)).encode()).hexdigest()

    @property
    def comparable(self) -> bool:
        """Whether a prediction and a result on the same scale stand side by side."""
        return self.percentile is not None and self.predicted is not None and self.predicted.ok


def outcome_of(**fields: Any) -> Outcome:
    """An outcome of these fields.

    Raises:
        InputError: A text that is too long, or words that are no characters, or a field that cannot be.
    """
    try:
        return Outcome(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        problem, remedy = _WORDS.get(first["type"], (first["msg"], "Check it"))
        raise InputError(name, problem, value=str(first["input"])[:_SHOWN], remedy=remedy) from error


def checked(outcome: Outcome, *, where: str = "outcome") -> Outcome:
    """The outcome, once its value can be one of its metric.

    Raises:
        MetricError: Nobody defined the metric.
        InputError: A value that the metric cannot take, an empty text, a prediction of another metric.
    """
    metric = get_metric(outcome.metric, where=f"{where}: metric")
    value = outcome.value
    if not math.isfinite(value):
        raise InputError(f"{where}: value", "is not a finite number", value=value, remedy="Give what was measured")
    if metric.kind == "rate" and not 0 <= value <= 1:
        remedy = "Give 3.4 % as 0.034, or give the count and its exposure"
        raise InputError(f"{where}: value", f"is no {metric.title}: a rate lies in 0..1", value=value, remedy=remedy)
    if metric.kind == "count" and value < 0 and not metric.signed:
        raise InputError(f"{where}: value", "is a count below 0", value=value, remedy="Give what was counted")
    if not outcome.text.strip():
        raise InputError(f"{where}: text", "is empty", value=outcome.text, remedy="Give the words as published")
    if outcome.predicted is not None and outcome.predicted.metric != metric.name:
        problem = f"was measured in {metric.name}, but {outcome.predicted.metric} had been predicted"
        raise InputError(f"{where}: metric", problem, remedy="Note the metric that the run was for")
    return outcome


def ranked(outcome: Outcome, scale: PercentileScale | None) -> Outcome:
    """The outcome with its place on `scale`, and how far its exposure leaves that place open."""
    if scale is None:
        return outcome
    ends = sorted(scale.to_percentile(end) for end in observed_range(outcome) if end is not None)
    low, high = ends or (None, None)
    return outcome.model_copy(update={"percentile": scale.to_percentile(outcome.value), "low": low, "high": high})


def observed_range(outcome: Outcome) -> tuple[float | None, float | None]:
    """Jeffreys' 95 % range of a rate given its exposure; (None, None) for other kinds or an unknown exposure."""
    if outcome.exposure is None or get_metric(outcome.metric).kind != "rate":
        return None, None
    from scipy.stats import beta

    hits = outcome.value * outcome.exposure
    tail = (1 - CERTAINTY) / 2
    ends = beta.ppf((tail, 1 - tail), hits + 0.5, outcome.exposure - hits + 0.5)
    return float(ends[0]), float(ends[1])


def rate_of(count: float, exposure: float, *, where: str) -> float:
    """A rate from a count and its exposure.

    Raises:
        InputError: No exposure, or more counted than could be.
    """
    if not (math.isfinite(count) and math.isfinite(exposure)) or exposure <= 0 or count < 0:
        problem = "need a count of 0 or more and an exposure above 0"
        raise InputError(where, problem, value=(count, exposure), remedy="Give both as they were measured")
    if count > exposure:
        remedy = "Check the count and the exposure"
        raise InputError(where, "counts more than were reached", value=(count, exposure), remedy=remedy)
    return count / exposure
