"""The sentence encoder beside the language model: tuned on comparisons, saved, read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcbm_model.corpus import get_reader
from lcbm_model.errors import BackendError, CheckpointError, SettingsError
from lcbm_model.simulator import load_simulator
from lcbm_model.simulator.first_look import first_look
from tests.lcbm_model import evaluation_data
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy

torch = pytest.importorskip("torch")

from lcbm_model.backbone.adapter import TextEncoderSpec, read_adapter  # noqa: E402
from lcbm_model.backbone.text_encoder import (  # noqa: E402
    text_encoder_hash,
    tuned_text_encoder,
    untuned_text_encoder,
)
from lcbm_model.content import Content  # noqa: E402
from lcbm_model.training.corpus_rows import prepare_recipe  # noqa: E402
from lcbm_model.training.data import Prepared  # noqa: E402
from lcbm_model.training.predictions import read_predictions  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402
from lcbm_model.training.settings import Recipe  # noqa: E402
from lcbm_model.training.text_tower import TextTower, fit_text_tower  # noqa: E402

SETTINGS: dict[str, Any] = {
    "rank": 2, "steps": 40, "tokens_per_step": 600, "eval_every": 10, "lr": 1e-3, "head_lr": 0.02, "max_tokens": 24
}  # fmt: skip
SPEC = TextEncoderSpec(base_hash=text_encoder_hash(), alpha=4, width=384, max_tokens=24)
LAYER = "encoder.layer.0.attention.self.query"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("text") / "base", layers=4)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_upworthy(tmp_path_factory.mktemp("text") / "data")


def recipe(base: Path, rows: Path, **changes: Any) -> Recipe:
    heads = {"lora": {"rank": 0}, "optim": {"steps": 0, "ema": 0.5}, "data": {"text_examples": 0}}
    return tiny_recipe(base, rows, **heads, text_encoder=SETTINGS | changes)


@pytest.fixture(scope="module")
def prepared(base: Path, rows: Path) -> Prepared:
    return prepare_recipe(recipe(base, rows))


def test_it_learns_what_wins(prepared: Prepared, base: Path, rows: Path, tmp_path: Path) -> None:
    """Texts with 'bright' do better than those with 'dull': forty steps suffice to see it on held-out texts."""
    tower, state = fit_text_tower(prepared, recipe(base, rows), tmp_path, device=torch.device("cpu"))
    assert state.best_score > 0.9
    bright, dull = tower.encoder.tokens(["kibado pariso bright", "kibado pariso dull"])
    gap = tower.encoder.embed([bright, dull]) @ tower.head.detach()[0]
    assert gap[0] > gap[1]


def test_what_is_saved_is_what_was_tuned(prepared: Prepared, base: Path, rows: Path) -> None:
    tower = TextTower(prepared, recipe(base, rows))
    with torch.no_grad():
        for update in tower.updates().values():
            update.normal_(std=0.1)
    tower.round()
    saved = {name: update.detach().to(torch.bfloat16) for name, update in tower.updates().items()}
    spec = SPEC.model_copy(update={"alpha": float(recipe(base, rows).text_encoder.alpha)})
    read = tuned_text_encoder(spec, saved)
    texts = read.tokens(["One line", "Another, a good deal longer than the first one", ""])
    assert torch.allclose(read.embed(texts), tower.encoder.embed(texts), atol=1e-4)
    untuned = untuned_text_encoder(max_tokens=24)
    assert not torch.allclose(read.embed(texts), untuned.embed(texts), atol=1e-2)
    assert untuned.model.embeddings is read.model.embeddings


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=9), st.randoms())
def test_vectors_do_not_depend_on_the_batch(texts: list[str], random: Any) -> None:
    encoder = untuned_text_encoder(max_tokens=24)
    ids = encoder.tokens(texts)
    assert all(len(found) <= 24 for found in ids)
    alone = torch.cat([encoder.embed([found]) for found in ids])
    order = list(range(len(ids)))
    random.shuffle(order)
    together = encoder.embed([ids[i] for i in order])
    assert torch.allclose(together, alone[order], atol=1e-4)


class Killed(Exception):
    pass


def test_a_killed_run_ends_like_an_unbroken_one(base: Path, rows: Path, tmp_path: Path) -> None:
    short = recipe(base, rows, steps=6, eval_every=2)
    whole = train_recipe(short, tmp_path / "whole")

    def kill(event: dict[str, Any]) -> None:
        if event.get("step") == 6 and "selection" in event:
            raise Killed

    with pytest.raises(Killed):
        train_recipe(short, tmp_path / "broken", report=kill)
    with pytest.raises(SettingsError, match="already holds a run"):
        train_recipe(short, tmp_path / "broken")
    resumed = train_recipe(short, tmp_path / "broken", resume=True)
    assert resumed["figures"] == whole["figures"]
    one, other = (read_adapter(tmp_path / name / "adapter") for name in ("whole", "broken"))
    assert all(torch.equal(value, other.text_encoder[name]) for name, value in one.text_encoder.items())
    simulator = load_simulator(tmp_path / "broken" / "adapter", device="cpu")
    answers = simulator.predict([Content(text=text, channel="headline") for text in ("bright", "dull")], "click_rate")
    assert answers[0].utility != answers[1].utility


def test_weights_that_choose_between_no_steps_are_refused(prepared: Prepared, base: Path, rows: Path) -> None:
    def fit(**select_on: float) -> None:
        chosen = recipe(base, rows, steps=1)
        run = replace(chosen.run, select_on=select_on)
        fit_text_tower(prepared, replace(chosen, run=run), base, device=torch.device("cpu"), save=False)

    with pytest.raises(
        SettingsError, match=r"run\.select_on: names a source that was not prepared.*Known: text, upwor"
    ):
        fit(upwrthy=1.0)
    with pytest.raises(SettingsError, match=r"weighs nothing that is measured here.*Weigh one of: upworthy"):
        fit(text=1.0)
    fit(text=1.0, upworthy=0.5)


@pytest.mark.parametrize(("reads", "distinct"), [("words", 1), ("card", 3)])
def test_what_simulator_and_training_read_is_the_same(reads: str, distinct: int, base: Path, tmp_path: Path) -> None:
    """Utilities that a run saved of posts with titles come back from its checkpoint. Behind another title or format the
    same words look otherwise at first, to an encoder of cards alone."""
    file = evaluation_data.facebook(tmp_path, pages=8, posts=12, titled=True)
    settings: dict[str, dict[str, Any]] = {
        "lora": {"rank": 0},
        "optim": {"steps": 0},
        "data": {"text_examples": 0, "sources": ["facebook"], "metrics": {"facebook": ["shares"]}},
        "run": {"mix": {"facebook": 1.0}},
        "readout": {"probe_l2": [], "init": "zero"},  # so that nothing but the encoder has a say
        "text_encoder": SETTINGS | {"reads": reads},
    }
    train_recipe(tiny_recipe(base, tmp_path, **settings), tmp_path / "run")
    data = Prepared.load(tmp_path / "run" / "prepared")
    row, joint = read_predictions(tmp_path / "run", "row", "joint")
    saved = {data.ids[i]: float(utility) for i, utility in zip(row, joint, strict=True)}
    contents = {r.id: r.content for r in get_reader("facebook").read(file) if r.id in saved}
    assert len({content.title for content in contents.values()}) > 6
    simulator = load_simulator(tmp_path / "run" / "adapter", device="cpu", calibrated=False)
    said = simulator.predict(list(contents.values()), "shares")
    assert {i: p.utility for i, p in zip(contents, said, strict=True)} == pytest.approx(saved, abs=1e-4)
    posts = [
        Content(text="The harbour wakes"),
        Content(text="The harbour wakes", title="kibado pariso bright"),
        Content(text="The harbour wakes", format="photo"),
    ]
    looks = first_look(simulator, posts, "shares")
    assert looks is not None
    assert len({round(look, 6) for look in looks}) == distinct


def test_what_was_prepared_otherwise_is_refused(prepared: Prepared, base: Path, rows: Path) -> None:
    with pytest.raises(SettingsError, match=r"text_encoder\.reads: was prepared as 'words'.*'card'.*again"):
        TextTower(prepared, recipe(base, rows, reads="card"))
    with pytest.raises(SettingsError, match=r"text_encoder\.max_tokens: was prepared as 24"):
        TextTower(prepared, recipe(base, rows, max_tokens=48))


def test_data_without_texts_is_refused(prepared: Prepared, base: Path, rows: Path) -> None:
    without = Prepared(**{**vars(prepared), "texts": None})
    with pytest.raises(SettingsError, match="Prepare the data again"):
        TextTower(without, recipe(base, rows))


def test_a_prepared_folder_keeps_the_texts(prepared: Prepared, tmp_path: Path) -> None:
    prepared.save(tmp_path)
    read = Prepared.load(tmp_path)
    assert read.texts is not None
    assert prepared.texts is not None
    assert [read.texts[i] for i in range(20)] == [prepared.texts[i] for i in range(20)]
    (tmp_path / "texts.npz").unlink()
    with pytest.raises(CheckpointError, match="no readable prepared folder"):
        Prepared.load(tmp_path)


def test_a_loss_that_is_no_number_stops_and_keeps_the_state(
    prepared: Prepared, base: Path, rows: Path, tmp_path: Path
) -> None:
    wild = recipe(base, rows, head_lr=1e36, lr=1e36)
    with pytest.raises(BackendError, match=r"Lower text_encoder\.lr"):
        fit_text_tower(prepared, wild, tmp_path, device=torch.device("cpu"))
    assert (tmp_path / "state.safetensors").is_file()


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ({f"{LAYER}.lora_A.weight": torch.zeros(2, 384)}, "do not fit"),
        ({f"{LAYER}.lora_A.weight": torch.zeros(2, 3), f"{LAYER}.lora_B.weight": torch.zeros(384, 2)}, "do not fit"),
        ({"encoder.layer.9.no.lora_A.weight": torch.zeros(2, 384)}, "no such layer"),
        ({f"{LAYER}.bias": torch.zeros(384)}, "unknown LoRA tensor"),
    ],
)
def test_updates_that_do_not_fit_are_refused(updates: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        tuned_text_encoder(SPEC, updates)


def test_updates_of_another_encoder_are_refused() -> None:
    with pytest.raises(CheckpointError, match="tuned from other weights"):
        tuned_text_encoder(SPEC.model_copy(update={"base_hash": "0" * 64}), {})


def test_a_file_without_its_description_is_refused(base: Path, rows: Path, tmp_path: Path) -> None:
    train_recipe(recipe(base, rows, steps=2, eval_every=2), tmp_path)
    spec_file = tmp_path / "adapter" / "lcbm.json"
    spec_file.write_text(json.dumps(json.loads(spec_file.read_text()) | {"text_encoder": None}), "utf-8")
    with pytest.raises(CheckpointError, match="do not go together"):
        read_adapter(tmp_path / "adapter")


def test_a_source_that_was_not_prepared_is_named(prepared: Prepared, base: Path, rows: Path, tmp_path: Path) -> None:
    other = recipe(base, rows, mix={"facebook": 1.0})
    with pytest.raises(SettingsError, match=r"names a source without rows \(got 'facebook'\)\. Known: upworthy"):
        fit_text_tower(prepared, other, tmp_path, device=torch.device("cpu"))
