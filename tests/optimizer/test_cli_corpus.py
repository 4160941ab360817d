"""`lcbm corpus build | stats | check` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optimizer.cli import run
from tests.lcbm_model import corpus_rows as rows


@pytest.fixture
def built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    data = rows.write_all(tmp_path / "data")
    assert run(["corpus", "build", str(data), "--out", str(tmp_path / "corpus"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["sources"]) == 9
    assert told["leaks"]["counts"]["group"] == 0
    return tmp_path / "corpus"


def test_build_stats_check(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["corpus", "stats", str(built), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sources"]["facebook"]["metrics"]["shares"]["records"] == 60
    assert all(Path(p).is_file() for p in told["plots"])
    assert run(["corpus", "check", str(built), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clean"] is True


def test_for_people(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = built.parent / "data"
    again = [f"upworthy={data / 'upworthy.parquet'}", f"oasis={data / 'oasis.parquet'}"]
    images = f"oasis={data / 'oasis_images'}"
    assert run(["corpus", "build", *again, "--images", images, "--out", str(built)]) == 0
    assert "36 records" in capsys.readouterr().out
    assert run(["corpus", "stats", str(built)]) == 0
    assert "click_rate" in capsys.readouterr().out.replace("…", "")
    assert run(["corpus", "check", str(built)]) == 0
    assert "group leaks: 0" in capsys.readouterr().out


def test_a_leak_leaves_with_one(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from lcbm_model.corpus import read_corpus, read_manifest
    from lcbm_model.corpus.store import file_sha256, write_manifest, write_records

    records = list(read_corpus(built, sources=["reddit"]))
    text = next(r for r in records if r.split == "test").content.text
    bad = next(i for i, r in enumerate(records) if r.split == "train")
    records[bad] = records[bad].model_copy(update={"content": records[bad].content.with_text(text)})
    write_records(records, built / "reddit.parquet")
    manifest = read_manifest(built)
    entries = [
        e.model_copy(update={"sha256": file_sha256(built / e.file)}) if e.source == "reddit" else e
        for e in manifest.sources
    ]
    write_manifest(manifest.model_copy(update={"sources": tuple(entries)}), built)
    assert run(["corpus", "check", str(built)]) == 1
    caught = capsys.readouterr()
    assert "exact leaks: 1" in caught.out
    assert "gives away reddit-" in caught.err
    assert run(["corpus", "check", str(built), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["clean"] is False


def test_bad_input_is_one_line_and_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["check", str(tmp_path)], "has no manifest.json"),
        (["stats", str(tmp_path / "none")], "has no manifest.json"),
        (["build", str(tmp_path / "none.csv"), "--out", str(tmp_path / "o")], "no such file"),
        (["build", str(tmp_path), "--images", "oasis", "--out", str(tmp_path / "o")], "names no reader"),
    ):
        assert run(["corpus", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert told in error
