"""The examples on real input, in small: where the development data is, and with the real packaged models."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lcbm_model.errors import InputError
from optimizer import OptimizationResult
from tests.fakes import FakeSimulator

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = ["--posts", "200", "--rounds", "1", "--candidates", "3"]


def load(name: str) -> ModuleType:
    """An example as a module; `examples/` is no package."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(result: OptimizationResult, folder: Path) -> None:
    assert result.status == "finished"
    assert result.original is not None
    assert result.original.score is not None
    assert len(result.retrieved) > 0
    assert result.rounds[0].drafted > 0
    assert (folder / "report.html").exists()


@pytest.mark.slow
def test_a_held_out_upworthy_story(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = load("upworthy_story").main(["--data", str(data_dir), "--out", str(tmp_path / "out"), *SMALL])
    check(result, tmp_path / "out")
    assert "Measured in the archive" in capsys.readouterr().out


@pytest.mark.slow
def test_a_cartoon_with_its_picture(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = load("caption_cartoon").main(["--data", str(data_dir), "--out", str(tmp_path / "out"), *SMALL])
    check(result, tmp_path / "out")
    assert result.brief.picture is not None
    assert "data:image/jpeg" in (tmp_path / "out" / "report.html").read_text()


def test_stories_are_held_out_and_measured_fairly(data_dir: Path) -> None:
    example = load("upworthy_story")
    arms = example.read_arms(data_dir)
    story = example.held_out_test(arms, 0)
    assert set(story["split"]) == {"test"}
    assert not story["randomization_imbalance_risk"].any()
    assert story["rate"].is_sorted()
    assert story["headline"].n_unique() >= 3
    brief = example.brief_of(story, 1, 3)
    assert FakeSimulator().predict([brief.content()], brief.metric)[0].ok
    with pytest.raises(InputError, match="no such story"):
        example.held_out_test(arms, 10_000)


def test_cartoons_are_held_out(data_dir: Path) -> None:
    example = load("caption_cartoon")
    captions = example.read_captions(data_dir)
    contest, cartoon = example.held_out_contest(captions, data_dir, 0)
    assert set(contest["split"]) == {"test"}
    assert cartoon.exists()
    assert example.brief_of(contest, cartoon, 1, 3).content().media[0].path == cartoon


@pytest.mark.parametrize("name", ["upworthy_story", "caption_cartoon"])
def test_missing_data_is_said_plainly(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="Pass its folder by --data or LCBM_DATA"):
        load(name).main(["--data", str(tmp_path)])
