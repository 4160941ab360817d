"""`lcbm library preview | build | add | delete`: what a team types, and what it gets back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from optimizer.cli import run
from optimizer.cli.reading_options import mapping

FIRST = "Message,Taps,Shown\nCopper pans last,20,1000\nSoup on Sundays,30,1000\n"
SECOND = "Message,Taps,Shown\nSoup on Sundays,90,1500\nTea towels,5,1000\nTea towels,5,900\n,1,2\n"
MAP = ["--map", "Message=text", "--map", "Taps=clicks", "--map", "Shown=impressions"]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCBM_CACHE", str(tmp_path / "cache"))


def lcbm(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    """Exit code, the JSON on stdout and stderr."""
    code = run(["library", *arguments, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


def test_from_a_preview_to_a_library_that_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, library = tmp_path / "first.csv", tmp_path / "second.csv", str(tmp_path / "library")
    first.write_text(FIRST, encoding="utf-8")
    second.write_text(SECOND, encoding="utf-8")

    code, seen, _ = lcbm(capsys, "preview", str(first))
    assert code == 2, "it cannot be built as it is"
    assert "has no column 'text'" in seen["problem"]
    code, seen, _ = lcbm(capsys, "preview", str(first), *MAP, "--rows", "1")
    assert (code, seen["source"], seen["metrics"], seen["rows"]) == (0, "plain", ["click_rate"], 2)
    assert [c["read_as"] for c in seen["columns"]] == [["text"], ["clicks"], ["impressions"]]
    assert [p["values"] for p in seen["posts"]] == [{"click_rate": 0.02}]
    assert not Path(library).exists()

    code, built, _ = lcbm(capsys, "build", str(first), "--out", library, "--metric", "click_rate", *MAP)
    assert (code, built["posts"], built["channels"]) == (0, 2, {"post": 2})
    code, change, _ = lcbm(capsys, "add", library, str(second), *MAP)
    assert code == 0
    assert {k: change[k] for k in ("added", "updated", "unchanged", "posts")} == {
        "added": 1,
        "updated": 1,
        "unchanged": 0,
        "posts": 3,
    }
    assert [r["row"] for r in change["rejected"]] == [3, 4]

    _, hits, _ = lcbm(capsys, "search", library, "soup", "-k", "1")
    assert (hits[0]["text"], hits[0]["value"]) == ("Soup on Sundays", 0.06)
    code, change, _ = lcbm(capsys, "delete", library, hits[0]["id"])
    assert (code, change["deleted"], change["posts"]) == (0, 1, 2)
    code, _, err = lcbm(capsys, "delete", library, hits[0]["id"])
    assert code == 2
    assert "has no post" in json.loads(err)["error"]


def test_tables_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "first.csv"
    path.write_text(FIRST.replace("Copper", "Copper \x1b[31m"), encoding="utf-8")
    assert run(["library", "preview", str(path), *MAP]) == 0
    out, err = capsys.readouterr()
    assert "our own column names (plain); 2 rows" in out
    assert "\x1b[31m" not in out + err
    assert "control characters" in err


def test_a_row_that_is_no_json_names_no_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text('{"text": "Copper pans", "click_rate": 0.02}\n{oops\n', encoding="utf-8")
    assert run(["library", "preview", str(path)]) == 0
    assert "row 2: is no JSON" in capsys.readouterr().err


@pytest.mark.parametrize("pair", ["Message", "=text", "Message=", "  = "])
def test_a_mapping_that_is_none(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = lcbm(capsys, "preview", "posts.csv", "--map", pair)
    assert (code, out) == (2, None)
    assert "is no HEADING=FIELD" in json.loads(err)["error"]


def test_headings_may_hold_equals_signs() -> None:
    assert mapping(["a=b=text", " Clicks = clicks "]) == {"text": "a=b", "clicks": "Clicks"}
