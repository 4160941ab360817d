"""A tiny random base, invented outcomes, and both prepared: once for each file of tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcbm_model.training.corpus_rows import prepare_recipe
from lcbm_model.training.data import Prepared
from tests.lcbm_model.tiny_model import write_tiny_model
from tests.lcbm_model.training_rows import tiny_recipe, write_upworthy


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("training") / "base", layers=4)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_upworthy(tmp_path_factory.mktemp("training") / "data")


@pytest.fixture(scope="module")
def prepared(base: Path, rows: Path) -> Prepared:
    return prepare_recipe(tiny_recipe(base, rows))
