"""A `Prediction` as a few packed floats and back, to the last bit. Never pickle.

Layout, little-endian: which optional floats are there (bit mask, 2 bytes), number of bins (2 bytes), then float64s: the
bins, then the present ones in the order of `Prediction`'s fields. Metric and simulator are part of the key, not of the
row: whoever reads a row has just asked for both.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from lcbm_model.prediction import Prediction, SimulatorIdentity

FLOATS = tuple(name for name in Prediction.model_fields if name not in {"metric", "simulator", "bins", "error"})
"""The optional numbers of a prediction, in the order of the mask's bits."""

_HEAD = struct.Struct("<HH")
_MAX_BINS = 1024
_VALIDATE = TypeAdapter(Prediction).validator.validate_python


def pack(prediction: Prediction) -> bytes | None:
    """The row of a prediction; None where it is a failure or holds what a row cannot."""
    if not prediction.ok or len(prediction.bins) > _MAX_BINS:
        return None
    mask, numbers = 0, list(prediction.bins)
    for bit, name in enumerate(FLOATS):
        value = getattr(prediction, name)
        if value is None and Prediction.model_fields[name].default is None:
            continue
        if not isinstance(value, float):  # a field that somebody added and this layout cannot hold
            return None
        mask |= 1 << bit
        numbers.append(value)
    return _HEAD.pack(mask, len(prediction.bins)) + struct.pack(f"<{len(numbers)}d", *numbers)


def unpack(row: bytes, metric: str, simulator: SimulatorIdentity) -> Prediction:
    """The prediction of a row.

    Raises:
        ValueError: Not a row that `pack` wrote.
    """
    try:
        mask, n_bins = _HEAD.unpack_from(row)
        body, names = _layout(mask, n_bins)
        numbers = body.unpack_from(row, _HEAD.size)
    except struct.error as error:
        raise ValueError(f"not a packed prediction: {error}") from error
    fields: dict[str, Any] = dict(zip(names, numbers[n_bins:]))  # noqa: B905 (as many as the layout says)
    fields["metric"], fields["simulator"], fields["bins"] = metric, simulator, numbers[:n_bins]
    return _VALIDATE(fields)


@lru_cache(maxsize=256)
def _layout(mask: int, n_bins: int) -> tuple[struct.Struct, tuple[str, ...]]:
    """How the floats of a row lie, and the names of those after the bins."""
    if n_bins > _MAX_BINS or mask >> len(FLOATS):
        raise ValueError("not a packed prediction: it names more numbers than a prediction has")
    names = tuple(name for bit, name in enumerate(FLOATS) if mask >> bit & 1)
    return struct.Struct(f"<{n_bins + len(names)}d"), names
