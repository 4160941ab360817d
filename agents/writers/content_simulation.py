"""Content simulation by the large content and behavior model itself: asked as it was trained to write.

Two of its training tasks are writing ones: write the text that lands at a stated decile, and rewrite the weaker arm of
a test into the stronger. The embedded `lcbm-smol` was tuned on them, but is small: what is no use is dropped. A
checkpoint that was not answers these prompts too, worse.
"""

from __future__ import annotations

from agents.writers.base import WritingTask
from agents.writers.embedded_prompts import Ask
from agents.writers.sampled import SampledWriter
from lcbm_model.metrics import get_metric
from lcbm_model.simulator.base import Context, Known
from lcbm_model.verbalize import content_prompt, rewrite_prompt

HIGH = 95.0
"""Percentile that is asked for: the top decile, as the digit 9."""
EXAMPLES = 4
"""Past posts with their results that stand in a prompt."""


class ContentSimulationWriter(SampledWriter):
    """Writes with the model's own content simulation. Arguments as for `SampledWriter`."""

    name = "lcbm"

    def ways(self, task: WritingTask, seed: int) -> list[Ask]:
        """High percentile, with and without past posts; the draft and the best so far, rewritten stronger."""
        metric, content = get_metric(task.metric), task.content
        known = [Known(text=e.text, percentile=e.percentile) for e in task.examples if e.percentile is not None]
        evidence = Context(examples=tuple(known[:EXAMPLES]))
        # The message takes the place of the topic: the trained prompts have no other slot for what is to be said.
        about = content.model_copy(update={"topic": content.topic or " ".join(task.message.split())[:600]})
        made = [Ask("percentile", content_prompt(about, metric, HIGH))]
        if known:
            made.append(Ask("percentile-known", content_prompt(about, metric, HIGH, evidence)))
        weaker = dict.fromkeys(t for t in (content.text, *task.best_so_far[:2]) if t.strip())
        for text in weaker:
            prompt = rewrite_prompt(about.with_text(text), metric, evidence)
            made.append(Ask("stronger", prompt, parent=text))
        return made
