"""The Content Behavior Corpus of the LCBM paper: brand videos with scenes, likes, views and replay graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lcbm_model.behavior import Observation
from lcbm_model.content import Communicator, Content, Scene
from lcbm_model.corpus.base import Problem, Problems
from lcbm_model.corpus.frame_reader import split_of
from lcbm_model.corpus.frames import SPLITS
from lcbm_model.corpus.nested_rows import check_columns, dig, listed, number, rows_of, words
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.shrinkage import fit_beta_prior, percentiles, shrink_rates
from lcbm_model.errors import TableError

SHORTEST = 1.0
"""Seconds: adjacent replay slices are merged until a scene is longer, keeping the most replayed slice's value."""
MOST_SUBSCRIBERS = 1e12
"""No channel has as many."""


class ContentBehaviorReader:
    """Videos with `like_rate` (likes per view), `views`, and one `replay` observation a scene, in scene order.

    Scenes are the replay graph's slices, merged as in the paper. Speech, on-screen text and captions are laid beside
    the slices where their lists have the same length; where they do not, nothing is guessed: captions then make the
    scenes, without times. Likes are ranked by the shrunken rate over all videos; the channel is the group.
    """

    name = "content_behavior"
    licence = "MIT (Content Behavior Corpus)"
    metrics = ("like_rate", "views", "replay")

    def __init__(self) -> None:
        self.problems = Problems()

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that every row has."""
        return ("video_id", "likes", "views", "metadata", "channel_data")

    def read(self, path: Path | str, *, images: Path | str | None = None) -> Iterator[Record]:
        """Read videos from Parquet, JSONL or a saved `datasets` folder, in two passes (see `Reader.read`).

        Raises:
            TableError: The file cannot serve.
        """
        path, self.problems = Path(path), Problems()
        table = self._measure(path)
        return self._records(path, table)

    def _measure(self, path: Path) -> dict[int, tuple[float, float, float, float]]:
        """Row number to (likes, likes rank, reliability, views rank); rows that cannot be used are left out."""
        rows: list[int] = []
        likes: list[float] = []
        views: list[float] = []
        seen: set[Any] = set()
        splits: dict[str, str] = {}
        for n, row in enumerate(rows_of(path), start=1):
            if n == 1:
                check_columns(row, self.required, path)
            liked, viewed, name = number(row.get("likes")), number(row.get("views")), words(row.get("video_id"))
            fault = _fault(name, liked, viewed, seen)
            if fault:
                column, problem, remedy = fault
                self.problems.add(Problem(path.name, column, n, row.get(column), problem, remedy))
                continue
            seen.add(name)
            group = _channel(row)
            split = row.get("split") or split_of(group)
            if split not in SPLITS or splits.setdefault(group, split) != split:
                what = f"channel {group!r} lies in {splits.get(group)} and {split}"
                where = f"{path.name}: row {n}, column 'split'"
                raise TableError(where, what, remedy="Split by channel, or leave the column out to have it made")
            rows.append(n)
            likes.append(float(liked or 0.0))
            views.append(float(viewed or 0.0))
        if not rows:
            first = f": first, {self.problems[0]}" if self.problems else ""
            raise TableError(f"{path.name}: rows", f"no usable row{first}", remedy="Mend the rows named")
        counts, exposures = np.array(likes), np.array(views)
        rates, reliability = shrink_rates(counts, exposures, fit_beta_prior(counts, exposures))
        ranks, viewed_ranks = percentiles(rates), percentiles(exposures)
        return {n: (counts[i], ranks[i], reliability[i], viewed_ranks[i]) for i, n in enumerate(rows)}

    def _records(self, path: Path, table: Mapping[int, tuple[float, float, float, float]]) -> Iterator[Record]:
        for n, row in enumerate(rows_of(path), start=1):
            if n not in table:
                continue
            likes, rank, reliability, viewed_rank = table[n]
            views = float(number(row.get("views")) or 0.0)
            scenes, replay = scenes_of(row)
            group = _channel(row)
            rate = Observation(metric="like_rate", value=likes / views, count=likes, exposure=views, percentile=rank)
            watched = Observation(metric="views", value=views, count=views, percentile=viewed_rank)
            yield Record(
                id=f"{self.name}-{row['video_id']}",
                source=self.name,
                content=_content(row, scenes),
                observations=(rate, watched, *(Observation(metric="replay", value=v, percentile=v) for v in replay)),
                context=self.name,
                group=f"{self.name}:{group}",
                split=row.get("split") or split_of(group),
                weight=reliability,
            )


def _fault(name: str | None, likes: float | None, views: float | None, seen: set[Any]) -> tuple[str, str, str] | None:
    if name is None:
        return "video_id", "is missing", "Name the video"
    if name in seen:
        return "video_id", "is there twice", "Keep one row a video"
    if views is None or views <= 0:
        return "views", "is no count above zero", "Drop videos that nobody saw"
    if likes is None or likes < 0:
        return "likes", "is no count", "Give zero or more"
    if likes > views:
        return "likes", "is above views", "Likes cannot outnumber views: check the two columns"
    return None


def _channel(row: Mapping[str, Any]) -> str:
    names = (words(dig(row, "channel_data", k)) for k in ("channel_id", "company_name"))
    return next((n for n in names if n), str(row.get("video_id")))


def _content(row: Mapping[str, Any], scenes: tuple[Scene, ...]) -> Content:
    followers = number(dig(row, "channel_data", "subscribers"))
    known = followers is not None and 0 < followers < MOST_SUBSCRIBERS
    company = words(dig(row, "channel_data", "company_name"))
    speaker = Communicator(name=company, followers=int(followers or 0) if known else None)
    spoken = " ".join(
        filter(None, (words(dig(p, "text")) for p in listed(row.get("asr_raw")) if isinstance(p, Mapping)))
    )
    return Content(
        text=spoken,
        channel="video",
        title=words(dig(row, "metadata", "title")),
        topic=words(dig(row, "metadata", "description")),
        communicator=speaker if company or known else None,
        date=_date(words(dig(row, "metadata", "date"))),
        scenes=scenes,
    )


def _date(text: str | None) -> date | None:
    for form in ("%Y-%m-%d", "%Y%m%d", "%b %d, %Y"):
        try:
            return datetime.strptime((text or "")[:12].split("T")[0].strip(), form).date()
        except ValueError:
            continue
    return None


def scenes_of(row: Mapping[str, Any]) -> tuple[tuple[Scene, ...], list[float]]:
    """Scenes of a video and their replay values in percent (empty where no graph fits them)."""
    slots = {
        "speech": listed(row.get("asr_grouped")),
        "on_screen_text": listed(row.get("ocr")),
        "caption": listed(dig(row, "blip2_annotations", "captions")),
        "actions": listed(dig(row, "blip2_annotations", "actions")),
        "objects": listed(dig(row, "blip2_annotations", "objects")),
    }
    slices = [s for s in (_slice(m) for m in listed(dig(row, "replay_graphs", "markers"))) if s]
    merged = merge_slices(slices)
    lengths = [len(v) for v in slots.values() if v]
    graph = next((g for g in (merged, slices) if g and (not lengths or len(g) in lengths)), None)
    n = len(graph) if graph else max(lengths, default=0)
    fitting = {name: values for name, values in slots.items() if len(values) == n}
    scenes = tuple(_scene({k: v[i] for k, v in fitting.items()}, graph[i] if graph else None) for i in range(n))
    top = max((g[2] for g in graph), default=0.0) if graph else 0.0
    return scenes, [100.0 * g[2] / top for g in graph] if graph and top > 0 else []


def _slice(marker: Any) -> tuple[float, float, float] | None:
    start, end, score = (
        number(dig(marker, k)) if isinstance(marker, Mapping) else None for k in ("start", "end", "replay_score")
    )
    if start is None or end is None or score is None or start < 0 or end <= start or score < 0:
        return None
    return start, end, score


def merge_slices(slices: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Merge adjacent (start, end, value) until each is longer than a second; a merged one keeps the largest value."""
    merged: list[tuple[float, float, float]] = []
    for start, end, value in sorted(slices):
        if merged and merged[-1][1] - merged[-1][0] <= SHORTEST:
            first, _, most = merged[-1]
            merged[-1] = (first, end, max(most, value))
        else:
            merged.append((start, end, value))
    return merged


def _scene(slots: Mapping[str, Any], graph: tuple[float, float, float] | None) -> Scene:
    caption = ", ".join(filter(None, (words(slots.get("caption")), words(slots.get("actions")))))
    objects = words(slots.get("objects"))
    return Scene(
        start=graph[0] if graph else None,
        end=graph[1] if graph else None,
        speech=words(slots.get("speech")),
        on_screen_text=words(slots.get("on_screen_text")),
        caption=caption or None,
        objects=tuple(o.strip() for o in objects.split(",") if o.strip()) if objects else (),
    )
