"""Plots by plotly, bundled with Gradio: nothing is fetched. Text takes its colour from the page's theme (app.css)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lcbm_model.metrics import get_metric
from optimizer.result import Candidate, Round

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ACCENT, BAND, MUTED, GRID = "#0d9488", "rgba(13,148,136,.16)", "#a8a29e", "rgba(128,128,128,.18)"


def rounds_plot(rounds: Sequence[Round], candidates: Sequence[Candidate], rounds_wanted: int) -> Figure:
    """Best expected percentile by round with its interval, every scored candidate as a dot, the original as a line."""
    import plotly.graph_objects as go

    original = next((c for c in candidates if c.round == 0 and c.score is not None), None)
    known: list[tuple[int, float | None, float | None, float | None]] = [
        (r.number, r.best_expected, r.best_low, r.best_high) for r in rounds if r.best_expected is not None
    ]
    if original and original.prediction and not any(number == 0 for number, *_ in known):
        p = original.prediction
        known.insert(0, (0, original.score, p.low, p.high))
    figure = go.Figure()
    banded = [(x, low, high) for x, _, low, high in known if low is not None and high is not None]
    if banded:
        xs = [x for x, _, _ in banded]
        figure.add_scatter(
            x=xs + xs[::-1],
            y=[high for _, _, high in banded] + [low for _, low, _ in reversed(banded)],
            fill="toself",
            mode="lines",
            fillcolor=BAND,
            line={"width": 0},
            hoverinfo="skip",
            name="range of the best",
        )
    dots = [c for c in candidates if c.score is not None and c.round > 0]
    figure.add_scatter(
        x=[c.round for c in dots],
        y=[c.score for c in dots],
        mode="markers",
        marker={"color": MUTED, "size": 6, "opacity": 0.75},
        text=[_label(c.text) for c in dots],
        hovertemplate="%{text}<br>percentile %{y:.0f} of 100<extra></extra>",
        name="each candidate",
    )
    figure.add_scatter(
        x=[x for x, *_ in known],
        y=[y for _, y, *_ in known],
        mode="lines+markers",
        line={"color": ACCENT, "width": 3},
        marker={"size": 9, "color": ACCENT},
        hovertemplate="round %{x}<br>best percentile %{y:.0f} of 100<extra></extra>",
        name="best so far",
    )
    if original:
        figure.add_hline(y=original.score, line={"color": MUTED, "dash": "dot", "width": 1.5})
    last = max([rounds_wanted, *(c.round for c in candidates)], default=1)
    figure.update_xaxes(
        title={"text": "round", "standoff": 6}, range=[-0.15, last + 0.15], dtick=1 if last <= 12 else None
    )
    figure.update_yaxes(title="predicted percentile", range=[0, 100], dtick=25)
    return _styled(figure)


def values_plot(values: Sequence[float], metric: str) -> Figure:
    """How the team's own posts are spread on the metric's scale."""
    import plotly.graph_objects as go

    known = get_metric(metric)
    rate = known.kind == "rate"
    shown = [100 * v if rate else v for v in values]
    unit = f"{known.title}, %" if rate else known.unit
    figure = go.Figure()
    figure.add_histogram(
        x=shown,
        nbinsx=24,
        marker={"color": ACCENT, "line": {"width": 0}},
        opacity=0.85,
        hovertemplate=f"{unit}: %{{x}}<br>%{{y}} posts<extra></extra>",
        name="posts",
        showlegend=False,
    )
    figure.update_xaxes(title=unit)
    figure.update_yaxes(title="posts")
    return _styled(figure)


def _label(text: str) -> str:
    """A draft inside a plotly label, which knows a few HTML tags: escaped, and cut."""
    flat = " ".join(text.split())
    return html.escape(flat if len(flat) <= 60 else flat[:57] + "...").replace("%{", "% {")


def _styled(figure: Figure) -> Figure:
    axis: dict[str, Any] = {"gridcolor": GRID, "zeroline": False, "fixedrange": True, "linecolor": GRID}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(
        template="none",
        height=300,
        margin={"l": 52, "r": 12, "t": 12, "b": 70},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 12, "family": "inherit"},
        legend={"orientation": "h", "y": -0.3, "x": 0},
        hovermode="closest",
        dragmode=False,
        uirevision="keep",
    )
    return figure
