"""The brief's picture: a copy inside the run's folder where that is asked for, and one clear error where it is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lcbm_model.behavior import PercentileScale
from lcbm_model.errors import LibraryError, PictureError
from optimizer import resume
from optimizer.campaigns import read_run
from tests.fakes import FakeSimulator
from tests.optimizer.parts import Baker, FakeLibrary, bakery, run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "Bread.PNG"
    Image.new("RGB", (8, 8), "brown").save(path)
    return path


def parts() -> dict[str, Any]:
    return {"simulator": FakeSimulator(), "writers": [Baker()]}


def test_a_kept_picture_goes_on_without_the_original_and_with_a_moved_store(tmp_path: Path, picture: Path) -> None:
    brief, store = bakery(picture=picture, approval=True, budget={"rounds": 3}), tmp_path / "runs"
    waiting = run(store, brief, run_id="bread", keep_picture=True)
    kept = waiting.brief.picture
    assert kept is not None
    assert kept.parent == store / "bread"
    assert kept.read_bytes() == picture.read_bytes()
    picture.unlink()
    moved = store.rename(tmp_path / "elsewhere")
    for rounds in (2, 3):
        result = resume("bread", store=moved, **parts())
        assert len(result.rounds) == rounds
    assert result.brief.picture == moved / "bread" / kept.name
    assert all(c.score is not None for c in result.candidates if not c.rejected)


def test_a_picture_stays_where_it_is_unless_asked(tmp_path: Path, picture: Path) -> None:
    result = run(tmp_path / "runs", bakery(picture=picture), run_id="bread")
    assert result.brief.picture == picture
    assert read_run("bread", tmp_path / "runs")[0].brief.picture == picture
    assert not list((tmp_path / "runs" / "bread").glob("picture*"))


def test_a_picture_that_is_gone_is_named_and_the_run_goes_on_once_it_is_back(tmp_path: Path, picture: Path) -> None:
    store = tmp_path / "runs"
    run(store, bakery(picture=picture, approval=True), run_id="bread")
    away = picture.rename(tmp_path / "away.png")
    with pytest.raises(PictureError, match=r"Bread.PNG: the brief's picture cannot be read any more.*[Pp]ut the file"):
        resume("bread", store=store, **parts())
    away.rename(picture)
    assert len(resume("bread", store=store, **parts()).rounds) == 2


class Unmeasured(FakeLibrary):
    """A library without a scale."""

    def scale(self, metric: str | None = None, channel: str | None = None) -> PercentileScale | None:
        raise LibraryError("posts", "no row has a value")


def test_a_run_that_never_began_leaves_no_copy(tmp_path: Path, picture: Path) -> None:
    with pytest.raises(LibraryError):
        run(tmp_path / "runs", bakery(picture=picture), run_id="bread", keep_picture=True, library=Unmeasured())
    assert not list((tmp_path / "runs").iterdir())
