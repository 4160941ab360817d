"""A person between rounds: edits become candidates, vetoes and comments become constraints, days may pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.errors import SettingsError
from optimizer import Decision, OptimizationResult, RunEvent, resume
from optimizer.loop.human import advice, like_a_vetoed, with_vetoes
from optimizer.result import Candidate
from tests.fakes import FakeSimulator, FakeWriter
from tests.optimizer.calls import BRIEF, Lcbm, answer, in_a_process
from tests.optimizer.parts import Baker, bakery, run

OWN = "We bake rye bread every morning, warm and early, gladly and quietly, next door"


def _begin(store: Path, rounds: int = 3, **fields: Any) -> OptimizationResult:
    budget = {"rounds": rounds, "patience": 9} | fields.pop("budget", {})
    return run(store, bakery(approval=True, budget=budget, **fields), run_id="a")


def _answer(store: Path, decision: Decision | str | None, **parts: Any) -> OptimizationResult:
    return resume("a", store=store, simulator=FakeSimulator(), decision=decision, **({"writers": [Baker()]} | parts))


def test_an_edit_is_screened_and_scored_and_becomes_a_parent(tmp_path: Path) -> None:
    _begin(tmp_path)
    writer = Baker()
    after = _answer(tmp_path, Decision(edits={"r1-02": OWN}), writers=[writer])
    mine = next(c for c in after.candidates if c.text == OWN)
    assert (mine.writer, mine.strategy, mine.parent, mine.round) == ("human", "edit", "r1-02", 2)
    assert mine.score is not None
    assert len([c for c in after.candidates if c.round == 2]) == 5  # beside the writers' four
    third = Baker()
    _answer(tmp_path, "continue", writers=[third])
    assert OWN in third.tasks[0].best_so_far


@pytest.mark.parametrize("change", ["capitals", "spaces"])
def test_an_edit_of_nothing_but_capitals_or_spaces_is_a_wording_of_its_own(tmp_path: Path, change: str) -> None:
    first = _begin(tmp_path)
    before = next(c.text for c in first.candidates if c.id == "r1-01")
    own = before.replace("rye", "Rye") if change == "capitals" else before.replace("rye", "rye ")
    after = _answer(tmp_path, Decision(edits={"r1-01": own, "r1-02": before}))
    mine = [c for c in after.candidates if c.writer == "human" and c.round == 2]
    assert [(c.text, c.parent) for c in mine] == [(own, "r1-01")]  # the other stands there already, to the letter
    assert mine[0].score is not None
    assert after.rounds[-1].notes[0] == "1 repeated draft dropped"


def test_an_edit_that_breaks_the_brief_is_refused_like_any_draft(tmp_path: Path) -> None:
    _begin(tmp_path, banned_words=("cheap",))
    after = _answer(tmp_path, Decision(edits={"r1-01": "Cheap rye bread every morning"}))
    mine = next(c for c in after.candidates if c.writer == "human" and c.round == 2)
    assert mine.rejected
    assert mine.score is None


def test_a_person_may_say_more_and_less_than_the_brief(tmp_path: Path) -> None:
    _begin(tmp_path, draft="Rye bread in 9 minutes", must_keep=("rye",))
    own = {"r1-01": "Anna bakes rye bread for 12 neighbours", "r1-02": "Anna bakes for 12 neighbours"}
    after = _answer(tmp_path, Decision(edits=own))
    more, broken = (next(c for c in after.candidates if c.text == text) for text in own.values())
    assert not more.rejected
    assert more.score is not None
    assert broken.rejected == ("lost the fact 'rye'",)


def test_what_was_vetoed_is_never_chosen_nor_anything_like_it(tmp_path: Path) -> None:
    first = _begin(tmp_path)
    assert first.best_id is not None
    assert first.best_id != "original"
    best = first.best
    assert best is not None
    again = FakeWriter("again", texts=[best.text + "!", "Rye, slowly baked, at dawn and sold by noon to neighbours"])
    after = _answer(tmp_path, Decision(vetoed=(first.best_id,)), writers=[again])
    struck = next(c for c in after.candidates if c.id == first.best_id)
    assert struck.vetoed
    near = next(c for c in after.candidates if c.text == best.text + "!")
    assert near.rejected == (f"is nearly the same as {first.best_id}, which was vetoed",)
    assert after.best is not None
    assert not after.best.vetoed
    assert first.best_id not in after.slate
    assert any(f"{best.text!r}" in (t.critique or "") for t in again.tasks)


def test_comments_reach_the_writers_and_stay_in_the_result(tmp_path: Path) -> None:
    _begin(tmp_path)
    writer = Baker()
    said = Decision(comments={"": "less about the oven", "r1-01": "too long"})
    after = _answer(tmp_path, said, writers=[writer])
    told = writer.tasks[0].critique or ""
    assert "The team says: less about the oven" in told
    assert "too long" in told
    assert [d.same_as(said) for d in after.decisions] == [True]
    assert after.decisions[0].round == 1
    later = Baker()
    _answer(tmp_path, "continue", writers=[later])
    assert "less about the oven" in (later.tasks[0].critique or "")
    assert not [warning for warning in after.warnings if "Comments were kept" in warning]


def test_comments_that_no_writer_reads_are_said_to_be_unread(tmp_path: Path) -> None:
    class Deaf(Baker):
        reads_advice = False

    _begin(tmp_path)
    after = _answer(tmp_path, Decision(comments={"": "less about the oven"}), writers=[Deaf()])
    assert [warning for warning in after.warnings if "no writer of this run reads them" in warning]


def test_vetoes_do_not_push_comments_out() -> None:
    decision = Decision(comments={"": "never mention the price"}, vetoed=tuple(f"r1-{i:02d}" for i in range(1, 20)))
    told = (advice([decision], []) or "").splitlines()
    assert told[0] == "The team says: never mention the price"
    assert 1 < len(told) < 12


def test_the_last_round_is_shown_too_and_edits_at_the_end_are_scored_before_the_judge(tmp_path: Path) -> None:
    waiting = _begin(tmp_path, rounds=1)
    assert waiting.status == "waiting_for_approval"
    assert "then the run ends: round budget reached (1)" in waiting.stop_reason
    writer, judge = Baker(), FakeSimulator(name="judge", spread=4)
    ended = _answer(tmp_path, Decision(action="finish", edits={"r1-01": OWN}), writers=[writer], judge=judge)
    assert ended.status == "finished"
    assert ended.best is not None
    assert ended.best.text == OWN
    assert writer.tasks == []
    assert judge.calls == 2
    assert ended.rounds[-1].drafted == 1


def test_a_person_may_go_on_after_rounds_without_gain_but_not_past_a_limit(tmp_path: Path) -> None:
    level = FakeSimulator(lambda _: 50.0)
    brief = bakery(approval=True, budget={"rounds": 3, "patience": 1})
    first = run(tmp_path, brief, run_id="a", simulator=level)
    assert first.stop_reason == "round 1 waits for approval; no reliable gain for 1 round"
    parts: dict[str, Any] = {"store": tmp_path, "simulator": level, "writers": [Baker()]}
    second = resume("a", decision="continue", **parts)
    assert len(second.rounds) == 2
    third = resume("a", decision=Decision(comments={"": "bolder"}), **parts)
    assert third.stop_reason == "round 3 waits for approval; then the run ends: round budget reached (3)"
    ended = resume("a", decision="continue", **parts)
    assert (ended.status, ended.stop_reason, len(ended.rounds)) == ("finished", "round budget reached (3)", 3)


def test_a_vetoed_original_is_not_returned_where_nothing_is_left(tmp_path: Path) -> None:
    first = _begin(tmp_path, rounds=1)
    ended = _answer(tmp_path, Decision(action="finish", vetoed=tuple(c.id for c in first.candidates)))
    assert ended.best is None
    assert ended.finding == "Everything that was scored was vetoed: nothing is left to publish."


def test_without_an_answer_the_run_goes_on_waiting(tmp_path: Path) -> None:
    first = _begin(tmp_path)
    events: list[RunEvent] = []
    again = _answer(tmp_path, None, on_event=events.append)
    assert [e.kind for e in events] == ["waiting"]
    assert again == first
    assert first.finding.startswith("So far")
    assert resume("a", store=tmp_path, decision=None) == first  # nobody has to load a model to look


@pytest.mark.parametrize(
    ("decision", "says"),
    [
        (Decision(vetoed=("r9-09",)), "no such candidate"),
        (Decision(edits={"": "x"}), "no such candidate"),
        (Decision(edits={"r1-01": "  "}), "empty or too long"),
        (Decision(comments={"r7-01": "x"}), "no such candidate"),
        ("stop it", "decision: action"),
    ],
)
def test_a_decision_that_cannot_be_followed_changes_nothing(
    tmp_path: Path, decision: Decision | str, says: str
) -> None:
    first = _begin(tmp_path)
    with pytest.raises(SettingsError, match=says):
        _answer(tmp_path, decision)
    assert _answer(tmp_path, None).candidates == first.candidates


def test_an_answer_to_a_run_that_does_not_wait_is_refused_unless_it_was_heard(tmp_path: Path) -> None:
    _begin(tmp_path, rounds=1)
    said = Decision(action="finish", comments={"": "well done"})
    ended = _answer(tmp_path, said)
    assert _answer(tmp_path, said) == ended  # the same words again, as after a lost connection
    with pytest.raises(SettingsError, match="does not wait"):
        _answer(tmp_path, Decision(comments={"": "one thing more"}))
    assert _answer(tmp_path, "continue") == ended


def test_a_veto_spares_a_persons_own_wording() -> None:
    def made(id_: str, text: str, writer: str = "w") -> Candidate:
        return Candidate(id=id_, text=text, round=1, writer=writer)

    texts = [made("a", "Rye bread at dawn"), made("b", "rye bread at dawn!"), made("c", "Rye bread at  Dawn", "human")]
    assert [c.vetoed for c in with_vetoes(texts, ["a"])] == [True, True, False]
    assert like_a_vetoed("Copper pans for onions", texts) is None


def test_a_decision_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text("action: finish\nedits: {r1-01: Rye}\nvetoed: [r1-02]\ncomments: {'': fine}\n")
    assert Decision.load(path) == Decision(
        action="finish", edits={"r1-01": "Rye"}, vetoed=("r1-02",), comments={"": "fine"}
    )
    path.write_text("acton: finish\n")
    with pytest.raises(SettingsError, match="acton"):
        Decision.load(path)
    path.write_text("- finish\n")
    with pytest.raises(SettingsError, match="field: value"):
        Decision.load(path)
    with pytest.raises(SettingsError, match="no such file"):
        Decision.load(tmp_path / "gone.yaml")


# On the command line, in other processes ------------------------------------------------------------------------------


def test_days_later_another_process_hears_the_decision(lcbm: Lcbm, tmp_path: Path) -> None:
    (tmp_path / "brief.yaml").write_text(BRIEF + "approval: true\n")
    waiting = answer(in_a_process(tmp_path, "optimize", "brief.yaml", "--json"))
    assert waiting["status"] == "waiting_for_approval"
    options = ["--edit", f"r1-01={OWN}", "--veto", "r1-02", "--comment", "warmer, please", "--comment", "r1-03=dull"]
    again = answer(lcbm("optimize", "--resume", waiting["run_id"], *options, "--json"))
    assert again["decisions"][0]["comments"] == {"": "warmer, please", "r1-03": "dull"}
    assert any(c["text"] == OWN and c["prediction"] for c in again["candidates"])
    assert next(c for c in again["candidates"] if c["id"] == "r1-02")["vetoed"]
    shown = lcbm("optimize", "--resume", waiting["run_id"], "--decision", "wait")
    assert "--edit ID=TEXT" in shown.stdout
    assert "[vetoed]" in shown.stdout
    (tmp_path / "end.yaml").write_text("action: finish\n")
    ended = answer(lcbm("optimize", "--resume", waiting["run_id"], "--decision-file", "end.yaml", "--json"))
    assert ended["status"] == "finished"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--edit", "no equals sign"], "names no candidate"),
        (["--decision", "wait", "--veto", "r1-01"], "decides nothing"),
        (["--decision-file", "d.yaml", "--veto", "r1-01"], "together with other answers"),
        (["--decision-file", "d.yaml"], "no such file"),
    ],
)
def test_answers_that_make_no_sense(lcbm: Lcbm, options: list[str], says: str) -> None:
    done = lcbm("optimize", "--resume", "some-run", *options, "--json")
    assert done.returncode == 2
    assert says in json.loads(done.stderr)["error"]


def test_a_new_run_takes_no_answers(lcbm: Lcbm, tmp_path: Path) -> None:
    (tmp_path / "brief.yaml").write_text(BRIEF)
    assert "--resume" in lcbm("optimize", "brief.yaml", "--decision", "finish").stderr
