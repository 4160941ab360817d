"""What can be seen of a post before it is sent: topic, hooks, length, time, picture, kind. Each is had or not had."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from agents.library.topics import find_topics
from agents.traits import TRAITS
from lcbm_model.content import FORMATS

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["topic", "hook", "length", "time", "picture", "format"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Feature:
    """Something that some posts have.

    Attributes:
        label: Completes "posts that ..."; for a topic, the words that set it apart.
        has: (N,) whether each post has it.
        known: (N,) whether it can be told of each post; a post without a date has no weekday, not another one.
    """

    kind: Kind
    label: str
    has: Mask
    known: Mask


def features_of(frame: pl.DataFrame, vectors: NDArray[np.float32], *, topics: int | None = None) -> list[Feature]:
    """Every feature of the posts.

    Args:
        frame: Posts with text, date, image and, where known, hour and format.
        vectors: (N, D) of unit length.
        topics: How many subjects to tell apart; by the number of posts where None.
    """
    texts = frame["text"].to_list()
    every = np.ones(len(texts), dtype=bool)
    found = find_topics(texts, vectors, topics=topics)
    features = [Feature("topic", name, found.labels == i, every) for i, name in enumerate(found.names)]
    features += [
        Feature("hook", trait.have, np.fromiter(map(trait.holds, texts), bool, len(texts)), every) for trait in TRAITS
    ]
    features += _lengths(texts, every)
    features += _times(frame)
    features.append(Feature("picture", "have a picture", frame["image"].is_not_null().to_numpy(), every))
    features += _formats(frame)
    return features


def _formats(frame: pl.DataFrame) -> Iterator[Feature]:
    """Kinds of post, where the library knows at least two."""
    if "format" not in frame.columns:
        return
    known = frame["format"].is_not_null().to_numpy()
    kinds = sorted(frame["format"].drop_nulls().unique().to_list())
    for kind in kinds if len(kinds) > 1 else ():
        what = f"are {FORMATS[kind]}" if kind in FORMATS else f"are of the kind “{kind}”"
        yield Feature("format", what, (frame["format"] == kind).fill_null(False).to_numpy(), known)


def _lengths(texts: list[str], every: Mask) -> Iterator[Feature]:
    """Thirds of this library's own lengths, in words."""
    words = np.asarray([len(text.split()) for text in texts])
    short, long = (int(q) for q in np.quantile(words, [1 / 3, 2 / 3]))
    yield Feature("length", f"have up to {short} words", words <= short, every)
    if long > short:
        between = f"{short + 1} to {long}" if long > short + 1 else f"{long}"
        yield Feature("length", f"have {between} words", (words > short) & (words <= long), every)
    yield Feature("length", f"have more than {long} words", words > long, every)


def _times(frame: pl.DataFrame) -> Iterator[Feature]:
    known = frame["date"].is_not_null().to_numpy()
    days = frame["date"].dt.weekday().fill_null(0).to_numpy()  # 1 is Monday
    for i, day in enumerate(calendar.day_name):
        yield Feature("time", f"went out on a {day}", known & (days == i + 1), known)
    yield Feature("time", "went out at the weekend", known & (days >= 6), known)
    if "hour" not in frame.columns:
        return
    timed = frame["hour"].is_not_null().to_numpy()
    hours = frame["hour"].cast(int).fill_null(-1).to_numpy()
    for name, first, last in (("at night", 0, 5), ("in the morning", 6, 11), ("in the afternoon", 12, 17),
                              ("in the evening", 18, 23)):  # fmt: skip
        label = f"went out {name} ({first}:00 to {last}:59)"
        yield Feature("time", label, timed & (hours >= first) & (hours <= last), timed)
