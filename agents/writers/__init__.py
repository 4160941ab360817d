"""Writers: one small file each behind the `Writer` protocol of `base.py`.

`embedded` continues lists of past winners with the packaged language model, `content_simulation` asks the model as it
was trained to write, `edits` and `crossover` work by rule without a model. `openai_compatible` asks any
OpenAI-compatible chat endpoint for drafts; `chat_writer` asks it in other ways: `chat_edits`, `chat_revision`,
`chat_winners`, `chat_crossover`. `load_writers` picks them by name.
"""

from typing import TYPE_CHECKING

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "base": ["Draft", "Writer", "WriterResult", "WriterUsage", "WritingExample", "WritingTask"],
        "chat_model": ["ChatModel"],
        "chat_writer": ["ChatWriter"],
        "content_simulation": ["ContentSimulationWriter"],
        "crossover": ["CrossoverWriter"],
        "edits": ["EditWriter"],
        "embedded": ["EmbeddedWriter"],
        "openai_compatible": ["OpenAIWriter"],
        "registry": ["load_writers", "writer_names"],
    },
)

if TYPE_CHECKING:
    from agents.writers.base import Draft as Draft
    from agents.writers.base import Writer as Writer
    from agents.writers.base import WriterResult as WriterResult
    from agents.writers.base import WriterUsage as WriterUsage
    from agents.writers.base import WritingExample as WritingExample
    from agents.writers.base import WritingTask as WritingTask
    from agents.writers.chat_model import ChatModel as ChatModel
    from agents.writers.chat_writer import ChatWriter as ChatWriter
    from agents.writers.content_simulation import ContentSimulationWriter as ContentSimulationWriter
    from agents.writers.crossover import CrossoverWriter as CrossoverWriter
    from agents.writers.edits import EditWriter as EditWriter
    from agents.writers.embedded import EmbeddedWriter as EmbeddedWriter
    from agents.writers.openai_compatible import OpenAIWriter as OpenAIWriter
    from agents.writers.registry import load_writers as load_writers
    from agents.writers.registry import writer_names as writer_names
