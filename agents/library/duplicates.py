"""Posts that say the same as another. Of each, the better measured one is kept.

Only posts of one channel, audience and picture are compared: the same subject line sent to two lists is two lessons.
Near repeats are found by MinHash and judged by letters (`lcbm_model.corpus.near_duplicates`), so a variant of an
A/B test may count as one: they are looked for only where asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from lcbm_model.corpus import near_duplicates
from lcbm_model.errors import SettingsError

Dedupe = Literal["no", "exact", "near"]
_GROUP = ("channel", "audience", "image")


def check_dedupe(dedupe: str) -> None:
    """Raises SettingsError: no such way."""
    if dedupe not in get_args(Dedupe):
        raise SettingsError("dedupe", "unknown", value=dedupe, remedy=f"Use one of: {', '.join(get_args(Dedupe))}")


def repeats(frame: pl.DataFrame, metric: str, dedupe: Dedupe) -> dict[int, tuple[int, float]]:
    """Rows that repeat another: row to the row that is kept instead and their likeness (90..100).

    Args:
        frame: Posts with text, channel, audience, image, exposure, date, `value.*` and `exposure.*`.
        metric: The main one: a post measured in it, by more people, is the better measured.
    """
    if dedupe == "no" or frame.height < 2:
        return {}
    quality = quality_of(frame, metric)
    groups = frame.select(pl.struct(_GROUP).rank("dense").alias("group"))["group"]
    spoken = frame["text"].str.normalize("NFKC").str.replace_all(r"\s+", " ")
    gone = {row: (kept, 100.0) for row, kept in _equal(spoken, groups, quality, set())}
    if dedupe == "near":
        words = near_duplicates.normalize(frame["text"])
        gone |= {row: (kept, 100.0) for row, kept in _equal(words, groups, quality, set(gone)) if words[row]}
        gone |= _near(words, groups, quality, set(gone))
    return gone


def quality_of(frame: pl.DataFrame, metric: str) -> npt.NDArray[np.int64]:
    """(N,) place of each row, 0 the best measured; equally good ones in file order."""
    figures = [c for c in frame.columns if c.startswith("value.")]
    keys = frame.select(
        measured=pl.col(f"value.{metric}").is_not_null(),
        people=pl.coalesce(f"exposure.{metric}", "exposure").fill_null(-1.0),
        figures=pl.sum_horizontal(pl.col(c).is_not_null() for c in figures),
        date="date",
    ).with_row_index("row")
    order = keys.sort("measured", "people", "figures", "date", descending=True, nulls_last=True, maintain_order=True)
    place = np.empty(frame.height, dtype=np.int64)
    place[order["row"].to_numpy()] = np.arange(frame.height)
    return place


def _equal(
    texts: pl.Series, groups: pl.Series, quality: npt.NDArray[np.int64], gone: set[int]
) -> Iterator[tuple[int, int]]:
    """Rows with equal texts in one group, and the best of them."""
    same = (
        pl.DataFrame({"text": texts, "group": groups})
        .with_row_index("row")
        .filter(~pl.col("row").is_in(list(gone)))
        .group_by("text", "group", maintain_order=True)
        .agg("row")
        .filter(pl.col("row").list.len() > 1)
    )
    for rows in same["row"].to_list():
        best = min(rows, key=lambda row: quality[row])
        yield from ((row, best) for row in rows if row != best)


def _near(
    words: pl.Series, groups: pl.Series, quality: npt.NDArray[np.int64], gone: set[int]
) -> dict[int, tuple[int, float]]:
    """Rows with nearly equal texts in one group. Best first: a row falls only to one that stays itself."""
    left = pl.DataFrame({"text": words, "group": groups}).with_row_index("row").filter(pl.col("text") != "")
    rows: dict[str, list[int]] = {}
    for row, text in left.select("row", "text").iter_rows():
        if row not in gone:
            rows.setdefault(text, []).append(row)
    distinct = list(rows)
    found = near_duplicates.near_pairs(pl.Series(distinct, dtype=pl.String), np.ones(len(distinct), dtype=np.bool_))
    near: dict[int, dict[int, float]] = {}
    for one, other, likeness in found.iter_rows():
        for a in rows[distinct[one]]:
            for b in rows[distinct[other]]:
                if groups[a] == groups[b]:
                    near.setdefault(a, {})[b] = near.setdefault(b, {})[a] = likeness
    fallen: dict[int, tuple[int, float]] = {}
    for row in sorted(near, key=lambda row: quality[row]):
        if row not in fallen:
            fallen |= {
                b: (row, likeness) for b, likeness in near[row].items() if b not in fallen and quality[b] > quality[row]
            }
    return fallen
