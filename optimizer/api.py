"""The public functions: optimize, stream, resume, score, compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.writers.base import Writer
from lcbm_model.content import Content
from lcbm_model.errors import BriefError, InputError, SettingsError
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from lcbm_model.simulator.base import Context, Simulator
from lcbm_model.vision.video import seen_media
from optimizer.brief import Brief
from optimizer.decision import Decision
from optimizer.defaults import held_out_pair
from optimizer.events import RunEvent
from optimizer.loop.context import LoopContext, Searchable, Stopwatch
from optimizer.loop.driver import only_driver
from optimizer.loop.folder import RunFolder, RunSettings, new_run_id
from optimizer.loop.outcome import waiting_event
from optimizer.loop.run import PreparedRun, drive, still_waiting
from optimizer.loop.scoring import ScoreCache, Scorer
from optimizer.parts import (
    EVIDENCE,
    check_picture,
    critic_for,
    demands_of,
    hard_to_keep,
    library_warnings,
    resolve_judge,
    resolve_library,
    resolve_simulator,
    resolve_writers,
    screener_for,
    unguarded,
    watch_over,
)
from optimizer.result import OptimizationResult

OnEvent = Callable[[RunEvent], None]


def optimize(
    brief: Brief,
    *,
    library: Searchable | str | Path | None = None,
    simulator: str | Simulator | None = None,
    judge: str | Simulator | None = None,
    writers: Sequence[Writer | str] | None = None,
    seed: int = 0,
    store: str | Path | None = None,
    run_id: str | None = None,
    keep_picture: bool = False,
    on_event: OnEvent | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> OptimizationResult:
    """Write, simulate and select until a budget ends it; the best so far is always returned.

    Args:
        brief: What is to be said, to whom, and how much may be spent.
        library: The team's own past posts: an object, a built folder, or a CSV / JSONL / Parquet file.
        simulator: Plays the audience: a name ("embedded": the shipped `lcbm-smol`) or any `Simulator`.
        judge: A second simulator that the loop never optimises against. With neither named, one of the shipped twin
            models plays the audience and the other judges; "none": nobody confirms the gain.
        writers: Who drafts, or their names ("edits", "embedded", ...); None: the configured ones.
        seed: Same seed, same parts, same result.
        store: Folder of runs (default `LCBM_RUNS`, else ./runs); the run can be resumed from there.
        run_id: Name of the run's folder; made up where None.
        keep_picture: Copy the brief's picture or video into the run's folder, for callers whose own file may go before
            the run ends.
        on_event: Called after each step.
        should_stop: Asked between steps; True ends the run with the best so far, resumable.

    Raises:
        InputError: Brief, library, picture, store or a setting cannot be used; nothing was spent.
        BackendError: A part was down before the run began.
    """
    events = stream(
        brief,
        library=library,
        simulator=simulator,
        judge=judge,
        writers=writers,
        seed=seed,
        store=store,
        run_id=run_id,
        keep_picture=keep_picture,
        should_stop=should_stop,
    )
    return _last_result(events, on_event)


def stream(
    brief: Brief,
    *,
    library: Searchable | str | Path | None = None,
    simulator: str | Simulator | None = None,
    judge: str | Simulator | None = None,
    writers: Sequence[Writer | str] | None = None,
    seed: int = 0,
    store: str | Path | None = None,
    run_id: str | None = None,
    keep_picture: bool = False,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[RunEvent]:
    """`optimize`, step by step. The last event carries the result."""
    if not isinstance(brief, Brief):
        remedy = "Use Brief.load(path) for a file, Brief.parse(fields) for a mapping"
        raise BriefError("brief", "is no Brief", value=brief, remedy=remedy)
    folder = RunFolder(store, new_run_id() if run_id is None else run_id)
    folder.create()
    with only_driver(folder):  # loading takes a while: nobody else begins a run of this id meanwhile
        try:
            folder.create()
            run = _begin(folder, brief, library, simulator, judge, writers, seed, keep_picture=keep_picture)
        except BaseException:
            folder.discard()
            raise
    yield from drive(run, should_stop=should_stop)


def _begin(
    folder: RunFolder,
    brief: Brief,
    library: Searchable | str | Path | None,
    simulator: str | Simulator | None,
    judge: str | Simulator | None,
    writers: Sequence[Writer | str] | None,
    seed: int,
    *,
    keep_picture: bool,
) -> PreparedRun:
    """Every part loaded and checked, the cheap ones first; then the settings on disk."""
    if not 0 <= seed < 2**63:
        raise SettingsError("seed", "must be a whole number, zero or more", value=seed)
    check_picture(brief.content())
    screener_for(brief)
    found = resolve_library(library, brief.metric)
    simulator, judge = held_out_pair(simulator, judge)
    audience = resolve_simulator(simulator)
    second = resolve_judge(judge, audience)
    hired = resolve_writers(writers)
    settings = RunSettings(
        run_id=folder.run_id,
        brief=_lasting(brief, folder if keep_picture else None),
        seed=seed,
        started=datetime.now(UTC),
        simulator=simulator if isinstance(simulator, str) else None,
        identity=audience.identity,
        judge=judge if isinstance(judge, str) else None,
        judge_identity=second.identity if second is not None else None,
        library=str(Path(library).resolve()) if isinstance(library, (str, Path)) else None,
        had_library=found is not None,
        writers=tuple(writer.name for writer in hired),
        scale=found.scale(brief.metric, brief.channel) if found is not None else None,
        evidence=0 if audience.identity.tuned else EVIDENCE,
        warnings=(*library_warnings(found), *unguarded(brief, found), *hard_to_keep(brief)),
    )
    run = _prepare(folder, settings, audience, second, hired, found)
    folder.write_settings(settings)
    return run


def resume(
    run_id: str,
    *,
    store: str | Path | None = None,
    decision: Decision | str | None = "continue",
    library: Searchable | str | Path | None = None,
    simulator: str | Simulator | None = None,
    judge: str | Simulator | None = None,
    writers: Sequence[Writer | str] | None = None,
    on_event: OnEvent | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> OptimizationResult:
    """Go on with a run from its last checkpoint; a finished run gives its result again.

    Parts that were named when the run began are found again by name, and so are shipped checkpoints. Other objects must
    be handed in again: without its simulator or its judge a run does not go on; without its library or a writer it
    does, and its result says so.

    Args:
        decision: The answer to a run that waits for approval: "continue" (another round), "finish" (end with the best
            so far), or a `Decision` with edits, vetoes and comments. None gives the waiting result again, unanswered.

    Raises:
        SettingsError: No such run, its simulator or judge is missing or not the one that it began with, or the decision
            names what does not exist or answers a run that does not wait.
    """
    events = stream_resume(
        run_id,
        store=store,
        decision=decision,
        library=library,
        simulator=simulator,
        judge=judge,
        writers=writers,
        should_stop=should_stop,
    )
    return _last_result(events, on_event)


def stream_resume(
    run_id: str,
    *,
    store: str | Path | None = None,
    decision: Decision | str | None = "continue",
    library: Searchable | str | Path | None = None,
    simulator: str | Simulator | None = None,
    judge: str | Simulator | None = None,
    writers: Sequence[Writer | str] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[RunEvent]:
    """`resume`, step by step. The last event carries the result."""
    said = None if decision is None else Decision.of(decision)
    folder = RunFolder(store, run_id)
    settings = folder.read_settings()
    if said is None and (waiting := still_waiting(folder)) is not None:
        yield waiting_event(waiting)
        return
    audience = resolve_simulator(simulator or settings.simulator or _shipped("simulator", settings.identity))
    _must_be("simulator", audience, settings.identity, "its scores cannot be mixed")
    found = _library_again(library, settings)
    named = judge or settings.judge
    if named is None and settings.judge_identity is not None:
        named = _shipped("judge", settings.judge_identity)
    second = resolve_judge(named, audience)
    if second is not None and settings.judge_identity is not None:  # who may ask until one says yes has no judge
        _must_be("judge", second, settings.judge_identity, "a run keeps its judge, or goes on with none")
    hired = resolve_writers(writers)
    run = _prepare(folder, settings, audience, second, hired, found, missing=_missing(settings, found, hired))
    yield from drive(run, should_stop=should_stop, decision=said)


def _shipped(part: str, identity: SimulatorIdentity) -> str:
    """The name of the shipped checkpoint that was handed in as an object when a run began.

    Raises:
        SettingsError: It was another object, which only its maker can hand in again.
    """
    from lcbm_model.backbone import shipped_checkpoints

    if identity.checkpoint in shipped_checkpoints():
        return identity.checkpoint
    problem = f"the run began with an object of the caller's ({identity.label})"
    remedy = f"Pass the same {part} object again" + (', or "none"' if part == "judge" else "")
    raise SettingsError(part, problem, remedy=remedy)


def _library_again(library: Searchable | str | Path | None, settings: RunSettings) -> Searchable | None:
    """The library of a run that goes on.

    Raises:
        InputError: It cannot be used; where nobody named another, says how to.
    """
    try:
        return resolve_library(library or settings.library, settings.brief.metric)
    except InputError as error:
        if library is not None:
            raise
        problem = f"the one that the run began with cannot be opened: {error.problem}"
        remedy = "Say where it lies now: --library PATH (library=PATH)"
        raise SettingsError("library", problem, value=settings.library, remedy=remedy) from error


def _must_be(part: str, found: Simulator, identity: SimulatorIdentity, why: str) -> None:
    if found.identity != identity:
        problem = f"is not the one that the run began with ({identity.label}); {why}"
        remedy = "Resume with the same checkpoint, or begin a new run"
        raise SettingsError(part, problem, value=found.identity.label, remedy=remedy)


def _missing(settings: RunSettings, library: Searchable | None, writers: tuple[Writer, ...]) -> tuple[str, ...]:
    """What a run that goes on has to do without, in words."""
    told = []
    if settings.had_library and library is None:
        told.append("The library that the run began with was not at hand when it went on: no examples were retrieved.")
    names = {writer.name for writer in writers}
    if gone := [name for name in settings.writers if name not in names]:
        told.append(f"Writers that the run began with were not at hand when it went on: {', '.join(gone)}.")
    return tuple(told)


def score(
    texts: Sequence[str | Content],
    metric: str,
    *,
    channel: str = "post",
    title: str | None = None,
    format: str | None = None,
    image: str | Path | None = None,
    simulator: str | Simulator = "embedded",
    context: Context | None = None,
) -> list[Prediction]:
    """Predicted behaviour for each text or content, in order. An item that fails carries its own error.

    Args:
        title: Of the page or video that plain texts go with.
        format: Their kind of post: one of `lcbm_model.content.FORMATS`, or another word.

    Raises:
        MetricError: Unknown metric.
        InputError: One text, and no list of them.
    """
    get_metric(metric)
    _several(texts)
    contents = _contents(texts, image, channel=channel, title=title, format=format)
    return resolve_simulator(simulator).predict(contents, metric, context)


def compare(
    texts: Sequence[str | Content],
    metric: str,
    *,
    channel: str = "post",
    title: str | None = None,
    format: str | None = None,
    image: str | Path | None = None,
    simulator: str | Simulator = "embedded",
    context: Context | None = None,
) -> list[float]:
    """Probability that each text does best, in order; sums to 1. Title, format and image as for `score`.

    Raises:
        MetricError: Unknown metric.
        PictureError: The picture cannot be used.
        InputError: Fewer than two texts, or one without words and picture.
        BackendError: No text could be scored.
    """
    get_metric(metric)
    _several(texts)
    if len(texts) < 2:
        raise InputError("texts", "a comparison needs at least two", value=list(texts), remedy="Give two or more")
    contents = _contents(texts, image, channel=channel, title=title, format=format)
    for number, content in enumerate(contents, start=1):
        if not content.text.strip() and not content.media:
            raise InputError(
                f"text {number}", "is empty", value=content.text, remedy="Give every text, or leave it out"
            )
    check_picture(contents[0])
    return resolve_simulator(simulator).compare(contents, metric, context)


def _several(texts: Any) -> None:
    """A text is a sequence too, of letters; each of them would be scored.

    Raises:
        InputError: One text, and no list of them.
    """
    if isinstance(texts, (str, bytes, Content)):
        raise InputError("texts", "is a single one, not a list", value=texts, remedy="Put it into a list: [text]")


def _contents(texts: Sequence[str | Content], image: str | Path | None, **setting: Any) -> list[Content]:
    media = seen_media(Path(image) if image else None)
    return [t if isinstance(t, Content) else Content(text=t, media=media, **setting) for t in texts]


def _prepare(
    folder: RunFolder,
    settings: RunSettings,
    simulator: Simulator,
    judge: Simulator | None,
    writers: tuple[Writer, ...],
    library: Searchable | None,
    missing: tuple[str, ...] = (),
) -> PreparedRun:
    brief = settings.brief
    screener, demands = screener_for(brief), demands_of(brief)
    guard = watch_over(brief, library)

    def make_context(cache: ScoreCache, seconds_before: float) -> LoopContext:
        return LoopContext(
            brief=brief,
            seed=settings.seed,
            scorer=Scorer(simulator, brief.metric, cache),
            writers=writers,
            screen=lambda text: tuple(screener.check(text)),
            screen_own=lambda text: tuple(demands(text)),
            critic=critic_for(brief, settings.seed),
            judge=judge,
            library=library,
            scale=settings.scale,
            evidence=settings.evidence,
            guard=guard,
            unchecked_rules=screener.unchecked_rules,
            missing=missing,
            stopwatch=Stopwatch(before=seconds_before),
            memory=cache,
        )

    return PreparedRun(folder=folder, settings=settings, make_context=make_context)


def _lasting(brief: Brief, keeper: RunFolder | None) -> Brief:
    """The picture's path must still hold when another process, elsewhere, resumes the run; `keeper` takes a copy."""
    if brief.picture is None:
        return brief
    picture = keeper.keep_picture(brief.picture) if keeper is not None else brief.picture.resolve()
    return brief.model_copy(update={"picture": picture})


def _last_result(events: Iterator[RunEvent], on_event: OnEvent | None) -> OptimizationResult:
    result: OptimizationResult | None = None
    for event in events:
        if on_event is not None:
            on_event(event)
        result = event.result or result
    assert result is not None, "a drive always ends with a result"
    return result
