"""Results from files, into the team's library, and by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lcbm_model.errors import TableError
from optimizer.cli import run
from optimizer.outcomes import OutcomeStore, import_outcomes, note_text
from optimizer.outcomes.teaching import write_posts
from tests.agents.hashing_embedder import HashingEmbedder
from tests.optimizer.campaign_runs import TEXTS, write_run


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    write_run(folder, "spring-1")
    write_run(folder, "spring-2", name="Kupferhain summer", minutes=5, texts=("Toast is not a recipe",))
    monkeypatch.setenv("LCBM_RUNS", str(folder))
    monkeypatch.delenv("LCBM_OUTCOMES", raising=False)
    return folder


def lines(tmp_path: Path, text: str, name: str = "results.csv") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_texts_that_a_run_wrote_are_recognised(tmp_path: Path, runs: Path) -> None:
    file = lines(
        tmp_path,
        "Text,Clicks,Impressions,Date\n"
        f'"{TEXTS[1].upper()}  ",50,1000,2026-03-05\n'
        "Written by nobody here,20,1000,\n"
        f"{TEXTS[2]},2000,1000,2026-03-05\n"
        f"{TEXTS[0]},,,2026-03-05\n"
        f"{TEXTS[0]},5,100,someday\n"
        ",5,100,\n",
    )
    found = import_outcomes(file, metric="click_rate", store=runs)
    assert len(found.outcomes) == 2
    assert found.matched == 1
    known, unknown = found.outcomes
    assert (known.run_id, known.candidate_id, known.value) == ("spring-1", "r1-02", 0.05)
    assert known.published is not None
    assert known.percentile is not None
    assert unknown.run_id is None
    assert unknown.predicted is None
    assert [r.row for r in found.rejected] == [3, 4, 5, 6]
    problems = [r.problem for r in found.rejected]
    assert "counts more than were reached" in problems[0]
    assert "missing" in problems[1]
    assert "no day" in problems[2]


def test_runs_are_named_by_their_id(tmp_path: Path, runs: Path) -> None:
    rows = [{"run": "spring-1", "candidate": "r1-01", "value": "0.03"}, {"run": "spring-2", "value": "2 %"},
            {"run": "nowhere", "value": "0.1"}, {"run": "spring-1", "value": "much"}]  # fmt: skip
    file = lines(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "results.jsonl")
    found = import_outcomes(file, metric="click_rate")
    assert [(o.run_id, o.candidate_id, o.value) for o in found.outcomes] == [
        ("spring-1", "r1-01", 0.03),
        ("spring-2", "r1-01", 0.02),
    ]
    assert len(found.rejected) == 2
    assert "no such run" in found.rejected[0].problem


def test_another_metric_than_predicted_is_kept_without_a_prediction(tmp_path: Path, runs: Path) -> None:
    found = import_outcomes(lines(tmp_path, f"text,metric,value\n{TEXTS[0]},shares,12\n"))
    [outcome] = found.outcomes
    assert outcome.metric == "shares"
    assert outcome.text == TEXTS[0]
    assert outcome.run_id is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("words,clicks\nhello,3\n", "names neither runs nor texts"),
        ("text,clicks\nhello,3\n", "does not say the metric"),
        ("", "is empty"),
    ],
)
def test_files_that_cannot_serve(tmp_path: Path, runs: Path, text: str, problem: str) -> None:
    with pytest.raises(TableError, match=problem):
        import_outcomes(lines(tmp_path, text))


def test_results_become_posts_of_the_library(tmp_path: Path) -> None:
    from agents.library import Library
    from optimizer.outcomes import teach_library

    posts = lines(
        tmp_path, "text,clicks,impressions\n" + "".join(f"Post number {i},{i},1000\n" for i in range(1, 9)), "posts.csv"
    )
    embedder = HashingEmbedder()
    library = Library.from_file(posts, metric="click_rate", embedder=embedder)
    library.save(tmp_path / "library")
    noted = [
        note_text("A pan of copper", "click_rate", count=90, exposure=1000),
        note_text("A pan of copper", "shares", value=4),
    ]
    change = teach_library(tmp_path / "library", noted, embedder=embedder)
    assert (change.added, len(change.library)) == (1, 9)
    [post] = [p for p in change.library.posts if p.text == "A pan of copper"]
    assert post.values["click_rate"] == pytest.approx(0.09)
    assert post.values["shares"] == 4
    again = teach_library(tmp_path / "library", noted, embedder=embedder)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 1)


def test_hostile_words_stay_words_in_the_file(tmp_path: Path) -> None:
    noted = note_text('=HYPERLINK("x")\n"; <script>', "shares", value=4)
    [line] = write_posts(tmp_path / "posts.jsonl", [noted]).read_text().splitlines()
    assert json.loads(line)["text"] == '=HYPERLINK("x")\n"; <script>'


# The command line --------------------------------------------------------------------------------------------------


def test_the_whole_way_by_the_command_line(tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["outcomes", "add", "spring-1", "--candidate", "r1-01", "--count", "40", "--exposure", "1000"]) == 0
    assert "percentile 40 of your own" in capsys.readouterr().out
    file = lines(tmp_path, f"text,clicks,impressions\n{TEXTS[1]},50,1000\nunknown words,1,10\n")
    assert run(["outcomes", "import", str(file), "--metric", "click_rate", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["read"], told["new"], told["matched"]) == (2, 2, 1)
    assert run(["outcomes", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3
    assert run(["outcomes", "list", "--run", "spring-1"]) == 0
    assert "unknown words" not in capsys.readouterr().out
    assert run(["outcomes", "report", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["total"], found["n"]) == (3, 2)
    assert run(["outcomes", "report"]) == 0
    assert "too few" in capsys.readouterr().out
    assert run(["outcomes", "calibrate"]) == 2
    assert "needs 50 results" in capsys.readouterr().err
    assert run(["outcomes", "calibrate", "--remove"]) == 0
    assert (runs / "outcomes.sqlite").exists()


def test_the_command_line_refuses_what_cannot_be(
    tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["outcomes", "add"]) == 2
    assert run(["outcomes", "add", "spring-1", "--text", "x", "--value", "0.1"]) == 2
    assert run(["outcomes", "add", "--text", "x", "--value", "0.1"]) == 2
    assert run(["outcomes", "add", "spring-1", "--value", "7"]) == 2
    assert run(["outcomes", "add", "../../etc", "--value", "0.1"]) == 2
    assert run(["outcomes", "import", str(tmp_path / "none.csv"), "--metric", "shares"]) == 2
    capsys.readouterr()
    bad = lines(tmp_path, f"text,clicks,impressions\n{TEXTS[1]},5000,10\n", "bad.csv")
    assert run(["outcomes", "import", str(bad), "--metric", "click_rate"]) == 2
    assert "left out: row 1" in capsys.readouterr().out
    assert OutcomeStore(runs / "outcomes.sqlite").list() == ()
