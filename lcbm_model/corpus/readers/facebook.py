"""Facebook page posts: who speaks, what, and how often it was reacted to, shared and commented on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import polars as pl

from lcbm_model.behavior import Observation
from lcbm_model.content import Communicator, Content, Media
from lcbm_model.corpus.frame_reader import FrameReader, rank_within
from lcbm_model.corpus.frames import Check, Kind
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import COUNT_RELIABILITY

_COUNTS = {"shares": "num_shares", "reactions": "num_reactions", "comments": "num_comments"}


class FacebookReader(FrameReader):
    """Posts ranked inside their page, since pages differ in reach by orders of magnitude."""

    name = "facebook"
    licence = "MIT"
    metrics = tuple(_COUNTS)
    columns: ClassVar[Mapping[str, Kind]] = {
        "page": "text",
        "status_message": "text",
        "link_name": "text",
        "status_type": "text",
        "status_published": "text",
        "num_reactions": "int",
        "num_comments": "int",
        "num_shares": "int",
    }
    optional = ("link_name", "status_type", "status_published")
    group = "page"

    def checks(self) -> Sequence[Check]:
        """No page, or neither message nor link title."""
        message, link = pl.col("status_message").str.strip_chars(), pl.col("link_name").fill_null("").str.strip_chars()
        return (
            Check("page", pl.col("page").str.strip_chars() == "", "is empty", "Name the page"),
            Check("status_message", (message == "") & (link == ""), "says nothing", "Drop posts without any words"),
        )

    def measure(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Ranks inside the page for each count."""
        for metric, column in _COUNTS.items():
            frame = rank_within(frame, column, "page", f"rank_{metric}")
        return frame

    def record(self, row: Mapping[str, Any], media: tuple[Media, ...]) -> Record:
        """A post as a record."""
        page, message, link = row["page"], row["status_message"].strip(), (row["link_name"] or "").strip()
        when = _moment(row["status_published"])
        return Record(
            id=self.row_id(row),
            source=self.name,
            content=Content(
                text=message,
                channel="post",
                title=link if link and link != message else None,
                format=row["status_type"] or None,
                communicator=Communicator(name=page),
                date=when.date() if when else None,
            ),
            observations=tuple(
                Observation(metric=metric, value=row[column], count=row[column], percentile=row[f"rank_{metric}"])
                for metric, column in _COUNTS.items()
            ),
            context=f"{self.name}:{page}",
            group=f"{self.name}:{page}",
            split=row["split"],
            labels={"type": row["status_type"]} if row["status_type"] else {},
            weight=COUNT_RELIABILITY,
        )


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
