"""The workers that the optimisation loop hires: librarian, writers, screener.

The import name `agents` is also that of the openai-agents package: the two cannot live in one environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "embedder": ["Embedder", "load_embedder"],
        "library": ["Hit", "Library", "Post", "RejectedRow", "Retriever"],
        "screener": ["Screener"],
        "writers": ["EmbeddedWriter", "OpenAIWriter"],
        "writers.base": ["Draft", "Writer", "WriterResult", "WriterUsage", "WritingExample", "WritingTask"],
    },
)

if TYPE_CHECKING:
    from agents.embedder import Embedder as Embedder
    from agents.embedder import load_embedder as load_embedder
    from agents.library import Hit as Hit
    from agents.library import Library as Library
    from agents.library import Post as Post
    from agents.library import RejectedRow as RejectedRow
    from agents.library import Retriever as Retriever
    from agents.screener import Screener as Screener
    from agents.writers import EmbeddedWriter as EmbeddedWriter
    from agents.writers import OpenAIWriter as OpenAIWriter
    from agents.writers.base import Draft as Draft
    from agents.writers.base import Writer as Writer
    from agents.writers.base import WriterResult as WriterResult
    from agents.writers.base import WriterUsage as WriterUsage
    from agents.writers.base import WritingExample as WritingExample
    from agents.writers.base import WritingTask as WritingTask
