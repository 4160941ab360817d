"""What the readers of nested rows share: saved data sets, and files that cannot serve."""

from __future__ import annotations

from pathlib import Path

from tests.lcbm_model import corpus_rows as rows
from tests.lcbm_model.readers.reading import read, refused


def test_saved_hugging_face_datasets_are_read(tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_list([rows.video(i) for i in range(4)]).save_to_disk(str(tmp_path / "cbc"))
    Dataset.from_list([rows.video(i) for i in range(4)]).to_parquet(str(tmp_path / "cbc.parquet"))
    _, folder = read("content_behavior", tmp_path / "cbc")
    _, parquet = read("content_behavior", tmp_path / "cbc.parquet")
    assert folder == parquet
    assert len(folder) == 4


def test_nested_files_that_cannot_serve(tmp_path: Path) -> None:
    path = rows.write_jsonl(tmp_path / "v.jsonl", [{"video_id": "a"}])
    assert "missing 'likes'" in refused("content_behavior", path)
    path = rows.write_jsonl(tmp_path / "b.jsonl", [rows.post(0, split="train"), rows.post(2, split="test")])
    assert "subreddit 'sub0' lies in train and test" in refused("blift", path)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 cut short")
    assert "cannot be read" in refused("blift", tmp_path / "x.parquet")
    assert "no such file" in refused("blift", tmp_path / "none.jsonl")


def test_rows_that_no_parser_can_hold_cost_themselves(tmp_path: Path) -> None:
    path = rows.write_jsonl(tmp_path / "b.jsonl", [rows.post(0), rows.post(1, num_comments=10**400), rows.post(2)])
    with path.open("a", encoding="utf-8") as file:
        file.write("[" * 100_000 + "\n")
    reader, records = read("blift", path)
    assert len(records) == 2
    assert [(p.row, p.column) for p in reader.problems] == [(2, "num_comments"), (4, "title")]
