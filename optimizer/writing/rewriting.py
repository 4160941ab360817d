"""Writers at work on every draft, and what a small model wrote before anything was filtered out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agents.writers.base import Writer
from agents.writers.cleaning import clean
from agents.writers.content_simulation import ContentSimulationWriter
from agents.writers.registry import load_writers
from agents.writers.sampled import Generate, SampledWriter
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.evaluation.answers import Progress
from optimizer.writing.drafts import Drafted

if TYPE_CHECKING:
    from lcbm_model.backbone import Backbone
    from lcbm_model.generation import Sample

UNFILTERED = "unfiltered"

Texts = list[list[str]]
"""For each story the texts that stand against its draft."""


@dataclass
class Overheard:
    """Generates as it is told, and keeps the samples of the last call. Has `generate`'s signature."""

    generate: Generate
    samples: list[Sample] = field(default_factory=list)

    def __call__(self, *args: Any, **settings: Any) -> list[list[Sample]]:
        answers = self.generate(*args, **settings)
        self.samples = [sample for each in answers for sample in each]
        return answers


@dataclass(frozen=True)
class Pen:
    """A writer under the name its figures get."""

    name: str
    writer: Writer
    backbone: Backbone | None = None
    """What it writes with, where that was chosen for it."""
    heard: Overheard | None = None
    """Of content simulation, whose raw samples are whole texts: no words are put into its mouth."""


@dataclass(frozen=True)
class Written:
    """What one writer made of all drafts."""

    texts: Texts
    raw: Texts | None
    """Samples before any filter; None where the writer has none to show."""
    errors: tuple[str, ...]
    """One for each story in which the writer failed."""


def pens_of(writers: str | Sequence[str | Writer], model: str | Backbone) -> list[Pen]:
    """Writers as they are measured.

    Args:
        writers: Names with commas between them, or names and writers. A writer that the caller made stays as it is.
        model: What named writers sample from; loaded only where one of them does.

    Raises:
        SettingsError: An unknown name, settings that are wrong, none at all, or two of one name.
        CheckpointError: The model's weights are missing or damaged.
    """
    given = [writers] if isinstance(writers, str) else list(writers)
    found = [
        pen
        for one in given
        for pen in (map(_named(model), load_writers(one)) if isinstance(one, str) else (Pen(one.name, one),))
    ]
    names = [pen.name for pen in found]
    if not found or len(set(names)) < len(names):
        problem = "names one writer twice" if found else "names none"
        raise SettingsError("--writers", problem, value=",".join(names), remedy="Name each writer once")
    return found


def _named(model: str | Backbone) -> Callable[[Writer], Pen]:
    """How a writer that was asked for by name is made ready."""

    def ready(writer: Writer) -> Pen:
        if not isinstance(writer, SampledWriter):
            return Pen(writer.name, writer)
        from lcbm_model.backbone import load_backbone
        from lcbm_model.generation import generate

        backbone = load_backbone(model) if isinstance(model, str) else model
        heard = Overheard(generate)
        made = type(writer)(backbone, generate=heard)
        whole = isinstance(made, ContentSimulationWriter)
        return Pen(f"{writer.name} with {backbone.name}", made, backbone, heard if whole else None)

    return ready


def write_all(
    pen: Pen, stories: Sequence[Drafted], rewrites: int, seed: int, progress: Progress | None = None
) -> Written:
    """Up to `rewrites` texts for each draft. A story in which the writer fails gets none."""
    texts, raw, errors = [], [], []
    for number, story in enumerate(stories):
        try:
            result = pen.writer.write(story.task, rewrites, seed=seed + number)
            texts.append([draft.text for draft in result.drafts])
        except BackendError as error:
            texts.append([])
            errors.append(str(error))
        if pen.heard is not None:
            cleaned = [clean(sample.text, channel=story.draft.channel) for sample in pen.heard.samples]
            raw.append([text for text in cleaned if text])
            pen.heard.samples = []
        if progress is not None:
            progress(f"{pen.name}, drafts", number + 1, len(stories))
    return Written(texts, raw if pen.heard is not None else None, tuple(errors))
