"""Prepared rows: halves that share no record, outcomes on one scale, ids of any text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lcbm_model.behavior import Observation
from lcbm_model.content import Content
from lcbm_model.corpus import get_reader
from lcbm_model.corpus.build import build, plan
from lcbm_model.corpus.record import Record
from lcbm_model.corpus.store import read_corpus
from lcbm_model.training.bases import prompt_encoder, resolve_base
from lcbm_model.training.corpus_rows import draw, prepare_recipe
from lcbm_model.training.data import TEXT, Prepared, half_hash
from lcbm_model.training.prepare import Encoded, PreparedRow, behavior_rows, text_rows
from lcbm_model.training.settings import Recipe
from lcbm_model.verbalize import Prompt
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import tiny_recipe, words, write_upworthy


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("prepared") / "base", layers=2)


def write_posts(path: Path, name: str) -> list[str]:
    """120 posts of one channel whose ids begin with `name`; gives their texts."""
    rng = np.random.default_rng(0)
    texts = [words(rng) for _ in range(120)]
    rows = [f"{name}{i},{text},{rng.integers(10, 400)},4000" for i, text in enumerate(texts)]
    path.write_text("\n".join(["id,text,clicks,impressions", *rows]), encoding="utf-8")
    return texts


def table_recipe(base: Path, path: Path, *tasks: str, known: int = 0) -> Recipe:
    data = {"sources": ["table"], "table": str(path), "text_examples": 200, "context_examples": known}
    run = {"name": "tiny", "mix": {"table": 1.0}}
    return tiny_recipe(base, path.parent, data={**data, "text_tasks": list(tasks)}, run=run)


def check_halves(recipe: Recipe, texts: list[str], *, text_rows: int) -> None:
    """No text stands in training rows of both halves; each half has about half of the texts and text examples."""
    prepared, prompts = prepare_recipe(recipe), prompt_encoder(resolve_base(recipe.base))
    rows = prepared.rows
    shown: list[set[str]] = []
    for half in ("a", "b"):
        chosen = prepared.select(split="train", half=half)
        said = [prompts.text(rows.tokens[rows.offsets[i] : rows.offsets[i + 1]].tolist()) for i in chosen]
        shown.append({text for text in texts if any(text in one for one in said)})
        assert len(shown[-1]) > len(texts) / 4
        assert (rows.metric[chosen] == TEXT).sum() >= text_rows
    assert not shown[0] & shown[1]


@pytest.mark.parametrize("name", ["p", "https://x.example/", "a>b", "a|b"])
def test_halves_share_no_post_whatever_its_id(name: str, base: Path, tmp_path: Path) -> None:
    texts = write_posts(tmp_path / "posts.csv", name)
    check_halves(table_recipe(base, tmp_path / "posts.csv", "content_write", "behavior_which"), texts, text_rows=10)


class OneToken:
    """Takes an encoder's place where tokens do not matter: keeps the words of each example."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, prompt: Prompt, answer: str | None = None) -> Encoded:
        self.said.append(f"{prompt.text} {answer}")
        return Encoded(np.zeros(1, np.int32), 0, 1, 0, 1, 0)


def measured(i: int, rate: float, exposure: float | None, percentile: float, **changes: str) -> Record:
    """A post of its own group in one context."""
    count = None if exposure is None else rate * exposure
    seen = Observation(metric="click_rate", value=rate, count=count, exposure=exposure, percentile=percentile)
    content = Content(text=changes.pop("text", f"post {i}"), channel="post")
    named = {"id": f"{i}", "source": "s", "context": "c", "group": f"g{i}", **changes}
    return Record.model_validate({**named, "content": content, "observations": (seen,), "weight": 0.9})


def test_rewrites_between_arms_of_two_groups_stay_in_one_half() -> None:
    rng, records = np.random.default_rng(0), []
    for test in range(40):
        stem = words(rng)
        for arm, end in enumerate(("at dawn", "by night")):
            i, text = 2 * test + arm, f"{stem} {end}"
            named = {"arms": f"t{test}", "group": words(rng), "text": text}
            records.append(measured(i, 0.02 + 0.03 * arm, 4000, 25 + 50 * arm, **named))
    encoder = OneToken()
    rows = list(text_rows(records, encoder, tasks=["content_rewrite"], limit=100, seed=0))  # type: ignore[arg-type]
    assert 10 < len(rows) < 30
    for row, said in zip(rows, encoder.said, strict=True):
        shown = {half_hash(r.group) & 1 for r in records if r.content.text in said}
        assert shown == {half_hash(row.half) & 1}


def test_known_results_in_the_prompt_come_from_the_same_half(base: Path, tmp_path: Path) -> None:
    texts = write_posts(tmp_path / "posts.csv", "p")
    check_halves(table_recipe(base, tmp_path / "posts.csv", "content_write", known=3), texts, text_rows=10)


def test_halves_of_a_corpus_of_two_files_share_no_headline(base: Path, tmp_path: Path) -> None:
    first = pl.read_parquet(write_upworthy(tmp_path / "raw") / "upworthy.parquet")
    rng = np.random.default_rng(9)
    second = first.with_columns(
        pl.col("story_id") + 1000,
        pl.concat_str(pl.lit("z"), "clickability_test_id").alias("clickability_test_id"),
        pl.Series("headline", [words(rng) for _ in range(first.height)]),
    )
    (tmp_path / "two").mkdir()
    first.write_parquet(tmp_path / "two" / "a.parquet")
    second.write_parquet(tmp_path / "two" / "b.parquet")
    build(plan([tmp_path / "two"]), tmp_path / "corpus")
    texts = [r.content.text for r in read_corpus(tmp_path / "corpus", split="train")]
    recipe = tiny_recipe(base, tmp_path / "corpus", data={"text_examples": 200})
    check_halves(recipe, texts, text_rows=10)


def outcomes(*exposures: float | None) -> list[PreparedRow]:
    """Behaviour rows of one context whose click rates rise, made of these exposures."""
    each = 100 / len(exposures)
    records = [measured(i, 0.01 * (i + 1), exposure, each * (i + 0.5)) for i, exposure in enumerate(exposures)]
    return list(behavior_rows(iter(records), OneToken()))  # type: ignore[arg-type]


def test_one_rate_without_exposure_puts_its_group_on_the_scale_of_ranks() -> None:
    counted = outcomes(1000, 1000, 1000, 1000)
    assert [row.value for row in counted] == pytest.approx([0.01, 0.02, 0.03, 0.04])
    assert [row.exposure for row in counted] == [1000] * 4
    mixed = outcomes(1000, None, 1000, 1000)
    assert [row.exposure for row in mixed] == [0] * 4
    assert [row.value for row in mixed] == pytest.approx([-1.15, -0.32, 0.32, 1.15], abs=0.01)
    assert len({row.noise for row in mixed}) == 1


IDS = ["a\nb", "", "c\r\nd", 'q"uote', "\u2028", "\\n", "snow \u2603", "\ud800"]


def prepared_with(base: Path, folder: Path, ids: list[str]) -> Prepared:
    prepared = prepare_recipe(tiny_recipe(base, write_upworthy(folder)))
    prepared.ids[: len(ids)] = ids
    return prepared


def test_ids_of_any_text_are_read_back(base: Path, tmp_path: Path) -> None:
    prepared = prepared_with(base, tmp_path / "data", IDS)
    prepared.save(tmp_path / "prepared")
    assert Prepared.load(tmp_path / "prepared").ids == prepared.ids


def test_folders_with_ids_as_lines_are_still_read(base: Path, tmp_path: Path) -> None:
    prepared = prepared_with(base, tmp_path / "data", ["", 'q"uote', "snow \u2603"])
    folder = tmp_path / "prepared"
    prepared.save(folder)
    with np.load(folder / "rows.npz") as arrays:
        older = {name: arrays[name] for name in arrays if name != "ids_json"}
    lines = np.frombuffer("\n".join(prepared.ids).encode(), dtype=np.uint8)
    np.savez_compressed(folder / "rows.npz", ids=lines, **older)
    assert Prepared.load(folder).ids == prepared.ids


@pytest.mark.parametrize("at_risk", [0, 5])
def test_experiments_are_drawn_whole(tmp_path: Path, at_risk: int) -> None:
    reader = get_reader("upworthy")
    records = list(reader.read(write_upworthy(tmp_path, at_risk=at_risk) / "upworthy.parquet"))
    drawn = draw(records, 20, 8)
    arms = Counter(record.group for record in drawn)
    assert set(arms.values()) == {3}
    assert sum(arms[record.group] > 0 for record in records if record.split == "train") == 18


def test_a_long_post_is_asked_about_whole(base: Path, tmp_path: Path) -> None:
    rows = [f"{'long ' * 220}tale {i},{i}" for i in range(30)]
    (tmp_path / "posts.csv").write_text("\n".join(["text,likes", *rows]), encoding="utf-8")
    data = {"sources": ["table"], "table": str(tmp_path / "posts.csv"), "text_examples": 0, "max_length": 4000}
    recipe = tiny_recipe(base, tmp_path, data=data, run={"mix": {"table": 1.0}})
    prepared, prompts = prepare_recipe(recipe), prompt_encoder(resolve_base(recipe.base))
    said = prompts.text(prepared.rows.tokens[: prepared.rows.offsets[1]].tolist())
    assert "tale" in said
