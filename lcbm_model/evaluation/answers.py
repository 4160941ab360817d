"""Asking a simulator about every row, and spoiling the rows for controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lcbm_model.content import Content
from lcbm_model.errors import BackendError
from lcbm_model.evaluation.bootstrap import Floats
from lcbm_model.evaluation.metrics import Indices, members
from lcbm_model.evaluation.suites.base import Answers, Rows, WinProbability
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Simulator

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are."""

ASKED_AT_ONCE = 256


@dataclass(frozen=True)
class Asked:
    """Answers for one behaviour and how many rows could not be scored."""

    answers: Answers
    failed: int
    first_error: str | None


def ask(
    simulator: Simulator,
    rows: Rows,
    behavior: str,
    *,
    contents: Sequence[Content] | None = None,
    progress: Progress | None = None,
) -> Asked:
    """Predict every row; equal contents are asked about once.

    A row that cannot be scored gets the middle of its context: it neither helps nor hides.

    Args:
        contents: (N,) asked about in place of the rows' own contents, for controls.

    Raises:
        BackendError: No row could be scored.
    """
    asked = list(contents if contents is not None else [r.content for r in rows.records])
    found = _predict(simulator, asked, rows, behavior, progress)
    ok = np.asarray([p.ok for p in found])
    first_error = next((p.error for p in found if p.error is not None), None)
    if not ok.any():
        raise BackendError(f"{simulator.identity.label} scored none of {len(rows)} rows: {first_error}")
    by_utility = all(p.utility is not None for p in found if p.ok)
    scores = np.asarray([_number((p.utility if by_utility else p.expected) if p.ok else None) for p in found])
    low, high = (
        np.asarray([_number(end) for end in ends]) for ends in zip(*((p.low, p.high) for p in found), strict=True)
    )
    for group in members(rows.contexts):
        inside = scores[group]
        known = inside[np.isfinite(inside)]
        middle = known.mean() if known.size else scores[ok].mean()
        scores[group] = np.where(np.isfinite(inside), inside, middle)
    return Asked(Answers(scores, low, high, _win(simulator, rows, found, behavior)), int((~ok).sum()), first_error)


def shuffled_pictures(rows: Rows) -> list[Content] | None:
    """Every context keeps one picture set, but another context's; None where fewer than two picture sets exist.

    Where one context holds many pictures (photographs), pictures are exchanged between rows.
    """
    contents = [r.content for r in rows.records]
    sets = list(dict.fromkeys(c.media for c in contents if c.media))
    if len(sets) < 2:
        return None
    other = dict(zip(sets, _deranged(len(sets)), strict=True))
    return [c.model_copy(update={"media": sets[other[c.media]]}) if c.media else c for c in contents]


def shuffled_contexts(rows: Rows) -> list[Content] | None:
    """Who speaks, where and when is taken from another row of another context; None where there is but one.

    Where all rows share a context, nothing about it can be told apart, so nothing is shuffled.
    """
    contents = [r.content for r in rows.records]
    groups = list(members(rows.contexts))
    if len(groups) < 2:
        return None
    setting = ("communicator", "topic", "audience", "date")
    spoilt = list(contents)
    for group, other in zip(groups, _deranged(len(groups)), strict=True):
        lenders = groups[other]
        for position, row in enumerate(group):
            lender = contents[lenders[position % len(lenders)]]
            spoilt[row] = contents[row].model_copy(update={name: getattr(lender, name) for name in setting})
    return spoilt if spoilt != contents else None


def distinct_share(scores: Floats) -> float:
    """Share of distinct scores among rows: near 0 means that the model says the same of everything."""
    return float(len(np.unique(scores)) / len(scores)) if np.ptp(scores) > 0 else 0.0


def _predict(
    simulator: Simulator, contents: Sequence[Content], rows: Rows, behavior: str, progress: Progress | None
) -> list[Prediction]:
    keys = [c.model_dump_json() for c in contents]
    first: dict[str, int] = {}
    for i, key in enumerate(keys):
        first.setdefault(key, i)
    # Contents that differ only in their words go side by side: a backend encodes what they share once.
    order = sorted(
        first.values(), key=lambda i: (rows.records[i].context, contents[i].model_dump_json(exclude={"text"}), i)
    )
    said: dict[str, Prediction] = {}
    for start in range(0, len(order), ASKED_AT_ONCE):
        part = order[start : start + ASKED_AT_ONCE]
        answers = simulator.predict([contents[i] for i in part], behavior)
        said.update({keys[i]: p for i, p in zip(part, answers, strict=True)})
        if progress is not None:
            progress(behavior, len(said), len(order))
    return [said[key] for key in keys]


def _win(simulator: Simulator, rows: Rows, found: Sequence[Prediction], behavior: str) -> WinProbability:
    """What `simulator.compare` states of two rows, from the predictions already made."""

    def probability(first: Indices, second: Indices) -> Floats:
        stated = np.full(len(first), 0.5)
        for k, (i, j) in enumerate(zip(first, second, strict=True)):
            if found[i].ok and found[j].ok:
                stated[k] = simulator.win_chances([found[i], found[j]], channel=rows.records[i].content.channel)[0]
        return stated

    return probability


def _deranged(n: int) -> list[int]:
    """A permutation with a fixed seed in which nothing stays in its place: a random cycle."""
    order = np.random.default_rng(0).permutation(n)
    other = np.empty(n, dtype=int)
    other[order] = np.roll(order, 1)
    return other.tolist()


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
