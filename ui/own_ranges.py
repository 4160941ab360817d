"""The team's own calibration where predictions are shown: beside the model's own, never in its place."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from lcbm_model.errors import LcbmError
from lcbm_model.prediction import Prediction

if TYPE_CHECKING:
    from optimizer.outcomes import TeamCalibration
    from ui.campaigns_service import CampaignsService

log = logging.getLogger("lcbm.ui")


class OwnRanges:
    """Looks the calibration up beside the outcomes.

    Args:
        campaigns: Where the outcomes are.
    """

    def __init__(self, campaigns: CampaignsService) -> None:
        self.campaigns = campaigns

    def calibration(self) -> TeamCalibration | None:
        """The team's own; None where none was fitted. A store that cannot be read is logged and spoils no score."""
        from optimizer.outcomes.store import FILE

        named = self.campaigns.outcomes or os.environ.get("LCBM_OUTCOMES")
        if not named and not (self.campaigns.folder / FILE).is_file():
            return None
        try:
            return self.campaigns.store.calibration()
        except LcbmError as error:
            log.warning("the team's calibration cannot be read: %s", error)
            return None

    def of(self, prediction: Prediction, channel: str = "") -> Prediction | None:
        """The prediction as the team's own results have it; None where nothing was fitted for it."""
        calibration = self.calibration()
        if calibration is None or calibration.entry(prediction) is None or not prediction.ok:
            return None
        return calibration.apply(prediction, channel)
