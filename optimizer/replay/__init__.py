"""Replay: the loop chooses among arms that were really run, so that its pick has a true outcome."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "choosing": ["Replayed", "choose"],
        "runner": ["replay"],
        "stories": ["Arm", "Story", "stories_of"],
    },
)
