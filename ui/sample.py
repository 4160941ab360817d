"""The invented sample brand that explains the app in two clicks. It lives in the repository's `examples/`."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lcbm_model.errors import SettingsError
from optimizer.brief import Brief

FILES = ("kupfer_brief.yaml", "kupfer_library.csv", "kupfer_pan.png")
LINES = (
    "Brown onions in 9 minutes, not in 25",
    "Why does copper brown onions in 9 minutes?",
    "9 minutes to brown onions. The other 16 are yours.",
    "A 28 cm copper pan for people who cook on weekdays",
    "What a family workshop learned from 10,000 onions",
)
"""Invented wordings of the sample's message."""


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


def _required_folder() -> Path:
    folder = sample_folder()
    if folder is None:
        raise SettingsError(
            "the sample brand",
            "is not part of this installation",
            remedy="Set LCBM_EXAMPLES to the folder `examples` of the source code, or fill the form yourself",
        )
    return folder


def load_sample(folder_for_copies: Path) -> Sample:
    """The sample brand, its files copied to where the app may show them from.

    Raises:
        SettingsError: Its files are not there, as in an installed wheel.
        BriefError: Its brief has been broken.
    """
    folder = _required_folder()
    brief, library, picture = (folder / name for name in FILES)
    folder_for_copies.mkdir(parents=True, exist_ok=True)
    copies = [Path(shutil.copyfile(file, folder_for_copies / file.name)) for file in (library, picture)]
    return Sample(Brief.load(brief), *copies)


def sample_lines() -> tuple[list[str], Brief]:
    """A handful of invented lines to compare, with the brief whose setting they share: its draft and other wordings.

    Raises:
        SettingsError: The sample's files are not there.
        BriefError: Its brief has been broken.
    """
    brief = Brief.load(_required_folder() / FILES[0])
    return [brief.draft or brief.message, *LINES], brief
