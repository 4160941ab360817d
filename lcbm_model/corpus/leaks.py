"""Leaks across splits: a group in two of them, or the same words or picture on both sides."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lcbm_model.corpus.near_duplicates import near_pairs, normalize

MIN_WORDS, MIN_CHARACTERS = 5, 20
"""Shorter texts ("Not tonight, dear.") are said by many people on many days: that they recur is no leak."""

KINDS = ("group", "exact", "near", "picture")
_ORDER = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True)
class Leak:
    """One record that another split gives away, and a witness there."""

    kind: str
    source: str
    id: str
    split: str
    other_id: str
    other_split: str
    likeness: float


@dataclass
class LeakReport:
    """What was found. `counts` holds records by kind; `short` are recurring short texts, told and tolerated."""

    counts: Counter[str] = field(default_factory=Counter)
    short: int = 0
    leaks: list[Leak] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether no kind of leak was found."""
        return not any(self.counts.values())

    def dropped(self, source: str) -> dict[str, str]:
        """Identifiers of a source's records that give another away, each with the kind that was told first."""
        return {leak.id: leak.kind for leak in reversed(self.leaks) if leak.source == source}

    def to_dict(self, examples: int = 10) -> dict[str, Any]:
        """For JSON: counts of every kind and the first leaks of each."""
        shown = [leak for kind in KINDS for leak in [x for x in self.leaks if x.kind == kind][:examples]]
        return {
            "clean": self.clean,
            "counts": {kind: self.counts[kind] for kind in KINDS},
            "short_texts_tolerated": self.short,
            "examples": [vars(leak) for leak in shown],
        }


def find_leaks(rows: pl.DataFrame) -> LeakReport:
    """Look for records that give a held-out record away.

    A leak is told for the record of the lower split (train before validation before test): that is the one to drop.

    Args:
        rows: One row a record: `id`, `source`, `group`, `split`, `text`, and `picture` (hash, or null).
    """
    report = LeakReport()
    _groups(rows, report)
    _same(rows.filter(pl.col("picture").is_not_null()), "picture", "picture", report)
    rows = rows.with_columns(normalize(rows["text"]).alias("key")).filter(pl.col("key") != "")
    short = (pl.col("key").str.count_matches(" ") + 1 < MIN_WORDS) | (pl.col("key").str.len_chars() < MIN_CHARACTERS)
    tolerated = LeakReport()
    _same(rows.filter(short), "key", "exact", tolerated)
    report.short = tolerated.counts["exact"]
    long = rows.filter(~short)
    _same(long, "key", "exact", report)
    _near(long, report)
    return report


def _groups(rows: pl.DataFrame, report: LeakReport) -> None:
    _same(rows, "group", "group", report)


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    order = pl.col("split").replace_strict(_ORDER, return_dtype=pl.Int8)
    return rows.with_columns(order.alias("order"))


def _same(rows: pl.DataFrame, column: str, kind: str, report: LeakReport) -> None:
    """Records that share a value with a record of a higher split."""
    ranked = _ranked(rows)
    top = (
        ranked.sort("order", descending=True, maintain_order=True)
        .group_by(column, maintain_order=True)
        .agg(pl.first("id").alias("other_id"), pl.first("split").alias("other_split"), pl.first("order").alias("top"))
    )
    bad = ranked.join(top, on=column).filter(pl.col("order") < pl.col("top"))
    _tell(bad.with_columns(likeness=pl.lit(100.0)), kind, report)


def _near(rows: pl.DataFrame, report: LeakReport) -> None:
    """Records whose words nearly equal those of a record of a higher split, exact ones left to their own kind."""
    ranked = _ranked(rows)
    # One row a distinct text: its lowest and its highest split, each with a record to name.
    texts = (
        ranked.sort("order", maintain_order=True)
        .group_by("key", maintain_order=True)
        .agg(
            pl.first("order").alias("low"),
            pl.last("order").alias("high"),
            pl.last("id").alias("other_id"),
            pl.last("split").alias("other_split"),
        )
    )
    if texts.height < 2:
        return
    pairs = near_pairs(texts["key"], (texts["high"] > 0).to_numpy())
    index = texts.with_row_index("row")
    both = pl.concat([pairs, pairs.select(left="right", right="left", likeness="likeness")])
    lower = index.select("row", "key", "low")
    higher = index.select("row", "high", "other_id", "other_split")
    hits = (
        both.join(lower, left_on="left", right_on="row")
        .join(higher, left_on="right", right_on="row")
        .filter(pl.col("low") < pl.col("high"))
        .sort("high", "likeness", descending=True)
        .unique("key", keep="first", maintain_order=True)
    )
    bad = ranked.join(
        hits.select("key", "high", "other_id", "other_split", "likeness"), on="key", maintain_order="left"
    )
    told = [(leak.source, leak.id) for leak in report.leaks if leak.kind == "exact"]
    exact = pl.DataFrame(told, schema={"source": pl.String, "id": pl.String}, orient="row")
    near = bad.filter(pl.col("order") < pl.col("high"))
    _tell(near.join(exact, on=["source", "id"], how="anti", maintain_order="left"), "near", report)


def _tell(bad: pl.DataFrame, kind: str, report: LeakReport) -> None:
    report.counts[kind] += bad.height
    columns = ("source", "id", "split", "other_id", "other_split", "likeness")
    report.leaks += [Leak(kind, *row) for row in bad.select(columns).iter_rows()]
