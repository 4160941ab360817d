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
from tests.lcbm_model.tiny_vl import reload, write_tiny_llava, write_tiny_qwen
from tests.lcbm_model.training_rows import tiny_recipe

torch = pytest.importorskip("torch")

from lcbm_model.backbone.adapter import read_adapter  # noqa: E402
from lcbm_model.backbone.vl_load import load_vision_language  # noqa: E402
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
        "data": {"sources": ["oasis", "caption_contest"], "picture_share": 1.0, "text_examples": 20},
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
    ids = torch.from_numpy(rows.tokens[rows.offsets[row] : rows.offsets[row + 1]].astype(np.int64))[None]
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


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters and connector start away from the base: the first step may well be the best of two."""
    from lcbm_model.training import model
    from lcbm_model.training.architectures import llava, qwen_vl

    add_lora, trainable = model.add_lora, llava.trainable

    def nudge(parameters: Any) -> None:
        for parameter in parameters:
            parameter.data += 0.05 * torch.randn_like(parameter)

    def add(tower: Any, settings: Any) -> None:
        add_lora(tower, settings)
        nudge(p for name, p in tower.named_parameters() if "lora_B" in name)

    def take(connector: Any) -> Any:
        nudge(trainable(connector).parameters())
        return connector

    monkeypatch.setattr(model, "add_lora", add)
    for module in (llava, qwen_vl):
        monkeypatch.setattr(module, "trainable", take)


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize("kind", KINDS)
def test_reloaded_scores_equal_the_saved_ones(
    kind: str, bases: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    from lcbm_model.corpus.registry import get_reader
    from lcbm_model.training.run import train_recipe

    recipe = recipe_for(kind, bases[kind], pictures, optim={"share_prefix": True, "steps": 1})
    train_recipe(recipe, tmp_path)
    data = Prepared.load(tmp_path / "prepared")
    with np.load(tmp_path / "predictions.npz") as arrays:
        rows, joint = arrays["row"], arrays["joint"]
    source, valence = data.sources.index("oasis"), data.metrics.index("valence")
    saved = {
        data.ids[r]: float(u)
        for r, u in zip(rows, joint, strict=True)
        if data.rows.source[r] == source and data.rows.metric[r] == valence
    }
    records = list(get_reader("oasis").read(pictures / "oasis_affect.parquet", images=pictures / "oasis_images"))
    held = [r for r in records if r.id in saved]
    simulator = reload(tmp_path / "adapter")
    answers = simulator.predict([r.content for r in held], "valence")
    assert {r.id: a.utility for r, a in zip(held, answers, strict=True)} == pytest.approx(saved, rel=1e-5, abs=1e-5)
    assert len(set(saved.values())) == len(held) > 3
    pattern = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["target_modules"]
    assert pattern.startswith(".*language_model")
    other = (write_tiny_llava if kind == "llava" else write_tiny_qwen)(tmp_path / "other", seed=1)
    with pytest.raises(CheckpointError, match="trained on another base"):
        load_vision_language(other, torch.device("cpu"), torch.float32, adapter=read_adapter(tmp_path / "adapter"))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    media = held[0].content.media[0].model_copy(update={"path": broken})
    failed, fine = simulator.predict(
        [held[0].content.model_copy(update={"media": (media,)}), held[0].content], "valence"
    )
    assert failed.error
    assert not fine.error


@pytest.mark.usefixtures("moved")
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks for the old name
def test_peft_itself_reads_the_adapter(bases: dict[str, Path], pictures: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    data = prepare_recipe(
        recipe_for("llava", bases["llava"], pictures, data={"sources": ["oasis"]}, run={"mix": {"oasis": 1.0}})
    )
    recipe = recipe_for("llava", bases["llava"], pictures, run={"mix": {"oasis": 1.0}}, optim={"steps": 1})
    run_fit(data, load_base(bases["llava"]), recipe, tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(bases["llava"])
    tuned = PeftModel.from_pretrained(model, str(tmp_path / "adapter"))
    names = [name for name, _ in tuned.named_parameters() if ".lora_" in name]
    assert len(names) == 3 * 7 * 2
    assert all("language_model" in name for name in names)
    assert any(p.abs().sum() > 0 for name, p in tuned.named_parameters() if "lora_B" in name)


def test_half_precision_keeps_what_learns_whole(
    bases: dict[str, Path], prepared: dict[str, Prepared], tmp_path: Path
) -> None:
    """A base stored in float16 is tuned in bfloat16, adapters and connector in float32."""
    base = shutil.copytree(bases["qwen_vl"], tmp_path / "half")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    data = prepared["qwen_vl"]
    model = model_of(data, base, rank=2)
    assert {p.dtype for p in model.trainable().values()} == {torch.float32}
    assert {p.dtype for p in model.lm.parameters() if not p.requires_grad} == {torch.bfloat16}
    batch = Collator(data, "cpu").batch(np.flatnonzero(data.rows.picture >= 0)[:3])
    for enabled in (True, False):
        with half_precision(model, "cpu", enabled=enabled):
            out = model(batch)
            assert torch.isfinite(out.bins).all()
            out.utility.sum().backward()


@pytest.mark.parametrize(
    ("architecture", "base", "problem"),
    [
        ("llava", "qwen_vl", "Set base.architecture to 'qwen_vl'"),
        ("qwen_vl", "llava", "Set base.architecture to 'llava'"),
        ("causal", "llava", "Set base.architecture to 'llava'"),
        ("smol", "qwen_vl", "Set base.architecture to 'qwen_vl'"),
        ("llava", "text", "'llava' loads llava"),
        ("qwen_vl", "qwen3", "'qwen_vl' loads qwen2_vl, qwen2_5_vl"),
    ],
)
def test_another_architecture_is_refused(
    architecture: str, base: str, problem: str, bases: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    others = {"text": {"model_type": "llama"}, "qwen3": {"model_type": "qwen3_vl", "vision_config": {}}}
    folder = bases.get(base, tmp_path)
    if base in others:
        (folder / "config.json").write_text(json.dumps(others[base]))
    recipe = recipe_for("llava", folder, pictures, base={"architecture": architecture})
    with pytest.raises(SettingsError, match=problem):
        prepare_recipe(recipe)


def test_other_weights_and_settings_are_refused(
    bases: dict[str, Path], prepared: dict[str, Prepared], pictures: Path, tmp_path: Path
) -> None:
    other = write_tiny_llava(tmp_path / "other", seed=1)
    with pytest.raises(CheckpointError, match="not the base the data was prepared for"):
        load_base(other, prepared["llava"].manifest["base"]["hash"])
    cached = recipe_for("llava", bases["llava"], pictures, optim={"cache_states": True})
    with pytest.raises(SettingsError, match=r"optim\.cache_states: is not made for 'llava'"):
        prepare_recipe(cached)
    short = recipe_for("qwen_vl", bases["qwen_vl"], pictures, data={"max_length": 60})
    with pytest.raises(SettingsError, match="picture tokens would be cut"):
        prepare_recipe(short)


def test_pictures_that_do_not_fit_their_rows_are_refused(prepared: dict[str, Prepared]) -> None:
    data = prepared["qwen_vl"]
    sizes = data.manifest["picture_tokens"]
    assert len(set(sizes)) > 3
    data.check()
    longer = replace(data, manifest={**data.manifest, "picture_tokens": [10 * size for size in sizes]})
    with pytest.raises(SettingsError, match="picture tokens do not fit"):
        longer.check()


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_needs_no_weights(kind: str, bases: dict[str, Path], pictures: Path, tmp_path: Path) -> None:
    from lcbm_model.training.dry_run import describe

    light = shutil.copytree(bases[kind], tmp_path / kind, ignore=shutil.ignore_patterns("*.safetensors"))
    recipe = recipe_for(kind, light, pictures)
    data = prepare_recipe(recipe)
    told = describe(data, recipe, light)
    assert told["examples"]["oasis/valence"]["train"] > 5
    assert told["tokens"]["longest"] > 100
    assert told["supervised_tokens"] > 0
    assert set(told["estimate"]) >= {"memory_gb", "minutes", "minutes_on_gpu", "disk_gb"}
    with pytest.raises(CheckpointError):
        load_base(light, data.manifest["base"]["hash"])
    with pytest.raises(CheckpointError, match="not the base the data was prepared for"):
        load_base(bases[kind], data.manifest["base"]["hash"])


def test_the_estimate_knows_a_7b(tmp_path: Path, prepared: dict[str, Prepared]) -> None:
    from lcbm_model.training.dry_run import estimate

    hub = {"model_type": "llava", "torch_dtype": "float16", "text_config": {"model_type": "llama", "vocab_size": 32064}}
    (tmp_path / "config.json").write_text(json.dumps(hub))
    recipe = recipe_for("llava", tmp_path, tmp_path, run={"precision": "bf16"})
    told = estimate(prepared["llava"], recipe, tmp_path)
    assert 13 < told["memory_gb"] < 20


def test_memory_that_runs_out_names_the_setting(
    bases: dict[str, Path], prepared: dict[str, Prepared], pictures: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def full(self: BehaviorModel, *_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(BehaviorModel, "forward", full)
    with pytest.raises(BackendError, match=r"lower optim\.micro_tokens"):
        run_fit(prepared["llava"], load_base(bases["llava"]), recipe_for("llava", bases["llava"], pictures), tmp_path)
