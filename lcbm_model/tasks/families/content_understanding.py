"""Content understanding: is a headline clickbait, and how does a picture make people feel?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lcbm_model.corpus.record import Record, Split
from lcbm_model.tasks.base import Family, TextExample
from lcbm_model.tasks.prompts import label_prompt

_AFFECT: dict[str, tuple[str, tuple[str, str, str]]] = {
    "valence": ("How does it feel to look at it?", ("unpleasant", "neutral", "pleasant")),
    "arousal": ("How much does it stir people?", ("calm", "moderate", "exciting")),
}


class ClickbaitTask:
    """Is this headline clickbait? yes or no."""

    name = "understand_clickbait"
    family: Family = "content_understanding"
    metric = "accuracy"
    chance = 0.5

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[TextExample]:
        """One for each record with the label; streams."""
        for record in records:
            label = record.labels.get("clickbait")
            if record.split == split and label in ("yes", "no"):
                prompt = label_prompt(record.content, "Is it clickbait?", ("yes", "no"))
                yield TextExample(prompt, label, record.weight, ("yes", "no"), record.id, groups=(record.group,))


class AffectTask:
    """Is a picture unpleasant, neutral or pleasant; calm, moderate or exciting? Thirds of the source's ranks."""

    name = "understand_affect"
    family: Family = "content_understanding"
    metric = "accuracy"
    chance = 1 / 3

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[TextExample]:
        """One for each affect measured on a record; streams."""
        for record in records:
            if record.split != split:
                continue
            for metric, (question, choices) in _AFFECT.items():
                seen = record.observation(metric)
                if seen is not None and seen.percentile is not None:
                    answer = choices[min(int(seen.percentile * 3 / 100), 2)]
                    prompt = label_prompt(record.content, question, choices)
                    weight, name = max(record.weight, 0.01), f"{record.id}/{metric}"
                    yield TextExample(prompt, answer, weight, choices, name, groups=(record.group,))
