"""Every reader is found by its file and says what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcbm_model.corpus import Reader, get_reader, reader_names
from lcbm_model.errors import SettingsError
from tests.lcbm_model import corpus_rows as rows


def test_every_file_in_the_folder_is_a_registered_reader() -> None:
    files = {p.stem for p in Path(rows.__file__).parents[2].glob("lcbm_model/corpus/readers/*.py")} - {"__init__"}
    assert len(files) == len(reader_names()) == 10
    for name in reader_names():
        reader = get_reader(name)
        assert isinstance(reader, Reader)
        assert reader.licence
        assert reader.required
    assert get_reader("caption-contest").name == "caption_contest"
    with pytest.raises(SettingsError, match=r"Use one of: .*upworthy"):
        get_reader("twitter")
