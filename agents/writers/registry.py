"""Writers by name: a new one is one file and one line here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from agents.writers.base import Writer
from lcbm_model.errors import SettingsError


def _embedded() -> Writer:
    from agents.writers.embedded import EmbeddedWriter

    return EmbeddedWriter()


def _edits() -> Writer:
    from agents.writers.edits import EditWriter

    return EditWriter()


def _openai() -> Writer:
    from agents.writers.openai_compatible import OpenAIWriter

    return OpenAIWriter()


WRITERS: dict[str, Callable[[], Writer]] = {"embedded": _embedded, "edits": _edits, "openai": _openai}


def writer_names() -> list[str]:
    """Names that `load_writers` takes."""
    return list(WRITERS)


def load_writers(names: Sequence[str] | None = None) -> tuple[Writer, ...]:
    """Writers by name, each once, in the order given.

    Args:
        names: None: embedded and edits, and openai before them where LCBM_WRITER_BASE_URL is set.

    Raises:
        SettingsError: An unknown name, or a writer whose settings are missing or wrong.
    """
    if names is None:
        configured = bool(os.environ.get("LCBM_WRITER_BASE_URL", "").strip())
        names = [*(["openai"] if configured else []), "embedded", "edits"]
    for name in names:
        if name not in WRITERS:
            raise SettingsError("writers", "unknown writer", value=name, remedy=f"Use some of: {', '.join(WRITERS)}")
    return tuple(WRITERS[name]() for name in dict.fromkeys(names))
