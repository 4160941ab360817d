"""The trade-off between the brief's metric and its first further objective, as one picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from optimizer.report.plot import BASE, BEST, DOT, STYLE, inline

if TYPE_CHECKING:
    from optimizer.result import Candidate, OptimizationResult


def front_svg(result: OptimizationResult) -> str:
    """An `<svg>` element: expected percentiles 0..100, the metric on x, the objective on y, the front joined."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    objective = result.brief.objectives[0]
    front = set(result.front)
    points = {c.id: place for c in result.candidates if (place := _place(c, objective.label)) is not None}
    with mpl.rc_context({**STYLE, "svg.hashsalt": "front"}):
        figure = Figure(figsize=(6.2, 4.2), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.grid(linewidth=0.8)
        others = [place for id_, place in points.items() if id_ not in front]
        if others:
            axes.scatter([x for x, _ in others], [y for _, y in others], s=34, color=DOT, linewidths=0, zorder=3)
        joined = sorted(place for id_, place in points.items() if id_ in front)
        xs, ys = [x for x, _ in joined], [y for _, y in joined]
        axes.plot(xs, ys, color=BEST, linewidth=1.6, marker="o", markersize=7, zorder=4)
        if result.best_id in points:
            x, y = points[result.best_id]
            axes.scatter([x], [y], s=190, facecolors="none", edgecolors=BEST, linewidths=1.8, zorder=5)
        if result.original is not None and result.original.id in points:
            place = points[result.original.id]
            axes.annotate("original", place, xytext=(7, -11), textcoords="offset points", color=BASE)
        axes.set_xlabel(f"{result.brief.metric.replace('_', ' ')}, predicted percentile")
        # Metrics have plain names; channel and audience are people's words, which the table shows.
        axes.set_ylabel(f"{objective.metric.replace('_', ' ')}, predicted percentile")
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return inline(stream.getvalue(), label="Every candidate by two objectives, the front joined")


def _place(candidate: Candidate, label: str) -> tuple[float, float] | None:
    other = candidate.predictions.get(label)
    if candidate.score is None or other is None or other.expected is None:
        return None
    return candidate.score, other.expected
