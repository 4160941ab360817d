"""Merging an adapter into its base: what is kept, what is said to be lost, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lcbm_model.backbone.loader import load_backbone
from lcbm_model.content import Content, Media
from lcbm_model.errors import CheckpointError, SettingsError
from lcbm_model.serving import find_checkpoint, merge_checkpoint
from lcbm_model.serving.stamp import read_stamp
from lcbm_model.simulator import load_simulator
from tests.lcbm_model.test_backbone import write_adapter
from tests.lcbm_model.tiny_llava import write_tiny_llava
from tests.lcbm_model.tiny_model import write_tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

CONTENTS = [Content(text="one loaf"), Content(text="two loaves, and a bun"), Content(text="warm", channel="headline")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("merge") / "base")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    folder = tmp_path_factory.mktemp("merge-adapter")
    return write_adapter(folder, base, load_backbone(base, device="cpu").base_hash)


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory, adapter: Path) -> Path:
    return merge_checkpoint(adapter, tmp_path_factory.mktemp("merged") / "whole").folder


def with_cuts(adapter: Path, folder: Path) -> Path:
    """The adapter as training leaves it where only its head was trained."""
    import shutil

    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    heads = load_file(folder / "heads.safetensors")
    save_file(heads | {"cuts": torch.linspace(-2, 2, 9)[None]}, folder / "heads.safetensors")
    return folder


def test_a_merged_checkpoint_scores_as_its_adapter_did(adapter: Path, merged: Path) -> None:
    apart, whole = (load_simulator(folder, device="cpu") for folder in (adapter, merged))
    untuned = load_simulator(find_checkpoint(adapter).model, device="cpu").predict(CONTENTS, "click_rate")
    for one, other, before in zip(
        apart.predict(CONTENTS, "click_rate"), whole.predict(CONTENTS, "click_rate"), untuned, strict=True
    ):
        assert other.bins == pytest.approx(one.bins, abs=1e-5)
        assert other.utility == pytest.approx(one.utility, abs=1e-4)
        assert other.bins != pytest.approx(before.bins, abs=1e-3)
    assert whole.identity.tuned
    assert whole.identity.checkpoint == "tiny-tuned"


def test_it_is_a_plain_checkpoint_for_everyone_else(merged: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(merged)
    tokenizer = AutoTokenizer.from_pretrained(merged)
    assert model.config.architectures == ["LlamaForCausalLM"]
    assert not any("lora" in name for name, _ in model.named_parameters())
    assert tokenizer.chat_template
    assert not list(merged.rglob("*.bin"))


def test_what_a_server_cannot_do_is_said(adapter: Path, merged: Path) -> None:
    stamp = read_stamp(merged)
    assert stamp is not None
    assert stamp.tuned
    assert stamp.scores
    assert stamp.metrics == ("click_rate",)
    assert [line.split(":")[0] for line in stamp.lost] == ["value heads", "pictures"]
    assert (merged / "behavior" / "heads.safetensors").is_file()
    assert not (merged / "behavior" / "adapter_model.safetensors").exists()


def test_it_keeps_the_identity_of_its_adapter(adapter: Path, merged: Path) -> None:
    digest = load_simulator(adapter, device="cpu").identity.checkpoint_hash
    assert find_checkpoint(adapter).checkpoint_hash == digest
    assert find_checkpoint(merged).checkpoint_hash == digest
    assert find_checkpoint(merged).lora is None
    assert find_checkpoint(adapter).lora == adapter
    assert find_checkpoint(adapter).rank == 4


def test_calibration_travels(tmp_path: Path, base: Path) -> None:
    from lcbm_model.simulator.conformal import ConformalCalibration, Entry

    folder = write_adapter(
        tmp_path / "a", base, load_backbone(base, device="cpu").base_hash, calibration="calibration.json"
    )
    known = ConformalCalibration(entries={"click_rate": Entry(widen=7, n=9)})
    (folder / "calibration.json").write_text(known.model_dump_json(), "utf-8")
    out = merge_checkpoint(folder, tmp_path / "whole").folder
    assert find_checkpoint(out).calibration == out / "behavior" / "calibration.json"
    assert load_simulator(out, device="cpu").identity.calibration_id == known.id


def test_untuned_weights_merge_into_themselves(tmp_path: Path, base: Path) -> None:
    out = merge_checkpoint(base, tmp_path / "plain").folder
    stamp = read_stamp(out)
    assert stamp is not None
    assert not stamp.tuned
    assert not (out / "behavior").exists()
    one, other = (load_simulator(folder, device="cpu").predict(CONTENTS, "shares") for folder in (base, out))
    assert [p.bins for p in one] == [pytest.approx(p.bins, abs=1e-5) for p in other]


def test_digits_that_were_never_tuned_are_refused(tmp_path: Path, adapter: Path) -> None:
    folder = with_cuts(adapter, tmp_path / "cuts")
    with pytest.raises(CheckpointError, match=r"value head alone.*--writing-only"):
        merge_checkpoint(folder, tmp_path / "no")
    assert not (tmp_path / "no").exists()
    out = merge_checkpoint(folder, tmp_path / "writer", writing_only=True)
    assert not out.stamp.scores
    assert not find_checkpoint(folder).scores
    # The local backend keeps reading the heads.
    local = load_simulator(out.folder, device="cpu").predict(CONTENTS, "click_rate")
    assert local[0].bins == pytest.approx(
        load_simulator(folder, device="cpu").predict(CONTENTS, "click_rate")[0].bins, abs=1e-4
    )


def test_a_full_folder_is_left_alone(tmp_path: Path, base: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", "utf-8")
    for out in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(SettingsError, match="is there already"):
            merge_checkpoint(base, out)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing_behind(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lcbm_model.serving import merge

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(merge, "_write", full)
    with pytest.raises(SettingsError, match="no space left"):
        merge_checkpoint(base, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["float64", "int8", ""])
def test_unknown_number_types_are_refused(tmp_path: Path, base: Path, dtype: str) -> None:
    with pytest.raises(SettingsError, match="bfloat16"):
        merge_checkpoint(base, tmp_path / "out", dtype=dtype)


def test_half_precision_is_half_the_size(tmp_path: Path, base: Path, merged: Path) -> None:
    out = merge_checkpoint(base, tmp_path / "half", dtype="bfloat16").folder
    small, whole = ((folder / "model.safetensors").stat().st_size for folder in (out, merged))
    assert small < 0.6 * whole
    assert find_checkpoint(out).checkpoint_hash != find_checkpoint(base).checkpoint_hash
    assert json.loads((out / "config.json").read_text("utf-8"))["dtype"] == "bfloat16"


def test_a_damaged_stamp_is_named(tmp_path: Path) -> None:
    (tmp_path / "lcbm_merged.json").write_text('{"format": 1, "name": ""}', "utf-8")
    with pytest.raises(CheckpointError, match=r"lcbm_merged\.json"):
        find_checkpoint(tmp_path)


def test_a_folder_without_weights_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        find_checkpoint(tmp_path)


def test_a_llava_keeps_its_eyes(tmp_path: Path) -> None:
    from safetensors import safe_open

    llava = write_tiny_llava(tmp_path / "llava")
    merged = merge_checkpoint(llava, tmp_path / "whole")
    assert merged.stamp.lost == ()
    with safe_open(merged.folder / "model.safetensors", "pt") as file:
        towers = [name for name in file.keys() if "vision_tower" in name]  # noqa: SIM118 - not a dict
    assert towers
    assert all("vision_tower.vision_model." in name for name in towers)
    Image.new("RGB", (50, 40), "orange").save(tmp_path / "bun.png")
    content = Content(text="warm", media=(Media(path=tmp_path / "bun.png"),))
    one, other = (load_simulator(f, device="cpu").predict([content], "likes")[0] for f in (llava, merged.folder))
    assert one.ok
    assert other.bins == pytest.approx(one.bins, abs=1e-5)
