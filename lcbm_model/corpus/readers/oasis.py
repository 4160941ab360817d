"""OASIS: photographs and how pleasant and exciting about a hundred raters found each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from lcbm_model.behavior import Observation
from lcbm_model.content import Content, Media
from lcbm_model.corpus.frame_reader import FrameReader
from lcbm_model.corpus.frames import Check, Kind
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import percentiles, shrink_ratings
from lcbm_model.errors import TableError

RATERS = 100.0
"""Raters behind each mean, about: the file does not say how many each picture had."""


class OasisReader(FrameReader):
    """Pictures without words. The picture's theme and category are labels, so no text gives the answer away."""

    name = "oasis"
    licence = "free for research use (OASIS)"
    metrics = ("valence", "arousal")
    columns: ClassVar[Mapping[str, Kind]] = {
        "Theme": "text",
        "Category": "text",
        "Valence_mean": "float",
        "Valence_SD": "float",
        "Arousal_mean": "float",
        "Arousal_SD": "float",
    }
    optional = ("Category",)
    images_folder = "oasis_images"

    def read(self, path: Path | str, *, images: Path | str | None = None) -> Iterator[Record]:
        """As every reader; the folder of pictures is needed, since there is nothing else to these records.

        Raises:
            TableError: The file cannot serve, or no folder of pictures is given.
        """
        if images is None:
            raise TableError(Path(path).name, "needs its pictures", remedy="Give their folder with --images")
        return super().read(path, images=images)

    def checks(self) -> Sequence[Check]:
        """Ratings outside 1..7, or a picture twice."""
        outside = [
            Check(c, pl.col(c).is_between(1, 7).not_(), "lies outside 1..7", "Give the mean of ratings 1..7")
            for c in ("Valence_mean", "Arousal_mean")
        ]
        twice = Check("Theme", pl.col("Theme").is_first_distinct().not_(), "is there twice", "Keep one row a picture")
        return (*outside, twice)

    def measure(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Shrunken means ranked over all pictures."""
        reliabilities = []
        for metric in self.metrics:
            mean, deviation = (frame[f"{metric.capitalize()}_{c}"].to_numpy() for c in ("mean", "SD"))
            shrunken, reliability = shrink_ratings(mean, deviation**2, np.full(len(mean), RATERS))
            frame = frame.with_columns(pl.Series(f"rank_{metric}", percentiles(shrunken)))
            reliabilities.append(reliability)
        return frame.with_columns(pl.Series("reliability", np.mean(reliabilities, axis=0)))

    def picture_name(self, row: Mapping[str, Any]) -> str:
        """The theme's photograph."""
        return f"{row['Theme'].strip()}.jpg"

    def record(self, row: Mapping[str, Any], media: tuple[Media, ...]) -> Record | None:
        """A picture as a record; none where the picture is missing."""
        if not media:
            return None
        return Record(
            id=f"{self.name}-{row['Theme'].strip()}",
            source=self.name,
            content=Content(text="", channel="picture", media=media),
            observations=tuple(
                Observation(
                    metric=metric,
                    value=row[f"{metric.capitalize()}_mean"],
                    exposure=RATERS,
                    percentile=row[f"rank_{metric}"],
                )
                for metric in self.metrics
            ),
            context=self.name,
            group=f"{self.name}:{row['Theme']}",
            split=row["split"],
            labels={"theme": row["Theme"]} | ({"category": row["Category"]} if row["Category"] else {}),
            weight=row["reliability"],
        )
