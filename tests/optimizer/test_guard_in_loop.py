"""The guard's word in a run: drift is refused, doubt is scored and never chosen, the best is explained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import agents.embedder
from agents.guard import LEAST_MEANING, GuardFinding
from lcbm_model.errors import CheckpointError
from optimizer import Brief, Budget, OptimizationResult, api
from optimizer.parts import unguarded, watch_over
from tests.agents.hashing_embedder import HashingEmbedder
from tests.fakes import FakeSimulator, FakeWriter
from tests.optimizer.parts import FakeLibrary, bakery, run

TEXTS = (
    "Rye bread at dawn, warm",
    "Copper pans for everybody in the house",
    "Rye bread nobody has ever seen before, warm",
)


class FakeGuard:
    """Refuses what speaks of copper, doubts what nobody has seen."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def check(self, texts: Sequence[str]) -> list[GuardFinding]:
        self.asked.append(list(texts))
        return [
            GuardFinding(
                meaning=0.2 if "Copper" in text or text == "Rye bread" else 0.8,
                reasons=("drifts from what is to be said",) if "Copper" in text or text == "Rye bread" else (),
                doubt="unlike anything known" if "nobody" in text else None,
            )
            for text in texts
        ]


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[OptimizationResult, FakeGuard]:
    guard = FakeGuard()
    monkeypatch.setattr(api, "watch_over", lambda brief, library: guard)
    brief = bakery(banned_words=("cheap",), budget={"rounds": 1, "candidates": 4})
    return run(tmp_path, brief, writers=[FakeWriter(texts=(*TEXTS, "Cheap rye"))]), guard


def test_drift_is_refused_and_costs_nothing(guarded: tuple[OptimizationResult, FakeGuard]) -> None:
    result, guard = guarded
    drifted = next(c for c in result.candidates if "Copper" in c.text)
    assert drifted.rejected == ("drifts from what is to be said",)
    assert drifted.prediction is None
    assert drifted.guard is not None
    assert drifted.guard.meaning == 0.2
    assert guard.asked == [["Rye bread"], list(TEXTS)]  # what the screener refused is not looked at
    assert next(c for c in result.candidates if c.text == "Cheap rye").guard is None


def test_the_original_is_the_measure_of_drift_and_cannot_drift(guarded: tuple[OptimizationResult, FakeGuard]) -> None:
    original = guarded[0].original
    assert original is not None
    assert original.rejected == ()
    assert original.score is not None


def test_a_draft_in_doubt_is_scored_and_never_chosen(guarded: tuple[OptimizationResult, FakeGuard]) -> None:
    result, _ = guarded
    doubtful = next(c for c in result.candidates if "nobody" in c.text)
    assert doubtful.doubt == "unlike anything known"
    assert doubtful.score is not None
    assert doubtful.score == max(c.score for c in result.candidates if c.score is not None)
    assert result.best is not None
    assert result.best.text == TEXTS[0]
    assert doubtful.id not in result.slate
    assert result.ranked[-1].id == doubtful.id
    assert any("1 draft lies outside what the library knows" in w for w in result.warnings)


# Which guard a run gets -----------------------------------------------------------------------------------------------


def test_the_default_is_the_measured_one() -> None:
    assert Brief(message="a").least_meaning == LEAST_MEANING


def test_a_run_that_asks_for_no_check_loads_no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents.embedder, "load_embedder", lambda _=None: pytest.fail("loaded"))
    assert watch_over(bakery(least_meaning=0), None) is None
    assert unguarded(bakery(least_meaning=0), FakeLibrary()) == []


def test_the_embedder_watches_over_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents.embedder, "load_embedder", lambda _=None: HashingEmbedder())
    guard = watch_over(bakery(least_meaning=0.3), None)
    assert guard is not None
    same, other = guard.check(["We bake rye bread every morning", "Zebras jump quickly"])
    assert same.reasons == ()
    assert other.reasons


def test_a_missing_embedder_is_said_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object = None) -> None:
        raise CheckpointError("embedder", "sentence-transformers is not installed")

    monkeypatch.setattr(agents.embedder, "load_embedder", missing)
    result = run(tmp_path, bakery(least_meaning=0.4))
    assert result.status == "finished"
    assert any("Nobody checks that drafts keep to the meaning" in w for w in result.warnings)


# Why the best draft scores as it does ---------------------------------------------------------------------------------

PARTS = "Rye bread at dawn, warm from the oven, because you sleep while we bake"


def test_the_best_is_explained_within_the_budget(tmp_path: Path) -> None:
    writer = FakeWriter(texts=[PARTS])
    simulator = FakeSimulator()
    result = run(tmp_path / "a", bakery(budget={"rounds": 1}), simulator=simulator, writers=[writer])
    assert result.best is not None
    assert result.best.text == PARTS
    assert result.why
    assert all(part.start is not None and PARTS[part.start : part.end] == part.text for part in result.why)
    assert all(part.effect > 0 for part in result.why)  # the fake likes length, so every part helps
    assert result.simulator_calls == simulator.calls == 2 + len(result.why)
    assert OptimizationResult.model_validate_json(result.model_dump_json()) == result
    spent = FakeSimulator()
    none_left = bakery(budget={"rounds": 1, "simulator_calls": 3})
    short = run(tmp_path / "b", none_left, simulator=spent, writers=[writer])
    assert len(short.why) == 1
    assert spent.calls == short.simulator_calls == 3


def test_explaining_takes_no_call_that_a_draft_may_need(tmp_path: Path) -> None:
    texts = [f"{PARTS}, {word}" for word in ("gladly", "slowly", "quietly", "kindly")]
    writer = FakeWriter(texts=texts)
    brief = bakery(draft=PARTS, budget={"rounds": 1, "candidates": 4, "simulator_calls": 5})
    result = run(tmp_path, brief, writers=[writer])
    assert result.rounds[0].scored == 4
    assert result.simulator_calls == 5
    assert result.why == ()


def test_the_critic_hears_what_carries_the_leading_draft(tmp_path: Path) -> None:
    writer = FakeWriter(texts=[PARTS, "Rye bread at dawn", "Why rye at dawn?", "Rye, warm"])
    result = run(tmp_path, bakery(budget={"rounds": 2, "patience": 5}), writers=[writer])
    assert "What carries the best draft" in (result.rounds[0].critique or "")
    assert len(result.why) <= 16


def test_an_untuned_simulator_explains_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, simulator=FakeSimulator(tuned=False), writers=[FakeWriter(texts=[PARTS])])
    assert result.why == ()


def test_budget_of_one(tmp_path: Path) -> None:
    for limits in ({"rounds": 1}, {"candidates": 1}, {"simulator_calls": 1}, {"writer_tokens": 1}, {"patience": 1}):
        result = run(tmp_path / next(iter(limits)), bakery().model_copy(update={"budget": Budget(**limits)}))
        assert result.status == "finished"
        assert result.best is not None
        assert result.best.score is not None
