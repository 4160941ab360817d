"""Results from files, into the team's library, and by the command line."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lcbm_model.behavior import PercentileScale
from lcbm_model.errors import LibraryError, TableError
from optimizer.cli import run
from optimizer.outcomes import Outcome, OutcomeStore, import_outcomes, note_text
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
    assert problems[2]
    assert found.rejected[2].value == "someday"


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_a_text_published_twice_the_latest_figures_stay(tmp_path: Path, runs: Path, newest_first: bool) -> None:
    rows = ["Rye bread at six,90,1000,2026-03-20", "Rye bread at six,10,1000,2025-01-05"]
    rows = [*(rows if newest_first else rows[::-1]), "Without a day,1,100,", "Without a day,2,100,"]
    file = lines(tmp_path, "\n".join(["text,clicks,impressions,date", *rows]))
    found = import_outcomes(file, metric="click_rate", store=runs)
    assert {o.text: o.value for o in found.outcomes} == {"Rye bread at six": 0.09, "Without a day": 0.02}
    assert any("repeat a text: 2" in note for note in found.notes)


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


def test_another_channel_than_the_runs_is_an_outcome_of_its_own(tmp_path: Path, runs: Path) -> None:
    write_run(runs, "mail-1", minutes=9, channel="email_subject", texts=(TEXTS[1],))
    rows = "".join(
        f"{run},{text},{channel},{value}\n"
        for run, text, channel, value in [
            ("", TEXTS[0], "Post", 0.03),
            ("", TEXTS[0], "email_subject", 0.2),
            ("", TEXTS[1], "post", 0.04),
            ("", TEXTS[1], "Email subject", 0.3),
            ("spring-2", "", "advert", 0.01),
        ]
    )
    found = import_outcomes(lines(tmp_path, f"run,text,channel,value\n{rows}"), metric="click_rate")
    assert found.rejected == ()
    assert [(o.text, o.channel, o.run_id, o.predicted is None) for o in found.outcomes] == [
        (TEXTS[0], "post", "spring-1", False),
        (TEXTS[0], "email_subject", None, True),
        (TEXTS[1], "post", "spring-1", False),
        (TEXTS[1], "email_subject", "mail-1", False),
        ("Toast is not a recipe", "advert", None, True),
    ]
    assert any("1 texts were written by a run for another channel" in note for note in found.notes)
    assert OutcomeStore(runs / "outcomes.sqlite").add(*found.outcomes) == 5, "none replaces another"


def test_a_library_of_today_places_what_a_run_had_predicted_too(tmp_path: Path, runs: Path) -> None:
    scales = {("click_rate", "post"): PercentileScale.fit([0.01, 0.02, 0.03, 0.2])}
    file = lines(tmp_path, f"text,channel,value\n{TEXTS[0]},,0.03\nunknown words,post,0.03\n{TEXTS[0]},mail,0.03\n")
    found = import_outcomes(file, metric="click_rate", scale_of=lambda metric, channel: scales.get((metric, channel)))
    assert [o.percentile for o in found.outcomes] == [62.5, 62.5, None]
    assert found.matched == 1


def test_a_rate_that_its_own_columns_contradict_is_put_aside(tmp_path: Path, runs: Path) -> None:
    file = lines(tmp_path, "text,click_rate,clicks,impressions\nhello,0.05,5,100\nworld,5 %,50,100\n")
    found = import_outcomes(file)
    assert [o.text for o in found.outcomes] == ["hello"]
    assert [(r.row, r.column, r.problem) for r in found.rejected] == [
        (2, "value", "differs from what was counted: 50 / 100 = 0.5")
    ]


def test_figures_are_read_as_the_column_writes_them(tmp_path: Path, runs: Path) -> None:
    shares = lines(tmp_path, "text;shares\na b;1.200\nc d;33\ne f;2.500\n")
    assert [o.value for o in import_outcomes(shares, store=runs).outcomes] == [1200, 33, 2500]
    found = import_outcomes(lines(tmp_path, "text;clicks;impressions\na b;980;38.500\nc d;1;1.200\n"), store=runs)
    assert [(o.exposure, round(o.value, 6)) for o in found.outcomes] == [(38500, 0.025455), (1200, 0.000833)]
    assert any("points are read as thousands separators (38.500 as 38500)" in note for note in found.notes)
    rates = import_outcomes(lines(tmp_path, "text;click_rate\na b;3,4 %\nc d;0,5 %\n"), store=runs)
    assert [o.value for o in rates.outcomes] == pytest.approx([0.034, 0.005])
    signless = import_outcomes(lines(tmp_path, "text,click_rate\na b,3.4\nc d,0.5\ne f,1.2\n"), store=runs)
    assert [o.value for o in signless.outcomes] == pytest.approx([0.034, 0.005, 0.012])
    assert any("read as per cent" in note for note in signless.notes)
    either = import_outcomes(lines(tmp_path, "text,click_rate\na,0.4\nb,0.1\nc,0.5\nd,1.2\ne,2.2\n"), store=runs)
    assert not either.outcomes
    assert {row.problem for row in either.rejected} == {"may be a share of 1 or per cent"}


def test_an_endless_text_is_put_aside_and_the_others_count(tmp_path: Path, runs: Path) -> None:
    file = lines(tmp_path, f"text,value\n{'x' * 100_001},0.1\nshort words,0.1\n")
    found = import_outcomes(file, metric="click_rate")
    assert [o.text for o in found.outcomes] == ["short words"]
    [row] = found.rejected
    assert (row.row, row.column, row.problem) == (1, "text", "is longer than 100000 characters")
    assert len(row.value) < 200


@pytest.mark.parametrize(
    ("text", "metric", "value"),
    [
        ("text,click_rate\nhello,0.05\n", "click_rate", 0.05),
        ("text,Click rate,clicks,impressions\nhello,0.05,5,100\n", "click_rate", 0.05),
        ("text,clicks,impressions\nhello,5,100\n", "click_rate", 0.05),
        ("text,Opens,Sends\nhello,5,100\n", "open_rate", 0.05),
        ("text,shares,exposure\nhello,5,100\n", "shares", 5),
        ("text,value,clicks,impressions\nhello,0.05,5,100\n", "click_rate", 0.05),
        ("run,candidate,clicks,impressions\nspring-1,r1-01,5,100\n", "click_rate", 0.05),
        ("run,candidate,value,views\nspring-1,r1-01,0.05,100\n", "click_rate", 0.05),
        ("run,metric,value\nspring-1,,0.05\n", "click_rate", 0.05),
    ],
)
def test_the_metric_is_what_the_columns_or_the_run_say(
    tmp_path: Path, runs: Path, text: str, metric: str, value: float
) -> None:
    found = import_outcomes(lines(tmp_path, text))
    assert found.rejected == ()
    assert [(o.metric, o.value) for o in found.outcomes] == [(metric, value)]
    assert found.matched == text.startswith("run")


def test_what_names_the_metric_goes_before_the_columns(tmp_path: Path, runs: Path) -> None:
    file = lines(tmp_path, "text,clicks,impressions,shares\nhello,5,100,7\n")
    assert import_outcomes(file, metric="click_rate").outcomes[0].value == 0.05
    found = import_outcomes(file)
    assert (found.outcomes[0].metric, found.outcomes[0].value) == ("shares", 7)
    assert any("not read" in note and "click_rate" in note for note in found.notes)
    rows = lines(tmp_path, "text,metric,shares,likes\nhello,likes,5,7\nworld,,5,7\n")
    found = import_outcomes(rows)
    assert [(o.metric, o.value) for o in found.outcomes] == [("likes", 7)]
    assert [(r.row, r.column, r.problem) for r in found.rejected] == [(2, "metric", "is missing")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("text,click_rate,shares\nhello,0.1,3\n", r"several metrics \(got 'click_rate, shares'\)\. Add --metric"),
        ("text,clicks,impressions,conversions\nhello,3,90,1\n", "several metrics .*click_rate, conversion_rate"),
        ("text,likes,views\nhello,3,90\n", "several metrics .*likes, views, like_rate"),
        ("text,value\nhello,3\n", "does not say the metric"),
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


def test_results_that_cannot_be_posts_are_told(tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from agents.library import Library
    from optimizer.outcomes import teach_library

    rows = "".join(f"Post number {i},{i},1000\n" for i in range(1, 9))
    library = tmp_path / "library"
    posts = lines(tmp_path, f"text,clicks,impressions\n{rows}", "posts.csv")
    Library.from_file(posts, metric="click_rate").save(library)
    # As an older version kept it: today no result of a day to come is taken.
    late = note_text("A pan", "click_rate", value=0.1).model_copy(update={"published": date(2999, 1, 1)})
    with pytest.raises(
        LibraryError, match=r"^outcomes: no usable row.*future \(got '2999-01-01'\)\. Note it"
    ) as caught:
        teach_library(library, [late])
    assert "lcbm-outcomes-" not in str(caught.value)
    OutcomeStore().add(late, note_text("A pan of copper", "click_rate", value=0.09))
    assert run(["outcomes", "teach", str(library)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "1 added, 0 updated, 0 unchanged, 1 left out; 9 posts" in told
    assert "left out: date '2999-01-01': lies in the future" in told


def test_a_taught_text_is_found_again_whichever_metric_is_newer(tmp_path: Path) -> None:
    from agents.library import Library
    from optimizer.outcomes import teach_library

    file = lines(tmp_path, "text,clicks,impressions\n" + "".join(f"Invented post {i},{i},1000\n" for i in range(1, 9)))
    library = tmp_path / "library"
    Library.from_file(file, embedder=HashingEmbedder()).save(library)

    def noted(metric: str, day: int, value: float) -> Outcome:
        outcome = note_text("A pan of copper", metric, value=value)
        return outcome.model_copy(update={"noted_at": datetime(2026, 3, day, tzinfo=UTC)})

    rates, shared = noted("click_rate", 1, 0.05), noted("shares", 2, 12)
    first = teach_library(library, [rates, shared], embedder=HashingEmbedder())
    assert (first.added, first.updated) == (1, 0)
    second = teach_library(library, [shared, noted("click_rate", 3, 0.02)], embedder=HashingEmbedder())
    third = teach_library(library, [noted("click_rate", 3, 0.02), noted("shares", 4, 40)], embedder=HashingEmbedder())
    assert [(c.added, c.updated, c.repeated) for c in (second, third)] == [(0, 1, 0)] * 2
    posts = Library.open(library, embedder=HashingEmbedder()).posts
    (post,) = [post for post in posts if post.text == "A pan of copper"]
    assert (post.values["click_rate"], post.values["shares"]) == (0.02, 40)


def test_hostile_words_stay_words_in_the_file(tmp_path: Path) -> None:
    noted = note_text('=HYPERLINK("x")\n"; <script>', "shares", value=4)
    [line] = write_posts(tmp_path / "posts.jsonl", [noted]).read_text().splitlines()
    assert json.loads(line)["text"] == '=HYPERLINK("x")\n"; <script>'


@pytest.mark.parametrize("cells", [("31.03.2026", "05.04.2026"), ("March 31, 2026", "April 5, 2026")])
def test_days_are_read_as_platforms_write_them(tmp_path: Path, runs: Path, cells: tuple[str, str]) -> None:
    rows = "".join(f'text {i},shares,5,"{cell}"\n' for i, cell in enumerate(cells))
    found = import_outcomes(lines(tmp_path, f"text,metric,value,date\n{rows}"), store=runs)
    assert [str(o.published) for o in found.outcomes] == ["2026-03-31", "2026-04-05"]


def test_the_page_begins_a_run_that_the_readme_does_not() -> None:
    root = Path(__file__).resolve().parents[2]
    begun = [
        set(re.findall(r"""(?:--run-id |run_id=")([\w-]+)""", (root / page).read_text(encoding="utf-8")))
        for page in ("README.md", "docs/outcomes.md")
    ]
    assert all(begun)
    assert begun[0].isdisjoint(begun[1]), "who follows both would be told that the run is there already"


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
    other = tmp_path / "others"
    assert run(["outcomes", "add", "--text", "a", "--metric", "shares", "--value", "3", "--store", str(other)]) == 0
    capsys.readouterr()
    assert run(["outcomes", "list", "--store", str(other), "--json"]) == 0
    assert [o["text"] for o in json.loads(capsys.readouterr().out)] == ["a"]


def test_the_command_line_refuses_what_cannot_be(
    tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["outcomes", "add"]) == 2
    assert run(["outcomes", "add", "spring-1", "--text", "x", "--value", "0.1"]) == 2
    assert run(["outcomes", "add", "--text", "x", "--value", "0.1"]) == 2
    assert run(["outcomes", "add", "spring-1", "--value", "7"]) == 2
    capsys.readouterr()
    for option, wrong in (("--metric", "shares"), ("--channel", "email_subject")):
        assert run(["outcomes", "add", "spring-1", option, wrong, "--value", "0.5"]) == 2
        assert f"{option}: run spring-1 was about" in capsys.readouterr().err
    assert run(["outcomes", "list", "--metric", "clik_rate"]) == 2
    assert run(["outcomes", "report", "--metric", "clik_rate"]) == 2
    assert run(["outcomes", "add", "--text", "x", "--metric", "funniness", "--count", "500"]) == 2
    assert "votes make no rating" in capsys.readouterr().err
    for text, problem in (("ab\udcff", "no characters"), ("x" * 100_001, "longer than 100000")):
        assert run(["outcomes", "add", "--text", text, "--metric", "shares", "--value", "3"]) == 2
        told = capsys.readouterr().err
        assert problem in " ".join(told.split())
        assert len(told) < 500
    assert run(["outcomes", "add", "../../etc", "--value", "0.1"]) == 2
    assert run(["outcomes", "import", str(tmp_path / "none.csv"), "--metric", "shares"]) == 2
    capsys.readouterr()
    bad = lines(tmp_path, f"text,clicks,impressions\n{TEXTS[1]},5000,10\n", "bad.csv")
    assert run(["outcomes", "import", str(bad), "--metric", "click_rate"]) == 2
    assert "left out: row 1" in capsys.readouterr().out
    assert OutcomeStore(runs / "outcomes.sqlite").list() == ()
