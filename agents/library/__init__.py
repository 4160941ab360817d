"""The librarian: a team's own past posts with their results, searchable by meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Retriever"],
        "evidence": ["Evidence"],
        "informed": ["InformedSimulator"],
        "changes": ["Change", "add_posts", "delete_posts"],
        "library": ["Library"],
        "preview": ["Preview", "preview_posts"],
        "records": ["Hit", "Post", "RejectedRow"],
    },
)

if TYPE_CHECKING:
    from agents.library.base import Retriever as Retriever
    from agents.library.changes import Change as Change
    from agents.library.changes import add_posts as add_posts
    from agents.library.changes import delete_posts as delete_posts
    from agents.library.evidence import Evidence as Evidence
    from agents.library.informed import InformedSimulator as InformedSimulator
    from agents.library.library import Library as Library
    from agents.library.preview import Preview as Preview
    from agents.library.preview import preview_posts as preview_posts
    from agents.library.records import Hit as Hit
    from agents.library.records import Post as Post
    from agents.library.records import RejectedRow as RejectedRow
