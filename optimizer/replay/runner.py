"""`replay`: the loop's picks among arms that were really run, beside other choosers on the same stories."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lcbm_model.embedder import Embedder
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.evaluation.answers import ASKED_AT_ONCE, Progress
from lcbm_model.evaluation.baselines import NotMade
from lcbm_model.evaluation.bootstrap import Floats
from lcbm_model.evaluation.embedding_cache import CachedEmbedder
from lcbm_model.evaluation.registry import get_suite
from lcbm_model.evaluation.result import EvaluationResult, Figures, Intervals, figures_of, intervals_of
from lcbm_model.evaluation.rows import Loaded, load_rows
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.base import Simulator
from lcbm_model.simulator.ensemble import EnsembleSimulator
from optimizer.replay.choosing import Replayed, Scores, choose
from optimizer.replay.figures import KEYS, figures
from optimizer.replay.others import best_arm, chat_prompt, minilm_linear, nearest_winner, random_arm
from optimizer.replay.stories import Story, must_have_arms, stories_of

PREFIX = "replay-"
"""Of the suite's name in a recorded result."""


def replay(
    file: Path | str,
    split: str = "test",
    *,
    suite: str = "upworthy",
    model: str | Simulator = "embedded",
    images: Path | str | None = None,
    limit: int | None = None,
    seed: int = 0,
    per_round: int = 1,
    baselines: bool = True,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Let the loop choose among arms that were run, and say what its picks were worth.

    Args:
        suite: "upworthy" (headlines) or "caption-contest" (captions).
        model: Anything `load_simulator` takes, or a simulator; names joined by "+" are an ensemble.
        images: Folder of cartoons.
        limit: About how many rows at most; tests stay whole.
        seed: Of the order in which the loop meets the arms.
        per_round: Arms it meets in one round.
        baselines: Also the choosers that learn from the train rows or ask a chat model.
        embedder: For the choosers that read embeddings; by default the packaged MiniLM with a cache on disk.

    Raises:
        SettingsError: A suite without arms, or an unknown model.
        TableError: The file cannot serve.
        BackendError: The model scored no arm.
    """
    began = time.monotonic()
    if per_round < 1:
        raise SettingsError("--per-round", "must be at least 1", value=per_round)
    task = get_suite(suite)
    must_have_arms(task.name)
    metric = task.behaviors[0]
    loaded = load_rows(task, Path(file), split, images=Path(images) if images else None, limit=limit)
    stories = stories_of(task.name, loaded.rows)
    simulator = _loaded(model) if isinstance(model, str) else model
    notes = _what_is_counted(task.name, stories)
    asked = time.monotonic()
    scores = {m.identity.checkpoint_hash: _score(m, stories, metric, progress) for m in _members(simulator)}
    seconds = time.monotonic() - asked
    runs = _run_all(stories, simulator, scores, metric, seed, per_round, progress)
    notes += _told(stories, runs, scores)
    picks = {"loop": [_as_scores(story, run.chosen) for story, run in zip(stories, runs, strict=True)]}
    picks["best_of_n_by_mean"] = _by_mean(stories, list(scores.values()))
    picks |= {"random_arm": random_arm(stories, seed), "best_arm_possible": best_arm(stories)}
    undone = _learned(picks, stories, loaded, metric, seed, embedder or CachedEmbedder(), notes) if baselines else []
    made = {name: figures(stories, scored) for name, scored in picks.items()}
    nothing: Figures = dict.fromkeys(KEYS)
    no_ends: Intervals = dict.fromkeys(KEYS)
    beside = [name for name in made if name != "loop"]
    return EvaluationResult(
        suite=PREFIX + task.name,
        split=split,
        n=sum(len(story.arms) for story in stories),
        groups=len({story.group for story in stories}),
        model=model if isinstance(model, str) else simulator.identity.checkpoint,
        identity=simulator.identity,
        seconds=round(time.monotonic() - began, 1),
        seconds_predicting=round(seconds, 1),
        metrics=figures_of(made["loop"]),
        intervals=intervals_of(made["loop"]),
        baselines={name: figures_of(made[name]) for name in beside} | dict.fromkeys(undone, nothing),
        baseline_intervals={name: intervals_of(made[name]) for name in beside} | dict.fromkeys(undone, no_ends),
        notes=tuple(notes),
    )


def _loaded(name: str) -> Simulator:
    """A simulator by name, the user's score cache under each member: another seed then costs no forward pass."""
    from lcbm_model.simulator import load_simulator
    from lcbm_model.simulator.score_cache import with_score_cache

    found = load_simulator(name)
    if not isinstance(found, EnsembleSimulator):
        return with_score_cache(found)
    return EnsembleSimulator([with_score_cache(m) for m in found.members], name=found.identity.checkpoint)


def _members(simulator: Simulator) -> tuple[Simulator, ...]:
    """The simulators that really score: those inside an ensemble, each once."""
    if not isinstance(simulator, EnsembleSimulator):
        return (simulator,)
    inside = [m for member in simulator.members for m in _members(member)]
    return tuple({m.identity.checkpoint_hash: m for m in inside}.values())


def _score(simulator: Simulator, stories: Sequence[Story], metric: str, progress: Progress | None) -> Scores:
    """Every arm's prediction in the setting in which it ran, contents of one setting side by side."""
    contents = {arm.content.model_dump_json(): arm.content for story in stories for arm in story.arms}
    keys = sorted(contents, key=lambda key: (contents[key].model_dump_json(exclude={"text"}), key))
    found: dict[str, Prediction] = {}
    for start in range(0, len(keys), ASKED_AT_ONCE):
        part = keys[start : start + ASKED_AT_ONCE]
        found |= dict(zip(part, simulator.predict([contents[key] for key in part], metric), strict=True))
        if progress is not None:
            progress(simulator.identity.checkpoint, len(found), len(keys))
    if not any(p.ok for p in found.values()):
        reason = next(iter(found.values())).error
        raise BackendError(f"{simulator.identity.label} scored none of {len(found)} texts: {reason}")
    return found


def _of(story: Story, scores: Scores) -> dict[str, Prediction]:
    """Text to prediction inside one story: the same words may have run in another setting too."""
    return {arm.content.text.strip(): scores[arm.content.model_dump_json()] for arm in story.arms}


def _run_all(
    stories: Sequence[Story],
    simulator: Simulator,
    scores: dict[str, Scores],
    metric: str,
    seed: int,
    per_round: int,
    progress: Progress | None,
) -> list[Replayed]:
    runs = []
    for number, story in enumerate(stories, start=1):
        known = {member: _of(story, said) for member, said in scores.items()}
        with _folder() as store:
            run = choose(story, simulator, known, metric=metric, seed=seed, per_round=per_round, store=store)
        runs.append(run)
        if progress is not None:
            progress("choosing", number, len(stories))
    return runs


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lcbm-replay-") as name:
        yield Path(name)


def _as_scores(story: Story, chosen: int | None) -> Floats:
    """A pick as scores; no pick is no better than a coin's."""
    scores = np.zeros(len(story.arms))
    if chosen is not None:
        scores[chosen] = 1.0
    return scores


def _by_mean(stories: Sequence[Story], scores: Sequence[Scores]) -> list[Floats]:
    """Best of n: every arm's expected percentile, over all members alike; an arm without a score comes last."""
    picked = []
    for story in stories:
        rows = [[said[text].expected for text in _texts(story)] for said in (_of(story, s) for s in scores)]
        table = np.asarray([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
        mean = table.mean(axis=0)
        picked.append(np.where(np.isfinite(mean), mean, -np.inf))
    return picked


def _texts(story: Story) -> list[str]:
    return [arm.content.text.strip() for arm in story.arms]


def _learned(
    picks: dict[str, list[Floats]],
    stories: Sequence[Story],
    loaded: Loaded,
    metric: str,
    seed: int,
    embedder: Embedder,
    notes: list[str],
) -> list[str]:
    """Add the choosers that need train rows or an endpoint; returns the names of those that could not be made."""

    def chat() -> list[Floats]:
        scores, lost = chat_prompt(stories, metric, seed)
        if lost:
            notes.append(f"chat_prompt: {lost} of {len(stories)} answers named no text and count as the mean arm")
        return scores

    ways: dict[str, Callable[[], list[Floats]]] = {
        "nearest_winner": lambda: nearest_winner(stories, loaded.train, metric, embedder),
        "minilm_linear": lambda: minilm_linear(stories, loaded.train, loaded.rows, metric, embedder),
        "chat_prompt": chat,
    }
    undone = []
    for name, way in ways.items():
        try:
            picks[name] = way()
        except (NotMade, BackendError) as reason:
            notes.append(f"{name}: {reason}")
            undone.append(name)
    return undone


def _what_is_counted(suite: str, stories: Sequence[Story]) -> list[str]:
    sizes = sorted(len(story.arms) for story in stories)
    what = {
        "upworthy": "a choice is one picture of one test with three headlines or more, as in chosen_over_mean; the "
        "outcome is the click rate",
        "caption-contest": "a choice is one deck of sixteen captions of a cartoon, ten decks a cartoon, drawn with a "
        "fixed seed; the outcome is the mean rating, 1 to 3, so that a lift of a few per cent is much",
    }[suite]
    return [f"{what}; {sizes[0]} to {sizes[-1]} texts a choice"]


def _told(stories: Sequence[Story], runs: Sequence[Replayed], scores: dict[str, Scores]) -> list[str]:
    """How the runs went: arms not seen, reasons to stop, failures."""
    seen, there = sum(run.seen for run in runs), sum(len(story.arms) for story in stories)
    told = [f"the loop had scored {seen} of {there} arms when it chose"]
    stopped = Counter(run.stop_reason.partition(" (")[0] for run in runs)
    told.append("it stopped because: " + ", ".join(f"{reason} ({n})" for reason, n in stopped.most_common()))
    if none := sum(run.chosen is None for run in runs):
        told.append(f"in {none} choices it picked nothing, which counts as the mean arm")
    for said in scores.values():
        if failed := [p for p in said.values() if not p.ok]:
            told.append(f"{failed[0].simulator.checkpoint}: {len(failed)} arms could not be scored: {failed[0].error}")
    return told
