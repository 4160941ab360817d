"""What a run uses where its caller names nothing: the configured writers and judge."""

from __future__ import annotations

import os

from agents.writers.base import Writer
from lcbm_model.simulator.base import Simulator


def default_writers(simulator: Simulator | None = None) -> tuple[Writer, ...]:
    """Every writer that is configured. `simulator` is already loaded; the embedded writer shares its weights."""
    from agents.writers import load_writers

    return load_writers()


def default_judge() -> Simulator | None:
    """The simulator that `LCBM_JUDGE` names, to judge what the loop never optimises against; None where it is unset.

    Raises:
        SettingsError, CheckpointError: It names nothing that can be loaded.
    """
    name = os.environ.get("LCBM_JUDGE", "").strip()
    if not name:
        return None
    from lcbm_model.simulator import load_simulator

    return load_simulator(name)
