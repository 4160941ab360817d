"""Names of models on the hub, told from paths that were mistyped: nobody outside is asked for those."""

from __future__ import annotations

from pathlib import Path


def is_mistyped_path(name: str) -> bool:
    """Whether a name lies in a folder that is here: "runs/bset" is one where there is a folder `runs`."""
    path = Path(name).expanduser()
    return path.is_absolute() or name.startswith(".") or (len(path.parts) > 1 and Path(path.parts[0]).is_dir())
