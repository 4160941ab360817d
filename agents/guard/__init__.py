"""The guard: keeps the loop from optimising the simulator instead of the audience.

`guard.py` checks drafts: how far their meaning is from the brief (`meaning.py`), and whether they lie outside what
the team's library knows (`known.py`). `debias.py` takes out of scores what only follows length and format. Facts to
the letter are the screener's business.
"""

from typing import TYPE_CHECKING

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "debias": ["LengthDebias"],
        "finding": ["GuardFinding"],
        "guard": ["LEAST_MEANING", "Guard", "guard_for"],
        "known": ["KnownPosts"],
        "meaning": ["MeaningScale"],
    },
)

if TYPE_CHECKING:
    from agents.guard.debias import LengthDebias as LengthDebias
    from agents.guard.finding import GuardFinding as GuardFinding
    from agents.guard.guard import LEAST_MEANING as LEAST_MEANING
    from agents.guard.guard import Guard as Guard
    from agents.guard.guard import guard_for as guard_for
    from agents.guard.known import KnownPosts as KnownPosts
    from agents.guard.meaning import MeaningScale as MeaningScale
