"""Where the drift budget's default should stand: likeness of meaning of rewrites and of drafts that stray.

    python benchmarks/guard_meaning.py [--rewrites benchmarks/guard_rewrites.yaml] [--json FILE]

For every threshold: the share of honest rewrites it would refuse, of drafts from the same trade with another message
it would let pass, and of rewrites made for other briefs it would let pass. All texts are invented.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from agents.embedder import load_embedder
from agents.guard import LEAST_MEANING, MeaningScale

HERE = Path(__file__).resolve().parent
THRESHOLDS = np.arange(0.05, 0.81, 0.05)


def measure(briefs: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Cosines of honest rewrites, strays of the same trade, and rewrites of other briefs."""
    embedder = load_embedder()
    found: dict[str, list[float]] = {"good": [], "stray": [], "other": []}
    for brief in briefs:
        scale = MeaningScale(brief["draft"], brief["message"], embedder)
        found["good"] += scale.likeness(brief["good"])
        found["stray"] += scale.likeness(brief["stray"])
        found["other"] += scale.likeness([text for b in briefs if b is not brief for text in b["good"]])
    return {kind: np.array(values) for kind, values in found.items()}


def table(found: dict[str, np.ndarray]) -> list[dict[str, float]]:
    rows = []
    for limit in sorted({*np.round(THRESHOLDS, 2).tolist(), LEAST_MEANING}):
        rows.append(
            {
                "least_meaning": limit,
                "good_refused": float((found["good"] < limit).mean()),
                "stray_passed": float((found["stray"] >= limit).mean()),
                "other_passed": float((found["other"] >= limit).mean()),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rewrites", type=Path, default=HERE / "guard_rewrites.yaml")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(yaml.safe_load(options.rewrites.read_text(encoding="utf-8")))
    rows = table(found)
    print(", ".join(f"{len(values)} {kind}" for kind, values in found.items()))
    print("least_meaning  good refused  stray passed  other passed")
    for row in rows:
        mark = "  <- default" if row["least_meaning"] == LEAST_MEANING else ""
        shares = "".join(f"{row[key]:>14.3f}" for key in ("good_refused", "stray_passed", "other_passed"))
        print(f"{row['least_meaning']:>13.2f}{shares}{mark}")
    if options.json:
        options.json.write_text(json.dumps({"n": {k: len(v) for k, v in found.items()}, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
