"""Replay: the loop's picks among arms that were run, on invented rows with a planted rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agents.writers.base import WritingTask
from lcbm_model.content import Content
from lcbm_model.errors import BackendError, SettingsError
from lcbm_model.evaluation.registry import get_suite
from lcbm_model.evaluation.rows import load_rows
from lcbm_model.prediction import Prediction
from lcbm_model.simulator import EnsembleSimulator
from optimizer.replay.choosing import choose
from optimizer.replay.figures import figures
from optimizer.replay.parts import ArmsWriter, AsRun
from optimizer.replay.runner import replay
from optimizer.replay.stories import DECK, DECKS, Arm, Story, stories_of
from tests.fakes import FakeSimulator
from tests.lcbm_model import evaluation_data as invented


def bright(text: str) -> float:
    return 80.0 if "bright" in text.split() else 20.0


def story(*values: float, texts: tuple[str, ...] = ()) -> Story:
    words = texts or tuple(f"text {i}" for i in range(len(values)))
    arms = [Arm(i, Content(text=words[i], channel="headline"), value) for i, value in enumerate(values)]
    return Story("s", "g", tuple(arms))


def scored(told: Story, *simulators: FakeSimulator) -> dict[str, dict[str, Prediction]]:
    contents = [arm.content for arm in told.arms]
    said = {s.identity.checkpoint_hash: s.predict(contents, "shares") for s in simulators}
    return {name: dict(zip([c.text for c in contents], p, strict=True)) for name, p in said.items()}


def test_a_loop_that_knows_the_rule_reaches_what_is_possible(tmp_path: Path) -> None:
    file = invented.upworthy(tmp_path)
    result = replay(file, model=FakeSimulator(bright), embedder=invented.BagEmbedder())
    suite = get_suite("upworthy")
    possible = result.baselines["best_arm_possible"]["lift_over_mean"]
    assert possible is not None
    assert 1.2 < result.metrics["lift_over_mean"] <= possible
    assert result.metrics["n_choices"] == 18
    assert result.intervals["n_choices"] == (18.0, 18.0)
    assert result.metrics["lift_over_mean"] > result.baselines["random_arm"]["lift_over_mean"] + 0.1
    assert result.baselines["minilm_linear"]["lift_over_mean"] > 1.2
    assert result.baselines["chat_prompt"] == dict.fromkeys(result.metrics)
    assert any("no chat endpoint" in note for note in result.notes)
    assert (result.suite, result.n) == ("replay-upworthy", 4 * 18)
    assert suite.name in result.suite


def test_the_lift_is_the_benchs_chosen_over_mean(tmp_path: Path) -> None:
    from lcbm_model.evaluation import evaluate

    file, simulator = (
        invented.upworthy(tmp_path, tests=24),
        FakeSimulator(lambda text: float(len(text) + hash_of(text))),
    )
    replayed = replay(file, model=simulator, baselines=False)
    scored = evaluate("upworthy", file, "test", model=simulator, baselines="none")
    assert replayed.baselines["best_of_n_by_mean"]["lift_over_mean"] == scored.metrics["chosen_over_mean"]
    assert replayed.baselines["best_arm_possible"]["lift_over_mean"] == scored.metrics["best_over_mean"]


def hash_of(text: str) -> float:
    return (sum(map(ord, text)) % 97) / 3


def test_the_order_is_seeded_and_the_result_repeatable(tmp_path: Path) -> None:
    file = invented.upworthy(tmp_path, tests=12)
    runs = [replay(file, model=FakeSimulator(), seed=s, baselines=False) for s in (1, 1, 2)]
    assert runs[0].metrics == runs[1].metrics
    assert runs[0].baselines["random_arm"] != runs[2].baselines["random_arm"]


def test_a_caption_deck_holds_sixteen_different_captions(tmp_path: Path) -> None:
    file = invented.caption_contest(tmp_path, contests=7, captions=50)
    rows = load_rows(get_suite("caption-contest"), file, "test").rows
    stories = stories_of("caption-contest", rows)
    assert {len(s.arms) for s in stories} == {DECK}
    for cartoon in {s.group for s in stories}:
        decks = [s for s in stories if s.group == cartoon]
        assert len(decks) == 3 <= DECKS
        texts = [arm.content.text for deck in decks for arm in deck.arms]
        assert len(set(texts)) == len(texts)
    result = replay(file, suite="caption-contest", model=FakeSimulator(bright), baselines=False)
    assert result.metrics["lift_over_mean"] > 1.1


def test_the_loop_stops_by_its_own_rules(tmp_path: Path) -> None:
    values = tuple(float(i) for i in range(40))
    texts = tuple(f"text {i:02d} of one length" for i in range(40))
    worth = {text: 40 + 13 * i % 29 for i, text in enumerate(texts)}
    told = story(*values, texts=texts)
    simulator = FakeSimulator(lambda text: float(worth[text]))
    run = choose(told, simulator, scored(told, simulator), metric="shares", seed=0, per_round=1, store=tmp_path)
    assert run.seen < 40
    assert "gain" in run.stop_reason
    met = told.order(0)[: run.seen]
    assert run.chosen is not None
    assert worth[texts[run.chosen]] == max(worth[texts[i]] for i in met), "of those it has seen, the best ranked"


def calibrated(score: Callable[[str], float], name: str) -> FakeSimulator:
    made = FakeSimulator(score, name=name)
    made.identity = made.identity.model_copy(update={"calibration_id": "by hand"})
    return made


def test_an_ensemble_distrusts_what_its_members_dispute(tmp_path: Path) -> None:
    one = calibrated(lambda t: 95.0 if t == "disputed" else 62.0, "one")
    two = calibrated(lambda t: 35.0 if t == "disputed" else 62.0, "two")
    told = story(0.1, 0.3, 0.2, texts=("disputed", "agreed", "also agreed upon"))
    simulator, known = EnsembleSimulator([one, two]), scored(told, one, two)
    run = choose(told, simulator, known, metric="shares", seed=0, per_round=3, store=tmp_path)
    assert run.chosen in (1, 2)


def test_figures_of_hand_made_choices() -> None:
    stories = [story(1.0, 2.0, 3.0), Story("t", "h", story(2.0, 2.0, 8.0).arms)]
    sure = figures(stories, [np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])])
    assert sure["lift_over_mean"].value() == pytest.approx((3 + 2) / (2 + 4))
    assert sure["share_of_possible"].value() == pytest.approx((1 - 2) / (1 + 4))
    assert sure["picked_best"].value() == pytest.approx(0.5)
    none = figures(stories, [np.zeros(3), np.zeros(3)])
    assert none["lift_over_mean"].value() == pytest.approx(1.0)


def test_the_writer_hands_out_each_text_once_and_the_same_again() -> None:
    writer = ArmsWriter(["a", "b", "c"], 2)

    def drafted(number: int) -> list[str]:
        task = WritingTask(content=Content(text=""), metric="shares", message="m", round=number)
        return [d.text for d in writer.write(task, 2, seed=number).drafts]

    assert [drafted(1), drafted(1), drafted(2), drafted(3)] == [["a", "b"], ["a", "b"], ["c"], []]


class Picky(FakeSimulator):
    """Cannot score texts that hold a word."""

    def __init__(self, word: str) -> None:
        super().__init__(bright)
        self.word = word

    def _one(self, content: Content, metric: str) -> Prediction:
        broken = content.model_copy(update={"text": "broken"})
        return super()._one(broken if self.word in content.text else content, metric)


def test_what_was_never_run_cannot_be_scored() -> None:
    told = story(0.1, 0.2, 0.3)
    simulator = FakeSimulator()
    (known,) = scored(told, simulator).values()
    staged = AsRun(simulator, known)
    arm, part = staged.predict([told.arms[0].content, Content(text="0")], "shares")
    assert arm == simulator.predict([told.arms[0].content], "shares")[0]
    assert part.error == "is no text that was run"
    assert sum(staged.compare([a.content for a in told.arms], "shares")) == pytest.approx(1)


def test_arms_that_cannot_be_scored_are_said(tmp_path: Path) -> None:
    file = invented.upworthy(tmp_path, tests=12)
    result = replay(file, model=Picky("lamp"), baselines=False)
    assert any("could not be scored" in note for note in result.notes)
    with pytest.raises(BackendError, match="scored none"):
        replay(file, model=Picky(""), baselines=False)


@pytest.mark.parametrize(("suite", "told"), [("facebook", "no arms"), ("buzz", "unknown suite")])
def test_suites_without_arms_are_refused(tmp_path: Path, suite: str, told: str) -> None:
    file = invented.facebook(tmp_path)
    with pytest.raises(SettingsError, match=told):
        replay(file, suite=suite, model=FakeSimulator())
