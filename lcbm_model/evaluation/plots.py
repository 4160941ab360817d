"""Plots of figures with their intervals, as SVG whose bytes depend on nothing but the figures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from lcbm_model.evaluation.result import Figures, Intervals

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "lcbm",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def forest(lines: Sequence[tuple[str, Figures, Intervals]], keys: Sequence[str], chance: Mapping[str, float]) -> str:
    """One panel a figure, one row a model: a dot with its interval, and a dashed line at chance.

    Args:
        lines: Name, figures and intervals of each model, top to bottom.
        keys: Figures to draw, left to right.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(2.2 + 2.4 * max(len(keys), 1), 0.8 + 0.28 * len(lines)), layout="constrained")
        panels = figure.subplots(1, max(len(keys), 1), sharey=True, squeeze=False)[0]
        for axes, key in zip(panels, keys, strict=False):
            for row, (_, figures, intervals) in enumerate(lines):
                value, ends = figures.get(key), intervals.get(key)
                if value is None:
                    continue
                if ends is not None:
                    axes.plot(ends, [row, row], color="0.6", linewidth=2, solid_capstyle="round")
                axes.plot([value], [row], "o", color="#1f5fa8", markersize=5)
            if key in chance:
                axes.axvline(chance[key], color="0.4", linestyle="--", linewidth=0.8)
            axes.set_title(key, fontsize=8)
        panels[0].set_yticks(range(len(lines)), [name for name, _, _ in lines])
        panels[0].set_ylim(len(lines) - 0.5, -0.5)
        file = io.StringIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
