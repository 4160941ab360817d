"""`lcbm model merge` and `lcbm model serve`: what they print, run and refuse."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lcbm_model.serving import ServeSettings, serve_command
from lcbm_model.serving.command import lora_rank
from optimizer.cli import run
from tests.lcbm_model.test_backbone import write_adapter
from tests.lcbm_model.test_merge import with_cuts
from tests.lcbm_model.tiny_model import write_tiny_model

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("cli-model") / "base")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    from lcbm_model.backbone.loader import load_backbone

    return write_adapter(tmp_path_factory.mktemp("cli-adapter"), base, load_backbone(base, device="cpu").base_hash)


def serve(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run(["model", "serve", *arguments, "--dry-run", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def after(command: list[str], flag: str) -> str:
    return command[command.index(flag) + 1]


def test_merge_says_what_was_written_and_what_was_left(
    capsys: pytest.CaptureFixture[str], adapter: Path, tmp_path: Path
) -> None:
    assert run(["model", "merge", str(adapter), "--out", str(tmp_path / "whole"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "tiny-tuned"
    assert found["scores"] is True
    assert found["bytes"] == sum(p.stat().st_size for p in (tmp_path / "whole").rglob("*") if p.is_file())
    assert len(found["lost"]) == 2
    assert run(["model", "merge", str(adapter), "--out", str(tmp_path / "again")]) == 0
    said = capsys.readouterr()
    assert "scores and writes" in said.out
    assert "Left behind: value heads" in said.err
    assert run(["model", "merge", str(adapter), "--out", str(tmp_path / "whole")]) == 2
    assert "is there already" in capsys.readouterr().err


def test_merge_refuses_untuned_digits(capsys: pytest.CaptureFixture[str], adapter: Path, tmp_path: Path) -> None:
    headed = str(with_cuts(adapter, tmp_path / "cuts"))
    assert run(["model", "merge", headed, "--out", str(tmp_path / "no")]) == 2
    assert "mean nothing" in capsys.readouterr().err
    assert run(["model", "merge", headed, "--out", str(tmp_path / "writer"), "--writing-only"]) == 0
    assert "cannot score" in capsys.readouterr().out
    assert run(["model", "serve", headed, "--print"]) == 0
    assert "digits mean nothing" in capsys.readouterr().err


def test_serve_prints_a_line_for_a_shell(capsys: pytest.CaptureFixture[str], base: Path) -> None:
    assert run(["model", "serve", str(base), "--print", "--device", "cpu", "--cpu-cores", "0-3"]) == 0
    words = shlex.split(capsys.readouterr().out)
    assert words[0] == "env"
    assert "VLLM_CPU_OMP_THREADS_BIND=0-3" in words
    assert "HF_HUB_OFFLINE=1" in words
    assert "VLLM_NO_USAGE_STATS=1" in words
    assert words[words.index("-m") + 1] == "vllm.entrypoints.openai.api_server"
    assert after(words, "--model") == str(base)
    assert after(words, "--host") == "127.0.0.1"
    assert after(words, "--dtype") == "float32"


def test_serve_spreads_over_gpus(capsys: pytest.CaptureFixture[str], base: Path) -> None:
    asked = ["--device", "gpu", "--tensor-parallel", "4", "--data-parallel", "2", "--gpu-memory", "0.8"]
    found = serve(capsys, str(base), *asked, "--max-tokens", "1024", "--extra", "--quantization", "--extra", "fp8")
    command = found["command"]
    assert isinstance(command, list)
    assert after(command, "--tensor-parallel-size") == "4"
    assert after(command, "--data-parallel-size") == "2"
    assert after(command, "--gpu-memory-utilization") == "0.8"
    assert after(command, "--max-model-len") == "1024"
    assert after(command, "--dtype") == "auto"
    assert command[-2:] == ["--quantization", "fp8"]
    assert "--enable-prefix-caching" in command
    assert "--enforce-eager" not in command


def test_an_adapter_is_served_beside_its_base(capsys: pytest.CaptureFixture[str], adapter: Path, base: Path) -> None:
    found = serve(capsys, str(adapter), "--port", "9000")
    command = found["command"]
    assert isinstance(command, list)
    assert after(command, "--model") == str(base)
    assert after(command, "--lora-modules") == f"tiny-tuned={adapter}"
    assert after(command, "--max-lora-rank") == "8"
    assert found["models"] == ["tiny-untuned", "tiny-tuned"]
    assert found["base_url"] == "http://127.0.0.1:9000/v1"
    assert serve(capsys, str(base), "--lora", str(adapter))["models"] == ["tiny-untuned", "tiny-tuned"]


@pytest.mark.parametrize(("rank", "wanted"), [(1, 8), (8, 8), (9, 16), (320, 320), (400, 512)])
def test_the_next_rank_that_vllm_knows(rank: int, wanted: int) -> None:
    assert lora_rank(rank) == wanted


def test_an_adapter_of_another_base_is_refused(
    capsys: pytest.CaptureFixture[str], adapter: Path, tmp_path: Path
) -> None:
    other = str(write_tiny_model(tmp_path / "other", seed=5))
    assert run(["model", "serve", other, "--lora", str(adapter), "--print"]) == 2
    assert "no LoRA adapter on the base" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--port", "0"), ("--gpu-memory", "1.5"), ("--tensor-parallel", "0"), ("--dtype", "int4"), ("--device", "tpu"),
     ("--max-tokens", "1"), ("--cpu-cores", "all of them; rm"), ("--host", "")],
)  # fmt: skip
def test_settings_out_of_range_are_named(
    capsys: pytest.CaptureFixture[str], base: Path, option: str, value: str
) -> None:
    assert run(["model", "serve", str(base), option, value, "--print"]) == 2
    assert option.removeprefix("--").replace("-", "_") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8000/v1"), ("::", "http://[::1]:8000/v1"), ("h", "http://h:8000/v1")],
)
def test_an_open_server_is_warned_of(base: Path, host: str, url: str) -> None:
    command = serve_command(base, ServeSettings.of(host=host))
    assert command.base_url == url
    assert any("VLLM_API_KEY" in note for note in command.notes)


def test_an_interpreter_without_vllm_is_refused(capsys: pytest.CaptureFixture[str], base: Path, tmp_path: Path) -> None:
    without = tmp_path / "python"
    without.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    without.chmod(0o755)
    assert run(["model", "serve", str(base), "--python", str(without)]) == 2
    assert "has no vllm package" in capsys.readouterr().err
    assert run(["model", "serve", str(base), "--python", str(tmp_path / "gone")]) == 2
    assert "cannot be run" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="replaces the process")
def test_serve_becomes_the_server(base: Path, tmp_path: Path) -> None:
    """The process is replaced: what the interpreter prints and leaves with is what the command does."""
    python = tmp_path / "python with vllm"
    python.write_text('#!/bin/sh\n[ "$1" = "-c" ] && exit 0\necho "$VLLM_NO_USAGE_STATS $@"\nexit 7\n', "utf-8")
    python.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", "from optimizer.cli import main; main()", "model", "serve", str(base), "--port", "8011"],
        env={**os.environ, "LCBM_VLLM_PYTHON": str(python)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert done.stdout.startswith("1 -m vllm.entrypoints.openai.api_server")
    assert "--port 8011" in done.stdout
    assert f"vllm:{base}@http://127.0.0.1:8011/v1" in done.stderr
