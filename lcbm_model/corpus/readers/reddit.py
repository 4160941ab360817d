"""Reddit link titles: one community's votes on what it was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import polars as pl

from lcbm_model.behavior import Observation
from lcbm_model.content import Content, Media
from lcbm_model.corpus.frame_reader import FrameReader, rank_within
from lcbm_model.corpus.frames import Check, Kind
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import COUNT_RELIABILITY

_COUNTS = {"score": "score", "comments": "num_comments"}


class RedditReader(FrameReader):
    """Titles ranked inside their community, which is told as the topic. Votes are fuzzed by the site itself."""

    name = "reddit"
    licence = "PDDL"
    metrics = tuple(_COUNTS)
    columns: ClassVar[Mapping[str, Kind]] = {
        "subreddit": "text",
        "title": "text",
        "score": "int",
        "num_comments": "int",
        "created_utc": "float",
        "domain": "text",
    }
    optional = ("created_utc", "domain")
    signed = ("score",)
    group = "subreddit"

    def checks(self) -> Sequence[Check]:
        """No community or no words."""
        return (
            Check("subreddit", pl.col("subreddit").str.strip_chars() == "", "is empty", "Name the community"),
            Check("title", pl.col("title").str.strip_chars() == "", "is empty", "Give the title"),
        )

    def measure(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Ranks inside the community for each count."""
        for metric, column in _COUNTS.items():
            frame = rank_within(frame, column, "subreddit", f"rank_{metric}")
        return frame

    def record(self, row: Mapping[str, Any], media: tuple[Media, ...]) -> Record:
        """A title as a record."""
        community = f"{self.name}:{row['subreddit']}"
        created = row["created_utc"]
        return Record(
            id=self.row_id(row),
            source=self.name,
            content=Content(
                text=row["title"],
                channel="title",
                topic=row["subreddit"],
                date=datetime.fromtimestamp(created, UTC).date() if created and created < 1e11 else None,
            ),
            observations=tuple(
                Observation(
                    metric=metric,
                    value=row[column],
                    count=row[column] if row[column] >= 0 else None,
                    percentile=row[f"rank_{metric}"],
                )
                for metric, column in _COUNTS.items()
            ),
            context=community,
            group=community,
            split=row["split"],
            labels={"domain": row["domain"]} if row["domain"] else {},
            weight=COUNT_RELIABILITY,
        )
