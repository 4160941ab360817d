"""Every suite end to end on invented rows: the contract's keys, planted rules found, honest nulls."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from lcbm_model.corpus.record import Record
from lcbm_model.errors import BackendError, SettingsError, TableError
from lcbm_model.evaluation import EvaluationResult, evaluate, get_suite, suite_names
from lcbm_model.evaluation.answers import shuffled_contexts, shuffled_pictures
from lcbm_model.evaluation.rows import load_rows
from lcbm_model.evaluation.suites.base import Answers, Rows
from lcbm_model.evaluation.suites.facebook import FacebookSuite
from tests.fakes import FakeSimulator
from tests.lcbm_model import evaluation_data as invented

KEYS = {
    "upworthy": {
        "pair_accuracy_significant",
        "n_significant",
        "pair_accuracy_all",
        "chosen_over_mean",
        "best_over_mean",
    },
    "caption-contest": {"spearman_within_contest", "pair_accuracy"},
    "facebook": {"spearman_within_page_shares", "spearman_within_page_reactions"},
    "reddit": {"spearman_within_subreddit"},
    "oasis": {"spearman_valence", "spearman_arousal"},
    "lambda": {"spearman_memorability"},
}
TEXTS = {
    "upworthy": invented.upworthy,
    "caption-contest": invented.caption_contest,
    "facebook": invented.facebook,
    "reddit": invented.reddit,
    "lambda": invented.lambda_,
}


def bright(text: str) -> float:
    return 90.0 if "bright" in text else 10.0


def run(suite: str, file: Path, **settings: object) -> EvaluationResult:
    arguments = {"model": FakeSimulator(bright), "embedder": invented.BagEmbedder(), **settings}
    return evaluate(suite, file, "test", **arguments)  # type: ignore[arg-type]


def test_the_six_suites_of_the_contract_are_registered() -> None:
    assert set(suite_names()) == set(KEYS)
    for name, keys in KEYS.items():
        assert set(get_suite(name).keys) == keys
    with pytest.raises(SettingsError, match="upworthy"):
        get_suite("buzzfeed")


@pytest.mark.parametrize("suite", sorted(TEXTS))
def test_text_suites_give_the_contracts_keys_and_find_the_planted_rule(suite: str, tmp_path: Path) -> None:
    result = run(suite, TEXTS[suite](tmp_path))
    calibrated = {"coverage_80"} | ({"ece_win_probability"} if suite in ("upworthy", "caption-contest") else set())
    assert set(result.metrics) == KEYS[suite] | calibrated
    assert set(result.intervals) == set(result.metrics)
    more = {"minilm_linear_all_words"} if suite == "lambda" else set()
    assert set(result.baselines) == {"minilm_linear", "nearest_neighbours", "text_length", "chance"} | more
    leading = get_suite(suite).keys[0]
    for figures in (result.metrics, result.baselines["minilm_linear"]):
        assert set(figures) == set(result.metrics)
        assert figures[leading] is not None
        assert figures[leading] > (0.9 if suite == "upworthy" else 0.6)
    low, high = result.intervals[leading]
    assert low <= result.metrics[leading] <= high
    assert result.baselines["minilm_linear"].get("coverage_80") is None
    assert json.loads(result.to_json())["suite"] == suite


def test_oasis_needs_its_pictures_and_is_not_answered_from_words(tmp_path: Path) -> None:
    file, images = invented.oasis(tmp_path)
    with pytest.raises(TableError, match="--images"):
        run("oasis", file)
    result = run("oasis", file, images=images)
    assert set(result.metrics) == KEYS["oasis"] | {"coverage_80"}
    assert result.metrics["spearman_valence"] == 0  # the fake reads words, and there are none
    assert any("constant output" in note for note in result.notes)
    assert result.baselines["minilm_linear"]["spearman_valence"] is None
    assert any("no words" in note for note in result.notes)
    assert result.baselines["picture_linear"]["spearman_valence"] > 0.5  # light plates are pleasant
    assert result.baselines["picture_linear"]["spearman_arousal"] > 0.5


def test_upworthy_figures_on_rows_counted_by_hand(tmp_path: Path) -> None:
    row = {"lede": "", "excerpt": "", "test_week": 201410, "eyecatcher_id": "e", "split": "test", "impressions": 1000}
    arms = [
        # Test A: three headlines; the repeated one is pooled to 60 of 2000.
        ("A", 1, "bright one", 30, False),
        ("A", 1, "bright one", 30, False),
        ("A", 1, "plain two", 90, False),
        ("A", 1, "plain three", 31, False),
        # Test B: one pair that the fake orders rightly.
        ("B", 2, "bright four", 80, False),
        ("B", 2, "plain five", 20, False),
        # Test C: no truth for comparisons.
        ("C", 3, "bright six", 900, True),
        ("C", 3, "plain seven", 10, True),
    ]
    names = ("clickability_test_id", "story_id", "headline", "clicks", "randomization_imbalance_risk")
    file = tmp_path / "u.parquet"
    pl.DataFrame([row | dict(zip(names, arm, strict=True)) for arm in arms]).write_parquet(file)
    result = run("upworthy", file, baselines="none")
    assert result.n == 6
    # Pairs: A 3 (bright-two wrong and significant, bright-three wrong, two-three tied and significant), B 1 right.
    assert result.metrics["n_significant"] == 3
    assert result.metrics["pair_accuracy_significant"] == pytest.approx((0 + 0.5 + 1) / 3, abs=1e-6)
    assert result.metrics["pair_accuracy_all"] == pytest.approx((0 + 0 + 0.5 + 1) / 4, abs=1e-6)
    mean = (0.03 + 0.09 + 0.031) / 3
    assert result.metrics["chosen_over_mean"] == pytest.approx(0.03 / mean, abs=1e-6)
    assert result.metrics["best_over_mean"] == pytest.approx(0.09 / mean, abs=1e-6)


def test_without_train_rows_learned_baselines_are_null_and_the_note_says_why(tmp_path: Path) -> None:
    file = invented.upworthy(tmp_path)
    pl.read_parquet(file).filter(pl.col("split") == "test").write_parquet(file)
    result = run("upworthy", file)
    assert set(result.baselines["minilm_linear"].values()) == {None}
    assert result.baselines["chance"]["pair_accuracy_all"] is not None
    assert any("minilm_linear: not made" in note and "train rows" in note for note in result.notes)
    with pytest.raises(SettingsError, match="cannot be made"):
        run("upworthy", file, model="nearest_neighbours", baselines="none")


def test_a_split_of_any_name_can_be_evaluated(tmp_path: Path) -> None:
    file = invented.reddit(tmp_path)
    as_test = run("reddit", file)
    renamed = pl.read_parquet(file).with_columns(pl.col("split").replace({"test": "kept back"}))
    renamed.write_parquet(tmp_path / "other.parquet")
    other = evaluate(
        "reddit", tmp_path / "other.parquet", "kept back", model=FakeSimulator(bright), embedder=invented.BagEmbedder()
    )
    assert other.metrics == as_test.metrics
    assert other.baselines == as_test.baselines
    renamed.rename({"split": "Split"}).write_csv(tmp_path / "other.csv", separator=";")
    european = evaluate("reddit", tmp_path / "other.csv", "kept back", model=FakeSimulator(bright), baselines="none")
    assert european.metrics == as_test.metrics
    with pytest.raises(TableError, match="kept back"):
        evaluate("reddit", tmp_path / "other.parquet", "nonesuch", model=FakeSimulator(bright))
    with pytest.raises(TableError, match="no usable row"):
        evaluate("reddit", tmp_path / "other.parquet", "test", model=FakeSimulator(bright))


def test_bad_rows_beside_a_split_of_any_name_are_told_by_their_place_in_the_file(tmp_path: Path) -> None:
    lines = ["subreddit,title,score,num_comments,split", *(f"a,title {i},{i},1,other" for i in range(10))]
    lines += [*(f"b,title {i},{i},1,dev" for i in range(6)), "b,below nothing,-3,-1,dev", "b,cut", "b,good,-3,1,dev"]
    (tmp_path / "r.csv").write_text("\n".join(lines), encoding="utf-8")
    loaded = load_rows(get_suite("reddit"), tmp_path / "r.csv", "dev")
    assert len(loaded.rows) == 7
    assert {(p.file, p.row, p.column) for p in loaded.problems} == {("r.csv", 17, "num_comments"), ("r.csv", 18, "")}
    assert loaded.problems.total == 2


def test_a_limit_keeps_comparisons_whole_and_thins_rankings_evenly(tmp_path: Path) -> None:
    kept = load_rows(get_suite("upworthy"), invented.upworthy(tmp_path), "test", limit=30).rows
    assert len(kept) == 28
    assert {sum(r.arms == a for r in kept) for a in {r.arms for r in kept}} == {4}
    thinned = load_rows(get_suite("facebook"), invented.facebook(tmp_path), "test", limit=60).rows
    assert len(thinned) == 60
    assert {sum(r.context == c for r in thinned) for c in {r.context for r in thinned}} == {20}
    assert len(load_rows(get_suite("facebook"), tmp_path / "facebook_posts.parquet", "test", limit=7).rows) == 7
    assert len(load_rows(get_suite("upworthy"), tmp_path / "upworthy.parquet", "test", limit=1).rows) == 4
    with pytest.raises(SettingsError, match="--limit"):
        load_rows(get_suite("upworthy"), tmp_path / "upworthy.parquet", "test", limit=0)


def test_rows_that_cannot_be_scored_get_the_middle_and_are_counted(tmp_path: Path) -> None:
    file = invented.reddit(tmp_path)
    spoilt = pl.read_parquet(file).with_columns(
        pl.when(pl.int_range(pl.len()) == 299).then(pl.lit("broken")).otherwise(pl.col("title")).alias("title")
    )
    spoilt.write_parquet(file)
    result = run("reddit", file, baselines="none")
    assert any(note.startswith("fake: 1 of 90 rows could not be scored for score") for note in result.notes)
    assert result.metrics["spearman_within_subreddit"] > 0.6
    pl.read_parquet(file).with_columns(pl.lit("broken").alias("title")).write_parquet(file)
    with pytest.raises(BackendError, match="none of 90 rows"):
        run("reddit", file, baselines="none")


def test_rows_the_reader_leaves_out_are_counted_without_their_values(tmp_path: Path) -> None:
    file = invented.reddit(tmp_path)
    secret = pl.when(pl.int_range(pl.len()) == 4).then(pl.lit("   ")).otherwise(pl.col("title")).alias("title")
    pl.read_parquet(file).with_columns(secret).write_parquet(file)
    (note,) = run("reddit", file, baselines="none").notes
    assert note == "1 rows of the file left out or without picture: title: is empty (first in row 5)"


def test_controls_spoil_the_setting_and_report_constant_output(tmp_path: Path) -> None:
    result = run("facebook", invented.facebook(tmp_path), controls=True, baselines="none")
    assert result.controls["distinct_scores"] == {
        "shares": pytest.approx(2 / 90, abs=1e-6),
        "reactions": pytest.approx(2 / 90, abs=1e-6),
    }
    # The fake reads only the words, so another page's name changes nothing.
    assert (
        result.controls["shuffled_context"]["spearman_within_page_shares"]
        == result.metrics["spearman_within_page_shares"]
    )
    assert "shuffled_pictures" not in result.controls


def test_shuffles_move_everything_and_keep_the_words(tmp_path: Path) -> None:
    rows = Rows(load_rows(get_suite("facebook"), invented.facebook(tmp_path), "test").rows)
    spoilt = shuffled_contexts(rows)
    assert spoilt is not None
    for record, content in zip(rows.records, spoilt, strict=True):
        assert content.text == record.content.text
        assert content.communicator != record.content.communicator
    file, images = invented.oasis(tmp_path)
    pictures = Rows(load_rows(get_suite("oasis"), file, "test", images=images).rows)
    moved = shuffled_pictures(pictures)
    assert moved is not None
    assert all(c.media != r.content.media for c, r in zip(moved, pictures.records, strict=True))
    assert {c.media for c in moved} == {r.content.media for r in pictures.records}
    assert shuffled_pictures(rows) is None
    assert shuffled_contexts(pictures) is None


def test_utility_ranks_where_the_model_has_one(tmp_path: Path) -> None:
    class WithUtility(FakeSimulator):
        def predict(self, contents, metric, context=None):  # type: ignore[no-untyped-def]
            plain = super().predict(contents, metric, context)
            return [p.model_copy(update={"utility": -p.expected}) for p in plain]

    file = invented.reddit(tmp_path)
    forward = run("reddit", file, baselines="none").metrics["spearman_within_subreddit"]
    backward = run("reddit", file, baselines="none", model=WithUtility(bright)).metrics["spearman_within_subreddit"]
    assert backward == pytest.approx(-forward, abs=1e-6)


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    file = invented.reddit(tmp_path)
    with pytest.raises(SettingsError, match="none, plain or all"):
        run("reddit", file, baselines="some")
    with pytest.raises(TableError, match="no such file"):
        run("reddit", tmp_path / "missing.parquet")
    with pytest.raises(TableError, match="subreddit"):
        run("reddit", invented.upworthy(tmp_path))


def test_equal_seeds_equal_figures(tmp_path: Path) -> None:
    file = invented.caption_contest(tmp_path)
    first, second = run("caption-contest", file), run("caption-contest", file)
    varying = {"seconds", "seconds_predicting"}
    assert first.model_dump(exclude=varying) == second.model_dump(exclude=varying)
    assert np.isfinite(first.metrics["ece_win_probability"])


class TeamSuite(FacebookSuite):
    """A team's own posts on the bench."""

    name = "team"
    reader = "table"
    behaviors = ("likes",)


@pytest.mark.parametrize("split", ["test", "holdout"])
def test_a_splits_name_costs_no_picture(tmp_path: Path, split: str) -> None:
    rows = "".join(f"Invented post {i},{i},{split},p.png\n" for i in range(6))
    (tmp_path / "posts.csv").write_text(f"text,likes,split,image\n{rows}", encoding="utf-8")
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    loaded = load_rows(TeamSuite(), tmp_path / "posts.csv", split)
    assert [len(record.content.media) for record in loaded.rows] == [1] * 6
    assert not loaded.problems


def test_stated_chances_are_held_against_pooled_arms(tmp_path: Path) -> None:
    """The same words in two arms are one; by its first row alone the winner would have lost."""
    loaded = load_rows(get_suite("upworthy"), invented.upworthy(tmp_path), "test")
    first = next(r for r in loaded.rows if r.arms is not None)
    seen = first.observations[0]

    def arm(text: str, clicks: int, shown: int) -> Record:
        observation = seen.model_copy(update={"value": clicks / shown, "count": clicks, "exposure": shown})
        content = first.content.with_text(text)
        return first.model_copy(update={"id": f"{text}{clicks}", "content": content, "observations": (observation,)})

    rows = Rows([arm("A", 0, 100), arm("A", 100, 1000), arm("B", 50, 1000)])
    sure = Answers(scores=np.array([1.0, 1.0, 0.0]), win=lambda a, b: np.where(a < b, 0.95, 0.05))
    found = get_suite("upworthy").calibration(rows, {"click_rate": sure})
    assert found["ece_win_probability"].value() == pytest.approx(0.05)
