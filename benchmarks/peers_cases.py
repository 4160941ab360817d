"""The invented briefs of benchmarks/peers.py, and which half of them each belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from optimizer import Brief

BRIEFS = Path(__file__).parent / "peers_briefs.yaml"
HALVES = ("held-out", "development", "all")


@dataclass(frozen=True)
class Case:
    """One brief."""

    brief: Brief
    library: bool
    """Whether the team's past posts are known."""
    held_out: bool
    """Even places of the file. What the loop decides was tuned on the odd places, the development half."""


def load_cases(path: Path = BRIEFS, half: str = "all") -> list[Case]:
    """The briefs of a half, each with what its team's briefs share, in the order of the file."""
    teams = yaml.safe_load(path.read_text(encoding="utf-8"))["teams"]
    told = [({**team["common"], **brief}, team["library"]) for team in teams for brief in team["briefs"]]
    cases = [
        Case(Brief.parse(brief, where=f"{path.name}: {brief['name']}"), library, held_out=place % 2 == 0)
        for place, (brief, library) in enumerate(told, start=1)
    ]
    return [case for case in cases if half == "all" or case.held_out == (half == "held-out")]
