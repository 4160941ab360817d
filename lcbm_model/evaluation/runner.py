"""`evaluate`: any model on any suite, beside plain baselines on the same rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from lcbm_model.embedder import Embedder
from lcbm_model.errors import SettingsError
from lcbm_model.evaluation.answers import (
    Asked,
    Progress,
    ask,
    distinct_share,
    shuffled_contexts,
    shuffled_pictures,
)
from lcbm_model.evaluation.baselines import BASELINES, Baseline, NotMade, Task
from lcbm_model.evaluation.bootstrap import Statistic
from lcbm_model.evaluation.embedding_cache import CachedEmbedder
from lcbm_model.evaluation.registry import get_suite
from lcbm_model.evaluation.result import EvaluationResult, Figures, Intervals, figures_of, intervals_of, reliability_of
from lcbm_model.evaluation.rows import Loaded, load_rows
from lcbm_model.evaluation.suites.base import Answers, Rows, Suite
from lcbm_model.simulator.base import Simulator

Baselines = Literal["none", "plain", "all"]
UNTUNED = "embedded-untuned"


def evaluate(
    suite: str | Suite,
    file: Path | str,
    split: str,
    *,
    model: str | Simulator = "embedded",
    images: Path | str | None = None,
    limit: int | None = None,
    baselines: Baselines = "plain",
    controls: bool = False,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Evaluate a model on one split of a file.

    Args:
        suite: Name of a suite (`lcbm_model.evaluation.suite_names`) or one of your own.
        file: A table with the columns of the suite's source.
        model: Anything `load_simulator` takes, a simulator, or the name of a baseline.
        images: Folder of pictures, for sources that have them.
        limit: About how many rows at most; randomised comparisons stay whole, rankings are thinned evenly.
        baselines: "plain" ones cost seconds to minutes; "all" adds the untuned backbone, as dear as the model.
        controls: Also evaluate on shuffled pictures and shuffled settings, each of which costs as much as the model.
        embedder: For the baselines that read embeddings; by default the packaged MiniLM with a cache on disk.

    Raises:
        SettingsError: Unknown suite, baselines or model.
        TableError: The file cannot serve.
        BackendError: The model scored no row.
    """
    began = time.monotonic()
    task = suite if isinstance(suite, Suite) else get_suite(suite)
    if baselines not in ("none", "plain", "all"):
        raise SettingsError("--baselines", "must be none, plain or all", value=baselines)
    loaded = load_rows(task, Path(file), split, images=Path(images) if images else None, limit=limit)
    rows = Rows(loaded.rows)
    notes = _problems(loaded)
    # Before the baselines: a wrong model name should not cost minutes.
    simulator = None if _is_baseline(model) else _load(model)
    fitting = [b for b in BASELINES if b.applies(loaded.rows)]
    wanted = [b for b in fitting if baselines != "none" or b.name == model]
    plain = _baseline_answers(task, wanted, loaded, embedder or CachedEmbedder(), notes)
    seconds, spoilt = 0.0, {}
    if simulator is not None:
        answers, seconds = _asked(simulator, task, rows, notes, progress)
        spoilt = _controls(simulator, task, rows, answers, progress) if controls else {}
    else:
        made = plain.get(str(model))
        if made is None:
            raise SettingsError(
                "--model", "this baseline cannot be made from the file", value=model, remedy="; ".join(notes)
            )
        answers = made
    statistics = task.figures(rows, answers) | task.calibration(rows, answers)
    keys = list(statistics)
    beside = dict(plain) if baselines != "none" else {}
    if baselines == "all" and model != UNTUNED:
        beside[UNTUNED] = _asked(_load(UNTUNED), task, rows, notes, progress)[0]
    figures, intervals = _beside(task, rows, beside, keys)
    return EvaluationResult(
        suite=task.name,
        split=split,
        n=len(rows),
        groups=len(np.unique(rows.groups)),
        model=model if isinstance(model, str) else model.identity.checkpoint,
        identity=simulator.identity if simulator is not None else None,
        seconds=round(time.monotonic() - began, 1),
        seconds_predicting=round(seconds, 1),
        metrics=figures_of(statistics),
        intervals=intervals_of(statistics),
        reliability=reliability_of(task.reliability(rows, answers)),
        baselines=figures,
        baseline_intervals=intervals,
        controls=spoilt,
        notes=tuple(notes),
    )


def _is_baseline(model: str | Simulator) -> bool:
    return isinstance(model, str) and model in {b.name for b in BASELINES}


def _load(model: str | Simulator) -> Simulator:
    if not isinstance(model, str):
        return model
    from lcbm_model.simulator import load_simulator

    return load_simulator(model)


def _asked(
    simulator: Simulator, task: Suite, rows: Rows, notes: list[str], progress: Progress | None
) -> tuple[dict[str, Answers], float]:
    began = time.monotonic()
    asked = {b: ask(simulator, rows, b, progress=progress) for b in task.behaviors}
    for behavior, one in asked.items():
        _note_failures(simulator, behavior, one, len(rows), notes)
    return {b: one.answers for b, one in asked.items()}, time.monotonic() - began


def _note_failures(simulator: Simulator, behavior: str, asked: Asked, n: int, notes: list[str]) -> None:
    name = simulator.identity.checkpoint
    if asked.failed:
        notes.append(
            f"{name}: {asked.failed} of {n} rows could not be scored for {behavior} and got the middle of their "
            f"context; first: {asked.first_error}"
        )
    if np.ptp(asked.answers.scores) == 0:
        notes.append(f"{name}: constant output, every row got the same score for {behavior}")


def _baseline_answers(
    task: Suite, wanted: Sequence[Baseline], loaded: Loaded, embedder: Embedder, notes: list[str]
) -> dict[str, dict[str, Answers] | None]:
    """Answers of each baseline by name; None, with a note, where one cannot be made."""
    found: dict[str, dict[str, Answers] | None] = {}
    for baseline in wanted:
        try:
            scores = {b: baseline.score(Task(loaded.train, loaded.rows, b, embedder)) for b in task.behaviors}
        except NotMade as reason:
            notes.append(f"{baseline.name}: not made, {reason}")
            found[baseline.name] = None
            continue
        found[baseline.name] = {b: Answers(s) for b, s in scores.items()}
    return found


def _controls(
    simulator: Simulator, task: Suite, rows: Rows, answers: Mapping[str, Answers], progress: Progress | None
) -> dict[str, Figures]:
    found: dict[str, Figures] = {
        "distinct_scores": {b: round(distinct_share(a.scores), 6) for b, a in answers.items()},
    }
    for name, spoilt in (("shuffled_pictures", shuffled_pictures(rows)), ("shuffled_context", shuffled_contexts(rows))):
        if spoilt is not None:
            asked = {b: ask(simulator, rows, b, contents=spoilt, progress=progress).answers for b in task.behaviors}
            found[name] = figures_of(task.figures(rows, asked))
    return found


def _beside(
    task: Suite, rows: Rows, answers: Mapping[str, Mapping[str, Answers] | None], keys: Sequence[str]
) -> tuple[dict[str, Figures], dict[str, Intervals]]:
    """Baselines' figures and intervals under the model's keys; None where a baseline does not define one."""
    figures: dict[str, Figures] = {}
    intervals: dict[str, Intervals] = {}
    for name, said in answers.items():
        statistics: dict[str, Statistic] = task.figures(rows, said) | task.calibration(rows, said) if said else {}
        own, ends = figures_of(statistics), intervals_of(statistics)
        figures[name] = {key: own.get(key) for key in keys}
        intervals[name] = {key: ends.get(key) for key in keys}
    return figures, intervals


def _problems(loaded: Loaded) -> list[str]:
    """The reader's complaints in one line a kind. Without values: a recorded result must not carry rows of data."""
    first: dict[str, int] = {}
    for problem in loaded.problems:
        first.setdefault(f"{problem.column}: {problem.problem}", problem.row)
    counts = loaded.problems.counts.most_common()
    return [
        f"{n} rows of the file left out or without picture: {kind} (first in row {first[kind]})" for kind, n in counts
    ]
