"""The offline writer: the packaged language model, asked in several ways, oversampled and filtered.

A small model fails often; its failures are dropped and counted, and where little is left little is returned.
"""

from __future__ import annotations

from agents.writers.base import WritingTask
from agents.writers.embedded_prompts import Ask, asks
from agents.writers.sampled import SampledWriter


class EmbeddedWriter(SampledWriter):
    """Writes with the packaged model (or any backbone), offline and deterministic for a seed. One batch a call."""

    name = "embedded"

    def ways(self, task: WritingTask, seed: int) -> list[Ask]:
        """Few ways with many rows each: rows of one batch cost little beside its steps. Other ways in other rounds."""
        made = asks(task)
        rest = made[2:]
        return made[:2] + [rest[(3 * seed + i) % len(rest)] for i in range(min(3, len(rest)))]
