"""Content simulation: write for a stated standing, rewrite the weaker arm into the stronger, find the 1 of 25."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from rapidfuzz import fuzz

from lcbm_model.content import Content
from lcbm_model.corpus.pairs import arm_pairs, stable_hash
from lcbm_model.corpus.record import Record, Split
from lcbm_model.metrics import get_metric
from lcbm_model.tasks.base import VOCABULARY, Family, TextExample
from lcbm_model.tasks.families.behavior_simulation import replay_values
from lcbm_model.tasks.prompts import choice_prompt, speech_prompt
from lcbm_model.verbalize import content_prompt, rewrite_prompt

N_CHOICES = 25
CLEAR_Z = 1.3
"""Arms that differ by less teach a rewrite that may make things worse."""
MIN_LIKENESS = 50.0
"""rapidfuzz `token_set_ratio` a rewrite must reach. 95 % of unrelated headlines stay below: arms of one test often tell
different sides of a story, and such a pair would teach to change the facts."""


class WriteTask:
    """Write the text that lands at the percentile which this one reached, from its setting alone."""

    name = "content_write"
    family: Family = "content_simulation"
    metric = "loss_per_token"
    chance = math.log(VOCABULARY)

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[TextExample]:
        """One for each record with words and a standing, by its first ranked metric; streams."""
        for record in records:
            ranked = next((o for o in record.observations if o.percentile is not None and o.metric != "replay"), None)
            if record.split != split or ranked is None or not record.content.text.strip():
                continue
            assert ranked.percentile is not None
            prompt = content_prompt(with_lede(record), get_metric(ranked.metric), ranked.percentile)
            answer, weight = one_line(record.content.text), max(record.weight, 0.01)
            yield TextExample(prompt, answer, weight, record_id=record.id, groups=(record.group,))


class RewriteTask:
    """Turn the weaker arm of a randomised test into the stronger one.

    Only arms that clearly differ (z > 1.3) and that say the same in other words, since facts are to be kept.
    """

    name = "content_rewrite"
    family: Family = "content_simulation"
    metric = "loss_per_token"
    chance = math.log(VOCABULARY)

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[TextExample]:
        """One for each clear pair; holds the split's arms in memory."""
        kept = [r for r in records if r.split == split and r.arms is not None]
        for metric in dict.fromkeys(o.metric for r in kept for o in r.observations):
            for pair in arm_pairs(kept, metric):
                first, second = (r.content.text.lower() for r in (pair.first, pair.second))
                if abs(pair.z) < CLEAR_Z or fuzz.token_set_ratio(first, second) < MIN_LIKENESS:
                    continue
                strong, weak = (pair.first, pair.second) if pair.z > 0 else (pair.second, pair.first)
                prompt = rewrite_prompt(with_lede(weak), get_metric(metric))
                yield TextExample(
                    prompt,
                    one_line(strong.content.text),
                    pair.weight,
                    record_id=f"{weak.id}>{strong.id}",
                    groups=(weak.group, strong.group),
                )


class ChoiceTask:
    """Which of 25 texts belongs into this setting at this standing? For videos: which speech into this scene?

    The others come from the same source, from other groups, so that the setting can tell them apart. Records whose
    setting tells nothing of their own (no picture, title, topic or scenes) are passed over.
    """

    name = "content_choice"
    family: Family = "content_simulation"
    metric = "accuracy"
    chance = 1 / N_CHOICES

    def examples(self, records: Iterable[Record], split: Split, seed: int = 0) -> Iterator[TextExample]:
        """One for each fitting record; holds the split's records in memory."""
        sources: dict[str, list[tuple[Record, TextExample]]] = {}
        for record in records:
            made = self._question(record, seed) if record.split == split else None
            if made is not None:
                sources.setdefault(record.source, []).append((record, made))
        for members in sources.values():
            for record, made in members:
                others = self._others(record, made.answer, members, seed)
                if others:
                    yield replace(made, choices=others)

    def _question(self, record: Record, seed: int) -> TextExample | None:
        replay = replay_values(record)
        if replay:
            spoken = [i for i, s in enumerate(record.content.scenes) if s.speech]
            if not spoken:
                return None
            scene = spoken[stable_hash(f"{seed}/{record.id}") % len(spoken)]
            speech = record.content.scenes[scene].speech or ""
            prompt = speech_prompt(record.content, list(replay), scene)
            return TextExample(prompt, one_line(speech), 1.0, record_id=record.id, groups=(record.group,))
        content = with_lede(record)
        ranked = next((o for o in record.observations if o.percentile is not None), None)
        telling = content.media or content.title or content.topic or content.scenes
        if ranked is None or ranked.percentile is None or not telling or not content.text.strip():
            return None
        prompt = choice_prompt(content, get_metric(ranked.metric), ranked.percentile)
        answer, weight = one_line(content.text), max(record.weight, 0.01)
        return TextExample(prompt, answer, weight, record_id=record.id, groups=(record.group,))

    def _others(
        self, record: Record, answer: str, members: list[tuple[Record, TextExample]], seed: int
    ) -> tuple[str, ...] | None:
        """The answer among 24 distinct others, shuffled; None where the source is too small."""
        draw = np.random.default_rng(np.random.SeedSequence([seed, stable_hash(record.id)]))
        texts = {answer}
        for i in draw.integers(len(members), size=20 * N_CHOICES).tolist():
            other, made = members[i]
            if other.group != record.group:
                texts.add(made.answer)
            if len(texts) == N_CHOICES:
                order = sorted(texts)
                draw.shuffle(order)
                return tuple(order)
        return None


def one_line(text: str) -> str:
    """Text with its whitespace run together: answers are one line."""
    return " ".join(text.split())


def with_lede(record: Record) -> Content:
    """The content, told what it is about where the source keeps that apart (an Upworthy story's lede)."""
    lede = record.labels.get("lede")
    return record.content.model_copy(update={"topic": lede}) if lede and not record.content.topic else record.content
