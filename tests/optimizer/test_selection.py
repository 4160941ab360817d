"""What takes the best one's place, what the slate and the front hold, and what an ensemble is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.errors import BriefError
from lcbm_model.prediction import Prediction
from lcbm_model.simulator.ensemble import EnsembleSimulator
from optimizer import Brief, Objective, RunEvent
from optimizer.loop.scoring import ScoreCache, Scorer, members_of
from optimizer.loop.spending import Plan
from optimizer.loop.surface import without_surface
from optimizer.result import Candidate
from tests.fakes import FakeSimulator, FakeWriter
from tests.optimizer.parts import FakeLibrary, bakery, run

DRAFTS = (
    "Rye bread at dawn",
    "Rye bread at dawn, warm from our oven",
    "Warm, slow, honest: our rye comes out while you sleep, and it keeps for days",
    "Why does our rye bread taste of morning?",
)


def scored_by(points: dict[str, float], otherwise: float = 40.0) -> Callable[[str], float]:
    return lambda text: points.get(text, otherwise)


def one_round(store: Path, texts: tuple[str, ...] = DRAFTS, **parts: Any) -> Any:
    brief = parts.pop("brief", None) or bakery(budget={"rounds": 1, "candidates": len(texts)})
    return run(store, brief, writers=[FakeWriter(texts=texts)], **parts)


# A reliable gain ------------------------------------------------------------------------------------------------------


def test_a_higher_number_alone_takes_no_place(tmp_path: Path) -> None:
    slightly = FakeSimulator(scored_by({DRAFTS[0]: 42.0}), spread=30)
    result = one_round(tmp_path, simulator=slightly)
    top = result.ranked[0]
    assert top.text == DRAFTS[0]
    assert 0.5 < top.win_over_original < result.brief.reliable_gain
    assert result.best_id == "original"
    assert not result.rounds[0].gained
    assert "No reliable improvement found" in result.finding


def test_a_reliable_gain_takes_it_and_the_threshold_is_the_briefs(tmp_path: Path) -> None:
    points = FakeSimulator(scored_by({DRAFTS[0]: 55.0}), spread=20)
    wins = one_round(tmp_path / "a", simulator=points)
    assert wins.best.text == DRAFTS[0]
    assert wins.rounds[0].gained
    chance = wins.best.win_over_original
    strict = bakery(budget={"rounds": 1}, reliable_gain=chance + 0.01)
    assert one_round(tmp_path / "b", simulator=points, brief=strict).best_id == "original"
    just = bakery(budget={"rounds": 1}, reliable_gain=chance - 0.01)
    assert one_round(tmp_path / "c", simulator=points, brief=just).best.text == DRAFTS[0]


def test_any_gain_counts_at_one_half_and_a_tie_never_does(tmp_path: Path) -> None:
    anything = bakery(budget={"rounds": 1}, reliable_gain=0.5)
    assert one_round(tmp_path / "a", simulator=FakeSimulator(lambda _: 50.0), brief=anything).best_id == "original"
    slightly = FakeSimulator(scored_by({DRAFTS[0]: 41.0}), spread=30)
    assert one_round(tmp_path / "b", simulator=slightly, brief=anything).best.text == DRAFTS[0]


def test_patience_counts_rounds_without_reliable_gain(tmp_path: Path) -> None:
    # Every round brings higher numbers, none of them reliably higher.
    brief = bakery(budget={"rounds": 9, "patience": 2})
    result = run(tmp_path, brief, simulator=FakeSimulator(lambda text: 40 + len(text) / 100, spread=40))
    assert result.best_id == "original"
    assert result.ranked[0].id != "original"
    assert result.stop_reason == "no reliable gain for 2 rounds"
    assert len(result.rounds) == 2


# Slate, front, objectives ---------------------------------------------------------------------------------------------


def test_the_slate_is_good_and_different_and_begins_with_the_best(tmp_path: Path) -> None:
    points = scored_by({DRAFTS[0]: 80.0, DRAFTS[0] + "!": 79.0, DRAFTS[2]: 60.0, DRAFTS[3]: 70.0})
    texts = (*DRAFTS[:1], DRAFTS[0] + "!", *DRAFTS[2:])
    brief = bakery(budget={"rounds": 1, "candidates": 4}, slate=3)
    result = one_round(tmp_path, texts, simulator=FakeSimulator(points), brief=brief)
    assert [c.text for c in result.by_ids(result.slate)] == [DRAFTS[0], DRAFTS[3], DRAFTS[2]]
    assert result.slate[0] == result.best_id
    assert result.front == ()


def test_what_surely_loses_to_the_original_is_not_offered_for_a_test(tmp_path: Path) -> None:
    result = one_round(tmp_path, simulator=FakeSimulator(scored_by({DRAFTS[0]: 41.0, DRAFTS[2]: 5.0}), spread=12))
    offered = {c.text for c in result.by_ids(result.slate)}
    assert DRAFTS[0] in offered
    assert DRAFTS[2] not in offered


class TwoMetrics(FakeSimulator):
    """Clicks by one table, shares by another."""

    def __init__(self, clicks: dict[str, float], shares: dict[str, float]) -> None:
        super().__init__(scored_by(clicks), spread=6)
        self.tables = {"click_rate": scored_by(clicks), "shares": scored_by(shares)}

    def predict(self, contents, metric, context=None):  # type: ignore[no-untyped-def]
        self.score = self.tables[metric if isinstance(metric, str) else metric.name]
        return super().predict(contents, metric, context)


def test_several_objectives_give_a_front_and_weigh_in_the_choice(tmp_path: Path) -> None:
    clicks = {DRAFTS[0]: 80.0, DRAFTS[1]: 70.0, DRAFTS[2]: 45.0, DRAFTS[3]: 30.0}
    shares = {DRAFTS[0]: 20.0, DRAFTS[1]: 70.0, DRAFTS[2]: 85.0, DRAFTS[3]: 30.0}
    simulator = TwoMetrics(clicks, shares)
    both = bakery(budget={"rounds": 1, "candidates": 4}, objectives=(Objective(metric="shares"),))
    result = one_round(tmp_path / "a", simulator=simulator, brief=both)
    front = {c.text for c in result.by_ids(result.front)}
    assert front == {DRAFTS[0], DRAFTS[1], DRAFTS[2]}
    assert result.best is not None
    assert result.best.text == DRAFTS[1]  # the loudest headline loses on shares what it wins
    assert result.simulator_calls == simulator.calls
    shown = both.model_copy(update={"objectives": (Objective(metric="shares", weight=0),)})
    alone = one_round(tmp_path / "b", simulator=TwoMetrics(clicks, shares), brief=shown)
    assert alone.best is not None
    assert alone.best.text == DRAFTS[0]
    assert {c.text for c in alone.by_ids(alone.front)} == front


def test_an_objective_has_its_own_channel_and_audience(tmp_path: Path) -> None:
    asked = []

    class Watching(FakeSimulator):
        def predict(self, contents, metric, context=None):  # type: ignore[no-untyped-def]
            asked.extend((c.channel, c.audience, context.scale is not None) for c in contents)
            return super().predict(contents, metric, context)

    elsewhere = Objective(metric="click_rate", channel="email_subject", audience="parents")
    brief = bakery(budget={"rounds": 0}, objectives=(elsewhere,), audience="everyone")
    result = run(tmp_path, brief, simulator=Watching(), library=FakeLibrary())
    assert asked[:2] == [("post", "everyone", True), ("email_subject", "parents", False)]
    assert elsewhere.label == "click_rate in email_subject for parents"
    assert result.original is not None
    assert set(result.original.predictions) == {elsewhere.label}


def test_objectives_that_make_no_sense() -> None:
    same = {"metric": "click_rate", "channel": "post"}
    with pytest.raises(BriefError, match="asked for twice"):
        Brief.parse({"message": "a", "objectives": [same]})
    with pytest.raises(BriefError, match="asked for twice"):
        Brief.parse({"message": "a", "objectives": [{"metric": "shares"}, {"metric": "shares", "channel": "post"}]})
    with pytest.raises(BriefError, match=r"objectives\.0\.metric: .*shares"):
        Brief.parse({"message": "a", "objectives": [{"metric": "share"}]})
    with pytest.raises(BriefError, match=r"objectives\.0\.weight"):
        Brief.parse({"message": "a", "objectives": [{"metric": "shares", "weight": -1}]})


def test_an_objective_the_checkpoint_never_saw_is_said(tmp_path: Path) -> None:
    simulator = FakeSimulator()
    simulator.identity = simulator.identity.model_copy(update={"metrics": ("click_rate",), "calibration_id": "c"})
    result = run(tmp_path, bakery(objectives=(Objective(metric="shares"),)), simulator=simulator)
    assert any("not on shares: its intervals are widened" in w for w in result.warnings)


# Ensembles: a first member for all, everyone for the better half ------------------------------------------------------


def ensemble(n: int = 3) -> tuple[EnsembleSimulator, list[FakeSimulator]]:
    members = [FakeSimulator(name=f"m{i}", spread=8 + 4 * i) for i in range(n)]
    return EnsembleSimulator(members), members


def test_only_the_better_half_meets_the_whole_ensemble(tmp_path: Path) -> None:
    whole, members = ensemble()
    # Eleven calls: nothing is left for explaining the best, part by part.
    brief = bakery(budget={"rounds": 1, "candidates": 4, "simulator_calls": 11})
    result = one_round(tmp_path, simulator=whole, brief=brief)
    # The original and the two longer drafts meet all three, the other two only the first.
    assert [m.calls for m in members] == [5, 3, 3]
    assert result.simulator_calls == 11
    fresh = [c for c in result.candidates if c.round == 1]
    assert [c.prediction is not None for c in fresh] == [False, False, True, True]
    assert all(c.first is not None for c in fresh)
    assert result.best.text == DRAFTS[2]


def test_scores_of_a_halved_ensemble_are_the_ensembles(tmp_path: Path) -> None:
    whole, _ = ensemble()
    halved = one_round(tmp_path / "a", simulator=whole)
    full = one_round(
        tmp_path / "b",
        simulator=ensemble()[0],
        brief=bakery(budget={"rounds": 1, "candidates": 4, "halving": False}),
    )
    assert halved.best_id == full.best_id
    for a, b in zip(halved.candidates, full.candidates, strict=True):
        assert a.prediction in (None, b.prediction)
    assert halved.simulator_calls < full.simulator_calls


def test_a_budget_of_calls_holds_for_ensembles(tmp_path: Path) -> None:
    for calls in range(0, 16):
        whole, members = ensemble()
        brief = bakery(budget={"rounds": 2, "simulator_calls": calls}, objectives=(Objective(metric="shares"),))
        result = one_round(tmp_path / str(calls), simulator=whole, brief=brief)
        assert result.simulator_calls <= calls
        assert sum(m.calls for m in members) <= calls


def test_a_cached_ensemble_is_taken_apart_with_its_cache(tmp_path: Path) -> None:
    from lcbm_model.simulator.score_cache import CachedSimulator

    whole, _ = ensemble()
    cached = CachedSimulator(whole, tmp_path / "scores.sqlite")
    assert [m.identity for m in members_of(cached)] == [m.identity for m in whole.members]
    scorer = Scorer(cached, "click_rate", ScoreCache(":memory:"))
    assert scorer.cost == 3
    assert scorer.remembering.identity == whole.identity
    assert members_of(FakeSimulator()) == ()
    cached.close()


def test_a_person_gets_the_whole_ensemble_for_their_wording() -> None:
    plan = Plan(cost=3, objectives=0, halving=True)
    made = [Candidate(id=f"r1-{i:02d}", text="x", round=1, writer="human" if i == 5 else "w") for i in range(1, 6)]
    simulator = FakeSimulator()

    def first(n: int) -> Prediction:
        return simulator.predict([bakery().content("x" * n)], "click_rate")[0]

    due = [c.model_copy(update={"first": first(50 - 10 * i)}) for i, c in enumerate(made)]
    assert [c.id for c in plan.better_half(due, calibrated=False)] == ["r1-01", "r1-02", "r1-05"]
    assert plan.calls(due) == 5 + 3 * 2


# Length and format ----------------------------------------------------------------------------------------------------


def test_ranking_leaves_out_what_only_follows_length(tmp_path: Path) -> None:
    texts = tuple(("We bake " + "rye " * i + "bread").strip() for i in range(1, 11))
    long = bakery(budget={"rounds": 1, "candidates": 10}, debias=True, draft=None)
    result = one_round(tmp_path, texts, brief=long, simulator=FakeSimulator(lambda text: 20.0 + len(text)))
    adjusted = [c.adjusted for c in result.candidates]
    assert all(a is not None for a in adjusted)
    raw = [c.score for c in result.candidates if c.score is not None]
    assert (
        max(a for a in adjusted if a is not None) - min(a for a in adjusted if a is not None)
        < (max(raw) - min(raw)) / 2
    )
    off = long.model_copy(update={"debias": False})
    assert {c.adjusted for c in without_surface(result.candidates, off)} == set(adjusted)


def test_drafts_of_a_round_under_way_are_ranked_without_length_too(tmp_path: Path) -> None:
    texts = tuple(("We bake " + "rye " * i + "bread").strip() for i in range(1, 11))
    long = bakery(budget={"rounds": 1, "candidates": 10}, debias=True, draft=None)
    simulator = FakeSimulator(lambda text: 20.0 + len(text))
    events: list[RunEvent] = []

    def scored() -> bool:
        return events[-1].kind == "scored" and bool(events[-1].round)

    (tmp_path / "a").mkdir()
    whole = one_round(tmp_path / "a", texts, brief=long, simulator=simulator)
    stopped = one_round(
        tmp_path / "b", texts, brief=long, simulator=simulator, on_event=events.append, should_stop=scored
    )
    assert (stopped.status, stopped.rounds) == ("stopped", ())
    assert [c.adjusted for c in stopped.candidates] == [c.adjusted for c in whole.candidates]
    assert stopped.best_id == whole.best_id


def test_low_ends_that_hardly_move_are_not_ranked_by_length(tmp_path: Path) -> None:
    texts = [f"{'We bake rye bread at dawn ' * (1 + number % 4)}no {number}" for number in range(16)]
    worth = [7.0 * (number * 5 % 16) / 16 for number in range(16)]
    simulator = FakeSimulator()
    predictions = simulator.predict([bakery().content(text) for text in texts], "click_rate")

    def predicted(number: int) -> Prediction:
        expected = 40 + worth[number] + len(texts[number]) / 8
        return predictions[number].model_copy(update={"expected": expected, "low": 5 + expected / 5})

    drafts = [
        Candidate(id=f"r1-{n:02d}", text=text, round=1, writer="w", prediction=predicted(n))
        for n, text in enumerate(texts)
    ]
    found = without_surface(drafts, bakery(debias=True))
    bounds = [bound for candidate in found if (bound := candidate.bounds()) is not None]
    by_expected, by_low = (sorted(range(16), key=lambda n: bounds[n][side]) for side in (0, 1))
    assert by_low == by_expected
    assert by_low != sorted(range(16), key=lambda n: drafts[n].score or 0.0)  # there was a length to leave out
