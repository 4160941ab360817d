"""What there is to choose among: the arms of one randomised test, or a deck of captions of one cartoon."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lcbm_model.content import Content
from lcbm_model.corpus.record import Record
from lcbm_model.errors import SettingsError
from lcbm_model.evaluation.arms import pooled_arms
from lcbm_model.evaluation.metrics import members
from lcbm_model.evaluation.suites.base import Rows
from lcbm_model.evaluation.suites.upworthy import MIN_HEADLINES

DECK = 16
"""Captions in one deck."""
DECKS = 10
"""Decks drawn from one cartoon, without a caption in two of them."""
DRAWN = 0
"""Seed of the decks: who is asked with another seed sees the same decks in another order."""


SUITES = ("upworthy", "caption-contest")
"""Suites whose rows are arms of comparisons."""


@dataclass(frozen=True)
class Arm:
    """One text that was shown to people, and what came of it."""

    row: int
    """Of the records that the story was made from."""
    content: Content
    """The words in the setting in which they ran."""
    value: float
    """Click rate 0..1, or mean rating 1..3."""


@dataclass(frozen=True)
class Story:
    """Arms that may be compared with each other."""

    id: str
    group: str
    """What the bootstrap resamples: a story, a cartoon."""
    arms: tuple[Arm, ...]

    def order(self, seed: int) -> list[int]:
        """Positions of the arms in the order in which a chooser meets them."""
        return np.random.default_rng([seed, zlib.crc32(self.id.encode())]).permutation(len(self.arms)).tolist()


def stories_of(suite: str, records: Sequence[Record]) -> list[Story]:
    """Every choice that the rows of a suite offer.

    Upworthy: the headlines tested under one picture in one test, arms with the same words pooled, of tests with three
    headlines or more (the definition of `chosen_over_mean`). Caption contest: ten decks of sixteen captions of each
    cartoon, drawn without replacement with a fixed seed; fewer where there are fewer captions.

    Raises:
        SettingsError: A suite without arms, or rows in which nothing can be chosen.
    """
    must_have_arms(suite)
    stories = _tests(records) if suite == "upworthy" else _decks(records)
    if not stories:
        raise SettingsError("--data", "holds no comparison of three or more texts", remedy="Raise --limit")
    return stories


def must_have_arms(suite: str) -> None:
    """Refuse a suite in which nothing can be chosen, before its file is read.

    Raises:
        SettingsError: Its rows are no arms of comparisons.
    """
    if suite not in SUITES:
        raise SettingsError(
            "--suite", "has no arms to choose among", value=suite, remedy=f"Use one of: {', '.join(SUITES)}"
        )


def _tests(records: Sequence[Record]) -> list[Story]:
    arms = pooled_arms(Rows(records), "click_rate")
    stories = []
    for group in members(arms.comparison):
        if len(group) < MIN_HEADLINES:
            continue
        made = tuple(Arm(int(arms.rows[i]), records[arms.rows[i]].content, float(arms.rate[i])) for i in group)
        stories.append(Story(str(arms.comparison[group[0]]), str(arms.group[group[0]]), made))
    return stories


def _decks(records: Sequence[Record]) -> list[Story]:
    rows = Rows(records)
    values = rows.values("funniness")
    stories = []
    for group in members(rows.contexts):
        cartoon = records[group[0]].context
        rng = np.random.default_rng([DRAWN, zlib.crc32(cartoon.encode())])
        _, first = np.unique([records[i].content.text for i in group], return_index=True)
        drawn = rng.permutation(group[np.sort(first)])[: DECK * DECKS]
        for number, start in enumerate(range(0, len(drawn), DECK)):
            deck = drawn[start : start + DECK]
            if len(deck) < min(DECK, len(drawn)):
                continue  # the rest of a cartoon's captions fills no deck
            if len(deck) >= MIN_HEADLINES:
                made = tuple(Arm(int(i), records[i].content, float(values[i])) for i in deck)
                stories.append(Story(f"{cartoon}/{number}", records[group[0]].group, made))
    return stories
