"""What decides a score, as a key: change any of it and it is another score.

Weights, read-out and calibration (the simulator's identity), the metric's definition, the context, every field of the
content with the bytes of its media, and the code that makes prompts and reads the model: a new wording of the prompt
must not find the scores of the old one.
"""

from __future__ import annotations

import hashlib
import json
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter

import lcbm_model
from lcbm_model.content import Content
from lcbm_model.metrics import Metric
from lcbm_model.prediction import SimulatorIdentity
from lcbm_model.simulator.base import Context

KEY_BYTES = 24
"""Of a key. The first 8 place a row in the table, the others prove that it is the row that was meant."""
_GROUP_BYTES = 2
_MEDIA_KEPT = 4096
_SETTLED = 2.0
"""Seconds after which a file's time of change can be trusted: clocks of file systems are coarse."""
_CODE = ("*.py", "backbone/**/*.py", "simulator/**/*.py", "vision/**/*.py")
_LIBRARIES = ("torch", "transformers", "tokenizers")
_TO_JSON = TypeAdapter(Content).serializer.to_json


@cache
def code_fingerprint() -> str:
    """Hash over the sources from which scores come, and the versions of the libraries under them."""
    digest = hashlib.sha256()
    root = Path(lcbm_model.__path__[0])
    for path in sorted({path for pattern in _CODE for path in root.glob(pattern)}):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes() + b"\0")
    for name in _LIBRARIES:
        digest.update(f"{name}=={_version(name)}\n".encode())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


class Media:
    """Hashes of media files by their bytes; a file is read again only when its size or times changed."""

    def __init__(self) -> None:
        self._known: OrderedDict[Path, tuple[tuple[int, ...], str]] = OrderedDict()
        self._lock = threading.Lock()

    def digest(self, path: Path) -> str | None:
        """SHA-256 (hex) of a file's bytes; None where it is no regular file or cannot be read."""
        try:
            about = path.stat()
            if not stat.S_ISREG(about.st_mode):
                return None
            seen = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
            with self._lock:
                known = self._known.get(path)
                if known is not None and known[0] == seen:
                    self._known.move_to_end(path)
                    return known[1]
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError):
            return None
        # A file changed a moment ago may change again without its time telling: it is read again next time.
        if time.time() - max(about.st_mtime, about.st_ctime) > _SETTLED:
            with self._lock:
                self._known[path] = (seen, digest)
                while len(self._known) > _MEDIA_KEPT:
                    self._known.popitem(last=False)
        return digest


def keys_of(
    contents: Sequence[Content], metric: Metric, context: Context | None, identity: SimulatorIdentity, media: Media
) -> list[bytes | None]:
    """Key of each content's score, in order; None where it has none: unreadable media, text that is no Unicode."""
    parts = [identity, metric, context or Context()]
    try:
        told = [code_fingerprint(), *(part.model_dump_json() for part in parts)]
    except ValueError:
        return [None] * len(contents)
    call = hashlib.sha256(json.dumps(told).encode()).digest()
    # Scores of one brief lie side by side in the table, which makes looking up a batch several times faster.
    group = call[:_GROUP_BYTES]
    keys: list[bytes | None] = []
    for content in contents:
        described = _describe(content, media)
        if described is None:
            keys.append(None)
        else:
            keys.append(group + hashlib.sha256(call + described).digest()[: KEY_BYTES - _GROUP_BYTES])
    return keys


def _describe(content: Content, media: Media) -> bytes | None:
    """All of a content as bytes, media by what is in their files."""
    if type(content) is not Content:  # fields of a subclass would go unseen
        return None
    try:
        if not content.media:
            return _TO_JSON(content)
        fields = _TO_JSON(content, exclude={"media"})
    except ValueError:
        return None
    shown = [(m.kind, m.alt, media.digest(m.path)) for m in content.media]
    if any(digest is None for _, _, digest in shown):
        return None
    return fields + b"\0" + json.dumps(shown).encode()
