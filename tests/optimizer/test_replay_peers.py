"""The benchmark against other optimisers runs, counts alike for all, and records in the common form."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.content import Content
from lcbm_model.evaluation.benchmark_pages import benchmark_files
from lcbm_model.evaluation.benchmark_record import BenchmarkRecord
from optimizer import Library
from tests.agents.hashing_embedder import HashingEmbedder
from tests.fakes import FakeSimulator, LookingSimulator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("gepa", reason="the benchmark's peer is not installed: pip install gepa")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = importlib.import_module("peers")
    embedder = HashingEmbedder()
    library = Library.from_csv(ROOT / "examples" / "kupfer_library.csv", metric="click_rate", embedder=embedder)
    monkeypatch.setattr(module, "load_simulator", lambda name: LookingSimulator(name=name, spread=15))
    monkeypatch.setattr(module, "load_embedder", lambda: embedder)
    monkeypatch.setattr(module.Library, "from_csv", lambda *_, **__: library)
    return module


def test_every_contender_stays_in_its_budget(peers: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results" / "peers.json"
    peers.main(["--briefs", "2", "--calls", "6", "--writers", "edits", "--out", str(out)])
    record = BenchmarkRecord.model_validate_json(out.read_bytes())
    first, pairs = record.tables
    rows = {row[0]: dict(zip(first.columns, row, strict=True)) for row in first.rows}
    searchers = {"best of n", "GEPA", "best of n, first look", "GEPA, first look"}
    as_few = {f"{name}, our calls" for name in searchers}
    assert set(rows) == {"ours", "retrieval swap", "retrieval, best of n"} | searchers | as_few
    for name, row in rows.items():
        assert 0 < row["calls"] <= (rows["ours"]["calls"] if name in as_few else 6)
        assert (row["looks"] > 0) == (name == "ours" or "first look" in name)
        assert row["with looks"] is not None
        assert row["low"] <= row["judge gain"] <= row["high"]
        assert row["drift"] >= -1e-6
    # Judge and simulator are one function here: who takes the best of what was scored cannot lose.
    for name in ("ours", "retrieval, best of n", *searchers, *as_few):
        assert rows[name]["judge gain"] == pytest.approx(rows[name]["proxy gain"])
        assert rows[name]["judge gain"] >= 0
    assert all(rows[name]["allowed"] == 1 for name in ("ours", *searchers, *as_few))
    assert next(row[0] for row in pairs.rows) == "ours less best of n"
    assert "ours less GEPA" in benchmark_files(out.parent)["peers.md"]


def test_briefs_are_many_and_their_drafts_keep_their_own_facts(peers: Any) -> None:
    from agents.screener import Screener
    from optimizer.loop.task import task_of

    cases = peers.load_cases()
    assert len({case.brief.name for case in cases}) == len(cases) >= 40
    held_out, developed = peers.load_cases(half="held-out"), peers.load_cases(half="development")
    assert held_out == cases[1::2]
    assert developed == cases[::2]
    for brief in (case.brief for case in cases):
        assert Screener(task_of(brief)).check(brief.draft) == [], brief.name


def test_equal_contents_cost_one_call(peers: Any) -> None:
    counted = importlib.import_module("contenders").Counted(FakeSimulator())
    contents = [Content(text=text) for text in ("a", "b", "a")]
    assert [p.expected for p in counted.predict(contents, "shares")][::2] == [
        counted.predict(contents, "shares")[0].expected
    ] * 2
    assert counted.calls == 2
