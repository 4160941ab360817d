"""Which weights a simulator scores with, whatever it is wrapped in: who is optimised against must not judge."""

from __future__ import annotations

from lcbm_model.simulator.base import Simulator


def weights_of(simulator: Simulator) -> frozenset[str]:
    """Hashes of all checkpoints that take part in its scores: its own, or those of its members."""
    inner = getattr(simulator, "inner", None)
    if inner is not None:  # a cache, a queue, a library of known results around it
        return weights_of(inner)
    members = getattr(simulator, "members", ())
    if members:
        return frozenset().union(*map(weights_of, members))
    return frozenset({simulator.identity.checkpoint_hash})
