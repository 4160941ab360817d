"""What stops a training run before it begins: leaks, settings that cannot be, nothing to learn from."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lcbm_model.errors import CheckpointError, SettingsError
from lcbm_model.metrics import get_metric
from lcbm_model.training.data import Prepared
from lcbm_model.training.variants import read_variants
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import SILENT, WRITES, tiny_recipe, write_upworthy

torch = pytest.importorskip("torch")

from lcbm_model.training.base import join_parts, load_base  # noqa: E402
from lcbm_model.training.corpus_rows import prepare_recipe  # noqa: E402
from lcbm_model.training.plot import plot_log  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402


def test_another_base_is_refused(prepared: Prepared, base: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other", layers=4, seed=1)
    with pytest.raises(CheckpointError, match="not the base the data was prepared for"):
        load_base(other, prepared.manifest["base"]["hash"])
    with pytest.raises(CheckpointError, match="no GGUF and no safetensors"):
        load_base(tmp_path)


def test_parts_of_a_base_are_joined_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"base.gguf.part{number}").write_bytes(f"<{number}>".encode())
    whole = join_parts(tmp_path)
    assert whole is not None
    assert whole.read_text() == "".join(f"<{number}>" for number in range(12))


def test_a_log_that_was_cut_is_drawn_up_to_there(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1, "pairs": 0.7}\n{"step": 2, "pairs": 0.6}\n{"step": 3, "pa')
    assert plot_log(tmp_path / "log.jsonl", tmp_path / "loss.svg")
    assert (tmp_path / "loss.svg").is_file()


def test_rows_that_a_reader_cannot_use_are_told(base: Path, tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    rows = [f"Invented post number {i},{'1.2k' if i % 4 == 0 else 10 + i},{-1 if i % 2 else 1}" for i in range(60)]
    table.write_text("text,likes,score\n" + "\n".join(rows))
    data = {"sources": ["table"], "table": str(table), "metrics": {"table": ["likes"]}, "text_examples": 0}
    events: list[str] = []
    recipe = tiny_recipe(base, tmp_path, data=data, run={"mix": {"table": 1.0}})
    prepared = prepare_recipe(recipe, told=events.append)
    (kind,) = prepared.manifest["rows_left_out"]
    assert kind.startswith("table: likes: is rounded")
    assert prepared.manifest["rows_left_out"][kind] == 15  # the score, which nobody trains on, costs no row
    assert f"15 rows left out: {kind}" in events


def test_files_of_one_source_do_not_take_each_other_for_leaks(base: Path, tmp_path: Path) -> None:
    """Both number their rows from one."""
    letters = np.random.default_rng(0)
    for split, word in (("train", "bread"), ("test", "pan")):
        rows = {
            "title": [" ".join("".join(letters.choice([*"abcdefgh"], 6)) for _ in range(8)) for _ in range(30)],
            "subreddit": [f"r{i % 3}{word}" for i in range(30)],
            "score": list(range(30)),
            "num_comments": list(range(30)),
            "domain": ["example.org"] * 30,
            "split": [split] * 30,
        }
        frame = pl.DataFrame(rows)
        frame.write_parquet(tmp_path / f"reddit_{split}.parquet")
    data = {"sources": ["reddit"], "metrics": {"reddit": ["score"]}, "text_examples": 0}
    prepared = prepare_recipe(tiny_recipe(base, tmp_path, data=data, run={"mix": {"reddit": 1.0}}))
    assert prepared.manifest["leaks_dropped"] == {}
    assert np.bincount(prepared.rows.split, minlength=3).tolist() == [30, 0, 30]


def test_leaks_are_dropped_from_files_and_refused_in_a_corpus(base: Path, tmp_path: Path) -> None:
    from lcbm_model.corpus.build import build, plan
    from lcbm_model.corpus.store import (
        file_sha256,
        read_manifest,
        read_records,
        write_manifest,
        write_records,
    )

    raw = write_upworthy(tmp_path / "raw", leak=True)
    clean = prepare_recipe(tiny_recipe(base, raw))
    assert clean.manifest["leaks_dropped"] == {"exact": 1}
    corpus = tmp_path / "corpus"
    build(plan([raw]), corpus)
    same = prepare_recipe(tiny_recipe(base, corpus))
    assert sorted(same.ids) == sorted(clean.ids)

    manifest = read_manifest(corpus)
    path = corpus / manifest.sources[0].file
    records = list(read_records(path))
    held = next(r for r in records if r.split == "test")
    first = records[0].model_copy(update={"content": held.content})
    write_records([first, *records[1:]], path)
    entry = manifest.sources[0].model_copy(update={"sha256": file_sha256(path)})
    write_manifest(manifest.model_copy(update={"sources": (entry,)}), corpus)
    with pytest.raises(SettingsError, match="give held-out ones away"):
        prepare_recipe(tiny_recipe(base, corpus))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data": {"sources": ["reddit"]}}, "holds no such source"),
        ({"data": {"sources": ["table"]}}, "needs a file"),
        ({"data": {"max_length": 20}}, "no record gave an example"),
        ({"readout": {"layers": [9]}}, "names no layer of the base"),
        ({"lora": {"targets": ["q_proj", "v_pro"]}}, r"lora\.targets: names no layer to tune .*'v_pro'.*v_proj"),
        ({**WRITES, "run": {"mix": {"upworthy": 1.0}}, "loss": SILENT}, "no term learns from what run.mix shows"),
        ({**WRITES, "loss": {**SILENT, "text": 0.0}}, "no term learns from what run.mix shows"),
        ({"lora": {"targets": []}}, r"lora\.targets: names no layer to tune"),
        ({"lora": {"first_layer": 3}, "optim": {"cache_states": True}}, "below the cached ones"),
        ({"run": {"mix": {"reddit": 1.0}}}, "source that was not prepared"),
        ({"run": {"select_on": {"reddit": 1.0}}}, r"select_on: names a source that was not prepared.*Known: text, up"),
        ({"run": {"select_on": {"upworthy": 0.0}}}, "weighs nothing that is measured here.*Weigh one of: upworthy"),
        ({**WRITES, "run": {**WRITES["run"], "select_on": {"upworthy": 1}}}, "measured here.*Weigh one of: text"),
        ({"base": {"architecture": "causal"}, "data": {"sources": ["upworthy"], "max_length": 30}}, "no record gave"),
    ],
)
def test_settings_that_the_data_or_the_base_do_not_allow(
    changes: dict[str, Any], problem: str, base: Path, rows: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=problem):
        train_recipe(tiny_recipe(base, rows, **changes), tmp_path)


def test_pictures_that_would_be_cut_stop_the_run(prepared: Prepared, base: Path, tmp_path: Path) -> None:
    from lcbm_model.training.bases import prompt_encoder, resolve_base
    from lcbm_model.training.prepare import Encoder
    from lcbm_model.verbalize import IMAGE, Prompt

    prompts = prompt_encoder(resolve_base(tiny_recipe(base, tmp_path).base))
    encoder = Encoder(prompts, end_id=0, max_length=60)
    with pytest.raises(SettingsError, match="picture tokens would be cut"):
        encoder(Prompt(shared=f"{IMAGE} seen", own="x: y", pictures=(tmp_path / "a.png",)))
    assert get_metric("click_rate")
    rows = prepared.rows
    seen = replace(rows, picture=np.zeros_like(rows.picture), picture_at=rows.own_start - 3)
    shown = replace(prepared, rows=seen, pictures=np.zeros((1, 64, 4), np.uint8))
    with pytest.raises(SettingsError, match="64 picture tokens do not fit"):
        shown.check()


def test_nothing_to_learn_from_stops_the_run(prepared: Prepared) -> None:
    rows = prepared.rows
    held = replace(prepared, rows=replace(rows, split=np.ones_like(rows.split)))
    with pytest.raises(SettingsError, match="no supervised token"):
        held.check()


def test_runs_on_prepared_data_are_listed_in_a_file(prepared: Prepared, tmp_path: Path) -> None:
    listed = tmp_path / "runs.json"
    listed.write_text(json.dumps([{"run.name": "a", "run.half": "a"}, {"run.name": "b", "loss.pairs": 0.5}]), "utf-8")
    known: dict[str, Any] = {"prepared": prepared.manifest["recipe"], "metrics": prepared.metrics}
    assert [recipe.run.half for recipe in read_variants(listed, **known)] == ["a", "all"]
    assert [recipe.loss.pairs for recipe in read_variants(listed, **known, only=["b"])] == [0.5]
    (alone,) = read_variants(None, **known)
    assert json.loads(json.dumps(alone.to_dict())) == json.loads(json.dumps(known["prepared"]))


@pytest.mark.parametrize(
    ("runs", "only", "problem"),
    [
        ([{"run.mix": {"upworthi": 1.0}}], (), "runs.json, run 1: run.mix: names what was not prepared"),
        ([{"run.select_on": {"headlines": 1.0}}], (), "run.select_on: names what was not prepared"),
        ([{"readout.probe_rows_of": {"clicks": 5}}], (), "readout.probe_rows_of: names what was not prepared"),
        ([{}, {"data.context_examples": 4}], (), "run 2: data.context_examples: was decided when"),
        ([{"base.model": "another"}], (), "base.model: was decided when"),
        ([{"optim.speed": 4}], (), "unknown key"),
        ([{"run.seed": 1}, {"run.seed": 2}], (), "run.name: is that of several runs"),
        ([{"run.name": "a"}], ("b",), "--only: names no run"),
        ([], (), "must be a list of runs"),
        ({"run.name": "a"}, (), "must be a list of runs"),
    ],
)
def test_runs_that_would_do_something_else_than_they_say_are_refused(
    prepared: Prepared, tmp_path: Path, runs: Any, only: tuple[str, ...], problem: str
) -> None:
    listed = tmp_path / "runs.json"
    listed.write_text(json.dumps(runs), "utf-8")
    with pytest.raises(SettingsError, match=re.escape(problem)):
        read_variants(listed, prepared.manifest["recipe"], metrics=prepared.metrics, only=only)
