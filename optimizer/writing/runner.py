"""`writing`: what writers make of real drafts, as a result of the bench."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agents.writers.base import Writer
from lcbm_model.embedder import Embedder
from lcbm_model.errors import BackendError, SettingsError, TableError
from lcbm_model.evaluation.answers import Progress
from lcbm_model.evaluation.bootstrap import Floats, Statistic
from lcbm_model.evaluation.embedding_cache import CachedEmbedder
from lcbm_model.evaluation.registry import get_suite
from lcbm_model.evaluation.result import EvaluationResult, Figures, Intervals, figures_of, intervals_of
from lcbm_model.evaluation.rows import load_rows
from lcbm_model.evaluation.suites.upworthy import SIGNIFICANT_Z
from lcbm_model.prediction import SimulatorIdentity
from lcbm_model.simulator.base import Simulator
from optimizer.writing import distinctness, facts, judging, likelihood
from optimizer.writing.drafts import Drafted, drafts_of
from optimizer.writing.judging import judge_all, must_be_held_out, preference
from optimizer.writing.rewriting import UNFILTERED, Pen, Texts, Written, pens_of, write_all

if TYPE_CHECKING:
    from lcbm_model.backbone import Backbone

PREFIX = "writing-upworthy-judged-by-"
"""Of the suite's name in a recorded result: figures of different judges never share a table."""
WRITERS = "lcbm,embedded,edits"
JUDGE = "lcbm-smol-b"
STORIES = 60
REWRITES = 2
UNTUNED = "embedded-untuned"
KEYS = (*judging.KEYS, *facts.KEYS, *likelihood.KEYS, *distinctness.KEYS)


def writing(
    file: Path | str,
    split: str = "test",
    *,
    writers: str | Sequence[str | Writer] = WRITERS,
    model: str | Backbone = "embedded",
    judge: str | Simulator = JUDGE,
    rewrites: int = REWRITES,
    limit: int = STORIES,
    seed: int = 0,
    baselines: bool = True,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Let writers rewrite headlines that did worst in their tests, and say what became of them.

    Args:
        file: A table with the columns of the Upworthy archive.
        writers: Names with commas between them, as `load_writers` takes them, or writers. The first one's figures are
            the result's; the others stand beside it.
        model: What `lcbm` and `embedded` write with, where they are named: anything `load_backbone` takes.
        judge: Anything `load_simulator` takes, or a simulator. It must not be the model that writes.
        rewrites: Most texts a writer may hand out for one draft.
        limit: Most stories; they are drawn with a fixed seed.
        seed: Of the writers.
        baselines: Also the likelihoods under the untuned model.
        embedder: For the similarity to the draft; by default the packaged MiniLM with a cache on disk.

    Raises:
        SettingsError: An unknown writer, model or judge, a judge that writes, or a number below 1.
        TableError: The file cannot serve: a column is missing, or no story has two headlines to compare.
        BackendError: The judge could score nothing, or the first writer failed on every draft.
    """
    began = time.monotonic()
    for option, value in (("--limit", limit), ("--rewrites", rewrites)):
        if value < 1:
            raise SettingsError(option, "must be at least 1", value=value, remedy="Leave it out for the default")
    pens = pens_of(writers, model)
    stories = drafts_of(load_rows(get_suite("upworthy"), Path(file), split).rows, limit)
    if not stories:
        problem = "holds no story with two headlines of different click rates under one picture"
        raise TableError(Path(file).name, problem, value=split, remedy="Give tests of two headlines or more")
    by = _held_out(judge, pens)
    asked = time.monotonic()
    done = {pen.name: write_all(pen, stories, rewrites, seed, progress) for pen in pens}
    seconds = time.monotonic() - asked
    first = done[pens[0].name]
    if len(first.errors) == len(stories):
        raise BackendError(first.errors[0])
    statistics = _figures(by, stories, done, embedder or CachedEmbedder(), progress)
    for name, found in _likelihoods(pens, stories, baselines, progress).items():
        statistics[name] = statistics.get(name, {}) | likelihood.expected_winners(found)
    return _result(
        statistics,
        by,
        split=split,
        n=sum(story.arms for story in stories),
        groups=len(stories),
        model=pens[0].name,
        identity=_identity(pens[0]),
        seconds=round(time.monotonic() - began, 1),
        seconds_predicting=round(seconds, 1),
        notes=tuple(_told(stories, done, statistics, by, rewrites)),
    )


def against(stories: Sequence[Drafted]) -> dict[str, Texts]:
    """What really ran, as if it had been written: the draft itself, another arm drawn at random, the best one."""
    return {
        "draft": [[story.draft.text] for story in stories],
        "another_arm": [[story.another] for story in stories],
        "best_arm": [[story.best] for story in stories],
        "best_arm_significant": [[story.best] if story.z > SIGNIFICANT_Z else [] for story in stories],
    }


def _identity(pen: Pen) -> SimulatorIdentity | None:
    """Which weights wrote; None where no model did, or one that the caller chose."""
    if pen.backbone is None:
        return None
    from lcbm_model.simulator.local import LocalSimulator

    return LocalSimulator(pen.backbone).identity


def _held_out(judge: str | Simulator, pens: Sequence[Pen]) -> Simulator:
    """The judge, which must not be a model that writes."""
    from lcbm_model.simulator import load_simulator

    found = load_simulator(judge) if isinstance(judge, str) else judge
    must_be_held_out(found, {pen.backbone.checkpoint_hash for pen in pens if pen.backbone is not None})
    return found


def _figures(
    judge: Simulator,
    stories: Sequence[Drafted],
    done: Mapping[str, Written],
    embedder: Embedder,
    progress: Progress | None,
) -> dict[str, dict[str, Statistic]]:
    """Figures of every line; raw samples are many and go before no judge."""
    lines = {name: written.texts for name, written in done.items()} | against(stories)
    said = judge_all(judge, stories, lines.values(), progress)
    raw = {f"{name}, {UNFILTERED}": w.raw for name, w in done.items() if w.raw is not None}
    found: dict[str, dict[str, Statistic]] = {}
    for name, texts in [*lines.items(), *raw.items()]:
        preferred = preference(judge, stories, texts, said) if name in lines else judging.counted(texts)
        found[name] = preferred | facts.guarded(stories, texts) | distinctness.distinctness(stories, texts, embedder)
    return found


def _likelihoods(
    pens: Sequence[Pen], stories: Sequence[Drafted], baselines: bool, progress: Progress | None
) -> dict[str, Floats]:
    """Likelihoods by line: under the model that content simulation writes with, and under the untuned one."""
    found: dict[str, Floats] = {}
    for pen in pens:
        if pen.heard is None or pen.backbone is None:
            continue
        found[pen.name] = likelihood.likelihoods(pen.backbone, stories, progress)
        if baselines and pen.backbone.tuned:
            from lcbm_model.backbone import load_backbone

            found[UNTUNED] = likelihood.likelihoods(load_backbone(UNTUNED), stories, progress)
    return found


def _result(statistics: Mapping[str, Mapping[str, Statistic]], judge: Simulator, **known: object) -> EvaluationResult:
    """Every line under the same keys; None where a line does not define one."""
    nothing: Figures = dict.fromkeys(KEYS)
    no_ends: Intervals = dict.fromkeys(KEYS)
    figures = {name: nothing | figures_of(found) for name, found in statistics.items()}
    ends = {name: no_ends | intervals_of(found) for name, found in statistics.items()}
    first = str(known["model"])
    return EvaluationResult.model_validate(
        {
            "suite": PREFIX + re.sub(r"[^\w.-]+", "-", judge.identity.checkpoint),
            "metrics": figures.pop(first),
            "intervals": ends.pop(first),
            "baselines": figures,
            "baseline_intervals": ends,
            **known,
        }
    )


def _told(
    stories: Sequence[Drafted],
    done: Mapping[str, Written],
    statistics: Mapping[str, Mapping[str, Statistic]],
    judge: Simulator,
    rewrites: int,
) -> list[str]:
    """What a reader must know: the judge's own accuracy, drafts without a rewrite, failures."""
    identity = judge.identity
    right, clear = (statistics[name]["share_preferred"].value() for name in ("best_arm", "best_arm_significant"))
    significant = sum(story.z > SIGNIFICANT_Z for story in stories)
    told = [
        f"the judge, {identity.label}, checkpoint {identity.checkpoint_hash[:12]}, prefers the really best arm to the "
        f"draft in {_share(right)} of {len(stories)} stories (best_arm), and in {_share(clear)} of the {significant} "
        f"in which the two differ significantly (best_arm_significant); a perfect rewriter would be judged so",
        f"a draft is the arm with the lowest click rate of a comparison; up to {rewrites} rewrites a draft",
    ]
    if not identity.tuned:
        told.append("the judge never saw behaviour: what it prefers is no evidence")
    for name, written in done.items():
        if none := sum(not own for own in written.texts):
            told.append(f"{name}: no rewrite of {none} of {len(stories)} drafts")
        if written.errors:
            told.append(f"{name}: failed on {len(written.errors)} drafts; first: {written.errors[0]}")
    return told


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"
