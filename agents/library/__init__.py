"""The librarian: a team's own past posts with their results, searchable by meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Retriever"],
        "library": ["Library"],
        "records": ["Hit", "Post", "RejectedRow"],
    },
)

if TYPE_CHECKING:
    from agents.library.base import Retriever as Retriever
    from agents.library.library import Library as Library
    from agents.library.records import Hit as Hit
    from agents.library.records import Post as Post
    from agents.library.records import RejectedRow as RejectedRow
