"""From what a caller names to the parts of a run: simulator, judge, writers, library, screen, critic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agents.library.records import Hit
from agents.occlusion import Contribution
from agents.screener.folding import text_key
from agents.writers.base import Writer
from lcbm_model.content import Content
from lcbm_model.errors import BriefError, SettingsError
from lcbm_model.simulator.base import Simulator
from optimizer.brief import Brief
from optimizer.decision import HUMAN
from optimizer.loop.context import Critic, Guard, Searchable
from optimizer.loop.task import task_of
from optimizer.result import Candidate

if TYPE_CHECKING:
    from agents.library import Library
    from agents.screener import Screener

EVIDENCE = 4
"""Past results shown to an untuned simulator: the only behaviour it ever sees. A tuned one is asked as it was tuned."""

ROWS_NAMED = 3
"""Rejected rows of a library that are named one by one."""

COMPARABLE = 4
"""Scored drafts below which the critic has nothing to compare."""


def resolve_simulator(simulator: str | Simulator) -> Simulator:
    """A simulator by name, with the user's score cache under it; an object is taken as it is.

    Raises:
        SettingsError: No such simulator, or a wrong setting of the cache.
        CheckpointError: Its weights cannot be loaded.
    """
    if isinstance(simulator, str):
        from lcbm_model.simulator import load_simulator
        from lcbm_model.simulator.score_cache import with_score_cache

        return with_score_cache(load_simulator(simulator))
    return simulator


def resolve_judge(judge: str | Simulator | None, simulator: Simulator) -> Simulator | None:
    """The held-out judge, none of whose weights may be in the simulator that the loop optimises against. None or
    "none": nobody.

    Raises:
        SettingsError: Nothing has that name, or judge and simulator have a checkpoint in common.
    """
    if judge is None or judge == "none":
        return None
    from lcbm_model.simulator.weights import weights_of

    try:
        found = resolve_simulator(judge)
    except SettingsError as error:
        if error.where != "model":
            raise
        raise SettingsError("judge (--judge, LCBM_JUDGE)", error.problem, value=judge, remedy=error.remedy) from error
    if weights_of(found) & weights_of(simulator):
        remedy = "Name another checkpoint, or none"
        problem = "is, or holds, a model that the loop optimises against, so it cannot judge"
        raise SettingsError("judge", problem, value=found.identity.checkpoint, remedy=remedy)
    return found


def resolve_writers(writers: Sequence[Writer | str] | None) -> tuple[Writer, ...]:
    """The given writers, names among them loaded; else the configured ones.

    Raises:
        SettingsError: No writer is left, or something is neither a writer nor the name of one.
    """
    from agents.writers import load_writers

    given = load_writers() if writers is None else [writers] if isinstance(writers, str) else writers
    found = [one for part in given for one in (load_writers(part) if isinstance(part, str) else [part])]
    if odd := next((one for one in found if not isinstance(one, Writer)), None):
        remedy = "Give writers (agents.writers), or their names: 'edits', 'embedded', ..."
        raise SettingsError("writers", "holds what is no writer", value=odd, remedy=remedy)
    writers = found
    if not writers:
        raise SettingsError("writers", "is empty", value=[], remedy="Configure at least one writer")
    names = [writer.name for writer in writers]
    if HUMAN in names:
        raise SettingsError("writers", "that name is kept for people's own wordings", value=HUMAN, remedy="Rename it")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        remedy = "Give each its own name: what they bring is counted by it"
        raise SettingsError("writers", "several have one name", value=twice[0], remedy=remedy)
    return tuple(writers)


def resolve_library(library: Searchable | str | Path | None, metric: str) -> Searchable | None:
    """A library by path (a built folder, or a CSV / JSONL / Parquet file), or the object itself.

    Raises:
        LibraryError, TableError: It cannot serve as a library for `metric`.
    """
    if isinstance(library, (str, Path)):
        return open_library(Path(library), metric)
    return library


def open_library(path: Path, metric: str | None = None) -> Library:
    """A built folder, or a library made of a table of posts.

    Raises:
        LibraryError, TableError, MetricError: It cannot serve as a library for `metric`.
    """
    from agents.library import Library

    return Library.open(path) if path.is_dir() else Library.from_file(path, metric=metric)


def library_warnings(library: Searchable | None) -> list[str]:
    """Rows that a library left out, so that nobody wonders where a post has gone."""
    rejected = list(getattr(library, "rejected", ()))
    if not rejected:
        return []
    first = "; ".join(f"row {r.row}, {r.column}: {r.problem} (got {r.value!r})" for r in rejected[:ROWS_NAMED])
    more = f"; and {len(rejected) - ROWS_NAMED} more" if len(rejected) > ROWS_NAMED else ""
    return [f"The library left out {len(rejected)} row{'s' * (len(rejected) > 1)}: {first}{more}."]


def screener_for(brief: Brief) -> Screener:
    """The brief's hard limits, ready to check texts.

    Raises:
        BriefError: The brief demands what no text can meet together.
    """
    from agents.screener import Screener

    screener = Screener(task_of(brief))
    if clashes := screener.contradictions():
        raise BriefError("brief", f"asks for what cannot be: {'; '.join(clashes)}", remedy="Drop one of the demands")
    return screener


def demands_of(brief: Brief) -> Callable[[str], list[str]]:
    """The part of the hard limits that a person's own wording is held to as well."""
    return screener_for(brief.model_copy(update={"keep_figures": False})).demands


def hard_to_keep(brief: Brief) -> list[str]:
    """What has to be said of demands that the brief's own words do not meet: few writers will."""
    given = text_key(f"{brief.draft or ''} {brief.message} {brief.title or ''}")
    apart = [text for text in (*brief.must_keep, *brief.required_words) if text_key(text) not in given]
    if not apart:
        return []
    named = ", ".join(repr(text) for text in apart)
    return [
        f"Neither message nor draft holds what every draft must: {named}. Drafts without it are left out; if none is "
        "left, put it into the message."
    ]


def watch_over(brief: Brief, library: Searchable | None) -> Guard | None:
    """The guard of a run: drift in meaning, and distance to what the library knows. None where nothing can be checked.

    The embedder is the library's own, else the packaged one; with `least_meaning: 0` and no library none is loaded.
    """
    from agents.guard import guard_for

    embedder = getattr(library, "embedder", None)
    if embedder is None and brief.least_meaning > 0 and not unguarded(brief, library):
        from agents.embedder import load_embedder

        embedder = load_embedder()
    if embedder is None:
        return None
    return guard_for(
        brief.draft or "", brief.message, embedder=embedder, known=library, least_meaning=brief.least_meaning
    )


def unguarded(brief: Brief, library: Searchable | None) -> list[str]:
    """What has to be said where nobody watches the drafts' meaning."""
    from lcbm_model.errors import CheckpointError

    if brief.least_meaning == 0 or getattr(library, "embedder", None) is not None:
        return []
    try:
        from agents.embedder import load_embedder

        load_embedder()
    except CheckpointError as error:
        return [f"Nobody checks that drafts keep to the meaning: {error}"]
    return []


def critic_for(brief: Brief, seed: int) -> Critic:
    """Advice to writers from what was scored; None while there is too little to compare."""
    from agents.critic import critique

    def critic(candidates: list[Candidate], hits: list[Hit], parts: list[Contribution]) -> str | None:
        scored = [(c.text, c.score) for c in candidates if c.score is not None and not c.rejected]
        if len(scored) < COMPARABLE:
            return None
        return critique(
            scored,
            hits,
            must_keep=brief.kept,
            rules=brief.rules,
            seed=seed,
            contributions=parts,
            others={o.label: _scores(candidates, o.label) for o in brief.objectives},
        )

    return critic


def _scores(candidates: list[Candidate], label: str) -> list[tuple[str, float]]:
    """Texts and expected percentiles on a further objective."""
    answers = [(c.text, c.predictions.get(label)) for c in candidates if not c.rejected]
    return [(text, p.expected) for text, p in answers if p is not None and p.expected is not None]


def check_picture(content: Content) -> None:
    """Open every picture once, so that a bad one ends the run before anything is spent.

    Raises:
        PictureError: Missing, truncated, too large or no picture.
    """
    from lcbm_model.vision.images import open_picture

    for media in content.media:
        if media.kind == "image":
            open_picture(media.path)
