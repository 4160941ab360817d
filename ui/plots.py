"""Plots by plotly, bundled with Gradio: nothing is fetched. Text takes its colour from the page (app.css)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lcbm_model.behavior import BIN_CENTRES
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import Prediction

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from agents.library.insights import Finding
    from lcbm_model.evaluation.result import EvaluationResult
    from optimizer.outcomes import OutcomeReport

ACCENT, BAND, MUTED, GRID, ORIGIN = "#0d9488", "rgba(13,148,136,.16)", "#a8a29e", "rgba(128,128,128,.18)", "#c2703a"
SHOWN_FINDINGS = 12
CROWD = 30
"""Points beyond which the ranges of predictions are left out of the plot: it would be all lines."""


def outcome_plot(report: OutcomeReport) -> Figure:
    """Predicted percentile across, observed up, with both ranges; on the dotted line both agree."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(x=[0, 100], y=[0, 100], mode="lines", line={"color": MUTED, "dash": "dot", "width": 1.5},
                       hoverinfo="skip", name="agreement")  # fmt: skip
    for held, colour, name in ((True, ACCENT, "inside its range"), (False, ORIGIN, "outside its range")):
        points = [p for p in report.points if (p.held is not False) is held]
        figure.add_scatter(
            x=[p.predicted for p in points],
            y=[p.observed for p in points],
            mode="markers",
            marker={"size": 9, "color": colour, "opacity": 0.8},
            error_x=_ends([(p.predicted, p.low, p.high) for p in points], shown=len(report.points) <= CROWD),
            error_y=_ends([(p.observed, p.observed_low, p.observed_high) for p in points]),
            text=[label(p.text) for p in points],
            hovertemplate="%{text}<br>predicted %{x:.0f}, happened %{y:.0f} of 100<extra></extra>",
            name=name,
        )
    if report.bands:
        figure.add_scatter(
            x=[b.predicted for b in report.bands],
            y=[b.observed for b in report.bands],
            mode="lines+markers",
            line={"color": ACCENT, "width": 3},
            marker={"size": 10, "color": ACCENT, "symbol": "diamond"},
            error_y={
                "type": "data",
                "array": [b.high - b.observed for b in report.bands],
                "arrayminus": [b.observed - b.low for b in report.bands],
                "color": ACCENT,
                "thickness": 2,
            },
            text=[f"{b.n} results" for b in report.bands],
            hovertemplate="%{text}: predicted %{x:.0f} on average, happened %{y:.0f}<extra></extra>",
            name="means of like predictions",
        )
    figure.update_xaxes(title="predicted percentile", range=[-2, 102], dtick=25)
    figure.update_yaxes(title="what happened, percentile of your own", range=[-2, 102], dtick=25)
    return styled(figure, height=380)


def _ends(rows: Sequence[tuple[float, float | None, float | None]], *, shown: bool = True) -> dict[str, Any]:
    """Ranges as plotly's bars around points; an unknown end is drawn at the point."""
    return {
        "type": "data",
        "visible": shown,
        "array": [(at if high is None else high) - at for at, _, high in rows],
        "arrayminus": [at - (at if low is None else low) for at, low, _ in rows],
        "color": "rgba(128,128,128,.32)",
        "thickness": 1.2,
        "width": 0,
    }


def distribution_plot(prediction: Prediction, own: Prediction | None = None) -> Figure:
    """The chance of each tenth, with the expected percentile and the range; `own`: as the team's results have it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    if prediction.low is not None and prediction.high is not None:
        figure.add_vrect(x0=prediction.low, x1=prediction.high, fillcolor=BAND, line_width=0, layer="below")
    figure.add_bar(
        x=list(BIN_CENTRES),
        y=[100 * p for p in prediction.bins],
        width=9.2,
        marker={"color": ACCENT, "line": {"width": 0}},
        customdata=[[int(c - 5), int(c + 5)] for c in BIN_CENTRES],
        hovertemplate="percentile %{customdata[0]} to %{customdata[1]}: %{y:.1f} % chance<extra></extra>",
        name="chance of each tenth",
    )
    if own is not None:
        figure.add_scatter(
            x=list(BIN_CENTRES),
            y=[100 * p for p in own.bins],
            mode="lines+markers",
            line={"color": ORIGIN, "width": 2, "shape": "spline"},
            hovertemplate="by your own results: %{y:.1f} % chance<extra></extra>",
            name="as your own results have it",
        )
    if prediction.expected is not None:
        figure.add_vline(x=prediction.expected, line={"color": ORIGIN, "width": 2.5})
    figure.add_hline(y=10, line={"color": MUTED, "dash": "dot", "width": 1.2})
    figure.update_xaxes(title="percentile among comparable texts", range=[0, 100], dtick=10)
    figure.update_yaxes(title="chance, %", rangemode="tozero")
    return styled(figure, legend=own is not None)


def aimed_plot(wanted: float, predictions: Sequence[Prediction], texts: Sequence[str]) -> Figure:
    """Written texts by their predicted percentile with ranges, and the percentile that was asked for."""
    import plotly.graph_objects as go

    known = [(p, t) for p, t in zip(predictions, texts, strict=True) if p.expected is not None]
    rows = list(range(len(known), 0, -1))
    figure = go.Figure()
    figure.add_vline(x=wanted, line={"color": ORIGIN, "width": 2.5, "dash": "dash"})
    figure.add_scatter(
        x=[p.expected for p, _ in known],
        y=rows,
        mode="markers",
        marker={"size": 11, "color": ACCENT},
        error_x={
            "type": "data",
            "array": [(p.high or p.expected or 0) - (p.expected or 0) for p, _ in known],
            "arrayminus": [(p.expected or 0) - (p.expected or 0 if p.low is None else p.low) for p, _ in known],
            "color": ACCENT,
            "thickness": 1.5,
        },
        text=[label(t) for _, t in known],
        hovertemplate="%{text}<br>predicted %{x:.0f} of 100<extra></extra>",
        name="a draft",
    )
    figure.update_xaxes(title="predicted percentile", range=[0, 100], dtick=25)
    figure.update_yaxes(tickvals=rows, ticktext=[f"{i + 1}" for i in range(len(rows))], title="draft")
    return styled(figure, height=120 + 42 * max(len(known), 2), legend=False)


def coverage_plot(results: Sequence[EvaluationResult]) -> Figure:
    """Share of held-out results inside the 80 % ranges, suite by suite, with its interval; the line is the promise."""
    import plotly.graph_objects as go

    rows = [(r, r.metrics["coverage_80"], r.intervals.get("coverage_80")) for r in results]
    known = [(r, v, i) for r, v, i in rows if v is not None]
    figure = go.Figure()
    figure.add_vline(x=80, line={"color": ORIGIN, "width": 2.5, "dash": "dash"})
    figure.add_vrect(x0=77, x1=83, fillcolor=BAND, line_width=0, layer="below")
    figure.add_scatter(
        x=[100 * v for _, v, _ in known],
        y=[f"{r.suite} (n = {r.n:,})" for r, _, _ in known],
        mode="markers",
        marker={"size": 11, "color": ACCENT},
        error_x={
            "type": "data",
            "array": [100 * (i[1] - v) if i else 0 for _, v, i in known],
            "arrayminus": [100 * (v - i[0]) if i else 0 for _, v, i in known],
            "color": ACCENT,
            "thickness": 1.5,
        },
        hovertemplate="%{y}: %{x:.1f} % held<extra></extra>",
        name="held",
    )
    figure.update_xaxes(title="held by the range, %", range=[40, 100], dtick=10)
    figure.update_yaxes(automargin=True)
    return styled(figure, height=110 + 44 * max(len(known), 1), legend=False)


def reliability_plot(results: Sequence[EvaluationResult]) -> Figure:
    """How often the favourite of a pair won against the chance stated for it; on the dashed line it is as stated."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        x=[50, 100], y=[50, 100], mode="lines", line={"color": ORIGIN, "width": 2, "dash": "dash"}, name="as stated",
        hoverinfo="skip",
    )  # fmt: skip
    for result in results:
        bins = result.reliability
        name = result.identity.checkpoint if result.identity else result.model
        ends = [b.interval or (b.observed, b.observed) for b in bins]
        figure.add_scatter(
            x=[100 * b.stated for b in bins],
            y=[100 * b.observed for b in bins],
            mode="lines+markers",
            marker={"size": 10},
            error_y={
                "type": "data",
                "array": [100 * (high - b.observed) for b, (_, high) in zip(bins, ends, strict=True)],
                "arrayminus": [100 * (b.observed - low) for b, (low, _) in zip(bins, ends, strict=True)],
                "thickness": 1.5,
            },
            customdata=[b.n for b in bins],
            hovertemplate="stated %{x:.0f} %, won %{y:.0f} % of %{customdata:,} pairs<extra></extra>",
            name=f"{name}, {result.suite}",
        )
    figure.update_xaxes(title="chance stated for the favourite, %", range=[48, 102])
    figure.update_yaxes(title="favourites that won, %", range=[30, 102])
    return styled(figure, height=360)


def insights_plot(findings: Sequence[Finding]) -> Figure:
    """Each feature's difference in the share of winners with its 95 % interval; supported ones in colour."""
    import plotly.graph_objects as go

    rows = list(findings[:SHOWN_FINDINGS])[::-1]
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": MUTED, "dash": "dot", "width": 1.5})
    for supported, colour, name in ((True, ACCENT, "supported"), (False, MUTED, "could be chance")):
        some = [f for f in rows if f.supported is supported]
        figure.add_scatter(
            x=[100 * f.difference for f in some],
            y=[label(f.label, 34) for f in some],
            mode="markers",
            marker={"size": 10, "color": colour},
            error_x={
                "type": "data",
                "array": [100 * (f.high - f.difference) for f in some],
                "arrayminus": [100 * (f.difference - f.low) for f in some],
                "color": colour,
                "thickness": 1.5,
            },
            customdata=[[f.n, f.n_without] for f in some],
            hovertemplate="%{y}<br>%{x:+.0f} points; %{customdata[0]} with, %{customdata[1]} without<extra></extra>",
            name=name,
        )
    names = [label(f.label, 34) for f in rows]
    figure.update_xaxes(title="difference, points")
    figure.update_yaxes(automargin=True, categoryorder="array", categoryarray=names)
    return styled(figure, height=130 + 30 * max(len(rows), 2))


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
    return styled(figure)


def label(text: str, most: int = 60) -> str:
    """A text inside a plotly label, which knows a few HTML tags: escaped, and cut."""
    flat = " ".join(text.split())
    return html.escape(flat if len(flat) <= most else flat[: most - 3] + "...").replace("%{", "% {")


def styled(figure: Figure, *, height: int = 300, legend: bool = True) -> Figure:
    """The app's own look, by day and night."""
    axis: dict[str, Any] = {"gridcolor": GRID, "zeroline": False, "fixedrange": True, "linecolor": GRID}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 52, "r": 12, "t": 12, "b": 76 if legend else 60},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 12, "family": "inherit"},
        legend={"orientation": "h", "y": -0.22, "x": 0},
        showlegend=legend,
        hovermode="closest",
        dragmode=False,
        uirevision="keep",
    )
    return figure
