"""The invented sample brand that explains the app in two clicks. It lives in the repository's `examples/`."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lcbm_model.errors import SettingsError
from optimizer.brief import Brief

FILES = ("kupfer_brief.yaml", "kupfer_library.csv", "kupfer_pan.png")


@dataclass(frozen=True)
class Sample:
    """An invented brief with its library of past posts and its picture."""

    brief: Brief
    library: Path
    picture: Path


def sample_folder() -> Path | None:
    """`LCBM_EXAMPLES`, else `examples/` beside the packages, else beneath the working directory."""
    named = os.environ.get("LCBM_EXAMPLES")
    places = [Path(named)] if named else [Path(__file__).resolve().parent.parent / "examples", Path.cwd() / "examples"]
    return next((p for p in places if all((p / name).is_file() for name in FILES)), None)


def load_sample(folder_for_copies: Path) -> Sample:
    """The sample brand, its files copied to where the app may show them from.

    Raises:
        SettingsError: Its files are not there, as in an installed wheel.
        BriefError: Its brief has been broken.
    """
    folder = sample_folder()
    if folder is None:
        raise SettingsError(
            "the sample brand",
            "is not part of this installation",
            remedy="Set LCBM_EXAMPLES to the folder `examples` of the source code, or fill the form yourself",
        )
    brief, library, picture = (folder / name for name in FILES)
    folder_for_copies.mkdir(parents=True, exist_ok=True)
    copies = [Path(shutil.copyfile(file, folder_for_copies / file.name)) for file in (library, picture)]
    return Sample(Brief.load(brief), *copies)
