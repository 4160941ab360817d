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
    "wrong-type": (b"message: a\nbudget: {rounds: many}\n", "budget.rounds"),
    "contradiction": (b"message: a\nbanned_words: [sale]\nrequired_words: [Sale today]\n", "banned_words"),
    "nested": (b"message: " + b"[" * 3000, "holds lists within lists"),
    "impossible-rule": (b"message: a\nmust_keep: ['Wow!']\nrules: [no exclamation marks]\n", "exclamation"),
    "aim-named-twice": (b"message: a\nmetric: shares\nobjectives: [{metric: shares}]\n", "asked for twice"),
    "senseless-threshold": (b"message: a\nreliable_gain: 0.3\n", "reliable_gain"),
    "senseless-meaning": (b"message: a\nleast_meaning: 2\n", "least_meaning"),
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
    _refused(lcbm, "optimize", "--resume", "never-begun", says="never-begun")
    _refused(lcbm, "optimize", "brief.yaml", "--resume", "x", says="not both")


def test_a_comparison_of_one(lcbm: Lcbm, tmp_path: Path) -> None:
    _refused(lcbm, "compare", "alone", "--metric", "click_rate", says="at least two")
