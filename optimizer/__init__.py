"""Content optimisation for campaign scripts. Flat public face over private modules; nothing heavy until it is used.

from optimizer import Brief, Library, optimize
result = optimize(Brief.load("brief.yaml"), library=Library.from_csv("our_posts.csv"))
"""

from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    from agents.library import Library
    from optimizer.api import compare, optimize, resume, score, stream, stream_resume
    from optimizer.brief import Brief, Budget, Objective
    from optimizer.decision import Decision
    from optimizer.events import RunEvent
    from optimizer.result import OptimizationResult

_own_getattr, _own_dir, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "api": ["compare", "optimize", "resume", "score", "stream", "stream_resume"],
        "brief": ["Brief", "Budget", "Objective"],
        "decision": ["Decision"],
        "events": ["RunEvent"],
        "result": ["OptimizationResult"],
    },
)

__all__ = [
    "Brief",
    "Budget",
    "Decision",
    "Library",
    "Objective",
    "OptimizationResult",
    "RunEvent",
    "compare",
    "optimize",
    "resume",
    "score",
    "stream",
    "stream_resume",
]


def __getattr__(name: str) -> Any:
    if name == "Library":  # lives one floor down; named here because campaign scripts begin with it
        from agents.library import Library

        return Library
    return _own_getattr(name)


def __dir__() -> list[str]:
    return list(__all__)
