"""Cartoon caption contest: crowd ratings of many captions for one cartoon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from lcbm_model.behavior import Observation
from lcbm_model.content import Content, Media
from lcbm_model.corpus.frame_reader import FrameReader, rank_within
from lcbm_model.corpus.frames import Check, Kind
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import shrink_ratings

_GRADES = ("unfunny", "somewhat_funny", "funny")


class CaptionContestReader(FrameReader):
    """Captions with votes in three grades (1, 2, 3), ranked inside their contest by the vote-shrunken mean.

    Votes were sampled adaptively, so good captions have many more; `weight` is the reliability of the mean.
    """

    name = "caption_contest"
    licence = "CC BY 4.0 (caption-contest-data; cartoons belong to their artists)"
    metrics = ("funniness",)
    columns: ClassVar[Mapping[str, Kind]] = {
        "contest": "int",
        "caption": "text",
        "unfunny": "int",
        "somewhat_funny": "int",
        "funny": "int",
        "votes": "int",
    }
    group = "contest"
    images_folder = "caption_contest_images"

    def checks(self) -> Sequence[Check]:
        """No words, no votes, or grades that do not add up."""
        graded = pl.sum_horizontal(*_GRADES)
        return (
            Check("caption", pl.col("caption").str.strip_chars() == "", "is empty", "Give the caption"),
            Check("votes", pl.col("votes") == 0, "is zero", "Drop captions without votes"),
            Check("votes", graded != pl.col("votes"), "is not the sum of the three grades", "Recount the votes"),
        )

    def measure(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Vote-shrunken means, ranked inside each contest."""
        votes = pl.col("votes")
        mean = (pl.col("unfunny") + 2 * pl.col("somewhat_funny") + 3 * pl.col("funny")) / votes
        square = (pl.col("unfunny") + 4 * pl.col("somewhat_funny") + 9 * pl.col("funny")) / votes
        frame = frame.with_columns(mean.alias("mean"), (square - mean**2).clip(0.0).alias("variance"))
        parts = []
        for _, part in frame.group_by("contest", maintain_order=True):
            numbers = (part[c].to_numpy().astype(np.float64) for c in ("mean", "variance", "votes"))
            shrunken, reliability = shrink_ratings(*numbers)
            parts.append(part.with_columns(pl.Series("shrunken", shrunken), pl.Series("reliability", reliability)))
        return rank_within(pl.concat(parts).sort("_row"), "shrunken", "contest", "percentile")

    def picture_name(self, row: Mapping[str, Any]) -> str:
        """The contest's cartoon."""
        return f"{row['contest']}.jpg"

    def record(self, row: Mapping[str, Any], media: tuple[Media, ...]) -> Record:
        """A caption as a record."""
        contest = f"{self.name}:{row['contest']}"
        seen = Observation(metric="funniness", value=row["mean"], exposure=row["votes"], percentile=row["percentile"])
        return Record(
            id=self.row_id(row),
            source=self.name,
            content=Content(text=row["caption"], channel="caption", media=media),
            observations=(seen,),
            context=contest,
            group=contest,
            split=row["split"],
            weight=row["reliability"],
        )
