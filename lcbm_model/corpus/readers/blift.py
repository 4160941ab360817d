"""BLIFT of the Behavior-LLaVA paper: media posts of communities with their comments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lcbm_model.behavior import Observation
from lcbm_model.content import Content
from lcbm_model.corpus.base import Problem, Problems
from lcbm_model.corpus.frame_reader import split_of
from lcbm_model.corpus.frames import SPLITS
from lcbm_model.corpus.nested_rows import check_columns, dig, listed, number, rows_of, words
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import COUNT_RELIABILITY, percentiles
from lcbm_model.errors import TableError

TOP = 5
"""Comments kept as labels `comment_1` .. `comment_5`: what the paper asks the model to foretell."""


class BliftReader:
    """Titles of picture and video posts, ranked inside their community by the number of comments.

    The media behind `url` are not fetched; the link is kept as a label, the top comments as labels too.
    """

    name = "blift"
    licence = "as published by its authors (BLIFT); the posts belong to their writers"
    metrics = ("comments",)

    def __init__(self) -> None:
        self.problems = Problems()

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that every row has."""
        return ("permalink", "comments", "num_comments", "subreddit", "title")

    def read(self, path: Path | str, *, images: Path | str | None = None) -> Iterator[Record]:
        """Read posts from Parquet, JSONL or a saved `datasets` folder, in two passes (see `Reader.read`).

        Raises:
            TableError: The file cannot serve.
        """
        path, self.problems = Path(path), Problems()
        return self._records(path, self._measure(path))

    def _measure(self, path: Path) -> dict[int, float | None]:
        """Row number to percentile inside its community; None where all its posts have as many comments."""
        counts: dict[str, list[tuple[int, float]]] = {}
        seen: set[str] = set()
        splits: dict[str, str] = {}
        for n, row in enumerate(rows_of(path), start=1):
            if n == 1:
                check_columns(row, self.required, path)
            count, link = number(row.get("num_comments")), words(row.get("permalink"))
            community = words(row.get("subreddit"))
            faults = (
                ("title", words(row.get("title")) is None, "is empty", "Give the title"),
                ("subreddit", community is None, "is empty", "Name the community"),
                ("num_comments", count is None or count < 0, "is no count", "Give zero or more"),
                ("permalink", link is None or link in seen, "is missing or there twice", "Keep one row a post"),
            )
            column, _, problem, remedy = next((f for f in faults if f[1]), ("", False, "", ""))
            if column:
                self.problems.add(Problem(path.name, column, n, row.get(column), problem, remedy))
                continue
            split = row.get("split") or split_of(str(community))
            if split not in SPLITS or splits.setdefault(str(community), split) != split:
                what = f"subreddit {community!r} lies in {splits.get(str(community))} and {split}"
                where = f"{path.name}: row {n}, column 'split'"
                raise TableError(where, what, remedy="Split by subreddit, or leave the column out to have it made")
            seen.add(str(link))
            counts.setdefault(str(community), []).append((n, float(count or 0.0)))
        if not counts:
            first = f": first, {self.problems[0]}" if self.problems else ""
            raise TableError(f"{path.name}: rows", f"no usable row{first}", remedy="Mend the rows named")
        ranks: dict[int, float | None] = {}
        for members in counts.values():
            numbers, values = [n for n, _ in members], np.array([count for _, count in members])
            apart = np.ptp(values) > 0
            ranks |= zip(numbers, percentiles(values).tolist() if apart else [None] * len(numbers), strict=True)
        return ranks

    def _records(self, path: Path, ranks: dict[int, float | None]) -> Iterator[Record]:
        for n, row in enumerate(rows_of(path), start=1):
            if n not in ranks:
                continue
            community, count = str(words(row["subreddit"])), float(number(row["num_comments"]) or 0.0)
            said = [c if isinstance(c, str) else words(dig(c, "body")) for c in listed(row["comments"])]
            comments = [w for w in (words(c) for c in said) if w][:TOP]
            labels = {f"comment_{i}": c for i, c in enumerate(comments, start=1)}
            link = words(row.get("url"))
            yield Record(
                id=f"{self.name}-{words(row['permalink'])}",
                source=self.name,
                content=Content(text=str(words(row["title"])), channel="title", topic=community),
                observations=(Observation(metric="comments", value=count, count=count, percentile=ranks[n]),),
                context=f"{self.name}:{community}",
                group=f"{self.name}:{community}",
                split=row.get("split") or split_of(community),
                labels=labels | ({"url": link} if link else {}),
                weight=COUNT_RELIABILITY,
            )
