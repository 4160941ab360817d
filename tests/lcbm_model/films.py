"""Short invented films for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def write_film(path: Path, scenes: Sequence[tuple[int, int, int]], *, size: tuple[int, int] = (96, 64)) -> Path:
    """One second of plain colour a scene, each beginning with a key frame."""
    import av

    width, height = size
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=10, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for scene in scenes:
            picture = np.full((height, width, 3), scene, dtype=np.uint8)
            for _ in range(10):
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)
    return path
