"""Joined adapters: every score stays what it was, and what does not go together is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lcbm_model.content import Content
from lcbm_model.errors import CheckpointError, LcbmError, SettingsError
from lcbm_model.simulator import load_simulator
from optimizer.cli import run
from tests.lcbm_model import evaluation_data
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from lcbm_model.backbone.adapter import TowerSpec, read_adapter  # noqa: E402
from lcbm_model.backbone.kernel import KernelPart  # noqa: E402
from lcbm_model.serving.combine import combine_adapters  # noqa: E402
from lcbm_model.training.run import train_recipe  # noqa: E402

TEXTS = ["kibado pariso bright", "a dull one", "The harbour wakes"]
ENCODER: dict[str, Any] = {
    "rank": 2,
    "steps": 3,
    "tokens_per_step": 400,
    "eval_every": 3,
    "head_lr": 0.1,
    "max_tokens": 24,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("combine") / "base", layers=4)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory, base: Path) -> dict[str, Path]:
    """Heads of headlines and of posts, trained apart, with text encoders of different kinds."""
    folder = tmp_path_factory.mktemp("combine")
    data = write_upworthy(folder / "data", tests=60)
    evaluation_data.facebook(data, pages=8, posts=12)
    encoders = {
        "headlines": ENCODER,
        "posts": ENCODER | {"alpha": 8, "reads": "card", "max_tokens": 32},
        "plain": {},
    }
    sources = {"headlines": "upworthy", "posts": "facebook", "plain": "facebook"}
    for name, encoder in encoders.items():
        source = sources[name]
        recipe = tiny_recipe(
            base, data,
            lora={"rank": 0}, optim={"steps": 0}, text_encoder=encoder,
            data={"text_examples": 0, "sources": [source]}, run={"name": f"Tiny {name}", "mix": {source: 1.0}},
        )  # fmt: skip
        train_recipe(recipe, folder / name)
    bend(folder / "posts" / "adapter", "shares")
    return {name: folder / name / "adapter" for name in encoders}


def bend(adapter: Path, metric: str) -> None:
    """Give a head a kernel, as some have."""
    features = len(read_adapter(adapter).heads[metric].weight) - 384
    draw = torch.Generator().manual_seed(0)
    shapes = {"project": (features, 3), "offset": (3,), "landmarks": (4, 3), "weight": (4,)}
    kernel = KernelPart(**{name: torch.randn(shape, generator=draw) for name, shape in shapes.items()})
    save_file(kernel.tensors(metric), adapter / "kernels.safetensors")


def scores(folder: Path, metric: str) -> list[list[float | None]]:
    contents = [
        Content(text=text, channel=channel, format="link", title="What the mayor said")
        for text in TEXTS
        for channel in ("headline", "post", "billboard")
    ]
    found = load_simulator(folder, device="cpu").predict(contents, metric)
    return [[p.utility, p.expected, p.low, p.high] for p in found]


@pytest.mark.parametrize(("first", "second"), [("headlines", "posts"), ("posts", "headlines"), ("headlines", "plain")])
def test_every_score_stays_what_it_was(adapters: dict[str, Path], first: str, second: str, tmp_path: Path) -> None:
    spec = combine_adapters([adapters[first], adapters[second]], tmp_path / "both", name="both")
    assert set(spec.metrics) == {"click_rate", "shares", "reactions"}
    for name, metrics in {"headlines": ["click_rate"], second if first == "headlines" else first: ["shares"]}.items():
        for metric in metrics:
            for one, other in zip(scores(adapters[name], metric), scores(tmp_path / "both", metric), strict=True):
                assert one == pytest.approx(other, abs=1e-5)
    assert [part["name"] for part in spec.training["parts"]] == [f"Tiny {first}", f"Tiny {second}"]
    bent = {metric for metric, head in read_adapter(tmp_path / "both").heads.items() if head.kernel is not None}
    assert bent == ({"shares"} if "posts" in (first, second) else set())


def test_the_first_ones_head_counts(adapters: dict[str, Path], tmp_path: Path) -> None:
    one = combine_adapters([adapters["headlines"], adapters["posts"]], tmp_path / "one", name="one")
    with pytest.raises(CheckpointError, match="brings no metric that those before it lack"):
        combine_adapters([tmp_path / "one", adapters["plain"]], tmp_path / "two", name="two")
    assert one.text_encoder is not None
    assert one.text_encoder.towers == {
        "of_tiny_headlines": TowerSpec(max_tokens=24, reads="words", metrics=("click_rate",)),
        "of_tiny_posts": TowerSpec(max_tokens=32, reads="card", metrics=("reactions", "shares")),
    }


def spoilt(adapter: Path, folder: Path, **fields: Any) -> Path:
    shutil.copytree(adapter, folder)
    spec = json.loads((folder / "lcbm.json").read_text())
    for name, value in fields.items():
        if isinstance(value, dict):
            spec[name] |= value
        else:
            spec[name] = value
    (folder / "lcbm.json").write_text(json.dumps(spec))
    return folder


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"base_hash": "1" * 64}, "base_hash differs"),
        ({"value_layers": [1]}, "value_layers differs"),
        ({"text_encoder": {"base_hash": "1" * 64}}, "text encoders: come from other weights"),
    ],
)
def test_what_would_score_otherwise_is_refused(
    adapters: dict[str, Path], fields: dict[str, Any], message: str, tmp_path: Path
) -> None:
    other = spoilt(adapters["posts"], tmp_path / "spoilt", **fields)
    with pytest.raises(LcbmError, match=message):
        combine_adapters([adapters["headlines"], other], tmp_path / "out", name="x")
    assert not (tmp_path / "out").exists()


def test_other_connectors_and_full_folders_are_refused(adapters: dict[str, Path], tmp_path: Path) -> None:
    other = spoilt(adapters["posts"], tmp_path / "spoilt")
    seen = load_file(other / "connector.safetensors")
    save_file({name: value + 1 for name, value in seen.items()}, other / "connector.safetensors")
    with pytest.raises(CheckpointError, match="taught to see differently"):
        combine_adapters([adapters["headlines"], other], tmp_path / "out", name="x")
    with pytest.raises(SettingsError, match="is not empty"):
        combine_adapters([adapters["headlines"], adapters["posts"]], other, name="x")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingsError, match=r"--out: (is not empty, or no folder|cannot be written)"):
            combine_adapters([adapters["headlines"], adapters["posts"]], place, name="x")
    with pytest.raises(SettingsError, match="name at least two"):
        combine_adapters([adapters["headlines"]], tmp_path / "out", name="x")


def test_heads_that_read_other_states_are_refused(adapters: dict[str, Path], tmp_path: Path) -> None:
    other = spoilt(adapters["posts"], tmp_path / "spoilt")
    (other / "kernels.safetensors").unlink()
    heads = load_file(other / "heads.safetensors")
    heads["weight"] = torch.nn.functional.pad(heads["weight"], (5, 0))
    save_file(heads, other / "heads.safetensors")
    with pytest.raises(CheckpointError, match="states of different widths"):
        combine_adapters([adapters["headlines"], other], tmp_path / "out", name="x")


def test_encoders_that_are_not_described_are_refused(adapters: dict[str, Path], tmp_path: Path) -> None:
    combine_adapters([adapters["headlines"], adapters["posts"]], tmp_path / "both", name="both")
    tower = {"max_tokens": 24, "metrics": ["click_rate"]}
    other = spoilt(tmp_path / "both", tmp_path / "spoilt", text_encoder={"towers": {"captions": tower}})
    with pytest.raises(CheckpointError, match="holds other encoders than described"):
        read_adapter(other)


def test_joined_ones_can_be_joined_again(adapters: dict[str, Path], tmp_path: Path) -> None:
    one = spoilt(adapters["headlines"], tmp_path / "renamed", name="more", metrics=["score"])
    combine_adapters([adapters["headlines"], adapters["posts"]], tmp_path / "both", name="both")
    spec = combine_adapters([tmp_path / "both", one], tmp_path / "three", name="three")
    assert spec.text_encoder is not None
    assert set(spec.text_encoder.towers) == {"of_tiny_headlines", "of_tiny_posts", "of_more"}
    runs = {run["name"]: run["metrics"] for run in spec.training["parts"]}
    assert runs == {"Tiny headlines": ["click_rate"], "Tiny posts": ["reactions", "shares"], "more": ["score"]}
    assert scores(tmp_path / "three", "score")[0][0] == pytest.approx(scores(one, "score")[0][0], abs=1e-5)


def test_the_command_line(adapters: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [str(adapters["headlines"]), str(adapters["posts"])]
    assert run(["model", "combine", *parts, "--out", str(tmp_path / "both"), "--name", "ours", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["parts"] == {"Tiny headlines": ["click_rate"], "Tiny posts": ["reactions", "shares"]}
    assert read_adapter(tmp_path / "both").spec.name == told["name"] == "ours"
    assert run(["model", "combine", *parts, "--out", str(tmp_path / "both")]) == 2
    assert run(["model", "combine", parts[0], "embedded-untuned", "--out", str(tmp_path / "no")]) == 2
    assert "is no adapter" in capsys.readouterr().err


def test_adapters_of_any_two_parts_are_refused(adapters: dict[str, Path], tmp_path: Path) -> None:
    """The first of three carries none: the other two are held against each other all the same."""
    from safetensors.torch import save_file

    tuned = [
        spoilt(adapters[name], tmp_path / name, name=name, metrics=list(metrics))
        for name, metrics in {"posts": ("reactions", "shares"), "plain": ("comments", "score")}.items()
    ]
    for folder in tuned:
        save_file(
            {"base_model.model.model.layers.3.q.lora_A.weight": torch.ones(1)}, folder / "adapter_model.safetensors"
        )
        (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="both carry adapters on the language model"):
        combine_adapters([adapters["headlines"], *tuned], tmp_path / "out", name="x")
    assert not (tmp_path / "out").exists()


def test_heads_that_read_digits_are_refused(adapters: dict[str, Path], tmp_path: Path) -> None:
    other = spoilt(adapters["posts"], tmp_path / "spoilt")
    heads = load_file(other / "heads.safetensors")
    heads.pop("cuts")
    save_file(heads, other / "heads.safetensors")
    with pytest.raises(CheckpointError, match="a head reads digits"):
        combine_adapters([adapters["headlines"], other], tmp_path / "out", name="x")
    with pytest.raises(SettingsError, match="--name: is empty"):
        combine_adapters([adapters["headlines"], adapters["posts"]], tmp_path / "out", name=" ")


@pytest.mark.parametrize(
    "text", ["", '{"x": 1', "[]", "{}", '{"kind": "conformal", "level": 0.8, "unseen_extra": 5, "entries": 3}']
)
def test_a_damaged_calibration_is_named(adapters: dict[str, Path], text: str, tmp_path: Path) -> None:
    other = spoilt(adapters["posts"], tmp_path / "spoilt")
    (other / "calibration.json").write_text(text)
    spec = json.loads((other / "lcbm.json").read_text())
    (other / "lcbm.json").write_text(json.dumps(spec | {"calibration": "calibration.json"}))
    with pytest.raises(CheckpointError, match=r"calibration\.json"):
        combine_adapters([adapters["headlines"], other], tmp_path / "out", name="x")
    assert not (tmp_path / "out").exists()
