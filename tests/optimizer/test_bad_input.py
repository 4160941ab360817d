"""Issue by issue: bad input names the field, the value and the remedy, leaves with code 2, and loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.optimizer.calls import BRIEF, POSTS, Lcbm

MADE_BRIEFS = {
    "unreadable": (b"\xff\xfe\x00bad", "cannot be read"),
    "no-mapping": (b"- a\n- b\n", "must hold `field: value` lines"),
    "bad-yaml": (b"message: [", "is not valid YAML"),
    "unknown-metric": (
        b"message: a\nmetric: clik_rate\n",
        "metric: unknown metric. Did you mean 'click_rate'?",
    ),
    "unknown-aim": (b"message: a\nobjectives: [{metric: nope}]\n", "brief.yaml: objectives.0.metric: unknown metric"),
    "unknown-field": (b"message: a\nmesage: b\n", "mesage"),
    "misspelt-field": (b"mesage: b\n", "brief.yaml: mesage: is no field of a brief"),
    "no-list": (b"message: a\nmust_keep: 9 minutes\n", "brief.yaml: must_keep: must be a list (got '9 minutes')"),
    "key-twice": (b"message: a\nmessage: b\n", "the key 'message' stands twice"),
    "key-twice-below": (b"message: a\nbudget: {rounds: 1, rounds: 2}\n", "the key 'rounds' stands twice"),
    "wrong-type": (b"message: a\nbudget: {rounds: many}\n", "budget.rounds"),
    "contradiction": (b"message: a\nbanned_words: [sale]\nrequired_words: [Sale today]\n", "banned_words"),
    "nested": (b"message: " + b"[" * 3000, "holds lists within lists"),
    "impossible-rule": (b"message: a\nmust_keep: ['Wow!']\nrules: [no exclamation marks]\n", "exclamation"),
    "aim-named-twice": (b"message: a\nmetric: shares\nobjectives: [{metric: shares}]\n", "asked for twice"),
    "senseless-threshold": (b"message: a\nreliable_gain: 0.3\n", "reliable_gain"),
    "senseless-meaning": (b"message: a\nleast_meaning: 2\n", "least_meaning"),
    "blank-message": (b"message: '  '\n", "brief.yaml: message: is blank"),
    "blank-required-word": (b"message: a\nrequired_words: ['']\n", "brief.yaml: required_words: is blank"),
    "no-picture": (b"message: a\npicture: gone.png\n", "gone.png"),
}


def _refused(lcbm: Lcbm, *arguments: str | Path, says: str) -> None:
    """Exit code 2, one line on stderr, nothing on stdout; with --json the line is JSON."""
    done = lcbm(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert says in lines[0]
    as_json = lcbm(*arguments, "--json")
    assert as_json.returncode == 2
    assert says in json.loads(as_json.stderr)["error"]
    assert not list(Path("runs").glob("*/run.json"))


def test_a_missing_brief(lcbm: Lcbm, tmp_path: Path) -> None:
    _refused(lcbm, "optimize", "nowhere.yaml", says="nowhere.yaml: no such brief")


@pytest.mark.parametrize("name", MADE_BRIEFS)
def test_a_brief_that_cannot_be_run(lcbm: Lcbm, tmp_path: Path, name: str) -> None:
    content, says = MADE_BRIEFS[name]
    (tmp_path / "brief.yaml").write_bytes(content)
    _refused(lcbm, "optimize", "brief.yaml", says=says)


def test_a_banned_word_inside_a_longer_one_is_no_contradiction(lcbm: Lcbm, tmp_path: Path) -> None:
    (tmp_path / "brief.yaml").write_text(
        BRIEF.replace("every morning", "in Stuttgart") + "must_keep: [Stuttgart]\nbanned_words: [art]\n"
    )
    done = lcbm("optimize", "brief.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert "Stuttgart" in json.loads(done.stdout)["best"]["text"]


def test_what_a_run_began_with_cannot_be_changed_on_resuming_it(lcbm: Lcbm, tmp_path: Path) -> None:
    options = {"--rounds": "5", "--candidates": "9", "--seed": "3"}
    for option, value in options.items():
        _refused(lcbm, "optimize", "--resume", "x", option, value, says=f"{option}: cannot be changed on --resume")
    together = [part for pair in options.items() for part in pair]
    _refused(lcbm, "optimize", "--resume", "x", *together, says="--rounds, --candidates, --seed: cannot be changed")


@pytest.mark.parametrize(
    "command", [["compare", "a", "b"], ["score", "t.csv"], ["library", "build", "t.csv", "--out", "l"]]
)
def test_an_unknown_metric(lcbm: Lcbm, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "t.csv").write_text(POSTS)
    _refused(lcbm, *command, "--metric", "clik_rate", says="Did you mean 'click_rate'?")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("id,text,channel\n1,Rye bread,post\n", "click_rate"),
        ("id,headline,clicks,impressions\n1,Rye bread,3,100\n", "text"),
        ("id,text,clicks,impressions\n", "lib.csv"),
        ("id,text,clicks,impressions\n1,Rye bread,many,100\n", "lib.csv"),
    ],
    ids=["no metric column", "no text column", "empty", "no good row"],
)
def test_a_library_that_cannot_serve(lcbm: Lcbm, tmp_path: Path, table: str, says: str) -> None:
    (tmp_path / "brief.yaml").write_text(BRIEF)
    (tmp_path / "lib.csv").write_text(table)
    _refused(lcbm, "optimize", "brief.yaml", "--library", "lib.csv", says=says)


def test_rows_with_text_for_numbers_are_reported_and_the_good_ones_kept(lcbm: Lcbm, tmp_path: Path) -> None:
    (tmp_path / "brief.yaml").write_text(BRIEF)
    (tmp_path / "lib.csv").write_text(POSTS + "x,Bad row,post,lots,1000\n")
    done = lcbm("optimize", "brief.yaml", "--library", "lib.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert any("row 13" in w and "lots" in w for w in json.loads(done.stdout)["warnings"])


@pytest.mark.parametrize("kind", ["truncated", "no-image", "huge"])
def test_a_picture_that_cannot_be_used(lcbm: Lcbm, tmp_path: Path, kind: str) -> None:
    from PIL import Image

    picture = tmp_path / "bread.png"
    if kind == "huge":
        Image.new("1", (12_000, 12_000)).save(picture)
    else:
        Image.effect_noise((64, 64), 40).save(picture)
        whole = picture.read_bytes()
        picture.write_bytes(whole[: len(whole) // 2] if kind == "truncated" else b"rye bread")
    (tmp_path / "brief.yaml").write_text(BRIEF + "picture: bread.png\n")
    _refused(lcbm, "optimize", "brief.yaml", says="bread.png")
    _refused(lcbm, "compare", "a", "b", "--metric", "click_rate", "--image", "bread.png", says="bread.png")


@pytest.mark.parametrize("option", ["--out", "--store"])
def test_an_unwritable_folder_is_found_before_the_run(lcbm: Lcbm, tmp_path: Path, option: str) -> None:
    (tmp_path / "brief.yaml").write_text(BRIEF)
    (tmp_path / "file").write_text("not a folder")
    _refused(lcbm, "optimize", "brief.yaml", option, "file/below", says="cannot be written to")


def test_wrong_names_for_simulator_judge_and_run(lcbm: Lcbm, tmp_path: Path) -> None:
    (tmp_path / "brief.yaml").write_text(BRIEF)
    _refused(lcbm, "optimize", "brief.yaml", "--model", "gpt-9", says="gpt-9")
    _refused(lcbm, "optimize", "brief.yaml", "--judge", "embedded", says="cannot judge")
    _refused(lcbm, "optimize", "brief.yaml", "--judge", "nope", says="judge (--judge, LCBM_JUDGE): ")
    _refused(lcbm, "evaluate", "nosuite", "--data", "x.csv", says="replay, writing")
    _refused(lcbm, "optimize", "--resume", "never-begun", says="never-begun")
    _refused(lcbm, "optimize", "brief.yaml", "--resume", "x", says="not both")


def test_a_comparison_of_one(lcbm: Lcbm, tmp_path: Path) -> None:
    _refused(lcbm, "compare", "alone", "--metric", "click_rate", says="at least two")
    _refused(lcbm, "compare", "", "b", "--metric", "click_rate", says="text 1: is empty")


def test_a_table_of_which_nothing_can_be_scored_is_no_success(lcbm: Lcbm, tmp_path: Path) -> None:
    (tmp_path / "drafts.csv").write_text("text\nbroken bread\nbroken rolls\n")
    done = lcbm("score", "drafts.csv", "--metric", "click_rate", "--json")
    assert done.returncode == 4
    assert all(row["error"] for row in json.loads(done.stdout))
    (tmp_path / "drafts.csv").write_text("text\nbread\nbroken rolls\n")
    partly = lcbm("score", "drafts.csv", "--metric", "click_rate")
    assert partly.returncode == 0
    assert "1 of 2 rows could not be scored" in partly.stderr


def test_a_run_whose_library_has_gone_says_how_to_name_it(lcbm: Lcbm, tmp_path: Path) -> None:
    (tmp_path / "brief.yaml").write_text(BRIEF)
    posts = tmp_path / "posts.csv"
    posts.write_text(POSTS)
    begun = lcbm("optimize", "brief.yaml", "--library", "posts.csv", "--approval", "--run-id", "a")
    assert begun.returncode == 0, begun.stderr
    moved = posts.rename(tmp_path / "moved.csv")
    refused = lcbm("optimize", "--resume", "a", "--decision", "finish")
    assert refused.returncode == 2
    assert "library: the one that the run began with cannot be opened: no such file" in refused.stderr
    assert "--library PATH" in refused.stderr
    assert lcbm("optimize", "--resume", "a", "--decision", "finish", "--library", moved).returncode == 0


def test_what_every_draft_must_hold_and_the_brief_does_not_is_said(lcbm: Lcbm, tmp_path: Path) -> None:
    (tmp_path / "brief.yaml").write_text(BRIEF + "must_keep: [costs 12 euros]\n")
    done = lcbm("optimize", "brief.yaml", "--json")
    assert done.returncode in (0, 4)
    assert any("'costs 12 euros'" in warning for warning in json.loads(done.stdout)["warnings"])
