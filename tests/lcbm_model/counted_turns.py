"""How often a model's lock is taken."""

from __future__ import annotations

import pytest

from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.turns import Turns


def counted_turns(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gives the backbone a lock that notes the depth at which it is taken: 1 for a turn of its own."""
    taken: list[int] = []

    class Counted(Turns):
        def __enter__(self) -> Turns:
            super().__enter__()
            taken.append(self._depth)
            return self

    monkeypatch.setattr(backbone, "lock", Counted())
    return taken
