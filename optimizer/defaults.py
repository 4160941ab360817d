"""Who plays the audience and who judges where the caller names neither: the twin models."""

from __future__ import annotations

from lcbm_model.simulator.base import Simulator

TWINS = ("lcbm-smol-a", "lcbm-smol-b")
"""Shipped checkpoints trained on disjoint halves of the data: what one gets wrong by chance, the other does not."""


def held_out_pair(
    simulator: str | Simulator | None, judge: str | Simulator | None
) -> tuple[str | Simulator, str | Simulator | None]:
    """Simulator and judge of a run. Who names neither gets the twins: one to optimise against, one to judge."""
    from lcbm_model.backbone import shipped_checkpoints

    if simulator is None and judge is None and set(TWINS) <= set(shipped_checkpoints()):
        return TWINS
    return simulator or "embedded", judge
