"""Recorded results to tables and plots: deterministic, complete, and never two figures under one name."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from lcbm_model.errors import TableError
from lcbm_model.evaluation import EvaluationResult
from lcbm_model.evaluation.tables import SHIPPED, cell, differing, generate, write
from lcbm_model.prediction import SimulatorIdentity


def result(model: str, value: float = 0.25, *, n: int = 90, **changes: object) -> EvaluationResult:
    key = "spearman_within_subreddit"
    fields = {
        "suite": "reddit",
        "split": "test",
        "n": n,
        "groups": 3,
        "model": model,
        "identity": SimulatorIdentity(backend="fake", checkpoint=model, checkpoint_hash="0", tuned=True),
        "seconds": 1.0,
        "seconds_predicting": 0.5,
        "metrics": {key: value, "coverage_80": 0.8},
        "intervals": {key: (value - 0.1, value + 0.1), "coverage_80": (0.7, 0.9)},
        "baselines": {"chance": {key: 0.01, "coverage_80": None}},
        "baseline_intervals": {"chance": {key: (-0.1, 0.1), "coverage_80": None}},
        "notes": ("one row left out",),
    }
    return EvaluationResult.model_validate(fields | changes)


def test_tables_show_every_model_and_each_baseline_once(tmp_path: Path) -> None:
    result("alpha").save(tmp_path / "a.json")
    result("beta", 0.35).save(tmp_path / "b.json")
    files = generate(tmp_path)
    page = files["results.md"]
    assert "| alpha (fake, tuned, uncalibrated) | 0.250 [0.150, 0.350] | 0.800 [0.700, 0.900] |" in page
    assert "| beta (fake, tuned, uncalibrated) | 0.350 [0.250, 0.450] |" in page
    assert page.count("| chance | 0.010 [-0.100, 0.100] | – |") == 1
    assert "- alpha: one row left out" in page
    plot = files["figures/results-reddit-test-90.svg"]
    ElementTree.fromstring(plot)
    assert "alpha (fake, tuned, uncalibrated)" in plot


def test_same_results_same_bytes_and_a_changed_letter_is_told(tmp_path: Path) -> None:
    result("alpha").save(tmp_path / "results" / "a.json")
    files, docs = generate(tmp_path / "results"), tmp_path / "docs"
    assert generate(tmp_path / "results") == files
    assert differing(files, docs) == sorted(files)
    assert write(files, docs) == sorted(files)
    assert differing(files, docs) == []
    (docs / "results.md").write_text(files["results.md"].replace("0.250", "0.251"), encoding="utf-8")
    assert differing(files, docs) == ["results.md"]


def test_other_rows_have_a_table_and_a_plot_of_their_own(tmp_path: Path) -> None:
    result("alpha").save(tmp_path / "a.json")
    result("beta", n=50).save(tmp_path / "b.json")
    files, docs = generate(tmp_path), tmp_path / "docs"
    assert "## reddit, test split, 90 rows in 3 groups" in files["results.md"]
    assert "## reddit, test split, 50 rows in 3 groups" in files["results.md"]
    write(files, docs)
    (tmp_path / "b.json").unlink()
    fewer = generate(tmp_path)
    assert differing(fewer, docs) == ["figures/results-reddit-test-50.svg", "results.md"]
    write(fewer, docs)
    assert not (docs / "figures" / "results-reddit-test-50.svg").exists()
    assert differing(fewer, docs) == []


def test_replayed_choices_come_after_the_suites(tmp_path: Path) -> None:
    result("alpha").save(tmp_path / "a.json")
    key = "lift_over_mean"
    figures = {"metrics": {key: 1.2}, "intervals": {key: (1.1, 1.3)}, "baselines": {"random_arm": {key: 1.01}}}
    ends = {"baseline_intervals": {"random_arm": {key: (0.9, 1.1)}}}
    result("alpha", suite="replay-upworthy", **figures, **ends).save(tmp_path / "b.json")
    files = generate(tmp_path)
    assert files["results.md"].index("## reddit, test") < files["results.md"].index("## replay-upworthy, test")
    assert "| the loop, alpha (fake, tuned, uncalibrated) | 1.200 [1.100, 1.300] |" in files["results.md"]
    assert "| random_arm | 1.010 [0.900, 1.100] |" in files["results.md"]
    assert key in files["figures/results-replay-upworthy-test-90.svg"]


def test_best_of_n_is_each_models_own(tmp_path: Path) -> None:
    key = "lift_over_mean"
    for model, value in (("alpha", 1.1), ("beta", 1.2)):
        figures = {"metrics": {key: value}, "intervals": {key: None}, "baselines": {"best_of_n_by_mean": {key: value}}}
        ends = {"baseline_intervals": {"best_of_n_by_mean": {key: None}}}
        result(model, suite="replay-upworthy", **figures, **ends).save(tmp_path / f"{model}.json")
    page = generate(tmp_path)["results.md"]
    assert "| best_of_n_by_mean, alpha | 1.100 |" in page
    assert "| best_of_n_by_mean, beta | 1.200 |" in page


def test_hostile_notes_stay_words(tmp_path: Path) -> None:
    result("alpha", notes=("got '| x |\n# <script>'",)).save(tmp_path / "a.json")
    page = generate(tmp_path)["results.md"]
    assert r"- alpha: got '\| x \| # \<script\>'" in page


def test_results_that_cannot_stand_side_by_side_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no results"):
        generate(tmp_path)
    result("alpha").save(tmp_path / "a.json")
    result("alpha", 0.3).save(tmp_path / "b.json")
    with pytest.raises(TableError, match="two results of one model"):
        generate(tmp_path)
    (tmp_path / "b.json").write_text('{"suite": "reddit"}', encoding="utf-8")
    with pytest.raises(TableError, match=r"b\.json"):
        generate(tmp_path)


def test_cells_show_counts_figures_and_unknowns() -> None:
    assert cell(1864, (1864.0, 1864.0)) == "1,864"
    assert cell(0.12345, None) == "0.123"
    assert cell(None, None) == "–"


def test_a_result_survives_the_round_trip(tmp_path: Path) -> None:
    first = result("alpha")
    first.save(tmp_path / "deep" / "a.json")
    assert EvaluationResult.load(tmp_path / "deep" / "a.json") == first


def test_shipped_results_and_docs_agree() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    assert differing(generate(SHIPPED), docs) == []
