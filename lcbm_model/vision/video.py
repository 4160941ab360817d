"""Videos from strangers, seen through a few of their frames: a model of pictures then looks at a video too.

Only key frames are decoded (a coded video holds one every few seconds, and one at most cuts), so that an hour of film
costs seconds. Of them those are taken that differ most in colour, in the order of time.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lcbm_model.content import Media
from lcbm_model.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv")
FORMATS = "mov,matroska"
"""FFmpeg's demuxers that may read a file: never playlists or images, which could name other files or hosts."""
MAX_BYTES = 2 * 1024**3
MAX_PIXELS = 8192 * 4320
MOST_DECODED = 240
"""Key frames looked at, evenly over the whole video."""
SIDE = 512
"""Longer side of a kept frame, pixels: twice what the vision tower reads."""
FRAMES = 3


@dataclass(frozen=True)
class KeyFrame:
    """One frame and its place, in seconds from the beginning."""

    seconds: float
    image: Image


def is_video(path: Path | str) -> bool:
    """Whether a file's ending is a video's."""
    return Path(path).suffix.lower() in ENDINGS


def key_frames(path: Path | str, *, most: int = FRAMES) -> list[KeyFrame]:
    """At most `most` frames that show what a video shows, upright RGB, in the order of time.

    The first taken is the one nearest to the mean colours; each next is the one least like those before it. Of a video
    of one picture that is one frame.

    Raises:
        PictureError: Missing, too large, damaged, or no video of a known format.
    """
    path = Path(path)
    frames = _decoded(path)
    if not frames:
        raise _error(path, "holds no picture that can be decoded", "Save it again as MP4 or WebM")
    kept = _farthest(np.stack([_colours(frame.image) for frame in frames]), most)
    return [frames[i] for i in sorted(kept)]


def _decoded(path: Path) -> list[KeyFrame]:
    import av
    from av.error import FFmpegError

    _check_file(path)
    found: list[KeyFrame] = []
    try:
        # The protocol is named, so that no file can make FFmpeg open a network address.
        options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
        with av.open(str(path.resolve()), options=options, metadata_errors="replace") as container:
            if not container.streams.video:
                return []
            stream = container.streams.video[0]
            if stream.width * stream.height > MAX_PIXELS:
                size = f"{stream.width} x {stream.height}"
                raise PictureError(str(path), "has too many pixels", value=size, remedy="Make it smaller")
            stream.codec_context.skip_frame = "NONKEY"
            step = _step(container.duration)
            following = -math.inf
            for frame in container.decode(stream):
                seconds = float(frame.time or 0.0)
                if seconds < following:
                    continue
                found.append(KeyFrame(seconds, _shrunk(frame.to_image(), frame.rotation)))
                following = seconds + step
                if len(found) >= 2 * MOST_DECODED:  # a file that lies about its length
                    break
    except (FFmpegError, ValueError, OSError, EOFError) as error:
        if found:
            return found  # a film that was cut off is still seen up to there
        # FFmpeg's whole message repeats the path, which a server must not show.
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise _error(path, f"cannot be decoded ({reason})", "Save it again as MP4 or WebM") from error
    return found


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size if path.is_file() else None
    except (OSError, ValueError) as error:
        raise _error(path, "cannot be read", "Check the path") from error
    if size is None:
        raise _error(path, "no such video", "Check the path")
    if size > MAX_BYTES:
        raise _error(path, "the file is too large", f"Save it below {MAX_BYTES // 2**30} GB")


def _step(microseconds: int | None) -> float:
    """Seconds between frames that are looked at."""
    return max(0.0, (microseconds or 0) / 1e6 / MOST_DECODED)


def _shrunk(image: Image, rotation: int) -> Image:
    """A small upright copy; rotation is counter-clockwise, degrees."""
    image.thumbnail((SIDE, SIDE))
    return image.convert("RGB").rotate(rotation, expand=True)


def _colours(image: Image) -> NDArray[np.float64]:
    """(192,) mean colours of an 8 x 8 grid, 0..1: tells shots apart, and one shot's frames from each other hardly."""
    small = image.resize((8, 8))
    return np.asarray(small, dtype=np.float64).reshape(-1) / 255


def _farthest(points: NDArray[np.float64], most: int) -> list[int]:
    """Indices of at most `most` points (N, D): the one nearest to the mean, then the farthest from all taken so far.

    Points that are all but alike (a root mean square of 2 %) are taken once.
    """
    taken = [int(np.argmin(((points - points.mean(axis=0)) ** 2).mean(axis=1)))]
    away = ((points - points[taken[0]]) ** 2).mean(axis=1)
    while len(taken) < min(most, len(points)):
        next_one = int(np.argmax(away))
        if away[next_one] < 0.02**2:
            break
        taken.append(next_one)
        away = np.minimum(away, ((points - points[next_one]) ** 2).mean(axis=1))
    return taken


def seen_media(path: Path | None) -> tuple[Media, ...]:
    """What a model looks at of a picture (itself) or a video (its key frames, kept as pictures in the user's cache).

    Raises:
        PictureError: A video that cannot be used. Pictures are looked at when they are scored.
    """
    if path is None:
        return ()
    if not is_video(path):
        return (Media(path=path),)
    _check_file(path)
    stat = path.stat()
    asked = (path.resolve(), stat.st_size, stat.st_mtime_ns)
    frames = _kept_frames(*asked)
    if not all(frame.is_file() for frame in frames):  # swept meanwhile
        _kept_frames.cache_clear()
        frames = _kept_frames(*asked)
    for frame in frames:
        with contextlib.suppress(OSError):  # only says that it is in use
            os.utime(frame)
    return tuple(Media(path=frame) for frame in frames)


def frames_folder() -> Path:
    """Where frames of videos are kept: made again of the video wherever they are missing."""
    from lcbm_model.backbone.runtime import cache_dir

    return cache_dir() / "frames"


@lru_cache(maxsize=64)
def _kept_frames(path: Path, size: int, changed: int) -> Sequence[Path]:
    """Frames of a video as files; size and time of change are there so that another video of the name is looked at."""
    found = []
    folder = frames_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for frame in key_frames(path):
            name = hashlib.sha256(frame.image.tobytes()).hexdigest()[:32]
            target = folder / f"{name}.png"
            if not target.is_file():
                handle, work = tempfile.mkstemp(suffix=".png", dir=folder)
                with os.fdopen(handle, "wb") as stream:
                    frame.image.save(stream, format="PNG")
                Path(work).replace(target)
            found.append(target)
    except OSError as error:
        remedy = "Set LCBM_CACHE to a folder that can be written"
        raise PictureError(str(path), f"its frames cannot be kept: {error}", remedy=remedy) from error
    return tuple(found)


def _error(path: Path, problem: str, remedy: str) -> PictureError:
    return PictureError(str(path), problem, remedy=remedy)
