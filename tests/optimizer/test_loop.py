"""The state machine: what happens in which order, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.library.records import Hit, Post
from lcbm_model.errors import BackendError, LibraryError, SettingsError
from lcbm_model.prediction import Prediction
from optimizer import RunEvent, resume, stream
from optimizer.result import Candidate
from tests.fakes import FakeSimulator, FakeWriter
from tests.optimizer.parts import Baker, FakeLibrary, bakery, run, texts


def _reliably_better(candidate: Candidate, best: Candidate) -> bool:
    assert candidate.prediction is not None
    assert best.prediction is not None
    return FakeSimulator().win_chances([candidate.prediction, best.prediction])[0] >= bakery().reliable_gain


def test_the_original_is_scored_first_and_the_best_wins(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert [c.id for c in result.candidates[:2]] == ["original", "r1-01"]
    assert result.original is not None
    assert result.original.score == pytest.approx(9, abs=4)
    assert result.best is not None
    assert result.best.score > result.original.score
    assert not any(_reliably_better(c, result.best) for c in result.ranked)
    assert result.gain is not None
    assert result.gain > 0
    assert result.status == "finished"
    assert result.stop_reason == "round budget reached (2)"


def test_steps_come_in_the_order_of_the_design(tmp_path: Path) -> None:
    events: list[RunEvent] = []
    run(tmp_path, on_event=events.append, judge=FakeSimulator(name="judge"))
    one_round = ["drafted", "screened", "scored", "critiqued", "round"]
    assert [e.kind for e in events] == [
        "started",
        "retrieved",
        *one_round[1:],
        *one_round,
        *one_round,
        "judged",
        "finished",
    ]
    assert [e.result is not None for e in events] == [False] * (len(events) - 1) + [True]


def test_events_hold_all_that_is_known_so_far(tmp_path: Path) -> None:
    counts = []
    run(
        tmp_path,
        on_event=lambda e: counts.append((len(e.candidates), len(e.rounds), len(e.hits))),
        library=FakeLibrary(),
    )
    assert counts == sorted(counts)
    assert counts[-1] == (9, 2, 3)


def test_win_over_the_original_comes_from_the_simulator(tmp_path: Path) -> None:
    result = run(tmp_path, brief=bakery(draft="x" * 40))
    simulator, brief = FakeSimulator(), bakery()
    compared = [c for c in result.candidates if c.win_over_original is not None]
    assert {c.id for c in compared} == {c.id for c in result.ranked} - {"original"}
    for candidate in compared:
        expected = simulator.compare([brief.content(candidate.text), brief.content("x" * 40)], "click_rate")[0]
        assert candidate.win_over_original == pytest.approx(expected)


def test_without_a_draft_the_best_of_the_writers_is_returned(tmp_path: Path) -> None:
    result = run(tmp_path, bakery(draft=None))
    assert result.original is None
    assert result.gain is None
    assert result.best is not None
    assert result.best.win_over_original is None


def test_writers_see_winners_the_best_so_far_and_the_critique(tmp_path: Path) -> None:
    writer = Baker()
    result = run(tmp_path, library=FakeLibrary(), writers=[writer])
    first, second = writer.tasks
    assert [e.percentile for e in first.examples] == [90, 80, 70]
    assert first.content.text == "Rye bread"
    best_of_round_1 = next(c for c in result.candidates if c.id == result.rounds[0].best_id)
    assert second.content.text == best_of_round_1.text == second.best_so_far[0]
    assert first.critique is None
    assert second.critique == result.rounds[0].critique
    assert second.critique


def test_another_channel_serves_where_the_briefs_own_has_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, library=FakeLibrary(channel="headline"))
    assert len(result.retrieved) == 3
    assert any("other channels" in w for w in result.warnings)


class Kinds(FakeLibrary):
    """Two photographs' captions far from any query, ten links near it."""

    def search(self, query: str, k: int = 5, **conditions: Any) -> list[Hit]:
        filters = conditions.get("filters") or {}
        if "percentile" in filters:
            return []
        links = [Post(id=f"link{i}", text=f"Bread, the whole story {i}", format="link") for i in range(10)]
        photos = [Post(id=f"photo{i}", text=f"Look at this {i}", format="photo") for i in range(2)]
        found = [p for p in [*links, *photos] if filters.get("format") in (None, p.format)]
        return [
            Hit(post=p, similarity=0.9 - i / 100, metric="click_rate", value=0.02, percentile=80.0)
            for i, p in enumerate(found[:k])
        ]


class NoKinds(Kinds):
    """Refuses to be asked for a kind."""

    def search(self, query: str, k: int = 5, **conditions: Any) -> list[Hit]:
        if "format" in (conditions.get("filters") or {}):
            raise LibraryError("filters", "no such field in this library", value="format")
        return super().search(query, k, **conditions)


@pytest.mark.parametrize(
    ("library", "format", "first"),
    [
        (Kinds(), "photo", ["photo0", "photo1", "link0"]),
        (Kinds(), "link", ["link0", "link1", "link2"]),
        (Kinds(), "video", ["link0", "link1", "link2"]),
        (Kinds(), None, ["link0", "link1", "link2"]),
        (NoKinds(), "photo", ["link0", "link1", "link2"]),
    ],
)
def test_posts_of_the_briefs_kind_come_first(
    tmp_path: Path, library: Kinds, format: str | None, first: list[str]
) -> None:
    result = run(tmp_path, bakery(format=format, budget={"rounds": 0}), library=library)
    ids = [hit.post.id for hit in result.retrieved]
    assert ids[:3] == first
    assert len(set(ids)) == len(ids) == 8


def test_the_librarys_scale_gives_raw_estimates_to_the_simulator(tmp_path: Path) -> None:
    seen = []

    class Watching(FakeSimulator):
        def predict(self, contents, metric, context=None):  # type: ignore[no-untyped-def]
            seen.append(context)
            return super().predict(contents, metric, context)

    run(tmp_path, simulator=Watching(tuned=False), library=FakeLibrary())
    assert all(c.scale.n == 4 for c in seen)
    assert [k.percentile for k in seen[0].examples] == [90, 80, 70]


def test_drafts_that_break_the_brief_are_kept_with_reasons_and_cost_nothing(tmp_path: Path) -> None:
    writer = FakeWriter(texts=["Rye bread every single morning", "Cheap bread", "We bake"])
    result = run(tmp_path, bakery(banned_words=("cheap",), budget={"rounds": 1}), writers=[writer])
    refused = [c for c in result.candidates if c.rejected]
    assert [c.text for c in refused] == ["Cheap bread"]
    assert refused[0].prediction is None
    assert "cheap" in " ".join(refused[0].rejected).lower()
    assert result.rounds[0].rejected == 1
    assert result.best_id != refused[0].id


@pytest.mark.parametrize(("kept", "refused"), [(True, ["We bake rye bread"]), (False, [])])
def test_figures_of_the_draft_have_to_stay(tmp_path: Path, kept: bool, refused: list[str]) -> None:
    writer = FakeWriter(texts=["We bake rye bread", "Rye bread at 5:30 in the morning"])
    brief = bakery(draft="Rye bread at 5:30", keep_figures=kept, budget={"rounds": 1})
    result = run(tmp_path, brief, writers=[writer])
    assert [c.text for c in result.candidates if c.rejected] == refused
    assert all(c.rejected == ("lost the fact '5:30'",) for c in result.candidates if c.rejected)


def test_word_for_word_copies_of_past_posts_are_refused(tmp_path: Path) -> None:
    writer = FakeWriter(texts=["Our  crust, YOUR breakfast", "Rye bread at dawn every day"])
    result = run(tmp_path, bakery(budget={"rounds": 1}), writers=[writer], library=FakeLibrary())
    assert any("past post 'p2'" in reason for c in result.candidates for reason in c.rejected)


def test_repeated_drafts_are_dropped_and_counted(tmp_path: Path) -> None:
    result = run(tmp_path, writers=[FakeWriter(texts=["Rye bread", "rye  BREAD", "Rye bread at dawn"])])
    assert texts(result) == ["Rye bread", "Rye bread at dawn"]
    assert "dropped" in result.rounds[0].notes[0]


def test_one_writer_down_leaves_its_share_to_the_others(tmp_path: Path) -> None:
    result = run(tmp_path, writers=[Baker("up"), FakeWriter("gone", down=True)])
    assert result.status == "finished"
    assert result.rounds[0].drafted == 4
    assert any("gone" in note and "connection refused" in note for note in result.rounds[0].notes)


def test_all_writers_down_ends_with_the_best_so_far_and_says_why(tmp_path: Path) -> None:
    result = run(tmp_path, writers=[FakeWriter("a", down=True), FakeWriter("b", down=True)])
    assert result.status == "stopped"
    assert result.best_id == "original"
    assert "no writer could be reached" in result.stop_reason
    assert "connection refused" in result.stop_reason


def test_a_draft_that_cannot_be_scored_spoils_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, writers=[FakeWriter(texts=["a broken loaf of bread", "Rye bread at dawn"])])
    assert result.best is not None
    assert result.best.text == "Rye bread at dawn"
    assert any("could not be scored" in note for note in result.rounds[0].notes)


def test_a_simulator_that_dies_ends_the_run_with_the_best_so_far(tmp_path: Path) -> None:
    class Mortal(FakeSimulator):
        def predict(self, contents, metric, context=None):  # type: ignore[no-untyped-def]
            if len(contents) > 1:
                raise BackendError("out of memory")
            return super().predict(contents, metric, context)

    result = run(tmp_path, simulator=Mortal())
    assert result.status == "stopped"
    assert result.best_id == "original"
    assert "out of memory" in result.stop_reason


def test_a_calibrated_simulator_is_selected_on_its_lower_bound(tmp_path: Path) -> None:
    class Calibrated(FakeSimulator):
        """The longer of two drafts is expected higher and far less sure."""

        def predict(self, contents, metric, context=None):  # type: ignore[no-untyped-def]
            identity = self.identity.model_copy(update={"calibration_id": "c1"})
            return [
                Prediction(metric="click_rate", simulator=identity, bins=p.bins, expected=p.expected, low=low, high=99)
                for p, c in zip(super().predict(contents, metric, context), contents, strict=True)
                for low in [1.0 if len(c.text) > 50 else 12.0]
            ]

    simulator = Calibrated()
    writer = FakeWriter(texts=["Rye bread at dawn", "Rye bread at dawn, and rye bread again at dusk, warm and slow"])
    uncalibrated = run(tmp_path, simulator=simulator, writers=[writer])
    simulator.identity = simulator.identity.model_copy(update={"calibration_id": "c1"})
    calibrated = run(tmp_path, simulator=simulator, writers=[writer])
    assert uncalibrated.best is not None
    assert calibrated.best is not None
    assert len(uncalibrated.best.text) > 50 > len(calibrated.best.text)
    assert any("not a lower bound" in w for w in uncalibrated.warnings)
    assert not any("not a lower bound" in w for w in calibrated.warnings)


def test_an_original_that_breaks_the_brief_is_scored_and_returned_only_where_nothing_else_is(tmp_path: Path) -> None:
    strict = bakery(required_words=("morning",), budget={"rounds": 1})
    alone = run(tmp_path, strict, writers=[FakeWriter(texts=["Bread"])])
    assert alone.best_id == "original"
    assert any("itself breaks the brief" in w for w in alone.warnings)
    other = run(tmp_path, strict, writers=[FakeWriter(texts=["Rye every morning"])])
    assert other.best is not None
    assert other.best.text == "Rye every morning"
    assert other.original is not None
    assert other.original.score is not None


def test_rules_no_machine_checks_are_named(tmp_path: Path) -> None:
    result = run(tmp_path, bakery(rules=("sound like a neighbour", "no emoji")))
    assert any("'sound like a neighbour'" in w for w in result.warnings)


# Stopping, waiting, going on ------------------------------------------------------------------------------------------


def _after(n: int) -> Callable[[], bool]:
    left = [n]

    def should_stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    return should_stop


@pytest.mark.parametrize("steps", range(0, 14))
def test_a_stopped_run_returns_the_best_so_far_and_goes_on_to_the_same_end(tmp_path: Path, steps: int) -> None:
    whole = run(tmp_path, run_id="whole")
    stopped = run(tmp_path, run_id="parts", should_stop=_after(steps))
    assert stopped.status == "stopped"
    assert stopped.stop_reason == "stopped on request"
    assert stopped.best_id is not None
    resumed = resume("parts", store=tmp_path, simulator=FakeSimulator(), writers=[Baker()])
    volatile = {"run_id", "started", "seconds", "rounds"}
    assert resumed.model_dump(exclude=volatile) == whole.model_dump(exclude=volatile)
    assert [r.model_copy(update={"seconds": 0}) for r in resumed.rounds] == [
        r.model_copy(update={"seconds": 0}) for r in whole.rounds
    ]


def test_the_critic_hears_of_past_losers_and_writers_are_not_shown_them(tmp_path: Path) -> None:
    class TwoSides(FakeLibrary):
        """Eight winners that ask, eight losers that do not."""

        def search(self, query: str, k: int = 5, **conditions: Any) -> list[Hit]:
            badly = bool(conditions.get("filters"))
            posts = [
                f"{'The oven is on sale' if badly else 'Who bakes rye at dawn'}, {i}{'.' if badly else '?'}"
                for i in range(k)
            ]
            return [
                Hit(
                    post=Post(id=text, text=text),
                    similarity=0.8,
                    metric="click_rate",
                    value=0.02,
                    percentile=10.0 if badly else 90.0,
                )
                for text in posts
            ]

    events: list[RunEvent] = []
    writer = Baker()
    result = run(tmp_path, library=TwoSides(), writers=[writer], on_event=events.append)
    assert any("8 of 8 winners ask a question, 0 of 8 losers do" in e.message for e in events if e.kind == "critiqued")
    assert all("?" in hit.post.text for hit in result.retrieved)
    assert all("?" in example.text for task in writer.tasks for example in task.examples)


def test_approval_waits_after_every_round(tmp_path: Path) -> None:
    events: list[RunEvent] = []
    waiting = run(tmp_path, bakery(approval=True, budget={"rounds": 3}), run_id="a", on_event=events.append)
    assert waiting.status == "waiting_for_approval"
    assert events[-1].kind == "waiting"
    assert len(waiting.rounds) == 1
    parts = {"store": tmp_path, "simulator": FakeSimulator(), "writers": [Baker()]}
    again = resume("a", decision="continue", **parts)  # type: ignore[arg-type]
    assert (again.status, len(again.rounds)) == ("waiting_for_approval", 2)
    ended = resume("a", decision="finish", **parts)  # type: ignore[arg-type]
    assert (ended.status, len(ended.rounds), ended.stop_reason) == ("finished", 2, "ended by approval")


def test_a_finished_run_gives_its_result_again_without_work(tmp_path: Path) -> None:
    first = run(tmp_path, run_id="done")
    simulator, writer = FakeSimulator(), Baker()
    again = resume("done", store=tmp_path, simulator=simulator, writers=[writer])
    assert again == first
    assert simulator.calls == 0
    assert writer.tasks == []


def test_resuming_with_another_simulator_is_refused(tmp_path: Path) -> None:
    run(tmp_path, run_id="x", should_stop=_after(3))
    with pytest.raises(SettingsError, match="cannot be mixed"):
        resume("x", store=tmp_path, simulator=FakeSimulator(name="other"), writers=[Baker()])
    with pytest.raises(SettingsError, match="object of the caller"):
        resume("x", store=tmp_path, writers=[Baker()])


def test_resuming_without_the_judge_it_began_with_is_refused(tmp_path: Path) -> None:
    judge = FakeSimulator(name="judge", spread=4)
    run(tmp_path, run_id="x", judge=judge, should_stop=_after(3))
    parts: dict[str, Any] = {"store": tmp_path, "simulator": FakeSimulator(), "writers": [Baker()]}
    with pytest.raises(SettingsError, match="judge: the run began with an object of the caller"):
        resume("x", **parts)
    without = resume("x", judge="none", **parts)
    assert without.judge is None
    run(tmp_path, run_id="y", judge=judge, should_stop=_after(3))
    assert resume("y", judge=judge, **parts).judge is not None


def test_shipped_checkpoints_that_were_handed_in_as_objects_are_found_again_by_name(tmp_path: Path) -> None:
    from lcbm_model.simulator import load_simulator

    twins = {"simulator": load_simulator("lcbm-smol-a"), "judge": load_simulator("lcbm-smol-b")}
    brief = bakery(budget={"rounds": 1, "candidates": 2})
    begun = run(tmp_path, brief, run_id="x", should_stop=_after(1), **twins)
    assert begun.status == "stopped"
    went_on = resume("x", store=tmp_path, writers=[Baker()])
    assert went_on.status == "finished"
    assert went_on.judge is not None
    assert went_on.judge.simulator.checkpoint == "lcbm-smol-b"


def test_a_run_that_goes_on_without_its_library_or_a_writer_says_so(tmp_path: Path) -> None:
    other = Baker("other")
    run(tmp_path, run_id="x", library=FakeLibrary(), writers=[Baker(), other], should_stop=_after(3))
    went_on = resume("x", store=tmp_path, simulator=FakeSimulator(), writers=[other])
    told = [warning for warning in went_on.warnings if "not at hand" in warning]
    assert len(told) == 2
    assert "The library" in told[0]
    assert told[1].endswith(": fake.")


def test_run_ids_cannot_leave_the_store_or_be_used_twice(tmp_path: Path) -> None:
    for bad in ("../x", "a/b", "", ".hidden", "x" * 81, "a\nb"):
        with pytest.raises(SettingsError, match="run_id"):
            next(stream(bakery(), run_id=bad, store=tmp_path, simulator=FakeSimulator(), writers=[Baker()]))
    run(tmp_path, run_id="mine")
    with pytest.raises(SettingsError, match="Resume it"):
        run(tmp_path, run_id="mine")
    with pytest.raises(SettingsError, match="Known runs: mine"):
        resume("other", store=tmp_path, simulator=FakeSimulator(), writers=[Baker()])


def test_a_run_that_could_not_begin_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="writers"):
        run(tmp_path, writers=[])
    assert list(tmp_path.iterdir()) == []


def test_same_seed_same_result_and_another_seed_another(tmp_path: Path) -> None:
    assert texts(run(tmp_path, seed=1)) == texts(run(tmp_path, seed=1))
    assert texts(run(tmp_path, seed=1)) != texts(run(tmp_path, seed=2))


def test_checkpoints_do_not_pile_up(tmp_path: Path) -> None:
    import sqlite3

    run(tmp_path, bakery(budget={"rounds": 6, "patience": 6}), run_id="long")
    with sqlite3.connect(tmp_path / "long" / "checkpoints.sqlite") as database:
        assert database.execute("SELECT count(*) FROM checkpoints").fetchone()[0] <= 3
