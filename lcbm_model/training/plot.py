"""The loss of a run and its figure on validation, drawn from the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TERMS = ("bins", "pairs", "pairs_bins", "value", "text", "distance")


def plot_log(log: Path, target: Path) -> bool:
    """Draw a run's log.jsonl as SVG; False where it holds no step (heads only)."""
    events = [event for line in log.read_text("utf-8").splitlines() if (event := _read(line))]
    towers = {event.get("tower", "language model"): None for event in events if "step" in event}
    if not towers:
        return False
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4 * len(towers)), layout="constrained")
    for losses, tower in zip(figure.subplots(len(towers), squeeze=False)[:, 0], towers, strict=True):
        own = [event for event in events if "step" in event and event.get("tower", "language model") == tower]
        for term in TERMS:
            if found := [(event["step"], event[term]) for event in own if term in event]:
                losses.plot(*zip(*found, strict=True), label=term)
        losses.set_title(tower)
        losses.set_xlabel("step")
        losses.set_ylabel("weighted loss")
        losses.legend(loc="upper right")
        if chosen := [(event["step"], event["selection"]) for event in own if event.get("selection") is not None]:
            other = losses.twinx()
            other.plot(*zip(*chosen, strict=True), "k.--")
            other.set_ylabel("figure on validation (dots)")
    FigureCanvasSVG(figure).print_svg(target)
    return True


def _read(line: str) -> dict[str, Any]:
    """A line's event; an empty one for a line that a kill has cut."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
