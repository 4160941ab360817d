"""Insights as a picture: each feature's difference with its interval, supported ones in colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.library.insights import Insights
from lcbm_model.errors import LibraryError, SettingsError

SHOWN = 30
"""Features drawn at most, the surest ones."""
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "lcbm",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.parse_math": False,  # labels hold words of posts, in which a dollar sign is a dollar sign
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_ENDINGS = (".svg", ".png", ".pdf")


def draw(insights: Insights, path: Path) -> None:
    """Write a forest plot; the ending decides the format (SVG, PNG or PDF).

    Raises:
        SettingsError: Another ending.
        LibraryError: Nothing was tested, or the file cannot be written.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise SettingsError(
            "--plot", "is no picture format", value=path.name, remedy=f"End it in {', '.join(_ENDINGS)}"
        )
    if not insights.findings:
        raise LibraryError("insights", "no feature had enough posts to be tested, so there is nothing to draw")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = sorted(insights.findings[:SHOWN], key=lambda f: f.difference)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 1.2 + 0.24 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for y, row in enumerate(rows):
            colour = "#1f5fa8" if row.supported else "0.55"
            axes.plot([100 * row.low, 100 * row.high], [y, y], color=colour, linewidth=2, alpha=0.5)
            axes.plot([100 * row.difference], [y], "o", color=colour, markersize=5)
        axes.axvline(0, color="0.4", linestyle="--", linewidth=0.8)
        axes.set_yticks(range(len(rows)), [f"{_plain(r.label)}  (n = {r.n})" for r in rows])
        axes.set_xlabel("share of winners with it less without it, percentage points, 95 % interval")
        subject = f"{insights.metric}, {insights.channel or 'all channels'}, n = {insights.n}"
        axes.set_title(f"{subject}; colour: supported after adjustment for {len(insights.findings)} tests", fontsize=8)
        try:
            figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None, dpi=150)
        except OSError as error:
            raise LibraryError(str(path), f"cannot be written: {error.strerror}") from error


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:70]
