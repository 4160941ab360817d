"""Content simulation: the prompts are the trained ones, and what comes back is filtered as any writer's is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.screener import Screener
from agents.writers import ContentSimulationWriter, Writer, WritingTask
from lcbm_model.content import Content
from lcbm_model.generation import Sample
from lcbm_model.metrics import get_metric
from lcbm_model.verbalize import Prompt, content_prompt, rewrite_prompt

MESSAGE = "Our new pan browns onions in 9 minutes because copper spreads heat evenly."


def task(**changes: object) -> WritingTask:
    content = Content(text="The new pan browns onions in 9 minutes", channel="headline")
    fields: dict[str, object] = {"content": content, "metric": "click_rate", "message": MESSAGE, "max_length": 90}
    return WritingTask.model_validate({**fields, "must_keep": ("9 minutes",), **changes})


class Scripted:
    def __init__(self, *lines: str) -> None:
        self.lines = lines
        self.prompts: list[Any] = []

    def __call__(self, backbone: Any, prompts: Sequence[Any], n: int, **settings: Any) -> list[list[Sample]]:
        self.prompts += prompts
        return [[Sample(line, tokens=6, log_likelihood=-0.5, finished=True) for line in self.lines] for _ in prompts]


def test_the_prompts_are_those_of_training() -> None:
    told = task(examples=({"text": "Why a thick base keeps rice loose", "percentile": 90.0},))
    ways = ContentSimulationWriter().ways(told, seed=0)
    metric, about = get_metric("click_rate"), told.content.model_copy(update={"topic": MESSAGE})
    assert [ask.strategy for ask in ways] == ["percentile", "percentile-known", "stronger"]
    assert ways[0].prompt == content_prompt(about, metric, 95)
    assert isinstance(ways[1].prompt, Prompt)
    assert "landed at 9" in ways[1].prompt.text
    assert "lands at 9 of 0..9" in ways[1].prompt.text
    plain = ContentSimulationWriter().ways(task(), seed=0)
    assert plain[-1].prompt == rewrite_prompt(about, metric)


def test_the_best_so_far_are_rewritten_too_and_a_topic_of_the_brief_stays() -> None:
    told = task(best_so_far=("Copper browns onions", "Heat, evenly"), content=Content(text="Old", topic="kitchens"))
    ways = ContentSimulationWriter().ways(told, seed=0)
    assert [ask.parent for ask in ways if ask.strategy == "stronger"] == ["Old", "Copper browns onions", "Heat, evenly"]
    assert all(isinstance(ask.prompt, Prompt) and '"kitchens"' in ask.prompt.text for ask in ways)


def test_drafts_pass_the_brief_and_strays_are_counted() -> None:
    model = Scripted("Copper browns your onions in 9 minutes", "Onions for 7 euros in 9 minutes", "Stock markets fell")
    writer = ContentSimulationWriter(generate=model)
    result = writer.write(task(), 8, seed=0)
    assert isinstance(writer, Writer)
    assert [d.text for d in result.drafts] == ["Copper browns your onions in 9 minutes"]
    assert result.drafts[0].writer == "lcbm"
    assert result.usage.dropped == 3 * len(model.prompts) - 1
    assert Screener(task()).check(result.drafts[0].text) == []
