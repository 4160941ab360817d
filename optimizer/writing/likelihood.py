"""Whether the writing model expects what won: held-out winners and losers as answers to its own writing prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from agents.writers.content_simulation import ContentSimulationWriter
from lcbm_model.evaluation.answers import Progress
from lcbm_model.evaluation.bootstrap import Floats, OfSums, Statistic, divide, mean_of_groups
from lcbm_model.tasks.families.content_simulation import one_line
from lcbm_model.verbalize import Prompt
from optimizer.writing.drafts import Drafted

if TYPE_CHECKING:
    from lcbm_model.backbone import Backbone

KEYS = ("perplexity_winners", "perplexity_losers", "nll_gap")
"""Perplexity: exp of the mean negative log-likelihood of a token, each text counting once; 1 or more, lower is
likelier. Gap: that of the winner less that of the loser of the same story, in nats a token; below 0 the model finds
winners likelier."""


def likelihoods(backbone: Backbone, stories: Sequence[Drafted], progress: Progress | None = None) -> Floats:
    """(S, 2) mean negative log-likelihood of a token, in nats, of each story's best and weakest arm.

    Both are answers to the writer's own prompt for the top decile, in which neither stands. NaN where prompt and text
    are too long for the model.
    """
    found = np.full((len(stories), 2), np.nan)
    for number, story in enumerate(stories):
        prompt = asked(story)
        for side, text in enumerate((story.best, story.draft.text)):
            found[number, side] = _nll(backbone, prompt, text)
        if progress is not None:
            progress(f"{backbone.name}, likelihoods", number + 1, len(stories))
    return found


def asked(story: Drafted) -> Prompt:
    """What content simulation is asked for the top decile. Without a lede nothing is said of the story: no draft."""
    ways = ContentSimulationWriter().ways(story.task.model_copy(update={"message": ""}), 0)
    prompt = next(ask.prompt for ask in ways if ask.strategy == "percentile")
    assert isinstance(prompt, Prompt)
    return prompt


def expected_winners(found: Floats) -> dict[str, Statistic]:
    """Figures of one model from its (S, 2) likelihoods; a story counts where both are known."""
    known = found[np.isfinite(found).all(axis=1)]  # (K, 2)
    one = np.ones(len(known))
    return {
        "perplexity_winners": OfSums(np.column_stack([known[:, 0], one]), _perplexity),
        "perplexity_losers": OfSums(np.column_stack([known[:, 1], one]), _perplexity),
        "nll_gap": mean_of_groups(known[:, 0] - known[:, 1]),
    }


def _perplexity(sums: Floats) -> Floats:
    return np.asarray(np.exp(divide(sums)))


def _nll(backbone: Backbone, prompt: Prompt, text: str) -> float:
    from lcbm_model.generation import perplexity

    try:
        return math.log(perplexity(backbone, prompt, one_line(text)))
    except ValueError:
        return math.nan
