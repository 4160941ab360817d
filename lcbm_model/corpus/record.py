"""One row of the Content Behavior Corpus: content together with what its receivers did."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lcbm_model.behavior import Observation
from lcbm_model.content import Content

Split = Literal["train", "validation", "test"]


class Record(BaseModel):
    """Content and its observed behaviour.

    Splits never cut through a `group`; percentiles are ranks inside `context`; pairs are only formed inside `arms`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    source: str = Field(description="The reader that made it: 'upworthy', 'facebook', 'table', ...")
    content: Content
    observations: tuple[Observation, ...] = ()
    context: str = Field(description="Context group of the percentiles: a page, a community, a contest, a channel.")
    group: str = Field(description="Never split: a story, a contest, a page.")
    arms: str | None = Field(default=None, description="Randomised comparison it was an arm of, where there was one.")
    split: Split = "train"
    labels: dict[str, str] = Field(default_factory=dict, description="Content-understanding labels: clickbait.")
    weight: float = Field(default=1.0, ge=0, description="Evidence behind the observations, relative to the source.")

    def observation(self, metric: str) -> Observation | None:
        """The observation of one metric, or None where it was not measured."""
        return next((o for o in self.observations if o.metric == metric), None)
