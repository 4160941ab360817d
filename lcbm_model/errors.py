"""Every error the toolkit raises on purpose, drawn once.

LcbmError
├── InputError            something a person can mend: exit code 2
│   ├── BriefError        a brief field is missing, mistyped or contradictory
│   ├── TableError        a CSV / JSONL / Parquet file cannot serve as a table of posts
│   ├── MetricError       a metric nobody defined, or a source that does not have it
│   ├── PictureError      a picture or video that is missing, truncated, too large or no picture
│   ├── LibraryError      an index that is empty, damaged or made by another embedder
│   ├── CheckpointError   weights that are missing, damaged or made for another base
│   └── SettingsError     a setting, recipe key or environment variable with a wrong value
└── BackendError          a model or endpoint failed: down, timed out, answered nonsense (exit code 3)
"""

from __future__ import annotations

from typing import Any

_UNSET: Any = object()


class LcbmError(Exception):
    """Base of all errors raised on purpose. `exit_code` is what the CLI leaves with."""

    exit_code = 1


def told(error: BaseException) -> str:
    """An error in one line: a plug-in's own says its kind too."""
    words = " ".join(str(error).split())
    return words if isinstance(error, LcbmError) else f"{type(error).__name__}: {words}".rstrip(": ")


class InputError(LcbmError):
    """Bad input: says where, what, the value met and what to change.

    Args:
        where: The place a person would look: a file, a field, a row ("brief.yaml: metric").
        problem: What is wrong, in plain words.
        value: The offending value, shown by `repr` and cut at 80 characters.
        remedy: What to do about it.
    """

    exit_code = 2

    def __init__(self, where: str, problem: str, *, value: Any = _UNSET, remedy: str = "") -> None:
        self.where = where
        self.problem = problem
        self.value = None if value is _UNSET else value
        self.remedy = remedy
        message = f"{where}: {problem}"
        if value is not _UNSET:
            shown = repr(value)
            message += f" (got {shown if len(shown) <= 80 else shown[:77] + '...'})"
        if remedy:
            message += f". {remedy}"
        super().__init__(message)


class BriefError(InputError):
    """A brief that cannot be run."""


class TableError(InputError):
    """A table of posts that cannot be read."""


class MetricError(InputError):
    """An unknown metric, or one that this source or checkpoint does not have."""


class PictureError(InputError):
    """A picture or video that cannot be used."""


class LibraryError(InputError):
    """A library that cannot be searched."""


class CheckpointError(InputError):
    """Weights that cannot be loaded."""


class SettingsError(InputError):
    """A setting with a wrong value."""


class BackendError(LcbmError):
    """A model or endpoint failed for reasons outside the input."""

    exit_code = 3
