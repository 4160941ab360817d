"""What a library holds and what a search returns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date as Date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Post(BaseModel):
    """One past post of the team with its results."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    text: str = Field(min_length=1)
    channel: str = "post"
    date: Date | None = None
    hour: int | None = Field(default=None, ge=0, le=23, description="Of the day, in the writer's own time zone.")
    image: Path | None = None
    audience: str | None = None
    format: str | None = Field(default=None, description="Kind of post, as `lcbm_model.content.FORMATS` spells it.")
    values: dict[str, float] = Field(default_factory=dict, description="Metric name to raw value.")
    exposure: float | None = Field(default=None, ge=0, description="Impressions, views or sends behind the values.")
    percentiles: dict[str, float] = Field(default_factory=dict, description="Metric to rank 0..100 inside channel.")

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Post:
        """A row of a library's frame: fields by their names, figures as `value.NAME` and `percentile.NAME`."""

        def figures(prefix: str) -> dict[str, float]:
            return {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix) and v is not None}

        return cls(
            id=row["id"],
            text=row["text"],
            channel=row["channel"],
            date=row["date"],
            hour=row.get("hour"),
            image=Path(row["image"]) if row["image"] else None,
            audience=row["audience"],
            format=row.get("format"),
            values=figures("value."),
            exposure=row["exposure"],
            percentiles=figures("percentile."),
        )


class Hit(BaseModel):
    """A post found by a search, with why it is shown: similarity and result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    post: Post
    similarity: float = Field(ge=-1.0001, le=1.0001, description="Cosine of the embeddings.")
    metric: str
    value: float | None = Field(description="Raw value of `metric`; None where this post has none.")
    percentile: float | None = Field(default=None, ge=0, le=100)


class RejectedRow(BaseModel):
    """A row of the source file that could not be used, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: int = Field(description="1-based row of data, the header not counted.")
    column: str
    value: str
    problem: str
