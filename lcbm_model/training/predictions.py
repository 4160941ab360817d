"""What a finished run predicted, as `predictions.npz` in its folder keeps it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lcbm_model.errors import CheckpointError

FILE = "predictions.npz"


def read_predictions(run: Path, *names: str) -> list[npt.NDArray[Any]]:
    """Arrays of a run by name.

    Raises:
        CheckpointError: The run is not complete, or its file is damaged.
    """
    try:
        with (run / FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except (OSError, KeyError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise CheckpointError(str(run), "is no finished run", value=str(error)) from error
