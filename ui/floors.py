"""The floors below, as the app calls them: a few callables. Tests hand in small fakes, `real_floors` the product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agents.library.records import Hit, Post, RejectedRow
from agents.writers.base import Writer
from lcbm_model.behavior import PercentileScale
from lcbm_model.simulator.base import Simulator
from optimizer.brief import Brief
from optimizer.events import RunEvent


class Searchable(Protocol):
    """What the app needs of a library of past posts."""

    @property
    def posts(self) -> Sequence[Post]: ...

    @property
    def rejected(self) -> Sequence[RejectedRow]: ...

    def search(
        self, query: str, k: int, *, metric: str, min_percentile: float | None = None, channel: str | None = None
    ) -> list[Hit]: ...


Stream = Callable[..., Iterator[RunEvent]]
"""`optimizer.stream(brief, *, library, simulator, judge, writers, seed, store, run_id, keep_picture, should_stop)`."""

Resume = Callable[..., Iterator[RunEvent]]
"""`optimizer.stream_resume(run_id, *, decision, library, simulator, judge, writers, store, should_stop)`.

`decision` has the fields of an `optimizer.Decision`.
"""

Occlude = Callable[..., Sequence[Any]]
"""`agents.occlusion.occlusion(simulator, content, metric, context)`: contributions of words, in percentile points."""

Check = Callable[[Brief, str], Sequence[str]]
"""Why a text breaks the brief's own rules, in words; empty where it keeps them."""


@dataclass(frozen=True)
class Floors:
    """How to make each part. Every callable may take seconds and may raise an `LcbmError`."""

    load_simulator: Callable[[], Simulator]
    load_judge: Callable[[], Simulator | None]
    load_writers: Callable[[Simulator], Sequence[Writer]]
    load_library: Callable[[Path, str], Searchable]
    stream: Stream
    report: Callable[[Any, Path], Path]
    resume: Resume
    occlude: Occlude
    check: Check
    scale: Callable[[Any, Brief], PercentileScale | None]
    """The team's own scale for a brief's metric and channel, from its library."""


def real_floors(simulator: str | None = None, judge: str | None = None) -> Floors:
    """The product's own parts, by the names the command line knows. Nothing heavy is imported before it is asked for.

    Args:
        simulator: Plays the audience.
        judge: A second checkpoint that confirms or refutes. With neither named, the shipped twin models are used.
    """

    def names() -> tuple[Any, Any]:
        from optimizer.defaults import held_out_pair

        return held_out_pair(simulator, judge)

    def load_simulator() -> Simulator:
        from optimizer.parts import resolve_simulator

        return resolve_simulator(names()[0])

    def load_judge() -> Simulator | None:
        from optimizer.parts import resolve_judge

        return resolve_judge(names()[1], load_simulator())

    def load_writers(_: Simulator) -> Sequence[Writer]:
        from agents.writers import load_writers

        return load_writers()

    def load_library(path: Path, metric: str) -> Searchable:
        from agents.library import Library

        return Library.from_file(path, metric=metric)

    def stream(brief: Any, **parts: Any) -> Iterator[RunEvent]:
        import optimizer

        return optimizer.stream(brief, **parts)

    def resume(run_id: str, *, decision: Any, **parts: Any) -> Iterator[RunEvent]:
        from optimizer.api import stream_resume
        from optimizer.decision import Decision

        return stream_resume(run_id, decision=Decision.of(dict(decision)), **parts)

    def occlude(simulator: Simulator, content: Any, metric: str, context: Any = None) -> Sequence[Any]:
        from agents.occlusion import occlusion

        return occlusion(simulator, content, metric, context)

    def check(brief: Brief, text: str) -> Sequence[str]:
        from optimizer.parts import demands_of

        return demands_of(brief)(text)

    def scale(library: Any, brief: Brief) -> PercentileScale | None:
        return library.scale(brief.metric, brief.channel)  # type: ignore[no-any-return]

    def report(result: Any, path: Path) -> Path:
        return Path(result.save(path))

    return Floors(load_simulator, load_judge, load_writers, load_library, stream, report, resume, occlude, check, scale)
