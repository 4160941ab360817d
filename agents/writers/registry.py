"""Writers by name: a new one is one file and one line here.

A name may carry its own endpoint: `openai:MODEL@BASE_URL`, `openai-edits:MODEL@BASE_URL`. Several models at once are
several names, or a file (`agents/writers/settings.py`), or `LCBM_WRITERS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agents.writers.base import Writer
from lcbm_model.errors import SettingsError

if TYPE_CHECKING:
    from agents.writers.chat_writer import Way
    from agents.writers.settings import ChatSettings
    from agents.writers.spending import SpendMeter


def _embedded() -> Writer:
    from agents.writers.embedded import EmbeddedWriter

    return EmbeddedWriter()


def _lcbm() -> Writer:
    from agents.writers.content_simulation import ContentSimulationWriter

    return ContentSimulationWriter()


def _edits() -> Writer:
    from agents.writers.edits import EditWriter

    return EditWriter()


def _crossover() -> Writer:
    from agents.writers.crossover import CrossoverWriter

    return CrossoverWriter()


OFFLINE: dict[str, Callable[[], Writer]] = {
    "embedded": _embedded,
    "lcbm": _lcbm,
    "edits": _edits,
    "crossover": _crossover,
}
"""Writers that need no endpoint."""


def _edits_way() -> Way:
    from agents.writers.chat_edits import StructuredEdits

    return StructuredEdits()


def _revision_way() -> Way:
    from agents.writers.chat_revision import Revision

    return Revision()


def _winners_way() -> Way:
    from agents.writers.chat_winners import Winners

    return Winners()


def _crossover_way() -> Way:
    from agents.writers.chat_crossover import Crossover

    return Crossover()


CHAT: dict[str, Callable[[], Way] | None] = {
    "openai": None,
    "openai-edits": _edits_way,
    "openai-revision": _revision_way,
    "openai-winners": _winners_way,
    "openai-crossover": _crossover_way,
}
"""Ways of asking a chat model; None: the plain one, drafts from the brief."""


def writer_names() -> list[str]:
    """Names that `load_writers` takes; those of chat models also with `:MODEL@BASE_URL` behind."""
    return [*OFFLINE, *CHAT]


def load_writers(names: Sequence[str] | str | Path | None = None) -> tuple[Writer, ...]:
    """Writers by name, each once, in the order given. Those of one model have one bill: its prices and its spend cap
    hold for all of them together, whichever names them; all else is each writer's own.

    Args:
        names: Names; or the path of a YAML file of writers. None: what LCBM_WRITERS says (names with commas between
            them, or a path); without it "crossover", "embedded" and "edits", and before them "openai",
            "openai-revision" and "openai-edits" where LCBM_WRITER_BASE_URL is set.

    Raises:
        SettingsError: An unknown name, a writer whose settings are missing or wrong, one that is listed twice in two
            ways, or one model with two prices or caps.
    """
    from agents.writers.settings import ChatSettings, read_file

    given: Sequence[str] | str | Path | None = names
    if given is None:
        given = os.environ.get("LCBM_WRITERS", "").strip() or _by_default()
    if isinstance(given, Path) or (isinstance(given, str) and given.endswith((".yaml", ".yml"))):
        asked = read_file(Path(given))
    else:
        listed = [part.strip() for part in given.split(",")] if isinstance(given, str) else list(given)
        asked = [ChatSettings.of_name(name) for name in dict.fromkeys(listed) if name]
    known: dict[str, ChatSettings] = {}
    for settings in asked:
        if known.setdefault(settings.key, settings) != settings:
            remedy = "Keep one: what a writer brings is counted by its name"
            raise SettingsError("writers", "is listed twice", value=settings.name, remedy=remedy)
    if not known:
        raise SettingsError("writers", "names none", value=names, remedy=f"Use some of: {', '.join(writer_names())}")
    loading = _Loading()
    for settings in known.values():
        loading.state(settings)
    return tuple(loading.writer(settings) for settings in known.values())


def _by_default() -> list[str]:
    configured = bool(os.environ.get("LCBM_WRITER_BASE_URL", "").strip())
    chat = ["openai", "openai-revision", "openai-edits"] if configured else []
    return [*chat, "crossover", "embedded", "edits"]


BILL = ("price_in", "price_out", "spend_cap")
"""Settings that hold for all writers of one model together."""


@dataclass
class _Loading:
    """Bills of the chat models, by address and name: what is stated about each, and the meters made so far."""

    stated: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    meters: dict[tuple[str, str], SpendMeter] = field(default_factory=dict)

    def state(self, settings: ChatSettings) -> None:
        """Note what an entry says of its model's bill.

        Raises:
            SettingsError: Another entry says otherwise.
        """
        if settings.name not in CHAT:
            return
        bill = self.stated.setdefault(settings.asked, {})
        for name in BILL:
            if (value := getattr(settings, name)) is not None and bill.setdefault(name, value) != value:
                problem = f"the writers of {settings.asked[1]!r} share one bill, and state {bill[name]} too"
                raise SettingsError(f"writers: {name}", problem, value=value, remedy="State it once")

    def writer(self, settings: ChatSettings) -> Writer:
        name = settings.name
        if name in OFFLINE:
            if settings.endpoint_given:
                raise SettingsError("writers", "needs no endpoint", value=settings.key, remedy=f"Write {name!r}")
            return OFFLINE[name]()
        if name not in CHAT:
            remedy = f"Use some of: {', '.join(writer_names())}"
            raise SettingsError("writers", "unknown writer", value=name, remedy=remedy)
        from agents.writers.chat_writer import ChatWriter
        from agents.writers.openai_compatible import OpenAIWriter

        plain = OpenAIWriter(**settings.arguments() | self.stated[settings.asked])
        plain.meter = plain.chat.meter = self.meters.setdefault(settings.asked, plain.meter)
        way = CHAT[name]
        return plain if way is None else ChatWriter(plain.chat, way(), max_tokens=settings.max_tokens)
