"""What was published and what came of it: kept, compared with what was predicted, and learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "calibration": ["TeamCalibration", "fit_team"],
        "noting": ["note_candidate", "note_text"],
        "record": ["Outcome"],
        "reporting": ["OutcomeReport", "report"],
        "store": ["OutcomeStore"],
        "table": ["Imported", "import_outcomes"],
        "teaching": ["teach_library"],
    },
)

if TYPE_CHECKING:
    from optimizer.outcomes.calibration import TeamCalibration as TeamCalibration
    from optimizer.outcomes.calibration import fit_team as fit_team
    from optimizer.outcomes.noting import note_candidate as note_candidate
    from optimizer.outcomes.noting import note_text as note_text
    from optimizer.outcomes.record import Outcome as Outcome
    from optimizer.outcomes.reporting import OutcomeReport as OutcomeReport
    from optimizer.outcomes.reporting import report as report
    from optimizer.outcomes.store import OutcomeStore as OutcomeStore
    from optimizer.outcomes.table import Imported as Imported
    from optimizer.outcomes.table import import_outcomes as import_outcomes
    from optimizer.outcomes.teaching import teach_library as teach_library
