"""The ways of asking a chat model, over a real HTTP server on loopback that answers well and badly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.writers import ChatModel, ChatWriter, Writer, WritingTask
from agents.writers.answers import parse_answer
from agents.writers.base import NothingUsable, WriterResult
from agents.writers.chat_crossover import Crossover
from agents.writers.chat_edits import EDITS, StructuredEdits
from agents.writers.chat_revision import Revision
from agents.writers.chat_winners import Winners
from agents.writers.chat_writer import Way
from agents.writers.spending import SpendMeter
from lcbm_model.content import Content
from lcbm_model.errors import BackendError
from tests.chat_server import Handler, Server, completion

DRAFT, BEST = "The old headline on onions", "Brown onions, sooner"
WAYS: dict[str, Way] = {w.name: w for w in (StructuredEdits(), Revision(), Winners(), Crossover())}
GOOD: dict[str, list[dict[str, Any]]] = {
    "edits": [
        {"edit": "hook", "of": 0, "text": "Onions, browned by copper"},
        {"edit": "length", "of": 1, "text": "Brown"},
    ],
    "revision": [{"of": 1, "because": "ask", "text": "Why do onions brown sooner?"}],
    "winners": [{"pattern": 0, "text": "Why a copper base browns onions"}],
    "crossover": [{"first": 0, "second": 1, "text": "On onions: brown them sooner"}],
}
PAST = ({"text": "Why a thick base keeps rice loose", "percentile": 90.0}, {"text": "Lost", "percentile": 3.0})
NOBODY = {"of": 99, "edit": "hook", "pattern": 99, "first": 0, "second": 99, "text": "A text of nobody"}
BAD = ({"text": 5}, {"text": "No keys"}, NOBODY, 7, None, [], {"text": "<b>Bold</b>"})
STRATEGIES = {"edits": "edit:hook", "revision": "revision", "winners": "from-winner", "crossover": "crossover"}


def writer(server: Server, way: str, meter: SpendMeter | None = None) -> ChatWriter:
    return ChatWriter(ChatModel(server.url, "m", timeout=5.0, max_retries=0, meter=meter), WAYS[way])


def task(**changes: Any) -> WritingTask:
    fields: dict[str, Any] = {
        "content": Content(text=DRAFT, channel="headline"),
        "metric": "click_rate",
        "message": "Copper browns onions sooner.",
        "best_so_far": (BEST,),
        "critique": "To try: ask a question.",
        "examples": PAST,
    }
    return WritingTask.model_validate({**fields, **changes})


def answered(server: Server, way: str, entries: Any, **changes: Any) -> WriterResult:
    server.reply = completion(json.dumps({"drafts": entries}), usage={"prompt_tokens": 300, "completion_tokens": 40})
    return writer(server, way).write(task(**changes), 8, seed=1)


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_valid_answer_becomes_drafts_with_strategy_and_parent(server: Server, way: str) -> None:
    result = answered(server, way, GOOD[way])
    assert isinstance(writer(server, way), Writer)
    assert [d.text for d in result.drafts] == [entry["text"] for entry in GOOD[way]]
    assert result.drafts[0].writer == f"openai:m/{way}"
    assert result.drafts[0].strategy == STRATEGIES[way]
    assert result.drafts[0].parent in (DRAFT, BEST)
    assert (result.usage.calls, result.usage.tokens, result.usage.dropped) == (1, 340, 0)
    asked = server.asked[0][2]["messages"][1]["content"]
    assert BEST in asked
    assert "exactly 8 entries" in asked


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("bad", BAD, ids=ascii)
def test_malformed_entries_are_dropped_and_counted(server: Server, way: str, bad: Any) -> None:
    if way == "revision" and bad == {"text": "No keys"}:
        bad = {"text": "No keys", "of": "first"}
    result = answered(server, way, [bad, *GOOD[way]])
    assert [d.text for d in result.drafts] == [entry["text"] for entry in GOOD[way]]
    assert result.usage.dropped == (1 if isinstance(bad, dict) else 0)


@pytest.mark.parametrize("way", sorted(WAYS))
def test_what_changed_nothing_is_dropped(server: Server, way: str) -> None:
    same = {"edits": DRAFT, "revision": BEST, "winners": "Why a thick base keeps rice loose", "crossover": DRAFT}[way]
    entry = {"edit": "hook", "of": 0 if way == "edits" else 1, "pattern": 0, "first": 0, "second": 1, "text": same}
    assert answered(server, way, [entry, *GOOD[way]]).usage.dropped == 1


@pytest.mark.parametrize("way", sorted(WAYS))
def test_nonsense_is_a_backend_error_with_a_remedy(server: Server, way: str) -> None:
    server.reply = completion("I cannot help with that.", usage={"prompt_tokens": 400, "completion_tokens": 60})
    with pytest.raises(NothingUsable, match="Check that the model") as caught:
        writer(server, way).write(task(), 3, seed=0)
    assert (caught.value.usage.calls, caught.value.usage.tokens) == (1, 460)  # paid for all the same


@pytest.mark.parametrize(
    ("way", "without"),
    [
        ("edits", {"content": Content(text="", channel="headline"), "best_so_far": ()}),
        ("revision", {"critique": None}),
        ("revision", {"content": Content(text="", channel="headline"), "best_so_far": ()}),
        ("winners", {"examples": ()}),
        ("winners", {"examples": ({"text": "Lost", "percentile": 3.0},)}),
        ("crossover", {"best_so_far": ()}),
    ],
)
def test_without_anything_to_work_on_nobody_is_asked(server: Server, way: str, without: dict[str, Any]) -> None:
    result = writer(server, way).write(task(**without), 4, seed=0)
    assert result.drafts == ()
    assert result.usage.calls == 0
    assert server.asked == []


def test_losers_are_no_winners(server: Server) -> None:
    answered(server, "winners", GOOD["winners"])
    data = server.asked[0][2]["messages"][1]["content"]
    block = json.loads(data.removeprefix("BEGIN DATA\n").split("\nEND DATA\n")[0])
    assert block["winners"] == {"0": "Why a thick base keeps rice loose"}


def test_every_kind_of_edit_is_named_and_no_other_passes(server: Server) -> None:
    entries = [{"edit": kind, "of": 0, "text": f"Onions {kind}"} for kind in EDITS]
    result = answered(server, "edits", [*entries, {"edit": "anything", "of": 0, "text": "Onions otherwise"}])
    assert {d.strategy for d in result.drafts} == {f"edit:{kind}" for kind in EDITS}
    assert result.usage.dropped == 1
    assert set(EDITS) == {"hook", "specificity", "question-statement", "order", "length", "call-to-action", "tone"}


def test_two_ways_share_one_spend_cap(server: Server) -> None:
    server.reply = completion(json.dumps({"x": GOOD["edits"]}), usage={"prompt_tokens": 3000, "completion_tokens": 900})
    meter = SpendMeter(1.0, 10.0, cap=0.06)
    model = ChatModel(server.url, "m", timeout=5.0, max_retries=0, meter=meter)
    edits, winners = (
        ChatWriter(model, WAYS["edits"], max_tokens=1000),
        ChatWriter(model, WAYS["winners"], max_tokens=4000),
    )
    for _ in range(2):
        edits.write(task(), 2, seed=0)
    with pytest.raises(BackendError, match="spend cap"):
        winners.write(task(), 2, seed=0)
    assert 0 < meter.spent <= 0.06


def test_a_model_that_answers_the_same_for_ever_gives_the_same_drafts_and_no_more(server: Server) -> None:
    same = [{"edit": "hook", "of": 0, "text": "Onions, browned by copper"}] * 8
    first = answered(server, "edits", same)
    assert [d.text for d in first.drafts] == ["Onions, browned by copper"]
    assert first.usage.dropped == 7
    again = answered(server, "edits", same)
    assert again == first


def test_only_what_is_asked_for_leaves_the_house(server: Server) -> None:
    def reply(handler: Handler) -> None:
        completion(json.dumps({"x": GOOD["edits"]}))(handler)

    server.reply = reply
    writer(server, "edits").write(task(), 2, seed=0)
    path, headers, asked = server.asked[0]
    assert path == "/v1/chat/completions"
    assert set(asked) <= {"model", "messages", "max_tokens", "temperature", "seed", "response_format"}
    assert headers["authorization"] == "Bearer none"


@pytest.mark.parametrize(
    "answer",
    [
        '<think>The critique names ["hook", "question"].</think>\n{"drafts": [{"text": "Rye bread at six"}]}',
        'Thinking: ["hook"]</think>{"drafts": [{"text": "Rye bread at six"}]}',
        '{"reasoning": ["short hook", "a question"], "drafts": [{"text": "Rye bread at six", "strategy": null}]}',
    ],
)
def test_what_a_model_thought_aloud_is_no_draft(answer: str) -> None:
    drafts, dropped = parse_answer(answer)
    assert ([draft.text for draft in drafts], dropped) == (["Rye bread at six"], 0)
