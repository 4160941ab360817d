"""The evidence benchmark runs on invented posts, finds the planted rule and records in the common form."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from lcbm_model.evaluation.benchmark_record import BenchmarkRecord
from tests.fakes import FakeSimulator
from tests.lcbm_model import evaluation_data as invented

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    invented.facebook(tmp_path, pages=10, posts=100)
    invented.upworthy(tmp_path, tests=40)
    return tmp_path


def test_neighbours_find_the_planted_rule_and_help_a_blind_simulator(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("evidence")
    monkeypatch.setattr(module, "CachedEmbedder", invented.BagEmbedder)
    monkeypatch.setattr(module, "load_simulator", lambda _: FakeSimulator(lambda text: sum(map(ord, text)) % 97))
    out = data / "evidence.json"
    module.main(["--data", str(data), "--scored", "20", "--out", str(out)])
    record = BenchmarkRecord.model_validate_json(out.read_bytes())
    tables = {
        table.title: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in record.tables
    }
    alone = {(row["metric"], row["by"]): row for row in tables["Facebook, all held-out posts"]}
    assert alone["shares", "neighbours"]["Spearman"] > 0.5
    assert abs(alone["shares", "coin"]["Spearman"]) < 0.3
    assert alone["shares", "mean of the page"]["Spearman"] == 0
    beside = {(row["metric"], row["by"]): row for row in tables["Facebook, beside the simulator"]}
    assert beside["shares", "simulator and neighbours"]["Spearman"] > beside["shares", "simulator"]["Spearman"] + 0.3
    assert beside["shares", "simulator and neighbours"]["error"] < beside["shares", "simulator"]["error"]
    gain = tables["What the neighbours add to the simulator"][0]
    assert 0 < gain["low"] <= gain["difference"] <= gain["high"]
    lifts = {row["by"]: row["lift"] for row in tables["Choosing among versions of one headline"]}
    assert lifts["neighbours"] > 1.1
    assert "## Held-out posts" in capsys.readouterr().out

    module.main(["--data", str(data), "--split", "validation", "--fit", "--scored", "20"])
    assert "trust 2: Spearman" in capsys.readouterr().out
