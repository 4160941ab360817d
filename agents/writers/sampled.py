"""A small model's raw samples made into drafts: what strays, repeats, copies or breaks the brief is dropped.

What is kept is what the model wrote (list marks and quotes taken off). Shared by the writers that sample from a
backbone.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.screener import Screener
from agents.screener.folding import collapse
from agents.selector import similarity
from agents.writers.attachment import attached, fact_phrase, stems
from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from agents.writers.cleaning import clean, cut_at_sentence, degenerate
from agents.writers.embedded_prompts import Ask
from lcbm_model.errors import BackendError, LcbmError

if TYPE_CHECKING:
    from lcbm_model.backbone import Backbone
    from lcbm_model.generation import Sample

COPY, REPEAT = 0.8, 0.9
"""Likeness 0..1 above which a text copies a past post, or repeats the draft or another sample."""
GROUNDED = 0.5
"""Least share of a draft's longer words that stand in the brief too."""
FLUENT = -1.7
"""Least mean log-probability of a draft's tokens: below it SmolLM2-135M's lines seldom made sense."""

Generate = Callable[..., "list[list[Sample]]"]
"""Has the signature of `lcbm_model.generation.generate`."""


@dataclass(frozen=True)
class Made:
    """A usable draft and the mean natural log-probability of its tokens."""

    draft: Draft
    fluency: float


class SampledWriter(ABC):
    """Asks a backbone in several ways at once and keeps what can be used. Subclasses say how it is asked.

    Args:
        backbone: From `lcbm_model.backbone.load_backbone()`; None loads the embedded one at the first call.
        oversample: Samples drawn for each draft asked for.
        temperature: Of sampling.
        top_p: Share of probability that tokens are drawn from.
        generate: Another function with the signature of `lcbm_model.generation.generate`.
    """

    name = "sampled"
    reads_advice = False

    def __init__(
        self,
        backbone: Backbone | None = None,
        *,
        oversample: int = 6,
        temperature: float = 0.7,
        top_p: float = 0.92,
        generate: Generate | None = None,
    ) -> None:
        self._backbone, self._generate = backbone, generate
        self.oversample, self.temperature, self.top_p = oversample, temperature, top_p

    @abstractmethod
    def ways(self, task: WritingTask, seed: int) -> list[Ask]:
        """How the model is asked in this call; samples are shared evenly among the ways."""

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        """Up to `n` drafts that pass the brief's own limits, fewer where the model fails. One batch.

        Raises:
            BackendError: The weights cannot be loaded or the model cannot run.
        """
        if n <= 0 or not (ways := self.ways(task, seed)):
            return WriterResult(drafts=(), usage=WriterUsage())
        screener = Screener(task)
        made: list[Made] = []
        samples = self._samples(task, ways, n, seed)
        for ask, sample in samples:
            made += self._usable(task, screener, ask, sample, made)
        chosen = varied(made, n)
        tokens = sum(sample.tokens for _, sample in samples)
        usage = WriterUsage(calls=1, tokens=tokens, dropped=len(samples) - len(chosen))
        return WriterResult(drafts=tuple(entry.draft for entry in chosen), usage=usage)

    def _samples(self, task: WritingTask, ways: Sequence[Ask], n: int, seed: int) -> list[tuple[Ask, Sample]]:
        each = max(-(-n * self.oversample // len(ways)), 8)
        room = min(8 + task.max_length // 4, 80)  # about four characters a token, and some to spare
        try:
            answers = self._ready()(
                self._backbone,
                [ask.prompt for ask in ways],
                each,
                max_new_tokens=room,
                temperature=self.temperature,
                top_p=self.top_p,
                seed=seed,
                start=[ask.start for ask in ways],
            )
        except (LcbmError, ImportError, RuntimeError, MemoryError, ValueError) as error:
            raise BackendError(f"writer {self.name}: the embedded model cannot write: {error}") from error
        return [(ask, answer) for ask, given in zip(ways, answers, strict=True) for answer in given]

    def _ready(self) -> Generate:
        """Loads what is missing, at the first call and not before."""
        if self._generate is None:
            from lcbm_model.generation import generate

            self._generate = generate
            if self._backbone is None:
                from lcbm_model.backbone import load_backbone

                self._backbone = load_backbone()
        return self._generate

    def _usable(
        self, task: WritingTask, screener: Screener, ask: Ask, sample: Sample, made: Sequence[Made]
    ) -> list[Made]:
        """The draft a sample makes, or nothing."""
        if sample.log_likelihood < FLUENT or (ask.start and re.search(r"(?:^|\s)\d{1,2}\.\s", sample.text)):
            return []
        text, strategy = _text(task, ask, sample), ask.strategy
        if len(text.split()) < 3 or degenerate(text) or not _grounded(text, task):
            return []
        if any(similarity(text, example.text) > COPY for example in task.examples):
            return []
        others = [task.content.text, *task.best_so_far, *(entry.draft.text for entry in made)]
        if any(other and similarity(text, other) > REPEAT for other in others):
            return []
        if screener.check(text):
            text, strategy = _with_fact(text, task), f"{strategy}+fact"
            if not text or degenerate(text) or screener.check(text):
                return []
            if any(other and similarity(text, other) > REPEAT for other in others):
                return []
        return [Made(Draft(text=text, writer=self.name, strategy=strategy, parent=ask.parent), sample.log_likelihood)]


def _text(task: WritingTask, ask: Ask, sample: Sample) -> str:
    channel = task.content.channel
    raw = (
        f"{ask.prefix} {sample.text}"
        if ask.prefix and not re.match(r"[,.:;?!'’-]", sample.text)
        else (ask.prefix + sample.text)
    )
    text = _without_echo(clean(raw, channel=channel), ask.prefix)
    if not sample.finished or len(text) > task.max_length:
        # Broken off in mid-sentence: only whole sentences stay.
        text = cut_at_sentence(text, min(task.max_length, len(text) - 1))
    if channel in ("headline", "title", "email_subject") and text.count(".") == 1 and text.endswith("."):
        text = text[:-1]
    return text


def _without_echo(text: str, prefix: str) -> str:
    """Without its end where that is the given beginning again: "In 9 minutes, onions brown in 9 minutes"."""
    body = text.rstrip(".!… ")
    if len(prefix.split()) < 2 or len(body) < 2 * len(prefix) or not body.casefold().endswith(f" {prefix.casefold()}"):
        return text
    return body[: -len(prefix)].rstrip(" ,;:–—-")


def _grounded(text: str, task: WritingTask) -> bool:
    """Whether most longer words come from the brief, and no fact is said twice: a small model's own ideas stray."""
    told = set(stems(" ".join((task.message, task.content.text, task.content.audience or "", *task.must_keep))))
    own = set(stems(text))
    if any(collapse(text).casefold().count(collapse(fact).casefold()) > 1 for fact in task.must_keep if fact.strip()):
        return False
    if not attached(text, task):
        return False
    return len(own & told) >= max(GROUNDED * len(own), 1)


def _with_fact(text: str, task: WritingTask) -> str:
    """The one missing fact set at the end in the words of the brief; empty where that would not read well."""
    missing = [fact for fact in task.must_keep if collapse(fact) not in collapse(text)]
    if len(missing) != 1 or re.search(r"[.:;?!–—,]|\d", text) or len(text.split()) < 3:
        return ""
    phrase = fact_phrase(task, missing[0])
    made = f"{text} {phrase}"
    return made if phrase != collapse(missing[0]) and attached(made, task) else ""


def varied(made: Sequence[Made], n: int) -> list[Made]:
    """The most fluent draft of each way of asking, then the next of each, until there are `n`."""
    ways: dict[str, list[Made]] = {}
    for entry in sorted(made, key=lambda m: (-m.fluency, m.draft.text)):
        ways.setdefault(entry.draft.strategy.partition("+")[0], []).append(entry)
    turns = max((len(entries) for entries in ways.values()), default=0)
    return [entries[i] for i in range(turns) for entries in ways.values() if i < len(entries)][:n]
