"""What the researchers' corner asks: whole distributions, texts for a percentile, occlusion, recorded evaluations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.writers.base import Draft, WritingTask
from lcbm_model.content import Communicator, Content
from lcbm_model.errors import BackendError, BriefError, LcbmError
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import Prediction
from lcbm_model.vision.video import seen_media
from ui.services import Services

if TYPE_CHECKING:
    from lcbm_model.evaluation.result import EvaluationResult

POOL = 2
"""Drafts tried for each one asked for: those whose prediction lies nearest to the aim are kept."""


@dataclass(frozen=True)
class Aimed:
    """A text written for a percentile, and what is predicted of it."""

    draft: Draft
    prediction: Prediction


@dataclass(frozen=True)
class Written:
    """Texts nearest to the aim first, how many were tried, and writers that failed."""

    kept: tuple[Aimed, ...]
    tried: int
    notes: tuple[str, ...]


def content_from(
    text: str,
    channel: str = "post",
    title: str = "",
    audience: str = "",
    brand: str = "",
    picture: Path | None = None,
    format: str = "",
) -> Content:
    """A content from form fields; empty ones are unknown, never invented.

    Raises:
        BriefError: No words at all.
    """
    if not (text.strip() or title.strip()):
        raise BriefError("Text", "is empty", remedy="Write what the audience would read")
    return Content(
        text=text.strip(),
        channel=channel.strip() or "post",
        title=title.strip() or None,
        format=format.strip() or None,
        audience=audience.strip() or None,
        communicator=Communicator(name=brand.strip()) if brand.strip() else None,
        media=seen_media(picture),
    )


class ResearchService:
    """Asks the app's own models.

    Args:
        services: What stands behind the page.
    """

    def __init__(self, services: Services) -> None:
        self.services = services

    def simulate(self, content: Content, metric: str) -> Prediction:
        """The predicted behaviour for one content.

        Raises:
            MetricError: Nobody defined the metric.
            BackendError: It could not be scored.
        """
        get_metric(metric)
        [prediction] = self.services.models().simulator.predict([content], metric)
        if not prediction.ok:
            raise BackendError(f"this content could not be scored: {prediction.error}")
        return prediction

    def occlude(self, content: Content, metric: str) -> tuple[Prediction, Sequence[Any]]:
        """The prediction and what each part of the content is worth.

        Raises:
            BackendError: It could not be scored.
        """
        prediction = self.simulate(content, metric)
        return prediction, self.services.floors.occlude(self.services.models().simulator, content, metric)

    def write_towards(self, aim: float, content: Content, message: str, metric: str, n: int, seed: int) -> Written:
        """Texts whose predicted percentile lies nearest to `aim`, out of a larger pool.

        Args:
            aim: Percentile 0..100.
            content: The setting; its text is a draft to begin with, or empty.
            n: Texts wanted.

        Raises:
            BriefError: Nothing to say.
            BackendError: No writer wrote anything that could be scored.
        """
        if not message.strip():
            raise BriefError("What has to be said", "is empty", remedy="Write a sentence or two")
        models = self.services.models()
        task = WritingTask(content=content, metric=metric, message=message.strip(), critique=_wish(aim, metric))
        drafts: dict[str, Draft] = {}
        notes: list[str] = []
        for writer in _model_writers(models.writers):
            try:
                result = writer.write(task, n * POOL, seed=seed)
            except LcbmError as error:
                notes.append(f"{writer.name}: {error}")
                continue
            drafts |= {draft.text: draft for draft in result.drafts}
        if not drafts:
            raise BackendError("no writer wrote anything usable" + (f": {'; '.join(notes)}" if notes else ""))
        contents = [content.with_text(text) for text in drafts]
        predictions = models.simulator.predict(contents, metric)
        pairs = [Aimed(d, p) for d, p in zip(drafts.values(), predictions, strict=True) if p.expected is not None]
        kept = sorted(pairs, key=lambda a: abs((a.prediction.expected or 0.0) - aim))[:n]
        if not kept:
            raise BackendError("none of the drafts could be scored")
        return Written(tuple(kept), len(drafts), tuple(notes))


def _model_writers(writers: Sequence[Any]) -> list[Any]:
    """Writers with a language model behind them; rules alone only where there is no other."""
    return [w for w in writers if w.name != "edits"] or list(writers)


def _wish(aim: float, metric: str) -> str:
    title = get_metric(metric).title
    if aim >= 66:
        return f"It should be among the best {100 - aim:.0f} of 100 by {title}."
    if aim <= 33:
        return f"Write it plainly and without any pull: it should land at {aim:.0f} of 100 by {title}."
    return f"It should land near the middle, at {aim:.0f} of 100 by {title}."


@cache
def recorded() -> tuple[EvaluationResult, ...]:
    """The evaluations that come with the package, in the order of their files.

    Raises:
        TableError: One cannot be read.
    """
    from lcbm_model.evaluation.result import EvaluationResult
    from lcbm_model.evaluation.tables import SHIPPED

    return tuple(EvaluationResult.load(path) for path in sorted(SHIPPED.glob("*.json")))


def evaluation_tables(results: Sequence[EvaluationResult]) -> list[dict[str, Any]]:
    """One table a suite and split: models first, then each baseline once, measured on the same rows."""
    from lcbm_model.evaluation.tables import cell, model_label

    tables: list[dict[str, Any]] = []
    for rows in dict.fromkeys((r.suite, r.split, r.n) for r in results):
        own = [r for r in results if (r.suite, r.split, r.n) == rows]
        keys = list(dict.fromkeys(key for r in own for key in r.metrics))
        lines: dict[str, dict[str, Any]] = {}
        for r in own:
            name = model_label(r)
            tuned = r.identity is not None and r.identity.tuned
            cells = [cell(r.metrics.get(key), r.intervals.get(key)) for key in keys]
            lines[name] = {"name": name, "own": tuned, "cells": cells}
        for r in own:
            for name, figures in r.baselines.items():
                ends = r.baseline_intervals.get(name, {})
                cells = [cell(figures.get(key), ends.get(key)) for key in keys]
                lines.setdefault(name, {"name": name, "own": False, "cells": cells})
        ordered = sorted(lines.values(), key=lambda line: not line["own"])
        tables.append(
            {"suite": rows[0], "split": rows[1], "n": rows[2], "groups": own[0].groups, "keys": keys, "lines": ordered}
        )
    return tables


def with_coverage(results: Sequence[EvaluationResult]) -> list[EvaluationResult]:
    """Results of tuned models that measured how often their ranges hold."""
    return [
        r for r in results if r.identity is not None and r.identity.tuned and r.metrics.get("coverage_80") is not None
    ]


def model_card() -> str:
    """The shipped model card as Markdown, without links into the source tree."""
    import lcbm_model

    path = Path(str(lcbm_model.__file__)).parent / "checkpoints" / "README.md"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BackendError(f"the model card is not part of this installation: {error.strerror}") from error
    text = re.sub(r"\[([^\]]+)\]\((?!https?://)[^)]+\)", r"\1", text)
    return re.sub(r"^\|\s*\|", "| measure |", text, flags=re.MULTILINE)  # a heading that screen readers can say
