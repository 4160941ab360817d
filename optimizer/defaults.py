"""What a run uses where its caller names nothing: the configured writers, and the twin models."""

from __future__ import annotations

from agents.writers.base import Writer
from lcbm_model.simulator.base import Simulator


def default_writers(simulator: Simulator | None = None) -> tuple[Writer, ...]:
    """Every writer that is configured. `simulator` is already loaded; the embedded writer shares its weights."""
    from agents.writers import load_writers

    return load_writers()


TWINS = ("lcbm-smol-a", "lcbm-smol-b")
"""Shipped checkpoints trained on disjoint halves of the data: what one gets wrong by chance, the other does not."""


def held_out_pair(
    simulator: str | Simulator, judge: str | Simulator | None
) -> tuple[str | Simulator, str | Simulator | None]:
    """Simulator and judge of a run. Who names neither gets the twins: one to optimise against, one to judge."""
    from lcbm_model.backbone import shipped_checkpoints

    if simulator == "embedded" and judge is None and set(TWINS) <= set(shipped_checkpoints()):
        return TWINS
    return simulator, judge
