"""The command line's contracts."""

from __future__ import annotations

import csv
import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from optimizer import OptimizationResult
from optimizer.cli import COMMANDS
from tests.optimizer.calls import BRIEF, POSTS, ROOT, Lcbm, answer, in_a_process, start


@pytest.fixture
def brief(tmp_path: Path) -> Path:
    path = tmp_path / "brief.yaml"
    path.write_text(BRIEF)
    return path


def test_optimize_prints_its_contract_and_writes_three_files(lcbm: Lcbm, tmp_path: Path, brief: Path) -> None:
    done = in_a_process(
        tmp_path, "optimize", brief, "--out", tmp_path / "out", "--judge", "judge", "--json", fakes="chatty"
    )
    result = answer(done)
    assert {"best", "prediction", "judge", "rounds", "candidates"} <= result.keys()
    assert result["prediction"] == result["best"]["prediction"]
    assert 0 <= result["prediction"]["expected"] <= 100
    assert len(result["rounds"]) == 2
    assert result["judge"]["simulator"]["checkpoint"] == "judge"
    assert any("untuned" in w for w in result["warnings"])
    saved = OptimizationResult.load(tmp_path / "out" / "result.json")
    assert saved.best is not None
    assert saved.best.id == result["best"]["id"]
    with (tmp_path / "out" / "candidates.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [c["id"] for c in result["candidates"]]
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()


def test_optimize_prints_a_table_and_the_reports_path(lcbm: Lcbm, tmp_path: Path, brief: Path) -> None:
    done = lcbm("optimize", brief, "--rounds", "1", "--candidates", "2")
    assert done.returncode == 0, done.stderr
    assert "Best (" in done.stdout
    report = Path(done.stdout.rsplit("Report: ", 1)[1].strip())
    assert (tmp_path / report).exists()
    assert done.stderr == ""  # quiet in a pipe


def test_the_same_seed_gives_the_same_candidates(lcbm: Lcbm, brief: Path) -> None:
    runs = [answer(lcbm("optimize", brief, "--seed", seed, "--json")) for seed in ("7", "7", "8")]
    drafts = [[c["text"] for c in run["candidates"]] for run in runs]
    assert drafts[0] == drafts[1] != drafts[2]


def test_ctrl_c_keeps_the_run_and_says_how_to_go_on(lcbm: Lcbm, tmp_path: Path, brief: Path) -> None:
    with start(tmp_path, "optimize", brief, "--json", fakes="slow") as process:
        assert process.stderr is not None
        assert next(line for line in process.stderr if line.strip() == "round 2")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (130, "")
    hint = json.loads(stderr.splitlines()[-1])["error"]
    run_id = hint.split("lcbm optimize --resume ")[1].split()[0]
    resumed = answer(lcbm("optimize", "--resume", run_id, "--json"))
    whole = answer(lcbm("optimize", brief, "--json"))
    assert resumed["candidates"] == whole["candidates"]
    assert resumed["run_id"] == run_id


def test_the_command_to_go_on_with_can_be_pasted(lcbm: Lcbm, tmp_path: Path, brief: Path) -> None:
    places = ("--store", "my runs", "--out", "my results")
    waiting = lcbm("optimize", brief, "--approval", *places)
    assert waiting.returncode == 0, waiting.stderr
    line = next(line for line in waiting.stdout.splitlines() if line.startswith("Go on with: "))
    command = shlex.split(line.removeprefix("Go on with: ").partition(" --decision ")[0])
    assert command[-4:] == ["--store", "my runs", "--out", "my results"]
    done = answer(lcbm(*command[1:], "--decision", "finish", "--json"))
    assert done["status"] == "finished"
    assert json.loads((tmp_path / "my results" / "result.json").read_text())["status"] == "finished"


def test_ctrl_c_is_said_by_every_command(lcbm: Lcbm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lcbm_model.metrics.get_metric", stopped)
    done = lcbm("score", "posts.csv", "--metric", "click_rate", "--json")
    assert (done.returncode, done.stdout) == (130, "")
    assert json.loads(done.stderr) == {"error": "interrupted"}


def test_writers_that_are_down_end_with_the_original_and_exit_code_3(lcbm: Lcbm, tmp_path: Path, brief: Path) -> None:
    done = lcbm("optimize", brief, "--json", fakes="down")
    assert done.returncode == 3
    result = json.loads(done.stdout)
    assert result["best"]["id"] == "original"
    assert "connection refused" in result["stop_reason"]


def test_nothing_to_return_is_exit_code_4(lcbm: Lcbm, tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text("message: We bake\nbudget: {rounds: 0}\n")
    done = lcbm("optimize", path, "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["best"] is None


def test_compare_sums_to_one_in_the_order_given(lcbm: Lcbm, tmp_path: Path) -> None:
    result = answer(lcbm("compare", "short", "a much longer text", "middle one", "--metric", "shares", "--json"))
    assert result["texts"] == ["short", "a much longer text", "middle one"]
    assert sum(result["win_probabilities"]) == pytest.approx(1)
    assert max(result["win_probabilities"]) == result["win_probabilities"][1]


def test_score_answers_every_row_in_the_files_order(lcbm: Lcbm, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,text,channel\na,Rye bread,headline\nb,,post\nc,broken oven,post\n")
    rows = answer(lcbm("score", table, "--metric", "click_rate", "--json"))
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert all(set(row) == {"id", "expected", "low", "high", "error"} for row in rows)
    assert rows[0]["low"] <= rows[0]["expected"] <= rows[0]["high"]
    assert rows[0]["error"] is None
    assert "row 2" in rows[1]["error"]
    assert rows[2]["error"] == "cannot be scored"


def test_library_builds_and_searches(lcbm: Lcbm, tmp_path: Path) -> None:
    posts = tmp_path / "posts.csv"
    posts.write_text(POSTS + "bad,A row with words for clicks,post,many,1000\n")
    built = answer(lcbm("library", "build", posts, "--out", tmp_path / "lib", "--metric", "click_rate", "--json"))
    assert built["posts"] == 12
    assert built["rejected"][0]["row"] == 13
    hits = answer(
        lcbm(
            "library",
            "search",
            tmp_path / "lib",
            "a fresh loaf",
            "-k",
            "3",
            "--min-percentile",
            "50",
            "--json",
        )
    )
    assert len(hits) == 3
    assert all(set(hit) == {"id", "text", "similarity", "value", "percentile"} for hit in hits)
    assert all(hit["percentile"] >= 50 for hit in hits)


@pytest.mark.parametrize("arguments", [["--help"], ["optimize", "--help"], ["library", "search", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom optimizer.cli import run\n"
        f"code = run({arguments!r})\n"
        "heavy = {'torch', 'transformers', 'faiss', 'gradio', 'langgraph', 'polars', 'matplotlib', 'numpy.random'}\n"
        "print(code, sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr.strip() == "0 []"


def test_help_lists_every_command_and_every_command_is_there(lcbm: Lcbm, tmp_path: Path) -> None:
    listed = lcbm("--help").stdout
    for name, lazy in COMMANDS.items():
        assert f" {name} " in listed
        path = ROOT / (lazy.module.replace(".", "/") + ".py")
        assert path.exists() or (path.with_suffix("") / "__init__.py").exists(), f"lcbm {name} has no module"


def test_a_typo_gets_a_suggestion(lcbm: Lcbm, tmp_path: Path) -> None:
    done = lcbm("optimise")
    assert done.returncode == 2
    assert "Did you mean 'optimize'?" in done.stderr
