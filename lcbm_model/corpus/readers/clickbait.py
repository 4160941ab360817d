"""Clickbait headlines: a content-understanding label, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import polars as pl

from lcbm_model.content import Content, Media
from lcbm_model.corpus.frame_reader import FrameReader
from lcbm_model.corpus.frames import Check, Kind
from lcbm_model.corpus.record import Record


class ClickbaitReader(FrameReader):
    """Headlines labelled `clickbait` "yes" or "no"."""

    name = "clickbait"
    licence = "MIT"
    columns: ClassVar[Mapping[str, Kind]] = {"headline": "text", "clickbait": "int"}

    def checks(self) -> Sequence[Check]:
        """No words, or a label that is neither 0 nor 1."""
        return (
            Check("headline", pl.col("headline").str.strip_chars() == "", "is empty", "Give the headline"),
            Check("clickbait", pl.col("clickbait") > 1, "is neither 0 nor 1", "Write 1 for clickbait, else 0"),
        )

    def measure(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Nothing was measured."""
        return frame

    def record(self, row: Mapping[str, Any], media: tuple[Media, ...]) -> Record:
        """A headline as a record."""
        return Record(
            id=self.row_id(row),
            source=self.name,
            content=Content(text=row["headline"], channel="headline"),
            context=self.name,
            group=self.row_id(row),
            split=row["split"],
            labels={"clickbait": "yes" if row["clickbait"] else "no"},
        )
