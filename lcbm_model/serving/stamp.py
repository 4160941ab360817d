"""`lcbm_merged.json`: what a merged checkpoint is made of, and what its digits may be used for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcbm_model.errors import CheckpointError

STAMP_FILE = "lcbm_merged.json"


class MergedStamp(BaseModel):
    """Stands beside the weights of a merged checkpoint and travels with a copy of the folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str = Field(min_length=1, description="Of the adapter, for people: 'lcbm-smol'.")
    base: str = Field(description="What the adapter was trained on.")
    checkpoint_hash: str = Field(
        min_length=64, max_length=64, description="Of base, adapter and heads, and of rounding."
    )
    tuned: bool = Field(description="Whether behaviour was in the training.")
    scores: bool = Field(description="False: the digits were never tuned; the weights may write, not score.")
    metrics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    template: Literal["chat", "plain"] = "chat"
    dtype: str = "float32"
    lost: tuple[str, ...] = Field(default=(), description="What the adapter can do and these weights alone cannot.")


def read_stamp(folder: Path) -> MergedStamp | None:
    """The stamp of a merged checkpoint; None where a folder has none.

    Raises:
        CheckpointError: It is there and cannot be read.
    """
    path = folder / STAMP_FILE
    try:
        return MergedStamp.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise CheckpointError(str(path), f"cannot be read: {problem}", remedy="Merge the adapter again") from error
