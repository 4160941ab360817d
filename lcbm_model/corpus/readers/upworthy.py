"""Upworthy Research Archive: randomised headline tests, so differences between arms are causal."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

import numpy as np
import polars as pl

from lcbm_model.behavior import Observation
from lcbm_model.content import Communicator, Content, Media
from lcbm_model.corpus.frame_reader import FrameReader
from lcbm_model.corpus.frames import Check, Kind
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import fit_beta_prior, percentiles, shrink_rates

LEDE_CHARACTERS = 300


class UpworthyReader(FrameReader):
    """Arms of A/B tests.

    The percentile ranks an arm's lift across the whole source: its shrunken click rate over the pooled rate of the
    arms it was randomised against with the same picture (of its whole test where its picture has one arm). Tests
    have four or so arms and levels that differ by an order of magnitude, so neither ranks inside a test nor raw
    rates could be compared; the lift is what the words did.

    Arms at risk of imbalanced randomisation keep their raw counts and words, but have no percentile and no `arms`,
    so nothing can take them for truth; the label `randomization_imbalance_risk` says "yes".
    """

    name = "upworthy"
    licence = "CC BY 4.0 (Upworthy Research Archive)"
    metrics = ("click_rate",)
    columns: ClassVar[Mapping[str, Kind]] = {
        "clickability_test_id": "text",
        "story_id": "int",
        "eyecatcher_id": "text",
        "headline": "text",
        "impressions": "int",
        "clicks": "int",
        "test_week": "int",
        "lede": "text",
        "randomization_imbalance_risk": "bool",
    }
    optional = ("eyecatcher_id", "test_week", "lede", "randomization_imbalance_risk")
    group = "story_id"

    def checks(self) -> Sequence[Check]:
        """Nothing shown, more clicks than impressions, or no words."""
        return (
            Check("headline", pl.col("headline").str.strip_chars() == "", "is empty", "Give the headline"),
            Check("clickability_test_id", pl.col("clickability_test_id") == "", "is empty", "Name the test"),
            Check("impressions", pl.col("impressions") == 0, "is zero", "Drop arms that nobody saw"),
            Check(
                "clicks",
                pl.col("clicks") > pl.col("impressions"),
                "is above impressions",
                "Clicks cannot outnumber impressions: check the two columns",
            ),
        )

    def measure(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Lift over the arms of the same picture, shrunk, ranked over the source."""
        frame = frame.with_columns(
            pl.col("randomization_imbalance_risk").fill_null(False),
            pl.concat_str("clickability_test_id", pl.lit("/"), pl.col("eyecatcher_id").fill_null("?")).alias("arms"),
        )
        test = ("clickability_test_id", "randomization_imbalance_risk")
        rate = pl.col("clicks").sum() / pl.col("impressions").sum()
        alone = pl.len().over("arms", test[1]) == 1
        frame = frame.with_columns(
            pl.when(alone).then(rate.over(test)).otherwise(rate.over("arms", test[1])).alias("base")
        )
        sound = ~frame["randomization_imbalance_risk"].to_numpy()
        rank, reliability = np.full(frame.height, np.nan), np.full(frame.height, 0.0)
        if sound.any():
            used = frame.filter(pl.Series(sound))
            clicks, shown = (used[c].to_numpy().astype(np.float64) for c in ("clicks", "impressions"))
            overall = fit_beta_prior(clicks, shown)
            # A test in which nobody clicked has no level of its own: hold it a little towards the source's.
            base = np.maximum(used["base"].to_numpy(), overall.mean / 100)
            prior = fit_beta_prior(clicks, shown, base)
            rates, reliability[sound] = shrink_rates(clicks, shown, prior, base)
            rank[sound] = percentiles(np.log(rates / base))
        return frame.with_columns(pl.Series("percentile", rank), pl.Series("reliability", reliability))

    def record(self, row: Mapping[str, Any], media: tuple[Media, ...]) -> Record:
        """An arm as a record."""
        risk = row["randomization_imbalance_risk"]
        lede = plain(row["lede"] or "")
        seen = Observation(
            metric="click_rate",
            value=row["clicks"] / row["impressions"],
            count=row["clicks"],
            exposure=row["impressions"],
            percentile=None if risk else row["percentile"],
        )
        return Record(
            id=self.row_id(row),
            source=self.name,
            content=Content(
                text=row["headline"],
                channel="headline",
                communicator=Communicator(name="Upworthy"),
                date=_week(row["test_week"]),
            ),
            observations=(seen,),
            context=self.name,
            group=f"{self.name}:{row['story_id']}",
            arms=None if risk else row["arms"],
            split=row["split"],
            labels={"randomization_imbalance_risk": "yes" if risk else "no"} | ({"lede": lede} if lede else {}),
            weight=row["reliability"],
        )


def plain(text: str) -> str:
    """Words of an HTML fragment, on one line, cut at a word near 300 characters."""
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
    return words if len(words) <= LEDE_CHARACTERS else words[:LEDE_CHARACTERS].rsplit(" ", 1)[0]


def _week(week: int | None) -> date | None:
    """Monday of a week written as year and week, 201434."""
    try:
        return date.fromisocalendar(week // 100, week % 100, 1) if week else None
    except ValueError:
        return None
