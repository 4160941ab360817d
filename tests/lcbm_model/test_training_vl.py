"""Vision-language bases: what training computes is what the model itself would, and only the right parts learn."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lcbm_model.errors import BackendError, CheckpointError, SettingsError
from lcbm_model.training.data import Prepared
from lcbm_model.training.settings import Recipe
from tests.lcbm_model import evaluation_data
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.tiny_vl import write_tiny_llava, write_tiny_qwen
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy

torch = pytest.importorskip("torch")

from lcbm_model.training.architectures.qwen_vl import picture_positions  # noqa: E402
from lcbm_model.training.base import load_base  # noqa: E402
from lcbm_model.training.collate import Collator  # noqa: E402
from lcbm_model.training.corpus_rows import prepare_recipe  # noqa: E402
from lcbm_model.training.fit import run_fit  # noqa: E402
from lcbm_model.training.model import BehaviorModel, half_precision  # noqa: E402

WRITERS = {
    "llava": write_tiny_llava,
    "qwen_vl": write_tiny_qwen,
    "qwen2_vl": lambda folder: write_tiny_qwen(folder, version="qwen2_vl"),
}
KINDS = list(WRITERS)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {name: write(folder / name) for name, write in WRITERS.items()}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OASIS with photographs of different shapes, and contests whose captions share a cartoon."""
    folder = tmp_path_factory.mktemp("pictures")
    evaluation_data.oasis(folder, n=16)
    evaluation_data.caption_contest(folder, contests=5, captions=4)
    rng = np.random.default_rng(0)
    (folder / "caption_contest_images").mkdir()
    files = sorted((folder / "oasis_images").iterdir())
    files += [folder / "caption_contest_images" / f"{contest}.jpg" for contest in range(5)]
    for file in files:
        high, wide = (int(side) for side in rng.integers(40, 130, 2))
        Image.fromarray(rng.integers(0, 255, (high, wide, 3), dtype=np.uint8)).save(file)
    return folder


def recipe_for(kind: str, base: Path, data: Path, /, **groups: dict[str, Any]) -> Recipe:
    architecture = "llava" if kind == "llava" else "qwen_vl"
    mine = {
        "base": {"architecture": architecture},
        "data": {"sources": ["oasis", "caption_contest"], "picture_share": 1.0, "text_examples": 4},
        "readout": {"layers": [2], "last_layers": [3], "picture": True},
        "run": {"mix": {"oasis": 1.0, "caption_contest": 1.0, "text": 0.5}},
    }
    merged = {name: {**mine.get(name, {}), **groups.get(name, {})} for name in {*mine, *groups}}
    return tiny_recipe(base, data, **merged)


@pytest.fixture(scope="module")
def prepared(bases: dict[str, Path], pictures: Path) -> dict[str, Prepared]:
    return {kind: prepare_recipe(recipe_for(kind, bases[kind], pictures)) for kind in KINDS}


def model_of(data: Prepared, base: Path, rank: int = 0) -> BehaviorModel:
    recipe = recipe_for("llava", base, base, lora={"rank": rank})
    return BehaviorModel(
        load_base(base), digit_ids=data.digit_ids, metrics=len(data.metrics), channels=data.pictures.shape[-1],
        lora=recipe.lora, readout=recipe.readout,
    )  # fmt: skip


def paths_of(data: Prepared, folder: Path) -> list[Path]:
    """Pictures in the order they were packed."""
    shown = [*(folder / "oasis_images").iterdir(), *(folder / "caption_contest_images").iterdir()]
    return sorted(shown, key=str)[: len(data.pictures)]


@cache
def whole_model(base: Path) -> tuple[Any, Any]:
    """transformers' own model and image processor."""
    from transformers import AutoImageProcessor, AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(base).eval()
    return model, AutoImageProcessor.from_pretrained(base, backend="pil")


def own_forward(kind: str, base: Path, data: Prepared, row: int, path: Path | None) -> Any:
    """Hidden states and logits of one row as transformers' own model computes them, from its processor's pixels."""
    model, processor = whole_model(base)
    rows = data.rows
    ids = torch.tensor([rows.tokens[rows.offsets[row] : rows.offsets[row + 1]].astype(np.int64)])
    inputs: dict[str, Any] = {"input_ids": ids}
    if path is not None:
        inputs.update(processor(images=Image.open(path).convert("RGB"), return_tensors="pt"))
        if kind != "llava":
            inputs["mm_token_type_ids"] = (ids == model.config.image_token_id).int()
    with torch.no_grad():
        return model(**inputs, output_hidden_states=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [False, True], ids=["plain", "shared"])
def test_states_and_digits_are_the_models_own(
    kind: str, share: bool, bases: dict[str, Path], prepared: dict[str, Prepared], pictures: Path
) -> None:
    data = prepared[kind]
    rows, base = data.rows, bases[kind]
    model = model_of(data, base).eval()
    collator = Collator(data, "cpu", share_prefix=share)
    cartoon = rows.picture[rows.source == data.sources.index("caption_contest")].max()
    same = np.flatnonzero((rows.picture == cartoon) & (rows.metric >= 0))
    mixed = np.flatnonzero(rows.metric >= 0)[:3]
    text = np.flatnonzero(rows.metric < 0)[:1]
    for chosen in (same[:3], mixed, text):
        batch = collator.batch(chosen)
        assert (batch.shared_ids is not None) == (share and len(chosen) > 1)
        with torch.no_grad():
            out = model(batch)
        for place, row in enumerate(chosen.tolist()):
            shown = rows.picture[row]
            path = paths_of(data, pictures)[shown] if shown >= 0 else None
            truth = own_forward(kind, base, data, row, path)
            asked = truth.logits[0, rows.target_start[row] - 1]
            assert torch.allclose(out.bins[place], asked[data.digit_ids], atol=2e-3)
            words = slice(rows.words_start[row], rows.words_end[row])
            mean = truth.hidden_states[2][0, words].mean(0)
            assert torch.allclose(out.pooled[place, :32], mean, atol=2e-3)
    assert (rows.picture >= 0).sum() > 10


@pytest.mark.parametrize("kind", KINDS)
def test_only_adapters_connector_and_heads_learn(
    kind: str, bases: dict[str, Path], prepared: dict[str, Prepared]
) -> None:
    data = prepared[kind]
    model = model_of(data, bases[kind], rank=2).train()
    learned = model.trainable()
    parts = {name.split(".")[0] for name in learned if ".lora_" not in name}
    assert parts == {"connector", "head"}
    adapters = [name for name in learned if ".lora_" in name]
    assert len(adapters) == 3 * 7 * 2
    assert all(name.startswith("lm.model.language_model.layers.") for name in adapters)
    shown = np.flatnonzero((data.rows.picture >= 0) & (data.rows.metric >= 0))[:4]
    batch = Collator(data, "cpu").batch(shown)

    def gradients() -> dict[str, Any]:
        model.zero_grad()
        out = model(batch)
        (out.bins.logsumexp(-1).sum() + out.utility.sum() + out.pooled.sum()).backward()
        return {name: p.grad.clone() for name, p in learned.items() if p.grad is not None}

    model.architecture = model.architecture
    assert model.architecture.recompute
    again = gradients()
    model.architecture = type("Plain", (type(model.architecture),), {"recompute": False})()
    plain = gradients()
    assert set(again) == set(plain)
    assert all(torch.allclose(again[name], plain[name], rtol=1e-3, atol=1e-5) for name in plain)
    assert all(p.grad is None for name, p in model.named_parameters() if name not in learned)
    assert any(name.startswith("connector") and again[name].abs().sum() > 0 for name in again)


def test_positions_are_those_that_qwen_itself_gives(bases: dict[str, Path]) -> None:
    model = load_base(bases["qwen_vl"])
    image = model.config.image_token_id
    ids = torch.zeros((3, 30), dtype=torch.long)
    grids = [(2, 3, 5), (4, 2, 0), (0, 0, 0)]  # rows, columns, first place
    for row, (high, wide, start) in enumerate(grids):
        ids[row, start : start + high * wide] = image
    patches = torch.tensor([[1, 2 * high, 2 * wide] for high, wide, _ in grids if high])
    truth, _ = model.model.get_rope_index(ids, (ids == image).int(), image_grid_thw=patches)
    high, wide, start = (torch.tensor([grid[i] for grid in grids])[:, None] for i in range(3))
    assert torch.equal(picture_positions(torch.arange(30)[None], start, high, wide), truth)
