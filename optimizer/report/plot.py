"""The rounds as one picture: every candidate a dot, the best so far a line with its interval."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optimizer.result import OptimizationResult

INK, FAINT, BEST, DOT, BASE = "#010203", "#010204", "#010205", "#010206", "#010207"
"""Stand-in colours: each becomes a CSS variable, so that the plot follows the page's light or dark theme."""

VARIABLES = {
    INK: "var(--ink)",
    FAINT: "var(--line)",
    BEST: "var(--accent)",
    DOT: "var(--dot)",
    BASE: "var(--muted)",
}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": BASE,
    "text.color": INK,
    "xtick.color": BASE,
    "ytick.color": BASE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": FAINT,
}


def rounds_svg(result: OptimizationResult, *, width: float, height: float) -> str:
    """An `<svg>` element. Rounds on x (0 is the original), predicted percentile 0..100 on y.

    Args:
        width: Inches at 72 units each; the element itself scales with its box.
        height: Likewise.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "svg.hashsalt": f"rounds-{width}"}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        _draw(axes, result)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return inline(stream.getvalue(), label="Predicted percentile of every candidate by round")


def _draw(axes: Any, result: OptimizationResult) -> None:
    per_round: dict[int, list[tuple[str, float]]] = {}
    for candidate in result.candidates:
        if candidate.score is not None:
            per_round.setdefault(candidate.round, []).append((candidate.id, candidate.score))
    for number, scored in per_round.items():
        xs = [number + _spread(i, len(scored)) for i in range(len(scored))]
        axes.scatter(xs, [score for _, score in scored], s=30, color=DOT, linewidths=0, zorder=3)
    original = result.original
    if original is not None and original.score is not None:
        axes.axhline(original.score, color=BASE, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    _draw_best(axes, _best_by_round(result))
    last = max([r.number for r in result.rounds] + [c.round for c in result.candidates], default=0)
    axes.set_xlim(-0.5, last + 0.5)
    axes.set_ylim(0, 100)
    labels = ["original" if n == 0 else f"round {n}" for n in range(last + 1)]
    shown = [n for n in range(last + 1) if last <= 8 or n % max(last // 8, 1) == 0]
    axes.set_xticks(shown, [labels[n] if last <= 8 else str(n) for n in shown])
    axes.set_ylabel("predicted percentile")
    axes.tick_params(length=0)
    axes.grid(axis="y", linewidth=0.8)
    axes.set_axisbelow(True)


def _best_by_round(result: OptimizationResult) -> list[tuple[int, float, float, float]]:
    """(round, expected, low, high) of the best so far; an interval that is unknown has no width."""
    points = [(r.number, r.best_expected, r.best_low, r.best_high) for r in result.rounds]
    original = result.original
    if original is not None and original.prediction is not None and not original.rejected:
        first = original.prediction
        points.insert(0, (0, first.expected, first.low, first.high))
    return [
        (number, mean, mean if low is None else low, mean if high is None else high)
        for number, mean, low, high in points
        if mean is not None
    ]


def _draw_best(axes: Any, points: list[tuple[int, float, float, float]]) -> None:
    if not points:
        return
    x, mean, low, high = (list(column) for column in zip(*points, strict=True))
    axes.plot(x, mean, color=BEST, linewidth=2.4, marker="o", markersize=7, zorder=4)
    # A calibrated interval need not hold its own mean: a bar never points inwards.
    below = [max(m - v, 0.0) for m, v in zip(mean, low, strict=True)]
    above = [max(v - m, 0.0) for m, v in zip(mean, high, strict=True)]
    axes.errorbar(x, mean, yerr=[below, above], fmt="none", ecolor=BEST, elinewidth=1.6, capsize=4, zorder=4)
    axes.fill_between(x, low, high, color=BEST, alpha=0.13, linewidth=0, zorder=1)


def _spread(i: int, n: int) -> float:
    """Dots of one round side by side, within 0.44 of a round."""
    return 0.0 if n == 1 else 0.44 * (i / (n - 1) - 0.5)


def inline(document: str, *, label: str) -> str:
    """Only the element, with theme colours, a size that follows its box, and words for those who cannot see it."""
    svg = document[document.index("<svg") :]
    for stand_in, variable in VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    head, rest = svg.split(">", 1)
    size = " ".join(part for part in head.split(" ") if not part.startswith(("width=", "height=")))
    return f'{size} role="img" aria-label="{label}">{rest}'
