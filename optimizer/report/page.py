"""The HTML report: one file, no script, nothing fetched; every text in it is escaped."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from lcbm_model.metrics import get_metric

if TYPE_CHECKING:
    from pathlib import Path

    from lcbm_model.prediction import Prediction
    from optimizer.result import OptimizationResult

PICTURE_PIXELS = 720
"""Longer side of the embedded picture."""


def render(result: OptimizationResult) -> str:
    """The report as one HTML document."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    from optimizer.report.front_plot import front_svg
    from optimizer.report.highlight import pieces
    from optimizer.report.plot import rounds_svg

    loader = PackageLoader("optimizer", "report")
    pages = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"one": one, "share": share, "raw": raw_filter(result), "signed": signed}
    picture, picture_note = _picture(result.brief.picture)
    return pages.get_template("report.html.j2").render(
        result=result,
        metric=get_metric(result.brief.metric),
        css=Markup(loader.get_source(pages, "report.css")[0]),
        plot_wide=Markup(rounds_svg(result, width=10, height=3.9)),
        plot_narrow=Markup(rounds_svg(result, width=4.9, height=4.2)),
        picture=picture,
        picture_note=picture_note,
        best=result.best,
        original=result.original,
        improved=result.improved,
        seal=seal(result),
        bar=bar,
        pieces=pieces(result.best.text, result.why) if result.best else [],
        largest=max((abs(part.effect) for part in result.why), default=0.0),
        front_plot=Markup(front_svg(result)) if len(result.front) > 1 else None,
        shown_texts={c.id: c.text for c in result.candidates},
        selected_on="the lower end of the interval" if result.calibrated else "the expected percentile",
        rejected=[c for c in result.candidates if c.rejected],
        failed=[c for c in result.candidates if c.prediction is not None and not c.prediction.ok],
        passed_over=sum(1 for c in result.candidates if c.prediction is None and c.first is not None),
        unscored=sum(1 for c in result.candidates if c.prediction is None and c.first is None and not c.rejected),
        headline=headline(result),
    )


def headline(result: OptimizationResult) -> str:
    """The finding in one sentence, no stronger than the evidence."""
    return result.finding


def seal(result: OptimizationResult) -> tuple[str, str]:
    """(style, words) of the mark beside the headline: what the finding amounts to at a glance."""
    if result.best is None or result.best.score is None:
        return "flat", "nothing to return"
    if result.judge is not None and result.judge.reliable:
        return "good", "confirmed by the judge"
    if result.status == "waiting_for_approval":
        return "open", "waiting for approval"
    if result.improved:
        return "open", "not confirmed" if result.judge is None else "not confirmed by the judge"
    return "flat", "no reliable improvement found" if result.original else "no original to compare with"


def one(value: float | None) -> str:
    """One decimal, or a dash."""
    return "–" if value is None else f"{value:.1f}"


def signed(value: float | None) -> str:
    """One decimal with its sign, or a dash."""
    return "–" if value is None else f"{value:+.1f}"


def share(value: float | None) -> str:
    """A probability in whole percent, or a dash."""
    return "–" if value is None else f"{value:.0%}"


def raw_filter(result: OptimizationResult) -> Any:
    """Values on the metric's own scale: rates in percent, counts whole, ratings with two decimals."""
    kind = get_metric(result.brief.metric).kind

    def shown(value: float | None) -> str:
        if value is None:
            return "–"
        return {"rate": f"{value:.2%}", "count": f"{value:,.0f}", "rating": f"{value:.2f}"}[kind]

    return shown


def bar(prediction: Prediction | None) -> dict[str, float] | None:
    """Where an interval and its expectation sit on a track of 0..100."""
    if prediction is None or prediction.expected is None:
        return None
    low = prediction.expected if prediction.low is None else prediction.low
    high = prediction.expected if prediction.high is None else prediction.high
    return {"left": round(low, 2), "width": round(max(high - low, 0.5), 2), "dot": round(prediction.expected, 2)}


def _picture(path: Path | None) -> tuple[str | None, str | None]:
    """The brief's picture, or the middle one of its video's frames, as a small data URI; or why it is not shown."""
    if path is None:
        return None, None
    from lcbm_model.errors import PictureError
    from lcbm_model.vision.images import open_picture
    from lcbm_model.vision.video import seen_media

    try:
        seen = seen_media(path)
        picture = open_picture(seen[len(seen) // 2].path)
    except PictureError as error:
        return None, f"The picture is not shown: {error.problem}."
    picture.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode(), None
