"""Calibration: what is done to a raw prediction so that its interval and win probabilities keep their promise."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from lcbm_model.errors import BackendError
from lcbm_model.prediction import Prediction, win_probabilities

if TYPE_CHECKING:
    from lcbm_model.simulator.base import Simulator


@runtime_checkable
class Calibration(Protocol):
    """Fitted on held-out behaviour and stored beside the checkpoint it belongs to."""

    @property
    def id(self) -> str:
        """Changes whenever a calibrated number would. Part of the simulator's identity."""
        ...

    def apply(self, prediction: Prediction, channel: str, *, strange: bool = False) -> Prediction:
        """The prediction with a calibrated distribution and interval. Only called where there is no error.

        Args:
            strange: The text is unlike those that the calibration was fitted on: in another language.
        """
        ...

    def utility_temperature(self, metric: str, channel: str) -> float:
        """Above 0: divides differences of utility before they become win probabilities."""
        ...


LEAST_WORTH = 1e-6
"""Log-odds a unit of utility is worth at least, so that who tells nothing apart gives even chances."""


def utility_worth(simulator: Simulator, like: Prediction, channel: str) -> float:
    """Log-odds that a simulator states for a lead of one unit of utility: asked of it, for it may lie in a cache.

    Args:
        like: A scored prediction with a utility: says for which metric.
    """
    above, level = (like.model_copy(update={"utility": utility}) for utility in (1.0, 0.0))
    won, lost = simulator.win_chances([above, level], channel=channel)
    return math.log(won) - math.log(max(lost, sys.float_info.min))  # a worth beyond all measure leaves nothing


def compare_predictions(predictions: Sequence[Prediction], *, temperature: float = 1.0) -> list[float]:
    """Probability that each content does best, in order; sums to 1, failed items get 0.

    From the utilities (Plackett-Luce) where every scored item has one, else from the bin distributions.

    Args:
        temperature: Of the utilities: see `Calibration.utility_temperature`.

    Raises:
        BackendError: No content could be scored.
    """
    scored = [p for p in predictions if p.ok]
    if not scored:
        reasons = sorted({p.error for p in predictions if p.error})
        raise BackendError("no content could be scored" + (f": {'; '.join(reasons[:3])}" if reasons else ""))
    utilities = [p.utility for p in scored if p.utility is not None]
    if len(utilities) == len(scored):
        scores = np.asarray(utilities) / temperature
        weights = np.exp(scores - scores.max())
        shares = iter((weights / weights.sum()).tolist())
    else:
        shares = iter(win_probabilities([p.bins for p in scored]))
    return [next(shares) if p.ok else 0.0 for p in predictions]
