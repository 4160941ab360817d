"""Writing: rewrites of the weakest arms, on invented rows with a planted rule and writers that know it or do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agents.writers.base import Draft, WriterResult, WriterUsage, WritingTask
from lcbm_model.backbone import Backbone, load_backbone
from lcbm_model.content import Content
from lcbm_model.errors import BackendError, SettingsError, TableError
from lcbm_model.evaluation.registry import get_suite
from lcbm_model.evaluation.rows import load_rows
from lcbm_model.simulator import EnsembleSimulator
from optimizer.writing.drafts import Drafted, drafts_of
from optimizer.writing.judging import judge_all, must_be_held_out, preference
from optimizer.writing.likelihood import asked, expected_winners, likelihoods
from optimizer.writing.rewriting import pens_of, write_all
from optimizer.writing.runner import KEYS, against, writing
from tests.fakes import FakeSimulator, FakeWriter
from tests.lcbm_model import evaluation_data as invented
from tests.lcbm_model.tiny_model import write_tiny_model


def bright(text: str) -> float:
    return 80.0 if "bright" in text.split() else 20.0


class Swapping:
    """Writes the draft with one word exchanged for another."""

    def __init__(self, old: str, new: str) -> None:
        self.name, self.old, self.new = f"{old}-{new}", old, new

    def write(self, task: WritingTask, n: int, *, seed: int) -> WriterResult:
        text = task.content.text.replace(self.old, self.new)
        return WriterResult(drafts=(Draft(text=text, writer=self.name),)[:n], usage=WriterUsage(calls=1))


def story(draft: str = "dull lamp", best: str = "bright lamp", *, group: str = "s", lede: str = "Lamps.") -> Drafted:
    return Drafted(group, Content(text=draft, channel="headline"), best, best, z=3.0, arms=2, lede=lede)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(write_tiny_model(tmp_path_factory.mktemp("tiny") / "model"), device="cpu")


def rows(file: Path) -> list[Drafted]:
    return drafts_of(load_rows(get_suite("upworthy"), file, "test").rows)


def test_the_draft_is_the_weakest_arm_and_the_stories_are_drawn_once(tmp_path: Path) -> None:
    file = invented.upworthy(tmp_path)
    stories = rows(file)
    frame = pl.read_parquet(file).with_columns((pl.col("clicks") / pl.col("impressions")).alias("rate"))
    assert len({s.group for s in stories}) == len(stories) == 9
    for one in stories:
        (test,) = frame.filter(pl.col("headline") == one.draft.text)["clickability_test_id"].unique()
        arms = frame.filter(pl.col("clickability_test_id") == test).sort("rate")["headline"].to_list()
        assert (one.draft.text, one.best, one.arms) == (arms[0], arms[-1], 4)
        assert one.another in arms[1:]
    records = load_rows(get_suite("upworthy"), file, "test").rows
    assert drafts_of(records, 4) == stories[:4]


def test_a_writer_that_knows_the_rule_is_preferred_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    file = invented.upworthy(tmp_path)
    writers = [Swapping("dull", "bright"), Swapping("dull", "drab")]
    result = writing(file, writers=writers, judge=FakeSimulator(bright), embedder=invented.BagEmbedder())
    assert (result.model, result.n, result.groups) == ("dull-bright", 36, 9)
    assert result.suite == "writing-upworthy-judged-by-fake"
    assert result.metrics["share_preferred"] == 1.0
    assert result.metrics["mean_gain"] == pytest.approx(60, abs=3)
    assert result.metrics["n_texts"] == 9
    other, draft = result.baselines["dull-drab"], result.baselines["draft"]
    assert (other["share_preferred"], other["mean_gain"]) == (0.5, 0.0)
    assert (draft["share_preferred"], draft["mean_gain"], draft["same_as_draft"]) == (0.5, 0.0, 1.0)
    assert draft["similarity_to_draft"] == pytest.approx(1)
    assert result.baselines["best_arm"]["share_preferred"] == 1.0
    assert result.baselines["another_arm"]["share_preferred"] < 1
    assert all(set(figures) == set(KEYS) for figures in (result.metrics, *result.baselines.values()))
    assert any("prefers the really best arm to the draft in 100% of 9 stories" in note for note in result.notes)


def test_nothing_of_the_data_enters_the_result(tmp_path: Path) -> None:
    file = invented.upworthy(tmp_path)
    writers = [Swapping("dull", "bright"), FakeWriter("down", down=True)]
    text = writing(file, writers=writers, judge=FakeSimulator(bright), embedder=invented.BagEmbedder()).to_json()
    frame = pl.read_parquet(file)
    for column in ("headline", "clickability_test_id", "eyecatcher_id"):
        assert not any(f'"{value}"' in text or (len(value) > 6 and value in text) for value in frame[column])


def test_a_writer_that_fails_is_said_and_one_that_always_fails_first_is_an_error(tmp_path: Path) -> None:
    file, down = invented.upworthy(tmp_path), FakeWriter("down", down=True)
    judge, embedder = FakeSimulator(bright), invented.BagEmbedder()
    result = writing(file, writers=[Swapping("dull", "bright"), down], judge=judge, embedder=embedder)
    failed = result.baselines["down"]
    assert failed == {**dict.fromkeys(KEYS), "n_texts": 0}
    assert any("down: failed on 9 drafts" in note for note in result.notes)
    with pytest.raises(BackendError, match="connection refused"):
        writing(file, writers=[down], judge=judge, embedder=embedder)


def test_texts_the_judge_cannot_score_decide_nothing() -> None:
    stories, judge = [story(), story(group="t")], FakeSimulator(bright)
    texts = [["bright broken lamp", "bright lamp"], ["broken"]]
    figures = preference(judge, stories, texts, judge_all(judge, stories, [texts]))
    assert figures["share_preferred"].value() == 1
    assert figures["n_texts"].value() == 3
    broken = [story("broken")]
    with pytest.raises(BackendError, match="scored none"):
        judge_all(judge, broken, [[["broken too"]]])


def test_arms_that_ran_stand_in_for_a_writer() -> None:
    clear, unclear = story(), Drafted("t", Content(text="a b"), "b c", "b d", z=1.0, arms=3, lede="")
    lines = against([clear, unclear])
    assert lines["draft"] == [["dull lamp"], ["a b"]]
    assert lines["another_arm"] == [["bright lamp"], ["b d"]]
    assert lines["best_arm_significant"] == [["bright lamp"], []]


def test_a_judge_that_writes_is_refused(tiny: Backbone) -> None:
    judge = FakeSimulator(bright)
    must_be_held_out(judge, ["another"])
    for found in (judge, EnsembleSimulator([FakeSimulator(name="other"), judge])):
        with pytest.raises(SettingsError, match="is the model that writes"):
            must_be_held_out(found, [judge.identity.checkpoint_hash])


def test_content_simulation_shows_what_it_wrote_before_any_filter(tmp_path: Path, tiny: Backbone) -> None:
    file = invented.upworthy(tmp_path)
    judge = FakeSimulator(bright)
    result = writing(
        file, writers="lcbm,edits", model=tiny, judge=judge, limit=2, embedder=invented.BagEmbedder(), baselines=False
    )
    assert result.model == f"lcbm with {tiny.name}"
    assert result.identity is not None
    assert result.identity.checkpoint_hash == tiny.checkpoint_hash
    raw = result.baselines[f"lcbm with {tiny.name}, unfiltered"]
    assert raw["share_preferred"] is None
    assert 0 < raw["n_texts"] <= 2 * 2 * 8
    assert result.metrics["perplexity_winners"] > 1
    gap = np.log(result.metrics["perplexity_winners"]) - np.log(result.metrics["perplexity_losers"])
    assert result.metrics["nll_gap"] == pytest.approx(gap, abs=1e-4)
    assert result.intervals["nll_gap"] is not None
    assert result.baselines["edits"]["nll_gap"] is None


def test_likelihoods_are_of_the_writers_own_prompt_without_either_text(tiny: Backbone) -> None:
    told = story(lede="A shop mends lamps.")
    prompt = asked(told)
    assert "lands at 9 of 0..9" in prompt.text
    assert "A shop mends lamps." in prompt.text
    assert "dull" not in asked(story(lede="")).text
    twice = [told, story("bright lamp", "dull lamp", group="t", lede="A shop mends lamps.")]
    found = likelihoods(tiny, twice)
    assert found[0] == pytest.approx(found[1][::-1], rel=1e-5)
    assert expected_winners(found)["nll_gap"].value() == pytest.approx(0, abs=1e-6)
    unknown = expected_winners(np.full((2, 2), np.nan))
    assert [figure.value() for figure in unknown.values()] == [None, None, None]


def test_a_text_too_long_for_the_model_is_left_out(tiny: Backbone) -> None:
    found = likelihoods(tiny, [story("x" * 3000), story("dull")])
    assert np.isfinite(found).tolist() == [[True, False], [True, True]]
    assert expected_winners(found)["nll_gap"].value() == pytest.approx(found[1, 0] - found[1, 1])


def test_writers_by_name_and_writers_at_hand_go_together() -> None:
    own = Swapping("dull", "bright")
    pens = pens_of(["edits", own], "embedded")
    assert [pen.name for pen in pens] == ["edits", "dull-bright"]
    written = write_all(pens[1], [story()], 2, 0)
    assert (written.texts, written.raw, written.errors) == ([["bright lamp"]], None, ())


@pytest.mark.parametrize(
    ("writers", "told"),
    [
        ("buzz", "unknown writer"),
        ("", "names none"),
        ((), "names none"),
        (("edits", "edits"), "names one writer twice"),
    ],
)
def test_writers_that_cannot_be_measured_are_refused(writers: str | Sequence[str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        pens_of(writers, "embedded")


@pytest.mark.parametrize(("option", "value"), [("limit", 0), ("rewrites", 0)])
def test_numbers_below_one_are_refused(tmp_path: Path, option: str, value: int) -> None:
    with pytest.raises(SettingsError, match=f"--{option}: must be at least 1"):
        writing(tmp_path / "no.parquet", judge=FakeSimulator(), **{option: value})


def test_files_that_cannot_serve_are_refused(tmp_path: Path) -> None:
    file = invented.upworthy(tmp_path)
    frame = pl.read_parquet(file)
    frame.drop("headline").write_parquet(tmp_path / "no_headline.parquet")
    frame.unique(["clickability_test_id"]).write_parquet(tmp_path / "one_arm.parquet")
    settings = {"writers": [Swapping("dull", "bright")], "judge": FakeSimulator()}
    with pytest.raises(TableError, match="headline"):
        writing(tmp_path / "no_headline.parquet", **settings)
    with pytest.raises(TableError, match="no story with two headlines"):
        writing(tmp_path / "one_arm.parquet", **settings)
    with pytest.raises(TableError, match="no such split"):
        writing(file, "winter", **settings)
